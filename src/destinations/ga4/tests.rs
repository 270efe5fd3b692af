use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::samples::{self, body, done, event, job, money, play, reply, sent, stranger, timed_out};
use super::*;
use crate::destinations::consent;
use crate::model::attribution::Consent;
use crate::model::business_event::{EventFacts, Subject, SubscriptionFacts};
use crate::model::id::Mode;
use crate::model::identity::{Identity, IdentityKind};
use crate::model::statement::Item;
use crate::model::subscription::{SubscriptionChange, SubscriptionStatus};

pub(super) fn settings() -> Settings {
    Settings {
        measurement_id: "G-TEST1".into(),
        api_secret: Secret::new("s3cret"),
        endpoint: "https://www.google-analytics.com".into(),
        client_id_fallback: ClientIdFallback::Derived,
        default_item: DefaultItem {
            id: "default_service".into(),
            name: "Professional Service".into(),
            category: "services".into(),
        },
        event_names: Vec::new(),
        params: Vec::new(),
        user_id: false,
        user_data: false,
        debug_mode: false,
    }
}

fn ga4() -> Ga4 {
    Ga4::new(settings())
}

/// The first step for an event, frozen as it would be.
pub(super) fn step_with(
    ga4: &Ga4,
    event: &BusinessEvent,
    contact: Option<&Contact>,
    replies: &[super::super::Reply],
) -> Step {
    let delivery = samples::delivery(ga4.freeze(event, contact));
    let events = [event.clone()];
    let job = Job { delivery: Some(&delivery), ..job(&events, contact, None) };
    play(ga4, &job, replies).1
}

fn request(event: &BusinessEvent) -> Value {
    body(&sent(step_with(&ga4(), event, None, &[])))
}

fn params(event: &BusinessEvent) -> Value {
    request(event)["events"][0]["params"].clone()
}

#[test]
fn a_purchase_as_ga4_gets_it() {
    let request = sent(step_with(&ga4(), &event("purchase"), None, &[]));
    assert_eq!(request.url, "https://www.google-analytics.com/mp/collect?measurement_id=G-TEST1");
    assert_eq!(
        request.address().expose(),
        "https://www.google-analytics.com/mp/collect?measurement_id=G-TEST1&api_secret=s3cret"
    );
    assert_eq!(request.headers, [("content-type", "application/json".to_owned())]);
    assert!(request.repeatable);
    assert!(!format!("{request:?}").contains("s3cret"));
    assert_eq!(
        body(&request),
        json!({
            "client_id": "1234567890.1747130000",
            "timestamp_micros": 1_747_132_561_000_000_i64,
            "events": [{
                "name": "purchase",
                "timestamp_micros": 1_747_132_561_000_000_i64,
                "params": {
                    "session_id": "1747130000",
                    "engagement_time_msec": 1,
                    "transaction_id": "pi_1",
                    "value": 99.5,
                    "currency": "EUR",
                    "tax": 15.89,
                    "coupon": "SPRING10",
                    "payment_method_type": "card",
                    "pricing_tier": "premium",
                    "lead_id": "lead_7",
                    "lead_source": "newsletter",
                    "lead_campaign": "spring",
                    "days_to_conversion": 3,
                    "event_source": "server",
                    "customer_type": "new",
                    "items": [{
                        "item_id": "default_service",
                        "item_name": "Professional Service",
                        "item_category": "services",
                        "price": 99.5,
                        "quantity": 1,
                    }],
                },
            }],
        })
    );
}

#[test]
fn a_refund_is_positive_and_carries_neither_the_sales_tax_nor_its_customer_type() {
    let mut refund = event("refund");
    refund.amount = Some(money(5000, "eur"));
    for kind in [EventKind::Refund, EventKind::DisputeLost] {
        refund.kind = kind;
        let request = sent(step_with(&ga4(), &refund, None, &[]));
        assert!(!request.repeatable);
        assert_eq!(
            body(&request)["events"],
            json!([{
                "name": "refund",
                "timestamp_micros": 1_747_132_561_000_000_i64,
                "params": {
                    "session_id": "1747130000",
                    "engagement_time_msec": 1,
                    "transaction_id": "pi_1",
                    "value": 50,
                    "currency": "EUR",
                    "coupon": "SPRING10",
                    "payment_method_type": "card",
                    "pricing_tier": "premium",
                    "lead_id": "lead_7",
                    "lead_source": "newsletter",
                    "lead_campaign": "spring",
                    "days_to_conversion": 3,
                    "event_source": "server",
                    "items": [{
                        "item_id": "default_service",
                        "item_name": "Professional Service",
                        "item_category": "services",
                        "price": 50,
                        "quantity": 1,
                    }],
                },
            }])
        );
    }
}

#[test]
fn every_kind_has_its_name_at_ga4() {
    for (kind, name) in [
        ("purchase", "purchase"),
        ("renewal", "purchase"),
        ("refund", "refund"),
        ("dispute_lost", "refund"),
        ("lead", "generate_lead"),
        ("booking_made", "booking_made"),
        ("booking_attended", "booking_attended"),
        ("payment_failed", "payment_failed"),
        ("refund_failed", "refund_failed"),
        ("dispute_reversed", "dispute_reversed"),
        ("trial_started", "trial_started"),
        ("subscription_started", "subscription_started"),
        ("subscription_changed", "subscription_changed"),
        ("subscription_ended", "subscription_ended"),
        ("webinar_joined", "webinar_joined"),
    ] {
        assert_eq!(request(&event(kind))["events"][0]["name"], name);
    }
    let mut settings = settings();
    settings.event_names = vec![(EventKind::Renewal, "renewal".into())];
    let renewal = sent(step_with(&Ga4::new(settings), &event("renewal"), None, &[]));
    assert_eq!(body(&renewal)["events"][0]["name"], "renewal");
    assert!(!renewal.repeatable, "GA4 only recognises a repeated purchase");
}

#[test]
fn a_renewal_is_marked_and_the_frozen_kind_decides() {
    assert_eq!(params(&event("renewal"))["sale_type"], "renewal");
    assert!(params(&event("purchase")).get("sale_type").is_none());
    let ga4 = ga4();
    let frozen = ga4.freeze(&event("purchase"), None);
    let delivery = samples::delivery(frozen);
    let events = [event("renewal")];
    let job = Job { delivery: Some(&delivery), ..job(&events, None, None) };
    let params = body(&sent(ga4.step(&job, &[])))["events"][0]["params"].clone();
    assert!(params.get("sale_type").is_none());
}

#[test]
fn what_happens_to_a_subscription_tells_its_plan_and_no_value() {
    let mut told = event("subscription_changed");
    told.subject = Subject::SubscriptionChanged("evt_1".into());
    (told.amount, told.transaction_id) = (None, None);
    told.facts = EventFacts {
        attribution: told.facts.attribution,
        subscription: Some(SubscriptionFacts {
            id: "sub_1".into(),
            status: SubscriptionStatus::Active,
            plan: Some("Pro".into()),
            price: Some(money(1900, "eur")),
            changes: vec![SubscriptionChange::Plan, SubscriptionChange::TrialEnded],
            ends_at: None,
        }),
        ..EventFacts::default()
    };
    assert_eq!(
        request(&told)["events"],
        json!([{
            "name": "subscription_changed",
            "timestamp_micros": 1_747_132_561_000_000_i64,
            "params": {
                "session_id": "1747130000",
                "engagement_time_msec": 1,
                "lead_source": "newsletter",
                "lead_campaign": "spring",
                "subscription_plan": "Pro",
                "subscription_status": "active",
                "subscription_change": "plan,trial_ended",
                "event_source": "server",
                "items": [{"item_name": "Pro", "quantity": 1}],
            },
        }])
    );
    let facts = told.facts.subscription.as_mut().unwrap();
    (facts.status, facts.changes) = (SubscriptionStatus::Ended, Vec::new());
    told.kind = EventKind::SubscriptionEnded;
    let params = params(&told);
    assert_eq!(params["subscription_status"], "ended");
    assert!(params.get("subscription_change").is_none() && params.get("value").is_none());
}

#[test]
fn money_that_comes_back_after_all_names_no_more_items_than_its_amount() {
    for kind in ["refund_failed", "dispute_reversed", "dispute_lost"] {
        let mut told = event(kind);
        told.amount = Some(money(2000, "eur"));
        let item = |name: &str| Item { id: None, name: Some(name.into()), quantity: 1, unit_minor: Some(4975) };
        told.facts.details.items = vec![item("a"), item("b")];
        let params = params(&told);
        assert_eq!((&params["value"], &params["currency"]), (&json!(20), &json!("EUR")), "{kind}");
        assert_eq!(params["items"].as_array().map(Vec::len), Some(1), "{kind}");
        assert_eq!(params["items"][0]["price"], 20, "{kind}");
    }
}

#[test]
fn a_failed_payment_says_why_and_is_no_sale() {
    let mut failed = event("payment_failed");
    failed.facts.failure_code = Some("card_declined".into());
    let request = request(&failed);
    assert_eq!(request["events"][0]["name"], "payment_failed");
    assert_eq!(request["events"][0]["params"]["failure_code"], "card_declined");
    assert!(request["events"][0]["params"].get("customer_type").is_none());
}

#[test]
fn stages_of_a_lead_are_told_where_the_configuration_names_them() {
    let names = [
        ("booking_attended", "qualify_lead"),
        ("purchase", "close_convert_lead"),
        ("booking_missed", "disqualify_lead"),
    ];
    let event_names = names.iter().map(|(kind, name)| (kind.parse().unwrap(), (*name).to_owned())).collect();
    let ga4 = Ga4::new(Settings { event_names, ..settings() });
    for (kind, name) in names {
        let request = sent(step_with(&ga4, &event(kind), None, &[]));
        let told = &body(&request)["events"][0];
        assert_eq!((&told["name"], &told["params"]["value"]), (&json!(name), &json!(99.5)));
        assert_eq!(
            (&told["params"]["currency"], &told["params"]["lead_source"]),
            (&json!("EUR"), &json!("newsletter"))
        );
        assert!(!request.repeatable);
    }
}

#[test]
fn parameters_of_ones_own_are_added_while_there_is_room() {
    let named = |name: &str, field: &str| (name.to_owned(), Field::named(field).unwrap());
    let mut params = vec![
        named("happened", "kind"),
        named("medium", "utm_medium"),
        named("spent", "total_spent"),
        named("since", "customer_since"),
        named("came_back", "returning"),
        named("stage", "lifecycle_stage"),
    ];
    let told = |params: &Vec<(String, &'static Field)>| {
        let ga4 = Ga4::new(Settings { params: params.clone(), ..settings() });
        let jane = samples::contact();
        let request = body(&sent(step_with(&ga4, &event("purchase"), Some(&jane), &[])));
        (
            request["events"][0]["params"].clone(),
            done(step_with(&ga4, &event("purchase"), Some(&jane), &[reply(204, "")])).notes,
        )
    };
    let (sale, notes) = told(&params);
    assert_eq!(sale["happened"], "purchase");
    assert!(sale.get("medium").is_none(), "not known");
    assert_eq!((&sale["spent"], &sale["came_back"]), (&json!(99.5), &json!("false")));
    assert_eq!(sale["since"], "2025-05-13T10:36:01.000Z");
    assert_eq!(sale["stage"], "customer");
    assert_eq!(notes, [ACCEPTED]);
    params.extend((0..20).map(|n| named(&format!("own_{n}"), "kind")));
    let (sale, notes) = told(&params);
    assert_eq!(sale.as_object().unwrap().len(), 26, "25 and the items");
    assert!(notes[0].ends_with("was left out: GA4 takes at most 25 parameters"), "{notes:?}");
}

#[test]
fn the_whole_session_cookie_serves_as_well() {
    for cookie in ["GS1.1.1747130000.3.1.1747132999.60.0.0", "GS2.1.s1747130000$o1$g0$t1747132655$j0$l0$h0"] {
        let mut sale = event("purchase");
        sale.facts.attribution.session_id = Some(cookie.into());
        assert_eq!(params(&sale)["session_id"], "1747130000", "{cookie}");
    }
}

#[test]
fn debug_mode_is_told_only_when_it_is_configured() {
    assert!(params(&event("purchase")).get("debug_mode").is_none());
    let ga4 = Ga4::new(Settings { debug_mode: true, ..settings() });
    assert_eq!(body(&sent(step_with(&ga4, &event("lead"), None, &[])))["events"][0]["params"]["debug_mode"], true);
}

#[test]
fn what_carries_no_money_has_no_value() {
    for (kind, name) in
        [("lead", "generate_lead"), ("booking_made", "booking_made"), ("booking_attended", "booking_attended")]
    {
        let mut told = event(kind);
        told.amount = None;
        told.transaction_id = None;
        told.facts.details = Default::default();
        told.facts.days_to_conversion = None;
        told.facts.pricing_tier = None;
        assert_eq!(
            request(&told)["events"],
            json!([{
                "name": name,
                "timestamp_micros": 1_747_132_561_000_000_i64,
                "params": {
                    "session_id": "1747130000",
                    "engagement_time_msec": 1,
                    "lead_id": "lead_7",
                    "lead_source": "newsletter",
                    "lead_campaign": "spring",
                    "event_source": "server",
                    "items": [{
                        "item_id": "default_service",
                        "item_name": "Professional Service",
                        "item_category": "services",
                        "quantity": 1,
                    }],
                },
            }])
        );
    }
}

#[test]
fn amounts_follow_their_currency() {
    for (minor, code, value) in
        [(4500, "jpy", json!(4500)), (5120, "kwd", json!(5.12)), (1, "eur", json!(0.01)), (500, "isk", json!(5))]
    {
        let mut sale = event("purchase");
        sale.amount = Some(money(minor, code));
        sale.facts.details.tax = None;
        let params = params(&sale);
        assert_eq!((&params["value"], &params["currency"]), (&value, &json!(code.to_uppercase())));
        assert_eq!(params["items"][0]["price"], value);
    }
}

#[test]
fn the_session_counts_while_it_is_open() {
    let with_session = |start: String, client_id: &str| {
        let mut sale = event("purchase");
        sale.facts.attribution.session_id = Some(start);
        sale.facts.attribution.client_id = Some(client_id.into());
        params(&sale).get("session_id").is_some()
    };
    let ago = |minutes: u64| samples::SOLD_AT.before(Duration::from_secs(minutes * 60)).unix_seconds().to_string();
    let own = "1.2";
    assert!(with_session(ago(23 * 60 + 59), own));
    assert!(!with_session(ago(24 * 60), own));
    assert!(!with_session(ago(24 * 60 + 1), own));
    assert!(
        !with_session(samples::SOLD_AT.after(Duration::from_secs(3600)).unix_seconds().to_string(), own),
        "a later session"
    );
    for wrong in ["", "abc", "1747130000x", "1747130000000", "-1747130000", "99999999999999999999"] {
        assert!(!with_session(wrong.into(), own), "{wrong}");
    }
    assert!(!with_session(ago(1), "cus_123"), "a session means nothing without its browser");
}

#[test]
fn a_session_is_left_out_once_ga4_would_get_it_too_late() {
    let ga4 = ga4();
    let events = [event("purchase")];
    let delivery = samples::delivery(ga4.freeze(&events[0], None));
    let after = |hours: u64| {
        let now = Timestamp::from_unix_seconds(1_747_130_000).after(Duration::from_secs(hours * 3600));
        let job = Job { delivery: Some(&delivery), now, ..job(&events, None, None) };
        body(&sent(ga4.step(&job, &[])))["events"][0]["params"].get("session_id").is_some()
    };
    assert!(after(47));
    assert!(!after(48));
}

#[test]
fn items_are_told_as_the_event_tells_them() {
    let mut sale = event("purchase");
    sale.facts.service_id = Some("svc_1".into());
    assert_eq!(params(&sale)["items"], json!([{"item_id": "svc_1", "price": 99.5, "quantity": 1}]));

    let item = |id: &str, name: &str, quantity, unit_minor| Item {
        id: (!id.is_empty()).then(|| id.into()),
        name: (!name.is_empty()).then(|| name.into()),
        quantity,
        unit_minor,
    };
    sale.facts.details.items = vec![item("a", "Course", 2, Some(4000)), item("", "jane@example.com", 0, None)];
    assert_eq!(
        params(&sale)["items"],
        json!([
            {"item_id": "a", "item_name": "Course", "price": 40, "quantity": 2},
            {"item_id": "default_service", "item_name": "Professional Service", "item_category": "services", "quantity": 1},
        ])
    );

    sale.facts.details.items = vec![item("a", "", 1, None); 201];
    let finished = done(step_with(&ga4(), &sale, None, &[reply(204, "")]));
    assert_eq!(finished.notes[0], "200 of 201 items were sent, the most GA4 takes");
}

#[test]
fn a_partial_refund_does_not_claim_all_items() {
    let item = |id: &str| Item { id: Some(id.into()), name: None, quantity: 2, unit_minor: Some(2500) };
    let mut refund = event("refund");
    refund.amount = Some(money(3000, "eur"));
    refund.facts.details.items = vec![item("a")];
    assert_eq!(params(&refund)["items"], json!([{"item_id": "a", "price": 30, "quantity": 1}]));
    refund.facts.details.items = vec![item("a"), item("b")];
    assert_eq!(params(&refund)["items"][0]["item_id"], "default_service");
    refund.amount = Some(money(10_000, "eur"));
    assert_eq!(params(&refund)["items"].as_array().unwrap().len(), 2);
}

#[test]
fn bodies_that_are_too_large_lose_items_and_say_so() {
    let mut sale = event("purchase");
    let wide = Item { id: Some("€".repeat(150)), name: Some("𝄞".repeat(100)), quantity: 1, unit_minor: Some(1) };
    sale.facts.details.items = vec![wide; 200];
    let request = sent(step_with(&ga4(), &sale, None, &[]));
    assert!(request.body.len() < validate::BODY_BYTES);
    let notes = done(step_with(&ga4(), &sale, None, &[reply(204, "")])).notes;
    assert!(notes.iter().any(|note| note.contains("only 100 items")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("`item_id` was cut")), "{notes:?}");
}

#[test]
fn the_client_id_is_the_browsers_wherever_it_was_said() {
    let ga4 = ga4();
    let mut sale = event("purchase");
    let mut jane = samples::contact();
    jane.first_attribution.client_id = Some("11.22".into());
    let of = |sale: &BusinessEvent, jane: &Contact| ga4.freeze(sale, Some(jane)).unwrap();
    assert_eq!(of(&sale, &jane).client_id.as_deref(), Some("1234567890.1747130000"));
    sale.facts.attribution.client_id = Some("jane@example.com".into());
    assert_eq!(of(&sale, &jane).client_id.as_deref(), Some("11.22"));
    jane.last_attribution.client_id = Some("GA1.1.33.44".into());
    assert_eq!(
        of(&sale, &jane),
        Frozen { kind: EventKind::Purchase, client_id: Some("33.44".into()), synthetic: false }
    );
    assert!(ga4.is_ready(&sale, Some(&jane)) && !ga4.is_ready(&sale, None));
}

#[test]
fn the_contacts_session_serves_the_contacts_browser() {
    let mut sale = event("purchase");
    sale.facts.attribution = Default::default();
    let mut jane = samples::contact();
    jane.last_attribution.client_id = Some("33.44".into());
    jane.last_attribution.session_id = Some("1747130000".into());
    let request = body(&sent(step_with(&ga4(), &sale, Some(&jane), &[])));
    assert_eq!(request["client_id"], "33.44");
    assert_eq!(request["events"][0]["params"]["session_id"], "1747130000");
}

#[test]
fn a_derived_client_id_is_the_same_for_ever_and_marked() {
    let ga4 = ga4();
    let mut sale = event("purchase");
    sale.facts.attribution = Default::default();
    let of = |sale: &BusinessEvent, contact: Option<&Contact>| ga4.freeze(sale, contact).unwrap().client_id.unwrap();
    let by_lead = of(&sale, None);
    assert_eq!(by_lead, "398907674.1043983524");
    assert_eq!(params(&sale)["synthetic"], 1);
    sale.facts.lead_id = None;
    assert_eq!(of(&sale, Some(&samples::contact())), by_lead, "the contact's lead id");
    let by_contact = of(&sale, Some(&stranger()));
    assert_eq!(by_contact, "561223054.1507117283");
    assert_eq!(of(&sale, None), by_contact);
    sale.contact = None;
    let by_sale = of(&sale, None);
    assert_eq!(by_sale, "305714746.1434673069");
    sale.facts.lead_id = Some("jane@example.com".into());
    assert_eq!(of(&sale, None), by_sale, "no hash of an address");
}

#[test]
fn without_a_client_id_and_without_a_fallback_nothing_is_sent() {
    let mut settings = settings();
    settings.client_id_fallback = ClientIdFallback::Skip;
    let ga4 = Ga4::new(settings);
    let mut sale = event("purchase");
    assert_eq!(ga4.admit(&sale, None), Admission::Send);
    sale.facts.attribution.client_id = None;
    assert_eq!(ga4.admit(&sale, Some(&samples::contact())), Admission::Suppress(Rule::NoClientId));
    assert_eq!(ga4.freeze(&sale, None), Some(Frozen { kind: EventKind::Purchase, client_id: None, synthetic: false }));
    assert_eq!(done(step_with(&ga4, &sale, None, &[])).outcome, Outcome::Suppressed(Rule::NoClientId));
    let mut jane = samples::contact();
    jane.last_attribution.client_id = Some("33.44".into());
    assert_eq!(ga4.admit(&sale, Some(&jane)), Admission::Send);
}

#[test]
fn consent_to_being_measured_decides() {
    for (answer, is_missing) in [(Some(true), false), (None, false), (Some(false), true)] {
        let needs = ga4().needs_consent(&EventKind::Purchase);
        let mut sale = event("purchase");
        sale.facts.consent.analytics = answer;
        assert_eq!(consent::missing(needs, &sale, None).is_some(), is_missing);
        let mut jane = samples::contact();
        jane.consent.analytics = answer;
        assert_eq!(consent::missing(needs, &event("purchase"), Some(&jane)).is_some(), is_missing);
    }
}

#[test]
fn consent_to_advertising_is_passed_on_only_when_known() {
    let mut sale = event("purchase");
    assert!(request(&sale).get("consent").is_none());
    for (answer, word) in [(true, "GRANTED"), (false, "DENIED")] {
        sale.facts.consent = Consent { ads: Some(answer), ..Consent::default() };
        assert_eq!(request(&sale)["consent"], json!({"ad_user_data": word, "ad_personalization": word}));
    }
}

#[test]
fn test_events_are_marked() {
    let mut sale = event("purchase");
    sale.scope.mode = Mode::Test;
    assert_eq!(params(&sale)["test_mode"], 1);
    assert!(params(&event("purchase")).get("test_mode").is_none());
}

#[test]
fn what_ga4_would_drop_is_refused_before_it_is_sent() {
    let refused = |change: fn(&mut BusinessEvent, &mut Settings), rule: &str| {
        let (mut sale, mut settings) = (event("purchase"), settings());
        change(&mut sale, &mut settings);
        let finished = done(step_with(&Ga4::new(settings), &sale, None, &[]));
        let Outcome::Permanent { class: FailureClass::Invalid, explanation } = finished.outcome else {
            panic!("{rule}: {:?}", finished.outcome)
        };
        assert!(explanation.contains(rule), "{explanation}");
        assert!(!explanation.contains("jane"), "{explanation}");
    };
    refused(
        |_, s| s.event_names = vec![(EventKind::Purchase, "first_open".into())],
        "NAME_RESERVED, the event name \"first_open\" is reserved",
    );
    refused(|e, _| e.kind = EventKind::Custom("booking made".into()), "NAME_INVALID");
    refused(|e, _| e.kind = EventKind::Custom("n".repeat(41)), "1 to 40");
    refused(|e, _| e.transaction_id = None, "VALUE_REQUIRED, `purchase` needs a `transaction_id`");
    refused(|e, _| e.transaction_id = Some(" ".into()), "needs a `transaction_id`");
    refused(
        |e, _| e.transaction_id = Some("order of jane@example.com".into()),
        "PERSONAL_DATA, the transaction id holds an e-mail address",
    );
    refused(|e, _| e.transaction_id = Some("o".repeat(101)), "VALUE_OUT_OF_BOUNDS");
    refused(|e, _| e.amount = None, "VALUE_REQUIRED, the purchase carries no amount");
    refused(|e, _| e.amount = Some(money(-1, "eur")), "not negative");
    refused(
        |_, s| s.default_item = DefaultItem { id: String::new(), name: String::new(), category: "x".into() },
        "neither `item_id`",
    );
}

#[test]
fn what_is_too_old_or_ahead_of_time_is_not_sent() {
    let ga4 = ga4();
    let events = [event("purchase")];
    let at = |now: Timestamp| ga4.step(&Job { now, ..job(&events, None, None) }, &[]);
    let deadline = ga4.deadline(samples::SOLD_AT).unwrap();
    assert_eq!(deadline, samples::SOLD_AT.after(Duration::from_secs(72 * 3600)));
    sent(at(deadline.before(Duration::from_millis(1))));
    assert!(matches!(done(at(deadline)).outcome, Outcome::Permanent { class: FailureClass::DeadlinePassed, .. }));
    sent(at(samples::SOLD_AT.before(Duration::from_secs(15 * 60))));
    let early = done(at(samples::SOLD_AT.before(Duration::from_secs(20 * 60)))).outcome;
    assert!(matches!(early, Outcome::Retry { after: Some(wait), .. } if wait == Duration::from_secs(300)));
}

#[test]
fn answers_mean_what_their_status_says() {
    let finished = |kind: &str, reply| done(step_with(&ga4(), &event(kind), None, &[reply]));
    let accepted = finished("purchase", reply(204, ""));
    assert_eq!((accepted.outcome, accepted.notes), (Outcome::Delivered, vec![ACCEPTED.to_owned()]));
    assert_eq!(finished("purchase", reply(200, "")).outcome, Outcome::Delivered);
    let page = finished("refund", reply(200, "<html>Please log in")).outcome;
    assert!(matches!(&page, Outcome::Retry { explanation, .. } if explanation.contains("web page")), "{page:?}");
    assert!(matches!(finished("purchase", reply(503, "")).outcome, Outcome::Retry { .. }));
    assert!(matches!(finished("purchase", reply(429, "")).outcome, Outcome::SlowDown { .. }));
    for (status, broken) in [(400, false), (404, false), (401, true), (302, true)] {
        let (Outcome::Permanent { explanation, .. } | Outcome::Broken { explanation }) =
            finished("purchase", reply(status, "")).outcome
        else {
            panic!("{status}")
        };
        assert!(explanation.contains("`endpoint`"), "{explanation}");
        assert_eq!(
            matches!(finished("purchase", reply(status, "")).outcome, Outcome::Broken { .. }),
            broken,
            "{status}"
        );
    }
    assert!(matches!(finished("purchase", timed_out()).outcome, Outcome::Retry { .. }));
    assert!(matches!(finished("refund", timed_out()).outcome, Outcome::Ambiguous { .. }));
    let ga4 = ga4();
    for (kind, policy) in [
        ("refund", AmbiguousPolicy::Retry),
        ("dispute_lost", AmbiguousPolicy::Retry),
        ("lead", AmbiguousPolicy::Drop),
        ("payment_failed", AmbiguousPolicy::Drop),
    ] {
        assert_eq!(ga4.ambiguous(&kind.parse().unwrap()), policy, "{kind}");
    }
    assert!(ga4.probe().is_none() && ga4.default_rate_limit().is_none());
}

#[test]
fn personal_data_in_a_parameter_are_left_out_and_noted() {
    let mut sale = event("purchase");
    sale.facts.details.coupon = Some("for jane@example.com".into());
    sale.facts.attribution.utm_campaign = Some("call +49 30 12345678".into());
    sale.facts.service_name = Some("4242 4242 4242 4242".into());
    let request = body(&sent(step_with(&ga4(), &sale, None, &[])));
    let params = &request["events"][0]["params"];
    assert!(params.get("coupon").is_none() && params.get("lead_campaign").is_none());
    assert_eq!(params["items"][0]["item_id"], "default_service");
    assert_eq!(
        done(step_with(&ga4(), &sale, None, &[reply(204, "")])).notes,
        [
            "`coupon` was left out: it holds an e-mail address, which GA4's policy forbids",
            "`lead_campaign` was left out: it holds a phone number, which GA4's policy forbids",
            "`item_name` was left out: it holds a card number, which GA4's policy forbids",
            ACCEPTED,
        ]
    );
}

proptest! {
    #[test]
    fn no_personal_data_ever_reach_ga4(
        around in "[ -~äß]{0,12}",
        personal in prop_oneof![
            "[a-z0-9.+_-]{1,12}@[a-z]{1,9}\\.[a-z]{2,4}",
            "\\+[1-9][0-9]{7,13}",
        ],
        places in prop::collection::vec(any::<bool>(), 12),
    ) {
        let text = format!("{around} {personal} {around}");
        let mut sale = event("purchase");
        let put = |place: usize, field: &mut Option<String>| if places[place] { *field = Some(text.clone()) };
        put(0, &mut sale.facts.details.coupon);
        put(1, &mut sale.facts.details.payment_method_type);
        put(2, &mut sale.facts.pricing_tier);
        put(3, &mut sale.facts.lead_id);
        put(4, &mut sale.facts.attribution.utm_source);
        put(5, &mut sale.facts.attribution.utm_campaign);
        put(6, &mut sale.facts.service_id);
        put(7, &mut sale.facts.service_name);
        put(8, &mut sale.facts.attribution.client_id);
        put(9, &mut sale.facts.attribution.session_id);
        put(10, &mut sale.facts.user_id);
        put(11, &mut sale.transaction_id);
        let mut jane = samples::contact();
        jane.identities.push(Identity { mode: Mode::Live, kind: IdentityKind::Lead, value: text.clone() });
        match step_with(&ga4(), &sale, Some(&jane), &[]) {
            Step::Send(request) => {
                let body = String::from_utf8(request.body.clone()).unwrap();
                prop_assert!(!body.contains(&personal), "{body}");
                for known in ["jane", "Jane", "Doe", "12345678\""] {
                    prop_assert!(!body.contains(known), "{known}: {body}");
                }
                prop_assert_eq!(validate::violations(&request.body, samples::SOLD_AT), []);
                prop_assert!(!request.shown().contains(&personal));
            }
            Step::Done(finished) => {
                prop_assert!(places[11], "{finished:?}");
                let told = format!("{finished:?}");
                prop_assert!(!told.contains(&personal));
            }
        }
    }

    #[test]
    fn whatever_the_texts_ga4_takes_what_is_sent(text in "\\PC{0,150}", minor in 0_i64..1_000_000_000_000) {
        let mut sale = event("renewal");
        sale.amount = Some(money(minor, "eur"));
        sale.facts.details.coupon = Some(text.clone());
        sale.facts.service_name = Some(text.clone());
        sale.facts.attribution.utm_source = Some(text);
        let request = sent(step_with(&ga4(), &sale, None, &[]));
        prop_assert_eq!(validate::violations(&request.body, samples::SOLD_AT), []);
    }
}
