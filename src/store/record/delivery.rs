//! Deliveries on disk, as part of their business event, and schedules.

use serde::{Deserialize, Serialize};

use crate::model::delivery::{Delivery, Failure, FailureClass, Frozen, Rule, Schedule, State};
use crate::model::id::DestinationId;
use crate::model::time::Timestamp;

use super::codes::Code;
use super::kind::KindV1;
use super::{Fault, owned};

/// A [`Delivery`].
#[derive(Serialize, Deserialize)]
pub(super) struct DeliveryV1<'a> {
    destination: u16,
    #[serde(borrow)]
    state: StateV1<'a>,
    generation: u16,
    schedule: ScheduleV1,
    last_status: Option<u16>,
    deadline: Option<i64>,
    #[serde(borrow)]
    frozen: Option<FrozenV1<'a>>,
    may_have_arrived: bool,
}

/// A [`Schedule`].
#[derive(Serialize, Deserialize)]
pub(super) struct ScheduleV1 {
    due_at: i64,
    settling: bool,
    attempts: u16,
    started_at: Option<i64>,
}

/// A [`State`]. The order of its variants is part of the format.
#[derive(Serialize, Deserialize)]
enum StateV1<'a> {
    Pending,
    Delivered { at: i64 },
    Suppressed { rule: u8, at: i64 },
    Failed { class: u8, explanation: &'a str, at: i64 },
    Discarded { reason: &'a str, at: i64 },
}

#[derive(Serialize, Deserialize)]
struct FrozenV1<'a> {
    #[serde(borrow)]
    kind: KindV1<'a>,
    #[serde(borrow)]
    client_id: Option<&'a str>,
    synthetic: bool,
}

impl<'a> DeliveryV1<'a> {
    /// As it is written.
    pub(super) fn of(delivery: &'a Delivery) -> Self {
        Self {
            destination: delivery.destination.0,
            state: StateV1::of(&delivery.state),
            generation: delivery.generation,
            schedule: ScheduleV1::of(&delivery.schedule),
            last_status: delivery.last_status,
            deadline: delivery.deadline.map(Timestamp::millis),
            frozen: delivery.frozen.as_ref().map(FrozenV1::of),
            may_have_arrived: delivery.may_have_arrived,
        }
    }

    /// As it was.
    pub(super) fn read(self) -> Result<Delivery, Fault> {
        Ok(Delivery {
            destination: DestinationId(self.destination),
            state: self.state.read()?,
            generation: self.generation,
            schedule: self.schedule.read(),
            last_status: self.last_status,
            deadline: self.deadline.map(Timestamp::from_millis),
            frozen: self.frozen.map(FrozenV1::read).transpose()?,
            may_have_arrived: self.may_have_arrived,
        })
    }
}

impl ScheduleV1 {
    /// As it is written.
    pub(super) fn of(schedule: &Schedule) -> Self {
        Self {
            due_at: schedule.due_at.millis(),
            settling: schedule.settling,
            attempts: schedule.attempts,
            started_at: schedule.started_at.map(Timestamp::millis),
        }
    }

    /// As it was.
    pub(super) fn read(self) -> Schedule {
        Schedule {
            due_at: Timestamp::from_millis(self.due_at),
            settling: self.settling,
            attempts: self.attempts,
            started_at: self.started_at.map(Timestamp::from_millis),
        }
    }
}

impl<'a> StateV1<'a> {
    fn of(state: &'a State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Delivered { at } => Self::Delivered { at: at.millis() },
            State::Suppressed { rule, at } => Self::Suppressed { rule: rule.code(), at: at.millis() },
            State::Failed { failure: Failure { class, explanation }, at } => {
                Self::Failed { class: class.code(), explanation, at: at.millis() }
            }
            State::Discarded { reason, at } => Self::Discarded { reason, at: at.millis() },
        }
    }

    fn read(self) -> Result<State, Fault> {
        Ok(match self {
            Self::Pending => State::Pending,
            Self::Delivered { at } => State::Delivered { at: Timestamp::from_millis(at) },
            Self::Suppressed { rule, at } => {
                State::Suppressed { rule: Rule::from_code(rule)?, at: Timestamp::from_millis(at) }
            }
            Self::Failed { class, explanation, at } => State::Failed {
                failure: Failure { class: FailureClass::from_code(class)?, explanation: explanation.to_owned() },
                at: Timestamp::from_millis(at),
            },
            Self::Discarded { reason, at } => {
                State::Discarded { reason: reason.to_owned(), at: Timestamp::from_millis(at) }
            }
        })
    }
}

impl<'a> FrozenV1<'a> {
    fn of(frozen: &'a Frozen) -> Self {
        Self { kind: KindV1::of(&frozen.kind), client_id: frozen.client_id.as_deref(), synthetic: frozen.synthetic }
    }

    fn read(self) -> Result<Frozen, Fault> {
        Ok(Frozen { kind: self.kind.read()?, client_id: owned(self.client_id), synthetic: self.synthetic })
    }
}
