//! `tallyhook restore`.

use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::access::SMALL_CACHE;
use super::backup::{contents, faulty, told};
use super::output::{json_line, path};
use super::{Failure, Setting, service};
use crate::config::{Config, Location};
use crate::http::admin_client;
use crate::platform::new_file::{NewFile, folder_of};
use crate::store::backup::{BackupError, Summary, rebuild};
use crate::store::make_folder;

/// Arguments of `restore`.
#[derive(Debug, Args)]
#[command(after_help = "\
Makes the store anew from a backup. Tallyhook has to be stopped, with its socket, and no store may be in the place: one that is \
there is never overwritten, but moved away by you. Everything is checked before the store gets its name: that the backup is whole, \
that every record in it can be read, and that queues and counts agree.

What a restore means: the books are as of the backup. What was delivered since may be sent once more (GA4 counts a purchase with the \
same transaction id once; CRM and MailerLite update the same contact). What came since is not in the books: let Stripe send it again \
(Developers, Webhooks, the endpoint, its events: Resend), repeats are harmless. Whoever was erased since (contacts forget) has to be \
erased again.

Examples:
  sudo systemctl stop tallyhook-https.socket tallyhook.service
  sudo mv /var/lib/tallyhook/tallyhook.redb /root/old.redb
  sudo tallyhook restore /root/tallyhook.backup
  sudo systemctl start tallyhook-https.socket tallyhook.service")]
pub(super) struct Restore {
    /// The backup; - reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Restore although records in it can't be read or counts disagree: what is wrong stays as it was in the store
    #[arg(long)]
    accept_faults: bool,
}

impl Restore {
    /// Makes the store.
    pub(super) fn run(self, setting: &Setting<'_>, out: &mut dyn Write) -> Result<(), Failure> {
        let location = Config::locate(setting.config, setting.environment)?;
        refuse_running(&location)?;
        refuse_existing(&location.store)?;
        let summary = self.build(&location.store)?;
        let row = told("restored", &self.file, &summary, &[]);
        if setting.json {
            return json_line(out, &row);
        }
        let at = &summary.header.at;
        writeln!(out, "restored {} from {}: {}", path(&location.store), path(&self.file), contents(&row))?;
        for fault in &summary.faults {
            writeln!(out, "with a fault that was accepted: {fault}")?;
        }
        writeln!(
            out,
            "\nThe books are as of {at}. Before you start tallyhook, know:\n\
             - what was delivered since then may be sent once more; GA4 counts a purchase with the same transaction id once\n\
             - what came since then is missing: let Stripe and the others send it again, repeats are harmless\n\
             - people who were erased since then are back: erase them again (tallyhook contacts forget)\n\
             Start it: systemctl start tallyhook-https.socket tallyhook.service"
        )?;
        Ok(())
    }

    fn build(&self, store: &Path) -> Result<Summary, Failure> {
        let unchanged = |why: String| Failure::Failed(format!("{}: {why}; nothing was changed", path(&self.file)));
        let mut from: Box<dyn Read> = if self.file == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            let opened = fs::File::open(&self.file);
            Box::new(opened.map_err(|error| unchanged(BackupError::Read(error).to_string()))?)
        };
        let folder = folder_of(store);
        let unmade = |error: io::Error| {
            Failure::Failed(format!("{} can't be written: {error}; nothing was changed", path(store)))
        };
        make_folder(folder).map_err(unmade)?;
        let new = NewFile::begin(store).map_err(unmade)?;
        let file = new.file().try_clone().map_err(unmade)?;
        let mut from = BufReader::with_capacity(1 << 16, &mut from);
        let summary = rebuild(&mut from, file, SMALL_CACHE).map_err(|error| unchanged(error.to_string()))?;
        if !summary.faults.is_empty() && !self.accept_faults {
            return Err(match faulty(&summary) {
                Failure::Failed(why) => {
                    unchanged(format!("{why}; an older backup may have none, or restore it with --accept-faults"))
                }
                other => other,
            });
        }
        // Run by root, it is still the service's.
        let owner = fs::metadata(folder).map_err(unmade)?;
        new.belong_with(&owner).map_err(unmade)?;
        match new.finish(false) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(existing(store)),
            done => done.map(|()| summary).map_err(unmade),
        }
    }
}

fn refuse_running(location: &Location) -> Result<(), Failure> {
    if admin_client::is_running(&location.socket).map_err(|error| Failure::Failed(error.to_string()))? {
        return Err(Failure::Failed(
            "tallyhook is running: stop it first, with its socket, so that nothing starts it meanwhile: systemctl stop \
             tallyhook-https.socket tallyhook.service"
                .to_owned(),
        ));
    }
    if location.file.as_deref().is_some_and(service::is_of_service) && service::is_socket_active() {
        return Err(Failure::Failed(
            "tallyhook-https.socket is active: the next sender would start tallyhook in the middle. Stop both: systemctl stop \
             tallyhook-https.socket tallyhook.service"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Refuses where a store is, also one that somebody has open without answering.
fn refuse_existing(store: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(store) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            return Err(Failure::Failed(format!(
                "can't see whether {} is there: {error}; run this as root or as the user that tallyhook runs as",
                path(store)
            )));
        }
        Ok(_) => {}
    }
    let is_locked =
        fs::File::open(store).is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)));
    if is_locked {
        let store = path(store);
        return Err(Failure::Failed(format!("{store} is in use by another tallyhook: stop it first")));
    }
    Err(existing(store))
}

fn existing(store: &Path) -> Failure {
    Failure::Failed(format!("{0} is there and is never overwritten; move it away first: mv {0} {0}.old", path(store)))
}
