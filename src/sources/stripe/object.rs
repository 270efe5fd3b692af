//! What Stripe's objects have in common: ids, money, people, metadata.

use crate::model::identity::{Email, Phone};
use crate::model::money::{Currency, Money};
use crate::model::phone::Country;
use crate::model::statement::{Claim, Details, NOTHING_TO_COUNT, ObjectKind, ObjectRef, Person, Statement, Tags};
use crate::model::time::Timestamp;

use super::json::Json;
use super::metadata::MetadataKeys;

/// The longest value that metadata can have (Stripe: metadata, 500 characters). Names are held to it too.
const MAX_VALUE_CHARS: usize = 500;

/// Lines that are kept; webhooks embed at most ten.
pub(super) const MAX_ITEMS: usize = 100;

/// One event's object while it is read.
pub(super) struct Reading<'e> {
    /// The event's id.
    pub event_id: &'e str,
    /// The event's time.
    pub said_at: Timestamp,
    /// The event's type.
    pub event_type: &'e str,
    /// The event's `data.object`.
    pub object: &'e Json<'e>,
    /// The event's `data.previous_attributes`: of each field that became different what it was before.
    pub previous: Option<&'e Json<'e>>,
    /// How the merchant names what the metadata tells.
    pub metadata_keys: &'e MetadataKeys,
    /// Where phone numbers without a country code are from.
    pub country: Option<Country>,
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
            tags: self.tags("metadata"),
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

    /// What the merchant attached, from the metadata at a path.
    pub fn tags(&self, path: &str) -> Tags {
        self.metadata_keys.tags(self.object.at(path), self.said_at)
    }

    /// The moment at a path.
    pub fn moment(&self, path: &str) -> Option<Timestamp> {
        self.object.at(path).and_then(moment)
    }

    /// Money of the first amount that is present, in the object's currency. None with a note where there is no such amount, it is
    /// no whole number, it is negative, or the currency is missing or unknown: an absent amount is never zero.
    pub fn money(&mut self, amount_paths: &[&str]) -> Option<Money> {
        self.money_in("currency", amount_paths)
    }

    /// The same in the currency at a path.
    pub fn money_in(&mut self, currency_path: &str, amount_paths: &[&str]) -> Option<Money> {
        let currency = self.currency(currency_path);
        let amount = self.amount(amount_paths);
        Some(Money { minor: amount?, currency: currency? })
    }

    /// The currency at a path; none with a note where it is missing or none that there is.
    pub fn currency(&mut self, path: &str) -> Option<Currency> {
        let known = match self.object.at(path) {
            None => {
                self.odd_money("currency absent");
                return None;
            }
            Some(Json::Text(code)) => code.parse::<Currency>().ok().filter(|currency| currency.is_known()),
            Some(_) => None,
        };
        if known.is_none() {
            // Only what has the form of a code is repeated.
            let code = self.object.text(path).filter(|code| code.parse::<Currency>().is_ok());
            self.odd_money(&code.map_or_else(
                || "unknown currency".to_owned(),
                |code| format!("unknown currency {:?}", code.to_ascii_uppercase()),
            ));
        }
        known
    }

    /// Adds a note on something odd, which a person should see.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds a note that explains why there is rightly no money.
    pub fn nothing_to_count(&mut self, why: &str) {
        self.notes.push(format!("{NOTHING_TO_COUNT}{why}"));
    }

    /// Adds a note on money that can't be counted.
    pub fn odd_money(&mut self, what: &str) {
        self.note(format!("{what}: no money is counted for this event"));
    }

    fn amount(&mut self, paths: &[&str]) -> Option<i64> {
        let present = paths.iter().find_map(|path| Some((path, self.object.at(path)?)));
        match present {
            None => {
                self.odd_money(&format!("amount absent ({})", paths.join(", ")));
                None
            }
            Some((path, Json::Integer(amount))) if *amount < 0 => {
                self.odd_money(&format!("amount is negative ({path})"));
                None
            }
            Some((_, Json::Integer(amount))) => Some(*amount),
            Some((path, _)) => {
                self.odd_money(&format!("amount is not a whole number of minor units, or too large ({path})"));
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

/// The person at the first of these paths of the event's object that say something.
pub(super) fn person(reading: &Reading<'_>, emails: &[&str], phones: &[&str], names: &[&str]) -> Person {
    let texts = |path: &&str| reading.object.text(path);
    Person {
        email: emails.iter().filter_map(texts).find_map(Email::parse),
        phone: phones.iter().filter_map(texts).find_map(|text| Phone::parse_in(text, reading.country)),
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

/// The price of one of several, rounded to the nearest minor unit.
pub(super) fn price_of_one(amount: i64, quantity: u32) -> Option<i64> {
    let quantity = i64::from(quantity.max(1));
    Some(amount.checked_add(quantity / 2)?.div_euclid(quantity))
}

/// The last second of the year 9999; a later time is a mistake (milliseconds, for instance).
const LAST_SECOND: i64 = 253_402_300_799;

/// Unix seconds, or RFC 3339 as thin events have it.
pub(super) fn moment(value: &Json<'_>) -> Option<Timestamp> {
    match value {
        Json::Integer(seconds @ 0..=LAST_SECOND) => Some(Timestamp::from_unix_seconds(*seconds)),
        Json::Text(text) => text.parse().ok(),
        _ => None,
    }
}

/// A text worth keeping: trimmed, not empty, at most 500 characters.
pub(super) fn value(text: &str) -> Option<String> {
    let text = text.trim();
    let end = text.char_indices().nth(MAX_VALUE_CHARS).map_or(text.len(), |(at, _)| at);
    let text = text[..end].trim_end();
    (!text.is_empty()).then(|| text.to_owned())
}
