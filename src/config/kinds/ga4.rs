//! `kind = "ga4"`, a destination.

use super::super::definitions::{Check, Form, Key, Preset, Shape, any};
use super::super::problem::Wrong;
use super::super::reader::Section;
use super::{filled_in, outgoing, secret};
use crate::destinations::fields::Field;
use crate::destinations::ga4;
use crate::destinations::ga4::validate::MOST_PARAMS;
use crate::destinations::ga4::{names, violation::Violation};
use crate::destinations::personal;

pub(in crate::config) const KEYS: &[Key] = &[
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
        form: Form::Refused(
            "is said by consent = { analytics = \"required\" } (nothing without a yes) or \"unless_denied\"",
        ),
        preset: Preset::Unset(""),
        doc: "",
    },
    Key {
        name: "event_names",
        form: Form::EventNames(GA4_EVENT_NAME),
        preset: Preset::Unset("{ booking_made = \"schedule_appointment\" }"),
        doc: "Names of GA4 events for business events whose usual name is not wanted.",
    },
    Key {
        name: "params",
        form: Form::Fields(PARAMETER),
        preset: Preset::Unset("{ plan = \"subscription_plan\", medium = \"utm_medium\" }"),
        doc: "Parameters of your own: GA4's name and what it tells. Make a custom dimension of each in GA4 (Admin, Custom definitions). \
              Nothing that says who somebody is.",
    },
    Key {
        name: "user_id",
        form: Form::Flag,
        preset: Preset::Default("false"),
        doc: "Whether your own user id goes as GA4's User-ID. Only where your site's tag sends the same one, else one person counts as two.",
    },
    Key {
        name: "user_data",
        form: Form::Flag,
        preset: Preset::Default("false"),
        doc: "Whether SHA-256 of the e-mail address and phone number goes along, where the person said yes to advertising. Accept \
              user-provided data collection in GA4 first (Admin, Data collection).",
    },
    Key {
        name: "debug_mode",
        form: Form::Flag,
        preset: Preset::Default("false"),
        doc: "Whether events show in GA4's DebugView. They are recorded all the same, unless a filter for developer traffic is active.",
    },
    Key {
        name: "default_item",
        form: Form::Table(DEFAULT_ITEM),
        preset: Preset::Unset(""),
        doc: "The item that is sent when the events tell of none.",
    },
];

const DEFAULT_ITEM: &[Key] = &[
    Key {
        name: "id",
        form: Form::TextOrNothing(ITEM),
        preset: Preset::Default("\"default_service\""),
        doc: "item_id.",
    },
    Key {
        name: "name",
        form: Form::TextOrNothing(ITEM),
        preset: Preset::Default("\"Professional Service\""),
        doc: "item_name.",
    },
    Key {
        name: "category",
        form: Form::TextOrNothing(ITEM),
        preset: Preset::Default("\"services\""),
        doc: "item_category.",
    },
];

/// GA4: a web stream's measurement id starts with `G-`.
const MEASUREMENT_ID: Check = |text| match text.strip_prefix("G-") {
    Some(rest) if !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Ok(()),
    _ => Err(Wrong::new("is not a measurement id")
        .but("it starts with G-; the stream's number, UA-…, GTM-… and AW-… are something else")),
};

/// GA4: names of events and parameters, reserved names.
const GA4_EVENT_NAME: Check = |text| names::event_name(text).map_err(wrong);

const PARAMETER: Check = |text| names::own_parameter_name(text).map_err(wrong);

/// GA4: a parameter has at most 100 characters and says nothing of who somebody is.
const ITEM: Check = |text| {
    if let Some(found) = personal::find(text) {
        return Err(Wrong::new(format!("holds {}, which GA4's policy forbids", found.name())));
    }
    if text.chars().count() > ga4::validate::VALUE_CHARS {
        return Err(Wrong::new(format!("has more than GA4's {} characters", ga4::validate::VALUE_CHARS)));
    }
    Ok(())
};

fn wrong(broken: Violation) -> Wrong {
    Wrong::new(broken.to_string())
}

/// What `params` says, but for what is personal.
fn params(section: &Section<'_>) -> Vec<(String, &'static Field)> {
    let given: Vec<(String, Option<&'static Field>)> = section.get("params");
    let mut params = Vec::new();
    for (name, field) in given {
        match field {
            Some(field) if field.personal => {
                let what = format!("{name} = {:?} says who somebody is, which GA4's policy forbids", field.name);
                section.report("params", Wrong::new(what).but("leave it out"));
            }
            Some(field) => params.push((name, field)),
            None => {}
        }
    }
    params
}

/// What `default_item` says; it needs an id or a name.
fn default_item(section: &Section<'_>) -> ga4::DefaultItem {
    let table = section.table("default_item");
    let item = ga4::DefaultItem { id: table.get("id"), name: table.get("name"), category: table.get("category") };
    if item.id.is_empty() && item.name.is_empty() {
        table.report("name", Wrong::new("is empty, and so is id").but("GA4 takes no item without one of the two"));
    }
    item
}

/// What the table says.
pub(in crate::config) fn read(section: &Section<'_>) -> ga4::Settings {
    let event_names: Vec<_> = section.get("event_names");
    for (kind, name) in &event_names {
        if let Err(broken) = names::suits(kind, name) {
            section.report("event_names", wrong(broken).but(format!("give {kind} a name of its own")));
        }
    }
    let params = params(section);
    if params.len() > MOST_PARAMS {
        section.report(
            "params",
            Wrong::new(format!("has {} parameters; GA4 takes {MOST_PARAMS} with its own", params.len())),
        );
    }
    ga4::Settings {
        measurement_id: filled_in(section, "measurement_id"),
        api_secret: secret(section, "api_secret"),
        endpoint: outgoing(section, section.find("endpoint"), "endpoint"),
        client_id_fallback: match section.get::<String>("client_id_fallback").as_str() {
            "skip" => ga4::ClientIdFallback::Skip,
            _ => ga4::ClientIdFallback::Derived,
        },
        default_item: default_item(section),
        event_names,
        params,
        user_id: section.get("user_id"),
        user_data: section.get("user_data"),
        debug_mode: section.get("debug_mode"),
    }
}
