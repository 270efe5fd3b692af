//! Destinations as a whole: how they are, pausing and resuming them, asking them whether they work.

use serde_json::{Value, json};

use super::configured::ConfiguredDestination;
use super::desk::{Desk, broken, missing, unread, unwritten};
use super::failed::refusal;
use super::filter::{OF_DESTINATIONS, find_destination, known_state, only};
use super::pages::one;
use super::reading::{Names, not_before, standing, standing_name, time};
use super::request::List;
use crate::destinations::{Exchange, HttpResponse, status};
use crate::http::admin::{OperatorError, OperatorRows};
use crate::ledger::books::Books;
use crate::ledger::workspace::Due;
use crate::model::breaker::Breaker;
use crate::model::delivery::{Outcome, STATE_NAMES, Standing, State};
use crate::model::id::{BusinessEventId, ContactId, DestinationId};
use crate::model::time::Timestamp;
use crate::model::totals::Totals;
use crate::platform::clock::Clock;
use crate::store::{Command, Snapshot};

/// Places at the front of a due queue, and groups that settle, that are looked at for the oldest pending delivery.
const LOOKED_AT: usize = 256;

/// More requests than any test needs: lists of many pages.
const MOST_TEST_REQUESTS: usize = 30;

/// A destination as rows show it, with what its problems are told from.
pub(super) struct Described {
    pub(super) id: DestinationId,
    pub(super) name: String,
    pub(super) standing: Standing,
    pub(super) counts: [u64; 5],
    pub(super) is_configured: bool,
    pub(super) row: Value,
}

/// Every destination that is configured, or still has something pending or failed.
pub(super) fn describe_all(desk: &Desk, snapshot: &Snapshot, totals: &Totals) -> Result<Vec<Described>, OperatorError> {
    let names: Names = snapshot.destinations().map_err(broken)?.into_iter().collect();
    let mut all = Vec::new();
    for (id, name) in &names {
        let described = describe(desk, snapshot, totals, *id, name)?;
        if described.is_configured || described.counts[0] > 0 || described.counts[3] > 0 {
            all.push(described);
        }
    }
    Ok(all)
}

fn describe(
    desk: &Desk,
    snapshot: &Snapshot,
    totals: &Totals,
    id: DestinationId,
    name: &str,
) -> Result<Described, OperatorError> {
    let standing = standing(desk, snapshot, id)?;
    let counts = totals.destinations.get(&id).copied().unwrap_or_default();
    let configured = desk.configured();
    let kind = configured.destination(name).map(|configured| configured.destination.kind());
    let due = snapshot.next_due(id).map_err(broken)?;
    let oldest = if counts[0] > 0 { oldest_pending(snapshot, id)? } else { None };
    let now = desk.clock.now();
    let mut row = json!({
        "name": name,
        "kind": kind,
        "state": standing_name(&standing),
        "configured": kind.is_some(),
        "oldest_pending_at": oldest.map(time),
        "next_attempt_at": due
            .filter(|due| due.at < Timestamp::FAR_FUTURE)
            .and_then(|due| not_before(&standing, due.at))
            .map(time),
        "not_before": standing.not_before.filter(|at| *at > now).map(time),
        "held": standing.held.as_ref().map(|held| json!({
            "since": time(held.since), "reason": held.explanation, "next_look_at": time(held.probe_at),
        })),
        "open": standing.breaker.open().map(|open| json!({
            "since": time(open.since), "next_look_at": time(open.probe_at),
        })),
    });
    for (state, count) in STATE_NAMES.iter().zip(counts) {
        row[*state] = json!(count);
    }
    Ok(Described { id, name: name.to_owned(), standing, counts, is_configured: kind.is_some(), row })
}

/// Since when the oldest of a destination's pending deliveries has waited, as far as the front of its queue tells.
fn oldest_pending(snapshot: &Snapshot, id: DestinationId) -> Result<Option<Timestamp>, OperatorError> {
    let mut oldest: Option<Timestamp> = None;
    let mut note = |at: Timestamp| oldest = Some(oldest.map_or(at, |known| known.min(at)));
    for Due { target, .. } in snapshot.due(id, Timestamp::FAR_FUTURE, LOOKED_AT).map_err(broken)? {
        // A queue holds business events or contacts; a contact with something pending here tells which.
        let sync = snapshot.contact_sync(id, ContactId(target)).map_err(unread)?;
        if let Some(sync) = sync.filter(|sync| !sync.pending.is_empty()) {
            note(sync.waiting_since);
        } else if let Some(event) = snapshot.business_event(BusinessEventId(target)).map_err(unread)? {
            note(event.created_at);
        }
    }
    for (_, group) in snapshot.settled(Timestamp::FAR_FUTURE, LOOKED_AT).map_err(broken)? {
        let Some(group) = snapshot.group(group).map_err(unread)? else { continue };
        for (_, event) in &group.events {
            let Some(event) = snapshot.business_event(*event).map_err(unread)? else { continue };
            let waits = event.deliveries.iter().any(|delivery| {
                delivery.destination == id && delivery.state == State::Pending && delivery.schedule.settling
            });
            if waits {
                note(event.created_at);
            }
        }
    }
    Ok(oldest)
}

/// Destinations in the order of their numbers; the place in the list is the name.
pub(super) fn list(desk: &Desk, list: List) -> Result<OperatorRows, OperatorError> {
    let List { filter, limit, after } = list;
    only(&filter, OF_DESTINATIONS)?;
    if let Some(state) = &filter.state {
        known_state(state, &["active", "paused", "held", "open"])?;
    }
    let snapshot = desk.snapshot()?;
    let names = desk.names()?;
    for name in filter.destination.iter().chain(&after) {
        find_destination(&names, name)?;
    }
    let totals = snapshot.totals().map_err(broken)?;
    let is = |wanted: &Option<String>, found: &Value| wanted.as_deref().is_none_or(|wanted| found == wanted);
    let mut rows: Vec<Value> =
        describe_all(desk, &snapshot, &totals)?.into_iter().map(|described| described.row).collect();
    if let Some(after) = &after {
        let passed = rows.iter().position(|row| row["name"] == after.as_str()).map_or(0, |at| at + 1);
        rows.drain(..passed);
    }
    rows.retain(|row| {
        is(&filter.destination, &row["name"]) && is(&filter.kind, &row["kind"]) && is(&filter.state, &row["state"])
    });
    rows.truncate(limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
    Ok(Box::new(rows.into_iter()))
}

/// Holds a destination's deliveries back until it is resumed.
pub(super) fn pause(desk: &Desk, name: &str) -> Result<OperatorRows, OperatorError> {
    change(desk, name, |standing| standing.paused = true)
}

/// Lets a destination's deliveries go: neither a pause, nor what it was held for, nor a breaker stands in the way any more.
pub(super) fn resume(desk: &Desk, name: &str) -> Result<OperatorRows, OperatorError> {
    change(desk, name, |standing| {
        standing.paused = false;
        standing.held = None;
        standing.not_before = None;
        standing.breaker = Breaker::default();
    })
}

fn change(desk: &Desk, name: &str, change: impl FnOnce(&mut Standing)) -> Result<OperatorRows, OperatorError> {
    let id = find_destination(&desk.names()?, name)?;
    let mut standing = standing(desk, &desk.snapshot()?, id)?;
    let before = standing.clone();
    change(&mut standing);
    let changed = before != standing;
    if changed {
        let reply = desk.writer.run(Command::SetStanding(id, Box::new(standing.clone())));
        if let Err(error) = &reply {
            return Err(unwritten(error));
        }
        if let Some(why) = refusal(reply) {
            return Err(OperatorError { status: 409, message: why });
        }
        if let Some(live) = &desk.live {
            live.standing_changed(id, &standing);
        }
    }
    let snapshot = desk.snapshot()?;
    let totals = snapshot.totals().map_err(broken)?;
    let mut row = describe(desk, &snapshot, &totals, id, name)?.row;
    row["changed"] = json!(changed);
    Ok(one(row))
}

/// Asks a destination whether it works and takes the key.
pub(super) fn test(desk: &Desk, name: &str) -> Result<OperatorRows, OperatorError> {
    let configured = desk.configured();
    let Some(found) = configured.destination(name) else {
        let known: Vec<&str> = configured.destinations.iter().map(|known| known.name.as_str()).collect();
        let known = if known.is_empty() { "none is".to_owned() } else { format!("configured: {}", known.join(", ")) };
        return Err(missing(format!("there is no destination {name:?} in the configuration; {known}")));
    };
    Ok(one(test_one(found, desk.clock.as_ref())))
}

/// Asks one destination whether it works and takes the key: the row that [`test`] answers with. Needs no books.
pub fn test_one(found: &ConfiguredDestination, clock: &dyn Clock) -> Value {
    let (name, kind) = (&found.name, found.destination.kind());
    let Some(first) = found.destination.next_test(&[]) else {
        return json!({
            "name": name, "kind": kind, "ok": Value::Null, "result": "not_tested", "status": Value::Null,
            "explanation": format!(
                "a {kind} has no request that only reads: nothing was sent. `tallyhook destinations preview EVENT_ID \
                 --destination {name}` shows what it would be sent of an event"
            ),
        });
    };
    let began = clock.now();
    let mut skew = None;
    let mut exchanges: Vec<Exchange> = Vec::new();
    let mut next = Some(first);
    while let Some(request) = next.filter(|_| exchanges.len() < MOST_TEST_REQUESTS) {
        let reply = found.client.send(&request, &found.limits);
        skew = reply.as_ref().ok().and_then(|response| clock_ahead(response, clock.now())).or(skew);
        exchanges.push(Exchange { request, reply });
        next = found.destination.next_test(&exchanges);
    }
    let took = clock.now().since(began);
    let last = exchanges.last();
    let answered = last.and_then(|exchange| exchange.reply.as_ref().ok()).map(|response| response.status);
    let sent = exchanges.iter().map(|exchange| exchange.request.shown()).collect::<Vec<_>>().join("\n");
    let (result, explanation) = match found.destination.judge_tests(&exchanges) {
        Outcome::Delivered => ("works", found.destination.test_proves()),
        Outcome::SlowDown { .. } => ("works", "it answers, and wants requests to come slower (429)".to_owned()),
        Outcome::Suppressed(rule) => ("works", format!("it answers ({})", rule.name())),
        Outcome::Retry { explanation, .. } | Outcome::Ambiguous { explanation } => ("unavailable", explanation),
        Outcome::Broken { explanation }
        | Outcome::Forbidden { explanation }
        | Outcome::Permanent { explanation, .. } => ("broken", explanation),
    };
    let excerpt = match last {
        Some(exchange) if result != "works" => status::excerpt(exchange),
        _ => String::new(),
    };
    json!({
        "name": name,
        "kind": kind,
        "ok": result == "works",
        "result": result,
        "status": answered,
        "explanation": explanation,
        "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "sent": sent,
        "excerpt": excerpt,
        "clock_ahead_seconds": skew,
    })
}

/// By how many seconds our clock is ahead of the one that an answer tells (RFC 9110, 6.6.1), which knows whole seconds; none
/// when it tells none.
fn clock_ahead(response: &HttpResponse, now: Timestamp) -> Option<i64> {
    let date = httpdate::parse_http_date(response.header("date")?).ok()?;
    let theirs = date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    Some(now.unix_seconds() - i64::try_from(theirs).ok()?)
}
