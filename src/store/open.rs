//! Opens the store, or makes it: layout, tables, a first write to see that writing works, and each destination's number.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend};
use redb::{TableDefinition, WriteTransaction};

use super::error::StoreError;
use super::file;
use super::numbers::Numbers;
use super::read::StoreReader;
use super::schema;
use super::tombstones;
use super::upgrade::{self, Upgrade};
use crate::model::id::DestinationId;

/// Where the store is and how it is held.
#[derive(Clone, Debug)]
pub struct StoreSettings {
    /// The redb file.
    pub path: PathBuf,
    /// redb's page cache, in bytes.
    pub cache: usize,
}

/// An open store: the only one in the world for this file.
pub struct Store {
    pub(super) database: Arc<Database>,
}

/// A store with what was in it.
pub struct Opened {
    /// The store.
    pub store: Store,
    /// The numbers of the given destination names, in their order.
    pub destinations: Vec<DestinationId>,
}

impl Store {
    /// Opens the file or makes it, brings its layout up to date, and gives each destination name its number.
    ///
    /// # Errors
    /// When somebody else has it open, it is no store or a damaged one, it was written by a newer version, or the disk fails.
    pub fn open(settings: &StoreSettings, destinations: &[String]) -> Result<Opened, StoreError> {
        Self::open_upgrading(settings, destinations, &Upgrade::default())
    }

    /// Opens with an upgrade of one's own, for tests.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_upgrading(
        settings: &StoreSettings,
        destinations: &[String],
        upgrade: &Upgrade<'_>,
    ) -> Result<Opened, StoreError> {
        let file = file::open(&settings.path)?;
        let backend = FileBackend::new(file).map_err(|error| file::at_path(error, &settings.path))?;
        let open = || {
            let database = database(backend, settings.cache).map_err(|error| file::at_path(error, &settings.path))?;
            let opened = Self::prepare(database, &settings.path, destinations, upgrade)?;
            file::keep_from_others(&settings.path)?;
            Ok(opened)
        };
        // redb trusts what it wrote, so a file that was damaged behind its back can make it panic.
        match catch_unwind(AssertUnwindSafe(open)) {
            Ok(Err(StoreError::NotAStore(_))) => Err(StoreError::NotAStore(settings.path.clone())),
            Ok(Err(StoreError::Storage(error))) => Err(file::while_opening(*error, &settings.path)),
            Ok(opened) => opened,
            Err(_) => {
                let what = "redb could make no sense of it; see the line logged above".to_owned();
                Err(StoreError::Damaged { path: settings.path.clone(), what })
            }
        }
    }

    /// Opens a store that must be there already.
    ///
    /// # Errors
    /// As [`Store::open`], and when there is no file.
    pub fn open_existing(settings: &StoreSettings, destinations: &[String]) -> Result<Opened, StoreError> {
        match std::fs::metadata(&settings.path) {
            Ok(_) => Self::open(settings, destinations),
            Err(cause) => Err(StoreError::Path { path: settings.path.clone(), cause }),
        }
    }

    /// Opens over any storage, for tests that break it.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with_backend(
        backend: impl StorageBackend,
        cache: usize,
        destinations: &[String],
    ) -> Result<Opened, StoreError> {
        let settings = StoreSettings { path: PathBuf::from("in-memory"), cache };
        Self::open_backend_upgrading(backend, &settings, destinations, &Upgrade::default())
    }

    /// Opens over any storage with an upgrade of one's own, for tests. Backups go beside where the file would be.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_backend_upgrading(
        backend: impl StorageBackend,
        settings: &StoreSettings,
        destinations: &[String],
        upgrade: &Upgrade<'_>,
    ) -> Result<Opened, StoreError> {
        file::begin_again_if_unfinished(&backend)
            .map_err(|cause| StoreError::storage(redb::StorageError::Io(cause)))?;
        let database = database(backend, settings.cache).map_err(StoreError::storage)?;
        Self::prepare(database, &settings.path, destinations, upgrade)
    }

    fn prepare(
        database: Database,
        path: &Path,
        destinations: &[String],
        upgrade: &Upgrade<'_>,
    ) -> Result<Opened, StoreError> {
        upgrade::migrate(&database, upgrade, |layout| {
            upgrade::keep_beside(&database, path, layout, upgrade).map(Some)
        })?;
        let numbers = name_destinations(&database, destinations)?;
        Ok(Opened { store: Self { database: Arc::new(database) }, destinations: numbers })
    }

    /// A reader, for any thread.
    pub fn reader(&self) -> StoreReader {
        StoreReader::new(Arc::clone(&self.database))
    }

    /// Gives each destination name its number, new names new ones.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn name_destinations(&self, names: &[String]) -> Result<Vec<DestinationId>, StoreError> {
        name_destinations(&self.database, names)
    }

    /// The running numbers, never lower than what the tables hold: a number that is given out twice would overwrite a record.
    pub(super) fn numbers(&self) -> Result<Numbers, StoreError> {
        let txn = self.database.begin_read().map_err(StoreError::storage)?;
        let meta = txn.open_table(schema::META).map_err(StoreError::storage)?;
        let found = meta.get("numbers").map_err(StoreError::storage)?;
        let mut numbers = found.map_or_else(|| Ok(Numbers::default()), |bytes| Numbers::decode(bytes.value()))?;
        numbers.install_key = tombstones::install_key(&meta)?;
        let after_last = |definition: TableDefinition<'_, u64, schema::Bytes>| {
            let table = txn.open_table(definition).map_err(StoreError::storage)?;
            let last = table.last().map_err(StoreError::storage)?;
            Ok::<u64, StoreError>(last.map_or(0, |(key, _)| key.value().saturating_add(1)))
        };
        let next = &mut numbers.next;
        next.webhook = next.webhook.max(after_last(schema::WEBHOOKS)?);
        next.group = next.group.max(after_last(schema::GROUPS)?);
        next.contact = next.contact.max(after_last(schema::CONTACTS)?);
        next.business_event = next.business_event.max(after_last(schema::BUSINESS_EVENTS)?);
        Ok(numbers)
    }
}

fn database(backend: impl StorageBackend, cache: usize) -> Result<Database, DatabaseError> {
    let mut builder = Database::builder();
    builder.set_cache_size(cache);
    builder.create_with_backend(backend)
}

/// A transaction that is on disk when its commit returns. With two phases and the allocator's state in each, so that a file
/// opens at once after a crash, however large, and no half-written page can be taken for a whole one.
pub(super) fn begin_write(database: &Database) -> Result<WriteTransaction, StoreError> {
    let mut txn = database.begin_write().map_err(StoreError::storage)?;
    txn.set_quick_repair(true);
    Ok(txn)
}

fn name_destinations(database: &Database, names: &[String]) -> Result<Vec<DestinationId>, StoreError> {
    let txn = begin_write(database)?;
    let mut news = false;
    let numbers = {
        let mut table = txn.open_table(schema::DESTINATIONS).map_err(StoreError::storage)?;
        let mut highest = 0;
        for row in table.iter().map_err(StoreError::storage)? {
            highest = highest.max(row.map_err(StoreError::storage)?.1.value());
        }
        let mut numbers = Vec::with_capacity(names.len());
        for name in names {
            let known = table.get(name.as_str()).map_err(StoreError::storage)?.map(|found| found.value());
            let number = match known {
                Some(number) => number,
                None => {
                    highest = highest.checked_add(1).ok_or(StoreError::TooManyDestinations)?;
                    table.insert(name.as_str(), highest).map_err(StoreError::storage)?;
                    news = true;
                    highest
                }
            };
            numbers.push(DestinationId(number));
        }
        numbers
    };
    if news {
        txn.commit().map_err(StoreError::storage)?;
    } else {
        txn.abort().map_err(StoreError::storage)?;
    }
    Ok(numbers)
}
