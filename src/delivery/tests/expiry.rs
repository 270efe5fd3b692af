//! Every delivery ends in sight, also at a destination that never comes back.

use std::time::Duration;

use super::fakes::{Fake, ok, status_only};
use super::world::{World, wait_until};

const DAY: u64 = 86_400;

fn ends_as(world: &World, sale: crate::model::id::BusinessEventId, destination: usize, state: &str) {
    wait_until(state, || world.state(sale, destination) == state);
}

#[test]
fn what_waits_a_week_for_a_paused_or_held_destination_has_failed() {
    let world = World::new()
        .with("paused", Fake::events())
        .with("held", Fake::events())
        .with("people", Fake::contacts())
        .started();
    world.set_paused(0, true);
    world.set_paused(2, true);
    world.client(1).always(status_only(401));
    let sale = world.new_sale();
    world.advance(7 * DAY - 3);
    let late = world.new_sale();
    world.settle();
    assert!((0..3).all(|at| world.state(sale, at) == "pending"));
    world.advance(60);
    for at in 0..3 {
        ends_as(&world, sale, at, "failed: destination_unavailable");
        assert_eq!(world.state(late, at), "pending");
    }
    assert_eq!(world.failures_told(), ["destination_unavailable"; 3]);
    world.client(1).always(ok());
    world.advance(900);
    world.set_paused(0, false);
    world.set_paused(2, false);
    world.settle();
    assert!((0..3).all(|at| world.state(late, at) == "delivered"));
    assert!((0..3).all(|at| world.state(sale, at) == "failed: destination_unavailable"));
}

#[test]
fn news_of_a_person_has_a_week_of_its_own() {
    let world = World::new().with("people", Fake::contacts()).started();
    world.set_paused(0, true);
    let old = world.sale_to("ada");
    world.advance(6 * DAY);
    let new = world.sale_to("ada");
    world.advance(DAY + 60);
    ends_as(&world, old, 0, "failed: destination_unavailable");
    assert_eq!(world.state(new, 0), "pending");
    world.set_paused(0, false);
    world.settle();
    assert_eq!(world.state(new, 0), "delivered");
}

#[test]
fn a_deadline_that_passes_while_the_destination_is_held_is_told_at_once() {
    let three_days = Fake { deadline: Some(Duration::from_secs(3 * DAY)), ..Fake::events() };
    let world = World::new().with("ga4", three_days).started();
    world.client(0).always(status_only(401));
    let sale = world.new_sale();
    world.settle();
    world.advance(3 * DAY);
    assert_eq!(world.state(sale, 0), "pending");
    let requests = world.client(0).count();
    world.advance(61);
    ends_as(&world, sale, 0, "failed: deadline_passed");
    assert_eq!(world.failures_told(), ["deadline_passed"]);
    assert!(world.client(0).count() <= requests + 1);
}

#[test]
fn nothing_is_sent_after_its_deadline() {
    let an_hour = Fake { deadline: Some(Duration::from_secs(3600)), ..Fake::events() };
    let world = World::new().with("ga4", an_hour).started();
    world.client(0).always(status_only(500));
    let sale = world.new_sale();
    world.settle();
    for _ in 0..40 {
        world.advance(100);
    }
    assert_eq!(world.state(sale, 0), "failed: deadline_passed");
    let deadline = world.delivery(sale, 0).deadline.unwrap();
    assert!(world.client(0).sent().iter().all(|sent| sent.at <= deadline));

    world.set_paused(0, true);
    let late = world.new_sale();
    world.advance(3601);
    let sent = world.client(0).count();
    world.set_paused(0, false);
    world.settle();
    assert_eq!((world.state(late, 0).as_str(), world.client(0).count()), ("failed: deadline_passed", sent));
}

#[test]
fn a_clock_set_back_does_not_stop_the_looking_through() {
    let world = World::of_events();
    world.clock.advance(Duration::from_secs(365 * DAY));
    world.settle();
    world.clock.set(super::world::START);
    world.set_paused(0, true);
    let sale = world.new_sale();
    world.advance(7 * DAY + 60);
    ends_as(&world, sale, 0, "failed: destination_unavailable");
}
