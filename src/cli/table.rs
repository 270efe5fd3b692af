//! Rows for people: aligned columns without colour.

use std::io::{self, Write};

use serde_json::Value;

/// Rows that columns are measured from; later ones are fitted in as well as they can be.
const MEASURED: usize = 500;

/// A column: its title, and what stands in it.
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) cell: fn(&Value) -> String,
    /// Numbers stand to the right.
    pub(super) right: bool,
}

/// A column of text.
pub(super) const fn left(title: &'static str, cell: fn(&Value) -> String) -> Column {
    Column { title, cell, right: false }
}

/// A column of numbers.
pub(super) const fn right(title: &'static str, cell: fn(&Value) -> String) -> Column {
    Column { title, cell, right: true }
}

/// A table that is printed as its rows come.
pub(super) struct Table {
    columns: &'static [Column],
    waiting: Vec<Vec<String>>,
    widths: Option<Vec<usize>>,
    rows: u64,
}

impl Table {
    /// Without rows.
    pub(super) const fn new(columns: &'static [Column]) -> Self {
        Self { columns, waiting: Vec::new(), widths: None, rows: 0 }
    }

    /// Adds a row.
    pub(super) fn add(&mut self, row: &Value, out: &mut dyn Write) -> io::Result<()> {
        self.rows += 1;
        let cells: Vec<String> = self.columns.iter().map(|column| plain(&(column.cell)(row))).collect();
        match &self.widths {
            Some(widths) => self.print(&cells, widths, out),
            None => {
                self.waiting.push(cells);
                if self.waiting.len() >= MEASURED { self.measure(out) } else { Ok(()) }
            }
        }
    }

    /// Prints what is not printed yet and says how many rows there were; none print nothing.
    pub(super) fn end(mut self, out: &mut dyn Write) -> io::Result<u64> {
        if self.widths.is_none() && self.rows > 0 {
            self.measure(out)?;
        }
        Ok(self.rows)
    }

    fn measure(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let titles: Vec<String> = self.columns.iter().map(|column| column.title.to_owned()).collect();
        let waiting = std::mem::take(&mut self.waiting);
        let width = |at: usize| {
            let cells = waiting.iter().map(|cells| cells[at].chars().count());
            cells.chain([titles[at].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        self.print(&titles, &widths, out)?;
        for cells in &waiting {
            self.print(cells, &widths, out)?;
        }
        self.widths = Some(widths);
        Ok(())
    }

    fn print(&self, cells: &[String], widths: &[usize], out: &mut dyn Write) -> io::Result<()> {
        let mut line = String::new();
        for ((cell, width), column) in cells.iter().zip(widths).zip(self.columns) {
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            let (before, after) = if column.right { (padding.as_str(), "") } else { ("", padding.as_str()) };
            line.push_str(&format!("{before}{cell}{after}  "));
        }
        writeln!(out, "{}", line.trim_end())
    }
}

/// A text from outside, safe for a terminal: no control characters, one line.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A field as text: `-` when there is nothing.
pub(super) fn field(row: &Value, name: &str) -> String {
    match &row[name] {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => plain(text),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        other => other.to_string(),
    }
}

/// A moment to the second, `2026-11-21 13:05:00`.
pub(super) fn moment(row: &Value, name: &str) -> String {
    match row[name].as_str() {
        Some(text) => text.get(..19).map_or_else(|| plain(text), |text| plain(&text.replace('T', " "))),
        None => "-".to_owned(),
    }
}

/// `live` or `test`.
pub(super) fn mode(row: &Value) -> String {
    if row["livemode"] == true { "live" } else { "test" }.to_owned()
}

/// A number of bytes for people.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes < 10 << 10 => format!("{bytes} bytes"),
        bytes if bytes < 10 << 20 => format!("{} KiB", bytes >> 10),
        bytes => format!("{} MiB", bytes >> 20),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static COLUMNS: [Column; 3] = [
        left("ID", |row| field(row, "id")),
        right("COUNT", |row| field(row, "count")),
        left("AT", |row| moment(row, "at")),
    ];

    fn printed(rows: &[Value]) -> String {
        let mut out = Vec::new();
        let mut table = Table::new(&COLUMNS);
        for row in rows {
            table.add(row, &mut out).unwrap();
        }
        assert_eq!(table.end(&mut out).unwrap(), rows.len() as u64);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [
            json!({"id": "w1", "count": 5, "at": "2026-11-21T13:05:00.123Z"}),
            json!({"id": "w1234", "count": 12000, "at": null}),
        ];
        assert_eq!(printed(&rows), "ID     COUNT  AT\nw1         5  2026-11-21 13:05:00\nw1234  12000  -\n");
        assert_eq!(printed(&[]), "");
    }

    #[test]
    fn long_tables_are_printed_as_they_come() {
        let rows: Vec<Value> = (0..1200).map(|number| json!({"id": format!("w{number}"), "count": 1})).collect();
        assert_eq!(printed(&rows).lines().count(), 1201);
    }

    #[test]
    fn what_comes_from_outside_does_not_steer_the_terminal() {
        let row = json!({"id": "a\u{1b}[2Jb\nc", "count": 1});
        assert!(!printed(&[row]).contains('\u{1b}'));
    }
}
