//! Deletes what is older than its keeping time, in slices, so that acknowledgements do not wait for it.

use redb::ReadableTable;

use super::error::StoreError;
use super::record;
use super::tables::Tables;
use crate::ledger::books::Books;
use crate::model::delivery::State;
use crate::model::id::{BusinessEventId, DestinationId, WebhookId};
use crate::model::time::Timestamp;

/// What to delete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Raw bodies of webhooks that came before a moment.
    Bodies(SweepLimits),
    /// Webhooks that came before a moment, with their dedup marks (and bodies, if they are still there).
    Webhooks(SweepLimits),
    /// Attempts before a moment, but never those of a delivery that is pending or failed. Goes on after a key.
    Attempts(SweepLimits, AttemptKey),
}

/// Where an attempt lies: destination, kind of target, target, number.
pub type AttemptKey = (u16, u8, u64, u32);

/// How far a slice goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepLimits {
    /// What is older goes.
    pub before: Timestamp,
    /// Most rows looked at in this slice.
    pub most: usize,
}

/// Carries out one slice: rows gone, and the next slice if there may be more.
pub(super) fn sweep(tables: &mut Tables<'_>, sweep: Sweep) -> Result<(usize, Option<Sweep>), StoreError> {
    match sweep {
        Sweep::Bodies(limits) => bodies(tables, limits).map(|(rows, more)| (rows, more.then_some(sweep))),
        Sweep::Webhooks(limits) => webhooks(tables, limits).map(|(rows, more)| (rows, more.then_some(sweep))),
        Sweep::Attempts(limits, after) => {
            let (rows, next) = attempts(tables, limits, after)?;
            Ok((rows, next.map(|next| Sweep::Attempts(limits, next))))
        }
    }
}

fn bodies(tables: &mut Tables<'_>, limits: SweepLimits) -> Result<(usize, bool), StoreError> {
    let mut old = Vec::new();
    for row in tables.bodies.iter().map_err(StoreError::storage)?.take(limits.most) {
        let id = row.map_err(StoreError::storage)?.0.value();
        match webhook_time(tables, WebhookId(id))? {
            Some(received_at) if received_at >= limits.before => break,
            _ => old.push(id),
        }
    }
    for id in &old {
        tables.bodies.remove(id).map_err(StoreError::storage)?;
    }
    Ok((old.len(), old.len() == limits.most))
}

fn webhook_time(tables: &Tables<'_>, id: WebhookId) -> Result<Option<Timestamp>, StoreError> {
    let found = tables.webhooks.get(id.0).map_err(StoreError::storage)?;
    Ok(found.map(|bytes| record::webhook::decode(id, bytes.value())).transpose()?.map(|webhook| webhook.received_at))
}

fn webhooks(tables: &mut Tables<'_>, limits: SweepLimits) -> Result<(usize, bool), StoreError> {
    let mut old = Vec::new();
    for row in tables.webhooks.iter().map_err(StoreError::storage)?.take(limits.most) {
        let (id, bytes) = row.map_err(StoreError::storage)?;
        let webhook = record::webhook::decode(WebhookId(id.value()), bytes.value())?;
        if webhook.received_at >= limits.before {
            break;
        }
        old.push((webhook.id, webhook.mark));
    }
    for (id, mark) in &old {
        tables.webhooks.remove(id.0).map_err(StoreError::storage)?;
        tables.bodies.remove(id.0).map_err(StoreError::storage)?;
        if tables.mark(mark)? == Some(*id) {
            tables.marks.remove(mark.as_str()).map_err(StoreError::storage)?;
        }
    }
    Ok((old.len(), old.len() == limits.most))
}

fn attempts(
    tables: &mut Tables<'_>,
    limits: SweepLimits,
    after: AttemptKey,
) -> Result<(usize, Option<AttemptKey>), StoreError> {
    let (mut looked_at, mut last) = (0, after);
    let mut old = Vec::new();
    for row in tables.attempts.range(after..).map_err(StoreError::storage)?.take(limits.most) {
        let (key, bytes) = row.map_err(StoreError::storage)?;
        let (destination, kind, target, number) = key.value();
        looked_at += 1;
        last = (destination, kind, target, number.saturating_add(1));
        let attempt = record::attempt::decode(bytes.value())?;
        if attempt.at >= limits.before {
            continue;
        }
        let open = kind == 0
            && tables.business_event(BusinessEventId(target)).ok().flatten().is_some_and(|event| {
                event.deliveries.iter().any(|delivery| {
                    delivery.destination == DestinationId(destination)
                        && matches!(delivery.state, State::Pending | State::Failed { .. })
                })
            });
        if !open {
            old.push((destination, kind, target, number));
        }
    }
    for key in &old {
        tables.attempts.remove(key).map_err(StoreError::storage)?;
    }
    Ok((old.len(), (looked_at == limits.most).then_some(last)))
}
