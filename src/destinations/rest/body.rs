//! A contact as the owner's CRM takes it. What is not known is left out, so that it never wipes what the CRM has.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::Job;
use crate::model::attribution::Attribution;
use crate::model::business_event::EventKind;
use crate::model::contact::Contact;
use crate::model::identity::IdentityKind;
use crate::model::money::Currency;

/// The body of a `POST` or `PATCH`.
pub fn render(job: &Job<'_>, contact: &Contact, external_id: &str, currency: Option<Currency>) -> Vec<u8> {
    let mut body = Map::new();
    let mut text = |name: &str, value: Option<&str>| {
        if let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) {
            body.insert(name.to_owned(), value.into());
        }
    };
    let person = &contact.person;
    text("external_id", Some(external_id));
    text("user_id", contact.identity(IdentityKind::User));
    text("email", person.email.as_ref().map(|email| email.as_str()).or_else(|| contact.identity(IdentityKind::Email)));
    text("phone", person.phone.as_ref().map(|phone| phone.as_str()).or_else(|| contact.identity(IdentityKind::Phone)));
    text("name", person.name.as_deref());
    text("pricing_tier", contact.pricing_tier.as_deref());
    text("lifecycle_stage", Some(contact.stage().name()));
    text("customer_since", contact.became_customer_at().map(|since| since.to_string()).as_deref());
    let touch = campaign_of(contact);
    text("utm_source", touch.utm_source.as_deref());
    text("utm_campaign", touch.utm_campaign.as_deref());
    if let Some(sale) = &contact.last_sale {
        text("last_transaction_id", Some(&sale.transaction_id));
        text("last_transaction_date", Some(&sale.at.to_string()));
        body.insert("last_transaction_amount".to_owned(), sale.amount.0.decimal().json());
    }
    totals(contact, currency, &mut body);
    let tags = tags(job, contact);
    if !tags.is_empty() {
        body.insert("tags".to_owned(), tags.into_iter().map(Value::String).collect());
    }
    Value::Object(body).to_string().into_bytes()
}

/// The last touch that names a campaign, else the first.
fn campaign_of(contact: &Contact) -> &Attribution {
    let last = &contact.last_attribution;
    if last.utm_source.is_some() || last.utm_campaign.is_some() { last } else { &contact.first_attribution }
}

/// `total_spent` in the CRM's currency, or the contact's first; each other currency beside it as `total_spent_usd`. The
/// books drop sums of zero, yet a customer who got everything back has spent zero, not an unknown amount.
fn totals(contact: &Contact, currency: Option<Currency>, body: &mut Map<String, Value>) {
    let mut known: BTreeSet<Currency> = contact.totals.iter().map(|sum| sum.currency).collect();
    known.extend(contact.last_sale.iter().map(|sale| sale.amount.0.currency));
    let Some(main) = currency.filter(|_| !known.is_empty()).or_else(|| known.first().copied()) else { return };
    body.insert("total_spent".to_owned(), contact.totals.of(main).decimal().json());
    for other in known.into_iter().filter(|other| *other != main) {
        body.insert(format!("total_spent_{}", other.code()), contact.totals.of(other).decimal().json());
    }
}

/// Tags of the contact and of every event that waits, so that one request asks for all of them.
fn tags(job: &Job<'_>, contact: &Contact) -> BTreeSet<String> {
    let mut tags = BTreeSet::new();
    let sales = || job.events.iter().filter(|event| event.kind.is_sale());
    if contact.became_customer_at().is_some() || sales().next().is_some() {
        tags.insert("customer".to_owned());
    }
    tags.extend(job.events.iter().filter_map(|event| tag_of(&event.kind)).map(str::to_owned));
    let tiers = job.events.iter().map(|event| &event.facts.pricing_tier).chain([&contact.pricing_tier]);
    let methods = sales().map(|event| &event.facts.details.payment_method_type).chain([&contact.payment_method_type]);
    for (prefix, values) in [("pricing_tier", tiers.collect::<Vec<_>>()), ("payment_method", methods.collect())] {
        for value in values.into_iter().flatten().map(|value| value.trim()).filter(|value| !value.is_empty()) {
            tags.insert(format!("{prefix}_{value}"));
        }
    }
    tags
}

/// The tag that an event by itself asks for. Tags are only ever added, so there is none for what can come undone.
const fn tag_of(kind: &EventKind) -> Option<&'static str> {
    match kind {
        EventKind::BookingMade => Some("booked"),
        EventKind::BookingAttended => Some("attended"),
        EventKind::BookingMissed => Some("no_show"),
        _ => None,
    }
}
