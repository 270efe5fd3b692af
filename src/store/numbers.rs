//! The numbers that new things get, and the running counts: one record, written with every commit.

use super::error::StoreError;
use super::record::{Fault, RecordError, totals};
use super::tombstones::InstallKey;
use crate::ledger::books::NextNumbers;
use crate::model::totals::Totals;

const CUT_SHORT: RecordError =
    RecordError { table: "numbers", what: Fault::Malformed(postcard::Error::DeserializeUnexpectedEnd) };

/// What the writer keeps in memory and writes with every commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) next: NextNumbers,
    pub(super) totals: Totals,
    /// Kept in a record of its own: what hashes erased people's identities. None while nobody was erased.
    pub(super) install_key: Option<InstallKey>,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            next: NextNumbers { webhook: 1, group: 1, contact: 1, business_event: 1 },
            totals: Totals::default(),
            install_key: None,
        }
    }
}

impl Numbers {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        for number in [self.next.webhook, self.next.group, self.next.contact, self.next.business_event] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(&totals::encode(&self.totals));
        bytes
    }

    /// Strict, because a number read too low would be given out twice.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut rest = bytes;
        let mut number = || {
            let (eight, after) = rest.split_first_chunk().ok_or(CUT_SHORT)?;
            rest = after;
            Ok::<u64, StoreError>(u64::from_le_bytes(*eight))
        };
        let next = NextNumbers { webhook: number()?, group: number()?, contact: number()?, business_event: number()? };
        Ok(Self { next, totals: totals::decode(rest)?, install_key: None })
    }
}
