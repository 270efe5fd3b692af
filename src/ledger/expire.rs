//! What has waited too long for a destination that does not take it.

use super::books::BooksResult;
use super::release;
use super::result::{fail, find};
use super::rules::DestinationRules;
use super::workspace::{Target, Workspace};
use crate::model::delivery::{Failure, FailureClass};
use crate::model::time::Timestamp;

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
