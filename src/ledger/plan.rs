//! Who is told of a business event, and when: the deliveries, their settling, and the moment that fixes what is sent.

use super::books::BooksResult;
use super::rules::{DestinationRules, Rules};
use super::workspace::{Notice, Workspace};
use crate::destinations::{Admission, Style};
use crate::model::business_event::BusinessEvent;
use crate::model::contact::Contact;
use crate::model::delivery::{Delivery, Frozen, Rule, Schedule, State};
use crate::model::id::{BusinessEventId, ContactId, GroupId};
use crate::model::time::Timestamp;

/// How long a business event waits before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Not at all.
    No,
    /// Until a destination has what it needs, at most to this moment.
    UntilReady(Timestamp),
    /// To this moment: it may be half of something.
    Until(Timestamp),
}

impl Wait {
    const fn end(self, now: Timestamp) -> Timestamp {
        match self {
            Self::No => now,
            Self::UntilReady(end) | Self::Until(end) => end,
        }
    }
}

/// Gives a business event its deliveries, and lets go those that need not wait any longer.
///
/// # Errors
/// When the books can't be read.
pub fn plan_deliveries(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    id: BusinessEventId,
    wait: Wait,
) -> BooksResult<()> {
    for destination in &rules.destinations {
        let event = workspace.business_event(id)?;
        if !event.deliveries.iter().any(|delivery| delivery.destination == destination.id) {
            if !destination.kinds.contains(&event.kind) {
                continue;
            }
            let event = event.clone();
            let contact = contact_of(workspace, &event)?;
            let delivery = first_plan(workspace, destination, &event, contact.as_ref(), wait);
            workspace.business_event(id)?.deliveries.push(delivery);
        }
        let now = workspace.now;
        let event = workspace.business_event(id)?;
        let Some(delivery) = event.deliveries.iter_mut().find(|delivery| delivery.destination == destination.id) else {
            continue;
        };
        if delivery.state != State::Pending || !delivery.schedule.settling {
            continue;
        }
        delivery.schedule.due_at = delivery.schedule.due_at.min(wait.end(now));
        let over = delivery.schedule.due_at <= now;
        let lets_go = over || wait == Wait::No || {
            matches!(wait, Wait::UntilReady(_)) && {
                let event = event.clone();
                let contact = contact_of(workspace, &event)?;
                destination.destination.is_ready(&event, contact.as_ref())
            }
        };
        if lets_go {
            release(workspace, destination, id)?;
        }
    }
    Ok(())
}

/// A delivery as it begins: suppressed by rule, or waiting to be let go.
fn first_plan(
    workspace: &mut Workspace<'_>,
    destination: &DestinationRules,
    event: &BusinessEvent,
    contact: Option<&Contact>,
    wait: Wait,
) -> Delivery {
    let now = workspace.now;
    let deadline = destination.destination.deadline(event.occurred_at);
    let mut delivery = Delivery {
        destination: destination.id,
        state: State::Pending,
        generation: 0,
        schedule: Schedule { due_at: wait.end(now), settling: true, attempts: 0, started_at: None },
        last_status: None,
        deadline,
        frozen: None,
    };
    let suppress = if !destination.modes.contains(&event.scope.mode) {
        Some(Rule::TestMode)
    } else if deadline.is_some_and(|deadline| now > deadline) {
        workspace
            .notices
            .push(Notice::TooOld { destination: destination.id, transaction_id: event.transaction_id.clone() });
        Some(Rule::TooOld)
    } else {
        match destination.destination.admit(event, contact) {
            // What is still unknown of the person may come until the sale settles.
            Admission::Suppress(Rule::NoContact | Rule::NoClientId) if wait != Wait::No => None,
            Admission::Suppress(rule) => Some(rule),
            Admission::Send | Admission::Wait { .. } => None,
        }
    };
    if let Some(rule) = suppress {
        delivery.state = State::Suppressed { rule, at: now };
        delivery.schedule.settling = false;
    }
    delivery
}

fn contact_of(workspace: &mut Workspace<'_>, event: &BusinessEvent) -> BooksResult<Option<Contact>> {
    match event.contact {
        Some(contact) => Ok(Some(workspace.contact(contact)?.clone())),
        None => Ok(None),
    }
}

/// Puts a delivery into its destination's queue, and fixes what every attempt is rendered from.
///
/// # Errors
/// When the books can't be read.
pub fn release(workspace: &mut Workspace<'_>, destination: &DestinationRules, id: BusinessEventId) -> BooksResult<()> {
    let now = workspace.now;
    let event = workspace.business_event(id)?.clone();
    let contact = contact_of(workspace, &event)?;
    let admission = destination.destination.admit(&event, contact.as_ref());
    let event = workspace.business_event(id)?;
    let Some(delivery) = event.deliveries.iter_mut().find(|delivery| delivery.destination == destination.id) else {
        return Ok(());
    };
    delivery.schedule.settling = false;
    delivery.schedule.due_at = now;
    if let Admission::Suppress(rule) = admission {
        delivery.state = State::Suppressed { rule, at: now };
        return Ok(());
    }
    match destination.destination.style() {
        Style::Event => {
            event.frozen = true;
            let frozen = destination.destination.freeze(event, contact.as_ref()).unwrap_or_else(|| Frozen {
                kind: event.kind.clone(),
                client_id: None,
                synthetic: false,
            });
            let counted = event.kind.is_sale() && frozen.client_id.is_some();
            let synthetic = frozen.synthetic;
            if let Some(delivery) = event.deliveries.iter_mut().find(|delivery| delivery.destination == destination.id)
            {
                delivery.frozen = Some(frozen);
            }
            if counted {
                workspace.client_ids.0 += u64::from(!synthetic);
                workspace.client_ids.1 += u64::from(synthetic);
            }
        }
        Style::Contact => {
            let Some(contact) = contact else {
                delivery.state = State::Suppressed { rule: Rule::NoContact, at: now };
                return Ok(());
            };
            event.frozen = true;
            let due_at = match admission {
                Admission::Wait { at_most, .. } => now.after(at_most),
                _ => now,
            };
            enqueue(workspace, destination, contact.id, id, due_at)?;
        }
    }
    Ok(())
}

/// Adds a business event to what a contact's next synchronisation completes.
///
/// # Errors
/// When the books can't be read.
pub fn enqueue(
    workspace: &mut Workspace<'_>,
    destination: &DestinationRules,
    contact: ContactId,
    event: BusinessEventId,
    due_at: Timestamp,
) -> BooksResult<()> {
    let now = workspace.now;
    let sync = workspace.sync(destination.id, contact)?;
    if sync.pending.is_empty() {
        sync.waiting_since = now;
        sync.schedule = Schedule { due_at, ..Schedule::default() };
    } else {
        sync.schedule.due_at = sync.schedule.due_at.min(due_at);
    }
    if let Err(at) = sync.pending.binary_search(&event) {
        sync.pending.insert(at, event);
    }
    Ok(())
}

/// A contact's address became known: what waited for it is due.
///
/// # Errors
/// When the books can't be read.
pub fn wake_for_address(workspace: &mut Workspace<'_>, rules: &Rules, contact: ContactId) -> BooksResult<()> {
    let now = workspace.now;
    for destination in rules.destinations.iter().filter(|rules| rules.destination.style() == Style::Contact) {
        if let Some(sync) = workspace.existing_sync(destination.id, contact)? {
            if !sync.pending.is_empty() {
                sync.schedule.due_at = sync.schedule.due_at.min(now);
            }
        }
    }
    Ok(())
}

/// Takes back what has not been sent of a business event. What was sent stays as it was.
///
/// # Errors
/// When the books can't be read.
pub fn withdraw(workspace: &mut Workspace<'_>, rules: &Rules, id: BusinessEventId) -> BooksResult<()> {
    let now = workspace.now;
    let event = workspace.business_event(id)?;
    let mut queued = Vec::new();
    for delivery in event.deliveries.iter_mut().filter(|delivery| delivery.state == State::Pending) {
        if !delivery.schedule.settling && delivery.frozen.is_none() {
            queued.push(delivery.destination);
        }
        delivery.schedule.settling = false;
        delivery.state = State::Suppressed { rule: Rule::Withdrawn, at: now };
    }
    let contact = event.contact;
    if let Some(contact) = contact {
        let contact = workspace.contact(contact)?.id;
        for destination in queued.into_iter().filter(|id| rules.destination(*id).is_some()) {
            if let Some(sync) = workspace.existing_sync(destination, contact)? {
                sync.pending.retain(|pending| *pending != id);
            }
        }
    }
    Ok(())
}

/// Notes when the next of a group's waiting deliveries is let go.
///
/// # Errors
/// When the books can't be read.
pub fn note_settling(workspace: &mut Workspace<'_>, group: GroupId) -> BooksResult<()> {
    let events: Vec<BusinessEventId> = workspace.group(group)?.events.iter().map(|(_, id)| *id).collect();
    let mut next: Option<Timestamp> = None;
    for id in events {
        let event = workspace.business_event(id)?;
        let settling = event.deliveries.iter().filter(|delivery| delivery.schedule.settling);
        let first = settling.map(|delivery| delivery.schedule.due_at).min();
        next = [next, first].into_iter().flatten().min();
    }
    workspace.group(group)?.settle_at = next;
    Ok(())
}

/// Lets go whatever of a group has waited long enough.
///
/// # Errors
/// When the books can't be read.
pub fn plan_settle(workspace: &mut Workspace<'_>, rules: &Rules, group: GroupId) -> BooksResult<()> {
    let now = workspace.now;
    if workspace.exact_group(group)?.merged_into.is_some() {
        workspace.exact_group(group)?.settle_at = None;
        return Ok(());
    }
    let events: Vec<BusinessEventId> = workspace.group(group)?.events.iter().map(|(_, id)| *id).collect();
    for id in events {
        for destination in &rules.destinations {
            let waited = workspace.business_event(id)?.deliveries.iter().any(|delivery| {
                delivery.destination == destination.id && delivery.schedule.settling && delivery.schedule.due_at <= now
            });
            if waited {
                release(workspace, destination, id)?;
            }
        }
        // A destination that is no longer configured lets nothing go and must not be asked for ever.
        for delivery in &mut workspace.business_event(id)?.deliveries {
            if delivery.schedule.settling && delivery.schedule.due_at <= now {
                delivery.schedule.settling = false;
                delivery.state = State::Suppressed { rule: Rule::Filtered, at: now };
            }
        }
    }
    note_settling(workspace, group)
}
