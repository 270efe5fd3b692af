//! HighLevel told by the real binary: a sub-account on loopback that answers as its documentation and its users' reports say.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::daemon::{Home, Sandboxes, Settings};
use support::events::{event, refund, session};
use support::wait_for;
use tallyhook::demo::http_server::Answer;
use tallyhook::demo::sandbox::{Fault, GoHighLevelSandbox};

const TOKEN: &str = "pit-00000000-tests";
const LOCATION: &str = "ve9EPM428h8vShlRW1KT";

fn start() -> (Sandboxes, GoHighLevelSandbox) {
    let account = GoHighLevelSandbox::start(TOKEN, LOCATION).unwrap();
    account.add_custom_field("6dvNaf7VhkQ9snc5vnjJ", "contact.total_spent", "MONETORY");
    account.add_custom_field("7ewOag8WilR0tod6wokK", "contact.customer_since", "DATE");
    (Sandboxes::start(), account)
}

fn home_of(account: &GoHighLevelSandbox, sandboxes: &Sandboxes) -> Home {
    let more = format!(
        "[destinations.highlevel]\nkind = \"gohighlevel\"\ntoken = \"{TOKEN}\"\nlocation_id = \"{LOCATION}\"\nendpoint = \"{}\"\n\
         fields = {{ 6dvNaf7VhkQ9snc5vnjJ = \"total_spent\", \"contact.customer_since\" = \"customer_since\" }}\nrate_limit = \"off\"\n\
         schedule = [\"0s\", \"200ms\", \"500ms\", \"500ms\"]\n[alerting]\ngroup_wait = \"200ms\"\ngroup_interval = \"500ms\"\n",
        account.origin()
    );
    Home::new(sandboxes, &Settings { more, ..Settings::default() })
}

/// Method, path and status of every request from a number on.
fn asked(account: &GoHighLevelSandbox, since: u64) -> Vec<String> {
    let requests = account.requests_from(since);
    requests
        .iter()
        .map(|asked| format!("{} {} {}", asked.method, asked.path, asked.status.unwrap_or_default()))
        .collect()
}

fn settle_down(home: &Home) {
    wait_for("every delivery to end", || home.deliveries("pending") == 0);
}

fn state(home: &Home) -> Value {
    let status = home.rows(&["status"]);
    status[0]["destinations"].as_array().unwrap().iter().find(|row| row["name"] == "highlevel").unwrap().clone()
}

fn breaks_no_rule(account: &GoHighLevelSandbox) {
    for request in account.requests() {
        assert!(request.broken_rules.is_empty(), "{} {}: {:?}", request.method, request.path, request.broken_rules);
    }
}

#[test]
fn a_person_is_one_contact_through_sales_refunds_and_a_deletion() {
    let (sandboxes, account) = start();
    let home = home_of(&account, &sandboxes);
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    settle_down(&home);
    let id = account.contacts()[0].id.clone();
    assert_eq!(
        asked(&account, 0),
        [
            "GET /contacts/search/duplicate 200".to_owned(),
            "POST /contacts/upsert 200".to_owned(),
            format!("POST /contacts/{id}/tags 201")
        ],
        "{}",
        daemon.log()
    );
    let made = account.contacts()[0].clone();
    for (name, value) in
        [("email", "buyer1@example.com"), ("firstName", "Buyer"), ("lastName", "Number1"), ("source", "tallyhook")]
    {
        assert_eq!(made.fields[name], value, "{name}");
    }
    assert_eq!(made.custom["6dvNaf7VhkQ9snc5vnjJ"], "99");
    assert_eq!(made.custom["7ewOag8WilR0tod6wokK"].as_str().map(str::len), Some(10), "a day");
    assert!(made.tags.contains(&"customer".to_owned()) && made.tags.contains(&"pricing_tier_premium".to_owned()));

    let seen = account.count();
    daemon.accept(&event("evt_2", "refund.updated", refund(1, 1, 2500, "succeeded")));
    wait_for("the total", || account.contacts()[0].custom["6dvNaf7VhkQ9snc5vnjJ"] == "74");
    settle_down(&home);
    assert_eq!(asked(&account, seen), [format!("PUT /contacts/{id} 200")], "the id is remembered, and no tag is new");

    account.delete(&id);
    let seen = account.count();
    daemon.accept(&event("evt_3", "refund.updated", refund(1, 2, 1000, "succeeded")));
    wait_for("the contact to be there again", || !account.contacts().is_empty());
    settle_down(&home);
    assert_eq!(
        asked(&account, seen)[..2],
        [format!("PUT /contacts/{id} 400"), "GET /contacts/search/duplicate 200".to_owned()]
    );
    assert_eq!(account.contacts().len(), 1);
    breaks_no_rule(&account);
    assert!(!daemon.log().contains('@'), "no personal data in logs:\n{}", daemon.log());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_contact_that_was_there_before_keeps_its_address_its_source_and_its_tags() {
    let (sandboxes, account) = start();
    let there = json!({"email": "buyer1@example.com", "phone": "+4930111", "source": "facebook form"});
    account.insert(&there, &["vip", "newsletter"]);
    let home = home_of(&account, &sandboxes);
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    settle_down(&home);
    let contacts = account.contacts();
    assert_eq!(contacts.len(), 1, "{}", daemon.log());
    let told = &contacts[0];
    assert_eq!((&told.fields["source"], &told.fields["phone"]), (&json!("facebook form"), &json!("+4930111")));
    for tag in ["vip", "newsletter", "customer"] {
        assert!(told.tags.iter().any(|there| there == tag), "{tag}: {:?}", told.tags);
    }
    assert_eq!(told.custom["6dvNaf7VhkQ9snc5vnjJ"], "99");
    breaks_no_rule(&account);
}

#[test]
fn a_contact_that_was_refused_and_yet_made_is_not_lost() {
    let (sandboxes, account) = start();
    account.refuse_but_make();
    let home = home_of(&account, &sandboxes);
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    settle_down(&home);
    assert_eq!(home.deliveries("failed"), 0, "{}", daemon.log());
    let contacts = account.contacts();
    assert_eq!(contacts.len(), 1);
    assert!(contacts[0].tags.contains(&"customer".to_owned()));
    breaks_no_rule(&account);
}

#[test]
fn a_limit_that_is_met_holds_back_until_it_begins_anew() {
    let (sandboxes, account) = start();
    let home = home_of(&account, &sandboxes);
    let too_fast = |remaining: &str, interval: &str, reset: &str| {
        let answer = Answer::json(429, &json!({"statusCode": 429, "message": "Too Many Requests"}));
        let answer = answer.with("x-ratelimit-daily-remaining", remaining).with("x-ratelimit-daily-reset", reset);
        Fault::Answer(answer.with("x-ratelimit-interval-milliseconds", interval))
    };
    account.script([too_fast("1500", "1200", "7200000"), too_fast("0", "1200", "7200000")]);
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    wait_for("the second try, after the narrow limit's interval", || account.count() == 2);
    wait_for("the others", || home.deliveries("pending") == 1);
    let pending = home.rows(&["deliveries", "list", "--destination", "highlevel"]);
    assert_eq!(
        (pending[0]["state"].as_str(), &pending[0]["attempts"]),
        (Some("pending"), &json!(0)),
        "no attempt is used"
    );
    assert_eq!(account.count(), 2, "nothing is sent before the day's limit begins anew");
    home.rows(&["destinations", "resume", "highlevel"]);
    settle_down(&home);
    assert_eq!(account.contacts().len(), 1, "{}", daemon.log());
}

#[test]
fn a_token_that_was_revoked_holds_everything_until_it_is_mended() {
    let (sandboxes, account) = start();
    account.set_token("pit-another");
    let home = home_of(&account, &sandboxes);
    let daemon = home.start();
    for n in 1..4 {
        daemon.accept(&event(&format!("evt_{n}"), "checkout.session.completed", session(n, 100)));
    }
    wait_for("the hold", || state(&home)["state"] == "held");
    wait_for("the others", || home.deliveries("pending") == 3);
    assert_eq!((home.deliveries("failed"), account.contacts().len()), (0, 0));
    assert!(state(&home).to_string().contains("Private Integrations"), "{}", state(&home));
    account.set_token(TOKEN);
    home.rows(&["destinations", "resume", "highlevel"]);
    settle_down(&home);
    assert_eq!(account.contacts().len(), 3, "{}", daemon.log());
    assert!(!daemon.log().contains(TOKEN));
}

#[test]
fn two_people_who_prove_to_be_one_keep_the_older_contact_and_the_other_is_reported() {
    let (sandboxes, account) = start();
    let home = home_of(&account, &sandboxes);
    let daemon = home.start();
    for n in [1, 2] {
        daemon.accept(&event(&format!("evt_{n}"), "checkout.session.completed", session(n, 1000)));
    }
    settle_down(&home);
    assert_eq!(account.contacts().len(), 2);
    // The second customer pays with the first one's address.
    let mut both = session(3, 500);
    both["customer"] = json!("cus_000002");
    both["customer_details"]["email"] = json!("buyer1@example.com");
    daemon.accept(&event("evt_3", "checkout.session.completed", both));
    wait_for("the joint total", || {
        account.contacts().iter().any(|contact| contact.custom["6dvNaf7VhkQ9snc5vnjJ"] == "25")
    });
    settle_down(&home);
    assert_eq!(account.contacts().len(), 2, "none is made and none is taken away: {}", daemon.log());
    wait_for("word of the second record", || {
        sandboxes
            .alerts
            .alerts()
            .iter()
            .any(|alert| alert["event_type"] == "second_record" && alert["destination"] == "highlevel")
    });
    breaks_no_rule(&account);
}

#[test]
fn the_test_names_custom_fields_that_are_missing() {
    let sandboxes = Sandboxes::start();
    let account = GoHighLevelSandbox::start(TOKEN, LOCATION).unwrap();
    account.add_custom_field("7ewOag8WilR0tod6wokK", "contact.customer_since", "DATE");
    let home = home_of(&account, &sandboxes);
    let _daemon = home.start();
    let test = || {
        let output = home.command(&["--json", "destinations", "test", "highlevel"]);
        serde_json::from_slice::<Value>(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    };
    let said = test();
    assert_eq!(said["ok"], false);
    assert!(said["explanation"].as_str().unwrap().contains("no custom field `6dvNaf7VhkQ9snc5vnjJ`"), "{said}");
    account.add_custom_field("6dvNaf7VhkQ9snc5vnjJ", "contact.total_spent", "MONETORY");
    assert_eq!(test()["ok"], true);
}

#[test]
fn a_number_that_a_buyer_typed_changes_nobody_who_has_it() {
    let (sandboxes, account) = start();
    account.insert(&json!({"email": "stranger@example.com", "phone": "+493012345678", "firstName": "Sam"}), &["vip"]);
    let home = home_of(&account, &sandboxes);
    let daemon = home.start();
    for n in [1, 2] {
        let mut buyer = session(n, 100);
        buyer["customer_details"]["phone"] = json!("+493012345678");
        daemon.accept(&event(&format!("evt_{n}"), "checkout.session.completed", buyer));
        settle_down(&home);
    }
    let contacts = account.contacts();
    assert_eq!(contacts.len(), 3, "{}", daemon.log());
    let stranger = contacts.iter().find(|contact| contact.fields["email"] == "stranger@example.com").unwrap();
    assert_eq!((&stranger.fields["firstName"], stranger.tags.len()), (&json!("Sam"), 1), "{:?}", stranger.tags);
    assert!(stranger.custom.is_empty(), "no totals of somebody else's");
    for contact in contacts.iter().filter(|contact| contact.fields["email"] != "stranger@example.com") {
        assert!(contact.fields.get("phone").is_none_or(Value::is_null), "the number is the stranger's");
        assert_eq!(contact.custom["6dvNaf7VhkQ9snc5vnjJ"], "1");
    }
    assert_eq!(home.deliveries("failed"), 0);
    assert!(!sandboxes.alerts.alerts().iter().any(|alert| alert["event_type"] == "second_record"));
    breaks_no_rule(&account);
}
