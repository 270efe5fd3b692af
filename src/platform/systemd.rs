//! Telling the service manager how we are: the notification protocol of `sd_notify(3)`.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// What the service manager is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// Started: requests are answered.
    Ready,
    /// Stopping has begun.
    Stopping,
    /// Still alive; expected at least every `WATCHDOG_USEC`.
    Watchdog,
    /// A line for `systemctl status`.
    Status(&'a str),
    /// Starting or stopping takes at least this much longer.
    ExtendTimeout(Duration),
}

impl Notice<'_> {
    fn text(&self) -> String {
        match self {
            Self::Ready => "READY=1".to_owned(),
            Self::Stopping => "STOPPING=1".to_owned(),
            Self::Watchdog => "WATCHDOG=1".to_owned(),
            // A line break would begin another assignment.
            Self::Status(status) => format!("STATUS={}", status.replace(['\n', '\r'], " ")),
            Self::ExtendTimeout(span) => format!("EXTEND_TIMEOUT_USEC={}", span.as_micros()),
        }
    }
}

/// The way to the service manager, if there is one.
#[derive(Debug)]
pub struct ServiceManager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// From the value of `NOTIFY_SOCKET`: a path, or `@` and a name in the abstract namespace. Without one every notice is
    /// silently dropped, which is right for a program started by hand.
    ///
    /// # Errors
    /// When the value is no such address, or no socket can be made.
    pub fn new(notify_socket: Option<&OsStr>) -> io::Result<Self> {
        let Some(address) = notify_socket.filter(|address| !address.is_empty()) else {
            return Ok(Self { socket: None, watchdog: None });
        };
        let address = match address.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
            [b'/', ..] => SocketAddr::from_pathname(address)?,
            _ => {
                let reason = "NOTIFY_SOCKET is neither a path nor an abstract name (vsock is not supported)";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
            }
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?; // better a lost notice than a stuck program
        Ok(Self { socket: Some((socket, address)), watchdog: None })
    }

    /// The same, with how often it wants to hear [`Notice::Watchdog`] ([`watchdog_interval`]).
    #[must_use]
    pub fn with_watchdog(self, interval: Option<Duration>) -> Self {
        Self { watchdog: interval, ..self }
    }

    /// How often it wants to hear [`Notice::Watchdog`] at least; none where it doesn't.
    pub const fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Whether anybody listens.
    pub const fn is_present(&self) -> bool {
        self.socket.is_some()
    }

    /// Tells it, in one message.
    ///
    /// # Errors
    /// When the message can't be handed over. Nothing depends on it but what the service manager shows and decides.
    pub fn notify(&self, notices: &[Notice<'_>]) -> io::Result<()> {
        let Some((socket, address)) = &self.socket else { return Ok(()) };
        let message = notices.iter().map(Notice::text).collect::<Vec<_>>().join("\n");
        socket.send_to_addr(message.as_bytes(), address).map(|_| ())
    }
}

/// How often the service manager wants to hear [`Notice::Watchdog`] at least, from the values of `WATCHDOG_USEC` and
/// `WATCHDOG_PID`; none when it does not, or wants it from another process (`sd_watchdog_enabled(3)`).
pub fn watchdog_interval(usec: Option<&str>, pid: Option<&str>) -> Option<Duration> {
    if pid.is_some_and(|pid| pid.parse() != Ok(std::process::id())) {
        return None;
    }
    let micros = usec?.parse::<u64>().ok()?;
    (micros > 0).then(|| Duration::from_micros(micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn notices_reach_a_socket_with_a_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let manager = ServiceManager::new(Some(path.as_os_str())).unwrap();
        assert!(manager.is_present());
        manager.notify(&[Notice::Ready, Notice::Status("two\nlines")]).unwrap();
        assert_eq!(received(&listener), "READY=1\nSTATUS=two lines");
        manager.notify(&[Notice::ExtendTimeout(Duration::from_secs(2))]).unwrap();
        assert_eq!(received(&listener), "EXTEND_TIMEOUT_USEC=2000000");
        manager.notify(&[Notice::Stopping]).unwrap();
        assert_eq!(received(&listener), "STOPPING=1");
    }

    #[test]
    fn notices_reach_an_abstract_socket() {
        let name = format!("tallyhook-test-{}", std::process::id());
        let listener = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let manager = ServiceManager::new(Some(OsStr::new(&format!("@{name}")))).unwrap();
        manager.notify(&[Notice::Watchdog]).unwrap();
        assert_eq!(received(&listener), "WATCHDOG=1");
    }

    #[test]
    fn without_a_service_manager_nothing_happens() {
        for nobody in [None, Some(OsStr::new(""))] {
            let manager = ServiceManager::new(nobody).unwrap();
            assert!(!manager.is_present());
            assert!(manager.notify(&[Notice::Ready]).is_ok());
        }
        assert!(ServiceManager::new(Some(OsStr::new("vsock:2:1"))).is_err());
        let gone = ServiceManager::new(Some(OsStr::new("/nowhere/notify"))).unwrap();
        assert!(gone.notify(&[Notice::Ready]).is_err());
    }

    #[test]
    fn the_watchdog_counts_only_for_this_process() {
        let me = std::process::id().to_string();
        assert_eq!(watchdog_interval(Some("9000000"), Some(&me)), Some(Duration::from_secs(9)));
        assert_eq!(watchdog_interval(Some("9000000"), None), Some(Duration::from_secs(9)));
        assert_eq!(watchdog_interval(Some("9000000"), Some("1")), None);
        assert_eq!(watchdog_interval(None, Some(&me)), None);
        assert_eq!(watchdog_interval(Some("0"), None), None);
    }
}
