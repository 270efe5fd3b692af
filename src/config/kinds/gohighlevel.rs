//! `kind = "gohighlevel"`, a destination.

use super::super::definitions::{Check, Form, Key, Preset, Shape};
use super::super::problem::Wrong;
use super::super::reader::Section;
use super::{CURRENCY, currency, field_names, filled_in, outgoing, secret};
use crate::destinations::fields::Field;
use crate::destinations::gohighlevel;

pub(in crate::config) const KEYS: &[Key] = &[
    Key {
        name: "token",
        form: Form::Secret(TOKEN),
        preset: Preset::Required("{ env = \"HIGHLEVEL_TOKEN\" }"),
        doc: "The token of a private integration of the sub-account, pit-… (Settings, Private Integrations), with the scopes View \
              Contacts, Edit Contacts and, for `destinations test`, View Custom Fields.",
    },
    Key {
        name: "location_id",
        form: Form::Text(LOCATION),
        preset: Preset::Required("\"ve9EPM428h8vShlRW1KT\""),
        doc: "The id of the sub-account (Settings, Business Profile, Location ID).",
    },
    Key {
        name: "endpoint",
        form: Form::Url(Shape::Endpoint),
        preset: Preset::Default("\"https://services.leadconnectorhq.com\""),
        doc: "Where to send.",
    },
    Key {
        name: "currency",
        form: Form::Text(CURRENCY),
        preset: Preset::Unset("\"eur\""),
        doc: "The currency of total_spent; each contact's first one unless given.",
    },
    Key {
        name: "fields",
        form: Form::Named("field", field_names, CUSTOM_FIELD),
        preset: Preset::Unset("{ \"contact.total_spent\" = \"total_spent\", \"contact.plan\" = \"pricing_tier\" }"),
        doc: "Custom fields by their id or unique key, and what goes into each. Create them first (Settings, Custom Fields): \
              `tallyhook destinations test` says which are missing.",
    },
    Key {
        name: "source",
        form: Form::TextOrNothing(SOURCE),
        preset: Preset::Default("\"tallyhook\""),
        doc: "The contact source of people that HighLevel has not heard of before, by which your workflows can tell who entered them; \
              \"\" leaves it alone. With anything but \"tallyhook\", contacts that are made come back from a HighLevel source as leads.",
    },
    Key {
        name: "echo",
        form: Form::Flag,
        preset: Preset::Default("false"),
        doc: "Whether events that came from this very sub-account are told to it as well. That easily goes round in circles.",
    },
];

const TOKEN: Check = |text| {
    // Both kinds of former and short-lived tokens are JSON Web Tokens.
    if text.starts_with("ey") && text.split('.').count() == 3 {
        return Err(Wrong::new("is a former API key, or an OAuth token that ends after a day")
            .but("make a private integration (Settings, Private Integrations); its token starts with pit-"));
    }
    Ok(())
};

const LOCATION: Check = |text| {
    let is_id = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if is_id && text.len() <= 64 {
        Ok(())
    } else {
        Err(Wrong::new("must be the id of a sub-account, of letters and digits").but(
            "HighLevel shows it under Settings, Business Profile, and in the address of its pages behind /location/",
        ))
    }
};

const CUSTOM_FIELD: Check = |text| {
    let is_key = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if is_key && (1..=200).contains(&text.len()) {
        Ok(())
    } else {
        Err(Wrong::new("must be a custom field's id or unique key like \"contact.total_spent\", without {{ }}")
            .but("HighLevel shows the key under Settings, Custom Fields"))
    }
};

const SOURCE: Check =
    |text| if text.len() <= 100 { Ok(()) } else { Err(Wrong::new("must not be longer than 100 bytes")) };

/// What the table says.
pub(in crate::config) fn read(section: &Section<'_>) -> gohighlevel::Settings {
    let fields: Vec<(String, String)> = section.get("fields");
    let mapped = |(place, field): (String, String)| {
        Some(gohighlevel::Mapped { field: Field::named(&field)?, place: gohighlevel::Place::of(&place) })
    };
    gohighlevel::Settings {
        token: secret(section, "token"),
        location_id: filled_in(section, "location_id"),
        endpoint: outgoing(section, section.find("endpoint"), "endpoint"),
        fields: fields.into_iter().filter_map(mapped).collect(),
        source: section.find::<String>("source").filter(|source| !source.is_empty()),
        echo: section.get("echo"),
        currency: currency(section),
    }
}
