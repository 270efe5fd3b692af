//! One business event as one Measurement Protocol request body.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::super::{Job, consent, personal};
use super::parameters::Parameters;
use super::validate::{BODY_BYTES, VALUE_CHARS};
use super::{Settings, items};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::Frozen;
use crate::model::id::Mode;
use crate::model::money::Money;
use crate::model::time::Timestamp;

/// How long after its start GA4 adds events to a session (GA4: use cases, attribute to an online session).
const SESSION: Duration = Duration::from_secs(24 * 3600);
/// When GA4 must have received them at the latest.
const SESSION_RECEIPT: Duration = Duration::from_secs(48 * 3600);
/// By how much a browser's clock may be ahead of the provider's.
const CLOCK_SKEW: Duration = Duration::from_secs(10 * 60);

/// A rendered request.
pub struct Rendered {
    /// The JSON body.
    pub body: Vec<u8>,
    /// The event's name at GA4.
    pub name: String,
    /// Whether GA4 recognises a repeat: it does so for `purchase`, by transaction id.
    pub repeatable: bool,
    /// What was cut or left out.
    pub notes: Vec<String>,
}

/// The name that GA4 knows a kind by.
pub fn event_name<'a>(kind: &'a EventKind, settings: &'a Settings) -> &'a str {
    if let Some((_, name)) = settings.event_names.iter().find(|(named, _)| named == kind) {
        return name;
    }
    match kind {
        EventKind::Renewal => "purchase",
        EventKind::DisputeLost => "refund",
        EventKind::Lead => "generate_lead",
        other => other.name(),
    }
}

/// Renders from what is frozen, so that every attempt tells the same.
///
/// # Errors
/// Why the event can't be told at all, as a sentence.
pub fn render(
    settings: &Settings,
    event: &BusinessEvent,
    frozen: &Frozen,
    client_id: &str,
    job: &Job<'_>,
) -> Result<Rendered, String> {
    let kind = &frozen.kind;
    let name = event_name(kind, settings).to_owned();
    let transaction_id = transaction_id(event)?;
    if kind.is_money() && event.amount.is_none() {
        return Err(format!("the {kind} carries no amount, and an absent amount is not zero"));
    }
    let mut params = Parameters::default();
    params.number("engagement_time_msec", 1.into());
    params.text("session_id", session_id(event, client_id, job).as_deref());
    params.text("transaction_id", transaction_id);
    money(event, kind, &mut params);
    descriptions(event, frozen, &mut params);
    let (mut params, mut notes) = params.into_parts();
    let mut items = items::render(event, kind, &settings.default_item, &mut notes);

    let micros = event.occurred_at.micros();
    loop {
        params.insert("items".to_owned(), Value::Array(items.clone()));
        let mut body = Map::new();
        body.insert("client_id".to_owned(), client_id.into());
        body.insert("timestamp_micros".to_owned(), micros.into());
        if let Some(ads) = consent::current(event, job.contact).ads {
            let answer = if ads { "GRANTED" } else { "DENIED" };
            body.insert("consent".to_owned(), json!({"ad_user_data": answer, "ad_personalization": answer}));
        }
        // GA4 is known to heed only the one or only the other of the two moments; the same in both serves either.
        body.insert("events".to_owned(), json!([{"name": &name, "timestamp_micros": micros, "params": &params}]));
        let body = Value::Object(body).to_string().into_bytes();
        if body.len() < BODY_BYTES || items.len() <= 1 {
            let repeatable = name == "purchase" && transaction_id.is_some();
            return Ok(Rendered { body, name, repeatable, notes });
        }
        items.truncate(items.len() / 2);
        notes.push(format!("only {} items were sent: more would exceed GA4's {BODY_BYTES} bytes", items.len()));
    }
}

fn transaction_id(event: &BusinessEvent) -> Result<Option<&str>, String> {
    let Some(id) = event.transaction_id.as_deref().map(str::trim).filter(|id| !id.is_empty()) else { return Ok(None) };
    if let Some(found) = personal::find_in_id(id) {
        return Err(format!(
            "the transaction id holds {}, which GA4's policy forbids; take another order id",
            found.name()
        ));
    }
    if id.chars().count() > VALUE_CHARS {
        // Cut ids of two sales could be equal, and GA4 would count them as one.
        return Err(format!(
            "the transaction id has more than GA4's {VALUE_CHARS} characters; take a shorter order id"
        ));
    }
    Ok(Some(id))
}

/// `value` is the whole paid amount. Google's page wants it without tax and shipping, but these are not known for every
/// sale, and a figure that means one thing for some sales and another for others adds up to nothing.
fn money(event: &BusinessEvent, kind: &EventKind, params: &mut Parameters) {
    let Some(amount) = event.amount else { return };
    params.number("value", amount.decimal().json());
    params.text("currency", Some(&amount.currency.upper()));
    if kind.is_sale() {
        // Beside a refund they would be the sale's, not the refund's.
        let details = &event.facts.details;
        for (name, minor) in [("tax", details.tax), ("shipping", details.shipping)] {
            if let Some(minor) = minor {
                params.number(name, Money { minor, ..amount }.decimal().json());
            }
        }
    }
}

fn descriptions(event: &BusinessEvent, frozen: &Frozen, params: &mut Parameters) {
    let facts = &event.facts;
    params.text("coupon", facts.details.coupon.as_deref());
    params.text("payment_method_type", facts.details.payment_method_type.as_deref());
    params.text("pricing_tier", facts.pricing_tier.as_deref());
    params.text("lead_id", facts.lead_id.as_deref());
    params.text("lead_source", facts.attribution.utm_source.as_deref());
    params.text("lead_campaign", facts.attribution.utm_campaign.as_deref());
    if let Some(subscription) = &facts.subscription {
        let changes: Vec<&str> = subscription.changes.iter().map(|change| change.name()).collect();
        params.text("subscription_plan", subscription.plan.as_deref());
        params.text("subscription_status", Some(subscription.status.name()));
        params.text("subscription_change", Some(&changes.join(",")));
    }
    if let Some(days) = facts.days_to_conversion {
        params.number("days_to_conversion", days.into());
    }
    params.text("event_source", Some("server"));
    if event.scope.mode == Mode::Test {
        params.number("test_mode", 1.into());
    }
    if frozen.synthetic {
        params.number("synthetic", 1.into());
    }
    if frozen.kind == EventKind::Renewal {
        params.text("sale_type", Some("renewal"));
    }
    if frozen.kind.is_sale() {
        params.text("customer_type", facts.returning.map(|returning| if returning { "returning" } else { "new" }));
    }
}

/// The session of the very browser that `client_id` names, while GA4 still adds to it. A foreign or an old session would
/// show as a new one without a source.
fn session_id(event: &BusinessEvent, client_id: &str, job: &Job<'_>) -> Option<String> {
    let of_contact = |contact: &'_ Contact| [contact.last_attribution.clone(), contact.first_attribution.clone()];
    std::iter::once(event.facts.attribution.clone())
        .chain(job.contact.into_iter().flat_map(of_contact))
        .filter(|said| said.client_id.as_deref().and_then(super::client_id::accepted).as_deref() == Some(client_id))
        .filter_map(|said| said.session_id)
        .find(|session| is_open(session, event.occurred_at, job.now))
}

fn is_open(session: &str, occurred_at: Timestamp, now: Timestamp) -> bool {
    let digits = !session.is_empty() && session.bytes().all(|byte| byte.is_ascii_digit());
    let Some(start) = session.parse().ok().filter(|_| digits).map(Timestamp::from_unix_seconds) else { return false };
    start <= occurred_at.after(CLOCK_SKEW) && occurred_at.since(start) < SESSION && now.since(start) < SESSION_RECEIPT
}
