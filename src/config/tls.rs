//! `[server.tls]`: where the certificate comes from, and what has to go together.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::problem::Wrong;
use super::reader::{List, Section};
use super::{Acme, ExternalAccount, Tls, decode_hmac_key};
use crate::model::secret::Secret;

/// Let's Encrypt, as its documentation gives it.
const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Its rehearsal.
const LETS_ENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// Keys that only count with `mode = "files"`.
const FOR_FILES: [&str; 2] = ["cert", "key"];
/// Keys that only count with `mode = "acme"`, but for those that have a default.
const FOR_ACME: [&str; 5] = ["domains", "contact", "directory", "ca_root", "http_listen"];

/// Reads the table.
pub(super) fn read(section: &Section<'_>) -> Tls {
    match section.find::<String>("mode").as_deref() {
        Some("files") => {
            of_no_use(section, "files", &FOR_ACME);
            files(section)
        }
        Some("acme") => {
            of_no_use(section, "acme", &FOR_FILES);
            Tls::Acme(Box::new(acme(section)))
        }
        Some(mode) => {
            of_no_use(section, mode, &FOR_FILES);
            of_no_use(section, mode, &FOR_ACME);
            Tls::Off
        }
        None => Tls::Off,
    }
}

/// Remarks on a public address that the certificate will not be for.
pub(super) fn agrees_with_public_url(server: &Section<'_>, acme: &Acme, public_url: Option<&str>) {
    let Some(url) = public_url else { return };
    let place = server.place_of("public_url");
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    if scheme.eq_ignore_ascii_case("http") {
        server.reader.warn(&place, Wrong::new("begins with http://, but webhooks arrive by TLS").but("write https://"));
    }
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.split(':').next().unwrap_or_default();
    if !acme.domains.is_empty() && !acme.domains.iter().any(|domain| domain.eq_ignore_ascii_case(host)) {
        let wrong = Wrong::new("is not among server.tls.domains, so that its certificate is for another name");
        server.reader.warn(&place, wrong.but(format!("add {host:?} to server.tls.domains, or correct one of the two")));
    }
}

fn of_no_use(section: &Section<'_>, mode: &str, names: &[&str]) {
    for name in names.iter().filter(|name| section.gives(name)) {
        let meant = if FOR_FILES.contains(name) { "files" } else { "acme" };
        section.report(
            name,
            Wrong::new(format!("is of no use with mode = {mode:?}"))
                .but(format!("write mode = {meant:?}, or leave it out")),
        );
    }
}

fn files(section: &Section<'_>) -> Tls {
    let cert: Option<PathBuf> = section.find("cert");
    let key: Option<PathBuf> = section.find("key");
    for (name, path, marks) in [
        ("cert", &cert, [CERTIFICATE].as_slice()),
        (
            "key",
            &key,
            ["-----BEGIN PRIVATE KEY-----", "-----BEGIN RSA PRIVATE KEY-----", "-----BEGIN EC PRIVATE KEY-----"]
                .as_slice(),
        ),
    ] {
        match path {
            Some(path) => check_pem(section, name, path, marks),
            None if section.gives(name) => {}
            None => section.report(name, Wrong::new("is missing: mode = \"files\" needs cert and key")),
        }
    }
    Tls::Files { cert: cert.unwrap_or_default(), key: key.unwrap_or_default() }
}

fn acme(section: &Section<'_>) -> Acme {
    let domains: List<String> = section.get("domains");
    if domains.0.is_empty() && !section.gives("domains") {
        section.report(
            "domains",
            Wrong::new("is missing: mode = \"acme\" needs the names that lead to this server")
                .but("add domains = [\"hooks.example.com\"]"),
        );
    }
    let staging: bool = section.get("staging");
    let directory: Option<String> = section.find("directory");
    if staging && directory.is_some() {
        section.report(
            "staging",
            Wrong::new("is of no use with a directory of your own")
                .but("give the directory of that authority's rehearsal"),
        );
    }
    let ca_root: Option<PathBuf> = section.find("ca_root");
    if let Some(path) = &ca_root {
        check_pem(section, "ca_root", path, &[CERTIFICATE]);
    }
    Acme {
        domains: domains.0.iter().map(|domain| domain.to_ascii_lowercase()).collect(),
        contact: section.find("contact"),
        directory: directory.unwrap_or_else(|| if staging { LETS_ENCRYPT_STAGING } else { LETS_ENCRYPT }.to_owned()),
        ca_root,
        eab: external_account(&section.table("eab")),
        http_listen: section.find("http_listen"),
        retry: section.get("retry"),
        allow_private_addresses: section.get("allow_private_addresses"),
    }
}

fn external_account(section: &Section<'_>) -> Option<ExternalAccount> {
    let (key_id, hmac_key): (Option<String>, Option<Secret>) = (section.find("key_id"), section.find("hmac_key"));
    for (name, other) in [("key_id", "hmac_key"), ("hmac_key", "key_id")] {
        if !section.gives(name) && section.gives(other) {
            section.report(name, Wrong::new("is missing: the two go together"));
        }
    }
    let hmac_key = zeroize::Zeroizing::new(decode_hmac_key(hmac_key?.expose())?);
    Some(ExternalAccount { key_id: key_id?, hmac_key })
}

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// A certificate chain of any length fits.
const LONGEST_PEM: u64 = 1 << 20;

fn check_pem(section: &Section<'_>, name: &str, path: &Path, marks: &[&str]) {
    let mut text = Vec::new();
    if let Err(error) = fs::File::open(path).and_then(|file| file.take(LONGEST_PEM).read_to_end(&mut text)) {
        section.report(name, Wrong::new(format!("the file {} cannot be read: {error}", path.display())));
        return;
    }
    let text = zeroize::Zeroizing::new(text);
    if !marks.iter().any(|mark| text.windows(mark.len()).any(|window| window == mark.as_bytes())) {
        let what = if name == "key" { "unencrypted private key" } else { "certificate" };
        section.report(name, Wrong::new(format!("the file {} holds no {what} in PEM", path.display())));
    }
}
