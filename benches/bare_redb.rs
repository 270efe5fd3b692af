//! The floor: redb alone, committing the rows that one `payment_intent.succeeded` with three destinations leaves behind, with the
//! same settings and the same group commit as the store, without HTTP, JSON or rules.
//!
//! `cargo bench --bench bare_redb -- --json` prints `{"per_s":…,"p50_ms":…,"p99_ms":…}` for 64 closed-loop clients, and one such
//! line for 300 events a second on a fixed schedule.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use redb::{Database, TableDefinition};

type Bytes = &'static [u8];

const META: TableDefinition<'_, &str, Bytes> = TableDefinition::new("meta");
const WEBHOOKS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("webhooks");
const BODIES: TableDefinition<'_, u64, Bytes> = TableDefinition::new("bodies");
const MARKS: TableDefinition<'_, &str, u64> = TableDefinition::new("marks");
const GROUPS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("groups");
const LINKS: TableDefinition<'_, &str, u64> = TableDefinition::new("links");
const CONTACTS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("contacts");
const IDENTITIES: TableDefinition<'_, &str, Bytes> = TableDefinition::new("identities");
const CONTACT_GROUPS: TableDefinition<'_, (u64, i64, u64), ()> = TableDefinition::new("contact_groups");
const BUSINESS_EVENTS: TableDefinition<'_, u64, Bytes> = TableDefinition::new("business_events");
const SETTLE: TableDefinition<'_, (i64, u64), ()> = TableDefinition::new("settle");

/// As the writer.
const MOST_IN_BATCH: usize = 512;
/// As the configuration's default.
const CACHE: usize = 32 * 1024 * 1024;
/// What the load generator's body compresses to, and the records that go with it, in bytes.
const BODY: usize = 314;
const WEBHOOK: usize = 87;
const GROUP: usize = 283;
const CONTACT: usize = 243;
const BUSINESS_EVENT: usize = 238;

struct Job {
    number: u64,
    done: mpsc::SyncSender<()>,
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut generator = fastrand::Rng::with_seed(seed);
    (0..length).map(|_| generator.u8(..)).collect()
}

fn insert(txn: &redb::WriteTransaction, jobs: &[Job], values: &Values) -> Result<(), redb::Error> {
    let mut webhooks = txn.open_table(WEBHOOKS)?;
    let mut bodies = txn.open_table(BODIES)?;
    let mut marks = txn.open_table(MARKS)?;
    let mut groups = txn.open_table(GROUPS)?;
    let mut links = txn.open_table(LINKS)?;
    let mut contacts = txn.open_table(CONTACTS)?;
    let mut identities = txn.open_table(IDENTITIES)?;
    let mut contact_groups = txn.open_table(CONTACT_GROUPS)?;
    let mut business_events = txn.open_table(BUSINESS_EVENTS)?;
    let mut settle = txn.open_table(SETTLE)?;
    let mut meta = txn.open_table(META)?;
    for Job { number, .. } in jobs {
        let n = *number;
        webhooks.insert(n, values.webhook.as_slice())?;
        bodies.insert(n, values.body.as_slice())?;
        marks.insert(format!("stripe/evt_load{n:012}").as_str(), n)?;
        groups.insert(n, values.group.as_slice())?;
        links.insert(format!("stripe/-/live/pi_load{n:012}").as_str(), n)?;
        links.insert(format!("stripe/-/live/ch_{n:08}").as_str(), n)?;
        contacts.insert(n, values.contact.as_slice())?;
        for identity in [
            format!("email/live/buyer{n:08}@example.com"),
            format!("customer/live/stripe/-/cus_{n:08}"),
            format!("user/live/user_{n:08}"),
            format!("lead/live/lead_{n:08}"),
        ] {
            identities.insert(identity.as_str(), [0, 0, n as u8, (n >> 8) as u8].as_slice())?;
        }
        contact_groups.insert((n, 1_790_000_000_000, n), ())?;
        business_events.insert(n, values.business_event.as_slice())?;
        settle.insert((1_790_000_060_000 + (n / 10) as i64, n), ())?;
    }
    meta.insert("numbers", values.webhook.as_slice())?;
    Ok(())
}

struct Values {
    webhook: Vec<u8>,
    body: Vec<u8>,
    group: Vec<u8>,
    contact: Vec<u8>,
    business_event: Vec<u8>,
}

fn write(database: &Database, jobs: &mpsc::Receiver<Job>) {
    let values = Values {
        webhook: noise(WEBHOOK, 1),
        body: noise(BODY, 2),
        group: noise(GROUP, 3),
        contact: noise(CONTACT, 4),
        business_event: noise(BUSINESS_EVENT, 5),
    };
    while let Ok(first) = jobs.recv() {
        let mut batch = vec![first];
        batch.extend(jobs.try_iter().take(MOST_IN_BATCH - 1));
        let mut txn = database.begin_write().unwrap();
        txn.set_quick_repair(true);
        insert(&txn, &batch, &values).unwrap();
        txn.commit().unwrap();
        for job in batch {
            let _ = job.done.send(());
        }
    }
}

fn one(jobs: &mpsc::Sender<Job>, number: u64) {
    let (done, answer) = mpsc::sync_channel(1);
    jobs.send(Job { number, done }).unwrap();
    answer.recv().unwrap();
}

fn print(count: u64, took: Duration, mut latencies: Vec<Duration>, json: bool, what: &str) {
    latencies.sort();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    let (per_s, p50, p99) = (count as f64 / took.as_secs_f64(), at(0.5), at(0.99));
    if json {
        println!(r#"{{"per_s":{per_s:.0},"p50_ms":{p50:.3},"p99_ms":{p99:.3}}}"#);
    } else {
        println!("bare redb, {what}: {per_s:.0}/s, p50 {p50:.2} ms, p99 {p99:.2} ms");
    }
}

fn closed_loop(jobs: &mpsc::Sender<Job>, clients: usize, count: u64) -> (Duration, Vec<Duration>) {
    let next = Arc::new(AtomicU64::new(1));
    let begin = Instant::now();
    let threads: Vec<_> = (0..clients)
        .map(|_| {
            let (jobs, next) = (jobs.clone(), Arc::clone(&next));
            thread::spawn(move || {
                let mut latencies = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number > count {
                        return latencies;
                    }
                    let began = Instant::now();
                    one(&jobs, number);
                    latencies.push(began.elapsed());
                }
            })
        })
        .collect();
    let latencies = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    (begin.elapsed(), latencies)
}

fn on_schedule(jobs: &mpsc::Sender<Job>, first: u64, rate: u64, count: u64) -> (Duration, Vec<Duration>) {
    let next = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let (jobs, next) = (jobs.clone(), Arc::clone(&next));
            thread::spawn(move || {
                let mut latencies = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return latencies;
                    }
                    let due = begin + Duration::from_secs_f64(number as f64 / rate as f64);
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    one(&jobs, first + number);
                    // From the moment it was due, so that a stall is charged for the queue it builds.
                    latencies.push(due.elapsed());
                }
            })
        })
        .collect();
    let latencies = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    (begin.elapsed(), latencies)
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    // `cargo test --benches` only wants to know that it runs.
    let short = arguments.iter().any(|argument| argument == "--test");
    let count = if short { 200 } else { 40_000 };
    // On the disk that the project lies on, as the store would be; a temporary folder is often memory.
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    let database = Arc::new(builder.create(folder.path().join("bare.redb")).unwrap());
    let (jobs, waiting) = mpsc::channel();
    let writes = Arc::clone(&database);
    let writer = thread::spawn(move || write(&writes, &waiting));
    let (took, latencies) = closed_loop(&jobs, 64, count);
    print(count, took, latencies, json, "64 clients");
    let scheduled = if short { 30 } else { 3000 };
    let (took, latencies) = on_schedule(&jobs, count + 1, 300, scheduled);
    print(scheduled, took, latencies, json, "300 a second");
    drop(jobs);
    writer.join().unwrap();
}
