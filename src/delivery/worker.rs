//! One worker: takes what is next, makes the requests of one attempt, and reports what came of it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::job::{self, Loaded};
use super::lane::{Lane, Next};
use super::standing;
use crate::destinations::{Exchange, Finished, HttpRequest, Job, Step, Style, status};
use crate::ledger::result::Report;
use crate::ledger::workspace::Due;
use crate::model::delivery::{Attempt, FailureClass, Outcome};
use crate::model::time::Timestamp;
use crate::store::{Command, Unavailable};

/// More requests than any attempt needs: the CRM's search, create, search again, update.
const MOST_REQUESTS: usize = 8;

/// Works until the lane stops.
pub(super) fn run(lane: &std::sync::Arc<Lane>) {
    loop {
        match lane.next() {
            Next::Stop => return,
            Next::Ask(request) => ask(lane, &request),
            Next::Deliver { due, probe } => {
                // A defect while rendering one delivery must not end the lane's worker, nor be tried in a loop.
                if catch_unwind(AssertUnwindSafe(|| deliver(lane, due, probe))).is_err() {
                    give_up(lane, due);
                }
            }
        }
    }
}

/// Asks whether a held destination works again.
fn ask(lane: &Lane, request: &HttpRequest) {
    let outcome = match status::outcome(&exchange(lane, request.clone())) {
        // The destination answers, but the key is still refused.
        Outcome::Forbidden { explanation } => Outcome::Broken { explanation },
        Outcome::Retry { explanation, .. } | Outcome::Ambiguous { explanation } => Outcome::Broken { explanation },
        Outcome::SlowDown { .. } => Outcome::Delivered,
        other => other,
    };
    standing::note(lane, &outcome, lane.surroundings.clock.now());
    lane.probed();
}

fn exchange(lane: &Lane, request: HttpRequest) -> Exchange {
    let reply = lane.send(&request);
    Exchange { request, reply }
}

fn deliver(lane: &std::sync::Arc<Lane>, due: Due, probe: bool) {
    let now = lane.surroundings.clock.now();
    let snapshot = lane.surroundings.reader.snapshot();
    let loaded = snapshot
        .map_err(|error| error.to_string())
        .and_then(|snapshot| job::load(&snapshot, lane.rules(), due, now).map_err(|error| error.to_string()));
    let loaded = match loaded {
        Ok(Some(loaded)) => loaded,
        Ok(None) => return lane.release(due.target),
        Err(error) => {
            tracing::error!(destination = %lane.rules().name, target = due.target, %error, "a delivery can't be read");
            return lane.release(due.target);
        }
    };
    let Some((finished, attempt)) = attempt(lane, &loaded, now) else { return lane.release(due.target) };
    let finished = settle_forbidden(lane, due, finished);
    let over = lane.surroundings.clock.now();
    if attempt.is_some() {
        standing::note(lane, &finished.outcome, over);
        log(lane, &loaded, &finished, attempt.as_ref());
    }
    report(lane, due, probe, loaded, finished, attempt);
}

/// Makes the requests of one attempt. None when it was broken off, because we stop or because the store does not take the
/// note that it begins: then nothing was sent that the next start would not see.
fn attempt(lane: &Lane, loaded: &Loaded, now: Timestamp) -> Option<(Finished, Option<Attempt>)> {
    if loaded.told.is_empty() {
        return Some((Finished::new(Outcome::Delivered), None));
    }
    if let Some(deadline) = loaded.delivery.as_ref().and_then(|delivery| delivery.deadline) {
        if now > deadline {
            let explanation = format!("{} takes nothing after {deadline}", lane.rules().name);
            let outcome = Outcome::Permanent { class: FailureClass::DeadlinePassed, explanation };
            return Some((Finished::new(outcome), None));
        }
    }
    let style = lane.rules().destination.style();
    if let (Style::Event, Some(started_at)) = (style, loaded.started_at) {
        let explanation = format!("tallyhook stopped while it was being sent at {started_at}");
        return Some((Finished::new(Outcome::Ambiguous { explanation }), None));
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
    let mut noted = false;
    let finished = loop {
        let request = match lane.rules().destination.step(&job, &exchanges) {
            Step::Done(finished) => break finished,
            Step::Send(request) => request,
        };
        if exchanges.len() >= MOST_REQUESTS {
            let explanation = format!("{} wants more requests than one delivery may take", lane.rules().name);
            break Finished::new(Outcome::Permanent { class: FailureClass::Invalid, explanation });
        }
        if !request.repeatable && !noted {
            lane.surroundings.writer.run(Command::Start(lane.rules().id, loaded.target)).ok()?;
            noted = true;
        }
        if !exchanges.is_empty() {
            lane.take_token();
        }
        if lane.is_stopping() {
            return None;
        }
        let reply = lane.send(&request);
        if lane.is_stopping() && reply.is_err() {
            return None;
        }
        exchanges.push(Exchange { request, reply });
    };
    let attempt = (!exchanges.is_empty()).then(|| record(lane, loaded, &finished, &exchanges, now));
    Some((finished, attempt))
}

/// Whether a 403 concerns one record or the whole destination: the read-only probe tells, else a second delivery's 403 does.
fn settle_forbidden(lane: &Lane, due: Due, mut finished: Finished) -> Finished {
    let Outcome::Forbidden { explanation } = &finished.outcome else { return finished };
    let explanation = explanation.clone();
    let key_works = lane.rules().destination.probe().map(|request| {
        !matches!(status::outcome(&exchange(lane, request)), Outcome::Forbidden { .. } | Outcome::Broken { .. })
    });
    let mut state = lane.state();
    let another = state.forbidden.is_some_and(|target| target != due.target);
    state.forbidden = Some(due.target);
    drop(state);
    finished.outcome = match key_works {
        Some(true) => Outcome::Permanent { class: FailureClass::Rejected, explanation },
        Some(false) => Outcome::Broken { explanation },
        None if another => Outcome::Broken { explanation },
        None => Outcome::Retry { explanation, after: None },
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

fn describe(outcome: &Outcome) -> String {
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

fn log(lane: &Lane, loaded: &Loaded, finished: &Finished, attempt: Option<&Attempt>) {
    let first = loaded.told.first().map(|(id, _)| id.to_string()).unwrap_or_default();
    tracing::info!(
        destination = %lane.rules().name,
        delivery = %format_args!("{first}.{}", lane.rules().id.0),
        deliveries = loaded.told.len(),
        status = attempt.and_then(|attempt| attempt.status),
        took_ms = attempt.map(|attempt| attempt.took_ms),
        outcome = %describe(&finished.outcome),
        "attempt"
    );
}

fn report(
    lane: &std::sync::Arc<Lane>,
    due: Due,
    probe: bool,
    loaded: Loaded,
    finished: Finished,
    attempt: Option<Attempt>,
) {
    let report = Report {
        destination: lane.rules().id,
        target: loaded.target,
        told: loaded.told,
        dropped: loaded.dropped,
        left: loaded.left,
        finished,
        attempt,
        chance: lane.surroundings.chance.next(),
        probe,
    };
    let lane_after = std::sync::Arc::clone(lane);
    lane.surroundings.writer.submit(Command::Report(Box::new(report)), move |reply| {
        // Without a commit the delivery stays marked as under way: it must not be sent again by this process.
        if !matches!(reply, Err(Unavailable::Failed(_))) {
            lane_after.release(due.target);
        }
    });
}

/// Our own code failed on a delivery: it is given up with a reason, instead of being tried for ever.
fn give_up(lane: &std::sync::Arc<Lane>, due: Due) {
    let now = lane.surroundings.clock.now();
    let loaded = lane
        .surroundings
        .reader
        .snapshot()
        .ok()
        .and_then(|snapshot| job::load(&snapshot, lane.rules(), due, now).ok().flatten());
    let Some(loaded) = loaded else { return lane.release(due.target) };
    let outcome = Outcome::Permanent {
        class: FailureClass::Invalid,
        explanation: "a defect of tallyhook while rendering it; please report it with the line in the log".to_owned(),
    };
    report(lane, due, false, loaded, Finished::new(outcome), None);
}
