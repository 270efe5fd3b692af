//! Where a verified webhook is handed over to be written down.

use std::future::Future;
use std::pin::Pin;

use crate::ledger::intake::{Intake, Receipt};
use crate::model::lead::{LeadPost, LeadReceipt};
use crate::model::refused::Refused;

/// Nothing can be stored now; the sender is asked to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not ready: {reason}")]
pub struct NotReady {
    /// Why, as one word for answers and logs: `disk_reserve`, `store_failed`, `overloaded`, `stopping`.
    pub reason: &'static str,
}

/// The answer to [`Door::ingest`], awaited.
pub type Ingesting = Pin<Box<dyn Future<Output = Result<Receipt, NotReady>> + Send>>;

/// The answer to [`Door::ingest_all`], awaited.
pub type IngestingAll = Pin<Box<dyn Future<Output = Result<Vec<Receipt>, NotReady>> + Send>>;

/// The answer to [`Door::keep_refused`], awaited.
pub type Keeping = Pin<Box<dyn Future<Output = Result<(), NotReady>> + Send>>;

/// The answer to [`Door::take_lead`], awaited.
pub type TakingLead = Pin<Box<dyn Future<Output = Result<LeadReceipt, NotReady>> + Send>>;

/// The way to the store's writer.
pub trait Door: Send + Sync {
    /// Whether a webhook would be stored now. Asked before any work is done for a request; must be cheap.
    ///
    /// # Errors
    /// Why it would not.
    fn try_ready(&self) -> Result<(), NotReady>;

    /// Writes a webhook down. Resolves when it is on disk, never before.
    ///
    /// # Errors
    /// When it is not stored, or when nobody can say.
    fn ingest(&self, intake: Intake) -> Ingesting;

    /// Writes the webhooks of one request down, all or none, in their order. Resolves when they are on disk.
    ///
    /// # Errors
    /// As [`Door::ingest`].
    fn ingest_all(&self, intakes: Vec<Intake>) -> IngestingAll;

    /// Keeps a refused request with its packed body, since its sender will not come again. Resolves when it is on disk.
    ///
    /// # Errors
    /// As [`Door::ingest`].
    fn keep_refused(&self, refused: Refused, packed_body: Vec<u8>) -> Keeping;

    /// Writes down what a browser says, behind everything that senders say. Resolves when it is on disk.
    ///
    /// # Errors
    /// As [`Door::ingest`].
    fn take_lead(&self, post: LeadPost) -> TakingLead;
}
