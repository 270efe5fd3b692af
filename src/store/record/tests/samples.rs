//! Values with every field filled, each with another content, and with none filled.

use std::collections::BTreeMap;

use crate::model::attribution::{Attribution, Consent, ConsentSource, ConsentSources};
use crate::model::booking::{BookingState, BookingStatus, ToldBooking};
use crate::model::breaker::{Breaker, Open};
use crate::model::business_event::{
    BookingFacts, BusinessEvent, EventFacts, EventKind, Mark, Subject, SubscriptionFacts,
};
use crate::model::contact::{
    ConsentTimes, Contact, LastSale, PersonTimes, SaleAmount, SubscriptionStanding, Subscriptions,
};
use crate::model::delivery::{
    Attempt, ContactSync, Delivery, Failure, FailureClass, Frozen, Held, Rule, Schedule, Standing, State,
};
use crate::model::envelope::Envelope;
use crate::model::group::{
    BilledInvoice, ContributedSale, ContributedSubscription, Contribution, Group, SubscriptionHistory,
};
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId, Mode, Scope, WebhookId};
use crate::model::identity::{Email, Identity, IdentityKind, Phone};
use crate::model::lead::Lead;
use crate::model::money::{Money, Sums};
use crate::model::refused::Refused;
use crate::model::secret::Secret;
use crate::model::statement::{
    Billing, Details, DisputeState, FailedAttempt, Happening, Item, ObjectKind, ObjectRef, ObjectState, Paid, Person,
    RefundState, Tags,
};
use crate::model::subscription::{
    SubscriptionChange, SubscriptionStart, SubscriptionState, SubscriptionStatus, SubscriptionTerms, ToldChange,
};
use crate::model::time::Timestamp;
use crate::model::totals::{OddTotals, SaleShares, SaleTotals, SourceTotals, Totals};
use crate::model::webhook::{Status, Webhook};

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn some(text: &str) -> Option<String> {
    Some(text.into())
}

fn money(minor: i64, code: &str) -> Money {
    Money { minor, currency: code.parse().unwrap() }
}

fn attribution() -> Attribution {
    Attribution {
        client_id: some("1.2"),
        session_id: some("3"),
        utm_source: some("us"),
        utm_medium: some("um"),
        utm_campaign: some("uc"),
        utm_term: some("ut"),
        utm_content: some("un"),
        gclid: some("g"),
        gbraid: some("gb"),
        wbraid: some("wb"),
        fbclid: some("f"),
        at: at(1),
    }
}

const CONSENT: Consent = Consent { analytics: Some(true), ads: Some(false), email: None };

fn scope() -> Scope {
    Scope { provider: "stripe".into(), account: some("acct_1"), mode: Mode::Test }
}

fn plain_scope() -> Scope {
    Scope { provider: "stripe".into(), account: None, mode: Mode::Live }
}

fn details() -> Details {
    Details {
        tax: Some(1),
        shipping: Some(2),
        discount: Some(-3),
        coupon: some("co"),
        items: vec![
            Item { id: some("i"), name: some("n"), quantity: 2, unit_minor: Some(50) },
            Item { id: None, name: None, quantity: 1, unit_minor: None },
        ],
        payment_method_type: some("card"),
    }
}

fn person() -> Person {
    Person { email: Email::parse("a@b.example"), phone: Phone::parse("+49301234567"), name: some("Jane") }
}

fn terms(status: SubscriptionStatus) -> SubscriptionTerms {
    SubscriptionTerms { status, plan: some("pl"), price: Some(money(500, "eur")), ends_at: Some(at(14)) }
}

fn standing() -> SubscriptionStanding {
    SubscriptionStanding {
        running: true,
        said_at: at(15),
        id: "sub_1".into(),
        status: SubscriptionStatus::Paused,
        plan: some("pl"),
    }
}

fn schedule() -> Schedule {
    Schedule { due_at: at(5), settling: true, attempts: 2, started_at: Some(at(6)) }
}

pub(super) fn full_webhook() -> Webhook {
    Webhook {
        id: WebhookId(1),
        source: "shop".into(),
        mark: "stripe/evt_1".into(),
        provider_id: "evt_1".into(),
        event_type: "charge.succeeded".into(),
        mode: Mode::Test,
        received_at: at(1_700_000_000_123),
        created: Some(at(1_700_000_000_000)),
        status: Status::Accepted,
        notes: vec!["thin event".into()],
        group: Some(GroupId(300)),
        business_events: vec![BusinessEventId(1), BusinessEventId(2)],
        envelope: Envelope { headers: vec![("h".into(), b"\xff".to_vec())], event: Some("v".into()) },
        body_bytes: 2048,
    }
}

pub(super) fn bare_webhook() -> Webhook {
    Webhook {
        id: WebhookId(2),
        source: String::new(),
        mark: "m".into(),
        provider_id: "evt_2".into(),
        event_type: String::new(),
        mode: Mode::Live,
        received_at: at(0),
        created: None,
        status: Status::Unreadable,
        notes: Vec::new(),
        group: None,
        business_events: Vec::new(),
        envelope: Envelope::default(),
        body_bytes: 0,
    }
}

pub(super) fn full_group() -> Group {
    Group {
        id: GroupId(1),
        scope: scope(),
        merged_into: Some(GroupId(2)),
        objects: vec![ObjectState {
            object: ObjectRef::new(ObjectKind::Charge, "ch_1"),
            said_at: at(3),
            said_by: "evt_1".into(),
            heard_at: at(2),
            links: vec![ObjectRef::new(ObjectKind::Intent, "pi_1")],
            customer: some("cus_1"),
            subscription: some("sub_1"),
            paid: Some(Paid { amount: money(9900, "eur"), at: at(4), billing: Some(Billing::SubscriptionUpdate) }),
            failed_attempts: vec![FailedAttempt {
                attempt: "ch_0".into(),
                amount: Some(money(9901, "usd")),
                code: some("card_declined"),
                at: at(2),
            }],
            refund: Some(RefundState {
                amount: money(-7, "jpy"),
                at: at(8),
                counted: true,
                failed: false,
                cancelled: true,
            }),
            dispute: Some(DisputeState { amount: money(8, "jpy"), lost_at: Some(at(9)), restored_at: Some(at(10)) }),
            life: Some(SubscriptionState {
                start: Some(SubscriptionStart {
                    at: at(11),
                    event_id: "evt_s".into(),
                    terms: terms(SubscriptionStatus::Trialing),
                }),
                unbegun_at: Some(at(5)),
                ended_at: Some(at(12)),
                terms: terms(SubscriptionStatus::Ended),
                changes: vec![ToldChange {
                    at: at(13),
                    event_id: "evt_c".into(),
                    what: vec![SubscriptionChange::Plan, SubscriptionChange::TrialEnded],
                    terms: SubscriptionTerms {
                        status: SubscriptionStatus::NotBegun,
                        plan: None,
                        price: None,
                        ends_at: None,
                    },
                }],
            }),
            booking: Some(BookingState {
                made_at: Some(at(15)),
                told: vec![ToldBooking {
                    at: at(16),
                    event_id: "evt_b".into(),
                    status: BookingStatus::Attended,
                    starts_at: Some(at(17)),
                    ends_at: Some(at(18)),
                    value: Some(money(9, "eur")),
                }],
            }),
            happened: vec![Happening { kind: EventKind::Lead, at: at(19), value: None }],
            details: details(),
            person: person(),
            tags: Tags {
                lead_id: some("l"),
                user_id: some("u"),
                pricing_tier: some("p"),
                order_id: some("o"),
                service_id: some("s"),
                service_name: some("sn"),
                attribution: attribution(),
                consent: CONSENT,
            },
            also_named: vec![(IdentityKind::Lead, "l0".into())],
        }],
        contact: Some(ContactId(3)),
        counted: true,
        events: vec![
            (Subject::Sale, BusinessEventId(10)),
            (Subject::Refund("re_1".into()), BusinessEventId(11)),
            (Subject::RefundCameBack("re_2".into()), BusinessEventId(12)),
            (Subject::FailedAttempt("pi_1".into(), "ch_0".into()), BusinessEventId(13)),
            (Subject::Other("x".into()), BusinessEventId(14)),
            (Subject::DisputeLost("du_1".into()), BusinessEventId(15)),
            (Subject::DisputeReversed("du_2".into()), BusinessEventId(16)),
            (Subject::SubscriptionStarted, BusinessEventId(17)),
            (Subject::SubscriptionChanged("evt_c".into()), BusinessEventId(18)),
            (Subject::SubscriptionEnded, BusinessEventId(19)),
        ],
        settle_at: Some(at(9)),
        contribution: Contribution {
            net: Some(money(9893, "eur")),
            sale: Some(ContributedSale {
                at: at(4),
                amount: money(9900, "eur"),
                transaction_id: "pi_1".into(),
                renewal: true,
                payment_method_type: some("card"),
            }),
            refunds: 1,
            disputes_lost: 2,
            subscription: Some(ContributedSubscription {
                standing: standing(),
                started_at: Some(at(11)),
                ended_at: Some(at(12)),
            }),
        },
    }
}

pub(super) fn bare_group() -> Group {
    Group {
        objects: vec![ObjectState {
            object: ObjectRef::new(ObjectKind::Session, "cs_1"),
            said_at: at(0),
            said_by: String::new(),
            heard_at: at(0),
            links: Vec::new(),
            customer: None,
            subscription: None,
            paid: None,
            failed_attempts: Vec::new(),
            refund: None,
            dispute: None,
            life: None,
            booking: None,
            happened: Vec::new(),
            details: Details::default(),
            person: Person::default(),
            tags: Tags::default(),
            also_named: Vec::new(),
        }],
        ..Group::new(GroupId(2), plain_scope())
    }
}

fn delivery(destination: u16, state: State) -> Delivery {
    Delivery {
        destination: DestinationId(destination),
        state,
        generation: 0,
        schedule: Schedule::default(),
        last_status: None,
        may_have_arrived: false,
        deadline: None,
        frozen: None,
    }
}

pub(super) fn full_business_event() -> BusinessEvent {
    BusinessEvent {
        id: BusinessEventId(1),
        kind: EventKind::Renewal,
        key: "k".into(),
        scope: scope(),
        subject: Subject::Refund("re_1".into()),
        group: Some(GroupId(2)),
        contact: Some(ContactId(3)),
        webhook: WebhookId(4),
        created_at: at(5),
        occurred_at: at(6),
        transaction_id: some("t"),
        frozen: true,
        amount: Some(money(9900, "eur")),
        facts: EventFacts {
            details: details(),
            pricing_tier: some("p"),
            lead_id: some("l"),
            user_id: some("u"),
            service_id: some("s"),
            service_name: some("sn"),
            attribution: attribution(),
            consent: CONSENT,
            failure_code: some("fc"),
            subscription: Some(SubscriptionFacts {
                id: "sub_1".into(),
                status: SubscriptionStatus::Overdue,
                plan: some("pl"),
                price: Some(money(500, "eur")),
                changes: vec![SubscriptionChange::Overdue],
                ends_at: Some(at(14)),
            }),
            booking: Some(BookingFacts {
                id: "ap".into(),
                status: BookingStatus::Cancelled,
                starts_at: Some(at(20)),
                ends_at: None,
                moved_from: Some(at(21)),
            }),
            sale_amount: Some(money(9900, "eur")),
            days_to_conversion: Some(7),
            returning: Some(true),
            marks: vec![Mark::ChangedAfterSent, Mark::ByLikeness],
        },
        deliveries: vec![
            Delivery {
                destination: DestinationId(1),
                state: State::Pending,
                generation: 1,
                schedule: schedule(),
                last_status: Some(503),
                may_have_arrived: true,
                deadline: Some(at(7)),
                frozen: Some(Frozen { kind: EventKind::Custom("vip".into()), client_id: some("1.2"), synthetic: true }),
            },
            delivery(2, State::Delivered { at: at(8) }),
            delivery(3, State::Suppressed { rule: Rule::Ambiguous, at: at(8) }),
            delivery(
                4,
                State::Failed {
                    failure: Failure { class: FailureClass::Ambiguous, explanation: "e".into() },
                    at: at(8),
                },
            ),
            delivery(5, State::Discarded { reason: "r".into(), at: at(8) }),
        ],
    }
}

pub(super) fn bare_business_event() -> BusinessEvent {
    BusinessEvent {
        id: BusinessEventId(2),
        kind: EventKind::Purchase,
        key: String::new(),
        scope: plain_scope(),
        subject: Subject::Sale,
        group: None,
        contact: None,
        webhook: WebhookId(0),
        created_at: at(0),
        occurred_at: at(0),
        transaction_id: None,
        frozen: false,
        amount: None,
        facts: EventFacts::default(),
        deliveries: vec![delivery(1, State::Pending)],
    }
}

pub(super) fn full_contact() -> Contact {
    Contact {
        id: ContactId(1),
        mode: Mode::Test,
        merged_into: Some(ContactId(2)),
        identities: vec![Identity { mode: Mode::Test, kind: IdentityKind::Phone, value: "+49301234567".into() }],
        shared: vec![Identity { mode: Mode::Test, kind: IdentityKind::Lead, value: "l9".into() }],
        person: person(),
        person_said_at: PersonTimes { email: at(1), phone: at(2), name: at(3) },
        pricing_tier: some("p"),
        pricing_tier_said_at: at(4),
        payment_method_type: some("card"),
        first_attribution: attribution(),
        last_attribution: Attribution { client_id: some("9.9"), ..Attribution::default() },
        consent: CONSENT,
        consent_said_at: ConsentTimes { analytics: at(5), ads: at(6), email: at(7) },
        consent_said_by: ConsentSources { ads: ConsentSource::Browser, ..ConsentSources::default() },
        consent_overruled: Consent { email: Some(true), ..Consent::default() },
        consent_overruled_at: ConsentTimes { email: at(9), ..ConsentTimes::default() },
        unverified: true,
        lent_touches: true,
        erased: false,
        totals: Sums::from_amounts([money(9900, "eur"), money(0, "usd")]),
        purchases: 1,
        renewals: 2,
        refunds: 3,
        disputes_lost: 4,
        customer_since: Some(at(8)),
        first_currency: Some("eur".parse().unwrap()),
        last_sale: Some(LastSale { at: at(9), transaction_id: "t".into(), amount: SaleAmount(money(9900, "eur")) }),
        subscriptions: Subscriptions {
            running: 5,
            ended: 6,
            first_started_at: Some(at(11)),
            last_ended_at: Some(at(12)),
            newest: Some(standing()),
        },
        lead_since: Some(at(10)),
    }
}

pub(super) fn bare_contact() -> Contact {
    Contact::new(ContactId(2), Mode::Live)
}

pub(super) fn full_contact_sync() -> ContactSync {
    ContactSync {
        destination: DestinationId(1),
        contact: ContactId(2),
        pending: vec![BusinessEventId(3), BusinessEventId(300)],
        schedule: schedule(),
        not_before: Some(at(8)),
        waiting_since: at(7),
        remote_id: some("r"),
        left_over: vec!["r2".into()],
        external_id: some("e"),
    }
}

pub(super) fn bare_contact_sync() -> ContactSync {
    ContactSync::new(DestinationId(2), ContactId(3))
}

pub(super) fn full_attempt() -> Attempt {
    Attempt {
        at: at(1_700_000_000_123),
        took_ms: 250,
        generation: 1,
        sent: "POST /x".into(),
        status: Some(503),
        outcome: "retry: 503".into(),
        excerpt: "busy".into(),
    }
}

pub(super) fn bare_attempt() -> Attempt {
    Attempt {
        at: at(0),
        took_ms: 0,
        generation: 0,
        sent: String::new(),
        status: None,
        outcome: String::new(),
        excerpt: String::new(),
    }
}

pub(super) fn full_standing() -> Standing {
    Standing {
        paused: true,
        held: Some(Held { since: at(1), explanation: "key".into(), probe_at: at(2), probes: 3 }),
        not_before: Some(at(4)),
        breaker: Breaker::reopened(Some(Open { since: at(5), probe_at: at(6), probes: 7 })),
    }
}

pub(super) fn full_subscription() -> SubscriptionHistory {
    SubscriptionHistory {
        first_paid: Some(BilledInvoice { at: at(1), invoice: "in_1".into(), group: GroupId(2) }),
        started_free: true,
        renewed: true,
    }
}

pub(super) fn full_totals() -> Totals {
    Totals {
        webhooks: 300,
        sources: BTreeMap::from([
            ("a".to_owned(), SourceTotals { count: 1, last_event_at: Some(at(2)), refused: 3, refused_bytes: 300 }),
            ("b".to_owned(), SourceTotals::default()),
        ]),
        destinations: BTreeMap::from([(DestinationId(1), [1, 2, 3, 4, 300])]),
        ga4_with_client_id: 5,
        ga4_synthetic: 6,
        odd: OddTotals { by_day: BTreeMap::from([(14_373, 9)]), last: Some(WebhookId(17)) },
        leads: 7,
        sales: SaleTotals {
            by_day: BTreeMap::from([(14_373, SaleShares { sales: 4, client_id: 3, session_id: 2, utm: 1 })]),
        },
    }
}

pub(super) fn refused() -> Refused {
    Refused {
        id: 12,
        source: "shop".into(),
        received_at: at(2),
        address: "192.0.2.7".into(),
        reason: "n".into(),
        verdict: "Wh".into(),
        envelope: Envelope { headers: vec![("s".into(), b"\xff1".to_vec())], event: Some("v".into()) },
        query: Some(Secret::new("event=v")),
        body_bytes: 2048,
    }
}

pub(super) fn full_lead() -> Lead {
    Lead {
        id: "lead_1".into(),
        first_seen_at: at(1),
        last_seen_at: at(2),
        first: attribution(),
        last: Attribution { client_id: some("9.9"), ..Attribution::default() },
        consent: CONSENT,
        consent_said_at: ConsentTimes { analytics: at(5), ads: at(6), email: at(7) },
        person: person(),
        addresses: 1,
        others: 2,
        told: Some(GroupId(3)),
    }
}

pub(super) fn bare_lead() -> Lead {
    Lead::new("lead_2".into(), at(1))
}
