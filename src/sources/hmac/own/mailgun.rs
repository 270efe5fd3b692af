//! Mailgun: the signature stands in the body and covers a time and a token, not the body (Mailgun: securing webhooks).
//!
//! So the same token could vouch for any body. It is remembered for which event it came, and believed for no other: the one thing
//! that a source keeps in mind between requests. A restart forgets it; then only the time bounds how long a token is good.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use subtle::Choice;

use super::super::scheme::Scheme;
use super::Window;
use crate::model::secret::Secret;
use crate::model::time::Timestamp;
use crate::sources::signature::{self, Digest, SigningKey, from_hex};
use crate::sources::{Refusal, Request, Sample};

/// Tokens that are remembered.
const REMEMBERED: usize = 10_000;
/// The longest token, in bytes; Mailgun's have 50.
const LONGEST_TOKEN: usize = 255;

/// A Mailgun account, or several keys while one is being replaced.
pub(in crate::sources::hmac) struct Mailgun {
    keys: Vec<SigningKey>,
    window: Window,
    seen: Mutex<Seen>,
}

/// What of a body says that it is genuine. A name that stands there twice makes it unreadable.
#[derive(Deserialize)]
struct Body<'b> {
    #[serde(borrow)]
    signature: Option<Signature<'b>>,
    #[serde(borrow, rename = "event-data")]
    event: Option<Event<'b>>,
}

#[derive(Deserialize)]
struct Signature<'b> {
    #[serde(borrow)]
    timestamp: Cow<'b, str>,
    #[serde(borrow)]
    token: Cow<'b, str>,
    #[serde(borrow)]
    signature: Cow<'b, str>,
    /// Of an event of a subaccount: the same, made with the key of the account above it.
    #[serde(borrow, rename = "parent-signature")]
    parent: Option<Cow<'b, str>>,
}

#[derive(Deserialize)]
struct Event<'b> {
    #[serde(borrow, default)]
    id: Cow<'b, str>,
}

impl Mailgun {
    /// From settings; a blank key verifies nothing.
    pub fn new(scheme: &Scheme, secrets: &[Secret]) -> Self {
        let keys = secrets.iter().map(|secret| secret.expose().trim()).filter(|key| !key.is_empty());
        let keys = keys.map(|key| SigningKey::new(key.as_bytes())).collect();
        Self { keys, window: Window::of(scheme), seen: Mutex::default() }
    }

    /// Checks a request: the signature, then its age, then that its token came for no other event.
    pub fn verify(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let body: Body<'_> = serde_json::from_slice(request.body).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => Refusal::MalformedSignature,
            _ => Refusal::MissingSignature,
        })?;
        let signed = body.signature.ok_or(Refusal::MissingSignature)?;
        let at = signed.moment().ok_or(Refusal::MalformedSignature)?;
        let given = signed.digests();
        if given.is_empty() || !(1..=LONGEST_TOKEN).contains(&signed.token.len()) {
            return Err(Refusal::MalformedSignature);
        }
        let mut found = Choice::from(0);
        for key in &self.keys {
            let digest = key.digest(&[signed.timestamp.as_bytes(), signed.token.as_bytes()]);
            for given in &given {
                found |= signature::same(given, &digest);
            }
        }
        if !bool::from(found) {
            return Err(Refusal::NoMatchingSignature);
        }
        self.window.check(at, request.received_at)?;
        let event = body.event.map(|event| event.id).unwrap_or_default();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.vouches(&signed.token, &event) { Ok(()) } else { Err(Refusal::NoMatchingSignature) }
    }

    /// Explains a refusal.
    pub fn explain(&self, request: &Request<'_>, refusal: Refusal) -> String {
        let signed = || serde_json::from_slice::<Body<'_>>(request.body).ok()?.signature;
        match refusal {
            Refusal::MissingSignature => {
                "There is no `signature` in the body. Mailgun's webhooks carry one; what it forwards by a route, and webhooks of the \
                 old form, do not and can't be taken."
                    .to_owned()
            }
            Refusal::TimestampTooOld | Refusal::TimestampInFuture => match signed().and_then(|signed| signed.moment()) {
                Some(at) => self.window.explain(at, request.received_at),
                None => "The time in `signature` can't be read.".to_owned(),
            },
            Refusal::NoMatchingSignature => {
                "The signature was made with another key, or its token came before for another event, which somebody may have \
                 copied. The key is the account's HTTP webhook signing key, not an API key and not a sending key."
                    .to_owned()
            }
            _ => "`signature` in the body holds no usable timestamp, token and signature.".to_owned(),
        }
    }

    /// Puts a signature into a sample's body.
    pub fn sign(&self, request: &Request<'_>) -> Option<Sample> {
        let mut body: Value = serde_json::from_slice(request.body).ok()?;
        let timestamp = request.received_at.unix_seconds().to_string();
        let token: String = hex::encode(Sha256::digest(request.body)).chars().take(50).collect();
        let digest = self.keys.first()?.digest(&[timestamp.as_bytes(), token.as_bytes()]);
        body["signature"] = json!({"timestamp": timestamp, "token": token, "signature": signature::to_hex(&digest)});
        Some(Sample { headers: Vec::new(), body: body.to_string().into_bytes() })
    }
}

impl Signature<'_> {
    /// 1 to 12 digits: seconds since 1970.
    fn moment(&self) -> Option<Timestamp> {
        let text = &*self.timestamp;
        let usable = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| usable).map(Timestamp::from_unix_seconds)
    }

    fn digests(&self) -> Vec<Digest> {
        let texts = [Some(&self.signature), self.parent.as_ref()];
        texts.into_iter().flatten().filter_map(|text| from_hex(text.as_bytes())).collect()
    }
}

/// For which event each of the last tokens came.
#[derive(Default)]
struct Seen {
    events: HashMap<[u8; 32], [u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl Seen {
    /// Whether a token is new or came for this event before.
    fn vouches(&mut self, token: &str, event: &str) -> bool {
        let [token, event] = [token, event].map(|text| <[u8; 32]>::from(Sha256::digest(text)));
        if let Some(known) = self.events.get(&token) {
            return *known == event;
        }
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.events.remove(&oldest);
        }
        self.order.push_back(token);
        self.events.insert(token, event);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::envelope::Envelope;
    use crate::sources::hmac::preset::preset;

    const NOW: i64 = 1_700_000_000;
    const KEY: &str = "key-for-the-tests";
    /// Python: `hmac.new(b"key-for-the-tests", b"1700000000" + b"a" * 50, sha256).hexdigest()`.
    const SIGNATURE: &str = "d2c638d6b9aa5e9bec672705b4b3ecba94aa3da2e980341aa5a19a45e5c26606";

    fn mailgun(keys: &[&str]) -> Mailgun {
        let keys: Vec<_> = keys.iter().map(|key| Secret::new(*key)).collect();
        Mailgun::new(&preset("mailgun").unwrap(), &keys)
    }

    fn body(timestamp: &str, token: &str, signature: &str, event: &str) -> String {
        json!({"signature": {"timestamp": timestamp, "token": token, "signature": signature},
            "event-data": {"event": "complained", "id": event, "recipient": "ada@example.com"}})
        .to_string()
    }

    fn judge(mailgun: &Mailgun, body: &str, at: i64) -> Result<(), Refusal> {
        mailgun.verify(&Request::post(Envelope::EMPTY, body.as_bytes(), Timestamp::from_unix_seconds(at)))
    }

    #[test]
    fn what_the_account_signed_is_believed_and_no_change_of_it() {
        let token = "a".repeat(50);
        let good = body("1700000000", &token, SIGNATURE, "e1");
        assert_eq!(judge(&mailgun(&[KEY]), &good, NOW), Ok(()));
        assert_eq!(judge(&mailgun(&["another", KEY]), &good, NOW), Ok(()), "while a key is replaced");
        for keys in [&["another"][..], &[], &[" "]] {
            assert_eq!(judge(&mailgun(keys), &good, NOW), Err(Refusal::NoMatchingSignature));
        }
        let none = Err(Refusal::NoMatchingSignature);
        let malformed = Err(Refusal::MalformedSignature);
        let missing = Err(Refusal::MissingSignature);
        for (changed, verdict) in [
            (body("1700000001", &token, SIGNATURE, "e1"), none),
            (body("1700000000", &format!("{token}a"), SIGNATURE, "e1"), none),
            (body("170000000", &format!("0{token}"), SIGNATURE, "e1"), Err(Refusal::TimestampTooOld)),
            (body("1700000000", &token, &SIGNATURE.replace('d', "e"), "e1"), none),
            (body("1700000000", &token, &SIGNATURE[1..], "e1"), malformed),
            (body("1700000000", &token, "0sY41rmqXpvsZycFtLPsupSqPaLpgDQapaGaReXCZgY=", "e1"), malformed),
            (body("1700000000", &token, "", "e1"), malformed),
            (body("1700000000", "", SIGNATURE, "e1"), malformed),
            (body("1.7e9", &token, SIGNATURE, "e1"), malformed),
            (good.replace("\"timestamp\":\"1700000000\"", "\"timestamp\":1700000000"), malformed),
            (good.replacen("{\"", "{\"signature\":{},\"", 1), malformed),
            ("{\"event-data\":{}}".to_owned(), missing),
            ("{\"signature\":null}".to_owned(), missing),
            ("signature=x".to_owned(), missing),
            (String::new(), missing),
        ] {
            assert_eq!(judge(&mailgun(&[KEY]), &changed, NOW), verdict, "{changed}");
        }
        let upper = body("1700000000", &token, &SIGNATURE.to_uppercase(), "e1");
        assert_eq!(judge(&mailgun(&[KEY]), &upper, NOW), Ok(()));
    }

    #[test]
    fn the_account_above_a_subaccount_may_vouch() {
        let good = body("1700000000", &"a".repeat(50), &"0".repeat(64), "e1");
        let parent =
            good.replacen("\"signature\":{", &format!("\"signature\":{{\"parent-signature\":\"{SIGNATURE}\","), 1);
        assert_eq!(judge(&mailgun(&[KEY]), &parent, NOW), Ok(()));
        assert_eq!(judge(&mailgun(&[KEY]), &good, NOW), Err(Refusal::NoMatchingSignature));
    }

    #[test]
    fn a_token_vouches_for_one_event_alone() {
        let mailgun = mailgun(&[KEY]);
        let of = |event: &str| body("1700000000", &"a".repeat(50), SIGNATURE, event);
        assert_eq!(judge(&mailgun, &of("e1"), NOW), Ok(()));
        assert_eq!(judge(&mailgun, &of("e1"), NOW + 600), Ok(()), "Mailgun comes again");
        assert_eq!(judge(&mailgun, &of("e2"), NOW), Err(Refusal::NoMatchingSignature));
        let explained = mailgun.explain(
            &Request::post(Envelope::EMPTY, of("e2").as_bytes(), Timestamp::from_unix_seconds(NOW)),
            Refusal::NoMatchingSignature,
        );
        assert!(explained.contains("signing key"), "{explained}");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut seen = Seen::default();
        for number in 0..=REMEMBERED {
            assert!(seen.vouches(&number.to_string(), "a"));
        }
        assert_eq!((seen.events.len(), seen.order.len()), (REMEMBERED, REMEMBERED));
        assert!(seen.vouches("0", "b"), "the oldest is forgotten");
        assert!(!seen.vouches("5", "b"));
    }

    #[test]
    fn mailgun_may_come_again_for_hours_and_not_for_days() {
        let good = body("1700000000", &"a".repeat(50), SIGNATURE, "e1");
        let when = |at: i64| judge(&mailgun(&[KEY]), &good, at);
        assert_eq!(when(NOW + 8 * 3600), Ok(()), "its last try comes after eight hours");
        assert_eq!(when(NOW + 13 * 3600), Err(Refusal::TimestampTooOld));
        assert_eq!(when(NOW - 299), Ok(()));
        assert_eq!(when(NOW - 301), Err(Refusal::TimestampInFuture));
        let late = Request::post(Envelope::EMPTY, good.as_bytes(), Timestamp::from_unix_seconds(NOW + 50_000));
        assert!(mailgun(&[KEY]).explain(&late, Refusal::TimestampTooOld).contains("13h"));
        assert_eq!(Window::of(&preset("mailgun").unwrap()).past, Duration::from_secs(12 * 3600));
    }
}
