//! Destinations as they are written: keys, fields, filters, consent.

use super::*;

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
