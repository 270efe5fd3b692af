//! A genuine body as JSON, and the events in it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::sources::InvalidPayload;

/// What a body holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// JSON, or a form as an object of texts.
    Readable(Value),
    /// JSON in order, but nested deeper than is read.
    TooDeep,
}

/// Reads a body: JSON, a form whose field `payload` holds JSON (GitHub), or any other form.
///
/// # Errors
/// When it is none of these.
pub fn read(body: &[u8]) -> Result<Content, InvalidPayload> {
    let text = text(body)?;
    match serde_json::from_str(text) {
        Ok(value) => Ok(Content::Readable(value)),
        // Skipping, other than reading, takes any depth; the reader has no other sign of its limit of 128 levels.
        Err(_) if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() => Ok(Content::TooDeep),
        // Its message has a line and a column, and nothing of the text.
        Err(error) => match form(text) {
            Some(fields) => Ok(Content::Readable(fields)),
            None => Err(InvalidPayload(format!("the body is not JSON: {error}"))),
        },
    }
}

/// The events of a body that holds a list of them at a pointer, each as it was written; none where there is no list.
///
/// # Errors
/// When the body is not JSON.
pub fn parts(body: &[u8], pointer: &str) -> Result<Option<Vec<Vec<u8>>>, InvalidPayload> {
    let text = text(body)?;
    let whole: &RawValue = match serde_json::from_str(text) {
        Ok(whole) => whole,
        // `read` says what is wrong with it.
        Err(_) => return Ok(None),
    };
    let mut at = whole;
    for name in pointer.split('/').skip(1) {
        let name = name.replace("~1", "/").replace("~0", "~");
        let Ok(fields) = serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(at.get()) else { return Ok(None) };
        match fields.get(name.as_str()) {
            Some(value) => at = value,
            None => return Ok(None),
        }
    }
    let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(at.get()) else { return Ok(None) };
    Ok(Some(items.into_iter().map(|item| item.get().as_bytes().to_vec()).collect()))
}

fn text(body: &[u8]) -> Result<&str, InvalidPayload> {
    std::str::from_utf8(body)
        .map_err(|error| InvalidPayload(format!("the body is not UTF-8 from byte {}", error.valid_up_to())))
}

/// A form (`application/x-www-form-urlencoded`); none for any other text.
fn form(text: &str) -> Option<Value> {
    let is_form =
        text.contains('=') && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"{}[]\"<>".contains(&byte));
    if !is_form {
        return None;
    }
    let mut fields = Map::new();
    for pair in text.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.insert(crate::sources::unescaped(name)?, Value::String(crate::sources::unescaped(value)?));
    }
    match fields.get("payload").and_then(Value::as_str).map(serde_json::from_str) {
        Some(Ok(inner @ Value::Object(_))) => Some(inner),
        _ => Some(Value::Object(fields)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(body: &str) -> Value {
        match read(body.as_bytes()) {
            Ok(Content::Readable(value)) => value,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn json_and_forms_are_read() {
        assert_eq!(value(r#"{"a":[1]}"#), json!({"a": [1]}));
        assert_eq!(value("payload=%7B%22action%22%3A%22opened%22%7D&x=1"), json!({"action": "opened"}));
        assert_eq!(value("a=1+2&b=%C3%A9&c"), json!({"a": "1 2", "b": "é", "c": ""}));
        for wrong in ["", "hello", "{", "a=%zz", "<x y=1>", "\u{1}"] {
            assert!(read(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        assert!(read(b"\xff{}").is_err());
        let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        assert_eq!(read(deep.as_bytes()), Ok(Content::TooDeep));
    }

    #[test]
    fn a_list_is_parted_as_it_was_written() {
        let told = |body: &str, pointer: &str| {
            let parts = parts(body.as_bytes(), pointer).unwrap()?;
            Some(parts.into_iter().map(|part| String::from_utf8(part).unwrap()).collect::<Vec<_>>())
        };
        let big = r#"[{"id": 1.50}, 12345678901234567890123]"#;
        assert_eq!(told(big, "").unwrap(), [r#"{"id": 1.50}"#, "12345678901234567890123"]);
        assert_eq!(told(r#"{"a/b":{"events":[{},{}]}}"#, "/a~1b/events").unwrap(), ["{}", "{}"]);
        assert_eq!(told(r#"{"events":{}}"#, "/events"), None);
        assert_eq!(told(r#"{"type":"one"}"#, "/events"), None);
        assert_eq!(told("nonsense", ""), None);
        assert_eq!(told("[]", ""), Some(Vec::new()));
    }
}
