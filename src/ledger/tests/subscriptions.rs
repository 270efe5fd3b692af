//! The life of subscriptions, what it makes of a person, and what destinations are told, in every order of arrival.

use proptest::prelude::*;
use proptest::sample::select;

use super::destinations::{CRM, MAIL, everybody, nobody};
use super::house::House;
use super::orders::{Numbers, orders};
use super::people::in_every_order;
use super::stripe::{Event, bill, charge, eur, live, second_of};
use super::view::view;
use crate::model::business_event::EventKind;
use crate::model::contact::{Contact, Stage};
use crate::model::delivery::Outcome;
use crate::model::statement::{Billing, Claim, Details, ObjectKind, ObjectRef, Person, Statement, Tags};
use crate::model::subscription::SubscriptionChange::{self, EndScheduled, Paused, Plan, Resumed, TrialEnded};
use crate::model::subscription::{SubscriptionStatus, SubscriptionStep, SubscriptionTerms};

pub(super) fn said(id: &str, object: ObjectRef, second: i64, claim: Claim) -> Event {
    Event {
        id: id.into(),
        source: "stripe".into(),
        scope: live(),
        statement: Statement {
            object,
            said_at: second_of(second),
            links: Vec::new(),
            customer: None,
            subscription: None,
            claim,
            details: Details::default(),
            person: Person::default(),
            tags: Tags::default(),
        },
    }
}

/// `customer.subscription.created` or `.updated` of Jane's, to a plan of its status' name.
fn sub(id: &str, second: i64, status: SubscriptionStatus, changes: &[SubscriptionChange]) -> Event {
    let terms = SubscriptionTerms { status, plan: Some("basic".into()), price: Some(eur(900)), ends_at: None };
    let ended_at = (status == SubscriptionStatus::Ended).then(|| second_of(second));
    let step = SubscriptionStep { terms, ended_at, changes: changes.to_vec() };
    let object = ObjectRef::new(ObjectKind::Subscription, id);
    said(&format!("evt_{id}_{second}"), object, second, Claim::Subscription(step)).customer("cus_1")
}

/// `customer.subscription.deleted`.
fn deleted(id: &str, second: i64) -> Event {
    sub(id, second, SubscriptionStatus::Ended, &[])
}

fn on_plan(mut event: Event, plan: &str) -> Event {
    if let Claim::Subscription(step) = &mut event.statement.claim {
        step.terms.plan = Some(plan.into());
    }
    event
}

/// `customer.updated`.
pub(super) fn customer(id: &str, second: i64) -> Event {
    let object = ObjectRef::new(ObjectKind::Customer, id);
    said(&format!("evt_{id}_{second}"), object, second, Claim::Nothing).customer(id)
}

pub(super) fn only_person(house: &House) -> &Contact {
    let [person] = house.people()[..] else { panic!("{:#?}", house.people()) };
    person
}

/// What happened, in order of the provider's time.
pub(super) fn happened(house: &House) -> Vec<String> {
    let mut all: Vec<_> = house.current().into_iter().collect();
    all.sort_by(|a, b| (a.occurred_at, &a.key).cmp(&(b.occurred_at, &b.key)));
    all.into_iter().map(|event| event.kind.name().to_owned()).collect()
}

fn counts(person: &Contact) -> (u32, u32) {
    (person.subscriptions.running, person.subscriptions.ended)
}

#[test]
fn a_life_from_trial_to_end_is_the_same_in_every_order() {
    let house = in_every_order(&[
        sub("sub_1", 0, SubscriptionStatus::Trialing, &[]),
        bill("in_0", eur(0), Billing::SubscriptionStart, "sub_1").customer("cus_1").at(1),
        sub("sub_1", 100, SubscriptionStatus::Active, &[TrialEnded]),
        bill("in_1", eur(900), Billing::SubscriptionCycle, "sub_1").customer("cus_1").at(101),
        on_plan(sub("sub_1", 200, SubscriptionStatus::Active, &[Plan]), "pro"),
        on_plan(sub("sub_1", 300, SubscriptionStatus::Active, &[EndScheduled]), "pro"),
        on_plan(deleted("sub_1", 400), "pro"),
    ]);
    assert_eq!(
        happened(&house),
        [
            "subscription_started",
            "trial_started",
            "subscription_changed",
            "purchase",
            "subscription_changed",
            "subscription_changed",
            "subscription_ended"
        ]
    );
    let person = only_person(&house);
    assert_eq!(person.stage(), Stage::Churned);
    assert_eq!(person.became_customer_at(), Some(second_of(0)));
    assert_eq!(person.churned_at(), Some(second_of(400)));
    assert_eq!(person.lead_since, Some(second_of(0)));
    assert_eq!((counts(person), person.purchases, person.renewals), ((0, 1), 1, 0));
    let newest = person.subscriptions.newest.as_ref().unwrap();
    assert_eq!((newest.status, newest.plan.as_deref()), (SubscriptionStatus::Ended, Some("pro")));

    // Each tells how the subscription stood by the event that told of it.
    let started = house.only(&EventKind::SubscriptionStarted);
    assert_eq!(started.key, "stripe/-/live/sub_1/started");
    assert_eq!((started.transaction_id.clone(), started.amount), (None, None));
    let facts = started.facts.subscription.as_ref().unwrap();
    assert_eq!((facts.status, facts.plan.as_deref()), (SubscriptionStatus::Trialing, Some("basic")));
    let upgrade = house.current().into_iter().find(|event| event.key.ends_with("/changed/evt_sub_1_200")).unwrap();
    let facts = upgrade.facts.subscription.as_ref().unwrap();
    assert_eq!((facts.plan.as_deref(), &facts.changes[..]), (Some("pro"), &[Plan][..]));
    let ended = house.only(&EventKind::SubscriptionEnded).facts.subscription.as_ref().unwrap();
    assert_eq!((ended.status, ended.ends_at), (SubscriptionStatus::Ended, Some(second_of(400))));
}

#[test]
fn who_buys_again_after_the_end_is_a_customer_again() {
    let ended = [sub("sub_1", 0, SubscriptionStatus::Active, &[]), deleted("sub_1", 100)];
    let bought = |second| charge("ch_1", eur(500), None).customer("cus_1").at(second);
    for (then, stage) in [
        (bought(50), Stage::Churned),
        (bought(100), Stage::Churned),
        (bought(101), Stage::Customer),
        (sub("sub_2", 200, SubscriptionStatus::Active, &[]), Stage::Customer),
        (sub("sub_2", 200, SubscriptionStatus::NotBegun, &[]), Stage::Churned),
    ] {
        let mut events = ended.to_vec();
        events.push(then);
        let house = in_every_order(&events);
        assert_eq!(only_person(&house).stage(), stage, "{events:?}");
    }
}

#[test]
fn a_pause_ends_nothing() {
    let house = in_every_order(&[
        sub("sub_1", 0, SubscriptionStatus::Active, &[]),
        sub("sub_1", 100, SubscriptionStatus::Paused, &[Paused]),
        sub("sub_1", 200, SubscriptionStatus::Active, &[Resumed]),
        sub("sub_1", 300, SubscriptionStatus::Active, &[]),
    ]);
    assert_eq!(happened(&house), ["subscription_started", "subscription_changed", "subscription_changed"]);
    let person = only_person(&house);
    assert_eq!((person.stage(), counts(person)), (Stage::Customer, (1, 0)));
}

#[test]
fn what_ended_before_it_was_heard_to_begin_has_ended() {
    let house = in_every_order(&[deleted("sub_1", 100), sub("sub_1", 0, SubscriptionStatus::Active, &[])]);
    assert_eq!(happened(&house), ["subscription_started", "subscription_ended"]);
    assert_eq!(counts(only_person(&house)), (0, 1));
    // A word that is newer than the end, by a clock or by mistake, brings nothing back.
    let house = in_every_order(&[
        deleted("sub_1", 100),
        sub("sub_1", 0, SubscriptionStatus::Active, &[]),
        sub("sub_1", 100, SubscriptionStatus::Active, &[]),
        sub("sub_1", 101, SubscriptionStatus::Active, &[]),
    ]);
    let person = only_person(&house);
    assert_eq!((person.stage(), counts(person)), (Stage::Churned, (0, 1)));
    assert_eq!(person.subscriptions.newest.as_ref().map(|newest| newest.status), Some(SubscriptionStatus::Ended));
}

#[test]
fn what_never_began_makes_nobody_a_customer() {
    let house = in_every_order(&[
        sub("sub_1", 0, SubscriptionStatus::NotBegun, &[]),
        sub("sub_1", 100, SubscriptionStatus::NotBegun, &[]),
    ]);
    assert_eq!(happened(&house), [""; 0]);
    let person = only_person(&house);
    assert_eq!((person.stage(), counts(person)), (Stage::Lead, (0, 0)));
}

#[test]
fn one_that_runs_keeps_a_customer_whose_other_one_ended() {
    let events = [
        sub("sub_1", 0, SubscriptionStatus::Active, &[]),
        on_plan(sub("sub_2", 50, SubscriptionStatus::Overdue, &[]), "extra"),
        deleted("sub_1", 100),
    ];
    let house = in_every_order(&events);
    let person = only_person(&house);
    assert_eq!((person.stage(), counts(person)), (Stage::Customer, (1, 1)));
    let newest = person.subscriptions.newest.as_ref().unwrap();
    assert_eq!((newest.id.as_str(), newest.status), ("sub_2", SubscriptionStatus::Overdue));
    let mut events = events.to_vec();
    events.push(deleted("sub_2", 80));
    let house = in_every_order(&events);
    let person = only_person(&house);
    assert_eq!((person.churned_at(), counts(person)), (Some(second_of(100)), (0, 2)));
    assert_eq!(person.subscriptions.newest.as_ref().unwrap().id, "sub_1");
}

#[test]
fn changes_of_the_same_second_are_each_told_once_and_the_larger_event_id_is_the_newest() {
    let mut second = on_plan(sub("sub_1", 100, SubscriptionStatus::Active, &[EndScheduled]), "pro");
    second.id = "evt_z".into();
    let house = in_every_order(&[
        sub("sub_1", 0, SubscriptionStatus::Active, &[]),
        sub("sub_1", 100, SubscriptionStatus::Active, &[Plan]),
        second,
    ]);
    assert_eq!(happened(&house), ["subscription_started", "subscription_changed", "subscription_changed"]);
    let newest = only_person(&house).subscriptions.newest.clone().unwrap();
    assert_eq!(newest.plan.as_deref(), Some("pro"));
}

#[test]
fn people_that_prove_to_be_one_have_the_subscriptions_of_both() {
    let of = |event: Event, customer: &str| event.customer(customer);
    let house = in_every_order(&[
        of(sub("sub_1", 0, SubscriptionStatus::Active, &[]), "cus_1").email("jane@example.com"),
        of(deleted("sub_1", 100), "cus_1"),
        of(sub("sub_2", 20, SubscriptionStatus::Trialing, &[]), "cus_2"),
        of(deleted("sub_2", 90), "cus_2"),
        customer("cus_2", 95).email("jane@example.com"),
    ]);
    let person = only_person(&house);
    assert_eq!((counts(person), person.churned_at()), ((0, 2), Some(second_of(100))));
    assert_eq!(person.became_customer_at(), Some(second_of(0)));
}

#[test]
fn a_subscription_known_by_a_lead_id_alone_goes_with_its_group() {
    let mut anonymous = sub("sub_1", 0, SubscriptionStatus::Active, &[]).lead("lead_1");
    anonymous.statement.customer = None;
    let mut named = deleted("sub_1", 100).lead("lead_1");
    named.statement.customer = Some("cus_2".into());
    let house = in_every_order(&[
        anonymous,
        charge("ch_1", eur(100), None).email("jane@example.com").lead("lead_1").at(10),
        named,
    ]);
    let [jane, other] =
        [1, 0].map(|purchases| house.people().into_iter().find(|person| person.purchases == purchases).unwrap());
    assert_eq!((jane.stage(), counts(jane)), (Stage::Customer, (0, 0)));
    assert_eq!((other.stage(), counts(other)), (Stage::Churned, (0, 1)));
}

/// Everything that is due is delivered, the destinations giving each person an id. Returns what was told where.
pub(super) fn deliver(house: &mut House) -> Vec<(crate::model::id::DestinationId, EventKind)> {
    let mut told = Vec::new();
    for destination in [CRM, MAIL] {
        for due in house.due(destination) {
            let mut report = house.attempt(due, Outcome::Delivered);
            report.finished.remote_id = Some(format!("r{}", due.target));
            told.extend(report.told.iter().map(|(id, _)| (destination, house.event(*id).kind.clone())));
            house.report(&report);
        }
    }
    house.check();
    told
}

fn with_subscriptions() -> House {
    let mut rules = everybody();
    for destination in rules.destinations.iter_mut().filter(|rules| rules.id != super::destinations::ANALYTICS) {
        destination.kinds.push(EventKind::SubscriptionEnded);
        if destination.id == CRM {
            destination.kinds.extend([EventKind::SubscriptionStarted, EventKind::SubscriptionChanged]);
        }
    }
    House::new(rules)
}

#[test]
fn destinations_are_told_of_each_step_once() {
    let mut house = with_subscriptions();
    let created = sub("sub_1", 0, SubscriptionStatus::Active, &[]).email("jane@example.com");
    house.take(&created);
    // An earlier word of it may be on its way.
    assert_eq!(deliver(&mut house), []);
    house.seconds(61);
    assert_eq!(deliver(&mut house), [(CRM, EventKind::SubscriptionStarted)]);
    house.take(&created);
    house.take(&sub("sub_1", 100, SubscriptionStatus::Active, &[Plan]));
    house.take(&sub("sub_1", 101, SubscriptionStatus::Active, &[]));
    assert_eq!(deliver(&mut house), [(CRM, EventKind::SubscriptionChanged)]);
    house.take(&deleted("sub_1", 200));
    house.seconds(61);
    let ended = EventKind::SubscriptionEnded;
    assert_eq!(deliver(&mut house), [(CRM, ended.clone()), (MAIL, ended)]);
    house.take(&deleted("sub_1", 200));
    assert_eq!(deliver(&mut house), []);
}

#[test]
fn the_first_payment_of_a_subscription_that_has_just_begun_is_a_new_customers() {
    let mut house = with_subscriptions();
    house.take(&sub("sub_1", 0, SubscriptionStatus::Active, &[]));
    house.take(&bill("in_1", eur(900), Billing::SubscriptionStart, "sub_1").customer("cus_1").browser("1.2").at(1));
    assert_eq!(house.only(&EventKind::Purchase).facts.returning, Some(false));
}

#[test]
fn a_subscription_that_never_began_neither_ends_nor_churns() {
    let unpaid = sub("sub_1", 0, SubscriptionStatus::NotBegun, &[]).email("jane@example.com");
    for (ended, expected) in [(80_000, 0), (90_000, 1)] {
        for order in orders(2, 0) {
            let events = [unpaid.clone(), deleted("sub_1", ended)];
            let mut house = House::new(nobody());
            for at in order {
                house.take(&events[at]);
            }
            house.check();
            let ends = house.current().iter().filter(|event| event.kind == EventKind::SubscriptionEnded).count();
            assert_eq!((ends, only_person(&house).subscriptions.ended), (expected, u32::try_from(expected).unwrap()));
        }
    }
}

#[test]
fn a_subscription_links_no_purchases() {
    let mut house = House::new(nobody());
    house.take(&sub("sub_1", 0, SubscriptionStatus::Active, &[]));
    house.take(&bill("in_1", eur(900), Billing::SubscriptionStart, "sub_1").customer("cus_1").at(1));
    house.take(&bill("in_2", eur(900), Billing::SubscriptionCycle, "sub_1").customer("cus_1").at(100));
    house.check();
    let person = only_person(&house);
    assert_eq!((person.purchases, person.renewals, house.books.live().count()), (1, 1, 3));
}

#[test]
fn what_is_told_of_a_subscription_is_the_same_in_every_order() {
    let events = [
        sub("sub_1", 0, SubscriptionStatus::Trialing, &[]).email("jane@example.com"),
        sub("sub_1", 100, SubscriptionStatus::Active, &[TrialEnded]),
        sub("sub_1", 200, SubscriptionStatus::Active, &[Plan]),
        deleted("sub_1", 300),
    ];
    let mut expected = None;
    for order in orders(events.len(), 0) {
        let mut house = with_subscriptions();
        house.now = second_of(301);
        let mut told = Vec::new();
        for at in &order {
            house.take(&events[*at]);
            told.extend(deliver(&mut house));
        }
        house.seconds(3601);
        told.extend(deliver(&mut house));
        // Until the address is known the end waits for it; then it may be told together with a change of the person.
        told.retain(|(_, kind)| *kind != EventKind::ContactChanged);
        told.sort();
        assert_eq!(expected.get_or_insert_with(|| told.clone()), &told, "{order:?}");
    }
    assert_eq!(expected.map(|told| told.len()), Some(5));
}

/// One word about one of three subscriptions of three customers, two of whom may prove to be one person, or a sale.
fn any_event() -> impl Strategy<Value = Event> {
    let statuses = [
        SubscriptionStatus::NotBegun,
        SubscriptionStatus::Trialing,
        SubscriptionStatus::Active,
        SubscriptionStatus::Paused,
        SubscriptionStatus::Ended,
    ];
    let changes = prop_oneof![Just(vec![]), Just(vec![Plan]), Just(vec![Paused, EndScheduled])];
    (0..3_usize, 0..12_i64, select(statuses.to_vec()), changes, 0..6_u8, any::<bool>()).prop_map(
        |(number, second, status, changes, what, named)| {
            let event = match what {
                0 => charge(&format!("ch_{number}_{second}"), eur(100), None).at(second),
                1 => customer(&format!("cus_{number}"), second).name(&format!("Jane {second}")),
                _ => sub(&format!("sub_{number}"), second, status, &changes),
            };
            let event = event.customer(&format!("cus_{number}"));
            if named && number < 2 { event.email("jane@example.com") } else { event }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_histories_in_any_order_give_the_same_people(
        events in proptest::collection::vec(any_event(), 1..12),
        seed in any::<u64>(),
    ) {
        let events: Vec<Event> = events
            .into_iter()
            .enumerate()
            .map(|(at, event)| Event { id: format!("evt_{at}"), ..event })
            .collect();
        let mut first = House::new(nobody());
        first.take_all(&events);
        first.check();
        let mut shuffled = events.clone();
        Numbers::new(seed).shuffle(&mut shuffled);
        let mut second = House::new(nobody());
        for event in &shuffled {
            second.take(event);
            second.check();
        }
        second.take_all(&events);
        prop_assert_eq!(view(&first.books), view(&second.books));
        // Whoever runs nothing and lost something is gone, unless a sale came after.
        for person in first.people() {
            let gone = person.subscriptions.running == 0 && person.subscriptions.ended > 0;
            prop_assert!((person.stage() == Stage::Churned) <= gone);
        }
    }
}
