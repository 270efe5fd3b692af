//! Chores: deletes what is past its keeping time, and keeps the list of rejected requests over a restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::config::Retention;
use crate::http::rejected::RejectedLog;
use crate::model::time::Timestamp;
use crate::platform::clock::SharedClock;
use crate::store::{Command, Reply, Sweep, SweepLimits, Writer};

/// How often the keeping times are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(15 * 60);
/// How often rejected requests are written out at most.
const REJECTED_EVERY: Duration = Duration::from_secs(60);
/// Rows in a slice: small, so that no acknowledgement waits noticeably.
const SLICE: usize = 200;
/// Between two slices.
const PAUSE: Duration = Duration::from_millis(20);

/// Does the chores until stopped.
#[derive(Clone)]
pub(super) struct BooksKeeper {
    pub(super) writer: Writer,
    pub(super) clock: SharedClock,
    pub(super) retention: Retention,
    pub(super) rejected: Arc<RejectedLog>,
    pub(super) stopping: Arc<AtomicBool>,
}

impl BooksKeeper {
    pub(super) fn run(&self) {
        let mut sweep_at = self.clock.now();
        let mut rejected_at = self.clock.now();
        while !self.stopping.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(100));
            let now = self.clock.now();
            if now >= rejected_at {
                self.keep_rejected();
                rejected_at = now.after(REJECTED_EVERY);
            }
            if now >= sweep_at {
                self.sweep(now);
                sweep_at = now.after(SWEEP_EVERY);
            }
        }
        self.keep_rejected();
    }

    fn keep_rejected(&self) {
        if let Some(list) = self.rejected.dirty_snapshot() {
            let _ = self.writer.run(Command::KeepRejected(list));
        }
    }

    fn sweep(&self, now: Timestamp) {
        let limits = |keep: Duration| SweepLimits { before: now.before(keep), most: SLICE };
        let first = [
            self.retention.payloads.map(|keep| Sweep::Bodies(limits(keep))),
            self.retention.dedup.map(|keep| Sweep::Webhooks(limits(keep))),
            self.retention.attempts.map(|keep| Sweep::Attempts(limits(keep), (0, 0, 0, 0))),
        ];
        for mut slice in first.into_iter().flatten() {
            let mut gone = 0;
            while !self.stopping.load(Ordering::SeqCst) {
                match self.writer.run(Command::Sweep(slice)) {
                    Ok(Reply::Swept { rows, next }) => {
                        gone += rows;
                        match next {
                            Some(next) => slice = next,
                            None => break,
                        }
                    }
                    _ => return,
                }
                std::thread::sleep(PAUSE);
            }
            if gone > 0 {
                tracing::info!(rows = gone, what = ?slice, "deleted what was past its keeping time");
            }
        }
    }
}
