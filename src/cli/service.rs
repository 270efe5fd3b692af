//! The service as its package installs it: which file configures it, as which user it runs, and what that user can't read.

use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::{Config, DEFAULT_FILE, Tls};
use crate::platform::accounts::{Account, account, groups_of, obstacle};

/// The user that the service runs as.
const USER: &str = "tallyhook";
/// The unit that holds the public port.
const SOCKET: &str = "tallyhook-https.socket";
/// Where a running systemd is known by (sd_booted(3)).
const SYSTEMD: &str = "/run/systemd/system";
/// Folders that the unit shows empty to the service (`ProtectHome`, `PrivateTmp`).
const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];

/// Whether the service starts with this file, as its unit says.
pub(super) fn is_of_service(file: &Path) -> bool {
    file == Path::new(DEFAULT_FILE)
}

/// Whether systemd runs this machine.
pub(super) fn has_systemd() -> bool {
    Path::new(SYSTEMD).is_dir()
}

/// Whether the socket waits for senders, and would start the service for the next one.
pub(super) fn is_socket_active() -> bool {
    has_systemd()
        && Command::new("systemctl")
            .args(["is-active", "--quiet", SOCKET])
            .status()
            .is_ok_and(|status| status.success())
}

/// Lets the group of the service's user read a file, where there is such a user. Whoever may not do that set it up for themselves.
pub(super) fn give_to_service(file: &Path) -> io::Result<()> {
    let Some(service) = account(USER) else { return Ok(()) };
    match chown(file, None, Some(service.group)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

/// A file that the service needs, and what keeps its user from reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// The file.
    pub(super) file: PathBuf,
    /// The file itself, or a folder above it.
    pub(super) obstacle: PathBuf,
}

impl Unreadable {
    /// What is wrong. A sentence.
    pub(super) fn message(&self) -> String {
        let file = self.file.display();
        match self.obstacle == self.file {
            true => format!("the service runs as {USER} and can't read {file}"),
            false => {
                format!("the service runs as {USER} and can't read {file}: {} is closed to it", self.obstacle.display())
            }
        }
    }

    /// What to do.
    pub(super) fn fix(&self) -> String {
        let file = self.file.display();
        match is_of_service(&self.file) {
            true => format!("chown root:{USER} {file} && chmod 0640 {file}, then `systemctl restart tallyhook`"),
            false => format!(
                "put a copy where it can, and name that in the configuration: install -D -g {USER} -m 0640 {file} /etc/tallyhook/tls/{}; \
                 for certbot's files a deploy hook does it at each renewal (README, \"Let Stripe reach it\")",
                self.file.file_name().unwrap_or_default().to_string_lossy()
            ),
        }
    }
}

/// What the service's user can't read of all that this configuration names, as far as owners and permissions tell. Nothing when
/// the service does not use this configuration, or is not installed.
pub(super) fn unreadable(config: &Config) -> Vec<Unreadable> {
    let is_used = config.file.as_deref().is_some_and(is_of_service);
    match account(USER).filter(|_| is_used) {
        Some(service) => unreadable_for(service, &groups_of(USER), &HIDDEN, config),
        None => Vec::new(),
    }
}

fn unreadable_for(service: Account, groups: &[u32], hidden: &[&str], config: &Config) -> Vec<Unreadable> {
    let groups: Vec<u32> = groups.iter().copied().chain([service.group]).collect();
    let of_tls: Vec<&PathBuf> = match &config.server.tls {
        Tls::Off => Vec::new(),
        Tls::Files { cert, key } => vec![cert, key],
        Tls::Acme(acme) => acme.ca_root.iter().collect(),
    };
    let files = config.file.iter().chain(of_tls).chain(&config.secret_files);
    let judge = |file: &PathBuf| {
        let hidden = hidden.iter().map(Path::new).find(|folder| file.starts_with(folder));
        let obstacle = hidden.map(Path::to_owned).or_else(|| obstacle(file, service.user, &groups))?;
        Some(Unreadable { file: file.clone(), obstacle })
    };
    files.filter_map(judge).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn files_that_only_root_can_reach_are_named_with_what_is_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        fs::create_dir(place("live")).unwrap();
        for (name, text) in [
            ("tallyhook.toml", "[sources.stripe]\nkind = \"stripe\"\nsecrets = [{ file = \"live/secret\" }]\n"),
            ("live/secret", "whsec_0123456789abcdef0123456789abcdef"),
        ] {
            fs::write(place(name), text).unwrap();
            fs::set_permissions(place(name), Permissions::from_mode(0o640)).unwrap();
        }
        let group = fs::metadata(place("live")).unwrap().gid();
        let nobody = Account { user: 65_534, group: 65_534 };
        let load = || Config::load(Some(&place("tallyhook.toml")), &BTreeMap::new()).unwrap();
        let found = |groups: &[u32]| -> Vec<PathBuf> {
            unreadable_for(nobody, groups, &[], &load()).into_iter().map(|unreadable| unreadable.obstacle).collect()
        };
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(place("live"), Permissions::from_mode(0o700)).unwrap();
        assert_eq!(found(&[]), [place("tallyhook.toml"), place("live")]);
        assert_eq!(found(&[group]), [place("live")]);
        fs::set_permissions(place("live"), Permissions::from_mode(0o750)).unwrap();
        assert_eq!(found(&[group]), [] as [PathBuf; 0]);
    }

    #[test]
    fn what_the_unit_hides_is_no_use_however_open_it_is() {
        let folder = tempfile::tempdir_in("/tmp").unwrap();
        let file = folder.path().join("tallyhook.toml");
        fs::write(
            &file,
            "[sources.stripe]\nkind = \"stripe\"\nsecrets = [\"whsec_0123456789abcdef0123456789abcdef\"]\n",
        )
        .unwrap();
        let config = Config::load(Some(&file), &BTreeMap::new()).unwrap();
        let found = unreadable_for(Account { user: 0, group: 0 }, &[], &HIDDEN, &config);
        assert_eq!(found[0].obstacle, Path::new("/tmp"));
        assert!(found[0].message().contains("/tmp is closed to it"), "{}", found[0].message());
    }
}
