//! The life of appointments through the real binary: made before and after it is known whose they are, moved, called off, kept and
//! missed; told once each.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::daemon::{Home, Sandboxes};
use support::highlevel::{accept, app, appointment, contact, home, post};
use support::wait_for;

/// What happened, in order of the provider's time.
fn happened(home: &Home) -> Vec<String> {
    let mut rows = Vec::new();
    for event in home.rows(&["events", "list", "--all"]) {
        for business in event["business_events"].as_array().unwrap() {
            let row = (business["key"].as_str().unwrap().to_owned(), business["kind"].as_str().unwrap().to_owned());
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }
    rows.sort();
    rows.into_iter().map(|(_, kind)| kind).collect()
}

/// How often GA4 recorded an event.
fn told_at_ga4(sandboxes: &Sandboxes, name: &str) -> usize {
    sandboxes.ga4.report().counted(name).count()
}

/// Whether any request told the CRM of a tag.
fn crm_was_told(sandboxes: &Sandboxes, tag: &str) -> bool {
    let wanted = Value::from(tag);
    let requests = sandboxes.crm.requests();
    requests.iter().any(|request| request.json()["tags"].as_array().is_some_and(|tags| tags.contains(&wanted)))
}

fn in_crm(sandboxes: &Sandboxes, email: &str) -> Option<Value> {
    let contacts = sandboxes.crm.contacts();
    let found = contacts.into_iter().find(|contact| contact.fields.get("email").is_some_and(|known| known == email));
    found.map(|contact| Value::Object(contact.fields))
}

#[test]
fn a_booking_lives_from_lead_to_visit() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, false);
    let daemon = home.start();
    let address = daemon.address;
    accept(address, &app("w1", "ContactCreate", -40, contact(1)));
    accept(address, &app("w2", "AppointmentCreate", -30, appointment(1, "confirmed", -30, 86_400)));
    // An update that says the same, and one that moves it.
    accept(address, &app("w3", "AppointmentUpdate", -25, appointment(1, "confirmed", -25, 86_400)));
    accept(address, &app("w4", "AppointmentUpdate", -20, appointment(1, "confirmed", -20, 172_800)));
    accept(address, &app("w5", "AppointmentUpdate", -10, appointment(1, "showed", -10, 172_800)));
    let again = post(address, &app("w5", "AppointmentUpdate", -10, appointment(1, "showed", -10, 172_800)));
    assert_eq!((again.status, again.json()["status"].as_str()), (200, Some("duplicate")));

    wait_for("GA4 to be told of the visit", || told_at_ga4(&sandboxes, "booking_attended") == 1);
    wait_for("the CRM to be told", || crm_was_told(&sandboxes, "attended"));
    assert!(in_crm(&sandboxes, "jana1@example.com").is_some() && crm_was_told(&sandboxes, "booked"));
    assert_eq!(told_at_ga4(&sandboxes, "booking_made"), 1);
    assert_eq!(told_at_ga4(&sandboxes, "generate_lead"), 1);
    for event in sandboxes.ga4.requests() {
        let shown = String::from_utf8_lossy(&event.body).into_owned();
        assert!(!shown.to_lowercase().contains("jana"), "{shown}");
    }
    let mut kinds = happened(&home);
    kinds.sort();
    assert_eq!(kinds, ["booking_attended", "booking_changed", "booking_made", "lead"], "{}", daemon.log());
    // Nobody said yes to mail: a lead is not subscribed, who booked is.
    wait_for("MailerLite", || sandboxes.mailerlite.subscribers().len() == 1);
}

#[test]
fn a_booking_waits_for_the_person_it_is_of() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, false);
    let daemon = home.start();
    let address = daemon.address;
    accept(address, &app("w1", "AppointmentCreate", -30, appointment(1, "confirmed", -30, 86_400)));
    wait_for("GA4 to be told", || told_at_ga4(&sandboxes, "booking_made") == 1);
    assert!(sandboxes.crm.contacts().is_empty(), "nobody can say who it is");
    assert!(home.deliveries("pending") >= 2, "the CRM and MailerLite wait");

    accept(address, &app("w2", "ContactUpdate", -10, contact(1)));
    wait_for("the CRM to be told", || in_crm(&sandboxes, "jana1@example.com").is_some());
    let told = in_crm(&sandboxes, "jana1@example.com").unwrap();
    assert_eq!((&told["name"], &told["lifecycle_stage"]), (&json!("Jana Number1"), &json!("lead")));
    assert!(crm_was_told(&sandboxes, "booked"), "{told}");
    wait_for("MailerLite", || sandboxes.mailerlite.subscribers().len() == 1);
    wait_for("every delivery to end", || home.deliveries("pending") == 0);
    assert_eq!(sandboxes.crm.contacts().len(), 1);
}

#[test]
fn a_buyer_of_stripes_who_books_is_one_person() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, false);
    let daemon = home.start();
    daemon.accept(&support::events::event("evt_1", "checkout.session.completed", support::events::session(1, 9900)));
    let mut buyer = contact(1);
    buyer["email"] = json!("BUYER1@example.com");
    accept(daemon.address, &app("w1", "AppointmentCreate", -30, appointment(1, "new", -30, 86_400)));
    accept(daemon.address, &app("w2", "ContactUpdate", -20, buyer));
    wait_for("the CRM to be told", || crm_was_told(&sandboxes, "booked"));
    wait_for("every delivery to end", || home.deliveries("pending") == 0);
    let contacts = sandboxes.crm.contacts();
    assert_eq!(contacts.len(), 1, "{contacts:?}");
    assert_eq!(contacts[0].fields["total_spent"], json!(99));
}

#[test]
fn out_of_order_a_cancelled_and_a_missed_booking_come_to_the_same() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, false);
    let daemon = home.start();
    let address = daemon.address;
    accept(address, &app("c3", "AppointmentUpdate", -5, appointment(1, "cancelled", -5, 86_400)));
    accept(address, &app("c1", "AppointmentCreate", -30, appointment(1, "confirmed", -30, 86_400)));
    accept(address, &app("c4", "AppointmentDelete", -4, appointment(1, "cancelled", -5, 86_400)));
    accept(address, &app("m2", "AppointmentUpdate", -2, appointment(2, "noshow", -2, -3600)));
    accept(address, &app("m1", "AppointmentCreate", -7000, appointment(2, "confirmed", -7000, -3600)));
    let mut kinds = happened(&home);
    kinds.sort();
    assert_eq!(kinds, ["booking_cancelled", "booking_made", "booking_made", "booking_missed"], "{}", daemon.log());
}
