//! Running counts on disk.

use serde::{Deserialize, Serialize};

use crate::model::id::{DestinationId, WebhookId};
use crate::model::time::Timestamp;
use crate::model::totals::{OddTotals, SaleShares, SaleTotals, SourceTotals, Totals};

use super::{Record, RecordError, read, write};

#[derive(Serialize, Deserialize)]
enum TotalsRecord<'a> {
    #[serde(borrow)]
    V1(TotalsV1<'a>),
}

impl Record for TotalsRecord<'_> {
    const TABLE: &'static str = "totals";
    const VERSIONS: u8 = 1;
}

#[derive(Serialize, Deserialize)]
struct TotalsV1<'a> {
    webhooks: u64,
    #[serde(borrow)]
    sources: Vec<SourceV1<'a>>,
    destinations: Vec<DestinationV1>,
    ga4_with_client_id: u64,
    ga4_synthetic: u64,
    odd_by_day: Vec<(i64, u64)>,
    last_odd: Option<u64>,
    leads: u64,
    /// By day: sales, those with a client id, with a session id, with UTM.
    sales_by_day: Vec<(i64, [u64; 4])>,
}

#[derive(Serialize, Deserialize)]
struct SourceV1<'a> {
    name: &'a str,
    count: u64,
    last_event_at: Option<i64>,
    refused: u64,
    refused_bytes: u64,
}

#[derive(Serialize, Deserialize)]
struct DestinationV1 {
    id: u16,
    by_state: [u64; 5],
}

/// As it is written.
pub fn encode(totals: &Totals) -> Vec<u8> {
    write(&TotalsRecord::V1(TotalsV1 {
        webhooks: totals.webhooks,
        sources: totals
            .sources
            .iter()
            .map(|(name, source)| SourceV1 {
                name,
                count: source.count,
                last_event_at: source.last_event_at.map(Timestamp::millis),
                refused: source.refused,
                refused_bytes: source.refused_bytes,
            })
            .collect(),
        destinations: totals
            .destinations
            .iter()
            .map(|(id, by_state)| DestinationV1 { id: id.0, by_state: *by_state })
            .collect(),
        ga4_with_client_id: totals.ga4_with_client_id,
        ga4_synthetic: totals.ga4_synthetic,
        odd_by_day: totals.odd.by_day.iter().map(|(day, count)| (*day, *count)).collect(),
        last_odd: totals.odd.last.map(|id| id.0),
        leads: totals.leads,
        sales_by_day: totals
            .sales
            .by_day
            .iter()
            .map(|(day, shares)| (*day, [shares.sales, shares.client_id, shares.session_id, shares.utm]))
            .collect(),
    }))
}

/// As it was.
///
/// # Errors
/// When the bytes are not a whole totals record of a known version.
pub fn decode(bytes: &[u8]) -> Result<Totals, RecordError> {
    read(bytes, |TotalsRecord::V1(v1)| {
        Ok(Totals {
            webhooks: v1.webhooks,
            sources: v1
                .sources
                .into_iter()
                .map(|source| {
                    let last_event_at = source.last_event_at.map(Timestamp::from_millis);
                    let SourceV1 { name, count, refused, refused_bytes, .. } = source;
                    (name.to_owned(), SourceTotals { count, last_event_at, refused, refused_bytes })
                })
                .collect(),
            destinations: v1
                .destinations
                .into_iter()
                .map(|counts| (DestinationId(counts.id), counts.by_state))
                .collect(),
            ga4_with_client_id: v1.ga4_with_client_id,
            ga4_synthetic: v1.ga4_synthetic,
            odd: OddTotals { by_day: v1.odd_by_day.into_iter().collect(), last: v1.last_odd.map(WebhookId) },
            leads: v1.leads,
            sales: SaleTotals {
                by_day: v1
                    .sales_by_day
                    .into_iter()
                    .map(|(day, [sales, client_id, session_id, utm])| {
                        (day, SaleShares { sales, client_id, session_id, utm })
                    })
                    .collect(),
            },
        })
    })
}
