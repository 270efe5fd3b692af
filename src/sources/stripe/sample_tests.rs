use std::time::Duration;

use super::*;
use crate::model::id::Mode;
use crate::model::secret::Secret;
use crate::model::statement::{Claim, DisputeStatus, Interpreted, Meaning, NOTHING_TO_COUNT, ObjectKind, Statement};
use crate::model::subscription::{SubscriptionChange, SubscriptionStatus};
use crate::model::time::Timestamp;
use crate::sources::stripe::{MetadataKeys, Settings, Stripe};
use crate::sources::{Headers, Message, Request, Source};

struct Sent<'a>(&'a Sample);

impl Headers for Sent<'_> {
    fn values(&self, name: &str) -> Vec<&[u8]> {
        let fields = self.0.headers.iter();
        fields.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_bytes()).collect()
    }
}

fn stripe() -> Stripe {
    let secrets = vec![Secret::new("whsec_first"), Secret::new("whsec_second")];
    Stripe::new(Settings { secrets, tolerance: Duration::from_secs(300), metadata: MetadataKeys::default() })
}

fn wanted(event_type: &str, number: u64, livemode: bool) -> SampleRequest<'_> {
    SampleRequest { event_type, number, now: Timestamp::from_millis(1_790_000_000_123), livemode, endpoint: None }
}

fn received(request: &SampleRequest<'_>) -> (Interpreted, Statement) {
    let stripe = stripe();
    let sample = stripe.sample(request).unwrap();
    let sent = Sent(&sample);
    let arrival = Request::post(&sent, &sample.body, request.now);
    assert_eq!(stripe.verify(&arrival), Ok(()), "{}", request.event_type);
    let interpreted = stripe.interpret(&Message::bare(&sample.body, request.now)).unwrap();
    let odd: Vec<_> = interpreted.notes.iter().filter(|note| !note.starts_with(NOTHING_TO_COUNT)).collect();
    assert!(odd.is_empty(), "{}: {odd:?}", request.event_type);
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
            assert_eq!(interpreted.event_type, type_of(event_type));
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
            Claim::Paid(paid) if paid.amount.minor == 0 => "start",
            Claim::Paid(_) => "paid",
            Claim::AttemptFailed(_) => "failed",
            Claim::Refund(_) => "refund",
            Claim::Dispute(step) => match step.status {
                DisputeStatus::Open => "disputed",
                DisputeStatus::Lost => "lost",
                DisputeStatus::Restored => "restored",
            },
            Claim::Subscription(_) => "subscription",
            Claim::Booking(_) | Claim::Happened(_) => "no payment",
        };
        let expected = match event_type {
            "invoice_payment.paid" | "charge.refunded" | "customer.created" | "customer.updated" => "nothing",
            "checkout.session.completed/free" => "nothing",
            name if name.starts_with("customer.subscription.") => "subscription",
            name if name.ends_with("/trial") => "start",
            name if name.contains("refund") => "refund",
            name if name.ends_with("/lost") => "lost",
            name if name.ends_with("/won") || name.ends_with("reinstated") => "restored",
            name if name.contains("dispute") => "disputed",
            name if name.ends_with("failed") => "failed",
            _ => "paid",
        };
        assert_eq!(claim, expected, "{event_type}");
    }
}

#[test]
fn samples_of_a_membership_tell_its_life() {
    use SubscriptionChange::{EndScheduled, Overdue, Plan};
    use SubscriptionStatus::{Active, Ended, Overdue as IsOverdue, Paused, Trialing};
    for (sample, status, changes, price) in [
        ("customer.subscription.created", Active, vec![], 1900),
        ("customer.subscription.created/trial", Trialing, vec![], 1900),
        ("customer.subscription.updated", Active, vec![Plan], 3800),
        ("customer.subscription.updated/cancelling", Active, vec![EndScheduled], 1900),
        ("customer.subscription.updated/overdue", IsOverdue, vec![Overdue], 1900),
        ("customer.subscription.deleted", Ended, vec![], 1900),
        ("customer.subscription.paused", Paused, vec![], 1900),
        ("customer.subscription.resumed", Active, vec![], 1900),
    ] {
        let (_, statement) = received(&wanted(sample, 7, true));
        let Claim::Subscription(step) = statement.claim else { panic!("{sample}") };
        assert_eq!((step.terms.status, step.changes), (status, changes), "{sample}");
        assert_eq!(step.terms.price.map(|price| price.minor), Some(price), "{sample}");
        assert_eq!(step.terms.plan.as_deref(), Some("Membership"));
        assert_eq!(step.ended_at.is_some(), status == Ended);
        assert_eq!(statement.object.id, "sub_1Live0000000000000007");
    }
    let (_, first) = received(&wanted("invoice.paid/subscription", 7, true));
    assert_eq!(first.subscription.as_deref(), Some("sub_1Live0000000000000007"));
    let (_, trial) = received(&wanted("checkout.session.completed/trial", 7, true));
    assert_eq!(trial.subscription, first.subscription);
    let (_, over_nothing) = received(&wanted("invoice.paid/trial", 7, true));
    assert_eq!(trial.links, [over_nothing.object], "the trial's invoice is one over nothing");
    assert_ne!(trial.links, [first.object]);
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
        let of_another = ["/free", "/trial", "/subscription"].iter().any(|other| event_type.ends_with(other));
        if of_another || event_type.starts_with("customer.") {
            continue; // another order, the membership, the buyer
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
    assert_eq!(known.len(), 6, "one session, intent, charge, invoice, refund and dispute: {known:?}");
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
    assert!(stripe().sample(&wanted("plan.created", 7, true)).is_none());
    let metadata = MetadataKeys::default();
    let bare = Stripe::new(Settings { secrets: vec![], tolerance: Duration::from_secs(300), metadata });
    assert!(bare.sample(&wanted(TYPES[0], 7, true)).is_none());
}
