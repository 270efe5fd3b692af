//! Senders whose way is their own and can't be spelled out as a [`Scheme`]: each a file.

use std::time::Duration;

use super::scheme::{Proof, Scheme};
use crate::model::secret::Secret;
use crate::model::time::{Timestamp, format_span};
use crate::sources::{Refusal, Request, Sample};

mod mailgun;
pub(super) mod paypal;
mod twilio;

use mailgun::Mailgun;
use paypal::PayPal;
use twilio::Twilio;

/// One of them with its secrets.
pub(super) enum Own {
    /// The signature stands in the body and covers a time and a token.
    Mailgun(Mailgun),
    /// The address and the sorted fields of the form are signed.
    Twilio(Twilio),
    /// A checksum of the body is signed with the key of a certificate.
    PayPal(PayPal),
}

impl Own {
    /// Of a scheme that names one; none for all others.
    pub fn new(scheme: &Scheme, secrets: &[Secret]) -> Option<Self> {
        Some(match scheme.proof {
            Proof::Mailgun => Self::Mailgun(Mailgun::new(scheme, secrets)),
            Proof::Twilio => Self::Twilio(Twilio::new(scheme, secrets)),
            Proof::PayPal => Self::PayPal(PayPal::new(scheme, secrets)),
            Proof::Hmac | Proof::Ed25519 | Proof::Token | Proof::Basic => return None,
        })
    }

    /// The header fields that it reads, in lower case.
    pub const fn headers(&self) -> &'static [&'static str] {
        match self {
            Self::Mailgun(_) => &[],
            Self::Twilio(_) => &[twilio::HEADER],
            Self::PayPal(_) => &paypal::HEADERS,
        }
    }

    /// Checks a request.
    pub fn verify(&self, request: &Request<'_>) -> Result<(), Refusal> {
        match self {
            Self::Mailgun(mailgun) => mailgun.verify(request),
            Self::Twilio(twilio) => twilio.verify(request),
            Self::PayPal(paypal) => paypal.verify(request),
        }
    }

    /// Explains a refusal.
    pub fn explain(&self, request: &Request<'_>, refusal: Refusal) -> String {
        match self {
            Self::Mailgun(mailgun) => mailgun.explain(request, refusal),
            Self::Twilio(twilio) => twilio.explain(request, refusal),
            Self::PayPal(paypal) => paypal.explain(request, refusal),
        }
    }

    /// Signs a sample as the sender would: its header fields and its body. None where only the sender itself can.
    pub fn sign(&self, request: &Request<'_>) -> Option<Sample> {
        match self {
            Self::Mailgun(mailgun) => mailgun.sign(request),
            Self::Twilio(twilio) => twilio.sign(request),
            Self::PayPal(_) => None,
        }
    }
}

/// How old a signature may be and how far in the future.
#[derive(Clone, Copy)]
struct Window {
    past: Duration,
    future: Duration,
}

impl Window {
    const fn of(scheme: &Scheme) -> Self {
        Self { past: scheme.tolerance, future: scheme.tolerance_future }
    }

    /// Whether a moment lies inside.
    fn check(self, signed_at: Timestamp, received_at: Timestamp) -> Result<(), Refusal> {
        if received_at.since(signed_at) > self.past {
            Err(Refusal::TimestampTooOld)
        } else if signed_at.since(received_at) > self.future {
            Err(Refusal::TimestampInFuture)
        } else {
            Ok(())
        }
    }

    /// Says how far outside a moment lies.
    fn explain(self, signed_at: Timestamp, received_at: Timestamp) -> String {
        let age = received_at.since(signed_at);
        if age > Duration::ZERO {
            return format!(
                "Genuine, but signed {} ago, and {} are allowed. Either it was held up on the way or sent a second time by somebody \
                 else, or this machine's clock is ahead; `tolerance` allows more.",
                format_span(age),
                format_span(self.past)
            );
        }
        format!(
            "Genuine, but signed {} in the future: this machine's clock is behind, or the sender's ahead.",
            format_span(signed_at.since(received_at))
        )
    }
}
