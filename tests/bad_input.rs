//! What should not be sent, sent: each has a clear answer, and nothing is lost, doubled or brought down by it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::Write;

use serde_json::{Value, json};
use support::daemon::{Daemon, Home, Sandboxes, Settings};
use support::events::{self, SECRET, event, event_at, intent, session};
use support::{http, wait_for};

fn signed(body: &[u8], at: i64, secret: &str) -> Vec<(String, String)> {
    vec![("Stripe-Signature".to_owned(), events::signature(secret, at, body))]
}

fn post(daemon: &Daemon, headers: &[(String, String)], body: &[u8]) -> http::Answer {
    http::send(daemon.address, "POST", "/api/webhooks/stripe", headers, body).expect("an answer")
}

#[test]
fn forged_stale_and_future_requests_are_refused_with_the_reason() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    let body = event("evt_1", "payment_intent.succeeded", intent(1, 100));
    let now = events::now();
    let other_body = event("evt_2", "payment_intent.succeeded", intent(2, 100));
    let header = |value: &str| vec![("stripe-signature".to_owned(), value.to_owned())];
    for (headers, reason) in [
        (vec![], "missing_signature"),
        (header(""), "missing_signature"),
        (header("nonsense"), "malformed_signature"),
        (header(&format!("t={now}")), "no_v1_signature"),
        (header(&format!("t={now},v0={}", "a".repeat(64))), "no_v1_signature"),
        (header(&format!("t={now},v1={}", "a".repeat(64))), "no_matching_signature"),
        (signed(&body, now, "whsec_yesterday_0123456789abcdef01234567"), "no_matching_signature"),
        (signed(&other_body, now, SECRET), "no_matching_signature"),
        (signed(&body, now - 3600, SECRET), "timestamp_too_old"),
        (signed(&body, now + 3600, SECRET), "timestamp_in_future"),
    ] {
        let answer = post(&daemon, &headers, &body);
        assert_eq!(answer.status, 400, "{reason}: {}", answer.body);
        assert_eq!(answer.json(), json!({"error": "invalid_signature", "reason": reason}));
    }
    let rejected = home.rows(&["rejected", "list"]);
    assert_eq!(rejected.len(), 10);
    let skew = rejected.iter().find(|row| row["reason"] == "timestamp_too_old").unwrap();
    assert!(skew.to_string().contains("3600") || skew.to_string().contains("hour"), "{skew}");
    assert!(rejected.iter().all(|row| !row.to_string().contains("buyer") && !row.to_string().contains(SECRET)));
    assert!(home.rows(&["events", "list"]).is_empty());
    assert_eq!(daemon.stop(), 0);
    home.start();
    assert_eq!(home.rows(&["rejected", "list"]).len(), 10, "the list outlives a restart");
}

#[test]
fn what_is_signed_but_no_event_is_refused_as_such() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_inside = format!(r#"{{"id":"evt_deep","object":"event","type":"x","data":{deep}}}"#);
    for body in [
        b"} I am not JSON".to_vec(),
        b"".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        br#"{"id":7,"object":"event"}"#.to_vec(),
        br#"{"id":"","object":"event"}"#.to_vec(),
        vec![0xff, 0xfe, 0x00],
        deep.into_bytes(),
    ] {
        let answer = daemon.post(&body);
        assert_eq!(answer.status, 400, "{}", String::from_utf8_lossy(&body[..body.len().min(40)]));
        assert_eq!(answer.json()["error"], "invalid_payload");
    }
    let answer = daemon.post(deep_inside.as_bytes());
    assert_eq!(
        (answer.status, answer.json()["status"].as_str()),
        (200, Some("unreadable")),
        "kept for a later version"
    );
    assert_eq!(daemon.post(deep_inside.as_bytes()).json()["status"], "duplicate");
    assert_eq!(http::get(daemon.address, "/readyz").status, 200);
}

#[test]
fn odd_events_are_stored_and_nothing_is_invented() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    let change = |key: &str, value: Value| {
        let mut odd = intent(7, 100);
        odd[key] = value;
        odd
    };
    let mut number = 0;
    let mut accept = |object: Value| {
        number += 1;
        let mut object = object;
        object["id"] = json!(format!("pi_odd_{number}"));
        let answer = daemon.post(&event(&format!("evt_odd_{number}"), "payment_intent.succeeded", object));
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json()["received"], true);
    };
    accept(json!({}));
    accept(
        change("amount_received", Value::Null)
            .as_object_mut()
            .map(|object| {
                object.remove("amount");
                Value::Object(object.clone())
            })
            .unwrap(),
    );
    accept(change("amount_received", json!("a lot")));
    accept(change("amount_received", json!(-5)));
    accept(change("amount_received", json!(1e300)));
    accept(change("currency", json!("doubloon")));
    accept(change("currency", Value::Null));
    accept(change("metadata", json!([1, 2, 3])));
    accept(change("customer", json!({"id": 5})));
    let thin = br#"{"id":"evt_thin","object":"v2.core.event","type":"v1.payment_intent.succeeded","created":"2026-01-01T00:00:00.000Z","livemode":true}"#;
    assert_eq!(daemon.post(thin).json()["status"], "ignored");
    let unknown = event("evt_unknown", "customer.tax_id.created", json!({"id": "txi_1", "object": "tax_id"}));
    assert_eq!(daemon.post(&unknown).json()["status"], "ignored");
    let shown = &home.rows(&["events", "show", "evt_thin"])[0];
    assert!(shown.to_string().contains("snapshot"), "{shown}");
    let odd = home.rows(&["events", "list", "--odd"]);
    let ids: Vec<&str> = odd.iter().map(|row| row["provider_id"].as_str().unwrap()).collect();
    assert_eq!(&ids[ids.len() - 4..], ["evt_odd_4", "evt_odd_3", "evt_odd_2", "evt_odd_1"], "no money is not nothing");
    assert!(ids.contains(&"evt_odd_6") && ids.contains(&"evt_odd_7"), "nor is an odd currency: {ids:?}");
    assert!(!ids.contains(&"evt_thin") && !ids.contains(&"evt_unknown"), "those mean nothing to us: {ids:?}");
    let status = &home.rows(&["status"])[0];
    assert_eq!(status["odd_events"], odd.len(), "{status}");
    assert!(status["hints"][0].as_str().is_some_and(|hint| hint.contains("events list --odd")), "{status}");
    let alerts = || sandboxes.alerts.alerts();
    wait_for("an alert", || alerts().iter().any(|alert| alert["event_type"] == "odd_webhook"));
    let alert = alerts().into_iter().find(|alert| alert["event_type"] == "odd_webhook").unwrap();
    assert!(alert["destination"] == "stripe" && alert["count"].as_u64() >= Some(1), "{alert}");
    wait_for("deliveries to end", || home.deliveries("pending") == 0);
    let report = sandboxes.ga4.report();
    assert_eq!(report.dropped, 0);
    assert!(report.events.iter().all(|event| event.amount.is_some_and(|amount| amount.minor == 100)), "{report:?}");
}

#[test]
fn requests_that_are_no_webhook_get_their_status() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(
        &sandboxes,
        &Settings {
            server: "max_body = \"64KiB\"\nheader_timeout = \"500ms\"\nbody_timeout = \"500ms\"",
            ..Settings::default()
        },
    );
    let daemon = home.start();
    let status =
        |method: &str, path: &str, body: &[u8]| http::send(daemon.address, method, path, &[], body).unwrap().status;
    assert_eq!(status("POST", "/api/webhooks/nobody", b"{}"), 404);
    assert_eq!(status("POST", "/", b"{}"), 404);
    assert_eq!(status("GET", "/api/webhooks/stripe", b""), 405);
    assert_eq!(status("PUT", "/api/webhooks/stripe", b"{}"), 405);
    assert_eq!(status("POST", "/api/webhooks/stripe", &vec![b'x'; 65 * 1024]), 413);

    let mut chunked = http::connect(daemon.address).unwrap();
    let mut request = b"POST /api/webhooks/stripe HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..70 {
        request.extend_from_slice(b"400\r\n");
        request.extend_from_slice(&[b'x'; 1024]);
        request.extend_from_slice(b"\r\n");
    }
    let _ = chunked.write_all(&request);
    assert_eq!(http::read_answer(&mut chunked).unwrap().status, 413, "too long, told by its chunks");

    let mut slow = http::connect(daemon.address).unwrap();
    slow.write_all(b"POST /api/webhooks/stripe HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf").unwrap();
    assert_eq!(http::read_answer(&mut slow).unwrap().status, 408, "a body that does not come");

    let mut silent = http::connect(daemon.address).unwrap();
    silent.write_all(b"POST /api/webhooks/stripe HTTP/1.1\r\nhost:").unwrap();
    assert!(http::read_answer(&mut silent).is_none_or(|answer| answer.status == 408), "a header that does not come");

    let body = event("evt_chunks", "checkout.session.completed", session(1, 100));
    let mut whole = http::connect(daemon.address).unwrap();
    let header = events::signature(SECRET, events::now(), &body);
    let mut request =
        format!("POST /api/webhooks/stripe HTTP/1.1\r\nhost: x\r\nstripe-signature: {header}\r\ntransfer-encoding: chunked\r\n\r\n")
            .into_bytes();
    for part in body.chunks(100) {
        request.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        request.extend_from_slice(part);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    assert_eq!(http::exchange(&mut whole, &request).unwrap().status, 200, "chunks are fine by themselves");

    // Two requests written at once are two answers, in order.
    let (first, second) = (event("evt_p1", "x.y", json!({})), event("evt_p2", "x.y", json!({})));
    let mut both = http::request("POST", "/api/webhooks/stripe", &signed(&first, events::now(), SECRET), &first);
    both.extend(http::request("POST", "/api/webhooks/stripe", &signed(&second, events::now(), SECRET), &second));
    let mut pipeline = http::connect(daemon.address).unwrap();
    assert_eq!(http::exchange(&mut pipeline, &both).unwrap().json()["event_id"], "evt_p1");
    assert_eq!(http::read_answer(&mut pipeline).unwrap().json()["event_id"], "evt_p2");
    assert_eq!(home.rows(&["events", "list"]).len(), 3);
}

#[test]
fn a_sender_that_disables_endpoints_can_be_answered_200() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let text = std::fs::read_to_string(home.config()).unwrap();
    std::fs::write(home.config(), text.replace("kind = \"stripe\"", "kind = \"stripe\"\nrespond = \"always_200\""))
        .unwrap();
    let daemon = home.start();
    let answer = post(&daemon, &[], b"{}");
    assert_eq!((answer.status, answer.json()["received"].as_bool()), (200, Some(false)), "{}", answer.body);
    let late = event_at("evt_ok", "checkout.session.completed", session(1, 100), events::now() - 86_400, true);
    assert_eq!(
        daemon.post(&late).json()["status"],
        "accepted",
        "the event's own age does not matter, only the signature's"
    );
}
