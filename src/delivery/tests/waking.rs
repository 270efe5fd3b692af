//! Nobody sleeps while there is something to do: by the system's clock, where whoever is not woken sleeps for up to a minute.

use std::time::{Duration, Instant};

use super::fakes::{Answer, Fake, ok, status_only};
use super::world::{World, wait_until};
use crate::model::retry::RetrySchedule;

/// Far less than a nap, far more than a busy machine takes.
const SOON: Duration = Duration::from_secs(15);

fn soon(what: &str, start: Instant) {
    assert!(start.elapsed() < SOON, "{what} took {:?}", start.elapsed());
}

fn world() -> World {
    World::new()
        .with_spec("events", Fake::events(), |spec| spec.concurrency = 4)
        .with_spec("people", Fake::contacts(), |spec| spec.concurrency = 4)
        .in_real_time()
}

#[test]
fn news_wakes_an_idle_lane() {
    let world = world().started();
    std::thread::sleep(Duration::from_millis(50));
    let start = Instant::now();
    for _ in 0..50 {
        let sale = world.new_sale();
        wait_until("it is told", || (0..2).all(|at| world.state(sale, at) == "delivered"));
    }
    soon("fifty sales, one after the other", start);
}

#[test]
fn a_burst_keeps_every_worker_busy() {
    let world = world().started();
    for at in 0..2 {
        world.client(at).answers(|_| {
            std::thread::sleep(Duration::from_millis(60));
            Answer::Now(ok())
        });
    }
    let start = Instant::now();
    let sales: Vec<_> = (0..40).map(|_| world.new_sale()).collect();
    wait_until("all are told", || {
        sales.iter().rev().all(|sale| (0..2).all(|at| world.state(*sale, at) == "delivered"))
    });
    soon("forty sales", start);
    assert!((0..2).all(|at| world.client(at).most_active() == 4));
}

#[test]
fn news_of_one_person_during_a_request_is_told_right_after() {
    let world = world().started();
    let start = Instant::now();
    for _ in 0..30 {
        world.client(1).answers(|_| Answer::Hang);
        let before = world.client(1).count();
        let first = world.sale_to("ada");
        world.client(1).wait_for_hanging(1);
        let second = world.sale_to("ada");
        world.client(1).always(ok());
        world.client(1).let_go(1);
        wait_until("both are told", || [first, second].iter().all(|sale| world.state(*sale, 1) == "delivered"));
        assert_eq!(world.client(1).count(), before + 2);
    }
    soon("thirty pairs", start);
}

#[test]
fn resuming_and_retrying_wake_it() {
    let world = world().started();
    let start = Instant::now();
    world.set_paused(0, true);
    let sale = world.new_sale();
    std::thread::sleep(Duration::from_millis(30));
    assert_eq!(world.client(0).count(), 0);
    world.client(0).always(status_only(422));
    world.set_paused(0, false);
    wait_until("it is refused", || world.state(sale, 0) == "failed: rejected");
    world.client(0).always(ok());
    world.retry(sale, 0).unwrap();
    wait_until("it is told", || world.state(sale, 0) == "delivered");
    soon("resuming and retrying", start);
}

#[test]
fn what_is_due_later_is_not_slept_through() {
    let waits = [0, 30, 60, 90].map(Duration::from_millis).to_vec();
    let world = World::new()
        .with_spec("events", Fake::events(), |spec| spec.schedule = RetrySchedule::new(waits).unwrap())
        .in_real_time()
        .started();
    let mut count = 0;
    world.client(0).answers(move |_| {
        count += 1;
        Answer::Now(if count % 4 == 0 { ok() } else { status_only(503) })
    });
    let start = Instant::now();
    for _ in 0..2 {
        let sale = world.new_sale();
        wait_until("it is told", || world.state(sale, 0) == "delivered");
    }
    soon("eight attempts", start);
}
