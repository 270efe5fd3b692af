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
        }
    }
}
