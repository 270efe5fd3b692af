//! What a request costs before it reaches the writer: the signature, against the HMAC alone, and the meaning of a body.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use tallyhook::model::secret::Secret;
use tallyhook::model::time::Timestamp;
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
    let mut mac = <Hmac<Sha256>>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(NOW.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().into()
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
    targets = signature, meaning
}
criterion_main!(benches);
