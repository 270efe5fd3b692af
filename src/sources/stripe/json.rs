//! JSON read leniently: anything may be missing, null or of another type, and then simply isn't there.
//!
//! Strings borrow from the body where they can, and objects stay lists, because an event is read once and looked up a few
//! dozen times.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    /// A fraction, or a whole number beyond 64 bits.
    OtherNumber,
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// Reads a document. The reader's own limit of 128 levels keeps deep nesting from exhausting the stack.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// What is at a path like `lines.data.0.price`; none when any part is missing or the value is null.
    pub fn at(&self, path: &str) -> Option<&Self> {
        let mut value = self;
        for part in path.split('.') {
            value = match value {
                // Of two equal names the last counts, as in most readers.
                Self::Object(fields) => fields.iter().rev().find(|(name, _)| name == part).map(|(_, value)| value)?,
                Self::List(items) => items.get(part.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        (*value != Self::Null).then_some(value)
    }

    /// Whether this object has a field of that name, be it null.
    pub fn gives(&self, name: &str) -> bool {
        matches!(self, Self::Object(fields) if fields.iter().any(|(known, _)| known == name))
    }

    /// The text at a path.
    pub fn text(&self, path: &str) -> Option<&str> {
        match self.at(path)? {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number at a path.
    pub fn integer(&self, path: &str) -> Option<i64> {
        match self.at(path)? {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value at a path.
    pub fn boolean(&self, path: &str) -> Option<bool> {
        match self.at(path)? {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The list at a path; empty when there is none.
    pub fn list(&self, path: &str) -> &[Json<'a>] {
        match self.at(path) {
            Some(Self::List(items)) => items,
            _ => &[],
        }
    }

    /// The id at a path, where there may be an id or the whole object that has it (Stripe: expanding responses).
    pub fn id(&self, path: &str) -> Option<&str> {
        match self.at(path)? {
            Self::Text(text) => usable_id(text),
            object @ Self::Object(_) => usable_id(object.text("id")?),
            _ => None,
        }
    }
}

/// The text, when it can serve as an id: 1 to 255 characters (Stripe: id fields), none of them a control character.
pub(super) fn usable_id(text: &str) -> Option<&str> {
    let usable = !text.is_empty() && text.chars().count() <= 255 && !text.chars().any(char::is_control);
    usable.then_some(text)
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Json::OtherNumber, Json::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Json::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some((Name(name), value)) = access.next_entry()? {
            fields.push((name, value));
        }
        Ok(Json::Object(fields))
    }
}

/// The name of a field, borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameText)
    }
}

struct NameText;

impl<'de> Visitor<'de> for NameText {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Name(Cow::Owned(value.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_through_objects_and_lists() {
        let json = Json::parse(r#"{"a":{"b":[{"c":"deep"},7]},"n":null,"t":true,"twice":1,"twice":2}"#).unwrap();
        assert_eq!(json.text("a.b.0.c"), Some("deep"));
        assert_eq!(json.integer("a.b.1"), Some(7));
        assert_eq!(json.boolean("t"), Some(true));
        assert_eq!(json.integer("twice"), Some(2));
        assert_eq!(json.list("a.b").len(), 2);
        for missing in ["n", "a.b.2", "a.b.x", "a.x.c", "t.a", "", "a.b.0.c.d"] {
            assert_eq!(json.at(missing), None, "{missing}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_not_there() {
        let json = Json::parse(r#"{"a":"1","b":1.5,"c":9223372036854775808,"d":[],"e":9223372036854775807}"#).unwrap();
        assert_eq!([json.integer("a"), json.integer("b"), json.integer("c")], [None; 3]);
        assert_eq!(json.integer("e"), Some(i64::MAX));
        assert_eq!(json.text("d"), None);
        assert!(json.list("a").is_empty());
    }

    #[test]
    fn an_id_may_be_expanded() {
        let json = Json::parse(r#"{"a":"in_1","b":{"id":"in_2"},"c":{"id":""},"d":{"id":3},"e":"in\u0000"}"#).unwrap();
        assert_eq!((json.id("a"), json.id("b")), (Some("in_1"), Some("in_2")));
        assert_eq!([json.id("c"), json.id("d"), json.id("e"), json.id("f")], [None; 4]);
        let (longest, too_long) = ("é".repeat(255), "é".repeat(256));
        assert_eq!((usable_id(&longest), usable_id(&too_long)), (Some(longest.as_str()), None));
    }

    #[test]
    fn plain_strings_are_not_copied() {
        let json = Json::parse(r#"["plain","esc\taped"]"#).unwrap();
        let Json::List(items) = json else { panic!("a list") };
        assert!(matches!(&items[0], Json::Text(Cow::Borrowed("plain"))));
        assert!(matches!(&items[1], Json::Text(Cow::Owned(text)) if text == "esc\taped"));
    }

    #[test]
    fn ten_thousand_levels_are_an_error_and_not_a_crash() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
            assert!(Json::parse(&deep).is_err());
        }
    }
}
