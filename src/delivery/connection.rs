//! How connections are made: TCP, then TLS with our own trust, and a mark of whether a request has left this machine.
//!
//! ureq's own TLS connector can trust either the compiled-in roots or given ones, not both, and its errors do not tell a
//! broken handshake from a broken answer. `ureq::unversioned` may change in any minor release, hence the pinned version.

use std::cell::Cell;
use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use ureq::Error;
use ureq::unversioned::transport::time::{Duration, Instant};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

use crate::platform::crypto::crypto_provider;

/// Which certificates are believed, shared by all clients: the compiled-in roots (webpki-roots) and extra ones.
#[derive(Clone)]
pub struct Trust(Arc<ClientConfig>);

/// The extra roots can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Not PEM.
    #[error("the extra root certificates are not PEM: {0}; the file needs -----BEGIN CERTIFICATE----- blocks")]
    Pem(String),
    /// PEM without a certificate.
    #[error("there is no certificate among the extra root certificates")]
    Empty,
    /// A certificate that can't be a root.
    #[error("an extra root certificate can't be used: {0}")]
    Root(#[source] rustls::Error),
    /// The cryptography has no protocol version in common with us.
    #[error("TLS can't be set up: {0}")]
    Setup(#[source] rustls::Error),
}

impl Trust {
    /// The compiled-in roots, and those of `extra_roots` (PEM).
    ///
    /// # Errors
    /// When the extra roots can't be read.
    pub fn new(extra_roots: Option<&[u8]>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(pem) = extra_roots {
            let compiled_in = roots.len();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(|error| TrustError::Pem(error.to_string()))?;
                roots.add(certificate).map_err(TrustError::Root)?;
            }
            if roots.len() == compiled_in {
                return Err(TrustError::Empty);
            }
        }
        let mut config = ClientConfig::builder_with_provider(crypto_provider())
            .with_safe_default_protocol_versions()
            .map_err(TrustError::Setup)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trust")
    }
}

/// TLS failed before the request was sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFailure {
    /// The certificate is not believed: nobody should send anything there until a person has looked.
    #[error("its certificate is not trusted: {0}")]
    Untrusted(String),
    /// The host's name can't stand in a certificate.
    #[error("its name can't be used with TLS")]
    Name,
    /// The handshake was broken off; it may work another time.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
}

impl TlsFailure {
    fn from_rustls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => Self::Untrusted(match error {
                CertificateError::UnknownIssuer => "no authority that is known here issued it".to_owned(),
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    "it has expired (or this machine's clock is wrong)".to_owned()
                }
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                    "it is not valid yet (or this machine's clock is wrong)".to_owned()
                }
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    "it was issued for another name".to_owned()
                }
                other => format!("{other:?}"),
            }),
            other => Self::Handshake(other.to_string()),
        }
    }
}

thread_local! {
    /// Whether the request that this thread is making has left. ureq makes a call on its caller's thread from first to last.
    static HAS_LEFT: Cell<bool> = const { Cell::new(false) };
}

/// Forgets about the thread's previous request.
pub fn begin_request() {
    HAS_LEFT.set(false);
}

/// Whether the head of the thread's request was handed to the network. Until then nobody can have acted on it.
pub fn request_has_left() -> bool {
    HAS_LEFT.get()
}

/// Wraps a TCP connection in TLS where the URL is `https`, and watches what is sent.
#[derive(Clone, Debug)]
pub struct SecureConnector(Trust);

impl SecureConnector {
    /// With these roots.
    pub const fn new(trust: Trust) -> Self {
        Self(trust)
    }
}

impl<In: Transport> Connector<In> for SecureConnector {
    type Out = Watched<Either<In, TlsTransport>>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let Some(transport) = chained else { return Ok(None) };
        if !details.needs_tls() {
            return Ok(Some(Watched(Either::A(transport))));
        }
        let failure = |failure: TlsFailure| Error::Other(Box::new(failure));
        let host = details.uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| failure(TlsFailure::Name))?;
        let mut connection = ClientConnection::new(Arc::clone(&self.0.0), name)
            .map_err(|error| failure(TlsFailure::from_rustls(&error)))?;
        let mut socket = TransportAdapter::new(transport.boxed(), Arc::clone(&details.current_time));
        socket.set_timeout(what_is_left(details));
        connection.complete_io(&mut socket).map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(error) => failure(TlsFailure::from_rustls(error)),
                None => error.into(),
            }
        })?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Watched(Either::B(TlsTransport { buffers, stream: StreamOwned { conn: connection, sock: socket } }))))
    }
}

/// The time to connect, less what TCP took of it.
fn what_is_left(details: &ConnectionDetails<'_>) -> NextTimeout {
    let mut timeout = details.timeout;
    if let (Duration::Exact(limit), Instant::Exact(start), Instant::Exact(now)) =
        (timeout.after, details.now, (details.current_time)())
    {
        timeout.after = Duration::Exact(limit.saturating_sub(now.saturating_duration_since(start)));
    }
    timeout
}

/// A TLS connection.
pub struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.stream.get_mut().set_timeout(timeout);
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        self.stream.write_all(output)?;
        self.stream.flush()?; // a write alone would keep an error to itself
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsTransport")
    }
}

/// A connection that marks when a request has left.
#[derive(Debug)]
pub struct Watched<T>(T);

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.0.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        // The first write is the head, in one piece: when it fails the head is not complete at the other end.
        self.0.transmit_output(amount, timeout)?;
        HAS_LEFT.set(true);
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.0.await_input(timeout)
    }

    fn is_open(&mut self) -> bool {
        self.0.is_open()
    }

    fn is_tls(&self) -> bool {
        self.0.is_tls()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_roots_are_read_or_refused_with_a_reason() {
        assert!(Trust::new(None).is_ok());
        let root = rcgen::generate_simple_self_signed(vec!["ca.example".to_owned()]).unwrap();
        assert!(Trust::new(Some(root.cert.pem().as_bytes())).is_ok());
        assert!(matches!(Trust::new(Some(b"no certificate at all")), Err(TrustError::Empty)));
        let broken = b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
        assert!(matches!(Trust::new(Some(broken)), Err(TrustError::Pem(_))));
        let not_x509 = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(Trust::new(Some(not_x509)), Err(TrustError::Root(_))));
    }
}
