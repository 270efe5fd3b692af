//! All lanes together: started, told of news, stopped.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::client::Client;
use super::expire;
use super::lane::{Lane, LaneSettings};
use super::worker;
use crate::alerts::sender::Alerts;
use crate::ledger::rules::DestinationRules;
use crate::model::delivery::Standing;
use crate::model::id::DestinationId;
use crate::model::rate::RateLimit;
use crate::platform::clock::{Chance, SharedClock};
use crate::store::{StoreError, StoreReader, Writer};

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
    stopping: Arc<AtomicBool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Engine {
    /// Starts the workers of every destination.
    ///
    /// # Errors
    /// When a destination's standing can't be read or a thread can't be started.
    pub fn start(surroundings: &Surroundings, destinations: Vec<Destination>) -> Result<Self, EngineError> {
        let stopping = Arc::new(AtomicBool::new(false));
        let snapshot = surroundings.reader.snapshot()?;
        let mut lanes = Vec::with_capacity(destinations.len());
        let mut threads = Vec::new();
        for destination in destinations {
            let standing = snapshot.standing(destination.rules.id)?;
            let workers = destination.concurrency.max(1);
            let settings = LaneSettings { destination, standing };
            let lane = Arc::new(Lane::new(settings, surroundings.clone(), Arc::clone(&stopping)));
            for number in 0..workers {
                let lane = Arc::clone(&lane);
                let name = format!("deliver {}-{number}", lane.rules().name);
                threads.push(std::thread::Builder::new().name(name).spawn(move || worker::run(&lane))?);
            }
            lanes.push(lane);
        }
        let watched = lanes.clone();
        let flag = Arc::clone(&stopping);
        threads.push(
            std::thread::Builder::new().name("deliver expire".into()).spawn(move || expire::run(&watched, &flag))?,
        );
        Ok(Self { lanes, stopping, threads: Mutex::new(threads) })
    }

    /// Tells lanes that there is something new in their queues.
    pub fn wake(&self, destinations: &BTreeSet<DestinationId>) {
        for lane in self.lanes.iter().filter(|lane| destinations.contains(&lane.rules().id)) {
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

    /// Every destination's standing, with when it last had a success and whether its last result was one.
    pub fn pulses(&self) -> Vec<Pulse> {
        self.lanes.iter().map(|lane| lane.pulse()).collect()
    }

    /// Begins nothing new, breaks off what is under way, and waits for the workers. What was broken off is tried again after
    /// the next start.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        for lane in &self.lanes {
            lane.wake_all();
        }
        // What is nearly finished may finish; its result then need not be guessed after the restart.
        let patience = std::time::Instant::now() + Duration::from_secs(2);
        while self.lanes.iter().any(|lane| lane.is_busy()) && std::time::Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(10));
        }
        for lane in &self.lanes {
            lane.shutdown_client();
        }
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
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
