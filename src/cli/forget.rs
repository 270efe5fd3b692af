//! `tallyhook contacts forget`.

use std::io::{self, BufRead, IsTerminal, Write};

use serde_json::Value;

use super::output::json_line;
use super::table::field;
use super::{Failure, Setting, access};
use crate::operator::Request;

/// Erases a person: says what goes and asks on a terminal; elsewhere `--yes` is needed.
pub(super) fn run(
    setting: &Setting<'_>,
    id: String,
    dry_run: bool,
    yes: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if dry_run || !yes {
        let rows = access::ask_all(setting, &Request::ContactsForget { id: id.clone(), dry_run: true })?;
        let is_asking = !dry_run && io::stdin().is_terminal();
        if dry_run || is_asking {
            tell_all(setting, &rows, out)?;
        }
        if dry_run {
            return Ok(());
        }
        if !is_asking {
            return Err(Failure::Wrong(
                "this can't be undone: say --yes if it is meant, or --dry-run to see what would be erased".to_owned(),
            ));
        }
        write!(io::stderr(), "Erase this person? It can't be undone. [y/N] ")?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        if !matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
            return Err(Failure::Failed("nothing was erased".to_owned()));
        }
    }
    let rows = access::ask_all(setting, &Request::ContactsForget { id, dry_run: false })?;
    tell_all(setting, &rows, out)
}

fn tell_all(setting: &Setting<'_>, rows: &[Value], out: &mut dyn Write) -> Result<(), Failure> {
    for row in rows {
        if setting.json {
            json_line(out, row)?;
        } else {
            tell(row, out)?;
        }
    }
    Ok(())
}

fn tell(row: &Value, out: &mut dyn Write) -> io::Result<()> {
    let (id, count) = (field(row, "id"), |name| field(row, name));
    let is_done = row["result"] == "forgotten";
    let mode = super::table::mode(row);
    writeln!(out, "{id} ({mode}) {}", if is_done { "is erased" } else { "would be erased" })?;
    if row["forgotten_before"] == true {
        writeln!(out, "  was erased before; only what has come since is looked for")?;
    }
    writeln!(
        out,
        "  identities {}, raw bodies {}, refused requests {}, leads {}; deliveries not sent any more {}",
        count("identities"),
        count("bodies"),
        count("refused_requests"),
        count("leads"),
        count("deliveries_suppressed")
    )?;
    let totals: Vec<String> =
        row["kept"]["totals"].as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let total = if totals.is_empty() { "0".to_owned() } else { totals.join(", ") };
    writeln!(out, "  what stays in the books, without a name: sales {}, total {total}", field(&row["kept"], "sales"))?;
    if row["unused_room_overwritten"] == false {
        writeln!(
            out,
            "  the file has so much unused room that it was not written over whole; old bytes may stand there until it is used"
        )?;
    }
    let elsewhere = row["at_destinations"].as_array().map_or(&[][..], Vec::as_slice);
    if !elsewhere.is_empty() {
        writeln!(out, "  to be erased at the destinations by you:")?;
    }
    for place in elsewhere {
        writeln!(out, "    {}: {}", field(place, "destination"), field(place, "how"))?;
    }
    Ok(())
}
