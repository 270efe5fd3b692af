//! What brings a group's books up to date: which webhook, by which rules, and how long what it says may have to wait.

use std::time::Duration;

use super::rules::{Rules, SourceRules};
use crate::model::id::{Scope, WebhookId};
use crate::model::time::Timestamp;

/// What brings a group's books up to date.
#[derive(Clone, Copy)]
pub struct Occasion<'a> {
    /// The configuration.
    pub rules: &'a Rules,
    /// Whose objects are meant.
    pub scope: &'a Scope,
    /// The webhook that is counted.
    pub webhook: WebhookId,
    /// When what waits is sent.
    pub timing: Timing,
    /// How the source's events are counted.
    pub source: SourceRules,
    /// Whether a person asked for it, so that deliveries that are missing are added to what was counted before.
    pub again: bool,
}

/// An event is not late before this age, however short the settling: providers tell the time in whole seconds, and take a while.
const USUAL_LAG: Duration = Duration::from_secs(60);

/// When what waits is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A sale that may be half of another.
    pub sale: Timestamp,
    /// A refund whose sale is not known.
    pub refund: Timestamp,
}

impl Timing {
    /// For an event that was said at one moment and came at another.
    pub fn of(source: SourceRules, received_at: Timestamp, said_at: Timestamp) -> Self {
        let late = received_at.since(said_at) > source.settle.max(USUAL_LAG);
        let sale = match (source.settle.is_zero(), late) {
            (true, _) => received_at,
            (false, true) => received_at.after(source.settle_late),
            (false, false) => received_at.after(source.settle),
        };
        Self { sale, refund: received_at.after(source.settle_late) }
    }
}

/// How long a business event waits before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// Until a destination has what it needs, at most to this moment.
    UntilReady(Timestamp),
    /// To this moment: it may be half of something.
    Until(Timestamp),
    /// It is not to be told any more.
    Never,
}

impl Wait {
    /// The moment at which the waiting ends.
    pub const fn end(self, now: Timestamp) -> Timestamp {
        match self {
            Self::No | Self::Never => now,
            Self::UntilReady(end) | Self::Until(end) => end,
        }
    }
}
