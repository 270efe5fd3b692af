//! A store made anew from a backup.

use std::fs::File;
use std::io::Read;

use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase};

use super::audit::Audit;
use super::{AnyTable, BackupError, Summary, catalogue, each_block};
use crate::ledger::books::Books;
use crate::model::delivery::State;
use crate::model::id::{BusinessEventId, ContactId, DestinationId};
use crate::store::open::begin_write;
use crate::store::read::Snapshot;
use crate::store::schema::{self, SCHEMA_VERSION};
use crate::store::upgrade::{self, Upgrade};

/// Bytes of rows in one transaction: so much has to fit into the cache.
const COMMIT_BYTES: usize = 32 << 20;
/// The most faults of one kind that are told.
const MOST_TOLD: usize = 3;

/// Makes a store of a backup in an empty file, brings it to this program's layout, and reads all of it back: every record, every
/// count, and of each row of a queue whether what it stands for is there. The file holds a whole store when this returns.
///
/// # Errors
/// What is wrong with the backup, or why the file can't be written. What the file holds then is worth nothing.
pub fn rebuild(from: &mut dyn Read, file: File, cache: usize) -> Result<Summary, BackupError> {
    let backend = FileBackend::new(file).map_err(BackupError::storage)?;
    let mut builder = Database::builder();
    builder.set_cache_size(cache);
    let database = builder.create_with_backend(backend).map_err(BackupError::storage)?;
    let mut summary = fill(&database, from)?;
    let upgrade = Upgrade::default();
    // The backup that is read is the one to go back to.
    upgrade::migrate(&database, &upgrade, |_| Ok(None))?;

    let snapshot = Snapshot { txn: database.begin_read().map_err(BackupError::storage)? };
    let mut audit = Audit::default();
    for table in catalogue::tables(SCHEMA_VERSION).unwrap_or_default() {
        let mut rows = 0;
        table.read(&snapshot.txn, &mut |block, _| {
            rows += table.audit(block, &mut audit)?;
            Ok(())
        })?;
        let expected = summary.count(table.name());
        if summary.header.layout == SCHEMA_VERSION && table.name() != "meta" && rows != expected {
            return Err(BackupError::Nonsense(format!("{} holds rows with the same key", table.name())));
        }
    }
    summary.deliveries = audit.deliveries();
    summary.faults = audit.faults();
    if summary.faults.is_empty() {
        summary.faults = stray_rows(&snapshot)?;
    }
    drop(snapshot);
    database.close().map_err(BackupError::storage)?;
    Ok(summary)
}

fn fill(database: &Database, from: &mut dyn Read) -> Result<Summary, BackupError> {
    let mut txn = Some(begin_write(database)?);
    let mut waiting = 0;
    let summary = each_block(from, &mut |table: &'static dyn AnyTable, rows| {
        let open = match txn.take() {
            Some(open) => open,
            None => begin_write(database)?,
        };
        let count = table.write(&open, rows)?;
        waiting += rows.len();
        if waiting >= COMMIT_BYTES {
            open.commit().map_err(BackupError::storage)?;
            waiting = 0;
        } else {
            txn = Some(open);
        }
        Ok(count)
    })?;
    let txn = match txn.take() {
        Some(open) => open,
        None => begin_write(database)?,
    };
    for table in catalogue::tables(summary.header.layout).unwrap_or_default() {
        table.make(&txn)?;
    }
    if upgrade::found_layout(&txn)? != Some(summary.header.layout) {
        return Err(BackupError::Nonsense("its layout is not the one that its rows tell".into()));
    }
    txn.commit().map_err(BackupError::storage)?;
    Ok(summary)
}

/// Rows of a queue behind which nothing stands that waits there.
fn stray_rows(snapshot: &Snapshot) -> Result<Vec<String>, BackupError> {
    let mut faults = Vec::new();
    let unread = |error| BackupError::Nonsense(format!("a record can't be found: {error}"));
    for row in snapshot.table(schema::DUE)?.range::<(u16, i64, u64)>(..).map_err(BackupError::storage)? {
        let (destination, at, target) = row.map_err(BackupError::storage)?.0.value();
        let id = DestinationId(destination);
        let event = snapshot.business_event(BusinessEventId(target)).map_err(unread)?;
        let is_of_event = event.is_some_and(|event| {
            event.deliveries.iter().any(|delivery| {
                let waits =
                    delivery.state == State::Pending && !delivery.schedule.settling && delivery.frozen.is_some();
                delivery.destination == id && waits && delivery.schedule.due_at.millis() == at
            })
        });
        let is_of_contact = || {
            let sync = snapshot.contact_sync(id, ContactId(target)).map_err(unread)?;
            Ok::<_, BackupError>(
                sync.is_some_and(|sync| !sync.pending.is_empty() && sync.schedule.due_at.millis() == at),
            )
        };
        if !is_of_event && !is_of_contact()? && faults.len() < MOST_TOLD {
            faults
                .push(format!("nothing stands behind a row in the due queue of destination {destination} ({target})"));
        }
    }
    for row in snapshot.table(schema::FAILED)?.range::<(u16, u64)>(..).map_err(BackupError::storage)? {
        let (destination, event) = row.map_err(BackupError::storage)?.0.value();
        let found = snapshot.business_event(BusinessEventId(event)).map_err(unread)?;
        let is_failed = found.is_some_and(|event| {
            event
                .deliveries
                .iter()
                .any(|delivery| delivery.destination.0 == destination && matches!(delivery.state, State::Failed { .. }))
        });
        if !is_failed && faults.len() < 2 * MOST_TOLD {
            faults.push(format!("no failed delivery stands behind b{event}.{destination} in the failed queue"));
        }
    }
    Ok(faults)
}
