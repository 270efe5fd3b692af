//! Writes planned changes. Only redb can fail here.

use super::claimants;
use super::error::StoreError;
use super::numbers::Numbers;
use super::record;
use super::tables::Tables;
use crate::ledger::workspace::{Changes, Target};
use crate::model::time::Timestamp;
use redb::ReadableTable;

/// Most attempts kept of one delivery; the oldest but the first give way.
const MOST_ATTEMPTS: u32 = 50;

/// Writes what one command changes. `received_at` is the command's time, for the counts.
pub(super) fn apply(
    tables: &mut Tables<'_>,
    numbers: &mut Numbers,
    changes: &Changes,
    received_at: Timestamp,
) -> Result<(), StoreError> {
    write(tables, changes).map_err(StoreError::storage)?;
    if let Some(next) = changes.next_numbers {
        tables.next = next;
        numbers.next = next;
    }
    let totals = &mut numbers.totals;
    for webhook in &changes.webhooks {
        totals.webhooks += 1;
        let source = totals.sources.entry(webhook.source.clone()).or_default();
        source.count += 1;
        source.last_event_at = Some(received_at);
        if webhook.is_odd() {
            totals.odd.note(webhook.id, received_at);
        }
    }
    for (destination, change) in &changes.state_counts {
        let counts = totals.destinations.entry(*destination).or_default();
        for (count, change) in counts.iter_mut().zip(change) {
            *count = count.saturating_add_signed(*change);
        }
    }
    totals.ga4_with_client_id += changes.client_ids.0;
    totals.ga4_synthetic += changes.client_ids.1;
    totals.leads += changes.leads_begun;
    totals.sales.note(changes.sales_told, received_at);
    Ok(())
}

fn write(tables: &mut Tables<'_>, changes: &Changes) -> Result<(), redb::Error> {
    for webhook in changes.webhooks.iter().chain(&changes.webhooks_again) {
        tables.webhooks.insert(webhook.id.0, record::webhook::encode(webhook).as_slice())?;
    }
    for group in &changes.groups {
        tables.groups.insert(group.id.0, record::group::encode(group).as_slice())?;
    }
    for contact in &changes.contacts {
        tables.contacts.insert(contact.id.0, record::contact::encode(contact).as_slice())?;
    }
    for event in &changes.business_events {
        tables.business_events.insert(event.id.0, record::business_event::encode(event).as_slice())?;
    }
    for sync in &changes.contact_syncs {
        let key = (sync.destination.0, sync.contact.0);
        tables.contact_syncs.insert(key, record::contact_sync::encode(sync).as_slice())?;
    }
    for (key, history) in &changes.subscriptions {
        tables.subscriptions.insert(key.as_str(), record::subscription::encode(history).as_slice())?;
    }
    for (key, group) in &changes.links {
        tables.links.insert(key.as_str(), group.0)?;
    }
    for (identity, holder) in &changes.identities {
        match holder {
            Some(holder) => {
                drop(tables.identities.insert(identity.key().as_str(), record::holder::encode(*holder).as_slice())?);
            }
            None => drop(tables.identities.remove(identity.key().as_str())?),
        }
    }
    for (claim, claimant) in &changes.claimants_removed {
        let (kind, number) = claimants::key(*claimant);
        tables.claimants.remove((claim.key().as_str(), kind, number))?;
    }
    for (claim, claimant) in &changes.claimants_added {
        let (kind, number) = claimants::key(*claimant);
        tables.claimants.insert((claim.key().as_str(), kind, number), ())?;
    }
    for lead in &changes.leads {
        tables.leads.insert(lead.id.as_str(), record::lead::encode(lead).as_slice())?;
    }
    for (email, lead) in &changes.lead_emails {
        match lead {
            Some(lead) => drop(tables.lead_emails.insert(email.as_str(), lead.as_str())?),
            None => drop(tables.lead_emails.remove(email.as_str())?),
        }
    }
    for due in &changes.due_removed {
        tables.due.remove((due.destination.0, due.at.millis(), due.target))?;
    }
    for due in &changes.due_added {
        tables.due.insert((due.destination.0, due.at.millis(), due.target), ())?;
    }
    for (at, group) in &changes.settle_removed {
        tables.settle.remove((at.millis(), group.0))?;
    }
    for (at, group) in &changes.settle_added {
        tables.settle.insert((at.millis(), group.0), ())?;
    }
    for (destination, event) in &changes.failed_removed {
        tables.failed.remove((destination.0, event.0))?;
    }
    for (destination, event) in &changes.failed_added {
        tables.failed.insert((destination.0, event.0), ())?;
    }
    for (contact, at, group) in &changes.contact_groups_removed {
        tables.contact_groups.remove((contact.0, at.millis(), group.0))?;
    }
    for (contact, at, group) in &changes.contact_groups_added {
        tables.contact_groups.insert((contact.0, at.millis(), group.0), ())?;
    }
    for (destination, target, attempt) in &changes.attempts {
        let (kind, number) = attempt_key(*target);
        let range = (destination.0, kind, number, 0)..=(destination.0, kind, number, u32::MAX);
        let last = match tables.attempts.range(range)?.next_back() {
            Some(row) => row?.0.value().3,
            None => 0,
        };
        tables.attempts.insert(
            (destination.0, kind, number, last.saturating_add(1)),
            record::attempt::encode(attempt).as_slice(),
        )?;
        if last >= MOST_ATTEMPTS {
            tables.attempts.remove((destination.0, kind, number, last - MOST_ATTEMPTS + 2))?;
        }
    }
    Ok(())
}

/// How a target stands in the keys of attempts.
pub(super) const fn attempt_key(target: Target) -> (u8, u64) {
    match target {
        Target::Event(id) => (0, id.0),
        Target::Contact(id) => (1, id.0),
    }
}
