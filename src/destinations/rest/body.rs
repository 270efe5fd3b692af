//! A contact as the CRM takes it. What is not known is left out, so that it never wipes what the CRM has.

use serde_json::{Map, Value};

use super::super::crm::{Told, tags};
use super::super::fields::{Field, currencies, main_currency};

/// What goes into a field of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Something that can be told by name.
    Field(&'static Field),
    /// The list of tags.
    Tags,
}

impl Content {
    /// The name of [`Content::Tags`] in the configuration.
    pub const TAGS: &'static str = "tags";

    /// What a name in the configuration stands for.
    pub fn named(name: &str) -> Option<Self> {
        if name == Self::TAGS { Some(Self::Tags) } else { Field::named(name).map(Self::Field) }
    }
}

/// A field of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// What the CRM calls it.
    pub name: String,
    /// What goes into it.
    pub content: Content,
}

/// The fields of the owner's contract, which the CRM calls as we do.
const STANDARD: [&str; 15] = [
    "external_id",
    "user_id",
    "email",
    "phone",
    "name",
    "last_transaction_id",
    "last_transaction_amount",
    "last_transaction_date",
    "total_spent",
    "utm_source",
    "utm_campaign",
    "pricing_tier",
    "lifecycle_stage",
    "customer_since",
    Content::TAGS,
];

/// The body of the owner's contract.
pub fn standard() -> Vec<Mapped> {
    let mapped = |name: &str| Some(Mapped { name: name.to_owned(), content: Content::named(name)? });
    STANDARD.into_iter().filter_map(mapped).collect()
}

/// The body of a `POST`, `PATCH` or `PUT`.
pub fn render(told: &Told<'_>, fields: &[Mapped]) -> Vec<u8> {
    let mut body = Map::new();
    for Mapped { name, content } in fields {
        match content {
            Content::Field(field) => {
                if let Some(value) = told.of(field) {
                    body.insert(name.clone(), value.json());
                    if field.name == "total_spent" {
                        other_totals(told, name, &mut body);
                    }
                }
            }
            Content::Tags => {
                let tags = tags(told.job, told.contact);
                if !tags.is_empty() {
                    body.insert(name.clone(), tags.into_iter().map(Value::String).collect());
                }
            }
        }
    }
    Value::Object(body).to_string().into_bytes()
}

/// Each currency but that of `total_spent` stands beside it, as `total_spent_usd`.
fn other_totals(told: &Told<'_>, name: &str, body: &mut Map<String, Value>) {
    let known = currencies(told.contact);
    let main = main_currency(told.contact, told.currency);
    for other in known.into_iter().filter(|other| Some(*other) != main) {
        body.insert(format!("{name}_{}", other.code()), told.contact.totals.of(other).decimal().json());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_the_contract_is_known() {
        let names: Vec<_> = standard().into_iter().map(|mapped| mapped.name).collect();
        assert_eq!(names, STANDARD);
    }
}
