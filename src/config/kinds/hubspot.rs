//! `kind = "hubspot"`, a destination.

use super::super::definitions::{Check, Form, Key, Preset, Shape};
use super::super::problem::Wrong;
use super::super::reader::Section;
use super::{CURRENCY, currency, field_names, outgoing, secret};
use crate::destinations::fields::Field;
use crate::destinations::hubspot;
use crate::destinations::hubspot::{DEFAULTS, STANDARD};

pub(in crate::config) const KEYS: &[Key] = &[
    Key {
        name: "access_token",
        form: Form::Secret(ACCESS_TOKEN),
        preset: Preset::Required("{ env = \"HUBSPOT_ACCESS_TOKEN\" }"),
        doc: "The access token of a private app (Settings, Integrations, Private Apps) with the scopes crm.objects.contacts.read, \
              crm.objects.contacts.write and crm.schemas.contacts.read.",
    },
    Key {
        name: "endpoint",
        form: Form::Url(Shape::Endpoint),
        preset: Preset::Default("\"https://api.hubapi.com\""),
        doc: "Where to send.",
    },
    Key {
        name: "currency",
        form: Form::Text(CURRENCY),
        preset: Preset::Unset("\"eur\""),
        doc: "The currency of total_spent; each contact's first one unless given.",
    },
    Key {
        name: "lead_stage",
        form: Form::TextOrNothing(STAGE),
        preset: Preset::Default("\"lead\""),
        doc: "The internal value of the lifecycle stage of a new contact that has bought nothing; \"\" leaves the stage alone.",
    },
    Key {
        name: "customer_stage",
        form: Form::TextOrNothing(STAGE),
        preset: Preset::Default("\"customer\""),
        doc: "The same for somebody who has bought or subscribed, from then on.",
    },
    Key {
        name: "properties",
        form: Form::Renamed("field", field_names, PROPERTY),
        preset: Preset::Unset(
            "{ total_spent = \"lifetime_value\", subscription_plan = \"plan\", utm_campaign = \"\" }",
        ),
        doc: "Internal names of the contact properties that take what HubSpot has no property for; \"\" leaves something out. Unless \
              given, external_id, lead_id, user_id, last_transaction_id, last_transaction_amount, last_transaction_date, total_spent, \
              utm_source, utm_campaign, pricing_tier, payment_method, lifecycle_stage and customer_since go to properties of the same \
              names with tallyhook_ before them. Create them first (Settings, Properties, Contact properties): `tallyhook destinations \
              test` says which are missing and of which type they must be.",
    },
];

/// HubSpot's API keys, which were of this form, ended in 2022 (HubSpot: changelog, API key sunset).
const ACCESS_TOKEN: Check = |text| {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    if parts == [8, 4, 4, 4, 12] {
        return Err(Wrong::new("is one of HubSpot's former API keys, which it no longer takes")
            .but("the access token of a private app starts with pat-"));
    }
    Ok(())
};

/// HubSpot: properties API, internal names are lower-case letters, digits and underscores, a letter first.
const PROPERTY: Check = |text| {
    if STANDARD.contains(&text) {
        return Err(Wrong::new("is a property that is filled in anyway").but("name one that was made for this"));
    }
    let first_is_letter = text.starts_with(|first: char| first.is_ascii_lowercase());
    if first_is_letter && is_internal(text) {
        Ok(())
    } else {
        Err(Wrong::new(
            "must be a property's internal name: at most 100 lower-case letters, digits and _ that begin with a letter",
        )
        .but("HubSpot shows it on the property's page, behind </>"))
    }
};

const STAGE: Check = |text| {
    if is_internal(text) {
        Ok(())
    } else {
        Err(Wrong::new("must be a stage's internal value, of lower-case letters, digits and _")
            .but("HubSpot shows it with the options of the property Lifecycle Stage"))
    }
};

fn is_internal(text: &str) -> bool {
    text.len() <= 100 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// What the table says.
pub(in crate::config) fn read(section: &Section<'_>) -> hubspot::Settings {
    let own: Vec<(String, String)> = section.get("properties");
    let defaults = DEFAULTS.into_iter().filter(|name| !own.iter().any(|(given, _)| given == name));
    let defaults = defaults.map(|name| (name.to_owned(), hubspot::default_property(name)));
    let mut mapped: Vec<hubspot::Mapped> = Vec::new();
    for (name, property) in own.iter().cloned().chain(defaults).filter(|(_, property)| !property.is_empty()) {
        let Some(field) = Field::named(&name) else { continue };
        if let Some(earlier) = mapped.iter().find(|earlier| earlier.property == property) {
            let wrong = format!("{name} is given the same property as {}", earlier.field.name);
            section.report("properties", Wrong::new(wrong).but("give each a property of its own, or one of them \"\""));
            continue;
        }
        mapped.push(hubspot::Mapped { field, property });
    }
    let stage = |name: &str| section.find::<String>(name).filter(|stage| !stage.is_empty());
    hubspot::Settings {
        access_token: secret(section, "access_token"),
        endpoint: outgoing(section, section.find("endpoint"), "endpoint"),
        rules: hubspot::Rules {
            mapped,
            lead_stage: stage("lead_stage"),
            customer_stage: stage("customer_stage"),
            currency: currency(section),
        },
    }
}
