//! `tallyhook rejected`.

use std::io::Write;

use clap::{Args, Subcommand};

use super::flags::{ListFlags, TimeFlags};
use super::output::{Listing, list, print_rows};
use super::table::{Column, field, left, moment};
use super::{Failure, Setting};
use crate::operator::{Filter, Request};

/// Arguments of `rejected`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tallyhook rejected list
  tallyhook rejected list --source stripe --since 2h")]
pub(super) struct Rejected {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Refused requests, newest first, with what was found out about each
    List(RejectedList),
    /// Verify a kept request against today's secrets
    // This version keeps none and says so; the name is reserved.
    #[command(hide = true)]
    Retry {
        /// From the list, r12
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct RejectedList {
    #[command(flatten)]
    list: ListFlags,
    #[command(flatten)]
    times: TimeFlags,
    /// Sent to this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Refused for this reason, no_matching_signature
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
}

static COLUMNS: [Column; 6] = [
    left("ID", |row| field(row, "id")),
    left("TIME (UTC)", |row| moment(row, "time")),
    left("SOURCE", |row| field(row, "source")),
    left("FROM", |row| field(row, "address")),
    left("REASON", |row| field(row, "reason")),
    left("WHAT WAS FOUND", |row| field(row, "verdict")),
];

impl Rejected {
    /// Runs the subcommand.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        match self.command {
            Command::List(RejectedList { list: flags, times, source, reason }) => {
                let filter = Filter { source, reason, ..times.filter() };
                let listing = Listing { columns: &COLUMNS, what: "refused requests" };
                list(setting, &flags, filter, Request::RejectedList, &listing, out)
            }
            Command::Retry { ids } => print_rows(setting, &Request::RejectedRetry { ids }, out),
        }
    }
}
