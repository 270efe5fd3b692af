//! When a refund is let go, and under which id.

use std::time::Duration;

use super::destinations::{ANALYTICS, CRM, everybody};
use super::house::House;
use super::results::{discard, fail, retry_by_hand};
use super::stripe::{Shape, bill, charge, eur, intent, invoice, paid_by_card, refund, session};
use crate::model::business_event::{EventKind, Mark};
use crate::model::delivery::{Rule, State};
use crate::model::id::{BusinessEventId, DestinationId};
use crate::model::statement::RefundStatus::{Counted, Failed};
use crate::model::statement::{Billing, ObjectKind};
use crate::model::time::Timestamp;

fn waits(house: &House, id: BusinessEventId, destination: DestinationId) -> Option<Timestamp> {
    let delivery = house.delivery(id, destination);
    (delivery.schedule.settling && delivery.state == State::Pending).then_some(delivery.schedule.due_at)
}

fn suppressed(house: &House, id: BusinessEventId, destination: DestinationId) -> Option<Rule> {
    match house.state(id, destination) {
        State::Suppressed { rule, .. } => Some(*rule),
        _ => None,
    }
}

fn sale(house: &House) -> BusinessEventId {
    house.only(&EventKind::Purchase).id
}

#[test]
fn a_refund_waits_for_the_sale_it_belongs_to_and_takes_its_id() {
    let mut house = House::new(everybody());
    house.take(&refund("re_1", eur(500), Counted, "ch_1", Some("pi_1")));
    let id = house.only(&EventKind::Refund).id;
    assert_eq!(waits(&house, id, ANALYTICS), Some(house.now.after(Duration::from_secs(3600))));
    house.seconds(600);
    house.take(&charge("ch_1", eur(2000), Some("pi_1")).customer("cus_1").at(600));
    house.take_all(&paid_by_card(
        Shape::Old,
        bill("in_1", eur(2000), Billing::SubscriptionCycle, "sub_1"),
        "pi_1",
        "ch_1",
    ));
    // The CRM takes the sale at once, which fixes its id; so the refund can go.
    assert_eq!(waits(&house, id, ANALYTICS), None);
    let event = house.event(id);
    assert_eq!((event.transaction_id.as_deref(), event.frozen), (Some("in_1"), true));
    assert!(!event.facts.marks.contains(&Mark::Unmatched));
    house.check();
}

#[test]
fn a_refund_of_half_a_sale_settles_with_it() {
    let mut house = House::new(everybody());
    house.take(&intent("pi_1", eur(3000), "ch_1").email("jane@example.com"));
    house.seconds(10);
    house.take(&refund("re_1", eur(500), Counted, "ch_1", Some("pi_1")).at(10));
    let id = house.only(&EventKind::Refund).id;
    assert!(waits(&house, id, ANALYTICS).is_some());
    house.take(&invoice("in_1", eur(3000)).link(ObjectKind::Intent, "pi_1").at(10));
    house.seconds(60);
    assert_eq!(house.event(id).transaction_id, house.event(sale(&house)).transaction_id);
    assert_eq!(house.event(id).transaction_id.as_deref(), Some("in_1"));
    house.check();
}

#[test]
fn a_refund_without_its_sale_is_sent_unmatched_and_the_sale_then_takes_its_id() {
    let mut house = House::new(everybody());
    house.take(&refund("re_1", eur(500), Counted, "ch_1", Some("pi_1")));
    house.seconds(3600);
    let id = house.only(&EventKind::Refund).id;
    let event = house.event(id);
    assert_eq!((event.transaction_id.as_deref(), event.frozen), (Some("pi_1"), true));
    assert!(event.facts.marks.contains(&Mark::Unmatched));
    house.deliver();
    house.take_all(&paid_by_card(
        Shape::Old,
        bill("in_1", eur(2000), Billing::SubscriptionCycle, "sub_1"),
        "pi_1",
        "ch_1",
    ));
    assert_eq!(house.only(&EventKind::Renewal).transaction_id.as_deref(), Some("pi_1"));
    assert!(!house.event(id).facts.marks.contains(&Mark::Unmatched));
    house.check();
}

#[test]
fn a_refund_let_go_before_its_sale_fixes_the_sales_id_too() {
    let mut house = House::new(everybody());
    house.rules.destinations.truncate(1);
    house.seconds(600);
    // Late, so the sale waits an hour; the refund is fresh and waits a minute.
    house.take(&intent("pi_1", eur(3000), "ch_1"));
    house.take(&refund("re_1", eur(500), Counted, "ch_1", Some("pi_1")).at(600));
    house.seconds(60);
    let sale = sale(&house);
    assert!(house.event(house.only(&EventKind::Refund).id).frozen && house.event(sale).frozen);
    house.take(&invoice("in_1", eur(3000)).link(ObjectKind::Intent, "pi_1"));
    assert_eq!(house.event(sale).transaction_id.as_deref(), Some("pi_1"));
    house.check();
}

#[test]
fn a_refund_that_fails_before_it_is_sent_is_withdrawn_and_one_that_was_sent_is_followed() {
    let sold = charge("ch_1", eur(9900), Some("pi_1")).email("jane@example.com");
    let given_back = refund("re_1", eur(9900), Counted, "ch_1", Some("pi_1"));
    let failed = refund("re_1", eur(9900), Failed, "ch_1", Some("pi_1")).at(5);

    let mut before = House::new(everybody());
    before.take_all([&sold, &given_back, &failed]);
    before.seconds(120);
    before.check();
    let refund = before.only(&EventKind::Refund).id;
    assert!([ANALYTICS, CRM].iter().all(|at| suppressed(&before, refund, *at) == Some(Rule::Withdrawn)));
    assert_eq!(before.people()[0].totals.of("eur".parse().unwrap()), eur(9900));

    let mut only_failure = House::new(everybody());
    only_failure.take_all([&failed, &sold]);
    only_failure.seconds(120);
    let refund = only_failure.only(&EventKind::Refund).id;
    assert!([ANALYTICS, CRM].iter().all(|at| suppressed(&only_failure, refund, *at) == Some(Rule::Withdrawn)));
    only_failure.check();

    let mut after = House::new(everybody());
    after.take_all([&sold, &given_back]);
    after.seconds(120);
    after.deliver();
    after.take(&failed);
    let told = after.deliver();
    let refund = after.only(&EventKind::Refund).id;
    assert!(matches!(after.state(refund, ANALYTICS), State::Delivered { .. }));
    assert_eq!(told, [(CRM, after.only(&EventKind::RefundFailed).id)]);
    after.check();
}

#[test]
fn a_refund_that_came_back_is_not_sent_by_a_retry_either() {
    for discarded in [false, true] {
        let mut house = House::new(everybody());
        house.take(&charge("ch_1", eur(9900), Some("pi_1")).email("jane@example.com"));
        house.seconds(120);
        house.deliver();
        house.take(&refund("re_1", eur(9900), Counted, "ch_1", Some("pi_1")).at(130));
        let id = house.only(&EventKind::Refund).id;
        fail(&mut house, ANALYTICS);
        if discarded {
            discard(&mut house, id, ANALYTICS).unwrap();
        }
        house.take(&refund("re_1", eur(9900), Failed, "ch_1", Some("pi_1")).at(135));
        house.check();
        assert!(retry_by_hand(&mut house, id, ANALYTICS).unwrap_err().contains("must not be sent"));
        assert_eq!(suppressed(&house, id, ANALYTICS), (!discarded).then_some(Rule::Withdrawn));
        assert!(house.due(ANALYTICS).is_empty() && house.books.failed.is_empty());
    }
}

#[test]
fn a_refund_is_told_of_the_browser_and_the_source_of_its_sale() {
    let mut house = House::new(everybody());
    let from = |source: &str, event: super::stripe::Event| {
        let source = source.to_owned();
        event.tags(|tags| tags.attribution.utm_source = Some(source))
    };
    house.take(&charge("ch_1", eur(9900), None).email("jane@example.com").browser("1.2"));
    house.seconds(60);
    // The buyer comes back by another way, with another browser.
    house.take(&from("ads", session("cs_2", eur(100), Some("pi_2")).email("jane@example.com").browser("3.4").at(60)));
    house.take(&refund("re_1", eur(500), Counted, "ch_1", None).at(70));
    let refund = house.only(&EventKind::Refund);
    let frozen = house.delivery(refund.id, ANALYTICS).frozen.clone().unwrap();
    assert_eq!((frozen.client_id.as_deref(), frozen.synthetic), (Some("1.2"), false));
    assert_eq!(refund.facts.attribution.client_id.as_deref(), Some("1.2"));
    house.check();
}
