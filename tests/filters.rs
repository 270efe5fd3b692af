//! Filters and consent rules by the real binary: who gets what, what is said of the rest, and what a change of them does.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use support::daemon::{Daemon, Home, Sandboxes, Settings};
use support::events::{event, refund, session};
use support::wait_for;
use tallyhook::demo::http_server::Answer;
use tallyhook::demo::sandbox::{Call, Sandbox, Served, Service};
use tallyhook::platform::clock::SystemClock;

/// A program of the user's: takes everything.
struct Program;

impl Service for Program {
    fn serve(&self, _: &Call<'_>) -> Served {
        Answer::empty(204).into()
    }
}

fn program() -> Sandbox {
    Sandbox::start(Program, Arc::new(SystemClock)).unwrap()
}

/// The transaction ids that a program was told of.
fn told(program: &Sandbox) -> BTreeSet<String> {
    let id = |body: Value| body["data"]["transaction_id"].as_str().unwrap_or("-").to_owned();
    program.requests().iter().map(|request| id(request.json())).collect()
}

fn ids(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn table(name: &str, program: &Sandbox, keys: &str) -> String {
    format!(
        "[destinations.{name}]\nkind = \"webhook\"\nurl = \"{}/hook\"\nsecret = \"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX\"\n\
         schedule = [\"0s\", \"200ms\", \"500ms\"]\nevents = [\"purchase\"]\n{keys}\n",
        program.origin()
    )
}

/// With these tables besides the usual destinations.
fn settings(tables: &[String]) -> Settings {
    Settings { more: format!("{}{}", tables.concat(), Settings::default().more), ..Settings::default() }
}

fn sale(n: u64, amount: i64, tier: &str) -> Vec<u8> {
    let mut session = session(n, amount);
    session["metadata"]["pricing_tier"] = json!(tier);
    event(&format!("evt_{n}"), "checkout.session.completed", session)
}

/// The one delivery of a destination in a state.
fn only_delivery(home: &Home, destination: &str, state: &str) -> Option<String> {
    let rows = home.rows(&["deliveries", "list", "--destination", destination, "--state", state]);
    rows.first().map(|row| row["id"].as_str().unwrap().to_owned())
}

fn preview(home: &Home, destination: &str) -> Value {
    home.rows(&["destinations", "preview", "evt_1", "--destination", destination]).remove(0)
}

fn page(home: &Home, arguments: &[&str]) -> String {
    let output = home.command(arguments);
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn reload(home: &Home, daemon: &Daemon, sandboxes: &Sandboxes, settings: &Settings) {
    home.configure(sandboxes, settings);
    let reloads = || daemon.log().matches("configuration reloaded").count();
    let before = reloads();
    daemon.signal(rustix::process::Signal::HUP);
    wait_for("the reload", || reloads() > before);
}

#[test]
fn each_destination_gets_what_its_filter_lets_through() {
    let (big, small) = (program(), program());
    let cases = "[{ pricing_tier = \"enterprise\" }, { value = { at_least = 500 }, currency = \"EUR\" }]";
    let sandboxes = Sandboxes::start();
    let home = Home::new(
        &sandboxes,
        &settings(&[
            table("big", &big, &format!("only = {cases}")),
            table("small", &small, &format!("except = {cases}")),
        ]),
    );
    let checked = page(&home, &["check"]);
    assert!(
        checked.contains(
            "  only where pricing_tier is \"enterprise\", or value is at least 500 and currency is \"eur\"\n"
        ),
        "{checked}"
    );
    assert!(checked.contains("  except where pricing_tier is"), "{checked}");
    assert!(checked.contains("  consent: analytics unless_denied\n"), "GA4's own rule is said too: {checked}");
    let daemon = home.start();
    daemon.accept(&sale(1, 49_999, "premium"));
    daemon.accept(&sale(2, 1_000, " Enterprise"));
    daemon.accept(&sale(3, 50_000, "premium"));
    wait_for("every delivery", || home.deliveries("delivered") == 3 * 3 + 3 && home.deliveries("suppressed") == 3);
    assert_eq!(told(&big), ids(&["pi_000002", "pi_000003"]));
    assert_eq!(told(&small), ids(&["pi_000001"]));

    let row = home.rows(&["destinations", "list", "--destination", "big"]).remove(0);
    assert_eq!((row["delivered"].as_u64(), row["suppressed"].as_u64()), (Some(2), Some(1)));
    let id = only_delivery(&home, "big", "suppressed").unwrap();
    let shown = page(&home, &["deliveries", "show", &id]);
    for part in [
        "suppressed, filtered, no case of `only` is met",
        "pricing_tier is \"enterprise\" (it is \"premium\")",
        "value is at least 500 (it is 499.99)",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let story = page(&home, &["events", "show", "evt_1"]);
    assert!(story.contains("value is at least 500 (it is 499.99)"), "{story}");
}

#[test]
fn what_is_given_back_of_a_sale_goes_where_the_sale_went() {
    let (big, small) = (program(), program());
    let events = "events = [\"purchase\", \"refund\"]";
    let filtered = |name: &str, program: &Sandbox, keys: &str| {
        table(name, program, keys).replace("events = [\"purchase\"]", events)
    };
    let sandboxes = Sandboxes::start();
    let home = Home::new(
        &sandboxes,
        &settings(&[
            filtered("big", &big, "only = { value = { at_least = 50 } }"),
            filtered("small", &small, "except = { value = { at_least = 50 } }"),
        ]),
    );
    let daemon = home.start();
    daemon.accept(&sale(1, 8_000, "premium"));
    daemon.accept(&sale(2, 4_000, "premium"));
    for n in [1, 2] {
        daemon.accept(&event(&format!("evt_back_{n}"), "refund.updated", refund(n, n, 2_000, "succeeded")));
    }
    let heard = |program: &Sandbox| {
        let line = |body: Value| {
            format!("{} {}", body["type"].as_str().unwrap(), body["data"]["transaction_id"].as_str().unwrap())
        };
        program.requests().iter().map(|request| line(request.json())).collect::<BTreeSet<_>>()
    };
    wait_for("every delivery", || home.deliveries("pending") == 0 && home.deliveries("suppressed") == 4);
    assert_eq!(heard(&big), ids(&["purchase pi_000001", "refund pi_000001"]));
    assert_eq!(heard(&small), ids(&["purchase pi_000002", "refund pi_000002"]));
}

#[test]
fn a_bad_filter_is_told_at_the_start_with_its_line() {
    let orders = program();
    let sandboxes = Sandboxes::start();
    let keys = "only = { pricing_teir = \"premium\" }\nexcept = { kind = { at_least = \"purchase\" } }\nconsent = { ads = \"yes\" }";
    let home = Home::new(&sandboxes, &settings(&[table("orders", &orders, keys)]));
    let text = std::fs::read_to_string(home.config()).unwrap();
    let line = |key: &str| text.lines().position(|line| line.starts_with(key)).unwrap() + 1;
    for command in ["check", "serve"] {
        let output = home.command(&[command]);
        assert_eq!(output.status.code(), Some(2));
        let told = String::from_utf8_lossy(&output.stderr);
        for wanted in [
            format!(
                ":{}: destinations.orders.only.pricing_teir: is not known of any event or person; did you mean \"pricing_tier\"?",
                line("only")
            ),
            format!(
                ":{}: destinations.orders.except.kind.at_least: does not suit kind, which holds texts",
                line("except")
            ),
            format!(":{}: destinations.orders.consent.ads: must be \"required\"", line("consent")),
        ] {
            assert!(told.contains(&wanted), "{wanted}\nin\n{told}");
        }
    }
}

#[test]
fn a_widened_filter_lets_a_person_send_what_was_kept_back() {
    let (orders, tasks) = (program(), program());
    let sandboxes = Sandboxes::start();
    let dear = "only = { value = { at_least = 100 }, email = { known = true } }";
    let home = Home::new(&sandboxes, &settings(&[table("orders", &orders, dear), table("tasks", &tasks, dear)]));
    let daemon = home.start();
    daemon.accept(&sale(1, 9_900, "premium"));
    wait_for("the rule", || home.deliveries("suppressed") == 2);
    let row = preview(&home, "orders");
    assert_eq!((row["result"].as_str(), row["reason"].as_str()), (Some("would_suppress"), Some("filtered")));
    let why = row["explanation"].as_str().unwrap();
    assert_eq!(why, "`only` lets through where value is at least 100 (it is 99)", "what is met is not told");
    let id = only_delivery(&home, "orders", "suppressed").unwrap();
    let refused = page(&home, &["failed", "retry", &id]);
    assert!(refused.contains("suppressed now (filtered): `only` lets through where value"), "{refused}");
    let rehearsed = page(&home, &["failed", "retry", &id, "--dry-run"]);
    assert!(rehearsed.contains("would be suppressed (filtered): `only` lets through where value"), "{rehearsed}");

    let wide = "only = { value = { at_least = 99.00 } }";
    reload(&home, &daemon, &sandboxes, &settings(&[table("orders", &orders, wide), table("tasks", &tasks, wide)]));
    assert_eq!(preview(&home, "orders")["result"], "would_send");
    let shown = page(&home, &["deliveries", "show", &id]);
    assert!(
        shown.contains(&format!("nothing keeps it back any more: `tallyhook failed retry {id}` sends it")),
        "{shown}"
    );
    assert!(orders.requests().is_empty() && tasks.requests().is_empty(), "nobody asked so far");
    home.rows(&["failed", "retry", &id]);
    wait_for("the retry", || told(&orders) == ids(&["pi_000001"]));
    let replay = page(&home, &["events", "replay", "evt_1", "--dry-run"]);
    assert!(replay.contains("1 delivery taken up again"), "{replay}");
    let replay = home.rows(&["events", "replay", "evt_1"]);
    assert_eq!((replay[0]["deliveries_added"].as_u64(), replay[0]["deliveries_taken_up"].as_u64()), (Some(0), Some(1)));
    wait_for("the replay", || told(&tasks) == ids(&["pi_000001"]));
    wait_for("the end", || home.deliveries("delivered") == 5);
    let again = home.rows(&["events", "replay", "evt_1"]);
    assert_eq!(again[0]["result"], "unchanged", "{}", again[0]);
    assert_eq!((orders.requests().len(), tasks.requests().len()), (1, 1), "each was told once");
}

#[test]
fn a_reload_holds_for_what_is_not_sent_yet() {
    let (orders, tasks) = (program(), program());
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &settings(&[table("orders", &orders, ""), table("tasks", &tasks, "")]));
    let daemon = home.start();
    for name in ["orders", "tasks", "crm"] {
        home.rows(&["destinations", "pause", name]);
    }
    daemon.accept(&sale(1, 9_900, "premium"));
    wait_for("the others", || home.deliveries("delivered") == 2 && home.deliveries("pending") == 3);
    let narrow = "except = { pricing_tier = { starts_with = \"PREM\" } }";
    let tables = [table("orders", &orders, narrow), table("tasks", &tasks, "").replace("\"purchase\"", "\"refund\"")];
    let text = settings(&tables);
    reload(&home, &daemon, &sandboxes, &text);
    for name in ["orders", "tasks", "crm"] {
        home.rows(&["destinations", "resume", name]);
    }
    wait_for("the end", || home.deliveries("pending") == 0);
    assert_eq!((home.deliveries("delivered"), home.deliveries("suppressed")), (3, 2));
    assert!(orders.requests().is_empty() && tasks.requests().is_empty());
    let shown = |name| page(&home, &["deliveries", "show", &only_delivery(&home, name, "suppressed").unwrap()]);
    let why = shown("orders");
    assert!(why.contains("`except` keeps back where pricing_tier starts with \"prem\" (it is \"premium\")"), "{why}");
    let why = shown("tasks");
    assert!(why.contains("`events` of tasks doesn't name purchase"), "{why}");
}

#[test]
fn consent_that_is_asked_for_and_missing_is_named() {
    let (ads, measured) = (program(), program());
    let sandboxes = Sandboxes::start();
    let tables = [
        table("ads", &ads, "consent = { ads = \"required\" }"),
        table("measured", &measured, "consent = { analytics = \"unless_denied\" }"),
    ];
    let home = Home::new(&sandboxes, &settings(&tables));
    let daemon = home.start();
    let mut no = session(1, 9_900);
    no["metadata"]["consent_analytics"] = json!("false");
    daemon.accept(&event("evt_1", "checkout.session.completed", no));
    let mut yes = session(2, 9_900);
    yes["metadata"]["consent_ads"] = json!("true");
    daemon.accept(&event("evt_2", "checkout.session.completed", yes));
    // GA4 asks whether the person may be measured, too.
    wait_for("the end", || home.deliveries("suppressed") == 3 && home.deliveries("pending") == 0);
    assert_eq!((told(&ads), told(&measured)), (ids(&["pi_000002"]), ids(&["pi_000002"])));
    for (name, words) in [
        ("ads", "consent to ads: nobody said yes or no, and it is required"),
        ("measured", "consent to analytics: the person said no, at 20"),
        ("ga4", "consent to analytics: the person said no, at 20"),
    ] {
        let row = preview(&home, name);
        assert_eq!((row["result"].as_str(), row["reason"].as_str()), (Some("would_suppress"), Some("no_consent")));
        assert!(row["explanation"].as_str().unwrap().starts_with(words), "{row}");
        let shown = page(&home, &["deliveries", "show", &only_delivery(&home, name, "suppressed").unwrap()]);
        assert!(shown.contains(&format!("suppressed, no_consent, {words}")), "{shown}");
    }
}
