//! Statements shaped like Stripe's events, as pre-basil, basil and later API versions tell them.

use crate::model::attribution::Attribution;
use crate::model::id::{Mode, Scope};
use crate::model::identity::{Email, Phone};
use crate::model::money::Money;
use crate::model::statement::{
    Billing, Claim, Details, DisputeStatus, DisputeStep, FailedAttempt, ObjectKind, ObjectRef, Paid, Person,
    RefundStatus, RefundStep, Statement, Tags,
};
use crate::model::time::Timestamp;

use super::house::START;

/// How an API version links an invoice and the intent that paid it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Before 2025-03-31: invoice, intent and charge name each other.
    Old,
    /// From basil on: only `invoice_payment.paid` names both.
    New,
    /// From late 2025 on: the intent names its invoice or session too (`payment_details.order_reference`).
    Referenced,
    /// Between the two, at an endpoint that was not asked for `invoice_payment.paid`: nothing links them.
    Unlinked,
}

impl Shape {
    pub const ALL: [Self; 4] = [Self::Old, Self::New, Self::Referenced, Self::Unlinked];
}

/// An event as it will come in.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub source: String,
    pub scope: Scope,
    pub statement: Statement,
}

impl Event {
    /// The same at a connected account.
    pub fn of_account(mut self, account: &str) -> Self {
        self.scope.account = Some(account.into());
        self
    }

    pub fn in_test_mode(mut self) -> Self {
        self.scope.mode = Mode::Test;
        self
    }

    /// The same fact told so much later.
    pub fn at(mut self, second: i64) -> Self {
        let at = second_of(second);
        self.statement.said_at = at;
        match &mut self.statement.claim {
            Claim::Paid(paid) => paid.at = at,
            Claim::AttemptFailed(attempt) => attempt.at = at,
            Claim::Happened(happened) => happened.iter_mut().for_each(|happening| happening.at = at),
            Claim::Nothing | Claim::Refund(_) | Claim::Dispute(_) | Claim::Subscription(_) | Claim::Booking(_) => {}
        }
        if !self.statement.tags.attribution.is_empty() {
            self.statement.tags.attribution.at = at;
        }
        self
    }

    pub fn email(mut self, address: &str) -> Self {
        self.statement.person.email = Email::parse(address);
        self
    }

    pub fn name(mut self, name: &str) -> Self {
        self.statement.person.name = Some(name.into());
        self
    }

    pub fn phone(mut self, phone: &str) -> Self {
        self.statement.person.phone = Phone::parse(phone);
        self
    }

    pub fn customer(mut self, customer: &str) -> Self {
        self.statement.customer = Some(customer.into());
        self
    }

    pub fn tags(mut self, change: impl FnOnce(&mut Tags)) -> Self {
        change(&mut self.statement.tags);
        if !self.statement.tags.attribution.is_empty() {
            self.statement.tags.attribution.at = self.statement.said_at;
        }
        self
    }

    pub fn lead(self, lead: &str) -> Self {
        self.tags(|tags| tags.lead_id = Some(lead.into()))
    }

    /// With a browser's id, so that a sale need not wait for one.
    pub fn browser(self, client_id: &str) -> Self {
        self.tags(|tags| {
            tags.attribution = Attribution { client_id: Some(client_id.into()), ..tags.attribution.clone() };
        })
    }

    pub fn paid_with(mut self, method: &str) -> Self {
        self.statement.details.payment_method_type = Some(method.into());
        self
    }

    pub fn link(mut self, kind: ObjectKind, id: &str) -> Self {
        self.statement.links.push(ObjectRef::new(kind, id));
        self
    }

    fn subscription(mut self, id: &str) -> Self {
        self.statement.subscription = Some(id.into());
        self
    }
}

pub fn second_of(second: i64) -> Timestamp {
    Timestamp::from_unix_seconds(START.unix_seconds() + second)
}

pub fn eur(minor: i64) -> Money {
    Money { minor, currency: "eur".parse().unwrap() }
}

pub fn live() -> Scope {
    Scope { provider: "stripe".into(), account: None, mode: Mode::Live }
}

/// Key of a live object of the own account.
pub fn key(id: &str) -> String {
    format!("stripe/-/live/{id}")
}

fn event(name: &str, kind: ObjectKind, id: &str, claim: Claim) -> Event {
    Event {
        id: format!("evt_{name}_{id}"),
        source: "stripe".into(),
        scope: live(),
        statement: Statement {
            object: ObjectRef::new(kind, id),
            said_at: START,
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

fn paid(amount: Money, billing: Option<Billing>) -> Claim {
    Claim::Paid(Paid { amount, at: START, billing })
}

/// `payment_intent.succeeded`.
pub fn intent(id: &str, amount: Money, charge: &str) -> Event {
    event("pi_ok", ObjectKind::Intent, id, paid(amount, None)).link(ObjectKind::Charge, charge)
}

/// `payment_intent.payment_failed`, the try told apart by its charge.
pub fn intent_failed(id: &str, charge: &str, amount: Money) -> Event {
    let attempt =
        FailedAttempt { attempt: charge.into(), amount: Some(amount), code: Some("card_declined".into()), at: START };
    let mut event = event("pi_failed", ObjectKind::Intent, id, Claim::AttemptFailed(attempt));
    event.id = format!("{}_{charge}", event.id);
    event.link(ObjectKind::Charge, charge)
}

/// `charge.succeeded`.
pub fn charge(id: &str, amount: Money, intent: Option<&str>) -> Event {
    let event = event("ch_ok", ObjectKind::Charge, id, paid(amount, None)).paid_with("card");
    match intent {
        Some(intent) => event.link(ObjectKind::Intent, intent),
        None => event,
    }
}

/// `charge.succeeded` of money that is only held, or `charge.refunded`: it claims nothing.
pub fn charge_said(name: &str, id: &str, intent: &str) -> Event {
    event(name, ObjectKind::Charge, id, Claim::Nothing).paid_with("card").link(ObjectKind::Intent, intent)
}

/// `charge.captured`.
pub fn charge_captured(id: &str, amount: Money, intent: &str) -> Event {
    event("ch_captured", ObjectKind::Charge, id, paid(amount, None)).paid_with("card").link(ObjectKind::Intent, intent)
}

/// `checkout.session.completed`, paid; without an intent for what is free.
pub fn session(id: &str, amount: Money, intent: Option<&str>) -> Event {
    let event = event("cs_ok", ObjectKind::Session, id, paid(amount, None));
    match intent {
        Some(intent) => event.link(ObjectKind::Intent, intent),
        None => event,
    }
}

/// `checkout.session.completed` while the money is still on its way.
pub fn session_unpaid(id: &str, intent: &str) -> Event {
    event("cs_unpaid", ObjectKind::Session, id, Claim::Nothing)
        .tags(|tags| tags.pricing_tier = Some("basic".into()))
        .link(ObjectKind::Intent, intent)
}

/// `checkout.session.async_payment_succeeded`.
pub fn session_paid_later(id: &str, amount: Money, intent: &str) -> Event {
    event("cs_later", ObjectKind::Session, id, paid(amount, None)).link(ObjectKind::Intent, intent)
}

/// `checkout.session.async_payment_failed`.
pub fn session_failed(id: &str, amount: Money, intent: &str) -> Event {
    let attempt = FailedAttempt { attempt: "async_payment".into(), amount: Some(amount), code: None, at: START };
    event("cs_failed", ObjectKind::Session, id, Claim::AttemptFailed(attempt)).link(ObjectKind::Intent, intent)
}

/// `checkout.session.completed` of a subscription: it names its invoice, never an intent.
pub fn subscription_session(id: &str, amount: Money, invoice: &str, subscription: &str) -> Event {
    session(id, amount, None).link(ObjectKind::Invoice, invoice).subscription(subscription)
}

/// `invoice.paid` of a subscription.
pub fn bill(id: &str, amount: Money, billing: Billing, subscription: &str) -> Event {
    event("in_paid", ObjectKind::Invoice, id, paid(amount, Some(billing))).subscription(subscription)
}

/// `invoice.paid` of a lone invoice.
pub fn invoice(id: &str, amount: Money) -> Event {
    event("in_paid", ObjectKind::Invoice, id, paid(amount, Some(Billing::Manual)))
}

/// `invoice.payment_failed`; Stripe counts the tries.
pub fn invoice_failed(id: &str, number: u32, amount: Money, subscription: &str) -> Event {
    let attempt = FailedAttempt { attempt: format!("attempt_{number}"), amount: Some(amount), code: None, at: START };
    let mut event = event("in_failed", ObjectKind::Invoice, id, Claim::AttemptFailed(attempt));
    event.id = format!("{}_{number}", event.id);
    event.subscription(subscription)
}

/// `invoice_payment.paid`: it names an invoice and the intent that paid it, and nothing else.
pub fn invoice_payment(invoice: &str, intent: &str) -> Event {
    event("inpay", ObjectKind::Invoice, invoice, Claim::Nothing).link(ObjectKind::Intent, intent)
}

/// `refund.created`, `refund.updated` or `refund.failed`, by where it stands.
pub fn refund(id: &str, amount: Money, status: RefundStatus, charge: &str, intent: Option<&str>) -> Event {
    let step = RefundStep { amount, status };
    let event = event(&format!("re_{status:?}"), ObjectKind::Refund, id, Claim::Refund(step));
    let event = event.link(ObjectKind::Charge, charge);
    match intent {
        Some(intent) => event.link(ObjectKind::Intent, intent),
        None => event,
    }
}

/// `charge.dispute.created`, `charge.dispute.closed` or `charge.dispute.funds_reinstated`, by where it stands.
pub fn dispute(id: &str, amount: Money, status: DisputeStatus, charge: &str, intent: Option<&str>) -> Event {
    let step = DisputeStep { amount, status };
    let event = event(&format!("du_{status:?}"), ObjectKind::Dispute, id, Claim::Dispute(step));
    let event = event.link(ObjectKind::Charge, charge);
    match intent {
        Some(intent) => event.link(ObjectKind::Intent, intent),
        None => event,
    }
}

/// What an invoice that was paid by an intent comes with, besides itself: intent, charge, the second word of the invoice, and
/// what links them in this shape.
pub fn paid_by_card(shape: Shape, bill: Event, intent_id: &str, charge_id: &str) -> Vec<Event> {
    let Claim::Paid(Paid { amount, .. }) = bill.statement.claim else { panic!("an unpaid invoice") };
    let invoice_id = bill.statement.object.id.clone();
    let mut intent = intent(intent_id, amount, charge_id);
    let mut charge = charge(charge_id, amount, Some(intent_id));
    for event in [&mut intent, &mut charge] {
        event.statement.customer.clone_from(&bill.statement.customer);
    }
    let mut bill = bill;
    let mut also = match shape {
        Shape::Old => {
            intent = intent.link(ObjectKind::Invoice, &invoice_id);
            charge = charge.link(ObjectKind::Invoice, &invoice_id);
            bill = bill.link(ObjectKind::Intent, intent_id).link(ObjectKind::Charge, charge_id);
            Vec::new()
        }
        Shape::New => vec![invoice_payment(&invoice_id, intent_id)],
        Shape::Unlinked => Vec::new(),
        Shape::Referenced => {
            intent = intent.link(ObjectKind::Invoice, &invoice_id);
            vec![invoice_payment(&invoice_id, intent_id)]
        }
    };
    let at = bill.statement.said_at;
    for event in [&mut intent, &mut charge].into_iter().chain(&mut also) {
        *event = event.clone().at((at.millis() - START.millis()) / 1000);
    }
    let mut succeeded = bill.clone();
    succeeded.id = succeeded.id.replace("in_paid", "in_succeeded");
    let mut all = vec![charge, intent, bill, succeeded];
    all.append(&mut also);
    all
}
