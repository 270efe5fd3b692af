//! What a person sees: good files, bad files with their exact complaints, the environment alone, the sample.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::definitions::{Form, Key, Preset, SECTIONS};
use super::kinds::{ALERTS, DESTINATIONS, SOURCES};
use super::reader::{Place, Reader};
use super::*;
use crate::destinations::{ga4, mailerlite};
use crate::sources::stripe;

mod certificates;
mod mistakes;
mod receivers;
mod sample;
mod secrets;
mod senders;
mod variables_alone;

fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn everything_set() -> BTreeMap<String, String> {
    environment(&[
        ("STRIPE_WEBHOOK_SECRET", "whsec_test_secret"),
        ("SHOP_WEBHOOK_SECRET", "shop-secret"),
        ("HIGHLEVEL_WEBHOOK_TOKEN", "highlevel-token-0123456789"),
        ("GA4_MEASUREMENT_ID", "G-AB12CD34"),
        ("GA4_API_SECRET", "ga4-secret"),
        ("CRM_BASE_URL", "https://crm.example.com/api/"),
        ("CRM_API_KEY", "crm-key"),
        ("HUBSPOT_ACCESS_TOKEN", "pat-eu1-key"),
        ("HIGHLEVEL_TOKEN", "pit-key"),
        ("MAILERLITE_API_KEY", "ml-key"),
        ("ORDERS_WEBHOOK_URL", "https://orders.example.com/hook?token=abc"),
        ("ORDERS_WEBHOOK_SECRET", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"),
        ("MONITORING_WEBHOOK_URL", "https://monitor.example.com/hook?token=abc"),
    ])
}

fn read(text: &str) -> Result<Config, Problems> {
    load::from_text(text, Path::new("tallyhook.toml"), &everything_set())
}

fn from_variables(variables: &BTreeMap<String, String>) -> Result<Config, Problems> {
    load::load(None, Path::new("/nonexistent/tallyhook.toml"), variables)
}

const STRIPE: &str = "[sources.stripe]\nkind = \"stripe\"\nsecrets = [\"whsec_a\"]\n";

fn complaints(text: &str) -> String {
    read(text).map(|config| format!("{config:?}")).unwrap_err().to_string()
}

#[test]
fn the_least_file_gets_every_default() {
    let config = read(STRIPE).unwrap();
    assert_eq!(config.server.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.server.tls, Tls::Off);
    assert_eq!(config.server.max_body, 1 << 20);
    assert_eq!(config.server.max_bytes_in_flight, 64 << 20);
    assert_eq!((config.server.max_connections, config.server.max_connections_per_address), (1024, 256));
    assert_eq!(config.server.body_timeout, Duration::from_secs(20));
    assert_eq!(config.admin.socket, Path::new("/run/tallyhook/admin.sock"));
    assert_eq!(config.store.path, Path::new("/var/lib/tallyhook/tallyhook.redb"));
    assert_eq!((config.store.reserve, config.store.cache), (256 << 20, 32 << 20));
    assert_eq!(config.retention.payloads, Some(Duration::from_secs(30 * 86_400)));
    assert_eq!(config.retention.dedup, Some(Duration::from_secs(35 * 86_400)));
    assert_eq!(config.sources.len(), 1);
    assert_eq!(
        config.sources[0].rules,
        SourceRules {
            settle: Duration::from_secs(60),
            settle_late: Duration::from_secs(3600),
            counts_sales: true,
            count: Count::Auto,
            order_ids: false,
            always_200: false
        }
    );
    let sources::Settings::Stripe(stripe) = &config.sources[0].settings else { panic!("a stripe source") };
    assert_eq!(stripe.metadata, stripe::MetadataKeys::default());
    assert_eq!((stripe.secrets.len(), stripe.tolerance), (1, Duration::from_secs(300)));
    assert_eq!(config.alerting.repeat_interval, Duration::from_secs(4 * 3600));
    assert!(matches!(config.health, Health::Public));
    assert_eq!((config.log.json, config.log.level.as_str()), (false, "info"));
    assert_eq!(config.warnings, []);
    assert_eq!(config.file.as_deref(), Some(Path::new("tallyhook.toml")));
}
