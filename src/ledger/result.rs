//! What the result of an attempt does to deliveries.

pub use super::expire::plan_expire;

use super::books::{BooksError, BooksResult};
use super::contact_result::report_on_contact;
use super::likeness;
use super::plan;
use super::release;
use super::rules::Rules;
use super::verdict::{Again, Verdict, judge};
use super::workspace::{Notice, Target, Workspace};
use crate::destinations::Finished;
use crate::model::business_event::{BusinessEvent, Mark, Subject};
use crate::model::delivery::{Attempt, Delivery, Failure, Outcome, Rule, State};
use crate::model::id::{BusinessEventId, DestinationId};
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
    pub(super) fn status(&self) -> Option<u16> {
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
    if delivery.generation != generation {
        note_arrival(delivery, report);
        return Ok(());
    }
    if delivery.state != State::Pending {
        let arrived = matches!(report.finished.outcome, Outcome::Ambiguous { .. }) || delivery.may_have_arrived;
        delivery.may_have_arrived = arrived;
        let withdrawn = matches!(delivery.state, State::Suppressed { rule: Rule::Withdrawn, .. });
        if withdrawn && !arrived && delivery.frozen.is_some() {
            delivery.schedule.started_at = None;
            return not_told_after_all(workspace, report.destination, id);
        }
        return Ok(());
    }
    note_arrival(delivery, report);
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

/// Remembers that an attempt may have arrived. A destination that says no, or to wait, has not taken it.
pub(super) fn note_arrival(delivery: &mut Delivery, report: &Report) {
    delivery.may_have_arrived |= match report.finished.outcome {
        Outcome::Ambiguous { .. } => true,
        Outcome::Retry { .. } => report.attempt.is_some(),
        _ => false,
    };
}

pub(super) fn use_attempt(delivery: &mut Delivery, report: &Report) {
    if report.attempt.is_some() {
        delivery.schedule.attempts = delivery.schedule.attempts.saturating_add(1);
    }
}

/// A success always ends as delivered, also when the delivery was withdrawn or discarded meanwhile.
pub(super) fn delivered(
    workspace: &mut Workspace<'_>,
    report: &Report,
    id: BusinessEventId,
    generation: u16,
) -> BooksResult<()> {
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

/// The only request of a sale under a business event that had been withdrawn, because it is told under another one, came to
/// nothing: if the other one was held back at the destination for its sake, it goes on.
fn not_told_after_all(
    workspace: &mut Workspace<'_>,
    destination: DestinationId,
    id: BusinessEventId,
) -> BooksResult<()> {
    let event = workspace.business_event(id)?;
    let absorbed = event.facts.marks.contains(&Mark::Absorbed);
    let Some(group) = event.group.filter(|_| event.subject == Subject::Sale) else { return Ok(()) };
    let now = workspace.now;
    let Some((home, sale)) = likeness::rival_sale(workspace, group, id)? else { return Ok(()) };
    if home != workspace.live_group(group)? && !absorbed {
        return Ok(());
    }
    if let Some(delivery) = find(workspace.business_event_mut(sale)?, destination)
        && matches!(delivery.state, State::Suppressed { rule: Rule::Withdrawn, .. })
        && delivery.frozen.is_some()
        && !release::was_told(delivery)
    {
        delivery.state = State::Pending;
        delivery.schedule.due_at = now;
    }
    Ok(())
}

/// A sale arrived under a business event that had been withdrawn because it is told under another one: that other one is not
/// sent to the same destination any more, and people learn of it, unless it is the same sale by likeness and was told once.
fn told_after_all(workspace: &mut Workspace<'_>, destination: DestinationId, id: BusinessEventId) -> BooksResult<()> {
    let now = workspace.now;
    let group = workspace.business_event(id)?.group;
    let rival = match group {
        Some(group) => likeness::rival_sale(workspace, group, id)?,
        None => None,
    };
    let mut held_back = false;
    if let Some((home, sale)) = rival {
        if let Some(delivery) = find(workspace.business_event_mut(sale)?, destination)
            && delivery.state == State::Pending
            && !release::was_told(delivery)
        {
            release::withdraw_delivery(delivery, now);
            held_back = true;
        }
        plan::note_settling(workspace, home)?;
    }
    let absorbed = workspace.business_event(id)?.facts.marks.contains(&Mark::Absorbed);
    let of_other_half = match (rival, group) {
        (Some((home, sale)), Some(group)) if home != workspace.live_group(group)? => Some(sale),
        _ => None,
    };
    if let (Some(sale), true, true) = (of_other_half, held_back, absorbed) {
        // Should the halves part before anything else is said of them, it is sent after all.
        let marks = &mut workspace.business_event_mut(sale)?.facts.marks;
        if !marks.contains(&Mark::HeldBack) {
            marks.push(Mark::HeldBack);
        }
        return Ok(());
    }
    let event = workspace.business_event_mut(id)?;
    if !event.facts.marks.contains(&Mark::ToldTwice) {
        event.facts.marks.push(Mark::ToldTwice);
    }
    let transaction_id = event.transaction_id.clone();
    workspace.notices.push(Notice::ToldTwice { event: id, destination, transaction_id });
    Ok(())
}

/// Gives up a delivery and says so.
pub(super) fn fail(
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
pub(super) fn set_state(
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

pub(super) fn find(event: &mut BusinessEvent, destination: DestinationId) -> Option<&mut Delivery> {
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
