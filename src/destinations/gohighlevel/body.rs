//! A person as HighLevel's contact. What is not known is left out, so that it never wipes what HighLevel has.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::Settings;
use crate::destinations::crm::Told;
use crate::destinations::fields::FieldValue;
use crate::model::contact::Contact;
use crate::model::identity::IdentityKind;

/// How many letters and digits an id of HighLevel's has.
const ID_LENGTH: usize = 20;

/// Which custom field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// By its id, `6dvNaf7VhkQ9snc5vnjJ`.
    Id(String),
    /// By its unique key, `contact.total_spent`.
    Key(String),
}

impl Place {
    /// What the configuration names: an id where it looks like one, else a key, which begins with `contact.` at HighLevel.
    pub fn of(text: &str) -> Self {
        let is_id = text.len() == ID_LENGTH && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match is_id {
            true => Self::Id(text.to_owned()),
            false if text.starts_with("contact.") => Self::Key(text.to_owned()),
            false => Self::Key(format!("contact.{text}")),
        }
    }

    /// The id or the key.
    pub fn name(&self) -> &str {
        match self {
            Self::Id(name) | Self::Key(name) => name,
        }
    }
}

/// What HighLevel knows a person by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// The e-mail address.
    Email(String),
    /// The person's own phone number in E.164, for somebody without an e-mail address.
    Phone(String),
}

impl Address {
    /// The address that a person is looked up by.
    pub fn of(contact: &Contact) -> Option<Self> {
        email(contact).map(Self::Email).or_else(|| phone(contact).map(Self::Phone))
    }

    /// What HighLevel calls it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Phone(_) => "phone",
        }
    }

    /// The query parameter and its value.
    pub fn query(&self) -> (&'static str, &str) {
        match self {
            Self::Email(email) => ("email", email),
            Self::Phone(phone) => ("number", phone),
        }
    }
}

/// The e-mail address.
pub fn email(contact: &Contact) -> Option<String> {
    let said = contact.person.email.as_ref().map(|email| email.as_str());
    said.or_else(|| contact.identity(IdentityKind::Email)).map(str::to_owned)
}

/// The phone number in E.164, where it is known to be the person's: nobody checks what a buyer types, and a number that several
/// people give is nobody's. Whom a form alone names may be looked up by what was written there, for nobody is changed by that.
pub fn phone(contact: &Contact) -> Option<String> {
    let said = contact.person.phone.as_ref().map(|phone| phone.as_str());
    if contact.unverified {
        return said.filter(|_| email(contact).is_none()).map(str::to_owned);
    }
    let mut held = contact.identities.iter().filter(|held| held.kind == IdentityKind::Phone);
    let is_said = |value: &str| said == Some(value);
    let first = contact.identity(IdentityKind::Phone);
    held.find(|held| is_said(&held.value)).map(|held| held.value.as_str()).or(first).map(str::to_owned)
}

/// What HighLevel lacks of somebody's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The e-mail address.
    pub email: bool,
    /// The phone number.
    pub phone: bool,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Somebody that HighLevel has not heard of, as far as its look-up goes.
    Upsert,
    /// Somebody that it knows.
    Change,
    /// Addresses that it lacks.
    FillIn(Missing),
}

/// The body of an upsert or a change. Never with `tags`, which would replace all that are there.
pub fn render(settings: &Settings, told: &Told<'_>, purpose: Purpose) -> Vec<u8> {
    let mut body = Map::new();
    let mut tell = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            body.insert(name.to_owned(), value.into());
        }
    };
    let addresses = match purpose {
        // An upsert matches by phone too, but whom it is about was looked up by the address only: a number that somebody else has at
        // HighLevel would make it theirs. A later request adds the number to the contact by its id.
        Purpose::Upsert => Missing { email: true, phone: email(told.contact).is_none() },
        Purpose::Change => Missing { email: false, phone: false },
        Purpose::FillIn(missing) => missing,
    };
    tell("email", email(told.contact).filter(|_| addresses.email));
    tell("phone", phone(told.contact).filter(|_| addresses.phone));
    if purpose == Purpose::Upsert {
        tell("locationId", Some(settings.location_id.clone()));
        tell("source", settings.source.clone());
    }
    if !matches!(purpose, Purpose::FillIn(_)) {
        tell("firstName", told.text("first_name"));
        tell("lastName", told.text("last_name"));
        let fields: Vec<Value> = settings
            .fields
            .iter()
            .filter_map(|mapped| {
                let value = text(&told.of(mapped.field)?);
                Some(match &mapped.place {
                    Place::Id(id) => json!({"id": id, "field_value": value}),
                    Place::Key(key) => json!({"key": key, "field_value": value}),
                })
            })
            .collect();
        if !fields.is_empty() {
            body.insert("customFields".to_owned(), fields.into());
        }
    }
    Value::Object(body).to_string().into_bytes()
}

/// Custom fields take texts; a date is its day (HighLevel: contacts API, `field_value`).
fn text(value: &FieldValue) -> String {
    match value {
        FieldValue::Time(at) => at.to_string().chars().take(10).collect(),
        other => other.text(),
    }
}

/// The body that adds tags.
pub fn tags(tags: &BTreeSet<String>) -> Vec<u8> {
    json!({"tags": tags}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_fields_are_named_by_id_or_by_key() {
        assert_eq!(Place::of("6dvNaf7VhkQ9snc5vnjJ"), Place::Id("6dvNaf7VhkQ9snc5vnjJ".into()));
        for key in ["contact.total_spent", "total_spent"] {
            assert_eq!(Place::of(key), Place::Key("contact.total_spent".into()));
        }
    }
}
