//! Destinations that say what a test wants, and clients that answer from a script.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::delivery::client::{Client, Limits};
use crate::destinations::{
    Admission, Destination, Exchange, Finished, HttpRequest, HttpResponse, Job, Method, NoAnswer, Reply, Step, Style,
    status,
};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::{AmbiguousPolicy, Frozen};
use crate::model::rate::RateLimit;
use crate::model::time::Timestamp;
use crate::platform::clock::{Clock, ManualClock};

/// A destination of events or of contacts: one request with the ids of what it tells.
#[derive(Clone)]
pub struct Fake {
    pub style: Style,
    /// Whether it has a read-only request to ask.
    pub has_probe: bool,
    /// How long after an event it takes it.
    pub deadline: Option<Duration>,
    /// Whether it recognises repeats.
    pub repeatable: bool,
    /// Business events on whose ids our code fails.
    pub panics_on: Vec<u64>,
}

impl Fake {
    pub const fn events() -> Self {
        Self { style: Style::Event, has_probe: false, deadline: None, repeatable: true, panics_on: Vec::new() }
    }

    pub fn contacts() -> Self {
        Self { style: Style::Contact, ..Self::events() }
    }

    fn request(&self, method: Method, path: &str, body: &Value) -> HttpRequest {
        let repeatable = self.repeatable || method == Method::Get;
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        HttpRequest {
            method,
            url: format!("https://fake.example{path}"),
            secret_path: None,
            secret_query: None,
            headers: Vec::new(),
            secret_header: None,
            body,
            repeatable,
        }
    }
}

impl Destination for Fake {
    fn kind(&self) -> &'static str {
        "fake"
    }

    fn style(&self) -> Style {
        self.style
    }

    fn default_events(&self) -> &'static [EventKind] {
        &[EventKind::Purchase, EventKind::PaymentFailed]
    }

    fn admit(&self, _event: &BusinessEvent, _contact: Option<&Contact>) -> Admission {
        Admission::Send
    }

    fn is_ready(&self, _event: &BusinessEvent, _contact: Option<&Contact>) -> bool {
        true
    }

    fn deadline(&self, occurred_at: Timestamp) -> Option<Timestamp> {
        self.deadline.map(|span| occurred_at.after(span))
    }

    fn freeze(&self, _event: &BusinessEvent, _contact: Option<&Contact>) -> Option<Frozen> {
        None
    }

    fn ambiguous(&self, kind: &EventKind) -> AmbiguousPolicy {
        if kind.is_money() { AmbiguousPolicy::Retry } else { AmbiguousPolicy::Drop }
    }

    fn step(&self, job: &Job<'_>, exchanges: &[Exchange]) -> Step {
        let ids: Vec<u64> = job.events.iter().map(|event| event.id.0).collect();
        assert!(!ids.iter().any(|id| self.panics_on.contains(id)), "a defect on purpose");
        if let Some(exchange) = exchanges.last() {
            return Step::Done(Finished::new(status::outcome(exchange)));
        }
        let contact = job.contact.map(|contact| contact.id.0);
        let body = json!({ "events": ids, "contact": contact, "key": job.key, "at": job.now.millis() });
        Step::Send(self.request(Method::Post, "/told", &body))
    }

    fn probe(&self) -> Option<HttpRequest> {
        self.has_probe.then(|| self.request(Method::Get, "/works", &Value::Null))
    }

    fn default_rate_limit(&self) -> Option<RateLimit> {
        None
    }
}

/// A request that was made.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at: Timestamp,
    /// `POST https://…`
    pub line: String,
    pub body: Value,
}

impl Sent {
    /// The business events it tells of.
    pub fn events(&self) -> Vec<u64> {
        let ids = self.body["events"].as_array().cloned().unwrap_or_default();
        ids.iter().filter_map(Value::as_u64).collect()
    }
}

/// How a request is answered.
pub enum Answer {
    Now(Reply),
    /// Not before it is let go or the client is shut down; then nobody knows whether it arrived.
    Hang,
    /// The same, but what is shut down is a connection that does not come about.
    Connecting,
}

type Script = Box<dyn FnMut(&Sent) -> Answer + Send>;

#[derive(Default)]
struct Doing {
    sent: Vec<Sent>,
    /// What is under way.
    active: Vec<Sent>,
    most_active: usize,
    hanging: usize,
    /// Requests that hang and may end, with a 200.
    let_go: usize,
    is_shut: bool,
}

/// A client that answers from a script.
pub struct Scripted {
    clock: Arc<ManualClock>,
    script: Mutex<Script>,
    doing: Mutex<Doing>,
    changed: Condvar,
}

impl Scripted {
    pub fn new(clock: &Arc<ManualClock>) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::clone(clock),
            script: Mutex::new(Box::new(|_| Answer::Now(ok()))),
            doing: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// From now on it answers like this.
    pub fn answers(&self, script: impl FnMut(&Sent) -> Answer + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// From now on every request is answered the same.
    pub fn always(&self, reply: Reply) {
        self.answers(move |_| Answer::Now(reply.clone()));
    }

    /// Everything that was sent, in order.
    pub fn sent(&self) -> Vec<Sent> {
        self.doing.lock().unwrap().sent.clone()
    }

    pub fn count(&self) -> usize {
        self.doing.lock().unwrap().sent.len()
    }

    /// When each request was made, in seconds since a moment.
    pub fn times(&self, since: Timestamp) -> Vec<u64> {
        self.sent().iter().map(|sent| sent.at.since(since).as_secs()).collect()
    }

    pub fn most_active(&self) -> usize {
        self.doing.lock().unwrap().most_active
    }

    /// What is under way just now.
    pub fn active(&self) -> Vec<Sent> {
        self.doing.lock().unwrap().active.clone()
    }

    /// Lets so many hanging requests end with a 200.
    pub fn let_go(&self, count: usize) {
        self.doing.lock().unwrap().let_go += count;
        self.changed.notify_all();
    }

    /// Waits until so many requests hang.
    pub fn wait_for_hanging(&self, count: usize) {
        assert!(self.hangs_within(super::world::PATIENCE, count), "fewer than {count} requests hang");
    }

    /// Waits until so many requests hang, or for so long.
    pub fn hangs_within(&self, patience: Duration, count: usize) -> bool {
        let doing = self.doing.lock().unwrap();
        let waited = self.changed.wait_timeout_while(doing, patience, |doing| doing.hanging < count).unwrap();
        !waited.1.timed_out()
    }

    /// Ends whatever hangs, so that a failed test can end.
    pub fn shutdown_for_good(&self) {
        Client::shutdown(self);
    }

    /// Usable again after a shutdown, as after a restart.
    pub fn revive(&self) {
        let mut doing = self.doing.lock().unwrap();
        doing.is_shut = false;
        doing.let_go = 0;
    }
}

impl Client for Scripted {
    fn send(&self, request: &HttpRequest, _: &Limits) -> Reply {
        let sent = Sent {
            at: self.clock.now(),
            line: format!("{} {}", request.method.name(), request.url),
            body: serde_json::from_slice(&request.body).unwrap_or(Value::Null),
        };
        {
            let mut doing = self.doing.lock().unwrap();
            if doing.is_shut {
                return Err(NoAnswer::NotSent("shut down".into()));
            }
            doing.sent.push(sent.clone());
            doing.active.push(sent.clone());
            doing.most_active = doing.most_active.max(doing.active.len());
        }
        let answer = (self.script.lock().unwrap())(&sent);
        let mut doing = self.doing.lock().unwrap();
        let reply = match answer {
            Answer::Now(reply) => reply,
            hangs => {
                doing.hanging += 1;
                self.changed.notify_all();
                doing = self.changed.wait_while(doing, |doing| doing.let_go == 0 && !doing.is_shut).unwrap();
                doing.hanging -= 1;
                match hangs {
                    _ if !doing.is_shut => {
                        doing.let_go -= 1;
                        ok()
                    }
                    Answer::Connecting => Err(NoAnswer::NotSent("broken off".into())),
                    _ => Err(NoAnswer::Unknown("broken off".into())),
                }
            }
        };
        let at = doing.active.iter().position(|active| active.line == sent.line && active.body == sent.body).unwrap();
        doing.active.remove(at);
        reply
    }

    fn shutdown(&self) {
        self.doing.lock().unwrap().is_shut = true;
        self.changed.notify_all();
    }
}

/// A bare status.
pub fn status_only(status: u16) -> Reply {
    Ok(HttpResponse { status, retry_after: None, body: Vec::new(), headers: Vec::new() })
}

pub fn ok() -> Reply {
    status_only(200)
}

/// A status with `Retry-After`.
pub fn come_back(status: u16, seconds: u64) -> Reply {
    Ok(HttpResponse { status, retry_after: Some(Duration::from_secs(seconds)), body: Vec::new(), headers: Vec::new() })
}

pub fn json_answer(status: u16, body: &Value) -> Reply {
    Ok(HttpResponse { status, retry_after: None, body: body.to_string().into_bytes(), headers: Vec::new() })
}

pub fn no_answer() -> Reply {
    Err(NoAnswer::Unknown("timed out".into()))
}
