//! Listening sockets that the service manager opened and handed over (`sd_listen_fds(3)`). They stay open while the program is
//! restarted, so that nobody is refused meanwhile.

use std::io;
use std::net::{SocketAddr, TcpListener};

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

    /// The one for an address that the configuration names. Its port decides: which of the machine's addresses are listened on is
    /// then said where the socket is opened.
    pub fn claim(&mut self, address: SocketAddr) -> Option<TcpListener> {
        let at = self.0.iter().position(|(bound, _)| bound.port() == address.port())?;
        Some(self.0.swap_remove(at).1)
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

#[cfg(test)]
mod tests {
    use super::*;

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
