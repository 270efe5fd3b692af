//! A store, its writer, an engine and the people who get alerts, over a clock that a test moves.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::fakes::{Fake, Scripted};
use crate::alerts::sender::{AlertThreads, Channel};
use crate::config::{Alert, Alerting};
use crate::delivery::engine::{self, Engine, Gate, Prepared, Surroundings};
use crate::destinations::Destination;
use crate::destinations::consent::Choice;
use crate::ledger::books::Books;
use crate::ledger::intake::Intake;
use crate::ledger::rules::{DestinationRules, Rules, SourceRules};
use crate::ledger::workspace::Notice;
use crate::model::attribution::Attribution;
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::delivery::{AmbiguousPolicy, Delivery, Failure, Standing, State};
use crate::model::envelope::Envelope;
use crate::model::id::{BusinessEventId, DeliveryId, DestinationId, Mode, Scope};
use crate::model::identity::Email;
use crate::model::money::Money;
use crate::model::rate::RateLimit;
use crate::model::retry::RetrySchedule;
use crate::model::secret::Secret;
use crate::model::statement::{
    Claim, Details, FailedAttempt, Interpreted, Meaning, ObjectKind, ObjectRef, Paid, Person, Statement, Tags,
};
use crate::model::time::Timestamp;
use crate::platform::clock::{Chance, Clock, FixedChance, ManualClock, SharedClock, SystemClock};
use crate::store::{
    Command, Listener, News, Reply, Snapshot, Store, StoreSettings, Unavailable, Writer, WriterSettings,
};

/// How long anything may take in real time before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// 2025-05-13T10:36:01Z.
pub const START: Timestamp = Timestamp::from_unix_seconds(1_747_132_561);

/// A disk that can be copied, as a crash leaves it, and broken.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    bytes: Arc<RwLock<Vec<u8>>>,
    is_broken: Arc<AtomicBool>,
}

impl Memory {
    fn copy(&self) -> Self {
        Self { bytes: Arc::new(RwLock::new(self.bytes.read().unwrap().clone())), is_broken: Arc::default() }
    }

    /// From now on nothing can be written.
    pub fn break_it(&self) {
        self.is_broken.store(true, Ordering::SeqCst);
    }

    fn check(&self) -> io::Result<()> {
        if self.is_broken.load(Ordering::SeqCst) { Err(io::Error::other("broken on purpose")) } else { Ok(()) }
    }
}

impl redb::StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.read().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap();
        out.copy_from_slice(&self.bytes.read().unwrap()[at..at + out.len()]);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.bytes.write().unwrap().resize(usize::try_from(len).unwrap(), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        let at = usize::try_from(offset).unwrap();
        self.bytes.write().unwrap()[at..at + data.len()].copy_from_slice(data);
        Ok(())
    }
}

/// How one destination is set up.
#[derive(Clone)]
pub struct Spec {
    pub name: &'static str,
    pub destination: Arc<dyn Destination>,
    pub client: Arc<Scripted>,
    pub schedule: RetrySchedule,
    pub max_age: Duration,
    pub ambiguous: Option<AmbiguousPolicy>,
    pub rate_limit: Option<RateLimit>,
    pub concurrency: usize,
}

/// A disk with room, or not.
pub struct Door(AtomicBool);

impl Gate for Door {
    fn is_open(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// Chance that a test seeds.
pub struct Dice(Mutex<fastrand::Rng>);

impl Dice {
    pub fn of(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(fastrand::Rng::with_seed(seed))))
    }
}

impl Chance for Dice {
    fn next(&self) -> f64 {
        self.0.lock().unwrap().f64()
    }
}

/// Passes news on to the engine, as the wiring does.
#[derive(Default)]
struct Listens {
    engine: RwLock<Option<Arc<Engine>>>,
    notices: Arc<Mutex<Vec<Notice>>>,
}

impl Listener for Listens {
    fn committed(&self, news: &News) {
        if let Some(engine) = &*self.engine.read().unwrap() {
            engine.wake(&news.due);
        }
        self.notices.lock().unwrap().extend(news.notices.iter().cloned());
    }

    fn failed(&self, _: &str) {}
}

struct Running {
    store: Store,
    writer: Writer,
    writer_thread: JoinHandle<()>,
    listens: Arc<Listens>,
    engine: Arc<Engine>,
    surroundings: Surroundings,
    alerts: AlertThreads,
}

/// Everything.
pub struct World {
    pub clock: Arc<ManualClock>,
    pub memory: Memory,
    pub chance: Arc<dyn Chance>,
    pub specs: Vec<Spec>,
    pub door: Arc<Door>,
    /// Everything runs by the system's clock, whose waits are real.
    in_real_time: bool,
    /// The store is a file in this folder.
    folder: Option<tempfile::TempDir>,
    /// `event_type` and message of each alert, over all runs.
    alerted: Arc<Mutex<Vec<(String, String)>>>,
    notices: Arc<Mutex<Vec<Notice>>>,
    running: Option<Running>,
    number: Arc<AtomicUsize>,
}

impl World {
    /// With destinations still to be named, not yet started.
    pub fn new() -> Self {
        Self {
            clock: ManualClock::at(START),
            memory: Memory::default(),
            chance: Arc::new(FixedChance(0.5)),
            specs: Vec::new(),
            door: Arc::new(Door(AtomicBool::new(true))),
            in_real_time: false,
            folder: None,
            alerted: Arc::default(),
            notices: Arc::default(),
            running: None,
            number: Arc::default(),
        }
    }

    /// Adds a destination.
    pub fn with(self, name: &'static str, destination: impl Destination + 'static) -> Self {
        self.with_spec(name, destination, |_| {})
    }

    /// Adds a destination with settings of its own.
    pub fn with_spec(
        mut self,
        name: &'static str,
        destination: impl Destination + 'static,
        set: impl FnOnce(&mut Spec),
    ) -> Self {
        let mut spec = Spec {
            name,
            destination: Arc::new(destination),
            client: Scripted::new(&self.clock),
            schedule: RetrySchedule::default(),
            max_age: Duration::from_secs(7 * 86_400),
            ambiguous: None,
            rate_limit: None,
            concurrency: 2,
        };
        set(&mut spec);
        self.specs.push(spec);
        self
    }

    /// By the system's clock: whoever is not woken sleeps for up to a minute.
    pub fn in_real_time(mut self) -> Self {
        self.in_real_time = true;
        self
    }

    /// Over a file on the disk that the build is on.
    pub fn on_disk(mut self) -> Self {
        let target = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
        std::fs::create_dir_all(&target).unwrap();
        self.folder = Some(tempfile::tempdir_in(target).unwrap());
        self
    }

    /// Now, by the clock that everything runs by.
    pub fn now(&self) -> Timestamp {
        self.shared_clock().now()
    }

    fn shared_clock(&self) -> SharedClock {
        if self.in_real_time { Arc::new(SystemClock) } else { self.clock.clone() }
    }

    /// One destination of events, running.
    pub fn of_events() -> Self {
        Self::new().with("events", Fake::events()).started()
    }

    pub fn started(mut self) -> Self {
        self.start();
        self
    }

    /// Starts over what is on the disk.
    pub fn start(&mut self) {
        let names: Vec<String> = self.specs.iter().map(|spec| spec.name.to_owned()).collect();
        let opened = match &self.folder {
            Some(folder) => {
                let settings = StoreSettings { path: folder.path().join("store.redb"), cache: 32 << 20 };
                Store::open(&settings, &names).unwrap()
            }
            None => Store::open_with_backend(self.memory.clone(), 8 << 20, &names).unwrap(),
        };
        let clock = self.shared_clock();
        let rules = Rules {
            sources: [(
                "stripe".to_owned(),
                SourceRules { settle: Duration::ZERO, settle_late: Duration::ZERO, ..SourceRules::default() },
            )]
            .into(),
            destinations: self.specs.iter().zip(&opened.destinations).map(|(spec, id)| spec.rules(*id)).collect(),
            ..Rules::default()
        };
        let listens = Arc::new(Listens { engine: RwLock::default(), notices: Arc::clone(&self.notices) });
        let told: Arc<dyn Listener> = listens.clone();
        let (writer, writer_thread) =
            Writer::start(&opened.store, rules.clone(), WriterSettings::default(), Arc::clone(&clock), told).unwrap();
        assert_eq!(writer.run(Command::Touch), Ok(Reply::Done));
        let alerts = AlertThreads::start(vec![self.channel()], AT_ONCE, &clock).unwrap();
        let surroundings = Surroundings {
            reader: opened.store.reader(),
            writer: writer.clone(),
            clock,
            chance: Arc::clone(&self.chance),
            gate: self.door.clone(),
            alerts: alerts.alerts(),
        };
        self.specs.iter().for_each(|spec| spec.client.revive());
        let engine = Arc::new(Engine::start(&surroundings, self.lanes(&rules)).unwrap());
        *listens.engine.write().unwrap() = Some(Arc::clone(&engine));
        engine.wake_all();
        self.running =
            Some(Running { store: opened.store, writer, writer_thread, listens, engine, surroundings, alerts });
    }

    fn lanes(&self, rules: &Rules) -> Vec<engine::Destination> {
        let lane = |(spec, rules): (&Spec, &DestinationRules)| engine::Destination {
            rules: rules.clone(),
            client: spec.client.clone(),
            timeout: Duration::from_secs(15),
            rate_limit: spec.rate_limit,
            concurrency: spec.concurrency,
        };
        self.specs.iter().zip(&rules.destinations).map(lane).collect()
    }

    /// Makes another engine ready for the same destinations, with clients of its own.
    pub fn prepare(&mut self) -> Prepared {
        for spec in &mut self.specs {
            spec.client = Scripted::new(&self.clock);
        }
        let running = self.run();
        Engine::prepare(&running.surroundings, self.lanes(&running.writer.rules())).unwrap()
    }

    /// Lets it take over from the one that is running, as a reload does.
    pub fn hand_over(&mut self, prepared: Prepared) {
        let running = self.running.as_mut().unwrap();
        running.engine.stop();
        running.engine = Arc::new(prepared.go(Some(&running.engine)));
        *running.listens.engine.write().unwrap() = Some(Arc::clone(&running.engine));
        running.engine.wake_all();
    }

    fn channel(&self) -> Channel {
        let alerted = Arc::clone(&self.alerted);
        let post = move |request: &crate::destinations::HttpRequest, _: Duration| {
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
            alerted.lock().unwrap().push((text("event_type"), text("error_message")));
            super::fakes::ok()
        };
        let alert =
            Alert { name: "ops".into(), url: Secret::new("https://alerts.example"), allow_private_addresses: false };
        Channel { alert, post: Box::new(post) }
    }

    fn run(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub fn engine(&self) -> &Engine {
        &self.run().engine
    }

    pub fn writer(&self) -> &Writer {
        &self.run().writer
    }

    pub fn snapshot(&self) -> Snapshot {
        self.run().store.reader().snapshot().unwrap()
    }

    pub fn client(&self, at: usize) -> &Arc<Scripted> {
        &self.specs[at].client
    }

    /// Stops in order.
    pub fn stop(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.engine.stop();
        *running.listens.engine.write().unwrap() = None;
        running.writer.close();
        running.writer_thread.join().unwrap();
        running.alerts.stop();
    }

    /// Stops in order and starts again.
    pub fn restart(&mut self) {
        self.stop();
        self.start();
    }

    /// Ends with the disk as it is at this moment: what happens afterwards to what was running is never seen again.
    pub fn go_down(&mut self) {
        let disk = self.memory.copy();
        self.memory.break_it();
        for spec in &self.specs {
            spec.client.shutdown_for_good();
        }
        self.stop();
        self.memory = disk;
    }

    /// Goes down and is started again.
    pub fn crash(&mut self) {
        self.go_down();
        self.start();
    }

    pub fn set_gate(&self, is_open: bool) {
        self.door.0.store(is_open, Ordering::SeqCst);
    }

    /// Waits until every lane has done and written what can be done at this moment.
    pub fn settle(&self) {
        // A commit's news comes after its answer.
        self.engine().wake_all();
        wait_until("the lanes are idle", || self.engine().is_idle_at(self.clock.now()));
    }

    /// Lets time pass at one go.
    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.settle();
    }

    /// Lets time pass second by second.
    pub fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.advance(1);
        }
    }

    fn next_number(&self) -> usize {
        self.number.fetch_add(1, Ordering::SeqCst) + 1
    }

    fn take_in(&self, event_type: &str, statement: Statement) -> BusinessEventId {
        let number = self.next_number();
        let intake = Intake {
            source: "stripe".into(),
            provider_id: format!("evt_{number}"),
            mark: format!("stripe/evt_{number}"),
            mark_lives: None,
            envelope: Envelope::default(),
            received_at: self.now(),
            body_bytes: 2,
            packed_body: crate::store::body::compress(b"{}"),
            interpreted: Some(Interpreted {
                provider_id: format!("evt_{number}"),
                event_type: event_type.into(),
                created: Some(statement.said_at),
                scope: Scope { provider: "stripe".into(), account: None, mode: Mode::Live },
                meaning: Meaning::Statement(Box::new(statement)),
                notes: Vec::new(),
            }),
        };
        let reply = self.writer().run(Command::Intake(Box::new(intake))).unwrap();
        let Reply::Receipt(crate::ledger::intake::Receipt::Stored(webhook, _)) = reply else { panic!("{reply:?}") };
        let told = self.snapshot().webhook(webhook).unwrap().unwrap().business_events;
        *told.first().unwrap_or_else(|| panic!("no business event: {webhook}"))
    }

    /// A sale to a person: `ada` is ada@example.com with the lead id `lead_ada`.
    pub fn sale_to(&self, name: &str) -> BusinessEventId {
        self.sale(name, true, self.now())
    }

    /// A sale to somebody new.
    pub fn new_sale(&self) -> BusinessEventId {
        self.sale_to(&format!("buyer{}", self.number.load(Ordering::SeqCst)))
    }

    /// A sale, with the address told or not, at a moment.
    pub fn sale(&self, name: &str, tells_address: bool, at: Timestamp) -> BusinessEventId {
        let number = self.number.load(Ordering::SeqCst) + 1;
        let object = ObjectRef::new(ObjectKind::Session, format!("cs_live_{number}"));
        let amount = money(1000 + i64::try_from(number).unwrap());
        let claim = Claim::Paid(Paid { amount, at, billing: None });
        self.take_in("checkout.session.completed", statement(name, tells_address, object, claim, at))
    }

    /// A payment that failed: no money moved, and GA4 can't tell a repeat of it.
    pub fn failed_payment(&self, name: &str) -> BusinessEventId {
        let (number, at) = (self.number.load(Ordering::SeqCst) + 1, self.now());
        let object = ObjectRef::new(ObjectKind::Intent, format!("pi_{number}"));
        let attempt = format!("ch_{number}");
        let claim = FailedAttempt { attempt, amount: Some(money(1000)), code: Some("card_declined".into()), at };
        let claim = Claim::AttemptFailed(claim);
        self.take_in("payment_intent.payment_failed", statement(name, true, object, claim, at))
    }

    /// The number of a destination, by its place.
    pub fn id(&self, destination: usize) -> DestinationId {
        let name = self.specs[destination].name;
        let known = self.snapshot().destinations().unwrap();
        known.into_iter().find(|(_, known)| known == name).unwrap().0
    }

    pub fn event(&self, id: BusinessEventId) -> BusinessEvent {
        self.snapshot().business_event(id).unwrap().unwrap()
    }

    pub fn delivery(&self, id: BusinessEventId, destination: usize) -> Delivery {
        let number = self.id(destination);
        let event = self.event(id);
        event.deliveries.into_iter().find(|delivery| delivery.destination == number).unwrap()
    }

    /// The state's name, with the rule or class where there is one.
    pub fn state(&self, id: BusinessEventId, destination: usize) -> String {
        match self.delivery(id, destination).state {
            State::Suppressed { rule, .. } => format!("suppressed: {}", rule.name()),
            State::Failed { failure: Failure { class, .. }, .. } => format!("failed: {}", class.name()),
            other => other.name().to_owned(),
        }
    }

    /// A person wants it sent again.
    pub fn retry(&self, event: BusinessEventId, destination: usize) -> Result<Reply, Unavailable> {
        self.writer().run(Command::Retry(DeliveryId { event, destination: self.id(destination) }))
    }

    pub fn standing(&self, destination: usize) -> Standing {
        self.engine().standing(self.id(destination)).unwrap()
    }

    /// The standing that a restart would find.
    pub fn standing_on_disk(&self, destination: usize) -> Standing {
        self.writer().run(Command::Touch).unwrap();
        self.snapshot().standing(self.id(destination)).unwrap()
    }

    /// A person changes a destination's standing, as the operator's desk does.
    pub fn change_standing(&self, destination: usize, change: impl FnOnce(&mut Standing)) {
        let id = self.id(destination);
        let mut standing = self.standing(destination);
        change(&mut standing);
        self.writer().run(Command::SetStanding(id, Box::new(standing.clone()))).unwrap();
        self.engine().standing_changed(id, standing);
    }

    pub fn set_paused(&self, destination: usize, paused: bool) {
        self.change_standing(destination, |standing| standing.paused = paused);
    }

    /// Alerts so far, by `event_type`; waits until there are at least so many.
    pub fn alerts(&self, at_least: usize) -> Vec<String> {
        wait_until("alerts", || self.alerted.lock().unwrap().len() >= at_least);
        self.alerted.lock().unwrap().iter().map(|(event_type, _)| event_type.clone()).collect()
    }

    pub fn alert_texts(&self) -> Vec<String> {
        self.alerted.lock().unwrap().iter().map(|(_, text)| text.clone()).collect()
    }

    /// Classes of the failures that people are told of.
    pub fn failures_told(&self) -> Vec<&'static str> {
        self.writer().run(Command::Touch).unwrap();
        let notices = self.notices.lock().unwrap();
        notices
            .iter()
            .filter_map(|notice| if let Notice::Failed { class, .. } = notice { Some(*class) } else { None })
            .collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A test that fails should not hang in the threads of what it started.
        for spec in &self.specs {
            spec.client.shutdown_for_good();
        }
        if !std::thread::panicking() {
            self.stop();
        }
    }
}

/// Every message at once, so that a test sees each.
const AT_ONCE: Alerting = Alerting {
    group_wait: Duration::ZERO,
    group_interval: Duration::ZERO,
    repeat_interval: Duration::from_secs(1 << 40),
};

impl Spec {
    fn rules(&self, id: DestinationId) -> DestinationRules {
        DestinationRules {
            id,
            name: self.name.into(),
            destination: Arc::clone(&self.destination),
            modes: vec![Mode::Live],
            kinds: vec![EventKind::Purchase, EventKind::PaymentFailed],
            schedule: self.schedule.clone(),
            max_age: self.max_age,
            consent_default: Default::default(),
            ambiguous: self.ambiguous,
            filter: None,
            consent: Choice::default(),
        }
    }
}

/// Waits for a condition, however long it takes a busy machine, within reason.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn money(minor: i64) -> Money {
    Money { minor, currency: "eur".parse().unwrap() }
}

fn statement(name: &str, tells_address: bool, object: ObjectRef, claim: Claim, at: Timestamp) -> Statement {
    let number = name.bytes().fold(0_u64, |sum, byte| sum * 31 % 1_000_000 + u64::from(byte));
    Statement {
        object,
        said_at: at,
        links: Vec::new(),
        customer: None,
        subscription: None,
        claim,
        details: Details::default(),
        person: Person {
            email: if tells_address { Email::parse(&format!("{name}@example.com")) } else { None },
            phone: None,
            name: None,
        },
        tags: Tags {
            lead_id: Some(format!("lead_{name}")),
            attribution: Attribution {
                client_id: Some(format!("{}.1747130000", 1_000_000 + number)),
                at,
                ..Attribution::default()
            },
            ..Tags::default()
        },
    }
}
