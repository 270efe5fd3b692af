//! Who may read and write configuration, credentials and state.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::finding::{Finding, Level};
use crate::cli::service::{Unreadable, unreadable};
use crate::config::Config;
use crate::platform::accounts::user_name;

/// Others may read.
const OTHERS_READ: u32 = 0o004;
/// Others may write.
const OTHERS_WRITE: u32 = 0o002;
/// Anybody but the owner may do anything.
const NOT_OWNER: u32 = 0o077;

/// What the service's user can't read: with that the service does not start, or keeps an old certificate.
fn of_service(unreadable: &[Unreadable]) -> Vec<Finding> {
    const CHECK: &str = "permissions.service";
    unreadable.iter().map(|unreadable| Finding::error(CHECK, unreadable.message(), unreadable.fix())).collect()
}

/// Looks at everything that is there.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings = of_service(&unreadable(config));
    if let Some(file) = &config.file {
        findings.push(of_configuration(file, config.holds_secrets));
        let folder = file.with_file_name("credentials");
        if folder.is_dir() {
            findings.push(of_credentials(&folder));
        }
    }
    if let Some(folder) = config.store.path.parent().filter(|folder| folder.is_dir()) {
        findings.push(of_state(folder));
    }
    findings
}

fn unseen(check: &str, path: &Path, error: &std::io::Error) -> Finding {
    Finding::warning(
        check,
        format!("{} can't be looked at: {error}", path.display()),
        "run this as root or as the user that tallyhook runs as",
    )
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.mode() & 0o7777
}

fn of_configuration(file: &Path, holds_secrets: bool) -> Finding {
    const CHECK: &str = "permissions.configuration";
    let metadata = match fs::metadata(file) {
        Ok(metadata) => metadata,
        Err(error) => return unseen(CHECK, file, &error),
    };
    let (mode, shown) = (mode(&metadata), file.display());
    let fix = format!("chmod 0640 {shown} (and chown root:tallyhook {shown}, where tallyhook runs as that user)");
    if mode & OTHERS_WRITE != 0 {
        return Finding::error(CHECK, format!("every user of this machine can change {shown} (mode {mode:04o})"), fix);
    }
    if holds_secrets && mode & OTHERS_READ != 0 {
        let message = format!("secrets stand in {shown}, and every user of this machine can read it (mode {mode:04o})");
        return Finding::error(CHECK, message, fix);
    }
    Finding::ok(CHECK, format!("{shown} is closed to those it does not concern (mode {mode:04o})"))
}

/// The files of a folder, with what is known of each.
fn files(folder: &Path) -> std::io::Result<Vec<(PathBuf, Metadata)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // What is gone meanwhile concerns nobody.
        if let Ok(metadata) = fs::metadata(&path) {
            files.push((path, metadata));
        }
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(files)
}

fn of_credentials(folder: &Path) -> Finding {
    const CHECK: &str = "permissions.credentials";
    let (outside, files) = match fs::metadata(folder).and_then(|metadata| Ok((metadata, files(folder)?))) {
        Ok(found) => found,
        Err(error) => return unseen(CHECK, folder, &error),
    };
    let shown = folder.display();
    let open: Vec<String> = files
        .iter()
        .filter(|(_, metadata)| metadata.is_file() && mode(metadata) & NOT_OWNER != 0)
        .map(|(path, _)| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    // Behind a closed folder nobody reaches an open file.
    let is_closed = mode(&outside) & NOT_OWNER == 0;
    let fix = format!("chmod 0700 {shown} && chmod 0600 {shown}/*");
    if open.is_empty() {
        Finding::ok(CHECK, format!("the {} secrets in {shown} are their owner's alone", files.len()))
    } else if is_closed {
        Finding::warning(
            CHECK,
            format!("only their folder keeps others from the secrets {} in {shown}", open.join(", ")),
            fix,
        )
    } else {
        Finding::error(
            CHECK,
            format!("others than their owner can read the secrets {} in {shown}", open.join(", ")),
            fix,
        )
    }
}

fn of_state(folder: &Path) -> Finding {
    const CHECK: &str = "permissions.state";
    let (outside, files) = match fs::metadata(folder).and_then(|metadata| Ok((metadata, files(folder)?))) {
        Ok(found) => found,
        Err(error) => return unseen(CHECK, folder, &error),
    };
    let (shown, owner) = (folder.display(), user_name(outside.uid()));
    let mut worst = Finding::ok(CHECK, format!("{shown} belongs to {owner} and is closed to others"));
    let strangers: Vec<String> = files
        .iter()
        .filter(|(_, metadata)| metadata.uid() != outside.uid())
        .map(|(path, _)| path.file_name().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    let is_open = mode(&outside) & (OTHERS_READ | 0o001) != 0;
    let readable = files.iter().any(|(_, metadata)| metadata.is_file() && mode(metadata) & OTHERS_READ != 0);
    if is_open && readable {
        worst = Finding::error(
            CHECK,
            format!("every user of this machine can read the books in {shown}, with the personal data in them"),
            format!("chmod 0700 {shown}"),
        );
    }
    if !strangers.is_empty() && worst.level == Level::Ok {
        worst = Finding::error(
            CHECK,
            format!("{} in {shown} belongs to another user than the folder ({owner})", strangers.join(", ")),
            format!("tallyhook once ran as another user: chown -R {owner}: {shown}, then restart it"),
        );
    }
    worst
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_configuration_with_secrets_is_not_for_everybody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tallyhook.toml");
        fs::write(&file, "").unwrap();
        for (mode, holds_secrets, level) in [
            (0o640, true, Level::Ok),
            (0o644, true, Level::Error),
            (0o644, false, Level::Ok),
            (0o646, false, Level::Error),
        ] {
            set(&file, mode);
            assert_eq!(of_configuration(&file, holds_secrets).level, level, "{mode:o} {holds_secrets}");
        }
        assert_eq!(of_configuration(&folder.path().join("gone"), true).level, Level::Warning);
    }

    #[test]
    fn credentials_are_their_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("stripe");
        fs::write(&file, "whsec_x").unwrap();
        for (outside, inside, level) in [
            (0o700, 0o600, Level::Ok),
            (0o755, 0o600, Level::Ok),
            (0o700, 0o644, Level::Warning),
            (0o755, 0o644, Level::Error),
        ] {
            set(folder.path(), outside);
            set(&file, inside);
            let found = of_credentials(folder.path());
            assert_eq!(found.level, level, "{outside:o} {inside:o}");
            assert_eq!(level == Level::Ok, !found.message.contains("stripe"));
        }
    }

    #[test]
    fn the_books_are_not_for_everybody() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tallyhook.redb");
        fs::write(&file, "").unwrap();
        for (outside, inside, level) in
            [(0o700, 0o644, Level::Ok), (0o755, 0o600, Level::Ok), (0o755, 0o644, Level::Error)]
        {
            set(folder.path(), outside);
            set(&file, inside);
            assert_eq!(of_state(folder.path()).level, level, "{outside:o} {inside:o}");
        }
    }
}
