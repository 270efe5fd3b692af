//! How much the disk still holds.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Tells the free space of a file system; given in, so that a test can fill the disk.
pub trait FreeDisk: Send + Sync {
    /// Bytes that this user may still write on the file system that holds `path`, which need not exist yet.
    ///
    /// # Errors
    /// When neither the path nor a folder above it can be asked.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// The system's own answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemDisk;

impl FreeDisk for SystemDisk {
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let mut place = path;
        loop {
            match rustix::fs::statvfs(place) {
                // f_bavail leaves out what is reserved for root.
                Ok(system) => return Ok(system.f_bavail.saturating_mul(system.f_frsize)),
                Err(rustix::io::Errno::NOENT) => match place.parent() {
                    Some(parent) if parent.as_os_str().is_empty() => place = Path::new("."),
                    Some(parent) => place = parent,
                    None => return Err(rustix::io::Errno::NOENT.into()),
                },
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A disk with as much room as is set.
#[derive(Debug)]
pub struct ManualDisk(AtomicU64);

impl ManualDisk {
    /// With so many bytes free.
    pub const fn with(free: u64) -> Self {
        Self(AtomicU64::new(free))
    }

    /// Changes how many bytes are free.
    pub fn set(&self, free: u64) {
        self.0.store(free, Ordering::SeqCst);
    }
}

impl FreeDisk for ManualDisk {
    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_yet_is_asked_for_by_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert!(SystemDisk.free_bytes(folder.path()).unwrap() > 0);
        assert!(SystemDisk.free_bytes(&folder.path().join("not/yet.redb")).unwrap() > 0);
        assert!(SystemDisk.free_bytes(Path::new("not-yet.redb")).unwrap() > 0);
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        assert!(SystemDisk.free_bytes(&file.join("below")).is_err(), "a file holds no files");
    }

    #[test]
    fn a_manual_disk_says_what_it_is_told() {
        let disk = ManualDisk::with(10);
        disk.set(3);
        assert_eq!(disk.free_bytes(Path::new("/")).unwrap(), 3);
    }
}
