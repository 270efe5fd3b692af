//! Who holds an identity, on disk.

use serde::{Deserialize, Serialize};

use crate::model::id::ContactId;
use crate::model::identity::Holder;

use super::{Record, RecordError, read, write};

#[derive(Serialize, Deserialize)]
enum HolderRecord {
    V1(HolderV1),
}

impl Record for HolderRecord {
    const TABLE: &'static str = "identity";
    const VERSIONS: u8 = 1;
}

/// A [`Holder`]. The order of its variants is part of the format.
#[derive(Serialize, Deserialize)]
enum HolderV1 {
    Contact(u64),
    Shared,
    Lead(u64),
}

/// As it is written.
pub fn encode(holder: Holder) -> Vec<u8> {
    write(&HolderRecord::V1(match holder {
        Holder::Contact(contact) => HolderV1::Contact(contact.0),
        Holder::Shared => HolderV1::Shared,
        Holder::Lead(contact) => HolderV1::Lead(contact.0),
    }))
}

/// As it was.
///
/// # Errors
/// When the bytes are not a whole identity record of a known version.
pub fn decode(bytes: &[u8]) -> Result<Holder, RecordError> {
    read(bytes, |HolderRecord::V1(v1)| {
        Ok(match v1 {
            HolderV1::Contact(contact) => Holder::Contact(ContactId(contact)),
            HolderV1::Shared => Holder::Shared,
            HolderV1::Lead(contact) => Holder::Lead(ContactId(contact)),
        })
    })
}
