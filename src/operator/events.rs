//! Webhooks: the list, and the whole story of one.

use super::desk::{Desk, broken, missing, unread};
use super::filter::{OF_EVENTS, Sieve};
use super::pages::{Batch, PAGE, in_batches, one};
use super::reading::Reading;
use super::request::List;
use super::story;
use crate::http::admin::{OperatorError, OperatorRows};
use crate::ledger::books::Books;
use crate::model::id::WebhookId;
use crate::model::time::Timestamp;
use crate::model::webhook::Webhook;
use crate::store::{Page, Snapshot};

use std::time::Duration;

/// Rows are stored in order of arrival; a clock that was set back puts a time this much out of order at most.
pub(super) const DISORDER: Duration = Duration::from_secs(3600);

/// Webhooks, newest first.
pub(super) fn list(desk: &Desk, list: List) -> Result<OperatorRows, OperatorError> {
    let names = desk.names()?;
    let sieve = Sieve::new(list.filter, OF_EVENTS, &names, desk.clock.now())?;
    let mut before = list.after.map(|id| place(desk, &id)).transpose()?;
    let desk = desk.clone();
    in_batches(list.limit, move || {
        let snapshot = desk.snapshot()?;
        let reading = Reading::new(&desk, &snapshot, &names)?;
        let page = Page { before: before.map(|id| id.0), limit: PAGE };
        let webhooks = snapshot.webhooks(page).map_err(broken)?;
        let Some(last) = webhooks.last() else { return Ok(Batch::end()) };
        before = Some(last.id);
        let more = webhooks.len() == PAGE && !is_behind(&sieve, last.received_at);
        let mut rows = Vec::new();
        for webhook in &webhooks {
            if admits(&sieve, &snapshot, webhook)? {
                rows.push(reading.event_row(webhook)?);
            }
        }
        Ok(Batch { rows, more })
    })
}

/// The place in the list behind a webhook: by our number, whether it is still there or not, or by the provider's id.
fn place(desk: &Desk, id: &str) -> Result<WebhookId, OperatorError> {
    match id.trim().parse() {
        Ok(number) => Ok(number),
        Err(_) => Ok(find(desk, &desk.snapshot()?, id)?.id),
    }
}

/// Whether a list that goes back in time has passed everything that is wanted.
pub(super) fn is_behind(sieve: &Sieve, at: Timestamp) -> bool {
    sieve.since.is_some_and(|since| at < since.before(DISORDER))
}

fn admits(sieve: &Sieve, snapshot: &Snapshot, webhook: &Webhook) -> Result<bool, OperatorError> {
    let itself = sieve.admits_time(webhook.received_at)
        && sieve.source.as_ref().is_none_or(|source| *source == webhook.source)
        && sieve.state.as_ref().is_none_or(|state| state == webhook.status.name())
        && sieve.odd.is_none_or(|odd| odd == webhook.is_odd())
        && sieve.event_type.as_ref().is_none_or(|name| *name == webhook.event_type);
    if !itself || (sieve.kind.is_none() && sieve.destination.is_none()) {
        return Ok(itself);
    }
    for id in &webhook.business_events {
        let Some(event) = snapshot.business_event(*id).map_err(unread)? else { continue };
        let told = |destination| event.deliveries.iter().any(|delivery| delivery.destination == destination);
        if sieve.kind.as_ref().is_none_or(|kind| *kind == event.kind) && sieve.destination.is_none_or(told) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Everything about one webhook.
pub(super) fn show(desk: &Desk, id: &str) -> Result<OperatorRows, OperatorError> {
    let names = desk.names()?;
    let snapshot = desk.snapshot()?;
    let webhook = find(desk, &snapshot, id)?;
    let reading = Reading::new(desk, &snapshot, &names)?;
    let rules = desk.configured().source(&webhook.source).map(|source| source.rules);
    Ok(one(story::tell(&reading, &webhook, rules, desk.clock.now())?))
}

/// The webhook that a person means: our number, or the provider's id at any configured provider.
pub(super) fn find(desk: &Desk, snapshot: &Snapshot, text: &str) -> Result<Webhook, OperatorError> {
    let text = text.trim();
    let mut id = None;
    for configured in &desk.configured().sources {
        let mark = format!("{}/{text}", configured.source.provider());
        id = id.or(snapshot.webhook_by_mark(&mark).map_err(broken)?);
    }
    // A mark as it is kept, for a source that is no longer configured.
    id = id.or(snapshot.webhook_by_mark(text).map_err(broken)?);
    if id.is_none() {
        id = text.parse().ok();
    }
    let found = match id {
        Some(id) => snapshot.webhook(id).map_err(unread)?,
        None => None,
    };
    found.ok_or_else(|| {
        missing(format!(
            "there is no event {text}: it has not come, or it is past its keeping time; `tallyhook events list` shows those there are"
        ))
    })
}
