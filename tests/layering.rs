//! The house of the design: data flows one way, and what is pure stays pure. Reads the sources and names every line that breaks
//! a rule.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// Folders of `src/` in the order in which they may use each other: each only what stands below it.
const LAYERS: [(&str, &[&str]); 16] = [
    (
        "cli",
        &[
            "app",
            "demo",
            "operator",
            "http",
            "delivery",
            "alerts",
            "store",
            "ledger",
            "destinations",
            "sources",
            "config",
            "platform",
            "telemetry",
            "model",
        ],
    ),
    (
        "app",
        &[
            "operator",
            "http",
            "delivery",
            "alerts",
            "store",
            "ledger",
            "destinations",
            "sources",
            "config",
            "platform",
            "telemetry",
            "model",
        ],
    ),
    (
        "demo",
        &["app", "operator", "http", "delivery", "store", "destinations", "sources", "config", "platform", "model"],
    ),
    ("operator", &["http", "delivery", "store", "ledger", "destinations", "sources", "config", "platform", "model"]),
    ("http", &["store", "ledger", "sources", "config", "platform", "model"]),
    ("delivery", &["alerts", "store", "ledger", "destinations", "config", "platform", "model"]),
    ("alerts", &["destinations", "config", "platform", "model"]),
    ("backfill", &["store", "ledger", "sources", "config", "platform", "model"]),
    ("store", &["ledger", "platform", "model"]),
    ("telemetry", &["config"]),
    ("config", &["destinations", "sources", "model"]),
    ("platform", &["model"]),
    ("ledger", &["destinations", "model"]),
    ("destinations", &["model"]),
    ("sources", &["model"]),
    ("model", &[]),
];

const PURE: [&str; 4] = ["model", "sources", "ledger", "destinations"];

/// What a pure folder must not reach for.
const IMPURE: [&str; 16] = [
    "tokio::",
    "redb::",
    "ureq::",
    "hyper::",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "SystemTime",
    "Instant::now",
    "std::io::stdin",
    "fastrand::",
    "getrandom::",
    "rand::",
    "env::var",
];

/// Crates that only one folder may name.
const OWNED: [(&str, &[&str]); 5] = [
    ("redb", &["store"]),
    ("ureq", &["delivery"]),
    ("hyper", &["http"]),
    ("tokio_rustls", &["http"]),
    ("instant_acme", &["http"]),
];

struct Line {
    file: PathBuf,
    number: usize,
    text: String,
}

impl Line {
    fn place(&self) -> String {
        format!("{}:{}: {}", self.file.display(), self.number, self.text.trim())
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Code lines of a folder: no comments, nothing that is only compiled for tests.
fn lines(folder: &Path) -> Vec<Line> {
    let mut found = Vec::new();
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()).collect()).unwrap_or_default();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "tests" {
                found.extend(lines(&path));
            }
            continue;
        }
        if !name.ends_with(".rs") || name == "tests.rs" || name.ends_with("_tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            if line.trim() == "mod tests {" {
                break;
            }
            let code = line.trim_start();
            if !code.starts_with("//") {
                found.push(Line { file: path.clone(), number: number + 1, text: line.to_owned() });
            }
        }
    }
    found
}

fn report(broken: &[String], rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

#[test]
fn every_folder_has_a_place_in_the_order() {
    for entry in fs::read_dir(source()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && fs::read_dir(entry.path()).unwrap().next().is_some() {
            assert!(LAYERS.iter().any(|(layer, _)| *layer == name), "src/{name} has no place in tests/layering.rs");
        }
    }
}

#[test]
fn folders_use_only_what_stands_below_them() {
    let mut broken = Vec::new();
    for (layer, below) in LAYERS {
        for line in lines(&source().join(layer)) {
            for (other, _) in LAYERS {
                let names =
                    line.text.contains(&format!("crate::{other}::")) || line.text.contains(&format!("crate::{other};"));
                if names && other != layer && !below.contains(&other) {
                    broken.push(format!("{layer} uses {other}: {}", line.place()));
                }
            }
        }
    }
    report(&broken, "a folder uses only what stands below it");
}

#[test]
fn the_order_has_no_circle() {
    for (at, (layer, below)) in LAYERS.iter().enumerate() {
        for other in *below {
            let place = LAYERS.iter().position(|(name, _)| name == other).unwrap();
            let both_ways = LAYERS[place].1.contains(layer);
            assert!(!both_ways, "{layer} and {other} use each other (row {at})");
        }
    }
}

#[test]
fn pure_folders_reach_for_nothing() {
    let mut broken = Vec::new();
    for folder in PURE {
        for line in lines(&source().join(folder)) {
            for wanted in IMPURE {
                if line.text.contains(wanted) {
                    broken.push(format!("{wanted} in {}", line.place()));
                }
            }
        }
    }
    report(&broken, "no clock, chance, file, socket or environment in model, sources, ledger and destinations");
}

#[test]
fn each_outside_crate_has_one_home() {
    let mut broken = Vec::new();
    for (layer, _) in LAYERS {
        for line in lines(&source().join(layer)) {
            for (owned, homes) in OWNED {
                let names = line.text.contains(&format!("{owned}::")) || line.text.contains(&format!("use {owned};"));
                if names && !homes.contains(&layer) {
                    broken.push(format!("{owned} in {}", line.place()));
                }
            }
        }
    }
    report(&broken, "redb lives in store, ureq in delivery, hyper and the server side of rustls in http");
}

#[test]
fn unsafe_code_stands_in_one_place() {
    let mut broken = Vec::new();
    for line in lines(&source()) {
        if line.text.contains("unsafe {") && !line.file.ends_with("platform/name_service.rs") {
            broken.push(line.place());
        }
    }
    report(&broken, "the one unsafe call is the name service's");
}
