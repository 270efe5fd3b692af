//! Stripe.

use std::time::Duration;

use crate::model::secret::Secret;
use crate::model::statement::Interpreted;

use super::{InvalidPayload, Refusal, Request, RetryAnswer, Sample, SampleRequest, Source};

/// What a Stripe source needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Signing secrets, `whsec_…`; at least one, none blank.
    pub secrets: Vec<Secret>,
    /// How far the timestamp may be from now, either way; above zero.
    pub tolerance: Duration,
}

/// A Stripe endpoint.
pub struct Stripe {
    settings: Settings,
}

impl Stripe {
    /// From settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

impl Source for Stripe {
    fn provider(&self) -> &'static str {
        "stripe"
    }
    fn verify(&self, _request: &Request<'_>) -> Result<(), Refusal> {
        let _ = &self.settings;
        Err(Refusal::MissingSignature)
    }
    fn interpret(&self, _body: &[u8]) -> Result<Interpreted, InvalidPayload> {
        Err(InvalidPayload("not built yet".into()))
    }
    fn explain(&self, _request: &Request<'_>, _refusal: Refusal) -> String {
        String::new()
    }
    fn unavailable(&self) -> RetryAnswer {
        RetryAnswer { status: 503, retry_after: Duration::from_secs(30) }
    }
    fn sample_types(&self) -> &'static [&'static str] {
        &[]
    }
    fn sample(&self, _wanted: &SampleRequest<'_>) -> Option<Sample> {
        None
    }
}
