//! Statements about one object, folded into its state: any order and any repetition give the same.

use super::derive::speaks_of_buyer;
use crate::model::booking::{BookingState, BookingStep, ToldBooking};
use crate::model::identity::IdentityKind;
use crate::model::money::{Currency, Money};
use crate::model::statement::{
    Claim, DisputeState, DisputeStatus, FailedAttempt, Happening, ObjectKind, ObjectRef, ObjectState, Paid, Person,
    RefundState, RefundStatus, Statement, Tags,
};
use crate::model::subscription::{
    SubscriptionStart, SubscriptionState, SubscriptionStatus, SubscriptionStep, ToldChange,
};
use crate::model::time::Timestamp;

/// Failed tries of one object that are told apart, the earliest: who tries stolen cards on one payment must not fill the books.
const MOST_ATTEMPTS: usize = 100;

/// Changes of one subscription that are told apart, the newest: seats may be counted anew every hour for years.
const MOST_CHANGES: usize = 100;

/// Words about one appointment that are kept, the newest: nobody moves one a hundred times, but a calendar may repeat itself. With
/// more its newest state is still told rightly; of more than so many true changes the later ones get the numbers of earlier
/// ones, and are not told. Which words are kept does not depend on the order in which they came, and money does not depend on
/// them at all.
const MOST_WORDS: usize = 100;

/// Lead ids and phones of one object that are kept beside the newest ones.
const MOST_CLAIMS: usize = 20;

/// Things that happened to one object that are told apart.
const MOST_HAPPENINGS: usize = 100;

/// An object of which nothing was said.
pub fn unheard(object: ObjectRef) -> ObjectState {
    ObjectState {
        object,
        said_at: Timestamp::EPOCH,
        said_by: String::new(),
        heard_at: Timestamp::EPOCH,
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
        details: Default::default(),
        person: Default::default(),
        tags: Default::default(),
        also_named: Vec::new(),
    }
}

/// Adds what one statement says. `event_id` breaks ties of the provider's time.
///
/// A provider's event holds a snapshot of the whole object, so the newest one replaces what older ones described, and an older
/// one never does. Newest is by the provider's own time; of two of the same time the one with the larger event id. Successes,
/// failed tries, steps of a refund and a subscription's start, changes and end are never taken back by a later snapshot, nor is
/// what recognises the person by one that names nobody.
pub fn fold(state: &mut ObjectState, statement: &Statement, event_id: &str) {
    for link in &statement.links {
        if let Err(at) = state.links.binary_search(link) {
            state.links.insert(at, link.clone());
        }
    }
    let newest = (statement.said_at, event_id) >= (state.said_at, state.said_by.as_str());
    if is_snapshot(statement) {
        state.heard_at = earliest_heard(state, statement.said_at);
    }
    if let Claim::Subscription(step) = &statement.claim {
        fold_life(state, step, statement.said_at, event_id, newest);
    }
    if is_snapshot(statement) && newest {
        state.said_at = statement.said_at;
        event_id.clone_into(&mut state.said_by);
        state.subscription.clone_from(&statement.subscription);
        state.details.clone_from(&statement.details);
        take_person(state, statement.customer.clone(), statement.person.clone(), statement.tags.clone());
    } else {
        keep_identities(state, statement.customer.as_ref(), &statement.person, &statement.tags);
    }
    match &statement.claim {
        Claim::Nothing | Claim::Subscription(_) => {}
        Claim::Booking(step) => {
            join_bookings(state.booking.get_or_insert_default(), told_booking(step, statement.said_at, event_id));
        }
        Claim::Happened(happened) => happened.iter().for_each(|happening| fold_happening(state, happening)),
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
        Claim::Dispute(step) => {
            let at = |status| (step.status == status).then_some(statement.said_at);
            let told = DisputeState {
                amount: step.amount,
                lost_at: at(DisputeStatus::Lost),
                restored_at: at(DisputeStatus::Restored),
            };
            state.dispute = Some(state.dispute.map_or(told, |known| both_disputes(known, told)));
        }
    }
}

/// One dispute as two states of it together describe it.
fn both_disputes(mine: DisputeState, theirs: DisputeState) -> DisputeState {
    DisputeState {
        amount: smaller(mine.amount, theirs.amount),
        lost_at: [mine.lost_at, theirs.lost_at].into_iter().flatten().min(),
        restored_at: mine.restored_at.max(theirs.restored_at),
    }
}

/// The earlier of an object's first statement and another one.
fn earliest_heard(state: &ObjectState, said_at: Timestamp) -> Timestamp {
    if state.said_by.is_empty() { said_at } else { state.heard_at.min(said_at) }
}

/// Takes a step of a subscription's life in. Its start is the earliest statement in which it runs, its end the earliest that
/// is told; its terms are the newest statement's. `newest` says whether that is this one.
fn fold_life(state: &mut ObjectState, step: &SubscriptionStep, at: Timestamp, event_id: &str, newest: bool) {
    let started = || SubscriptionStart { at, event_id: event_id.to_owned(), terms: step.terms.clone() };
    let told =
        || ToldChange { at, event_id: event_id.to_owned(), what: step.changes.clone(), terms: step.terms.clone() };
    let step = SubscriptionState {
        start: step.terms.status.is_running().then(started),
        unbegun_at: (step.terms.status == SubscriptionStatus::NotBegun).then_some(at),
        ended_at: step.ended_at,
        terms: step.terms.clone(),
        changes: if step.changes.is_empty() { Vec::new() } else { vec![told()] },
    };
    match &mut state.life {
        Some(life) => join_lives(life, step, newest),
        None => state.life = Some(step),
    }
}

/// One subscription as two states of it together describe it. `newest` says whether the second is the newer.
fn join_lives(mine: &mut SubscriptionState, theirs: SubscriptionState, newest: bool) {
    let earlier = |theirs: &SubscriptionStart| {
        mine.start.as_ref().is_none_or(|mine| (theirs.at, &theirs.event_id) < (mine.at, &mine.event_id))
    };
    if let Some(start) = theirs.start.filter(earlier) {
        mine.start = Some(start);
    }
    mine.unbegun_at = [mine.unbegun_at, theirs.unbegun_at].into_iter().flatten().min();
    mine.ended_at = [mine.ended_at, theirs.ended_at].into_iter().flatten().min();
    if newest {
        mine.terms = theirs.terms;
    }
    for told in theirs.changes {
        let place = mine.changes.binary_search_by(|known| (known.at, &known.event_id).cmp(&(told.at, &told.event_id)));
        if let Err(at) = place {
            mine.changes.insert(at, told);
        }
    }
    mine.changes.drain(..mine.changes.len().saturating_sub(MOST_CHANGES));
}

/// One word about an appointment as the only one.
fn told_booking(step: &BookingStep, at: Timestamp, event_id: &str) -> BookingState {
    let BookingStep { status, starts_at, ends_at, made_at, value } = *step;
    BookingState {
        made_at,
        told: vec![ToldBooking { at, event_id: event_id.to_owned(), status, starts_at, ends_at, value }],
    }
}

/// One appointment as two states of it together describe it. Every word is kept, also one that repeats another: an older one
/// that comes between the two would make them different.
pub(super) fn join_bookings(mine: &mut BookingState, theirs: BookingState) {
    fn place(told: &ToldBooking) -> (Timestamp, crate::model::booking::BookingStatus, &str) {
        (told.at, told.status, &told.event_id)
    }
    mine.made_at = [mine.made_at, theirs.made_at].into_iter().flatten().min();
    for told in theirs.told {
        if let Err(at) = mine.told.binary_search_by(|known| place(known).cmp(&place(&told))) {
            mine.told.insert(at, told);
        }
    }
    mine.told.drain(..mine.told.len().saturating_sub(MOST_WORDS));
}

/// Whether an appointment may have had more words than are kept, so that what one of them told of may be told of no longer.
pub(super) fn lacks_words<'s>(objects: impl IntoIterator<Item = &'s ObjectState>) -> bool {
    let words = objects.into_iter().filter_map(|state| state.booking.as_ref()).map(|booking| booking.told.len());
    words.sum::<usize>() >= MOST_WORDS
}

/// Of one kind the earliest counts; of two at the same time the smaller value.
fn fold_happening(state: &mut ObjectState, happening: &Happening) {
    fn rank(happening: &Happening) -> (Timestamp, Option<(i64, Currency)>) {
        (happening.at, happening.value.map(|value| (value.minor, value.currency)))
    }
    match state.happened.binary_search_by(|known| known.kind.cmp(&happening.kind)) {
        Ok(at) if rank(happening) < rank(&state.happened[at]) => state.happened[at] = happening.clone(),
        Ok(_) => {}
        Err(at) if state.happened.len() < MOST_HAPPENINGS => state.happened.insert(at, happening.clone()),
        Err(_) => {}
    }
}

/// Adds all of another state of the same object, as when two groups prove to be one.
pub fn join(state: &mut ObjectState, other: ObjectState) {
    let newest = (other.said_at, &other.said_by) > (state.said_at, &state.said_by);
    if !other.said_by.is_empty() {
        state.heard_at = earliest_heard(state, other.heard_at);
    }
    match (&mut state.life, other.life) {
        (Some(mine), Some(theirs)) => join_lives(mine, theirs, newest),
        (mine @ None, theirs) => *mine = theirs,
        (Some(_), None) => {}
    }
    if let Some(booking) = other.booking {
        join_bookings(state.booking.get_or_insert_default(), booking);
    }
    other.happened.iter().for_each(|happening| fold_happening(state, happening));
    for link in other.links {
        if let Err(at) = state.links.binary_search(&link) {
            state.links.insert(at, link);
        }
    }
    if newest {
        state.said_at = other.said_at;
        state.said_by = other.said_by;
        state.subscription = other.subscription;
        state.details = other.details;
        take_person(state, other.customer, other.person, other.tags);
    } else {
        keep_identities(state, other.customer.as_ref(), &other.person, &other.tags);
    }
    for (kind, value) in &other.also_named {
        remember(state, *kind, value);
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
    state.dispute = match (state.dispute, other.dispute) {
        (Some(mine), Some(theirs)) => Some(both_disputes(mine, theirs)),
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
    if let Some(lead) = &tags.lead_id {
        remember(state, IdentityKind::Lead, lead);
    }
    if let Some(phone) = &person.phone {
        remember(state, IdentityKind::Phone, phone.as_str());
    }
}

/// Keeps a lead id or phone beside those of the newest snapshot, so that it counts in whatever order they came.
fn remember(state: &mut ObjectState, kind: IdentityKind, value: &str) {
    if !speaks_of_buyer(state.object.kind) {
        return;
    }
    let find = |state: &ObjectState, value: &str| {
        state.also_named.binary_search_by(|(known, text)| (*known, text.as_str()).cmp(&(kind, value)))
    };
    let own = match kind {
        IdentityKind::Lead => state.tags.lead_id.as_deref(),
        _ => state.person.phone.as_ref().map(|phone| phone.as_str()),
    };
    if own != Some(value) {
        if let Some(at) = own.and_then(|own| find(state, own).ok()) {
            state.also_named.remove(at);
        }
        if let Err(at) = find(state, value) {
            state.also_named.insert(at, (kind, value.to_owned()));
            state.also_named.truncate(MOST_CLAIMS);
        }
    }
}

/// Whether a statement describes its object; one that only links two others (`invoice_payment.paid`) does not.
pub(super) fn is_snapshot(statement: &Statement) -> bool {
    if statement.object.kind == ObjectKind::Subscription {
        return matches!(statement.claim, Claim::Subscription(_));
    }
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
    state.failed_attempts.truncate(MOST_ATTEMPTS);
}

/// A refund has one amount; should a provider ever name two, the smaller is the safe one in any order.
fn smaller(a: Money, b: Money) -> Money {
    if (b.minor, b.currency) < (a.minor, a.currency) { b } else { a }
}
