//! A contact's standing with one contact destination, on disk.

use serde::{Deserialize, Serialize};

use crate::model::delivery::ContactSync;
use crate::model::id::{BusinessEventId, ContactId, DestinationId};
use crate::model::time::Timestamp;

use super::delivery::ScheduleV1;
use super::{Record, RecordError, owned, read, write};

#[derive(Serialize, Deserialize)]
enum ContactSyncRecord<'a> {
    #[serde(borrow)]
    V1(ContactSyncV1<'a>),
}

impl Record for ContactSyncRecord<'_> {
    const TABLE: &'static str = "contact sync";
    const VERSIONS: u8 = 1;
}

#[derive(Serialize, Deserialize)]
struct ContactSyncV1<'a> {
    pending: Vec<u64>,
    schedule: ScheduleV1,
    not_before: Option<i64>,
    waiting_since: i64,
    #[serde(borrow)]
    remote_id: Option<&'a str>,
    #[serde(borrow)]
    external_id: Option<&'a str>,
    #[serde(borrow)]
    left_over: Vec<&'a str>,
}

/// As it is written; the key holds destination and contact.
pub fn encode(sync: &ContactSync) -> Vec<u8> {
    write(&ContactSyncRecord::V1(ContactSyncV1 {
        pending: sync.pending.iter().map(|event| event.0).collect(),
        schedule: ScheduleV1::of(&sync.schedule),
        not_before: sync.not_before.map(Timestamp::millis),
        waiting_since: sync.waiting_since.millis(),
        remote_id: sync.remote_id.as_deref(),
        external_id: sync.external_id.as_deref(),
        left_over: sync.left_over.iter().map(String::as_str).collect(),
    }))
}

/// As it was.
///
/// # Errors
/// When the bytes are not a whole contact sync record of a known version.
pub fn decode(destination: DestinationId, contact: ContactId, bytes: &[u8]) -> Result<ContactSync, RecordError> {
    read(bytes, |ContactSyncRecord::V1(v1)| {
        Ok(ContactSync {
            destination,
            contact,
            pending: v1.pending.into_iter().map(BusinessEventId).collect(),
            schedule: v1.schedule.read(),
            not_before: v1.not_before.map(Timestamp::from_millis),
            waiting_since: Timestamp::from_millis(v1.waiting_since),
            remote_id: owned(v1.remote_id),
            external_id: owned(v1.external_id),
            left_over: v1.left_over.into_iter().map(str::to_owned).collect(),
        })
    })
}
