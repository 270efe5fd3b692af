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
    let sources::Settings::Stripe(stripe) = &config.sources[0].settings;
    assert_eq!(stripe.metadata, stripe::MetadataKeys::default());
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
fn hubspot_gets_the_properties_that_are_named() {
    let text = format!(
        "{STRIPE}[destinations.hubspot]\nkind = \"hubspot\"\naccess_token = \"pat-eu1-a\"\nlead_stage = \"\"\n\
         customer_stage = \"8172635\"\nproperties = {{ total_spent = \"lifetime_value\", utm_source = \"\", purchases = \"orders\" }}\n"
    );
    let config = read(&text).unwrap();
    let destinations::Settings::HubSpot(settings) = &config.destinations[0].settings else { panic!() };
    assert_eq!((settings.access_token.expose(), settings.endpoint.as_str()), ("pat-eu1-a", "https://api.hubapi.com"));
    assert_eq!(
        (settings.rules.lead_stage.as_deref(), settings.rules.customer_stage.as_deref()),
        (None, Some("8172635"))
    );
    let of = |name: &str| {
        let mapped = settings.rules.mapped.iter().find(|mapped| mapped.field.name == name);
        mapped.map(|mapped| mapped.property.as_str())
    };
    assert_eq!((of("total_spent"), of("utm_source")), (Some("lifetime_value"), None));
    assert_eq!(of("lead_id"), Some("tallyhook_lead_id"));
    assert_eq!(of("purchases"), Some("orders"), "any field can have a property");
    assert_eq!(settings.rules.mapped.len(), destinations::hubspot::DEFAULTS.len());
    let limit = config.destinations[0].delivery.rate_limit.unwrap();
    assert_eq!((limit.requests, limit.per), (90, Duration::from_secs(10)));
}

#[test]
fn a_crm_of_your_own_is_spoken_to_as_you_say() {
    let crm = |more: &str| {
        let text = format!(
            "{STRIPE}[destinations.crm]\nkind = \"rest\"\nbase_url = \"https://crm.example.com/v2/\"\napi_key = \"k\"\n{more}"
        );
        let config = read(&text).unwrap();
        let destinations::Settings::Rest(settings) = &config.destinations[0].settings else { panic!() };
        settings.clone()
    };
    let contract = destinations::rest::Settings::new("https://crm.example.com/v2", Secret::new("k"));
    assert_eq!(crm(""), contract, "without a word it is the contract");
    let own = crm(
        "contacts_path = \"/people\"\nsearch_parameter = \"filter[ref]\"\nupdate_method = \"put\"\nlist_pointer = \"\"\n\
         id_pointer = \"/key/id\"\nfields = { ref = \"external_id\", mail = \"email\", labels = \"tags\" }\n",
    );
    assert_eq!((own.contacts_path.as_str(), own.search_parameter.as_str()), ("/people", "filter[ref]"));
    assert_eq!(own.update_method, destinations::Method::Put);
    assert_eq!((own.layout.list_pointer.as_deref(), own.layout.id_pointer.as_deref()), (Some(""), Some("/key/id")));
    let names: Vec<_> = own.fields.iter().map(|mapped| mapped.name.as_str()).collect();
    assert_eq!(names, ["ref", "mail", "labels"]);
    assert_eq!(own.fields[2].content, destinations::rest::Content::Tags);
}

#[test]
fn highlevel_gets_a_token_a_place_and_custom_fields() {
    let text = format!(
        "{STRIPE}[destinations.highlevel]\nkind = \"gohighlevel\"\ntoken = \"pit-a\"\nlocation_id = \"ve9EPM428h8vShlRW1KT\"\n\
         [destinations.highlevel.fields]\n\"contact.total\" = \"total_spent\"\n6dvNaf7VhkQ9snc5vnjJ = \"lead_id\"\nplan = \"pricing_tier\"\n"
    );
    let config = read(&text).unwrap();
    let destinations::Settings::GoHighLevel(settings) = &config.destinations[0].settings else { panic!() };
    assert_eq!(settings.token.expose(), "pit-a");
    assert_eq!(settings.endpoint, "https://services.leadconnectorhq.com");
    assert_eq!((settings.source.as_deref(), settings.echo), (Some("tallyhook"), false));
    let fields: Vec<_> = settings.fields.iter().map(|mapped| (mapped.place.name(), mapped.field.name)).collect();
    assert_eq!(
        fields,
        [("contact.total", "total_spent"), ("6dvNaf7VhkQ9snc5vnjJ", "lead_id"), ("contact.plan", "pricing_tier")]
    );
    let limit = config.destinations[0].delivery.rate_limit.unwrap();
    assert_eq!((limit.requests, limit.per), (90, Duration::from_secs(10)), "below HighLevel's 100 in 10 s");
}

#[test]
fn a_source_counts_and_reads_metadata_as_it_is_told() {
    let text = format!(
        "{STRIPE}count = \"checkout_and_invoices\"\ntransaction_id = \"order_id\"\n\
         metadata = {{ lead_id = \"visitor\", pricing_tier = [\"plan\", \"tier\"], gclid = \"gclid\" }}\n"
    );
    let config = read(&text).unwrap();
    let rules = config.sources[0].rules;
    assert_eq!((rules.count, rules.order_ids), (Count::CheckoutAndInvoices, true));
    let own = |name: &str, keys: &[&str]| (name.to_owned(), keys.iter().map(|key| (*key).to_owned()).collect());
    let sources::Settings::Stripe(stripe) = &config.sources[0].settings;
    let expected = vec![own("lead_id", &["visitor"]), own("pricing_tier", &["plan", "tier"])];
    assert_eq!(stripe.metadata, stripe::MetadataKeys::new(expected));

    let text = format!("{STRIPE}count = \"payment_intents\"\n[sources.stripe.metadata]\nga_client_id = \"google\"\n");
    let config = read(&text).unwrap();
    assert_eq!((config.sources[0].rules.count, config.sources[0].rules.order_ids), (Count::PaymentIntents, false));
    let sources::Settings::Stripe(stripe) = &config.sources[0].settings;
    assert_eq!(stripe.metadata, stripe::MetadataKeys::new(vec![own("ga_client_id", &["google"])]));
}

#[test]
fn each_mistake_has_its_exact_words() {
    let cases: Vec<_> = include_str!("tests/mistakes.txt").split("=== a file\n").skip(1).collect();
    assert!(cases.len() > 45);
    for case in cases {
        let (text, wanted) = case.split_once("--- says\n").unwrap();
        assert_eq!(complaints(text), wanted.trim_end(), "for\n{text}");
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
    std::fs::write(folder.path().join("tallyhook_two"), "whsec_loaded_with_its_folder\n").unwrap();
    let text = "[sources.stripe]\nkind = \"stripe\"\nsecrets = [{ credential = \"two\" }, { credential = \"gone\" }]";
    let two = text.replace(", { credential = \"gone\" }", "");
    let secret = |variables: &BTreeMap<String, String>| {
        let config = load::from_text(&two, &file, variables).unwrap();
        let sources::Settings::Stripe(stripe) = &config.sources[0].settings;
        stripe.secrets[0].expose().to_owned()
    };
    assert_eq!(secret(&variables), "whsec_loaded_with_its_folder");
    variables.remove("CREDENTIALS_DIRECTORY");
    std::fs::create_dir(folder.path().join("credentials")).unwrap();
    std::fs::write(folder.path().join("credentials/two"), "whsec_beside_the_file\n").unwrap();
    assert_eq!(secret(&variables), "whsec_beside_the_file");
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
    let source = ("STRIPE_WEBHOOK_SECRET", "whsec_a");
    for (variables, wanted) in [
        (
            vec![("GA4_API_SECRET", "x")],
            vec![
                "environment: STRIPE_WEBHOOK_SECRET: is not set: a source without a secret does not start; \
                 set it to the signing secret of the webhook endpoint, whsec_…",
                "environment: GA4_MEASUREMENT_ID: is not set, but GA4_API_SECRET is; set both or neither",
            ],
        ),
        (
            vec![source, ("CRM_BASE_URL", "ftp://x"), ("TALLYHOOK_LISTEN", "here")],
            vec![
                "environment: CRM_API_KEY: is not set, but CRM_BASE_URL is; set both or neither",
                "environment: TALLYHOOK_LISTEN: must be an IP address and port like \"127.0.0.1:8080\" or \"[::]:443\", not \"here\"",
                "environment: CRM_BASE_URL: must be an address that begins with https://",
            ],
        ),
        (
            vec![("STRIPE_WEBHOOK_SECRET", ""), ("MAILERLITE_API", "old")],
            vec![
                "environment: MAILERLITE_API_KEY: is not set, but MAILERLITE_API is; set both or neither",
                "environment: STRIPE_WEBHOOK_SECRET: is blank",
                "environment: MAILERLITE_API: must be \"new\" or \"classic\", not \"old\"",
            ],
        ),
        (
            vec![("STRIPE_WEBHOOK_SECRET", "sk_live_x"), ("TALLYHOOK_STATE", "a\nb")],
            vec![
                "environment: TALLYHOOK_STATE: contains a line break or another control character",
                "environment: STRIPE_WEBHOOK_SECRET: is an API key, not a signing secret; \
                 a signing secret starts with whsec_; Stripe shows it on the page of the webhook endpoint",
            ],
        ),
        (
            vec![source, ("CRM_BASE_URL", "https://192.168.0.2"), ("CRM_API_KEY", "k")],
            vec![
                "environment: CRM_BASE_URL: is a private address, where nothing is sent by default; \
                 if it is meant, that takes a configuration file with allow_private_addresses = true",
            ],
        ),
        (
            vec![],
            vec![
                "/nonexistent/tallyhook.toml: there is no configuration: neither this file nor any of its environment variables; \
                 `tallyhook init` writes one to begin with, or give another with --config FILE",
            ],
        ),
    ] {
        let problems = from_variables(&environment(&variables)).unwrap_err().to_string();
        assert_eq!(problems.lines().collect::<Vec<_>>(), wanted);
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
    let config = read(&sample(true)).unwrap();
    assert_eq!((config.sources.len(), config.destinations.len(), config.alerts.len()), (1, 6, 1));
    assert_eq!(config.warnings, []);
}

#[test]
fn the_usual_sample_asks_for_no_more_than_the_usual_destinations() {
    let usual = sample(false);
    let config = read(&usual).unwrap();
    let kinds: Vec<_> = config.destinations.iter().map(|destination| destination.name.as_str()).collect();
    assert_eq!((config.sources.len(), kinds, config.alerts.len()), (1, vec!["ga4", "crm", "mailerlite"], 1));
    assert!(usual.contains("kind = \"hubspot\"") && usual.contains("tallyhook init --all"));
}

#[test]
fn the_sample_shows_every_key_with_the_default_that_holds() {
    let sample = sample(true);
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
        .filter(|line| !line.ends_with(super::kinds::mailerlite::CLASSIC_API))
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
    let pieces: Vec<String> = sample(true).split_inclusive(['\n', ' ', '.']).map(str::to_owned).collect();
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

#[test]
fn filters_and_consent_are_read_and_said_in_words() {
    let text = format!(
        "{STRIPE}
[destinations.crm]
kind = \"rest\"
base_url = \"https://crm.example.com\"
api_key = \"key\"
only = {{ pricing_tier = [\"Premium\", \"enterprise\"], value = {{ at_least = 50, below = 1_000.50 }}, currency = \"EUR\" }}
except = [{{ utm_source = {{ not = \"shop\", known = true }}, returning = true }}, {{ email = {{ ends_with = \"@example.com\" }} }}, \
         {{ occurred_at = {{ below = 2026-01-01 }}, purchases = 0x10 }}]
consent = {{ ads = \"required\" }}
[destinations.crm2]
kind = \"rest\"
base_url = \"https://crm.example.com\"
api_key = \"key\"
[destinations.crm2.only]
kind = \"refund\"
"
    );
    let problems = complaints(&text);
    assert!(problems.contains("destinations.crm.except[2].purchases: must be a number without quotes"), "{problems}");
    let config = read(&text.replace("0x10", "16")).unwrap();
    let delivery = &config.destinations[0].delivery;
    let filter = delivery.filter.as_ref().unwrap();
    assert_eq!(
        filter.only().unwrap(),
        "pricing_tier is \"premium\" or \"enterprise\" and value is at least 50 and value is below 1000.5 and currency is \"eur\""
    );
    assert_eq!(
        filter.except().unwrap(),
        "utm_source is not \"shop\" and utm_source is known and returning is true, or email ends with …, or \
         occurred_at is below 2026-01-01T00:00:00.000Z and purchases is 16"
    );
    assert_eq!(delivery.consent, Choice { ads: Some(destinations::consent::Need::Required), ..Choice::default() });
    assert_eq!(config.destinations[1].delivery.filter.as_ref().unwrap().only().unwrap(), "kind is \"refund\"");
    assert_eq!(config.warnings, []);

    let text = format!(
        "{STRIPE}[destinations.g]\nkind = \"ga4\"\nmeasurement_id = \"G-1\"\napi_secret = \"s\"\nconsent = {{ analytics = \"ignored\" }}\n"
    );
    let config = read(&text).unwrap();
    assert_eq!((config.destinations[0].delivery.filter.as_ref(), config.warnings.len()), (None, 1));
}
