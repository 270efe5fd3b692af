//! Channels that answer, refuse, fail and hang.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use super::*;
use crate::alerts::trouble::AlertClass;
use crate::destinations::HttpResponse;
use crate::model::secret::Secret;
use crate::platform::clock::{Clock, ManualClock};

/// A channel that answers what it is told, 200 when it is told nothing.
#[derive(Default)]
struct FakeClient {
    answers: Mutex<VecDeque<Reply>>,
    bodies: Mutex<Vec<serde_json::Value>>,
    begun: AtomicUsize,
    blocks: Mutex<()>,
}

impl FakeClient {
    fn answering(answers: impl IntoIterator<Item = Reply>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), ..Self::default() })
    }

    fn send(&self, request: &HttpRequest) -> Reply {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let _held = self.blocks.lock().unwrap();
        self.bodies.lock().unwrap().push(serde_json::from_slice(&request.body).unwrap());
        self.answers.lock().unwrap().pop_front().unwrap_or_else(|| answer(200))
    }

    fn event_types(&self) -> Vec<String> {
        self.bodies.lock().unwrap().iter().map(|body| body["event_type"].as_str().unwrap().to_owned()).collect()
    }

    /// Lets time pass until so many requests have begun; the thread takes reports in when it gets round to it.
    fn wait_for(&self, count: usize, clock: &ManualClock) {
        let start = Instant::now();
        while self.begun.load(Ordering::SeqCst) < count {
            assert!(start.elapsed() < Duration::from_secs(30), "only {:?}", self.event_types());
            std::thread::sleep(Duration::from_millis(5));
            clock.advance(Duration::from_secs(1));
        }
    }
}

fn answer(status: u16) -> Reply {
    Ok(HttpResponse { status, retry_after: None, body: Vec::new(), headers: Vec::new() })
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

#[test]
fn trouble_and_its_end_are_posted_once_each() {
    let client = FakeClient::answering([]);
    let (threads, clock) = start(&[&client]);
    let alerts = threads.alerts();
    for _ in 0..5 {
        alerts.report(&trouble("crm"));
    }
    client.wait_for(1, &clock);
    alerts.recovered(&over("crm"));
    client.wait_for(2, &clock);
    threads.stop();
    assert_eq!(client.event_types(), ["destination_held", "recovered"]);
    let body = client.bodies.lock().unwrap()[0].clone();
    assert_eq!((body["destination"].as_str(), body["count"].as_u64()), (Some("crm"), Some(5)));
    assert_eq!(body["requires_manual_review"], true);
}

#[test]
fn a_message_is_tried_three_times_and_then_given_up() {
    let client = FakeClient::answering([answer(503), Err(NoAnswer::Unknown("reset".to_owned())), answer(429)]);
    let (threads, clock) = start(&[&client]);
    let begin = clock.now();
    threads.alerts().report(&trouble("crm"));
    client.wait_for(3, &clock);
    assert!(clock.now().since(begin) >= Duration::from_secs(30 + 10 + 60));
    clock.advance(Duration::from_secs(600));
    let alerts = threads.alerts();
    threads.stop();
    assert_eq!((client.event_types().len(), alerts.undelivered()), (3, 1));
}

#[test]
fn what_could_not_be_said_is_known_until_the_channel_takes_something_again() {
    let client = FakeClient::answering([answer(503), answer(503), answer(503)]);
    let (threads, clock) = start(&[&client]);
    let alerts = threads.alerts();
    assert_eq!(alerts.trouble(), None);
    alerts.report(&trouble("crm"));
    client.wait_for(3, &clock);
    let start = Instant::now();
    while alerts.trouble().is_none() && start.elapsed() < Duration::from_secs(30) {
        std::thread::yield_now();
    }
    assert!(alerts.trouble().unwrap().contains("1 to `alerts.ops`"));
    alerts.report(&trouble("mail"));
    client.wait_for(4, &clock);
    threads.stop();
    assert_eq!(alerts.trouble(), None);
}

#[test]
fn a_refused_message_is_not_tried_again() {
    let client = FakeClient::answering([answer(404)]);
    let (threads, clock) = start(&[&client]);
    let alerts = threads.alerts();
    alerts.report(&trouble("crm"));
    client.wait_for(1, &clock);
    clock.advance(Duration::from_secs(600));
    alerts.report(&trouble("ga4"));
    client.wait_for(2, &clock);
    threads.stop();
    assert_eq!(alerts.undelivered(), 1);
    let bodies = client.bodies.lock().unwrap();
    assert_eq!(bodies.iter().map(|body| body["destination"].clone()).collect::<Vec<_>>(), ["crm", "ga4"]);
}

#[test]
fn reporting_never_waits_and_counts_what_it_drops() {
    let client = FakeClient::answering([]);
    let (threads, clock) = start(&[&client]);
    let alerts = threads.alerts();
    let held = client.blocks.lock().unwrap();
    alerts.report(&trouble("first"));
    client.wait_for(1, &clock);
    let start = Instant::now();
    for _ in 0..WAITING_REPORTS + 10 {
        alerts.report(&trouble("crm"));
    }
    assert!(start.elapsed() < Duration::from_secs(5));
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
    well.wait_for(1, &clock);
    stuck.wait_for(1, &clock);
    assert!(stuck.event_types().is_empty());
    drop(held);
    threads.stop();
    assert_eq!((stuck.event_types().len(), well.event_types().len()), (1, 1));
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
