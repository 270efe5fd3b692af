//! What the result of an attempt does to deliveries.

use super::books::{BooksError, BooksResult};
use super::plan;
use super::release;
use super::rules::{DestinationRules, Rules};
use super::verdict::{Again, Verdict, judge};
use super::workspace::{Notice, Target, Workspace};
use crate::destinations::Finished;
use crate::model::business_event::{BusinessEvent, Mark, Subject};
use crate::model::delivery::{Attempt, Delivery, Failure, FailureClass, Rule, Schedule, State};
use crate::model::id::{BusinessEventId, ContactId, DestinationId};
use crate::model::retry::RetrySchedule;
use crate::model::time::Timestamp;

/// An attempt that is over.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whose.
    pub destination: DestinationId,
    /// What it was about.
    pub target: Target,
    /// The business events it spoke for, each with the generation of its delivery.
    pub told: Vec<(BusinessEventId, u16)>,
    /// Business events that were found not to be sent, and by which rule.
    pub dropped: Vec<(BusinessEventId, Rule)>,
    /// Business events that still wait for something (an e-mail address), and until when at most.
    pub left: Option<(Vec<BusinessEventId>, Timestamp)>,
    /// What it came to.
    pub finished: Finished,
    /// The record of it; none when nothing was sent.
    pub attempt: Option<Attempt>,
    /// A number from 0 to 1, for jitter.
    pub chance: f64,
    /// Whether it was a probe of an open breaker or a held destination, which uses no attempt when it fails.
    pub probe: bool,
}

impl Report {
    /// The last HTTP status of the attempt.
    fn status(&self) -> Option<u16> {
        self.attempt.as_ref().and_then(|attempt| attempt.status)
    }
}

/// Plans what a report does.
///
/// # Errors
/// When the books can't be read.
pub fn plan_report(workspace: &mut Workspace<'_>, rules: &Rules, report: &Report) -> BooksResult<()> {
    if let Some(attempt) = &report.attempt {
        workspace.attempts.push((report.destination, report.target, attempt.clone()));
    }
    for (event, rule) in &report.dropped {
        let at = workspace.now;
        set_state(workspace, report.destination, *event, None, State::Suppressed { rule: *rule, at })?;
    }
    match report.target {
        Target::Event(id) => report_on_event(workspace, rules, report, id),
        Target::Contact(id) => report_on_contact(workspace, rules, report, id),
    }
}

fn report_on_event(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    report: &Report,
    id: BusinessEventId,
) -> BooksResult<()> {
    let now = workspace.now;
    let Some((_, generation)) = report.told.first().copied() else { return Ok(()) };
    let of_destination = rules.destination(report.destination);
    let event = workspace.business_event_mut(id)?;
    let policy = of_destination.map(|rules| rules.ambiguous(event));
    let Some(delivery) = find(event, report.destination) else { return Ok(()) };
    delivery.last_status = report.status().or(delivery.last_status);
    let verdict = judge(&report.finished.outcome, policy, report.probe);
    if verdict == Verdict::Delivered {
        return delivered(workspace, report, id, generation);
    }
    if delivery.generation != generation || delivery.state != State::Pending {
        return Ok(());
    }
    delivery.schedule.started_at = None;
    match verdict {
        Verdict::Again { explanation, wish } => {
            let default = RetrySchedule::default();
            let retry = of_destination.map_or(&default, |rules| &rules.schedule);
            let again = Again { retry, chance: report.chance, wish, explanation: &explanation };
            match again.use_up(&mut delivery.schedule, delivery.deadline, now) {
                Ok(at) => delivery.schedule.due_at = at,
                Err(failure) => fail(workspace, report.destination, id, generation, failure)?,
            }
        }
        Verdict::Suppressed(rule) => {
            use_attempt(delivery, report);
            set_state(workspace, report.destination, id, Some(generation), State::Suppressed { rule, at: now })?;
        }
        Verdict::Failed(failure) => {
            use_attempt(delivery, report);
            fail(workspace, report.destination, id, generation, failure)?;
        }
        Verdict::Delivered | Verdict::Unchanged => {}
    }
    Ok(())
}

fn use_attempt(delivery: &mut Delivery, report: &Report) {
    if report.attempt.is_some() {
        delivery.schedule.attempts = delivery.schedule.attempts.saturating_add(1);
    }
}

/// A success always ends as delivered, also when the delivery was withdrawn or discarded meanwhile.
fn delivered(workspace: &mut Workspace<'_>, report: &Report, id: BusinessEventId, generation: u16) -> BooksResult<()> {
    let at = workspace.now;
    let event = workspace.business_event_mut(id)?;
    let is_sale = event.subject == Subject::Sale;
    let Some(delivery) = find(event, report.destination) else { return Ok(()) };
    if matches!(delivery.state, State::Delivered { .. }) {
        return Ok(());
    }
    // Contact destinations don't hold sales but people, who are told of again.
    let by_itself = delivery.frozen.is_some();
    let withdrawn = matches!(delivery.state, State::Suppressed { rule: Rule::Withdrawn, .. });
    if delivery.generation == generation {
        use_attempt(delivery, report);
    }
    set_state(workspace, report.destination, id, None, State::Delivered { at })?;
    if withdrawn && is_sale && by_itself {
        told_after_all(workspace, report.destination, id)?;
    }
    Ok(())
}

/// A sale arrived under a business event that had been withdrawn because it is told under another one: that other one is not
/// sent to the same destination any more, and people learn of it.
fn told_after_all(workspace: &mut Workspace<'_>, destination: DestinationId, id: BusinessEventId) -> BooksResult<()> {
    let now = workspace.now;
    let event = workspace.business_event_mut(id)?;
    if !event.facts.marks.contains(&Mark::ToldTwice) {
        event.facts.marks.push(Mark::ToldTwice);
    }
    let transaction_id = event.transaction_id.clone();
    let group = event.group;
    workspace.notices.push(Notice::ToldTwice { event: id, transaction_id });
    let Some(group) = group else { return Ok(()) };
    let group = workspace.live_group(group)?;
    let sale = workspace.exact_group(group)?.events.iter().find(|(subject, _)| *subject == Subject::Sale);
    let Some(sale) = sale.map(|(_, sale)| *sale).filter(|sale| *sale != id) else { return Ok(()) };
    if let Some(delivery) = find(workspace.business_event_mut(sale)?, destination) {
        if delivery.state == State::Pending && !release::was_told(delivery) {
            release::withdraw_delivery(delivery, now);
        }
    }
    plan::note_settling(workspace, group)
}

fn report_on_contact(
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
    if report.finished.remote_id.is_some() && (sync.remote_id.is_none() || tried == contact) {
        sync.remote_id.clone_from(&report.finished.remote_id);
    }
    if sync.external_id.is_none() {
        sync.external_id.clone_from(&report.finished.external_id);
    }
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
    sync.schedule = match (&verdict, fewest) {
        // News that came meanwhile made the row due earlier than the schedule would; the destination has just failed.
        (Verdict::Again { wish, .. }, Some(attempts)) => {
            let wait = retry.wait_after(usize::from(attempts), report.chance, *wish).unwrap_or_default();
            Schedule { due_at: now.after(wait), attempts, ..Schedule::default() }
        }
        _ => Schedule { due_at: next_at, ..Schedule::default() },
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

/// Gives up a delivery and says so.
fn fail(
    workspace: &mut Workspace<'_>,
    destination: DestinationId,
    id: BusinessEventId,
    generation: u16,
    failure: Failure,
) -> BooksResult<()> {
    let at = workspace.now;
    let event = workspace.business_event_mut(id)?;
    let pending = find(event, destination)
        .is_some_and(|delivery| delivery.state == State::Pending && delivery.generation == generation);
    if !pending {
        return Ok(());
    }
    let notice = Notice::Failed {
        destination,
        class: failure.class.name(),
        explanation: failure.explanation.clone(),
        transaction_id: event.transaction_id.clone(),
        lead_id: event.facts.lead_id.clone(),
    };
    set_state(workspace, destination, id, Some(generation), State::Failed { failure, at })?;
    workspace.notices.push(notice);
    Ok(())
}

/// Moves a pending delivery on. With a generation, only if it is still that one's; a success needs none.
fn set_state(
    workspace: &mut Workspace<'_>,
    destination: DestinationId,
    id: BusinessEventId,
    generation: Option<u16>,
    state: State,
) -> BooksResult<()> {
    let event = workspace.business_event_mut(id)?;
    let Some(delivery) = find(event, destination) else { return Ok(()) };
    let success = matches!(state, State::Delivered { .. });
    let current = generation.is_none_or(|generation| generation == delivery.generation);
    if success || (delivery.state == State::Pending && current) {
        delivery.schedule.settling = false;
        delivery.schedule.started_at = None;
        delivery.state = state;
    }
    Ok(())
}

fn find(event: &mut BusinessEvent, destination: DestinationId) -> Option<&mut Delivery> {
    event.deliveries.iter_mut().find(|delivery| delivery.destination == destination)
}

/// Notes that a request is about to be made whose repetition the destination could not recognise.
///
/// # Errors
/// When the books can't be read, or it was taken back meanwhile and must not be sent.
pub fn plan_start(workspace: &mut Workspace<'_>, destination: DestinationId, target: Target) -> BooksResult<()> {
    let now = workspace.now;
    let refused = || Err(BooksError::Refused("nothing of it is to be sent any more".into()));
    match target {
        Target::Event(id) => {
            let delivery = find(workspace.business_event_mut(id)?, destination);
            match delivery.filter(|delivery| delivery.state == State::Pending && !delivery.schedule.settling) {
                Some(delivery) => delivery.schedule.started_at = Some(now),
                None => return refused(),
            }
        }
        Target::Contact(id) => {
            let contact = workspace.live_contact(id)?;
            if workspace.existing_sync(destination, contact)?.is_none_or(|sync| sync.pending.is_empty()) {
                return refused();
            }
            workspace.sync(destination, contact)?.schedule.started_at = Some(now);
        }
    }
    Ok(())
}

/// Ends what has waited too long for a destination that is held, paused or out of reach.
///
/// # Errors
/// When the books can't be read.
pub fn plan_expire(workspace: &mut Workspace<'_>, destination: &DestinationRules, target: Target) -> BooksResult<()> {
    let now = workspace.now;
    let unavailable = |since: Timestamp| {
        (now.since(since) >= destination.max_age).then(|| Failure {
            class: FailureClass::DestinationUnavailable,
            explanation: format!("{} could not be reached since {since}", destination.name),
        })
    };
    match target {
        Target::Event(id) => {
            let Some(delivery) = find(workspace.business_event_mut(id)?, destination.id) else { return Ok(()) };
            if delivery.schedule.settling {
                return Ok(());
            }
            let passed = delivery.deadline.filter(|deadline| now > *deadline).map(|deadline| Failure {
                class: FailureClass::DeadlinePassed,
                explanation: format!("{} takes nothing after {deadline}", destination.name),
            });
            let generation = delivery.generation;
            match passed.or_else(|| unavailable(delivery.schedule.due_at)) {
                Some(failure) => fail(workspace, destination.id, id, generation, failure),
                None => Ok(()),
            }
        }
        Target::Contact(id) => {
            let contact = workspace.live_contact(id)?;
            let Some(sync) = workspace.existing_sync(destination.id, contact)? else { return Ok(()) };
            let (due_at, pending) = (sync.schedule.due_at, sync.pending.clone());
            for event in pending {
                // Each by its own age: what came today has not waited for a week.
                let Some(delivery) = find(workspace.business_event_mut(event)?, destination.id) else { continue };
                let generation = delivery.generation;
                if let Some(failure) = unavailable(delivery.schedule.due_at.max(due_at)) {
                    fail(workspace, destination.id, event, generation, failure)?;
                    release::dequeue(workspace, destination.id, contact, event)?;
                }
            }
            Ok(())
        }
    }
}
