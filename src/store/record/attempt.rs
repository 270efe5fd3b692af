//! Attempts on disk.

use serde::{Deserialize, Serialize};

use crate::model::delivery::Attempt;
use crate::model::time::Timestamp;

use super::{Record, RecordError, read, write};

#[derive(Serialize, Deserialize)]
enum AttemptRecord<'a> {
    #[serde(borrow)]
    V1(AttemptV1<'a>),
}

impl Record for AttemptRecord<'_> {
    const TABLE: &'static str = "attempt";
    const VERSIONS: u8 = 1;
}

#[derive(Serialize, Deserialize)]
struct AttemptV1<'a> {
    at: i64,
    took_ms: u32,
    generation: u16,
    sent: &'a str,
    status: Option<u16>,
    outcome: &'a str,
    excerpt: &'a str,
}

/// As it is written.
pub fn encode(attempt: &Attempt) -> Vec<u8> {
    write(&AttemptRecord::V1(AttemptV1 {
        at: attempt.at.millis(),
        took_ms: attempt.took_ms,
        generation: attempt.generation,
        sent: &attempt.sent,
        status: attempt.status,
        outcome: &attempt.outcome,
        excerpt: &attempt.excerpt,
    }))
}

/// As it was.
///
/// # Errors
/// When the bytes are not a whole attempt record of a known version.
pub fn decode(bytes: &[u8]) -> Result<Attempt, RecordError> {
    read(bytes, |AttemptRecord::V1(v1)| {
        Ok(Attempt {
            at: Timestamp::from_millis(v1.at),
            took_ms: v1.took_ms,
            generation: v1.generation,
            sent: v1.sent.to_owned(),
            status: v1.status,
            outcome: v1.outcome.to_owned(),
            excerpt: v1.excerpt.to_owned(),
        })
    })
}
