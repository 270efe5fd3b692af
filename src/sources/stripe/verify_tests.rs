//! Every header case that Stripe's libraries are known to judge, by our rules, and the numbers of a known good implementation.

use proptest::prelude::*;

use super::*;
use crate::model::secret::Secret;
use crate::sources::Source;
use crate::sources::stripe::{MetadataKeys, Settings, Stripe};

const SECRET: &str = "whsec_test_secret";
const ROLLED: &str = "whsec_test_secret_rolled_key";
const BODY: &[u8] = br#"{"id":"evt_test_webhook","object":"event"}"#;
const NOW: i64 = 1_700_000_000;
const GOOD: &str = "d95c6b7477fbd7e9f90b1b0ef5f9c7ac25abca5382460e0d988c2b2a5b71b990";
const GOOD_ROLLED: &str = "7548122dce5e2b728b67327c07959ace6ce459f5ca13822932dac476fc4e0005";
const BAD: &str = "0000000000000000000000000000000000000000000000000000000000000000";

struct Lines(Vec<(&'static str, Vec<u8>)>);

impl Headers for Lines {
    fn values(&self, name: &str) -> Vec<&[u8]> {
        self.0.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_slice()).collect()
    }
}

fn one(value: impl Into<Vec<u8>>) -> Lines {
    Lines(vec![("Stripe-Signature", value.into())])
}

fn stripe(secrets: &[&str], tolerance: u64) -> Stripe {
    let secrets = secrets.iter().map(|secret| Secret::new(*secret)).collect();
    Stripe::new(Settings { secrets, tolerance: Duration::from_secs(tolerance), metadata: MetadataKeys::default() })
}

fn verdict(stripe: &Stripe, headers: &Lines, body: &[u8], now_millis: i64) -> Result<(), Refusal> {
    stripe.verify(&Request::post(headers, body, Timestamp::from_millis(now_millis)))
}

fn judge(header: impl Into<Vec<u8>>) -> Result<(), Refusal> {
    verdict(&stripe(&[SECRET], 300), &one(header), BODY, NOW * 1000)
}

/// Signs with the text of the timestamp as it stands.
fn signed(timestamp: &str) -> String {
    let digest = SigningKey::new(SECRET.as_bytes()).digest(&[timestamp.as_bytes(), b".", BODY]);
    format!("t={timestamp},v1={}", signature::to_hex(&digest))
}

#[test]
fn every_known_header_case_has_its_verdict() {
    use Refusal::{
        MalformedSignature as Malformed, MissingSignature as Missing, NoMatchingSignature as NoMatch,
        NoV1Signature as NoV1, TimestampInFuture as Future, TimestampTooOld as TooOld,
    };
    let hundred = format!("t={NOW}{},v1={GOOD}", format!(",v1={BAD}").repeat(100));
    let cases: Vec<(&str, String, Result<(), Refusal>)> = vec![
        ("valid", format!("t={NOW},v1={GOOD}"), Ok(())),
        ("empty header", String::new(), Err(Missing)),
        ("blank header", " \t ".to_owned(), Err(Missing)),
        ("garbage", "bad_header".to_owned(), Err(Malformed)),
        ("prose", "I'm not even a real signature header".to_owned(), Err(Malformed)),
        ("only t", format!("t={NOW}"), Err(NoV1)),
        ("only v1", format!("v1={GOOD}"), Err(Malformed)),
        ("v1 without value, t of one digit", "v1,t=1".to_owned(), Err(NoV1)),
        ("nothing but an empty t", "t=".to_owned(), Err(Malformed)),
        ("v1 before t", format!("v1={GOOD},t={NOW}"), Ok(())),
        ("v0 only", format!("t={NOW},v0={GOOD}"), Err(NoV1)),
        ("v0 valid + v1 bad", format!("t={NOW},v1={BAD},v0={GOOD}"), Err(NoMatch)),
        ("v1 bad then v1 good", format!("t={NOW},v1={BAD},v1={GOOD}"), Ok(())),
        ("v1 good then v1 bad", format!("t={NOW},v1={GOOD},v1={BAD}"), Ok(())),
        ("v1 good then v1=potato", format!("t={NOW},v1={GOOD},v1=potato"), Ok(())),
        ("v1 non-hex only", format!("t={NOW},v1=zzzz"), Err(NoV1)),
        ("v1 bad_signature", format!("t={NOW},v1=bad_signature"), Err(NoV1)),
        ("v1 empty", format!("t={NOW},v1="), Err(NoV1)),
        ("v1 empty then good", format!("t={NOW},v1=,v1={GOOD}"), Ok(())),
        ("v1 no equals", format!("t={NOW},v1"), Err(NoV1)),
        ("v1 uppercase hex", format!("t={NOW},v1={}", GOOD.to_uppercase()), Ok(())),
        ("v1 truncated", format!("t={NOW},v1={}", &GOOD[..32]), Err(NoV1)),
        ("v1 plus trailing char", format!("t={NOW},v1={GOOD}0"), Err(NoV1)),
        ("space after comma", format!("t={NOW}, v1={GOOD}"), Ok(())),
        ("tab after comma", format!("t={NOW},\tv1={GOOD}"), Ok(())),
        ("space around equals", format!("t = {NOW},v1 = {GOOD}"), Err(Malformed)),
        ("leading space header", format!(" t={NOW},v1={GOOD}"), Ok(())),
        ("trailing space header", format!("t={NOW},v1={GOOD} "), Ok(())),
        ("trailing comma", format!("t={NOW},v1={GOOD},"), Ok(())),
        ("extra = in v1", format!("t={NOW},v1={GOOD}="), Err(NoV1)),
        ("unknown element x=1", format!("t={NOW},x=1,v1={GOOD}"), Ok(())),
        ("unknown element without =", format!("t={NOW},foo,v1={GOOD}"), Ok(())),
        ("t empty", format!("t=,v1={GOOD}"), Err(Malformed)),
        ("t non numeric", format!("t=abc,v1={GOOD}"), Err(Malformed)),
        ("t with junk suffix", format!("t={NOW}abc,v1={GOOD}"), Err(Malformed)),
        ("t float", format!("t={NOW}.5,v1={GOOD}"), Err(Malformed)),
        ("t leading zero, signed without", format!("t=0{NOW},v1={GOOD}"), Err(NoMatch)),
        ("t leading zero, signed with", signed(&format!("0{NOW}")), Ok(())),
        ("t plus sign", format!("t=+{NOW},v1={GOOD}"), Err(Malformed)),
        ("t negative signed", signed("-5"), Err(Malformed)),
        ("t in ms (signed)", signed(&format!("{NOW}000")), Err(Malformed)),
        ("two t: good then other", format!("t={NOW},t=1699999999,v1={GOOD}"), Err(Malformed)),
        ("two t: other then good", format!("t=1699999999,t={NOW},v1={GOOD}"), Err(Malformed)),
        ("two t: the same twice", format!("t={NOW},t={NOW},v1={GOOD}"), Err(Malformed)),
        ("T uppercase key", format!("T={NOW},v1={GOOD}"), Err(Malformed)),
        ("V1 uppercase key", format!("t={NOW},V1={GOOD}"), Err(NoV1)),
        (
            "age 299",
            "t=1699999701,v1=aedc04b30ff0e859972c7775802522a082c93a6e2d839a2e258c317cc71b1260".to_owned(),
            Ok(()),
        ),
        (
            "age 300",
            "t=1699999700,v1=9273fce50d15309501098791efb832376eae403bdaf095e3fed1b59c32162879".to_owned(),
            Ok(()),
        ),
        (
            "age 301",
            "t=1699999699,v1=2774487efe035b9410e0d56e6c8409671266cc00847115bfc11a49cd639f1e76".to_owned(),
            Err(TooOld),
        ),
        (
            "future 299",
            "t=1700000299,v1=7666efd56ccc4d4261b8f595957bc2386a6a8a3e6cbe98b516efa641821cff3d".to_owned(),
            Ok(()),
        ),
        ("future 300", signed("1700000300"), Ok(())),
        (
            "future 301",
            "t=1700000301,v1=fc57c2787cae3eefb29fe9de8d0c0116cdfcb7eba7b260e8624be671a56fef71".to_owned(),
            Err(Future),
        ),
        (
            "future 1 day",
            "t=1700086400,v1=d2ab8aa4156e0fc09601c62a4f2272e4e9fe9252c0e5389157f41b9f15e758a2".to_owned(),
            Err(Future),
        ),
        ("stale and not ours", format!("t=1600000000,v1={GOOD}"), Err(NoMatch)),
        ("t huge overflow", signed("99999999999999999999"), Err(Malformed)),
        ("t of 12 digits", signed("999999999999"), Err(Future)),
        ("t zero", signed("0"), Err(TooOld)),
        ("semicolon separators", format!("t={NOW};v1={GOOD}"), Err(Malformed)),
        ("100 bad v1 then good", hundred, Err(NoMatch)),
    ];
    for (name, header, expected) in cases {
        assert_eq!(judge(header), expected, "{name}");
    }
}

#[test]
fn a_known_good_implementation_signs_the_same() {
    let pretty = "{\n  \"id\": \"evt_test_webhook\",\n  \"object\": \"event\"\n}";
    let payment = concat!(
        r#"{"id":"evt_3SampleAAA","object":"event","api_version":"2025-03-31.basil","created":1767225599,"data":{"object":"#,
        r#"{"id":"pi_3SampleAAA","object":"payment_intent","amount":4900,"amount_received":4900,"currency":"usd","#,
        r#""status":"succeeded","metadata":{"order_id":"1001"}}},"livemode":true,"pending_webhooks":1,"#,
        r#""request":{"id":"req_abc","idempotency_key":"idem-1"},"type":"payment_intent.succeeded"}"#
    );
    let compact = r#"{"id":"evt_test_webhook","object":"event"}"#;
    let unicode =
        "{\"id\":\"evt_1\",\"object\":\"event\",\"data\":{\"object\":{\"name\":\"Žofie Nováková ☕ \\u20ac\"}}}";
    for (secret, timestamp, body, digest) in [
        (SECRET, NOW, compact.to_owned(), GOOD),
        (SECRET, NOW, pretty.to_owned(), "4f1cd7feda9826e746b7d482c4badebb657398df1099e1046364f6196a230150"),
        (SECRET, NOW, pretty.replace('\n', "\r\n"), "9699643a59d7f944696bac7db1885c77c2607a27eefd28f0017a966ac1f247d8"),
        (SECRET, NOW, format!("{compact}\n"), "9923dc73ef0f23463036fb372b5147b2f5e67af0825716e08d96bde06e95f1a8"),
        (
            "whsec_abcdefghijklmnopqrstuvwxyz123456",
            1_492_774_577,
            "{}".to_owned(),
            "aafdb9ba3aee6d04411b11c0f8adc75d7c6de878a7da68a4b099fbf2b7363d7a",
        ),
        (ROLLED, NOW, compact.to_owned(), GOOD_ROLLED),
        (SECRET, 1_735_689_600, unicode.to_owned(), "4542116c00c815af3110a4ccba4114af54a8dc0ae4d932c8bf7d641866801704"),
        ("secret", 1, "x".to_owned(), "33270e99f50e3d3ec295e0d7185dc323a6231c2739f396d70e6b71ea6a435486"),
        (
            "whsec_fake_key_for_tests_only_0001",
            1_767_225_600,
            payment.to_owned(),
            "d3f0edd49424fe55e464b78e4c762abb720546f95a65fc8a86990c36911af636",
        ),
    ] {
        let headers = one(format!("t={timestamp},v1={digest}"));
        assert_eq!(verdict(&stripe(&[secret], 300), &headers, body.as_bytes(), timestamp * 1000), Ok(()), "{body}");
        let other = verdict(&stripe(&["whsec_other"], 300), &headers, body.as_bytes(), timestamp * 1000);
        assert_eq!(other, Err(Refusal::NoMatchingSignature));
    }
}

#[test]
fn a_rolled_secret_verifies_with_the_old_the_new_and_both() {
    let headers = one(format!("t={NOW},v1={GOOD_ROLLED},v1={GOOD}"));
    for secrets in [&[SECRET][..], &[ROLLED], &[SECRET, ROLLED], &["whsec_unrelated", ROLLED]] {
        assert_eq!(verdict(&stripe(secrets, 300), &headers, BODY, NOW * 1000), Ok(()));
    }
}

#[test]
fn sixteen_signatures_are_looked_at_and_malformed_ones_take_no_place() {
    let header =
        |bad: usize| format!("t={NOW}{}{},v1={GOOD}", ",v1=potato".repeat(50), format!(",v1={BAD}").repeat(bad));
    assert_eq!(judge(header(15)), Ok(()));
    assert_eq!(judge(header(16)), Err(Refusal::NoMatchingSignature));
}

#[test]
fn two_header_lines_are_not_one_signature() {
    let good = format!("t={NOW},v1={GOOD}").into_bytes();
    let headers = Lines(vec![("Stripe-Signature", good.clone()), ("stripe-signature", good)]);
    assert_eq!(verdict(&stripe(&[SECRET], 300), &headers, BODY, NOW * 1000), Err(Refusal::MissingSignature));
    assert_eq!(verdict(&stripe(&[SECRET], 300), &Lines(vec![]), BODY, NOW * 1000), Err(Refusal::MissingSignature));
}

#[test]
fn age_is_measured_in_whole_seconds_and_by_the_given_tolerance() {
    let headers = one(format!("t={NOW},v1={GOOD}"));
    for (tolerance, now_millis, expected) in [
        (300, (NOW + 300) * 1000 + 999, Ok(())),
        (300, (NOW + 301) * 1000, Err(Refusal::TimestampTooOld)),
        (300, (NOW - 300) * 1000, Ok(())),
        (300, (NOW - 300) * 1000 - 1, Err(Refusal::TimestampInFuture)),
        (10, (NOW + 15) * 1000, Err(Refusal::TimestampTooOld)),
        (20, (NOW + 15) * 1000, Ok(())),
        (10, (NOW + 9) * 1000, Ok(())),
        (10, (NOW - 15) * 1000, Err(Refusal::TimestampInFuture)),
        (300, i64::MAX, Err(Refusal::TimestampTooOld)),
        (300, i64::MIN, Err(Refusal::TimestampInFuture)),
        (u64::MAX, i64::MIN, Ok(())),
    ] {
        assert_eq!(
            verdict(&stripe(&[SECRET], tolerance), &headers, BODY, now_millis),
            expected,
            "{tolerance} {now_millis}"
        );
    }
}

#[test]
fn bytes_that_are_no_text_are_signed_like_any_others() {
    let body = b"\xef\xbb\xbf{\"name\":\"\xff\xfe\"}";
    let digest = SigningKey::new(SECRET.as_bytes()).digest(&[b"1700000000.", body]);
    let headers = one(format!("t={NOW},v1={}", signature::to_hex(&digest)));
    assert_eq!(verdict(&stripe(&[SECRET], 300), &headers, body, NOW * 1000), Ok(()));
    assert_eq!(judge(b"t=\xff,v1=\xff".to_vec()), Err(Refusal::MalformedSignature));
}

#[test]
fn a_blank_secret_verifies_nothing() {
    let digest = SigningKey::new(b"").digest(&[b"1700000000.", BODY]);
    let headers = one(format!("t={NOW},v1={}", signature::to_hex(&digest)));
    for secrets in [&[""][..], &[" "], &[]] {
        let verdict = verdict(&stripe(secrets, 300), &headers, BODY, NOW * 1000);
        assert_eq!(verdict, Err(Refusal::NoMatchingSignature));
    }
}

proptest! {
    #[test]
    fn any_flipped_bit_of_the_body_is_noticed(body in proptest::collection::vec(any::<u8>(), 1..400), at in any::<prop::sample::Index>()) {
        let digest = SigningKey::new(SECRET.as_bytes()).digest(&[b"1700000000.", &body]);
        let headers = one(format!("t={NOW},v1={}", signature::to_hex(&digest)));
        let stripe = stripe(&[ROLLED, SECRET], 300);
        prop_assert_eq!(verdict(&stripe, &headers, &body, NOW * 1000), Ok(()));
        let bit = at.index(body.len() * 8);
        let mut flipped = body;
        flipped[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(verdict(&stripe, &headers, &flipped, NOW * 1000), Err(Refusal::NoMatchingSignature));
    }

    #[test]
    fn no_header_is_too_odd(header in proptest::collection::vec(prop_oneof![Just(b','), Just(b'='), Just(b't'), Just(b'1'), any::<u8>()], 0..200)) {
        prop_assert!(judge(header).is_err());
    }
}
