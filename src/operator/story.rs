//! One webhook explained: what came, what it was taken for, what it belongs to, and what became of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::desk::{broken, unread};
use super::reading::{Reading, amount, marks, time};
use crate::http::admin::OperatorError;
use crate::ledger::books::Books;
use crate::model::business_event::{BusinessEvent, Mark};
use crate::model::delivery::State;
use crate::model::group::Group;
use crate::model::id::{BusinessEventId, GroupId};
use crate::model::statement::{ObjectKind, ObjectState};
use crate::model::webhook::{Status, Webhook};

/// Objects of a group that are listed at most; a sale has a handful.
const MOST_OBJECTS: usize = 50;

/// The whole story as one row; it holds all that the row of a list does.
pub(super) fn tell(reading: &Reading<'_>, webhook: &Webhook) -> Result<Value, OperatorError> {
    let mut row = reading.event_row(webhook)?;
    let group = group_of(reading, webhook)?;
    let events = events_of(reading, webhook, group.as_ref())?;
    row["mark"] = json!(webhook.mark);
    row["body_bytes"] = json!(webhook.body_bytes);
    row["body_kept"] = json!(has_body(reading, webhook)?);
    row["meaning"] = json!(meaning(webhook, &events));
    row["sale"] = group.as_ref().map_or(Value::Null, |group| group_row(group, &events));
    let mut told = Vec::with_capacity(events.len());
    for event in &events {
        told.push(event_story(reading, event, webhook)?);
    }
    row["business_events"] = Value::Array(told);
    Ok(row)
}

fn has_body(reading: &Reading<'_>, webhook: &Webhook) -> Result<bool, OperatorError> {
    let limit = usize::try_from(webhook.body_bytes).unwrap_or(usize::MAX);
    Ok(reading.snapshot.body(webhook.id, limit).map_err(broken)?.is_some())
}

/// The group as it is today, through those it was merged into.
fn group_of(reading: &Reading<'_>, webhook: &Webhook) -> Result<Option<Group>, OperatorError> {
    let mut next: Option<GroupId> = webhook.group;
    while let Some(id) = next {
        let Some(group) = reading.snapshot.group(id).map_err(unread)? else { return Ok(None) };
        if group.merged_into.is_none() {
            return Ok(Some(group));
        }
        next = group.merged_into;
    }
    Ok(None)
}

/// The webhook's business events and all others of its group, in order.
fn events_of(
    reading: &Reading<'_>,
    webhook: &Webhook,
    group: Option<&Group>,
) -> Result<Vec<BusinessEvent>, OperatorError> {
    let of_group = group.into_iter().flat_map(|group| group.events.iter().map(|(_, id)| *id));
    let ids: BTreeSet<BusinessEventId> = webhook.business_events.iter().copied().chain(of_group).collect();
    let mut events = Vec::new();
    for id in ids {
        events.extend(reading.snapshot.business_event(id).map_err(unread)?);
    }
    Ok(events)
}

/// What it was taken for, in a sentence.
fn meaning(webhook: &Webhook, events: &[BusinessEvent]) -> String {
    match webhook.status {
        Status::Ignored => "it says nothing about the business and was only kept".to_owned(),
        Status::Unreadable => {
            format!("our own code failed on it; it was kept: `tallyhook events replay {}` tries again", webhook.id)
        }
        Status::Accepted => {
            let new: Vec<&str> =
                events.iter().filter(|event| event.webhook == webhook.id).map(|event| event.kind.name()).collect();
            match (new.is_empty(), webhook.business_events.is_empty()) {
                (false, _) => format!("it was the first to tell of: {}", new.join(", ")),
                (true, false) => "it speaks of what other events had told before, and counts nothing twice".to_owned(),
                (true, true) => "it says something about a sale, but nothing that counts by itself".to_owned(),
            }
        }
    }
}

fn group_row(group: &Group, events: &[BusinessEvent]) -> Value {
    let mut joined = Vec::new();
    for state in &group.objects {
        for link in &state.links {
            joined.push(format!("{} names {} as the same money", state.object.id, link.id));
        }
    }
    if events.iter().any(|event| event.facts.marks.contains(&Mark::ByLikeness)) {
        joined.push(Mark::ByLikeness.sentence().to_owned());
    }
    joined.truncate(MOST_OBJECTS);
    json!({
        "id": group.id.to_string(),
        "scope": group.scope.to_string(),
        "contact": group.contact.map(|contact| contact.to_string()),
        "settles_at": group.settle_at.map(time),
        "objects": group.objects.iter().take(MOST_OBJECTS).map(object_row).collect::<Vec<_>>(),
        "joined": joined,
    })
}

fn object_row(state: &ObjectState) -> Value {
    json!({
        "kind": object_name(state.object.kind),
        "id": state.object.id,
        "paid": state.paid.as_ref().map(|paid| json!({"amount": paid.amount.to_string(), "at": time(paid.at)})),
        "failed_attempts": state.failed_attempts.len(),
        "refund": state.refund.map(|refund| json!({
            "amount": refund.amount.to_string(), "counted": refund.counted, "failed": refund.failed,
            "cancelled": refund.cancelled,
        })),
        "subscription": state.subscription,
        "links": state.links.iter().map(|link| link.id.as_str()).collect::<Vec<_>>(),
    })
}

const fn object_name(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Session => "session",
        ObjectKind::Invoice => "invoice",
        ObjectKind::Intent => "payment intent",
        ObjectKind::Charge => "charge",
        ObjectKind::Refund => "refund",
        ObjectKind::Dispute => "dispute",
        ObjectKind::Subscription => "subscription",
        ObjectKind::Customer => "customer",
    }
}

fn event_story(reading: &Reading<'_>, event: &BusinessEvent, webhook: &Webhook) -> Result<Value, OperatorError> {
    let mut deliveries = Vec::with_capacity(event.deliveries.len());
    for delivery in &event.deliveries {
        deliveries.push(reading.delivery_story(event, delivery)?);
    }
    let open = event.deliveries.iter().filter(|delivery| delivery.state == State::Pending).count();
    Ok(json!({
        "id": event.id.to_string(),
        "kind": event.kind.name(),
        "key": event.key,
        "amount": amount(event.amount),
        "transaction_id": event.transaction_id,
        "occurred_at": time(event.occurred_at),
        "event": event.webhook.to_string(),
        "from_this_event": event.webhook == webhook.id,
        "contact": reading.survivor(event.contact)?.map(|contact| contact.to_string()),
        "frozen": event.frozen,
        "pending": open,
        "marks": marks(event),
        "deliveries": deliveries,
    }))
}
