//! Is a request from HighLevel, and meant for us?
//!
//! Marketplace webhooks are signed with a key that is the same for everybody: it proves that HighLevel sent them, not for whom.
//! So the location, and the app where it is configured, must be ours too. Workflow webhooks are not signed: they show a token.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::{Choice, ConstantTimeEq};

use crate::model::time::Timestamp;
use crate::sources::{Headers, Refusal, Request};

use super::GoHighLevel;
use super::json::{self, Body};

/// The header field with the Ed25519 signature.
pub(super) const HEADER: &str = "x-ghl-signature";
/// The header field with the older RSA signature.
pub(super) const LEGACY_HEADER: &str = "x-wh-signature";
/// The header field with the token of a workflow's webhook; `Authorization: Bearer` does as well.
pub(super) const TOKEN_HEADER: &str = "x-tallyhook-token";

/// Whether a token is the configured one; an empty one never is.
pub(super) fn admits(source: &GoHighLevel, token: &[u8]) -> bool {
    let Some(known) = &source.settings.token else { return false };
    let known = known.expose().trim().as_bytes();
    !known.is_empty() && bool::from(same(known, token))
}

fn same(a: &[u8], b: &[u8]) -> Choice {
    a.ct_eq(b)
}

/// The value of a header field that stands there once and says something; HighLevel writes `N/A` for none.
fn only<'r>(headers: &'r dyn Headers, name: &str) -> Option<&'r [u8]> {
    match headers.values(name).as_slice() {
        [value] => Some(value.trim_ascii()).filter(|value| !value.is_empty() && !value.eq_ignore_ascii_case(b"n/a")),
        _ => None,
    }
}

/// The token that a request shows in its header.
fn token_of<'r>(request: &'r Request<'_>) -> Option<&'r [u8]> {
    only(request.headers, TOKEN_HEADER).or_else(|| {
        let value = only(request.headers, "authorization")?;
        let (scheme, token) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
    })
}

/// Checks a request: the signature or the token first, and only then what the body says of its location, app and time.
pub(super) fn verify(source: &GoHighLevel, request: &Request<'_>) -> Result<(), Refusal> {
    let signed = match (request.token, only(request.headers, HEADER)) {
        (Some(token), _) => {
            shows_token(source, token.as_bytes())?;
            false
        }
        (None, Some(signature)) => {
            is_signed(signature, |bytes| source.keys.iter().any(|key| key.verify(request.body, bytes)))?;
            true
        }
        (None, None) => match (&source.legacy, only(request.headers, LEGACY_HEADER), token_of(request)) {
            (Some(legacy), Some(signature), None) => {
                is_signed(signature, |bytes| legacy.verify(request.body, bytes))?;
                true
            }
            (_, _, Some(token)) => {
                shows_token(source, token)?;
                false
            }
            (_, _, None) => return Err(Refusal::MissingSignature),
        },
    };
    // What can't be read is told apart later, as a body that is no event.
    let Some(body) = std::str::from_utf8(request.body).ok().and_then(|text| Body::parse(text).ok()) else {
        return if signed && !source.knows_location(outer_location(request.body).as_deref()) {
            Err(Refusal::NotOurs)
        } else {
            Ok(())
        };
    };
    is_ours(source, &body, signed)?;
    if signed { is_fresh(source, &body, request.received_at) } else { Ok(()) }
}

fn shows_token(source: &GoHighLevel, token: &[u8]) -> Result<(), Refusal> {
    if admits(source, token) { Ok(()) } else { Err(Refusal::WrongToken) }
}

fn is_signed(signature: &[u8], holds: impl FnOnce(&[u8]) -> bool) -> Result<(), Refusal> {
    let bytes = STANDARD.decode(signature).map_err(|_| Refusal::MalformedSignature)?;
    if holds(&bytes) { Ok(()) } else { Err(Refusal::NoMatchingSignature) }
}

/// The location of a body that is more than our own code reads.
fn outer_location(body: &[u8]) -> Option<String> {
    json::outer(body).and_then(|outer| outer.location_id)
}

/// The token says who sends, so that a body that names no location is believed; a signature says only that HighLevel does.
fn is_ours(source: &GoHighLevel, body: &Body, signed: bool) -> Result<(), Refusal> {
    let location = body.location();
    let right_app = match &source.settings.app_id {
        Some(_) if signed && body.ids("/appId").next().is_none() => false,
        Some(ours) => body.ids("/appId").all(|app| app == ours),
        None => true,
    };
    let is_known = if location.is_none() && !signed { true } else { source.knows_location(location) };
    // One of ours among the object's own fields does not make another's webhook ours.
    let right_place = is_known && body.ids("/locationId").all(|named| source.knows_location(Some(named)));
    if right_app && right_place { Ok(()) } else { Err(Refusal::NotOurs) }
}

/// HighLevel sends the same body again for more than an hour, and what it sends but once is lost with a refusal: so the window is
/// wide, and the same to both sides.
fn is_fresh(source: &GoHighLevel, body: &Body, received_at: Timestamp) -> Result<(), Refusal> {
    let Some(at) = body.moment("/timestamp") else { return Ok(()) };
    let window = source.settings.replay_window;
    if received_at.since(at) > window {
        Err(Refusal::TimestampTooOld)
    } else if at.since(received_at) > window {
        Err(Refusal::TimestampInFuture)
    } else {
        Ok(())
    }
}
