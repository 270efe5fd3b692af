//! The command line as a person or a script meets it: exit codes, all mistakes at once, rows.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::process::{Command, Output, Stdio};

use support::daemon::{Home, Sandboxes, Settings};
use support::events::{event, session};
use support::wait_for;

fn tallyhook(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tallyhook"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn every_mistake_in_a_configuration_is_told_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tallyhook.toml");
    std::fs::write(
        &file,
        "[server]\nlisten = 5\n[sources.stripe]\nkind = \"stripe\"\nsecrets = []\ntolarance = \"5m\"\n",
    )
    .unwrap();
    let output = tallyhook(&["--config", file.to_str().unwrap(), "check"], &[]);
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output);
    for part in [":2:", ":5:", ":6:", "tolarance", "tolerance", "secrets"] {
        assert!(told.contains(part), "{part} is missing in\n{told}");
    }
    let serve = tallyhook(&["--config", file.to_str().unwrap(), "serve"], &[]);
    assert_eq!(serve.status.code(), Some(2), "a start tells the same");
}

#[test]
fn what_init_writes_passes_check_once_its_secrets_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tallyhook.toml");
    let path = file.to_str().unwrap();
    assert_eq!(tallyhook(&["init", path], &[]).status.code(), Some(0));
    assert_ne!(tallyhook(&["init", path], &[]).status.code(), Some(0), "it overwrites nothing");
    let bare = tallyhook(&["--config", path, "check"], &[]);
    assert_eq!(bare.status.code(), Some(2));
    assert!(text(&bare).contains("STRIPE_WEBHOOK_SECRET"), "{}", text(&bare));
}

#[test]
fn the_environment_alone_can_configure_it() {
    let output = tallyhook(&["check"], &[("STRIPE_WEBHOOK_SECRET", "whsec_0123456789abcdef0123456789abcdef")]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let half = tallyhook(
        &["check"],
        &[("STRIPE_WEBHOOK_SECRET", "whsec_0123456789abcdef0123456789abcdef"), ("GA4_MEASUREMENT_ID", "G-ABCDEF1234")],
    );
    assert_eq!(half.status.code(), Some(2));
    assert!(text(&half).contains("GA4_API_SECRET"), "{}", text(&half));
}

#[test]
fn a_wrong_call_is_two_and_help_is_zero() {
    assert_eq!(tallyhook(&["dance"], &[]).status.code(), Some(2));
    assert_eq!(tallyhook(&["--help"], &[]).status.code(), Some(0));
    assert_eq!(tallyhook(&["--version"], &[]).status.code(), Some(0));
    for command in [
        "serve",
        "demo",
        "init",
        "check",
        "send",
        "status",
        "events",
        "deliveries",
        "failed",
        "rejected",
        "destinations",
        "backup",
        "restore",
    ] {
        let output = tallyhook(&[command, "--help"], &[]);
        assert_eq!(output.status.code(), Some(0), "{command}: {}", text(&output));
    }
}

#[test]
fn send_reaches_the_running_daemon_and_status_shows_it() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    let url = format!("http://{}/api/webhooks/stripe", daemon.address);
    let sent = home.command(&["send", "stripe", "--url", &url]);
    assert_eq!(sent.status.code(), Some(0), "{}", text(&sent));
    let status = &home.rows(&["status"])[0];
    assert_eq!(status["events"], 1, "{status}");
    assert_eq!(status["sources"][0]["name"], "stripe");
    assert!(status["sources"][0]["last_event_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{status}");
    assert_eq!(status["destinations"].as_array().unwrap().len(), 3);
    assert!(status["store"]["file_bytes"].as_u64().is_some_and(|bytes| bytes > 0));
    let plain = home.command(&["status"]);
    assert!(text(&plain).contains("stripe") && plain.status.success());
}

#[test]
fn rows_have_the_fields_that_scripts_rely_on() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    daemon.accept(&event("evt_rows", "checkout.session.completed", session(1, 9900)));
    wait_for("the deliveries", || home.deliveries("delivered") == 3);
    let has = |row: &serde_json::Value, keys: &[&str]| {
        for key in keys {
            assert!(row.get(key).is_some(), "{key} is missing in {row}");
        }
    };
    let events = home.rows(&["events", "list"]);
    has(&events[0], &["id", "source", "provider_id", "type", "received_at", "livemode", "status", "business_events"]);
    has(&events[0]["business_events"][0], &["kind", "key"]);
    let deliveries = home.rows(&["deliveries", "list", "--destination", "ga4"]);
    assert_eq!(deliveries.len(), 1);
    has(
        &deliveries[0],
        &[
            "id",
            "destination",
            "kind",
            "key",
            "contact",
            "state",
            "attempts",
            "generation",
            "next_attempt_at",
            "deadline",
            "reason",
            "last_status",
        ],
    );
    let shown = home.rows(&["deliveries", "show", deliveries[0]["id"].as_str().unwrap()]);
    let shown = shown[0].to_string();
    assert!(shown.contains("mp/collect") && !shown.contains("ga4_secret_for_tests"), "{shown}");
    let story = home.rows(&["events", "show", "evt_rows"]);
    assert!(story[0].to_string().contains("purchase"));
    assert_eq!(daemon.stop(), 0);
    let offline = home.rows(&["events", "list"]);
    assert_eq!(offline[0]["provider_id"], "evt_rows", "the file answers when no daemon runs");
}

#[test]
fn lists_take_what_the_interface_promises() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    for number in 1..=3 {
        daemon.accept(&event(&format!("evt_{number}"), "checkout.session.completed", session(number, 100)));
    }
    wait_for("the deliveries", || home.deliveries("delivered") == 9);
    let count = |arguments: &[&str]| home.rows(arguments).len();
    let provider_ids = |arguments: &[&str]| {
        let rows = home.rows(arguments);
        rows.iter().map(|row| row["provider_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(provider_ids(&["events", "list", "--after", "evt_3"]), ["evt_2", "evt_1"]);
    assert_eq!(provider_ids(&["events", "list", "--after", "w2"]), ["evt_1"]);
    assert_ne!(home.command(&["events", "list", "--after", "evt_none"]).status.code(), Some(0));
    assert_eq!(count(&["events", "list", "--since", "2026-01-01"]), 3);
    assert_eq!(count(&["events", "list", "--until", "2026-01-01 14:00"]), 0);
    assert_eq!(count(&["events", "list", "--since", "2026-01-01T14:00", "--until", "0s"]), 3);
    assert_eq!(count(&["events", "list", "--until", "1h"]), 0);
    assert_eq!(count(&["events", "list", "--since", "24h", "--limit", "2"]), 2);
    assert_eq!(count(&["events", "list", "--odd"]), 0);
    assert_eq!(count(&["deliveries", "list", "--since", "7d", "--destination", "crm", "--kind", "purchase"]), 3);
    assert_eq!(count(&["failed", "list", "--state", "failed", "--source", "stripe"]), 0);
    assert_eq!(home.command(&["failed", "list", "--state", "broken"]).status.code(), Some(2));
    assert_eq!(count(&["rejected", "list", "--all", "--since", "2026-01-01"]), 0);
    assert_eq!(count(&["destinations", "list", "--limit", "2"]), 2);
    assert_eq!(count(&["destinations", "list", "--all"]), 3);
    let names = |arguments: &[&str]| {
        let rows = home.rows(arguments);
        rows.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = names(&["destinations", "list"]);
    assert_eq!(names(&["destinations", "list", "--after", &all[0]]), all[1..]);
    assert_eq!(names(&["destinations", "list", "--kind", "rest"]), ["crm"]);
    home.rows(&["destinations", "pause", "ga4"]);
    assert_eq!(names(&["destinations", "list", "--state", "paused"]), ["ga4"]);
    assert_eq!(home.command(&["destinations", "list", "--state", "asleep"]).status.code(), Some(2));
}

#[test]
fn a_replay_can_be_rehearsed() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 100)));
    let row = &home.rows(&["events", "replay", "evt_1", "--dry-run"])[0];
    assert_eq!((row["id"].as_str(), row["result"].as_str()), (Some("w1"), Some("unchanged")), "{row}");
    let plain = home.command(&["events", "replay", "evt_1", "--dry-run"]);
    assert!(text(&plain).contains("nothing to add"), "{}", text(&plain));
}

#[test]
fn a_stopped_daemon_is_told_and_leaves_the_books_ok() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    assert_eq!(home.rows(&["status"])[0]["running"], true);
    assert_eq!(daemon.stop(), 0);
    let status = &home.rows(&["status"])[0];
    assert_eq!((status["ok"].as_bool(), status["running"].as_bool()), (Some(true), Some(false)), "{status}");
    assert!(status["problems"][0].as_str().unwrap().contains("not running"), "{status}");
    home.rows(&["destinations", "pause", "crm"]);
    assert_eq!(home.rows(&["status"])[0]["ok"], false, "that needs a person");
}

#[test]
fn a_rehearsal_prints_json_for_programs() {
    let output = tallyhook(&["demo", "--once", "--json"], &[("PATH", "/usr/bin"), ("HOME", "/tmp")]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let rows: Vec<serde_json::Value> =
        String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |kind: &str| rows.iter().filter(|row| row["kind"] == kind).count();
    assert!(of("chapter") == 7 && of("row") > 20 && of("check") > 5, "{}", text(&output));
    assert!(rows.iter().filter(|row| row["kind"] == "check").all(|row| row["ok"] == true));
}
