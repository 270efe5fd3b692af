//! The circuit breaker of one destination, as a value: results and times in, permission out.

use std::collections::VecDeque;
use std::time::Duration;

use super::time::Timestamp;

/// Only failures of this long ago still count.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// So many transient failures in a row open it.
const IN_A_ROW: usize = 10;
/// Or more than half of at least so many.
const AT_LEAST: usize = 20;
/// The first probe comes after this; later ones after twice as long each.
const FIRST_PROBE: Duration = Duration::from_secs(30);
/// No probe waits longer.
const LONGEST_PROBE: Duration = Duration::from_secs(600);

/// Whether requests may pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Breaker {
    /// Recent results, oldest first: when, and whether it was a transient failure.
    recent: VecDeque<(Timestamp, bool)>,
    /// Set while it is open.
    open: Option<Open>,
}

/// An open breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// Since when.
    pub since: Timestamp,
    /// When the next probe may go.
    pub probe_at: Timestamp,
    /// How many probes failed.
    pub probes: u16,
}

impl Breaker {
    /// A breaker that was open when the program stopped.
    pub fn reopened(open: Option<Open>) -> Self {
        Self { recent: VecDeque::new(), open }
    }

    /// Whether it is open, and since when.
    pub const fn open(&self) -> Option<Open> {
        self.open
    }

    /// Takes note of a result. Returns whether it opened or closed by it.
    pub fn record(&mut self, now: Timestamp, transient_failure: bool) -> bool {
        if let Some(open) = &mut self.open {
            if !transient_failure {
                *self = Self::default();
                return true;
            }
            // Results of requests that were under way when it opened don't lengthen the wait.
            if now >= open.probe_at {
                open.probes = open.probes.saturating_add(1);
                let wait = FIRST_PROBE.saturating_mul(1 << open.probes.min(10)).min(LONGEST_PROBE);
                open.probe_at = now.after(wait);
            }
            return false;
        }
        self.recent.push_back((now, transient_failure));
        while self.recent.len() > 100 || self.recent.front().is_some_and(|(at, _)| now.since(*at) > WINDOW) {
            self.recent.pop_front();
        }
        let in_a_row = self.recent.iter().rev().take_while(|(_, failed)| *failed).count();
        let failed = self.recent.iter().filter(|(_, failed)| *failed).count();
        let opens = transient_failure
            && (in_a_row >= IN_A_ROW || (self.recent.len() >= AT_LEAST && failed * 2 > self.recent.len()));
        if opens {
            self.open = Some(Open { since: now, probe_at: now.after(FIRST_PROBE), probes: 0 });
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn ten_failures_in_a_row_open_it_and_a_success_closes_it() {
        let mut breaker = Breaker::default();
        for second in 0..9 {
            assert!(!breaker.record(at(second), true));
        }
        assert!(breaker.record(at(9), true));
        assert_eq!(breaker.open().unwrap().probe_at, at(39));
        assert!(breaker.record(at(39), false));
        assert!(breaker.open().is_none());
    }

    #[test]
    fn more_than_half_of_twenty_open_it() {
        let mut breaker = Breaker::default();
        let opened = (0..40).find(|second| breaker.record(at(*second), second % 3 != 0));
        assert_eq!(opened, Some(19));
    }

    #[test]
    fn probes_double_up_to_ten_minutes() {
        let mut breaker = Breaker::default();
        for second in 0..10 {
            breaker.record(at(second), true);
        }
        let mut waits = Vec::new();
        for _ in 0..7 {
            let probe_at = breaker.open().unwrap().probe_at;
            breaker.record(probe_at, true);
            waits.push(breaker.open().unwrap().probe_at.since(probe_at).as_secs());
        }
        assert_eq!(waits, [60, 120, 240, 480, 600, 600, 600]);
    }

    #[test]
    fn old_failures_are_forgotten() {
        let mut breaker = Breaker::default();
        for second in 0..9 {
            breaker.record(at(second), true);
        }
        assert!(!breaker.record(at(2000), true));
    }

    #[test]
    fn late_results_do_not_lengthen_the_wait() {
        let mut breaker = Breaker::default();
        for second in 0..12 {
            breaker.record(at(second), true);
        }
        assert_eq!(breaker.open().unwrap().probe_at, at(39));
    }
}
