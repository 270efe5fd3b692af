//! A stop loses no request.

use super::*;

#[test]
fn a_request_under_way_is_finished() {
    let mut server = Setup::default().start();
    server.door.held.store(true, Ordering::SeqCst);
    let mut stream = server.connect();
    stream.write_all(webhook("shop", &event("evt_1")).as_bytes()).unwrap();
    arrival(&server);
    server.begin_stop();
    // Longer than the moment that is given to what is on its way.
    thread::sleep(Duration::from_millis(1200));
    server.door.go_on.notify_one();
    let reply = read_reply(&mut stream);
    assert_eq!(reply.status, 200);
    assert!(reply.says_close());
    assert_eq!(server.stopped(), Stopped { unfinished: 0 });
}

#[test]
fn connections_without_a_byte_and_with_half_a_header_are_still_served() {
    let mut server = Setup::default().start();
    let request = webhook("shop", &event("evt_1"));
    let (begin, rest) = request.split_at(30);
    let mut half = server.connect();
    half.write_all(begin.as_bytes()).unwrap();
    let mut silent = server.connect();
    let mut idle = server.connect();
    idle.write_all(webhook("shop", &event("evt_0")).as_bytes()).unwrap();
    assert_eq!(read_reply(&mut idle).status, 200);

    server.begin_stop();
    silent.write_all(webhook("shop", &event("evt_2")).as_bytes()).unwrap();
    let reply = read_reply(&mut silent);
    assert_eq!(reply.status, 200);
    assert!(is_closed(&mut idle), "an idle connection ends");
    half.write_all(rest.as_bytes()).unwrap();
    let reply = read_reply(&mut half);
    assert_eq!(reply.status, 200, "its header was half here when idle connections were closed");
    assert!(reply.says_close());
    drop((half, silent, idle));
    assert_eq!(server.stopped(), Stopped { unfinished: 0 });
}

#[test]
fn what_never_ends_is_cut_and_counted() {
    let mut setup = Setup::default();
    setup.server.drain_timeout = Duration::from_millis(200);
    let mut server = setup.start();
    server.door.held.store(true, Ordering::SeqCst);
    let mut stream = server.connect();
    stream.write_all(webhook("shop", &event("evt_1")).as_bytes()).unwrap();
    arrival(&server);
    server.begin_stop();
    assert_eq!(server.stopped(), Stopped { unfinished: 1 });
    assert!(is_closed(&mut stream));
}

/// Clients that keep asking over open connections while the server stops: whatever was stored was also answered, and whatever
/// was sent whole and answered at all was answered with 200.
#[test]
fn clients_in_full_swing_lose_no_answer() {
    let mut server = Setup::default().start();
    let address = server.address;
    let answered: Vec<_> = (0..8)
        .map(|client| {
            thread::spawn(move || {
                let mut acknowledged = Vec::new();
                'connections: loop {
                    let Ok(mut stream) = TcpStream::connect(address) else { return acknowledged };
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    loop {
                        let id = format!("evt_{client}_{}", acknowledged.len());
                        if stream.write_all(webhook("shop", &event(&id)).as_bytes()).is_err() {
                            return acknowledged;
                        }
                        let reply = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| read_reply(&mut stream)));
                        let Ok(reply) = reply else { return acknowledged };
                        assert_eq!(reply.status, 200);
                        acknowledged.push(id);
                        if reply.says_close() {
                            continue 'connections;
                        }
                    }
                }
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(300));
    let door = Arc::clone(&server.door);
    server.begin_stop();
    assert_eq!(server.stopped(), Stopped { unfinished: 0 });
    let mut acknowledged: Vec<String> =
        answered.into_iter().flat_map(|client| client.join().unwrap()).map(|id| format!("test/{id}")).collect();
    acknowledged.sort();
    assert!(!acknowledged.is_empty());
    assert_eq!(door.marks(), acknowledged);
}

fn arrival(server: &Running) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(server.door.arrived.notified());
}
