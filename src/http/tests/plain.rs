//! Plain HTTP beside TLS: a question of the authority, a redirect, and nothing else.

use super::*;
use crate::http::acme::challenges::Challenges;
use crate::http::plain::Plain;

/// A listener for `a.example` and `b.example`.
fn start(public_url: Option<&str>) -> (SocketAddr, Arc<Challenges>) {
    let challenges = Arc::new(Challenges::default());
    let domains = vec!["a.example".to_owned(), "b.example".to_owned()];
    let handler = Arc::new(Plain::new(Arc::clone(&challenges), domains, public_url));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let limits = Setup::default().server;
        let serving = listener::serve(listener, &limits, None, handler, std::future::pending());
        runtime.block_on(serving).unwrap()
    });
    (address, challenges)
}

fn ask(address: SocketAddr, request: &str) -> Reply {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    read_reply(&mut stream)
}

fn location(address: SocketAddr, target: &str, host: &str) -> String {
    let reply = ask(address, &format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n\r\n"));
    assert_eq!(reply.status, 308, "{reply:?}");
    reply.header("location").unwrap().to_owned()
}

#[test]
fn browsers_are_sent_to_https_and_never_to_a_strangers_name() {
    let (address, _) = start(None);
    assert_eq!(location(address, "/x?y=1", "b.example"), "https://b.example/x?y=1");
    assert_eq!(location(address, "/", "B.Example:80"), "https://b.example/");
    assert_eq!(location(address, "/", "evil.example"), "https://a.example/");
    assert_eq!(location(address, "//evil.example/", "a.example"), "https://a.example//evil.example/");
    assert_eq!(location(address, "http://evil.example/p", "evil.example"), "https://a.example/p");
    let (address, _) = start(Some("https://a.example:8443/in"));
    assert_eq!(location(address, "/x", "a.example"), "https://a.example:8443/x");
}

#[test]
fn a_post_is_refused_and_sent_nowhere() {
    let (address, _) = start(None);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let request =
            format!("{method} /api/webhooks/shop HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\n{{}}");
        let reply = ask(address, &request);
        assert_eq!((reply.status, reply.header("location")), (405, None), "{method}");
        assert!(reply.says_close(), "the body was not read");
    }
}

#[test]
fn only_a_question_under_way_is_answered() {
    let (address, challenges) = start(None);
    challenges.answer_by_http("token-1", "token-1.thumbprint");
    let of =
        |token: &str| ask(address, &format!("GET /.well-known/acme-challenge/{token} HTTP/1.1\r\nhost: x\r\n\r\n"));
    assert_eq!((of("token-1").status, of("token-1").body.as_slice()), (200, &b"token-1.thumbprint"[..]));
    assert_eq!(of("token-2").status, 404);
    challenges.clear();
    assert_eq!(of("token-1").status, 404);
}
