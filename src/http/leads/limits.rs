//! How much anyone may post.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

use crate::model::rate::{RateLimit, TokenBucket};
use crate::model::time::Timestamp;

/// Addresses that are remembered; a flood from more of them meets the daily cap.
const MOST_ADDRESSES: usize = 10_000;
/// An address that was quiet for so long has a full bucket again in any sensible limit.
const FORGOTTEN_AFTER: std::time::Duration = std::time::Duration::from_secs(600);

/// What was posted lately.
#[derive(Debug, Default)]
pub(super) struct Posted {
    by_address: HashMap<IpAddr, (TokenBucket, Timestamp)>,
    day: i64,
    today: u64,
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
    /// Counts one post. A change of the limit applies to addresses that are not remembered.
    pub(super) fn count(
        &mut self,
        address: IpAddr,
        rate: Option<RateLimit>,
        most_a_day: u64,
        now: Timestamp,
    ) -> Result<(), Exceeded> {
        let day = now.unix_seconds().div_euclid(86_400);
        if day != self.day {
            (self.day, self.today) = (day, 0);
        }
        if self.today >= most_a_day {
            return Err(Exceeded::Day);
        }
        if let Some(rate) = rate {
            if self.by_address.len() >= MOST_ADDRESSES {
                let since = now.before(FORGOTTEN_AFTER);
                self.by_address.retain(|_, (_, last)| *last >= since);
                if self.by_address.len() >= MOST_ADDRESSES {
                    self.by_address.clear();
                }
            }
            let (bucket, last) =
                self.by_address.entry(network(address)).or_insert_with(|| (TokenBucket::new(rate, now), now));
            *last = now;
            bucket.take(now).map_err(Exceeded::Address)?;
        }
        self.today += 1;
        Ok(())
    }
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
        assert_eq!(posted.count(one, rate, 3, at(0)), Ok(()));
        assert!(matches!(posted.count(neighbour, rate, 3, at(0)), Err(Exceeded::Address(_))));
        assert_eq!(posted.count(other, rate, 3, at(0)), Ok(()));
        assert_eq!(posted.count(one, rate, 3, at(7)), Ok(()));
        assert_eq!(posted.count(other, rate, 3, at(60)), Err(Exceeded::Day));
        assert_eq!(posted.count(other, rate, 3, at(86_400)), Ok(()));
    }

    #[test]
    fn many_addresses_take_little_room() {
        let mut posted = Posted::default();
        let rate = RateLimit::parse("10/min").ok();
        for number in 0..50_000_u32 {
            let _ = posted.count(IpAddr::V4(number.into()), rate, u64::MAX, at(0));
        }
        assert!(posted.by_address.len() <= MOST_ADDRESSES);
    }
}
