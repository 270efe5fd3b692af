//! Refused requests that are kept whole: written before their sender is answered, within a quota for each source.
//!
//! Their tables are opened only by the commands that need them, so that they cost other transactions nothing.

use redb::{ReadableTable, Table, WriteTransaction};

use super::error::StoreError;
use super::record;
use super::schema::{self, Bytes};
use crate::model::refused::{MOST_REFUSED, MOST_REFUSED_BYTES, Refused};
use crate::model::totals::{SourceTotals, Totals};

/// Where a refused request lies: its source and its number.
pub(super) type RefusedKey = (String, u64);

/// Both tables of a write transaction.
pub(super) struct RefusedTables<'txn> {
    rows: Table<'txn, (&'static str, u64), Bytes>,
    bodies: Table<'txn, (&'static str, u64), Bytes>,
}

impl<'txn> RefusedTables<'txn> {
    pub(super) fn open(txn: &'txn WriteTransaction) -> Result<Self, StoreError> {
        let rows = txn.open_table(schema::REFUSED).map_err(StoreError::storage)?;
        let bodies = txn.open_table(schema::REFUSED_BODIES).map_err(StoreError::storage)?;
        Ok(Self { rows, bodies })
    }

    /// Keeps one, and drops the oldest of its source that are then too many.
    pub(super) fn keep(&mut self, totals: &mut Totals, refused: &Refused, packed: &[u8]) -> Result<(), StoreError> {
        let (source, key) = (refused.source.as_str(), (refused.source.as_str(), refused.id));
        self.drop_one(totals, source, refused.id)?;
        self.rows.insert(key, record::refused::encode(refused).as_slice()).map_err(StoreError::storage)?;
        self.bodies.insert(key, packed).map_err(StoreError::storage)?;
        let kept = totals.sources.entry(source.to_owned()).or_default();
        kept.refused += 1;
        kept.refused_bytes += len(packed);
        while totals.sources.get(source).is_some_and(is_too_much) {
            // What has just been kept may go, too, if it alone is too large.
            let Some(oldest) = self.oldest(source)? else { break };
            self.drop_one(totals, source, oldest)?;
        }
        Ok(())
    }

    fn oldest(&self, source: &str) -> Result<Option<u64>, StoreError> {
        let mut rows = self.rows.range((source, 0)..=(source, u64::MAX)).map_err(StoreError::storage)?;
        Ok(rows.next().transpose().map_err(StoreError::storage)?.map(|(key, _)| key.value().1))
    }

    /// Drops one, if it is there.
    pub(super) fn drop_one(&mut self, totals: &mut Totals, source: &str, id: u64) -> Result<(), StoreError> {
        let row = self.rows.remove((source, id)).map_err(StoreError::storage)?.is_some();
        let body = self.bodies.remove((source, id)).map_err(StoreError::storage)?.map(|packed| len(packed.value()));
        if let Some(kept) = totals.sources.get_mut(source) {
            kept.refused = kept.refused.saturating_sub(u64::from(row));
            kept.refused_bytes = kept.refused_bytes.saturating_sub(body.unwrap_or(0));
        }
        Ok(())
    }

    /// Those that came before a moment, so many at most. A record that can't be read goes as an old one does.
    pub(super) fn older(&self, limits: super::sweep::SweepLimits) -> Result<Vec<RefusedKey>, StoreError> {
        let mut old = Vec::new();
        for row in self.rows.iter().map_err(StoreError::storage)? {
            if old.len() >= limits.most {
                break;
            }
            let (key, bytes) = row.map_err(StoreError::storage)?;
            let (source, id) = key.value();
            if record::refused::decode(source, id, bytes.value()).is_ok_and(|kept| kept.received_at >= limits.before) {
                continue;
            }
            old.push((source.to_owned(), id));
        }
        Ok(old)
    }
}

fn is_too_much(source: &SourceTotals) -> bool {
    source.refused > MOST_REFUSED || source.refused_bytes > MOST_REFUSED_BYTES
}

fn len(packed: &[u8]) -> u64 {
    u64::try_from(packed.len()).unwrap_or(u64::MAX)
}
