//! Destinations that only decide who is told and when: one for events, two for people.

use std::sync::Arc;
use std::time::Duration;

use crate::destinations::consent::Choice;
use crate::destinations::{Admission, Destination, Exchange, HttpRequest, Job, Step, Style};
use crate::ledger::rules::{DestinationRules, Rules, SourceRules};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::{AmbiguousPolicy, Frozen, Rule};
use crate::model::id::{DestinationId, Mode};
use crate::model::rate::RateLimit;
use crate::model::retry::RetrySchedule;
use crate::model::time::Timestamp;

pub const ANALYTICS: DestinationId = DestinationId(1);
pub const CRM: DestinationId = DestinationId(2);
pub const MAIL: DestinationId = DestinationId(3);

/// What a destination is like.
#[derive(Clone, Copy)]
enum Like {
    /// GA4: an event by itself, better with a browser's id, nothing older than three days.
    Analytics,
    /// A CRM: whoever is a contact.
    Crm,
    /// A newsletter: whoever has an address, and has not said no.
    Mail,
}

struct Fake(Like);

impl Fake {
    fn browser(event: &BusinessEvent, contact: Option<&Contact>) -> Option<String> {
        let of_event = event.facts.attribution.client_id.clone();
        of_event
            .or_else(|| contact?.last_attribution.client_id.clone())
            .or_else(|| contact?.first_attribution.client_id.clone())
    }
}

impl Destination for Fake {
    fn kind(&self) -> &'static str {
        "fake"
    }

    fn style(&self) -> Style {
        match self.0 {
            Like::Analytics => Style::Event,
            Like::Crm | Like::Mail => Style::Contact,
        }
    }

    fn default_events(&self) -> &'static [EventKind] {
        use EventKind::{Lead, PaymentFailed, Purchase, Refund, RefundFailed, Renewal, TrialStarted};
        match self.0 {
            Like::Analytics => &[Purchase, Renewal, Refund, PaymentFailed, Lead],
            Like::Crm => &[Purchase, Renewal, Refund, RefundFailed, PaymentFailed, TrialStarted, Lead],
            Like::Mail => &[Purchase, Renewal, Lead],
        }
    }

    fn admit(&self, event: &BusinessEvent, contact: Option<&Contact>) -> Admission {
        let consent = contact.map(|contact| contact.consent).unwrap_or_default().overlaid_with(event.facts.consent);
        match self.0 {
            Like::Analytics if consent.analytics == Some(false) => Admission::Suppress(Rule::NoConsent),
            Like::Analytics => Admission::Send,
            Like::Crm if contact.is_none() => Admission::Suppress(Rule::NoContact),
            Like::Crm => Admission::Send,
            Like::Mail if consent.email == Some(false) => Admission::Suppress(Rule::NoConsent),
            Like::Mail if event.kind == EventKind::Lead && consent.email != Some(true) => {
                Admission::Suppress(Rule::NoConsent)
            }
            Like::Mail if contact.is_none_or(|contact| contact.person.email.is_none()) => {
                Admission::Wait { at_most: Duration::from_secs(30 * 86_400), then: Rule::NoEmail }
            }
            Like::Mail => Admission::Send,
        }
    }

    fn is_ready(&self, event: &BusinessEvent, contact: Option<&Contact>) -> bool {
        match self.0 {
            Like::Analytics => Self::browser(event, contact).is_some(),
            Like::Crm => true,
            Like::Mail => contact.is_some_and(|contact| contact.person.email.is_some()),
        }
    }

    fn deadline(&self, occurred_at: Timestamp) -> Option<Timestamp> {
        matches!(self.0, Like::Analytics).then(|| occurred_at.after(Duration::from_secs(72 * 3600)))
    }

    fn freeze(&self, event: &BusinessEvent, contact: Option<&Contact>) -> Option<Frozen> {
        let known = Self::browser(event, contact);
        let synthetic = known.is_none();
        let client_id = known.or_else(|| Some("derived".into()));
        matches!(self.0, Like::Analytics).then(|| Frozen { kind: event.kind.clone(), client_id, synthetic })
    }

    fn ambiguous(&self, kind: &EventKind) -> AmbiguousPolicy {
        if kind.is_money() { AmbiguousPolicy::Retry } else { AmbiguousPolicy::Drop }
    }

    fn step(&self, _: &Job<'_>, _: &[Exchange]) -> Step {
        panic!("nothing is rendered here")
    }

    fn probe(&self) -> Option<HttpRequest> {
        None
    }

    fn default_rate_limit(&self) -> Option<RateLimit> {
        None
    }
}

fn rules_of(id: DestinationId, name: &str, like: Like) -> DestinationRules {
    let destination = Fake(like);
    DestinationRules {
        id,
        name: name.into(),
        modes: vec![Mode::Live],
        kinds: destination.default_events().to_vec(),
        destination: Arc::new(destination),
        schedule: RetrySchedule::default(),
        max_age: Duration::from_secs(7 * 86_400),
        consent_default: Default::default(),
        ambiguous: None,
        filter: None,
        consent: Choice::default(),
    }
}

/// A source that sells, and nobody to tell: nothing is ever frozen.
pub fn nobody() -> Rules {
    let mut rules = Rules::default();
    rules.sources.insert("stripe".into(), SourceRules::default());
    rules
}

/// All three destinations.
pub fn everybody() -> Rules {
    let mut rules = nobody();
    rules.destinations = vec![
        rules_of(ANALYTICS, "ga4", Like::Analytics),
        rules_of(CRM, "crm", Like::Crm),
        rules_of(MAIL, "mailerlite", Like::Mail),
    ];
    rules
}
