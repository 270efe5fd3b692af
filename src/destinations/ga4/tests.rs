use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::samples::{self, body, done, event, job, money, play, reply, sent, stranger, timed_out};
use super::*;
use crate::destinations::consent;
use crate::model::attribution::Consent;
use crate::model::business_event::{EventFacts, Subject, SubscriptionFacts};
use crate::model::id::Mode;
use crate::model::identity::{Identity, IdentityKind};
use crate::model::statement::Item;
use crate::model::subscription::{SubscriptionChange, SubscriptionStatus};

mod browser;
mod events;
mod money;
mod refusals;

pub(super) fn settings() -> Settings {
    Settings {
        measurement_id: "G-TEST1".into(),
        api_secret: Secret::new("s3cret"),
        endpoint: "https://www.google-analytics.com".into(),
        client_id_fallback: ClientIdFallback::Derived,
        default_item: DefaultItem {
            id: "default_service".into(),
            name: "Professional Service".into(),
            category: "services".into(),
        },
        event_names: Vec::new(),
        params: Vec::new(),
        user_id: false,
        user_data: false,
        debug_mode: false,
    }
}

fn ga4() -> Ga4 {
    Ga4::new(settings())
}

/// The first step for an event, frozen as it would be.
pub(super) fn step_with(
    ga4: &Ga4,
    event: &BusinessEvent,
    contact: Option<&Contact>,
    replies: &[super::super::Reply],
) -> Step {
    let delivery = samples::delivery(ga4.freeze(event, contact));
    let events = [event.clone()];
    let job = Job { delivery: Some(&delivery), ..job(&events, contact, None) };
    play(ga4, &job, replies).1
}

fn request(event: &BusinessEvent) -> Value {
    body(&sent(step_with(&ga4(), event, None, &[])))
}

fn params(event: &BusinessEvent) -> Value {
    request(event)["events"][0]["params"].clone()
}
