//! What the service manager and the terminal ask of the process.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// `SIGTERM`, or `SIGINT` from the keyboard: finish and stop.
    Stop,
    /// `SIGHUP`: read the configuration again.
    Reload,
}

/// The signals that are listened for.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Listens from now on; none of these signals ends the process by itself any more. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next wish. Can be dropped and called again without losing one.
    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.hang_up.recv() => Wish::Reload,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[tokio::test]
    async fn signals_become_wishes() {
        let mut signals = Signals::listen().unwrap();
        let me = std::process::id().to_string();
        for (name, wish) in [("-HUP", Wish::Reload), ("-TERM", Wish::Stop), ("-INT", Wish::Stop)] {
            // The shell's own `kill`, since a program of that name is not installed everywhere.
            assert!(Command::new("sh").args(["-c", &format!("kill {name} {me}")]).status().unwrap().success());
            assert_eq!(signals.next().await, wish, "{name}");
        }
    }
}
