//! Keeps a static binary from loading the host's name service modules.
//!
//! glibc's `getaddrinfo` reads `/etc/nsswitch.conf` and loads the shared objects it names, and with them a second C library,
//! into a program that was linked with none: known to crash (rust-lang/rust #100711, #115723). Files and DNS are built in.

/// From now on names are looked up in `/etc/hosts` and by DNS, whatever the host's `nsswitch.conf` says. To be called first in
/// `main`, before there is a second thread. Answers whether it worked; there is nothing to do when it did not.
#[cfg(target_env = "gnu")]
#[allow(unsafe_code)] // glibc offers no other way
pub fn pin() -> bool {
    use std::ffi::{c_char, c_int};

    unsafe extern "C" {
        /// glibc, `nss.h`.
        fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
    }

    // SAFETY: both arguments are NUL-terminated and static, the function is exported by every glibc for this purpose, and the
    // caller has started no other thread that could be looking up a name meanwhile.
    unsafe { __nss_configure_lookup(c"hosts".as_ptr(), c"files dns".as_ptr()) == 0 }
}

/// Other C libraries have no name service modules.
#[cfg(not(target_env = "gnu"))]
pub const fn pin() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use std::net::ToSocketAddrs;

    #[test]
    fn localhost_is_still_found_once_pinned() {
        assert!(super::pin());
        if !std::fs::read_to_string("/etc/hosts").is_ok_and(|hosts| hosts.contains("localhost")) {
            eprintln!("SKIPPED: /etc/hosts does not name localhost");
            return;
        }
        assert!(("localhost", 80).to_socket_addrs().unwrap().next().is_some());
    }
}
