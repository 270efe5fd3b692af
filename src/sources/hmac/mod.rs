//! Any sender that signs its requests in a usual way: one engine with settings, and presets for known senders.
//!
//! Where its events stand ([`pick::Pick`]) and what its body says ([`content::read`]) is read here; what they mean to the books is
//! data as well ([`meaning::Meaning`]), and what has no meaning is stored as `ignored`.

use std::time::Duration;

use crate::model::id::{Mode, Scope};
use crate::model::phone::Country;
use crate::model::secret::Secret;
use crate::model::statement::{Interpreted, Meaning as Meant};

use super::token::Tokens;
use super::{Handshake, InvalidPayload, Message, Refusal, Request, RetryAnswer, Sample, SampleRequest, Source, basic};

pub mod check;
pub mod content;
mod event;
mod explain;
mod greeting;
mod key;
pub mod meaning;
mod own;
pub mod pick;
pub mod preset;
mod sample;
pub mod scheme;
mod verify;

use event::Naming;
use meaning::Meaning;
use meaning::reading::Meanings;
use own::Own;
use scheme::{Proof, Scheme};
use verify::Checker;

/// What such a source needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The provider's name in keys and scopes: the preset's, else one of this source's own.
    pub provider: String,
    /// The preset that the scheme began as.
    pub preset: Option<&'static str>,
    /// The sender's way.
    pub scheme: Scheme,
    /// Secrets, tokens, `name:password` pairs, public keys or certificates, as the scheme's proof wants; at least one.
    pub secrets: Vec<Secret>,
    /// Whose objects are meant where the sender does not say: the source's name.
    pub account: String,
    /// Whether its events are a rehearsal unless the sender says otherwise.
    pub is_test: bool,
    /// What its events mean.
    pub meaning: Meaning,
}

impl Settings {
    /// Whether a sample can say that it is only a test, or is one by the configuration.
    pub const fn marks_tests(&self) -> bool {
        self.is_test || self.scheme.test_mode.is_some()
    }
}

/// An endpoint for such a sender.
pub struct Hmac {
    settings: Settings,
    checker: Checker,
    own: Option<Own>,
    tokens: Tokens,
    naming: Naming,
    meanings: Meanings,
    /// Where phone numbers without a country code are from.
    country: Option<Country>,
}

impl Hmac {
    /// From settings. What is wrong with them ([`check`]) makes it believe nothing.
    pub fn new(settings: Settings) -> Self {
        let is_secret = matches!(settings.scheme.proof, Proof::Token | Proof::Basic);
        let tokens = Tokens::new(settings.secrets.iter().filter(|_| is_secret));
        let keys = if settings.scheme.proof.is_spelled_out() { settings.secrets.as_slice() } else { &[] };
        let checker = Checker::new(settings.scheme.clone(), keys);
        let own = Own::new(&settings.scheme, &settings.secrets);
        let naming = Naming::new(&settings.scheme);
        let meanings = Meanings::new(&settings.meaning);
        Self { settings, checker, own, tokens, naming, meanings, country: None }
    }

    /// The same; and phone numbers without a country code are of this country.
    #[must_use]
    pub fn of_country(self, country: Option<Country>) -> Self {
        Self { country, ..self }
    }
}

impl Source for Hmac {
    fn provider(&self) -> &str {
        &self.settings.provider
    }

    fn signature_headers(&self) -> Vec<&str> {
        let scheme = &self.settings.scheme;
        if let Some(own) = &self.own {
            return own.headers().to_vec();
        }
        if !scheme.proof.is_spelled_out() {
            return Vec::new();
        }
        let names = scheme.headers.iter().chain(&scheme.timestamp_headers).chain(&scheme.id_headers);
        names.map(String::as_str).collect()
    }

    fn telling_headers(&self) -> Vec<&str> {
        let kept = self.settings.scheme.keep_headers.iter().map(String::as_str);
        let mut names: Vec<&str> = self.naming.headers().chain(self.meanings.headers()).chain(kept).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn admits(&self, token: &str) -> bool {
        self.settings.scheme.proof == Proof::Token && self.tokens.admit(token.as_bytes())
    }

    fn handshake(&self, request: &Request<'_>) -> Option<Handshake> {
        greeting::answer(self.settings.scheme.greeting, &self.checker, request)
    }

    fn verify(&self, request: &Request<'_>) -> Result<(), Refusal> {
        match (&self.own, self.settings.scheme.proof) {
            (Some(own), _) => own.verify(request),
            (None, Proof::Token) => self.tokens.verify(request),
            (None, Proof::Basic) => basic::verify(&self.tokens, request),
            (None, _) => self.checker.verify(request).map(drop),
        }
    }

    fn split(&self, message: &Message<'_>) -> Result<Option<Vec<Vec<u8>>>, InvalidPayload> {
        match &self.settings.scheme.batch {
            Some(pointer) => content::parts(message.body, pointer),
            None => Ok(None),
        }
    }

    fn interpret(&self, message: &Message<'_>) -> Result<Interpreted, InvalidPayload> {
        let scope = Scope {
            provider: self.settings.provider.clone(),
            account: Some(self.settings.account.clone()),
            mode: Mode::from_livemode(!self.settings.is_test),
        };
        let (mut interpreted, body) = self.naming.name(scope, message)?;
        if interpreted.meaning == Meant::Ignored
            && let Some(statement) = self.meanings.read(message, &body, self.country, &mut interpreted)
        {
            interpreted.meaning = Meant::Statement(Box::new(statement));
        }
        Ok(interpreted)
    }

    fn explain(&self, request: &Request<'_>, refusal: Refusal) -> String {
        match &self.own {
            Some(own) => own.explain(request, refusal),
            None => explain::explain(&self.checker, self.settings.preset, request, refusal),
        }
    }

    /// Every one of these senders takes 503 for a failure; those that come again do so for it. Never 410, which unsubscribes
    /// (Standard Webhooks specification).
    fn unavailable(&self) -> RetryAnswer {
        RetryAnswer { status: 503, retry_after: Duration::from_secs(30) }
    }

    /// Twilio does what the answer to an incoming message or call says, and takes JSON for an error (Twilio: error 12300). An empty
    /// document says nothing to a message and hangs up a call.
    fn acknowledgement(&self) -> Option<(&'static str, &'static str)> {
        (self.settings.preset == Some("twilio")).then_some(("text/xml", "<Response/>"))
    }

    fn sample_types(&self) -> &'static [&'static str] {
        sample::types(self.settings.preset)
    }

    fn sample(&self, wanted: &SampleRequest<'_>) -> Option<Sample> {
        let signing = sample::Signing { checker: &self.checker, own: self.own.as_ref(), naming: &self.naming };
        sample::sample(&self.settings, &signing, wanted)
    }
}

#[cfg(test)]
mod tests;
