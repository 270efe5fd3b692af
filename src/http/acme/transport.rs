//! How the authority is reached: instant-acme asks, and the one HTTP client of the program, given in, sends.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Response};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

use crate::model::retry::parse_retry_after;
use crate::platform::clock::SharedClock;

/// RFC 8555, 6.1: the name and version of the program.
const NAME: HeaderValue = HeaderValue::from_static(concat!("tallyhook/", env!("CARGO_PKG_VERSION")));

/// Makes one request, blocking; an error is a sentence. Given in, since only `delivery/` knows how to send.
pub type Exchange = Arc<dyn Fn(Request<Vec<u8>>) -> Result<Response<Vec<u8>>, String> + Send + Sync>;

/// What kept the authority from answering.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransportError {
    /// No answer came.
    #[error("{0}")]
    NoAnswer(String),
    /// Whatever answered does not speak ACME.
    #[error("{host} answered {status}, which is not what an ACME server answers")]
    NotAcme {
        /// Who.
        host: String,
        /// The HTTP status.
        status: u16,
    },
}

/// Sends for instant-acme, and remembers how long the authority asked to be left alone, which instant-acme does not tell.
#[derive(Clone)]
pub(super) struct Transport {
    exchange: Exchange,
    clock: SharedClock,
    asked: Arc<Mutex<Option<Duration>>>,
}

impl Transport {
    pub(super) fn new(exchange: Exchange, clock: SharedClock) -> Self {
        Self { exchange, clock, asked: Arc::default() }
    }

    /// The `Retry-After` of the last answer, when that was a refusal.
    pub(super) fn asked_to_wait(&self) -> Option<Duration> {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, TransportError> {
        let (mut head, body) = request.into_parts();
        head.headers.insert(USER_AGENT, NAME);
        let is_read = head.method == Method::GET;
        let host = head.uri.host().unwrap_or("the authority").to_owned();
        // A body in memory can't fail to be read.
        let body = body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default();
        let (exchange, request) = (Arc::clone(&self.exchange), Request::from_parts(head, body));
        let answer = tokio::task::spawn_blocking(move || exchange(request)).await;
        let answer = answer.unwrap_or_else(|_| Err("the request was broken off".to_owned()));
        let (parts, body) = answer.map_err(TransportError::NoAnswer)?.into_parts();
        let is_refusal = parts.status.is_client_error() || parts.status.is_server_error();
        let asked = parts.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let asked = asked.and_then(|value| parse_retry_after(value, self.clock.now())).filter(|_| is_refusal);
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        // instant-acme takes whatever a directory's address answers for a directory.
        let is_told = is_problem(&parts.headers) && !is_read;
        if (is_refusal && !is_told) || parts.status.is_redirection() {
            return Err(TransportError::NotAcme { host, status: parts.status.as_u16() });
        }
        Ok(BytesResponse { parts, body: Box::new(Bytes::from(body)) })
    }
}

impl HttpClient for Transport {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let transport = self.clone();
        Box::pin(async move { transport.send(request).await.map_err(|error| Error::Other(Box::new(error))) })
    }
}

/// RFC 8555, 6.7: errors are problem documents.
fn is_problem(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.starts_with("application/problem+json")
}
