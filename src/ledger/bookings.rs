//! What happens to an appointment, and to anything else that things happen to once: none of it is money.
//!
//! Everything here is a function of the set of statements. An appointment's words are put in order of the provider's time; what
//! is told of is where one differs from the one before it, so that a word that repeats another tells nothing. Each event is known
//! by what it is and its number (`cancelled/2`), not by the webhook that told it, so that an older word that comes late makes no
//! second one of it.

use super::derive::{Derived, Draft, objects};
use super::fold::join_bookings;
use crate::model::booking::{BookingState, BookingStatus, ToldBooking};
use crate::model::business_event::{BookingFacts, EventFacts, EventKind, Subject};
use crate::model::group::Group;
use crate::model::money::Money;
use crate::model::statement::ObjectKind;
use crate::model::time::Timestamp;

/// Adds what happened to a group's appointments, and what else happened to its objects.
pub(super) fn derive(group: &Group, facts: &EventFacts, derived: &mut Derived) {
    let mut booking = BookingState::default();
    for told in objects(group, ObjectKind::Booking).filter_map(|state| state.booking.clone()) {
        join_bookings(&mut booking, told);
    }
    let names = names(group);
    if let Some((first, later)) = names.split_first() {
        let from = derived.drafts.len();
        appointment(first, &booking, facts, &mut derived.drafts);
        for draft in &mut derived.drafts[from..] {
            let name = draft.object.strip_prefix(first).unwrap_or_default();
            draft.also = later.iter().map(|id| Subject::Other(format!("{id}{name}"))).collect();
        }
    }
    for state in &group.objects {
        let drafts = state.happened.iter().map(|happening| {
            let name = format!("{}/{}", state.object.id, happening.kind);
            draft(happening.kind.clone(), name, happening.at, happening.value, facts.clone())
        });
        derived.drafts.extend(drafts);
    }
}

/// The ids of a group's appointment, the first that it had first. Where moving it gives it another id, the new one names the one before,
/// and both are in one group.
fn names(group: &Group) -> Vec<&str> {
    let own = || objects(group, ObjectKind::Booking);
    let links = || own().flat_map(|state| &state.links).filter(|link| link.kind == ObjectKind::Booking);
    let mut names: Vec<_> = own().map(|state| &state.object).chain(links()).map(|object| object.id.as_str()).collect();
    let is_later = |id: &str| {
        own().any(|state| state.object.id == id && state.links.iter().any(|link| link.kind == ObjectKind::Booking))
    };
    names.sort_by_key(|id| (is_later(id), *id));
    names.dedup();
    names
}

fn draft(kind: EventKind, name: String, occurred_at: Timestamp, amount: Option<Money>, facts: EventFacts) -> Draft {
    Draft {
        subject: Subject::Other(name.clone()),
        also: Vec::new(),
        kind,
        object: name,
        occurred_at,
        transaction_id: None,
        amount,
        strong: true,
        undone: false,
        facts,
    }
}

/// How an appointment stands after some of its words.
#[derive(Clone, Copy)]
struct Standing {
    status: BookingStatus,
    starts_at: Option<Timestamp>,
    ends_at: Option<Timestamp>,
}

impl Standing {
    fn after(self, told: &ToldBooking) -> Self {
        Self {
            status: told.status,
            starts_at: told.starts_at.or(self.starts_at),
            ends_at: told.ends_at.or(self.ends_at.filter(|_| told.starts_at.is_none())),
        }
    }
}

fn appointment(id: &str, booking: &BookingState, facts: &EventFacts, drafts: &mut Vec<Draft>) {
    let Some(first) = booking.told.first() else { return };
    // What it is worth is what was said last.
    let value = booking.told.iter().rev().find_map(|told| told.value);
    let mut tell = |kind: EventKind, name: String, at: Timestamp, standing: Standing, moved_from: Option<Timestamp>| {
        let Standing { status, starts_at, ends_at } = standing;
        let booking = BookingFacts { id: id.to_owned(), status, starts_at, ends_at, moved_from };
        let facts = EventFacts { booking: Some(booking), ..facts.clone() };
        drafts.push(draft(kind, format!("{id}/{name}"), at, value, facts));
    };
    let mut standing = Standing {
        status: BookingStatus::Booked,
        // A first word that is no first one may be silent on it.
        starts_at: booking.told.iter().find_map(|told| told.starts_at),
        ends_at: first.ends_at,
    };
    let made_at = booking.made_at.map_or(first.at, |made| made.min(first.at));
    tell(EventKind::BookingMade, "made".to_owned(), made_at, standing, None);

    let mut counts = Counts::default();
    for told in &booking.told {
        let before = standing;
        standing = standing.after(told);
        if before.starts_at != standing.starts_at {
            let at = standing.starts_at.unwrap_or_default();
            let number = counts.next(&format!("moved/{at}"));
            tell(EventKind::BookingChanged, number, told.at, standing, before.starts_at);
        }
        if before.status == standing.status {
            continue;
        }
        let (kind, name) = match standing.status {
            BookingStatus::Booked => (EventKind::BookingChanged, "restored"),
            // That it was removed has told so.
            BookingStatus::Cancelled if before.status == BookingStatus::Removed => continue,
            BookingStatus::Cancelled => (EventKind::BookingCancelled, "cancelled"),
            // Who clears up the calendar calls nothing off.
            BookingStatus::Removed if before.status != BookingStatus::Booked || was_over(before, told.at) => {
                standing.status = before.status;
                continue;
            }
            BookingStatus::Removed => (EventKind::BookingCancelled, "cancelled"),
            BookingStatus::Attended => (EventKind::BookingAttended, "attended"),
            BookingStatus::Missed => (EventKind::BookingMissed, "missed"),
        };
        let number = counts.next(name);
        tell(kind, number, told.at, standing, None);
    }
}

fn was_over(standing: Standing, at: Timestamp) -> bool {
    standing.starts_at.is_some_and(|start| start < at)
}

/// How often each thing has happened: `cancelled`, `cancelled/2`.
#[derive(Default)]
struct Counts(Vec<(String, u32)>);

impl Counts {
    fn next(&mut self, name: &str) -> String {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, count)) => {
                *count += 1;
                format!("{name}/{count}")
            }
            None => {
                self.0.push((name.to_owned(), 1));
                name.to_owned()
            }
        }
    }
}
