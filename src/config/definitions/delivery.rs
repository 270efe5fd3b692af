//! Keys that every destination has.

use std::time::Duration;

use super::{Form, Key, MOMENT, Preset, YEAR};
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
        form: Form::Choices("business event", || EventKind::named().collect()),
        preset: Preset::Unset("[\"purchase\", \"renewal\", \"refund\"]"),
        doc: "Which business events it gets; what suits the destination unless given.",
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
        name: "allow_private_addresses",
        form: Form::Flag,
        preset: Preset::Default("false"),
        doc: "Whether it may be inside your own network (10.x, 192.168.x and the like).",
    },
];
