//! Running counts over everything stored, so that no status page has to walk a table.

use std::collections::BTreeMap;

use super::id::{DestinationId, WebhookId};
use super::time::Timestamp;

/// How much of what there is. Changed in the same transaction as what it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Webhooks ever stored; deleting old ones does not lower it.
    pub webhooks: u64,
    /// What came from each source, by its configured name.
    pub sources: BTreeMap<String, SourceTotals>,
    /// Deliveries of each destination, counted by state, at [`State::index`](super::delivery::State::index).
    pub destinations: BTreeMap<DestinationId, [u64; 5]>,
    /// Deliveries frozen for GA4 with a client id that a browser was given.
    pub ga4_with_client_id: u64,
    /// Deliveries frozen for GA4 with a derived client id.
    pub ga4_synthetic: u64,
    /// Webhooks with an oddity that a person should see.
    pub odd: OddTotals,
}

/// What came from one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceTotals {
    /// Webhooks stored, duplicates not among them.
    pub count: u64,
    /// When the last one came, by our clock; none before the first.
    pub last_event_at: Option<Timestamp>,
    /// Its refused requests that are kept whole now.
    pub refused: u64,
    /// Bytes that their bodies take up, as they are packed.
    pub refused_bytes: u64,
}

/// How many odd webhooks came lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OddTotals {
    /// By day since 1970-01-01 in UTC, our clock: the last [`OddTotals::DAYS`] days on which one came.
    pub by_day: BTreeMap<i64, u64>,
    /// The newest.
    pub last: Option<WebhookId>,
}

impl OddTotals {
    /// Days that are counted apart; older ones are forgotten.
    pub const DAYS: usize = 8;

    /// Counts one.
    pub fn note(&mut self, id: WebhookId, at: Timestamp) {
        self.last = Some(id);
        *self.by_day.entry(day(at)).or_default() += 1;
        while self.by_day.len() > Self::DAYS {
            self.by_day.pop_first();
        }
    }

    /// How many came within so many days before a moment, in whole days of UTC.
    pub fn within(&self, days: i64, now: Timestamp) -> u64 {
        self.by_day.range(day(now).saturating_sub(days)..).map(|(_, count)| count).sum()
    }
}

fn day(at: Timestamp) -> i64 {
    at.unix_seconds().div_euclid(86_400)
}
