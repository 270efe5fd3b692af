use std::io::{Read, Write};

use super::*;

/// Answers with what it understood; `/reset` and `/close` end the connection without an answer.
struct Echo;

impl Handler for Echo {
    fn serve(&self, head: Head, connection: &mut Connection, _stop: &Stop) -> io::Result<Then> {
        let body = connection.read_body(&head)?;
        match head.path.as_str() {
            "/reset" => return Ok(Then::Reset),
            "/close" => return Ok(Then::Close),
            _ => {}
        }
        let text = format!("{} {} {} {}", head.method, head.path, head.query, String::from_utf8_lossy(&body));
        connection.send(&Answer::text(200, "text/plain", text).bytes())?;
        Ok(Then::KeepAlive)
    }
}

fn server() -> HttpServer {
    HttpServer::start(Arc::new(Echo)).unwrap()
}

fn converse(server: &HttpServer, parts: &[&[u8]]) -> io::Result<String> {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for part in parts {
        stream.write_all(part)?;
        std::thread::sleep(Duration::from_millis(15));
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn requests_on_one_connection_are_answered_in_turn_however_they_are_cut() {
    let server = server();
    let text = b"POST /a?x=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhelloGET /b HTTP/1.1\r\n\r\n\
        POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n";
    for cut in [1, 20, 55, 60, 61, 70, 100, 150, text.len() - 1] {
        let answer = converse(&server, &[&text[..cut], &text[cut..]]).unwrap();
        let bodies: Vec<_> = ["POST /a x=1 hello", "GET /b  ", "POST /c  abc0123456789"].map(|b| answer.find(b)).into();
        assert!(bodies.iter().all(Option::is_some) && bodies.is_sorted(), "cut at {cut}: {answer}");
    }
}

#[test]
fn what_is_no_request_gets_400_and_what_ends_early_gets_nothing() {
    let server = server();
    for wrong in [
        &b"hello\r\n\r\n"[..],
        b"GET / HTTP/2\r\n\r\n",
        b"GET http://x/ HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
    ] {
        let answer = converse(&server, &[wrong]).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{}: {answer}", String::from_utf8_lossy(wrong));
    }
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhel").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "");
}

#[test]
fn a_reset_is_a_reset_and_a_close_is_a_close() {
    let server = server();
    let post = |path: &str| format!("POST {path} HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello");
    let reset = converse(&server, &[post("/reset").as_bytes()]).unwrap_err();
    assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
    let reset = converse(&server, &[b"GET /reset HTTP/1.1\r\n\r\n"]).unwrap_err();
    assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(converse(&server, &[post("/close").as_bytes()]).unwrap(), "");
}

#[test]
fn a_client_that_expects_a_sign_to_continue_gets_one() {
    let answer = converse(
        &server(),
        &[b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\n", b"ok"],
    )
    .unwrap();
    assert!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{answer}");
}

#[test]
fn dropping_the_server_frees_its_port_and_cuts_its_connections() {
    let server = server();
    let address = server.address();
    let mut idle = TcpStream::connect(address).unwrap();
    idle.write_all(b"GET /a HTTP/1.1\r\n\r\n").unwrap();
    assert!(idle.read(&mut [0; 512]).unwrap() > 0);
    let began = Instant::now();
    drop(server);
    assert!(matches!(idle.read(&mut [0; 512]), Ok(0) | Err(_)));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(TcpStream::connect(address).is_err());
}
