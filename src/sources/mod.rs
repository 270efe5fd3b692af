//! PURE. Senders of webhooks: is a request genuine, and what does its body say?
//!
//! One file (or folder) a provider. Adding one is a file here and a line in [`build`].

use std::time::Duration;

use crate::model::statement::Interpreted;
use crate::model::time::Timestamp;

pub mod signature;
pub mod stripe;

/// The header fields of a request, looked up without regard to case.
pub trait Headers {
    /// Every value of a field, in order of appearance.
    fn values(&self, name: &str) -> Vec<&[u8]>;
}

/// A request as it came off the wire, before anything is believed.
pub struct Request<'a> {
    /// Its header fields.
    pub headers: &'a dyn Headers,
    /// Its body, byte for byte.
    pub body: &'a [u8],
    /// When it was received.
    pub received_at: Timestamp,
}

/// Why a request is not believed. The names are part of the interface (DESIGN 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// No signature header, an empty one, or more than one.
    MissingSignature,
    /// A header without a usable timestamp.
    MalformedSignature,
    /// No signature of the scheme that counts.
    NoV1Signature,
    /// None of the signatures was made with a configured secret over these bytes.
    NoMatchingSignature,
    /// Genuine, but older than the tolerance: perhaps a replay.
    TimestampTooOld,
    /// Genuine, but from the future: a clock is wrong.
    TimestampInFuture,
}

impl Refusal {
    /// The name in answers and lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingSignature => "missing_signature",
            Self::MalformedSignature => "malformed_signature",
            Self::NoV1Signature => "no_v1_signature",
            Self::NoMatchingSignature => "no_matching_signature",
            Self::TimestampTooOld => "timestamp_too_old",
            Self::TimestampInFuture => "timestamp_in_future",
        }
    }
}

/// A genuine body that can't be taken as an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidPayload(pub String);

/// How to tell a sender "not now" so that it comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAnswer {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After`.
    pub retry_after: Duration,
}

/// A sender's kind with its secrets.
pub trait Source: Send + Sync {
    /// The provider's name in keys and scopes, `stripe`.
    fn provider(&self) -> &'static str;

    /// The header fields that [`Source::verify`] reads a signature from, in lower case: what has to be kept of a refused request so
    /// that it can be verified again. Never one that carries a token, which is a secret.
    fn signature_headers(&self) -> &'static [&'static str];

    /// Checks the request over its raw bytes, before anything is parsed.
    ///
    /// # Errors
    /// Why it is not believed.
    fn verify(&self, request: &Request<'_>) -> Result<(), Refusal>;

    /// Says what a verified body means. Never panics on any bytes.
    ///
    /// # Errors
    /// When it is not JSON of the expected form, or carries no event id.
    fn interpret(&self, body: &[u8]) -> Result<Interpreted, InvalidPayload>;

    /// Explains a refusal to a person: what was measured and the likely cause, in a sentence or two, without any part of the
    /// body, a secret or a whole signature. Works under a strict budget.
    fn explain(&self, request: &Request<'_>, refusal: Refusal) -> String;

    /// The answer that makes this sender try again.
    fn unavailable(&self) -> RetryAnswer;

    /// Names of the samples that [`Source::sample`] can make.
    fn sample_types(&self) -> &'static [&'static str];

    /// Makes a signed sample as this sender would send it; none for an unknown type.
    fn sample(&self, wanted: &SampleRequest<'_>) -> Option<Sample>;
}

/// What a sample should be of.
pub struct SampleRequest<'a> {
    /// One of [`Source::sample_types`].
    pub event_type: &'a str,
    /// Makes the ids of this sample its own; the same number gives the same ids.
    pub number: u64,
    /// When it is signed.
    pub now: Timestamp,
    /// Live or test.
    pub livemode: bool,
}

/// A signed sample, ready to be posted.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Header fields to send.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// A source's kind with its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settings {
    /// `kind = "stripe"`.
    Stripe(stripe::Settings),
}

/// Builds the source that settings describe.
pub fn build(settings: &Settings) -> Box<dyn Source> {
    match settings {
        Settings::Stripe(settings) => Box::new(stripe::Stripe::new(settings.clone())),
    }
}
