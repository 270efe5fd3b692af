//! When a delivery is tried: the schedule, its jitter, and what a destination wishes.

use std::sync::Arc;

use super::fakes::{Answer, Fake, come_back, no_answer, ok, status_only};
use super::world::{START, World};
use crate::model::delivery::{FailureClass, State};
use crate::platform::clock::FixedChance;

#[test]
fn a_success_is_delivered_with_one_request_and_one_record() {
    let world = World::of_events();
    let sale = world.new_sale();
    world.settle();
    assert_eq!((world.state(sale, 0).as_str(), world.client(0).count()), ("delivered", 1));
    let delivery = world.delivery(sale, 0);
    assert_eq!((delivery.schedule.attempts, delivery.last_status), (1, Some(200)));
    let attempts = world.snapshot().attempts(world.id(0), crate::ledger::workspace::Target::Event(sale)).unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].attempt.outcome, "delivered");
    world.advance(100_000);
    assert_eq!(world.client(0).count(), 1, "and never again");
}

/// The moments of all ten attempts, with the middle of the jitter.
const MOMENTS: [u64; 10] = [0, 10, 70, 370, 1270, 4870, 15_670, 37_270, 80_470, 166_870];

#[test]
fn the_schedule_is_kept_to_its_end_and_then_people_are_told() {
    let world = World::of_events();
    world.client(0).always(status_only(503));
    let sale = world.new_sale();
    world.settle();
    for pair in MOMENTS.windows(2) {
        world.advance(pair[1] - pair[0] - 1);
        world.advance(1);
    }
    assert_eq!(world.client(0).times(START), MOMENTS);
    let State::Failed { failure, .. } = world.delivery(sale, 0).state else { panic!("{}", world.state(sale, 0)) };
    assert_eq!(failure.class, FailureClass::AttemptsUsedUp);
    assert_eq!(world.failures_told(), ["attempts_used_up"]);
    world.advance(1_000_000);
    assert_eq!(world.client(0).count(), 10);
}

#[test]
fn jitter_shifts_each_wait_by_up_to_a_fifth() {
    for (chance, second) in [(0.0, 8), (1.0, 12)] {
        let mut world = World::new().with("events", Fake::events());
        world.chance = Arc::new(FixedChance(chance));
        world.start();
        world.client(0).always(no_answer());
        world.new_sale();
        world.settle();
        world.pass(13);
        assert_eq!(world.client(0).times(START), [0, second]);
        world.stop();
    }
}

#[test]
fn a_person_gives_a_failed_delivery_a_fresh_budget() {
    let world = World::of_events();
    world.client(0).always(status_only(422));
    let sale = world.new_sale();
    world.settle();
    assert_eq!(world.state(sale, 0), "failed: rejected");
    assert_eq!(world.client(0).count(), 1, "what is refused for good is not tried again");
    world.client(0).always(ok());
    world.retry(sale, 0).unwrap();
    world.settle();
    let delivery = world.delivery(sale, 0);
    assert_eq!((world.state(sale, 0).as_str(), delivery.generation), ("delivered", 1));
    let keys: Vec<_> = world.client(0).sent().iter().map(|sent| sent.body["key"].clone()).collect();
    assert_ne!(keys[0], keys[1], "a new generation is no repeat");
}

#[test]
fn retry_after_only_lengthens_the_wait_and_all_of_the_lane_heeds_it() {
    let world = World::of_events();
    let mut replies = vec![come_back(503, 2), come_back(503, 40)].into_iter();
    world.client(0).answers(move |_| Answer::Now(replies.next().unwrap_or_else(ok)));
    let first = world.new_sale();
    world.settle();
    world.pass(9);
    assert_eq!(world.client(0).count(), 1, "two seconds are less than the schedule's ten");
    world.advance(1);
    assert_eq!(world.client(0).count(), 2);
    let second = world.new_sale();
    world.advance(39);
    assert_eq!(world.client(0).count(), 2, "nothing else is sent to it before");
    world.advance(1);
    assert_eq!(world.state(second, 0), "delivered");
    world.advance(20);
    assert_eq!(world.state(first, 0), "delivered", "the schedule's minute is longer than its forty seconds");
    assert_eq!(world.delivery(first, 0).schedule.attempts, 3);
}

#[test]
fn a_retry_after_of_ages_is_cut_to_a_day() {
    let world = World::of_events();
    let mut replies = vec![come_back(503, 1_000_000_000_000)].into_iter();
    world.client(0).answers(move |_| Answer::Now(replies.next().unwrap_or_else(ok)));
    let sale = world.new_sale();
    world.settle();
    world.advance(86_399);
    assert_eq!(world.client(0).count(), 1);
    world.advance(1);
    assert_eq!(world.state(sale, 0), "delivered");
}

#[test]
fn too_fast_uses_no_attempt_and_stops_the_lane_until_then() {
    let world = World::of_events();
    let mut replies = vec![come_back(429, 90), status_only(429)].into_iter();
    world.client(0).answers(move |_| Answer::Now(replies.next().unwrap_or_else(ok)));
    let first = world.new_sale();
    world.settle();
    assert_eq!(world.delivery(first, 0).schedule.attempts, 0);
    let second = world.new_sale();
    world.pass(89);
    assert_eq!(world.client(0).count(), 1);
    world.advance(1);
    assert!(world.client(0).count() >= 2);
    world.advance(29);
    world.advance(1);
    world.advance(60);
    assert_eq!((world.state(first, 0), world.state(second, 0)), ("delivered".into(), "delivered".into()));
    assert_eq!(world.delivery(first, 0).schedule.attempts, 1);
    assert_eq!(world.delivery(second, 0).schedule.attempts, 1);
}

#[test]
fn a_clock_set_back_does_not_send_twice_and_does_not_stop_the_lane_for_ever() {
    let world = World::of_events();
    world.client(0).always(status_only(500));
    let sale = world.new_sale();
    world.settle();
    world.clock.set(START.before(std::time::Duration::from_secs(3600)));
    world.settle();
    assert_eq!(world.client(0).count(), 1);
    world.client(0).always(ok());
    let other = world.new_sale();
    world.settle();
    assert_eq!(world.state(other, 0), "delivered");
    world.advance(3610);
    assert_eq!(world.state(sale, 0), "delivered");
    assert_eq!(world.client(0).count(), 3);
}
