//! What the authority may ask for right now to see that a name leads here: a certificate made for the question (TLS-ALPN-01,
//! RFC 8737), or a word at a path (HTTP-01, RFC 8555 8.3). Empty but for the seconds in which an order is under way.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use crate::platform::crypto::crypto_provider;

/// The protocol by which the authority asks (RFC 8737, 6.2).
pub const PROTOCOL: &[u8] = b"acme-tls/1";
/// Where it asks over plain HTTP (RFC 8555, 8.3).
pub const PATH: &str = "/.well-known/acme-challenge/";

/// Answers to challenges.
#[derive(Debug, Default)]
pub struct Challenges {
    certificates: RwLock<BTreeMap<String, Arc<CertifiedKey>>>,
    words: RwLock<BTreeMap<String, String>>,
}

/// A certificate for a challenge can't be made; nothing that a configuration could cause.
#[derive(Debug, thiserror::Error)]
pub enum Unanswerable {
    /// rcgen can't make it.
    #[error("the certificate that answers the authority can't be made: {0}")]
    Made(#[from] rcgen::Error),
    /// rustls can't use its key.
    #[error("the certificate that answers the authority can't be used: {0}")]
    Used(#[from] rustls::Error),
}

impl Challenges {
    /// Answers for a name by TLS, with the SHA-256 of the key authorization.
    ///
    /// # Errors
    /// When the certificate can't be made.
    pub fn answer_by_tls(&self, domain: &str, digest: &[u8; 32]) -> Result<(), Unanswerable> {
        let key = rcgen::KeyPair::generate()?;
        let mut params = rcgen::CertificateParams::new(vec![domain.to_owned()])?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.custom_extensions = vec![rcgen::CustomExtension::new_acme_identifier(digest)];
        let made = params.self_signed(&key)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        // Not checked against each other: the checker refuses the extension, which is marked critical.
        let key = crypto_provider().key_provider.load_private_key(key)?;
        let answer = Arc::new(CertifiedKey::new(vec![made.der().clone()], key));
        let mut certificates = self.certificates.write().unwrap_or_else(PoisonError::into_inner);
        certificates.insert(domain.to_ascii_lowercase(), answer);
        Ok(())
    }

    /// Answers for a token by HTTP, with the key authorization.
    pub fn answer_by_http(&self, token: &str, key_authorization: &str) {
        let mut words = self.words.write().unwrap_or_else(PoisonError::into_inner);
        words.insert(token.to_owned(), key_authorization.to_owned());
    }

    /// Answers nothing any more.
    pub fn clear(&self) {
        self.certificates.write().unwrap_or_else(PoisonError::into_inner).clear();
        self.words.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The certificate that answers for a name.
    pub fn certificate(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let certificates = self.certificates.read().unwrap_or_else(PoisonError::into_inner);
        certificates.get(&name.to_ascii_lowercase()).map(Arc::clone)
    }

    /// The word that answers for a token.
    pub fn word(&self, token: &str) -> Option<String> {
        self.words.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }
}
