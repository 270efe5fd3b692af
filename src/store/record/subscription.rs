//! What a subscription has been billed, on disk.

use serde::{Deserialize, Serialize};

use crate::model::group::{BilledInvoice, SubscriptionHistory};
use crate::model::id::GroupId;
use crate::model::time::Timestamp;

use super::{Record, RecordError, read, write};

#[derive(Serialize, Deserialize)]
enum SubscriptionRecord<'a> {
    #[serde(borrow)]
    V1(SubscriptionV1<'a>),
}

impl Record for SubscriptionRecord<'_> {
    const TABLE: &'static str = "subscription";
    const VERSIONS: u8 = 1;
}

#[derive(Serialize, Deserialize)]
struct SubscriptionV1<'a> {
    #[serde(borrow)]
    first_paid: Option<InvoiceV1<'a>>,
    started_free: bool,
    renewed: bool,
}

#[derive(Serialize, Deserialize)]
struct InvoiceV1<'a> {
    at: i64,
    invoice: &'a str,
    group: u64,
}

/// As it is written.
pub fn encode(history: &SubscriptionHistory) -> Vec<u8> {
    write(&SubscriptionRecord::V1(SubscriptionV1 {
        first_paid: history.first_paid.as_ref().map(|first| InvoiceV1 {
            at: first.at.millis(),
            invoice: &first.invoice,
            group: first.group.0,
        }),
        started_free: history.started_free,
        renewed: history.renewed,
    }))
}

/// As it was.
///
/// # Errors
/// When the bytes are not a whole subscription record of a known version.
pub fn decode(bytes: &[u8]) -> Result<SubscriptionHistory, RecordError> {
    read(bytes, |SubscriptionRecord::V1(v1)| {
        Ok(SubscriptionHistory {
            first_paid: v1.first_paid.map(|first| BilledInvoice {
                at: Timestamp::from_millis(first.at),
                invoice: first.invoice.to_owned(),
                group: GroupId(first.group),
            }),
            started_free: v1.started_free,
            renewed: v1.renewed,
        })
    })
}
