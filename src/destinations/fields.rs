//! What can be told of a business event and of its person, by name: the words that filters and field mappings are written in.
//!
//! One table, [`FIELDS`]. A field that both know (`utm_source`) is the event's own where there is an event that says it, else the
//! person's.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::attribution::Attribution;
use crate::model::business_event::{BusinessEvent, Mark};
use crate::model::contact::Contact;
use crate::model::identity::IdentityKind;
use crate::model::money::{Currency, Decimal, Money};
use crate::model::time::Timestamp;

/// Of what is told.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What happened; none where a person's state is told, whatever happened.
    pub event: Option<&'a BusinessEvent>,
    /// The person.
    pub contact: Option<&'a Contact>,
    /// The id by which the destination knows the person, where it has one.
    pub external_id: Option<&'a str>,
    /// The currency of `total_spent`; none takes that of the person's earliest sale.
    pub currency: Option<Currency>,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// Any text, not empty.
    Text(String),
    /// A decimal number.
    Number(Decimal),
    /// A moment.
    Time(Timestamp),
    /// Yes or no.
    Flag(bool),
}

impl FieldValue {
    /// As JSON: numbers and flags as such, a moment as RFC 3339 text.
    pub fn json(&self) -> Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => number.json(),
            Self::Time(at) => at.to_string().into(),
            Self::Flag(flag) => (*flag).into(),
        }
    }

    /// As text: an exact decimal, an RFC 3339 moment, `true` or `false`.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Time(at) => at.to_string(),
            Self::Flag(flag) => flag.to_string(),
        }
    }
}

/// What a field's values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Texts.
    Text,
    /// Decimal numbers.
    Number,
    /// Moments.
    Time,
    /// Yes or no.
    Flag,
}

/// Something that can be told.
#[derive(Clone, Copy)]
pub struct Field {
    /// Its name in the configuration.
    pub name: &'static str,
    /// What its values are.
    pub form: Form,
    /// Whether it says who somebody is, so that it must not go where personal data may not.
    pub personal: bool,
    /// What it is, for people.
    pub doc: &'static str,
    /// Its value.
    read: fn(&Subject<'_>) -> Option<FieldValue>,
}

impl Field {
    /// What it is for this event and person; none where it isn't known.
    pub fn of(&self, subject: &Subject<'_>) -> Option<FieldValue> {
        (self.read)(subject)
    }

    /// Whether only an event knows it. All others are the person's: what an event says and the person's state doesn't was taken back,
    /// or is an id that several people claim.
    pub fn is_of_event(&self) -> bool {
        OF_EVENTS.contains(&self.name)
    }

    /// The field of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.name == name)
    }
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Field {}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Fields that only an event knows.
const OF_EVENTS: [&str; 16] = [
    "kind",
    "source",
    "occurred_at",
    "transaction_id",
    "value",
    "currency",
    "upgrade",
    "returning",
    "days_to_conversion",
    "failure_code",
    "service_id",
    "service_name",
    "booking_id",
    "booking_status",
    "booking_starts_at",
    "booking_ends_at",
];

const fn field(
    name: &'static str,
    form: Form,
    doc: &'static str,
    read: fn(&Subject<'_>) -> Option<FieldValue>,
) -> Field {
    Field { name, form, personal: false, doc, read }
}

const fn personal(name: &'static str, doc: &'static str, read: fn(&Subject<'_>) -> Option<FieldValue>) -> Field {
    Field { name, form: Form::Text, personal: true, doc, read }
}

/// Every field there is.
pub static FIELDS: [Field; 54] = [
    field("kind", Form::Text, "What happened: purchase, renewal, refund and so on.", |s| text(s.event?.kind.name())),
    field("environment", Form::Text, "live or test.", |s| {
        let mode = s.event.map(|event| event.scope.mode).or(s.contact.map(|contact| contact.mode))?;
        text(mode.name())
    }),
    field("source", Form::Text, "The kind of the sender: stripe, gohighlevel and so on.", |s| {
        text(&s.event?.scope.provider)
    }),
    field("occurred_at", Form::Time, "When it happened.", |s| Some(FieldValue::Time(s.event?.occurred_at))),
    field("transaction_id", Form::Text, "The id by which destinations know the sale.", |s| {
        maybe(s.event?.transaction_id.as_deref())
    }),
    field("value", Form::Number, "How much, in whole euros, dollars and so on; positive also for a refund.", |s| {
        number(s.event?.amount?)
    }),
    field("currency", Form::Text, "Its currency, in lower case: eur.", |s| text(s.event?.amount?.currency.code())),
    field("upgrade", Form::Flag, "Whether it is a change in the middle of a subscription's period.", |s| {
        Some(FieldValue::Flag(s.event?.facts.marks.contains(&Mark::Upgrade)))
    }),
    field("returning", Form::Flag, "Whether the person had bought before.", |s| {
        Some(FieldValue::Flag(s.event?.facts.returning?))
    }),
    field("days_to_conversion", Form::Number, "Whole days from the first touch to the sale.", |s| {
        Some(FieldValue::Number(Decimal::whole(s.event?.facts.days_to_conversion?)))
    }),
    field("failure_code", Form::Text, "The provider's code for a payment that failed.", |s| {
        maybe(s.event?.facts.failure_code.as_deref())
    }),
    field("service_id", Form::Text, "What was sold, by the merchant's id.", |s| {
        maybe(s.event?.facts.service_id.as_deref())
    }),
    field("service_name", Form::Text, "Its name.", |s| maybe(s.event?.facts.service_name.as_deref())),
    field("booking_id", Form::Text, "The id of an appointment.", |s| {
        maybe(s.event?.facts.booking.as_ref().map(|booking| booking.id.as_str()))
    }),
    field("booking_status", Form::Text, "Where it stood: booked, cancelled, attended, missed.", |s| {
        text(s.event?.facts.booking.as_ref()?.status.name())
    }),
    field("booking_starts_at", Form::Time, "When it begins.", |s| time(s.event?.facts.booking.as_ref()?.starts_at)),
    field("booking_ends_at", Form::Time, "When it ends.", |s| time(s.event?.facts.booking.as_ref()?.ends_at)),
    field("pricing_tier", Form::Text, "The merchant's pricing tier.", |s| {
        maybe(s.event.and_then(|event| event.facts.pricing_tier.as_deref()))
            .or_else(|| maybe(s.contact?.pricing_tier.as_deref()))
    }),
    field("payment_method", Form::Text, "How it was paid: card, sepa_debit and so on.", |s| {
        maybe(s.event.and_then(|event| event.facts.details.payment_method_type.as_deref()))
            .or_else(|| maybe(s.contact?.payment_method_type.as_deref()))
    }),
    field("external_id", Form::Text, "The lead id, else our own id of the person; once used it stays.", |s| {
        maybe(s.external_id)
    }),
    field("lead_id", Form::Text, "The browser's lead id.", |s| {
        maybe(s.event.and_then(|event| event.facts.lead_id.as_deref())).or_else(|| identity(s, IdentityKind::Lead))
    }),
    field("user_id", Form::Text, "The merchant's user id.", |s| {
        maybe(s.event.and_then(|event| event.facts.user_id.as_deref())).or_else(|| identity(s, IdentityKind::User))
    }),
    personal("email", "The e-mail address.", |s| {
        maybe(s.contact?.person.email.as_ref().map(|email| email.as_str())).or_else(|| identity(s, IdentityKind::Email))
    }),
    personal("phone", "The phone number.", |s| {
        maybe(s.contact?.person.phone.as_ref().map(|phone| phone.as_str())).or_else(|| identity(s, IdentityKind::Phone))
    }),
    personal("name", "The whole name.", |s| maybe(s.contact?.person.name.as_deref())),
    personal("first_name", "Its first word.", |s| text(split_name(s.contact?.person.name.as_deref()?).0)),
    personal("last_name", "The rest of it.", |s| text(split_name(s.contact?.person.name.as_deref()?).1)),
    field("lifecycle_stage", Form::Text, "lead, customer or churned.", |s| text(s.contact?.stage().name())),
    field("customer_since", Form::Time, "When the person first bought or subscribed.", |s| {
        time(s.contact?.became_customer_at())
    }),
    field("churned_at", Form::Time, "When the last subscription ended, nothing bought since.", |s| {
        time(s.contact?.churned_at())
    }),
    field("last_transaction_id", Form::Text, "Of the person's latest sale.", |s| {
        maybe(s.contact?.last_sale.as_ref().map(|sale| sale.transaction_id.as_str()))
    }),
    field("last_transaction_amount", Form::Number, "In the sale's own currency.", |s| {
        number(s.contact?.last_sale.as_ref()?.amount.0)
    }),
    field("last_transaction_currency", Form::Text, "In lower case: eur.", |s| {
        text(s.contact?.last_sale.as_ref()?.amount.0.currency.code())
    }),
    field("last_transaction_date", Form::Time, "When.", |s| time(s.contact?.last_sale.as_ref().map(|sale| sale.at))),
    field("total_spent", Form::Number, "Sales less refunds and lost disputes.", |s| {
        number(total(s.contact?, s.currency)?)
    }),
    field("purchases", Form::Number, "How many sales, renewals not among them.", |s| count(s.contact?.purchases)),
    field("renewals", Form::Number, "How many renewals.", |s| count(s.contact?.renewals)),
    field("refunds", Form::Number, "How many refunds.", |s| count(s.contact?.refunds)),
    field("subscription_status", Form::Text, "Where the subscription stands: active, past_due and so on.", |s| {
        text(s.contact?.subscriptions.newest.as_ref()?.status.name())
    }),
    field("subscription_plan", Form::Text, "What is subscribed to.", |s| {
        maybe(s.contact?.subscriptions.newest.as_ref()?.plan.as_deref())
    }),
    field("consent_analytics", Form::Flag, "Whether the person agreed to be measured.", |s| {
        flag(s.contact?.consent.analytics)
    }),
    field("consent_ads", Form::Flag, "Whether the person agreed to advertising.", |s| flag(s.contact?.consent.ads)),
    field("consent_email", Form::Flag, "Whether the person agreed to e-mail.", |s| flag(s.contact?.consent.email)),
    field("client_id", Form::Text, "GA's id of the browser.", |s| said(s, |said| &said.client_id)),
    field("utm_source", Form::Text, "Where the person came from.", |s| touch(s, |touch| &touch.utm_source)),
    field("utm_medium", Form::Text, "By which medium.", |s| touch(s, |touch| &touch.utm_medium)),
    field("utm_campaign", Form::Text, "By which campaign.", |s| touch(s, |touch| &touch.utm_campaign)),
    field("utm_term", Form::Text, "By which search term.", |s| touch(s, |touch| &touch.utm_term)),
    field("utm_content", Form::Text, "By which of several advertisements.", |s| touch(s, |touch| &touch.utm_content)),
    field("first_utm_source", Form::Text, "The same of the first touch.", |s| {
        maybe(s.contact?.first_attribution.utm_source.as_deref())
    }),
    field("first_utm_campaign", Form::Text, "The same of the first touch.", |s| {
        maybe(s.contact?.first_attribution.utm_campaign.as_deref())
    }),
    field("gclid", Form::Text, "Google Ads' click id.", |s| said(s, |said| &said.gclid)),
    field("fbclid", Form::Text, "Meta's click id.", |s| said(s, |said| &said.fbclid)),
    field("first_utm_medium", Form::Text, "The same of the first touch.", |s| {
        maybe(s.contact?.first_attribution.utm_medium.as_deref())
    }),
];

/// The first word is the first name, the rest the last name.
pub fn split_name(name: &str) -> (&str, &str) {
    let name = name.trim();
    name.split_once(char::is_whitespace).map_or((name, ""), |(first, rest)| (first, rest.trim_start()))
}

/// The last touch that names a campaign, else the first.
pub fn campaign(contact: &Contact) -> &Attribution {
    let last = &contact.last_attribution;
    if last.utm_source.is_some() || last.utm_campaign.is_some() { last } else { &contact.first_attribution }
}

/// What was spent in the wanted currency, else that of the person's earliest sale; none of somebody who never bought. The books drop sums of zero,
/// yet a customer who got everything back has spent zero, not an unknown amount.
pub fn total(contact: &Contact, currency: Option<Currency>) -> Option<Money> {
    main_currency(contact, None).map(|first| contact.totals.of(currency.unwrap_or(first)))
}

/// The currency of `total_spent`: the wanted one, else that of the person's earliest sale.
pub fn main_currency(contact: &Contact, wanted: Option<Currency>) -> Option<Currency> {
    wanted.or(contact.first_currency).or_else(|| currencies(contact).first().copied())
}

/// Every currency that the person ever paid in, in order.
pub fn currencies(contact: &Contact) -> BTreeSet<Currency> {
    let mut known: BTreeSet<Currency> = contact.totals.iter().map(|sum| sum.currency).collect();
    known.extend(contact.last_sale.iter().map(|sale| sale.amount.0.currency));
    known.extend(contact.first_currency);
    known
}

fn text(value: &str) -> Option<FieldValue> {
    let value = value.trim();
    (!value.is_empty()).then(|| FieldValue::Text(value.to_owned()))
}

fn maybe(value: Option<&str>) -> Option<FieldValue> {
    value.and_then(text)
}

fn number(money: Money) -> Option<FieldValue> {
    Some(FieldValue::Number(money.decimal()))
}

fn count(number: u32) -> Option<FieldValue> {
    Some(FieldValue::Number(Decimal::whole(number)))
}

fn time(at: Option<Timestamp>) -> Option<FieldValue> {
    at.map(FieldValue::Time)
}

fn flag(answer: Option<bool>) -> Option<FieldValue> {
    answer.map(FieldValue::Flag)
}

fn identity(subject: &Subject<'_>, kind: IdentityKind) -> Option<FieldValue> {
    maybe(subject.contact?.identity(kind))
}

/// What the event says, else the person's last touch, else the first.
fn said(subject: &Subject<'_>, of: fn(&Attribution) -> &Option<String>) -> Option<FieldValue> {
    let event = subject.event.map(|event| &event.facts.attribution);
    let person = subject.contact.map(|contact| [&contact.last_attribution, &contact.first_attribution]);
    event.into_iter().chain(person.into_iter().flatten()).find_map(|said| maybe(of(said).as_deref()))
}

/// Of one touch alone: a campaign of one and a source of another tell of a visit that never was.
fn touch(subject: &Subject<'_>, of: fn(&Attribution) -> &Option<String>) -> Option<FieldValue> {
    let event = subject.event.map(|event| &event.facts.attribution);
    let named = event.filter(|touch| touch.utm_source.is_some() || touch.utm_campaign.is_some());
    maybe(of(named.or_else(|| subject.contact.map(campaign))?).as_deref())
}
