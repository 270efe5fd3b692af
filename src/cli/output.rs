//! Answers for people or programs.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::access;
use super::flags::ListFlags;
use super::table::{Column, Table, field};
use super::{Failure, Setting};
use crate::operator::{Filter, List, Request};

/// Prints a row as JSON on its line.
pub(super) fn json_line(out: &mut dyn Write, row: &Value) -> Result<(), Failure> {
    Ok(writeln!(out, "{row}")?)
}

/// A path for people: `/a/./b` is `/a/b`.
pub(super) fn path(path: &Path) -> String {
    path.components().collect::<PathBuf>().display().to_string()
}

/// How a list is shown.
pub(super) struct Listing {
    pub(super) columns: &'static [Column],
    /// What there is none of.
    pub(super) what: &'static str,
}

/// Asks for a list and prints it as it comes.
pub(super) fn list(
    setting: &Setting<'_>,
    flags: &ListFlags,
    filter: Filter,
    request: fn(List) -> Request,
    listing: &Listing,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let request = request(flags.list(filter, !setting.json));
    if setting.json {
        return print_rows(setting, &request, out);
    }
    let limit = flags.limit().unwrap_or(u64::MAX);
    let mut table = Table::new(listing.columns);
    let (mut shown, mut last, mut more) = (0, String::new(), false);
    let asked = access::ask(setting, &request, &mut |row| {
        if shown == limit {
            more = true;
            return Ok(());
        }
        shown += 1;
        last = field(&row, "id");
        Ok(table.add(&row, out)?)
    });
    let rows = table.end(out)?;
    asked?;
    if rows == 0 {
        writeln!(out, "no {}", listing.what)?;
    } else if more {
        writeln!(out, "\nthe first {rows}; go on with --after {last}, or --all for everything")?;
    }
    Ok(())
}

/// Asks and prints each row as JSON.
pub(super) fn print_rows(setting: &Setting<'_>, request: &Request, out: &mut dyn Write) -> Result<(), Failure> {
    access::ask(setting, request, &mut |row| json_line(out, &row))
}

/// Asks for one row and prints it: as JSON, or as `page` puts it.
pub(super) fn show(
    setting: &Setting<'_>,
    request: &Request,
    page: fn(&Value, &mut dyn Write) -> std::io::Result<()>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let row = access::ask_one(setting, request)?;
    if setting.json { json_line(out, &row) } else { Ok(page(&row, out)?) }
}
