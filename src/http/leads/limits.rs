//! How much anyone may post.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::model::rate::{RateLimit, TokenBucket};
use crate::model::time::Timestamp;

/// Addresses that are remembered; a flood from more of them meets the daily cap.
const MOST_ADDRESSES: usize = 10_000;
/// An address that was quiet for so long has a full bucket again in any sensible limit.
const FORGOTTEN_AFTER: std::time::Duration = std::time::Duration::from_secs(600);

/// One address may use up this part of a day's posts.
const SHARE: u64 = 10;
/// But at least so many, where a day has few.
const LEAST_SHARE: u64 = 100;

/// What kind of post it is. Each has a day's limit of its own, so that looking at pages takes no form's room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Somebody looked at a page.
    Visit,
    /// Somebody left an address or a phone number.
    Form,
}

/// What was posted lately.
#[derive(Debug, Default)]
pub(super) struct Posted {
    by_address: HashMap<IpAddr, OfAddress>,
    day: i64,
    today: [u64; 2],
}

/// What was posted from one address.
#[derive(Debug)]
struct OfAddress {
    bucket: TokenBucket,
    last: Timestamp,
    day: i64,
    today: [u64; 2],
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exceeded {
    /// That of one address; free again then.
    Address(Timestamp),
    /// That of a day.
    Day,
}

impl Posted {
    /// Counts one post, of whatever kind, against the limit of its address. A change of the limit applies to addresses that are
    /// not remembered.
    pub(super) fn come(&mut self, address: IpAddr, rate: Option<RateLimit>, now: Timestamp) -> Result<(), Exceeded> {
        let Some(rate) = rate else { return Ok(()) };
        if self.by_address.len() >= MOST_ADDRESSES {
            let since = now.before(FORGOTTEN_AFTER);
            self.by_address.retain(|_, of| of.last >= since);
            if self.by_address.len() >= MOST_ADDRESSES {
                self.by_address.clear();
            }
        }
        let fresh = || OfAddress { bucket: TokenBucket::new(rate, now), last: now, day: 0, today: [0; 2] };
        let of = self.by_address.entry(network(address)).or_insert_with(fresh);
        of.last = now;
        of.bucket.take(now).map_err(Exceeded::Address)
    }

    /// Counts it against the limits of a day: `most_a_day` for its kind, of which one address has a tenth, unless addresses are
    /// not limited at all.
    pub(super) fn count(
        &mut self,
        address: IpAddr,
        kind: Kind,
        most_a_day: u64,
        now: Timestamp,
    ) -> Result<(), Exceeded> {
        let day = day_of(now);
        if day != self.day {
            (self.day, self.today) = (day, [0; 2]);
        }
        let today = &mut self.today[kind as usize];
        if *today >= most_a_day {
            return Err(Exceeded::Day);
        }
        if let Some(of) = self.by_address.get_mut(&network(address)) {
            if day != of.day {
                (of.day, of.today) = (day, [0; 2]);
            }
            let own = &mut of.today[kind as usize];
            if *own >= (most_a_day / SHARE).max(LEAST_SHARE) {
                return Err(Exceeded::Day);
            }
            *own += 1;
        }
        *today += 1;
        Ok(())
    }
}

/// What others have to know of the limits: how many leads are kept at most, and the posts that a limit of a day or of the store
/// turned away since midnight (UTC).
#[derive(Debug)]
pub struct LeadLimits {
    most_kept: AtomicU64,
    turned_away: Mutex<(i64, TurnedAway)>,
}

impl Default for LeadLimits {
    fn default() -> Self {
        Self { most_kept: AtomicU64::new(u64::MAX), turned_away: Mutex::default() }
    }
}

/// How many posts were turned away in a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TurnedAway {
    /// Of visitors who looked at a page.
    pub visits: u64,
    /// With an address or a phone number.
    pub forms: u64,
}

impl TurnedAway {
    /// What happened and what to do about it, in a sentence; none when nothing was turned away.
    pub fn problem(&self) -> Option<String> {
        let Self { visits, forms } = *self;
        if visits == 0 && forms == 0 {
            return None;
        }
        let of_forms = if forms > 0 { format!("{forms} forms with an address and ") } else { String::new() };
        Some(format!(
            "{of_forms}{visits} visits posted to /api/leads were turned away today, as a limit of [leads] is reached: somebody may be \
             posting rubbish, a proxy may need `address_header`, or max_per_day, max_forms_per_day or max_kept is too small"
        ))
    }
}

impl LeadLimits {
    /// Whether so many leads are kept that the oldest of those whom nobody misses go early.
    pub fn are_nearly_full(&self, kept: u64) -> bool {
        let most = self.most_kept();
        kept >= most - most / 20
    }

    /// How many leads are kept at most.
    pub fn most_kept(&self) -> u64 {
        self.most_kept.load(Ordering::Relaxed)
    }

    pub(super) fn set_most_kept(&self, most: u64) {
        self.most_kept.store(most, Ordering::Relaxed);
    }

    /// One more was turned away.
    pub(super) fn turn_away(&self, kind: Kind, now: Timestamp) {
        let mut known = self.turned_away.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 != day_of(now) {
            *known = (day_of(now), TurnedAway::default());
        }
        match kind {
            Kind::Visit => known.1.visits += 1,
            Kind::Form => known.1.forms += 1,
        }
    }

    /// How many were turned away today.
    pub fn turned_away(&self, now: Timestamp) -> TurnedAway {
        let known = self.turned_away.lock().unwrap_or_else(PoisonError::into_inner);
        if known.0 == day_of(now) { known.1 } else { TurnedAway::default() }
    }
}

const fn day_of(now: Timestamp) -> i64 {
    now.unix_seconds().div_euclid(86_400)
}

/// Whose address it is: of IPv6 everybody has a /64 to themselves.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_unix_seconds(second)
    }

    #[test]
    fn an_address_and_a_day_have_their_limits() {
        let mut posted = Posted::default();
        let rate = RateLimit::parse("10/min").ok();
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let neighbour: IpAddr = "2001:db8::2".parse().unwrap();
        let other: IpAddr = "192.0.2.1".parse().unwrap();
        assert_eq!(posted.come(one, rate, at(0)), Ok(()));
        assert!(matches!(posted.come(neighbour, rate, at(0)), Err(Exceeded::Address(_))));
        assert_eq!(posted.come(other, rate, at(0)), Ok(()));
        assert_eq!(posted.come(one, rate, at(7)), Ok(()));
        for address in [one, other, one] {
            assert_eq!(posted.count(address, Kind::Visit, 3, at(7)), Ok(()));
        }
        assert_eq!(posted.count(other, Kind::Visit, 3, at(60)), Err(Exceeded::Day));
        assert_eq!(posted.count(other, Kind::Form, 3, at(60)), Ok(()), "visits take no form's room");
        assert_eq!(posted.count(other, Kind::Visit, 3, at(86_400)), Ok(()));
    }

    #[test]
    fn one_address_has_a_tenth_of_a_day() {
        let mut posted = Posted::default();
        let rate = RateLimit::parse("60/min").ok();
        let [one, other]: [IpAddr; 2] = ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().unwrap());
        let mut taken = |address, second| {
            posted.come(address, rate, at(second)).is_ok()
                && posted.count(address, Kind::Visit, 20_000, at(second)).is_ok()
        };
        assert_eq!((0..80_000).filter(|second| taken(one, *second)).count(), 2000);
        assert!(taken(other, 80_000), "all others have what is left");
        assert!(taken(one, 86_400), "and it the next day");
    }

    #[test]
    fn what_is_turned_away_is_counted_by_the_day() {
        let limits = LeadLimits::default();
        limits.turn_away(Kind::Visit, at(1));
        limits.turn_away(Kind::Form, at(2));
        assert_eq!(limits.turned_away(at(3)), TurnedAway { visits: 1, forms: 1 });
        assert_eq!(limits.turned_away(at(86_400)), TurnedAway::default());
    }

    #[test]
    fn many_addresses_take_little_room() {
        let mut posted = Posted::default();
        let rate = RateLimit::parse("10/min").ok();
        for number in 0..50_000_u32 {
            let _ = posted.come(IpAddr::V4(number.into()), rate, at(0));
        }
        assert!(posted.by_address.len() <= MOST_ADDRESSES);
    }
}
