//! Why was a request refused? One or two sentences a person can act on.
//!
//! Anyone can send refused requests, so the work is bounded: bodies up to 64 KiB, a few digests, a fixed number of bytes
//! hashed. The sentences carry no part of the body, no secret and no signature.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::model::secret::Secret;
use crate::sources::signature::SigningKey;
use crate::sources::{Refusal, Request};

use super::json::Json;
use super::layout;
use super::verify::{HEADER, SignatureHeader, elements, only_header};

const MAX_BODY: usize = 64 * 1024;
const MAX_DIGESTS: usize = 16;
const MAX_BYTES: usize = 512 * 1024;
const MAX_SECRETS: usize = 4;
const HOUR: u64 = 3600;

/// Explains a refusal.
pub(super) fn explain(request: &Request<'_>, refusal: Refusal, secrets: &[Secret], tolerance: Duration) -> String {
    let value = only_header(request.headers);
    let header = value.and_then(|value| SignatureHeader::parse(value).ok());
    match (refusal, value, header) {
        (Refusal::MissingSignature, ..) => missing(request),
        (Refusal::MalformedSignature, Some(value), _) => malformed(value),
        (Refusal::NoV1Signature, Some(value), _) => no_v1(value),
        (Refusal::TimestampTooOld, _, Some(header)) => {
            too_old(header.age(request.received_at).unsigned_abs(), tolerance)
        }
        (Refusal::TimestampInFuture, _, Some(header)) => {
            in_future(header.age(request.received_at).unsigned_abs(), tolerance)
        }
        (Refusal::NoMatchingSignature, Some(value), Some(header)) => {
            no_match(request, value, &header, secrets, tolerance)
        }
        _ => "The Stripe-Signature header can't be read.".to_owned(),
    }
}

fn missing(request: &Request<'_>) -> String {
    match request.headers.values(HEADER).len() {
        0 => "There is no Stripe-Signature header. Either this did not come from Stripe, or a proxy in front removes the header: let it pass unchanged.",
        1 => "The Stripe-Signature header is empty. A proxy in front may blank it: let it pass unchanged.",
        _ => "There are several Stripe-Signature headers. Stripe sends one; a proxy in front may double it, or somebody tries their luck.",
    }
    .to_owned()
}

fn malformed(value: &[u8]) -> String {
    let timestamps: Vec<&[u8]> = elements(value).filter(|(key, _)| *key == b"t").map(|(_, value)| value).collect();
    match timestamps.as_slice() {
        [] if value.starts_with(b"v1,") => {
            "The signature has the form of Standard Webhooks, not of Stripe: another sender posts to this address."
        }
        [] => "The Stripe-Signature header has no timestamp \"t=…\". It is cut or rewritten on the way, or this did not come from Stripe.",
        [digits] if digits.len() == 13 && digits.iter().all(u8::is_ascii_digit) => {
            "The timestamp is in milliseconds. Stripe signs seconds, so a test tool made this signature: divide by 1000."
        }
        [_] => "The timestamp in the Stripe-Signature header is not a number of seconds. The header is rewritten on the way, or this did not come from Stripe.",
        _ => "The Stripe-Signature header has more than one timestamp. Stripe sends one: a proxy may join two headers, or somebody tries their luck.",
    }
    .to_owned()
}

fn no_v1(value: &[u8]) -> String {
    let has = |wanted: &[u8]| elements(value).any(|(key, _)| key == wanted);
    if has(b"v1") {
        "The v1 signature is not 64 hexadecimal digits. The header is cut or changed on the way, or a test tool made it."
    } else if has(b"v0") {
        "The header has only a v0 signature, which Stripe adds to test events beside v1 and which proves nothing. Something on the way dropped v1."
    } else {
        "The Stripe-Signature header has no v1 signature. It is cut on the way, or this did not come from Stripe."
    }
    .to_owned()
}

fn too_old(age: u64, tolerance: Duration) -> String {
    let advice = if whole_hours(age) {
        "that is close to whole hours, so this machine's clock is probably set to a wrong time zone"
    } else {
        "check this machine's clock, else it is a replay of an old request or something held it back on the way"
    };
    format!("Genuine, but signed {age} s before it arrived ({} s are allowed): {advice}.", tolerance.as_secs())
}

fn in_future(ahead: u64, tolerance: Duration) -> String {
    let advice = if whole_hours(ahead) {
        "that is close to whole hours, so it is probably set to a wrong time zone"
    } else {
        "it runs behind; set it by NTP"
    };
    format!(
        "Genuine, but signed {ahead} s after this machine's time ({} s are allowed). Check this machine's clock: {advice}.",
        tolerance.as_secs()
    )
}

fn whole_hours(seconds: u64) -> bool {
    let off = seconds % HOUR;
    (HOUR - 60..=14 * HOUR + 60).contains(&seconds) && (off <= 60 || off >= HOUR - 60)
}

fn no_match(
    request: &Request<'_>,
    value: &[u8],
    header: &SignatureHeader<'_>,
    secrets: &[Secret],
    tolerance: Duration,
) -> String {
    let secrets = &secrets[..secrets.len().min(MAX_SECRETS)];
    if let Some(kind) = secrets.iter().find_map(|secret| other_kind(secret.expose())) {
        return format!(
            "A configured secret is {kind}, not a signing secret. Copy the endpoint's signing secret (whsec_…) from Stripe's dashboard."
        );
    }
    let body = request.body;
    if body.is_empty() {
        return "The body is empty. It got lost on the way: let the proxy in front pass the raw body.".to_owned();
    }
    if body.len() > MAX_BODY {
        return format!(
            "No configured secret made this signature over this body; the body is too large for guesses. {GENERAL}"
        );
    }
    let mut guesses = Guesses { header, digests_left: MAX_DIGESTS, bytes_left: MAX_BYTES };
    if let Some(sentence) =
        wrong_secret(&mut guesses, secrets, body).or_else(|| changed_body(&mut guesses, secrets, body))
    {
        return sentence.to_owned();
    }
    if let Some(sentence) = not_an_event(body) {
        return sentence.to_owned();
    }
    let mut sentence = "No configured secret made this signature.".to_owned();
    sentence.push(' ');
    sentence.push_str(whose(value, body).unwrap_or(GENERAL));
    let age = header.age(request.received_at);
    if age.unsigned_abs() > tolerance.as_secs() {
        let side = if age > 0 { "before it arrived" } else { "in the future" };
        sentence.push_str(&format!(" Its timestamp is {} s {side}.", age.unsigned_abs()));
    }
    sentence
}

const GENERAL: &str = "Each endpoint and each mode has its own: compare with the signing secret of this very endpoint, and after a roll keep old and new in the list. Otherwise it is a forgery.";

/// Keys of Stripe that are no signing secrets (Stripe: API keys).
fn other_kind(secret: &str) -> Option<&'static str> {
    match secret.trim_start().get(..3)? {
        "sk_" => Some("a secret API key (sk_…)"),
        "rk_" => Some("a restricted API key (rk_…)"),
        "pk_" => Some("a publishable API key (pk_…)"),
        _ => None,
    }
}

/// The guesses at one request, and what they may still cost.
struct Guesses<'g> {
    header: &'g SignatureHeader<'g>,
    digests_left: usize,
    bytes_left: usize,
}

impl Guesses<'_> {
    fn holds(&mut self, secret: &[u8], body: &[u8]) -> bool {
        if secret.is_empty() || self.digests_left == 0 || self.bytes_left < body.len() {
            return false;
        }
        self.digests_left -= 1;
        self.bytes_left -= body.len();
        self.header.is_signed_by(&SigningKey::new(secret), body).into()
    }
}

fn wrong_secret(guesses: &mut Guesses<'_>, secrets: &[Secret], body: &[u8]) -> Option<&'static str> {
    for secret in secrets {
        let secret = secret.expose();
        let bare = secret.trim().trim_matches(['"', '\'']).trim();
        if bare != secret && guesses.holds(bare.as_bytes(), body) {
            return Some(
                "The configured secret has spaces, line breaks or quotation marks around it; without them it fits. Take them away.",
            );
        }
        let Some(encoded) = bare.strip_prefix("whsec_") else { continue };
        if STANDARD.decode(encoded).is_ok_and(|decoded| guesses.holds(&decoded, body)) {
            return Some(
                "The signature fits the base64-decoded secret, as Standard Webhooks has it. Stripe signs with the secret as text, \"whsec_\" included: another sender or a test tool signs here.",
            );
        }
        if guesses.holds(encoded.as_bytes(), body) {
            return Some(
                "The signature fits the secret without its \"whsec_\". Stripe signs with it: a test tool made this signature.",
            );
        }
    }
    None
}

fn changed_body(guesses: &mut Guesses<'_>, secrets: &[Secret], body: &[u8]) -> Option<&'static str> {
    const REWRITTEN: &str = "The body's white space was changed on its way: laid out as Stripe sends it, it fits. Something in front parses the JSON and writes it again: make it pass the raw bytes.";
    const LINE_ENDS: &str = "The body's line ends were changed on its way: with the others it fits. Make whatever stands in front pass the raw bytes.";
    let end = body.iter().rposition(|byte| !byte.is_ascii_whitespace()).map_or(0, |last| last + 1);
    let unix: Vec<u8> = body.iter().copied().filter(|byte| *byte != b'\r').collect();
    let variants = [
        (layout::pretty(body, 4 * MAX_BODY), REWRITTEN),
        (Some(layout::compact(body)), REWRITTEN),
        (Some(body[..end].to_vec()), LINE_ENDS),
        (Some([&body[..end], b"\n"].concat()), LINE_ENDS),
        (Some(unix), LINE_ENDS),
    ];
    variants.into_iter().filter_map(|(variant, sentence)| Some((variant?, sentence))).find_map(|(variant, sentence)| {
        let differs = variant != body;
        secrets.iter().any(|secret| differs && guesses.holds(secret.expose().as_bytes(), &variant)).then_some(sentence)
    })
}

fn not_an_event(body: &[u8]) -> Option<&'static str> {
    if body.starts_with(&[0x1f, 0x8b]) {
        return Some(
            "The body is compressed (gzip). Stripe sends plain JSON: make whatever stands in front pass the raw bytes.",
        );
    }
    let error = serde_json::from_slice::<serde::de::IgnoredAny>(body).err()?;
    Some(if error.is_eof() {
        "The body ends in the middle of its JSON: it was cut on the way. Look for a size limit in whatever stands in front."
    } else {
        "The body is not JSON, so it is no event of Stripe, or it was encoded anew on the way."
    })
}

/// What the header and the unproven body hint at.
fn whose(value: &[u8], body: &[u8]) -> Option<&'static str> {
    let event = std::str::from_utf8(body).ok().and_then(|text| Json::parse(text).ok())?;
    if event.text("account").is_some() {
        return Some(
            "It names a connected account, and a Connect endpoint has a secret of its own: add that to the list.",
        );
    }
    let is_test = elements(value).any(|(key, _)| key == b"v0") || event.boolean("livemode") == Some(false);
    is_test.then_some(
        "It looks like a test event, and test mode, each sandbox and \"stripe listen\" have secrets of their own: add the right one to the list, or it is a forgery.",
    )
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
