//! Halves of one sale that nothing links: paired by likeness, parted by a link, and never told twice unreported.

use super::destinations::{ANALYTICS, CRM, MAIL, everybody, nobody};
use super::house::House;
use super::orders::orders;
use super::stripe::{Event, bill, charge, dispute, eur, intent, invoice, invoice_payment, refund, session};
use crate::ledger::rules::{Count, Rules, SourceRules};
use crate::model::business_event::{EventKind, Mark};
use crate::model::delivery::Outcome;
use crate::model::id::DestinationId;
use crate::model::money::Money;
use crate::model::statement::DisputeStatus::Lost;
use crate::model::statement::RefundStatus::Counted;
use crate::model::statement::{Billing, ObjectKind};

const EMAIL: &str = "jane@example.com";

fn by_invoice(number: u32, minor: i64) -> Event {
    let billing = if number == 1 { Billing::SubscriptionStart } else { Billing::SubscriptionCycle };
    bill(&format!("in_{number}"), eur(minor), billing, "sub_1").customer("cus_1").email(EMAIL)
}

fn by_intent(number: u32, minor: i64) -> Event {
    intent(&format!("pi_{number}"), eur(minor), &format!("ch_{number}")).customer("cus_1")
}

/// Kind, minor units, transaction id and whether by likeness, of every sale in the books.
fn sales(house: &House) -> Vec<(String, i64, String, bool)> {
    let is_sale = |kind: &EventKind| kind.is_sale() || *kind == EventKind::TrialStarted;
    let mut sales: Vec<_> = house
        .current()
        .into_iter()
        .filter(|event| is_sale(&event.kind) && !event.facts.marks.contains(&Mark::Absorbed))
        .map(|event| {
            let likeness = event.facts.marks.contains(&Mark::ByLikeness);
            let amount = event.amount.unwrap().minor;
            (event.kind.name().to_owned(), amount, event.transaction_id.clone().unwrap(), likeness)
        })
        .collect();
    sales.sort();
    sales
}

fn one(kind: &str, minor: i64, id: &str, likeness: bool) -> (String, i64, String, bool) {
    (kind.to_owned(), minor, id.to_owned(), likeness)
}

fn spent(house: &House) -> i64 {
    house.people().iter().map(|contact| contact.totals.of("eur".parse().unwrap()).minor).sum()
}

/// Every order, at once and with time for what settles in between, ends in these sales.
fn always(events: &[Event], expected: &[(String, i64, String, bool)]) {
    for order in orders(events.len(), 60) {
        let mut house = House::new(nobody());
        for at in &order {
            house.take(&events[*at]);
            house.check();
        }
        assert_eq!(sales(&house), expected, "{order:?}");
        let total: i64 = expected.iter().map(|sale| sale.1).sum();
        assert_eq!(spent(&house), total, "{order:?}");
    }
}

/// What analytics was told of: kind, transaction id, minor units.
fn told(house: &House, at: DestinationId) -> Vec<(String, String, i64)> {
    let delivered = |event: &&crate::model::business_event::BusinessEvent| {
        event.deliveries.iter().any(|delivery| delivery.destination == at && delivery.state.name() == "delivered")
    };
    let mut told: Vec<_> = house
        .books
        .events
        .values()
        .filter(delivered)
        .map(|event| {
            let minor = event.amount.map_or(0, |amount| amount.minor);
            (event.kind.name().to_owned(), event.transaction_id.clone().unwrap_or_default(), minor)
        })
        .collect();
    told.sort();
    told
}

fn was_told(kind: &str, id: &str, minor: i64) -> (String, String, i64) {
    (kind.to_owned(), id.to_owned(), minor)
}

#[test]
fn an_invoice_and_the_intent_that_paid_it_are_one_sale_without_any_link() {
    always(&[by_invoice(1, 2000), by_intent(1, 2000).at(3)], &[one("purchase", 2000, "in_1", true)]);
    let lone = invoice("in_1", eur(5000)).customer("cus_1");
    always(&[lone, by_intent(1, 5000).at(-7)], &[one("purchase", 5000, "in_1", true)]);
    let old_charge = charge("ch_1", eur(2000), None).customer("cus_1").at(2);
    always(&[by_invoice(1, 2000), old_charge], &[one("purchase", 2000, "in_1", true)]);
}

#[test]
fn the_window_is_two_minutes_by_the_providers_time() {
    always(&[by_invoice(1, 2000), by_intent(1, 2000).at(120)], &[one("purchase", 2000, "in_1", true)]);
    always(
        &[by_invoice(1, 2000), by_intent(1, 2000).at(121)],
        &[one("purchase", 2000, "in_1", false), one("purchase", 2000, "pi_1", false)],
    );
}

#[test]
fn only_the_same_customer_amount_currency_account_and_mode_are_alike() {
    let usd = Money { minor: 2000, currency: "usd".parse().unwrap() };
    for other in [
        by_intent(1, 2001),
        intent("pi_1", usd, "ch_1").customer("cus_1"),
        intent("pi_1", eur(2000), "ch_1").customer("cus_2"),
        intent("pi_1", eur(2000), "ch_1").email(EMAIL),
        by_intent(1, 2000).of_account("acct_2"),
        by_intent(1, 2000).in_test_mode(),
    ] {
        for order in [[0, 1], [1, 0]] {
            let events = [by_invoice(1, 2000), other.clone()];
            let mut house = House::new(nobody());
            order.iter().for_each(|at| {
                house.take(&events[*at]);
            });
            assert_eq!(sales(&house).len(), 2, "{other:?}");
        }
    }
}

#[test]
fn two_identical_purchases_within_two_minutes_stay_two() {
    // Unlinked: the nearest belong together.
    let bills = [by_invoice(1, 2000), by_invoice(2, 2000).at(60), by_intent(1, 2000).at(2), by_intent(2, 2000).at(63)];
    always(&bills, &[one("purchase", 2000, "in_1", true), one("renewal", 2000, "in_2", true)]);
    // Linked: a session waits for the intent that it names, also when only the other one has come.
    let checkout = |number: u32, second| {
        let pi = format!("pi_{number}");
        session(&format!("cs_{number}"), eur(2000), Some(&pi)).customer("cus_1").email(EMAIL).at(second)
    };
    let all = [checkout(1, 0), checkout(2, 40), by_intent(1, 2000).at(1), by_intent(2, 2000).at(39)];
    always(&all, &[one("purchase", 2000, "pi_1", false), one("purchase", 2000, "pi_2", false)]);
    always(
        &[all[0].clone(), all[3].clone()],
        &[one("purchase", 2000, "pi_1", false), one("purchase", 2000, "pi_2", false)],
    );
    // Two bills and one payment: one of the bills was paid otherwise.
    always(&bills[..3], &[one("purchase", 2000, "in_1", true), one("renewal", 2000, "in_2", false)]);
}

#[test]
fn a_merchants_own_text_that_looks_like_an_invoice_is_no_link() {
    let with_text = by_intent(1, 2000).link(ObjectKind::Invoice, "in_stead_of_7").at(4);
    always(&[by_invoice(1, 2000), with_text], &[one("purchase", 2000, "in_1", true)]);
}

#[test]
fn what_is_taken_back_of_the_payment_is_taken_from_the_sale() {
    let events = [
        by_invoice(1, 2000),
        by_intent(1, 2000).at(3),
        refund("re_1", eur(500), Counted, "ch_1", Some("pi_1")).at(9),
        dispute("du_1", eur(2000), Lost, "ch_1", Some("pi_1")).at(20),
    ];
    for order in orders(events.len(), 0) {
        let mut house = House::new(everybody());
        order.iter().for_each(|at| {
            house.take(&events[*at]);
        });
        house.seconds(4000);
        house.check();
        assert_eq!(spent(&house), 0, "{order:?}");
        let (refund, lost) = (house.only(&EventKind::Refund), house.only(&EventKind::DisputeLost));
        for taken in [refund, lost] {
            assert_eq!(taken.transaction_id.as_deref(), Some("in_1"), "{order:?}");
            assert!(!taken.facts.marks.contains(&Mark::Unmatched));
        }
        assert_eq!((refund.amount, lost.amount), (Some(eur(500)), Some(eur(1500))));
        assert_eq!(house.people()[0].refunds, 1);
        house.deliver();
        assert_eq!(told(&house, ANALYTICS), [was_told("purchase", "in_1", 2000), was_told("refund", "in_1", 500)]);
    }
}

#[test]
fn a_payment_waits_long_enough_for_its_invoice() {
    let mut house = House::new(everybody());
    house.take(&by_intent(1, 2000).browser("11.22"));
    house.seconds(30);
    house.take(&by_invoice(1, 2000).at(30));
    house.seconds(4000);
    house.deliver();
    for destination in [ANALYTICS, CRM, MAIL] {
        assert_eq!(told(&house, destination), [was_told("purchase", "in_1", 2000)]);
    }
    assert_eq!(house.told_twice(), 0);
    house.check();
}

#[test]
fn an_invoice_that_comes_late_belongs_to_the_payment_that_was_told() {
    let mut house = House::new(everybody());
    house.take(&by_intent(1, 2000).email(EMAIL));
    house.seconds(61);
    house.deliver();
    house.seconds(3600);
    house.take(&by_invoice(2, 2000).at(3));
    house.check();
    assert_eq!(sales(&house), [one("renewal", 2000, "pi_1", true)]);
    house.seconds(4000);
    house.deliver();
    house.check();
    // Analytics got it as what it was taken for then; the totals are right everywhere.
    assert_eq!(told(&house, ANALYTICS).len(), 1);
    assert_eq!((spent(&house), house.told_twice()), (2000, 0));
    house.take(&refund("re_1", eur(2000), Counted, "ch_1", None).at(4000));
    house.deliver();
    assert_eq!(house.only(&EventKind::Refund).transaction_id.as_deref(), Some("pi_1"));
    assert_eq!(spent(&house), 0);
}

#[test]
fn a_link_that_contradicts_a_likeness_parts_the_halves_and_doubles_nothing() {
    let mut house = House::new(everybody());
    house.take_all([&by_invoice(1, 2000), &by_intent(1, 2000).at(5).browser("1.2")]);
    house.seconds(100);
    house.deliver();
    assert_eq!(told(&house, ANALYTICS), [was_told("purchase", "in_1", 2000)]);
    // The payment was another invoice's; the first one was paid by hand.
    house.take(&by_invoice(2, 2000).at(90));
    house.take(&invoice_payment("in_2", "pi_1").at(91));
    house.seconds(4000);
    house.deliver();
    house.check();
    assert_eq!(sales(&house), [one("purchase", 2000, "in_1", false), one("renewal", 2000, "in_2", false)]);
    assert_eq!(told(&house, ANALYTICS), [was_told("purchase", "in_1", 2000), was_told("renewal", "in_2", 2000)]);
    assert_eq!((spent(&house), house.told_twice()), (4000, 0));
}

#[test]
fn halves_that_were_both_told_are_reported_once_and_go_on_when_they_part() {
    let mut house = House::new(everybody());
    // The intent names its customer only later, so both went out.
    house.take(&intent("pi_1", eur(2000), "ch_1").email("other@example.com"));
    house.take(&by_invoice(1, 2000));
    house.seconds(70);
    house.deliver();
    assert_eq!(told(&house, ANALYTICS).len(), 2);
    let named = charge("ch_1", eur(2000), Some("pi_1")).customer("cus_1").at(1);
    house.take(&named);
    house.check();
    assert_eq!((spent(&house), house.told_twice()), (2000, 1));
    assert_eq!(sales(&house), [one("purchase", 2000, "in_1", true)]);
    house.deliver();
    house.take(&Event { id: "evt_again".into(), ..named });
    assert!(house.books.due.is_empty());
    assert_eq!(house.told_twice(), 1);
    // A link shows that they were two sales after all: both are told already.
    house.take(&by_invoice(2, 2000).at(2));
    house.take(&invoice_payment("in_2", "pi_1").at(3));
    house.seconds(4000);
    house.deliver();
    house.check();
    assert_eq!(spent(&house), 4000);
    assert_eq!(told(&house, ANALYTICS).len(), 2);
}

#[test]
fn no_id_is_used_for_two_sales_when_halves_part() {
    let mut house = House::new(everybody());
    house.take_all([&by_invoice(1, 2000), &by_intent(1, 2000).at(5).browser("1.2")]);
    house.seconds(100);
    house.take(&refund("re_1", eur(500), Counted, "ch_1", Some("pi_1")).at(90));
    house.seconds(10);
    house.deliver();
    assert_eq!(told(&house, ANALYTICS), [was_told("purchase", "in_1", 2000), was_told("refund", "in_1", 500)]);
    // A nearer payment takes its place.
    house.take(&by_intent(2, 2000).at(1));
    house.check();
    house.seconds(4000);
    house.deliver();
    house.check();
    assert_eq!(sales(&house), [one("purchase", 2000, "in_1", true), one("purchase", 2000, "pi_1", false)]);
    let told = told(&house, ANALYTICS);
    assert!(told.contains(&was_told("purchase", "pi_1", 2000)), "{told:?}");
    // The refund went out under the other's id, which is reported.
    assert!(house.only(&EventKind::Refund).facts.marks.contains(&Mark::ChangedAfterSent));
}

#[test]
fn a_success_under_way_makes_an_absorbed_half_the_one_that_was_told() {
    let mut house = House::new(everybody());
    house.take(&intent("pi_1", eur(2000), "ch_1").email("other@example.com").browser("1.2"));
    house.take(&by_invoice(1, 2000));
    house.seconds(70);
    let of_intent = house.current().iter().find(|event| event.transaction_id.as_deref() == Some("pi_1")).unwrap().id;
    let due = house.due(ANALYTICS).into_iter().find(|due| due.target == of_intent.0).unwrap();
    let report = house.attempt(due, Outcome::Delivered);
    house.take(&charge("ch_1", eur(2000), Some("pi_1")).customer("cus_1").at(1));
    house.report(&report);
    house.deliver();
    house.take(&refund("re_1", eur(500), Counted, "ch_1", Some("pi_1")).at(90));
    house.seconds(100);
    house.deliver();
    house.check();
    assert_eq!(told(&house, ANALYTICS), [was_told("purchase", "pi_1", 2000), was_told("refund", "pi_1", 500)]);
    assert_eq!(spent(&house), 1500);
}

#[test]
fn a_long_row_of_equal_payments_is_paired_in_any_order() {
    let mut events: Vec<Event> = (0..12).map(|number| by_intent(number, 2000).at(i64::from(number) * 100)).collect();
    events.extend((1..8).map(|number| by_invoice(number * 2, 2000).at(i64::from(number) * 170)));
    let mut expected = None;
    for order in orders(events.len(), 12) {
        let mut house = House::new(nobody());
        for at in &order {
            house.take(&events[*at]);
        }
        house.check();
        let sales = sales(&house);
        assert_eq!(spent(&house), 2000 * i64::try_from(sales.len()).unwrap());
        assert_eq!(expected.get_or_insert_with(|| sales.clone()), &sales, "{order:?}");
    }
}

#[test]
fn a_half_that_is_under_way_when_the_other_comes_is_told_once() {
    let mut house = House::new(everybody());
    house.take(&by_intent(1, 2000).email(EMAIL));
    house.seconds(61);
    let due = house.due(ANALYTICS)[0];
    let report = house.attempt(due, Outcome::Delivered);
    house.take(&by_invoice(1, 2000).at(3));
    house.report(&report);
    house.seconds(4000);
    house.deliver();
    house.check();
    assert_eq!(told(&house, ANALYTICS), [was_told("purchase", "pi_1", 2000)]);
    assert_eq!(spent(&house), 2000);
}

fn counting(count: Count, order_ids: bool) -> Rules {
    let mut rules = everybody();
    rules.sources.insert("stripe".into(), SourceRules { count, order_ids, ..SourceRules::default() });
    rules
}

#[test]
fn who_knows_the_set_up_says_which_objects_count() {
    let events = [by_invoice(1, 2000), by_intent(1, 2000).at(3), by_intent(2, 700).at(500)];
    for (count, expected) in [
        (Count::CheckoutAndInvoices, vec![one("purchase", 2000, "in_1", true)]),
        (Count::PaymentIntents, vec![one("purchase", 2000, "pi_1", false), one("purchase", 700, "pi_2", false)]),
    ] {
        for order in orders(events.len(), 0) {
            let mut house = House::new(counting(count, false));
            order.iter().for_each(|at| {
                house.take(&events[*at]);
            });
            house.check();
            let mut expected = expected.clone();
            expected.sort();
            assert_eq!(sales(&house), expected, "{count:?} {order:?}");
        }
    }
}

#[test]
fn nothing_is_taken_back_of_what_does_not_count() {
    let mut house = House::new(counting(Count::CheckoutAndInvoices, false));
    house.take(&by_intent(1, 2000));
    house.take(&refund("re_1", eur(2000), Counted, "ch_1", Some("pi_1")).at(9));
    house.seconds(4000);
    assert!(house.current().is_empty());
    // When it proves to be an invoice's, both are counted.
    house.take(&by_invoice(1, 2000).at(3));
    house.seconds(4000);
    house.check();
    assert_eq!(sales(&house), [one("purchase", 2000, "in_1", true)]);
    assert_eq!((spent(&house), house.only(&EventKind::Refund).amount), (0, Some(eur(2000))));
}

#[test]
fn a_source_that_does_not_count_leaves_it_to_the_others_what_a_sale_is() {
    let mut rules = counting(Count::CheckoutAndInvoices, false);
    rules.sources.insert("shop".into(), SourceRules { counts_sales: false, ..SourceRules::default() });
    for order in [[0, 1], [1, 0]] {
        let charge = charge("ch_1", eur(700), Some("pi_1")).customer("cus_1");
        let events = [by_intent(1, 700), Event { source: "shop".into(), ..charge }];
        let mut house = House::new(rules.clone());
        for at in order {
            house.take(&events[at]);
        }
        assert!(house.current().is_empty());
    }
}

#[test]
fn a_one_off_goes_by_its_order_id_where_that_is_asked_for() {
    let order = |event: Event| event.tags(|tags| tags.order_id = Some("order-17".into()));
    let mut house = House::new(counting(Count::Auto, true));
    house.take(&order(by_intent(1, 2000)));
    house.take(&order(by_invoice(1, 900)).at(500));
    assert_eq!(sales(&house), [one("purchase", 900, "in_1", false), one("purchase", 2000, "order-17", false)]);
    let mut house = House::new(counting(Count::Auto, false));
    house.take(&order(by_intent(1, 2000)));
    assert_eq!(sales(&house), [one("purchase", 2000, "pi_1", false)]);
}

#[test]
fn a_half_of_a_source_whose_sales_do_not_count_is_no_half() {
    let mut rules = everybody();
    rules.sources.insert("shop".into(), SourceRules { counts_sales: false, ..SourceRules::default() });
    for order in [[0, 1], [1, 0]] {
        let events = [by_intent(1, 2000), Event { source: "shop".into(), ..by_invoice(1, 2000) }];
        let mut house = House::new(rules.clone());
        order.iter().for_each(|at| {
            house.take(&events[*at]);
        });
        house.check();
        assert_eq!(sales(&house), [one("purchase", 2000, "pi_1", false)]);
    }
}

#[test]
fn a_half_that_was_told_by_a_late_success_parts_without_losing_the_other() {
    let parting: [fn() -> Vec<Event>; 2] =
        [|| vec![invoice_payment("in_2", "pi_1").at(3)], || vec![by_intent(2, 2000).at(1)]];
    for part in parting {
        for fails_first in [false, true] {
            let mut house = House::new(everybody());
            house.take(&intent("pi_1", eur(2000), "ch_1").email("other@example.com").browser("1.2").at(5));
            house.take(&by_invoice(1, 2000));
            house.seconds(70);
            let of_intent =
                house.current().iter().find(|event| event.transaction_id.as_deref() == Some("pi_1")).unwrap().id;
            let due = house.due(ANALYTICS).into_iter().find(|due| due.target == of_intent.0).unwrap();
            if fails_first {
                let failed = house.attempt(due, Outcome::Retry { explanation: "503".into(), after: None });
                house.report(&failed);
                house.deliver();
                house.take(&charge("ch_1", eur(2000), Some("pi_1")).customer("cus_1").at(6));
            } else {
                let report = house.attempt(due, Outcome::Delivered);
                house.take(&charge("ch_1", eur(2000), Some("pi_1")).customer("cus_1").at(6));
                house.report(&report);
            }
            house.check();
            house.take_all(&part());
            house.seconds(4000);
            house.deliver();
            house.check();
            let told = told(&house, ANALYTICS);
            for id in ["in_1", "pi_1"] {
                assert_eq!(told.iter().filter(|(_, told, _)| told == id).count(), 1, "{id} {fails_first} {told:?}");
            }
        }
    }
}

#[test]
fn a_refund_in_the_queue_goes_out_under_the_id_of_the_sale_it_proves_to_be_of() {
    let mut house = House::new(everybody());
    house.take(&intent("pi_1", eur(2000), "ch_1").customer("cus_1").email(EMAIL).at(265));
    house.take(&by_invoice(1, 2000).at(837));
    house.seconds(900);
    house.take(&refund("re_1", eur(500), Counted, "ch_1", Some("pi_1")).at(840));
    house.seconds(100);
    house.take(&invoice_payment("in_1", "pi_1").at(841));
    house.deliver();
    house.check();
    let told = told(&house, ANALYTICS);
    let ids: Vec<_> = told.iter().map(|(_, id, _)| id).collect();
    assert_eq!((told.len(), ids[0]), (2, ids[1]), "{told:?}");
}
