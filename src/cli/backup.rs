//! `tallyhook backup`.

use std::fs;
use std::io::{self, BufReader, IsTerminal, PipeWriter, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use clap::Args;
use serde_json::{Value, json};

use super::access::{self, SMALL_CACHE};
use super::output::{json_line, path};
use super::table::size;
use super::{Failure, Setting};
use crate::config::{Config, Location};
use crate::http::admin_client::{self, AdminError};
use crate::model::time::Timestamp;
use crate::operator::Request;
use crate::platform::clock::{Clock, SystemClock};
use crate::platform::disk::{FreeDisk, SystemDisk};
use crate::platform::new_file::{NewFile, folder_of};
use crate::store::backup::{self, BackupError, Summary};
use crate::store::{Opened, Store, StoreSettings};

/// Arguments of `backup`.
#[derive(Debug, Args)]
#[command(after_help = "\
Copies the books while tallyhook runs, as of one moment; when it does not run, from the store file. What was written is read back \
and checked before it gets its name. A folder (one that is there, or a name that ends in /) gets a file with the time in its name; \
--keep deletes the oldest of those.

Inside are the books: webhooks with their bodies, sales, contacts, deliveries, leads, dedup marks. That is personal data: keep it as \
safe as the store. Not inside are the configuration and its secrets (/etc/tallyhook) and certificates (fetched again by themselves).

Examples:
  sudo tallyhook backup /root/tallyhook.backup
  sudo tallyhook backup /var/backups/tallyhook/ --keep 7
  sudo tallyhook backup - | gzip | ssh other 'cat > tallyhook.backup.gz'
  tallyhook backup --verify tallyhook.backup        is it whole?")]
pub(super) struct Backup {
    /// Where to write it: a file, a folder, or - for standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write over a file that is there
    #[arg(long, conflicts_with = "verify")]
    force: bool,
    /// In a folder: keep so many, and delete the oldest beyond that
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "verify")]
    keep: Option<u32>,
    /// Only read a backup and say whether it is whole; - reads standard input
    #[arg(long)]
    verify: bool,
}

/// What a backup in a folder is called: `tallyhook-20261122T031500Z.backup`.
const PREFIX: &str = "tallyhook-";
const SUFFIX: &str = ".backup";

impl Backup {
    /// Makes one, or looks at one.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        if self.verify {
            let summary = verify(&self.file)?;
            tell(setting, &told("whole", &self.file, &summary, &[]), out)?;
            return if summary.faults.is_empty() { Ok(()) } else { Err(faulty(&summary)) };
        }
        let location = Config::locate(setting.config, setting.environment)?;
        if self.file == Path::new("-") {
            return to_standard_output(setting, &location, out);
        }
        let is_folder = self.file.is_dir() || self.file.as_os_str().as_encoded_bytes().ends_with(b"/");
        if self.keep.is_some() && !is_folder {
            let text = "--keep needs a folder: name one that is there, or end its name with /";
            return Err(Failure::Wrong(text.to_owned()));
        }
        let file = if is_folder { in_folder(&self.file, SystemClock.now())? } else { self.file.clone() };
        let summary = to_file(setting, &location, &file, self.force)?;
        let deleted = match self.keep {
            Some(keep) => delete_oldest(&self.file, usize::try_from(keep).unwrap_or(usize::MAX))?,
            None => Vec::new(),
        };
        warn_of(&summary);
        tell(setting, &told("written", &file, &summary, &deleted), out)
    }
}

/// A new name in a folder, which is made when it is not there.
fn in_folder(folder: &Path, now: Timestamp) -> Result<PathBuf, Failure> {
    if !folder.is_dir() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| Failure::Failed(format!("can't make the folder {}: {error}", path(folder))))?;
    }
    // 2026-11-22T03:15:00.000Z without what file systems and shells dislike.
    let stamp: String = now.to_string().split('.').next().unwrap_or_default().replace(['-', ':'], "");
    Ok(folder.join(format!("{PREFIX}{}Z{SUFFIX}", stamp.trim_end_matches('Z'))))
}

fn to_file(setting: &Setting<'_>, location: &Location, file: &Path, force: bool) -> Result<Summary, Failure> {
    let failed = |error: BackupError| Failure::Failed(format!("{}: {error}; nothing was written", path(file)));
    let unwritten = |error: io::Error| failed(BackupError::Write(error));
    let taken = || {
        let name = path(file);
        Failure::Failed(format!("{name} is there already and is not overwritten; give another name, or --force"))
    };
    if !force && fs::symlink_metadata(file).is_ok() {
        return Err(taken());
    }
    needs_room(setting, location, file)?;
    let new = NewFile::begin(file).map_err(unwritten)?;
    // In the state's own folder nothing belongs to anybody but the service, also what root puts there.
    let state = folder_of(&location.store);
    if let (Ok(folder), Ok(state_folder)) = (folder_of(file).canonicalize(), state.canonicalize()) {
        if folder.starts_with(&state_folder) {
            let owner = fs::metadata(&state_folder).map_err(unwritten)?;
            new.belong_with(&owner).map_err(unwritten)?;
        }
    }
    let mut from = Source::open(location)?;
    from.copy(&mut |bytes| (&mut new.file()).write_all(bytes)).map_err(|error| match error {
        Failure::Failed(why) => Failure::Failed(format!("{}: {why}; nothing was written", path(file))),
        other => other,
    })?;
    drop(from);
    new.file().sync_all().and_then(|()| new.file().rewind()).map_err(unwritten)?;
    let summary = backup::verify(&mut BufReader::with_capacity(1 << 16, new.file())).map_err(failed)?;
    match new.finish(force) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken()),
        done => done.map(|()| summary).map_err(unwritten),
    }
}

/// Refuses where the backup would take the room that the store needs: a full disk would stop what the backup is there for.
fn needs_room(setting: &Setting<'_>, location: &Location, file: &Path) -> Result<(), Failure> {
    let folder = folder_of(file);
    // What can't be found out shows itself when it is written.
    let Ok(free) = SystemDisk.free_bytes(folder) else { return Ok(()) };
    let status = access::ask_one(setting, &Request::Status)?;
    let needed = status["store"]["data_bytes"].as_u64().unwrap_or(0);
    let device = |place: &Path| fs::metadata(place).ok().map(|found| found.dev());
    let shares_disk = device(folder).is_some() && device(folder) == device(folder_of(&location.store));
    let reserve = if shares_disk { status["store"]["reserve_bytes"].as_u64().unwrap_or(0) } else { 0 };
    if free >= needed.saturating_add(reserve) {
        return Ok(());
    }
    let (needed, free) = (size(needed), size(free));
    let kept =
        if reserve > 0 { format!(", of which {} are tallyhook's reserve", size(reserve)) } else { String::new() };
    Err(Failure::Failed(format!(
        "{}: there is no room for a backup of {needed} there: {free} are free{kept}; make room, or write it to another disk",
        path(file)
    )))
}

fn to_standard_output(setting: &Setting<'_>, location: &Location, out: &mut dyn Write) -> Result<(), Failure> {
    if io::stdout().is_terminal() {
        let text = "a backup is no text for a terminal: pipe it on, or give a file's name";
        return Err(Failure::Wrong(text.to_owned()));
    }
    let mut from = Source::open(location)?;
    let mut witness = Witness::start()?;
    let mut gone = None;
    let copied = from.copy(&mut |bytes| {
        witness.see(bytes);
        out.write_all(bytes).inspect_err(|error| gone = Some(error.kind()))
    });
    match (copied, gone) {
        // Half a backup is a failure, unlike half a list.
        (Err(_), Some(io::ErrorKind::BrokenPipe)) => {
            return Err(Failure::Failed("the backup is not whole: whoever reads it has gone".to_owned()));
        }
        (copied, _) => copied?,
    }
    out.flush().map_err(|error| Failure::Failed(format!("the backup is not whole: {error}")))?;
    let summary = witness.verdict().map_err(|error| Failure::Failed(format!("the backup is of no use: {error}")))?;
    warn_of(&summary);
    tell(setting, &told("written", Path::new("-"), &summary, &[]), &mut io::stderr())
}

/// Checks what passes by.
struct Witness {
    pipe: Option<PipeWriter>,
    thread: JoinHandle<Result<Summary, BackupError>>,
}

impl Witness {
    fn start() -> Result<Self, Failure> {
        let (mut reader, pipe) = io::pipe()?;
        let thread = std::thread::spawn(move || backup::verify(&mut reader));
        Ok(Self { pipe: Some(pipe), thread })
    }

    fn see(&mut self, bytes: &[u8]) {
        // When it has seen enough to say no, it looks no more.
        if self.pipe.as_mut().is_some_and(|pipe| pipe.write_all(bytes).is_err()) {
            self.pipe = None;
        }
    }

    fn verdict(mut self) -> Result<Summary, BackupError> {
        self.pipe = None;
        self.thread.join().unwrap_or_else(|_| Err(BackupError::Nonsense("it could not be checked".to_owned())))
    }
}

/// Where a backup comes from.
enum Source<'a> {
    Daemon(&'a Location),
    File(Box<Store>),
}

impl<'a> Source<'a> {
    /// The running daemon, else the store file.
    fn open(location: &'a Location) -> Result<Self, Failure> {
        if admin_client::is_running(&location.socket).map_err(|error| Failure::Failed(error.to_string()))? {
            return Ok(Self::Daemon(location));
        }
        access::needs_store(location)?;
        let settings = StoreSettings { path: location.store.clone(), cache: SMALL_CACHE };
        let Opened { store, .. } =
            Store::open_existing(&settings, &[]).map_err(|error| access::unopened(error, location))?;
        Ok(Self::File(Box::new(store)))
    }

    /// Hands every byte over.
    fn copy(&mut self, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<(), Failure> {
        match self {
            Self::Daemon(location) => admin_client::backup(&location.socket, take).map_err(|error| match error {
                AdminError::Taking(error) => Failure::Failed(format!("it can't be written: {error}")),
                other => Failure::Failed(other.to_string()),
            }),
            Self::File(store) => {
                let snapshot = store.reader().snapshot().map_err(|error| Failure::Failed(error.to_string()))?;
                backup::write(&snapshot, SystemClock.now(), &mut Taker(take))
                    .map_err(|error| Failure::Failed(error.to_string()))
            }
        }
    }
}

struct Taker<'a>(&'a mut dyn FnMut(&[u8]) -> io::Result<()>);

impl Write for Taker<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.0)(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a backup to its end.
fn verify(file: &Path) -> Result<Summary, Failure> {
    let failed = |error: BackupError| Failure::Failed(format!("{}: {error}", path(file)));
    let mut from: Box<dyn Read> = if file == Path::new("-") {
        Box::new(io::stdin().lock())
    } else {
        Box::new(fs::File::open(file).map_err(|error| failed(BackupError::Read(error)))?)
    };
    backup::verify(&mut BufReader::with_capacity(1 << 16, &mut from)).map_err(failed)
}

/// Deletes the oldest backups in a folder, by their names, and halves that a crash left; never a file that has another name.
fn delete_oldest(folder: &Path, keep: usize) -> Result<Vec<PathBuf>, Failure> {
    let failed =
        |error: io::Error| Failure::Failed(format!("can't delete the oldest backups in {}: {error}", path(folder)));
    let (mut whole, mut surplus) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (name, place) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
        let half = name.strip_prefix('.').and_then(|name| name.strip_suffix(".part"));
        if is_ours(&name) {
            whole.push(place);
        } else if half.is_some_and(is_ours) && is_left(&place) {
            surplus.push(place);
        }
    }
    whole.sort();
    surplus.extend(whole.drain(..whole.len().saturating_sub(keep)));
    for file in &surplus {
        fs::remove_file(file).map_err(failed)?;
    }
    Ok(surplus)
}

/// Whether nobody is writing it.
fn is_left(half: &Path) -> bool {
    fs::File::open(half).is_ok_and(|file| file.try_lock().is_ok())
}

fn is_ours(name: &str) -> bool {
    let stamp = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
    stamp.is_some_and(|stamp| {
        stamp.len() == 16
            && stamp.char_indices().all(|(at, c)| match at {
                8 => c == 'T',
                15 => c == 'Z',
                _ => c.is_ascii_digit(),
            })
    })
}

/// A row about a backup.
pub(super) fn told(result: &str, file: &Path, summary: &Summary, deleted: &[PathBuf]) -> Value {
    json!({
        "result": result,
        "file": path(file),
        "bytes": summary.bytes,
        "at": summary.header.at.to_string(),
        "program": summary.header.program,
        "layout": summary.header.layout,
        "events": summary.count("webhooks"),
        "contacts": summary.count("contacts"),
        "deliveries": summary.deliveries,
        "failed": summary.count("failed"),
        "faults": summary.faults,
        "deleted": deleted.iter().map(|file| path(file)).collect::<Vec<_>>(),
    })
}

fn tell(setting: &Setting<'_>, row: &Value, out: &mut dyn Write) -> Result<(), Failure> {
    if setting.json {
        return json_line(out, row);
    }
    let file = row["file"].as_str().unwrap_or_default();
    let what = contents(row);
    match row["result"].as_str() {
        Some("written") => writeln!(out, "wrote {file} and checked it: {what}")?,
        _ => writeln!(out, "{file} is whole: {what}")?,
    }
    for deleted in row["deleted"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        writeln!(out, "deleted {deleted}")?;
    }
    Ok(())
}

/// What is in a backup, for people.
pub(super) fn contents(row: &Value) -> String {
    let count = |name: &str| row[name].as_u64().unwrap_or(0);
    format!(
        "{} events, {} contacts, {} deliveries of which {} failed; {}, as of {}, by version {}",
        count("events"),
        count("contacts"),
        count("deliveries"),
        count("failed"),
        size(count("bytes")),
        row["at"].as_str().unwrap_or_default(),
        row["program"].as_str().unwrap_or_default(),
    )
}

/// What is wrong in the store is in its backup, too; better such a one than none.
fn warn_of(summary: &Summary) {
    for fault in &summary.faults {
        let _ = writeln!(
            io::stderr(),
            "tallyhook: warning: the books have a fault, which is in the backup as well: {fault}"
        );
    }
}

/// That the records of a backup make no sense.
pub(super) fn faulty(summary: &Summary) -> Failure {
    Failure::Failed(format!("the books in it have faults: {}", summary.faults.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_folder_sort_by_time_and_only_they_are_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<PathBuf> = ["2026-11-22T03:15:00Z", "2026-11-23T03:15:00Z", "2026-12-01T00:00:00Z"]
            .iter()
            .map(|at| in_folder(folder.path(), at.parse().unwrap()).unwrap())
            .collect();
        assert!(names[0].ends_with("tallyhook-20261122T031500Z.backup"), "{names:?}");
        let others = ["tallyhook-notes.backup", "tallyhook.redb", "tallyhook-20261122T031500Z.backup.gz"];
        for file in names.iter().cloned().chain(others.iter().map(|name| folder.path().join(name))) {
            fs::write(file, "").unwrap();
        }
        let half = |day: u32| folder.path().join(format!("tallyhook-202610{day}T031500Z.backup"));
        let being_written = NewFile::begin(&half(10)).unwrap();
        let left = folder.path().join(".tallyhook-20261011T031500Z.backup.part");
        fs::write(&left, "").unwrap();
        assert_eq!(delete_oldest(folder.path(), 2).unwrap(), [left, names[0].clone()]);
        assert!(being_written.draft().exists());
        assert!(others.iter().all(|name| folder.path().join(name).exists()));
        assert_eq!(delete_oldest(folder.path(), 2).unwrap(), Vec::<PathBuf>::new());
    }
}
