//! What a crash leaves behind: nothing lost, nothing told twice that can't be told twice.

use serde_json::json;

use super::fakes::{Answer, Fake, json_answer, ok, status_only};
use super::world::{World, wait_until};
use crate::destinations::ga4::{ClientIdFallback, DefaultItem, Ga4, Settings};
use crate::destinations::rest;
use crate::model::delivery::AmbiguousPolicy;
use crate::model::secret::Secret;
use crate::store::Unavailable;

pub fn ga4() -> Ga4 {
    Ga4::new(Settings {
        measurement_id: "G-TEST".into(),
        api_secret: Secret::new("secret"),
        endpoint: "https://ga4.example".into(),
        client_id_fallback: ClientIdFallback::Derived,
        default_item: DefaultItem { id: "item".into(), name: "Item".into(), category: "services".into() },
        event_names: Vec::new(),
        params: Vec::new(),
        user_id: false,
        user_data: false,
        debug_mode: false,
    })
}

#[test]
fn a_purchase_that_may_have_arrived_is_told_again_with_the_same_values() {
    let mut world = World::new().with("ga4", ga4()).started();
    world.client(0).answers(|_| Answer::Hang);
    let sale = world.sale_to("ada");
    world.client(0).wait_for_hanging(1);
    world.clock.advance(std::time::Duration::from_secs(7200));
    world.go_down();
    world.client(0).always(status_only(204));
    world.start();
    world.settle();
    assert_eq!(world.state(sale, 0), "delivered");
    let sent = world.client(0).sent();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].body, sent[1].body);
}

#[test]
fn what_ga4_could_not_tell_from_a_repeat_is_dropped_or_as_the_setting_says() {
    for (policy, state, requests) in [
        (None, "suppressed: ambiguous", 1),
        (Some(AmbiguousPolicy::Ask), "failed: ambiguous", 1),
        (Some(AmbiguousPolicy::Retry), "delivered", 2),
    ] {
        let mut world = World::new().with_spec("ga4", ga4(), |spec| spec.ambiguous = policy).started();
        world.client(0).answers(|_| Answer::Hang);
        let event = world.failed_payment("ada");
        world.client(0).wait_for_hanging(1);
        world.go_down();
        world.client(0).always(status_only(204));
        world.start();
        world.settle();
        world.advance(10);
        assert_eq!((world.state(event, 0).as_str(), world.client(0).count()), (state, requests));
    }
}

#[test]
fn a_request_that_times_out_is_as_ambiguous_as_a_crash() {
    let world = World::new().with("ga4", ga4()).started();
    world.client(0).always(super::fakes::no_answer());
    let (sale, failure) = (world.sale_to("ada"), world.failed_payment("ada"));
    world.settle();
    assert_eq!(world.state(failure, 0), "suppressed: ambiguous");
    world.client(0).always(status_only(204));
    world.advance(10);
    assert_eq!(world.state(sale, 0), "delivered");
    assert_eq!(world.client(0).count(), 3);
}

#[test]
fn a_contact_that_may_have_been_made_is_searched_for_first() {
    let crm = rest::Settings::new("https://crm.example", Secret::new("k"));
    let mut world = World::new().with("crm", rest::Rest::new(crm)).started();
    world.client(0).answers(|sent| {
        if sent.line.starts_with("POST") { Answer::Hang } else { Answer::Now(json_answer(200, &json!([]))) }
    });
    let sale = world.sale_to("ada");
    world.client(0).wait_for_hanging(1);
    world.go_down();
    world.client(0).always(json_answer(200, &json!([{"id": "7", "external_id": "lead_ada"}])));
    world.start();
    world.settle();
    assert_eq!(world.state(sale, 0), "delivered");
    let methods: Vec<String> =
        world.client(0).sent().iter().map(|sent| sent.line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(methods, ["GET", "POST", "GET", "PATCH"]);
}

#[test]
fn a_contact_setting_to_ask_is_kept_too() {
    let fake = Fake { repeatable: false, ..Fake::contacts() };
    let mut world =
        World::new().with_spec("people", fake, |spec| spec.ambiguous = Some(AmbiguousPolicy::Ask)).started();
    world.client(0).answers(|_| Answer::Hang);
    let sale = world.sale_to("ada");
    world.client(0).wait_for_hanging(1);
    world.go_down();
    world.client(0).always(ok());
    world.start();
    world.settle();
    assert_eq!((world.state(sale, 0).as_str(), world.client(0).count()), ("failed: ambiguous", 1));
}

#[test]
fn a_budget_outlives_crashes() {
    let mut world = World::of_events();
    world.client(0).always(status_only(500));
    let sale = world.new_sale();
    for _ in 0..60 {
        world.settle();
        world.crash();
        world.advance(3600);
    }
    assert_eq!((world.state(sale, 0).as_str(), world.client(0).count()), ("failed: attempts_used_up", 10));
}

#[test]
fn nothing_is_sent_that_can_not_be_noted_first() {
    let mut world = World::new().with("ga4", ga4()).with("other", Fake::events()).started();
    world.set_gate(false);
    world.failed_payment("ada");
    world.memory.break_it();
    // Were it sent, the other would show it: it is looked at when the first has failed.
    world.client(1).answers(|_| Answer::Hang);
    world.set_gate(true);
    world.clock.advance(std::time::Duration::from_secs(1));
    wait_until("the store has failed", || matches!(world.writer().has_room(), Err(Unavailable::Failed(_))));
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(world.client(0).count(), 0);
    world.stop();
    assert_eq!(world.client(0).count(), 0);
}

#[test]
fn nothing_more_is_sent_once_the_store_has_failed() {
    let mut world = World::new().with_spec("events", Fake::events(), |spec| spec.concurrency = 1).started();
    world.set_gate(false);
    let sales: Vec<_> = (0..200).map(|_| world.new_sale()).collect();
    let disk = world.memory.clone();
    world.client(0).answers(move |_| {
        disk.break_it();
        std::thread::sleep(std::time::Duration::from_millis(2));
        Answer::Now(ok())
    });
    world.set_gate(true);
    world.clock.advance(std::time::Duration::from_secs(1));
    wait_until("the store has failed", || matches!(world.writer().has_room(), Err(Unavailable::Failed(_))));
    std::thread::sleep(std::time::Duration::from_millis(20));
    let count = world.client(0).count();
    assert!(count <= 130, "{count}");
    world.clock.advance(std::time::Duration::from_secs(100));
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(world.client(0).count(), count);
    // Started again over a disk in order, everything is told.
    world.go_down();
    world.client(0).always(ok());
    world.start();
    world.settle();
    assert!(sales.iter().all(|sale| world.state(*sale, 0) == "delivered"));
}

#[test]
fn a_success_never_reverts() {
    let mut world = World::of_events();
    let sale = world.new_sale();
    world.settle();
    for _ in 0..3 {
        world.crash();
        world.advance(100_000);
    }
    assert_eq!((world.state(sale, 0).as_str(), world.client(0).count()), ("delivered", 1));
}
