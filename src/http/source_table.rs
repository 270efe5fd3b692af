//! The configured sources, looked up by the name in the path.

use std::collections::HashMap;
use std::sync::Arc;

use crate::config::{Config, SourceRules};
use crate::sources::{self, Source};

/// One configured source.
pub struct SourceEntry {
    /// Its name in the path.
    pub name: String,
    /// Verifies and interprets.
    pub source: Arc<dyn Source>,
    /// How its sender reaches it, `https://hooks.example.com/api/webhooks/shop`; none where no `server.public_url` is.
    pub endpoint: Option<String>,
    /// How its events are counted and answered.
    pub rules: SourceRules,
}

/// All configured sources: a snapshot, replaced whole when the configuration is read again.
#[derive(Default)]
pub struct SourceTable(HashMap<String, Arc<SourceEntry>>);

impl SourceTable {
    /// From ready-made entries; of two with one name the later counts, which the configuration rules out.
    pub fn new(entries: impl IntoIterator<Item = SourceEntry>) -> Self {
        Self(entries.into_iter().map(|entry| (entry.name.clone(), Arc::new(entry))).collect())
    }

    /// Builds every source of a configuration.
    pub fn from_config(config: &Config) -> Self {
        Self::new(config.sources.iter().map(|source| SourceEntry {
            name: source.name.clone(),
            source: Arc::from(sources::build(&source.settings, config.identity.default_country)),
            endpoint: config.server.endpoint(&source.name),
            rules: source.rules,
        }))
    }

    /// The source of a name.
    pub fn find(&self, name: &str) -> Option<Arc<SourceEntry>> {
        self.0.get(name).cloned()
    }
}
