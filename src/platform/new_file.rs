//! A file that appears whole or not at all, for its owner's eyes only.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// A file on its way: written under another name beside its place (`.NAME.part`), and gone if it is not finished.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    draft: PathBuf,
    path: PathBuf,
    is_finished: bool,
}

impl NewFile {
    /// Begins an empty one (mode 0600). What a crash left of an earlier one is written over.
    ///
    /// # Errors
    /// `ResourceBusy` when another program is writing the same file; else when the folder can't be written to.
    pub fn begin(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or_else(|| io::Error::new(ErrorKind::IsADirectory, "it names no file"))?;
        let draft = path.with_file_name(format!(".{}.part", name.to_string_lossy()));
        loop {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&draft)?;
            match file.try_lock() {
                Err(fs::TryLockError::WouldBlock) => {
                    let text = "another program is just writing it";
                    return Err(io::Error::new(ErrorKind::ResourceBusy, text));
                }
                // A file system without locks.
                Ok(()) | Err(fs::TryLockError::Error(_)) => {}
            }
            // Another may have finished it between our opening and our lock: then this is its file, and not ours.
            match fs::symlink_metadata(&draft) {
                Ok(found) if found.ino() == file.metadata()?.ino() => {}
                Ok(_) => continue,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            let new = Self { file, draft, path: path.to_owned(), is_finished: false };
            new.file.set_permissions(fs::Permissions::from_mode(0o600))?;
            new.file.set_len(0)?;
            return Ok(new);
        }
    }

    /// The file.
    pub const fn file(&self) -> &File {
        &self.file
    }

    /// Where it is until it is finished.
    pub fn draft(&self) -> &Path {
        &self.draft
    }

    /// Makes it belong to whom something else belongs to. Whoever may not give files away is that owner, or leaves it as it is.
    ///
    /// # Errors
    /// When the system refuses for another reason.
    pub fn belong_with(&self, other: &fs::Metadata) -> io::Result<()> {
        let own = self.file.metadata()?;
        if (own.uid(), own.gid()) == (other.uid(), other.gid()) {
            return Ok(());
        }
        match fchown(&self.file, Some(other.uid()), Some(other.gid())) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(()),
            done => done,
        }
    }

    /// Puts it in place, on disk when this returns.
    ///
    /// # Errors
    /// `AlreadyExists` when something is there already and is not to be replaced; else when the disk fails.
    pub fn finish(mut self, replace: bool) -> io::Result<()> {
        self.file.sync_all()?;
        if replace {
            fs::rename(&self.draft, &self.path)?;
        } else {
            rename_to_free(&self.draft, &self.path)?;
        }
        self.is_finished = true;
        sync_folder(folder_of(&self.path))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = fs::remove_file(&self.draft);
        }
    }
}

/// Renames to a name that nobody has, also where two do so at the same moment.
fn rename_to_free(from: &Path, to: &Path) -> io::Result<()> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // The file system can't do that in one step.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if !to.try_exists()? => fs::rename(from, to),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => Err(ErrorKind::AlreadyExists.into()),
        done => Ok(done?),
    }
}

/// The folder that a file is in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes names in a folder last: a new file is only there after a power cut when its folder is on disk too.
///
/// # Errors
/// When the disk fails.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems have no such call, and a folder may be closed to readers: then there is nothing more to be done.
        Err(cause)
            if matches!(
                cause.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn it_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.backup");
        let new = NewFile::begin(&path).unwrap();
        new.file().write_all(b"half").unwrap();
        assert!(!path.exists());
        drop(new);
        assert_eq!(names(folder.path()), Vec::<String>::new());

        let new = NewFile::begin(&path).unwrap();
        new.file().write_all(b"whole").unwrap();
        new.finish(false).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["a.backup"]);
    }

    #[test]
    fn what_is_there_is_replaced_only_when_that_is_wished() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "old").unwrap();
        let error = NewFile::begin(&path).unwrap().finish(false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        NewFile::begin(&path).unwrap().finish(true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn two_do_not_write_the_same_file_and_a_left_over_draft_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let first = NewFile::begin(&path).unwrap();
        assert_eq!(NewFile::begin(&path).unwrap_err().kind(), ErrorKind::ResourceBusy);
        drop(first);
        fs::write(folder.path().join(".a.part"), "left by a crash").unwrap();
        NewFile::begin(&path).unwrap().finish(false).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
    }
}
