use proptest::prelude::*;

use super::*;
use crate::model::time::Timestamp;
use crate::sources::signature::to_hex;
use crate::sources::stripe::{MetadataKeys, Settings, Stripe};
use crate::sources::{Headers, Source};

const NOW: i64 = 1_700_000_000;
const SECRET: &str = "whsec_c2VjcmV0LWZvci10aGUtdGVzdHM=";
const BODY: &str = "{\n  \"id\": \"evt_private\",\n  \"livemode\": true,\n  \"list\": []\n}";

struct Lines(Vec<Vec<u8>>);

impl Headers for Lines {
    fn values(&self, name: &str) -> Vec<&[u8]> {
        if name.eq_ignore_ascii_case("Stripe-Signature") {
            self.0.iter().map(Vec::as_slice).collect()
        } else {
            Vec::new()
        }
    }
}

/// What is said of this header and body by an endpoint with this secret, after a real refusal.
fn said(secret: &str, headers: &[&str], body: &[u8]) -> String {
    let lines = Lines(headers.iter().map(|line| line.as_bytes().to_vec()).collect());
    let request = Request::post(&lines, body, Timestamp::from_unix_seconds(NOW));
    let stripe = Stripe::new(Settings {
        secrets: vec![Secret::new(secret)],
        tolerance: Duration::from_secs(300),
        metadata: MetadataKeys::default(),
    });
    let refusal = stripe.verify(&request).expect_err("refused");
    let sentence = stripe.explain(&request, refusal);
    for private in ["evt_private", secret.trim(), "c2VjcmV0"] {
        assert!(!sentence.contains(private), "{sentence}");
    }
    assert!((30..420).contains(&sentence.len()), "{sentence}");
    sentence
}

fn header(secret: &[u8], seconds: i64, body: &str) -> String {
    let text = seconds.to_string();
    format!("t={text},v1={}", to_hex(&SigningKey::new(secret).digest(&[text.as_bytes(), b".", body.as_bytes()])))
}

fn signed(body: &str) -> String {
    header(SECRET.as_bytes(), NOW, body)
}

#[test]
fn skew_is_measured() {
    let old = said(SECRET, &[&header(SECRET.as_bytes(), NOW - 4312, BODY)], BODY.as_bytes());
    assert!(
        old.contains("signed 4312 s before it arrived") && old.contains("clock") && old.contains("replay"),
        "{old}"
    );
    let future = said(SECRET, &[&header(SECRET.as_bytes(), NOW + 999, BODY)], BODY.as_bytes());
    assert!(future.contains("999 s after this machine's time"), "{future}");
    let zone = said(SECRET, &[&header(SECRET.as_bytes(), NOW - 7203, BODY)], BODY.as_bytes());
    assert!(zone.contains("time zone"), "{zone}");
}

#[test]
fn a_body_written_anew_is_recognised() {
    let signature = signed(BODY);
    for rewritten in [
        r#"{"id":"evt_private","livemode":true,"list":[]}"#.to_owned(),
        r#"{"id": "evt_private", "livemode": true, "list": []}"#.to_owned(),
        BODY.replace("  ", "    "),
    ] {
        let sentence = said(SECRET, &[&signature], rewritten.as_bytes());
        assert!(sentence.contains("white space") && sentence.contains("raw bytes"), "{sentence}");
    }
    let compact = r#"{"id":"evt_private"}"#;
    assert!(said(SECRET, &[&signed(compact)], b"{\n  \"id\": \"evt_private\"\n}").contains("white space"));
}

#[test]
fn changed_line_ends_are_recognised() {
    let bodies = ["not { json", "not { json\n", "not\n{ json\n"];
    for (signed_body, arrived) in [(bodies[1], bodies[0]), (bodies[0], bodies[1]), (bodies[2], "not\r\n{ json\r\n")] {
        let sentence = said(SECRET, &[&signed(signed_body)], arrived.as_bytes());
        assert!(sentence.contains("line ends"), "{sentence}");
    }
}

#[test]
fn secrets_of_the_wrong_kind_are_recognised() {
    let by_stripe = signed(BODY);
    for padded in [format!(" {SECRET}"), format!("{SECRET}\n"), format!("\"{SECRET}\"")] {
        let sentence = said(&padded, &[&by_stripe], BODY.as_bytes());
        assert!(sentence.contains("spaces, line breaks or quotation marks"), "{sentence}");
    }
    let standard = said(SECRET, &[&header(b"secret-for-the-tests", NOW, BODY)], BODY.as_bytes());
    assert!(standard.contains("Standard Webhooks"), "{standard}");
    let bare = said(SECRET, &[&header(&SECRET.as_bytes()[6..], NOW, BODY)], BODY.as_bytes());
    assert!(bare.contains("without its \"whsec_\""), "{bare}");
    for (key, kind) in
        [("sk_live_abc", "secret API key"), ("rk_test_abc", "restricted"), ("pk_live_abc", "publishable")]
    {
        let sentence = said(key, &[&by_stripe], BODY.as_bytes());
        assert!(sentence.contains(kind), "{sentence}");
    }
}

#[test]
fn another_endpoints_event_is_told_by_its_marks() {
    let other = |body: &str| header(b"whsec_other", NOW, body);
    let v0 = said(SECRET, &[&format!("{},v0={}", other(BODY), "0".repeat(64))], BODY.as_bytes());
    assert!(v0.contains("test event"), "{v0}");
    let test = r#"{"id":"evt_private","livemode":false}"#;
    assert!(said(SECRET, &[&other(test)], test.as_bytes()).contains("test event"));
    let connect = r#"{"id":"evt_private","livemode":true,"account":"acct_1"}"#;
    assert!(said(SECRET, &[&other(connect)], connect.as_bytes()).contains("Connect endpoint"));
    let plain = said(SECRET, &[&header(b"whsec_other", NOW - 90_000, BODY)], BODY.as_bytes());
    assert!(plain.contains("forgery") && plain.contains("90000 s before it arrived"), "{plain}");
}

#[test]
fn bodies_that_are_no_event_are_told_apart() {
    let signature = signed(BODY);
    for (body, words) in [
        (&b""[..], "empty"),
        (b"\x1f\x8b\x08\x00rest", "compressed"),
        (b"{\n  \"id\": \"evt_private\",", "cut on the way"),
        (b"id=evt_private&x=1", "not JSON"),
    ] {
        let sentence = said(SECRET, &[&signature], body);
        assert!(sentence.contains(words), "{sentence}");
    }
}

#[test]
fn broken_headers_are_told_apart() {
    let hex = "0".repeat(64);
    for (headers, words) in [
        (vec![], "no Stripe-Signature header"),
        (vec![" ".to_owned()], "empty"),
        (vec![signed(BODY), signed(BODY)], "several"),
        (vec!["v1,dGVzdA==".to_owned()], "Standard Webhooks"),
        (vec![format!("v1={hex}")], "no timestamp"),
        (vec![format!("t=1700000000000,v1={hex}")], "milliseconds"),
        (vec![format!("t=yesterday,v1={hex}")], "not a number"),
        (vec![format!("t=1,t=2,v1={hex}")], "more than one"),
        (vec!["t=1,v1=abc".to_owned()], "64 hexadecimal"),
        (vec![format!("t=1,v0={hex}")], "only a v0"),
        (vec!["t=1".to_owned()], "no v1"),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let sentence = said(SECRET, &headers, BODY.as_bytes());
        assert!(sentence.contains(words), "{sentence}");
    }
}

#[test]
fn guessing_has_an_end() {
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_BODY));
    assert!(said(SECRET, &[&header(b"whsec_other", NOW, BODY)], large.as_bytes()).contains("too large"));
    let deep = "[".repeat(MAX_BODY);
    assert!(said(SECRET, &[&header(b"whsec_other", NOW, BODY)], deep.as_bytes()).contains("cut on the way"));

    let lines = one_header();
    let header = SignatureHeader::parse(&lines).unwrap_or_else(|_| panic!("a header"));
    let mut guesses = Guesses { header: &header, digests_left: 2, bytes_left: 10 };
    assert!(!guesses.holds(b"k", b"12345678"));
    assert_eq!((guesses.digests_left, guesses.bytes_left), (1, 2));
    assert!(!guesses.holds(b"k", b"123"));
    assert_eq!(guesses.digests_left, 1, "what is too long is not tried");
}

fn one_header() -> Vec<u8> {
    signed(BODY).into_bytes()
}

proptest! {
    #[test]
    fn nothing_private_is_told_of_any_request(
        body in proptest::collection::vec(any::<u8>(), 0..300),
        digest in "[0-9a-f]{64}",
        refusal in prop::sample::select(vec![
            Refusal::MissingSignature, Refusal::MalformedSignature, Refusal::NoV1Signature,
            Refusal::NoMatchingSignature, Refusal::TimestampTooOld, Refusal::TimestampInFuture,
        ]),
    ) {
        let lines = Lines(vec![format!("t={NOW},v1={digest}").into_bytes()]);
        let request = Request::post(&lines, &body, Timestamp::from_unix_seconds(NOW));
        let sentence = explain(&request, refusal, &[Secret::new(SECRET)], Duration::from_secs(300));
        prop_assert!(!sentence.contains(&digest) && !sentence.contains(SECRET));
    }
}
