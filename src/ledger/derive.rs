//! What a group of linked money objects amounts to: one sale at most, what was taken back of it, the failed tries to pay.
//!
//! A pure function of what is known, so that the order in which it became known can't matter.

use std::borrow::Cow;

use super::attempts;
use super::bookings;
use super::likeness::Side;
use super::rules::Count;
use super::subscriptions;
use super::taken_back::{self, Origin};
use crate::model::business_event::{EventFacts, EventKind, Mark, Subject};
use crate::model::group::{ContributedSale, Contribution, Group, SubscriptionHistory};
use crate::model::money::Money;
use crate::model::statement::{Billing, Details, ObjectKind, ObjectState, Paid, Tags};
use crate::model::time::Timestamp;

/// A business event as the books of this moment have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Which fact it tells of.
    pub subject: Subject,
    /// Other names under which the same fact may have been counted before more was known.
    pub also: Vec<Subject>,
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
    /// Whether it says by itself what was sold, or what it gives back; else it waits for its other half.
    pub strong: bool,
    /// Whether it came undone (a refund whose money came back): who has not been told need not be.
    pub undone: bool,
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

/// What a group is derived with, besides its own objects.
#[derive(Clone, Copy, Default)]
pub struct Circumstances<'a> {
    /// The group that likeness pairs it with.
    pub partner: Option<Partner<'a>>,
    /// What the subscription that its invoice bills has been billed.
    pub history: Option<&'a SubscriptionHistory>,
    /// The id under which its sale, or something taken back of it, has gone out; all of the group's money then carries it.
    pub frozen_id: Option<&'a str>,
    /// Which objects make a sale.
    pub count: Count,
    /// Whether a one-off sale is known by the merchant's order id.
    pub order_ids: bool,
}

/// The other half of a sale, by likeness.
#[derive(Clone, Copy)]
pub struct Partner<'a> {
    /// Its group.
    pub group: &'a Group,
    /// Which half the other one is.
    pub side: Side,
    /// Whether the sale is told of by this group, and not by the partner.
    pub leads: bool,
}

/// Works out what a group amounts to.
pub fn derive(group: &Group, with: &Circumstances<'_>) -> Derived {
    let mut derived = Derived::default();
    let together = with.partner.map_or(Cow::Borrowed(group), |partner| Cow::Owned(joined(group, partner.group)));
    // A pair can part again, so its sale is never known by an id that only its payment has.
    let named_by = match with.partner {
        Some(Partner { group: partner, side: Side::Goods, .. }) => partner,
        Some(_) => group,
        None => &together,
    };
    let facts = group_facts(&together);
    let mut sale = sale(&together, named_by, &facts, with);
    if let (Some(sale), true) = (&mut sale, with.partner.is_some()) {
        sale.facts.marks.push(Mark::ByLikeness);
    }
    let transaction_id =
        sale.as_ref().and_then(|sale| sale.transaction_id.clone()).or_else(|| with.frozen_id.map(str::to_owned));
    let sold = sale.as_ref().filter(|sale| sale.kind.is_sale()).and_then(|sale| sale.amount);
    if with.partner.is_none_or(|partner| partner.leads) {
        derived.contribution.net = sold;
        derived.contribution.sale = sale.as_ref().filter(|sale| sale.kind.is_sale()).and_then(|sale| {
            Some(ContributedSale {
                at: sale.occurred_at,
                amount: sale.amount?,
                transaction_id: transaction_id.clone()?,
                renewal: sale.kind == EventKind::Renewal,
                payment_method_type: sale.facts.details.payment_method_type.clone(),
            })
        });
        derived.drafts.extend(sale);
    }
    attempts::derive(group, &facts, &mut derived.drafts);
    // Nothing is taken back of what is not counted.
    if sold.is_some() || decisive(&together, Count::Auto).is_none() || with.count == Count::Auto {
        let origin = Origin { together: &together, sold, transaction_id: transaction_id.as_deref() };
        taken_back::derive(group, &origin, &facts, &mut derived);
    }
    subscriptions::derive(group, &facts, &mut derived);
    bookings::derive(group, &facts, &mut derived);
    derived
}

/// Both halves of a sale as one group, in the order of objects that groups keep.
fn joined(group: &Group, partner: &Group) -> Group {
    let mut joined = group.clone();
    joined.objects.extend(partner.objects.iter().cloned());
    joined.objects.sort_by(|a, b| a.object.cmp(&b.object));
    joined
}

/// The objects of a kind of which something was said.
pub(super) fn objects(group: &Group, kind: ObjectKind) -> impl Iterator<Item = &ObjectState> {
    group.objects.iter().filter(move |state| state.object.kind == kind)
}

/// The id of the group's first object of a kind: one that was paid, else one heard of or named by another.
pub(super) fn named(group: &Group, kind: ObjectKind) -> Option<&str> {
    let paid = objects(group, kind).filter(|state| state.paid.is_some()).map(|state| state.object.id.as_str()).min();
    paid.or_else(|| {
        let own = objects(group, kind).map(|state| state.object.id.as_str());
        let linked = group.objects.iter().flat_map(|state| &state.links).filter(|link| link.kind == kind);
        own.chain(linked.map(|link| link.id.as_str())).min()
    })
}

/// The paid object that says what the sale was.
fn decisive(group: &Group, count: Count) -> Option<(&ObjectState, &Paid)> {
    let paid = |kind: ObjectKind, wanted: fn(&ObjectState, &Paid) -> bool| {
        objects(group, kind)
            .filter(|_| counts(count, kind))
            .filter_map(|state| state.paid.as_ref().filter(|paid| wanted(state, paid)).map(|paid| (state, paid)))
            .min_by(|a, b| (a.1.at, &a.0.object.id).cmp(&(b.1.at, &b.0.object.id)))
    };
    let of_subscription =
        |_: &ObjectState, paid: &Paid| paid.amount.minor > 0 && paid.billing.is_some_and(Billing::is_subscription);
    let positive = |_: &ObjectState, paid: &Paid| paid.amount.minor > 0;
    paid(ObjectKind::Invoice, of_subscription)
        .or_else(|| paid(ObjectKind::Session, positive))
        .or_else(|| paid(ObjectKind::Order, positive))
        .or_else(|| paid(ObjectKind::Invoice, positive))
        .or_else(|| paid(ObjectKind::Intent, positive))
        .or_else(|| paid(ObjectKind::Charge, positive))
        .or_else(|| paid(ObjectKind::Invoice, |_, paid| paid.billing.is_some_and(is_start)))
        .or_else(|| paid(ObjectKind::Session, |session, _| session.subscription.is_some()))
}

/// Whether an object of a kind makes a sale.
const fn counts(count: Count, kind: ObjectKind) -> bool {
    match count {
        Count::Auto => true,
        Count::CheckoutAndInvoices => matches!(kind, ObjectKind::Session | ObjectKind::Order | ObjectKind::Invoice),
        Count::PaymentIntents => matches!(kind, ObjectKind::Intent | ObjectKind::Charge),
    }
}

/// Whether an invoice over nothing is a subscription's beginning; a later one is only a credit that was used up.
pub(super) const fn is_start(billing: Billing) -> bool {
    matches!(billing, Billing::SubscriptionStart | Billing::SubscriptionOther)
}

fn sale(group: &Group, named_by: &Group, facts: &EventFacts, with: &Circumstances<'_>) -> Option<Draft> {
    let (object, paid) = decisive(group, with.count)?;
    let occurred_at = group.objects.iter().filter_map(|state| state.paid.as_ref().map(|paid| paid.at)).min()?;
    let billing = objects(group, ObjectKind::Invoice).find_map(|state| state.paid.as_ref()?.billing);
    let mut facts = facts.clone();
    let kind = match billing {
        _ if paid.amount.minor <= 0 => EventKind::TrialStarted,
        Some(billing) if billing.is_subscription() => {
            subscription_kind(named(group, ObjectKind::Invoice), billing, with.history)
        }
        _ => EventKind::Purchase,
    };
    if billing == Some(Billing::SubscriptionUpdate) && kind == EventKind::Renewal {
        facts.marks.push(Mark::Upgrade);
    }
    let transaction_id = with.frozen_id.unwrap_or_else(|| natural_id(named_by, billing, object, with)).to_owned();
    Some(Draft {
        subject: Subject::Sale,
        also: Vec::new(),
        kind,
        object: transaction_id.clone(),
        occurred_at,
        transaction_id: Some(transaction_id),
        amount: Some(paid.amount),
        strong: with.count != Count::Auto || is_strong(group),
        undone: false,
        facts,
    })
}

/// Whether some object says by itself what was sold. Where only some kinds of objects count, nothing can be half of another.
fn is_strong(group: &Group) -> bool {
    group.objects.iter().any(|state| {
        state.paid.as_ref().is_some_and(|paid| match state.object.kind {
            ObjectKind::Session | ObjectKind::Order => true,
            ObjectKind::Invoice => paid.billing.is_some_and(Billing::is_subscription),
            _ => false,
        })
    })
}

/// Invoice for what a subscription or a lone invoice bills, payment intent for a one-off, else session, else order, else charge.
/// A one-off goes by the merchant's order id where that is asked for; a subscription's would be the same for every period.
fn natural_id<'g>(
    group: &'g Group,
    billing: Option<Billing>,
    object: &'g ObjectState,
    with: &Circumstances<'_>,
) -> &'g str {
    let of_subscription =
        billing.is_some_and(Billing::is_subscription) || group.objects.iter().any(|state| state.subscription.is_some());
    if with.order_ids && !of_subscription {
        let speaking = group.objects.iter().filter(|state| speaks_of_buyer(state.object.kind));
        if let Some(order_id) = speaking.filter_map(|state| state.tags.order_id.as_deref()).next() {
            return order_id;
        }
    }
    let (session, invoice, intent) =
        (named(group, ObjectKind::Session), named(group, ObjectKind::Invoice), named(group, ObjectKind::Intent));
    let in_order = if with.count == Count::PaymentIntents {
        [intent, None, None]
    } else if of_subscription || session.is_none() {
        [invoice, intent, session]
    } else {
        // A Checkout with `invoice_creation` is a one-off: its invoice only documents it.
        [intent, session, invoice]
    };
    let first = in_order.into_iter().flatten().next();
    let last = || named(group, ObjectKind::Order).or_else(|| named(group, ObjectKind::Charge));
    first.or_else(last).unwrap_or(&object.object.id)
}

/// The earliest paid invoice above zero is the purchase, later ones are renewals; where the beginning isn't known, the
/// provider's reason decides.
fn subscription_kind(invoice: Option<&str>, billing: Billing, history: Option<&SubscriptionHistory>) -> EventKind {
    if let Some(first) = history.and_then(|history| history.first_paid.as_ref())
        && Some(first.invoice.as_str()) != invoice
    {
        return EventKind::Renewal;
    }
    if history.is_some_and(|history| history.started_free) {
        return EventKind::Purchase;
    }
    match billing {
        Billing::SubscriptionStart | Billing::SubscriptionOther | Billing::Manual => EventKind::Purchase,
        Billing::SubscriptionCycle | Billing::SubscriptionUpdate => EventKind::Renewal,
    }
}

/// Whether what an object carries is about the buyer. A refund's or dispute's metadata is the merchant's own business.
pub(super) const fn speaks_of_buyer(kind: ObjectKind) -> bool {
    !matches!(kind, ObjectKind::Refund | ObjectKind::Dispute)
}

/// What the objects of a group say together: what is nearest to the buyer is believed first. (A group keeps its objects in
/// the order of their kinds, which is that.)
pub(super) fn group_facts(group: &Group) -> EventFacts {
    let (mut details, mut tags) = (Details::default(), Tags::default());
    for state in group.objects.iter().filter(|state| speaks_of_buyer(state.object.kind)) {
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
