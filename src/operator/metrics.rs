//! The figures of `status` in the text format that Prometheus and its kin read (Prometheus: exposition formats, text 0.0.4).

use std::fmt::Write;

use serde_json::Value;

use crate::model::time::Timestamp;

/// States of a destination as `status` names them.
const DESTINATION_STATES: [&str; 4] = ["active", "paused", "held", "open"];

/// A row of `status` as metrics. Names of sources and destinations are labels; nothing in it is personal.
pub fn render(status: &Value) -> String {
    let mut page = Page(String::new());
    page.begin("tallyhook_info", "gauge", "The running version.");
    page.sample("tallyhook_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    page.one("tallyhook_ok", "Whether nothing in the books or at a destination needs a person.", flag(&status["ok"]));
    let taking = flag(&status["running"]).map(|running| if status["not_taking"].is_null() { running } else { 0.0 });
    page.one("tallyhook_ready", "Whether a webhook would be stored now.", taking);
    let problems = status["problems"].as_array().map(|problems| count(problems.len()));
    page.one("tallyhook_problems", "Things that need a person.", problems);
    page.one("tallyhook_webhooks", "Webhooks ever stored.", number(&status["events"]));

    let sources = rows(&status["sources"]);
    page.each("tallyhook_source_webhooks", "Webhooks stored, by source.", "source", sources, |row| {
        number(&row["count"])
    });
    let last = "When the last webhook of a source came, in Unix seconds.";
    page.each("tallyhook_source_last_webhook_timestamp_seconds", last, "source", sources, |row| {
        time(&row["last_event_at"])
    });
    let rejected = "Requests refused in the last 24 hours, by source.";
    page.each("tallyhook_source_rejected", rejected, "source", sources, |row| number(&row["rejected"]));

    let destinations = rows(&status["destinations"]);
    page.begin("tallyhook_deliveries", "gauge", "Deliveries, by destination and state.");
    for row in destinations {
        for state in crate::model::delivery::STATE_NAMES {
            if let Some(count) = number(&row[state]) {
                page.sample("tallyhook_deliveries", &[("destination", name(row)), ("state", state)], count);
            }
        }
    }
    page.begin("tallyhook_destination_state", "gauge", "1 for the state that a destination is in.");
    for row in destinations {
        for state in DESTINATION_STATES {
            let is = if row["state"] == state { 1.0 } else { 0.0 };
            page.sample("tallyhook_destination_state", &[("destination", name(row)), ("state", state)], is);
        }
    }
    let oldest = "When the oldest delivery that is still pending was planned, in Unix seconds.";
    page.each("tallyhook_oldest_pending_timestamp_seconds", oldest, "destination", destinations, |row| {
        time(&row["oldest_pending_at"])
    });

    let certificate = &status["certificate"];
    let expires = "When the certificate expires, in Unix seconds.";
    page.one("tallyhook_certificate_expiry_timestamp_seconds", expires, time(&certificate["expires_at"]));
    let failures = "Tries in a row that gave no new certificate.";
    page.one("tallyhook_certificate_failures", failures, number(&certificate["failures"]));
    page.one("tallyhook_store_data_bytes", "Data in the store.", number(&status["store"]["data_bytes"]));
    page.one("tallyhook_store_file_bytes", "Size of the store's file.", number(&status["store"]["file_bytes"]));
    page.one("tallyhook_leads", "Leads that are kept.", number(&status["leads"]));
    let sales = &status["sales_from"]["last_7_days"];
    page.one("tallyhook_first_sales_7d", "First sales of the last 7 days.", number(&sales["sales"]));
    page.begin(
        "tallyhook_first_sales_7d_known",
        "gauge",
        "Those of them of which it is known where they came from, by what.",
    );
    for by in ["client_id", "session_id", "utm"] {
        if let Some(count) = number(&sales[by]) {
            page.sample("tallyhook_first_sales_7d_known", &[("by", by)], count);
        }
    }
    page.0
}

struct Page(String);

impl Page {
    fn begin(&mut self, metric: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {metric} {help}\n# TYPE {metric} {kind}");
    }

    fn sample(&mut self, metric: &str, labels: &[(&str, &str)], value: f64) {
        let labels: Vec<String> = labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "{metric}{labels} {value}");
    }

    /// A metric without labels, where it is known.
    fn one(&mut self, metric: &str, help: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.begin(metric, "gauge", help);
            self.sample(metric, &[], value);
        }
    }

    /// A metric with a name as its label, of each row of which it is known.
    fn each(&mut self, metric: &str, help: &str, label: &str, rows: &[Value], value: impl Fn(&Value) -> Option<f64>) {
        self.begin(metric, "gauge", help);
        for row in rows {
            if let Some(value) = value(row) {
                self.sample(metric, &[(label, name(row))], value);
            }
        }
    }
}

fn rows(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn name(row: &Value) -> &str {
    row["name"].as_str().unwrap_or_default()
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

#[allow(clippy::cast_precision_loss)]
fn count(items: usize) -> f64 {
    items as f64
}

fn flag(value: &Value) -> Option<f64> {
    value.as_bool().map(|is| if is { 1.0 } else { 0.0 })
}

/// A time of `status`, in Unix seconds.
#[allow(clippy::cast_precision_loss)]
fn time(value: &Value) -> Option<f64> {
    let at: Timestamp = value.as_str()?.parse().ok()?;
    Some(at.millis() as f64 / 1000.0)
}

/// A label's value (Prometheus: backslash, quote and line feed are escaped).
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_status_says_is_there_and_what_it_does_not_know_is_left_out() {
        let page = render(&json!({
            "ok": false, "running": true, "not_taking": null, "problems": ["one"], "events": 3,
            "sources": [{"name": "stripe", "count": 3, "last_event_at": "2026-11-22T00:00:00Z", "rejected": 1},
                {"name": "odd\"name", "count": 0, "last_event_at": null, "rejected": 0}],
            "destinations": [{"name": "ga4", "state": "held", "pending": 2, "delivered": 1, "suppressed": 0, "failed": 0,
                "discarded": 0, "oldest_pending_at": "2026-11-22T00:00:00.500Z"}],
            "certificate": {"expires_at": "2027-02-20T11:46:13Z", "failures": 0},
            "store": {"data_bytes": 10, "file_bytes": 4096}, "leads": 0,
            "sales_from": {"last_7_days": {"sales": 1, "client_id": 1, "session_id": 0, "utm": 0}},
        }));
        for line in [
            "tallyhook_ok 0",
            "tallyhook_ready 1",
            "tallyhook_problems 1",
            "tallyhook_source_webhooks{source=\"stripe\"} 3",
            "tallyhook_source_webhooks{source=\"odd\\\"name\"} 0",
            "tallyhook_source_last_webhook_timestamp_seconds{source=\"stripe\"} 1795305600",
            "tallyhook_deliveries{destination=\"ga4\",state=\"pending\"} 2",
            "tallyhook_destination_state{destination=\"ga4\",state=\"held\"} 1",
            "tallyhook_destination_state{destination=\"ga4\",state=\"active\"} 0",
            "tallyhook_oldest_pending_timestamp_seconds{destination=\"ga4\"} 1795305600.5",
            "tallyhook_certificate_expiry_timestamp_seconds 1803123973",
            "tallyhook_first_sales_7d_known{by=\"client_id\"} 1",
        ] {
            assert!(page.lines().any(|known| known == line), "{line} is not in\n{page}");
        }
        assert!(!page.contains("last_webhook_timestamp_seconds{source=\"odd"), "{page}");
        let without = render(&json!({"running": false, "not_taking": null}));
        assert!(!without.contains("certificate") && without.contains("tallyhook_ready 0"), "{without}");
    }

    #[test]
    fn every_metric_is_explained_once_before_its_samples() {
        let page = render(&json!({"ok": true, "sources": [{"name": "a", "count": 1}, {"name": "b", "count": 2}]}));
        let mut explained = Vec::new();
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let metric = rest.split(' ').next().unwrap();
                assert!(!explained.contains(&metric), "{metric} twice");
                explained.push(metric);
            } else if !line.starts_with('#') {
                let metric = line.split(['{', ' ']).next().unwrap();
                assert_eq!(explained.last(), Some(&metric), "{line}");
            }
        }
    }
}
