//! `tallyhook contacts`.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::output::print_rows;
use super::table::{Column, Table, field, left, mode, moment, right};
use super::{Failure, Setting, access};
use crate::operator::Request;

/// Arguments of `contacts`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tallyhook contacts show mary@example.com
  tallyhook contacts show lead-7 --json
  tallyhook contacts show c12           from `events show` or `deliveries show`

  tallyhook contacts export mary@example.com > mary.json
  tallyhook contacts forget mary@example.com --dry-run
  tallyhook contacts forget mary@example.com

What `show` shows has ids and money, no name, address or phone number.")]
pub(super) struct Contacts {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What a person bought and gave back, their subscriptions, and where they stand
    Show {
        /// An e-mail address, phone number, lead id, user id, customer (cus_…), or c12
        #[arg(value_name = "WHO")]
        id: String,
    },
    /// Everything that is known of a person as JSON: identities, money, webhooks with their bodies, deliveries, leads
    Export {
        /// As for `show`
        #[arg(value_name = "WHO")]
        id: String,
    },
    /// Erase a person; amounts, ids and times stay, so that the books add up
    #[command(after_help = FORGETTING)]
    Forget {
        /// As for `show`
        #[arg(value_name = "WHO")]
        id: String,
        /// Only say what would be erased
        #[arg(long)]
        dry_run: bool,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

const FORGETTING: &str = "\
Erased are name, addresses, phone numbers, attribution, consent, raw bodies, attempts, leads and every identity. What was pending or \
failed is not sent any more. A late refund is still counted, without a name, and told to nobody; so is a new purchase with the same \
address. A keyed hash of each identity stays, to know the person again for that.

What destinations were told stays there: each is listed with the request that erases it. Backups keep what they hold until you delete \
them, those that an upgrade made beside the store (before-layout-N.backup) among them; a restore brings the person back. Naming the same person again erases what has come since.";

impl Contacts {
    /// Runs the subcommand.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        let request = match self.command {
            Command::Show { id } => Request::ContactsShow { id },
            Command::Export { id } => return export(setting, id, out),
            Command::Forget { id, dry_run, yes } => return super::forget::run(setting, id, dry_run, yes, out),
        };
        if setting.json {
            return print_rows(setting, &request, out);
        }
        for (number, row) in access::ask_all(setting, &request)?.iter().enumerate() {
            if number > 0 {
                writeln!(out)?;
            }
            page(row, out)?;
        }
        Ok(())
    }
}

/// One document, indented, to be handed to the person; with `--json` a line for each contact.
fn export(setting: &Setting<'_>, id: String, out: &mut dyn Write) -> Result<(), Failure> {
    let request = Request::ContactsExport { id };
    if setting.json {
        return print_rows(setting, &request, out);
    }
    let rows = Value::Array(access::ask_all(setting, &request)?);
    serde_json::to_writer_pretty(&mut *out, &rows).map_err(|error| Failure::Failed(error.to_string()))?;
    writeln!(out)?;
    Ok(())
}

static SALES: [Column; 6] = [
    left("AT (UTC)", |row| moment(row, "at")),
    left("KIND", |row| field(row, "kind")),
    right("AMOUNT", |row| field(row, "amount")),
    right("LEFT OF IT", |row| field(row, "left")),
    left("TRANSACTION", |row| field(row, "transaction_id")),
    left("SALE", |row| field(row, "group")),
];

static SUBSCRIPTIONS: [Column; 5] = [
    left("SUBSCRIPTION", |row| field(row, "id")),
    left("STATUS", |row| field(row, "status")),
    left("PLAN", |row| field(row, "plan")),
    left("BEGAN (UTC)", |row| moment(row, "started_at")),
    left("ENDED (UTC)", |row| moment(row, "ended_at")),
];

static DESTINATIONS: [Column; 5] = [
    left("DESTINATION", |row| field(row, "destination")),
    left("KNOWN THERE AS", |row| field(row, "remote_id")),
    left("LEFT OVER THERE", |row| or_none(list(&row["left_over"]))),
    right("PENDING", |row| field(row, "pending")),
    left("NEXT ATTEMPT (UTC)", |row| moment(row, "next_attempt_at")),
];

/// One person on one screen.
fn page(row: &Value, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}  {}  {}", field(row, "id"), field(row, "stage"), mode(row))?;
    let stages: Vec<String> = ["lead", "customer", "churned"]
        .iter()
        .filter(|stage| row["stages"][**stage].is_string())
        .map(|stage| format!("{stage} since {} UTC", moment(&row["stages"], stage)))
        .collect();
    if !stages.is_empty() {
        writeln!(out, "{}", stages.join(", "))?;
    }
    let totals = list(&row["totals"]);
    writeln!(
        out,
        "total {}: {}, {}, {}, {}",
        if totals.is_empty() { "0".to_owned() } else { totals },
        count(row, "purchases", "purchase", "purchases"),
        count(row, "renewals", "renewal", "renewals"),
        count(row, "refunds", "refund", "refunds"),
        count(row, "disputes_lost", "dispute lost", "disputes lost")
    )?;
    writeln!(
        out,
        "tier {}, pays by {}; consent: analytics {}, ads {}, e-mail {}",
        field(row, "pricing_tier"),
        field(row, "payment_method_type"),
        field(&row["consent"], "analytics"),
        field(&row["consent"], "ads"),
        field(&row["consent"], "email")
    )?;
    for purpose in ["analytics", "ads", "email"] {
        let said = &row["consent_said"][purpose];
        if said.is_object() {
            writeln!(out, "  {purpose}: said by the {} at {} UTC", field(said, "by"), moment(said, "at"))?;
        }
    }
    if row["erased"] == true {
        writeln!(out, "erased: only money is left, without a name, and nobody is told of it")?;
    }
    if row["unverified"] == true {
        writeln!(out, "known only by what was written into a form; nobody has verified it")?;
    }
    if row["touches_are_lent"] == true {
        writeln!(out, "where the person came from is known only through a form with the same e-mail address")?;
    }
    for (title, touch) in [("first", &row["first_touch"]), ("last", &row["last_touch"])] {
        if ["utm_source", "utm_medium", "utm_campaign"].iter().any(|name| touch[*name].is_string()) {
            writeln!(
                out,
                "{title} came from {} / {} / {} at {} UTC",
                field(touch, "utm_source"),
                field(touch, "utm_medium"),
                field(touch, "utm_campaign"),
                moment(touch, "at")
            )?;
        }
    }
    writeln!(
        out,
        "known by {}, {}; leads {}; users {}; customers {}",
        count(row, "emails", "e-mail address", "e-mail addresses"),
        count(row, "phones", "phone number", "phone numbers"),
        or_none(list(&row["lead_ids"])),
        or_none(list(&row["user_ids"])),
        or_none(list(&row["customers"]))
    )?;
    table(&SALES, &row["sales"], out)?;
    table(&SUBSCRIPTIONS, &row["subscriptions"]["each"], out)?;
    table(&DESTINATIONS, &row["destinations"], out)?;
    if row["history_is_whole"] == false {
        writeln!(out, "\nthere are more sales than are shown here; the totals hold all of them")?;
    }
    Ok(())
}

fn count(row: &Value, name: &str, one: &str, several: &str) -> String {
    format!("{} {}", field(row, name), if row[name] == 1 { one } else { several })
}

fn list(texts: &Value) -> String {
    let texts: Vec<String> =
        texts.as_array().into_iter().flatten().filter_map(Value::as_str).map(super::table::plain).collect();
    texts.join(", ")
}

fn or_none(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

fn table(columns: &'static [Column], rows: &Value, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new(columns);
    let mut printed = Vec::new();
    for row in rows.as_array().into_iter().flatten() {
        table.add(row, &mut printed)?;
    }
    if table.end(&mut printed)? > 0 {
        writeln!(out)?;
        out.write_all(&printed)?;
    }
    Ok(())
}
