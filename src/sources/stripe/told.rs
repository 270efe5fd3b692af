//! For tests: events as Stripe words them, and what was read of them.

use serde_json::{Value, json};

use super::interpret::interpret;
use super::metadata::MetadataKeys;
use crate::model::money::Money;
use crate::model::statement::{Interpreted, Meaning, ObjectKind, Statement};
use crate::model::time::Timestamp;

/// When every event here was made.
pub(super) const CREATED: i64 = 1_700_000_000;

/// An event about an object.
pub(super) fn event(event_type: &str, object: Value) -> Value {
    json!({
        "id": "evt_1", "object": "event", "type": event_type, "created": CREATED, "livemode": true,
        "data": { "object": object }
    })
}

/// The same that says what was before.
pub(super) fn change(event_type: &str, object: Value, previous: Value) -> Value {
    let mut event = event(event_type, object);
    event["data"]["previous_attributes"] = previous;
    event
}

pub(super) fn read(event: &Value) -> Interpreted {
    interpret(event.to_string().as_bytes(), &MetadataKeys::default(), None).unwrap()
}

/// The statement of an event that must mean something, and the notes on it.
pub(super) fn said(event_type: &str, object: Value) -> (Statement, Vec<String>) {
    said_by(&event(event_type, object))
}

/// The same of a whole event.
pub(super) fn said_by(event: &Value) -> (Statement, Vec<String>) {
    let interpreted = read(event);
    match interpreted.meaning {
        Meaning::Statement(statement) => (*statement, interpreted.notes),
        Meaning::Ignored | Meaning::Undigested => panic!("ignored: {:?}", interpreted.notes),
    }
}

/// Euros in cents.
pub(super) fn money(minor: i64) -> Money {
    Money { minor, currency: "eur".parse().unwrap() }
}

pub(super) fn at() -> Timestamp {
    Timestamp::from_unix_seconds(CREATED)
}

pub(super) fn links(statement: &Statement) -> Vec<(ObjectKind, &str)> {
    statement.links.iter().map(|link| (link.kind, link.id.as_str())).collect()
}

/// An object with some fields set anew; `null` takes one away.
pub(super) fn with(mut object: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}
