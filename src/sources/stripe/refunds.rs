//! Refunds. Each refund is an object of its own; only its own amount counts.

use crate::model::statement::{Claim, ObjectKind, RefundStatus, RefundStep, Statement};

use super::object::Reading;

/// A refund, wherever it stands.
pub(super) fn refund(reading: &mut Reading<'_>) -> Option<Statement> {
    with_status(reading, RefundStatus::NotYet)
}

/// A refund that failed, perhaps days after it had succeeded: the money came back.
pub(super) fn refund_failed(reading: &mut Reading<'_>) -> Option<Statement> {
    with_status(reading, RefundStatus::Failed)
}

fn with_status(reading: &mut Reading<'_>, when_absent: RefundStatus) -> Option<Statement> {
    let mut statement = reading.statement(ObjectKind::Refund, "id")?;
    statement.links = reading.links(&[(ObjectKind::Charge, "charge"), (ObjectKind::Intent, "payment_intent")]);
    let status = match reading.object.text("status") {
        Some("pending" | "succeeded") => RefundStatus::Counted,
        Some("failed") => RefundStatus::Failed,
        Some("canceled") => RefundStatus::Cancelled,
        Some("requires_action") => RefundStatus::NotYet,
        Some(_) => {
            reading.note("unknown refund status");
            RefundStatus::NotYet
        }
        None => {
            reading.note("refund status absent");
            when_absent
        }
    };
    statement.claim =
        reading.money(&["amount"]).map_or(Claim::Nothing, |amount| Claim::Refund(RefundStep { amount, status }));
    Some(statement)
}
