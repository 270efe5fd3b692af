//! What a person decides about deliveries that failed.

use super::books::{BooksError, BooksResult};
use super::likeness;
use super::release;
use super::rules::Rules;
use super::workspace::Workspace;
use crate::destinations::{Admission, Style};
use crate::model::business_event::{BusinessEvent, Subject};
use crate::model::delivery::{Rule, Schedule, State};
use crate::model::id::DeliveryId;

/// Plans a new generation of a delivery: fresh budget, due now. A failed one, or one that was discarded or suppressed by a
/// rule that a setting can change. Where today's settings, or the person, keep it back, it is suppressed by that rule instead.
///
/// # Errors
/// When it is not there, can't be sent again (delivered, withdrawn, still pending), or its deadline has passed.
pub fn plan_retry(workspace: &mut Workspace<'_>, rules: &Rules, id: DeliveryId) -> BooksResult<()> {
    let destination = rules.destination(id.destination).ok_or_else(|| {
        BooksError::Refused(format!(
            "{id}: its destination is no longer configured; put it back, or discard the delivery"
        ))
    })?;
    let now = workspace.now;
    known(workspace, id)?;
    let (event, person) = workspace.event_and_contact(id.event)?;
    let obstacle = match destination.admit(event, person) {
        Admission::Suppress(rule) if rule != Rule::NoContact => Some(rule),
        _ => None,
    };
    let event = workspace.business_event(id.event)?.clone();
    let group = match event.group {
        Some(group) => {
            let group = workspace.live_group(group)?;
            Some(workspace.exact_group(group)?)
        }
        None => None,
    };
    if release::is_undone(&event, group) && !is_told_by_it_alone(workspace, &event, id)? {
        return Err(BooksError::Refused(format!(
            "{id} must not be sent: another event tells of the same now, or it was taken back since; discard it"
        )));
    }
    let event = workspace.business_event_mut(id.event)?;
    let (contact, mode) = (event.contact, event.scope.mode);
    let Some(delivery) = event.deliveries.iter_mut().find(|delivery| delivery.destination == id.destination) else {
        return Err(missing(id));
    };
    match &delivery.state {
        State::Failed { .. } | State::Discarded { .. } => {}
        State::Suppressed { rule: Rule::TestMode, .. } if destination.modes.contains(&mode) => {}
        State::Suppressed { rule, .. } if *rule != Rule::Withdrawn && *rule != Rule::TestMode => {}
        State::Suppressed { rule, .. } => {
            return Err(BooksError::Refused(format!("{id} is suppressed ({}) and must not be sent", rule.name())));
        }
        State::Pending => return Err(BooksError::Refused(format!("{id} is pending already"))),
        State::Delivered { .. } => return Err(BooksError::Refused(format!("{id} has been delivered"))),
    }
    if let Some(deadline) = delivery.deadline.filter(|deadline| now > *deadline) {
        return Err(BooksError::Refused(format!(
            "{id} can't be sent any more: {} takes nothing after {deadline}; enter it by hand and discard it",
            destination.name
        )));
    }
    delivery.state = State::Pending;
    delivery.generation = delivery.generation.saturating_add(1);
    delivery.schedule = Schedule { due_at: now, ..Schedule::default() };
    if let Some(rule) = obstacle {
        delivery.state = State::Suppressed { rule, at: now };
        return Ok(());
    }
    match destination.destination.style() {
        Style::Event => {
            if delivery.frozen.is_none() {
                release::release(workspace, destination, id.event)?;
            }
        }
        Style::Contact => {
            let contact = contact.ok_or_else(|| BooksError::Refused(format!("{id} has no contact to tell of")))?;
            let contact = workspace.live_contact(contact)?;
            release::enqueue(workspace, id.destination, contact, id.event, now)?;
            let sync = workspace.sync(id.destination, contact)?;
            let due_at = sync.not_before(now);
            sync.schedule = Schedule { due_at, started_at: sync.schedule.started_at, ..Schedule::default() };
        }
    }
    Ok(())
}

/// Whether a destination is to know of a sale by a business event that was withdrawn, and by no other: the one that tells of it now
/// was held back there, as this one may have arrived.
fn is_told_by_it_alone(workspace: &mut Workspace<'_>, event: &BusinessEvent, id: DeliveryId) -> BooksResult<bool> {
    let Some(group) = event.group.filter(|_| event.subject == Subject::Sale) else { return Ok(false) };
    let Some((_, teller)) = likeness::rival_sale(workspace, group, event.id)? else { return Ok(false) };
    let deliveries = &workspace.business_event(teller)?.deliveries;
    let there = deliveries.iter().find(|delivery| delivery.destination == id.destination);
    Ok(there.is_some_and(|there| matches!(there.state, State::Suppressed { rule: Rule::Withdrawn, .. })))
}

/// Plans that a failed delivery need not be sent.
///
/// # Errors
/// When it is not there or has not failed.
pub fn plan_discard(workspace: &mut Workspace<'_>, id: DeliveryId, reason: &str) -> BooksResult<()> {
    let at = workspace.now;
    let event = known(workspace, id)?;
    let Some(delivery) = event.deliveries.iter_mut().find(|delivery| delivery.destination == id.destination) else {
        return Err(missing(id));
    };
    match delivery.state {
        State::Failed { .. } => {
            delivery.state = State::Discarded { reason: reason.to_owned(), at };
            Ok(())
        }
        _ => {
            Err(BooksError::Refused(format!("{id} is {}, only failed deliveries are discarded", delivery.state.name())))
        }
    }
}

/// The business event of a delivery; storage that fails is not the same as a delivery that isn't there.
fn known<'w>(workspace: &'w mut Workspace<'_>, id: DeliveryId) -> BooksResult<&'w mut BusinessEvent> {
    workspace.business_event_mut(id.event).map_err(|error| match error {
        BooksError::Missing(_) => missing(id),
        other => other,
    })
}

fn missing(id: DeliveryId) -> BooksError {
    BooksError::Missing(format!("there is no delivery {id}; `tallyhook deliveries list` shows those there are"))
}
