//! Every row of the table of answers.

use super::*;
use crate::http::rejected::RejectedFilter;

#[test]
fn a_new_webhook_is_accepted_and_a_repeat_is_a_duplicate() {
    let server = Setup::default().start();
    let reply = server.ask(webhook("shop", &event("evt_1")));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(String::from_utf8(reply.body).unwrap(), r#"{"received":true,"status":"accepted","event_id":"evt_1"}"#);
    let again = server.ask(webhook("shop", &event("evt_1")));
    assert_eq!(String::from_utf8(again.body).unwrap(), r#"{"received":true,"status":"duplicate","event_id":"evt_1"}"#);
    let ignored = server.ask(webhook("shop", r#"{"id":"evt_2","type":"ping"}"#));
    assert_eq!(ignored.json()["status"], "ignored");

    let stored = server.door.stored.lock().unwrap();
    let intake = &stored["test/evt_1"];
    assert_eq!((intake.source.as_str(), intake.provider_id.as_str()), ("shop", "evt_1"));
    assert_eq!(intake.packed_body, event("evt_1").as_bytes());
    assert_eq!(intake.body_bytes as usize, event("evt_1").len());
}

#[test]
fn what_our_own_code_fails_on_is_stored_as_unreadable() {
    let server = Setup::default().start();
    let reply = server.ask(webhook("shop", r#"{"type":"boom","id":"evt_9"}"#));
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["status"], "unreadable");
    assert_eq!(reply.json()["event_id"], "evt_9");
    assert!(server.door.stored.lock().unwrap()["test/evt_9"].interpreted.is_none());
    assert_eq!(server.ask(webhook("shop", &event("evt_10"))).status, 200, "and nobody else is harmed");
}

#[test]
fn what_is_not_believed_is_refused_and_kept_for_a_person() {
    let server = Setup::default().start();
    for (line, reason) in [("", "missing_signature"), ("x-signature: forged\r\n", "no_matching_signature")] {
        let reply =
            server.ask(format!("POST /api/webhooks/shop HTTP/1.1\r\nhost: x\r\n{line}content-length: 2\r\n\r\n{{}}"));
        assert_eq!(reply.status, 400);
        assert_eq!(
            String::from_utf8(reply.body).unwrap(),
            format!(r#"{{"error":"invalid_signature","reason":"{reason}"}}"#)
        );
    }
    assert!(server.door.marks().is_empty());
    let rows = server.rejected.list(&RejectedFilter::default());
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].reason, "no_matching_signature");
    assert_eq!(rows[0].verdict, "Explained.");
    assert_eq!(rows[0].address.to_string(), "127.0.0.1");
}

#[test]
fn a_believed_body_that_is_no_event_is_an_invalid_payload() {
    let server = Setup::default().start();
    for (body, message) in [("[", "not JSON"), ("{}", "no id"), ("", "not JSON")] {
        let reply = server.ask(webhook("shop", body));
        assert_eq!(reply.status, 400);
        assert_eq!(reply.json(), serde_json::json!({"error": "invalid_payload", "message": message}));
    }
    assert_eq!(server.rejected.list(&RejectedFilter::default()).len(), 3);
}

#[test]
fn a_touchy_sender_is_answered_200_but_not_told_received() {
    let server = Setup::default().start();
    let refused = server.ask("POST /api/webhooks/touchy HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}");
    assert_eq!(refused.status, 200);
    assert_eq!(
        String::from_utf8(refused.body).unwrap(),
        r#"{"received":false,"error":"invalid_signature","reason":"missing_signature"}"#
    );
    let invalid = server.ask(webhook("touchy", "{}"));
    assert_eq!(invalid.status, 200);
    assert_eq!(invalid.json()["received"], false);
    server.door.failing.store(true, Ordering::SeqCst);
    assert_eq!(server.ask(webhook("touchy", &event("evt_1"))).status, 429, "storage trouble is never a 200");
}

#[test]
fn what_a_touchy_sender_is_told_nothing_of_is_kept_whole_before_the_answer() {
    let server = Setup::default().start();
    let forged = |source: &str, path: &str| {
        format!(
            "POST /api/webhooks/{source}{path} HTTP/1.1\r\nhost: x\r\nx-signature: forged\r\nauthorization: Bearer t0ken\r\n\
             content-length: 5\r\n\r\nhello"
        )
    };
    assert_eq!(server.ask(forged("shop", "")).status, 400);
    assert!(server.door.kept.lock().unwrap().is_empty(), "this sender comes again");
    assert_eq!(server.ask(forged("touchy", "")).status, 200);
    assert_eq!(server.ask(forged("touchy", "/x")).status, 404, "only refusals of a signature or a payload");
    let kept = server.door.kept.lock().unwrap().clone();
    let [(refused, body)] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!((refused.source.as_str(), refused.reason.as_str()), ("touchy", "no_matching_signature"));
    assert_eq!(refused.envelope.headers, [("x-signature".to_owned(), b"forged".to_vec())], "and no token");
    assert_eq!((body.as_slice(), refused.body_bytes, refused.address.as_str()), (&b"hello"[..], 5, "127.0.0.1"));
    assert_eq!(refused.id, server.rejected.list(&RejectedFilter::default())[1].id, "the wrong path came after");

    server.door.failing.store(true, Ordering::SeqCst);
    let failed = server.ask(forged("touchy", ""));
    assert_eq!((failed.status, failed.header("retry-after")), (429, Some("17")), "not kept, so not 200");
    assert_eq!(failed.json(), serde_json::json!({"error": "unavailable", "reason": "store_failed"}));
    assert_eq!(server.ask(forged("shop", "")).status, 400, "who comes again is told the truth");
}

#[test]
fn storage_trouble_is_answered_with_the_senders_own_retry_status() {
    let server = Setup::default().start();
    server.door.failing.store(true, Ordering::SeqCst);
    let failed = server.ask(webhook("shop", &event("evt_1")));
    assert_eq!((failed.status, failed.header("retry-after")), (429, Some("17")));
    assert_eq!(failed.json(), serde_json::json!({"error": "unavailable", "reason": "store_failed"}));
    server.door.failing.store(false, Ordering::SeqCst);

    server.door.unready.store(true, Ordering::SeqCst);
    let refused = server.ask("POST /api/webhooks/shop HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n");
    assert_eq!(refused.status, 429, "before the body is read");
    assert_eq!(refused.json()["reason"], "disk_reserve");
    assert!(refused.says_close());
    assert!(server.door.marks().is_empty());
}

#[test]
fn a_token_in_the_path_opens_and_a_wrong_one_finds_nothing() {
    let server = Setup::default().start();
    let at = |path: &str| {
        let body = event("evt_1");
        let length = body.len();
        format!(
            "POST /api/webhooks/{path} HTTP/1.1\r\nhost: x\r\nx-signature: good\r\nx-event: sold\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    for wrong in ["shop/", "shop/T0KEN", "shop/t0ken/", "shop/t0ken/more", "shop//t0ken", "nobody/t0ken"] {
        let reply = server.ask(at(wrong));
        assert_eq!((reply.status, reply.json()["error"].as_str()), (404, Some("unknown_source")), "{wrong}");
    }
    assert!(server.door.marks().is_empty());
    assert_eq!(server.ask(at("shop/t0ken?a=1&event=contact%20made&event=other")).status, 200);
    let stored = server.door.stored.lock().unwrap();
    let envelope = &stored["test/evt_1"].envelope;
    assert_eq!(envelope.event.as_deref(), Some("contact made"));
    assert_eq!(envelope.headers, [("x-event".to_owned(), b"sold".to_vec())], "what tells, and no signature");
}

#[test]
fn several_events_in_one_request_are_stored_together_and_each_is_answered() {
    let server = Setup::default().start();
    let parts = format!("[{}, {}, {}]", event("evt_1"), r#"{"id":"evt_2","type":"ping"}"#, event("evt_1"));
    let reply = server.ask(webhook("shop", &parts));
    assert_eq!(
        String::from_utf8(reply.body).unwrap(),
        r#"{"received":true,"status":"accepted","event_id":"evt_1","events":[{"event_id":"evt_1","status":"accepted"},{"event_id":"evt_2","status":"ignored"},{"event_id":"evt_1","status":"duplicate"}]}"#
    );
    assert_eq!(server.door.marks(), ["test/evt_1", "test/evt_2"]);
    assert_eq!(server.door.stored.lock().unwrap()["test/evt_1"].packed_body, event("evt_1").as_bytes());
    let bad = server.ask(webhook("shop", &format!("[{}, {{}}]", event("evt_3"))));
    assert_eq!((bad.status, bad.json()["error"].as_str()), (400, Some("invalid_payload")));
    assert_eq!(server.door.marks().len(), 2, "all or none");
    let none = server.ask(webhook("shop", "[]"));
    assert_eq!(none.json(), serde_json::json!({"received": false, "status": "empty", "events": []}));
    let many = server.ask(webhook("shop", &format!("[{}1]", "1,".repeat(1000))));
    assert_eq!(many.status, 400);
}

#[test]
fn wrong_paths_and_methods_have_their_own_answers() {
    let server = Setup::default().start();
    for path in [
        "/api/webhooks/nobody",
        "/api/webhooks/shop/token",
        "/api/webhooks/shop/",
        "/api/webhooks/",
        "/api/webhooks/SHOP",
    ] {
        let reply = server.ask(format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"));
        assert_eq!(reply.status, 404, "{path}");
        assert_eq!(reply.json()["error"], "unknown_source");
    }
    assert_eq!(server.ask("GET /api/webhooks/nobody HTTP/1.1\r\nhost: x\r\n\r\n").status, 404, "the path comes first");
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let reply = server.ask(format!("{method} /api/webhooks/shop HTTP/1.1\r\nhost: x\r\n\r\n"));
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")), "{method}");
        assert_eq!(reply.json()["error"], "method_not_allowed");
    }
    for path in ["/", "/index.html", "/api/webhooks", "/v1", "/%00"] {
        let reply = server.ask(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
        assert_eq!((reply.status, reply.json()["error"].as_str()), (404, Some("not_found")), "{path}");
    }
    let with_query = webhook("shop", &event("evt_q")).replace("/shop ", "/shop?a=b ");
    assert_eq!(server.ask(with_query).status, 200);
}

#[test]
fn other_sources_take_over_at_once() {
    let server = Setup::default().start();
    server.router.webhooks.set_sources(SourceTable::default());
    assert_eq!(server.ask(webhook("shop", &event("evt_1"))).status, 404);
}

#[test]
fn the_monitor_gets_what_it_expects() {
    let server = Setup::default().start();
    let reply = server.ask("GET /api/health/webhooks HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.json(),
        serde_json::json!({
            "status": "healthy",
            "checks": {
                "webhook_endpoint": "healthy",
                "database_connection": "healthy",
                "external_apis": {"ga4": "healthy"},
            },
            "details": {"ga4": "3 time-outs in 15 minutes"},
            "timestamp": "2023-11-14T22:13:20.000Z",
        })
    );
    assert_eq!(server.ask("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").status, 200);
    assert_eq!(server.ask("GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").status, 200);
    let wrong = server.ask("POST /livez HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n");
    assert_eq!((wrong.status, wrong.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn trouble_is_503_and_head_is_get_without_a_body() {
    for (health, ready) in [(Condition::Degraded, 200), (Condition::Unhealthy, 503)] {
        let server = Setup { health, ..Setup::default() }.start();
        let reply = server.ask("GET /api/health/webhooks HTTP/1.1\r\nhost: x\r\n\r\n");
        assert_eq!((reply.status, reply.json()["status"].as_str()), (503, Some(health.name())));
        assert_eq!(server.ask("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").status, 200);
        assert_eq!(server.ask("GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").status, ready);

        let mut stream = server.connect();
        stream.write_all(b"HEAD /api/health/webhooks HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut head = String::new();
        stream.read_to_string(&mut head).unwrap();
        assert!(head.starts_with("HTTP/1.1 503 ") && head.ends_with("\r\n\r\n"), "{head}");
    }
}

#[test]
fn details_are_for_those_with_the_right() {
    let token = config::Health::Token(crate::model::secret::Secret::new("s3cret"));
    let server = Setup { health_rule: token, ..Setup::default() }.start();
    let shows_details = |field: &str| {
        let reply = server.ask(format!("GET /api/health/webhooks HTTP/1.1\r\nhost: x\r\n{field}\r\n\r\n"));
        let body = reply.json();
        assert_eq!((reply.status, body["status"].as_str()), (200, Some("healthy")));
        assert!(body["timestamp"].is_string());
        assert_eq!(body.get("details").is_some(), body.get("checks").is_some());
        body.get("checks").is_some()
    };
    assert!(shows_details("authorization: Bearer s3cret"));
    assert!(shows_details("x-tallyhook-token: s3cret"));
    assert!(!shows_details("x-tallyhook-token: s3cre"));
    assert!(!shows_details("authorization: Bearer s3crets"));
    assert!(!shows_details("authorization: Basic s3cret"));
    assert!(!shows_details("x-other: s3cret"));
    server.router.health.set_rule(config::Health::Admin);
    assert!(!shows_details("x-tallyhook-token: s3cret"));
}
