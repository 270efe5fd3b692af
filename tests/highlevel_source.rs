//! GoHighLevel as a source of the real binary: who is believed, what is answered, and what counts.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::daemon::Sandboxes;
use support::highlevel::{LOCATION, TOKEN, accept, app, at, contact, home, post};
use support::http::{self, Answer};
use support::wait_for;

fn told(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    let word = body["status"].as_str().or(body["reason"].as_str()).or(body["error"].as_str()).unwrap_or_default();
    (answer.status, word.to_owned())
}

fn order(n: u32, status: &str) -> Value {
    json!({"_id": format!("order{n}"), "altId": LOCATION, "altType": "location", "status": status, "contactId": "contact1",
        "fulfillmentStatus": "unfulfilled", "contactSnapshot": contact(1), "currency": "EUR", "amount": 150.1, "liveMode": true,
        "amountSummary": {"subtotal": 138, "discount": 0, "tax": 12.1, "shipping": 0},
        "items": [{"name": "Session", "qty": 1, "price": {"_id": "price1", "amount": 150.1}}], "updatedAt": at(-5)})
}

#[test]
fn only_what_highlevel_signed_for_us_is_taken() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, false);
    let daemon = home.start();
    let address = daemon.address;
    let body = app("w1", "ContactCreate", 0, contact(1));
    let unsigned =
        http::send(address, "POST", "/api/webhooks/highlevel", &[("X-GHL-Signature".into(), "N/A".into())], &body);
    assert_eq!(told(&unsigned.unwrap()), (400, "missing_signature".into()));
    assert_eq!(told(&post(address, &app("w2", "ContactCreate", -7300, contact(1)))), (400, "timestamp_too_old".into()));
    // Signed with the key that is everybody's, for somebody else.
    for (field, value) in [("locationId", "another"), ("appId", "another")] {
        let mut other = contact(1);
        other[field] = value.into();
        assert_eq!(told(&post(address, &app("w3", "ContactCreate", 0, other))), (403, "not_ours".into()));
    }
    accept(address, &body);
    assert_eq!(told(&post(address, &body)), (200, "duplicate".into()));
    let reasons: Vec<_> =
        home.rows(&["rejected", "list"]).iter().map(|row| row["reason"].as_str().unwrap().to_owned()).collect();
    for reason in ["missing_signature", "timestamp_too_old", "not_ours"] {
        assert!(reasons.iter().any(|known| known == reason), "{reason}: {reasons:?}");
    }
    assert!(!daemon.log().to_lowercase().contains("jana"));
}

#[test]
fn a_workflow_shows_its_token_and_names_its_event() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, false);
    let daemon = home.start();
    let send = |path: &str, headers: &[(String, String)], body: &Value| {
        http::send(
            daemon.address,
            "POST",
            &format!("/api/webhooks/highlevel{path}"),
            headers,
            body.to_string().as_bytes(),
        )
        .unwrap()
    };
    let body = json!({"contact_id": "contact1", "full_name": "Jana Nová", "email": "jana1@example.com", "tags": "a,b",
        "location": {"id": LOCATION}, "workflow": {"id": "wf", "name": "Flow"}, "customData": {"event_id": "e1"}});
    assert_eq!(told(&send("/wrong-token-wrong-token", &[], &body)), (404, "unknown_source".into()));
    assert_eq!(told(&send("", &[], &body)), (400, "missing_signature".into()));
    let wrong = [("X-Tallyhook-Token".to_owned(), "wrong".to_owned())];
    assert_eq!(told(&send("", &wrong, &body)), (400, "wrong_token".into()));
    let path = format!("/{TOKEN}?event=webinar_joined");
    assert_eq!(told(&send(&path, &[], &body)), (200, "accepted".into()));
    assert_eq!(told(&send(&path, &[], &body)), (200, "duplicate".into()));
    // Without an id of its own the body is one, however it is written.
    let right = [("Authorization".to_owned(), format!("Bearer {TOKEN}"))];
    let mut plain = body.clone();
    plain["customData"] = json!({"event": "lead"});
    assert_eq!(told(&send("", &right, &plain)), (200, "accepted".into()));
    let pretty = serde_json::to_string_pretty(&plain).unwrap();
    let again = http::send(daemon.address, "POST", "/api/webhooks/highlevel", &right, pretty.as_bytes()).unwrap();
    assert_eq!(told(&again), (200, "duplicate".into()));
    let events = home.rows(&["events", "list"]);
    let kinds: Vec<_> = events.iter().flat_map(|event| event["business_events"].as_array().unwrap().clone()).collect();
    assert_eq!(kinds.len(), 2, "{events:?}");
    assert!(
        kinds.iter().any(|kind| kind["kind"] == "webinar_joined") && kinds.iter().any(|kind| kind["kind"] == "lead")
    );
    assert!(!daemon.log().contains(TOKEN), "a token stays out of logs");
}

#[test]
fn orders_count_where_they_are_to_and_else_tell_only_who_bought() {
    for counts in [true, false] {
        let sandboxes = Sandboxes::start();
        let home = home(&sandboxes, counts);
        let daemon = home.start();
        accept(daemon.address, &app("w1", "OrderCreate", -10, order(1, "pending")));
        accept(daemon.address, &app("w2", "OrderStatusUpdate", -5, order(1, "completed")));
        accept(daemon.address, &app("w3", "OrderStatusUpdate", -4, order(1, "completed")));
        accept(daemon.address, &app("w4", "ContactCreate", -3, contact(1)));
        wait_for("the CRM to be told of the lead", || !sandboxes.crm.contacts().is_empty());
        wait_for("every delivery to end", || home.deliveries("pending") == 0);
        let report = sandboxes.ga4.report();
        let revenue = report.revenue("eur".parse().unwrap()).minor;
        assert_eq!((report.counted("purchase").count(), revenue), if counts { (1, 15_010) } else { (0, 0) });
        assert_eq!(sandboxes.crm.contacts().len(), 1);
    }
}

#[test]
fn a_refund_of_unknown_amount_is_reported_and_not_guessed() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, true);
    let daemon = home.start();
    accept(daemon.address, &app("w1", "OrderStatusUpdate", -10, order(1, "completed")));
    accept(daemon.address, &app("w2", "OrderStatusUpdate", -5, order(1, "refunded")));
    wait_for("GA4 to be told of the sale", || sandboxes.ga4.report().counted("purchase").count() == 1);
    wait_for("every delivery to end", || home.deliveries("pending") == 0);
    assert_eq!(sandboxes.ga4.report().revenue("eur".parse().unwrap()).minor, 15_010, "the sale stays in the books");
    assert_eq!(sandboxes.ga4.report().counted("refund").count(), 0);
    let odd = home.rows(&["events", "list", "--odd"]);
    assert_eq!((odd.len(), odd[0]["provider_id"].as_str()), (1, Some("w2")), "{odd:?}");
    let shown = home.command(&["events", "show", odd[0]["id"].as_str().unwrap()]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("refund of unknown amount"), "{shown:?}");
    let status = home.command(&["status"]);
    assert!(String::from_utf8_lossy(&status.stdout).contains("money may be"), "{status:?}");
    wait_for("an alert", || sandboxes.alerts.alerts().iter().any(|alert| alert.to_string().contains("odd_webhook")));
}

#[test]
fn do_not_disturb_keeps_a_person_out_of_the_newsletter() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, true);
    let daemon = home.start();
    let mut muted = contact(1);
    muted["dndSettings"] = json!({"Email": {"status": "active", "message": "", "code": "103"}});
    accept(daemon.address, &app("w1", "ContactDndUpdate", -10, muted));
    accept(daemon.address, &app("w2", "OrderStatusUpdate", -5, order(1, "completed")));
    wait_for("the CRM to be told", || !sandboxes.crm.contacts().is_empty());
    wait_for("every delivery to end", || home.deliveries("pending") == 0);
    assert!(sandboxes.mailerlite.subscribers().is_empty());
    let row = home.rows(&["deliveries", "list", "--destination", "mailerlite"]);
    assert!(row.iter().any(|row| row["state"] == "suppressed" && row["reason"] == "no_consent"), "{row:?}");
}

#[test]
fn samples_go_through_the_token() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, false);
    let daemon = home.start();
    let url = format!("http://{}", daemon.address);
    for sample in ["ContactCreate", "AppointmentCreate", "AppointmentUpdate/showed", "workflow/event"] {
        let rows = home.rows(&["send", "highlevel", "--type", sample, "--number", "5", "--url", &url]);
        assert_eq!((&rows[0]["status"], &rows[0]["answer"]["status"]), (&json!(200), &json!("accepted")), "{rows:?}");
    }
    let events = home.rows(&["events", "list"]);
    assert!(events.iter().all(|event| event["livemode"] == false), "{events:?}");
}
