//! `tallyhook status`.

use std::io::{self, Write};

use clap::Args;
use serde_json::Value;

use super::destinations::COLUMNS as DESTINATIONS;
use super::output::show;
use super::table::{Column, Table, field, left, moment, plain, right, size};
use super::{Failure, Setting, access};
use crate::operator::{Request, render_metrics};

/// Arguments of `status`.
#[derive(Debug, Args)]
#[command(after_help = "\
Asks the running tallyhook; when none runs, its store file. In the JSON `ok` says whether anything in the books or at a \
destination needs a person, and `running` whether tallyhook runs: that it does not stands among `problems`, but leaves `ok` as \
it is. A monitor watches both, or the health page. `hints` are worth a look and leave `ok` as it is, too. The exit code only \
says whether the page could be made.

Examples:
  tallyhook status
  tallyhook status --json | jq .problems
  tallyhook status --metrics > /var/lib/node_exporter/tallyhook.prom")]
pub(super) struct Status {
    /// Print figures for Prometheus instead, as GET /metrics on the admin socket has them
    #[arg(long, conflicts_with = "json")]
    metrics: bool,
}

/// Columns of destinations that are shown when nothing waits: all but since when and until when.
const WITHOUT_PENDING: usize = 7;

static SOURCES: [Column; 4] = [
    left("SOURCE", |row| field(row, "name")),
    right("EVENTS", |row| field(row, "count")),
    left("LAST EVENT (UTC)", |row| moment(row, "last_event_at")),
    right("REFUSED (24H)", |row| field(row, "rejected")),
];

impl Status {
    /// Shows the page.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        if self.metrics {
            let row = access::ask_one(setting, &Request::Status)?;
            return Ok(out.write_all(render_metrics(&row).as_bytes())?);
        }
        show(setting, &Request::Status, page, out)
    }
}

fn page(row: &Value, out: &mut dyn Write) -> io::Result<()> {
    let sentences = |name: &str| -> Vec<String> {
        row[name].as_array().into_iter().flatten().filter_map(Value::as_str).map(plain).collect()
    };
    let problems = sentences("problems");
    // That it does not run is a problem of its own.
    let running = if row["running"] == true { "tallyhook is running; " } else { "" };
    match problems.len() {
        0 => writeln!(out, "all is well: {running}nothing needs you")?,
        1 => writeln!(out, "{running}1 thing needs you:")?,
        several => writeln!(out, "{running}{several} things need you, the worst first:")?,
    }
    for problem in problems {
        writeln!(out, "! {problem}")?;
    }
    for hint in sentences("hints") {
        writeln!(out, "- {hint}")?;
    }
    writeln!(out)?;
    table(&SOURCES, &row["sources"], out)?;
    let waiting = row["deliveries"]["pending"].as_u64().unwrap_or(1) > 0;
    table(if waiting { &DESTINATIONS } else { &DESTINATIONS[..WITHOUT_PENDING] }, &row["destinations"], out)?;
    let counts = &row["deliveries"];
    writeln!(
        out,
        "{} events; deliveries: {} pending, {} delivered, {} suppressed, {} failed, {} discarded",
        field(row, "events"),
        field(counts, "pending"),
        field(counts, "delivered"),
        field(counts, "suppressed"),
        field(counts, "failed"),
        field(counts, "discarded")
    )?;
    let ids = &row["ga4_client_ids"];
    if ids["browser"].as_u64().unwrap_or(0) + ids["derived"].as_u64().unwrap_or(0) > 0 {
        let (browser, derived) = (field(ids, "browser"), field(ids, "derived"));
        writeln!(out, "GA4 client ids of sales: {browser} from a browser, {derived} derived")?;
    }
    let certificate = &row["certificate"];
    if certificate["expires_at"].is_string() {
        let names: Vec<String> =
            certificate["names"].as_array().into_iter().flatten().filter_map(Value::as_str).map(plain).collect();
        write!(out, "certificate for {}: expires {}", names.join(", "), moment(certificate, "expires_at"))?;
        match certificate["renews_at"].is_string() {
            true => writeln!(out, ", renewed by itself from {} on", moment(certificate, "renews_at"))?,
            false => writeln!(out)?,
        }
        if certificate["last_error"].is_string() {
            writeln!(
                out,
                "  the last try at {}: {}",
                moment(certificate, "last_error_at"),
                field(certificate, "last_error")
            )?;
        }
    }
    for (days, name) in [(7, "last_7_days"), (30, "last_30_days")] {
        let of = &row["sales_from"][name];
        let sales = of["sales"].as_u64().unwrap_or(0);
        if sales > 0 {
            let share = |name: &str| of[name].as_u64().unwrap_or(0) * 100 / sales;
            writeln!(
                out,
                "first sales of the last {days} days: {sales}; with a client id {} %, a session id {} %, UTM or a click id {} %",
                share("client_id"),
                share("session_id"),
                share("utm")
            )?;
        }
    }
    if row["leads"].as_u64().unwrap_or(0) > 0 {
        writeln!(out, "leads kept: {}", field(row, "leads"))?;
    }
    let store = &row["store"];
    writeln!(out, "store: {} of data in a file of {}", bytes(&store["data_bytes"]), bytes(&store["file_bytes"]))?;
    let upgraded = &store["upgraded"];
    if upgraded["at"].is_string() {
        let (from, to) = (field(upgraded, "from"), field(upgraded, "to"));
        writeln!(
            out,
            "  brought from layout {from} to {to} at {} UTC; the backup made before: {}",
            moment(upgraded, "at"),
            field(upgraded, "backup")
        )?;
    }
    Ok(())
}

fn table(columns: &'static [Column], rows: &Value, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(columns);
    for row in rows.as_array().into_iter().flatten() {
        table.add(row, out)?;
    }
    if table.end(out)? > 0 { writeln!(out) } else { Ok(()) }
}

fn bytes(value: &Value) -> String {
    value.as_u64().map_or_else(|| "unknown size".to_owned(), size)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(row: &Value) -> String {
        let mut out = Vec::new();
        page(row, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_first_line_says_whether_anything_needs_a_person() {
        let mut row = json!({
            "running": true, "problems": [], "deliveries": {"pending": 0},
            "destinations": [{"name": "crm", "state": "active"}],
        });
        assert!(shown(&row).starts_with("all is well: tallyhook is running"), "{}", shown(&row));
        assert!(!shown(&row).contains("NEXT ATTEMPT"), "nothing waits");
        row["hints"] = json!(["no webhook has come yet"]);
        assert_eq!(shown(&row).lines().nth(1), Some("- no webhook has come yet"));
        row["sales_from"] = json!({"last_7_days": {"sales": 3, "client_id": 2, "session_id": 1, "utm": 3}});
        let line =
            "first sales of the last 7 days: 3; with a client id 66 %, a session id 33 %, UTM or a click id 100 %";
        assert!(shown(&row).contains(line), "{}", shown(&row));
        row["deliveries"]["pending"] = json!(3);
        assert!(shown(&row).contains("NEXT ATTEMPT"));
        row["problems"] = json!(["crm is held", "1 delivery to ga4 failed"]);
        row["running"] = json!(false);
        row["certificate"] = json!({
            "names": ["a.example", "b.example"], "expires_at": "2026-12-24T10:00:00.000Z", "renews_at": "2026-11-24T10:00:00.000Z",
        });
        let line = "certificate for a.example, b.example: expires 2026-12-24 10:00:00, renewed by itself from 2026-11-24 10:00:00 on";
        row["store"]["upgraded"] = json!({"from": 1, "to": 2, "at": "2026-11-22T10:00:00.000Z", "backup": "tallyhook.redb.before-layout-2.backup"});
        let page = shown(&row);
        assert!(page.contains(line), "{page}");
        let line = "brought from layout 1 to 2 at 2026-11-22 10:00:00 UTC; the backup made before: tallyhook.redb.before-layout-2";
        assert!(page.contains(line), "{page}");
        assert!(page.starts_with("2 things need you, the worst first"), "{page}");
        assert_eq!(page.lines().nth(1), Some("! crm is held"));
    }
}
