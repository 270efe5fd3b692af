//! What is past its keeping time goes, in slices, and nothing else does.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod storage;

use std::sync::Arc;

use tallyhook::ledger::intake::Receipt;
use tallyhook::ledger::workspace::Target;
use tallyhook::model::delivery::{FailureClass, Outcome};
use tallyhook::model::id::{BusinessEventId, ContactId, DeliveryId, GroupId, WebhookId};
use tallyhook::platform::clock::ManualClock;
use tallyhook::store::{Command, Reply, Store, Sweep, Writer, WriterSettings};

use storage::audit::{self, Contents};
use storage::broken::Broken;
use storage::fakes::{PEOPLE, PIXELS, names, rules};
use storage::play::at;
use storage::scenes::{limits, report, take_in};
use storage::{Ear, START};

const SALE: &str = "payment_intent.succeeded";
const DAY: u64 = 86_400;

/// A store that can be stopped and started over the same bytes.
struct Shop {
    disk: Broken,
    clock: Arc<ManualClock>,
    running: Option<(Store, Writer, std::thread::JoinHandle<()>)>,
}

impl Shop {
    fn open() -> Self {
        let mut shop = Self { disk: Broken::whole(Vec::new()), clock: ManualClock::at(START), running: None };
        shop.restart();
        shop
    }

    fn restart(&mut self) {
        if let Some((store, writer, thread)) = self.running.take() {
            writer.close();
            thread.join().unwrap();
            drop(store);
            self.disk = Broken::whole(self.disk.bytes());
        }
        let store = Store::open_with_backend(self.disk.clone(), 1 << 20, &names()).unwrap().store;
        let (writer, thread) =
            Writer::start(&store, rules(), WriterSettings::default(), self.clock.clone(), Ear::new()).unwrap();
        self.running = Some((store, writer, thread));
    }

    fn run(&self, seconds: u64, command: Command) -> Reply {
        self.clock.set(at(seconds));
        self.running.as_ref().unwrap().1.run(command).unwrap()
    }

    fn receipt(&self, seconds: u64, number: u64) -> Receipt {
        match self.run(seconds, take_in(SALE, number, seconds)) {
            Reply::Receipt(receipt) => receipt,
            other => panic!("{other:?} is no receipt"),
        }
    }

    /// Sweeps slice by slice to the end: the rows of each slice.
    fn sweep(&self, seconds: u64, first: Sweep) -> Vec<usize> {
        let (mut slice, mut slices) = (Some(first), Vec::new());
        while let Some(sweep) = slice {
            match self.run(seconds, Command::Sweep(sweep)) {
                Reply::Swept { rows, next } => {
                    slices.push(rows);
                    slice = next;
                }
                other => panic!("{other:?} is no slice"),
            }
        }
        slices
    }

    fn contents(&self) -> Contents {
        let contents = audit::contents(&self.running.as_ref().unwrap().0);
        audit::agree(&contents);
        contents
    }

    fn mark(&self, number: u64) -> Option<WebhookId> {
        let snapshot = self.running.as_ref().unwrap().0.reader().snapshot().unwrap();
        snapshot.webhook_by_mark(&storage::intake(SALE, number, START).mark).unwrap()
    }
}

#[test]
fn bodies_go_by_age_in_slices_and_marks_outlive_them() {
    let mut shop = Shop::open();
    for number in 1..=10 {
        shop.receipt(number * DAY, number);
    }
    assert_eq!(shop.sweep(37 * DAY, Sweep::Bodies(limits(8 * DAY, 3))), [3, 3, 1]);
    let kept: Vec<u64> =
        shop.contents().bodies.iter().filter(|(_, body, _)| body.is_some()).map(|(id, _, _)| id.0).collect();
    assert_eq!(kept, [10, 9, 8]);
    shop.restart();
    for number in 1..=10 {
        assert_eq!(shop.receipt(37 * DAY, number), Receipt::Duplicate(WebhookId(number)), "the marks are there");
    }
}

#[test]
fn a_mark_goes_with_its_webhook_and_then_the_event_is_new_but_counts_nothing_twice() {
    let mut shop = Shop::open();
    for number in 1..=4 {
        shop.receipt(0, number);
    }
    let before = shop.contents();
    assert_eq!(shop.sweep(36 * DAY, Sweep::Webhooks(limits(DAY, 3))), [3, 1]);
    assert_eq!(shop.sweep(36 * DAY, Sweep::Bodies(limits(DAY, 3))), [0], "bodies went with their webhooks");
    assert!(shop.contents().webhooks.is_empty());
    assert_eq!((1..=4).map(|number| shop.mark(number)).collect::<Vec<_>>(), [None; 4]);
    shop.restart();
    assert!(matches!(shop.receipt(36 * DAY, 2), Receipt::Stored(WebhookId(5), _)), "no number is used again");
    let after = shop.contents();
    assert_eq!(after.events.len(), before.events.len(), "the books knew the sale");
    assert_eq!(after.contacts.len(), before.contacts.len());
    assert_eq!(after.totals.webhooks, 5, "counts are of all that ever came");
}

#[test]
fn what_came_while_the_clock_was_wrong_does_not_hold_up_the_sweep() {
    let shop = Shop::open();
    shop.receipt(0, 1);
    shop.receipt(900 * DAY, 2);
    shop.receipt(DAY, 3);
    shop.receipt(50 * DAY, 4);
    assert_eq!(shop.sweep(60 * DAY, Sweep::Bodies(limits(30 * DAY, 100))), [3]);
    assert_eq!(shop.sweep(60 * DAY, Sweep::Webhooks(limits(25 * DAY, 100))), [3]);
    assert_eq!(shop.mark(2), None);
    assert_eq!(shop.contents().webhooks.len(), 1);
}

#[test]
fn attempts_go_by_age_but_never_those_of_a_delivery_that_is_not_over() {
    let shop = Shop::open();
    for number in 1..=4 {
        shop.receipt(0, number);
        shop.run(90, Command::Settle(GroupId(number)));
    }
    let event = |id| Target::Event(BusinessEventId(id));
    let contact = |id| Target::Contact(ContactId(id));
    let rejected = || Outcome::Permanent { class: FailureClass::Rejected, explanation: "422".into() };
    let retry = || Outcome::Retry { explanation: "503".into(), after: None };
    for (destination, targets) in
        [(PIXELS, [event(1), event(2), event(3)]), (PEOPLE, [contact(1), contact(2), contact(3)])]
    {
        let [over, failed, pending] = targets;
        shop.run(100, report(destination, over, 1, retry(), 100));
        shop.run(200, report(destination, over, 1, Outcome::Delivered, 200));
        shop.run(200, report(destination, failed, 2, rejected(), 200));
        shop.run(200, report(destination, pending, 3, retry(), 200));
    }
    let left = |shop: &Shop| -> Vec<(u16, u64)> {
        shop.contents().attempts.iter().map(|(id, target, _, _)| (id.0, target.number())).collect()
    };
    assert_eq!(left(&shop).len(), 8);
    let everything = |before| Sweep::Attempts(limits(before, 2), (0, 0, 0, 0));
    assert_eq!(shop.sweep(15 * DAY, everything(150)).iter().sum::<usize>(), 2, "the older ones of what is over");
    assert_eq!(shop.sweep(15 * DAY, everything(DAY)).iter().sum::<usize>(), 2);
    assert_eq!(left(&shop), [(1, 2), (1, 3), (2, 2), (2, 3)]);
    // A person decides: then they may go.
    for destination in [PIXELS, PEOPLE] {
        let id = DeliveryId { event: BusinessEventId(2), destination };
        assert_eq!(shop.run(15 * DAY, Command::Discard(id, "by hand".into())), Reply::Done);
    }
    assert_eq!(shop.sweep(15 * DAY, everything(DAY)).iter().sum::<usize>(), 2);
    assert_eq!(left(&shop), [(1, 3), (2, 3)]);
}

#[test]
fn a_delivery_keeps_its_last_attempts_only() {
    let shop = Shop::open();
    shop.receipt(0, 1);
    shop.run(90, Command::Settle(GroupId(1)));
    for number in 0..120 {
        let outcome = Outcome::SlowDown { after: None };
        shop.run(100 + number, report(PIXELS, Target::Event(BusinessEventId(1)), 1, outcome, 100 + number));
    }
    let contents = shop.contents();
    let numbers: Vec<u32> = contents.attempts.iter().map(|(_, _, number, _)| *number).collect();
    assert!(numbers.len() <= 51, "{numbers:?}");
    assert_eq!(numbers.first(), Some(&1), "the first tells how it began");
    assert_eq!(numbers.last(), Some(&120));
}

#[test]
fn after_everything_was_swept_and_a_restart_no_number_is_used_again() {
    let mut shop = Shop::open();
    for number in 1..=3 {
        shop.receipt(0, number);
    }
    shop.sweep(100 * DAY, Sweep::Webhooks(limits(99 * DAY, 100)));
    for _ in 0..2 {
        shop.restart();
    }
    assert!(matches!(shop.receipt(100 * DAY, 7), Receipt::Stored(WebhookId(4), _)));
    let contents = shop.contents();
    assert_eq!(contents.next, [5, 5, 5, 5]);
    assert_eq!(contents.events.len(), 4);
}
