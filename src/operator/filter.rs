//! Filters of lists: as a person gives them, and as they are compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::http::admin::OperatorError;
use crate::model::business_event::EventKind;
use crate::model::delivery::{FailureClass, STATE_NAMES};
use crate::model::id::DestinationId;
use crate::model::time::{Timestamp, parse_span};
use crate::model::webhook::Status;

/// What a list is to leave out. Empty fields leave nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// At this moment or later: RFC 3339, or a span before now (`2h`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Before this moment: RFC 3339, or a span before now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Of this source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// For this destination.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// With this kind of business event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// In this state: of a delivery, or what a webhook was taken for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// With the provider's name of the event, `checkout.session.completed`.
    #[serde(skip_serializing_if = "Option::is_none", rename = "type")]
    pub event_type: Option<String>,
    /// With this class of failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Refused for this reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Filter {
    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Reads a moment as a person gives it: RFC 3339, or a span before now.
///
/// # Errors
/// When it is neither.
pub fn parse_moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    parse_span(text).map(|span| now.before(span)).map_err(|_| {
        format!("{text:?} is neither a moment like 2026-11-21T13:05:00Z nor a span before now like \"2h\" or \"7d\"")
    })
}

/// What can be filtered by; the names are those of [`Filter`]'s fields.
pub(super) const OF_EVENTS: &[&str] = &["since", "until", "source", "destination", "kind", "state", "type"];
pub(super) const OF_DELIVERIES: &[&str] = &["since", "until", "source", "destination", "kind", "state"];
pub(super) const OF_FAILED: &[&str] = &["since", "until", "source", "destination", "kind", "class"];
pub(super) const OF_REJECTED: &[&str] = &["since", "until", "source", "reason"];

/// A filter that was understood, in terms that rows are compared by.
#[derive(Clone, Debug)]
pub(super) struct Sieve {
    pub(super) since: Option<Timestamp>,
    pub(super) until: Option<Timestamp>,
    pub(super) source: Option<String>,
    pub(super) destination: Option<DestinationId>,
    pub(super) kind: Option<EventKind>,
    pub(super) state: Option<String>,
    pub(super) event_type: Option<String>,
    pub(super) class: Option<FailureClass>,
    pub(super) reason: Option<String>,
}

impl Sieve {
    /// Understands a filter.
    ///
    /// # Errors
    /// When a field doesn't go with the list, or its value means nothing here.
    pub(super) fn new(
        filter: Filter,
        allowed: &[&str],
        names: &BTreeMap<DestinationId, String>,
        now: Timestamp,
    ) -> Result<Self, OperatorError> {
        let given = serde_json::to_value(&filter).unwrap_or_default();
        if let Some(field) =
            given.as_object().and_then(|fields| fields.keys().find(|key| !allowed.contains(&key.as_str())))
        {
            return Err(wrong(format!("this list can't be filtered by {field}, only by {}", allowed.join(", "))));
        }
        let moment = |text: Option<String>| text.map(|text| parse_moment(&text, now)).transpose().map_err(wrong);
        let destination = filter.destination.map(|name| find_destination(names, &name)).transpose()?;
        let class = filter.class.map(|name| find_class(&name)).transpose()?;
        let kind = filter.kind.map(|name| name.parse::<EventKind>().unwrap_or(EventKind::Custom(name)));
        let state = filter.state;
        if let Some(state) = &state {
            let events = allowed == OF_EVENTS;
            let known: Vec<&str> = if events {
                [Status::Accepted, Status::Ignored, Status::Unreadable].map(Status::name).to_vec()
            } else {
                STATE_NAMES.to_vec()
            };
            if !known.contains(&state.as_str()) {
                return Err(wrong(format!("there is no state {state:?}; known here: {}", known.join(", "))));
            }
        }
        Ok(Self {
            since: moment(filter.since)?,
            until: moment(filter.until)?,
            source: filter.source,
            destination,
            kind,
            state,
            event_type: filter.event_type,
            class,
            reason: filter.reason,
        })
    }

    /// Whether a moment lies within.
    pub(super) fn admits_time(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }
}

/// The number of a destination's name.
pub(super) fn find_destination(
    names: &BTreeMap<DestinationId, String>,
    name: &str,
) -> Result<DestinationId, OperatorError> {
    names.iter().find(|(_, known)| *known == name).map(|(id, _)| *id).ok_or_else(|| {
        let known: Vec<&str> = names.values().map(String::as_str).collect();
        let known =
            if known.is_empty() { "there is none yet".to_owned() } else { format!("known: {}", known.join(", ")) };
        OperatorError { status: 404, message: format!("there is no destination {name:?}; {known}") }
    })
}

fn find_class(name: &str) -> Result<FailureClass, OperatorError> {
    FailureClass::ALL.into_iter().find(|class| class.name() == name).ok_or_else(|| {
        let known = FailureClass::ALL.map(FailureClass::name).join(", ");
        wrong(format!("there is no class of failure {name:?}; known: {known}"))
    })
}

/// The request makes no sense.
pub(super) fn wrong(message: impl Into<String>) -> OperatorError {
    OperatorError { status: 400, message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_000_000);

    #[test]
    fn moments_are_absolute_or_before_now() {
        assert_eq!(parse_moment("2h", NOW), Ok(Timestamp::from_unix_seconds(992_800)));
        assert_eq!(parse_moment("1970-01-01T00:00:05Z", NOW), Ok(Timestamp::from_unix_seconds(5)));
        assert!(parse_moment("yesterday", NOW).unwrap_err().contains("2h"));
    }

    #[test]
    fn a_filter_that_does_not_go_with_its_list_is_refused() {
        let names = BTreeMap::from([(DestinationId(1), "crm".to_owned())]);
        let sieve = |filter: Filter, allowed| Sieve::new(filter, allowed, &names, NOW);
        let by_class = Filter { class: Some("rejected".into()), ..Filter::default() };
        assert!(sieve(by_class.clone(), OF_FAILED).is_ok());
        assert!(sieve(by_class, OF_EVENTS).unwrap_err().message.contains("class"));
        let lost = Filter { destination: Some("crn".into()), ..Filter::default() };
        assert!(sieve(lost, OF_FAILED).unwrap_err().message.contains("known: crm"));
        let odd = Filter { state: Some("delivered".into()), ..Filter::default() };
        assert!(sieve(odd.clone(), OF_DELIVERIES).is_ok());
        assert!(sieve(odd, OF_EVENTS).unwrap_err().message.contains("unreadable"));
    }

    #[test]
    fn a_mistyped_field_is_an_error_and_not_no_filter() {
        assert!(serde_json::from_str::<Filter>(r#"{"destnation":"crm"}"#).is_err());
    }
}
