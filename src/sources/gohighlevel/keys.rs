//! HighLevel's public keys: read in every form in which they are passed around, and asked whether they signed a body.
//!
//! Nothing secret is computed with, so that nothing here need take constant time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

pub use crate::sources::ed25519::PublicKey;

/// The key that signs every marketplace app's webhooks (HighLevel: webhook integration guide, `X-GHL-Signature`).
pub(super) const PUBLISHED: &str = "8b61d1d6cacbe28d7c3bc0516bb815258ec6edbba96cddc7f40c09ac708388e8";

/// The key of the older header (HighLevel: webhook authentication, `x-wh-signature`): RSA of 4096 bits, SPKI in base64.
pub(super) const PUBLISHED_LEGACY: &str = "\
MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAokvo/r9tVgcfZ5DysOSC\
Frm602qYV0MaAiNnX9O8KxMbiyRKWeL9JpCpVpt4XHIcBOK4u3cLSqJGOLaPuXw6\
dO0t6Q/ZVdAV5Phz+ZtzPL16iCGeK9po6D6JHBpbi989mmzMryUnQJezlYJ3DVfB\
csedpinheNnyYeFXolrJvcsjDtfAeRx5ByHQmTnSdFUzuAnC9/GepgLT9SM4nCpv\
uxmZMxrJt5Rw+VUaQ9B8JSvbMPpez4peKaJPZHBbU3OdeCVx5klVXXZQGNHOs8gF\
3kvoV5rTnXV0IknLBXlcKKAQLZcY/Q9rG6Ifi9c+5vqlvHPCUJFT5XUGG5RKgOKU\
J062fRtN+rLYZUV+BjafxQauvC8wSWeYja63VSUruvmNj8xkx2zE/Juc+yjLjTXp\
IocmaiFeAO6fUtNjDeFVkhf5LNb59vECyrHD2SQIrhgXpO4Q3dVNA5rw576PwTzN\
h/AMfHKIjE4xQA1SZuYJmNnmVZLIZBlQAF9Ntd03rfadZ+yDiOXCCs9FkHibELhC\
HULgCsnuDJHcrGNd5/Ddm5hxGQ0ASitgHeMZ0kcIOwKDOzOU53lDza6/Y09T7sYJ\
PQe7z0cvj7aE4B+Ax1ZoZGPzpJlZtGXCsu9aTEGEnKzmsFqwcSsnw3JB31IGKAyk\
T1hhTiaCeIY/OwwwNUY2yvcCAwEAAQ==";

/// The algorithm of an RSA key in its DER form: `rsaEncryption`, without parameters (RFC 3279, 2.3.1).
const RSA_ALGORITHM: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// The RSA key of the older header.
pub(super) struct LegacyKey(Vec<u8>);

impl LegacyKey {
    /// The published one; none if it could not be read, which a test rules out.
    pub(super) fn published() -> Option<Self> {
        Self::parse(PUBLISHED_LEGACY)
    }

    /// From base64 of the DER form: a sequence of the algorithm and the key's own sequence as a string of bits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let der = STANDARD.decode(text).ok()?;
        let (outer, _) = element(&der, 0x30)?;
        let (key, _) = element(outer.strip_prefix(&RSA_ALGORITHM)?, 0x03)?;
        // The first byte of a string of bits tells how many of its last byte are unused: none.
        Some(Self(key.strip_prefix(&[0])?.to_vec()))
    }

    /// Whether it signed a body: PKCS #1 v1.5 over SHA-256.
    pub(super) fn signed(&self, body: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.0).verify(body, signature).is_ok()
    }
}

/// The content of a DER element with this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 | 0x82 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    (found == tag).then(|| rest.split_at_checked(length))?
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn the_published_key_is_the_same_in_every_form() {
        let key = PublicKey::parse(PUBLISHED).unwrap();
        for form in [
            PEM,
            "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=",
            "i2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=",
            " 8B61D1D6CACBE28D7C3BC0516BB815258EC6EDBBA96CDDC7F40C09AC708388E8 ",
            "8b61d1d6cacbe28d7c3bc0516bb81525\n8ec6edbba96cddc7f40c09ac708388e8",
        ] {
            assert_eq!(PublicKey::parse(form), Some(key.clone()), "{form}");
        }
        for wrong in
            ["", "abc", "i2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDi", PUBLISHED_LEGACY, "-----BEGIN PUBLIC KEY-----"]
        {
            assert_eq!(PublicKey::parse(wrong), None, "{wrong}");
        }
    }

    /// RFC 8032, 7.1, test 3.
    #[test]
    fn a_signature_of_the_standard_holds_and_a_changed_body_does_not() {
        let key = PublicKey::parse("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025").unwrap();
        let signature = hex::decode(
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        )
        .unwrap();
        assert!(key.verify(&[0xaf, 0x82], &signature));
        assert!(!key.verify(&[0xaf, 0x83], &signature) && !key.verify(&[0xaf, 0x82], &signature[1..]));
        assert!(!PublicKey::parse(PUBLISHED).unwrap().verify(&[0xaf, 0x82], &signature));
    }

    /// A key of 2048 bits and a signature that `openssl dgst -sha256 -sign` made with it.
    #[test]
    fn the_older_signature_holds_over_its_body_alone() {
        let key = LegacyKey::parse(
            "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwNVJ5/jIQJAVm93YLDNNQu/5NvvsL2MSSqjgtlWHHy5tJRtUAtkr9LV2k1kwg3byBb2FDxrnZaraLrWyFExlKnqy4rrkXmUj94oYK8j+3dEHmpYrnpYjDPyGVRnoJNim5Ps5LJS6M3o8CEjqTTSqfE/WYW6F+jWpeaOHJxIY+cD3HbsaSIziFgeUv67kgT1gsoKrlWsw1lSkFNYcg0z4iHfeSSo+0r+pegUWZoSeeLmhdm/m2nkvK8nOENd01eufmT8K2s4r2t+ZkpYTsHFC4d+erRJ+8ws385xzPCsZZ6+44rTQ6WqdrwIzRyjYv9xmDpUNddUmyZyFbrHONxl5lwIDAQAB",
        )
        .unwrap();
        let signature = STANDARD
            .decode("by/vCkaAnq7NaK2ng7fMW7Kyw+35oPraP+J9PIMQfV+T1nONAXKj0ikl0vhjUR9/2nNT8JVgf03IawI0FfmvXn7uD6h8pD+KHU41FILKasqNPUuNBoHy7XHY/SWIfHdT9WNnL7ZnJibLcDc9acC+q+5tfeGNu1VtP7yJqSGZzFcWbmlhE52egcbANtppAQNO0mAmVguyMcEGB9LbgZAVyj3mwuAvI6vFdlM/ty+Vmg41fW70PbwBZPUByxvSIUkv0ZP3uYAejbPRHXMayMGefotLkEdI74OL9tXDX9QXgmhlF0pzTwq3RV0q/ybprF9cCoo9nzoq5Aw3ZoVeomkgUg==")
            .unwrap();
        assert!(key.signed(b"{\"type\":\"x\"}", &signature));
        assert!(!key.signed(b"{\"type\":\"y\"}", &signature));
        assert!(!LegacyKey::published().unwrap().signed(b"{\"type\":\"x\"}", &signature));
    }

    #[test]
    fn the_older_key_is_read_and_believes_no_rubbish() {
        let key = LegacyKey::published().unwrap();
        assert_eq!(key.0.len(), 4 + 4 + 513 + 5, "a modulus of 4096 bits and an exponent");
        assert!(!key.signed(b"x", &[0; 512]));
        for wrong in ["", "MIIC", "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg="] {
            assert!(LegacyKey::parse(wrong).is_none(), "{wrong}");
        }
    }
}
