//! Who stands under a lead id or phone: rows of keys alone, those of one claim side by side.

use redb::ReadableTable;

use super::error::StoreError;
use crate::model::id::{ContactId, GroupId};
use crate::model::identity::{Claimant, Identity};

/// How a claimant stands in a key, after the claim: its kind and its number.
pub(super) const fn key(claimant: Claimant) -> (u8, u64) {
    match claimant {
        Claimant::Person(contact) => (0, contact.0),
        Claimant::Sale(group) => (1, group.0),
    }
}

/// The people who claim a shared lead id or phone, up to so many.
pub(super) fn people(
    table: &impl ReadableTable<(&'static str, u8, u64), ()>,
    claim: &Identity,
    most: usize,
) -> Result<Vec<ContactId>, StoreError> {
    Ok(numbers(table, claim, 0, most)?.into_iter().map(ContactId).collect())
}

/// The purchases that are known by a lead id or phone alone.
pub(super) fn sales(
    table: &impl ReadableTable<(&'static str, u8, u64), ()>,
    claim: &Identity,
) -> Result<Vec<GroupId>, StoreError> {
    Ok(numbers(table, claim, 1, usize::MAX)?.into_iter().map(GroupId).collect())
}

fn numbers(
    table: &impl ReadableTable<(&'static str, u8, u64), ()>,
    claim: &Identity,
    kind: u8,
    most: usize,
) -> Result<Vec<u64>, StoreError> {
    let claim = claim.key();
    let range = (claim.as_str(), kind, 0)..=(claim.as_str(), kind, u64::MAX);
    let mut numbers = Vec::new();
    for row in table.range(range).map_err(StoreError::storage)?.take(most) {
        numbers.push(row.map_err(StoreError::storage)?.0.value().2);
    }
    Ok(numbers)
}
