//! A person is erased by the real binary: nothing of them is left in the file, the money is, and what comes later changes neither.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::daemon::{Daemon, Home, Sandboxes, Settings};
use support::events::{charge, event, refund, session};
use support::http::send;
use support::wait_for;

const PAGE: &str = "https://www.shop.example";
/// Everything that tells who the first buyer is, as it may stand in the file.
const TRACES: [&str; 5] = ["buyer1@example.com", "buyer%201", "buyer number1", "lead-000001", "1234560001.1747132561"];

fn home(sandboxes: &Sandboxes) -> Home {
    let more = format!(
        "[leads]\norigins = [\"{PAGE}\"]\nsettle = \"300ms\"\nrate_limit = \"off\"\n[alerting]\ngroup_wait = \"200ms\"\n\
         group_interval = \"500ms\"\n"
    );
    Home::new(sandboxes, &Settings { more, ..Settings::default() })
}

fn settle_down(home: &Home) {
    wait_for("every delivery to end", || home.deliveries("pending") == 0);
}

/// Requests that changed something, at all destinations together.
fn told(sandboxes: &Sandboxes) -> usize {
    sandboxes.ga4.requests_from(0).len()
        + sandboxes.mailerlite.requests_from(0).iter().filter(|asked| asked.method != "GET").count()
        + sandboxes.crm.requests_from(0).len()
}

/// The traces that the store's file has in it anywhere, in any case.
fn left_in(home: &Home, traces: &[&'static str]) -> Vec<&'static str> {
    let file = std::fs::read(home.path().join("store.redb")).unwrap().to_ascii_lowercase();
    traces.iter().filter(|trace| file.windows(trace.len()).any(|bytes| bytes == trace.as_bytes())).copied().collect()
}

fn totals(home: &Home, who: &str) -> (Value, Value, Value) {
    let row = home.rows(&["contacts", "show", who]).remove(0);
    (row["totals"].clone(), row["purchases"].clone(), row["refunds"].clone())
}

fn lead(daemon: &Daemon, body: &Value) -> u16 {
    let headers = [("origin".to_owned(), PAGE.to_owned()), ("content-type".to_owned(), "text/plain".to_owned())];
    send(daemon.address, "POST", "/api/leads", &headers, body.to_string().as_bytes()).unwrap().status
}

/// Something that nobody counts, with the person's address in it.
fn invitee(id: &str) -> Vec<u8> {
    event(
        id,
        "identity.verification_session.created",
        json!({
            "id": "vs_1", "object": "identity.verification_session", "provided_details": {"email": "Buyer1@example.com"},
        }),
    )
}

#[test]
fn an_erased_person_is_gone_from_the_file_and_a_late_refund_counts_without_a_name() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes);
    let daemon = home.start();
    assert_eq!(lead(&daemon, &json!({"lead_id": "lead-000001", "utm_source": "news"})), 202);
    for n in 1..=3 {
        daemon.accept(&event(&format!("evt_{n}"), "checkout.session.completed", session(n, 9900)));
        daemon.accept(&event(&format!("evt_c{n}"), "charge.succeeded", charge(n, 9900)));
    }
    assert_eq!(daemon.post(&invitee("evt_v1")).status, 200);
    settle_down(&home);
    assert!(left_in(&home, &TRACES).contains(&"lead-000001"), "the test can see what is there");
    let contact = home.rows(&["contacts", "show", "buyer1@example.com"])[0]["id"].as_str().unwrap().to_owned();

    // What is known is handed out whole.
    let known = home.rows(&["contacts", "export", "buyer1@example.com"]).remove(0);
    assert_eq!(known["contact"]["person"]["email"], "buyer1@example.com");
    assert_eq!(known["contact"]["person"]["name"], "Buyer Number1");
    assert_eq!(known["webhooks"].as_array().unwrap().len(), 3, "with the one that counted nothing");
    assert!(known["webhooks"][0]["body"].as_str().unwrap().contains("Buyer1@Example.com"));
    assert_eq!(known["business_events"][0]["kind"], "purchase");
    assert!(!known["business_events"][0]["deliveries"][0]["history"].as_array().unwrap().is_empty());
    assert_eq!(known["leads"][0]["id"], "lead-000001");
    assert!(!known.to_string().to_lowercase().contains("buyer2"), "nobody else");

    // Nothing happens unasked.
    let output = home.command(&["contacts", "forget", "buyer1@example.com"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("--yes"));
    let rehearsed = home.rows(&["contacts", "forget", "buyer1@example.com", "--dry-run"]).remove(0);
    assert_eq!((&rehearsed["result"], &rehearsed["bodies"]), (&json!("would_forget"), &json!(3)));
    assert_eq!(home.rows(&["contacts", "show", "buyer1@example.com"])[0]["erased"], false);

    let row = home.rows(&["contacts", "forget", "buyer1@example.com", "--yes"]).remove(0);
    assert_eq!((&row["result"], &row["unused_room_overwritten"]), (&json!("forgotten"), &json!(true)));
    let places = row["at_destinations"].as_array().unwrap();
    let how = |name: &str| places.iter().find(|place| place["destination"] == name).unwrap()["how"].to_string();
    assert!(how("mailerlite").contains("/forget"), "{row}");
    assert!(how("ga4").contains("1234560001.1747132561"), "{row}");
    assert_eq!(left_in(&home, &TRACES), [] as [&str; 0]);
    let output = home.command(&["contacts", "show", "buyer1@example.com"]);
    assert!(!output.status.success(), "nobody is known by it");
    assert_eq!(totals(&home, &contact), (json!(["99.00 EUR"]), json!(1), json!(0)));
    assert_eq!(totals(&home, "buyer2@example.com").0, json!(["99.00 EUR"]));

    // What comes late counts, rebuilds nobody and is told to nobody.
    let before = told(&sandboxes);
    daemon.accept(&event("evt_r", "refund.updated", refund(1, 1, 2500, "succeeded")));
    let mut late = charge(1, 9900);
    late["billing_details"]["name"] = json!("Buyer Number1");
    daemon.accept(&event("evt_c1_again", "charge.succeeded", late));
    daemon.accept(&event(
        "evt_u",
        "customer.updated",
        json!({"id": "cus_000001", "object": "customer", "email": "Buyer1@example.com", "name": "Buyer Number1"}),
    ));
    assert_eq!(daemon.post(&invitee("evt_v2")).status, 200);
    assert_eq!(lead(&daemon, &json!({"lead_id": "lead-000001", "email": "buyer1@example.com"})), 202);
    settle_down(&home);
    wait_for("the refund to count", || totals(&home, &contact).2 == json!(1));
    assert_eq!(totals(&home, &contact), (json!(["74.00 EUR"]), json!(1), json!(1)));
    settle_down(&home);
    assert_eq!(told(&sandboxes), before);
    assert_eq!(left_in(&home, &TRACES), [] as [&str; 0]);
    let suppressed = home.rows(&["deliveries", "list", "--state", "suppressed"]);
    assert!(suppressed.iter().any(|row| row["reason"] == "erased" && row["kind"] == "refund"), "{suppressed:?}");

    // A repeat is one, and another sale of the same person counts where the person's money is.
    assert_eq!(
        daemon.post(&event("evt_1", "checkout.session.completed", session(1, 9900))).json()["status"],
        "duplicate"
    );
    let mut again = session(4, 1000);
    again["customer_details"] = session(1, 1)["customer_details"].clone();
    again["metadata"] = session(1, 1)["metadata"].clone();
    daemon.accept(&event("evt_4", "checkout.session.completed", again));
    wait_for("the sale to count", || totals(&home, &contact).1 == json!(2));
    settle_down(&home);
    assert_eq!(told(&sandboxes), before);
    assert_eq!(left_in(&home, &TRACES), [] as [&str; 0]);
    // Others are told as ever.
    daemon.accept(&event("evt_r2", "refund.updated", refund(2, 1, 2500, "succeeded")));
    wait_for("the others", || told(&sandboxes) > before);
    assert!(!daemon.log().contains('@'), "{}", daemon.log());
    let again = home.rows(&["contacts", "forget", "buyer1@example.com", "--yes"]).remove(0);
    assert_eq!(again["forgotten_before"], true);
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn what_waits_for_an_erased_person_is_not_sent_and_it_works_without_a_daemon() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes);
    let daemon = home.start();
    home.rows(&["destinations", "pause", "mailerlite"]);
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    wait_for("the rest to be told", || home.deliveries("pending") == 1);
    assert_eq!(daemon.stop(), 0);

    let row = home.rows(&["contacts", "forget", "buyer1@example.com", "--yes"]).remove(0);
    assert_eq!((&row["result"], &row["deliveries_suppressed"]), (&json!("forgotten"), &json!(1)));
    assert_eq!(left_in(&home, &TRACES), [] as [&str; 0]);
    assert_eq!(home.deliveries("pending"), 0);
    let output = home.command(&["contacts", "forget", "nobody@example.com", "--yes"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("nobody is known by that"), "{said}");

    let daemon = home.start();
    home.rows(&["destinations", "resume", "mailerlite"]);
    let suppressed = home.rows(&["deliveries", "list", "--destination", "mailerlite"]).remove(0);
    assert_eq!((&suppressed["state"], &suppressed["reason"]), (&json!("suppressed"), &json!("erased")));
    let id = suppressed["id"].as_str().unwrap();
    home.command(&["failed", "retry", id]);
    assert_eq!(home.rows(&["deliveries", "show", id])[0]["reason"], "erased", "nor by hand");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn our_own_number_means_nobody_who_is_called_so_elsewhere() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes);
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    let mut other = session(2, 9900);
    other["client_reference_id"] = json!("c1");
    other["metadata"]["user_id"] = json!("c1");
    daemon.accept(&event("evt_2", "checkout.session.completed", other));
    settle_down(&home);
    let named = |who: &str| -> Vec<String> {
        let rows = home.rows(&["contacts", "forget", who, "--dry-run"]);
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(named("c1"), ["c1"]);
    assert_eq!(named("user:c1"), ["c2"]);
    let refused = home.command(&["contacts", "forget", "c9", "--yes"]);
    assert!(!refused.status.success());
    drop(daemon);
}
