//! Destinations that fail, lie, hang or refuse: every delivery ends in sight, nothing is doubled, and people are told.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::daemon::{Home, Sandboxes, Settings};
use support::events::{event, intent, session};
use support::wait_for;
use tallyhook::demo::sandbox::Fault;

fn settle_down(home: &Home) {
    wait_for("every delivery to end", || home.deliveries("pending") == 0);
}

#[test]
fn a_destination_that_stumbles_gets_everything_in_the_end() {
    let sandboxes = Sandboxes::start();
    let destination = "rate_limit = \"off\"\ntimeout = \"1s\"\nschedule = [\"0s\", \"50ms\", \"50ms\", \"50ms\", \"50ms\", \"50ms\", \"50ms\", \"50ms\", \"50ms\", \"50ms\"]\n";
    let home = Home::new(&sandboxes, &Settings { destination, ..Settings::default() });
    let daemon = home.start();
    sandboxes.crm.script([
        Fault::status(503),
        Fault::Html,
        Fault::Garbage,
        Fault::Close,
        Fault::ResetLate,
        Fault::Flood(3_000_000),
        Fault::Pass,
        Fault::LoseAnswer,
    ]);
    sandboxes.mailerlite.script([
        Fault::status(500),
        Fault::ResetEarly,
        Fault::Html,
        Fault::Hang(Duration::from_secs(3)),
    ]);
    sandboxes.ga4.script([Fault::status(502), Fault::Garbage, Fault::Close]);
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    settle_down(&home);
    assert_eq!(home.deliveries("delivered"), 3, "{}", daemon.log());
    assert_eq!(sandboxes.ga4.report().counted("purchase").count(), 1);
    let contacts = sandboxes.crm.contacts();
    assert_eq!(contacts.len(), 1, "a create whose answer was lost is looked for before it is repeated: {contacts:?}");
    assert_eq!(contacts[0].fields["total_spent"], 99);
    assert_eq!(sandboxes.mailerlite.subscribers().len(), 1);
}

#[test]
fn what_is_refused_waits_in_the_failed_queue_for_a_person() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    let answer = Fault::Status {
        status: 422,
        retry_after: None,
        body: r#"{"message":"buyer1@example.com can't be imported"}"#.into(),
    };
    sandboxes.mailerlite.always(Some(answer));
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    wait_for("the refusal", || home.deliveries("failed") == 1);
    settle_down(&home);
    let failed = home.rows(&["failed", "list"]);
    assert_eq!(failed.len(), 1);
    let id = failed[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(failed[0]["destination"], "mailerlite");
    assert!(failed[0]["reason"].as_str().unwrap().contains("rejected"), "{}", failed[0]);
    wait_for("the alert", || !sandboxes.alerts.alerts().is_empty());
    let alert = &sandboxes.alerts.alerts()[0];
    assert_eq!(alert["event_type"], "delivery_failed");
    assert_eq!(alert["destination"], "mailerlite");
    assert_eq!(alert["requires_manual_review"], true);
    assert_eq!(alert["transaction_id"], "pi_000001");
    let everything =
        [failed[0].to_string(), alert.to_string(), daemon.log(), home.rows(&["failed", "show", &id])[0].to_string()];
    assert!(everything.iter().all(|text| !text.contains("buyer1")), "no personal data: {everything:?}");

    let dry = home.rows(&["failed", "retry", "--all", "--dry-run"]);
    assert_eq!(dry.len(), 1);
    assert_eq!(home.deliveries("failed"), 1, "a dry run changes nothing");
    sandboxes.mailerlite.always(None);
    home.rows(&["failed", "retry", &id]);
    wait_for("the retry", || home.deliveries("failed") == 0 && home.deliveries("pending") == 0);
    assert_eq!(home.deliveries("delivered"), 3);
    assert_eq!(sandboxes.mailerlite.subscribers().len(), 1);
    let generations: Vec<_> = home.rows(&["deliveries", "show", &id]);
    assert_eq!(generations[0]["generation"], 1, "{}", generations[0]);
    wait_for("the word that it is over", || {
        sandboxes
            .alerts
            .alerts()
            .iter()
            .any(|alert| alert["event_type"] == "recovered" && alert["destination"] == "mailerlite")
    });
}

#[test]
fn a_discarded_delivery_is_not_sent() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    sandboxes.ga4.always(Some(Fault::status(400)));
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    wait_for("the refusal", || home.deliveries("failed") == 1);
    let id = home.rows(&["failed", "list"])[0]["id"].as_str().unwrap().to_owned();
    home.rows(&["failed", "discard", &id, "--reason", "entered by hand"]);
    let shown = &home.rows(&["deliveries", "show", &id])[0];
    assert_eq!(shown["state"], "discarded");
    assert!(shown["reason"].as_str().unwrap().contains("entered by hand"));
    assert_eq!(home.deliveries("failed"), 0);
}

#[test]
fn a_wrong_key_holds_the_destination_and_costs_no_attempt() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    sandboxes.crm.set_api_key("another_key");
    for n in 1..4 {
        daemon.accept(&event(&format!("evt_{n}"), "checkout.session.completed", session(n, 100)));
    }
    let state = |name: &str| -> Value {
        let status = home.rows(&["status"]);
        status[0]["destinations"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone()
    };
    wait_for("the hold", || state("crm")["state"] == "held");
    wait_for("the others", || state("ga4")["pending"] == 0 && state("mailerlite")["pending"] == 0);
    assert_eq!(state("crm")["pending"], 3);
    assert_eq!(home.deliveries("failed"), 0);
    let pending = home.rows(&["deliveries", "list", "--destination", "crm"]);
    assert!(pending.iter().all(|row| row["attempts"] == 0), "{pending:?}");
    wait_for("one alert", || sandboxes.alerts.alerts().iter().any(|alert| alert["event_type"] == "destination_held"));
    assert_eq!(support::http::get(daemon.address, "/api/health/webhooks").status, 503);
    assert_eq!(support::http::get(daemon.address, "/readyz").status, 200, "webhooks are taken all the same");
    daemon.kill();
    let daemon = home.start();
    assert_eq!(state("crm")["state"], "held", "that outlives a crash");
    sandboxes.crm.set_api_key("crm_key_for_tests");
    home.rows(&["destinations", "resume", "crm"]);
    settle_down(&home);
    assert_eq!(sandboxes.crm.contacts().len(), 3);
    wait_for("health", || support::http::get(daemon.address, "/api/health/webhooks").status == 200);
}

#[test]
fn a_redirect_is_not_followed_and_an_endless_wish_is_capped() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    let elsewhere = sandboxes.mailerlite.origin();
    sandboxes.ga4.script([Fault::Redirect(format!("{elsewhere}/mp/collect"))]);
    sandboxes.mailerlite.script([Fault::retry_after(429, "1000000000000")]);
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    let row = |name: &str| -> Value {
        let status = home.rows(&["status"]);
        status[0]["destinations"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone()
    };
    wait_for("the hold of the redirecting one", || row("ga4")["state"] == "held");
    assert!(sandboxes.mailerlite.requests().iter().all(|request| !request.path.contains("/mp/collect")));
    wait_for("the slow-down", || !sandboxes.mailerlite.requests().is_empty());
    let pending = home.rows(&["deliveries", "list", "--destination", "mailerlite"]);
    assert_eq!(pending[0]["state"], "pending");
    assert_eq!(pending[0]["attempts"], 0, "being too fast uses no attempt");
    home.rows(&["destinations", "resume", "mailerlite"]);
    wait_for("the end of the wait", || row("mailerlite")["pending"] == 0);
}

#[test]
fn paused_destinations_hold_and_never_drop() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    home.rows(&["destinations", "pause", "ga4"]);
    for n in 1..6 {
        daemon.accept(&event(&format!("evt_{n}"), "payment_intent.succeeded", intent(n, 100)));
    }
    wait_for("the others", || home.deliveries("pending") == 5);
    assert_eq!(sandboxes.ga4.count(), 0);
    assert_eq!(daemon.stop(), 0);
    let _daemon = home.start();
    assert_eq!(home.deliveries("pending"), 5, "paused is on disk");
    home.rows(&["destinations", "resume", "ga4"]);
    settle_down(&home);
    assert_eq!(sandboxes.ga4.report().counted("purchase").count(), 5);
}

#[test]
fn one_destination_that_hangs_costs_the_others_nothing() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    sandboxes.crm.always(Some(Fault::Hang(Duration::from_secs(120))));
    for n in 1..21 {
        daemon.accept(&event(&format!("evt_{n}"), "checkout.session.completed", session(n, 100)));
    }
    wait_for("the other two", || {
        sandboxes.ga4.report().counted("purchase").count() == 20 && sandboxes.mailerlite.subscribers().len() == 20
    });
    assert_eq!(sandboxes.crm.contacts().len(), 0);
    assert_eq!(daemon.stop(), 0, "a hanging request does not keep it from stopping");
}

#[test]
fn a_failure_is_told_after_a_crash_that_came_before_its_alert_and_names_nobody() {
    let sandboxes = Sandboxes::start();
    let more = "[alerting]\ngroup_wait = \"2s\"\ngroup_interval = \"3s\"\n".to_owned();
    let home = Home::new(&sandboxes, &Settings { more, ..Settings::default() });
    let daemon = home.start();
    sandboxes.mailerlite.always(Some(Fault::status(422)));
    let mut buyer = session(1, 9900);
    buyer["client_reference_id"] = json!("buyer1@example.com");
    buyer["metadata"]["lead_id"] = json!("buyer1@example.com");
    daemon.accept(&event("evt_1", "checkout.session.completed", buyer));
    wait_for("the failure", || home.deliveries("failed") == 1);
    daemon.kill();
    let before = sandboxes.alerts.alerts().len();
    let daemon = home.start();
    let told = || sandboxes.alerts.alerts();
    wait_for("the alert", || told().iter().skip(before).any(|alert| alert["event_type"] == "delivery_failed"));
    assert!(told().iter().all(|alert| !alert.to_string().contains('@')), "{:?}", told());
    assert!(!daemon.log().contains('@'), "{}", daemon.log());
}
