//! GoHighLevel: the signed webhooks of marketplace apps and the unsigned ones of workflows, about contacts, appointments,
//! opportunities, orders and invoices.

use std::time::Duration;

use crate::model::money::Currency;
use crate::model::phone::Country;
use crate::model::secret::Secret;
use crate::model::statement::Interpreted;

use super::rsa::RsaKey;
use super::{InvalidPayload, Message, Refusal, Request, RetryAnswer, Sample, SampleRequest, Source};

mod appointments;
mod contacts;
mod explain;
mod interpret;
mod json;
mod keys;
mod opportunities;
mod payments;
mod reading;
mod sample;
mod verify;
#[cfg(test)]
mod verify_tests;
mod workflow;

pub use keys::PublicKey;
pub use sample::TYPES as SAMPLE_TYPES;

/// The provider's name in keys and scopes.
const PROVIDER: &str = "gohighlevel";

/// What a HighLevel source needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The ids of the locations (sub-accounts) whose webhooks are taken; at least one. The key is the same for everybody, so that a
    /// signature does not say whose webhook it is.
    pub locations: Vec<String>,
    /// The id of the marketplace app whose webhooks are taken; none takes those of any.
    pub app_id: Option<String>,
    /// The keys that sign, instead of the published one; none takes that.
    pub public_keys: Vec<PublicKey>,
    /// Whether the older RSA signature (`x-wh-signature`) is believed too.
    pub legacy_signature: bool,
    /// What a workflow's webhook shows, in the path or in a header; none takes no workflow's.
    pub token: Option<Secret>,
    /// How far a signed webhook's time may be from now, either way.
    pub replay_window: Duration,
    /// The currency of amounts that come without one.
    pub currency: Option<Currency>,
    /// Where a workflow's webhook has its id, as a path with dots: `customData.event_id`.
    pub event_id: String,
    /// The tags that are told of as events of their own (`tag_…`), without regard to case.
    pub tags: Vec<String>,
}

impl Settings {
    /// The location, where there is only one.
    fn only_location(&self) -> Option<&str> {
        match self.locations.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// A HighLevel endpoint.
pub struct GoHighLevel {
    settings: Settings,
    keys: Vec<PublicKey>,
    legacy: Option<RsaKey>,
    /// Where phone numbers without a country code are from.
    country: Option<Country>,
}

impl GoHighLevel {
    /// From settings.
    pub fn new(settings: Settings) -> Self {
        let keys = if settings.public_keys.is_empty() {
            PublicKey::parse(keys::PUBLISHED).into_iter().collect()
        } else {
            settings.public_keys.clone()
        };
        let legacy = if settings.legacy_signature { keys::published_legacy() } else { None };
        Self { settings, keys, legacy, country: None }
    }

    /// The same; and phone numbers without a country code are of this country.
    #[must_use]
    pub fn of_country(self, country: Option<Country>) -> Self {
        Self { country, ..self }
    }

    fn knows_location(&self, location: Option<&str>) -> bool {
        location.is_some_and(|location| self.settings.locations.iter().any(|known| known == location))
    }
}

impl Source for GoHighLevel {
    fn provider(&self) -> &str {
        PROVIDER
    }

    fn signature_headers(&self) -> Vec<&str> {
        vec![verify::HEADER, verify::LEGACY_HEADER]
    }

    fn admits(&self, token: &str) -> bool {
        verify::admits(self, token.as_bytes())
    }

    fn verify(&self, request: &Request<'_>) -> Result<(), Refusal> {
        verify::verify(self, request)
    }

    fn interpret(&self, message: &Message<'_>) -> Result<Interpreted, InvalidPayload> {
        interpret::interpret(&self.settings, self.country, message)
    }

    fn explain(&self, request: &Request<'_>, refusal: Refusal) -> String {
        explain::explain(self, request, refusal)
    }

    /// HighLevel comes again after 429 alone, six times ten minutes apart; any other status is final (HighLevel: automated webhook
    /// retries).
    fn unavailable(&self) -> RetryAnswer {
        RetryAnswer { status: 429, retry_after: Duration::from_secs(600) }
    }

    fn sample_types(&self) -> &'static [&'static str] {
        &sample::TYPES
    }

    fn sample(&self, wanted: &SampleRequest<'_>) -> Option<Sample> {
        sample::sample(&self.settings, wanted)
    }
}
