//! RSA signatures (PKCS #1 v1.5 over SHA-256): senders that publish a key or a certificate.
//!
//! Nothing secret is computed with, so that nothing here need take constant time.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

/// The algorithm of an RSA key in its DER form: `rsaEncryption`, without parameters (RFC 3279, 2.3.1).
const ALGORITHM: [u8; 15] = [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

/// The tag of a DER sequence.
const SEQUENCE: u8 = 0x30;
/// The tag of a DER integer.
const INTEGER: u8 = 0x02;
/// The tag of a DER string of bits.
const BITS: u8 = 0x03;
/// The tag of a certificate's version (RFC 5280, 4.1).
const VERSION: u8 = 0xa0;

/// A public key of 2048 to 8192 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaKey(Vec<u8>);

impl RsaKey {
    /// From a public key (RFC 5280: SubjectPublicKeyInfo): PEM, or DER in base64. None for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        Self::from_info(element(&der(text)?, SEQUENCE)?.0)
    }

    /// From the content of a SubjectPublicKeyInfo.
    fn from_info(info: &[u8]) -> Option<Self> {
        let (key, _) = element(info.strip_prefix(&ALGORITHM)?, BITS)?;
        // The first byte of a string of bits tells how many of its last byte are unused: none.
        Some(Self(key.strip_prefix(&[0])?.to_vec()))
    }

    /// Whether the holder of the private half signed this message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.0).verify(message, signature).is_ok()
    }
}

/// What is of use in a certificate (RFC 5280, 4.1). Its issuer and its dates are not looked at: whoever configures one vouches for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The key that it is about.
    pub key: RsaKey,
    /// Whose it is, as DER.
    subject: Vec<u8>,
}

impl Certificate {
    /// From PEM, or DER in base64; of a chain the first. None for anything else, and for a key that is not RSA.
    pub fn parse(text: &str) -> Option<Self> {
        let der = der(text)?;
        let (whole, _) = element(&der, SEQUENCE)?;
        let (body, _) = element(whole, SEQUENCE)?;
        let rest = element(body, VERSION).map_or(body, |(_, rest)| rest);
        let (_, rest) = element(rest, INTEGER)?;
        // The algorithm of its signature, its issuer, its dates.
        let rest = (0..3).try_fold(rest, |rest, _| Some(element(rest, SEQUENCE)?.1))?;
        let (subject, rest) = element(rest, SEQUENCE)?;
        let key = RsaKey::from_info(element(rest, SEQUENCE)?.0)?;
        Some(Self { key, subject: subject.to_vec() })
    }

    /// Whether a text stands at the end of some part of its subject's name, without regard to case: `.paypal.com`.
    pub fn is_of(&self, ending: &str) -> bool {
        let mut rest = self.subject.as_slice();
        while let Some((part, after)) = element(rest, 0x31) {
            if part.len() >= ending.len() && part[part.len() - ending.len()..].eq_ignore_ascii_case(ending.as_bytes()) {
                return true;
            }
            rest = after;
        }
        false
    }
}

/// The bytes of the first block of a PEM, or of a base64 without its lines.
fn der(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let inner = match text.split_once("-----BEGIN ") {
        Some((_, block)) => block.split_once("-----")?.1.split_once("-----END ")?.0,
        None => text,
    };
    let inner: String = inner.split_whitespace().collect();
    STANDARD.decode(inner).ok()
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
pub(super) mod tests {
    use super::*;

    /// Made for the tests with `openssl req -x509 -newkey rsa:2048`, subject `CN = messageverificationcerts.paypal.com`.
    pub const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----
MIIDeTCCAmGgAwIBAgIUFBUimBc8Zh/HCwiUnuhtO7/F4hMwDQYJKoZIhvcNAQEL
BQAwSzELMAkGA1UEBhMCVVMxDjAMBgNVBAoMBVRlc3RzMSwwKgYDVQQDDCNtZXNz
YWdldmVyaWZpY2F0aW9uY2VydHMucGF5cGFsLmNvbTAgFw0yNjExMjIxMTIzMzda
GA8yMTI2MTAyOTExMjMzN1owSzELMAkGA1UEBhMCVVMxDjAMBgNVBAoMBVRlc3Rz
MSwwKgYDVQQDDCNtZXNzYWdldmVyaWZpY2F0aW9uY2VydHMucGF5cGFsLmNvbTCC
ASIwDQYJKoZIhvcNAQEBBQADggEPADCCAQoCggEBAKiYf7XDr0k6LBeTDhXRJqSL
MLuAnGI9ipjpVZdw2vqWgA9tL0DlGDY3h/SOC+bievUp6wEzLB9oQM5iQpu+AZOa
Eunw0+Xp7saaCe+5PMsE4PUECGGa2GptjZ6a/y1pJpDk9qmmJ/LIH7tBLt5FWhdU
IeHoPfD5odHQJYLdoFqziSlWC3N9cH/QPI2DNJyq5L4hXhs2aT7RQ3ahuGJk3VsI
NYtbjb2bdFNQW4z4T+Si+KykARDm+hcxIE7nCsW2e7XbxaUJ6eN8P3rCIeoJyFEd
ZUTmZote/lDiFFA7jws2HWzfyXXWWXfnOnPoYXxFaTpzHA8vde788xSQdXOUo6kC
AwEAAaNTMFEwHQYDVR0OBBYEFItvm1v15l12xsnJ58zzA5wJ5B02MB8GA1UdIwQY
MBaAFItvm1v15l12xsnJ58zzA5wJ5B02MA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZI
hvcNAQELBQADggEBAE2GEiO4m0O1NUTFpZ7XLvZ1o1kReXYO59CgqptVoeH8iUzS
53aEVZdfJr3zIIPmQnbTQKW7ibmJvkC7iUflOQBHpQTh7GQt1Dlz8+DobsZtwhUw
iblBsEiEu7DY9QaSb95lwiyIz8fJA4cyuDUDdi7WzaGP5yfw83qY9ieBTph0RoyO
h7nSkPtbXKM+2UxfU+FBRp9Nl1r8j3Wp0ZjJAR3Wa9xDvbd4cp5cXlHxXJjT87CZ
kgp8enhyOm25gOfP4ysdbJpiu41mRakkgJ5eK4u9Fq7vw1mYbsOgvb77VyFCyjvy
XlWLIIJF2UZMjIiqP6Nlr93KV6mZlBN/saS1K9M=
-----END CERTIFICATE-----
";
    /// `openssl dgst -sha256 -sign` over [`MESSAGE`] with that certificate's key.
    pub const SIGNATURE: &str = "L4z/ApGNNDWXvKWS91aRmwywqar8wAczCH2tJxHirFc45NbuR8tE6DCLliY184lWrWBTzxC2b/1w9S2ND9t3OZVv212+AzfMiXHYS4g1VtakGFU4gK2/BC2P/sDfQW2mt03EtJyhDhudZY6vUWGjN6iwB+EI28J34SChPcCNVWbNoUBwZbohraNePPFoL7jFjINpgJI866gy679zI5Cy1fTA/0hwfubWblUxour2hfQculL2+v7m5hahusQURIWJb1TYqJnR5bwynHAIeuh6FVuMDP9KbXipp2IpKNKX7wKanYoKK7NlVa+MZNghlGmw5q/PgBHLarjvGKD4xZ6oaQ==";
    const MESSAGE: &[u8] =
        b"69cd13f0-d67a-11e5-baa3-778b53f4ae55|2023-11-14T22:13:20Z|8PT597110X687430LKGECATA|1597241568";

    #[test]
    fn the_key_of_a_certificate_checks_what_its_holder_signed() {
        let certificate = Certificate::parse(CERTIFICATE).unwrap();
        let signature = STANDARD.decode(SIGNATURE).unwrap();
        assert!(certificate.key.verify(MESSAGE, &signature));
        assert!(!certificate.key.verify(&MESSAGE[1..], &signature));
        for bit in [0, 700, 2047] {
            let mut other = signature.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!certificate.key.verify(MESSAGE, &other), "{bit}");
        }
        assert!(!certificate.key.verify(MESSAGE, b"") && !certificate.key.verify(MESSAGE, &signature[1..]));
        assert!(certificate.is_of(".paypal.com") && certificate.is_of("PayPal.com") && certificate.is_of("Tests"));
        assert!(!certificate.is_of("paypal.org") && !certificate.is_of("messageverificationcerts"));
    }

    #[test]
    fn a_chain_gives_its_first_certificate_and_rubbish_gives_none() {
        let certificate = Certificate::parse(CERTIFICATE).unwrap();
        let chain = format!("some words\n{CERTIFICATE}\n{CERTIFICATE}");
        assert_eq!(Certificate::parse(&chain), Some(certificate));
        let inner: String = CERTIFICATE.lines().filter(|line| !line.starts_with("-----")).collect();
        assert!(Certificate::parse(&inner).is_some());
        for end in [0, 4, 30, 200, inner.len() / 2] {
            assert_eq!(Certificate::parse(&inner[..end]), None, "{end}");
        }
        for wrong in
            ["", "-----BEGIN CERTIFICATE-----", "MIIC", "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg="]
        {
            assert_eq!(Certificate::parse(wrong), None, "{wrong}");
            assert_eq!(RsaKey::parse(wrong), None, "{wrong}");
        }
    }
}
