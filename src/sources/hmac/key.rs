//! Secrets taken up into what checks a signature.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;

use super::scheme::{Encoding, Hash, KeyForm, Proof, Scheme};
use crate::sources::ed25519::{PublicKey, SIGNATURE_LENGTH};
use crate::sources::signature::{self, SigningKey};

/// Base64 with or without its padding: people lose it when they copy.
pub(super) const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One secret, or the sender's public key.
#[derive(Clone)]
pub(super) enum Key {
    Sha256(SigningKey),
    Sha512(Hmac<Sha512>),
    Ed25519(PublicKey),
}

impl Key {
    /// From the text of a secret; none when it is blank or not of the form that the scheme wants.
    pub fn new(scheme: &Scheme, secret: &str) -> Option<Self> {
        if scheme.proof == Proof::Ed25519 {
            return PublicKey::parse(secret).map(Self::Ed25519);
        }
        let bytes = key_bytes(scheme, secret)?;
        Self::from_bytes(scheme.hash, &bytes)
    }

    #[allow(clippy::expect_used)] // RFC 2104 takes keys of any length
    fn from_bytes(hash: Hash, bytes: &[u8]) -> Option<Self> {
        // Anyone can sign with an empty key.
        if bytes.trim_ascii().is_empty() {
            return None;
        }
        Some(match hash {
            Hash::Sha256 => Self::Sha256(SigningKey::new(bytes)),
            Hash::Sha512 => Self::Sha512(Hmac::new_from_slice(bytes).expect("HMAC takes keys of any length")),
        })
    }

    /// The HMAC of the parts, one after the other; none of a public key.
    pub fn digest(&self, parts: &[&[u8]]) -> Option<Vec<u8>> {
        match self {
            Self::Sha256(key) => Some(key.digest(parts).to_vec()),
            Self::Sha512(key) => {
                let mut mac = key.clone();
                for part in parts {
                    mac.update(part);
                }
                Some(mac.finalize().into_bytes().to_vec())
            }
            Self::Ed25519(_) => None,
        }
    }
}

/// The bytes that a secret's text stands for; none when it is not of that form.
pub(super) fn key_bytes(scheme: &Scheme, secret: &str) -> Option<Vec<u8>> {
    let text = secret.strip_prefix(&scheme.key_prefix).unwrap_or(secret);
    match scheme.key {
        KeyForm::Raw => Some(text.as_bytes().to_vec()),
        KeyForm::Base64 => LENIENT.decode(text).ok(),
        KeyForm::Hex => hex::decode(text).ok(),
    }
}

/// Length of a signature of this scheme in bytes.
pub(super) const fn signature_length(scheme: &Scheme) -> usize {
    match (scheme.proof, scheme.hash) {
        (Proof::Ed25519, _) => SIGNATURE_LENGTH,
        (_, Hash::Sha256) => signature::DIGEST_LENGTH,
        (_, Hash::Sha512) => 64,
    }
}

/// A signature's bytes from how it is written.
pub(super) fn decode(encoding: Encoding, text: &[u8]) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hex::decode(text).ok(),
        Encoding::Base64 => LENIENT.decode(text).ok(),
    }
}

/// The same the other way.
pub(super) fn encode(encoding: Encoding, bytes: &[u8]) -> String {
    match encoding {
        Encoding::Hex => hex::encode(bytes),
        Encoding::Base64 => base64::engine::general_purpose::STANDARD.encode(bytes),
    }
}
