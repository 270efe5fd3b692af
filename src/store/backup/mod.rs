//! Backup: the books as one stream, as of one moment, and back.
//!
//! A backup is rows, not pages: it has no unused room, does not depend on redb's file format, and is made and read row by row, so
//! that books of any size need little memory. One read transaction gives the moment; the writer goes on meanwhile, and redb keeps
//! the pages that the reader still sees, so that the file grows a little while a backup of busy books takes long.

mod audit;
mod catalogue;
mod cell;
mod error;
mod rebuild;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{Read, Write};

use audit::Audit;
pub(in crate::store) use catalogue::AnyTable;
pub use error::BackupError;
pub use rebuild::rebuild;
pub use stream::Header;
use stream::{Decoder, Encoder, FORMAT, Kind};

use super::read::Snapshot;
use super::schema::SCHEMA_VERSION;
use crate::model::time::Timestamp;

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What it says of itself.
    pub header: Header,
    /// Its length in bytes.
    pub bytes: u64,
    /// Rows of each table.
    pub rows: BTreeMap<String, u64>,
    /// Deliveries in all, pending ones and those long done.
    pub deliveries: u64,
    /// What is wrong with the records in it, each in a sentence; what was wrong in the store is in the backup, too.
    pub faults: Vec<String>,
}

impl Summary {
    /// Rows of a table.
    pub fn count(&self, table: &str) -> u64 {
        self.rows.get(table).copied().unwrap_or(0)
    }
}

/// The tables of a layout; none when this program does not know it.
pub(super) fn tables(layout: u32) -> &'static [&'static dyn AnyTable] {
    catalogue::tables(layout).unwrap_or_default()
}

/// Writes the books of a snapshot as a backup. `now` goes into its header.
///
/// # Errors
/// When the store can't be read or `out` takes nothing more.
pub fn write(snapshot: &Snapshot, now: Timestamp, out: &mut dyn Write) -> Result<(), BackupError> {
    write_layout(snapshot, SCHEMA_VERSION, now, out)
}

/// Writes the books of a snapshot that has the tables of an older layout.
pub(super) fn write_layout(
    snapshot: &Snapshot,
    layout: u32,
    now: Timestamp,
    out: &mut dyn Write,
) -> Result<(), BackupError> {
    let program = env!("CARGO_PKG_VERSION").to_owned();
    let tables = catalogue::tables(layout).ok_or_else(|| BackupError::newer(layout, &program))?;
    let header = Header { format: FORMAT, layout, program, at: now };
    let mut encoder = Encoder::begin(out, &header).map_err(BackupError::Write)?;
    let mut counts = BTreeMap::new();
    for table in tables {
        encoder.block(Kind::Table, table.name().as_bytes()).map_err(BackupError::Write)?;
        let mut rows = 0;
        let is_there = table.read(&snapshot.txn, &mut |block, count| {
            rows += count;
            encoder.block(Kind::Rows, block).map_err(BackupError::Write)
        })?;
        if is_there {
            counts.insert(table.name(), rows);
        }
    }
    let counts = serde_json::to_vec(&counts).map_err(|error| BackupError::Write(error.into()))?;
    encoder.block(Kind::End, &counts).map_err(BackupError::Write)?;
    encoder.finish().map_err(BackupError::Write)
}

/// Reads a backup to its end: that it is whole, that nothing in it was changed, what is in it, and whether its records make sense.
///
/// # Errors
/// What is wrong with it.
pub fn verify(from: &mut dyn Read) -> Result<Summary, BackupError> {
    let mut audit = Audit::default();
    let mut summary = each_block(from, &mut |table, rows| table.audit(rows, &mut audit))?;
    summary.deliveries = audit.deliveries();
    summary.faults = audit.faults();
    Ok(summary)
}

/// Takes rows of a table, and says how many they are.
type TakeBlock<'a> = dyn FnMut(&'static dyn AnyTable, &[u8]) -> Result<u64, BackupError> + 'a;

/// Reads a backup to its end and hands over its rows, table by table; `take` says how many rows they were.
fn each_block(from: &mut dyn Read, take: &mut TakeBlock<'_>) -> Result<Summary, BackupError> {
    let (mut decoder, header) = Decoder::begin(from)?;
    let tables = catalogue::tables(header.layout).ok_or_else(|| BackupError::newer(header.layout, &header.program))?;
    let mut counts = BTreeMap::new();
    let mut table: Option<&'static dyn AnyTable> = None;
    let announced: BTreeMap<String, u64> = loop {
        match (decoder.next()?, table) {
            ((Kind::Table, name), _) => {
                let found = tables.iter().find(|table| table.name().as_bytes() == name);
                let found =
                    found.ok_or_else(|| BackupError::Nonsense("it has a table that its layout has not".into()))?;
                if counts.contains_key(found.name()) {
                    return Err(BackupError::Nonsense(format!("{} begins twice", found.name())));
                }
                counts.insert(found.name().to_owned(), 0);
                table = Some(*found);
            }
            ((Kind::Rows, rows), Some(table)) => {
                *counts.entry(table.name().to_owned()).or_default() += take(table, rows)?;
            }
            ((Kind::End, announced), _) => {
                break serde_json::from_slice(announced)
                    .map_err(|_| BackupError::Nonsense("its end can't be read".into()))?;
            }
            ((Kind::Rows, _), None) => return Err(BackupError::Nonsense("rows stand before any table".into())),
            ((Kind::Header, _), _) => return Err(BackupError::Nonsense("it begins twice".into())),
        }
    };
    decoder.end()?;
    if announced.iter().any(|(name, rows)| counts.get(name).is_none_or(|counted| counted != rows)) {
        return Err(BackupError::Nonsense("its counts are not those of its rows".into()));
    }
    Ok(Summary { header, bytes: decoder.at, rows: counts, deliveries: 0, faults: Vec::new() })
}
