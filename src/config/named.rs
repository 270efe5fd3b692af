//! The tables that the user names: sources, destinations, alerts.

use toml::de::DeTable;

use super::definitions::{Family, Kind, one_of};
use super::kinds::{
    ALERTS, DESTINATIONS, RESPOND_ELSE, RESPOND_GIVES_UP, SOURCES, check_private, ga4, gohighlevel, gohighlevel_source,
    hmac, hubspot, mailerlite, rest, secret, stripe, webhook,
};
use super::problem::Wrong;
use super::reader::{List, Place, Reader, Section, join};
use super::{Alert, DeliverySettings, Destination, Source, SourceRules};
use crate::destinations;
use crate::destinations::consent::{Choice, Need};
use crate::destinations::filter::Filter;
use crate::model::count::Count;
use crate::model::delivery::AmbiguousPolicy;
use crate::model::id::Mode;
use crate::model::rate::RateLimit;
use crate::model::retry::RetrySchedule;
use crate::sources;

/// No name is longer than this many bytes.
const LONGEST_NAME: usize = 64;

/// One table of a family whose name and kind are right.
struct Named<'s> {
    name: String,
    kind: &'static Kind,
    section: Section<'s>,
}

/// Who sends webhooks.
pub(super) fn sources<'s>(reader: &'s Reader<'s>, root: &'s DeTable<'s>) -> Vec<Source> {
    let tables = family(reader, root, &SOURCES);
    if root.get(SOURCES.name).is_none_or(|item| item.get_ref().as_table().is_some_and(DeTable::is_empty)) {
        let place = Place { key: SOURCES.name.to_owned(), line: None };
        reader.report(
            &place,
            Wrong::new("no source is configured: nothing can be received").but("add a table like [sources.stripe]"),
        );
    }
    let server = root.get("server").and_then(|server| server.get_ref().as_table());
    let has_public_url = server.is_some_and(|server| server.contains_key("public_url"));
    let sources: Vec<_> = tables.iter().map(|table| source(table, has_public_url)).collect();
    // Where all others say that theirs don't count, it is clear whose do.
    let selling: Vec<_> =
        tables.iter().zip(&sources).filter(|(_, source)| sells(source)).map(|(table, _)| table).collect();
    let silent: Vec<_> = selling.iter().filter(|table| !table.section.gives("counts_sales")).collect();
    let denied = selling.iter().filter(|table| table.section.denies("counts_sales")).count();
    if !silent.is_empty() && selling.len() > 1 && denied + 1 != selling.len() {
        for Named { section, .. } in silent {
            let wrong =
                Wrong::new("is missing: with more than one source that sells, each must say whether its sales count");
            section.report(
                "counts_sales",
                wrong.but("add counts_sales = true, or false where another source tells of the same sales"),
            );
        }
    }
    counted_alike(&tables, &sources);
    sources
}

/// Whether events of a source tell of sales.
fn sells(source: &Source) -> bool {
    match &source.settings {
        sources::Settings::Stripe(_) | sources::Settings::GoHighLevel(_) => true,
        sources::Settings::Hmac(hmac) => hmac.meaning.sells(),
    }
}

/// The books are kept by account and not by source, so that sources whose sales count can't each count in their own way.
fn counted_alike(tables: &[Named<'_>], sources: &[Source]) {
    // Only Stripe's sources have a choice; those of other kinds never share an account with them.
    let both = tables.iter().zip(sources).filter(|(table, _)| table.kind.name == "stripe");
    let mut counting = both.filter(|(_, source)| source.rules.counts_sales);
    let Some((_, first)) = counting.next() else { return };
    for (table, source) in counting {
        for (key, differs) in [
            ("count", source.rules.count != first.rules.count),
            ("transaction_id", source.rules.order_ids != first.rules.order_ids),
        ] {
            if differs {
                let other = join(SOURCES.name, &first.name);
                let wrong = Wrong::new(format!(
                    "is not the same as in {other}: the books are kept by account, not by source, so that all sources whose \
                     sales count must count alike"
                ));
                table.section.report(key, wrong.but("give both the same, or one of them counts_sales = false"));
            }
        }
    }
}

fn source(Named { name, kind, section }: &Named<'_>, has_public_url: bool) -> Source {
    let settings = match kind.name {
        "gohighlevel" => sources::Settings::GoHighLevel(gohighlevel_source::read(section)),
        "hmac" => sources::Settings::Hmac(Box::new(hmac::read(section, name, has_public_url))),
        _ => sources::Settings::Stripe(stripe::read(section)),
    };
    let is_stripe = matches!(settings, sources::Settings::Stripe(_));
    let gives_up_soon = matches!(&settings, sources::Settings::Hmac(hmac) if hmac.scheme.gives_up_soon);
    let case = if gives_up_soon { RESPOND_GIVES_UP } else { RESPOND_ELSE };
    let own = |key: &str| if is_stripe { section.get::<String>(key) } else { String::new() };
    Source {
        name: name.clone(),
        settings,
        rules: SourceRules {
            settle: section.get("settle"),
            settle_late: section.get("settle_late"),
            counts_sales: section.get("counts_sales"),
            count: match own("count").as_str() {
                "checkout_and_invoices" => Count::CheckoutAndInvoices,
                "payment_intents" => Count::PaymentIntents,
                _ => Count::Auto,
            },
            order_ids: own("transaction_id") == "order_id",
            always_200: section.find_in_case::<String>("respond", case).is_some_and(|how| how == "always_200"),
        },
    }
}

/// Who is told.
pub(super) fn destinations<'s>(reader: &'s Reader<'s>, root: &'s DeTable<'s>) -> Vec<Destination> {
    let tables = family(reader, root, &DESTINATIONS);
    let destinations: Vec<_> = tables.iter().map(destination).collect();
    for (at, later) in destinations.iter().enumerate() {
        if let Some(earlier) = destinations[..at].iter().find(|earlier| tells_the_same(earlier, later)) {
            let wrong = Wrong::new(format!(
                "goes to the same place as {}: it would be told twice",
                join(DESTINATIONS.name, &earlier.name)
            ));
            reader.report(
                &tables[at].section.place,
                wrong.but("leave one out, or give them different environments, events or filters (only, except)"),
            );
        }
    }
    destinations
}

fn destination(Named { name, kind, section }: &Named<'_>) -> Destination {
    let settings = match kind.name {
        "ga4" => destinations::Settings::Ga4(ga4::read(section)),
        "rest" => destinations::Settings::Rest(rest::read(section)),
        "hubspot" => destinations::Settings::HubSpot(hubspot::read(section)),
        "gohighlevel" => destinations::Settings::GoHighLevel(gohighlevel::read(section)),
        "webhook" => destinations::Settings::Webhook(webhook::read(section)),
        _ => destinations::Settings::MailerLite(mailerlite::read(section)),
    };
    let own_rate_limit = || destinations::build(&settings).default_rate_limit();
    let delivery = delivery(section, kind, own_rate_limit);
    Destination { name: name.clone(), settings, delivery }
}

fn delivery(
    section: &Section<'_>,
    kind: &Kind,
    own_rate_limit: impl FnOnce() -> Option<RateLimit>,
) -> DeliverySettings {
    let List(environments): List<String> = section.get("environments");
    let events: Option<List<String>> = section.find("events");
    let List(delays) = section.get("schedule");
    let cases = |name| section.find(name).unwrap_or_default();
    DeliverySettings {
        filter: Filter::new(cases("only"), cases("except")),
        consent: consent(section, kind),
        environments: environments.iter().map(|mode| if mode == "live" { Mode::Live } else { Mode::Test }).collect(),
        events: events.map(|List(names)| names.iter().filter_map(|name| name.parse().ok()).collect()),
        // An empty schedule was reported when it was read.
        schedule: RetrySchedule::new(delays).unwrap_or_default(),
        timeout: section.get("timeout"),
        rate_limit: section.find("rate_limit").unwrap_or_else(own_rate_limit),
        concurrency: section.get("concurrency"),
        max_age: section.get("max_age"),
        ambiguous: section.find::<String>("ambiguous").map(|policy| match policy.as_str() {
            "retry" => AmbiguousPolicy::Retry,
            "drop" => AmbiguousPolicy::Drop,
            _ => AmbiguousPolicy::Ask,
        }),
        allow_private_addresses: section.get("allow_private_addresses"),
    }
}

/// What is said of the consent that a destination asks for. There is one way to say it: what a kind has a key of its own for is
/// not said here. A no to being measured is not overheard without a remark.
fn consent(section: &Section<'_>, kind: &Kind) -> Choice {
    let table = section.table("consent");
    let need = |name| {
        table.find::<String>(name).map(|need| match need.as_str() {
            "required" => Need::Required,
            "unless_denied" => Need::UnlessDenied,
            _ => Need::Ignored,
        })
    };
    let choice = Choice { analytics: need("analytics"), ads: need("ads"), email: need("email") };
    if choice.email.is_some() && kind.keys.iter().any(|key| key.name == "requires_consent") {
        let wrong = Wrong::new("is said by requires_consent here: a no to e-mail always keeps the person out");
        table.report("email", wrong.but("write requires_consent = true for \"required\", or leave both out"));
    }
    if choice.analytics == Some(Need::Ignored) && kind.name == "ga4" {
        let wrong = Wrong::new("\"ignored\" measures also people who said no");
        section.reader.warn(&table.place_of("analytics"), wrong);
    }
    choice
}

/// Who is alerted.
pub(super) fn alerts<'s>(reader: &'s Reader<'s>, root: &'s DeTable<'s>) -> Vec<Alert> {
    let alert = |Named { name, section, .. }: Named<'s>| {
        let url = secret(&section, "url");
        check_private(&section, "url", url.expose());
        Alert { name, url, allow_private_addresses: section.get("allow_private_addresses") }
    };
    family(reader, root, &ALERTS).into_iter().map(alert).collect()
}

/// Every table of a family whose name and kind are right, in the order of the file.
fn family<'s>(reader: &'s Reader<'s>, root: &'s DeTable<'s>, family: &'static Family) -> Vec<Named<'s>> {
    let Some((key, item)) = root.get_key_value(family.name) else { return Vec::new() };
    let Some(table) = item.get_ref().as_table() else {
        let place = Place { key: family.name.to_owned(), line: reader.line_of(key.span().start) };
        reader.report(
            &place,
            Wrong::new("must be a table")
                .but(format!("write for example [{}.{}]", family.name, family.kinds[0].sample_name)),
        );
        return Vec::new();
    };
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    let mut tables = Vec::new();
    for (name, item) in entries {
        let place = Place { key: join(family.name, name.get_ref()), line: reader.line_of(name.span().start) };
        let name = name.get_ref();
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !is_name || name.len() > LONGEST_NAME {
            let wrong = format!("a name is made of at most {LONGEST_NAME} letters, digits, - and _");
            reader.report(&place, Wrong::new(wrong));
        }
        let Some(table) = item.get_ref().as_table() else {
            let header = place.key.clone();
            reader.report(
                &place,
                Wrong::new("must be a table").but(format!("write [{header}] on a line of its own, its keys below")),
            );
            continue;
        };
        let Some(kind) = kind(reader, &place, family, table) else { continue };
        let keys = [&KIND].into_iter().chain(kind.keys).chain(family.common);
        let section = Section::of(reader, place, Some(table), keys);
        tables.push(Named { name: name.to_string(), kind, section });
    }
    tables
}

/// `kind` is read before the other keys, which depend on it.
static KIND: super::definitions::Key = super::definitions::Key {
    name: "kind",
    form: super::definitions::Form::Choice(&[], &[]),
    preset: super::definitions::Preset::Unset(""),
    doc: "",
};

fn kind(reader: &Reader<'_>, place: &Place, family: &'static Family, table: &DeTable<'_>) -> Option<&'static Kind> {
    let names: Vec<_> = family.kinds.iter().map(|kind| kind.name).collect();
    let Some((key, item)) = table.get_key_value("kind") else {
        let place = Place { key: join(&place.key, "kind"), line: place.line };
        reader.report(&place, Wrong::new("is missing").but(format!("add kind = {}", one_of(&names))));
        return None;
    };
    let place = Place { key: join(&place.key, "kind"), line: reader.line_of(key.span().start) };
    let Some(text) = item.get_ref().as_str() else {
        reader.report(&place, Wrong::new(format!("must be {}", one_of(&names))));
        return None;
    };
    let found = family.kinds.iter().find(|kind| kind.name == text);
    if found.is_none() {
        reader.report(
            &place,
            if family.later.contains(&text) {
                Wrong::new(format!("{text:?} {}", super::definitions::LATER))
                    .but(format!("there is {}", names.join(", ")))
            } else {
                Wrong::new(format!("{text:?} is not a known kind")).or_nearest(text, names.iter().copied())
            },
        );
    }
    found
}

/// Whether two destinations would tell the same place of the same event.
fn tells_the_same(a: &Destination, b: &Destination) -> bool {
    use destinations::Settings::{Ga4, GoHighLevel, HubSpot, MailerLite, Rest, Webhook};
    use destinations::ga4::{EVENTS as GA4_EVENTS, event_name};
    let same_place = match (&a.settings, &b.settings) {
        (Ga4(a), Ga4(b)) => {
            !a.measurement_id.is_empty() && a.measurement_id == b.measurement_id && a.endpoint == b.endpoint
        }
        (Rest(a), Rest(b)) => {
            let place = |crm: &destinations::rest::Settings| (crm.base_url.clone(), crm.contacts_path.clone());
            !a.base_url.is_empty() && place(a) == place(b) && a.api_key == b.api_key
        }
        (HubSpot(a), HubSpot(b)) => {
            !a.access_token.expose().is_empty() && a.access_token == b.access_token && a.endpoint == b.endpoint
        }
        (GoHighLevel(a), GoHighLevel(b)) => {
            !a.location_id.is_empty() && a.location_id == b.location_id && a.endpoint == b.endpoint
        }
        (MailerLite(a), MailerLite(b)) => {
            !a.api_key.expose().is_empty() && a.api_key == b.api_key && a.endpoint == b.endpoint
        }
        (Webhook(a), Webhook(b)) => !a.url.expose().is_empty() && a.url == b.url,
        _ => false,
    };
    // One GA4 stream may have a sale as `purchase` and as the last stage of a lead.
    let under_other_names = match (&a.settings, &b.settings) {
        (Ga4(told), Ga4(told_too)) => {
            let kinds = |of: &Destination| of.delivery.events.clone().unwrap_or_else(|| GA4_EVENTS.to_vec());
            let of_second = kinds(b);
            let both = kinds(a).into_iter().filter(|kind| of_second.contains(kind));
            both.into_iter().all(|kind| event_name(&kind, told) != event_name(&kind, told_too))
        }
        _ => false,
    };
    let (a, b) = (&a.delivery, &b.delivery);
    let same_mode = a.environments.iter().any(|mode| b.environments.contains(mode));
    let same_events = match (&a.events, &b.events) {
        (Some(a), Some(b)) => a.iter().any(|kind| b.contains(kind)),
        _ => true,
    };
    // Two filters that differ may part what both would get.
    same_place && same_mode && same_events && a.filter == b.filter && !under_other_names
}
