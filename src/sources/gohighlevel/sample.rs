//! Samples as HighLevel sends them. Nobody but HighLevel can sign for its key, so they show the source's token instead, which makes
//! them pass for a workflow's.

use serde_json::{Value, json};

use crate::model::time::Timestamp;
use crate::sources::{Sample, SampleRequest};

use super::Settings;
use super::verify::TOKEN_HEADER;

/// The names of the samples. Those of one number are about one person and one appointment.
pub const TYPES: [&str; 14] = [
    "ContactCreate",
    "ContactUpdate",
    "ContactDndUpdate",
    "AppointmentCreate",
    "AppointmentUpdate/moved",
    "AppointmentUpdate/cancelled",
    "AppointmentUpdate/showed",
    "AppointmentUpdate/noshow",
    "AppointmentDelete",
    "OpportunityStatusUpdate/won",
    "OrderStatusUpdate",
    "InvoicePaid",
    "workflow/appointment",
    "workflow/event",
];

const HOUR: i64 = 3_600_000;

/// Makes a sample; none for an unknown type, or where the source has no token.
pub(super) fn sample(settings: &Settings, wanted: &SampleRequest<'_>) -> Option<Sample> {
    let token = settings.token.as_ref()?.expose().trim().to_owned();
    let location = settings.locations.first()?;
    let body = body(location, settings.app_id.as_deref(), wanted)?;
    Some(Sample {
        headers: vec![("content-type".to_owned(), "application/json".to_owned()), (TOKEN_HEADER.to_owned(), token)],
        body: body.to_string().into_bytes(),
    })
}

fn body(location: &str, app_id: Option<&str>, wanted: &SampleRequest<'_>) -> Option<Value> {
    let number = wanted.number;
    let (event_type, variant) = wanted.event_type.split_once('/').unwrap_or((wanted.event_type, ""));
    let now = wanted.now.to_string();
    let contact = format!("sampleContact{number}");
    let mut body = match event_type {
        "ContactCreate" | "ContactUpdate" => person(&contact, number),
        "ContactDndUpdate" => {
            let mut person = person(&contact, number);
            person["dndSettings"] = json!({"Email": {"status": "active", "message": "", "code": "103"}});
            person
        }
        "AppointmentCreate" | "AppointmentUpdate" | "AppointmentDelete" => {
            json!({"appointment": appointment(&contact, number, variant, wanted.now)})
        }
        "OpportunityStatusUpdate" => json!({
            "id": format!("sampleOpportunity{number}"), "contactId": contact, "name": "Sample", "monetaryValue": 1500,
            "pipelineId": "samplePipeline", "pipelineStageId": "sampleStage", "status": variant,
        }),
        "OrderStatusUpdate" => json!({
            "_id": format!("sampleOrder{number}"), "altId": location, "altType": "location", "status": "completed",
            "fulfillmentStatus": "unfulfilled", "contactId": contact, "contactSnapshot": person(&contact, number),
            "currency": "EUR", "amount": 119.5, "amountSummary": {"subtotal": 100.42, "discount": 0, "tax": 19.08, "shipping": 0},
            "items": [{"name": "Sample session", "qty": 1, "product": {"_id": "sampleProduct", "name": "Sample session"},
                "price": {"_id": "samplePrice", "amount": 119.5, "currency": "EUR", "type": "one_time"}}],
            "source": {"type": "funnel", "id": "sampleFunnel"}, "createdAt": now, "updatedAt": now,
        }),
        "InvoicePaid" => json!({
            "_id": format!("sampleInvoice{number}"), "altId": location, "altType": "location", "status": "paid",
            "invoiceNumber": number.to_string(), "amountPaid": 240, "amountDue": 0, "total": 240, "currency": "EUR",
            "contactDetails": {"id": contact, "name": "Sample Person", "email": email(number), "phoneNo": "+493012345678"},
            "invoiceItems": [{"_id": "sampleLine", "productId": "sampleProduct", "name": "Sample package", "qty": 2, "amount": 120,
                "currency": "EUR"}],
            "createdAt": now, "updatedAt": now,
        }),
        "workflow" => return workflow(location, &contact, variant, wanted),
        _ => return None,
    };
    let fields = body.as_object_mut()?;
    fields.insert("type".to_owned(), event_type.into());
    fields.insert("locationId".to_owned(), location.into());
    fields.insert("timestamp".to_owned(), now.into());
    fields.insert(
        "webhookId".to_owned(),
        format!("sample-{number}-{}-{variant}", wanted.event_type.replace('/', "-")).into(),
    );
    fields.insert("liveMode".to_owned(), wanted.livemode.into());
    if let Some(app) = app_id {
        fields.insert("appId".to_owned(), app.into());
    }
    Some(body)
}

fn email(number: u64) -> String {
    format!("sample{number}@example.com")
}

fn person(contact: &str, number: u64) -> Value {
    json!({
        "id": contact, "firstName": "Sample", "lastName": "Person", "email": email(number), "phone": "+493012345678",
        "tags": [], "country": "DE", "customFields": [],
        "attributionSource": {"sessionSource": "Paid Search", "medium": "form", "utmSource": "google", "utmCampaign": "sample"},
    })
}

fn appointment(contact: &str, number: u64, variant: &str, now: Timestamp) -> Value {
    let later = |hours: i64| Timestamp::from_millis(now.millis() + hours * HOUR).to_string();
    let status = if matches!(variant, "" | "moved") { "confirmed" } else { variant };
    let start = match variant {
        "moved" => 48,
        "showed" | "noshow" => -1,
        _ => 24,
    };
    json!({
        "id": format!("sampleAppointment{number}"), "title": "Sample session", "calendarId": "sampleCalendar", "contactId": contact,
        "appointmentStatus": status, "source": "booking_widget", "startTime": later(start), "endTime": later(start + 1),
        "dateAdded": now.to_string(), "dateUpdated": now.to_string(),
    })
}

fn workflow(location: &str, contact: &str, variant: &str, wanted: &SampleRequest<'_>) -> Option<Value> {
    let mut body = json!({
        "contact_id": contact, "first_name": "Sample", "last_name": "Person", "email": email(wanted.number),
        "tags": "sample,another", "location": {"id": location, "name": "Sample"},
        "workflow": {"id": "sampleWorkflow", "name": "Sample workflow"}, "triggerData": {},
        "customData": {"event_id": format!("sample-{}-{variant}", wanted.number), "liveMode": wanted.livemode},
    });
    match variant {
        "appointment" => {
            body["calendar"] = json!({
                "id": "sampleCalendar", "calendarName": "Sample calendar",
                "appointmentId": format!("sampleAppointment{}", wanted.number), "startTime": "2030-06-03T10:00:00",
                "endTime": "2030-06-03T11:00:00", "selectedTimezone": "Europe/Berlin", "status": "booked",
                "appoinmentStatus": "confirmed",
            });
        }
        "event" => {
            body["customData"]["event"] = "webinar_joined".into();
            body["customData"]["value"] = "25.00".into();
            body["customData"]["currency"] = "EUR".into();
        }
        _ => return None,
    }
    Some(body)
}
