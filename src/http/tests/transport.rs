//! TLS: versions, silence, and a certificate that changes while connections come and go.

use std::path::PathBuf;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::*;
use crate::platform::crypto::crypto_provider;

type TlsStream = StreamOwned<ClientConnection, TcpStream>;

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> (Self, CertificateDer<'static>) {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        let made = files.replace();
        (files, made)
    }

    fn cert(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    fn replace(&self) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(self.cert(), made.cert.pem()).unwrap();
        std::fs::write(self.key(), made.signing_key.serialize_pem()).unwrap();
        made.cert.der().clone()
    }

    fn certificate(&self) -> Arc<Certificate> {
        Certificate::load(&self.cert(), &self.key()).unwrap()
    }
}

fn connect(
    server: &Running,
    trusted: &CertificateDer<'static>,
    versions: &[&'static rustls::SupportedProtocolVersion],
    protocols: &[&[u8]],
) -> std::io::Result<TlsStream> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(crypto_provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), server.connect());
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

fn ask(stream: &mut TlsStream, id: &str) -> Reply {
    stream.write_all(webhook("shop", &event(id)).as_bytes()).unwrap();
    read_reply(stream)
}

const BOTH: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

#[test]
fn both_versions_of_tls_carry_webhooks() {
    let (files, made) = Files::new();
    let server = Setup { certificate: Some(files.certificate()), ..Setup::default() }.start();
    for (version, id) in [(&rustls::version::TLS12, "evt_12"), (&rustls::version::TLS13, "evt_13")] {
        let mut stream = connect(&server, &made, &[version], &[b"h2", b"http/1.1"]).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        for number in 0..3 {
            assert_eq!(ask(&mut stream, &format!("{id}_{number}")).status, 200);
        }
    }
    assert!(connect(&server, &made, BOTH, &[]).is_ok(), "without ALPN");
    assert!(connect(&server, &made, BOTH, &[b"h2"]).is_err(), "HTTP/2 alone is not spoken");
    assert_eq!(server.door.marks().len(), 6);
}

#[test]
fn silence_before_and_after_the_handshake_ends_the_connection() {
    let (files, made) = Files::new();
    let mut setup = Setup { certificate: Some(files.certificate()), ..Setup::default() };
    setup.server.handshake_timeout = Duration::from_millis(200);
    setup.server.header_timeout = Duration::from_millis(200);
    let server = setup.start();
    assert!(is_closed(&mut server.connect()), "no hello");
    let mut begun = server.connect();
    begun.write_all(b"\x16\x03\x01\x02\x00").unwrap();
    assert!(is_closed(&mut begun), "half a hello");
    let mut silent = connect(&server, &made, BOTH, &[]).unwrap();
    assert!(is_closed(&mut silent), "a handshake and nothing more");
    let mut half = connect(&server, &made, BOTH, &[]).unwrap();
    half.write_all(b"GET ").unwrap();
    assert_eq!(read_reply(&mut half).status, 408);
}

#[test]
fn plain_http_on_a_tls_port_harms_nobody() {
    let (files, made) = Files::new();
    let server = Setup { certificate: Some(files.certificate()), ..Setup::default() }.start();
    let mut plain = server.connect();
    plain.write_all(webhook("shop", &event("evt_1")).as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"));
    assert_eq!(ask(&mut connect(&server, &made, BOTH, &[]).unwrap(), "evt_2").status, 200);
    assert_eq!(server.door.marks(), ["test/evt_2"]);
}

#[test]
fn a_new_certificate_is_used_and_a_bad_one_is_not() {
    let (files, first) = Files::new();
    let certificate = files.certificate();
    let server = Setup { certificate: Some(Arc::clone(&certificate)), ..Setup::default() }.start();
    let mut open = connect(&server, &first, BOTH, &[]).unwrap();

    let second = files.replace();
    certificate.reload().unwrap();
    assert!(connect(&server, &first, BOTH, &[]).is_err());
    assert_eq!(ask(&mut connect(&server, &second, BOTH, &[]).unwrap(), "evt_2").status, 200);

    std::fs::write(files.key(), "not a key").unwrap();
    assert!(certificate.reload().is_err());
    assert_eq!(ask(&mut connect(&server, &second, BOTH, &[]).unwrap(), "evt_3").status, 200);
    assert_eq!(ask(&mut open, "evt_1").status, 200, "open connections go on");
}
