//! Puts another configuration into force while running: all of what can change, or nothing.

use std::sync::{Arc, PoisonError};

use super::start::{App, StartError, configured, lanes};
use crate::config::Config;
use crate::delivery::engine::{Engine, EngineError};
use crate::http::leads::LeadSettings;
use crate::http::source_table::SourceTable;
use crate::http::tls::TlsError;
use crate::model::id::DestinationId;
use crate::model::time::Timestamp;
use crate::operator::rules;
use crate::store::StoreError;

/// Why the old configuration stays in force.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// Something that is only read at start.
    #[error("{0} changed, which takes a restart")]
    NeedsRestart(&'static str),
    /// The certificate can't be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine can't start.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl From<ReloadError> for StartError {
    fn from(error: ReloadError) -> Self {
        Self::Io(std::io::Error::other(error.to_string()))
    }
}

impl App {
    /// Whether the configuration in force takes values from credentials or the environment, which only a restart brings up to date.
    pub fn holds_copies(&self) -> bool {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).holds_copies
    }

    /// Takes over sources, secrets, destinations, rules and the certificate's files. Queues and dedup marks are untouched.
    ///
    /// # Errors
    /// When something changed that is only read at start, or a part of it can't be used; then nothing is changed.
    pub fn reload(&self, fresh: Config) -> Result<(), ReloadError> {
        let mut current = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let only_at_start = [
            ("server.listen", fresh.server.listen != current.server.listen),
            ("server.tls", fresh.server.tls != current.server.tls),
            ("admin.socket", fresh.admin.socket != current.admin.socket),
            ("store.path", fresh.store.path != current.store.path),
        ];
        if let Some((what, _)) = only_at_start.iter().find(|(_, changed)| *changed) {
            return Err(ReloadError::NeedsRestart(what));
        }
        let names: Vec<String> = fresh.destinations.iter().map(|destination| destination.name.clone()).collect();
        let ids = self.store.name_destinations(&names)?;
        let rules = rules(&fresh, &ids);
        let lanes = lanes(&fresh, &rules, &self.trust, &self.surroundings.clock);
        let prepared = Engine::prepare(&self.surroundings, lanes)?;
        if let Some(certificate) = &self.certificate {
            certificate.reload()?;
        }

        // From here on nothing can fail any more, so that the old is kept whole or replaced whole.
        for what in waits_for_a_restart(&current, &fresh) {
            tracing::warn!(what, "changed, and takes effect with the next restart");
        }
        let before = self.news.engine.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(engine) = &before {
            engine.stop();
        }
        self.writer.set_rules(rules);
        let engine = prepared.go(before.as_deref());
        let changed = ids.iter().zip(&fresh.destinations).filter(|(_, fresh)| {
            let before = current.destinations.iter().find(|before| before.name == fresh.name);
            before.is_some_and(|before| before.settings != fresh.settings || differ(&before.delivery, &fresh.delivery))
        });
        look_at_once(&engine, changed.map(|(id, _)| *id), self.surroundings.clock.now());
        *self.news.engine.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(engine));
        *self.news.names.write().unwrap_or_else(PoisonError::into_inner) = ids.into_iter().zip(names).collect();
        self.router.webhooks.set_sources(SourceTable::from_config(&fresh));
        self.router.leads.set(LeadSettings::from(&fresh));
        self.health.set_rule(fresh.health.clone());
        self.desk.set_configured(configured(&fresh, &self.trust, &self.surroundings.clock));
        *current = fresh;
        Ok(())
    }
}

fn differ(a: &impl std::fmt::Debug, b: &impl std::fmt::Debug) -> bool {
    format!("{a:?}") != format!("{b:?}")
}

/// Lets destinations that are held try one delivery now: what was changed may well be what they were held for.
fn look_at_once(engine: &Engine, changed: impl Iterator<Item = DestinationId>, now: Timestamp) {
    for id in changed {
        let Some(mut standing) = engine.standing(id) else { continue };
        // Where a look is due anyway it may be under way, and its result must not be written over.
        if let Some(held) = standing.held.as_mut().filter(|held| held.probe_at > now) {
            held.probe_at = now;
            engine.standing_changed(id, standing);
        }
    }
}

/// What changed that neither keeps the rest from being taken over nor is taken over itself.
fn waits_for_a_restart(current: &Config, fresh: &Config) -> Vec<&'static str> {
    let alerts = |config: &Config| -> Vec<(String, String, bool)> {
        let of = |alert: &crate::config::Alert| {
            (alert.name.clone(), alert.url.expose().to_owned(), alert.allow_private_addresses)
        };
        config.alerts.iter().map(of).collect()
    };
    let sections = [
        ("[server]", differ(&current.server, &fresh.server)),
        ("[store]", differ(&current.store, &fresh.store)),
        ("[retention]", differ(&current.retention, &fresh.retention)),
        ("[alerts]", alerts(current) != alerts(fresh)),
        ("[alerting]", differ(&current.alerting, &fresh.alerting)),
        ("leads.keep", current.leads.keep != fresh.leads.keep),
        ("[log]", differ(&current.log, &fresh.log)),
    ];
    sections.into_iter().filter(|(_, changed)| *changed).map(|(what, _)| what).collect()
}
