//! Filters of lists: as a person gives them, and as they are compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::http::admin::OperatorError;
use crate::model::business_event::EventKind;
use crate::model::delivery::{FailureClass, STATE_NAMES};
use crate::model::id::DestinationId;
use crate::model::time::{Timestamp, parse_span, parse_utc};
use crate::model::webhook::Status;

/// What a list is to leave out. Empty fields leave nothing out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// At this moment or later: as [`parse_moment`] reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Before this moment: as [`parse_moment`] reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Of this source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// For this destination; of destinations its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// With this kind of business event; of destinations their own kind, `rest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// In this state: of a delivery, of a destination, or what a webhook was taken for.
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
    /// Whether it has an oddity that a person should see: an absent amount, an unknown currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub odd: Option<bool>,
}

impl Filter {
    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Reads a moment as a person gives it: RFC 3339, a date or a date with a time in UTC (`2026-11-20`, `2026-11-20 14:00`), or a
/// span before now (`2h`).
///
/// # Errors
/// When it is none of these.
pub fn parse_moment(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    if let Ok(moment) = text.parse() {
        return Ok(moment);
    }
    if let Some(moment) = parse_utc(text) {
        return Ok(moment);
    }
    parse_span(text).map(|span| now.before(span)).map_err(|_| {
        format!(
            "{text:?} is neither a moment (2026-11-21T13:05:00Z, or in UTC 2026-11-21 or \"2026-11-21 13:05\") nor a span before \
             now (\"2h\", \"7d\")"
        )
    })
}

/// What can be filtered by; the names are those of [`Filter`]'s fields.
pub(super) const OF_EVENTS: &[&str] = &["since", "until", "source", "destination", "kind", "state", "type", "odd"];
pub(super) const OF_DELIVERIES: &[&str] = &["since", "until", "source", "destination", "kind", "state"];
pub(super) const OF_FAILED: &[&str] = &["since", "until", "source", "destination", "kind", "state", "class"];
pub(super) const OF_REJECTED: &[&str] = &["since", "until", "source", "reason"];
pub(super) const OF_DESTINATIONS: &[&str] = &["destination", "kind", "state"];

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
    pub(super) odd: Option<bool>,
}

/// Refuses a filter that doesn't go with its list.
pub(super) fn only(filter: &Filter, allowed: &[&str]) -> Result<(), OperatorError> {
    let given = serde_json::to_value(filter).unwrap_or_default();
    let odd = given.as_object().and_then(|fields| fields.keys().find(|key| !allowed.contains(&key.as_str())));
    match odd {
        Some(field) => Err(wrong(format!("this list can't be filtered by {field}, only by {}", allowed.join(", ")))),
        None => Ok(()),
    }
}

/// Refuses the name of a state that is none.
pub(super) fn known_state(state: &str, known: &[&str]) -> Result<(), OperatorError> {
    if known.contains(&state) {
        return Ok(());
    }
    Err(wrong(format!("there is no state {state:?}; known here: {}", known.join(", "))))
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
        only(&filter, allowed)?;
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
            known_state(state, &known)?;
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
            odd: filter.odd,
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
        for (text, seconds) in [
            ("1970-01-02", 86_400),
            ("1970-01-01 01:00", 3600),
            ("1970-01-01T01:00", 3600),
            ("1970-01-01 00:00:07", 7),
            ("1970-01-01T01:00:00+01:00", 0),
        ] {
            assert_eq!(parse_moment(text, NOW), Ok(Timestamp::from_unix_seconds(seconds)), "{text}");
        }
        for wrong in ["1970-13-01", "1970-01-01 25:00", "01/02/1970", ""] {
            assert!(parse_moment(wrong, NOW).is_err(), "{wrong}");
        }
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
