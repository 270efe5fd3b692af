//! `kind = "hubspot"`, a destination.

use super::super::definitions::{Check, Form, Key, Preset, Shape};
use super::super::problem::Wrong;
use super::super::reader::Section;
use super::{CURRENCY, outgoing, secret};
use crate::destinations::hubspot;
use crate::destinations::hubspot::STANDARD;

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
        form: Form::Table(PROPERTIES),
        preset: Preset::Unset(""),
        doc: "Internal names of the contact properties that take what HubSpot has no property for; \"\" leaves something out. Create \
              them first (Settings, Properties, Contact properties): `tallyhook destinations test` says which are missing.",
    },
];

const fn property(name: &'static str, default: &'static str, doc: &'static str) -> Key {
    Key { name, form: Form::TextOrNothing(PROPERTY), preset: Preset::Default(default), doc }
}

const PROPERTIES: &[Key] = &[
    property("external_id", "\"tallyhook_external_id\"", "Text: the lead id, else our own id of the person."),
    property("lead_id", "\"tallyhook_lead_id\"", "Text."),
    property("user_id", "\"tallyhook_user_id\"", "Text."),
    property("last_transaction_id", "\"tallyhook_last_transaction_id\"", "Text: of the latest sale."),
    property("last_transaction_amount", "\"tallyhook_last_transaction_amount\"", "Number: in the sale's own currency."),
    property("last_transaction_date", "\"tallyhook_last_transaction_date\"", "Date."),
    property("total_spent", "\"tallyhook_total_spent\"", "Number: sales less refunds and lost disputes."),
    property("utm_source", "\"tallyhook_utm_source\"", "Text."),
    property("utm_campaign", "\"tallyhook_utm_campaign\"", "Text."),
    property("pricing_tier", "\"tallyhook_pricing_tier\"", "Text."),
    property("payment_method", "\"tallyhook_payment_method\"", "Text: card, sepa_debit and so on."),
    property("lifecycle_stage", "\"tallyhook_lifecycle_stage\"", "Text: lead, customer or churned."),
    property("customer_since", "\"tallyhook_customer_since\"", "Date."),
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
    let properties = section.table("properties");
    let mut mapped: Vec<hubspot::Mapped> = Vec::new();
    for field in hubspot::FIELDS {
        let property: String = properties.get(field.name);
        if property.is_empty() {
            continue;
        }
        if let Some(earlier) = mapped.iter().find(|earlier| earlier.property == property) {
            let wrong = Wrong::new(format!("is the same property as that of {}", earlier.field.name));
            properties.report(field.name, wrong.but("give each a property of its own, or one of them \"\""));
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
            currency: section.find::<String>("currency").and_then(|code| code.parse().ok()),
        },
    }
}
