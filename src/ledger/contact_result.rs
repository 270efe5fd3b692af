//! What the result of an attempt does to the deliveries that it spoke for at a contact destination.

use super::books::BooksResult;
use super::release;
use super::result::{Report, delivered, fail, find, note_arrival, set_state, use_attempt};
use super::rules::Rules;
use super::verdict::{Again, Verdict, judge};
use super::workspace::{Notice, Workspace};
use crate::model::delivery::{Rule, Schedule, State};
use crate::model::id::{BusinessEventId, ContactId, DestinationId};
use crate::model::retry::{LONGEST_RETRY_AFTER, RetrySchedule};

/// Plans what a report about a contact does.
///
/// # Errors
/// When the books can't be read.
pub(super) fn report_on_contact(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    report: &Report,
    contact: ContactId,
) -> BooksResult<()> {
    let now = workspace.now;
    let tried = contact;
    let contact = workspace.live_contact(contact)?;
    let of_destination = rules.destination(report.destination);
    let policy = match report.told.last() {
        Some((last, _)) => {
            let event = workspace.business_event(*last)?;
            of_destination.map(|rules| rules.ambiguous(event))
        }
        None => None,
    };
    for (event, _) in &report.dropped {
        leave_queue(workspace, report.destination, contact, *event)?;
    }
    let sync = workspace.sync(report.destination, contact)?;
    sync.schedule.started_at = None;
    // A late result of a contact that proved to be this one must not replace what the survivor is known by.
    let mut further = Vec::new();
    let others = match &report.finished.remote_id {
        Some(id) if tried == contact => {
            sync.remote_id = Some(id.clone());
            None
        }
        // The request left before the two proved to be one.
        other => other.as_ref(),
    };
    for id in others.into_iter().chain(&report.finished.left_over) {
        if sync.find_record(id) {
            further.push((sync.remote_id.clone().unwrap_or_default(), id.clone()));
        }
    }
    if sync.external_id.is_none() {
        sync.external_id.clone_from(&report.finished.external_id);
    }
    for (kept, left_over) in further {
        workspace.notices.push(Notice::SecondRecord { destination: report.destination, kept, left_over });
    }
    let sync = workspace.sync(report.destination, contact)?;
    // What only waits has no reason to be tried before its time, unless news came meanwhile.
    let next_at = match &report.left {
        Some((left, until))
            if sync.pending.iter().all(|id| left.contains(id) || report.told.iter().any(|(told, _)| told == id)) =>
        {
            *until
        }
        _ => now,
    };
    if report.told.is_empty() {
        sync.schedule.due_at = next_at;
        return Ok(());
    }
    let verdict = judge(&report.finished.outcome, policy, report.probe);
    if verdict == Verdict::Unchanged {
        for (id, _) in &report.told {
            if let Some(delivery) = find(workspace.business_event_mut(*id)?, report.destination) {
                delivery.last_status = report.status().or(delivery.last_status);
                note_arrival(delivery, report);
            }
        }
        return Ok(());
    }
    let default = RetrySchedule::default();
    let retry = of_destination.map_or(&default, |rules| &rules.schedule);
    let (over, fewest) = conclude(workspace, report, retry, &verdict)?;
    if let Some(event) = over.told_after_all {
        let (scope, webhook) = {
            let event = workspace.business_event(event)?;
            (event.scope.clone(), event.webhook)
        };
        release::tell_again(workspace, rules, &scope, webhook, contact, &[report.destination])?;
    }
    for event in &over.events {
        leave_queue(workspace, report.destination, contact, *event)?;
    }
    let sync = workspace.sync(report.destination, contact)?;
    sync.not_before = match &verdict {
        Verdict::Again { wish, .. } => wish.map(|wish| now.after(wish.min(LONGEST_RETRY_AFTER))),
        _ => None,
    };
    sync.schedule = match (&verdict, fewest) {
        // News that came meanwhile made the row due earlier than the schedule would; the destination has just failed.
        (Verdict::Again { wish, .. }, Some(attempts)) => {
            let wait = retry.wait_after(usize::from(attempts), report.chance, *wish).unwrap_or_default();
            Schedule { due_at: now.after(wait), attempts, ..Schedule::default() }
        }
        _ => Schedule { due_at: sync.not_before(next_at), ..Schedule::default() },
    };
    if !over.events.is_empty() {
        sync.waiting_since = now;
    }
    Ok(())
}

/// Takes a delivery that is over out of its queue: that of the contact it was sent for, or whose it proved to be meanwhile.
fn leave_queue(
    workspace: &mut Workspace<'_>,
    destination: DestinationId,
    contact: ContactId,
    event: BusinessEventId,
) -> BooksResult<()> {
    release::dequeue(workspace, destination, contact, event)?;
    match workspace.business_event(event)?.contact {
        Some(owner) => {
            let owner = workspace.live_contact(owner)?;
            release::dequeue(workspace, destination, owner, event)
        }
        None => Ok(()),
    }
}

/// Deliveries that left a contact's queue.
#[derive(Default)]
struct Over {
    events: Vec<BusinessEventId>,
    /// One that had been withdrawn when it arrived.
    told_after_all: Option<BusinessEventId>,
}

/// Moves on each delivery that an attempt for a contact spoke for. Each has a budget of its own, so that news does not inherit
/// the failures of what waited before it. Returns what is over, and the fewest attempts of what is not.
fn conclude(
    workspace: &mut Workspace<'_>,
    report: &Report,
    retry: &RetrySchedule,
    verdict: &Verdict,
) -> BooksResult<(Over, Option<u16>)> {
    let at = workspace.now;
    let mut over = Over::default();
    let mut fewest: Option<u16> = None;
    for (id, generation) in &report.told {
        let Some(delivery) = find(workspace.business_event_mut(*id)?, report.destination) else { continue };
        delivery.last_status = report.status().or(delivery.last_status);
        note_arrival(delivery, report);
        let current = delivery.generation == *generation && delivery.state == State::Pending;
        match verdict {
            Verdict::Delivered => {
                if matches!(delivery.state, State::Suppressed { rule: Rule::Withdrawn, .. }) {
                    over.told_after_all = Some(*id);
                }
                delivered(workspace, report, *id, *generation)?;
            }
            _ if !current => {}
            Verdict::Again { explanation, wish } => {
                let again = Again { retry, chance: report.chance, wish: *wish, explanation };
                match again.use_up(&mut delivery.schedule, delivery.deadline, at) {
                    Ok(_) => {
                        let attempts = delivery.schedule.attempts;
                        fewest = Some(fewest.map_or(attempts, |fewest| fewest.min(attempts)));
                        continue;
                    }
                    Err(failure) => fail(workspace, report.destination, *id, *generation, failure)?,
                }
            }
            Verdict::Suppressed(rule) => {
                use_attempt(delivery, report);
                let state = State::Suppressed { rule: *rule, at };
                set_state(workspace, report.destination, *id, Some(*generation), state)?;
            }
            Verdict::Failed(failure) => {
                use_attempt(delivery, report);
                fail(workspace, report.destination, *id, *generation, failure.clone())?;
            }
            Verdict::Unchanged => continue,
        }
        // A person may have asked for it again meanwhile: then it waits on.
        let pending = find(workspace.business_event_mut(*id)?, report.destination)
            .is_some_and(|delivery| delivery.state == State::Pending);
        if !pending {
            over.events.push(*id);
        }
    }
    Ok((over, fewest))
}
