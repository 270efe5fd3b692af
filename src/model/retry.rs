//! When to try again: the schedule, its jitter, and `Retry-After`.

use std::time::Duration;

use super::time::Timestamp;

/// The delays before each attempt, the first of which is usually zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetrySchedule(Vec<Duration>);

/// A schedule has at least one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a schedule needs at least one delay")]
pub struct EmptySchedule;

impl Default for RetrySchedule {
    /// 0, 10 s, 1 m, 5 m, 15 m, 1 h, 3 h, 6 h, 12 h, 24 h: about 46 hours.
    fn default() -> Self {
        Self([0, 10, 60, 300, 900, 3600, 10_800, 21_600, 43_200, 86_400].map(Duration::from_secs).to_vec())
    }
}

impl RetrySchedule {
    /// From delays.
    ///
    /// # Errors
    /// When there is none.
    pub fn new(delays: Vec<Duration>) -> Result<Self, EmptySchedule> {
        if delays.is_empty() { Err(EmptySchedule) } else { Ok(Self(delays)) }
    }

    /// The delays.
    pub fn delays(&self) -> &[Duration] {
        &self.0
    }

    /// How many attempts it allows.
    pub fn attempts(&self) -> usize {
        self.0.len()
    }

    /// The wait after `attempts` used-up attempts, with ±20 % jitter; none when the budget is used up.
    ///
    /// `chance` is a number from 0 to 1 (given in, so that this stays pure). A destination's own wish only ever lengthens
    /// the wait, and is capped at [`LONGEST_RETRY_AFTER`].
    pub fn wait_after(&self, attempts: usize, chance: f64, wish: Option<Duration>) -> Option<Duration> {
        let base = *self.0.get(attempts)?;
        let jittered = base.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0));
        Some(jittered.max(wish.unwrap_or_default().min(LONGEST_RETRY_AFTER)))
    }
}

/// No `Retry-After` is believed beyond a day.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(86_400);

/// Reads `Retry-After` (RFC 9110, 10.2.3): whole seconds, or a date. Rubbish is none; the past is zero; capped at a day.
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = value.parse::<u64>().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let seconds = date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    let moment = Timestamp::from_unix_seconds(i64::try_from(seconds).ok()?);
    Some(moment.since(now).min(LONGEST_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_schedule_has_ten_attempts_and_then_ends() {
        let schedule = RetrySchedule::default();
        assert_eq!(schedule.wait_after(0, 0.5, None), Some(Duration::ZERO));
        assert_eq!(schedule.wait_after(1, 0.5, None), Some(Duration::from_secs(10)));
        assert_eq!(schedule.wait_after(1, 0.0, None), Some(Duration::from_secs(8)));
        assert_eq!(schedule.wait_after(1, 1.0, None), Some(Duration::from_secs(12)));
        assert!(schedule.wait_after(9, 0.5, None).is_some());
        assert_eq!(schedule.wait_after(10, 0.5, None), None);
    }

    #[test]
    fn a_wish_only_lengthens_and_is_capped() {
        let schedule = RetrySchedule::default();
        assert_eq!(schedule.wait_after(2, 0.5, Some(Duration::from_secs(1))), Some(Duration::from_secs(60)));
        assert_eq!(schedule.wait_after(2, 0.5, Some(Duration::from_secs(120))), Some(Duration::from_secs(120)));
        assert_eq!(schedule.wait_after(2, 0.5, Some(Duration::MAX)), Some(LONGEST_RETRY_AFTER));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_or_nothing() {
        let now = Timestamp::from_unix_seconds(1_700_000_000); // Tue, 14 Nov 2023 22:13:20 GMT
        assert_eq!(parse_retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(parse_retry_after("1000000000000", now), Some(LONGEST_RETRY_AFTER));
        assert_eq!(parse_retry_after("99999999999999999999999", now), Some(LONGEST_RETRY_AFTER));
        assert_eq!(parse_retry_after("Tue, 14 Nov 2023 22:14:20 GMT", now), Some(Duration::from_secs(60)));
        assert_eq!(parse_retry_after("Tue, 14 Nov 2000 22:14:20 GMT", now), Some(Duration::ZERO));
        for rubbish in ["", "soon", "-5", "1.5", "12 minutes"] {
            assert_eq!(parse_retry_after(rubbish, now), None, "{rubbish}");
        }
    }
}
