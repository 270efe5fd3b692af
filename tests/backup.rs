//! Backup and restore with the real binary: what was acknowledged before a backup is in it, and a store made of it goes on as the
//! old one would have.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use support::daemon::{Home, Sandboxes, Settings};
use support::disk::SmallDisk;
use support::events::{event, intent, session};
use support::wait_for;

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Asserts that a command fails with a sentence and the exit code 1.
fn refused(output: &Output, why: &str) {
    assert_eq!(output.status.code(), Some(1), "{}", text(output));
    assert!(text(output).contains(why), "{}", text(output));
}

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn store(home: &Home) -> PathBuf {
    home.path().join("store.redb")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Three sales that were delivered, and a backup of them made while the daemon ran; it is stopped then.
fn with_backup(sandboxes: &Sandboxes) -> (Home, PathBuf) {
    let home = Home::new(sandboxes, &Settings::default());
    let daemon = home.start();
    for n in 1..=3 {
        daemon.accept(&event(&format!("evt_{n}"), "checkout.session.completed", session(n, 9900)));
    }
    wait_for("the deliveries", || home.deliveries("delivered") == 9);
    let file = home.path().join("books.backup");
    let row = home.rows(&["backup", name(&file)]).remove(0);
    assert_eq!(row["result"], "written", "{row}");
    assert_eq!(daemon.stop(), 0);
    (home, file)
}

fn counts(row: &Value) -> [u64; 4] {
    ["events", "contacts", "deliveries", "failed"].map(|name| row[name].as_u64().unwrap())
}

#[test]
fn a_backup_made_while_it_runs_becomes_a_store_that_goes_on() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let daemon = home.start();
    for n in 1..=3 {
        daemon.accept(&event(&format!("evt_{n}"), "checkout.session.completed", session(n, 9900)));
    }
    wait_for("the deliveries", || home.deliveries("delivered") == 9);
    home.rows(&["destinations", "pause", "crm"]);
    daemon.accept(&event("evt_4", "checkout.session.completed", session(4, 9900)));
    wait_for("all but the CRM's", || home.deliveries("delivered") == 11);

    let file = home.path().join("books.backup");
    let row = home.rows(&["backup", name(&file)]).remove(0);
    assert_eq!(counts(&row), [4, 4, 12, 0], "{row}");
    assert_eq!(row["bytes"], fs::metadata(&file).unwrap().len());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let known = home.rows(&["contacts", "show", "buyer2@example.com"]);
    // Came after the backup, and is sent again after the restore.
    daemon.accept(&event("evt_5", "checkout.session.completed", session(5, 9900)));
    wait_for("the fifth", || home.deliveries("delivered") == 13);
    assert_eq!(daemon.stop(), 0);

    fs::rename(store(&home), home.path().join("old.redb")).unwrap();
    let output = home.command(&["restore", name(&file)]);
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("4 events, 4 contacts, 12 deliveries of which 0 failed"), "{said}");
    assert!(said.contains("may be sent once more") && said.contains("erase them again"), "{said}");
    assert_eq!(fs::metadata(store(&home)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(home.rows(&["contacts", "show", "buyer2@example.com"]), known, "read from the store file");

    let daemon = home.start();
    let told = (sandboxes.ga4.count(), sandboxes.crm.count());
    for n in 1..=4 {
        let answer = daemon.post(&event(&format!("evt_{n}"), "checkout.session.completed", session(n, 9900)));
        assert_eq!(answer.json()["status"], "duplicate", "{}", answer.body);
    }
    daemon.accept(&event("evt_5", "checkout.session.completed", session(5, 9900)));
    home.rows(&["destinations", "resume", "crm"]);
    wait_for("everything", || home.deliveries("delivered") == 15);
    assert_eq!(home.deliveries("pending"), 0);
    assert_eq!(sandboxes.ga4.count(), told.0 + 1, "only what was not in the backup is sent again");
    assert!(sandboxes.crm.count() > told.1, "what waited is delivered");
    assert_eq!(home.rows(&["status"])[0]["events"], 5);
}

#[test]
fn a_backup_under_load_has_everything_that_was_acknowledged_before_it_began() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings { settle: "100ms", ..Settings::default() });
    let daemon = home.start();
    let (stop, acknowledged) = (AtomicBool::new(false), Mutex::new(BTreeSet::new()));
    let mut taken = Vec::new();
    std::thread::scope(|scope| {
        for sender in 0..3_u64 {
            let (daemon, stop, acknowledged) = (&daemon, &stop, &acknowledged);
            scope.spawn(move || {
                for n in (sender * 100_000).. {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    daemon.accept(&event(&format!("evt_{n}"), "payment_intent.succeeded", intent(n, 1000)));
                    acknowledged.lock().unwrap().insert(format!("evt_{n}"));
                }
            });
        }
        for number in 0..3 {
            wait_for("some load", || acknowledged.lock().unwrap().len() > 50 * (number + 1));
            let before = acknowledged.lock().unwrap().clone();
            let file = home.path().join(format!("{number}.backup"));
            let row = home.rows(&["backup", name(&file)]).remove(0);
            assert_eq!(row["faults"], serde_json::json!([]), "one moment, which agrees with itself: {row}");
            taken.push((file, before, row));
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert_eq!(daemon.stop(), 0);
    for (file, before, row) in taken {
        fs::remove_file(store(&home)).unwrap();
        assert_eq!(counts(&home.rows(&["restore", name(&file)])[0]), counts(&row));
        let events = home.rows(&["events", "list", "--all"]);
        assert_eq!(events.len() as u64, row["events"].as_u64().unwrap());
        let inside: BTreeSet<String> =
            events.iter().map(|row| row["provider_id"].as_str().unwrap().to_owned()).collect();
        let missing: Vec<_> = before.difference(&inside).collect();
        assert!(missing.is_empty(), "acknowledged before and not in it: {missing:?}");
    }
}

#[test]
fn without_a_daemon_the_store_file_is_read_and_a_folder_keeps_so_many() {
    let sandboxes = Sandboxes::start();
    let (home, file) = with_backup(&sandboxes);
    let folder = home.path().join("nightly/");
    fs::create_dir(&folder).unwrap();
    for day in 10..20 {
        fs::write(folder.join(format!("tallyhook-202601{day}T031500Z.backup")), "an old one").unwrap();
    }
    fs::write(folder.join("notes.txt"), "somebody's").unwrap();
    let row = home.rows(&["backup", name(&folder), "--keep", "3"]).remove(0);
    assert_eq!(counts(&row), [3, 3, 9, 0], "{row}");
    assert_eq!(row["deleted"].as_array().unwrap().len(), 8);
    let left = names(&folder);
    assert_eq!(left.len(), 4, "{left:?}");
    assert_eq!(left[..3], ["notes.txt", "tallyhook-20260118T031500Z.backup", "tallyhook-20260119T031500Z.backup"]);
    let output = home.command(&["backup", "--verify", name(&folder.join(&left[3]))]);
    assert!(output.status.success() && text(&output).contains("is whole: 3 events"), "{}", text(&output));
    assert_eq!(home.command(&["backup", name(&file), "--keep", "3"]).status.code(), Some(2), "--keep is for folders");
}

#[test]
fn it_goes_through_a_pipe_and_back() {
    let sandboxes = Sandboxes::start();
    let (home, _) = with_backup(&sandboxes);
    let output = home.command(&["backup", "-"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("3 events"), "what is in it is told beside it");
    fs::remove_file(store(&home)).unwrap();
    let mut restore = Command::new(env!("CARGO_BIN_EXE_tallyhook"))
        .arg("--config")
        .arg(home.config())
        .args(["restore", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    restore.stdin.take().unwrap().write_all(&output.stdout).unwrap();
    assert!(restore.wait().unwrap().success());
    assert_eq!(home.rows(&["events", "list"]).len(), 3);
}

#[test]
fn what_is_there_is_never_overwritten_unasked() {
    let sandboxes = Sandboxes::start();
    let (home, file) = with_backup(&sandboxes);
    let before = fs::read(&file).unwrap();
    refused(&home.command(&["backup", name(&file)]), "is there already and is not overwritten");
    assert_eq!(fs::read(&file).unwrap(), before);
    assert!(home.command(&["backup", name(&file), "--force"]).status.success());

    let books = fs::read(store(&home)).unwrap();
    refused(&home.command(&["restore", name(&file)]), "move it away first: mv ");
    assert_eq!(fs::read(store(&home)).unwrap(), books);

    let daemon = home.start();
    refused(&home.command(&["restore", name(&file)]), "tallyhook is running: stop it first");
    // Also when it answers nowhere that we know of.
    let socket = home.path().join("admin.sock");
    fs::rename(&socket, home.path().join("hidden.sock")).unwrap();
    refused(&home.command(&["restore", name(&file)]), "is in use by another tallyhook");
    drop(daemon);
    assert_eq!(home.rows(&["events", "list"]).len(), 3);
}

#[test]
fn a_file_that_is_no_whole_backup_is_refused_with_a_sentence_and_changes_nothing() {
    let sandboxes = Sandboxes::start();
    let (home, file) = with_backup(&sandboxes);
    let old = home.path().join("old.redb");
    fs::rename(store(&home), &old).unwrap();
    let whole = fs::read(&file).unwrap();
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        bytes
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", Vec::new(), "it is empty"),
        ("half", whole[..whole.len() / 2].to_vec(), "cut short or damaged"),
        ("all but the last byte", whole[..whole.len() - 1].to_vec(), "cut short or damaged"),
        ("a bit", flipped(whole.len() / 3), "it is damaged: what stands from byte"),
        ("a bit of the end", flipped(whole.len() - 40), "it is damaged"),
        ("one and a half", [&whole[..], &whole[..99]].concat(), "something follows after its end"),
        (
            "gzip",
            [&[0x1f, 0x8b, 8, 0][..], &whole[..]].concat(),
            "it is packed with gzip: unpack it first, with gunzip",
        ),
        ("a store", fs::read(&old).unwrap(), "it is a store itself"),
        ("text", b"Dear Sir or Madam, a backup is what I wanted to ask you for".to_vec(), "it is no backup"),
    ];
    let bad = home.path().join("bad.backup");
    for (what, bytes, why) in cases {
        fs::write(&bad, bytes).unwrap();
        let before = names(home.path());
        refused(&home.command(&["restore", name(&bad)]), why);
        assert!(text(&home.command(&["restore", name(&bad)])).contains("nothing was changed"), "{what}");
        refused(&home.command(&["backup", "--verify", name(&bad)]), why);
        assert_eq!(names(home.path()), before, "{what}: nothing is left behind");
    }
    refused(&home.command(&["restore", name(&home.path().join("none.backup"))]), "it can't be read");
    assert!(home.command(&["restore", name(&file)]).status.success(), "the good one");
}

#[test]
fn a_full_disk_leaves_no_half_file() {
    let sandboxes = Sandboxes::start();
    let (home, file) = with_backup(&sandboxes);
    let Some(disk) = SmallDisk::mount("16k") else { return };
    let small = disk.path().join("books.backup");
    refused(&home.command(&["backup", name(&small)]), "there is no room for a backup of");
    assert_eq!(names(disk.path()), Vec::<String>::new());

    // Where it fills up on the way.
    home.configure_in(disk.path(), &sandboxes, &Settings::default());
    refused(&home.command(&["restore", name(&file)]), "nothing was changed");
    assert_eq!(names(disk.path()), Vec::<String>::new());
}
