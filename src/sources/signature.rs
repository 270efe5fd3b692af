//! HMAC-SHA256 as several senders use it to sign requests: keyed once, compared in constant time.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

/// Length of an HMAC-SHA256 in bytes.
pub const DIGEST_LENGTH: usize = 32;

/// An HMAC-SHA256.
pub type Digest = [u8; DIGEST_LENGTH];

/// A secret taken up into HMAC's state, so that a request costs only the hashing of its own bytes.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// From the bytes of a secret; which bytes those are is the sender's rule.
    #[allow(clippy::expect_used)] // RFC 2104 takes keys of any length
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    /// The digest of the parts, one after the other.
    pub fn digest(&self, parts: &[&[u8]]) -> Digest {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// Whether two digests are the same, in a time that doesn't tell where they differ.
pub fn same(a: &Digest, b: &Digest) -> Choice {
    // Words instead of bytes: a quarter of the barriers that keep the compiler from leaving early.
    let words = |digest: &Digest| -> [u64; 4] {
        std::array::from_fn(|word| u64::from_ne_bytes(std::array::from_fn(|byte| digest[8 * word + byte])))
    };
    words(a).as_slice().ct_eq(words(b).as_slice())
}

/// A digest written as exactly 64 hexadecimal digits in either case; none for any other text.
pub fn from_hex(text: &[u8]) -> Option<Digest> {
    let text: &[u8; 2 * DIGEST_LENGTH] = text.try_into().ok()?;
    let mut seen = 0;
    let digest = std::array::from_fn(|byte| {
        let (high, low) = (NIBBLES[usize::from(text[2 * byte])], NIBBLES[usize::from(text[2 * byte + 1])]);
        seen |= high | low;
        (high << 4) | (low & 0x0f)
    });
    (seen & NO_DIGIT == 0).then_some(digest)
}

/// Set in the value of a byte that is no hexadecimal digit.
const NO_DIGIT: u8 = 0x80;

/// The value of every byte as a hexadecimal digit. A table, because this runs for every `v1` of every request.
const NIBBLES: [u8; 256] = {
    let mut nibbles = [NO_DIGIT; 256];
    let mut value: u8 = 0;
    while value < 16 {
        nibbles[b"0123456789abcdef"[value as usize] as usize] = value;
        nibbles[b"0123456789ABCDEF"[value as usize] as usize] = value;
        value += 1;
    }
    nibbles
};

/// A digest as 64 lower-case hexadecimal digits.
pub fn to_hex(digest: &Digest) -> String {
    hex::encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_rfc_4231() {
        let digest = SigningKey::new(b"Jefe").digest(&[b"what do ya want ", b"", b"for nothing?"]);
        assert_eq!(to_hex(&digest), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let long = SigningKey::new(&[0xaa; 131]).digest(&[b"Test Using Larger Than Block-Size Key - Hash Key First"]);
        assert_eq!(to_hex(&long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn a_key_can_be_used_again() {
        let key = SigningKey::new(b"secret");
        assert_eq!(key.digest(&[b"a", b"b"]), key.digest(&[b"ab"]));
    }

    #[test]
    fn only_sixty_four_hex_digits_are_a_digest() {
        let digest = SigningKey::new(b"k").digest(&[]);
        let hex = to_hex(&digest);
        assert_eq!(from_hex(hex.as_bytes()), Some(digest));
        assert_eq!(from_hex(hex.to_uppercase().as_bytes()), Some(digest));
        for byte in 0..=u8::MAX {
            let mut text = hex.clone().into_bytes();
            text[17] = byte;
            let standard = hex::decode(&text).ok();
            assert_eq!(from_hex(&text).map(|digest| digest.to_vec()), standard, "{byte}");
        }
        for wrong in [String::new(), hex[..62].to_owned(), format!("{hex}0"), format!("{}zz", &hex[..62])] {
            assert_eq!(from_hex(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn digests_are_the_same_only_when_every_bit_is() {
        let digest = SigningKey::new(b"k").digest(&[]);
        assert!(bool::from(same(&digest, &digest)));
        for bit in 0..256 {
            let mut other = digest;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!bool::from(same(&digest, &other)));
        }
    }
}
