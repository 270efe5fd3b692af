//! One bad event harms nobody else: not the others of its commit, not those of other sales, not those who wait.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod storage;

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use redb::{Database, ReadableDatabase, TableDefinition};
use tallyhook::ledger::intake::Receipt;
use tallyhook::ledger::rules::Rules;
use tallyhook::ledger::workspace::Target;
use tallyhook::model::delivery::Outcome;
use tallyhook::model::id::{BusinessEventId, GroupId, WebhookId};
use tallyhook::model::statement::Meaning;
use tallyhook::model::webhook::Status;
use tallyhook::platform::clock::ManualClock;
use tallyhook::store::{
    Command, Listener, News, Page, Reply, Store, StoreSettings, Sweep, Unavailable, Writer, WriterSettings,
};

use storage::broken::Broken;
use storage::fakes::{PIXELS, names, rules, rules_that_panic_at};
use storage::play::{at, run_together};
use storage::scenes::{limits, report, take_in};
use storage::{Ear, START, audit, body, intake};

const SALE: &str = "payment_intent.succeeded";
const ALL: Page = Page { before: None, limit: usize::MAX };

struct Running {
    store: Store,
    writer: Writer,
    clock: Arc<ManualClock>,
    ear: Arc<Ear>,
    thread: std::thread::JoinHandle<()>,
}

impl Running {
    fn over(store: Store, rules: Rules, settings: WriterSettings) -> Self {
        let (clock, ear) = (ManualClock::at(START), Ear::new());
        let (writer, thread) = Writer::start(&store, rules, settings, clock.clone(), ear.clone()).unwrap();
        Self { store, writer, clock, ear, thread }
    }

    fn in_memory(rules: Rules) -> Self {
        let opened = Store::open_with_backend(Broken::whole(Vec::new()), 1 << 20, &names()).unwrap();
        Self::over(opened.store, rules, WriterSettings::default())
    }

    fn at_path(settings: &StoreSettings) -> Self {
        Self::over(Store::open(settings, &names()).unwrap().store, rules(), WriterSettings::default())
    }

    fn stop(self) {
        self.writer.close();
        self.thread.join().unwrap();
        assert_eq!(self.ear.failures(), 0);
    }

    fn receipt(&self, command: Command) -> Receipt {
        match self.writer.run(command).unwrap() {
            Reply::Receipt(receipt) => receipt,
            other => panic!("{other:?} is no receipt"),
        }
    }
}

fn file() -> (tempfile::TempDir, StoreSettings) {
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings { path: folder.path().join("store.redb"), cache: 1 << 20 };
    (folder, settings)
}

#[test]
fn a_planner_that_panics_on_one_of_64_webhooks_costs_only_that_one() {
    let odd = 29;
    let Some(Meaning::Statement(said)) = intake(SALE, odd, START).interpreted.map(|told| told.meaning) else {
        panic!("a sale says something")
    };
    let running = Running::in_memory(rules_that_panic_at(&said.object.id));
    let replies = run_together(&running.writer, (1..=64).map(|number| take_in(SALE, number, 0)).collect());
    for (number, reply) in (1..=64).zip(replies) {
        let status = if number == odd { Status::Unreadable } else { Status::Accepted };
        assert_eq!(reply, Ok(Reply::Receipt(Receipt::Stored(WebhookId(number), status))));
    }

    let contents = audit::contents(&running.store);
    audit::agree(&contents);
    for (id, found, marked) in &contents.bodies {
        assert_eq!(found.as_deref(), Some(body(SALE, id.0, START).as_slice()));
        assert_eq!(*marked, Some(*id));
    }
    let planned: Vec<u64> = contents.events.iter().map(|event| event.webhook.0).collect();
    assert_eq!(planned.len(), 63);
    assert!(!planned.contains(&odd));
    assert!(contents.events.iter().all(|event| event.deliveries.len() == 2));

    assert_eq!(running.receipt(take_in(SALE, odd, 1)), Receipt::Duplicate(WebhookId(odd)), "it is not taken in twice");
    // A version that can digest it takes it up again.
    running.writer.set_rules(rules());
    let told = Box::new(intake(SALE, odd, START).interpreted.unwrap());
    assert_eq!(running.writer.run(Command::Reinterpret(WebhookId(odd), told)), Ok(Reply::Done));
    let contents = audit::contents(&running.store);
    audit::agree(&contents);
    assert_eq!(contents.events.len(), 64);
    assert!(contents.webhooks.iter().all(|webhook| webhook.status == Status::Accepted));
    let ear = Arc::clone(&running.ear);
    running.stop();
    assert_eq!(*ear.commits.lock().unwrap(), 4, "holding the writer up, all 64, the repeat, and the second reading");
    assert_eq!(*ear.unreadable.lock().unwrap(), [odd], "somebody is told of it");
}

#[test]
fn a_sale_that_cannot_be_settled_is_told_of_and_asked_for_again_in_an_hour() {
    let Some(Meaning::Statement(said)) = intake(SALE, 2, START).interpreted.map(|told| told.meaning) else {
        panic!("a sale says something")
    };
    let running = Running::in_memory(rules());
    run_together(&running.writer, (1..=3).map(|number| take_in(SALE, number, 0)).collect());
    running.writer.set_rules(rules_that_panic_at(&said.object.id));
    running.clock.set(at(90));
    let replies = run_together(&running.writer, (1..=3).map(|group| Command::Settle(GroupId(group))).collect());
    assert_eq!((&replies[0], &replies[2]), (&Ok(Reply::Done), &Ok(Reply::Done)));
    assert!(matches!(replies[1], Ok(Reply::Refused(_))));
    let waiting = |until| running.store.reader().snapshot().unwrap().settled(until, 10).unwrap();
    assert!(waiting(at(3600)).is_empty());
    assert_eq!(waiting(at(3690)), [(at(3690), GroupId(2))]);
    running.writer.set_rules(rules());
    running.clock.set(at(3690));
    assert_eq!(running.writer.run(Command::Settle(GroupId(2))), Ok(Reply::Done));
    let contents = audit::contents(&running.store);
    audit::agree(&contents);
    assert!(contents.settle.is_empty());
    assert_eq!(contents.due.len(), 6, "both destinations are told of all three");
    let ear = Arc::clone(&running.ear);
    running.stop();
    assert_eq!(*ear.unreadable.lock().unwrap(), [2]);
}

/// Puts other bytes into a row, behind the store's back. Returns what was there.
fn overwrite(settings: &StoreSettings, table: &str, key: u64, bytes: &[u8]) -> Vec<u8> {
    let definition: TableDefinition<'_, u64, &[u8]> = TableDefinition::new(table);
    let database = Database::create(&settings.path).unwrap();
    let txn = database.begin_write().unwrap();
    let before = {
        let mut table = txn.open_table(definition).unwrap();
        table.insert(key, bytes).unwrap().unwrap().value().to_vec()
    };
    txn.commit().unwrap();
    assert!(database.begin_read().is_ok());
    before
}

const GARBAGE: [&[u8]; 3] = [b"\xff\xff\xff\xff", b"", b"\x00\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80"];

#[test]
fn a_group_that_cannot_be_read_costs_only_its_own_events() {
    for garbage in GARBAGE {
        let (_folder, settings) = file();
        let running = Running::at_path(&settings);
        for number in 1..=3 {
            running.receipt(take_in(SALE, number, 0));
        }
        running.stop();
        let whole = overwrite(&settings, "groups", 1, garbage);

        let running = Running::at_path(&settings);
        running.clock.set(at(90));
        let replies = run_together(
            &running.writer,
            vec![
                take_in(SALE, 4, 90),
                take_in("charge.succeeded", 1, 90),
                take_in("charge.succeeded", 2, 90),
                Command::Settle(GroupId(1)),
                Command::Settle(GroupId(2)),
                Command::Settle(GroupId(3)),
            ],
        );
        assert_eq!(replies[0], Ok(Reply::Receipt(Receipt::Stored(WebhookId(4), Status::Accepted))));
        assert_eq!(replies[1], Ok(Reply::Receipt(Receipt::Stored(WebhookId(5), Status::Unreadable))));
        assert_eq!(replies[2], Ok(Reply::Receipt(Receipt::Stored(WebhookId(6), Status::Accepted))));
        assert!(matches!(&replies[3], Ok(Reply::Refused(why)) if why.contains("group")), "{:?}", replies[3]);
        assert_eq!(replies[4..], [Ok(Reply::Done), Ok(Reply::Done)]);
        let snapshot = running.store.reader().snapshot().unwrap();
        assert_eq!(snapshot.due(PIXELS, at(90), 10).unwrap().len(), 2);
        assert!(snapshot.settled(at(90), 10).unwrap().is_empty(), "what can't be settled is not asked for in a loop");
        assert_eq!(snapshot.body(WebhookId(5), 1 << 20).unwrap(), Some(body("charge.succeeded", 1, at(90))));
        drop(snapshot);
        running.stop();

        // Once it can be read again it settles, an hour later, and leaves nothing behind in the queue.
        overwrite(&settings, "groups", 1, &whole);
        let running = Running::at_path(&settings);
        running.clock.set(at(90 + 3600));
        let asked: Vec<u64> = running
            .store
            .reader()
            .snapshot()
            .unwrap()
            .settled(at(90 + 3600), 10)
            .unwrap()
            .into_iter()
            .map(|(_, group)| group.0)
            .collect();
        assert!(asked.contains(&1), "{asked:?}");
        for group in asked {
            assert_eq!(running.writer.run(Command::Settle(GroupId(group))), Ok(Reply::Done));
        }
        audit::agree(&audit::contents(&running.store));
        running.stop();
    }
}

#[test]
fn a_business_event_or_contact_that_cannot_be_read_costs_only_its_own() {
    for table in ["business_events", "contacts"] {
        let (_folder, settings) = file();
        let running = Running::at_path(&settings);
        for number in 1..=3 {
            running.receipt(take_in(SALE, number, 0));
        }
        running.stop();
        overwrite(&settings, table, 2, GARBAGE[0]);
        let running = Running::at_path(&settings);
        running.clock.set(at(90));
        let settled = run_together(&running.writer, (1..=3).map(|group| Command::Settle(GroupId(group))).collect());
        assert_eq!((&settled[0], &settled[2]), (&Ok(Reply::Done), &Ok(Reply::Done)));
        assert!(matches!(settled[1], Ok(Reply::Refused(_))));
        let results = run_together(
            &running.writer,
            (1..=3).map(|id| report(PIXELS, Target::Event(BusinessEventId(id)), id, Outcome::Delivered, 91)).collect(),
        );
        assert_eq!((&results[0], &results[2]), (&Ok(Reply::Done), &Ok(Reply::Done)));
        let events = running.store.reader().snapshot().unwrap().business_events(ALL).unwrap();
        assert_eq!(events.len(), if table == "contacts" { 3 } else { 2 }, "one bad record does not hide the list");
        running.stop();
    }
}

#[test]
fn a_webhook_that_cannot_be_read_hides_no_other_and_stops_no_sweep() {
    let day = 86_400;
    let (_folder, settings) = file();
    let running = Running::at_path(&settings);
    for number in 1..=5 {
        running.receipt(take_in(SALE, number, number * day));
    }
    running.stop();
    overwrite(&settings, "webhooks", 1, GARBAGE[0]);
    overwrite(&settings, "webhooks", 3, GARBAGE[0]);
    let running = Running::at_path(&settings);
    running.clock.set(at(40 * day));
    let listed = |running: &Running| -> Vec<u64> {
        let webhooks = running.store.reader().snapshot().unwrap().webhooks(ALL).unwrap();
        webhooks.into_iter().map(|webhook| webhook.id.0).collect()
    };
    assert_eq!(listed(&running), [5, 4, 2]);
    let sweep = |sweep| running.writer.run(Command::Sweep(sweep));
    let swept = |rows| Ok(Reply::Swept { rows, next: None });
    assert_eq!(sweep(Sweep::Bodies(limits(4 * day, 100))), swept(2), "those that lie before one that is old");
    assert_eq!(sweep(Sweep::Webhooks(limits(5 * day, 100))), swept(4));
    assert_eq!(listed(&running), [5]);
    running.stop();
}

#[test]
fn neither_reports_nor_webhooks_starve_the_others() {
    let opened = Store::open_with_backend(Broken::whole(Vec::new()), 1 << 20, &names()).unwrap();
    let running = Running::over(opened.store, rules(), WriterSettings { most_waiting: 4096, most_in_batch: 64 });
    let (let_go, held) = mpsc::channel::<()>();
    let (is_held, holds) = mpsc::channel();
    running.writer.submit(Command::Touch, move |_| {
        is_held.send(()).unwrap();
        let _ = held.recv();
    });
    holds.recv().unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let (sender, receiver) = mpsc::channel();
    let submit = |command, webhook: bool| {
        let (order, sender) = (Arc::clone(&order), sender.clone());
        running.writer.submit(command, move |reply| {
            reply.unwrap();
            order.lock().unwrap().push(webhook);
            sender.send(()).unwrap();
        });
    };
    for _ in 0..10_000 {
        submit(report(PIXELS, Target::Event(BusinessEventId(1)), 1, Outcome::Delivered, 1), false);
    }
    for number in 1..=96 {
        submit(take_in(SALE, number, 0), true);
    }
    let_go.send(()).unwrap();
    for _ in 0..10_096 {
        receiver.recv().unwrap();
    }
    let order = order.lock().unwrap();
    let last_webhook = order.iter().rposition(|webhook| *webhook).unwrap();
    assert!(last_webhook < 3 * 64, "every batch holds at least half webhooks while some wait: {last_webhook}");
    let first_report = order.iter().position(|webhook| !*webhook).unwrap();
    assert!(first_report < 64, "and the other half reports: {first_report}");
    drop(order);
    running.stop();
}

#[test]
fn more_webhooks_than_may_wait_are_told_to_come_again_and_nothing_else_is() {
    let opened = Store::open_with_backend(Broken::whole(Vec::new()), 1 << 20, &names()).unwrap();
    let running = Running::over(opened.store, rules(), WriterSettings { most_waiting: 3, most_in_batch: 64 });
    let (let_go, held) = mpsc::channel::<()>();
    let (is_held, holds) = mpsc::channel();
    running.writer.submit(Command::Touch, move |_| {
        is_held.send(()).unwrap();
        let _ = held.recv();
    });
    holds.recv().unwrap();
    let (sender, receiver) = mpsc::channel();
    let submit = |command| {
        let sender = sender.clone();
        running.writer.submit(command, move |reply| sender.send(reply.map(|_| ())).unwrap());
    };
    for number in 1..=3 {
        assert_eq!(running.writer.has_room(), Ok(()));
        submit(take_in(SALE, number, 0));
    }
    assert_eq!(running.writer.has_room(), Err(Unavailable::Overloaded));
    submit(take_in(SALE, 4, 0));
    assert_eq!(receiver.recv().unwrap(), Err(Unavailable::Overloaded), "at once");
    submit(Command::Touch);
    running.writer.close();
    submit(take_in(SALE, 5, 0));
    assert_eq!(receiver.recv().unwrap(), Err(Unavailable::Stopped), "at once");
    let_go.send(()).unwrap();
    for _ in 0..4 {
        assert_eq!(receiver.recv().unwrap(), Ok(()), "what was taken in is written before the end");
    }
    assert_eq!(audit::contents(&running.store).webhooks.len(), 3);
    running.stop();
}

struct Panics;

impl Listener for Panics {
    fn committed(&self, _: &News) {
        panic!("a defect of the listener");
    }

    fn failed(&self, _: &str) {}
}

#[test]
fn a_defect_in_taking_an_answer_does_not_stop_the_writer() {
    let store = Store::open_with_backend(Broken::whole(Vec::new()), 1 << 20, &names()).unwrap().store;
    let clock = ManualClock::at(START);
    let (writer, thread) = Writer::start(&store, rules(), WriterSettings::default(), clock, Arc::new(Panics)).unwrap();
    writer.submit(take_in(SALE, 1, 0), |_| panic!("a defect of the one who asked"));
    let replies = run_together(&writer, vec![take_in(SALE, 1, 0), take_in(SALE, 2, 0)]);
    assert_eq!(replies[0], Ok(Reply::Receipt(Receipt::Duplicate(WebhookId(1)))));
    assert_eq!(replies[1], Ok(Reply::Receipt(Receipt::Stored(WebhookId(2), Status::Accepted))));
    writer.close();
    thread.join().unwrap();
}
