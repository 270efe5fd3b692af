//! Destinations that are kept in step with a person: one request at a time, in order, with all that is pending.

use std::time::Duration;

use serde_json::json;

use super::fakes::{Answer, Fake, Sent, json_answer, ok, status_only};
use super::world::{World, wait_until};
use crate::destinations::mailerlite::{Api, Groups, MailerLite, Rules, Settings, mapped};
use crate::destinations::rest;
use crate::model::secret::Secret;
use crate::platform::clock::Clock;

fn mailerlite() -> MailerLite {
    MailerLite::new(Settings {
        api_key: Secret::new("key"),
        api: Api::New,
        endpoint: "https://mail.example".into(),
        groups: Rules {
            groups: Groups { standard: Some("1".into()), ..Groups::default() },
            vip_from: 1000,
            moves: false,
        },
        fields: mapped(&[]),
        requires_consent: false,
    })
}

fn crm() -> rest::Rest {
    rest::Rest::new(rest::Settings::new("https://crm.example", Secret::new("k")))
}

#[test]
fn what_happens_during_a_request_is_sent_after_it_and_never_beside_it() {
    let world = World::new().with_spec("people", Fake::contacts(), |spec| spec.concurrency = 4).started();
    world.client(0).answers(|_| Answer::Hang);
    let first = world.sale_to("ada");
    world.client(0).wait_for_hanging(1);
    // At the very same moment of the clock.
    let more = [world.sale_to("ada"), world.sale_to("ada")];
    let other = world.sale_to("bob");
    world.client(0).wait_for_hanging(2);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(world.client(0).count(), 2, "ada once and bob once");
    world.client(0).always(ok());
    world.client(0).let_go(2);
    world.settle();
    let told: Vec<Vec<u64>> =
        world.client(0).sent().iter().map(Sent::events).filter(|events| *events != [other.0]).collect();
    assert_eq!(told, [vec![first.0], vec![more[0].0, more[1].0]]);
    assert!(more.iter().all(|sale| world.state(*sale, 0) == "delivered"));
}

#[test]
fn each_person_is_told_of_in_order_whatever_fails() {
    let world = World::new().with_spec("people", Fake::contacts(), |spec| spec.concurrency = 4).started();
    let mut dice = fastrand::Rng::with_seed(7);
    world.client(0).answers(move |_| Answer::Now(if dice.u8(..) < 100 { status_only(503) } else { ok() }));
    let people = ["ada", "bob", "eve"];
    let mut sales = Vec::new();
    for round in 0..20 {
        sales.push(world.sale_to(people[round % 3]));
        world.advance([0, 3, 40][round % 3]);
    }
    for _ in 0..200 {
        world.advance(600);
    }
    assert!(sales.iter().all(|sale| world.state(*sale, 0) == "delivered"));
    // Of each person, a later request never tells of something older than what an earlier one delivered.
    let sent = world.client(0).sent();
    for person in 1..=3 {
        let last: Vec<u64> = sent
            .iter()
            .filter(|sent| sent.body["contact"] == json!(person))
            .map(|sent| *sent.events().last().unwrap())
            .collect();
        assert!(!last.is_empty() && last.is_sorted(), "{last:?}");
    }
}

#[test]
fn one_person_is_never_told_of_twice_at_a_time() {
    let world = World::new().with_spec("people", Fake::contacts(), |spec| spec.concurrency = 4).started();
    let client = world.client(0).clone();
    let overlap = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (seen, watched) = (overlap.clone(), client.clone());
    client.answers(move |sent| {
        let same = watched.active().iter().filter(|active| active.body["contact"] == sent.body["contact"]).count();
        seen.fetch_max(same, std::sync::atomic::Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(1));
        Answer::Now(ok())
    });
    for round in 0..60 {
        world.sale_to(["ada", "bob", "eve"][round % 3]);
    }
    world.settle();
    assert_eq!(overlap.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn two_numbers_that_prove_to_be_one_person_are_not_told_of_at_the_same_time() {
    let world = World::new().with_spec("people", Fake::contacts(), |spec| spec.concurrency = 4).started();
    world.client(0).answers(|_| Answer::Hang);
    // Known by the lead id alone, and by the address alone.
    let now = world.clock.now();
    let anonymous = world.sale("ada", false, now);
    world.client(0).wait_for_hanging(1);
    let known = world.sale_to("ada");
    std::thread::sleep(Duration::from_millis(30));
    let active = world.client(0).active();
    assert_eq!(active.len(), 1, "{active:?}");
    world.client(0).always(ok());
    world.client(0).let_go(1);
    for _ in 0..3 {
        world.advance(1);
    }
    assert_eq!((world.state(anonymous, 0).as_str(), world.state(known, 0).as_str()), ("delivered", "delivered"));
    let contacts: Vec<_> = world.client(0).sent().iter().map(|sent| sent.body["contact"].clone()).collect();
    assert_eq!(contacts, [json!(1), json!(2)], "the second number stands for both");
}

#[test]
fn a_sale_without_an_address_waits_for_it() {
    let world = World::new().with("mailerlite", mailerlite()).started();
    world.client(0).always(json_answer(200, &json!({"data": {"id": "1", "status": "active"}})));
    let sale = world.sale("ada", false, world.clock.now());
    world.advance(10 * 86_400);
    assert_eq!((world.state(sale, 0).as_str(), world.client(0).count()), ("pending", 0));
    let told = world.sale_to("ada");
    world.settle();
    assert_eq!((world.state(sale, 0).as_str(), world.state(told, 0).as_str()), ("delivered", "delivered"));
    assert_eq!(world.client(0).count(), 1);
}

#[test]
fn a_sale_whose_address_never_comes_is_suppressed_after_thirty_days() {
    let world = World::new().with("mailerlite", mailerlite()).started();
    let sale = world.sale("ada", false, world.clock.now());
    world.settle();
    world.advance(30 * 86_400 - 1);
    assert_eq!(world.state(sale, 0), "pending");
    world.advance(1);
    assert_eq!((world.state(sale, 0).as_str(), world.client(0).count()), ("suppressed: no_email", 0));
    assert!(world.failures_told().is_empty());
}

#[test]
fn hundreds_of_sales_that_wait_for_an_address_do_not_keep_the_lane_busy() {
    let world = World::new().with("mailerlite", mailerlite()).started();
    let start = world.clock.now();
    let sales: Vec<_> = (0..210).map(|_| world.sale("ada", false, start)).collect();
    world.settle();
    world.advance(30 * 86_400);
    assert!(sales.iter().all(|sale| world.state(*sale, 0) == "suppressed: no_email"));
}

#[test]
fn more_than_one_request_can_tell_of_is_told_in_several() {
    let world = World::new().with("people", Fake::contacts()).started();
    world.set_paused(0, true);
    let sales: Vec<_> = (0..230).map(|_| world.sale_to("ada")).collect();
    world.set_paused(0, false);
    world.settle();
    let told: Vec<usize> = world.client(0).sent().iter().map(|sent| sent.events().len()).collect();
    assert_eq!(told, [200, 30]);
    assert!(sales.iter().all(|sale| world.state(*sale, 0) == "delivered"));
}

#[test]
fn the_crm_is_searched_then_made_then_changed() {
    let world = World::new().with("crm", crm()).started();
    world.client(0).answers(|sent| {
        let body = if sent.line.starts_with("GET") { json!([]) } else { json!({"id": "77"}) };
        Answer::Now(json_answer(200, &body))
    });
    let first = world.sale_to("ada");
    world.settle();
    let second = world.sale_to("ada");
    world.settle();
    let lines: Vec<String> = world.client(0).sent().into_iter().map(|sent| sent.line).collect();
    assert_eq!(
        lines,
        [
            "GET https://crm.example/contacts?external_id=lead_ada",
            "POST https://crm.example/contacts",
            "PATCH https://crm.example/contacts/77"
        ]
    );
    assert_eq!((world.state(first, 0).as_str(), world.state(second, 0).as_str()), ("delivered", "delivered"));
}

#[test]
fn a_post_whose_fate_is_unknown_is_searched_for_first() {
    let world = World::new().with("crm", crm()).started();
    let mut made = false;
    world.client(0).answers(move |sent| {
        Answer::Now(if sent.line.starts_with("POST") {
            made = true;
            super::fakes::no_answer()
        } else if sent.line.starts_with("GET") && made {
            json_answer(200, &json!([{"id": "77", "external_id": "lead_ada"}]))
        } else {
            json_answer(200, &json!([]))
        })
    });
    let sale = world.sale_to("ada");
    world.settle();
    assert_eq!(world.state(sale, 0), "pending");
    world.advance(10);
    wait_until("it is changed", || world.state(sale, 0) == "delivered");
    let methods: Vec<String> =
        world.client(0).sent().iter().map(|sent| sent.line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(methods, ["GET", "POST", "GET", "PATCH"]);
}
