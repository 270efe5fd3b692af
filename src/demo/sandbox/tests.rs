use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use super::*;

/// A bare client on one connection, which keeps it as long as the server does.
pub struct TestClient {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

/// An answer as the test client read it.
#[derive(Debug)]
pub struct Got {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

impl TestClient {
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    pub fn post(&mut self, target: &str, headers: &[(&str, &str)], body: &Value) -> Got {
        self.send("POST", target, headers, body.to_string().as_bytes())
    }

    pub fn send(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Got {
        self.try_send(method, target, headers, body).unwrap()
    }

    pub fn try_send(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Got> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(self.address)?,
        };
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes())?;
        stream.write_all(body)?;
        let got = read_answer(&mut stream)?;
        self.stream = Some(stream);
        Ok(got)
    }
}

pub fn get(client: &mut TestClient, target: &str) -> Got {
    get_with(client, target, &[])
}

pub fn get_with(client: &mut TestClient, target: &str, headers: &[(&str, &str)]) -> Got {
    client.send("GET", target, headers, b"")
}

fn read_answer(stream: &mut TcpStream) -> io::Result<Got> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Got { status, head, body })
}

/// Counts what it really did.
#[derive(Default)]
struct Counter(Arc<Mutex<u64>>);

impl Service for Counter {
    fn serve(&self, _call: &Call<'_>) -> Served {
        let mut done = self.0.lock().unwrap();
        *done += 1;
        Answer::json(200, &json!({"done": *done})).into()
    }
}

fn counter() -> (Sandbox, Arc<Mutex<u64>>) {
    let counter = Counter::default();
    let done = Arc::clone(&counter.0);
    (Sandbox::start(counter, system_clock()).unwrap(), done)
}

#[test]
fn each_fault_is_what_it_says_and_only_some_do_what_is_asked() {
    let ms = Duration::from_millis;
    let reset = Err(io::ErrorKind::ConnectionReset);
    let closed = Err(io::ErrorKind::UnexpectedEof);
    for (fault, expected, does_it) in [
        (Fault::Pass, Ok(200), true),
        (Fault::status(503), Ok(503), false),
        (Fault::Delay(ms(30)), Ok(200), true),
        (Fault::Hang(ms(30)), closed, false),
        (Fault::ResetEarly, reset, false),
        (Fault::ResetLate, reset, false),
        (Fault::LoseAnswer, reset, true),
        (Fault::Close, closed, false),
        (Fault::Garbage, Err(io::ErrorKind::InvalidData), false),
        (Fault::Html, Ok(200), false),
        (Fault::Redirect("http://127.0.0.1:9/".to_owned()), Ok(302), false),
        (Fault::Drip(ms(0)), Ok(200), true),
        (Fault::Flood(2_000_000), Ok(200), false),
    ] {
        let (sandbox, done) = counter();
        sandbox.script([fault.clone()]);
        let began = Instant::now();
        let got = TestClient::new(sandbox.address()).try_send("POST", "/x", &[], b"{\"a\":1}");
        assert_eq!(got.as_ref().map(|got| got.status).map_err(io::Error::kind), expected, "{fault:?}");
        assert_eq!(*done.lock().unwrap(), u64::from(does_it), "{fault:?}");
        match &fault {
            Fault::Delay(span) | Fault::Hang(span) => assert!(began.elapsed() >= *span, "{fault:?}"),
            Fault::Flood(length) => assert_eq!(got.unwrap().body.len(), *length),
            Fault::Html => assert!(got.unwrap().body.starts_with(b"<!doctype html>")),
            _ => {}
        }
        let [request] = &sandbox.requests()[..] else { panic!("one request for {fault:?}") };
        assert_eq!(request.status, expected.ok(), "{fault:?}");
        assert_eq!(request.fault, (fault != Fault::Pass).then_some(fault.clone()));
        assert_eq!(request.body.is_empty(), fault == Fault::ResetEarly);
        let after = TestClient::new(sandbox.address()).send("POST", "/x", &[], b"{}");
        assert_eq!(after.status, 200, "only one request met {fault:?}");
    }
}

#[test]
fn faults_come_in_order_then_the_lasting_one_until_it_is_lifted() {
    let (sandbox, done) = counter();
    let mut client = TestClient::new(sandbox.address());
    sandbox.always(Some(Fault::status(500)));
    sandbox.script([Fault::retry_after(429, "10"), Fault::Pass]);
    let statuses: Vec<u16> = (0..4).map(|_| get(&mut client, "/x").status).collect();
    assert_eq!(statuses, [429, 200, 500, 500]);
    sandbox.always(None);
    assert_eq!(get(&mut client, "/x").status, 200);
    assert_eq!(*done.lock().unwrap(), 2);
}

#[test]
fn requests_can_be_waited_for_and_are_forgotten_when_there_are_too_many() {
    let (sandbox, _) = counter();
    sandbox.remember(3);
    let address = sandbox.address();
    let sender = std::thread::spawn(move || {
        let mut client = TestClient::new(address);
        (0..5).for_each(|number| drop(get(&mut client, &format!("/{number}?api_secret=s&x=1"))));
    });
    assert!(sandbox.wait_for(5, Duration::from_secs(10)));
    sender.join().unwrap();
    let kept: Vec<_> = sandbox.requests().into_iter().map(|request| (request.number, request.path)).collect();
    assert_eq!(kept, [(2, "/2".to_owned()), (3, "/3".to_owned()), (4, "/4".to_owned())]);
    assert_eq!(sandbox.requests_from(4)[0].query, "api_secret=…&x=1");
    assert!(!sandbox.wait_for(6, Duration::from_millis(20)));
}

#[test]
fn many_clients_are_served_at_a_time() {
    let (sandbox, done) = counter();
    let address = sandbox.address();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(move || {
                let mut client = TestClient::new(address);
                (0..50).for_each(|_| assert_eq!(client.send("POST", "/x", &[], &[b'a'; 5000]).status, 200));
            });
        }
    });
    assert_eq!((*done.lock().unwrap(), sandbox.count()), (800, 800));
}

#[test]
fn the_delivery_client_sees_faults_as_it_would_in_the_world() {
    use crate::delivery::client::{Client, ClientOptions, HttpClient, Limits};
    use crate::delivery::connection::Trust;
    use crate::destinations::{HttpRequest, Method, NoAnswer};

    let (sandbox, _) = counter();
    let options = ClientOptions { allow_private_addresses: false, connections: 1 };
    let client = HttpClient::new(Trust::new(None).unwrap(), options, system_clock());
    let request = HttpRequest {
        method: Method::Post,
        url: format!("{}/x", sandbox.origin()),
        secret_path: None,
        secret_query: None,
        headers: Vec::new(),
        secret_header: None,
        body: b"{}".to_vec(),
        repeatable: false,
    };
    let limits = Limits { timeout: Duration::from_secs(5) };
    sandbox.script([Fault::ResetLate, Fault::LoseAnswer, Fault::Close, Fault::Garbage]);
    for _ in 0..4 {
        assert!(matches!(client.send(&request, &limits), Err(NoAnswer::Unknown(_))));
    }
    sandbox.script([Fault::retry_after(503, "7")]);
    let answer = client.send(&request, &limits).unwrap();
    assert_eq!((answer.status, answer.retry_after), (503, Some(Duration::from_secs(7))));
    let connections_kept = (0..3).map(|_| client.send(&request, &limits).unwrap().status).collect::<Vec<_>>();
    assert_eq!(connections_kept, [200, 200, 200]);
    sandbox.script([Fault::Hang(Duration::from_secs(30))]);
    let short = Limits { timeout: Duration::from_millis(100) };
    assert!(matches!(client.send(&request, &short), Err(NoAnswer::Unknown(_))));
}

#[test]
fn alerts_are_kept_and_checked() {
    let sandbox = AlertSandbox::start().unwrap();
    let mut client = TestClient::new(sandbox.address());
    let alert = json!({
        "event_type": "delivery_failed", "destination": "crm", "error_message": "422", "transaction_id": null,
        "lead_id": null, "count": 1, "timestamp": "2026-01-01T00:00:00Z", "requires_manual_review": true,
    });
    assert_eq!(client.post("/alerts", &[], &alert).status, 200);
    assert_eq!(client.post("/alerts", &[], &json!({"error_message": "ada@example.com"})).status, 200);
    assert_eq!(client.send("POST", "/alerts", &[], b"oops").status, 400);
    assert_eq!(sandbox.alerts().len(), 2);
    let broken: Vec<usize> = sandbox.requests().iter().map(|request| request.broken_rules.len()).collect();
    assert_eq!(broken, [0, 8, 1]);
}
