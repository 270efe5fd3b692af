//! `tallyhook events`.

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::event_page::page;
use super::flags::{ListFlags, TimeFlags};
use super::output::{Listing, json_line, list, show};
use super::table::{Column, field, left, mode, moment, plain};
use super::{Failure, Setting, access};
use crate::operator::{Filter, Request};

/// Arguments of `events`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tallyhook events list --since 2h
  tallyhook events list --kind purchase --all --json
  tallyhook events list --odd --since 2026-11-20
  tallyhook events show evt_1Q…
  tallyhook events replay w12 --dry-run
  tallyhook events replay w12           after an upgrade, or a changed setting")]
pub(super) struct Events {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Webhooks, newest first
    List(EventsList),
    /// What one webhook was taken for, what it was joined with and why, and what went where
    Show {
        /// w12, or the provider's own id
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Interpret stored webhooks again and add what is missing; nothing is done twice
    Replay {
        /// w12, or the provider's own id
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
        /// Only say what would be added
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
struct EventsList {
    #[command(flatten)]
    list: ListFlags,
    #[command(flatten)]
    times: TimeFlags,
    /// From this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Of which this destination is told
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// With this kind of business event, purchase
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// What it was taken for: accepted, ignored, unreadable
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// With the provider's name of the event, checkout.session.completed
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// With something odd that a person should see, such as no amount or an unknown currency
    #[arg(long)]
    odd: bool,
}

static COLUMNS: [Column; 8] = [
    left("ID", |row| field(row, "id")),
    left("RECEIVED (UTC)", |row| moment(row, "received_at")),
    left("SOURCE", |row| field(row, "source")),
    left("TYPE", |row| field(row, "type")),
    left("MODE", mode),
    left("STATUS", |row| field(row, "status")),
    left("MEANS", kinds),
    left("PROVIDER ID", |row| field(row, "provider_id")),
];

/// What it was the first to tell of; what others had told before, or tell of now, in brackets.
fn kinds(row: &Value) -> String {
    let events = row["business_events"].as_array().into_iter().flatten();
    let kind = |event: &Value| match event["from_this_event"] == false || event["withdrawn"] == true {
        true => format!("({})", field(event, "kind")),
        false => field(event, "kind"),
    };
    let kinds: Vec<String> = events.map(kind).collect();
    if kinds.is_empty() { "-".to_owned() } else { kinds.join(", ") }
}

impl Events {
    /// Runs the subcommand.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        match self.command {
            Command::List(EventsList { list: flags, times, source, destination, kind, state, event_type, odd }) => {
                let odd = odd.then_some(true);
                let filter = Filter { source, destination, kind, state, event_type, odd, ..times.filter() };
                let listing = Listing { columns: &COLUMNS, what: "events" };
                list(setting, &flags, filter, Request::EventsList, &listing, out)
            }
            Command::Show { id } => show(setting, &Request::EventsShow { id }, page, out),
            Command::Replay { ids, dry_run } => replay(setting, ids, dry_run, out),
        }
    }
}

fn replay(setting: &Setting<'_>, ids: Vec<String>, dry_run: bool, out: &mut dyn Write) -> Result<(), Failure> {
    let (mut all, mut refused) = (0, Vec::new());
    access::ask(setting, &Request::EventsReplay { ids, dry_run }, &mut |row| {
        all += 1;
        let id = field(&row, "id");
        if row["result"] == "refused" {
            refused.push(format!("{id} was not replayed: {}", field(&row, "reason")));
        }
        if setting.json {
            return json_line(out, &row);
        }
        match row["result"].as_str() {
            Some("refused") => {} // told at the end
            _ => writeln!(out, "{}", replayed(&row))?,
        }
        Ok(())
    })?;
    match &refused[..] {
        [] => Ok(()),
        [reason] if all == 1 => Err(Failure::Failed(reason.clone())),
        reasons => {
            Err(Failure::Failed(format!("{} of {all} were not replayed:\n  {}", reasons.len(), reasons.join("\n  "))))
        }
    }
}

/// What a replay did, in a line.
fn replayed(row: &Value) -> String {
    let id = field(row, "id");
    if row["result"] == "unchanged" {
        return format!("{id}: nothing to add, the books have all that it says");
    }
    let mut done = Vec::new();
    if row["status_before"] != row["status"] {
        done.push(format!("was {} and is {}", field(row, "status_before"), field(row, "status")));
    }
    for (what, name) in [("added", "business_events_added"), ("corrected", "business_events_corrected")] {
        let kinds: Vec<String> =
            row[name].as_array().into_iter().flatten().filter_map(Value::as_str).map(plain).collect();
        if !kinds.is_empty() {
            done.push(format!("{what} {}", kinds.join(", ")));
        }
    }
    match row["deliveries_added"].as_u64() {
        Some(0) | None => {}
        Some(1) => done.push("1 new delivery".to_owned()),
        Some(several) => done.push(format!("{several} new deliveries")),
    }
    match row["deliveries_taken_up"].as_u64() {
        Some(0) | None => {}
        Some(1) => done.push("1 delivery taken up again".to_owned()),
        Some(several) => done.push(format!("{several} deliveries taken up again")),
    }
    let would = if row["result"] == "would_replay" { "a replay would do this: " } else { "" };
    format!("{id}: {would}{}", done.join("; "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_replay_is_told_in_a_line() {
        let mut row = json!({
            "id": "w1", "result": "replayed", "status_before": "unreadable", "status": "accepted",
            "business_events_added": ["purchase"], "business_events_corrected": [], "deliveries_added": 2,
        });
        assert_eq!(replayed(&row), "w1: was unreadable and is accepted; added purchase; 2 new deliveries");
        row["result"] = json!("would_replay");
        assert!(replayed(&row).starts_with("w1: a replay would do this: was unreadable"), "{}", replayed(&row));
        row["result"] = json!("replayed");
        row["status_before"] = json!("accepted");
        row["business_events_added"] = json!([]);
        row["deliveries_added"] = json!(1);
        assert_eq!(replayed(&row), "w1: 1 new delivery");
        row["deliveries_added"] = json!(0);
        row["deliveries_taken_up"] = json!(1);
        assert_eq!(replayed(&row), "w1: 1 delivery taken up again");
        row["result"] = json!("unchanged");
        assert!(replayed(&row).contains("nothing to add"));
    }
}
