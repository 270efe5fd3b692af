//! Requests that failed verification.

use super::desk::{Desk, broken};
use super::filter::{OF_REJECTED, Sieve, wrong};
use super::request::List;
use crate::http::admin::{OperatorError, OperatorRows};
use crate::http::rejected::{Rejected, RejectedFilter, RejectedLog};

/// Refused requests, newest first.
pub(super) fn list(desk: &Desk, list: List) -> Result<OperatorRows, OperatorError> {
    let sieve = Sieve::new(list.filter, OF_REJECTED, &desk.names()?, desk.clock.now())?;
    let after = list.after.map(|id| number(&id)).transpose()?;
    let filter = RejectedFilter {
        source: sieve.source,
        reason: sieve.reason,
        since: sieve.since,
        until: sieve.until,
        after,
        limit: list.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
    };
    Ok(Box::new(find(desk, &filter)?.into_iter().map(|row| row.row())))
}

/// The rows that a filter admits: from the running daemon, else as they were last written down.
pub(super) fn find(desk: &Desk, filter: &RejectedFilter) -> Result<Vec<Rejected>, OperatorError> {
    if let Some(live) = &desk.live {
        return Ok(live.rejected().list(filter));
    }
    let log = RejectedLog::default();
    if let Some(kept) = desk.snapshot()?.rejected().map_err(broken)? {
        log.restore(&kept).map_err(|error| OperatorError { status: 500, message: error.to_string() })?;
    }
    Ok(log.list(filter))
}

/// Verifies kept requests again: there are none yet.
pub(super) fn retry(ids: &[String]) -> Result<OperatorRows, OperatorError> {
    for id in ids {
        number(id)?;
    }
    Err(OperatorError {
        status: 409,
        message: "a refused request is not kept, so that it can't be verified again: correct the secret, and the sender comes \
                  again by itself, or send it again from the sender's own page (Stripe: Workbench, Webhooks, Resend). Keeping the \
                  requests of sources with respond = \"always_200\" comes with a later version"
            .to_owned(),
    })
}

fn number(id: &str) -> Result<u64, OperatorError> {
    let digits = id.strip_prefix('r').unwrap_or(id);
    digits.parse().map_err(|_| wrong(format!("{id:?} is not an id like r12")))
}
