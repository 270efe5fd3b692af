//! What happened to the business, in the words that destinations are told.

use std::fmt;
use std::str::FromStr;

use super::attribution::{Attribution, Consent};
use super::booking::BookingStatus;
use super::delivery::Delivery;
use super::id::{BusinessEventId, ContactId, GroupId, Scope, WebhookId};
use super::money::Money;
use super::statement::Details;
use super::subscription::{SubscriptionChange, SubscriptionStatus};
use super::time::Timestamp;

/// What kind of thing happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A first sale, or a sale by itself.
    Purchase,
    /// One try to pay failed.
    PaymentFailed,
    /// Money given back.
    Refund,
    /// A refund whose money came back.
    RefundFailed,
    /// A dispute that was lost.
    DisputeLost,
    /// A lost dispute that was reinstated.
    DisputeReversed,
    /// A later payment of a subscription.
    Renewal,
    /// A subscription began.
    SubscriptionStarted,
    /// A subscription changed.
    SubscriptionChanged,
    /// A subscription ended.
    SubscriptionEnded,
    /// A start without payment.
    TrialStarted,
    /// Somebody became a lead.
    Lead,
    /// A person's data changed.
    ContactChanged,
    /// An appointment was made.
    BookingMade,
    /// An appointment was moved, or is to take place after all.
    BookingChanged,
    /// An appointment was called off.
    BookingCancelled,
    /// The person came.
    BookingAttended,
    /// The person did not come.
    BookingMissed,
    /// A name that the configuration gives.
    Custom(String),
}

const NAMED: [(&str, EventKind); 18] = [
    ("purchase", EventKind::Purchase),
    ("payment_failed", EventKind::PaymentFailed),
    ("refund", EventKind::Refund),
    ("refund_failed", EventKind::RefundFailed),
    ("dispute_lost", EventKind::DisputeLost),
    ("dispute_reversed", EventKind::DisputeReversed),
    ("renewal", EventKind::Renewal),
    ("subscription_started", EventKind::SubscriptionStarted),
    ("subscription_changed", EventKind::SubscriptionChanged),
    ("subscription_ended", EventKind::SubscriptionEnded),
    ("trial_started", EventKind::TrialStarted),
    ("lead", EventKind::Lead),
    ("contact_changed", EventKind::ContactChanged),
    ("booking_made", EventKind::BookingMade),
    ("booking_changed", EventKind::BookingChanged),
    ("booking_cancelled", EventKind::BookingCancelled),
    ("booking_attended", EventKind::BookingAttended),
    ("booking_missed", EventKind::BookingMissed),
];

impl EventKind {
    /// The kind's name in configuration, JSON, logs and requests.
    pub fn name(&self) -> &str {
        match self {
            Self::Custom(name) => name,
            named => NAMED.iter().find(|(_, kind)| kind == named).map_or("unknown", |(name, _)| name),
        }
    }

    /// Every kind that has a name of its own.
    pub fn named() -> impl Iterator<Item = &'static str> {
        NAMED.iter().map(|(name, _)| *name)
    }

    /// Whether it moves money, so that losing it costs more than telling it twice.
    pub const fn is_money(&self) -> bool {
        matches!(
            self,
            Self::Purchase
                | Self::Renewal
                | Self::Refund
                | Self::RefundFailed
                | Self::DisputeLost
                | Self::DisputeReversed
        )
    }

    /// Whether it is a sale.
    pub const fn is_sale(&self) -> bool {
        matches!(self, Self::Purchase | Self::Renewal)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EventKind {
    type Err = std::convert::Infallible;

    /// Any text is a kind: a known name, or one of the user's own.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(NAMED
            .iter()
            .find(|(name, _)| *name == text)
            .map_or_else(|| Self::Custom(text.to_owned()), |(_, kind)| kind.clone()))
    }
}

/// Which fact of its group a business event tells of. One subject has at most one business event at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The sale itself (purchase, renewal or trial start).
    Sale,
    /// One refund, by its id.
    Refund(String),
    /// That one refund's money came back.
    RefundCameBack(String),
    /// That one dispute was lost, by its id.
    DisputeLost(String),
    /// That one lost dispute was reversed.
    DisputeReversed(String),
    /// The group's subscription began.
    SubscriptionStarted,
    /// It changed, by the event that told so.
    SubscriptionChanged(String),
    /// It ended.
    SubscriptionEnded,
    /// One failed try to pay: the object and the try.
    FailedAttempt(String, String),
    /// Something that is no money, by its own key.
    Other(String),
}

impl Subject {
    /// Whether it tells of money that left its sale, or came back to it.
    pub const fn is_taken_back(&self) -> bool {
        matches!(self, Self::Refund(_) | Self::RefundCameBack(_) | Self::DisputeLost(_) | Self::DisputeReversed(_))
    }
}

/// One thing that happened to the business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessEvent {
    /// Its number.
    pub id: BusinessEventId,
    /// What happened.
    pub kind: EventKind,
    /// What it is known by for ever: scope and object, `stripe/-/live/pi_3Q…`.
    pub key: String,
    /// Whose objects.
    pub scope: Scope,
    /// Which fact of its group.
    pub subject: Subject,
    /// The group of money objects it comes from.
    pub group: Option<GroupId>,
    /// The person.
    pub contact: Option<ContactId>,
    /// The webhook that gave rise to it; number 0 where none did, but what a browser said.
    pub webhook: WebhookId,
    /// When Tallyhook wrote it down.
    pub created_at: Timestamp,
    /// When it happened, by the provider's own time. Fixed once `frozen`.
    pub occurred_at: Timestamp,
    /// The id that destinations know the sale by. Fixed once `frozen`.
    pub transaction_id: Option<String>,
    /// Whether transaction id and time are fixed: set when the first delivery becomes due.
    pub frozen: bool,
    /// How much; positive also for refunds.
    pub amount: Option<Money>,
    /// What else is known.
    pub facts: EventFacts,
    /// Each destination's state.
    pub deliveries: Vec<Delivery>,
}

impl BusinessEvent {
    /// The webhook that gave rise to it, if one did.
    pub fn told_by(&self) -> Option<WebhookId> {
        (self.webhook.0 > 0).then_some(self.webhook)
    }
}

/// What a business event carries besides its money.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFacts {
    /// Tax, shipping, items, payment method.
    pub details: Details,
    /// The owner's pricing tier.
    pub pricing_tier: Option<String>,
    /// The browser's lead id.
    pub lead_id: Option<String>,
    /// The owner's user id.
    pub user_id: Option<String>,
    /// What was sold, as the metadata names it.
    pub service_id: Option<String>,
    /// Its name.
    pub service_name: Option<String>,
    /// Where the person came from.
    pub attribution: Attribution,
    /// What the person agreed to.
    pub consent: Consent,
    /// A provider's code for a failed payment.
    pub failure_code: Option<String>,
    /// Of what happened to a subscription: which, and how it stood then.
    pub subscription: Option<SubscriptionFacts>,
    /// Of what happened to an appointment: which, and how it stood then.
    pub booking: Option<BookingFacts>,
    /// What the sale came to that this gives back or takes again; none of a sale itself, and where it was never seen.
    pub sale_amount: Option<Money>,
    /// Whole days from the first touch to the sale.
    pub days_to_conversion: Option<u32>,
    /// Whether the person had bought before; none when that isn't known.
    pub returning: Option<bool>,
    /// What a person should know about how it was counted.
    pub marks: Vec<Mark>,
}

/// A subscription as it stood when something happened to it: by the event that told of that, not by later ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionFacts {
    /// Its id.
    pub id: String,
    /// Where it stood.
    pub status: SubscriptionStatus,
    /// What is subscribed to.
    pub plan: Option<String>,
    /// What one period costs.
    pub price: Option<Money>,
    /// What became different; only for a change.
    pub changes: Vec<SubscriptionChange>,
    /// When it is to end, if that was arranged; of one that ended, when it did.
    pub ends_at: Option<Timestamp>,
}

/// An appointment as it stood when something happened to it. Never its title or place, which name people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookingFacts {
    /// Its id.
    pub id: String,
    /// Where it stood.
    pub status: BookingStatus,
    /// When it was to begin.
    pub starts_at: Option<Timestamp>,
    /// When it was to end.
    pub ends_at: Option<Timestamp>,
    /// When it was to begin before; only of one that was moved.
    pub moved_from: Option<Timestamp>,
}

/// A remark on how a business event was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// Objects were paired by likeness, not by a link.
    ByLikeness,
    /// A change in the middle of a subscription's period.
    Upgrade,
    /// A refund or lost dispute whose sale was never seen.
    Unmatched,
    /// More was refunded, or lost in disputes, than was left of the sale; the excess is not sent.
    Capped,
    /// An event destination had been told of this sale before under another id; it is reported, never sent again.
    ToldTwice,
    /// The books changed after a destination was told.
    ChangedAfterSent,
    /// By likeness it is half of a sale that another business event tells of.
    Absorbed,
    /// A destination has the sale under the id of its other half already; it is not sent there again.
    HeldBack,
    /// Where the person came from is known only by a lead with the same e-mail address, which anyone can have written there.
    LentTouches,
    /// Some purpose of consent is the configuration's default: nobody said.
    ConsentByDefault,
}

impl Mark {
    /// The remark's name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ByLikeness => "by_likeness",
            Self::Upgrade => "upgrade",
            Self::Unmatched => "unmatched",
            Self::Capped => "capped",
            Self::ToldTwice => "told_twice",
            Self::ChangedAfterSent => "changed_after_sent",
            Self::Absorbed => "absorbed",
            Self::HeldBack => "held_back",
            Self::LentTouches => "lent_touches",
            Self::ConsentByDefault => "consent_by_default",
        }
    }

    /// The remark as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::ByLikeness => {
                "joined by likeness (same customer, amount and currency within two minutes), without a link"
            }
            Self::Upgrade => "a change in the middle of a subscription's period",
            Self::Unmatched => "the sale that this gives back was never seen",
            Self::Capped => "more was refunded or lost than was sold; the excess was not sent",
            Self::ToldTwice => {
                "two sales proved to be one after both had been sent; correct it at the destination by hand"
            }
            Self::ChangedAfterSent => "the provider corrected this after a destination had been told",
            Self::HeldBack => "a destination has it under the id of its other half already",
            Self::LentTouches => {
                "where the person came from is known only through a form with the same e-mail address, which nobody verified"
            }
            Self::ConsentByDefault => {
                "nobody said what the person agreed to: identity.consent_default of the configuration holds"
            }
            Self::Absorbed => "half of a sale that is told of under another id (same customer, amount and time)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_read_back_their_names() {
        for name in EventKind::named() {
            let kind: EventKind = name.parse().unwrap();
            assert_eq!(kind.name(), name);
            assert!(!matches!(kind, EventKind::Custom(_)));
        }
        assert_eq!("webinar_joined".parse(), Ok(EventKind::Custom("webinar_joined".into())));
    }
}
