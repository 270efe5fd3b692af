//! One worker: takes what is next, has it attempted, and reports what came of it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::attempt::{self, End};
use super::job::{self, Loaded};
use super::lane::{Lane, Next};
use super::standing;
use crate::destinations::{Finished, Style, status};
use crate::ledger::books::Books;
use crate::ledger::result::Report;
use crate::ledger::workspace::{Due, Target};
use crate::model::delivery::{Attempt, FailureClass, Outcome};
use crate::model::id::ContactId;
use crate::model::time::Timestamp;
use crate::store::{Command, Reply, Snapshot, StoreError};

/// How long something is left alone that our own code or a record that can't be read stands in the way of.
const LONG: Duration = Duration::from_secs(3600);
/// How long a person is left alone who is being told of under a former number.
const SHORT: Duration = Duration::from_secs(1);

/// Webhooks that wait at a time while there are more than the writer takes in its stride.
const BURST: usize = 4;
/// How long a delivery lets webhooks pass at a time.
const STEP_ASIDE: Duration = Duration::from_millis(5);
/// How often: however long a burst lasts, deliveries go on.
const MOST_STEPS_ASIDE: u32 = 10;

/// Works until the lane stops.
pub(super) fn run(lane: &Arc<Lane>) {
    loop {
        match lane.next() {
            Next::Stop => return,
            Next::Ask => {
                // A defect in one answer's handling must not end the worker.
                let _ = catch_unwind(AssertUnwindSafe(|| ask(lane)));
                lane.asked();
            }
            Next::Deliver { due, is_probe } => {
                let_webhooks_pass(lane);
                // A defect while rendering one delivery must not end the lane's worker, nor be tried in a loop.
                if catch_unwind(AssertUnwindSafe(|| deliver(lane, due, is_probe))).is_err() {
                    let given_up = catch_unwind(AssertUnwindSafe(|| give_up(lane, due)));
                    if !given_up.is_ok_and(|reported| reported) {
                        leave_alone(lane, due, LONG);
                    }
                }
                lane.leave(due.target, is_probe);
            }
        }
    }
}

/// A sender waits for its answer and a destination doesn't: while a burst of webhooks is being written down, deliveries go slowly.
fn let_webhooks_pass(lane: &Lane) {
    for _ in 0..MOST_STEPS_ASIDE {
        if lane.is_stopping() || lane.surroundings.writer.webhooks_waiting() < BURST {
            return;
        }
        std::thread::sleep(STEP_ASIDE);
    }
}

/// Asks whether a held destination works again.
fn ask(lane: &Lane) {
    let Some(request) = lane.rules().destination.probe() else { return };
    let exchange = attempt::exchange(lane, request);
    if lane.is_stopping() && exchange.reply.is_err() {
        return;
    }
    let outcome = match status::outcome(&exchange) {
        // It answers, but the key is still refused.
        Outcome::Forbidden { explanation } => Outcome::Broken { explanation },
        other => other,
    };
    let is_well = matches!(outcome, Outcome::Delivered | Outcome::Permanent { .. });
    if is_well && lane.has_to_prove_itself() {
        return;
    }
    standing::note(lane, &outcome, true, lane.surroundings.clock.now());
}

fn deliver(lane: &Arc<Lane>, due: Due, is_probe: bool) {
    let now = lane.surroundings.clock.now();
    let loaded = match load(lane, due, now) {
        Ok(Found::Job(loaded)) => *loaded,
        Ok(Found::Gone) => return lane.release(due.target, true),
        Ok(Found::Busy) => return leave_alone(lane, due, SHORT),
        Err(error) => {
            tracing::error!(destination = %lane.rules().name, target = due.target, %error, "a delivery can't be read");
            return leave_alone(lane, due, LONG);
        }
    };
    let (finished, attempt) = match attempt::make(lane, &loaded, now) {
        End::Over(finished, attempt) => (finished, attempt),
        End::TakeBack => return take_back(lane, due, loaded),
        End::BrokenOff => return lane.release(due.target, true),
        End::Refused(why) => return begin_refused(lane, due, &why),
    };
    // Without a request nothing was learned of the destination.
    let is_probe = is_probe && attempt.is_some();
    if attempt.is_some() {
        standing::note(lane, &finished.outcome, is_probe, lane.surroundings.clock.now());
    }
    log(lane, &loaded, &finished, attempt.as_ref());
    report(lane, due, is_probe, loaded, finished, attempt);
}

/// What stands behind a place in the queue.
enum Found {
    Job(Box<Loaded>),
    /// It is not there any more, or not due.
    Gone,
    /// The same person is being told of just now, under a number that was merged into this one meanwhile.
    Busy,
}

fn load(lane: &Lane, due: Due, now: Timestamp) -> Result<Found, String> {
    let snapshot = lane.surroundings.reader.snapshot().map_err(|error| error.to_string())?;
    if let Some(loaded) = job::load(&snapshot, lane.rules(), due, now).map_err(|error| error.to_string())? {
        let is_busy = is_told_of_elsewhere(lane, &snapshot, &loaded).map_err(|error| error.to_string())?;
        return Ok(if is_busy { Found::Busy } else { Found::Job(Box::new(loaded)) });
    }
    if due.at <= now && is_in_queue(&snapshot, due).map_err(|error| error.to_string())? {
        return Err("it has a place in the queue, but its record says that it is not due".to_owned());
    }
    Ok(Found::Gone)
}

/// The note that a request begins was not taken: it was withdrawn meanwhile, or our own code fails on it.
fn begin_refused(lane: &Lane, due: Due, why: &str) {
    let still_there = lane.surroundings.reader.snapshot().and_then(|snapshot| is_in_queue(&snapshot, due));
    if still_there.is_ok_and(|is_there| !is_there) {
        return lane.release(due.target, true);
    }
    tracing::error!(destination = %lane.rules().name, target = due.target, %why, "a delivery can't be begun");
    leave_alone(lane, due, LONG);
}

fn is_in_queue(snapshot: &Snapshot, due: Due) -> Result<bool, StoreError> {
    let before = match due.target.checked_sub(1) {
        Some(target) => Due { target, ..due },
        None => Due { at: due.at.before(Duration::from_millis(1)), target: u64::MAX, ..due },
    };
    Ok(snapshot.due_after(before, due.at, 1)?.first() == Some(&due))
}

/// Whether a worker is at a contact that was merged into this one after it had begun.
fn is_told_of_elsewhere(
    lane: &Lane,
    snapshot: &Snapshot,
    loaded: &Loaded,
) -> Result<bool, crate::ledger::books::BooksError> {
    let Target::Contact(this) = loaded.target else { return Ok(false) };
    for other in lane.at_work().into_iter().map(ContactId).filter(|other| *other != this) {
        let mut now_is = other;
        while let Some(next) = snapshot.contact(now_is)?.and_then(|contact| contact.merged_into) {
            now_is = next;
        }
        if now_is == this {
            return Ok(true);
        }
    }
    Ok(false)
}

fn log(lane: &Lane, loaded: &Loaded, finished: &Finished, attempt: Option<&Attempt>) {
    if loaded.told.is_empty() {
        return;
    }
    let first = loaded.told.first().map(|(id, _)| id.to_string()).unwrap_or_default();
    tracing::info!(
        destination = %lane.rules().name,
        delivery = %format_args!("{first}.{}", lane.rules().id.0),
        deliveries = loaded.told.len(),
        status = attempt.and_then(|attempt| attempt.status),
        took_ms = attempt.map(|attempt| attempt.took_ms),
        outcome = %attempt::describe(&finished.outcome),
        "attempt"
    );
}

fn leave_alone(lane: &Lane, due: Due, span: Duration) {
    lane.leave_alone(due.target, lane.surroundings.clock.now().after(span));
}

/// We stop before anything of it was sent: the note that it was begun is taken back, else it would count as ambiguous.
fn take_back(lane: &Arc<Lane>, due: Due, loaded: Loaded) {
    report(lane, due, true, loaded, Finished::new(Outcome::SlowDown { after: None }), None);
}

fn report(lane: &Arc<Lane>, due: Due, is_probe: bool, loaded: Loaded, finished: Finished, attempt: Option<Attempt>) {
    let report = Report {
        destination: lane.rules().id,
        target: loaded.target,
        told: loaded.told,
        dropped: loaded.dropped,
        left: loaded.left,
        finished,
        attempt,
        chance: lane.surroundings.chance.next(),
        probe: is_probe,
    };
    // What happened to an event is over; of a person there may be news, and what is put off may be due at once.
    let is_over =
        matches!(report.finished.outcome, Outcome::Delivered | Outcome::Suppressed(_) | Outcome::Permanent { .. });
    let may_be_due = !is_over || lane.rules().destination.style() == Style::Contact;
    let lane_after = Arc::clone(lane);
    lane.surroundings.writer.submit(Command::Report(Box::new(report)), move |reply| match reply {
        Ok(Reply::Refused(why)) => {
            // What came of it can't be noted, so it must not be sent again by this process.
            let name = &lane_after.rules().name;
            tracing::error!(destination = %name, target = due.target, %why, "a result can't be written");
            lane_after.leave_alone(due.target, Timestamp::FAR_FUTURE);
        }
        Ok(_) => lane_after.release(due.target, may_be_due),
        // Without a commit it stays under way: it must not be sent again by this process.
        Err(_) => {}
    });
}

/// Our own code failed on a delivery: it is given up with a reason, instead of being tried for ever. False when that can't be.
fn give_up(lane: &Arc<Lane>, due: Due) -> bool {
    let Ok(snapshot) = lane.surroundings.reader.snapshot() else { return false };
    let target = match lane.rules().destination.style() {
        Style::Event => Target::Event(crate::model::id::BusinessEventId(due.target)),
        Style::Contact => Target::Contact(ContactId(due.target)),
    };
    let Ok(told) = job::pending(&snapshot, lane.rules(), target) else { return false };
    if told.is_empty() {
        return false;
    }
    let loaded = Loaded::of_nothing(target, told);
    let outcome = Outcome::Permanent {
        class: FailureClass::Invalid,
        explanation: "a defect of tallyhook while sending it; please report it with the line in the log".to_owned(),
    };
    report(lane, due, false, loaded, Finished::new(outcome), None);
    true
}
