//! Opens the file, or makes it: lock, layout, tables, and a first write to see that writing works.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageBackend};

use super::error::StoreError;
use super::numbers::Numbers;
use super::read::StoreReader;
use super::schema::{self, SCHEMA_VERSION};
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
    /// When somebody else has it open, it was written by a newer version, or the disk fails.
    pub fn open(settings: &StoreSettings, destinations: &[String]) -> Result<Opened, StoreError> {
        if let Some(folder) = settings.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|cause| StoreError::Path { path: folder.to_owned(), cause })?;
        }
        let mut builder = Database::builder();
        builder.set_cache_size(settings.cache);
        let database = builder.create(&settings.path).map_err(|error| at_path(error, &settings.path))?;
        owner_only(&settings.path)?;
        Self::prepare(database, destinations)
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
        let mut builder = Database::builder();
        builder.set_cache_size(cache);
        let database = builder.create_with_backend(backend).map_err(StoreError::storage)?;
        Self::prepare(database, destinations)
    }

    fn prepare(database: Database, destinations: &[String]) -> Result<Opened, StoreError> {
        migrate(&database)?;
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

    pub(super) fn numbers(&self) -> Result<Numbers, StoreError> {
        let txn = self.database.begin_read().map_err(StoreError::storage)?;
        let meta = txn.open_table(schema::META).map_err(StoreError::storage)?;
        let found = meta.get("numbers").map_err(StoreError::storage)?;
        found.map_or_else(|| Ok(Numbers::default()), |bytes| Numbers::decode(bytes.value()))
    }
}

fn at_path(error: DatabaseError, path: &Path) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(path.to_owned()),
        DatabaseError::Storage(redb::StorageError::Io(cause)) => StoreError::Path { path: path.to_owned(), cause },
        other => StoreError::storage(other),
    }
}

/// The file holds personal data: nobody but its owner reads it.
fn owner_only(path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .map_err(|cause| StoreError::Path { path: path.to_owned(), cause })
}

/// Brings the layout up to date, one step a transaction. A new file begins with every table.
fn migrate(database: &Database) -> Result<(), StoreError> {
    let mut txn = database.begin_write().map_err(StoreError::storage)?;
    txn.set_quick_repair(true);
    {
        let found = {
            let meta = txn.open_table(schema::META).map_err(StoreError::storage)?;
            let version = meta.get("schema_version").map_err(StoreError::storage)?.map(|bytes| {
                let mut four = [0; 4];
                let bytes = bytes.value();
                four[..bytes.len().min(4)].copy_from_slice(&bytes[..bytes.len().min(4)]);
                u32::from_le_bytes(four)
            });
            version.unwrap_or(SCHEMA_VERSION)
        };
        if found > SCHEMA_VERSION {
            return Err(StoreError::Newer { found, known: SCHEMA_VERSION });
        }
        super::tables::Tables::open(&txn, Numbers::default().next)?;
        txn.open_table(schema::DESTINATIONS).map_err(StoreError::storage)?;
        let mut meta = txn.open_table(schema::META).map_err(StoreError::storage)?;
        meta.insert("schema_version", SCHEMA_VERSION.to_le_bytes().as_slice()).map_err(StoreError::storage)?;
    }
    txn.commit().map_err(StoreError::storage)
}

fn name_destinations(database: &Database, names: &[String]) -> Result<Vec<DestinationId>, StoreError> {
    let mut txn = database.begin_write().map_err(StoreError::storage)?;
    txn.set_quick_repair(true);
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
                    highest += 1;
                    table.insert(name.as_str(), highest).map_err(StoreError::storage)?;
                    highest
                }
            };
            numbers.push(DestinationId(number));
        }
        numbers
    };
    txn.commit().map_err(StoreError::storage)?;
    Ok(numbers)
}
