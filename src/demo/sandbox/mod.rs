//! Destinations on loopback that behave as the documented APIs do, for rehearsals and for tests: they remember what they are
//! told, check it more strictly than the real ones, and misbehave when they are scripted to.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http_server::{Answer, Connection, Handler, Head, HttpServer, Stop, Then};
use crate::model::time::Timestamp;
use crate::platform::clock::{SharedClock, SystemClock};

mod alert;
mod amount;
mod crm;
mod fault;
mod ga4;
pub mod ga4_rules;
mod gohighlevel;
mod hubspot;
mod mailerlite;

pub use alert::AlertSandbox;
pub use amount::read as read_amount;
pub use crm::{CrmSandbox, ListForm, StoredContact};
pub use fault::Fault;
pub use ga4::{Ga4Event, Ga4Report, Ga4Sandbox};
pub use gohighlevel::{GoHighLevelSandbox, HighLevelContact};
pub use hubspot::HubSpotSandbox;
pub use mailerlite::{MailerLiteSandbox, Refusing, Subscriber};

/// Requests that are remembered unless [`Sandbox::remember`] says otherwise.
const REMEMBERED: usize = 10_000;
/// How often a condition is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(5);
/// Header fields whose values are not remembered.
const SECRET_HEADERS: [&str; 2] = ["authorization", "x-mailerlite-apikey"];
/// Values of the query that are not remembered.
const SECRET_QUERY: &str = "api_secret";
/// What stands in place of a secret.
const HIDDEN: &str = "…";

/// A request to a sandbox, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its number, from 0 on, in order of arrival.
    pub number: u64,
    /// When it was complete, by the sandbox's clock.
    pub at: Timestamp,
    /// The same by a clock that always runs.
    pub instant: Instant,
    /// `GET`, `POST`, …
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query, without secrets.
    pub query: String,
    /// Header fields, their names in lower case, without secrets.
    pub headers: Vec<(String, String)>,
    /// The body; empty where the connection was reset before it was read.
    pub body: Vec<u8>,
    /// The status that was answered; none where there was no answer.
    pub status: Option<u16>,
    /// The scripted fault that it met.
    pub fault: Option<Fault>,
    /// The rules that it breaks, as sentences.
    pub broken_rules: Vec<String>,
}

impl Recorded {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The first value of a header field; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A request as a service sees it.
pub struct Call<'a> {
    /// Its head, secrets and all.
    pub head: &'a Head,
    /// Its body.
    pub body: &'a [u8],
    /// Now.
    pub now: Timestamp,
}

/// What a service answers.
pub struct Served {
    /// The answer.
    pub answer: Answer,
    /// The rules that the request breaks, as sentences.
    pub broken_rules: Vec<String>,
}

impl From<Answer> for Served {
    fn from(answer: Answer) -> Self {
        Self { answer, broken_rules: Vec::new() }
    }
}

impl Served {
    /// An answer to a request that breaks a rule.
    pub fn breach(answer: Answer, rule: impl Into<String>) -> Self {
        Self { answer, broken_rules: vec![rule.into()] }
    }
}

/// What a sandbox stands for.
pub trait Service: Send + Sync {
    /// Does what is asked, and answers.
    fn serve(&self, call: &Call<'_>) -> Served;
}

#[derive(Default)]
struct Log {
    next: u64,
    requests: VecDeque<Recorded>,
    script: VecDeque<Fault>,
    always: Option<Fault>,
}

struct Shared {
    service: Box<dyn Service>,
    clock: SharedClock,
    log: Mutex<Log>,
    arrived: Condvar,
    remembered: Mutex<usize>,
}

impl Shared {
    fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_fault(&self) -> Option<Fault> {
        let mut log = self.log();
        log.script.pop_front().or_else(|| log.always.clone()).filter(|fault| *fault != Fault::Pass)
    }

    fn record(&self, head: Head, body: Vec<u8>, fault: Option<Fault>, served: Option<&Served>, now: Timestamp) {
        let proper = served.map(|served| served.answer.status);
        let status = fault.as_ref().map_or(proper, |fault| fault.answered(proper));
        let broken_rules = served.map(|served| served.broken_rules.clone()).unwrap_or_default();
        let remembered = *self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut log = self.log();
        let number = log.next;
        log.next += 1;
        while log.requests.len() >= remembered.max(1) {
            log.requests.pop_front();
        }
        let Head { method, path, query, headers } = head;
        log.requests.push_back(Recorded {
            number,
            at: now,
            instant: Instant::now(),
            method,
            path,
            query: without_secrets(&query),
            headers: headers
                .into_iter()
                .map(|(name, value)| {
                    let value = if SECRET_HEADERS.contains(&name.as_str()) { HIDDEN.to_owned() } else { value };
                    (name, value)
                })
                .collect(),
            body,
            status,
            fault,
            broken_rules,
        });
        self.arrived.notify_all();
    }
}

fn without_secrets(query: &str) -> String {
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((SECRET_QUERY, _)) => format!("{SECRET_QUERY}={HIDDEN}"),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}

impl Handler for Shared {
    fn serve(&self, head: Head, connection: &mut Connection, stop: &Stop) -> io::Result<Then> {
        let fault = self.next_fault();
        if fault == Some(Fault::ResetEarly) {
            self.record(head, Vec::new(), fault, None, self.clock.now());
            return Ok(Then::Reset);
        }
        let body = connection.read_body(&head)?;
        let now = self.clock.now();
        let does_it = fault.as_ref().is_none_or(Fault::does_it);
        let served = does_it.then(|| self.service.serve(&Call { head: &head, body: &body, now }));
        let answer = served.as_ref().map(|served| &served.answer);
        self.record(head, body, fault.clone(), served.as_ref(), now);
        fault.unwrap_or(Fault::Pass).perform(answer, connection, stop)
    }
}

/// A service on a free port of 127.0.0.1, with its record and its script. It stops when it is dropped.
pub struct Sandbox {
    server: HttpServer,
    shared: Arc<Shared>,
}

impl Sandbox {
    /// Starts a service, which takes its time from `clock`.
    ///
    /// # Errors
    /// When there is no free port or no thread can be started.
    pub fn start(service: impl Service + 'static, clock: SharedClock) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            service: Box::new(service),
            clock,
            log: Mutex::default(),
            arrived: Condvar::new(),
            remembered: Mutex::new(REMEMBERED),
        });
        let server = HttpServer::start(Arc::clone(&shared) as Arc<dyn Handler>)?;
        Ok(Self { server, shared })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Scheme and authority, `http://127.0.0.1:40123`.
    pub fn origin(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Lets the next requests meet these faults, one each, after those that are scripted already.
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.log().script.extend(faults);
    }

    /// Lets every request that no scripted fault is left for meet this one; none for no more.
    pub fn always(&self, fault: Option<Fault>) {
        self.shared.log().always = fault;
    }

    /// How many requests are remembered at most, one at least; older ones are forgotten, but still counted.
    pub fn remember(&self, most: usize) {
        *self.shared.remembered.lock().unwrap_or_else(PoisonError::into_inner) = most;
    }

    /// Every request that is remembered, in order of arrival.
    pub fn requests(&self) -> Vec<Recorded> {
        self.requests_from(0)
    }

    /// The remembered requests from this number on.
    pub fn requests_from(&self, number: u64) -> Vec<Recorded> {
        self.shared.log().requests.iter().filter(|request| request.number >= number).cloned().collect()
    }

    /// How many requests have arrived.
    pub fn count(&self) -> u64 {
        self.shared.log().next
    }

    /// Waits until so many requests have arrived. False when they have not in time.
    pub fn wait_for(&self, count: u64, timeout: Duration) -> bool {
        self.wait_until(timeout, |_| self.count() >= count)
    }

    /// Waits until `condition` holds for this sandbox. False when it does not in time.
    pub fn wait_until(&self, timeout: Duration, condition: impl Fn(&Self) -> bool) -> bool {
        let until = Instant::now() + timeout;
        while !condition(self) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let log = self.shared.log();
            drop(self.shared.arrived.wait_timeout(log, left.min(LOOK)));
        }
        true
    }
}

/// The system's clock, for sandboxes that need no other.
fn system_clock() -> SharedClock {
    Arc::new(SystemClock)
}

#[cfg(test)]
mod tests;
