//! Reading what the CRM answers: lists of contacts, and the id it gave one.

use serde_json::Value;

use crate::model::time::Timestamp;

/// Where things stand in the CRM's answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The list in the answer to a search, as a JSON pointer (RFC 6901); none looks for `contacts`, `data`, or a bare list.
    pub list_pointer: Option<String>,
    /// The id in a contact, as a JSON pointer; none looks for `id`.
    pub id_pointer: Option<String>,
    /// The external id in a contact, as a JSON pointer; none looks for the field that it is written to.
    pub external_id_pointer: Option<String>,
}

/// Why an answer to a search tells neither who is there nor that nobody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// It is no list, or one of strangers: what was answered, as words that follow "with". The next answer may be another.
    Answer(String),
    /// No contact of the list tells its external id, so that nobody knows whose they are. Only the CRM or the configuration can
    /// mend that.
    Nameless,
}

/// Contacts that a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The CRM's id of the oldest.
    pub id: String,
    /// Those of the others, which are the CRM's to merge.
    pub others: Vec<String>,
}

/// The contacts that a search found; none when the CRM knows nobody. `field` is what the CRM calls the external id.
///
/// # Errors
/// When the answer says nothing about whether there is somebody.
pub fn found(layout: &Layout, body: &[u8], field: &str, external_id: &str) -> Result<Option<Listed>, Unclear> {
    let unclear = |what: &str| Unclear::Answer(what.to_owned());
    let Ok(answer) = serde_json::from_slice::<Value>(body) else { return Err(unclear("something that is not JSON")) };
    let list = match &layout.list_pointer {
        Some(pointer) => answer
            .pointer(pointer)
            .and_then(Value::as_array)
            .ok_or_else(|| Unclear::Answer(format!("JSON without a list at `list_pointer` {pointer:?}")))?,
        None => answer
            .as_array()
            .or_else(|| answer.get("contacts")?.as_array())
            .or_else(|| answer.get("data")?.as_array())
            .ok_or_else(|| unclear("JSON that is no list of contacts"))?,
    };
    if list.is_empty() {
        return Ok(None);
    }
    // A CRM that ignores the filter lists strangers; changing one of them would be worse than not knowing.
    let told: Vec<(&Value, &Value)> =
        list.iter().filter_map(|contact| Some((contact, external_id_of(layout, contact, field)?))).collect();
    let is_ours = |said: &Value| as_id(said).as_deref() == Some(external_id);
    let ours: Vec<&Value> = told.iter().filter(|(_, said)| is_ours(said)).map(|(contact, _)| *contact).collect();
    if ours.is_empty() {
        return Err(if told.is_empty() {
            Unclear::Nameless
        } else {
            Unclear::Answer(format!("only contacts with another `{field}`: it does not filter by it"))
        });
    }
    let oldest = ours.iter().enumerate().filter_map(|(at, contact)| Some((created_at(contact)?, at))).min();
    let oldest = oldest.map_or(0, |(_, at)| at);
    let lacks_id = || match &layout.id_pointer {
        Some(pointer) => Unclear::Answer(format!("a contact without an id at `id_pointer` {pointer:?}")),
        None => unclear("a contact without an `id`"),
    };
    let id = id_of(layout, ours[oldest]).ok_or_else(lacks_id)?;
    let others = ours.iter().enumerate().filter(|(at, _)| *at != oldest);
    let others = others.filter_map(|(_, contact)| id_of(layout, contact)).filter(|other| *other != id).collect();
    Ok(Some(Listed { id, others }))
}

/// The id in the answer to a `POST`: in the contact itself, or in one within `contact` or `data`, a text or a number.
pub fn remote_id(layout: &Layout, body: &[u8]) -> Option<String> {
    id_of(layout, &serde_json::from_slice::<Value>(body).ok()?)
}

fn id_of(layout: &Layout, value: &Value) -> Option<String> {
    let pointer = layout.id_pointer.as_deref().unwrap_or("/id");
    let within = [Some(value), value.get("contact"), value.get("data")];
    within.into_iter().flatten().filter_map(|contact| contact.pointer(pointer)).find_map(as_id)
}

fn as_id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

fn external_id_of<'v>(layout: &Layout, contact: &'v Value, field: &str) -> Option<&'v Value> {
    match &layout.external_id_pointer {
        Some(pointer) => contact.pointer(pointer),
        None => contact.get(field),
    }
}

/// When the CRM says that it made the contact: RFC 3339, or a Unix time.
fn created_at(contact: &Value) -> Option<Timestamp> {
    let said = contact.get("created_at").or_else(|| contact.get("createdAt"))?;
    match said {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64().map(Timestamp::from_millis),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms_of_lists_are_read_and_nothing_else() {
        let one = Some(Listed { id: "7".into(), others: Vec::new() });
        for (body, expected) in [
            (r#"{"contacts":[{"id":"7","external_id":"lead_1"}]}"#, Ok(one.clone())),
            (r#"{"data":[{"id":7,"external_id":"lead_1"}],"meta":{}}"#, Ok(one.clone())),
            (r#"[{"id":7,"external_id":"lead_1"}]"#, Ok(one.clone())),
            (r#"[{"id":1},{"id":7,"external_id":"lead_1"},{"id":2}]"#, Ok(one)),
            ("[]", Ok(None)),
            (r#"{"contacts":[]}"#, Ok(None)),
            (r#"{"data":[]}"#, Ok(None)),
            ("", Err("something that is not JSON")),
            ("<html>", Err("something that is not JSON")),
            ("[{\"id\":7}", Err("something that is not JSON")),
            ("null", Err("JSON that is no list of contacts")),
            ("{}", Err("JSON that is no list of contacts")),
            (r#"{"id":7}"#, Err("JSON that is no list of contacts")),
            (r#"{"contacts":{"id":7}}"#, Err("JSON that is no list of contacts")),
            (r#"[{"external_id":"lead_1"}]"#, Err("a contact without an `id`")),
            (r#"[{"id":"","external_id":"lead_1"}]"#, Err("a contact without an `id`")),
            (
                r#"[{"id":1,"external_id":"lead_2"},{"id":2,"external_id":null}]"#,
                Err("only contacts with another `external_id`: it does not filter by it"),
            ),
        ] {
            let found = found(&Layout::default(), body.as_bytes(), "external_id", "lead_1");
            assert_eq!(found, expected.map_err(|what| Unclear::Answer(what.to_owned())), "{body}");
        }
    }

    #[test]
    fn a_contact_that_does_not_tell_its_external_id_is_nobodys() {
        for body in
            [r#"[{"id":7}]"#, r#"{"contacts":[{"id":1},{"id":2}]}"#, "[{}]", r#"[{"id":7,"fields":{"ref":"x"}}]"#]
        {
            let found = found(&Layout::default(), body.as_bytes(), "external_id", "lead_1");
            assert_eq!(found, Err(Unclear::Nameless), "{body}");
        }
        let layout = Layout { external_id_pointer: Some("/fields/ref".into()), ..Layout::default() };
        let told = br#"[{"id":7,"fields":{"ref":12}}]"#;
        let one = Some(Listed { id: "7".into(), others: Vec::new() });
        assert_eq!(found(&layout, told, "external_id", "12"), Ok(one), "a number is compared as it is written");
        let flat = br#"[{"id":7,"external_id":"12"}]"#;
        assert_eq!(found(&layout, flat, "external_id", "12"), Err(Unclear::Nameless), "it stands where it is said to");
    }

    #[test]
    fn of_several_the_oldest_counts() {
        for (body, id, other) in [
            (
                r#"[{"external_id":"lead_1","id":"b","created_at":"2026-02-01T00:00:00Z"},{"external_id":"lead_1","id":"a","created_at":"2026-01-01T00:00:00Z"}]"#,
                "a",
                "b",
            ),
            (
                r#"[{"external_id":"lead_1","id":"b","createdAt":1700000000},{"external_id":"lead_1","id":"a","createdAt":1600000000}]"#,
                "a",
                "b",
            ),
            (r#"[{"external_id":"lead_1","id":"b"},{"external_id":"lead_1","id":"a"}]"#, "b", "a"),
            (
                r#"[{"external_id":"lead_1","id":"b","created_at":"yesterday"},{"external_id":"lead_1","id":"a"}]"#,
                "b",
                "a",
            ),
            (
                r#"[{"id":"x","external_id":"other"},{"external_id":"lead_1","id":"a"},{"external_id":"lead_1","id":"b"}]"#,
                "a",
                "b",
            ),
        ] {
            let found = found(&Layout::default(), body.as_bytes(), "external_id", "lead_1");
            assert_eq!(found, Ok(Some(Listed { id: id.into(), others: vec![other.into()] })), "{body}");
        }
    }

    #[test]
    fn ids_are_texts_or_whole_numbers() {
        for (body, id) in [
            (r#"{"id":"c_9"}"#, Some("c_9")),
            (r#"{"id":18446744073709551615}"#, Some("18446744073709551615")),
            (r#"{"contact":{"id":"c_9"}}"#, Some("c_9")),
            (r#"{"data":{"id":5}}"#, Some("5")),
            (r#"{"id":null,"data":{"id":5}}"#, Some("5")),
            (r#"{"id":1.5}"#, None),
            ("", None),
            ("ok", None),
        ] {
            assert_eq!(remote_id(&Layout::default(), body.as_bytes()).as_deref(), id, "{body}");
        }
    }

    #[test]
    fn lists_and_ids_are_found_where_the_configuration_says() {
        let layout = |list: &str, id: &str| Layout {
            list_pointer: Some(list.into()),
            id_pointer: Some(id.into()),
            ..Layout::default()
        };
        let complaint = |layout: &Layout, body: &str| match found(layout, body.as_bytes(), "ref", "lead_1") {
            Err(Unclear::Answer(what)) => what,
            other => panic!("{body}: {other:?}"),
        };
        let deep = layout("/result/people", "/key/number");
        let found_in = |layout: &Layout, body: &str| found(layout, body.as_bytes(), "ref", "lead_1");
        let one = Ok(Some(Listed { id: "7".into(), others: Vec::new() }));
        assert_eq!(found_in(&deep, r#"{"result":{"people":[{"key":{"number":7},"ref":"lead_1"}]}}"#), one);
        assert_eq!(found_in(&layout("", "/uuid"), r#"[{"uuid":"7","ref":"lead_1"}]"#), one);
        assert_eq!(found_in(&deep, r#"{"result":{"people":[]}}"#), Ok(None));
        assert!(complaint(&deep, r#"{"contacts":[]}"#).contains("list_pointer"));
        assert!(complaint(&deep, r#"{"result":{"people":[{"id":7,"ref":"lead_1"}]}}"#).contains("id_pointer"));
        assert!(complaint(&layout("", "/uuid"), r#"[{"uuid":"7","ref":"x"}]"#).contains("another `ref`"));
        for (body, id) in [
            (r#"{"key":{"number":7}}"#, Some("7")),
            (r#"{"data":{"key":{"number":"x"}},"id":1}"#, Some("x")),
            (r#"{"id":1}"#, None),
        ] {
            assert_eq!(remote_id(&deep, body.as_bytes()).as_deref(), id, "{body}");
        }
    }
}
