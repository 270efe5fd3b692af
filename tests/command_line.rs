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
