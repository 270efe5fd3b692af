//! The life of one connection: who waits for what, and how long.
//!
//! hyper has one time limit for a header and uses it for idle connections too, and none for a client that does not take its
//! answer. Here every waiting time has its own limit: [`Watch`] keeps the moment by which something must happen, and one timer a
//! connection looks after it. A busy connection re-arms that timer about once per limit, not once per request.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;

use super::answer::Answer;

/// Largest header of a request, and most that is read at a time, in bytes.
const MAX_HEADER: usize = 32 * 1024;
/// After an answer that leaves a body unread, reading goes on for so long at most: closing at once would reset the connection and
/// take the answer away from a sender that is still sending.
const LINGER_TIME: Duration = Duration::from_secs(2);
/// How much is read and thrown away meanwhile, in bytes.
const LINGER_BYTES: usize = 4 * 1024 * 1024;
/// For the last words to a client that was too slow.
const PARTING_TIME: Duration = Duration::from_secs(1);
/// What a client is told whose header did not come in time.
const HEADER_TIMEOUT_ANSWER: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\n\
    content-type: application/json\r\ncontent-length: 19\r\n\r\n{\"error\":\"timeout\"}";

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// Answers one request from a peer.
    fn handle(&self, request: hyper::Request<Incoming>, peer: IpAddr) -> impl Future<Output = Answer> + Send;
}

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Not stopping.
    Running,
    /// No new connections; every answer says that the connection ends.
    Draining,
    /// Connections without a request end; requests under way are finished.
    Closing,
    /// What is left is cut.
    Stopped,
}

/// How long a connection may keep us waiting.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// For a header, from its first byte; and for the first byte of a new connection.
    pub header: Duration,
    /// For the next request, and for an answer to be taken.
    pub idle: Duration,
}

/// hyper's side of a connection, shared by all.
pub fn protocol() -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Time limits are kept here (see the module's text). A client may close its sending side and still wait for its answer. The
    // number of header fields stays at hyper's 100, which need no allocation.
    builder.header_read_timeout(None).half_close(true).max_buf_size(MAX_HEADER).max_header_size(MAX_HEADER);
    builder
}

/// Serves one connection to its end.
pub async fn drive<Io, H>(
    io: Io,
    peer: IpAddr,
    protocol: &http1::Builder,
    handler: Arc<H>,
    waits: Waits,
    mut stage: watch::Receiver<Stage>,
) where
    Io: AsyncRead + AsyncWrite + Unpin,
    H: Handler,
{
    let watched = Arc::new(Watch::new(waits));
    let service = {
        let watched = Arc::clone(&watched);
        let stage = stage.clone();
        service_fn(move |request| {
            watched.request_begins();
            let handler = Arc::clone(&handler);
            let watched = Arc::clone(&watched);
            let stopping = *stage.borrow() >= Stage::Draining;
            async move {
                let mut answer = handler.handle(request, peer).await;
                if stopping {
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                watched.answer_given(answer.headers().contains_key(CONNECTION));
                Ok::<_, Infallible>(answer)
            }
        })
    };
    let io = TokioIo::new(WatchedIo { io, watched: Arc::clone(&watched), shut_down: false, discarded: 0 });
    let mut connection = protocol.serve_connection(io, service);
    let mut timer = pin!(tokio::time::sleep_until(watched.deadline()));
    let mut closing = *stage.borrow_and_update() >= Stage::Closing;
    let mut told = false;

    loop {
        let step = poll_fn(|cx| {
            loop {
                if let Poll::Ready(result) = Pin::new(&mut connection).poll(cx) {
                    return Poll::Ready(End::Finished(result));
                }
                // hyper would drop a request whose header is only half here.
                if closing && !told && !watched.is_in_header() {
                    told = true;
                    Pin::new(&mut connection).graceful_shutdown();
                    continue;
                }
                if watched.deadline() < timer.deadline() {
                    timer.as_mut().reset(watched.deadline());
                }
                if timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                if Instant::now() >= watched.deadline() {
                    return Poll::Ready(End::TimedOut);
                }
                timer.as_mut().reset(watched.deadline());
            }
        });
        let end = tokio::select! {
            biased;
            end = step => end,
            changed = stage.changed() => {
                let now = *stage.borrow_and_update();
                if changed.is_err() || now == Stage::Stopped {
                    return;
                }
                closing = now >= Stage::Closing;
                continue;
            }
        };
        match end {
            End::Finished(Ok(())) => {}
            End::Finished(Err(error)) => tracing::debug!(%error, "connection ended early"),
            End::TimedOut => {
                let late_header = watched.is_in_header();
                let mut io = connection.into_parts().io.into_inner().io;
                let _ = tokio::time::timeout(PARTING_TIME, async {
                    if late_header {
                        io.write_all(HEADER_TIMEOUT_ANSWER).await?;
                    }
                    io.shutdown().await
                })
                .await;
            }
        }
        return;
    }
}

enum End {
    Finished(hyper::Result<()>),
    TimedOut,
}

/// What a connection is waiting for, and until when. Only its own task changes it; the atomics are there to share it inside the
/// task.
#[derive(Debug)]
struct Watch {
    waits: Waits,
    opened: Instant,
    phase: AtomicU8,
    /// Microseconds after `opened`.
    deadline: AtomicU64,
    linger: AtomicBool,
}

/// Waiting for a request, or for an answer to be taken.
const IDLE: u8 = 0;
/// Some bytes of a header are here.
const HEADER: u8 = 1;
/// The handler has the request and keeps its own limits.
const BUSY: u8 = 2;
/// Answered, closed for writing, reading what is still on its way.
const LINGERING: u8 = 3;

/// Further away than any connection lives, and small enough to be added to any moment.
const NO_LIMIT: Duration = Duration::from_secs(365 * 86_400);

impl Watch {
    fn new(waits: Waits) -> Self {
        let watch = Self {
            waits,
            opened: Instant::now(),
            phase: AtomicU8::new(IDLE),
            deadline: AtomicU64::new(0),
            linger: AtomicBool::new(false),
        };
        watch.enter(IDLE, waits.header);
        watch
    }

    fn enter(&self, phase: u8, wait: Duration) {
        let deadline = self.opened.elapsed().saturating_add(wait.min(NO_LIMIT)).as_micros();
        self.deadline.store(u64::try_from(deadline).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.phase.store(phase, Ordering::Relaxed);
    }

    fn phase(&self) -> u8 {
        self.phase.load(Ordering::Relaxed)
    }

    fn deadline(&self) -> Instant {
        self.opened + Duration::from_micros(self.deadline.load(Ordering::Relaxed))
    }

    fn is_in_header(&self) -> bool {
        self.phase() == HEADER
    }

    fn bytes_came(&self) {
        if self.phase() == IDLE {
            self.enter(HEADER, self.waits.header);
        }
    }

    fn request_begins(&self) {
        self.enter(BUSY, NO_LIMIT);
    }

    fn answer_given(&self, connection_ends: bool) {
        if connection_ends {
            self.linger.store(true, Ordering::Relaxed);
        }
        self.enter(IDLE, self.waits.idle);
    }
}

/// A stream that tells its [`Watch`] when bytes come, and that lingers after a last answer.
struct WatchedIo<Io> {
    io: Io,
    watched: Arc<Watch>,
    shut_down: bool,
    discarded: usize,
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncRead for WatchedIo<Io> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = ready!(Pin::new(&mut self.io).poll_read(cx, buffer));
        if buffer.filled().len() > before {
            self.watched.bytes_came();
        }
        Poll::Ready(result)
    }
}

impl<Io: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WatchedIo<Io> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.shut_down {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            self.shut_down = true;
            if self.watched.linger.load(Ordering::Relaxed) {
                self.watched.enter(LINGERING, LINGER_TIME);
            }
        }
        if self.watched.phase() != LINGERING {
            return Poll::Ready(Ok(()));
        }
        let mut space = [0; 4096];
        while self.discarded < LINGER_BYTES {
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.discarded += buffer.filled().len(),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
