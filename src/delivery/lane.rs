//! One destination's lane: what may be sent now, and what next.
//!
//! Its workers share one lock and one condition. A worker that finds nothing to do sleeps until the moment that the lane worked
//! out, or until it is woken; every change that could give it work is made under the lock and wakes it, so that none is missed.
//! A worker that takes something wakes the next one if there may be more, so that one slow request holds up nobody else.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::backlog::Backlog;
use super::engine::{Destination, Pulse, Surroundings};
use super::standing;
use crate::destinations::{HttpRequest, Reply};
use crate::ledger::rules::DestinationRules;
use crate::ledger::workspace::{Due, Target};
use crate::model::delivery::Standing;
use crate::model::rate::TokenBucket;
use crate::model::time::Timestamp;
use crate::store::{Command, Unavailable};

/// How long a closed gate or a failed read is left alone.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest nap; everything that matters wakes a lane before.
const LONGEST_NAP: Duration = Duration::from_secs(60);
/// Results that may wait to be written. It bounds what a crash can make us ask twice, and is enough to keep the writer busy.
const MOST_UNWRITTEN: usize = 128;

/// A lane.
pub(super) struct Lane {
    pub(super) destination: Destination,
    pub(super) surroundings: Surroundings,
    has_probe: bool,
    stopping: Arc<AtomicBool>,
    state: Mutex<LaneState>,
    /// Something to do may have come up, or the end.
    changed: Condvar,
    /// The end has come; for those who wait for the rate limit.
    ended: Condvar,
}

/// What a lane knows.
pub(super) struct LaneState {
    pub(super) standing: Standing,
    pub(super) refused: Option<Refused>,
    /// Whether the last result was a failure that may pass.
    pub(super) failing: bool,
    backlog: Backlog,
    bucket: Option<TokenBucket>,
    /// A probe of an open breaker or a held destination is under way.
    probing: bool,
    /// The last target that was probed, so that probes go round.
    probed: Option<Due>,
    /// Targets that a worker is at just now.
    at_work: Vec<u64>,
    /// A held destination has answered the question well; now it has to take a delivery.
    answered: bool,
    /// Workers that ask a held destination whether it works again.
    asking: usize,
    /// Workers that sleep.
    sleeping: usize,
    /// Whether they would have something to do if something came into the queue.
    heeds_news: bool,
    /// The moment for which nothing to do was found, with nothing new since.
    #[cfg(test)]
    idle_at: Option<Timestamp>,
}

/// The last delivery that met a 403 of which it is not known whether it means the record or the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// Its target.
    pub(super) target: Target,
    /// Another one was taken since: the key works.
    pub(super) another_was_taken: bool,
}

/// What a worker does next.
pub(super) enum Next {
    /// Try this.
    Deliver {
        /// What.
        due: Due,
        /// Whether it only finds out whether the destination works again.
        is_probe: bool,
    },
    /// Ask the destination's read-only request whether it works again.
    Ask,
    /// Stop.
    Stop,
}

/// Why there is nothing to do.
struct Nap {
    /// When to look again at the latest.
    until: Timestamp,
    /// Whether news of the queue could change that.
    heeds_news: bool,
}

impl Nap {
    const fn until(until: Timestamp) -> Self {
        Self { until, heeds_news: false }
    }
}

impl Lane {
    pub(super) fn new(
        destination: Destination,
        standing: Standing,
        surroundings: Surroundings,
        stopping: Arc<AtomicBool>,
    ) -> Self {
        let bucket = destination.rate_limit.map(|limit| TokenBucket::new(limit, surroundings.clock.now()));
        let backlog = Backlog::new(destination.rules.id, surroundings.reader.clone());
        Self {
            has_probe: destination.rules.destination.probe().is_some(),
            destination,
            surroundings,
            stopping,
            state: Mutex::new(LaneState {
                standing,
                refused: None,
                failing: false,
                backlog,
                bucket,
                probing: false,
                probed: None,
                answered: false,
                at_work: Vec::new(),
                asking: 0,
                sleeping: 0,
                heeds_news: true,
                #[cfg(test)]
                idle_at: None,
            }),
            changed: Condvar::new(),
            ended: Condvar::new(),
        }
    }

    pub(super) fn rules(&self) -> &DestinationRules {
        &self.destination.rules
    }

    pub(super) fn state(&self) -> MutexGuard<'_, LaneState> {
        // Whatever panics while it holds the lock leaves nothing behind that the next look at the queue does not put right.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Whether a worker is at something.
    pub(super) fn is_busy(&self) -> bool {
        let state = self.state();
        state.asking > 0 || !state.at_work.is_empty()
    }

    pub(super) fn shutdown_client(&self) {
        self.destination.client.shutdown();
    }

    /// The stop flag was set: wakes whoever waits.
    pub(super) fn end(&self) {
        drop(self.state());
        self.changed.notify_all();
        self.ended.notify_all();
    }

    /// Something new is in the queue.
    pub(super) fn news(&self) {
        let mut state = self.state();
        state.backlog.news();
        state.woken();
        if state.heeds_news && state.sleeping > 0 {
            self.changed.notify_one();
        }
    }

    pub(super) fn wake_all(&self) {
        self.state().woken();
        self.changed.notify_all();
    }

    /// Goes on where another lane of the same destination stopped.
    pub(super) fn take_over(&self, standing: Standing) {
        self.state().standing = standing;
    }

    /// A person changed it. It is kept once more, since a change of the lane's own may have been on its way to the disk.
    pub(super) fn replace_standing(&self, standing: Standing) {
        let mut state = self.state();
        let before = std::mem::replace(&mut state.standing, standing.clone());
        state.refused = None;
        state.answered = false;
        state.backlog.news();
        self.keep(&state.standing);
        drop(state);
        self.wake_all();
        standing::report_what_ended(self, &before, &standing);
    }

    /// Writes a standing. Called under the lock, so that changes are written in their order.
    pub(super) fn keep(&self, standing: &Standing) {
        let command = Command::SetStanding(self.rules().id, Box::new(standing.clone()));
        self.surroundings.writer.submit(command, |_| {});
    }

    pub(super) fn standing(&self) -> Standing {
        self.state().standing.clone()
    }

    pub(super) fn pulse(&self) -> Pulse {
        let state = self.state();
        Pulse { name: self.rules().name.clone(), standing: state.standing.clone(), failing: state.failing }
    }

    /// Waits until there is something to do.
    pub(super) fn next(&self) -> Next {
        let mut state = self.state();
        loop {
            if self.is_stopping() {
                return Next::Stop;
            }
            let now = self.surroundings.clock.now();
            let nap = match self.pick(&mut state, now) {
                Ok(next) => {
                    if state.sleeping > 0 && state.backlog.may_have_more() {
                        self.changed.notify_one();
                    }
                    return next;
                }
                Err(nap) => nap,
            };
            state.heeds_news = nap.heeds_news;
            state.sleeping += 1;
            #[cfg(test)]
            {
                state.idle_at = Some(now);
            }
            let span = self.surroundings.clock.wait_until(nap.until).clamp(Duration::from_millis(1), LONGEST_NAP);
            state = self.changed.wait_timeout(state, span).unwrap_or_else(PoisonError::into_inner).0;
            state.sleeping -= 1;
        }
    }

    /// What may be tried now, or when to look again.
    fn pick(&self, state: &mut LaneState, now: Timestamp) -> Result<Next, Nap> {
        if matches!(self.surroundings.writer.has_room(), Err(Unavailable::Failed(_) | Unavailable::Stopped)) {
            // What came of a request could not be written down any more.
            return Err(Nap::until(Timestamp::FAR_FUTURE));
        }
        if !self.surroundings.gate.is_open() {
            return Err(Nap::until(now.after(PATIENCE)));
        }
        if state.standing.paused {
            return Err(Nap::until(Timestamp::FAR_FUTURE));
        }
        standing::correct(&mut state.standing, now);
        if let Some(at) = state.standing.not_before.filter(|at| *at > now) {
            return Err(Nap::until(at));
        }
        let held_until = state.standing.held.as_ref().map(|held| held.probe_at);
        if let Some(probe_at) = held_until.or_else(|| state.standing.breaker.open().map(|open| open.probe_at)) {
            if state.probing {
                return Err(Nap::until(Timestamp::FAR_FUTURE));
            }
            if now < probe_at {
                return Err(Nap::until(probe_at));
            }
            return self.pick_probe(state, held_until.is_some() && self.has_probe && !state.answered, now);
        }
        if state.backlog.under_way() >= MOST_UNWRITTEN {
            return Err(Nap::until(Timestamp::FAR_FUTURE));
        }
        let due = match state.backlog.first(now) {
            Ok(Some(due)) => due,
            Ok(None) => return Err(Nap { until: state.backlog.next_at(), heeds_news: true }),
            Err(error) => return Err(self.unreadable(&error, now)),
        };
        state.take_token(now)?;
        state.begin(due);
        Ok(Next::Deliver { due, is_probe: false })
    }

    /// A question that changes nothing where the destination has one, else another delivery than the last time.
    fn pick_probe(&self, state: &mut LaneState, asks: bool, now: Timestamp) -> Result<Next, Nap> {
        if asks {
            state.take_token(now)?;
            state.probing = true;
            state.asking += 1;
            return Ok(Next::Ask);
        }
        let due = match state.backlog.another(state.probed, now) {
            Ok(Some(due)) => due,
            // What was to prove it is gone: the question alone has to do.
            Ok(None) if std::mem::take(&mut state.answered) => return self.pick_probe(state, true, now),
            Ok(None) => return Err(Nap { until: state.backlog.next_at(), heeds_news: true }),
            Err(error) => return Err(self.unreadable(&error, now)),
        };
        state.take_token(now)?;
        state.begin(due);
        state.probing = true;
        state.probed = Some(due);
        Ok(Next::Deliver { due, is_probe: true })
    }

    fn unreadable(&self, error: &crate::store::StoreError, now: Timestamp) -> Nap {
        tracing::error!(destination = %self.rules().name, %error, "due deliveries can't be read");
        Nap::until(now.after(PATIENCE))
    }

    /// A worker is done with a target; its result may still be on its way to the disk. A probe is over by that.
    pub(super) fn leave(&self, target: u64, is_probe: bool) {
        let mut state = self.state();
        if let Some(at) = state.at_work.iter().position(|known| *known == target) {
            state.at_work.swap_remove(at);
        }
        if is_probe {
            state.probing = false;
            state.answered = false;
            state.woken();
            self.changed.notify_all();
        }
    }

    /// A held destination has answered the question well. A question only reads, and what it is held for may be that it refuses to be
    /// written to; so it has to take a delivery next. False when none is due, and the answer has to do.
    pub(super) fn has_to_prove_itself(&self) -> bool {
        let mut state = self.state();
        let (probed, now) = (state.probed, self.surroundings.clock.now());
        state.answered = state.standing.held.is_some() && matches!(state.backlog.another(probed, now), Ok(Some(_)));
        state.answered
    }

    /// A question is answered.
    pub(super) fn asked(&self) {
        let mut state = self.state();
        state.asking -= 1;
        state.probing = false;
        state.woken();
        self.changed.notify_all();
    }

    /// A target's result is on disk, or there is none; it is tried again if it `may_be_due` still.
    pub(super) fn release(&self, target: u64, may_be_due: bool) {
        let mut state = self.state();
        let was_full = state.backlog.under_way() >= MOST_UNWRITTEN;
        state.backlog.end(target, may_be_due);
        state.woken();
        if state.sleeping > 0 && (may_be_due || was_full) {
            self.changed.notify_one();
        }
    }

    /// A target can't be dealt with before that moment.
    pub(super) fn leave_alone(&self, target: u64, until: Timestamp) {
        let mut state = self.state();
        state.backlog.leave_alone(target, until);
        state.woken();
        if state.sleeping > 0 {
            self.changed.notify_one();
        }
    }

    /// Targets that workers are at just now.
    pub(super) fn at_work(&self) -> Vec<u64> {
        self.state().at_work.clone()
    }

    /// Waits for the rate limit to allow one more request of a delivery under way. False when we stop meanwhile.
    pub(super) fn take_token(&self) -> bool {
        let mut state = self.state();
        while !self.is_stopping() {
            let now = self.surroundings.clock.now();
            let Err(nap) = state.take_token(now) else { return true };
            let span = self.surroundings.clock.wait_until(nap.until).clamp(Duration::from_millis(1), LONGEST_NAP);
            state = self.ended.wait_timeout(state, span).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }

    /// Sends a request by this destination's client.
    pub(super) fn send(&self, request: &HttpRequest) -> Reply {
        self.destination.client.send(request, &super::client::Limits { timeout: self.destination.timeout })
    }

    /// Whether everything that can be done at this moment is done and written.
    #[cfg(test)]
    pub(super) fn is_idle_at(&self, now: Timestamp) -> bool {
        let state = self.state();
        let stands_still = !state.heeds_news && state.backlog.under_way() == 0;
        let is_quiet = state.backlog.is_quiet() || stands_still;
        state.idle_at == Some(now) && is_quiet && state.at_work.is_empty() && state.asking == 0
    }
}

impl LaneState {
    fn begin(&mut self, due: Due) {
        self.backlog.begin(due);
        self.at_work.push(due.target);
        self.woken();
    }

    fn take_token(&mut self, now: Timestamp) -> Result<(), Nap> {
        match &mut self.bucket {
            Some(bucket) => bucket.take(now).map_err(Nap::until),
            None => Ok(()),
        }
    }

    /// What was found before may no longer be so.
    fn woken(&mut self) {
        #[cfg(test)]
        {
            self.idle_at = None;
        }
    }
}
