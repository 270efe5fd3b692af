//! Transport security from a certificate and key in files, read again when they change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

use crate::platform::crypto::crypto_provider;

/// How often the files are looked at.
const WATCH_PERIOD: Duration = Duration::from_secs(5);

/// Why a certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("can't read {path}: {source}; check that it exists and that the service's user may read it")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The certificate file is not PEM.
    #[error("{path} is not a certificate chain in PEM form: {reason}")]
    NotCertificates {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The key file holds no key.
    #[error("{path} holds no private key in PEM form (PKCS#8, PKCS#1 or SEC1, without a passphrase)")]
    NotAKey {
        /// Which.
        path: PathBuf,
    },
    /// Both are fine by themselves, but not together.
    #[error("the key in {key} can't be used with the certificate in {cert}: {source}")]
    NotAPair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
}

/// A certificate with its key, as it is now. The same for every name a client asks for.
#[derive(Debug)]
pub struct Certificate {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
    /// The state of the files when they were last read, whatever came of it.
    read: Mutex<Fingerprint>,
}

/// When and how long each file was; none where it could not be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprint([Option<(SystemTime, u64)>; 2]);

impl Certificate {
    /// Reads and checks a pair of PEM files.
    ///
    /// # Errors
    /// When a file can't be read, is not what it should be, or the key is not the certificate's.
    pub fn load(cert: &Path, key: &Path) -> Result<Arc<Self>, TlsError> {
        // Taken before reading, so that a change meanwhile is seen by the next look.
        let read = Fingerprint::take(cert, key);
        let current = read_pair(cert, key)?;
        Ok(Arc::new(Self {
            cert: cert.to_owned(),
            key: key.to_owned(),
            current: RwLock::new(Arc::new(current)),
            read: Mutex::new(read),
        }))
    }

    /// Reads the files again. When the new pair is bad the old one stays in use.
    ///
    /// # Errors
    /// What is wrong with the new pair.
    pub fn reload(&self) -> Result<(), TlsError> {
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Fingerprint::take(&self.cert, &self.key);
        let fresh = read_pair(&self.cert, &self.key)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        Ok(())
    }

    /// Reads the files again if they changed since they were last read, and logs what came of it, once per change. True when
    /// a new pair is in use.
    pub fn reload_if_changed(&self) -> bool {
        let now = Fingerprint::take(&self.cert, &self.key);
        if *self.read.lock().unwrap_or_else(PoisonError::into_inner) == now {
            return false;
        }
        match self.reload() {
            Ok(()) => {
                tracing::info!(cert = %self.cert.display(), "certificate changed; the new one is in use");
                true
            }
            Err(error) => {
                tracing::error!(%error, "certificate changed but can't be used; the old one stays in use");
                false
            }
        }
    }

    /// Looks at the files every few seconds, for ever.
    pub async fn watch(self: &Arc<Self>) {
        loop {
            tokio::time::sleep(WATCH_PERIOD).await;
            let certificate = Arc::clone(self);
            // Files may be slow to read, and connections must not wait for them.
            let _ = tokio::task::spawn_blocking(move || certificate.reload_if_changed()).await;
        }
    }

    /// TLS 1.2 and 1.3 with this certificate, for HTTP/1.1 only.
    ///
    /// # Errors
    /// When the cryptography lacks what these versions need.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(crypto_provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver(Arc::clone(self))));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug)]
struct Resolver(Arc<Certificate>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.current())
    }
}

impl Fingerprint {
    fn take(cert: &Path, key: &Path) -> Self {
        Self([cert, key].map(|path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        }))
    }
}

fn read_pair(cert: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |source| TlsError::Unreadable { path, source }
    };
    let chain_pem = fs::read(cert).map_err(unreadable(cert))?;
    let key_pem = Zeroizing::new(fs::read(key).map_err(unreadable(key))?);
    let not_certificates = |reason: String| TlsError::NotCertificates { path: cert.to_owned(), reason };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&chain_pem)
        .collect::<Result<_, _>>()
        .map_err(|error| not_certificates(error.to_string()))?;
    if chain.is_empty() {
        return Err(not_certificates("it holds no certificate".to_owned()));
    }
    let private_key =
        PrivateKeyDer::from_pem_slice(&key_pem).map_err(|_| TlsError::NotAKey { path: key.to_owned() })?;
    CertifiedKey::from_der(chain, private_key, &crypto_provider()).map_err(|source| TlsError::NotAPair {
        cert: cert.to_owned(),
        key: key.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Pair {
        folder: tempfile::TempDir,
    }

    impl Pair {
        fn new() -> Self {
            let pair = Self { folder: tempfile::tempdir().unwrap() };
            pair.replace();
            pair
        }

        fn cert(&self) -> PathBuf {
            self.folder.path().join("fullchain.pem")
        }

        fn key(&self) -> PathBuf {
            self.folder.path().join("privkey.pem")
        }

        fn replace(&self) {
            let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
            fs::write(self.cert(), made.cert.pem()).unwrap();
            fs::write(self.key(), made.signing_key.serialize_pem()).unwrap();
        }

        fn load(&self) -> Result<Arc<Certificate>, TlsError> {
            Certificate::load(&self.cert(), &self.key())
        }
    }

    fn shown(certificate: &Certificate) -> Vec<u8> {
        certificate.current().end_entity_cert().unwrap().to_vec()
    }

    #[test]
    fn a_new_pair_is_taken_up_once_and_a_bad_one_never() {
        let pair = Pair::new();
        let certificate = pair.load().unwrap();
        let first = shown(&certificate);
        assert!(!certificate.reload_if_changed(), "nothing changed");

        pair.replace();
        certificate.reload().unwrap();
        let second = shown(&certificate);
        assert_ne!(first, second);
        assert!(!certificate.reload_if_changed());

        fs::write(pair.cert(), "-----BEGIN CERTIFICATE-----\nhalf writ").unwrap();
        assert!(!certificate.reload_if_changed());
        assert!(certificate.reload().is_err());
        assert_eq!(shown(&certificate), second, "the old pair stays in use");

        fs::remove_file(pair.key()).unwrap();
        assert!(!certificate.reload_if_changed());
        assert_eq!(shown(&certificate), second);

        pair.replace();
        fs::write(pair.cert(), format!("{}\n", fs::read_to_string(pair.cert()).unwrap())).unwrap();
        assert!(certificate.reload_if_changed());
        assert_ne!(shown(&certificate), second);
    }

    #[test]
    fn every_kind_of_bad_pair_is_named() {
        let pair = Pair::new();
        let key = fs::read(pair.key()).unwrap();

        pair.replace();
        fs::write(pair.key(), &key).unwrap();
        assert!(matches!(pair.load(), Err(TlsError::NotAPair { .. })), "a key of another certificate");
        fs::write(pair.key(), "nothing here").unwrap();
        assert!(matches!(pair.load(), Err(TlsError::NotAKey { .. })));
        fs::write(pair.key(), &key).unwrap();
        fs::write(pair.cert(), "").unwrap();
        assert!(matches!(pair.load(), Err(TlsError::NotCertificates { .. })));
        fs::remove_file(pair.cert()).unwrap();
        let error = pair.load().unwrap_err();
        assert!(error.to_string().contains("fullchain.pem"), "{error}");
    }
}
