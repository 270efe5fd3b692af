//! Disputes: a buyer's bank takes a payment up, and decides who has the money.
//!
//! What comes first is not what happened first: a dispute may be `lost` when it is created, and `closed` may arrive before
//! `created`. So each event says only how the dispute stands, and the books take what was ever lost and ever given back.

use crate::model::statement::{Claim, DisputeStatus, DisputeStep, ObjectKind, Statement};

use super::object::Reading;

/// A dispute, wherever it stands.
pub(super) fn dispute(reading: &mut Reading<'_>) -> Option<Statement> {
    let statement = statement(reading)?;
    let status = status(reading);
    Some(claiming(reading, statement, status))
}

/// The seller has the money again, whatever the status says: it can come after `lost` (Stripe: types of events,
/// `charge.dispute.funds_reinstated`).
pub(super) fn funds_reinstated(reading: &mut Reading<'_>) -> Option<Statement> {
    let statement = statement(reading)?;
    Some(claiming(reading, statement, DisputeStatus::Restored))
}

fn statement(reading: &Reading<'_>) -> Option<Statement> {
    let mut statement = reading.statement(ObjectKind::Dispute, "id")?;
    statement.links = reading.links(&[(ObjectKind::Charge, "charge"), (ObjectKind::Intent, "payment_intent")]);
    Some(statement)
}

/// Where a dispute stands (Stripe: the dispute object, `status`). Only `lost` takes money from the seller for good; an inquiry
/// (`warning_…`) moves none.
fn status(reading: &mut Reading<'_>) -> DisputeStatus {
    match reading.object.text("status") {
        Some("lost") => DisputeStatus::Lost,
        Some("won") => DisputeStatus::Restored,
        Some("needs_response" | "under_review" | "prevented") => DisputeStatus::Open,
        Some(status) if status.starts_with("warning_") || status.starts_with("appeal_") => DisputeStatus::Open,
        Some(_) => {
            reading.note("unknown dispute status: taken as open, which counts nothing");
            DisputeStatus::Open
        }
        None => {
            reading.note("dispute status absent: taken as open, which counts nothing");
            DisputeStatus::Open
        }
    }
}

fn claiming(reading: &mut Reading<'_>, mut statement: Statement, status: DisputeStatus) -> Statement {
    let amount = reading.money(&["amount"]);
    statement.claim = amount.map_or(Claim::Nothing, |amount| Claim::Dispute(DisputeStep { amount, status }));
    statement
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::told::{links, money, said, with};
    use super::*;

    fn dispute() -> Value {
        json!({
            "id": "du_1", "object": "dispute", "amount": 2500, "currency": "eur", "charge": "ch_1", "payment_intent": "pi_1",
            "status": "needs_response", "reason": "fraudulent", "metadata": {"order_id": "ours"}
        })
    }

    #[test]
    fn only_a_lost_dispute_is_lost_and_only_won_or_returned_money_is_restored() {
        use DisputeStatus::{Lost, Open, Restored};
        for (event, status, expected, noted) in [
            ("created", json!("needs_response"), Open, false),
            ("created", json!("lost"), Lost, false),
            ("updated", json!("under_review"), Open, false),
            ("updated", json!("lost"), Lost, false),
            ("funds_withdrawn", json!("needs_response"), Open, false),
            ("closed", json!("won"), Restored, false),
            ("closed", json!("lost"), Lost, false),
            ("closed", json!("prevented"), Open, false),
            ("created", json!("warning_needs_response"), Open, false),
            ("updated", json!("warning_under_review"), Open, false),
            ("closed", json!("warning_closed"), Open, false),
            ("updated", json!("appeal_under_review"), Open, false),
            ("funds_reinstated", json!("won"), Restored, false),
            ("funds_reinstated", json!("lost"), Restored, false),
            ("funds_reinstated", Value::Null, Restored, false),
            ("updated", json!("arbitrated_on_the_moon"), Open, true),
            ("updated", json!(3), Open, true),
            ("updated", Value::Null, Open, true),
        ] {
            let object = with(dispute(), json!({"status": status}));
            let (statement, notes) = said(&format!("charge.dispute.{event}"), object);
            let step = DisputeStep { amount: money(2500), status: expected };
            assert_eq!(statement.claim, Claim::Dispute(step), "{event} {status}");
            assert_eq!(notes.is_empty(), !noted, "{event} {status} {notes:?}");
        }
    }

    #[test]
    fn a_dispute_belongs_to_its_charge_and_intent() {
        let (statement, _) = said("charge.dispute.created", dispute());
        assert_eq!(links(&statement), [(ObjectKind::Charge, "ch_1"), (ObjectKind::Intent, "pi_1")]);
        assert_eq!((statement.object.kind, statement.object.id.as_str()), (ObjectKind::Dispute, "du_1"));
        let expanded = json!({"charge": {"id": "ch_1"}, "payment_intent": null});
        let (statement, _) = said("charge.dispute.created", with(dispute(), expanded));
        assert_eq!(links(&statement), [(ObjectKind::Charge, "ch_1")], "a charge without an intent");
    }

    #[test]
    fn a_dispute_over_no_readable_amount_claims_nothing() {
        let (statement, notes) =
            said("charge.dispute.closed", with(dispute(), json!({"amount": null, "status": "lost"})));
        assert_eq!(statement.claim, Claim::Nothing);
        assert!(notes[0].contains("amount absent"), "{notes:?}");
    }
}
