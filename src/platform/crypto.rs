//! The one place that names the cryptography behind TLS.

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;

/// The provider that every TLS configuration is built with, on either side. Configurations name it explicitly: rustls panics when
/// it has to guess.
pub fn crypto_provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    Arc::clone(&PROVIDER)
}
