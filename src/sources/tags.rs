//! The recognised names under which a merchant attaches things to what is sold or booked, whatever the sender calls the place.

use crate::model::attribution::{Attribution, Consent};
use crate::model::statement::Tags;
use crate::model::time::Timestamp;

/// What stands under the recognised names. `get` says what stands under one.
pub(super) fn tags(get: impl Fn(&str) -> Option<String>, said_at: Timestamp) -> Tags {
    let mut attribution = Attribution {
        client_id: get("ga_client_id"),
        session_id: get("ga_session_id"),
        utm_source: get("utm_source"),
        utm_medium: get("utm_medium"),
        utm_campaign: get("utm_campaign"),
        utm_term: get("utm_term"),
        utm_content: get("utm_content"),
        gclid: get("gclid"),
        gbraid: get("gbraid"),
        wbraid: get("wbraid"),
        fbclid: get("fbclid"),
        ..Attribution::default()
    };
    if !attribution.is_empty() {
        attribution.at = said_at;
    }
    let agreed = |name| get(name).and_then(|answer| yes_or_no(&answer));
    Tags {
        lead_id: get("lead_id"),
        user_id: get("user_id"),
        pricing_tier: get("pricing_tier"),
        order_id: get("order_id"),
        service_id: get("service_id"),
        service_name: get("service_name"),
        attribution,
        consent: Consent {
            analytics: agreed("consent_analytics"),
            ads: agreed("consent_ads"),
            email: agreed("consent_email"),
        },
    }
}

/// An answer in words.
pub(super) fn yes_or_no(answer: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| answer.trim().eq_ignore_ascii_case(word));
    if is(&["true", "granted", "yes", "1"]) {
        Some(true)
    } else if is(&["false", "denied", "no", "0"]) {
        Some(false)
    } else {
        None
    }
}
