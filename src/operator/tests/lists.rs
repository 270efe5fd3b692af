//! Lists and stories: the shape of rows, filters, pages.

use std::time::Duration;

use serde_json::{Value, json};

use super::books::{Books, fields, has};
use crate::model::delivery::{FailureClass, Outcome};
use crate::model::id::WebhookId;

#[test]
fn an_event_row_has_what_the_interface_promises() {
    let books = Books::offline();
    books.take_in("checkout.session.completed", 1);
    let row = books.row(json!({"command": "events.list", "limit": 50}));
    let promised = ["id", "source", "provider_id", "type", "received_at", "livemode", "status", "business_events"];
    assert!(has(&row, &promised), "{row}");
    assert_eq!(row["id"], "w1");
    assert_eq!(row["source"], "stripe");
    assert_eq!(row["type"], "checkout.session.completed");
    assert_eq!(row["livemode"], true);
    assert_eq!(row["status"], "accepted");
    assert_eq!(row["received_at"], "2026-09-21T14:13:20.000Z");
    assert!(row["provider_id"].as_str().unwrap().starts_with("evt_"));
    assert_eq!(row["business_events"][0]["kind"], "purchase");
    assert!(row["business_events"][0]["key"].as_str().unwrap().starts_with("stripe/-/live/pi_"));
}

#[test]
fn a_delivery_row_has_what_the_interface_promises() {
    let books = Books::offline();
    books.take_in("checkout.session.completed", 1);
    let rows = books.rows(json!({"command": "deliveries.list"}));
    assert_eq!(rows.len(), 2, "{rows:?}");
    let promised = [
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
    ];
    for row in &rows {
        assert!(has(row, &promised), "{row}");
        assert_eq!(row["state"], "pending");
        assert_eq!(row["reason"], Value::Null);
        assert_eq!(row["next_attempt_at"], "2026-09-21T14:13:20.000Z");
        assert_eq!(row["contact"], "c1");
    }
    assert_eq!((rows[0]["id"].as_str(), rows[0]["destination"].as_str()), (Some("b1.1"), Some("ga4")));
    assert_eq!(rows[0]["deadline"], "2026-09-24T14:13:20.000Z", "72 hours after the event");
}

#[test]
fn no_row_carries_personal_data() {
    let books = Books::offline();
    for number in 1..4 {
        books.take_in("checkout.session.completed", number);
        books.take_in("charge.succeeded", number);
    }
    books.fail_at_ga4(1);
    for request in [
        json!({"command": "status"}),
        json!({"command": "events.list"}),
        json!({"command": "events.show", "id": "w1"}),
        json!({"command": "deliveries.list"}),
        json!({"command": "deliveries.show", "id": "b1.2"}),
        json!({"command": "contacts.show", "id": "c1"}),
        json!({"command": "failed.list"}),
        json!({"command": "failed.retry", "all": true, "dry_run": true}),
        json!({"command": "destinations.list"}),
    ] {
        let text = Value::from(books.rows(request)).to_string();
        for personal in ["@example.com", "Example\"", "+4930"] {
            assert!(!text.contains(personal), "{personal}: {text}");
        }
    }
}

#[test]
fn a_pending_delivery_of_a_contact_goes_by_its_synchronisation() {
    let books = Books::offline();
    books.take_in("checkout.session.completed", 1);
    books.report_to_crm(1, 1, Outcome::Retry { explanation: "503".into(), after: None }, 503);
    let row = books.row(json!({"command": "deliveries.show", "id": "b1.2"}));
    assert_eq!(row["state"], "pending");
    assert_eq!(row["attempts"], 1);
    assert_eq!(row["next_attempt_at"], "2026-09-21T14:13:30.000Z", "the schedule's ten seconds");
    assert_eq!(row["waits_for"], "next_attempt");
    assert_eq!(row["history"].as_array().unwrap().len(), 1);
    assert_eq!(row["history"][0]["status"], 503);
    assert_eq!(
        fields(&row["history"][0]),
        ["at", "excerpt", "generation", "number", "outcome", "sent", "status", "took_ms"]
    );
}

#[test]
fn a_failed_delivery_says_why_and_what_to_do() {
    let books = Books::offline();
    books.take_in("checkout.session.completed", 1);
    books.fail_at_ga4(1);
    let row = books.row(json!({"command": "failed.show", "id": "b1.1"}));
    assert_eq!(row["reason"], "rejected: GA4 said no");
    assert_eq!(row["class"], FailureClass::Rejected.name());
    assert_eq!(row["last_status"], 400);
    let next_step = row["next_step"].as_str().unwrap();
    assert!(next_step.contains("failed retry b1.1"), "{next_step}");
    let error = books.ask(json!({"command": "failed.show", "id": "b1.2"})).unwrap_err();
    assert_eq!(error.status, 404);
    assert!(error.message.contains("pending"), "{error}");
}

#[test]
fn an_event_is_found_by_either_of_its_ids_and_explained() {
    let books = Books::offline();
    books.take_in("checkout.session.completed", 1);
    books.take_in("charge.succeeded", 1);
    let by_number = books.row(json!({"command": "events.show", "id": "w2"}));
    let provider_id = by_number["provider_id"].clone();
    assert_eq!(books.row(json!({"command": "events.show", "id": provider_id})), by_number);
    assert_eq!(by_number["business_events"][0]["from_this_event"], false, "the session told of it first");
    assert_eq!(by_number["business_events"][0]["deliveries"].as_array().unwrap().len(), 2);
    assert!(by_number["meaning"].as_str().unwrap().contains("counts nothing twice"));
    let joined = by_number["sale"]["joined"].to_string();
    assert!(joined.contains("pi_") && joined.contains("as the same money"), "{joined}");
    assert_eq!(by_number["body_kept"], true);
    for lost in ["w77", "evt_nobody", ""] {
        assert_eq!(books.ask(json!({"command": "events.show", "id": lost})).unwrap_err().status, 404, "{lost}");
    }
}

#[test]
fn a_person_is_found_by_anything_that_names_them() {
    let books = Books::offline();
    books.take_in("checkout.session.completed", 1);
    books.take_in("refund.created", 1);
    books.take_in_test_event("checkout.session.completed", 1);
    let show = |id: &str| books.ask(json!({"command": "contacts.show", "id": id}));
    let person = show("c1").unwrap().remove(0);
    assert_eq!((person["id"].as_str(), person["livemode"].as_bool()), (Some("c1"), Some(true)));
    assert_eq!((person["purchases"].as_u64(), person["refunds"].as_u64()), (Some(1), Some(1)));
    assert_eq!((person["stage"].as_str(), person["sales"][0]["kind"].as_str()), (Some("customer"), Some("purchase")));
    let lead = person["lead_ids"][0].as_str().unwrap();
    let customer = person["customers"][0].as_str().unwrap();
    assert!(customer.starts_with("stripe/-/cus_"), "{customer}");
    for name in [customer, customer.rsplit('/').next().unwrap()] {
        assert_eq!(show(name).unwrap(), std::slice::from_ref(&person), "{name}");
    }
    let modes: Vec<Value> = show(lead).unwrap().iter().map(|person| person["livemode"].clone()).collect();
    assert_eq!(modes, [true, false], "test people stand apart, behind the live ones");
    for (nobody, status) in [("c77", 404), ("nobody@example.com", 404), (" ", 400)] {
        let error = show(nobody).unwrap_err();
        assert_eq!(error.status, status, "{nobody}");
        assert!(!error.message.contains('@'), "{error}");
    }
}

#[test]
fn lists_go_on_behind_an_id_and_stop_at_their_limit() {
    let books = Books::offline();
    for number in 1..=5 {
        books.take_in("checkout.session.completed", number);
    }
    assert_eq!(books.ids(json!({"command": "events.list", "limit": 2})), ["w5", "w4"]);
    assert_eq!(books.ids(json!({"command": "events.list", "limit": 2, "after": "w4"})), ["w3", "w2"]);
    assert_eq!(books.ids(json!({"command": "events.list", "after": "w1"})), [""; 0]);
    let deliveries = json!({"command": "deliveries.list", "limit": 3, "after": "b5.1"});
    assert_eq!(books.ids(deliveries), ["b5.2", "b4.1", "b4.2"]);
    for event in 1..=5 {
        books.fail_at_ga4(event);
    }
    assert_eq!(books.ids(json!({"command": "failed.list", "limit": 2, "after": "b2.1"})), ["b3.1", "b4.1"]);
    let shown = books.row(json!({"command": "events.show", "id": "w2"}));
    assert_eq!(books.ids(json!({"command": "events.list", "after": shown["provider_id"]})), ["w1"]);
    assert_eq!(books.ask(json!({"command": "events.list", "after": "evt_none"})).unwrap_err().status, 404);
    assert_eq!(books.ids(json!({"command": "failed.list", "filter": {"state": "delivered"}})), [""; 0]);
    assert_eq!(books.ids(json!({"command": "failed.list", "filter": {"state": "failed"}, "limit": 1})), ["b1.1"]);
    let names = |request| books.rows(request).iter().map(|row| row["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(json!({"command": "destinations.list"})), ["ga4", "crm"]);
    assert_eq!(names(json!({"command": "destinations.list", "limit": 1})), ["ga4"]);
    assert_eq!(names(json!({"command": "destinations.list", "after": "ga4"})), ["crm"]);
    assert_eq!(names(json!({"command": "destinations.list", "filter": {"kind": "rest", "state": "active"}})), ["crm"]);
    let odd = json!({"command": "destinations.list", "filter": {"since": "2h"}});
    assert_eq!(books.ask(odd).unwrap_err().status, 400);
}

#[test]
fn lists_longer_than_a_page_are_whole_and_in_order() {
    let books = Books::offline();
    let count = super::super::pages::PAGE as u64 * 2 + 10;
    for number in 1..=count {
        books.take_in("checkout.session.completed", number);
        books.fail_at_ga4(number);
        if number % 3 == 0 {
            let outcome = Outcome::Permanent { class: FailureClass::Rejected, explanation: "no".into() };
            books.report_to_crm(number, number, outcome, 422);
        }
    }
    let newest_first: Vec<String> = (1..=count).rev().map(|number| WebhookId(number).to_string()).collect();
    assert_eq!(books.ids(json!({"command": "events.list"})), newest_first);
    assert_eq!(books.rows(json!({"command": "deliveries.list"})).len() as u64, count * 2);
    let mut expected = Vec::new();
    for number in 1..=count {
        expected.push(format!("b{number}.1"));
        if number % 3 == 0 {
            expected.push(format!("b{number}.2"));
        }
    }
    assert_eq!(books.ids(json!({"command": "failed.list"})), expected);
}

#[test]
fn filters_leave_out_what_is_not_wanted() {
    let books = Books::offline();
    books.take_in("checkout.session.completed", 1);
    books.clock.advance(Duration::from_secs(3600));
    books.take_in("refund.created", 2);
    books.take_in_test_event("checkout.session.completed", 9);
    books.take_in_unreadable("checkout.session.completed", 3);
    let events = |filter: Value| books.ids(json!({"command": "events.list", "filter": filter}));
    assert_eq!(events(json!({"since": "30m"})), ["w4", "w3", "w2"]);
    assert_eq!(events(json!({"until": "30m"})), ["w1"]);
    assert_eq!(events(json!({"kind": "refund"})), ["w2"]);
    assert_eq!(events(json!({"kind": "purchase", "destination": "crm"})), ["w3", "w1"]);
    assert_eq!(events(json!({"state": "unreadable"})), ["w4"]);
    assert_eq!(events(json!({"type": "refund.created"})), ["w2"]);
    assert_eq!(events(json!({"source": "shop"})), [""; 0]);
    let deliveries = |filter: Value| books.ids(json!({"command": "deliveries.list", "filter": filter}));
    assert_eq!(deliveries(json!({"state": "suppressed"})), ["b3.1", "b3.2"], "test events and live destinations");
    assert_eq!(deliveries(json!({"destination": "ga4", "state": "pending"})), ["b2.1", "b1.1"]);
    assert_eq!(deliveries(json!({"kind": "refund", "source": "stripe"})), ["b2.1", "b2.2"]);
    assert_eq!(deliveries(json!({"source": "shop"})), [""; 0]);
    let suppressed = books.rows(json!({"command": "deliveries.list", "filter": {"state": "suppressed"}}));
    assert_eq!(suppressed[0]["reason"], "test_mode");
    books.fail_at_ga4(1);
    let failed = |filter: Value| books.ids(json!({"command": "failed.list", "filter": filter}));
    assert_eq!(failed(json!({"class": "rejected", "since": "1m"})), ["b1.1"], "failed just now");
    assert_eq!(failed(json!({"class": "ambiguous"})), [""; 0]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let books = Books::offline();
    for request in [
        json!({"command": "sing"}),
        json!({"no": "command"}),
        json!([]),
        json!({"command": "events.show"}),
        json!({"command": "events.list", "limt": 3}),
        json!({"command": "events.list", "filter": {"since": "yesterday"}}),
        json!({"command": "rejected.list", "filter": {"kind": "purchase"}}),
        json!({"command": "events.replay", "ids": []}),
        json!({"command": "failed.retry"}),
        json!({"command": "failed.retry", "ids": ["b1.1"], "all": true}),
        json!({"command": "failed.retry", "ids": ["w1"]}),
        json!({"command": "failed.retry", "al": true}),
    ] {
        assert_eq!(books.ask(request.clone()).unwrap_err().status, 400, "{request}");
    }
}
