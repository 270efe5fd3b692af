//! TLS: versions, silence, and a certificate that changes while connections come and go.

use std::path::PathBuf;

use rustls::pki_types::pem::PemObject;
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

/// The alert that ends a handshake; none when there is another end.
fn alert(mut stream: TcpStream) -> Option<u8> {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    match answer[..] {
        [21, 3, _, 0, 2, 2, alert, ..] => Some(alert),
        _ => None,
    }
}

#[test]
fn nothing_older_than_tls_1_2_is_spoken() {
    let (files, made) = Files::new();
    let server = Setup { certificate: Some(files.certificate()), ..Setup::default() }.start();
    for version in [1, 2] {
        // A client that knows TLS 1.0 or 1.1: its version, 32 random bytes, no session, one suite, no compression, and the
        // signatures that it takes.
        let mut hello = vec![3, version];
        hello.extend([7; 32]);
        hello.extend([0, 0, 2, 0xc0, 0x13, 1, 0]);
        hello.extend([0, 8, 0, 13, 0, 4, 0, 2, 4, 1]);
        let mut message = vec![22, 3, 1, 0, hello.len() as u8 + 4, 1, 0, 0, hello.len() as u8];
        message.extend(hello);
        let mut stream = server.connect();
        stream.write_all(&message).unwrap();
        assert_eq!(alert(stream), Some(70), "protocol_version");
    }
    assert_eq!(ask(&mut connect(&server, &made, BOTH, &[]).unwrap(), "evt_1").status, 200);
}

#[test]
fn sessions_are_taken_up_again() {
    let (files, made) = Files::new();
    let server = Setup { certificate: Some(files.certificate()), ..Setup::default() }.start();
    for (version, id) in [(&rustls::version::TLS12, "evt_12"), (&rustls::version::TLS13, "evt_13")] {
        let mut roots = RootCertStore::empty();
        roots.add(made.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(crypto_provider())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = Arc::new(config);
        let mut kinds = Vec::new();
        for number in 0..2 {
            let name = ServerName::try_from("localhost").unwrap();
            let session = ClientConnection::new(Arc::clone(&config), name).unwrap();
            let mut stream = StreamOwned::new(session, server.connect());
            assert_eq!(ask(&mut stream, &format!("{id}_{number}")).status, 200);
            kinds.push(stream.conn.handshake_kind().unwrap());
        }
        assert_eq!(kinds, [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed], "{version:?}");
    }
}

#[test]
fn without_a_certificate_handshakes_end_in_order() {
    let (_, made) = Files::new();
    let certificate = Certificate::from_authority(Arc::default());
    let server = Setup { certificate: Some(certificate), ..Setup::default() }.start();
    let offers: [&[&[u8]]; 3] = [&[b"http/1.1"], &[], &[b"acme-tls/1"]];
    for protocols in offers {
        let error = connect(&server, &made, BOTH, protocols).unwrap_err().to_string();
        assert!(error.contains("AccessDenied"), "{error}");
    }
}

#[test]
fn an_authority_sees_its_own_certificate_and_nothing_else() {
    let (files, made) = Files::new();
    let challenges = Arc::new(crate::http::acme::challenges::Challenges::default());
    let certificate = Certificate::from_authority(Arc::clone(&challenges));
    let key = rustls::pki_types::PrivateKeyDer::from_pem_file(files.key()).unwrap();
    let own = rustls::sign::CertifiedKey::from_der(vec![made.clone()], key, &crypto_provider()).unwrap();
    certificate.show(own);
    let server = Setup { certificate: Some(certificate), ..Setup::default() }.start();
    assert!(connect(&server, &made, BOTH, &[b"acme-tls/1"]).is_err(), "nothing is under way");

    challenges.answer_by_tls("localhost", &[9; 32]).unwrap();
    let answer = challenges.certificate("localhost").unwrap().cert[0].clone();
    let mut stream = question(&server);
    assert_eq!(stream.conn.peer_certificates().unwrap(), std::slice::from_ref(&answer));
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"acme-tls/1"[..]));
    let mut digest = vec![0x04, 0x22, 0x04, 0x20];
    digest.extend([9; 32]);
    assert!(answer.windows(digest.len()).any(|window| window == digest), "the digest stands in its extension");
    let _ = stream.write_all(webhook("shop", &event("evt_1")).as_bytes());
    assert!(is_closed(&mut stream), "no request is taken over it");

    assert_eq!(ask(&mut connect(&server, &made, BOTH, &[b"http/1.1"]).unwrap(), "evt_2").status, 200);
    challenges.clear();
    assert!(connect(&server, &made, BOTH, &[b"acme-tls/1"]).is_err());
    assert_eq!(server.door.marks(), ["test/evt_2"]);
}

/// An authority's handshake. It looks at the certificate itself instead of believing it.
fn question(server: &Running) -> TlsStream {
    #[derive(Debug)]
    struct Curious;

    impl rustls::client::danger::ServerCertVerifier for Curious {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: rustls::pki_types::UnixTime,
        ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
            Ok(rustls::client::danger::ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &rustls::DigitallySignedStruct,
        ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
            Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
            crypto_provider().signature_verification_algorithms.supported_schemes()
        }
    }

    let mut config = ClientConfig::builder_with_provider(crypto_provider())
        .with_protocol_versions(BOTH)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Curious))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), server.connect());
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).unwrap();
    }
    stream
}
