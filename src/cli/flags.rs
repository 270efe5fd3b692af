//! Flags that several commands share.

use clap::Args;

use crate::model::time::Timestamp;
use crate::operator::{Filter, List, parse_moment};

/// Which part of a list.
#[derive(Debug, Args)]
pub(super) struct ListFlags {
    /// Most rows
    #[arg(long, value_name = "N", default_value_t = 50, conflicts_with = "all")]
    limit: u64,
    /// Every row
    #[arg(long)]
    all: bool,
    /// Only what comes behind this id in the list
    #[arg(long, value_name = "ID")]
    after: Option<String>,
}

impl ListFlags {
    /// Most rows; none is all.
    pub(super) const fn limit(&self) -> Option<u64> {
        if self.all { None } else { Some(self.limit) }
    }

    /// The list with a filter. `one_more` asks for a row beyond the limit, to see whether there is one.
    pub(super) fn list(&self, filter: Filter, one_more: bool) -> List {
        let limit = self.limit().map(|limit| limit.saturating_add(u64::from(one_more)));
        List { filter, limit, after: self.after.clone() }
    }
}

/// A span of time.
#[derive(Debug, Args)]
pub(super) struct TimeFlags {
    /// At this moment or later: 2026-11-21T13:05:00Z, 2026-11-21 or "2026-11-21 13:05" in UTC, or a span before now like 2h or 7d
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<String>,
    /// Before this moment, given in the same ways; a date alone is its beginning
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<String>,
}

impl TimeFlags {
    /// As a filter.
    pub(super) fn filter(&self) -> Filter {
        Filter { since: self.since.clone(), until: self.until.clone(), ..Filter::default() }
    }
}

/// Checks a moment and passes it on as it is: spans count from when the request is answered.
fn moment(text: &str) -> Result<String, String> {
    parse_moment(text, Timestamp::EPOCH).map(|_| text.to_owned())
}
