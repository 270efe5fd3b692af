//! How much the disk still holds, and how fast it is.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often the speed is measured.
const WRITES: usize = 20;
/// Bytes of each write: a page of the store.
const PAGE: [u8; 4096] = [0x74; 4096];

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

/// How long it takes until a small write is on the disk that holds a folder: the median of several. Every webhook waits for one.
///
/// # Errors
/// When the folder can't be written to.
pub fn sync_time(folder: &Path) -> io::Result<Duration> {
    let path = folder.join(format!(".speed-{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let measured: io::Result<Vec<Duration>> = (0..WRITES)
        .map(|_| {
            let began = Instant::now();
            file.write_all(&PAGE)?;
            file.sync_data()?;
            Ok(began.elapsed())
        })
        .collect();
    let removed = fs::remove_file(&path);
    let mut times = measured?;
    removed?;
    times.sort_unstable();
    Ok(times[WRITES / 2])
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
    fn measuring_the_disk_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        assert!(sync_time(folder.path()).unwrap() > Duration::ZERO);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(sync_time(&folder.path().join("not there")).is_err());
    }

    #[test]
    fn a_manual_disk_says_what_it_is_told() {
        let disk = ManualDisk::with(10);
        disk.set(3);
        assert_eq!(disk.free_bytes(Path::new("/")).unwrap(), 3);
    }
}
