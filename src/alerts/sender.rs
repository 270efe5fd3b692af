//! Sending alerts: each channel has a thread of its own, with its own groups, pace and few tries.
//!
//! It has nothing to do with the delivery path: what that path can't do, this one reports.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::grouping::Grouping;
use super::trouble::{Message, Recovered, Trouble};
use crate::config::{Alert, Alerting};
use crate::destinations::{HttpRequest, Method, NoAnswer, Reply};
use crate::model::time::Timestamp;
use crate::platform::clock::SharedClock;

/// Reports that may wait for a channel's thread; what comes beyond is dropped and counted.
const WAITING_REPORTS: usize = 1024;
/// Messages that may wait to be sent on a channel; beyond that the oldest is given up.
const WAITING_MESSAGES: usize = 100;
/// The waits before each try of one message. A channel that takes nothing for a minute is left to the next message.
const TRIES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(10), Duration::from_secs(60)];
/// For one try.
const TIMEOUT: Duration = Duration::from_secs(10);
/// For one try while the program is stopping.
const LAST_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a thread waits for a report when nothing is due.
const IDLE: Duration = Duration::from_secs(60);

/// Makes one request, within so long. Given in, so that this folder does not depend on the delivery path, nor a test on a
/// network: usually the `send` of a `delivery::client::HttpClient` that nobody else uses.
pub type Post = Box<dyn Fn(&HttpRequest, Duration) -> Reply + Send>;

/// One way to reach people.
pub struct Channel {
    /// Where to.
    pub alert: Alert,
    /// How.
    pub post: Post,
}

enum Report {
    Trouble(Trouble),
    Recovered(Recovered),
    Stop,
}

#[derive(Default)]
struct Tally {
    dropped: AtomicU64,
    undelivered: AtomicU64,
    is_stopping: AtomicBool,
    /// Messages that each channel did not take since it last took one.
    lost: Mutex<BTreeMap<String, u64>>,
}

/// Takes reports of trouble from anywhere in the program. Clones report to the same channels.
#[derive(Clone)]
pub struct Alerts {
    channels: Arc<[SyncSender<Report>]>,
    tally: Arc<Tally>,
}

impl Alerts {
    /// Reports to nobody.
    pub fn none() -> Self {
        Self { channels: Arc::new([]), tally: Arc::default() }
    }

    /// Reports trouble, to be told when its group is due. Never waits.
    pub fn report(&self, trouble: &Trouble) {
        let trouble = trouble.clone().without_people();
        self.pass_on(|| Report::Trouble(trouble.clone()));
    }

    /// Reports that trouble is over. Never waits. Over what was never reported nothing is said.
    pub fn recovered(&self, recovered: &Recovered) {
        self.pass_on(|| Report::Recovered(recovered.clone()));
    }

    /// Reports that were lost, since a channel's thread was too far behind.
    pub fn dropped(&self) -> u64 {
        self.tally.dropped.load(Ordering::Relaxed)
    }

    /// Messages that a channel did not take in any of their tries.
    pub fn undelivered(&self) -> u64 {
        self.tally.undelivered.load(Ordering::Relaxed)
    }

    /// What people were not told of, as a sentence; none while every channel takes what it is given.
    pub fn trouble(&self) -> Option<String> {
        let lost = self.tally.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let named: Vec<String> = lost.iter().map(|(name, count)| format!("{count} to `alerts.{name}`")).collect();
        (!named.is_empty()).then(|| {
            format!(
                "alerts could not be sent ({}), so that people may not know of something that went wrong; each is in the log: \
                 look at the address of the channel",
                named.join(", ")
            )
        })
    }

    fn pass_on(&self, report: impl Fn() -> Report) {
        for channel in self.channels.iter() {
            if let Err(TrySendError::Full(_)) = channel.try_send(report()) {
                self.tally.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alerts({} channels)", self.channels.len())
    }
}

/// The channels' threads.
pub struct AlertThreads {
    alerts: Alerts,
    threads: Vec<JoinHandle<()>>,
}

impl AlertThreads {
    /// Starts a thread for each channel.
    ///
    /// # Errors
    /// When a thread can't be started.
    pub fn start(channels: Vec<Channel>, pace: Alerting, clock: &SharedClock) -> io::Result<Self> {
        let tally = Arc::new(Tally::default());
        let mut senders = Vec::new();
        let mut threads = Vec::new();
        for channel in channels {
            let (sender, reports) = mpsc::sync_channel(WAITING_REPORTS);
            let name = format!("alerts-{}", channel.alert.name);
            let mut worker = Worker {
                channel,
                reports,
                grouping: Grouping::new(pace),
                outbox: Vec::new(),
                clock: Arc::clone(clock),
                tally: Arc::clone(&tally),
            };
            threads.push(std::thread::Builder::new().name(name).spawn(move || worker.run())?);
            senders.push(sender);
        }
        Ok(Self { alerts: Alerts { channels: senders.into(), tally }, threads })
    }

    /// Where trouble is reported.
    pub fn alerts(&self) -> Alerts {
        self.alerts.clone()
    }

    /// Sends what nobody was told yet, in one try each, and ends. Takes as long as a try under way and a few seconds at most
    /// for each message, until the first that fails.
    pub fn stop(self) {
        self.alerts.tally.is_stopping.store(true, Ordering::SeqCst);
        self.alerts.pass_on(|| Report::Stop);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("an alert thread ended in a panic");
            }
        }
    }
}

/// A message on its way.
struct Posting {
    message: Message,
    tries: usize,
    due: Timestamp,
}

/// How a try ended.
enum Try {
    Taken,
    /// It may be taken later, not before so long.
    Later(Option<Duration>, String),
    Refused(String),
}

struct Worker {
    channel: Channel,
    reports: Receiver<Report>,
    grouping: Grouping,
    outbox: Vec<Posting>,
    clock: SharedClock,
    tally: Arc<Tally>,
}

impl Worker {
    fn run(&mut self) {
        while !self.tally.is_stopping.load(Ordering::SeqCst) {
            let now = self.clock.now();
            for message in self.grouping.due(now) {
                self.enqueue(message, now);
            }
            if self.post_one(now) {
                // Reports come first again: while a channel is slow they must not pile up.
                self.take_waiting();
                continue;
            }
            let next = self.outbox.iter().map(|posting| posting.due).chain(self.grouping.next_due()).min();
            let wait = next.map_or(IDLE, |moment| self.clock.wait_until(moment).min(IDLE));
            match self.reports.recv_timeout(wait) {
                Ok(report) => {
                    self.take(report);
                    self.take_waiting();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.take_waiting();
        self.finish();
    }

    fn take(&mut self, report: Report) {
        let now = self.clock.now();
        match report {
            Report::Trouble(trouble) => self.grouping.trouble(trouble, now),
            Report::Recovered(recovered) => self.grouping.recovered(recovered, now),
            Report::Stop => {}
        }
    }

    fn take_waiting(&mut self) {
        while let Ok(report) = self.reports.try_recv() {
            self.take(report);
        }
    }

    fn enqueue(&mut self, message: Message, now: Timestamp) {
        if self.outbox.len() >= WAITING_MESSAGES {
            let oldest = self.outbox.remove(0);
            self.give_up(&oldest.message, "too many alerts are waiting for this channel");
        }
        self.outbox.push(Posting { message, tries: 0, due: now });
    }

    /// Tries the first message that is due, if there is one.
    fn post_one(&mut self, now: Timestamp) -> bool {
        let Some(index) = self.outbox.iter().position(|posting| posting.due <= now) else { return false };
        let mut posting = self.outbox.remove(index);
        posting.tries += 1;
        match self.post(&posting.message, TIMEOUT) {
            Try::Taken => {
                self.lost().remove(&self.channel.alert.name);
            }
            Try::Refused(reason) => self.give_up(&posting.message, &reason),
            Try::Later(wish, reason) => match TRIES.get(posting.tries) {
                None => self.give_up(&posting.message, &reason),
                Some(wait) => {
                    // A wish is believed up to the longest wait of our own: an alert of yesterday helps nobody.
                    let longest = TRIES.last().copied().unwrap_or_default();
                    posting.due = self.clock.now().after((*wait).max(wish.unwrap_or_default().min(longest)));
                    self.outbox.insert(index, posting);
                }
            },
        }
        true
    }

    fn post(&self, message: &Message, timeout: Duration) -> Try {
        let request = HttpRequest {
            method: Method::Post,
            url: self.channel.alert.url.expose().to_owned(), // a secret: this request is never shown
            secret_path: None,
            secret_query: None,
            headers: vec![("content-type", "application/json".to_owned())],
            secret_header: None,
            body: message.to_json(),
            repeatable: true,
        };
        match (self.channel.post)(&request, timeout) {
            Ok(answer) => match answer.status {
                200..=299 => Try::Taken,
                408 | 425 | 429 | 500..=599 => Try::Later(answer.retry_after, format!("it answered {}", answer.status)),
                status => Try::Refused(format!("it answered {status}")),
            },
            Err(NoAnswer::NotSent(reason) | NoAnswer::Unknown(reason)) => Try::Later(None, reason),
            Err(NoAnswer::Broken(reason)) => Try::Refused(reason),
        }
    }

    fn lost(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, u64>> {
        self.tally.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An alert that can't be sent is at least in the log.
    fn give_up(&self, message: &Message, reason: &str) {
        self.tally.undelivered.fetch_add(1, Ordering::Relaxed);
        *self.lost().entry(self.channel.alert.name.clone()).or_default() += 1;
        tracing::error!(
            channel = self.channel.alert.name,
            event_type = message.news.event_type(),
            subject = message.subject,
            count = message.count,
            alert = message.text,
            reason,
            "an alert can't be sent"
        );
    }

    fn finish(&mut self) {
        let unsent = std::mem::take(&mut self.outbox).into_iter().map(|posting| posting.message);
        let mut messages = unsent.chain(self.grouping.flush(self.clock.now()));
        for message in messages.by_ref() {
            if let Try::Later(_, reason) | Try::Refused(reason) = self.post(&message, LAST_TIMEOUT) {
                self.give_up(&message, &reason);
                break;
            }
        }
        for message in messages {
            self.give_up(&message, "the program is stopping");
        }
    }
}

#[cfg(test)]
mod tests;
