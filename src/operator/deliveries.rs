//! Deliveries: the list, and the whole story of one.

use serde_json::Value;

use super::desk::{Desk, broken, missing, unread};
use super::events::is_behind;
use super::filter::{OF_DELIVERIES, Sieve, wrong};
use super::pages::{Batch, PAGE, in_batches, one};
use super::reading::Reading;
use super::request::List;
use crate::http::admin::{OperatorError, OperatorRows};
use crate::ledger::books::Books;
use crate::model::business_event::BusinessEvent;
use crate::model::delivery::Delivery;
use crate::model::id::DeliveryId;
use crate::store::{Page, Snapshot};

/// Deliveries, newest business event first; those of one event in the order of their numbers.
pub(super) fn list(desk: &Desk, list: List) -> Result<OperatorRows, OperatorError> {
    let names = desk.names()?;
    let sieve = Sieve::new(list.filter, OF_DELIVERIES, &names, desk.clock.now())?;
    let after = list.after.map(|id| id.parse::<DeliveryId>()).transpose().map_err(|error| wrong(error.to_string()))?;
    // The rest of that event's deliveries come first.
    let mut before = after.map(|id| id.event.0.saturating_add(1));
    let desk = desk.clone();
    in_batches(list.limit, move || {
        let snapshot = desk.snapshot()?;
        let reading = Reading::new(&desk, &snapshot, &names)?;
        let events = snapshot.business_events(Page { before, limit: PAGE }).map_err(broken)?;
        let Some(last) = events.last() else { return Ok(Batch::end()) };
        before = Some(last.id.0);
        let more = events.len() == PAGE && !is_behind(&sieve, last.created_at);
        let mut rows = Vec::new();
        for event in events.iter().filter(|event| sieve.admits_time(event.created_at)) {
            if sieve.kind.as_ref().is_some_and(|kind| *kind != event.kind) || !is_from(&sieve, &snapshot, event)? {
                continue;
            }
            let mut deliveries: Vec<&Delivery> = event.deliveries.iter().collect();
            deliveries.sort_by_key(|delivery| delivery.destination);
            for delivery in deliveries {
                let behind =
                    after.is_none_or(|after| event.id < after.event || delivery.destination > after.destination);
                let wanted = sieve.destination.is_none_or(|id| id == delivery.destination)
                    && sieve.state.as_ref().is_none_or(|state| state == delivery.state.name());
                if behind && wanted {
                    rows.push(reading.delivery_row(event, delivery)?);
                }
            }
        }
        Ok(Batch { rows, more })
    })
}

/// Whether a business event's webhook came from the wanted source.
pub(super) fn is_from(sieve: &Sieve, snapshot: &Snapshot, event: &BusinessEvent) -> Result<bool, OperatorError> {
    let Some(source) = &sieve.source else { return Ok(true) };
    let webhook = snapshot.webhook(event.webhook).map_err(unread)?;
    Ok(webhook.is_some_and(|webhook| webhook.source == *source))
}

/// Everything about one delivery.
pub(super) fn show(desk: &Desk, id: &str) -> Result<OperatorRows, OperatorError> {
    Ok(one(story(desk, id)?))
}

/// The row of one delivery with its attempts.
pub(super) fn story(desk: &Desk, id: &str) -> Result<Value, OperatorError> {
    let id: DeliveryId = id.parse().map_err(|error: crate::model::id::NotAnId| wrong(error.to_string()))?;
    let names = desk.names()?;
    let snapshot = desk.snapshot()?;
    let reading = Reading::new(desk, &snapshot, &names)?;
    let event = snapshot.business_event(id.event).map_err(unread)?;
    let found = event.as_ref().and_then(|event| {
        let delivery = event.deliveries.iter().find(|delivery| delivery.destination == id.destination)?;
        Some((event, delivery))
    });
    let (event, delivery) = found.ok_or_else(|| {
        missing(format!("there is no delivery {id}; `tallyhook deliveries list` shows those there are"))
    })?;
    reading.delivery_story(event, delivery)
}
