//! Requests that are broken, odd or hostile: each has a clear result, and the next sender is served as if nothing had happened.

use super::*;

fn still_works(server: &Running) {
    let mark = format!("evt_after_{}", server.door.marks().len());
    assert_eq!(server.ask(webhook("shop", &event(&mark))).status, 200);
}

#[test]
fn a_body_announced_too_large_is_refused_unread() {
    let server = Setup::default().start();
    let reply =
        server.ask("POST /api/webhooks/shop HTTP/1.1\r\nhost: x\r\nx-signature: good\r\ncontent-length: 65537\r\n\r\n");
    assert_eq!(reply.status, 413);
    assert_eq!(reply.json(), serde_json::json!({"error": "body_too_large", "limit": 65536}));
    assert!(reply.says_close());
    let huge =
        server.ask("POST /api/webhooks/shop HTTP/1.1\r\nhost: x\r\ncontent-length: 18446744073709551615\r\n\r\n");
    assert!(matches!(huge.status, 400 | 413 | 431), "{huge:?}");
    still_works(&server);
}

#[test]
fn a_sender_that_sends_it_all_first_still_gets_the_answer() {
    let server = Setup::default().start();
    let mut stream = server.connect();
    let head = "POST /api/webhooks/shop HTTP/1.1\r\nhost: x\r\nx-signature: good\r\ncontent-length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&vec![b'x'; 1_000_000]).unwrap();
    assert_eq!(read_reply(&mut stream).status, 413);
    assert!(is_closed(&mut stream));
}

#[test]
fn a_chunked_body_that_grows_too_large_is_refused() {
    let server = Setup::default().start();
    let mut stream = server.connect();
    let head = "POST /api/webhooks/shop HTTP/1.1\r\nhost: x\r\nx-signature: good\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    for _ in 0..17 {
        stream.write_all(chunk.as_bytes()).unwrap();
    }
    let reply = read_reply(&mut stream);
    assert_eq!(reply.status, 413);
    assert!(reply.says_close());
    drop(stream);
    still_works(&server);
}

#[test]
fn a_body_at_the_limit_is_taken_whole_in_one_piece_or_many() {
    let server = Setup::default().start();
    let filler = "x".repeat(64 * 1024 - r#"{"id":"evt_1","x":""}"#.len());
    let body = |id: &str| format!(r#"{{"id":"{id}","x":"{filler}"}}"#);
    assert_eq!(server.ask(webhook("shop", &body("evt_1"))).status, 200);

    let chunked: String = body("evt_2")
        .as_bytes()
        .chunks(1000)
        .map(|piece| format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece)))
        .collect();
    let mut stream = server.connect();
    let head = "POST /api/webhooks/shop HTTP/1.1\r\nhost: x\r\nx-signature: good\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(format!("{head}{chunked}0\r\nx-trailer: 1\r\n\r\n").as_bytes()).unwrap();
    assert_eq!(read_reply(&mut stream).status, 200);
    stream.write_all(webhook("shop", &event("evt_3")).as_bytes()).unwrap();
    assert_eq!(read_reply(&mut stream).status, 200, "the connection goes on");

    let stored = server.door.stored.lock().unwrap();
    assert_eq!(stored["test/evt_1"].packed_body, body("evt_1").as_bytes());
    assert_eq!(stored["test/evt_2"].packed_body, body("evt_2").as_bytes());
}

#[test]
fn a_truncated_body_stores_nothing() {
    let server = Setup::default().start();
    let mut stream = server.connect();
    stream.write_all(&webhook("shop", &event("evt_1")).as_bytes()[..100]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let reply = read_reply(&mut stream);
    assert_eq!((reply.status, reply.json()["error"].as_str()), (400, Some("incomplete_body")));
    assert!(server.door.marks().is_empty());
    still_works(&server);
}

#[test]
fn a_sender_that_closes_its_side_still_gets_the_answer() {
    let server = Setup::default().start();
    let mut stream = server.connect();
    stream.write_all(webhook("shop", &event("evt_1")).as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_reply(&mut stream).status, 200);
    assert!(is_closed(&mut stream));
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Setup::default().start();
    let mut stream = server.connect();
    let requests: String = (0..50).map(|number| webhook("shop", &event(&format!("evt_{number}")))).collect();
    stream.write_all(requests.as_bytes()).unwrap();
    for number in 0..50 {
        let reply = read_reply(&mut stream);
        assert_eq!(reply.status, 200);
        assert_eq!(reply.json()["event_id"], format!("evt_{number}"));
    }
    assert_eq!(server.door.marks().len(), 50);
}

#[test]
fn what_is_not_http_is_refused() {
    let server = Setup::default().start();
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /api/webhooks/shop HTTP/1.1\r\nbad header\r\n\r\n",
        b"POST /api/webhooks/shop HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST /api/webhooks/shop HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST /api/webhooks/shop HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
    ] {
        let mut stream = server.connect();
        stream.write_all(garbage).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    let bad_chunks = "POST /api/webhooks/shop HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nboo\r\n";
    assert_eq!(server.ask(bad_chunks).status, 400);
    assert!(server.door.marks().is_empty());
    still_works(&server);
}

#[test]
fn headers_without_end_are_refused() {
    let server = Setup::default().start();
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    assert_eq!(server.ask(format!("GET /livez HTTP/1.1\r\n{many}\r\n")).status, 431);
    let long = format!("GET /livez HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(40_000));
    let mut stream = server.connect();
    let _ = stream.write_all(long.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
    still_works(&server);
}

#[test]
fn bytes_that_are_not_text_do_no_harm() {
    let server = Setup::default().start();
    let mut request =
        b"POST /api/webhooks/shop HTTP/1.1\r\nhost: x\r\nx-signature: \xff\xfe\r\ncontent-length: 2\r\n\r\n\xc3\x28"
            .to_vec();
    let reply = server.ask(&request);
    assert_eq!(reply.json()["reason"], "no_matching_signature");
    request = b"POST /api/webhooks/shop HTTP/1.1\r\nhost: x\r\nx-signature: good\r\ncontent-length: 2\r\n\r\n\xc3\x28"
        .to_vec();
    assert_eq!(server.ask(&request).json()["error"], "invalid_payload");
    let mut path = server.connect();
    path.write_all(b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    path.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    let _ = path.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
    still_works(&server);
}

#[test]
fn the_content_type_does_not_matter_and_old_http_is_served() {
    let server = Setup::default().start();
    let typed = webhook("shop", &event("evt_1")).replace("host: x", "host: x\r\ncontent-type: text/html");
    assert_eq!(server.ask(typed).status, 200);
    let old = webhook("shop", &event("evt_2")).replace("HTTP/1.1", "HTTP/1.0");
    let mut stream = server.connect();
    stream.write_all(old.as_bytes()).unwrap();
    assert_eq!(read_reply(&mut stream).status, 200);
    assert!(is_closed(&mut stream));
}

#[test]
fn a_sender_that_asks_before_sending_is_told_to_go_on() {
    let server = Setup::default().start();
    let mut stream = server.connect();
    let body = event("evt_1");
    let request = webhook("shop", &body).replace("host: x", "host: x\r\nexpect: 100-continue");
    let (head, _) = request.split_at(request.len() - body.len());
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(read_reply(&mut stream).status, 100);
    stream.write_all(body.as_bytes()).unwrap();
    assert_eq!(read_reply(&mut stream).status, 200);
}
