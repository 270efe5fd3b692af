//! What the tests of the store share: storage that breaks, books that are filled the same way each time, and their inspection.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod audit;
pub mod broken;
pub mod fakes;
pub mod play;
pub mod power_cut;
pub mod scenes;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tallyhook::ledger::intake::Intake;
use tallyhook::model::envelope::Envelope;
use tallyhook::model::secret::Secret;
use tallyhook::model::time::Timestamp;
use tallyhook::sources::stripe::{MetadataKeys, Settings, Stripe};
use tallyhook::sources::{Message, SampleRequest, Source};
use tallyhook::store::{Listener, News};

/// When the tests begin.
pub const START: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

/// What the writer told its listener.
#[derive(Default)]
pub struct Ear {
    pub failures: Mutex<Vec<String>>,
    pub unreadable: Mutex<Vec<u64>>,
    pub commits: Mutex<usize>,
}

impl Ear {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn failures(&self) -> usize {
        self.failures.lock().unwrap().len()
    }
}

impl Listener for Ear {
    fn committed(&self, news: &News) {
        *self.commits.lock().unwrap() += 1;
        self.unreadable.lock().unwrap().extend(news.unreadable.iter().map(|id| id.0));
    }

    fn failed(&self, error: &str) {
        self.failures.lock().unwrap().push(error.to_owned());
    }
}

/// The body of a sample of Stripe's.
pub fn body(event_type: &str, number: u64, at: Timestamp) -> Vec<u8> {
    let source = stripe();
    source.sample(&SampleRequest { event_type, number, now: at, livemode: true, endpoint: None }).unwrap().body
}

fn stripe() -> Stripe {
    let metadata = MetadataKeys::default();
    Stripe::new(Settings { secrets: vec![Secret::new("whsec_test")], tolerance: Duration::from_secs(300), metadata })
}

/// A webhook as the listener would hand it over.
pub fn intake(event_type: &str, number: u64, at: Timestamp) -> Intake {
    let body = body(event_type, number, at);
    let interpreted = stripe().interpret(&Message::bare(&body, at)).unwrap();
    Intake {
        source: "stripe".into(),
        provider_id: interpreted.provider_id.clone(),
        mark: format!("stripe/{}", interpreted.provider_id),
        mark_lives: None,
        envelope: Envelope::default(),
        received_at: at,
        body_bytes: u32::try_from(body.len()).unwrap(),
        packed_body: tallyhook::store::body::compress(&body),
        interpreted: Some(interpreted),
    }
}

/// A webhook that our own code failed to interpret.
pub fn uninterpreted(number: u64, at: Timestamp) -> Intake {
    let body = format!("{{\"id\":\"evt_odd_{number}\"}}").into_bytes();
    Intake {
        source: "stripe".into(),
        interpreted: None,
        provider_id: format!("evt_odd_{number}"),
        mark: format!("stripe/evt_odd_{number}"),
        mark_lives: None,
        envelope: Envelope::default(),
        received_at: at,
        body_bytes: u32::try_from(body.len()).unwrap(),
        packed_body: tallyhook::store::body::compress(&body),
    }
}
