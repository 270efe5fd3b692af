//! HighLevel's contacts: who somebody is, that they are a lead, and whether they may be written to.

use crate::model::business_event::EventKind;
use crate::model::statement::{Claim, Happening, ObjectKind, Statement};
use crate::model::time::Timestamp;

use super::reading::Reading;

/// What our own destination writes into `source` of the contacts that it makes, so that they are no leads of HighLevel's.
const OWN_SOURCE: &str = "tallyhook";

/// A contact that was made: a lead, once.
pub(super) fn created(reading: &mut Reading<'_>) -> Option<Statement> {
    let mut statement = contact(reading)?;
    if reading.body.text("/source").is_some_and(|source| source.eq_ignore_ascii_case(OWN_SOURCE)) {
        reading.nothing_to_count("the contact was made by this program");
        return Some(statement);
    }
    let at = reading.body.moment("/dateAdded").unwrap_or(reading.said_at);
    let mut happened = vec![lead(at)];
    if let Claim::Happened(tagged) = statement.claim {
        happened.extend(tagged);
    }
    statement.claim = Claim::Happened(happened);
    Some(statement)
}

/// A contact whose fields, tags or do-not-disturb changed. It comes whole, without what was different before.
pub(super) fn changed(reading: &mut Reading<'_>) -> Option<Statement> {
    contact(reading)
}

/// A contact that was deleted. Somebody tidied up; what was bought and booked stays in the books.
pub(super) fn deleted(reading: &mut Reading<'_>) -> Option<Statement> {
    reading.nothing_to_count("a contact that is deleted at HighLevel stays in the books");
    None
}

/// That somebody became a lead.
pub(super) const fn lead(at: Timestamp) -> Happening {
    Happening { kind: EventKind::Lead, at, value: None }
}

/// That a contact has one of the tags which the configuration makes events of.
pub(super) fn tagged<'t>(reading: &Reading<'_>, tags: impl Iterator<Item = &'t str>) -> Vec<Happening> {
    let mut happened = Vec::new();
    for tag in tags.map(str::trim) {
        let wanted = reading.settings.tags.iter().any(|wanted| wanted.trim().eq_ignore_ascii_case(tag));
        let kind = EventKind::Custom(format!("tag_{}", event_word(tag)));
        if wanted && !happened.iter().any(|known: &Happening| known.kind == kind) {
            happened.push(Happening { kind, at: reading.said_at, value: None });
        }
    }
    happened
}

/// A free text as the name of an event: small letters, digits and `_`, at most 36.
pub(super) fn event_word(text: &str) -> String {
    let word: String =
        text.trim().chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    word.chars().take(36).collect()
}

fn contact(reading: &mut Reading<'_>) -> Option<Statement> {
    let Some(id) = reading.body.id("/id").or_else(|| reading.body.id("/contactId")).map(str::to_owned) else {
        reading.note("contact id absent");
        return None;
    };
    let mut statement = reading.statement(ObjectKind::Customer, id.as_str(), Some(&id));
    if let Some(at) = reading.body.moment("/dateUpdated") {
        statement.said_at = at;
    }
    statement.person = reading.person("");
    statement.tags = reading.tags(&[]);
    let tags = reading.body.list("/tags").iter().filter_map(super::json::text);
    let happened = tagged(reading, tags);
    if !happened.is_empty() {
        statement.claim = Claim::Happened(happened);
    }
    Some(statement)
}
