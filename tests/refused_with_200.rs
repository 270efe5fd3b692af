//! A sender that must not see an error is answered 200 to what is refused, so what it sent is kept until a person has mended the
//! cause, and is counted then.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use support::daemon::{Daemon, Home, Sandboxes, Settings};
use support::events::{self, SECRET, event, session};
use support::{http, wait_for};

/// The secret of the endpoint, which the configuration lacks at first.
const ROLLED: &str = "whsec_rolled_0123456789abcdef0123456789abcdef";

fn home(sandboxes: &Sandboxes, settings: &Settings) -> Home {
    let home = Home::new(sandboxes, settings);
    change(&home, "kind = \"stripe\"", "kind = \"stripe\"\nrespond = \"always_200\"");
    home
}

fn change(home: &Home, from: &str, to: &str) {
    let text = std::fs::read_to_string(home.config()).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(home.config(), text.replacen(from, to, 1)).unwrap();
}

fn post(daemon: &Daemon, secret: &str, body: &[u8]) -> http::Answer {
    let header = events::signature(secret, events::now(), body);
    let headers = [("stripe-signature".to_owned(), header), ("authorization".to_owned(), "Bearer t0ken".to_owned())];
    http::send(daemon.address, "POST", "/api/webhooks/stripe", &headers, body).expect("an answer")
}

fn sale(number: u64) -> Vec<u8> {
    event(&format!("evt_{number}"), "checkout.session.completed", session(number, 100))
}

fn exit_code(home: &Home, arguments: &[&str]) -> (Option<i32>, String) {
    let output = home.command(arguments);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn what_was_refused_with_200_is_counted_once_the_secret_is_right() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, &Settings::default());
    let daemon = home.start();
    daemon.accept(&sale(9));
    for number in [1, 2] {
        let answer = post(&daemon, ROLLED, &sale(number));
        assert_eq!((answer.status, answer.json()["received"].as_bool()), (200, Some(false)), "{}", answer.body);
    }
    assert_eq!(post(&daemon, "whsec_forged_0123456789abcdef0123456789abcd", &sale(3)).status, 200);
    let alert = || {
        let alerts = sandboxes.alerts.alerts();
        alerts.into_iter().find(|alert| alert["event_type"] == "refused_with_200")
    };
    wait_for("an alert", || alert().is_some());
    assert_eq!(
        (&alert().unwrap()["destination"], &alert().unwrap()["requires_manual_review"]),
        (&json!("stripe"), &json!(true))
    );
    daemon.kill();

    let rows = home.rows(&["rejected", "list"]);
    assert_eq!(rows.len(), 3, "written before the answer, so it survives anything: {rows:?}");
    assert!(rows.iter().all(|row| row["kept"] == true), "{rows:?}");
    let shown = Value::from(rows).to_string();
    for secret in ["t0ken", "v1=", SECRET, "xample.com"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    let (code, text) = exit_code(&home, &["rejected", "retry", "--all"]);
    assert_eq!(code, Some(1), "none is genuine yet: {text}");
    assert!(text.contains("3 of 3 are still refused") && text.contains("no_matching_signature"), "{text}");

    change(&home, &format!("secrets = [\"{SECRET}\"]"), &format!("secrets = [\"{SECRET}\", \"{ROLLED}\"]"));
    let daemon = home.start();
    assert_eq!(home.rows(&["status"])[0]["sources"][0]["rejected_kept"], 3);
    let rehearsed = home.command(&["rejected", "retry", "--all", "--dry-run", "--json"]);
    assert_eq!(String::from_utf8_lossy(&rehearsed.stdout).matches("would_take_in").count(), 2);
    assert_eq!(home.rows(&["status"])[0]["events"], 1, "only rehearsed");

    let (code, text) = exit_code(&home, &["rejected", "retry", "--all"]);
    assert_eq!(code, Some(1), "the forged one is told of: {text}");
    assert!(text.contains("(evt_1): accepted") && text.contains("(evt_2): accepted"), "{text}");
    assert!(text.contains("1 of 3 are still refused"), "{text}");
    wait_for("the deliveries", || home.deliveries("delivered") == 9);
    assert_eq!(sandboxes.ga4.report().counted("purchase").count(), 3, "each sale once");
    assert_eq!(daemon.post(&sale(1)).json()["status"], "duplicate", "and it is known by its id from now on");
    let left = home.rows(&["rejected", "list"]);
    assert_eq!(left.len(), 1, "{left:?}");
    let id = left[0]["id"].as_str().unwrap();
    assert_eq!(exit_code(&home, &["rejected", "erase", id]), (Some(0), format!("{id} is erased\n")));
    assert!(home.rows(&["rejected", "list"]).is_empty());
    assert_eq!(home.rows(&["status"])[0]["ok"], true);
}

#[test]
fn a_signature_over_the_whole_address_is_verified_later_with_the_whole_query() {
    let source = |secret: &str| {
        format!(
            "[sources.square]\nkind = \"hmac\"\npreset = \"square\"\nsecrets = [\"{secret}\"]\nrespond = \"always_200\"\ncounts_sales = false\n"
        )
    };
    let sandboxes = Sandboxes::start();
    let more = format!("{}{}", source("the_wrong_key_0123456789"), Settings::default().more);
    let server = "public_url = \"https://hooks.example.com\"";
    let home = Home::new(&sandboxes, &Settings { more, server, ..Settings::default() });
    let daemon = home.start();
    let path = "/api/webhooks/square?shop=n%C2%B07&event=ping&key=pr1vate";
    let body = json!({"merchant_id": "6SS", "type": "payment.updated", "event_id": "6a8f5f28"}).to_string();
    let mut mac = <Hmac<Sha256>>::new_from_slice(ROLLED.as_bytes()).unwrap();
    mac.update(format!("https://hooks.example.com{path}{body}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    let headers = [("x-square-hmacsha256-signature".to_owned(), signature)];
    let answer = http::send(daemon.address, "POST", path, &headers, body.as_bytes()).unwrap();
    assert_eq!((answer.status, answer.json()["received"].as_bool()), (200, Some(false)), "{}", answer.body);
    let listed = Value::from(home.rows(&["rejected", "list"])).to_string();
    let (code, said) = exit_code(&home, &["rejected", "retry", "--all"]);
    assert_eq!(code, Some(1), "{said}");
    for text in [&listed, &said, &daemon.log()] {
        assert!(!text.contains("pr1vate"), "a query is nobody's business: {text}");
    }
    change(&home, "the_wrong_key_0123456789", ROLLED);
    daemon.kill();
    let _daemon = home.start();
    let (code, said) = exit_code(&home, &["rejected", "retry", "--all"]);
    assert!(code == Some(0) && said.contains("(6a8f5f28)"), "{said}");
}

#[test]
fn other_sources_keep_no_bodies() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    assert_eq!(post(&daemon, ROLLED, &sale(1)).status, 400);
    let rows = home.rows(&["rejected", "list"]);
    assert_eq!((rows.len(), &rows[0]["kept"]), (1, &json!(false)));
    let (code, text) = exit_code(&home, &["rejected", "retry", "r1"]);
    assert!(code == Some(1) && text.contains("always_200"), "{text}");
}

#[test]
fn what_can_not_be_kept_is_not_answered_200() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, &Settings { store: "reserve = \"8000000GiB\"", ..Settings::default() });
    let daemon = home.start();
    let answer = post(&daemon, ROLLED, &sale(1));
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.header("retry-after").is_some());
    let large = vec![b'x'; (1 << 20) + 1];
    assert_ne!(post(&daemon, ROLLED, &large).status, 200);
    assert_eq!(http::send(daemon.address, "PUT", "/api/webhooks/stripe", &[], b"{}").unwrap().status, 405);
}
