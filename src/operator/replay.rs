//! Stored webhooks interpreted again: what an older version or setting left out is added, nothing is done twice.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use super::desk::{Desk, broken, unread, unwritten};
use super::events::find;
use super::failed::refusal;
use super::filter::wrong;
use super::pages::{Batch, in_batches};
use crate::http::admin::{OperatorError, OperatorRows};
use crate::ledger::books::Books;
use crate::model::id::{BusinessEventId, WebhookId};
use crate::model::statement::Interpreted;
use crate::model::webhook::Webhook;
use crate::store::{Command, Snapshot};

/// Interprets webhooks again, one after the other.
pub(super) fn replay(desk: &Desk, ids: Vec<String>) -> Result<OperatorRows, OperatorError> {
    if ids.is_empty() {
        return Err(wrong("say which events, for example w12"));
    }
    let mut ids = VecDeque::from(ids);
    let desk = desk.clone();
    in_batches(None, move || {
        let Some(id) = ids.pop_front() else { return Ok(Batch::end()) };
        Ok(Batch { rows: vec![replay_one(&desk, &id)?], more: !ids.is_empty() })
    })
}

fn replay_one(desk: &Desk, id: &str) -> Result<Value, OperatorError> {
    let refused = |id: &str, reason: String| json!({"id": id, "result": "refused", "reason": reason});
    let (before, webhook, interpreted) = {
        let snapshot = desk.snapshot()?;
        let webhook = match find(desk, &snapshot, id) {
            Ok(webhook) => webhook,
            Err(error) if error.status == 404 => return Ok(refused(id, error.message)),
            Err(error) => return Err(error),
        };
        match interpret(desk, &snapshot, &webhook)? {
            Ok(interpreted) => (Told::read(&snapshot, webhook.id)?, webhook, interpreted),
            Err(reason) => return Ok(refused(&webhook.id.to_string(), reason)),
        }
    };
    let reply = desk.writer.run(Command::Reinterpret(webhook.id, Box::new(interpreted)));
    if let Err(error) = &reply {
        return Err(unwritten(error));
    }
    if let Some(reason) = refusal(reply) {
        return Ok(refused(&webhook.id.to_string(), reason));
    }
    let after = Told::read(&desk.snapshot()?, webhook.id)?;
    let added: Vec<&str> = after.kinds_not_in(&before);
    let deliveries = after.deliveries.saturating_sub(before.deliveries);
    let changed = before != after;
    Ok(json!({
        "id": webhook.id.to_string(),
        "result": if changed { "replayed" } else { "unchanged" },
        "reason": Value::Null,
        "status_before": before.status,
        "status": after.status,
        "business_events_added": added,
        "deliveries_added": deliveries,
    }))
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
    Ok(match catch_unwind(AssertUnwindSafe(|| source.source.interpret(&body))) {
        Ok(Ok(interpreted)) => Ok(interpreted),
        Ok(Err(invalid)) => Err(invalid.to_string()),
        Err(_panic) => {
            Err("this version's code fails on it too; please report the place that its log names".to_owned())
        }
    })
}

/// What a webhook has come to.
#[derive(PartialEq, Eq)]
struct Told {
    status: &'static str,
    events: BTreeMap<BusinessEventId, String>,
    deliveries: usize,
}

impl Told {
    fn read(snapshot: &Snapshot, id: WebhookId) -> Result<Self, OperatorError> {
        let Some(webhook) = snapshot.webhook(id).map_err(unread)? else {
            return Ok(Self { status: "gone", events: BTreeMap::new(), deliveries: 0 });
        };
        let ids: BTreeSet<BusinessEventId> = webhook.business_events.iter().copied().collect();
        let (mut events, mut deliveries) = (BTreeMap::new(), 0);
        for id in ids {
            if let Some(event) = snapshot.business_event(id).map_err(unread)? {
                deliveries += event.deliveries.len();
                events.insert(id, event.kind.name().to_owned());
            }
        }
        Ok(Self { status: webhook.status.name(), events, deliveries })
    }

    fn kinds_not_in(&self, before: &Self) -> Vec<&str> {
        self.events.iter().filter(|(id, _)| !before.events.contains_key(id)).map(|(_, kind)| kind.as_str()).collect()
    }
}
