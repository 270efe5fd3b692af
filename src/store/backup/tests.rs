//! Backups of stores that a test fills by hand: what is odd in them, and how much memory they take.

use std::io::{self, Write};

use redb::Database;
use redb::backends::InMemoryBackend;

use super::*;
use crate::store::open::begin_write;
use crate::store::schema;
use crate::store::upgrade::{self, Upgrade};

/// A store of today's layout in memory.
fn database() -> Database {
    let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
    upgrade::migrate(&database, &Upgrade::default(), |_| Ok(None)).unwrap();
    database
}

fn backup_of(database: &Database) -> Vec<u8> {
    let mut bytes = Vec::new();
    write(&snapshot(database), Timestamp::from_unix_seconds(1_790_000_000), &mut bytes).unwrap();
    bytes
}

fn snapshot(database: &Database) -> Snapshot {
    use redb::ReadableDatabase;
    Snapshot { txn: database.begin_read().unwrap() }
}

fn restored(bytes: &[u8]) -> Result<Summary, BackupError> {
    let mut from = bytes;
    rebuild(&mut from, tempfile::tempfile().unwrap(), 1 << 20)
}

/// Blocks of one's own behind a header.
fn forged(layout: u32, blocks: &[(Kind, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let header = Header { format: FORMAT, layout, program: "9.9.9".into(), at: Timestamp::EPOCH };
    let mut encoder = Encoder::begin(&mut bytes, &header).unwrap();
    for (kind, block) in blocks {
        encoder.block(*kind, block).unwrap();
    }
    encoder.finish().unwrap();
    bytes
}

#[test]
fn an_empty_store_makes_a_backup_that_is_whole() {
    let bytes = backup_of(&database());
    let summary = verify(&mut &bytes[..]).unwrap();
    assert_eq!((summary.count("webhooks"), summary.deliveries, summary.faults.len()), (0, 0, 0));
    assert_eq!(summary.bytes, bytes.len() as u64);
    assert_eq!(restored(&bytes).unwrap().rows, summary.rows);
}

#[test]
fn a_record_that_cannot_be_read_is_kept_and_told() {
    let database = database();
    let txn = begin_write(&database).unwrap();
    txn.open_table(schema::WEBHOOKS).unwrap().insert(7, b"\x00nonsense".as_slice()).unwrap();
    txn.commit().unwrap();
    let bytes = backup_of(&database);
    for summary in [verify(&mut &bytes[..]).unwrap(), restored(&bytes).unwrap()] {
        assert_eq!(summary.count("webhooks"), 1, "it is in the backup all the same");
        assert!(summary.faults[0].contains("1 record of webhooks can't be read"), "{:?}", summary.faults);
    }
}

#[test]
fn a_queue_that_does_not_agree_with_the_deliveries_is_told() {
    for failed in [false, true] {
        let database = database();
        let txn = begin_write(&database).unwrap();
        if failed {
            txn.open_table(schema::FAILED).unwrap().insert((3, 12), ()).unwrap();
        } else {
            txn.open_table(schema::DUE).unwrap().insert((3, 5, 12), ()).unwrap();
        }
        txn.commit().unwrap();
        let faults = restored(&backup_of(&database)).unwrap().faults;
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains("destination 3") || faults[0].contains("b12.3"), "{faults:?}");
    }
}

#[test]
fn a_layout_that_came_later_is_refused_with_a_sentence() {
    let bytes = forged(99, &[(Kind::End, b"{}")]);
    let error = verify(&mut &bytes[..]).unwrap_err().to_string();
    assert!(error.contains("newer version of tallyhook (9.9.9; layout 99, this one knows 1)"), "{error}");
    assert!(restored(&bytes).is_err());
}

#[test]
fn a_stream_that_proves_itself_but_makes_no_sense_is_refused() {
    let meta = Kind::Table;
    let cases: [&[(Kind, &[u8])]; 9] = [
        &[(meta, b"unheard_of"), (Kind::End, b"{}")],
        &[(meta, b"webhooks"), (meta, b"webhooks"), (Kind::End, b"{}")],
        &[(Kind::Rows, b""), (Kind::End, b"{}")],
        &[(Kind::Header, b"{}"), (Kind::End, b"{}")],
        &[(meta, b"webhooks"), (Kind::Rows, b"\x01"), (Kind::End, b"{}")],
        &[(meta, b"webhooks"), (Kind::End, br#"{"webhooks":1}"#)],
        &[(meta, b"webhooks"), (Kind::End, br#"{"contacts":0}"#)],
        &[(meta, b"webhooks"), (Kind::End, b"nonsense")],
        &[(meta, b"meta"), (Kind::Rows, b"\x01\0\0\0\xff\0\0\0\0"), (Kind::End, br#"{"meta":1}"#)],
    ];
    for (number, blocks) in cases.into_iter().enumerate() {
        let bytes = forged(1, blocks);
        let error = verify(&mut &bytes[..]).unwrap_err();
        assert!(matches!(error, BackupError::Nonsense(_)), "case {number}: {error}");
        assert!(restored(&bytes).is_err(), "case {number}");
    }
    // Whole, but no store: it does not say its layout.
    let bytes = forged(1, &[(meta, b"webhooks"), (Kind::End, br#"{"webhooks":0}"#)]);
    assert!(verify(&mut &bytes[..]).is_ok());
    assert!(matches!(restored(&bytes), Err(BackupError::Store(_) | BackupError::Nonsense(_))));
}

/// Forgets everything but the longest piece.
struct Longest(usize);

impl Write for Longest {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.max(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_large_table_goes_by_in_small_pieces() {
    let database = database();
    let txn = begin_write(&database).unwrap();
    {
        let mut bodies = txn.open_table(schema::BODIES).unwrap();
        let packed = crate::store::body::compress(&(0..=255).collect::<Vec<u8>>());
        for id in 1..=20_000 {
            bodies.insert(id, packed.as_slice()).unwrap();
        }
    }
    txn.commit().unwrap();
    let mut longest = Longest(0);
    write(&snapshot(&database), Timestamp::EPOCH, &mut longest).unwrap();
    assert!(longest.0 < catalogue::BLOCK_BYTES + 1024, "{} bytes at once", longest.0);
    let summary = restored(&backup_of(&database)).unwrap();
    assert_eq!((summary.count("bodies"), summary.faults.len()), (20_000, 0));
    assert!(summary.bytes > 20_000 * 257, "all of it went by");
}
