//! Money that leaves a sale again: refunds and lost disputes, and what of it came back after all.

use super::derive::{Derived, Draft, named, objects};
use crate::model::business_event::{EventFacts, EventKind, Mark, Subject};
use crate::model::group::Group;
use crate::model::money::Money;
use crate::model::statement::ObjectKind;
use crate::model::time::Timestamp;

/// Money that left a sale, by one refund or one lost dispute.
struct TakenBack<'g> {
    /// The refund's or dispute's id.
    id: &'g str,
    kind: EventKind,
    at: Timestamp,
    amount: Money,
    /// When it came back, if it did.
    reversed_at: Option<Timestamp>,
}

impl TakenBack<'_> {
    fn subject(&self) -> Subject {
        match self.kind {
            EventKind::DisputeLost => Subject::DisputeLost(self.id.to_owned()),
            _ => Subject::Refund(self.id.to_owned()),
        }
    }

    /// What tells that it came back: subject, kind and the end of its key.
    fn reversal(&self) -> (Subject, EventKind, &'static str) {
        match self.kind {
            EventKind::DisputeLost => {
                (Subject::DisputeReversed(self.id.to_owned()), EventKind::DisputeReversed, "reversed")
            }
            _ => (Subject::RefundCameBack(self.id.to_owned()), EventKind::RefundFailed, "failed"),
        }
    }
}

/// The sale that money is taken back from.
pub(super) struct Origin<'a> {
    /// Everything of the sale, including what only likeness says is part of it.
    pub together: &'a Group,
    /// What the sale came to; none when it was never seen.
    pub sold: Option<Money>,
    /// The id it is known by.
    pub transaction_id: Option<&'a str>,
}

/// Adds what was taken back of a sale by objects of `group`: each refund and each lost dispute counts once, with its own amount,
/// and all that stayed with the buyer together are no more than the sale. The earlier one by the provider's time has the
/// first claim on it.
pub(super) fn derive(group: &Group, origin: &Origin<'_>, facts: &EventFacts, derived: &mut Derived) {
    let mut all = taken_back(origin.together);
    all.sort_by(|a, b| (a.at, a.id).cmp(&(b.at, b.id)));
    let fallback = named(origin.together, ObjectKind::Intent).or_else(|| named(origin.together, ObjectKind::Charge));
    let mut left = origin.sold.map(|sold| sold.minor);
    for taken in all {
        let mut facts = facts.clone();
        let mut amount = taken.amount;
        match (origin.sold, &mut left) {
            (Some(sold), Some(left)) if sold.currency == amount.currency => {
                facts.sale_amount = Some(sold);
                if amount.minor > *left {
                    facts.marks.push(Mark::Capped);
                    amount.minor = *left;
                }
                if taken.reversed_at.is_none() {
                    *left -= amount.minor;
                }
            }
            _ => facts.marks.push(Mark::Unmatched),
        }
        let is_own = group.objects.iter().any(|state| state.object.id == taken.id);
        if !is_own {
            continue;
        }
        let unmatched = facts.marks.contains(&Mark::Unmatched);
        let draft = |subject, kind, object, occurred_at, undone| Draft {
            subject,
            also: Vec::new(),
            kind,
            object,
            occurred_at,
            transaction_id: Some(origin.transaction_id.or(fallback).unwrap_or(taken.id).to_owned()),
            amount: Some(amount),
            strong: !unmatched,
            undone,
            facts: facts.clone(),
        };
        let undone = taken.reversed_at.is_some();
        derived.drafts.push(draft(taken.subject(), taken.kind.clone(), taken.id.to_owned(), taken.at, undone));
        if let Some(reversed_at) = taken.reversed_at {
            let (subject, kind, suffix) = taken.reversal();
            derived.drafts.push(draft(subject, kind, format!("{}/{suffix}", taken.id), reversed_at, false));
            continue;
        }
        let contribution = &mut derived.contribution;
        *(if taken.kind == EventKind::DisputeLost {
            &mut contribution.disputes_lost
        } else {
            &mut contribution.refunds
        }) += 1;
        if !unmatched {
            contribution.net.get_or_insert(Money::zero(amount.currency)).minor -= amount.minor;
        }
    }
}

fn taken_back(together: &Group) -> Vec<TakenBack<'_>> {
    let refunds = objects(together, ObjectKind::Refund).filter_map(|state| {
        let refund = state.refund.filter(|refund| refund.is_refund())?;
        Some(TakenBack {
            id: &state.object.id,
            kind: EventKind::Refund,
            at: refund.at,
            amount: refund.amount,
            reversed_at: refund.came_back().then_some(refund.at),
        })
    });
    let disputes = objects(together, ObjectKind::Dispute).filter_map(|state| {
        let dispute = state.dispute?;
        Some(TakenBack {
            id: &state.object.id,
            kind: EventKind::DisputeLost,
            at: dispute.lost_at?,
            amount: dispute.amount,
            reversed_at: dispute.reversed_at(),
        })
    });
    refunds.chain(disputes).collect()
}
