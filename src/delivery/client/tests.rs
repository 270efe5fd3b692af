//! Requests over real sockets, to servers that behave in every bad way.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Instant;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::*;
use crate::destinations::Method;
use crate::model::secret::Secret;
use crate::model::time::Timestamp;
use crate::platform::clock::ManualClock;
use crate::platform::crypto::crypto_provider;

const LIMITS: Limits = Limits { timeout: Duration::from_secs(5) };
/// Tue, 14 Nov 2023 22:13:20 GMT.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

/// A server that hands each connection to `serve`, and counts them.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    fn start(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream));
            }
        });
        Self { address, connections }
    }

    /// Reads one request, answers with these bytes, and hangs up.
    fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::start(move |mut stream| {
            read_request(&mut stream);
            let _ = stream.write_all(&answer);
        })
    }

    fn url(&self) -> String {
        format!("http://{}/collect?visible=1", self.address)
    }
}

/// Reads one request with its body; none at the end of the connection.
fn read_request(stream: &mut impl Read) -> Option<String> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut head = String::new();
    loop {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        if head.ends_with("\r\n\r\n") {
            break;
        }
    }
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(head + &String::from_utf8_lossy(&body))
}

fn client() -> HttpClient {
    client_with(Trust::new(None).unwrap(), false)
}

fn client_with(trust: Trust, allow_private_addresses: bool) -> HttpClient {
    let options = ClientOptions { allow_private_addresses, connections: 2 };
    HttpClient::new(trust, options, ManualClock::at(NOW))
}

fn post(url: &str) -> HttpRequest {
    HttpRequest {
        method: Method::Post,
        url: url.to_owned(),
        secret_path: None,
        secret_query: Some(("api_secret", Secret::new("hush&hush"))),
        headers: vec![("content-type", "application/json".to_owned())],
        secret_header: Some(("authorization", Secret::new("Bearer token-1"))),
        body: br#"{"a":1}"#.to_vec(),
        repeatable: true,
    }
}

fn send(server: &Server) -> Reply {
    client().send(&post(&server.url()), &LIMITS)
}

#[track_caller]
fn assert_unknown(reply: Reply, words: &str) {
    match reply {
        Err(NoAnswer::Unknown(message)) => {
            assert!(message.contains(words), "{message}");
            assert!(!message.contains("hush") && !message.contains("visible"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_not_sent(reply: Reply) -> String {
    match reply {
        Err(NoAnswer::NotSent(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_broken(reply: Reply) -> String {
    match reply {
        Err(NoAnswer::Broken(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_arrives_as_it_was_meant() {
    let (sender, requests) = mpsc::channel();
    let server = Server::start(move |mut stream| {
        sender.send(read_request(&mut stream).unwrap()).unwrap();
        let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
    });
    let reply = send(&server).unwrap();
    assert_eq!(reply, HttpResponse { status: 204, retry_after: None, body: Vec::new(), headers: Vec::new() });
    let request = requests.recv().unwrap().to_lowercase();
    assert!(request.starts_with("post /collect?visible=1&api_secret=hush%26hush http/1.1\r\n"), "{request}");
    for line in [
        "authorization: bearer token-1",
        "content-type: application/json",
        "content-length: 7",
        "accept-encoding: identity",
        concat!("user-agent: tallyhook/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(request.lines().any(|found| found == line), "{line} in {request}");
    }
    assert!(request.ends_with(r#"{"a":1}"#));

    let get = HttpRequest { method: Method::Get, body: Vec::new(), ..post(&server.url()) };
    client().send(&get, &LIMITS).unwrap();
    let request = requests.recv().unwrap().to_lowercase();
    assert!(request.starts_with("get ") && !request.contains("content-length"), "{request}");
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() {
    let elsewhere = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    for status in [301, 302, 303, 307, 308] {
        let answer = format!("HTTP/1.1 {status} Moved\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", elsewhere.url());
        assert_eq!(send(&Server::answering(answer)).unwrap().status, status);
    }
    assert_eq!(elsewhere.connections.load(Ordering::SeqCst), 0);
}

#[test]
fn an_error_status_is_an_answer_with_its_body() {
    let server = Server::answering("HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\noops");
    let reply = send(&server).unwrap();
    assert_eq!((reply.status, reply.body.as_slice()), (500, b"oops".as_slice()));
}

#[test]
fn retry_after_is_read_and_rubbish_is_not() {
    let day = Duration::from_secs(86_400);
    for (value, expected) in [
        ("120", Some(Duration::from_secs(120))),
        ("Tue, 14 Nov 2023 22:14:20 GMT", Some(Duration::from_secs(60))),
        ("1000000000000", Some(day)),
        ("99999999999999999999999999", Some(day)),
        ("soon", None),
        ("-5", None),
        ("\u{fc}", None),
    ] {
        let answer = format!("HTTP/1.1 429 Slow Down\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(send(&Server::answering(answer)).unwrap().retry_after, expected, "{value}");
    }
}

#[test]
fn connections_are_used_again_when_answers_were_read_to_their_end() {
    let serve_with = |body: usize| {
        Server::start(move |mut stream| {
            while read_request(&mut stream).is_some() {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {body}\r\n\r\n");
                if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&vec![b'x'; body])).is_err() {
                    break;
                }
            }
        })
    };
    let mebibyte = 1024 * 1024;
    for (body, connections) in [(0, 1), (2000, 1), (mebibyte, 1), (mebibyte + 60_000, 1), (2 * mebibyte, 4)] {
        let (server, client) = (serve_with(body), client());
        for _ in 0..4 {
            assert_eq!(client.send(&post(&server.url()), &LIMITS).unwrap().body.len(), body.min(mebibyte));
        }
        assert_eq!(server.connections.load(Ordering::SeqCst), connections, "with bodies of {body} bytes");
    }
}

#[test]
fn a_connection_that_the_server_closed_meanwhile_is_not_used_again() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    let client = client();
    for _ in 0..5 {
        assert_eq!(client.send(&post(&server.url()), &LIMITS).unwrap().status, 200);
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_dripping_body_ends_at_the_time_limit() {
    let drip = |status: u16| {
        Server::start(move |mut stream| {
            read_request(&mut stream);
            let _ = write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 1000\r\n\r\n");
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(50));
            }
        })
    };
    let limits = Limits { timeout: Duration::from_millis(400) };
    let start = Instant::now();
    assert_unknown(client().send(&post(&drip(200).url()), &limits), "within 400ms");
    assert!(start.elapsed() < Duration::from_secs(3));
    // What was refused is refused, however its explanation ends.
    assert_eq!(client().send(&post(&drip(422).url()), &limits).unwrap().status, 422);
}

#[test]
fn silence_after_the_request_is_an_unknown_outcome() {
    let server = Server::start(|mut stream| {
        read_request(&mut stream);
        std::thread::sleep(Duration::from_secs(5));
    });
    let start = Instant::now();
    let limits = Limits { timeout: Duration::from_millis(300) };
    assert_unknown(client().send(&post(&server.url()), &limits), "no complete answer");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn hanging_up_after_the_request_is_an_unknown_outcome() {
    let closed = Server::start(|mut stream| drop(read_request(&mut stream)));
    assert_unknown(send(&closed), "closed");
    // Closing with the request still unread makes the kernel send a reset.
    let reset = Server::start(|mut stream| {
        let mut byte = [0];
        let _ = stream.read_exact(&mut byte);
    });
    assert_unknown(send(&reset), "before the answer was complete");
    let half = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"half\":");
    assert_unknown(send(&half), "answered 200, but then");
    let half_refusal = Server::answering("HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 100\r\n\r\nhalf");
    let reply = send(&half_refusal).unwrap();
    assert_eq!((reply.status, reply.retry_after), (429, Some(Duration::from_secs(7))));
}

#[test]
fn nobody_listening_means_nothing_was_sent() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let message = assert_not_sent(client().send(&post(&format!("http://{free}/?token=visible")), &LIMITS));
    assert!(message.contains(&free.to_string()) && message.contains("refused"), "{message}");
    assert!(!message.contains("visible") && !message.contains("hush"), "{message}");
}

#[test]
fn a_name_that_is_not_known_means_nothing_was_sent() {
    let clock = ManualClock::at(NOW);
    let names = Names::new(clock.clone(), |_| Err(io::Error::other("Name or service not known")));
    let options = ClientOptions { allow_private_addresses: false, connections: 1 };
    let client = HttpClient::with_names(Trust::new(None).unwrap(), options, names, clock);
    let message = assert_not_sent(client.send(&post("https://crm.example/x"), &LIMITS));
    assert!(message.contains("crm.example") && message.contains("not known"), "{message}");
}

#[test]
fn an_enormous_body_is_cut() {
    let server = Server::start(|mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b'x'; 65_536]).is_ok() {}
    });
    let reply = send(&server).unwrap();
    assert_eq!(u64::try_from(reply.body.len()).unwrap(), LONGEST_BODY);
}

#[test]
fn a_long_head_is_read_and_an_endless_one_is_not() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 2\r\n\r\nok", "y".repeat(14_000));
    assert_eq!(send(&Server::answering(long)).unwrap().body, b"ok");
    let endless = Server::start(|mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"x-filler: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n").is_ok() {}
    });
    assert!(matches!(send(&endless), Err(NoAnswer::Unknown(_))));
    let over = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(16_000));
    assert_unknown(send(&Server::answering(over)), "header");
    let one_line = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(200_000));
    assert_unknown(send(&Server::answering(one_line)), "header");
}

#[test]
fn garbage_is_an_unknown_outcome() {
    for garbage in
        ["<html>hello</html>\r\n\r\n", "\0\0\0\u{7}", "220 mail.example ESMTP\r\n", "HTTP/9.9 9999 ?\r\n\r\n"]
    {
        assert!(matches!(send(&Server::answering(garbage)), Err(NoAnswer::Unknown(_))), "{garbage}");
    }
    let bad_chunks = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzzz\r\nbody\r\n";
    assert!(matches!(send(&Server::answering(bad_chunks)), Err(NoAnswer::Unknown(_))));
}

#[test]
fn forbidden_addresses_are_broken_and_say_how_to_allow_them() {
    let clock = ManualClock::at(NOW);
    let names = Names::new(clock.clone(), |_| Ok(vec![IpAddr::from([127, 0, 0, 1])]));
    let options = ClientOptions { allow_private_addresses: false, connections: 1 };
    let rebound = HttpClient::with_names(Trust::new(None).unwrap(), options, names, clock);
    let by_name = assert_broken(rebound.send(&post("https://crm.example/"), &LIMITS));
    assert!(by_name.contains("allow_private_addresses") && by_name.contains("127.0.0.1"), "{by_name}");
    let literal = assert_broken(client().send(&post("https://169.254.169.254/latest"), &LIMITS));
    assert!(literal.contains("link-local"), "{literal}");
    let plain = assert_broken(client().send(&post("http://crm.example/"), &LIMITS));
    assert!(plain.contains("unencrypted"), "{plain}");
}

#[test]
fn what_can_not_be_a_request_is_broken() {
    for url in ["", "crm.example", "/contacts", "https://", "https://a b/", "ftp://crm.example/"] {
        let message = assert_broken(client().send(&post(url), &LIMITS));
        assert!(!message.contains("hush"), "{message}");
    }
    let newline =
        HttpRequest { secret_header: Some(("authorization", Secret::new("a\r\nb"))), ..post("https://a.example") };
    assert!(assert_broken(client().send(&newline, &LIMITS)).contains("authorization"));
    let newline = HttpRequest { headers: vec![("x", "a\nb".to_owned())], ..post("https://a.example") };
    assert_broken(client().send(&newline, &LIMITS));
}

#[test]
fn shutting_down_breaks_off_what_is_under_way_and_refuses_the_rest() {
    let (sender, arrived) = mpsc::channel();
    let server = Server::start(move |mut stream| {
        read_request(&mut stream);
        sender.send(()).unwrap();
        std::thread::sleep(Duration::from_secs(5));
    });
    let client = Arc::new(client());
    let (other, url) = (Arc::clone(&client), server.url());
    let call = std::thread::spawn(move || other.send(&post(&url), &LIMITS));
    arrived.recv().unwrap();
    let start = Instant::now();
    client.shutdown();
    assert_unknown(call.join().unwrap(), "closed");
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_not_sent(client.send(&post(&server.url()), &LIMITS));
}

/// A TLS server that answers 200, for `name`; with the certificate as PEM.
fn tls_server(name: &str) -> (Server, String) {
    let signed = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let server = Server::start(move |stream| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        while read_request(&mut stream).is_some() {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    (server, signed.cert.pem())
}

#[test]
fn tls_works_with_an_extra_root_and_keeps_its_connection() {
    let (server, root) = tls_server("localhost");
    let client = client_with(Trust::new(Some(root.as_bytes())).unwrap(), false);
    let mut request = post(&format!("https://localhost:{}/", server.address.port()));
    request.body = vec![b'x'; 300_000];
    for _ in 0..3 {
        assert_eq!(client.send(&request, &LIMITS).unwrap().body, b"ok");
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_certificate_that_is_not_trusted_is_broken() {
    let (server, _) = tls_server("localhost");
    let url = format!("https://localhost:{}/", server.address.port());
    let unknown = assert_broken(client().send(&post(&url), &LIMITS));
    assert!(unknown.contains("not trusted"), "{unknown}");
    let (server, root) = tls_server("other.example");
    let client = client_with(Trust::new(Some(root.as_bytes())).unwrap(), false);
    let url = format!("https://localhost:{}/", server.address.port());
    let other_name = assert_broken(client.send(&post(&url), &LIMITS));
    assert!(other_name.contains("another name"), "{other_name}");
}

#[test]
fn a_tls_handshake_that_is_broken_off_means_nothing_was_sent() {
    let closes = Server::start(drop);
    assert_not_sent(client().send(&post(&format!("https://{}/", closes.address)), &LIMITS));
    let speaks_http = Server::start(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    assert_not_sent(client().send(&post(&format!("https://{}/", speaks_http.address)), &LIMITS));
    let silent = Server::start(|_stream| std::thread::sleep(Duration::from_secs(5)));
    let limits = Limits { timeout: Duration::from_millis(300) };
    let start = Instant::now();
    assert_not_sent(client().send(&post(&format!("https://{}/", silent.address)), &limits));
    assert!(start.elapsed() < Duration::from_secs(3));
}
