//! Stored webhooks interpreted again: what an older version or setting left out is added, nothing is done twice.

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use super::desk::{Desk, broken, unread, unwritten};
use super::events::find;
use super::failed::refusal;
use super::filter::wrong;
use super::pages::{Batch, PAGE, in_batches};
use crate::http::admin::{OperatorError, OperatorRows};
use crate::ledger::books::{Books, BooksError, BooksResult};
use crate::ledger::count;
use crate::ledger::workspace::{Changes, Workspace};
use crate::model::business_event::BusinessEvent;
use crate::model::delivery::Delivery;
use crate::model::id::{BusinessEventId, WebhookId};
use crate::model::statement::Interpreted;
use crate::model::webhook::{Status, Webhook};
use crate::sources::Message;
use crate::store::{Command, Page, Snapshot};

/// Interprets webhooks again, one after the other.
pub(super) fn replay(desk: &Desk, ids: Vec<String>, dry_run: bool) -> Result<OperatorRows, OperatorError> {
    if ids.is_empty() {
        return Err(wrong("say which events, for example w12"));
    }
    let mut ids = VecDeque::from(ids);
    let desk = desk.clone();
    in_batches(None, move || {
        let Some(id) = ids.pop_front() else { return Ok(Batch::end()) };
        Ok(Batch { rows: vec![replay_one(&desk, &id, dry_run)?], more: !ids.is_empty() })
    })
}

fn replay_one(desk: &Desk, id: &str, dry_run: bool) -> Result<Value, OperatorError> {
    let refused = |id: &str, reason: String| json!({"id": id, "result": "refused", "reason": reason});
    let before = desk.snapshot()?;
    let webhook = match find(desk, &before, id) {
        Ok(webhook) => webhook,
        Err(error) if error.status == 404 => return Ok(refused(id, error.message)),
        Err(error) => return Err(error),
    };
    let interpreted = match interpret(desk, &before, &webhook)? {
        Ok(interpreted) => interpreted,
        Err(reason) => return Ok(refused(&webhook.id.to_string(), reason)),
    };
    if dry_run {
        return Ok(match rehearse(desk, &before, &webhook, &interpreted) {
            Ok((status, difference)) => difference.row(&webhook, status, "would_replay"),
            Err(error) => refused(&webhook.id.to_string(), error.to_string()),
        });
    }
    let reply = desk.writer.run(Command::Reinterpret(webhook.id, Box::new(interpreted)));
    if let Err(error) = &reply {
        return Err(unwritten(error));
    }
    if let Some(reason) = refusal(reply) {
        return Ok(refused(&webhook.id.to_string(), reason));
    }
    let after = desk.snapshot()?;
    let now = after.webhook(webhook.id).map_err(unread)?.unwrap_or_else(|| webhook.clone());
    Ok(Difference::between(&before, &after, &webhook, &now)?.row(&webhook, now.status, "replayed"))
}

/// What a replay would do, worked out by the same plan over the books as they are, without writing it.
fn rehearse(
    desk: &Desk,
    books: &Snapshot,
    webhook: &Webhook,
    interpreted: &Interpreted,
) -> BooksResult<(Status, Difference)> {
    let rules = desk.writer.rules();
    let planned = catch_unwind(AssertUnwindSafe(|| {
        let mut workspace = Workspace::new(books, desk.clock.now());
        count::plan_again(&mut workspace, &rules, webhook.clone(), interpreted)?;
        Ok(workspace.finish())
    }));
    let changes: Changes = planned.unwrap_or_else(|_| {
        Err(BooksError::Refused("this version's code fails on it; please report the place that its log names".into()))
    })?;
    let mut difference = Difference::nothing();
    for now in &changes.business_events {
        difference.note(books.business_event(now.id)?.as_ref(), now);
    }
    let status = changes.webhooks_again.first().map_or(webhook.status, |webhook| webhook.status);
    Ok((status, difference))
}

/// What the stored body means today; or why that can't be said.
fn interpret(
    desk: &Desk,
    snapshot: &Snapshot,
    webhook: &Webhook,
) -> Result<Result<Interpreted, String>, OperatorError> {
    let configured = desk.configured();
    let Some(source) = configured.source(&webhook.source) else {
        return Ok(Err(format!("its source {:?} is no longer configured; put it back first", webhook.source)));
    };
    let limit = usize::try_from(webhook.body_bytes).unwrap_or(usize::MAX);
    let Some(body) = snapshot.body(webhook.id, limit).map_err(broken)? else {
        return Ok(Err("its body is past its keeping time ([retention] payloads)".to_owned()));
    };
    let message = Message { envelope: &webhook.envelope, body: &body, received_at: webhook.received_at };
    Ok(match catch_unwind(AssertUnwindSafe(|| source.source.interpret(&message))) {
        Ok(Ok(interpreted)) => Ok(interpreted),
        Ok(Err(invalid)) => Err(invalid.to_string()),
        Err(_panic) => {
            Err("this version's code fails on it too; please report the place that its log names".to_owned())
        }
    })
}

/// What a replay did to the books, whatever the webhook itself is said to tell of: others may have told the same before.
struct Difference {
    /// Kinds of the business events that were not there before.
    added: Vec<String>,
    /// Kinds of those that were there and now say something else.
    corrected: Vec<String>,
    /// Deliveries that were not there before.
    deliveries: usize,
}

impl Difference {
    /// Between two moments, for one webhook as it was and as it is.
    fn between(before: &Snapshot, after: &Snapshot, was: &Webhook, is: &Webhook) -> Result<Self, OperatorError> {
        let mut ids: BTreeSet<BusinessEventId> =
            was.business_events.iter().chain(&is.business_events).copied().collect();
        ids.extend(events_of_sale(after, is)?);
        ids.extend(begun_since(before, after, is.id)?);
        let mut difference = Self::nothing();
        for id in ids {
            let Some(now) = after.business_event(id).map_err(unread)? else { continue };
            difference.note(before.business_event(id).map_err(unread)?.as_ref(), &now);
        }
        Ok(difference)
    }

    const fn nothing() -> Self {
        Self { added: Vec::new(), corrected: Vec::new(), deliveries: 0 }
    }

    /// Notes a business event as it was, if it was there, and as it is.
    fn note(&mut self, known: Option<&BusinessEvent>, now: &BusinessEvent) {
        match known {
            None => {
                self.added.push(now.kind.name().to_owned());
                self.deliveries += now.deliveries.len();
            }
            Some(known) => {
                if says_other(known, now) {
                    self.corrected.push(now.kind.name().to_owned());
                }
                let is_new = |delivery: &&Delivery| {
                    !known.deliveries.iter().any(|known| known.destination == delivery.destination)
                };
                self.deliveries += now.deliveries.iter().filter(is_new).count();
            }
        }
    }

    /// The row of a webhook whose status is then another one, perhaps.
    fn row(&self, webhook: &Webhook, status: Status, result: &str) -> Value {
        let Self { added, corrected, deliveries } = self;
        let changed = webhook.status != status || *deliveries > 0 || !added.is_empty() || !corrected.is_empty();
        json!({
            "id": webhook.id.to_string(),
            "result": if changed { result } else { "unchanged" },
            "reason": Value::Null,
            "status_before": webhook.status.name(),
            "status": status.name(),
            "business_events_added": added,
            "business_events_corrected": corrected,
            "deliveries_added": deliveries,
        })
    }
}

/// Whether a business event was corrected. Its deliveries go their own way meanwhile.
fn says_other(known: &BusinessEvent, now: &BusinessEvent) -> bool {
    (&known.kind, known.amount, &known.transaction_id, &known.facts.details)
        != (&now.kind, now.amount, &now.transaction_id, &now.facts.details)
}

/// The business events of the sale that a webhook belongs to.
fn events_of_sale(snapshot: &Snapshot, webhook: &Webhook) -> Result<Vec<BusinessEventId>, OperatorError> {
    let mut next = webhook.group;
    while let Some(id) = next {
        let Some(group) = snapshot.group(id).map_err(unread)? else { break };
        if group.merged_into.is_none() {
            return Ok(group.events.into_iter().map(|(_, event)| event).collect());
        }
        next = group.merged_into;
    }
    Ok(Vec::new())
}

/// The business events that a webhook gave rise to since a moment, in whatever sale or none.
fn begun_since(before: &Snapshot, after: &Snapshot, webhook: WebhookId) -> Result<Vec<BusinessEventId>, OperatorError> {
    let newest = before.business_events(Page { before: None, limit: 1 }).map_err(broken)?.first().map(|event| event.id);
    let (mut begun, mut page) = (Vec::new(), Page { before: None, limit: PAGE });
    loop {
        let events = after.business_events(page).map_err(broken)?;
        for event in &events {
            if newest.is_some_and(|newest| event.id <= newest) {
                return Ok(begun);
            }
            if event.webhook == webhook {
                begun.push(event.id);
            }
        }
        match events.last() {
            Some(last) if events.len() == PAGE => page.before = Some(last.id.0),
            _ => return Ok(begun),
        }
    }
}
