//! The money objects of a group as rows: what each says, in sentences that a shop owner understands, and which others it names.

use serde_json::{Value, json};

use super::reading::time;
use crate::model::group::Group;
use crate::model::statement::{Billing, DisputeState, ObjectKind, ObjectRef, ObjectState, Paid, RefundState};
use crate::model::subscription::SubscriptionState;
use crate::model::time::Timestamp;

/// Objects of a group that are listed at most; a sale has a handful.
pub(super) const MOST_OBJECTS: usize = 50;
/// Failed tries and changes of one object that are told one by one.
const MOST_TOLD: usize = 5;

/// Every object of a group of which something was said.
pub(super) fn heard(group: &Group) -> Vec<Value> {
    group.objects.iter().take(MOST_OBJECTS).map(object_row).collect()
}

/// The objects that others name and of which nothing was said yet.
pub(super) fn only_named(group: &Group) -> Vec<Value> {
    let mut named: Vec<(&ObjectRef, Vec<&str>)> = Vec::new();
    for state in &group.objects {
        for link in &state.links {
            if group.objects.iter().any(|other| other.object == *link) {
                continue;
            }
            match named.iter_mut().find(|(known, _)| *known == link) {
                Some((_, by)) => by.push(&state.object.id),
                None => named.push((link, vec![&state.object.id])),
            }
        }
    }
    named.sort();
    let row =
        |(object, by): (&ObjectRef, Vec<&str>)| json!({"kind": name(object.kind), "id": object.id, "named_by": by});
    named.into_iter().take(MOST_OBJECTS).map(row).collect()
}

fn object_row(state: &ObjectState) -> Value {
    json!({
        "kind": name(state.object.kind),
        "id": state.object.id,
        "says": says(state),
        "paid": state.paid.as_ref().map(|paid| json!({"amount": paid.amount.to_string(), "at": time(paid.at)})),
        "failed_attempts": state.failed_attempts.len(),
        "refund": state.refund.map(|refund| json!({
            "amount": refund.amount.to_string(), "counted": refund.counted, "failed": refund.failed,
            "cancelled": refund.cancelled,
        })),
        "dispute": state.dispute.map(|dispute| json!({
            "amount": dispute.amount.to_string(), "lost_at": dispute.lost_at.map(time),
            "restored_at": dispute.restored_at.map(time),
        })),
        "life": state.life.as_ref().map(|life| json!({
            "status": life.status().name(), "plan": life.terms.plan, "price": life.terms.price.map(|price| price.to_string()),
            "started_at": life.start.as_ref().map(|start| time(start.at)), "ended_at": life.ended_at.map(time),
            "ends_at": life.terms.ends_at.map(time),
        })),
        "customer": state.customer,
        "subscription": state.subscription,
        "links": state.links.iter().map(|link| link.id.as_str()).collect::<Vec<_>>(),
    })
}

/// The name of a kind of object.
pub(super) const fn name(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Session => "session",
        ObjectKind::Invoice => "invoice",
        ObjectKind::Intent => "payment intent",
        ObjectKind::Charge => "charge",
        ObjectKind::Refund => "refund",
        ObjectKind::Dispute => "dispute",
        ObjectKind::Subscription => "subscription",
        ObjectKind::Customer => "customer",
        ObjectKind::Order => "order",
        ObjectKind::Booking => "appointment",
        ObjectKind::Other => "other",
        ObjectKind::Lead => "lead",
    }
}

/// A moment in a sentence.
pub(super) fn moment(at: Timestamp) -> String {
    format!("{} UTC", at.date_and_time())
}

/// Everything that is known of an object's money, a phrase each.
fn says(state: &ObjectState) -> Vec<String> {
    let mut says = Vec::new();
    says.extend(state.paid.as_ref().map(paid));
    for failed in state.failed_attempts.iter().take(MOST_TOLD) {
        let code = failed.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
        says.push(format!("a try to pay failed{code} at {}", moment(failed.at)));
    }
    if state.failed_attempts.len() > MOST_TOLD {
        says.push(format!("and {} more tries", state.failed_attempts.len() - MOST_TOLD));
    }
    says.extend(state.refund.as_ref().map(refund));
    says.extend(state.dispute.as_ref().map(dispute));
    if let Some(life) = &state.life {
        subscription(life, &mut says);
    }
    for told in state.booking.iter().flat_map(|booking| booking.told.iter().rev().take(MOST_TOLD).rev()) {
        let begins = told.starts_at.map(|at| format!(", to begin at {}", moment(at))).unwrap_or_default();
        says.push(format!("appointment {}{begins}, said at {}", told.status.name(), moment(told.at)));
    }
    for happening in state.happened.iter().take(MOST_TOLD) {
        let value = happening.value.map(|value| format!(" worth {value}")).unwrap_or_default();
        says.push(format!("{}{value} at {}", happening.kind.name().replace('_', " "), moment(happening.at)));
    }
    if let Some(subscription) = &state.subscription {
        says.push(format!("of subscription {subscription}"));
    }
    if says.is_empty() {
        let nothing = match state.object.kind {
            ObjectKind::Customer => "who the customer is; no money",
            ObjectKind::Booking | ObjectKind::Other => "nothing that is told of",
            _ => "no money yet",
        };
        says.push(nothing.to_owned());
    }
    says
}

fn paid(paid: &Paid) -> String {
    let at = moment(paid.at);
    let what = match paid.billing {
        Some(Billing::SubscriptionStart) => ", a subscription's first invoice",
        Some(Billing::SubscriptionCycle) => ", a subscription's next period",
        Some(Billing::SubscriptionUpdate) => ", a change in the middle of a subscription's period",
        Some(Billing::SubscriptionOther) => ", an invoice of a subscription",
        Some(Billing::Manual) | None => "",
    };
    match paid.amount.minor {
        0 => format!("nothing to pay, done at {at}{what}"),
        _ => format!("paid {} at {at}{what}", paid.amount),
    }
}

fn refund(refund: &RefundState) -> String {
    let (amount, at) = (refund.amount, moment(refund.at));
    match (refund.came_back(), refund.is_refund(), refund.cancelled) {
        (true, ..) => format!("refund of {amount} that came back, heard of at {at}"),
        (_, true, _) => format!("refund of {amount} at {at}"),
        (_, _, true) => format!("refund of {amount}, cancelled before any money moved"),
        _ => format!("refund of {amount}, not on its way yet, which counts nothing"),
    }
}

fn dispute(dispute: &DisputeState) -> String {
    let amount = dispute.amount;
    match (dispute.lost_at, dispute.reversed_at()) {
        (Some(lost), Some(reversed)) => {
            format!("dispute over {amount} lost at {}, the money given back at {}", moment(lost), moment(reversed))
        }
        (Some(lost), None) => format!("dispute over {amount} lost at {}", moment(lost)),
        (None, _) if dispute.restored_at.is_some() => format!("dispute over {amount} won, which counts nothing"),
        _ => format!("dispute over {amount}, not lost so far, which counts nothing"),
    }
}

fn subscription(life: &SubscriptionState, says: &mut Vec<String>) {
    let plan = life.terms.plan.as_ref().map(|plan| format!(" of {plan}")).unwrap_or_default();
    let price = life.terms.price.map(|price| format!(" at {price}")).unwrap_or_default();
    says.push(format!("subscription{plan}{price}, {}", life.status().name().replace('_', " ")));
    says.extend(life.start.as_ref().map(|start| format!("began at {}", moment(start.at))));
    for change in life.changes.iter().rev().take(MOST_TOLD).rev() {
        let what: Vec<String> = change.what.iter().map(|what| what.name().replace('_', " ")).collect();
        says.push(format!("changed ({}) at {}", what.join(", "), moment(change.at)));
    }
    match (life.ended_at, life.terms.ends_at) {
        (Some(ended), _) => says.push(format!("ended at {}", moment(ended))),
        (None, Some(ends)) => says.push(format!("is to end at {}", moment(ends))),
        (None, None) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::money::Money;

    fn eur(minor: i64) -> Money {
        Money { minor, currency: "eur".parse().unwrap() }
    }

    const AT: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

    #[test]
    fn refunds_say_where_they_stand() {
        let state =
            |counted, failed, cancelled| refund(&RefundState { amount: eur(2000), at: AT, counted, failed, cancelled });
        assert_eq!(state(true, false, false), "refund of 20.00 EUR at 2026-09-21 14:13:20 UTC");
        assert!(state(true, true, false).contains("came back"));
        assert!(state(true, false, true).contains("came back"));
        assert!(state(false, false, true).contains("cancelled before any money moved"));
        assert!(state(false, false, false).contains("not on its way yet"));
    }

    #[test]
    fn disputes_say_where_they_stand() {
        let state = |lost_at, restored_at| dispute(&DisputeState { amount: eur(2000), lost_at, restored_at });
        assert!(state(None, None).contains("not lost so far"));
        assert!(state(None, Some(AT)).contains("won"));
        assert_eq!(state(Some(AT), None), "dispute over 20.00 EUR lost at 2026-09-21 14:13:20 UTC");
        assert!(state(Some(AT), Some(AT)).contains("given back"));
    }

    #[test]
    fn what_was_paid_says_what_for() {
        let of = |minor, billing| paid(&Paid { amount: eur(minor), at: AT, billing });
        assert_eq!(of(2000, None), "paid 20.00 EUR at 2026-09-21 14:13:20 UTC");
        assert!(of(2000, Some(Billing::SubscriptionStart)).ends_with("first invoice"));
        assert!(of(0, Some(Billing::SubscriptionStart)).starts_with("nothing to pay"));
    }
}
