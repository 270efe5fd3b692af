//! Tells the service manager that the program lives, as long as its parts do: a ping that says no more than that a thread can
//! sleep and wake would hide a writer that hangs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::start::App;
use crate::platform::systemd::{Notice, ServiceManager};

/// Turns come at least as often as this, also when there is nothing to do.
const LONGEST_TURN: Duration = Duration::from_secs(60);
/// How long a turn may take beyond that: a slow disk, a large batch.
const GRACE: Duration = Duration::from_secs(60);
/// How long the listener's runtime may take to run a task that does nothing.
const LISTENER_GRACE: Duration = Duration::from_secs(10);

/// A part of the program, seen by how many turns it has made.
struct Part {
    name: &'static str,
    turns: u64,
    since: Instant,
}

impl Part {
    fn new(name: &'static str, now: Instant) -> Self {
        Self { name, turns: 0, since: now }
    }

    /// Whether it has turned lately.
    fn is_alive(&mut self, turns: u64, now: Instant) -> bool {
        if turns != self.turns {
            (self.turns, self.since) = (turns, now);
        }
        now.saturating_duration_since(self.since) <= LONGEST_TURN + GRACE
    }
}

/// Pings at a third of the interval in which the service manager wants to hear from us, until `stop` is set and this thread is
/// unparked. A part that stands still ends the pings, and the service manager starts the program again.
pub(super) fn run(app: &App, service: &ServiceManager, interval: Duration, stop: &AtomicBool) {
    let start = Instant::now();
    let mut writer = Part::new("writer", start);
    let mut scheduler = Part::new("scheduler", start);
    let mut settler = Part::new("settler", start);
    let mut was_alive = true;
    while !stop.load(Ordering::SeqCst) {
        let now = Instant::now();
        // Asking the lanes takes their locks: where one is never given back, neither is this call.
        let turns = app.news.engine().map_or(0, |engine| engine.turns());
        let still = [
            (writer.is_alive(app.writer.turns(), now), writer.name),
            (scheduler.is_alive(turns, now), scheduler.name),
            (settler.is_alive(app.news.settler.turns(), now), settler.name),
            (listener_answers(app), "listener"),
        ]
        .into_iter()
        .find(|(is_alive, _)| !is_alive);
        match still {
            None => {
                let _ = service.notify(&[Notice::Watchdog]);
            }
            Some((_, part)) if was_alive => {
                tracing::error!(part, "stands still; the service manager is to start the program again");
            }
            Some(_) => {}
        }
        was_alive = still.is_none();
        std::thread::park_timeout(interval / 3);
    }
}

fn listener_answers(app: &App) -> bool {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    app.runtime.spawn(async move {
        let _ = sender.send(());
    });
    receiver.recv_timeout(LISTENER_GRACE).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_lives_while_it_turns_and_a_while_longer() {
        let start = Instant::now();
        let mut part = Part::new("writer", start);
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(part.is_alive(1, after(5)));
        assert!(part.is_alive(1, after(125)));
        assert!(!part.is_alive(1, after(126)));
        assert!(part.is_alive(2, after(127)));
    }
}
