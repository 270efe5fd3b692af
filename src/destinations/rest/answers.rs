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
/// When the answer is no list, as a sentence. It then says nothing about whether there is somebody.
pub fn found(layout: &Layout, body: &[u8], field: &str, external_id: &str) -> Result<Option<Listed>, String> {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else { return Err("something that is not JSON".to_owned()) };
    let list = match &layout.list_pointer {
        Some(pointer) => answer
            .pointer(pointer)
            .and_then(Value::as_array)
            .ok_or_else(|| format!("JSON without a list at `list_pointer` {pointer:?}"))?,
        None => answer
            .as_array()
            .or_else(|| answer.get("contacts")?.as_array())
            .or_else(|| answer.get("data")?.as_array())
            .ok_or("JSON that is no list of contacts")?,
    };
    if list.is_empty() {
        return Ok(None);
    }
    // A CRM that ignores the filter lists strangers; changing one of them would be worse than not knowing.
    let ours: Vec<&Value> = list.iter().filter(|contact| is_ours(contact, field, external_id)).collect();
    if ours.is_empty() {
        return Err(format!("only contacts with another `{field}`: it does not filter by it"));
    }
    let oldest = ours.iter().enumerate().filter_map(|(at, contact)| Some((created_at(contact)?, at))).min();
    let oldest = oldest.map_or(0, |(_, at)| at);
    let lacks_id = || match &layout.id_pointer {
        Some(pointer) => format!("a contact without an id at `id_pointer` {pointer:?}"),
        None => "a contact without an `id`".to_owned(),
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

fn is_ours(contact: &Value, field: &str, external_id: &str) -> bool {
    match contact.get(field) {
        // Not every CRM tells it; one that does and has none here lists somebody who was made by others.
        None => true,
        Some(said) => as_id(said).as_deref() == Some(external_id),
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
            (r#"{"contacts":[{"id":"7"}]}"#, Ok(one.clone())),
            (r#"{"data":[{"id":7}],"meta":{}}"#, Ok(one.clone())),
            (r#"[{"id":7,"external_id":"lead_1"}]"#, Ok(one)),
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
            ("[{}]", Err("a contact without an `id`")),
            (r#"[{"id":""}]"#, Err("a contact without an `id`")),
            (
                r#"[{"id":1,"external_id":"lead_2"},{"id":2,"external_id":null}]"#,
                Err("only contacts with another `external_id`: it does not filter by it"),
            ),
        ] {
            let found = found(&Layout::default(), body.as_bytes(), "external_id", "lead_1");
            assert_eq!(found, expected.map_err(str::to_owned), "{body}");
        }
    }

    #[test]
    fn of_several_the_oldest_counts() {
        for (body, id, other) in [
            (
                r#"[{"id":"b","created_at":"2026-02-01T00:00:00Z"},{"id":"a","created_at":"2026-01-01T00:00:00Z"}]"#,
                "a",
                "b",
            ),
            (r#"[{"id":"b","createdAt":1700000000},{"id":"a","createdAt":1600000000}]"#, "a", "b"),
            (r#"[{"id":"b"},{"id":"a"}]"#, "b", "a"),
            (r#"[{"id":"b","created_at":"yesterday"},{"id":"a"}]"#, "b", "a"),
            (r#"[{"id":"x","external_id":"other"},{"id":"a"},{"id":"b"}]"#, "a", "b"),
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
        let layout = |list: &str, id: &str| Layout { list_pointer: Some(list.into()), id_pointer: Some(id.into()) };
        let deep = layout("/result/people", "/key/number");
        let found_in = |layout: &Layout, body: &str| found(layout, body.as_bytes(), "ref", "lead_1");
        let one = Ok(Some(Listed { id: "7".into(), others: Vec::new() }));
        assert_eq!(found_in(&deep, r#"{"result":{"people":[{"key":{"number":7},"ref":"lead_1"}]}}"#), one);
        assert_eq!(found_in(&layout("", "/uuid"), r#"[{"uuid":"7"}]"#), one);
        assert_eq!(found_in(&deep, r#"{"result":{"people":[]}}"#), Ok(None));
        assert!(found_in(&deep, r#"{"contacts":[]}"#).unwrap_err().contains("list_pointer"));
        assert!(found_in(&deep, r#"{"result":{"people":[{"id":7}]}}"#).unwrap_err().contains("id_pointer"));
        assert!(found_in(&layout("", "/uuid"), r#"[{"uuid":"7","ref":"x"}]"#).unwrap_err().contains("another `ref`"));
        for (body, id) in [
            (r#"{"key":{"number":7}}"#, Some("7")),
            (r#"{"data":{"key":{"number":"x"}},"id":1}"#, Some("x")),
            (r#"{"id":1}"#, None),
        ] {
            assert_eq!(remote_id(&deep, body.as_bytes()).as_deref(), id, "{body}");
        }
    }
}
