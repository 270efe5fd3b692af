//! How a subscription stands and what changed, in the shapes before 2025-03-31, since, and of the oldest versions.

use serde_json::{Value, json};

use super::super::told::{at, change, links, money, read, said, said_by, with};
use super::*;
use crate::model::statement::Meaning;
use crate::model::subscription::SubscriptionChange::{self, *};

const PERIOD_END: i64 = 1_702_592_000;

fn common() -> Value {
    json!({
        "id": "sub_1", "object": "subscription", "status": "active", "customer": "cus_1", "currency": "eur",
        "cancel_at": null, "cancel_at_period_end": false, "ended_at": null, "pause_collection": null, "latest_invoice": "in_1",
        "metadata": {"lead_id": "l1", "pricing_tier": "pro"}
    })
}

/// Before 2025-03-31 the period is the subscription's own.
fn before() -> Value {
    with(
        common(),
        json!({
            "current_period_end": PERIOD_END,
            "items": {"data": [{"id": "si_1", "quantity": 2, "price": {
                "id": "price_1", "product": "prod_1", "nickname": null, "unit_amount": 1500, "currency": "eur",
                "recurring": {"usage_type": "licensed"}}}]},
            "plan": {"id": "price_1", "product": "prod_1", "amount": 1500, "currency": "eur"}, "quantity": 2
        }),
    )
}

/// Since then each item has its own.
fn since() -> Value {
    with(
        common(),
        json!({"items": {"data": [{"id": "si_1", "quantity": 2, "current_period_end": PERIOD_END, "price": {
            "id": "price_1", "product": "prod_1", "nickname": null, "unit_amount": 1500, "currency": "eur",
            "recurring": {"usage_type": "licensed"}}}]}}),
    )
}

/// The oldest versions have a plan and no items.
fn oldest() -> Value {
    let mut object = with(
        common(),
        json!({"current_period_end": PERIOD_END, "plan": {"id": "price_1", "product": "prod_1", "amount": 1500, "currency": "eur"},
            "quantity": 2}),
    );
    object.as_object_mut().unwrap().remove("currency");
    object
}

fn shapes() -> [Value; 3] {
    [before(), since(), oldest()]
}

fn step_of(event_type: &str, object: Value) -> (SubscriptionStep, Vec<String>) {
    let (statement, notes) = said(event_type, object);
    let Claim::Subscription(step) = statement.claim else { panic!("{:?}", statement.claim) };
    (step, notes)
}

fn changes_of(object: Value, previous: Value) -> Vec<SubscriptionChange> {
    let (statement, notes) = said_by(&change("customer.subscription.updated", object, previous));
    assert!(notes.is_empty(), "{notes:?}");
    let Claim::Subscription(step) = statement.claim else { panic!("{:?}", statement.claim) };
    step.changes
}

#[test]
fn every_shape_says_the_same_of_a_subscription() {
    for shape in shapes() {
        let (statement, notes) = said("customer.subscription.created", shape.clone());
        assert_eq!((statement.object.kind, statement.object.id.as_str()), (ObjectKind::Subscription, "sub_1"));
        assert!(links(&statement).is_empty() && statement.subscription.is_none(), "it spans purchases");
        assert_eq!(statement.customer.as_deref(), Some("cus_1"));
        assert_eq!(statement.tags.lead_id.as_deref(), Some("l1"));
        assert_eq!(statement.person.email, None);
        let expected = SubscriptionStep {
            terms: SubscriptionTerms {
                status: SubscriptionStatus::Active,
                plan: Some("prod_1".into()),
                price: Some(money(3000)),
                ends_at: None,
            },
            ended_at: None,
            changes: vec![],
        };
        assert_eq!(statement.claim, Claim::Subscription(expected), "{shape}");
        assert!(notes.is_empty(), "{notes:?}");
    }
}

#[test]
fn every_status_has_its_meaning() {
    use SubscriptionStatus::{Active, Ended, NotBegun, Overdue, Paused, Trialing};
    for (status, expected, noted) in [
        (json!("incomplete"), NotBegun, false),
        (json!("incomplete_expired"), NotBegun, false),
        (json!("trialing"), Trialing, false),
        (json!("active"), Active, false),
        (json!("past_due"), Overdue, false),
        (json!("unpaid"), Overdue, false),
        (json!("paused"), Paused, false),
        (json!("canceled"), Ended, false),
        (json!("levitating"), NotBegun, true),
        (Value::Null, NotBegun, true),
    ] {
        for shape in shapes() {
            let (step, notes) = step_of("customer.subscription.updated", with(shape, json!({"status": status})));
            assert_eq!(step.terms.status, expected, "{status}");
            assert_eq!(step.ended_at, (expected == Ended).then(at), "{status}");
            assert_eq!(notes.is_empty(), !noted, "{status} {notes:?}");
        }
    }
    let collection = json!({"pause_collection": {"behavior": "void", "resumes_at": null}});
    assert_eq!(step_of("customer.subscription.updated", with(since(), collection)).0.terms.status, Paused);
    for (event, expected) in [("paused", Paused), ("resumed", Active)] {
        let status = if event == "paused" { "paused" } else { "active" };
        let (step, _) = step_of(&format!("customer.subscription.{event}"), with(since(), json!({"status": status})));
        assert_eq!((step.terms.status, step.changes), (expected, vec![]));
    }
}

#[test]
fn an_end_is_the_one_told_or_the_time_of_the_event() {
    for shape in shapes() {
        let ended =
            with(shape.clone(), json!({"status": "canceled", "ended_at": 1_699_999_000, "cancel_at": 1_699_999_000}));
        let (step, _) = step_of("customer.subscription.deleted", ended);
        assert_eq!(step.ended_at, Some(Timestamp::from_unix_seconds(1_699_999_000)));
        assert_eq!((step.terms.status, step.terms.ends_at), (SubscriptionStatus::Ended, None));
        // The event itself says that it ended.
        let (step, notes) = step_of("customer.subscription.deleted", with(shape, json!({"status": null})));
        assert_eq!((step.ended_at, step.terms.status), (Some(at()), SubscriptionStatus::Ended));
        assert!(notes.is_empty());
    }
}

#[test]
fn an_arranged_end_is_known_in_every_shape() {
    let (of_period, own) = (Timestamp::from_unix_seconds(PERIOD_END), Timestamp::from_unix_seconds(1_701_000_000));
    for shape in shapes() {
        for (changes, expected) in [
            (json!({"cancel_at_period_end": true}), Some(of_period)),
            (json!({"cancel_at": 1_701_000_000}), Some(own)),
            (json!({"cancel_at": 1_701_000_000, "cancel_at_period_end": true}), Some(own)),
            (json!({"cancel_at": -5}), None),
            (json!({}), None),
        ] {
            let (step, _) = step_of("customer.subscription.updated", with(shape.clone(), changes.clone()));
            assert_eq!(step.terms.ends_at, expected, "{changes}");
        }
    }
}

#[test]
fn a_plan_is_known_by_its_name_or_else_by_its_id() {
    let priced = |price: Value| json!({"items": {"data": [{"price": price}]}, "plan": null});
    for (changes, expected) in [
        (priced(json!({"id": "price_1", "nickname": "Gold", "product": "prod_1", "unit_amount": 1})), "Gold"),
        (priced(json!({"id": "price_1", "product": {"id": "prod_1", "name": "Club"}, "unit_amount": 1})), "Club"),
        (priced(json!({"id": "price_1", "product": "prod_1", "unit_amount": 1})), "prod_1"),
        (priced(json!({"id": "price_1", "unit_amount": 1})), "price_1"),
        (json!({"plan": {"id": "gold", "nickname": "Gold", "amount": 1}}), "Gold"),
        (json!({"plan": {"id": "gold", "name": "Old gold", "amount": 1}}), "Old gold"),
        (json!({"plan": {"id": "gold", "amount": 1}}), "gold"),
    ] {
        let (step, _) = step_of("customer.subscription.created", with(common(), changes.clone()));
        assert_eq!(step.terms.plan.as_deref(), Some(expected), "{changes}");
    }
}

#[test]
fn the_price_is_the_exact_sum_of_all_items_or_unknown() {
    let item = |unit: Value, quantity: Value| json!({"price": {"id": "p", "unit_amount": unit, "currency": "eur"}, "quantity": quantity});
    let metered = json!({"price": {"id": "p", "unit_amount": 5, "recurring": {"usage_type": "metered"}}});
    let packages =
        json!({"price": {"id": "p", "unit_amount": 5, "transform_quantity": {"divide_by": 10}}, "quantity": 9});
    for (items, expected, noted) in [
        (vec![item(json!(1000), json!(1)), item(json!(250), json!(3))], Some(1750), false),
        (vec![item(json!(1000), Value::Null)], Some(1000), false),
        (vec![item(json!(0), json!(1))], Some(0), false),
        (vec![item(Value::Null, json!(1))], None, false),
        (vec![item(json!(1000), json!(1)), metered], None, false),
        (vec![packages], None, false),
        (vec![item(json!(-5), json!(1))], None, true),
        (vec![item(json!(9.99), json!(1))], None, true),
        (vec![item(json!(9), json!(-1))], None, true),
        (vec![item(json!(i64::MAX), json!(2))], None, true),
        (vec![item(json!(i64::MAX), json!(1)), item(json!(1), json!(1))], None, true),
        (vec![item(json!(9_223_372_036_854_775_808_u64), json!(1))], None, true),
    ] {
        let (step, notes) = step_of("customer.subscription.created", with(common(), json!({"items": {"data": items}})));
        assert_eq!(step.terms.price, expected.map(money), "{items:?}");
        assert_eq!(notes.len(), usize::from(noted), "{items:?} {notes:?}");
    }
    let (step, notes) = step_of("customer.subscription.created", with(since(), json!({"currency": "zzz"})));
    assert_eq!(step.terms.price, None);
    assert!(notes[0].contains("ZZZ"), "{notes:?}");
}

#[test]
fn every_change_is_told_from_what_was_before() {
    let items = |price: &str, quantity: i64, end: i64| json!({"items": {"data": [{"id": "si_1", "price": {"id": price}, "quantity": quantity, "current_period_end": end}]}});
    for (now, previous, expected) in [
        // Plan.
        (since(), items("price_0", 2, PERIOD_END), vec![Plan]),
        (since(), items("price_1", 1, PERIOD_END), vec![Plan]),
        (before(), json!({"plan": {"id": "price_0", "amount": 500}}), vec![Plan]),
        (before(), json!({"quantity": 1}), vec![Plan]),
        (oldest(), json!({"plan": {"id": "price_0"}, "quantity": 1}), vec![Plan]),
        // A renewal moves dates, and with them the items.
        (since(), with(items("price_1", 2, 1_699_000_000), json!({"latest_invoice": "in_0"})), vec![]),
        (before(), json!({"current_period_end": 1, "current_period_start": 0, "latest_invoice": "in_0"}), vec![]),
        // The plan's other fields say nothing.
        (before(), json!({"plan": {"active": true}}), vec![]),
        (since(), json!({"metadata": {"lead_id": null}, "default_payment_method": null}), vec![]),
        // Payment.
        (with(since(), json!({"status": "past_due"})), json!({"status": "active"}), vec![Overdue]),
        (with(since(), json!({"status": "unpaid"})), json!({"status": "trialing"}), vec![Overdue]),
        (with(since(), json!({"status": "unpaid"})), json!({"status": "past_due"}), vec![]),
        (since(), json!({"status": "past_due"}), vec![Recovered]),
        (since(), json!({"status": "unpaid"}), vec![Recovered]),
        (since(), json!({"status": "trialing"}), vec![TrialEnded]),
        (since(), json!({"status": "incomplete"}), vec![]),
        // Pauses.
        (with(since(), json!({"status": "paused"})), json!({"status": "trialing"}), vec![Paused]),
        (since(), json!({"status": "paused"}), vec![Resumed]),
        (
            with(since(), json!({"pause_collection": {"behavior": "void"}})),
            json!({"pause_collection": null}),
            vec![Paused],
        ),
        (since(), json!({"pause_collection": {"behavior": "void"}}), vec![Resumed]),
        (
            with(since(), json!({"pause_collection": {"behavior": "void"}})),
            json!({"pause_collection": {"behavior": "keep_as_draft"}}),
            vec![],
        ),
        // Ends.
        (
            with(before(), json!({"cancel_at_period_end": true, "cancel_at": PERIOD_END})),
            json!({"cancel_at_period_end": false, "cancel_at": null, "canceled_at": null}),
            vec![EndScheduled],
        ),
        (
            with(since(), json!({"cancel_at_period_end": true})),
            json!({"cancel_at_period_end": false}),
            vec![EndScheduled],
        ),
        (with(since(), json!({"cancel_at": 9})), json!({"cancel_at": null}), vec![EndScheduled]),
        (with(since(), json!({"cancel_at": 9})), json!({"cancel_at": 8}), vec![EndScheduled]),
        (with(since(), json!({"cancel_at": 9})), json!({"cancel_at": 9, "cancel_at_period_end": true}), vec![]),
        (since(), json!({"cancel_at_period_end": true, "cancel_at": PERIOD_END}), vec![EndCancelled]),
        (since(), json!({"cancel_at": 8}), vec![EndCancelled]),
        // Several at once.
        (
            with(since(), json!({"cancel_at_period_end": true})),
            with(items("price_0", 2, PERIOD_END), json!({"cancel_at_period_end": false, "status": "trialing"})),
            vec![Plan, EndScheduled, TrialEnded],
        ),
        // Nonsense.
        (since(), json!({"items": 7, "status": 7, "plan": {}, "quantity": "x"}), vec![]),
        (since(), json!([1]), vec![]),
        (since(), json!("x"), vec![]),
    ] {
        let mut told = changes_of(now.clone(), previous.clone());
        let mut expected = expected;
        told.sort();
        expected.sort();
        assert_eq!(told, expected, "{previous}");
    }
}

#[test]
fn only_an_update_of_what_goes_on_tells_changes() {
    let previous = json!({"status": "trialing", "cancel_at_period_end": true});
    for event_type in ["created", "deleted", "paused", "resumed"].map(|name| format!("customer.subscription.{name}")) {
        let (statement, _) = said_by(&change(&event_type, since(), previous.clone()));
        let Claim::Subscription(step) = statement.claim else { panic!("{event_type}") };
        assert_eq!(step.changes, [], "{event_type}");
    }
    assert_eq!(changes_of(with(since(), json!({"status": "canceled"})), previous), []);
}

#[test]
fn a_subscription_without_an_id_is_left_alone_and_an_expanded_customer_is_a_person() {
    let nameless = read(&change("customer.subscription.updated", with(since(), json!({"id": null})), json!({})));
    assert_eq!((nameless.meaning, nameless.notes), (Meaning::Ignored, vec!["object id absent".to_owned()]));
    let expanded = json!({"customer": {"id": "cus_9", "email": "jane@example.com", "name": "Jane"}});
    let (statement, _) = said("customer.subscription.created", with(since(), expanded));
    assert_eq!(statement.customer.as_deref(), Some("cus_9"));
    assert_eq!(statement.person.email.unwrap().as_str(), "jane@example.com");
}
