//! Signatures of every preset. Published ones are marked; the others were worked out with Python's `hmac`, apart from this code.

use std::time::Duration;

use super::*;
use crate::model::envelope::Envelope;
use crate::model::time::Timestamp;
use crate::sources::hmac::preset::{PRESETS, preset};
use crate::sources::hmac::scheme::{Encoding, Proof};
use crate::sources::hmac::scheme::{Hash, Scheme};

const SECRET: &str = "a secret for the tests";
const BODY: &str = "{\"n\":1,\"name\":\"Zoë\"}";
const NOW: i64 = 1_700_000_000;
const ENDPOINT: &str = "https://hooks.example.com/api/webhooks/shop";
const HEX: &str = "5232cc4ba390f04e399f3f1aa15114545f35f2894f9f8d508a03f99dc75543a4";
const BASE64: &str = "UjLMS6OQ8E45nz8aoVEUVF818olPn41QigP5ncdVQ6Q=";
/// Over `v0:1700000000:` and the body.
const V0: &str = "2c082c7bf3b7fb4b5dd08a81a53a210f4ea8ec0d7b4d789dc5cb333d1fd2a5f8";
/// Of the 24 bytes 0 to 23.
const SVIX_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

type Fields = Vec<(&'static str, String)>;

/// A genuine request of a preset: secret, header fields, what follows the endpoint.
fn genuine(name: &str) -> (&'static str, Fields, &'static str) {
    let signed = |header: &'static str, value: String| (SECRET, vec![(header, value)], "");
    match name {
        "standard_webhooks" | "svix" => {
            let family = if name == "svix" {
                ["svix-id", "svix-timestamp", "svix-signature"]
            } else {
                ["webhook-id", "webhook-timestamp", "webhook-signature"]
            };
            let values = ["msg_1", "1700000000", "v1,WnXfEIGmrFamO9UYOBW41Z5O9GK0EAI9OqTx8qsa02E="];
            (SVIX_SECRET, family.into_iter().zip(values.map(str::to_owned)).collect(), "")
        }
        "github" => signed("X-Hub-Signature-256", format!("sha256={HEX}")),
        "shopify" => signed("X-Shopify-Hmac-Sha256", BASE64.into()),
        "paddle" => signed(
            "Paddle-Signature",
            "ts=1700000000;h1=5046d5d7036c0cedec7005cec49b9347592047f81fd64dfbad296fad47f9453d".into(),
        ),
        "lemon_squeezy" => signed("X-Signature", HEX.into()),
        "square" => signed("x-square-hmacsha256-signature", "bmXvcVS1h/sElGH8Eg61pgr8Y4OhOMCES5i7hJUyLvI=".into()),
        "calendly" => signed(
            "Calendly-Webhook-Signature",
            "t=1700000000,v1=401906fd23c45bcf4e53fd7dc59206406fbc8e01e03855ee2711c2defac76cbd".into(),
        ),
        "typeform" => signed("Typeform-Signature", format!("sha256={BASE64}")),
        "woocommerce" => signed("X-WC-Webhook-Signature", BASE64.into()),
        "mailerlite" => signed("Signature", HEX.into()),
        "hubspot" => (
            SECRET,
            vec![
                ("X-HubSpot-Signature-v3", "wPiU0mMuT52WTY4eVgoa7P0c+ksIQA1laofyUs/rsWw=".into()),
                ("X-HubSpot-Request-Timestamp", "1700000000123".into()),
            ],
            "?to=a%40b%2cc",
        ),
        "cal_com" => signed("X-Cal-Signature-256", HEX.into()),
        "slack" => (
            SECRET,
            vec![("X-Slack-Signature", format!("v0={V0}")), ("X-Slack-Request-Timestamp", "1700000000".into())],
            "",
        ),
        "zoom" => {
            (SECRET, vec![("x-zm-signature", format!("v0={V0}")), ("x-zm-request-timestamp", "1700000000".into())], "")
        }
        other => panic!("no vector for {other}"),
    }
}

fn envelope(fields: &Fields) -> Envelope {
    let headers = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes())).collect();
    Envelope { headers, event: None }
}

fn judge_at(
    scheme: Scheme,
    secrets: &[&str],
    fields: &Fields,
    rest: &str,
    body: &[u8],
    at: i64,
) -> Result<usize, Refusal> {
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new(*secret)).collect();
    let headers = envelope(fields);
    let received_at = Timestamp::from_unix_seconds(at);
    let request = Request { endpoint: Some(ENDPOINT), rest, ..Request::post(&headers, body, received_at) };
    Checker::new(scheme, &secrets).verify(&request)
}

fn judge(scheme: Scheme, secret: &str, fields: &Fields, body: &[u8]) -> Result<usize, Refusal> {
    judge_at(scheme, &[secret], fields, "", body, NOW)
}

#[test]
fn every_preset_believes_its_own_sender_and_no_change_of_anything() {
    for name in PRESETS.into_iter().filter(|name| preset(name).unwrap().proof.is_spelled_out()) {
        let scheme = preset(name).unwrap();
        let (secret, fields, rest) = genuine(name);
        let at = |secrets: &[&str], fields: &Fields, rest: &str, body: &[u8]| {
            judge_at(preset(name).unwrap(), secrets, fields, rest, body, NOW)
        };
        assert_eq!(at(&[secret], &fields, rest, BODY.as_bytes()), Ok(0), "{name}");
        let other = "whsec_AQECAwQFBgcICQoLDA0ODxAREhMUFRYX";
        assert_eq!(at(&[other, secret], &fields, rest, BODY.as_bytes()), Ok(1), "{name}: while a secret is replaced");
        assert_eq!(at(&[other], &fields, rest, BODY.as_bytes()), Err(Refusal::NoMatchingSignature), "{name}");
        assert_eq!(at(&[], &fields, rest, BODY.as_bytes()), Err(Refusal::NoMatchingSignature), "{name}");
        for place in 0..BODY.len() {
            let mut body = BODY.as_bytes().to_vec();
            body[place] ^= 1;
            assert_eq!(at(&[secret], &fields, rest, &body), Err(Refusal::NoMatchingSignature), "{name} {place}");
        }
        for body in ["", "{\"n\":1,\"name\":\"Zoë\"}\n"] {
            assert_eq!(at(&[secret], &fields, rest, body.as_bytes()), Err(Refusal::NoMatchingSignature), "{name}");
        }
        assert_eq!(at(&[secret], &Vec::new(), rest, BODY.as_bytes()), Err(Refusal::MissingSignature), "{name}");
        for field in 0..fields.len() {
            let mut twice = fields.clone();
            twice.push(fields[field].clone());
            assert!(at(&[secret], &twice, rest, BODY.as_bytes()).is_err(), "{name}: {} twice", fields[field].0);
            // Every letter of every field counts, but the case of hexadecimal digits and bits that base64 ignores at its end.
            for place in 0..fields[field].1.len() {
                let mut changed = fields.clone();
                let mut letters = changed[field].1.clone().into_bytes();
                letters[place] = if letters[place] == b'7' { b'9' } else { b'7' };
                changed[field].1 = String::from_utf8(letters).unwrap();
                assert!(at(&[secret], &changed, rest, BODY.as_bytes()).is_err(), "{name} {} {place}", fields[field].0);
            }
        }
        let place = fields.iter().position(|(field, _)| scheme.headers.contains(&field.to_ascii_lowercase())).unwrap();
        for nothing in ["", " ", "\t"] {
            let mut empty = fields.clone();
            empty[place].1 = nothing.to_owned();
            assert_eq!(
                at(&[secret], &empty, rest, BODY.as_bytes()),
                Err(Refusal::MissingSignature),
                "{name}: an empty header"
            );
        }
        let mut otherwise = fields.clone();
        otherwise[place].1 = in_the_other_encoding(&scheme, &fields[place].1);
        let refusal = at(&[secret], &otherwise, rest, BODY.as_bytes()).unwrap_err();
        let expected =
            if scheme.syntax == Syntax::Plain { Refusal::MalformedSignature } else { Refusal::NoV1Signature };
        assert_eq!(refusal, expected, "{name}: base64 for hexadecimal digits or the other way round");
        if scheme.signs_address() {
            assert_eq!(at(&[secret], &fields, "?x=1", BODY.as_bytes()), Err(Refusal::NoMatchingSignature), "{name}");
            let own = Scheme { public_url: Some("https://other.example.com/".into()), ..scheme.clone() };
            assert!(judge_at(own, &[secret], &fields, rest, BODY.as_bytes(), NOW).is_err(), "{name}");
        }
        if scheme.is_timed() {
            let when = |at: i64| judge_at(preset(name).unwrap(), &[secret], &fields, rest, BODY.as_bytes(), at);
            assert_eq!(when(NOW + 300), Ok(0), "{name}");
            assert_eq!(when(NOW + 302), Err(Refusal::TimestampTooOld), "{name}");
            assert_eq!(when(NOW - 299), Ok(0), "{name}");
            assert_eq!(when(NOW - 302), Err(Refusal::TimestampInFuture), "{name}");
        }
    }
}

/// The header's value with the same signature in base64 instead of hexadecimal digits, or the other way round.
fn in_the_other_encoding(scheme: &Scheme, value: &str) -> String {
    let at = match scheme.syntax {
        Syntax::Plain => scheme.prefix.len(),
        Syntax::Pairs => value.rfind('=').unwrap() + 1,
        Syntax::Versions => value.find(',').unwrap() + 1,
    };
    let bytes = decode(scheme.encoding, &value.as_bytes()[at..]).unwrap();
    let other = if scheme.encoding == Encoding::Hex { Encoding::Base64 } else { Encoding::Hex };
    format!("{}{}", &value[..at], encode(other, &bytes))
}

#[test]
fn published_signatures_are_believed() {
    // GitHub: validating webhook deliveries, testing.
    let hash = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let fields = vec![("X-Hub-Signature-256", hash.to_owned())];
    let github = || preset("github").unwrap();
    assert_eq!(judge(github(), "It's a Secret to Everybody", &fields, b"Hello, World!"), Ok(0));
    // Standard Webhooks specification, its example of a signature.
    let fields = vec![
        ("webhook-id", "msg_loFOjxBNrRLzqYUf".to_owned()),
        ("webhook-timestamp", "1731705121".to_owned()),
        ("webhook-signature", "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0=".to_owned()),
    ];
    let body = br#"{"event_type":"ping","data":{"success":true}}"#;
    let standard = || preset("standard_webhooks").unwrap();
    let secret = "whsec_plJ3nmyCDGBKInavdOK15jsl";
    assert_eq!(judge_at(standard(), &[secret], &fields, "", body, 1_731_705_121), Ok(0));
    // Slack: verifying requests from Slack.
    let fields = vec![
        ("x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503".to_owned()),
        ("x-slack-request-timestamp", "1531420618".to_owned()),
    ];
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&\
                user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2F\
                commands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.\
                803a0bc887a14d10d2c447fce8b6703c";
    let secret = "8f742231b10e8888abcd99yyyzzz85a5";
    assert_eq!(judge_at(preset("slack").unwrap(), &[secret], &fields, "", body.as_bytes(), 1_531_420_618), Ok(0));
}

#[test]
fn several_signatures_are_tried_up_to_a_limit() {
    let (secret, mut fields, _) = genuine("svix");
    let good = fields[2].1.clone();
    let bad = format!("v1,{BASE64}");
    let with = |value: String, fields: &mut Fields| {
        fields[2].1 = value;
        judge(preset("svix").unwrap(), secret, fields, BODY.as_bytes())
    };
    assert_eq!(with(format!("v1a,ignored {bad} v2,{BASE64} nonsense {good}"), &mut fields), Ok(0));
    assert_eq!(with(format!("{good} {bad}"), &mut fields), Ok(0));
    let sixteen = vec![bad.clone(); 16].join(" ");
    assert_eq!(with(format!("{sixteen} {good}"), &mut fields), Err(Refusal::NoMatchingSignature));
    assert_eq!(with(good.replace("v1,", "v1a,"), &mut fields), Err(Refusal::NoV1Signature));
    let (secret, mut fields, _) = genuine("paddle");
    fields[0].1 = fields[0].1.replace(";h1=", &format!("; h1={HEX} ; h1="));
    assert_eq!(judge(preset("paddle").unwrap(), secret, &fields, BODY.as_bytes()), Ok(0));
    fields[0].1.push_str(";ts=1700000000");
    assert_eq!(judge(preset("paddle").unwrap(), secret, &fields, BODY.as_bytes()), Err(Refusal::MalformedSignature));
}

#[test]
fn ids_and_times_cannot_be_mixed_up_with_what_stands_beside_them() {
    // `a.1` and `2.…` would be signed as `a` and `1.2.…`.
    let (secret, fields, _) = genuine("svix");
    for (field, odd) in [
        (0, "msg.1"),
        (0, ""),
        (0, "msg 1"),
        (0, "m\u{e9}"),
        (1, "1700000000."),
        (1, "+1700000000"),
        (1, " "),
        (1, "17000000000000"),
    ] {
        let mut fields = fields.clone();
        fields[field].1 = odd.to_owned();
        let verdict = judge(preset("svix").unwrap(), secret, &fields, BODY.as_bytes());
        assert_eq!(verdict, Err(Refusal::MalformedSignature), "{odd:?}");
    }
    let mut mixed = fields.clone();
    mixed[0].0 = "webhook-id";
    assert_eq!(judge(preset("svix").unwrap(), secret, &mixed, BODY.as_bytes()), Ok(0), "either family");
}

#[test]
fn a_sender_without_a_secret_is_told_from_one_with() {
    let fields = vec![("X-Cal-Signature-256", "no-secret-provided".to_owned())];
    let verdict = judge(preset("cal_com").unwrap(), SECRET, &fields, BODY.as_bytes());
    assert_eq!(verdict, Err(Refusal::MissingSignature));
}

#[test]
fn other_hashes_and_keys_can_be_spelled_out() {
    let sha512 = "00d73895247a049bcdb454d384913b5fa6d855f84aef6b939f172eb3f9f2413a9932e1e234d94bbac24bc2dfc818816b74b489b815d0e7fcf45586d3b482ead8";
    let fields = vec![("x-signature", sha512.to_owned())];
    let scheme = || Scheme { hash: Hash::Sha512, ..Scheme::default() };
    assert_eq!(judge(scheme(), SECRET, &fields, BODY.as_bytes()), Ok(0));
    let short = vec![("x-signature", HEX.to_owned())];
    assert_eq!(judge(scheme(), SECRET, &short, BODY.as_bytes()), Err(Refusal::MalformedSignature));
    let hex_key = Scheme { key: crate::sources::hmac::scheme::KeyForm::Hex, ..Scheme::default() };
    assert_eq!(judge(hex_key, &hex::encode(SECRET), &short, BODY.as_bytes()), Ok(0));
    let no_body = Scheme { signed: "fixed".into(), ..Scheme::default() };
    assert_eq!(judge(no_body, SECRET, &short, BODY.as_bytes()), Err(Refusal::NoMatchingSignature));
}

#[test]
fn a_signature_with_the_senders_own_key_covers_the_same_parts() {
    use ring::signature::{Ed25519KeyPair, KeyPair};
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let signature = hex::encode(pair.sign(format!("{NOW}.{BODY}").as_bytes()));
    let scheme = || Scheme {
        proof: Proof::Ed25519,
        timestamp_headers: vec!["x-time".into()],
        signed: "{timestamp}.{body}".into(),
        tolerance: Duration::from_secs(60),
        ..Scheme::default()
    };
    let fields = vec![("X-Signature", signature), ("X-Time", NOW.to_string())];
    let key = hex::encode(pair.public_key());
    assert_eq!(judge(scheme(), &key, &fields, BODY.as_bytes()), Ok(0));
    assert_eq!(judge(scheme(), &key, &fields, b"{}"), Err(Refusal::NoMatchingSignature));
    assert_eq!(judge(scheme(), HEX, &fields, BODY.as_bytes()), Err(Refusal::NoMatchingSignature));
    let late = judge_at(scheme(), &[&key], &fields, "", BODY.as_bytes(), NOW + 61);
    assert_eq!(late, Err(Refusal::TimestampTooOld));
}
