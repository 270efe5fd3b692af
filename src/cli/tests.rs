//! The command line as clap sees it, and commands without a daemon.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};
use serde_json::Value;
use tempfile::TempDir;

use super::{Cli, Failure, Setting, run};
use crate::store::{Store, StoreSettings};

const CONFIGURATION: &str = r#"
[server]
listen = "127.0.0.1:1"
tls = { mode = "off" }
[admin]
socket = "admin.sock"
[store]
path = "tallyhook.redb"
[sources.stripe]
kind = "stripe"
secrets = ["whsec_made_for_these_tests_0123456789"]
[destinations.crm]
kind = "rest"
base_url = "https://crm.example.com/api"
api_key = "made_for_these_tests"
"#;

struct Place {
    folder: TempDir,
    config: PathBuf,
}

impl Place {
    fn with(configuration: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("tallyhook.toml");
        std::fs::write(&config, configuration).unwrap();
        Self { folder, config }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn with_store(self) -> Self {
        let settings = StoreSettings { path: self.path("tallyhook.redb"), cache: 1 << 20 };
        drop(Store::open(&settings, &["crm".to_owned()]).unwrap());
        self
    }

    fn run(&self, arguments: &str) -> Result<String, Failure> {
        run_with(&self.config, arguments)
    }
}

fn run_with(config: &Path, arguments: &str) -> Result<String, Failure> {
    let cli = Cli::try_parse_from(std::iter::once("tallyhook").chain(arguments.split(' '))).unwrap();
    let setting = Setting { config: Some(config), environment: &BTreeMap::new(), json: cli.json };
    let mut out = Vec::new();
    run(cli.command, &setting, &mut out).map(|()| String::from_utf8(out).unwrap())
}

fn wrong(done: Result<String, Failure>) -> String {
    match done {
        Err(Failure::Wrong(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn failed(done: Result<String, Failure>) -> String {
    match done {
        Err(Failure::Failed(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_of_the_interface_is_there() {
    for call in [
        "serve",
        "demo --once",
        "init",
        "init -",
        "check --config x.toml --json",
        "send stripe --type refund.created --count 3",
        "status --json",
        "--json status",
        "events list --limit 5 --since 2h --until 1h --source stripe --destination crm --kind purchase --state accepted",
        "events show evt_1",
        "events replay w1 w2",
        "events replay w1 --dry-run",
        "events list --since 2026-11-20 --until 2026-11-20T14:00 --odd --after evt_1",
        "deliveries list --all --after b1.2 --source stripe --destination crm --kind refund --state failed",
        "deliveries show b1.2",
        "contacts show jane@example.com --json",
        "contacts show c12",
        "failed list --class rejected --destination crm --all",
        "failed list --state failed --after b1.2 --kind purchase --source stripe",
        "failed show b1.2",
        "failed retry b1.2 b3.1 --dry-run",
        "failed retry --destination crm --all",
        "failed discard b1.2 --reason done --yes",
        "rejected list --source stripe",
        "rejected list --all --after r3 --reason no_matching_signature --until 1h",
        "rejected retry r1",
        "rejected retry --all --source stripe --dry-run",
        "rejected erase r1 r2 --yes",
        "destinations list",
        "destinations list --limit 5 --state held --kind rest --destination crm --after ga4",
        "destinations list --all",
        "destinations pause crm",
        "destinations resume crm",
        "destinations test crm",
        "destinations preview evt_1",
        "destinations preview b12 --destination crm --json",
        "completions zsh",
        "man",
    ] {
        let parsed = Cli::try_parse_from(std::iter::once("tallyhook").chain(call.split(' ')));
        assert!(parsed.is_ok(), "{call}: {}", parsed.unwrap_err());
    }
    for call in ["", "sing", "events", "events show", "events list --since yesterday", "events list --all --limit 3"] {
        assert!(Cli::try_parse_from(std::iter::once("tallyhook").chain(call.split(' '))).is_err(), "{call}");
    }
}

#[test]
fn every_command_shows_examples() {
    for command in Cli::command().get_subcommands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(help.contains("Examples:"), "{}", command.get_name());
    }
}

#[test]
fn paragraphs_are_left_to_the_terminal_and_examples_fit_into_it() {
    let cli = Cli::command();
    for command in std::iter::once(&cli).chain(cli.get_subcommands()) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines: Vec<&str> = help.lines().collect();
        for pair in lines.windows(2) {
            let broken = !pair[0].is_empty() && !pair[1].is_empty() && !pair[1].starts_with("  ");
            assert!(!broken, "a line break inside a paragraph of {}: {pair:?}", command.get_name());
        }
        for example in lines.iter().filter(|line| line.starts_with("  ")) {
            assert!(example.chars().count() <= 80, "{example}");
        }
    }
}

#[test]
fn the_sample_that_init_writes_is_not_overwritten_and_only_wants_secrets() {
    let place = Place::with("");
    let file = place.path("new/tallyhook.toml");
    let call = format!("init {}", file.display());
    assert!(place.run(&call).unwrap().contains("tallyhook check"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o640);
    assert!(failed(place.run(&call)).contains("not overwritten"));
    assert_eq!(place.run("init -").unwrap(), std::fs::read_to_string(&file).unwrap());
}

#[test]
fn check_tells_every_mistake_or_what_the_configuration_amounts_to() {
    let place = Place::with(CONFIGURATION);
    let summary: Value = serde_json::from_str(&place.run("check --json").unwrap()).unwrap();
    assert_eq!(summary["sources"][0]["url"], "http://127.0.0.1:1/api/webhooks/stripe");
    assert_eq!(summary["destinations"][0]["kind"], "rest");
    let page = place.run("check").unwrap();
    assert!(page.starts_with("ok: ") && page.contains("destination crm (rest), live: its default events"), "{page}");
    assert!(!page.contains("made_for_these_tests"), "{page}");

    let chosen = CONFIGURATION.replace("tallyhook.redb", "./state/./tallyhook.redb");
    let place = Place::with(&format!("{chosen}events = [\"purchase\", \"refund\"]\n"));
    let page = place.run("check").unwrap();
    assert!(page.contains("destination crm (rest), live: purchase, refund\n"), "{page}");
    assert!(page.contains("/state/tallyhook.redb,") && !page.contains("/./"), "{page}");

    let place = Place::with("[server]\nlisten = 5\n[stor]\n");
    let text = wrong(place.run("check"));
    assert!(text.contains("mistakes") && text.contains("stor") && text.contains("listen"), "{text}");
}

#[test]
fn before_the_first_start_there_is_no_store() {
    let place = Place::with(CONFIGURATION);
    for call in ["status", "events list", "failed retry --all", "destinations list --json"] {
        assert!(failed(place.run(call)).contains("there is no store yet"), "{call}");
    }
}

#[test]
fn without_a_daemon_the_store_file_answers() {
    let place = Place::with(CONFIGURATION).with_store();
    let status: Value = serde_json::from_str(&place.run("status --json").unwrap()).unwrap();
    assert_eq!((status["ok"].as_bool(), status["running"].as_bool()), (Some(true), Some(false)));
    assert!(status["problems"][0].as_str().unwrap().contains("not running"), "a person is told");
    assert_eq!(place.run("events list").unwrap(), "no events\n");
    assert_eq!(place.run("events list --json").unwrap(), "");
    assert_eq!(place.run("failed retry --all").unwrap(), "nothing to retry\n");
    assert!(place.run("destinations pause crm").unwrap().contains("crm is now paused"));
    assert!(place.run("status").unwrap().contains("crm is paused"), "it is kept");
    assert!(wrong(place.run("failed retry")).contains("say which"));
    assert!(failed(place.run("events show w1")).contains("there is no event w1"));
    assert!(failed(place.run("destinations preview w1")).contains("there is no event w1"));
    assert!(failed(place.run("destinations preview b1")).contains("there is no business event b1"));
    assert!(failed(place.run("destinations preview w1 --destination shop")).contains("configured: crm"));
}

#[test]
fn a_look_needs_no_secrets_and_a_change_does() {
    let missing = CONFIGURATION.replace("\"whsec_made_for_these_tests_0123456789\"", "{ env = \"NOT_SET_HERE\" }");
    let place = Place::with(&missing).with_store();
    assert_eq!(place.run("events list").unwrap(), "no events\n");
    assert!(wrong(place.run("failed retry --all")).contains("NOT_SET_HERE"));
    assert!(wrong(place.run("destinations preview w1")).contains("NOT_SET_HERE"), "its requests hold secrets");
}

#[test]
fn a_store_in_use_without_anybody_at_the_socket_is_explained() {
    let place = Place::with(CONFIGURATION).with_store();
    let settings = StoreSettings { path: place.path("tallyhook.redb"), cache: 1 << 20 };
    let _held = Store::open(&settings, &[]).unwrap();
    let text = failed(place.run("status"));
    assert!(text.contains("in use") && text.contains("admin.sock"), "{text}");
}

#[test]
fn a_sample_is_only_sent_for_a_known_source_and_type() {
    let place = Place::with(CONFIGURATION);
    assert!(wrong(place.run("send shop")).contains("configured: stripe"));
    assert!(wrong(place.run("send stripe --type nonsense")).contains("checkout.session.completed"));
    let text = failed(place.run("send stripe"));
    assert!(text.contains("tallyhook serve") && text.contains("127.0.0.1:1/"), "{text}");
}

#[test]
fn completions_and_manual_are_printed() {
    let place = Place::with("");
    assert!(place.run("completions bash").unwrap().contains("tallyhook"));
    assert!(place.run("man").unwrap().contains(".TH tallyhook"));
    place.run(&format!("man --dir {}", place.path("man").display())).unwrap();
    assert!(place.path("man/tallyhook-failed-retry.1").exists());
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let gone = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    assert!(matches!(Failure::from(gone), Failure::Closed));
    assert!(matches!(Failure::from(std::io::Error::other("disk")), Failure::Failed(_)));
}
