//! HubSpot told by the real binary: a portal on loopback that answers as HubSpot's documentation says, without its search.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::daemon::{Home, Sandboxes, Settings};
use support::events::{event, refund, session};
use support::wait_for;
use tallyhook::demo::http_server::Answer;
use tallyhook::demo::sandbox::{Fault, HubSpotSandbox};

const TOKEN: &str = "pat-eu1-00000000-tests";

fn start() -> (Sandboxes, HubSpotSandbox) {
    (Sandboxes::start(), HubSpotSandbox::start(TOKEN).unwrap())
}

/// Method, path and status of every request since the last look but for those that only read.
fn asked(portal: &HubSpotSandbox, since: u64) -> Vec<String> {
    let requests = portal.requests_from(since);
    let changes = requests.iter().filter(|request| request.method != "GET");
    changes.map(|asked| format!("{} {} {}", asked.method, asked.path, asked.status.unwrap_or_default())).collect()
}

fn home_of(portal: &HubSpotSandbox, sandboxes: &Sandboxes, keys: &str) -> Home {
    let more = format!(
        "[destinations.hubspot]\nkind = \"hubspot\"\naccess_token = \"{TOKEN}\"\nendpoint = \"{}\"\nrate_limit = \"off\"\n\
         schedule = [\"0s\", \"200ms\", \"500ms\", \"500ms\", \"500ms\"]\n{keys}[alerting]\ngroup_wait = \"200ms\"\n\
         group_interval = \"500ms\"\n",
        portal.origin()
    );
    Home::new(sandboxes, &Settings { more, ..Settings::default() })
}

fn state(home: &Home) -> Value {
    let status = home.rows(&["status"]);
    status[0]["destinations"].as_array().unwrap().iter().find(|row| row["name"] == "hubspot").unwrap().clone()
}

fn settle_down(home: &Home) {
    wait_for("every delivery to end", || home.deliveries("pending") == 0);
}

#[test]
fn a_person_is_one_contact_through_sales_refunds_and_a_deletion() {
    let (sandboxes, portal) = start();
    let home = home_of(&portal, &sandboxes, "");
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    settle_down(&home);
    assert_eq!(asked(&portal, 0), ["POST /crm/v3/objects/contacts 201"], "{}", daemon.log());
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
    assert_eq!(asked(&portal, seen), ["PATCH /crm/v3/objects/contacts/1001 200"], "the id is remembered");

    // Somebody deletes the contact by hand.
    portal.delete(1001);
    let seen = portal.count();
    daemon.accept(&event("evt_3", "refund.updated", refund(1, 2, 1000, "succeeded")));
    wait_for("the contact to be there again", || portal.contacts().contains_key(&1002));
    settle_down(&home);
    assert_eq!(
        asked(&portal, seen),
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
    let (sandboxes, portal) = start();
    let there = json!({"email": "buyer1@example.com", "phone": "+4930111", "lifecyclestage": "opportunity"});
    portal.insert(&there);
    let home = home_of(&portal, &sandboxes, "");
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    settle_down(&home);
    assert_eq!(
        asked(&portal, 0),
        ["POST /crm/v3/objects/contacts 409", "PATCH /crm/v3/objects/contacts/1001 200"],
        "{}",
        daemon.log()
    );
    let contacts = portal.contacts();
    assert_eq!(contacts.len(), 1);
    let told = &contacts[&1001];
    assert_eq!((&told["phone"], &told["lifecyclestage"]), (&json!("+4930111"), &json!("customer")));
    assert_eq!(told["tallyhook_total_spent"], "99");
}

#[test]
fn a_property_that_is_missing_is_told_by_the_test_and_by_the_failed_queue() {
    let (sandboxes, portal) = start();
    portal.remove_property("tallyhook_external_id");
    let home = home_of(&portal, &sandboxes, "");
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

    portal.add_property("tallyhook_external_id", "string");
    assert_eq!(test()["ok"], true);
    home.rows(&["failed", "retry", &id]);
    wait_for("the contact", || portal.contacts().len() == 1);
    wait_for("the failed queue to be empty", || home.deliveries("failed") == 0);
}

#[test]
fn a_contact_that_was_merged_at_hubspot_is_known_by_the_one_that_is_left() {
    let (sandboxes, portal) = start();
    let home = home_of(&portal, &sandboxes, "");
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    settle_down(&home);
    let left = portal.insert(&json!({"email": "buyer1@work.example", "hs_additional_emails": "buyer1@example.com"}));
    portal.merge(left, 1001);
    let seen = portal.count();
    daemon.accept(&event("evt_2", "refund.updated", refund(1, 1, 2500, "succeeded")));
    wait_for("the total", || portal.contacts()[&left].get("tallyhook_total_spent").is_some_and(|total| total == "74"));
    settle_down(&home);
    daemon.accept(&event("evt_3", "refund.updated", refund(1, 2, 1000, "succeeded")));
    wait_for("the total", || portal.contacts()[&left]["tallyhook_total_spent"] == "64");
    settle_down(&home);
    assert_eq!(
        asked(&portal, seen),
        ["PATCH /crm/v3/objects/contacts/1001 200", "PATCH /crm/v3/objects/contacts/1002 200"],
        "{}",
        daemon.log()
    );
    assert_eq!(portal.contacts().len(), 1);
}

#[test]
fn a_scope_that_is_missing_holds_everything_and_fails_nothing() {
    let (sandboxes, portal) = start();
    portal.let_write(false);
    let home = home_of(&portal, &sandboxes, "");
    let daemon = home.start();
    for n in 1..4 {
        daemon.accept(&event(&format!("evt_{n}"), "checkout.session.completed", session(n, 100)));
    }
    wait_for("the hold", || state(&home)["state"] == "held");
    wait_for("the others", || home.deliveries("pending") == 3);
    assert_eq!(home.deliveries("failed"), 0);
    let shown = state(&home).to_string();
    assert!(shown.contains("crm.objects.contacts.write"), "{shown}");
    wait_for("the alert", || sandboxes.alerts.alerts().iter().any(|alert| alert["event_type"] == "destination_held"));
    portal.let_write(true);
    home.rows(&["destinations", "resume", "hubspot"]);
    settle_down(&home);
    assert_eq!(portal.contacts().len(), 3, "{}", daemon.log());
}

#[test]
fn stumbling_blocks_of_hubspot_lose_and_double_nothing() {
    let (sandboxes, portal) = start();
    let home = home_of(&portal, &sandboxes, "");
    let too_fast = json!({"status": "error", "errorType": "RATE_LIMIT", "policyName": "SECONDLY"});
    let partial = json!({"status": "COMPLETE", "results": [], "errors": [{"status": "error", "category": "X"}]});
    portal.script([
        Fault::Status { status: 502, retry_after: None, body: "<html><h1>502 Bad Gateway</h1></html>".into() },
        Fault::Answer(Answer::json(429, &too_fast)),
        Fault::Answer(Answer::json(207, &partial)),
        Fault::status(477),
        Fault::LoseAnswer,
    ]);
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    settle_down(&home);
    assert_eq!(
        asked(&portal, 0).iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect::<Vec<_>>(),
        ["502", "429", "207", "477", "0", "409", "200"],
        "{}",
        daemon.log()
    );
    assert_eq!(portal.contacts().len(), 1);
    assert_eq!(home.deliveries("failed"), 0);
}
