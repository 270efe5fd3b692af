//! Is there room, and is the disk fast enough? Each webhook is on disk before it is answered.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::finding::Finding;
use crate::config::Store;
use crate::platform::disk::{FreeDisk, sync_time};

/// A slower disk takes few webhooks a second.
const SLOW: Duration = Duration::from_millis(50);
/// With less than so many times the reserve it will soon be reached.
const COMFORT: u64 = 2;

/// Looks at the disk that holds the state.
pub(super) fn look(store: &Store, disk: &dyn FreeDisk) -> Vec<Finding> {
    let folder = store.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut findings = vec![judge_room(disk.free_bytes(&store.path), store.reserve, folder)];
    if folder.is_dir() {
        findings.push(judge_speed(sync_time(folder), folder));
    }
    findings
}

fn judge_room(free: io::Result<u64>, reserve: u64, folder: &Path) -> Finding {
    let mebibytes = |bytes: u64| format!("{} MiB", bytes >> 20);
    let place = folder.display();
    match free {
        Ok(free) if free < reserve => Finding::error(
            "disk",
            format!(
                "{} are free at {place} where {} are kept in reserve, so that no webhook is taken",
                mebibytes(free),
                mebibytes(reserve)
            ),
            "make room on that disk, or enlarge it; lowering store.reserve only puts it off",
        ),
        Ok(free) if free < reserve.saturating_mul(COMFORT) => Finding::warning(
            "disk",
            format!(
                "{} are free at {place}, and at {} no webhook is taken any more",
                mebibytes(free),
                mebibytes(reserve)
            ),
            "make room on that disk, or enlarge it",
        ),
        Ok(free) => Finding::ok("disk", format!("{} are free at {place}", mebibytes(free))),
        Err(error) => Finding::error(
            "disk",
            format!("it can't be told how much is free at {place}: {error}"),
            "run this as root or as the user that tallyhook runs as, and see that store.path is right",
        ),
    }
}

fn judge_speed(time: io::Result<Duration>, folder: &Path) -> Finding {
    let place = folder.display();
    match time {
        Ok(time) if time > SLOW => Finding::warning(
            "fsync",
            format!(
                "a small write takes {} ms to be on the disk at {place}: senders wait that long for their answer",
                time.as_millis()
            ),
            "put the state on a local SSD instead of a network disk or a hard disk: stop tallyhook with its socket, move the folder, name it in \
             store.path, and let the service write there: `systemctl edit tallyhook`, [Service], ReadWritePaths=/the/new/folder",
        ),
        Ok(time) => {
            let micros = time.as_micros();
            Finding::ok(
                "fsync",
                format!("a small write is on the disk at {place} after {}.{} ms", micros / 1000, micros % 1000 / 100),
            )
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {
            Finding::error(
                "fsync",
                format!("nothing can be written at {place}: {error}"),
                "make room on that disk, or enlarge it",
            )
        }
        Err(error) => Finding::warning(
            "fsync",
            format!("the speed of the disk can't be measured at {place}: {error}"),
            "run this as root or as the user that tallyhook runs as",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn room_is_measured_against_the_reserve() {
        let level = |free| judge_room(free, 256 << 20, Path::new("/state")).level;
        assert_eq!(level(Ok(255 << 20)), Level::Error);
        assert_eq!(level(Ok(300 << 20)), Level::Warning);
        assert_eq!(level(Ok(10 << 30)), Level::Ok);
        assert_eq!(level(Err(io::Error::other("no"))), Level::Error);
    }

    #[test]
    fn a_slow_disk_is_worth_a_word() {
        let found = |millis| judge_speed(Ok(Duration::from_millis(millis)), Path::new("/state"));
        assert_eq!(found(51).level, Level::Warning);
        assert_eq!(found(50).level, Level::Ok);
        assert!(found(2).message.contains("2.0 ms"));
        assert!(
            found(51).fix.unwrap().contains("ReadWritePaths="),
            "the unit lets the service write to one folder only"
        );
        let failed = |kind: io::ErrorKind| judge_speed(Err(kind.into()), Path::new("/state"));
        assert_eq!(failed(io::ErrorKind::PermissionDenied).level, Level::Warning);
        let full = failed(io::ErrorKind::StorageFull);
        assert_eq!((full.level, full.fix.unwrap().contains("make room")), (Level::Error, true));
    }
}
