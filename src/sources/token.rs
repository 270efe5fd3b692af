//! Tokens: what proves a sender that signs nothing. In the path, in `X-Tallyhook-Token`, or as `Authorization: Bearer`.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::{Refusal, Request};
use crate::model::secret::Secret;

/// The header field for senders that can set one of their own.
pub const HEADER: &str = "x-tallyhook-token";

/// Secrets compared whole, in a time that tells neither where they differ nor how long they are.
#[derive(Clone)]
pub struct Tokens(Vec<[u8; 32]>);

impl Tokens {
    /// From the configured ones. A blank one never admits anybody.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let usable = secrets.into_iter().filter(|secret| !secret.expose().trim().is_empty());
        Self(usable.map(|secret| Sha256::digest(secret.expose()).into()).collect())
    }

    /// Whether this is one of them.
    pub fn admit(&self, given: &[u8]) -> bool {
        let given: [u8; 32] = Sha256::digest(given).into();
        let mut found = Choice::from(0);
        for known in &self.0 {
            found |= known.ct_eq(&given);
        }
        found.into()
    }

    /// Checks the token that a request carries.
    ///
    /// # Errors
    /// When it carries none, or another.
    pub fn verify(&self, request: &Request<'_>) -> Result<(), Refusal> {
        match presented(request) {
            None => Err(Refusal::MissingToken),
            Some(given) if self.admit(given) => Ok(()),
            Some(_) => Err(Refusal::WrongToken),
        }
    }
}

/// The token of a request: of the path, else of a header field. Several fields of one name are none.
pub fn presented<'a>(request: &Request<'a>) -> Option<&'a [u8]> {
    if let Some(token) = request.token {
        return Some(token.as_bytes());
    }
    if let [value] = request.headers.values(HEADER)[..] {
        return Some(value.trim_ascii());
    }
    credentials(request, b"bearer ")
}

/// What follows the name of an authentication scheme in `Authorization`; the name is given in lower case with its space
/// (RFC 9110, 11.6.2).
pub(super) fn credentials<'a>(request: &Request<'a>, scheme: &[u8]) -> Option<&'a [u8]> {
    let [value] = request.headers.values("authorization")[..] else { return None };
    let (name, rest) = value.split_at_checked(scheme.len())?;
    name.eq_ignore_ascii_case(scheme).then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::envelope::Envelope;
    use crate::model::time::Timestamp;

    fn verdict(token: Option<&str>, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let envelope = Envelope { headers, event: None };
        let request = Request { token, ..Request::post(&envelope, b"{}", Timestamp::from_unix_seconds(0)) };
        Tokens::new(&[Secret::new("first-token-123456"), Secret::new("other-token-123456"), Secret::new(" ")])
            .verify(&request)
    }

    #[test]
    fn a_token_is_taken_from_the_path_or_a_header() {
        let good = "other-token-123456";
        assert_eq!(verdict(Some(good), &[]), Ok(()));
        assert_eq!(verdict(None, &[("X-Tallyhook-Token", good)]), Ok(()));
        assert_eq!(verdict(None, &[("Authorization", "bearer  other-token-123456")]), Ok(()));
        assert_eq!(verdict(None, &[]), Err(Refusal::MissingToken));
        assert_eq!(verdict(None, &[("authorization", "Basic b3RoZXI=")]), Err(Refusal::MissingToken));
        for wrong in ["", " ", "other-token-12345", "other-token-1234567"] {
            assert_eq!(verdict(Some(wrong), &[("x-tallyhook-token", good)]), Err(Refusal::WrongToken), "{wrong:?}");
            assert_eq!(verdict(None, &[("x-tallyhook-token", wrong)]), Err(Refusal::WrongToken), "{wrong:?}");
        }
        let twice = [("x-tallyhook-token", good), ("x-tallyhook-token", good)];
        assert_eq!(verdict(None, &twice), Err(Refusal::MissingToken));
    }
}
