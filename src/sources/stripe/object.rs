//! What Stripe's objects have in common: ids, money, people, metadata.

use crate::model::attribution::{Attribution, Consent};
use crate::model::identity::{Email, Phone};
use crate::model::money::{Currency, Money};
use crate::model::statement::{Claim, Details, ObjectKind, ObjectRef, Person, Statement, Tags};
use crate::model::time::Timestamp;

use super::json::Json;

/// The longest value that metadata can have (Stripe: metadata, 500 characters). Names are held to it too.
const MAX_VALUE_CHARS: usize = 500;

/// One event's object while it is read.
pub(super) struct Reading<'e> {
    /// The event's id.
    pub event_id: &'e str,
    /// The event's time.
    pub said_at: Timestamp,
    /// The event's `data.object`.
    pub object: &'e Json<'e>,
    /// Oddities met.
    pub notes: &'e mut Vec<String>,
}

impl Reading<'_> {
    /// A statement about the object named at a path (`id` for the object itself) that claims nothing yet; none when there is no
    /// such id.
    pub fn statement(&self, kind: ObjectKind, id_path: &str) -> Option<Statement> {
        Some(Statement {
            object: ObjectRef::new(kind, self.object.id(id_path)?),
            said_at: self.said_at,
            links: Vec::new(),
            customer: self.object.id("customer").map(str::to_owned),
            subscription: None,
            claim: Claim::Nothing,
            details: Details::default(),
            person: Person::default(),
            tags: tags(self.object.at("metadata"), self.said_at),
        })
    }

    /// The objects named at these paths, each once.
    pub fn links(&self, paths: &[(ObjectKind, &str)]) -> Vec<ObjectRef> {
        let mut links = Vec::new();
        for (kind, path) in paths {
            push_link(&mut links, *kind, self.object.id(path));
        }
        links
    }

    /// Money of the first amount that is present, in the object's currency. None with a note where there is no such amount, it is
    /// no whole number, it is negative, or the currency is missing or odd: an absent amount is never zero.
    pub fn money(&mut self, amount_paths: &[&str]) -> Option<Money> {
        let currency = self.currency();
        let amount = self.amount(amount_paths);
        Some(Money { minor: amount?, currency: currency? })
    }

    /// The object's currency; none with a note where it is missing or odd.
    pub fn currency(&mut self) -> Option<Currency> {
        match self.object.at("currency") {
            None => {
                self.note("currency absent");
                None
            }
            Some(Json::Text(code)) if code.parse::<Currency>().is_ok() => code.parse().ok(),
            Some(_) => {
                self.note("unknown currency");
                None
            }
        }
    }

    /// Adds a note.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    fn amount(&mut self, paths: &[&str]) -> Option<i64> {
        let present = paths.iter().find_map(|path| Some((path, self.object.at(path)?)));
        match present {
            None => {
                self.note(format!("amount absent ({})", paths.join(", ")));
                None
            }
            Some((path, Json::Integer(amount))) if *amount < 0 => {
                self.note(format!("amount is negative ({path})"));
                None
            }
            Some((_, Json::Integer(amount))) => Some(*amount),
            Some((path, _)) => {
                self.note(format!("amount is not a whole number of minor units ({path})"));
                None
            }
        }
    }
}

/// Adds an object unless it has no id or is there already.
pub(super) fn push_link(links: &mut Vec<ObjectRef>, kind: ObjectKind, id: Option<&str>) {
    if let Some(id) = id
        && !links.iter().any(|link| link.kind == kind && link.id == id)
    {
        links.push(ObjectRef::new(kind, id));
    }
}

/// The person at the first of these paths that say something.
pub(super) fn person(object: &Json<'_>, emails: &[&str], phones: &[&str], names: &[&str]) -> Person {
    let texts = |path: &&str| object.text(path);
    Person {
        email: emails.iter().filter_map(texts).find_map(Email::parse),
        phone: phones.iter().filter_map(texts).find_map(Phone::parse),
        name: names.iter().filter_map(texts).find_map(value),
    }
}

/// The way of paying, where an object lists the ways and there is exactly one.
pub(super) fn only_payment_method_type(object: &Json<'_>, path: &str) -> Option<String> {
    match object.list(path) {
        [Json::Text(only)] => value(only),
        _ => None,
    }
}

/// The recognised keys of metadata. Values are trimmed, empty ones don't count, and all are cut at 500 characters.
pub(super) fn tags(metadata: Option<&Json<'_>>, said_at: Timestamp) -> Tags {
    let Some(Json::Object(fields)) = metadata else { return Tags::default() };
    if fields.is_empty() {
        return Tags::default();
    }
    let get = |name: &str| match fields.iter().rev().find(|(key, _)| key == name) {
        Some((_, Json::Text(text))) => value(text),
        _ => None,
    };
    let mut attribution = Attribution {
        client_id: get("ga_client_id").or_else(|| get("client_id")),
        session_id: get("ga_session_id").or_else(|| get("session_id")),
        utm_source: get("utm_source"),
        utm_medium: get("utm_medium"),
        utm_campaign: get("utm_campaign"),
        utm_term: get("utm_term"),
        utm_content: get("utm_content"),
        gclid: get("gclid"),
        gbraid: get("gbraid"),
        wbraid: get("wbraid"),
        fbclid: get("fbclid"),
        ..Attribution::default()
    };
    if !attribution.is_empty() {
        attribution.at = said_at;
    }
    let agreed = |name| get(name).and_then(|answer| yes_or_no(&answer));
    Tags {
        lead_id: get("lead_id"),
        user_id: get("user_id"),
        pricing_tier: get("pricing_tier"),
        order_id: get("order_id"),
        service_id: get("service_id"),
        service_name: get("service_name"),
        attribution,
        consent: Consent {
            analytics: agreed("consent_analytics"),
            ads: agreed("consent_ads"),
            email: agreed("consent_email"),
        },
    }
}

/// Fills what one set of tags lacks from another, with the time of what was said.
pub(super) fn fill_tags(tags: &mut Tags, other: &Tags) {
    let at = tags.attribution.at.max(other.attribution.at);
    tags.fill_from(other);
    if !tags.attribution.is_empty() {
        tags.attribution.at = at;
    }
}

/// A text worth keeping: trimmed, not empty, at most 500 characters.
pub(super) fn value(text: &str) -> Option<String> {
    let text = text.trim();
    let end = text.char_indices().nth(MAX_VALUE_CHARS).map_or(text.len(), |(at, _)| at);
    let text = text[..end].trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}

fn yes_or_no(answer: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| answer.eq_ignore_ascii_case(word));
    if is(&["true", "granted", "yes", "1"]) {
        Some(true)
    } else if is(&["false", "denied", "no", "0"]) {
        Some(false)
    } else {
        None
    }
}
