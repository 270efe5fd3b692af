//! What can be wrong with a backup.

use std::io;

use crate::store::error::StoreError;
use crate::store::schema::SCHEMA_VERSION;

/// A backup can't be made or taken. The messages go on after the name of the file: "FILE: it is …".
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is packed.
    #[error("it is packed with {by}: unpack it first, with {with}")]
    Packed {
        /// What packed it.
        by: &'static str,
        /// What unpacks it.
        with: &'static str,
    },
    /// It is encrypted.
    #[error("it is encrypted: decrypt it first")]
    Encrypted,
    /// It is a store.
    #[error(
        "it is a store itself and not a backup of one; if it was copied while nothing ran, put it in the store's place, owned by the \
         user that tallyhook runs as"
    )]
    IsAStore,
    /// It is something else.
    #[error("it is no backup that `tallyhook backup` made")]
    NotABackup,
    /// The stream is written in a way that came later.
    #[error(
        "it was made by a newer version of tallyhook ({program}), in a form that this one can't read: use that version"
    )]
    NewerFormat {
        /// The version that wrote it.
        program: String,
    },
    /// The books in it have a layout that came later.
    #[error(
        "it was made by a newer version of tallyhook ({program}; layout {found}, this one knows {known}): use that version, or an older \
         backup"
    )]
    NewerLayout {
        /// The layout in it.
        found: u32,
        /// The newest layout that this program knows.
        known: u32,
        /// The version that wrote it.
        program: String,
    },
    /// The end is missing.
    #[error("it is cut short or damaged: it ends after {at} bytes, before it is whole")]
    CutShort {
        /// How many bytes are there.
        at: u64,
    },
    /// A part of it is not what was written.
    #[error("it is damaged: what stands from byte {at} on is not what was written")]
    Damaged {
        /// Where the part begins.
        at: u64,
    },
    /// There is more than a backup.
    #[error("something follows after its end: it is not, or not only, what `tallyhook backup` wrote")]
    Trailing,
    /// It proves itself, but what is in it can't be.
    #[error(
        "what is in it makes no sense ({0}): it was not written by `tallyhook backup`, or by a version with a defect"
    )]
    Nonsense(String),
    /// It can't be read.
    #[error("it can't be read: {0}")]
    Read(#[source] io::Error),
    /// It can't be written.
    #[error("it can't be written: {0}")]
    Write(#[source] io::Error),
    /// The store that is read or made fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BackupError {
    pub(super) fn newer(found: u32, program: &str) -> Self {
        Self::NewerLayout { found, known: SCHEMA_VERSION, program: program.to_owned() }
    }

    pub(super) fn storage(error: impl Into<redb::Error>) -> Self {
        Self::Store(StoreError::storage(error))
    }
}
