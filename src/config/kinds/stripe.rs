//! `kind = "stripe"`, a source.

use super::super::definitions::{Check, DAY, Form, Key, METADATA, Preset, SECOND};
use super::super::problem::Wrong;
use super::super::reader::{List, Section};
use crate::sources::stripe::{METADATA_NAMES, MetadataKeys, Settings};

pub(in crate::config) const KEYS: &[Key] = &[
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

/// Stripe's API keys have prefixes of their own (Stripe: API keys), and are what is usually pasted here by mistake.
const SIGNING_SECRET: Check = |text| {
    if ["sk_", "rk_", "pk_"].iter().any(|prefix| text.starts_with(prefix)) {
        return Err(Wrong::new("is an API key, not a signing secret")
            .but("a signing secret starts with whsec_; Stripe shows it on the page of the webhook endpoint"));
    }
    Ok(())
};

/// What the table says.
pub(in crate::config) fn read(section: &Section<'_>) -> Settings {
    let List(secrets) = section.get("secrets");
    Settings { secrets, tolerance: section.get("tolerance"), metadata: metadata(section) }
}

/// The merchant's own keys for what the metadata tells, where they are not the usual ones.
fn metadata(section: &Section<'_>) -> MetadataKeys {
    let section = section.table("metadata");
    let given = METADATA_NAMES.into_iter().filter(|name| section.gives(name));
    let own = given.map(|name| {
        let List(keys) = section.get(name);
        (name.to_owned(), keys)
    });
    MetadataKeys::new(own.collect())
}
