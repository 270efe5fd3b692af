//! `kind = "gohighlevel"`, a source.

use std::time::Duration;

use super::super::definitions::{Check, Form, Key, Preset};
use super::super::problem::Wrong;
use super::super::reader::{List, Section};
use super::super::text::is_placeholder;
use super::CURRENCY;
use crate::sources::gohighlevel::{PublicKey, Settings};

pub(in crate::config) const KEYS: &[Key] = &[
    Key {
        name: "locations",
        form: Form::Texts(ANY_ID),
        preset: Preset::Required("[\"ve9EPM428h8vShlRW1KT\"]"),
        doc: "The ids of your locations (sub-accounts): Settings, Business Profile, Location ID. HighLevel signs for everybody with one \
              key, so that only this tells your webhooks from other people's.",
    },
    Key {
        name: "app_id",
        form: Form::Text(ANY_ID),
        preset: Preset::Unset("\"69c53778c480e55ef298a2fe\""),
        doc: "The id of your marketplace app (the client id up to its dash); webhooks of other apps are then refused.",
    },
    Key {
        name: "token",
        form: Form::Secret(TOKEN),
        preset: Preset::Unset("{ env = \"HIGHLEVEL_WEBHOOK_TOKEN\" }"),
        doc: "For webhooks of workflows, which are not signed: put it at the end of their address, or into a header X-Tallyhook-Token. \
              At least 20 characters; `openssl rand -hex 24` makes one.",
    },
    Key {
        name: "public_keys",
        form: Form::Texts(PUBLIC_KEY),
        preset: Preset::Unset("[\"8b61d1d6cacbe28d7c3bc0516bb815258ec6edbba96cddc7f40c09ac708388e8\"]"),
        doc: "The Ed25519 keys that HighLevel signs with, instead of the one that is built in: PEM, base64 or hexadecimal.",
    },
    Key {
        name: "legacy_signature",
        form: Form::Flag,
        preset: Preset::Default("false"),
        doc: "Whether the older RSA signature (x-wh-signature) is believed too.",
    },
    Key {
        name: "replay_window",
        form: Form::Span(MINUTES, MONTH),
        preset: Preset::Default("\"2h\""),
        doc: "How far a signed webhook's time may be from now. HighLevel comes again with the same one for 70 minutes.",
    },
    Key {
        name: "currency",
        form: Form::Text(CURRENCY),
        preset: Preset::Unset("\"eur\""),
        doc: "The currency of amounts that HighLevel tells without one: the value of opportunities and of your Custom Data.",
    },
    Key {
        name: "event_id",
        form: Form::Text(PATH),
        preset: Preset::Default("\"customData.event_id\""),
        doc: "Where a workflow's webhook has an id of its own, by which a repeat is known; without one, the same body within ten minutes \
              is a repeat.",
    },
    Key {
        name: "tags",
        form: Form::Texts(ANY_ID),
        preset: Preset::Unset("[\"webinar joined\"]"),
        doc: "Tags that are told of as events of their own (tag_webinar_joined), when a contact is first seen with one.",
    },
];

const MINUTES: Duration = Duration::from_secs(300);
const MONTH: Duration = Duration::from_secs(30 * 86_400);

const ANY_ID: Check = |text| if text.trim().is_empty() { Err(Wrong::new("must not be empty")) } else { Ok(()) };

const TOKEN: Check = |text| {
    let plain = text.trim().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    if text.trim().len() < 20 || !plain {
        return Err(Wrong::new("must have at least 20 letters, digits, -, ., _ or ~")
            .but("it stands in an address, and whoever guesses it can make up bookings; `openssl rand -hex 24` makes a good one"));
    }
    Ok(())
};

const PUBLIC_KEY: Check = |text| match PublicKey::parse(text) {
    Some(_) => Ok(()),
    None => Err(Wrong::new("is no Ed25519 public key")
        .but("it must be PEM, 64 hexadecimal digits, or base64 of the 32 bytes or of their DER form")),
};

const PATH: Check = |text| {
    if text.split('.').all(|part| !part.is_empty()) {
        Ok(())
    } else {
        Err(Wrong::new("must be names with dots between them, like \"customData.event_id\""))
    }
};

/// What the table says.
pub(in crate::config) fn read(section: &Section<'_>) -> Settings {
    let texts = |name: &str| section.find::<List<String>>(name).map(|List(texts)| texts).unwrap_or_default();
    let locations: Vec<String> = texts("locations").into_iter().map(|id| id.trim().to_owned()).collect();
    if let Some(placeholder) = locations.iter().find(|id| is_placeholder(id)) {
        let place = section.place_of("locations");
        section.reader.warn(&place, Wrong::new(format!("{placeholder:?} looks like a placeholder")));
    }
    Settings {
        locations,
        app_id: section.find::<String>("app_id").map(|id| id.trim().to_owned()),
        public_keys: texts("public_keys").iter().filter_map(|key| PublicKey::parse(key)).collect(),
        legacy_signature: section.get("legacy_signature"),
        token: section.find("token"),
        replay_window: section.get("replay_window"),
        currency: section.find::<String>("currency").and_then(|code| code.parse().ok()),
        event_id: section.get("event_id"),
        tags: texts("tags"),
    }
}
