//! The failed queue: the list, and a person's decision about what is in it.

use std::collections::VecDeque;
use std::sync::mpsc;

use serde_json::{Value, json};

use super::deliveries::{is_from, story};
use super::desk::{Desk, broken, missing, unread};
use super::filter::{OF_FAILED, Sieve, wrong};
use super::pages::{Batch, PAGE, in_batches, one};
use super::reading::{Names, Reading};
use super::rehearsal::{self, Rehearsed, delivery_of};
use super::request::{List, Selection};
use crate::http::admin::{OperatorError, OperatorRows};
use crate::ledger::books::Books;
use crate::ledger::decide;
use crate::ledger::rules::Rules;
use crate::ledger::workspace::Workspace;
use crate::model::business_event::BusinessEvent;
use crate::model::delivery::{Delivery, State};
use crate::model::id::{BusinessEventId, DeliveryId};
use crate::store::{Command, Reply, Snapshot, Unavailable, Writer};

/// What is written down when a person gives no reason.
const NO_REASON: &str = "discarded by a person";

/// The failed queue, oldest business event first.
pub(super) fn list(desk: &Desk, list: List) -> Result<OperatorRows, OperatorError> {
    let names = desk.names()?;
    let sieve = Sieve::new(list.filter, OF_FAILED, &names, desk.clock.now())?;
    let after = list.after.map(|id| id.parse::<DeliveryId>()).transpose().map_err(|error| wrong(error.to_string()))?;
    let mut walk = Walk { sieve, cursor: after };
    let desk = desk.clone();
    in_batches(list.limit, move || {
        let snapshot = desk.snapshot()?;
        let reading = Reading::new(&desk, &snapshot, &names)?;
        let (found, more) = walk.page(&snapshot, &names)?;
        let rows =
            found.iter().map(|(event, delivery)| reading.delivery_row(event, delivery)).collect::<Result<_, _>>();
        Ok(Batch { rows: rows?, more })
    })
}

/// Everything about one failed delivery.
pub(super) fn show(desk: &Desk, id: &str) -> Result<OperatorRows, OperatorError> {
    let row = story(desk, id)?;
    if row["state"] == "failed" {
        return Ok(one(row));
    }
    let state = row["state"].as_str().unwrap_or("elsewhere");
    Err(missing(format!("{id} is not in the failed queue, it is {state}; `tallyhook deliveries show {id}` shows it")))
}

/// Sends failed deliveries again.
pub(super) fn retry(desk: &Desk, selection: Selection) -> Result<OperatorRows, OperatorError> {
    let names = desk.names()?;
    let dry_run = selection.dry_run;
    if selection.reason.is_some() {
        return Err(wrong("a retry takes no reason"));
    }
    let mut chosen = Chosen::new(desk, selection, &names)?;
    let desk = desk.clone();
    in_batches(None, move || {
        let (ids, more) = chosen.page(&desk, &names)?;
        let rows = if dry_run {
            let rules = desk.writer.rules();
            let snapshot = desk.snapshot()?;
            ids.iter().map(|id| rehearse(&desk, &snapshot, &rules, &names, *id)).collect()
        } else {
            let replies = run_all(&desk.writer, ids.iter().map(|id| Command::Retry(*id)).collect());
            let snapshot = desk.snapshot()?;
            let reading = Reading::new(&desk, &snapshot, &names)?;
            let rows = ids.iter().zip(replies).map(|(id, reply)| retried(&reading, &names, *id, reply));
            rows.collect::<Result<_, _>>()?
        };
        Ok(Batch { rows, more })
    })
}

/// Decides that failed deliveries need not be sent.
pub(super) fn discard(desk: &Desk, selection: Selection) -> Result<OperatorRows, OperatorError> {
    let names = desk.names()?;
    let dry_run = selection.dry_run;
    let reason = selection.reason.clone().filter(|reason| !reason.trim().is_empty());
    let reason = reason.unwrap_or_else(|| NO_REASON.to_owned());
    let mut chosen = Chosen::new(desk, selection, &names)?;
    let desk = desk.clone();
    in_batches(None, move || {
        let (ids, more) = chosen.page(&desk, &names)?;
        let rows = if dry_run {
            let snapshot = desk.snapshot()?;
            let now = desk.clock.now();
            ids.iter()
                .map(|id| match decide::plan_discard(&mut Workspace::new(&snapshot, now), *id, &reason) {
                    Ok(()) => answer(&names, *id, "would_discard", None),
                    Err(error) => answer(&names, *id, "refused", Some(error.to_string())),
                })
                .collect()
        } else {
            let commands = ids.iter().map(|id| Command::Discard(*id, reason.clone())).collect();
            let replies = run_all(&desk.writer, commands);
            ids.iter()
                .zip(replies)
                .map(|(id, reply)| match refusal(reply) {
                    None => answer(&names, *id, "discarded", None),
                    Some(why) => answer(&names, *id, "refused", Some(why)),
                })
                .collect()
        };
        Ok(Batch { rows, more })
    })
}

/// Gives the writer several commands at once, so that they share a commit, and waits for all.
pub(super) fn run_all(writer: &Writer, commands: Vec<Command>) -> Vec<Result<Reply, Unavailable>> {
    let (sender, receiver) = mpsc::channel();
    let mut replies = vec![Err(Unavailable::Stopped); commands.len()];
    for (at, command) in commands.into_iter().enumerate() {
        let sender = sender.clone();
        writer.submit(command, move |reply| {
            let _ = sender.send((at, reply));
        });
    }
    drop(sender);
    for (at, reply) in receiver {
        replies[at] = reply;
    }
    replies
}

/// Why a command was not done; none when it was.
pub(super) fn refusal(reply: Result<Reply, Unavailable>) -> Option<String> {
    match reply {
        Ok(Reply::Refused(why)) => Some(why),
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    }
}

fn answer(names: &Names, id: DeliveryId, result: &str, reason: Option<String>) -> Value {
    let destination = names.get(&id.destination);
    json!({"id": id.to_string(), "destination": destination, "result": result, "reason": reason})
}

fn retried(
    reading: &Reading<'_>,
    names: &Names,
    id: DeliveryId,
    reply: Result<Reply, Unavailable>,
) -> Result<Value, OperatorError> {
    if let Some(why) = refusal(reply) {
        return Ok(answer(names, id, "refused", Some(why)));
    }
    // Consent or another rule may have taken the place of the failure.
    let Some(event) = reading.snapshot.business_event(id.event).map_err(unread)? else {
        return Ok(answer(names, id, "retried", None));
    };
    let delivery = delivery_of(&event, id.destination);
    let Some((delivery, State::Suppressed { rule, .. })) = delivery.map(|delivery| (delivery, &delivery.state)) else {
        return Ok(answer(names, id, "retried", None));
    };
    let mut row = answer(names, id, "suppressed", Some(rule.name().to_owned()));
    let why = reading.why_suppressed(&event, delivery, *rule)?;
    row["explanation"] = json!(why.unwrap_or_else(|| rule.sentence().to_owned()));
    Ok(row)
}

/// What a retry would do, worked out by the same plan without writing it.
fn rehearse(desk: &Desk, snapshot: &Snapshot, rules: &Rules, names: &Names, id: DeliveryId) -> Value {
    let mut workspace = Workspace::new(snapshot, desk.clock.now());
    let planned = decide::plan_retry(&mut workspace, rules, id);
    match planned.and_then(|()| rehearsal::rehearse(&mut workspace, rules, id)) {
        Ok(Rehearsed::Suppressed(rule, why)) => {
            let mut row = answer(names, id, "would_suppress", Some(rule.name().to_owned()));
            row["explanation"] = json!(why.unwrap_or_else(|| rule.sentence().to_owned()));
            row
        }
        Ok(rehearsed) => {
            let requests = if let Rehearsed::Sends(requests) = rehearsed { requests } else { Vec::new() };
            let mut row = answer(names, id, "would_retry", None);
            row["request"] = json!(requests.first().map(|shown| &shown.request));
            row["then"] = json!(requests.get(1).map(|shown| &shown.request));
            row
        }
        Err(error) => answer(names, id, "refused", Some(error.to_string())),
    }
}

/// The deliveries that a selection means, a page at a time.
enum Chosen {
    Ids(VecDeque<DeliveryId>),
    Queue(Walk),
}

impl Chosen {
    fn new(desk: &Desk, selection: Selection, names: &Names) -> Result<Self, OperatorError> {
        let filtered = !selection.filter.is_empty();
        match (selection.ids.is_empty(), filtered || selection.all) {
            (false, true) => Err(wrong("give either ids or a filter, not both")),
            (true, false) => Err(wrong("say which: ids, a filter such as a destination, or all")),
            (false, false) => {
                let ids = selection.ids.iter().map(|id| id.parse::<DeliveryId>());
                Ok(Self::Ids(ids.collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?))
            }
            (true, true) => {
                let sieve = Sieve::new(selection.filter, OF_FAILED, names, desk.clock.now())?;
                Ok(Self::Queue(Walk { sieve, cursor: None }))
            }
        }
    }

    fn page(&mut self, desk: &Desk, names: &Names) -> Result<(Vec<DeliveryId>, bool), OperatorError> {
        match self {
            Self::Ids(ids) => {
                let page: Vec<DeliveryId> = ids.drain(..ids.len().min(PAGE)).collect();
                Ok((page, !ids.is_empty()))
            }
            Self::Queue(walk) => {
                let (found, more) = walk.page(&desk.snapshot()?, names)?;
                let id = |(event, delivery): (BusinessEvent, Delivery)| DeliveryId {
                    event: event.id,
                    destination: delivery.destination,
                };
                Ok((found.into_iter().map(id).collect(), more))
            }
        }
    }
}

/// A walk along the failed queues of all destinations together, in the order of business events. What leaves or enters the
/// queues behind it does not disturb it, so that no delivery is met twice.
struct Walk {
    sieve: Sieve,
    cursor: Option<DeliveryId>,
}

impl Walk {
    fn page(
        &mut self,
        snapshot: &Snapshot,
        names: &Names,
    ) -> Result<(Vec<(BusinessEvent, Delivery)>, bool), OperatorError> {
        let mut ids = Vec::new();
        // Of a queue that gave a whole page, nothing is known behind that page.
        let mut horizon = None;
        for destination in names.keys().copied().filter(|id| self.sieve.destination.is_none_or(|only| only == *id)) {
            let after = self.cursor.and_then(|cursor| {
                let passed = destination <= cursor.destination;
                if passed { Some(cursor.event.0) } else { cursor.event.0.checked_sub(1) }
            });
            let queue = snapshot.failed(destination, after.map(BusinessEventId), PAGE).map_err(broken)?;
            if queue.len() == PAGE {
                horizon = [horizon, queue.last().copied()].into_iter().flatten().min();
            }
            ids.extend(queue.into_iter().map(|event| (event, destination)));
        }
        ids.retain(|(event, _)| horizon.is_none_or(|horizon| *event <= horizon));
        ids.sort_unstable();
        if let Some((event, destination)) = ids.last() {
            self.cursor = Some(DeliveryId { event: *event, destination: *destination });
        }
        let mut found = Vec::new();
        for (event, destination) in ids {
            let Some(event) = snapshot.business_event(event).map_err(unread)? else { continue };
            let Some(delivery) = delivery_of(&event, destination).cloned() else { continue };
            if self.admits(snapshot, &event, &delivery)? {
                found.push((event, delivery));
            }
        }
        Ok((found, horizon.is_some()))
    }

    fn admits(&self, snapshot: &Snapshot, event: &BusinessEvent, delivery: &Delivery) -> Result<bool, OperatorError> {
        let State::Failed { failure, at } = &delivery.state else { return Ok(false) };
        Ok(self.sieve.admits_time(*at)
            && self.sieve.kind.as_ref().is_none_or(|kind| *kind == event.kind)
            && self.sieve.state.as_ref().is_none_or(|state| state == delivery.state.name())
            && self.sieve.class.is_none_or(|class| class == failure.class)
            && is_from(&self.sieve, snapshot, event)?)
    }
}
