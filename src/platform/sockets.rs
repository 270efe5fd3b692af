//! Listening sockets that the service manager opened and handed over (`sd_listen_fds(3)`). They stay open while the program is
//! restarted, so that nobody is refused meanwhile.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use listenfd::ListenFd;

/// Sockets that were handed over and not claimed yet.
#[derive(Debug, Default)]
pub struct PassedSockets(Vec<(SocketAddr, TcpListener)>);

impl PassedSockets {
    /// What was handed to this process. Only the first call finds anything. What is no listening TCP socket is left alone.
    pub fn take() -> Self {
        let mut passed = ListenFd::from_env();
        let listeners = (0..passed.len()).filter_map(|at| passed.take_tcp_listener(at).ok().flatten());
        Self::of(listeners)
    }

    /// These.
    pub fn of(listeners: impl IntoIterator<Item = TcpListener>) -> Self {
        let with_address = |listener: TcpListener| Some((listener.local_addr().ok()?, listener));
        Self(listeners.into_iter().filter_map(with_address).collect())
    }

    /// The one for an address that the configuration names: the one that listens just there, else one of its port that listens on
    /// all addresses, else, where the configuration names all, one that listens on some. A socket of another address is never
    /// taken for it.
    pub fn claim(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let fits = self.0.iter().enumerate().filter_map(|(at, (bound, _))| Some((fit(*bound, address)?, at)));
        let (_, at) = fits.min()?;
        Some(self.0.remove(at).1)
    }

    /// The one for an address, else one of our own.
    ///
    /// # Errors
    /// When the address can't be had.
    pub fn claim_or_bind(&mut self, address: SocketAddr) -> io::Result<TcpListener> {
        self.claim(address).map_or_else(|| TcpListener::bind(address), Ok)
    }

    /// Where sockets listen that nobody claimed.
    pub fn unclaimed(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|(address, _)| *address).collect()
    }
}

/// How well a socket that listens on `bound` does for `wanted`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Same,
    /// It listens on all addresses, this one among them.
    Wider,
    /// It listens on one of all that are wanted: which of them is then said where the socket is opened.
    Narrower,
}

/// A socket on `[::]` listens for IPv4 as well (`ListenStream=443` of systemd opens such a one).
fn fit(bound: SocketAddr, wanted: SocketAddr) -> Option<Fit> {
    let covers = |all: IpAddr, one: IpAddr| all.is_unspecified() && (all.is_ipv6() || one.is_ipv4());
    let (bound_ip, wanted_ip) = (bound.ip().to_canonical(), wanted.ip().to_canonical());
    match bound.port() == wanted.port() {
        false => None,
        true if bound_ip == wanted_ip => Some(Fit::Same),
        true if covers(bound_ip, wanted_ip) => Some(Fit::Wider),
        true if covers(wanted_ip, bound_ip) => Some(Fit::Narrower),
        true => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_of_one_port_and_several_addresses_are_not_mixed_up() {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        let at = |ip: [u8; 4]| SocketAddr::from((ip, port));
        // Another socket of the port may be there already by chance: then there is nothing to mix up.
        let Ok(second) = TcpListener::bind(at([127, 0, 0, 2])) else { return };
        let mut passed = PassedSockets::of([first, second]);
        assert!(passed.claim(at([127, 0, 0, 3])).is_none(), "nobody listens there");
        assert!(passed.claim(SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port))).is_none());
        assert_eq!(passed.claim(at([127, 0, 0, 2])).unwrap().local_addr().unwrap(), at([127, 0, 0, 2]));
        assert_eq!(passed.claim(at([127, 0, 0, 1])).unwrap().local_addr().unwrap(), at([127, 0, 0, 1]));
    }

    #[test]
    fn the_nearest_address_is_taken() {
        let fit = |bound: &str, wanted: &str| fit(bound.parse().unwrap(), wanted.parse().unwrap());
        for (bound, wanted, expected) in [
            ("0.0.0.0:443", "0.0.0.0:443", Some(Fit::Same)),
            ("[::ffff:192.0.2.1]:443", "192.0.2.1:443", Some(Fit::Same)),
            ("[::]:443", "0.0.0.0:443", Some(Fit::Wider)),
            ("[::]:443", "192.0.2.1:443", Some(Fit::Wider)),
            ("0.0.0.0:443", "192.0.2.1:443", Some(Fit::Wider)),
            ("0.0.0.0:443", "[::]:443", Some(Fit::Narrower)),
            ("192.0.2.1:443", "0.0.0.0:443", Some(Fit::Narrower)),
            ("0.0.0.0:443", "[2001:db8::1]:443", None),
            ("[2001:db8::1]:443", "0.0.0.0:443", None),
            ("192.0.2.1:443", "192.0.2.2:443", None),
            ("192.0.2.1:443", "192.0.2.1:80", None),
        ] {
            assert!(fit(bound, wanted) == expected, "{bound} for {wanted}");
        }
    }

    #[test]
    fn a_socket_is_claimed_by_its_port_and_once() {
        let listeners = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
        let addresses = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
        let mut passed = PassedSockets::of(listeners);
        let wanted = SocketAddr::from(([0, 0, 0, 0], addresses[1].port()));
        assert_eq!(passed.claim(wanted).unwrap().local_addr().unwrap(), addresses[1]);
        assert!(passed.claim(wanted).is_none());
        assert_eq!(passed.unclaimed(), [addresses[0]]);
    }

    #[test]
    fn without_a_service_manager_there_are_none() {
        assert!(PassedSockets::take().unclaimed().is_empty());
    }
}
