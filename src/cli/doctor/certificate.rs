//! Which certificate is shown, for which names, and for how long.

use std::io;
use std::path::Path;

use serde_json::Value;

use super::finding::Finding;
use super::port::{PATIENCE, from_here};
use crate::config::{Server, Tls};
use crate::http::acme::keeper::kept;
use crate::http::certificate::{Facts, Standing};
use crate::http::tls::Certificate;
use crate::model::time::Timestamp;
use crate::platform::new_file::folder_of;
use crate::platform::served_certificate::{Served, served_certificate};

/// What to do while the authority has not answered yet.
pub(super) const ASK_AGAIN: &str = "wait a minute, then ask again: `tallyhook doctor`";

/// Whether the first certificate is under way, and nothing went wrong with it yet.
pub(super) fn is_being_fetched(status: &Value) -> bool {
    let certificate = &status["certificate"];
    certificate["mode"] == "acme" && certificate["expires_at"].is_null() && certificate["failures"] == 0
}

/// Asks the listener for its certificate, as a sender does.
pub(super) fn look(server: &Server, names: &[String], status: &Value, now: Timestamp) -> Option<Finding> {
    if server.tls == Tls::Off {
        return Some(without_tls(server));
    }
    if server.listen.port() == 0 {
        return None;
    }
    let name = names.first().map_or("localhost", String::as_str);
    let served = served_certificate(from_here(server.listen), name, PATIENCE);
    Some(judge(&server.tls, names, served, status, now))
}

/// Looks at the files of the certificate, while nothing runs that would show it.
pub(super) fn look_at_files(server: &Server, names: &[String], store: &Path, now: Timestamp) -> Finding {
    let kept = match &server.tls {
        Tls::Off => return without_tls(server),
        Tls::Files { cert, key } => facts_of(cert, key).map(Some),
        Tls::Acme(acme) => kept(acme, folder_of(store)),
    };
    match kept {
        Ok(Some(facts)) => judge_facts(&server.tls, names, &facts, None, now),
        Ok(None) => Finding::ok("certificate", "there is none yet; it is fetched when tallyhook has started"),
        Err(why) if server.tls.mode() == "acme" => Finding::warning(
            "certificate",
            why,
            "run this as root or as the user that tallyhook runs as, and see that it may write to its state folder",
        ),
        Err(why) => Finding::error("certificate", why, "correct the files of server.tls: tallyhook does not start so"),
    }
}

fn without_tls(server: &Server) -> Finding {
    match &server.public_url {
        Some(url) if url.starts_with("https://") => {
            Finding::ok("certificate", "TLS is off: a proxy in front has to show the certificate")
        }
        _ => Finding::ok("certificate", "TLS is off, and no https address is given"),
    }
}

/// What stands in the certificate of two files that belong together.
fn facts_of(cert: &Path, key: &Path) -> Result<Facts, String> {
    let certificate = Certificate::load(cert, key).map_err(|error| error.to_string())?;
    certificate.facts().ok_or_else(|| format!("{}: the first certificate in it can't be read", cert.display()))
}

fn judge(tls: &Tls, names: &[String], served: io::Result<Served>, status: &Value, now: Timestamp) -> Finding {
    let served = match served {
        Ok(served) => served,
        Err(error) => {
            if is_being_fetched(status) {
                return Finding::warning("certificate", "the certificate is being fetched", ASK_AGAIN);
            }
            let why = match status["certificate"]["last_error"].as_str() {
                Some(reason) => format!("there is no certificate yet: {reason}"),
                None => format!("no certificate is shown: {error}"),
            };
            let fix = match tls {
                Tls::Acme(_) => {
                    "the authority has to reach this server under its name on port 443: mend DNS and firewall, then `systemctl reload \
                     tallyhook` tries at once, unless the authority asked to wait"
                }
                _ => {
                    "the running tallyhook was started with another configuration, or something else listens there: `systemctl restart \
                     tallyhook`, then look at `ss -ltnp`"
                }
            };
            return Finding::error("certificate", why, fix);
        }
    };
    match Facts::read(&served.certificate) {
        // The old one is shown until the one for the configured names has come.
        Some(facts) if is_being_fetched(status) && !missing(&facts, names).is_empty() => {
            Finding::warning("certificate", "the certificate for these names is being fetched", ASK_AGAIN)
        }
        Some(facts) => judge_facts(tls, names, &facts, served.doubt, now),
        None => Finding::error("certificate", "what is shown as a certificate can't be read", mend(tls)),
    }
}

fn mend(tls: &Tls) -> &'static str {
    match tls {
        Tls::Acme(_) => {
            "correct server.tls.domains, then `systemctl restart tallyhook`; the certificate is fetched by itself, and `tallyhook status` \
             says why when it is not"
        }
        _ => "put another certificate into the files of server.tls; it is taken up by itself",
    }
}

/// The names that a certificate is not for.
fn missing<'a>(facts: &Facts, names: &'a [String]) -> Vec<&'a str> {
    names.iter().map(String::as_str).filter(|name| !facts.names.iter().any(|known| is_for(known, name))).collect()
}

fn judge_facts(tls: &Tls, names: &[String], facts: &Facts, doubt: Option<String>, now: Timestamp) -> Finding {
    let (mend, mode) = (mend(tls), tls.mode());
    let shown = facts.names.join(", ");
    let missing = missing(facts, names);
    if !missing.is_empty() {
        return Finding::error(
            "certificate",
            format!(
                "the certificate is for {shown}, not for {}, so that senders refuse to connect",
                missing.join(", ")
            ),
            mend,
        );
    }
    let validity = Some((facts.not_before, facts.not_after));
    let standing = Standing { mode, names: facts.names.clone(), validity, ..Standing::default() };
    if let Some(problem) = standing.problem(now) {
        let fix = match mode {
            "files" => mend,
            _ => {
                "a running tallyhook renews it by itself; `tallyhook status` says why it did not, and when it tries again"
            }
        };
        return if facts.not_after <= now {
            Finding::error("certificate", problem, fix)
        } else {
            Finding::warning("certificate", problem, fix)
        };
    }
    let days = facts.not_after.since(now).as_secs() / 86_400;
    match doubt {
        Some(doubt) => Finding::warning(
            "certificate",
            format!(
                "the certificate for {shown} is good for {days} more days, but not signed by a usual authority: {doubt}"
            ),
            doubtful(tls),
        ),
        None => Finding::ok("certificate", format!("the certificate for {shown} is good for {days} more days")),
    }
}

/// What to do about a certificate that senders do not trust.
const fn doubtful(tls: &Tls) -> &'static str {
    match tls {
        Tls::Acme(_) => {
            "senders like Stripe refuse it: with `staging` in server.tls it is a rehearsal, so take that out and `systemctl restart \
             tallyhook`; an authority of your own is right only for senders that know it"
        }
        _ => {
            "senders like Stripe refuse it, unless a proxy in front shows another; server.tls with mode = \"acme\" fetches one that \
             they take, and cert has to hold the whole chain"
        }
    }
}

/// Whether a name in a certificate, perhaps with a star for its first part, is for a host (RFC 9525, 6.3).
fn is_for(known: &str, host: &str) -> bool {
    match (known.strip_prefix("*."), host.split_once('.')) {
        (Some(rest), Some((first, behind))) => !first.is_empty() && rest.eq_ignore_ascii_case(behind),
        _ => known.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Level;
    use super::*;

    fn served(name: &str, doubt: Option<&str>) -> Served {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        Served { certificate: made.cert.der().to_vec(), doubt: doubt.map(str::to_owned) }
    }

    fn found(names: &[&str], served: io::Result<Served>, now: &str) -> Finding {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        judge(&files(), &names, served, &json!({}), now.parse().unwrap())
    }

    fn files() -> Tls {
        Tls::Files { cert: "cert.pem".into(), key: "key.pem".into() }
    }

    fn acme() -> Tls {
        Tls::Acme(Box::new(crate::config::Acme {
            domains: vec!["a.example".to_owned()],
            contact: None,
            directory: "https://ca.example/dir".to_owned(),
            ca_root: None,
            eab: None,
            http_listen: None,
            retry: std::time::Duration::from_secs(60),
            allow_private_addresses: false,
        }))
    }

    #[test]
    fn the_advice_is_of_the_way_the_certificate_comes() {
        let (names, now) = (["a.example".to_owned()], "2026-11-22T10:00:00Z".parse().unwrap());
        let fix = |tls: &Tls, served: io::Result<Served>| judge(tls, &names, served, &json!({}), now).fix.unwrap();
        let doubted = || Ok(served("a.example", Some("UnknownIssuer")));
        assert!(fix(&acme(), doubted()).contains("staging") && !fix(&files(), doubted()).contains("staging"));
        let closed = || Err(io::Error::other("closed"));
        assert!(fix(&acme(), closed()).contains("the authority") && !fix(&files(), closed()).contains("the authority"));
        let other = || Ok(served("b.example", None));
        assert!(fix(&acme(), other()).contains("systemctl restart"), "a reload refuses another server.tls");
        assert!(fix(&files(), other()).contains("taken up by itself"));
    }

    #[test]
    fn the_first_certificate_takes_its_time() {
        let (names, now) = (["a.example".to_owned()], "2026-11-22T10:00:00Z".parse().unwrap());
        let found = |served: io::Result<Served>, failures: u8| {
            let status =
                json!({"certificate": {"mode": "acme", "expires_at": null, "failures": failures, "last_error": null}});
            judge(&acme(), &names, served, &status, now).level
        };
        assert_eq!(found(Err(io::Error::other("closed")), 0), Level::Warning);
        assert_eq!(found(Ok(served("old.example", None)), 0), Level::Warning);
        assert_eq!(found(Err(io::Error::other("closed")), 1), Level::Error);
    }

    #[test]
    fn names_and_time_left_decide() {
        let today = "2026-11-22T10:00:00Z";
        let good = found(&["a.example"], Ok(served("a.example", None)), today);
        assert_eq!(good.level, Level::Ok, "{good:?}");
        assert_eq!(found(&["a.example"], Ok(served("*.example", None)), today).level, Level::Ok);
        let other = found(&["b.example"], Ok(served("a.example", None)), today);
        assert_eq!(other.level, Level::Error);
        assert!(other.message.contains("for a.example, not for b.example"), "{}", other.message);
        assert_eq!(found(&["a.example"], Ok(served("a.example", Some("UnknownIssuer"))), today).level, Level::Warning);
        // rcgen's end on the first day of 4096.
        assert_eq!(found(&["a.example"], Ok(served("a.example", None)), "4095-12-25T00:00:00Z").level, Level::Warning);
        assert_eq!(found(&["a.example"], Ok(served("a.example", None)), "4097-01-01T00:00:00Z").level, Level::Error);
        assert_eq!(found(&["a.example"], Err(io::Error::other("closed")), today).level, Level::Error);
    }

    #[test]
    fn files_are_looked_at_while_nothing_runs() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let facts = facts_of(&cert, &key).unwrap();
        let now = "2026-11-22T10:00:00Z".parse().unwrap();
        let found = |name: &str| judge_facts(&files(), &[name.to_owned()], &facts, None, now).level;
        assert_eq!((found("a.example"), found("b.example")), (Level::Ok, Level::Error));
        std::fs::write(&key, "no key").unwrap();
        assert!(facts_of(&cert, &key).unwrap_err().contains("key.pem holds no private key"));
    }

    #[test]
    fn a_star_stands_for_one_part() {
        assert!(is_for("*.example.com", "hooks.example.com"));
        assert!(!is_for("*.example.com", "a.hooks.example.com"));
        assert!(!is_for("*.example.com", "example.com"));
    }
}
