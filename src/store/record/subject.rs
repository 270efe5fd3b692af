//! Which fact of its group a business event tells of, on disk.

use serde::{Deserialize, Serialize};

use crate::model::business_event::Subject;

/// A [`Subject`]. The order of its variants is part of the format.
#[derive(Serialize, Deserialize)]
pub(super) enum SubjectV1<'a> {
    Sale,
    Refund(&'a str),
    RefundCameBack(&'a str),
    FailedAttempt(&'a str, &'a str),
    Other(&'a str),
    DisputeLost(&'a str),
    DisputeReversed(&'a str),
    SubscriptionStarted,
    SubscriptionChanged(&'a str),
    SubscriptionEnded,
}

impl<'a> SubjectV1<'a> {
    /// As it is written.
    pub(super) fn of(subject: &'a Subject) -> Self {
        match subject {
            Subject::Sale => Self::Sale,
            Subject::Refund(refund) => Self::Refund(refund),
            Subject::RefundCameBack(refund) => Self::RefundCameBack(refund),
            Subject::FailedAttempt(object, attempt) => Self::FailedAttempt(object, attempt),
            Subject::Other(key) => Self::Other(key),
            Subject::DisputeLost(dispute) => Self::DisputeLost(dispute),
            Subject::DisputeReversed(dispute) => Self::DisputeReversed(dispute),
            Subject::SubscriptionStarted => Self::SubscriptionStarted,
            Subject::SubscriptionChanged(event) => Self::SubscriptionChanged(event),
            Subject::SubscriptionEnded => Self::SubscriptionEnded,
        }
    }

    /// As it was.
    pub(super) fn read(self) -> Subject {
        match self {
            Self::Sale => Subject::Sale,
            Self::Refund(refund) => Subject::Refund(refund.to_owned()),
            Self::RefundCameBack(refund) => Subject::RefundCameBack(refund.to_owned()),
            Self::FailedAttempt(object, attempt) => Subject::FailedAttempt(object.to_owned(), attempt.to_owned()),
            Self::Other(key) => Subject::Other(key.to_owned()),
            Self::DisputeLost(dispute) => Subject::DisputeLost(dispute.to_owned()),
            Self::DisputeReversed(dispute) => Subject::DisputeReversed(dispute.to_owned()),
            Self::SubscriptionStarted => Subject::SubscriptionStarted,
            Self::SubscriptionChanged(event) => Subject::SubscriptionChanged(event.to_owned()),
            Self::SubscriptionEnded => Subject::SubscriptionEnded,
        }
    }
}
