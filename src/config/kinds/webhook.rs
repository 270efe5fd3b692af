//! `kind = "webhook"`, a destination.

use super::super::definitions::{Check, Form, Key, Preset};
use super::super::problem::Wrong;
use super::super::reader::Section;
use super::{HOOK_ADDRESS, check_private, secret};
use crate::destinations::webhook;

pub(in crate::config) const KEYS: &[Key] = &[
    Key {
        name: "url",
        form: Form::Secret(HOOK_ADDRESS),
        preset: Preset::Required("{ env = \"ORDERS_WEBHOOK_URL\" }"),
        doc: "Where events go. Treated as a secret, since such addresses often hold one.",
    },
    Key {
        name: "secret",
        form: Form::Secret(HOOK_SECRET),
        preset: Preset::Required("{ env = \"ORDERS_WEBHOOK_SECRET\" }"),
        doc: "What each request is signed with, the same at both ends: whsec_ and base64 of 24 to 64 bytes, or any other text from 16 \
              characters on.",
    },
    Key {
        name: "personal_data",
        form: Form::Flag,
        preset: Preset::Default("false"),
        doc: "Whether e-mail address, phone number and name go along.",
    },
];

/// Standard Webhooks: a secret has 24 to 64 bytes, in base64 after `whsec_`.
const HOOK_SECRET: Check = |text| {
    use crate::destinations::webhook::signature::{PREFIX, key_bytes};
    let length = key_bytes(text).map_or(0, |key| key.len());
    if text.starts_with(PREFIX) && !(24..=64).contains(&length) {
        return Err(Wrong::new("must hold base64 of 24 to 64 bytes after whsec_")
            .but("`echo whsec_$(openssl rand -base64 32)` makes one"));
    }
    if length < 16 {
        return Err(Wrong::new("must have at least 16 characters")
            .but("`echo whsec_$(openssl rand -base64 32)` makes a good one"));
    }
    Ok(())
};

/// What the table says.
pub(in crate::config) fn read(section: &Section<'_>) -> webhook::Settings {
    let url = secret(section, "url");
    check_private(section, "url", url.expose());
    webhook::Settings { url, secret: secret(section, "secret"), personal_data: section.get("personal_data") }
}
