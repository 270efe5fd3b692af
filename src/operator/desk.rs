//! Where requests are answered.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use super::configured::Configured;
use super::filter::wrong;
use super::live::Live;
use super::reading::Names;
use super::request::Request;
use super::{
    contacts, contacts_export, contacts_forget, deliveries, destinations, events, failed, metrics, preview, rejected,
    replay, status,
};
use crate::http::admin::{Operator, OperatorError, OperatorRows};
use crate::ledger::books::BooksError;
use crate::platform::clock::SharedClock;
use crate::platform::disk::FreeDisk;
use crate::store::backup::{self, BackupError};
use crate::store::{Snapshot, StoreError, StoreReader, Unavailable, Writer};

/// Answers an operator's requests. Clones are the same desk.
#[derive(Clone)]
pub struct Desk {
    reader: StoreReader,
    pub(super) writer: Writer,
    pub(super) clock: SharedClock,
    pub(super) disk: Arc<dyn FreeDisk>,
    pub(super) live: Option<Arc<dyn Live>>,
    configured: Arc<RwLock<Arc<Configured>>>,
}

impl Desk {
    /// Over an open store. `live` is the running daemon; none when only the file is there.
    pub fn new(
        reader: StoreReader,
        writer: Writer,
        clock: SharedClock,
        disk: Arc<dyn FreeDisk>,
        configured: Configured,
        live: Option<Arc<dyn Live>>,
    ) -> Self {
        Self { reader, writer, clock, disk, live, configured: Arc::new(RwLock::new(Arc::new(configured))) }
    }

    /// Puts another configuration into force, after it was read again.
    pub fn set_configured(&self, configured: Configured) {
        *self.configured.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(configured);
    }

    /// Does what is asked for. Rows are made as they are taken, and so are the changes they tell of: a caller that stops taking
    /// them stops the rest.
    ///
    /// # Errors
    /// When the request makes no sense (400), what it names is not there (404), or it can't be done now (409, 500).
    pub fn handle(&self, request: Request) -> Result<OperatorRows, OperatorError> {
        match request {
            Request::Status => status::status(self),
            Request::EventsList(list) => events::list(self, list),
            Request::EventsShow { id } => events::show(self, &id),
            Request::EventsReplay { ids, dry_run } => replay::replay(self, ids, dry_run),
            Request::DeliveriesList(list) => deliveries::list(self, list),
            Request::DeliveriesShow { id } => deliveries::show(self, &id),
            Request::ContactsShow { id } => contacts::show(self, &id),
            Request::ContactsExport { id } => contacts_export::export(self, &id),
            Request::ContactsForget { id, dry_run } => contacts_forget::forget(self, &id, dry_run),
            Request::FailedList(list) => failed::list(self, list),
            Request::FailedShow { id } => failed::show(self, &id),
            Request::FailedRetry(selection) => failed::retry(self, selection),
            Request::FailedDiscard(selection) => failed::discard(self, selection),
            Request::RejectedList(list) => rejected::list(self, list),
            Request::RejectedRetry(selection) => rejected::retry(self, selection),
            Request::RejectedErase(selection) => rejected::erase(self, selection),
            Request::DestinationsList(list) => destinations::list(self, list),
            Request::DestinationsPause { name } => destinations::pause(self, &name),
            Request::DestinationsResume { name } => destinations::resume(self, &name),
            Request::DestinationsTest { name } => destinations::test(self, &name),
            Request::DestinationsPreview { id, destination } => preview::preview(self, &id, destination.as_deref()),
        }
    }

    /// Writes a backup of the books as of now.
    ///
    /// # Errors
    /// When the books can't be read or nobody takes what is written.
    pub fn backup(&self, out: &mut dyn io::Write) -> Result<(), BackupError> {
        backup::write(&self.reader.snapshot()?, self.clock.now(), out)
    }

    /// The configuration in force.
    pub(super) fn configured(&self) -> Arc<Configured> {
        Arc::clone(&self.configured.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The books as of now; to be let go before anything is sent.
    pub(super) fn snapshot(&self) -> Result<Snapshot, OperatorError> {
        self.reader.snapshot().map_err(broken)
    }

    /// Every destination's name ever configured.
    pub(super) fn names(&self) -> Result<Names, OperatorError> {
        Ok(self.snapshot()?.destinations().map_err(broken)?.into_iter().collect())
    }
}

impl Operator for Desk {
    fn handle(&self, request: Value) -> Result<OperatorRows, OperatorError> {
        let request = serde_json::from_value(request)
            .map_err(|error| wrong(format!("this version does not understand the request: {error}")))?;
        Self::handle(self, request)
    }

    fn metrics(&self) -> Result<String, OperatorError> {
        let mut rows = status::status(self)?;
        Ok(rows.next().map(|row| metrics::render(&row)).unwrap_or_default())
    }

    fn backup(&self, out: &mut dyn io::Write) -> io::Result<()> {
        Self::backup(self, out).map_err(io::Error::other)
    }
}

/// The store can't be read.
pub(super) fn broken(error: StoreError) -> OperatorError {
    OperatorError { status: 500, message: error.to_string() }
}

/// The books can't be read, or say no.
pub(super) fn unread(error: BooksError) -> OperatorError {
    let status = match &error {
        BooksError::Missing(_) => 404,
        BooksError::Refused(_) => 409,
        BooksError::Storage(_) | BooksError::Record(_) => 500,
    };
    OperatorError { status, message: error.to_string() }
}

/// The writer can't do it.
pub(super) fn unwritten(error: &Unavailable) -> OperatorError {
    OperatorError { status: 409, message: error.to_string() }
}

/// What was asked for is not there.
pub(super) fn missing(message: String) -> OperatorError {
    OperatorError { status: 404, message }
}
