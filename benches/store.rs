//! What the store costs without HTTP: dedup among a million marks, commits of different sizes, choosing what is due.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use redb::{Database, ReadableDatabase, TableDefinition};

use tallyhook::ledger::intake::Intake;
use tallyhook::ledger::rules::Rules;
use tallyhook::model::envelope::Envelope;
use tallyhook::model::id::DestinationId;
use tallyhook::model::secret::Secret;
use tallyhook::model::time::Timestamp;
use tallyhook::platform::clock::SystemClock;
use tallyhook::sources::stripe::{MetadataKeys, Settings, Stripe};
use tallyhook::sources::{Message, SampleRequest, Source};
use tallyhook::store::{Command, Listener, News, Store, StoreSettings, Writer, WriterSettings};

struct Quiet;

impl Listener for Quiet {
    fn committed(&self, _: &News) {}
    fn failed(&self, error: &str) {
        panic!("{error}");
    }
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap()
}

fn intake(source: &Stripe, number: u64) -> Intake {
    let wanted = SampleRequest {
        event_type: "payment_intent.succeeded",
        number,
        now: Timestamp::from_unix_seconds(1_790_000_000),
        livemode: true,
        endpoint: None,
    };
    let body = source.sample(&wanted).unwrap().body;
    let interpreted = source.interpret(&Message::bare(&body, wanted.now)).unwrap();
    Intake {
        source: "stripe".into(),
        provider_id: interpreted.provider_id.clone(),
        mark: format!("stripe/{}", interpreted.provider_id),
        mark_lives: None,
        envelope: Envelope::default(),
        received_at: Timestamp::from_unix_seconds(1_790_000_001),
        body_bytes: body.len() as u32,
        packed_body: tallyhook::store::body::compress(&body),
        interpreted: Some(interpreted),
    }
}

/// One commit of so many new events, each planned by the ledger.
fn commits(criterion: &mut Criterion) {
    let source = Stripe::new(Settings {
        secrets: vec![Secret::new("whsec_bench")],
        tolerance: Duration::from_secs(300),
        metadata: MetadataKeys::default(),
    });
    let folder = folder();
    let settings = StoreSettings { path: folder.path().join("store.redb"), cache: 32 << 20 };
    let opened = Store::open(&settings, &[]).unwrap();
    let (writer, thread) = Writer::start(
        &opened.store,
        Rules::default(),
        WriterSettings::default(),
        Arc::new(SystemClock),
        Arc::new(Quiet),
    )
    .unwrap();
    let mut next = 0;
    let mut group = criterion.benchmark_group("one commit");
    for size in [1, 8, 64, 512] {
        group.throughput(Throughput::Elements(size));
        group.bench_function(format!("{size} events"), |bencher| {
            bencher.iter_batched(
                || {
                    next += size;
                    (next - size..next).map(|number| intake(&source, number)).collect::<Vec<_>>()
                },
                |intakes| {
                    let (sender, receiver) = mpsc::channel();
                    let count = intakes.len();
                    for intake in intakes {
                        let sender = sender.clone();
                        writer.submit(Command::Intake(Box::new(intake)), move |reply| {
                            let _ = sender.send(reply.is_ok());
                        });
                    }
                    assert!((0..count).all(|_| receiver.recv().unwrap()));
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
    writer.close();
    thread.join().unwrap();
}

const MARKS: TableDefinition<'_, &str, u64> = TableDefinition::new("marks");
const DUE: TableDefinition<'_, (u16, i64, u64), ()> = TableDefinition::new("due");

/// A store file with a million marks and a million places in a due queue, 99 % of them of a destination that is held.
fn filled(folder: &tempfile::TempDir, marks: u64, due: u64) -> StoreSettings {
    let settings = StoreSettings { path: folder.path().join("filled.redb"), cache: 32 << 20 };
    drop(Store::open(&settings, &[]).unwrap());
    let database = Database::create(&settings.path).unwrap();
    for start in (0..marks.max(due)).step_by(100_000) {
        let txn = database.begin_write().unwrap();
        {
            let mut table = txn.open_table(MARKS).unwrap();
            for number in start..(start + 100_000).min(marks) {
                let scattered = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                table.insert(format!("stripe/evt_{scattered:020}").as_str(), number).unwrap();
            }
            let mut table = txn.open_table(DUE).unwrap();
            for number in start..(start + 100_000).min(due) {
                let destination = if number % 100 == 0 { 1 } else { 2 };
                table.insert((destination, number as i64, number), ()).unwrap();
            }
        }
        txn.commit().unwrap();
    }
    settings
}

fn dedup(criterion: &mut Criterion) {
    let million = 1_000_000;
    let folder = folder();
    let settings = filled(&folder, million, 0);
    let store = Store::open(&settings, &[]).unwrap().store;
    let reader = store.reader();
    let mut group = criterion.benchmark_group("dedup among a million marks");
    let mut number = 0_u64;
    group.bench_function("look-up in a fresh snapshot", |bencher| {
        bencher.iter(|| {
            number = (number + 7919) % million;
            let scattered = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mark = format!("stripe/evt_{scattered:020}");
            assert!(reader.snapshot().unwrap().webhook_by_mark(black_box(&mark)).unwrap().is_some());
        });
    });
    drop(store);
    drop(reader);
    let database = Database::create(&settings.path).unwrap();
    group.bench_function("look-up and insert in one transaction", |bencher| {
        bencher.iter_custom(|times| {
            let txn = database.begin_write().unwrap();
            let took = {
                let mut table = txn.open_table(MARKS).unwrap();
                let begin = Instant::now();
                for number in 0..times {
                    let mark = format!("stripe/evt_new{:020}", number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
                    use redb::ReadableTable;
                    if table.get(mark.as_str()).unwrap().is_none() {
                        table.insert(mark.as_str(), number).unwrap();
                    }
                }
                begin.elapsed()
            };
            txn.abort().unwrap();
            took
        });
    });
    group.finish();
    assert!(database.begin_read().is_ok());
}

fn due(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("the next due delivery, 99 % held");
    for count in [1000, 1_000_000] {
        let folder = folder();
        let settings = filled(&folder, 0, count);
        let store = Store::open(&settings, &[]).unwrap().store;
        let reader = store.reader();
        group.bench_function(format!("among {count}"), |bencher| {
            bencher.iter(|| {
                let snapshot = reader.snapshot().unwrap();
                assert!(!snapshot.due(DestinationId(1), Timestamp::FAR_FUTURE, 1).unwrap().is_empty());
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3));
    targets = commits, dedup, due
}
criterion_main!(benches);
