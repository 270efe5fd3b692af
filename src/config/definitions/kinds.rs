//! Kinds of sources, destinations and alerts, with the keys of each.

use std::time::Duration;

use super::hubspot::HUBSPOT;
use super::metadata::METADATA;
use super::{Check, DAY, DELIVERY, Family, Form, Key, Kind, Preset, SECOND, Shape, Wrong, any};

/// Who sends webhooks.
pub(in crate::config) static SOURCES: Family = Family {
    name: "sources",
    kinds: &[Kind {
        name: "stripe",
        sample_name: "stripe",
        usual: true,
        doc: "Stripe. Its endpoint is /api/webhooks/stripe: the last part is the name after \"sources.\".",
        keys: STRIPE,
    }],
    later: &["gohighlevel", "hmac"],
    common: SOURCE_RULES,
};

/// Who is told.
pub(in crate::config) static DESTINATIONS: Family = Family {
    name: "destinations",
    kinds: &[
        Kind {
            name: "ga4",
            sample_name: "ga4",
            usual: true,
            doc: "Google Analytics 4, through the Measurement Protocol.",
            keys: GA4,
        },
        Kind {
            name: "rest",
            sample_name: "crm",
            usual: true,
            doc: "A CRM with GET and POST /contacts and PATCH /contacts/{id} below its base address.",
            keys: REST,
        },
        Kind {
            name: "hubspot",
            sample_name: "hubspot",
            usual: false,
            doc: "HubSpot: a contact for each person.",
            keys: HUBSPOT,
        },
        Kind { name: "mailerlite", sample_name: "mailerlite", usual: true, doc: "MailerLite.", keys: MAILERLITE },
        Kind {
            name: "webhook",
            sample_name: "orders",
            usual: false,
            doc: "A program of your own: every business event as JSON by POST, signed by Standard Webhooks.",
            keys: WEBHOOK,
        },
    ],
    later: &["gohighlevel"],
    common: DELIVERY,
};

/// Who is alerted.
pub(in crate::config) static ALERTS: Family = Family {
    name: "alerts",
    kinds: &[Kind {
        name: "webhook",
        sample_name: "ops",
        usual: true,
        doc: "Alerts as JSON by POST, when something needs a person and when it is over.",
        keys: WEBHOOK_ALERT,
    }],
    later: &["slack", "email", "pagerduty", "discord", "ntfy"],
    common: &[],
};

/// The case of `destinations.mailerlite.endpoint` for the new API.
pub(in crate::config) const NEW_API: &str = "with api = \"new\"";
/// The case of `destinations.mailerlite.endpoint` for the classic API.
pub(in crate::config) const CLASSIC_API: &str = "with api = \"classic\"";

const MONTH: Duration = Duration::from_secs(30 * 86_400);

const STRIPE: &[Key] = &[
    Key {
        name: "secrets",
        form: Form::Secrets(SIGNING_SECRET),
        preset: Preset::Required("[{ env = \"STRIPE_WEBHOOK_SECRET\" }]"),
        doc: "Signing secrets of the endpoint (whsec_…); several while one is being replaced, or for test and live.",
    },
    Key {
        name: "tolerance",
        form: Form::Span(SECOND, DAY),
        preset: Preset::Default("\"5m\""),
        doc: "How far a signature's time may be from now, either way.",
    },
    Key {
        name: "count",
        form: Form::Choice(&["auto", "checkout_and_invoices", "payment_intents"], &[]),
        preset: Preset::Default("\"auto\""),
        doc: "Which of Stripe's objects make a sale. \"auto\" joins them all; \"checkout_and_invoices\" when every sale goes through \
              Checkout, a payment link or an invoice; \"payment_intents\" when you make payment intents yourself.",
    },
    Key {
        name: "transaction_id",
        form: Form::Choice(&["provider", "order_id"], &[]),
        preset: Preset::Default("\"provider\""),
        doc: "By which id destinations know a one-off sale: Stripe's own, or the order_id in your metadata where there is one.",
    },
    Key {
        name: "metadata",
        form: Form::Table(METADATA),
        preset: Preset::Unset(""),
        doc: "Under which keys of Stripe's metadata you say what. One key or a list, of which the first that says something counts.",
    },
];

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
        preset: Preset::Default("\"strict\""),
        doc: "\"always_200\" answers 200 where a refusal would be due, for senders that switch an endpoint off after errors. What is \
              refused is then kept for `tallyhook rejected retry`: 1000 requests or 32 MiB, the oldest go first, for 7 days.",
    },
];

/// Stripe's API keys have prefixes of their own (Stripe: API keys), and are what is usually pasted here by mistake.
const SIGNING_SECRET: Check = |text| {
    if ["sk_", "rk_", "pk_"].iter().any(|prefix| text.starts_with(prefix)) {
        return Err(Wrong::new("is an API key, not a signing secret")
            .but("a signing secret starts with whsec_; Stripe shows it on the page of the webhook endpoint"));
    }
    Ok(())
};

const GA4: &[Key] = &[
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
        form: Form::Choice(&["send", "skip"], &[]),
        preset: Preset::Default("\"send\""),
        doc: "When nobody said whether the person agreed to be measured. A no is never sent.",
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

const REST: &[Key] = &[
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

/// A currency code.
pub(super) const CURRENCY: Check = |text| {
    text.parse::<crate::model::money::Currency>()
        .map(drop)
        .map_err(|_| Wrong::new("must be a currency code of three letters like \"eur\""))
};

const MAILERLITE: &[Key] = &[
    Key {
        name: "api_key",
        form: Form::Secret(any),
        preset: Preset::Required("{ env = \"MAILERLITE_API_KEY\" }"),
        doc: "The API key of the account (Integrations, API).",
    },
    Key {
        name: "api",
        form: Form::Choice(&["new", "classic"], &[]),
        preset: Preset::Default("\"new\""),
        doc: "Which API the account has: \"classic\" for accounts from before 22 March 2022.",
    },
    Key {
        name: "endpoint",
        form: Form::Url(Shape::Endpoint),
        preset: Preset::Depends(&[
            (NEW_API, "\"https://connect.mailerlite.com\""),
            (CLASSIC_API, "\"https://api.mailerlite.com\""),
        ]),
        doc: "Where to send.",
    },
    Key {
        name: "vip_from",
        form: Form::Count(0, 1_000_000_000),
        preset: Preset::Default("1000"),
        doc: "From this value on, in whole euros, dollars and so on, a sale is of the VIP tier.",
    },
    Key {
        name: "requires_consent",
        form: Form::Flag,
        preset: Preset::Default("false"),
        doc: "Whether an explicit yes to e-mail is needed. A no always keeps the person out.",
    },
    Key {
        name: "groups",
        form: Form::Table(GROUPS),
        preset: Preset::Unset(""),
        doc: "Ids of the groups that people join, by tier; a tier without one joins none. Automations start by joining a group.",
    },
    Key { name: "workflows", form: Form::Refused(super::super::NO_WORKFLOWS), preset: Preset::Unset(""), doc: "" },
    Key { name: "workflow_id", form: Form::Refused(super::super::NO_WORKFLOWS), preset: Preset::Unset(""), doc: "" },
];

const GROUPS: &[Key] = &[
    Key {
        name: "vip",
        form: Form::Text(GROUP_ID),
        preset: Preset::Unset("\"123456789\""),
        doc: "Tier \"enterprise\", or a value from vip_from on.",
    },
    Key {
        name: "premium",
        form: Form::Text(GROUP_ID),
        preset: Preset::Unset("\"123456790\""),
        doc: "Tier \"premium\".",
    },
    Key {
        name: "standard",
        form: Form::Text(GROUP_ID),
        preset: Preset::Unset("\"123456791\""),
        doc: "Everybody else.",
    },
];

const GROUP_ID: Check = |text| {
    if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
        Ok(())
    } else {
        Err(Wrong::new("must be a group's id").but("MailerLite shows it in the address of the group's page"))
    }
};

const WEBHOOK: &[Key] = &[
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

const HOOK_ADDRESS: Check = |text| crate::config::address::check(text, Shape::Whole).map(drop).map_err(Wrong::new);

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

const WEBHOOK_ALERT: &[Key] = &[
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
