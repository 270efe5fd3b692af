//! One attempt of one job: its requests, one after the other, and what they come to.

use super::job::Loaded;
use super::lane::{Lane, Refused};
use crate::destinations::{Exchange, Finished, HttpRequest, Job, NoAnswer, Step, Style, status};
use crate::ledger::workspace::Target;
use crate::model::delivery::{AmbiguousPolicy, Attempt, FailureClass, Outcome};
use crate::model::time::Timestamp;
use crate::store::{Command, Reply};

/// More requests than any attempt needs: the CRM's search, create, search again, update.
const MOST_REQUESTS: usize = 8;

/// How an attempt ended.
// A worker holds one at a time.
#[allow(clippy::large_enum_variant)]
pub(super) enum End {
    /// With a result, and the record of it if anything was sent.
    Over(Finished, Option<Attempt>),
    /// We stop before anything left that can't be repeated, but it was noted that it would: the note has to go.
    TakeBack,
    /// We stop, or the store takes nothing more. The next start sees what was noted.
    BrokenOff,
    /// The note that it begins can't be written, so nothing was sent.
    Refused(String),
}

/// Makes the requests of one attempt.
pub(super) fn make(lane: &Lane, loaded: &Loaded, now: Timestamp) -> End {
    if loaded.told.is_empty() {
        return End::Over(Finished::new(Outcome::Delivered), None);
    }
    if let Some(outcome) = decided_before(lane, loaded, now) {
        return End::Over(Finished::new(outcome), None);
    }
    let job = Job {
        key: &loaded.key,
        events: &loaded.events,
        delivery: loaded.delivery.as_ref(),
        contact: loaded.contact.as_ref(),
        sync: loaded.sync.as_ref(),
        now,
    };
    let mut exchanges: Vec<Exchange> = Vec::new();
    let mut is_noted = false;
    let finished = loop {
        let request = match lane.rules().destination.step(&job, &exchanges) {
            Step::Done(finished) => break finished,
            Step::Send(request) => request,
        };
        if exchanges.len() >= MOST_REQUESTS {
            let explanation = format!("{} wants more requests than one delivery may take", lane.rules().name);
            break Finished::new(Outcome::Permanent { class: FailureClass::Invalid, explanation });
        }
        if !exchanges.is_empty() && !lane.take_token() {
            return broken_off(&exchanges, is_noted);
        }
        if !request.repeatable && !is_noted && note_matters(lane, loaded) {
            match lane.surroundings.writer.run(Command::Start(lane.rules().id, loaded.target)) {
                Ok(Reply::Refused(why)) => return End::Refused(why),
                Ok(_) => is_noted = true,
                Err(_) => return End::BrokenOff,
            }
        }
        if lane.is_stopping() {
            return broken_off(&exchanges, is_noted);
        }
        // The rate limit and the note may have taken their time.
        if let Some(outcome) = past_deadline(lane, loaded, lane.surroundings.clock.now()) {
            break Finished::new(outcome);
        }
        let exchange = exchange(lane, request);
        if lane.is_stopping() {
            match &exchange.reply {
                Ok(_) => {}
                Err(NoAnswer::Unknown(_)) if !exchange.request.repeatable => return End::BrokenOff,
                Err(_) => return broken_off(&exchanges, is_noted),
            }
        }
        exchanges.push(exchange);
    };
    let finished = settle_forbidden(lane, loaded.target, finished);
    let attempt = (!exchanges.is_empty()).then(|| record(lane, loaded, &finished, &exchanges, now));
    End::Over(finished, attempt)
}

/// How an attempt stands that is given up between two requests.
fn broken_off(exchanges: &[Exchange], is_noted: bool) -> End {
    let is_harmless = exchanges.iter().all(|exchange| exchange.request.repeatable);
    if is_noted && is_harmless { End::TakeBack } else { End::BrokenOff }
}

/// What is over before anything is sent.
fn decided_before(lane: &Lane, loaded: &Loaded, now: Timestamp) -> Option<Outcome> {
    if let Some(outcome) = past_deadline(lane, loaded, now) {
        return Some(outcome);
    }
    let started_at = loaded.started_at?;
    if !note_matters(lane, loaded) {
        return None;
    }
    let explanation = format!("tallyhook stopped while it was being sent at {started_at}");
    Some(Outcome::Ambiguous { explanation })
}

/// Whether it makes a difference to the next attempt that this one was begun. An event destination is told of an ambiguous
/// outcome; a contact destination searches before it creates, so that there only a setting of the user's (`ask`, `drop`) does.
/// Where nothing depends on it, no request waits for a commit.
fn note_matters(lane: &Lane, loaded: &Loaded) -> bool {
    let rules = lane.rules();
    let policy = loaded.events.last().map(|event| rules.ambiguous(event));
    rules.destination.style() == Style::Event || policy != Some(AmbiguousPolicy::Retry)
}

fn past_deadline(lane: &Lane, loaded: &Loaded, now: Timestamp) -> Option<Outcome> {
    let deadline = loaded.delivery.as_ref()?.deadline.filter(|deadline| now > *deadline)?;
    let explanation = format!("{} takes nothing after {deadline}", lane.rules().name);
    Some(Outcome::Permanent { class: FailureClass::DeadlinePassed, explanation })
}

/// Makes one request.
pub(super) fn exchange(lane: &Lane, request: HttpRequest) -> Exchange {
    let reply = lane.send(&request);
    Exchange { request, reply }
}

/// Finds out whether a 403 means one record or the whole destination: the read-only probe tells, else whether another delivery
/// meets it too or is taken.
fn settle_forbidden(lane: &Lane, target: Target, mut finished: Finished) -> Finished {
    let Outcome::Forbidden { explanation } = &finished.outcome else {
        if finished.outcome == Outcome::Delivered {
            let mut state = lane.state();
            if let Some(refused) = state.refused.as_mut().filter(|refused| refused.target != target) {
                refused.another_was_taken = true;
            }
        }
        return finished;
    };
    let explanation = explanation.clone();
    let rejected = || Outcome::Permanent { class: FailureClass::Rejected, explanation: explanation.clone() };
    let broken = || Outcome::Broken { explanation: explanation.clone() };
    let retry = || Outcome::Retry { explanation: explanation.clone(), after: None };
    finished.outcome = match lane.rules().destination.probe() {
        Some(request) => {
            if !lane.take_token() {
                finished.outcome = retry();
                return finished;
            }
            match status::outcome(&exchange(lane, request)) {
                Outcome::Forbidden { .. } | Outcome::Broken { .. } => broken(),
                Outcome::Delivered | Outcome::Permanent { .. } => rejected(),
                _ => retry(),
            }
        }
        None => {
            let mut state = lane.state();
            let is_held = state.standing.held.is_some();
            let before = state.refused.replace(Refused { target, another_was_taken: false });
            match before {
                _ if is_held => broken(),
                Some(before) if before.target == target && before.another_was_taken => {
                    state.refused = None;
                    rejected()
                }
                Some(before) if before.target != target && !before.another_was_taken => broken(),
                _ => retry(),
            }
        }
    };
    finished
}

fn record(lane: &Lane, loaded: &Loaded, finished: &Finished, exchanges: &[Exchange], at: Timestamp) -> Attempt {
    let took = lane.surroundings.clock.now().since(at).as_millis();
    let last = exchanges.last();
    let status = last.and_then(|exchange| exchange.reply.as_ref().ok()).map(|response| response.status);
    let sent: Vec<String> = exchanges.iter().map(|exchange| exchange.request.shown()).collect();
    let mut outcome = describe(&finished.outcome);
    for note in &finished.notes {
        outcome.push_str("; ");
        outcome.push_str(note);
    }
    // A success needs no evidence beyond what was sent; what a failure said is kept for the person who mends it.
    let excerpt = match (&finished.outcome, last) {
        (Outcome::Delivered, _) | (_, None) => String::new(),
        (_, Some(exchange)) => status::excerpt(exchange),
    };
    Attempt {
        at,
        took_ms: u32::try_from(took).unwrap_or(u32::MAX),
        generation: loaded.told.first().map_or(0, |(_, generation)| *generation),
        sent: sent.join("\n"),
        status,
        outcome,
        excerpt,
    }
}

/// An outcome for people.
pub(super) fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered => "delivered".to_owned(),
        Outcome::Suppressed(rule) => format!("suppressed: {}", rule.name()),
        Outcome::Retry { explanation, .. } => format!("retry: {explanation}"),
        Outcome::SlowDown { .. } => "slow down: the destination asks to wait".to_owned(),
        Outcome::Permanent { class, explanation } => format!("failed ({}): {explanation}", class.name()),
        Outcome::Broken { explanation } => format!("destination broken: {explanation}"),
        Outcome::Forbidden { explanation } => format!("forbidden: {explanation}"),
        Outcome::Ambiguous { explanation } => format!("ambiguous: {explanation}"),
    }
}
