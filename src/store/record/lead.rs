//! Leads on disk.

use serde::{Deserialize, Serialize};

use crate::model::contact::ConsentTimes;
use crate::model::id::GroupId;
use crate::model::lead::Lead;
use crate::model::time::Timestamp;

use super::attribution::{AttributionV1, consent_code, consent_from_code};
use super::person::PersonV1;
use super::{Record, RecordError, read, write};

#[derive(Serialize, Deserialize)]
enum LeadRecord<'a> {
    #[serde(borrow)]
    V1(LeadV1<'a>),
}

impl Record for LeadRecord<'_> {
    const TABLE: &'static str = "lead";
    const VERSIONS: u8 = 1;
}

#[derive(Serialize, Deserialize)]
struct LeadV1<'a> {
    first_seen_at: i64,
    last_seen_at: i64,
    #[serde(borrow)]
    first: Option<AttributionV1<'a>>,
    /// None when it is the first.
    #[serde(borrow)]
    last: Option<Option<AttributionV1<'a>>>,
    consent: u8,
    /// Analytics, ads, e-mail.
    consent_said_at: [i64; 3],
    #[serde(borrow)]
    person: Option<PersonV1<'a>>,
    addresses: u8,
    others: u16,
    told: Option<u64>,
}

/// As it is written; the key holds the id.
pub fn encode(lead: &Lead) -> Vec<u8> {
    write(&LeadRecord::V1(LeadV1 {
        first_seen_at: lead.first_seen_at.millis(),
        last_seen_at: lead.last_seen_at.millis(),
        first: AttributionV1::of(&lead.first),
        last: (lead.last != lead.first).then(|| AttributionV1::of(&lead.last)),
        consent: consent_code(lead.consent),
        consent_said_at: [
            lead.consent_said_at.analytics.millis(),
            lead.consent_said_at.ads.millis(),
            lead.consent_said_at.email.millis(),
        ],
        person: PersonV1::of(&lead.person),
        addresses: lead.addresses,
        others: lead.others,
        told: lead.told.map(|group| group.0),
    }))
}

/// As it was.
///
/// # Errors
/// When the bytes are not a whole lead record of a known version.
pub fn decode(id: &str, bytes: &[u8]) -> Result<Lead, RecordError> {
    read(bytes, |LeadRecord::V1(v1)| {
        let first = AttributionV1::read(v1.first);
        let last = v1.last.map_or_else(|| first.clone(), AttributionV1::read);
        let [analytics, ads, email] = v1.consent_said_at.map(Timestamp::from_millis);
        Ok(Lead {
            id: id.to_owned(),
            first_seen_at: Timestamp::from_millis(v1.first_seen_at),
            last_seen_at: Timestamp::from_millis(v1.last_seen_at),
            first,
            last,
            consent: consent_from_code(v1.consent)?,
            consent_said_at: ConsentTimes { analytics, ads, email },
            person: PersonV1::read(v1.person),
            addresses: v1.addresses,
            others: v1.others,
            told: v1.told.map(GroupId),
        })
    })
}
