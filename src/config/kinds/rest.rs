//! `kind = "rest"`, a destination.

use super::super::definitions::{Form, Key, Preset, Shape, any};
use super::super::reader::Section;
use super::{CURRENCY, outgoing, secret};
use crate::destinations::rest;

pub(in crate::config) const KEYS: &[Key] = &[
    Key {
        name: "base_url",
        form: Form::Url(Shape::Base),
        preset: Preset::Required("{ env = \"CRM_BASE_URL\" }"),
        doc: "Everything before /contacts, \"https://crm.example.com/api\".",
    },
    Key {
        name: "api_key",
        form: Form::Secret(any),
        preset: Preset::Required("{ env = \"CRM_API_KEY\" }"),
        doc: "Sent as Authorization: Bearer.",
    },
    Key {
        name: "currency",
        form: Form::Text(CURRENCY),
        preset: Preset::Unset("\"eur\""),
        doc: "The currency of total_spent; each contact's first one unless given.",
    },
];

/// What the table says.
pub(in crate::config) fn read(section: &Section<'_>) -> rest::Settings {
    rest::Settings {
        base_url: outgoing(section, section.find("base_url"), "base_url"),
        api_key: secret(section, "api_key"),
        currency: section.find::<String>("currency").and_then(|code| code.parse().ok()),
    }
}
