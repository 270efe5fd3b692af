//! A body read leniently: anything may be missing, null, empty or of another type, and then simply isn't there.

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::money::{Currency, Money};
use crate::model::time::Timestamp;
use crate::sources::tags::yes_or_no;

/// The longest text that is taken, in characters; names and campaigns are held to it too.
const LONGEST_TEXT: usize = 500;

/// The outside of a body whose inside is deeper or larger than is read.
#[derive(Deserialize)]
pub(super) struct Outer {
    /// `webhookId`.
    #[serde(rename = "webhookId", default)]
    pub webhook_id: Option<String>,
    /// `type`.
    #[serde(rename = "type", default)]
    pub event_type: Option<String>,
    /// `locationId`.
    #[serde(rename = "locationId", default)]
    pub location_id: Option<String>,
}

/// Reads only the outside.
pub(super) fn outer(body: &[u8]) -> Option<Outer> {
    serde_json::from_slice(body).ok()
}

/// A body, or the part of it that tells of an object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Body {
    all: Value,
    /// Whether the object's fields stand in `data`, as HighLevel's guide has it, and not at the top, as they really come.
    nested: bool,
}

impl Body {
    /// Reads a document. The reader's own limit of 128 levels keeps deep nesting from exhausting the stack.
    pub(super) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let all: Value = serde_json::from_str(text)?;
        let nested = all.get("data").is_some_and(Value::is_object);
        Ok(Self { all, nested })
    }

    /// Whether it is an object at all.
    pub(super) const fn is_object(&self) -> bool {
        matches!(self.all, Value::Object(_))
    }

    /// What is at a path like `/appointment/id`, in the object's fields or beside them; null and empty texts are nothing.
    pub(super) fn at(&self, path: &str) -> Option<&Value> {
        let inner = self.nested.then(|| self.all.get("data")?.pointer(path)).flatten();
        inner
            .filter(|value| says_something(value))
            .or_else(|| self.all.pointer(path).filter(|value| says_something(value)))
    }

    /// The text at a path, trimmed and cut.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        text(self.at(path)?)
    }

    /// The same of the first path at which there is one.
    pub(super) fn first(&self, paths: &[&str]) -> Option<&str> {
        paths.iter().find_map(|path| self.text(path))
    }

    /// The id at a path: 1 to 255 characters, none of them a control character.
    pub(super) fn id(&self, path: &str) -> Option<&str> {
        self.text(path).filter(|id| id.chars().count() <= 255 && !id.chars().any(char::is_control))
    }

    /// The moment at a path, in RFC 3339.
    pub(super) fn moment(&self, path: &str) -> Option<Timestamp> {
        self.text(path)?.parse().ok()
    }

    /// Yes or no at a path, also as text.
    pub(super) fn flag(&self, path: &str) -> Option<bool> {
        match self.at(path)? {
            Value::Bool(flag) => Some(*flag),
            Value::String(text) => yes_or_no(text),
            _ => None,
        }
    }

    /// The list at a path.
    pub(super) fn list(&self, path: &str) -> &[Value] {
        self.at(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Money in major units at a path, exactly; none with why where it is no amount of this currency.
    pub(super) fn money(&self, path: &str, currency: Currency) -> Result<Money, &'static str> {
        money(self.at(path), currency)
    }

    /// Whose location: orders and invoices name it as `altId` (HighLevel: webhook events), workflows in a block of its own.
    pub(super) fn location(&self) -> Option<&str> {
        self.id("/locationId").or_else(|| self.id("/altId")).or_else(|| self.id("/location/id"))
    }

    /// The texts at a path, both beside the object's fields and among them.
    pub(super) fn ids(&self, path: &str) -> impl Iterator<Item = &str> {
        let inner = self.nested.then(|| self.all.get("data")?.pointer(path)).flatten();
        [self.all.pointer(path), inner].into_iter().flatten().filter_map(text)
    }

    /// A name for the body, the same for every way of writing it down: the order of names and the spaces don't count.
    pub(super) fn digest(&self) -> String {
        let mut canonical = String::new();
        write_canonical(&self.all, &mut canonical);
        hex::encode(&Sha256::digest(canonical)[..16])
    }
}

fn says_something(value: &Value) -> bool {
    !value.is_null() && value.as_str().is_none_or(|text| !text.trim().is_empty())
}

/// A value's text, trimmed and cut.
pub(super) fn text(value: &Value) -> Option<&str> {
    let text = value.as_str()?.trim();
    let end = text.char_indices().nth(LONGEST_TEXT).map_or(text.len(), |(end, _)| end);
    Some(&text[..end]).filter(|text| !text.is_empty())
}

/// Money in major units: a number, or a text that is one.
pub(super) fn money(value: Option<&Value>, currency: Currency) -> Result<Money, &'static str> {
    let digits = match value.ok_or("is absent")? {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return Err("is no number"),
    };
    let money = Money::from_major(&digits, currency).ok_or("is no amount of its currency")?;
    if money.minor < 0 { Err("is negative") } else { Ok(money) }
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.iter().collect();
            names.sort_by_key(|(name, _)| *name);
            out.push('{');
            for (name, value) in names {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(value, out);
                out.push(',');
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}
