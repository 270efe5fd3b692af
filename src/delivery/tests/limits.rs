//! How much at a time, how fast, and who waits for whom.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::fakes::{Answer, Fake, no_answer, ok};
use super::world::{World, wait_until};
use crate::destinations::rest::{Rest, Settings};
use crate::model::rate::RateLimit;
use crate::model::secret::Secret;

#[test]
fn a_rate_limit_is_kept_in_every_minute() {
    let limit = RateLimit::parse("20/min").unwrap();
    let world = World::new().with_spec("events", Fake::events(), |spec| spec.rate_limit = Some(limit)).started();
    world.set_paused(0, true);
    let sales: Vec<_> = (0..70).map(|_| world.new_sale()).collect();
    world.set_paused(0, false);
    for _ in 0..220 {
        world.advance(1);
    }
    assert!(sales.iter().all(|sale| world.state(*sale, 0) == "delivered"), "{}", world.client(0).count());
    let times: Vec<i64> = world.client(0).sent().iter().map(|sent| sent.at.millis()).collect();
    for start in &times {
        let in_a_minute = times.iter().filter(|at| (*start..start + 60_000).contains(*at)).count();
        // A quiet time may be made up for by a tenth.
        assert!(in_a_minute <= 22, "{in_a_minute}");
    }
    assert!(times.last().unwrap() - times[0] >= 140_000);
}

fn crm() -> Rest {
    Rest::new(Settings::new("https://crm.example", Secret::new("k")))
}

#[test]
fn every_request_of_a_delivery_counts_against_the_rate_limit() {
    let limit = RateLimit::parse("1/10s").unwrap();
    let world = World::new().with_spec("crm", crm(), |spec| spec.rate_limit = Some(limit)).started();
    world.client(0).answers(|sent| {
        let body = if sent.line.starts_with("GET") { serde_json::json!([]) } else { serde_json::json!({"id": 7}) };
        Answer::Now(super::fakes::json_answer(200, &body))
    });
    let sale = world.new_sale();
    wait_until("it is searched", || world.client(0).count() == 1);
    world.clock.advance(Duration::from_secs(9));
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(world.client(0).count(), 1);
    world.clock.advance(Duration::from_secs(1));
    wait_until("it is made", || world.client(0).count() == 2);
    world.settle();
    assert_eq!(world.state(sale, 0), "delivered");
}

#[test]
fn no_more_requests_are_under_way_than_allowed() {
    let world = World::new().with_spec("events", Fake::events(), |spec| spec.concurrency = 3).started();
    world.client(0).answers(|_| Answer::Hang);
    let sales: Vec<_> = (0..12).map(|_| world.new_sale()).collect();
    world.client(0).wait_for_hanging(3);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(world.client(0).count(), 3);
    world.client(0).let_go(12);
    world.settle();
    assert_eq!(world.client(0).most_active(), 3);
    assert!(sales.iter().all(|sale| world.state(*sale, 0) == "delivered"));
}

#[test]
fn one_slow_request_leaves_the_other_workers_of_its_lane_at_work() {
    let world = World::new().with_spec("events", Fake::events(), |spec| spec.concurrency = 2).started();
    world.set_paused(0, true);
    let sales: Vec<_> = (0..30).map(|_| world.new_sale()).collect();
    let slow = sales[0].0;
    world.client(0).answers(move |sent| if sent.events() == [slow] { Answer::Hang } else { Answer::Now(ok()) });
    world.set_paused(0, false);
    wait_until("the others", || sales[1..].iter().all(|sale| world.state(*sale, 0) == "delivered"));
    assert_eq!(world.state(sales[0], 0), "pending");
    world.client(0).let_go(1);
    world.settle();
    assert_eq!(world.state(sales[0], 0), "delivered");
}

#[test]
fn a_destination_that_hangs_delays_no_other() {
    let world = World::new()
        .with("hangs", Fake::events())
        .with("works", Fake::events())
        .with("people", Fake::contacts())
        .started();
    world.client(0).answers(|_| Answer::Hang);
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        let start = Instant::now();
        let sale = world.new_sale();
        wait_until("the others", || world.state(sale, 1) == "delivered" && world.state(sale, 2) == "delivered");
        longest = longest.max(start.elapsed());
    }
    assert_eq!(world.client(0).count(), 2, "its two workers hang");
    assert!(longest < Duration::from_secs(5), "{longest:?}");
    world.client(0).let_go(20);
    world.settle();
}

#[test]
fn a_closed_gate_lets_nothing_out() {
    let world = World::of_events();
    world.set_gate(false);
    let sale = world.new_sale();
    world.pass(5);
    assert_eq!(world.client(0).count(), 0);
    world.set_gate(true);
    world.advance(1);
    assert_eq!(world.state(sale, 0), "delivered");
}

#[test]
fn a_defect_while_rendering_fails_that_delivery_and_the_lane_lives() {
    for style in [Fake::events(), Fake::contacts()] {
        let is_of_contacts = style.style == crate::destinations::Style::Contact;
        let world = World::new()
            .with_spec("fake", Fake { panics_on: vec![1, 2, 3, 4], ..style }, |spec| spec.concurrency = 2)
            .started();
        let sales: Vec<_> = (0..8).map(|_| world.new_sale()).collect();
        world.settle();
        for sale in &sales {
            let expected = if (1..=4).contains(&sale.0) { "failed: invalid" } else { "delivered" };
            assert_eq!(world.state(*sale, 0), expected, "{sale} of contacts: {is_of_contacts}");
        }
        assert_eq!(world.failures_told(), vec!["invalid"; sales.iter().filter(|id| (1..=4).contains(&id.0)).count()]);
        let told: BTreeSet<u64> = world.client(0).sent().iter().flat_map(super::fakes::Sent::events).collect();
        assert!(told.iter().all(|id| !(1..=4).contains(id)));
    }
}

#[test]
fn many_that_fail_at_the_same_time_are_each_tried_again() {
    let world = World::new().with_spec("events", Fake::events(), |spec| spec.concurrency = 4).started();
    let mut count = 0;
    world.client(0).answers(move |_| {
        count += 1;
        // Never ten in a row, nor more than half.
        Answer::Now(if count % 3 == 0 { no_answer() } else { ok() })
    });
    let sales: Vec<_> = (0..150).map(|_| world.new_sale()).collect();
    for seconds in [0, 12, 60, 300, 900, 3600] {
        world.advance(seconds);
    }
    assert!(sales.iter().all(|sale| world.state(*sale, 0) == "delivered"));
}
