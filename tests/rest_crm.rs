//! A CRM of the owner's own, told by the real binary: the rules of the race between searching and creating, and words of its own.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use support::daemon::{Home, Sandboxes, Settings};
use support::events::{event, refund, session};
use support::wait_for;
use tallyhook::demo::http_server::Answer;
use tallyhook::demo::sandbox::{Call, Fault, Recorded, Sandbox, Served, Service};
use tallyhook::model::time::Timestamp;
use tallyhook::platform::clock::SystemClock;

/// A CRM with a path, a list and names of its own.
struct People {
    sandbox: Sandbox,
    stored: Arc<Mutex<Vec<Value>>>,
}

struct Api(Arc<Mutex<Vec<Value>>>);

impl People {
    fn start() -> Self {
        let stored = Arc::new(Mutex::new(Vec::new()));
        let sandbox = Sandbox::start(Api(Arc::clone(&stored)), Arc::new(SystemClock)).unwrap();
        Self { sandbox, stored }
    }

    fn person(&self, reference: &str) -> Option<Value> {
        self.stored.lock().unwrap().iter().find(|person| person["ref"] == reference).cloned()
    }
}

impl Deref for People {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Service for Api {
    fn serve(&self, call: &Call<'_>) -> Served {
        let mut stored = self.0.lock().unwrap();
        let mut told: Value = serde_json::from_slice(call.body).unwrap_or_default();
        match (call.head.method.as_str(), call.head.path.as_str()) {
            ("GET", "/v2/people") => {
                let wanted = call.head.query_value("ref").unwrap();
                let found: Vec<_> = stored.iter().filter(|person| person["ref"] == wanted.as_str()).collect();
                Answer::json(200, &json!({"result": {"people": found}})).into()
            }
            ("POST", "/v2/people") => {
                told["key"] = json!("p1");
                stored.push(told.clone());
                Answer::json(201, &told).into()
            }
            ("PUT", "/v2/people/p1") => {
                told["key"] = json!("p1");
                stored[0] = told;
                Answer::empty(204).into()
            }
            _ => Answer::empty(404).into(),
        }
    }
}

fn settle_down(home: &Home) {
    wait_for("every delivery to end", || home.deliveries("pending") == 0);
}

fn lines(requests: &[Recorded]) -> Vec<String> {
    let line = |asked: &Recorded| format!("{} {} {}", asked.method, asked.path, asked.status.unwrap_or_default());
    requests.iter().map(line).collect()
}

fn object(value: Value) -> serde_json::Map<String, Value> {
    value.as_object().cloned().unwrap()
}

#[test]
fn a_person_is_searched_made_once_and_then_changed() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    settle_down(&home);
    daemon.accept(&event("evt_2", "refund.updated", refund(1, 1, 2500, "succeeded")));
    wait_for("the total", || sandboxes.crm.contacts()[0].fields["total_spent"] == 74);
    settle_down(&home);
    assert_eq!(
        lines(&sandboxes.crm.requests()),
        ["GET /api/contacts 200", "POST /api/contacts 201", "PATCH /api/contacts/c_1 200"],
        "{}",
        daemon.log()
    );
    let key = sandboxes.crm.requests()[1].header("idempotency-key").unwrap().to_owned();
    assert!(!key.is_empty(), "a CRM that knows the header recognises a repeat by it");
}

#[test]
fn a_create_without_an_answer_is_searched_for_and_never_repeated_blindly() {
    let sandboxes = Sandboxes::start();
    let destination =
        "rate_limit = \"off\"\ntimeout = \"1s\"\nschedule = [\"0s\", \"100ms\", \"100ms\", \"100ms\", \"100ms\"]\n";
    let home = Home::new(&sandboxes, &Settings { destination, ..Settings::default() });
    let daemon = home.start();
    sandboxes.crm.script([Fault::Pass, Fault::LoseAnswer, Fault::Pass, Fault::Hang(Duration::from_secs(3))]);
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    settle_down(&home);
    let requests = sandboxes.crm.requests();
    assert_eq!(
        lines(&requests),
        [
            "GET /api/contacts 200",
            "POST /api/contacts 0",
            "GET /api/contacts 200",
            "PATCH /api/contacts/c_1 0",
            "PATCH /api/contacts/c_1 200"
        ],
        "{}",
        daemon.log()
    );
    assert_eq!(sandboxes.crm.contacts().len(), 1);
}

#[test]
fn a_conflict_is_searched_again_and_a_deleted_contact_is_made_again_once() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    // Somebody else makes the contact between the search and the creation: the first search finds nobody yet.
    let empty = Fault::Status { status: 200, retry_after: None, body: r#"{"contacts":[]}"#.into() };
    sandboxes.crm.script([empty]);
    let id = sandboxes.crm.insert(object(json!({"external_id": "lead-000001"})), Timestamp::from_unix_seconds(1));
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    settle_down(&home);
    assert_eq!(
        lines(&sandboxes.crm.requests()),
        ["GET /api/contacts 200", "POST /api/contacts 409", "GET /api/contacts 200", "PATCH /api/contacts/c_1 200"],
        "{}",
        daemon.log()
    );
    sandboxes.crm.delete(&id);
    let seen = sandboxes.crm.count();
    daemon.accept(&event("evt_2", "refund.updated", refund(1, 1, 2500, "succeeded")));
    wait_for("the contact to be there again", || !sandboxes.crm.contacts().is_empty());
    settle_down(&home);
    assert_eq!(
        lines(&sandboxes.crm.requests_from(seen)),
        ["PATCH /api/contacts/c_1 404", "GET /api/contacts 200", "POST /api/contacts 201"]
    );
    assert_eq!(sandboxes.crm.contacts()[0].fields["total_spent"], 74);
}

#[test]
fn of_several_contacts_the_oldest_is_changed_and_the_others_are_reported_once() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    for (seconds, mark) in [(200, "newer"), (100, "older"), (300, "newest")] {
        let fields = object(json!({"external_id": "lead-000001", "mark": mark}));
        sandboxes.crm.insert(fields, Timestamp::from_unix_seconds(seconds));
    }
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    settle_down(&home);
    daemon.accept(&event("evt_2", "refund.updated", refund(1, 1, 2500, "succeeded")));
    settle_down(&home);
    let contacts = sandboxes.crm.contacts();
    assert_eq!(contacts.len(), 3, "none is made");
    let told: Vec<_> = contacts.iter().filter(|contact| contact.fields.contains_key("total_spent")).collect();
    assert_eq!((told.len(), &told[0].fields["mark"]), (1, &json!("older")), "{}", daemon.log());
    let reports = || {
        let alerts = sandboxes.alerts.alerts();
        alerts.iter().filter(|alert| alert["event_type"] == "second_record" && alert["destination"] == "crm").count()
    };
    wait_for("the report", || reports() == 1);
}

#[test]
fn a_key_that_was_revoked_holds_everything_until_it_is_mended() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    sandboxes.crm.set_api_key("another");
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    let state = || {
        let status = home.rows(&["status"]);
        let rows = status[0]["destinations"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["name"] == "crm").unwrap()
    };
    wait_for("the hold", || state()["state"] == "held");
    sandboxes.crm.set_api_key("crm_key_for_tests");
    home.rows(&["destinations", "resume", "crm"]);
    settle_down(&home);
    assert_eq!(sandboxes.crm.contacts().len(), 1, "{}", daemon.log());
}

#[test]
fn a_crm_that_lists_everybody_without_saying_who_is_who_changes_nobody() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    let everybody = Fault::Status {
        status: 200,
        retry_after: None,
        body: r#"{"contacts":[{"id":"c_1","email":"another@example.com"}]}"#.into(),
    };
    let fields = object(json!({"external_id": "another", "email": "another@example.com"}));
    sandboxes.crm.insert(fields.clone(), Timestamp::from_unix_seconds(1));
    sandboxes.crm.script(vec![everybody; 3]);
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    let why = || {
        let status = home.rows(&["status"]);
        let rows = status[0]["destinations"].as_array().unwrap().clone();
        rows.into_iter().find(|row| row["name"] == "crm").unwrap()
    };
    wait_for("the hold", || why()["state"] == "held");
    assert!(why().to_string().contains("tell no external id"), "{}", why());
    let test = home.command(&["destinations", "test", "crm"]);
    let said = String::from_utf8_lossy(&test.stdout).into_owned() + &String::from_utf8_lossy(&test.stderr);
    assert_eq!(test.status.code(), Some(1), "{said}");
    assert!(said.contains("tell no external id") && said.contains("external_id_pointer"), "{said}");
    let contacts = sandboxes.crm.contacts();
    assert_eq!(contacts.len(), 1, "nobody is made: {contacts:?}");
    assert_eq!(contacts[0].fields, fields, "nobody is changed");
}

#[test]
fn a_crm_with_words_of_its_own_is_spoken_to_in_them() {
    let sandboxes = Sandboxes::start();
    let crm = People::start();
    let more = format!(
        "[destinations.people]\nkind = \"rest\"\nbase_url = \"{}/v2\"\napi_key = \"k\"\ncontacts_path = \"/people\"\n\
         search_parameter = \"ref\"\nupdate_method = \"put\"\nlist_pointer = \"/result/people\"\nid_pointer = \"/key\"\n\
         fields = {{ ref = \"external_id\", mail = \"email\", revenue = \"total_spent\", labels = \"tags\" }}\nrate_limit = \"off\"\n{}",
        crm.origin(),
        Settings::default().more
    );
    let home = Home::new(&sandboxes, &Settings { more, ..Settings::default() });
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    settle_down(&home);
    daemon.accept(&event("evt_2", "refund.updated", refund(1, 1, 2500, "succeeded")));
    wait_for("the total", || crm.person("lead-000001").is_some_and(|person| person["revenue"] == 74));
    settle_down(&home);
    let person = crm.person("lead-000001").unwrap();
    assert_eq!(person["mail"], "buyer1@example.com");
    assert_eq!(person["labels"], json!(["customer", "pricing_tier_premium"]));
    assert_eq!(person.as_object().unwrap().len(), 5, "nothing but what was asked for, and the CRM's key: {person}");
    assert_eq!(
        lines(&crm.requests()),
        ["GET /v2/people 200", "POST /v2/people 201", "PUT /v2/people/p1 204"],
        "{}",
        daemon.log()
    );
}
