//! What each sender says about itself and an event, in the shape of its documentation.

use std::time::Duration;

use serde_json::{Value, json};

use crate::model::time::Timestamp;
use crate::sources::SampleRequest;

/// What the sender says about itself and the event; ids and types are put in by the picks where they are not there.
pub(super) fn body(preset: Option<&str>, event_type: &str, wanted: &SampleRequest<'_>) -> Value {
    let SampleRequest { number, now, livemode, .. } = *wanted;
    let id = 1_000_000 + number % 1_000_000_000;
    let time = now.to_string();
    let email = format!("sample{id}@example.com");
    // The day after tomorrow at nine: the same for all samples of one number.
    let day = Timestamp::from_unix_seconds(now.unix_seconds().div_euclid(86_400) * 86_400);
    let [begins, ends] = [205_200, 207_000].map(|seconds| day.after(Duration::from_secs(seconds)).to_string());
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
        Some("paddle") if event_type.starts_with("adjustment") => json!({
            "event_id": format!("evt_{event_type}_{id}"), "event_type": event_type, "occurred_at": time,
            "data": {"id": format!("adj_{id}"), "action": "refund", "type": "partial", "transaction_id": format!("txn_{id}"),
                "status": if event_type == "adjustment.created" { "pending_approval" } else { "approved" },
                "currency_code": "EUR", "customer_id": format!("ctm_{id}"), "subscription_id": null,
                "totals": {"subtotal": "1597", "tax": "303", "total": "1900", "currency_code": "EUR"}},
        }),
        Some("paddle") if event_type.starts_with("customer") => json!({
            "event_id": format!("evt_{event_type}_{id}"), "event_type": event_type, "occurred_at": time,
            "data": {"id": format!("ctm_{id}"), "email": email, "name": "Ada Example", "status": "active"},
        }),
        Some("paddle") => json!({
            "event_id": format!("evt_{id}"), "event_type": event_type, "occurred_at": time, "notification_id": format!("ntf_{id}"),
            "data": {"id": format!("txn_{id}"), "status": "completed", "currency_code": "EUR",
                "details": {"totals": {"grand_total": "9900", "tax": "1580"}}, "customer_id": format!("ctm_{id}")},
        }),
        Some("lemon_squeezy") if event_type.starts_with("subscription") => json!({
            "meta": {"event_name": event_type, "test_mode": !livemode, "custom_data": {"lead_id": format!("sample-{id}")}},
            "data": {"type": "subscription-invoices", "id": id.to_string(), "attributes": {"user_email": email, "user_name": "Ada Example",
                "currency": "EUR", "customer_id": id, "subscription_id": id, "billing_reason": "renewal", "total": 9900, "tax": 1580,
                "status": "paid", "refunded": false, "refunded_amount": if event_type.ends_with("refunded") { 1900 } else { 0 },
                "created_at": time, "updated_at": time}},
        }),
        Some("lemon_squeezy") => json!({
            "meta": {"event_name": event_type, "test_mode": !livemode, "custom_data": {"lead_id": format!("sample-{id}")}},
            "data": {"type": "orders", "id": id.to_string(), "attributes": {"user_email": email, "currency": "EUR",
                "customer_id": id, "total": 9900, "tax": 1580, "refunded_amount": if event_type == "order_refunded" { 1900 } else { 0 },
                "status": "paid", "created_at": time, "updated_at": time}},
        }),
        Some("square") if event_type == "refund.updated" => json!({
            "merchant_id": "SAMPLE", "type": event_type, "event_id": format!("sample-refund-{id}"), "created_at": time,
            "data": {"type": "refund", "id": format!("refund{id}"), "object": {"refund": {"id": format!("refund{id}"),
                "status": "COMPLETED", "payment_id": id.to_string(), "order_id": format!("order{id}"),
                "amount_money": {"amount": 1900, "currency": "EUR"}}}},
        }),
        Some("square") => json!({
            "merchant_id": "SAMPLE", "type": event_type, "event_id": format!("sample-{id}"), "created_at": time,
            "data": {"type": "payment", "id": id.to_string(), "object": {"payment": {"id": id.to_string(), "order_id": format!("order{id}"),
                "status": "COMPLETED", "buyer_email_address": email, "amount_money": {"amount": 9900, "currency": "EUR"},
                "total_money": {"amount": 9900, "currency": "EUR"}}}},
        }),
        Some("calendly") => json!({
            "event": event_type, "created_at": time, "created_by": format!("https://api.calendly.com/users/{id}"), "payload": {
                "cancel_url": format!("https://calendly.com/cancellations/{id}"), "new_invitee": null,
                "no_show": if event_type == "invitee_no_show.created" {
                    json!({"uri": format!("https://api.calendly.com/invitee_no_shows/{id}"), "created_at": time})
                } else { Value::Null },
                "status": if event_type == "invitee.canceled" { "canceled" } else { "active" },
                "uri": format!("https://api.calendly.com/scheduled_events/{id}/invitees/{id}"),
                "email": email, "name": "Ada Example", "rescheduled": false, "old_invitee": null,
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
            json!({"event": event_type, "id": id.to_string(), "email": email, "status": "unsubscribed", "unsubscribed_at": time,
                "updated_at": time})
        }
        Some("hubspot") => json!({
            "eventId": id, "subscriptionId": 1, "portalId": 1_234_567, "occurredAt": now.millis(), "subscriptionType": event_type,
            "attemptNumber": 0, "objectId": id,
        }),
        Some("cal_com") if event_type == "BOOKING_NO_SHOW_UPDATED" => json!({
            "triggerEvent": event_type, "createdAt": time, "payload": {"bookingUid": format!("uid{id}"), "bookingId": id,
                "message": "x_marked_as_no_show", "attendees": [{"email": email, "noShow": true}]},
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
        Some("twilio") if event_type == "ringing" => json!({
            "CallSid": format!("CA{id:032x}"), "AccountSid": "ACsample", "From": "+4915112345678", "To": "+4930123456", "Direction": "inbound",
            "CallStatus": event_type, "ApiVersion": "2010-04-01",
        }),
        Some("twilio") if event_type == "delivered" => json!({
            "MessageSid": format!("SM{:032x}", id + 1), "AccountSid": "ACsample", "From": "+4930123456", "To": "+4915112345678",
            "MessageStatus": event_type, "SmsStatus": event_type, "ApiVersion": "2010-04-01",
        }),
        Some("twilio") => {
            let mut message = json!({
                "MessageSid": format!("SM{id:032x}"), "AccountSid": "ACsample", "From": "+4915112345678", "To": "+4930123456",
                "Body": "Sample & more", "NumMedia": "0", "SmsStatus": "received", "ApiVersion": "2010-04-01",
            });
            if event_type == "STOP" {
                message["MessageSid"] = format!("SM{:032x}", id + 2).into();
                message["Body"] = "STOP".into();
                message["OptOutType"] = "STOP".into();
            }
            message
        }
        Some("mailgun") => json!({
            "event-data": {"id": format!("sample{id}-{event_type}"), "event": event_type, "recipient": email,
                "severity": "permanent", "reason": "bounce", "user-variables": {},
                "timestamp": format!("{}.25", now.unix_seconds()).parse::<f64>().unwrap_or_default()},
        }),
        _ => json!({"created_at": time, "sample": true}),
    }
}
