//! The ledger held to the table of situations, in every order of arrival.

use super::destinations::{everybody, nobody};
use super::house::House;
use super::orders::orders;
use super::situations::{Money, Situation, first_bill, situations};
use super::stripe::{Event, Shape};
use super::view::view;
use crate::model::business_event::{EventKind, Mark};

/// What the books hold.
fn money_of(house: &House) -> Money {
    let mut money = Money::default();
    let mut sales = Vec::new();
    let mut refunds = Vec::new();
    for event in house.current() {
        let minor = event.amount.map_or(0, |amount| amount.minor);
        let id = event.transaction_id.clone().unwrap();
        match &event.kind {
            EventKind::Purchase | EventKind::Renewal | EventKind::TrialStarted => {
                sales.push((event.kind.name().to_owned(), minor, id));
            }
            EventKind::Refund => refunds.push((event.occurred_at, event.key.clone(), minor)),
            EventKind::RefundFailed => money.came_back.push(minor),
            EventKind::DisputeLost => money.disputes_lost.push(minor),
            EventKind::DisputeReversed => money.disputes_reversed.push(minor),
            EventKind::PaymentFailed => money.failed_tries += 1,
            other => panic!("{other}"),
        }
        // Found by likeness or by a link, the money is the same.
        money.marks.extend(event.facts.marks.iter().copied().filter(|mark| *mark != Mark::ByLikeness));
    }
    sales.sort_by(|a, b| a.2.cmp(&b.2));
    refunds.sort();
    money.refunds = refunds.into_iter().map(|(_, _, minor)| minor).collect();
    for (kind, minor, id) in sales {
        let leaked = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        money.sales.push((leaked(kind), minor, leaked(id)));
    }
    for contact in house.people() {
        money.net += contact.totals.of("eur".parse().unwrap()).minor;
        money.counts.0 += contact.purchases;
        money.counts.1 += contact.renewals;
        money.counts.2 += contact.refunds;
    }
    money
}

/// A situation in the shapes in which it is told differently.
fn told_in_every_shape(situation: &Situation) -> Vec<(Shape, Vec<Event>)> {
    let mut told: Vec<(Shape, Vec<Event>)> = Vec::new();
    for shape in Shape::ALL {
        let events = (situation.events)(shape);
        if told.iter().all(|(_, known)| format!("{known:?}") != format!("{events:?}")) {
            told.push((shape, events));
        }
    }
    told
}

#[test]
fn every_situation_counts_its_money_once_in_every_order() {
    for situation in situations() {
        for (shape, events) in told_in_every_shape(&situation) {
            let mut expected = None;
            for (number, order) in orders(events.len(), 60).into_iter().enumerate() {
                let mut house = House::new(nobody());
                for at in &order {
                    house.take(&events[*at]);
                }
                house.check();
                let case = format!("{}, {shape:?}, order {order:?}", situation.name);
                assert_eq!(money_of(&house), situation.money, "{case}");
                let books = view(&house.books);
                assert!(house.people().len() <= 1, "{case}");
                assert_eq!(expected.get_or_insert_with(|| books.clone()), &books, "{case}");
                // Told again, in another order, it is the same.
                if number % 7 == 0 {
                    house.take_all(events.iter().rev());
                    assert_eq!(view(&house.books), books, "{case}, repeated");
                }
            }
        }
    }
}

#[test]
fn what_is_sent_is_the_same_in_every_order_when_all_comes_before_it_settles() {
    for situation in situations() {
        for (shape, events) in told_in_every_shape(&situation) {
            let mut expected: Option<Vec<_>> = None;
            for order in orders(events.len(), 60).into_iter().step_by(if events.len() > 4 { 7 } else { 1 }) {
                let mut house = House::new(everybody());
                house.now = events.iter().map(|event| event.statement.said_at).fold(house.now, Ord::max);
                for at in &order {
                    house.seconds(1);
                    house.take(&events[*at]);
                    house.check();
                }
                let case = format!("{}, {shape:?}, order {order:?}", situation.name);
                house.seconds(2 * 3600);
                let told = house.deliver();
                house.check();
                assert!(
                    house.books.settle.is_empty() && house.books.due.iter().all(|due| due.at > house.now),
                    "{case}"
                );
                let mut sent: Vec<_> = told
                    .into_iter()
                    .map(|(destination, id)| {
                        let event = house.event(id);
                        let amount = event.amount.map(|amount| amount.minor);
                        (destination, event.kind.name().to_owned(), event.transaction_id.clone(), amount)
                    })
                    .filter(|(_, kind, ..)| kind != "payment_failed" && kind != "refund" && kind != "contact_changed")
                    .collect();
                sent.sort();
                assert_eq!(expected.get_or_insert_with(|| sent.clone()), &sent, "{case}");
                assert_eq!(house.told_twice(), 0, "{case}");
                let again = Money { marks: Vec::new(), ..money_of(&house) };
                assert_eq!(again, Money { marks: Vec::new(), ..situation.money.clone() }, "{case}");
            }
        }
    }
}

#[test]
fn accounts_and_modes_never_meet() {
    for shape in Shape::ALL {
        let mut house = House::new(nobody());
        for event in first_bill(shape) {
            house.take(&event);
            house.take(&event.clone().of_account("acct_1"));
            house.take(&event.in_test_mode());
        }
        house.check();
        let sales: Vec<_> = house.current().into_iter().map(|event| event.key.clone()).collect();
        assert_eq!(sales.len(), 3, "{sales:?}");
        for key in ["stripe/-/live/in_1", "stripe/acct_1/live/in_1", "stripe/-/test/in_1"] {
            assert!(sales.iter().any(|known| known == key), "{key} of {sales:?}");
        }
        // One person by address at both accounts, and another in test mode.
        let mut totals: Vec<_> = house.people().iter().map(|contact| (contact.purchases, contact.mode)).collect();
        totals.sort();
        assert_eq!(totals.len(), 2);
        assert_eq!(totals[0].0, 1);
        assert_eq!(totals[1].0, 2);
    }
}
