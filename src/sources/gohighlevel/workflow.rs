//! What a workflow's webhook says. It names its contact in full, carries what the workflow is about in a block of its own, and has
//! neither an id nor a type nor a time: the user gives them in the address or in "Custom Data".

use crate::model::booking::{BookingStatus, BookingStep};
use crate::model::business_event::EventKind;
use crate::model::statement::{Claim, Happening, ObjectKind, Paid, Statement};
use crate::model::time::Timestamp;

use super::Settings;
use super::appointments;
use super::contacts::{event_word, lead, tagged};
use super::json::Body;
use super::reading::Reading;

/// Whether a body is a workflow's: it has the names of one, and no id of a marketplace webhook.
pub(super) fn is_one(body: &Body) -> bool {
    body.at("/webhookId").is_none()
        && (body.at("/workflow").is_some() || body.at("/contact_id").is_some() || body.at("/customData").is_some())
}

/// The id that the user gave the event, at the configured place.
pub(super) fn event_id<'b>(settings: &Settings, body: &'b Body) -> Option<&'b str> {
    body.id(&format!("/{}", settings.event_id.replace('.', "/")))
}

/// The appointment that it is about.
pub(super) fn appointment(body: &Body) -> Option<&str> {
    body.id("/calendar/appointmentId").or_else(|| body.id("/appointment/id"))
}

/// What the user calls the event: in the address, in Custom Data, else by the workflow's name.
pub(super) fn event_name<'b>(address: Option<&'b str>, body: &'b Body) -> Option<&'b str> {
    address.or_else(|| body.id("/customData/event")).or_else(|| body.id("/workflow/name"))
}

/// The event that the user named on purpose; a workflow's own name is only a title.
fn wish(reading: &Reading<'_>) -> Option<EventKind> {
    let titled =
        reading.body.id("/customData/event").is_none() && reading.body.id("/workflow/name") == Some(reading.event_type);
    if titled || reading.event_type == "workflow" {
        return None;
    }
    let word = event_word(reading.event_type);
    let kind = match word.as_str() {
        "contact_created" | "new_lead" => EventKind::Lead,
        "appointment_booked" | "appointment_made" => EventKind::BookingMade,
        "appointment_cancelled" => EventKind::BookingCancelled,
        "appointment_showed" => EventKind::BookingAttended,
        "appointment_noshow" => EventKind::BookingMissed,
        other => other.parse().unwrap_or_else(|never: std::convert::Infallible| match never {}),
    };
    word.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(kind)
}

/// Whether an event that was named may mean the appointment itself. A workflow that an appointment starts adds the appointment to
/// whatever it sends.
fn is_of_booking(named: &EventKind) -> bool {
    match named {
        EventKind::BookingMade
        | EventKind::BookingChanged
        | EventKind::BookingCancelled
        | EventKind::BookingAttended
        | EventKind::BookingMissed => true,
        EventKind::Custom(name) => ["appointment", "booking"].iter().any(|word| name.starts_with(word)),
        _ => false,
    }
}

/// What a workflow's webhook says.
pub(super) fn told(reading: &mut Reading<'_>) -> Option<Statement> {
    let body = reading.body;
    let contact = body.id("/contact_id").or_else(|| body.id("/contactId"));
    let wish = wish(reading);
    let booked = appointment(body).filter(|_| wish.as_ref().is_none_or(is_of_booking));
    if let (None, Some(_), Some(named)) = (booked, appointment(body), &wish) {
        reading.note(format!("{named} was named, so the appointment that came with it was not read"));
    }
    let mut statement = match (booked, &wish) {
        (Some(id), wish) => {
            let step = booking(reading, wish.as_ref());
            let mut statement = reading.statement(ObjectKind::Booking, id, contact);
            statement.claim = step.map_or(Claim::Nothing, Claim::Booking);
            statement
        }
        (None, Some(EventKind::Purchase)) => purchase(reading, contact)?,
        (None, Some(kind)) if kind.is_money() => {
            reading.note(format!("{kind} can't be told by a workflow: only who the contact is was read"));
            person_only(reading, contact)?
        }
        (None, Some(EventKind::Custom(_))) => happening(reading, contact, wish.clone()),
        (None, Some(EventKind::Lead)) => {
            let mut statement = person_only(reading, contact)?;
            let at = body.moment("/date_created").unwrap_or(reading.said_at);
            statement.claim = Claim::Happened(vec![lead(at)]);
            statement
        }
        (None, Some(kind)) => {
            if *kind != EventKind::ContactChanged {
                reading.note(format!(
                    "{kind} needs what it is about, which this webhook does not carry: only who the contact is was read"
                ));
            }
            person_only(reading, contact)?
        }
        (None, None) => person_only(reading, contact)?,
    };
    statement.person = reading.person("");
    let calendar = (statement.tags.service_id.take(), statement.tags.service_name.take());
    statement.tags = reading.tags(&["/customData", ""]);
    if statement.object.kind == ObjectKind::Booking {
        statement.tags.service_id =
            body.id("/calendar/id").map(str::to_owned).or(calendar.0).or(statement.tags.service_id.take());
        statement.tags.service_name = body
            .text("/calendar/calendarName")
            .map(str::to_owned)
            .or(calendar.1)
            .or(statement.tags.service_name.take());
    }
    Some(statement)
}

/// Who the contact is, and which of the tags it has that are events.
fn person_only(reading: &mut Reading<'_>, contact: Option<&str>) -> Option<Statement> {
    let Some(contact) = contact else {
        reading.note("contact_id absent");
        return None;
    };
    let mut statement = reading.statement(ObjectKind::Customer, contact, Some(contact));
    let tags = reading.body.text("/tags").unwrap_or_default().split(',').filter(|tag| !tag.trim().is_empty());
    let happened = tagged(reading, tags);
    if !happened.is_empty() {
        statement.claim = Claim::Happened(happened);
    }
    Some(statement)
}

/// Something of the user's own, which happens each time it is told.
fn happening(reading: &mut Reading<'_>, contact: Option<&str>, kind: Option<EventKind>) -> Statement {
    // Without an id the same content is a repeat for a while only; later it has happened once more.
    let unnamed = || format!("{}/{}", reading.body.digest(), reading.said_at.millis());
    let id = event_id(reading.settings, reading.body).map_or_else(unnamed, str::to_owned);
    let mut statement = reading.statement(ObjectKind::Other, format!("event/{id}"), contact);
    let value = value(reading);
    statement.claim =
        Claim::Happened(kind.into_iter().map(|kind| Happening { kind, at: reading.said_at, value }).collect());
    statement
}

/// What Custom Data says that it is worth.
fn value(reading: &mut Reading<'_>) -> Option<crate::model::money::Money> {
    reading.body.at("/customData/value")?;
    let currency = reading.currency("/customData/currency");
    let worth = match reading.body.at("/customData/value") {
        Some(value) => super::json::money(Some(value), currency?),
        None => return None,
    };
    match worth {
        Ok(worth) => Some(worth),
        Err(why) => {
            reading.note(format!("customData.value {why}: it is left out"));
            None
        }
    }
}

/// A sale, told by Custom Data: `order_id`, `value` and `currency`.
fn purchase(reading: &mut Reading<'_>, contact: Option<&str>) -> Option<Statement> {
    let Some(id) = reading.body.id("/customData/order_id").or_else(|| event_id(reading.settings, reading.body)) else {
        reading.note(
            "customData.order_id absent: a purchase without an id is not counted, only who the contact is was read",
        );
        return person_only(reading, contact);
    };
    let mut statement = reading.statement(ObjectKind::Order, id, contact);
    let amount = value(reading);
    match amount.filter(|amount| amount.minor > 0) {
        Some(amount) => statement.claim = Claim::Paid(Paid { amount, at: reading.said_at, billing: None }),
        None => reading.note("customData.value absent: no money is counted for this event"),
    }
    Some(statement)
}

/// An appointment from its block: by the status that stands there, or by the event that the user named.
fn booking(reading: &mut Reading<'_>, wish: Option<&EventKind>) -> Option<BookingStep> {
    let body = reading.body;
    let wished = match wish {
        Some(EventKind::BookingMade | EventKind::BookingChanged) => Some(BookingStatus::Booked),
        Some(EventKind::BookingCancelled) => Some(BookingStatus::Cancelled),
        Some(EventKind::BookingAttended) => Some(BookingStatus::Attended),
        Some(EventKind::BookingMissed) => Some(BookingStatus::Missed),
        _ => None,
    };
    let words = [
        "/calendar/appoinmentStatus",
        "/calendar/appointmentStatus",
        "/appointment/appointmentStatus",
        "/calendar/status",
    ];
    let status = match (wished, body.first(&words)) {
        (Some(wished), _) => Some(wished),
        (None, Some(word)) => appointments::status(word),
        (None, None) => Some(BookingStatus::Booked),
    };
    if status.is_none() {
        reading.note("unknown status of an appointment: only whose it is was read");
    }
    let zone = body.first(&["/calendar/selectedTimezone", "/timezone"]);
    let mut moment = |paths: &[&str]| {
        let text = body.first(paths)?;
        let at = local_moment(text, zone);
        if at.is_none() {
            reading.note("the time of an appointment can't be read: it has no known time zone");
        }
        at
    };
    let (starts_at, ends_at) = (
        moment(&["/calendar/startTime", "/appointment/startTime"]),
        moment(&["/calendar/endTime", "/appointment/endTime"]),
    );
    let made_at = body.moment("/calendar/date_created");
    let value = value(reading);
    Some(BookingStep { status: status?, starts_at, ends_at, made_at, value })
}

/// A moment in RFC 3339, or a local time in a named zone. The zones are those that were built in, so that it means the same on every
/// machine.
fn local_moment(text: &str, zone: Option<&str>) -> Option<Timestamp> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    let local: jiff::civil::DateTime = text.parse().ok()?;
    let zone = jiff::tz::TimeZoneDatabase::bundled().get(zone?).ok()?;
    let moment = local.to_zoned(zone).ok()?.timestamp();
    Some(Timestamp::from_millis(moment.as_millisecond()))
}
