//! The command line's side of the admin socket.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

/// Why a call to the daemon failed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Nobody is there: no socket, or a file left over.
    #[error("no tallyhook is running (nobody answers on {0})")]
    NoDaemon(PathBuf),
    /// The file's permissions keep us out.
    #[error("{0} belongs to another user; run this as the user that tallyhook runs as, or with sudo")]
    Forbidden(PathBuf),
    /// The daemon answered with an error.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// What came could not be passed on.
    #[error("what came could not be passed on: {0}")]
    Taking(io::Error),
    /// The conversation broke off; rows may be missing.
    #[error("the conversation with tallyhook on {path} broke off: {reason}")]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
}

/// Asks the daemon and hands each row of its answer to `each_row`, as they come. Blocks until the answer is complete; must not be
/// called from asynchronous code.
///
/// # Errors
/// When nobody is there, the daemon refuses, or the answer is not complete. Rows may have been handed over before that.
pub fn call(socket: &Path, request: &Value, each_row: &mut dyn FnMut(Value)) -> Result<(), AdminError> {
    let broken = |error: io::Error| AdminError::Broken { path: socket.to_owned(), reason: error.to_string() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(broken)?;
    runtime.block_on(async {
        let answer = post(socket, "/v1", request.to_string()).await?;
        let broken = |reason| AdminError::Broken { path: socket.to_owned(), reason };
        read_rows(answer, each_row).await.map_err(broken)
    })
}

/// Asks the daemon for a backup and hands its bytes to `take`, as they come. Blocks until it is complete or `take` fails; must not
/// be called from asynchronous code.
///
/// # Errors
/// As [`call`], and when `take` fails.
pub fn backup(socket: &Path, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<(), AdminError> {
    let broken = |error: io::Error| AdminError::Broken { path: socket.to_owned(), reason: error.to_string() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(broken)?;
    runtime.block_on(async {
        let answer = post(socket, "/v1/backup", String::new()).await;
        let mut answer = answer.map_err(|error| match error {
            AdminError::Refused { status: 404, .. } => {
                let message = "the running tallyhook is an older version that makes no backups: restart it".to_owned();
                AdminError::Refused { status: 404, message }
            }
            other => other,
        })?;
        while let Some(frame) = answer.frame().await {
            let frame = frame.map_err(|error| AdminError::Broken {
                path: socket.to_owned(),
                reason: format!("{error}; its log says why"),
            })?;
            if let Ok(data) = frame.into_data() {
                take(&data).map_err(AdminError::Taking)?;
            }
        }
        Ok(())
    })
}

/// Whether a daemon answers there.
///
/// # Errors
/// When the file's permissions keep us out, or the system refuses.
pub fn is_running(socket: &Path) -> Result<bool, AdminError> {
    match std::os::unix::net::UnixStream::connect(socket) {
        Ok(_) => Ok(true),
        Err(error) => match unconnected(socket, &error) {
            AdminError::NoDaemon(_) => Ok(false),
            other => Err(other),
        },
    }
}

fn unconnected(socket: &Path, error: &io::Error) -> AdminError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AdminError::NoDaemon(socket.to_owned()),
        io::ErrorKind::PermissionDenied => AdminError::Forbidden(socket.to_owned()),
        _ => AdminError::Broken { path: socket.to_owned(), reason: error.to_string() },
    }
}

/// Posts a request; the body of its answer when that is a success.
async fn post(socket: &Path, path: &str, body: String) -> Result<Incoming, AdminError> {
    let broken = |reason: String| AdminError::Broken { path: socket.to_owned(), reason };
    let stream = UnixStream::connect(socket).await.map_err(|error| unconnected(socket, &error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(error.to_string()))?;
    // Its errors come back through the answer.
    tokio::spawn(connection);

    let request = Request::post(path)
        .header(HOST, "localhost")
        .header(CONNECTION, "close")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| broken(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(|error| broken(error.to_string()))?;
    if !response.status().is_success() {
        return Err(refusal(response).await);
    }
    Ok(response.into_body())
}

/// The daemon's error as it put it.
async fn refusal(response: Response<Incoming>) -> AdminError {
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let said: Value = serde_json::from_slice(&body).unwrap_or_default();
    let message = match said["error"].as_str() {
        Some(message) => message.to_owned(),
        None => format!("tallyhook answered with status {status} and no explanation"),
    };
    AdminError::Refused { status, message }
}

async fn read_rows(mut body: Incoming, each_row: &mut dyn FnMut(Value)) -> Result<(), String> {
    let mut begun = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|error| error.to_string())?.into_data() else { continue };
        let mut rest = &data[..];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            begun.extend_from_slice(&rest[..end]);
            each_row(serde_json::from_slice(&begun).map_err(|error| format!("a row is not JSON: {error}"))?);
            begun.clear();
            rest = &rest[end + 1..];
        }
        begun.extend_from_slice(rest);
    }
    if begun.is_empty() { Ok(()) } else { Err("the last row is not complete".to_owned()) }
}
