//! `tallyhook destinations`.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::access;
use super::flags::ListFlags;
use super::output::{json_line, print_rows, show};
use super::table::{Column, Table, field, left, moment, plain, right};
use super::{Failure, Setting};
use crate::operator::{Filter, Request};

/// Arguments of `destinations`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tallyhook destinations list
  tallyhook destinations list --state held
  tallyhook destinations pause crm      deliveries are kept, none is dropped
  tallyhook destinations resume crm     after mending a key, too
  tallyhook destinations test crm
  tallyhook destinations preview evt_1Q2   what each would be sent, or why not
  tallyhook destinations preview b12 --destination ga4")]
pub(super) struct Destinations {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Destinations with their state and counts
    List(DestinationsList),
    /// Hold deliveries back; they are kept
    Pause(Name),
    /// Let deliveries go again, after a pause, a hold or an outage
    Resume(Name),
    /// Ask it whether it works and takes the key, with a request that only reads
    Test(Name),
    /// What each destination would be sent of an event, or why not; nothing is sent
    Preview(Preview),
}

#[derive(Debug, Args)]
struct Preview {
    /// Our number w12, a business event's b12, or the provider's own id
    #[arg(value_name = "EVENT_ID")]
    id: String,
    /// Only this one, as configured
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
}

#[derive(Debug, Args)]
struct DestinationsList {
    #[command(flatten)]
    list: ListFlags,
    /// This one
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// Of this kind: ga4, rest, hubspot, gohighlevel, mailerlite, webhook
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// active, paused, held, open
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
}

#[derive(Debug, Args)]
struct Name {
    /// As configured
    #[arg(value_name = "NAME")]
    name: String,
}

/// Destinations in lists.
pub(super) static COLUMNS: [Column; 9] = [
    left("DESTINATION", |row| field(row, "name")),
    left("KIND", |row| field(row, "kind")),
    left("STATE", |row| field(row, "state")),
    right("PENDING", |row| field(row, "pending")),
    right("FAILED", |row| field(row, "failed")),
    right("DELIVERED", |row| field(row, "delivered")),
    right("SUPPRESSED", |row| field(row, "suppressed")),
    left("OLDEST PENDING (UTC)", |row| moment(row, "oldest_pending_at")),
    left("NEXT ATTEMPT (UTC)", |row| moment(row, "next_attempt_at")),
];

impl Destinations {
    /// Runs the subcommand.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        match self.command {
            Command::List(flags) => list(setting, flags, out),
            Command::Pause(Name { name }) => show(setting, &Request::DestinationsPause { name }, changed, out),
            Command::Resume(Name { name }) => show(setting, &Request::DestinationsResume { name }, changed, out),
            Command::Test(Name { name }) => test(setting, name, out),
            Command::Preview(Preview { id, destination }) => preview(setting, id, destination, out),
        }
    }
}

fn list(setting: &Setting<'_>, flags: DestinationsList, out: &mut dyn Write) -> Result<(), Failure> {
    let DestinationsList { list, destination, kind, state } = flags;
    let filter = Filter { destination, kind, state, ..Filter::default() };
    let request = Request::DestinationsList(list.list(filter, false));
    if setting.json {
        return print_rows(setting, &request, out);
    }
    let mut table = Table::new(&COLUMNS);
    let mut reasons = Vec::new();
    for row in access::ask_all(setting, &request)? {
        table.add(&row, out)?;
        if let Some(reason) = row["held"]["reason"].as_str() {
            let since = moment(&row["held"], "since");
            reasons.push(format!("{} is held since {since}: {}", field(&row, "name"), plain(reason)));
        }
    }
    if table.end(out)? == 0 {
        writeln!(out, "no destinations")?;
    }
    for reason in reasons {
        writeln!(out, "\n{reason}")?;
    }
    Ok(())
}

fn changed(row: &Value, out: &mut dyn Write) -> io::Result<()> {
    let already = if row["changed"] == true { "now" } else { "already" };
    writeln!(out, "{} is {already} {}; {} pending", field(row, "name"), field(row, "state"), field(row, "pending"))
}

fn test(setting: &Setting<'_>, name: String, out: &mut dyn Write) -> Result<(), Failure> {
    let row = access::ask_one(setting, &Request::DestinationsTest { name })?;
    let text = format!("{}: {}", field(&row, "name"), field(&row, "explanation"));
    if setting.json {
        json_line(out, &row)?;
    } else if row["ok"] != false {
        writeln!(out, "{text}")?;
    }
    if row["ok"] == false { Err(Failure::Failed(text)) } else { Ok(()) }
}

fn preview(setting: &Setting<'_>, id: String, destination: Option<String>, out: &mut dyn Write) -> Result<(), Failure> {
    let request = Request::DestinationsPreview { id: id.clone(), destination };
    if setting.json {
        return print_rows(setting, &request, out);
    }
    let rows = access::ask_all(setting, &request)?;
    for row in &rows {
        write_preview(row, out)?;
    }
    if rows.is_empty() {
        writeln!(out, "{id} tells no destination anything; `tallyhook events show {id}` says why")?;
    }
    Ok(())
}

fn write_preview(row: &Value, out: &mut dyn Write) -> io::Result<()> {
    write!(
        out,
        "{} {} to {} ({}): ",
        field(row, "business_event"),
        field(row, "kind"),
        field(row, "destination"),
        field(row, "destination_kind")
    )?;
    let (reason, explanation) = (field(row, "reason"), field(row, "explanation"));
    match row["result"].as_str().unwrap_or_default() {
        "would_send" => write!(out, "would be sent")?,
        "would_suppress" => write!(out, "would not be sent: {reason}, {explanation}")?,
        "would_fail" => write!(out, "would fail ({reason}): {explanation}")?,
        "would_wait" => write!(out, "would not be sent yet: {explanation}")?,
        _ => write!(out, "can't be worked out: {explanation}")?,
    }
    match (row["delivery"].as_str(), row["state"].as_str()) {
        (Some(delivery), Some(state)) => writeln!(out, " ({} is {})", plain(delivery), plain(state))?,
        _ => writeln!(out, " (no delivery so far)")?,
    }
    for (at, request) in row["requests"].as_array().into_iter().flatten().enumerate() {
        if at > 0 {
            writeln!(out, "  then, if that finds nobody:")?;
        }
        writeln!(out, "  > {}", field(request, "request"))?;
        for (name, value) in request["headers"].as_object().into_iter().flatten() {
            writeln!(out, "  > {}: {}", plain(name), plain(value.as_str().unwrap_or_default()))?;
        }
    }
    Ok(())
}
