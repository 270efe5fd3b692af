//! `tallyhook rejected`.

use std::io::Write;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::consent::Deed;
use super::flags::{ListFlags, TimeFlags};
use super::output::{Listing, json_line, list};
use super::table::{Column, field, left, moment};
use super::{Failure, Setting, access};
use crate::operator::{Filter, Request, Selection};

/// Reasons that are told at the end.
const REASONS_SHOWN: usize = 20;

/// Arguments of `rejected`.
#[derive(Debug, Args)]
#[command(after_help = "\
A sender that was answered 400 or 403 comes again by itself once the cause is mended. A source with respond = \"always_200\" \
answers 200 instead, so what it refuses is kept whole (1000 requests or 32 MiB a source, 7 days) to be retried here.

Examples:
  tallyhook rejected list
  tallyhook rejected list --source stripe --since 2h
  tallyhook rejected retry --all --dry-run      is any of them genuine now?
  tallyhook rejected retry r12
  tallyhook rejected erase --source shop        kept requests with their bodies")]
pub(super) struct Rejected {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Refused requests, newest first, with what was found out about each
    List(RejectedList),
    /// Verify kept requests against today's secrets, and take in what is genuine as if it had just come
    Retry(Chosen),
    /// Erase kept requests with their bodies
    Erase(Erase),
}

#[derive(Debug, Args)]
struct Which {
    #[command(flatten)]
    times: TimeFlags,
    /// Sent to this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Refused for this reason, no_matching_signature
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
}

impl Which {
    fn filter(self) -> Filter {
        Filter { source: self.source, reason: self.reason, ..self.times.filter() }
    }
}

#[derive(Debug, Args)]
struct RejectedList {
    #[command(flatten)]
    list: ListFlags,
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
struct Chosen {
    /// From the list, r12
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    which: Which,
    /// All that are kept and that the filter leaves
    #[arg(long)]
    all: bool,
    /// Only say what would happen
    #[arg(long)]
    dry_run: bool,
}

impl Chosen {
    fn selection(self) -> Selection {
        Selection {
            ids: self.ids,
            filter: self.which.filter(),
            all: self.all,
            dry_run: self.dry_run,
            ..Selection::default()
        }
    }
}

#[derive(Debug, Args)]
struct Erase {
    #[command(flatten)]
    chosen: Chosen,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

static COLUMNS: [Column; 7] = [
    left("ID", |row| field(row, "id")),
    left("TIME (UTC)", |row| moment(row, "time")),
    left("SOURCE", |row| field(row, "source")),
    left("FROM", |row| field(row, "address")),
    left("REASON", |row| field(row, "reason")),
    left("KEPT", |row| field(row, "kept")),
    left("WHAT WAS FOUND", |row| field(row, "verdict")),
];

static ERASING: Deed = Deed {
    one: "refused request",
    several: "refused requests",
    verb: "Erase",
    done: "erased",
    consequence: "Nobody will send them again.",
};

impl Rejected {
    /// Runs the subcommand.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        match self.command {
            Command::List(RejectedList { list: flags, which }) => {
                let listing = Listing { columns: &COLUMNS, what: "refused requests" };
                list(setting, &flags, which.filter(), Request::RejectedList, &listing, out)
            }
            Command::Retry(chosen) => tell(setting, &Request::RejectedRetry(chosen.selection()), "retry", out),
            Command::Erase(Erase { chosen, yes }) => {
                let mut selection = chosen.selection();
                if !yes && !selection.dry_run {
                    let rehearsal = Selection { dry_run: true, ..selection.clone() };
                    let rows = access::ask_all(setting, &Request::RejectedErase(rehearsal))?;
                    let kept = rows.iter().filter(|row| row["result"] == "would_erase");
                    let ids: Vec<String> = kept.map(|row| field(row, "id")).collect();
                    if !ids.is_empty() {
                        if !ERASING.may_be_done_to(ids.len())? {
                            return Err(Failure::Failed("nothing was erased".to_owned()));
                        }
                        // Exactly what was asked about, whatever has come since.
                        selection = Selection { ids, ..Selection::default() };
                    }
                }
                tell(setting, &Request::RejectedErase(selection), "erase", out)
            }
        }
    }
}

/// Asks, tells of each row, and at the end of those that were refused, which makes it a failure.
fn tell(setting: &Setting<'_>, request: &Request, what: &str, out: &mut dyn Write) -> Result<(), Failure> {
    let (mut all, mut refused) = (0, Vec::new());
    access::ask(setting, request, &mut |row| {
        all += 1;
        let is_refused = row["result"] == "refused";
        if is_refused {
            refused.push(format!("{}: {}", field(&row, "id"), field(&row, "reason")));
        }
        if setting.json {
            return json_line(out, &row);
        }
        if !is_refused {
            writeln!(out, "{}", sentence(&row))?;
        }
        Ok(())
    })?;
    if all == 0 && !setting.json {
        writeln!(out, "nothing to {what}")?;
    }
    match &refused[..] {
        [] => Ok(()),
        [reason] if all == 1 => Err(Failure::Failed(format!("still refused, {reason}"))),
        reasons => {
            let shown: String = reasons.iter().take(REASONS_SHOWN).map(|reason| format!("\n  {reason}")).collect();
            let rest = if reasons.len() > REASONS_SHOWN { "\n  …" } else { "" };
            Err(Failure::Failed(format!("{} of {all} are still refused:{shown}{rest}", reasons.len())))
        }
    }
}

fn sentence(row: &Value) -> String {
    let (id, event, provider_id) = (field(row, "id"), field(row, "event"), field(row, "provider_id"));
    match row["result"].as_str().unwrap_or_default() {
        "duplicate" => format!("{id} is genuine, but had come before as {event} ({provider_id})"),
        "would_take_in" => format!("{id} is genuine now ({provider_id}) and would be taken in"),
        "would_erase" => format!("{id} would be erased"),
        "erased" => format!("{id} is erased"),
        status => format!("{id} is genuine and taken in as {event} ({provider_id}): {status}"),
    }
}
