use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

fn good() -> Value {
    json!({
        "client_id": "1234567890.1747132561",
        "timestamp_micros": NOW.micros(),
        "consent": {"ad_user_data": "GRANTED", "ad_personalization": "DENIED"},
        "events": [{"name": "purchase", "timestamp_micros": NOW.micros(), "params": {
            "transaction_id": "pi_3Live0000000000001000", "value": 99.5, "currency": "EUR", "tax": 15.8,
            "session_id": "1747132561", "engagement_time_msec": 1, "pricing_tier": "pro", "lead_id": "lead-7",
            "items": [{"item_id": "course", "item_name": "Online course", "price": 99.5, "quantity": 1}],
        }}],
    })
}

fn found(change: impl FnOnce(&mut Value)) -> Vec<Breach> {
    let mut request = good();
    change(&mut request);
    breaches(request.to_string().as_bytes(), NOW)
}

fn params(request: &mut Value) -> &mut Value {
    &mut request["events"][0]["params"]
}

#[test]
fn a_request_as_documented_breaks_nothing() {
    assert_eq!(found(|_| {}), []);
    assert_eq!(found(|r| params(r)["tall"] = json!(true)), []);
    assert_eq!(found(|r| *params(r) = json!({"engagement_time_msec": 1, "method": "x"})).len(), 4, "a bare purchase");
    let lead = |r: &mut Value| {
        r["events"][0]["name"] = json!("generate_lead");
        *params(r) = json!({"engagement_time_msec": 100, "lead_source": "newsletter"});
    };
    assert_eq!(found(lead), []);
    assert_eq!(found(|r| r["user_data"] = json!({"sha256_phone_number": ["0a".repeat(32)]})), []);
}

#[test]
fn each_rule_is_found_where_it_is_broken() {
    type Change = fn(&mut Value);
    let hour = 3_600_000_000;
    let table: &[(&str, &str, Change)] = &[
        ("client_id", "VALUE_REQUIRED", |r| drop(r.as_object_mut().unwrap().remove("client_id"))),
        ("client_id", "VALUE_INVALID", |r| r["client_id"] = json!("cus_Qx1")),
        ("client_id", "VALUE_INVALID", |r| r["client_id"] = json!("GA1.1.123.456")),
        ("client_id", "VALUE_INVALID", |r| r["client_id"] = json!(12.5)),
        ("client_id", "VALUE_INVALID", |r| r["client_id"] = json!("0.0")),
        ("user_id", "VALUE_INVALID", |r| r["user_id"] = json!("ada@example.com")),
        ("user_id", "VALUE_INVALID", |r| r["user_id"] = json!("u".repeat(257))),
        ("user_name", "NAME_INVALID", |r| r["user_name"] = json!("ada")),
        ("validation_behavior", "VALUE_INVALID", |r| r["validation_behavior"] = json!("ENFORCE_RECOMMENDATIONS")),
        ("timestamp_micros", "VALUE_REQUIRED", |r| drop(r.as_object_mut().unwrap().remove("timestamp_micros"))),
        ("events[0].timestamp_micros", "VALUE_INVALID", |r| {
            r["events"][0]["timestamp_micros"] = json!(NOW.micros() - 1)
        }),
        ("events[0].timestamp_micros", "VALUE_REQUIRED", |r| {
            drop(r["events"][0].as_object_mut().unwrap().remove("timestamp_micros"))
        }),
        ("timestamp_micros", "VALUE_INVALID", |r| r["timestamp_micros"] = json!("1790000000000000")),
        ("consent", "VALUE_INVALID", |r| r["consent"] = json!({"analytics_storage": "GRANTED"})),
        ("user_data", "VALUE_INVALID", |r| r["user_data"] = json!({"sha256_email_address": ["ada@example.com"]})),
        ("user_data", "VALUE_INVALID", |r| {
            r["user_data"] = json!({"sha256_email_address": ["0".repeat(64)]});
            r["consent"]["ad_user_data"] = json!("DENIED");
        }),
        ("user_properties.first_open_time", "NAME_RESERVED", |r| {
            r["user_properties"] = json!({"first_open_time": {"value": 1}})
        }),
        ("user_properties.plan.value", "VALUE_OUT_OF_BOUNDS", |r| {
            r["user_properties"] = json!({"plan": {"value": "p".repeat(37)}})
        }),
        ("events", "VALUE_REQUIRED", |r| r["events"] = json!([])),
        ("events", "EXCEEDED_MAX_ENTITIES", |r| r["events"] = vec![r["events"][0].clone(); 26].into()),
        ("events[0].name", "NAME_INVALID", |r| r["events"][0]["name"] = json!("Booking made")),
        ("events[0].name", "NAME_INVALID", |r| r["events"][0]["name"] = json!("b".repeat(41))),
        ("events[0].name", "NAME_RESERVED", |r| r["events"][0]["name"] = json!("session_start")),
        ("events[0].name", "NAME_RESERVED", |r| r["events"][0]["name"] = json!("google_sale")),
        ("events[0].params.ga_x", "NAME_RESERVED", |r| params(r)["ga_x"] = json!(1)),
        ("events[0].params.firebase_conversion", "NAME_RESERVED", |r| params(r)["firebase_conversion"] = json!(1)),
        ("events[0].params", "EXCEEDED_MAX_ENTITIES", |r| (0..20).for_each(|n| params(r)[format!("p{n}")] = json!(n))),
        ("events[0].params.coupon", "VALUE_OUT_OF_BOUNDS", |r| params(r)["coupon"] = json!("c".repeat(101))),
        ("events[0].params.coupon", "VALUE_INVALID", |r| params(r)["coupon"] = json!("")),
        ("events[0].params.coupon", "VALUE_INVALID", |r| params(r)["coupon"] = json!(null)),
        ("events[0].params.coupon", "VALUE_INVALID", |r| params(r)["coupon"] = json!(["a"])),
        ("events[0].params.note", "VALUE_INVALID", |r| params(r)["note"] = json!("call ada@example.com")),
        ("events[0].params.note", "VALUE_INVALID", |r| params(r)["note"] = json!("ada%40example.com")),
        ("events[0].params.note", "VALUE_INVALID", |r| params(r)["note"] = json!("call +49 (30) 1234-567")),
        ("events[0].params.note", "VALUE_INVALID", |r| params(r)["note"] = json!("4242 4242 4242 4242")),
        ("events[0].params.email", "VALUE_INVALID", |r| params(r)["email"] = json!("hidden")),
        ("events[0].params.transaction_id", "VALUE_INVALID", |r| params(r)["transaction_id"] = json!("")),
        ("events[0].params.transaction_id", "VALUE_INVALID", |r| params(r)["transaction_id"] = json!("a@b.example")),
        ("events[0].params.value", "VALUE_INVALID", |r| params(r)["value"] = json!("99.5")),
        ("events[0].params.value", "VALUE_INVALID", |r| params(r)["value"] = json!(-1)),
        ("events[0].params.currency", "VALUE_INVALID", |r| params(r)["currency"] = json!("eur")),
        ("events[0].params.currency", "VALUE_REQUIRED", |r| {
            drop(params(r).as_object_mut().unwrap().remove("currency"))
        }),
        ("events[0].params.items", "VALUE_REQUIRED", |r| params(r)["items"] = json!([])),
        ("events[0].params.items", "EXCEEDED_MAX_ENTITIES", |r| {
            params(r)["items"] = vec![json!({"item_id": "a"}); 201].into()
        }),
        ("events[0].params.items[0]", "VALUE_REQUIRED", |r| params(r)["items"] = json!([{"price": 1}])),
        ("events[0].params.items[0].quantity", "VALUE_INVALID", |r| params(r)["items"][0]["quantity"] = json!(0)),
        ("events[0].params.items[0].price", "VALUE_INVALID", |r| params(r)["items"][0]["price"] = json!("1")),
        ("events[0].params.items[0]", "EXCEEDED_MAX_ENTITIES", |r| {
            (0..11).for_each(|n| params(r)["items"][0][format!("own{n}")] = json!(n))
        }),
        ("events[0].params.engagement_time_msec", "VALUE_REQUIRED", |r| params(r)["engagement_time_msec"] = json!(0)),
        ("events[0].params.session_id", "VALUE_INVALID", |r| params(r)["session_id"] = json!("GS1.1")),
    ];
    for (path, code, change) in table {
        let found = found(change);
        assert!(found.iter().any(|b| b.path == *path && b.code == *code), "{path} {code}: {found:?}");
    }
    for (offset, fine) in [(-72 * hour, true), (-72 * hour - 1, false), (hour / 4, true), (hour / 4 + 1, false)] {
        let found = found(|r| {
            r["timestamp_micros"] = json!(NOW.micros() + offset);
            r["events"][0]["timestamp_micros"] = json!(NOW.micros() + offset);
        });
        assert_eq!(found.is_empty(), fine, "{offset}: {found:?}");
    }
}

#[test]
fn whatever_is_sent_there_is_a_verdict() {
    for body in [&b""[..], b"[]", b"null", b"\xff", br#"{"events":7}"#, br#"{"events":[null]}"#, br#"{"events":[{}]}"#]
    {
        assert!(!breaches(body, NOW).is_empty());
    }
    let large = found(|r| params(r)["items"] = vec![json!({"item_id": "a", "item_name": "n".repeat(900)}); 199].into());
    assert!(large.iter().any(|breach| breach.path.is_empty()));
}

#[test]
fn ordinary_texts_hold_no_personal_data() {
    for text in [
        "autumn @ home",
        "1790000000",
        "order 2026-11-22",
        "a+b",
        "+1 more",
        "Sale: 20 % off",
        "@handle",
        "me@localhost",
    ] {
        assert!(!(holds_email(text) || holds_phone(text) || holds_card(text)), "{text}");
    }
}
