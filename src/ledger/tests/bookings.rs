//! Appointments, leads and what else happens once: the same books in every order of arrival, and each thing told once.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::destinations::{ANALYTICS, CRM, everybody, nobody};
use super::house::House;
use super::people::in_every_order;
use super::stripe::{Event, eur, second_of, session};
use super::subscriptions::{customer, happened, only_person, said};
use super::view::view;
use crate::ledger::fold::{self, unheard};
use crate::model::booking::{BookingStatus, BookingStep};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::delivery::{Delivery, State};
use crate::model::money::Sums;
use crate::model::statement::{Claim, Happening, ObjectKind, ObjectRef};
use BookingStatus::{Attended, Booked, Cancelled, Missed, Removed};

/// An appointment of the contact `con_1`, to begin so many seconds after the start.
fn booking(id: &str, second: i64, status: BookingStatus, begins: i64) -> Event {
    let step = BookingStep {
        status,
        starts_at: Some(second_of(begins)),
        ends_at: Some(second_of(begins + 1800)),
        made_at: Some(second_of(0)),
        value: None,
    };
    let object = ObjectRef::new(ObjectKind::Booking, id);
    said(&format!("evt_{id}_{second}_{}_{begins}", status.name()), object, second, Claim::Booking(step))
        .customer("con_1")
}

fn lead(contact: &str, second: i64) -> Event {
    let mut event = customer(contact, second);
    let happening = Happening { kind: EventKind::Lead, at: second_of(second), value: None };
    event.statement.claim = Claim::Happened(vec![happening]);
    event
}

#[test]
fn a_life_with_a_move_and_a_visit_is_the_same_in_every_order() {
    let house = in_every_order(&[
        booking("ap_1", 0, Booked, 90_000),
        booking("ap_1", 10, Booked, 90_000),
        booking("ap_1", 500, Booked, 180_000),
        booking("ap_1", 181_000, Attended, 180_000),
        booking("ap_1", 181_500, Attended, 180_000),
    ]);
    assert_eq!(happened(&house), ["booking_made", "booking_changed", "booking_attended"]);
    let moved = house.only(&EventKind::BookingChanged).facts.booking.clone().unwrap();
    assert_eq!((moved.starts_at, moved.moved_from), (Some(second_of(180_000)), Some(second_of(90_000))));
    let made = house.only(&EventKind::BookingMade);
    assert_eq!((made.occurred_at, made.key.as_str()), (second_of(0), "stripe/-/live/ap_1/made"));
    assert_eq!(made.facts.booking.as_ref().unwrap().starts_at, Some(second_of(90_000)));
    let attended = house.only(&EventKind::BookingAttended);
    assert_eq!((attended.occurred_at, attended.amount), (second_of(181_000), None));
}

#[test]
fn what_is_called_off_and_stands_again_can_be_missed() {
    let house = in_every_order(&[
        booking("ap_1", 0, Booked, 90_000),
        booking("ap_1", 10, Cancelled, 90_000),
        booking("ap_1", 20, Booked, 90_000),
        booking("ap_1", 95_000, Missed, 90_000),
    ]);
    assert_eq!(happened(&house), ["booking_made", "booking_cancelled", "booking_changed", "booking_missed"]);
}

#[test]
fn clearing_the_calendar_calls_off_only_what_was_to_come() {
    for (second, last, expected) in
        [(10, Removed, &["booking_made", "booking_cancelled"][..]), (95_000, Removed, &["booking_made"])]
    {
        let house = in_every_order(&[booking("ap_1", 0, Booked, 90_000), booking("ap_1", second, last, 90_000)]);
        assert_eq!(happened(&house), expected);
    }
    let house = in_every_order(&[
        booking("ap_1", 0, Booked, 90_000),
        booking("ap_1", 10, Cancelled, 90_000),
        booking("ap_1", 20, Removed, 90_000),
    ]);
    assert_eq!(happened(&house), ["booking_made", "booking_cancelled"], "called off once");
}

#[test]
fn of_two_words_of_one_time_the_final_one_counts() {
    let house = in_every_order(&[booking("ap_1", 5, Attended, 0), booking("ap_1", 5, Booked, 0)]);
    assert_eq!(happened(&house), ["booking_made", "booking_attended"]);
}

#[test]
fn who_it_is_may_become_known_before_or_after() {
    let events = [
        booking("ap_1", 10, Booked, 90_000),
        lead("con_1", 5).email("jane@example.com").name("Jane"),
        lead("con_1", 700).email("jane@example.com"),
    ];
    let house = in_every_order(&events);
    assert_eq!(happened(&house), ["booking_made", "lead"]);
    let person = only_person(&house);
    assert_eq!(person.person.email.as_ref().unwrap().as_str(), "jane@example.com");
    assert_eq!(house.only(&EventKind::Lead).occurred_at, second_of(5));
}

#[test]
fn an_appointment_given_to_somebody_else_makes_the_two_no_one_person() {
    let mut house = House::new(nobody());
    house.take(&lead("con_1", 0).email("jane@example.com"));
    house.take(&lead("con_2", 0).email("john@example.com"));
    house.take(&booking("ap_1", 10, Booked, 90_000));
    house.take(&booking("ap_1", 20, Booked, 90_000).customer("con_2").email("john@example.com"));
    house.check();
    assert_eq!(house.people().len(), 2);
    let owner = house.only(&EventKind::BookingMade).contact.unwrap();
    assert_eq!(house.books.contacts[&owner].person.email.as_ref().unwrap().as_str(), "jane@example.com");
}

#[test]
fn a_source_whose_sales_do_not_count_tells_of_appointments_and_leads_all_the_same() {
    let mut rules = nobody();
    rules.sources.get_mut("stripe").unwrap().counts_sales = false;
    let mut house = House::new(rules);
    house.take(&lead("con_1", 0).email("jane@example.com"));
    house.take(&booking("ap_1", 10, Booked, 90_000));
    let mut order = customer("con_1", 20).email("jane@example.com");
    order.statement.object = ObjectRef::new(ObjectKind::Order, "order_1");
    order.id = "evt_order".into();
    order.statement.claim =
        Claim::Paid(crate::model::statement::Paid { amount: eur(900), at: second_of(20), billing: None });
    house.take(&order);
    house.check();
    assert_eq!(happened(&house), ["booking_made", "lead"]);
    assert_eq!((house.people().len(), only_person(&house).purchases), (1, 0));

    let mut counting = House::new(nobody());
    counting.take(&order);
    let sale = counting.only(&EventKind::Purchase);
    assert_eq!((sale.transaction_id.as_deref(), sale.amount), (Some("order_1"), Some(eur(900))));
}

#[test]
fn each_step_is_told_once_and_an_event_destination_waits_for_the_browser() {
    let mut rules = everybody();
    for destination in &mut rules.destinations {
        destination.kinds.extend([EventKind::BookingMade, EventKind::BookingAttended, EventKind::Lead]);
    }
    let mut house = House::new(rules);
    let kinds = |house: &mut House, wanted| {
        let told = house.deliver();
        let of = told.into_iter().filter(|(destination, _)| *destination == wanted);
        of.map(|(_, id)| house.event(id).kind.clone()).collect::<Vec<_>>()
    };
    house.take(&booking("ap_1", 0, Booked, 500));
    assert_eq!(kinds(&mut house, ANALYTICS), []);
    house.pass(Duration::from_secs(61));
    assert_eq!(kinds(&mut house, ANALYTICS), [EventKind::BookingMade]);
    house.take(&booking("ap_1", 600, Attended, 500).browser("11.22"));
    assert_eq!(kinds(&mut house, ANALYTICS), [EventKind::BookingAttended]);
    house.take(&booking("ap_1", 700, Attended, 500));
    house.take(&booking("ap_1", 0, Booked, 500));
    house.pass(Duration::from_secs(3700));
    assert_eq!(kinds(&mut house, ANALYTICS), []);
    let current: Vec<_> = house.current().into_iter().map(|event| event.id).collect();
    assert!(current.iter().all(|id| matches!(house.state(*id, CRM), crate::model::delivery::State::Delivered { .. })));
    house.check();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A newer word never undoes what happened. (An older one that comes late can: it may show that an appointment that seemed to
    /// be moved was made for that time.)
    #[test]
    fn nothing_that_happened_vanishes_by_a_newer_word(
        words in prop::collection::vec(
            (select(vec![Booked, Removed, Cancelled, Missed, Attended]), 0_i64..3, 0_u8..2, any::<bool>()),
            1..12,
        ),
    ) {
        let mut house = House::new(nobody());
        let mut known: Vec<String> = Vec::new();
        for (at, (status, begins, number, again)) in words.into_iter().enumerate() {
            let word = booking(&format!("ap_{number}"), at as i64 * 10, status, begins * 40);
            house.take(&word);
            if again {
                house.take(&word);
            }
            house.check();
            let now: Vec<String> = house.current().into_iter().map(|event| event.key.clone()).collect();
            prop_assert!(known.iter().all(|key| now.contains(key)), "{known:?} and then {now:?}");
            known = now;
        }
    }

    /// Any history, in any order, any part of it twice: the same books.
    #[test]
    fn any_order_of_any_history_gives_the_same_books(
        (words, order) in prop::collection::vec(
            (0_i64..12, select(vec![Booked, Removed, Cancelled, Missed, Attended]), 0_i64..3, 0_u8..2),
            1..9,
        ).prop_flat_map(|words| {
            let order: Vec<usize> = (0..words.len()).chain(0..words.len() / 2).collect();
            (Just(words), Just(order).prop_shuffle())
        }),
    ) {
        let events: Vec<Event> = words
            .iter()
            .map(|(second, status, begins, number)| booking(&format!("ap_{number}"), second * 10, *status, begins * 40))
            .chain([lead("con_1", 3).email("jane@example.com")])
            .collect();
        let mut straight = House::new(nobody());
        straight.take_all(&events);
        let mut shuffled = House::new(nobody());
        shuffled.take(events.last().unwrap());
        for at in order {
            shuffled.take(&events[at]);
            shuffled.check();
        }
        prop_assert_eq!(view(&straight.books), view(&shuffled.books));
    }
}

/// Words about one appointment beyond what is kept of it.
fn many(words: i64, status: fn(i64) -> BookingStatus) -> Vec<Event> {
    (0..words).map(|second| booking("ap_1", second, status(second), 90_000)).collect()
}

#[test]
fn a_calendar_that_repeats_itself_a_hundred_times_still_tells_what_comes_then() {
    let mut house = House::new(everybody());
    for event in many(150, |_| Booked) {
        house.take(&event);
    }
    house.take(&booking("ap_1", 91_000, Attended, 90_000));
    assert_eq!(happened(&house), ["booking_made", "booking_attended"]);
    let made = house.only(&EventKind::BookingMade);
    assert_eq!((made.occurred_at, made.key.as_str()), (second_of(0), "stripe/-/live/ap_1/made"), "by when it was made");
    house.check();
}

#[test]
fn of_more_changes_than_are_kept_none_is_told_twice_and_money_stays_as_it_is() {
    let called_off_and_back = |second: i64| if second % 2 == 0 { Booked } else { Cancelled };
    let told = |words: i64| {
        let mut rules = everybody();
        let wanted = [EventKind::BookingMade, EventKind::BookingChanged, EventKind::BookingCancelled];
        rules.destinations.iter_mut().for_each(|destination| destination.kinds.extend(wanted.clone()));
        let mut house = House::new(rules);
        house
            .take(&session("cs_1", eur(9900), Some("pi_1")).email("jane@example.com").browser("1.2").customer("con_1"));
        for event in many(words, called_off_and_back) {
            house.take(&event);
            house.seconds(61);
            house.deliver();
        }
        house.check();
        assert_eq!(only_person(&house).totals, Sums::from_amounts([eur(9900)]), "{words}");
        let is_told = |delivery: &Delivery| matches!(delivery.state, State::Delivered { .. });
        let was_told = |event: &&BusinessEvent| event.key.contains("ap_1") && event.deliveries.iter().any(is_told);
        let keys: Vec<&String> = house.books.events.values().filter(was_told).map(|event| &event.key).collect();
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{words}: {keys:?}");
        keys.len()
    };
    // Made, and each of the words after the first.
    assert_eq!((told(100), told(101)), (100, 101));
    // From then on each word that comes takes the number of one that fell out.
    assert_eq!((told(102), told(103), told(150)), (101, 101, 101));
}

#[test]
fn the_words_that_are_kept_are_the_same_in_every_order() {
    let events = many(130, |second| if second % 3 == 0 { Cancelled } else { Booked });
    let fold = |events: &mut dyn Iterator<Item = &Event>| {
        let mut state = unheard(ObjectRef::new(ObjectKind::Booking, "ap_1"));
        events.for_each(|event| fold::fold(&mut state, &event.statement, &event.id));
        state
    };
    let forth = fold(&mut events.iter());
    assert_eq!(forth.booking.as_ref().unwrap().told.len(), 100);
    assert_eq!(fold(&mut events.iter().rev()).booking, forth.booking);
    let mut joined = fold(&mut events.iter().skip(1).step_by(2));
    fold::join(&mut joined, fold(&mut events.iter().step_by(2)));
    assert_eq!(joined.booking, forth.booking);
}
