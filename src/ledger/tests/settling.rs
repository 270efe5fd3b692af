//! When what is counted is let go, and what is fixed then.

use std::time::Duration;

use super::destinations::{ANALYTICS, CRM, MAIL, everybody, nobody};
use super::house::House;
use super::stripe::{
    Shape, bill, charge, eur, intent, intent_failed, key, paid_by_card, session, subscription_session,
};
use crate::ledger::count;
use crate::ledger::rules::SourceRules;
use crate::ledger::workspace::Notice;
use crate::model::business_event::{EventKind, Mark};
use crate::model::delivery::{Rule, State};
use crate::model::id::{BusinessEventId, DestinationId};
use crate::model::statement::{Billing, Claim, ObjectKind};
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
fn a_strong_sale_goes_at_once_to_whoever_has_what_it_needs() {
    let mut house = House::new(everybody());
    house.take(&session("cs_1", eur(9900), Some("pi_1")).email("jane@example.com").browser("1.2"));
    let id = sale(&house);
    for destination in [ANALYTICS, CRM, MAIL] {
        assert_eq!(waits(&house, id, destination), None);
        assert_eq!(house.due(destination).len(), 1);
    }
    let frozen = house.delivery(id, ANALYTICS).frozen.clone().unwrap();
    assert_eq!((frozen.client_id.as_deref(), frozen.synthetic), (Some("1.2"), false));
    assert!(house.event(id).frozen && house.books.settle.is_empty());
    house.check();
}

#[test]
fn a_strong_sale_waits_for_the_browsers_id_no_longer_than_it_settles() {
    let mut house = House::new(everybody());
    house.take(&session("cs_1", eur(9900), Some("pi_1")).email("jane@example.com"));
    let id = sale(&house);
    assert_eq!(waits(&house, id, ANALYTICS), Some(house.now.after(Duration::from_secs(60))));
    assert_eq!(waits(&house, id, CRM), None);
    // The browser's id comes with the charge.
    let mut second = house.clone();
    second.seconds(5);
    second.take(&charge("ch_1", eur(9900), Some("pi_1")).browser("1.2"));
    assert_eq!(second.delivery(id, ANALYTICS).frozen.clone().unwrap().client_id.as_deref(), Some("1.2"));
    second.check();
    // It never comes.
    house.seconds(59);
    assert!(house.due(ANALYTICS).is_empty());
    house.seconds(1);
    assert_eq!(house.due(ANALYTICS).len(), 1);
    assert!(house.delivery(id, ANALYTICS).frozen.clone().unwrap().synthetic);
    house.check();
}

#[test]
fn half_a_sale_settles_before_anybody_is_told() {
    let mut house = House::new(everybody());
    house.take(&intent("pi_1", eur(3000), "ch_1").email("jane@example.com").browser("1.2"));
    let id = sale(&house);
    for destination in [ANALYTICS, CRM, MAIL] {
        assert_eq!(waits(&house, id, destination), Some(house.now.after(Duration::from_secs(60))));
    }
    assert!(!house.event(id).frozen);
    house.seconds(60);
    for destination in [ANALYTICS, CRM, MAIL] {
        assert_eq!(house.due(destination).len(), 1);
    }
    assert!(house.event(id).frozen && house.books.settle.is_empty());
    house.check();
}

#[test]
fn what_comes_late_waits_longer_and_no_longer_once_something_fresh_is_said() {
    let mut house = House::new(everybody());
    house.seconds(600);
    house.take(&intent("pi_1", eur(3000), "ch_1"));
    let id = sale(&house);
    assert_eq!(waits(&house, id, ANALYTICS), Some(house.now.after(Duration::from_secs(3600))));
    house.take(&charge("ch_1", eur(3000), Some("pi_1")).at(600));
    assert_eq!(waits(&house, id, ANALYTICS), Some(house.now.after(Duration::from_secs(60))));
    house.check();
}

#[test]
fn a_late_sale_that_is_strong_and_ready_still_goes_at_once() {
    let mut house = House::new(everybody());
    house.seconds(7200);
    house.take(&session("cs_1", eur(9900), Some("pi_1")).email("jane@example.com").browser("1.2"));
    assert!([ANALYTICS, CRM, MAIL].iter().all(|destination| house.due(*destination).len() == 1));
}

#[test]
fn settling_can_be_turned_off() {
    let mut house = House::new(everybody());
    let off = SourceRules { settle: Duration::ZERO, ..SourceRules::default() };
    house.rules.sources.insert("stripe".into(), off);
    house.take(&intent("pi_1", eur(3000), "ch_1").email("jane@example.com"));
    assert!([ANALYTICS, CRM, MAIL].iter().all(|destination| house.due(*destination).len() == 1));
    assert!(house.books.settle.is_empty());
    house.check();
}

#[test]
fn what_is_frozen_keeps_its_id_and_time_when_a_link_comes_later() {
    let mut house = House::new(everybody());
    house.take(&intent("pi_1", eur(2000), "ch_1").customer("cus_1").at(2));
    house.seconds(61);
    let id = sale(&house);
    assert_eq!(house.event(id).transaction_id.as_deref(), Some("pi_1"));
    house.deliver();
    // An hour later it turns out to have paid a renewal.
    house.seconds(3600);
    house.take_all(&paid_by_card(
        Shape::Old,
        bill("in_1", eur(2000), Billing::SubscriptionCycle, "sub_1"),
        "pi_1",
        "ch_1",
    ));
    let event = house.event(id);
    assert_eq!((event.transaction_id.as_deref(), &event.kind), (Some("pi_1"), &EventKind::Renewal));
    assert_eq!(event.occurred_at.unix_seconds() - super::house::START.unix_seconds(), 2);
    assert!(event.facts.marks.contains(&Mark::ChangedAfterSent));
    assert_eq!(house.delivery(id, ANALYTICS).frozen.clone().unwrap().kind, EventKind::Purchase);
    assert!(house.due(ANALYTICS).is_empty(), "a kind already sent is not sent again under another");
    // The contact's books changed, so who keeps contacts is told again.
    assert_eq!(house.due(CRM).len(), 1);
    house.check();
}

#[test]
fn facts_that_come_before_it_is_sent_are_sent() {
    let mut house = House::new(everybody());
    house.take(&session("cs_1", eur(9900), Some("pi_1")).email("jane@example.com"));
    house.take(&charge("ch_1", eur(9900), Some("pi_1")));
    let event = house.event(sale(&house));
    assert!(event.frozen, "the CRM needs nothing more");
    assert_eq!(event.facts.details.payment_method_type.as_deref(), Some("card"));
    assert_eq!(house.people()[0].payment_method_type.as_deref(), Some("card"));
}

#[test]
fn consent_that_comes_before_it_settles_counts() {
    let mut house = House::new(everybody());
    house.take(&session("cs_1", eur(9900), Some("pi_1")).email("jane@example.com"));
    let id = sale(&house);
    house.take(&charge("ch_1", eur(9900), Some("pi_1")).tags(|tags| tags.consent.analytics = Some(false)));
    house.seconds(60);
    assert_eq!(suppressed(&house, id, ANALYTICS), Some(Rule::NoConsent));
    assert!(house.delivery(id, ANALYTICS).frozen.is_none());
    house.check();
}

#[test]
fn a_kind_that_changes_before_it_settles_goes_only_to_those_who_want_it() {
    let mut house = House::new(everybody());
    house.rules.destinations[0].kinds.retain(|kind| *kind != EventKind::Renewal);
    house.take(&intent("pi_1", eur(2000), "ch_1").customer("cus_1"));
    assert_eq!(house.event(sale(&house)).deliveries.len(), 3);
    house.take_all(&paid_by_card(
        Shape::Old,
        bill("in_1", eur(2000), Billing::SubscriptionCycle, "sub_1"),
        "pi_1",
        "ch_1",
    ));
    let event = house.only(&EventKind::Renewal);
    assert!(event.deliveries.iter().all(|delivery| delivery.destination != ANALYTICS));
    house.check();
}

#[test]
fn a_trial_is_told_to_those_who_want_trials() {
    let mut house = House::new(everybody());
    house.take(&bill("in_1", eur(0), Billing::SubscriptionStart, "sub_1").customer("cus_1"));
    let event = house.only(&EventKind::TrialStarted);
    assert_eq!(event.deliveries.iter().map(|delivery| delivery.destination).collect::<Vec<_>>(), [CRM]);
    assert_eq!(house.due(CRM).len(), 1);
}

#[test]
fn test_events_reach_no_live_destination() {
    let mut house = House::new(everybody());
    house.take(&session("cs_1", eur(9900), Some("pi_1")).email("jane@example.com").in_test_mode());
    house.seconds(3600);
    let id = sale(&house);
    assert!([ANALYTICS, CRM, MAIL].iter().all(|at| suppressed(&house, id, *at) == Some(Rule::TestMode)));
    house.check();
}

#[test]
fn what_is_too_old_is_not_sent_and_noticed_once() {
    let mut house = House::new(everybody());
    house.seconds(80 * 3600);
    house.take(&session("cs_1", eur(9900), Some("pi_1")).email("jane@example.com"));
    house.take(&charge("ch_1", eur(9900), Some("pi_1")));
    assert_eq!(suppressed(&house, sale(&house), ANALYTICS), Some(Rule::TooOld));
    assert_eq!(house.due(CRM).len(), 1);
    let notices = house.books.notices.iter().filter(|notice| matches!(notice, Notice::TooOld { .. }));
    assert_eq!(notices.count(), 1);
    house.check();
}

#[test]
fn what_grows_too_old_while_it_settles_is_not_sent() {
    let mut house = House::new(everybody());
    house.seconds(72 * 3600 - 600);
    house.take(&intent("pi_1", eur(3000), "ch_1").email("jane@example.com"));
    house.seconds(3600);
    assert_eq!(suppressed(&house, sale(&house), ANALYTICS), Some(Rule::TooOld));
    assert_eq!(house.books.notices.len(), 1);
    house.check();
}

#[test]
fn a_sale_whose_buyer_becomes_known_later_is_told_then() {
    let mut house = House::new(everybody());
    house.take(&intent("pi_1", eur(3000), "ch_1"));
    house.seconds(60);
    let id = sale(&house);
    assert_eq!(suppressed(&house, id, CRM), Some(Rule::NoContact));
    assert_eq!(house.due(ANALYTICS).len(), 1);
    house.take(&charge("ch_1", eur(3000), Some("pi_1")).email("jane@example.com").at(60));
    house.check();
    house.seconds(60);
    assert_eq!((house.due(CRM).len(), house.due(MAIL).len()), (1, 1));
    assert_eq!(house.event(id).transaction_id.as_deref(), Some("pi_1"));
    house.check();
}

#[test]
fn a_destination_that_is_no_longer_configured_is_not_waited_for() {
    let mut house = House::new(everybody());
    house.take(&intent("pi_1", eur(3000), "ch_1").email("jane@example.com"));
    let gone = house.rules.destinations.remove(0);
    house.seconds(60);
    assert_eq!(suppressed(&house, sale(&house), ANALYTICS), Some(Rule::Filtered));
    assert!(house.books.settle.is_empty());
    house.rules.destinations.insert(0, gone);
    house.check();
}

#[test]
fn a_new_destination_is_not_told_of_old_sales_unless_a_person_asks() {
    let mut house = House::new(nobody());
    let sold = session("cs_1", eur(9900), Some("pi_1")).email("jane@example.com");
    house.take(&sold);
    house.seconds(3600);
    house.rules = everybody();
    house.take(&charge("ch_1", eur(9900), Some("pi_1")));
    assert!(house.event(sale(&house)).deliveries.is_empty());
    let webhook = house.books.webhooks.values().next().unwrap().clone();
    let interpreted = crate::model::statement::Interpreted {
        provider_id: sold.id.clone(),
        event_type: "checkout.session.completed".into(),
        created: Some(sold.statement.said_at),
        scope: sold.scope.clone(),
        meaning: crate::model::statement::Meaning::Statement(Box::new(sold.statement.clone())),
        notes: Vec::new(),
    };
    house.run(|workspace, rules| count::plan_again(workspace, rules, webhook, &interpreted)).unwrap();
    assert_eq!(house.event(sale(&house)).deliveries.len(), 3);
    assert_eq!(house.books.events.len(), 1);
    assert_eq!(house.due(CRM).len(), 1);
    house.check();
}

#[test]
fn a_source_that_does_not_count_feeds_people_only_and_takes_nothing_away() {
    let mut house = House::new(everybody());
    let silent = SourceRules { counts_sales: false, ..SourceRules::default() };
    house.rules.sources.insert("other".into(), silent);
    let sold = session("cs_1", eur(9900), Some("pi_1")).email("jane@example.com");
    let from_other = |event: &super::stripe::Event| super::stripe::Event { source: "other".into(), ..event.clone() };
    house.take(&from_other(&sold));
    assert!(house.books.events.is_empty());
    assert_eq!(house.people()[0].purchases, 0);
    house.take(&charge("ch_1", eur(9900), Some("pi_1")));
    house.take(&from_other(&intent("pi_1", eur(9900), "ch_1")));
    assert_eq!(house.people()[0].purchases, 1);
    assert_eq!(house.current().len(), 1);
    house.check();
}

#[test]
fn a_failed_try_is_told_once_whoever_tells_of_it_first() {
    let failed = intent_failed("pi_1", "ch_a", eur(2000)).customer("cus_1");
    let by_invoice =
        super::stripe::invoice_failed("in_1", 1, eur(2000), "sub_1").at(3).link(ObjectKind::Intent, "pi_1");
    for order in [[&failed, &by_invoice], [&by_invoice, &failed]] {
        let mut house = House::new(everybody());
        house.take_all(order);
        house.deliver();
        house.take_all(order);
        assert_eq!(house.books.events.len(), 1);
        assert_eq!(house.only(&EventKind::PaymentFailed).facts.failure_code.as_deref(), Some("card_declined"));
        assert!(house.books.due.is_empty());
        house.check();
    }
    // A second try, hours later, is another.
    let mut house = House::new(everybody());
    house.take_all([&by_invoice, &failed]);
    house.take(&super::stripe::invoice_failed("in_1", 2, eur(2000), "sub_1").at(9000));
    assert_eq!(house.current().len(), 2);
    house.take(&intent_failed("pi_1", "ch_b", eur(2000)).at(9001));
    assert_eq!(house.current().len(), 2);
    house.check();
}

#[test]
fn two_equal_purchases_within_two_minutes_are_two() {
    let mut house = House::new(everybody());
    for number in [1, 2] {
        let (session_id, intent_id) = (format!("cs_{number}"), format!("pi_{number}"));
        house.take(&session(&session_id, eur(9900), Some(&intent_id)).email("jane@example.com").at(number * 50));
        house.take(&intent(&intent_id, eur(9900), &format!("ch_{number}")).at(number * 50));
    }
    assert_eq!(house.current().len(), 2);
    assert_eq!(house.people()[0].purchases, 2);
    assert_ne!(house.group_of(&key("pi_1")), house.group_of(&key("pi_2")));
    house.check();
}

#[test]
fn amounts_that_are_never_said_sell_nothing() {
    let mut house = House::new(everybody());
    let mut odd = session("cs_1", eur(1), Some("pi_1")).email("jane@example.com");
    odd.statement.claim = Claim::Nothing;
    house.take(&odd);
    assert!(house.books.events.is_empty());
    house.take(&subscription_session("cs_2", eur(0), "in_2", "sub_2").customer("cus_1"));
    house.check();
}
