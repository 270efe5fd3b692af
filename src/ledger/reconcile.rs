//! Brings a group's business events in line with what the group amounts to.

use super::billing::subscription_of;
use super::books::BooksResult;
use super::contacts;
use super::count::object_key;
use super::derive::{Draft, derive, payment_method_of};
use super::join::told_contact_destinations;
use super::occasion::{Occasion, Wait};
use super::plan;
use super::release::{self, was_told};
use super::workspace::Workspace;
use crate::model::business_event::{BusinessEvent, EventFacts, Mark, Subject};
use crate::model::group::Group;
use crate::model::id::{BusinessEventId, DestinationId, GroupId};
use crate::model::time::Timestamp;

/// A draft with the business event that tells of it.
struct Matched {
    id: BusinessEventId,
    draft: Draft,
    /// Whether destinations that have no delivery of it get one.
    fresh: bool,
}

/// Brings a group's business events, its contact's books and what is to be sent in line with what the group now amounts to.
/// Returns the business events that it has.
///
/// # Errors
/// When the books can't be read.
pub fn reconcile(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    group: GroupId,
) -> BooksResult<Vec<BusinessEventId>> {
    // What a source that counts already has counted stays counted, whoever speaks of it next.
    if !occasion.counts_sales && workspace.exact_group(group)?.events.is_empty() {
        return Ok(Vec::new());
    }
    let record = workspace.exact_group(group)?;
    let subscription = subscription_of(record).map(|subscription| object_key(&record.scope, subscription));
    let history = match subscription {
        Some(key) => Some(workspace.subscription(&key)?),
        None => None,
    };
    let frozen_id = frozen_id(workspace, group)?;
    let derived = derive(workspace.exact_group(group)?, history.as_ref(), frozen_id.as_deref());

    let matched = match_events(workspace, occasion, group, derived.drafts)?;
    let record = workspace.exact_group(group)?;
    let (contact, before) = (record.contact, record.contribution.clone());
    if before != derived.contribution {
        workspace.group_mut(group)?.contribution.clone_from(&derived.contribution);
    }
    if let Some(contact) = contact {
        let paid_by = payment_method_of(workspace.exact_group(group)?).map(str::to_owned);
        contacts::contribute(workspace, contact, &before, &derived.contribution, paid_by.as_deref())?;
    }
    let mut outdated: Vec<DestinationId> = Vec::new();
    for Matched { id, draft, fresh } in &matched {
        if !workspace.is_new(*id) && revise(workspace, *id, draft)? {
            outdated.extend(told_contact_destinations(occasion, workspace.business_event(*id)?));
        }
        let wait = wait_of(workspace, occasion, &matched, draft)?;
        plan::plan_deliveries(workspace, occasion.rules, *id, wait, *fresh)?;
    }
    if let (Some(contact), false) = (contact, outdated.is_empty()) {
        release::tell_again(workspace, occasion.rules, occasion.scope, occasion.webhook, contact, &outdated)?;
    }
    plan::note_settling(workspace, group)?;
    Ok(matched.into_iter().map(|matched| matched.id).collect())
}

/// The id under which money of a group has gone out, or is about to: the sale's, else that of its first refund.
fn frozen_id(workspace: &mut Workspace<'_>, group: GroupId) -> BooksResult<Option<String>> {
    let money = |subject: &Subject| matches!(subject, Subject::Sale | Subject::Refund(_) | Subject::RefundCameBack(_));
    let mut events: Vec<(bool, BusinessEventId)> = workspace
        .exact_group(group)?
        .events
        .iter()
        .filter(|(subject, _)| money(subject))
        .map(|(subject, id)| (*subject != Subject::Sale, *id))
        .collect();
    events.sort();
    for (_, id) in events {
        let event = workspace.business_event(id)?;
        if event.frozen {
            return Ok(event.transaction_id.clone());
        }
    }
    Ok(None)
}

/// Finds the business event of each draft, begins those that are missing, and withdraws what no draft tells of any more.
fn match_events(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    group: GroupId,
    drafts: Vec<Draft>,
) -> BooksResult<Vec<Matched>> {
    let record = workspace.exact_group(group)?;
    let mut known = record.events.clone();
    let mut ids: Vec<Option<BusinessEventId>> = vec![None; drafts.len()];
    let mut take = |wanted: &Subject| {
        let at = known.iter().position(|(subject, _)| subject == wanted)?;
        Some(known.swap_remove(at).1)
    };
    for (draft, id) in drafts.iter().zip(&mut ids) {
        *id = take(&draft.subject);
    }
    for (draft, id) in drafts.iter().zip(&mut ids).filter(|(_, id)| id.is_none()) {
        *id = draft.also.iter().find_map(&mut take);
    }
    let superseded: Vec<BusinessEventId> = known.into_iter().map(|(_, id)| id).collect();
    for id in superseded {
        release::withdraw(workspace, id)?;
    }
    let mut matched = Vec::with_capacity(drafts.len());
    for (draft, id) in drafts.into_iter().zip(ids) {
        let (id, fresh) = match id {
            Some(id) => (id, occasion.again || workspace.business_event(id)?.kind != draft.kind),
            None => {
                let id = workspace.new_business_event_id();
                let now = workspace.now;
                let event = begin(id, &draft, workspace.exact_group(group)?, occasion, now);
                workspace.put_business_event(event);
                (id, true)
            }
        };
        matched.push(Matched { id, draft, fresh });
    }
    let now = matched.iter().map(|matched| (&matched.draft.subject, matched.id));
    if !now.eq(workspace.exact_group(group)?.events.iter().map(|(subject, id)| (subject, *id))) {
        workspace.group_mut(group)?.events =
            matched.iter().map(|matched| (matched.draft.subject.clone(), matched.id)).collect();
    }
    Ok(matched)
}

/// How long a business event waits. A refund waits for the sale whose id and attribution it takes.
fn wait_of(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    matched: &[Matched],
    draft: &Draft,
) -> BooksResult<Wait> {
    let timing = occasion.timing;
    Ok(match &draft.subject {
        _ if draft.undone => Wait::Never,
        Subject::Sale if draft.strong => Wait::UntilReady(timing.sale),
        Subject::Sale => Wait::Until(timing.sale),
        Subject::Refund(_) | Subject::RefundCameBack(_) if !draft.strong => Wait::Until(timing.refund),
        Subject::Refund(_) | Subject::RefundCameBack(_) => {
            let sale = matched.iter().find(|matched| matched.draft.subject == Subject::Sale);
            match sale {
                Some(sale) if !workspace.business_event(sale.id)?.frozen => Wait::Until(timing.sale),
                _ => Wait::No,
            }
        }
        _ => Wait::No,
    })
}

fn begin(id: BusinessEventId, draft: &Draft, group: &Group, occasion: &Occasion<'_>, now: Timestamp) -> BusinessEvent {
    BusinessEvent {
        id,
        kind: draft.kind.clone(),
        key: object_key(&group.scope, &draft.object),
        scope: group.scope.clone(),
        subject: draft.subject.clone(),
        group: Some(group.id),
        contact: group.contact,
        webhook: occasion.webhook,
        created_at: now,
        occurred_at: draft.occurred_at,
        transaction_id: draft.transaction_id.clone(),
        frozen: false,
        amount: draft.amount,
        facts: draft.facts.clone(),
        deliveries: Vec::new(),
    }
}

/// Brings a business event up to date. Id and time stay once they are frozen, and a difference to what was told is marked.
/// Returns whether who was told of it should be told again.
fn revise(workspace: &mut Workspace<'_>, id: BusinessEventId, draft: &Draft) -> BooksResult<bool> {
    let event = workspace.business_event(id)?;
    let group = event.group;
    let contact = match group {
        Some(group) => workspace.exact_group(group)?.contact,
        None => None,
    };
    let event = workspace.business_event_mut(id)?;
    event.contact = contact.or(event.contact);
    event.subject.clone_from(&draft.subject);
    let told = event.deliveries.iter().any(was_told);
    let changed = event.kind != draft.kind || event.amount != draft.amount;
    // A refund that went out before a link showed which sale it belongs to.
    let other_id = draft.kind.is_money() && event.frozen && event.transaction_id != draft.transaction_id;
    event.kind.clone_from(&draft.kind);
    event.amount = draft.amount;
    let known = std::mem::replace(&mut event.facts, draft.facts.clone());
    for mark in known.marks.iter().filter(|mark| matches!(mark, Mark::ToldTwice | Mark::ChangedAfterSent)) {
        event.facts.marks.push(*mark);
    }
    if event.frozen {
        // What the contact lent it when it was first let go stays where its own objects are still silent.
        keep(&mut event.facts, known);
    } else {
        event.key = object_key(&event.scope, &draft.object);
        event.occurred_at = draft.occurred_at;
        event.transaction_id.clone_from(&draft.transaction_id);
    }
    if (changed || other_id) && told && !event.facts.marks.contains(&Mark::ChangedAfterSent) {
        event.facts.marks.push(Mark::ChangedAfterSent);
    }
    Ok(changed && told)
}

fn keep(facts: &mut EventFacts, known: EventFacts) {
    facts.details.fill_from(&known.details);
    facts.attribution.fill_from(&known.attribution);
    facts.consent = known.consent.overlaid_with(facts.consent);
    fn fill<T>(mine: &mut Option<T>, theirs: Option<T>) {
        if mine.is_none() {
            *mine = theirs;
        }
    }
    fill(&mut facts.pricing_tier, known.pricing_tier);
    fill(&mut facts.lead_id, known.lead_id);
    fill(&mut facts.user_id, known.user_id);
    fill(&mut facts.service_id, known.service_id);
    fill(&mut facts.service_name, known.service_name);
    fill(&mut facts.failure_code, known.failure_code);
    fill(&mut facts.days_to_conversion, known.days_to_conversion);
    fill(&mut facts.returning, known.returning);
}
