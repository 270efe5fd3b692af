//! A destination as a whole: held, out of reach, paused, and well again.

use std::collections::BTreeSet;

use super::fakes::{Answer, Fake, come_back, ok, status_only};
use super::world::{START, World, wait_until};
use crate::model::breaker::Breaker;
use crate::model::id::BusinessEventId;

fn with_probe() -> Fake {
    Fake { has_probe: true, ..Fake::events() }
}

fn all_delivered(world: &World, sales: &[BusinessEventId], destination: usize) -> bool {
    sales.iter().all(|sale| world.state(*sale, destination) == "delivered")
}

#[test]
fn a_refused_key_holds_the_destination_and_nobody_else_until_it_works_again() {
    let world = World::new().with("ga4", with_probe()).with("crm", Fake::contacts()).started();
    world.client(0).always(status_only(401));
    let mut sales = vec![world.new_sale()];
    world.settle();
    for _ in 0..5 {
        sales.push(world.new_sale());
    }
    world.settle();
    assert_eq!(world.client(0).count(), 1, "nothing more is sent");
    assert!(all_delivered(&world, &sales, 1), "the others go on");
    assert_eq!(world.alerts(1), ["destination_held"]);
    assert_eq!(world.delivery(sales[0], 0).schedule.attempts, 0);
    // It is asked after 5, 15, 30 minutes by a request that changes nothing.
    for minutes in [5, 10, 15] {
        world.advance(minutes * 60 - 1);
        world.advance(1);
    }
    assert_eq!(world.client(0).times(START), [0, 300, 900, 1800]);
    assert!(world.client(0).sent()[1..].iter().all(|sent| sent.line == "GET https://fake.example/works"));
    assert_eq!(world.alerts(1), ["destination_held"], "one is enough");
    world.client(0).always(ok());
    world.advance(900);
    assert!(all_delivered(&world, &sales, 0));
    assert_eq!(world.alerts(2), ["destination_held", "recovered"]);
    assert!(sales.iter().all(|sale| world.delivery(*sale, 0).schedule.attempts == 1));
    assert!(world.standing_on_disk(0).held.is_none());
}

#[test]
fn a_destination_without_a_question_is_tried_with_another_delivery_each_time() {
    let world = World::of_events();
    world.client(0).always(status_only(401));
    let mut sales = vec![world.new_sale()];
    world.settle();
    for _ in 0..3 {
        sales.push(world.new_sale());
    }
    for minutes in [5, 10, 15, 15] {
        world.advance(minutes * 60);
    }
    let tried: BTreeSet<u64> = world.client(0).sent()[1..].iter().flat_map(super::fakes::Sent::events).collect();
    assert_eq!(tried.len(), 4, "probes go round: {:?}", world.client(0).sent());
    assert_eq!(world.client(0).count(), 5);
    assert!(sales.iter().all(|sale| world.delivery(*sale, 0).schedule.attempts == 0));
    // That it can't be reached meanwhile neither ends the hold nor makes it ask more often.
    world.client(0).always(status_only(503));
    world.advance(900);
    world.pass(60);
    assert_eq!(world.client(0).count(), 6);
    world.client(0).always(come_back(429, 100));
    world.advance(900);
    world.pass(99);
    assert_eq!(world.client(0).count(), 7);
    world.client(0).always(ok());
    world.advance(1);
    assert!(all_delivered(&world, &sales, 0));
    assert_eq!(world.alerts(2), ["destination_held", "recovered"]);
}

#[test]
fn a_403_for_one_record_fails_it_alone_where_the_question_is_answered() {
    let world = World::new().with("crm", with_probe()).started();
    world.client(0).answers(|sent| Answer::Now(status_only(if sent.line.starts_with("GET") { 200 } else { 403 })));
    let sale = world.new_sale();
    world.settle();
    assert_eq!(world.state(sale, 0), "failed: rejected");
    assert!(world.standing(0).held.is_none());
    assert_eq!(world.failures_told(), ["rejected"]);
}

#[test]
fn a_403_for_the_key_holds_the_destination_where_the_question_meets_it_too() {
    let world = World::new().with("crm", with_probe()).started();
    world.client(0).always(status_only(403));
    let sale = world.new_sale();
    world.settle();
    assert_eq!((world.state(sale, 0).as_str(), world.client(0).count()), ("pending", 2));
    assert!(world.standing(0).held.is_some());
    world.client(0).always(ok());
    world.advance(300);
    assert_eq!(world.state(sale, 0), "delivered");
}

#[test]
fn a_hold_ends_with_a_delivery_that_is_taken_and_not_with_a_question_that_reads() {
    let world = World::new().with("crm", with_probe()).started();
    world.client(0).answers(|sent| Answer::Now(status_only(if sent.line.starts_with("GET") { 200 } else { 401 })));
    let sale = world.new_sale();
    world.settle();
    for minutes in [5, 10, 15] {
        world.advance(minutes * 60);
    }
    let tried = world.client(0).sent().iter().filter(|sent| !sent.line.starts_with("GET")).count();
    assert_eq!(tried, 4, "{:?}", world.client(0).sent());
    assert_eq!(world.alerts(1), ["destination_held"], "people are told once, not each time it may be read");
    assert_eq!((world.state(sale, 0).as_str(), world.delivery(sale, 0).schedule.attempts), ("pending", 0));
    world.client(0).always(ok());
    world.advance(900);
    assert_eq!(world.state(sale, 0), "delivered");
    assert_eq!(world.alerts(2), ["destination_held", "recovered"]);
}

#[test]
fn a_403_beside_an_unanswered_question_is_tried_again() {
    let world = World::new().with("crm", with_probe()).started();
    world.client(0).answers(|sent| Answer::Now(status_only(if sent.line.starts_with("GET") { 500 } else { 403 })));
    let sale = world.new_sale();
    world.settle();
    assert_eq!(world.state(sale, 0), "pending");
    assert!(world.standing(0).held.is_none());
    world.client(0).always(ok());
    world.advance(10);
    assert_eq!(world.state(sale, 0), "delivered");
}

#[test]
fn without_a_question_a_second_403_holds_and_one_among_successes_is_the_records_own() {
    let world = World::of_events();
    world.client(0).always(status_only(403));
    let first = world.new_sale();
    world.settle();
    assert!(world.standing(0).held.is_none(), "one may be the record's");
    let second = world.new_sale();
    world.settle();
    assert!(world.standing(0).held.is_some());
    world.client(0).always(ok());
    world.advance(300);
    assert!(all_delivered(&world, &[first, second], 0));

    // It must not leave before it is decided what it meets.
    world.set_paused(0, true);
    let refused = world.new_sale();
    world.client(0).answers(move |sent| Answer::Now(status_only(if sent.events() == [refused.0] { 403 } else { 200 })));
    world.set_paused(0, false);
    world.settle();
    assert_eq!(world.state(refused, 0), "pending");
    let third = world.new_sale();
    world.settle();
    world.advance(10);
    assert_eq!((world.state(third, 0).as_str(), world.state(refused, 0).as_str()), ("delivered", "failed: rejected"));
    assert!(world.standing(0).held.is_none());
}

#[test]
fn a_destination_that_is_too_busy_for_an_hour_is_told_of_and_so_is_its_end() {
    let world = World::new().with_spec("events", Fake::events(), |spec| spec.concurrency = 1).started();
    world.client(0).always(status_only(429));
    world.new_sale();
    world.settle();
    for _ in 0..50 {
        world.advance(60);
    }
    assert_eq!(world.alerts(0), Vec::<String>::new());
    let wait_for = |last: &str| {
        wait_until(last, || {
            world.advance(60);
            world.alerts(0).last().is_some_and(|told| told == last)
        });
    };
    wait_for("destination_behind");
    world.client(0).always(ok());
    wait_for("recovered");
}

#[test]
fn the_breaker_opens_at_ten_and_probes_go_round_and_use_no_attempt() {
    let world = World::new().with_spec("events", Fake::events(), |spec| spec.concurrency = 1).started();
    world.client(0).always(status_only(503));
    world.set_paused(0, true);
    let sales: Vec<_> = (0..12).map(|_| world.new_sale()).collect();
    world.set_paused(0, false);
    world.settle();
    let attempts = || sales.iter().map(|sale| world.delivery(*sale, 0).schedule.attempts).sum::<u16>();
    assert_eq!((world.client(0).count(), attempts()), (10, 10));
    assert!(world.standing(0).breaker.open().is_some());
    assert_eq!(world.alerts(1), ["breaker_open"]);
    world.pass(29);
    assert_eq!(world.client(0).count(), 10);
    world.advance(1);
    for wait in [60, 120, 240, 480, 600] {
        world.advance(wait - 1);
        world.advance(1);
    }
    assert_eq!(world.client(0).times(START)[10..], [30, 90, 210, 450, 930, 1530]);
    let probed: BTreeSet<u64> = world.client(0).sent()[10..].iter().flat_map(super::fakes::Sent::events).collect();
    assert_eq!((probed.len(), attempts()), (6, 10));
    world.client(0).always(ok());
    world.advance(600);
    assert!(all_delivered(&world, &sales, 0));
    assert_eq!(world.alerts(2), ["breaker_open", "recovered"]);
}

#[test]
fn a_hanging_delivery_and_a_late_success_do_not_disturb_an_open_breaker() {
    let world = World::new().with_spec("events", Fake::events(), |spec| spec.concurrency = 2).started();
    let mut first = true;
    world.client(0).answers(
        move |_| {
            if std::mem::take(&mut first) { Answer::Hang } else { Answer::Now(status_only(503)) }
        },
    );
    let slow = world.new_sale();
    world.client(0).wait_for_hanging(1);
    let others: Vec<_> = (0..11).map(|_| world.new_sale()).collect();
    wait_until("the breaker is open", || world.standing(0).breaker.open().is_some());
    world.client(0).let_go(1);
    world.settle();
    assert_eq!(world.state(slow, 0), "delivered");
    assert!(world.standing(0).breaker.open().is_some(), "it was sent before the others failed");
    assert_eq!(world.client(0).count(), 11);
    world.client(0).always(ok());
    world.advance(30);
    world.advance(30);
    assert!(all_delivered(&world, &others, 0));
}

#[test]
fn one_failure_after_another_opens_it_for_contacts_too() {
    let world = World::new().with("crm", Fake::contacts()).started();
    world.client(0).always(status_only(500));
    let sales: Vec<_> = (0..15).map(|_| world.new_sale()).collect();
    world.settle();
    assert!((10..=11).contains(&world.client(0).count()), "{}", world.client(0).count());
    assert!(world.standing(0).breaker.open().is_some());
    world.client(0).always(ok());
    for _ in 0..4 {
        world.advance(30);
    }
    assert!(all_delivered(&world, &sales, 0));
}

#[test]
fn a_pause_holds_everything_and_drops_nothing() {
    let world = World::of_events();
    world.set_paused(0, true);
    let sale = world.new_sale();
    world.advance(3 * 86_400);
    assert_eq!((world.client(0).count(), world.state(sale, 0).as_str()), (0, "pending"));
    world.set_paused(0, false);
    world.settle();
    assert_eq!(world.state(sale, 0), "delivered");
}

#[test]
fn paused_held_and_open_survive_a_restart_and_what_lasts_is_told_again() {
    let mut world =
        World::new().with("paused", Fake::events()).with("held", Fake::events()).with("open", Fake::events()).started();
    world.client(1).always(status_only(401));
    world.client(2).always(status_only(503));
    world.set_paused(0, true);
    let sales: Vec<_> = (0..11).map(|_| world.new_sale()).collect();
    world.settle();
    let mut before = world.alerts(2);
    before.sort();
    assert_eq!(before, ["breaker_open", "destination_held"]);
    let counts: Vec<usize> = (0..3).map(|at| world.client(at).count()).collect();
    for crash in [false, true] {
        world.standing_on_disk(0);
        if crash {
            world.crash()
        } else {
            world.restart()
        }
        world.settle();
        assert_eq!((0..3).map(|at| world.client(at).count()).collect::<Vec<_>>(), counts);
        assert!(world.standing(0).paused);
        assert!(world.standing(1).held.is_some());
        assert!(world.standing(2).breaker.open().is_some());
    }
    // Two at first, and both again after each start.
    let mut told = world.alerts(6);
    told.sort();
    assert_eq!(told, [["breaker_open"; 3], ["destination_held"; 3]].concat());
    assert!(world.alert_texts().iter().any(|text| text.starts_with("held has been held since 2025-05-13T10:36:01")));
    for at in 1..3 {
        world.client(at).always(ok());
    }
    world.set_paused(0, false);
    world.advance(30);
    world.advance(300);
    assert!((0..3).all(|at| all_delivered(&world, &sales, at)));
    assert_eq!(world.alerts(8).iter().filter(|alert| *alert == "recovered").count(), 2);
}

#[test]
fn a_person_who_lets_a_held_destination_go_ends_its_alert() {
    let world = World::of_events();
    world.client(0).always(status_only(401));
    let sale = world.new_sale();
    world.settle();
    world.alerts(1);
    world.client(0).always(ok());
    world.change_standing(0, |standing| {
        standing.held = None;
        standing.breaker = Breaker::default();
    });
    world.settle();
    assert_eq!(world.state(sale, 0), "delivered");
    assert_eq!(world.alerts(2), ["destination_held", "recovered"]);
}

#[test]
fn a_pause_is_not_lost_to_a_change_of_the_lanes_own() {
    let world = World::of_events();
    world.client(0).answers(|_| Answer::Hang);
    world.new_sale();
    world.client(0).wait_for_hanging(1);
    // The desk reads the standing, the lane is slowed down, the desk writes what it read.
    let (id, mut standing) = (world.id(0), world.standing(0));
    standing.paused = true;
    let paused = crate::store::Command::SetStanding(id, Box::new(standing.clone()));
    world.writer().run(paused).unwrap();
    world.client(0).always(status_only(401));
    world.new_sale();
    wait_until("it is held", || world.standing(0).held.is_some());
    world.engine().standing_changed(id, standing);
    world.client(0).let_go(1);
    assert!(world.standing_on_disk(0).paused);
    assert!(world.standing(0).paused);
}
