//! Samples as these senders would send them: bodies of the documented shape with made-up people and amounts, signed with the
//! source's own secret.

use serde_json::{Map, Value, json};

use super::Settings;
use super::event::Naming;
use super::own::Own;
use super::pick::Pick;
use super::scheme::Proof;
use super::verify::Checker;
use crate::model::envelope::Envelope;
use crate::sources::{Request, Sample, SampleRequest, token};

mod bodies;

/// The samples of a preset; the first is made when none is named.
pub(super) fn types(preset: Option<&str>) -> &'static [&'static str] {
    match preset {
        Some("standard_webhooks" | "svix") => &["user.created"],
        Some("github") => &["push", "ping"],
        Some("shopify") => &["orders/paid", "orders/updated", "refunds/create"],
        Some("paddle") => &[
            "transaction.completed",
            "adjustment.created",
            "adjustment.updated",
            "customer.created",
            "customer.updated",
        ],
        Some("lemon_squeezy") => {
            &["order_created", "order_refunded", "subscription_payment_success", "subscription_payment_refunded"]
        }
        Some("square") => &["payment.updated", "refund.updated"],
        Some("calendly") => {
            &["invitee.created", "invitee.canceled", "invitee_no_show.created", "invitee_no_show.deleted"]
        }
        Some("typeform") => &["form_response"],
        Some("woocommerce") => &["order.created", "order.updated"],
        Some("mailerlite") => &["subscriber.unsubscribed", "subscriber.bounced", "subscriber.spam_reported"],
        Some("hubspot") => &["contact.creation", "contact.propertyChange"],
        Some("cal_com") => &[
            "BOOKING_CREATED",
            "BOOKING_RESCHEDULED",
            "BOOKING_CANCELLED",
            "BOOKING_REJECTED",
            "BOOKING_NO_SHOW_UPDATED",
        ],
        Some("slack") => &["message", "url_verification"],
        Some("zoom") => &["meeting.started", "endpoint.url_validation"],
        // Only PayPal has the key.
        Some("paypal") => &[],
        Some("twilio") => &["received", "STOP", "delivered", "ringing"],
        Some("mailgun") => &["unsubscribed", "complained", "failed"],
        _ => &["sample"],
    }
}

/// What a sample is named and signed with.
pub(super) struct Signing<'s> {
    pub checker: &'s Checker,
    pub own: Option<&'s Own>,
    pub naming: &'s Naming,
}

/// Makes one; none for an unknown type, or where only the sender itself can sign.
pub(super) fn sample(settings: &Settings, signing: &Signing<'_>, wanted: &SampleRequest<'_>) -> Option<Sample> {
    let Signing { checker, own, naming } = *signing;
    let types = types(settings.preset);
    let place = types.iter().position(|known| *known == wanted.event_type)?;
    let (event_type, id) = (types[place], format!("sample-{:08x}-{place}", wanted.number));
    let mut event = bodies::body(settings.preset, event_type, wanted);
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
    let mut body = match settings.scheme.proof {
        Proof::Twilio => form(&whole),
        _ => whole.to_string(),
    }
    .into_bytes();
    let proof = match settings.scheme.proof {
        Proof::Token => vec![(token::HEADER.to_owned(), settings.secrets.first()?.expose().to_owned())],
        Proof::Basic => {
            use base64::Engine as _;
            let pair = base64::engine::general_purpose::STANDARD.encode(settings.secrets.first()?.expose());
            vec![("authorization".to_owned(), format!("Basic {pair}"))]
        }
        Proof::Mailgun | Proof::Twilio | Proof::PayPal => {
            let request = Request { endpoint: wanted.endpoint, ..Request::post(Envelope::EMPTY, &body, wanted.now) };
            let signed = own?.sign(&request)?;
            body = signed.body;
            signed.headers
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
    if pick.read(Envelope::EMPTY, event).is_some() {
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

/// An object of texts as a form.
fn form(event: &Value) -> String {
    let escaped = |text: &str| -> String {
        let letters = text.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        });
        letters.collect()
    };
    let fields = event.as_object().into_iter().flatten();
    let pairs = fields.filter_map(|(name, value)| Some(format!("{}={}", escaped(name), escaped(value.as_str()?))));
    pairs.collect::<Vec<_>>().join("&")
}
