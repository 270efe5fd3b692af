//! A person as HubSpot's contact properties: the standard ones, and those that the portal made for us.
//!
//! What is not known is left out, so that it never wipes what HubSpot has. All values are texts (HubSpot: contacts API,
//! `properties` is a map of texts), dates the milliseconds of midnight UTC, which date and date-time properties both take.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::model::attribution::Attribution;
use crate::model::contact::{Contact, Stage};
use crate::model::identity::IdentityKind;
use crate::model::money::{Currency, Money};
use crate::model::time::Timestamp;

/// One day in milliseconds.
const DAY: i64 = 86_400_000;

/// Properties that every portal has and that are filled in anyway; no field of ours can go there.
pub const STANDARD: [&str; 5] = ["email", "phone", "firstname", "lastname", "lifecyclestage"];

/// Something that is told of a person and for which a portal has no property unless somebody makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    /// Its name with us, the key in the configuration.
    pub name: &'static str,
    /// What its property takes.
    pub form: Form,
}

/// What a property takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Any text.
    Text,
    /// A decimal number.
    Number,
    /// A day.
    Date,
}

impl Form {
    /// HubSpot's name of the type that suits (HubSpot: properties API, `type`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Number => "number",
            Self::Date => "date",
        }
    }

    /// Whether a property of HubSpot's type takes it.
    pub fn fits(self, of: &str) -> bool {
        match self {
            Self::Text => of == "string",
            Self::Number => matches!(of, "number" | "string"),
            Self::Date => matches!(of, "date" | "datetime"),
        }
    }
}

/// Every field that can be mapped to a property of the portal.
pub const FIELDS: [Field; 13] = [
    Field { name: "external_id", form: Form::Text },
    Field { name: "lead_id", form: Form::Text },
    Field { name: "user_id", form: Form::Text },
    Field { name: "last_transaction_id", form: Form::Text },
    Field { name: "last_transaction_amount", form: Form::Number },
    Field { name: "last_transaction_date", form: Form::Date },
    Field { name: "total_spent", form: Form::Number },
    Field { name: "utm_source", form: Form::Text },
    Field { name: "utm_campaign", form: Form::Text },
    Field { name: "pricing_tier", form: Form::Text },
    Field { name: "payment_method", form: Form::Text },
    Field { name: "lifecycle_stage", form: Form::Text },
    Field { name: "customer_since", form: Form::Date },
];

/// Which property of the portal a field goes to; fields that are not here are not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// What is told.
    pub field: Field,
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
pub fn render(rules: &Rules, contact: &Contact, external_id: &str, purpose: Purpose) -> Vec<u8> {
    let mut properties = Map::new();
    let mut tell = |name: &str, value: Option<&str>| {
        if let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) {
            properties.insert(name.to_owned(), value.into());
        }
    };
    tell("email", email(contact).filter(|_| purpose.with_email));
    let phone = contact.person.phone.as_ref().map(|phone| phone.as_str());
    tell("phone", phone.or_else(|| contact.identity(IdentityKind::Phone)));
    let (first, last) = split_name(contact.person.name.as_deref().unwrap_or_default());
    tell("firstname", Some(first));
    tell("lastname", Some(last));
    let stage = match contact.stage() {
        Stage::Lead => rules.lead_stage.as_deref().filter(|_| purpose.new),
        // HubSpot's stages know no former customers, and going back to an earlier one would lose when it was reached.
        Stage::Customer | Stage::Churned => rules.customer_stage.as_deref(),
    };
    tell("lifecyclestage", stage);
    for Mapped { field, property } in &rules.mapped {
        tell(property, value(rules, contact, external_id, field.name).as_deref());
    }
    let mut body = Map::new();
    body.insert("properties".to_owned(), Value::Object(properties));
    Value::Object(body).to_string().into_bytes()
}

/// The first word is the first name, the rest the last name.
fn split_name(name: &str) -> (&str, &str) {
    let name = name.trim();
    name.split_once(char::is_whitespace).unwrap_or((name, ""))
}

fn value(rules: &Rules, contact: &Contact, external_id: &str, field: &str) -> Option<String> {
    let identity = |kind| contact.identity(kind).map(str::to_owned);
    let sale = contact.last_sale.as_ref();
    match field {
        "external_id" => Some(external_id.to_owned()),
        "lead_id" => identity(IdentityKind::Lead),
        "user_id" => identity(IdentityKind::User),
        "last_transaction_id" => sale.map(|sale| sale.transaction_id.clone()),
        "last_transaction_amount" => sale.map(|sale| sale.amount.0.decimal().to_string()),
        "last_transaction_date" => sale.map(|sale| midnight(sale.at)),
        "total_spent" => total(contact, rules.currency).map(|total| total.decimal().to_string()),
        "utm_source" => campaign(contact).utm_source.clone(),
        "utm_campaign" => campaign(contact).utm_campaign.clone(),
        "pricing_tier" => contact.pricing_tier.clone(),
        "payment_method" => contact.payment_method_type.clone(),
        "lifecycle_stage" => Some(contact.stage().name().to_owned()),
        "customer_since" => contact.became_customer_at().map(midnight),
        _ => None,
    }
}

/// The beginning of the day, as HubSpot's dates want it.
fn midnight(at: Timestamp) -> String {
    (at.millis() - at.millis().rem_euclid(DAY)).to_string()
}

/// The last touch that names a campaign, else the first.
fn campaign(contact: &Contact) -> &Attribution {
    let last = &contact.last_attribution;
    if last.utm_source.is_some() || last.utm_campaign.is_some() { last } else { &contact.first_attribution }
}

/// What was spent in the wanted currency, else the contact's first. The books drop sums of zero, yet a customer who got
/// everything back has spent zero, not an unknown amount.
fn total(contact: &Contact, currency: Option<Currency>) -> Option<Money> {
    let mut known: BTreeSet<Currency> = contact.totals.iter().map(|sum| sum.currency).collect();
    known.extend(contact.last_sale.iter().map(|sale| sale.amount.0.currency));
    let first = known.first().copied()?;
    Some(contact.totals.of(currency.unwrap_or(first)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_after_the_first_word() {
        for (name, split) in [
            ("Jane Doe", ("Jane", "Doe")),
            (" Ana María  de la Cruz ", ("Ana", "María  de la Cruz")),
            ("Cher", ("Cher", "")),
            ("", ("", "")),
        ] {
            assert_eq!(split_name(name), split);
        }
    }

    #[test]
    fn dates_begin_at_midnight_utc_before_and_after_1970() {
        assert_eq!(midnight(Timestamp::from_unix_seconds(1_747_132_561)), "1747094400000");
        assert_eq!(midnight(Timestamp::from_unix_seconds(86_400)), "86400000");
        assert_eq!(midnight(Timestamp::from_unix_seconds(-1)), "-86400000");
    }
}
