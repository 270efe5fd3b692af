//! Kinds of sources, destinations and alerts. One file a kind: its keys, and how they become its settings.

use std::time::Duration;

use super::address::{self, Shape};
use super::definitions::{Check, DELIVERY, Family, Form, Key, Kind, Preset};
use super::problem::Wrong;
use super::reader::Section;
use super::text::is_placeholder;
use crate::destinations::fields::FIELDS;
use crate::model::money::Currency;
use crate::model::secret::Secret;

pub(super) mod alert;
pub(super) mod ga4;
pub(super) mod gohighlevel;
pub(super) mod gohighlevel_source;
pub(super) mod hmac;
pub(super) mod hubspot;
pub(super) mod mailerlite;
pub(super) mod rest;
pub(super) mod stripe;
pub(super) mod webhook;

/// Who sends webhooks.
pub(super) static SOURCES: Family = Family {
    name: "sources",
    kinds: &[
        Kind {
            name: "stripe",
            sample_name: "stripe",
            usual: true,
            doc: "Stripe. Its endpoint is /api/webhooks/stripe: the last part is the name after \"sources.\".",
            keys: stripe::KEYS,
        },
        Kind {
            name: "hmac",
            sample_name: "shop",
            usual: false,
            doc: "Any sender that signs its requests in a usual way, or proves itself by a token: by a preset (Shopify, PayPal, Calendly and \
                  others), or spelled out.",
            keys: hmac::KEYS,
        },
        Kind {
            name: "gohighlevel",
            sample_name: "highlevel",
            usual: false,
            doc: "GoHighLevel: contacts, appointments, opportunities, orders and invoices, from a marketplace app or from workflows.",
            keys: gohighlevel_source::KEYS,
        },
    ],
    later: &[],
    common: SOURCE_RULES,
};

/// Who is told.
pub(super) static DESTINATIONS: Family = Family {
    name: "destinations",
    kinds: &[
        Kind {
            name: "ga4",
            sample_name: "ga4",
            usual: true,
            doc: "Google Analytics 4, through the Measurement Protocol.",
            keys: ga4::KEYS,
        },
        Kind {
            name: "rest",
            sample_name: "crm",
            usual: true,
            doc: "A CRM with a REST interface: GET and POST /contacts and PATCH /contacts/{id} below its base address, unless the keys \
                  below say otherwise.",
            keys: rest::KEYS,
        },
        Kind {
            name: "hubspot",
            sample_name: "hubspot",
            usual: false,
            doc: "HubSpot: a contact for each person.",
            keys: hubspot::KEYS,
        },
        Kind {
            name: "gohighlevel",
            sample_name: "highlevel",
            usual: false,
            doc: "GoHighLevel (HighLevel, LeadConnector): a contact for each person, with tags.",
            keys: gohighlevel::KEYS,
        },
        Kind { name: "mailerlite", sample_name: "mailerlite", usual: true, doc: "MailerLite.", keys: mailerlite::KEYS },
        Kind {
            name: "webhook",
            sample_name: "orders",
            usual: false,
            doc: "A program of your own: every business event as JSON by POST, signed by Standard Webhooks.",
            keys: webhook::KEYS,
        },
    ],
    later: &[],
    common: DELIVERY,
};

/// Who is alerted.
pub(super) static ALERTS: Family = Family {
    name: "alerts",
    kinds: &[Kind {
        name: "webhook",
        sample_name: "ops",
        usual: true,
        doc: "Alerts as JSON by POST, when something needs a person and when it is over.",
        keys: alert::KEYS,
    }],
    later: &["slack", "email", "pagerduty", "discord", "ntfy"],
    common: &[],
};

const MONTH: Duration = Duration::from_secs(30 * 86_400);

/// The case of `respond` of most senders.
pub(super) const RESPOND_ELSE: &str = "for most senders";
/// The case of `respond` of senders that switch an endpoint off after errors.
pub(super) const RESPOND_GIVES_UP: &str = "for the presets shopify and woocommerce";

const SOURCE_RULES: &[Key] = &[
    Key {
        name: "settle",
        form: Form::Span(Duration::ZERO, MONTH),
        preset: Preset::Default("\"60s\""),
        doc: "How long a sale that may be half of another waits for the other half; \"0s\" turns it off.",
    },
    Key {
        name: "settle_late",
        form: Form::Span(Duration::ZERO, MONTH),
        preset: Preset::Default("\"1h\""),
        doc: "The same for an event that was late already, after we were down or the sender was.",
    },
    Key {
        name: "counts_sales",
        form: Form::Flag,
        preset: Preset::Default("true"),
        doc: "Whether its sales count. Must be given on each when several sources sell.",
    },
    Key {
        name: "respond",
        form: Form::Choice(&["strict", "always_200"], &[]),
        preset: Preset::Depends(&[(RESPOND_ELSE, "\"strict\""), (RESPOND_GIVES_UP, "\"always_200\"")]),
        doc: "\"always_200\" answers 200 where a refusal would be due, for senders that switch an endpoint off after errors. What is \
              refused is then kept for `tallyhook rejected retry`: 1000 requests or 32 MiB, the oldest go first, for 7 days.",
    },
];

/// A currency code.
pub(super) const CURRENCY: Check = |text| {
    text.parse::<Currency>().map(drop).map_err(|_| Wrong::new("must be a currency code of three letters like \"eur\""))
};

/// A whole address that may hold a secret.
pub(super) const HOOK_ADDRESS: Check =
    |text| crate::config::address::check(text, Shape::Whole).map(drop).map_err(Wrong::new);

/// The names of what can be told of a person and of what happened.
pub(super) fn field_names() -> Vec<&'static str> {
    FIELDS.iter().map(|field| field.name).collect()
}

/// The currency of totals.
pub(super) fn currency(section: &Section<'_>) -> Option<Currency> {
    section.find::<String>("currency").and_then(|code| code.parse().ok())
}

/// A required secret; after a mistake an empty one.
pub(super) fn secret(section: &Section<'_>, name: &str) -> Secret {
    section.find(name).unwrap_or_else(|| Secret::new(""))
}

/// A required text; what looks like a placeholder is remarked on, since it may yet be right.
pub(super) fn filled_in(section: &Section<'_>, name: &str) -> String {
    let text: String = section.get(name);
    if !text.is_empty() && is_placeholder(&text) {
        section.reader.warn(&section.place_of(name), Wrong::new(format!("{text:?} looks like a placeholder")));
    }
    text
}

/// An address of another machine; after a mistake an empty one.
pub(super) fn outgoing(section: &Section<'_>, address: Option<String>, name: &str) -> String {
    let address = address.unwrap_or_default();
    check_private(section, name, &address);
    address
}

/// Remarks on an address inside the own network where that is not allowed.
pub(super) fn check_private(section: &Section<'_>, name: &str, address: &str) {
    if address::is_private(address) && !section.allows_private_addresses() {
        section.report(
            name,
            Wrong::new("is a private address, where nothing is sent by default")
                .but("if it is meant, add allow_private_addresses = true"),
        );
    }
}
