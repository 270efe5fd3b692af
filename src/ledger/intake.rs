//! What the listener hands to the writer, and what it learns.

use std::time::Duration;

use crate::model::envelope::Envelope;
use crate::model::id::WebhookId;
use crate::model::statement::Interpreted;
use crate::model::time::Timestamp;
use crate::model::webhook::Status;

/// A verified webhook, interpreted and ready to be written down.
#[derive(Debug)]
pub struct Intake {
    /// The name of the configured source.
    pub source: String,
    /// What it says; none when our own code failed on it, which is stored as `unreadable`.
    pub interpreted: Option<Interpreted>,
    /// The provider's event id.
    pub provider_id: String,
    /// What the dedup mark is kept under, `stripe/evt_…`.
    pub mark: String,
    /// How long the mark tells a repeat, where it does not last as long as the webhook itself.
    pub mark_lives: Option<Duration>,
    /// When it was received.
    pub received_at: Timestamp,
    /// What is kept of its request besides the body.
    pub envelope: Envelope,
    /// Size of the raw body.
    pub body_bytes: u32,
    /// The raw body as `store::body` packs it.
    pub packed_body: Vec<u8>,
}

/// What became of a webhook; known only after it is on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// Written down.
    Stored(WebhookId, Status),
    /// It was here before; nothing was done.
    Duplicate(WebhookId),
}
