//! What a destination that hangs costs the others: the time from Stripe's 200 to the arrival at two sandboxes, with a third one that
//! answers, and with a third one that never does.
//!
//! `cargo bench --bench hanging -- [--json] [--events N] [--rate R]`; three deliveries an event.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use tallyhook::app::{App, Parts};
use tallyhook::config::Config;
use tallyhook::demo::sandbox::{CrmSandbox, Fault, Ga4Sandbox, MailerLiteSandbox, Recorded, Sandbox};

const SECRET: &str = "whsec_hanging_0123456789abcdef0123456789";
/// Longer than any request is waited for.
const FOR_EVER: Duration = Duration::from_secs(600);

fn argument(name: &str, default: u64) -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1).and_then(|value| value.parse().ok()).unwrap_or(default)
}

struct Three {
    ga4: Ga4Sandbox,
    crm: CrmSandbox,
    mailerlite: MailerLiteSandbox,
}

impl Three {
    fn start(events: u64) -> Self {
        let three = Self {
            ga4: Ga4Sandbox::start("G-HANGING123", "hanging_ga4_secret").unwrap(),
            crm: CrmSandbox::start("hanging_crm_key").unwrap(),
            mailerlite: MailerLiteSandbox::start("hanging_mailerlite_key", &["101"]).unwrap(),
        };
        for sandbox in [&*three.ga4, &three.crm, &three.mailerlite] as [&Sandbox; 3] {
            sandbox.remember(usize::try_from(events * 4).unwrap());
        }
        three
    }

    fn app(&self, folder: &std::path::Path) -> App {
        let file = folder.join("tallyhook.toml");
        let text = format!(
            r#"
[server]
listen = "127.0.0.1:0"
[admin]
socket = "{0}/admin.sock"
[store]
path = "{0}/store.redb"
[log]
level = "error"
[sources.stripe]
kind = "stripe"
secrets = ["{SECRET}"]
settle = "0s"
[destinations.ga4]
kind = "ga4"
measurement_id = "G-HANGING123"
api_secret = "hanging_ga4_secret"
endpoint = "{1}"
rate_limit = "off"
[destinations.crm]
kind = "rest"
base_url = "{2}"
api_key = "hanging_crm_key"
rate_limit = "off"
[destinations.mailerlite]
kind = "mailerlite"
api_key = "hanging_mailerlite_key"
endpoint = "{3}"
rate_limit = "off"
groups = {{ standard = "101" }}
"#,
            folder.display(),
            self.ga4.origin(),
            self.crm.base_url(),
            self.mailerlite.origin(),
        );
        std::fs::write(&file, text).unwrap();
        let nothing = BTreeMap::<String, String>::new();
        let config = Config::load(Some(&file), &nothing).unwrap_or_else(|problems| panic!("{problems}"));
        App::start(config, Parts::default()).unwrap()
    }
}

fn event(number: u64) -> (String, String) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let body = serde_json::json!({
        "id": format!("evt_hang{number:010}"), "object": "event", "api_version": "2026-01-28.clover", "created": now, "livemode": true,
        "type": "payment_intent.succeeded",
        "data": {"object": {
            "id": format!("pi_hang{number:010}"), "object": "payment_intent", "amount": 9900, "amount_received": 9900, "currency": "eur",
            "created": now, "livemode": true, "status": "succeeded", "customer": format!("cus_hang{number:010}"),
            "receipt_email": format!("hang{number:010}@example.com"), "metadata": {"lead_id": format!("lead-hang{number:010}")},
        }},
    })
    .to_string();
    let mut mac = <Hmac<Sha256>>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{now}.{body}").as_bytes());
    (format!("t={now},v1={}", hex::encode(mac.finalize().into_bytes())), body)
}

fn post(stream: &mut TcpStream, host: SocketAddr, number: u64) {
    let (signature, body) = event(number);
    let head = format!(
        "POST /api/webhooks/stripe HTTP/1.1\r\nhost: {host}\r\nstripe-signature: {signature}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = [0; 2048];
    let read = stream.read(&mut answer).unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..read]));
}

/// The event that a request is about.
fn number_of(request: &Recorded) -> Option<u64> {
    let body = String::from_utf8_lossy(&request.body);
    body.split("hang").nth(1)?.get(..10)?.parse().ok()
}

/// Sends on a fixed schedule; the time from each 200 to the last request about it, for each of the two.
fn run(events: u64, rate: u64, hangs: bool) -> [Vec<Duration>; 2] {
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
    let three = Three::start(events);
    if hangs {
        three.ga4.always(Some(Fault::Hang(FOR_EVER)));
    }
    let app = three.app(folder.path());
    let host = app.public_address();
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_nodelay(true).unwrap();
    let begin = Instant::now();
    let answered: Vec<Instant> = (0..events)
        .map(|number| {
            let due = begin + Duration::from_secs_f64(number as f64 / rate as f64);
            thread::sleep(due.saturating_duration_since(Instant::now()));
            post(&mut stream, host, number);
            Instant::now()
        })
        .collect();
    assert!(three.crm.wait_for(2 * events, Duration::from_secs(60)), "the CRM was not told of all");
    assert!(three.mailerlite.wait_for(events, Duration::from_secs(60)), "MailerLite was not told of all");
    let times = [&*three.crm, &three.mailerlite] as [&Sandbox; 2];
    let times = times.map(|sandbox| {
        let mut last: BTreeMap<u64, Instant> = BTreeMap::new();
        for request in sandbox.requests() {
            if let Some(number) = number_of(&request) {
                last.insert(number, request.instant);
            }
        }
        assert_eq!(last.len() as u64, events);
        last.into_iter().map(|(number, at)| at.saturating_duration_since(answered[number as usize])).collect()
    });
    app.stop();
    times
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let short = arguments.iter().any(|argument| argument == "--test");
    let events = argument("--events", if short { 30 } else { 3_334 });
    let rate = argument("--rate", 100);
    for hangs in [false, true] {
        let third = if hangs { "hangs" } else { "answers" };
        for (name, mut times) in ["crm", "mailerlite"].into_iter().zip(run(events, rate, hangs)) {
            times.sort();
            let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
            let (p50, p99) = (at(0.5), at(0.99));
            if json {
                println!(r#"{{"destination":"{name}","third":"{third}","p50_ms":{p50:.2},"p99_ms":{p99:.2}}}"#);
            } else {
                println!(
                    "{name}, while the third destination {third}: p50 {p50:.1} ms, p99 {p99:.1} ms after the answer"
                );
            }
        }
    }
}
