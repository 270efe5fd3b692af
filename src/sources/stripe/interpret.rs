//! What a Stripe event says: the envelope, and which reader its object goes to.
//!
//! The shape of `data.object` depends on an API version that can change without notice, so everything is read by the first
//! path that is present, and what is missing or odd becomes a note, never an error.

use serde::Deserialize;

use crate::model::id::{Mode, Scope};
use crate::model::phone::Country;
use crate::model::statement::{Interpreted, Meaning, Statement};
use crate::model::time::Timestamp;
use crate::sources::InvalidPayload;

use super::json::{Json, usable_id};
use super::metadata::MetadataKeys;
use super::object::{Reading, moment};
use super::{customers, disputes, invoices, payments, refunds, subscriptions};

type ReadObject = fn(&mut Reading<'_>) -> Option<Statement>;

/// The reader for each type of event that means something (Stripe: types of events).
fn reader(event_type: &str) -> Option<ReadObject> {
    Some(match event_type {
        "checkout.session.completed" => payments::session_completed,
        "checkout.session.async_payment_succeeded" => payments::session_paid_later,
        "checkout.session.async_payment_failed" => payments::session_failed,
        "payment_intent.succeeded" => payments::intent_succeeded,
        "payment_intent.payment_failed" => payments::intent_failed,
        "charge.succeeded" => payments::charge_succeeded,
        "charge.captured" => payments::charge_captured,
        "charge.refunded" => payments::charge_refunded,
        "invoice.paid" | "invoice.payment_succeeded" => invoices::invoice_paid,
        "invoice.payment_failed" => invoices::invoice_failed,
        "invoice_payment.paid" => invoices::invoice_payment,
        "refund.created" | "refund.updated" | "charge.refund.updated" => refunds::refund,
        "refund.failed" => refunds::refund_failed,
        "charge.dispute.created"
        | "charge.dispute.updated"
        | "charge.dispute.closed"
        | "charge.dispute.funds_withdrawn" => disputes::dispute,
        "charge.dispute.funds_reinstated" => disputes::funds_reinstated,
        "customer.subscription.created"
        | "customer.subscription.updated"
        | "customer.subscription.paused"
        | "customer.subscription.resumed" => subscriptions::subscription,
        "customer.subscription.deleted" => subscriptions::subscription_ended,
        "customer.created" | "customer.updated" => customers::customer,
        _ => return None,
    })
}

/// Whether events of a type mean something.
#[cfg(test)]
pub(super) fn is_read(event_type: &str) -> bool {
    reader(event_type).is_some()
}

/// The outside of an event whose inside is deeper or larger than is read: enough to know it again.
#[derive(Deserialize)]
struct Envelope {
    id: String,
    #[serde(rename = "type", default)]
    event_type: String,
    #[serde(default)]
    livemode: bool,
    #[serde(default)]
    account: Option<String>,
}

/// JSON that is in order, but more than our own code digests, is kept for a later version.
fn undigested(text: &str) -> Option<Interpreted> {
    let envelope: Envelope = serde_json::from_str(text).ok()?;
    let provider_id = usable_id(&envelope.id)?.to_owned();
    Some(Interpreted {
        provider_id,
        event_type: usable_id(&envelope.event_type).unwrap_or("unknown").to_owned(),
        created: None,
        scope: Scope {
            provider: "stripe".to_owned(),
            account: envelope.account.as_deref().and_then(usable_id).map(str::to_owned),
            mode: Mode::from_livemode(envelope.livemode),
        },
        meaning: Meaning::Undigested,
        notes: vec!["nested deeper, or with larger numbers, than this version reads".to_owned()],
    })
}

/// Reads the body of a verified request. Phone numbers without a country code are of `country`.
pub(super) fn interpret(
    body: &[u8],
    metadata_keys: &MetadataKeys,
    country: Option<Country>,
) -> Result<Interpreted, InvalidPayload> {
    let text = std::str::from_utf8(body)
        .map_err(|error| InvalidPayload(format!("the body is not UTF-8 from byte {}", error.valid_up_to())))?;
    // Its message has a line and a column, and nothing of the text.
    let event = match Json::parse(text) {
        Ok(event) => event,
        Err(error) => {
            return undigested(text).ok_or_else(|| InvalidPayload(format!("the body is not JSON: {error}")));
        }
    };
    if !matches!(event, Json::Object(_)) {
        return Err(InvalidPayload("the body is JSON, but not an object, so it is no Stripe event".to_owned()));
    }
    let id = event.text("id").and_then(usable_id).ok_or_else(|| {
        InvalidPayload("the body has no event id: \"id\" must be a text of 1 to 255 printable characters".to_owned())
    })?;

    let mut notes = Vec::new();
    let event_type = event.text("type").and_then(usable_id);
    let created = event.at("created").and_then(moment);
    let mode = event.boolean("livemode").map_or_else(
        || {
            notes.push("livemode absent, taken as test".to_owned());
            Mode::Test
        },
        Mode::from_livemode,
    );
    if event.at("account").is_some() && event.id("account").is_none() {
        notes.push("account is not an id".to_owned());
    }
    let scope = Scope { provider: super::PROVIDER.to_owned(), account: event.id("account").map(str::to_owned), mode };

    let meaning = if is_thin(&event) {
        notes.push(
            "thin event: it carries no object; choose the payload style \"snapshot\" for this destination".to_owned(),
        );
        Meaning::Ignored
    } else {
        match event_type {
            None => {
                notes.push("event type absent".to_owned());
                Meaning::Ignored
            }
            Some(event_type) => match reader(event_type) {
                None => Meaning::Ignored,
                Some(read) => {
                    let told = Told { event: &event, id, event_type, created, metadata_keys, country };
                    meaning(&told, read, &mut notes)
                }
            },
        }
    };
    Ok(Interpreted {
        provider_id: id.to_owned(),
        event_type: event_type.unwrap_or("unknown").to_owned(),
        created,
        scope,
        meaning,
        notes,
    })
}

/// An event whose type is read, with what its outside says.
struct Told<'e> {
    event: &'e Json<'e>,
    id: &'e str,
    event_type: &'e str,
    created: Option<Timestamp>,
    metadata_keys: &'e MetadataKeys,
    country: Option<Country>,
}

fn meaning(told: &Told<'_>, read: ReadObject, notes: &mut Vec<String>) -> Meaning {
    let Some(object @ Json::Object(_)) = told.event.at("data.object") else {
        notes.push("data.object absent".to_owned());
        return Meaning::Ignored;
    };
    let said_at = told.created.or_else(|| object.at("created").and_then(moment)).unwrap_or_else(|| {
        notes.push("created absent: this statement yields to every other about its object".to_owned());
        Timestamp::EPOCH
    });
    let previous = told.event.at("data.previous_attributes");
    let Told { id: event_id, event_type, metadata_keys, country, .. } = *told;
    match read(&mut Reading { event_id, said_at, event_type, object, previous, metadata_keys, country, notes }) {
        Some(statement) => Meaning::Statement(Box::new(statement)),
        None => {
            notes.push("object id absent".to_owned());
            Meaning::Ignored
        }
    }
}

/// Events of the second API generation only name their object (Stripe: event destinations, thin events).
fn is_thin(event: &Json<'_>) -> bool {
    event.text("object").is_some_and(|object| object.starts_with("v2."))
}

#[cfg(test)]
#[path = "interpret_tests.rs"]
mod tests;
