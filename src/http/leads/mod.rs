//! `POST /api/leads` and `GET /lead.js`: what the owner's pages say of their visitors.
//!
//! Anyone can post. So it is only for pages of the configured origins (which a browser can't lie about), little at a time, a
//! small body, and behind everything that signed senders say. What is made of it is decided in `ledger::leads`.

mod limits;
mod post;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, ORIGIN, VARY,
};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::answer::{self, Answer};
use super::body::{BodyError, RequestBody};
use super::budget::Budget;
use super::door::{Door, NotReady};
use crate::config::{self, Config};
use crate::model::lead::LeadReceipt;
use crate::model::phone::Country;
use crate::platform::clock::SharedClock;
use limits::{Exceeded, Kind, Posted};
pub use limits::{LeadLimits, TurnedAway};
use post::{Absurd, Reading, Said};

/// The script as it is written; `__CONFIG__` stands for what is configured.
const SCRIPT: &str = include_str!("lead.js");
/// The largest body: everything a page knows, twice over.
const MAX_BODY: usize = 16 << 10;
/// For a body to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Bodies held at a time, so that they take none of the room of webhooks.
const MAX_BYTES_IN_FLIGHT: usize = 1 << 20;
/// After which time one who was refused may come again.
const COME_AGAIN: Duration = Duration::from_secs(60);

/// What is configured.
pub struct LeadSettings {
    leads: config::Leads,
    country: Option<Country>,
    /// Cookies of the configured streams of GA4.
    streams: Vec<String>,
    script: Bytes,
    etag: String,
}

impl From<&Config> for LeadSettings {
    fn from(config: &Config) -> Self {
        let streams = config.ga4_streams().map(|stream| format!("_ga_{stream}")).collect();
        Self::new(config.leads.clone(), config.identity.default_country, streams)
    }
}

impl LeadSettings {
    /// `streams` are the names of the cookies of GA4's configured streams.
    pub fn new(leads: config::Leads, country: Option<Country>, streams: Vec<String>) -> Self {
        let settings = json!({"wait": leads.wait_for_consent, "days": leads.cookie_days});
        // Browsers need neither comments nor indentation.
        let lines = SCRIPT.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
        let script = lines.collect::<Vec<_>>().join("\n").replace("__CONFIG__", &settings.to_string());
        let digest = Sha256::digest(script.as_bytes());
        let etag = digest.iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        Self { leads, country, streams, script: Bytes::from(script), etag: format!("\"{etag}\"") }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        let origin = origin.to_str().unwrap_or_default();
        self.leads.origins.iter().any(|known| known.eq_ignore_ascii_case(origin))
    }
}

/// The two pages with everything they need.
pub struct Leads {
    settings: RwLock<Arc<LeadSettings>>,
    clock: SharedClock,
    door: Arc<dyn Door>,
    budget: Budget,
    posted: Mutex<Posted>,
    limits: Arc<LeadLimits>,
}

impl Leads {
    /// With settings; `limits` is told of them and of what they turn away.
    pub fn new(settings: LeadSettings, clock: SharedClock, door: Arc<dyn Door>, limits: Arc<LeadLimits>) -> Self {
        limits.set_most_kept(settings.leads.max_kept);
        Self {
            settings: RwLock::new(Arc::new(settings)),
            clock,
            door,
            budget: Budget::new(MAX_BYTES_IN_FLIGHT),
            posted: Mutex::default(),
            limits,
        }
    }

    /// Puts other settings into force, after the configuration was read again.
    pub fn set(&self, settings: LeadSettings) {
        self.limits.set_most_kept(settings.leads.max_kept);
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    fn settings(&self) -> Arc<LeadSettings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers `/lead.js`.
    pub(super) fn script(&self, head: &Parts) -> Answer {
        let settings = self.settings();
        if settings.leads.origins.is_empty() {
            return answer::not_found();
        }
        if !matches!(head.method, Method::GET | Method::HEAD) {
            return answer::method_not_allowed("GET, HEAD");
        }
        let known = head.headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut tags = known.flat_map(|value| value.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
        let mut answer = if tags.any(|tag| tag == settings.etag || tag == "*") {
            let mut answer = Response::new(Full::new(Bytes::new()));
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            answer
        } else {
            Response::new(Full::new(settings.script.clone()))
        };
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));
        headers
            .insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("cross-origin"));
        if let Ok(etag) = HeaderValue::from_str(&settings.etag) {
            headers.insert(ETAG, etag);
        }
        answer
    }

    /// Answers `/api/leads`.
    pub(super) async fn post(&self, head: &Parts, body: &mut RequestBody, peer: IpAddr) -> Answer {
        let settings = self.settings();
        if settings.leads.origins.is_empty() {
            return answer::not_found();
        }
        let origin = head.headers.get(ORIGIN).filter(|origin| settings.allows(origin)).cloned();
        let mut answer = match (&head.method, &origin) {
            (&Method::OPTIONS | &Method::POST, None) => {
                answer::fixed(StatusCode::FORBIDDEN, r#"{"error":"origin_not_allowed"}"#)
            }
            (&Method::OPTIONS, Some(_)) => preflight(),
            (&Method::POST, Some(_)) => {
                let began = Instant::now();
                let outcome = match self.take(&settings, &head.headers, body, peer).await {
                    Ok(outcome) | Err(outcome) => outcome,
                };
                let answer = outcome.answer();
                let took_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                tracing::info!(status = outcome.name(), http = answer.status().as_u16(), took_us, "lead");
                answer
            }
            _ => answer::method_not_allowed("POST, OPTIONS"),
        };
        answer.headers_mut().insert(VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = origin {
            answer.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        answer
    }

    async fn take(
        &self,
        settings: &LeadSettings,
        headers: &HeaderMap,
        body: &mut RequestBody,
        peer: IpAddr,
    ) -> Result<Outcome, Outcome> {
        let now = self.clock.now();
        let address = visitor(settings.leads.address_header.as_deref(), headers, peer);
        let posted = || self.posted.lock().unwrap_or_else(PoisonError::into_inner);
        let too_many = |exceeded| match exceeded {
            Exceeded::Address(free_at) => Outcome::TooMany("rate_limited", free_at.since(now)),
            Exceeded::Day => Outcome::TooMany("daily_limit", COME_AGAIN),
        };
        posted().come(address, settings.leads.rate_limit, now).map_err(too_many)?;
        self.door.try_ready()?;
        let (bytes, _reservation) = body.read(MAX_BODY, BODY_TIMEOUT, &self.budget).await?;
        let fresh_id = fresh_id().map_err(|_| Outcome::Unavailable("no_randomness"))?;
        let reading =
            Reading { country: settings.country, streams: &settings.streams, at: now, fresh_id: fresh_id.clone() };
        let (post, left_out) = match post::read(&bytes, reading)? {
            Said::Lead(post, left_out) => (post, left_out),
            // A machine that learns that it was found out tries something else.
            Said::Trapped => return Ok(Outcome::Taken { lead_id: fresh_id, how: "trapped", left_out: Vec::new() }),
        };
        let (kind, most) = match post.is_form() {
            true => (Kind::Form, settings.leads.max_forms_per_day),
            false => (Kind::Visit, settings.leads.max_per_day),
        };
        posted().count(address, kind, most, now).map_err(|exceeded| {
            self.limits.turn_away(kind, now);
            too_many(exceeded)
        })?;
        let lead_id = post.lead_id.clone();
        let (lead_id, how) = match self.door.take_lead(*post).await? {
            LeadReceipt::Stored => (lead_id, "stored"),
            LeadReceipt::StoredApart(lead_id) => (lead_id, "stored"),
            LeadReceipt::Known => (lead_id, "known"),
            LeadReceipt::Full => {
                self.limits.turn_away(kind, now);
                return Err(Outcome::TooMany("quota", COME_AGAIN));
            }
        };
        Ok(Outcome::Taken { lead_id, how, left_out })
    }
}

/// An id that nobody can guess.
fn fresh_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().fold("th_".to_owned(), |text, byte| format!("{text}{byte:02x}")))
}

/// The visitor's address. Of a proxy's header the last one counts, which the proxy itself wrote.
fn visitor(header: Option<&str>, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
    let told = header.and_then(|name| headers.get_all(name).iter().next_back());
    let last = told.and_then(|value| value.to_str().ok()).and_then(|value| value.rsplit(',').next());
    last.and_then(|address| address.trim().parse().ok()).unwrap_or(peer)
}

fn preflight() -> Answer {
    let mut answer = Response::new(Full::new(Bytes::new()));
    *answer.status_mut() = StatusCode::NO_CONTENT;
    let headers = answer.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("7200"));
    answer
}

/// What became of a post.
enum Outcome {
    Taken { lead_id: String, how: &'static str, left_out: Vec<&'static str> },
    Absurd(Absurd),
    TooMany(&'static str, Duration),
    Unavailable(&'static str),
    Body(BodyError),
}

impl From<Absurd> for Outcome {
    fn from(absurd: Absurd) -> Self {
        Self::Absurd(absurd)
    }
}

impl From<NotReady> for Outcome {
    fn from(NotReady { reason }: NotReady) -> Self {
        Self::Unavailable(reason)
    }
}

impl From<BodyError> for Outcome {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl Outcome {
    /// The one word for logs. A lead id is as good as a name to who has the books, so that it stays out of them.
    const fn name(&self) -> &'static str {
        match self {
            Self::Taken { how, .. } => how,
            Self::Absurd(_) => "invalid_payload",
            Self::TooMany(why, _) => why,
            Self::Unavailable(_) | Self::Body(BodyError::Overloaded) => "unavailable",
            Self::Body(BodyError::TooLarge) => "body_too_large",
            Self::Body(BodyError::TooSlow) => "timeout",
            Self::Body(BodyError::Broken) => "incomplete_body",
        }
    }

    /// The one place that turns outcomes into HTTP.
    fn answer(&self) -> Answer {
        let error = self.name();
        let (status, wait) = match self {
            Self::Taken { lead_id, left_out, .. } => {
                let mut said = json!({"lead_id": lead_id});
                if !left_out.is_empty() {
                    said["left_out"] = json!(left_out);
                }
                return answer::json(StatusCode::ACCEPTED, &said);
            }
            Self::Absurd(Absurd(field)) => {
                return answer::json(StatusCode::BAD_REQUEST, &json!({"error": error, "field": field}));
            }
            Self::TooMany(_, wait) => (StatusCode::TOO_MANY_REQUESTS, Some(*wait)),
            Self::Unavailable(_) | Self::Body(BodyError::Overloaded) => {
                (StatusCode::SERVICE_UNAVAILABLE, Some(COME_AGAIN))
            }
            Self::Body(BodyError::TooLarge) => (StatusCode::PAYLOAD_TOO_LARGE, None),
            Self::Body(BodyError::TooSlow) => (StatusCode::REQUEST_TIMEOUT, None),
            Self::Body(BodyError::Broken) => (StatusCode::BAD_REQUEST, None),
        };
        let reason = match self {
            Self::Unavailable(reason) => Some(*reason),
            _ => None,
        };
        let mut answer = answer::json(status, &json!({"error": error, "reason": reason}));
        if let Some(wait) = wait {
            answer::set_retry_after(&mut answer, wait);
        }
        answer
    }
}
