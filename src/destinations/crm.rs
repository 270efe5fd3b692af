//! What the CRM kinds have in common: which business events they get, under which id a person is known there, the tags, and what
//! is told by name.

use std::collections::BTreeSet;

use super::Job;
use super::fields::{Field, FieldValue, Subject};
use crate::model::business_event::EventKind;
use crate::model::contact::Contact;
use crate::model::identity::IdentityKind;
use crate::model::money::Currency;

/// What a CRM gets: every business event, since each says something of its contact. The last is the one that only contact
/// destinations are told.
pub const EVENTS: &[EventKind] = &[
    EventKind::Purchase,
    EventKind::PaymentFailed,
    EventKind::Refund,
    EventKind::RefundFailed,
    EventKind::DisputeLost,
    EventKind::DisputeReversed,
    EventKind::Renewal,
    EventKind::SubscriptionStarted,
    EventKind::SubscriptionChanged,
    EventKind::SubscriptionEnded,
    EventKind::TrialStarted,
    EventKind::Lead,
    EventKind::BookingMade,
    EventKind::BookingChanged,
    EventKind::BookingCancelled,
    EventKind::BookingAttended,
    EventKind::BookingMissed,
    EventKind::ContactChanged,
];

/// All of these but that one: what happens to a business by itself.
pub const HAPPENINGS: &[EventKind] = match EVENTS.split_last() {
    Some((_contact_changed, happenings)) => happenings,
    None => EVENTS,
};

/// What is noted where the CRM has somebody whom we know only by what was written into a form. Anybody can have written it, so
/// that it changes nobody's record.
pub const KNOWN_ALREADY: &str =
    "the CRM has somebody with this address already, and what was written into a form changes nothing there";

/// The id under which the CRM knows the person: the one used first, else the lead id, else the contact's own.
pub fn external_id(job: &Job<'_>, contact: &Contact) -> String {
    let lead = contact.identities.iter().filter(|identity| identity.kind == IdentityKind::Lead);
    let mut leads = lead.map(|identity| identity.value.as_str()).filter(|lead| !is_like_a_contact(lead));
    job.sync
        .and_then(|sync| sync.external_id.clone())
        .or_else(|| leads.next().map(str::to_owned))
        .unwrap_or_else(|| contact.id.to_string())
}

/// Whether a lead id reads like a contact's own id. Anyone can write one into a Payment Link's address, and the CRM may have
/// another person under it.
fn is_like_a_contact(lead: &str) -> bool {
    let lead = lead.trim();
    let digits = lead.strip_prefix(['c', 'C']).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Tags of the contact and of every event that waits, so that one request asks for all of them: `customer`, `pricing_tier_…`,
/// `payment_method_…`.
pub fn tags(job: &Job<'_>, contact: &Contact) -> BTreeSet<String> {
    let mut tags = BTreeSet::new();
    let sales = || job.events.iter().filter(|event| event.kind.is_sale());
    if contact.became_customer_at().is_some() || sales().next().is_some() {
        tags.insert("customer".to_owned());
    }
    let tiers = job.events.iter().map(|event| &event.facts.pricing_tier).chain([&contact.pricing_tier]);
    let methods = sales().map(|event| &event.facts.details.payment_method_type).chain([&contact.payment_method_type]);
    for (prefix, values) in [("pricing_tier", tiers.collect::<Vec<_>>()), ("payment_method", methods.collect())] {
        for value in values.into_iter().flatten().map(|value| value.trim()).filter(|value| !value.is_empty()) {
            tags.insert(format!("{prefix}_{value}"));
        }
    }
    tags.extend(job.events.iter().filter_map(|event| tag_of(&event.kind)).map(str::to_owned));
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

/// A person as a CRM is told of: the state of this moment, and what only an event knows from the newest that waits.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    /// The person, and what waits.
    pub job: &'a Job<'a>,
    /// The person.
    pub contact: &'a Contact,
    /// The id by which the CRM knows the person.
    pub external_id: &'a str,
    /// The currency of `total_spent`; none takes the person's first.
    pub currency: Option<Currency>,
}

impl Told<'_> {
    /// What a field is; none where it isn't known.
    pub fn of(&self, field: &Field) -> Option<FieldValue> {
        let state = Subject {
            event: None,
            contact: Some(self.contact),
            external_id: Some(self.external_id),
            currency: self.currency,
        };
        let event = self.job.events.last().filter(|_| field.is_of_event());
        field.of(&state).or_else(|| field.of(&Subject { event: Some(event?), ..state }))
    }

    /// The same by the field's name.
    pub fn named(&self, name: &str) -> Option<FieldValue> {
        self.of(Field::named(name)?)
    }

    /// The same as text.
    pub fn text(&self, name: &str) -> Option<String> {
        self.named(name).map(|value| value.text())
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{contact, event, job, money, stranger, sync};
    use super::*;

    #[test]
    fn the_state_of_the_person_comes_before_what_the_newest_event_says() {
        let (jane, mut older, mut newer) = (contact(), event("purchase"), event("payment_failed"));
        older.facts.failure_code = Some("older".into());
        newer.facts.failure_code = Some("card_declined".into());
        newer.facts.pricing_tier = Some("enterprise".into());
        newer.amount = Some(money(100, "eur"));
        let events = [older, newer];
        let job = job(&events, Some(&jane), None);
        let told = Told { job: &job, contact: &jane, external_id: "x1", currency: None };
        for (name, value) in [
            ("external_id", Some("x1")),
            ("pricing_tier", Some("premium")),
            ("last_transaction_amount", Some("99.5")),
            ("kind", Some("payment_failed")),
            ("failure_code", Some("card_declined")),
            ("value", Some("1")),
            ("environment", Some("live")),
            ("subscription_plan", None),
            ("no_such_field", None),
        ] {
            assert_eq!(told.text(name).as_deref(), value, "{name}");
        }
    }

    #[test]
    fn an_id_that_several_people_claim_is_nobodys() {
        let (nobody, events) = (stranger(), [event("lead")]);
        let job = job(&events, Some(&nobody), None);
        let told = Told { job: &job, contact: &nobody, external_id: "c12", currency: None };
        assert_eq!((told.text("lead_id"), told.text("user_id")), (None, None));
    }

    #[test]
    fn the_id_first_used_stays() {
        let (events, jane, nobody) = ([event("purchase")], contact(), stranger());
        let known = sync(None, Some("c3"));
        assert_eq!(external_id(&job(&events, Some(&jane), Some(&known)), &jane), "c3");
        assert_eq!(external_id(&job(&events, Some(&jane), None), &jane), "lead_7");
        assert_eq!(external_id(&job(&events, Some(&nobody), None), &nobody), "c12");
    }

    #[test]
    fn nobody_gets_another_persons_record_by_a_lead_id_that_reads_like_theirs() {
        let (events, mut buyer) = ([event("purchase")], contact());
        for claimed in ["c3", "C3", " c3 "] {
            let lead = buyer.identities.iter_mut().find(|identity| identity.kind == IdentityKind::Lead).unwrap();
            lead.value = claimed.to_owned();
            let own = buyer.id.to_string();
            assert_eq!(external_id(&job(&events, Some(&buyer), None), &buyer), own, "{claimed}");
        }
    }
}
