//! Transport security: the certificate that is shown, from files that are read again when they change, or from an authority.

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

use super::acme::challenges::{Challenges, PROTOCOL};
use super::certificate::{Facts, Standing};
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
    origin: Origin,
    current: RwLock<Option<Shown>>,
}

/// What clients are shown.
#[derive(Clone, Debug)]
struct Shown {
    key: Arc<CertifiedKey>,
    facts: Option<Facts>,
}

#[derive(Debug)]
enum Origin {
    Files {
        cert: PathBuf,
        key: PathBuf,
        /// The state of the files when they were last read, whatever came of it.
        read: Mutex<Fingerprint>,
    },
    Authority {
        challenges: Arc<Challenges>,
        /// What its keeper has to say.
        news: RwLock<Standing>,
        /// Asks its keeper to try at once.
        wish: tokio::sync::Notify,
    },
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
        let read = Mutex::new(Fingerprint::take(cert, key));
        let current = Shown::new(read_pair(cert, key)?);
        let origin = Origin::Files { cert: cert.to_owned(), key: key.to_owned(), read };
        Ok(Arc::new(Self { origin, current: RwLock::new(Some(current)) }))
    }

    /// None yet: to be [`Self::show`]n by who fetches it. Until then handshakes are refused, but for those by which the authority
    /// checks a name.
    pub fn from_authority(challenges: Arc<Challenges>) -> Arc<Self> {
        let news = RwLock::new(Standing { mode: "acme", ..Standing::default() });
        let origin = Origin::Authority { challenges, news, wish: tokio::sync::Notify::new() };
        Arc::new(Self { origin, current: RwLock::new(None) })
    }

    /// Uses a certificate from now on.
    pub(super) fn show(&self, key: CertifiedKey) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Shown::new(key));
    }

    /// What the keeper of an authority's certificate has to say.
    pub(super) fn tell(&self, standing: Standing) {
        if let Origin::Authority { news, .. } = &self.origin {
            *news.write().unwrap_or_else(PoisonError::into_inner) = standing;
        }
    }

    /// Resolves when somebody wishes for a try at once.
    pub(super) async fn wished(&self) {
        match &self.origin {
            Origin::Authority { wish, .. } => wish.notified().await,
            Origin::Files { .. } => std::future::pending().await,
        }
    }

    /// How it is.
    pub fn standing(&self) -> Standing {
        let shown = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        let validity = |facts: &Facts| (facts.not_before, facts.not_after);
        match &self.origin {
            Origin::Authority { news, .. } => news.read().unwrap_or_else(PoisonError::into_inner).clone(),
            Origin::Files { .. } => {
                let facts = shown.and_then(|shown| shown.facts);
                let names = facts.as_ref().map(|facts| facts.names.clone()).unwrap_or_default();
                Standing { mode: "files", names, validity: facts.as_ref().map(validity), ..Standing::default() }
            }
        }
    }

    /// What stands in it; none when there is none or it can't be read.
    pub fn facts(&self) -> Option<Facts> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).as_ref()?.facts.clone()
    }

    /// Whether there is one for the names that are configured, so that clients can connect.
    pub fn is_there(&self) -> bool {
        self.standing().is_there()
    }

    /// Reads the files again; when the new pair is bad the old one stays in use. One from an authority is asked for at once, if
    /// there is anything to ask for.
    ///
    /// # Errors
    /// What is wrong with the new pair.
    pub fn reload(&self) -> Result<(), TlsError> {
        match &self.origin {
            Origin::Files { cert, key, read } => {
                *read.lock().unwrap_or_else(PoisonError::into_inner) = Fingerprint::take(cert, key);
                self.show(read_pair(cert, key)?);
            }
            Origin::Authority { wish, .. } => wish.notify_one(),
        }
        Ok(())
    }

    /// Reads the files again if they changed since they were last read, and logs what came of it, once per change. True when
    /// a new pair is in use.
    pub fn reload_if_changed(&self) -> bool {
        let Origin::Files { cert, key, read } = &self.origin else { return false };
        let now = Fingerprint::take(cert, key);
        if *read.lock().unwrap_or_else(PoisonError::into_inner) == now {
            return false;
        }
        match self.reload() {
            Ok(()) => {
                tracing::info!(cert = %cert.display(), "certificate changed; the new one is in use");
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
            if matches!(self.origin, Origin::Files { .. }) {
                let certificate = Arc::clone(self);
                // Files may be slow to read, and connections must not wait for them.
                let _ = tokio::task::spawn_blocking(move || certificate.reload_if_changed()).await;
            }
        }
    }

    /// TLS 1.2 and 1.3 with this certificate, for HTTP/1.1 only, and for an authority's questions where one is asked.
    ///
    /// # Errors
    /// When the cryptography lacks what these versions need.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(crypto_provider())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver(Arc::clone(self))));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if matches!(self.origin, Origin::Authority { .. }) {
            config.alpn_protocols.push(PROTOCOL.to_vec());
        }
        Ok(Arc::new(config))
    }

    fn current(&self) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().map(|shown| Arc::clone(&shown.key))
    }
}

impl Shown {
    fn new(key: CertifiedKey) -> Self {
        let facts = key.end_entity_cert().ok().and_then(|certificate| Facts::read(certificate));
        Self { key: Arc::new(key), facts }
    }
}

#[derive(Debug)]
struct Resolver(Arc<Certificate>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // RFC 8737, 3: whoever offers this protocol is an authority, and nobody else gets its answer.
        let is_question = hello.alpn().is_some_and(|mut offered| offered.any(|protocol| protocol == PROTOCOL));
        match &self.0.origin {
            Origin::Authority { challenges, .. } if is_question => challenges.certificate(hello.server_name()?),
            _ => self.0.current(),
        }
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
        certificate.current().unwrap().end_entity_cert().unwrap().to_vec()
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
