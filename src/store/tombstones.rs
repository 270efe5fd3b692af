//! Who was erased, as keyed hashes: enough to know the person again, too little to tell who it was.

use hmac::{Hmac, KeyInit, Mac};
use redb::{ReadableTable, Table, WriteTransaction};
use sha2::Sha256;

use super::error::StoreError;
use super::schema::{self, Bytes};
use crate::model::id::ContactId;
use crate::model::identity::Identity;
use std::fmt;

/// The key of this store's hashes: random, made when the first person is erased, and never changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InstallKey([u8; 32]);

impl InstallKey {
    /// Of random bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash that an identity's tombstone is kept under.
    pub(super) fn hash(&self, identity: &Identity) -> [u8; 32] {
        // HMAC takes keys of any length.
        #[allow(clippy::expect_used)]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(identity.key().as_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for InstallKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstallKey(…)")
    }
}

/// The key in the file; none while nobody was erased.
pub(super) fn install_key(meta: &impl ReadableTable<&'static str, Bytes>) -> Result<Option<InstallKey>, StoreError> {
    let found = meta.get("install_key").map_err(StoreError::storage)?;
    let Some(found) = found else { return Ok(None) };
    let bytes = found.value().try_into().map_err(|_| {
        StoreError::storage(redb::Error::Corrupted(
            "the install key has another length than it was written with".into(),
        ))
    })?;
    Ok(Some(InstallKey(bytes)))
}

/// The tombstones of a write transaction.
pub(super) struct Tombstones<'txn> {
    key: InstallKey,
    table: Table<'txn, &'static [u8; 32], u64>,
}

impl<'txn> Tombstones<'txn> {
    pub(super) fn open(txn: &'txn WriteTransaction, key: &InstallKey) -> Result<Self, StoreError> {
        Ok(Self { key: *key, table: txn.open_table(schema::TOMBSTONES).map_err(StoreError::storage)? })
    }

    /// The nameless contact of whoever had an identity.
    pub(super) fn find(&self, identity: &Identity) -> Result<Option<ContactId>, StoreError> {
        let found = self.table.get(&self.key.hash(identity)).map_err(StoreError::storage)?;
        Ok(found.map(|contact| ContactId(contact.value())))
    }

    pub(super) fn put(&mut self, identity: &Identity, contact: ContactId) -> Result<(), StoreError> {
        self.table.insert(&self.key.hash(identity), contact.0).map_err(StoreError::storage)?;
        Ok(())
    }
}
