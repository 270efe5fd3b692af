//! Does the public port take connections on this machine?

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::finding::Finding;
use crate::platform::network::Network;

/// For the connection.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Where a program on this machine reaches a listening address.
pub(super) fn from_here(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

/// Tries it.
pub(super) fn look(listen: SocketAddr, is_running: bool, network: &dyn Network) -> Option<Finding> {
    if listen.port() == 0 {
        return Some(Finding::ok("port", "port 0: another one at each start, which is right for a trial only"));
    }
    judge(listen, is_running, network.connect(from_here(listen), PATIENCE))
}

fn judge(listen: SocketAddr, is_running: bool, connected: io::Result<()>) -> Option<Finding> {
    match (connected, is_running) {
        (Ok(()), true) => Some(Finding::ok(
            "port",
            format!("{listen} takes connections; whether a firewall lets the world in can't be told from here"),
        )),
        (Err(error), true) => Some(Finding::error(
            "port",
            format!("{listen} takes no connections on this machine: {error}"),
            "the running tallyhook was started with another configuration, or a firewall is in the way: restart it, then look at \
             `ss -ltnp` and `nft list ruleset`",
        )),
        (Ok(()), false) => Some(Finding::warning(
            "port",
            format!("{listen} takes connections although tallyhook is not running"),
            "when `systemctl is-active tallyhook-https.socket` says active, that is right; else stop the program that `ss -ltnp` \
             shows there, or give server.listen another port",
        )),
        (Err(_), false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    #[test]
    fn a_closed_port_is_an_error_only_while_tallyhook_runs() {
        let listen: SocketAddr = "0.0.0.0:443".parse().unwrap();
        let refused = || Err(io::Error::from(io::ErrorKind::ConnectionRefused));
        let level = |is_running, connected| judge(listen, is_running, connected).map(|finding| finding.level);
        assert_eq!(level(true, Ok(())), Some(Level::Ok));
        assert_eq!(level(true, refused()), Some(Level::Error));
        assert_eq!(level(false, Ok(())), Some(Level::Warning));
        assert_eq!(level(false, refused()), None);
    }

    #[test]
    fn every_address_is_reached_from_here() {
        for (listen, from) in
            [("0.0.0.0:443", "127.0.0.1:443"), ("[::]:443", "[::1]:443"), ("10.0.0.1:8080", "10.0.0.1:8080")]
        {
            assert_eq!(from_here(listen.parse().unwrap()), from.parse().unwrap());
        }
    }
}
