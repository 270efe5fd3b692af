//! The way to the books: the running daemon over its admin socket, else the store file itself.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use serde_json::Value;

use super::output::path;
use super::{Failure, Setting};
use crate::config::{Config, Location};
use crate::delivery::client::{Client, ClientOptions, HttpClient};
use crate::delivery::connection::Trust;
use crate::http::admin::OperatorError;
use crate::http::admin_client::{self, AdminError};
use crate::operator::{Configured, Desk, Request, rules};
use crate::platform::clock::{SharedClock, SystemClock};
use crate::platform::disk::SystemDisk;
use crate::store::{Listener, News, Opened, Store, StoreError, StoreSettings, Writer, WriterSettings};

/// redb's page cache when the configuration can't be read, in bytes.
pub(super) const SMALL_CACHE: usize = 16 * 1024 * 1024;
/// After so long without an answer the person is told.
const SILENCE: Duration = Duration::from_secs(5);
/// After so long more without an answer, what costs the daemon next to nothing is given up.
const LONG_SILENCE: Duration = Duration::from_secs(15);
/// Rows that wait to be printed.
const ROWS_WAITING: usize = 256;

/// Asks and hands each row on as it comes. When a row can't be taken, a list ends there; changes are carried out to their end.
pub(super) fn ask(
    setting: &Setting<'_>,
    request: &Request,
    each_row: &mut dyn FnMut(Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let location = Config::locate(setting.config, setting.environment)?;
    match ask_daemon(&location.socket, request, each_row) {
        Err(DaemonFailure::NotThere) => ask_store(setting, &location, request, each_row),
        Err(DaemonFailure::Failure(failure)) => Err(failure),
        Ok(()) => Ok(()),
    }
}

/// Every row of the running daemon's answer; none when none runs. The store is left alone.
pub(super) fn ask_running(setting: &Setting<'_>, request: &Request) -> Result<Option<Vec<Value>>, Failure> {
    let location = Config::locate(setting.config, setting.environment)?;
    let mut rows = Vec::new();
    let asked = ask_daemon(&location.socket, request, &mut |row| {
        rows.push(row);
        Ok(())
    });
    match asked {
        Err(DaemonFailure::NotThere) => Ok(None),
        Err(DaemonFailure::Failure(failure)) => Err(failure),
        Ok(()) => Ok(Some(rows)),
    }
}

/// Every row of an answer.
pub(super) fn ask_all(setting: &Setting<'_>, request: &Request) -> Result<Vec<Value>, Failure> {
    let mut rows = Vec::new();
    ask(setting, request, &mut |row| {
        rows.push(row);
        Ok(())
    })?;
    Ok(rows)
}

/// The only row of an answer.
pub(super) fn ask_one(setting: &Setting<'_>, request: &Request) -> Result<Value, Failure> {
    ask_all(setting, request)?.pop().ok_or_else(|| Failure::Failed("tallyhook answered with nothing".to_owned()))
}

enum DaemonFailure {
    NotThere,
    Failure(Failure),
}

fn ask_daemon(
    socket: &Path,
    request: &Request,
    each_row: &mut dyn FnMut(Value) -> Result<(), Failure>,
) -> Result<(), DaemonFailure> {
    let failed = |text: String| DaemonFailure::Failure(Failure::Failed(text));
    let json = serde_json::to_value(request).map_err(|error| failed(error.to_string()))?;
    let (sender, receiver) = sync_channel(ROWS_WAITING);
    let shown = path(socket);
    let socket = socket.to_owned();
    // On a thread of its own, so that a list whose reader has gone need not be received to its end.
    let call = std::thread::spawn(move || {
        admin_client::call(&socket, &json, &mut |row| {
            let _ = sender.send(row);
        })
    });
    let mut taken = Ok(());
    let first = first_row(&receiver, &shown, request).map_err(DaemonFailure::Failure)?;
    for row in first.into_iter().chain(receiver) {
        if taken.is_ok() {
            taken = take(row, each_row);
        }
        if taken.is_err() && !request.is_change() {
            return taken.map_err(DaemonFailure::Failure);
        }
    }
    let called = call.join().unwrap_or_else(|_| {
        Err(AdminError::Refused { status: 500, message: "the call failed inside this program".to_owned() })
    });
    match called {
        Ok(()) => taken.map_err(DaemonFailure::Failure),
        Err(AdminError::NoDaemon(_)) => Err(DaemonFailure::NotThere),
        Err(AdminError::Refused { status, message }) => {
            Err(DaemonFailure::Failure(refused(OperatorError { status, message })))
        }
        Err(error @ (AdminError::Forbidden(_) | AdminError::Broken { .. } | AdminError::Taking(_))) => {
            Err(failed(error.to_string()))
        }
    }
}

/// Waits for the first row; none when the answer has none. A daemon that is stuck does not hang up, so its silence is told,
/// and ends the wait where an answer is a matter of moments.
fn first_row(receiver: &Receiver<Value>, socket: &str, request: &Request) -> Result<Option<Value>, Failure> {
    match receiver.recv_timeout(SILENCE) {
        Ok(row) => return Ok(Some(row)),
        Err(RecvTimeoutError::Disconnected) => return Ok(None),
        Err(RecvTimeoutError::Timeout) => {}
    }
    let seconds = SILENCE.as_secs();
    // The answer itself goes to standard output, if it comes.
    let _ = writeln!(
        io::stderr(),
        "tallyhook: the running tallyhook has not answered on {socket} for {seconds} seconds; still waiting"
    );
    if !matches!(request, Request::Status | Request::DestinationsList(_)) {
        return Ok(receiver.recv().ok());
    }
    match receiver.recv_timeout(LONG_SILENCE) {
        Ok(row) => Ok(Some(row)),
        Err(RecvTimeoutError::Disconnected) => Ok(None),
        Err(RecvTimeoutError::Timeout) => Err(Failure::Failed(format!(
            "a tallyhook runs but does not answer on {socket}: it is stopped, stuck or overloaded; look at its log, and restart \
             it if that does not pass"
        ))),
    }
}

/// Hands a row on, unless it says that the answer broke off.
fn take(row: Value, each_row: &mut dyn FnMut(Value) -> Result<(), Failure>) -> Result<(), Failure> {
    match row.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.get("error")) {
        Some(Value::String(message)) => Err(Failure::Failed(message.clone())),
        _ => each_row(row),
    }
}

fn refused(error: OperatorError) -> Failure {
    if error.status == 400 { Failure::Wrong(error.message) } else { Failure::Failed(error.message) }
}

fn ask_store(
    setting: &Setting<'_>,
    location: &Location,
    request: &Request,
    each_row: &mut dyn FnMut(Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    needs_store(location)?;
    // A person who looks need not have the secrets.
    let config = match Config::load(setting.config, setting.environment) {
        Ok(config) => Some(config),
        Err(problems) if request.needs_configuration() => return Err(problems.into()),
        Err(_) => None,
    };
    let clock: SharedClock = Arc::new(SystemClock);
    let configured = match &config {
        Some(config) => configured(config, &clock)?,
        None => Configured { store: location.store.clone(), ..Configured::default() },
    };
    let names: Vec<String> = configured.destinations.iter().map(|destination| destination.name.clone()).collect();
    let cache = config.as_ref().map_or(SMALL_CACHE, |config| config.store.cache);
    let Opened { store, destinations } =
        Store::open_existing(&StoreSettings { path: location.store.clone(), cache }, &names)
            .map_err(|error| unopened(error, location))?;
    let rules = config.as_ref().map(|config| rules(config, &destinations)).unwrap_or_default();
    let (writer, thread) =
        Writer::start(&store, rules, WriterSettings::default(), Arc::clone(&clock), Arc::new(NobodyListens))
            .map_err(|error| unopened(error, location))?;
    let desk = Desk::new(store.reader(), writer.clone(), clock, Arc::new(SystemDisk), configured, None);
    let done = match desk.handle(request.clone()) {
        Ok(rows) => hand_on(rows, request, each_row),
        Err(error) => Err(refused(error)),
    };
    writer.close();
    let _ = thread.join();
    done
}

/// Refuses where there is no store yet.
pub(super) fn needs_store(location: &Location) -> Result<(), Failure> {
    if matches!(location.store.try_exists(), Ok(false)) {
        return Err(Failure::Failed(format!(
            "there is no store yet: {} is not there; `tallyhook serve` makes it (or give the right --config)",
            path(&location.store)
        )));
    }
    Ok(())
}

fn hand_on(
    rows: impl Iterator<Item = Value>,
    request: &Request,
    each_row: &mut dyn FnMut(Value) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut taken = Ok(());
    for row in rows {
        if taken.is_ok() {
            taken = take(row, each_row);
        }
        if taken.is_err() && !request.is_change() {
            break;
        }
    }
    taken
}

/// What a configuration says of sources and destinations, each with a client of its own.
pub(super) fn configured(config: &Config, clock: &SharedClock) -> Result<Configured, Failure> {
    let trust = Trust::new(None).map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(Configured::new(config, |destination| {
        let options =
            ClientOptions { allow_private_addresses: destination.delivery.allow_private_addresses, connections: 1 };
        Arc::new(HttpClient::new(trust.clone(), options, Arc::clone(clock))) as Arc<dyn Client>
    }))
}

/// Why the store can't be opened.
pub(super) fn unopened(error: StoreError, location: &Location) -> Failure {
    Failure::Failed(match error {
        StoreError::InUse(store) => format!(
            "{} is in use by another tallyhook, but nobody answers on its admin socket {}: it is starting or stopping, or runs \
             with another configuration; try again, or give its --config",
            path(&store),
            path(&location.socket)
        ),
        other => other.to_string(),
    })
}

/// Without a daemon nobody waits for news; what the storage says comes back with the answer.
struct NobodyListens;

impl Listener for NobodyListens {
    fn committed(&self, _: &News) {}

    fn failed(&self, _: &str) {}
}
