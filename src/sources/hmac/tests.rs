//! The source as a whole: samples, handshakes, explanations, and bytes that mean harm.

use proptest::prelude::*;

use super::preset::{PRESETS, preset};
use super::*;
use crate::model::envelope::Envelope;
use crate::model::statement::{Claim, NOTHING_TO_COUNT};
use crate::model::time::Timestamp;

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const ENDPOINT: &str = "https://hooks.example.com/api/webhooks/shop";

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000)
}

fn source(name: &'static str) -> Hmac {
    let scheme = preset(name).unwrap();
    Hmac::new(Settings {
        provider: name.to_owned(),
        preset: Some(name),
        scheme,
        secrets: vec![Secret::new("another secret, first in the list"), Secret::new(SECRET)]
            .into_iter()
            .filter(|secret| check::secret_fault(Some(name), &preset(name).unwrap(), secret.expose()).is_none())
            .collect(),
        account: "shop".to_owned(),
        is_test: false,
        meaning: meaning::presets::meaning(name),
    })
}

fn envelope(headers: &[(String, String)]) -> Envelope {
    let headers = headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
    Envelope { headers, event: None }
}

fn sampled(source: &Hmac, event_type: &str) -> Sample {
    let wanted = SampleRequest { event_type, number: 7, now: now(), livemode: true, endpoint: Some(ENDPOINT) };
    source.sample(&wanted).unwrap()
}

fn request<'a>(headers: &'a Envelope, body: &'a [u8]) -> Request<'a> {
    Request { endpoint: Some(ENDPOINT), ..Request::post(headers, body, now()) }
}

/// Every sample of every preset and what its page promises that it becomes.
const PROMISED: &[(&str, &[(&str, &str)])] = &[
    ("standard_webhooks", &[("user.created", "ignored")]),
    ("svix", &[("user.created", "ignored")]),
    ("github", &[("push", "ignored"), ("ping", "ignored")]),
    ("shopify", &[("orders/paid", "sale 9900"), ("orders/updated", "sale 9900"), ("refunds/create", "refund 1900")]),
    (
        "paddle",
        &[
            ("transaction.completed", "sale 9900"),
            ("adjustment.created", "ignored"),
            ("adjustment.updated", "refund 1900"),
            ("customer.created", "person"),
            ("customer.updated", "person"),
        ],
    ),
    (
        "lemon_squeezy",
        &[
            ("order_created", "sale 9900"),
            ("order_refunded", "refund 1900"),
            ("subscription_payment_success", "renewal 9900"),
            ("subscription_payment_refunded", "refund 1900"),
        ],
    ),
    ("square", &[("payment.updated", "sale 9900"), ("refund.updated", "refund 1900")]),
    (
        "calendly",
        &[
            ("invitee.created", "Booked"),
            ("invitee.canceled", "Cancelled"),
            ("invitee_no_show.created", "Missed"),
            ("invitee_no_show.deleted", "Booked"),
        ],
    ),
    ("typeform", &[("form_response", "lead")]),
    ("woocommerce", &[("order.created", "sale 9900"), ("order.updated", "refund 1900")]),
    (
        "mailerlite",
        &[
            ("subscriber.unsubscribed", "no mail"),
            ("subscriber.bounced", "no mail"),
            ("subscriber.spam_reported", "no mail"),
        ],
    ),
    ("hubspot", &[("contact.creation", "ignored"), ("contact.propertyChange", "ignored")]),
    (
        "cal_com",
        &[
            ("BOOKING_CREATED", "Booked"),
            ("BOOKING_RESCHEDULED", "Booked"),
            ("BOOKING_CANCELLED", "Cancelled"),
            ("BOOKING_REJECTED", "Cancelled"),
            ("BOOKING_NO_SHOW_UPDATED", "Missed"),
        ],
    ),
    ("slack", &[("message", "ignored"), ("url_verification", "ignored")]),
    ("zoom", &[("meeting.started", "ignored"), ("endpoint.url_validation", "ignored")]),
    ("paypal", &[]),
    ("twilio", &[("received", "ignored"), ("STOP", "ignored"), ("delivered", "ignored"), ("ringing", "ignored")]),
    ("mailgun", &[("unsubscribed", "no mail"), ("complained", "no mail"), ("failed", "no mail")]),
];

fn in_a_word(meaning: &Meant) -> String {
    let Meant::Statement(statement) = meaning else { return "ignored".to_owned() };
    let is_person = statement.person.email.is_some() || statement.customer.is_some();
    match &statement.claim {
        Claim::Paid(paid) if paid.billing.is_some() => format!("renewal {}", paid.amount.minor),
        Claim::Paid(paid) => format!("sale {}", paid.amount.minor),
        Claim::Refund(step) => format!("refund {}", step.amount.minor),
        Claim::Booking(step) => format!("{:?}", step.status),
        Claim::Happened(happened) => happened[0].kind.name().to_owned(),
        Claim::Nothing if statement.tags.consent.email == Some(false) && is_person => "no mail".to_owned(),
        Claim::Nothing if is_person => "person".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn every_sample_is_genuine_and_becomes_what_the_page_promises() {
    assert_eq!(PROMISED.iter().map(|(name, _)| *name).collect::<Vec<_>>(), PRESETS);
    for (name, promised) in PROMISED {
        let source = source(name);
        assert_eq!(source.sample_types(), promised.iter().map(|(event, _)| *event).collect::<Vec<_>>(), "{name}");
        for (event_type, word) in *promised {
            let sample = sampled(&source, event_type);
            let headers = envelope(&sample.headers);
            assert_eq!(source.verify(&request(&headers, &sample.body)), Ok(()), "{name} {event_type}");
            let message = Message { envelope: &headers, body: &sample.body, received_at: now() };
            let body = match source.split(&message).unwrap() {
                Some(parts) => parts.into_iter().next().unwrap(),
                None => sample.body.clone(),
            };
            let told = source.interpret(&Message { body: &body, ..message }).unwrap();
            assert_eq!(told.event_type, *event_type, "{name}");
            let odd: Vec<_> = told.notes.iter().filter(|note| !note.starts_with(NOTHING_TO_COUNT)).collect();
            assert!(odd.is_empty(), "{name} {event_type}: {odd:?}");
            assert_eq!(in_a_word(&told.meaning), *word, "{name} {event_type}");
            if !["ignored", "refund 1900"].contains(word) || *name == "paddle" {
                assert_eq!(
                    told.created.map(|at| at.unix_seconds()),
                    Some(1_700_000_000),
                    "{name} {event_type}: its time is read"
                );
            }
            assert_eq!(told.scope.provider, *name);
            assert!(!told.provider_id.is_empty());
        }
    }
}

#[test]
fn a_sample_of_a_sender_that_signs_its_address_needs_one() {
    for name in ["square", "hubspot", "twilio"] {
        assert!(source(name).settings.scheme.signs_address(), "{name}");
    }
    let nowhere = SampleRequest { event_type: "received", number: 7, now: now(), livemode: true, endpoint: None };
    assert!(source("twilio").sample(&nowhere).is_none());
}

#[test]
fn twilio_alone_is_answered_in_its_own_language() {
    for name in PRESETS {
        let answer = source(name).acknowledgement();
        assert_eq!(answer.is_some(), name == "twilio", "{name}");
    }
    assert_eq!(source("twilio").acknowledgement(), Some(("text/xml", "<Response/>")));
}

#[test]
fn slack_and_zoom_get_their_answer_only_when_they_signed() {
    let slack = source("slack");
    let sample = sampled(&slack, "url_verification");
    let headers = envelope(&sample.headers);
    let answer = slack.handshake(&request(&headers, &sample.body)).unwrap().answer;
    assert_eq!(answer, br#"{"challenge":"challenge1000007"}"#);
    assert_eq!(slack.handshake(&request(Envelope::EMPTY, &sample.body)), None);
    let zoom = source("zoom");
    let sample = sampled(&zoom, "endpoint.url_validation");
    let headers = envelope(&sample.headers);
    let answer: serde_json::Value =
        serde_json::from_slice(&zoom.handshake(&request(&headers, &sample.body)).unwrap().answer).unwrap();
    assert_eq!(answer["plainToken"], "plain1000007");
    assert_eq!(answer["encryptedToken"].as_str().unwrap().len(), 64);
    assert_eq!(zoom.handshake(&request(Envelope::EMPTY, &sample.body)), None);
    let meeting = sampled(&zoom, "meeting.started");
    let headers = envelope(&meeting.headers);
    assert_eq!(zoom.handshake(&request(&headers, &meeting.body)), None);
}

#[test]
fn zoom_is_sent_back_the_hash_of_its_token() {
    // Worked out with Python's hmac.
    let checker = Checker::new(preset("zoom").unwrap(), &[Secret::new("a secret for the tests")]);
    let body = br#"{"event":"endpoint.url_validation","payload":{"plainToken":"plain123"}}"#;
    let headers = envelope(&checker.sign("POST", "", "", now().millis(), body).unwrap());
    let answer = greeting::answer(scheme::Greeting::Zoom, &checker, &request(&headers, body)).unwrap().answer;
    let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["encryptedToken"], "e33fe26807aa96316958e29b4f61e57608817b4f6613175e09cf16163af000c9");
    let body = br#"{"event":"endpoint.url_validation","payload":{"plainToken":"v0:1700000000:{}"}}"#;
    let headers = envelope(&checker.sign("POST", "", "", now().millis(), body).unwrap());
    assert_eq!(
        greeting::answer(scheme::Greeting::Zoom, &checker, &request(&headers, body)),
        None,
        "it signs no requests"
    );
}

#[test]
fn woocommerce_is_greeted_in_exactly_one_form() {
    let shop = source("woocommerce");
    let greeted = |body: &[u8]| shop.handshake(&request(Envelope::EMPTY, body)).is_some();
    assert!(greeted(b"webhook_id=12"));
    for other in
        [&b"webhook_id="[..], b"webhook_id=12&x=1", b"webhook_id=12\n", b"webhook_id=a", b"{\"webhook_id\":12}", b""]
    {
        assert!(!greeted(other), "{:?}", String::from_utf8_lossy(other));
    }
    assert!(source("shopify").handshake(&request(Envelope::EMPTY, b"webhook_id=12")).is_none());
}

#[test]
fn refusals_are_explained_in_words_that_help() {
    let told = |name: &'static str, headers: &[(&str, &str)], body: &[u8]| {
        let source = source(name);
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let headers = envelope(&headers);
        let refusal = source.verify(&request(&headers, body)).unwrap_err();
        source.explain(&request(&headers, body), refusal)
    };
    let hex = "ab".repeat(32);
    assert!(told("shopify", &[], b"{}").contains("no header x-shopify-hmac-sha256"));
    assert!(told("shopify", &[("stripe-signature", "t=1")], b"{}").contains("Stripe"));
    assert!(told("shopify", &[("x-shopify-hmac-sha256", &hex)], b"{}").contains("hexadecimal"));
    assert!(told("cal_com", &[("x-cal-signature-256", "no-secret-provided")], b"{}").contains("no secret"));
    assert!(told("github", &[("x-hub-signature-256", &hex)], b"{}").contains("sha256="));
    let client = told("shopify", &[("x-shopify-hmac-sha256", "UjLMS6OQ8E45nz8aoVEUVF818olPn41QigP5ncdVQ6Q=")], b"{}");
    assert!(client.contains("client secret"), "{client}");
    let slack = source("slack");
    let sample = sampled(&slack, "message");
    let headers = envelope(&sample.headers);
    let late = Request { received_at: now().after(Duration::from_secs(3600)), ..request(&headers, &sample.body) };
    let refusal = slack.verify(&late).unwrap_err();
    assert!(slack.explain(&late, refusal).contains("1h"), "{}", slack.explain(&late, refusal));
    let changed = [&sample.body[..], b"\n"].concat();
    let cut = request(&headers, &changed);
    assert!(slack.explain(&cut, Refusal::NoMatchingSignature).contains("line break"));
    let lost = &sample.headers[..2];
    assert!(lost.iter().any(|(name, _)| name == "x-slack-signature"));
    let lost = envelope(lost);
    assert!(
        slack.explain(&request(&lost, &sample.body), Refusal::MalformedSignature).contains("x-slack-request-timestamp")
    );
}

#[test]
fn tokens_and_pairs_are_other_proofs() {
    let of = |proof, secret: &str| {
        Hmac::new(Settings {
            provider: "hmac-x".into(),
            preset: None,
            scheme: Scheme { proof, event_type: vec!["query:event".into()], ..Scheme::default() },
            secrets: vec![Secret::new(secret)],
            account: "x".into(),
            is_test: false,
            meaning: Meaning::default(),
        })
    };
    for source in [of(Proof::Token, "0123456789abcdef"), of(Proof::Basic, "ada:pass")] {
        let sample = sampled(&source, "sample");
        let headers = envelope(&sample.headers);
        assert_eq!(source.verify(&request(&headers, &sample.body)), Ok(()));
        assert_eq!(source.verify(&request(Envelope::EMPTY, &sample.body)), Err(Refusal::MissingToken));
        assert!(source.signature_headers().is_empty(), "a token is never kept");
    }
    assert!(of(Proof::Token, "0123456789abcdef").admits("0123456789abcdef"));
    assert!(!of(Proof::Basic, "0123456789abcdef").admits("0123456789abcdef"));
    let blank = of(Proof::Token, "");
    assert!(!blank.admits(""));
}

fn harmful() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("v1,"),
        Just("t="),
        Just("ts=1700000000"),
        Just(";h1="),
        Just("sha256="),
        Just("5232cc4ba390f04e399f3f1aa15114545f35f2894f9f8d508a03f99dc75543a4"),
        Just(","),
        Just(" "),
        Just("v0="),
        Just("webhook_id=1"),
        Just("{\"type\":\"url_verification\",\"challenge\":"),
        Just("[[["),
        Just("%zz&payload=%7B"),
        Just("\u{e9}"),
    ];
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_bytes()),
    ]
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_believe(
        values in proptest::collection::vec(harmful(), 8), body in harmful(), at in any::<i64>(), which in 0..PRESETS.len(),
    ) {
        let source = source(PRESETS[which]);
        let scheme = &source.settings.scheme;
        let names = [scheme.headers.first(), scheme.timestamp_headers.first(), scheme.id_headers.first()];
        let names = names.into_iter().flatten().map(String::as_str).chain(source.signature_headers());
        let headers = names.map(str::to_owned).zip(values).collect();
        let envelope = Envelope { headers, event: None };
        let request = Request { received_at: Timestamp::from_millis(at), ..request(&envelope, &body) };
        let refusal = source.verify(&request).unwrap_err();
        prop_assert!(!source.explain(&request, refusal).is_empty());
        let _ = source.handshake(&request);
        let message = Message { envelope: &envelope, body: &body, received_at: now() };
        let _ = source.split(&message);
        if let Ok(told) = source.interpret(&message) {
            prop_assert!(told.provider_id.len() <= 255 && told.provider_id.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
