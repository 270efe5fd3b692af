//! A store of an older layout: brought up to date behind a backup, whatever happens on the way.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod storage;

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use tallyhook::platform::clock::ManualClock;
use tallyhook::platform::disk::ManualDisk;
use tallyhook::store::{Opened, Step, Store, StoreError, StoreSettings, Upgrade, backup};

use storage::audit::{self, Contents};
use storage::broken::{Broken, Call};
use storage::fakes::names;
use storage::power_cut::{Fate, PowerCut};
use storage::scenes;
use storage::{START, play};

const NEW: TableDefinition<'_, u64, u64> = TableDefinition::new("new_in_layout_2");
const WEBHOOKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("webhooks");

/// Layout 2 has a table more, with a row for each webhook.
fn add_table(txn: &WriteTransaction) -> Result<(), StoreError> {
    let mut new = txn.open_table(NEW).unwrap();
    let webhooks = txn.open_table(WEBHOOKS).map_err(|error| StoreError::Storage(Box::new(error.into())))?;
    for row in webhooks.iter().map_err(|error| StoreError::Storage(Box::new(error.into())))? {
        let (id, _) = row.map_err(|error| StoreError::Storage(Box::new(error.into())))?;
        new.insert(id.value(), 2).map_err(|error| StoreError::Storage(Box::new(error.into())))?;
    }
    Ok(())
}

/// Layout 3 has other values in it.
fn change_values(txn: &WriteTransaction) -> Result<(), StoreError> {
    let mut new = txn.open_table(NEW).map_err(|error| StoreError::Storage(Box::new(error.into())))?;
    let last = new.last().map_err(|error| StoreError::Storage(Box::new(error.into())))?.map_or(0, |row| row.0.value());
    for id in 1..=last {
        new.insert(id, 3).map_err(|error| StoreError::Storage(Box::new(error.into())))?;
    }
    Ok(())
}

fn fail(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_table(NEW).unwrap().insert(1, 1).unwrap();
    Err(StoreError::Storage(Box::new(redb::Error::Corrupted("made to fail".into()))))
}

fn panic(txn: &WriteTransaction) -> Result<(), StoreError> {
    txn.open_table(NEW).unwrap().insert(1, 1).unwrap();
    panic!("made to panic")
}

const STEPS: [Step; 2] = [add_table, change_values];

/// Where a store is, with the disk and the clock of its upgrades.
struct Place {
    folder: tempfile::TempDir,
    disk: ManualDisk,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), disk: ManualDisk::with(1 << 40) }
    }

    fn settings(&self) -> StoreSettings {
        StoreSettings { path: self.folder.path().join("store.redb"), cache: 64 * 1024 }
    }

    fn backup(&self, layout: u32) -> PathBuf {
        self.folder.path().join(format!("store.redb.before-layout-{layout}.backup"))
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn over(&self, backend: impl redb::StorageBackend, steps: &[Step]) -> Result<Opened, StoreError> {
        let clock = ManualClock::at(START);
        let upgrade = Upgrade { steps, clock: clock.as_ref(), disk: &self.disk };
        Store::open_backend_upgrading(backend, &self.settings(), &names(), &upgrade)
    }

    fn open(&self, steps: &[Step]) -> Result<Opened, StoreError> {
        let clock = ManualClock::at(START);
        let upgrade = Upgrade { steps, clock: clock.as_ref(), disk: &self.disk };
        Store::open_upgrading(&self.settings(), &names(), &upgrade)
    }
}

/// A store with something of everything, of layout 1.
fn filled() -> Vec<u8> {
    static FILLED: LazyLock<Vec<u8>> =
        LazyLock::new(|| scenes::all().into_iter().find(|scene| scene.name == "decisions").unwrap().before);
    FILLED.clone()
}

fn contents(bytes: Vec<u8>) -> Contents {
    audit::contents(&play::open(Broken::whole(bytes)).unwrap())
}

/// The values of the table that layout 2 brought, read by redb itself.
fn new_values(bytes: Vec<u8>) -> Option<Vec<u64>> {
    let database = redb::Database::builder().create_with_backend(Broken::whole(bytes)).unwrap();
    let txn = database.begin_write().unwrap();
    let is_there = txn.list_tables().unwrap().any(|table| redb::TableHandle::name(&table) == "new_in_layout_2");
    if !is_there {
        return None;
    }
    let table = txn.open_table(NEW).unwrap();
    Some(table.iter().unwrap().map(|row| row.unwrap().1.value()).collect())
}

/// What a backup holds, as a store of this program's layout.
fn restored(file: &Path) -> Contents {
    let store = tempfile::NamedTempFile::new().unwrap();
    let bytes = fs::read(file).unwrap();
    let summary = backup::rebuild(&mut Cursor::new(bytes), store.reopen().unwrap(), 1 << 20).unwrap();
    assert_eq!(summary.faults, Vec::<String>::new());
    contents(fs::read(store.path()).unwrap())
}

#[test]
fn an_older_layout_is_brought_up_to_date_behind_a_backup() {
    let place = Place::new();
    fs::write(place.settings().path, filled()).unwrap();
    let store = place.open(&STEPS).unwrap().store;
    let upgraded = store.reader().snapshot().unwrap().upgraded().unwrap().unwrap();
    assert_eq!((upgraded.from, upgraded.to, upgraded.at), (1, 3, START));
    assert_eq!(upgraded.backup.as_deref(), Some("store.redb.before-layout-2.backup"));
    assert_eq!(audit::contents(&store), contents(filled()), "nothing else was changed");
    drop(store);
    assert_eq!(new_values(fs::read(place.settings().path).unwrap()), Some(vec![3; 4]));
    assert_eq!(place.files(), ["store.redb", "store.redb.before-layout-2.backup"]);
    assert_eq!(restored(&place.backup(2)), contents(filled()), "the version before can go on from it");

    // The next start has nothing to do, and a version that knows layout 1 alone leaves the store as it is.
    let before = fs::metadata(place.backup(2)).unwrap().modified().unwrap();
    drop(place.open(&STEPS).unwrap());
    assert_eq!(fs::metadata(place.backup(2)).unwrap().modified().unwrap(), before);
    match place.open(&[]) {
        Err(error @ StoreError::Newer { found: 3, known: 1 }) => {
            assert!(error.to_string().contains("before-layout-2.backup"), "{error}");
        }
        other => panic!("{:?}", other.err()),
    }
}

#[test]
fn a_new_store_begins_with_the_newest_layout_and_needs_no_backup() {
    let place = Place::new();
    let store = place.open(&STEPS).unwrap().store;
    assert_eq!(store.reader().snapshot().unwrap().upgraded().unwrap(), None);
    assert_eq!(place.files(), ["store.redb"]);
}

#[test]
fn a_step_that_fails_leaves_the_store_as_it_was_and_names_the_backup() {
    for (step, why) in [(fail as Step, "made to fail"), (panic as Step, "a defect of tallyhook")] {
        let place = Place::new();
        fs::write(place.settings().path, filled()).unwrap();
        let error = place.open(&[step]).err().unwrap().to_string();
        assert!(error.contains(why) && error.contains("layout 1 to 2") && error.contains("it is unchanged"), "{error}");
        assert!(error.contains(&place.backup(2).display().to_string()), "{error}");
        assert_eq!(new_values(fs::read(place.settings().path).unwrap()), None);
        assert_eq!(contents(fs::read(place.settings().path).unwrap()), contents(filled()));
        assert_eq!(restored(&place.backup(2)), contents(filled()));
        // A version that is mended goes on.
        assert!(place.open(&STEPS).is_ok());
    }
}

#[test]
fn without_room_for_the_backup_nothing_is_changed() {
    let place = Place::new();
    fs::write(place.settings().path, filled()).unwrap();
    place.disk.set(1 << 20);
    let error = place.open(&STEPS).err().unwrap().to_string();
    assert!(error.contains("make room") && error.contains("nothing was changed"), "{error}");
    assert_eq!(place.files(), ["store.redb"]);
    assert_eq!(contents(fs::read(place.settings().path).unwrap()), contents(filled()));
    place.disk.set(1 << 40);
    assert!(place.open(&STEPS).is_ok());
}

#[test]
fn where_no_backup_can_be_written_nothing_is_changed() {
    let place = Place::new();
    fs::write(place.settings().path, filled()).unwrap();
    fs::create_dir_all(place.folder.path().join(".store.redb.before-layout-2.backup.part")).unwrap();
    let error = place.open(&STEPS).err().unwrap().to_string();
    assert!(error.contains("could not be made") && error.contains("nothing was changed"), "{error}");
    assert_eq!(new_values(fs::read(place.settings().path).unwrap()), None);
}

/// Opens what survived, as the next start does, and compares it with an upgrade that nothing disturbed.
fn comes_to_the_same(bytes: Vec<u8>, undisturbed: &Contents, how: &str) {
    let place = Place::new();
    let whole = Broken::whole(bytes);
    let opened = place.over(whole.clone(), &STEPS).unwrap_or_else(|error| panic!("{how}: {error}"));
    assert_eq!(audit::contents(&opened.store), *undisturbed, "{how}");
    drop(opened);
    assert_eq!(new_values(whole.bytes()), Some(vec![3; 4]), "{how}");
}

#[test]
fn a_failure_of_the_disk_at_any_call_comes_to_the_same_at_the_next_start() {
    let (before, undisturbed) = (filled(), contents(filled()));
    let whole = Broken::whole(before.clone());
    drop(Place::new().over(whole.clone(), &STEPS).unwrap());
    let calls = whole.calls();
    assert!(calls.contains(&Call::Write) && calls.contains(&Call::Sync));
    for at in 0..calls.len() {
        let place = Place::new();
        let memory = Broken::failing(before.clone(), at, at % 2 == 0);
        let _ = place.over(memory.clone(), &STEPS);
        // What was made before is a backup of the store before, or not there.
        if let Ok(bytes) = fs::read(place.backup(2)) {
            backup::verify(&mut Cursor::new(bytes)).unwrap();
        }
        assert!(place.files().iter().all(|name| !name.ends_with(".part")), "{:?}", place.files());
        comes_to_the_same(memory.bytes(), &undisturbed, &format!("call {at} of {} failed", calls.len()));
    }
}

#[test]
fn power_that_goes_at_any_sync_comes_to_the_same_at_the_next_start() {
    let (before, undisturbed) = (filled(), contents(filled()));
    let whole = PowerCut::over(before.clone(), None);
    drop(Place::new().over(whole.clone(), &STEPS).unwrap());
    let seed = fastrand::u64(..);
    for sync in 0..whole.syncs() {
        let disk = PowerCut::over(before.clone(), Some(sync));
        let _ = Place::new().over(disk.clone(), &STEPS);
        for fate in [Fate::Lost, Fate::Kept, Fate::Some(seed), Fate::Shuffled(seed)] {
            comes_to_the_same(disk.survivors(fate), &undisturbed, &format!("sync {sync}, {fate:?}"));
        }
    }
}
