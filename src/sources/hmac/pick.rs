//! Where a value stands in a message: header fields, the address, JSON pointers into the body.
//!
//! A pick is written as alternatives of which the first that is there counts: `header:x-topic|/meta/topic`. A question mark at the
//! end says that it may be missing. In a pointer `name=value` picks an element of a list by what it says.

use std::fmt;

use serde_json::Value;

use crate::model::envelope::Envelope;
use crate::sources::Headers as _;

/// The longest value that is taken, in bytes.
const LONGEST: usize = 1024;

/// One place.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// A header field, in lower case.
    Header(String),
    /// A JSON pointer into the body (RFC 6901).
    Pointer(String),
    /// What the address names, `?event=`.
    Address,
}

/// Places of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    places: Vec<Place>,
    /// Whether it may be missing.
    pub optional: bool,
}

/// A text that is no pick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be made of places like \"/data/id\" (a JSON pointer), \"header:X-Topic\" or \"query:event\", parted by |"
)]
pub struct NotAPick;

impl Pick {
    /// Reads one.
    ///
    /// # Errors
    /// When the text is of another form.
    pub fn parse(text: &str) -> Result<Self, NotAPick> {
        let (text, optional) = text.strip_suffix('?').map_or((text, false), |text| (text, true));
        let places = text.split('|').map(place).collect::<Result<_, _>>()?;
        Ok(Self { places, optional })
    }

    /// The header fields it reads.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.places.iter().filter_map(|place| match place {
            Place::Header(name) => Some(name.as_str()),
            Place::Pointer(_) | Place::Address => None,
        })
    }

    /// The first pointer, if it reads the body.
    pub(super) fn pointer(&self) -> Option<&str> {
        self.places.iter().find_map(|place| match place {
            Place::Pointer(pointer) => Some(pointer.as_str()),
            Place::Header(_) | Place::Address => None,
        })
    }

    /// The value as text: of the first place where there is one.
    pub fn read(&self, envelope: &Envelope, body: &Value) -> Option<String> {
        self.places.iter().find_map(|place| place.read(envelope, body)).filter(|value| value.len() <= LONGEST)
    }
}

impl Place {
    fn read(&self, envelope: &Envelope, body: &Value) -> Option<String> {
        let text = match self {
            Self::Header(name) => std::str::from_utf8(envelope.values(name).first()?).ok()?.trim().to_owned(),
            Self::Address => envelope.event.clone()?,
            Self::Pointer(pointer) => match at(body, pointer)? {
                Value::String(text) => text.trim().to_owned(),
                Value::Number(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            },
        };
        (!text.is_empty()).then_some(text)
    }
}

/// What is at a JSON pointer. In a list, `name=value` instead of a number is the first element that says so, `a.b=value` one that says
/// so further inside: `/answers/type=email/email`.
pub(super) fn at<'v>(body: &'v Value, pointer: &str) -> Option<&'v Value> {
    if !pointer.contains('=') {
        return body.pointer(pointer);
    }
    pointer.split('/').skip(1).try_fold(body, |at, part| {
        let name = part.replace("~1", "/").replace("~0", "~");
        match at {
            Value::Array(items) => match name.split_once('=') {
                Some((path, wanted)) => items.iter().find(|item| says(item, path, wanted)),
                None => items.get(name.parse::<usize>().ok()?),
            },
            inside => inside.get(name.as_str()),
        }
    })
}

fn says(item: &Value, path: &str, wanted: &str) -> bool {
    let found = path.split('.').try_fold(item, |at, name| at.get(name));
    match found {
        Some(Value::String(text)) => text == wanted,
        Some(other) => {
            let text = other.to_string();
            text == wanted
        }
        None => false,
    }
}

fn place(text: &str) -> Result<Place, NotAPick> {
    if text == "query:event" {
        return Ok(Place::Address);
    }
    if let Some(name) = text.strip_prefix("header:") {
        return if is_field_name(name) { Ok(Place::Header(name.to_ascii_lowercase())) } else { Err(NotAPick) };
    }
    if text.starts_with('/') { Ok(Place::Pointer(text.to_owned())) } else { Err(NotAPick) }
}

/// Whether a text can be the name of a header field (RFC 9110, 5.6.2), and not of one that holds a secret.
pub fn is_field_name(name: &str) -> bool {
    let secret = ["authorization", "cookie", crate::sources::token::HEADER];
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
        && !secret.contains(&name.to_ascii_lowercase().as_str())
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, place) in self.places.iter().enumerate() {
            if at > 0 {
                f.write_str(" or ")?;
            }
            match place {
                Place::Header(name) => write!(f, "the header {name}")?,
                Place::Pointer(pointer) => write!(f, "{pointer} in the body")?,
                Place::Address => f.write_str("event in the address")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_place_with_a_value_counts() {
        let envelope = Envelope { headers: vec![("x-topic".into(), b" a/b ".to_vec())], event: Some("made".into()) };
        let body = json!({"id": 7, "t": {"a~b": [null, "x"]}, "no": null, "blank": " ", "yes": true, "list": []});
        let read = |text: &str| Pick::parse(text).unwrap().read(&envelope, &body);
        assert_eq!(read("/id").as_deref(), Some("7"));
        assert_eq!(read("/no|/blank|/list|/t/a~0b/1?").as_deref(), Some("x"));
        assert_eq!(read("header:X-Topic|/id").as_deref(), Some("a/b"));
        assert_eq!(read("header:x-other|query:event").as_deref(), Some("made"));
        assert_eq!(read("/yes").as_deref(), Some("true"));
        assert_eq!(read("/t/a~0b/0"), None);
        assert_eq!(Pick::parse("/id?").map(|pick| pick.optional), Ok(true));
    }

    #[test]
    fn an_element_of_a_list_is_found_by_what_it_says() {
        let body = json!({"answers": [
            {"type": "text", "text": "Ada", "field": {"ref": "name"}}, {"type": "email", "email": "ada@example.com", "n": 2},
        ], "a=b": {"c": 1}});
        let read = |text: &str| Pick::parse(text).unwrap().read(Envelope::EMPTY, &body);
        assert_eq!(read("/answers/type=email/email").as_deref(), Some("ada@example.com"));
        assert_eq!(read("/answers/field.ref=name/text").as_deref(), Some("Ada"));
        assert_eq!(read("/answers/n=2/email").as_deref(), Some("ada@example.com"));
        assert_eq!(read("/answers/type=phone/phone"), None);
        assert_eq!(read("/a=b/c").as_deref(), Some("1"), "a name may hold the sign itself");
    }

    #[test]
    fn other_texts_are_no_picks() {
        for text in
            ["", "id", "header:", "header:a b", "/a||/b", "query:token", "header:Authorization", "header:cookie"]
        {
            assert_eq!(Pick::parse(text), Err(NotAPick), "{text}");
        }
    }
}
