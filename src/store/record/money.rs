//! Amounts on disk.

use serde::{Deserialize, Serialize};

use crate::model::money::{Currency, Money};

use super::Fault;

/// A [`Money`]: minor units and the currency's three lower-case letters.
#[derive(Serialize, Deserialize)]
pub(super) struct MoneyV1 {
    minor: i64,
    currency: [u8; 3],
}

impl MoneyV1 {
    /// As it is written.
    pub(super) fn of(money: Money) -> Self {
        let mut currency = [b'x'; 3];
        // A currency's code is three bytes by its type; copying them one by one can't fail whatever it is.
        for (to, from) in currency.iter_mut().zip(money.currency.code().bytes()) {
            *to = from;
        }
        Self { minor: money.minor, currency }
    }

    /// As it was.
    pub(super) fn read(self) -> Result<Money, Fault> {
        let currency: Currency =
            std::str::from_utf8(&self.currency).ok().and_then(|code| code.parse().ok()).ok_or(Fault::NotACurrency)?;
        Ok(Money { minor: self.minor, currency })
    }
}
