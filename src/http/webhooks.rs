//! `POST /api/webhooks/{source}`, with `/{token}` where a source has tokens: from a request to an answer that can be relied on.
//!
//! The order of the checks is part of the interface: path, method, readiness, size, body, signature, meaning, and last the
//! writer. Nothing of a body is looked at before its signature was.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use hyper::header::{HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde::Serialize;

use super::answer::{self, Answer};
use super::body::{BodyError, RequestBody};
use super::budget::Budget;
use super::door::{Door, NotReady};
use super::rejected::{Rejected, RejectedLog};
use super::source_table::{SourceEntry, SourceTable};
use super::verified::{self, Intakes};
use crate::config;
use crate::ledger::intake::Receipt;
use crate::model::envelope::Envelope;
use crate::model::refused::Refused;
use crate::model::secret::Secret;
use crate::model::time::Timestamp;
use crate::platform::clock::SharedClock;
use crate::sources::{self, Handshake, Headers, InvalidPayload, Refusal, Request, Source};

/// The longest name of an event that an address may give, in bytes.
const LONGEST_EVENT: usize = 200;

/// How much of a request is taken, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Largest body, in bytes.
    pub max_body: usize,
    /// For a body to come.
    pub body_timeout: Duration,
    /// Bodies held at a time over all connections, in bytes.
    pub max_bytes_in_flight: usize,
}

impl From<&config::Server> for BodyLimits {
    fn from(server: &config::Server) -> Self {
        Self {
            max_body: server.max_body,
            body_timeout: server.body_timeout,
            max_bytes_in_flight: server.max_bytes_in_flight,
        }
    }
}

/// The endpoint with everything it needs.
pub struct Webhooks {
    sources: RwLock<Arc<SourceTable>>,
    clock: SharedClock,
    door: Arc<dyn Door>,
    rejected: Arc<RejectedLog>,
    pack: fn(&[u8]) -> Vec<u8>,
    limits: BodyLimits,
    budget: Budget,
}

impl Webhooks {
    /// `pack` makes of a raw body what the store keeps.
    pub fn new(
        sources: SourceTable,
        clock: SharedClock,
        door: Arc<dyn Door>,
        rejected: Arc<RejectedLog>,
        pack: fn(&[u8]) -> Vec<u8>,
        limits: BodyLimits,
    ) -> Self {
        Self {
            sources: RwLock::new(Arc::new(sources)),
            clock,
            door,
            rejected,
            pack,
            limits,
            budget: Budget::new(limits.max_bytes_in_flight),
        }
    }

    /// Puts other sources into force, after the configuration was read again. Requests under way finish with the old ones.
    pub fn set_sources(&self, sources: SourceTable) {
        *self.sources.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(sources);
    }

    /// Answers a request; `route` is what follows `/api/webhooks/` in its path.
    pub(super) async fn answer(&self, route: &str, head: &Parts, body: &mut RequestBody, peer: IpAddr) -> Answer {
        let (name, token) = route.split_once('/').map_or((route, None), |(name, token)| (name, Some(token)));
        let found = self.sources.read().unwrap_or_else(PoisonError::into_inner).find(name);
        // Who guesses learns nothing: a wrong token is answered as an unknown source is.
        let unknown = || answer::fixed(StatusCode::NOT_FOUND, r#"{"error":"unknown_source"}"#);
        let Some(entry) = found else { return unknown() };
        if token.is_some_and(|token| !entry.source.admits(token)) {
            self.rejected.record(&entry.name, peer, Refusal::WrongToken.name(), self.clock.now(), || {
                "What follows the source's name in the address is no token of this source. It was answered 404."
                    .to_owned()
            });
            return unknown();
        }
        if head.method != Method::POST {
            return answer::method_not_allowed("POST");
        }
        let began = Instant::now();
        let query = head.uri.query();
        let event = query.and_then(event_of);
        let rest = match (token, query) {
            (None, None) => Cow::Borrowed(""),
            // As it came: a sender that signs its address signs these bytes.
            _ => Cow::Owned(
                [
                    if token.is_some() { "/" } else { "" },
                    token.unwrap_or_default(),
                    if query.is_some() { "?" } else { "" },
                    query.unwrap_or_default(),
                ]
                .concat(),
            ),
        };
        let address = Address { rest: &rest, query, token, event: event.as_deref() };
        let outcome = match self.take(&entry, address, &head.headers, body, peer).await {
            Ok(taken) => taken,
            Err(failure) => Outcome::from(failure),
        };
        let answer = outcome.answer(&entry, self.limits.max_body);
        outcome.log(&entry.name, answer.status(), began.elapsed());
        answer
    }

    async fn take(
        &self,
        entry: &SourceEntry,
        address: Address<'_>,
        headers: &HeaderMap,
        body: &mut RequestBody,
        peer: IpAddr,
    ) -> Result<Outcome, Failure> {
        self.door.try_ready()?;
        let (bytes, _reservation) = body.read(self.limits.max_body, self.limits.body_timeout, &self.budget).await?;
        let received_at = self.clock.now();
        let examined = self.examine(entry, &address.request(entry, &HeaderFields(headers), &bytes, received_at), peer);
        let intakes = match examined {
            Ok(Examined::Genuine(intakes)) => intakes,
            Ok(Examined::Handshake(handshake)) => return Ok(Outcome::Handshake(handshake)),
            Err(refused) => {
                let (outcome, row) = *refused;
                if entry.rules.always_200 {
                    let envelope = {
                        let fields = HeaderFields(headers);
                        let request = address.request(entry, &fields, &bytes, received_at);
                        verified::refused_envelope(&*entry.source, &request)
                    };
                    let query = address.query.map(|query| kept_query(&*entry.source, query));
                    self.keep(envelope, query, &bytes, row).await?;
                }
                return Ok(outcome);
            }
        };
        // Gives hyper its buffer back while the writer works.
        drop(bytes);
        match intakes {
            Intakes::One(intake) => {
                let event_type = intake.interpreted.as_ref().map(|interpreted| interpreted.event_type.clone());
                let event_id = intake.provider_id.clone();
                let receipt = self.door.ingest(intake).await?;
                Ok(Outcome::Received { receipt, event_id, event_type })
            }
            Intakes::Several(intakes) => {
                let ids: Vec<String> = intakes.iter().map(|intake| intake.provider_id.clone()).collect();
                let receipts = self.door.ingest_all(intakes).await?;
                Ok(Outcome::ReceivedAll(ids.into_iter().zip(receipts).collect()))
            }
        }
    }

    /// Verifies and interprets; what is refused goes to the list of rejected requests.
    fn examine(
        &self,
        entry: &SourceEntry,
        request: &Request<'_>,
        peer: IpAddr,
    ) -> Result<Examined, Box<(Outcome, Rejected)>> {
        let source = &*entry.source;
        if let Some(handshake) = source.handshake(request) {
            return Ok(Examined::Handshake(handshake));
        }
        let received_at = request.received_at;
        if let Err(refusal) = source.verify(request) {
            let explain = || source.explain(request, refusal);
            let row = self.rejected.record(&entry.name, peer, refusal.name(), received_at, explain);
            return Err(Box::new((Outcome::Refused(refusal), row)));
        }
        let envelope = verified::envelope(source, request);
        let intakes = verified::intakes(&entry.name, source, envelope, request.body, received_at, self.pack);
        intakes.map(Examined::Genuine).map_err(|InvalidPayload(message)| {
            let row = self.rejected.record(&entry.name, peer, "invalid_payload", received_at, || message.clone());
            Box::new((Outcome::Invalid { message }, row))
        })
    }

    /// Keeps a refused request of a sender that is answered 200 and so does not come again: nobody is told so before it is on
    /// disk.
    async fn keep(
        &self,
        envelope: Envelope,
        query: Option<Secret>,
        body: &[u8],
        row: Rejected,
    ) -> Result<(), NotReady> {
        let refused = Refused {
            id: row.id,
            source: row.source,
            received_at: row.time,
            address: row.address.to_string(),
            reason: row.reason,
            verdict: row.verdict,
            envelope,
            query,
            body_bytes: u32::try_from(body.len()).unwrap_or(u32::MAX),
        };
        self.door.keep_refused(refused, (self.pack)(body)).await
    }
}

/// What the path and the query of a request say.
#[derive(Clone, Copy)]
struct Address<'a> {
    /// Behind the source's name, as received.
    rest: &'a str,
    query: Option<&'a str>,
    token: Option<&'a str>,
    event: Option<&'a str>,
}

impl<'a> Address<'a> {
    fn request(
        self,
        entry: &'a SourceEntry,
        headers: &'a HeaderFields<'a>,
        body: &'a [u8],
        received_at: Timestamp,
    ) -> Request<'a> {
        let Self { rest, token, event, .. } = self;
        Request { endpoint: entry.endpoint.as_deref(), rest, token, event, ..Request::post(headers, body, received_at) }
    }
}

/// The event that a query names, `event=…`: the first one, unescaped. Longer than any name is none.
fn event_of(query: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("event="))?;
    let event = sources::unescaped(value)?;
    (!event.is_empty() && event.len() <= LONGEST_EVENT && !event.chars().any(char::is_control)).then_some(event)
}

/// A query as it is kept: as received, so that a signature over it can be verified later, but for values that are tokens.
fn kept_query(source: &dyn Source, query: &str) -> Secret {
    let masked = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if sources::unescaped(value).is_some_and(|value| source.admits(&value)) => {
            format!("{name}=token")
        }
        _ => pair.to_owned(),
    };
    Secret::new(query.split('&').map(masked).collect::<Vec<_>>().join("&"))
}

/// A request that may be answered with 200.
#[allow(clippy::large_enum_variant)] // Handshakes are rare; a box would cost every webhook an allocation.
enum Examined {
    Genuine(Intakes),
    Handshake(Handshake),
}

/// Why nothing can be said about the webhook itself.
enum Failure {
    Body(BodyError),
    NotReady(NotReady),
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<NotReady> for Failure {
    fn from(error: NotReady) -> Self {
        Self::NotReady(error)
    }
}

/// What became of a request.
enum Outcome {
    Received { receipt: Receipt, event_id: String, event_type: Option<String> },
    ReceivedAll(Vec<(String, Receipt)>),
    Handshake(Handshake),
    Refused(Refusal),
    Invalid { message: String },
    TooLarge,
    TooSlow,
    Broken,
    Unavailable { reason: &'static str },
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Body(BodyError::TooLarge) => Self::TooLarge,
            Failure::Body(BodyError::TooSlow) => Self::TooSlow,
            Failure::Body(BodyError::Broken) => Self::Broken,
            Failure::Body(BodyError::Overloaded) => Self::Unavailable { reason: "overloaded" },
            Failure::NotReady(NotReady { reason }) => Self::Unavailable { reason },
        }
    }
}

impl Outcome {
    /// The one word for answers and logs.
    fn name(&self) -> &'static str {
        match self {
            Self::Received { receipt, .. } => name_of(*receipt),
            Self::ReceivedAll(received) => received.first().map_or("empty", |(_, receipt)| name_of(*receipt)),
            Self::Handshake(_) => "handshake",
            Self::Refused(Refusal::NotOurs) => "not_ours",
            Self::Refused(_) => "invalid_signature",
            Self::Invalid { .. } => "invalid_payload",
            Self::TooLarge => "body_too_large",
            Self::TooSlow => "timeout",
            Self::Broken => "incomplete_body",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// The one place that turns outcomes into HTTP.
    fn answer(&self, entry: &SourceEntry, max_body: usize) -> Answer {
        if let Self::Received { .. } | Self::ReceivedAll(_) = self
            && let Some((content_type, text)) = entry.source.acknowledgement()
        {
            return answer::text(content_type, text);
        }
        let error = Refusing { received: None, error: self.name(), reason: None, message: None, limit: None };
        match self {
            Self::Received { event_id, .. } => {
                answer::json(StatusCode::OK, &Accepting { received: true, status: self.name(), event_id })
            }
            Self::ReceivedAll(received) => {
                let events = received.iter().map(|(event_id, receipt)| Part { event_id, status: name_of(*receipt) });
                let first = received.first().map(|(event_id, _)| event_id.as_str());
                // Of a request without any event nothing is stored.
                let (received, status) = (!received.is_empty(), self.name());
                answer::json(
                    StatusCode::OK,
                    &AcceptingAll { received, status, event_id: first, events: events.collect() },
                )
            }
            Self::Handshake(handshake) => answer::json_bytes(StatusCode::OK, handshake.answer.clone()),
            Self::Refused(Refusal::NotOurs) => refuse_as(StatusCode::FORBIDDEN, entry, error),
            Self::Refused(refusal) => refuse(entry, Refusing { reason: Some(refusal.name()), ..error }),
            Self::Invalid { message } => refuse(entry, Refusing { message: Some(message), ..error }),
            Self::TooLarge => answer::json(StatusCode::PAYLOAD_TOO_LARGE, &Refusing { limit: Some(max_body), ..error }),
            Self::TooSlow => answer::json(StatusCode::REQUEST_TIMEOUT, &error),
            Self::Broken => answer::json(StatusCode::BAD_REQUEST, &error),
            Self::Unavailable { reason } => {
                let retry = entry.source.unavailable();
                let status = StatusCode::from_u16(retry.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                let mut answer = answer::json(status, &Refusing { reason: Some(reason), ..error });
                answer::set_retry_after(&mut answer, retry.retry_after);
                answer
            }
        }
    }

    /// One line a webhook: ids only.
    fn log(&self, source: &str, http: StatusCode, took: Duration) {
        let (status, http) = (self.name(), http.as_u16());
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match self {
            Self::Received { event_id, event_type, .. } => {
                let event_type = event_type.as_deref().unwrap_or("unknown");
                tracing::info!(
                    source,
                    status,
                    http,
                    event = loggable(event_id),
                    r#type = event_type,
                    took_us,
                    "webhook"
                );
            }
            Self::ReceivedAll(received) => {
                for (event_id, receipt) in received {
                    let status = name_of(*receipt);
                    tracing::info!(source, status, http, event = loggable(event_id), took_us, "webhook");
                }
            }
            Self::Refused(refusal) => {
                tracing::info!(source, status, http, reason = refusal.name(), took_us, "webhook");
            }
            Self::Unavailable { reason } => tracing::info!(source, status, http, reason, took_us, "webhook"),
            _ => tracing::info!(source, status, http, took_us, "webhook"),
        }
    }
}

/// What became of one webhook, in a word.
fn name_of(receipt: Receipt) -> &'static str {
    match receipt {
        Receipt::Stored(_, status) => status.name(),
        Receipt::Duplicate(_) => "duplicate",
    }
}

/// 400, or 200 for a sender that would disable the endpoint.
fn refuse(entry: &SourceEntry, body: Refusing<'_>) -> Answer {
    refuse_as(StatusCode::BAD_REQUEST, entry, body)
}

fn refuse_as(status: StatusCode, entry: &SourceEntry, body: Refusing<'_>) -> Answer {
    if entry.rules.always_200 {
        return answer::json(StatusCode::OK, &Refusing { received: Some(false), ..body });
    }
    answer::json(status, &body)
}

#[derive(Serialize)]
struct Accepting<'a> {
    received: bool,
    status: &'static str,
    event_id: &'a str,
}

/// The answer to several events in one request: the first, as if it were alone, and each.
#[derive(Serialize)]
struct AcceptingAll<'a> {
    received: bool,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    events: Vec<Part<'a>>,
}

#[derive(Serialize)]
struct Part<'a> {
    event_id: &'a str,
    status: &'static str,
}

#[derive(Serialize)]
struct Refusing<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    received: Option<bool>,
    error: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
}

/// hyper's header map as sources see it.
struct HeaderFields<'a>(&'a HeaderMap);

impl Headers for HeaderFields<'_> {
    fn values(&self, name: &str) -> Vec<&[u8]> {
        self.0.get_all(name).iter().map(HeaderValue::as_bytes).collect()
    }
}

/// An event's id as logs show it: some senders' ids are addresses or phone numbers.
fn loggable(event_id: &str) -> &str {
    if event_id.contains('@') || event_id.starts_with('+') { "(personal)" } else { event_id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_fields_are_found_without_regard_to_case() {
        let mut map = HeaderMap::new();
        map.append("stripe-signature", HeaderValue::from_static("a"));
        map.append("stripe-signature", HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(HeaderFields(&map).values("Stripe-Signature"), [&b"a"[..], b"\xff"]);
        assert!(HeaderFields(&map).values("not a name").is_empty());
    }
}
