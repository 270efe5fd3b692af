//! The main job: a signed purchase in, GA4, the CRM and MailerLite told exactly once, whatever comes beside it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::daemon::{Home, Sandboxes, Settings};
use support::events::{self, charge, event, event_at, intent, refund, session};
use support::{PATIENCE, http, wait_for};

/// All three destinations have what is pending for them.
fn settle_down(home: &Home) {
    wait_for("every delivery to end", || home.deliveries("pending") == 0);
}

#[test]
fn one_purchase_told_by_many_events_reaches_every_destination_once() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    let told = [
        event("evt_charge_1", "charge.succeeded", charge(1, 9900)),
        event("evt_intent_1", "payment_intent.succeeded", intent(1, 9900)),
        event("evt_session_1", "checkout.session.completed", session(1, 9900)),
    ];
    for body in &told {
        daemon.accept(body);
    }
    for body in &told {
        let answer = daemon.post(body);
        assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("duplicate")));
    }
    assert!(sandboxes.ga4.wait_for(1, PATIENCE), "{}", daemon.log());
    settle_down(&home);

    let report = sandboxes.ga4.report();
    let purchases: Vec<_> = report.counted("purchase").collect();
    assert_eq!(purchases.len(), 1, "{report:?}");
    assert_eq!(purchases[0].transaction_id.as_deref(), Some("pi_000001"));
    assert_eq!(purchases[0].amount.unwrap().minor, 9900);
    assert_eq!(purchases[0].client_id, "1234560001.1747132561");
    assert_eq!((report.events.len(), report.dropped), (1, 0), "nothing else, and nothing that GA4 would drop");

    let contacts = sandboxes.crm.contacts();
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    let fields = &contacts[0].fields;
    assert_eq!(fields["external_id"], "lead-000001");
    assert_eq!(fields["email"], "buyer1@example.com");
    assert_eq!(fields["total_spent"], 99);
    assert_eq!(fields["last_transaction_id"], "pi_000001");
    assert_eq!(fields["lifecycle_stage"], "customer");

    let subscribers = sandboxes.mailerlite.subscribers();
    assert_eq!(subscribers.len(), 1, "{subscribers:?}");
    assert_eq!(subscribers[0].email, "buyer1@example.com");
    assert!(subscribers[0].groups.contains("102"), "the premium group: {:?}", subscribers[0].groups);

    let events = home.rows(&["events", "list"]);
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|row| row["status"] == "accepted" && row["business_events"][0]["kind"] == "purchase"));
    assert!(!daemon.log().contains('@'), "no personal data in logs:\n{}", daemon.log());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_refund_follows_its_sale_and_is_told_once() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    // The refund comes first: it waits for its sale.
    daemon.accept(&event("evt_re_c", "refund.created", refund(2, 1, 2500, "pending")));
    daemon.accept(&event("evt_cs", "checkout.session.completed", session(2, 9900)));
    daemon.accept(&event("evt_re_u", "refund.updated", refund(2, 1, 2500, "succeeded")));
    let mut refunded = charge(2, 9900);
    refunded["amount_refunded"] = 2500.into();
    daemon.accept(&event("evt_ch_r", "charge.refunded", refunded));
    settle_down(&home);
    let report = sandboxes.ga4.report();
    let refunds: Vec<_> = report.counted("refund").collect();
    assert_eq!(refunds.len(), 1, "{report:?}");
    assert_eq!((refunds[0].transaction_id.as_deref(), refunds[0].amount.unwrap().minor), (Some("pi_000002"), 2500));
    wait_for("the total at the CRM", || sandboxes.crm.contacts()[0].fields["total_spent"] == 74);
    assert_eq!(home.rows(&["status"])[0]["deliveries"]["failed"], 0);
}

#[test]
fn an_intent_alone_is_a_sale_after_it_settled() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    daemon.accept(&event("evt_pi", "payment_intent.succeeded", intent(3, 4990)));
    settle_down(&home);
    let report = sandboxes.ga4.report();
    let purchase = report.counted("purchase").next().expect("a purchase");
    assert_eq!(purchase.transaction_id.as_deref(), Some("pi_000003"));
    assert_eq!(purchase.amount.unwrap().minor, 4990);
}

#[test]
fn test_mode_never_reaches_a_live_destination() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    daemon.accept(&event_at("evt_t", "checkout.session.completed", session(4, 9900), events::now(), false));
    daemon.accept(&event("evt_l", "checkout.session.completed", session(5, 100)));
    settle_down(&home);
    assert_eq!(sandboxes.ga4.report().counted("purchase").count(), 1);
    assert_eq!(sandboxes.crm.contacts().len(), 1);
    assert_eq!(sandboxes.mailerlite.subscribers().len(), 1);
    let suppressed = home.rows(&["deliveries", "list", "--state", "suppressed"]);
    assert_eq!(suppressed.len(), 3);
    assert!(suppressed.iter().all(|row| row["reason"].as_str().unwrap().contains("test_mode")), "{suppressed:?}");
}

#[test]
fn what_was_acknowledged_is_delivered_after_a_crash() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings { settle: "2s", ..Settings::default() });
    let daemon = home.start();
    for n in 10..20 {
        daemon.accept(&event(&format!("evt_{n}"), "payment_intent.succeeded", intent(n, 1000)));
    }
    daemon.kill();
    assert_eq!(home.rows(&["events", "list"]).len(), 10, "the file answers without a daemon");
    let daemon = home.start();
    settle_down(&home);
    assert_eq!(sandboxes.ga4.report().counted("purchase").count(), 10);
    assert_eq!(sandboxes.crm.contacts().len(), 10);
    let answer = daemon.post(&event("evt_10", "payment_intent.succeeded", intent(10, 1000)));
    assert_eq!(answer.json()["status"], "duplicate", "marks outlive a crash");
}

#[test]
fn it_speaks_tls_and_takes_a_renewed_certificate() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (home.path().join("cert.pem"), home.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let text = std::fs::read_to_string(home.config()).unwrap();
    let tls = format!(
        "listen = \"127.0.0.1:0\"\ntls = {{ mode = \"files\", cert = \"{}\", key = \"{}\" }}",
        cert.display(),
        key.display()
    );
    std::fs::write(home.config(), text.replace("listen = \"127.0.0.1:0\"", &tls)).unwrap();
    let daemon = home.start();
    let plain = http::send(daemon.address, "GET", "/livez", &[], b"");
    assert!(plain.is_none_or(|answer| answer.status != 200), "nothing is answered without TLS");

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let mut session_keys = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut socket = http::connect(daemon.address).unwrap();
    let mut stream = rustls::Stream::new(&mut session_keys, &mut socket);
    let body = event("evt_tls", "checkout.session.completed", session(6, 9900));
    let header = ("stripe-signature".to_owned(), events::signature(events::SECRET, events::now(), &body));
    use std::io::{Read, Write};
    stream.write_all(&http::request("POST", "/api/webhooks/stripe", &[header], &body)).unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    settle_down(&home);
    assert_eq!(sandboxes.ga4.report().counted("purchase").count(), 1);
}
