//! Every table that a backup holds, whatever the types of its keys and values.

use redb::{
    Key, ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, TableError, TableHandle, Value,
    WriteTransaction,
};

use super::BackupError;
use super::audit::{self, Audit};
use super::cell::Cell;
use crate::store::error::StoreError;
use crate::store::schema;

/// Rows are handed over together up to about this many bytes.
pub(super) const BLOCK_BYTES: usize = 64 * 1024;

/// The tables of a layout; none when this program does not know it.
///
/// A layout whose tables differ needs a list of its own here, and the old one stays: older backups are read by it.
pub(super) fn tables(layout: u32) -> Option<&'static [&'static dyn AnyTable]> {
    (layout == 1).then_some(&LAYOUT_1)
}

/// Takes rows as a backup spells them, with how many they are.
pub(in crate::store) type TakeRows<'a> = dyn FnMut(&[u8], u64) -> Result<(), BackupError> + 'a;

/// A table.
pub(in crate::store) trait AnyTable: Sync {
    /// Its name.
    fn name(&self) -> &str;

    /// Opens it, so that it is there.
    fn make(&self, txn: &WriteTransaction) -> Result<(), StoreError>;

    /// Hands over every row as a backup spells it, many at a time, with how many they are. False when there is no such table.
    fn read(&self, txn: &ReadTransaction, hand_over: &mut TakeRows<'_>) -> Result<bool, BackupError>;

    /// Puts rows in; how many. They are whole rows, or nonsense.
    fn write(&self, txn: &WriteTransaction, rows: &[u8]) -> Result<u64, BackupError>;

    /// Looks at rows; how many.
    fn audit(&self, rows: &[u8], audit: &mut Audit) -> Result<u64, BackupError>;

    /// Bytes that it takes up in pages. Exact while a walk over it is quick; of a large table the rows are counted and their size
    /// is taken from the newest ones.
    fn page_bytes(&self, txn: &ReadTransaction) -> Result<u64, StoreError>;
}

/// What is looked at in a row.
type Look<K, V> = for<'a> fn(<K as Value>::SelfType<'a>, <V as Value>::SelfType<'a>, &mut Audit);

struct TableOf<K: Key + 'static, V: Value + 'static> {
    definition: TableDefinition<'static, K, V>,
    look: Look<K, V>,
}

/// All but `filling`, which holds zeros for a moment.
static LAYOUT_1: [&dyn AnyTable; 24] = [
    &TableOf { definition: schema::META, look: audit::meta },
    &TableOf { definition: schema::DESTINATIONS, look: |_, _, _| {} },
    &TableOf { definition: schema::STANDINGS, look: audit::standing },
    &TableOf { definition: schema::WEBHOOKS, look: audit::webhook },
    &TableOf { definition: schema::BODIES, look: audit::body },
    &TableOf { definition: schema::MARKS, look: |_, _, _| {} },
    &TableOf { definition: schema::GROUPS, look: audit::group },
    &TableOf { definition: schema::LINKS, look: |_, _, _| {} },
    &TableOf { definition: schema::CONTACTS, look: audit::contact },
    &TableOf { definition: schema::IDENTITIES, look: audit::identity },
    &TableOf { definition: schema::CLAIMANTS, look: |_, _, _| {} },
    &TableOf { definition: schema::CONTACT_GROUPS, look: |_, _, _| {} },
    &TableOf { definition: schema::SUBSCRIPTIONS, look: audit::subscription },
    &TableOf { definition: schema::BUSINESS_EVENTS, look: audit::business_event },
    &TableOf { definition: schema::CONTACT_SYNCS, look: audit::contact_sync },
    &TableOf { definition: schema::DUE, look: audit::due },
    &TableOf { definition: schema::SETTLE, look: |_, _, _| {} },
    &TableOf { definition: schema::FAILED, look: audit::failed },
    &TableOf { definition: schema::ATTEMPTS, look: audit::attempt },
    &TableOf { definition: schema::REFUSED, look: audit::refused },
    &TableOf { definition: schema::REFUSED_BODIES, look: |_, packed, audit| audit::body(0, packed, audit) },
    &TableOf { definition: schema::LEADS, look: audit::lead },
    &TableOf { definition: schema::LEAD_EMAILS, look: |_, _, _| {} },
    &TableOf { definition: schema::TOMBSTONES, look: |_, _, _| {} },
];

impl<K, V> AnyTable for TableOf<K, V>
where
    K: Key + Cell + Sync + 'static,
    V: Cell + Sync + 'static,
{
    fn name(&self) -> &str {
        self.definition.name()
    }

    fn make(&self, txn: &WriteTransaction) -> Result<(), StoreError> {
        txn.open_table(self.definition).map_err(StoreError::storage).map(drop)
    }

    fn read(&self, txn: &ReadTransaction, hand_over: &mut TakeRows<'_>) -> Result<bool, BackupError> {
        let Some(table) = self.open(txn)? else { return Ok(false) };
        let (mut rows, mut count) = (Vec::with_capacity(BLOCK_BYTES), 0);
        for row in table.iter().map_err(BackupError::storage)? {
            let (key, value) = row.map_err(BackupError::storage)?;
            K::put(&key.value(), &mut rows);
            V::put(&value.value(), &mut rows);
            count += 1;
            if rows.len() >= BLOCK_BYTES {
                hand_over(&rows, count)?;
                (rows, count) = (Vec::with_capacity(BLOCK_BYTES), 0);
            }
        }
        if count > 0 {
            hand_over(&rows, count)?;
        }
        Ok(true)
    }

    fn write(&self, txn: &WriteTransaction, rows: &[u8]) -> Result<u64, BackupError> {
        let mut table = txn.open_table(self.definition).map_err(BackupError::storage)?;
        let (mut rest, mut count) = (rows, 0);
        while let Some((key, value)) = self.take(&mut rest)? {
            table.insert(&key, &value).map_err(BackupError::storage)?;
            count += 1;
        }
        Ok(count)
    }

    fn audit(&self, rows: &[u8], audit: &mut Audit) -> Result<u64, BackupError> {
        let (mut rest, mut count) = (rows, 0);
        while let Some((key, value)) = self.take(&mut rest)? {
            (self.look)(key, value, audit);
            count += 1;
        }
        Ok(count)
    }

    fn page_bytes(&self, txn: &ReadTransaction) -> Result<u64, StoreError> {
        let Some(table) = self.open(txn)? else { return Ok(0) };
        let rows = table.len().map_err(StoreError::storage)?;
        if rows <= WALKED_ROWS {
            let stats = table.stats().map_err(StoreError::storage)?;
            return Ok(stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes());
        }
        let (mut sampled, mut bytes) = (0, 0);
        for row in table.iter().map_err(StoreError::storage)?.rev().take(usize::try_from(SAMPLED_ROWS).unwrap_or(1)) {
            let (key, value) = row.map_err(StoreError::storage)?;
            bytes += K::as_bytes(&key.value()).as_ref().len() + V::as_bytes(&value.value()).as_ref().len();
            sampled += 1;
        }
        // Pages are about nine tenths full, and branches add a little.
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        Ok(bytes.saturating_mul(rows) / sampled.max(1) * 10 / 9)
    }
}

/// Up to so many rows a table is walked to know its size.
const WALKED_ROWS: u64 = 20_000;
/// Rows that stand for all of a larger table.
const SAMPLED_ROWS: u64 = 512;

/// A row.
type Row<'a, K, V> = (<K as Value>::SelfType<'a>, <V as Value>::SelfType<'a>);

impl<K: Key + Cell + 'static, V: Cell + 'static> TableOf<K, V> {
    fn open(&self, txn: &ReadTransaction) -> Result<Option<redb::ReadOnlyTable<K, V>>, StoreError> {
        match txn.open_table(self.definition) {
            Ok(table) => Ok(Some(table)),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(StoreError::storage(error)),
        }
    }

    /// The next row; none at the end.
    fn take<'a>(&self, rest: &mut &'a [u8]) -> Result<Option<Row<'a, K, V>>, BackupError> {
        if rest.is_empty() {
            return Ok(None);
        }
        let row = K::take(rest).and_then(|key| Some((key, V::take(rest)?)));
        row.map(Some).ok_or_else(|| BackupError::Nonsense(format!("a row of {} is not one", self.definition.name())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::schema::SCHEMA_VERSION;

    #[test]
    fn every_layout_has_its_tables_and_every_table_of_a_new_store_is_in_a_backup() {
        for layout in 1..=SCHEMA_VERSION {
            assert!(tables(layout).is_some(), "layout {layout}");
        }
        let opened =
            crate::store::Store::open_with_backend(redb::backends::InMemoryBackend::new(), 1 << 20, &[]).unwrap();
        let snapshot = opened.store.reader().snapshot().unwrap();
        let mut made: Vec<String> = snapshot.txn.list_tables().unwrap().map(|table| table.name().to_owned()).collect();
        made.sort();
        let mut known: Vec<&str> = tables(SCHEMA_VERSION).unwrap().iter().map(|table| table.name()).collect();
        known.sort_unstable();
        assert_eq!(made, known);
    }
}
