//! `tallyhook man`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use super::Failure;

/// Arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tallyhook man | man -l -
  tallyhook man --dir /usr/share/man/man1")]
pub(super) struct Man {
    /// Write the pages of all commands into this folder
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

impl Man {
    /// Prints or writes.
    pub(super) fn run(self, command: clap::Command, out: &mut dyn Write) -> Result<(), Failure> {
        match self.dir {
            None => Ok(clap_mangen::Man::new(command).render(&mut &mut *out)?),
            Some(folder) => std::fs::create_dir_all(&folder)
                .and_then(|()| clap_mangen::generate_to(command, &folder))
                .map_err(|error| Failure::Failed(format!("can't write to {}: {error}", folder.display()))),
        }
    }
}
