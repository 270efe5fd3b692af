//! Many customers' histories, merged in any order with time passing in between: the books are the same, and nothing is lost or
//! sent twice unreported.

use proptest::prelude::*;

use super::destinations::{ANALYTICS, everybody, nobody};
use super::house::House;
use super::orders::Numbers;
use super::stripe::{
    Event, Shape, bill, charge, charge_said, dispute, eur, intent, intent_failed, invoice, invoice_failed,
    paid_by_card, refund, session, session_failed, session_unpaid, subscription_session,
};
use super::view::{GroupView, view};
use crate::model::business_event::{Mark, Subject};
use crate::model::delivery::{Outcome, State};
use crate::model::statement::DisputeStatus::{Lost, Open, Restored};
use crate::model::statement::RefundStatus::{Cancelled, Counted, Failed, NotYet};
use crate::model::statement::{Billing, ObjectKind};

/// What a customer does.
#[derive(Clone, Copy, Debug)]
enum Step {
    Checkout,
    LateCheckout,
    FailedCheckout,
    Subscribes,
    Trial,
    Renewal,
    Upgrade,
    Invoice,
    OutOfBand,
    DirectIntent,
    PlainCharge,
    Refund,
    RefundThatFails,
    RefundCancelled,
    HugeRefund,
    DisputeLost,
    DisputeReversed,
    FailedTries,
}

const STEPS: [Step; 18] = [
    Step::Checkout,
    Step::LateCheckout,
    Step::FailedCheckout,
    Step::Subscribes,
    Step::Trial,
    Step::Renewal,
    Step::Upgrade,
    Step::Invoice,
    Step::OutOfBand,
    Step::DirectIntent,
    Step::PlainCharge,
    Step::Refund,
    Step::RefundThatFails,
    Step::RefundCancelled,
    Step::HugeRefund,
    Step::DisputeLost,
    Step::DisputeReversed,
    Step::FailedTries,
];

/// A customer with a history: what they did, how far apart, and how they are known.
#[derive(Clone, Debug)]
struct Customer {
    steps: Vec<(Step, i64, i64)>,
    shape: Shape,
    /// 0: address; 1: customer; 2: both; 3: a lead id only; 4: address and lead id.
    known_by: u8,
}

fn customers() -> impl Strategy<Value = Vec<Customer>> {
    let shape = prop::sample::select(Shape::ALL.to_vec());
    let step = (prop::sample::select(STEPS.to_vec()), 1_i64..90_000, 1_i64..50_000);
    let customer = (prop::collection::vec(step, 1..5), shape, 0_u8..5);
    let customer = customer.prop_map(|(steps, shape, known_by)| Customer { steps, shape, known_by });
    prop::collection::vec(customer, 1..4)
}

/// Everything Stripe says of a customer's history.
fn events_of(number: usize, customer: &Customer) -> Vec<Event> {
    let mut events = Vec::new();
    let mut second = 0;
    let (mut last_charge, mut price) = (None, 0);
    let unlinked = customer.shape == Shape::Unlinked;
    let subscription = format!("sub_{number}");
    for (at, (step, later, minor)) in customer.steps.iter().enumerate() {
        second += later;
        let minor = *minor;
        let name = |prefix: &str| format!("{prefix}_{number}_{at}");
        let (cs, pi, ch, inv, re) = (name("cs"), name("pi"), name("ch"), name("in"), name("re"));
        let pay = |bill: Event| {
            let mut events = paid_by_card(customer.shape, bill.at(second), &pi, &ch);
            events[0] = events[0].clone().paid_with(if minor % 2 == 0 { "card" } else { "sepa_debit" });
            events
        };
        let back = |status| {
            let (charge, intent): (String, Option<String>) = last_charge.clone().unwrap_or((ch.clone(), None));
            let amount = if matches!(step, Step::HugeRefund) { price * 2 + 1 } else { minor.min(price.max(1)) };
            refund(&re, eur(amount), status, &charge, intent.as_deref()).at(second)
        };
        let disputed = |status| {
            let (charge, intent): (String, Option<String>) = last_charge.clone().unwrap_or((ch.clone(), None));
            dispute(&name("du"), eur(minor), status, &charge, intent.as_deref())
                .at(second + if status == Restored { 9 } else { 0 })
        };
        // Without any link each side of a failed try tells of one of its own.
        let step = if unlinked && matches!(step, Step::FailedTries) { &Step::Renewal } else { step };
        let mut new = match step {
            Step::Checkout => vec![
                session(&cs, eur(minor), Some(&pi)).browser("11.22"),
                intent(&pi, eur(minor), &ch),
                charge(&ch, eur(minor), Some(&pi)),
            ],
            Step::LateCheckout => vec![
                session_unpaid(&cs, &pi),
                intent(&pi, eur(minor), &ch),
                charge(&ch, eur(minor), Some(&pi)),
                super::stripe::session_paid_later(&cs, eur(minor), &pi),
            ],
            Step::FailedCheckout => {
                vec![
                    session_unpaid(&cs, &pi),
                    intent_failed(&pi, &ch, eur(minor)),
                    session_failed(&cs, eur(minor), &pi),
                ]
            }
            Step::Subscribes => {
                let mut events = pay(bill(&inv, eur(minor), Billing::SubscriptionStart, &subscription));
                events.push(subscription_session(&cs, eur(minor), &inv, &subscription));
                events
            }
            Step::Trial => vec![
                bill(&inv, eur(0), Billing::SubscriptionStart, &subscription),
                subscription_session(&cs, eur(0), &inv, &subscription),
            ],
            Step::Renewal => pay(bill(&inv, eur(minor), Billing::SubscriptionCycle, &subscription)),
            Step::Upgrade => pay(bill(&inv, eur(minor), Billing::SubscriptionUpdate, &subscription)),
            Step::Invoice => pay(invoice(&inv, eur(minor))),
            Step::OutOfBand => vec![invoice(&inv, eur(minor))],
            Step::DirectIntent => vec![intent(&pi, eur(minor), &ch), charge(&ch, eur(minor), Some(&pi))],
            Step::PlainCharge => vec![charge(&ch, eur(minor), None)],
            Step::Refund | Step::HugeRefund => vec![back(NotYet), {
                let mut counted = back(Counted);
                if let Some((charge, Some(intent))) = &last_charge {
                    counted = counted.link(ObjectKind::Intent, intent).link(ObjectKind::Charge, charge);
                }
                counted
            }],
            Step::DisputeLost => vec![disputed(Open), disputed(Lost)],
            Step::DisputeReversed => vec![disputed(Lost), disputed(Restored)],
            Step::RefundThatFails => vec![back(Counted), back(Failed)],
            Step::RefundCancelled => vec![back(NotYet), back(Cancelled)],
            Step::FailedTries => {
                let mut events = pay(bill(&inv, eur(minor), Billing::SubscriptionCycle, &subscription));
                let failed = name("cf");
                events.push(intent_failed(&pi, &failed, eur(minor)).at(second - 500));
                events.push(invoice_failed(&inv, 1, eur(minor), &subscription).at(second - 499));
                events
            }
        };
        for event in new.iter_mut().filter(|event| event.statement.said_at == super::house::START) {
            *event = event.clone().at(second);
        }
        match step {
            Step::Checkout | Step::LateCheckout | Step::DirectIntent | Step::Renewal | Step::Invoice => {
                (last_charge, price) = (Some((ch.clone(), Some(pi.clone()))), minor);
                new.push(charge_said("ch_said", &ch, &pi).at(second + 1));
            }
            Step::PlainCharge => (last_charge, price) = (Some((ch.clone(), None)), minor),
            _ => {}
        }
        events.extend(new);
    }
    for event in &mut events {
        let anonymous = matches!(event.statement.object.kind, ObjectKind::Refund | ObjectKind::Dispute)
            || event.id.starts_with("evt_inpay");
        if !anonymous {
            // Likeness is of a customer.
            let known_by = if unlinked { 1 + customer.known_by % 2 } else { customer.known_by };
            *event = known(event.clone(), number, known_by);
        }
    }
    events
}

/// How an event names its customer: the address and the person's words come with what is nearest to them.
fn known(mut event: Event, number: usize, known_by: u8) -> Event {
    let near = matches!(event.statement.object.kind, ObjectKind::Session | ObjectKind::Charge | ObjectKind::Invoice);
    if matches!(known_by, 0 | 2 | 4) && near {
        event = event.email(&format!("buyer{number}@example.com"));
    }
    if matches!(known_by, 1 | 2) {
        event = event.customer(&format!("cus_{number}"));
    }
    if matches!(known_by, 3 | 4) {
        event = event.lead(&format!("lead_{number}"));
    }
    if event.statement.object.kind == ObjectKind::Session {
        let word = event.statement.said_at.millis() / 1000;
        event = event.name(&format!("Buyer {number}.{}", word % 3)).tags(|tags| {
            tags.consent.email = Some(word % 2 == 0);
            tags.attribution.utm_source = Some(format!("source{}", word % 4));
            tags.pricing_tier = Some(["basic", "premium"][usize::try_from(word % 2).unwrap_or(0)].into());
        });
    }
    event
}

fn merged(customers: &[Customer]) -> Vec<Event> {
    customers.iter().enumerate().flat_map(|(number, customer)| events_of(number, customer)).collect()
}

/// What the books hold, whichever half of a sale holds it.
#[derive(Debug, PartialEq)]
struct Held {
    groups: Vec<GroupView>,
    events: Vec<(String, Subject, String, Option<String>)>,
    sold: i64,
    sales: usize,
}

/// The books without what depends on when something was sent: ids and times once they are frozen, what a person lent to an
/// event, remarks on sending, and which half of a sale tells of it.
fn without_sending(books: &[GroupView]) -> Held {
    let mut books = books.to_vec();
    let (mut events, mut sold, mut sales) = (Vec::new(), 0, 0);
    for group in &mut books {
        for event in group.events.drain(..).filter(|event| !event.facts.marks.contains(&Mark::Absorbed)) {
            events.push((group.scope.clone(), event.subject, event.kind, event.amount));
        }
        let contribution = std::mem::take(&mut group.contribution);
        sold += contribution.net.map_or(0, |net| net.minor);
        sales += usize::from(contribution.sale.is_some());
        if let Some(contact) = &mut group.contact {
            if let Some(last) = &mut contact.0.last_sale {
                last.transaction_id.clear();
            }
        }
    }
    events.sort();
    Held { groups: books, events, sold, sales }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn any_order_and_repetition_gives_the_same_books(customers in customers(), seed in any::<u64>()) {
        let mut events = merged(&customers);
        let mut house = House::new(nobody());
        house.take_all(&events);
        house.check();
        let books = view(&house.books);
        let mut numbers = Numbers::new(seed);
        for _ in 0..3 {
            numbers.shuffle(&mut events);
            let mut other = House::new(nobody());
            for event in &events {
                other.take(event);
                if numbers.below(4) == 0 {
                    other.take(&events[numbers.below(events.len())]);
                }
            }
            other.check();
            prop_assert_eq!(&view(&other.books), &books);
        }
    }

    #[test]
    fn sums_are_those_of_what_happened(customers in customers(), seed in any::<u64>()) {
        let mut events = merged(&customers);
        Numbers::new(seed).shuffle(&mut events);
        let mut house = House::new(nobody());
        house.take_all(&events);
        let total: i64 =
            house.people().iter().map(|contact| contact.totals.of("eur".parse().unwrap()).minor).sum();
        let anonymous: i64 = house
            .books
            .live()
            .filter(|group| group.contact.is_none())
            .filter_map(|group| group.contribution.net)
            .map(|net| net.minor)
            .sum();
        let sold = |step: &Step| {
            !matches!(
                step,
                Step::FailedCheckout
                    | Step::Trial
                    | Step::Refund
                    | Step::RefundThatFails
                    | Step::RefundCancelled
                    | Step::HugeRefund
                    | Step::DisputeLost
                    | Step::DisputeReversed
            )
        };
        let mut expected = 0;
        for (step, _, minor) in customers.iter().flat_map(|customer| &customer.steps) {
            expected += if sold(step) { *minor } else { 0 };
        }
        let given_back: i64 = house
            .books
            .live()
            .flat_map(|group| &group.events)
            .filter(|(subject, _)| matches!(subject, Subject::Refund(_) | Subject::DisputeLost(_)))
            .map(|(_, id)| house.event(*id))
            .filter(|event| !event.facts.marks.contains(&Mark::Unmatched))
            .map(|event| event.amount.unwrap().minor)
            .sum();
        let came_back: i64 = house
            .books
            .live()
            .flat_map(|group| &group.events)
            .filter(|(subject, _)| matches!(subject, Subject::RefundCameBack(_) | Subject::DisputeReversed(_)))
            .map(|(_, id)| house.event(*id))
            .filter(|event| !event.facts.marks.contains(&Mark::Unmatched))
            .map(|event| event.amount.unwrap().minor)
            .sum();
        prop_assert_eq!(total + anonymous, expected - given_back + came_back);
        prop_assert!(house.people().iter().all(|contact| contact.totals.of("eur".parse().unwrap()).minor >= 0));
    }

    #[test]
    fn nothing_is_lost_or_told_twice_while_time_passes(
        customers in customers(),
        seed in any::<u64>(),
        waits in prop::collection::vec(prop::sample::select(vec![0_u64, 1, 30, 61, 600, 3700]), 64),
    ) {
        let mut events = merged(&customers);
        let mut quiet = House::new(nobody());
        quiet.take_all(&events);
        let mut numbers = Numbers::new(seed);
        numbers.shuffle(&mut events);
        let mut house = House::new(everybody());
        for (at, event) in events.iter().enumerate() {
            house.seconds(waits[at % waits.len()]);
            house.take(event);
            house.check();
            // Some of what is due is tried, and not all of it works.
            while numbers.below(3) > 0 && !house.books.due.is_empty() {
                let due: Vec<_> = house.books.due.iter().filter(|due| due.at <= house.now).copied().collect();
                if due.is_empty() {
                    break;
                }
                let outcome = match numbers.below(6) {
                    0 => Outcome::Retry { explanation: "503".into(), after: None },
                    1 => Outcome::SlowDown { after: None },
                    2 => Outcome::Ambiguous { explanation: "cut off".into() },
                    _ => Outcome::Delivered,
                };
                let report = house.attempt(due[numbers.below(due.len())], outcome);
                if numbers.below(4) == 0 {
                    // Something comes in while it is under way.
                    house.take(&events[numbers.below(events.len())]);
                }
                house.report(&report);
                house.check();
            }
        }
        prop_assert_eq!(without_sending(&view(&house.books)), without_sending(&view(&quiet.books)));
        // In the end everything is over.
        house.seconds(3 * 3600);
        for _ in 0..3 {
            house.deliver();
            house.seconds(31 * 86_400);
        }
        house.deliver();
        house.check();
        prop_assert!(house.books.settle.is_empty() && house.books.due.is_empty());
        for event in house.books.events.values() {
            prop_assert!(event.deliveries.iter().all(|delivery| delivery.state != State::Pending));
        }
        // A sale that analytics has under a business event that tells of no sale any more is reported.
        let current: Vec<_> = house.current().into_iter().map(|event| event.id).collect();
        for event in house.books.events.values().filter(|event| event.subject == Subject::Sale) {
            let told = event.deliveries.iter().any(|delivery| {
                delivery.destination == ANALYTICS && matches!(delivery.state, State::Delivered { .. })
            });
            prop_assert!(!told || current.contains(&event.id) || event.facts.marks.contains(&Mark::ToldTwice), "{:?}", event);
        }
    }
}
