//! Twilio: HMAC-SHA1 over the address as Twilio knows it and the fields of the form in order; a JSON body by its hash in the address
//! (Twilio: webhooks security; `RequestValidator` of its libraries).

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use sha2::{Digest as _, Sha256};

use super::super::key::LENIENT;
use super::super::scheme::Scheme;
use super::super::verify::only;
use crate::model::secret::Secret;
use crate::sources::{Refusal, Request, Sample, unescaped};

/// The header field of the signature.
pub(super) const HEADER: &str = "x-twilio-signature";
/// The field of the address that holds a JSON body's hash.
const BODY_HASH: &str = "bodySHA256=";

/// A Twilio account.
pub(in crate::sources::hmac) struct Twilio {
    keys: Vec<hmac::Key>,
    public_url: Option<String>,
}

impl Twilio {
    /// From settings; a blank token verifies nothing.
    pub fn new(scheme: &Scheme, secrets: &[Secret]) -> Self {
        let tokens = secrets.iter().map(|secret| secret.expose().trim()).filter(|token| !token.is_empty());
        // SHA-1 is what Twilio signs with; as an HMAC it is not broken (RFC 6194, 3.3).
        let keys = tokens.map(|token| hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes())).collect();
        Self { keys, public_url: scheme.public_url.clone() }
    }

    /// The address as Twilio knows it: never what the request says of itself.
    fn url(&self, request: &Request<'_>) -> Option<String> {
        match &self.public_url {
            Some(whole) if whole.contains('?') => Some(whole.clone()),
            Some(base) => {
                let query = request.rest.find('?').map_or("", |at| &request.rest[at..]);
                Some(format!("{base}{query}"))
            }
            None => request.url(),
        }
    }

    /// Checks a request.
    pub fn verify(&self, request: &Request<'_>) -> Result<(), Refusal> {
        let value = only(request.headers, &[HEADER.to_owned()]).filter(|value| !value.is_empty());
        let value = value.ok_or(Refusal::MissingSignature)?;
        let signature = LENIENT.decode(value).map_err(|_| Refusal::MalformedSignature)?;
        if signature.len() != 20 {
            return Err(Refusal::MalformedSignature);
        }
        let url = self.url(request).ok_or(Refusal::NoMatchingSignature)?;
        let fields = signed_fields(&url, request.body).ok_or(Refusal::NoMatchingSignature)?;
        let mut holds = false;
        // Twilio's libraries try the address with and without its port, since Twilio itself is not of one mind.
        for url in [Some(url.clone()), with_port_or_without(&url)].into_iter().flatten() {
            let message = [url.as_bytes(), fields.as_bytes()].concat();
            for key in &self.keys {
                holds |= hmac::verify(key, &message, &signature).is_ok();
            }
        }
        if holds { Ok(()) } else { Err(Refusal::NoMatchingSignature) }
    }

    /// Explains a refusal.
    pub fn explain(&self, request: &Request<'_>, refusal: Refusal) -> String {
        match refusal {
            Refusal::MissingSignature => {
                "There is no header x-twilio-signature, or it is empty or there twice. Either this did not come from Twilio, or a \
                 proxy in front changes it."
                    .to_owned()
            }
            Refusal::MalformedSignature => {
                "The header x-twilio-signature holds no whole signature in base64: a proxy in front changes it, or another sender \
                 posts to this address."
                    .to_owned()
            }
            _ if self.url(request).is_none() => {
                "Twilio signs its address, and none is configured: set server.public_url, or public_url of this source.".to_owned()
            }
            _ => "The signature was made with another auth token, for another address or over another body. Twilio signs with the \
                  account's primary auth token (of a subaccount its own), not with an API key, and signs the address: it must be \
                  entered there exactly as server.public_url (or this source's public_url) says, method POST."
                .to_owned(),
        }
    }

    /// Signs a sample.
    pub fn sign(&self, request: &Request<'_>) -> Option<Sample> {
        let url = self.url(request)?;
        let message = [url.as_bytes(), signed_fields(&url, request.body)?.as_bytes()].concat();
        let signature = hmac::sign(self.keys.first()?, &message);
        let form = "application/x-www-form-urlencoded".to_owned();
        let headers = vec![("content-type".to_owned(), form), (HEADER.to_owned(), STANDARD.encode(signature.as_ref()))];
        Some(Sample { headers, body: request.body.to_vec() })
    }
}

/// What is signed behind the address: nothing for a body whose hash stands in it, else every field of the form with its values in
/// order, each once. None where the hash is another's, or the form can't be read.
fn signed_fields(url: &str, body: &[u8]) -> Option<String> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    if let Some(hash) = query.split('&').find_map(|part| part.strip_prefix(BODY_HASH)) {
        return hash.eq_ignore_ascii_case(&hex::encode(Sha256::digest(body))).then(String::new);
    }
    let mut fields: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for pair in std::str::from_utf8(body).ok()?.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.entry(unescaped(name)?).or_default().insert(unescaped(value)?);
    }
    let each = fields.iter().flat_map(|(name, values)| values.iter().flat_map(move |value| [name.as_str(), value]));
    Some(each.collect())
}

/// The same address without its port, or with the usual one of its scheme.
fn with_port_or_without(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, behind) = rest.split_at(end);
    let port = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
    Some(match host.rsplit_once(':') {
        Some((name, digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{scheme}://{name}{behind}")
        }
        _ => format!("{scheme}://{host}:{port}{behind}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::envelope::Envelope;
    use crate::model::time::Timestamp;
    use crate::sources::hmac::preset::preset;

    /// Twilio's published example: auth token, address, fields and signature (Twilio: webhooks security, and the tests of its
    /// libraries).
    const TOKEN: &str = "12345";
    const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
    const FORM: &str =
        "CallSid=CA1234567890ABCDE&From=%2B14158675309&Digits=1234&To=%2B18005551212&Caller=%2B14158675309";
    const SIGNATURE: &str = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";

    fn judge(tokens: &[&str], url: &str, headers: &[&str], body: &str) -> Result<(), Refusal> {
        let (base, query) = url.split_at(url.find('?').unwrap_or(url.len()));
        let scheme = Scheme { public_url: None, ..preset("twilio").unwrap() };
        let tokens: Vec<_> = tokens.iter().map(|token| Secret::new(*token)).collect();
        let headers =
            headers.iter().map(|value| ("X-Twilio-Signature".to_owned(), value.as_bytes().to_vec())).collect();
        let envelope = Envelope { headers, event: None };
        let received_at = Timestamp::from_unix_seconds(1_700_000_000);
        let request =
            Request { endpoint: Some(base), rest: query, ..Request::post(&envelope, body.as_bytes(), received_at) };
        Twilio::new(&scheme, &tokens).verify(&request)
    }

    #[test]
    fn the_published_examples_are_believed() {
        assert_eq!(judge(&[TOKEN], URL, &[SIGNATURE], FORM), Ok(()));
        assert_eq!(judge(&["another", TOKEN], URL, &[SIGNATURE], FORM), Ok(()));
        // Several values of one field: each once and in order (the tests of Twilio's libraries).
        let several = "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234";
        assert_eq!(judge(&[TOKEN], URL, &["IK+Dwps556ElfBT0I3Rgjkr1wJU="], several), Ok(()));
        // The hash of this body is published there; the signature over the address with it was worked out with Python.
        let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
        let url = format!("{URL}&bodySHA256={hash}");
        let body = "{\"property\": \"value\", \"boolean\": true}";
        assert_eq!(judge(&[TOKEN], &url, &["a9nBmqA0ju/hNViExpshrM61xv4="], body), Ok(()));
        let other =
            judge(&[TOKEN], &url, &["a9nBmqA0ju/hNViExpshrM61xv4="], "{\"property\": \"other\", \"boolean\": true}");
        assert_eq!(other, Err(Refusal::NoMatchingSignature), "the body is bound by its hash");
    }

    /// Worked out with Python's `hmac`.
    #[test]
    fn ports_escapes_and_empty_fields_are_as_twilio_has_them() {
        let with_port = "kvajT1Ptam85bY51eRf/AJRuM3w=";
        assert_eq!(judge(&[TOKEN], URL, &[with_port], FORM), Ok(()));
        let ported = URL.replace("mycompany.com", "mycompany.com:443");
        assert_eq!(judge(&[TOKEN], &ported, &[with_port], FORM), Ok(()));
        assert_eq!(judge(&[TOKEN], &ported, &[SIGNATURE], FORM), Ok(()));
        let form = "SmsStatus=received&MessageSid=SM1&Body=Zo%C3%AB+%26%20Co+%2B1&From=%2B4915112345678&MediaUrl0=";
        let url = "https://hooks.example.com/api/webhooks/twilio";
        assert_eq!(judge(&[TOKEN], url, &["xMo+XQEk0Wn9D0jv07PRqqy4zFY="], form), Ok(()));
    }

    #[test]
    fn no_change_of_anything_is_believed() {
        let none = Err(Refusal::NoMatchingSignature);
        for body in [&FORM.replace("1234&To", "1235&To"), "", "a=1", &format!("{FORM}&x=1"), "%zz=1"] {
            assert_eq!(judge(&[TOKEN], URL, &[SIGNATURE], body), none, "{body}");
        }
        for url in [&URL.replace("foo=1", "foo=2"), "https://mycompany.com/myapp.php", &URL.replace("https", "http")] {
            assert_eq!(judge(&[TOKEN], url, &[SIGNATURE], FORM), none, "{url}");
        }
        for tokens in [&["12346"][..], &[], &[""]] {
            assert_eq!(judge(tokens, URL, &[SIGNATURE], FORM), none);
        }
        assert_eq!(judge(&[TOKEN], URL, &["RSOYDt4T1cUTdK1PDd93/VVr8B9="], FORM), Err(Refusal::MalformedSignature));
        assert_eq!(judge(&[TOKEN], URL, &["SSOYDt4T1cUTdK1PDd93/VVr8B8="], FORM), none);
        let hex = "4523980ede13d5c51374ad4f0ddf77fd556bf01f";
        assert_eq!(judge(&[TOKEN], URL, &[hex], FORM), Err(Refusal::MalformedSignature), "in hexadecimal digits");
        assert_eq!(judge(&[TOKEN], URL, &["no base64!"], FORM), Err(Refusal::MalformedSignature));
        for headers in [&[][..], &[""], &[SIGNATURE, SIGNATURE]] {
            assert_eq!(judge(&[TOKEN], URL, headers, FORM), Err(Refusal::MissingSignature));
        }
    }

    #[test]
    fn an_address_of_ones_own_counts_instead_of_the_public_one() {
        let scheme = |url: &str| Scheme { public_url: Some(url.to_owned()), ..preset("twilio").unwrap() };
        let headers = Envelope { headers: vec![(HEADER.to_owned(), SIGNATURE.as_bytes().to_vec())], event: None };
        let judge = |url: &str, rest: &str, endpoint: Option<&str>| {
            let request = Request {
                endpoint,
                rest,
                ..Request::post(&headers, FORM.as_bytes(), Timestamp::from_unix_seconds(1_700_000_000))
            };
            Twilio::new(&scheme(url), &[Secret::new(TOKEN)]).verify(&request)
        };
        assert_eq!(judge(URL, "", None), Ok(()));
        assert_eq!(judge("https://mycompany.com/myapp.php", "?foo=1&bar=2", Some("https://x/")), Ok(()));
        assert!(judge("https://mycompany.com/myapp.php", "?foo=1", None).is_err());
        let nowhere = Twilio::new(&Scheme { public_url: None, ..scheme("") }, &[Secret::new(TOKEN)]);
        let request = Request::post(&headers, FORM.as_bytes(), Timestamp::from_unix_seconds(0));
        assert_eq!(nowhere.verify(&request), Err(Refusal::NoMatchingSignature));
        assert!(nowhere.explain(&request, Refusal::NoMatchingSignature).contains("server.public_url"));
    }
}
