//! Users and groups of this machine, read from its files: a static program can't ask the host's name service modules.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A user, by numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user's number.
    pub user: u32,
    /// The number of the user's own group.
    pub group: u32,
}

/// A user by name; none when there is none.
pub fn account(name: &str) -> Option<Account> {
    find(&fs::read_to_string("/etc/passwd").ok()?, name)
}

/// passwd(5): name, password, user, group and so on between colons.
fn find(passwd: &str, name: &str) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        Some(Account { user: fields.nth(1)?.parse().ok()?, group: fields.next()?.parse().ok()? })
    })
}

/// The numbers of the groups that name a user as a member, beside the user's own.
pub fn groups_of(name: &str) -> Vec<u32> {
    memberships(&fs::read_to_string("/etc/group").unwrap_or_default(), name)
}

/// group(5): name, password, number, and members between commas.
fn memberships(group: &str, name: &str) -> Vec<u32> {
    let of_line = |line: &str| {
        let mut fields = line.split(':');
        let number = fields.nth(2)?.parse().ok()?;
        fields.next()?.split(',').any(|member| member == name).then_some(number)
    };
    group.lines().filter_map(of_line).collect()
}

/// What keeps a user from reading a file: the file, or a folder on the way to it, as far as owners and permissions tell. None when
/// nothing does, and where it can't be seen or an access control list decides (acl(5)).
pub fn obstacle(path: &Path, user: u32, groups: &[u32]) -> Option<PathBuf> {
    const READ: u32 = 4;
    const PASS: u32 = 1;
    let path = std::path::absolute(path).ok()?;
    // Links are followed: what they lead to has folders of its own above it.
    let real = fs::canonicalize(&path).ok()?;
    let is_closed = |place: &Path, wish: u32| {
        let is_plain = rustix::fs::getxattr(place, "system.posix_acl_access", &mut [0_u8; 0][..]).is_err();
        is_plain && fs::metadata(place).is_ok_and(|metadata| !allows(&metadata, user, groups, wish))
    };
    let folders = path.ancestors().skip(1).chain(real.ancestors().skip(1));
    let mut folders: Vec<&Path> = folders.filter(|folder| is_closed(folder, PASS)).collect();
    // The outermost says most.
    folders.sort_by_key(|folder| folder.components().count());
    folders.first().map(|folder| (*folder).to_owned()).or_else(|| is_closed(&path, READ).then_some(path))
}

/// path_resolution(7): the owner's bits for the owner, the group's for its members, else the others'.
fn allows(metadata: &Metadata, user: u32, groups: &[u32], wish: u32) -> bool {
    let mode = metadata.mode();
    let bits = if metadata.uid() == user {
        mode >> 6
    } else if groups.contains(&metadata.gid()) {
        mode >> 3
    } else {
        mode
    };
    user == 0 || bits & wish == wish
}

/// The name of a user, or the number where there is no name.
pub fn user_name(user: u32) -> String {
    let passwd = fs::read_to_string(Path::new("/etc/passwd")).unwrap_or_default();
    let named = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(user)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| user.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\ntallyhook-old:x:7:8::/:\ntallyhook:!:991:990:Tallyhook:/var/lib/tallyhook:/x\n";
        assert_eq!(find(passwd, "tallyhook"), Some(Account { user: 991, group: 990 }));
        assert_eq!(find(passwd, "tally"), None);
        assert_eq!(find("tallyhook:x:rubbish\n", "tallyhook"), None);
    }

    #[test]
    fn membership_is_by_whole_names() {
        let group = "root:x:0:\nssl-cert:x:110:www,tallyhook\nold:x:7:tallyhook-old\nrubbish\n";
        assert_eq!(memberships(group, "tallyhook"), [110]);
    }

    #[test]
    fn a_link_into_a_closed_folder_is_no_way_in() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let set = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let (closed, file, link) =
            (folder.path().join("archive"), folder.path().join("archive/key.pem"), folder.path().join("key.pem"));
        fs::create_dir(&closed).unwrap();
        fs::write(&file, "").unwrap();
        symlink(&file, &link).unwrap();
        set(folder.path(), 0o755);
        set(&closed, 0o700);
        set(&file, 0o644);
        let owner = fs::metadata(&file).unwrap().uid();
        assert_eq!(obstacle(&link, 65_534, &[]), Some(closed.clone()));
        assert_eq!(obstacle(&link, owner, &[]), None);
        set(&closed, 0o711);
        assert_eq!(obstacle(&link, 65_534, &[]), None);
        set(&file, 0o600);
        assert_eq!(obstacle(&link, 65_534, &[]), Some(link.clone()));
        assert_eq!(obstacle(&link, 0, &[]), None, "root reads everything");
        assert_eq!(obstacle(&folder.path().join("gone"), 65_534, &[]), None);
    }
}
