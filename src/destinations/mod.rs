//! PURE. Where business events go: what to ask of a destination, and what its answers mean.
//!
//! One file a destination. Adding one is a file here and a line in [`build`].

use std::fmt;
use std::time::Duration;

use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::{AmbiguousPolicy, ContactSync, Delivery, Frozen, Outcome, Rule};
use crate::model::rate::RateLimit;
use crate::model::secret::Secret;
use crate::model::time::Timestamp;

pub mod consent;
pub mod crm;
pub mod fields;
pub mod filter;
pub mod ga4;
pub mod gohighlevel;
pub mod hubspot;
pub mod mailerlite;
pub mod personal;
pub mod redact;
pub mod rest;
#[cfg(test)]
mod samples;
pub mod status;
pub mod webhook;

/// How a destination wants to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Each business event by itself, in no promised order.
    Event,
    /// Kept in step with each person: one request in flight a contact, rendered from the state of that moment.
    Contact,
}

/// A request's method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or upserts.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Takes away.
    Delete,
}

impl Method {
    /// The method as it stands in a request line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// One request to a destination. Its `Debug` and [`HttpRequest::shown`] carry neither secrets nor personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// Scheme, authority, path and the part of the query that may be shown.
    pub url: String,
    /// What follows `url` and may not be shown (the path and query of a hook's address, which often are its password).
    pub secret_path: Option<Secret>,
    /// A last query parameter that may not be shown (GA4's `api_secret`).
    pub secret_query: Option<(&'static str, Secret)>,
    /// Header fields that may be shown.
    pub headers: Vec<(&'static str, String)>,
    /// A header field that may not be shown (`authorization`), value and all.
    pub secret_header: Option<(&'static str, Secret)>,
    /// The body, JSON; empty for none.
    pub body: Vec<u8>,
    /// Whether the destination recognises a repeat of it, or it changes nothing: then a time-out is an ordinary failure.
    pub repeatable: bool,
}

impl HttpRequest {
    /// The whole address, secrets and all.
    pub fn address(&self) -> Secret {
        let path = self.secret_path.as_ref().map_or("", Secret::expose);
        match &self.secret_query {
            None => Secret::new(format!("{}{path}", self.url)),
            Some((name, value)) => {
                let joint = if self.url.contains('?') || path.contains('?') { '&' } else { '?' };
                Secret::new(format!("{}{path}{joint}{name}={}", self.url, url_encode(value.expose())))
            }
        }
    }

    /// The request for people: method, address and body, secrets left out and personal data masked.
    pub fn shown(&self) -> String {
        let secret = self
            .secret_query
            .as_ref()
            .map_or(String::new(), |(name, _)| format!("{}{name}=…", if self.url.contains('?') { '&' } else { '?' }));
        let path = if self.secret_path.is_some() { "/…" } else { "" };
        let body = redact::json(&self.body);
        format!(
            "{} {}{path}{secret}{}{body}",
            self.method.name(),
            redact::url(&self.url),
            if body.is_empty() { "" } else { " " }
        )
    }
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

/// An answer, its body cut at what the client is willing to read. Its `Debug` tells only the body's size: answers repeat
/// personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`, already read and capped; rubbish is none.
    pub retry_after: Option<Duration>,
    /// The body, at most 1 MiB.
    pub body: Vec<u8>,
    /// Those of [`KEPT_HEADERS`] that came, in lower case.
    pub headers: Vec<(&'static str, String)>,
}

/// Header fields of an answer that some destination reads: how much of a limit is left, and its clock.
pub const KEPT_HEADERS: [&str; 9] = [
    "date",
    "x-hubspot-ratelimit-daily-remaining",
    "x-hubspot-ratelimit-interval-milliseconds",
    "x-ratelimit-daily-remaining",
    "x-ratelimit-daily-reset",
    "x-ratelimit-interval-milliseconds",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-ratelimit-retry-after",
];

impl HttpResponse {
    /// A kept header field, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(kept, _)| *kept == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse")
            .field("status", &self.status)
            .field("retry_after", &self.retry_after)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// Nothing was sent: name not found, connection refused, TLS handshake broken off, connect time-out.
    NotSent(String),
    /// The request may have arrived: time-out, reset or garbage after its body was written.
    Unknown(String),
    /// It can't work as configured: an untrusted certificate, a forbidden address, a malformed URL.
    Broken(String),
}

/// What came of a request.
pub type Reply = Result<HttpResponse, NoAnswer>;

/// A request that was made, with what came of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// What was asked.
    pub request: HttpRequest,
    /// What came back.
    pub reply: Reply,
}

/// What is to be delivered.
pub struct Job<'a> {
    /// The same for every attempt of one delivery's generation; sent as `Idempotency-Key` where that helps.
    pub key: &'a str,
    /// What happened; for a contact destination every pending business event, oldest first. Never empty.
    pub events: &'a [BusinessEvent],
    /// The delivery's frozen values; none for a contact destination.
    pub delivery: Option<&'a Delivery>,
    /// The person as of now.
    pub contact: Option<&'a Contact>,
    /// What is known of the person at this destination; none for an event destination.
    pub sync: Option<&'a ContactSync>,
    /// The moment of this attempt.
    pub now: Timestamp,
}

/// What to do next for a job.
#[derive(Clone, Debug)]
pub enum Step {
    /// Make this request, then ask again.
    Send(HttpRequest),
    /// The attempt is over.
    Done(Finished),
}

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// What it means.
    pub outcome: Outcome,
    /// The id that the destination gave the person, once known.
    pub remote_id: Option<String>,
    /// The id under which the person was made known, once used.
    pub external_id: Option<String>,
    /// Ids of further records that the destination proved to have of the same person. They are left alone, and reported once.
    pub left_over: Vec<String>,
    /// Remarks for `deliveries show`: what was cut, what the destination does not confirm. No personal data.
    pub notes: Vec<String>,
}

impl Finished {
    /// An end without further news.
    pub const fn new(outcome: Outcome) -> Self {
        Self { outcome, remote_id: None, external_id: None, left_over: Vec::new(), notes: Vec::new() }
    }
}

/// Whether a business event is for a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Send it.
    Send,
    /// Don't, by this rule.
    Suppress(Rule),
    /// Not yet: something it needs (an e-mail address) may still come; no later than so long after it happened.
    Wait {
        /// How long at most.
        at_most: Duration,
        /// The rule by which it is suppressed then.
        then: Rule,
    },
}

/// A destination's kind with its credentials and rules.
pub trait Destination: Send + Sync {
    /// The kind's name in the configuration, `ga4`.
    fn kind(&self) -> &'static str;

    /// How it wants to be told.
    fn style(&self) -> Style;

    /// The kinds of business events it gets unless the configuration says otherwise.
    fn default_events(&self) -> &'static [EventKind];

    /// The consent that it asks for before it is told of an event of a kind, unless the configuration says otherwise.
    fn needs_consent(&self, _kind: &EventKind) -> consent::Needs {
        consent::Needs::default()
    }

    /// Whether this business event is sent, as far as the destination's own rules say (what it can't do without). Environment,
    /// filters and consent are the caller's.
    fn admit(&self, event: &BusinessEvent, contact: Option<&Contact>) -> Admission;

    /// Whether everything that makes the sale worth sending at once is known (GA4: the browser's client id); else it waits
    /// until the sale settles.
    fn is_ready(&self, event: &BusinessEvent, contact: Option<&Contact>) -> bool;

    /// The moment after which it no longer takes what happened then; most take anything, however old.
    fn deadline(&self, _occurred_at: Timestamp) -> Option<Timestamp> {
        None
    }

    /// Fixes what every attempt is rendered from; only event destinations need it.
    fn freeze(&self, _event: &BusinessEvent, _contact: Option<&Contact>) -> Option<Frozen> {
        None
    }

    /// What to do about an ambiguous outcome of a kind, unless the configuration says otherwise.
    fn ambiguous(&self, kind: &EventKind) -> AmbiguousPolicy;

    /// The next request, or the end. Called with the exchanges of this attempt so far; the same arguments give the same step.
    fn step(&self, job: &Job<'_>, exchanges: &[Exchange]) -> Step;

    /// A request that only reads, to see whether the destination works and the key is right; none when it has none (GA4).
    fn probe(&self) -> Option<HttpRequest>;

    /// The request by which a person tests the destination, which changes nothing there: the probe, unless there is more to see.
    fn test(&self) -> Option<HttpRequest> {
        self.probe()
    }

    /// What the answer to [`Destination::test`] means.
    fn judge_test(&self, exchange: &Exchange) -> Outcome {
        status::outcome(exchange)
    }

    /// The next request of a test after these exchanges; none when there is nothing more to see. One request does for most.
    fn next_test(&self, exchanges: &[Exchange]) -> Option<HttpRequest> {
        if exchanges.is_empty() { self.test() } else { None }
    }

    /// What the answers to a whole test mean; there is at least one.
    fn judge_tests(&self, exchanges: &[Exchange]) -> Outcome {
        exchanges.last().map_or(Outcome::Delivered, |exchange| self.judge_test(exchange))
    }

    /// What is known once the test went well, as a clause.
    fn test_proves(&self) -> String {
        "it answers and takes the key".to_owned()
    }

    /// Limits that suit the destination unless the configuration says otherwise.
    fn default_rate_limit(&self) -> Option<RateLimit>;
}

/// A destination's kind with its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settings {
    /// `kind = "ga4"`.
    Ga4(ga4::Settings),
    /// `kind = "rest"`: the owner's own CRM contract.
    Rest(rest::Settings),
    /// `kind = "hubspot"`.
    HubSpot(hubspot::Settings),
    /// `kind = "gohighlevel"`.
    GoHighLevel(gohighlevel::Settings),
    /// `kind = "mailerlite"`.
    MailerLite(mailerlite::Settings),
    /// `kind = "webhook"`: business events as signed JSON.
    Webhook(webhook::Settings),
}

/// Builds the destination that settings describe.
pub fn build(settings: &Settings) -> Box<dyn Destination> {
    match settings {
        Settings::Ga4(settings) => Box::new(ga4::Ga4::new(settings.clone())),
        Settings::Rest(settings) => Box::new(rest::Rest::new(settings.clone())),
        Settings::HubSpot(settings) => Box::new(hubspot::HubSpot::new(settings.clone())),
        Settings::GoHighLevel(settings) => Box::new(gohighlevel::GoHighLevel::new(settings.clone())),
        Settings::MailerLite(settings) => Box::new(mailerlite::MailerLite::new(settings.clone())),
        Settings::Webhook(settings) => Box::new(webhook::Webhook::new(settings.clone())),
    }
}

/// Percent-encodes a query value or path segment: everything but unreserved characters (RFC 3986, 2.3).
pub fn url_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
