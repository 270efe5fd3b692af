use std::time::Duration;

use super::*;
use crate::model::id::Mode;
use crate::model::secret::Secret;
use crate::model::statement::{Claim, Interpreted, Meaning, ObjectKind, Statement};
use crate::model::time::Timestamp;
use crate::sources::stripe::{Settings, Stripe};
use crate::sources::{Headers, Request, Source};

struct Sent<'a>(&'a Sample);

impl Headers for Sent<'_> {
    fn values(&self, name: &str) -> Vec<&[u8]> {
        let fields = self.0.headers.iter();
        fields.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_bytes()).collect()
    }
}

fn stripe() -> Stripe {
    let secrets = vec![Secret::new("whsec_first"), Secret::new("whsec_second")];
    Stripe::new(Settings { secrets, tolerance: Duration::from_secs(300) })
}

fn wanted(event_type: &str, number: u64, livemode: bool) -> SampleRequest<'_> {
    SampleRequest { event_type, number, now: Timestamp::from_millis(1_790_000_000_123), livemode }
}

fn received(request: &SampleRequest<'_>) -> (Interpreted, Statement) {
    let stripe = stripe();
    let sample = stripe.sample(request).unwrap();
    let arrival = Request { headers: &Sent(&sample), body: &sample.body, received_at: request.now };
    assert_eq!(stripe.verify(&arrival), Ok(()), "{}", request.event_type);
    let interpreted = stripe.interpret(&sample.body).unwrap();
    assert!(interpreted.notes.is_empty(), "{}: {:?}", request.event_type, interpreted.notes);
    let Meaning::Statement(statement) = interpreted.meaning.clone() else {
        panic!("{} is ignored", request.event_type)
    };
    (interpreted, *statement)
}

#[test]
fn every_sample_is_genuine_and_understood() {
    for event_type in stripe().sample_types() {
        for (number, livemode) in [(0, true), (1, false), (42, true), (u64::MAX, false)] {
            let request = wanted(event_type, number, livemode);
            let (interpreted, statement) = received(&request);
            assert_eq!(interpreted.event_type, *event_type);
            assert_eq!(interpreted.mode(), Mode::from_livemode(livemode));
            assert_eq!(statement.said_at.unix_seconds(), 1_790_000_000);
        }
    }
}

#[test]
fn samples_claim_what_their_names_say() {
    for event_type in TYPES {
        let (_, statement) = received(&wanted(event_type, 7, true));
        let claim = match statement.claim {
            Claim::Nothing => "nothing",
            Claim::Paid(_) => "paid",
            Claim::AttemptFailed(_) => "failed",
            Claim::Refund(_) => "refund",
        };
        let expected = match event_type {
            "invoice_payment.paid" | "charge.refunded" => "nothing",
            name if name.contains("refund") => "refund",
            name if name.ends_with("failed") => "failed",
            _ => "paid",
        };
        assert_eq!(claim, expected, "{event_type}");
    }
}

#[test]
fn samples_of_one_number_are_one_purchase() {
    let mut known: Vec<(ObjectKind, String)> = Vec::new();
    let mut event_ids = Vec::new();
    for event_type in TYPES {
        let (interpreted, statement) = received(&wanted(event_type, 7, true));
        event_ids.push(interpreted.provider_id);
        if event_type == "payment_intent.payment_failed" {
            continue; // the one try before has a charge of its own
        }
        let mentioned = statement.links.iter().chain([&statement.object]);
        known.extend(mentioned.map(|object| (object.kind, object.id.clone())));
        if let Claim::Paid(paid) = statement.claim {
            assert_eq!(paid.amount.minor, 1900, "{event_type}");
        }
        if let Some(email) = statement.person.email {
            assert_eq!(email.as_str(), "mary.7@example.com");
        }
    }
    known.sort();
    known.dedup();
    assert_eq!(known.len(), 5, "one session, intent, charge, invoice and refund: {known:?}");
    event_ids.sort();
    event_ids.dedup();
    assert_eq!(event_ids.len(), TYPES.len());
    let (other, _) = received(&wanted(TYPES[0], 7, false));
    assert!(!event_ids.contains(&other.provider_id), "test and live are different events");
}

#[test]
fn a_sample_looks_like_stripes_own() {
    let sample = stripe().sample(&wanted("checkout.session.completed", 7, false)).unwrap();
    let body = String::from_utf8(sample.body).unwrap();
    assert!(body.starts_with("{\n  \"id\": \"evt_1"), "{body}");
    assert!(body.contains("\n    \"object\": {\n      \"id\": \"cs_test_"));
    assert!(!body.contains("\"@") && !body.contains("@\""), "a blank is left");
    assert!(body.contains("\"custom_fields\": [],") && body.ends_with("\n}"));
    assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok());
    let (_, signature) = &sample.headers[2];
    assert!(signature.starts_with("t=1790000000,v1=") && signature.contains(",v0="), "{signature}");
}

#[test]
fn tags_come_along() {
    let (_, statement) = received(&wanted("payment_intent.succeeded", 7, true));
    assert_eq!(statement.tags.lead_id.as_deref(), Some("lead-7"));
    assert_eq!(statement.tags.attribution.client_id.as_deref(), Some("1000000007.1700000007"));
    assert_eq!(statement.tags.attribution.utm_source.as_deref(), Some("newsletter"));
    assert_eq!(statement.tags.consent.analytics, Some(true));
}

#[test]
fn an_unknown_type_has_no_sample() {
    assert!(stripe().sample(&wanted("customer.created", 7, true)).is_none());
    let bare = Stripe::new(Settings { secrets: vec![], tolerance: Duration::from_secs(300) });
    assert!(bare.sample(&wanted(TYPES[0], 7, true)).is_none());
}
