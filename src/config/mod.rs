//! The configuration, resolved and valid. Nothing else reads the environment.
//!
//! `definitions/` names every key once; `reader` and `value` read the file along it, `resolve` and `named` make the
//! [`Config`], `variables` does the same without a file, and `sample` writes the file to begin with.

mod address;
mod conditions;
mod definitions;
mod environment;
mod kinds;
mod load;
mod named;
mod problem;
mod reader;
mod resolve;
mod sample;
#[cfg(test)]
mod tests;
mod text;
mod tls;
mod value;
mod variables;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::destinations;
use crate::destinations::consent::Choice;
use crate::destinations::filter::Filter;
use crate::model::attribution::Consent;
use crate::model::business_event::EventKind;
use crate::model::count::Count;
use crate::model::delivery::AmbiguousPolicy;
use crate::model::id::Mode;
use crate::model::identity::SharedAddresses;
use crate::model::phone::Country;
use crate::model::rate::RateLimit;
use crate::model::retry::RetrySchedule;
use crate::model::secret::Secret;
use crate::sources;

pub use environment::{Environment, SystemEnvironment};
pub use load::{DEFAULT_FILE, Location};
pub use problem::{Problem, Problems};
pub use sample::sample;

/// The answer to whoever asks for MailerLite's workflows (DESIGN 6).
const NO_WORKFLOWS: &str = "automations start by joining the group: MailerLite has no call that starts one";

/// Everything that can be configured, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it came from; none when the environment alone configured it.
    pub file: Option<PathBuf>,
    /// Whether a secret itself stands in the file, and not only where it is.
    pub holds_secrets: bool,
    /// Files that were named with `{ file = "…" }`.
    pub secret_files: Vec<PathBuf>,
    /// Whether something came from a systemd credential or a variable, of which a running process keeps the copies of its start.
    pub holds_copies: bool,
    /// The public listener.
    pub server: Server,
    /// The operator's door.
    pub admin: Admin,
    /// Where the state is.
    pub store: Store,
    /// How long things are kept.
    pub retention: Retention,
    /// Who sends webhooks.
    pub sources: Vec<Source>,
    /// Who is told.
    pub destinations: Vec<Destination>,
    /// Who is alerted.
    pub alerts: Vec<Alert>,
    /// What browsers may say.
    pub leads: Leads,
    /// By what people are recognised.
    pub identity: Identity,
    /// How alerts are grouped.
    pub alerting: Alerting,
    /// What the health page shows to whom.
    pub health: Health,
    /// How logs look.
    pub log: Log,
    /// Remarks that keep nobody from starting; to be shown at every start and by `check`.
    pub warnings: Vec<Problem>,
}

impl Server {
    /// How a sender reaches the endpoint of a source, without token; none where `public_url` is not given.
    pub fn endpoint(&self, source: &str) -> Option<String> {
        let origin = self.public_url.as_deref()?.trim_end_matches('/');
        Some(format!("{origin}/api/webhooks/{source}"))
    }
}

impl Config {
    /// The ids of the configured streams of GA4, without their `G-`.
    pub fn ga4_streams(&self) -> impl Iterator<Item = &str> {
        self.destinations.iter().filter_map(|destination| match &destination.settings {
            destinations::Settings::Ga4(settings) => settings.measurement_id.strip_prefix("G-"),
            _ => None,
        })
    }
}

/// The public listener.
#[derive(Clone, Debug)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// How the world reaches it.
    pub public_url: Option<String>,
    /// Transport security.
    pub tls: Tls,
    /// Largest body, in bytes.
    pub max_body: usize,
    /// For the TLS handshake.
    pub handshake_timeout: Duration,
    /// For the header of a request.
    pub header_timeout: Duration,
    /// For the body of a request.
    pub body_timeout: Duration,
    /// For a connection that asks nothing.
    pub idle_timeout: Duration,
    /// Connections at a time.
    pub max_connections: usize,
    /// Connections at a time from one address.
    pub max_connections_per_address: usize,
    /// Bytes of bodies held at a time.
    pub max_bytes_in_flight: usize,
    /// How long a stop waits for requests under way.
    pub drain_timeout: Duration,
}

/// Transport security.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Plain HTTP: behind a proxy, or for tests.
    Off,
    /// From files, reloaded when they change.
    Files {
        /// The certificate chain, PEM.
        cert: PathBuf,
        /// The private key, PEM.
        key: PathBuf,
    },
    /// Fetched from an authority and renewed by itself (RFC 8555).
    Acme(Box<Acme>),
}

impl Tls {
    /// The mode as the configuration names it.
    pub const fn mode(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Files { .. } => "files",
            Self::Acme(_) => "acme",
        }
    }
}

/// Where certificates are fetched, and for which names.
#[derive(Clone, PartialEq, Eq)]
pub struct Acme {
    /// The names in the certificate, in lower case; one at least.
    pub domains: Vec<String>,
    /// Where the authority may write to; an e-mail address.
    pub contact: Option<String>,
    /// The authority's directory (RFC 8555, 7.1.1).
    pub directory: String,
    /// The root of the authority's own web certificate, PEM; none for the usual ones.
    pub ca_root: Option<PathBuf>,
    /// The customer that the account belongs to.
    pub eab: Option<ExternalAccount>,
    /// Where plain HTTP is answered: the authority's question, and redirects.
    pub http_listen: Option<SocketAddr>,
    /// How long to wait after the first failure.
    pub retry: Duration,
    /// Whether the authority may be at a private or link-local address.
    pub allow_private_addresses: bool,
}

/// The contact is personal data.
impl std::fmt::Debug for Acme {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Acme")
            .field("domains", &self.domains)
            .field("directory", &self.directory)
            .field("ca_root", &self.ca_root)
            .field("eab", &self.eab.as_ref().map(|eab| eab.key_id.as_str()))
            .field("http_listen", &self.http_listen)
            .field("retry", &self.retry)
            .field("allow_private_addresses", &self.allow_private_addresses)
            .finish_non_exhaustive()
    }
}

/// External account binding (RFC 8555, 7.3.4).
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalAccount {
    /// The key's id.
    pub key_id: String,
    /// The key.
    pub hmac_key: zeroize::Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExternalAccount").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// A key in base64url, with or without padding, as authorities show it.
fn decode_hmac_key(text: &str) -> Option<Vec<u8>> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

/// The operator's door.
#[derive(Clone, Debug)]
pub struct Admin {
    /// The Unix socket that the command line talks to; the file's permissions are the lock.
    pub socket: PathBuf,
}

/// Where the state is.
#[derive(Clone, Debug)]
pub struct Store {
    /// The redb file.
    pub path: PathBuf,
    /// Below this much free disk nothing is accepted or sent, in bytes.
    pub reserve: u64,
    /// redb's page cache, in bytes.
    pub cache: usize,
}

/// How long things are kept; none is for ever.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Raw bodies.
    pub payloads: Option<Duration>,
    /// Attempts, but never before their failed delivery ends.
    pub attempts: Option<Duration>,
    /// Dedup marks, with the webhook's header.
    pub dedup: Option<Duration>,
}

/// One sender.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name in the path: letters, digits, `-` and `_`.
    pub name: String,
    /// Its kind and secrets.
    pub settings: sources::Settings,
    /// How its events are counted and answered.
    pub rules: SourceRules,
}

/// How a source's events are counted and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRules {
    /// How long a sale that may be half of another waits; zero turns it off.
    pub settle: Duration,
    /// The same for an event that was late already.
    pub settle_late: Duration,
    /// Whether its sales count.
    pub counts_sales: bool,
    /// Which objects make a sale.
    pub count: Count,
    /// Whether a one-off sale is known by the merchant's order id, where the metadata tells it.
    pub order_ids: bool,
    /// Answer 200 where 400 or 403 would be due, for senders that disable an endpoint after errors.
    pub always_200: bool,
}

/// One destination.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Its name.
    pub name: String,
    /// Its kind, credentials and rules.
    pub settings: destinations::Settings,
    /// How it is delivered to.
    pub delivery: DeliverySettings,
}

/// How a destination is delivered to.
#[derive(Clone, Debug)]
pub struct DeliverySettings {
    /// Which modes it gets.
    pub environments: Vec<Mode>,
    /// Which kinds it gets; none for the destination's own default.
    pub events: Option<Vec<EventKind>>,
    /// Which of those it gets, by what is told of them; none for all.
    pub filter: Option<Filter>,
    /// What is said of the consent that it asks for.
    pub consent: Choice,
    /// When to try.
    pub schedule: RetrySchedule,
    /// For one request.
    pub timeout: Duration,
    /// How many requests in a span; none is no limit.
    pub rate_limit: Option<RateLimit>,
    /// Requests at a time.
    pub concurrency: usize,
    /// How long a delivery may wait for a destination that is not available.
    pub max_age: Duration,
    /// What to do about an ambiguous outcome; none for the destination's own default.
    pub ambiguous: Option<AmbiguousPolicy>,
    /// Whether private and link-local addresses may be connected to.
    pub allow_private_addresses: bool,
}

/// What browsers may say of their visitors.
#[derive(Clone, Debug)]
pub struct Leads {
    /// Whose pages may post, in lower case; none turns it off.
    pub origins: Vec<String>,
    /// Whether a new address makes a contact and a `lead` of it.
    pub make_leads: bool,
    /// How long a lead waits before anybody is told.
    pub settle: Duration,
    /// Posts from one address; none is no limit.
    pub rate_limit: Option<RateLimit>,
    /// Posts in a day without an address, all together.
    pub max_per_day: u64,
    /// Posts in a day with an address or a phone number, all together.
    pub max_forms_per_day: u64,
    /// Leads that are kept.
    pub max_kept: u64,
    /// How long one is kept after it last said something new.
    pub keep: Duration,
    /// Whether the script stores nothing before the page says that it may.
    pub wait_for_consent: bool,
    /// How long its cookie lasts, in days.
    pub cookie_days: u64,
    /// The header whose last address is the visitor's, behind a proxy.
    pub address_header: Option<String>,
}

/// By what people are recognised, and what they agree to.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Addresses that several people read.
    pub shared_emails: Vec<SharedAddresses>,
    /// Where phone numbers without a country code are from.
    pub default_country: Option<Country>,
    /// What a person agrees to of whom nobody said it.
    pub consent_default: Consent,
}

/// One channel for alerts.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// Where alerts are posted as JSON; the address is a secret.
    pub url: Secret,
    /// Whether private and link-local addresses may be connected to.
    pub allow_private_addresses: bool,
}

/// How alerts are grouped.
#[derive(Clone, Copy, Debug)]
pub struct Alerting {
    /// How long to collect before the first word on a group.
    pub group_wait: Duration,
    /// How long before news on the same group.
    pub group_interval: Duration,
    /// How long before the same again.
    pub repeat_interval: Duration,
}

/// What the health page shows to whom.
#[derive(Clone, Debug)]
pub enum Health {
    /// Everything to everybody.
    Public,
    /// Details only with this token.
    Token(Secret),
    /// Details only on the admin socket.
    Admin,
}

/// How logs look.
#[derive(Clone, Debug)]
pub struct Log {
    /// One JSON object a line instead of text.
    pub json: bool,
    /// What is logged, `info` or `tallyhook=debug`.
    pub level: String,
}
