use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::super::samples::{self, SOLD_AT, body, contact, delivery, done, event, job, money, play, reply, sent};
use super::super::{NoAnswer, Reply};
use super::*;
use crate::model::attribution::Consent;
use crate::model::business_event::{Mark, SubscriptionFacts};
use crate::model::id::Mode;
use crate::model::statement::Item;
use crate::model::subscription::{SubscriptionChange, SubscriptionStatus};

/// The bytes 0 to 23.
const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

fn webhook(personal_data: bool) -> Webhook {
    Webhook::new(Settings {
        url: Secret::new("https://hooks.example.com/catch/k3y-of-the-hook?token=t0ken"),
        secret: Secret::new(SECRET),
        personal_data,
    })
}

fn request(webhook: &Webhook, event: BusinessEvent, contact: Option<&Contact>) -> HttpRequest {
    sent(webhook.step(&job(&[event], contact, None), &[]))
}

fn header<'r>(request: &'r HttpRequest, name: &str) -> &'r str {
    request.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str()).unwrap()
}

fn judged(reply: Reply) -> Outcome {
    let events = [event("purchase")];
    done(play(&webhook(false), &job(&events, None, None), &[reply]).1).outcome
}

#[test]
fn a_purchase_as_the_receiver_gets_it() {
    let mut sale = event("purchase");
    sale.facts.details.items =
        vec![Item { id: Some("prod_1".into()), name: Some("Course".into()), quantity: 2, unit_minor: Some(4975) }];
    sale.facts.consent = Consent { analytics: Some(true), ads: None, email: Some(false) };
    sale.facts.marks = vec![Mark::ByLikeness];
    let jane = contact();
    let request = request(&webhook(false), sale, Some(&jane));
    assert_eq!(
        request.address().expose(),
        "https://hooks.example.com/catch/k3y-of-the-hook?token=t0ken",
        "the whole address is used"
    );
    assert_eq!(request.method, Method::Post);
    assert!(request.repeatable);
    assert_eq!(
        request.headers,
        [
            ("content-type", "application/json".to_owned()),
            ("webhook-id", "msg_b5_1747132561000".to_owned()),
            ("webhook-timestamp", "1747132621".to_owned()),
        ]
    );
    assert_eq!(
        body(&request),
        json!({
            "id": "msg_b5_1747132561000",
            "type": "purchase",
            "created_at": "2025-05-13T10:36:01.000Z",
            "livemode": true,
            "data": {
                "kind": "purchase",
                "business_event": "b5",
                "key": "stripe/-/live/pi_1",
                "occurred_at": "2025-05-13T10:36:01.000Z",
                "transaction_id": "pi_1",
                "value": 99.5,
                "currency": "EUR",
                "tax": 15.89,
                "coupon": "SPRING10",
                "payment_method_type": "card",
                "items": [{"item_id": "prod_1", "item_name": "Course", "quantity": 2, "price": 49.75}],
                "pricing_tier": "premium",
                "lead_id": "lead_7",
                "user_id": "user_3",
                "attribution": {
                    "client_id": "1234567890.1747130000",
                    "session_id": "1747130000",
                    "utm_source": "newsletter",
                    "utm_campaign": "spring",
                },
                "consent": {"analytics": true, "email": false},
                "days_to_conversion": 3,
                "returning": false,
                "marks": ["by_likeness"],
                "contact": {
                    "id": "c12",
                    "stage": "customer",
                    "customer_since": "2025-05-13T10:36:01.000Z",
                    "purchases": 1,
                    "renewals": 0,
                    "refunds": 0,
                    "disputes_lost": 0,
                    "total_spent": {"EUR": 99.5},
                },
            },
        })
    );
}

#[test]
fn the_signature_is_what_the_specification_says() {
    let request = request(&webhook(false), event("purchase"), None);
    let key: Vec<u8> = (0..24).collect();
    let mut mac = <Hmac<Sha256>>::new_from_slice(&key).unwrap();
    mac.update(b"msg_b5_1747132561000.1747132621.");
    mac.update(&request.body);
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(request.secret_header, Some(("webhook-signature", Secret::new(expected))));
}

#[test]
fn money_that_goes_back_does_not_claim_the_sales_lines() {
    let mut refund = event("refund");
    refund.amount = Some(money(1001, "eur"));
    refund.facts.details.items = vec![Item { id: None, name: Some("Course".into()), quantity: 1, unit_minor: None }];
    let told = body(&request(&webhook(false), refund, None));
    assert_eq!((&told["type"], &told["data"]["value"]), (&json!("refund"), &json!(10.01)));
    for absent in ["tax", "coupon", "items", "contact"] {
        assert_eq!(told["data"].get(absent), None, "{absent}");
    }
}

#[test]
fn a_subscription_is_told_as_it_stood_then() {
    let mut changed = event("subscription_changed");
    changed.scope.mode = Mode::Test;
    changed.amount = None;
    changed.facts.subscription = Some(SubscriptionFacts {
        id: "sub_1".into(),
        status: SubscriptionStatus::Active,
        plan: Some("Team".into()),
        price: Some(money(2900, "usd")),
        changes: vec![SubscriptionChange::Plan],
        ends_at: Some(SOLD_AT),
    });
    let told = body(&request(&webhook(false), changed, None));
    assert_eq!(told["livemode"], false);
    assert_eq!(
        told["data"]["subscription"],
        json!({
            "id": "sub_1", "status": "active", "plan": "Team", "price": 29, "currency": "USD",
            "changes": [SubscriptionChange::Plan.name()], "ends_at": "2025-05-13T10:36:01.000Z",
        })
    );
    assert_eq!(told["data"].get("value"), None, "an absent amount is not zero");
}

#[test]
fn every_attempt_and_generation_of_an_event_has_one_id_and_one_body() {
    let (events, webhook) = ([event("purchase")], webhook(false));
    let jane = contact();
    let first = sent(webhook.step(&job(&events, Some(&jane), None), &[]));
    let mut later = job(&events, Some(&jane), None);
    later.key = "b5.1.1";
    later.now = SOLD_AT.after(Duration::from_secs(86_400));
    let second = sent(webhook.step(&later, &[]));
    assert_eq!(header(&first, "webhook-id"), header(&second, "webhook-id"));
    assert_eq!(first.body, second.body);
    assert_ne!(header(&first, "webhook-timestamp"), header(&second, "webhook-timestamp"));
    assert_ne!(first.secret_header, second.secret_header, "signed for its own time");

    let mut other = event("purchase");
    other.created_at = SOLD_AT.after(Duration::from_millis(1));
    let other = request(&webhook, other, None);
    assert_ne!(header(&other, "webhook-id"), header(&first, "webhook-id"), "the number of a restored store");
    assert!(!header(&first, "webhook-id").contains('.'));
}

#[test]
fn the_kind_is_the_one_that_was_frozen() {
    let webhook = webhook(false);
    let frozen = delivery(webhook.freeze(&event("purchase"), None));
    let events = [event("renewal")];
    let told = Job { delivery: Some(&frozen), ..job(&events, None, None) };
    let told = body(&sent(webhook.step(&told, &[])));
    assert_eq!((&told["type"], &told["data"]["kind"]), (&json!("purchase"), &json!("purchase")));
}

#[test]
fn personal_data_goes_along_only_when_it_is_asked_for() {
    let mut sale = event("purchase");
    sale.key = "form/-/live/jane@example.com".into();
    sale.facts.lead_id = Some("jane@example.com".into());
    sale.facts.attribution.utm_content = Some("for jane@example.com".into());
    let jane = contact();
    let events = [sale.clone()];
    let (requests, end) = play(&webhook(false), &job(&events, Some(&jane), None), &[reply(200, "")]);
    let text = String::from_utf8(requests[0].body.clone()).unwrap();
    for private in ["jane", "Jane", "4930"] {
        assert!(!text.contains(private), "{private} in {text}");
    }
    assert_eq!(
        done(end).notes,
        [
            "key was left out: it holds an e-mail address (personal_data = false)",
            "lead_id was left out: it holds an e-mail address (personal_data = false)",
            "utm_content was left out: it holds an e-mail address (personal_data = false)"
        ]
    );
    let request = request(&webhook(true), sale, Some(&jane));
    let told = body(&request);
    assert_eq!(told["data"]["lead_id"], "jane@example.com");
    let person = &told["data"]["contact"];
    assert_eq!(
        (&person["email"], &person["phone"], &person["name"]),
        (&json!("jane@example.com"), &json!("+493012345678"), &json!("Jane Doe"))
    );
}

#[test]
fn what_is_shown_holds_no_secret_and_nobody() {
    let jane = contact();
    let request = request(&webhook(true), event("purchase"), Some(&jane));
    let shown = request.shown();
    assert!(shown.starts_with("POST https://hooks.example.com/… {"), "{shown}");
    let signature = request.secret_header.as_ref().unwrap().1.expose().to_owned();
    for hidden in ["jane", "Jane", "4930", "k3y", "t0ken", "AAECAw", &signature] {
        assert!(!shown.contains(hidden), "{hidden} in {shown}");
    }
    let echo = format!("no /catch/k3y-of-the-hook here for {signature}");
    let answer = Exchange { request, reply: reply(400, &echo) };
    let excerpt = status::excerpt(&answer);
    assert!(!excerpt.contains("k3y") && !excerpt.contains(&signature), "{excerpt}");
}

#[test]
fn every_answer_has_its_meaning() {
    for status in [200, 201, 202, 204] {
        assert_eq!(judged(reply(status, "")), Outcome::Delivered, "{status}");
    }
    for (status, says) in [(301, "`url`"), (401, "`secret`"), (410, "no more webhooks")] {
        let Outcome::Broken { explanation } = judged(reply(status, "")) else { panic!("{status}") };
        assert!(explanation.contains(says), "{explanation}");
    }
    for status in [400, 404, 405, 413, 422] {
        assert!(matches!(judged(reply(status, "")), Outcome::Permanent { .. }), "{status}");
    }
    assert!(matches!(judged(reply(403, "")), Outcome::Forbidden { .. }));
    assert!(matches!(judged(reply(429, "")), Outcome::SlowDown { .. }));
    for reply in [reply(500, ""), reply(408, ""), samples::timed_out(), Err(NoAnswer::NotSent("refused".into()))] {
        assert!(matches!(judged(reply.clone()), Outcome::Retry { .. }), "{reply:?}: a repeat is known by its id");
    }
}

#[test]
fn it_gets_every_named_kind_but_changes_of_a_person() {
    let told: Vec<&str> = webhook(false).default_events().iter().map(EventKind::name).collect();
    for kind in EventKind::named() {
        assert_eq!(told.contains(&kind), kind != "contact_changed", "{kind}");
    }
}

#[test]
fn an_address_is_taken_apart_without_losing_anything() {
    for (url, shown) in [
        ("https://hooks.example.com", "POST https://hooks.example.com {"),
        ("https://hooks.example.com/", "POST https://hooks.example.com {"),
        ("http://127.0.0.1:9000/in", "POST http://127.0.0.1:9000/… {"),
        ("https://hooks.example.com?key=a", "POST https://hooks.example.com/… {"),
    ] {
        let settings = Settings { url: Secret::new(url), secret: Secret::new(SECRET), personal_data: false };
        let request = request(&Webhook::new(settings), event("lead"), None);
        assert_eq!(request.address().expose().trim_end_matches('/'), url.trim_end_matches('/'));
        assert!(request.shown().starts_with(shown), "{}", request.shown());
        let told: Value = body(&request);
        assert_eq!(told["type"], "lead");
    }
}
