//! Who is told of a business event, and how long each waits for it: the deliveries and their settling.

use super::books::BooksResult;
use super::occasion::Wait;
use super::release::{release, was_told, withdraw, withdraw_delivery};
use super::rules::{DestinationRules, Rules};
use super::workspace::{Notice, Workspace};
use crate::destinations::{Admission, Style};
use crate::model::business_event::BusinessEvent;
use crate::model::delivery::{Delivery, Rule, Schedule, State};
use crate::model::id::{BusinessEventId, DestinationId, GroupId};
use crate::model::time::Timestamp;

/// Gives a business event its deliveries, and lets go those that need not wait any longer. `fresh` says whether destinations
/// that have no delivery of it get one: what was counted before a destination was configured is not told to it unasked.
///
/// # Errors
/// When the books can't be read.
pub fn plan_deliveries(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    id: BusinessEventId,
    wait: Wait,
    fresh: bool,
) -> BooksResult<()> {
    if wait == Wait::Never {
        withdraw(workspace, id)?;
    }
    for destination in &rules.destinations {
        plan_delivery(workspace, destination, id, wait, fresh)?;
    }
    Ok(())
}

fn plan_delivery(
    workspace: &mut Workspace<'_>,
    destination: &DestinationRules,
    id: BusinessEventId,
    wait: Wait,
    fresh: bool,
) -> BooksResult<()> {
    let now = workspace.now;
    let event = workspace.business_event(id)?;
    let wanted = destination.kinds.contains(&event.kind);
    let has_contact = event.contact.is_some();
    let kept_back = |known: &Delivery| known.destination == destination.id && is_kept_back(known);
    let is_asked_again = fresh && wanted && wait != Wait::Never && event.deliveries.iter().any(kept_back);
    let taken_up = is_asked_again && is_admitted(workspace, destination, id)?;
    let event = workspace.business_event(id)?;
    match event.deliveries.iter().find(|delivery| delivery.destination == destination.id) {
        None if fresh && wanted => {
            let (delivery, notice) = begin(destination, event, wait, now);
            workspace.notices.extend(notice);
            workspace.business_event_mut(id)?.deliveries.push(delivery);
        }
        None => return Ok(()),
        Some(delivery) if waits(delivery) && !wanted => {
            // It turned out to be of another kind before anybody was told.
            workspace.business_event_mut(id)?.deliveries.retain(|known| known.destination != destination.id);
            return Ok(());
        }
        Some(Delivery { state: State::Suppressed { rule: Rule::NoContact, .. }, .. })
            if has_contact && wanted && wait != Wait::Never =>
        {
            // The person became known after the wait was over.
            if let Some(delivery) = find(workspace.business_event_mut(id)?, destination) {
                delivery.state = State::Pending;
                delivery.schedule = Schedule { due_at: wait.end(now), settling: true, ..Schedule::default() };
            }
        }
        Some(_) if taken_up => {
            // A person asked again, and what kept it back does so no longer.
            if let Some(delivery) = find(workspace.business_event_mut(id)?, destination) {
                delivery.state = State::Pending;
                delivery.generation = delivery.generation.saturating_add(1);
                delivery.schedule = Schedule { due_at: wait.end(now), settling: true, ..Schedule::default() };
            }
        }
        Some(_) => {}
    }
    let event = workspace.business_event(id)?;
    let Some(delivery) =
        event.deliveries.iter().find(|delivery| delivery.destination == destination.id && waits(delivery))
    else {
        return Ok(());
    };
    let end = delivery.schedule.due_at.min(wait.end(now));
    if end != delivery.schedule.due_at
        && let Some(delivery) = find(workspace.business_event_mut(id)?, destination)
    {
        delivery.schedule.due_at = end;
    }
    let ready = matches!(wait, Wait::UntilReady(_)) && {
        let (event, contact) = workspace.event_and_contact(id)?;
        destination.destination.is_ready(event, contact) && !destination.is_filter_open(event, contact)
    };
    if ready || end <= now {
        release(workspace, destination, id)?;
    }
    Ok(())
}

/// A delivery as it begins: suppressed where nothing that may still come could change that, else waiting to be let go.
fn begin(
    destination: &DestinationRules,
    event: &BusinessEvent,
    wait: Wait,
    now: Timestamp,
) -> (Delivery, Option<Notice>) {
    let deadline = destination.destination.deadline(event.occurred_at);
    let mut delivery = Delivery {
        destination: destination.id,
        state: State::Pending,
        generation: 0,
        schedule: Schedule { due_at: wait.end(now), settling: true, ..Schedule::default() },
        last_status: None,
        may_have_arrived: false,
        deadline,
        frozen: None,
    };
    let mut notice = None;
    let rule = if !destination.modes.contains(&event.scope.mode) {
        Some(Rule::TestMode)
    } else if wait == Wait::Never {
        Some(Rule::Withdrawn)
    } else if deadline.is_some_and(|deadline| now > deadline) {
        notice = Some(Notice::TooOld { destination: destination.id, transaction_id: event.transaction_id.clone() });
        Some(Rule::TooOld)
    } else {
        None
    };
    if let Some(rule) = rule {
        delivery.schedule.settling = false;
        delivery.state = State::Suppressed { rule, at: now };
    }
    (delivery, notice)
}

/// Whether a delivery was suppressed by what a setting or the person can change.
const fn is_kept_back(delivery: &Delivery) -> bool {
    matches!(delivery.state, State::Suppressed { rule: Rule::TestMode | Rule::Filtered | Rule::NoConsent, .. })
}

fn is_admitted(
    workspace: &mut Workspace<'_>,
    destination: &DestinationRules,
    id: BusinessEventId,
) -> BooksResult<bool> {
    let (event, contact) = workspace.event_and_contact(id)?;
    Ok(!matches!(destination.admit(event, contact), Admission::Suppress(_)))
}

fn waits(delivery: &Delivery) -> bool {
    delivery.schedule.settling && delivery.state == State::Pending
}

fn find<'e>(event: &'e mut BusinessEvent, destination: &DestinationRules) -> Option<&'e mut Delivery> {
    event.deliveries.iter_mut().find(|delivery| delivery.destination == destination.id)
}

/// Sees to it that no event destination that was told of a sale under one business event is told of it under another. Returns
/// the first that had been told of the other one.
///
/// # Errors
/// When the books can't be read.
pub(super) fn tell_only_once(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    stays: BusinessEventId,
    goes: BusinessEventId,
) -> BooksResult<Option<DestinationId>> {
    let now = workspace.now;
    let told: Vec<Delivery> = workspace
        .business_event(goes)?
        .deliveries
        .iter()
        .filter(|delivery| delivery.frozen.is_some() && was_told(delivery))
        .cloned()
        .collect();
    let mut twice = None;
    for of_other in told {
        let is_event =
            rules.destination(of_other.destination).is_none_or(|rules| rules.destination.style() == Style::Event);
        if !is_event {
            continue;
        }
        twice = twice.or(Some(of_other.destination));
        let event = workspace.business_event_mut(stays)?;
        match event.deliveries.iter_mut().find(|delivery| delivery.destination == of_other.destination) {
            Some(delivery) if is_open(delivery) && !was_told(delivery) => {
                withdraw_delivery(delivery, now);
            }
            Some(_) => {}
            None => {
                let mut delivery =
                    Delivery { frozen: None, generation: 0, last_status: None, may_have_arrived: false, ..of_other };
                delivery.schedule = Schedule { due_at: now, ..Schedule::default() };
                withdraw_delivery(&mut delivery, now);
                event.deliveries.push(delivery);
            }
        }
    }
    Ok(twice)
}

/// Whether it is still sent, or would be if a person asked for it.
const fn is_open(delivery: &Delivery) -> bool {
    matches!(delivery.state, State::Pending | State::Failed { .. })
}

/// Notes when the next of a group's waiting deliveries is let go.
///
/// # Errors
/// When the books can't be read.
pub fn note_settling(workspace: &mut Workspace<'_>, group: GroupId) -> BooksResult<()> {
    let record = workspace.exact_group(group)?;
    let known = record.settle_at;
    let events: Vec<BusinessEventId> = record.events.iter().map(|(_, id)| *id).collect();
    let mut next: Option<Timestamp> = None;
    for id in events {
        let event = workspace.business_event(id)?;
        let first = event.deliveries.iter().filter(|delivery| waits(delivery)).map(|waiting| waiting.schedule.due_at);
        next = first.chain(next).min();
    }
    if next != known {
        workspace.group_mut(group)?.settle_at = next;
    }
    Ok(())
}

/// Lets go whatever of a group has waited long enough.
///
/// # Errors
/// When the books can't be read.
pub fn plan_settle(workspace: &mut Workspace<'_>, rules: &Rules, group: GroupId) -> BooksResult<()> {
    let now = workspace.now;
    let record = workspace.exact_group(group)?;
    if record.merged_into.is_some() {
        workspace.group_mut(group)?.settle_at = None;
        return Ok(());
    }
    let events: Vec<BusinessEventId> = record.events.iter().map(|(_, id)| *id).collect();
    for id in events {
        let due = |delivery: &Delivery| waits(delivery) && delivery.schedule.due_at <= now;
        for destination in &rules.destinations {
            let event = workspace.business_event(id)?;
            if event.deliveries.iter().any(|delivery| delivery.destination == destination.id && due(delivery)) {
                release(workspace, destination, id)?;
            }
        }
        // A destination that is no longer configured lets nothing go and must not be asked for ever.
        if workspace.business_event(id)?.deliveries.iter().any(due) {
            for delivery in workspace.business_event_mut(id)?.deliveries.iter_mut().filter(|delivery| due(delivery)) {
                delivery.schedule.settling = false;
                delivery.state = State::Suppressed { rule: Rule::Filtered, at: now };
            }
        }
    }
    note_settling(workspace, group)
}
