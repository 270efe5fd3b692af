//! Is a request from Stripe? The `Stripe-Signature` header over the raw bytes (Stripe: webhooks, verify manually).
//!
//! Where Stripe's own libraries disagree about odd headers, this takes the strict side.

use std::time::Duration;

use subtle::Choice;

use crate::model::time::Timestamp;
use crate::sources::signature::{self, Digest, SigningKey};
use crate::sources::{Headers, Refusal, Request};

/// Name of the header field.
pub(super) const HEADER: &str = "stripe-signature";

/// How many `v1` values of one header are looked at. Stripe sends one per active secret.
pub(super) const MAX_SIGNATURES: usize = 16;

/// What a usable header says.
pub(super) struct SignatureHeader<'a> {
    /// `t` as received; the signature covers this text.
    pub timestamp: &'a [u8],
    /// `t` as a number: Unix seconds.
    pub seconds: i64,
    digests: [Digest; MAX_SIGNATURES],
    count: usize,
}

impl<'a> SignatureHeader<'a> {
    /// Reads a header's value: elements parted by commas, exactly one `t` of 1 to 12 digits, `v1` of 64 hex digits each.
    /// Other keys, elements without `=`, and `v1` of another form don't count.
    pub fn parse(value: &'a [u8]) -> Result<Self, Refusal> {
        let mut timestamp = None;
        let mut header = Self { timestamp: b"", seconds: 0, digests: [[0; 32]; MAX_SIGNATURES], count: 0 };
        for (key, value) in elements(value) {
            match key {
                b"t" if timestamp.replace(value).is_some() => return Err(Refusal::MalformedSignature),
                b"v1" if header.count < MAX_SIGNATURES => {
                    if let Some(digest) = signature::from_hex(value) {
                        header.digests[header.count] = digest;
                        header.count += 1;
                    }
                }
                _ => {}
            }
        }
        header.timestamp = timestamp.ok_or(Refusal::MalformedSignature)?;
        header.seconds = unix_seconds(header.timestamp).ok_or(Refusal::MalformedSignature)?;
        if header.count == 0 { Err(Refusal::NoV1Signature) } else { Ok(header) }
    }

    /// Whether this body under this key has one of the signatures. Compares with every one of them, found or not.
    pub fn is_signed_by(&self, key: &SigningKey, body: &[u8]) -> Choice {
        self.has(&key.digest(&[self.timestamp, b".", body]))
    }

    /// Seconds from signing to arrival; negative when signed in the future.
    pub fn age(&self, received_at: Timestamp) -> i64 {
        received_at.unix_seconds().saturating_sub(self.seconds)
    }

    fn has(&self, digest: &Digest) -> Choice {
        let mut found = Choice::from(0);
        for given in &self.digests[..self.count] {
            found |= signature::same(given, digest);
        }
        found
    }
}

/// Key and value of every element that has both, without the spaces and tabs around the element.
pub(super) fn elements(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    value.split(|byte| *byte == b',').filter_map(|element| {
        let element = trimmed(element);
        let equals = element.iter().position(|byte| *byte == b'=')?;
        Some((&element[..equals], &element[equals + 1..]))
    })
}

/// The one header value, or none where there is no header, only empty ones, or several.
pub(super) fn only_header(headers: &dyn Headers) -> Option<&[u8]> {
    match headers.values(HEADER).as_slice() {
        [value] if !trimmed(value).is_empty() => Some(value),
        _ => None,
    }
}

/// Checks a request: the signatures first, against every key, and only then its age.
pub(super) fn verify(request: &Request<'_>, keys: &[SigningKey], tolerance: Duration) -> Result<(), Refusal> {
    let value = only_header(request.headers).ok_or(Refusal::MissingSignature)?;
    let header = SignatureHeader::parse(value)?;
    let mut matched = Choice::from(0);
    for key in keys {
        matched |= header.is_signed_by(key, request.body);
    }
    if !bool::from(matched) {
        return Err(Refusal::NoMatchingSignature);
    }
    let tolerance = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
    match header.age(request.received_at) {
        age if age > tolerance => Err(Refusal::TimestampTooOld),
        age if age < -tolerance => Err(Refusal::TimestampInFuture),
        _ => Ok(()),
    }
}

fn trimmed(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

fn unix_seconds(text: &[u8]) -> Option<i64> {
    if !(1..=12).contains(&text.len()) {
        return None;
    }
    text.iter().try_fold(0, |seconds, digit| digit.is_ascii_digit().then(|| seconds * 10 + i64::from(digit - b'0')))
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
