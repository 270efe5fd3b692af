//! Leads through the real binary: who may post, what is refused, and what a purchase gets from it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::daemon::{Daemon, Home, Sandboxes, Settings};
use support::events::{event, session};
use support::http::{Answer, get, send};
use support::wait_for;

const PAGE: &str = "https://www.shop.example";

fn home(sandboxes: &Sandboxes, leads: &str) -> Home {
    let more = format!(
        "[leads]\norigins = [\"{PAGE}\"]\nsettle = \"300ms\"\n{leads}\n[identity]\ndefault_country = \"DE\"\n[alerting]\n\
         group_wait = \"200ms\"\ngroup_interval = \"500ms\"\n"
    );
    Home::new(sandboxes, &Settings { more, ..Settings::default() })
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn post(daemon: &Daemon, body: &Value) -> Answer {
    let headers = [header("origin", PAGE), header("content-type", "text/plain")];
    send(daemon.address, "POST", "/api/leads", &headers, body.to_string().as_bytes()).unwrap()
}

fn settle_down(home: &Home) {
    wait_for("every delivery to end", || home.deliveries("pending") == 0);
}

/// A purchase that knows nothing but a lead id.
fn bare_session(n: u64, lead_id: &str) -> Value {
    let mut session = session(n, 9900);
    session["metadata"] = json!({});
    session["client_reference_id"] = json!(lead_id);
    session
}

#[test]
fn a_purchase_with_only_a_client_reference_id_is_told_with_the_browsers_ids() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, "rate_limit = \"off\"");
    let daemon = home.start();
    let now = support::events::now();
    let answer = post(
        &daemon,
        &json!({
            "lead_id": "th_0123456789", "_ga": "GA1.1.1234567890.1747132561",
            "_ga_TEST123456": format!("GS2.1.s{}$o1$g0$t1747132655$j0$l0$h0", now - 60), "utm_source": "news",
            "utm_campaign": "spring", "gclid": "click1", "consent": {"analytics": true},
        }),
    );
    assert_eq!((answer.status, answer.json()), (202, json!({"lead_id": "th_0123456789"})), "{}", answer.body);
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some(PAGE));
    daemon.accept(&event("evt_1", "checkout.session.completed", bare_session(1, "th_0123456789")));
    settle_down(&home);
    let told: Vec<Value> = sandboxes
        .ga4
        .requests_from(0)
        .iter()
        .map(|request| request.json())
        .filter(|body: &Value| body["events"][0]["name"] == "purchase")
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["client_id"], "1234567890.1747132561");
    assert_eq!(told[0]["events"][0]["params"]["session_id"].to_string().trim_matches('"'), (now - 60).to_string());
    let status = &home.rows(&["status"])[0];
    assert_eq!(status["sales_from"]["last_7_days"], json!({"sales": 1, "client_id": 1, "session_id": 1, "utm": 1}));
    assert_eq!(status["leads"], 1);
    let contact = &home.rows(&["contacts", "show", "th_0123456789"])[0];
    assert_eq!(contact["consent_said"]["analytics"]["by"], "browser");
    assert_eq!(contact["first_touch"]["utm_campaign"], "spring");
    let shown = &home.rows(&["events", "show", "evt_1"])[0];
    assert!(shown.to_string().contains(r#""consent":{"ads":null,"analytics":true"#), "{shown}");
    assert!(!daemon.log().contains("th_0123456789"), "a lead id is nobody's business in logs");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_form_makes_a_lead_that_is_told_once_and_a_trap_makes_none() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, "rate_limit = \"off\"");
    let daemon = home.start();
    let form = json!({
        "lead_id": "th_0000000001", "email": "Jane@Example.com", "phone": "030 1234567", "name": "Jane",
        "client_id": "11.22", "consent": {"email": true},
    });
    assert_eq!(post(&daemon, &form).status, 202);
    assert_eq!(post(&daemon, &form).status, 202, "a repeat is harmless");
    assert_eq!(
        post(&daemon, &json!({"email": "bot@example.com", "trap": "x", "consent": {"email": true}})).status,
        202
    );
    wait_for("the lead at the CRM", || sandboxes.crm.count() > 0);
    settle_down(&home);
    let crm = sandboxes.crm.contacts();
    assert_eq!(crm.len(), 1, "{crm:?}");
    let told = &crm[0].fields;
    assert_eq!((&told["email"], &told["phone"]), (&json!("jane@example.com"), &json!("+49301234567")));
    let shown = &home.rows(&["contacts", "show", "th_0000000001"])[0];
    assert_eq!((&shown["unverified"], &shown["stage"]), (&json!(true), &json!("lead")));
    // She buys without any lead id: the same person and the same record.
    let mut bought = session(1, 9900);
    bought["metadata"] = json!({});
    bought["customer_details"]["email"] = json!("jane@example.com");
    daemon.accept(&event("evt_1", "checkout.session.completed", bought));
    settle_down(&home);
    let crm = sandboxes.crm.contacts();
    assert_eq!(crm.len(), 1, "{crm:?}");
    assert_eq!(crm[0].fields["lifecycle_stage"], "customer");
    assert!(!daemon.log().contains("ane@"), "{}", daemon.log());
}

#[test]
fn only_the_configured_pages_may_post_and_only_so_much() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, "rate_limit = \"10/min\"\nmax_kept = 1");
    let daemon = home.start();
    let ask = |method: &str, origin: Option<&str>, body: &[u8]| {
        let headers: Vec<_> = origin.map(|origin| header("origin", origin)).into_iter().collect();
        send(daemon.address, method, "/api/leads", &headers, body).unwrap()
    };
    for origin in [None, Some("https://evil.example"), Some("null"), Some("https://www.shop.example.evil.example")] {
        let answer = ask("POST", origin, b"{}");
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (403, None), "{origin:?}");
        assert_eq!(ask("OPTIONS", origin, b"").status, 403);
    }
    let preflight = ask("OPTIONS", Some(PAGE), b"");
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-headers").as_deref(), Some("content-type"));
    assert_eq!(ask("GET", Some(PAGE), b"").status, 405);
    assert_eq!(post(&daemon, &json!({"lead_id": "th_0000000001", "utm_source": "a"})).status, 202);
    let limited = post(&daemon, &json!({"lead_id": "th_0000000001", "utm_source": "b"}));
    assert_eq!((limited.status, &limited.json()["error"]), (429, &json!("rate_limited")));
    assert!(limited.header("retry-after").is_some());
    assert_eq!(home.rows(&["status"])[0]["leads"], 1);
}

#[test]
fn what_is_absurd_or_too_much_is_refused_and_the_daemon_goes_on() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, "rate_limit = \"off\"\nmax_kept = 1");
    let daemon = home.start();
    for (body, field) in [
        (json!([]), json!(null)),
        (json!({"lead_id": "a b"}), json!("lead_id")),
        (json!({"email": "nobody"}), json!("email")),
        (json!({"utm_source": "x".repeat(300)}), json!("utm_source")),
    ] {
        let answer = post(&daemon, &body);
        assert_eq!((answer.status, &answer.json()["field"]), (400, &field), "{body}");
    }
    assert_eq!(post(&daemon, &json!({"name": "x".repeat(20_000)})).status, 413);
    let made_up = post(&daemon, &json!({"utm_source": "a"}));
    let id = made_up.json()["lead_id"].as_str().unwrap().to_owned();
    assert!(made_up.status == 202 && id.starts_with("th_") && id.len() == 35, "{id}");
    // A name or a link that can't be so does not cost the address.
    let odd = json!({"lead_id": id, "email": "jim@example.com", "name": "Jim <3", "utm_source": "x".repeat(300)});
    let answer = post(&daemon, &odd);
    assert_eq!((answer.status, answer.json()), (202, json!({"lead_id": id, "left_out": ["utm_source"]})));
    wait_for("Jim", || home.command(&["contacts", "show", "jim@example.com"]).status.success());
    assert_eq!(post(&daemon, &json!({"lead_id": id, "utm_source": "b"})).status, 202);
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn visitors_take_no_room_of_who_leaves_an_address_and_the_owner_hears_of_limits() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, "rate_limit = \"off\"\nmax_kept = 20\nmax_per_day = 60");
    let daemon = home.start();
    let visit = |number: usize| post(&daemon, &json!({"lead_id": format!("th_visitor_{number}"), "utm_source": "a"}));
    assert_eq!(post(&daemon, &json!({"lead_id": "th_jane_0001", "email": "jane@example.com"})).status, 202);
    for number in 0..59 {
        wait_for("room for a visitor", || visit(number).status == 202 || visit(60).json()["error"] == "daily_limit");
    }
    assert_eq!(visit(60).json()["error"], "daily_limit");
    for number in 0..5 {
        let form = json!({"lead_id": format!("th_form_{number}"), "phone": format!("030 12345{number}7")});
        assert_eq!(post(&daemon, &form).status, 202, "{number}");
    }
    wait_for("room", || home.rows(&["status"])[0]["leads"].as_u64().unwrap() < 20);
    assert!(home.command(&["contacts", "show", "jane@example.com"]).status.success());
    let status = &home.rows(&["status"])[0];
    assert_eq!(status["ok"], false);
    assert!(status["problems"].to_string().contains("turned away today"), "{status}");
    wait_for("an alert", || {
        let alerts = sandboxes.alerts.requests_from(0);
        alerts.iter().any(|request| request.json()["event_type"] == "leads_turned_away")
    });
}

#[test]
fn a_second_person_at_one_browser_gets_an_answer_of_their_own() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, "rate_limit = \"off\"");
    let daemon = home.start();
    for (name, id) in [("First", "th_kiosk0001"), ("Second", "th_kiosk0001-2"), ("Third", "th_kiosk0001-3")] {
        let form = json!({"lead_id": "th_kiosk0001", "email": format!("{name}@example.com"), "name": name});
        assert_eq!(post(&daemon, &form).json(), json!({"lead_id": id}));
        assert_eq!(post(&daemon, &form).status, 202, "a repeat is harmless");
    }
    wait_for("all of them at the CRM", || sandboxes.crm.contacts().len() == 3);
    assert_eq!(home.rows(&["status"])[0]["leads"], 3);
}

#[test]
fn without_origins_there_are_no_leads_and_no_script() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    assert_eq!(get(daemon.address, "/lead.js").status, 404);
    assert_eq!(post(&daemon, &json!({})).status, 404);
}

#[test]
fn the_script_is_small_and_kept_by_browsers() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, "");
    let daemon = home.start();
    let script = get(daemon.address, "/lead.js");
    assert_eq!(script.status, 200);
    assert!(script.header("content-type").unwrap().starts_with("text/javascript"));
    assert!(!script.body.contains("__CONFIG__") && !script.body.contains("eval("));
    let mut gzip = Command::new("gzip").arg("-9c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    gzip.stdin.take().unwrap().write_all(script.body.as_bytes()).unwrap();
    let packed = gzip.wait_with_output().unwrap().stdout.len();
    assert!(packed < 3 << 10, "{packed} bytes");
    let etag = script.header("etag").unwrap();
    let again = send(daemon.address, "GET", "/lead.js", &[header("if-none-match", &etag)], b"").unwrap();
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(send(daemon.address, "POST", "/lead.js", &[], b"").unwrap().status, 405);
}
