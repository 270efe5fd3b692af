//! The operator's door: HTTP over a Unix socket, whose file permissions are the lock.
//!
//! `POST /v1` takes one JSON request and answers with rows, one JSON value a line, as they are made: a list of a million rows
//! needs no more memory than one of ten. `POST /v1/backup` answers with the bytes of a backup. `GET /metrics` and the
//! health pages, with all details, are here too.

use std::convert::Infallible;
use std::fs;
use std::future::Future;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::{Value, json};
use tokio::net::{UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};

use super::answer::{self, Answer};
use super::health::{Entrance, HealthPages};

/// The largest request, in bytes.
const MAX_REQUEST: usize = 1024 * 1024;
/// For a request to come, once somebody has connected.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Callers at a time.
const MAX_CALLERS: u32 = 32;
/// Rows are sent together up to about this many bytes, when the caller takes them slower than they are made.
const CHUNK_BYTES: usize = 16 * 1024;
/// A backup that nobody takes anything of for so long is given up: while it is made, pages that it can see are not reused.
const BACKUP_PATIENCE: Duration = Duration::from_secs(120);
/// Chunks that wait for the caller.
const CHUNKS_WAITING: usize = 4;

/// Rows of an answer, made as they are asked for.
pub type OperatorRows = Box<dyn Iterator<Item = Value> + Send>;

/// Does what an operator asks for.
pub trait Operator: Send + Sync {
    /// Does it. Called on a thread that may block, as are the rows' `next`.
    ///
    /// # Errors
    /// When the request makes no sense, or can't be done.
    fn handle(&self, request: Value) -> Result<OperatorRows, OperatorError>;

    /// The figures of `status` in Prometheus' text format. Called on a thread that may block.
    ///
    /// # Errors
    /// When the books can't be read.
    fn metrics(&self) -> Result<String, OperatorError>;

    /// Writes a backup of the books as of now. Called on a thread that may block.
    ///
    /// # Errors
    /// When the books can't be read or nobody takes what is written.
    fn backup(&self, out: &mut dyn io::Write) -> io::Result<()>;
}

/// Why an operator's request was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OperatorError {
    /// HTTP status: 400 for a request that makes no sense, 404 for what does not exist, 409 for what can't be done now.
    pub status: u16,
    /// What is wrong and what to do, for a person.
    pub message: String,
}

/// Why the socket can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another daemon has it.
    #[error("another tallyhook answers on {0}; stop it first, or give this one its own [admin] socket")]
    InUse(PathBuf),
    /// Something else has its name.
    #[error("{0} exists and is not a socket; move it away, or choose another [admin] socket")]
    NotASocket(PathBuf),
    /// The system refuses.
    #[error("can't open the admin socket {path}: {source}")]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A bound admin socket. Its file goes away with it.
#[derive(Debug)]
pub struct AdminSocket {
    listener: StdUnixListener,
    file: SocketFile,
}

#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl AdminSocket {
    /// Binds the socket, for its owner only (mode 0600). A file left over by a daemon that is gone is replaced; a missing folder
    /// is made.
    ///
    /// # Errors
    /// When somebody answers on it, its name is taken, or the system refuses.
    pub fn bind(path: &Path) -> Result<Self, BindError> {
        let failed = |source| BindError::Io { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        match fs::symlink_metadata(path) {
            Ok(metadata) if !metadata.file_type().is_socket() => return Err(BindError::NotASocket(path.to_owned())),
            Ok(_) if somebody_answers(path).map_err(failed)? => return Err(BindError::InUse(path.to_owned())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        // Bound under another name first, so that it never stands at its place with wider permissions.
        let mut unready = path.as_os_str().to_owned();
        unready.push("~");
        let unready = PathBuf::from(unready);
        match fs::remove_file(&unready) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = StdUnixListener::bind(&unready).map_err(failed)?;
        fs::set_permissions(&unready, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        let inode = fs::symlink_metadata(&unready).map_err(failed)?.ino();
        fs::rename(&unready, path).map_err(failed)?;
        Ok(Self { listener, file: SocketFile { path: path.to_owned(), inode } })
    }

    /// Serves until `shutdown` resolves, then lets calls under way end, for `drain_timeout` at most.
    ///
    /// # Errors
    /// When the socket can't be used.
    pub async fn serve(
        self,
        operator: Arc<dyn Operator>,
        health: Arc<HealthPages>,
        drain_timeout: Duration,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        self.listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(self.listener.try_clone()?)?;
        let callers = Arc::new(Semaphore::new(MAX_CALLERS as usize));
        let (stop, stopping) = watch::channel(false);
        let pages = Pages { operator, health };
        let mut shutdown = pin!(shutdown);
        loop {
            let next = async {
                let place = Arc::clone(&callers).acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                biased;
                () = &mut shutdown => break,
                next = next => next,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let (pages, stopping) = (pages.clone(), stopping.clone());
            tokio::spawn(async move {
                serve_caller(stream, pages, stopping).await;
                drop(place);
            });
        }
        // From here on a caller should find nobody rather than wait.
        drop(self.file);
        drop(listener);
        drop(self.listener);
        stop.send_replace(true);
        let _ = tokio::time::timeout(drain_timeout, callers.acquire_many(MAX_CALLERS)).await;
        Ok(())
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Another daemon may have put its own in its place.
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn somebody_answers(path: &Path) -> io::Result<bool> {
    match StdUnixStream::connect(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

#[derive(Clone)]
struct Pages {
    operator: Arc<dyn Operator>,
    health: Arc<HealthPages>,
}

type AdminAnswer = Response<Either<Full<Bytes>, RowsBody>>;

async fn serve_caller(stream: UnixStream, pages: Pages, mut stopping: watch::Receiver<bool>) {
    let service = service_fn(move |request| {
        let pages = pages.clone();
        async move { Ok::<_, Infallible>(pages.answer(request).await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(REQUEST_TIMEOUT)
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service)
    );
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = async { drop(stopping.wait_for(|stopping| *stopping).await) } => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "admin connection ended early");
    }
}

impl Pages {
    async fn answer(&self, request: Request<Incoming>) -> AdminAnswer {
        let path = request.uri().path();
        if path == "/v1" || path == "/v1/backup" {
            if request.method() != Method::POST {
                return whole(answer::method_not_allowed("POST"));
            }
            if path == "/v1/backup" {
                return self.backup();
            }
            return self.operate(request.into_body()).await;
        }
        if path == "/metrics" {
            return match *request.method() {
                Method::GET | Method::HEAD => self.metrics().await,
                _ => whole(answer::method_not_allowed("GET, HEAD")),
            };
        }
        let page = self.health.answer(request.method(), path, request.headers(), Entrance::Admin);
        whole(page.unwrap_or_else(answer::not_found))
    }

    async fn operate(&self, body: Incoming) -> AdminAnswer {
        let collected = tokio::time::timeout(REQUEST_TIMEOUT, Limited::new(body, MAX_REQUEST).collect()).await;
        let Ok(Ok(collected)) = collected else {
            return failure(400, "the request did not come whole");
        };
        let request = match serde_json::from_slice(&collected.to_bytes()) {
            Ok(request) => request,
            Err(error) => return failure(400, &format!("the request is not JSON: {error}")),
        };
        let operator = Arc::clone(&self.operator);
        match tokio::task::spawn_blocking(move || operator.handle(request)).await {
            Ok(Ok(rows)) => stream(rows),
            Ok(Err(error)) => failure(error.status, &error.message),
            Err(_panic) => failure(500, "the request failed inside tallyhook; its log says more"),
        }
    }
}

impl Pages {
    async fn metrics(&self) -> AdminAnswer {
        let operator = Arc::clone(&self.operator);
        match tokio::task::spawn_blocking(move || operator.metrics()).await {
            Ok(Ok(page)) => {
                let mut answer = Answer::new(Full::new(Bytes::from(page)));
                answer
                    .headers_mut()
                    .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
                whole(answer)
            }
            Ok(Err(error)) => failure(error.status, &error.message),
            Err(_panic) => failure(500, "the request failed inside tallyhook; its log says more"),
        }
    }

    fn backup(&self) -> AdminAnswer {
        let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
        let operator = Arc::clone(&self.operator);
        tokio::task::spawn_blocking(move || {
            let mut out = BytesOut { sender, patience: BACKUP_PATIENCE };
            match operator.backup(&mut out) {
                Ok(()) => drop(out.send(Chunk::End)),
                Err(error) => tracing::warn!(%error, "a backup was broken off"),
            }
        });
        let mut answer = Response::new(Either::Right(RowsBody { receiver, complete: false }));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        answer
    }
}

/// Bytes on their way to a caller, given up when the caller takes none for too long. Belongs to a thread that may block.
struct BytesOut {
    sender: mpsc::Sender<Chunk>,
    patience: Duration,
}

impl BytesOut {
    fn send(&self, chunk: Chunk) -> io::Result<()> {
        let sending = async { tokio::time::timeout(self.patience, self.sender.send(chunk)).await };
        match Handle::current().block_on(sending) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::new(io::ErrorKind::BrokenPipe, "its reader has gone")),
            Err(_) => {
                let text = format!("its reader has taken nothing for {} s", self.patience.as_secs());
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
        }
    }
}

impl io::Write for BytesOut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(Chunk::Rows(Bytes::copy_from_slice(bytes)))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn whole(answer: Answer) -> AdminAnswer {
    answer.map(Either::Left)
}

fn failure(status: u16, message: &str) -> AdminAnswer {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    whole(answer::json(status, &json!({ "error": message })))
}

fn stream(rows: OperatorRows) -> AdminAnswer {
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    tokio::task::spawn_blocking(move || send_rows(rows, &sender));
    let mut answer = Response::new(Either::Right(RowsBody { receiver, complete: false }));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    answer
}

enum Chunk {
    Rows(Bytes),
    End,
}

/// Sends each row at once while the caller keeps up, several together while it does not. Ends early when the caller is gone.
fn send_rows(rows: OperatorRows, sender: &mpsc::Sender<Chunk>) {
    let mut chunk = Vec::new();
    for row in rows {
        if serde_json::to_writer(&mut chunk, &row).is_err() {
            return;
        }
        chunk.push(b'\n');
        let caller_waits = sender.capacity() == sender.max_capacity();
        if (caller_waits || chunk.len() >= CHUNK_BYTES)
            && sender.blocking_send(Chunk::Rows(Bytes::from(std::mem::take(&mut chunk)))).is_err()
        {
            return;
        }
    }
    if chunk.is_empty() || sender.blocking_send(Chunk::Rows(Bytes::from(chunk))).is_ok() {
        let _ = sender.blocking_send(Chunk::End);
    }
}

/// Rows on their way to the caller. Without an end marker (the maker of rows panicked) the answer is broken off, so that the
/// caller doesn't take a part for the whole.
struct RowsBody {
    receiver: mpsc::Receiver<Chunk>,
    complete: bool,
}

impl Body for RowsBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.complete {
            return Poll::Ready(None);
        }
        self.receiver.poll_recv(cx).map(|chunk| match chunk {
            Some(Chunk::Rows(rows)) => Some(Ok(Frame::data(rows))),
            Some(Chunk::End) => {
                self.complete = true;
                None
            }
            None => Some(Err(io::Error::other("the rows ended early"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn bytes_that_nobody_takes_are_given_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (sender, receiver) = mpsc::channel(1);
        let write = move || {
            let mut out = BytesOut { sender, patience: Duration::from_millis(20) };
            out.write_all(b"one waits").and_then(|()| out.write_all(b"two would not"))
        };
        let written = runtime.block_on(async { tokio::task::spawn_blocking(write).await.unwrap() });
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(receiver);
    }
}
