//! The request to GA4's validation server, which records nothing, and what its answer means.
//!
//! It gets one sample of every event that the destination sends by itself or was given a name for, under the rules of
//! `ENFORCE_RECOMMENDATIONS`, which it alone is asked for (Measurement Protocol: validating events). The samples carry no time,
//! so that it is that of their arrival.

use serde_json::{Map, Value, json};

use super::request::{self, Params, Told};
use super::validate::MOST_PARAMS;
use super::violation::ValidationCode;
use super::{Settings, user_data};
use crate::destinations::fields::Form;
use crate::destinations::{Exchange, redact, status};
use crate::model::attribution::Attribution;
use crate::model::business_event::{BusinessEvent, EventFacts, EventKind, Subject, SubscriptionFacts};
use crate::model::contact::Contact;
use crate::model::delivery::{FailureClass, Frozen, Outcome};
use crate::model::id::{BusinessEventId, ContactId, Mode, Scope, WebhookId};
use crate::model::identity::Email;
use crate::model::money::Money;
use crate::model::subscription::SubscriptionStatus;
use crate::model::time::Timestamp;

/// What GA4 never confirms.
pub const UNCONFIRMED: &str = "what GA4 never confirms is whether `measurement_id` and `api_secret` are right: after the next real \
                               event look at GA4 (Reports, Realtime), or set debug_mode = true and look at Admin, DebugView";

/// Who the samples are from: nobody.
const CLIENT_ID: &str = "1000000001.1000000001";
/// The most messages that are told one by one.
const MOST_MESSAGES: usize = 5;
/// The longest description that is repeated, in characters.
const DESCRIPTION_CHARS: usize = 160;

/// The body, of the events that are sent by default and those that have a name of their own.
pub fn body(settings: &Settings, default_events: &[EventKind]) -> Vec<u8> {
    let named = settings.event_names.iter().map(|(kind, _)| kind);
    let mut kinds: Vec<&EventKind> = Vec::new();
    for kind in default_events.iter().chain(named) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let contact = somebody();
    let events: Vec<Value> = kinds.into_iter().filter_map(|kind| sample(settings, kind, &contact)).collect();
    let mut body = Map::new();
    body.insert("client_id".to_owned(), CLIENT_ID.into());
    body.insert("validation_behavior".to_owned(), "ENFORCE_RECOMMENDATIONS".into());
    if let Some(data) = user_data::of(&contact).filter(|_| settings.user_data) {
        body.insert("consent".to_owned(), request::consent_object(true));
        body.insert("user_data".to_owned(), data);
    }
    body.insert("events".to_owned(), Value::Array(events));
    Value::Object(body).to_string().into_bytes()
}

/// What the answer to that means; `in_general` is what its status says.
pub fn judge(exchange: &Exchange, in_general: Outcome) -> Outcome {
    let Ok(response) = &exchange.reply else { return in_general };
    if in_general != Outcome::Delivered {
        return in_general;
    }
    let answer = serde_json::from_slice::<Value>(&response.body).unwrap_or_default();
    let Some(messages) = answer["validationMessages"].as_array() else {
        return Outcome::Broken {
            explanation: format!(
                "{}, and GA4's validation server would have answered with `validationMessages`; look whether `endpoint` is right",
                status::answered(exchange, response.status)
            ),
        };
    };
    if messages.is_empty() {
        return Outcome::Delivered;
    }
    let asked = serde_json::from_slice::<Value>(&exchange.request.body).unwrap_or_default();
    let mut told: Vec<String> = messages.iter().take(MOST_MESSAGES).map(|message| explained(message, &asked)).collect();
    if let Some(more) = messages.len().checked_sub(MOST_MESSAGES).filter(|more| *more > 0) {
        told.push(format!("and {more} more"));
    }
    Outcome::Permanent {
        class: FailureClass::Rejected,
        explanation: format!(
            "GA4's validation server takes exception to the samples, of which nothing was recorded: {}. And {UNCONFIRMED}",
            told.join("; ")
        ),
    }
}

/// One message with the event that it is about, and what can be done.
fn explained(message: &Value, asked: &Value) -> String {
    let text = |key: &str| {
        let told = message[key].as_str().unwrap_or_default();
        redact::text(&status::cut(told.trim().trim_end_matches('.'), DESCRIPTION_CHARS))
    };
    let (path, code) = (text("fieldPath"), text("validationCode"));
    let number = path.strip_prefix("events[").and_then(|rest| rest.split(']').next()?.parse::<usize>().ok());
    let event = number.and_then(|number| asked["events"].get(number)?.get("name")?.as_str());
    let place = match (event, path.is_empty()) {
        (Some(name), _) => format!("`{path}` of {name:?}"),
        (None, false) => format!("`{path}`"),
        (None, true) => "the request".to_owned(),
    };
    let advice = ValidationCode::named(&code).map_or_else(String::new, |code| format!(" ({})", code.advice()));
    let code = if code.is_empty() { "it gave no code".to_owned() } else { code };
    format!("{place}: {code}, {}{advice}", text("description"))
}

/// One event as it would be sent; none where the settings allow none.
fn sample(settings: &Settings, kind: &EventKind, contact: &Contact) -> Option<Value> {
    let event = happened(kind);
    let frozen = Frozen { kind: kind.clone(), client_id: Some(CLIENT_ID.to_owned()), synthetic: false };
    let told = Told { settings, event: &event, frozen: &frozen, contact: Some(contact) };
    let Params { mut plain, items, .. } = told.params(None).ok()?;
    for (name, field) in settings.params.iter().filter(|(name, _)| !plain.contains_key(name)).collect::<Vec<_>>() {
        if plain.len() < MOST_PARAMS {
            let value = if field.form == Form::Number { json!(1) } else { json!("sample") };
            plain.insert(name.clone(), value);
        }
    }
    if !items.is_empty() {
        plain.insert("items".to_owned(), Value::Array(items));
    }
    Some(json!({"name": request::event_name(kind, settings), "params": plain}))
}

/// A sale of 10 EUR, or whatever else the kind is, with everything that can be told.
fn happened(kind: &EventKind) -> BusinessEvent {
    let mut facts = EventFacts {
        pricing_tier: Some("standard".to_owned()),
        lead_id: Some("tallyhook-test".to_owned()),
        attribution: Attribution {
            utm_source: Some("tallyhook".to_owned()),
            utm_campaign: Some("test".to_owned()),
            ..Attribution::default()
        },
        ..EventFacts::default()
    };
    let is_of_subscription =
        matches!(kind, EventKind::SubscriptionStarted | EventKind::SubscriptionChanged | EventKind::SubscriptionEnded);
    if is_of_subscription {
        facts.subscription = Some(SubscriptionFacts {
            id: "tallyhook-test".to_owned(),
            status: SubscriptionStatus::Active,
            plan: Some("test".to_owned()),
            price: None,
            changes: Vec::new(),
            ends_at: None,
        });
    }
    let has_amount = kind.is_money() || *kind == EventKind::PaymentFailed;
    if has_amount {
        facts.details.payment_method_type = Some("card".to_owned());
    }
    if *kind == EventKind::PaymentFailed {
        facts.failure_code = Some("card_declined".to_owned());
    }
    if kind.is_sale() {
        facts.returning = Some(false);
        facts.days_to_conversion = Some(0);
    }
    let euro = "eur".parse().ok();
    BusinessEvent {
        id: BusinessEventId(0),
        kind: kind.clone(),
        key: "tallyhook-test".to_owned(),
        scope: Scope { provider: "tallyhook".to_owned(), account: None, mode: Mode::Live },
        subject: Subject::Other("tallyhook-test".to_owned()),
        group: None,
        contact: None,
        webhook: WebhookId(0),
        created_at: Timestamp::EPOCH,
        occurred_at: Timestamp::EPOCH,
        transaction_id: has_amount.then(|| "tallyhook-test".to_owned()),
        frozen: true,
        amount: euro.filter(|_| has_amount).map(|currency| Money { minor: 1000, currency }),
        facts,
        deliveries: Vec::new(),
    }
}

/// A person that there is not (RFC 2606: example.com).
fn somebody() -> Contact {
    let mut contact = Contact::new(ContactId(0), Mode::Live);
    contact.person.email = Email::parse("nobody@example.com");
    contact
}
