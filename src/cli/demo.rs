//! `tallyhook demo`.

use std::io::{self, Write};

use clap::Args;

use super::{Failure, Setting};
use crate::demo::{self, DemoError};

/// Arguments of `demo`.
#[derive(Debug, Args)]
#[command(after_help = "\
Everything runs on this machine alone, with sandbox destinations and a certificate made on the spot.

Examples:
  tallyhook demo --once
  tallyhook demo --once --json | jq 'select(.kind == \"check\")'")]
pub(super) struct Demo {
    /// End after the samples instead of staying up
    #[arg(long)]
    once: bool,
}

impl Demo {
    /// Shows it.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        demo::run(self.once, setting.json, out).map_err(|error| match error {
            DemoError::Io(error) if error.kind() == io::ErrorKind::BrokenPipe => Failure::Closed,
            error => Failure::Failed(error.to_string()),
        })
    }
}
