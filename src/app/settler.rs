//! Lets go of groups that have waited long enough.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::platform::clock::SharedClock;
use crate::store::{Command, StoreReader, Writer};

/// Groups let go in one go.
const SLICE: usize = 256;
/// After a read that failed.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest nap; news of an earlier group wakes it before.
const LONGEST_NAP: Duration = Duration::from_secs(60);

#[derive(Default)]
struct State {
    news: bool,
    stopping: bool,
}

/// The thread that settles.
#[derive(Default)]
pub(super) struct Settler {
    state: Mutex<State>,
    changed: Condvar,
    turns: AtomicU64,
}

impl Settler {
    /// Something new waits.
    pub(super) fn news(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).news = true;
        self.changed.notify_one();
    }

    pub(super) fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stopping = true;
        self.changed.notify_one();
    }

    /// How many turns the thread has made. It makes one at least every minute.
    pub(super) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Works until stopped.
    pub(super) fn run(&self, reader: &StoreReader, writer: &Writer, clock: &SharedClock) {
        loop {
            self.turns.fetch_add(1, Ordering::Relaxed);
            let nap = match Self::settle(reader, writer, clock) {
                Some(nap) => nap,
                None => return,
            };
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if !state.stopping && !state.news && !nap.is_zero() {
                state = self.changed.wait_timeout(state, nap).unwrap_or_else(PoisonError::into_inner).0;
            }
            if state.stopping {
                return;
            }
            state.news = false;
        }
    }

    /// Lets go what is due; how long nothing more will be. None when the writer is gone.
    fn settle(reader: &StoreReader, writer: &Writer, clock: &SharedClock) -> Option<Duration> {
        let now = clock.now();
        let due = match reader.snapshot().and_then(|snapshot| snapshot.settled(now, SLICE)) {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(%error, "sales that wait to settle can't be read");
                return Some(PATIENCE);
            }
        };
        if due.is_empty() {
            let next = reader.snapshot().and_then(|snapshot| snapshot.next_settling()).ok().flatten();
            return Some(next.map_or(LONGEST_NAP, |at| clock.wait_until(at).min(LONGEST_NAP)));
        }
        for (_, group) in &due {
            writer.submit(Command::Settle(*group), |_| {});
        }
        // The queue keeps its order, so when this is written all of them are.
        writer.run(Command::Touch).ok()?;
        Some(Duration::ZERO)
    }
}
