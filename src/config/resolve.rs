//! From the parsed file to the [`Config`]: the tables with a fixed name, and the rules between them.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::DeTable;

use super::definitions::{LISTEN_WITH_TLS, LISTEN_WITHOUT_TLS, SECTIONS};
use super::kinds::{ALERTS, DESTINATIONS, SOURCES};
use super::problem::Wrong;
use super::reader::{List, Place, Reader, Section, join};
use super::{Admin, Alerting, Config, Health, Identity, Leads, Log, Retention, Server, Store, Tls, named, tls};
use crate::model::attribution::Consent;
use crate::model::identity::SharedAddresses;

/// The longest path that a Unix socket can have, in bytes (Linux: unix(7), `sun_path` with its final zero).
const LONGEST_SOCKET_PATH: usize = 107;

/// Reads everything. What is wrong is with the reader afterwards; the result only counts when nothing is.
pub(super) fn config<'s>(reader: &'s Reader<'s>, root: &'s Spanned<DeTable<'s>>) -> Config {
    unknown_tables(reader, root.get_ref());
    let section = |name| section(reader, root, name);
    let server = server(&section("server"));
    let (admin, store) = (section("admin"), section("store"));
    let place_of_store = store.place_of("path");
    let (admin, store) = (read_admin(&admin), read_store(&store));
    if admin.socket == store.path && !store.path.as_os_str().is_empty() {
        reader.report(&place_of_store, Wrong::new("is the same path as admin.socket").but("give each its own"));
    }
    Config {
        file: None,
        holds_secrets: false,
        secret_files: Vec::new(),
        holds_copies: false,
        server,
        admin,
        store,
        retention: retention(&section("retention")),
        sources: named::sources(reader, root.get_ref()),
        destinations: named::destinations(reader, root.get_ref()),
        alerts: named::alerts(reader, root.get_ref()),
        leads: leads(&section("leads")),
        identity: identity(&section("identity")),
        alerting: alerting(&section("alerting")),
        health: health(&section("health")),
        log: log(&section("log")),
        warnings: Vec::new(),
    }
}

/// The table of a section, or an empty one.
pub(super) fn section<'s>(reader: &'s Reader<'s>, root: &'s Spanned<DeTable<'s>>, name: &'static str) -> Section<'s> {
    let keys = SECTIONS.iter().find(|section| section.name == name).map_or(&[][..], |section| section.keys);
    let entry = root.get_ref().get_key_value(name);
    let line = entry.and_then(|(key, _)| reader.line_of(key.span().start));
    Section::open(reader, Place { key: name.to_owned(), line }, entry.map(|(_, item)| item), keys.iter())
}

fn unknown_tables(reader: &Reader<'_>, root: &DeTable<'_>) {
    let known = SECTIONS.iter().map(|section| section.name).chain([SOURCES.name, DESTINATIONS.name, ALERTS.name]);
    for (name, _) in root {
        let place = Place { key: join("", name.get_ref()), line: reader.line_of(name.span().start) };
        let name = name.get_ref().as_ref();
        if !known.clone().any(|known| known == name) {
            reader.report(&place, Wrong::new("unknown table").or_nearest(name, known.clone()));
        }
    }
}

fn server(section: &Section<'_>) -> Server {
    let tls = tls::read(&section.table("tls"));
    let case = if tls == Tls::Off { LISTEN_WITHOUT_TLS } else { LISTEN_WITH_TLS };
    let listen: Option<SocketAddr> = section.find_in_case("listen", case);
    if let Some(listen) = listen
        && !section.gives("tls")
        && !listen.ip().is_loopback()
    {
        section.reader.warn(
            &section.place_of("listen"),
            Wrong::new("webhooks arrive here without TLS").but(
                "give server.tls mode = \"acme\" with domains, mode = \"files\" with a certificate, or mode = \"off\" when a proxy \
                 ends TLS before",
            ),
        );
    }
    let server = Server {
        listen: listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        public_url: section.find("public_url"),
        tls,
        max_body: section.get("max_body"),
        handshake_timeout: section.get("handshake_timeout"),
        header_timeout: section.get("header_timeout"),
        body_timeout: section.get("body_timeout"),
        idle_timeout: section.get("idle_timeout"),
        max_connections: section.get("max_connections"),
        max_connections_per_address: section.get("max_connections_per_address"),
        max_bytes_in_flight: section.get("max_bytes_in_flight"),
        drain_timeout: section.get("drain_timeout"),
    };
    if let Tls::Acme(acme) = &server.tls {
        tls::agrees_with_public_url(section, acme, server.public_url.as_deref());
    }
    if server.max_bytes_in_flight > 0 && server.max_body > server.max_bytes_in_flight {
        let name = if section.gives("max_bytes_in_flight") { "max_bytes_in_flight" } else { "max_body" };
        section.report(name, Wrong::new("leaves no room for one body: max_body is larger than max_bytes_in_flight"));
    }
    server
}

/// The operator's door.
pub(super) fn read_admin(section: &Section<'_>) -> Admin {
    let socket: PathBuf = section.get("socket");
    if socket.as_os_str().len() > LONGEST_SOCKET_PATH {
        let wrong =
            format!("is too long for a socket: {} bytes, at most {LONGEST_SOCKET_PATH}", socket.as_os_str().len());
        section.report("socket", Wrong::new(wrong));
    }
    not_a_folder(section, "socket", &socket, "admin.sock");
    Admin { socket }
}

/// Where the state is.
pub(super) fn read_store(section: &Section<'_>) -> Store {
    let path: PathBuf = section.get("path");
    not_a_folder(section, "path", &path, "tallyhook.redb");
    Store { path, reserve: section.get("reserve"), cache: section.get("cache") }
}

fn not_a_folder(section: &Section<'_>, name: &str, path: &Path, file: &str) {
    if path.is_dir() {
        section.report(name, Wrong::new("is a folder").but(format!("name the file in it: {:?}", path.join(file))));
    }
}

fn retention(section: &Section<'_>) -> Retention {
    let days = |name| match section.get::<u64>(name) {
        0 => None,
        days => Some(Duration::from_secs(days.saturating_mul(86_400))),
    };
    Retention { payloads: days("payloads"), attempts: days("attempts"), dedup: days("dedup") }
}

fn leads(section: &Section<'_>) -> Leads {
    let origins: Option<List<String>> = section.find("origins");
    Leads {
        origins: origins
            .map_or_else(Vec::new, |origins| origins.0.into_iter().map(|origin| origin.to_ascii_lowercase()).collect()),
        make_leads: section.get("make_leads"),
        settle: section.get("settle"),
        rate_limit: section.find("rate_limit").unwrap_or_default(),
        max_per_day: section.get("max_per_day"),
        max_forms_per_day: section.get("max_forms_per_day"),
        max_kept: section.get("max_kept"),
        keep: Duration::from_secs(section.get::<u64>("keep").saturating_mul(86_400)),
        wait_for_consent: section.get("wait_for_consent"),
        cookie_days: section.get("cookie_days"),
        address_header: section.find("address_header"),
    }
}

fn identity(section: &Section<'_>) -> Identity {
    let shared: Option<List<String>> = section.find("shared_emails");
    let country: Option<String> = section.find("default_country");
    let consent = section.table("consent_default");
    Identity {
        shared_emails: shared.map_or_else(Vec::new, |shared| {
            shared.0.iter().filter_map(|pattern| SharedAddresses::parse(pattern)).collect()
        }),
        default_country: country.and_then(|country| country.parse().ok()),
        consent_default: Consent {
            analytics: consent.find("analytics"),
            ads: consent.find("ads"),
            email: consent.find("email"),
        },
    }
}

fn alerting(section: &Section<'_>) -> Alerting {
    Alerting {
        group_wait: section.get("group_wait"),
        group_interval: section.get("group_interval"),
        repeat_interval: section.get("repeat_interval"),
    }
}

fn health(section: &Section<'_>) -> Health {
    let details: String = section.get("details");
    let token = section.find("token");
    match (details.as_str(), token) {
        ("token", Some(token)) => return Health::Token(token),
        ("token", None) if !section.gives("token") => {
            section.report(
                "token",
                Wrong::new("is missing: details = \"token\" needs one").but("add token = { env = \"NAME\" }"),
            );
        }
        ("public" | "admin", Some(_)) => {
            section
                .reader
                .warn(&section.place_of("token"), Wrong::new(format!("is of no use with details = {details:?}")));
        }
        _ => {}
    }
    if details == "admin" { Health::Admin } else { Health::Public }
}

fn log(section: &Section<'_>) -> Log {
    Log { json: section.get::<String>("format") == "json", level: section.get("level") }
}
