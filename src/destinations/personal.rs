//! Finds what identifies a person inside text: e-mail addresses, phone numbers, card numbers.
//!
//! Two callers need it: masking before something is shown, and the guard in front of GA4, whose policy forbids such data
//! (GA4: avoid sending personally identifiable information). Both would rather take a word too many than one too few.

use std::ops::Range;

use crate::model::identity::{Email, Phone};

/// What stands in place of a masked value.
pub const MASK: &str = "***";

/// What was found in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// An e-mail address.
    Email,
    /// A phone number in international form.
    Phone,
    /// A payment card's number.
    Card,
}

impl Found {
    /// With its article, for sentences: `an e-mail address`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "an e-mail address",
            Self::Phone => "a phone number",
            Self::Card => "a card number",
        }
    }
}

/// What a free text holds that could identify a person, none when it is clean.
pub fn find(text: &str) -> Option<Found> {
    if Email::parse(text).is_some() || !emails(text).is_empty() {
        Some(Found::Email)
    } else if !phones(text, true).is_empty() {
        Some(Found::Phone)
    } else if holds_card(text) {
        Some(Found::Card)
    } else {
        None
    }
}

/// The same for an id: long digit runs are usual there, so only an e-mail address or a number with a `+` counts.
pub fn find_in_id(text: &str) -> Option<Found> {
    if Email::parse(text).is_some() || !emails(text).is_empty() {
        Some(Found::Email)
    } else if !phones(text, false).is_empty() {
        Some(Found::Phone)
    } else {
        None
    }
}

/// The text with every e-mail address and phone number replaced by [`MASK`], percent-encoded ones too.
pub fn mask(text: &str) -> String {
    if Email::parse(text).is_some() || Phone::parse(text).is_some() {
        return MASK.to_owned();
    }
    let mut spans = emails(text);
    spans.extend(phones(text, true));
    spans.sort_by_key(|span| span.start);
    let mut masked = String::with_capacity(text.len());
    let mut shown_to = 0;
    for span in spans {
        if span.start >= shown_to {
            masked.push_str(&text[shown_to..span.start]);
            masked.push_str(MASK);
        }
        shown_to = shown_to.max(span.end);
    }
    masked.push_str(&text[shown_to..]);
    masked
}

/// The length of an at sign that begins here, however it is written: plain, full width, percent-encoded once or more often,
/// as an escape of JSON or of HTML.
fn at_sign(rest: &str) -> Option<usize> {
    for plain in ["@", "\u{ff20}", "\\u0040", "&#64;", "&#x40;", "&#X40;", "&commat;"] {
        if rest.starts_with(plain) {
            return Some(plain.len());
        }
    }
    let mut encoded = rest.strip_prefix('%')?;
    while let Some(deeper) = encoded.strip_prefix("25") {
        encoded = deeper;
    }
    let after = encoded.strip_prefix("40")?;
    Some(rest.len() - after.len())
}

fn is_local(c: char) -> bool {
    // RFC 5322, 3.2.3 (atext) with the dot, and whatever letters an internationalised address may have.
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~.".contains(c)
        || (!c.is_ascii() && !c.is_whitespace() && !c.is_control())
}

fn is_domain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._[]%".contains(c) || (!c.is_ascii() && !c.is_whitespace() && !c.is_control())
}

fn is_ink(c: char) -> bool {
    !c.is_whitespace() && !c.is_control()
}

/// Where there is something on both sides of an at sign. Neighbouring spans may overlap.
fn emails(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    for (at, _) in text.char_indices() {
        let Some(length) = at_sign(&text[at..]) else { continue };
        let (left, right) = (&text[..at], &text[at + length..]);
        let mut start = left.len() - left.chars().rev().take_while(|&c| is_local(c)).map(char::len_utf8).sum::<usize>();
        if start == at {
            start = match left.chars().next_back() {
                // A quoted local part may hold spaces.
                Some('"') => left[..at - 1].rfind('"').unwrap_or(at - 1),
                Some(c) if is_ink(c) => at - c.len_utf8(),
                _ => continue,
            };
        }
        let mut end = at + length + right.chars().take_while(|&c| is_domain(c)).map(char::len_utf8).sum::<usize>();
        if end == at + length {
            match right.chars().next() {
                Some(c) if is_ink(c) => end += c.len_utf8(),
                _ => continue,
            }
        }
        spans.push(start..end);
    }
    spans
}

const fn is_separator(c: char) -> bool {
    matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}')
}

/// Numbers that begin with `+` (or `%2B`) and, when `with_zeros`, also with `00`: at least eight digits, as E.164 has them.
fn phones(text: &str, with_zeros: bool) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut before = None;
    let mut done_to = 0;
    for (start, c) in text.char_indices() {
        let previous = before.replace(c);
        if start < done_to {
            continue;
        }
        let rest = &text[start..];
        let prefix = if c == '+' {
            1
        } else if rest.starts_with("%2B") || rest.starts_with("%2b") {
            3
        } else if with_zeros
            && rest.starts_with("00")
            && previous.is_none_or(|p| !p.is_alphanumeric() && !"-_.,:".contains(p))
        {
            2
        } else {
            continue;
        };
        let mut digits = 0;
        let mut end = start + prefix;
        let mut walk = rest[prefix..].char_indices();
        while let Some((offset, c)) = walk.next() {
            if c.is_ascii_digit() {
                digits += 1;
                end = start + prefix + offset + 1;
            } else if rest[prefix + offset..].starts_with("%20") {
                walk.nth(1);
            } else if !is_separator(c) {
                break;
            }
        }
        if digits >= 8 {
            spans.push(start..end);
            done_to = end;
        }
    }
    spans
}

/// Whether a run of 13 to 19 digits (single spaces or hyphens inside) begins like a card's number and passes Luhn's check.
fn holds_card(text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let begins = bytes[at].is_ascii_digit() && (at == 0 || !is_word(bytes[at - 1]));
        if !begins {
            at += 1;
            continue;
        }
        let mut digits = vec![bytes[at] - b'0'];
        let mut end = at + 1;
        while let Some(&byte) = bytes.get(end) {
            if byte.is_ascii_digit() {
                digits.push(byte - b'0');
            } else if !(matches!(byte, b' ' | b'-') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit)) {
                break;
            }
            end += 1;
        }
        let bounded = bytes.get(end).is_none_or(|byte| !is_word(*byte));
        if bounded && (13..=19).contains(&digits.len()) && (2..=6).contains(&digits[0]) && luhn(&digits) {
            return true;
        }
        at = end;
    }
    false
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| {
            let digit = u32::from(digit);
            if place % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_masked_however_they_are_written() {
        for (text, masked) in [
            ("jane@example.com", "***"),
            ("the address jane.doe+x@example.co.uk is taken", "the address *** is taken"),
            ("who: jane%40example.com!", "who: ***!"),
            ("jane%2540example.com", "***"),
            ("<jane&#64;example.com>", "<***>"),
            ("\"jane doe\"@example.com", "***"),
            ("jürgen＠exämple.de", "***"),
            ("a@b@c", "***"),
            ("two: a@b.de, c@d.de", "two: ***, ***"),
            ("5 items @ 3 each", "5 items @ 3 each"),
            ("@types/node", "@types/node"),
        ] {
            assert_eq!(mask(text), masked, "{text}");
        }
    }

    #[test]
    fn international_numbers_are_masked_and_plain_numbers_stay() {
        for (text, masked) in [
            ("+493012345678", "***"),
            ("call +49 (30) 1234-5678 now", "call *** now"),
            ("%2B493012345678", "***"),
            ("%2B49%2030%2012345678 x", "*** x"),
            ("0049 30 12345678", "***"),
            ("order 4711", "order 4711"),
            ("1700000000123", "1700000000123"),
            ("2026-11-21T10:00:00+00:00", "2026-11-21T10:00:00+00:00"),
            ("group 123456789012345678", "group 123456789012345678"),
        ] {
            assert_eq!(mask(text), masked, "{text}");
        }
    }

    #[test]
    fn card_numbers_are_told_from_other_digits() {
        for card in ["4242424242424242", "card 4242 4242 4242 4242", "3782-822463-10005"] {
            assert_eq!(find(card), Some(Found::Card), "{card}");
        }
        for other in ["4242424242424241", "1747132561", "pi_4242424242424242", "9999999999999999999999"] {
            assert_eq!(find(other), None, "{other}");
        }
        assert_eq!(find_in_id("4242424242424242"), None);
        assert_eq!(find_in_id("order for jane@example.com"), Some(Found::Email));
        assert_eq!(find_in_id("0049301234567"), None);
        assert_eq!(find_in_id("+49301234567"), Some(Found::Phone));
    }

    proptest! {
        #[test]
        fn no_address_survives_masking(
            before in "\\PC{0,20}",
            local in "[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,20}",
            domain in "[a-z0-9-]{1,12}(\\.[a-z]{2,6})?",
            after in "\\PC{0,20}",
        ) {
            let address = format!("{local}@{domain}");
            let masked = mask(&format!("{before}{address}{after}"));
            prop_assert!(!masked.contains(&address), "{masked}");
            let spaced = mask(&format!("{before} {address} {after}"));
            prop_assert!(!spaced.contains(&address) && !spaced.contains(&format!("@{domain}")), "{spaced}");
        }

        #[test]
        fn no_international_number_survives_masking(before in "[a-z :]{0,9}", number in "\\+[1-9][0-9]{7,14}", after in "[a-z ,]{0,9}") {
            let masked = mask(&format!("{before}{number}{after}"));
            prop_assert!(!masked.contains(&number), "{masked}");
        }

        #[test]
        fn any_text_can_be_looked_at(text in "\\PC*|.*") {
            mask(&text);
            find(&text);
        }
    }
}
