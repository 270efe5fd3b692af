//! `tallyhook init`.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;

use super::output::json_line;
use super::service::{give_to_service, is_of_service};
use super::{Failure, Setting};
use crate::config::{self, DEFAULT_FILE};

/// Arguments of `init`.
#[derive(Debug, Args)]
#[command(after_help = "\
An existing file is never overwritten.

Examples:
  tallyhook init                        write /etc/tallyhook/tallyhook.toml
  tallyhook init tallyhook.toml
  tallyhook init -                      print it")]
pub(super) struct Init {
    /// Where to write it; - prints it
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// With a table for every kind of destination, not only the usual ones
    #[arg(long)]
    all: bool,
}

impl Init {
    /// Writes the sample.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        let sample = config::sample(self.all);
        let file = self.file.as_deref().or(setting.config).unwrap_or_else(|| Path::new(DEFAULT_FILE));
        if file == Path::new("-") {
            return Ok(out.write_all(sample.as_bytes())?);
        }
        write_new(file, &sample).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Failure::Failed(format!(
                "{} exists and is not overwritten; give another name, or - to print the sample",
                file.display()
            )),
            _ => Failure::Failed(format!("can't write {}: {error}", file.display())),
        })?;
        if is_of_service(file) {
            give_to_service(file).map_err(|error| {
                Failure::Failed(format!("{} is written, but the service can't read it: {error}", file.display()))
            })?;
        }
        if setting.json {
            return json_line(out, &serde_json::json!({"file": file.display().to_string()}));
        }
        writeln!(out, "wrote {0}\nput your secrets in, then: tallyhook check --config {0}", file.display())?;
        Ok(())
    }
}

/// Secrets will stand in it: nobody but its owner and group reads it.
fn write_new(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o640).open(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
