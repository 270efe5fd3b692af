//! Reading what the CRM answers: lists of contacts, and the id it gave one.

use serde_json::Value;

use crate::model::time::Timestamp;

/// A contact in the CRM's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The CRM's id.
    pub id: String,
    /// How many the list held; more than one is the CRM's to merge.
    pub of: usize,
}

/// The contact that a search found, the oldest of several; none when the CRM knows nobody.
///
/// # Errors
/// When the answer is no list, as a sentence. It then says nothing about whether there is somebody.
pub fn found(body: &[u8], external_id: &str) -> Result<Option<Listed>, &'static str> {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else { return Err("something that is not JSON") };
    let list = answer
        .as_array()
        .or_else(|| answer.get("contacts")?.as_array())
        .or_else(|| answer.get("data")?.as_array())
        .ok_or("JSON that is no list of contacts")?;
    if list.is_empty() {
        return Ok(None);
    }
    // A CRM that ignores the filter lists strangers; changing one of them would be worse than not knowing.
    let ours: Vec<&Value> = list.iter().filter(|contact| is_ours(contact, external_id)).collect();
    if ours.is_empty() {
        return Err("only contacts with another `external_id`: it does not filter by it");
    }
    let oldest = ours.iter().filter_map(|contact| Some((created_at(contact)?, *contact))).min_by_key(|(at, _)| *at);
    let chosen = oldest.map_or(ours[0], |(_, contact)| contact);
    let id = id_of(chosen).ok_or("a contact without an `id`")?;
    Ok(Some(Listed { id, of: ours.len() }))
}

/// The id in the answer to a `POST` or `PATCH`: in `id`, `contact.id` or `data.id`, a text or a number.
pub fn remote_id(body: &[u8]) -> Option<String> {
    id_of(&serde_json::from_slice::<Value>(body).ok()?)
}

fn id_of(value: &Value) -> Option<String> {
    [value.get("id"), value.pointer("/contact/id"), value.pointer("/data/id")].into_iter().flatten().find_map(as_id)
}

fn as_id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

fn is_ours(contact: &Value, external_id: &str) -> bool {
    match contact.get("external_id") {
        None | Some(Value::Null) => true,
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
        let one = Some(Listed { id: "7".into(), of: 1 });
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
                r#"[{"id":1,"external_id":"lead_2"}]"#,
                Err("only contacts with another `external_id`: it does not filter by it"),
            ),
        ] {
            assert_eq!(found(body.as_bytes(), "lead_1"), expected, "{body}");
        }
    }

    #[test]
    fn of_several_the_oldest_counts() {
        for (body, id) in [
            (r#"[{"id":"b","created_at":"2026-02-01T00:00:00Z"},{"id":"a","created_at":"2026-01-01T00:00:00Z"}]"#, "a"),
            (r#"[{"id":"b","createdAt":1700000000},{"id":"a","createdAt":1600000000}]"#, "a"),
            (r#"[{"id":"b"},{"id":"a"}]"#, "b"),
            (r#"[{"id":"b","created_at":"yesterday"},{"id":"a"}]"#, "b"),
            (r#"[{"id":"x","external_id":"other"},{"id":"a"},{"id":"b"}]"#, "a"),
        ] {
            assert_eq!(found(body.as_bytes(), "lead_1"), Ok(Some(Listed { id: id.into(), of: 2 })), "{body}");
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
            assert_eq!(remote_id(body.as_bytes()).as_deref(), id, "{body}");
        }
    }
}
