//! Everything that belongs to one person, gathered for `contacts export` and `contacts forget`.

use std::collections::BTreeSet;

use super::contacts::identities;
use super::desk::{broken, unread};
use super::reading::Reading;
use crate::http::admin::OperatorError;
use crate::ledger::books::Books;
use crate::model::business_event::BusinessEvent;
use crate::model::contact::Contact;
use crate::model::group::Group;
use crate::model::id::{ContactId, WebhookId};
use crate::model::identity::{Email, IdentityKind, Phone};
use crate::model::time::Timestamp;
use crate::store::Traces;

/// A shorter id may stand in anybody's body by chance.
const SHORTEST_ID: usize = 8;

/// One contact with everything that hangs on it.
pub(super) struct Belongings {
    /// The contact.
    pub(super) contact: Contact,
    /// Contacts that became it.
    pub(super) merged: Vec<ContactId>,
    /// Its groups.
    pub(super) groups: Vec<Group>,
    /// What happened, oldest first.
    pub(super) events: Vec<BusinessEvent>,
    /// Lead ids whose forms name the person, or that are the person's.
    pub(super) leads: Vec<String>,
    /// Webhooks about the person's money or with the person in their bodies.
    pub(super) webhooks: Vec<WebhookId>,
    /// Kept refused requests with the person in their bodies.
    pub(super) refused: Vec<(String, u64)>,
}

/// Gathers what belongs to a contact.
pub(super) fn gather(reading: &Reading<'_>, contact: Contact, asked: &str) -> Result<Belongings, OperatorError> {
    let books = reading.snapshot;
    let ever = (Timestamp::from_millis(i64::MIN), Timestamp::FAR_FUTURE);
    let merged = books.merged_into(&[contact.id]).map_err(broken)?;
    let (mut groups, mut events) = (Vec::new(), Vec::new());
    for id in books.groups_of(contact.id, ever.0, ever.1).map_err(unread)? {
        let Some(group) = books.group(id).map_err(unread)? else { continue };
        for (_, event) in &group.events {
            events.extend(books.business_event(*event).map_err(unread)?);
        }
        groups.push(group);
    }
    events.sort_by_key(|event| event.id);
    let values = values(&contact, &groups);
    let mut leads = books.leads_naming(&values).map_err(broken)?;
    let own = contact.identities.iter().filter(|identity| identity.kind == IdentityKind::Lead);
    for id in own.map(|identity| identity.value.clone()) {
        if !leads.contains(&id) && books.lead(&id).map_err(unread)?.is_some() {
            leads.push(id);
        }
    }
    let traces = traces(&contact, &groups, values, asked);
    let webhooks = books.webhooks_of(&traces).map_err(broken)?;
    let refused = books.refused_of(&traces).map_err(broken)?;
    Ok(Belongings { contact, merged, groups, events, leads, webhooks, refused })
}

/// The addresses and phone numbers of a person.
fn values(contact: &Contact, groups: &[Group]) -> BTreeSet<String> {
    let mut values = BTreeSet::new();
    let also_named = groups.iter().flat_map(|group| group.objects.iter().flat_map(|state| &state.also_named));
    values.extend(also_named.filter(|(kind, _)| *kind == IdentityKind::Phone).map(|(_, phone)| phone.clone()));
    let people = groups.iter().flat_map(|group| group.objects.iter().map(|state| &state.person));
    for person in people.chain([&contact.person]) {
        values.extend(person.email.as_ref().map(|email| email.as_str().to_owned()));
        values.extend(person.phone.as_ref().map(|phone| phone.as_str().to_owned()));
    }
    for identity in &contact.identities {
        if matches!(identity.kind, IdentityKind::Email | IdentityKind::Phone) {
            values.insert(identity.value.clone());
        }
    }
    values
}

fn traces(contact: &Contact, groups: &[Group], values: BTreeSet<String>, asked: &str) -> Traces {
    let mut words: BTreeSet<String> = values.into_iter().map(|value| value.to_lowercase()).collect();
    let ids = contact
        .identities
        .iter()
        .filter(|identity| matches!(identity.kind, IdentityKind::Customer | IdentityKind::User | IdentityKind::Lead));
    words.extend(ids.filter_map(|identity| identity.value.rsplit('/').next()).filter_map(word));
    words.extend(asked_for(asked));
    Traces { groups: groups.iter().map(|group| group.id).collect(), words: words.into_iter().collect() }
}

fn word(id: &str) -> Option<String> {
    (id.len() >= SHORTEST_ID).then(|| id.to_lowercase())
}

/// What was asked for, where it is an address or a phone number.
fn asked_for(text: &str) -> Option<String> {
    let email = Email::parse(text).map(|email| email.as_str().to_owned());
    email.or_else(|| Phone::parse(text).map(|phone| phone.as_str().to_owned()))
}

/// The nameless contact of a person who was erased before.
pub(super) fn erased(reading: &Reading<'_>, text: &str) -> Result<Option<Contact>, OperatorError> {
    let found = reading.snapshot.erased_among(&identities(text)).map_err(broken)?;
    match reading.survivor(found)? {
        Some(id) => reading.snapshot.contact(id).map_err(unread),
        None => Ok(None),
    }
}
