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

#[test]
fn a_destination_is_read_with_all_its_keys() {
    let text = format!(
        "{STRIPE}
[destinations.b]
kind = \"mailerlite\"
api_key = \"key\"
api = \"classic\"
groups = {{ vip = \"1\", standard = \"3\", lead = \"4\", booking = \"5\", churned = \"6\" }}
move_between_groups = true
fields = {{ name = \"first_name\", user_id = \"\", company = \"service_name\" }}
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
    assert_eq!((settings.groups.vip_from, settings.requires_consent, settings.groups.moves), (500, true, true));
    let named: Vec<_> = settings.groups.groups.named().collect();
    assert_eq!(named, [("vip", "1"), ("standard", "3"), ("lead", "4"), ("booking", "5"), ("churned", "6")]);
    let fields: Vec<_> = settings.fields.iter().map(|told| (told.key.as_str(), told.field.name)).collect();
    assert_eq!(fields.len(), mailerlite::DEFAULTS.len());
    assert!(fields.contains(&("name", "first_name")) && fields.contains(&("company", "service_name")));
    assert!(fields.iter().all(|(key, _)| *key != "user_id"));
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
fn highlevel_needs_its_locations_and_takes_every_form_of_a_key() {
    let highlevel = "[sources.highlevel]\nkind = \"gohighlevel\"\n";
    let config = read(&format!(
        "{highlevel}locations = \"loc1\"\ncurrency = \"EUR\"\ntags = [\"vip\"]\n\
         public_keys = [\"i2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=\"]\n"
    ))
    .unwrap();
    let sources::Settings::GoHighLevel(settings) = &config.sources[0].settings else { panic!("a gohighlevel source") };
    assert_eq!((settings.locations.as_slice(), settings.public_keys.len()), (&["loc1".to_owned()][..], 1));
    assert_eq!((settings.token.is_none(), settings.legacy_signature), (true, false));
    assert_eq!(settings.replay_window, Duration::from_secs(7200));
    assert_eq!((settings.currency.unwrap().code(), settings.event_id.as_str()), ("eur", "customData.event_id"));
    assert!(config.sources[0].rules.counts_sales);
    for (keys, words) in [
        ("", "locations: is missing"),
        ("locations = [\"l\"]\ntoken = \"short\"", "at least 20"),
        ("locations = [\"l\"]\ntoken = \"0123456789 0123456789\"", "white space"),
        ("locations = [\"l\"]\npublic_keys = [\"abc\"]", "no Ed25519 public key"),
        ("locations = [\"l\"]\nsecrets = [\"abc\"]", "unknown key"),
        ("locations = [\"l\"]\ncount = \"auto\"", "unknown key"),
    ] {
        let complaints = complaints(&format!("{highlevel}{keys}\n"));
        assert!(complaints.contains(words) && !complaints.contains("0123456789 "), "{keys}: {complaints}");
    }
    // Beside another source that sells it must be clear whose sales count.
    let both = format!("{STRIPE}{highlevel}locations = [\"l\"]\n");
    assert_eq!(complaints(&both).matches("counts_sales: is missing").count(), 2);
    assert_eq!(complaints(&format!("{both}counts_sales = true\n")).matches("counts_sales: is missing").count(), 1);
    let clear = read(&format!("{both}counts_sales = false\n")).unwrap();
    assert_eq!((clear.sources[0].rules.counts_sales, clear.sources[1].rules.counts_sales), (true, false));
}

#[test]
fn events_of_ones_own_are_told_to_those_who_name_them() {
    let webhook = |events: &str| {
        format!(
            "{STRIPE}[destinations.own]\nkind = \"webhook\"\nurl = \"https://own.example.com/x\"\nsecret = \"0123456789abcdef\"\nevents = {events}\n"
        )
    };
    let config = read(&webhook("[\"opportunity_won\", \"lead\"]")).unwrap();
    let own = EventKind::Custom("opportunity_won".to_owned());
    assert_eq!(config.destinations[0].delivery.events, Some(vec![own, EventKind::Lead]));
    assert!(complaints(&webhook("[\"purchas\"]")).contains("did you mean \"purchase\"?"));
    assert!(complaints(&webhook("[\"Opportunity won\"]")).contains("is not a known business event"));
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
         id_pointer = \"/key/id\"\nexternal_id_pointer = \"/own/ref\"\nfields = { ref = \"external_id\", mail = \"email\", labels = \"tags\" }\n",
    );
    assert_eq!((own.contacts_path.as_str(), own.search_parameter.as_str()), ("/people", "filter[ref]"));
    assert_eq!(own.update_method, destinations::Method::Put);
    assert_eq!((own.layout.list_pointer.as_deref(), own.layout.id_pointer.as_deref()), (Some(""), Some("/key/id")));
    assert_eq!(own.layout.external_id_pointer.as_deref(), Some("/own/ref"));
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
    let sources::Settings::Stripe(stripe) = &config.sources[0].settings else { panic!("a stripe source") };
    let expected = vec![own("lead_id", &["visitor"]), own("pricing_tier", &["plan", "tier"])];
    assert_eq!(stripe.metadata, stripe::MetadataKeys::new(expected));

    let text = format!("{STRIPE}count = \"payment_intents\"\n[sources.stripe.metadata]\nga_client_id = \"google\"\n");
    let config = read(&text).unwrap();
    assert_eq!((config.sources[0].rules.count, config.sources[0].rules.order_ids), (Count::PaymentIntents, false));
    let sources::Settings::Stripe(stripe) = &config.sources[0].settings else { panic!("a stripe source") };
    assert_eq!(stripe.metadata, stripe::MetadataKeys::new(vec![own("ga_client_id", &["google"])]));
}

#[test]
fn a_preset_is_a_beginning_that_each_key_changes() {
    let text = format!(
        "{STRIPE}counts_sales = true\n[sources.shop]\nkind = \"hmac\"\npreset = \"shopify\"\ncounts_sales = false\nsecrets = [\"0123\"]\nheader = [\"X-Own\"]\nevent_id = [\"body\"]\n\
         [sources.own]\nkind = \"hmac\"\nsecrets = [\"0123\"]\nsigned = \"{{timestamp}}.{{body}}\"\nsyntax = \"pairs\"\ntimestamp_key = \"t\"\n\
         tolerance = \"1m\"\nrespond = \"strict\"\n"
    );
    let config = read(&text).unwrap();
    let of = |number: usize| match &config.sources[number].settings {
        sources::Settings::Hmac(hmac) => hmac.clone(),
        other => panic!("{other:?}"),
    };
    let preset = sources::hmac::preset::preset("shopify").unwrap();
    let expected = sources::hmac::scheme::Scheme { headers: vec!["x-own".into()], event_id: Vec::new(), ..preset };
    assert_eq!((of(1).scheme, of(1).provider.as_str(), of(1).preset), (expected, "shopify", Some("shopify")));
    assert!(config.sources[1].rules.always_200, "Shopify gives up after errors");
    let own = of(2);
    assert_eq!((own.provider.as_str(), own.scheme.timestamp_key.as_str()), ("hmac-own", "t"));
    assert_eq!(own.scheme.tolerance_future, Duration::from_secs(60));
    assert!(!config.sources[2].rules.always_200);
}

#[test]
fn a_meaning_is_checked_and_who_sells_is_asked() {
    let told = |keys: &str| {
        complaints(&format!(
            "{STRIPE}counts_sales = true\n[sources.shop]\nkind = \"hmac\"\nsecrets = [\"x\"]\n{keys}\n"
        ))
    };
    let whole = "id = \"/id\"\nvalue = \"/total\"\nvalue_unit = \"minor\"\nfixed_currency = \"eur\"\n";
    for (keys, words) in [
        ("[sources.shop.meaning]\nevents = { paid = \"purchas\" }", "did you mean \"purchase\"?"),
        ("[sources.shop.meaning]\nevents = { paid = \"dispute_lost\" }", "can't be told by a rule"),
        ("[sources.shop.meaning]\nemail = \"/email\"", "events: is missing"),
        ("[sources.shop.meaning]\nevents = { paid = \"purchase\" }", "value_unit: is missing"),
        ("[sources.shop.meaning]\nevents = { paid = \"purchase\" }", "currency: is missing"),
        ("[sources.shop.meaning]\nevents = { paid = \"lead\" }", "email: is missing"),
        ("[sources.shop.meaning]\nevents = { paid = \"lead\" }\nemail = \"email\"", "email: must be made of places"),
        ("[sources.shop.meaning]\nfixed_currency = \"zzz\"", "no known currency"),
        (&format!("[sources.shop.meaning]\nevents = {{ paid = \"purchase\" }}\n{whole}"), "counts_sales: is missing"),
        ("preset = \"woocommerce\"", "counts_sales: is missing"),
    ] {
        let complaints = told(keys);
        assert!(
            complaints.contains(words) || told(&format!("counts_sales = false\n{keys}")).contains(words),
            "{keys}: {complaints}"
        );
    }
    let fine = format!(
        "{STRIPE}counts_sales = true\n[sources.shop]\nkind = \"hmac\"\nsecrets = [\"x\"]\ncounts_sales = false\n\
        [sources.shop.meaning]\nevents = {{ paid = \"purchase\" }}\n{whole}"
    );
    assert!(read(&fine).is_ok(), "{:?}", read(&fine));
}

#[test]
fn what_would_believe_anybody_or_nobody_does_not_start() {
    let told = |keys: &str| complaints(&format!("{STRIPE}[sources.shop]\nkind = \"hmac\"\n{keys}\n"));
    for (keys, words) in [
        ("preset = \"shopify\"", "secrets: is missing"),
        ("preset = \"shopfy\"\nsecrets = [\"x\"]", "did you mean \"shopify\"?"),
        (
            "preset = \"svix\"\nsecrets = [\"v1,whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX\"]",
            "take off everything before whsec_",
        ),
        ("preset = \"shopify\"\nsecrets = [\"shpat_0123456789\"]", "client secret"),
        ("preset = \"square\"\nsecrets = [\"0123456789\"]", "public_url"),
        ("secrets = [\"x\"]\nsigned = \"{timestamp}\"", "signed: must hold {body}"),
        ("verify = \"token\"\nsecrets = [\"short\"]", "too short"),
        ("verify = \"token\"\nsecrets = [\"0123456789abcdef\"]\nhash = \"sha512\"", "of no use"),
    ] {
        let complaints = told(keys);
        assert!(complaints.contains(words), "{keys}: {complaints}");
        assert!(!complaints.contains("AAECAw") && !complaints.contains("shpat_0"), "{complaints}");
    }
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
    let sources::Settings::Stripe(stripe) = &config.sources[0].settings else { panic!("a stripe source") };
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
        let sources::Settings::Stripe(stripe) = &config.sources[0].settings else { panic!("no Stripe") };
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
fn certificates_by_acme_are_read_with_all_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem").display().to_string();
    std::fs::write(&root, "-----BEGIN CERTIFICATE-----\n").unwrap();
    let acme = |keys: &str| format!("{STRIPE}[server]\ntls = {{ mode = \"acme\", {keys} }}");
    let of = |keys: &str| match read(&acme(keys)).unwrap().server.tls {
        Tls::Acme(acme) => *acme,
        other => panic!("{other:?}"),
    };

    let least = of("domains = \"Hooks.Example.com\"");
    assert_eq!(least.domains, ["hooks.example.com"], "names have no case");
    assert_eq!(least.directory, "https://acme-v02.api.letsencrypt.org/directory");
    assert_eq!((least.contact, least.eab, least.http_listen, least.ca_root), (None, None, None, None));
    assert_eq!(least.retry, Duration::from_secs(60));
    assert_eq!(read(&acme("domains = \"a.example\"")).unwrap().server.listen, "0.0.0.0:443".parse().unwrap());
    assert!(of("domains = \"a.example\", staging = true").directory.contains("staging"));

    let all = of(&format!(
        "domains = [\"a.example\", \"b.example\"], contact = \"me@a.example\", directory = \"https://ca.a.example/dir\", \
         ca_root = {root:?}, http_listen = \"127.0.0.1:8081\", retry = \"5s\", allow_private_addresses = true, \
         eab = {{ key_id = \"kid\", hmac_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYX\" }}"
    ));
    assert_eq!(all.domains, ["a.example", "b.example"]);
    assert_eq!(all.directory, "https://ca.a.example/dir");
    assert_eq!(all.eab.unwrap().hmac_key.len(), 24);

    for (keys, complaint) in [
        ("staging = true", "server.tls.domains: is missing"),
        ("domains = [\"*.a.example\"]", "is a wildcard"),
        ("domains = \"192.0.2.1\"", "is an IP address"),
        ("domains = \"https://a.example\"", "is not the name of a host"),
        ("domains = \"a.example\", contact = \"mailto:me@a.example\"", "is not an e-mail address"),
        ("domains = \"a.example\", staging = true, directory = \"https://ca.a.example\"", "staging"),
        ("domains = \"a.example\", cert = \"a.pem\"", "server.tls.cert: is of no use"),
        ("domains = \"a.example\", ca_root = \"/nowhere/root.pem\"", "cannot be read"),
        ("domains = \"a.example\", eab = { key_id = \"kid\" }", "server.tls.eab.hmac_key: is missing"),
        ("domains = \"a.example\", eab = { key_id = \"kid\", hmac_key = \"!\" }", "is not in base64url"),
        ("domains = \"a.example\", domain = \"a.example\"", "did you mean \"domains\""),
    ] {
        let problems = complaints(&acme(keys));
        assert!(problems.contains(complaint), "{keys}: {problems}");
    }
    let off = complaints(&format!("{STRIPE}[server]\ntls = {{ domains = \"a.example\" }}"));
    assert!(off.contains("server.tls.domains: is of no use with mode = \"off\""), "{off}");
    assert!(complaints(&format!("{STRIPE}[server]\ntls = {{ mode = \"acmee\" }}")).contains("did you mean \"acme\""));
}

#[test]
fn an_address_that_the_certificate_is_not_for_is_remarked_on() {
    let of = |url: &str| {
        let text =
            format!("{STRIPE}[server]\npublic_url = {url:?}\ntls = {{ mode = \"acme\", domains = \"a.example\" }}");
        read(&text).unwrap().warnings
    };
    assert_eq!(of("https://A.example:8443/in"), []);
    assert!(of("https://b.example")[0].to_string().contains("server.public_url: is not among server.tls.domains"));
    assert!(of("http://a.example")[0].to_string().contains("https://"));
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
    assert_eq!((mailerlite.api, mailerlite.groups.groups.vip.as_deref()), (mailerlite::Api::Classic, Some("11")));
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
    assert_eq!((config.sources.len(), config.destinations.len(), config.alerts.len()), (3, 6, 1));
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
            !line.starts_with(&format!("#listen = \"0.0.0.0:443\"  # {}", super::definitions::LISTEN_WITH_TLS))
        })
        .filter(|line| !line.ends_with(super::kinds::mailerlite::CLASSIC_API))
        .filter(|line| !line.ends_with(super::kinds::RESPOND_GIVES_UP))
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
    variables.insert("TALLYHOOK_ACME_HMAC_KEY".into(), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYX".into());
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
