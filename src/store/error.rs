//! What can go wrong with the store.

use std::path::PathBuf;

use crate::ledger::books::BooksError;

/// The store can't be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk, or redb below us. After one of these nothing is acknowledged until the file is opened again.
    #[error("the store failed: {0}")]
    Storage(#[from] Box<redb::Error>),
    /// Somebody else has the file open.
    #[error("{0} is in use by another tallyhook; ask the running one (its admin socket) or stop it first")]
    InUse(PathBuf),
    /// The file was written by a newer version.
    #[error(
        "the store was written by a newer version of tallyhook (layout {found}, this one knows {known}); install that \
         version again; or move the store away and `tallyhook restore` a backup that this version can read: your own, or the one \
         that the upgrade made beside the store, whose name ends in before-layout-{next}.backup",
        next = .known + 1
    )]
    Newer {
        /// The layout in the file.
        found: u32,
        /// The newest layout that this program knows.
        known: u32,
    },
    /// The layout of an older version could not be brought up to date.
    #[error(
        "the store could not be brought from layout {from} to {to}: {cause}; it is unchanged, of layout {from}, and the version that \
         wrote it can go on with it{}",
        .backup.as_ref().map_or_else(String::new, |path| format!("; a backup of it is {}", path.display()))
    )]
    Upgrade {
        /// The layout before, and still.
        from: u32,
        /// The layout that it was to have.
        to: u32,
        /// The backup that was made before.
        backup: Option<PathBuf>,
        /// What failed.
        cause: Box<StoreError>,
    },
    /// No backup could be made before the layout is brought up to date.
    #[error(
        "the store has to be brought from layout {from} to {to}, and the backup before that, {path}, could not be made: {why}; \
         nothing was changed"
    )]
    NoBackup {
        /// Where it was to be.
        path: PathBuf,
        /// The layout before, and still.
        from: u32,
        /// The layout that the store was to have.
        to: u32,
        /// What failed.
        why: String,
    },
    /// The folder can't be made or the file can't be reached.
    #[error(
        "{path} can't be used: {cause}; check that the folder exists, has room, and belongs to the user tallyhook runs as; a service of systemd \
         writes outside /var/lib/tallyhook only where ReadWritePaths= lets it (systemctl edit tallyhook)"
    )]
    Path {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file is something else.
    #[error(
        "{0} is not a tallyhook store, and is left as it is; give store.path a file of its own, or restore a backup if it was \
         one"
    )]
    NotAStore(PathBuf),
    /// The file was changed by something other than tallyhook, or the disk lost part of it.
    #[error("{path} is damaged: {what}; check the disk, keep a copy of the file, and restore a backup")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Every number that a destination can have was given out.
    #[error("65535 names of destinations were used in this store, and a number is never given again")]
    TooManyDestinations,
    /// A record can't be understood.
    #[error(transparent)]
    Record(#[from] super::record::RecordError),
}

impl StoreError {
    pub(super) fn storage(error: impl Into<redb::Error>) -> Self {
        Self::Storage(Box::new(error.into()))
    }

    /// A failure of the storage that came by way of the ledger, as text.
    pub(super) fn reading(error: String) -> Self {
        Self::storage(redb::Error::Io(std::io::Error::other(error)))
    }
}

impl From<StoreError> for BooksError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Record(error) => Self::Record(error.to_string()),
            other => Self::Storage(other.to_string()),
        }
    }
}

/// Why a command was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The storage failed; the process is about to end.
    #[error("the store failed: {0}")]
    Failed(String),
    /// Too much is waiting to be written.
    #[error("more is waiting to be written than may wait")]
    Overloaded,
    /// The writer has stopped.
    #[error("tallyhook is stopping")]
    Stopped,
}
