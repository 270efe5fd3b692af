//! The refunds of a group.

use super::derive::{Derived, Draft, named, objects};
use crate::model::business_event::{EventFacts, EventKind, Mark, Subject};
use crate::model::group::Group;
use crate::model::money::Money;
use crate::model::statement::ObjectKind;

/// Adds a group's refunds: each counts once, with its own amount, and all that stayed with the buyer together are no more
/// than the sale. The earlier one by the provider's time has the first claim on it.
pub(super) fn derive(
    group: &Group,
    facts: &EventFacts,
    sold: Option<Money>,
    transaction_id: Option<&str>,
    derived: &mut Derived,
) {
    let mut refunds: Vec<_> = objects(group, ObjectKind::Refund)
        .filter_map(|state| state.refund.map(|refund| (&state.object.id, refund)))
        .filter(|(_, refund)| refund.is_refund())
        .collect();
    refunds.sort_by(|a, b| (a.1.at, a.0).cmp(&(b.1.at, b.0)));
    let fallback = named(group, ObjectKind::Intent).or(named(group, ObjectKind::Charge));
    let mut left = sold.map(|sold| sold.minor);
    for (id, refund) in refunds {
        let mut facts = facts.clone();
        let mut amount = refund.amount;
        match (sold, &mut left) {
            (Some(sold), Some(left)) if sold.currency == amount.currency => {
                if amount.minor > *left {
                    facts.marks.push(Mark::Capped);
                    amount.minor = *left;
                }
                if !refund.came_back() {
                    *left -= amount.minor;
                }
            }
            _ => facts.marks.push(Mark::Unmatched),
        }
        let unmatched = facts.marks.contains(&Mark::Unmatched);
        let draft = |subject, kind, object, undone| Draft {
            subject,
            also: Vec::new(),
            kind,
            object,
            occurred_at: refund.at,
            transaction_id: Some(transaction_id.or(fallback).unwrap_or(id).to_owned()),
            amount: Some(amount),
            strong: !unmatched,
            undone,
            facts: facts.clone(),
        };
        let came_back = refund.came_back();
        derived.drafts.push(draft(Subject::Refund(id.clone()), EventKind::Refund, id.clone(), came_back));
        if came_back {
            let subject = Subject::RefundCameBack(id.clone());
            derived.drafts.push(draft(subject, EventKind::RefundFailed, format!("{id}/failed"), false));
            continue;
        }
        derived.contribution.refunds += 1;
        if let Some(net) = derived.contribution.net.as_mut().filter(|_| !unmatched) {
            net.minor -= amount.minor;
        }
    }
}
