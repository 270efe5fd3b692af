//! The kind of a business event on disk: a number for the named ones, the name for the user's own.

use serde::{Deserialize, Serialize};

use crate::model::business_event::EventKind;

use super::Fault;

/// An [`EventKind`].
#[derive(Serialize, Deserialize)]
pub(super) enum KindV1<'a> {
    /// One with a number.
    Named(u8),
    /// One of the user's own.
    Custom(&'a str),
}

macro_rules! kinds {
    ($($kind:ident = $code:literal),+ $(,)?) => {
        impl<'a> KindV1<'a> {
            /// As it is written.
            pub(super) fn of(kind: &'a EventKind) -> Self {
                match kind {
                    $(EventKind::$kind => Self::Named($code),)+
                    EventKind::Custom(name) => Self::Custom(name),
                }
            }

            /// As it was.
            pub(super) fn read(self) -> Result<EventKind, Fault> {
                match self {
                    $(Self::Named($code) => Ok(EventKind::$kind),)+
                    Self::Named(code) => Err(Fault::UnknownCode { what: "kind of business event", code }),
                    Self::Custom(name) => Ok(EventKind::Custom(name.to_owned())),
                }
            }
        }
    };
}

kinds! {
    Purchase = 0,
    PaymentFailed = 1,
    Refund = 2,
    RefundFailed = 3,
    DisputeLost = 4,
    DisputeReversed = 5,
    Renewal = 6,
    SubscriptionStarted = 7,
    SubscriptionChanged = 8,
    SubscriptionEnded = 9,
    TrialStarted = 10,
    Lead = 11,
    ContactChanged = 12,
    BookingMade = 13,
    BookingChanged = 14,
    BookingCancelled = 15,
    BookingAttended = 16,
    BookingMissed = 17,
}
