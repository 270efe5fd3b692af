//! Ends what waits too long for a destination that is paused, held, out of reach or slow, so that every delivery ends in sight.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::lane::Lane;
use super::standing;
use crate::destinations::Style;
use crate::ledger::books::{Books, BooksError};
use crate::ledger::workspace::{Due, Target};
use crate::model::id::{BusinessEventId, ContactId};
use crate::model::time::Timestamp;
use crate::store::{Command, Snapshot};

/// How often each queue is looked through.
const EVERY: Duration = Duration::from_secs(60);
/// Places looked at in one go.
const SLICE: usize = 500;
/// Between two slices of a long queue: so a look through millions costs some percent of a core.
const BREATH: Duration = Duration::from_millis(200);
/// What is due for less is left to the workers, who check deadlines themselves.
const LEFT_TO_WORKERS: Duration = Duration::from_secs(5 * 60);

/// A look through one lane's queue.
struct Round<'a> {
    lane: &'a Lane,
    begun_at: Option<Timestamp>,
    /// The last place looked at, while it is under way.
    at: Option<Due>,
    /// Whether the destination was behind at the last look. One that has just begun to take again gets a minute.
    was_behind: bool,
}

/// Looks through the queues until stopped and unparked; counts its turns.
pub(super) fn run(lanes: &[Arc<Lane>], stopping: &AtomicBool, turns: &AtomicU64) {
    let mut rounds: Vec<Round<'_>> =
        lanes.iter().map(|lane| Round { lane, begun_at: None, at: None, was_behind: false }).collect();
    while !stopping.load(Ordering::SeqCst) {
        turns.fetch_add(1, Ordering::Relaxed);
        let mut nap = EVERY;
        for round in &mut rounds {
            if let Err(error) = round.go_on() {
                tracing::error!(destination = %round.lane.rules().name, %error, "what waits can't be looked through");
                round.at = None;
            }
            let clock = &round.lane.surroundings.clock;
            let pause = if round.at.is_some() { BREATH } else { EVERY };
            nap = nap.min(clock.wait_until(clock.now().after(pause)));
        }
        std::thread::park_timeout(nap);
    }
}

impl Round<'_> {
    /// Looks at the next slice, if it is time.
    fn go_on(&mut self) -> Result<(), BooksError> {
        let now = self.lane.surroundings.clock.now();
        let rules = self.lane.rules();
        let after = match self.at {
            Some(at) => at,
            // A clock that was set back must not stop this until it is where it was.
            None if self.begun_at.is_some_and(|begun_at| begun_at <= now && now < begun_at.after(EVERY)) => {
                return Ok(());
            }
            None => {
                self.begun_at = Some(now);
                self.look_whether_behind(now)?;
                Due { destination: rules.id, at: Timestamp::from_millis(i64::MIN), target: 0 }
            }
        };
        if !self.lane.surroundings.gate.is_open() {
            return Ok(());
        }
        let too_old = now.before(rules.max_age);
        // The queue is in the order of time: what waits too long stands in front. What has a deadline has to be looked at.
        let has_deadline = rules.destination.deadline(now).is_some();
        let until = if has_deadline { too_old.max(now.before(LEFT_TO_WORKERS)) } else { too_old };
        let snapshot = self.lane.surroundings.reader.snapshot()?;
        let slice = snapshot.due_after(after, until, SLICE)?;
        let mut over = Vec::new();
        for due in &slice {
            if due.at <= too_old || (has_deadline && self.is_past_deadline(&snapshot, *due, now)?) {
                over.push(*due);
            }
        }
        drop(snapshot);
        self.end(&over);
        self.at = slice.last().copied().filter(|_| slice.len() == SLICE);
        Ok(())
    }

    /// Tells people of a destination that neither takes nor refuses anything for long, and when that is over.
    fn look_whether_behind(&mut self, now: Timestamp) -> Result<(), BooksError> {
        let waits_since = self.lane.surroundings.reader.snapshot()?.waits_since(self.lane.rules().id)?;
        let behind = self.lane.standing().behind(waits_since, now).filter(|_| waits_since.is_some());
        let was_behind = std::mem::replace(&mut self.was_behind, behind.is_some());
        match behind {
            Some(why) if !was_behind => {
                tracing::warn!(destination = %self.lane.rules().name, %why, "destination behind")
            }
            Some(why) => standing::report_behind(self.lane, &why),
            None if was_behind => standing::report_caught_up(self.lane),
            None => {}
        }
        Ok(())
    }

    fn is_past_deadline(&self, snapshot: &Snapshot, due: Due, now: Timestamp) -> Result<bool, BooksError> {
        if self.lane.rules().destination.style() == Style::Contact {
            return Ok(false);
        }
        let event = match snapshot.business_event(BusinessEventId(due.target)) {
            // It can't be worked on either, which is said there.
            Ok(None) | Err(BooksError::Record(_)) => return Ok(false),
            Ok(Some(event)) => event,
            Err(error) => return Err(error),
        };
        let delivery = event.deliveries.iter().find(|delivery| delivery.destination == due.destination);
        Ok(delivery.and_then(|delivery| delivery.deadline).is_some_and(|deadline| now > deadline))
    }

    fn end(&self, over: &[Due]) {
        if over.is_empty() {
            return;
        }
        let (rules, writer) = (self.lane.rules(), &self.lane.surroundings.writer);
        for due in over {
            let target = match rules.destination.style() {
                Style::Event => Target::Event(BusinessEventId(due.target)),
                Style::Contact => Target::Contact(ContactId(due.target)),
            };
            writer.submit(Command::Expire(rules.id, target), |_| {});
        }
        // The queue keeps its order: when this is written, all of them are. So no more than a slice ever waits.
        let _ = writer.run(Command::Touch);
    }
}
