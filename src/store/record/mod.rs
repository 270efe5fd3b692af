//! What lies on disk: for each model type a record of its own, so that the models can change and old files still read.
//!
//! A record is an enum of its versions, written by postcard: a first byte 0 for `V1`, then the fields in order. The layout
//! of a version never changes once released: not the order of fields, not a type, not a code in `codes`. A new layout
//! is a new version, and all older ones stay readable. What stands in a table's key is not repeated in the value.
//!
//! Each record has a file with `encode(&Model) -> Vec<u8>` and `decode(key…, &[u8]) -> Result<Model, RecordError>`. One
//! type serves both ways: it borrows its texts, from the model when writing and from the page when reading.

use serde::{Deserialize, Serialize};

pub mod attempt;
mod attribution;
pub mod business_event;
mod codes;
pub mod contact;
pub mod contact_sync;
mod delivery;
mod details;
pub mod group;
mod happenings;
pub mod holder;
mod kind;
pub mod lead;
mod life;
mod money;
mod object;
mod person;
pub mod refused;
mod scope;
pub mod standing;
mod subject;
pub mod subscription;
mod tags;
#[cfg(test)]
mod tests;
pub mod totals;
pub mod upgraded;
pub mod webhook;

/// A versioned enum that lies on disk.
trait Record {
    /// What messages call it.
    const TABLE: &'static str;
    /// How many versions this program knows, `V1` and on.
    const VERSIONS: u8;
}

/// Room in bytes for most records, so that writing one takes one allocation.
const USUAL_BYTES: usize = 512;

// Postcard fails to write only sequences and texts of unknown length, and records are made of slices and strings.
#[allow(clippy::expect_used)]
fn write<R: Record + Serialize>(record: &R) -> Vec<u8> {
    postcard::to_extend(record, Vec::with_capacity(USUAL_BYTES)).expect("records have known lengths")
}

fn read<'a, R, M>(bytes: &'a [u8], build: impl FnOnce(R) -> Result<M, Fault>) -> Result<M, RecordError>
where
    R: Record + Deserialize<'a>,
{
    let read = || match bytes.first() {
        None => Err(Fault::Empty),
        Some(&version) if version >= R::VERSIONS => {
            Err(Fault::Newer { found: u16::from(version) + 1, known: R::VERSIONS })
        }
        Some(_) => match postcard::take_from_bytes(bytes)? {
            (record, []) => build(record),
            (_, rest) => Err(Fault::Trailing(rest.len())),
        },
    };
    read().map_err(|what| RecordError { table: R::TABLE, what })
}

/// A record can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a {table} record can't be read: {what}")]
pub struct RecordError {
    /// What kind of record.
    pub table: &'static str,
    /// What is wrong with it.
    pub what: Fault,
}

/// What is wrong with a record. Never carries a stored text, which could be personal data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There are no bytes.
    #[error("it is empty: check the disk and restore the store from a backup")]
    Empty,
    /// Its version is one that this program can't know.
    #[error(
        "it has version {found} and this program knows versions up to {known}: the file was written by a newer version \
         of Tallyhook; run that one, or restore a backup made by this one"
    )]
    Newer {
        /// Its version, counted from 1.
        found: u16,
        /// The newest known version.
        known: u8,
    },
    /// The bytes are not the fields of its version.
    #[error("its bytes make no sense ({0}): check the disk and restore the store from a backup")]
    Malformed(#[from] postcard::Error),
    /// Bytes follow after its last field.
    #[error("{0} bytes follow after its end: check the disk and restore the store from a backup")]
    Trailing(usize),
    /// A code stands for nothing.
    #[error("{code} is not a known {what}: the file was written by a newer version of Tallyhook, or is damaged")]
    UnknownCode {
        /// What the code should stand for.
        what: &'static str,
        /// The code.
        code: u8,
    },
    /// Three bytes that are no currency.
    #[error("it holds an amount without a valid currency: check the disk and restore the store from a backup")]
    NotACurrency,
}

/// A text that may be missing, taken over from the page.
fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}
