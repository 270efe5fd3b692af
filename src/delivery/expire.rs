//! Ends what waits too long for a destination that is paused, held or out of reach, so that every delivery ends in sight.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::lane::Lane;
use crate::destinations::Style;
use crate::ledger::workspace::{Due, Target};
use crate::model::id::{BusinessEventId, ContactId};
use crate::model::time::Timestamp;
use crate::store::Command;

/// How often each queue is looked through.
const EVERY: Duration = Duration::from_secs(60);
/// Places looked at in one go.
const SLICE: usize = 500;

/// Looks through the queues of lanes that stand still, until stopped.
pub(super) fn run(lanes: &[Arc<Lane>], stopping: &AtomicBool) {
    let mut next = Timestamp::EPOCH;
    while !stopping.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(100));
        for lane in lanes {
            let now = lane.surroundings.clock.now();
            if now < next {
                continue;
            }
            if stands_still(lane, now) {
                expire(lane, now, stopping);
            }
        }
        let now = lanes.first().map_or(Timestamp::EPOCH, |lane| lane.surroundings.clock.now());
        if now >= next {
            next = now.after(EVERY);
        }
    }
}

fn stands_still(lane: &Lane, now: Timestamp) -> bool {
    let standing = lane.standing();
    standing.paused
        || standing.held.is_some()
        || standing.breaker.open().is_some()
        || standing.not_before.is_some_and(|at| at > now)
}

fn expire(lane: &Lane, now: Timestamp, stopping: &AtomicBool) {
    let style = lane.rules().destination.style();
    // Nothing can have passed a deadline or `max_age` that was due less than an hour ago.
    let until = now.before(Duration::from_secs(3600));
    let mut after = Due { destination: lane.rules().id, at: Timestamp::from_millis(i64::MIN), target: 0 };
    while !stopping.load(Ordering::SeqCst) {
        let slice =
            match lane.surroundings.reader.snapshot().and_then(|snapshot| snapshot.due_after(after, until, SLICE)) {
                Ok(slice) => slice,
                Err(_) => return,
            };
        let Some(last) = slice.last().copied() else { return };
        after = last;
        for due in &slice {
            let target = match style {
                Style::Event => Target::Event(BusinessEventId(due.target)),
                Style::Contact => Target::Contact(ContactId(due.target)),
            };
            if now.since(due.at) >= lane.rules().max_age || style == Style::Event {
                lane.surroundings.writer.submit(Command::Expire(lane.rules().id, target), |_| {});
            }
        }
        if lane.surroundings.writer.run(Command::Touch).is_err() {
            return;
        }
    }
}
