//! Refused requests, kept in memory for a person to look at.
//!
//! Anyone can fill this log, so everything about it is bounded: rows, and the work spent on explaining. It holds ids, times, the
//! sender's address, reasons and verdicts; never a body, a token or a whole signature. What a source with `respond =
//! "always_200" refuses is kept whole besides, in the store.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::model::time::Timestamp;

/// Rows kept for a source.
const PER_SOURCE: usize = 100;
/// Of these, rows with the same reason.
const PER_REASON: usize = 20;
/// Explanations worked out a second, over all sources.
const EXPLANATIONS_PER_SECOND: u32 = 50;
/// The verdict of a request that came when that limit was reached.
const NOT_EXAMINED: &str = "Not examined: too many requests were refused in that second.";

/// One refused request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// Its number; printed as `r12`.
    pub id: u64,
    /// When it came.
    pub time: Timestamp,
    /// The configured source it was sent to.
    pub source: String,
    /// Who sent it: the peer of the connection.
    pub address: IpAddr,
    /// Why it was refused, `no_matching_signature`.
    pub reason: String,
    /// What was found out about it, for a person.
    pub verdict: String,
}

impl Rejected {
    /// The row as lists show it.
    pub fn row(&self) -> serde_json::Value {
        serde_json::json!({
            "id": format!("r{}", self.id),
            "time": self.time.to_string(),
            "source": self.source,
            "address": self.address,
            "reason": self.reason,
            "verdict": self.verdict,
        })
    }
}

/// Which rows to list. Empty fields leave nothing out.
#[derive(Clone, Debug, Default)]
pub struct RejectedFilter {
    /// Of this source.
    pub source: Option<String>,
    /// With this reason.
    pub reason: Option<String>,
    /// At this moment or later.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// Behind this number in the list, that is older than it.
    pub after: Option<u64>,
    /// So many at most.
    pub limit: Option<usize>,
}

impl RejectedFilter {
    /// Whether a row is wanted.
    pub fn admits(&self, row: &Rejected) -> bool {
        self.source.as_ref().is_none_or(|source| *source == row.source)
            && self.reason.as_ref().is_none_or(|reason| *reason == row.reason)
            && self.since.is_none_or(|since| row.time >= since)
            && self.until.is_none_or(|until| row.time < until)
            && self.after.is_none_or(|after| row.id < after)
    }
}

/// The saved form can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the saved list of rejected requests can't be read: {0}")]
pub struct UnreadableSnapshot(#[from] serde_json::Error);

/// The log itself.
#[derive(Debug, Default)]
pub struct RejectedLog(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    by_source: BTreeMap<String, VecDeque<Rejected>>,
    last_id: u64,
    dirty: bool,
    /// The second that explanations are counted in, and how many it has seen.
    explained: (i64, u32),
}

/// What is saved.
#[derive(Serialize, Deserialize)]
struct Snapshot {
    last_id: u64,
    rows: Vec<Rejected>,
}

impl RejectedLog {
    /// Writes a refused request down and gives its row. `explain` is called when there is time for it, outside any lock; a panic in it costs only
    /// the verdict.
    pub fn record(
        &self,
        source: &str,
        address: IpAddr,
        reason: &str,
        time: Timestamp,
        explain: impl FnOnce() -> String,
    ) -> Rejected {
        let verdict = if self.rows().may_explain(time) {
            catch_unwind(AssertUnwindSafe(explain))
                .unwrap_or_else(|_| "Not examined: the examination itself failed.".to_owned())
        } else {
            NOT_EXAMINED.to_owned()
        };
        let mut rows = self.rows();
        rows.last_id += 1;
        let id = rows.last_id;
        let (source, reason) = (source.to_owned(), reason.to_owned());
        let row = Rejected { id, time, source, address, reason, verdict };
        rows.add(row.clone());
        rows.dirty = true;
        row
    }

    /// Takes rows out: what they told of was settled.
    pub fn forget(&self, ids: &[u64]) {
        let mut rows = self.rows();
        for of_source in rows.by_source.values_mut() {
            of_source.retain(|row| !ids.contains(&row.id));
        }
        rows.dirty = true;
    }

    /// Gives new rows higher numbers than this one, which is in use already.
    pub fn number_after(&self, id: u64) {
        let mut rows = self.rows();
        rows.last_id = rows.last_id.max(id);
    }

    /// Rows that a filter admits, newest first.
    pub fn list(&self, filter: &RejectedFilter) -> Vec<Rejected> {
        let rows = self.rows();
        let mut listed: Vec<&Rejected> = rows.by_source.values().flatten().filter(|row| filter.admits(row)).collect();
        listed.sort_by_key(|row| std::cmp::Reverse(row.id));
        listed.into_iter().take(filter.limit.unwrap_or(usize::MAX)).cloned().collect()
    }

    /// Everything as JSON when something changed since the last call; none otherwise. Whoever calls it writes it out.
    pub fn dirty_snapshot(&self) -> Option<Vec<u8>> {
        let mut rows = self.rows();
        if !rows.dirty {
            return None;
        }
        rows.dirty = false;
        let snapshot = Snapshot { last_id: rows.last_id, rows: rows.by_source.values().flatten().cloned().collect() };
        drop(rows);
        serde_json::to_vec(&snapshot).ok()
    }

    /// Takes up what [`Self::dirty_snapshot`] gave; meant for an empty log.
    ///
    /// # Errors
    /// When it is not that. The log is left as it was.
    pub fn restore(&self, snapshot: &[u8]) -> Result<(), UnreadableSnapshot> {
        let snapshot: Snapshot = serde_json::from_slice(snapshot)?;
        let mut rows = self.rows();
        for row in snapshot.rows {
            rows.last_id = rows.last_id.max(row.id);
            rows.add(row);
        }
        rows.last_id = rows.last_id.max(snapshot.last_id);
        Ok(())
    }

    fn rows(&self) -> std::sync::MutexGuard<'_, Rows> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    /// Counts an explanation; false when this second has had its share.
    fn may_explain(&mut self, now: Timestamp) -> bool {
        let second = now.unix_seconds();
        if self.explained.0 != second {
            self.explained = (second, 0);
        }
        self.explained.1 += 1;
        self.explained.1 <= EXPLANATIONS_PER_SECOND
    }

    /// Adds a row and drops what is then too much: the oldest of its reason, else the oldest of its source.
    fn add(&mut self, row: Rejected) {
        let rows = self.by_source.entry(row.source.clone()).or_default();
        if rows.iter().filter(|other| other.reason == row.reason).count() >= PER_REASON
            && let Some(oldest) = rows.iter().position(|other| other.reason == row.reason)
        {
            rows.remove(oldest);
        }
        if rows.len() >= PER_SOURCE {
            rows.pop_front();
        }
        rows.push_back(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn a_flood_of_one_reason_leaves_the_others_alone() {
        let log = RejectedLog::default();
        log.record("stripe", PEER, "timestamp_too_old", at(0), || "The clock is an hour off.".to_owned());
        for second in 1..=1000 {
            log.record("stripe", PEER, "missing_signature", at(second), String::new);
        }
        let rows = log.list(&RejectedFilter::default());
        assert_eq!(rows.len(), 21);
        assert_eq!((rows[0].id, rows[20].id), (1001, 1));
        assert_eq!(rows[20].verdict, "The clock is an hour off.");
    }

    #[test]
    fn a_source_keeps_a_hundred_rows() {
        let log = RejectedLog::default();
        for number in 0..300 {
            log.record("a", PEER, &format!("reason_{}", number % 10), at(number), String::new);
        }
        log.record("b", PEER, "reason_0", at(1), String::new);
        let of = |source: &str| RejectedFilter { source: Some(source.to_owned()), ..RejectedFilter::default() };
        assert_eq!(log.list(&of("a")).len(), 100);
        assert_eq!(log.list(&of("b")).len(), 1);
    }

    #[test]
    fn only_so_many_are_explained_in_a_second() {
        let log = RejectedLog::default();
        let mut explained = 0;
        for _ in 0..200 {
            log.record("a", PEER, "x", at(5), || {
                explained += 1;
                String::new()
            });
        }
        log.record("a", PEER, "x", at(6), || {
            explained += 1;
            "seen".to_owned()
        });
        assert_eq!(explained, 51);
        let rows = log.list(&RejectedFilter::default());
        assert_eq!(rows[0].verdict, "seen");
        assert_eq!(rows[1].verdict, NOT_EXAMINED);
    }

    #[test]
    fn a_panic_while_explaining_costs_only_the_verdict() {
        let log = RejectedLog::default();
        log.record("a", PEER, "x", at(5), || panic!("made for the test"));
        assert_eq!(log.list(&RejectedFilter::default()).len(), 1);
    }

    #[test]
    fn lists_are_filtered_newest_first() {
        let log = RejectedLog::default();
        for second in 1..=5 {
            log.record("a", PEER, if second == 3 { "odd" } else { "x" }, at(second), String::new);
        }
        let ids = |filter: RejectedFilter| log.list(&filter).iter().map(|row| row.id).collect::<Vec<_>>();
        assert_eq!(ids(RejectedFilter { limit: Some(2), ..Default::default() }), [5, 4]);
        assert_eq!(ids(RejectedFilter { after: Some(4), limit: Some(2), ..Default::default() }), [3, 2]);
        assert_eq!(ids(RejectedFilter { since: Some(at(2)), until: Some(at(4)), ..Default::default() }), [3, 2]);
        assert_eq!(ids(RejectedFilter { reason: Some("odd".to_owned()), ..Default::default() }), [3]);
        assert_eq!(log.list(&RejectedFilter::default())[0].row()["id"], "r5");
        assert_eq!(log.list(&RejectedFilter::default())[0].row()["time"], "1970-01-01T00:00:05.000Z");
    }

    #[test]
    fn what_was_saved_is_taken_up_again() {
        let log = RejectedLog::default();
        assert!(log.dirty_snapshot().is_none(), "nothing to save");
        log.record("a", PEER, "x", at(5), || "why".to_owned());
        let saved = log.dirty_snapshot().unwrap();
        assert!(log.dirty_snapshot().is_none(), "saved once");

        let other = RejectedLog::default();
        other.restore(&saved).unwrap();
        assert_eq!(other.list(&RejectedFilter::default()), log.list(&RejectedFilter::default()));
        assert!(other.dirty_snapshot().is_none());
        other.record("a", PEER, "x", at(6), String::new);
        assert_eq!(other.list(&RejectedFilter::default())[0].id, 2, "numbers go on");
        assert!(other.restore(b"{").is_err());
    }
}
