//! Acknowledged events a second over real sockets: the whole program in this process, 64 keep-alive connections, freshly signed
//! and distinct Stripe events of 2 KiB, three paused destinations, default settings.
//!
//! `cargo bench --bench load -- [--json] [--events N] [--rate R] [--connections C]`. Compare with `--bench bare_redb` in the same
//! run; a bare number says little about another machine.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use tallyhook::app::{App, Parts};
use tallyhook::config::Config;
use tallyhook::http::admin::Operator;

const SECRET: &str = "whsec_load_0123456789abcdef0123456789abcdef";

/// A payment intent as Stripe describes it today, about 2 KiB.
const TEMPLATE: &str = r#"{"id":"evt_bench{N}","object":"event","api_version":"2026-01-28.clover","created":{NOW},"data":{"object":{"id":"pi_bench{N}","object":"payment_intent","amount":9900,"amount_capturable":0,"amount_details":{"tip":{}},"amount_received":9900,"application":null,"application_fee_amount":null,"automatic_payment_methods":{"allow_redirects":"always","enabled":true},"canceled_at":null,"cancellation_reason":null,"capture_method":"automatic_async","client_secret":"pi_bench{N}_secret_none","confirmation_method":"automatic","created":{NOW},"currency":"eur","customer":"cus_bench{N}","description":null,"last_payment_error":null,"latest_charge":"ch_bench{N}","livemode":true,"metadata":{"lead_id":"lead-{N}","user_id":"user-{N}","pricing_tier":"standard","utm_source":"newsletter","utm_campaign":"spring"},"next_action":null,"on_behalf_of":null,"payment_method":"pm_bench{N}","payment_method_configuration_details":null,"payment_method_options":{"card":{"installments":null,"mandate_options":null,"network":null,"request_three_d_secure":"automatic"}},"payment_method_types":["card"],"processing":null,"receipt_email":"buyer{N}@example.com","review":null,"setup_future_usage":null,"shipping":null,"source":null,"statement_descriptor":null,"statement_descriptor_suffix":null,"status":"succeeded","transfer_data":null,"transfer_group":null}},"livemode":true,"pending_webhooks":1,"request":{"id":"req_{N}","idempotency_key":"key-{N}"},"type":"payment_intent.succeeded"}"#;

fn argument(name: &str, default: u64) -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).and_then(|value| value.parse().ok()).unwrap_or(default)
}

fn start(folder: &std::path::Path) -> App {
    let file = folder.join("tallyhook.toml");
    let text = format!(
        r#"
[server]
listen = "127.0.0.1:0"
tls = {{ mode = "off" }}
[admin]
socket = "{0}/admin.sock"
[store]
path = "{0}/store.redb"
[log]
level = "warn"
[sources.stripe]
kind = "stripe"
secrets = ["{SECRET}"]
[destinations.ga4]
kind = "ga4"
measurement_id = "G-BENCH12345"
api_secret = "bench_secret_value"
endpoint = "http://127.0.0.1:9"
[destinations.crm]
kind = "rest"
base_url = "http://127.0.0.1:9/api"
api_key = "bench_key_value"
[destinations.mailerlite]
kind = "mailerlite"
api_key = "bench_key_value_2"
endpoint = "http://127.0.0.1:9"
groups = {{ standard = "1" }}
"#,
        folder.display()
    );
    std::fs::write(&file, text).unwrap();
    let nothing = std::collections::BTreeMap::<String, String>::new();
    let config = Config::load(Some(&file), &nothing).unwrap_or_else(|problems| panic!("{problems}"));
    tallyhook::telemetry::init(&config.log).unwrap();
    let app = App::start(config, Parts::default()).unwrap();
    for name in ["ga4", "crm", "mailerlite"] {
        let desk = app.desk();
        let request = serde_json::json!({"command": "destinations.pause", "name": name});
        Operator::handle(&desk, request).unwrap().for_each(drop);
    }
    app
}

fn request(number: u64, host: SocketAddr) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
    let body = TEMPLATE.replace("{N}", &format!("{number:010}")).replace("{NOW}", &now);
    let mut mac = <Hmac<Sha256>>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(now.as_bytes());
    mac.update(b".");
    mac.update(body.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    format!(
        "POST /api/webhooks/stripe HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         stripe-signature: t={now},v1={signature}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Reads one answer and returns its status; every answer of ours carries its length.
fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> u16 {
    buffer.clear();
    let mut chunk = [0; 2048];
    loop {
        let read = stream.read(&mut chunk).unwrap();
        assert!(read > 0, "the server hung up");
        buffer.extend_from_slice(&chunk[..read]);
        let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&buffer[..head]).to_ascii_lowercase();
        let length = text.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).unwrap();
        if buffer.len() >= head + 4 + length.parse::<usize>().unwrap() {
            return text[9..12].parse().unwrap();
        }
    }
}

fn run(host: SocketAddr, first: u64, events: u64, connections: u64, rate: u64) -> (Duration, Vec<Duration>) {
    let next = Arc::new(AtomicU64::new(0));
    let begin = Instant::now();
    let clients: Vec<_> = (0..connections)
        .map(|_| {
            let next = Arc::clone(&next);
            thread::spawn(move || {
                let mut stream = TcpStream::connect(host).unwrap();
                stream.set_nodelay(true).unwrap();
                let (mut buffer, mut latencies) = (Vec::new(), Vec::new());
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= events {
                        return latencies;
                    }
                    let mut due = Instant::now();
                    if rate > 0 {
                        due = begin + Duration::from_secs_f64(number as f64 / rate as f64);
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                    }
                    stream.write_all(&request(first + number, host)).unwrap();
                    assert_eq!(answer(&mut stream, &mut buffer), 200);
                    latencies.push(due.elapsed());
                }
            })
        })
        .collect();
    let latencies = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    (begin.elapsed(), latencies)
}

fn print(what: &str, took: Duration, mut latencies: Vec<Duration>, json: bool) {
    latencies.sort();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    let (per_s, p50, p99) = (latencies.len() as f64 / took.as_secs_f64(), at(0.5), at(0.99));
    if json {
        println!(r#"{{"per_s":{per_s:.0},"p50_ms":{p50:.3},"p99_ms":{p99:.3}}}"#);
    } else {
        println!("acknowledged over sockets, {what}: {per_s:.0}/s, p50 {p50:.2} ms, p99 {p99:.2} ms");
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let short = arguments.iter().any(|argument| argument == "--test");
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let app = start(folder.path());
    let host = app.public_address();
    let events = argument("--events", if short { 100 } else { 40_000 });
    let connections = argument("--connections", 64);
    let (took, latencies) = run(host, 0, events, connections, 0);
    print(&format!("{connections} connections"), took, latencies, json);
    let rate = argument("--rate", 300);
    let (took, latencies) = run(host, events, if short { 30 } else { 10 * rate }, 16, rate);
    print(&format!("{rate} a second"), took, latencies, json);
    app.stop();
}
