//! Answers: small JSON bodies with a status.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde::Serialize;

/// A complete answer.
pub type Answer = Response<Full<Bytes>>;

/// An answer with a JSON body.
pub fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    // Serialising to memory fails only for maps with odd keys, which no answer has; an empty body would be the worst of it.
    raw(status, Bytes::from(serde_json::to_vec(body).unwrap_or_default()))
}

/// An answer with a JSON body that is already written.
pub fn fixed(status: StatusCode, body: &'static str) -> Answer {
    raw(status, Bytes::from_static(body.as_bytes()))
}

/// An answer whose body is JSON made elsewhere.
pub fn json_bytes(status: StatusCode, body: Vec<u8>) -> Answer {
    raw(status, Bytes::from(body))
}

/// 200 with a text of another type than JSON, which the sender acts on.
pub fn text(content_type: &'static str, body: &'static str) -> Answer {
    let mut answer = fixed(StatusCode::OK, body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// 404 for a path that leads nowhere.
pub fn not_found() -> Answer {
    fixed(StatusCode::NOT_FOUND, r#"{"error":"not_found"}"#)
}

/// 405 naming the methods that would do.
pub fn method_not_allowed(allowed: &'static str) -> Answer {
    let mut answer = fixed(StatusCode::METHOD_NOT_ALLOWED, r#"{"error":"method_not_allowed"}"#);
    answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// Asks to come again after whole seconds, one at least.
pub fn set_retry_after(answer: &mut Answer, after: std::time::Duration) {
    let seconds = after.as_secs().max(1);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
}

fn raw(status: StatusCode, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
