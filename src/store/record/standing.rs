//! What a destination as a whole is doing, on disk.

use serde::{Deserialize, Serialize};

use crate::model::breaker::{Breaker, Open};
use crate::model::delivery::{Held, Standing};
use crate::model::time::Timestamp;

use super::{Record, RecordError, read, write};

#[derive(Serialize, Deserialize)]
enum StandingRecord<'a> {
    #[serde(borrow)]
    V1(StandingV1<'a>),
}

impl Record for StandingRecord<'_> {
    const TABLE: &'static str = "standing";
    const VERSIONS: u8 = 1;
}

#[derive(Serialize, Deserialize)]
struct StandingV1<'a> {
    paused: bool,
    #[serde(borrow)]
    held: Option<HeldV1<'a>>,
    not_before: Option<i64>,
    breaker: Option<OpenV1>,
}

#[derive(Serialize, Deserialize)]
struct HeldV1<'a> {
    since: i64,
    explanation: &'a str,
    probe_at: i64,
    probes: u16,
}

#[derive(Serialize, Deserialize)]
struct OpenV1 {
    since: i64,
    probe_at: i64,
    probes: u16,
}

/// As it is written. Of a breaker only that it is open: the recent results of a closed one are not worth a write each.
pub fn encode(standing: &Standing) -> Vec<u8> {
    write(&StandingRecord::V1(StandingV1 {
        paused: standing.paused,
        held: standing.held.as_ref().map(HeldV1::of),
        not_before: standing.not_before.map(Timestamp::millis),
        breaker: standing.breaker.open().map(OpenV1::of),
    }))
}

/// As it was, with a breaker that remembers no results.
///
/// # Errors
/// When the bytes are not a whole standing record of a known version.
pub fn decode(bytes: &[u8]) -> Result<Standing, RecordError> {
    read(bytes, |StandingRecord::V1(v1)| {
        Ok(Standing {
            paused: v1.paused,
            held: v1.held.map(HeldV1::read),
            not_before: v1.not_before.map(Timestamp::from_millis),
            breaker: Breaker::reopened(v1.breaker.map(OpenV1::read)),
        })
    })
}

impl<'a> HeldV1<'a> {
    fn of(held: &'a Held) -> Self {
        Self {
            since: held.since.millis(),
            explanation: &held.explanation,
            probe_at: held.probe_at.millis(),
            probes: held.probes,
        }
    }

    fn read(self) -> Held {
        Held {
            since: Timestamp::from_millis(self.since),
            explanation: self.explanation.to_owned(),
            probe_at: Timestamp::from_millis(self.probe_at),
            probes: self.probes,
        }
    }
}

impl OpenV1 {
    fn of(open: Open) -> Self {
        Self { since: open.since.millis(), probe_at: open.probe_at.millis(), probes: open.probes }
    }

    fn read(self) -> Open {
        Open {
            since: Timestamp::from_millis(self.since),
            probe_at: Timestamp::from_millis(self.probe_at),
            probes: self.probes,
        }
    }
}
