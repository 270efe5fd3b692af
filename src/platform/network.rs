//! What this machine knows of names and of its own addresses. Nothing is sent to find out, but for questions to the name service.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

/// Addresses kept for documentation (RFC 5737, RFC 3849), to which nothing is ever sent.
const ELSEWHERE: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];

/// Questions about names and addresses; given in, so that a test can answer them.
pub trait Network {
    /// The addresses of a name, each once.
    ///
    /// # Errors
    /// When the name service knows none, or does not answer.
    fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;

    /// Whether an address is one of this machine's.
    fn is_ours(&self, address: IpAddr) -> bool;

    /// The addresses from which this machine talks to the world; none without a way there.
    fn outgoing(&self) -> Vec<IpAddr>;

    /// Whether something takes connections at an address.
    ///
    /// # Errors
    /// When nothing does.
    fn connect(&self, address: SocketAddr, patience: Duration) -> io::Result<()>;
}

/// The system's own answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemNetwork;

impl Network for SystemNetwork {
    fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let mut all: Vec<IpAddr> = (host, 0).to_socket_addrs()?.map(|address| address.ip()).collect();
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    fn is_ours(&self, address: IpAddr) -> bool {
        // Linux gives a socket only an address of the machine (ip(7), EADDRNOTAVAIL).
        UdpSocket::bind((address, 0)).is_ok()
    }

    fn outgoing(&self) -> Vec<IpAddr> {
        let source = |to: IpAddr| {
            let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            let socket = UdpSocket::bind((any, 0)).ok()?;
            // Only chooses the way; a datagram is sent by nothing but a send.
            socket.connect((to, 9)).ok()?;
            Some(socket.local_addr().ok()?.ip())
        };
        ELSEWHERE.into_iter().filter_map(source).collect()
    }

    fn connect(&self, address: SocketAddr, patience: Duration) -> io::Result<()> {
        TcpStream::connect_timeout(&address, patience).map(drop)
    }
}

/// Whether the world can't send anything to an address: loopback, private, link-local, shared by carriers (RFC 6598).
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_loopback()
                || address.is_private()
                || address.is_link_local()
                || address.is_unspecified()
                || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(address) => {
            address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_unspecified()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn loopback_is_ours_and_an_address_of_documentation_is_not() {
        assert!(SystemNetwork.is_ours(Ipv4Addr::LOCALHOST.into()));
        assert!(!SystemNetwork.is_ours(ELSEWHERE[0]));
        assert!(SystemNetwork.outgoing().iter().all(|address| SystemNetwork.is_ours(*address)));
        assert_eq!(SystemNetwork.addresses("127.0.0.1").unwrap(), [IpAddr::from([127, 0, 0, 1])]);
    }

    #[test]
    fn a_listening_port_takes_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(SystemNetwork.connect(address, Duration::from_secs(5)).is_ok());
        drop(listener);
        assert!(SystemNetwork.connect(address, Duration::from_secs(5)).is_err());
    }

    #[test]
    fn private_addresses_are_told_from_public_ones() {
        for text in
            ["127.0.0.1", "10.1.2.3", "192.168.0.9", "169.254.1.1", "100.64.0.1", "::1", "fd00::1", "::ffff:10.0.0.1"]
        {
            assert!(is_private(text.parse().unwrap()), "{text}");
        }
        for text in ["93.184.215.14", "100.128.0.1", "2606:4700::1111"] {
            assert!(!is_private(text.parse().unwrap()), "{text}");
        }
    }
}
