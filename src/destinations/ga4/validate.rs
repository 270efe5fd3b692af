//! The strict check in front of GA4, which answers 204 to anything and drops what breaks its limits without a word.
//!
//! Limits and names are those of the Measurement Protocol's reference (limitations, reserved names) and of Google's
//! pages on collection limits.

use std::time::Duration;

use serde_json::{Map, Value};

use super::super::personal;
use super::client_id;
use super::names::{RESERVED_PREFIXES, event_name, parameter_name};
use crate::model::time::Timestamp;

/// The longest parameter value of a standard property.
pub const VALUE_CHARS: usize = 100;
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

const RESERVED_USER_PROPERTIES: [&str; 5] =
    ["first_open_time", "first_visit_time", "last_deep_link_referrer", "user_id", "first_open_after_install"];

const TOP_LEVEL: [&str; 14] = [
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
    "validation_behavior",
    "events",
    "app_instance_id",
];

const ITEM_PARAMS: [&str; 24] = [
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
    "google_business_vertical",
    "currency",
];

/// Every rule that a whole request body breaks at a moment, as sentences; none when GA4 will record it.
pub fn violations(body: &[u8], now: Timestamp) -> Vec<String> {
    let mut broken = Vec::new();
    if body.len() >= BODY_BYTES {
        broken.push(format!("the body has {} bytes and must have fewer than {BODY_BYTES}", body.len()));
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(map)) => request(&map, now, &mut broken),
        _ => broken.push("the body is not a JSON object".to_owned()),
    }
    broken
}

fn request(map: &Map<String, Value>, now: Timestamp, broken: &mut Vec<String>) {
    for key in map.keys().filter(|key| !TOP_LEVEL.contains(&key.as_str())) {
        broken.push(format!("the key {key:?} is not one of the protocol's"));
    }
    match map.get("client_id") {
        Some(Value::String(id)) if client_id::accepted(id).as_deref() == Some(id) => {}
        Some(_) => broken.push("`client_id` must be two positive numbers joined by a dot".to_owned()),
        None => broken.push("`client_id` is missing".to_owned()),
    }
    if let Some(id) = map.get("user_id") {
        match id.as_str() {
            Some(id) if personal::find_in_id(id).is_some() => broken.push("`user_id` names a person".to_owned()),
            Some(id) if !id.is_empty() && id.chars().count() <= 256 => {}
            _ => broken.push("`user_id` must be a text of 1 to 256 characters".to_owned()),
        }
    }
    moment(map.get("timestamp_micros"), now, broken);
    if let Some(consent) = map.get("consent") {
        let fine = consent.as_object().is_some_and(|consent| {
            consent.iter().all(|(key, value)| {
                matches!(key.as_str(), "ad_user_data" | "ad_personalization")
                    && matches!(value.as_str(), Some("GRANTED" | "DENIED"))
            })
        });
        if !fine {
            broken.push("`consent` takes only ad_user_data and ad_personalization, GRANTED or DENIED".to_owned());
        }
    }
    if let Some(properties) = map.get("user_properties") {
        user_properties(properties, broken);
    }
    match map.get("events").and_then(Value::as_array) {
        Some(events) if (1..=MOST_EVENTS).contains(&events.len()) => {
            events.iter().for_each(|one| event(one, now, broken));
        }
        _ => broken.push(format!("`events` must list 1 to {MOST_EVENTS} events")),
    }
}

fn moment(micros: Option<&Value>, now: Timestamp, broken: &mut Vec<String>) {
    let Some(micros) = micros else { return };
    match micros.as_i64() {
        Some(micros) if micros < now.before(BACKDATING).micros() => {
            broken.push("`timestamp_micros` lies more than 72 hours back".to_owned());
        }
        Some(micros) if micros > now.after(AHEAD).micros() => {
            broken.push("`timestamp_micros` lies more than 15 minutes ahead".to_owned());
        }
        Some(_) => {}
        None => broken.push("`timestamp_micros` must be a whole number".to_owned()),
    }
}

fn user_properties(properties: &Value, broken: &mut Vec<String>) {
    let Some(properties) = properties.as_object() else {
        broken.push("`user_properties` must be an object".to_owned());
        return;
    };
    if properties.len() > 25 {
        broken.push("there are more than 25 user properties".to_owned());
    }
    for (name, property) in properties {
        if name.chars().count() > 24
            || RESERVED_USER_PROPERTIES.contains(&name.as_str())
            || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        {
            broken.push(format!("the user property {name:?} is longer than 24 characters or reserved"));
        }
        match property.get("value") {
            Some(Value::String(text)) if text.chars().count() > 36 => {
                broken.push(format!("the user property {name:?} is longer than 36 characters"));
            }
            Some(Value::String(text)) if personal::find(text).is_some() => {
                broken.push(format!("the user property {name:?} names a person"));
            }
            Some(Value::String(_) | Value::Number(_) | Value::Bool(_)) => {}
            _ => broken.push(format!("the user property {name:?} has no plain `value`")),
        }
    }
}

fn event(event: &Value, now: Timestamp, broken: &mut Vec<String>) {
    let name = event.get("name").and_then(Value::as_str).unwrap_or_default();
    if let Err(rule) = event_name(name) {
        broken.push(rule);
    }
    moment(event.get("timestamp_micros"), now, broken);
    let empty = Map::new();
    let params = event.get("params").and_then(Value::as_object).unwrap_or(&empty);
    let count = params.keys().filter(|name| *name != "items").count();
    if count > MOST_PARAMS {
        broken.push(format!("the event has {count} parameters and may have {MOST_PARAMS}"));
    }
    for (name, value) in params {
        if let Err(rule) = parameter_name(name) {
            broken.push(rule);
        }
        match value {
            Value::Array(list) if name == "items" => items(list, broken),
            value => parameter(name, value, broken),
        }
    }
    commerce(name, params, broken);
    match params.get("engagement_time_msec") {
        None => {}
        Some(time) if time.as_i64().is_some_and(|time| time > 0) => {}
        Some(_) => broken.push("`engagement_time_msec` must be a positive whole number".to_owned()),
    }
    match params.get("session_id") {
        Some(Value::String(id)) if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) => {
            broken.push("`session_id` must be digits".to_owned());
        }
        _ => {}
    }
}

/// What the recommended events `purchase` and `refund` can't do without.
fn commerce(name: &str, params: &Map<String, Value>, broken: &mut Vec<String>) {
    let sale = matches!(name, "purchase" | "refund");
    if sale && params.get("transaction_id").and_then(Value::as_str).is_none_or(str::is_empty) {
        // All purchases with an empty id would count as one.
        broken.push(format!("`{name}` needs a `transaction_id`"));
    }
    match params.get("value") {
        None if sale => broken.push(format!("`{name}` needs a `value`")),
        None => {}
        Some(value) if value.as_f64().is_some_and(|value| value >= 0.0) => match params.get("currency") {
            Some(Value::String(code)) if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase()) => {}
            _ => broken.push("a `value` needs a `currency` of three capital letters".to_owned()),
        },
        Some(_) => broken.push("`value` must be a number that is not negative".to_owned()),
    }
    if name == "purchase" && params.get("items").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        broken.push("`purchase` needs at least one item".to_owned());
    }
}

fn parameter(name: &str, value: &Value, broken: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let most = match name {
                "page_title" => 300,
                "page_referrer" => 420,
                "page_location" => 1000,
                _ => VALUE_CHARS,
            };
            if text.is_empty() {
                broken.push(format!("the parameter {name:?} is empty"));
            }
            if text.chars().count() > most {
                broken.push(format!("the parameter {name:?} has more than {most} characters"));
            }
            let found = if is_id(name) { personal::find_in_id(text) } else { personal::find(text) };
            if let Some(found) = found {
                broken.push(format!("the parameter {name:?} holds {}, which GA4's policy forbids", found.name()));
            }
        }
        Value::Number(_) | Value::Bool(_) => {}
        Value::Null | Value::Array(_) | Value::Object(_) => {
            broken.push(format!("the parameter {name:?} must be a text or a number"));
        }
    }
}

/// Parameters that hold an id, where a long run of digits is no card number.
pub(super) fn is_id(name: &str) -> bool {
    matches!(name, "transaction_id" | "session_id" | "item_id")
}

fn items(list: &[Value], broken: &mut Vec<String>) {
    if list.len() > MOST_ITEMS {
        broken.push(format!("the event has {} items and may have {MOST_ITEMS}", list.len()));
    }
    for item in list {
        let Some(item) = item.as_object() else {
            broken.push("an item is not an object".to_owned());
            continue;
        };
        let named = ["item_id", "item_name"]
            .iter()
            .any(|key| item.get(*key).and_then(Value::as_str).is_some_and(|text| !text.is_empty()));
        if !named {
            broken.push("an item has neither `item_id` nor `item_name`".to_owned());
        }
        let own = item.keys().filter(|key| !ITEM_PARAMS.contains(&key.as_str())).count();
        if own > MOST_CUSTOM_ITEM_PARAMS {
            broken.push(format!("an item has {own} parameters of its own and may have {MOST_CUSTOM_ITEM_PARAMS}"));
        }
        for (name, value) in item {
            if let Err(rule) = parameter_name(name)
                && !ITEM_PARAMS.contains(&name.as_str())
            {
                broken.push(rule);
            }
            parameter(name, value, broken);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_747_132_561);

    fn good() -> Value {
        json!({
            "client_id": "1234567890.1747132561",
            "timestamp_micros": 1_747_132_561_000_000_i64,
            "events": [{
                "name": "purchase",
                "timestamp_micros": 1_747_132_561_000_000_i64,
                "params": {
                    "transaction_id": "pi_1", "value": 99.5, "currency": "EUR", "session_id": "1747132561",
                    "engagement_time_msec": 1, "items": [{"item_id": "a", "price": 99.5, "quantity": 1}],
                },
            }],
        })
    }

    fn broken(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut body = good();
        change(&mut body);
        violations(body.to_string().as_bytes(), NOW)
    }

    #[test]
    fn a_good_request_breaks_no_rule() {
        assert_eq!(broken(|_| {}), Vec::<String>::new());
    }

    #[test]
    fn every_limit_is_kept() {
        type Change = fn(&mut Value);
        fn params(body: &mut Value) -> &mut Value {
            &mut body["events"][0]["params"]
        }
        let table: &[(&str, Change)] = &[
            ("`client_id` is missing", |b| drop(b.as_object_mut().unwrap().remove("client_id"))),
            ("two positive numbers", |b| b["client_id"] = json!("cus_123")),
            ("two positive numbers", |b| b["client_id"] = json!("GA1.1.1.2")),
            ("not one of the protocol's", |b| b["client"] = json!(1)),
            ("1 to 256 characters", |b| b["user_id"] = json!("u".repeat(257))),
            ("names a person", |b| b["user_id"] = json!("jane@example.com")),
            ("72 hours", |b| b["timestamp_micros"] = json!(NOW.before(BACKDATING).micros() - 1)),
            ("72 hours", |b| b["events"][0]["timestamp_micros"] = json!(1)),
            ("15 minutes", |b| b["timestamp_micros"] = json!(NOW.after(AHEAD).micros() + 1)),
            ("whole number", |b| b["timestamp_micros"] = json!("1747132561000000")),
            ("`consent` takes only", |b| b["consent"] = json!({"analytics_storage": "GRANTED"})),
            ("`consent` takes only", |b| b["consent"] = json!({"ad_user_data": true})),
            ("longer than 24", |b| b["user_properties"] = json!({"a".repeat(25): {"value": 1}})),
            ("longer than 36", |b| b["user_properties"] = json!({"plan": {"value": "x".repeat(37)}})),
            ("more than 25 user", |b| {
                b["user_properties"] = (0..26).map(|n| (format!("p{n}"), json!({"value": n}))).collect();
            }),
            ("1 to 25 events", |b| b["events"] = json!([])),
            ("1 to 25 events", |b| b["events"] = Value::Array(vec![json!({"name": "a"}); 26])),
            ("1 to 40 characters", |b| b["events"][0]["name"] = json!("")),
            ("1 to 40 characters", |b| b["events"][0]["name"] = json!("n".repeat(41))),
            ("begin with a letter", |b| b["events"][0]["name"] = json!("2fast")),
            ("begin with a letter", |b| b["events"][0]["name"] = json!("booking made")),
            ("is reserved", |b| b["events"][0]["name"] = json!("session_start")),
            ("reserved \"ga_\"", |b| b["events"][0]["name"] = json!("ga_sale")),
            ("1 to 40 characters", |b| params(b)["p".repeat(41)] = json!(1)),
            ("reserved \"_\"", |b| params(b)["_x"] = json!(1)),
            ("reserved \"gtag.\"", |b| params(b)["gtag.x"] = json!(1)),
            ("26 parameters", |b| (0..21).for_each(|n| params(b)[format!("p{n}")] = json!(n))),
            ("more than 100", |b| params(b)["coupon"] = json!("c".repeat(101))),
            ("more than 300", |b| params(b)["page_title"] = json!("c".repeat(301))),
            ("is empty", |b| params(b)["coupon"] = json!("")),
            ("text or a number", |b| params(b)["coupon"] = Value::Null),
            ("text or a number", |b| params(b)["coupon"] = json!(["a"])),
            ("an e-mail address", |b| params(b)["coupon"] = json!("for jane@example.com")),
            ("a phone number", |b| params(b)["coupon"] = json!("+49 30 12345678")),
            ("a card number", |b| params(b)["coupon"] = json!("4242 4242 4242 4242")),
            ("an e-mail address", |b| params(b)["items"][0]["item_name"] = json!("jane@example.com")),
            ("positive whole", |b| params(b)["engagement_time_msec"] = json!(0)),
            ("must be digits", |b| params(b)["session_id"] = json!("12a")),
            ("needs a `transaction_id`", |b| params(b)["transaction_id"] = json!("")),
            ("needs a `value`", |b| drop(params(b).as_object_mut().unwrap().remove("value"))),
            ("not negative", |b| params(b)["value"] = json!(-1)),
            ("not negative", |b| params(b)["value"] = json!("99")),
            ("three capital letters", |b| params(b)["currency"] = json!("eur")),
            ("at least one item", |b| params(b)["items"] = json!([])),
            ("201 items", |b| params(b)["items"] = Value::Array(vec![json!({"item_id": "a"}); 201])),
            ("neither `item_id`", |b| params(b)["items"] = json!([{"price": 1}])),
            ("not an object", |b| params(b)["items"] = json!(["a"])),
            ("11 parameters of its own", |b| {
                (0..11).for_each(|n| params(b)["items"][0][format!("p{n}")] = json!(n));
            }),
            ("fewer than 130000", |b| {
                params(b)["items"] =
                    Value::Array(vec![json!({"item_id": "€".repeat(100), "item_name": "€".repeat(100)}); 200]);
                b["user_agent"] = json!("x".repeat(20_000));
            }),
        ];
        for (rule, change) in table {
            let found = broken(change);
            assert!(found.iter().any(|sentence| sentence.contains(rule)), "{rule}: {found:?}");
        }
    }

    #[test]
    fn garbage_is_a_violation_and_no_panic() {
        for body in [&b""[..], b"[]", b"null", b"{", b"\xff", b"{}", br#"{"events":[1,null,{"params":7}]}"#] {
            assert!(!violations(body, NOW).is_empty());
        }
    }
}
