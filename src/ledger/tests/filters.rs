//! What filters and consent rules let through, when they are asked, and what a change of them does.

use std::sync::Arc;

use super::destinations::{ANALYTICS, CRM, MAIL, everybody};
use super::house::House;
use super::results::{fail, retry_by_hand};
use super::stripe::{Event, charge, eur, intent, session};
use crate::destinations::Admission;
use crate::destinations::consent::{Choice, Need};
use crate::destinations::fields::{Field, FieldValue};
use crate::destinations::filter::{Case, Condition, Filter, Operator};
use crate::ledger::count;
use crate::model::business_event::EventKind;
use crate::model::delivery::{Rule, State};
use crate::model::id::BusinessEventId;
use crate::model::statement::{Interpreted, Meaning};

fn only(field: &str, operator: Operator, value: FieldValue) -> Option<Arc<Filter>> {
    let condition = Condition::new(Field::named(field).unwrap(), operator, vec![value]).unwrap();
    Filter::new(vec![Case::new(vec![condition]).unwrap()], Vec::new()).map(Arc::new)
}

fn at_least(value: &str) -> Option<Arc<Filter>> {
    only("value", Operator::AtLeast, FieldValue::Number(value.parse().unwrap()))
}

fn sold(cents: i64) -> Event {
    session("cs_1", eur(cents), Some("pi_1")).email("jane@example.com").browser("1.2")
}

fn sale(house: &House) -> BusinessEventId {
    house.only(&EventKind::Purchase).id
}

fn kept_back(house: &House) -> Option<Rule> {
    match house.state(sale(house), ANALYTICS) {
        State::Suppressed { rule, .. } => Some(*rule),
        _ => None,
    }
}

fn replay(house: &mut House, event: &Event) {
    let webhook = house.books.webhooks.values().next().unwrap().clone();
    let interpreted = Interpreted {
        provider_id: event.id.clone(),
        event_type: "checkout.session.completed".into(),
        created: Some(event.statement.said_at),
        scope: event.scope.clone(),
        meaning: Meaning::Statement(Box::new(event.statement.clone())),
        notes: Vec::new(),
    };
    house.run(|workspace, rules| count::plan_again(workspace, rules, webhook, &interpreted)).unwrap();
}

#[test]
fn what_a_filter_keeps_back_is_suppressed_and_costs_the_others_nothing() {
    let mut house = House::new(everybody());
    house.rules.destinations[0].filter = at_least("100");
    house.take(&sold(9900));
    assert_eq!(kept_back(&house), Some(Rule::Filtered));
    assert_eq!((house.due(ANALYTICS).len(), house.due(CRM).len(), house.due(MAIL).len()), (0, 1, 1));
    house.check();
}

#[test]
fn a_person_can_send_it_after_the_filter_was_widened_and_not_before() {
    let mut house = House::new(everybody());
    house.rules.destinations[0].filter = at_least("100");
    house.take(&sold(9900));
    let id = sale(&house);
    retry_by_hand(&mut house, id, ANALYTICS).unwrap();
    assert_eq!(kept_back(&house), Some(Rule::Filtered), "the rule of today");
    house.rules.destinations[0].filter = at_least("99");
    retry_by_hand(&mut house, id, ANALYTICS).unwrap();
    assert_eq!(house.due(ANALYTICS).len(), 1);
    assert!(house.delivery(id, ANALYTICS).frozen.is_some());
    house.check();
}

#[test]
fn a_replay_takes_up_what_nothing_keeps_back_any_more() {
    let mut house = House::new(everybody());
    house.rules.destinations[0].filter = at_least("100");
    let sold = sold(9900);
    house.take(&sold);
    replay(&mut house, &sold);
    assert_eq!(kept_back(&house), Some(Rule::Filtered), "the filter is the same");
    house.rules.destinations[0].filter = None;
    house.take(&charge("ch_1", eur(9900), Some("pi_1")));
    assert_eq!(kept_back(&house), Some(Rule::Filtered), "nobody asked");
    replay(&mut house, &sold);
    house.seconds(60);
    assert_eq!(house.due(ANALYTICS).len(), 1);
    assert_eq!(house.delivery(sale(&house), ANALYTICS).generation, 1);
    house.check();
}

#[test]
fn a_filter_waits_while_what_it_asks_for_may_still_come() {
    let mut house = House::new(everybody());
    let by_card = only("payment_method", Operator::Is, FieldValue::Text("card".into()));
    house.rules.destinations[0].filter = by_card.clone();
    house.take(&sold(9900));
    assert!(house.delivery(sale(&house), ANALYTICS).schedule.settling, "ready, but how it was paid is not known");
    house.take(&charge("ch_1", eur(9900), Some("pi_1")).paid_with("card"));
    house.seconds(60);
    assert_eq!(house.due(ANALYTICS).len(), 1);

    let mut house = House::new(everybody());
    house.rules.destinations[0].filter = by_card;
    house.take(&sold(9900));
    house.seconds(60);
    assert_eq!(kept_back(&house), Some(Rule::Filtered), "it never came");
    house.check();
}

#[test]
fn somebody_unknown_is_not_filtered_but_waited_for() {
    let mut house = House::new(everybody());
    house.rules.destinations[1].filter = only("email", Operator::Known, FieldValue::Flag(true));
    house.take(&intent("pi_1", eur(3000), "ch_1"));
    house.seconds(60);
    let is_suppressed_by = |house: &House, wanted: Rule| matches!(house.state(sale(house), CRM), State::Suppressed { rule, .. } if *rule == wanted);
    assert!(is_suppressed_by(&house, Rule::NoContact));
    house.take(&charge("ch_1", eur(3000), Some("pi_1")).email("jane@example.com").at(60));
    house.seconds(60);
    assert_eq!(house.due(CRM).len(), 1);
    house.check();
}

#[test]
fn a_failed_delivery_that_settings_keep_back_today_is_not_sent_again() {
    for (destination, at) in [(ANALYTICS, 0), (CRM, 1)] {
        let mut house = House::new(everybody());
        house.take(&sold(9900));
        fail(&mut house, destination);
        let id = sale(&house);
        house.rules.destinations[at].filter = at_least("100");
        retry_by_hand(&mut house, id, destination).unwrap();
        assert!(matches!(house.state(id, destination), State::Suppressed { rule: Rule::Filtered, .. }));
        assert!(house.due(destination).is_empty() && house.books.failed.is_empty());
        house.check();
    }
}

#[test]
fn consent_is_asked_for_as_configured() {
    for (needs, answer, expected) in [
        (Choice::default(), None, None),
        (Choice { ads: Some(Need::UnlessDenied), ..Choice::default() }, None, None),
        (Choice { ads: Some(Need::UnlessDenied), ..Choice::default() }, Some(false), Some(Rule::NoConsent)),
        (Choice { ads: Some(Need::Required), ..Choice::default() }, None, Some(Rule::NoConsent)),
        (Choice { ads: Some(Need::Required), ..Choice::default() }, Some(true), None),
        (Choice { ads: Some(Need::Ignored), ..Choice::default() }, Some(false), None),
    ] {
        let mut house = House::new(everybody());
        house.rules.destinations[0].consent = needs;
        house.take(&sold(9900).tags(|tags| tags.consent.ads = answer));
        assert_eq!(kept_back(&house), expected, "{needs:?} {answer:?}");
        house.check();
    }
}

/// Yes at 1, bought at 10, and a no of 5 that is held up on its way while the sale waits for a destination that is down.
#[test]
fn a_no_that_comes_late_counts_though_the_person_had_agreed_before() {
    let mut house = House::new(everybody());
    house.rules.destinations[1].consent = Choice { email: Some(Need::UnlessDenied), ..Choice::default() };
    let said = |id: &str, answer: bool| {
        charge(id, eur(100), None).email("jane@example.com").tags(move |tags| tags.consent.email = Some(answer))
    };
    house.take(&said("ch_1", true).at(1));
    house.take(&sold(9900).at(10));
    let sale = house.books.events.values().find(|event| event.amount == Some(eur(9900))).unwrap().id;
    assert!(house.event(sale).frozen);
    house.take(&said("ch_2", false).at(5));
    let (event, jane) = (house.event(sale), house.people()[0]);
    let admission = house.rules.destinations[1].admit(event, Some(jane));
    assert_eq!(admission, Admission::Suppress(Rule::NoConsent));
    house.check();
}
