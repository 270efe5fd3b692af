//! Certificates by themselves, against Debian's `pebble`: the first one, renewal, restarts, an authority that is away or says no, and
//! what a client of TLS sees meanwhile.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::Signal;
use rustls::HandshakeKind;
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use support::daemon::{Daemon, Home, Sandboxes, Settings};
use support::events::{self, SECRET, event, session};
use support::http;
use support::pebble::{self, CUSTOMER_KEY, Pebble, Plan, client, connect_tls};
use support::wait_for;

const NAME: &str = "hooks.example.com";

/// A configured daemon, and the authority that it is told of.
struct Scene {
    sandboxes: Sandboxes,
    home: Home,
    plan: Plan,
}

impl Scene {
    fn new(plan: Plan) -> Self {
        Self::with(plan, &format!("domains = [{NAME:?}]"))
    }

    /// With other keys in `server.tls`.
    fn with(plan: Plan, keys: &str) -> Self {
        let sandboxes = Sandboxes::start();
        let home = Home::new(&sandboxes, &Settings::default());
        let root = pebble::write_web_certificate(home.path());
        let scene = Self { sandboxes, home, plan };
        scene.configure(&format!("directory = {:?}, ca_root = {:?}, {keys}", plan.directory(), root));
        scene
    }

    fn configure(&self, keys: &str) {
        let tls = format!("tls = {{ mode = \"acme\", retry = \"500ms\", {keys} }}");
        self.home
            .configure(&self.sandboxes, &Settings { server: Box::leak(tls.into_boxed_str()), ..Settings::default() });
        let text = std::fs::read_to_string(self.home.config()).unwrap();
        let listen = format!("127.0.0.1:{}", self.plan.tls_port);
        std::fs::write(self.home.config(), text.replace("127.0.0.1:0", &listen)).unwrap();
    }

    fn pebble(&self) -> Pebble {
        Pebble::start(self.home.path(), self.plan)
    }

    fn certificate(&self) -> Value {
        self.home.rows(&["status"])[0]["certificate"].clone()
    }

    fn problems(&self) -> String {
        self.home.rows(&["status"])[0]["problems"].to_string()
    }

    /// The account, the certificate and the tries, by their names.
    fn state(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = std::fs::read_dir(self.home.path().join("acme"))
            .into_iter()
            .flatten()
            .flatten()
            .flat_map(|folder| std::fs::read_dir(folder.path()).unwrap().flatten())
            .map(|file| (file.file_name().to_string_lossy().into_owned(), std::fs::read(file.path()).unwrap()))
            .collect();
        files.sort();
        files
    }
}

/// The certificate that a client is shown who trusts `root`.
fn shown(daemon: &Daemon, root: &CertificateDer<'static>, name: &str) -> std::io::Result<Vec<u8>> {
    let stream = connect_tls(daemon.address, name, &client(root, &[b"http/1.1"]))?;
    Ok(stream.conn.peer_certificates().unwrap()[0].to_vec())
}

fn wait_for_certificate(daemon: &Daemon, pebble: &Pebble, name: &str) -> Vec<u8> {
    let root = pebble.root();
    wait_for("a certificate", || shown(daemon, &root, name).is_ok());
    shown(daemon, &root, name).unwrap()
}

fn modes_below(folder: &Path) -> Vec<(String, u32)> {
    let mut modes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        modes.push((entry.file_name().to_string_lossy().into_owned(), mode));
        if entry.path().is_dir() {
            modes.extend(modes_below(&entry.path()));
        }
    }
    modes
}

#[test]
fn a_certificate_is_fetched_used_and_kept_over_a_restart() {
    if !pebble::is_installed() {
        return;
    }
    let scene = Scene::new(Plan::new());
    let pebble = scene.pebble();
    let daemon = scene.home.start();
    let first = wait_for_certificate(&daemon, &pebble, NAME);

    // A webhook arrives over it.
    let root = pebble.root();
    let trusting = client(&root, &[b"http/1.1"]);
    let mut stream = connect_tls(daemon.address, NAME, &trusting).unwrap();
    let body = event("evt_1", "checkout.session.completed", session(1, 9900));
    let signature = events::signature(SECRET, events::now(), &body);
    let request = http::request("POST", "/api/webhooks/stripe", &[("stripe-signature".into(), signature)], &body);
    stream.write_all(&request).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    // And the next connection is made faster.
    let again = connect_tls(daemon.address, NAME, &trusting).unwrap();
    assert_eq!(again.conn.handshake_kind(), Some(HandshakeKind::Resumed));

    let told = scene.certificate();
    assert_eq!((told["mode"].as_str(), told["names"][0].as_str()), (Some("acme"), Some(NAME)));
    assert!(told["renews_at"].as_str() < told["expires_at"].as_str(), "{told}");
    assert_eq!(told["failures"], 0);
    let page = String::from_utf8(scene.home.command(&["status"]).stdout).unwrap();
    assert!(page.contains(&format!("certificate for {NAME}: expires 20")), "{page}");
    for (name, mode) in modes_below(&scene.home.path().join("acme")) {
        assert_eq!(mode & 0o077, 0, "{name} is for its owner only");
    }
    let state = scene.state();
    let names: Vec<_> = state.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["account.json", "certificate.pem", "contact", "tries.json"]);
    assert_eq!(daemon.stop(), 0);

    // It is used again at once, though the authority is gone.
    drop(pebble);
    let daemon = scene.home.start();
    assert_eq!(shown(&daemon, &root, NAME).unwrap(), first);
    assert_eq!(scene.state()[..2], state[..2]);
    assert_eq!(scene.certificate()["failures"], 0, "nobody was asked for another");
    assert!(!daemon.log().contains("BEGIN"), "{}", daemon.log());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn an_authority_that_is_away_keeps_nobody_from_starting() {
    if !pebble::is_installed() {
        return;
    }
    let scene = Scene::new(Plan::new());
    let daemon = scene.home.start();
    wait_for("the first failure", || scene.certificate()["last_error"].is_string());
    let problems = scene.problems();
    assert!(problems.contains("there is no certificate for hooks.example.com yet"), "{problems}");
    assert!(problems.contains("no connection to localhost"), "{problems}");
    wait_for("the alert", || scene.sandboxes.alerts.alerts().iter().any(|alert| alert["event_type"] == "certificate"));
    // Handshakes fail in order, with an alert and not a broken connection.
    let own = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
    let error = shown(&daemon, own.cert.der(), NAME).unwrap_err().to_string();
    assert!(error.contains("AccessDenied"), "{error}");
    let ready = admin_get(&scene, "/readyz");
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("no certificate yet"), "{ready}");

    // It goes on by itself.
    let pebble = scene.pebble();
    wait_for_certificate(&daemon, &pebble, NAME);
    wait_for("the end of the trouble", || scene.problems() == "[]");
    assert!(admin_get(&scene, "/readyz").starts_with("HTTP/1.1 200"));
    let metrics = admin_get(&scene, "/metrics");
    assert!(metrics.contains("\ntallyhook_certificate_expiry_timestamp_seconds "), "{metrics}");
    wait_for("the word that it is over", || {
        scene.sandboxes.alerts.alerts().iter().any(|alert| alert["event_type"] == "recovered")
    });
    assert_eq!(daemon.stop(), 0);
}

fn admin_get(scene: &Scene, path: &str) -> String {
    let mut socket = std::os::unix::net::UnixStream::connect(scene.home.path().join("admin.sock")).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_is_renewed_before_it_ends_without_a_restart() {
    if !pebble::is_installed() {
        return;
    }
    // Renewed every ten seconds, with five left.
    let scene = Scene::new(Plan { validity: 15, ..Plan::new() });
    let pebble = scene.pebble();
    let daemon = scene.home.start();
    let first = wait_for_certificate(&daemon, &pebble, NAME);
    let root = pebble.root();
    wait_for("another certificate", || {
        // At no moment is there none, or one that has expired.
        shown(&daemon, &root, NAME).expect("a good certificate") != first
    });
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn port_80_proves_names_where_tls_does_not_get_through() {
    if !pebble::is_installed() {
        return;
    }
    // The authority looks for TLS where nobody listens, as it does behind a proxy that ends TLS.
    let plan = Plan::new();
    let elsewhere = Plan { tls_port: pebble::free_port(), ..plan };
    let keys = format!("domains = [{NAME:?}, \"www.example.com\"], http_listen = \"127.0.0.1:{}\"", plan.http_port);
    let scene = Scene::with(plan, &keys);
    let pebble = Pebble::start(scene.home.path(), elsewhere);
    let daemon = scene.home.start();
    wait_for_certificate(&daemon, &pebble, NAME);
    assert!(shown(&daemon, &pebble.root(), "www.example.com").is_ok(), "one certificate for both names");

    // Everything else on that port is sent to https, or refused.
    let plain = ([127, 0, 0, 1], plan.http_port).into();
    let page = http::send(plain, "GET", "/api/health/webhooks?x=1", &[], b"").unwrap();
    assert_eq!(
        (page.status, page.header("location").unwrap()),
        (308, format!("https://{NAME}/api/health/webhooks?x=1"))
    );
    let posted = daemon_post(plain);
    assert_eq!((posted.status, posted.header("location")), (405, None));
    let unknown = http::send(plain, "GET", "/.well-known/acme-challenge/guess", &[], b"").unwrap();
    assert_eq!(unknown.status, 404);
    assert_eq!(scene.home.rows(&["events", "list"]).len(), 0);
    assert_eq!(daemon.stop(), 0);
}

fn daemon_post(address: std::net::SocketAddr) -> http::Answer {
    let body = event("evt_1", "checkout.session.completed", session(1, 9900));
    let signature = events::signature(SECRET, events::now(), &body);
    http::send(address, "POST", "/api/webhooks/stripe", &[("stripe-signature".into(), signature)], &body).unwrap()
}

#[test]
fn what_is_wrong_is_said_and_can_be_repaired() {
    if !pebble::is_installed() {
        return;
    }
    // TLS does not get through, and there is no other way.
    let plan = Plan::new();
    let scene = Scene::with(plan, &format!("domains = [{NAME:?}]"));
    let pebble = Pebble::start(scene.home.path(), Plan { tls_port: pebble::free_port(), ..plan });
    let daemon = scene.home.start();
    wait_for("the refusal", || scene.certificate()["last_error"].is_string());
    let error = scene.certificate()["last_error"].to_string();
    assert!(error.contains("could not see that hooks.example.com leads here (tls-alpn-01)"), "{error}");
    assert!(error.contains("port 443 of hooks.example.com must lead to this server"), "{error}");
    drop(pebble);
    // The way is clear now, and the authority has forgotten the account.
    let pebble = scene.pebble();
    daemon.signal(Signal::HUP);
    wait_for_certificate(&daemon, &pebble, NAME);
    assert_eq!(daemon.stop(), 0);

    // Another port of the same program is no directory.
    let root = scene.home.path().join("web.pem");
    scene.configure(&format!(
        "domains = [{NAME:?}], ca_root = {root:?}, directory = \"https://localhost:{}/wrong\"",
        plan.port
    ));
    let daemon = scene.home.start();
    wait_for("the refusal", || scene.certificate()["last_error"].is_string());
    let error = scene.certificate()["last_error"].to_string();
    assert!(error.contains("/wrong the directory of an ACME authority? server.tls.directory names it"), "{error}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn an_authority_that_wants_its_customers_gets_the_key() {
    if !pebble::is_installed() {
        return;
    }
    let plan = Plan { wants_customers: true, ..Plan::new() };
    let scene = Scene::new(plan);
    let pebble = scene.pebble();
    let daemon = scene.home.start();
    wait_for("the refusal", || scene.certificate()["last_error"].is_string());
    let error = scene.certificate()["last_error"].to_string();
    assert!(error.contains("server.tls.eab"), "{error}");
    assert_eq!(daemon.stop(), 0);

    let root = scene.home.path().join("web.pem");
    scene.configure(&format!(
        "domains = [{NAME:?}], contact = \"me@example.com\", directory = {:?}, ca_root = {root:?}, \
         eab = {{ key_id = \"kid-1\", hmac_key = {CUSTOMER_KEY:?} }}",
        plan.directory()
    ));
    let daemon = scene.home.start();
    wait_for_certificate(&daemon, &pebble, NAME);
    assert!(!daemon.log().contains("me@example.com") && !daemon.log().contains(CUSTOMER_KEY), "{}", daemon.log());
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn another_domain_gets_a_certificate_of_its_own_and_is_not_ready_before() {
    if !pebble::is_installed() {
        return;
    }
    let scene = Scene::new(Plan::new());
    let pebble = scene.pebble();
    let daemon = scene.home.start();
    wait_for_certificate(&daemon, &pebble, NAME);
    assert_eq!(daemon.stop(), 0);

    let root = scene.home.path().join("web.pem");
    let directory = scene.plan.directory();
    scene.configure(&format!("directory = {directory:?}, ca_root = {root:?}, domains = [\"other.example.com\"]"));
    // While the authority is away there is only the certificate for the old name, which is as good as none.
    drop(pebble);
    let daemon = scene.home.start();
    wait_for("the failure", || scene.certificate()["last_error"].is_string());
    let told = scene.certificate();
    assert_eq!((told["names"][0].as_str(), told["expires_at"].as_str()), (Some("other.example.com"), None), "{told}");
    assert!(scene.problems().contains("no certificate for other.example.com yet"), "{}", scene.problems());
    assert!(admin_get(&scene, "/readyz").starts_with("HTTP/1.1 503"));
    wait_for("the alert", || scene.sandboxes.alerts.alerts().iter().any(|alert| alert["event_type"] == "certificate"));

    let pebble = scene.pebble();
    wait_for_certificate(&daemon, &pebble, "other.example.com");
    wait_for("readiness", || admin_get(&scene, "/readyz").starts_with("HTTP/1.1 200"));
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn a_port_80_that_cant_be_had_is_a_problem_and_no_end() {
    if !pebble::is_installed() {
        return;
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let scene = Scene::with(Plan::new(), &format!("domains = [{NAME:?}], http_listen = \"{address}\""));
    let pebble = scene.pebble();
    let daemon = scene.home.start();
    wait_for_certificate(&daemon, &pebble, NAME);
    let problems = scene.problems();
    assert!(
        problems.contains(&format!("can't listen on {address}")) && problems.contains("ListenStream="),
        "{problems}"
    );
    assert!(daemon.log().contains("server.tls.http_listen"), "{}", daemon.log());
    assert_eq!(daemon.stop(), 0);
}
