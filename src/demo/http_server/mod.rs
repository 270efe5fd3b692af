//! A small HTTP/1.1 server on loopback, plain enough that it can also misbehave on purpose: it gives its handler the bare
//! connection after each request head. One thread a connection.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

mod connection;
mod message;

pub use connection::Connection;
pub use message::{Answer, Head, percent_decode};

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
        let _ =
            connection.send(&Answer::text(400, "text/plain", error.to_string()).with("connection", "close").bytes());
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
mod tests;
