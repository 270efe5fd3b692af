//! Sending alerts: each channel has a thread of its own, with its own groups, pace and few tries.
//!
//! It has nothing to do with the delivery path: what that path can't do, this one reports.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TrySendError};
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
            Try::Taken => {}
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

    /// An alert that can't be sent is at least in the log.
    fn give_up(&self, message: &Message, reason: &str) {
        self.tally.undelivered.fetch_add(1, Ordering::Relaxed);
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
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;
    use std::time::Instant;

    use super::*;
    use crate::alerts::trouble::AlertClass;
    use crate::destinations::HttpResponse;
    use crate::model::secret::Secret;
    use crate::platform::clock::ManualClock;

    /// A channel that answers what it is told, 200 when it is told nothing.
    #[derive(Default)]
    struct FakeClient {
        answers: Mutex<VecDeque<Reply>>,
        bodies: Mutex<Vec<serde_json::Value>>,
        blocks: Mutex<()>,
    }

    impl FakeClient {
        fn answering(answers: impl IntoIterator<Item = Reply>) -> Arc<Self> {
            Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), ..Self::default() })
        }

        fn send(&self, request: &HttpRequest) -> Reply {
            let _held = self.blocks.lock().unwrap();
            self.bodies.lock().unwrap().push(serde_json::from_slice(&request.body).unwrap());
            self.answers.lock().unwrap().pop_front().unwrap_or_else(|| answer(200))
        }

        fn event_types(&self) -> Vec<String> {
            self.bodies.lock().unwrap().iter().map(|body| body["event_type"].as_str().unwrap().to_owned()).collect()
        }

        fn wait_for(&self, count: usize) {
            let start = Instant::now();
            while self.bodies.lock().unwrap().len() < count {
                assert!(start.elapsed() < Duration::from_secs(10), "only {:?}", self.event_types());
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn answer(status: u16) -> Reply {
        Ok(HttpResponse { status, retry_after: None, body: Vec::new() })
    }

    fn start(clients: &[&Arc<FakeClient>]) -> (AlertThreads, Arc<ManualClock>) {
        let clock = ManualClock::at(Timestamp::from_unix_seconds(1_700_000_000));
        let pace = Alerting {
            group_wait: Duration::from_secs(30),
            group_interval: Duration::from_secs(300),
            repeat_interval: Duration::from_secs(14_400),
        };
        let channel = |client: &&Arc<FakeClient>| {
            let client = Arc::<FakeClient>::clone(client);
            let post: Post = Box::new(move |request, _| client.send(request));
            Channel {
                alert: Alert {
                    name: "ops".to_owned(),
                    url: Secret::new("https://alerts.example/secret"),
                    allow_private_addresses: false,
                },
                post,
            }
        };
        let shared: SharedClock = clock.clone();
        (AlertThreads::start(clients.iter().map(channel).collect(), pace, &shared).unwrap(), clock)
    }

    fn trouble(subject: &str) -> Trouble {
        Trouble {
            subject: subject.to_owned(),
            class: AlertClass::DestinationHeld,
            message: "401: the key is refused".to_owned(),
            transaction_id: None,
            lead_id: None,
            count: 1,
        }
    }

    fn over(subject: &str) -> Recovered {
        Recovered { subject: subject.to_owned(), class: AlertClass::DestinationHeld }
    }

    /// Waits until the thread has taken in everything, so that the clock may move.
    fn settle() {
        std::thread::sleep(Duration::from_millis(50));
    }

    #[test]
    fn trouble_and_its_end_are_posted_once_each() {
        let client = FakeClient::answering([]);
        let (threads, clock) = start(&[&client]);
        let alerts = threads.alerts();
        for _ in 0..5 {
            alerts.report(&trouble("crm"));
        }
        settle();
        clock.advance(Duration::from_secs(30));
        client.wait_for(1);
        let body = client.bodies.lock().unwrap()[0].clone();
        assert_eq!((body["destination"].as_str(), body["count"].as_u64()), (Some("crm"), Some(5)));
        assert_eq!(body["requires_manual_review"], true);
        alerts.recovered(&over("crm"));
        settle();
        clock.advance(Duration::from_secs(300));
        client.wait_for(2);
        threads.stop();
        assert_eq!(client.event_types(), ["destination_held", "recovered"]);
    }

    #[test]
    fn a_message_is_tried_three_times_and_then_given_up() {
        let client = FakeClient::answering([answer(503), Err(NoAnswer::Unknown("reset".to_owned())), answer(429)]);
        let (threads, clock) = start(&[&client]);
        threads.alerts().report(&trouble("crm"));
        settle();
        clock.advance(Duration::from_secs(30));
        client.wait_for(1);
        settle();
        clock.advance(Duration::from_secs(10));
        client.wait_for(2);
        settle();
        clock.advance(Duration::from_secs(60));
        client.wait_for(3);
        settle();
        clock.advance(Duration::from_secs(600));
        settle();
        assert_eq!(threads.alerts().undelivered(), 1);
        assert_eq!(client.event_types().len(), 3);
        threads.stop();
    }

    #[test]
    fn a_refused_message_is_not_tried_again() {
        let client = FakeClient::answering([answer(404), answer(200)]);
        let (threads, clock) = start(&[&client]);
        threads.alerts().report(&trouble("crm"));
        settle();
        clock.advance(Duration::from_secs(30));
        client.wait_for(1);
        settle();
        clock.advance(Duration::from_secs(600));
        settle();
        assert_eq!((client.event_types().len(), threads.alerts().undelivered()), (1, 1));
        threads.stop();
    }

    #[test]
    fn reporting_never_waits_and_counts_what_it_drops() {
        let client = FakeClient::answering([]);
        let (threads, clock) = start(&[&client]);
        let alerts = threads.alerts();
        let held = client.blocks.lock().unwrap();
        alerts.report(&trouble("first"));
        settle();
        clock.advance(Duration::from_secs(30));
        settle(); // the thread is now in the middle of a post
        let start = Instant::now();
        for _ in 0..WAITING_REPORTS + 10 {
            alerts.report(&trouble("crm"));
        }
        assert!(start.elapsed() < Duration::from_secs(1));
        assert_eq!(alerts.dropped(), 10);
        drop(held);
        threads.stop();
    }

    #[test]
    fn a_channel_that_hangs_does_not_hold_up_another() {
        let (stuck, well) = (FakeClient::answering([]), FakeClient::answering([]));
        let (threads, clock) = start(&[&stuck, &well]);
        let held = stuck.blocks.lock().unwrap();
        threads.alerts().report(&trouble("crm"));
        settle();
        clock.advance(Duration::from_secs(30));
        well.wait_for(1);
        assert!(stuck.event_types().is_empty());
        drop(held);
        threads.stop();
        assert_eq!(stuck.event_types().len(), 1);
    }

    #[test]
    fn stopping_sends_what_nobody_was_told_yet() {
        let client = FakeClient::answering([]);
        let (threads, _clock) = start(&[&client]);
        let alerts = threads.alerts();
        alerts.report(&trouble("crm"));
        alerts.report(&trouble("ga4"));
        threads.stop();
        assert_eq!(client.event_types(), ["destination_held", "destination_held"]);
        alerts.report(&trouble("late")); // harmless
    }

    #[test]
    fn without_channels_reports_go_nowhere() {
        let alerts = Alerts::none();
        alerts.report(&trouble("crm"));
        assert_eq!(alerts.dropped(), 0);
    }
}
