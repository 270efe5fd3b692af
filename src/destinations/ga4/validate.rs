//! The strict check in front of GA4, which answers 204 to anything and drops what breaks its limits without a word.
//!
//! Limits and names are those of the Measurement Protocol's reference (limitations, reserved names) and of Google's
//! pages on collection limits.

use std::time::Duration;

use serde_json::{Map, Value};

use super::super::personal;
use super::client_id;
use super::names::{RESERVED_PREFIXES, event_name, parameter_name};
use super::user_data;
use super::violation::ValidationCode::{
    self, ExceededMaxEntities, NameInvalid, NameReserved, PersonalData, ValueInvalid, ValueOutOfBounds, ValueRequired,
};
use super::violation::Violation;
use crate::model::time::Timestamp;

/// The longest parameter value of a standard property.
pub const VALUE_CHARS: usize = 100;
/// The longest `user_id`.
pub const USER_ID_CHARS: usize = 256;
/// The most items an event may list.
pub const MOST_ITEMS: usize = 200;
/// The most parameters an event may have, `items` not counted.
pub const MOST_PARAMS: usize = 25;
/// A body must be smaller.
pub const BODY_BYTES: usize = 130_000;
/// How far back an event may lie.
pub const BACKDATING: Duration = Duration::from_secs(72 * 3600);
/// How far ahead of the clock an event may lie.
pub const AHEAD: Duration = Duration::from_secs(15 * 60);

const MOST_EVENTS: usize = 25;
const MOST_CUSTOM_ITEM_PARAMS: usize = 10;
const MOST_USER_PROPERTIES: usize = 25;
const USER_PROPERTY_NAME_CHARS: usize = 24;
const USER_PROPERTY_CHARS: usize = 36;

const RESERVED_USER_PROPERTIES: [&str; 5] =
    ["first_open_time", "first_visit_time", "last_deep_link_referrer", "user_id", "first_open_after_install"];

/// Of a web stream; `validation_behavior` belongs to the validation server alone.
const TOP_LEVEL: [&str; 12] = [
    "client_id",
    "user_id",
    "timestamp_micros",
    "user_properties",
    "user_data",
    "consent",
    "non_personalized_ads",
    "user_location",
    "ip_override",
    "device",
    "user_agent",
    "events",
];

const ITEM_PARAMS: [&str; 22] = [
    "item_id",
    "item_name",
    "affiliation",
    "coupon",
    "discount",
    "index",
    "item_brand",
    "item_category",
    "item_category2",
    "item_category3",
    "item_category4",
    "item_category5",
    "item_list_id",
    "item_list_name",
    "item_variant",
    "location_id",
    "price",
    "quantity",
    "promotion_id",
    "promotion_name",
    "creative_name",
    "creative_slot",
];

/// Every rule that a whole request body breaks at a moment; none when GA4 will record it.
pub fn violations(body: &[u8], now: Timestamp) -> Vec<Violation> {
    let mut check = Check { now, broken: Vec::new() };
    if body.len() >= BODY_BYTES {
        let what = format!("the body has {} bytes and must have fewer than {BODY_BYTES}", body.len());
        check.broken(ValueOutOfBounds, what);
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(map)) => check.request(&map),
        _ => check.broken(ValueInvalid, "the body is not a JSON object"),
    }
    check.broken
}

struct Check {
    now: Timestamp,
    broken: Vec<Violation>,
}

impl Check {
    fn broken(&mut self, code: ValidationCode, what: impl Into<String>) {
        self.broken.push(Violation::new(code, what));
    }

    fn request(&mut self, map: &Map<String, Value>) {
        for key in map.keys().filter(|key| !TOP_LEVEL.contains(&key.as_str())) {
            self.broken(NameInvalid, format!("the key {key:?} is not one of a request's"));
        }
        match map.get("client_id") {
            Some(Value::String(id)) if client_id::accepted(id).as_deref() == Some(id) => {}
            Some(_) => self.broken(ValueInvalid, "`client_id` must be two positive numbers joined by a dot"),
            None => self.broken(ValueRequired, "`client_id` is missing"),
        }
        match map.get("user_id").map(Value::as_str) {
            None => {}
            Some(Some(id)) if personal::find_in_id(id).is_some() => {
                self.broken(PersonalData, "`user_id` names a person");
            }
            Some(Some(id)) if !id.is_empty() && id.chars().count() <= USER_ID_CHARS => {}
            Some(_) => {
                self.broken(ValueOutOfBounds, format!("`user_id` must be a text of 1 to {USER_ID_CHARS} characters"))
            }
        }
        self.moment(map.get("timestamp_micros"));
        self.consent(map.get("consent"));
        if let Some(data) = map.get("user_data") {
            if !user_data::is_well_formed(data) {
                let what =
                    "`user_data` takes only SHA-256 of e-mail addresses and phone numbers, three at most of each";
                self.broken(ValueInvalid, what);
            }
            if map.get("consent").is_none_or(|consent| consent["ad_user_data"] != "GRANTED") {
                self.broken(PersonalData, "`user_data` needs `ad_user_data` to be GRANTED");
            }
        }
        if let Some(properties) = map.get("user_properties") {
            self.user_properties(properties);
        }
        match map.get("events").and_then(Value::as_array) {
            Some(events) if events.len() > MOST_EVENTS => {
                self.broken(ExceededMaxEntities, format!("`events` must list 1 to {MOST_EVENTS} events"));
            }
            Some(events) if !events.is_empty() => {
                events.iter().for_each(|event| self.event(event, map.get("timestamp_micros")));
            }
            _ => self.broken(ValueRequired, format!("`events` must list 1 to {MOST_EVENTS} events")),
        }
    }

    fn moment(&mut self, micros: Option<&Value>) {
        let Some(micros) = micros else {
            return self.broken(ValueRequired, "`timestamp_micros` is needed by the request and by each event");
        };
        match micros.as_i64() {
            Some(micros) if micros < self.now.before(BACKDATING).micros() => {
                self.broken(ValueOutOfBounds, "`timestamp_micros` lies more than 72 hours back");
            }
            Some(micros) if micros > self.now.after(AHEAD).micros() => {
                self.broken(ValueOutOfBounds, "`timestamp_micros` lies more than 15 minutes ahead");
            }
            Some(_) => {}
            None => self.broken(ValueInvalid, "`timestamp_micros` must be a whole number"),
        }
    }

    fn consent(&mut self, consent: Option<&Value>) {
        let Some(consent) = consent else { return };
        let fine = consent.as_object().is_some_and(|consent| {
            !consent.is_empty()
                && consent.iter().all(|(key, value)| {
                    matches!(key.as_str(), "ad_user_data" | "ad_personalization")
                        && matches!(value.as_str(), Some("GRANTED" | "DENIED"))
                })
        });
        if !fine {
            self.broken(ValueInvalid, "`consent` takes only ad_user_data and ad_personalization, GRANTED or DENIED");
        }
    }

    fn user_properties(&mut self, properties: &Value) {
        let Some(properties) = properties.as_object() else {
            return self.broken(ValueInvalid, "`user_properties` must be an object");
        };
        if properties.len() > MOST_USER_PROPERTIES {
            self.broken(ExceededMaxEntities, format!("there are more than {MOST_USER_PROPERTIES} user properties"));
        }
        for (name, property) in properties {
            if name.chars().count() > USER_PROPERTY_NAME_CHARS {
                let what = format!("the user property {name:?} is longer than {USER_PROPERTY_NAME_CHARS} characters");
                self.broken(NameInvalid, what);
            }
            if RESERVED_USER_PROPERTIES.contains(&name.as_str())
                || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            {
                self.broken(NameReserved, format!("the user property {name:?} is reserved"));
            }
            match property.get("value") {
                Some(Value::String(text)) if text.chars().count() > USER_PROPERTY_CHARS => {
                    let what = format!("the user property {name:?} is longer than {USER_PROPERTY_CHARS} characters");
                    self.broken(ValueOutOfBounds, what);
                }
                Some(Value::String(text)) if personal::find(text).is_some() => {
                    self.broken(PersonalData, format!("the user property {name:?} names a person"));
                }
                Some(Value::String(_) | Value::Number(_) | Value::Bool(_)) => {}
                _ => self.broken(ValueInvalid, format!("the user property {name:?} has no plain `value`")),
            }
        }
    }

    fn event(&mut self, event: &Value, of_request: Option<&Value>) {
        let name = event.get("name").and_then(Value::as_str).unwrap_or_default();
        self.broken.extend(event_name(name).err());
        for key in event.as_object().into_iter().flat_map(Map::keys) {
            if !matches!(key.as_str(), "name" | "timestamp_micros" | "params") {
                self.broken(NameInvalid, format!("the key {key:?} is not one of an event's"));
            }
        }
        self.moment(event.get("timestamp_micros"));
        if event.get("timestamp_micros") != of_request {
            self.broken(ValueInvalid, "`timestamp_micros` of the event is not that of the request");
        }
        let empty = Map::new();
        let params = event.get("params").and_then(Value::as_object).unwrap_or(&empty);
        let count = params.keys().filter(|name| *name != "items").count();
        if count > MOST_PARAMS {
            let what = format!("the event has {count} parameters and may have {MOST_PARAMS}");
            self.broken(ExceededMaxEntities, what);
        }
        for (name, value) in params {
            self.broken.extend(parameter_name(name).err());
            match value {
                Value::Array(list) if name == "items" => self.items(list),
                value => self.parameter(name, value),
            }
        }
        self.commerce(name, params);
        match params.get("engagement_time_msec") {
            Some(time) if time.as_i64().is_some_and(|time| time > 0) => {}
            Some(_) => self.broken(ValueInvalid, "`engagement_time_msec` must be a positive whole number"),
            // Without it nobody was active, and the event is in no report on users.
            None => self.broken(ValueRequired, "`engagement_time_msec` is missing"),
        }
        let session = params.get("session_id").map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
        if session.is_some_and(|id| id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit())) {
            self.broken(ValueInvalid, "`session_id` must be digits");
        }
    }

    /// What the recommended events `purchase` and `refund` can't do without.
    fn commerce(&mut self, name: &str, params: &Map<String, Value>) {
        let sale = matches!(name, "purchase" | "refund");
        if sale && params.get("transaction_id").and_then(Value::as_str).is_none_or(str::is_empty) {
            // All purchases with an empty id would count as one.
            self.broken(ValueRequired, format!("`{name}` needs a `transaction_id`"));
        }
        match params.get("value") {
            None if sale => self.broken(ValueRequired, format!("`{name}` needs a `value`")),
            None => {}
            Some(value) if value.as_f64().is_some_and(|value| value >= 0.0) => match params.get("currency") {
                Some(Value::String(code)) if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) => {}
                _ => self.broken(ValueRequired, "a `value` needs a `currency` of three capital letters"),
            },
            Some(_) => self.broken(ValueInvalid, "`value` must be a number that is not negative"),
        }
        for name in ["tax", "shipping"] {
            if params.get(name).is_some_and(|value| !value.is_number()) {
                self.broken(ValueInvalid, format!("`{name}` must be a number"));
            }
        }
        if name == "purchase" && params.get("items").and_then(Value::as_array).is_none_or(Vec::is_empty) {
            self.broken(ValueRequired, "`purchase` needs at least one item");
        }
    }

    fn parameter(&mut self, name: &str, value: &Value) {
        match value {
            Value::String(text) => {
                let most = match name {
                    "page_title" => 300,
                    "page_referrer" => 420,
                    "page_location" => 1000,
                    _ => VALUE_CHARS,
                };
                if text.is_empty() {
                    self.broken(ValueInvalid, format!("the parameter {name:?} is empty"));
                }
                if text.chars().count() > most {
                    self.broken(ValueOutOfBounds, format!("the parameter {name:?} has more than {most} characters"));
                }
                let found = if is_id(name) { personal::find_in_id(text) } else { personal::find(text) };
                if let Some(found) = found {
                    let what = format!("the parameter {name:?} holds {}, which GA4's policy forbids", found.name());
                    self.broken(PersonalData, what);
                }
            }
            Value::Number(_) | Value::Bool(_) => {}
            Value::Null | Value::Array(_) | Value::Object(_) => {
                self.broken(ValueInvalid, format!("the parameter {name:?} must be a text or a number"));
            }
        }
    }

    fn items(&mut self, list: &[Value]) {
        if list.len() > MOST_ITEMS {
            let what = format!("the event has {} items and may have {MOST_ITEMS}", list.len());
            self.broken(ExceededMaxEntities, what);
        }
        for item in list {
            let Some(item) = item.as_object() else {
                self.broken(ValueInvalid, "an item is not an object");
                continue;
            };
            let named = ["item_id", "item_name"]
                .iter()
                .any(|key| item.get(*key).and_then(Value::as_str).is_some_and(|text| !text.is_empty()));
            if !named {
                self.broken(ValueRequired, "an item has neither `item_id` nor `item_name`");
            }
            if item.get("quantity").is_some_and(|quantity| quantity.as_u64().is_none_or(|quantity| quantity == 0)) {
                self.broken(ValueInvalid, "an item's `quantity` must be a positive whole number");
            }
            if item.get("price").is_some_and(|price| !price.is_number()) {
                self.broken(ValueInvalid, "an item's `price` must be a number");
            }
            let own = item.keys().filter(|key| !ITEM_PARAMS.contains(&key.as_str())).count();
            if own > MOST_CUSTOM_ITEM_PARAMS {
                let what = format!("an item has {own} parameters of its own and may have {MOST_CUSTOM_ITEM_PARAMS}");
                self.broken(ExceededMaxEntities, what);
            }
            for (name, value) in item {
                self.broken.extend(parameter_name(name).err());
                self.parameter(name, value);
            }
        }
    }
}

/// Parameters that hold an id, where a long run of digits is no card number.
pub(super) fn is_id(name: &str) -> bool {
    matches!(name, "transaction_id" | "session_id" | "item_id" | "lead_id")
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
