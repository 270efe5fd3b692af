//! Stopping: soon, and with nothing lost.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::crashes::ga4;
use super::fakes::{Answer, Fake, Sent, ok, status_only};
use super::world::{World, wait_until};
use crate::model::rate::RateLimit;

fn soon(world: &mut World) {
    let start = Instant::now();
    world.stop();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn a_request_that_hangs_is_broken_off_and_made_again_after_the_start() {
    let mut world = World::new().with("ga4", ga4()).started();
    world.client(0).answers(|_| Answer::Hang);
    let sale = world.sale_to("ada");
    world.client(0).wait_for_hanging(1);
    soon(&mut world);
    world.client(0).always(status_only(204));
    world.start();
    world.settle();
    assert_eq!((world.state(sale, 0).as_str(), world.client(0).count()), ("delivered", 2));
    assert_eq!(world.delivery(sale, 0).schedule.attempts, 1, "what we broke off is not the destination's failure");
}

#[test]
fn what_may_have_arrived_when_it_was_broken_off_stays_ambiguous() {
    let mut world = World::new().with("ga4", ga4()).started();
    world.client(0).answers(|_| Answer::Hang);
    let event = world.failed_payment("ada");
    world.client(0).wait_for_hanging(1);
    soon(&mut world);
    world.client(0).always(status_only(204));
    world.start();
    world.settle();
    assert_eq!((world.state(event, 0).as_str(), world.client(0).count()), ("suppressed: ambiguous", 1));
}

#[test]
fn what_never_left_is_not_ambiguous() {
    let mut world = World::new().with("ga4", ga4()).started();
    world.client(0).answers(|_| Answer::Connecting);
    let event = world.failed_payment("ada");
    world.client(0).wait_for_hanging(1);
    soon(&mut world);
    world.client(0).always(status_only(204));
    world.start();
    world.settle();
    assert_eq!((world.state(event, 0).as_str(), world.client(0).count()), ("delivered", 2));
}

#[test]
fn a_request_that_is_nearly_done_may_finish() {
    let mut world = World::of_events();
    world.client(0).answers(|_| {
        std::thread::sleep(Duration::from_millis(200));
        Answer::Now(ok())
    });
    let sale = world.new_sale();
    wait_until("it has begun", || world.client(0).count() == 1);
    soon(&mut world);
    world.start();
    world.settle();
    assert_eq!((world.state(sale, 0).as_str(), world.client(0).count()), ("delivered", 1));
}

#[test]
fn workers_that_wait_for_a_slow_rate_do_not_hold_it_up() {
    let limit = RateLimit::parse("1/h").unwrap();
    let two_requests = crate::destinations::rest::Rest::new(crate::destinations::rest::Settings::new(
        "https://crm.example",
        crate::model::secret::Secret::new("k"),
    ));
    let mut world =
        World::new().with_spec("crm", two_requests, |spec| spec.rate_limit = Some(limit)).in_real_time().started();
    world.client(0).always(super::fakes::json_answer(200, &serde_json::json!([])));
    world.new_sale();
    wait_until("it is searched", || world.client(0).count() == 1);
    soon(&mut world);
    assert_eq!(world.client(0).count(), 1);
}

#[test]
fn nobody_sleeps_through_the_end() {
    let mut world = World::new()
        .with_spec("idle", Fake::events(), |spec| spec.concurrency = 6)
        .with_spec("paused", Fake::contacts(), |spec| spec.concurrency = 6)
        .in_real_time()
        .started();
    world.set_paused(1, true);
    world.new_sale();
    wait_until("it is told", || world.client(0).count() == 1);
    let start = Instant::now();
    world.stop();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn what_was_sent_just_before_is_not_sent_again_just_after() {
    let mut world = World::new()
        .with_spec("events", Fake::events(), |spec| spec.concurrency = 4)
        .with_spec("people", Fake::contacts(), |spec| spec.concurrency = 4)
        .started();
    world.set_paused(0, true);
    world.set_paused(1, true);
    let sales: Vec<_> = (0..120).map(|_| world.new_sale()).collect();
    world.set_paused(0, false);
    world.set_paused(1, false);
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(3));
        world.restart();
    }
    world.settle();
    for at in 0..2 {
        assert!(sales.iter().all(|sale| world.state(*sale, at) == "delivered"));
        let sent = world.client(at).sent();
        let told: BTreeSet<u64> = sent.iter().flat_map(Sent::events).collect();
        assert_eq!((sent.len(), told.len()), (120, 120));
    }
}

#[test]
fn an_engine_that_was_made_ready_in_vain_sends_nothing_and_stops_nobody() {
    let mut world = World::of_events();
    let old = world.client(0).clone();
    let prepared = world.prepare();
    let new = world.client(0).clone();
    let first = world.sale_to("ada");
    world.settle();
    drop(prepared);
    let second = world.sale_to("bob");
    world.settle();
    assert_eq!((world.state(first, 0).as_str(), world.state(second, 0).as_str()), ("delivered", "delivered"));
    assert_eq!((old.count(), new.count()), (2, 0));
}

#[test]
fn an_engine_takes_over_what_the_one_before_it_knew() {
    let mut world = World::of_events();
    let old = world.client(0).clone();
    old.always(status_only(401));
    let prepared = world.prepare();
    let new = world.client(0).clone();
    let sale = world.sale_to("ada");
    world.settle();
    let id = world.id(0);
    assert!(world.engine().standing(id).unwrap().held.is_some(), "held after the other was made ready");
    world.hand_over(prepared);
    assert!(world.engine().standing(id).unwrap().held.is_some(), "and still held");
    new.always(status_only(204));
    world.pass(3600);
    assert_eq!((world.state(sale, 0).as_str(), old.count()), ("delivered", 1));
}
