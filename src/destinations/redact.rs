//! What of a request or an answer may be shown: personal data are masked, the rest stays readable.

use serde_json::Value;

use super::personal::{MASK, mask};

/// The longest body that is read for showing; beyond this only its size is told.
const MOST_BYTES: usize = 1024 * 1024;

/// Keys, without regard to case, `_` and `-`, whose values belong to a person.
const PERSON_KEYS: [&str; 39] = [
    "address",
    "birthday",
    "cc",
    "contactname",
    "customeremail",
    "customername",
    "dateofbirth",
    "displayname",
    "email",
    "emailaddress",
    "emails",
    "familyname",
    "firstname",
    "fullname",
    "givenname",
    "ip",
    "ipaddress",
    "ipoverride",
    "lastname",
    "mail",
    "mobile",
    "mobilephone",
    "name",
    "optinip",
    "phone",
    "phonenumber",
    "phones",
    "postalcode",
    "sha256emailaddress",
    "sha256firstname",
    "sha256lastname",
    "sha256phonenumber",
    "street",
    "surname",
    "telephone",
    "userdata",
    "userlocation",
    "zip",
    "zipcode",
];

/// A JSON body with personal data masked; of anything else only the size.
pub fn json(body: &[u8]) -> String {
    if body.is_empty() {
        return String::new();
    }
    match parse(body) {
        Some(value) => masked(value).to_string(),
        None => format!("({} bytes that are not JSON)", body.len()),
    }
}

/// An address with personal data in its path and query masked, and whatever stands before an `@` of its authority.
pub fn url(url: &str) -> String {
    let (front, fragment) = url.split_once('#').map_or((url, None), |(front, fragment)| (front, Some(fragment)));
    let (front, query) = front.split_once('?').map_or((front, None), |(front, query)| (front, Some(query)));
    let (scheme, rest) = front.split_once("://").map_or(("", front), |(scheme, rest)| (scheme, rest));
    let (authority, path) = match rest.find('/') {
        Some(slash) if !scheme.is_empty() => rest.split_at(slash),
        None if !scheme.is_empty() => (rest, ""),
        _ => ("", rest),
    };
    let mut shown = String::with_capacity(url.len());
    if !scheme.is_empty() {
        shown.push_str(scheme);
        shown.push_str("://");
    }
    match authority.rsplit_once('@') {
        Some((_, host)) => shown.push_str(&format!("{MASK}@{host}")),
        None => shown.push_str(authority),
    }
    let segments: Vec<String> = path.split('/').map(part).collect();
    shown.push_str(&segments.join("/"));
    if let Some(query) = query {
        let pairs: Vec<String> = query.split('&').map(pair).collect();
        shown.push('?');
        shown.push_str(&pairs.join("&"));
    }
    if let Some(fragment) = fragment {
        shown.push('#');
        shown.push_str(&part(fragment));
    }
    shown
}

/// Any text, an error or the beginning of an answer, with e-mail addresses and phone numbers masked.
pub fn text(text: &str) -> String {
    mask(text)
}

/// What a body says about a person: the texts under keys that belong to one. An answer may repeat them anywhere.
pub(super) fn personal_values(body: &[u8]) -> Vec<String> {
    fn collect(value: &Value, personal: bool, values: &mut Vec<String>) {
        match value {
            Value::String(text) if personal => values.push(text.clone()),
            Value::Array(list) => list.iter().for_each(|item| collect(item, personal, values)),
            Value::Object(map) => {
                let event = is_ga4_event(map);
                for (key, item) in map {
                    collect(item, personal || (is_person_key(key) && !(event && key == "name")), values);
                }
            }
            _ => {}
        }
    }
    let mut values = Vec::new();
    if let Some(value) = parse(body) {
        collect(&value, false, &mut values);
    }
    values
}

/// A value with every personal part masked.
pub(super) fn masked(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(mask(&text)),
        Value::Array(list) => list.into_iter().map(masked).collect(),
        Value::Object(map) => {
            let event = is_ga4_event(&map);
            map.into_iter()
                .map(|(key, item)| {
                    // An event's own name is no person's.
                    let personal = is_person_key(&key) && !(event && key == "name");
                    // Below `errors` stand a server's sentences about a field, not the field.
                    let shown = match item {
                        item if personal => blank(item),
                        Value::Object(errors) if key == "errors" => Value::Object(
                            errors.into_iter().map(|(field, said)| (mask(&field), sentences(said))).collect(),
                        ),
                        item => masked(item),
                    };
                    (mask(&key), shown)
                })
                .collect()
        }
        other => other,
    }
}

fn sentences(value: Value) -> Value {
    match value {
        Value::Array(list) => list.into_iter().map(sentences).collect(),
        other => masked(other),
    }
}

/// Masks every leaf and keeps the shape, so that one sees which fields were there.
fn blank(value: Value) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value,
        Value::String(text) if text.is_empty() => Value::String(text),
        Value::String(_) | Value::Number(_) => Value::String(MASK.to_owned()),
        Value::Array(list) => list.into_iter().map(blank).collect(),
        Value::Object(map) => map.into_iter().map(|(key, item)| (mask(&key), blank(item))).collect(),
    }
}

fn parse(body: &[u8]) -> Option<Value> {
    if body.len() > MOST_BYTES { None } else { serde_json::from_slice(body).ok() }
}

fn is_person_key(key: &str) -> bool {
    let plain: String = key.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).collect();
    PERSON_KEYS.contains(&plain.to_ascii_lowercase().as_str())
}

/// GA4 calls an event's kind `name`, beside its `params`.
fn is_ga4_event(map: &serde_json::Map<String, Value>) -> bool {
    map.get("params").is_some_and(Value::is_object)
}

fn pair(pair: &str) -> String {
    match pair.split_once('=') {
        Some((key, value)) => {
            let personal = is_person_key(&decoded(key)) && !value.is_empty();
            format!("{}={}", part(key), if personal { MASK.to_owned() } else { part(value) })
        }
        None => part(pair),
    }
}

/// A path segment or query value, masked as a whole when it holds something personal in any layer of encoding.
fn part(text: &str) -> String {
    let mut layer = text.to_owned();
    for _ in 0..4 {
        if mask(&layer) != layer || mask(&layer.replace('+', " ")) != layer.replace('+', " ") {
            return MASK.to_owned();
        }
        let next = decoded(&layer);
        if next == layer {
            break;
        }
        layer = next;
    }
    text.to_owned()
}

/// Percent-decoding, once; what isn't UTF-8 afterwards is replaced.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::url_encode;
    use super::*;

    #[test]
    fn values_of_a_person_are_masked_and_others_stay() {
        let body = json!({
            "external_id": "lead_7", "email": "jane@example.com", "Phone": "+493012345678", "first_name": "Jane",
            "total_spent": 99.5, "tags": ["customer"], "note": "write to jane@example.com",
            "user_data": {"sha256_email_address": ["abc"], "address": [{"city": "Bonn"}]},
            "contacts": [{"name": "Jane Doe", "id": 7}],
            "empty": "", "nothing": null,
        });
        assert_eq!(
            serde_json::from_str::<Value>(&super::json(body.to_string().as_bytes())).unwrap(),
            json!({
                "external_id": "lead_7", "email": "***", "Phone": "***", "first_name": "***",
                "total_spent": 99.5, "tags": ["customer"], "note": "write to ***",
                "user_data": {"sha256_email_address": ["***"], "address": [{"city": "***"}]},
                "contacts": [{"name": "***", "id": 7}],
                "empty": "", "nothing": null,
            })
        );
    }

    #[test]
    fn a_ga4_events_name_is_not_a_persons() {
        let body = json!({"events": [{"name": "purchase", "params": {"value": 1, "name": "Jane"}}]});
        assert_eq!(
            super::json(body.to_string().as_bytes()),
            r#"{"events":[{"name":"purchase","params":{"name":"***","value":1}}]}"#
        );
    }

    #[test]
    fn complaints_about_a_field_stay_readable() {
        let body = json!({"errors": {"email": ["The email jane@example.com is taken."]}});
        assert_eq!(super::json(body.to_string().as_bytes()), r#"{"errors":{"email":["The email *** is taken."]}}"#);
    }

    #[test]
    fn what_is_not_json_is_only_counted() {
        assert_eq!(super::json(b""), "");
        assert_eq!(super::json(b"jane@example.com"), "(16 bytes that are not JSON)");
        assert_eq!(super::json(&[0xff; 3]), "(3 bytes that are not JSON)");
        assert!(super::json("[".repeat(10_000).as_bytes()).contains("10000 bytes"));
    }

    #[test]
    fn addresses_lose_what_identifies_a_person() {
        for (address, shown) in [
            (
                "https://crm.example.com/api/contacts?external_id=lead_7",
                "https://crm.example.com/api/contacts?external_id=lead_7",
            ),
            ("https://x.example/s?external_id=jane%40example.com&a=1", "https://x.example/s?external_id=***&a=1"),
            ("https://x.example/s?q=jane%2540example.com", "https://x.example/s?q=***"),
            ("https://x.example/s?phone=030123", "https://x.example/s?phone=***"),
            ("https://x.example/s?q=%2B49+30+12345678", "https://x.example/s?q=***"),
            ("https://x.example/by/jane@example.com/now", "https://x.example/by/***/now"),
            ("https://user:pass@x.example:8443/a", "https://***@x.example:8443/a"),
            ("https://x.example/groups/123456789012345678/x", "https://x.example/groups/123456789012345678/x"),
            ("not an address jane@example.com", "***"),
        ] {
            assert_eq!(url(address), shown);
        }
    }

    fn tree(leaf: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::hash_map("[a-z_]{1,9}|email|name|errors|params", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_address_survives_in_any_body(
            body in tree("[a-z ,:\"<]{0,8}".prop_map(|around| json!(format!("{around} jane.doe+a@mail.example.com {around}")))),
        ) {
            prop_assert!(!super::json(body.to_string().as_bytes()).contains("jane.doe"));
            prop_assert!(!super::json(body.to_string().as_bytes()).contains("mail.example"));
        }

        #[test]
        fn no_address_survives_in_any_url(local in "[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,20}", domain in "[a-z]{1,9}\\.[a-z]{2,5}") {
            let address = format!("{local}@{domain}");
            let once = url_encode(&address);
            let shown = url(&format!("https://x.example/c/{once}?q={once}&r={}#{once}", url_encode(&once)));
            prop_assert_eq!(shown, "https://x.example/c/***?q=***&r=***#***");
        }

        #[test]
        fn any_bytes_can_be_shown(body in prop::collection::vec(any::<u8>(), 0..99), address in "\\PC*") {
            super::json(&body);
            url(&address);
        }
    }
}
