//! The store's file as the system sees it: its folder, who may read it, whether it was ever finished, and what redb's errors
//! mean for it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use redb::backends::FileBackend;
use redb::{DatabaseError, StorageBackend, StorageError};

use super::error::StoreError;
use crate::platform::new_file::{folder_of, sync_folder};

/// Opens the file, or makes it and its folder. A new one is its owner's alone.
pub(super) fn open(path: &Path) -> Result<File, StoreError> {
    let at = |cause| StoreError::Path { path: path.to_owned(), cause };
    let folder = folder_of(path);
    make_folder(folder).map_err(|cause| StoreError::Path { path: folder.to_owned(), cause })?;
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(at)?;
    // Held only for the look: redb takes its own lock on the same file right after, and knows what to do where there is none.
    match file.try_lock() {
        Ok(()) => {
            let backend = FileBackend::new(file.try_clone().map_err(at)?).map_err(|error| at_path(error, path))?;
            begin_again_if_unfinished(&backend).map_err(at)?;
            file.unlock().map_err(at)?;
        }
        Err(TryLockError::WouldBlock) => return Err(StoreError::InUse(path.to_owned())),
        Err(TryLockError::Error(_)) => {}
    }
    sync_folder(folder).map_err(at)?;
    Ok(file)
}

/// The file holds personal data: nobody but its owner reads it, also when it was made or restored with wider permissions.
pub(super) fn keep_from_others(path: &Path) -> Result<(), StoreError> {
    let at = |cause| StoreError::Path { path: path.to_owned(), cause };
    let mut permissions = std::fs::metadata(path).map_err(at)?.permissions();
    if permissions.mode() & 0o777 != 0o600 {
        permissions.set_mode(0o600);
        std::fs::set_permissions(path, permissions).map_err(at)?;
    }
    Ok(())
}

/// Makes a folder with those above it, on disk when this returns.
///
/// # Errors
/// When the system refuses.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = above {
        make_folder(above)?;
    }
    match DirBuilder::new().create(folder) {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists || !folder.is_dir() => return Err(cause),
        _ => {}
    }
    sync_folder(above.unwrap_or(Path::new(".")))
}

/// redb writes its magic number last when it makes a file, and afterwards refuses one without. So a file without, in which
/// nothing but its first page was ever written, was given up half-way through being made: there is nothing in it to lose.
pub(super) fn begin_again_if_unfinished(backend: &impl StorageBackend) -> io::Result<()> {
    const PAGE: u64 = 4096;
    const MAGIC: u64 = 9;
    let length = backend.len()?;
    if length == 0 {
        return Ok(());
    }
    let mut bytes = vec![0; 65_536];
    let (mut at, mut end) = (0, length.min(MAGIC));
    while at < length {
        let part = &mut bytes[..usize::try_from(end - at).unwrap_or(0)];
        backend.read(at, part)?;
        if part.iter().any(|byte| *byte != 0) {
            return Ok(());
        }
        at = end.max(PAGE);
        end = length.min(at + 65_536);
    }
    backend.set_len(0)
}

/// What it means that redb can't open the file.
pub(super) fn at_path(error: DatabaseError, path: &Path) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(path.to_owned()),
        DatabaseError::Storage(StorageError::Io(cause)) if cause.kind() == io::ErrorKind::InvalidData => {
            StoreError::NotAStore(path.to_owned())
        }
        other => while_opening(other.into(), path),
    }
}

/// What it means that the first reads and writes fail.
pub(super) fn while_opening(error: redb::Error, path: &Path) -> StoreError {
    let path = path.to_owned();
    match error {
        redb::Error::Io(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => {
            StoreError::Damaged { path, what: "its end is missing".to_owned() }
        }
        redb::Error::Io(cause) => StoreError::Path { path, cause },
        redb::Error::Corrupted(what) => StoreError::Damaged { path, what },
        other => StoreError::storage(other),
    }
}
