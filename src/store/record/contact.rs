//! Contacts on disk.

use serde::{Deserialize, Serialize};

use crate::model::attribution::{Attribution, Consent};
use crate::model::contact::{ConsentTimes, Contact, LastSale, PersonTimes, SaleAmount, Subscriptions};
use crate::model::id::{ContactId, Mode};
use crate::model::identity::{Identity, IdentityKind};
use crate::model::money::{Money, Sums};
use crate::model::time::Timestamp;

use super::attribution::{AttributionV1, consent_code, consent_from_code, sources_code, sources_from_code};
use super::codes::Code;
use super::life::StandingV1;
use super::money::{self, MoneyV1};
use super::person::PersonV1;
use super::{Fault, Record, RecordError, owned, read, write};

#[derive(Serialize, Deserialize)]
enum ContactRecord<'a> {
    #[serde(borrow)]
    V1(ContactV1<'a>),
}

impl Record for ContactRecord<'_> {
    const TABLE: &'static str = "contact";
    const VERSIONS: u8 = 1;
}

#[derive(Serialize, Deserialize)]
struct ContactV1<'a> {
    mode: u8,
    merged_into: Option<u64>,
    #[serde(borrow)]
    identities: Vec<IdentityV1<'a>>,
    #[serde(borrow)]
    shared: Vec<IdentityV1<'a>>,
    #[serde(borrow)]
    person: Option<PersonV1<'a>>,
    /// Address, phone, name.
    person_said_at: [i64; 3],
    #[serde(borrow)]
    pricing_tier: Option<&'a str>,
    pricing_tier_said_at: i64,
    #[serde(borrow)]
    payment_method_type: Option<&'a str>,
    #[serde(borrow)]
    touches: TouchesV1<'a>,
    consent: u8,
    /// Analytics, ads, e-mail.
    consent_said_at: [i64; 3],
    consent_said_by: u8,
    overruled: Option<OverruledV1>,
    /// 1: made by a lead alone; 2: its touches are lent; 4: erased.
    flags: u8,
    totals: Vec<MoneyV1>,
    purchases: u32,
    renewals: u32,
    refunds: u32,
    disputes_lost: u32,
    customer_since: Option<i64>,
    first_currency: Option<[u8; 3]>,
    #[serde(borrow)]
    last_sale: Option<LastSaleV1<'a>>,
    #[serde(borrow)]
    subscriptions: Option<SubscriptionsV1<'a>>,
    lead_since: Option<i64>,
}

/// Answers of the other kind of source.
#[derive(Serialize, Deserialize)]
struct OverruledV1 {
    consent: u8,
    /// Analytics, ads, e-mail.
    said_at: [i64; 3],
}

#[derive(Serialize, Deserialize)]
struct SubscriptionsV1<'a> {
    running: u32,
    ended: u32,
    first_started_at: Option<i64>,
    last_ended_at: Option<i64>,
    #[serde(borrow)]
    newest: Option<StandingV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct IdentityV1<'a> {
    mode: u8,
    kind: u8,
    value: &'a str,
}

/// First and last touch; most people have one, which is then not written twice.
#[derive(Serialize, Deserialize)]
enum TouchesV1<'a> {
    #[serde(borrow)]
    Same(Option<AttributionV1<'a>>),
    Two(#[serde(borrow)] Option<AttributionV1<'a>>, #[serde(borrow)] Option<AttributionV1<'a>>),
}

#[derive(Serialize, Deserialize)]
struct LastSaleV1<'a> {
    at: i64,
    transaction_id: &'a str,
    amount: MoneyV1,
}

/// As it is written; the key holds the id.
pub fn encode(contact: &Contact) -> Vec<u8> {
    write(&ContactRecord::V1(ContactV1 {
        mode: contact.mode.code(),
        merged_into: contact.merged_into.map(|contact| contact.0),
        identities: contact.identities.iter().map(IdentityV1::of).collect(),
        shared: contact.shared.iter().map(IdentityV1::of).collect(),
        person: PersonV1::of(&contact.person),
        person_said_at: [
            contact.person_said_at.email.millis(),
            contact.person_said_at.phone.millis(),
            contact.person_said_at.name.millis(),
        ],
        pricing_tier: contact.pricing_tier.as_deref(),
        pricing_tier_said_at: contact.pricing_tier_said_at.millis(),
        payment_method_type: contact.payment_method_type.as_deref(),
        touches: TouchesV1::of(&contact.first_attribution, &contact.last_attribution),
        consent: consent_code(contact.consent),
        consent_said_at: millis(contact.consent_said_at),
        consent_said_by: sources_code(contact.consent_said_by),
        overruled: OverruledV1::of(contact),
        flags: u8::from(contact.unverified) | u8::from(contact.lent_touches) << 1 | u8::from(contact.erased) << 2,
        totals: contact.totals.iter().map(MoneyV1::of).collect(),
        purchases: contact.purchases,
        renewals: contact.renewals,
        refunds: contact.refunds,
        disputes_lost: contact.disputes_lost,
        customer_since: contact.customer_since.map(Timestamp::millis),
        first_currency: contact.first_currency.map(money::letters),
        last_sale: contact.last_sale.as_ref().map(LastSaleV1::of),
        subscriptions: SubscriptionsV1::of(&contact.subscriptions),
        lead_since: contact.lead_since.map(Timestamp::millis),
    }))
}

/// As it was.
///
/// # Errors
/// When the bytes are not a whole contact record of a known version.
pub fn decode(id: ContactId, bytes: &[u8]) -> Result<Contact, RecordError> {
    read(bytes, |ContactRecord::V1(v1)| {
        let totals: Vec<Money> = v1.totals.into_iter().map(MoneyV1::read).collect::<Result<_, _>>()?;
        let (first_attribution, last_attribution) = v1.touches.read();
        let (consent_overruled, consent_overruled_at) = OverruledV1::read(v1.overruled)?;
        Ok(Contact {
            id,
            mode: Mode::from_code(v1.mode)?,
            merged_into: v1.merged_into.map(ContactId),
            identities: v1.identities.into_iter().map(IdentityV1::read).collect::<Result<_, _>>()?,
            shared: v1.shared.into_iter().map(IdentityV1::read).collect::<Result<_, _>>()?,
            person: PersonV1::read(v1.person),
            person_said_at: {
                let [email, phone, name] = v1.person_said_at.map(Timestamp::from_millis);
                PersonTimes { email, phone, name }
            },
            pricing_tier: owned(v1.pricing_tier),
            pricing_tier_said_at: Timestamp::from_millis(v1.pricing_tier_said_at),
            payment_method_type: owned(v1.payment_method_type),
            first_attribution,
            last_attribution,
            consent: consent_from_code(v1.consent)?,
            consent_said_at: times(v1.consent_said_at),
            consent_said_by: sources_from_code(v1.consent_said_by)?,
            consent_overruled,
            consent_overruled_at,
            unverified: v1.flags & 1 != 0,
            lent_touches: match v1.flags {
                0..=7 => v1.flags & 2 != 0,
                code => return Err(Fault::UnknownCode { what: "mark of a contact", code }),
            },
            erased: v1.flags & 4 != 0,
            totals: Sums::from_amounts(totals),
            purchases: v1.purchases,
            renewals: v1.renewals,
            refunds: v1.refunds,
            disputes_lost: v1.disputes_lost,
            customer_since: v1.customer_since.map(Timestamp::from_millis),
            first_currency: v1.first_currency.map(money::currency).transpose()?,
            last_sale: v1.last_sale.map(LastSaleV1::read).transpose()?,
            subscriptions: SubscriptionsV1::read(v1.subscriptions)?,
            lead_since: v1.lead_since.map(Timestamp::from_millis),
        })
    })
}

/// Analytics, ads, e-mail.
fn millis(times: ConsentTimes) -> [i64; 3] {
    [times.analytics.millis(), times.ads.millis(), times.email.millis()]
}

fn times(millis: [i64; 3]) -> ConsentTimes {
    let [analytics, ads, email] = millis.map(Timestamp::from_millis);
    ConsentTimes { analytics, ads, email }
}

impl OverruledV1 {
    /// As it is written; none where nobody was overruled.
    fn of(contact: &Contact) -> Option<Self> {
        let (consent, at) = (contact.consent_overruled, contact.consent_overruled_at);
        (consent != Consent::default() || at != ConsentTimes::default())
            .then(|| Self { consent: consent_code(consent), said_at: millis(at) })
    }

    fn read(stored: Option<Self>) -> Result<(Consent, ConsentTimes), Fault> {
        stored.map_or_else(
            || Ok(Default::default()),
            |stored| Ok((consent_from_code(stored.consent)?, times(stored.said_at))),
        )
    }
}

impl<'a> IdentityV1<'a> {
    fn of(identity: &'a Identity) -> Self {
        Self { mode: identity.mode.code(), kind: identity.kind.code(), value: &identity.value }
    }

    fn read(self) -> Result<Identity, Fault> {
        Ok(Identity {
            mode: Mode::from_code(self.mode)?,
            kind: IdentityKind::from_code(self.kind)?,
            value: self.value.to_owned(),
        })
    }
}

impl<'a> TouchesV1<'a> {
    fn of(first: &'a Attribution, last: &'a Attribution) -> Self {
        if first == last {
            Self::Same(AttributionV1::of(first))
        } else {
            Self::Two(AttributionV1::of(first), AttributionV1::of(last))
        }
    }

    fn read(self) -> (Attribution, Attribution) {
        match self {
            Self::Same(both) => {
                let both = AttributionV1::read(both);
                (both.clone(), both)
            }
            Self::Two(first, last) => (AttributionV1::read(first), AttributionV1::read(last)),
        }
    }
}

impl<'a> SubscriptionsV1<'a> {
    fn of(subscriptions: &'a Subscriptions) -> Option<Self> {
        (*subscriptions != Subscriptions::default()).then(|| Self {
            running: subscriptions.running,
            ended: subscriptions.ended,
            first_started_at: subscriptions.first_started_at.map(Timestamp::millis),
            last_ended_at: subscriptions.last_ended_at.map(Timestamp::millis),
            newest: subscriptions.newest.as_ref().map(StandingV1::of),
        })
    }

    fn read(stored: Option<Self>) -> Result<Subscriptions, Fault> {
        let Some(stored) = stored else {
            return Ok(Subscriptions::default());
        };
        Ok(Subscriptions {
            running: stored.running,
            ended: stored.ended,
            first_started_at: stored.first_started_at.map(Timestamp::from_millis),
            last_ended_at: stored.last_ended_at.map(Timestamp::from_millis),
            newest: stored.newest.map(StandingV1::read).transpose()?,
        })
    }
}

impl<'a> LastSaleV1<'a> {
    fn of(sale: &'a LastSale) -> Self {
        Self { at: sale.at.millis(), transaction_id: &sale.transaction_id, amount: MoneyV1::of(sale.amount.0) }
    }

    fn read(self) -> Result<LastSale, Fault> {
        Ok(LastSale {
            at: Timestamp::from_millis(self.at),
            transaction_id: self.transaction_id.to_owned(),
            amount: SaleAmount(self.amount.read()?),
        })
    }
}
