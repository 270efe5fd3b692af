//! Which business event becomes which event of GA4, with which parameters.

use super::*;

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
fn debug_mode_is_told_only_when_it_is_configured() {
    assert!(params(&event("purchase")).get("debug_mode").is_none());
    let ga4 = Ga4::new(Settings { debug_mode: true, ..settings() });
    assert_eq!(body(&sent(step_with(&ga4, &event("lead"), None, &[])))["events"][0]["params"]["debug_mode"], true);
}

#[test]
fn test_events_are_marked() {
    let mut sale = event("purchase");
    sale.scope.mode = Mode::Test;
    assert_eq!(params(&sale)["test_mode"], 1);
    assert!(params(&event("purchase")).get("test_mode").is_none());
}
