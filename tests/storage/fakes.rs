//! Destinations that are never asked to send anything, and rules with two of them.

use std::sync::Arc;
use std::time::Duration;

use tallyhook::destinations::consent::Choice;
use tallyhook::destinations::{Admission, Destination, Exchange, Finished, HttpRequest, Job, Step, Style};
use tallyhook::ledger::rules::{DestinationRules, Rules, SourceRules};
use tallyhook::model::business_event::{BusinessEvent, EventKind};
use tallyhook::model::contact::Contact;
use tallyhook::model::delivery::{AmbiguousPolicy, Frozen, Outcome};
use tallyhook::model::id::{DestinationId, Mode};
use tallyhook::model::rate::RateLimit;
use tallyhook::model::retry::RetrySchedule;
use tallyhook::model::time::Timestamp;

/// The names under which the fakes stand in the store.
pub const NAMES: [&str; 2] = ["pixels", "people"];
/// The destination that gets each business event by itself.
pub const PIXELS: DestinationId = DestinationId(1);
/// The destination that is kept in step with each person.
pub const PEOPLE: DestinationId = DestinationId(2);

const KINDS: [EventKind; 3] = [EventKind::Purchase, EventKind::Refund, EventKind::PaymentFailed];

/// A destination that takes everything, and panics while it is asked about one sale.
pub struct Fake {
    style: Style,
    panics_at: Option<String>,
}

impl Destination for Fake {
    fn kind(&self) -> &'static str {
        "fake"
    }

    fn style(&self) -> Style {
        self.style
    }

    fn default_events(&self) -> &'static [EventKind] {
        &KINDS
    }

    fn admit(&self, event: &BusinessEvent, _: Option<&Contact>) -> Admission {
        let odd = self.panics_at.as_ref().is_some_and(|odd| event.key.ends_with(odd));
        assert!(!odd, "a sale that this version can't digest");
        Admission::Send
    }

    fn is_ready(&self, _: &BusinessEvent, _: Option<&Contact>) -> bool {
        false
    }

    fn deadline(&self, _: Timestamp) -> Option<Timestamp> {
        None
    }

    fn freeze(&self, event: &BusinessEvent, _: Option<&Contact>) -> Option<Frozen> {
        let synthetic = event.id.0.is_multiple_of(2);
        Some(Frozen { kind: event.kind.clone(), client_id: Some(format!("1.{}", event.id.0)), synthetic })
    }

    fn ambiguous(&self, _: &EventKind) -> AmbiguousPolicy {
        AmbiguousPolicy::Ask
    }

    fn step(&self, _: &Job<'_>, _: &[Exchange]) -> Step {
        Step::Done(Finished::new(Outcome::Delivered))
    }

    fn probe(&self) -> Option<HttpRequest> {
        None
    }

    fn default_rate_limit(&self) -> Option<RateLimit> {
        None
    }
}

fn destination(id: DestinationId, style: Style, panics_at: Option<&str>) -> DestinationRules {
    DestinationRules {
        id,
        name: NAMES[usize::from(id.0) - 1].to_owned(),
        destination: Arc::new(Fake { style, panics_at: panics_at.map(str::to_owned) }),
        modes: vec![Mode::Live],
        kinds: KINDS.to_vec(),
        schedule: RetrySchedule::default(),
        max_age: Duration::from_secs(7 * 86_400),
        consent_default: Default::default(),
        ambiguous: None,
        filter: None,
        consent: Choice::default(),
    }
}

/// Both destinations. Sales settle for a minute.
pub fn rules() -> Rules {
    rules_of(SourceRules::default(), None)
}

/// Sales are let go at once, and a destination panics when it is asked about the one whose object has this id.
pub fn rules_that_panic_at(object: &str) -> Rules {
    rules_of(SourceRules { settle: Duration::ZERO, ..SourceRules::default() }, Some(object))
}

fn rules_of(source: SourceRules, panics_at: Option<&str>) -> Rules {
    Rules {
        sources: [("stripe".to_owned(), source)].into(),
        destinations: vec![destination(PIXELS, Style::Event, panics_at), destination(PEOPLE, Style::Contact, None)],
        ..Rules::default()
    }
}

pub fn names() -> Vec<String> {
    NAMES.map(str::to_owned).to_vec()
}
