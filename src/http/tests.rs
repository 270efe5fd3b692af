//! The listener as a sender sees it: real sockets on port 0, and short limits instead of waiting.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, oneshot};

use super::door::{Door, Ingesting, IngestingAll, Keeping, NotReady, TakingLead};
use super::health::{Check, Condition, HealthPages, HealthReport, HealthView};
use super::leads::{LeadSettings, Leads};
use super::listener::{self, Stopped};
use super::rejected::RejectedLog;
use super::router::Router;
use super::source_table::{SourceEntry, SourceTable};
use super::tls::Certificate;
use super::webhooks::{BodyLimits, Webhooks};
use crate::config::{self, SourceRules};
use crate::ledger::intake::{Intake, Receipt};
use crate::model::count::Count;
use crate::model::id::{Mode, Scope, WebhookId};
use crate::model::lead::LeadPost;
use crate::model::refused::Refused;
use crate::model::statement::{Interpreted, Meaning};
use crate::model::time::Timestamp;
use crate::model::webhook::Status;
use crate::platform::clock::SystemClock;
use crate::sources::{InvalidPayload, Message, Refusal, Request, RetryAnswer, Sample, SampleRequest, Source};

mod admin;
mod answers;
mod bad_input;
mod limits;
mod plain;
mod stopping;
mod transport;

/// Longer than anything here takes; only a hanging test meets it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Believes `X-Signature: good`; its events are `{"id":…,"type":…}`.
struct TestSource;

impl Source for TestSource {
    fn provider(&self) -> &str {
        "test"
    }

    fn signature_headers(&self) -> Vec<&str> {
        vec!["x-signature"]
    }

    fn verify(&self, request: &Request<'_>) -> Result<(), Refusal> {
        match request.headers.values("X-Signature")[..] {
            [b"good"] => Ok(()),
            [] => Err(Refusal::MissingSignature),
            _ => Err(Refusal::NoMatchingSignature),
        }
    }

    fn telling_headers(&self) -> Vec<&str> {
        vec!["x-event"]
    }

    fn admits(&self, token: &str) -> bool {
        token == "t0ken"
    }

    fn split(&self, message: &Message<'_>) -> Result<Option<Vec<Vec<u8>>>, InvalidPayload> {
        let events: Option<Vec<Value>> = serde_json::from_slice(message.body).ok();
        Ok(events.map(|events| events.iter().map(|event| event.to_string().into_bytes()).collect()))
    }

    fn interpret(&self, message: &Message<'_>) -> Result<Interpreted, InvalidPayload> {
        let event: Value = serde_json::from_slice(message.body).map_err(|_| InvalidPayload("not JSON".to_owned()))?;
        let id = event["id"].as_str().ok_or_else(|| InvalidPayload("no id".to_owned()))?;
        let event_type = event["type"].as_str().unwrap_or("none");
        assert_ne!(event_type, "boom", "made for the test");
        Ok(Interpreted {
            provider_id: id.to_owned(),
            event_type: event_type.to_owned(),
            created: None,
            scope: Scope { provider: "test".to_owned(), account: None, mode: Mode::Live },
            meaning: Meaning::Ignored,
            notes: Vec::new(),
        })
    }

    fn explain(&self, _request: &Request<'_>, _refusal: Refusal) -> String {
        "Explained.".to_owned()
    }

    fn unavailable(&self) -> RetryAnswer {
        RetryAnswer { status: 429, retry_after: Duration::from_secs(17) }
    }

    fn sample_types(&self) -> &'static [&'static str] {
        &[]
    }

    fn sample(&self, _wanted: &SampleRequest<'_>) -> Option<Sample> {
        None
    }
}

/// A refused request that was to be kept, with its body.
type KeptRequest = (Refused, Vec<u8>);

/// Remembers what came, and can be told to refuse or to wait.
#[derive(Default)]
struct TestDoor {
    stored: Arc<Mutex<BTreeMap<String, Intake>>>,
    unready: AtomicBool,
    failing: AtomicBool,
    /// While set, nothing is stored before `go_on`.
    held: AtomicBool,
    go_on: Arc<Notify>,
    arrived: Arc<Notify>,
    kept: Arc<Mutex<Vec<KeptRequest>>>,
}

impl Door for TestDoor {
    fn try_ready(&self) -> Result<(), NotReady> {
        if self.unready.load(Ordering::SeqCst) { Err(NotReady { reason: "disk_reserve" }) } else { Ok(()) }
    }

    fn ingest(&self, intake: Intake) -> Ingesting {
        let stored = Arc::clone(&self.stored);
        let (failing, held) = (self.failing.load(Ordering::SeqCst), self.held.load(Ordering::SeqCst));
        let (go_on, arrived) = (Arc::clone(&self.go_on), Arc::clone(&self.arrived));
        Box::pin(async move {
            arrived.notify_one();
            if held {
                go_on.notified().await;
            }
            if failing {
                return Err(NotReady { reason: "store_failed" });
            }
            let mut stored = stored.lock().unwrap();
            let number = WebhookId(stored.len() as u64 + 1);
            if stored.contains_key(&intake.mark) {
                return Ok(Receipt::Duplicate(number));
            }
            let status = match &intake.interpreted {
                None => Status::Unreadable,
                Some(interpreted) if interpreted.event_type == "paid" => Status::Accepted,
                Some(_) => Status::Ignored,
            };
            stored.insert(intake.mark.clone(), intake);
            Ok(Receipt::Stored(number, status))
        })
    }

    fn ingest_all(&self, intakes: Vec<Intake>) -> IngestingAll {
        let each: Vec<Ingesting> = intakes.into_iter().map(|intake| self.ingest(intake)).collect();
        Box::pin(async move {
            let mut receipts = Vec::new();
            for ingesting in each {
                receipts.push(ingesting.await?);
            }
            Ok(receipts)
        })
    }

    fn take_lead(&self, _: LeadPost) -> TakingLead {
        Box::pin(async { Err(NotReady { reason: "no leads here" }) })
    }

    fn keep_refused(&self, refused: Refused, packed_body: Vec<u8>) -> Keeping {
        let (kept, failing) = (Arc::clone(&self.kept), self.failing.load(Ordering::SeqCst));
        Box::pin(async move {
            if failing {
                return Err(NotReady { reason: "store_failed" });
            }
            kept.lock().unwrap().push((refused, packed_body));
            Ok(())
        })
    }
}

impl TestDoor {
    fn marks(&self) -> Vec<String> {
        self.stored.lock().unwrap().keys().cloned().collect()
    }
}

struct TestHealth(Condition);

impl HealthView for TestHealth {
    fn report(&self) -> HealthReport {
        let ga4 = Check { condition: self.0, detail: Some("3 time-outs in 15 minutes".to_owned()) };
        HealthReport {
            overall: self.0,
            webhook_endpoint: Condition::Healthy.into(),
            database_connection: Condition::Healthy.into(),
            external_apis: vec![("ga4".to_owned(), ga4)],
            timestamp: Timestamp::from_unix_seconds(1_700_000_000),
        }
    }

    fn ready(&self) -> Result<(), String> {
        if self.0 == Condition::Unhealthy { Err("disk reserve reached".to_owned()) } else { Ok(()) }
    }
}

/// What a test may want to be otherwise.
struct Setup {
    server: config::Server,
    certificate: Option<Arc<Certificate>>,
    health: Condition,
    health_rule: config::Health,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            server: config::Server {
                listen: "127.0.0.1:0".parse().unwrap(),
                public_url: None,
                tls: config::Tls::Off,
                max_body: 64 * 1024,
                handshake_timeout: PATIENCE,
                header_timeout: PATIENCE,
                body_timeout: PATIENCE,
                idle_timeout: PATIENCE,
                max_connections: 100,
                max_connections_per_address: 100,
                max_bytes_in_flight: 1024 * 1024,
                drain_timeout: PATIENCE,
            },
            certificate: None,
            health: Condition::Healthy,
            health_rule: config::Health::Public,
        }
    }
}

/// Pages of nobody.
fn no_leads() -> config::Leads {
    config::Leads {
        origins: Vec::new(),
        make_leads: false,
        settle: Duration::ZERO,
        rate_limit: None,
        max_per_day: 1,
        max_forms_per_day: 1,
        max_kept: 1,
        keep: Duration::ZERO,
        wait_for_consent: false,
        cookie_days: 1,
        address_header: None,
    }
}

/// A server on a thread of its own.
struct Running {
    address: SocketAddr,
    door: Arc<TestDoor>,
    rejected: Arc<RejectedLog>,
    router: Arc<Router>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<Stopped>>,
}

impl Setup {
    fn start(self) -> Running {
        let door = Arc::new(TestDoor::default());
        let rejected = Arc::new(RejectedLog::default());
        let rules = SourceRules {
            settle: Duration::ZERO,
            settle_late: Duration::ZERO,
            counts_sales: true,
            count: Count::Auto,
            order_ids: false,
            always_200: false,
        };
        let sources = [("shop", false), ("touchy", true)].map(|(name, always_200)| SourceEntry {
            name: name.to_owned(),
            source: Arc::new(TestSource),
            endpoint: Some(format!("https://hooks.example.com/api/webhooks/{name}")),
            rules: SourceRules { always_200, ..rules },
        });
        let limits = BodyLimits::from(&self.server);
        let router = Arc::new(Router {
            webhooks: Webhooks::new(
                SourceTable::new(sources),
                Arc::new(SystemClock),
                Arc::clone(&door) as Arc<dyn Door>,
                Arc::clone(&rejected),
                <[u8]>::to_vec,
                limits,
            ),
            leads: Leads::new(
                LeadSettings::new(no_leads(), None, Vec::new()),
                Arc::new(SystemClock),
                Arc::clone(&door) as Arc<dyn Door>,
                Arc::default(),
            ),
            health: Arc::new(HealthPages::new(Arc::new(TestHealth(self.health)), self.health_rule)),
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = Arc::clone(&router);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let shutdown = async {
                let _ = stopped.await;
            };
            let serving = listener::serve(listener, &self.server, self.certificate, served, shutdown);
            runtime.block_on(serving).unwrap()
        });
        Running { address, door, rejected, router, stop: Some(stop), thread: Some(thread) }
    }
}

impl Running {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes on a connection of their own and reads one answer.
    fn ask(&self, request: impl AsRef<[u8]>) -> Reply {
        let mut stream = self.connect();
        stream.write_all(request.as_ref()).unwrap();
        read_reply(&mut stream)
    }

    fn begin_stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    fn stopped(mut self) -> Stopped {
        self.thread.take().unwrap().join().unwrap()
    }
}

/// An answer as it came.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    fn says_close(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

fn read_reply(stream: &mut impl Read) -> Reply {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream
            .read_exact(&mut byte)
            .unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&head)));
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let status = head[9..12].parse().unwrap();
    let mut reply = Reply { status, head, body: Vec::new() };
    let length: usize = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
    reply.body = vec![0; length];
    stream.read_exact(&mut reply.body).unwrap();
    reply
}

/// Whether the other side has closed, by itself and in order.
fn is_closed(stream: &mut impl Read) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => rest.is_empty(),
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

/// A believed webhook.
fn webhook(source: &str, body: &str) -> String {
    format!(
        "POST /api/webhooks/{source} HTTP/1.1\r\nhost: x\r\nx-signature: good\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn event(id: &str) -> String {
    format!(r#"{{"id":"{id}","type":"paid"}}"#)
}
