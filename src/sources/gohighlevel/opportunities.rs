//! HighLevel's opportunities: won, lost or given up, once each, as events of their own names. They are no sales: what was sold comes
//! with its order, invoice or payment.

use crate::model::business_event::EventKind;
use crate::model::statement::{Claim, Happening, ObjectKind, Statement};

use super::reading::Reading;

/// An opportunity as it stands. One change may fire several types of events, which all carry the same.
pub(super) fn told(reading: &mut Reading<'_>) -> Option<Statement> {
    let body = reading.body;
    let Some(id) = body.id("/id") else {
        reading.note("opportunity id absent");
        return None;
    };
    let contact = body.id("/contactId");
    // It can be given to another contact, which makes the two no one person.
    let object = contact.map_or_else(|| id.to_owned(), |contact| format!("{id}/{contact}"));
    let mut statement = reading.statement(ObjectKind::Other, object, contact);
    let name = match body.text("/status").map(str::to_ascii_lowercase).as_deref() {
        Some("won") => "opportunity_won",
        Some("lost") => "opportunity_lost",
        Some("abandoned") => "opportunity_abandoned",
        _ => return Some(statement),
    };
    let at = body.moment("/lastStatusChangeAt").or_else(|| body.moment("/dateUpdated")).unwrap_or(reading.said_at);
    // Most are worth nothing that anybody wrote down.
    let is_worth_something = body.at("/monetaryValue").is_some_and(|value| value.as_f64() != Some(0.0));
    let value = if is_worth_something {
        let currency = reading.currency("/currency");
        reading.money(&["/monetaryValue"], currency)
    } else {
        None
    };
    statement.claim = Claim::Happened(vec![Happening { kind: EventKind::Custom(name.to_owned()), at, value }]);
    Some(statement)
}
