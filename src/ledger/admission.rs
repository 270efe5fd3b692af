//! Whether a business event is for a destination at this moment: what the configuration says, then the destination itself. Asked
//! when a delivery is let go, when a person wants it again, and right before each request.

use super::rules::DestinationRules;
use crate::destinations::consent::{self, Missing};
use crate::destinations::fields::Subject;
use crate::destinations::filter::Filter;
use crate::destinations::{Admission, Style};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::Rule;
use crate::model::id::Mode;

/// What in the configuration keeps an event back.
enum Obstacle<'r> {
    Environment(Mode),
    Kind,
    Filter(&'r Filter),
    Consent(Missing),
    Erased,
}

impl Obstacle<'_> {
    const fn rule(&self) -> Rule {
        match self {
            Self::Environment(_) => Rule::TestMode,
            Self::Kind | Self::Filter(_) => Rule::Filtered,
            Self::Consent(_) => Rule::NoConsent,
            Self::Erased => Rule::Erased,
        }
    }
}

impl DestinationRules {
    /// Whether a business event is sent.
    pub fn admit(&self, event: &BusinessEvent, contact: Option<&Contact>) -> Admission {
        match self.obstacle(event, contact) {
            Some(obstacle) => Admission::Suppress(obstacle.rule()),
            None => self.destination.admit(event, contact),
        }
    }

    /// Which setting keeps a business event back, in words without personal data; none where none does.
    pub fn why_not(&self, event: &BusinessEvent, contact: Option<&Contact>) -> Option<String> {
        Some(match self.obstacle(event, contact)? {
            Obstacle::Environment(mode) => {
                format!("a {} event, and `environments` of {} doesn't name that", mode.name(), self.name)
            }
            Obstacle::Kind => {
                format!(
                    "the destination does not want this kind: `events` of {} doesn't name {}",
                    self.name, event.kind
                )
            }
            Obstacle::Filter(filter) => filter.refusal(&subject(event, contact)).unwrap_or_default(),
            Obstacle::Consent(missing) => missing.to_string(),
            Obstacle::Erased => Rule::Erased.sentence().to_owned(),
        })
    }

    /// Whether its filter asks for something that is not known so far, so that it is early to say.
    pub(super) fn is_filter_open(&self, event: &BusinessEvent, contact: Option<&Contact>) -> bool {
        self.filter.as_ref().is_some_and(|filter| filter.is_open(&subject(event, contact)))
    }

    fn obstacle(&self, event: &BusinessEvent, contact: Option<&Contact>) -> Option<Obstacle<'_>> {
        if !self.modes.contains(&event.scope.mode) {
            return Some(Obstacle::Environment(event.scope.mode));
        }
        if contact.is_some_and(|contact| contact.erased) {
            return Some(Obstacle::Erased);
        }
        // It corrects what the destination was told, and is asked for only there.
        let is_correction = event.kind == EventKind::ContactChanged;
        if !is_correction && !self.kinds.contains(&event.kind) {
            return Some(Obstacle::Kind);
        }
        // Nobody is known to be asked about; when somebody is, it is taken up again.
        let is_nobody = self.destination.style() == Style::Contact && contact.is_none();
        if let Some(filter) = self.filter.as_deref().filter(|_| !is_correction && !is_nobody)
            && !filter.admits(&subject(event, contact))
        {
            return Some(Obstacle::Filter(filter));
        }
        let needs = self.consent.over(self.destination.needs_consent(&event.kind));
        consent::missing(needs, event, contact).map(Obstacle::Consent)
    }
}

const fn subject<'a>(event: &'a BusinessEvent, contact: Option<&'a Contact>) -> Subject<'a> {
    Subject { event: Some(event), contact, external_id: None, currency: None }
}
