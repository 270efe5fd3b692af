//! What a group of linked money objects amounts to: one sale at most, its refunds, the failed tries to pay.
//!
//! A pure function of what is known, so that the order in which it became known can't matter.

use crate::model::business_event::{EventFacts, EventKind, Mark, Subject};
use crate::model::group::{ContributedSale, Contribution, Group, SubscriptionHistory};
use crate::model::money::Money;
use crate::model::statement::{Billing, Details, ObjectKind, ObjectState, Paid, Person, Tags};
use crate::model::time::Timestamp;

/// A business event as the books of this moment have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Which fact it tells of.
    pub subject: Subject,
    /// What happened.
    pub kind: EventKind,
    /// The object that names it, for its key.
    pub object: String,
    /// When, by the provider's time.
    pub occurred_at: Timestamp,
    /// The id that destinations will know it by.
    pub transaction_id: Option<String>,
    /// How much.
    pub amount: Option<Money>,
    /// Whether it says by itself what was sold; else it waits for its other half.
    pub strong: bool,
    /// What else is known.
    pub facts: EventFacts,
}

/// What a group amounts to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Derived {
    /// Everything that happened, the sale first.
    pub drafts: Vec<Draft>,
    /// What it adds to its contact.
    pub contribution: Contribution,
}

impl Derived {
    /// The sale, if there is one.
    pub fn sale(&self) -> Option<&Draft> {
        self.drafts.iter().find(|draft| draft.subject == Subject::Sale)
    }
}

/// Works out what a group amounts to. `history` is of the subscription that its invoice bills.
///
/// `frozen_id` is the id under which its sale has gone out, which refunds then carry too.
pub fn derive(group: &Group, history: Option<&SubscriptionHistory>, frozen_id: Option<&str>) -> Derived {
    let mut derived = Derived::default();
    let facts = group_facts(group);
    let sale = sale(group, history, &facts);
    let transaction_id =
        frozen_id.map(str::to_owned).or_else(|| sale.as_ref().and_then(|sale| sale.transaction_id.clone()));
    let sold = sale.as_ref().filter(|sale| sale.kind.is_sale()).and_then(|sale| sale.amount);
    derived.contribution.net = sold;
    derived.contribution.sale = sale.as_ref().filter(|sale| sale.kind.is_sale()).and_then(|sale| {
        Some(ContributedSale {
            at: sale.occurred_at,
            amount: sale.amount?,
            transaction_id: transaction_id.clone()?,
            renewal: sale.kind == EventKind::Renewal,
        })
    });
    derived.drafts.extend(sale);
    failed_attempts(group, &facts, &mut derived.drafts);
    refunds(group, &facts, sold, transaction_id.as_deref(), &mut derived);
    derived
}

fn objects(group: &Group, kind: ObjectKind) -> impl Iterator<Item = &ObjectState> {
    group.objects.iter().filter(move |state| state.object.kind == kind)
}

/// The id of the group's first object of a kind, heard of or only named by another.
fn named(group: &Group, kind: ObjectKind) -> Option<&str> {
    let heard = objects(group, kind).filter(|state| state.paid.is_some()).map(|state| state.object.id.as_str()).min();
    heard.or_else(|| {
        let own = objects(group, kind).map(|state| state.object.id.as_str());
        let linked = group.objects.iter().flat_map(|state| &state.links).filter(|link| link.kind == kind);
        own.chain(linked.map(|link| link.id.as_str())).min()
    })
}

/// The paid object that says what the sale was, and how it was billed.
fn decisive(group: &Group) -> Option<(&ObjectState, &Paid)> {
    let paid = |kind, wanted: fn(&Paid) -> bool| {
        objects(group, kind)
            .filter_map(|state| state.paid.as_ref().filter(|paid| wanted(paid)).map(|paid| (state, paid)))
            .min_by(|a, b| (a.1.at, &a.0.object.id).cmp(&(b.1.at, &b.0.object.id)))
    };
    let billed = |paid: &Paid| paid.amount.minor > 0 && paid.billing.is_some_and(Billing::is_subscription);
    let positive = |paid: &Paid| paid.amount.minor > 0;
    paid(ObjectKind::Invoice, billed)
        .or_else(|| paid(ObjectKind::Session, positive))
        .or_else(|| paid(ObjectKind::Invoice, positive))
        .or_else(|| paid(ObjectKind::Intent, positive))
        .or_else(|| paid(ObjectKind::Charge, positive))
        .or_else(|| paid(ObjectKind::Invoice, |_| true))
        .or_else(|| paid(ObjectKind::Session, |_| true))
}

fn sale(group: &Group, history: Option<&SubscriptionHistory>, facts: &EventFacts) -> Option<Draft> {
    let (object, paid) = decisive(group)?;
    let subscription = group.objects.iter().find_map(|state| state.subscription.as_deref());
    let by_subscription = subscription.is_some()
        || group
            .objects
            .iter()
            .any(|state| state.paid.as_ref().and_then(|paid| paid.billing).is_some_and(Billing::is_subscription));
    if paid.amount.minor <= 0 && !by_subscription {
        return None;
    }
    let occurred_at = group.objects.iter().filter_map(|state| state.paid.as_ref().map(|paid| paid.at)).min()?;
    let session = named(group, ObjectKind::Session);
    let invoice = named(group, ObjectKind::Invoice);
    let intent = named(group, ObjectKind::Intent);
    let by_nature = if by_subscription || session.is_none() { [invoice, intent] } else { [intent, invoice] };
    // A Checkout with `invoice_creation` is a one-off: its invoice only documents it.
    let one_off_session = !by_subscription && session.is_some();
    let transaction_id =
        if one_off_session { intent.or(session) } else { by_nature.into_iter().flatten().next().or(session) }
            .or_else(|| named(group, ObjectKind::Charge))
            .unwrap_or(&object.object.id)
            .to_owned();
    let mut facts = facts.clone();
    let kind = if paid.amount.minor <= 0 {
        EventKind::TrialStarted
    } else {
        let billing = group.objects.iter().find_map(|state| state.paid.as_ref().and_then(|paid| paid.billing));
        if billing == Some(Billing::SubscriptionUpdate) {
            facts.marks.push(Mark::Upgrade);
        }
        match billing {
            Some(billing) if billing.is_subscription() => subscription_kind(invoice, billing, history),
            _ => EventKind::Purchase,
        }
    };
    if kind != EventKind::Renewal {
        facts.marks.retain(|mark| *mark != Mark::Upgrade);
    }
    let strong = group.objects.iter().any(|state| {
        state.paid.as_ref().is_some_and(|paid| match state.object.kind {
            ObjectKind::Session => true,
            ObjectKind::Invoice => paid.billing.is_some_and(Billing::is_subscription),
            _ => false,
        })
    });
    Some(Draft {
        subject: Subject::Sale,
        kind,
        object: transaction_id.clone(),
        occurred_at,
        transaction_id: Some(transaction_id),
        amount: Some(paid.amount),
        strong,
        facts,
    })
}

/// The earliest paid invoice above zero is the purchase, later ones are renewals; where the beginning isn't known, the
/// provider's reason decides.
fn subscription_kind(invoice: Option<&str>, billing: Billing, history: Option<&SubscriptionHistory>) -> EventKind {
    if let Some(first) = history.and_then(|history| history.first_paid.as_ref()) {
        if Some(first.invoice.as_str()) != invoice {
            return EventKind::Renewal;
        }
    }
    if history.is_some_and(|history| history.started_free) {
        return EventKind::Purchase;
    }
    match billing {
        Billing::SubscriptionStart | Billing::SubscriptionOther | Billing::Manual => EventKind::Purchase,
        Billing::SubscriptionCycle | Billing::SubscriptionUpdate => EventKind::Renewal,
    }
}

/// One failed try is often told twice, as the intent's and as the invoice's: the n-th of one is the n-th of the other.
fn failed_attempts(group: &Group, facts: &EventFacts, drafts: &mut Vec<Draft>) {
    let of = |kind| {
        let mut attempts: Vec<_> = objects(group, kind)
            .flat_map(|state| state.failed_attempts.iter().map(move |attempt| (&state.object.id, attempt)))
            .collect();
        attempts.sort_by(|a, b| (a.1.at, &a.1.attempt).cmp(&(b.1.at, &b.1.attempt)));
        attempts
    };
    let (intents, invoices, sessions) = (of(ObjectKind::Intent), of(ObjectKind::Invoice), of(ObjectKind::Session));
    for number in 0..intents.len().max(invoices.len()).max(sessions.len()) {
        let Some((object, attempt)) = intents.get(number).or(invoices.get(number)).or(sessions.get(number)) else {
            continue;
        };
        let mut facts = facts.clone();
        facts.failure_code.clone_from(&attempt.code);
        drafts.push(Draft {
            subject: Subject::FailedAttempt("try".into(), (number + 1).to_string()),
            kind: EventKind::PaymentFailed,
            object: format!("{object}/failed/{}", number + 1),
            occurred_at: attempt.at,
            transaction_id: Some((*object).clone()),
            amount: attempt.amount,
            strong: true,
            facts,
        });
    }
}

/// Each refund counts once, with its own amount, and all of them together no more than the sale.
fn refunds(
    group: &Group,
    facts: &EventFacts,
    sold: Option<Money>,
    transaction_id: Option<&str>,
    derived: &mut Derived,
) {
    let mut refunds: Vec<_> = objects(group, ObjectKind::Refund)
        .filter_map(|state| state.refund.map(|refund| (&state.object.id, refund)))
        .collect();
    refunds.sort_by(|a, b| (a.1.at, a.0).cmp(&(b.1.at, b.0)));
    let fallback = named(group, ObjectKind::Intent).or(named(group, ObjectKind::Charge));
    let mut left = sold.map(|sold| sold.minor);
    for (id, refund) in refunds {
        if !refund.is_refund() {
            continue;
        }
        let mut facts = facts.clone();
        let mut amount = refund.amount;
        match (sold, &mut left) {
            (Some(sold), Some(left)) if sold.currency == amount.currency => {
                if amount.minor > *left {
                    facts.marks.push(Mark::Capped);
                    amount.minor = (*left).max(0);
                }
                if !refund.came_back() {
                    *left -= amount.minor;
                }
            }
            _ => facts.marks.push(Mark::Unmatched),
        }
        let transaction_id = transaction_id.or(fallback).unwrap_or(id).to_owned();
        let draft = |subject, kind, object| Draft {
            subject,
            kind,
            object,
            occurred_at: refund.at,
            transaction_id: Some(transaction_id.clone()),
            amount: Some(amount),
            strong: sold.is_some(),
            facts: facts.clone(),
        };
        derived.drafts.push(draft(Subject::Refund(id.clone()), EventKind::Refund, id.clone()));
        if refund.came_back() {
            let subject = Subject::RefundCameBack(id.clone());
            derived.drafts.push(draft(subject, EventKind::RefundFailed, format!("{id}/failed")));
        } else {
            derived.contribution.refunds += 1;
            if let Some(net) = derived.contribution.net.as_mut().filter(|net| net.currency == amount.currency) {
                net.minor -= amount.minor;
            }
        }
    }
}

/// What the objects of a group say together: what is nearest to the buyer is believed first.
fn group_facts(group: &Group) -> EventFacts {
    let (mut details, mut tags) = (Details::default(), Tags::default());
    let mut in_order: Vec<_> = group.objects.iter().collect();
    in_order.sort_by(|a, b| a.object.cmp(&b.object));
    for state in in_order {
        details.fill_from(&state.details);
        tags.fill_from(&state.tags);
    }
    EventFacts {
        details,
        pricing_tier: tags.pricing_tier,
        lead_id: tags.lead_id,
        user_id: tags.user_id,
        service_id: tags.service_id,
        service_name: tags.service_name,
        attribution: tags.attribution,
        consent: tags.consent,
        ..EventFacts::default()
    }
}

/// Who the objects of a group name together.
pub fn group_person(group: &Group) -> Person {
    let mut person = Person::default();
    let mut in_order: Vec<_> = group.objects.iter().collect();
    in_order.sort_by(|a, b| a.object.cmp(&b.object));
    for state in in_order {
        person.fill_from(&state.person);
    }
    person
}
