//! Ed25519 (RFC 8032): senders that sign with a key of their own and publish its public half.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, UnparsedPublicKey};

/// Length of a signature in bytes.
pub const SIGNATURE_LENGTH: usize = 64;

/// What a public key in DER begins with (RFC 8410: SubjectPublicKeyInfo of id-Ed25519).
const DER: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// From PEM, DER in base64, 32 bytes in base64 (with or without `whpk_` before it), or 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("-----"));
        let text: String = lines.flat_map(str::split_whitespace).collect();
        let text = text.strip_prefix("whpk_").unwrap_or(&text);
        if text.len() == 64 {
            return hex::decode(text).ok()?.try_into().ok().map(Self);
        }
        let bytes = STANDARD.decode(text).ok()?;
        let key = bytes.strip_prefix(&DER).unwrap_or(&bytes);
        key.try_into().ok().map(Self)
    }

    /// Whether the holder of the private half signed this message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, 7.1, test 3.
    const KEY: &str = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";
    const SIGNATURE: &str = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";

    #[test]
    fn the_signature_of_rfc_8032_is_good_and_no_other_is() {
        let key = PublicKey::parse(KEY).unwrap();
        let signature = hex::decode(SIGNATURE).unwrap();
        assert!(key.verify(&[0xaf, 0x82], &signature));
        assert!(!key.verify(&[0xaf, 0x83], &signature));
        for bit in [0, 100, 300, 511] {
            let mut other = signature.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.verify(&[0xaf, 0x82], &other), "{bit}");
        }
        assert!(!key.verify(&[0xaf, 0x82], &signature[..63]));
        assert!(!key.verify(&[0xaf, 0x82], b""));
    }

    #[test]
    fn a_key_is_read_in_every_form_it_is_handed_out_in() {
        let key = PublicKey::parse(KEY).unwrap();
        let raw = hex::decode(KEY).unwrap();
        let der = STANDARD.encode([&DER[..], &raw].concat());
        for form in [
            STANDARD.encode(&raw),
            format!("whpk_{}", STANDARD.encode(&raw)),
            der.clone(),
            format!("-----BEGIN PUBLIC KEY-----\n{der}\n-----END PUBLIC KEY-----\n"),
        ] {
            assert_eq!(PublicKey::parse(&form), Some(key.clone()), "{form}");
        }
        for wrong in ["", "x", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &KEY[..62]] {
            assert_eq!(PublicKey::parse(wrong), None, "{wrong}");
        }
    }
}
