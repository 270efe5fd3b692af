//! What is kept on disk: the account, the certificate with its key, and how the last tries went.
//!
//! A folder for each authority, so that a rehearsal with another one never gets into the way of the real one. Everything in it is
//! for its owner's eyes only, and is replaced as a whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::model::time::Timestamp;

const ACCOUNT: &str = "account.json";
const CERTIFICATE: &str = "certificate.pem";
const TRIES: &str = "tries.json";
const CONTACT: &str = "contact";
/// Tries as they are written today.
const VERSION: u32 = 1;

/// The state can't be kept or read.
#[derive(Debug, thiserror::Error)]
#[error("can't keep the certificate in {path}: {source}; make room, or let the service's user write there")]
pub(super) struct StateError {
    path: PathBuf,
    source: io::Error,
}

/// How the last tries went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tries {
    /// How it is written.
    pub(super) version: u32,
    /// What was asked for: another wish has a fresh start.
    pub(super) wish: String,
    /// Failures in a row. A try that is under way counts, so that one that ends in a crash does.
    pub(super) failures: u32,
    /// When the last one began.
    pub(super) at: Timestamp,
    /// No other before.
    pub(super) not_before: Timestamp,
    /// Whether it is the authority that asks to wait, not only our own patience.
    pub(super) is_asked: bool,
    /// Why the last one failed.
    pub(super) error: Option<String>,
    /// The way to prove the names that is to be tried next; none for the usual one.
    pub(super) way: Option<String>,
}

/// The folder of one authority.
#[derive(Clone, Debug)]
pub(super) struct StateFolder {
    path: PathBuf,
}

impl StateFolder {
    /// The folder for an authority below the store's.
    pub(super) fn new(store_folder: &Path, directory: &str) -> Self {
        let host =
            directory.split_once("://").map_or(directory, |(_, rest)| rest).split('/').next().unwrap_or_default();
        let host: String = host
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '.' || c == '-' { c } else { '_' })
            .take(100)
            .collect();
        let digest = hex::encode(Sha256::digest(directory.as_bytes()));
        Self { path: store_folder.join("acme").join(format!("{host}-{}", &digest[..8])) }
    }

    /// The account at the authority. One that can't be read is put aside: a new one is as good.
    pub(super) fn account(&self) -> Result<Option<AccountCredentials>, StateError> {
        let Some(bytes) = self.read(ACCOUNT)? else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(account) => Ok(Some(account)),
            Err(_) => {
                tracing::warn!(folder = %self.path.display(), "the account at the certificate authority can't be read; a new one is made");
                self.put_account_aside()?;
                Ok(None)
            }
        }
    }

    pub(super) fn keep_account(&self, account: &AccountCredentials) -> Result<(), StateError> {
        // Only maps with odd keys fail to be written, and this is none.
        self.write(ACCOUNT, &Zeroizing::new(serde_json::to_vec(account).unwrap_or_default()))
    }

    /// Keeps the account out of use, without losing its key.
    pub(super) fn put_account_aside(&self) -> Result<(), StateError> {
        fs::rename(self.path.join(ACCOUNT), self.path.join("account.unusable.json"))
            .map_err(|source| self.error(source))
    }

    /// Whether this is the contact that the authority was told last.
    pub(super) fn knows_contact(&self, contact: Option<&str>) -> bool {
        let kept = self.read(CONTACT).ok().flatten();
        kept.is_some_and(|kept| kept.as_slice() == fingerprint(contact).as_bytes())
    }

    /// Keeps which contact the authority was told; only its digest, as the address is personal data.
    pub(super) fn keep_contact(&self, contact: Option<&str>) -> Result<(), StateError> {
        self.write(CONTACT, fingerprint(contact).as_bytes())
    }

    /// The certificate chain and its key, PEM in one text.
    pub(super) fn certificate(&self) -> Result<Option<Zeroizing<Vec<u8>>>, StateError> {
        self.read(CERTIFICATE)
    }

    pub(super) fn keep_certificate(&self, pem: &[u8]) -> Result<(), StateError> {
        self.write(CERTIFICATE, pem)
    }

    /// How the last tries for this wish went. What can't be read is as if there had been none.
    pub(super) fn tries(&self, wish: &str) -> Tries {
        let read = self.read(TRIES).ok().flatten();
        let tries = read.and_then(|bytes| serde_json::from_slice::<Tries>(&bytes).ok());
        let fresh = || Tries { version: VERSION, wish: wish.to_owned(), ..Tries::default() };
        tries.filter(|tries| tries.version == VERSION && tries.wish == wish).unwrap_or_else(fresh)
    }

    pub(super) fn keep_tries(&self, tries: &Tries) -> Result<(), StateError> {
        self.write(TRIES, &serde_json::to_vec(tries).unwrap_or_default())
    }

    fn read(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StateError> {
        match fs::read(self.path.join(name)) {
            Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.error(source)),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StateError> {
        self.try_write(name, bytes).map_err(|source| self.error(source))
    }

    fn try_write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path)?;
        // Somebody may have made them before, with another mask.
        for folder in [self.path.parent(), Some(self.path.as_path())].into_iter().flatten() {
            if fs::metadata(folder)?.permissions().mode() & 0o077 != 0 {
                fs::set_permissions(folder, Permissions::from_mode(0o700))?;
            }
        }
        let temporary = self.path.join(format!(".{name}.new"));
        // What a crash left there may have other permissions.
        let _ = fs::remove_file(&temporary);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&temporary, self.path.join(name))?;
        File::open(&self.path)?.sync_all()
    }

    fn error(&self, source: io::Error) -> StateError {
        StateError { path: self.path.clone(), source }
    }
}

fn fingerprint(contact: Option<&str>) -> String {
    hex::encode(Sha256::digest(contact.unwrap_or_default().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECTORY: &str = "https://ca.example:14000/dir";

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn keys_are_for_their_owner_only_and_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("acme")).unwrap();
        fs::set_permissions(folder.path().join("acme"), Permissions::from_mode(0o755)).unwrap();
        let state = StateFolder::new(folder.path(), DIRECTORY);
        assert!(state.certificate().unwrap().is_none());
        state.keep_certificate(b"first").unwrap();
        // A crash in the middle of a write leaves this behind.
        fs::write(state.path.join(".certificate.pem.new"), b"half").unwrap();
        assert_eq!(state.certificate().unwrap().unwrap().as_slice(), b"first");
        state.keep_certificate(b"second").unwrap();
        assert_eq!(state.certificate().unwrap().unwrap().as_slice(), b"second");
        assert_eq!(mode(&folder.path().join("acme")), 0o700);
        assert_eq!(mode(&state.path), 0o700);
        assert_eq!(mode(&state.path.join(CERTIFICATE)), 0o600);
        let names: Vec<_> = fs::read_dir(&state.path).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(names, [CERTIFICATE], "nothing is left lying about");
    }

    #[test]
    fn each_authority_has_its_own_folder() {
        let path = |directory| StateFolder::new(Path::new("/state"), directory).path.display().to_string();
        assert!(path(DIRECTORY).starts_with("/state/acme/ca.example_14000-"), "{}", path(DIRECTORY));
        assert_ne!(path(DIRECTORY), path("https://ca.example:14000/other"));
        assert!(!path("https://../../etc").contains("/../"));
    }

    #[test]
    fn tries_survive_a_restart_but_not_another_wish() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path(), DIRECTORY);
        assert_eq!(state.tries("a.example").failures, 0);
        let kept = Tries { failures: 3, error: Some("no".into()), ..state.tries("a.example") };
        state.keep_tries(&kept).unwrap();
        assert_eq!(StateFolder::new(folder.path(), DIRECTORY).tries("a.example"), kept);
        assert_eq!(state.tries("b.example").failures, 0, "what was repaired is tried at once");
        fs::write(state.path.join(TRIES), "{").unwrap();
        assert_eq!(state.tries("a.example").failures, 0);
    }

    #[test]
    fn an_account_that_cant_be_read_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::new(folder.path(), DIRECTORY);
        state.write(ACCOUNT, b"{}").unwrap();
        assert!(state.account().unwrap().is_none());
        assert_eq!(fs::read(state.path.join("account.unusable.json")).unwrap(), b"{}");
        assert!(state.account().unwrap().is_none());
    }

    #[test]
    fn a_folder_that_cant_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("acme"), "a file where the folder should be").unwrap();
        let error = StateFolder::new(folder.path(), DIRECTORY).keep_certificate(b"x").unwrap_err().to_string();
        assert!(error.contains("/acme/ca.example") && error.contains("service's user"), "{error}");
    }
}
