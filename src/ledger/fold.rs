//! Statements about one object, folded into its state: any order and any repetition give the same.

use crate::model::statement::{
    Claim, FailedAttempt, ObjectRef, ObjectState, Paid, RefundState, RefundStatus, Statement,
};

/// An object of which nothing was said.
pub fn unheard(object: ObjectRef) -> ObjectState {
    ObjectState {
        object,
        said_at: crate::model::time::Timestamp::EPOCH,
        said_by: String::new(),
        links: Vec::new(),
        customer: None,
        subscription: None,
        paid: None,
        failed_attempts: Vec::new(),
        refund: None,
        details: Default::default(),
        person: Default::default(),
        tags: Default::default(),
    }
}

/// Adds what one statement says. `event_id` breaks ties of the provider's time.
///
/// A provider's event holds a snapshot of the whole object, so the newest one replaces what older ones described; successes,
/// failed tries and steps of a refund are never taken back by a later snapshot.
pub fn fold(state: &mut ObjectState, statement: &Statement, event_id: &str) {
    for link in &statement.links {
        if let Err(at) = state.links.binary_search(link) {
            state.links.insert(at, link.clone());
        }
    }
    if is_snapshot(statement) && (statement.said_at, event_id) >= (state.said_at, state.said_by.as_str()) {
        state.said_at = statement.said_at;
        event_id.clone_into(&mut state.said_by);
        state.customer.clone_from(&statement.customer);
        state.subscription.clone_from(&statement.subscription);
        state.details.clone_from(&statement.details);
        state.person.clone_from(&statement.person);
        state.tags.clone_from(&statement.tags);
    }
    match &statement.claim {
        Claim::Nothing => {}
        Claim::Paid(paid) => fold_paid(state, paid),
        Claim::AttemptFailed(attempt) => fold_attempt(state, attempt),
        Claim::Refund(step) => {
            let refund = state.refund.get_or_insert(RefundState {
                amount: step.amount,
                at: statement.said_at,
                counted: false,
                failed: false,
                cancelled: false,
            });
            refund.at = refund.at.min(statement.said_at);
            match step.status {
                RefundStatus::Counted => refund.counted = true,
                RefundStatus::Failed => refund.failed = true,
                RefundStatus::Cancelled => refund.cancelled = true,
                RefundStatus::NotYet => {}
            }
        }
    }
}

/// Adds all of another state of the same object, as when two groups prove to be one.
pub fn join(state: &mut ObjectState, other: ObjectState) {
    for link in other.links {
        if let Err(at) = state.links.binary_search(&link) {
            state.links.insert(at, link);
        }
    }
    if (other.said_at, &other.said_by) > (state.said_at, &state.said_by) {
        state.said_at = other.said_at;
        state.said_by = other.said_by;
        state.customer = other.customer;
        state.subscription = other.subscription;
        state.details = other.details;
        state.person = other.person;
        state.tags = other.tags;
    }
    if let Some(paid) = &other.paid {
        fold_paid(state, paid);
    }
    for attempt in &other.failed_attempts {
        fold_attempt(state, attempt);
    }
    state.refund = match (state.refund, other.refund) {
        (Some(mine), Some(theirs)) => Some(RefundState {
            amount: mine.amount,
            at: mine.at.min(theirs.at),
            counted: mine.counted || theirs.counted,
            failed: mine.failed || theirs.failed,
            cancelled: mine.cancelled || theirs.cancelled,
        }),
        (mine, theirs) => mine.or(theirs),
    };
}

/// Whether a statement describes its object; one that only links two others (`invoice_payment.paid`) does not.
fn is_snapshot(statement: &Statement) -> bool {
    statement.claim != Claim::Nothing
        || statement.customer.is_some()
        || statement.subscription.is_some()
        || statement.details != Default::default()
        || statement.person != Default::default()
        || statement.tags != Default::default()
}

/// The earliest success counts; of two at the same time, the smaller amount, so that order does not matter.
fn fold_paid(state: &mut ObjectState, paid: &Paid) {
    let earlier = state.paid.as_ref().is_none_or(|known| {
        (paid.at, paid.amount.minor, paid.amount.currency) < (known.at, known.amount.minor, known.amount.currency)
    });
    if earlier {
        state.paid = Some(paid.clone());
    }
}

fn fold_attempt(state: &mut ObjectState, attempt: &FailedAttempt) {
    if let Some(known) = state.failed_attempts.iter_mut().find(|known| known.attempt == attempt.attempt) {
        if attempt.at < known.at {
            *known = attempt.clone();
        }
    } else {
        state.failed_attempts.push(attempt.clone());
    }
    state.failed_attempts.sort_by(|a, b| (a.at, &a.attempt).cmp(&(b.at, &b.attempt)));
}
