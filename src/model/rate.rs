//! A token bucket that is told the time.

use std::time::Duration;

use super::time::Timestamp;

/// So many requests in a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many; at least one.
    pub requests: u32,
    /// In how long.
    pub per: Duration,
}

impl RateLimit {
    /// Reads `"100/min"`, `"5/s"`, `"1000/h"`, `"100/1m30s"`.
    ///
    /// # Errors
    /// When the text has another form or a number is zero.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a rate; write for example \"100/min\" or \"5/s\"");
        let (requests, per) = text.split_once('/').ok_or_else(wrong)?;
        let requests: u32 = requests.trim().parse().map_err(|_| wrong())?;
        let per = per.trim();
        let per = match per {
            "s" | "sec" | "second" => Duration::from_secs(1),
            "m" | "min" | "minute" => Duration::from_secs(60),
            "h" | "hour" => Duration::from_secs(3600),
            span => super::time::parse_span(span).map_err(|_| wrong())?,
        };
        if requests == 0 || per.is_zero() { Err(wrong()) } else { Ok(Self { requests, per }) }
    }
}

impl std::fmt::Display for RateLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.per.as_secs() {
            60 => write!(f, "{}/min", self.requests),
            1 => write!(f, "{}/s", self.requests),
            3600 => write!(f, "{}/h", self.requests),
            _ => write!(f, "{}/{}", self.requests, super::time::format_span(self.per)),
        }
    }
}

/// The bucket of one destination. Never holds more than a tenth of a span's requests (at least one), so that a quiet hour is
/// not followed by a burst that a per-minute limit would refuse.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    limit: RateLimit,
    /// Thousandths of a millisecond until the bucket would be full; 0 is full.
    tokens: f64,
    updated: Timestamp,
}

impl TokenBucket {
    /// A full bucket.
    pub fn new(limit: RateLimit, now: Timestamp) -> Self {
        Self { limit, tokens: Self::capacity(limit), updated: now }
    }

    fn capacity(limit: RateLimit) -> f64 {
        (f64::from(limit.requests) / 10.0).max(1.0)
    }

    /// Takes one request's token, or says when there will be one. A clock that goes back neither adds nor takes.
    ///
    /// # Errors
    /// The moment of the next token.
    pub fn take(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        let per_ms = f64::from(self.limit.requests) / self.limit.per.as_millis() as f64;
        let passed = now.since(self.updated).as_millis() as f64;
        self.tokens = (self.tokens + passed * per_ms).min(Self::capacity(self.limit));
        self.updated = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            Ok(())
        } else {
            let wait = ((1.0 - self.tokens) / per_ms).ceil().max(1.0);
            Err(now.after(Duration::from_millis(wait as u64)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_the_limit_leaves_in_any_span() {
        let limit = RateLimit::parse("100/min").unwrap();
        let mut bucket = TokenBucket::new(limit, Timestamp::EPOCH);
        let mut now = Timestamp::EPOCH;
        let mut sent = 0;
        while now < Timestamp::from_unix_seconds(60) {
            match bucket.take(now) {
                Ok(()) => sent += 1,
                Err(next) => now = next,
            }
        }
        assert!((100..=110).contains(&sent), "{sent}");
    }

    #[test]
    fn a_clock_that_goes_back_gives_no_tokens() {
        let mut bucket = TokenBucket::new(RateLimit::parse("1/h").unwrap(), Timestamp::from_unix_seconds(1000));
        assert!(bucket.take(Timestamp::from_unix_seconds(1000)).is_ok());
        assert!(bucket.take(Timestamp::from_unix_seconds(10)).is_err());
    }

    #[test]
    fn rates_are_read_as_people_write_them() {
        assert_eq!(RateLimit::parse("5/s").unwrap().per, Duration::from_secs(1));
        assert_eq!(RateLimit::parse("100/min").unwrap().to_string(), "100/min");
        for wrong in ["", "5", "0/s", "x/s", "5/fortnight", "5/0s"] {
            assert!(RateLimit::parse(wrong).is_err(), "{wrong}");
        }
    }
}
