//! What the writer can be asked.

use crate::ledger::forget::Forget;
use crate::ledger::intake::{Intake, Receipt};
use crate::ledger::result::Report;
use crate::ledger::workspace::Target;
use crate::model::delivery::Standing;
use crate::model::id::{DeliveryId, DestinationId, GroupId, WebhookId};
use crate::model::lead::{LeadPost, LeadReceipt};
use crate::model::refused::Refused;
use crate::model::statement::Interpreted;
use crate::model::time::Timestamp;

use super::erase::Erase;
use super::sweep::Sweep;
use super::tombstones::InstallKey;

/// A change to the books. Each is planned alone, so that one that can't be digested costs nobody else anything.
#[derive(Debug)]
pub enum Command {
    /// Write a verified webhook down, and what follows from it.
    Intake(Box<Intake>),
    /// Write the verified webhooks of one request down, all in one transaction.
    IntakeAll(Vec<Intake>),
    /// Write down what a browser says of its visitor.
    Lead(Box<LeadPost>),
    /// Delete leads, by their ids, that have said nothing new since a moment.
    DropLeads(Vec<String>, Timestamp),
    /// Let go what of a group has waited long enough.
    Settle(GroupId),
    /// A request that its destination can't recognise as a repeat is about to begin.
    Start(DestinationId, Target),
    /// An attempt is over.
    Report(Box<Report>),
    /// End what has waited too long for a destination.
    Expire(DestinationId, Target),
    /// A person wants a delivery sent again.
    Retry(DeliveryId),
    /// A person decides that a failed delivery need not be sent.
    Discard(DeliveryId, String),
    /// What a destination as a whole is doing has changed.
    SetStanding(DestinationId, Box<Standing>),
    /// Interpret a stored webhook again and add what is missing.
    Reinterpret(WebhookId, Box<Interpreted>),
    /// Delete what is older than its keeping time, in a slice.
    Sweep(Sweep),
    /// Keep the list of rejected requests over a restart.
    KeepRejected(Vec<u8>),
    /// Keep a refused request with its body as `store::body` packs it: its sender will not come again.
    KeepRefused(Box<Refused>, Vec<u8>),
    /// Drop kept refused requests: source, number.
    DropRefused(Vec<(String, u64)>),
    /// Erase people. The bytes become the key of the tombstones' hashes when nobody was erased before.
    Forget(Box<Forget>, InstallKey),
    /// Erase a slice of what is left of erased people.
    Erase(Erase),
    /// Write something, to see that writing works.
    Touch,
}

/// What came of a command; known only after the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is done.
    Done,
    /// What became of a webhook.
    Receipt(Receipt),
    /// What became of each of several webhooks, in their order.
    Receipts(Vec<Receipt>),
    /// What became of what a browser said.
    Lead(LeadReceipt),
    /// It can't be done, and why; nothing was changed.
    Refused(String),
    /// How many rows a sweep deleted, and the next slice if there may be more.
    Swept {
        /// Rows gone.
        rows: usize,
        /// What to ask next.
        next: Option<Sweep>,
    },
}
