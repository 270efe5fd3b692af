//! Brings a store of an older layout to today's: one step after the other, behind a backup.
//!
//! All steps are one transaction that ends with the new layout's number, so a crash or a failure at any point leaves the store as it
//! was, and the next start begins again: with the backup, because an older version may have gone on with the store meanwhile.

use std::io::{BufReader, Read, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Database, ReadableDatabase, ReadableTable, TableHandle, WriteTransaction};

use super::backup::{self, BackupError};
use super::error::StoreError;
use super::numbers::Numbers;
use super::open::begin_write;
use super::read::Snapshot;
use super::record;
use super::schema;
use crate::model::time::Timestamp;
use crate::platform::clock::{Clock, SystemClock};
use crate::platform::disk::{FreeDisk, SystemDisk};
use crate::platform::new_file::NewFile;

/// Changes a store's tables from one layout to the next, in the transaction it is given.
pub type Step = fn(&WriteTransaction) -> Result<(), StoreError>;

/// From layout 1 to 2, from 2 to 3, and so on. None yet: layout 1 is the first. `backup/catalogue.rs` needs the tables of each.
pub(super) const STEPS: &[Step] = &[];

/// Room in bytes that has to be left after the backup, for the steps themselves.
const ROOM_FOR_STEPS: u64 = 16 << 20;

/// How a store is brought up to date; given in, so that a test can have steps of its own.
#[derive(Clone, Copy)]
pub struct Upgrade<'a> {
    /// The step from layout 1 to 2, then that from 2 to 3, and so on.
    pub steps: &'a [Step],
    /// The time, for what is written down about it.
    pub clock: &'a dyn Clock,
    /// How much the disk still holds.
    pub disk: &'a dyn FreeDisk,
}

impl Default for Upgrade<'_> {
    fn default() -> Self {
        Self { steps: STEPS, clock: &SystemClock, disk: &SystemDisk }
    }
}

impl Upgrade<'_> {
    /// The layout behind the last step.
    fn newest(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// The last time that a store was brought up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgraded {
    /// The layout before.
    pub from: u32,
    /// The layout after.
    pub to: u32,
    /// When.
    pub at: Timestamp,
    /// The name of the backup that was made before, beside the store; none when a backup was being restored.
    pub backup: Option<String>,
}

/// Brings the layout up to date. A new file begins with every table. `keep` makes a backup of a layout and says its name.
pub(super) fn migrate(
    database: &Database,
    upgrade: &Upgrade<'_>,
    keep: impl FnOnce(u32) -> Result<Option<PathBuf>, StoreError>,
) -> Result<(), StoreError> {
    let newest = upgrade.newest();
    let txn = begin_write(database)?;
    let found = found_layout(&txn)?.unwrap_or(newest);
    if found > newest {
        return Err(StoreError::Newer { found, known: newest });
    }
    if found == newest {
        return make_tables(txn, newest);
    }
    txn.abort().map_err(StoreError::storage)?;

    let kept = keep(found)?;
    tracing::info!(from = found, to = newest, backup = ?kept, "the store's layout is brought up to date");
    take_steps(database, upgrade, found, kept.as_deref()).map_err(|cause| StoreError::Upgrade {
        from: found,
        to: newest,
        backup: kept.clone(),
        cause: Box::new(cause),
    })?;
    tracing::info!(from = found, to = newest, "the store's layout is up to date");
    make_tables(begin_write(database)?, newest)
}

fn take_steps(database: &Database, upgrade: &Upgrade<'_>, from: u32, kept: Option<&Path>) -> Result<(), StoreError> {
    let txn = begin_write(database)?;
    for step in upgrade.steps.iter().skip(usize::try_from(from).unwrap_or(usize::MAX).saturating_sub(1)) {
        // Dropping the transaction takes everything back.
        catch_unwind(AssertUnwindSafe(|| step(&txn))).unwrap_or_else(|_| {
            Err(StoreError::storage(redb::Error::Corrupted("a defect of tallyhook; see the line logged above".into())))
        })?;
    }
    {
        let mut meta = txn.open_table(schema::META).map_err(StoreError::storage)?;
        let to = upgrade.newest();
        meta.insert("schema_version", to.to_le_bytes().as_slice()).map_err(StoreError::storage)?;
        let backup = kept.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let upgraded = Upgraded { from, to, at: upgrade.clock.now(), backup };
        meta.insert("upgraded", record::upgraded::encode(&upgraded).as_slice()).map_err(StoreError::storage)?;
    }
    txn.commit().map_err(StoreError::storage)
}

fn make_tables(txn: WriteTransaction, layout: u32) -> Result<(), StoreError> {
    super::tables::Tables::open(&txn, &Numbers::default())?;
    txn.open_table(schema::TOMBSTONES).map_err(StoreError::storage)?;
    super::refused::RefusedTables::open(&txn)?;
    txn.open_table(schema::DESTINATIONS).map_err(StoreError::storage)?;
    txn.open_table(schema::META)
        .map_err(StoreError::storage)?
        .insert("schema_version", layout.to_le_bytes().as_slice())
        .map_err(StoreError::storage)?;
    txn.commit().map_err(StoreError::storage)
}

/// The layout in the file; none when the file is new. A redb file of somebody else's is left alone.
pub(super) fn found_layout(txn: &WriteTransaction) -> Result<Option<u32>, StoreError> {
    let mut tables = txn.list_tables().map_err(StoreError::storage)?.peekable();
    if tables.peek().is_none() {
        return Ok(None);
    }
    if !tables.any(|table| table.name() == "meta") {
        return Err(StoreError::NotAStore(PathBuf::new()));
    }
    let meta = match txn.open_table(schema::META) {
        Ok(meta) => meta,
        Err(redb::TableError::Storage(error)) => return Err(StoreError::storage(error)),
        Err(_) => return Err(StoreError::NotAStore(PathBuf::new())),
    };
    let version = meta.get("schema_version").map_err(StoreError::storage)?;
    let version = version.and_then(|bytes| Some(u32::from_le_bytes(bytes.value().try_into().ok()?)));
    version.map(Some).ok_or(StoreError::NotAStore(PathBuf::new()))
}

/// Makes the backup before an upgrade: beside the store, belonging to whom the store belongs to, read back before anything is
/// changed. It takes the place of one of the same layout, and is never deleted.
pub(super) fn keep_beside(
    database: &Database,
    store: &Path,
    layout: u32,
    upgrade: &Upgrade<'_>,
) -> Result<PathBuf, StoreError> {
    let name = store.file_name().unwrap_or_default().to_string_lossy();
    let path = store.with_file_name(format!("{name}.before-layout-{}.backup", layout + 1));
    let made = || -> Result<(), BackupError> {
        let snapshot = Snapshot { txn: database.begin_read().map_err(StoreError::storage)? };
        let needed = snapshot.page_bytes(layout)?.saturating_add(ROOM_FOR_STEPS);
        let free = upgrade.disk.free_bytes(store).map_err(BackupError::Write)?;
        if free < needed {
            let text = format!("it needs {} MiB, and {} MiB are free: make room", needed.div_ceil(1 << 20), free >> 20);
            return Err(BackupError::Write(std::io::Error::new(std::io::ErrorKind::StorageFull, text)));
        }
        let new = NewFile::begin(&path).map_err(BackupError::Write)?;
        if let Ok(owner) = std::fs::metadata(store) {
            new.belong_with(&owner).map_err(BackupError::Write)?;
        }
        backup::write_layout(&snapshot, layout, upgrade.clock.now(), &mut new.file())?;
        drop(snapshot);
        new.file().sync_all().and_then(|()| new.file().rewind()).map_err(BackupError::Write)?;
        backup::verify(&mut BufReader::with_capacity(1 << 16, new.file()) as &mut dyn Read)?;
        new.finish(true).map_err(BackupError::Write)
    };
    made().map_err(|error| StoreError::NoBackup {
        path: path.clone(),
        from: layout,
        to: upgrade.newest(),
        why: error.to_string(),
    })?;
    Ok(path)
}
