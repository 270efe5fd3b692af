//! Signatures by Standard Webhooks, version 1 (Standard Webhooks specification: symmetric signatures).

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// What a secret begins with whose rest is base64.
pub const PREFIX: &str = "whsec_";

/// Base64 with or without its padding: people lose it when they copy.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes that a secret stands for: of `whsec_…` the decoded rest, else its own. None when the rest is not base64.
pub fn key_bytes(secret: &str) -> Option<Vec<u8>> {
    match secret.strip_prefix(PREFIX) {
        Some(encoded) => LENIENT.decode(encoded).ok(),
        None => Some(secret.as_bytes().to_vec()),
    }
}

/// A secret taken up into HMAC's state.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// From a secret; one that [`key_bytes`] can't decode counts as its own bytes (the configuration refuses it before).
    #[allow(clippy::expect_used)] // RFC 2104 takes keys of any length
    pub fn new(secret: &str) -> Self {
        let bytes = key_bytes(secret).unwrap_or_else(|| secret.as_bytes().to_vec());
        Self(Hmac::new_from_slice(&bytes).expect("HMAC takes keys of any length"))
    }

    /// The value of `webhook-signature`: `v1,` and the base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`. `timestamp` is in
    /// Unix seconds; neither it nor the id holds a full stop.
    pub fn sign(&self, id: &str, timestamp: i64, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked out with `openssl dgst -sha256 -mac HMAC -macopt hexkey:… -binary | base64`.
    #[test]
    fn a_signature_is_what_openssl_makes_of_the_same() {
        // The key is the bytes 0 to 23.
        let key = Key::new("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX");
        assert_eq!(key.sign("msg_1", 1_700_000_000, br#"{"a":1}"#), "v1,YOREwC5BRUvI4ezImQEgEteB7JbPr/Iy2YCZe049/5g=");
        let key = Key::new("a secret of plain letters");
        assert_eq!(key.sign("msg_1", 1_700_000_000, br#"{"a":1}"#), "v1,u90BZKBYpDMyrlmYVaiYYHpqNOq5bnLbffHEz3mfoto=");
    }

    #[test]
    fn a_secret_is_read_with_and_without_padding() {
        assert_eq!(key_bytes("whsec_AAECAw==").unwrap(), [0, 1, 2, 3]);
        assert_eq!(key_bytes("whsec_AAECAw").unwrap(), [0, 1, 2, 3]);
        assert_eq!(key_bytes("AAECAw==").unwrap(), b"AAECAw==");
        assert_eq!(key_bytes("whsec_not base64!"), None);
    }
}
