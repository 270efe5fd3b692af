//! What a person watches: chapters, and rows in short columns as things happen. Plain text, or for a program one JSON object a
//! line.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Instant;

use serde_json::{Value, json};

/// Prints a rehearsal.
pub struct Printer<'a> {
    out: &'a mut dyn Write,
    began: Instant,
    chapters: u32,
    json: bool,
}

/// One row. Empty columns are left blank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Who speaks: `webhook`, `counted`, `GA4`.
    pub who: &'static str,
    /// What it is: an event's type or name, a method and a path.
    pub what: String,
    /// How much.
    pub amount: String,
    /// Which one.
    pub id: String,
    /// What came of it.
    pub outcome: String,
}

impl<'a> Printer<'a> {
    /// Prints to `out`, as JSON or for people; times count from now.
    pub fn new(out: &'a mut dyn Write, json: bool) -> Self {
        Self { out, began: Instant::now(), chapters: 0, json }
    }

    /// A line of text.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn line(&mut self, text: impl Display) -> io::Result<()> {
        if self.json {
            return self.object(&json!({"kind": "text", "text": text.to_string().trim()}));
        }
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    fn object(&mut self, object: &Value) -> io::Result<()> {
        writeln!(self.out, "{object}")?;
        self.out.flush()
    }

    /// Begins a chapter.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn chapter(&mut self, title: &str, explanation: &str) -> io::Result<()> {
        self.chapters += 1;
        let number = self.chapters;
        if self.json {
            let chapter = json!({"kind": "chapter", "number": number, "title": title, "explanation": explanation});
            return self.object(&chapter);
        }
        self.line(format_args!("\n{number}. {title}\n   {explanation}"))
    }

    /// A row for something that happened at some moment.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn row(&mut self, at: Instant, row: &Row) -> io::Result<()> {
        let seconds = at.saturating_duration_since(self.began).as_secs_f64();
        let Row { who, what, amount, id, outcome } = row;
        if self.json {
            let said = |text: &String| if text.is_empty() { Value::Null } else { json!(text) };
            return self.object(&json!({
                "kind": "row", "seconds": (seconds * 1000.0).round() / 1000.0, "who": who, "what": said(what),
                "amount": said(amount), "id": said(id), "outcome": said(outcome),
            }));
        }
        let line = format!("{seconds:>7.2}  {who:<10} {what:<29} {amount:>11}  {id:<26} {outcome}");
        self.line(line.trim_end())
    }

    /// A point of the summary: a figure, and whether it is as it should be.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn point(&mut self, holds: bool, sentence: &str) -> io::Result<()> {
        if self.json {
            return self.object(&json!({"kind": "check", "ok": holds, "text": sentence}));
        }
        self.line(format_args!("   {} {sentence}", if holds { "ok   " } else { "WRONG" }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_columns_and_chapters_are_numbered() {
        let mut out = Vec::new();
        let mut printer = Printer::new(&mut out, false);
        let began = printer.began;
        printer.chapter("A purchase", "Three events, one sale.").unwrap();
        let row = Row {
            who: "GA4",
            what: "purchase".to_owned(),
            amount: "99.00 EUR".to_owned(),
            id: "pi_1".to_owned(),
            outcome: "204".to_owned(),
        };
        printer.row(began + std::time::Duration::from_millis(1234), &row).unwrap();
        let bare = Row { who: "webhook", what: "charge.succeeded".to_owned(), ..Row::default() };
        printer.row(began, &bare).unwrap();
        printer.chapter("A refund", "One.").unwrap();
        printer.point(false, "2 sales").unwrap();
        let expected = "
1. A purchase
   Three events, one sale.
   1.23  GA4        purchase                        99.00 EUR  pi_1                       204
   0.00  webhook    charge.succeeded

2. A refund
   One.
   WRONG 2 sales
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_program_gets_one_object_a_line() {
        let mut out = Vec::new();
        let mut printer = Printer::new(&mut out, true);
        let began = printer.began;
        printer.chapter("A purchase", "Three events, one sale.").unwrap();
        let row = Row { who: "GA4", what: "purchase".to_owned(), outcome: "204".to_owned(), ..Row::default() };
        printer.row(began + std::time::Duration::from_millis(1234), &row).unwrap();
        printer.line("\nSummary\nof two lines\n").unwrap();
        printer.point(true, "2 sales").unwrap();
        let text = String::from_utf8(out).unwrap();
        let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<&str> = rows.iter().map(|row| row["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["chapter", "row", "text", "check"]);
        assert_eq!((rows[1]["seconds"].as_f64(), &rows[1]["amount"]), (Some(1.234), &Value::Null));
        assert_eq!(rows[2]["text"], "Summary\nof two lines");
        assert_eq!(rows[3]["ok"], true);
    }
}
