//! `tallyhook send`.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::output::json_line;
use super::table::plain;
use super::{Failure, Setting};
use crate::config::{Config, Tls};
use crate::delivery::client::{Client, ClientOptions, HttpClient, Limits};
use crate::delivery::connection::Trust;
use crate::delivery::resolver::Names;
use crate::destinations::{HttpRequest, Method, NoAnswer};
use crate::platform::clock::{SharedClock, SystemClock};
use crate::sources::{self, Sample, SampleRequest, gohighlevel, stripe};

/// Arguments of `send`.
#[derive(Debug, Args)]
#[command(after_help = format!("\
Samples are signed with the source's own secret, so that they pass for genuine; a gohighlevel source needs a token. They are test events (livemode: \
false), which live destinations do not get, unless --live is given: then a made-up sale reaches every destination. Of an hmac source \
only lemon_squeezy and shopify (its orders and refunds) mark tests; samples of all others are live events unless its table says \
environment = \"test\", so that a made-up sale or booking reaches every destination.

Examples:
  tallyhook send stripe
  tallyhook send stripe --type refund.created
  tallyhook send stripe --count 100
  tallyhook send stripe --type charge.dispute.closed/lost --number 7
  tallyhook send stripe --url https://hooks.example.com

A source of another kind has samples of its own; --type with any other word names them.

Samples of a stripe source:
{}

Samples of a gohighlevel source:
{}", samples(&stripe::SAMPLE_TYPES), samples(&gohighlevel::SAMPLE_TYPES)))]
pub(super) struct Send {
    /// The configured source
    #[arg(value_name = "SOURCE")]
    source: String,
    /// The sample, named for its event; the first that the source knows when not given
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// How many, each of a purchase of its own
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: u64,
    /// Of this purchase: samples of one number belong together
    #[arg(long, value_name = "NUMBER")]
    number: Option<u64>,
    /// Live events, which go to every destination
    #[arg(long)]
    live: bool,
    /// Where to post it, if not to the tallyhook of this configuration on this machine
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// One sample a line.
fn samples(names: &[&str]) -> String {
    names.iter().map(|name| format!("  {name}")).collect::<Vec<_>>().join("\n")
}

impl Send {
    /// Signs and posts.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        let config = setting.load()?;
        let Some(configured) = config.sources.iter().find(|source| source.name == self.source) else {
            let known: Vec<&str> = config.sources.iter().map(|source| source.name.as_str()).collect();
            return Err(Failure::Wrong(format!(
                "there is no source {:?}; configured: {}",
                self.source,
                known.join(", ")
            )));
        };
        let source = sources::build(&configured.settings, config.identity.default_country);
        let types = source.sample_types();
        if types.is_empty() {
            return Err(Failure::Failed(format!(
                "only the sender itself can sign for {}: try it from its own dashboard or sandbox",
                self.source
            )));
        }
        let event_type = self.event_type.as_deref().or(types.first().copied()).unwrap_or_default();
        if !types.contains(&event_type) {
            return Err(Failure::Wrong(format!("there is no sample {event_type:?}; known: {}", types.join(", "))));
        }
        let clock: SharedClock = Arc::new(SystemClock);
        let route = Route::new(&config, self.url.as_deref(), &self.source, &clock)?;
        let first = self.number.unwrap_or_else(|| clock.now().millis().unsigned_abs());
        let mut fields = FieldNames::default();
        let endpoint = config.server.endpoint(&self.source);
        let mut refused = 0;
        for number in first..first.saturating_add(self.count) {
            let wanted = SampleRequest {
                event_type,
                number,
                now: clock.now(),
                livemode: self.live,
                endpoint: endpoint.as_deref(),
            };
            let sample = source.sample(&wanted).ok_or_else(|| {
                Failure::Failed(format!(
                    "{} has no secret (gohighlevel: no `token`) to sign a {event_type} with",
                    self.source
                ))
            })?;
            let answer = route.post(&sample, &mut fields)?;
            refused += u64::from(!answer.is_accepted());
            answer.print(event_type, number, setting.json, out)?;
            out.flush()?;
        }
        if refused > 0 {
            return Err(Failure::Failed(format!("{refused} of {} were not accepted", self.count)));
        }
        let is_marked = match &configured.settings {
            sources::Settings::Stripe(_) => Some(true),
            sources::Settings::GoHighLevel(_) => None,
            sources::Settings::Hmac(hmac) => Some(hmac.marks_tests()),
        };
        if !setting.json && !self.live {
            match is_marked {
                Some(true) => writeln!(
                    out,
                    "sent as test events, which live destinations do not get; see `tallyhook events list`"
                )?,
                Some(false) => writeln!(
                    out,
                    "sent as live events: this sender marks no tests, and what they mean reaches every destination"
                )?,
                None => {}
            }
        }
        Ok(())
    }
}

/// What came back.
struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    fn is_accepted(&self) -> bool {
        (200..300).contains(&self.status)
    }

    fn print(&self, event_type: &str, number: u64, as_json: bool, out: &mut dyn Write) -> Result<(), Failure> {
        if as_json {
            let answer = serde_json::from_str::<Value>(&self.body).unwrap_or_else(|_| json!(self.body));
            let row = json!({"type": event_type, "number": number, "status": self.status, "answer": answer});
            return json_line(out, &row);
        }
        writeln!(out, "{event_type} → {} {}", self.status, plain(&self.body))?;
        Ok(())
    }
}

/// The way to the listener.
struct Route {
    url: String,
    client: HttpClient,
    limits: Limits,
}

impl Route {
    /// To `url`, else to the configured listener on this machine. There the certificate is checked against the name that the
    /// world uses, though the connection goes to this machine.
    fn new(config: &Config, url: Option<&str>, source: &str, clock: &SharedClock) -> Result<Self, Failure> {
        let own_certificates = match &config.server.tls {
            Tls::Files { cert, .. } => fs::read(cert).ok(),
            Tls::Acme(acme) => acme.ca_root.as_ref().and_then(|root| fs::read(root).ok()),
            Tls::Off => None,
        };
        // A certificate of an authority of one's own is believed: it is our own listener's.
        let trust = Trust::new(own_certificates.as_deref())
            .or_else(|_| Trust::new(None))
            .map_err(|error| Failure::Failed(error.to_string()))?;
        let options = ClientOptions { allow_private_addresses: true, connections: 1 };
        let limits = Limits { timeout: Duration::from_secs(30) };
        if let Some(url) = url {
            let url = with_path(url, source);
            return Ok(Self { url, client: HttpClient::new(trust, options, Arc::clone(clock)), limits });
        }
        let listen = config.server.listen;
        let here = match listen.ip() {
            IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(address) if address.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            other => other,
        };
        let base = match &config.server.tls {
            Tls::Off => format!("http://{}", std::net::SocketAddr::new(here, listen.port())),
            Tls::Files { .. } => format!("https://{}:{}", public_host(config), listen.port()),
            Tls::Acme(acme) => {
                let host = acme.domains.first().cloned().unwrap_or_else(|| public_host(config));
                format!("https://{host}:{}", listen.port())
            }
        };
        let names = Names::new(Arc::clone(clock), move |_| Ok(vec![here]));
        let client = HttpClient::with_names(trust, options, names, Arc::clone(clock));
        Ok(Self { url: with_path(&base, source), client, limits })
    }

    fn post(&self, sample: &Sample, fields: &mut FieldNames) -> Result<Answer, Failure> {
        let headers = sample.headers.iter().map(|(name, value)| (fields.get(name), value.clone())).collect();
        let request = HttpRequest {
            method: Method::Post,
            url: self.url.clone(),
            secret_path: None,
            secret_query: None,
            headers,
            secret_header: None,
            body: sample.body.clone(),
            repeatable: true,
        };
        match self.client.send(&request, &self.limits) {
            Ok(response) => {
                let body = String::from_utf8_lossy(&response.body).trim().to_owned();
                Ok(Answer { status: response.status, body })
            }
            Err(no_answer) => Err(Failure::Failed(unanswered(&no_answer, &self.url))),
        }
    }
}

/// Why a sample was not answered, and what to do about it.
fn unanswered(no_answer: &NoAnswer, url: &str) -> String {
    match no_answer {
        // What a server without a certificate for the name says (RFC 8446, 6.2).
        NoAnswer::NotSent(why) | NoAnswer::Broken(why) if why.contains("alert: AccessDenied") => format!(
            "{url} shows no certificate for its name yet, so that no sender can reach it either; `tallyhook status` says why"
        ),
        NoAnswer::NotSent(why) => {
            format!("{why}; is `tallyhook serve` running? --url names another address than {url}")
        }
        NoAnswer::Unknown(why) => format!("{why}; `tallyhook events list` shows whether it was taken in"),
        // What rustls has no sentence for comes as its name.
        NoAnswer::Broken(why) if why.contains("CaUsedAsEndEntity") => format!(
            "the certificate at {url} can't be a server's: it is self-signed and marked as an authority (CA:TRUE), which may \
             only sign others, so that senders refuse it too. `openssl req -x509` makes one for tests with -addext \
             basicConstraints=critical,CA:FALSE; --url posts to another address, say of a proxy in front"
        ),
        NoAnswer::Broken(why) if why.contains("issued for another name") => {
            format!("{why} than {url}; put the name in the certificate into server.public_url, or give it with --url")
        }
        NoAnswer::Broken(why) if why.contains("certificate is not trusted") => {
            format!("{why}; senders refuse it too. --url names another address than {url}")
        }
        NoAnswer::Broken(why) => format!("{why}; --url names another address than {url}"),
    }
}

/// The host in the public address, for which the certificate was issued.
fn public_host(config: &Config) -> String {
    let url = config.server.public_url.as_deref().unwrap_or_default();
    let authority = url.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    if host.is_empty() { "localhost".to_owned() } else { host.to_owned() }
}

fn with_path(url: &str, source: &str) -> String {
    if url.contains("/api/webhooks/") {
        return url.to_owned();
    }
    format!("{}/api/webhooks/{source}", url.trim_end_matches('/'))
}

/// Names of header fields as the client takes them: each is kept once for as long as the command runs.
#[derive(Default)]
struct FieldNames(Vec<&'static str>);

impl FieldNames {
    fn get(&mut self, name: &str) -> &'static str {
        if let Some(known) = self.0.iter().find(|known| **known == name) {
            return known;
        }
        let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
        self.0.push(kept);
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_gets_the_path_of_its_source() {
        assert_eq!(with_path("https://a.example/", "stripe"), "https://a.example/api/webhooks/stripe");
        assert_eq!(with_path("http://[::1]:80", "s"), "http://[::1]:80/api/webhooks/s");
        assert_eq!(with_path("https://a.example/api/webhooks/x", "stripe"), "https://a.example/api/webhooks/x");
    }

    #[test]
    fn what_stands_in_the_way_is_told_in_words() {
        let url = "https://localhost:8443/api/webhooks/stripe";
        let told = |no_answer| unanswered(&no_answer, url);
        let untrusted = "no connection to localhost:8443: its certificate is not trusted: ";
        let authority = told(NoAnswer::Broken(format!("{untrusted}Other(OtherError(CaUsedAsEndEntity))")));
        assert!(authority.contains("CA:TRUE") && authority.contains("--url") && !authority.contains("Other("));
        let other_name = told(NoAnswer::Broken(format!("{untrusted}it was issued for another name")));
        assert!(other_name.contains("server.public_url") && !other_name.contains("serve` running"), "{other_name}");
        assert!(told(NoAnswer::NotSent("no connection".into())).contains("`tallyhook serve` running?"));
        assert!(told(NoAnswer::Unknown("no answer".into())).contains("events list"));
    }

    #[test]
    fn help_lists_every_sample() {
        use clap::CommandFactory;
        #[derive(clap::Parser)]
        struct Call {
            #[command(flatten)]
            _send: Send,
        }
        let help = Call::command().render_long_help().to_string();
        for name in stripe::SAMPLE_TYPES.iter().chain(&gohighlevel::SAMPLE_TYPES) {
            assert!(help.contains(&format!("\n  {name}")), "{name} in {help}");
        }
    }

    #[test]
    fn a_field_name_is_kept_once() {
        let mut names = FieldNames::default();
        assert!(std::ptr::eq(names.get("Stripe-Signature"), names.get("Stripe-Signature")));
    }
}
