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

/// A currency's three lower-case letters.
pub(super) fn letters(currency: Currency) -> [u8; 3] {
    let mut letters = [b'x'; 3];
    // A currency's code is three bytes by its type; copying them one by one can't fail whatever it is.
    for (to, from) in letters.iter_mut().zip(currency.code().bytes()) {
        *to = from;
    }
    letters
}

/// The currency of three lower-case letters.
pub(super) fn currency(letters: [u8; 3]) -> Result<Currency, Fault> {
    std::str::from_utf8(&letters).ok().and_then(|code| code.parse().ok()).ok_or(Fault::NotACurrency)
}

impl MoneyV1 {
    /// As it is written.
    pub(super) fn of(money: Money) -> Self {
        Self { minor: money.minor, currency: letters(money.currency) }
    }

    /// As it was.
    pub(super) fn read(self) -> Result<Money, Fault> {
        Ok(Money { minor: self.minor, currency: currency(self.currency)? })
    }
}
