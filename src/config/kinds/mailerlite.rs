//! `kind = "mailerlite"`, a destination.

use super::super::NO_WORKFLOWS;
use super::super::definitions::{Check, Form, Key, Preset, Shape, any};
use super::super::problem::Wrong;
use super::super::reader::Section;
use super::{outgoing, secret};
use crate::destinations::fields::Field;
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
        doc: "Ids of the groups that people join; what has none joins none. Automations start by joining a group. The id stands in the \
              address of the group's page at MailerLite.",
    },
    Key {
        name: "move_between_groups",
        form: Form::Flag,
        preset: Preset::Default("false"),
        doc: "Whether joining one of lead, vip, premium, standard and churned leaves the others. Groups that are not named here are \
              never touched.",
    },
    Key {
        name: "fields",
        form: Form::Fields(FIELD_KEY),
        preset: Preset::Unset(
            "{ name = \"first_name\", last_name = \"last_name\", customer_since = \"customer_since\" }",
        ),
        doc: "Further fields at MailerLite, and what they hold; also other contents for name, phone, lead_id, user_id, pricing_tier, \
              transaction_amount, purchase_date, utm_source and utm_campaign, which are filled in anyway. \"\" leaves one out. Make \
              fields of your own at MailerLite first: `tallyhook destinations test` says which are missing.",
    },
    Key { name: "resubscribe", form: Form::Refused(NO_RESUBSCRIBING), preset: Preset::Unset(""), doc: "" },
    Key { name: "workflows", form: Form::Refused(NO_WORKFLOWS), preset: Preset::Unset(""), doc: "" },
    Key { name: "workflow_id", form: Form::Refused(NO_WORKFLOWS), preset: Preset::Unset(""), doc: "" },
];

/// The answer to whoever wants people back on the list by force.
const NO_RESUBSCRIBING: &str = "who unsubscribed can come back only through a form of MailerLite's own: it does not say when somebody \
                                left in a way that could be compared with a later yes";

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
        doc: "Every other sale.",
    },
    Key {
        name: "lead",
        form: Form::Text(GROUP_ID),
        preset: Preset::Unset("\"123456792\""),
        doc: "Leads who said yes to e-mail.",
    },
    Key {
        name: "booking",
        form: Form::Text(GROUP_ID),
        preset: Preset::Unset("\"123456793\""),
        doc: "Who booked an appointment.",
    },
    Key {
        name: "churned",
        form: Form::Text(GROUP_ID),
        preset: Preset::Unset("\"123456794\""),
        doc: "Whose last subscription ended, nothing bought since.",
    },
];

/// MailerLite makes keys of small letters, digits and underscores out of names (MailerLite: fields, create).
const FIELD_KEY: Check = |text| {
    let is_key = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    match text {
        "email" => Err(Wrong::new("is the address itself, which is always sent").but("name another field")),
        text if is_key && !text.is_empty() && text.len() <= 255 => Ok(()),
        _ => Err(Wrong::new("must be a field's key, of lower-case letters, digits and _")
            .but("MailerLite shows keys in its list of fields, as {$key}")),
    }
};

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
    let fields: Vec<(String, Option<&'static Field>)> = section.get("fields");
    if fields.iter().any(|(_, field)| field.is_some_and(|field| field.name == "external_id")) {
        let wrong = Wrong::new("names external_id, but MailerLite knows people by their e-mail address alone");
        section.report("fields", wrong.but("take lead_id or user_id"));
    }
    mailerlite::Settings {
        api_key: secret(section, "api_key"),
        api: if is_classic { mailerlite::Api::Classic } else { mailerlite::Api::New },
        endpoint: outgoing(section, section.find_in_case("endpoint", case), "endpoint"),
        groups: mailerlite::Rules {
            groups: mailerlite::Groups {
                vip: groups.find("vip"),
                premium: groups.find("premium"),
                standard: groups.find("standard"),
                lead: groups.find("lead"),
                booking: groups.find("booking"),
                churned: groups.find("churned"),
            },
            vip_from: section.get("vip_from"),
            moves: section.get("move_between_groups"),
        },
        fields: mailerlite::mapped(&fields),
        requires_consent: section.get("requires_consent"),
    }
}
