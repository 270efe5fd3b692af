//! What a person changes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde_json::{Value, json};

use super::books::{Books, CRM, GA4};
use crate::model::breaker::{Breaker, Open};
use crate::model::delivery::{FailureClass, Held, Outcome, Standing};
use crate::store::Command;

#[test]
fn a_retry_is_rehearsed_and_then_done() {
    let books = Books::live();
    books.take_in("checkout.session.completed", 1);
    books.fail_at_ga4(1);
    let rehearsed = books.row(json!({"command": "failed.retry", "ids": ["b1.1"], "dry_run": true}));
    assert_eq!(rehearsed["result"], "would_retry", "{rehearsed}");
    let request = rehearsed["request"].as_str().unwrap();
    assert!(request.contains("/mp/collect") && request.contains("api_secret=…"), "{request}");
    assert_eq!(books.ids(json!({"command": "failed.list"})), ["b1.1"], "nothing was changed");

    let row = books.row(json!({"command": "failed.retry", "ids": ["b1.1"]}));
    assert_eq!(row, json!({"id": "b1.1", "destination": "ga4", "result": "retried", "reason": null}));
    let delivery = books.row(json!({"command": "deliveries.show", "id": "b1.1"}));
    assert_eq!((delivery["state"].as_str(), delivery["generation"].as_u64()), (Some("pending"), Some(1)));
    assert!(books.ids(json!({"command": "failed.list"})).is_empty());

    let again = books.row(json!({"command": "failed.retry", "ids": ["b1.1"]}));
    assert_eq!(again["result"], "refused");
    assert!(again["reason"].as_str().unwrap().contains("pending already"), "{again}");
}

#[test]
fn a_rehearsal_shows_what_follows_a_search_that_finds_nobody() {
    let books = Books::offline();
    books.take_in("checkout.session.completed", 1);
    let outcome = Outcome::Permanent { class: FailureClass::Rejected, explanation: "the CRM said no".into() };
    books.report_to_crm(1, 1, outcome, 422);
    let row = books.row(json!({"command": "failed.retry", "ids": ["b1.2"], "dry_run": true}));
    let (first, then) = (row["request"].as_str().unwrap(), row["then"].as_str().unwrap());
    assert!(first.starts_with("GET https://crm.example.com/api/contacts?external_id="), "{first}");
    assert!(then.starts_with("POST https://crm.example.com/api/contacts {"), "{then}");
    assert!(!then.contains("@example"), "personal data is masked: {then}");
    assert_eq!(books.ids(json!({"command": "failed.list"})), ["b1.2"], "nothing was changed");
}

#[test]
fn past_the_deadline_a_retry_is_refused_and_says_why() {
    let books = Books::offline();
    books.take_in("checkout.session.completed", 1);
    books.fail_at_ga4(1);
    books.clock.advance(Duration::from_secs(4 * 86_400));
    for dry_run in [true, false] {
        let row = books.row(json!({"command": "failed.retry", "all": true, "dry_run": dry_run}));
        assert_eq!(row["result"], "refused");
        assert!(row["reason"].as_str().unwrap().contains("takes nothing after"), "{row}");
    }
    let shown = books.row(json!({"command": "failed.show", "id": "b1.1"}));
    assert_eq!(shown["class"], "rejected");
    let next = shown["next_step"].as_str().unwrap();
    assert!(
        next.starts_with("enter it by hand") && next.contains("failed discard b1.1"),
        "no retry is advised: {next}"
    );
}

#[test]
fn a_filter_decides_which_failed_deliveries_are_meant() {
    let books = Books::offline();
    for number in 1..=3 {
        books.take_in("checkout.session.completed", number);
        books.fail_at_ga4(number);
    }
    let outcome = Outcome::Permanent { class: FailureClass::Invalid, explanation: "no".into() };
    books.report_to_crm(2, 2, outcome, 422);
    let of_crm = json!({"command": "failed.retry", "filter": {"destination": "crm"}});
    assert_eq!(books.ids(of_crm), ["b2.2"]);
    let invalid = json!({"command": "failed.retry", "filter": {"class": "invalid"}});
    assert!(books.ids(invalid).is_empty(), "it is pending now");
    assert_eq!(
        books.ids(json!({"command": "failed.discard", "all": true, "reason": "not needed"})),
        ["b1.1", "b2.1", "b3.1"]
    );
    let row = books.row(json!({"command": "deliveries.show", "id": "b3.1"}));
    assert_eq!((row["state"].as_str(), row["reason"].as_str()), (Some("discarded"), Some("not needed")));
}

#[test]
fn a_discard_is_rehearsed_without_changing_anything() {
    let books = Books::offline();
    books.take_in("checkout.session.completed", 1);
    books.fail_at_ga4(1);
    let request = json!({"command": "failed.discard", "ids": ["b1.1", "b1.2", "b9.1"], "dry_run": true});
    let results: Vec<Value> = books.rows(request).into_iter().map(|mut row| row["result"].take()).collect();
    assert_eq!(results, ["would_discard", "refused", "refused"]);
    assert_eq!(books.ids(json!({"command": "failed.list"})), ["b1.1"]);
}

#[test]
fn a_pause_is_kept_and_told_and_a_resume_clears_all_that_stands_in_the_way() {
    let books = Books::live();
    let row = books.row(json!({"command": "destinations.pause", "name": "crm"}));
    assert_eq!((row["state"].as_str(), row["changed"].as_bool()), (Some("paused"), Some(true)));
    let row = books.row(json!({"command": "destinations.pause", "name": "crm"}));
    assert_eq!(row["changed"], false);
    let told = books.live.as_ref().unwrap().told.lock().unwrap().clone();
    assert_eq!(told.len(), 1, "only what changed");
    assert!(told[0].0 == CRM && told[0].1.paused);

    let now = super::books::NOW;
    let standing = Standing {
        paused: false,
        held: Some(Held { since: now, explanation: "401".into(), probe_at: now, probes: 0 }),
        not_before: Some(now.after(Duration::from_secs(60))),
        breaker: Breaker::reopened(Some(Open { since: now, probe_at: now, probes: 0 })),
    };
    books.writer.run(Command::SetStanding(GA4, Box::new(standing))).unwrap();
    let rows = books.rows(json!({"command": "destinations.list"}));
    assert_eq!((rows[0]["name"].as_str(), rows[0]["state"].as_str()), (Some("ga4"), Some("held")));
    assert_eq!(rows[0]["held"]["reason"], "401");
    let row = books.row(json!({"command": "destinations.resume", "name": "ga4"}));
    assert_eq!((row["state"].as_str(), &row["not_before"]), (Some("active"), &Value::Null));
    let told = books.live.as_ref().unwrap().told.lock().unwrap().clone();
    assert_eq!(told[1], (GA4, Standing::default()));

    let error = books.ask(json!({"command": "destinations.pause", "name": "crn"})).unwrap_err();
    assert!(error.status == 404 && error.message.contains("ga4, crm"), "{error}");
}

#[test]
fn a_destination_is_asked_whether_it_works() {
    for (status, ok, result) in [(200, true, "works"), (401, false, "broken"), (503, false, "unavailable")] {
        let books = Books::with_crm_answering(status);
        let row = books.row(json!({"command": "destinations.test", "name": "crm"}));
        assert_eq!((row["ok"].as_bool(), row["result"].as_str()), (Some(ok), Some(result)), "{row}");
        assert_eq!(row["status"], status);
        let sent = row["sent"].as_str().unwrap();
        assert!(sent.starts_with("GET https://crm.example.com/api/contacts") && !sent.contains("made_for"), "{sent}");
    }
    let books = Books::offline();
    let row = books.row(json!({"command": "destinations.test", "name": "ga4"}));
    assert_eq!((row["ok"].as_bool(), row["result"].as_str()), (Some(false), Some("broken")), "nothing is there");
    assert_eq!(books.ask(json!({"command": "destinations.test", "name": "shop"})).unwrap_err().status, 404);
}

#[test]
fn a_webhook_that_could_not_be_digested_is_replayed() {
    let books = Books::offline();
    let id = books.take_in_unreadable("checkout.session.completed", 1);
    let row = books.row(json!({"command": "events.replay", "ids": [id.to_string()]}));
    assert_eq!(row["result"], "replayed", "{row}");
    assert_eq!((row["status_before"].as_str(), row["status"].as_str()), (Some("unreadable"), Some("accepted")));
    assert_eq!(row["business_events_added"], json!(["purchase"]));
    assert_eq!(row["deliveries_added"], 2);
    let row = books.row(json!({"command": "events.replay", "ids": [id.to_string()]}));
    assert_eq!(row["result"], "unchanged", "nothing is done twice");
    let rows = books.rows(json!({"command": "events.replay", "ids": ["w9", "w1"]}));
    assert_eq!((rows[0]["result"].as_str(), rows[1]["result"].as_str()), (Some("refused"), Some("unchanged")));
}

#[test]
fn a_replay_is_rehearsed_without_changing_anything() {
    let books = Books::offline();
    let id = books.take_in_unreadable("checkout.session.completed", 1);
    let rehearse = json!({"command": "events.replay", "ids": ["w1", "w9"], "dry_run": true});
    for _ in 0..2 {
        let rows = books.rows(rehearse.clone());
        assert_eq!((rows[0]["result"].as_str(), rows[0]["status"].as_str()), (Some("would_replay"), Some("accepted")));
        assert_eq!(
            (&rows[0]["business_events_added"], &rows[0]["deliveries_added"]),
            (&json!(["purchase"]), &json!(2))
        );
        assert_eq!(rows[1]["result"], "refused");
    }
    assert!(books.ids(json!({"command": "deliveries.list"})).is_empty(), "nothing was changed");
    let done = books.row(json!({"command": "events.replay", "ids": [id.to_string()]}));
    assert_eq!((&done["business_events_added"], &done["deliveries_added"]), (&json!(["purchase"]), &json!(2)));
    assert_eq!(books.row(json!({"command": "events.replay", "ids": ["w1"], "dry_run": true}))["result"], "unchanged");
}

#[test]
fn a_replay_claims_nothing_that_was_in_the_books_before() {
    let books = Books::offline();
    books.take_in("checkout.session.completed", 1);
    books.take_in("refund.created", 1);
    let kinds = |id: &str| {
        let story = books.row(json!({"command": "events.show", "id": id}));
        story["business_events"].as_array().unwrap().len()
    };
    assert_eq!(kinds("w1"), 2, "both are of one sale");
    for _ in 0..2 {
        let row = books.row(json!({"command": "events.replay", "ids": ["w1"]}));
        assert_eq!(row["result"], "unchanged", "{row}");
        assert_eq!((&row["business_events_added"], row["deliveries_added"].as_u64()), (&json!([]), Some(0)), "{row}");
        assert_eq!(row["business_events_corrected"], json!([]), "{row}");
    }
    assert_eq!(books.ids(json!({"command": "deliveries.list"})).len(), 4);
}

#[test]
fn refused_requests_are_listed_with_and_without_a_daemon() {
    let peer = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    let books = Books::live();
    let log = &books.live.as_ref().unwrap().rejected;
    for _ in 0..3 {
        log.record("stripe", peer, "no_matching_signature", super::books::NOW, || "The secret is another one.".into());
    }
    let rows = books.rows(json!({"command": "rejected.list", "limit": 2}));
    assert_eq!((rows.len(), rows[0]["id"].as_str()), (2, Some("r3")));
    assert_eq!(rows[0]["verdict"], "The secret is another one.");
    assert_eq!(books.ids(json!({"command": "rejected.list", "after": "r2"})), ["r1"]);
    assert!(books.ids(json!({"command": "rejected.list", "filter": {"reason": "missing_signature"}})).is_empty());

    let kept = log.dirty_snapshot().unwrap();
    let offline = Books::offline();
    assert!(offline.ids(json!({"command": "rejected.list"})).is_empty());
    offline.writer.run(Command::KeepRejected(kept)).unwrap();
    assert_eq!(offline.ids(json!({"command": "rejected.list"})), ["r3", "r2", "r1"]);
    let row = offline.row(json!({"command": "rejected.retry", "ids": ["r1"]}));
    assert_eq!(row["result"], "refused");
    assert!(row["reason"].as_str().unwrap().contains("always_200"), "it is not kept: {row}");
}
