//! `tallyhook check`.

use std::io::Write;

use clap::Args;
use serde_json::{Map, Value, json};

use super::output::{json_line, path};
use super::{Failure, Setting, service};
use crate::config::{Config, Destination, Source, Tls};
use crate::destinations;
use crate::destinations::consent::{Need, Purpose};
use crate::destinations::filter::Filter;
use crate::model::id::Mode;
use crate::sources;

/// Arguments of `check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Every mistake is told at once, with its line, and a file that the service's user can't read. Exit code 2 when there is one. Nothing \
outside is asked.

Examples:
  tallyhook check
  tallyhook check --config ./tallyhook.toml")]
pub(super) struct Check {}

impl Check {
    /// Checks.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        let config = match Config::load(setting.config, setting.environment) {
            Ok(config) => config,
            Err(problems) => {
                if setting.json {
                    for problem in &problems.0 {
                        json_line(out, &serde_json::to_value(problem).unwrap_or_default())?;
                    }
                }
                return Err(problems.into());
            }
        };
        if let Some(unreadable) = service::unreadable(&config).first() {
            return Err(Failure::Wrong(format!("{}; {}", unreadable.message(), unreadable.fix())));
        }
        let summary = summary(&config);
        if setting.json { json_line(out, &summary) } else { Ok(page(&config, &summary, out)?) }
    }
}

/// How the world reaches a configured tallyhook.
pub(super) fn public_base(config: &Config) -> String {
    config.server.public_url.clone().unwrap_or_else(|| {
        let listen = config.server.listen;
        match &config.server.tls {
            Tls::Off => format!("http://{listen}"),
            Tls::Acme(acme) => {
                format!("https://{}", acme.domains.first().map_or_else(|| listen.to_string(), Clone::clone))
            }
            Tls::Files { .. } => format!("https://{listen}"),
        }
    })
}

fn summary(config: &Config) -> Value {
    let base = public_base(config);
    let source = |source: &Source| {
        // A secret is whatever a request can be told from a forged one by.
        let (kind, secrets) = match &source.settings {
            sources::Settings::Stripe(settings) => ("stripe", settings.secrets.len()),
            sources::Settings::Hmac(settings) => (settings.preset.unwrap_or("hmac"), settings.secrets.len()),
            sources::Settings::GoHighLevel(settings) => {
                ("gohighlevel", settings.public_keys.len().max(1) + usize::from(settings.token.is_some()))
            }
        };
        json!({
            "name": source.name, "kind": kind, "url": format!("{base}/api/webhooks/{}", source.name),
            "secrets": secrets, "counts_sales": source.rules.counts_sales,
        })
    };
    let destination = |destination: &Destination| {
        let kind = destinations::build(&destination.settings);
        let events: Vec<&str> = match &destination.delivery.events {
            Some(events) => events.iter().map(|event| event.name()).collect(),
            None => kind.default_events().iter().map(|event| event.name()).collect(),
        };
        let filter = destination.delivery.filter.as_ref();
        let kinds = destination.delivery.events.as_deref().unwrap_or_else(|| kind.default_events());
        let needs = |purpose: Purpose| {
            let need = |event| destination.delivery.consent.over(kind.needs_consent(event)).of(purpose);
            // Of a kind that asks more of some events than of others, what it asks of most.
            kinds.iter().map(need).min_by_key(|need| *need != Need::UnlessDenied).unwrap_or_default().name()
        };
        let consent: Map<String, Value> =
            Purpose::ALL.into_iter().map(|purpose| (purpose.name().to_owned(), needs(purpose).into())).collect();
        let environments: Vec<&str> = destination.delivery.environments.iter().copied().map(Mode::name).collect();
        json!({
            "name": destination.name, "kind": kind.kind(), "environments": environments, "events": events,
            "default_events": destination.delivery.events.is_none(),
            "only": filter.and_then(Filter::only), "except": filter.and_then(Filter::except), "consent": consent,
        })
    };
    json!({
        "ok": true,
        "file": config.file.as_deref().map(path),
        "listen": config.server.listen.to_string(),
        "tls": config.server.tls.mode(),
        "domains": match &config.server.tls {
            Tls::Acme(acme) => json!(acme.domains),
            _ => Value::Null,
        },
        "authority": match &config.server.tls {
            Tls::Acme(acme) => json!(acme.directory),
            _ => Value::Null,
        },
        "store": path(&config.store.path),
        "admin_socket": path(&config.admin.socket),
        "sources": config.sources.iter().map(source).collect::<Vec<_>>(),
        "destinations": config.destinations.iter().map(destination).collect::<Vec<_>>(),
        "alerts": config.alerts.iter().map(|alert| alert.name.as_str()).collect::<Vec<_>>(),
        "warnings": config.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn page(config: &Config, summary: &Value, out: &mut dyn Write) -> std::io::Result<()> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let words = |value: &Value| {
        let words: Vec<String> = value.as_array().into_iter().flatten().map(text).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    };
    let origin = config.file.as_deref().map_or("the environment alone".to_owned(), path);
    writeln!(out, "ok: {origin}")?;
    writeln!(out, "listens on {}, TLS {}", text(&summary["listen"]), text(&summary["tls"]))?;
    if summary["domains"].is_array() {
        writeln!(out, "certificate for {} from {}", words(&summary["domains"]), text(&summary["authority"]))?;
    }
    writeln!(out, "store {}, admin socket {}", text(&summary["store"]), text(&summary["admin_socket"]))?;
    for source in summary["sources"].as_array().into_iter().flatten() {
        writeln!(out, "source {} ({}): {}", text(&source["name"]), text(&source["kind"]), text(&source["url"]))?;
    }
    for destination in summary["destinations"].as_array().into_iter().flatten() {
        let (name, kind) = (text(&destination["name"]), text(&destination["kind"]));
        let modes = words(&destination["environments"]);
        let events = match destination["default_events"].as_bool() {
            Some(true) => "its default events".to_owned(),
            _ => words(&destination["events"]),
        };
        writeln!(out, "destination {name} ({kind}), {modes}: {events}")?;
        for (key, what) in [("only", "only where"), ("except", "except where")] {
            if let Some(words) = destination[key].as_str() {
                writeln!(out, "  {what} {words}")?;
            }
        }
        let needs = destination["consent"].as_object().into_iter().flatten().filter(|(_, need)| *need != "ignored");
        let needs: Vec<String> = needs.map(|(purpose, need)| format!("{purpose} {}", text(need))).collect();
        if !needs.is_empty() {
            writeln!(out, "  consent: {}", needs.join(", "))?;
        }
    }
    writeln!(out, "alerts: {}", words(&summary["alerts"]))?;
    for warning in summary["warnings"].as_array().into_iter().flatten() {
        writeln!(out, "remark: {}", text(warning))?;
    }
    Ok(())
}
