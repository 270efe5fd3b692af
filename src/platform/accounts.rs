//! Users and groups of this machine, read from its files: a static program can't ask the host's name service modules.

use std::fs;
use std::path::Path;

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
}
