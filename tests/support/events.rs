//! Stripe's events, written for these tests in the shape that the documentation gives, and signed.

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

pub const SECRET: &str = "whsec_tests_0123456789abcdef0123456789abcdef";

pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

/// `Stripe-Signature` over a body.
pub fn signature(secret: &str, at: i64, body: &[u8]) -> String {
    let mut mac = <Hmac<Sha256>>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(at.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("t={at},v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// An event around an object, pretty-printed as Stripe does.
pub fn event(id: &str, event_type: &str, object: Value) -> Vec<u8> {
    event_at(id, event_type, object, now(), true)
}

pub fn event_at(id: &str, event_type: &str, object: Value, created: i64, livemode: bool) -> Vec<u8> {
    let event = json!({
        "id": id, "object": "event", "api_version": "2026-01-28.clover", "created": created, "livemode": livemode,
        "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null}, "type": event_type,
        "data": {"object": object},
    });
    serde_json::to_vec_pretty(&event).unwrap()
}

/// A paid Checkout session of a customer with a number.
pub fn session(n: u64, amount: i64) -> Value {
    json!({
        "id": format!("cs_live_{n:06}"), "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "amount_total": amount, "amount_subtotal": amount, "currency": "eur",
        "customer": format!("cus_{n:06}"), "payment_intent": format!("pi_{n:06}"), "invoice": null, "subscription": null,
        "client_reference_id": null, "livemode": true,
        "customer_details": {"email": format!("Buyer{n}@Example.com"), "name": format!("Buyer Number{n}"), "phone": null},
        "metadata": {
            "lead_id": format!("lead-{n:06}"), "ga_client_id": format!("123456{n:04}.1747132561"),
            "pricing_tier": "premium", "utm_source": "newsletter", "utm_campaign": "spring", "consent_email": "true",
        },
    })
}

/// The intent behind it.
pub fn intent(n: u64, amount: i64) -> Value {
    json!({
        "id": format!("pi_{n:06}"), "object": "payment_intent", "amount": amount, "amount_received": amount,
        "currency": "eur", "status": "succeeded", "customer": format!("cus_{n:06}"),
        "latest_charge": format!("ch_{n:06}"), "metadata": {}, "livemode": true,
        "receipt_email": format!("buyer{n}@example.com"), "payment_method_types": ["card"],
    })
}

/// The charge behind that.
pub fn charge(n: u64, amount: i64) -> Value {
    json!({
        "id": format!("ch_{n:06}"), "object": "charge", "amount": amount, "amount_captured": amount, "amount_refunded": 0,
        "currency": "eur", "paid": true, "captured": true, "status": "succeeded", "customer": format!("cus_{n:06}"),
        "payment_intent": format!("pi_{n:06}"), "metadata": {}, "livemode": true,
        "billing_details": {"email": format!("buyer{n}@example.com"), "name": null, "phone": null},
        "payment_method_details": {"type": "card"},
    })
}

/// One refund of it.
pub fn refund(n: u64, number: u64, amount: i64, status: &str) -> Value {
    json!({
        "id": format!("re_{n:06}_{number}"), "object": "refund", "amount": amount, "currency": "eur", "status": status,
        "charge": format!("ch_{n:06}"), "payment_intent": format!("pi_{n:06}"), "metadata": {},
    })
}
