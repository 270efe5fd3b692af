//! Waiting for what a new installation does first: a certificate, and an event.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cli::output::json_line;
use crate::cli::table::field;
use crate::cli::{Failure, Setting, access};
use crate::model::time::{Timestamp, format_span};
use crate::operator::{Filter, List, Request};

/// How often the running daemon is asked.
const LOOK: Duration = Duration::from_millis(500);
/// How long the first certificate is waited for; an authority takes a few seconds.
const CERTIFICATE: Duration = Duration::from_secs(60);

/// Waits until there is a certificate, or it is known why there is none yet: what is examined before would look worse than it is.
pub(super) fn for_certificate(setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    if !setting.json {
        writeln!(out, "waiting for the certificate …")?;
        out.flush()?;
    }
    let begun = Instant::now();
    while begun.elapsed() < CERTIFICATE {
        // Whoever can't ask learns why from what is examined next.
        let Ok(rows) = access::ask_running(setting, &Request::Status) else { break };
        if rows.and_then(|mut rows| rows.pop()).is_some_and(|status| is_decided(&status["certificate"])) {
            break;
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

fn is_decided(certificate: &Value) -> bool {
    certificate.is_null() || certificate["expires_at"].is_string() || certificate["last_error"].is_string()
}

/// Waits for the first event since some moment and shows it.
pub(super) fn for_event(
    setting: &Setting<'_>,
    since: Timestamp,
    patience: Duration,
    endpoint: &str,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let since = Some(since.to_string());
    let request =
        Request::EventsList(List { filter: Filter { since, ..Filter::default() }, limit: Some(1), after: None });
    if !setting.json {
        writeln!(out, "\nwaiting for the first event at {endpoint} …")?;
        out.flush()?;
    }
    let begun = Instant::now();
    loop {
        // Nobody there yet is no failure: it may be started meanwhile.
        if let Some(row) = access::ask_running(setting, &request)?.and_then(|mut rows| rows.pop()) {
            if setting.json {
                return json_line(out, &row);
            }
            let (id, name) = (field(&row, "id"), field(&row, "type"));
            let kinds: Vec<String> =
                row["business_events"].as_array().into_iter().flatten().map(|event| field(event, "kind")).collect();
            let told = if kinds.is_empty() { String::new() } else { format!(", which makes {}", kinds.join(", ")) };
            writeln!(out, "it arrived: {name}{told}\n`tallyhook events show {id}` tells what became of it")?;
            return Ok(());
        }
        if begun.elapsed() >= patience {
            return Err(Failure::Failed(format!(
                "no event came to {endpoint} in {}: `tallyhook doctor` says whether this end is ready; in Stripe's dashboard the \
                 endpoint shows what it was answered",
                format_span(patience)
            )));
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_certificate_is_waited_for_until_it_is_there_or_refused() {
        assert!(!is_decided(&json!({"mode": "acme", "expires_at": null, "last_error": null})));
        assert!(is_decided(&json!({"mode": "acme", "expires_at": "2027-01-01T00:00:00Z", "last_error": null})));
        assert!(is_decided(&json!({"mode": "acme", "expires_at": null, "last_error": "no DNS"})));
        assert!(is_decided(&Value::Null), "without TLS there is none to wait for");
    }
}
