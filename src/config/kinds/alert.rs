//! `kind = "webhook"`, an alert.

use super::super::definitions::{Form, Key, Preset};
use super::HOOK_ADDRESS;

pub(in crate::config) const KEYS: &[Key] = &[
    Key {
        name: "url",
        form: Form::Secret(HOOK_ADDRESS),
        preset: Preset::Required("{ env = \"MONITORING_WEBHOOK_URL\" }"),
        doc: "Where alerts go. Treated as a secret, since such addresses often hold one.",
    },
    Key {
        name: "allow_private_addresses",
        form: Form::Flag,
        preset: Preset::Default("false"),
        doc: "Whether it may be inside your own network (10.x, 192.168.x and the like).",
    },
];
