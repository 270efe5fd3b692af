//! The life of one appointment, as its provider tells it.

use super::money::Money;
use super::time::Timestamp;

/// What one webhook says of an appointment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookingStep {
    /// Where it stands.
    pub status: BookingStatus,
    /// When it begins.
    pub starts_at: Option<Timestamp>,
    /// When it ends.
    pub ends_at: Option<Timestamp>,
    /// When it was made, if the provider still says so.
    pub made_at: Option<Timestamp>,
    /// What it is worth, where somebody says so.
    pub value: Option<Money>,
}

/// Where an appointment stands. Of two words of the same time the later in this order counts: what is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BookingStatus {
    /// It is to take place.
    Booked,
    /// It was taken out of the calendar: called off, unless it was over by then.
    Removed,
    /// It was called off.
    Cancelled,
    /// The person did not come.
    Missed,
    /// The person came.
    Attended,
}

impl BookingStatus {
    /// The name in JSON and at destinations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Booked => "booked",
            Self::Removed => "removed",
            Self::Cancelled => "cancelled",
            Self::Missed => "missed",
            Self::Attended => "attended",
        }
    }
}

/// An appointment as all statements about it together describe it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BookingState {
    /// The earliest time at which it is said to have been made.
    pub made_at: Option<Timestamp>,
    /// Everything that was told, by time, then by status, then by event.
    pub told: Vec<ToldBooking>,
}

/// What one event told of an appointment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldBooking {
    /// By the provider's time.
    pub at: Timestamp,
    /// The provider's id of the event.
    pub event_id: String,
    /// Where it stood.
    pub status: BookingStatus,
    /// When it was to begin.
    pub starts_at: Option<Timestamp>,
    /// When it was to end.
    pub ends_at: Option<Timestamp>,
    /// What it was worth.
    pub value: Option<Money>,
}
