//! All lanes together: started, told of news, stopped.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::client::Client;
use super::lane::Lane;
use super::{expire, standing, worker};
use crate::alerts::sender::Alerts;
use crate::ledger::rules::DestinationRules;
use crate::model::delivery::Standing;
use crate::model::id::DestinationId;
use crate::model::rate::RateLimit;
use crate::platform::clock::{Chance, SharedClock};
use crate::store::{Command, StoreError, StoreReader, Writer};

/// How long requests under way may go on when we stop.
const LAST_WAIT: Duration = Duration::from_secs(2);

/// Whether anything may be sent now: enough free disk to write results down, the store in order.
pub trait Gate: Send + Sync {
    /// Asked before each delivery; must be cheap.
    fn is_open(&self) -> bool;
}

/// A gate that is always open.
pub struct AlwaysOpen;

impl Gate for AlwaysOpen {
    fn is_open(&self) -> bool {
        true
    }
}

/// What every lane shares.
#[derive(Clone)]
pub struct Surroundings {
    /// The books.
    pub reader: StoreReader,
    /// The way to change them.
    pub writer: Writer,
    /// The time.
    pub clock: SharedClock,
    /// For jitter.
    pub chance: Arc<dyn Chance>,
    /// Whether anything may be sent.
    pub gate: Arc<dyn Gate>,
    /// Where trouble is reported.
    pub alerts: Alerts,
}

/// One destination and how it is delivered to.
#[derive(Clone)]
pub struct Destination {
    /// What it is and who is told.
    pub rules: DestinationRules,
    /// How requests leave.
    pub client: Arc<dyn Client>,
    /// For one request.
    pub timeout: Duration,
    /// Requests in a span.
    pub rate_limit: Option<RateLimit>,
    /// Requests at a time.
    pub concurrency: usize,
}

/// Everything that delivers.
pub struct Engine {
    lanes: Vec<Arc<Lane>>,
    writer: Writer,
    stopping: Arc<AtomicBool>,
    turns: Arc<AtomicU64>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Engine {
    /// Starts the workers of every destination, and tells again of those that are still held or out of reach.
    ///
    /// # Errors
    /// When a destination's standing can't be read or a thread can't be started; then none is left running.
    pub fn start(surroundings: &Surroundings, destinations: Vec<Destination>) -> Result<Self, EngineError> {
        Ok(Self::prepare(surroundings, destinations)?.go(None))
    }

    /// Does all of starting that can fail. Nothing is sent before [`Prepared::go`].
    ///
    /// # Errors
    /// When a destination's standing can't be read or a thread can't be started; then none is left running.
    pub fn prepare(surroundings: &Surroundings, destinations: Vec<Destination>) -> Result<Prepared, EngineError> {
        let stopping = Arc::new(AtomicBool::new(false));
        let snapshot = surroundings.reader.snapshot()?;
        let mut lanes = Vec::with_capacity(destinations.len());
        for destination in destinations {
            let standing = snapshot.standing(destination.rules.id)?;
            lanes.push(Arc::new(Lane::new(destination, standing, surroundings.clone(), Arc::clone(&stopping))));
        }
        let engine = Self {
            lanes,
            writer: surroundings.writer.clone(),
            stopping,
            turns: Arc::default(),
            threads: Mutex::new(Vec::new()),
        };
        let prepared = Prepared { engine: Some(engine), signal: Arc::default() };
        prepared.start_threads()?;
        Ok(prepared)
    }

    fn start_threads(&self, signal: &Arc<Signal>) -> Result<(), std::io::Error> {
        for lane in &self.lanes {
            for number in 0..lane.destination.concurrency.max(1) {
                let works_for = Arc::clone(lane);
                let name = format!("deliver {}-{number}", lane.rules().name);
                self.start_thread(name, signal, move || worker::run(&works_for))?;
            }
        }
        let (watched, flag, turns) = (self.lanes.clone(), Arc::clone(&self.stopping), Arc::clone(&self.turns));
        self.start_thread("deliver expire".into(), signal, move || expire::run(&watched, &flag, &turns))
    }

    fn start_thread(
        &self,
        name: String,
        signal: &Arc<Signal>,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), std::io::Error> {
        let signal = Arc::clone(signal);
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            if signal.is_go() {
                work();
            }
        })?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// Tells lanes that there is something new in their queues.
    pub fn wake(&self, destinations: &BTreeSet<DestinationId>) {
        for lane in self.lanes.iter().filter(|lane| destinations.contains(&lane.rules().id)) {
            lane.news();
        }
    }

    /// Tells every lane that there may be something new in its queue: for whoever could not pass on some news.
    pub fn wake_all(&self) {
        for lane in &self.lanes {
            lane.news();
        }
    }

    /// Tells a lane that a person changed its standing.
    pub fn standing_changed(&self, destination: DestinationId, standing: Standing) {
        for lane in self.lanes.iter().filter(|lane| lane.rules().id == destination) {
            lane.replace_standing(standing.clone());
        }
    }

    /// Where a destination stands.
    pub fn standing(&self, destination: DestinationId) -> Option<Standing> {
        self.lanes.iter().find(|lane| lane.rules().id == destination).map(|lane| lane.standing())
    }

    /// How many turns the looking through of all queues has made. It makes one at least every minute. Takes every lane's lock,
    /// so that it doesn't return where one is held for ever.
    pub fn turns(&self) -> u64 {
        for lane in &self.lanes {
            drop(lane.state());
        }
        self.turns.load(Ordering::Relaxed)
    }

    /// Every destination's standing, and whether its last attempt failed in a way that may pass.
    pub fn pulses(&self) -> Vec<Pulse> {
        self.lanes.iter().map(|lane| lane.pulse()).collect()
    }

    /// Begins nothing new, breaks off what is still under way after two seconds, and waits until every result is written. What
    /// was broken off is tried again after the next start.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for lane in &self.lanes {
            lane.end();
        }
        // What is nearly finished may finish; its result then need not be guessed after the restart.
        let patience = Instant::now() + LAST_WAIT;
        while self.lanes.iter().any(|lane| lane.is_busy()) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(5));
        }
        for lane in &self.lanes {
            lane.shutdown_client();
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            thread.thread().unpark();
            if thread.join().is_err() {
                tracing::error!("a delivering thread ended in a panic");
            }
        }
        // The writer keeps the order of what it is given: when this is written, every result is. Whoever reads the queue next
        // must not find what has been sent.
        let _ = self.writer.run(Command::Touch);
    }

    /// Whether every lane has done and written all it can do at this moment.
    #[cfg(test)]
    pub(super) fn is_idle_at(&self, now: crate::model::time::Timestamp) -> bool {
        self.lanes.iter().all(|lane| lane.is_idle_at(now))
    }
}

/// An engine that has all it needs and waits for the word. Dropped it ends without having sent anything.
pub struct Prepared {
    engine: Option<Engine>,
    signal: Arc<Signal>,
}

impl Prepared {
    fn start_threads(&self) -> Result<(), std::io::Error> {
        self.engine.as_ref().map_or(Ok(()), |engine| engine.start_threads(&self.signal))
    }

    /// Lets it deliver. The engine that delivered `before` must have been stopped: what it knew last of its destinations holds on.
    pub fn go(mut self, before: Option<&Engine>) -> Engine {
        // It is taken out nowhere else but where `self` is dropped.
        #[allow(clippy::expect_used)]
        let engine = self.engine.take().expect("a prepared engine");
        for lane in &engine.lanes {
            if let Some(standing) = before.and_then(|before| before.standing(lane.rules().id)) {
                lane.take_over(standing);
            }
        }
        self.signal.give(true);
        for lane in &engine.lanes {
            standing::report_what_lasts(lane);
        }
        engine
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            self.signal.give(false);
            engine.stop();
        }
    }
}

/// Whether threads that wait may begin.
#[derive(Default)]
struct Signal {
    word: Mutex<Option<bool>>,
    given: Condvar,
}

impl Signal {
    fn give(&self, word: bool) {
        *self.word.lock().unwrap_or_else(PoisonError::into_inner) = Some(word);
        self.given.notify_all();
    }

    /// Waits for the word.
    fn is_go(&self) -> bool {
        let word = self.word.lock().unwrap_or_else(PoisonError::into_inner);
        let word = self.given.wait_while(word, |word| word.is_none()).unwrap_or_else(PoisonError::into_inner);
        *word == Some(true)
    }
}

/// How a destination is doing, for health and status.
#[derive(Clone, Debug)]
pub struct Pulse {
    /// Its name.
    pub name: String,
    /// Paused, held, breaker.
    pub standing: Standing,
    /// Whether the last attempt failed in a way that may pass.
    pub failing: bool,
}

/// The engine can't start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system gives no more threads.
    #[error("no thread can be started for delivering: {0}; raise the limit on tasks")]
    Thread(#[from] std::io::Error),
}
