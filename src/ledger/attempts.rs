//! The failed tries to pay of a group.

use super::derive::{Draft, objects};
use crate::model::business_event::{EventFacts, EventKind, Subject};
use crate::model::group::Group;
use crate::model::statement::{FailedAttempt, ObjectKind};

/// One try is often told twice, as the intent's and as the invoice's or session's, within seconds. Tries of different objects
/// further apart are different tries: nobody's retries are automatic within two minutes.
const SAME_TRY_MS: u64 = 120_000;

type Told<'g> = (&'g str, &'g FailedAttempt);

/// Adds a group's failed tries, each once. What the intent says comes first; the invoice's and the session's word of the same
/// try is the one nearest in time. Of an order each try is told once (PayPal: a capture that was denied).
pub(super) fn derive(group: &Group, facts: &EventFacts, drafts: &mut Vec<Draft>) {
    let [intents, invoices, sessions, orders] =
        [ObjectKind::Intent, ObjectKind::Invoice, ObjectKind::Session, ObjectKind::Order].map(|kind| told(group, kind));
    if [&intents, &invoices, &sessions, &orders].into_iter().all(Vec::is_empty) {
        return;
    }
    let mut tries: Vec<Vec<Told<'_>>> = intents.into_iter().map(|told| vec![told]).collect();
    for others in [invoices, sessions, orders] {
        pair(&mut tries, others);
    }
    tries.sort_by(|a, b| order(&a[0]).cmp(&order(&b[0])));
    for of_one_try in tries {
        let (object, attempt) = of_one_try[0];
        let code = of_one_try.iter().find_map(|(_, told)| told.code.clone());
        drafts.push(Draft {
            subject: subject(&of_one_try[0]),
            also: of_one_try[1..].iter().map(subject).collect(),
            kind: EventKind::PaymentFailed,
            object: format!("{object}/failed/{}", attempt.attempt),
            occurred_at: attempt.at,
            transaction_id: Some(object.to_owned()),
            amount: of_one_try.iter().find_map(|(_, told)| told.amount),
            strong: true,
            undone: false,
            facts: EventFacts { failure_code: code, ..facts.clone() },
        });
    }
}

fn told(group: &Group, kind: ObjectKind) -> Vec<Told<'_>> {
    let of_object = objects(group, kind);
    of_object
        .flat_map(|state| state.failed_attempts.iter().map(|attempt| (state.object.id.as_str(), attempt)))
        .collect()
}

fn subject((object, told): &Told<'_>) -> Subject {
    Subject::FailedAttempt((*object).to_owned(), told.attempt.clone())
}

fn order<'g>(told: &Told<'g>) -> (i64, &'g str, &'g str) {
    (told.1.at.millis(), told.0, &told.1.attempt)
}

/// Adds what another object told to the tries it belongs to: the nearest pairs first, each side once; what finds no partner is
/// a try of its own.
fn pair<'g>(tries: &mut Vec<Vec<Told<'g>>>, others: Vec<Told<'g>>) {
    let mut pairs: Vec<_> = tries
        .iter()
        .enumerate()
        .flat_map(|(at, of_one_try)| others.iter().map(move |other| (at, order(&of_one_try[0]), other)))
        .map(|(at, first, other)| (first.0.abs_diff(order(other).0), first, order(other), at))
        .filter(|(apart, ..)| *apart <= SAME_TRY_MS)
        .collect();
    pairs.sort();
    let (mut taken, mut found) = (Vec::new(), Vec::new());
    for (_, _, other, at) in pairs {
        if !taken.contains(&at) && !found.contains(&other) {
            taken.push(at);
            found.push(other);
            tries[at].extend(others.iter().filter(|candidate| order(candidate) == other).copied());
        }
    }
    tries.extend(others.into_iter().filter(|other| !found.contains(&order(other))).map(|other| vec![other]));
}
