//! Deletes what is older than its keeping time, in slices, so that acknowledgements do not wait for it.

use redb::ReadableTable;

use super::error::StoreError;
use super::record::{self, RecordError};
use super::tables::Tables;
use crate::ledger::books::{Books, BooksError, BooksResult};
use crate::model::delivery::State;
use crate::model::id::{BusinessEventId, ContactId, DestinationId, WebhookId};
use crate::model::time::Timestamp;
use crate::model::webhook::Webhook;

/// What to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Raw bodies of webhooks that came before a moment.
    Bodies(SweepLimits),
    /// Webhooks that came before a moment, with their dedup marks (and bodies, if they are still there).
    Webhooks(SweepLimits),
    /// Attempts before a moment, but never those of a delivery that is pending or failed. Goes on after a key.
    Attempts(SweepLimits, AttemptKey),
    /// Refused requests kept whole that came before a moment.
    Refused(SweepLimits),
}

/// Where an attempt lies: destination, kind of target, target, number.
pub type AttemptKey = (u16, u8, u64, u32);

/// How far a slice goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepLimits {
    /// What is older goes.
    pub before: Timestamp,
    /// About how many rows go in this slice.
    pub most: usize,
}

/// Rows looked at for each that may go, so that a run of rows that can't be read is got over and still costs little.
const LOOKS: usize = 16;

/// What a slice deletes.
pub(super) struct Planned {
    bodies: Vec<u64>,
    webhooks: Vec<(u64, Option<String>)>,
    attempts: Vec<AttemptKey>,
    next: Option<Sweep>,
}

impl Planned {
    const fn nothing() -> Self {
        Self { bodies: Vec::new(), webhooks: Vec::new(), attempts: Vec::new(), next: None }
    }
}

/// Finds what one slice deletes. A record that can't be read ends nothing: it goes with those around it.
pub(super) fn plan(tables: &Tables<'_>, sweep: Sweep, now: Timestamp) -> Result<Planned, StoreError> {
    match sweep {
        Sweep::Bodies(limits) => bodies(tables, sweep, limits, now),
        Sweep::Webhooks(limits) => webhooks(tables, sweep, limits, now),
        Sweep::Attempts(limits, after) => attempts(tables, limits, after),
        // They are in tables of their own, which `refused` sweeps.
        Sweep::Refused(_) => Ok(Planned::nothing()),
    }
}

/// Deletes it: rows gone, and the next slice if there may be more.
pub(super) fn apply(tables: &mut Tables<'_>, planned: Planned) -> Result<(usize, Option<Sweep>), StoreError> {
    for id in &planned.bodies {
        tables.bodies.remove(id).map_err(StoreError::storage)?;
    }
    for (id, mark) in &planned.webhooks {
        tables.webhooks.remove(id).map_err(StoreError::storage)?;
        tables.bodies.remove(id).map_err(StoreError::storage)?;
        // Without its record a webhook's mark is not known and stays: what it refuses was counted.
        if let Some(mark) = mark
            && tables.mark(mark)? == Some(WebhookId(*id))
        {
            tables.marks.remove(mark.as_str()).map_err(StoreError::storage)?;
        }
    }
    for key in &planned.attempts {
        tables.attempts.remove(key).map_err(StoreError::storage)?;
    }
    Ok((planned.bodies.len() + planned.webhooks.len() + planned.attempts.len(), planned.next))
}

/// How old a webhook is, as far as its record tells.
enum Age {
    Old,
    Young,
    /// Its record can't be read, or our clock was wrong when it came. Rows lie in order of arrival, so it is older than any later one.
    Doubtful,
}

fn age(webhook: &Result<Webhook, RecordError>, before: Timestamp, now: Timestamp) -> Age {
    match webhook {
        Ok(webhook) if webhook.received_at < before => Age::Old,
        Ok(webhook) if webhook.received_at <= now => Age::Young,
        _ => Age::Doubtful,
    }
}

fn bodies(tables: &Tables<'_>, sweep: Sweep, limits: SweepLimits, now: Timestamp) -> Result<Planned, StoreError> {
    let (mut old, mut doubtful) = (Vec::new(), Vec::new());
    for row in tables.bodies.iter().map_err(StoreError::storage)?.take(limits.most.saturating_mul(LOOKS)) {
        let id = row.map_err(StoreError::storage)?.0.value();
        let found = tables.webhooks.get(id).map_err(StoreError::storage)?;
        let webhook = found.map(|bytes| record::webhook::decode(WebhookId(id), bytes.value()));
        match webhook.map_or(Age::Old, |webhook| age(&webhook, limits.before, now)) {
            Age::Young => break,
            Age::Doubtful => doubtful.push(id),
            Age::Old => {
                old.append(&mut doubtful);
                old.push(id);
            }
        }
        if old.len() >= limits.most {
            break;
        }
    }
    let next = (old.len() >= limits.most).then_some(sweep);
    Ok(Planned { bodies: old, next, ..Planned::nothing() })
}

fn webhooks(tables: &Tables<'_>, sweep: Sweep, limits: SweepLimits, now: Timestamp) -> Result<Planned, StoreError> {
    let (mut old, mut doubtful) = (Vec::new(), Vec::new());
    for row in tables.webhooks.iter().map_err(StoreError::storage)?.take(limits.most.saturating_mul(LOOKS)) {
        let (id, bytes) = row.map_err(StoreError::storage)?;
        let webhook = record::webhook::decode(WebhookId(id.value()), bytes.value());
        let age = age(&webhook, limits.before, now);
        let row = (id.value(), webhook.ok().map(|webhook| webhook.mark));
        match age {
            Age::Young => break,
            Age::Doubtful => doubtful.push(row),
            Age::Old => {
                old.append(&mut doubtful);
                old.push(row);
            }
        }
        if old.len() >= limits.most {
            break;
        }
    }
    let next = (old.len() >= limits.most).then_some(sweep);
    Ok(Planned { webhooks: old, next, ..Planned::nothing() })
}

fn attempts(tables: &Tables<'_>, limits: SweepLimits, after: AttemptKey) -> Result<Planned, StoreError> {
    let (mut looked_at, mut last) = (0, after);
    let mut old = Vec::new();
    let mut known: Option<((u16, u8, u64), bool)> = None;
    for row in tables.attempts.range(after..).map_err(StoreError::storage)?.take(limits.most) {
        let (key, bytes) = row.map_err(StoreError::storage)?;
        let (destination, kind, target, number) = key.value();
        looked_at += 1;
        last = (destination, kind, target, number.saturating_add(1));
        // An attempt that can't be read tells nobody anything, and goes as an old one does.
        if record::attempt::decode(bytes.value()).is_ok_and(|attempt| attempt.at >= limits.before) {
            continue;
        }
        let whose = (destination, kind, target);
        let open = match known {
            Some((before, open)) if before == whose => open,
            _ if kind == 0 => awaits_person_or_turn(tables, BusinessEventId(target), DestinationId(destination))?,
            _ => contact_is_open(tables, ContactId(target), DestinationId(destination))?,
        };
        known = Some((whose, open));
        if !open {
            old.push((destination, kind, target, number));
        }
    }
    let next = (looked_at == limits.most).then_some(Sweep::Attempts(limits, last));
    Ok(Planned { attempts: old, next, ..Planned::nothing() })
}

/// Whether a business event's delivery is pending or failed. What can't be read might be.
fn awaits_person_or_turn(
    tables: &Tables<'_>,
    event: BusinessEventId,
    destination: DestinationId,
) -> Result<bool, StoreError> {
    Ok(readable(tables.business_event(event))?.is_none_or(|event| {
        event.is_some_and(|event| {
            event.deliveries.iter().any(|delivery| {
                delivery.destination == destination && matches!(delivery.state, State::Pending | State::Failed { .. })
            })
        })
    }))
}

/// Whether a contact, or one that it became, waits for a destination or has a failed delivery there.
fn contact_is_open(tables: &Tables<'_>, first: ContactId, destination: DestinationId) -> Result<bool, StoreError> {
    let mut next = Some(first);
    while let Some(contact) = next {
        let sync = readable(tables.contact_sync(destination, contact))?;
        if sync.is_none_or(|sync| sync.is_some_and(|sync| !sync.pending.is_empty())) {
            return Ok(true);
        }
        let ever = (Timestamp::from_millis(i64::MIN), Timestamp::FAR_FUTURE);
        for group in readable(tables.groups_of(contact, ever.0, ever.1))?.unwrap_or_default() {
            let Some(group) = readable(tables.group(group))? else { return Ok(true) };
            for (_, event) in group.into_iter().flat_map(|group| group.events) {
                if awaits_person_or_turn(tables, event, destination)? {
                    return Ok(true);
                }
            }
        }
        let Some(record) = readable(tables.contact(contact))? else { return Ok(true) };
        next = record.and_then(|record| record.merged_into);
    }
    Ok(false)
}

/// What was read; none when the record can't be understood.
fn readable<T>(read: BooksResult<T>) -> Result<Option<T>, StoreError> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(BooksError::Storage(error)) => Err(StoreError::reading(error)),
        Err(_) => Ok(None),
    }
}
