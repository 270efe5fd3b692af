//! PURE. Senders of webhooks: is a request genuine, and what does its body say?
//!
//! One file (or folder) a provider. Adding one is a file here and a line in [`build`].

use std::time::Duration;

use crate::model::envelope::Envelope;
use crate::model::phone::Country;
use crate::model::statement::Interpreted;
use crate::model::time::Timestamp;

pub mod basic;
pub mod ed25519;
pub mod gohighlevel;
pub mod hmac;
pub mod rsa;
pub mod signature;
pub mod stripe;
mod tags;
pub mod token;

/// The header fields of a request, looked up without regard to case.
pub trait Headers {
    /// Every value of a field, in order of appearance.
    fn values(&self, name: &str) -> Vec<&[u8]>;
}

impl Headers for Envelope {
    fn values(&self, name: &str) -> Vec<&[u8]> {
        let of_name = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.as_slice()).collect()
    }
}

/// A request as it came off the wire, before anything is believed.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Its method, `POST`.
    pub method: &'a str,
    /// The configured address of this source's endpoint, without token and query; none where no `server.public_url` is. Never what
    /// the request itself says in `Host`, which anyone can write.
    pub endpoint: Option<&'a str>,
    /// What follows that in the request: the token with its slash and the query, as received.
    pub rest: &'a str,
    /// The second segment of the path, `/api/webhooks/{source}/{token}`.
    pub token: Option<&'a str>,
    /// The event that the address names, `?event=…`.
    pub event: Option<&'a str>,
    /// Its header fields.
    pub headers: &'a dyn Headers,
    /// Its body, byte for byte.
    pub body: &'a [u8],
    /// When it was received.
    pub received_at: Timestamp,
}

impl<'a> Request<'a> {
    /// A `POST` to a source's plain address.
    pub fn post(headers: &'a dyn Headers, body: &'a [u8], received_at: Timestamp) -> Self {
        Self { method: "POST", endpoint: None, rest: "", token: None, event: None, headers, body, received_at }
    }

    /// The whole address as the sender knows it, for senders that sign it.
    pub fn url(&self) -> Option<String> {
        Some([self.endpoint?, self.rest].concat())
    }
}

/// A genuine request, as far as its meaning depends on it: all of this is stored, so that it can be interpreted again.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    /// The header fields that [`Source::telling_headers`] names, and the event that the address named.
    pub envelope: &'a Envelope,
    /// Its body, or one part of it ([`Source::split`]).
    pub body: &'a [u8],
    /// When it was received.
    pub received_at: Timestamp,
}

impl<'a> Message<'a> {
    /// A body that says everything.
    pub const fn bare(body: &'a [u8], received_at: Timestamp) -> Self {
        Self { envelope: Envelope::EMPTY, body, received_at }
    }
}

/// A request that is no event but wants an answer of its own: a sender tries the address out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// JSON to answer with, status 200.
    pub answer: Vec<u8>,
}

/// How the id begins of an event that its sender gave none: the rest is made from its body.
pub const BODY_ID: &str = "body-";

/// How long such an id tells a repeat: a sender that gives no ids may well say the same twice and mean it (DESIGN 6).
pub const BODY_ID_LIVES: Duration = Duration::from_secs(600);

/// Most events that one request may hold.
pub const MOST_PARTS: usize = 1000;

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
    /// No token, neither in the path nor in a header.
    MissingToken,
    /// A token that is not this source's.
    WrongToken,
    /// Genuine, but meant for somebody else.
    NotOurs,
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
            Self::MissingToken => "missing_token",
            Self::WrongToken => "wrong_token",
            Self::NotOurs => "not_ours",
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

/// A value of a query or a form without its escapes; none where they are wrong (WHATWG: URL, urlencoded parsing).
pub fn unescaped(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A sender's kind with its secrets.
pub trait Source: Send + Sync {
    /// The provider's name in keys and scopes, `stripe`.
    fn provider(&self) -> &str;

    /// The header fields that [`Source::verify`] reads a signature from, in lower case: what has to be kept of a refused request so
    /// that it can be verified again. Never one that carries a token, which is a secret.
    fn signature_headers(&self) -> Vec<&str>;

    /// The header fields that [`Source::interpret`] reads, in lower case: they are stored with the webhook. Never one that carries a
    /// token.
    fn telling_headers(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Whether a token in the path is this source's. Compares in constant time; a source without tokens takes none.
    fn admits(&self, _token: &str) -> bool {
        false
    }

    /// Recognises a sender that only tries the address out. Does its own verifying where that is signed.
    fn handshake(&self, _request: &Request<'_>) -> Option<Handshake> {
        None
    }

    /// Checks the request over its raw bytes, before anything is parsed.
    ///
    /// # Errors
    /// Why it is not believed.
    fn verify(&self, request: &Request<'_>) -> Result<(), Refusal>;

    /// Parts a verified body that holds several events into bodies of one event each, at most [`MOST_PARTS`]; none where it is one
    /// event itself.
    ///
    /// # Errors
    /// When it can't be parted.
    fn split(&self, _message: &Message<'_>) -> Result<Option<Vec<Vec<u8>>>, InvalidPayload> {
        Ok(None)
    }

    /// Says what a verified body means. Never panics on any bytes.
    ///
    /// # Errors
    /// When it is not JSON of the expected form, or carries no event id.
    fn interpret(&self, message: &Message<'_>) -> Result<Interpreted, InvalidPayload>;

    /// Explains a refusal to a person: what was measured and the likely cause, in a sentence or two, without any part of the
    /// body, a secret or a whole signature. Works under a strict budget.
    fn explain(&self, request: &Request<'_>, refusal: Refusal) -> String;

    /// The answer that makes this sender try again.
    fn unavailable(&self) -> RetryAnswer;

    /// What is answered, with status 200, to what was taken in, where the sender acts on it: its content type and the text. None for
    /// our own JSON, which all others only log.
    fn acknowledgement(&self) -> Option<(&'static str, &'static str)> {
        None
    }

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
    /// The configured address of the source's endpoint, for senders that sign it.
    pub endpoint: Option<&'a str>,
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
    /// `kind = "hmac"`.
    Hmac(Box<hmac::Settings>),
    /// `kind = "gohighlevel"`.
    GoHighLevel(gohighlevel::Settings),
}

/// Builds the source that settings describe. `country` is where phone numbers without a country code are from; without one they
/// are not read.
pub fn build(settings: &Settings, country: Option<Country>) -> Box<dyn Source> {
    match settings {
        Settings::Stripe(settings) => Box::new(stripe::Stripe::new(settings.clone()).of_country(country)),
        Settings::Hmac(settings) => Box::new(hmac::Hmac::new(hmac::Settings::clone(settings)).of_country(country)),
        Settings::GoHighLevel(settings) => {
            Box::new(gohighlevel::GoHighLevel::new(settings.clone()).of_country(country))
        }
    }
}
