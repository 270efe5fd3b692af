//! Requests that failed verification: the list, and what is done with those that are kept whole.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::desk::{Desk, broken, unwritten};
use super::filter::{OF_REJECTED, Sieve, wrong};
use super::pages::{Batch, in_batches};
use super::request::{List, Selection};
use crate::http::admin::{OperatorError, OperatorRows};
use crate::http::rejected::{Rejected, RejectedFilter, RejectedLog};
use crate::http::verified::{self, Intakes};
use crate::ledger::intake::Receipt;
use crate::model::refused::Refused;
use crate::sources::Request;
use crate::store::{Command, Reply, Snapshot, body};

/// Kept requests that are dealt with under one snapshot.
const AT_ONCE: usize = 16;

/// Refused requests, newest first.
pub(super) fn list(desk: &Desk, list: List) -> Result<OperatorRows, OperatorError> {
    let sieve = Sieve::new(list.filter, OF_REJECTED, &desk.names()?, desk.clock.now())?;
    let after = list.after.map(|id| number(&id)).transpose()?;
    let limit = list.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let found = find(desk, &RejectedFilter { after, limit, ..filter_of(sieve) })?;
    Ok(Box::new(found.into_iter().map(|found| found.shown())))
}

fn filter_of(sieve: Sieve) -> RejectedFilter {
    let Sieve { source, reason, since, until, .. } = sieve;
    RejectedFilter { source, reason, since, until, after: None, limit: None }
}

/// A refused request, and whether it is kept whole.
pub(super) struct Found {
    pub(super) row: Rejected,
    pub(super) kept: Option<Refused>,
}

impl Found {
    fn shown(&self) -> Value {
        let mut row = self.row.row();
        row["kept"] = json!(self.kept.is_some());
        row["body_bytes"] = json!(self.kept.as_ref().map(|kept| kept.body_bytes));
        row
    }
}

/// The rows that a filter admits, newest first: from the running daemon, else as they were last written down; with them those
/// that are kept whole, which outlast the others.
pub(super) fn find(desk: &Desk, filter: &RejectedFilter) -> Result<Vec<Found>, OperatorError> {
    let snapshot = desk.snapshot()?;
    let everything = RejectedFilter { limit: None, ..filter.clone() };
    let listed = match &desk.live {
        Some(live) => live.rejected().list(&everything),
        None => written_down(&snapshot)?.list(&everything),
    };
    let mut found: BTreeMap<u64, Found> = listed.into_iter().map(|row| (row.id, Found { row, kept: None })).collect();
    for kept in snapshot.refused().map_err(broken)? {
        let row = row_of(&kept);
        if filter.admits(&row) {
            found.insert(row.id, Found { row, kept: Some(kept) });
        }
    }
    Ok(found.into_values().rev().take(filter.limit.unwrap_or(usize::MAX)).collect())
}

/// The list as it was last written down.
fn written_down(snapshot: &Snapshot) -> Result<RejectedLog, OperatorError> {
    let log = RejectedLog::default();
    if let Some(kept) = snapshot.rejected().map_err(broken)? {
        log.restore(&kept).map_err(|error| OperatorError { status: 500, message: error.to_string() })?;
    }
    Ok(log)
}

fn row_of(kept: &Refused) -> Rejected {
    Rejected {
        id: kept.id,
        time: kept.received_at,
        source: kept.source.clone(),
        // It was written from an address.
        address: kept.address.parse().unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)),
        reason: kept.reason.clone(),
        verdict: kept.verdict.clone(),
    }
}

/// Verifies kept requests against today's secrets, the oldest first. What is genuine is taken in as a webhook that has just come.
pub(super) fn retry(desk: &Desk, selection: Selection) -> Result<OperatorRows, OperatorError> {
    if selection.reason.is_some() {
        return Err(wrong("a retry takes no reason"));
    }
    let dry_run = selection.dry_run;
    for_each(desk, selection, move |desk, snapshot, kept| again(desk, snapshot, kept, dry_run))
}

/// Erases kept requests with their bodies, and their rows in the list.
pub(super) fn erase(desk: &Desk, selection: Selection) -> Result<OperatorRows, OperatorError> {
    if selection.reason.is_some() {
        return Err(wrong("erasing takes no reason"));
    }
    let dry_run = selection.dry_run;
    for_each(desk, selection, move |desk, _, kept| {
        if dry_run {
            return Ok(answer(kept, "would_erase", None));
        }
        forget(desk, kept)?;
        Ok(answer(kept, "erased", None))
    })
}

fn for_each(
    desk: &Desk,
    selection: Selection,
    each: impl Fn(&Desk, &Snapshot, &Refused) -> Result<Value, OperatorError> + Send + 'static,
) -> Result<OperatorRows, OperatorError> {
    let mut chosen = choose(desk, selection)?;
    let desk = desk.clone();
    in_batches(None, move || {
        let snapshot = desk.snapshot()?;
        let mut rows = Vec::new();
        for chosen in chosen.drain(..chosen.len().min(AT_ONCE)) {
            rows.push(match chosen {
                Ok(kept) => each(&desk, &snapshot, &kept)?,
                Err(id) => not_kept(id),
            });
        }
        Ok(Batch { rows, more: !chosen.is_empty() })
    })
}

/// The kept requests that are meant, oldest first; the numbers of those that are not kept.
fn choose(desk: &Desk, selection: Selection) -> Result<VecDeque<Result<Refused, u64>>, OperatorError> {
    let filtered = !selection.filter.is_empty();
    let kept = desk.snapshot()?.refused().map_err(broken)?;
    match (selection.ids.is_empty(), filtered || selection.all) {
        (false, true) => Err(wrong("give either ids or a filter, not both")),
        (true, false) => Err(wrong("say which: ids, a filter such as a source, or all")),
        (false, false) => selection
            .ids
            .iter()
            .map(|id| {
                let id = number(id)?;
                Ok(kept.iter().find(|kept| kept.id == id).cloned().ok_or(id))
            })
            .collect(),
        (true, true) => {
            let sieve = Sieve::new(selection.filter, OF_REJECTED, &desk.names()?, desk.clock.now())?;
            let filter = filter_of(sieve);
            Ok(kept.into_iter().filter(|kept| filter.admits(&row_of(kept))).map(Ok).collect())
        }
    }
}

/// One kept request, once more.
fn again(desk: &Desk, snapshot: &Snapshot, kept: &Refused, dry_run: bool) -> Result<Value, OperatorError> {
    let configured = desk.configured();
    let Some(source) = configured.source(&kept.source) else {
        let why = format!("its source {:?} is no longer configured; put it back first", kept.source);
        return Ok(answer(kept, "refused", Some(why)));
    };
    let Some(bytes) = snapshot.refused_body(kept).map_err(broken)? else { return Ok(not_kept(kept.id)) };
    // Its signature is as old as it was when it came, however late a person looks after it.
    let rest = kept.query.as_ref().map_or_else(String::new, |query| format!("?{}", query.expose()));
    let request = Request {
        endpoint: source.endpoint.as_deref(),
        rest: &rest,
        event: kept.envelope.event.as_deref(),
        ..Request::post(&kept.envelope, &bytes, kept.received_at)
    };
    if let Err(refusal) = source.source.verify(&request) {
        let why = format!("{}: {}", refusal.name(), source.source.explain(&request, refusal));
        return Ok(answer(kept, "refused", Some(why)));
    }
    let now = desk.clock.now();
    let envelope = verified::envelope(&*source.source, &request);
    let intakes = match verified::intakes(&kept.source, &*source.source, envelope, &bytes, now, body::compress) {
        Ok(intakes) => intakes,
        Err(invalid) => return Ok(answer(kept, "refused", Some(format!("invalid_payload: {invalid}")))),
    };
    if let Some(live) = &desk.live
        && let Err(reason) = live.ready()
    {
        return Err(OperatorError { status: 409, message: format!("nothing can be taken in now: {reason}") });
    }
    // Of several events in one request the row tells of the first.
    let provider_id = intakes.all().first().map(|intake| intake.provider_id.clone());
    if dry_run {
        let mut row = answer(kept, "would_take_in", None);
        row["provider_id"] = json!(provider_id);
        return Ok(row);
    }
    let command = match intakes {
        Intakes::One(intake) => Command::Intake(Box::new(intake)),
        Intakes::Several(intakes) => Command::IntakeAll(intakes),
    };
    let receipt = match desk.writer.run(command).map_err(|error| unwritten(&error))? {
        Reply::Receipt(receipt) => Some(receipt),
        Reply::Receipts(receipts) => receipts.first().copied(),
        Reply::Refused(why) => return Ok(answer(kept, "refused", Some(why))),
        Reply::Done | Reply::Swept { .. } | Reply::Lead(_) => {
            return Ok(answer(kept, "refused", Some("no receipt".to_owned())));
        }
    };
    let (result, event) = match receipt {
        Some(Receipt::Stored(id, status)) => (status.name(), Some(id)),
        Some(Receipt::Duplicate(id)) => ("duplicate", Some(id)),
        None => ("empty", None),
    };
    // After the webhook is on disk: a crash in between leaves both, and a second retry finds a duplicate.
    forget(desk, kept)?;
    let mut row = answer(kept, result, None);
    row["event"] = json!(event.map(|event| event.to_string()));
    row["provider_id"] = json!(provider_id);
    Ok(row)
}

/// Drops a kept request, and its row in the list.
fn forget(desk: &Desk, kept: &Refused) -> Result<(), OperatorError> {
    let key = vec![(kept.source.clone(), kept.id)];
    desk.writer.run(Command::DropRefused(key)).map_err(|error| unwritten(&error))?;
    match &desk.live {
        Some(live) => live.rejected().forget(&[kept.id]),
        None => {
            let log = written_down(&desk.snapshot()?)?;
            log.forget(&[kept.id]);
            if let Some(list) = log.dirty_snapshot() {
                desk.writer.run(Command::KeepRejected(list)).map_err(|error| unwritten(&error))?;
            }
        }
    }
    Ok(())
}

fn answer(kept: &Refused, result: &str, reason: Option<String>) -> Value {
    json!({"id": format!("r{}", kept.id), "source": kept.source, "result": result, "reason": reason})
}

fn not_kept(id: u64) -> Value {
    let reason = "it is not kept: only requests to sources with respond = \"always_200\" are, for 7 days; mend the cause, and the \
                  sender comes again by itself, or send it again from the sender's own page (Stripe: Workbench, Webhooks, Resend)";
    json!({"id": format!("r{id}"), "source": Value::Null, "result": "refused", "reason": reason})
}

fn number(id: &str) -> Result<u64, OperatorError> {
    let digits = id.strip_prefix('r').unwrap_or(id);
    digits.parse().map_err(|_| wrong(format!("{id:?} is not an id like r12")))
}
