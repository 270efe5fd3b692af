//! Is anything broken? One page, from running counts and short looks, so that it costs the same at any size.

use std::time::Duration;

use serde_json::{Value, json};

use super::desk::{Desk, broken};
use super::destinations::{Described, describe_all};
use super::pages::one;
use super::reading::time;
use super::rejected::{self, Found};
use crate::http::admin::{OperatorError, OperatorRows};
use crate::http::certificate::Standing;
use crate::http::rejected::RejectedFilter;
use crate::model::delivery::STATE_NAMES;
use crate::model::totals::{SaleShares, Totals};
use crate::model::webhook::Status;
use crate::store::{Page, Snapshot, Upgraded};

/// The newest webhooks that are looked at for unreadable ones.
const LOOKED_AT: usize = 1000;
/// Fewer refused requests than this are somebody's stray scan; more are a wrong secret, a wrong clock or a trial.
const MANY_REFUSALS: usize = 5;
/// How long an odd webhook is worth a word, in days.
const ODD_DAYS: i64 = 7;
/// How long a refused request is worth a word.
const LATELY: Duration = Duration::from_secs(86_400);

/// Everything on one page.
pub(super) fn status(desk: &Desk) -> Result<OperatorRows, OperatorError> {
    let snapshot = desk.snapshot()?;
    let totals = snapshot.totals().map_err(broken)?;
    let destinations = describe_all(desk, &snapshot, &totals)?;
    let since = Some(desk.clock.now().before(LATELY));
    let refused = rejected::find(desk, &RejectedFilter { since, ..RejectedFilter::default() })?;
    let problems = problems(desk, &snapshot, &destinations, &refused, &totals)?;
    let stopped = stopped(desk);
    let configured = desk.configured();
    let file_bytes = std::fs::metadata(&configured.store).map(|file| file.len()).ok();
    let mut deliveries = json!({});
    for (at, state) in STATE_NAMES.iter().enumerate() {
        deliveries[*state] = json!(totals.destinations.values().map(|counts| counts[at]).sum::<u64>());
    }
    Ok(one(json!({
        // Whether the daemon runs is a question of its own.
        "ok": problems.is_empty(),
        "running": desk.live.is_some(),
        "not_taking": not_taking(desk),
        "problems": stopped.into_iter().chain(problems).collect::<Vec<_>>(),
        "hints": hints(desk, &totals),
        "odd_events": totals.odd.within(ODD_DAYS, desk.clock.now()),
        "events": totals.webhooks,
        "deliveries": deliveries,
        "sources": sources(desk, &totals, &refused),
        "destinations": destinations.into_iter().map(|described| described.row).collect::<Vec<_>>(),
        "certificate": desk.live.as_ref().and_then(|live| live.certificate()).map(|standing| certificate(&standing)),
        "store": {
            "data_bytes": snapshot.stored_bytes().map_err(broken)?,
            "file_bytes": file_bytes,
            "reserve_bytes": configured.reserve,
            "upgraded": snapshot.upgraded().map_err(broken)?.as_ref().map(upgraded),
        },
        "ga4_client_ids": {"browser": totals.ga4_with_client_id, "derived": totals.ga4_synthetic},
        "leads": totals.leads,
        "sales_from": {
            "last_7_days": shares(totals.sales.within(7, desk.clock.now())),
            "last_30_days": shares(totals.sales.within(30, desk.clock.now())),
        },
        "at": time(desk.clock.now()),
    })))
}

/// The certificate, as far as it concerns people.
fn certificate(standing: &Standing) -> Value {
    let (error_at, error) = standing.last_error.clone().unzip();
    json!({
        "mode": standing.mode,
        "names": standing.names,
        "not_before": standing.validity.map(|(from, _)| time(from)),
        "expires_at": standing.validity.map(|(_, until)| time(until)),
        "renews_at": standing.renews_at.map(time),
        "failures": standing.failures,
        "last_error": error,
        "last_error_at": error_at.map(time),
        "next_try_at": standing.next_try_at.map(time),
    })
}

/// The last change of the store's layout.
fn upgraded(upgraded: &Upgraded) -> Value {
    json!({"from": upgraded.from, "to": upgraded.to, "at": time(upgraded.at), "backup": upgraded.backup})
}

/// Of how many first sales it is known where they came from.
fn shares(of: SaleShares) -> Value {
    json!({"sales": of.sales, "client_id": of.client_id, "session_id": of.session_id, "utm": of.utm})
}

/// Every source that is configured or ever sent something.
fn sources(desk: &Desk, totals: &Totals, refused: &[Found]) -> Value {
    let configured = desk.configured();
    let mut names: Vec<&str> = configured.sources.iter().map(|source| source.name.as_str()).collect();
    names.extend(totals.sources.keys().map(String::as_str).filter(|name| configured.source(name).is_none()));
    let row = |name: &str| {
        let known = totals.sources.get(name).copied().unwrap_or_default();
        json!({
            "name": name,
            "configured": configured.source(name).is_some(),
            "last_event_at": known.last_event_at.map(time),
            "count": known.count,
            "rejected": refused.iter().filter(|found| found.row.source == name).count(),
            "rejected_kept": known.refused,
        })
    };
    names.into_iter().map(row).collect()
}

/// What is wrong, the worst first, each in a sentence with its next step.
fn problems(
    desk: &Desk,
    snapshot: &Snapshot,
    destinations: &[Described],
    refused: &[Found],
    totals: &Totals,
) -> Result<Vec<String>, OperatorError> {
    let mut problems = Vec::new();
    let certificate = desk.live.as_ref().and_then(|live| live.certificate());
    let certificate_problem = certificate.as_ref().and_then(|standing| standing.problem(desk.clock.now()));
    // That it is not there is a reason why nothing is taken, and told in full below.
    if certificate.is_none_or(|standing| standing.is_there()) || certificate_problem.is_none() {
        problems.extend(not_taking(desk));
    }
    problems.extend(certificate_problem);
    for described in destinations {
        problems.extend(standing_problem(described));
        problems.extend(behind_problem(desk, snapshot, described)?);
        problems.extend(failed_problem(described));
    }
    problems.extend(unreadable_problem(snapshot)?);
    problems.extend(desk.live.as_ref().and_then(|live| live.lost_alerts()));
    problems.extend(refused_problems(refused, totals));
    let limits = desk.live.as_ref().and_then(|live| live.lead_limits());
    problems.extend(limits.and_then(|limits| limits.turned_away(desk.clock.now()).problem()));
    Ok(problems)
}

/// What is not wrong, but worth doing.
fn hints(desk: &Desk, totals: &Totals) -> Vec<String> {
    let mut hints = Vec::new();
    if totals.webhooks == 0 {
        let source = desk.configured().sources.first().map_or("SOURCE".to_owned(), |source| source.name.clone());
        hints.push(format!("no webhook has come yet; `tallyhook send {source}` sends a signed sample"));
    }
    if let Some((what, was, is)) = totals.sales.dropped(desk.clock.now()) {
        hints.push(format!(
            "only {is} % of the sales of the last 7 days have a {what}, {was} % had one before; see whether lead.js is still on \
             every page and the payment links still carry the lead id"
        ));
    }
    if let Some(limits) = desk.live.as_ref().and_then(|live| live.lead_limits())
        && limits.are_nearly_full(totals.leads)
    {
        hints.push(format!(
            "{} of at most {} leads are kept: visitors without an address who were here longest ago are forgotten early; a larger \
             leads.max_kept keeps them",
            totals.leads,
            limits.most_kept()
        ));
    }
    let odd = totals.odd.within(ODD_DAYS, desk.clock.now());
    if odd > 0 {
        let webhooks = if odd == 1 { "1 webhook".to_owned() } else { format!("{odd} webhooks") };
        let last = totals.odd.last.map_or_else(String::new, |id| format!(", the last one {id}"));
        hints.push(format!(
            "{webhooks} of the last {ODD_DAYS} days had something odd, such as no amount or an unknown currency{last}; money may be \
             missing from the books: `tallyhook events list --odd --since {ODD_DAYS}d`"
        ));
    }
    hints
}

/// Why webhooks are not taken now.
fn not_taking(desk: &Desk) -> Option<String> {
    let configured = desk.configured();
    match &desk.live {
        Some(live) => live.ready().err().map(|reason| format!("webhooks are not taken now: {reason}")),
        None => {
            let free = desk.disk.free_bytes(&configured.store).unwrap_or(u64::MAX);
            (free < configured.reserve).then(|| {
                format!(
                    "only {} of disk are free where {} are kept in reserve, so that nothing would be taken: make room",
                    mebibytes(free),
                    mebibytes(configured.reserve)
                )
            })
        }
    }
}

/// That it does not run. A person may have stopped it, so this alone does not make the page not ok.
fn stopped(desk: &Desk) -> Option<String> {
    desk.live
        .is_none()
        .then(|| "tallyhook is not running: nothing is received or sent; this is read from its store".to_owned())
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

fn standing_problem(described: &Described) -> Option<String> {
    let Described { name, standing, counts, is_configured, .. } = described;
    let waiting = if counts[0] == 1 { "1 delivery waits".to_owned() } else { format!("{} deliveries wait", counts[0]) };
    if !is_configured && counts[0] > 0 {
        return Some(format!(
            "{name} is no longer configured, and {waiting} for it: put it back into the configuration"
        ));
    }
    if standing.paused {
        return Some(format!("{name} is paused, {waiting}; `tallyhook destinations resume {name}` lets them go"));
    }
    if let Some(held) = &standing.held {
        return Some(format!(
            "{name} is held since {}, {waiting}: {}; it is looked at again at {}, or `tallyhook destinations resume {name}`",
            held.since, held.explanation, held.probe_at
        ));
    }
    standing.breaker.open().map(|open| {
        format!(
            "{name} has failed again and again since {}, {waiting}; it is tried again at {}, `tallyhook destinations test {name}` \
             asks it now",
            open.since, open.probe_at
        )
    })
}

fn behind_problem(desk: &Desk, snapshot: &Snapshot, described: &Described) -> Result<Option<String>, OperatorError> {
    let Described { id, name, standing, counts, is_configured, .. } = described;
    if !is_configured || counts[0] == 0 {
        return Ok(None);
    }
    let oldest = snapshot.waits_since(*id).map_err(broken)?;
    let behind = standing.behind(oldest, desk.clock.now());
    Ok(behind
        .map(|why| format!("{name} {why}; `tallyhook deliveries list --destination {name}` shows what it answers")))
}

fn failed_problem(described: &Described) -> Option<String> {
    let Described { name, counts, .. } = described;
    (counts[3] > 0).then(|| {
        let failed = if counts[3] == 1 { "1 delivery".to_owned() } else { format!("{} deliveries", counts[3]) };
        format!("{failed} to {name} failed; `tallyhook failed list --destination {name}` says why")
    })
}

fn unreadable_problem(snapshot: &Snapshot) -> Result<Option<String>, OperatorError> {
    let newest = snapshot.webhooks(Page { before: None, limit: LOOKED_AT }).map_err(broken)?;
    let unreadable = newest.iter().filter(|webhook| webhook.status == Status::Unreadable).count();
    Ok((unreadable > 0).then(|| {
        format!(
            "{unreadable} of the last {} webhooks could not be digested by this version; they are kept: `tallyhook events list \
             --state unreadable`",
            newest.len()
        )
    }))
}

fn refused_problems(refused: &[Found], totals: &Totals) -> Vec<String> {
    let kept_of = |name: &str| totals.sources.get(name).map_or(0, |source| source.refused);
    let mut names: Vec<&str> = refused.iter().map(|found| found.row.source.as_str()).collect();
    names.extend(totals.sources.keys().map(String::as_str).filter(|name| kept_of(name) > 0));
    names.sort_unstable();
    names.dedup();
    let problem = |name: &str| {
        let of: Vec<&Found> = refused.iter().filter(|found| found.row.source == name).collect();
        let kept = kept_of(name);
        if kept > 0 {
            let (requests, was) = if kept == 1 { ("request", "was") } else { ("requests", "were") };
            return Some(format!(
                "{kept} {requests} to {name} {was} refused and answered 200, so that nobody sends them again; `tallyhook rejected \
                 list --source {name}` says why, `tallyhook rejected retry --all --source {name}` takes in what is genuine then"
            ));
        }
        let last = of.first().map_or("", |found| found.row.reason.as_str());
        (of.len() >= MANY_REFUSALS).then(|| {
            format!(
                "{} requests to {name} refused in the last day, the last one as {last}; `tallyhook rejected list --source {name}` \
                 says why",
                of.len()
            )
        })
    };
    names.into_iter().filter_map(problem).collect()
}
