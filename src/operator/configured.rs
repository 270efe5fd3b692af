//! What of the configuration an operator's requests need, ready to be used.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{self, Config};
use crate::delivery::client::{Client, Limits};
use crate::destinations;
use crate::ledger::rules::{DestinationRules, LeadRules, Rules, SourceRules};
use crate::model::id::DestinationId;
use crate::sources::{self, Source};

/// Sources, destinations and the place of the store as configured.
#[derive(Clone, Default)]
pub struct Configured {
    /// Every source.
    pub sources: Vec<ConfiguredSource>,
    /// Every destination.
    pub destinations: Vec<ConfiguredDestination>,
    /// The store's file.
    pub store: PathBuf,
    /// Below this much free disk nothing is accepted or sent, in bytes.
    pub reserve: u64,
}

/// One source.
#[derive(Clone)]
pub struct ConfiguredSource {
    /// Its name in the path.
    pub name: String,
    /// Verifies and interprets.
    pub source: Arc<dyn Source>,
    /// How its sender reaches it; none where no `server.public_url` is.
    pub endpoint: Option<String>,
    /// How its events are counted.
    pub rules: SourceRules,
}

/// One destination.
#[derive(Clone)]
pub struct ConfiguredDestination {
    /// Its name.
    pub name: String,
    /// What it is.
    pub destination: Arc<dyn destinations::Destination>,
    /// How it is reached.
    pub client: Arc<dyn Client>,
    /// For one request.
    pub limits: Limits,
}

impl Configured {
    /// Takes what is needed out of a configuration; `client` gives each destination its client.
    pub fn new(config: &Config, mut client: impl FnMut(&config::Destination) -> Arc<dyn Client>) -> Self {
        Self {
            sources: config
                .sources
                .iter()
                .map(|source| ConfiguredSource {
                    name: source.name.clone(),
                    source: Arc::from(sources::build(&source.settings, config.identity.default_country)),
                    endpoint: config.server.endpoint(&source.name),
                    rules: source_rules(source.rules),
                })
                .collect(),
            destinations: config
                .destinations
                .iter()
                .map(|destination| ConfiguredDestination {
                    name: destination.name.clone(),
                    destination: Arc::from(destinations::build(&destination.settings)),
                    client: client(destination),
                    limits: Limits { timeout: destination.delivery.timeout },
                })
                .collect(),
            store: config.store.path.clone(),
            reserve: config.store.reserve,
        }
    }

    /// A source by its name.
    pub(super) fn source(&self, name: &str) -> Option<&ConfiguredSource> {
        self.sources.iter().find(|source| source.name == name)
    }

    /// A destination by its name.
    pub(super) fn destination(&self, name: &str) -> Option<&ConfiguredDestination> {
        self.destinations.iter().find(|destination| destination.name == name)
    }
}

/// What a configuration says about counting and delivering. `ids` are the numbers of its destinations in the store, in order.
pub fn rules(config: &Config, ids: &[DestinationId]) -> Rules {
    let destinations = config.destinations.iter().zip(ids).map(|(configured, id)| {
        let destination: Arc<dyn destinations::Destination> = Arc::from(destinations::build(&configured.settings));
        let delivery = &configured.delivery;
        DestinationRules {
            id: *id,
            name: configured.name.clone(),
            modes: delivery.environments.clone(),
            kinds: delivery.events.clone().unwrap_or_else(|| destination.default_events().to_vec()),
            schedule: delivery.schedule.clone(),
            max_age: delivery.max_age,
            ambiguous: delivery.ambiguous,
            filter: delivery.filter.clone().map(Arc::new),
            consent: delivery.consent,
            consent_default: config.identity.consent_default,
            destination,
        }
    });
    let sources = config.sources.iter().map(|source| (source.name.clone(), source_rules(source.rules)));
    let leads = &config.leads;
    Rules {
        sources: sources.collect(),
        destinations: destinations.collect(),
        shared_emails: config.identity.shared_emails.clone(),
        leads: LeadRules { make_leads: leads.make_leads, settle: leads.settle, most: leads.max_kept },
    }
}

fn source_rules(rules: config::SourceRules) -> SourceRules {
    let config::SourceRules { settle, settle_late, counts_sales, count, order_ids, always_200: _ } = rules;
    SourceRules { settle, settle_late, counts_sales, count, order_ids }
}
