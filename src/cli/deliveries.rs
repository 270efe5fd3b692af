//! `tallyhook deliveries`.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::flags::{ListFlags, TimeFlags};
use super::output::{Listing, list, show};
use super::table::{Column, field, left, mode, moment, right};
use super::{Failure, Setting};
use crate::operator::{Filter, Request};

/// Arguments of `deliveries`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tallyhook deliveries list --destination crm --state pending
  tallyhook deliveries list --kind refund --since 7d --json
  tallyhook deliveries show b12.3       every attempt and its answer")]
pub(super) struct Deliveries {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Deliveries, newest first
    List(DeliveriesList),
    /// One delivery with its attempts
    Show {
        /// From the list, b12.3
        #[arg(value_name = "ID")]
        id: String,
    },
}

#[derive(Debug, Args)]
struct DeliveriesList {
    #[command(flatten)]
    list: ListFlags,
    #[command(flatten)]
    times: TimeFlags,
    /// Of events from this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// For this destination
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// Of this kind of business event, purchase
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// pending, delivered, suppressed, failed, discarded
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
}

static COLUMNS: [Column; 8] = [
    left("ID", |row| field(row, "id")),
    left("CREATED (UTC)", |row| moment(row, "created_at")),
    left("DESTINATION", |row| field(row, "destination")),
    left("KIND", |row| field(row, "kind")),
    right("AMOUNT", |row| field(row, "amount")),
    left("STATE", |row| field(row, "state")),
    right("ATTEMPTS", |row| field(row, "attempts")),
    left("WHY, OR NEXT ATTEMPT (UTC)", why),
];

impl Deliveries {
    /// Runs the subcommand.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        match self.command {
            Command::List(DeliveriesList { list: flags, times, source, destination, kind, state }) => {
                let filter = Filter { source, destination, kind, state, ..times.filter() };
                let listing = Listing { columns: &COLUMNS, what: "deliveries" };
                list(setting, &flags, filter, Request::DeliveriesList, &listing, out)
            }
            Command::Show { id } => show(setting, &Request::DeliveriesShow { id }, page, out),
        }
    }
}

/// Why it is in its state, or when it is tried next.
pub(super) fn why(row: &Value) -> String {
    if row["state"] != "pending" {
        let reason = field(row, "reason");
        return match row["explanation"].as_str() {
            Some(explanation) => format!("{reason}, {}", super::table::plain(explanation)),
            None => reason,
        };
    }
    let next = moment(row, "next_attempt_at");
    match row["waits_for"].as_str() {
        None => next,
        Some("settling") => format!("{next}, unless what it waits for comes first"),
        Some("next_attempt") => format!("{next}, after a failed attempt"),
        Some("address") => format!("{next}, unless an e-mail address comes first"),
        Some("slow_down") => "soon: the destination asked to be told slower".to_owned(),
        Some("open") => "the destination fails again and again".to_owned(),
        Some(state) => format!("the destination is {state}"),
    }
}

/// A delivery on one line.
pub(super) fn delivery_line(row: &Value) -> String {
    let mut line = format!("{} → {}: {}", field(row, "id"), field(row, "destination"), field(row, "state"));
    let why = why(row);
    if why != "-" {
        let next = if why.starts_with(|c: char| c.is_ascii_digit()) { "next attempt " } else { "" };
        line.push_str(&format!(", {next}{why}"));
    }
    line
}

/// The attempts of a delivery, a line or two each.
pub(super) fn attempts(row: &Value, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    for attempt in row["history"].as_array().into_iter().flatten() {
        let (at, took) = (moment(attempt, "at"), field(attempt, "took_ms"));
        writeln!(out, "{indent}{at} UTC, {took} ms: {}", field(attempt, "outcome"))?;
        for line in attempt["sent"].as_str().unwrap_or_default().lines() {
            writeln!(out, "{indent}  > {}", super::table::plain(line))?;
        }
        let excerpt = field(attempt, "excerpt");
        if excerpt != "-" {
            writeln!(out, "{indent}  < {} {excerpt}", field(attempt, "status"))?;
        }
    }
    Ok(())
}

/// One delivery on one screen.
pub(super) fn page(row: &Value, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}  {}", delivery_line(row), mode(row))?;
    writeln!(
        out,
        "{} of {}, transaction {}, contact {}, from event {}",
        field(row, "kind"),
        field(row, "amount"),
        field(row, "transaction_id"),
        field(row, "contact"),
        field(row, "event")
    )?;
    writeln!(out, "key {}", field(row, "key"))?;
    writeln!(
        out,
        "attempts {}, generation {}, last status {}, deadline {}",
        field(row, "attempts"),
        field(row, "generation"),
        field(row, "last_status"),
        moment(row, "deadline")
    )?;
    for mark in row["marks"].as_array().into_iter().flatten() {
        writeln!(out, "note: {}", field(mark, "sentence"))?;
    }
    if row["next_step"].is_string() {
        writeln!(out, "next step: {}", field(row, "next_step"))?;
    }
    attempts(row, "", out)
}
