use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::interpret::tests::settings;
use super::keys::PublicKey;
use super::{GoHighLevel, Settings};
use crate::model::envelope::Envelope;
use crate::model::statement::Meaning;
use crate::model::time::Timestamp;
use crate::sources::rsa::{Certificate, tests as rsa};
use crate::sources::{Message, Refusal, Request, SampleRequest, Source};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn signed_by_pair() -> Settings {
    let key = PublicKey::parse(&hex::encode(pair().public_key().as_ref())).unwrap();
    Settings { public_keys: vec![key], app_id: Some("app1".into()), ..settings() }
}

fn body(seconds_ago: i64) -> Vec<u8> {
    let at = Timestamp::from_unix_seconds(NOW.unix_seconds() - seconds_ago).to_string();
    json!({"type": "ContactCreate", "id": "c", "locationId": "loc1", "appId": "app1", "webhookId": "w", "timestamp": at})
        .to_string()
        .into_bytes()
}

fn headers(fields: &[(&str, &str)]) -> Envelope {
    let headers = fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
    Envelope { headers, event: None }
}

fn sign(body: &[u8]) -> String {
    STANDARD.encode(pair().sign(body))
}

fn verdict(settings: Settings, fields: &[(&str, &str)], token: Option<&str>, body: &[u8]) -> Result<(), Refusal> {
    let source = GoHighLevel::new(settings);
    let headers = headers(fields);
    let request = Request { token, ..Request::post(&headers, body, NOW) };
    let verdict = source.verify(&request);
    if let Err(refusal) = verdict {
        let told = source.explain(&request, refusal);
        assert!(told.len() > 20 && !told.contains("t-0123456789"), "{told}");
    }
    verdict
}

#[test]
fn a_body_that_highlevel_signed_for_us_is_believed_and_a_changed_one_is_not() {
    let body = body(5);
    let signature = sign(&body);
    let header = [("X-GHL-Signature", signature.as_str())];
    assert_eq!(verdict(signed_by_pair(), &header, None, &body), Ok(()));
    let mut changed = body.clone();
    changed[9] ^= 1;
    assert_eq!(verdict(signed_by_pair(), &header, None, &changed), Err(Refusal::NoMatchingSignature));
    assert_eq!(verdict(settings(), &header, None, &body), Err(Refusal::NoMatchingSignature), "the published key");
    let other = sign(b"something else");
    assert_eq!(
        verdict(signed_by_pair(), &[("x-ghl-signature", &other)], None, &body),
        Err(Refusal::NoMatchingSignature)
    );
    assert_eq!(verdict(signed_by_pair(), &[("x-ghl-signature", "%%%")], None, &body), Err(Refusal::MalformedSignature));
}

/// Signed with `openssl dgst -sha256 -sign` and the key of the tests' certificate, in place of HighLevel's.
#[test]
fn the_older_signature_is_believed_only_where_it_is_switched_on() {
    const SIGNATURE: &str = "pA2ro45qkFOU+dG2XwUeSFb5cywLbs5S2sFKBKV8PzBcpxMM/k7SIvZ6OBRccyVfh0fuKFtoLTwxy1+T2PnhJ3spnW+WzdCECsv/MH9hKJZ4nbohrnTA3NWinZVFpt2WYFrvlnppZvV7lQiANOg15u5Xk3QpHS3JxrA+UsI/bz+RGeixafJf64UEBFEwHmWJ9GrHauhoHQY77TO5In4TN+V0MUqSKqdQRKSzyF66N9P3IzZZkYB59kDAuUaz0EHFW6xXqxDN9GuZntnjwrZmzHwEmtYaB0Q5+qToDDJU8KHdU+RIl7xmWcXPcxvCqWVhTHujdKrqfNWvdl+ADzmaLw==";
    let body = br#"{"appId":"app1","id":"c","locationId":"loc1","timestamp":"2027-01-15T07:59:55.000Z","type":"ContactCreate","webhookId":"w"}"#;
    let judge = |switched_on: bool, header: &str, signature: &str, body: &[u8]| {
        let mut source = GoHighLevel::new(Settings { legacy_signature: switched_on, ..signed_by_pair() });
        assert_eq!(source.legacy.is_some(), switched_on);
        source.legacy = source.legacy.map(|_| Certificate::parse(rsa::CERTIFICATE).unwrap().key);
        source.verify(&Request::post(&headers(&[(header, signature)]), body, NOW))
    };
    assert_eq!(judge(true, "x-wh-signature", SIGNATURE, body), Ok(()));
    assert_eq!(judge(false, "x-wh-signature", SIGNATURE, body), Err(Refusal::MissingSignature), "it is off by default");
    let mut other = body.to_vec();
    other[10] ^= 1;
    assert_eq!(judge(true, "x-wh-signature", SIGNATURE, &other), Err(Refusal::NoMatchingSignature));
    assert_eq!(judge(true, "x-ghl-signature", SIGNATURE, body), Err(Refusal::NoMatchingSignature), "it is no Ed25519");
    for (signature, refusal) in [
        ("N/A", Refusal::MissingSignature),
        ("", Refusal::MissingSignature),
        ("%%%", Refusal::MalformedSignature),
        (&SIGNATURE[..340], Refusal::NoMatchingSignature),
    ] {
        assert_eq!(judge(true, "x-wh-signature", signature, body), Err(refusal), "{signature}");
    }
}

#[test]
fn no_signature_is_no_signature_however_it_is_written() {
    let body = body(5);
    let signature = sign(&body);
    let twice = [("x-ghl-signature", signature.as_str()), ("x-ghl-signature", signature.as_str())];
    for fields in
        [&[][..], &[("x-ghl-signature", "N/A")], &[("x-ghl-signature", " ")], &twice, &[("x-wh-signature", "AAAA")]]
    {
        assert_eq!(verdict(signed_by_pair(), fields, None, &body), Err(Refusal::MissingSignature), "{fields:?}");
    }
    let legacy = Settings { legacy_signature: true, ..signed_by_pair() };
    assert_eq!(verdict(legacy, &[("x-wh-signature", "AAAA")], None, &body), Err(Refusal::NoMatchingSignature));
}

#[test]
fn what_is_signed_for_somebody_else_is_not_ours() {
    let of = |location: &str, app: &str| {
        json!({"type": "x", "locationId": location, "appId": app, "webhookId": "w"}).to_string().into_bytes()
    };
    for (location, app, expected) in [
        ("loc1", "app1", Ok(())),
        ("loc2", "app1", Err(Refusal::NotOurs)),
        ("", "app1", Err(Refusal::NotOurs)),
        ("loc1", "app2", Err(Refusal::NotOurs)),
        ("loc1", "", Err(Refusal::NotOurs)),
    ] {
        let body = of(location, app);
        let signature = sign(&body);
        let header = [("x-ghl-signature", signature.as_str())];
        assert_eq!(verdict(signed_by_pair(), &header, None, &body), expected, "{location} {app}");
    }
    // More than is read must not get round it.
    let deep = format!("{{\"locationId\":\"loc2\",\"x\":{}1{}}}", "[".repeat(500), "]".repeat(500)).into_bytes();
    let signature = sign(&deep);
    assert_eq!(verdict(signed_by_pair(), &[("x-ghl-signature", &signature)], None, &deep), Err(Refusal::NotOurs));
}

#[test]
fn the_window_lets_the_last_of_its_retries_in_and_nothing_older() {
    for (age, expected) in [
        (0, Ok(())),
        (70 * 60, Ok(())),
        (7200, Ok(())),
        (7201, Err(Refusal::TimestampTooOld)),
        (-7200, Ok(())),
        (-7201, Err(Refusal::TimestampInFuture)),
    ] {
        let body = body(age);
        let signature = sign(&body);
        assert_eq!(verdict(signed_by_pair(), &[("x-ghl-signature", &signature)], None, &body), expected, "{age}");
    }
}

#[test]
fn anothers_webhook_is_not_ours_for_naming_us_inside() {
    let at = NOW.to_string();
    for (outer, inner) in [(("loc2", "app1"), ("loc1", "app1")), (("loc1", "app2"), ("loc1", "app1"))] {
        let body = json!({
            "type": "ContactCreate", "locationId": outer.0, "appId": outer.1, "webhookId": "w", "timestamp": at,
            "data": {"id": "c", "locationId": inner.0, "appId": inner.1},
        });
        let body = body.to_string().into_bytes();
        let signature = sign(&body);
        let told = verdict(signed_by_pair(), &[("x-ghl-signature", &signature)], None, &body);
        assert_eq!(told, Err(Refusal::NotOurs), "{outer:?}");
    }
}

#[test]
fn a_workflow_shows_its_token_in_the_path_or_in_a_header() {
    let token = "t-0123456789-0123456789";
    let body = json!({"contact_id": "c", "workflow": {"id": "w"}, "location": {"id": "loc1"}}).to_string().into_bytes();
    let bearer = format!("Bearer {token}");
    assert_eq!(verdict(settings(), &[], Some(token), &body), Ok(()));
    assert_eq!(verdict(settings(), &[("X-Tallyhook-Token", token)], None, &body), Ok(()));
    assert_eq!(verdict(settings(), &[("authorization", &bearer)], None, &body), Ok(()));
    for wrong in ["", "t", "t-0123456789-0123456788", "t-0123456789-01234567890"] {
        assert_eq!(verdict(settings(), &[], Some(wrong), &body), Err(Refusal::WrongToken), "{wrong}");
        assert!(!GoHighLevel::new(settings()).admits(wrong));
    }
    assert_eq!(verdict(settings(), &[("x-tallyhook-token", "nope")], None, &body), Err(Refusal::WrongToken));
    let none = Settings { token: None, ..settings() };
    assert_eq!(verdict(none.clone(), &[], Some(token), &body), Err(Refusal::WrongToken));
    assert_eq!(verdict(none, &[], None, &body), Err(Refusal::MissingSignature));
    let elsewhere = json!({"contact_id": "c", "location": {"id": "loc2"}}).to_string().into_bytes();
    assert_eq!(verdict(settings(), &[], Some(token), &elsewhere), Err(Refusal::NotOurs));
}

#[test]
fn what_can_not_be_stored_is_answered_so_that_it_comes_again() {
    let answer = GoHighLevel::new(settings()).unavailable();
    assert_eq!((answer.status, answer.retry_after.as_secs()), (429, 600), "any other status is final");
}

#[test]
fn every_sample_is_genuine_and_means_something() {
    let source = GoHighLevel::new(settings());
    for event_type in source.sample_types() {
        let wanted = SampleRequest { event_type, number: 5, now: NOW, livemode: false, endpoint: None };
        let sample = source.sample(&wanted).unwrap();
        let fields: Vec<_> = sample.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let headers = headers(&fields);
        assert_eq!(source.verify(&Request::post(&headers, &sample.body, NOW)), Ok(()), "{event_type}");
        let told = source.interpret(&Message::bare(&sample.body, NOW)).unwrap();
        assert!(matches!(told.meaning, Meaning::Statement(_)) && told.notes.is_empty(), "{event_type}: {told:?}");
        assert_eq!(told.scope.to_string(), "gohighlevel/loc1/test", "{event_type}");
    }
    let wanted = SampleRequest { event_type: "ContactCreate", number: 5, now: NOW, livemode: true, endpoint: None };
    assert!(GoHighLevel::new(Settings { token: None, ..settings() }).sample(&wanted).is_none());
}
