//! What a person sees: good files, bad files with their exact complaints, the environment alone, the sample.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::definitions::{ALERTS, DESTINATIONS, Form, Key, Preset, SECTIONS, SOURCES};
use super::reader::{Place, Reader};
use super::*;
use crate::destinations::{ga4, mailerlite};

fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn everything_set() -> BTreeMap<String, String> {
    environment(&[
        ("STRIPE_WEBHOOK_SECRET", "whsec_test_secret"),
        ("GA4_MEASUREMENT_ID", "G-AB12CD34"),
        ("GA4_API_SECRET", "ga4-secret"),
        ("CRM_BASE_URL", "https://crm.example.com/api/"),
        ("CRM_API_KEY", "crm-key"),
        ("MAILERLITE_API_KEY", "ml-key"),
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
            always_200: false
        }
    );
    let sources::Settings::Stripe(stripe) = &config.sources[0].settings;
    assert_eq!((stripe.secrets.len(), stripe.tolerance), (1, Duration::from_secs(300)));
    assert_eq!(config.alerting.repeat_interval, Duration::from_secs(4 * 3600));
    assert!(matches!(config.health, Health::Public));
    assert_eq!((config.log.json, config.log.level.as_str()), (false, "info"));
    assert_eq!(config.warnings, []);
    assert_eq!(config.file.as_deref(), Some(Path::new("tallyhook.toml")));
}

#[test]
fn a_destination_is_read_with_all_its_keys() {
    let text = format!(
        "{STRIPE}
[destinations.b]
kind = \"mailerlite\"
api_key = \"key\"
api = \"classic\"
groups = {{ vip = \"1\", standard = \"3\" }}
vip_from = 500
requires_consent = true
[destinations.a]
kind = \"ga4\"
measurement_id = \"G-1\"
api_secret = \"s\"
endpoint = \"http://127.0.0.1:9001/\"
client_id_fallback = \"skip\"
consent_unknown = \"skip\"
event_names = {{ lead = \"lead_made\" }}
default_item.name = \"Consulting\"
environments = [\"live\", \"test\"]
events = [\"purchase\", \"lead\"]
schedule = [0, \"1m\", \"1m\"]
timeout = \"3s\"
rate_limit = \"off\"
concurrency = 9
max_age = \"1d\"
ambiguous = \"ask\"
allow_private_addresses = true
"
    );
    let config = read(&text).unwrap();
    assert_eq!(config.destinations.iter().map(|d| d.name.as_str()).collect::<Vec<_>>(), ["b", "a"], "the file's order");
    let destinations::Settings::MailerLite(settings) = &config.destinations[0].settings else { panic!() };
    assert_eq!(settings.api, mailerlite::Api::Classic);
    assert_eq!(settings.endpoint, "https://api.mailerlite.com");
    assert_eq!((settings.vip_from, settings.requires_consent), (500, true));
    assert_eq!((settings.groups.vip.as_deref(), settings.groups.premium.as_deref()), (Some("1"), None));
    let destinations::Settings::Ga4(settings) = &config.destinations[1].settings else { panic!() };
    assert_eq!(settings.endpoint, "http://127.0.0.1:9001");
    assert_eq!(settings.client_id_fallback, ga4::ClientIdFallback::Skip);
    assert!(!settings.send_without_consent_answer);
    assert_eq!(settings.event_names, [(EventKind::Lead, "lead_made".to_owned())]);
    assert_eq!(
        (settings.default_item.name.as_str(), settings.default_item.id.as_str()),
        ("Consulting", "default_service")
    );
    let delivery = &config.destinations[1].delivery;
    assert_eq!(delivery.environments, [Mode::Live, Mode::Test]);
    assert_eq!(delivery.events, Some(vec![EventKind::Purchase, EventKind::Lead]));
    assert_eq!(delivery.schedule.attempts(), 3);
    assert_eq!((delivery.timeout, delivery.concurrency, delivery.rate_limit), (Duration::from_secs(3), 9, None));
    assert_eq!(delivery.ambiguous, Some(AmbiguousPolicy::Ask));
    assert!(delivery.allow_private_addresses);
    assert_eq!(config.destinations[0].delivery.schedule, RetrySchedule::default());
    assert_eq!(config.destinations[0].delivery.timeout, Duration::from_secs(15));
}

#[test]
fn each_mistake_has_its_exact_words() {
    const GA4: &str = "[destinations.ga4]\nkind = \"ga4\"\nmeasurement_id = \"G-1\"\napi_secret = \"s\"\n";
    const CRM: &str = "[destinations.crm]\nkind = \"rest\"\napi_key = \"k\"\n";
    for (text, wanted) in [
        ("[sources.stripe]\nkind = \"stripe\"\nsecrets = [\"whsec_a\"]\ntolarance = \"5m\"".to_owned(), r#"tallyhook.toml:4: sources.stripe.tolarance: unknown key; did you mean "tolerance"?"#),
        (format!("{STRIPE}[source.x]"), r#"tallyhook.toml:4: source: unknown table; did you mean "sources"?"#),
        (format!("{STRIPE}[leads]\norigins = []"), "tallyhook.toml:4: leads: is not available in this version"),
        (format!("{STRIPE}[admin]\nlisten = \"127.0.0.1:1\""), "tallyhook.toml:5: admin.listen: is not available in this version"),
        (format!("{STRIPE}[alerts.a]\nkind = \"slack\""), r#"tallyhook.toml:5: alerts.a.kind: "slack" is not available in this version; there is webhook"#),
        (format!("{STRIPE}[destinations.a]\nkind = \"GA-4\""), r#"tallyhook.toml:5: destinations.a.kind: "GA-4" is not a known kind; did you mean "ga4"?"#),
        (format!("{STRIPE}[destinations.a]"), r#"tallyhook.toml:4: destinations.a.kind: is missing; add kind = "ga4", "rest" or "mailerlite""#),
        (format!("{STRIPE}[server]\ntls = {{ mode = \"acme\" }}"), r#"tallyhook.toml:5: server.tls.mode: "acme" is not available in this version"#),
        (format!("{STRIPE}[server]\ntls = \"off\""), "tallyhook.toml:5: server.tls: must be a table; write [server.tls] on a line of its own, its keys below"),
        (format!("{STRIPE}[server.tls]\nmode = \"files\""), "tallyhook.toml:4: server.tls.cert: is missing: mode = \"files\" needs cert and key\ntallyhook.toml:4: server.tls.key: is missing: mode = \"files\" needs cert and key"),
        (format!("{STRIPE}[server.tls]\ncert = \"/a\""), r#"tallyhook.toml:5: server.tls.cert: is of no use with mode = "off"; write mode = "files", or leave it out"#),
        (format!("{STRIPE}[server]\nlisten = \":8080\""), r#"tallyhook.toml:5: server.listen: must be an IP address and port like "127.0.0.1:8080" or "[::]:443", not ":8080""#),
        (format!("{STRIPE}[server]\nmax_body = \"1MB\""), r#"tallyhook.toml:5: server.max_body: must be a size like "1MiB", "32KiB" or a number of bytes, not "1MB""#),
        (format!("{STRIPE}[server]\nmax_body = \"1GiB\""), "tallyhook.toml:5: server.max_body: must be from 1B to 64MiB"),
        (format!("{STRIPE}[server]\nmax_body = \"2MiB\"\nmax_bytes_in_flight = \"1MiB\""), "tallyhook.toml:6: server.max_bytes_in_flight: leaves no room for one body: max_body is larger than max_bytes_in_flight"),
        (format!("{STRIPE}[server]\nbody_timeout = 20"), r#"tallyhook.toml:5: server.body_timeout: must be a span of time like "90s", "5m", "1h30m" or "7d", not a number; write a unit, "20s" or "20m""#),
        (format!("{STRIPE}[server]\nbody_timeout = \"0s\""), "tallyhook.toml:5: server.body_timeout: must be from 1ms to 1h"),
        (format!("{STRIPE}[server]\nmax_connections = -1"), "tallyhook.toml:5: server.max_connections: must be a whole number from 1 to 1000000"),
        (format!("{STRIPE}[server]\nmax_connections = 1.5"), "tallyhook.toml:5: server.max_connections: must be a whole number, not a number with a decimal point"),
        (format!("{STRIPE}[server]\npublic_url = \"hooks.example.com\""), "tallyhook.toml:5: server.public_url: must be an address that begins with https://"),
        (format!("{STRIPE}[store]\npath = \"/tmp\""), r#"tallyhook.toml:5: store.path: is a folder; name the file in it: "/tmp/tallyhook.redb""#),
        (format!("{STRIPE}[store]\npath = \"/x/a\"\n[admin]\nsocket = \"/x/a\""), "tallyhook.toml:5: store.path: is the same path as admin.socket; give each its own"),
        (format!("{STRIPE}[store]\npath = \"a\\r\\nb\""), "tallyhook.toml:5: store.path: contains a line break or another control character"),
        (format!("{STRIPE}[admin]\nsocket = \"/{}\"", "s".repeat(107)), "tallyhook.toml:5: admin.socket: is too long for a socket: 108 bytes, at most 107"),
        (format!("{STRIPE}[health]\ndetails = \"token\""), r#"tallyhook.toml:4: health.token: is missing: details = "token" needs one; add token = { env = "NAME" }"#),
        (format!("{STRIPE}[log]\nlevel = \"verbos\""), "tallyhook.toml:5: log.level: is not a level of logging; known here: error, warn, info, debug, trace, off"),
        (format!("{STRIPE}[log]\nformat = \"jsn\""), r#"tallyhook.toml:5: log.format: must be "text" or "json", not "jsn"; did you mean "json"?"#),
        ("".to_owned(), "tallyhook.toml: sources: no source is configured: nothing can be received; add a table like [sources.stripe]"),
        ("[sources.stripe]\nkind = \"stripe\"".to_owned(), r#"tallyhook.toml:1: sources.stripe.secrets: is missing: a source without a secret does not start; add secrets = [{ env = "STRIPE_WEBHOOK_SECRET" }]"#),
        ("[sources.stripe]\nkind = \"stripe\"\nsecrets = []".to_owned(), "tallyhook.toml:3: sources.stripe.secrets: must not be empty: a source without a secret does not start"),
        ("[sources.stripe]\nkind = \"stripe\"\nsecrets = \"whsec_a\"".to_owned(), r#"tallyhook.toml:3: sources.stripe.secrets: must be a list of secrets like [{ env = "NAME" }], not a text in quotes"#),
        ("[sources.stripe]\nkind = \"stripe\"\nsecrets = [\"whsec_a\",\n\" \",\n\" whsec_b\",\n\"whsec_a\",\n\"whsec_…\",\n\"sk_live_a\"]".to_owned(), "tallyhook.toml:4: sources.stripe.secrets[1]: is blank\ntallyhook.toml:5: sources.stripe.secrets[2]: begins or ends with white space\ntallyhook.toml:6: sources.stripe.secrets[3]: is the same as sources.stripe.secrets[0]; leave one out\ntallyhook.toml:7: sources.stripe.secrets[4]: is a placeholder, not a secret\ntallyhook.toml:8: sources.stripe.secrets[5]: is an API key, not a signing secret; a signing secret starts with whsec_; Stripe shows it on the page of the webhook endpoint"),
        ("[sources.stripe]\nkind = \"stripe\"\nsecrets = [{ env = \"NOT_THERE\" }, { envv = \"A\" }, {}, 5]".to_owned(), "tallyhook.toml:3: sources.stripe.secrets[0]: the environment variable NOT_THERE is not set\ntallyhook.toml:3: sources.stripe.secrets[1]: \"envv\" is not a place for a value; did you mean \"env\"?\ntallyhook.toml:3: sources.stripe.secrets[2]: must name exactly one place; write { env = \"NAME\" }, { file = \"…\" } or { credential = \"name\" }\ntallyhook.toml:3: sources.stripe.secrets[3]: must be a secret: { env = \"NAME\" }, { file = \"…\" }, { credential = \"name\" } or a text in quotes, not a number"),
        (format!("{STRIPE}[sources.\"a b\"]\nkind = \"stripe\"\nsecrets = [\"x\"]\ncounts_sales = true"), "tallyhook.toml:1: sources.stripe.counts_sales: is missing: with more than one source that sells, each must say whether its sales count; add counts_sales = true, or false where another source tells of the same sales\ntallyhook.toml:4: sources.\"a b\": a name is made of at most 64 letters, digits, - and _"),
        (format!("{STRIPE}tolerance = \"2d\""), "tallyhook.toml:4: sources.stripe.tolerance: must be from 1s to 1d"),
        (format!("{STRIPE}{GA4}events = [\"purchase\", \"purchases\", \"purchase\"]"), "tallyhook.toml:8: destinations.ga4.events[1]: \"purchases\" is not a known business event; did you mean \"purchase\"?\ntallyhook.toml:8: destinations.ga4.events[2]: is the same as destinations.ga4.events[0]; leave one out"),
        (format!("{STRIPE}{GA4}environments = []"), "tallyhook.toml:8: destinations.ga4.environments: must not be empty"),
        (format!("{STRIPE}{GA4}rate_limit = \"fast\""), r#"tallyhook.toml:8: destinations.ga4.rate_limit: must be a rate like "100/min" or "5/s", or "off", not "fast""#),
        (format!("{STRIPE}{GA4}event_names = {{ leads = \"a\", lead = \"ga_lead\" }}"), "tallyhook.toml:8: destinations.ga4.event_names.lead: must not begin with ga_: GA4 drops such events silently\ntallyhook.toml:8: destinations.ga4.event_names.leads: is not a known business event; did you mean \"lead\"?"),
        (format!("{STRIPE}{GA4}endpoint = \"http://example.com\""), "tallyhook.toml:8: destinations.ga4.endpoint: must begin with https://: plain http is only for this machine (localhost, 127.0.0.1, [::1])"),
        (format!("{STRIPE}{GA4}[destinations.second]\nkind = \"ga4\"\nmeasurement_id = \"G-1\"\napi_secret = \"t\""), "tallyhook.toml:8: destinations.second: goes to the same place as destinations.ga4: it would be told twice; leave one out, or give them different environments or events"),
        (format!("{STRIPE}{CRM}base_url = \"https://10.0.0.7/api\""), "tallyhook.toml:7: destinations.crm.base_url: is a private address, where nothing is sent by default; if it is meant, add allow_private_addresses = true"),
        (format!("{STRIPE}{CRM}base_url = \"https://a.example\"\ncurrency = \"euro\""), "tallyhook.toml:8: destinations.crm.currency: must be a currency code of three letters like \"eur\""),
        (format!("{STRIPE}[destinations.m]\nkind = \"mailerlite\"\napi_key = \"k\"\nworkflow_id = \"1\"\ngroups = {{ vip = 5 }}"), "tallyhook.toml:7: destinations.m.workflow_id: automations start by joining the group: MailerLite has no call that starts one\ntallyhook.toml:8: destinations.m.groups.vip: must be a text in quotes, not a number"),
        (format!("{STRIPE}tolerance = \"5m"), "tallyhook.toml:4: not valid TOML: invalid basic string, expected `\"`"),
        ("kind = \"a\"\n= 5\n[x\n".to_owned(), "?"),
        ("a = 1\na = 2\n".to_owned(), "?"),
        ("a = yes\n".to_owned(), "?"),
    ] {
        let found = complaints(&text);
        if wanted == "?" { println!("{found}"); continue; }
        assert_eq!(found, wanted, "for\n{text}");
    }
}

#[test]
fn secrets_come_from_variables_files_and_credentials() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("one"), "whsec_file\r\n").unwrap();
    std::fs::write(folder.path().join("two"), "whsec_credential\n").unwrap();
    std::fs::write(folder.path().join("padded"), "whsec_padded \n").unwrap();
    let mut variables = everything_set();
    variables.insert("CREDENTIALS_DIRECTORY".into(), folder.path().display().to_string());
    let file = folder.path().join("tallyhook.toml");
    let text = "[sources.stripe]\nkind = \"stripe\"\nsecrets = [{ env = \"STRIPE_WEBHOOK_SECRET\" }, { file = \"one\" }, { credential = \"two\" }]";
    let config = load::from_text(text, &file, &variables).unwrap();
    let sources::Settings::Stripe(stripe) = &config.sources[0].settings;
    let secrets: Vec<_> = stripe.secrets.iter().map(Secret::expose).collect();
    assert_eq!(secrets, ["whsec_test_secret", "whsec_file", "whsec_credential"]);
    assert!(!format!("{config:?}").contains("whsec_"));

    let text = "[sources.stripe]\nkind = \"stripe\"\nsecrets = [{ file = \"padded\" }, { file = \"gone\" }, { credential = \"gone\" }, { credential = \"../x\" }]";
    let problems = load::from_text(text, &file, &variables).unwrap_err().to_string();
    let here = folder.path().display();
    for wanted in [
        format!("secrets[0]: the content of {here}/padded begins or ends with white space"),
        format!("secrets[1]: the file {here}/gone cannot be read: No such file or directory"),
        format!("secrets[2]: the file {here}/gone cannot be read: No such file or directory"),
        "secrets[3]: a credential has a plain name without slashes; for a path write { file = \"…\" }".to_owned(),
    ] {
        assert!(problems.contains(&wanted), "{wanted}\nin\n{problems}");
    }
    assert!(!problems.contains("whsec_"));
    variables.remove("CREDENTIALS_DIRECTORY");
    let problems = load::from_text(text, &file, &variables).unwrap_err().to_string();
    assert!(problems.contains("LoadCredential=gone:/path"), "{problems}");
}

#[test]
fn complaints_never_contain_a_secret() {
    let text =
        "[sources.s]\nkind = \"stripe\"\nsecrets = [\"sk_live_hidden\", \" hidden \", \"hid\\nden\", \"hidden…\"]
[destinations.c]\nkind = \"rest\"\nbase_url = \"https://me:hidden@example.com\"\napi_key = \"hidden hidden\"
[alerts.a]\nkind = \"webhook\"\nurl = \"http://example.com/hidden\"
[alerts.b]\nkind = \"webhook\"\nurl = \"https://10.0.0.1/hidden\"";
    let problems = read(text).unwrap_err();
    assert_eq!(problems.0.len(), 8, "{problems}");
    assert!(!problems.to_string().contains("hidden"), "{problems}");
}

#[test]
fn certificates_are_looked_at_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("cert.pem"), "-----BEGIN CERTIFICATE-----\n").unwrap();
    std::fs::write(path("key.pem"), "-----BEGIN PRIVATE KEY-----\n").unwrap();
    let tls = |cert: &str, key: &str| {
        format!("{STRIPE}[server]\ntls = {{ mode = \"files\", cert = {:?}, key = {:?} }}", path(cert), path(key))
    };
    let config = read(&tls("cert.pem", "key.pem")).unwrap();
    assert!(matches!(config.server.tls, Tls::Files { .. }));
    assert_eq!(config.server.listen, "0.0.0.0:443".parse().unwrap());
    let problems = complaints(&tls("key.pem", "gone.pem"));
    assert!(problems.contains("key.pem holds no certificate in PEM"), "{problems}");
    assert!(problems.contains("gone.pem cannot be read"), "{problems}");
}

#[test]
fn a_public_listener_without_tls_is_remarked_on_unless_it_is_said() {
    let config = read(&format!("{STRIPE}[server]\nlisten = \"0.0.0.0:80\"")).unwrap();
    assert_eq!(config.warnings.len(), 1);
    assert!(config.warnings[0].to_string().contains("server.listen: webhooks arrive here without TLS"));
    let config = read(&format!("{STRIPE}[server]\nlisten = \"0.0.0.0:80\"\ntls = {{ mode = \"off\" }}")).unwrap();
    assert_eq!(config.warnings, []);
}

#[test]
fn the_environment_alone_configures_everything() {
    let mut variables = everything_set();
    for (name, value) in [
        ("MAILERLITE_API", "classic"),
        ("MAILERLITE_VIP_GROUP_ID", "11"),
        ("MAILERLITE_VIP_WORKFLOW_ID", "12"),
        ("TALLYHOOK_LISTEN", "127.0.0.1:9000"),
        ("TALLYHOOK_STATE", "/srv/tally hook"),
    ] {
        variables.insert(name.to_owned(), value.to_owned());
    }
    let config = from_variables(&variables).unwrap();
    assert_eq!(config.file, None);
    assert_eq!(config.server.listen, "127.0.0.1:9000".parse().unwrap());
    assert_eq!(config.store.path, Path::new("/srv/tally hook/tallyhook.redb"));
    assert_eq!(config.admin.socket, Path::new("/srv/tally hook/admin.sock"));
    assert_eq!(config.sources[0].name, "stripe");
    let names: Vec<_> = config.destinations.iter().map(|destination| destination.name.as_str()).collect();
    assert_eq!(names, ["ga4", "crm", "mailerlite"]);
    let destinations::Settings::Rest(rest) = &config.destinations[1].settings else { panic!() };
    assert_eq!((rest.base_url.as_str(), rest.api_key.expose()), ("https://crm.example.com/api", "crm-key"));
    let destinations::Settings::MailerLite(mailerlite) = &config.destinations[2].settings else { panic!() };
    assert_eq!((mailerlite.api, mailerlite.groups.vip.as_deref()), (mailerlite::Api::Classic, Some("11")));
    assert_eq!(config.alerts[0].name, "monitoring");
    assert_eq!(config.warnings.len(), 1);
    assert_eq!(
        config.warnings[0].to_string(),
        "environment: MAILERLITE_VIP_WORKFLOW_ID: automations start by joining the group: MailerLite has no call that starts one; \
         set MAILERLITE_VIP_GROUP_ID and the like, and let the automation start there"
    );
}

#[test]
fn the_state_is_where_the_unit_says_or_else_here() {
    let mut variables = environment(&[("STRIPE_WEBHOOK_SECRET", "whsec_a")]);
    assert_eq!(from_variables(&variables).unwrap().store.path, Path::new("./tallyhook-state/tallyhook.redb"));
    assert_eq!(from_variables(&variables).unwrap().server.listen, "127.0.0.1:8080".parse().unwrap());
    variables.insert("STATE_DIRECTORY".into(), "/var/lib/tallyhook:/var/lib/other".into());
    assert_eq!(from_variables(&variables).unwrap().store.path, Path::new("/var/lib/tallyhook/tallyhook.redb"));
}

#[test]
fn half_an_environment_is_told_by_the_names_of_variables() {
    for (variables, wanted) in [
        (
            vec![("GA4_API_SECRET", "x")],
            "environment: STRIPE_WEBHOOK_SECRET: is not set: a source without a secret does not start; set it to the signing secret of the webhook endpoint, whsec_…\nenvironment: GA4_MEASUREMENT_ID: is not set, but GA4_API_SECRET is; set both or neither",
        ),
        (
            vec![("STRIPE_WEBHOOK_SECRET", "whsec_a"), ("CRM_BASE_URL", "ftp://x"), ("TALLYHOOK_LISTEN", "here")],
            "environment: CRM_API_KEY: is not set, but CRM_BASE_URL is; set both or neither\nenvironment: TALLYHOOK_LISTEN: must be an IP address and port like \"127.0.0.1:8080\" or \"[::]:443\", not \"here\"\nenvironment: CRM_BASE_URL: must be an address that begins with https://",
        ),
        (
            vec![("STRIPE_WEBHOOK_SECRET", ""), ("MAILERLITE_API", "old")],
            "environment: MAILERLITE_API_KEY: is not set, but MAILERLITE_API is; set both or neither\nenvironment: STRIPE_WEBHOOK_SECRET: is blank\nenvironment: MAILERLITE_API: must be \"new\" or \"classic\", not \"old\"",
        ),
        (
            vec![("STRIPE_WEBHOOK_SECRET", "sk_live_x")],
            "environment: STRIPE_WEBHOOK_SECRET: is an API key, not a signing secret; a signing secret starts with whsec_; Stripe shows it on the page of the webhook endpoint",
        ),
        (
            vec![],
            "/nonexistent/tallyhook.toml: there is no configuration: neither this file nor any of its environment variables; `tallyhook init` writes one to begin with, or give another with --config FILE",
        ),
    ] {
        assert_eq!(from_variables(&environment(&variables)).unwrap_err().to_string(), wanted);
    }
}

#[test]
fn a_file_wins_over_the_environment_and_must_be_readable() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tallyhook.toml");
    std::fs::write(&file, format!("{STRIPE}[store]\npath = \"state.redb\"\n")).unwrap();
    let config = load::load(None, &file, &everything_set()).unwrap();
    assert_eq!(config.destinations.len(), 0);
    assert_eq!(config.store.path, folder.path().join("state.redb"), "relative to the file");
    let gone = folder.path().join("gone.toml");
    let problems = Config::load(Some(&gone), &everything_set()).unwrap_err().to_string();
    assert!(
        problems.contains("gone.toml: cannot be read: ")
            && problems.ends_with("`tallyhook init` writes one to begin with"),
        "{problems}"
    );
    std::fs::write(&file, b"a = 1\nb = \"\xff\"\n").unwrap();
    let problems = Config::load(Some(&file), &everything_set()).unwrap_err().to_string();
    assert!(problems.ends_with("tallyhook.toml:2: is not UTF-8 text; save it as UTF-8"), "{problems}");
    assert!(Config::load(Some(folder.path()), &everything_set()).unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn the_daemon_is_found_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tallyhook.toml");
    std::fs::write(
        &file,
        "[admin]\nsocket = \"door\"\n[sources.stripe]\nkind = \"stripe\"\nsecrets = [{ env = \"GONE\" }]\n",
    )
    .unwrap();
    let location = Config::locate(Some(&file), &environment(&[])).unwrap();
    assert_eq!(location.socket, folder.path().join("door"));
    assert_eq!(location.store, Path::new("/var/lib/tallyhook/tallyhook.redb"));
    let nowhere = Path::new("/nonexistent/tallyhook.toml");
    let location = load::locate(None, nowhere, &environment(&[("TALLYHOOK_STATE", "/srv/t")])).unwrap();
    assert_eq!(location.socket, Path::new("/srv/t/admin.sock"));
    assert!(load::locate(None, nowhere, &environment(&[])).is_err());
}

fn every_key() -> Vec<&'static Key> {
    let families = [&SOURCES, &DESTINATIONS, &ALERTS];
    let tables = SECTIONS.iter().map(|section| section.keys);
    let tables = tables.chain(families.iter().flat_map(|family| family.kinds.iter().map(|kind| kind.keys)));
    let tables = tables.chain(families.iter().map(|family| family.common));
    let mut keys: Vec<&Key> = tables.flatten().collect();
    let inner: Vec<&Key> = keys
        .iter()
        .filter_map(|key| if let Form::Table(keys) = key.form { Some(keys) } else { None })
        .flatten()
        .collect();
    keys.extend(inner);
    keys.retain(|key| !matches!(key.form, Form::Refused(_) | Form::Table(_)));
    keys
}

#[test]
fn the_sample_is_a_configuration() {
    let config = read(&sample()).unwrap();
    assert_eq!((config.sources.len(), config.destinations.len(), config.alerts.len()), (1, 3, 1));
    assert_eq!(config.warnings, []);
}

#[test]
fn the_sample_shows_every_key_with_the_default_that_holds() {
    let sample = sample();
    for key in every_key() {
        let (default, mark) = match key.preset {
            Preset::Required(example) => (example, ""),
            Preset::Default(text) => (text, "#"),
            Preset::Depends(cases) => (cases[0].1, "#"),
            Preset::Unset(example) => (example, "#"),
        };
        let line = format!("\n{mark}{} = {default}", key.name);
        assert!(sample.contains(&line), "{line}");
        assert!(!key.doc.is_empty(), "{}", key.name);
    }
    // With its defaults switched on it is the same configuration.
    let written: Vec<_> = sample
        .lines()
        .filter(|line| {
            !line.starts_with(&format!("#listen = \"0.0.0.0:443\"  # {}", super::definitions::LISTEN_WITH_FILES))
        })
        .filter(|line| !line.ends_with(super::definitions::CLASSIC_API))
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') && !line.ends_with(super::sample::EXAMPLE) => setting,
            _ => line,
        })
        .collect();
    let switched_on = read(&written.join("\n")).unwrap();
    let as_it_is = read(&sample).unwrap();
    assert!(written.len() > 100);
    assert_eq!(format!("{switched_on:?}"), format!("{as_it_is:?}"));
}

#[test]
fn every_example_is_of_its_form() {
    let mut variables = everything_set();
    variables.insert("TALLYHOOK_HEALTH_TOKEN".into(), "token".into());
    let reader = Reader::new("sample".into(), "/".into(), "", &variables);
    for key in every_key() {
        let texts = match key.preset {
            Preset::Depends(cases) => cases.iter().map(|(_, text)| *text).collect(),
            Preset::Required(text) | Preset::Default(text) | Preset::Unset(text) => vec![text],
        };
        for text in texts {
            let item = toml::de::DeValue::parse(text).unwrap();
            let place = Place { key: key.name.into(), line: None };
            assert!(value::read(&reader, &place, &key.form, &item).is_some(), "{} = {text}", key.name);
        }
    }
    assert!(reader.finish().is_ok());
}

/// Pieces of a configuration in an order that makes little sense, which goes deeper than letters by chance.
fn scrambled() -> impl Strategy<Value = String> {
    let pieces: Vec<String> = sample().split_inclusive(['\n', ' ', '.']).map(str::to_owned).collect();
    let odd = [
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'''",
        "=",
        ",",
        "\n",
        "\u{feff}",
        "\0",
        "é",
        "…",
        "9999999999999999999999",
        "-1",
        "1e9",
        "true",
    ];
    let piece = prop_oneof![
        4 => proptest::sample::select(pieces),
        1 => proptest::sample::select(odd.map(str::to_owned).to_vec()),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in prop_oneof!["\\PC*", any::<String>(), scrambled()]) {
        if let Err(problems) = read(&text) {
            prop_assert!(!problems.0.is_empty());
            let lines = text.lines().count().max(1) + 1;
            prop_assert!(problems.0.iter().all(|problem| problem.line.is_none_or(|line| line <= lines)));
            prop_assert!(!problems.to_string().contains("fault of the program"));
        }
    }

    #[test]
    fn no_value_makes_it_panic(value in any::<String>(), name in proptest::sample::select(vec![
        "server.listen", "server.max_body", "server.body_timeout", "server.public_url", "log.level", "store.path",
        "destinations.x.endpoint", "destinations.x.rate_limit", "destinations.x.measurement_id", "alerts.x.url",
    ])) {
        let kind = if name.starts_with("alerts") { "alerts.x.kind = \"webhook\"" } else { "destinations.x.kind = \"ga4\"" };
        let _ = read(&format!("{kind}\n{name} = {}", toml::Value::String(value)));
    }
}
