//! `tallyhook setup` over the real binary, with nobody to ask: what it writes works, and it never writes over anything.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;
use support::daemon::Sandboxes;
use support::events::{self, SECRET, event, session};
use support::{http, wait_for};

/// A folder to set up in, with files of secrets.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.secret("stripe.txt", SECRET);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn secret(&self, name: &str, secret: &str) -> String {
        fs::write(self.path(name), format!("{secret}\n")).unwrap();
        self.path(name).display().to_string()
    }

    fn config(&self) -> PathBuf {
        self.path("etc/tallyhook.toml")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tallyhook"));
        command.arg("--config").arg(self.config()).args(arguments).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What is in the folder of the configuration.
    fn written(&self) -> Vec<String> {
        let entries =
            fs::read_dir(self.path("etc")).map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
        let mut names: Vec<String> =
            entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Killed when the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_it_writes_is_valid_closed_to_others_and_runs_until_the_first_event() {
    let place = Place::new();
    let sandboxes = Sandboxes::start();
    let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (stripe, ga4) = (place.secret("s", SECRET), place.secret("g", "ga4_secret_for_tests"));
    let (crm, mailerlite) = (place.secret("c", "crm_key_for_tests"), place.secret("m", "mailerlite_key_for_tests"));
    let state = place.path("state");
    fs::create_dir(&state).unwrap();
    let (state, address) = (state.display().to_string(), listen.to_string());
    let (crm_url, ga4_url, mailerlite_url) =
        (sandboxes.crm.base_url(), sandboxes.ga4.origin(), sandboxes.mailerlite.origin());
    #[rustfmt::skip]
    let arguments = [
        "setup", "--proxy", "--listen", &address, "--state", &state, "--stripe-secret-file", &stripe,
        "--ga4-measurement-id", "G-TEST123456", "--ga4-api-secret-file", &ga4, "--ga4-endpoint", &ga4_url,
        "--crm-base-url", &crm_url, "--crm-api-key-file", &crm, "--mailerlite-api-key-file", &mailerlite,
        "--mailerlite-groups", "vip=101,premium=102,standard=103", "--mailerlite-endpoint", &mailerlite_url, "--wait=2m",
    ];
    let waiting = place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the configuration alone", || place.config().exists() && place.written().len() == 2);

    assert_eq!(place.written(), ["credentials", "tallyhook.toml"]);
    assert_eq!(mode(&place.config()), 0o640);
    assert_eq!(mode(&place.path("etc/credentials")), 0o700);
    for (name, secret) in [("stripe", SECRET), ("crm", "crm_key_for_tests")] {
        let file = place.path("etc/credentials").join(name);
        assert_eq!(mode(&file), 0o600, "{name}");
        assert_eq!(fs::read_to_string(&file).unwrap().trim_end(), secret);
    }
    let written = fs::read_to_string(place.config()).unwrap();
    for secret in [SECRET, "ga4_secret_for_tests", "crm_key_for_tests", "mailerlite_key_for_tests"] {
        assert!(!written.contains(secret), "{written}");
    }
    let checked = place.run(&["check"]);
    assert!(checked.status.success(), "{checked:?}");
    assert!(text(&checked.stdout).contains("destination mailerlite"), "{}", text(&checked.stdout));

    let serve = place.command(&["serve"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _running = Running(serve);
    let body = event("evt_1", "checkout.session.completed", session(1, 9900));
    wait_for("the event to be taken", || {
        let header = events::signature(SECRET, events::now(), &body);
        let answer = http::send(listen, "POST", "/api/webhooks/stripe", &[("stripe-signature".into(), header)], &body);
        answer.is_some_and(|answer| answer.status == 200)
    });
    let output = waiting.wait_with_output().unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    for part in [
        &format!("address: http://{listen}/api/webhooks/stripe"),
        "invoice_payment.paid",
        &format!("start it: tallyhook --config {} serve", place.config().display()),
        "ok       destination.mailerlite: ",
        "it arrived: checkout.session.completed",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
}

#[test]
fn a_domain_gets_its_certificate_by_itself() {
    let place = Place::new();
    let stripe = place.path("stripe.txt").display().to_string();
    let domain = ["--domain", "hooks.example.com", "--email", "you@example.com"];
    let set_up =
        [&["--json", "setup", "--no-doctor", "--batch", "--stripe-secret-file", &stripe], &domain[..]].concat();
    let output = place.run(&set_up);
    assert!(output.status.success(), "{output:?}");
    let row: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(row["url"], "https://hooks.example.com/api/webhooks/stripe");
    assert!(row["events"].as_array().unwrap().contains(&"invoice_payment.paid".into()));
    let checked: Value = serde_json::from_slice(&place.run(&["--json", "check"]).stdout).unwrap();
    assert_eq!((&checked["tls"], &checked["domains"][0]), (&"acme".into(), &"hooks.example.com".into()));
    assert_eq!(checked["warnings"], serde_json::json!([]));
}

#[test]
fn nothing_is_ever_written_over() {
    let place = Place::new();
    let stripe = place.path("stripe.txt").display().to_string();
    let set_up = ["setup", "--no-doctor", "--proxy", "--stripe-secret-file", &stripe];
    fs::create_dir_all(place.path("etc/credentials")).unwrap();
    fs::write(place.path("etc/credentials/stripe"), "whsec_of_somebody_else_000000").unwrap();
    let output = place.run(&set_up);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("holds another secret"), "{output:?}");
    assert_eq!(place.written(), ["credentials"], "and no draft stays behind");

    fs::write(place.config(), "# mine\n").unwrap();
    let output = place.run(&set_up);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("left as it is") && said.contains("mv "), "{said}");
    assert_eq!(fs::read_to_string(place.config()).unwrap(), "# mine\n");
    assert_eq!(fs::read_to_string(place.path("etc/credentials/stripe")).unwrap(), "whsec_of_somebody_else_000000");
}

#[test]
fn wrong_answers_are_named_by_their_flag_and_leave_nothing() {
    let place = Place::new();
    let (api_key, stripe) =
        (place.secret("k", "sk_live_0123456789abcdef"), place.path("stripe.txt").display().to_string());
    let ga4 = place.secret("g", "secret");
    #[rustfmt::skip]
    let wrong = place.run(&[
        "setup", "--domain", "hooks.example.com", "--stripe-secret-file", &api_key,
        "--ga4-measurement-id", "UA-1", "--ga4-api-secret-file", &ga4,
    ]);
    let said = text(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2), "{said}");
    assert!(said.contains("--stripe-secret-file: is an API key, not a signing secret"), "{said}");
    assert!(said.contains("--ga4-measurement-id: is not a measurement id"), "{said}");
    assert!(!said.contains("sk_live"), "{said}");
    assert_eq!(place.written(), [""; 0]);

    for (arguments, part) in [
        (vec!["setup"], "--domain NAME (or --proxy) and --stripe-secret-file FILE"),
        (vec!["setup", "--proxy", "--stripe-secret-file", "/not/there"], "/not/there"),
        (vec!["setup", "--proxy", "--stripe-secret-file", &stripe, "--mailerlite-groups", "12"], "vip=123456789"),
        (vec!["setup", "--proxy", "--stripe-secret-file", &stripe, "--start"], "--start needs systemd"),
        (
            vec!["setup", "--proxy", "--stripe-secret-file", &stripe, "--crm-base-url", "https://a.example"],
            "--crm-api-key-file",
        ),
    ] {
        let output = place.run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {output:?}");
        assert!(text(&output.stderr).contains(part), "{part} is not in {}", text(&output.stderr));
        assert!(!place.config().exists());
    }
}

#[test]
fn a_secret_may_come_by_standard_input_and_waiting_ends() {
    let place = Place::new();
    let state = place.path("state").display().to_string();
    let arguments = ["setup", "--no-doctor", "--proxy", "--state", &state, "--stripe-secret-file", "-", "--wait=100ms"];
    let mut child =
        place.command(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{SECRET}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("no event came to"), "{output:?}");
    assert_eq!(fs::read_to_string(place.path("etc/credentials/stripe")).unwrap().trim_end(), SECRET);
}

/// A person at a terminal: reads what is asked and answers each question.
struct Terminal {
    keyboard: fs::File,
    screen: Arc<Mutex<String>>,
    /// How much of the screen has been dealt with.
    read: usize,
}

impl Terminal {
    /// The terminal, and its other end for the program.
    fn open() -> (Self, OwnedFd) {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap();
        let other = fs::File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let keyboard = fs::File::from(keyboard);
        let (screen, mut shown) = (Arc::new(Mutex::new(String::new())), keyboard.try_clone().unwrap());
        let writer = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Ends with an error when the program has gone.
            while let Ok(count @ 1..) = shown.read(&mut bytes) {
                writer.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        });
        (Self { keyboard, screen, read: 0 }, other.into())
    }

    fn answer(&mut self, question: &str, answer: &str) {
        wait_for(question, || self.shown()[self.read..].contains(question));
        self.read += self.shown()[self.read..].find(question).unwrap() + question.len();
        self.keyboard.write_all(format!("{answer}\n").as_bytes()).unwrap();
    }

    fn shown(&self) -> String {
        self.screen.lock().unwrap().clone()
    }
}

#[test]
fn a_person_is_asked_for_everything_and_once_more_for_what_is_wrong() {
    let place = Place::new();
    let state = place.path("state").display().to_string();
    let (mut terminal, other) = Terminal::open();
    let mut command = place.command(&["setup", "--no-doctor", "--proxy", "--state", &state]);
    let output = command.stdin(other.try_clone().unwrap()).stderr(other).stdout(Stdio::piped()).spawn().unwrap();
    drop(command);

    terminal.answer("reaches this server", "hooks.example.com");
    terminal.answer("signing secret", "sk_live_0123456789abcdef");
    terminal.answer("GoHighLevel's workflows? [Y/n]", "y");
    terminal.answer("location id", "ve9EPM428h8vShlRW1KT");
    terminal.answer("Google Analytics 4? [Y/n]", "");
    terminal.answer("Measurement id", "G-TEST123456");
    terminal.answer("API secret", "ga4_secret_for_tests");
    terminal.answer("Which CRM", "salesforce");
    terminal.answer("none of them", "");
    terminal.answer("MailerLite? [Y/n]", "perhaps");
    terminal.answer("y or n", "n");
    terminal.answer("Be alerted", "no");
    terminal.answer("is an API key, not a signing secret", "");
    terminal.answer("needed", SECRET);
    terminal.answer("Wait here for the first event", "n");

    let output = output.wait_with_output().unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", terminal.shown());
    for secret in [SECRET, "sk_live_", "ga4_secret_for_tests"] {
        assert!(!terminal.shown().contains(secret), "{secret} was shown: {}", terminal.shown());
    }
    let token = fs::read_to_string(place.path("etc/credentials/highlevel_webhooks")).unwrap();
    assert!(said.contains(&format!("https://hooks.example.com/api/webhooks/highlevel/{}", token.trim())), "{said}");
    let written: toml::Table = fs::read_to_string(place.config()).unwrap().parse().unwrap();
    assert_eq!(written["sources"]["highlevel"]["counts_sales"].as_bool(), Some(false));
    assert!(!written["destinations"].as_table().unwrap().contains_key("crm"));
    assert!(place.run(&["check"]).status.success());
}
