//! Why was a request refused? A sentence or two a person can act on, without any part of the body, a token or a signature.

use crate::sources::{Refusal, Request};

use super::GoHighLevel;
use super::json::Body;
use super::verify::{HEADER, LEGACY_HEADER};

const MAX_BODY: usize = 64 * 1024;

/// Explains a refusal.
pub(super) fn explain(source: &GoHighLevel, request: &Request<'_>, refusal: Refusal) -> String {
    match refusal {
        Refusal::MissingSignature => missing(source, request).to_owned(),
        Refusal::MalformedSignature => {
            "The signature is not base64. HighLevel signs with Ed25519 and writes 64 bytes in base64; something on the way changed it, or \
             somebody else sent this."
                .to_owned()
        }
        Refusal::NoMatchingSignature if re_indented(request.body) => {
            "The signature does not fit the body, which is not as HighLevel writes it: a proxy in front may change it on the way. Let \
             it pass unchanged."
                .to_owned()
        }
        Refusal::NoMatchingSignature => {
            "The signature does not fit the body and HighLevel's public key. It was changed on the way, HighLevel has a new key \
             (`public_keys`), or somebody else sent this."
                .to_owned()
        }
        Refusal::TimestampTooOld | Refusal::TimestampInFuture => window(source, request),
        Refusal::NotOurs => {
            "It is genuine, but of a location or app that is not in the source's `locations` and `app_id`. If it is yours, add it \
             there; HighLevel does not send this one again."
                .to_owned()
        }
        Refusal::WrongToken | Refusal::MissingToken => {
            "The token is not the one in the source's `token`. Correct the address or the header in the workflow's webhook action."
                .to_owned()
        }
        Refusal::NoV1Signature => "The signature can't be read.".to_owned(),
    }
}

fn missing(source: &GoHighLevel, request: &Request<'_>) -> &'static str {
    let has = |name: &str| !request.headers.values(name).is_empty();
    if has(HEADER) {
        "The X-GHL-Signature header says N/A, is empty, or is there more than once: HighLevel did not sign this."
    } else if has(LEGACY_HEADER) && !source.settings.legacy_signature {
        "It has only the older x-wh-signature header. HighLevel no longer sends it to current apps; `legacy_signature = true` believes \
         it all the same."
    } else if source.settings.token.is_some() {
        "It has neither a signature nor a token. A workflow's webhook needs the token at the end of its address, or in the header \
         X-Tallyhook-Token."
    } else {
        "It is not signed. Workflow webhooks never are: give the source a `token`, and put it at the end of the workflow's address."
    }
}

fn window(source: &GoHighLevel, request: &Request<'_>) -> String {
    let body = std::str::from_utf8(request.body).ok().and_then(|text| Body::parse(text).ok());
    let Some(at) = body.and_then(|body| body.moment("/timestamp")) else {
        return "Its time is too far from now.".to_owned();
    };
    let (before, after) = (request.received_at.since(at).as_secs(), at.since(request.received_at).as_secs());
    let told = if after > 0 { format!("{after} s after this machine's clock") } else { format!("{before} s old") };
    let window = source.settings.replay_window.as_secs();
    format!(
        "The signature is right, but it is {told}, and `replay_window` is {window} s. Check the clock; or somebody sent an old webhook again."
    )
}

/// HighLevel writes its bodies without spaces.
fn re_indented(body: &[u8]) -> bool {
    body.len() <= MAX_BODY && (body.starts_with(b"{\n") || body.starts_with(b"{ ") || body.starts_with(b"{\r\n"))
}
