//! A store with a few webhooks in it, and a desk in front.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::config::Config;
use crate::delivery::client::{Client, Limits};
use crate::destinations::{Finished, HttpRequest, HttpResponse, Reply as Answer};
use crate::http::admin::{Operator, OperatorError};
use crate::http::rejected::RejectedLog;
use crate::ledger::intake::{Intake, Receipt};
use crate::ledger::result::Report;
use crate::ledger::workspace::Target;
use crate::model::delivery::{Attempt, FailureClass, Outcome, Standing};
use crate::model::envelope::Envelope;
use crate::model::id::{BusinessEventId, ContactId, DestinationId, WebhookId};
use crate::model::refused::Refused;
use crate::model::secret::Secret;
use crate::model::statement::Interpreted;
use crate::model::time::Timestamp;
use crate::operator::{Configured, Desk, Live, rules};
use crate::platform::clock::{Clock, ManualClock, SharedClock};
use crate::platform::disk::ManualDisk;
use crate::sources::{Message, Sample, SampleRequest, Source, stripe};
use crate::store::{Command, Listener, News, Reply, Store, StoreSettings, Writer, WriterSettings};

/// When every test begins.
pub const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);
/// The signing secret.
pub const SECRET: &str = "whsec_made_for_these_tests_0123456789";
/// The numbers that the destinations get.
pub const GA4: DestinationId = DestinationId(1);
pub const CRM: DestinationId = DestinationId(2);

const CONFIGURATION: &str = r#"
[store]
path = "tallyhook.redb"
[sources.stripe]
kind = "stripe"
secrets = ["whsec_made_for_these_tests_0123456789"]
settle = "0s"
[destinations.ga4]
kind = "ga4"
measurement_id = "G-TESTSTREAM"
api_secret = "made_for_these_tests"
[destinations.crm]
kind = "rest"
base_url = "https://crm.example.com/api"
api_key = "made_for_these_tests"
"#;

/// Answers every request alike.
struct Scripted(u16);

impl Client for Scripted {
    fn send(&self, _: &HttpRequest, _: &Limits) -> Answer {
        Ok(HttpResponse { status: self.0, retry_after: None, body: b"{\"contacts\":[]}".to_vec(), headers: Vec::new() })
    }

    fn shutdown(&self) {}
}

struct Quiet;

impl Listener for Quiet {
    fn committed(&self, _: &News) {}

    fn failed(&self, error: &str) {
        panic!("{error}");
    }
}

/// A daemon's parts as far as a test needs them.
#[derive(Default)]
pub struct TestLive {
    pub rejected: RejectedLog,
    pub told: Mutex<Vec<(DestinationId, Standing)>>,
    pub not_ready: Mutex<Option<String>>,
    pub lost_alerts: Mutex<Option<String>>,
    pub certificate: Mutex<Option<crate::http::certificate::Standing>>,
}

impl Live for TestLive {
    fn rejected(&self) -> &RejectedLog {
        &self.rejected
    }

    fn standing(&self, _: DestinationId) -> Option<Standing> {
        None
    }

    fn standing_changed(&self, destination: DestinationId, standing: &Standing) {
        self.told.lock().unwrap().push((destination, standing.clone()));
    }

    fn ready(&self) -> Result<(), String> {
        self.not_ready.lock().unwrap().clone().map_or(Ok(()), Err)
    }

    fn lost_alerts(&self) -> Option<String> {
        self.lost_alerts.lock().unwrap().clone()
    }

    fn certificate(&self) -> Option<crate::http::certificate::Standing> {
        self.certificate.lock().unwrap().clone()
    }
}

pub struct Books {
    pub desk: Desk,
    pub clock: Arc<ManualClock>,
    pub writer: Writer,
    pub live: Option<Arc<TestLive>>,
    stripe: Arc<dyn Source>,
    thread: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl Books {
    /// As the command line has them while no daemon runs.
    pub fn offline() -> Self {
        Self::open(None, 200)
    }

    /// As a daemon has them.
    pub fn live() -> Self {
        Self::open(Some(Arc::new(TestLive::default())), 200)
    }

    /// With a CRM that answers every probe so.
    pub fn with_crm_answering(status: u16) -> Self {
        Self::open(None, status)
    }

    fn open(live: Option<Arc<TestLive>>, crm_answers: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tallyhook.toml");
        std::fs::write(&file, CONFIGURATION).unwrap();
        let config = Config::load(Some(&file), &BTreeMap::new()).unwrap();
        let settings = StoreSettings { path: config.store.path.clone(), cache: 1 << 20 };
        let opened = Store::open(&settings, &["ga4".to_owned(), "crm".to_owned()]).unwrap();
        assert_eq!(opened.destinations, [GA4, CRM]);
        let numbered: Vec<DestinationId> =
            config.destinations.iter().map(|known| if known.name == "ga4" { GA4 } else { CRM }).collect();
        let clock = ManualClock::at(NOW);
        let shared: SharedClock = clock.clone();
        let rules = rules(&config, &numbered);
        let settings = WriterSettings::default();
        let (writer, thread) =
            Writer::start(&opened.store, rules, settings, Arc::clone(&shared), Arc::new(Quiet)).unwrap();
        let configured = Configured::new(&config, |_| Arc::new(Scripted(crm_answers)) as Arc<dyn Client>);
        let stripe = Arc::clone(&configured.sources[0].source);
        let disk = Arc::new(ManualDisk::with(1 << 30));
        let given = live.clone().map(|live| live as Arc<dyn Live>);
        let desk = Desk::new(opened.store.reader(), writer.clone(), shared, disk, configured, given);
        Self { desk, clock, writer, live, stripe, thread: Some(thread), _folder: folder }
    }

    /// Takes in a sample of a type; samples of one number belong together.
    pub fn take_in(&self, event_type: &str, number: u64) -> WebhookId {
        self.take_in_sample(event_type, number, true, true)
    }

    /// Takes in a test event.
    pub fn take_in_test_event(&self, event_type: &str, number: u64) -> WebhookId {
        self.take_in_sample(event_type, number, false, true)
    }

    /// Takes in a sample as if our code had failed on it.
    pub fn take_in_unreadable(&self, event_type: &str, number: u64) -> WebhookId {
        self.take_in_sample(event_type, number, true, false)
    }

    /// Takes in a payment about which its source had this to note.
    pub fn take_in_with_notes(&self, number: u64, notes: &[&str]) -> WebhookId {
        let now = self.clock.now();
        let event_type = "payment_intent.succeeded";
        let sample =
            self.stripe.sample(&SampleRequest { event_type, number, now, livemode: true, endpoint: None }).unwrap();
        let mut interpreted = self.stripe.interpret(&Message::bare(&sample.body, now)).unwrap();
        interpreted.notes = notes.iter().map(|note| (*note).to_owned()).collect();
        self.store(interpreted.provider_id.clone(), Some(interpreted), &sample.body)
    }

    /// A sample of a type, signed now with a secret.
    pub fn signed(&self, secret: &str, event_type: &str, number: u64) -> Sample {
        let (secrets, metadata) = (vec![Secret::new(secret)], stripe::MetadataKeys::default());
        let settings = stripe::Settings { secrets, tolerance: Duration::from_secs(300), metadata };
        let now = self.clock.now();
        stripe::Stripe::new(settings)
            .sample(&SampleRequest { event_type, number, now, livemode: true, endpoint: None })
            .unwrap()
    }

    /// Keeps a request as if it had just been refused.
    pub fn keep_refused(&self, id: u64, sample: &Sample) {
        self.keep_packed(id, sample, crate::store::body::compress(&sample.body));
    }

    /// The same with a body that lies so on disk.
    pub fn keep_packed(&self, id: u64, sample: &Sample, packed: Vec<u8>) {
        let refused = Refused {
            id,
            source: "stripe".into(),
            received_at: self.clock.now(),
            address: "192.0.2.7".into(),
            reason: "no_matching_signature".into(),
            verdict: "The secret is another one.".into(),
            envelope: Envelope {
                headers: sample
                    .headers
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone().into_bytes()))
                    .collect(),
                event: None,
            },
            query: None,
            body_bytes: u32::try_from(sample.body.len()).unwrap(),
        };
        self.writer.run(Command::KeepRefused(Box::new(refused), packed)).unwrap();
    }

    fn take_in_sample(&self, event_type: &str, number: u64, livemode: bool, readable: bool) -> WebhookId {
        let now = self.clock.now();
        let sample = self.stripe.sample(&SampleRequest { event_type, number, now, livemode, endpoint: None }).unwrap();
        let interpreted = self.stripe.interpret(&Message::bare(&sample.body, now)).unwrap();
        let provider_id = interpreted.provider_id.clone();
        self.store(provider_id, readable.then_some(interpreted), &sample.body)
    }

    fn store(&self, provider_id: String, interpreted: Option<Interpreted>, body: &[u8]) -> WebhookId {
        let intake = Intake {
            source: "stripe".into(),
            mark: format!("stripe/{provider_id}"),
            provider_id,
            interpreted,
            mark_lives: None,
            envelope: Envelope::default(),
            received_at: self.clock.now(),
            body_bytes: u32::try_from(body.len()).unwrap(),
            packed_body: crate::store::body::compress(body),
        };
        match self.writer.run(Command::Intake(Box::new(intake))).unwrap() {
            Reply::Receipt(Receipt::Stored(id, _)) => id,
            other => panic!("{other:?}"),
        }
    }

    /// Ends the delivery of a business event to GA4: refused for good.
    pub fn fail_at_ga4(&self, event: u64) {
        let outcome = Outcome::Permanent { class: FailureClass::Rejected, explanation: "GA4 said no".into() };
        self.report(GA4, Target::Event(BusinessEventId(event)), event, outcome, 400);
    }

    /// Ends an attempt at a contact of the CRM on behalf of one business event.
    pub fn report_to_crm(&self, contact: u64, event: u64, outcome: Outcome, status: u16) {
        self.report(CRM, Target::Contact(ContactId(contact)), event, outcome, status);
    }

    fn report(&self, destination: DestinationId, target: Target, event: u64, outcome: Outcome, status: u16) {
        let report = Report {
            destination,
            target,
            told: vec![(BusinessEventId(event), 0)],
            dropped: Vec::new(),
            left: None,
            finished: Finished::new(outcome),
            attempt: Some(Attempt {
                at: self.clock.now(),
                took_ms: 12,
                generation: 0,
                sent: "POST https://destination.example.com {}".into(),
                status: Some(status),
                outcome: "as reported".into(),
                excerpt: "no".into(),
            }),
            chance: 0.5,
            probe: false,
        };
        assert_eq!(self.writer.run(Command::Report(Box::new(report))).unwrap(), Reply::Done);
    }

    /// Asks as the admin socket does.
    pub fn ask(&self, request: Value) -> Result<Vec<Value>, OperatorError> {
        Operator::handle(&self.desk, request).map(Iterator::collect)
    }

    /// The rows of an answer.
    pub fn rows(&self, request: Value) -> Vec<Value> {
        self.ask(request).unwrap()
    }

    /// The only row of an answer.
    pub fn row(&self, request: Value) -> Value {
        let mut rows = self.rows(request);
        assert_eq!(rows.len(), 1, "{rows:?}");
        rows.remove(0)
    }

    /// The ids of an answer's rows.
    pub fn ids(&self, request: Value) -> Vec<String> {
        self.rows(request).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        self.writer.close();
        let _ = self.thread.take().unwrap().join();
    }
}

/// The names of an object's fields.
pub fn fields(row: &Value) -> Vec<&str> {
    row.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Whether an object has all of these fields.
pub fn has(row: &Value, wanted: &[&str]) -> bool {
    wanted.iter().all(|name| fields(row).contains(name))
}
