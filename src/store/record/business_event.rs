//! Business events with their deliveries, on disk.

use serde::{Deserialize, Serialize};

use crate::model::business_event::{BusinessEvent, EventFacts, Mark};
use crate::model::id::{BusinessEventId, ContactId, GroupId, WebhookId};
use crate::model::time::Timestamp;

use super::attribution::{AttributionV1, consent_code, consent_from_code};
use super::codes::Code;
use super::delivery::DeliveryV1;
use super::details::DetailsV1;
use super::happenings::BookingFactsV1;
use super::kind::KindV1;
use super::life::SubscriptionFactsV1;
use super::money::MoneyV1;
use super::scope::ScopeV1;
use super::subject::SubjectV1;
use super::{Fault, Record, RecordError, owned, read, write};

#[derive(Serialize, Deserialize)]
enum BusinessEventRecord<'a> {
    #[serde(borrow)]
    V1(BusinessEventV1<'a>),
}

impl Record for BusinessEventRecord<'_> {
    const TABLE: &'static str = "business event";
    const VERSIONS: u8 = 1;
}

#[derive(Serialize, Deserialize)]
struct BusinessEventV1<'a> {
    #[serde(borrow)]
    kind: KindV1<'a>,
    key: &'a str,
    #[serde(borrow)]
    scope: ScopeV1<'a>,
    #[serde(borrow)]
    subject: SubjectV1<'a>,
    group: Option<u64>,
    contact: Option<u64>,
    webhook: u64,
    created_at: i64,
    occurred_at: i64,
    #[serde(borrow)]
    transaction_id: Option<&'a str>,
    frozen: bool,
    amount: Option<MoneyV1>,
    #[serde(borrow)]
    facts: Option<FactsV1<'a>>,
    #[serde(borrow)]
    deliveries: Vec<DeliveryV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct FactsV1<'a> {
    #[serde(borrow)]
    details: Option<DetailsV1<'a>>,
    #[serde(borrow)]
    pricing_tier: Option<&'a str>,
    #[serde(borrow)]
    lead_id: Option<&'a str>,
    #[serde(borrow)]
    user_id: Option<&'a str>,
    #[serde(borrow)]
    service_id: Option<&'a str>,
    #[serde(borrow)]
    service_name: Option<&'a str>,
    #[serde(borrow)]
    attribution: Option<AttributionV1<'a>>,
    consent: u8,
    #[serde(borrow)]
    failure_code: Option<&'a str>,
    #[serde(borrow)]
    subscription: Option<SubscriptionFactsV1<'a>>,
    #[serde(borrow)]
    booking: Option<BookingFactsV1<'a>>,
    sale_amount: Option<MoneyV1>,
    days_to_conversion: Option<u32>,
    returning: Option<bool>,
    marks: Vec<u8>,
}

/// As it is written; the key holds the id.
pub fn encode(event: &BusinessEvent) -> Vec<u8> {
    write(&BusinessEventRecord::V1(BusinessEventV1 {
        kind: KindV1::of(&event.kind),
        key: &event.key,
        scope: ScopeV1::of(&event.scope),
        subject: SubjectV1::of(&event.subject),
        group: event.group.map(|group| group.0),
        contact: event.contact.map(|contact| contact.0),
        webhook: event.webhook.0,
        created_at: event.created_at.millis(),
        occurred_at: event.occurred_at.millis(),
        transaction_id: event.transaction_id.as_deref(),
        frozen: event.frozen,
        amount: event.amount.map(MoneyV1::of),
        facts: FactsV1::of(&event.facts),
        deliveries: event.deliveries.iter().map(DeliveryV1::of).collect(),
    }))
}

/// As it was.
///
/// # Errors
/// When the bytes are not a whole business event record of a known version.
pub fn decode(id: BusinessEventId, bytes: &[u8]) -> Result<BusinessEvent, RecordError> {
    read(bytes, |BusinessEventRecord::V1(v1)| {
        Ok(BusinessEvent {
            id,
            kind: v1.kind.read()?,
            key: v1.key.to_owned(),
            scope: v1.scope.read()?,
            subject: v1.subject.read(),
            group: v1.group.map(GroupId),
            contact: v1.contact.map(ContactId),
            webhook: WebhookId(v1.webhook),
            created_at: Timestamp::from_millis(v1.created_at),
            occurred_at: Timestamp::from_millis(v1.occurred_at),
            transaction_id: owned(v1.transaction_id),
            frozen: v1.frozen,
            amount: v1.amount.map(MoneyV1::read).transpose()?,
            facts: FactsV1::read(v1.facts)?,
            deliveries: v1.deliveries.into_iter().map(DeliveryV1::read).collect::<Result<_, _>>()?,
        })
    })
}

impl<'a> FactsV1<'a> {
    fn of(facts: &'a EventFacts) -> Option<Self> {
        (*facts != EventFacts::default()).then(|| Self {
            details: DetailsV1::of(&facts.details),
            pricing_tier: facts.pricing_tier.as_deref(),
            lead_id: facts.lead_id.as_deref(),
            user_id: facts.user_id.as_deref(),
            service_id: facts.service_id.as_deref(),
            service_name: facts.service_name.as_deref(),
            attribution: AttributionV1::of(&facts.attribution),
            consent: consent_code(facts.consent),
            failure_code: facts.failure_code.as_deref(),
            subscription: facts.subscription.as_ref().map(SubscriptionFactsV1::of),
            booking: facts.booking.as_ref().map(BookingFactsV1::of),
            sale_amount: facts.sale_amount.map(MoneyV1::of),
            days_to_conversion: facts.days_to_conversion,
            returning: facts.returning,
            marks: facts.marks.iter().map(|mark| mark.code()).collect(),
        })
    }

    fn read(stored: Option<Self>) -> Result<EventFacts, Fault> {
        let Some(stored) = stored else {
            return Ok(EventFacts::default());
        };
        Ok(EventFacts {
            details: DetailsV1::read(stored.details),
            pricing_tier: owned(stored.pricing_tier),
            lead_id: owned(stored.lead_id),
            user_id: owned(stored.user_id),
            service_id: owned(stored.service_id),
            service_name: owned(stored.service_name),
            attribution: AttributionV1::read(stored.attribution),
            consent: consent_from_code(stored.consent)?,
            failure_code: owned(stored.failure_code),
            subscription: stored.subscription.map(SubscriptionFactsV1::read).transpose()?,
            booking: stored.booking.map(BookingFactsV1::read).transpose()?,
            sale_amount: stored.sale_amount.map(MoneyV1::read).transpose()?,
            days_to_conversion: stored.days_to_conversion,
            returning: stored.returning,
            marks: stored.marks.into_iter().map(Mark::from_code).collect::<Result<_, _>>()?,
        })
    }
}
