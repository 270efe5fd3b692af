//! Contacts that prove to be one person, and groups that prove to be somebody else's.

use super::books::BooksResult;
use super::claims;
use super::contacts::{self, contribute, learn_from};
use super::forget;
use super::occasion::Occasion;
use super::people::{is_known_at, is_person};
use super::release;
use super::workspace::{Notice, Workspace};
use crate::destinations::Style;
use crate::model::contact::Contact;
use crate::model::delivery::{Schedule, State};
use crate::model::group::Contribution;
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId};
use crate::model::identity::Holder;

/// Two contacts are one: everything of the second goes to the first. `learned` says whether what was said of the second was
/// said of the person too; of purchases that only a lead id or phone connects, it was not.
///
/// # Errors
/// When the books can't be read.
pub(super) fn merge_contacts(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    survivor: ContactId,
    other: ContactId,
    learned: bool,
) -> BooksResult<()> {
    let gone = workspace.contact(other)?.clone();
    workspace.put_contact(Contact { merged_into: Some(survivor), ..Contact::new(other, gone.mode) });
    for identity in &gone.identities {
        workspace.put_holder(identity.clone(), Holder::Contact(survivor));
    }
    // Listed under the contact as it was: places are worked out from the groups' own contact.
    for group in workspace.groups_of(other)? {
        workspace.group_mut(group)?.contact = Some(survivor);
    }
    let contact = workspace.contact_mut(survivor)?;
    contact.erased = forget::stays_erased(contact, &gone);
    for identity in gone.identities.clone() {
        if let Err(at) = contact.identities.binary_search(&identity) {
            contact.identities.insert(at, identity);
        }
    }
    let shown = contact.person.clone();
    if learned {
        learn_from(contact, &gone);
    }
    let changed = shown != contact.person;
    for sum in gone.totals.iter() {
        contact.totals.add(sum);
    }
    contact.totals.drop_zeros();
    contact.purchases = contact.purchases.saturating_add(gone.purchases);
    contact.renewals = contact.renewals.saturating_add(gone.renewals);
    contact.refunds = contact.refunds.saturating_add(gone.refunds);
    contact.disputes_lost = contact.disputes_lost.saturating_add(gone.disputes_lost);
    contacts::add_subscriptions(&mut contact.subscriptions, &gone.subscriptions);
    if let Some(since) = gone.customer_since {
        contact.may_have_begun(since, gone.first_currency);
    }
    if gone.last_sale > contact.last_sale {
        contact.last_sale = gone.last_sale;
        contact.payment_method_type = gone.payment_method_type;
    }
    let mut outdated = Vec::new();
    for destination in occasion.rules.destinations.iter().filter(|rules| rules.destination.style() == Style::Contact) {
        let stale = merge_standing(workspace, destination.id, survivor, other)?;
        if stale || (changed && is_known_at(workspace, destination.id, survivor)?) {
            outdated.push(destination.id);
        }
    }
    for (claim, _) in claims::withdraw_claims(workspace, other, &gone.shared, Some(survivor))? {
        claims::unshare(workspace, occasion, &claim, survivor)?;
    }
    release::tell_again(workspace, occasion.rules, occasion.scope, occasion.webhook, survivor, &outdated)
}

/// What was pending for the second is pending for the first, and due. The older acquaintance keeps its remote id. Returns
/// whether what the destination knows of the two is out of date and nothing is pending that would tell it.
fn merge_standing(
    workspace: &mut Workspace<'_>,
    destination: DestinationId,
    survivor: ContactId,
    other: ContactId,
) -> BooksResult<bool> {
    if workspace.existing_sync(destination, other)?.is_none() {
        return Ok(false);
    }
    let now = workspace.now;
    let gone = {
        let sync = workspace.sync(destination, other)?;
        let gone = sync.clone();
        sync.pending.clear();
        sync.schedule = Schedule::default();
        gone
    };
    for event in &gone.pending {
        workspace.business_event_mut(*event)?.contact = Some(survivor);
    }
    let sync = workspace.sync(destination, survivor)?;
    sync.not_before = sync.not_before.max(gone.not_before);
    let due_at = sync.not_before(now);
    if !gone.pending.is_empty() {
        let both = !sync.pending.is_empty();
        sync.waiting_since = if both { sync.waiting_since.min(gone.waiting_since) } else { gone.waiting_since };
        sync.schedule = Schedule {
            due_at,
            settling: false,
            attempts: if both { sync.schedule.attempts.min(gone.schedule.attempts) } else { gone.schedule.attempts },
            started_at: [sync.schedule.started_at, gone.schedule.started_at].into_iter().flatten().min(),
        };
    } else if !sync.pending.is_empty() {
        sync.schedule.due_at = sync.schedule.due_at.min(due_at);
    }
    sync.pending.extend(gone.pending);
    sync.pending.sort();
    sync.pending.dedup();
    if sync.remote_id.is_none() && gone.remote_id.is_some() {
        sync.external_id = gone.external_id.or(sync.external_id.take());
    } else if sync.external_id.is_none() {
        sync.external_id = gone.external_id;
    }
    let mut further = Vec::new();
    for id in gone.remote_id.into_iter().chain(gone.left_over) {
        if sync.find_record(&id) {
            further.push(id);
        }
    }
    let stale = sync.pending.is_empty() && (sync.remote_id.is_some() || sync.external_id.is_some());
    let kept = sync.remote_id.clone().unwrap_or_default();
    workspace.notices.extend(further.into_iter().map(|left_over| Notice::SecondRecord {
        destination,
        kept: kept.clone(),
        left_over,
    }));
    Ok(stale)
}

/// A group proves to be another contact's, or anybody's at all: its money, its events and what of them is pending go there.
///
/// # Errors
/// When the books can't be read.
pub(super) fn give_group(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    group: GroupId,
    to: ContactId,
) -> BooksResult<()> {
    let record = workspace.exact_group(group)?;
    let from = record.contact;
    if from == Some(to) {
        return Ok(());
    }
    let contribution = record.contribution.clone();
    let events: Vec<BusinessEventId> = record.events.iter().map(|(_, id)| *id).collect();
    let from = match from {
        Some(from) => Some(workspace.live_contact(from)?),
        None => None,
    };
    workspace.group_mut(group)?.contact = Some(to);
    if from == Some(to) {
        return Ok(());
    }
    if let Some(from) = from {
        contribute(workspace, from, &contribution, &Contribution::default())?;
    }
    contribute(workspace, to, &Contribution::default(), &contribution)?;
    let mut told = Vec::new();
    for id in events {
        workspace.business_event_mut(id)?.contact = Some(to);
        for destination in
            occasion.rules.destinations.iter().filter(|rules| rules.destination.style() == Style::Contact)
        {
            let event = workspace.business_event(id)?;
            let Some(delivery) = event.deliveries.iter().find(|delivery| delivery.destination == destination.id) else {
                continue;
            };
            match delivery.state {
                State::Delivered { .. } => told.push(destination.id),
                State::Pending if !delivery.schedule.settling => {
                    if let Some(from) = from {
                        release::dequeue(workspace, destination.id, from, id)?;
                    }
                    let now = workspace.now;
                    release::enqueue(workspace, destination.id, to, id, now)?;
                }
                _ => {}
            }
        }
    }
    told.sort();
    told.dedup();
    // Whoever was told of the money under the one person is to know that it is the other's.
    for contact in from.into_iter().chain([to]) {
        if from.is_some() {
            release::tell_again(workspace, occasion.rules, occasion.scope, occasion.webhook, contact, &told)?;
        }
    }
    Ok(())
}

/// Whether a contact is known by more than a lead id or a phone.
pub(super) fn is_somebody(workspace: &mut Workspace<'_>, contact: ContactId) -> BooksResult<bool> {
    Ok(is_person(workspace.contact(contact)?))
}
