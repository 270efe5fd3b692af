//! What is to be sent for a place in the queue, as the books have it now.

use crate::destinations::{Admission, Style};
use crate::ledger::books::{Books, BooksResult};
use crate::ledger::rules::DestinationRules;
use crate::ledger::workspace::{Due, Target};
use crate::model::business_event::BusinessEvent;
use crate::model::contact::Contact;
use crate::model::delivery::{ContactSync, Delivery, Rule, State};
use crate::model::id::{BusinessEventId, ContactId};
use crate::model::time::Timestamp;

/// Business events that one request to a contact destination speaks for at most.
const MOST_AT_ONCE: usize = 200;

/// A loaded job.
pub(super) struct Loaded {
    pub(super) target: Target,
    /// What is sent, oldest first.
    pub(super) events: Vec<BusinessEvent>,
    /// The generation of each one's delivery.
    pub(super) told: Vec<(BusinessEventId, u16)>,
    /// What must not be sent, and by which rule.
    pub(super) dropped: Vec<(BusinessEventId, Rule)>,
    /// What still waits, and until when.
    pub(super) left: Option<(Vec<BusinessEventId>, Timestamp)>,
    /// The delivery of an event destination.
    pub(super) delivery: Option<Delivery>,
    pub(super) contact: Option<Contact>,
    pub(super) sync: Option<ContactSync>,
    /// A request of it was begun and its result is not known.
    pub(super) started_at: Option<Timestamp>,
    /// The same for each attempt of a generation.
    pub(super) key: String,
}

impl Loaded {
    /// A job that is only reported on.
    pub(super) fn of_nothing(target: Target, told: Vec<(BusinessEventId, u16)>) -> Self {
        Self {
            target,
            events: Vec::new(),
            told,
            dropped: Vec::new(),
            left: None,
            delivery: None,
            contact: None,
            sync: None,
            started_at: None,
            key: String::new(),
        }
    }
}

/// The pending deliveries behind a target with their generations, whatever the destination thinks of them.
pub(super) fn pending(
    books: &dyn Books,
    rules: &DestinationRules,
    target: Target,
) -> BooksResult<Vec<(BusinessEventId, u16)>> {
    let ids = match target {
        Target::Event(id) => vec![id],
        Target::Contact(id) => books.contact_sync(rules.id, id)?.map(|sync| sync.pending).unwrap_or_default(),
    };
    let mut pending = Vec::new();
    for id in ids {
        let Some(event) = books.business_event(id)? else { continue };
        let delivery = event.deliveries.iter().find(|delivery| delivery.destination == rules.id);
        if let Some(delivery) = delivery.filter(|delivery| delivery.state == State::Pending) {
            pending.push((id, delivery.generation));
        }
    }
    Ok(pending)
}

/// Loads a job; none when it is no longer there to be done.
pub(super) fn load(
    books: &dyn Books,
    rules: &DestinationRules,
    due: Due,
    now: Timestamp,
) -> BooksResult<Option<Loaded>> {
    match rules.destination.style() {
        Style::Event => load_event(books, rules, BusinessEventId(due.target), now),
        Style::Contact => load_contact(books, rules, ContactId(due.target), now),
    }
}

fn load_event(
    books: &dyn Books,
    rules: &DestinationRules,
    id: BusinessEventId,
    now: Timestamp,
) -> BooksResult<Option<Loaded>> {
    let Some(event) = books.business_event(id)? else { return Ok(None) };
    let delivery = event.deliveries.iter().find(|delivery| delivery.destination == rules.id).cloned();
    let Some(delivery) = delivery.filter(|delivery| {
        delivery.state == State::Pending && !delivery.schedule.settling && delivery.schedule.due_at <= now
    }) else {
        return Ok(None);
    };
    let contact = match event.contact {
        Some(id) => contact(books, id)?,
        None => None,
    };
    let mut dropped = Vec::new();
    let mut told = Vec::new();
    // Of what may have arrived the end is to be found first, and what was fixed by another kind is not judged by this one.
    let is_begun = delivery.schedule.started_at.is_some();
    let is_of_kind = delivery.frozen.as_ref().is_none_or(|frozen| frozen.kind == event.kind);
    // Consent may have been withdrawn since it was planned, and settings may have changed.
    match rules.admit(&event, contact.as_ref()) {
        Admission::Suppress(rule @ (Rule::NoConsent | Rule::Unsubscribed)) => dropped.push((id, rule)),
        Admission::Suppress(rule @ (Rule::TestMode | Rule::Filtered)) if is_of_kind && !is_begun => {
            dropped.push((id, rule));
        }
        _ => told.push((id, delivery.generation)),
    }
    Ok(Some(Loaded {
        target: Target::Event(id),
        told,
        dropped,
        left: None,
        started_at: delivery.schedule.started_at,
        key: format!("{id}.{}-{}", rules.id.0, delivery.generation),
        delivery: Some(delivery),
        events: vec![event],
        contact,
        sync: None,
    }))
}

fn load_contact(
    books: &dyn Books,
    rules: &DestinationRules,
    id: ContactId,
    now: Timestamp,
) -> BooksResult<Option<Loaded>> {
    let Some(contact) = contact(books, id)? else { return Ok(None) };
    let Some(sync) = books.contact_sync(rules.id, id)? else { return Ok(None) };
    if sync.pending.is_empty() || sync.schedule.due_at > now {
        return Ok(None);
    }
    let (mut events, mut told, mut dropped, mut waiting) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut wait_until = Timestamp::FAR_FUTURE;
    for event_id in &sync.pending {
        if told.len() >= MOST_AT_ONCE {
            break;
        }
        let Some(event) = books.business_event(*event_id)? else {
            dropped.push((*event_id, Rule::Withdrawn));
            continue;
        };
        let delivery = event.deliveries.iter().find(|delivery| delivery.destination == rules.id);
        let Some(delivery) = delivery.filter(|delivery| delivery.state == State::Pending) else {
            dropped.push((*event_id, Rule::Withdrawn));
            continue;
        };
        match rules.admit(&event, Some(&contact)) {
            Admission::Send => {
                told.push((*event_id, delivery.generation));
                events.push(event);
            }
            Admission::Suppress(rule) => dropped.push((*event_id, rule)),
            Admission::Wait { at_most, then } => {
                let end = event.created_at.after(at_most);
                if now >= end {
                    dropped.push((*event_id, then));
                } else {
                    wait_until = wait_until.min(end);
                    waiting.push(*event_id);
                }
            }
        }
    }
    // The key changes with what is told, so that a destination that remembers keys does not take news for a repeat.
    let newest = told.last().map_or(0, |(event, _)| event.0);
    let generation = told.iter().map(|(_, generation)| *generation).max().unwrap_or(0);
    Ok(Some(Loaded {
        target: Target::Contact(id),
        events,
        told,
        dropped,
        left: (!waiting.is_empty()).then_some((waiting, wait_until)),
        delivery: None,
        started_at: sync.schedule.started_at,
        key: format!("{id}.{}-{newest}-{generation}", rules.id.0),
        contact: Some(contact),
        sync: Some(sync),
    }))
}

fn contact(books: &dyn Books, mut id: ContactId) -> BooksResult<Option<Contact>> {
    loop {
        let Some(contact) = books.contact(id)? else { return Ok(None) };
        match contact.merged_into {
            Some(other) => id = other,
            None => return Ok(Some(contact)),
        }
    }
}
