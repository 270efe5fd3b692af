//! What each destination would be sent of an event now, or the rule that keeps it back.

use serde_json::{Value, json};

use super::desk::{Desk, missing, unread};
use super::events::find;
use super::pages::{Batch, in_batches};
use super::reading::Reading;
use super::rehearsal::{self, Rehearsed, Shown, delivery_of};
use crate::destinations::{Admission, Style};
use crate::http::admin::{OperatorError, OperatorRows};
use crate::ledger::books::{Books, BooksResult};
use crate::ledger::release::release;
use crate::ledger::rules::{DestinationRules, Rules};
use crate::ledger::workspace::Workspace;
use crate::model::business_event::BusinessEvent;
use crate::model::delivery::{Delivery, Outcome, Rule, Schedule, State};
use crate::model::id::{BusinessEventId, DeliveryId};
use crate::model::time::{Timestamp, format_span};
use crate::store::Snapshot;

/// Rehearses the first delivery of each business event of a webhook, or of one business event, to each destination.
pub(super) fn preview(desk: &Desk, id: &str, destination: Option<&str>) -> Result<OperatorRows, OperatorError> {
    let rules = desk.writer.rules();
    let mut wanted: Vec<DestinationRules> = rules.destinations.clone();
    if let Some(name) = destination {
        wanted.retain(|known| known.name == name);
        if wanted.is_empty() {
            return Err(not_configured(&rules, name));
        }
    }
    let mut events = business_events(desk, &desk.snapshot()?, id)?.into_iter();
    let desk = desk.clone();
    in_batches(None, move || {
        let Some(id) = events.next() else { return Ok(Batch::end()) };
        let snapshot = desk.snapshot()?;
        let names = desk.names()?;
        let reading = Reading::new(&desk, &snapshot, &names)?;
        let Some(event) = snapshot.business_event(id).map_err(unread)? else { return Ok(Batch::end()) };
        let is_undone = reading.is_undone(&event)?;
        let now = desk.clock.now();
        let row = |destination: &DestinationRules| {
            let would = match is_undone {
                true => Ok(Would::Rehearsed(Rehearsed::Suppressed(Rule::Withdrawn, None))),
                false => rehearse(&snapshot, &rules, destination, &event, now),
            };
            row(&event, destination, would.unwrap_or_else(|error| Would::Refused(error.to_string())))
        };
        Ok(Batch { rows: wanted.iter().map(row).collect(), more: events.len() > 0 })
    })
}

fn not_configured(rules: &Rules, name: &str) -> OperatorError {
    let known: Vec<&str> = rules.destinations.iter().map(|known| known.name.as_str()).collect();
    let known = if known.is_empty() { "none is".to_owned() } else { format!("configured: {}", known.join(", ")) };
    missing(format!("there is no destination {name:?} in the configuration; {known}"))
}

/// The business events that a person means: `b12` itself, or those of a webhook.
fn business_events(desk: &Desk, snapshot: &Snapshot, id: &str) -> Result<Vec<BusinessEventId>, OperatorError> {
    let id = id.trim();
    let number = id.starts_with('b').then(|| id.parse::<BusinessEventId>().ok()).flatten();
    let Some(number) = number else { return Ok(find(desk, snapshot, id)?.business_events) };
    match snapshot.business_event(number).map_err(unread)? {
        Some(_) => Ok(vec![number]),
        None => Err(missing(format!(
            "there is no business event {number}; `tallyhook events show` names those of an event"
        ))),
    }
}

/// What would come of a first delivery.
enum Would {
    Rehearsed(Rehearsed),
    /// It would wait for what it needs, and be suppressed by this rule after this span.
    Wait(std::time::Duration, Rule),
    /// It can't be worked out.
    Refused(String),
}

/// Plans the delivery anew over the books as they are, by the rules in force, without writing it. What an earlier delivery froze
/// stays as it is.
fn rehearse(
    snapshot: &Snapshot,
    rules: &Rules,
    destination: &DestinationRules,
    event: &BusinessEvent,
    now: Timestamp,
) -> BooksResult<Would> {
    let suppressed = |rule| Ok(Would::Rehearsed(Rehearsed::Suppressed(rule, None)));
    let earlier = delivery_of(event, destination.id);
    if earlier.is_some_and(|delivery| matches!(delivery.state, State::Suppressed { rule: Rule::Withdrawn, .. })) {
        return suppressed(Rule::Withdrawn);
    }
    let mut workspace = Workspace::new(snapshot, now);
    let (_, contact) = workspace.event_and_contact(event.id)?;
    let admission = destination.admit(event, contact);
    if let Admission::Suppress(rule @ (Rule::TestMode | Rule::Filtered)) = admission {
        return Ok(Would::Rehearsed(Rehearsed::by_rule(destination, rule, event, contact)));
    }
    let kept_back = match admission {
        Admission::Suppress(rule) => Some(Rehearsed::by_rule(destination, rule, event, contact)),
        _ => None,
    };
    let frozen = earlier.and_then(|delivery| delivery.frozen.clone());
    let is_released = frozen.is_some();
    let planned = workspace.business_event_mut(event.id)?;
    planned.deliveries.retain(|known| known.destination != destination.id);
    planned.deliveries.push(Delivery {
        destination: destination.id,
        state: State::Pending,
        generation: earlier.map_or(0, |delivery| delivery.generation),
        schedule: Schedule { due_at: now, ..Schedule::default() },
        last_status: None,
        may_have_arrived: false,
        deadline: destination.destination.deadline(event.occurred_at),
        frozen,
    });
    if is_released {
        if let Some(suppressed) = kept_back {
            return Ok(Would::Rehearsed(suppressed));
        }
        if destination.destination.deadline(event.occurred_at).is_some_and(|deadline| now > deadline) {
            return suppressed(Rule::TooOld);
        }
    } else {
        release(&mut workspace, destination, event.id)?;
    }
    let rehearsed =
        rehearsal::rehearse(&mut workspace, rules, DeliveryId { event: event.id, destination: destination.id })?;
    Ok(match (rehearsed, admission) {
        (Rehearsed::Nothing, Admission::Wait { at_most, then }) => Would::Wait(at_most, then),
        (Rehearsed::Sends(_), Admission::Wait { at_most, then })
            if destination.destination.style() == Style::Contact =>
        {
            Would::Wait(at_most, then)
        }
        (rehearsed, _) => Would::Rehearsed(rehearsed),
    })
}

fn row(event: &BusinessEvent, destination: &DestinationRules, would: Would) -> Value {
    let earlier = delivery_of(event, destination.id);
    let id = DeliveryId { event: event.id, destination: destination.id };
    let mut row = json!({
        "event": event.told_by().map(|webhook| webhook.to_string()),
        "business_event": event.id.to_string(),
        "kind": event.kind.name(),
        "destination": destination.name,
        "destination_kind": destination.destination.kind(),
        "delivery": earlier.map(|_| id.to_string()),
        "state": earlier.map(|delivery| delivery.state.name()),
        "result": Value::Null, "reason": Value::Null, "explanation": Value::Null, "requests": [],
    });
    let mut answer = |result: &str, reason: Option<&str>, explanation: Option<String>| {
        row["result"] = json!(result);
        row["reason"] = json!(reason);
        row["explanation"] = json!(explanation);
    };
    match would {
        Would::Rehearsed(Rehearsed::Sends(requests)) => {
            answer("would_send", None, None);
            row["requests"] = requests.into_iter().map(shown).collect();
        }
        Would::Rehearsed(Rehearsed::Suppressed(rule, why)) => {
            answer("would_suppress", Some(rule.name()), Some(why.unwrap_or_else(|| rule.sentence().to_owned())));
        }
        Would::Wait(at_most, rule) => {
            let explanation = format!(
                "it would wait for what is missing, at most {}, and then be suppressed: {}",
                format_span(at_most),
                rule.sentence()
            );
            answer("would_wait", Some(rule.name()), Some(explanation));
        }
        Would::Rehearsed(Rehearsed::Ends(outcome)) => match outcome {
            Outcome::Suppressed(rule) => {
                answer("would_suppress", Some(rule.name()), Some(rule.sentence().to_owned()));
            }
            Outcome::Permanent { class, explanation } => answer("would_fail", Some(class.name()), Some(explanation)),
            Outcome::Retry { explanation, .. }
            | Outcome::Broken { explanation }
            | Outcome::Forbidden { explanation }
            | Outcome::Ambiguous { explanation } => answer("would_wait", None, Some(explanation)),
            Outcome::Delivered | Outcome::SlowDown { .. } => answer("would_send", None, None),
        },
        Would::Rehearsed(Rehearsed::Nothing) => {
            answer("would_wait", None, Some("there is nothing to be sent at the moment".to_owned()));
        }
        Would::Refused(why) => answer("refused", None, Some(why)),
    }
    row
}

fn shown(Shown { request, headers }: Shown) -> Value {
    json!({"request": request, "headers": headers})
}
