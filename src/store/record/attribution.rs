//! Attribution and consent on disk.

use serde::{Deserialize, Serialize};

use crate::model::attribution::{Attribution, Consent, ConsentSource, ConsentSources};
use crate::model::time::Timestamp;

use super::codes::Code;
use super::{Fault, owned};

/// An [`Attribution`].
#[derive(Serialize, Deserialize)]
pub(super) struct AttributionV1<'a> {
    #[serde(borrow)]
    client_id: Option<&'a str>,
    #[serde(borrow)]
    session_id: Option<&'a str>,
    #[serde(borrow)]
    utm: Option<UtmV1<'a>>,
    #[serde(borrow)]
    clicks: Option<ClicksV1<'a>>,
    at: i64,
}

/// The five `utm_` values; none of them is one byte of the whole.
#[derive(Default, PartialEq, Serialize, Deserialize)]
struct UtmV1<'a> {
    #[serde(borrow)]
    source: Option<&'a str>,
    #[serde(borrow)]
    medium: Option<&'a str>,
    #[serde(borrow)]
    campaign: Option<&'a str>,
    #[serde(borrow)]
    term: Option<&'a str>,
    #[serde(borrow)]
    content: Option<&'a str>,
}

/// The click ids.
#[derive(Default, PartialEq, Serialize, Deserialize)]
struct ClicksV1<'a> {
    #[serde(borrow)]
    gclid: Option<&'a str>,
    #[serde(borrow)]
    gbraid: Option<&'a str>,
    #[serde(borrow)]
    wbraid: Option<&'a str>,
    #[serde(borrow)]
    fbclid: Option<&'a str>,
}

impl<'a> AttributionV1<'a> {
    /// As it is written; none when nothing is known.
    pub(super) fn of(attribution: &'a Attribution) -> Option<Self> {
        let utm = UtmV1 {
            source: attribution.utm_source.as_deref(),
            medium: attribution.utm_medium.as_deref(),
            campaign: attribution.utm_campaign.as_deref(),
            term: attribution.utm_term.as_deref(),
            content: attribution.utm_content.as_deref(),
        };
        let clicks = ClicksV1 {
            gclid: attribution.gclid.as_deref(),
            gbraid: attribution.gbraid.as_deref(),
            wbraid: attribution.wbraid.as_deref(),
            fbclid: attribution.fbclid.as_deref(),
        };
        (*attribution != Attribution::default()).then(|| Self {
            client_id: attribution.client_id.as_deref(),
            session_id: attribution.session_id.as_deref(),
            utm: (utm != UtmV1::default()).then_some(utm),
            clicks: (clicks != ClicksV1::default()).then_some(clicks),
            at: attribution.at.millis(),
        })
    }

    /// As it was.
    pub(super) fn read(stored: Option<Self>) -> Attribution {
        let Some(stored) = stored else {
            return Attribution::default();
        };
        let utm = stored.utm.unwrap_or_default();
        let clicks = stored.clicks.unwrap_or_default();
        Attribution {
            client_id: owned(stored.client_id),
            session_id: owned(stored.session_id),
            utm_source: owned(utm.source),
            utm_medium: owned(utm.medium),
            utm_campaign: owned(utm.campaign),
            utm_term: owned(utm.term),
            utm_content: owned(utm.content),
            gclid: owned(clicks.gclid),
            gbraid: owned(clicks.gbraid),
            wbraid: owned(clicks.wbraid),
            fbclid: owned(clicks.fbclid),
            at: Timestamp::from_millis(stored.at),
        }
    }
}

/// A [`Consent`] in one byte, two bits a purpose from the lowest: analytics, ads, e-mail; 0 nobody said, 1 no, 2 yes.
pub(super) fn consent_code(consent: Consent) -> u8 {
    let bits = |said: Option<bool>| said.map_or(0, |yes| 1 + u8::from(yes));
    bits(consent.analytics) | bits(consent.ads) << 2 | bits(consent.email) << 4
}

/// Reads what [`consent_code`] wrote.
pub(super) fn consent_from_code(code: u8) -> Result<Consent, Fault> {
    let unknown = Fault::UnknownCode { what: "consent", code };
    let said = |at: u8| match code >> at & 0b11 {
        0 => Ok(None),
        1 => Ok(Some(false)),
        2 => Ok(Some(true)),
        _ => Err(unknown.clone()),
    };
    if code >> 6 != 0 {
        return Err(unknown);
    }
    Ok(Consent { analytics: said(0)?, ads: said(2)?, email: said(4)? })
}

/// [`ConsentSources`] in one byte, two bits a purpose like [`consent_code`].
pub(super) fn sources_code(sources: ConsentSources) -> u8 {
    sources.analytics.code() | sources.ads.code() << 2 | sources.email.code() << 4
}

/// Reads what [`sources_code`] wrote.
pub(super) fn sources_from_code(code: u8) -> Result<ConsentSources, Fault> {
    let source = |at: u8| ConsentSource::from_code(code >> at & 0b11);
    if code >> 6 != 0 {
        return Err(Fault::UnknownCode { what: "source of consent", code });
    }
    Ok(ConsentSources { analytics: source(0)?, ads: source(2)?, email: source(4)? })
}
