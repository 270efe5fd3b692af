//! A person as HubSpot's contact properties: the standard ones, and those that the portal made for us.
//!
//! What is not known is left out, so that it never wipes what HubSpot has. All values are texts (HubSpot: contacts API,
//! `properties` is a map of texts), dates the milliseconds of midnight UTC, which date and date-time properties both take.

use serde_json::{Map, Value};

use super::super::crm::Told;
use super::super::fields::{self, Field, FieldValue};
use crate::model::contact::{Contact, Stage};
use crate::model::identity::IdentityKind;
use crate::model::money::Currency;
use crate::model::time::Timestamp;

/// One day in milliseconds.
const DAY: i64 = 86_400_000;

/// Properties that every portal has and that are filled in anyway; no field of ours can go there.
pub const STANDARD: [&str; 5] = ["email", "phone", "firstname", "lastname", "lifecyclestage"];

/// The fields that are told unless the configuration says otherwise, each in a property of its own: see [`default_property`].
pub const DEFAULTS: [&str; 13] = [
    "external_id",
    "lead_id",
    "user_id",
    "last_transaction_id",
    "last_transaction_amount",
    "last_transaction_date",
    "total_spent",
    "utm_source",
    "utm_campaign",
    "pricing_tier",
    "payment_method",
    "lifecycle_stage",
    "customer_since",
];

/// The internal name of the property of one of [`DEFAULTS`].
pub fn default_property(field: &str) -> String {
    format!("tallyhook_{field}")
}

/// HubSpot's name of the type of property that suits a field (HubSpot: properties API, `type`).
pub const fn property_type(field: &Field) -> &'static str {
    match field.form {
        fields::Form::Text => "string",
        fields::Form::Number => "number",
        fields::Form::Time => "date",
        fields::Form::Flag => "bool",
    }
}

/// Whether a property of HubSpot's type takes a field.
pub fn fits(field: &Field, of: &str) -> bool {
    match field.form {
        fields::Form::Text => of == "string",
        fields::Form::Number => matches!(of, "number" | "string"),
        fields::Form::Time => matches!(of, "date" | "datetime"),
        fields::Form::Flag => matches!(of, "bool" | "enumeration" | "string"),
    }
}

/// Which property of the portal a field goes to; fields that are not here are not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// What is told.
    pub field: &'static Field,
    /// The property's internal name.
    pub property: String,
}

/// How people are rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The portal's own properties.
    pub mapped: Vec<Mapped>,
    /// The internal value of `lifecyclestage` for somebody who has bought nothing; none leaves the stage alone.
    pub lead_stage: Option<String>,
    /// The same for a customer, also a former one.
    pub customer_stage: Option<String>,
    /// The currency of `total_spent`; none takes each contact's first.
    pub currency: Option<Currency>,
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// A new contact. A known one is never told that it is a lead: it may be further on by now, and HubSpot's stages only go
    /// forward.
    pub new: bool,
    /// Whether the address is told. A contact that was found by it already has it, perhaps beside its main one.
    pub with_email: bool,
}

/// The address that HubSpot knows a person by.
pub fn email(contact: &Contact) -> Option<&str> {
    contact.person.email.as_ref().map(|email| email.as_str()).or_else(|| contact.identity(IdentityKind::Email))
}

/// The body of a `POST` or `PATCH`.
pub fn render(rules: &Rules, told: &Told<'_>, purpose: Purpose) -> Vec<u8> {
    let mut properties = Map::new();
    let mut tell = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            properties.insert(name.to_owned(), value.into());
        }
    };
    tell("email", told.text("email").filter(|_| purpose.with_email));
    tell("phone", told.text("phone"));
    tell("firstname", told.text("first_name"));
    tell("lastname", told.text("last_name"));
    let stage = match told.contact.stage() {
        Stage::Lead => rules.lead_stage.clone().filter(|_| purpose.new),
        // HubSpot's stages know no former customers, and going back to an earlier one would lose when it was reached.
        Stage::Customer | Stage::Churned => rules.customer_stage.clone(),
    };
    tell("lifecyclestage", stage);
    for Mapped { field, property } in &rules.mapped {
        tell(property, told.of(field).map(|value| text(&value)));
    }
    let mut body = Map::new();
    body.insert("properties".to_owned(), Value::Object(properties));
    Value::Object(body).to_string().into_bytes()
}

fn text(value: &FieldValue) -> String {
    match value {
        FieldValue::Time(at) => midnight(*at),
        other => other.text(),
    }
}

/// The beginning of the day, as HubSpot's dates want it.
fn midnight(at: Timestamp) -> String {
    (at.millis() - at.millis().rem_euclid(DAY)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_field() {
        assert!(DEFAULTS.iter().all(|name| Field::named(name).is_some()));
    }

    #[test]
    fn dates_begin_at_midnight_utc_before_and_after_1970() {
        assert_eq!(midnight(Timestamp::from_unix_seconds(1_747_132_561)), "1747094400000");
        assert_eq!(midnight(Timestamp::from_unix_seconds(86_400)), "86400000");
        assert_eq!(midnight(Timestamp::from_unix_seconds(-1)), "-86400000");
    }
}
