//! Money as integer minor units plus currency. There is no float anywhere.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Every currency that is money in somebody's hands: ISO 4217's list of today, and what Stripe has taken in the past and events
/// may still tell of (Stripe: currencies). In order.
const KNOWN: [&[u8; 3]; 168] = [
    b"aed", b"afn", b"all", b"amd", b"ang", b"aoa", b"ars", b"aud", b"awg", b"azn", b"bam", b"bbd", b"bdt", b"bgn",
    b"bhd", b"bif", b"bmd", b"bnd", b"bob", b"brl", b"bsd", b"btn", b"bwp", b"byn", b"bzd", b"cad", b"cdf", b"chf",
    b"clp", b"cny", b"cop", b"crc", b"cuc", b"cup", b"cve", b"czk", b"djf", b"dkk", b"dop", b"dzd", b"eek", b"egp",
    b"ern", b"etb", b"eur", b"fjd", b"fkp", b"gbp", b"gel", b"ghs", b"gip", b"gmd", b"gnf", b"gtq", b"gyd", b"hkd",
    b"hnl", b"hrk", b"htg", b"huf", b"idr", b"ils", b"inr", b"iqd", b"irr", b"isk", b"jmd", b"jod", b"jpy", b"kes",
    b"kgs", b"khr", b"kmf", b"kpw", b"krw", b"kwd", b"kyd", b"kzt", b"lak", b"lbp", b"lkr", b"lrd", b"lsl", b"ltl",
    b"lvl", b"lyd", b"mad", b"mdl", b"mga", b"mkd", b"mmk", b"mnt", b"mop", b"mro", b"mru", b"mur", b"mvr", b"mwk",
    b"mxn", b"myr", b"mzn", b"nad", b"ngn", b"nio", b"nok", b"npr", b"nzd", b"omr", b"pab", b"pen", b"pgk", b"php",
    b"pkr", b"pln", b"pyg", b"qar", b"ron", b"rsd", b"rub", b"rwf", b"sar", b"sbd", b"scr", b"sdg", b"sek", b"sgd",
    b"shp", b"sle", b"sll", b"sos", b"srd", b"ssp", b"std", b"stn", b"svc", b"syp", b"szl", b"thb", b"tjs", b"tmt",
    b"tnd", b"top", b"try", b"ttd", b"twd", b"tzs", b"uah", b"ugx", b"usd", b"uyu", b"uzs", b"ved", b"vef", b"ves",
    b"vnd", b"vuv", b"wst", b"xaf", b"xcd", b"xcg", b"xof", b"xpf", b"yer", b"zar", b"zmk", b"zmw", b"zwg", b"zwl",
];

/// A currency code of three letters, lower case as Stripe sends it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Digits after the decimal point in this currency's minor unit, as Stripe counts them (Stripe: currencies, zero-decimal
    /// and special cases), which is not always what ISO 4217 says: ISK and UGX have two, MGA has none.
    pub const fn exponent(self) -> u32 {
        match &self.0 {
            b"bif" | b"clp" | b"djf" | b"gnf" | b"jpy" | b"kmf" | b"krw" | b"mga" | b"pyg" | b"rwf" | b"vnd"
            | b"vuv" | b"xaf" | b"xof" | b"xpf" => 0,
            b"bhd" | b"jod" | b"kwd" | b"omr" | b"tnd" => 3,
            _ => 2,
        }
    }

    /// Whether it is a currency that there is or was; `zzz` is three letters and no money.
    pub fn is_known(self) -> bool {
        KNOWN.binary_search(&&self.0).is_ok()
    }

    /// The code in lower case, `eur`.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("xxx")
    }

    /// The code in upper case, `EUR`, as GA4 wants it.
    pub fn upper(&self) -> String {
        self.code().to_ascii_uppercase()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The text is not a currency code of three letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a currency code of three letters")]
pub struct NotACurrency(pub String);

impl FromStr for Currency {
    type Err = NotACurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.as_bytes() {
            &[a, b, c] if [a, b, c].iter().all(u8::is_ascii_alphabetic) => {
                Ok(Self([a.to_ascii_lowercase(), b.to_ascii_lowercase(), c.to_ascii_lowercase()]))
            }
            _ => Err(NotACurrency(text.to_owned())),
        }
    }
}

/// An amount in the minor unit of its currency (cents; whole yen).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    /// Minor units, possibly negative.
    pub minor: i64,
    /// What of.
    pub currency: Currency,
}

impl Money {
    /// An amount of nothing.
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Reads an amount in major units, `150.1` or `-3`, exactly. More digits than the currency has are taken only where they are the
    /// dust of a sender's floating point (`150.10000000000002`): within a millionth of the minor unit. None for anything else.
    pub fn from_major(text: &str, currency: Currency) -> Option<Self> {
        /// What is read after the point; a double has no more.
        const PLACES: usize = 17;
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 18 || !plain(whole) || !plain(fraction) || digits.ends_with('.') {
            return None;
        }
        let fraction = fraction.get(..PLACES).unwrap_or(fraction);
        let scaled: i128 = format!("{whole}{fraction:0<PLACES$}").parse().ok()?;
        let unit = 10_i128.pow(u32::try_from(PLACES).ok()?.checked_sub(currency.exponent())?);
        let minor = (scaled + unit / 2) / unit;
        let dust = (scaled - minor * unit).abs();
        (dust * 1_000_000 <= unit).then_some(())?;
        Some(Self { minor: i64::try_from(sign * minor).ok()?, currency })
    }

    /// The amount in major units, exactly, without trailing zeros: `99`, `49.5`, `0.001`, `-3.2`.
    pub fn decimal(self) -> Decimal {
        Decimal { minor: self.minor, exponent: self.currency.exponent() }
    }
}

impl fmt::Display for Money {
    /// `49.90 EUR`: always with the currency's own number of decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.decimal().padded(), self.currency.upper())
    }
}

/// An exact decimal number: `minor / 10^exponent`, compared by what it is worth. Goes into JSON as a number without ever being a
/// float.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    minor: i64,
    exponent: u32,
}

/// The text is not a decimal number of at most [`Decimal::MOST_DIGITS`] digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a decimal number of at most 18 digits")]
pub struct NotADecimal(pub String);

impl FromStr for Decimal {
    type Err = NotADecimal;

    /// `50`, `49.90`, `-3.2`, as the configuration writes it: digits on both sides of the point, no exponent, no separators.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotADecimal(text.to_owned());
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (whole, fraction) = match unsigned.split_once('.') {
            Some((_, "")) => return Err(wrong()),
            Some(parts) => parts,
            None => (unsigned, ""),
        };
        let digits = format!("{whole}{fraction}");
        let are_digits = !whole.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !are_digits || digits.len() > Self::MOST_DIGITS {
            return Err(wrong());
        }
        let minor: i64 = digits.parse().map_err(|_| wrong())?;
        let minor = if text.starts_with('-') { -minor } else { minor };
        Ok(Self { minor, exponent: u32::try_from(fraction.len()).map_err(|_| wrong())? })
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        // No exponent is above 18, so that 2^63 times 10^18 fits.
        let scaled = |one: &Self, by: &Self| i128::from(one.minor) * 10_i128.pow(by.exponent);
        scaled(self, other).cmp(&scaled(other, self))
    }
}

impl Decimal {
    /// Digits that a text may have, before and after the point together.
    pub const MOST_DIGITS: usize = 18;

    /// A whole number.
    pub fn whole(number: u32) -> Self {
        Self { minor: i64::from(number), exponent: 0 }
    }

    /// As a JSON number, exact.
    pub fn json(self) -> serde_json::Value {
        // `arbitrary_precision` is off, so the text passes through f64; every amount below 2^53 minor units prints back
        // exactly the same digits, and larger ones are written as the nearest number that JSON readers can hold.
        self.to_string().parse::<f64>().ok().and_then(serde_json::Number::from_f64).map_or(
            serde_json::Value::Null,
            |number| {
                match number.as_f64() {
                    Some(float) if float.fract() == 0.0 && float.abs() < 9_007_199_254_740_992.0 => {
                        #[allow(clippy::cast_possible_truncation)] // whole and below 2^53, so it fits exactly
                        serde_json::Value::from(float as i64)
                    }
                    _ => serde_json::Value::Number(number),
                }
            },
        )
    }

    fn padded(self) -> String {
        let digits = self.exponent as usize;
        let sign = if self.minor < 0 { "-" } else { "" };
        let text = format!("{:0>width$}", self.minor.unsigned_abs(), width = digits + 1);
        let (whole, fraction) = text.split_at(text.len() - digits);
        if digits == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let padded = self.padded();
        f.write_str(if self.exponent == 0 { &padded } else { padded.trim_end_matches('0').trim_end_matches('.') })
    }
}

/// Sums per currency, in order of the code. Additions saturate; what would overflow is odd long before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums(Vec<Money>);

impl Sums {
    /// From amounts, one per currency or several.
    pub fn from_amounts(amounts: impl IntoIterator<Item = Money>) -> Self {
        let mut sums = Self::default();
        for money in amounts {
            sums.add(money);
        }
        sums
    }

    /// Adds an amount; a currency whose sum becomes zero stays listed.
    pub fn add(&mut self, money: Money) {
        match self.0.binary_search_by_key(&money.currency, |sum| sum.currency) {
            Ok(at) => self.0[at].minor = self.0[at].minor.saturating_add(money.minor),
            Err(at) => self.0.insert(at, money),
        }
    }

    /// Takes an amount away.
    pub fn subtract(&mut self, money: Money) {
        self.add(Money { minor: money.minor.saturating_neg(), ..money });
    }

    /// The sum in one currency, zero when there is none.
    pub fn of(&self, currency: Currency) -> Money {
        self.0.iter().copied().find(|sum| sum.currency == currency).unwrap_or(Money::zero(currency))
    }

    /// Every sum.
    pub fn iter(&self) -> impl Iterator<Item = Money> + '_ {
        self.0.iter().copied()
    }

    /// Drops sums that are zero, so that equal books are equal values.
    pub fn drop_zeros(&mut self) {
        self.0.retain(|sum| sum.minor != 0);
    }

    /// Whether there is no sum at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn money(minor: i64, code: &str) -> Money {
        Money { minor, currency: code.parse().unwrap() }
    }

    #[test]
    fn amounts_print_exactly_in_their_currency() {
        for (minor, code, decimal, shown) in [
            (9900, "eur", "99", "99.00 EUR"),
            (4990, "usd", "49.9", "49.90 USD"),
            (5, "eur", "0.05", "0.05 EUR"),
            (-320, "eur", "-3.2", "-3.20 EUR"),
            (4500, "jpy", "4500", "4500 JPY"),
            (500, "isk", "5", "5.00 ISK"),
            (500, "ugx", "5", "5.00 UGX"),
            (5120, "kwd", "5.12", "5.120 KWD"),
            (7, "mga", "7", "7 MGA"),
            (i64::MIN, "eur", "-92233720368547758.08", "-92233720368547758.08 EUR"),
        ] {
            assert_eq!(money(minor, code).decimal().to_string(), decimal);
            assert_eq!(money(minor, code).to_string(), shown);
        }
    }

    #[test]
    fn amounts_in_major_units_are_read_exactly() {
        for (text, code, minor) in [
            ("150.1", "usd", 15_010),
            ("999", "eur", 99_900),
            ("0.05", "eur", 5),
            ("-3.20", "eur", -320),
            ("4500", "jpy", 4500),
            ("4500.0", "jpy", 4500),
            ("5.12", "kwd", 5120),
            ("150.10000000000002", "usd", 15_010),
            ("149.99999999999997", "usd", 15_000),
            ("92233720368547758.07", "eur", i64::MAX),
        ] {
            assert_eq!(Money::from_major(text, code.parse().unwrap()), Some(money(minor, code)), "{text}");
        }
        for wrong in
            ["", "-", ".5", "5.", "1,5", "1e3", "1.005", "0.1 ", "NaN", "92233720368547758.08", "9999999999999999999"]
        {
            assert_eq!(Money::from_major(wrong, "eur".parse().unwrap()), None, "{wrong}");
        }
        assert_eq!(Money::from_major("0.5", "jpy".parse().unwrap()), None);
    }

    #[test]
    fn json_numbers_keep_every_cent() {
        assert_eq!(money(4990, "eur").decimal().json().to_string(), "49.9");
        assert_eq!(money(9900, "eur").decimal().json().to_string(), "99");
        assert_eq!(money(123_456_789_012_345, "eur").decimal().json().to_string(), "1234567890123.45");
    }

    #[test]
    fn sums_add_up_per_currency() {
        let mut sums = Sums::from_amounts([money(100, "usd"), money(5, "eur"), money(50, "usd")]);
        assert_eq!(sums.of("usd".parse().unwrap()).minor, 150);
        sums.subtract(money(5, "eur"));
        sums.drop_zeros();
        assert_eq!(sums.iter().count(), 1);
    }

    /// Stripe's own lists (Stripe: currencies, zero-decimal currencies and special cases), written down again.
    fn decimals_at_stripe(code: &str) -> u32 {
        let zero = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf";
        let three = "bhd jod kwd omr tnd";
        if zero.split(' ').any(|known| known == code) {
            return 0;
        }
        if three.split(' ').any(|known| known == code) { 3 } else { 2 }
    }

    #[test]
    fn every_code_of_three_letters_is_counted_as_stripe_counts_it_or_is_unknown() {
        let mut known = 0;
        for number in 0..26_u32.pow(3) {
            let letter = |place: u32| char::from(b'a' + u8::try_from(number / 26_u32.pow(place) % 26).unwrap());
            let code: String = [letter(2), letter(1), letter(0)].iter().collect();
            let currency: Currency = code.parse().unwrap();
            known += usize::from(currency.is_known());
            assert_eq!(currency.exponent(), decimals_at_stripe(&code), "{code}");
            assert!(currency.is_known() || currency.exponent() == 2, "{code} has decimals of its own and is not known");
        }
        assert_eq!(known, KNOWN.len(), "each once, and in order");
        for code in ["eur", "usd", "jpy", "isk", "ugx", "huf", "twd", "zwg", "hrk", "xcg"] {
            assert!(code.parse::<Currency>().unwrap().is_known(), "{code}");
        }
        for code in ["zzz", "xxx", "xts", "xau", "btc", "aaa"] {
            assert!(!code.parse::<Currency>().unwrap().is_known(), "{code}");
        }
    }

    proptest! {
        #[test]
        fn an_amount_of_any_known_currency_reads_back_to_the_last_digit(
            minor in -9_007_199_254_740_992_i64..=9_007_199_254_740_992,
            at in 0..KNOWN.len(),
        ) {
            let code = std::str::from_utf8(KNOWN[at]).unwrap();
            let decimal = money(minor, code).decimal().to_string();
            let (sign, digits) = decimal.strip_prefix('-').map_or((1, decimal.as_str()), |rest| (-1, rest));
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
            let places = decimals_at_stripe(code) as usize;
            prop_assert!(fraction.len() <= places && !fraction.ends_with('0'), "{decimal}");
            let all = format!("{whole}{fraction:0<places$}");
            prop_assert_eq!(sign * all.parse::<i64>().unwrap(), minor);
        }

        #[test]
        fn a_decimal_prints_and_reads_back_as_the_same(minor in -999_999_999_999_999_999_i64..=999_999_999_999_999_999, exponent in 0..=18_u32) {
            let decimal = Decimal { minor, exponent };
            if let Ok(read) = decimal.to_string().parse::<Decimal>() {
                prop_assert_eq!(read, decimal);
            } else {
                prop_assert!(decimal.to_string().bytes().filter(u8::is_ascii_digit).count() > Decimal::MOST_DIGITS);
            }
        }

        #[test]
        fn decimals_are_in_the_order_of_their_amounts(a in proptest::num::i64::ANY, b in proptest::num::i64::ANY, exponent in 0..18_u32) {
            let decimal = |minor| Decimal { minor, exponent };
            prop_assert_eq!(decimal(a).cmp(&decimal(b)), a.cmp(&b));
            let (short, long) = (Decimal { minor: a / 10, exponent }, Decimal { minor: a / 10 * 10, exponent: exponent + 1 });
            prop_assert_eq!(short, long);
        }

        #[test]
        fn sums_are_exact_in_every_currency(parts in proptest::collection::vec((-1_000_000_000_i64..1_000_000_000, 0..KNOWN.len()), 0..60)) {
            let parts: Vec<Money> =
                parts.iter().map(|(minor, at)| money(*minor, std::str::from_utf8(KNOWN[*at]).unwrap())).collect();
            let sums = Sums::from_amounts(parts.iter().copied());
            for sum in sums.iter() {
                let exact: i64 = parts.iter().filter(|part| part.currency == sum.currency).map(|part| part.minor).sum();
                prop_assert_eq!(sum.minor, exact);
            }
        }
    }

    #[test]
    fn decimals_are_read_and_compared_by_what_they_are_worth() {
        let decimal = |text: &str| text.parse::<Decimal>().unwrap();
        assert_eq!(decimal("50"), decimal("50.00"));
        assert_eq!(decimal("+0.10"), money(10, "eur").decimal());
        assert!(decimal("49.99") < decimal("50") && decimal("-3.2") < decimal("-3.19"));
        assert!(decimal("0.1") < money(11, "eur").decimal() && money(i64::MIN, "eur").decimal() < decimal("-1"));
        assert_eq!(decimal("999999999999999999").to_string(), "999999999999999999");
        for wrong in
            ["", ".5", "5.", "-", "1e3", "1_000", " 5", "5,00", "inf", "--1", "0x1", "1234567890123456789", "٣"]
        {
            assert!(wrong.parse::<Decimal>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_three_letters_are_a_currency() {
        assert!("EUR".parse::<Currency>().is_ok());
        for wrong in ["", "eu", "euro", "e1r", "€"] {
            assert!(wrong.parse::<Currency>().is_err(), "{wrong}");
        }
    }
}
