//! A webhook of the user's own, from a payment to the signed request at the other end.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use support::daemon::{Home, Sandboxes, Settings};
use support::events::{event, now, session};
use support::wait_for;
use tallyhook::demo::http_server::Answer;
use tallyhook::demo::sandbox::{Call, Fault, Recorded, Sandbox, Served, Service};
use tallyhook::platform::clock::SystemClock;

/// The bytes 0 to 23.
const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

/// The user's program: takes everything.
struct Orders;

impl Service for Orders {
    fn serve(&self, _: &Call<'_>) -> Served {
        Answer::empty(204).into()
    }
}

/// As a receiver verifies by the specification of Standard Webhooks.
fn verifies(request: &Recorded) -> bool {
    let (id, timestamp) = (request.header("webhook-id").unwrap(), request.header("webhook-timestamp").unwrap());
    let key: Vec<u8> = (0..24).collect();
    let mut mac = <Hmac<Sha256>>::new_from_slice(&key).unwrap();
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(&request.body);
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    let age = now() - timestamp.parse::<i64>().unwrap();
    request.header("webhook-signature") == Some(&expected) && (0..300).contains(&age)
}

#[test]
fn a_signed_event_arrives_and_a_repeat_is_known_by_its_id() {
    let orders = Sandbox::start(Orders, Arc::new(SystemClock)).unwrap();
    orders.script([Fault::status(500)]);
    let sandboxes = Sandboxes::start();
    let more = format!(
        "[destinations.orders]\nkind = \"webhook\"\nurl = \"{}/hooks/t0ken-of-the-hook?key=k3y\"\nsecret = \"{SECRET}\"\n\
         schedule = [\"0s\", \"100ms\", \"100ms\"]\n{}",
        orders.origin(),
        Settings::default().more
    );
    let home = Home::new(&sandboxes, &Settings { more, ..Settings::default() });
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9901)));
    wait_for("every delivery", || home.deliveries("delivered") == 4);

    let requests = orders.requests();
    assert_eq!(requests.iter().map(|request| request.status).collect::<Vec<_>>(), [Some(500), Some(204)]);
    for request in &requests {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/hooks/t0ken-of-the-hook"));
        assert_eq!((request.query.as_str(), request.header("content-type")), ("key=k3y", Some("application/json")));
        assert!(verifies(request), "{request:?}");
    }
    assert_eq!(requests[0].header("webhook-id"), requests[1].header("webhook-id"));
    assert_eq!(requests[0].body, requests[1].body);
    let told = requests[1].json();
    assert_eq!((told["type"].as_str(), told["livemode"].as_bool()), (Some("purchase"), Some(true)));
    assert_eq!(told["id"].as_str(), requests[1].header("webhook-id"));
    let data = &told["data"];
    assert_eq!((&data["value"], data["currency"].as_str()), (&serde_json::json!(99.01), Some("EUR")));
    assert_eq!(
        (data["transaction_id"].as_str(), data["contact"]["stage"].as_str()),
        (Some("pi_000001"), Some("customer"))
    );
    assert!(!told.to_string().to_lowercase().contains("buyer"), "personal data was not asked for: {told}");

    // What is shown of it afterwards.
    let id = home.rows(&["deliveries", "list", "--destination", "orders"])[0]["id"].as_str().unwrap().to_owned();
    let shown = home.rows(&["deliveries", "show", &id])[0].to_string();
    let previewed = home.rows(&["destinations", "preview", "evt_1", "--destination", "orders"]);
    let signature = requests[1].header("webhook-signature").unwrap();
    for text in [&shown, &previewed[0].to_string(), &daemon.log()] {
        for secret in ["t0ken", "k3y", "AAECAw", signature] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
    assert_eq!((previewed.len(), previewed[0]["result"].as_str()), (1, Some("would_send")));
    assert_eq!(previewed[0]["requests"][0]["headers"]["webhook-id"].as_str(), requests[1].header("webhook-id"));
    let page = home.command(&["destinations", "preview", "b1"]);
    let page = String::from_utf8(page.stdout).unwrap();
    for part in
        ["b1 purchase to ga4 (ga4): would be sent (b1.", "to orders (webhook): would be sent", "> webhook-id: msg_b1_"]
    {
        assert!(page.contains(part), "{part} in {page}");
    }

    // Without a daemon the store's file answers the same.
    assert_eq!(daemon.stop(), 0);
    let offline = home.rows(&["destinations", "preview", "w1", "--destination", "orders"]);
    assert_eq!(offline[0]["requests"][0]["request"], previewed[0]["requests"][0]["request"]);
}

#[test]
fn a_receiver_that_is_gone_for_good_holds_the_destination() {
    let orders = Sandbox::start(Orders, Arc::new(SystemClock)).unwrap();
    orders.always(Some(Fault::status(410)));
    let sandboxes = Sandboxes::start();
    let more = format!(
        "[destinations.orders]\nkind = \"webhook\"\nurl = \"{}\"\nsecret = \"{SECRET}\"\n{}",
        orders.origin(),
        Settings::default().more
    );
    let home = Home::new(&sandboxes, &Settings { more, ..Settings::default() });
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 100)));
    let row = || home.rows(&["destinations", "list", "--destination", "orders"]).remove(0);
    wait_for("the hold", || row()["state"] == "held");
    let reason = row()["held"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("410") && reason.contains("`url`"), "{reason}");
    assert_eq!((row()["pending"].as_u64(), row()["failed"].as_u64()), (Some(1), Some(0)));
    orders.always(None);
    home.rows(&["destinations", "resume", "orders"]);
    wait_for("the delivery", || row()["delivered"] == 1);
}

/// The destination `orders` at an address.
fn settings(url: &str, keys: &str) -> Settings {
    let more = format!(
        "[destinations.orders]\nkind = \"webhook\"\nurl = \"{url}\"\nsecret = \"{SECRET}\"\n\
         schedule = [\"0s\", \"100ms\", \"100ms\"]\n{keys}{}",
        Settings::default().more
    );
    Settings { more, ..Settings::default() }
}

/// Standard Webhooks: the id identifies the message, and stays the same when it is sent again, for whatever reason.
#[test]
fn the_id_outlives_a_crash_and_a_retry_by_a_person() {
    let orders = Sandbox::start(Orders, Arc::new(SystemClock)).unwrap();
    orders.script([Fault::status(503), Fault::status(400)]);
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &settings(&orders.origin(), ""));
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    wait_for("the refusal", || home.deliveries("failed") == 1);
    daemon.kill();
    let daemon = home.start();
    let failed = home.rows(&["failed", "list"]).remove(0);
    home.rows(&["failed", "retry", failed["id"].as_str().unwrap()]);
    wait_for("the delivery", || home.deliveries("failed") == 0 && home.deliveries("pending") == 0);
    daemon.accept(&event("evt_2", "checkout.session.completed", session(2, 9900)));
    wait_for("the other sale", || orders.count() == 4);

    let requests = orders.requests();
    assert!(requests.iter().all(verifies), "each is signed for its own time: {requests:?}");
    let ids: Vec<_> = requests.iter().map(|request| request.header("webhook-id").unwrap()).collect();
    assert_eq!((ids[0], ids[1]), (ids[1], ids[2]));
    assert_ne!(ids[2], ids[3], "another message");
    assert!(ids.iter().all(|id| !id.contains('.')), "the signature is over id.timestamp.body: {ids:?}");
}

#[test]
fn a_redirect_is_not_followed_and_holds_the_destination() {
    let orders = Sandbox::start(Orders, Arc::new(SystemClock)).unwrap();
    let elsewhere = Sandbox::start(Orders, Arc::new(SystemClock)).unwrap();
    orders.always(Some(Fault::Redirect(format!("{}/secret-place", elsewhere.origin()))));
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &settings(&orders.origin(), ""));
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    let row = || home.rows(&["destinations", "list", "--destination", "orders"]).remove(0);
    wait_for("the hold", || row()["state"] == "held");
    let reason = row()["held"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("redirects are not followed; set `url` to the final address"), "{reason}");
    assert_eq!(elsewhere.count(), 0);
    home.configure(&sandboxes, &settings(&elsewhere.origin(), ""));
    daemon.signal(rustix::process::Signal::HUP);
    wait_for("the delivery by itself", || row()["delivered"] == 1);
    assert_eq!(elsewhere.count(), 1);
}

#[test]
fn addresses_inside_the_own_network_take_permission() {
    let sandboxes = Sandboxes::start();
    for url in [
        "https://10.0.0.7/hook",
        "https://169.254.169.254/latest",
        "https://[fd00::7]/hook",
        "https://[::ffff:10.0.0.7]/",
    ] {
        let home = Home::new(&sandboxes, &settings(url, ""));
        let refused = home.command(&["check"]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned() + &String::from_utf8_lossy(&refused.stdout);
        assert_eq!(refused.status.code(), Some(2), "{url}: {said}");
        assert!(said.contains("destinations.orders.url: is a private address") && !said.contains("/hook"), "{said}");
        home.configure(&sandboxes, &settings(url, "allow_private_addresses = true\n"));
        assert!(home.command(&["check"]).status.success(), "{url}");
    }
}
