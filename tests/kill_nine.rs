//! `kill -9` under concurrent load, again and again: every acknowledged event is there, nothing is stuck, and no delivery was
//! requested more often than once plus the crashes that it was in flight at.
//!
//! Three rounds by default; `TALLYHOOK_KILL_ROUNDS=1000 cargo test --test kill_nine` for as long as you like.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::daemon::{Daemon, Home, Sandboxes, Settings};
use support::events::{event, intent, refund, session};
use support::{http, wait_for};

const SENDERS: usize = 6;

/// What was answered with "stored".
#[derive(Default)]
struct Acknowledged {
    events: BTreeSet<String>,
    sales: BTreeSet<u64>,
    refunds: BTreeSet<u64>,
}

/// Each number is a customer: a Checkout with its intent, for every third one a refund, for every fourth a duplicate.
fn send_customer(daemon: &Daemon, n: u64, acknowledged: &Mutex<Acknowledged>) {
    let post = |id: String, body: Vec<u8>| {
        let taken = daemon.try_post(&body).is_some_and(|answer| answer.status == 200);
        if taken {
            acknowledged.lock().unwrap().events.insert(id);
        }
        taken
    };
    if post(format!("evt_pi_{n}"), event(&format!("evt_pi_{n}"), "payment_intent.succeeded", intent(n, 1000))) {
        acknowledged.lock().unwrap().sales.insert(n);
    }
    let body = event(&format!("evt_cs_{n}"), "checkout.session.completed", session(n, 1000));
    if post(format!("evt_cs_{n}"), body.clone()) {
        acknowledged.lock().unwrap().sales.insert(n);
    }
    if n.is_multiple_of(4) {
        post(format!("evt_cs_{n}"), body);
    }
    if n.is_multiple_of(3)
        && post(format!("evt_re_{n}"), event(&format!("evt_re_{n}"), "refund.created", refund(n, 1, 400, "succeeded")))
    {
        acknowledged.lock().unwrap().refunds.insert(n);
    }
}

fn rounds() -> u64 {
    std::env::var("TALLYHOOK_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3)
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_doubled() {
    let sandboxes = Sandboxes::start();
    for remembers in [&*sandboxes.ga4, &*sandboxes.crm, &*sandboxes.mailerlite] {
        remembers.remember(usize::MAX);
    }
    let home = Home::new(&sandboxes, &Settings { settle: "100ms", ..Settings::default() });
    let acknowledged = Arc::new(Mutex::new(Acknowledged::default()));
    let next = Arc::new(AtomicU64::new(0));
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    fastrand::seed(seed);
    for _ in 0..rounds() {
        let daemon = Arc::new(home.start());
        let stop = Arc::new(AtomicBool::new(false));
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                let (daemon, stop) = (Arc::clone(&daemon), Arc::clone(&stop));
                let (next, acknowledged) = (Arc::clone(&next), Arc::clone(&acknowledged));
                std::thread::spawn(move || {
                    while !stop.load(Ordering::SeqCst) {
                        send_customer(&daemon, next.fetch_add(1, Ordering::SeqCst), &acknowledged);
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(fastrand::u64(200..1500)));
        daemon.signal(rustix::process::Signal::KILL);
        stop.store(true, Ordering::SeqCst);
        for sender in senders {
            sender.join().unwrap();
        }
    }

    let daemon = home.start();
    let acknowledged = acknowledged.lock().unwrap();
    assert!(!acknowledged.events.is_empty(), "something was acknowledged");
    let stored: BTreeSet<String> = home
        .rows(&["events", "list", "--all"])
        .iter()
        .map(|row| row["provider_id"].as_str().unwrap().to_owned())
        .collect();
    let lost: Vec<_> = acknowledged.events.difference(&stored).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    wait_for("nothing to be stuck", || home.deliveries("pending") == 0);
    let status = &home.rows(&["status"])[0];
    assert_eq!(status["deliveries"]["failed"], 0, "{status}");

    let requests = requests_per_transaction(&sandboxes);
    let crashes = rounds() as usize;
    for n in &acknowledged.sales {
        let told = &requests[&format!("purchase pi_{n:06}")];
        assert!((1..=1 + crashes).contains(&told.len()), "customer {n}: {} requests", told.len());
        assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "repeats differ in what is frozen: {told:?}");
    }
    for n in &acknowledged.refunds {
        let told = requests.get(&format!("refund pi_{n:06}")).map_or(0, Vec::len);
        assert!((1..=1 + crashes).contains(&told), "refund of {n}: {told} requests");
    }
    for contact in sandboxes.crm.contacts() {
        let spent = &contact.fields["total_spent"];
        assert!(*spent == 10 || *spent == 6, "{contact:?}");
    }
    let ids: BTreeSet<_> =
        sandboxes.crm.contacts().iter().map(|contact| contact.external_id().map(str::to_owned)).collect();
    assert_eq!(ids.len(), sandboxes.crm.contacts().len(), "nobody is in the CRM twice");
    assert_eq!(http::get(daemon.address, "/readyz").status, 200);
    eprintln!("{} events acknowledged, {} stored, {} crashes", acknowledged.events.len(), stored.len(), crashes);
}

/// What GA4 was told of each transaction: the frozen parts of every request.
fn requests_per_transaction(sandboxes: &Sandboxes) -> BTreeMap<String, Vec<String>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for request in sandboxes.ga4.requests() {
        let body = request.json();
        let event = &body["events"][0];
        let key = format!(
            "{} {}",
            event["name"].as_str().unwrap_or_default(),
            event["params"]["transaction_id"].as_str().unwrap_or_default()
        );
        let frozen = format!("{} {} {}", body["client_id"], body["timestamp_micros"], event["params"]["value"]);
        told.entry(key).or_default().push(frozen);
    }
    told
}
