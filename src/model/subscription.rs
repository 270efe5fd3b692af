//! The life of one subscription, as its provider tells it.

use std::time::Duration;

use super::money::Money;
use super::time::Timestamp;

/// What one webhook says of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionStep {
    /// How it stands now.
    pub terms: SubscriptionTerms,
    /// When it ended; none while it goes on.
    pub ended_at: Option<Timestamp>,
    /// What became different by this very event, as the provider lists it; empty for news that change nothing for the
    /// customer, like the next period's dates.
    pub changes: Vec<SubscriptionChange>,
}

/// How a subscription stands. The newest word counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionTerms {
    /// Its status.
    pub status: SubscriptionStatus,
    /// What is subscribed to: the product's or price's name, else its id.
    pub plan: Option<String>,
    /// What one period costs, all items together.
    pub price: Option<Money>,
    /// When it is to end, if that is arranged.
    pub ends_at: Option<Timestamp>,
}

/// Where a subscription stands (Stripe: subscription `status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubscriptionStatus {
    /// `incomplete`, `incomplete_expired` and anything unknown: it has not begun.
    NotBegun,
    /// `trialing`.
    Trialing,
    /// `active`.
    Active,
    /// `past_due` and `unpaid`: it goes on, and money is owed.
    Overdue,
    /// `paused`, or its collection is.
    Paused,
    /// `canceled`.
    Ended,
}

impl SubscriptionStatus {
    /// The name in JSON and in fields of destinations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotBegun => "not_begun",
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::Overdue => "overdue",
            Self::Paused => "paused",
            Self::Ended => "ended",
        }
    }

    /// Whether it has begun and not ended.
    pub const fn is_running(self) -> bool {
        matches!(self, Self::Trialing | Self::Active | Self::Overdue | Self::Paused)
    }
}

/// What became different about a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SubscriptionChange {
    /// Another product, price or quantity.
    Plan,
    /// It, or collecting its money, was paused.
    Paused,
    /// It goes on after a pause.
    Resumed,
    /// It is to end at a known time.
    EndScheduled,
    /// It is not to end after all.
    EndCancelled,
    /// A payment is overdue.
    Overdue,
    /// What was overdue is paid.
    Recovered,
    /// The trial is over and it goes on.
    TrialEnded,
}

/// How long a subscription may be waited for to begin.
const LONGEST_UNBEGUN: Duration = Duration::from_secs(86_400);

impl SubscriptionState {
    /// Whether it has begun and not ended.
    pub const fn is_running(&self) -> bool {
        self.start.is_some() && self.ended_at.is_none()
    }

    /// When it ended, if it ever began. One that was never paid for expires within a day (Stripe: subscriptions, `incomplete`); what
    /// ends later has begun, whether or not we were told.
    pub fn end(&self) -> Option<Timestamp> {
        let expired = |ended: Timestamp| {
            self.start.is_none() && self.unbegun_at.is_some_and(|unbegun| ended.since(unbegun) <= LONGEST_UNBEGUN)
        };
        self.ended_at.filter(|ended| !expired(*ended))
    }

    /// Where it stands: by the newest statement, but an ended one stays ended.
    pub const fn status(&self) -> SubscriptionStatus {
        if self.ended_at.is_some() { SubscriptionStatus::Ended } else { self.terms.status }
    }
}

impl SubscriptionChange {
    /// The name in JSON and in fields of destinations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::EndScheduled => "end_scheduled",
            Self::EndCancelled => "end_cancelled",
            Self::Overdue => "overdue",
            Self::Recovered => "recovered",
            Self::TrialEnded => "trial_ended",
        }
    }
}

/// A subscription as all statements about it together describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionState {
    /// Of the statements in which it runs the earliest, by the provider's time, then by event.
    pub start: Option<SubscriptionStart>,
    /// The provider's time of the earliest statement that it had not begun yet.
    pub unbegun_at: Option<Timestamp>,
    /// The earliest time at which it is said to have ended. An ended subscription never runs again.
    pub ended_at: Option<Timestamp>,
    /// How it stands, by the newest statement.
    pub terms: SubscriptionTerms,
    /// Every change, by time, then by event.
    pub changes: Vec<ToldChange>,
}

/// The earliest statement in which a subscription runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionStart {
    /// By the provider's time.
    pub at: Timestamp,
    /// The provider's id of the event.
    pub event_id: String,
    /// How it stood then.
    pub terms: SubscriptionTerms,
}

/// Changes that one event told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldChange {
    /// By the provider's time.
    pub at: Timestamp,
    /// The provider's id of the event.
    pub event_id: String,
    /// What became different.
    pub what: Vec<SubscriptionChange>,
    /// How it stood after that.
    pub terms: SubscriptionTerms,
}
