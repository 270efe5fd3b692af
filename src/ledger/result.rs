//! What the result of an attempt does to deliveries.

use super::books::BooksResult;
use super::rules::{DestinationRules, Rules};
use super::workspace::{Notice, Target, Workspace};
use crate::destinations::Finished;
use crate::model::business_event::BusinessEvent;
use crate::model::delivery::{
    AmbiguousPolicy, Attempt, Delivery, Failure, FailureClass, Outcome, Rule, Schedule, State,
};
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

/// What becomes of a delivery.
enum Verdict {
    Delivered,
    Suppressed(Rule),
    Failed(Failure),
    Again(Timestamp),
    /// The destination as a whole waits; the delivery keeps its place.
    Unchanged,
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
    let event = workspace.business_event(id)?;
    let policy = rules.destination(report.destination).map(|rules| rules.ambiguous(event));
    let Some(delivery) = find(event, report.destination) else { return Ok(()) };
    delivery.last_status = report.attempt.as_ref().and_then(|attempt| attempt.status).or(delivery.last_status);
    let current = delivery.generation == generation && delivery.state == State::Pending;
    if report.finished.outcome == Outcome::Delivered {
        // A success always ends as delivered, also when the delivery was withdrawn or discarded meanwhile.
        if current {
            delivery.schedule.attempts = delivery.schedule.attempts.saturating_add(1);
        }
        delivery.schedule.started_at = None;
        delivery.state = State::Delivered { at: now };
        return Ok(());
    }
    if !current {
        return Ok(());
    }
    let deadline = delivery.deadline;
    let schedule = rules.destination(report.destination).map(|rules| &rules.schedule);
    let verdict = judge(&mut delivery.schedule, report, schedule, policy, deadline, now);
    conclude(workspace, report.destination, id, generation, verdict)
}

fn report_on_contact(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    report: &Report,
    contact: ContactId,
) -> BooksResult<()> {
    let now = workspace.now;
    let contact = workspace.contact(contact)?.id;
    let dropped: Vec<BusinessEventId> = report.dropped.iter().map(|(id, _)| *id).collect();
    let mut policy = None;
    if let Some((last, _)) = report.told.last() {
        let event = workspace.business_event(*last)?;
        policy = rules.destination(report.destination).map(|rules| rules.ambiguous(event));
    }
    let sync = workspace.sync(report.destination, contact)?;
    sync.pending.retain(|id| !dropped.contains(id));
    if report.finished.remote_id.is_some() {
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
    let schedule = rules.destination(report.destination).map(|rules| &rules.schedule);
    let verdict = if report.finished.outcome == Outcome::Delivered {
        Verdict::Delivered
    } else {
        judge(&mut sync.schedule, report, schedule, policy, None, now)
    };
    let attempts = sync.schedule.attempts;
    match &verdict {
        Verdict::Unchanged => return Ok(()),
        Verdict::Again(at) => {
            // News that came meanwhile made the row due earlier than the schedule would; the destination has just failed.
            sync.schedule.due_at = *at;
            return Ok(());
        }
        _ => {
            sync.pending.retain(|id| !report.told.iter().any(|(told, _)| told == id));
            sync.schedule = Schedule { due_at: next_at, ..Schedule::default() };
            sync.waiting_since = now;
        }
    }
    let status = report.attempt.as_ref().and_then(|attempt| attempt.status);
    for (id, generation) in &report.told {
        if let Some(delivery) = find(workspace.business_event(*id)?, report.destination) {
            delivery.last_status = status.or(delivery.last_status);
            delivery.schedule.attempts = attempts.saturating_add(u16::from(matches!(verdict, Verdict::Delivered)));
        }
        match &verdict {
            Verdict::Delivered => set_state(workspace, report.destination, *id, None, State::Delivered { at: now })?,
            Verdict::Suppressed(rule) => {
                let state = State::Suppressed { rule: *rule, at: now };
                set_state(workspace, report.destination, *id, Some(*generation), state)?;
            }
            Verdict::Failed(failure) => {
                fail(workspace, report.destination, *id, *generation, failure.clone())?;
            }
            Verdict::Again(_) | Verdict::Unchanged => {}
        }
    }
    Ok(())
}

/// Works out what an outcome that is no success means, and uses up an attempt where one is used.
fn judge(
    schedule: &mut Schedule,
    report: &Report,
    retry: Option<&RetrySchedule>,
    policy: Option<AmbiguousPolicy>,
    deadline: Option<Timestamp>,
    now: Timestamp,
) -> Verdict {
    schedule.started_at = None;
    let default = RetrySchedule::default();
    let retry = retry.unwrap_or(&default);
    let mut again = |explanation: &str, wish| {
        if report.probe {
            return Verdict::Unchanged;
        }
        schedule.attempts = schedule.attempts.saturating_add(1);
        let Some(wait) = retry.wait_after(usize::from(schedule.attempts), report.chance, wish) else {
            return Verdict::Failed(Failure {
                class: FailureClass::AttemptsUsedUp,
                explanation: format!("{} attempts, the last one: {explanation}", schedule.attempts),
            });
        };
        let at = now.after(wait);
        match deadline {
            Some(deadline) if at > deadline => Verdict::Failed(Failure {
                class: FailureClass::DeadlinePassed,
                explanation: format!("no attempt is left before {deadline}, the last one: {explanation}"),
            }),
            _ => {
                schedule.due_at = at;
                Verdict::Again(at)
            }
        }
    };
    match &report.finished.outcome {
        Outcome::Delivered => Verdict::Delivered,
        Outcome::Suppressed(rule) => Verdict::Suppressed(*rule),
        Outcome::Retry { explanation, after } => again(explanation, *after),
        Outcome::SlowDown { .. } | Outcome::Broken { .. } | Outcome::Forbidden { .. } => Verdict::Unchanged,
        Outcome::Permanent { class, explanation } => {
            if report.attempt.is_some() {
                schedule.attempts = schedule.attempts.saturating_add(1);
            }
            Verdict::Failed(Failure { class: *class, explanation: explanation.clone() })
        }
        Outcome::Ambiguous { explanation } => match policy.unwrap_or(AmbiguousPolicy::Ask) {
            AmbiguousPolicy::Retry => again(explanation, None),
            AmbiguousPolicy::Drop => Verdict::Suppressed(Rule::Ambiguous),
            AmbiguousPolicy::Ask => {
                Verdict::Failed(Failure { class: FailureClass::Ambiguous, explanation: explanation.clone() })
            }
        },
    }
}

fn conclude(
    workspace: &mut Workspace<'_>,
    destination: DestinationId,
    id: BusinessEventId,
    generation: u16,
    verdict: Verdict,
) -> BooksResult<()> {
    let at = workspace.now;
    match verdict {
        Verdict::Delivered => set_state(workspace, destination, id, Some(generation), State::Delivered { at }),
        Verdict::Suppressed(rule) => {
            set_state(workspace, destination, id, Some(generation), State::Suppressed { rule, at })
        }
        Verdict::Failed(failure) => fail(workspace, destination, id, generation, failure),
        Verdict::Again(_) | Verdict::Unchanged => Ok(()),
    }
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
    let event = workspace.business_event(id)?;
    let notice = Notice::Failed {
        destination,
        class: failure.class.name(),
        explanation: failure.explanation.clone(),
        transaction_id: event.transaction_id.clone(),
        lead_id: event.facts.lead_id.clone(),
    };
    let pending = find(event, destination)
        .is_some_and(|delivery| delivery.state == State::Pending && delivery.generation == generation);
    if pending {
        set_state(workspace, destination, id, Some(generation), State::Failed { failure, at })?;
        workspace.notices.push(notice);
    }
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
    let event = workspace.business_event(id)?;
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
/// When the books can't be read.
pub fn plan_start(workspace: &mut Workspace<'_>, destination: DestinationId, target: Target) -> BooksResult<()> {
    let now = workspace.now;
    match target {
        Target::Event(id) => {
            if let Some(delivery) = find(workspace.business_event(id)?, destination) {
                delivery.schedule.started_at = Some(now);
            }
        }
        Target::Contact(id) => {
            let contact = workspace.contact(id)?.id;
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
    let failure = |waiting_since: Timestamp| {
        (now.since(waiting_since) >= destination.max_age).then(|| Failure {
            class: FailureClass::DestinationUnavailable,
            explanation: format!("{} could not be reached since {waiting_since}", destination.name),
        })
    };
    match target {
        Target::Event(id) => {
            let event = workspace.business_event(id)?;
            let Some(delivery) = find(event, destination.id) else { return Ok(()) };
            let (due_at, generation, deadline) = (delivery.schedule.due_at, delivery.generation, delivery.deadline);
            let passed = deadline.filter(|deadline| now > *deadline).map(|deadline| Failure {
                class: FailureClass::DeadlinePassed,
                explanation: format!("{} takes nothing after {deadline}", destination.name),
            });
            match passed.or_else(|| failure(due_at)) {
                Some(failure) => fail(workspace, destination.id, id, generation, failure),
                None => Ok(()),
            }
        }
        Target::Contact(id) => {
            let contact = workspace.contact(id)?.id;
            let Some(sync) = workspace.existing_sync(destination.id, contact)? else { return Ok(()) };
            let Some(failure) = failure(sync.waiting_since.max(sync.schedule.due_at)) else { return Ok(()) };
            let pending = std::mem::take(&mut sync.pending);
            for event in pending {
                let generation =
                    find(workspace.business_event(event)?, destination.id).map_or(0, |delivery| delivery.generation);
                fail(workspace, destination.id, event, generation, failure.clone())?;
            }
            Ok(())
        }
    }
}
