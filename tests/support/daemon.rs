//! The real binary as a child process, with its sandboxes.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tallyhook::demo::sandbox::{AlertSandbox, CrmSandbox, Ga4Sandbox, MailerLiteSandbox};

use super::events::{self, SECRET};
use super::http::{self, Answer};
use super::{PATIENCE, wait_for};

/// GA4, a CRM, MailerLite and the owner's alert address, on loopback.
pub struct Sandboxes {
    pub ga4: Ga4Sandbox,
    pub crm: CrmSandbox,
    pub mailerlite: MailerLiteSandbox,
    pub alerts: AlertSandbox,
}

impl Sandboxes {
    pub fn start() -> Self {
        Self {
            ga4: Ga4Sandbox::start("G-TEST123456", "ga4_secret_for_tests").unwrap(),
            crm: CrmSandbox::start("crm_key_for_tests").unwrap(),
            mailerlite: MailerLiteSandbox::start("mailerlite_key_for_tests", &["101", "102", "103"]).unwrap(),
            alerts: AlertSandbox::start().unwrap(),
        }
    }
}

/// What differs between tests.
pub struct Settings {
    pub settle: &'static str,
    /// TOML that is put into each destination's table.
    pub destination: &'static str,
    /// TOML tables and keys put at the end.
    pub more: String,
    /// TOML put into `[store]`.
    pub store: &'static str,
    /// TOML put into `[server]`.
    pub server: &'static str,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            settle: "300ms",
            destination: "rate_limit = \"off\"\nschedule = [\"0s\", \"200ms\", \"500ms\", \"1s\", \"1s\", \"1s\", \"1s\", \"1s\"]\n",
            more: "[alerting]\ngroup_wait = \"200ms\"\ngroup_interval = \"500ms\"\n".into(),
            store: "reserve = \"1MiB\"",
            server: "",
        }
    }
}

/// A folder with a configuration.
pub struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    pub fn new(sandboxes: &Sandboxes, settings: &Settings) -> Self {
        let home = Self { folder: tempfile::tempdir().unwrap() };
        home.configure(sandboxes, settings);
        home
    }

    pub fn configure(&self, sandboxes: &Sandboxes, settings: &Settings) {
        self.configure_in(self.path(), sandboxes, settings);
    }

    /// With the store in another folder.
    pub fn configure_in(&self, store: &Path, sandboxes: &Sandboxes, settings: &Settings) {
        let Settings { settle, destination, more, store: store_keys, server } = settings;
        let (folder, state) = (self.path().display(), store.display());
        let (ga4, crm, mailerlite, alerts) =
            (sandboxes.ga4.origin(), sandboxes.crm.base_url(), sandboxes.mailerlite.origin(), sandboxes.alerts.url());
        let text = format!(
            r#"
[server]
listen = "127.0.0.1:0"
{server}
[admin]
socket = "{folder}/admin.sock"
[store]
path = "{state}/store.redb"
{store_keys}
[sources.stripe]
kind = "stripe"
secrets = ["{SECRET}"]
settle = "{settle}"
[destinations.ga4]
kind = "ga4"
measurement_id = "G-TEST123456"
api_secret = "ga4_secret_for_tests"
endpoint = "{ga4}"
{destination}
[destinations.crm]
kind = "rest"
base_url = "{crm}"
api_key = "crm_key_for_tests"
{destination}
[destinations.mailerlite]
kind = "mailerlite"
api_key = "mailerlite_key_for_tests"
endpoint = "{mailerlite}"
groups = {{ vip = "101", premium = "102", standard = "103" }}
{destination}
[alerts.ops]
kind = "webhook"
url = "{alerts}"
{more}
"#
        );
        std::fs::write(self.config(), text).unwrap();
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn config(&self) -> PathBuf {
        self.path().join("tallyhook.toml")
    }

    /// Runs one command of the real binary with this configuration.
    pub fn command(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tallyhook"))
            .arg("--config")
            .arg(self.config())
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The rows that a command prints as JSON; it must succeed.
    pub fn rows(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self.command(&[&["--json"], arguments].concat());
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))).collect()
    }

    /// How many deliveries are in a state.
    pub fn deliveries(&self, state: &str) -> u64 {
        self.rows(&["status"])[0]["deliveries"][state].as_u64().unwrap()
    }

    /// What happened, by name: each business event once.
    pub fn happened(&self) -> Vec<String> {
        let rows = self.rows(&["events", "list", "--all"]);
        let told = rows.iter().flat_map(|row| row["business_events"].as_array().unwrap());
        let mut kinds: Vec<_> =
            told.map(|told| (told["key"].to_string(), told["kind"].as_str().unwrap().to_owned())).collect();
        kinds.sort();
        kinds.dedup();
        let mut kinds: Vec<_> = kinds.into_iter().map(|(_, kind)| kind).collect();
        kinds.sort();
        kinds
    }

    /// Starts the daemon and waits until it takes webhooks.
    pub fn start(&self) -> Daemon {
        let mut daemon = self.launch();
        let begin = Instant::now();
        loop {
            if let Some(address) = daemon.announced() {
                daemon.address = address;
                return daemon;
            }
            if let Some(status) = daemon.child.try_wait().unwrap() {
                panic!("it ended at once ({status}):\n{}", daemon.log());
            }
            assert!(begin.elapsed() < PATIENCE, "it did not start:\n{}", daemon.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts the daemon without waiting for anything.
    pub fn launch(&self) -> Daemon {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tallyhook"))
            .arg("--config")
            .arg(self.config())
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = Arc::new(Mutex::new(String::new()));
        let (stderr, log) = (child.stderr.take().unwrap(), Arc::clone(&lines));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = log.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Daemon { child, address: ([127, 0, 0, 1], 0).into(), lines }
    }
}

/// A running daemon; killed when dropped.
pub struct Daemon {
    pub child: Child,
    pub address: SocketAddr,
    lines: Arc<Mutex<String>>,
}

impl Daemon {
    /// Everything it has logged.
    pub fn log(&self) -> String {
        self.lines.lock().unwrap().clone()
    }

    fn announced(&self) -> Option<SocketAddr> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains("ready") && line.contains("listen="))?;
        line.split("listen=").nth(1)?.split_whitespace().next()?.parse().ok()
    }

    /// Posts a body, freshly signed.
    pub fn post(&self, body: &[u8]) -> Answer {
        self.try_post(body).expect("an answer")
    }

    pub fn try_post(&self, body: &[u8]) -> Option<Answer> {
        let header = events::signature(SECRET, events::now(), body);
        http::send(self.address, "POST", "/api/webhooks/stripe", &[("stripe-signature".into(), header)], body)
    }

    /// Posts a body that has to be stored as new.
    pub fn accept(&self, body: &[u8]) {
        let answer = self.post(body);
        assert_eq!((answer.status, answer.json()["status"].as_str()), (200, Some("accepted")), "{}", answer.body);
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and waits for its end; the exit code.
    pub fn stop(mut self) -> i32 {
        self.signal(rustix::process::Signal::TERM);
        self.wait()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Waits until it ends by itself; the exit code.
    pub fn wait(&mut self) -> i32 {
        let mut code = None;
        wait_for("the daemon's end", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.and_then(|status| status.code()).unwrap_or(-1)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of the daemon ---\n{}", self.log());
        }
    }
}
