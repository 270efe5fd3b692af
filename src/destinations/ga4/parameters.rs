//! Parameters of a GA4 event, kept within its limits and free of personal data while they are gathered.

use serde_json::{Map, Value};

use super::person::{Form, Guard};
use super::validate::{VALUE_CHARS, is_id};

/// Parameters by name, with remarks on what was cut or left out.
pub struct Parameters<'g> {
    guard: &'g Guard,
    map: Map<String, Value>,
    notes: Vec<String>,
}

impl<'g> Parameters<'g> {
    /// None yet; what is told is checked by the guard.
    pub fn new(guard: &'g Guard) -> Self {
        Self { guard, map: Map::new(), notes: Vec::new() }
    }

    /// Adds a text that a sender told: nothing when it is absent or blank, cut at GA4's limit, left out when it holds personal
    /// data.
    pub fn text(&mut self, name: &str, value: Option<&str>) {
        let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else { return };
        let form = if is_id(name) { Form::Id } else { Form::Text };
        if let Some(found) = self.guard.find(form, value) {
            self.notes.push(format!("`{name}` was left out: it holds {found}, which GA4's policy forbids"));
            return;
        }
        self.word(name, value);
    }

    /// Adds a text of the configuration's or of our own, which no guard needs to look at: it may be a person's name by chance.
    pub fn word(&mut self, name: &str, value: &str) {
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        if value.chars().count() > VALUE_CHARS {
            self.notes.push(format!("`{name}` was cut to GA4's {VALUE_CHARS} characters"));
        }
        let cut: String = value.chars().take(VALUE_CHARS).collect();
        self.map.insert(name.to_owned(), Value::String(cut.trim_end().to_owned()));
    }

    /// Adds a number or a flag.
    pub fn plain(&mut self, name: &str, value: Value) {
        self.map.insert(name.to_owned(), value);
    }

    /// Adds a remark.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.map.len()
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
