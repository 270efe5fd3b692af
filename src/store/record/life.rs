//! Subscriptions on disk: the life of one as part of its object, and how one stood or stands.

use serde::{Deserialize, Serialize};

use crate::model::business_event::SubscriptionFacts;
use crate::model::contact::SubscriptionStanding;
use crate::model::subscription::{
    SubscriptionChange, SubscriptionStart, SubscriptionState, SubscriptionStatus, SubscriptionTerms, ToldChange,
};
use crate::model::time::Timestamp;

use super::codes::Code;
use super::money::MoneyV1;
use super::{Fault, owned};

/// A [`SubscriptionState`].
#[derive(Serialize, Deserialize)]
pub(super) struct LifeV1<'a> {
    #[serde(borrow)]
    start: Option<StepV1<'a>>,
    unbegun_at: Option<i64>,
    ended_at: Option<i64>,
    #[serde(borrow)]
    terms: TermsV1<'a>,
    #[serde(borrow)]
    changes: Vec<ChangeV1<'a>>,
}

/// What one event told: when, and how it stood then.
#[derive(Serialize, Deserialize)]
struct StepV1<'a> {
    at: i64,
    event_id: &'a str,
    #[serde(borrow)]
    terms: TermsV1<'a>,
}

#[derive(Serialize, Deserialize)]
struct ChangeV1<'a> {
    #[serde(borrow)]
    told: StepV1<'a>,
    what: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct TermsV1<'a> {
    status: u8,
    #[serde(borrow)]
    plan: Option<&'a str>,
    price: Option<MoneyV1>,
    ends_at: Option<i64>,
}

/// A [`SubscriptionStanding`].
#[derive(Serialize, Deserialize)]
pub(super) struct StandingV1<'a> {
    running: bool,
    said_at: i64,
    id: &'a str,
    status: u8,
    #[serde(borrow)]
    plan: Option<&'a str>,
}

/// [`SubscriptionFacts`].
#[derive(Serialize, Deserialize)]
pub(super) struct SubscriptionFactsV1<'a> {
    id: &'a str,
    #[serde(borrow)]
    terms: TermsV1<'a>,
    changes: Vec<u8>,
}

fn codes(changes: &[SubscriptionChange]) -> Vec<u8> {
    changes.iter().map(|change| change.code()).collect()
}

fn from_codes(codes: Vec<u8>) -> Result<Vec<SubscriptionChange>, Fault> {
    codes.into_iter().map(SubscriptionChange::from_code).collect()
}

impl<'a> LifeV1<'a> {
    /// As it is written.
    pub(super) fn of(life: &'a SubscriptionState) -> Self {
        let start = |start: &'a SubscriptionStart| StepV1::of(start.at, &start.event_id, &start.terms);
        let change = |change: &'a ToldChange| ChangeV1 {
            told: StepV1::of(change.at, &change.event_id, &change.terms),
            what: codes(&change.what),
        };
        Self {
            start: life.start.as_ref().map(start),
            unbegun_at: life.unbegun_at.map(Timestamp::millis),
            ended_at: life.ended_at.map(Timestamp::millis),
            terms: TermsV1::of(&life.terms),
            changes: life.changes.iter().map(change).collect(),
        }
    }

    /// As it was.
    pub(super) fn read(self) -> Result<SubscriptionState, Fault> {
        let start = |step: StepV1<'_>| -> Result<_, Fault> {
            let (at, event_id, terms) = step.read()?;
            Ok(SubscriptionStart { at, event_id, terms })
        };
        let change = |change: ChangeV1<'_>| -> Result<_, Fault> {
            let (at, event_id, terms) = change.told.read()?;
            Ok(ToldChange { at, event_id, what: from_codes(change.what)?, terms })
        };
        Ok(SubscriptionState {
            start: self.start.map(start).transpose()?,
            unbegun_at: self.unbegun_at.map(Timestamp::from_millis),
            ended_at: self.ended_at.map(Timestamp::from_millis),
            terms: self.terms.read()?,
            changes: self.changes.into_iter().map(change).collect::<Result<_, _>>()?,
        })
    }
}

impl<'a> StepV1<'a> {
    fn of(at: Timestamp, event_id: &'a str, terms: &'a SubscriptionTerms) -> Self {
        Self { at: at.millis(), event_id, terms: TermsV1::of(terms) }
    }

    fn read(self) -> Result<(Timestamp, String, SubscriptionTerms), Fault> {
        Ok((Timestamp::from_millis(self.at), self.event_id.to_owned(), self.terms.read()?))
    }
}

impl<'a> TermsV1<'a> {
    fn of(terms: &'a SubscriptionTerms) -> Self {
        Self {
            status: terms.status.code(),
            plan: terms.plan.as_deref(),
            price: terms.price.map(MoneyV1::of),
            ends_at: terms.ends_at.map(Timestamp::millis),
        }
    }

    fn read(self) -> Result<SubscriptionTerms, Fault> {
        Ok(SubscriptionTerms {
            status: SubscriptionStatus::from_code(self.status)?,
            plan: owned(self.plan),
            price: self.price.map(MoneyV1::read).transpose()?,
            ends_at: self.ends_at.map(Timestamp::from_millis),
        })
    }
}

impl<'a> StandingV1<'a> {
    /// As it is written.
    pub(super) fn of(standing: &'a SubscriptionStanding) -> Self {
        Self {
            running: standing.running,
            said_at: standing.said_at.millis(),
            id: &standing.id,
            status: standing.status.code(),
            plan: standing.plan.as_deref(),
        }
    }

    /// As it was.
    pub(super) fn read(self) -> Result<SubscriptionStanding, Fault> {
        Ok(SubscriptionStanding {
            running: self.running,
            said_at: Timestamp::from_millis(self.said_at),
            id: self.id.to_owned(),
            status: SubscriptionStatus::from_code(self.status)?,
            plan: owned(self.plan),
        })
    }
}

impl<'a> SubscriptionFactsV1<'a> {
    /// As they are written.
    pub(super) fn of(facts: &'a SubscriptionFacts) -> Self {
        Self {
            id: &facts.id,
            terms: TermsV1 {
                status: facts.status.code(),
                plan: facts.plan.as_deref(),
                price: facts.price.map(MoneyV1::of),
                ends_at: facts.ends_at.map(Timestamp::millis),
            },
            changes: codes(&facts.changes),
        }
    }

    /// As they were.
    pub(super) fn read(self) -> Result<SubscriptionFacts, Fault> {
        let SubscriptionTerms { status, plan, price, ends_at } = self.terms.read()?;
        Ok(SubscriptionFacts {
            id: self.id.to_owned(),
            status,
            plan,
            price,
            changes: from_codes(self.changes)?,
            ends_at,
        })
    }
}
