//! When to renew, and when to try again. Pure: time and chance come in as arguments.

use std::time::Duration;

use crate::http::certificate::Facts;
use crate::model::time::Timestamp;

/// No wait between two tries is longer, but for what the authority asks for.
pub const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);
/// What an authority may ask for at most. Asking a limited authority once a day harms nobody.
pub const LONGEST_ASKED_WAIT: Duration = Duration::from_secs(86_400);
/// A limited authority that doesn't say how long (RFC 8555, 6.6).
const UNTOLD_LIMIT: Duration = Duration::from_secs(3600);
/// A refused order cost the authority a validation, of which Let's Encrypt grants five an hour for a name.
const REFUSED_FACTOR: u32 = 5;

/// Why a try failed, as far as it decides when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The authority does not answer, or has trouble itself.
    Unreachable,
    /// It answered, and the answer was no.
    Refused,
    /// It answered that we ask too often.
    Limited,
}

/// When a certificate is renewed: with a third of its time left, and up to a sixtieth of it earlier, so that not everybody who
/// started on the same day comes at the same moment. `chance` is from 0 up to 1.
pub fn renewal(facts: &Facts, chance: f64) -> Timestamp {
    let lifetime = facts.not_after.since(facts.not_before);
    facts.not_after.before(lifetime / 3 + (lifetime / 60).mul_f64(chance))
}

/// A moment in the window that the authority suggests (RFC 9773, 4.2): evenly spread, and at once when it has passed.
pub fn suggested(start: Timestamp, end: Timestamp, chance: f64) -> Timestamp {
    start.after(end.since(start).mul_f64(chance))
}

/// How long to wait after so many failures in a row, the last of this cause: `first`, doubling, with up to a fifth more by chance.
/// `asked` is what the authority asked for; it only ever lengthens.
pub fn wait(failures: u32, cause: Cause, first: Duration, asked: Option<Duration>, chance: f64) -> Duration {
    let factor = if cause == Cause::Refused { REFUSED_FACTOR } else { 1 };
    let doubled = first.saturating_mul(factor).saturating_mul(1 << failures.saturating_sub(1).min(20));
    let own = doubled.min(LONGEST_WAIT);
    let own = own.saturating_add(own.mul_f64(chance / 5.0));
    let asked = match (asked, cause) {
        (Some(asked), _) => asked.min(LONGEST_ASKED_WAIT),
        (None, Cause::Limited) => UNTOLD_LIMIT,
        (None, _) => Duration::ZERO,
    };
    own.max(asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn facts(days: i64) -> Facts {
        Facts {
            not_before: Timestamp::EPOCH,
            not_after: Timestamp::from_unix_seconds(days * 86_400),
            names: Vec::new(),
            serial: Vec::new(),
            authority_key: None,
        }
    }

    #[test]
    fn a_certificate_is_renewed_with_a_third_of_its_time_left() {
        let day = |day: f64| Timestamp::from_millis((day * 86_400_000.0) as i64);
        assert_eq!(renewal(&facts(90), 0.0), day(60.0));
        assert_eq!(renewal(&facts(90), 1.0), day(58.5));
        assert_eq!(renewal(&facts(6), 0.0), day(4.0));
        assert_eq!(suggested(day(10.0), day(12.0), 0.5), day(11.0));
        assert_eq!(suggested(day(12.0), day(10.0), 0.5), day(12.0), "a window that makes no sense is its start");
    }

    #[test]
    fn waits_double_up_to_six_hours() {
        let after = |failures| wait(failures, Cause::Unreachable, MINUTE, None, 0.0).as_secs() / 60;
        assert_eq!([1, 2, 3, 4, 9, 10, 4_000_000_000].map(after), [1, 2, 4, 8, 256, 360, 360]);
    }

    #[test]
    fn refusals_stay_below_the_authoritys_limit() {
        let mut at = Duration::ZERO;
        let mut in_first_hour = 1;
        for failures in 1..20 {
            at += wait(failures, Cause::Refused, MINUTE, None, 0.0);
            in_first_hour += u32::from(at < Duration::from_secs(3600));
        }
        assert_eq!(in_first_hour, 4, "Let's Encrypt: five failed validations a name and hour");
    }

    #[test]
    fn what_the_authority_asks_for_is_kept_within_reason() {
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let limited = |asked| wait(1, Cause::Limited, MINUTE, asked, 0.0);
        assert_eq!(limited(None), hours(1));
        assert_eq!(limited(Some(hours(3))), hours(3));
        assert_eq!(limited(Some(hours(400))), hours(24));
        assert_eq!(wait(1, Cause::Unreachable, MINUTE, Some(Duration::from_secs(1)), 0.0), MINUTE, "never shortens");
    }

    proptest! {
        #[test]
        fn any_wait_is_within_bounds(failures: u32, chance in 0.0f64..1.0, first in 0u64..4_000_000, asked: Option<u32>) {
            let asked = asked.map(|seconds| Duration::from_secs(u64::from(seconds)));
            for cause in [Cause::Unreachable, Cause::Refused, Cause::Limited] {
                let wait = wait(failures, cause, Duration::from_millis(first), asked, chance);
                prop_assert!(wait <= LONGEST_ASKED_WAIT);
                prop_assert!(wait >= asked.unwrap_or_default().min(LONGEST_ASKED_WAIT));
            }
        }
    }
}
