//! The numbers that new things get, and the running counts: one record, written with every commit.

use super::error::StoreError;
use super::record::totals;
use crate::ledger::books::NextNumbers;
use crate::model::totals::Totals;

/// What the writer keeps in memory and writes with every commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) next: NextNumbers,
    pub(super) totals: Totals,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { next: NextNumbers { webhook: 1, group: 1, contact: 1, business_event: 1 }, totals: Totals::default() }
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

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let number = |at: usize| {
            let mut eight = [0; 8];
            if let Some(part) = bytes.get(at * 8..at * 8 + 8) {
                eight.copy_from_slice(part);
            }
            u64::from_le_bytes(eight)
        };
        let next = NextNumbers { webhook: number(0), group: number(1), contact: number(2), business_event: number(3) };
        Ok(Self { next, totals: totals::decode(bytes.get(32..).unwrap_or_default())? })
    }
}
