//! What a request costs before it reaches the writer: the signature, against the HMAC alone, and the meaning of a body.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use std::hint::black_box;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use tallyhook::model::envelope::Envelope;
use tallyhook::model::secret::Secret;
use tallyhook::model::statement::Meaning;
use tallyhook::model::time::Timestamp;
use tallyhook::sources::hmac::{self as senders, Hmac as Sender, meaning::presets, preset::preset};
use tallyhook::sources::stripe::{MetadataKeys, Settings, Stripe};
use tallyhook::sources::{Headers, Message, Request, SampleRequest, Source};

const SECRET: &str = "whsec_bench_0123456789abcdef0123456789";
const NOW: i64 = 1_790_000_000;

struct OneHeader(String);

impl Headers for OneHeader {
    fn values(&self, name: &str) -> Vec<&[u8]> {
        if name.eq_ignore_ascii_case("stripe-signature") { vec![self.0.as_bytes()] } else { Vec::new() }
    }
}

fn stripe() -> Stripe {
    let metadata = MetadataKeys::default();
    Stripe::new(Settings { secrets: vec![Secret::new(SECRET)], tolerance: Duration::from_secs(300), metadata })
}

fn hmac(body: &[u8]) -> [u8; 32] {
    mac(&[&time(), b".", body])
}

fn signature(criterion: &mut Criterion) {
    let source = stripe();
    for size in [2048, 65_536] {
        let body = vec![b'x'; size];
        let header = OneHeader(format!("t={NOW},v1={}", hex::encode(hmac(&body))));
        let request = Request::post(&header, &body, Timestamp::from_unix_seconds(NOW));
        source.verify(&request).unwrap();
        let mut group = criterion.benchmark_group(format!("verify {size} bytes"));
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function("the HMAC alone", |bencher| bencher.iter(|| hmac(black_box(&body))));
        group.bench_function("stripe", |bencher| bencher.iter(|| source.verify(black_box(&request))));
        group.finish();
    }
}

/// A sender of the other engine, with the meaning of its preset.
fn shop(name: &'static str) -> Sender {
    Sender::new(senders::Settings {
        provider: name.to_owned(),
        preset: Some(name),
        scheme: preset(name).unwrap(),
        secrets: vec![Secret::new(SECRET)],
        account: "shop".to_owned(),
        is_test: false,
        meaning: presets::meaning(name),
    })
}

/// Every sender's way from the request to its meaning over a body of 2 KiB, beside the HMAC alone over the same bytes.
fn senders_of_two_kib(criterion: &mut Criterion) {
    let now = Timestamp::from_unix_seconds(NOW);
    for name in ["paddle", "shopify", "calendly"] {
        let source = shop(name);
        let event_type = source.sample_types()[0];
        let endpoint = Some("https://hooks.example.com/api/webhooks/shop");
        let wanted = SampleRequest { event_type, number: 1, now, livemode: true, endpoint };
        let sample = source.sample(&wanted).unwrap();
        let mut body: serde_json::Value = serde_json::from_slice(&sample.body).unwrap();
        body["padding"] = "x".repeat(2048 - sample.body.len() - 13).into();
        let body = body.to_string().into_bytes();
        assert_eq!(body.len(), 2048);
        let (headers, time) = match name {
            "paddle" => {
                (vec![("paddle-signature", format!("ts={NOW};h1={}", hex::encode(mac(&[&time(), b":", &body]))))], ":")
            }
            "calendly" => (
                vec![(
                    "calendly-webhook-signature",
                    format!("t={NOW},v1={}", hex::encode(mac(&[&time(), b".", &body]))),
                )],
                ".",
            ),
            _ => {
                let signature = STANDARD.encode(mac(&[&body]));
                let topic = ("x-shopify-topic", event_type.to_owned());
                (vec![("x-shopify-hmac-sha256", signature), topic, ("x-shopify-webhook-id", "w1".to_owned())], "")
            }
        };
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.into_bytes())).collect();
        let envelope = Envelope { headers, event: None };
        let request = Request { endpoint, ..Request::post(&envelope, &body, now) };
        let message = Message { envelope: &envelope, body: &body, received_at: now };
        source.verify(&request).unwrap();
        assert!(matches!(source.interpret(&message).unwrap().meaning, Meaning::Statement(_)));
        let mut group = criterion.benchmark_group(format!("{name}, 2048 bytes"));
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("the HMAC alone", |bencher| {
            let before = self::time();
            let parts: [&[u8]; 3] = if time.is_empty() { [b"", b"", &body] } else { [&before, time.as_bytes(), &body] };
            bencher.iter(|| mac(black_box(&parts)))
        });
        group.bench_function("verify", |bencher| bencher.iter(|| source.verify(black_box(&request))));
        group.bench_function("verify and interpret", |bencher| {
            bencher.iter(|| (source.verify(black_box(&request)), source.interpret(black_box(&message)).unwrap()))
        });
        group.finish();
    }
}

fn time() -> Vec<u8> {
    NOW.to_string().into_bytes()
}

fn mac(parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = <Hmac<Sha256>>::new_from_slice(SECRET.as_bytes()).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn meaning(criterion: &mut Criterion) {
    let source = stripe();
    let sample = |event_type| {
        let wanted = SampleRequest {
            event_type,
            number: 1,
            now: Timestamp::from_unix_seconds(NOW),
            livemode: true,
            endpoint: None,
        };
        source.sample(&wanted).unwrap().body
    };
    let checkout = sample("checkout.session.completed");
    let mut group = criterion.benchmark_group("a Checkout event");
    group.throughput(Throughput::Bytes(checkout.len() as u64));
    group.bench_function("interpret", |bencher| {
        bencher
            .iter(|| source.interpret(black_box(&Message::bare(&checkout, Timestamp::from_unix_seconds(NOW)))).unwrap())
    });
    group.bench_function("pack", |bencher| bencher.iter(|| tallyhook::store::body::compress(black_box(&checkout))));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = signature, meaning, senders_of_two_kib
}
criterion_main!(benches);
