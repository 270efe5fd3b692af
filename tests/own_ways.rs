//! Senders that sign in a way of their own (PayPal, Twilio, Mailgun), through the real binary: who is believed, what is answered, and
//! what it becomes.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use support::daemon::{Daemon, Home, Sandboxes, Settings};
use support::events::now;
use support::highlevel::at;
use support::http::{self, Answer};
use support::{paypal, wait_for};

const SECRET: &str = "secret-for-the-tests-0123";

type Fields = Vec<(String, String)>;

fn home(sandboxes: &Sandboxes, sources: &str) -> Home {
    let more = format!("{}{sources}", Settings::default().more);
    let text = Settings { more, server: "public_url = \"https://hooks.example.com\"", ..Settings::default() };
    let home = Home::new(sandboxes, &text);
    let config = std::fs::read_to_string(home.config()).unwrap();
    std::fs::write(home.config(), config.replace("kind = \"stripe\"", "kind = \"stripe\"\ncounts_sales = true"))
        .unwrap();
    home
}

fn post(daemon: &Daemon, source: &str, headers: &[(String, String)], body: &[u8]) -> Answer {
    http::send(daemon.address, "POST", &format!("/api/webhooks/{source}"), headers, body).expect("an answer")
}

fn told(answer: &Answer) -> (u16, String) {
    let body = answer.json();
    let word = body["status"].as_str().or(body["reason"].as_str()).or(body["error"].as_str()).unwrap_or_default();
    (answer.status, word.to_owned())
}

fn is(status: u16, word: &str) -> (u16, String) {
    (status, word.to_owned())
}

fn paypal_source(certificate: &str) -> String {
    format!(
        "[sources.paypal]\nkind = \"hmac\"\npreset = \"paypal\"\nwebhook_id = \"{}\"\nsecrets = [{certificate}]\ncounts_sales = true\n\
         settle = \"300ms\"\nsettle_late = \"300ms\"\n",
        paypal::WEBHOOK
    )
}

#[test]
fn paypals_first_refusal_says_where_its_certificate_is_and_then_its_sales_count() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, &paypal_source("\"unknown-yet\""));
    let daemon = home.start();
    let amount = |value: &str| json!({"currency_code": "EUR", "value": value});
    let capture = |status: &str| {
        json!({"id": "CAP1", "status": status, "amount": amount("99.90"), "final_capture": true,
            "supplementary_data": {"related_ids": {"order_id": "ORD1"}}})
    };
    let paid = paypal::event("WH-1", "PAYMENT.CAPTURE.COMPLETED", -20, capture("COMPLETED"));
    assert_eq!(told(&post(&daemon, "paypal", &paypal::signed(&paid, -1), &paid)), is(400, "no_matching_signature"));
    let refused = home.rows(&["rejected", "list"]);
    let verdict = refused[0]["verdict"].as_str().unwrap();
    assert!(verdict.contains(&format!("curl -fsS {}", paypal::ADDRESS)), "{verdict}");
    daemon.kill();

    // What the verdict says is done.
    let file = home.path().join("paypal.pem");
    std::fs::write(&file, paypal::CERTIFICATE).unwrap();
    let config = std::fs::read_to_string(home.config()).unwrap();
    let config = config.replace("\"unknown-yet\"", &format!("{{ file = {:?} }}", file.display().to_string()));
    std::fs::write(home.config(), config).unwrap();
    let daemon = home.start();
    let order = json!({"id": "ORD1", "status": "APPROVED", "payer": {"payer_id": "P1", "email_address": "Ada@Example.com",
        "name": {"given_name": "Ada", "surname": "Lovelace"}}});
    let order = paypal::event("WH-0", "CHECKOUT.ORDER.APPROVED", -30, order);
    let denied = paypal::event("WH-2", "PAYMENT.CAPTURE.DENIED", -40, {
        let mut denied = capture("DECLINED");
        denied["id"] = "CAP0".into();
        denied["supplementary_data"]["related_ids"]["order_id"] = "ORD0".into();
        denied
    });
    let refund = json!({"id": "REF1", "status": "COMPLETED", "amount": amount("20.00"), "links": [
        {"rel": "self", "href": "https://api.paypal.com/v2/payments/refunds/REF1"},
        {"rel": "up", "href": "https://api.paypal.com/v2/payments/captures/CAP1"}]});
    let refund = paypal::event("WH-3", "PAYMENT.CAPTURE.REFUNDED", -10, refund);
    for body in [&order, &paid, &denied, &refund] {
        assert_eq!(told(&post(&daemon, "paypal", &paypal::signed(body, -1), body)), is(200, "accepted"));
    }
    // Three days later with the signature of the first try, and too late.
    assert_eq!(told(&post(&daemon, "paypal", &paypal::signed(&paid, -3 * 86_400), &paid)), is(200, "duplicate"));
    assert_eq!(
        told(&post(&daemon, "paypal", &paypal::signed(&paid, -5 * 86_400), &paid)),
        is(400, "timestamp_too_old")
    );
    let mut more = paid.clone();
    let place = more.iter().position(|byte| *byte == b'9').unwrap();
    more[place] = b'8';
    assert_eq!(told(&post(&daemon, "paypal", &paypal::signed(&paid, -1), &more)), is(400, "no_matching_signature"));
    assert_eq!(told(&post(&daemon, "paypal", &[], &paid)), is(400, "missing_signature"));

    assert_eq!(home.happened(), ["payment_failed", "purchase", "refund"]);
    let told = |name: &str| sandboxes.ga4.report().counted(name).count();
    wait_for("GA4 to be told", || told("refund") == 1 && told("purchase") == 1);
    assert_eq!(sandboxes.ga4.report().revenue("eur".parse().unwrap()).minor, 7990);
    wait_for("the CRM to know the buyer of the order", || !sandboxes.crm.contacts().is_empty());
    assert!(!daemon.log().to_lowercase().contains("ada@"));
    let sample = home.command(&["send", "paypal"]);
    assert!(String::from_utf8_lossy(&sample.stderr).contains("only the sender itself can sign"), "{sample:?}");
}

/// Twilio's signature over an address and the fields of a form, which are given in order.
fn twilio(url: &str, fields: &[(&str, &str)]) -> (Fields, Vec<u8>) {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, SECRET.as_bytes());
    let signed = fields.iter().fold(url.to_owned(), |signed, (name, value)| format!("{signed}{name}{value}"));
    let signature = STANDARD.encode(ring::hmac::sign(&key, signed.as_bytes()));
    let escaped = |text: &str| text.replace('%', "%25").replace('&', "%26").replace('+', "%2B").replace(' ', "+");
    let body: Vec<_> = fields.iter().rev().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    let form = ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned());
    (vec![form, ("X-Twilio-Signature".to_owned(), signature)], body.join("&").into_bytes())
}

#[test]
fn twilio_signs_its_address_and_gets_an_empty_document() {
    let sandboxes = Sandboxes::start();
    let home = home(
        &sandboxes,
        &format!(
            "[sources.phone]\nkind = \"hmac\"\npreset = \"twilio\"\nsecrets = [\"{SECRET}\"]\n\
             [sources.phone.meaning]\nevents = {{ received = \"lead\" }}\nphone = \"/From\"\n"
        ),
    );
    let daemon = home.start();
    let url = "https://hooks.example.com/api/webhooks/phone";
    let message = [
        ("Body", "Do you have time & room?"),
        ("From", "+4915112345678"),
        ("MessageSid", "SM1"),
        ("SmsStatus", "received"),
    ];
    let (headers, body) = twilio(url, &message);
    for status in ["accepted", "duplicate"] {
        let answer = post(&daemon, "phone", &headers, &body);
        assert_eq!((answer.status, answer.body.as_str()), (200, "<Response/>"), "{status}");
        assert_eq!(answer.header("content-type").as_deref(), Some("text/xml"));
    }
    let (headers, body) = twilio(&format!("{url}?shop=1"), &[("MessageSid", "SM1"), ("MessageStatus", "delivered")]);
    assert_eq!(post(&daemon, "phone?shop=1", &headers, &body).status, 200);
    assert_eq!(told(&post(&daemon, "phone?shop=2", &headers, &body)), is(400, "no_matching_signature"));
    assert_eq!(told(&post(&daemon, "phone", &headers, &body)), is(400, "no_matching_signature"));
    assert_eq!(told(&post(&daemon, "phone", &[], &body)), is(400, "missing_signature"));
    // A body that is no form is signed by its hash in the address.
    let event = br#"{"MessageSid":"SM2","MessageStatus":"failed"}"#;
    let hash = hex::encode(<Sha256 as sha2::Digest>::digest(event));
    let (headers, _) = twilio(&format!("{url}?bodySHA256={hash}"), &[]);
    assert_eq!(post(&daemon, &format!("phone?bodySHA256={hash}"), &headers[1..], event).status, 200);
    let other = br#"{"MessageSid":"SM3","MessageStatus":"failed"}"#;
    let refused = post(&daemon, &format!("phone?bodySHA256={hash}"), &headers[1..], other);
    assert_eq!(told(&refused), is(400, "no_matching_signature"));

    let rows = home.rows(&["events", "list", "--source", "phone"]);
    let mut types: Vec<_> =
        rows.iter().map(|row| (row["provider_id"].as_str().unwrap(), row["type"].as_str().unwrap())).collect();
    types.sort_unstable();
    assert_eq!(types, [("SM1:delivered", "delivered"), ("SM1:received", "received"), ("SM2:failed", "failed")]);
    assert_eq!(home.happened(), ["lead"]);
    assert!(!daemon.log().contains("4915112345678"), "a number stays out of logs");
}

/// A body of Mailgun's with its signature.
fn mailgun(token: &str, event: &Value) -> Vec<u8> {
    let timestamp = now().to_string();
    let mut mac = <Hmac<Sha256>>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(timestamp.as_bytes());
    mac.update(token.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    let body =
        json!({"signature": {"timestamp": timestamp, "token": token, "signature": signature}, "event-data": event});
    body.to_string().into_bytes()
}

#[test]
fn who_complains_to_mailgun_is_not_subscribed_by_a_purchase() {
    let sandboxes = Sandboxes::start();
    let home = home(
        &sandboxes,
        &format!(
            "[sources.mail]\nkind = \"hmac\"\npreset = \"mailgun\"\nsecrets = [\"{SECRET}\"]\n\
             [sources.till]\nkind = \"hmac\"\nverify = \"token\"\nsecrets = [\"{SECRET}\"]\nsettle = \"300ms\"\ncounts_sales = true\n\
             event_type = [\"/type\"]\nevent_id = [\"/event\"]\n[sources.till.meaning]\nevents = {{ \"order.paid\" = \"purchase\" }}\n\
             id = \"/order\"\nvalue = \"/cents\"\nvalue_unit = \"minor\"\nfixed_currency = \"eur\"\nemail = \"/email\"\ntime = \"/at\"\n"
        ),
    );
    let daemon = home.start();
    let event = |id: &str, name: &str| json!({"id": id, "event": name, "recipient": "Ada@Example.com", "timestamp": f64::from(u32::try_from(now() - 10).unwrap()) + 0.5});
    let token = "0123456789abcdef0123456789abcdef0123456789abcdef01";
    let body = mailgun(token, &event("e1", "complained"));
    assert_eq!(told(&post(&daemon, "mail", &[], &body)), is(200, "accepted"));
    assert_eq!(told(&post(&daemon, "mail", &[], &body)), is(200, "duplicate"));
    // Its token and signature vouch for no other event.
    let copied = String::from_utf8(body).unwrap().replace("\"e1\"", "\"e2\"").replace("Ada@", "Eve@");
    assert_eq!(told(&post(&daemon, "mail", &[], copied.as_bytes())), is(400, "no_matching_signature"));
    let unsigned = json!({"event-data": event("e3", "complained")}).to_string();
    assert_eq!(told(&post(&daemon, "mail", &[], unsigned.as_bytes())), is(400, "missing_signature"));
    let opened = mailgun(&token.replace('0', "1"), &event("e4", "opened"));
    assert_eq!(told(&post(&daemon, "mail", &[], &opened)), is(200, "ignored"));

    let sale = json!({"event": "s1", "type": "order.paid", "at": at(-5), "email": "ada@example.com", "order": 1, "cents": 4990});
    let answer = post(&daemon, &format!("till/{SECRET}"), &[], sale.to_string().as_bytes());
    assert_eq!(told(&answer), is(200, "accepted"));
    wait_for("the CRM to be told", || !sandboxes.crm.contacts().is_empty());
    wait_for("every delivery to end", || home.deliveries("pending") == 0);
    assert!(sandboxes.mailerlite.subscribers().is_empty());
    let rows = home.rows(&["deliveries", "list", "--destination", "mailerlite"]);
    assert!(rows.iter().any(|row| row["reason"] == "no_consent"), "{rows:?}");
}

#[test]
fn what_is_wrong_with_their_configuration_is_told_before_the_start() {
    let sandboxes = Sandboxes::start();
    let told = |source: &str| {
        let home = home(&sandboxes, source);
        String::from_utf8_lossy(&home.command(&["check"]).stderr).into_owned()
    };
    let no_id =
        told("[sources.a]\nkind = \"hmac\"\npreset = \"paypal\"\nsecrets = [\"unknown-yet\"]\ncounts_sales = true\n");
    assert!(no_id.contains("sources.a.webhook_id: is missing"), "{no_id}");
    let no_certificate = told(&paypal_source("\"EPnqsAyLclientsecret\""));
    assert!(no_certificate.contains("is no certificate"), "{no_certificate}");
    assert!(!no_certificate.contains("EPnqsAyL"), "a secret is not quoted");
    let id = told("[sources.a]\nkind = \"hmac\"\npreset = \"twilio\"\nsecrets = [\"AC0123456789\"]\n");
    assert!(id.contains("is the id of an account"), "{id}");
    let useless = told(
        "[sources.a]\nkind = \"hmac\"\npreset = \"mailgun\"\nsecrets = [\"abcdef\"]\nheader = \"X-Sig\"\ntolerance = \"1d\"\n",
    );
    assert!(useless.contains("sources.a.header: is of no use") && !useless.contains("tolerance"), "{useless}");
}
