//! HighLevel's public keys.

pub use crate::sources::ed25519::PublicKey;
use crate::sources::rsa::RsaKey;

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

/// The RSA key of the older header; none if it could not be read, which a test rules out.
pub(super) fn published_legacy() -> Option<RsaKey> {
    RsaKey::parse(PUBLISHED_LEGACY)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

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
        let key = RsaKey::parse(
            "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwNVJ5/jIQJAVm93YLDNNQu/5NvvsL2MSSqjgtlWHHy5tJRtUAtkr9LV2k1kwg3byBb2FDxrnZaraLrWyFExlKnqy4rrkXmUj94oYK8j+3dEHmpYrnpYjDPyGVRnoJNim5Ps5LJS6M3o8CEjqTTSqfE/WYW6F+jWpeaOHJxIY+cD3HbsaSIziFgeUv67kgT1gsoKrlWsw1lSkFNYcg0z4iHfeSSo+0r+pegUWZoSeeLmhdm/m2nkvK8nOENd01eufmT8K2s4r2t+ZkpYTsHFC4d+erRJ+8ws385xzPCsZZ6+44rTQ6WqdrwIzRyjYv9xmDpUNddUmyZyFbrHONxl5lwIDAQAB",
        )
        .unwrap();
        let signature = STANDARD
            .decode("by/vCkaAnq7NaK2ng7fMW7Kyw+35oPraP+J9PIMQfV+T1nONAXKj0ikl0vhjUR9/2nNT8JVgf03IawI0FfmvXn7uD6h8pD+KHU41FILKasqNPUuNBoHy7XHY/SWIfHdT9WNnL7ZnJibLcDc9acC+q+5tfeGNu1VtP7yJqSGZzFcWbmlhE52egcbANtppAQNO0mAmVguyMcEGB9LbgZAVyj3mwuAvI6vFdlM/ty+Vmg41fW70PbwBZPUByxvSIUkv0ZP3uYAejbPRHXMayMGefotLkEdI74OL9tXDX9QXgmhlF0pzTwq3RV0q/ybprF9cCoo9nzoq5Aw3ZoVeomkgUg==")
            .unwrap();
        assert!(key.verify(b"{\"type\":\"x\"}", &signature));
        assert!(!key.verify(b"{\"type\":\"y\"}", &signature));
        assert!(!published_legacy().unwrap().verify(b"{\"type\":\"x\"}", &signature));
    }

    #[test]
    fn the_older_key_is_read_and_believes_no_rubbish() {
        let key = published_legacy().unwrap();
        assert!(!key.verify(b"x", &[0; 512]));
        for wrong in ["", "MIIC", "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg="] {
            assert!(RsaKey::parse(wrong).is_none(), "{wrong}");
        }
    }
}
