//! Webhooks on disk; their bodies lie in a table of their own ([`body`](crate::store::body)).

use serde::{Deserialize, Serialize};

use crate::model::envelope::Envelope;
use crate::model::id::{BusinessEventId, GroupId, Mode, WebhookId};
use crate::model::time::Timestamp;
use crate::model::webhook::{Status, Webhook};

use super::codes::Code;
use super::{Record, RecordError, read, write};

#[derive(Serialize, Deserialize)]
enum WebhookRecord<'a> {
    #[serde(borrow)]
    V1(WebhookV1<'a>),
}

impl Record for WebhookRecord<'_> {
    const TABLE: &'static str = "webhook";
    const VERSIONS: u8 = 1;
}

#[derive(Serialize, Deserialize)]
struct WebhookV1<'a> {
    source: &'a str,
    #[serde(borrow)]
    mark: MarkV1<'a>,
    provider_id: &'a str,
    event_type: &'a str,
    mode: u8,
    received_at: i64,
    created: Option<i64>,
    status: u8,
    #[serde(borrow)]
    notes: Vec<&'a str>,
    group: Option<u64>,
    business_events: Vec<u64>,
    body_bytes: u32,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a [u8])>,
    event: Option<&'a str>,
}

/// The dedup mark. Nearly every mark ends in the provider's id, which is then not written twice.
#[derive(Serialize, Deserialize)]
enum MarkV1<'a> {
    BeforeProviderId(&'a str),
    Whole(&'a str),
}

/// As it is written; the key holds the id.
pub fn encode(webhook: &Webhook) -> Vec<u8> {
    write(&WebhookRecord::V1(WebhookV1 {
        source: &webhook.source,
        mark: webhook
            .mark
            .strip_suffix(webhook.provider_id.as_str())
            .map_or(MarkV1::Whole(&webhook.mark), MarkV1::BeforeProviderId),
        provider_id: &webhook.provider_id,
        event_type: &webhook.event_type,
        mode: webhook.mode.code(),
        received_at: webhook.received_at.millis(),
        created: webhook.created.map(Timestamp::millis),
        status: webhook.status.code(),
        notes: webhook.notes.iter().map(String::as_str).collect(),
        group: webhook.group.map(|group| group.0),
        business_events: webhook.business_events.iter().map(|event| event.0).collect(),
        body_bytes: webhook.body_bytes,
        headers: webhook.envelope.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect(),
        event: webhook.envelope.event.as_deref(),
    }))
}

/// As it was.
///
/// # Errors
/// When the bytes are not a whole webhook record of a known version.
pub fn decode(id: WebhookId, bytes: &[u8]) -> Result<Webhook, RecordError> {
    read(bytes, |WebhookRecord::V1(v1)| {
        Ok(Webhook {
            id,
            source: v1.source.to_owned(),
            mark: match v1.mark {
                MarkV1::BeforeProviderId(start) => [start, v1.provider_id].concat(),
                MarkV1::Whole(mark) => mark.to_owned(),
            },
            provider_id: v1.provider_id.to_owned(),
            event_type: v1.event_type.to_owned(),
            mode: Mode::from_code(v1.mode)?,
            received_at: Timestamp::from_millis(v1.received_at),
            created: v1.created.map(Timestamp::from_millis),
            status: Status::from_code(v1.status)?,
            notes: v1.notes.into_iter().map(str::to_owned).collect(),
            group: v1.group.map(GroupId),
            business_events: v1.business_events.into_iter().map(BusinessEventId).collect(),
            body_bytes: v1.body_bytes,
            envelope: Envelope {
                headers: v1.headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect(),
                event: v1.event.map(str::to_owned),
            },
        })
    })
}
