//! Refused requests that are kept whole.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde_json::{Value, json};

use super::books::{Books, NOW, SECRET};
use crate::http::rejected::RejectedFilter;
use crate::model::refused::{MOST_REFUSED, MOST_REFUSED_BYTES};
use crate::sources::signature::SigningKey;
use crate::store::{Command, Reply, Sweep, SweepLimits};

const OTHER: &str = "whsec_another_one_9876543210_9876543210";
const PAID: &str = "checkout.session.completed";

fn results(rows: &[Value]) -> Vec<(&str, &str)> {
    rows.iter().map(|row| (row["id"].as_str().unwrap(), row["result"].as_str().unwrap())).collect()
}

#[test]
fn what_is_genuine_today_is_taken_in_like_a_webhook_and_the_rest_stays() {
    for books in [Books::live(), Books::offline()] {
        books.keep_refused(1, &books.signed(SECRET, PAID, 1));
        books.keep_refused(2, &books.signed(OTHER, PAID, 2));
        books.keep_refused(3, &books.signed(SECRET, PAID, 1));
        // The signature's age counts from when it came, not from when a person looks after it.
        books.clock.advance(Duration::from_secs(3 * 86_400));
        let rows = books.rows(json!({"command": "rejected.retry", "all": true, "dry_run": true}));
        assert_eq!(results(&rows), [("r1", "would_take_in"), ("r2", "refused"), ("r3", "would_take_in")]);
        assert!(books.ids(json!({"command": "events.list"})).is_empty(), "a rehearsal changes nothing");

        let rows = books.rows(json!({"command": "rejected.retry", "all": true}));
        assert_eq!(results(&rows), [("r1", "accepted"), ("r2", "refused"), ("r3", "duplicate")]);
        assert!(rows[1]["reason"].as_str().unwrap().starts_with("no_matching_signature: "), "{}", rows[1]);
        assert_eq!((rows[0]["event"].as_str(), rows[2]["event"].as_str()), (Some("w1"), Some("w1")));
        let event = books.row(json!({"command": "events.show", "id": "w1"}));
        assert_eq!((event["status"].as_str(), event["body_kept"].as_bool()), (Some("accepted"), Some(true)));
        assert_eq!(event["business_events"][0]["kind"], "purchase");
        assert_eq!(books.ids(json!({"command": "rejected.list"})), ["r2"]);
        let again = books.row(json!({"command": "rejected.retry", "ids": ["r1"]}));
        assert!(again["reason"].as_str().unwrap().contains("not kept"), "{again}");
    }
}

#[test]
fn a_signature_that_was_too_old_when_it_came_stays_so() {
    let books = Books::offline();
    let sample = books.signed(SECRET, PAID, 1);
    books.clock.advance(Duration::from_secs(3600));
    books.keep_refused(1, &sample);
    let row = books.row(json!({"command": "rejected.retry", "ids": ["r1"]}));
    assert!(row["reason"].as_str().unwrap().starts_with("timestamp_too_old: "), "{row}");
    assert_eq!(books.ids(json!({"command": "rejected.list"})), ["r1"]);
}

#[test]
fn a_genuine_body_that_is_no_event_stays_refused() {
    let books = Books::offline();
    let mut sample = books.signed(SECRET, PAID, 1);
    sample.body = b"[]".to_vec();
    let at = NOW.unix_seconds().to_string();
    let digest = SigningKey::new(SECRET.as_bytes()).digest(&[at.as_bytes(), b".", b"[]"]);
    sample.headers = vec![("Stripe-Signature".to_owned(), format!("t={at},v1={}", hex::encode(digest)))];
    books.keep_refused(1, &sample);
    let row = books.row(json!({"command": "rejected.retry", "all": true}));
    assert!(row["reason"].as_str().unwrap().starts_with("invalid_payload: "), "{row}");
}

#[test]
fn the_list_says_what_is_kept_and_status_what_to_do() {
    let books = Books::live();
    let live = books.live.as_ref().unwrap();
    let peer = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
    let row = live.rejected.record("stripe", peer, "missing_signature", NOW, String::new);
    let kept = live.rejected.record("stripe", peer, "no_matching_signature", NOW, String::new);
    books.keep_refused(kept.id, &books.signed(SECRET, PAID, 1));
    // The list in memory is short; what is kept outlasts it.
    books.keep_refused(40, &books.signed(SECRET, PAID, 2));
    let rows = books.rows(json!({"command": "rejected.list"}));
    let shown: Vec<(&str, bool)> =
        rows.iter().map(|row| (row["id"].as_str().unwrap(), row["kept"].as_bool().unwrap())).collect();
    assert_eq!((row.id, shown), (1, vec![("r40", true), ("r2", true), ("r1", false)]));
    assert_eq!(books.ids(json!({"command": "rejected.list", "limit": 1, "after": "r40"})), ["r2"]);
    let status = books.row(json!({"command": "status"}));
    assert_eq!((status["ok"].as_bool(), status["sources"][0]["rejected_kept"].as_u64()), (Some(false), Some(2)));
    let problem = status["problems"][0].as_str().unwrap();
    assert!(problem.starts_with("2 requests to stripe were refused and answered 200"), "{problem}");
    assert!(problem.contains("`tallyhook rejected retry --all --source stripe`"), "{problem}");

    let rows = books.rows(json!({"command": "rejected.erase", "filter": {"source": "stripe"}}));
    assert_eq!(results(&rows), [("r2", "erased"), ("r40", "erased")]);
    assert_eq!(books.ids(json!({"command": "rejected.list"})), ["r1"]);
    assert_eq!(books.row(json!({"command": "status"}))["ok"], true);
    assert_eq!(live.rejected.list(&RejectedFilter::default()).len(), 1);
    assert!(books.ask(json!({"command": "rejected.retry"})).unwrap_err().message.contains("say which"));
}

#[test]
fn a_source_keeps_so_many_and_the_oldest_go_first() {
    let books = Books::offline();
    let sample = books.signed(SECRET, PAID, 1);
    for id in 1..=MOST_REFUSED + 2 {
        books.keep_refused(id, &sample);
    }
    let ids = books.ids(json!({"command": "rejected.list"}));
    assert_eq!((ids.len() as u64, ids.last().map(String::as_str)), (MOST_REFUSED, Some("r3")));

    let quarter = vec![0; usize::try_from(MOST_REFUSED_BYTES / 4).unwrap() + 1];
    for id in 2001..=2005 {
        books.keep_packed(id, &sample, quarter.clone());
    }
    assert_eq!(
        books.ids(json!({"command": "rejected.list"})),
        ["r2005", "r2004", "r2003"],
        "four are a little too large"
    );
}

#[test]
fn after_a_week_they_are_gone() {
    let books = Books::offline();
    books.keep_refused(1, &books.signed(SECRET, PAID, 1));
    books.clock.advance(Duration::from_secs(8 * 86_400));
    books.keep_refused(2, &books.signed(SECRET, PAID, 2));
    let before = NOW.after(Duration::from_secs(86_400));
    let swept = books.writer.run(Command::Sweep(Sweep::Refused(SweepLimits { before, most: 100 }))).unwrap();
    assert_eq!(swept, Reply::Swept { rows: 1, next: None });
    assert_eq!(books.ids(json!({"command": "rejected.list"})), ["r2"]);
    assert_eq!(books.row(json!({"command": "status"}))["sources"][0]["rejected_kept"], 1);
}
