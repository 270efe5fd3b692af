//! Requests that only try an address out: nothing of them is stored.

use serde_json::{Value, json};

use super::scheme::Greeting;
use super::verify::Checker;
use crate::sources::{Handshake, Request};

/// None of them is longer.
const LONGEST: usize = 8 * 1024;
/// The longest text that is sent back.
const LONGEST_ECHO: usize = 512;

/// The answer to such a request; none for any other. What a sender signs is believed only with its signature.
pub(super) fn answer(greeting: Greeting, checker: &Checker, request: &Request<'_>) -> Option<Handshake> {
    if request.body.len() > LONGEST {
        return None;
    }
    let answer = match greeting {
        Greeting::None => return None,
        Greeting::WooCommerce => {
            is_woocommerce(request.body).then(|| json!({"received": false, "status": "handshake"}))
        }
        Greeting::Slack => slack(checker, request),
        Greeting::Zoom => zoom(checker, request),
    }?;
    Some(Handshake { answer: answer.to_string().into_bytes() })
}

/// Exactly `webhook_id=12` (WooCommerce: `class-wc-webhook.php`, `deliver_ping`).
fn is_woocommerce(body: &[u8]) -> bool {
    body.strip_prefix(b"webhook_id=")
        .is_some_and(|id| (1..=20).contains(&id.len()) && id.iter().all(u8::is_ascii_digit))
}

/// Slack: `url_verification`.
fn slack(checker: &Checker, request: &Request<'_>) -> Option<Value> {
    let (body, _) = signed(checker, request, b"url_verification")?;
    if body.get("type")? != "url_verification" {
        return None;
    }
    let challenge = body.get("challenge")?.as_str().filter(|text| text.len() <= LONGEST_ECHO)?;
    Some(json!({ "challenge": challenge }))
}

/// Zoom: validate your webhook endpoint.
fn zoom(checker: &Checker, request: &Request<'_>) -> Option<Value> {
    let (body, key) = signed(checker, request, b"endpoint.url_validation")?;
    if body.get("event")? != "endpoint.url_validation" {
        return None;
    }
    let plain = body.pointer("/payload/plainToken")?.as_str().filter(|text| text.len() <= LONGEST_ECHO)?;
    // It must not be made to sign a request.
    if plain.contains(':') {
        return None;
    }
    let encrypted = checker.keys.get(key)?.digest(&[plain.as_bytes()])?;
    Some(json!({ "plainToken": plain, "encryptedToken": hex::encode(encrypted) }))
}

/// The body of a genuine request that holds a word, and which key signed it. The word is looked for first, since nearly no
/// request has it.
fn signed(checker: &Checker, request: &Request<'_>, word: &[u8]) -> Option<(Value, usize)> {
    if !request.body.windows(word.len()).any(|window| window == word) {
        return None;
    }
    let key = checker.verify(request).ok()?;
    Some((serde_json::from_slice(request.body).ok()?, key))
}
