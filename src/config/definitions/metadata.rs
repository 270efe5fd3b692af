//! Under which keys a merchant's metadata says what.

use super::{Check, Form, Key, Preset, Wrong};

/// Every name that is recognised, with the keys that are read unless the file names others.
pub(in crate::config) const METADATA: &[Key] = &[
    Key {
        name: "lead_id",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"lead_id\""),
        doc: "The lead id that the browser was given; client_reference_id of a session counts as one too.",
    },
    Key {
        name: "user_id",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"user_id\""),
        doc: "Your own user id.",
    },
    Key {
        name: "pricing_tier",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"pricing_tier\""),
        doc: "Your pricing tier.",
    },
    Key {
        name: "order_id",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"order_id\""),
        doc: "Your order id.",
    },
    Key {
        name: "service_id",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"service_id\""),
        doc: "What was sold, by your id.",
    },
    Key {
        name: "service_name",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"service_name\""),
        doc: "What was sold, by its name.",
    },
    Key {
        name: "ga_client_id",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("[\"ga_client_id\", \"client_id\"]"),
        doc: "GA's client id of the browser.",
    },
    Key {
        name: "ga_session_id",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("[\"ga_session_id\", \"session_id\"]"),
        doc: "GA's session id.",
    },
    Key {
        name: "utm_source",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"utm_source\""),
        doc: "The campaign's source.",
    },
    Key {
        name: "utm_medium",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"utm_medium\""),
        doc: "The campaign's medium.",
    },
    Key {
        name: "utm_campaign",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"utm_campaign\""),
        doc: "The campaign's name.",
    },
    Key {
        name: "utm_term",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"utm_term\""),
        doc: "The campaign's term.",
    },
    Key {
        name: "utm_content",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"utm_content\""),
        doc: "The campaign's content.",
    },
    Key {
        name: "gclid",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"gclid\""),
        doc: "Google Ads' click id.",
    },
    Key {
        name: "gbraid",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"gbraid\""),
        doc: "Google Ads' click id of app-to-web traffic.",
    },
    Key {
        name: "wbraid",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"wbraid\""),
        doc: "Google Ads' click id of web-to-app traffic.",
    },
    Key {
        name: "fbclid",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"fbclid\""),
        doc: "Meta's click id.",
    },
    Key {
        name: "consent_analytics",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"consent_analytics\""),
        doc: "Whether the person agreed to being measured: yes, true, granted or 1, else no, false, denied or 0.",
    },
    Key {
        name: "consent_ads",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"consent_ads\""),
        doc: "The same for advertising.",
    },
    Key {
        name: "consent_email",
        form: Form::Texts(METADATA_KEY),
        preset: Preset::Default("\"consent_email\""),
        doc: "The same for marketing by e-mail.",
    },
];

/// Longer keys can't be in Stripe's metadata, nor ones with these marks (Stripe: metadata).
const METADATA_KEY: Check = |text| {
    if text.chars().count() > 40 {
        return Err(Wrong::new("is too long: a key of Stripe's metadata has at most 40 characters"));
    }
    if text.contains(['[', ']']) {
        return Err(Wrong::new("can't be a key of Stripe's metadata, which has no [ or ]"));
    }
    Ok(())
};
