//! Google Analytics 4, through the Measurement Protocol.
//!
//! GA4 answers 204 to anything and never says whether it recorded an event, so a strict check of our own stands in front of
//! it ([`validate`]).

use super::consent::{Need, Needs};
use super::fields::Field;
use super::{Admission, Destination, Exchange, Finished, HttpRequest, Job, Method, Step, Style, status, url_encode};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::{AmbiguousPolicy, FailureClass, Frozen, Outcome, Rule};
use crate::model::rate::RateLimit;
use crate::model::secret::Secret;
use crate::model::time::Timestamp;
use violation::Violation;

pub mod client_id;
mod debug;
#[cfg(test)]
mod debug_tests;
#[cfg(test)]
mod golden_tests;
mod items;
pub mod names;
mod parameters;
mod person;
#[cfg(test)]
mod privacy_tests;
mod request;
mod session;
#[cfg(test)]
mod tests;
mod user_data;
pub mod validate;
pub mod violation;

pub use request::event_name;

/// What a 2xx of GA4 means, for people.
pub const ACCEPTED: &str = "accepted (GA4 does not confirm)";

/// The business events that it gets unless the configuration says otherwise.
pub const EVENTS: &[EventKind] = &[
    EventKind::Purchase,
    EventKind::Renewal,
    EventKind::Refund,
    EventKind::DisputeLost,
    EventKind::Lead,
    EventKind::BookingMade,
    EventKind::BookingAttended,
    EventKind::PaymentFailed,
];

/// What GA4 needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `G-XXXX`.
    pub measurement_id: String,
    /// The stream's Measurement Protocol secret.
    pub api_secret: Secret,
    /// Scheme and authority, `https://www.google-analytics.com`.
    pub endpoint: String,
    /// What to do without the browser's client id.
    pub client_id_fallback: ClientIdFallback,
    /// The item that is sent when the events tell of none.
    pub default_item: DefaultItem,
    /// Names of GA4 events for kinds whose default name is not wanted.
    pub event_names: Vec<(EventKind, String)>,
    /// Parameters of the user's own: GA4's name, and what it tells. None is personal.
    pub params: Vec<(String, &'static Field)>,
    /// Whether the merchant's user id goes as `user_id`.
    pub user_id: bool,
    /// Whether hashes of the person's address and number go as `user_data`, where the person agreed to advertising.
    pub user_data: bool,
    /// Whether events show in GA4's DebugView.
    pub debug_mode: bool,
}

/// What to do without the browser's client id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientIdFallback {
    /// A stable id of the same form, marked `synthetic`.
    Derived,
    /// Suppress and count.
    Skip,
}

/// The item that is sent when the events tell of none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultItem {
    /// `item_id`.
    pub id: String,
    /// `item_name`.
    pub name: String,
    /// `item_category`.
    pub category: String,
}

/// Google Analytics 4, through the Measurement Protocol.
pub struct Ga4 {
    settings: Settings,
}

impl Ga4 {
    /// From settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// The request for a job with the remarks on it, or the end where none can be made.
    fn request(&self, job: &Job<'_>) -> Result<(HttpRequest, Vec<String>), Outcome> {
        let invalid = |explanation: String| Outcome::Permanent { class: FailureClass::Invalid, explanation };
        let refused = |name: &str, broken: Vec<Violation>| {
            let rules: Vec<String> = broken.iter().map(Violation::to_string).collect();
            invalid(format!(
                "not sent, because GA4 would drop the event {name:?} or may not have it: {}",
                rules.join("; ")
            ))
        };
        let Some(event) = job.events.first() else {
            return Err(invalid("the delivery has no business event".to_owned()));
        };
        // A rehearsal has no delivery yet: it shows what would be frozen.
        let frozen = match job.delivery.and_then(|delivery| delivery.frozen.clone()) {
            Some(frozen) => frozen,
            None => self.frozen(event, job.contact),
        };
        let Some(client_id) = frozen.client_id.as_deref() else { return Err(Outcome::Suppressed(Rule::NoClientId)) };
        if job.now >= event.occurred_at.after(validate::BACKDATING) {
            return Err(Outcome::Permanent {
                class: FailureClass::DeadlinePassed,
                explanation: "GA4 takes nothing that is older than 72 hours".to_owned(),
            });
        }
        let early = event.occurred_at.since(job.now.after(validate::AHEAD));
        if !early.is_zero() {
            return Err(Outcome::Retry {
                explanation: "it happened more than 15 minutes after this machine's clock, and GA4 takes nothing from the future; check the clock".to_owned(),
                after: Some(early),
            });
        }
        let rendered = request::render(&self.settings, event, &frozen, client_id, job)
            .map_err(|broken| refused(request::event_name(&frozen.kind, &self.settings), vec![broken]))?;
        let broken = validate::violations(&rendered.body, job.now);
        if !broken.is_empty() {
            return Err(refused(&rendered.name, broken));
        }
        Ok((self.post("/mp/collect", rendered.body, rendered.repeatable), rendered.notes))
    }

    fn post(&self, path: &str, body: Vec<u8>, repeatable: bool) -> HttpRequest {
        HttpRequest {
            method: Method::Post,
            url: format!(
                "{}{path}?measurement_id={}",
                self.settings.endpoint.trim_end_matches('/'),
                url_encode(&self.settings.measurement_id)
            ),
            secret_path: None,
            secret_query: Some(("api_secret", self.settings.api_secret.clone())),
            headers: vec![("content-type", "application/json".to_owned())],
            secret_header: None,
            body,
            repeatable,
        }
    }

    fn frozen(&self, event: &BusinessEvent, contact: Option<&Contact>) -> Frozen {
        let known = client_id::known(event, contact);
        let synthetic = known.is_none();
        let client_id = match self.settings.client_id_fallback {
            ClientIdFallback::Derived => Some(known.unwrap_or_else(|| client_id::derived(event, contact))),
            ClientIdFallback::Skip => known,
        };
        Frozen { kind: event.kind.clone(), synthetic: synthetic && client_id.is_some(), client_id }
    }
}

/// What an answer means. GA4 answers 2xx to whatever reaches it (Measurement Protocol: reference, response codes): anything else
/// comes from something between, or from somewhere else.
fn judge(exchange: &Exchange) -> Outcome {
    let default = status::outcome(exchange);
    let Ok(response) = &exchange.reply else { return default };
    let said = |rest: &str| format!("{}; {rest}", status::answered(exchange, response.status));
    let elsewhere = "GA4 itself answers 2xx to everything: look whether `endpoint` is right, and what stands between";
    match (response.status, default) {
        (200..=299, _) if status::is_page(&response.body) => Outcome::Retry {
            explanation: said(
                "that is a web page and not GA4; look whether `endpoint` is right, and what stands between",
            ),
            after: None,
        },
        (401 | 402, _) => Outcome::Broken { explanation: said(elsewhere) },
        (403, _) => Outcome::Forbidden { explanation: said(elsewhere) },
        (413, default) => default,
        (_, Outcome::Permanent { class, .. }) => Outcome::Permanent { class, explanation: said(elsewhere) },
        (_, default) => default,
    }
}

impl Destination for Ga4 {
    fn kind(&self) -> &'static str {
        "ga4"
    }

    fn style(&self) -> Style {
        Style::Event
    }

    fn default_events(&self) -> &'static [EventKind] {
        EVENTS
    }

    fn needs_consent(&self, _kind: &EventKind) -> Needs {
        Needs { analytics: Need::UnlessDenied, ..Needs::default() }
    }

    fn admit(&self, event: &BusinessEvent, contact: Option<&Contact>) -> Admission {
        let skip = self.settings.client_id_fallback == ClientIdFallback::Skip;
        if skip && client_id::known(event, contact).is_none() {
            return Admission::Suppress(Rule::NoClientId);
        }
        Admission::Send
    }

    fn is_ready(&self, event: &BusinessEvent, contact: Option<&Contact>) -> bool {
        client_id::known(event, contact).is_some()
    }

    fn deadline(&self, occurred_at: Timestamp) -> Option<Timestamp> {
        Some(occurred_at.after(validate::BACKDATING))
    }

    fn freeze(&self, event: &BusinessEvent, contact: Option<&Contact>) -> Option<Frozen> {
        Some(self.frozen(event, contact))
    }

    fn ambiguous(&self, kind: &EventKind) -> AmbiguousPolicy {
        if kind.is_money() { AmbiguousPolicy::Retry } else { AmbiguousPolicy::Drop }
    }

    fn step(&self, job: &Job<'_>, exchanges: &[Exchange]) -> Step {
        let rendered = self.request(job);
        let Some(exchange) = exchanges.last() else {
            return match rendered {
                Ok((request, _)) => Step::Send(request),
                Err(outcome) => Step::Done(Finished::new(outcome)),
            };
        };
        let mut finished = Finished::new(judge(exchange));
        finished.notes = rendered.map(|(_, notes)| notes).unwrap_or_default();
        if finished.outcome == Outcome::Delivered {
            finished.notes.push(ACCEPTED.to_owned());
        }
        Step::Done(finished)
    }

    fn probe(&self) -> Option<HttpRequest> {
        None
    }

    /// A sample of each event for the validation server, which records nothing.
    fn test(&self) -> Option<HttpRequest> {
        Some(self.post("/debug/mp/collect", debug::body(&self.settings, EVENTS), true))
    }

    fn judge_test(&self, exchange: &Exchange) -> Outcome {
        debug::judge(exchange, judge(exchange))
    }

    fn test_proves(&self) -> String {
        format!("GA4's validation server takes a sample of each event, and recorded none; {}", debug::UNCONFIRMED)
    }

    fn default_rate_limit(&self) -> Option<RateLimit> {
        None
    }
}
