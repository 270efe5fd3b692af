//! Which of MailerLite's fields hold what is known of a person.

use serde_json::{Map, Value};

use super::super::fields::{Field, FieldValue, Subject};
use crate::model::business_event::BusinessEvent;
use crate::model::contact::Contact;

/// Fields that every account has (MailerLite: subscribers, create; classic: fields).
pub const BUILT_IN: [&str; 9] = ["name", "last_name", "company", "country", "city", "phone", "state", "z_i_p", "zip"];

/// What is written unless the configuration says otherwise: MailerLite's key, and the name of what it holds.
pub const DEFAULTS: [(&str, &str); 9] = [
    ("name", "name"),
    ("phone", "phone"),
    ("lead_id", "lead_id"),
    ("user_id", "user_id"),
    ("pricing_tier", "pricing_tier"),
    ("transaction_amount", "last_transaction_amount"),
    ("purchase_date", "last_transaction_date"),
    ("utm_source", "utm_source"),
    ("utm_campaign", "utm_campaign"),
];

/// One of MailerLite's fields, and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// MailerLite's key, `pricing_tier`.
    pub key: String,
    /// What it holds.
    pub field: &'static Field,
}

/// The defaults, replaced key by key; none leaves a key out.
pub fn mapped(changes: &[(String, Option<&'static Field>)]) -> Vec<Mapped> {
    let defaults = DEFAULTS.iter().filter_map(|(key, name)| {
        let field = Field::named(name)?;
        (!changes.iter().any(|(changed, _)| changed == key)).then(|| Mapped { key: (*key).to_owned(), field })
    });
    let changed = changes.iter().filter_map(|(key, field)| Some(Mapped { key: key.clone(), field: (*field)? }));
    defaults.chain(changed).collect()
}

/// The values for a person; what is not known is left out and so stays as it is at MailerLite. What only an event can tell is that
/// of the newest of `events`, unless the person has bought since.
pub fn render(mapped: &[Mapped], events: &[BusinessEvent], contact: &Contact) -> Map<String, Value> {
    let newest = events.iter().max_by_key(|event| event.occurred_at);
    let newest = newest.filter(|event| contact.last_sale.as_ref().is_none_or(|sale| sale.at <= event.occurred_at));
    let person = Subject { event: None, contact: Some(contact), external_id: None, currency: None };
    let mut fields = Map::new();
    for Mapped { key, field } in mapped {
        let event = newest.filter(|_| field.is_of_event());
        if let Some(value) = field.of(&Subject { event, ..person }) {
            fields.insert(key.clone(), told(&value));
        }
    }
    fields
}

/// As MailerLite's types take it: a number, a date, else a text (MailerLite: fields).
fn told(value: &FieldValue) -> Value {
    match value {
        FieldValue::Number(number) => number.json(),
        FieldValue::Time(at) => at.date().into(),
        other => other.text().into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::super::super::samples::{SOLD_AT, contact, event};
    use super::*;

    #[test]
    fn every_name_is_that_of_something_that_can_be_told() {
        assert_eq!(mapped(&[]).len(), DEFAULTS.len());
    }

    #[test]
    fn defaults_are_replaced_key_by_key() {
        let changes = [
            ("name".to_owned(), Field::named("first_name")),
            ("last_name".to_owned(), Field::named("last_name")),
            ("phone".to_owned(), None),
            ("since".to_owned(), Field::named("customer_since")),
            ("agreed".to_owned(), Field::named("returning")),
        ];
        let told = Value::Object(render(&mapped(&changes), &[event("purchase")], &contact()));
        assert_eq!(
            told,
            json!({
                "name": "Jane", "last_name": "Doe", "since": "2025-05-13", "agreed": "false", "lead_id": "lead_7",
                "user_id": "user_3", "pricing_tier": "premium", "transaction_amount": 99.5, "purchase_date": "2025-05-13",
                "utm_source": "newsletter", "utm_campaign": "spring",
            })
        );
    }

    #[test]
    fn what_an_event_tells_is_of_the_newest_and_not_older_than_the_last_sale() {
        let bought = mapped(&[("bought".to_owned(), Field::named("service_name"))]);
        let named = |name: &str, later: u64| {
            let mut sale = event("purchase");
            sale.facts.service_name = Some(name.into());
            sale.occurred_at = SOLD_AT.after(Duration::from_secs(later));
            sale
        };
        let mut jane = contact();
        let of = |events: &[BusinessEvent], jane: &Contact| render(&bought, events, jane).get("bought").cloned();
        assert_eq!(of(&[named("Second", 9), named("First", 0)], &jane), Some(json!("Second")));
        jane.last_sale.as_mut().unwrap().at = SOLD_AT.after(Duration::from_secs(10));
        assert_eq!(of(&[named("First", 0)], &jane), None, "she has bought something else since");
    }
}
