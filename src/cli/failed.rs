//! `tallyhook failed`.

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::consent::Deed;
use super::deliveries::page;
use super::flags::{ListFlags, TimeFlags};
use super::output::{Listing, json_line, list, show};
use super::table::{Column, field, left, moment, right};
use super::{Failure, Setting, access};
use crate::operator::{Filter, Request, Selection};

/// Ids sent with one request.
const IDS_AT_ONCE: usize = 5000;
/// Refusals whose reason is told.
const REFUSALS_SHOWN: usize = 20;

/// Arguments of `failed`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tallyhook failed list
  tallyhook failed show b12.3
  tallyhook failed retry b12.3 --dry-run
  tallyhook failed retry --destination crm --since 2d
  tallyhook failed discard b12.3 --reason \"entered by hand\"")]
pub(super) struct Failed {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What failed and why, oldest first
    List(FailedList),
    /// One failed delivery with its attempts and the next step
    Show {
        /// From the list, b12.3
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Send again, with a fresh budget of attempts
    Retry(Retry),
    /// Decide that it need not be sent
    Discard(Discard),
}

#[derive(Debug, Args)]
struct FailedFlags {
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
    /// Of deliveries in this state: all here are failed
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
    /// rejected, attempts_used_up, deadline_passed, destination_unavailable, invalid, ambiguous
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
}

impl FailedFlags {
    fn filter(self) -> Filter {
        let Self { times, source, destination, kind, state, class } = self;
        Filter { source, destination, kind, state, class, ..times.filter() }
    }
}

#[derive(Debug, Args)]
struct FailedList {
    #[command(flatten)]
    list: ListFlags,
    #[command(flatten)]
    filter: FailedFlags,
}

#[derive(Debug, Args)]
struct Chosen {
    /// These, b12.3
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    filter: FailedFlags,
    /// All that the filter leaves; everything without one
    #[arg(long)]
    all: bool,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
}

impl Chosen {
    fn selection(self, reason: Option<String>) -> Selection {
        Selection { ids: self.ids, filter: self.filter.filter(), all: self.all, dry_run: self.dry_run, reason }
    }
}

#[derive(Debug, Args)]
struct Retry {
    #[command(flatten)]
    chosen: Chosen,
}

#[derive(Debug, Args)]
struct Discard {
    #[command(flatten)]
    chosen: Chosen,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

static DISCARDING: Deed = Deed {
    one: "delivery",
    several: "deliveries",
    verb: "Discard",
    done: "discarded",
    consequence: "They will not be sent.",
};

static COLUMNS: [Column; 7] = [
    left("ID", |row| field(row, "id")),
    left("FAILED (UTC)", |row| moment(row, "since")),
    left("DESTINATION", |row| field(row, "destination")),
    left("KIND", |row| field(row, "kind")),
    right("AMOUNT", |row| field(row, "amount")),
    left("DEADLINE (UTC)", |row| moment(row, "deadline")),
    left("WHY", |row| field(row, "reason")),
];

impl Failed {
    /// Runs the subcommand.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        match self.command {
            Command::List(FailedList { list: flags, filter }) => {
                let listing = Listing { columns: &COLUMNS, what: "failed deliveries" };
                list(setting, &flags, filter.filter(), Request::FailedList, &listing, out)
            }
            Command::Show { id } => show(setting, &Request::FailedShow { id }, page, out),
            Command::Retry(Retry { chosen }) => {
                let mut told = Told::default();
                told.ask(setting, &Request::FailedRetry(chosen.selection(None)), out)?;
                told.end(setting, "retry", out)
            }
            Command::Discard(discard) => discard.run(setting, out),
        }
    }
}

impl Discard {
    fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        let Self { chosen, reason, yes } = self;
        let selection = chosen.selection(reason.clone());
        let mut told = Told::default();
        if selection.dry_run || yes {
            told.ask(setting, &Request::FailedDiscard(selection), out)?;
            return told.end(setting, "discard", out);
        }
        let rehearsal = Selection { dry_run: true, ..selection.clone() };
        let rows = access::ask_all(setting, &Request::FailedDiscard(rehearsal))?;
        let ids = rows.iter().filter(|row| row["result"] == "would_discard").map(|row| field(row, "id"));
        let ids: Vec<String> = ids.collect();
        if !ids.is_empty() && !DISCARDING.may_be_done_to(ids.len())? {
            return Err(Failure::Failed("nothing was discarded".to_owned()));
        }
        for row in rows.iter().filter(|row| row["result"] == "refused") {
            told.tell(setting, row, out)?;
        }
        // Exactly what was asked about, whatever has failed since.
        for ids in ids.chunks(IDS_AT_ONCE) {
            let these = Selection { ids: ids.to_vec(), reason: reason.clone(), ..Selection::default() };
            told.ask(setting, &Request::FailedDiscard(these), out)?;
        }
        told.end(setting, "discard", out)
    }
}

/// What was answered so far.
#[derive(Default)]
struct Told {
    rows: u64,
    refused: Vec<String>,
}

impl Told {
    fn ask(&mut self, setting: &Setting<'_>, request: &Request, out: &mut dyn Write) -> Result<(), Failure> {
        access::ask(setting, request, &mut |row| self.tell(setting, &row, out))
    }

    fn tell(&mut self, setting: &Setting<'_>, row: &Value, out: &mut dyn Write) -> Result<(), Failure> {
        self.rows += 1;
        let (id, reason) = (field(row, "id"), field(row, "reason"));
        if row["result"] == "refused" {
            self.refused.push(reason.clone());
        }
        if setting.json {
            return json_line(out, row);
        }
        match row["result"].as_str().unwrap_or_default() {
            "retried" => writeln!(out, "{id} is sent again")?,
            "discarded" => writeln!(out, "{id} is discarded")?,
            "would_retry" => {
                writeln!(out, "{id} would be sent again")?;
                if row["request"].is_string() {
                    writeln!(out, "  > {}", field(row, "request"))?;
                }
                if row["then"].is_string() {
                    writeln!(out, "  then, if that finds nobody:")?;
                    writeln!(out, "  > {}", field(row, "then"))?;
                }
            }
            "would_discard" => writeln!(out, "{id} would be discarded")?,
            "suppressed" => {
                let why = field(row, "explanation");
                writeln!(out, "{id} is not sent: it is suppressed now ({reason}): {why}")?;
            }
            "would_suppress" => {
                let why = field(row, "explanation");
                writeln!(out, "{id} would not be sent: it would be suppressed ({reason}): {why}")?;
            }
            // Refusals are told at the end.
            _ => {}
        }
        Ok(())
    }

    fn end(&self, setting: &Setting<'_>, what: &str, out: &mut dyn Write) -> Result<(), Failure> {
        if self.rows == 0 && !setting.json {
            writeln!(out, "nothing to {what}")?;
        }
        match &self.refused[..] {
            [] => Ok(()),
            [reason] if self.rows == 1 => Err(Failure::Failed(reason.clone())),
            refused => {
                let shown =
                    refused.iter().take(REFUSALS_SHOWN).map(|reason| format!("\n  {reason}")).collect::<String>();
                let rest = if refused.len() > REFUSALS_SHOWN { "\n  …" } else { "" };
                Err(Failure::Failed(format!("{} of {} were refused:{shown}{rest}", refused.len(), self.rows)))
            }
        }
    }
}
