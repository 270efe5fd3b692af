//! What a body of HighLevel says: the envelope of both shapes, and which reader its object goes to.
//!
//! Marketplace webhooks are flat, with `type`, `webhookId` and `timestamp`; a workflow's have none of these, and names of their
//! own. What is missing or odd becomes a note, never an error.

use crate::model::id::{Mode, Scope};
use crate::model::phone::Country;
use crate::model::statement::{Interpreted, Meaning, Statement};
use crate::model::time::Timestamp;
use crate::sources::{BODY_ID, InvalidPayload, Message};

use super::json::{self, Body};
use super::reading::Reading;
use super::{PROVIDER, Settings, appointments, contacts, opportunities, payments, workflow};

type Read = fn(&mut Reading<'_>) -> Option<Statement>;

/// The reader for each type of event that means something (HighLevel: webhook events).
fn reader(event_type: &str) -> Option<Read> {
    Some(match event_type {
        "ContactCreate" => contacts::created,
        "ContactUpdate" | "ContactTagUpdate" | "ContactDndUpdate" => contacts::changed,
        "ContactDelete" => contacts::deleted,
        "AppointmentCreate" | "AppointmentUpdate" => appointments::told,
        "AppointmentDelete" => appointments::removed,
        "OpportunityCreate"
        | "OpportunityUpdate"
        | "OpportunityStatusUpdate"
        | "OpportunityStageUpdate"
        | "OpportunityMonetaryValueUpdate"
        | "OpportunityAssignedToUpdate" => opportunities::told,
        "OrderCreate" | "OrderStatusUpdate" => payments::order,
        "InvoiceCreate" | "InvoiceSent" | "InvoiceUpdate" | "InvoicePaid" | "InvoicePartiallyPaid" | "InvoiceVoid" => {
            payments::invoice
        }
        _ => return None,
    })
}

/// What a body without a type must be, by fields that no other has.
fn by_shape(body: &Body) -> Option<&'static str> {
    if body.at("/invoiceNumber").is_some() && body.at("/amountPaid").is_some() {
        Some("InvoiceUpdate")
    } else if body.at("/appointment/id").is_some() {
        Some("AppointmentUpdate")
    } else if body.at("/fulfillmentStatus").is_some() && body.at("/amount").is_some() {
        Some("OrderStatusUpdate")
    } else {
        None
    }
}

/// Reads the body of a verified request. Phone numbers without a country code are of `country`.
pub(super) fn interpret(
    settings: &Settings,
    country: Option<Country>,
    message: &Message<'_>,
) -> Result<Interpreted, InvalidPayload> {
    let text = std::str::from_utf8(message.body)
        .map_err(|error| InvalidPayload(format!("the body is not UTF-8 from byte {}", error.valid_up_to())))?;
    // Its message has a line and a column, and nothing of the text.
    let body = match Body::parse(text) {
        Ok(body) => body,
        Err(error) => {
            return undigested(settings, message)
                .ok_or_else(|| InvalidPayload(format!("the body is not JSON: {error}")));
        }
    };
    if !body.is_object() {
        return Err(InvalidPayload("the body is JSON, but not an object, so it is no HighLevel event".to_owned()));
    }
    let location = body.location().or_else(|| settings.only_location()).ok_or_else(|| {
        InvalidPayload(
            "the body names no location (locationId, altId or location.id), and several are configured".to_owned(),
        )
    })?;
    let live = body.flag("/liveMode").or_else(|| body.flag("/customData/liveMode")).unwrap_or(true);
    let scope =
        Scope { provider: PROVIDER.to_owned(), account: Some(location.to_owned()), mode: Mode::from_livemode(live) };
    let mut notes = Vec::new();
    let is_workflow = workflow::is_one(&body);
    let named = message.envelope.event.as_deref();
    let (event_type, created) = if is_workflow {
        (workflow::event_name(named, &body).unwrap_or("workflow").to_owned(), None)
    } else {
        let event_type = body.id("/type").or(named).or_else(|| by_shape(&body));
        (event_type.unwrap_or("unknown").to_owned(), body.moment("/timestamp"))
    };
    let provider_id = match (body.id("/webhookId"), workflow::event_id(settings, &body)) {
        (Some(id), _) => id.to_owned(),
        // The order or appointment that people take for an id has several events, and an appointment several of one name.
        (None, Some(id)) if workflow::appointment(&body).is_some() => {
            format!("{location}/{event_type}/{id}/{}", body.digest())
        }
        (None, Some(id)) => format!("{location}/{event_type}/{id}"),
        // One workflow can post the same to several addresses.
        (None, None) if named.is_some() => format!("{BODY_ID}{event_type}/{}", body.digest()),
        (None, None) => format!("{BODY_ID}{}", body.digest()),
    };
    let said_at = created.unwrap_or(message.received_at);
    let mut reading = Reading { settings, country, body: &body, event_type: &event_type, said_at, notes: &mut notes };
    let read = if is_workflow { Some(workflow::told as Read) } else { reader(&event_type) };
    let meaning = match read {
        None => Meaning::Ignored,
        Some(read) => read(&mut reading).map_or(Meaning::Ignored, |statement| Meaning::Statement(Box::new(statement))),
    };
    Ok(Interpreted { provider_id, event_type, created, scope, meaning, notes })
}

/// JSON that is in order, but more than our own code digests, is kept for a later version.
fn undigested(settings: &Settings, message: &Message<'_>) -> Option<Interpreted> {
    let outer = json::outer(message.body)?;
    let usable = |id: &String| !id.is_empty() && id.len() <= 255 && !id.chars().any(char::is_control);
    let provider_id = outer.webhook_id.filter(usable)?;
    let location = outer.location_id.filter(usable).or_else(|| settings.only_location().map(str::to_owned))?;
    Some(Interpreted {
        provider_id,
        event_type: outer.event_type.filter(usable).unwrap_or_else(|| "unknown".to_owned()),
        created: None::<Timestamp>,
        scope: Scope { provider: PROVIDER.to_owned(), account: Some(location), mode: Mode::Live },
        meaning: Meaning::Undigested,
        notes: vec!["nested deeper, or with larger numbers, than this version reads".to_owned()],
    })
}

#[cfg(test)]
#[path = "interpret_tests.rs"]
pub(super) mod tests;
