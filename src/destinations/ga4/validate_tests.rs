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

fn broken(change: impl FnOnce(&mut Value)) -> Vec<Violation> {
    let mut body = good();
    change(&mut body);
    violations(body.to_string().as_bytes(), NOW)
}

#[test]
fn a_good_request_breaks_no_rule() {
    assert_eq!(broken(|_| {}), []);
}

#[test]
fn every_limit_is_kept() {
    type Change = fn(&mut Value);
    fn params(body: &mut Value) -> &mut Value {
        &mut body["events"][0]["params"]
    }
    let table: &[(&str, Change)] = &[
        ("VALUE_REQUIRED, `client_id` is missing", |b| drop(b.as_object_mut().unwrap().remove("client_id"))),
        ("VALUE_INVALID, `client_id` must be two positive", |b| b["client_id"] = json!("cus_123")),
        ("VALUE_INVALID, `client_id` must be two positive", |b| b["client_id"] = json!("GA1.1.1.2")),
        ("NAME_INVALID, the key \"client\"", |b| b["client"] = json!(1)),
        ("NAME_INVALID, the key \"validation_behavior\"", |b| b["validation_behavior"] = json!("RELAXED")),
        ("NAME_INVALID, the key \"app_instance_id\"", |b| b["app_instance_id"] = json!("a")),
        ("NAME_INVALID, the key \"parameters\" is not one of an event's", |b| b["events"][0]["parameters"] = json!({})),
        ("VALUE_OUT_OF_BOUNDS, `user_id` must be a text of 1 to 256", |b| b["user_id"] = json!("u".repeat(257))),
        ("PERSONAL_DATA, `user_id` names a person", |b| b["user_id"] = json!("jane@example.com")),
        ("VALUE_OUT_OF_BOUNDS, `timestamp_micros` lies more than 72 hours", |b| {
            b["timestamp_micros"] = json!(NOW.before(BACKDATING).micros() - 1);
        }),
        ("VALUE_OUT_OF_BOUNDS, `timestamp_micros` lies more than 72 hours", |b| {
            b["events"][0]["timestamp_micros"] = json!(1);
        }),
        ("VALUE_OUT_OF_BOUNDS, `timestamp_micros` lies more than 15 minutes", |b| {
            b["timestamp_micros"] = json!(NOW.after(AHEAD).micros() + 1);
        }),
        ("VALUE_INVALID, `timestamp_micros` must be a whole number", |b| {
            b["timestamp_micros"] = json!("1747132561000000");
        }),
        ("VALUE_REQUIRED, `timestamp_micros`", |b| drop(b.as_object_mut().unwrap().remove("timestamp_micros"))),
        ("VALUE_REQUIRED, `timestamp_micros`", |b| {
            drop(b["events"][0].as_object_mut().unwrap().remove("timestamp_micros"));
        }),
        ("VALUE_INVALID, `timestamp_micros` of the event is not", |b| {
            b["events"][0]["timestamp_micros"] = json!(NOW.micros() - 1);
        }),
        ("VALUE_INVALID, `consent` takes only", |b| b["consent"] = json!({"analytics_storage": "GRANTED"})),
        ("VALUE_INVALID, `consent` takes only", |b| b["consent"] = json!({"ad_user_data": true})),
        ("VALUE_INVALID, `consent` takes only", |b| b["consent"] = json!({})),
        ("VALUE_INVALID, `user_data` takes only", |b| {
            b["consent"] = json!({"ad_user_data": "GRANTED"});
            b["user_data"] = json!({"sha256_email_address": ["jane@example.com"]});
        }),
        ("PERSONAL_DATA, `user_data` needs", |b| {
            b["consent"] = json!({"ad_user_data": "DENIED"});
            b["user_data"] = json!({"sha256_email_address": ["0".repeat(64)]});
        }),
        ("PERSONAL_DATA, `user_data` needs", |b| b["user_data"] = json!({"sha256_email_address": ["0".repeat(64)]})),
        ("NAME_INVALID, the user property", |b| b["user_properties"] = json!({"a".repeat(25): {"value": 1}})),
        ("NAME_RESERVED, the user property", |b| b["user_properties"] = json!({"user_id": {"value": 1}})),
        ("NAME_RESERVED, the user property", |b| b["user_properties"] = json!({"ga_x": {"value": 1}})),
        ("VALUE_OUT_OF_BOUNDS, the user property", |b| {
            b["user_properties"] = json!({"plan": {"value": "x".repeat(37)}});
        }),
        ("PERSONAL_DATA, the user property", |b| b["user_properties"] = json!({"plan": {"value": "a@b.de"}})),
        ("VALUE_INVALID, the user property", |b| b["user_properties"] = json!({"plan": "pro"})),
        ("EXCEEDED_MAX_ENTITIES, there are more than 25 user", |b| {
            b["user_properties"] = (0..26).map(|n| (format!("p{n}"), json!({"value": n}))).collect();
        }),
        ("VALUE_REQUIRED, `events` must list 1 to 25", |b| b["events"] = json!([])),
        ("EXCEEDED_MAX_ENTITIES, `events` must list 1 to 25", |b| {
            b["events"] = Value::Array(vec![json!({"name": "a"}); 26]);
        }),
        ("NAME_INVALID, the event name \"\" must have 1 to 40", |b| b["events"][0]["name"] = json!("")),
        ("NAME_INVALID, the event name", |b| b["events"][0]["name"] = json!("n".repeat(41))),
        ("NAME_INVALID, the event name \"2fast\" must begin with a letter", |b| {
            b["events"][0]["name"] = json!("2fast")
        }),
        ("NAME_INVALID, the event name", |b| b["events"][0]["name"] = json!("booking made")),
        ("NAME_RESERVED, the event name \"session_start\"", |b| b["events"][0]["name"] = json!("session_start")),
        ("NAME_RESERVED, the event name \"ga_sale\" begins", |b| b["events"][0]["name"] = json!("ga_sale")),
        ("NAME_INVALID, the parameter name", |b| params(b)["p".repeat(41)] = json!(1)),
        ("NAME_RESERVED, the parameter name \"_x\"", |b| params(b)["_x"] = json!(1)),
        ("NAME_RESERVED, the parameter name \"gtag.x\"", |b| params(b)["gtag.x"] = json!(1)),
        ("NAME_RESERVED, the parameter name", |b| params(b)["firebase_conversion"] = json!(1)),
        ("EXCEEDED_MAX_ENTITIES, the event has 26 parameters", |b| {
            (0..21).for_each(|n| params(b)[format!("p{n}")] = json!(n));
        }),
        ("VALUE_OUT_OF_BOUNDS, the parameter \"coupon\" has more than 100", |b| {
            params(b)["coupon"] = json!("c".repeat(101))
        }),
        ("VALUE_OUT_OF_BOUNDS, the parameter \"page_title\" has more than 300", |b| {
            params(b)["page_title"] = json!("c".repeat(301));
        }),
        ("VALUE_OUT_OF_BOUNDS, the parameter \"page_referrer\" has more than 420", |b| {
            params(b)["page_referrer"] = json!("c".repeat(421));
        }),
        ("VALUE_OUT_OF_BOUNDS, the parameter \"page_location\" has more than 1000", |b| {
            params(b)["page_location"] = json!("c".repeat(1001));
        }),
        ("VALUE_INVALID, the parameter \"coupon\" is empty", |b| params(b)["coupon"] = json!("")),
        ("VALUE_INVALID, the parameter \"coupon\" must be a text", |b| params(b)["coupon"] = Value::Null),
        ("VALUE_INVALID, the parameter \"coupon\" must be a text", |b| params(b)["coupon"] = json!(["a"])),
        ("PERSONAL_DATA, the parameter \"coupon\" holds an e-mail address", |b| {
            params(b)["coupon"] = json!("for jane@example.com");
        }),
        ("PERSONAL_DATA, the parameter \"coupon\" holds a phone number", |b| {
            params(b)["coupon"] = json!("+49 30 12345678");
        }),
        ("PERSONAL_DATA, the parameter \"coupon\" holds a card number", |b| {
            params(b)["coupon"] = json!("4242 4242 4242 4242");
        }),
        ("PERSONAL_DATA, the parameter \"item_name\"", |b| {
            params(b)["items"][0]["item_name"] = json!("jane@example.com");
        }),
        ("VALUE_INVALID, `engagement_time_msec`", |b| params(b)["engagement_time_msec"] = json!(0)),
        ("VALUE_REQUIRED, `engagement_time_msec`", |b| {
            drop(params(b).as_object_mut().unwrap().remove("engagement_time_msec"));
        }),
        ("VALUE_INVALID, `session_id` must be digits", |b| params(b)["session_id"] = json!("12a")),
        ("VALUE_INVALID, `session_id` must be digits", |b| params(b)["session_id"] = json!(1.5)),
        ("VALUE_REQUIRED, `purchase` needs a `transaction_id`", |b| params(b)["transaction_id"] = json!("")),
        ("VALUE_REQUIRED, `purchase` needs a `value`", |b| drop(params(b).as_object_mut().unwrap().remove("value"))),
        ("VALUE_INVALID, `value` must be a number that is not negative", |b| params(b)["value"] = json!(-1)),
        ("VALUE_INVALID, `value` must be a number that is not negative", |b| params(b)["value"] = json!("99")),
        ("VALUE_REQUIRED, a `value` needs a `currency`", |b| params(b)["currency"] = json!("eur")),
        ("VALUE_INVALID, `tax` must be a number", |b| params(b)["tax"] = json!("15")),
        ("VALUE_REQUIRED, `purchase` needs at least one item", |b| params(b)["items"] = json!([])),
        ("EXCEEDED_MAX_ENTITIES, the event has 201 items", |b| {
            params(b)["items"] = Value::Array(vec![json!({"item_id": "a"}); 201]);
        }),
        ("VALUE_REQUIRED, an item has neither `item_id`", |b| params(b)["items"] = json!([{"price": 1}])),
        ("VALUE_INVALID, an item is not an object", |b| params(b)["items"] = json!(["a"])),
        ("VALUE_INVALID, an item's `quantity`", |b| params(b)["items"][0]["quantity"] = json!(0)),
        ("VALUE_INVALID, an item's `price`", |b| params(b)["items"][0]["price"] = json!("1")),
        ("EXCEEDED_MAX_ENTITIES, an item has 11 parameters of its own", |b| {
            (0..11).for_each(|n| params(b)["items"][0][format!("p{n}")] = json!(n));
        }),
        ("VALUE_OUT_OF_BOUNDS, the body has", |b| {
            params(b)["items"] =
                Value::Array(vec![json!({"item_id": "€".repeat(100), "item_name": "€".repeat(100)}); 200]);
            b["user_agent"] = json!("x".repeat(20_000));
        }),
    ];
    for (rule, change) in table {
        let found = broken(change);
        assert!(found.iter().any(|violation| violation.to_string().starts_with(rule)), "{rule}: {found:?}");
    }
}

#[test]
fn garbage_is_a_violation_and_no_panic() {
    for body in [&b""[..], b"[]", b"null", b"{", b"\xff", b"{}", br#"{"events":[1,null,{"params":7}]}"#] {
        assert!(!violations(body, NOW).is_empty());
    }
}
