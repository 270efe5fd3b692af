//! `tallyhook doctor`: is the world as it has to be? One file a check; each judges what it is given, so that a test can give it
//! any world.

mod certificate;
mod clock;
mod daemon;
mod destinations;
mod disk;
mod dns;
mod events;
mod finding;
mod permissions;
mod port;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::Arc;

use clap::Args;
use serde_json::Value;

use super::check::public_base;
use super::output::{json_line, path};
use super::{Failure, Setting, access};
use crate::config::{Config, Problems};
use crate::operator::{Filter, List, Request, test_destination};
use crate::platform::clock::{SharedClock, SystemClock};
use crate::platform::disk::SystemDisk;
use crate::platform::network::SystemNetwork;
use crate::sources;

use finding::{Finding, Level};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Looks at configuration, daemon, DNS, port, certificate, clock, disk, permissions, destinations and the events that came. Each \
finding is ok, a warning or an error, and says what to do. Destinations are only read from; nothing is changed. In JSON each \
finding is {check, level, message, fix}. Exit code 1 when there is an error, 2 when the configuration is wrong.

Examples:
  sudo tallyhook doctor
  tallyhook doctor --json | jq 'select(.level != \"ok\")'")]
pub(super) struct Doctor {}

impl Doctor {
    /// Examines.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        let config = match Config::load(setting.config, setting.environment) {
            Ok(config) => config,
            Err(problems) => return Err(invalid(problems, setting, out)?),
        };
        match examine(setting, &config, out)? {
            0 => Ok(()),
            1 => Err(Failure::Failed("1 error was found".to_owned())),
            errors => Err(Failure::Failed(format!("{errors} errors were found"))),
        }
    }
}

/// Shows what is wrong with the configuration, behind which nothing can be looked at.
fn invalid(problems: Problems, setting: &Setting<'_>, out: &mut dyn Write) -> Result<Failure, Failure> {
    if setting.json {
        for problem in &problems.0 {
            let (mut problem, fix) = (problem.clone(), problem.suggestion.clone());
            problem.suggestion = None;
            let fix = fix.unwrap_or_else(|| "correct it, then ask again".to_owned());
            json_line(out, &Finding::error("configuration", problem.to_string(), fix).row())?;
        }
    }
    Ok(problems.into())
}

/// Makes every check and shows its findings as they come. How many of them are errors.
pub(super) fn examine(setting: &Setting<'_>, config: &Config, out: &mut dyn Write) -> Result<usize, Failure> {
    let mut counts = BTreeMap::<Level, usize>::new();
    let mut tell = |finding: Finding| -> Result<(), Failure> {
        *counts.entry(finding.level).or_default() += 1;
        match setting.json {
            true => json_line(out, &finding.row())?,
            false => finding.write(out)?,
        }
        Ok(out.flush()?)
    };
    let origin = config.file.as_deref().map_or("the environment alone".to_owned(), path);
    tell(Finding::ok("configuration", format!("{origin} is valid")))?;
    for remark in &config.warnings {
        let (mut remark, fix) = (remark.clone(), remark.suggestion.clone());
        remark.suggestion = None;
        let fix = fix.unwrap_or_else(|| "correct it, then reload".to_owned());
        tell(Finding::warning("configuration", remark.to_string(), fix))?;
    }

    let status = access::ask_running(setting, &Request::Status).map(|rows| rows.and_then(|mut rows| rows.pop()));
    tell(daemon::judge(&status))?;
    let status = status.ok().flatten();
    let is_running = status.is_some();

    for finding in dns::look(config, &SystemNetwork) {
        tell(finding)?;
    }
    if let Some(finding) = port::look(config.server.listen, is_running, &SystemNetwork) {
        tell(finding)?;
    }
    let clock: SharedClock = Arc::new(SystemClock);
    let names = dns::public_names(config);
    let found = match &status {
        Some(status) => certificate::look(&config.server, &names, status, clock.now()),
        None => Some(certificate::look_at_files(&config.server, &names, &config.store.path, clock.now())),
    };
    if let Some(finding) = found {
        tell(finding)?;
    }
    for finding in disk::look(&config.store, &SystemDisk).into_iter().chain(permissions::look(config)) {
        tell(finding)?;
    }

    let mut ahead = Vec::new();
    for destination in &access::configured(config, &clock)?.destinations {
        let row = test_destination(destination, clock.as_ref());
        ahead.extend(row["clock_ahead_seconds"].as_i64());
        tell(destinations::judge(&row))?;
    }
    tell(clock::judge(&ahead))?;

    for finding in of_books(setting, config, status) {
        tell(finding)?;
    }
    let count = |level| counts.get(&level).copied().unwrap_or(0);
    if !setting.json {
        let (errors, warnings) = (count(Level::Error), count(Level::Warning));
        writeln!(out, "\n{} ok, {warnings} to look at, {errors} to put right", count(Level::Ok))?;
    }
    Ok(count(Level::Error))
}

/// What the books tell; nothing when there are none yet.
fn of_books(setting: &Setting<'_>, config: &Config, status: Option<Value>) -> Vec<Finding> {
    if status.is_none() && !config.store.path.exists() {
        return Vec::new();
    }
    read_books(setting, config, status).unwrap_or_else(|failure| {
        let why = match failure {
            Failure::Failed(why) | Failure::Wrong(why) => why,
            Failure::Closed => "the conversation broke off".to_owned(),
        };
        let fix = "run this as root or as the user that tallyhook runs as; a daemon that hangs has to be restarted";
        vec![Finding::error("store", format!("the books can't be read: {why}"), fix)]
    })
}

fn read_books(setting: &Setting<'_>, config: &Config, status: Option<Value>) -> Result<Vec<Finding>, Failure> {
    let status = match status {
        Some(status) => status,
        None => access::ask_one(setting, &Request::Status)?,
    };
    let mut findings = Vec::new();
    findings.extend(status["destinations"].as_array().into_iter().flatten().filter_map(destinations::judge_standing));
    findings.push(destinations::judge_failed(&status["destinations"]));

    let lately = |since: &str, limit| List {
        filter: Filter { since: Some(since.to_owned()), ..Filter::default() },
        limit: Some(limit),
        after: None,
    };
    let refused = access::ask_all(setting, &Request::RejectedList(lately("1d", events::MOST)))?;
    findings.extend(clock::judge_refused(&refused));

    let mut seen = BTreeMap::<String, BTreeSet<String>>::new();
    let since = format!("{}d", events::DAYS);
    access::ask(setting, &Request::EventsList(lately(&since, events::MOST)), &mut |row| {
        if let (Some(source), Some(name)) = (row["source"].as_str(), row["type"].as_str()) {
            seen.entry(source.to_owned()).or_default().insert(name.to_owned());
        }
        Ok(())
    })?;
    for source in &config.sources {
        if matches!(source.settings, sources::Settings::Stripe(_)) {
            let url = format!("{}/api/webhooks/{}", public_base(config), source.name);
            let seen = seen.remove(&source.name).unwrap_or_default();
            findings.push(events::judge(&source.name, &url, &seen));
        }
    }
    Ok(findings)
}
