//! One webhook explained: what came, what it was taken for, what it was joined with and why, and what became of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::desk::{broken, unread};
use super::objects::{MOST_OBJECTS, heard, only_named};
use super::reading::{Reading, amount, marks, time};
use super::reasons::Known;
use crate::destinations::consent::current;
use crate::http::admin::OperatorError;
use crate::ledger::books::Books;
use crate::ledger::pairing::{Pairing, pairing};
use crate::ledger::rules::{Count, SourceRules};
use crate::model::business_event::{BusinessEvent, Mark, Subject};
use crate::model::delivery::State;
use crate::model::group::Group;
use crate::model::id::{BusinessEventId, GroupId};
use crate::model::time::Timestamp;
use crate::model::webhook::Webhook;

/// A business event with its place in the books of now.
pub(super) struct Told {
    pub(super) event: BusinessEvent,
    /// The group that it is of now.
    group: Option<GroupId>,
    /// Whether the books tell of that fact by another event, or no longer.
    pub(super) is_withdrawn: bool,
    /// That other event.
    replaced_by: Option<BusinessEventId>,
}

/// The other half of a sale, by likeness.
struct OtherHalf {
    group: Group,
    pairing: Pairing,
}

/// The whole story as one row; it holds all that the row of a list does. `rules` are those of the webhook's source, if it is
/// still configured.
pub(super) fn tell(
    reading: &Reading<'_>,
    webhook: &Webhook,
    rules: Option<SourceRules>,
    now: Timestamp,
) -> Result<Value, OperatorError> {
    let mut row = reading.event_row(webhook)?;
    let group = live_group(reading, webhook.group)?;
    let other = match (&group, rules.map(|rules| rules.count)) {
        (Some(group), Some(Count::Auto | Count::CheckoutAndInvoices) | None) => other_half(reading, group, now)?,
        _ => None,
    };
    let told = told(reading, webhook, group.as_ref(), other.as_ref())?;
    let teller = other.as_ref().filter(|other| !other.pairing.leads).map(|other| other.group.id);
    let known = Known { webhook, group: group.as_ref(), teller, rules, told: &told };
    row["mark"] = json!(webhook.mark);
    row["body_bytes"] = json!(webhook.body_bytes);
    row["body_kept"] = json!(has_body(reading, webhook)?);
    row["meaning"] = json!(known.meaning());
    row["why_nothing"] = json!(known.why_nothing());
    row["sale"] = group.as_ref().map_or(Value::Null, |group| group_row(group, other.as_ref(), &told));
    let mut events = Vec::with_capacity(told.len());
    for told in &told {
        events.push(event_story(reading, told, webhook)?);
    }
    row["business_events"] = Value::Array(events);
    Ok(row)
}

fn has_body(reading: &Reading<'_>, webhook: &Webhook) -> Result<bool, OperatorError> {
    let limit = usize::try_from(webhook.body_bytes).unwrap_or(usize::MAX);
    Ok(reading.snapshot.body(webhook.id, limit).map_err(broken)?.is_some())
}

/// A group as it is today, through those it was merged into.
pub(super) fn live_group(reading: &Reading<'_>, id: Option<GroupId>) -> Result<Option<Group>, OperatorError> {
    let mut next = id;
    while let Some(id) = next {
        let Some(group) = reading.snapshot.group(id).map_err(unread)? else { return Ok(None) };
        if group.merged_into.is_none() {
            return Ok(Some(group));
        }
        next = group.merged_into;
    }
    Ok(None)
}

fn other_half(reading: &Reading<'_>, group: &Group, now: Timestamp) -> Result<Option<OtherHalf>, OperatorError> {
    let Some(pairing) = pairing(reading.snapshot, group.id, now).map_err(unread)? else { return Ok(None) };
    Ok(reading.snapshot.group(pairing.other).map_err(unread)?.map(|group| OtherHalf { group, pairing }))
}

/// The webhook's business events and all others of its sale, in order: those of its group, and those of the other half.
fn told(
    reading: &Reading<'_>,
    webhook: &Webhook,
    group: Option<&Group>,
    other: Option<&OtherHalf>,
) -> Result<Vec<Told>, OperatorError> {
    // The half that tells of the sale, and the one that does not.
    let halves = group.zip(other).map(|(group, other)| match other.pairing.leads {
        true => (group, &other.group),
        false => (&other.group, group),
    });
    let other = other.map(|other| &other.group);
    let of_groups = group.into_iter().chain(other).flat_map(|group| group.events.iter().map(|(_, id)| *id));
    let ids: BTreeSet<BusinessEventId> = webhook.business_events.iter().copied().chain(of_groups).collect();
    let mut told = Vec::new();
    for id in ids {
        let Some(event) = reading.snapshot.business_event(id).map_err(unread)? else { continue };
        let home =
            [group, other].into_iter().flatten().find(|group| group.events.iter().any(|(_, known)| *known == id));
        let (is_withdrawn, replaced_by) = match home {
            Some(home) => match halves.filter(|(_, silent)| silent.id == home.id && event.subject == Subject::Sale) {
                Some((teller, _)) => (true, event_of(teller, &Subject::Sale)),
                None => (false, None),
            },
            // A change of a person's data is of no group.
            None if event.group.is_none() => (false, None),
            None => {
                let own = group.and_then(|group| event_of(group, &event.subject));
                let teller = other.filter(|_| event.subject == Subject::Sale);
                (true, own.or_else(|| event_of(teller?, &Subject::Sale)))
            }
        };
        let home = home.map(|home| home.id).or(group.map(|group| group.id));
        told.push(Told { event, group: home, is_withdrawn, replaced_by: replaced_by.filter(|other| *other != id) });
    }
    Ok(told)
}

/// The business event that tells of a group's fact.
fn event_of(group: &Group, wanted: &Subject) -> Option<BusinessEventId> {
    group.events.iter().find(|(subject, _)| subject == wanted).map(|(_, id)| *id)
}

fn group_row(group: &Group, other: Option<&OtherHalf>, told: &[Told]) -> Value {
    let mut joined = Vec::new();
    for state in &group.objects {
        for link in &state.links {
            joined.push(format!("{} names {} as the same money", state.object.id, link.id));
        }
    }
    let by_likeness = |told: &Told| told.event.facts.marks.contains(&Mark::ByLikeness);
    if let Some(other) = other {
        joined.push(likeness(other));
    } else if told.iter().any(by_likeness) {
        joined.push(Mark::ByLikeness.sentence().to_owned());
    }
    joined.truncate(MOST_OBJECTS);
    let other = other.map(|other| {
        json!({
            "group": other.group.id.to_string(),
            "tells_of_the_sale": !other.pairing.leads,
            "apart_seconds": other.pairing.apart.as_secs(),
            "why": likeness(other),
            "objects": heard(&other.group),
        })
    });
    json!({
        "id": group.id.to_string(),
        "scope": group.scope.to_string(),
        "contact": group.contact.map(|contact| contact.to_string()),
        "counted": group.counted,
        "settles_at": group.settle_at.map(time),
        "objects": heard(group),
        "named": only_named(group),
        "joined": joined,
        "other_half": other,
    })
}

/// Why two halves are one sale, and which of them tells of it.
fn likeness(other: &OtherHalf) -> String {
    let apart = other.pairing.apart.as_secs();
    let id = other.group.id;
    let teller = if other.pairing.leads { String::new() } else { format!("; {id} tells of the sale") };
    format!("joined with {id} by likeness: same customer, amount and currency, {apart} s apart, no link{teller}")
}

fn event_story(reading: &Reading<'_>, told: &Told, webhook: &Webhook) -> Result<Value, OperatorError> {
    let event = &told.event;
    let mut deliveries = Vec::with_capacity(event.deliveries.len());
    for delivery in &event.deliveries {
        deliveries.push(reading.delivery_story(event, delivery)?);
    }
    let pending = || event.deliveries.iter().filter(|delivery| delivery.state == State::Pending);
    let settling = pending().filter(|delivery| delivery.schedule.settling);
    let replaced_by = match told.replaced_by {
        Some(id) => reading.snapshot.business_event(id).map_err(unread)?,
        None => None,
    };
    Ok(json!({
        "id": event.id.to_string(),
        "kind": event.kind.name(),
        "key": event.key,
        "amount": amount(event.amount),
        "transaction_id": event.transaction_id,
        "occurred_at": time(event.occurred_at),
        "event": event.webhook.to_string(),
        "from_this_event": event.webhook == webhook.id,
        "group": told.group.map(|group| group.to_string()),
        "contact": reading.survivor(event.contact)?.map(|contact| contact.to_string()),
        "frozen": event.frozen,
        "settles_at": settling.map(|delivery| delivery.schedule.due_at).max().map(time),
        "withdrawn": told.is_withdrawn,
        "replaced_by": replaced_by.map(|other| json!({
            "id": other.id.to_string(),
            "event": other.webhook.to_string(),
            "transaction_id": other.transaction_id,
        })),
        "pending": pending().count(),
        "marks": marks(event),
        "consent": consent(reading, event)?,
        "deliveries": deliveries,
    }))
}

/// What the person agrees to now, as destinations see it: the event's word and the contact's, the later first.
fn consent(reading: &Reading<'_>, event: &BusinessEvent) -> Result<Value, OperatorError> {
    let contact = match reading.survivor(event.contact)? {
        Some(contact) => reading.snapshot.contact(contact).map_err(unread)?,
        None => None,
    };
    let consent = current(event, contact.as_ref());
    Ok(json!({"analytics": consent.analytics, "ads": consent.ads, "email": consent.email}))
}
