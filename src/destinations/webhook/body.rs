//! A business event as the JSON that a webhook carries. What is not known is left out.

use serde_json::{Map, Value, json};

use super::super::{consent, personal};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::id::Mode;
use crate::model::identity::IdentityKind;
use crate::model::money::Money;

/// A rendered body.
pub struct Rendered {
    /// `{id, type, created_at, livemode, data}`.
    pub body: Vec<u8>,
    /// What was left out.
    pub notes: Vec<String>,
}

/// A JSON object in the making. Without leave for personal data, a text that holds an e-mail address or a phone number is left
/// out, whatever it is the name of: people put such things into ids and campaign names.
struct Fields<'n> {
    fields: Map<String, Value>,
    personal_data: bool,
    notes: &'n mut Vec<String>,
}

impl<'n> Fields<'n> {
    fn new(personal_data: bool, notes: &'n mut Vec<String>) -> Self {
        Self { fields: Map::new(), personal_data, notes }
    }

    fn text(&mut self, name: &str, value: Option<&str>) {
        let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else { return };
        match personal::find_in_id(value).filter(|_| !self.personal_data) {
            Some(found) => {
                self.notes.push(format!("{name} was left out: it holds {} (personal_data = false)", found.name()));
            }
            None => self.put(name, Some(value.into())),
        }
    }

    fn put(&mut self, name: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.fields.insert(name.to_owned(), value);
        }
    }

    fn object(&mut self, name: &str, fill: impl FnOnce(&mut Fields<'_>)) {
        let mut inner = Fields::new(self.personal_data, self.notes);
        fill(&mut inner);
        let fields = inner.fields;
        if !fields.is_empty() {
            self.fields.insert(name.to_owned(), fields.into());
        }
    }
}

/// Renders from what is fixed when the event is first let go; the person's stage, totals and consent are those of the
/// moment.
/// `kind` is the one that was frozen, `id` the message's.
pub fn render(
    id: &str,
    event: &BusinessEvent,
    kind: &EventKind,
    contact: Option<&Contact>,
    personal_data: bool,
) -> Rendered {
    let mut notes = Vec::new();
    let mut data = Fields::new(personal_data, &mut notes);
    data.put("kind", Some(kind.name().into()));
    data.put("business_event", Some(event.id.to_string().into()));
    data.text("key", Some(&event.key));
    data.put("occurred_at", Some(event.occurred_at.to_string().into()));
    data.text("transaction_id", event.transaction_id.as_deref());
    money(event, kind, &mut data);
    facts(event, contact, &mut data);
    if let Some(contact) = contact {
        data.object("contact", |fields| person(contact, fields));
    }
    let message = json!({
        "id": id,
        "type": kind.name(),
        "created_at": event.created_at.to_string(),
        "livemode": event.scope.mode == Mode::Live,
        "data": data.fields,
    });
    Rendered { body: message.to_string().into_bytes(), notes }
}

fn money(event: &BusinessEvent, kind: &EventKind, data: &mut Fields<'_>) {
    let details = &event.facts.details;
    data.text("payment_method_type", details.payment_method_type.as_deref());
    let Some(amount) = event.amount else { return };
    let decimal = |minor: i64| Money { minor, ..amount }.decimal().json();
    data.put("value", Some(amount.decimal().json()));
    data.put("currency", Some(amount.currency.upper().into()));
    if kind.is_money() && !kind.is_sale() {
        // Tax, coupon and lines would be the sale's: which of them a refund is for is not known.
        return;
    }
    data.put("tax", details.tax.map(decimal));
    data.put("shipping", details.shipping.map(decimal));
    data.put("discount", details.discount.map(decimal));
    data.text("coupon", details.coupon.as_deref());
    let mut items = Vec::with_capacity(details.items.len());
    for item in &details.items {
        let mut line = Fields::new(data.personal_data, data.notes);
        line.text("item_id", item.id.as_deref());
        line.text("item_name", item.name.as_deref());
        line.put("quantity", Some(item.quantity.into()));
        line.put("price", item.unit_minor.map(decimal));
        items.push(Value::Object(line.fields));
    }
    data.put("items", (!items.is_empty()).then_some(Value::Array(items)));
}

fn facts(event: &BusinessEvent, contact: Option<&Contact>, data: &mut Fields<'_>) {
    let facts = &event.facts;
    let attribution = &facts.attribution;
    let consent = consent::current(event, contact);
    for (name, value) in [
        ("pricing_tier", &facts.pricing_tier),
        ("lead_id", &facts.lead_id),
        ("user_id", &facts.user_id),
        ("service_id", &facts.service_id),
        ("service_name", &facts.service_name),
        ("failure_code", &facts.failure_code),
    ] {
        data.text(name, value.as_deref());
    }
    data.object("attribution", |fields| {
        for (name, value) in [
            ("client_id", &attribution.client_id),
            ("session_id", &attribution.session_id),
            ("utm_source", &attribution.utm_source),
            ("utm_medium", &attribution.utm_medium),
            ("utm_campaign", &attribution.utm_campaign),
            ("utm_term", &attribution.utm_term),
            ("utm_content", &attribution.utm_content),
            ("gclid", &attribution.gclid),
            ("gbraid", &attribution.gbraid),
            ("wbraid", &attribution.wbraid),
            ("fbclid", &attribution.fbclid),
        ] {
            fields.text(name, value.as_deref());
        }
    });
    data.object("consent", |fields| {
        fields.put("analytics", consent.analytics.map(Value::from));
        fields.put("ads", consent.ads.map(Value::from));
        fields.put("email", consent.email.map(Value::from));
    });
    if let Some(subscription) = &facts.subscription {
        data.object("subscription", |fields| {
            fields.text("id", Some(&subscription.id));
            fields.put("status", Some(subscription.status.name().into()));
            fields.text("plan", subscription.plan.as_deref());
            fields.put("price", subscription.price.map(|price| price.decimal().json()));
            fields.put("currency", subscription.price.map(|price| price.currency.upper().into()));
            fields.put("ends_at", subscription.ends_at.map(|at| at.to_string().into()));
            let changes: Vec<Value> = subscription.changes.iter().map(|change| change.name().into()).collect();
            fields.put("changes", (!changes.is_empty()).then_some(Value::Array(changes)));
        });
    }
    if let Some(booking) = &facts.booking {
        data.object("booking", |fields| {
            fields.text("id", Some(&booking.id));
            fields.put("status", Some(booking.status.name().into()));
            fields.put("starts_at", booking.starts_at.map(|at| at.to_string().into()));
            fields.put("ends_at", booking.ends_at.map(|at| at.to_string().into()));
            fields.put("moved_from", booking.moved_from.map(|at| at.to_string().into()));
        });
    }
    data.put("days_to_conversion", facts.days_to_conversion.map(Value::from));
    data.put("returning", facts.returning.map(Value::from));
    let marks: Vec<Value> = facts.marks.iter().map(|mark| mark.name().into()).collect();
    data.put("marks", (!marks.is_empty()).then_some(Value::Array(marks)));
}

fn person(contact: &Contact, fields: &mut Fields<'_>) {
    fields.put("id", Some(contact.id.to_string().into()));
    fields.put("stage", Some(contact.stage().name().into()));
    fields.put("customer_since", contact.became_customer_at().map(|since| since.to_string().into()));
    for (name, count) in [
        ("purchases", contact.purchases),
        ("renewals", contact.renewals),
        ("refunds", contact.refunds),
        ("disputes_lost", contact.disputes_lost),
    ] {
        fields.put(name, Some(count.into()));
    }
    let totals = contact.totals.iter().map(|sum| (sum.currency.upper(), sum.decimal().json()));
    fields.put("total_spent", Some(Value::Object(totals.collect())));
    if fields.personal_data {
        let person = &contact.person;
        let email = person.email.as_ref().map(|email| email.as_str());
        let phone = person.phone.as_ref().map(|phone| phone.as_str());
        fields.text("email", email.or_else(|| contact.identity(IdentityKind::Email)));
        fields.text("phone", phone.or_else(|| contact.identity(IdentityKind::Phone)));
        fields.text("name", person.name.as_deref());
    }
}
