//! Phone numbers in E.164, also from how people write them at home.
//!
//! Numbering plans are known only as far as recognising a person needs it: the country's code, and what is dialled before a
//! national number. Whether a number is in service is nobody's question here.

use std::fmt;
use std::str::FromStr;

/// A phone number in E.164: `+` and 8 to 15 digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(String);

impl Phone {
    /// Reads an international number (`+49 30 1234567`, `0049…`). None for anything national, too short or too long.
    pub fn parse(text: &str) -> Option<Self> {
        Self::parse_in(text, None)
    }

    /// The same; and a national number (`030 1234567`) as one of a country, if one is given.
    pub fn parse_in(text: &str, country: Option<Country>) -> Option<Self> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix('+') {
            return Self::international(rest);
        }
        let exit = country.map_or("00", |country| country.0.exit);
        if let Some(rest) = text.strip_prefix(exit).or_else(|| text.strip_prefix("00")) {
            return Self::international(rest);
        }
        let plan = country?.0;
        let digits = digits_of(text)?;
        let national = match digits.strip_prefix(plan.trunk) {
            Some(rest) if !plan.trunk.is_empty() => rest,
            // Where the zero belongs to the number, and where none is needed.
            _ if plan.trunk != "0" || !digits.starts_with('0') => digits.as_str(),
            _ => return None,
        };
        if !(plan.shortest..=plan.longest).contains(&national.len()) {
            return None;
        }
        Self::international(&format!("{}{national}", plan.code))
    }

    fn international(rest: &str) -> Option<Self> {
        // The zero of `+49 (0) 30` is dialled at home only.
        let digits = digits_of(&rest.replacen("(0)", "", 1))?;
        ((8..=15).contains(&digits.len()) && !digits.starts_with('0')).then(|| Self(format!("+{digits}")))
    }

    /// A number that was normalised before it was written down; taken as it is: what one version accepted, no later version
    /// may fail to read.
    pub const fn stored(normalised: String) -> Self {
        Self(normalised)
    }

    /// The number, `+493012345678`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
    }
}

/// The digits of a number; none when there is something else in it than digits and what people put between them.
fn digits_of(text: &str) -> Option<String> {
    let mut digits = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' => digits.push(c),
            ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}' | '\u{2011}' | '\u{202f}' => {}
            _ => return None,
        }
    }
    Some(digits)
}

/// A country whose national numbers can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Country(&'static Plan);

/// How numbers are dialled in a country (ITU-T E.164 assigned codes, and its Operational Bulletins on dialling procedures).
#[derive(Debug, PartialEq, Eq)]
struct Plan {
    /// ISO 3166-1, two letters.
    name: &'static str,
    /// The country's code.
    code: &'static str,
    /// What is dialled before a national number at home and left out from abroad; empty where nothing is.
    trunk: &'static str,
    /// What is dialled before a foreign number.
    exit: &'static str,
    /// Digits of a national number without the trunk prefix, at least.
    shortest: usize,
    /// At most.
    longest: usize,
}

const fn plan(
    name: &'static str,
    code: &'static str,
    trunk: &'static str,
    exit: &'static str,
    (shortest, longest): (usize, usize),
) -> Plan {
    Plan { name, code, trunk, exit, shortest, longest }
}

static PLANS: [Plan; 46] = [
    plan("AE", "971", "0", "00", (8, 9)),
    plan("AR", "54", "0", "00", (10, 11)),
    plan("AT", "43", "0", "00", (4, 13)),
    plan("AU", "61", "0", "0011", (9, 9)),
    plan("BE", "32", "0", "00", (8, 9)),
    plan("BG", "359", "0", "00", (7, 9)),
    plan("BR", "55", "0", "00", (10, 11)),
    plan("CA", "1", "1", "011", (10, 10)),
    plan("CH", "41", "0", "00", (9, 9)),
    plan("CL", "56", "", "00", (9, 9)),
    plan("CY", "357", "", "00", (8, 8)),
    plan("CZ", "420", "", "00", (9, 9)),
    plan("DE", "49", "0", "00", (5, 11)),
    plan("DK", "45", "", "00", (8, 8)),
    plan("EE", "372", "", "00", (7, 8)),
    plan("ES", "34", "", "00", (9, 9)),
    plan("FI", "358", "0", "00", (5, 12)),
    plan("FR", "33", "0", "00", (9, 9)),
    plan("GB", "44", "0", "00", (9, 10)),
    plan("GR", "30", "", "00", (10, 10)),
    plan("HR", "385", "0", "00", (8, 9)),
    plan("HU", "36", "06", "00", (8, 9)),
    plan("IE", "353", "0", "00", (7, 9)),
    plan("IL", "972", "0", "00", (8, 9)),
    plan("IN", "91", "0", "00", (10, 10)),
    plan("IS", "354", "", "00", (7, 7)),
    // Italy's zero belongs to the number.
    plan("IT", "39", "", "00", (6, 11)),
    plan("JP", "81", "0", "010", (9, 10)),
    plan("LT", "370", "0", "00", (8, 8)),
    plan("LU", "352", "", "00", (6, 11)),
    plan("LV", "371", "", "00", (8, 8)),
    plan("MT", "356", "", "00", (8, 8)),
    plan("MX", "52", "", "00", (10, 10)),
    plan("NL", "31", "0", "00", (9, 9)),
    plan("NO", "47", "", "00", (8, 8)),
    plan("NZ", "64", "0", "00", (8, 10)),
    plan("PL", "48", "", "00", (9, 9)),
    plan("PT", "351", "", "00", (9, 9)),
    plan("RO", "40", "0", "00", (9, 9)),
    plan("SE", "46", "0", "00", (7, 9)),
    plan("SG", "65", "", "000", (8, 8)),
    plan("SI", "386", "0", "00", (8, 8)),
    plan("SK", "421", "0", "00", (9, 9)),
    plan("TR", "90", "0", "00", (10, 10)),
    plan("US", "1", "1", "011", (10, 10)),
    plan("ZA", "27", "0", "00", (9, 9)),
];

impl Country {
    /// Its two letters.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// The two letters of every country whose national numbers can be read.
    pub fn names() -> Vec<&'static str> {
        PLANS.iter().map(|plan| plan.name).collect()
    }
}

/// Not the two letters of a known country.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a known country")]
pub struct UnknownCountry;

impl FromStr for Country {
    type Err = UnknownCountry;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        PLANS.iter().find(|plan| plan.name == text).map(Self).ok_or(UnknownCountry)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at_home(text: &str, country: &str) -> Option<String> {
        Phone::parse_in(text, Some(country.parse().unwrap())).map(|phone| phone.as_str().to_owned())
    }

    #[test]
    fn phones_are_e164_or_nothing() {
        assert_eq!(Phone::parse("+49 (30) 1234-567").unwrap().as_str(), "+49301234567");
        assert_eq!(Phone::parse("0049 30 1234567").unwrap().as_str(), "+49301234567");
        assert_eq!(Phone::parse("+49 (0) 30 1234567").unwrap().as_str(), "+49301234567");
        for wrong in ["030 1234567", "+1", "+12345678901234567", "+49 30 abc", "+0301234567", ""] {
            assert!(Phone::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn national_numbers_are_read_as_they_are_dialled_at_home() {
        for (country, text, number) in [
            ("DE", "030 / 123 45 67", "+49301234567"),
            ("DE", "0171-2345678", "+491712345678"),
            ("DE", "0049 171 2345678", "+491712345678"),
            ("DE", "+41 44 668 18 00", "+41446681800"),
            ("AT", "0664 1234567", "+436641234567"),
            ("CH", "044 668 18 00", "+41446681800"),
            ("GB", "020 7946 0018", "+442079460018"),
            ("FR", "06 12 34 56 78", "+33612345678"),
            ("IT", "06 1234 5678", "+390612345678"),
            ("IT", "312 345 6789", "+393123456789"),
            ("ES", "612 345 678", "+34612345678"),
            ("US", "(650) 555-0100", "+16505550100"),
            ("US", "1 650 555 0100", "+16505550100"),
            ("US", "011 49 30 1234567", "+49301234567"),
            ("AU", "0011 49 30 1234567", "+49301234567"),
            ("HU", "06 30 123 4567", "+36301234567"),
            ("NL", "06 12345678", "+31612345678"),
        ] {
            assert_eq!(at_home(text, country).as_deref(), Some(number), "{text} in {country}");
        }
        for (country, wrong) in [("DE", "110"), ("US", "555-0100"), ("FR", "1234"), ("DE", "call me"), ("GB", "")] {
            assert_eq!(at_home(wrong, country), None, "{wrong} in {country}");
        }
        assert!("XX".parse::<Country>().is_err());
    }

    proptest! {
        #[test]
        fn what_was_read_reads_as_itself(text in "[+0-9 ()./-]{0,20}", plan in prop::sample::select(Country::names())) {
            let country = plan.parse().ok();
            if let Some(phone) = Phone::parse_in(&text, country) {
                prop_assert_eq!(Phone::parse(phone.as_str()), Some(phone.clone()));
                prop_assert_eq!(Phone::parse_in(phone.as_str(), country), Some(phone.clone()));
                prop_assert!((9..=16).contains(&phone.as_str().len()));
            }
        }
    }
}
