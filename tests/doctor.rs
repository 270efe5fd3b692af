//! `tallyhook doctor` over the real binary: a healthy set-up, and what it says of each thing that is not.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod support;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use support::daemon::{Home, Sandboxes, Settings};
use support::events::{charge, event, intent, session};

/// A set-up with nothing wrong, `more` in place of what `old` says.
fn home(sandboxes: &Sandboxes, changes: &[(&str, &str)]) -> Home {
    let settings = Settings { server: "public_url = \"http://localhost\"", ..Settings::default() };
    let home = Home::new(sandboxes, &settings);
    let mut text = fs::read_to_string(home.config()).unwrap();
    for (old, new) in changes {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    fs::write(home.config(), text).unwrap();
    fs::set_permissions(home.config(), Permissions::from_mode(0o640)).unwrap();
    home
}

/// The findings, and the exit code.
fn examined(home: &Home) -> (Vec<Value>, i32) {
    let output = home.command(&["--json", "doctor"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")));
    (rows.collect(), output.status.code().unwrap())
}

/// The one finding of a check.
fn finding<'a>(findings: &'a [Value], check: &str) -> &'a Value {
    let mut found = findings.iter().filter(|finding| finding["check"] == check);
    let one = found.next().unwrap_or_else(|| panic!("no {check} in {findings:#?}"));
    assert!(found.next().is_none(), "{check} twice in {findings:#?}");
    one
}

fn assert_level(findings: &[Value], check: &str, level: &str) {
    assert_eq!(finding(findings, check)["level"], level, "{findings:#?}");
}

/// Whatever the disk of this machine is like.
fn not_ok(findings: &[Value]) -> Vec<&Value> {
    findings.iter().filter(|finding| finding["level"] != "ok" && finding["check"] != "fsync").collect()
}

#[test]
fn a_healthy_set_up_is_ok_throughout() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, &[]);
    let daemon = home.start();
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    daemon.accept(&event("evt_2", "payment_intent.succeeded", intent(1, 9900)));
    daemon.accept(&event("evt_3", "charge.succeeded", charge(1, 9900)));
    let (findings, code) = examined(&home);
    assert_eq!(not_ok(&findings), Vec::<&Value>::new(), "{findings:#?}");
    assert_eq!(code, 0);
    for check in [
        "configuration",
        "daemon",
        "dns",
        "port",
        "disk",
        "fsync",
        "permissions.configuration",
        "permissions.state",
        "destination.ga4",
        "destination.crm",
        "destination.mailerlite",
        "clock",
        "failed",
        "events.stripe",
    ] {
        let found = finding(&findings, check);
        assert_eq!(found["fix"].is_null(), found["level"] == "ok", "{found}");
    }
    assert!(
        sandboxes.mailerlite.requests().iter().filter(|asked| asked.method != "GET").count() <= 1,
        "a doctor only reads"
    );
    let page = home.command(&["doctor"]);
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains("ok       destination.crm: "), "{page}");
    assert!(page.trim_end().ends_with("0 to put right"), "{page}");
}

#[test]
fn revoked_keys_missing_groups_and_open_files_are_errors_with_a_fix() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, &[]);
    sandboxes.crm.set_api_key("another_key_from_now_on");
    sandboxes.mailerlite.delete_group("102");
    fs::set_permissions(home.path(), Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(home.config(), Permissions::from_mode(0o644)).unwrap();
    let (findings, code) = examined(&home);
    assert_eq!(code, 1);
    let crm = finding(&findings, "destination.crm");
    assert_eq!(crm["level"], "error");
    assert!(crm["fix"].as_str().unwrap().contains("make a new key"), "{crm}");
    let mailerlite = finding(&findings, "destination.mailerlite");
    assert_eq!(mailerlite["level"], "error");
    assert!(mailerlite["message"].as_str().unwrap().contains("no group 102"), "{mailerlite}");
    let open = finding(&findings, "permissions.configuration");
    assert_eq!(open["level"], "error");
    assert!(open["fix"].as_str().unwrap().contains("chmod 0640"), "{open}");
    assert_level(&findings, "destination.ga4", "ok");
    // Nothing runs and there are no books yet, which is right before the first start.
    assert_level(&findings, "daemon", "warning");
    assert!(findings.iter().all(|finding| finding["check"] != "store"), "{findings:#?}");
    let output = home.command(&["doctor"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("3 errors were found"), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("crm_key_for_tests"));
}

#[test]
fn a_disk_without_room_is_an_error() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, &[("reserve = \"1MiB\"", "reserve = \"1000GiB\"")]);
    let (findings, code) = examined(&home);
    assert_eq!(code, 1, "{findings:#?}");
    let disk = finding(&findings, "disk");
    assert!(disk["message"].as_str().unwrap().contains("no webhook is taken"), "{disk}");
}

/// A CRM that knows nobody, and whose clock is so many seconds behind.
fn crm_of_the_past(seconds: u64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let date = httpdate::fmt_http_date(SystemTime::now() - Duration::from_secs(seconds));
            let head =
                format!("HTTP/1.1 200 OK\r\nDate: {date}\r\nContent-Type: application/json\r\nConnection: close\r\n");
            stream.write_all(format!("{head}Content-Length: 2\r\n\r\n[]").as_bytes()).unwrap();
        }
    });
    format!("http://{address}")
}

#[test]
fn a_clock_that_destinations_disagree_with_is_told() {
    let sandboxes = Sandboxes::start();
    for (seconds, level) in [(2, "ok"), (100, "warning"), (3600, "error")] {
        let home = home(&sandboxes, &[(&sandboxes.crm.base_url(), &crm_of_the_past(seconds))]);
        let (findings, code) = examined(&home);
        let clock = finding(&findings, "clock");
        assert_eq!(clock["level"], level, "{findings:#?}");
        assert_eq!(code, i32::from(level == "error"));
        if level != "ok" {
            assert!(clock["message"].as_str().unwrap().contains("ahead of"), "{clock}");
            assert!(clock["fix"].as_str().unwrap().contains("timedatectl"), "{clock}");
        }
    }
}

#[test]
fn an_event_that_nobody_ticked_is_named_with_the_place_to_tick_it() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, &[]);
    let daemon = home.start();
    let (findings, _) = examined(&home);
    assert_level(&findings, "events.stripe", "warning");
    let invoice = json!({"id": "in_1", "object": "invoice", "status": "paid", "amount_paid": 100, "total": 100, "currency": "eur",
        "customer": "cus_1", "metadata": {}});
    daemon.accept(&event("evt_1", "invoice.paid", invoice));
    let (findings, code) = examined(&home);
    let events = finding(&findings, "events.stripe");
    assert_eq!(events["level"], "warning");
    assert!(events["message"].as_str().unwrap().contains("invoice_payment.paid"), "{events}");
    let fix = events["fix"].as_str().unwrap();
    assert!(fix.contains("tick invoice_payment.paid") && fix.contains("/api/webhooks/stripe"), "{fix}");
    assert_eq!(code, 0, "a warning is no error");
}

#[test]
fn the_certificate_is_looked_at_as_a_sender_sees_it() {
    let sandboxes = Sandboxes::start();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let home = home(&sandboxes, &[("listen = \"127.0.0.1:0\"", &format!("listen = \"127.0.0.1:{port}\""))]);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(home.path().join("cert.pem"), made.cert.pem()).unwrap();
    fs::write(home.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let text = fs::read_to_string(home.config()).unwrap();
    let tls = "[server]\ntls = { mode = \"files\", cert = \"cert.pem\", key = \"key.pem\" }\n";
    let text = text.replace("[server]\n", tls).replace("http://localhost\"", "https://localhost\"");
    fs::write(home.config(), &text).unwrap();
    // While nothing runs, the files tell.
    let (findings, _) = examined(&home);
    let certificate = finding(&findings, "certificate");
    assert_eq!(certificate["level"], "ok", "{certificate}");
    assert!(certificate["message"].as_str().unwrap().contains("for localhost is good for"), "{certificate}");
    let another = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(home.path().join("key.pem"), another.signing_key.serialize_pem()).unwrap();
    let (findings, code) = examined(&home);
    let certificate = finding(&findings, "certificate");
    assert_eq!((certificate["level"].as_str(), code), (Some("error"), 1), "{certificate}");
    assert!(certificate["message"].as_str().unwrap().contains("key.pem"), "{certificate}");
    fs::write(home.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();

    let _daemon = home.start();
    let (findings, _) = examined(&home);
    assert_level(&findings, "port", "ok");
    let certificate = finding(&findings, "certificate");
    assert_eq!(certificate["level"], "warning", "nobody signed it: {certificate}");
    assert!(certificate["message"].as_str().unwrap().contains("for localhost is good for"), "{certificate}");

    fs::write(home.config(), text.replace("https://localhost\"", "https://127.0.0.1\"")).unwrap();
    let (findings, code) = examined(&home);
    let certificate = finding(&findings, "certificate");
    assert_eq!((certificate["level"].as_str(), code), (Some("error"), 1));
    assert!(certificate["message"].as_str().unwrap().contains("not for 127.0.0.1"), "{certificate}");
}

#[test]
fn a_wrong_configuration_is_told_as_check_tells_it() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes, &[("kind = \"rest\"", "kind = \"rust\"")]);
    let (findings, code) = examined(&home);
    assert_eq!(code, 2);
    assert_eq!(findings[0]["check"], "configuration");
    assert!(findings[0]["fix"].as_str().unwrap().contains("rest"), "{findings:#?}");
    let told = home.command(&["doctor"]);
    let checked = home.command(&["check"]);
    assert_eq!(told.stderr, checked.stderr);
}
