//! What the events of other senders mean, through the real binary: a calendar, a shop with a refund and repeats, a form, a newsletter,
//! and a sender that only the configuration knows.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::daemon::{Daemon, Home, Sandboxes, Settings};
use support::highlevel::at;
use support::http;
use support::wait_for;

const TOKEN: &str = "token-for-the-tests-0123";

fn home(sandboxes: &Sandboxes) -> Home {
    let mut more = Settings::default().more;
    for preset in ["calendly", "woocommerce", "typeform", "mailerlite"] {
        let counts = if preset == "woocommerce" { "counts_sales = true\n" } else { "" };
        more.push_str(&format!(
            "[sources.{preset}]\nkind = \"hmac\"\npreset = \"{preset}\"\nverify = \"token\"\nsecrets = [\"{TOKEN}\"]\nsettle = \"300ms\"\n{counts}"
        ));
    }
    more.push_str(&format!(
        "[sources.till]\nkind = \"hmac\"\nverify = \"token\"\nsecrets = [\"{TOKEN}\"]\nsettle = \"300ms\"\ncounts_sales = true\n\
         event_type = [\"/type\"]\nevent_id = [\"/event\"]\n\
         [sources.till.meaning]\nevents = {{ \"order.paid\" = \"purchase\", \"order.refunded\" = \"refund\", \"*\" = \"ignore\" }}\n\
         id = \"/order/id\"\nvalue = \"/order/cents\"\nvalue_unit = \"minor\"\nfixed_currency = \"eur\"\nemail = \"/email\"\ntime = \"/at\"\n"
    ));
    let text = Settings { more, ..Settings::default() };
    let home = Home::new(sandboxes, &text);
    let config = std::fs::read_to_string(home.config()).unwrap();
    std::fs::write(home.config(), config.replace("kind = \"stripe\"", "kind = \"stripe\"\ncounts_sales = true"))
        .unwrap();
    home
}

fn post(daemon: &Daemon, source: &str, headers: &[(&str, &str)], body: &Value) -> String {
    let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let path = format!("/api/webhooks/{source}/{TOKEN}");
    let answer = http::send(daemon.address, "POST", &path, &headers, body.to_string().as_bytes()).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["status"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn an_appointment_that_moves_twice_and_is_missed_is_one() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes);
    let daemon = home.start();
    let tell = |event: &str, said: i64, uri: &str, old: Option<&str>, rescheduled: bool, begins: i64| {
        let body = json!({"event": event, "created_at": at(said), "payload": {"uri": uri, "email": "Ada@Example.com", "name": "Ada",
            "old_invitee": old, "rescheduled": rescheduled, "scheduled_event": {"start_time": at(begins), "name": "Call"}}});
        assert_eq!(post(&daemon, "calendly", &[], &body), "accepted");
    };
    tell("invitee.created", -50, "z1", None, false, 10_000);
    tell("invitee.canceled", -40, "z1", None, true, 10_000);
    tell("invitee.created", -40, "y2", Some("z1"), false, 20_000);
    tell("invitee.canceled", -30, "y2", Some("z1"), true, 20_000);
    tell("invitee.created", -30, "x3", Some("y2"), false, 30_000);
    tell("invitee_no_show.created", -10, "x3", Some("y2"), false, 30_000);
    assert_eq!(home.happened(), ["booking_changed", "booking_changed", "booking_made", "booking_missed"]);
    wait_for("GA4 to be told of it", || sandboxes.ga4.report().counted("booking_made").count() == 1);
}

#[test]
fn several_events_of_one_order_are_one_sale_and_its_refund() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes);
    let daemon = home.start();
    let times = [-60, -50, -40, -30, -20].map(at);
    let tell = |topic: &str, status: &str, time: &str, refunds: Value| {
        let body = json!({"id": 727, "status": status, "currency": "EUR", "total": "99.90", "customer_id": 0, "refunds": refunds,
            "date_modified_gmt": time.trim_end_matches('Z'), "billing": {"email": "ada@example.com", "first_name": "Ada"}});
        let headers = [("X-WC-Webhook-Topic", topic), ("X-WC-Webhook-Source", "https://shop.example/")];
        post(&daemon, "woocommerce", &headers, &body)
    };
    assert_eq!(tell("order.created", "pending", &times[0], json!([])), "accepted");
    assert_eq!(tell("order.updated", "processing", &times[1], json!([])), "accepted");
    assert_eq!(tell("order.updated", "processing", &times[1], json!([])), "duplicate");
    tell("order.updated", "completed", &times[2], json!([]));
    assert_eq!(home.happened(), ["purchase"]);
    let refund = json!([{"id": 801, "total": "-20.00"}]);
    tell("order.updated", "completed", &times[3], refund.clone());
    tell("order.updated", "completed", &times[4], refund);
    assert_eq!(home.happened(), ["purchase", "refund"]);
    // They go out in no promised order.
    let told = |name: &str| sandboxes.ga4.report().counted(name).count();
    wait_for("GA4 to be told", || told("refund") == 1 && told("purchase") == 1);
    assert_eq!(sandboxes.ga4.report().revenue("eur".parse().unwrap()).minor, 7990);
}

#[test]
fn a_form_makes_a_lead_and_the_newsletter_a_no() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes);
    let daemon = home.start();
    let form = json!({"event_id": "f1", "event_type": "form_response", "form_response": {"form_id": "form", "token": "t1", "submitted_at": at(-20),
        "answers": [{"type": "email", "email": "ada@example.com"}]}});
    assert_eq!(post(&daemon, "typeform", &[], &form), "accepted");
    assert_eq!(home.happened(), ["lead"]);
    wait_for("the CRM to be told of the lead", || !sandboxes.crm.contacts().is_empty());
    let gone =
        json!({"type": "subscriber.unsubscribed", "id": "5", "email": "ada@example.com", "unsubscribed_at": at(-10)});
    assert_eq!(post(&daemon, "mailerlite", &[], &gone), "accepted");
    let sale = json!({"event": "e1", "type": "order.paid", "at": at(-5), "email": "ada@example.com", "order": {"id": 1, "cents": 4990}});
    assert_eq!(post(&daemon, "till", &[], &sale), "accepted");
    let refund = json!({"event": "e2", "type": "order.refunded", "at": at(-4), "order": {"id": 1, "cents": 4990}});
    assert_eq!(post(&daemon, "till", &[], &refund), "accepted");
    assert_eq!(post(&daemon, "till", &[], &json!({"event": "e3", "type": "till.opened"})), "ignored");
    wait_for("every delivery to end", || home.deliveries("pending") == 0);
    assert!(home.happened().contains(&"purchase".to_owned()) && home.happened().contains(&"refund".to_owned()));
    assert!(sandboxes.mailerlite.subscribers().is_empty(), "who said no is not subscribed by a purchase");
    let rows = home.rows(&["deliveries", "list", "--destination", "mailerlite"]);
    assert!(rows.iter().any(|row| row["reason"] == "no_consent"), "{rows:?}");
}
