//! Money per situation, from Stripe's documentation.
//!
//! | situation | sold | known by | beside it |
//! |---|---|---|---|
//! | Checkout, paid at once | purchase 99.00 | intent | |
//! | Checkout, paid days later | purchase 99.00 | intent | |
//! | Checkout, the late payment fails | nothing | | one failed try |
//! | Checkout, free by a coupon | nothing | | |
//! | Checkout with `invoice_creation` | purchase 99.00 | intent | |
//! | a subscription's first invoice | purchase 20.00 | invoice | |
//! | a trial begins | trial started, 0.00 | invoice | no money |
//! | a trial converts | purchase 20.00 | its invoice | the trial's start |
//! | a renewal | renewal 20.00 | invoice | the first purchase |
//! | a renewal, its beginning unknown | renewal 20.00 | invoice | |
//! | a renewal after one that credit covered | renewal 20.00 | invoice | nothing for the one covered |
//! | an upgrade in mid-period | renewal 7.50, marked | invoice | the first purchase |
//! | an upgrade covered by credit | nothing | | the first purchase |
//! | an invoice paid by card | purchase 50.00 | invoice | |
//! | an invoice paid out of band | purchase 50.00 | invoice | |
//! | a payment intent by itself | purchase 30.00 | intent | |
//! | a charge by itself | purchase 12.00 | charge | |
//! | a charge captured later, in part | purchase 25.00 | intent | |
//! | refunded in full | purchase 99.00 | intent | refund 99.00, nothing is left |
//! | refunded in part, twice | purchase 99.00 | intent | refunds 30.00 and 20.00, 49.00 is left |
//! | a refund that fails | purchase 99.00 | intent | refund 99.00 and that it came back, 99.00 is left |
//! | a refund cancelled before it counted | purchase 99.00 | intent | nothing |
//! | refunded beyond the price | purchase 99.00 | intent | refunds 60.00 and 39.00 (capped), nothing is left |
//! | a dispute that is lost | purchase 99.00 | intent | dispute lost 99.00, nothing is left |
//! | a dispute that is won, or an inquiry | purchase 99.00 | intent | nothing |
//! | a lost dispute that is reversed | purchase 99.00 | intent | dispute lost 99.00 and reversed, 99.00 is left |
//! | refunded in part, then the whole disputed and lost | purchase 99.00 | intent | refund 30.00, dispute lost 69.00 (capped) |
//! | three tries, the third works | purchase 20.00 | invoice | two failed tries |

use super::stripe::{
    Event, Shape, bill, charge, charge_captured, charge_said, dispute, eur, intent, intent_failed, invoice,
    invoice_failed, paid_by_card, refund, session, session_failed, session_paid_later, session_unpaid,
    subscription_session,
};
use crate::model::business_event::Mark;
use crate::model::statement::DisputeStatus::{Lost, Open, Restored};
use crate::model::statement::RefundStatus::{Cancelled, Counted, Failed, NotYet};
use crate::model::statement::{Billing, ObjectKind};

/// What the books must hold in the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Money {
    /// Kind, amount, transaction id, in order of the id.
    pub sales: Vec<(&'static str, i64, &'static str)>,
    /// Amounts.
    pub refunds: Vec<i64>,
    pub came_back: Vec<i64>,
    pub disputes_lost: Vec<i64>,
    pub disputes_reversed: Vec<i64>,
    pub failed_tries: usize,
    /// Left of everything sold.
    pub net: i64,
    /// Purchases, renewals, refunds.
    pub counts: (u32, u32, u32),
    pub marks: Vec<Mark>,
}

pub struct Situation {
    pub name: &'static str,
    pub events: fn(Shape) -> Vec<Event>,
    pub money: Money,
}

const EMAIL: &str = "jane@example.com";

fn buyer(events: Vec<Event>) -> Vec<Event> {
    events.into_iter().map(|event| if speaks(&event) { event.customer("cus_1") } else { event }).collect()
}

/// Refunds, disputes and the links of invoices name no customer.
fn speaks(event: &Event) -> bool {
    !matches!(event.statement.object.kind, ObjectKind::Refund | ObjectKind::Dispute)
        && !event.id.starts_with("evt_inpay")
}

fn checkout(_: Shape) -> Vec<Event> {
    buyer(vec![
        charge("ch_1", eur(9900), Some("pi_1")).email(EMAIL),
        intent("pi_1", eur(9900), "ch_1"),
        session("cs_1", eur(9900), Some("pi_1")).email(EMAIL).browser("111.222"),
    ])
}

pub fn first_bill(shape: Shape) -> Vec<Event> {
    let mut events =
        paid_by_card(shape, bill("in_1", eur(2000), Billing::SubscriptionStart, "sub_1").email(EMAIL), "pi_1", "ch_1");
    events.push(subscription_session("cs_1", eur(2000), "in_1", "sub_1").email(EMAIL));
    buyer(events)
}

fn later_bill(shape: Shape, minor: i64, billing: Billing) -> Vec<Event> {
    buyer(paid_by_card(shape, bill("in_2", eur(minor), billing, "sub_1").at(3000).email(EMAIL), "pi_2", "ch_2"))
}

fn trial(_: Shape) -> Vec<Event> {
    buyer(vec![
        bill("in_1", eur(0), Billing::SubscriptionStart, "sub_1").email(EMAIL),
        subscription_session("cs_1", eur(0), "in_1", "sub_1").email(EMAIL),
    ])
}

fn refunded(refunds: Vec<Event>) -> Vec<Event> {
    let mut events = vec![
        charge("ch_1", eur(9900), Some("pi_1")).email(EMAIL),
        session("cs_1", eur(9900), Some("pi_1")).email(EMAIL),
        charge_said("ch_refunded", "ch_1", "pi_1").at(40).email(EMAIL),
    ];
    events.extend(refunds);
    buyer(events)
}

fn joined(mut first: Vec<Event>, second: Vec<Event>) -> Vec<Event> {
    first.extend(second);
    first
}

#[allow(clippy::too_many_lines)] // a table
pub fn situations() -> Vec<Situation> {
    let row = |name, events, money| Situation { name, events, money };
    let purchase =
        |minor, id| Money { sales: vec![("purchase", minor, id)], net: minor, counts: (1, 0, 0), ..Money::default() };
    vec![
        row("checkout at once", checkout, purchase(9900, "pi_1")),
        row(
            "checkout paid later",
            |_| {
                buyer(vec![
                    session_unpaid("cs_1", "pi_1").email(EMAIL),
                    intent("pi_1", eur(9900), "py_1").at(50),
                    charge("py_1", eur(9900), Some("pi_1")).at(50),
                    session_paid_later("cs_1", eur(9900), "pi_1").at(51).email(EMAIL),
                ])
            },
            purchase(9900, "pi_1"),
        ),
        row(
            "checkout whose late payment fails",
            |_| {
                buyer(vec![
                    session_unpaid("cs_1", "pi_1").email(EMAIL),
                    intent_failed("pi_1", "py_1", eur(9900)).at(50),
                    session_failed("cs_1", eur(9900), "pi_1").at(51).email(EMAIL),
                ])
            },
            Money { failed_tries: 1, ..Money::default() },
        ),
        row("checkout for nothing", |_| buyer(vec![session("cs_1", eur(0), None).email(EMAIL)]), Money::default()),
        row(
            "checkout with an invoice",
            |shape| {
                let mut events = buyer(paid_by_card(shape, invoice("in_1", eur(9900)).email(EMAIL), "pi_1", "ch_1"));
                let session = session("cs_1", eur(9900), Some("pi_1")).link(ObjectKind::Invoice, "in_1");
                events.push(session.customer("cus_1").email(EMAIL));
                events
            },
            purchase(9900, "pi_1"),
        ),
        row("a subscription's first invoice", first_bill, purchase(2000, "in_1")),
        row("a trial", trial, Money { sales: vec![("trial_started", 0, "in_1")], ..Money::default() }),
        row(
            "a trial that converts",
            |shape| joined(trial(shape), later_bill(shape, 2000, Billing::SubscriptionCycle)),
            Money {
                sales: vec![("trial_started", 0, "in_1"), ("purchase", 2000, "in_2")],
                net: 2000,
                counts: (1, 0, 0),
                ..Money::default()
            },
        ),
        row(
            "a renewal",
            |shape| joined(first_bill(shape), later_bill(shape, 2000, Billing::SubscriptionCycle)),
            Money {
                sales: vec![("purchase", 2000, "in_1"), ("renewal", 2000, "in_2")],
                net: 4000,
                counts: (1, 1, 0),
                ..Money::default()
            },
        ),
        row(
            "a renewal of what began before us",
            |shape| later_bill(shape, 2000, Billing::SubscriptionCycle),
            Money { sales: vec![("renewal", 2000, "in_2")], net: 2000, counts: (0, 1, 0), ..Money::default() },
        ),
        row(
            "two renewals of what began without a reason",
            |_| {
                buyer(vec![
                    bill("in_1", eur(2000), Billing::SubscriptionOther, "sub_1"),
                    bill("in_2", eur(2000), Billing::SubscriptionOther, "sub_1").at(3000),
                ])
            },
            Money {
                sales: vec![("purchase", 2000, "in_1"), ("renewal", 2000, "in_2")],
                net: 4000,
                counts: (1, 1, 0),
                ..Money::default()
            },
        ),
        row(
            "a renewal after one that credit covered, of what began before us",
            |shape| {
                joined(
                    buyer(vec![bill("in_1", eur(0), Billing::SubscriptionCycle, "sub_1").email(EMAIL)]),
                    later_bill(shape, 2000, Billing::SubscriptionCycle),
                )
            },
            Money { sales: vec![("renewal", 2000, "in_2")], net: 2000, counts: (0, 1, 0), ..Money::default() },
        ),
        row(
            "an upgrade",
            |shape| joined(first_bill(shape), later_bill(shape, 750, Billing::SubscriptionUpdate)),
            Money {
                sales: vec![("purchase", 2000, "in_1"), ("renewal", 750, "in_2")],
                net: 2750,
                counts: (1, 1, 0),
                marks: vec![Mark::Upgrade],
                ..Money::default()
            },
        ),
        row(
            "an upgrade covered by credit",
            |shape| {
                joined(
                    first_bill(shape),
                    buyer(vec![bill("in_2", eur(0), Billing::SubscriptionUpdate, "sub_1").at(3000).email(EMAIL)]),
                )
            },
            purchase(2000, "in_1"),
        ),
        row(
            "a free plan that is upgraded",
            |shape| joined(trial(shape), later_bill(shape, 750, Billing::SubscriptionUpdate)),
            Money {
                sales: vec![("trial_started", 0, "in_1"), ("purchase", 750, "in_2")],
                net: 750,
                counts: (1, 0, 0),
                ..Money::default()
            },
        ),
        row(
            "an invoice paid by card",
            |shape| buyer(paid_by_card(shape, invoice("in_1", eur(5000)).email(EMAIL), "pi_1", "ch_1")),
            purchase(5000, "in_1"),
        ),
        row(
            "an invoice paid out of band",
            |_| buyer(vec![invoice("in_1", eur(5000)).email(EMAIL)]),
            purchase(5000, "in_1"),
        ),
        row(
            "a payment intent by itself",
            |_| {
                vec![
                    intent("pi_1", eur(3000), "ch_1").lead("lead_1"),
                    charge("ch_1", eur(3000), Some("pi_1")).email(EMAIL).lead("lead_1"),
                ]
            },
            purchase(3000, "pi_1"),
        ),
        row(
            "a charge by itself",
            |_| buyer(vec![charge("ch_1", eur(1200), None).email(EMAIL)]),
            purchase(1200, "ch_1"),
        ),
        row(
            "a charge captured later",
            |_| {
                buyer(vec![
                    charge_said("ch_ok", "ch_1", "pi_1").email(EMAIL),
                    intent("pi_1", eur(2500), "ch_1").at(30),
                    charge_captured("ch_1", eur(2500), "pi_1").at(30),
                ])
            },
            purchase(2500, "pi_1"),
        ),
        row(
            "refunded in full",
            |_| {
                refunded(vec![
                    refund("re_1", eur(9900), NotYet, "ch_1", Some("pi_1")).at(40),
                    refund("re_1", eur(9900), Counted, "ch_1", Some("pi_1")).at(41),
                ])
            },
            Money { refunds: vec![9900], net: 0, counts: (1, 0, 1), ..purchase(9900, "pi_1") },
        ),
        row(
            "refunded in part, twice",
            |_| {
                refunded(vec![
                    refund("re_1", eur(3000), Counted, "ch_1", Some("pi_1")).at(40),
                    refund("re_2", eur(2000), Counted, "ch_1", Some("pi_1")).at(44),
                ])
            },
            Money { refunds: vec![3000, 2000], net: 4900, counts: (1, 0, 2), ..purchase(9900, "pi_1") },
        ),
        row(
            "a refund that fails",
            |_| {
                refunded(vec![
                    refund("re_1", eur(9900), Counted, "ch_1", Some("pi_1")).at(40),
                    refund("re_1", eur(9900), Failed, "ch_1", Some("pi_1")).at(50),
                ])
            },
            Money { refunds: vec![9900], came_back: vec![9900], ..purchase(9900, "pi_1") },
        ),
        row(
            "a refund of which only the failure is told, and a good one",
            |_| {
                refunded(vec![
                    refund("re_1", eur(9900), Failed, "ch_1", Some("pi_1")).at(40),
                    refund("re_2", eur(9900), Counted, "ch_1", Some("pi_1")).at(50),
                ])
            },
            Money {
                refunds: vec![9900, 9900],
                came_back: vec![9900],
                net: 0,
                counts: (1, 0, 1),
                ..purchase(9900, "pi_1")
            },
        ),
        row(
            "a refund cancelled before it counted",
            |_| {
                refunded(vec![
                    refund("re_1", eur(9900), NotYet, "ch_1", Some("pi_1")).at(40),
                    refund("re_1", eur(9900), Cancelled, "ch_1", Some("pi_1")).at(50),
                ])
            },
            purchase(9900, "pi_1"),
        ),
        row(
            "refunded beyond the price",
            |_| {
                refunded(vec![
                    refund("re_1", eur(6000), Counted, "ch_1", Some("pi_1")).at(40),
                    refund("re_2", eur(6000), Counted, "ch_1", Some("pi_1")).at(44),
                ])
            },
            Money {
                refunds: vec![6000, 3900],
                net: 0,
                counts: (1, 0, 2),
                marks: vec![Mark::Capped],
                ..purchase(9900, "pi_1")
            },
        ),
        row(
            "a dispute that is lost",
            |_| {
                refunded(vec![
                    dispute("du_1", eur(9900), Open, "ch_1", Some("pi_1")).at(40),
                    dispute("du_1", eur(9900), Lost, "ch_1", Some("pi_1")).at(50),
                ])
            },
            Money { disputes_lost: vec![9900], net: 0, ..purchase(9900, "pi_1") },
        ),
        row(
            "a dispute that is won",
            |_| {
                refunded(vec![
                    dispute("du_1", eur(9900), Open, "ch_1", Some("pi_1")).at(40),
                    dispute("du_1", eur(9900), Restored, "ch_1", Some("pi_1")).at(50),
                ])
            },
            purchase(9900, "pi_1"),
        ),
        row(
            "a lost dispute that is reversed",
            |_| {
                refunded(vec![
                    dispute("du_1", eur(9900), Lost, "ch_1", Some("pi_1")).at(50),
                    dispute("du_1", eur(9900), Restored, "ch_1", Some("pi_1")).at(60),
                ])
            },
            Money { disputes_lost: vec![9900], disputes_reversed: vec![9900], ..purchase(9900, "pi_1") },
        ),
        row(
            "a dispute that is won and lost in the end",
            |_| {
                refunded(vec![
                    dispute("du_1", eur(9900), Restored, "ch_1", Some("pi_1")).at(50),
                    dispute("du_1", eur(9900), Lost, "ch_1", Some("pi_1")).at(60),
                ])
            },
            Money { disputes_lost: vec![9900], net: 0, ..purchase(9900, "pi_1") },
        ),
        row(
            "refunded in part, then disputed and lost",
            |_| {
                refunded(vec![
                    refund("re_1", eur(3000), Counted, "ch_1", Some("pi_1")).at(40),
                    dispute("du_1", eur(9900), Lost, "ch_1", Some("pi_1")).at(50),
                ])
            },
            Money {
                refunds: vec![3000],
                disputes_lost: vec![6900],
                net: 0,
                counts: (1, 0, 1),
                marks: vec![Mark::Capped],
                ..purchase(9900, "pi_1")
            },
        ),
        row(
            "a charge without an intent, refunded",
            |_| {
                buyer(vec![
                    charge("ch_1", eur(1200), None).email(EMAIL),
                    refund("re_1", eur(200), Counted, "ch_1", None).at(40),
                ])
            },
            Money { refunds: vec![200], net: 1000, counts: (1, 0, 1), ..purchase(1200, "ch_1") },
        ),
        row(
            "a refund whose sale was never seen",
            |_| vec![refund("re_1", eur(200), Counted, "ch_1", Some("pi_1")).at(40)],
            Money { refunds: vec![200], marks: vec![Mark::Unmatched], ..Money::default() },
        ),
        row(
            "three tries, the third works",
            |shape| {
                // Without any link each side tells of a try of its own.
                let shape = if shape == Shape::Unlinked { Shape::New } else { shape };
                let mut events = first_bill(shape);
                for (second, charge, number) in [(-900, "ch_a", 1), (-400, "ch_b", 2)] {
                    let mut failed = intent_failed("pi_1", charge, eur(2000)).at(second).email(EMAIL);
                    if shape != Shape::New {
                        failed = failed.link(ObjectKind::Invoice, "in_1");
                    }
                    events.push(failed.customer("cus_1"));
                    let failed = invoice_failed("in_1", number, eur(2000), "sub_1").at(second + 1);
                    events.push(failed.customer("cus_1").email(EMAIL));
                }
                events
            },
            Money { failed_tries: 2, ..purchase(2000, "in_1") },
        ),
    ]
}
