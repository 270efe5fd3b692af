//! Events that nobody would send: well-formed ones with anything put in any place, through interpretation and into the books.
//! Whatever comes, nothing panics, nothing is taken for unreadable, and the books agree with themselves.
//!
//! A second or two by itself. For hours, and with other seeds each time:
//! `TALLYHOOK_FUZZ_SECONDS=3600 cargo test --release --test fuzz_interpretation`.
//! A failure prints its seed; `TALLYHOOK_FUZZ_SEED=…` plays that one again.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod storage;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use fastrand::Rng;
use redb::backends::InMemoryBackend;
use serde_json::{Value, json};
use tallyhook::ledger::intake::{Intake, Receipt};
use tallyhook::ledger::rules::{Count, Rules};
use tallyhook::model::envelope::Envelope;
use tallyhook::model::secret::Secret;
use tallyhook::model::statement::{Claim, Interpreted, Meaning};
use tallyhook::model::time::Timestamp;
use tallyhook::model::webhook::Status;
use tallyhook::platform::clock::ManualClock;
use tallyhook::sources::stripe::{MetadataKeys, SAMPLE_TYPES, Settings, Stripe};
use tallyhook::sources::{Message, SampleRequest, Source};
use tallyhook::store::{Command, Reply, Store, Writer, WriterSettings};

use storage::play::at;
use storage::{Ear, START, audit, fakes};

/// Events in one world, which then is thrown away.
const EVENTS: u64 = 80;
/// Buyers in one world; so few that their events meet.
const BUYERS: u64 = 4;

/// Names that some version's objects have and today's samples lack.
const OLDER_NAMES: [&str; 22] = [
    "invoice",
    "subscription",
    "charge",
    "payment_intent",
    "charges",
    "plan",
    "quantity",
    "paid_out_of_band",
    "subscription_details",
    "current_period_end",
    "currency_conversion",
    "line_items",
    "presentment_details",
    "payments",
    "discount",
    "tax",
    "previous_attributes",
    "account",
    "cancel_at",
    "pause_collection",
    "description",
    "customer",
];

const TEXTS: [&str; 20] = [
    "",
    " ",
    "eur",
    "jpy",
    "zzz",
    "EUR",
    "paid",
    "lost",
    "won",
    "canceled",
    "trialing",
    "past_due",
    "subscription",
    "subscription_update",
    "no_payment_required",
    "failed",
    "jane@example.com",
    "2026-01-01T00:00:00Z",
    "\u{0}\u{feff}é𝄞",
    "in_1Qabcdefghijklmn",
];

#[test]
fn no_event_breaks_interpretation_or_the_books() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a whole number"));
    if let Some(seed) = number("TALLYHOOK_FUZZ_SEED") {
        return world(seed);
    }
    let seconds = number("TALLYHOOK_FUZZ_SECONDS");
    let first = if seconds.is_some() { fastrand::u64(..1 << 48) } else { 1 };
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(1));
    let mut seed = first;
    while seed == first || Instant::now() < until {
        if catch_unwind(|| world(seed)).is_err() {
            panic!("the world of seed {seed} broke: TALLYHOOK_FUZZ_SEED={seed} plays it again");
        }
        seed += 1;
    }
    println!("{} worlds of {EVENTS} events, from seed {first}", seed - first);
}

/// One store with odd events in it.
fn world(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let store = Store::open_with_backend(InMemoryBackend::new(), 1 << 20, &fakes::names()).unwrap().store;
    let (clock, ear) = (ManualClock::at(START), Ear::new());
    let (writer, thread) =
        Writer::start(&store, rules(&mut rng), WriterSettings::default(), clock.clone(), ear.clone()).unwrap();
    let stripe = stripe();
    let mut seconds = 0;
    for event in 0..EVENTS {
        seconds += rng.u64(..200);
        clock.set(at(seconds));
        let body = odd_body(&mut rng, &stripe, event, seconds);
        let Some(interpreted) = interpret(&stripe, &body) else { continue };
        let undigested = interpreted.meaning == Meaning::Undigested;
        let intake = Intake {
            source: "stripe".into(),
            provider_id: interpreted.provider_id.clone(),
            mark: format!("stripe/{}", interpreted.provider_id),
            mark_lives: None,
            envelope: Envelope::default(),
            received_at: at(seconds),
            body_bytes: u32::try_from(body.len()).unwrap(),
            packed_body: tallyhook::store::body::compress(&body),
            interpreted: Some(interpreted),
        };
        match writer.run(Command::Intake(Box::new(intake))).unwrap() {
            Reply::Receipt(Receipt::Stored(_, status)) => {
                let unreadable = status == Status::Unreadable;
                assert_eq!(unreadable, undigested, "the books could not take {}", String::from_utf8_lossy(&body));
            }
            Reply::Receipt(Receipt::Duplicate(_)) => {}
            other => panic!("{other:?} is no receipt"),
        }
        if rng.u8(..4) == 0 {
            settle(&store, &writer, at(seconds));
        }
    }
    clock.set(at(seconds + 100_000));
    settle(&store, &writer, at(seconds + 100_000));
    audit::agree(&audit::contents(&store));
    writer.close();
    thread.join().unwrap();
    assert_eq!(ear.failures(), 0);
}

fn stripe() -> Stripe {
    let metadata = MetadataKeys::default();
    Stripe::new(Settings { secrets: vec![Secret::new("whsec_fuzz")], tolerance: Duration::from_secs(300), metadata })
}

fn rules(rng: &mut Rng) -> Rules {
    let mut rules = fakes::rules();
    for source in rules.sources.values_mut() {
        if rng.bool() {
            source.settle = Duration::ZERO;
        }
        source.count = *rng.choice(&[Count::Auto, Count::CheckoutAndInvoices, Count::PaymentIntents]).unwrap();
        source.order_ids = rng.bool();
    }
    rules
}

/// What a body says; none when it is no event at all.
fn interpret(stripe: &Stripe, body: &[u8]) -> Option<Interpreted> {
    let Ok(interpreted) = catch_unwind(AssertUnwindSafe(|| stripe.interpret(&Message::bare(body, at(0))))) else {
        panic!("interpretation panicked at {}", String::from_utf8_lossy(body))
    };
    let interpreted = interpreted.ok()?;
    if let Meaning::Statement(statement) = &interpreted.meaning {
        let amount = match &statement.claim {
            Claim::Paid(paid) => Some(paid.amount),
            Claim::AttemptFailed(attempt) => attempt.amount,
            Claim::Refund(step) => Some(step.amount),
            Claim::Dispute(step) => Some(step.amount),
            Claim::Subscription(step) => step.terms.price,
            Claim::Nothing | Claim::Booking(_) | Claim::Happened(_) => None,
        };
        assert!(amount.is_none_or(|amount| amount.minor >= 0 && amount.currency.is_known()), "{amount:?}");
    }
    Some(interpreted)
}

fn settle(store: &Store, writer: &Writer, now: Timestamp) {
    let due = store.reader().snapshot().unwrap().settled(now, 1000).unwrap();
    for (_, group) in due {
        assert_eq!(writer.run(Command::Settle(group)), Ok(Reply::Done), "{group}");
    }
}

/// A sample with anything in some places, or with some bytes that are no JSON at all.
fn odd_body(rng: &mut Rng, stripe: &Stripe, event: u64, seconds: u64) -> Vec<u8> {
    let event_type = rng.choice(SAMPLE_TYPES).unwrap();
    let (number, now) = (rng.u64(..BUYERS), at(seconds));
    let sample =
        stripe.sample(&SampleRequest { event_type, number, now, livemode: rng.u8(..8) > 0, endpoint: None }).unwrap();
    let mut told: Value = serde_json::from_slice(&sample.body).unwrap();
    if rng.u8(..10) > 0 {
        told["id"] = json!(format!("evt_{event}"));
    }
    for _ in 0..rng.u8(..7) {
        change_one_place(rng, &mut told);
    }
    let mut body = told.to_string().into_bytes();
    if rng.u8(..20) == 0 {
        for _ in 0..rng.u8(1..4) {
            let place = rng.usize(..body.len());
            body[place] = rng.u8(..);
        }
    }
    body
}

fn change_one_place(rng: &mut Rng, told: &mut Value) {
    let mut places = Vec::new();
    list_places(told, String::new(), &mut places);
    let other = told.pointer(rng.choice(&places).unwrap()).cloned().unwrap_or_default();
    let place = rng.choice(&places).unwrap().clone();
    let Some(value) = told.pointer_mut(&place) else { return };
    match (rng.u8(..5), &mut *value) {
        (0, Value::Object(fields)) => {
            let name = *rng.choice(&OLDER_NAMES).unwrap();
            fields.insert(name.to_owned(), any_value(rng, 3));
        }
        (1, Value::Object(fields)) => {
            let names: Vec<String> = fields.keys().cloned().collect();
            if let Some(name) = rng.choice(names) {
                fields.remove(&name);
            }
        }
        // What stands elsewhere: an id where a time should be, a whole object where an id should be.
        (2, _) => *value = other,
        (3, Value::Number(number)) => {
            let near = number.as_i64().unwrap_or_default().saturating_add(rng.i64(-3..4));
            *value = json!(near);
        }
        // The whole event, or all that it tells of, seldom.
        _ if place.matches('/').count() < 3 && rng.u8(..10) > 0 => {}
        _ => *value = any_value(rng, 4),
    }
}

fn list_places(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                list_places(inner, format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), places);
            }
        }
        Value::Array(items) => {
            for (number, inner) in items.iter().enumerate() {
                list_places(inner, format!("{at}/{number}"), places);
            }
        }
        _ => {}
    }
    places.push(at);
}

fn any_value(rng: &mut Rng, depth: u8) -> Value {
    match rng.u8(..if depth == 0 { 7 } else { 9 }) {
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 => json!(rng.i64(-5..100_000)),
        3 => json!(*rng.choice(&[i64::MIN, i64::MAX, i64::MAX - 1, -1, 0, 1_790_000_100, 253_402_300_800]).unwrap()),
        4 => json!(u64::MAX - rng.u64(..3)),
        5 => json!(rng.f64() * 1e6),
        6 => json!(rng.choice(&TEXTS).unwrap()),
        7 => Value::Array((0..rng.usize(..4)).map(|_| any_value(rng, depth - 1)).collect()),
        _ => {
            let names = ["id", "data", "object", "amount", "metadata", "lead_id", "price", "status"];
            let fields = (0..rng.usize(..4)).map(|_| {
                let name = if rng.bool() { *rng.choice(&OLDER_NAMES).unwrap() } else { *rng.choice(&names).unwrap() };
                (name.to_owned(), any_value(rng, depth - 1))
            });
            Value::Object(fields.collect())
        }
    }
}
