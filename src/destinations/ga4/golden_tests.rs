//! The exact requests for a fixed set of business events, kept in `golden.json` to be read against Google's reference whenever one
//! changes.

use serde_json::{Map, Value};

use super::super::samples::{self, body, event, money, sent};
use super::tests::{settings, step_with};
use super::*;
use crate::model::business_event::SubscriptionFacts;
use crate::model::id::Mode;
use crate::model::statement::Item;
use crate::model::subscription::{SubscriptionChange, SubscriptionStatus};

fn item(id: &str, name: &str, quantity: u32, unit_minor: i64) -> Item {
    Item { id: Some(id.into()), name: Some(name.into()), quantity, unit_minor: Some(unit_minor) }
}

/// Without what only a sale has.
fn no_sale(kind: &str) -> BusinessEvent {
    let mut told = event(kind);
    (told.amount, told.transaction_id) = (None, None);
    told.facts.details = Default::default();
    told.facts.days_to_conversion = None;
    told.facts.returning = None;
    told
}

fn subscription(kind: &str, status: SubscriptionStatus, changes: Vec<SubscriptionChange>) -> BusinessEvent {
    let mut told = no_sale(kind);
    told.facts.subscription = Some(SubscriptionFacts {
        id: "sub_1".into(),
        status,
        plan: Some("Pro".into()),
        price: Some(money(1900, "eur")),
        changes,
        ends_at: None,
    });
    told
}

fn cases() -> Vec<(&'static str, Ga4, BusinessEvent)> {
    let plain = || Ga4::new(settings());
    let mut bought = event("purchase");
    bought.facts.details.items = vec![item("course", "Online course", 1, 7950), item("book", "Book", 2, 1000)];
    bought.facts.details.shipping = Some(490);
    bought.facts.consent.ads = Some(false);
    let mut unseen = event("purchase");
    unseen.facts.attribution.client_id = None;
    unseen.facts.returning = Some(true);
    let mut renewed = event("renewal");
    renewed.facts.attribution.session_id = Some("1747000000".into());
    renewed.facts.service_name = Some("Membership".into());
    let mut refunded = bought.clone();
    refunded.kind = EventKind::Refund;
    let mut in_part = bought.clone();
    (in_part.kind, in_part.amount) = (EventKind::Refund, Some(money(2000, "eur")));
    let mut of_one = event("refund");
    of_one.amount = Some(money(2000, "eur"));
    of_one.facts.details.items = vec![item("course", "Online course", 1, 9950)];
    let mut lost = event("dispute_lost");
    lost.amount = Some(money(9950, "eur"));
    let mut failed = event("payment_failed");
    failed.facts.failure_code = Some("card_declined".into());
    let mut valued = no_sale("lead");
    valued.amount = Some(money(5000, "eur"));
    let mut yen = event("purchase");
    (yen.amount, yen.facts.details.tax) = (Some(money(4500, "jpy")), None);
    yen.scope.mode = Mode::Test;
    let mut agreed = event("purchase");
    agreed.facts.consent.ads = Some(true);
    let everything = Ga4::new(Settings {
        params: ["utm_medium", "lifecycle_stage", "total_spent"]
            .map(|field| (format!("own_{field}"), Field::named(field).unwrap()))
            .into(),
        user_id: true,
        user_data: true,
        debug_mode: true,
        ..settings()
    });
    let renamed = |kind, name: &str| Ga4::new(Settings { event_names: vec![(kind, name.into())], ..settings() });
    vec![
        ("purchase with items, shipping and a no to advertising", plain(), bought),
        ("purchase without a browser", plain(), unseen),
        ("purchase in yen of the test mode", plain(), yen),
        ("purchase with every setting", everything, agreed),
        ("renewal whose session is over", plain(), renewed),
        ("renewal under a name of its own", renamed(EventKind::Renewal, "renewal"), event("renewal")),
        ("refund of everything", plain(), refunded),
        ("refund of a part of several items", plain(), in_part),
        ("refund of a part of one item", plain(), of_one),
        ("dispute lost", plain(), lost),
        ("refund that came back", plain(), event("refund_failed")),
        ("dispute reversed", plain(), event("dispute_reversed")),
        ("lead", plain(), no_sale("lead")),
        ("lead with a value", plain(), valued),
        ("booking made", plain(), no_sale("booking_made")),
        (
            "booking attended as qualify_lead",
            renamed(EventKind::BookingAttended, "qualify_lead"),
            no_sale("booking_attended"),
        ),
        ("booking cancelled", plain(), no_sale("booking_cancelled")),
        ("payment failed", plain(), failed),
        ("purchase as close_convert_lead", renamed(EventKind::Purchase, "close_convert_lead"), event("purchase")),
        ("trial started", plain(), no_sale("trial_started")),
        ("subscription started", plain(), subscription("subscription_started", SubscriptionStatus::Active, Vec::new())),
        (
            "subscription changed",
            plain(),
            subscription("subscription_changed", SubscriptionStatus::Active, vec![SubscriptionChange::Plan]),
        ),
        ("subscription ended", plain(), subscription("subscription_ended", SubscriptionStatus::Ended, Vec::new())),
        ("contact changed", plain(), no_sale("contact_changed")),
        ("a kind of the owner's", plain(), no_sale("webinar_joined")),
    ]
}

#[test]
fn requests_are_those_that_were_reviewed() {
    let jane = samples::contact();
    let made: Map<String, Value> = cases()
        .into_iter()
        .map(|(name, ga4, told)| {
            let request = sent(step_with(&ga4, &told, Some(&jane), &[]));
            assert_eq!(validate::violations(&request.body, samples::SOLD_AT), [], "{name}");
            (name.to_owned(), body(&request))
        })
        .collect();
    let reviewed: Value = serde_json::from_str(include_str!("golden.json")).unwrap();
    assert_eq!(
        Value::Object(made.clone()),
        reviewed,
        "read this against the reference, then put it into golden.json:\n{}",
        serde_json::to_string_pretty(&made).unwrap()
    );
}

#[test]
fn no_parameter_of_ones_own_can_stand_in_for_one_that_is_filled_in() {
    let reviewed: Map<String, Value> = serde_json::from_str(include_str!("golden.json")).unwrap();
    for (case, request) in reviewed {
        for name in request["events"][0]["params"].as_object().unwrap().keys() {
            assert_eq!(names::own_parameter_name(name).is_ok(), name.starts_with("own_"), "{case}: {name}");
        }
    }
}
