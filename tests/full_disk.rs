//! No room on the disk: nothing is acknowledged that is not stored, nothing is sent that can't be written down.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::daemon::{Home, Sandboxes, Settings};
use support::disk::SmallDisk;
use support::events::{event, intent, session};
use support::{http, wait_for};

#[test]
fn below_the_reserve_nothing_is_accepted_and_the_sender_is_asked_to_come_again() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings { store: "reserve = \"8000000GiB\"", ..Settings::default() });
    let daemon = home.start();
    let answer = daemon.post(&event("evt_1", "checkout.session.completed", session(1, 100)));
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.header("retry-after").is_some());
    let ready = http::get(daemon.address, "/readyz");
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("reserve"), "{}", ready.body);
    assert_eq!(http::get(daemon.address, "/livez").status, 200);
    assert!(home.rows(&["events", "list"]).is_empty());
    assert_eq!(sandboxes.ga4.count() + sandboxes.crm.count() + sandboxes.mailerlite.count(), 0);
}

#[test]
fn a_disk_that_stays_full_through_ten_restarts_repeats_no_request() {
    let Some(disk) = SmallDisk::mount("24m") else { return };
    let sandboxes = Sandboxes::start();
    // No reserve to speak of, so that the disk really fills up underneath.
    let settings = Settings { settle: "0s", store: "reserve = \"64KiB\"", ..Settings::default() };
    let home = Home::new(&sandboxes, &settings);
    home.configure_in(disk.path(), &sandboxes, &settings);
    let mut daemon = home.start();
    let mut acknowledged = Vec::new();
    for n in 0.. {
        let id = format!("evt_{n}");
        match daemon.try_post(&event(&id, "payment_intent.succeeded", intent(n, 100))) {
            Some(answer) if answer.status == 200 => acknowledged.push(id),
            Some(answer) => {
                assert_eq!(
                    answer.status, 503,
                    "never a 2xx, and the status that makes Stripe come again: {}",
                    answer.body
                );
                break;
            }
            None => break,
        }
        if n == 50 {
            // The rest of the disk is taken by somebody else.
            let _ = std::fs::write(disk.path().join("somebody_elses"), vec![1; 23 << 20]);
        }
        assert!(n < 20_000, "the disk never filled up");
    }
    assert!(acknowledged.len() > 50);
    wait_for("what was under way", || {
        let before = sandboxes.ga4.count();
        std::thread::sleep(std::time::Duration::from_millis(500));
        before == sandboxes.ga4.count()
    });
    let _ = daemon.child.kill();
    let _ = daemon.child.wait();
    drop(daemon);
    let told = sandboxes.ga4.count() + sandboxes.mailerlite.count() + sandboxes.crm.count();
    for _ in 0..10 {
        // It may start and refuse everything, or not start at all; either way it sends nothing.
        let mut daemon = home.launch();
        std::thread::sleep(std::time::Duration::from_millis(700));
        let _ = daemon.child.kill();
        let _ = daemon.child.wait();
    }
    let now_told = sandboxes.ga4.count() + sandboxes.mailerlite.count() + sandboxes.crm.count();
    assert_eq!(now_told, told, "no request is repeated while the disk stays full");

    std::fs::remove_file(disk.path().join("somebody_elses")).unwrap();
    let _daemon = home.start();
    let stored = home.rows(&["events", "list", "--all"]).len();
    assert!(stored >= acknowledged.len(), "{stored} of {} acknowledged", acknowledged.len());
    wait_for("the rest", || home.deliveries("pending") == 0);
    assert_eq!(sandboxes.ga4.report().counted("purchase").count(), stored);
}
