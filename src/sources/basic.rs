//! `Authorization: Basic`: name and password, for senders that can do no more (RFC 7617).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::token::{Tokens, credentials};
use super::{Refusal, Request};

/// Checks a request against configured pairs, each written `name:password`.
///
/// # Errors
/// When it carries none, or another.
pub fn verify(pairs: &Tokens, request: &Request<'_>) -> Result<(), Refusal> {
    let given = credentials(request, b"basic ").ok_or(Refusal::MissingToken)?;
    let pair = STANDARD.decode(given).map_err(|_| Refusal::WrongToken)?;
    if pairs.admit(&pair) { Ok(()) } else { Err(Refusal::WrongToken) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::envelope::Envelope;
    use crate::model::secret::Secret;
    use crate::model::time::Timestamp;

    #[test]
    fn name_and_password_both_count() {
        let pairs = Tokens::new(&[Secret::new("Aladdin:open sesame")]);
        let verdict = |value: &str| {
            let headers = vec![("authorization".to_owned(), value.as_bytes().to_vec())];
            let envelope = Envelope { headers, event: None };
            verify(&pairs, &Request::post(&envelope, b"", Timestamp::from_unix_seconds(0)))
        };
        // The example of RFC 7617.
        assert_eq!(verdict("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Ok(()));
        assert_eq!(verdict("BASIC QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Ok(()));
        assert_eq!(verdict("Basic QWxhZGRpbjo="), Err(Refusal::WrongToken));
        assert_eq!(verdict("Basic ???"), Err(Refusal::WrongToken));
        assert_eq!(verdict("Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), Err(Refusal::MissingToken));
        assert_eq!(verdict("Basi"), Err(Refusal::MissingToken));
    }
}
