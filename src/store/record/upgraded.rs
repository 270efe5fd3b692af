//! The last upgrade of the store, under `upgraded` in the table `meta`.

use serde::{Deserialize, Serialize};

use super::{Record, RecordError, owned, read, write};
use crate::model::time::Timestamp;
use crate::store::upgrade::Upgraded;

#[derive(Serialize, Deserialize)]
enum UpgradedRecord<'a> {
    #[serde(borrow)]
    V1(UpgradedV1<'a>),
}

impl Record for UpgradedRecord<'_> {
    const TABLE: &'static str = "upgraded";
    const VERSIONS: u8 = 1;
}

#[derive(Serialize, Deserialize)]
struct UpgradedV1<'a> {
    from: u32,
    to: u32,
    at: i64,
    backup: Option<&'a str>,
}

/// As it is written.
pub fn encode(upgraded: &Upgraded) -> Vec<u8> {
    let Upgraded { from, to, at, backup } = upgraded;
    write(&UpgradedRecord::V1(UpgradedV1 { from: *from, to: *to, at: at.millis(), backup: backup.as_deref() }))
}

/// As it was.
///
/// # Errors
/// When the bytes are not a whole record of a known version.
pub fn decode(bytes: &[u8]) -> Result<Upgraded, RecordError> {
    read(bytes, |UpgradedRecord::V1(v1)| {
        Ok(Upgraded { from: v1.from, to: v1.to, at: Timestamp::from_millis(v1.at), backup: owned(v1.backup) })
    })
}
