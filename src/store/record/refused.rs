//! Refused requests on disk; their bodies lie in a table of their own ([`body`](crate::store::body)).

use serde::{Deserialize, Serialize};

use crate::model::envelope::Envelope;
use crate::model::refused::Refused;
use crate::model::secret::Secret;
use crate::model::time::Timestamp;

use super::{Record, RecordError, read, write};

#[derive(Serialize, Deserialize)]
enum RefusedRecord<'a> {
    #[serde(borrow)]
    V1(RefusedV1<'a>),
}

impl Record for RefusedRecord<'_> {
    const TABLE: &'static str = "refused request";
    const VERSIONS: u8 = 1;
}

#[derive(Serialize, Deserialize)]
struct RefusedV1<'a> {
    received_at: i64,
    address: &'a str,
    reason: &'a str,
    verdict: &'a str,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a [u8])>,
    event: Option<&'a str>,
    #[serde(borrow)]
    query: Option<&'a str>,
    body_bytes: u32,
}

/// As it is written; the key holds the source and the number.
pub fn encode(refused: &Refused) -> Vec<u8> {
    write(&RefusedRecord::V1(RefusedV1 {
        received_at: refused.received_at.millis(),
        address: &refused.address,
        reason: &refused.reason,
        verdict: &refused.verdict,
        headers: refused.envelope.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect(),
        event: refused.envelope.event.as_deref(),
        query: refused.query.as_ref().map(Secret::expose),
        body_bytes: refused.body_bytes,
    }))
}

/// As it was.
///
/// # Errors
/// When the bytes are not a whole record of a known version.
pub fn decode(source: &str, id: u64, bytes: &[u8]) -> Result<Refused, RecordError> {
    read(bytes, |RefusedRecord::V1(v1)| {
        Ok(Refused {
            id,
            source: source.to_owned(),
            received_at: Timestamp::from_millis(v1.received_at),
            address: v1.address.to_owned(),
            reason: v1.reason.to_owned(),
            verdict: v1.verdict.to_owned(),
            envelope: Envelope {
                headers: v1.headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect(),
                event: v1.event.map(str::to_owned),
            },
            query: v1.query.map(Secret::new),
            body_bytes: v1.body_bytes,
        })
    })
}
