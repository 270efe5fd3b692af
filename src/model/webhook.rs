//! One event as a source sent it, and what became of it.

use super::envelope::Envelope;
use super::id::{BusinessEventId, GroupId, Mode, WebhookId};
use super::statement::NOTHING_TO_COUNT;
use super::time::Timestamp;

/// What a webhook was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It says something about the business.
    Accepted,
    /// It means nothing to Tallyhook; stored all the same.
    Ignored,
    /// Our own code failed on it; stored, shown, and taken up again by a later version.
    Unreadable,
}

impl Status {
    /// The name in answers and lists.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Ignored => "ignored",
            Self::Unreadable => "unreadable",
        }
    }
}

/// How notes begin that tell of nothing amiss with a sale: an event without an object, or a word on an invoice that the kind of
/// a renewal does not depend on. Every other note names something that may have kept money from being counted.
const HARMLESS_NOTES: [&str; 3] = [NOTHING_TO_COUNT, "thin event", "unknown billing_reason"];

/// A stored webhook without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its number, in order of arrival.
    pub id: WebhookId,
    /// The configured source it came to.
    pub source: String,
    /// What its dedup mark is kept under, `stripe/evt_…`.
    pub mark: String,
    /// The provider's id, `evt_…`.
    pub provider_id: String,
    /// The provider's name of it, `checkout.session.completed`.
    pub event_type: String,
    /// Live or test.
    pub mode: Mode,
    /// When it came.
    pub received_at: Timestamp,
    /// When the provider says it happened.
    pub created: Option<Timestamp>,
    /// What it was taken for.
    pub status: Status,
    /// Oddities a person should see.
    pub notes: Vec<String>,
    /// The group of money objects it belongs to.
    pub group: Option<GroupId>,
    /// The business events it gave rise to.
    pub business_events: Vec<BusinessEventId>,
    /// What is kept of its request besides the body: all that it takes to interpret it again.
    pub envelope: Envelope,
    /// Size of the raw body in bytes.
    pub body_bytes: u32,
}

impl Webhook {
    /// The first note that a person should see: an absent or negative amount, an unknown currency, a missing id. One that our
    /// own code failed on is told of as such.
    pub fn oddity(&self) -> Option<&str> {
        let harmless = |note: &str| HARMLESS_NOTES.iter().any(|start| note.starts_with(start));
        let mut notes = self.notes.iter().map(String::as_str).filter(|note| !harmless(note));
        notes.next().filter(|_| self.status != Status::Unreadable)
    }

    /// Whether it has an oddity that a person should see.
    pub fn is_odd(&self) -> bool {
        self.oddity().is_some()
    }
}
