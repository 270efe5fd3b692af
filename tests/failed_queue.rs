//! The failed queue by the real binary: what is told of a failed delivery, and what a person can do about it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::Value;
use support::daemon::{Home, Sandboxes, Settings};
use support::events::{event, session};
use support::wait_for;
use tallyhook::demo::sandbox::Fault;

fn sale(n: u64) -> Vec<u8> {
    event(&format!("evt_{n}"), "checkout.session.completed", session(n, 9_900))
}

fn results(rows: &[Value]) -> Vec<(String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or("-").to_owned();
    rows.iter().map(|row| (text(row, "destination"), text(row, "result"))).collect()
}

fn failed(home: &Home) -> Vec<String> {
    home.rows(&["failed", "list"]).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_failed_delivery_tells_all_there_is_and_outlives_a_restart() {
    let sandboxes = Sandboxes::start();
    let destination = "rate_limit = \"off\"\nschedule = [\"0s\", \"100ms\"]\n";
    let home = Home::new(&sandboxes, &Settings { destination, ..Settings::default() });
    let daemon = home.start();
    let body = r#"{"message":"no room for buyer1@example.com"}"#.to_owned();
    sandboxes.ga4.always(Some(Fault::Status { status: 503, retry_after: None, body: body.clone() }));
    sandboxes.mailerlite.always(Some(Fault::Status { status: 422, retry_after: None, body }));
    daemon.accept(&sale(1));
    wait_for("two failures", || home.deliveries("failed") == 2 && home.deliveries("pending") == 0);
    let ids = failed(&home);
    assert_eq!(ids.len(), 2);

    daemon.kill();
    let offline = home.rows(&["failed", "list"]);
    let daemon = home.start();
    assert_eq!(home.rows(&["failed", "list"]), offline, "the same before, without and with a daemon");

    for (id, class, attempts, status, next) in [
        (&ids[0], "attempts_used_up", 2, 503, "once the destination answers again"),
        (&ids[1], "rejected", 1, 422, "correct what the destination complains about"),
    ] {
        let row = home.rows(&["failed", "show", id]).remove(0);
        assert_eq!((row["class"].as_str(), row["last_status"].as_u64()), (Some(class), Some(status)), "{row}");
        assert!(row["reason"].as_str().unwrap().len() > class.len() + 10, "a plain explanation: {row}");
        assert!(row["next_step"].as_str().unwrap().starts_with(next), "{row}");
        assert_eq!(row["deadline"].is_string(), row["destination"] == "ga4", "GA4 takes nothing after 72 h: {row}");
        let history = row["history"].as_array().unwrap();
        assert_eq!(history.len(), attempts);
        for attempt in history {
            assert!(attempt["at"].as_str().unwrap().ends_with('Z') && attempt["took_ms"].is_u64(), "{attempt}");
            assert_eq!(attempt["status"].as_u64(), Some(status));
            let (sent, excerpt) = (attempt["sent"].as_str().unwrap(), attempt["excerpt"].as_str().unwrap());
            assert!(sent.starts_with("POST http") && excerpt.contains("no room for"), "{attempt}");
        }
        let told = row.to_string();
        for secret in ["buyer1", "Buyer1", "ga4_secret_for_tests", "mailerlite_key_for_tests"] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
        let page = String::from_utf8(home.command(&["failed", "show", id]).stdout).unwrap();
        for part in [class, "next step: ", "deadline ", "  > POST ", &format!("  < {status} ")] {
            assert!(page.contains(part), "{part} in {page}");
        }
    }
    drop(daemon);
}

#[test]
fn failed_deliveries_are_chosen_by_id_filter_time_and_class_and_rehearsed() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    sandboxes.ga4.always(Some(Fault::status(400)));
    sandboxes.mailerlite.always(Some(Fault::status(422)));
    for n in 1..=3 {
        daemon.accept(&sale(n));
    }
    wait_for("six failures", || home.deliveries("failed") == 6 && home.deliveries("pending") == 0);
    let ids = failed(&home);

    let dry = |arguments: &[&str]| home.rows(&[&["failed", "retry", "--dry-run"], arguments].concat());
    assert_eq!(dry(&["--all"]).len(), 6);
    assert_eq!(dry(&["--destination", "ga4"]).len(), 3);
    assert_eq!(dry(&["--since", "1h", "--kind", "purchase"]).len(), 6);
    assert_eq!(dry(&["--until", "1h"]).len(), 0);
    assert_eq!(dry(&["--class", "deadline_passed"]).len(), 0);
    assert_eq!(dry(&["--source", "stripe", "--class", "rejected", "--destination", "mailerlite"]).len(), 3);
    let two = dry(&[&ids[0], &ids[1]]);
    assert!(two.iter().all(|row| row["result"] == "would_retry" && row["request"].is_string()), "{two:?}");
    assert_eq!(home.deliveries("failed"), 6, "nothing was changed");
    let neither = home.command(&["failed", "retry"]);
    assert!(!neither.status.success(), "all of them only when --all says so");

    // What is refused again is back in the queue, in its own generation, with everything tried.
    let one = &ids[0];
    home.rows(&["failed", "retry", one]);
    let shown = || home.rows(&["deliveries", "show", one]).remove(0);
    wait_for("the second refusal", || shown()["generation"] == 1 && shown()["state"] == "failed");
    let generations: Vec<u64> =
        shown()["history"].as_array().unwrap().iter().map(|attempt| attempt["generation"].as_u64().unwrap()).collect();
    assert_eq!((generations, shown()["attempts"].as_u64()), (vec![0, 1], Some(1)), "a fresh budget");

    sandboxes.mailerlite.always(None);
    let retried = home.rows(&["failed", "retry", "--destination", "mailerlite", "--since", "1h"]);
    assert_eq!(results(&retried), vec![("mailerlite".to_owned(), "retried".to_owned()); 3]);
    wait_for("those three", || sandboxes.mailerlite.subscribers().len() == 3);
    wait_for("the books", || home.deliveries("failed") == 3);

    let rest = ["--destination", "ga4", "--reason", "entered by hand"];
    let rehearsed = home.rows(&[&["failed", "discard", "--dry-run"], &rest[..]].concat());
    assert_eq!(results(&rehearsed), vec![("ga4".to_owned(), "would_discard".to_owned()); 3]);
    let asked = home.command(&[&["failed", "discard"], &rest[..]].concat());
    assert!(!asked.status.success() && home.deliveries("failed") == 3, "several want --yes where nobody can be asked");
    home.rows(&[&["failed", "discard", "--yes"], &rest[..]].concat());
    assert_eq!((home.deliveries("failed"), home.deliveries("discarded")), (0, 3));
    assert_eq!(shown()["reason"].as_str(), Some("entered by hand"));
    let gone = home.command(&["failed", "show", one]);
    let told = String::from_utf8_lossy(&gone.stderr).into_owned();
    assert!(!gone.status.success() && told.contains("it is discarded"), "{told}");
    let again = home.command(&["failed", "discard", one]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("only failed deliveries are discarded"));
}
