//! Running counts over everything stored, so that no status page has to walk a table.

use std::collections::BTreeMap;

use super::id::DestinationId;
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
}

/// What came from one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceTotals {
    /// Webhooks stored, duplicates not among them.
    pub count: u64,
    /// When the last one came, by our clock; none before the first.
    pub last_event_at: Option<Timestamp>,
}
