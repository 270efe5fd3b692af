//! One business event as one Measurement Protocol request body.

use serde_json::{Map, Value, json};

use super::super::{Job, consent};
use super::parameters::Parameters;
use super::person::{Form, Guard};
use super::validate::{BODY_BYTES, MOST_PARAMS, USER_ID_CHARS, VALUE_CHARS};
use super::violation::ValidationCode::{PersonalData, ValueOutOfBounds, ValueRequired};
use super::violation::Violation;
use super::{Settings, items, session, user_data};
use crate::destinations::fields::{FieldValue, Subject};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::Frozen;
use crate::model::id::Mode;
use crate::model::identity::IdentityKind;
use crate::model::money::Money;

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

/// What one business event is told by.
pub struct Told<'a> {
    /// The destination's settings.
    pub settings: &'a Settings,
    /// What happened.
    pub event: &'a BusinessEvent,
    /// What is fixed for every attempt.
    pub frozen: &'a Frozen,
    /// The person.
    pub contact: Option<&'a Contact>,
}

/// The parameters of one event.
pub struct Params {
    /// All but `items`.
    pub plain: Map<String, Value>,
    /// `items`; empty for an event that has none.
    pub items: Vec<Value>,
    /// What was cut or left out.
    pub notes: Vec<String>,
}

/// Renders from what is frozen, so that every attempt tells the same.
///
/// # Errors
/// Why the event can't be told at all.
pub fn render(
    settings: &Settings,
    event: &BusinessEvent,
    frozen: &Frozen,
    client_id: &str,
    job: &Job<'_>,
) -> Result<Rendered, Violation> {
    let name = event_name(&frozen.kind, settings).to_owned();
    let told = Told { settings, event, frozen, contact: job.contact };
    let Params { plain: mut params, mut items, mut notes } =
        told.params(session_id(event, client_id, job).as_deref())?;
    let (user_id, note) = told.user_id();
    notes.extend(note);
    let ads = consent::current(event, job.contact).ads;
    let user_data = told.user_data(ads);

    let micros = event.occurred_at.micros();
    loop {
        if !items.is_empty() {
            params.insert("items".to_owned(), Value::Array(items.clone()));
        }
        let mut body = Map::new();
        body.insert("client_id".to_owned(), client_id.into());
        if let Some(id) = user_id {
            body.insert("user_id".to_owned(), id.into());
        }
        body.insert("timestamp_micros".to_owned(), micros.into());
        if let Some(ads) = ads {
            body.insert("consent".to_owned(), consent_object(ads));
        }
        if let Some(data) = &user_data {
            body.insert("user_data".to_owned(), data.clone());
        }
        // GA4 is known to heed only the one or only the other of the two moments; the same in both serves either.
        body.insert("events".to_owned(), json!([{"name": &name, "timestamp_micros": micros, "params": &params}]));
        let body = Value::Object(body).to_string().into_bytes();
        if body.len() < BODY_BYTES || items.len() <= 1 {
            let repeatable = name == "purchase" && params.contains_key("transaction_id");
            return Ok(Rendered { body, name, repeatable, notes });
        }
        items.truncate(items.len() / 2);
        notes.push(format!("only {} items were sent: more would exceed GA4's {BODY_BYTES} bytes", items.len()));
    }
}

/// `consent`, which has these two keys and no other.
pub fn consent_object(ads: bool) -> Value {
    let answer = if ads { "GRANTED" } else { "DENIED" };
    json!({"ad_user_data": answer, "ad_personalization": answer})
}

impl Told<'_> {
    /// Every parameter of the event, personal data left out.
    ///
    /// # Errors
    /// Why it can't be told at all.
    pub fn params(&self, session_id: Option<&str>) -> Result<Params, Violation> {
        let kind = &self.frozen.kind;
        let guard = Guard::of(self.contact);
        let transaction_id = transaction_id(self.event, &guard)?;
        if kind.is_money() && self.event.amount.is_none() {
            let what = format!("the {kind} carries no amount, and an absent amount is not zero");
            return Err(Violation::new(ValueRequired, what));
        }
        let mut params = Parameters::new(&guard);
        params.plain("engagement_time_msec", 1.into());
        params.text("session_id", session_id);
        params.text("transaction_id", transaction_id);
        money(self.event, kind, &mut params);
        self.descriptions(&mut params);
        self.own(&mut params);
        let (plain, mut notes) = params.into_parts();
        let items = match kind {
            // Nothing is sold, booked or asked for.
            EventKind::ContactChanged => Vec::new(),
            _ => items::render(self.event, kind, &self.settings.default_item, &guard, &mut notes),
        };
        Ok(Params { plain, items, notes })
    }

    fn descriptions(&self, params: &mut Parameters<'_>) {
        let kind = &self.frozen.kind;
        let facts = &self.event.facts;
        params.text("coupon", facts.details.coupon.as_deref());
        params.text("payment_method_type", facts.details.payment_method_type.as_deref());
        params.text("pricing_tier", facts.pricing_tier.as_deref());
        params.text("lead_id", facts.lead_id.as_deref());
        params.text("lead_source", facts.attribution.utm_source.as_deref());
        params.text("lead_campaign", facts.attribution.utm_campaign.as_deref());
        params.text("failure_code", facts.failure_code.as_deref());
        if let Some(subscription) = &facts.subscription {
            let changes: Vec<&str> = subscription.changes.iter().map(|change| change.name()).collect();
            params.text("subscription_plan", subscription.plan.as_deref());
            params.word("subscription_status", subscription.status.name());
            params.word("subscription_change", &changes.join(","));
        }
        if let Some(days) = facts.days_to_conversion {
            params.plain("days_to_conversion", days.into());
        }
        params.word("event_source", "server");
        if self.event.scope.mode == Mode::Test {
            params.plain("test_mode", 1.into());
        }
        if self.frozen.synthetic {
            params.plain("synthetic", 1.into());
        }
        if *kind == EventKind::Renewal {
            params.word("sale_type", "renewal");
        }
        if let Some(returning) = facts.returning.filter(|_| kind.is_sale()) {
            params.word("customer_type", if returning { "returning" } else { "new" });
        }
        if self.settings.debug_mode {
            params.plain("debug_mode", true.into());
        }
    }

    /// Parameters that the configuration adds, as many as there is room for.
    fn own(&self, params: &mut Parameters<'_>) {
        let subject = Subject { event: Some(self.event), contact: self.contact, external_id: None, currency: None };
        for (name, field) in &self.settings.params {
            let Some(value) = field.of(&subject).filter(|_| !field.personal) else { continue };
            if params.len() >= MOST_PARAMS {
                params.note(format!("`{name}` was left out: GA4 takes at most {MOST_PARAMS} parameters"));
                continue;
            }
            match value {
                FieldValue::Number(number) => params.plain(name, number.json()),
                FieldValue::Text(_) | FieldValue::Time(_) | FieldValue::Flag(_) => {
                    params.text(name, Some(&value.text()));
                }
            }
        }
    }

    /// GA's User-ID where it is wanted and names nobody, with a remark where it was left out.
    fn user_id(&self) -> (Option<&str>, Option<String>) {
        let id = self.event.facts.user_id.as_deref().or_else(|| self.contact?.identity(IdentityKind::User));
        let Some(id) = id.map(str::trim).filter(|id| self.settings.user_id && !id.is_empty()) else {
            return (None, None);
        };
        if let Some(found) = Guard::of(self.contact).find_in_user_id(id) {
            return (None, Some(format!("`user_id` was left out: it holds {found}, which GA4's policy forbids")));
        }
        if id.chars().count() > USER_ID_CHARS {
            // A part of an id could be somebody else's.
            return (None, Some(format!("`user_id` was left out: it has more than GA4's {USER_ID_CHARS} characters")));
        }
        (Some(id), None)
    }

    /// Hashes of the person's address and number: where that is wanted, and the person said yes.
    fn user_data(&self, ads: Option<bool>) -> Option<Value> {
        let contact = self.contact.filter(|_| self.settings.user_data && ads == Some(true))?;
        user_data::of(contact)
    }
}

fn transaction_id<'e>(event: &'e BusinessEvent, guard: &Guard) -> Result<Option<&'e str>, Violation> {
    let Some(id) = event.transaction_id.as_deref().map(str::trim).filter(|id| !id.is_empty()) else { return Ok(None) };
    if let Some(found) = guard.find(Form::Id, id) {
        let what = format!("the transaction id holds {found}, which GA4's policy forbids; take another order id");
        return Err(Violation::new(PersonalData, what));
    }
    if id.chars().count() > VALUE_CHARS {
        // Cut ids of two sales could be equal, and GA4 would count them as one.
        let what = format!("the transaction id has more than GA4's {VALUE_CHARS} characters; take a shorter order id");
        return Err(Violation::new(ValueOutOfBounds, what));
    }
    Ok(Some(id))
}

/// `value` is the whole paid amount. Google's page wants it without tax and shipping, but these are not known for every
/// sale, and a figure that means one thing for some sales and another for others adds up to nothing.
fn money(event: &BusinessEvent, kind: &EventKind, params: &mut Parameters<'_>) {
    let Some(amount) = event.amount else { return };
    params.plain("value", amount.decimal().json());
    params.word("currency", &amount.currency.upper());
    if kind.is_sale() {
        // Beside a refund they would be the sale's, not the refund's.
        let details = &event.facts.details;
        for (name, minor) in [("tax", details.tax), ("shipping", details.shipping)] {
            if let Some(minor) = minor {
                params.plain(name, Money { minor, ..amount }.decimal().json());
            }
        }
    }
}

/// The session of the very browser that `client_id` names, while GA4 still adds to it. A foreign or an old session would
/// show as a new one without a source.
fn session_id(event: &BusinessEvent, client_id: &str, job: &Job<'_>) -> Option<String> {
    let of_contact = |contact: &'_ Contact| [contact.last_attribution.clone(), contact.first_attribution.clone()];
    std::iter::once(event.facts.attribution.clone())
        .chain(job.contact.into_iter().flat_map(of_contact))
        .filter(|said| said.client_id.as_deref().and_then(super::client_id::accepted).as_deref() == Some(client_id))
        .filter_map(|said| said.session_id.as_deref().and_then(session::accepted))
        .find(|session| session::is_open(session, event.occurred_at, job.now))
}
