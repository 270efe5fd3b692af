//! `kind = "rest"`, a destination.

use super::super::definitions::{Check, Form, Key, Preset, Shape, any};
use super::super::problem::Wrong;
use super::super::reader::Section;
use super::{CURRENCY, currency, field_names, outgoing, secret};
use crate::destinations::{Method, rest};

pub(in crate::config) const KEYS: &[Key] = &[
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
    Key {
        name: "contacts_path",
        form: Form::Text(PATH),
        preset: Preset::Default("\"/contacts\""),
        doc: "Where contacts are below base_url: searched with GET, made with POST, changed with the CRM's id behind it.",
    },
    Key {
        name: "search_parameter",
        form: Form::Text(PARAMETER),
        preset: Preset::Default("\"external_id\""),
        doc: "The query parameter in which a search gives the external id.",
    },
    Key {
        name: "update_method",
        form: Form::Choice(&["patch", "put"], &[]),
        preset: Preset::Default("\"patch\""),
        doc: "How a contact is changed. \"put\" only where the CRM keeps what such a request leaves out.",
    },
    Key {
        name: "list_pointer",
        form: Form::TextOrNothing(POINTER),
        preset: Preset::Unset("\"/result/contacts\""),
        doc: "Where the list stands in the answer to a search, as a JSON pointer; \"\" is the whole answer. Unless given: a bare list, or \
              one in contacts or data.",
    },
    Key {
        name: "id_pointer",
        form: Form::Text(POINTER),
        preset: Preset::Unset("\"/contact_id\""),
        doc: "Where the CRM's id stands in a contact, as a JSON pointer; in id unless given.",
    },
    Key {
        name: "external_id_pointer",
        form: Form::Text(POINTER),
        preset: Preset::Unset("\"/properties/external_id\""),
        doc: "Where the external id stands in a contact that the CRM lists, as a JSON pointer; in the field that it is written to unless \
              given.",
    },
    Key {
        name: "fields",
        form: Form::Named("field", contents, NAME),
        preset: Preset::Unset(
            "{ ref = \"external_id\", mail = \"email\", revenue = \"total_spent\", labels = \"tags\" }",
        ),
        doc: "The fields of a contact's body: what the CRM calls them, and what goes into each. With it nothing else is sent; without it \
              the fields are called as here.",
    },
];

fn contents() -> Vec<&'static str> {
    [field_names(), vec![rest::Content::TAGS]].concat()
}

const PATH: Check = |text| {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'\\'));
    if text.starts_with('/') && text.len() > 1 && is_plain {
        Ok(())
    } else {
        Err(Wrong::new("must be a path below base_url that begins with /, without ? or #"))
    }
};

const PARAMETER: Check = |text| {
    if text.len() <= 100 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]$".contains(&byte)) {
        Ok(())
    } else {
        Err(Wrong::new("must be the name of a query parameter: letters, digits and _ - . [ ] $"))
    }
};

/// RFC 6901, 3: every part begins with a slash, and a tilde only stands before 0 or 1.
const POINTER: Check = |text| {
    let tildes_are_right = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
    if text.starts_with('/') && tildes_are_right {
        Ok(())
    } else {
        Err(Wrong::new("must be a JSON pointer like \"/data/contacts\": every part begins with /"))
    }
};

const NAME: Check = |text| {
    if !text.is_empty() && text.len() <= 200 { Ok(()) } else { Err(Wrong::new("must be a name of 1 to 200 bytes")) }
};

/// What the table says.
pub(in crate::config) fn read(section: &Section<'_>) -> rest::Settings {
    rest::Settings {
        base_url: outgoing(section, section.find("base_url"), "base_url"),
        api_key: secret(section, "api_key"),
        contacts_path: section.get("contacts_path"),
        search_parameter: section.get("search_parameter"),
        update_method: if section.get::<String>("update_method") == "put" { Method::Put } else { Method::Patch },
        layout: rest::Layout {
            list_pointer: section.find("list_pointer"),
            id_pointer: section.find("id_pointer"),
            external_id_pointer: section.find("external_id_pointer"),
        },
        fields: fields(section),
        currency: currency(section),
    }
}

fn fields(section: &Section<'_>) -> Vec<rest::Mapped> {
    let Some(pairs) = section.find::<Vec<(String, String)>>("fields") else { return rest::standard() };
    if !pairs.iter().any(|(_, content)| content == "external_id") {
        section.report(
            "fields",
            Wrong::new("has no place for external_id, by which contacts are found again")
                .but("add for example external_id = \"external_id\""),
        );
    }
    let mapped =
        |(name, content): (String, String)| Some(rest::Mapped { name, content: rest::Content::named(&content)? });
    pairs.into_iter().filter_map(mapped).collect()
}
