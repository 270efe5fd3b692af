//! A small HTTP/1.1 server on loopback, plain enough that it can also misbehave on purpose: it gives its handler the bare
//! connection after each request head. One thread a connection.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 64 * 1024;
/// The longest body of a request, in bytes.
const LONGEST_BODY: usize = 16 * 1024 * 1024;
/// How much is read at a time, in bytes.
const CHUNK: usize = 16 * 1024;
/// How long a connection may wait for its next request.
const IDLE: Duration = Duration::from_secs(120);

/// The head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query as it was sent; empty without one.
    pub query: String,
    /// Header fields, their names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The first value of a field; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A value of the query, decoded.
    pub fn query_value(&self, name: &str) -> Option<String> {
        self.query
            .split('&')
            .filter_map(|pair| pair.split_once('=').or(Some((pair, ""))))
            .find(|(key, _)| percent_decode(key) == name)
            .map(|(_, value)| percent_decode(value))
    }

    fn wants_close(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, target, version) = (first.next()?, first.next()?, first.next()?);
        if first.next().is_some() || !version.starts_with("HTTP/1.") || !target.starts_with('/') {
            return None;
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Some(Self { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), headers })
    }
}

/// Decodes `%41` and `+`; what is no such code stays as it is.
pub fn percent_decode(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let hex = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let rest = bytes.as_slice();
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => match (hex(rest.first().copied()), hex(rest.get(1).copied())) {
                (Some(high), Some(low)) => {
                    #[allow(clippy::cast_possible_truncation)] // two hexadecimal digits are one byte
                    decoded.push((high * 16 + low) as u8);
                    bytes.nth(1);
                }
                _ => decoded.push(byte),
            },
            _ => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Header fields besides `content-length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Without a body.
    pub const fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// With a JSON body.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::text(status, "application/json", body.to_string())
    }

    /// With a body of some type.
    pub fn text(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), content_type.to_owned())], body: body.into() }
    }

    /// With one header field more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// As it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if self.status != 204 {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        409 => "Conflict",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Answer",
    }
}

/// What becomes of a connection after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next request may come.
    KeepAlive,
    /// It is closed in order.
    Close,
    /// It is dropped as it is. What was sent to it and not read makes that a reset (Linux: tcp(7)).
    Reset,
}

/// Answers requests.
pub trait Handler: Send + Sync {
    /// Reads the body from the connection if it wants it, and answers as it likes.
    ///
    /// # Errors
    /// When the connection breaks; it is dropped then.
    fn serve(&self, head: Head, connection: &mut Connection, stop: &Stop) -> io::Result<Then>;
}

/// Tells threads that wait that the server is going away.
#[derive(Debug, Default)]
pub struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Waits, but no longer than until the server stops. True when it did.
    pub fn wait(&self, span: Duration) -> bool {
        let until = Instant::now() + span;
        let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        while !*stopped {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            stopped = self.changed.wait_timeout(stopped, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn is_set(&self) -> bool {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

/// A client's connection.
///
/// The last byte that came is read, but left in the system's buffer until more is needed: so every connection can be reset
/// at any time just by dropping it, also when its request was read whole.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    holds_back: bool,
}

impl Connection {
    fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(IDLE))?;
        stream.set_write_timeout(Some(IDLE))?;
        Ok(Self { stream, buffer: Vec::new(), holds_back: false })
    }

    /// Reads what there is, at least a byte; 0 at the end.
    fn fill(&mut self) -> io::Result<usize> {
        self.give_up_reset()?;
        let mut chunk = [0; CHUNK];
        let length = self.stream.peek(&mut chunk)?;
        if length > 0 {
            self.stream.read_exact(&mut chunk[..length - 1])?;
            self.holds_back = true;
            self.buffer.extend_from_slice(&chunk[..length]);
        }
        Ok(length)
    }

    /// Takes the byte that was held back.
    fn give_up_reset(&mut self) -> io::Result<()> {
        if self.holds_back {
            self.stream.read_exact(&mut [0])?;
            self.holds_back = false;
        }
        Ok(())
    }

    fn fill_or_fail(&mut self) -> io::Result<()> {
        if self.fill()? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// The head of the next request; none when the client has hung up.
    fn read_head(&mut self) -> io::Result<Option<Head>> {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if self.buffer.len() > LONGEST_HEAD {
                return Err(malformed("the head of the request is too long"));
            }
            if self.fill()? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let text = std::str::from_utf8(&head[..end]).map_err(|_| malformed("the head of the request is not text"))?;
        Head::parse(text).map(Some).ok_or_else(|| malformed("that is no HTTP/1.1 request"))
    }

    /// The body of a request, whole.
    ///
    /// # Errors
    /// When it ends early, is too long, or its framing is wrong.
    pub fn read_body(&mut self, head: &Head) -> io::Result<Vec<u8>> {
        if head.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if head.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return self.read_chunks();
        }
        let length = match head.header("content-length") {
            Some(length) => length.parse().map_err(|_| malformed("content-length is not a number"))?,
            None => 0,
        };
        self.take(length)
    }

    fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line()?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| malformed("a chunk has no size"))?;
            if size == 0 {
                while !self.read_line()?.is_empty() {}
                return Ok(body);
            }
            if body.len().saturating_add(size) > LONGEST_BODY {
                return Err(malformed("the body is too long"));
            }
            body.extend(self.take(size)?);
            self.read_line()?;
        }
    }

    fn read_line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.buffer.len() > LONGEST_HEAD {
                return Err(malformed("a line of the body is too long"));
            }
            self.fill_or_fail()?;
        }
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > LONGEST_BODY {
            return Err(malformed("the body is too long"));
        }
        while self.buffer.len() < length {
            self.fill_or_fail()?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the client is gone.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }
}

fn malformed(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[derive(Default)]
struct Open {
    next: u64,
    streams: HashMap<u64, TcpStream>,
}

struct Shared {
    handler: Arc<dyn Handler>,
    stop: Stop,
    open: Mutex<Open>,
}

impl Shared {
    fn begin(self: &Arc<Self>, stream: TcpStream) -> io::Result<()> {
        let number = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.next += 1;
            let number = open.next;
            open.streams.insert(number, stream.try_clone()?);
            number
        };
        let shared = Arc::clone(self);
        let serve = move || {
            if let Ok(connection) = Connection::new(stream) {
                shared.converse(connection, number);
            }
            // The connection's own handle went first or goes here; only then is it closed, or reset.
            shared.open.lock().unwrap_or_else(PoisonError::into_inner).streams.remove(&number);
        };
        Builder::new().name("sandbox".to_owned()).spawn(serve).map(drop)
    }

    fn converse(&self, mut connection: Connection, number: u64) {
        loop {
            let head = match connection.read_head() {
                Ok(Some(head)) => head,
                Ok(None) => return,
                Err(error) => return refuse(&mut connection, &error),
            };
            let last = head.wants_close();
            match self.handler.serve(head, &mut connection, &self.stop) {
                Ok(Then::KeepAlive) if !last && !self.stop.is_set() => {}
                Ok(Then::KeepAlive | Then::Close) => {
                    let _ = connection.give_up_reset();
                    return;
                }
                Ok(Then::Reset) => {
                    self.open.lock().unwrap_or_else(PoisonError::into_inner).streams.remove(&number);
                    return;
                }
                Err(error) => return refuse(&mut connection, &error),
            }
        }
    }
}

fn refuse(connection: &mut Connection, error: &io::Error) {
    if error.kind() == io::ErrorKind::InvalidData {
        let _ = connection.send(&Answer::text(400, "text/plain", error.to_string()).with("connection", "close").bytes());
    }
    let _ = connection.give_up_reset();
}

/// A running server; it stops, and cuts its connections, when it is dropped.
pub struct HttpServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl HttpServer {
    /// Starts a server on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When there is no free port or no thread can be started.
    pub fn start(handler: Arc<dyn Handler>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { handler, stop: Stop::default(), open: Mutex::default() });
        let accepting = {
            let shared = Arc::clone(&shared);
            Builder::new().name("sandbox-accept".to_owned()).spawn(move || {
                for stream in listener.incoming() {
                    if shared.stop.is_set() {
                        return;
                    }
                    match stream.and_then(|stream| shared.begin(stream)) {
                        Ok(()) => {}
                        // Out of threads or file descriptors: better a pause than a busy loop.
                        Err(_) => drop(shared.stop.wait(Duration::from_millis(50))),
                    }
                }
            })?
        };
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.shared.stop.set();
        // Wakes the thread that waits for connections.
        let woken = TcpStream::connect(self.address).is_ok();
        for stream in self.shared.open.lock().unwrap_or_else(PoisonError::into_inner).streams.values() {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        if let Some(accepting) = self.accepting.take().filter(|_| woken) {
            let _ = accepting.join();
        }
    }
}

#[cfg(test)]
#[path = "http_server_tests.rs"]
mod tests;
