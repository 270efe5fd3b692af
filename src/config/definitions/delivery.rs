//! Keys that every destination has.

use std::time::Duration;

use super::{Check, Form, Key, MOMENT, Preset, YEAR};
use crate::config::problem::{Wrong, nearest};
use crate::model::business_event::EventKind;

/// How a destination is delivered to.
pub(in crate::config) const DELIVERY: &[Key] = &[
    Key {
        name: "environments",
        form: Form::Choices("environment", || vec!["live", "test"]),
        preset: Preset::Default("[\"live\"]"),
        doc: "Which events it gets: \"live\", \"test\" or both. Test events never reach a destination without \"test\".",
    },
    Key {
        name: "events",
        form: Form::Texts(EVENT),
        preset: Preset::Unset("[\"purchase\", \"renewal\", \"refund\"]"),
        doc: "Which business events it gets, names of your own among them (opportunity_won); what suits the destination unless given.",
    },
    Key {
        name: "only",
        form: Form::Cases,
        preset: Preset::Unset(
            "{ pricing_tier = [\"premium\", \"enterprise\"], value = { at_least = 50 }, currency = \"eur\" }",
        ),
        doc: "Of those, only what meets all of these conditions; a list of tables: what meets all of any one of them. A field is \
              one value, a list of which any will do, or a table of is, not, any_of, none_of, at_least, above, at_most, below, \
              contains, starts_with, ends_with and known. `tallyhook destinations preview` says what holds.",
    },
    Key {
        name: "except",
        form: Form::Cases,
        preset: Preset::Unset("[{ utm_source = \"staff\" }, { kind = \"refund\", value = { below = 1 } }]"),
        doc: "And not what meets all of these conditions, or all of any one of several tables.",
    },
    Key {
        name: "schedule",
        form: Form::Spans(Duration::from_secs(30 * 86_400)),
        preset: Preset::Default("[\"0s\", \"10s\", \"1m\", \"5m\", \"15m\", \"1h\", \"3h\", \"6h\", \"12h\", \"24h\"]"),
        doc: "The wait before each attempt, give or take a fifth. After the last one the delivery has failed and waits for you.",
    },
    Key {
        name: "timeout",
        form: Form::Span(MOMENT, Duration::from_secs(600)),
        preset: Preset::Default("\"15s\""),
        doc: "For one request.",
    },
    Key {
        name: "rate_limit",
        form: Form::Rate,
        preset: Preset::Unset("\"100/min\""),
        doc: "How many requests in a span, or \"off\"; what suits the destination unless given.",
    },
    Key { name: "concurrency", form: Form::Count(1, 256), preset: Preset::Default("4"), doc: "Requests at a time." },
    Key {
        name: "max_age",
        form: Form::Span(MOMENT, YEAR),
        preset: Preset::Default("\"7d\""),
        doc: "How long a delivery waits for a destination that is not available before it has failed.",
    },
    Key {
        name: "ambiguous",
        form: Form::Choice(&["retry", "drop", "ask"], &[]),
        preset: Preset::Unset("\"retry\""),
        doc: "When a request may have arrived and a repeat would not be recognised: send it again, drop it, or ask you. Unless \
              given, what moves money is sent again and the rest dropped.",
    },
    Key {
        name: "consent",
        form: Form::Table(CONSENT),
        preset: Preset::Unset(""),
        doc: "What a person must have agreed to: \"required\" (a yes), \"unless_denied\" (anything but a no) or \"ignored\".",
    },
    Key {
        name: "allow_private_addresses",
        form: Form::Flag,
        preset: Preset::Default("false"),
        doc: "Whether it may be inside your own network (10.x, 192.168.x and the like).",
    },
];

const NEEDS: Form = Form::Choice(&["required", "unless_denied", "ignored"], &[]);

const CONSENT: &[Key] = &[
    Key {
        name: "analytics",
        form: NEEDS,
        preset: Preset::Unset("\"required\""),
        doc: "To being measured. Unless given, \"unless_denied\" for GA4 and \"ignored\" for the others.",
    },
    Key {
        name: "ads",
        form: NEEDS,
        preset: Preset::Unset("\"unless_denied\""),
        doc: "To advertising. Unless given, \"ignored\".",
    },
    Key {
        name: "email",
        form: NEEDS,
        preset: Preset::Unset("\"required\""),
        doc: "To e-mail. Unless given, \"ignored\"; of MailerLite requires_consent says it.",
    },
];

/// A business event by its name, or a name of the user's own. What is nearly a known one was meant to be it.
pub(in crate::config) const EVENT: Check = |text| {
    if EventKind::named().any(|known| known == text) {
        return Ok(());
    }
    let own = text.len() <= 40
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let known: Vec<_> = EventKind::named().collect();
    if own && nearest(text, known.iter().copied()).is_none() {
        return Ok(());
    }
    Err(Wrong::new(format!("{text:?} is not a known business event")).or_nearest(text, known.into_iter()))
};
