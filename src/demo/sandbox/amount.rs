//! Amounts as destinations get them: JSON numbers in major units, beside a currency code.

use serde_json::Value;

use crate::model::money::{Currency, Money};

/// Reads an amount exactly; none when it is no number, or has more decimals than the currency.
pub fn read(value: &Value, currency: &str) -> Option<Money> {
    let currency: Currency = currency.parse().ok()?;
    let text = value.as_number()?.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let decimals = currency.exponent() as usize;
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals {
        return None;
    }
    // An exponent makes this fail, as amounts never need one.
    let minor: i64 = format!("{whole}{fraction:0<decimals$}").parse().ok()?;
    Some(Money { minor, currency })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts_are_read_to_the_cent() {
        for (value, currency, minor) in [
            (json!(99), "EUR", Some(9900)),
            (json!(49.9), "EUR", Some(4990)),
            (json!(0.05), "eur", Some(5)),
            (json!(99.0), "EUR", Some(9900)),
            (json!(-3.2), "EUR", Some(-320)),
            (json!(4500), "JPY", Some(4500)),
            (json!(4500.5), "JPY", None),
            (json!(5.125), "KWD", Some(5125)),
            (json!(1.005), "EUR", None),
            (json!("99"), "EUR", None),
            (json!(1e300), "EUR", None),
            (json!(null), "EUR", None),
            (json!(1), "EURO", None),
        ] {
            assert_eq!(read(&value, currency).map(|money| money.minor), minor, "{value} {currency}");
        }
    }
}
