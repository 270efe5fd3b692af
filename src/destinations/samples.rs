//! Events, people and answers that the tests of all destinations start from.

use std::time::Duration;

use serde_json::Value;

use super::{Destination, Exchange, HttpRequest, HttpResponse, Job, NoAnswer, Reply, Step};
use crate::model::attribution::{Attribution, Consent};
use crate::model::business_event::{BusinessEvent, EventFacts, Subject};
use crate::model::contact::{Contact, LastSale, SaleAmount};
use crate::model::delivery::{ContactSync, Delivery, Frozen, Schedule, State};
use crate::model::id::{BusinessEventId, ContactId, DestinationId, Mode, Scope, WebhookId};
use crate::model::identity::{Email, Identity, IdentityKind, Phone};
use crate::model::money::{Money, Sums};
use crate::model::statement::Person;
use crate::model::time::Timestamp;

/// When the sample sale happened: 2025-05-13T10:36:01Z.
pub const SOLD_AT: Timestamp = Timestamp::from_unix_seconds(1_747_132_561);

pub fn money(minor: i64, code: &str) -> Money {
    Money { minor, currency: code.parse().unwrap() }
}

/// A sale of 99.50 EUR with everything told.
pub fn event(kind: &str) -> BusinessEvent {
    let mut facts = EventFacts {
        pricing_tier: Some("premium".into()),
        lead_id: Some("lead_7".into()),
        user_id: Some("user_3".into()),
        attribution: Attribution {
            client_id: Some("1234567890.1747130000".into()),
            session_id: Some("1747130000".into()),
            utm_source: Some("newsletter".into()),
            utm_campaign: Some("spring".into()),
            ..Attribution::default()
        },
        consent: Consent::default(),
        days_to_conversion: Some(3),
        returning: Some(false),
        ..EventFacts::default()
    };
    facts.details.tax = Some(1589);
    facts.details.coupon = Some("SPRING10".into());
    facts.details.payment_method_type = Some("card".into());
    BusinessEvent {
        id: BusinessEventId(5),
        kind: kind.parse().unwrap(),
        key: "stripe/-/live/pi_1".into(),
        scope: Scope { provider: "stripe".into(), account: None, mode: Mode::Live },
        subject: Subject::Sale,
        group: None,
        contact: Some(ContactId(12)),
        webhook: WebhookId(1),
        created_at: SOLD_AT,
        occurred_at: SOLD_AT,
        transaction_id: Some("pi_1".into()),
        frozen: true,
        amount: Some(money(9950, "eur")),
        facts,
        deliveries: Vec::new(),
    }
}

/// Jane, who bought once.
pub fn contact() -> Contact {
    let mut contact = Contact::new(ContactId(12), Mode::Live);
    let identity = |kind, value: &str| Identity { mode: Mode::Live, kind, value: value.into() };
    contact.identities = vec![
        identity(IdentityKind::Email, "jane@example.com"),
        identity(IdentityKind::User, "user_3"),
        identity(IdentityKind::Lead, "lead_7"),
    ];
    contact.person = Person {
        email: Email::parse("Jane@Example.com"),
        phone: Phone::parse("+49 30 12345678"),
        name: Some("Jane Doe".into()),
    };
    contact.pricing_tier = Some("premium".into());
    contact.payment_method_type = Some("card".into());
    contact.first_attribution.utm_source = Some("google".into());
    contact.last_attribution.utm_source = Some("newsletter".into());
    contact.last_attribution.utm_campaign = Some("spring".into());
    contact.totals = Sums::from_amounts([money(9950, "eur")]);
    contact.purchases = 1;
    contact.customer_since = Some(SOLD_AT);
    contact.last_sale =
        Some(LastSale { at: SOLD_AT, transaction_id: "pi_1".into(), amount: SaleAmount(money(9950, "eur")) });
    contact
}

/// Somebody of whom nothing is known.
pub fn stranger() -> Contact {
    Contact::new(ContactId(12), Mode::Live)
}

/// A delivery with what is frozen.
pub fn delivery(frozen: Option<Frozen>) -> Delivery {
    Delivery {
        destination: DestinationId(1),
        state: State::Pending,
        generation: 0,
        schedule: Schedule::default(),
        last_status: None,
        may_have_arrived: false,
        deadline: None,
        frozen,
    }
}

/// What a destination knows of the contact.
pub fn sync(remote_id: Option<&str>, external_id: Option<&str>) -> ContactSync {
    ContactSync {
        remote_id: remote_id.map(str::to_owned),
        external_id: external_id.map(str::to_owned),
        ..ContactSync::new(DestinationId(1), ContactId(12))
    }
}

/// A job a minute after the sale.
pub fn job<'a>(events: &'a [BusinessEvent], contact: Option<&'a Contact>, sync: Option<&'a ContactSync>) -> Job<'a> {
    Job { key: "b5.1.0", events, delivery: None, contact, sync, now: SOLD_AT.after(Duration::from_secs(60)) }
}

pub fn reply(status: u16, body: &str) -> Reply {
    Ok(HttpResponse { status, retry_after: None, body: body.as_bytes().to_vec(), headers: Vec::new() })
}

pub fn timed_out() -> Reply {
    Err(NoAnswer::Unknown("timed out".into()))
}

/// Plays a job against replies in order: the requests that were made, and the last step.
pub fn play(destination: &dyn Destination, job: &Job<'_>, replies: &[Reply]) -> (Vec<HttpRequest>, Step) {
    let mut exchanges = Vec::new();
    for reply in replies {
        match destination.step(job, &exchanges) {
            Step::Send(request) => exchanges.push(Exchange { request, reply: reply.clone() }),
            done @ Step::Done(_) => panic!("over before {reply:?}: {done:?}"),
        }
    }
    let last = destination.step(job, &exchanges);
    (exchanges.into_iter().map(|exchange| exchange.request).collect(), last)
}

pub fn body(request: &HttpRequest) -> Value {
    serde_json::from_slice(&request.body).unwrap()
}

/// The lines of an exchange as a person would sketch it: `GET contacts?…`.
pub fn lines(requests: &[HttpRequest]) -> Vec<String> {
    requests.iter().map(|request| format!("{} {}", request.method.name(), request.url)).collect()
}

pub fn done(step: Step) -> super::Finished {
    match step {
        Step::Done(finished) => finished,
        Step::Send(request) => panic!("not over: {request:?}"),
    }
}

pub fn sent(step: Step) -> HttpRequest {
    match step {
        Step::Send(request) => request,
        Step::Done(finished) => panic!("over: {finished:?}"),
    }
}
