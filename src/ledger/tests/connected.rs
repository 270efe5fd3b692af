//! Groups that prove to be one: what was told of each belongs to the id it was told under, and no money goes out twice
//! unreported.

use std::time::Duration;

use super::destinations::{ANALYTICS, CRM, MAIL, everybody};
use super::house::House;
use super::results::retry_by_hand;
use super::stripe::{Event, bill, charge, eur, intent, invoice_payment, key, refund};
use crate::ledger::result::plan_start;
use crate::ledger::workspace::Target;
use crate::model::business_event::{EventKind, Mark, Subject};
use crate::model::delivery::{FailureClass, Outcome, Rule, State};
use crate::model::id::{BusinessEventId, DestinationId};
use crate::model::retry::RetrySchedule;
use crate::model::statement::Billing;
use crate::model::statement::RefundStatus::Counted;

const EMAIL: &str = "jane@example.com";

fn by_intent() -> Event {
    intent("pi_1", eur(2000), "ch_1").customer("cus_1").email(EMAIL)
}

fn by_invoice() -> Event {
    // Too long after the intent to be like it.
    bill("in_1", eur(2000), Billing::SubscriptionStart, "sub_1").at(200).customer("cus_1").email(EMAIL)
}

fn link() -> Event {
    invoice_payment("in_1", "pi_1").at(270)
}

/// The business event of the sale that an object belongs to.
fn sale_of(house: &House, object: &str) -> BusinessEventId {
    let group = &house.books.groups[&house.group_of(&key(object))];
    group.events.iter().find(|(subject, _)| *subject == Subject::Sale).unwrap().1
}

fn is_withdrawn(house: &House, id: BusinessEventId, destination: DestinationId) -> bool {
    matches!(house.state(id, destination), State::Suppressed { rule: Rule::Withdrawn, .. })
}

fn purchases(house: &House) -> u32 {
    house.people().iter().map(|contact| contact.purchases).sum()
}

/// Both halves have settled, as two sales.
fn two_sales() -> (House, BusinessEventId, BusinessEventId) {
    let mut house = House::new(everybody());
    house.take_all([&by_intent(), &by_invoice()]);
    house.seconds(65);
    let (first, second) = (sale_of(&house, "pi_1"), sale_of(&house, "in_1"));
    assert_ne!(first, second);
    assert_eq!(purchases(&house), 2);
    (house, first, second)
}

#[test]
fn before_anybody_is_told_the_halves_become_one_without_a_trace() {
    let (mut house, _, _) = two_sales();
    house.take(&link());
    house.check();
    assert_eq!(purchases(&house), 1);
    assert_eq!(house.told_twice(), 0);
    let told = house.deliver();
    let sales: Vec<_> = told.iter().filter(|(_, id)| house.event(*id).kind == EventKind::Purchase).collect();
    assert_eq!(sales.len(), 3, "each destination once: {told:?}");
    house.check();
}

#[test]
fn two_sales_that_were_both_told_are_reported_and_neither_is_sent_again() {
    let (mut house, first, second) = two_sales();
    house.deliver();
    house.take(&link());
    house.check();
    assert_eq!((purchases(&house), house.told_twice()), (1, 1));
    let stays = sale_of(&house, "in_1");
    let goes = if stays == first { second } else { first };
    assert!(house.event(goes).facts.marks.contains(&Mark::ToldTwice));
    assert!(house.due(ANALYTICS).is_empty());
    // Whoever keeps contacts is told the totals as they are now.
    for destination in [CRM, MAIL] {
        let told: Vec<_> = house.due(destination);
        assert_eq!(told.len(), 1, "{destination:?}");
    }
    house.deliver();
    house.take(&link());
    assert_eq!(house.told_twice(), 1);
    assert!(house.books.due.is_empty());
    house.check();
}

/// The first attempt of a sale at the analytics comes to this.
fn try_once(house: &mut House, id: BusinessEventId, outcome: Outcome) {
    let due = house.due(ANALYTICS).into_iter().find(|due| due.target == id.0).unwrap();
    let report = house.attempt(due, outcome);
    house.report(&report);
}

fn refused() -> Outcome {
    Outcome::Permanent { class: FailureClass::Rejected, explanation: "400".into() }
}

#[test]
fn what_was_refused_was_not_told_and_the_other_half_goes_out() {
    for refuse_first in [true, false] {
        let (mut house, first, second) = two_sales();
        let (bad, good) = if refuse_first { (first, second) } else { (second, first) };
        try_once(&mut house, bad, refused());
        house.take(&link());
        house.check();
        assert_eq!((sale_of(&house, "pi_1"), house.told_twice()), (good, 0));
        assert!(is_withdrawn(&house, bad, ANALYTICS), "nobody is to ask for it again");
        assert!(house.deliver().contains(&(ANALYTICS, good)));
        house.check();
    }
}

#[test]
fn a_retry_by_a_person_sends_nothing_that_another_event_has_told() {
    for outcome in [refused(), Outcome::Retry { explanation: "no answer".into(), after: None }] {
        let (mut house, first, second) = two_sales();
        house.rules.destinations[0].schedule = RetrySchedule::new(vec![Duration::ZERO]).unwrap();
        try_once(&mut house, first, outcome.clone());
        try_once(&mut house, second, Outcome::Delivered);
        house.take(&link());
        house.check();
        let error = retry_by_hand(&mut house, first, ANALYTICS).unwrap_err();
        assert!(error.contains("must not be sent"), "{outcome:?}: {error}");
        assert!(house.due(ANALYTICS).is_empty());
        let stays_failed = matches!(house.state(first, ANALYTICS), State::Failed { .. });
        assert_eq!(stays_failed, matches!(outcome, Outcome::Retry { .. }), "what may have arrived is for a person");
        house.check();
    }
}

#[test]
fn what_may_have_arrived_is_remembered_through_a_retry_by_a_person() {
    let (mut house, first, second) = two_sales();
    house.rules.destinations[0].schedule = RetrySchedule::new(vec![Duration::ZERO]).unwrap();
    try_once(&mut house, first, Outcome::Retry { explanation: "timed out".into(), after: None });
    assert!(matches!(house.state(first, ANALYTICS), State::Failed { .. }));
    retry_by_hand(&mut house, first, ANALYTICS).unwrap();
    house.take(&link());
    house.check();
    assert_eq!(sale_of(&house, "in_1"), first, "the other one is not sent besides");
    assert!(is_withdrawn(&house, second, ANALYTICS));
}

#[test]
fn what_may_have_arrived_can_be_sent_again_where_the_other_was_held_back_for_it() {
    let (mut house, first, second) = two_sales();
    house.rules.destinations[0].schedule = RetrySchedule::new(vec![Duration::ZERO]).unwrap();
    try_once(&mut house, second, Outcome::Retry { explanation: "503".into(), after: None });
    let elsewhere = DestinationId(9);
    let (taken, left_out) =
        (State::Delivered { at: house.now }, State::Suppressed { rule: Rule::Filtered, at: house.now });
    for (id, state) in [(first, taken), (second, left_out)] {
        let mut other = house.delivery(id, ANALYTICS).clone();
        (other.destination, other.state, other.may_have_arrived) = (elsewhere, state, false);
        house.books.events.get_mut(&id).unwrap().deliveries.push(other);
    }
    house.take(&link());
    let stays = sale_of(&house, "in_1");
    assert_eq!(stays, first);
    assert!(is_withdrawn(&house, first, ANALYTICS), "the other may have arrived");
    assert!(matches!(house.state(second, ANALYTICS), State::Failed { .. }), "a person sees it");
    retry_by_hand(&mut house, second, ANALYTICS).unwrap();
}

#[test]
fn of_two_sales_the_one_that_was_told_goes_on() {
    for told_first in [true, false] {
        let (mut house, first, second) = two_sales();
        let (told, other) = if told_first { (first, second) } else { (second, first) };
        let due = house.due(ANALYTICS).into_iter().find(|due| due.target == told.0).unwrap();
        let report = house.attempt(due, Outcome::Delivered);
        house.report(&report);
        house.take(&link());
        house.check();
        assert_eq!(sale_of(&house, "pi_1"), told);
        assert!(is_withdrawn(&house, other, ANALYTICS));
        assert_eq!(house.told_twice(), 0);
        let id = house.event(told).transaction_id.clone();
        assert_eq!(house.people()[0].last_sale.as_ref().map(|sale| sale.transaction_id.clone()), id);
        house.take(&refund("re_1", eur(500), Counted, "ch_1", Some("pi_1")).at(70));
        assert_eq!(house.only(&EventKind::Refund).transaction_id, id);
        house.check();
    }
}

#[test]
fn a_success_of_the_withdrawn_half_counts_and_stops_the_other() {
    for told_first in [true, false] {
        let (mut house, first, second) = two_sales();
        let due = house.due(ANALYTICS);
        let reports: Vec<_> = due.iter().map(|due| house.attempt(*due, Outcome::Delivered)).collect();
        house.take(&link());
        let stays = sale_of(&house, "pi_1");
        let goes = if stays == first { second } else { first };
        let of = |id: BusinessEventId| reports.iter().find(|report| report.told[0].0 == id).unwrap();
        if told_first {
            // The other is on its way too: both arrive.
            house.report(of(stays));
            house.report(of(goes));
            assert!(matches!(house.state(stays, ANALYTICS), State::Delivered { .. }));
        } else {
            house.report(of(goes));
            assert!(is_withdrawn(&house, stays, ANALYTICS));
        }
        assert!(matches!(house.state(goes, ANALYTICS), State::Delivered { .. }));
        assert!(house.event(goes).facts.marks.contains(&Mark::ToldTwice));
        assert_eq!(house.told_twice(), 1);
        assert!(house.due(ANALYTICS).is_empty());
        house.check();
    }
}

#[test]
fn a_destination_told_of_one_half_is_not_told_of_the_other_when_another_was_told_of_that() {
    let (mut house, first, second) = two_sales();
    let mut other = house.rules.destinations[0].clone();
    other.id = DestinationId(9);
    other.name = "second property".into();
    house.rules.destinations.push(other);
    // The second property is as if it had been there: it knows the second half only.
    let mut event = house.books.events[&second].clone();
    let mut delivery = event.deliveries[0].clone();
    delivery.destination = DestinationId(9);
    delivery.state = State::Delivered { at: house.now };
    event.deliveries.push(delivery);
    house.books.events.insert(second, event);
    house.books.state_counts.insert(DestinationId(9), [0, 1, 0, 0, 0]);
    let due = house.due(ANALYTICS).into_iter().find(|due| due.target == first.0).unwrap();
    let report = house.attempt(due, Outcome::Delivered);
    house.report(&report);
    house.take(&link());
    house.check();
    let stays = sale_of(&house, "pi_1");
    assert_eq!(house.told_twice(), 1);
    let goes = if stays == first { second } else { first };
    let elsewhere = if stays == first { DestinationId(9) } else { ANALYTICS };
    assert!(is_withdrawn(&house, stays, elsewhere));
    assert!(matches!(house.state(goes, elsewhere), State::Delivered { .. }));
}

#[test]
fn a_withdrawn_half_that_a_crm_takes_all_the_same_makes_it_be_told_again() {
    let (mut house, _, _) = two_sales();
    let due = house.due(CRM)[0];
    let report = house.attempt(due, Outcome::Delivered);
    house.take(&link());
    house.report(&report);
    house.check();
    assert_eq!(house.due(CRM).len(), 1, "what it was told has two sales in it");
    let told = house.deliver();
    let kinds: Vec<_> = told.iter().filter(|(at, _)| *at == CRM).map(|(_, id)| house.event(*id).kind.name()).collect();
    assert_eq!(kinds, ["contact_changed"]);
    house.check();
}

#[test]
fn refunds_told_under_another_id_than_their_sale_are_marked() {
    let mut house = House::new(everybody());
    house.take(&by_invoice());
    house.take(&refund("re_1", eur(500), Counted, "ch_1", Some("pi_1")));
    house.seconds(3601);
    house.deliver();
    let refund = house.only(&EventKind::Refund).id;
    assert_eq!(house.event(refund).transaction_id.as_deref(), Some("pi_1"));
    house.take(&link());
    assert_eq!(house.event(sale_of(&house, "in_1")).transaction_id.as_deref(), Some("in_1"));
    assert!(house.event(refund).facts.marks.contains(&Mark::ChangedAfterSent));
    assert_eq!(house.event(refund).transaction_id.as_deref(), Some("pi_1"), "what was sent stays what it was");
    assert_eq!(house.people()[0].totals.of("eur".parse().unwrap()), eur(1500));
    house.check();
}

#[test]
fn groups_of_two_people_that_prove_to_be_one_make_them_one_with_their_pending_work() {
    let mut house = House::new(everybody());
    house.take(&intent("pi_1", eur(2000), "ch_1").email("jane@example.com"));
    house.take(&bill("in_1", eur(2000), Billing::SubscriptionStart, "sub_1").customer("cus_1").email("j@work.example"));
    house.take(&charge("ch_9", eur(700), None).email("jane@example.com"));
    house.seconds(65);
    assert_eq!(house.people().len(), 2);
    house.check();
    house.take(&link());
    house.check();
    let people = house.people();
    assert_eq!(people.len(), 1);
    assert_eq!((people[0].purchases, people[0].totals.of("eur".parse().unwrap())), (2, eur(2700)));
    assert_eq!(house.due(CRM).len(), 1);
    let told = house.deliver();
    assert_eq!(told.iter().filter(|(at, _)| *at == CRM).count(), 2);
    house.check();
}

#[test]
fn three_groups_at_once_are_one() {
    let mut house = House::new(everybody());
    house.take(&charge("ch_1", eur(2000), None).customer("cus_1"));
    house.take(&by_invoice());
    house.take(&intent("pi_1", eur(2000), "ch_x").customer("cus_1"));
    assert_eq!(house.current().len(), 3);
    let all = intent("pi_1", eur(2000), "ch_1").link(crate::model::statement::ObjectKind::Invoice, "in_1");
    house.take(&Event { id: "evt_all".into(), ..all.customer("cus_1") });
    assert_eq!(house.current().len(), 1);
    assert_eq!(purchases(&house), 1);
    house.check();
    house.seconds(120);
    house.deliver();
    house.check();
}

#[test]
fn what_was_held_back_for_a_request_that_came_to_nothing_is_sent_after_all() {
    let mut rules = everybody();
    let another = DestinationId(4);
    let mut archive = rules.destination(ANALYTICS).unwrap().clone();
    archive.id = another;
    rules.destinations.push(archive);
    let mut house = House::new(rules);
    house.take_all(&[by_intent(), by_invoice()]);
    house.seconds(65);
    let (first, second) = (sale_of(&house, "pi_1"), sale_of(&house, "in_1"));
    let due =
        |house: &House, at, id: BusinessEventId| house.due(at).into_iter().find(|due| due.target == id.0).unwrap();
    // The archive has the one; a request with the other is on its way to analytics when a link makes them one.
    let told = house.attempt(due(&house, another, first), Outcome::Delivered);
    house.report(&told);
    let failed =
        house.attempt(due(&house, ANALYTICS, second), Outcome::Retry { explanation: "503".into(), after: None });
    house.run(|workspace, _| plan_start(workspace, ANALYTICS, Target::Event(second))).unwrap();
    house.take(&link());
    assert!(is_withdrawn(&house, first, ANALYTICS));
    house.report(&failed);
    house.deliver();
    house.check();
    assert!(matches!(house.state(first, ANALYTICS), State::Delivered { .. }));
    assert!(is_withdrawn(&house, second, ANALYTICS) && is_withdrawn(&house, second, another));
}
