//! Everything that is known of a person, for the person who asks for it (GDPR Art. 15 and 20). The only rows that hold personal data.

use serde_json::{Value, json};

use super::contacts::{find, row};
use super::desk::{Desk, broken, unread};
use super::objects;
use super::person::{Belongings, gather};
use super::reading::{Reading, time};
use crate::http::admin::{OperatorError, OperatorRows};
use crate::ledger::books::Books;
use crate::ledger::workspace::Target;
use crate::model::contact::Contact;
use crate::model::group::Group;
use crate::model::id::WebhookId;
use crate::model::lead::Lead;
use crate::model::statement::Person;

/// A row for each contact that a text names.
pub(super) fn export(desk: &Desk, text: &str) -> Result<OperatorRows, OperatorError> {
    let names = desk.names()?;
    let snapshot = desk.snapshot()?;
    let reading = Reading::new(desk, &snapshot, &names)?;
    let text = text.trim();
    let mut rows = Vec::new();
    for contact in find(&reading, text)? {
        let known = row(&reading, &contact, desk.clock.now())?;
        let belongings = gather(&reading, contact, text)?;
        rows.push(everything(&reading, &belongings, known)?);
    }
    Ok(Box::new(rows.into_iter()))
}

fn everything(reading: &Reading<'_>, person: &Belongings, known: Value) -> Result<Value, OperatorError> {
    let mut events = Vec::new();
    for event in &person.events {
        let mut deliveries = Vec::new();
        for delivery in &event.deliveries {
            deliveries.push(reading.delivery_story(event, delivery)?);
        }
        events.push(json!({
            "id": event.id.to_string(),
            "kind": event.kind.name(),
            "key": event.key,
            "occurred_at": time(event.occurred_at),
            "transaction_id": event.transaction_id,
            "amount": event.amount.map(|amount| amount.to_string()),
            "pricing_tier": event.facts.pricing_tier,
            "lead_id": event.facts.lead_id,
            "user_id": event.facts.user_id,
            "service_id": event.facts.service_id,
            "service_name": event.facts.service_name,
            "items": event.facts.details.items.iter().map(|item| item.name.as_ref().or(item.id.as_ref())).collect::<Vec<_>>(),
            "attribution": event.facts.attribution,
            "consent": event.facts.consent,
            "deliveries": deliveries,
        }));
    }
    let mut webhooks = Vec::new();
    for id in &person.webhooks {
        webhooks.extend(webhook(reading, *id)?);
    }
    let mut leads = Vec::new();
    for id in &person.leads {
        leads.extend(reading.snapshot.lead(id).map_err(unread)?.as_ref().map(lead));
    }
    Ok(json!({
        "contact": identified(&person.contact, known),
        "synchronisations": synchronisations(reading, &person.contact)?,
        "money": person.groups.iter().map(group).collect::<Vec<_>>(),
        "business_events": events,
        "webhooks": webhooks,
        "refused_requests": person.refused.iter().map(|(_, id)| format!("r{id}")).collect::<Vec<_>>(),
        "leads": leads,
    }))
}

/// What `contacts show` tells, and who it is.
fn identified(contact: &Contact, mut known: Value) -> Value {
    known["person"] = named(&contact.person);
    known["identities"] = contact
        .identities
        .iter()
        .chain(&contact.shared)
        .map(|identity| json!({"kind": identity.kind.name(), "mode": identity.mode.name(), "value": identity.value}))
        .collect();
    known["first_attribution"] = json!(contact.first_attribution);
    known["last_attribution"] = json!(contact.last_attribution);
    known
}

fn named(person: &Person) -> Value {
    json!({
        "email": person.email.as_ref().map(|email| email.as_str()),
        "phone": person.phone.as_ref().map(|phone| phone.as_str()),
        "name": person.name,
    })
}

fn group(group: &Group) -> Value {
    let said = group.objects.iter().map(|state| {
        json!({
            "object": state.object.id, "person": named(&state.person), "lead_id": state.tags.lead_id,
            "user_id": state.tags.user_id, "attribution": state.tags.attribution, "consent": state.tags.consent,
        })
    });
    json!({
        "group": group.id.to_string(),
        "scope": group.scope.to_string(),
        "objects": objects::heard(group),
        "said": said.collect::<Vec<_>>(),
    })
}

fn webhook(reading: &Reading<'_>, id: WebhookId) -> Result<Option<Value>, OperatorError> {
    let Some(webhook) = reading.snapshot.webhook(id).map_err(unread)? else { return Ok(None) };
    let mut row = reading.event_row(&webhook)?;
    let limit = usize::try_from(webhook.body_bytes).unwrap_or(usize::MAX);
    let body = reading.snapshot.body(id, limit).map_err(broken)?;
    row["body"] = json!(body.map(|body| String::from_utf8_lossy(&body).into_owned()));
    Ok(Some(row))
}

fn lead(lead: &Lead) -> Value {
    json!({
        "id": lead.id, "first_seen_at": time(lead.first_seen_at), "last_seen_at": time(lead.last_seen_at),
        "person": named(&lead.person), "first_attribution": lead.first, "last_attribution": lead.last,
        "consent": lead.consent,
    })
}

/// What destinations know the person as, and the attempts to tell them of the person.
fn synchronisations(reading: &Reading<'_>, contact: &Contact) -> Result<Vec<Value>, OperatorError> {
    let mut rows = Vec::new();
    for (id, name) in reading.destinations() {
        let attempts = reading.snapshot.attempts(*id, Target::Contact(contact.id)).map_err(broken)?;
        let sync = reading.snapshot.contact_sync(*id, contact.id).map_err(unread)?;
        if attempts.is_empty() && sync.is_none() {
            continue;
        }
        rows.push(json!({
            "destination": name,
            "remote_id": sync.as_ref().and_then(|sync| sync.remote_id.clone()),
            "external_id": sync.as_ref().and_then(|sync| sync.external_id.clone()),
            "left_over": sync.map(|sync| sync.left_over),
            "attempts": attempts.iter().map(super::reading::attempt_row).collect::<Vec<_>>(),
        }));
    }
    Ok(rows)
}
