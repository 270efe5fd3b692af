//! Stripe: signed snapshot events of payments, Checkout, invoices, refunds, disputes, subscriptions and customers.

use std::time::Duration;

use crate::model::phone::Country;
use crate::model::secret::Secret;
use crate::model::statement::Interpreted;

use super::signature::SigningKey;
use super::{InvalidPayload, Message, Refusal, Request, RetryAnswer, Sample, SampleRequest, Source};

mod customers;
mod disputes;
mod endpoint;
mod explain;
mod interpret;
mod invoices;
mod json;
mod layout;
mod metadata;
mod object;
mod payments;
mod refunds;
mod sample;
mod subscription_changes;
mod subscriptions;
#[cfg(test)]
mod told;
mod verify;

pub use endpoint::{EVENTS_TO_TICK, events_to_tick, not_ticked};
pub use metadata::{METADATA_NAMES, MetadataKeys};
pub use sample::TYPES as SAMPLE_TYPES;

/// The provider's name in keys and scopes.
const PROVIDER: &str = "stripe";

/// What a Stripe source needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Signing secrets, `whsec_…`; at least one, none blank. A blank one never verifies anything.
    pub secrets: Vec<Secret>,
    /// How far the timestamp may be from now, either way, in whole seconds; above zero.
    pub tolerance: Duration,
    /// How the merchant names what the metadata tells.
    pub metadata: MetadataKeys,
}

/// A Stripe endpoint.
pub struct Stripe {
    settings: Settings,
    keys: Vec<SigningKey>,
    /// Where phone numbers without a country code are from.
    country: Option<Country>,
}

impl Stripe {
    /// From settings.
    pub fn new(settings: Settings) -> Self {
        let keys = settings
            .secrets
            .iter()
            // Anyone can sign with an empty key.
            .filter(|secret| !secret.expose().trim().is_empty())
            .map(|secret| SigningKey::new(secret.expose().as_bytes()))
            .collect();
        Self { settings, keys, country: None }
    }

    /// The same; and phone numbers without a country code are of this country.
    #[must_use]
    pub fn of_country(self, country: Option<Country>) -> Self {
        Self { country, ..self }
    }
}

impl Source for Stripe {
    fn provider(&self) -> &str {
        PROVIDER
    }

    fn signature_headers(&self) -> Vec<&str> {
        vec![verify::HEADER]
    }

    fn verify(&self, request: &Request<'_>) -> Result<(), Refusal> {
        verify::verify(request, &self.keys, self.settings.tolerance)
    }

    fn interpret(&self, message: &Message<'_>) -> Result<Interpreted, InvalidPayload> {
        interpret::interpret(message.body, &self.settings.metadata, self.country)
    }

    fn explain(&self, request: &Request<'_>, refusal: Refusal) -> String {
        explain::explain(request, refusal, &self.settings.secrets, self.settings.tolerance)
    }

    /// Stripe takes every status but 2xx as a failure and comes again for three days (Stripe: webhooks, delivery behaviours).
    fn unavailable(&self) -> RetryAnswer {
        RetryAnswer { status: 503, retry_after: Duration::from_secs(30) }
    }

    fn sample_types(&self) -> &'static [&'static str] {
        &sample::TYPES
    }

    fn sample(&self, wanted: &SampleRequest<'_>) -> Option<Sample> {
        sample::sample(wanted, self.keys.first()?)
    }
}
