//! Statements about one object, folded into its state: any order and any repetition give the same.

use crate::model::money::{Currency, Money};
use crate::model::statement::{
    Claim, FailedAttempt, ObjectRef, ObjectState, Paid, Person, RefundState, RefundStatus, Statement, Tags,
};
use crate::model::time::Timestamp;

/// An object of which nothing was said.
pub fn unheard(object: ObjectRef) -> ObjectState {
    ObjectState {
        object,
        said_at: Timestamp::EPOCH,
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
/// failed tries and steps of a refund are never taken back by a later snapshot, nor is what recognises the person by one that names nobody.
pub fn fold(state: &mut ObjectState, statement: &Statement, event_id: &str) {
    for link in &statement.links {
        if let Err(at) = state.links.binary_search(link) {
            state.links.insert(at, link.clone());
        }
    }
    if is_snapshot(statement) && (statement.said_at, event_id) >= (state.said_at, state.said_by.as_str()) {
        state.said_at = statement.said_at;
        event_id.clone_into(&mut state.said_by);
        state.subscription.clone_from(&statement.subscription);
        state.details.clone_from(&statement.details);
        take_person(state, statement.customer.clone(), statement.person.clone(), statement.tags.clone());
    } else {
        keep_identities(state, statement.customer.as_ref(), &statement.person, &statement.tags);
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
            refund.amount = smaller(refund.amount, step.amount);
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
        state.subscription = other.subscription;
        state.details = other.details;
        take_person(state, other.customer, other.person, other.tags);
    } else {
        keep_identities(state, other.customer.as_ref(), &other.person, &other.tags);
    }
    if let Some(paid) = &other.paid {
        fold_paid(state, paid);
    }
    for attempt in &other.failed_attempts {
        fold_attempt(state, attempt);
    }
    state.refund = match (state.refund, other.refund) {
        (Some(mine), Some(theirs)) => Some(RefundState {
            amount: smaller(mine.amount, theirs.amount),
            at: mine.at.min(theirs.at),
            counted: mine.counted || theirs.counted,
            failed: mine.failed || theirs.failed,
            cancelled: mine.cancelled || theirs.cancelled,
        }),
        (mine, theirs) => mine.or(theirs),
    };
}

/// Who the newest snapshot names.
fn take_person(state: &mut ObjectState, customer: Option<String>, person: Person, tags: Tags) {
    let known_customer = std::mem::replace(&mut state.customer, customer);
    let known = std::mem::replace(&mut state.person, person);
    let known_tags = std::mem::replace(&mut state.tags, tags);
    keep_identities(state, known_customer.as_ref(), &known, &known_tags);
}

/// What recognises a person stays where a snapshot is silent: an intent names the address of a try that failed, and no longer
/// once another try succeeded.
fn keep_identities(state: &mut ObjectState, customer: Option<&String>, person: &Person, tags: &Tags) {
    fn keep<T: Clone>(mine: &mut Option<T>, theirs: Option<&T>) {
        if mine.is_none() {
            *mine = theirs.cloned();
        }
    }
    keep(&mut state.customer, customer);
    keep(&mut state.person.email, person.email.as_ref());
    keep(&mut state.person.phone, person.phone.as_ref());
    keep(&mut state.tags.user_id, tags.user_id.as_ref());
    keep(&mut state.tags.lead_id, tags.lead_id.as_ref());
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
    fn rank(attempt: &FailedAttempt) -> (Timestamp, Option<(i64, Currency)>, Option<&str>) {
        (attempt.at, attempt.amount.map(|amount| (amount.minor, amount.currency)), attempt.code.as_deref())
    }
    match state.failed_attempts.iter_mut().find(|known| known.attempt == attempt.attempt) {
        Some(known) if rank(attempt) < rank(known) => *known = attempt.clone(),
        Some(_) => return,
        None => state.failed_attempts.push(attempt.clone()),
    }
    state.failed_attempts.sort_by(|a, b| (a.at, &a.attempt).cmp(&(b.at, &b.attempt)));
}

/// A refund has one amount; should a provider ever name two, the smaller is the safe one in any order.
fn smaller(a: Money, b: Money) -> Money {
    if (b.minor, b.currency) < (a.minor, a.currency) { b } else { a }
}
