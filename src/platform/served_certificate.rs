//! The certificate that a server shows, whether it is to be believed or not.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::crypto::crypto_provider;

/// What was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The server's own certificate, DER.
    pub certificate: Vec<u8>,
    /// Why a client that knows the usual authorities does not believe it; none when it does.
    pub doubt: Option<String>,
}

/// Asks a server for the certificate that it shows for a name. Nothing is sent but the handshake.
///
/// # Errors
/// When there is no connection, or the handshake does not come to its end.
pub fn served_certificate(address: SocketAddr, name: &str, patience: Duration) -> io::Result<Served> {
    let roots = Arc::new(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    let judge =
        WebPkiServerVerifier::builder_with_provider(roots, crypto_provider()).build().map_err(io::Error::other)?;
    let witness = Arc::new(Witness { judge, seen: Mutex::default() });
    let config = ClientConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::<Witness>::clone(&witness))
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let mut connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    let seen = witness.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    seen.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the server showed no certificate"))
}

/// Judges as any client would, remembers, and goes on whatever the judgement.
#[derive(Debug)]
struct Witness {
    judge: Arc<WebPkiServerVerifier>,
    seen: Mutex<Option<Served>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let judged = self.judge.verify_server_cert(end_entity, intermediates, name, ocsp, now);
        let served = Served { certificate: end_entity.to_vec(), doubt: judged.err().map(|error| error.to_string()) };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(served);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}
