//! HubSpot told by the real binary: a portal on loopback that answers as HubSpot's documentation says, without its search.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};
use support::daemon::{Home, Sandboxes, Settings};
use support::events::{event, refund, session};
use support::wait_for;
use tallyhook::demo::http_server::{Answer, percent_decode};
use tallyhook::demo::sandbox::{Call, Sandbox, Served, Service};
use tallyhook::destinations::hubspot::{FIELDS, STANDARD};
use tallyhook::platform::clock::SystemClock;

const TOKEN: &str = "pat-eu1-00000000-tests";
const CONTACTS: &str = "/crm/v3/objects/contacts";
const STAGES: [&str; 4] = ["subscriber", "lead", "opportunity", "customer"];

#[derive(Default)]
struct Office {
    contacts: BTreeMap<u64, Map<String, Value>>,
    properties: Vec<(String, &'static str)>,
    made: u64,
}

struct Api(Arc<Mutex<Office>>);

/// A portal with every property that the configuration names by default.
struct Portal {
    sandbox: Sandbox,
    office: Arc<Mutex<Office>>,
}

impl Portal {
    fn start() -> Self {
        let properties = FIELDS.map(|field| (format!("tallyhook_{}", field.name), field.form.name()));
        let office = Office { properties: properties.into(), ..Office::default() };
        let office = Arc::new(Mutex::new(office));
        let sandbox = Sandbox::start(Api(Arc::clone(&office)), Arc::new(SystemClock)).unwrap();
        Self { sandbox, office }
    }

    fn contacts(&self) -> BTreeMap<u64, Map<String, Value>> {
        self.office.lock().unwrap().contacts.clone()
    }

    /// Method, path and status of every request since the last look but for those that only read.
    fn asked(&self, since: u64) -> Vec<String> {
        let requests = self.requests_from(since);
        let changes = requests.iter().filter(|request| request.method != "GET");
        changes.map(|asked| format!("{} {} {}", asked.method, asked.path, asked.status.unwrap_or_default())).collect()
    }

    fn home(&self, sandboxes: &Sandboxes) -> Home {
        let more = format!(
            "[destinations.hubspot]\nkind = \"hubspot\"\naccess_token = \"{TOKEN}\"\nendpoint = \"{}\"\nrate_limit = \"off\"\n\
             schedule = [\"0s\", \"200ms\", \"500ms\"]\n[alerting]\ngroup_wait = \"200ms\"\ngroup_interval = \"500ms\"\n",
            self.origin()
        );
        Home::new(sandboxes, &Settings { more, ..Settings::default() })
    }
}

impl Deref for Portal {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Office {
    fn by_email(&self, email: &str) -> Option<u64> {
        let found = self.contacts.iter().find(|(_, told)| told["email"].as_str().is_some_and(|known| known == email));
        found.map(|(id, _)| *id)
    }

    /// What is written, or the refusal.
    fn properties(&self, call: &Call<'_>) -> Result<Map<String, Value>, Answer> {
        let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
        let told =
            body["properties"].as_object().cloned().ok_or_else(|| failure(400, "VALIDATION_ERROR", "no properties"))?;
        let complaints: Vec<Value> = told
            .iter()
            .filter_map(|(name, value)| {
                let known = STANDARD.contains(&name.as_str()) || self.properties.iter().any(|(known, _)| known == name);
                let code = match value {
                    _ if !known => "PROPERTY_DOESNT_EXIST",
                    Value::String(_) => return None,
                    _ => "INVALID_TYPE",
                };
                Some(json!({"isValid": false, "message": format!("Property {name:?} does not exist"), "error": code, "name": name}))
            })
            .collect();
        if complaints.is_empty() {
            return Ok(told);
        }
        let message = format!("Property values were not valid: {}", Value::Array(complaints));
        Err(failure(400, "VALIDATION_ERROR", &message))
    }

    fn change(&mut self, id: u64, told: Map<String, Value>) -> Answer {
        let owner = told.get("email").and_then(Value::as_str).and_then(|email| self.by_email(email));
        if let Some(owner) = owner.filter(|owner| *owner != id) {
            return failure(409, "CONFLICT", &format!("Contact already exists. Existing ID: {owner}"));
        }
        let Some(contact) = self.contacts.get_mut(&id) else {
            return failure(404, "OBJECT_NOT_FOUND", "resource not found");
        };
        let rank = |stage: Option<&Value>| STAGES.iter().position(|known| stage.is_some_and(|stage| stage == known));
        for (name, value) in told {
            // A stage only moves forward.
            if name != "lifecyclestage" || rank(Some(&value)) > rank(contact.get(&name)) {
                contact.insert(name, value);
            }
        }
        Answer::json(200, &json!({"id": id.to_string(), "properties": contact, "archived": false}))
    }

    fn create(&mut self, told: Map<String, Value>) -> Answer {
        if let Some(id) = told.get("email").and_then(Value::as_str).and_then(|email| self.by_email(email)) {
            return failure(409, "CONFLICT", &format!("Contact already exists. Existing ID: {id}"));
        }
        self.made += 1;
        let id = 1000 + self.made;
        let answer = Answer::json(201, &json!({"id": id.to_string(), "properties": told, "archived": false}));
        self.contacts.insert(id, told);
        answer
    }
}

fn failure(status: u16, category: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"status": "error", "message": message, "category": category, "correlationId": "c-1"}))
}

impl Service for Api {
    fn serve(&self, call: &Call<'_>) -> Served {
        let mut office = self.0.lock().unwrap();
        if call.head.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return failure(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.").into();
        }
        let record = call.head.path.strip_prefix("/crm/v3/objects/contacts/").map(percent_decode);
        match (call.head.method.as_str(), call.head.path.as_str(), record) {
            ("GET", "/crm/v3/properties/contacts", _) => {
                let own = office.properties.iter().map(|(name, of)| json!({"name": name, "type": of}));
                let standard = STANDARD.map(|name| json!({"name": name, "type": "string"}));
                Answer::json(200, &json!({"results": own.chain(standard).collect::<Vec<_>>()})).into()
            }
            ("GET", CONTACTS, _) => Answer::json(200, &json!({"results": []})).into(),
            ("POST", CONTACTS, _) => match office.properties(call) {
                Ok(told) => office.create(told).into(),
                Err(refusal) => refusal.into(),
            },
            ("PATCH", _, Some(record)) => {
                let by_email = call.head.query_value("idProperty").as_deref() == Some("email");
                let id = if by_email { office.by_email(&record) } else { record.parse().ok() };
                match (office.properties(call), id) {
                    (Err(refusal), _) => refusal.into(),
                    (Ok(told), Some(id)) => office.change(id, told).into(),
                    (Ok(_), None) => failure(404, "OBJECT_NOT_FOUND", "resource not found").into(),
                }
            }
            _ => Served::breach(failure(404, "NOT_FOUND", "no such path"), "no such path at HubSpot"),
        }
    }
}

fn settle_down(home: &Home) {
    wait_for("every delivery to end", || home.deliveries("pending") == 0);
}

#[test]
fn a_person_is_one_contact_through_sales_refunds_and_a_deletion() {
    let (sandboxes, portal) = (Sandboxes::start(), Portal::start());
    let home = portal.home(&sandboxes);
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    settle_down(&home);
    assert_eq!(portal.asked(0), ["POST /crm/v3/objects/contacts 201"], "{}", daemon.log());
    let contact = portal.contacts()[&1001].clone();
    for (name, value) in [
        ("email", "buyer1@example.com"),
        ("firstname", "Buyer"),
        ("lastname", "Number1"),
        ("lifecyclestage", "customer"),
        ("tallyhook_external_id", "lead-000001"),
        ("tallyhook_total_spent", "99"),
        ("tallyhook_last_transaction_id", "pi_000001"),
        ("tallyhook_pricing_tier", "premium"),
    ] {
        assert_eq!(contact[name], value, "{name}");
    }

    let seen = portal.count();
    daemon.accept(&event("evt_2", "refund.updated", refund(1, 1, 2500, "succeeded")));
    wait_for("the total", || portal.contacts()[&1001]["tallyhook_total_spent"] == "74");
    settle_down(&home);
    assert_eq!(portal.asked(seen), ["PATCH /crm/v3/objects/contacts/1001 200"], "the id is remembered");

    // Somebody deletes the contact by hand.
    portal.office.lock().unwrap().contacts.clear();
    let seen = portal.count();
    daemon.accept(&event("evt_3", "refund.updated", refund(1, 2, 1000, "succeeded")));
    wait_for("the contact to be there again", || portal.contacts().contains_key(&1002));
    settle_down(&home);
    assert_eq!(
        portal.asked(seen),
        [
            "PATCH /crm/v3/objects/contacts/1001 404",
            "PATCH /crm/v3/objects/contacts/buyer1%40example.com 404",
            "POST /crm/v3/objects/contacts 201"
        ]
    );
    assert_eq!(portal.contacts()[&1002]["tallyhook_total_spent"], "64");
    assert!(portal.requests().iter().all(|request| request.broken_rules.is_empty()), "nothing is searched for");
    assert_eq!(home.deliveries("failed"), 0);
    assert!(!daemon.log().contains('@'), "no personal data in logs:\n{}", daemon.log());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_contact_that_was_there_before_is_taken_over_with_what_it_has() {
    let (sandboxes, portal) = (Sandboxes::start(), Portal::start());
    let there = json!({"email": "buyer1@example.com", "phone": "+4930111", "lifecyclestage": "opportunity"});
    portal.office.lock().unwrap().contacts.insert(7, there.as_object().cloned().unwrap());
    let home = portal.home(&sandboxes);
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    settle_down(&home);
    assert_eq!(
        portal.asked(0),
        ["POST /crm/v3/objects/contacts 409", "PATCH /crm/v3/objects/contacts/7 200"],
        "{}",
        daemon.log()
    );
    let contacts = portal.contacts();
    assert_eq!(contacts.len(), 1);
    let told = &contacts[&7];
    assert_eq!((&told["phone"], &told["lifecyclestage"]), (&json!("+4930111"), &json!("customer")));
    assert_eq!(told["tallyhook_total_spent"], "99");
}

#[test]
fn a_property_that_is_missing_is_told_by_the_test_and_by_the_failed_queue() {
    let (sandboxes, portal) = (Sandboxes::start(), Portal::start());
    let missing = portal.office.lock().unwrap().properties.remove(0);
    let home = portal.home(&sandboxes);
    let daemon = home.start();
    let test = || {
        let output = home.command(&["--json", "destinations", "test", "hubspot"]);
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    };
    let said = test();
    assert_eq!(said["ok"], false);
    assert!(
        said["explanation"].as_str().unwrap().contains("`tallyhook_external_id` (string, for external_id)"),
        "{said}"
    );

    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    wait_for("the refusal", || home.deliveries("failed") == 1);
    let failed = home.rows(&["failed", "list"]);
    let id = failed[0]["id"].as_str().unwrap().to_owned();
    let shown = home.rows(&["failed", "show", &id])[0].to_string();
    assert!(shown.contains("HubSpot has no contact property `tallyhook_external_id`"), "{shown}");
    assert!(!shown.contains("buyer1") && !shown.contains(TOKEN), "{shown}");

    portal.office.lock().unwrap().properties.push(missing);
    assert_eq!(test()["ok"], true);
    home.rows(&["failed", "retry", &id]);
    wait_for("the contact", || portal.contacts().len() == 1);
    wait_for("the failed queue to be empty", || home.deliveries("failed") == 0);
}
