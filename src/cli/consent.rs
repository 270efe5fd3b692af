//! What destroys asks first.

use std::io::{self, BufRead, IsTerminal, Write};

use super::Failure;

/// What is about to be destroyed, in words.
pub(super) struct Deed {
    /// One of them, `delivery`.
    pub(super) one: &'static str,
    /// Several, `deliveries`.
    pub(super) several: &'static str,
    /// `Discard`.
    pub(super) verb: &'static str,
    /// `discarded`.
    pub(super) done: &'static str,
    /// What it means, as a sentence.
    pub(super) consequence: &'static str,
}

impl Deed {
    /// Asks on a terminal; elsewhere one row needs no word, and more need `--yes`.
    pub(super) fn may_be_done_to(&self, rows: usize) -> Result<bool, Failure> {
        let Self { one, several, verb, done, consequence } = self;
        if !io::stdin().is_terminal() {
            return match rows {
                1 => Ok(true),
                _ => Err(Failure::Wrong(format!("{rows} {several} would be {done}; say --yes if that is meant"))),
            };
        }
        let what = if rows == 1 { format!("1 {one}") } else { format!("{rows} {several}") };
        write!(io::stderr(), "{verb} {what}? {consequence} [y/N] ")?;
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer)?;
        Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
    }
}
