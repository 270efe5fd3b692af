//! The disk's reserve: below it nothing is accepted and nothing is sent, so that what was begun can still be written down.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::delivery::engine::Gate;
use crate::platform::disk::FreeDisk;

/// How often the disk is looked at.
const EVERY: Duration = Duration::from_millis(500);

/// Whether there is enough free disk, as of the last look.
pub(super) struct Space {
    disk: Arc<dyn FreeDisk>,
    folder: PathBuf,
    reserve: u64,
    enough: AtomicBool,
    stopping: AtomicBool,
}

impl Space {
    /// Looks once.
    pub(super) fn new(disk: Arc<dyn FreeDisk>, folder: PathBuf, reserve: u64) -> Self {
        let space = Self { disk, folder, reserve, enough: AtomicBool::new(true), stopping: AtomicBool::new(false) };
        space.look();
        space
    }

    /// Whether webhooks may be accepted and deliveries sent.
    pub(super) fn is_enough(&self) -> bool {
        self.enough.load(Ordering::Relaxed)
    }

    /// Looks again; returns whether the answer changed.
    fn look(&self) -> bool {
        // A disk that can't be asked is no reason to stop; a write that fails is.
        let enough = self.disk.free_bytes(&self.folder).map_or(true, |free| free >= self.reserve);
        self.enough.swap(enough, Ordering::Relaxed) != enough
    }

    /// Looks again and again until stopped, and tells of each change.
    pub(super) fn watch(&self, changed: impl Fn(bool)) {
        while !self.stopping.load(Ordering::SeqCst) {
            std::thread::sleep(EVERY);
            if self.look() {
                changed(self.is_enough());
            }
        }
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }
}

impl Gate for Space {
    fn is_open(&self) -> bool {
        self.is_enough()
    }
}
