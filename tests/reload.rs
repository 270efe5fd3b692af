//! What a reload takes up without a restart: secrets, among them the copies of credentials that the unit puts down for it.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;

use support::daemon::{Daemon, Home, Sandboxes, Settings};
use support::events::{SECRET, event, session};
use support::wait_for;

const OTHER: &str = "whsec_of_another_endpoint_0123456789";

/// A daemon whose signing secret is taken from somewhere, and is another one at the start.
fn started(sandboxes: &Sandboxes, from: &str, put: impl Fn(&Home, &str)) -> (Home, Daemon) {
    let home = Home::new(sandboxes, &Settings::default());
    let text = fs::read_to_string(home.config()).unwrap();
    fs::write(home.config(), text.replace(&format!("[\"{SECRET}\"]"), &format!("[{from}]"))).unwrap();
    put(&home, OTHER);
    let daemon = home.start();
    assert_eq!(daemon.post(&event("evt_1", "checkout.session.completed", session(1, 9900))).status, 400);
    put(&home, SECRET);
    daemon.signal(rustix::process::Signal::HUP);
    (home, daemon)
}

#[test]
fn a_secret_in_a_file_of_its_own_is_read_again() {
    let sandboxes = Sandboxes::start();
    let put = |home: &Home, secret: &str| fs::write(home.path().join("stripe.secret"), secret).unwrap();
    let (_home, daemon) = started(&sandboxes, "{ file = \"stripe.secret\" }", put);
    wait_for("the reload", || daemon.log().contains("configuration reloaded"));
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    assert!(!daemon.log().contains("those of the start"), "{}", daemon.log());
}

#[test]
fn what_only_a_restart_takes_is_said() {
    let sandboxes = Sandboxes::start();
    // Without a service manager the file beside the configuration is read, which is as good as a file of its own.
    let put = |home: &Home, secret: &str| {
        fs::create_dir_all(home.path().join("credentials")).unwrap();
        fs::write(home.path().join("credentials/stripe"), secret).unwrap();
    };
    let (home, daemon) = started(&sandboxes, "{ credential = \"stripe\" }", put);
    wait_for("the reload", || daemon.log().contains("configuration reloaded"));
    daemon.accept(&event("evt_1", "checkout.session.completed", session(1, 9900)));
    assert!(!daemon.log().contains("those of the start"), "{}", daemon.log());

    // A variable that this process has, too: it might have changed, and nobody here could tell.
    let text = fs::read_to_string(home.config()).unwrap();
    let with_variable = "{ credential = \"stripe\" }, { env = \"CARGO_MANIFEST_DIR\" }";
    fs::write(home.config(), text.replace("{ credential = \"stripe\" }", with_variable)).unwrap();
    daemon.signal(rustix::process::Signal::HUP);
    wait_for("the word", || {
        daemon.log().contains("those of the start; if you changed one: systemctl restart tallyhook")
    });
}
