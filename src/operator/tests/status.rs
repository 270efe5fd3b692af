//! The one page that says whether anything is broken.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde_json::{Value, json};

use super::books::{Books, NOW, has};
use crate::http::certificate::Standing;

fn status(books: &Books) -> Value {
    books.row(json!({"command": "status"}))
}

fn problems(books: &Books) -> String {
    status(books)["problems"].to_string()
}

#[test]
fn status_has_what_the_interface_promises() {
    let books = Books::live();
    books.take_in("checkout.session.completed", 1);
    let row = status(&books);
    assert!(has(&row, &["ok", "problems", "events", "deliveries", "sources", "destinations", "store"]), "{row}");
    assert_eq!((row["ok"].as_bool(), &row["problems"]), (Some(true), &json!([])), "{row}");
    assert_eq!(row["events"], 1);
    assert_eq!(row["deliveries"], json!({"pending": 2, "delivered": 0, "suppressed": 0, "failed": 0, "discarded": 0}));
    assert_eq!(row["sources"][0]["name"], "stripe");
    assert_eq!(row["sources"][0]["last_event_at"], "2026-09-21T14:13:20.000Z");
    let crm = &row["destinations"][1];
    assert!(has(crm, &["name", "state", "pending", "oldest_pending_at"]), "{crm}");
    assert_eq!(
        (crm["name"].as_str(), crm["state"].as_str(), crm["pending"].as_u64()),
        (Some("crm"), Some("active"), Some(1))
    );
    assert_eq!(crm["oldest_pending_at"], "2026-09-21T14:13:20.000Z");
    assert!(row["store"]["data_bytes"].as_u64().unwrap() > 1000);
    assert!(row["store"]["file_bytes"].as_u64().unwrap() > 1000);
    assert_eq!(row["ga4_client_ids"], json!({"browser": 1, "derived": 0}));
}

#[test]
fn every_kind_of_trouble_is_a_sentence_with_a_next_step() {
    let books = Books::live();
    assert_eq!(status(&books)["ok"], true, "nothing is wrong with a new one");
    assert!(status(&books)["hints"][0].as_str().unwrap().contains("tallyhook send stripe"));
    books.take_in("checkout.session.completed", 1);
    books.fail_at_ga4(1);
    books.take_in_unreadable("checkout.session.completed", 2);
    books.row(json!({"command": "destinations.pause", "name": "crm"}));
    let live = books.live.as_ref().unwrap();
    let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
    for _ in 0..5 {
        live.rejected.record("stripe", peer, "no_matching_signature", NOW, String::new);
    }
    *live.not_ready.lock().unwrap() = Some("the disk is full".into());
    let told = problems(&books);
    for part in [
        "webhooks are not taken now: the disk is full",
        "1 delivery to ga4 failed; `tallyhook failed list --destination ga4`",
        "crm is paused, 1 delivery waits; `tallyhook destinations resume crm`",
        "1 of the last 2 webhooks could not be digested",
        "5 requests to stripe refused in the last day, the last one as no_matching_signature",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(status(&books)["ok"], false);
    assert_eq!(status(&books)["sources"][0]["rejected"], 5);

    books.clock.advance(Duration::from_secs(2 * 86_400));
    assert!(!problems(&books).contains("refused"), "that was long ago");
}

#[test]
fn without_a_daemon_the_page_says_so() {
    let books = Books::offline();
    books.take_in("checkout.session.completed", 1);
    let row = status(&books);
    assert_eq!((row["running"].as_bool(), row["ok"].as_bool()), (Some(false), Some(true)), "{row}");
    assert!(row["problems"][0].as_str().unwrap().contains("tallyhook is not running"), "{row}");
}

#[test]
fn webhooks_with_something_odd_are_counted_for_a_week() {
    let books = Books::live();
    assert_eq!(status(&books)["odd_events"], 0);
    books.take_in("checkout.session.completed", 1);
    for (number, notes) in [
        (2, &["amount absent (amount_received, amount)"][..]),
        (3, &["unknown currency"]),
        (4, &["thin event: it carries no object"]),
        (5, &["unknown billing_reason"]),
        (6, &["nothing to count: free order"]),
        (7, &[]),
    ] {
        books.take_in_with_notes(number, notes);
    }
    let row = status(&books);
    assert_eq!((row["odd_events"].as_u64(), row["ok"].as_bool()), (Some(2), Some(true)), "{row}");
    let hint = row["hints"][0].as_str().unwrap();
    assert!(hint.starts_with("2 webhooks of the last 7 days had something odd"), "{hint}");
    assert!(hint.contains("the last one w3") && hint.contains("`tallyhook events list --odd --since 7d`"), "{hint}");
    assert_eq!(books.ids(json!({"command": "events.list", "filter": {"odd": true}})), ["w3", "w2"]);
    books.clock.advance(Duration::from_secs(8 * 86_400));
    assert_eq!((&status(&books)["odd_events"], &status(&books)["hints"]), (&json!(0), &json!([])));
}

#[test]
fn the_certificate_is_told_of_and_its_trouble_is_a_problem() {
    let books = Books::live();
    assert_eq!(status(&books)["certificate"], Value::Null, "without TLS");
    let live = books.live.as_ref().unwrap();
    let day = Duration::from_secs(86_400);
    let fine = Standing {
        mode: "acme",
        names: vec!["a.example".into()],
        validity: Some((NOW.before(30 * day), NOW.after(60 * day))),
        renews_at: Some(NOW.after(30 * day)),
        ..Standing::default()
    };
    *live.certificate.lock().unwrap() = Some(fine.clone());
    let row = status(&books);
    assert_eq!((&row["ok"], &row["certificate"]["names"]), (&json!(true), &json!(["a.example"])));
    assert!(row["certificate"]["renews_at"].as_str() < row["certificate"]["expires_at"].as_str(), "{row}");
    assert_eq!(row["certificate"]["last_error"], Value::Null);

    let error = Some((NOW, "the authority is away".to_owned()));
    let none = Standing { validity: None, failures: 1, last_error: error, next_try_at: Some(NOW.after(day)), ..fine };
    *live.certificate.lock().unwrap() = Some(none);
    *live.not_ready.lock().unwrap() = Some("no certificate yet".to_owned());
    let row = status(&books);
    assert_eq!(row["ok"], false);
    assert_eq!(row["problems"].as_array().unwrap().len(), 1, "one trouble is told once: {row}");
    assert!(problems(&books).contains("the authority is away"), "{row}");
    assert_eq!(row["certificate"]["last_error"], "the authority is away");
    assert_eq!(row["certificate"]["expires_at"], Value::Null);
}
