//! GA's session: which texts name one, and for how long GA4 still adds to it.

use std::time::Duration;

use crate::model::time::Timestamp;

/// How long after its start GA4 adds events to a session (GA4: use cases, attribute to an online session).
const SESSION: Duration = Duration::from_secs(24 * 3600);
/// When GA4 must have received them at the latest.
const RECEIPT: Duration = Duration::from_secs(48 * 3600);
/// By how much a browser's clock may be ahead of the provider's.
const CLOCK_SKEW: Duration = Duration::from_secs(10 * 60);

/// The session id in a text, none when there is none: `1747132561`, or the whole `_ga_…` cookie that holds one, in the form
/// before May 2025 (`GS1.1.1747132561.3.1.…`) or since (`GS2.1.s1747132561$o1$g0$…`), percent-encoded or not.
pub fn accepted(text: &str) -> Option<String> {
    let text = text.trim().replace("%24", "$");
    let digits = |part: &str| {
        let fits = (1..=20).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| part.to_owned())
    };
    let cookie = |version: &str| text.strip_prefix(version)?.split_once('.').map(|(_depth, fields)| fields.to_owned());
    if let Some(fields) = cookie("GS1.") {
        return digits(fields.split('.').next()?);
    }
    if let Some(fields) = cookie("GS2.") {
        // Neither the order nor the number of the fields is promised: each begins with a letter that names it.
        return fields.split('$').find_map(|field| field.strip_prefix('s')).and_then(digits);
    }
    digits(&text)
}

/// Whether what happened then, and is sent now, still belongs to a session. Its id is the Unix second of its start.
pub fn is_open(session: &str, occurred_at: Timestamp, now: Timestamp) -> bool {
    let Some(start) = session.parse().ok().map(Timestamp::from_unix_seconds) else { return false };
    start <= occurred_at.after(CLOCK_SKEW) && occurred_at.since(start) < SESSION && now.since(start) < RECEIPT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_its_number_or_the_cookie_that_holds_it() {
        for (text, id) in [
            ("1747132561", Some("1747132561")),
            (" 1747132561 ", Some("1747132561")),
            ("GS1.1.1747132561.3.1.1747132999.60.0.0", Some("1747132561")),
            ("GS1.2-2.1747132561.3.1.1747132999.60.0.0", Some("1747132561")),
            ("GS2.1.s1747132561$o1$g0$t1747132655$j0$l0$h0", Some("1747132561")),
            ("GS2.1.s1747132561%24o1%24g0%24t1747132655%24j0%24l0%24h0", Some("1747132561")),
            ("GS2.1.o1$g0$h0$s1747132561$t1747132655", Some("1747132561")),
            ("GS2.1.s1747132561$o1$z9", Some("1747132561")),
            ("GS2.1.o1$g0", None),
            ("GS2.1", None),
            ("GS3.1.1747132561", None),
            ("GS1.1", None),
            ("GA1.1.1234567890.1747132561", None),
            ("deleted", None),
            ("", None),
            ("-1747132561", None),
            ("1747132561x", None),
            ("174713256117471325611", None),
        ] {
            assert_eq!(accepted(text).as_deref(), id, "{text}");
        }
    }

    #[test]
    fn a_session_is_open_for_24_hours_and_gets_nothing_after_48() {
        let start = Timestamp::from_unix_seconds(1_747_132_561);
        let after = |minutes: u64| start.after(Duration::from_secs(minutes * 60));
        let id = "1747132561";
        for (occurred, sent, open) in [
            (0, 0, true),
            (23 * 60 + 59, 23 * 60 + 59, true),
            (24 * 60, 24 * 60, false),
            (24 * 60 + 1, 24 * 60 + 1, false),
            (23 * 60, 47 * 60 + 59, true),
            (23 * 60, 48 * 60, false),
            (23 * 60, 72 * 60 + 1, false),
        ] {
            assert_eq!(is_open(id, after(occurred), after(sent)), open, "{occurred} {sent}");
        }
        assert!(is_open(id, start.before(CLOCK_SKEW), start), "a browser's clock that is ahead");
        assert!(!is_open(id, start.before(Duration::from_secs(601)), start), "a later session");
        assert!(!is_open("99999999999999999999", start, start));
    }
}
