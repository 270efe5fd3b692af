//! Samples as these senders would send them: bodies of the documented shape with made-up people and amounts, signed with the
//! source's own secret.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Settings;
use super::event::Naming;
use super::pick::Pick;
use super::scheme::Proof;
use super::verify::Checker;
use crate::model::envelope::Envelope;
use crate::sources::{Request, Sample, SampleRequest, token};

/// The samples of a preset; the first is made when none is named.
pub(super) fn types(preset: Option<&str>) -> &'static [&'static str] {
    match preset {
        Some("standard_webhooks" | "svix") => &["user.created"],
        Some("github") => &["push", "ping"],
        Some("shopify") => &["orders/paid", "refunds/create"],
        Some("paddle") => &["transaction.completed", "adjustment.updated", "customer.created"],
        Some("lemon_squeezy") => &["order_created", "order_refunded"],
        Some("square") => &["payment.updated"],
        Some("calendly") => &["invitee.created", "invitee.canceled", "invitee_no_show.created"],
        Some("typeform") => &["form_response"],
        Some("woocommerce") => &["order.created", "order.updated"],
        Some("mailerlite") => &["subscriber.unsubscribed", "subscriber.bounced"],
        Some("hubspot") => &["contact.creation", "contact.propertyChange"],
        Some("cal_com") => &["BOOKING_CREATED", "BOOKING_RESCHEDULED", "BOOKING_CANCELLED", "BOOKING_NO_SHOW_UPDATED"],
        Some("slack") => &["message", "url_verification"],
        Some("zoom") => &["meeting.started", "endpoint.url_validation"],
        _ => &["sample"],
    }
}

/// Makes one; none for an unknown type, or where only the sender itself can sign.
pub(super) fn sample(
    settings: &Settings,
    checker: &Checker,
    naming: &Naming,
    wanted: &SampleRequest<'_>,
) -> Option<Sample> {
    let event_type = *types(settings.preset).iter().find(|known| **known == wanted.event_type)?;
    let id = format!("sample-{:08x}", wanted.number);
    let mut event = body(settings.preset, event_type, wanted);
    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    if settings.preset == Some("woocommerce") {
        headers.push(("x-wc-webhook-source".to_owned(), "https://sample.example/".to_owned()));
    }
    for (picks, value) in [(naming.type_picks(), event_type), (naming.id_picks(), id.as_str())] {
        for pick in picks {
            name(pick, value, &mut event, &mut headers);
        }
    }
    let whole = match settings.scheme.batch.as_deref() {
        Some("") => json!([event]),
        _ => event,
    };
    let body = whole.to_string().into_bytes();
    let proof = match settings.scheme.proof {
        Proof::Token => vec![(token::HEADER.to_owned(), settings.secrets.first()?.expose().to_owned())],
        Proof::Basic => {
            use base64::Engine as _;
            let pair = base64::engine::general_purpose::STANDARD.encode(settings.secrets.first()?.expose());
            vec![("authorization".to_owned(), format!("Basic {pair}"))]
        }
        Proof::Hmac | Proof::Ed25519 => {
            let request = Request { endpoint: wanted.endpoint, ..Request::post(Envelope::EMPTY, &body, wanted.now) };
            let url = checker.url(&request).unwrap_or_default();
            checker.sign("POST", &url, &id, wanted.now.millis(), &body)?
        }
    };
    // What is signed counts, and a header must not come twice.
    headers.retain(|(name, _)| !proof.iter().any(|(of_proof, _)| of_proof == name));
    headers.extend(proof);
    Some(Sample { headers, body })
}

/// Puts a value where a pick looks for it, unless something is there.
fn name(pick: &Pick, value: &str, event: &mut Value, headers: &mut Vec<(String, String)>) {
    let in_body = pick.pointer().is_some_and(|pointer| event.pointer(pointer).is_some());
    if in_body {
        return;
    }
    if let Some(header) = pick.headers().next() {
        if !headers.iter().any(|(known, _)| known == header) {
            headers.push((header.to_owned(), value.to_owned()));
        }
    } else if !pick.optional
        && let Some(pointer) = pick.pointer()
    {
        put(event, pointer, value);
    }
}

fn put(event: &mut Value, pointer: &str, value: &str) {
    let mut at = event;
    for name in pointer.split('/').skip(1) {
        let name = name.replace("~1", "/").replace("~0", "~");
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = &mut at[name];
    }
    *at = Value::String(value.to_owned());
}

/// What the sender says about itself and the event; ids and types are put in by the picks where they are not there.
fn body(preset: Option<&str>, event_type: &str, wanted: &SampleRequest<'_>) -> Value {
    let SampleRequest { number, now, livemode, .. } = *wanted;
    let id = 1_000_000 + number % 1_000_000_000;
    let time = now.to_string();
    let email = format!("sample{id}@example.com");
    let [begins, ends] = [86_400, 88_200].map(|seconds| now.after(Duration::from_secs(seconds)).to_string());
    match preset {
        Some("standard_webhooks" | "svix") => {
            json!({"type": event_type, "timestamp": time, "data": {"id": format!("user_{id}"), "email": email}})
        }
        Some("github") => {
            json!({"repository": {"id": id, "full_name": "example/sample"}, "sender": {"login": "sample"}})
        }
        Some("shopify") if event_type == "refunds/create" => json!({
            "id": id + 500, "order_id": id, "created_at": time, "processed_at": time, "note": "sample",
            "transactions": [{"id": id + 600, "kind": "refund", "amount": "19.00", "currency": "EUR", "status": "success",
                "test": !livemode}],
        }),
        Some("shopify") => json!({
            "id": id, "name": format!("#{id}"), "email": email, "created_at": time, "updated_at": time, "currency": "EUR",
            "total_price": "99.00", "total_tax": "15.81", "financial_status": "paid", "test": !livemode,
            "customer": {"id": id + 1, "email": email, "first_name": "Ada", "last_name": "Example"},
            "line_items": [{"id": id + 2, "title": "Sample", "quantity": 1, "price": "99.00", "sku": "SAMPLE"}],
        }),
        Some("paddle") if event_type == "adjustment.updated" => json!({
            "event_id": format!("evt_adj_{id}"), "event_type": event_type, "occurred_at": time,
            "data": {"id": format!("adj_{id}"), "action": "refund", "status": "approved", "transaction_id": format!("txn_{id}"),
                "currency_code": "EUR", "totals": {"total": "1900"}, "customer_id": format!("ctm_{id}")},
        }),
        Some("paddle") if event_type == "customer.created" => json!({
            "event_id": format!("evt_ctm_{id}"), "event_type": event_type, "occurred_at": time,
            "data": {"id": format!("ctm_{id}"), "email": email, "name": "Ada Example", "status": "active"},
        }),
        Some("paddle") => json!({
            "event_id": format!("evt_{id}"), "event_type": event_type, "occurred_at": time, "notification_id": format!("ntf_{id}"),
            "data": {"id": format!("txn_{id}"), "status": "completed", "currency_code": "EUR",
                "details": {"totals": {"grand_total": "9900", "tax": "1580"}}, "customer_id": format!("ctm_{id}")},
        }),
        Some("lemon_squeezy") => json!({
            "meta": {"event_name": event_type, "test_mode": !livemode, "custom_data": {"lead_id": format!("sample-{id}")}},
            "data": {"type": "orders", "id": id.to_string(), "attributes": {"user_email": email, "currency": "EUR",
                "customer_id": id, "total": 9900, "tax": 1580, "refunded_amount": if event_type == "order_refunded" { 1900 } else { 0 },
                "status": "paid", "created_at": time, "updated_at": time}},
        }),
        Some("square") => json!({
            "merchant_id": "SAMPLE", "type": event_type, "event_id": format!("sample-{id}"), "created_at": time,
            "data": {"type": "payment", "id": id.to_string(), "object": {"payment": {"id": id.to_string(),
                "status": "COMPLETED", "amount_money": {"amount": 9900, "currency": "EUR"}}}},
        }),
        Some("calendly") => json!({
            "event": event_type, "created_at": time, "payload": {"uri": format!("https://api.calendly.com/scheduled_events/{id}/invitees/{id}"),
                "email": email, "name": "Ada Example", "status": "active", "rescheduled": false, "old_invitee": null,
                "scheduled_event": {"uri": format!("https://api.calendly.com/scheduled_events/{id}"), "name": "Sample",
                    "start_time": begins, "end_time": ends}},
        }),
        Some("typeform") => json!({
            "event_id": format!("sample-{id}"), "event_type": event_type, "form_response": {"form_id": "sample",
                "token": format!("token{id}"), "submitted_at": time, "hidden": {"lead_id": format!("sample-{id}")},
                "answers": [{"type": "email", "email": email, "field": {"id": "email", "type": "email"}}]},
        }),
        Some("woocommerce") => json!({
            "id": id, "status": if event_type == "order.created" { "processing" } else { "completed" }, "currency": "EUR",
            "total": "99.00", "total_tax": "15.81", "date_modified_gmt": time.trim_end_matches('Z'), "customer_id": 0,
            "refunds": if event_type == "order.created" { json!([]) } else {
                json!([{"id": id + 500, "reason": "sample", "total": "-19.00"}])
            },
            "billing": {"email": email, "first_name": "Ada", "last_name": "Example"},
            "line_items": [{"id": 1, "name": "Sample", "quantity": 1, "total": "99.00"}],
        }),
        Some("mailerlite") => {
            json!({"type": event_type, "id": id.to_string(), "email": email, "status": "unsubscribed", "unsubscribed_at": time})
        }
        Some("hubspot") => json!({
            "eventId": id, "subscriptionId": 1, "portalId": 1_234_567, "occurredAt": now.millis(), "subscriptionType": event_type,
            "attemptNumber": 0, "objectId": id,
        }),
        Some("cal_com") if event_type == "BOOKING_NO_SHOW_UPDATED" => json!({
            "triggerEvent": event_type, "createdAt": time, "payload": {"bookingUid": format!("uid{id}"), "bookingId": id,
                "attendees": [{"email": email, "noShow": true}]},
        }),
        Some("cal_com") if event_type == "BOOKING_RESCHEDULED" => json!({
            "triggerEvent": event_type, "createdAt": time, "payload": {"uid": format!("uid{id}b"), "rescheduleUid": format!("uid{id}"),
                "title": "Sample", "startTime": ends, "attendees": [{"email": email, "name": "Ada Example"}]},
        }),
        Some("cal_com") => json!({
            "triggerEvent": event_type, "createdAt": time, "payload": {"uid": format!("uid{id}"), "title": "Sample",
                "startTime": begins, "endTime": ends, "attendees": [{"email": email, "name": "Ada Example", "timeZone": "Europe/Berlin"}]},
        }),
        Some("slack") if event_type == "url_verification" => {
            json!({"type": event_type, "challenge": format!("challenge{id}")})
        }
        Some("slack") => json!({
            "type": "event_callback", "event_id": format!("Ev{id}"), "event_time": now.unix_seconds(), "team_id": "T1",
            "event": {"type": event_type, "channel": "C1", "text": "sample"},
        }),
        Some("zoom") if event_type == "endpoint.url_validation" => json!({
            "event": event_type, "event_ts": now.millis(), "payload": {"plainToken": format!("plain{id}")},
        }),
        Some("zoom") => json!({
            "event": event_type, "event_ts": now.millis(), "payload": {"account_id": "A1", "object": {"id": id.to_string(),
                "uuid": format!("uuid{id}=="), "topic": "Sample", "start_time": time}},
        }),
        _ => json!({"created_at": time, "sample": true}),
    }
}
