//! One destination's lane: what may be sent now, and what next.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::engine::{Destination, Pulse, Surroundings};
use crate::destinations::{HttpRequest, Reply};
use crate::ledger::rules::DestinationRules;
use crate::ledger::workspace::Due;
use crate::model::delivery::Standing;
use crate::model::rate::TokenBucket;
use crate::model::time::Timestamp;
use crate::store::Command;

/// Places of the queue read at a time.
const READ_AHEAD: usize = 256;
/// How long a closed gate or a failed read is left alone.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest nap; everything that matters wakes a lane before.
const LONGEST_NAP: Duration = Duration::from_secs(60);

/// What a lane is made of.
pub(super) struct LaneSettings {
    pub(super) destination: Destination,
    pub(super) standing: Standing,
}

/// A lane.
pub(super) struct Lane {
    pub(super) destination: Destination,
    pub(super) surroundings: Surroundings,
    stopping: Arc<AtomicBool>,
    state: Mutex<LaneState>,
    changed: Condvar,
}

/// What a lane knows.
pub(super) struct LaneState {
    pub(super) standing: Standing,
    /// The target of the last 403 since the last success.
    pub(super) forbidden: Option<u64>,
    bucket: Option<TokenBucket>,
    in_flight: HashSet<u64>,
    ahead: VecDeque<Due>,
    /// The queue may hold more than was read ahead.
    more: bool,
    /// A probe of an open breaker or a held destination is under way.
    probing: bool,
    /// The last target that was probed, so that probes go round.
    probed: Option<Due>,
    failing: bool,
}

/// What a worker does next.
pub(super) enum Next {
    /// Try this.
    Deliver {
        /// What.
        due: Due,
        /// Whether it only finds out whether the destination works again.
        probe: bool,
    },
    /// Ask the destination's read-only request whether it works again.
    Ask(Box<HttpRequest>),
    /// Stop.
    Stop,
}

impl Lane {
    pub(super) fn new(settings: LaneSettings, surroundings: Surroundings, stopping: Arc<AtomicBool>) -> Self {
        let bucket = settings.destination.rate_limit.map(|limit| TokenBucket::new(limit, surroundings.clock.now()));
        Self {
            destination: settings.destination,
            surroundings,
            stopping,
            state: Mutex::new(LaneState {
                standing: settings.standing,
                forbidden: None,
                bucket,
                in_flight: HashSet::new(),
                ahead: VecDeque::new(),
                more: true,
                probing: false,
                probed: None,
                failing: false,
            }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn rules(&self) -> &DestinationRules {
        &self.destination.rules
    }

    pub(super) fn state(&self) -> MutexGuard<'_, LaneState> {
        // A worker that panicked left no change half done: everything under this lock is a single assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.state().in_flight.is_empty()
    }

    pub(super) fn shutdown_client(&self) {
        self.destination.client.shutdown();
    }

    /// Something new is in the queue.
    pub(super) fn news(&self) {
        self.state().more = true;
        self.changed.notify_one();
    }

    /// Every worker looks again, to find that it stops.
    pub(super) fn wake_all(&self) {
        // Taking the lock once makes sure that nobody is between looking at the flag and falling asleep.
        drop(self.state());
        self.changed.notify_all();
    }

    pub(super) fn replace_standing(&self, standing: Standing) {
        let mut state = self.state();
        state.standing = standing;
        state.forbidden = None;
        state.more = true;
        state.ahead.clear();
        drop(state);
        self.changed.notify_all();
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
            let wake_at = match self.pick(&mut state, now) {
                Ok(next) => return next,
                Err(wake_at) => wake_at,
            };
            let nap = wake_at.map_or(LONGEST_NAP, |at| self.surroundings.clock.wait_until(at).min(LONGEST_NAP));
            state = self
                .changed
                .wait_timeout(state, nap.max(Duration::from_millis(1)))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// What may be tried now, or when to look again; none waits for news.
    fn pick(&self, state: &mut LaneState, now: Timestamp) -> Result<Next, Option<Timestamp>> {
        if !self.surroundings.gate.is_open() {
            return Err(Some(now.after(PATIENCE)));
        }
        if state.standing.paused {
            return Err(None);
        }
        if let Some(held) = &state.standing.held {
            if state.probing {
                return Err(None);
            }
            if now < held.probe_at {
                return Err(Some(held.probe_at));
            }
            if let Some(request) = self.destination.rules.destination.probe() {
                state.probing = true;
                return Ok(Next::Ask(Box::new(request)));
            }
            return self.pick_probe(state, now);
        }
        if let Some(at) = state.standing.not_before.filter(|at| *at > now) {
            return Err(Some(at));
        }
        if let Some(open) = state.standing.breaker.open() {
            if state.probing {
                return Err(None);
            }
            if now < open.probe_at {
                return Err(Some(open.probe_at));
            }
            return self.pick_probe(state, now);
        }
        if state.in_flight.len() >= self.destination.concurrency.max(1) {
            return Err(None);
        }
        self.read_ahead(state, now)?;
        let Some(due) = state.ahead.front().copied() else { return Err(self.next_due_after(state, now)) };
        if let Some(bucket) = &mut state.bucket {
            bucket.take(now).map_err(Some)?;
        }
        state.ahead.pop_front();
        state.in_flight.insert(due.target);
        Ok(Next::Deliver { due, probe: false })
    }

    fn read_ahead(&self, state: &mut LaneState, now: Timestamp) -> Result<(), Option<Timestamp>> {
        if !state.ahead.is_empty() || !state.more {
            return Ok(());
        }
        state.more = false;
        let most = READ_AHEAD + state.in_flight.len();
        let due =
            self.surroundings.reader.snapshot().and_then(|snapshot| snapshot.due(self.rules().id, now, most)).map_err(
                |error| {
                    state.more = true;
                    tracing::error!(destination = %self.rules().name, %error, "due deliveries can't be read");
                    Some(now.after(PATIENCE))
                },
            )?;
        let full = due.len() >= most;
        state.ahead.extend(due.into_iter().filter(|due| !state.in_flight.contains(&due.target)));
        state.more = full;
        Ok(())
    }

    /// When the first of the queue that is not under way will be due. Whatever comes later than now wakes the lane itself.
    fn next_due_after(&self, state: &mut LaneState, now: Timestamp) -> Option<Timestamp> {
        let next = self.surroundings.reader.snapshot().and_then(|snapshot| {
            let from = Due { destination: self.rules().id, at: now, target: u64::MAX };
            Ok(snapshot.due_after(from, Timestamp::FAR_FUTURE, 1)?.pop())
        });
        // Whenever a nap ends the queue is read anew.
        state.more = true;
        match next {
            Ok(next) => next.map(|due| due.at),
            Err(_) => Some(now.after(PATIENCE)),
        }
    }

    /// Another delivery than the last time, if there is one.
    fn pick_probe(&self, state: &mut LaneState, now: Timestamp) -> Result<Next, Option<Timestamp>> {
        let again = Some(now.after(PATIENCE));
        let snapshot = self.surroundings.reader.snapshot().map_err(|_| again)?;
        let after = state.probed.map(|probed| snapshot.due_after(probed, now, 1)).transpose().map_err(|_| again)?;
        let due = match after.and_then(|mut due| due.pop()) {
            Some(due) => Some(due),
            None => snapshot.due(self.rules().id, now, 1).map_err(|_| again)?.pop(),
        };
        let Some(due) = due.filter(|due| !state.in_flight.contains(&due.target)) else {
            return Err(self.next_due_after(state, now).or(again));
        };
        state.probing = true;
        state.probed = Some(due);
        state.in_flight.insert(due.target);
        Ok(Next::Deliver { due, probe: true })
    }

    /// A delivery's result is on disk, or there is none.
    pub(super) fn release(&self, target: u64) {
        let mut state = self.state();
        state.in_flight.remove(&target);
        state.probing = false;
        state.more = true;
        drop(state);
        self.changed.notify_one();
    }

    /// A read-only probe is over.
    pub(super) fn probed(&self) {
        self.state().probing = false;
        self.changed.notify_all();
    }

    /// Waits for the rate limit to allow one more request of a delivery under way.
    pub(super) fn take_token(&self) {
        loop {
            let now = self.surroundings.clock.now();
            let wait = match self.state().bucket.as_mut().map(|bucket| bucket.take(now)) {
                Some(Err(at)) => self.surroundings.clock.wait_until(at),
                _ => return,
            };
            if self.is_stopping() {
                return;
            }
            std::thread::sleep(wait.max(Duration::from_millis(1)));
        }
    }

    /// Sends a request by this destination's client.
    pub(super) fn send(&self, request: &HttpRequest) -> Reply {
        self.destination.client.send(request, &super::client::Limits { timeout: self.destination.timeout })
    }

    /// Keeps a changed standing on disk and wakes everybody.
    pub(super) fn keep_standing(&self, standing: Standing) {
        let command = Command::SetStanding(self.rules().id, Box::new(standing));
        self.surroundings.writer.submit(command, |_| {});
        self.changed.notify_all();
    }

    pub(super) fn note_failing(&self, failing: bool) {
        self.state().failing = failing;
    }
}
