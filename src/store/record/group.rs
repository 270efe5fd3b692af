//! Groups of money objects on disk.

use serde::{Deserialize, Serialize};

use crate::model::group::{ContributedSale, ContributedSubscription, Contribution, Group};
use crate::model::id::{BusinessEventId, ContactId, GroupId};
use crate::model::time::Timestamp;

use super::life::StandingV1;
use super::money::MoneyV1;
use super::object::ObjectStateV1;
use super::scope::ScopeV1;
use super::subject::SubjectV1;
use super::{Fault, Record, RecordError, owned, read, write};

#[derive(Serialize, Deserialize)]
enum GroupRecord<'a> {
    #[serde(borrow)]
    V1(GroupV1<'a>),
}

impl Record for GroupRecord<'_> {
    const TABLE: &'static str = "group";
    const VERSIONS: u8 = 1;
}

#[derive(Serialize, Deserialize)]
struct GroupV1<'a> {
    #[serde(borrow)]
    scope: ScopeV1<'a>,
    merged_into: Option<u64>,
    #[serde(borrow)]
    objects: Vec<ObjectStateV1<'a>>,
    contact: Option<u64>,
    counted: bool,
    #[serde(borrow)]
    events: Vec<(SubjectV1<'a>, u64)>,
    settle_at: Option<i64>,
    #[serde(borrow)]
    contribution: Option<ContributionV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct ContributionV1<'a> {
    net: Option<MoneyV1>,
    #[serde(borrow)]
    sale: Option<SaleV1<'a>>,
    refunds: u32,
    disputes_lost: u32,
    #[serde(borrow)]
    subscription: Option<ContributedSubscriptionV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct ContributedSubscriptionV1<'a> {
    #[serde(borrow)]
    standing: StandingV1<'a>,
    started_at: Option<i64>,
    ended_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct SaleV1<'a> {
    at: i64,
    amount: MoneyV1,
    transaction_id: &'a str,
    renewal: bool,
    #[serde(borrow)]
    payment_method_type: Option<&'a str>,
}

/// As it is written; the key holds the id.
pub fn encode(group: &Group) -> Vec<u8> {
    write(&GroupRecord::V1(GroupV1 {
        scope: ScopeV1::of(&group.scope),
        merged_into: group.merged_into.map(|group| group.0),
        objects: group.objects.iter().map(ObjectStateV1::of).collect(),
        contact: group.contact.map(|contact| contact.0),
        counted: group.counted,
        events: group.events.iter().map(|(subject, event)| (SubjectV1::of(subject), event.0)).collect(),
        settle_at: group.settle_at.map(Timestamp::millis),
        contribution: ContributionV1::of(&group.contribution),
    }))
}

/// As it was.
///
/// # Errors
/// When the bytes are not a whole group record of a known version.
pub fn decode(id: GroupId, bytes: &[u8]) -> Result<Group, RecordError> {
    read(bytes, |GroupRecord::V1(v1)| {
        Ok(Group {
            id,
            scope: v1.scope.read()?,
            merged_into: v1.merged_into.map(GroupId),
            objects: v1.objects.into_iter().map(ObjectStateV1::read).collect::<Result<_, _>>()?,
            contact: v1.contact.map(ContactId),
            counted: v1.counted,
            events: v1.events.into_iter().map(|(subject, event)| (subject.read(), BusinessEventId(event))).collect(),
            settle_at: v1.settle_at.map(Timestamp::from_millis),
            contribution: ContributionV1::read(v1.contribution)?,
        })
    })
}

impl<'a> ContributionV1<'a> {
    fn of(contribution: &'a Contribution) -> Option<Self> {
        (*contribution != Contribution::default()).then(|| Self {
            net: contribution.net.map(MoneyV1::of),
            sale: contribution.sale.as_ref().map(SaleV1::of),
            refunds: contribution.refunds,
            disputes_lost: contribution.disputes_lost,
            subscription: contribution.subscription.as_ref().map(ContributedSubscriptionV1::of),
        })
    }

    fn read(stored: Option<Self>) -> Result<Contribution, Fault> {
        let Some(stored) = stored else {
            return Ok(Contribution::default());
        };
        Ok(Contribution {
            net: stored.net.map(MoneyV1::read).transpose()?,
            sale: stored.sale.map(SaleV1::read).transpose()?,
            refunds: stored.refunds,
            disputes_lost: stored.disputes_lost,
            subscription: stored.subscription.map(ContributedSubscriptionV1::read).transpose()?,
        })
    }
}

impl<'a> ContributedSubscriptionV1<'a> {
    fn of(subscription: &'a ContributedSubscription) -> Self {
        Self {
            standing: StandingV1::of(&subscription.standing),
            started_at: subscription.started_at.map(Timestamp::millis),
            ended_at: subscription.ended_at.map(Timestamp::millis),
        }
    }

    fn read(self) -> Result<ContributedSubscription, Fault> {
        Ok(ContributedSubscription {
            standing: self.standing.read()?,
            started_at: self.started_at.map(Timestamp::from_millis),
            ended_at: self.ended_at.map(Timestamp::from_millis),
        })
    }
}

impl<'a> SaleV1<'a> {
    fn of(sale: &'a ContributedSale) -> Self {
        Self {
            at: sale.at.millis(),
            amount: MoneyV1::of(sale.amount),
            transaction_id: &sale.transaction_id,
            renewal: sale.renewal,
            payment_method_type: sale.payment_method_type.as_deref(),
        }
    }

    fn read(self) -> Result<ContributedSale, Fault> {
        Ok(ContributedSale {
            at: Timestamp::from_millis(self.at),
            amount: self.amount.read()?,
            transaction_id: self.transaction_id.to_owned(),
            renewal: self.renewal,
            payment_method_type: owned(self.payment_method_type),
        })
    }
}
