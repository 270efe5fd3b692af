//! Time and chance, given in so that a test can run a month in a second.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::model::time::Timestamp;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// How much real time to wait until `moment` at most. A simulated clock answers with a short span, so that waiting threads
    /// look again soon.
    fn wait_until(&self, moment: Timestamp) -> Duration {
        moment.since(self.now())
    }
}

/// A clock that everybody shares.
pub type SharedClock = Arc<dyn Clock>;

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that asks the system
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands until it is moved.
#[derive(Debug, Default)]
pub struct ManualClock(std::sync::atomic::AtomicI64);

impl ManualClock {
    /// Standing at a moment.
    pub fn at(moment: Timestamp) -> Arc<Self> {
        Arc::new(Self(std::sync::atomic::AtomicI64::new(moment.millis())))
    }

    /// Moves it, forwards or back.
    pub fn set(&self, moment: Timestamp) {
        self.0.store(moment.millis(), std::sync::atomic::Ordering::SeqCst);
    }

    /// Moves it on.
    pub fn advance(&self, span: Duration) {
        self.set(self.now().after(span));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(std::sync::atomic::Ordering::SeqCst))
    }

    fn wait_until(&self, moment: Timestamp) -> Duration {
        moment.since(self.now()).min(Duration::from_millis(1))
    }
}

/// Gives numbers from 0 up to 1, for jitter.
pub trait Chance: Send + Sync {
    /// The next number.
    fn next(&self) -> f64;
}

/// Chance from the thread's own generator; nothing secret depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThreadChance;

impl Chance for ThreadChance {
    fn next(&self) -> f64 {
        fastrand::f64()
    }
}

/// Chance that always answers the same.
#[derive(Clone, Copy, Debug)]
pub struct FixedChance(pub f64);

impl Chance for FixedChance {
    fn next(&self) -> f64 {
        self.0
    }
}
