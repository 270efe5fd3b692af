//! What likeness makes of a group in the books as they are, for a person who asks.

use std::time::Duration;

use super::books::{Books, BooksResult};
use super::changes::money_time;
use super::likeness::other_half;
use super::workspace::Workspace;
use crate::model::id::GroupId;
use crate::model::time::Timestamp;

/// The other half of a sale that no link joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// The group of the other half.
    pub other: GroupId,
    /// Whether the group that was asked about tells of the sale; else the other one does.
    pub leads: bool,
    /// How far apart the two successes are, by the provider's own time.
    pub apart: Duration,
}

/// The other half of a group by likeness, if it has one: worked out anew, since likeness is never stored. Only for a source where
/// halves are looked for, which is not so where payments alone count.
///
/// # Errors
/// When the books can't be read.
pub fn pairing(books: &dyn Books, group: GroupId, now: Timestamp) -> BooksResult<Option<Pairing>> {
    let mut workspace = Workspace::new(books, now);
    let Some(half) = other_half(&mut workspace, group)? else { return Ok(None) };
    let mut at = |group| BooksResult::Ok(money_time(workspace.exact_group(group)?).unwrap_or(Timestamp::EPOCH));
    let (mine, theirs) = (at(group)?, at(half.group)?);
    let apart = mine.since(theirs).max(theirs.since(mine));
    Ok(Some(Pairing { other: half.group, leads: half.leads, apart }))
}
