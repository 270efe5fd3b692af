//! HighLevel's webhooks, written for these tests in the shape that its documentation gives, signed with a key of our own.

use std::net::SocketAddr;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tallyhook::model::time::Timestamp;

use super::daemon::{Home, Sandboxes, Settings};
use super::events;
use super::http::{self, Answer};

pub const LOCATION: &str = "loc0000000000000test";
pub const TOKEN: &str = "token-of-the-tests-0123456789";

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[42; 32]).unwrap()
}

/// A configuration with Stripe and HighLevel, of which only Stripe's sales count unless `counts_sales` says otherwise.
pub fn home(sandboxes: &Sandboxes, counts_sales: bool) -> Home {
    let key = hex::encode(pair().public_key().as_ref());
    let more = format!(
        "[sources.highlevel]\nkind = \"gohighlevel\"\nlocations = [\"{LOCATION}\"]\napp_id = \"app1\"\npublic_keys = [\"{key}\"]\n\
         token = \"{TOKEN}\"\ncurrency = \"eur\"\ncounts_sales = {counts_sales}\nsettle = \"300ms\"\nsettle_late = \"300ms\"\n"
    );
    let home = Home::new(sandboxes, &Settings { more, ..Settings::default() });
    let text = std::fs::read_to_string(home.config()).unwrap();
    let text = text.replace("kind = \"stripe\"\n", "kind = \"stripe\"\ncounts_sales = true\n");
    std::fs::write(home.config(), text).unwrap();
    home
}

/// So many seconds from when it was first asked, as HighLevel writes it: the same in every event of a test.
pub fn at(seconds: i64) -> String {
    static BEGAN: OnceLock<i64> = OnceLock::new();
    Timestamp::from_unix_seconds(BEGAN.get_or_init(events::now) + seconds).to_string()
}

/// A marketplace webhook, said so many seconds from now.
pub fn app(id: &str, event_type: &str, seconds: i64, fields: Value) -> Vec<u8> {
    let mut body = json!({"type": event_type, "locationId": LOCATION, "versionId": "app1", "appId": "app1", "webhookId": id,
        "timestamp": at(seconds)});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body.to_string().into_bytes()
}

/// The fields of a contact with a number.
pub fn contact(n: u32) -> Value {
    json!({"id": format!("contact{n}"), "firstName": "Jana", "lastName": format!("Number{n}"), "email": format!("Jana{n}@Example.com"),
        "phone": format!("+42077712345{n}"), "tags": [], "country": "CZ", "customFields": [], "dateAdded": at(0),
        "attributionSource": {"medium": "form", "mediumId": null, "utmSource": "google", "utmCampaign": "autumn"}})
}

/// The fields of an appointment of that contact, changed and to begin so many seconds from now.
pub fn appointment(n: u32, status: &str, changed: i64, begins: i64) -> Value {
    json!({"appointment": {"id": format!("appointment{n}"), "title": "Jana and the doctor", "calendarId": "calendar1",
        "contactId": format!("contact{n}"), "appointmentStatus": status, "source": "booking_widget", "startTime": at(begins),
        "endTime": at(begins + 1800), "dateAdded": at(-30), "dateUpdated": at(changed)}})
}

/// Posts a body as HighLevel does, signed by our key.
pub fn post(address: SocketAddr, body: &[u8]) -> Answer {
    let signature = STANDARD.encode(pair().sign(body));
    http::send(address, "POST", "/api/webhooks/highlevel", &[("X-GHL-Signature".into(), signature)], body).unwrap()
}

/// The same of one that has to be stored as new.
pub fn accept(address: SocketAddr, body: &[u8]) {
    let answer = post(address, body);
    assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("accepted")), "{}", answer.body);
}
