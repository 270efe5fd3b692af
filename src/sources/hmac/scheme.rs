//! How a sender signs and names its events: everything in which such senders differ, as settings.

use std::time::Duration;

/// What proves a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// An HMAC with a shared secret.
    #[default]
    Hmac,
    /// A signature with the sender's own key.
    Ed25519,
    /// A token.
    Token,
    /// Name and password.
    Basic,
    /// Mailgun's own way: in the body.
    Mailgun,
    /// Twilio's own way: over address and form.
    Twilio,
    /// PayPal's own way: by a certificate.
    PayPal,
}

impl Proof {
    /// Whether it is a signature that the scheme spells out.
    pub const fn is_spelled_out(self) -> bool {
        matches!(self, Self::Hmac | Self::Ed25519)
    }

    /// Whether it is one sender's own way, in which nothing can be changed.
    pub const fn is_own(self) -> bool {
        matches!(self, Self::Mailgun | Self::Twilio | Self::PayPal)
    }
}

/// Which hash the HMAC is made with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hash {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
}

/// What the text of a secret stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyForm {
    /// Its own bytes.
    #[default]
    Raw,
    /// The bytes that it is the base64 of.
    Base64,
    /// The bytes that it is the hexadecimal digits of.
    Hex,
}

/// How the signature header is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Syntax {
    /// The signature and nothing else, after `prefix` if there is one.
    #[default]
    Plain,
    /// `t=…,v1=…`: pairs, of which one key holds signatures and one may hold the time.
    Pairs,
    /// `v1,… v1,…`: signatures with the version before each.
    Versions,
}

/// How a signature's bytes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Hexadecimal digits, in either case.
    #[default]
    Hex,
    /// Base64, with or without its padding.
    Base64,
}

/// The unit of the signed time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Unix seconds.
    #[default]
    Seconds,
    /// Unix milliseconds.
    Millis,
}

/// A request that only tries the address out, and how to answer it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Greeting {
    /// There is none.
    #[default]
    None,
    /// Slack: a signed `url_verification`, whose `challenge` is sent back.
    Slack,
    /// Zoom: a signed `endpoint.url_validation`, whose `plainToken` is sent back with its HMAC.
    Zoom,
    /// WooCommerce: an unsigned form `webhook_id=12` when the webhook is saved.
    WooCommerce,
}

/// One sender's way. Texts are as the configuration gives them; [`super::check`] says what is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// What proves a request.
    pub proof: Proof,
    /// Of the HMAC.
    pub hash: Hash,
    /// What a secret's text stands for.
    pub key: KeyForm,
    /// What is taken off a secret before it is decoded, `whsec_`.
    pub key_prefix: String,
    /// The header field of the signature; of several the first that is there counts.
    pub headers: Vec<String>,
    /// How that is laid out.
    pub syntax: Syntax,
    /// What stands before the signature, `sha256=`.
    pub prefix: String,
    /// What parts pairs or versions.
    pub separator: String,
    /// The key of signatures in pairs, or the version that counts.
    pub signature_key: String,
    /// The key of the time in pairs; empty for none.
    pub timestamp_key: String,
    /// How signatures are written.
    pub encoding: Encoding,
    /// The header field of the time, where it has one of its own.
    pub timestamp_headers: Vec<String>,
    /// Its unit.
    pub timestamp_unit: Unit,
    /// How old a signature may be.
    pub tolerance: Duration,
    /// How far in the future it may be.
    pub tolerance_future: Duration,
    /// The header field of the id, where that is signed.
    pub id_headers: Vec<String>,
    /// What is signed: text with `{body}`, `{timestamp}`, `{id}`, `{method}`, `{url}`, `{unescaped_url}` in it.
    pub signed: String,
    /// The whole address as the sender knows it; none for the configured public one.
    pub public_url: Option<String>,
    /// PayPal's id of the webhook, which is signed along.
    pub webhook_id: Option<String>,
    /// Values of the signature header that mean there is none, `N/A`.
    pub absent: Vec<String>,
    /// Where the event's id stands: picks, joined; none where it is made from the body.
    pub event_id: Vec<String>,
    /// Where the event's type stands: picks, joined.
    pub event_type: Vec<String>,
    /// Where it stands that an event is only a test.
    pub test_mode: Option<String>,
    /// Where a list of events stands in the body, a JSON pointer; empty for the body itself.
    pub batch: Option<String>,
    /// Further header fields that are stored with the webhook, for its meaning.
    pub keep_headers: Vec<String>,
    /// A request that tries the address out.
    pub greeting: Greeting,
    /// Whether this sender switches an endpoint off after errors, so that refusals are answered 200 unless configured otherwise.
    pub gives_up_soon: bool,
}

impl Default for Scheme {
    fn default() -> Self {
        Self {
            proof: Proof::default(),
            hash: Hash::default(),
            key: KeyForm::default(),
            key_prefix: String::new(),
            headers: vec!["x-signature".to_owned()],
            syntax: Syntax::default(),
            prefix: String::new(),
            separator: ",".to_owned(),
            signature_key: "v1".to_owned(),
            timestamp_key: String::new(),
            encoding: Encoding::default(),
            timestamp_headers: Vec::new(),
            timestamp_unit: Unit::default(),
            tolerance: Duration::from_secs(300),
            tolerance_future: Duration::from_secs(300),
            id_headers: Vec::new(),
            signed: "{body}".to_owned(),
            public_url: None,
            webhook_id: None,
            absent: Vec::new(),
            event_id: Vec::new(),
            event_type: Vec::new(),
            test_mode: None,
            batch: None,
            keep_headers: Vec::new(),
            greeting: Greeting::default(),
            gives_up_soon: false,
        }
    }
}

impl Scheme {
    /// Whether a time is signed.
    pub fn is_timed(&self) -> bool {
        !self.timestamp_headers.is_empty() || (self.syntax == Syntax::Pairs && !self.timestamp_key.is_empty())
    }

    /// Whether the address is signed.
    pub fn signs_address(&self) -> bool {
        let is_named = self.signed.contains("{url}") || self.signed.contains("{unescaped_url}");
        self.proof == Proof::Twilio || (self.proof.is_spelled_out() && is_named)
    }
}
