//! Pebble, Let's Encrypt's small authority for tests, with a name service that sends every name to this machine.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;

use super::wait_for;

/// A port that was free a moment ago. Pebble has to be told all ports beforehand.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Whether the program is installed. Says so loudly when not.
pub fn is_installed() -> bool {
    let found = Command::new("pebble").arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        // Not by a macro, whose words the test runner keeps to itself.
        let words = "SKIPPED: certificates are not tested against an authority; `apt-get install pebble` first\n";
        let _ = std::io::stderr().write_all(words.as_bytes());
    }
    found
}

/// What differs between tests.
#[derive(Clone, Copy)]
pub struct Plan {
    /// Where the authority listens.
    pub port: u16,
    /// Where it checks names by TLS-ALPN-01.
    pub tls_port: u16,
    /// Where it checks names by HTTP-01.
    pub http_port: u16,
    /// How long its certificates are good for, in seconds.
    pub validity: u64,
    /// Whether an account needs a customer's key.
    pub wants_customers: bool,
}

impl Plan {
    /// With ports of its own, and certificates that outlive the test.
    pub fn new() -> Self {
        Self {
            port: free_port(),
            tls_port: free_port(),
            http_port: free_port(),
            validity: 90 * 86_400,
            wants_customers: false,
        }
    }

    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }
}

/// The key that [`Plan::wants_customers`] asks for, in base64url.
pub const CUSTOMER_KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

/// A running authority; killed when dropped.
pub struct Pebble {
    child: Child,
    management: u16,
    trusted: CertificateDer<'static>,
}

/// Writes the authority's own web certificate, which clients are to trust, and its key into a folder.
pub fn write_web_certificate(folder: &Path) -> std::path::PathBuf {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("web.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("web.key"), made.signing_key.serialize_pem()).unwrap();
    folder.join("web.pem")
}

impl Pebble {
    /// Starts one whose web certificate was written into a folder before.
    pub fn start(folder: &Path, plan: Plan) -> Self {
        let management = free_port();
        let mut settings = json!({
            "listenAddress": format!("127.0.0.1:{}", plan.port),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": folder.join("web.pem"),
            "privateKey": folder.join("web.key"),
            "httpPort": plan.http_port,
            "tlsPort": plan.tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": plan.wants_customers,
            "certificateValidityPeriod": plan.validity,
        });
        if plan.wants_customers {
            settings["externalAccountMACKeys"] = json!({"kid-1": CUSTOMER_KEY});
        }
        let file = folder.join(format!("pebble-{}.json", plan.port));
        std::fs::write(&file, json!({"pebble": settings}).to_string()).unwrap();
        let child = Command::new("pebble")
            .args(["-strict", "-dnsserver", &name_service().to_string(), "-config"])
            .arg(&file)
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_AUTHZREUSE", "0")
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(folder.join("pebble.log")).unwrap())
            .stderr(std::fs::File::create(folder.join("pebble.err")).unwrap())
            .spawn()
            .unwrap();
        let trusted = CertificateDer::from_pem_file(folder.join("web.pem")).unwrap();
        let pebble = Self { child, management, trusted };
        wait_for("pebble", || pebble.ask("/roots/0").is_some());
        wait_for("pebble's directory", || TcpStream::connect(("127.0.0.1", plan.port)).is_ok());
        pebble
    }

    /// The root under which it issues; another one each time it starts.
    pub fn root(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(&self.ask("/roots/0").unwrap()).unwrap()
    }

    fn ask(&self, path: &str) -> Option<Vec<u8>> {
        let address = ([127, 0, 0, 1], self.management).into();
        let mut stream = connect_tls(address, "localhost", &client(&self.trusted, &[])).ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        Some(answer.split_off(end + 4))
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that believes in one root.
pub fn client(root: &CertificateDer<'static>, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

/// A finished handshake.
pub fn connect_tls(
    address: SocketAddr,
    name: &str,
    client: &Arc<ClientConfig>,
) -> std::io::Result<StreamOwned<ClientConnection, TcpStream>> {
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(40)))?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let session = ClientConnection::new(Arc::clone(client), name).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(session, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// A name service that sends every name to 127.0.0.1, and has no other records (RFC 1035, 4.1).
fn name_service() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut packet = [0; 1500];
        while let Ok((length, asker)) = socket.recv_from(&mut packet) {
            // The question: labels up to an empty one, then type and class.
            let Some(end) = packet[12..length].iter().position(|byte| *byte == 0).map(|at| 12 + at + 5) else {
                continue;
            };
            let is_address = packet[end - 4..end - 2] == [0, 1];
            let mut answer = packet[..2].to_vec();
            answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
            answer.extend(&packet[12..end]);
            if is_address {
                answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
            }
            let _ = socket.send_to(&answer, asker);
        }
    });
    address
}
