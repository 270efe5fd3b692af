//! HighLevel's appointments. They name their contact by id alone; who that is comes from the contact's own events.

use crate::model::booking::{BookingStatus, BookingStep};
use crate::model::statement::{Claim, ObjectKind, Statement};

use super::reading::Reading;

/// Where an appointment stands, by HighLevel's word for it; none for one that nobody knows (HighLevel: calendars API,
/// `appointmentStatus`).
pub(super) fn status(word: &str) -> Option<BookingStatus> {
    Some(match word.trim().to_ascii_lowercase().replace([' ', '_', '-'], "").as_str() {
        "new" | "booked" | "confirmed" | "unconfirmed" | "active" | "rescheduled" => BookingStatus::Booked,
        "cancelled" | "canceled" | "invalid" => BookingStatus::Cancelled,
        "showed" | "show" | "completed" | "attended" => BookingStatus::Attended,
        "noshow" | "missed" => BookingStatus::Missed,
        _ => return None,
    })
}

/// An appointment as it stands. Create and update carry the same, and are not always named rightly.
pub(super) fn told(reading: &mut Reading<'_>) -> Option<Statement> {
    let word =
        reading.body.first(&["/appointment/appointmentStatus", "/appointment/appoinmentStatus", "/appointment/status"]);
    let status = match word {
        None => Some(BookingStatus::Booked),
        Some(word) => status(word),
    };
    if status.is_none() {
        reading.note("unknown status of an appointment: only whose it is was read");
    }
    appointment(reading, status)
}

/// An appointment that was taken out of the calendar.
pub(super) fn removed(reading: &mut Reading<'_>) -> Option<Statement> {
    appointment(reading, Some(BookingStatus::Removed))
}

fn appointment(reading: &mut Reading<'_>, status: Option<BookingStatus>) -> Option<Statement> {
    let body = reading.body;
    let Some(id) = body.id("/appointment/id").or_else(|| body.id("/id")) else {
        reading.note("appointment id absent");
        return None;
    };
    let contact = body.id("/appointment/contactId").or_else(|| body.id("/contactId"));
    let mut statement = reading.statement(ObjectKind::Booking, id, contact);
    if status != Some(BookingStatus::Removed)
        && let Some(at) = body.moment("/appointment/dateUpdated")
    {
        statement.said_at = at;
    }
    statement.tags.service_id = body.id("/appointment/calendarId").map(str::to_owned);
    if let Some(status) = status {
        statement.claim = Claim::Booking(BookingStep {
            status,
            starts_at: body.moment("/appointment/startTime"),
            ends_at: body.moment("/appointment/endTime"),
            made_at: body.moment("/appointment/dateAdded"),
            value: None,
        });
    }
    Some(statement)
}
