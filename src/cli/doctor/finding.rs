//! What the doctor finds: one sentence, how bad it is, and what to do.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cli::table::plain;

/// How bad a finding is, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) enum Level {
    /// As it should be.
    Ok,
    /// It works, but somebody should look.
    Warning,
    /// Something does not work, or not for long.
    Error,
}

impl Level {
    /// As it is printed.
    pub(in crate::cli) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Finding {
    /// What was looked at, `dns` or `destination.crm`.
    pub(in crate::cli) check: String,
    /// How bad it is.
    pub(in crate::cli) level: Level,
    /// What was found.
    pub(in crate::cli) message: String,
    /// What to do; none when nothing has to be done.
    pub(in crate::cli) fix: Option<String>,
}

impl Finding {
    /// All is well.
    pub(super) fn ok(check: impl Into<String>, message: impl Into<String>) -> Self {
        Self { check: check.into(), level: Level::Ok, message: message.into(), fix: None }
    }

    /// Worth a look.
    pub(super) fn warning(check: impl Into<String>, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check: check.into(), level: Level::Warning, message: message.into(), fix: Some(fix.into()) }
    }

    /// To be put right.
    pub(super) fn error(check: impl Into<String>, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check: check.into(), level: Level::Error, message: message.into(), fix: Some(fix.into()) }
    }

    /// For programs.
    pub(super) fn row(&self) -> Value {
        json!({"check": self.check, "level": self.level.name(), "message": self.message, "fix": self.fix})
    }

    /// For people.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{:<8} {}: {}", self.level.name(), self.check, plain(&self.message))?;
        match &self.fix {
            Some(fix) => writeln!(out, "         fix: {}", plain(fix)),
            None => Ok(()),
        }
    }
}
