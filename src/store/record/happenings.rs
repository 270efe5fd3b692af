//! What only few objects have (an appointment, what happened once, further lead ids and phones), on disk as part of their
//! object; and how an appointment stood.

use serde::{Deserialize, Serialize};

use crate::model::booking::{BookingState, BookingStatus, ToldBooking};
use crate::model::business_event::BookingFacts;
use crate::model::identity::IdentityKind;
use crate::model::statement::{Happening, ObjectState};
use crate::model::time::Timestamp;

use super::Fault;
use super::codes::Code;
use super::kind::KindV1;
use super::money::MoneyV1;

/// What only few objects have; most are written without.
#[derive(Serialize, Deserialize)]
pub(super) struct MoreV1<'a> {
    #[serde(borrow)]
    booking: Option<BookingV1<'a>>,
    #[serde(borrow)]
    happened: Vec<HappeningV1<'a>>,
    /// Kind of identity, value.
    #[serde(borrow)]
    also_named: Vec<(u8, &'a str)>,
}

/// What was written as [`MoreV1`].
#[derive(Default)]
pub(super) struct More {
    pub(super) booking: Option<BookingState>,
    pub(super) happened: Vec<Happening>,
    pub(super) also_named: Vec<(IdentityKind, String)>,
}

/// A [`BookingState`].
#[derive(Serialize, Deserialize)]
struct BookingV1<'a> {
    made_at: Option<i64>,
    #[serde(borrow)]
    told: Vec<ToldV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct ToldV1<'a> {
    at: i64,
    event_id: &'a str,
    status: u8,
    starts_at: Option<i64>,
    ends_at: Option<i64>,
    value: Option<MoneyV1>,
}

#[derive(Serialize, Deserialize)]
struct HappeningV1<'a> {
    #[serde(borrow)]
    kind: KindV1<'a>,
    at: i64,
    value: Option<MoneyV1>,
}

/// [`BookingFacts`].
#[derive(Serialize, Deserialize)]
pub(super) struct BookingFactsV1<'a> {
    id: &'a str,
    status: u8,
    starts_at: Option<i64>,
    ends_at: Option<i64>,
    moved_from: Option<i64>,
}

impl<'a> MoreV1<'a> {
    /// As it is written.
    pub(super) fn of(state: &'a ObjectState) -> Option<Self> {
        let plain = state.booking.is_none() && state.happened.is_empty() && state.also_named.is_empty();
        (!plain).then(|| Self {
            booking: state.booking.as_ref().map(BookingV1::of),
            happened: state.happened.iter().map(HappeningV1::of).collect(),
            also_named: state.also_named.iter().map(|(kind, value)| (kind.code(), value.as_str())).collect(),
        })
    }

    /// As it was.
    pub(super) fn read(stored: Option<Self>) -> Result<More, Fault> {
        let Some(stored) = stored else { return Ok(More::default()) };
        let also_named = |(kind, value): (u8, &str)| Ok((IdentityKind::from_code(kind)?, value.to_owned()));
        Ok(More {
            booking: stored.booking.map(BookingV1::read).transpose()?,
            happened: stored.happened.into_iter().map(HappeningV1::read).collect::<Result<_, _>>()?,
            also_named: stored.also_named.into_iter().map(also_named).collect::<Result<_, Fault>>()?,
        })
    }
}

impl<'a> BookingV1<'a> {
    fn of(booking: &'a BookingState) -> Self {
        Self { made_at: booking.made_at.map(Timestamp::millis), told: booking.told.iter().map(ToldV1::of).collect() }
    }

    fn read(self) -> Result<BookingState, Fault> {
        Ok(BookingState {
            made_at: self.made_at.map(Timestamp::from_millis),
            told: self.told.into_iter().map(ToldV1::read).collect::<Result<_, _>>()?,
        })
    }
}

impl<'a> ToldV1<'a> {
    fn of(told: &'a ToldBooking) -> Self {
        Self {
            at: told.at.millis(),
            event_id: &told.event_id,
            status: told.status.code(),
            starts_at: told.starts_at.map(Timestamp::millis),
            ends_at: told.ends_at.map(Timestamp::millis),
            value: told.value.map(MoneyV1::of),
        }
    }

    fn read(self) -> Result<ToldBooking, Fault> {
        Ok(ToldBooking {
            at: Timestamp::from_millis(self.at),
            event_id: self.event_id.to_owned(),
            status: BookingStatus::from_code(self.status)?,
            starts_at: self.starts_at.map(Timestamp::from_millis),
            ends_at: self.ends_at.map(Timestamp::from_millis),
            value: self.value.map(MoneyV1::read).transpose()?,
        })
    }
}

impl<'a> HappeningV1<'a> {
    fn of(happening: &'a Happening) -> Self {
        Self { kind: KindV1::of(&happening.kind), at: happening.at.millis(), value: happening.value.map(MoneyV1::of) }
    }

    fn read(self) -> Result<Happening, Fault> {
        Ok(Happening {
            kind: self.kind.read()?,
            at: Timestamp::from_millis(self.at),
            value: self.value.map(MoneyV1::read).transpose()?,
        })
    }
}

impl<'a> BookingFactsV1<'a> {
    /// As they are written.
    pub(super) fn of(facts: &'a BookingFacts) -> Self {
        Self {
            id: &facts.id,
            status: facts.status.code(),
            starts_at: facts.starts_at.map(Timestamp::millis),
            ends_at: facts.ends_at.map(Timestamp::millis),
            moved_from: facts.moved_from.map(Timestamp::millis),
        }
    }

    /// As they were.
    pub(super) fn read(self) -> Result<BookingFacts, Fault> {
        Ok(BookingFacts {
            id: self.id.to_owned(),
            status: BookingStatus::from_code(self.status)?,
            starts_at: self.starts_at.map(Timestamp::from_millis),
            ends_at: self.ends_at.map(Timestamp::from_millis),
            moved_from: self.moved_from.map(Timestamp::from_millis),
        })
    }
}
