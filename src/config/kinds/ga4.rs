//! `kind = "ga4"`, a destination.

use super::super::definitions::{Check, Form, Key, Preset, Shape, any};
use super::super::problem::Wrong;
use super::super::reader::Section;
use super::{filled_in, outgoing, secret};
use crate::destinations::ga4;

pub(in crate::config) const KEYS: &[Key] = &[
    Key {
        name: "measurement_id",
        form: Form::Text(MEASUREMENT_ID),
        preset: Preset::Required("{ env = \"GA4_MEASUREMENT_ID\" }"),
        doc: "The web stream's measurement id, G-….",
    },
    Key {
        name: "api_secret",
        form: Form::Secret(any),
        preset: Preset::Required("{ env = \"GA4_API_SECRET\" }"),
        doc: "A Measurement Protocol secret of that stream (Admin, Data streams).",
    },
    Key {
        name: "endpoint",
        form: Form::Url(Shape::Endpoint),
        preset: Preset::Default("\"https://www.google-analytics.com\""),
        doc: "Where to send; \"https://region1.google-analytics.com\" keeps the data in the EU.",
    },
    Key {
        name: "client_id_fallback",
        form: Form::Choice(&["derived", "skip"], &[]),
        preset: Preset::Default("\"derived\""),
        doc: "Without the browser's client id: a stable one derived from the lead, the contact or the sale, or not sent at all.",
    },
    Key {
        name: "consent_unknown",
        form: Form::Refused(
            "is said by consent = { analytics = \"required\" } (nothing without a yes) or \"unless_denied\"",
        ),
        preset: Preset::Unset(""),
        doc: "",
    },
    Key {
        name: "event_names",
        form: Form::EventNames(GA4_EVENT_NAME),
        preset: Preset::Unset("{ booking_made = \"schedule_appointment\" }"),
        doc: "Names of GA4 events for business events whose usual name is not wanted.",
    },
    Key {
        name: "default_item",
        form: Form::Table(DEFAULT_ITEM),
        preset: Preset::Unset(""),
        doc: "The item that is sent when the events tell of none.",
    },
];

const DEFAULT_ITEM: &[Key] = &[
    Key { name: "id", form: Form::Text(any), preset: Preset::Default("\"default_service\""), doc: "item_id." },
    Key { name: "name", form: Form::Text(any), preset: Preset::Default("\"Professional Service\""), doc: "item_name." },
    Key { name: "category", form: Form::Text(any), preset: Preset::Default("\"services\""), doc: "item_category." },
];

/// GA4: a web stream's measurement id starts with `G-`.
const MEASUREMENT_ID: Check = |text| match text.strip_prefix("G-") {
    Some(rest) if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Ok(()),
    _ => Err(Wrong::new("is not a measurement id")
        .but("it starts with G-; the stream's number, UA-…, GTM-… and AW-… are something else")),
};

/// GA4: at most 40 letters, digits and underscores, a letter first; some prefixes are reserved.
const GA4_EVENT_NAME: Check = |text| {
    let first_is_letter = text.starts_with(|first: char| first.is_ascii_alphabetic());
    if !first_is_letter || text.len() > 40 || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(Wrong::new("must be at most 40 letters, digits and underscores that begin with a letter"));
    }
    match ["firebase_", "ga_", "google_"].iter().find(|prefix| text.starts_with(**prefix)) {
        Some(prefix) => Err(Wrong::new(format!("must not begin with {prefix}: GA4 drops such events silently"))),
        None => Ok(()),
    }
};

/// What the table says.
pub(in crate::config) fn read(section: &Section<'_>) -> ga4::Settings {
    let item = section.table("default_item");
    ga4::Settings {
        measurement_id: filled_in(section, "measurement_id"),
        api_secret: secret(section, "api_secret"),
        endpoint: outgoing(section, section.find("endpoint"), "endpoint"),
        client_id_fallback: match section.get::<String>("client_id_fallback").as_str() {
            "skip" => ga4::ClientIdFallback::Skip,
            _ => ga4::ClientIdFallback::Derived,
        },
        default_item: ga4::DefaultItem { id: item.get("id"), name: item.get("name"), category: item.get("category") },
        event_names: section.get("event_names"),
    }
}
