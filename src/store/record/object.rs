//! A money object on disk, as part of its group.

use serde::{Deserialize, Serialize};

use crate::model::statement::{
    Billing, DisputeState, FailedAttempt, ObjectKind, ObjectRef, ObjectState, Paid, RefundState,
};
use crate::model::time::Timestamp;

use super::codes::Code;
use super::details::DetailsV1;
use super::happenings::{More, MoreV1};
use super::life::LifeV1;
use super::money::MoneyV1;
use super::person::PersonV1;
use super::tags::TagsV1;
use super::{Fault, owned};

/// An [`ObjectState`].
#[derive(Serialize, Deserialize)]
pub(super) struct ObjectStateV1<'a> {
    #[serde(borrow)]
    object: ObjectRefV1<'a>,
    said_at: i64,
    said_by: &'a str,
    /// How many milliseconds before the newest statement the earliest was.
    heard_before: i64,
    #[serde(borrow)]
    links: Vec<ObjectRefV1<'a>>,
    #[serde(borrow)]
    customer: Option<&'a str>,
    #[serde(borrow)]
    subscription: Option<&'a str>,
    paid: Option<PaidV1>,
    #[serde(borrow)]
    failed_attempts: Vec<FailedAttemptV1<'a>>,
    refund: Option<RefundStateV1>,
    dispute: Option<DisputeStateV1>,
    #[serde(borrow)]
    life: Option<LifeV1<'a>>,
    #[serde(borrow)]
    more: Option<MoreV1<'a>>,
    #[serde(borrow)]
    details: Option<DetailsV1<'a>>,
    #[serde(borrow)]
    person: Option<PersonV1<'a>>,
    #[serde(borrow)]
    tags: Option<TagsV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct ObjectRefV1<'a> {
    kind: u8,
    id: &'a str,
}

#[derive(Serialize, Deserialize)]
struct PaidV1 {
    amount: MoneyV1,
    at: i64,
    billing: Option<u8>,
}

#[derive(Serialize, Deserialize)]
struct FailedAttemptV1<'a> {
    attempt: &'a str,
    amount: Option<MoneyV1>,
    #[serde(borrow)]
    code: Option<&'a str>,
    at: i64,
}

#[derive(Serialize, Deserialize)]
struct RefundStateV1 {
    amount: MoneyV1,
    at: i64,
    counted: bool,
    failed: bool,
    cancelled: bool,
}

#[derive(Serialize, Deserialize)]
struct DisputeStateV1 {
    amount: MoneyV1,
    lost_at: Option<i64>,
    restored_at: Option<i64>,
}

impl<'a> ObjectStateV1<'a> {
    /// As it is written.
    pub(super) fn of(state: &'a ObjectState) -> Self {
        Self {
            object: ObjectRefV1::of(&state.object),
            said_at: state.said_at.millis(),
            said_by: &state.said_by,
            heard_before: state.said_at.millis().wrapping_sub(state.heard_at.millis()),
            links: state.links.iter().map(ObjectRefV1::of).collect(),
            customer: state.customer.as_deref(),
            subscription: state.subscription.as_deref(),
            paid: state.paid.as_ref().map(PaidV1::of),
            failed_attempts: state.failed_attempts.iter().map(FailedAttemptV1::of).collect(),
            refund: state.refund.as_ref().map(RefundStateV1::of),
            dispute: state.dispute.as_ref().map(DisputeStateV1::of),
            life: state.life.as_ref().map(LifeV1::of),
            more: MoreV1::of(state),
            details: DetailsV1::of(&state.details),
            person: PersonV1::of(&state.person),
            tags: TagsV1::of(&state.tags),
        }
    }

    /// As it was.
    pub(super) fn read(self) -> Result<ObjectState, Fault> {
        let More { booking, happened, also_named } = MoreV1::read(self.more)?;
        Ok(ObjectState {
            object: self.object.read()?,
            said_at: Timestamp::from_millis(self.said_at),
            said_by: self.said_by.to_owned(),
            heard_at: Timestamp::from_millis(self.said_at.wrapping_sub(self.heard_before)),
            links: self.links.into_iter().map(ObjectRefV1::read).collect::<Result<_, _>>()?,
            customer: owned(self.customer),
            subscription: owned(self.subscription),
            paid: self.paid.map(PaidV1::read).transpose()?,
            failed_attempts: self.failed_attempts.into_iter().map(FailedAttemptV1::read).collect::<Result<_, _>>()?,
            refund: self.refund.map(RefundStateV1::read).transpose()?,
            dispute: self.dispute.map(DisputeStateV1::read).transpose()?,
            life: self.life.map(LifeV1::read).transpose()?,
            booking,
            happened,
            details: DetailsV1::read(self.details),
            person: PersonV1::read(self.person),
            tags: TagsV1::read(self.tags)?,
            also_named,
        })
    }
}

impl<'a> ObjectRefV1<'a> {
    fn of(object: &'a ObjectRef) -> Self {
        Self { kind: object.kind.code(), id: &object.id }
    }

    fn read(self) -> Result<ObjectRef, Fault> {
        Ok(ObjectRef { kind: ObjectKind::from_code(self.kind)?, id: self.id.to_owned() })
    }
}

impl PaidV1 {
    fn of(paid: &Paid) -> Self {
        Self { amount: MoneyV1::of(paid.amount), at: paid.at.millis(), billing: paid.billing.map(Code::code) }
    }

    fn read(self) -> Result<Paid, Fault> {
        Ok(Paid {
            amount: self.amount.read()?,
            at: Timestamp::from_millis(self.at),
            billing: self.billing.map(Billing::from_code).transpose()?,
        })
    }
}

impl<'a> FailedAttemptV1<'a> {
    fn of(failed: &'a FailedAttempt) -> Self {
        Self {
            attempt: &failed.attempt,
            amount: failed.amount.map(MoneyV1::of),
            code: failed.code.as_deref(),
            at: failed.at.millis(),
        }
    }

    fn read(self) -> Result<FailedAttempt, Fault> {
        Ok(FailedAttempt {
            attempt: self.attempt.to_owned(),
            amount: self.amount.map(MoneyV1::read).transpose()?,
            code: owned(self.code),
            at: Timestamp::from_millis(self.at),
        })
    }
}

impl RefundStateV1 {
    fn of(refund: &RefundState) -> Self {
        Self {
            amount: MoneyV1::of(refund.amount),
            at: refund.at.millis(),
            counted: refund.counted,
            failed: refund.failed,
            cancelled: refund.cancelled,
        }
    }

    fn read(self) -> Result<RefundState, Fault> {
        Ok(RefundState {
            amount: self.amount.read()?,
            at: Timestamp::from_millis(self.at),
            counted: self.counted,
            failed: self.failed,
            cancelled: self.cancelled,
        })
    }
}

impl DisputeStateV1 {
    fn of(dispute: &DisputeState) -> Self {
        Self {
            amount: MoneyV1::of(dispute.amount),
            lost_at: dispute.lost_at.map(Timestamp::millis),
            restored_at: dispute.restored_at.map(Timestamp::millis),
        }
    }

    fn read(self) -> Result<DisputeState, Fault> {
        Ok(DisputeState {
            amount: self.amount.read()?,
            lost_at: self.lost_at.map(Timestamp::from_millis),
            restored_at: self.restored_at.map(Timestamp::from_millis),
        })
    }
}
