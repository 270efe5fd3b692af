//! Groups of linked money objects: found, begun, and made one where a link shows that they are.

use super::books::BooksResult;
use super::claims;
use super::contacts;
use super::count::object_key;
use super::fold;
use super::likeness;
use super::merging::{give_group, merge_contacts};
use super::occasion::Occasion;
use super::people::{self, Before};
use super::plan::tell_only_once;
use super::release::{tell_again, was_told, withdraw};
use super::workspace::{Notice, Workspace};
use crate::destinations::Style;
use crate::model::business_event::{BusinessEvent, Mark, Subject};
use crate::model::delivery::{Delivery, State};
use crate::model::group::{Contribution, Group};
use crate::model::id::{BusinessEventId, DestinationId, GroupId};
use crate::model::statement::Statement;

/// The one group of everything that a statement links, older groups joined into the oldest; with what the groups were before.
///
/// # Errors
/// When the books can't be read.
pub fn join_groups(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    statement: &Statement,
) -> BooksResult<(GroupId, Before)> {
    let mut groups = Vec::with_capacity(2);
    let mut unlinked = Vec::with_capacity(1 + statement.links.len());
    for object in std::iter::once(&statement.object).chain(&statement.links) {
        let key = object_key(occasion.scope, &object.id);
        match workspace.link(&key)? {
            Some(group) => groups.push(workspace.live_group(group)?),
            None => unlinked.push(key),
        }
    }
    groups.sort();
    groups.dedup();
    let mut before = Before::default();
    for group in &groups {
        claims::lift(workspace, *group)?;
        before.add(workspace.exact_group(*group)?);
        let row = likeness::row_of(workspace, *group)?;
        before.pairs.extend(row.pairs());
        before.row.extend(row.groups());
    }
    let group = match groups.first() {
        Some(first) => *first,
        None => workspace.new_group(occasion.scope),
    };
    for other in groups.into_iter().skip(1) {
        merge_groups(workspace, occasion, group, other)?;
    }
    for key in unlinked {
        workspace.put_link(key, group);
    }
    Ok((group, before))
}

/// Two groups are one sale: everything of the second goes to the first.
fn merge_groups(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    survivor: GroupId,
    other: GroupId,
) -> BooksResult<()> {
    agree_on_contact(workspace, occasion, survivor, other)?;
    let merged = Group { merged_into: Some(survivor), ..Group::new(other, occasion.scope.clone()) };
    let gone = std::mem::replace(workspace.group_mut(other)?, merged);
    if let Some(contact) = gone.contact {
        contacts::contribute(workspace, contact, &gone.contribution, &Contribution::default())?;
    }
    let record = workspace.group_mut(survivor)?;
    record.counted |= gone.counted;
    for state in gone.objects {
        match record.objects.binary_search_by(|known| known.object.cmp(&state.object)) {
            Ok(at) => fold::join(&mut record.objects[at], state),
            Err(at) => record.objects.insert(at, state),
        }
    }
    for (subject, event) in gone.events {
        workspace.business_event_mut(event)?.group = Some(survivor);
        let rival = workspace.exact_group(survivor)?.events.iter().find(|(known, _)| *known == subject);
        let Some(rival) = rival.map(|(_, id)| *id) else {
            workspace.group_mut(survivor)?.events.push((subject, event));
            continue;
        };
        let stays = keep_one(workspace, occasion, rival, event)?;
        for (known, id) in &mut workspace.group_mut(survivor)?.events {
            if *known == subject {
                *id = stays;
            }
        }
    }
    Ok(())
}

/// Puts both groups under one contact: that of the one that names a person, so that nothing is told of anybody in between.
/// Two named people are one.
fn agree_on_contact(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    survivor: GroupId,
    other: GroupId,
) -> BooksResult<()> {
    let mut sides = [(survivor, None, false), (other, None, false)];
    for (group, contact, named) in &mut sides {
        let record = workspace.exact_group(*group)?;
        (*contact, *named) = (record.contact, people::knows_person(record));
        if let Some(known) = *contact {
            *contact = Some(workspace.live_contact(known)?);
        }
    }
    let [(_, mine, mine_named), (_, theirs, theirs_named)] = sides;
    match (mine, theirs) {
        (Some(mine), Some(theirs)) if mine == theirs => Ok(()),
        (Some(mine), Some(theirs)) if mine_named && theirs_named => {
            merge_contacts(workspace, occasion, mine.min(theirs), mine.max(theirs), true)
        }
        (Some(_), Some(theirs)) if theirs_named => give_group(workspace, occasion, survivor, theirs),
        (None, Some(theirs)) => give_group(workspace, occasion, survivor, theirs),
        (Some(mine), _) => give_group(workspace, occasion, other, mine),
        (None, None) => Ok(()),
    }
}

/// Of two business events of one fact, the one that goes on: one that an event destination has been told, else one that none has
/// refused, else one that is already in a queue. The other is withdrawn; what was told of it is reported or told anew.
fn keep_one(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    first: BusinessEventId,
    second: BusinessEventId,
) -> BooksResult<BusinessEventId> {
    let rank = |event: &BusinessEvent| {
        let told = |delivery: &Delivery| delivery.frozen.is_some() && was_told(delivery);
        let refused = |delivery: &Delivery| delivery.frozen.is_some() && matches!(delivery.state, State::Failed { .. });
        let is_absorbed = event.facts.marks.contains(&Mark::Absorbed);
        (event.deliveries.iter().any(told), !is_absorbed, !event.deliveries.iter().any(refused), event.frozen)
    };
    let second_leads = rank(workspace.business_event(second)?) > rank(workspace.business_event(first)?);
    let (stays, goes) = if second_leads { (second, first) } else { (first, second) };
    retire(workspace, occasion, stays, goes)?;
    Ok(stays)
}

/// A business event of a fact that another one tells of: what is still to be sent of it is withdrawn, and what was told of it is
/// reported or told anew.
///
/// # Errors
/// When the books can't be read.
pub(super) fn retire(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    stays: BusinessEventId,
    goes: BusinessEventId,
) -> BooksResult<()> {
    let twice = tell_only_once(workspace, occasion.rules, stays, goes)?;
    withdraw(workspace, goes)?;
    if let Some(destination) = twice {
        let event = workspace.business_event_mut(goes)?;
        if event.subject == Subject::Sale && !event.facts.marks.contains(&Mark::ToldTwice) {
            event.facts.marks.push(Mark::ToldTwice);
            let transaction_id = event.transaction_id.clone();
            workspace.notices.push(Notice::ToldTwice { event: goes, destination, transaction_id });
        }
    }
    let event = workspace.business_event(goes)?;
    if let Some(contact) = event.contact {
        let told = told_contact_destinations(occasion, event);
        tell_again(workspace, occasion.rules, occasion.scope, occasion.webhook, contact, &told)?;
    }
    Ok(())
}

/// The contact destinations that were told of a business event.
pub(super) fn told_contact_destinations(occasion: &Occasion<'_>, event: &BusinessEvent) -> Vec<DestinationId> {
    let of_contacts = occasion.rules.destinations.iter().filter(|rules| rules.destination.style() == Style::Contact);
    of_contacts
        .map(|rules| rules.id)
        .filter(|id| event.deliveries.iter().any(|delivery| delivery.destination == *id && was_told(delivery)))
        .collect()
}
