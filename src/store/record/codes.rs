//! The numbers that stand for plain choices on disk. A number, once released, keeps its meaning for ever.

use crate::model::attribution::ConsentSource;
use crate::model::booking::BookingStatus;
use crate::model::business_event::Mark;
use crate::model::delivery::{FailureClass, Rule};
use crate::model::id::Mode;
use crate::model::identity::IdentityKind;
use crate::model::statement::{Billing, ObjectKind};
use crate::model::subscription::{SubscriptionChange, SubscriptionStatus};
use crate::model::webhook::Status;

use super::Fault;

/// A choice with a number for each possibility.
pub(super) trait Code: Sized {
    /// The number.
    fn code(self) -> u8;

    /// What a number stands for.
    fn from_code(code: u8) -> Result<Self, Fault>;
}

/// One line a type: what messages call it, and the number of each possibility. A possibility without a number does not
/// compile, and of two with the same number the compiler says that the second can't be reached.
macro_rules! codes {
    ($($type:ident, $what:literal: $($variant:ident = $code:literal),+;)+) => {$(
        impl Code for $type {
            fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code,)+
                }
            }

            fn from_code(code: u8) -> Result<Self, Fault> {
                match code {
                    $($code => Ok(Self::$variant),)+
                    code => Err(Fault::UnknownCode { what: $what, code }),
                }
            }
        }
    )+};
}

codes! {
    Mode, "mode": Live = 0, Test = 1;
    Status, "status of a webhook": Accepted = 0, Ignored = 1, Unreadable = 2;
    ObjectKind, "kind of object":
        Session = 0, Invoice = 1, Intent = 2, Charge = 3, Refund = 4, Dispute = 5, Subscription = 6, Customer = 7,
        Order = 8, Booking = 9, Other = 10, Lead = 11;
    Billing, "reason for an invoice":
        SubscriptionStart = 0, SubscriptionCycle = 1, SubscriptionUpdate = 2, SubscriptionOther = 3, Manual = 4;
    SubscriptionStatus, "status of a subscription":
        NotBegun = 0, Trialing = 1, Active = 2, Overdue = 3, Paused = 4, Ended = 5;
    SubscriptionChange, "change of a subscription":
        Plan = 0, Paused = 1, Resumed = 2, EndScheduled = 3, EndCancelled = 4, Overdue = 5, Recovered = 6,
        TrialEnded = 7;
    BookingStatus, "status of an appointment": Booked = 0, Removed = 1, Cancelled = 2, Missed = 3, Attended = 4;
    IdentityKind, "kind of identity": Email = 0, Customer = 1, User = 2, Lead = 3, Phone = 4;
    Rule, "rule of suppression":
        Withdrawn = 0, TooOld = 1, NoConsent = 2, TestMode = 3, Unsubscribed = 4, Filtered = 5, NoClientId = 6,
        NoEmail = 7, NoContact = 8, Ambiguous = 9, Echo = 10, Erased = 11;
    FailureClass, "class of failure":
        Rejected = 0, AttemptsUsedUp = 1, DeadlinePassed = 2, DestinationUnavailable = 3, Invalid = 4, Ambiguous = 5;
    Mark, "remark":
        ByLikeness = 0, Upgrade = 1, Unmatched = 2, Capped = 3, ToldTwice = 4, ChangedAfterSent = 5,
        Absorbed = 6, HeldBack = 7, LentTouches = 8, ConsentByDefault = 9;
    ConsentSource, "source of consent": Sender = 0, Browser = 1;
}
