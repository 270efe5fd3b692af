//! `tallyhook completions`.

use std::io::Write;

use clap::Args;
use clap_complete::Shell;

use super::Failure;

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tallyhook completions bash > /usr/share/bash-completion/completions/tallyhook
  tallyhook completions zsh > ~/.zfunc/_tallyhook")]
pub(super) struct Completions {
    /// For which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    /// Prints them.
    pub(super) fn run(self, command: &mut clap::Command, out: &mut dyn Write) -> Result<(), Failure> {
        // The generator ends the program when it can't write, so it writes to memory.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, command, "tallyhook", &mut script);
        Ok(out.write_all(&script)?)
    }
}
