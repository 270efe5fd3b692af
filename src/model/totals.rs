//! Running counts over everything stored, so that no status page has to walk a table.

use std::collections::BTreeMap;

use super::id::{DestinationId, WebhookId};
use super::time::Timestamp;

/// How much of what there is. Changed in the same transaction as what it counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Webhooks ever stored; deleting old ones does not lower it.
    pub webhooks: u64,
    /// What came from each source, by its configured name.
    pub sources: BTreeMap<String, SourceTotals>,
    /// Deliveries of each destination, counted by state, at [`State::index`](super::delivery::State::index).
    pub destinations: BTreeMap<DestinationId, [u64; 5]>,
    /// Deliveries frozen for GA4 with a client id that a browser was given.
    pub ga4_with_client_id: u64,
    /// Deliveries frozen for GA4 with a derived client id.
    pub ga4_synthetic: u64,
    /// Webhooks with an oddity that a person should see.
    pub odd: OddTotals,
    /// Leads that are kept.
    pub leads: u64,
    /// Of how many sales it is known where the buyer came from.
    pub sales: SaleTotals,
}

/// What came from one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SourceTotals {
    /// Webhooks stored, duplicates not among them.
    pub count: u64,
    /// When the last one came, by our clock; none before the first.
    pub last_event_at: Option<Timestamp>,
    /// Its refused requests that are kept whole now.
    pub refused: u64,
    /// Bytes that their bodies take up, as they are packed.
    pub refused_bytes: u64,
}

/// Of how many first sales it is known which browser they came from, and why it was there. Renewals have no browser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SaleShares {
    /// All of them.
    pub sales: u64,
    /// With GA's client id of the browser.
    pub client_id: u64,
    /// With GA's session id.
    pub session_id: u64,
    /// With any UTM value or click id.
    pub utm: u64,
}

impl SaleShares {
    /// What is more here than was counted before.
    #[must_use]
    pub const fn beyond(self, before: Self) -> Self {
        Self {
            sales: self.sales.saturating_sub(before.sales),
            client_id: self.client_id.saturating_sub(before.client_id),
            session_id: self.session_id.saturating_sub(before.session_id),
            utm: self.utm.saturating_sub(before.utm),
        }
    }

    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.sales += other.sales;
        self.client_id += other.client_id;
        self.session_id += other.session_id;
        self.utm += other.utm;
    }
}

/// The shares of the last days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaleTotals {
    /// By day since 1970-01-01 in UTC, our clock, when the sales were let go: the last [`SaleTotals::DAYS`] days with any.
    pub by_day: BTreeMap<i64, SaleShares>,
}

impl SaleTotals {
    /// Days that are counted apart; older ones are forgotten.
    pub const DAYS: usize = 31;
    /// Days that are compared with those before them.
    pub const LATELY: i64 = 7;

    /// Counts some.
    pub fn note(&mut self, shares: SaleShares, at: Timestamp) {
        if shares == SaleShares::default() {
            return;
        }
        self.by_day.entry(day(at)).or_default().add(shares);
        while self.by_day.len() > Self::DAYS {
            self.by_day.pop_first();
        }
    }

    /// All within so many days before a moment, today among them.
    pub fn within(&self, days: i64, now: Timestamp) -> SaleShares {
        self.sum(day(now).saturating_sub(days - 1)..=i64::MAX)
    }

    fn sum(&self, days: std::ops::RangeInclusive<i64>) -> SaleShares {
        let mut sum = SaleShares::default();
        self.by_day.range(days).for_each(|(_, shares)| sum.add(*shares));
        sum
    }

    /// What fell sharply: of the last 7 days, with at least 10 sales, the share is less than half of what it was in the up to 24
    /// days before, with at least 20 sales and a share of at least a fifth. The name of what it is, and both shares in percent.
    pub fn dropped(&self, now: Timestamp) -> Option<(&'static str, u64, u64)> {
        let last_before = day(now).saturating_sub(Self::LATELY);
        let (before, lately) = (self.sum(i64::MIN..=last_before), self.within(Self::LATELY, now));
        if before.sales < 20 || lately.sales < 10 {
            return None;
        }
        let shares = [
            ("client id", before.client_id, lately.client_id),
            ("session id", before.session_id, lately.session_id),
            ("UTM or click id", before.utm, lately.utm),
        ];
        shares.into_iter().find_map(|(what, before_with, lately_with)| {
            let (was, is) = (before_with * 100 / before.sales, lately_with * 100 / lately.sales);
            (was >= 20 && is * 2 < was).then_some((what, was, is))
        })
    }
}

/// How many odd webhooks came lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OddTotals {
    /// By day since 1970-01-01 in UTC, our clock: the last [`OddTotals::DAYS`] days on which one came.
    pub by_day: BTreeMap<i64, u64>,
    /// The newest.
    pub last: Option<WebhookId>,
}

impl OddTotals {
    /// Days that are counted apart; older ones are forgotten.
    pub const DAYS: usize = 8;

    /// Counts one.
    pub fn note(&mut self, id: WebhookId, at: Timestamp) {
        self.last = Some(id);
        *self.by_day.entry(day(at)).or_default() += 1;
        while self.by_day.len() > Self::DAYS {
            self.by_day.pop_first();
        }
    }

    /// How many came within so many days before a moment, in whole days of UTC.
    pub fn within(&self, days: i64, now: Timestamp) -> u64 {
        self.by_day.range(day(now).saturating_sub(days)..).map(|(_, count)| count).sum()
    }
}

fn day(at: Timestamp) -> i64 {
    at.unix_seconds().div_euclid(86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(sales: u64, known: u64) -> SaleShares {
        SaleShares { sales, client_id: known, session_id: 0, utm: sales }
    }

    fn at(day: i64) -> Timestamp {
        Timestamp::from_unix_seconds(day * 86_400 + 3600)
    }

    #[test]
    fn a_share_has_dropped_when_it_is_less_than_half_of_what_it_was() {
        let mut totals = SaleTotals::default();
        for day in 100..123 {
            totals.note(shares(2, 1), at(day));
        }
        assert_eq!(totals.dropped(at(123)), None);
        for day in 124..129 {
            totals.note(shares(2, 0), at(day));
        }
        assert_eq!(totals.within(7, at(129)), shares(10, 0));
        assert_eq!(totals.dropped(at(129)), Some(("client id", 50, 0)));
        // A quiet week says nothing.
        assert_eq!(totals.dropped(at(131)), None);
    }

    #[test]
    fn old_days_are_forgotten() {
        let mut totals = SaleTotals::default();
        (0..100).for_each(|day| totals.note(shares(1, 1), at(day)));
        assert_eq!(totals.by_day.len(), SaleTotals::DAYS);
        assert_eq!(totals.within(30, at(99)).sales, 30);
    }
}
