//! Limits on time, connections and memory.

use super::*;

const SHORT: Duration = Duration::from_millis(200);

#[test]
fn a_slow_header_is_answered_408() {
    let mut setup = Setup::default();
    setup.server.header_timeout = SHORT;
    let server = setup.start();
    let mut stream = server.connect();
    stream.write_all(b"POST /api/webhooks/shop HTTP/1.1\r\nhost:").unwrap();
    let reply = read_reply(&mut stream);
    assert_eq!((reply.status, reply.json()["error"].as_str()), (408, Some("timeout")));
    assert!(reply.says_close());
    assert!(is_closed(&mut stream));
}

#[test]
fn a_header_that_drips_is_answered_408_too() {
    let mut setup = Setup::default();
    setup.server.header_timeout = SHORT;
    let server = setup.start();
    let mut stream = server.connect();
    let mut dripping = stream.try_clone().unwrap();
    let drip = thread::spawn(move || {
        while dripping.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
    });
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    drip.join().unwrap();
}

#[test]
fn a_second_header_has_its_own_time() {
    let mut setup = Setup::default();
    setup.server.header_timeout = SHORT;
    let server = setup.start();
    let mut stream = server.connect();
    stream.write_all(webhook("shop", &event("evt_1")).as_bytes()).unwrap();
    assert_eq!(read_reply(&mut stream).status, 200);
    // Idle for longer than a header may take: only the next header counts.
    thread::sleep(SHORT * 2);
    stream.write_all(webhook("shop", &event("evt_2")).as_bytes()).unwrap();
    assert_eq!(read_reply(&mut stream).status, 200);
    stream.write_all(b"POST /").unwrap();
    assert_eq!(read_reply(&mut stream).status, 408);
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    let mut setup = Setup::default();
    setup.server.header_timeout = SHORT;
    let server = setup.start();
    assert!(is_closed(&mut server.connect()));
}

#[test]
fn an_idle_connection_is_closed() {
    let mut setup = Setup::default();
    setup.server.idle_timeout = SHORT;
    let server = setup.start();
    let mut stream = server.connect();
    stream.write_all(webhook("shop", &event("evt_1")).as_bytes()).unwrap();
    assert_eq!(read_reply(&mut stream).status, 200);
    assert!(is_closed(&mut stream));
}

#[test]
fn a_slow_body_is_answered_408_and_stores_nothing() {
    let mut setup = Setup::default();
    setup.server.body_timeout = SHORT;
    let server = setup.start();
    let mut stream = server.connect();
    stream.write_all(&webhook("shop", &event("evt_1")).as_bytes()[..100]).unwrap();
    let reply = read_reply(&mut stream);
    assert_eq!((reply.status, reply.json()["error"].as_str()), (408, Some("timeout")));
    assert!(reply.says_close());
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(is_closed(&mut stream));
    assert!(server.door.marks().is_empty());
}

#[test]
fn a_slow_store_is_not_the_senders_fault() {
    let mut setup = Setup::default();
    setup.server.header_timeout = SHORT;
    setup.server.body_timeout = SHORT;
    setup.server.idle_timeout = SHORT;
    let server = setup.start();
    server.door.held.store(true, Ordering::SeqCst);
    let mut stream = server.connect();
    stream.write_all(webhook("shop", &event("evt_1")).as_bytes()).unwrap();
    thread::sleep(SHORT * 3);
    server.door.go_on.notify_one();
    assert_eq!(read_reply(&mut stream).status, 200);
}

#[test]
fn one_address_gets_only_so_many_connections() {
    let mut setup = Setup::default();
    setup.server.max_connections_per_address = 2;
    let server = setup.start();
    let mut kept: Vec<TcpStream> = (0..2).map(|_| server.connect()).collect();
    for (number, stream) in kept.iter_mut().enumerate() {
        stream.write_all(webhook("shop", &event(&format!("evt_{number}"))).as_bytes()).unwrap();
        assert_eq!(read_reply(stream).status, 200);
    }
    assert!(is_closed(&mut server.connect()), "the third is closed at once");

    let mut leaving = kept.pop().unwrap();
    leaving.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(is_closed(&mut leaving));
    // The place is free a moment after its connection has ended.
    let request = webhook("shop", &event("evt_9"));
    let served = (0..200).any(|_| {
        let mut stream = server.connect();
        let mut answer = [0; 12];
        let answered = stream.write_all(request.as_bytes()).is_ok() && stream.read_exact(&mut answer).is_ok();
        if !answered {
            thread::sleep(Duration::from_millis(10));
        }
        answered && &answer == b"HTTP/1.1 200"
    });
    assert!(served);
}

#[test]
fn connections_over_the_cap_wait_their_turn() {
    let mut setup = Setup::default();
    setup.server.max_connections = 1;
    let server = setup.start();
    let mut first = server.connect();
    first.write_all(webhook("shop", &event("evt_1")).as_bytes()).unwrap();
    assert_eq!(read_reply(&mut first).status, 200);
    let mut second = server.connect();
    second.write_all(webhook("shop", &event("evt_2")).as_bytes()).unwrap();
    second.set_read_timeout(Some(SHORT)).unwrap();
    assert!(second.read(&mut [0]).is_err(), "nobody takes it yet");
    drop(first);
    second.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(read_reply(&mut second).status, 200);
}

#[test]
fn bodies_in_flight_are_bounded_and_announcing_costs_nothing() {
    let mut setup = Setup::default();
    setup.server.max_bytes_in_flight = 100;
    let server = setup.start();
    let announce = "POST /api/webhooks/shop HTTP/1.1\r\nhost: x\r\nx-signature: good\r\ncontent-length: 90\r\n\r\n";
    let announced: Vec<TcpStream> = (0..10)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(announce.as_bytes()).unwrap();
            stream
        })
        .collect();
    server.door.held.store(true, Ordering::SeqCst);
    let body = format!(r#"{{"id":"evt_1","x":"{}"}}"#, "x".repeat(60));
    let mut first = server.connect();
    first.write_all(webhook("shop", &body).as_bytes()).unwrap();
    wait_for(&server.door.arrived);
    let refused = server.ask(webhook("shop", &body.replace("evt_1", "evt_2")));
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("17")));
    assert_eq!(refused.json()["reason"], "overloaded");
    server.door.held.store(false, Ordering::SeqCst);
    server.door.go_on.notify_one();
    assert_eq!(read_reply(&mut first).status, 200);
    assert_eq!(server.ask(webhook("shop", &body.replace("evt_1", "evt_2"))).status, 200);
    drop(announced);
}

fn wait_for(notify: &Notify) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(notify.notified());
}
