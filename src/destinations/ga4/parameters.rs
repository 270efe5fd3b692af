//! Parameters of a GA4 event, kept within its limits and free of personal data while they are gathered.

use serde_json::{Map, Value};

use super::super::personal;
use super::validate::{VALUE_CHARS, is_id};

/// Parameters by name, with remarks on what was cut or left out.
#[derive(Default)]
pub struct Parameters {
    map: Map<String, Value>,
    notes: Vec<String>,
}

impl Parameters {
    /// Adds a text: nothing when it is absent or blank, cut at GA4's limit, left out when it holds personal data.
    pub fn text(&mut self, name: &str, value: Option<&str>) {
        let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else { return };
        let found = if is_id(name) { personal::find_in_id(value) } else { personal::find(value) };
        if let Some(found) = found {
            self.notes.push(format!("`{name}` was left out: it holds {}, which GA4's policy forbids", found.name()));
            return;
        }
        if value.chars().count() > VALUE_CHARS {
            self.notes.push(format!("`{name}` was cut to GA4's {VALUE_CHARS} characters"));
        }
        self.map.insert(name.to_owned(), Value::String(value.chars().take(VALUE_CHARS).collect()));
    }

    /// Adds a number.
    pub fn number(&mut self, name: &str, value: Value) {
        self.map.insert(name.to_owned(), value);
    }

    /// Whether there is none yet.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// The parameters, and what had to be done to them.
    pub fn into_parts(self) -> (Map<String, Value>, Vec<String>) {
        (self.map, self.notes)
    }
}
