//! Opening a store: what is found where one should be, and what a person is told.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod storage;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use redb::{Database, ReadableDatabase, TableDefinition};
use tallyhook::model::id::DestinationId;
use tallyhook::platform::clock::ManualClock;
use tallyhook::store::{Command, Store, StoreError, StoreSettings, Writer, WriterSettings};

use storage::fakes::{names, rules};
use storage::scenes::take_in;
use storage::{Ear, START, audit};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

fn settings(path: &Path) -> StoreSettings {
    StoreSettings { path: path.to_owned(), cache: 1 << 20 }
}

fn refusal(settings: &StoreSettings) -> StoreError {
    match Store::open(settings, &names()) {
        Ok(_) => panic!("{} was opened", settings.path.display()),
        Err(error) => error,
    }
}

/// Opens, writes three sales, and stops.
fn fill(settings: &StoreSettings) {
    let store = Store::open(settings, &names()).unwrap().store;
    let clock = ManualClock::at(START);
    let (writer, thread) = Writer::start(&store, rules(), WriterSettings::default(), clock, Ear::new()).unwrap();
    for number in 1..=3 {
        writer.run(take_in("payment_intent.succeeded", number, 0)).unwrap();
    }
    writer.close();
    thread.join().unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_meta(settings: &StoreSettings, key: &str, bytes: Option<&[u8]>) {
    let database = Database::create(&settings.path).unwrap();
    let txn = database.begin_write().unwrap();
    {
        let mut meta = txn.open_table(META).unwrap();
        match bytes {
            Some(bytes) => meta.insert(key, bytes).unwrap(),
            None => meta.remove(key).unwrap(),
        };
    }
    txn.commit().unwrap();
}

#[test]
fn a_missing_folder_is_made_and_the_file_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder.path().join("a/b/store.redb"));
    fill(&settings);
    assert_eq!(mode(&settings.path), 0o600);
    fs::set_permissions(&settings.path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(Store::open(&settings, &names()).unwrap());
    assert_eq!(mode(&settings.path), 0o600);
}

#[test]
fn a_file_that_another_has_open_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder.path().join("store.redb"));
    let open = Store::open(&settings, &names()).unwrap();
    let error = refusal(&settings);
    assert!(matches!(&error, StoreError::InUse(path) if *path == settings.path), "{error}");
    assert!(error.to_string().contains("in use by another tallyhook"));
    drop(open);
    assert!(Store::open(&settings, &names()).is_ok());
}

#[test]
fn a_layout_of_a_newer_version_is_left_alone_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder.path().join("store.redb"));
    fill(&settings);
    set_meta(&settings, "schema_version", Some(&2_u32.to_le_bytes()));
    let error = refusal(&settings);
    assert!(matches!(error, StoreError::Newer { found: 2, known: 1 }), "{error}");
    assert!(error.to_string().contains("written by a newer version of tallyhook (layout 2, this one knows 1)"));
    set_meta(&settings, "schema_version", Some(&1_u32.to_le_bytes()));
    assert_eq!(audit::contents(&Store::open(&settings, &names()).unwrap().store).webhooks.len(), 3);
}

#[test]
fn a_file_that_is_no_store_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder.path().join("notes.txt"));
    for bytes in [b"x".to_vec(), b"somebody's notes\n".repeat(5000)] {
        fs::write(&settings.path, &bytes).unwrap();
        let error = refusal(&settings);
        assert!(matches!(error, StoreError::NotAStore(_)), "{error}");
        assert!(error.to_string().contains("notes.txt is not a tallyhook store"), "{error}");
        assert_eq!(fs::read(&settings.path).unwrap(), bytes);
        assert_ne!(mode(&settings.path), 0o600);
    }
}

#[test]
fn a_database_of_another_program_is_left_as_it_is() {
    let theirs: TableDefinition<'_, &str, u64> = TableDefinition::new("theirs");
    let folder = tempfile::tempdir().unwrap();
    for own_meta in [false, true] {
        let settings = settings(&folder.path().join(format!("other-{own_meta}.redb")));
        let database = Database::create(&settings.path).unwrap();
        let txn = database.begin_write().unwrap();
        txn.open_table(theirs).unwrap().insert("a", 1).unwrap();
        if own_meta {
            txn.open_table(TableDefinition::<u64, u64>::new("meta")).unwrap().insert(1, 1).unwrap();
        }
        txn.commit().unwrap();
        drop(database);
        let error = refusal(&settings);
        assert!(matches!(&error, StoreError::NotAStore(path) if *path == settings.path), "{error}");
        let database = Database::create(&settings.path).unwrap();
        let tables = database.begin_read().unwrap().list_tables().unwrap().count();
        assert_eq!(tables, 1 + usize::from(own_meta), "no table of ours was made");
    }
}

#[test]
fn a_file_whose_making_was_broken_off_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder.path().join("store.redb"));
    for bytes in [Vec::new(), vec![0; 5], vec![0; 1 << 20]] {
        fs::write(&settings.path, bytes).unwrap();
        fill(&settings);
        fs::remove_file(&settings.path).unwrap();
    }
    // A store whose first page was lost is another matter: there is something in it.
    fill(&settings);
    let mut bytes = fs::read(&settings.path).unwrap();
    bytes[..4096].fill(0);
    fs::write(&settings.path, &bytes).unwrap();
    assert!(matches!(refusal(&settings), StoreError::NotAStore(_)));
    assert_eq!(fs::read(&settings.path).unwrap(), bytes);
}

#[test]
fn a_damaged_file_is_an_error_and_never_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder.path().join("store.redb"));
    fill(&settings);
    let whole = fs::read(&settings.path).unwrap();
    for length in [10, 320, 4096, 8192, whole.len() / 2, whole.len() - 4096] {
        fs::write(&settings.path, &whole[..length]).unwrap();
        let error = refusal(&settings);
        assert!(error.to_string().contains("store.redb"), "cut to {length} bytes: {error}");
    }
    let seed = fastrand::u64(..);
    let mut chance = fastrand::Rng::with_seed(seed);
    for page in (0..whole.len()).step_by(4096) {
        let mut bytes = whole.clone();
        let length = if chance.bool() { 64 } else { 4096 };
        for byte in &mut bytes[page..page + length] {
            *byte = chance.u8(..);
        }
        fs::write(&settings.path, &bytes).unwrap();
        // Not every page is read on opening; what is wrong with one that is must be told with the file's name.
        if let Err(error) = Store::open(&settings, &names()) {
            assert!(error.to_string().contains("store.redb"), "seed {seed}, page at {page}: {error}");
        }
    }
}

#[test]
fn what_cannot_be_reached_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = settings(&folder.path().join("none.redb"));
    assert!(matches!(Store::open_existing(&missing, &[]), Err(StoreError::Path { path, .. }) if path == missing.path));
    assert!(!missing.path.exists(), "looking makes nothing");
    let is_folder = settings(folder.path());
    assert!(matches!(refusal(&is_folder), StoreError::Path { path, .. } if path == folder.path()));
    fs::write(folder.path().join("file"), "").unwrap();
    let below_a_file = settings(&folder.path().join("file/store.redb"));
    let error = refusal(&below_a_file);
    assert!(matches!(&error, StoreError::Path { .. }), "{error}");
    assert!(error.to_string().contains("/file"), "{error}");
}

#[test]
fn a_destination_keeps_its_number_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder.path().join("store.redb"));
    let open = |names: &[&str]| -> Vec<DestinationId> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Store::open(&settings, &names).unwrap().destinations
    };
    assert_eq!(open(&["a", "b"]), [DestinationId(1), DestinationId(2)]);
    assert_eq!(open(&["c"]), [DestinationId(3)]);
    assert_eq!(open(&["d", "b", "a", "d"]), [4, 2, 1, 4].map(DestinationId));
}

#[test]
fn numbers_that_were_lost_or_cut_short_are_never_given_out_twice() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(&folder.path().join("store.redb"));
    fill(&settings);
    set_meta(&settings, "numbers", Some(b"\x01\x00\x00"));
    let store = Store::open(&settings, &names()).unwrap().store;
    let start = || Writer::start(&store, rules(), WriterSettings::default(), ManualClock::at(START), Ear::new());
    assert!(matches!(start(), Err(StoreError::Record(_))));
    drop(store);
    set_meta(&settings, "numbers", None);
    let store = Store::open(&settings, &names()).unwrap().store;
    let start = || Writer::start(&store, rules(), WriterSettings::default(), ManualClock::at(START), Ear::new());
    let (writer, thread) = start().unwrap();
    writer.run(take_in("payment_intent.succeeded", 9, 0)).unwrap();
    writer.run(Command::Touch).unwrap();
    writer.close();
    thread.join().unwrap();
    let contents = audit::contents(&store);
    assert_eq!(contents.next, [5, 5, 5, 5]);
    assert_eq!(contents.webhooks.len(), 4);
}
