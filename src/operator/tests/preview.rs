//! What destinations would be sent of an event.

use std::time::Duration;

use serde_json::{Value, json};

use super::books::Books;

fn preview(books: &Books, id: &str) -> Vec<Value> {
    books.rows(json!({"command": "destinations.preview", "id": id}))
}

/// `ga4 would_send`, for each row.
fn results(rows: &[Value]) -> Vec<String> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap_or("-").to_owned();
    rows.iter()
        .map(|row| format!("{} {} {}", text(row, "destination"), text(row, "result"), text(row, "reason")))
        .collect()
}

#[test]
fn each_destination_shows_the_request_it_would_get() {
    for books in [Books::offline(), Books::live()] {
        let webhook = books.take_in("checkout.session.completed", 1);
        let deliveries = books.rows(json!({"command": "deliveries.list"}));
        let rows = preview(&books, &webhook.to_string());
        assert_eq!(results(&rows), ["ga4 would_send -", "crm would_send -"]);
        assert_eq!(
            (rows[0]["event"].as_str(), rows[0]["business_event"].as_str(), rows[0]["delivery"].as_str()),
            (Some("w1"), Some("b1"), Some("b1.1"))
        );
        assert_eq!((rows[0]["kind"].as_str(), rows[0]["state"].as_str()), (Some("purchase"), Some("pending")));
        let request = |row: usize, at: usize| rows[row]["requests"][at]["request"].as_str().unwrap();
        assert!(request(0, 0).contains("/mp/collect?measurement_id=G-TESTSTREAM&api_secret=… {"), "{}", request(0, 0));
        assert!(request(1, 0).starts_with("GET https://crm.example.com/api/contacts?external_id="));
        assert!(request(1, 1).starts_with("POST https://crm.example.com/api/contacts {"));
        assert_eq!(rows[1]["requests"][0]["headers"]["authorization"], "…");
        let told = format!("{rows:?}");
        assert!(!told.contains("made_for_these_tests") && !told.contains("@example"), "{told}");

        assert_eq!(preview(&books, "b1"), rows, "a business event is as good as its webhook");
        let named = books.row(json!({"command": "destinations.preview", "id": "b1", "destination": "crm"}));
        assert_eq!(named, rows[1]);
        assert_eq!(books.rows(json!({"command": "deliveries.list"})), deliveries, "nothing was changed");
    }
}

#[test]
fn the_rule_that_keeps_an_event_back_is_named() {
    let books = Books::offline();
    let test = books.take_in_test_event("checkout.session.completed", 1);
    assert_eq!(
        results(&preview(&books, &test.to_string())),
        ["ga4 would_suppress test_mode", "crm would_suppress test_mode"]
    );
    let started = books.take_in("customer.subscription.created", 2);
    let rows = preview(&books, &started.to_string());
    assert_eq!(results(&rows), ["ga4 would_suppress filtered", "crm would_send -"]);
    assert_eq!((&rows[0]["delivery"], &rows[0]["state"]), (&Value::Null, &Value::Null), "GA4 was not meant to get it");
    assert!(rows[0]["explanation"].as_str().unwrap().contains("does not want this kind"));

    let sale = books.take_in("checkout.session.completed", 3);
    books.clock.advance(Duration::from_secs(4 * 86_400));
    let rows = preview(&books, &sale.to_string());
    assert_eq!(results(&rows), ["ga4 would_suppress too_old", "crm would_send -"]);
    assert_eq!(rows[1]["requests"].as_array().unwrap().len(), 2);
}

#[test]
fn a_delivery_that_ended_is_shown_as_it_would_go_out_again() {
    let books = Books::offline();
    books.take_in("checkout.session.completed", 1);
    books.fail_at_ga4(1);
    let row = books.row(json!({"command": "destinations.preview", "id": "w1", "destination": "ga4"}));
    assert_eq!((row["state"].as_str(), row["result"].as_str()), (Some("failed"), Some("would_send")));
    let retried = books.row(json!({"command": "failed.retry", "ids": ["b1.1"], "dry_run": true}));
    assert_eq!(row["requests"][0]["request"], retried["request"], "the same as a retry's rehearsal shows");
}

#[test]
fn a_refund_that_failed_before_anybody_was_told_stays_withdrawn() {
    let books = Books::offline();
    let failed = books.take_in("refund.failed", 1);
    let rows = preview(&books, &failed.to_string());
    let of_refund: Vec<Value> = rows.into_iter().filter(|row| row["kind"] == "refund").collect();
    assert_eq!(results(&of_refund), ["ga4 would_suppress withdrawn", "crm would_suppress withdrawn"]);
}

#[test]
fn what_is_not_there_is_said() {
    let books = Books::offline();
    let ask = |request: Value| books.ask(request).map(|rows| rows.len()).unwrap_err();
    for id in ["w9", "evt_unknown", "b9"] {
        let error = ask(json!({"command": "destinations.preview", "id": id}));
        assert!(error.status == 404 && error.message.contains(id), "{error}");
    }
    books.take_in("checkout.session.completed", 1);
    let error = ask(json!({"command": "destinations.preview", "id": "b1", "destination": "shop"}));
    assert!(error.status == 404 && error.message.contains("configured: ga4, crm"), "{error}");
}
