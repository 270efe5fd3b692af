//! The recognised keys of a provider's metadata, on disk.

use serde::{Deserialize, Serialize};

use crate::model::statement::Tags;

use super::attribution::{AttributionV1, consent_code, consent_from_code};
use super::{Fault, owned};

/// A [`Tags`].
#[derive(Serialize, Deserialize)]
pub(super) struct TagsV1<'a> {
    #[serde(borrow)]
    lead_id: Option<&'a str>,
    #[serde(borrow)]
    user_id: Option<&'a str>,
    #[serde(borrow)]
    pricing_tier: Option<&'a str>,
    #[serde(borrow)]
    order_id: Option<&'a str>,
    #[serde(borrow)]
    service_id: Option<&'a str>,
    #[serde(borrow)]
    service_name: Option<&'a str>,
    #[serde(borrow)]
    attribution: Option<AttributionV1<'a>>,
    consent: u8,
}

impl<'a> TagsV1<'a> {
    /// As it is written; none when there are none.
    pub(super) fn of(tags: &'a Tags) -> Option<Self> {
        (*tags != Tags::default()).then(|| Self {
            lead_id: tags.lead_id.as_deref(),
            user_id: tags.user_id.as_deref(),
            pricing_tier: tags.pricing_tier.as_deref(),
            order_id: tags.order_id.as_deref(),
            service_id: tags.service_id.as_deref(),
            service_name: tags.service_name.as_deref(),
            attribution: AttributionV1::of(&tags.attribution),
            consent: consent_code(tags.consent),
        })
    }

    /// As it was.
    pub(super) fn read(stored: Option<Self>) -> Result<Tags, Fault> {
        let Some(stored) = stored else {
            return Ok(Tags::default());
        };
        Ok(Tags {
            lead_id: owned(stored.lead_id),
            user_id: owned(stored.user_id),
            pricing_tier: owned(stored.pricing_tier),
            order_id: owned(stored.order_id),
            service_id: owned(stored.service_id),
            service_name: owned(stored.service_name),
            attribution: AttributionV1::read(stored.attribution),
            consent: consent_from_code(stored.consent)?,
        })
    }
}
