//! `tallyhook setup`: from nothing to the first event seen.

mod answers;
mod guide;
mod prompt;
mod questions;
mod waiting;
mod write;

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::output::{json_line, path};
use super::service::{has_systemd, is_of_service};
use super::{Failure, Setting, doctor};
use crate::config::{Config, DEFAULT_FILE};
use crate::model::secret::Secret;
use crate::model::time::parse_span;
use crate::platform::clock::{Clock, SystemClock};
use crate::sources::stripe::events_to_tick;

use answers::{Answers, Crm, Ga4, MailerLite};
use prompt::Person;
use questions::Part;
use write::Unwritten;

/// How long it is waited for unless a flag says so; the help of `--wait` names it.
const PATIENCE: Duration = Duration::from_secs(15 * 60);
/// No secret is longer, in bytes.
const LONGEST_SECRET: u64 = 64 << 10;

/// Arguments of `setup`.
#[derive(Debug, Args)]
#[command(after_help = "\
On a terminal it asks for what no flag says. An existing configuration is never changed. Secrets are taken from files, or with - \
from standard input; they go to credentials/ beside the configuration, readable by their owner alone. What is left out is not \
connected; `tallyhook init --all -` shows everything that can be added later.

Examples:
  sudo tallyhook setup
  sudo tallyhook setup --domain hooks.example.com --email you@example.com \\
    --stripe-secret-file stripe.txt --ga4-measurement-id G-ABC123 \\
    --ga4-api-secret-file ga4.txt --start --wait
  tallyhook setup --config ./tallyhook.toml --proxy --stripe-secret-file -")]
pub(super) struct Setup {
    /// The name under which the world reaches this server
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    /// Where the certificate's authority may write to
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// A proxy in front ends TLS: listen without, on 127.0.0.1:8080
    #[arg(long)]
    proxy: bool,
    /// Listen on another address and port
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Keep the state in this folder; for a trial, the service has its own
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
    /// The signing secret of Stripe's endpoint, whsec_…
    #[arg(long, value_name = "FILE")]
    stripe_secret_file: Option<PathBuf>,
    /// GA4: the web stream's measurement id
    #[arg(long, value_name = "G-ID", requires = "ga4_api_secret_file")]
    ga4_measurement_id: Option<String>,
    /// GA4: a Measurement Protocol secret of that stream
    #[arg(long, value_name = "FILE", requires = "ga4_measurement_id")]
    ga4_api_secret_file: Option<PathBuf>,
    /// GA4: where to send; https://region1.google-analytics.com keeps the data in the EU
    #[arg(long, value_name = "URL", requires = "ga4_measurement_id")]
    ga4_endpoint: Option<String>,
    /// CRM with a REST interface: its address, everything before /contacts
    #[arg(long, value_name = "URL", requires = "crm_api_key_file")]
    crm_base_url: Option<String>,
    /// CRM with a REST interface: its API key
    #[arg(long, value_name = "FILE", requires = "crm_base_url")]
    crm_api_key_file: Option<PathBuf>,
    /// HubSpot: the access token of a private app
    #[arg(long, value_name = "FILE")]
    hubspot_token_file: Option<PathBuf>,
    /// HighLevel: the id of the location (sub-account)
    #[arg(long, value_name = "ID")]
    highlevel_location: Option<String>,
    /// HighLevel: receive webhooks of its workflows, at an address with a token that is made up here
    #[arg(long, requires = "highlevel_location")]
    highlevel_webhooks: bool,
    /// HighLevel as the CRM that is told: the token of a private integration
    #[arg(long, value_name = "FILE", requires = "highlevel_location")]
    highlevel_token_file: Option<PathBuf>,
    /// MailerLite: the API key
    #[arg(long, value_name = "FILE")]
    mailerlite_api_key_file: Option<PathBuf>,
    /// MailerLite: which group is joined when, vip=1,premium=2,standard=3
    #[arg(long, value_name = "WHEN=ID", value_delimiter = ',', value_parser = group, requires = "mailerlite_api_key_file")]
    mailerlite_groups: Vec<(String, String)>,
    /// MailerLite: the account is from before 22 March 2022
    #[arg(long, requires = "mailerlite_api_key_file")]
    mailerlite_classic: bool,
    /// MailerLite: where to send
    #[arg(long, value_name = "URL", requires = "mailerlite_api_key_file")]
    mailerlite_endpoint: Option<String>,
    /// Where alerts are posted as JSON; such an address is a secret
    #[arg(long, value_name = "FILE")]
    alert_url_file: Option<PathBuf>,
    /// Ask nothing
    #[arg(long)]
    batch: bool,
    /// Start the service, and with every boot from now on
    #[arg(long)]
    start: bool,
    /// Do not examine everything afterwards
    #[arg(long)]
    no_doctor: bool,
    /// Wait for the first event and show it; so long at most, 15m unless given
    #[arg(long, value_name = "SPAN", num_args = 0..=1, require_equals = true, default_missing_value = "15m", value_parser = parse_span)]
    wait: Option<Duration>,
}

/// `vip=123`.
fn group(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, id)) if !name.trim().is_empty() && !id.trim().is_empty() => {
            Ok((name.trim().to_owned(), id.trim().to_owned()))
        }
        _ => Err("write when a person joins and the group's id, vip=123456789".to_owned()),
    }
}

impl Setup {
    /// Sets up.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        let file = setting.config.unwrap_or_else(|| Path::new(DEFAULT_FILE)).to_owned();
        write::refuse_existing(&file).map_err(Failure::Failed)?;
        let has_systemd = has_systemd() && is_of_service(&file);
        if self.start && !has_systemd {
            return Err(Failure::Wrong(format!(
                "--start needs systemd and the configuration at {DEFAULT_FILE}; leave it out and start with `{}`",
                guide::start(&file, self.proxy)
            )));
        }
        let person = if self.batch { None } else { Person::at_terminal() };
        let mut answers = self.answers()?;
        // Whoever is asked for the signing secret is told first where to get it.
        let was_shown = person.is_some() && answers.stripe_secret.is_none();
        // What comes while everything is examined has come as well.
        let since = SystemClock.now();
        let credentials = settle(person.as_ref(), &mut answers, &file)?;

        let endpoint = answers.endpoint();
        let start = guide::start(&file, answers.proxy);
        if setting.json {
            json_line(
                out,
                &json!({
                    "file": path(&file), "credentials": credentials.iter().map(|file| path(file)).collect::<Vec<_>>(),
                    "url": endpoint, "highlevel_url": answers.highlevel_endpoint(), "events": events_to_tick().collect::<Vec<_>>(), "start": start,
                }),
            )?;
        } else {
            for written in [&file].into_iter().chain(&credentials) {
                writeln!(out, "wrote {}", path(written))?;
            }
            if was_shown {
                writeln!(out, "\nStripe's endpoint, with the events above: {endpoint}\n")?;
            } else {
                writeln!(out, "\n{}\n", guide::stripe(&endpoint))?;
            }
            if let Some(address) = answers.highlevel_endpoint() {
                writeln!(out, "{}\n", guide::highlevel(&address))?;
            }
        }
        out.flush()?;

        let begins = self.start
            || match &person {
                Some(person) if has_systemd => person.agrees(&format!("Start it now ({start})?"))?,
                _ => false,
            };
        if begins {
            enable(guide::units(answers.proxy))?;
        }
        if !setting.json {
            match begins {
                true => writeln!(out, "started, now and with every boot: {start}\n")?,
                false => writeln!(out, "start it: {start}\n")?,
            }
            out.flush()?;
        }
        let setting = Setting { config: Some(&file), environment: setting.environment, json: setting.json };
        if begins && !answers.proxy {
            waiting::for_certificate(&setting, out)?;
        }
        if !self.no_doctor {
            let config = Config::load(Some(&file), &std::collections::BTreeMap::new())?;
            // What it finds is for the person to read; the set-up itself is done.
            doctor::examine(&setting, &config, out)?;
        }
        let patience = match (self.wait, &person) {
            (Some(patience), _) => Some(patience),
            (None, Some(person)) => {
                let question = match begins {
                    true => "Wait here for the first event? (Ctrl-C ends the waiting only)",
                    false => "Wait here for the first event, while you start it in another window?",
                };
                person.agrees(question)?.then_some(PATIENCE)
            }
            (None, None) => None,
        };
        match patience {
            Some(patience) => waiting::for_event(&setting, since, patience, &endpoint, out),
            None => Ok(()),
        }
    }

    /// What the flags say.
    fn answers(&self) -> Result<Answers, Failure> {
        let files = [
            &self.stripe_secret_file,
            &self.ga4_api_secret_file,
            &self.crm_api_key_file,
            &self.hubspot_token_file,
            &self.highlevel_token_file,
            &self.mailerlite_api_key_file,
            &self.alert_url_file,
        ];
        if files.iter().filter(|file| file.as_deref() == Some(Path::new("-"))).count() > 1 {
            return Err(Failure::Wrong(
                "only one secret can come from standard input; give files for the others".into(),
            ));
        }
        let secret = |file: &Option<PathBuf>| file.as_deref().map(read_secret).transpose();
        let ga4 = match (&self.ga4_measurement_id, secret(&self.ga4_api_secret_file)?) {
            (Some(id), Some(api_secret)) => {
                Some(Ga4 { measurement_id: id.clone(), api_secret, endpoint: self.ga4_endpoint.clone() })
            }
            _ => None,
        };
        let crm = match (&self.crm_base_url, secret(&self.crm_api_key_file)?) {
            (Some(base_url), Some(api_key)) => Some(Crm { base_url: base_url.clone(), api_key }),
            _ => None,
        };
        let mailerlite = secret(&self.mailerlite_api_key_file)?.map(|api_key| MailerLite {
            api_key,
            classic: self.mailerlite_classic,
            groups: self.mailerlite_groups.clone(),
            endpoint: self.mailerlite_endpoint.clone(),
        });
        let state = self.state.as_deref().map(std::path::absolute).transpose();
        let state = state.map_err(|error| Failure::Wrong(format!("--state: {error}")))?;
        Ok(Answers {
            domain: self.domain.clone(),
            email: self.email.clone(),
            proxy: self.proxy,
            listen: self.listen.clone(),
            state: state.map(|folder| folder.display().to_string()),
            stripe_secret: secret(&self.stripe_secret_file)?,
            highlevel_webhooks: self.highlevel_webhooks.then(questions::fresh_token).transpose()?,
            highlevel_location: self.highlevel_location.clone(),
            ga4,
            crm,
            hubspot: secret(&self.hubspot_token_file)?,
            highlevel: secret(&self.highlevel_token_file)?,
            mailerlite,
            alert_url: secret(&self.alert_url_file)?,
        })
    }
}

/// A secret out of a file, or out of standard input, without the line break at its end.
fn read_secret(file: &Path) -> Result<Secret, Failure> {
    let mut text = zeroize::Zeroizing::new(String::new());
    let read = match file == Path::new("-") {
        true => io::stdin().lock().take(LONGEST_SECRET).read_to_string(&mut text),
        false => std::fs::File::open(file).and_then(|file| file.take(LONGEST_SECRET).read_to_string(&mut text)),
    };
    match read {
        Ok(_) if text.trim().is_empty() => {
            Err(Failure::Wrong(format!("{} holds no secret: it is empty", file.display())))
        }
        Ok(_) => Ok(Secret::new(text.trim())),
        Err(error) => Err(Failure::Wrong(format!("can't read the secret in {}: {error}", file.display()))),
    }
}

/// Asks for what is missing, until it makes a valid configuration, and writes that.
fn settle(person: Option<&Person>, answers: &mut Answers, file: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut settled = given(answers);
    loop {
        match person {
            Some(person) => questions::ask(person, answers, &mut settled)?,
            None => complete(answers)?,
        }
        match (write::write(answers, file), person) {
            (Ok(credentials), _) => return Ok(credentials),
            (Err(Unwritten::Failed(why)), _) => return Err(Failure::Failed(why)),
            (Err(Unwritten::Invalid(problems)), person) => {
                let complaints: Vec<String> = problems.iter().map(questions::complaint).collect();
                let parts: BTreeSet<Part> = problems.iter().filter_map(questions::part).collect();
                match person {
                    Some(person) if !parts.is_empty() => {
                        person.tell(&complaints.join("\n"))?;
                        for part in parts {
                            questions::forget(answers, part);
                            settled.remove(&part);
                        }
                    }
                    _ => return Err(Failure::Wrong(complaints.join("\n"))),
                }
            }
        }
    }
}

/// The parts that the flags say.
fn given(answers: &Answers) -> BTreeSet<Part> {
    let is_served = answers.domain.is_some() && (answers.proxy || answers.email.is_some());
    [
        (Part::Server, is_served || (answers.proxy && answers.listen.is_some())),
        (Part::Stripe, answers.stripe_secret.is_some()),
        (Part::HighLevel, answers.highlevel_webhooks.is_some()),
        (Part::Ga4, answers.ga4.is_some()),
        (Part::Crm, answers.crm.is_some() || answers.hubspot.is_some() || answers.highlevel.is_some()),
        (Part::MailerLite, answers.mailerlite.is_some()),
        (Part::Alerts, answers.alert_url.is_some()),
    ]
    .into_iter()
    .filter_map(|(part, is_given)| is_given.then_some(part))
    .collect()
}

/// Whether the flags alone say what can't be left out.
fn complete(answers: &Answers) -> Result<(), Failure> {
    let mut missing = Vec::new();
    if answers.domain.is_none() && !answers.proxy {
        missing.push("--domain NAME (or --proxy)");
    }
    if answers.stripe_secret.is_none() {
        missing.push("--stripe-secret-file FILE");
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::Wrong(format!("nobody is here to be asked; give {}", missing.join(" and ")))),
    }
}

fn enable(units: &[&str]) -> Result<(), Failure> {
    let done = Command::new("systemctl").args(["enable", "--now"]).args(units).status();
    match done {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Failure::Failed(format!(
            "the configuration is written, but systemctl could not start it ({status}): `journalctl -u tallyhook` says why"
        ))),
        Err(error) => {
            Err(Failure::Failed(format!("the configuration is written, but systemctl can't be run: {error}")))
        }
    }
}
