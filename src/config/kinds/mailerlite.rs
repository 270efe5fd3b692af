//! `kind = "mailerlite"`, a destination.

use super::super::NO_WORKFLOWS;
use super::super::definitions::{Check, Form, Key, Preset, Shape, any};
use super::super::problem::Wrong;
use super::super::reader::Section;
use super::{outgoing, secret};
use crate::destinations::mailerlite;

/// The case of `destinations.mailerlite.endpoint` for the new API.
const NEW_API: &str = "with api = \"new\"";

/// The case of `destinations.mailerlite.endpoint` for the classic API.
pub(in crate::config) const CLASSIC_API: &str = "with api = \"classic\"";

pub(in crate::config) const KEYS: &[Key] = &[
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
    Key { name: "workflows", form: Form::Refused(NO_WORKFLOWS), preset: Preset::Unset(""), doc: "" },
    Key { name: "workflow_id", form: Form::Refused(NO_WORKFLOWS), preset: Preset::Unset(""), doc: "" },
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

/// What the table says.
pub(in crate::config) fn read(section: &Section<'_>) -> mailerlite::Settings {
    let groups = section.table("groups");
    let is_classic = section.get::<String>("api") == "classic";
    let case = if is_classic { CLASSIC_API } else { NEW_API };
    mailerlite::Settings {
        api_key: secret(section, "api_key"),
        api: if is_classic { mailerlite::Api::Classic } else { mailerlite::Api::New },
        endpoint: outgoing(section, section.find_in_case("endpoint", case), "endpoint"),
        groups: mailerlite::Groups {
            vip: groups.find("vip"),
            premium: groups.find("premium"),
            standard: groups.find("standard"),
        },
        vip_from: section.get("vip_from"),
        requires_consent: section.get("requires_consent"),
    }
}
