//! Is a request genuine? The signature over the raw bytes, before anything is parsed.

use subtle::{Choice, ConstantTimeEq};

use super::key::{Key, decode, encode, signature_length};
use super::scheme::{Scheme, Syntax, Unit};
use crate::model::secret::Secret;
use crate::sources::{Headers, Refusal, Request};

/// How many signatures of one request are looked at. Senders send one per active secret.
pub(super) const MAX_SIGNATURES: usize = 16;

/// The longest signed id, in bytes.
const LONGEST_ID: usize = 255;

/// Escapes that HubSpot undoes before it signs an address (HubSpot: validating requests, v3).
const UNESCAPED: [(&str, &str); 12] = [
    ("%3A", ":"),
    ("%2F", "/"),
    ("%3F", "?"),
    ("%40", "@"),
    ("%21", "!"),
    ("%24", "$"),
    ("%27", "'"),
    ("%28", "("),
    ("%29", ")"),
    ("%2A", "*"),
    ("%2C", ","),
    ("%3B", ";"),
];

/// One part of what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Literal(String),
    Body,
    Timestamp,
    Id,
    Method,
    Url,
    UnescapedUrl,
}

/// A scheme with its keys, ready to check signatures.
pub(super) struct Checker {
    pub scheme: Scheme,
    pub keys: Vec<Key>,
    parts: Vec<Part>,
}

/// The signatures of a header's value as written, and the time where it stands among them.
type Written<'a> = (Vec<&'a [u8]>, Option<&'a [u8]>);

/// What a request's headers say about its signature.
pub(super) struct Signed<'a> {
    signatures: Vec<Vec<u8>>,
    /// As received; the signature covers this text.
    timestamp: Option<&'a [u8]>,
    /// The same in milliseconds.
    millis: i64,
    id: &'a [u8],
    url: String,
}

impl Checker {
    /// From settings; secrets of another form verify nothing.
    pub fn new(scheme: Scheme, secrets: &[Secret]) -> Self {
        let keys = secrets.iter().filter_map(|secret| Key::new(&scheme, secret.expose())).collect();
        // A text that names nothing known signs nothing, so that nothing is believed.
        let parts = parts_of(&scheme.signed).unwrap_or_default();
        Self { scheme, keys, parts }
    }

    /// Checks a request: the signatures first, against every key, and only then its age. The number of the key that matched.
    pub fn verify(&self, request: &Request<'_>) -> Result<usize, Refusal> {
        let signed = self.read(request)?;
        let key = self.matching(&signed, request.method, request.body).ok_or(Refusal::NoMatchingSignature)?;
        let scheme = &self.scheme;
        let seconds = |span: std::time::Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        match signed.age(request) {
            Some(age) if age > seconds(scheme.tolerance) => Err(Refusal::TimestampTooOld),
            Some(age) if age < -seconds(scheme.tolerance_future) => Err(Refusal::TimestampInFuture),
            _ => Ok(key),
        }
    }

    /// What the headers say; why they can't be used.
    pub fn read<'a>(&self, request: &Request<'a>) -> Result<Signed<'a>, Refusal> {
        let scheme = &self.scheme;
        let value = only(request.headers, &scheme.headers).ok_or(Refusal::MissingSignature)?;
        if value.is_empty() || scheme.absent.iter().any(|absent| absent.as_bytes() == value) {
            return Err(Refusal::MissingSignature);
        }
        let (written, in_pairs) = self.taken_apart(value)?;
        let timestamp = if scheme.timestamp_headers.is_empty() {
            in_pairs
        } else {
            only(request.headers, &scheme.timestamp_headers)
        };
        let millis = match timestamp {
            Some(text) => moment(text, scheme.timestamp_unit).ok_or(Refusal::MalformedSignature)?,
            None if scheme.is_timed() => return Err(Refusal::MalformedSignature),
            None => 0,
        };
        let id = match (self.parts.contains(&Part::Id), only(request.headers, &scheme.id_headers)) {
            (false, _) => b"",
            (true, Some(id)) if self.is_clear(id) => id,
            (true, _) => return Err(Refusal::MalformedSignature),
        };
        let length = signature_length(scheme);
        let usable = written.into_iter().filter_map(|text| decode(scheme.encoding, text));
        let signatures: Vec<_> = usable.filter(|bytes| bytes.len() == length).take(MAX_SIGNATURES).collect();
        if signatures.is_empty() {
            return Err(match scheme.syntax {
                Syntax::Plain => Refusal::MalformedSignature,
                Syntax::Pairs | Syntax::Versions => Refusal::NoV1Signature,
            });
        }
        let url = self.url(request).unwrap_or_default();
        Ok(Signed { signatures, timestamp, millis, id, url })
    }

    /// The address that is signed, if it is, as the sender is told of it: never what the request says of itself.
    pub fn url(&self, request: &Request<'_>) -> Option<String> {
        let known = || self.scheme.public_url.clone().or_else(|| request.url());
        if self.parts.contains(&Part::Url) {
            return known();
        }
        if !self.parts.contains(&Part::UnescapedUrl) {
            return None;
        }
        let mut url = known()?;
        for (escape, letter) in UNESCAPED {
            url = url.replace(escape, letter).replace(&escape.to_ascii_lowercase(), letter);
        }
        Some(url)
    }

    /// Whether an id can't be mixed up with what stands beside it (Standard Webhooks specification: no full stop in it).
    fn is_clear(&self, id: &[u8]) -> bool {
        let around = |byte: &u8| {
            self.parts.iter().any(|part| matches!(part, Part::Literal(text) if text.as_bytes().contains(byte)))
        };
        (1..=LONGEST_ID).contains(&id.len()) && id.iter().all(|byte| byte.is_ascii_graphic() && !around(byte))
    }

    /// The signatures of a header's value as written, and the time where it stands among them.
    fn taken_apart<'a>(&self, value: &'a [u8]) -> Result<Written<'a>, Refusal> {
        let scheme = &self.scheme;
        let separator = scheme.separator.bytes().next().unwrap_or(b',');
        let elements = value.split(|byte| *byte == separator).map(<[u8]>::trim_ascii);
        let after = |element: &'a [u8], delimiter: u8| {
            let at = element.iter().position(|byte| *byte == delimiter)?;
            Some((&element[..at], &element[at + 1..]))
        };
        let key = scheme.signature_key.as_bytes();
        match scheme.syntax {
            Syntax::Plain => {
                let written = value.strip_prefix(scheme.prefix.as_bytes()).ok_or(Refusal::MalformedSignature)?;
                Ok((vec![written], None))
            }
            Syntax::Versions => {
                let pairs = elements.filter_map(|element| after(element, b','));
                Ok((pairs.filter(|(version, _)| *version == key).map(|(_, written)| written).collect(), None))
            }
            Syntax::Pairs => {
                let (mut written, mut timestamp) = (Vec::new(), None);
                for (name, value) in elements.filter_map(|element| after(element, b'=')) {
                    if name == key {
                        written.push(value);
                    } else if !scheme.timestamp_key.is_empty()
                        && name == scheme.timestamp_key.as_bytes()
                        && timestamp.replace(value).is_some()
                    {
                        return Err(Refusal::MalformedSignature);
                    }
                }
                Ok((written, timestamp))
            }
        }
    }

    /// The number of the key that made one of the signatures. Tries every key with every signature, found or not.
    pub fn matching(&self, signed: &Signed<'_>, method: &str, body: &[u8]) -> Option<usize> {
        // A template without the body would believe any.
        if !self.parts.contains(&Part::Body) {
            return None;
        }
        let parts: Vec<&[u8]> = self.parts.iter().map(|part| signed.bytes(part, method, body)).collect();
        let mut found = None;
        for (number, key) in self.keys.iter().enumerate() {
            if bool::from(signed.is_by(key, &parts)) {
                found = Some(number);
            }
        }
        found
    }

    /// Signs as the sender would: the header fields of a request with this body. None without a secret that can sign.
    pub fn sign(
        &self,
        method: &str,
        url: &str,
        id: &str,
        at_millis: i64,
        body: &[u8],
    ) -> Option<Vec<(String, String)>> {
        let scheme = &self.scheme;
        let time = match scheme.timestamp_unit {
            Unit::Seconds => at_millis.div_euclid(1000),
            Unit::Millis => at_millis,
        }
        .to_string();
        let request_like = Signed {
            signatures: Vec::new(),
            timestamp: Some(time.as_bytes()),
            millis: at_millis,
            id: id.as_bytes(),
            url: url.to_owned(),
        };
        let parts: Vec<&[u8]> = self.parts.iter().map(|part| request_like.bytes(part, method, body)).collect();
        let written = encode(scheme.encoding, &self.keys.first()?.digest(&parts)?);
        let (key, separator) = (&scheme.signature_key, &scheme.separator);
        let value = match scheme.syntax {
            Syntax::Plain => format!("{}{written}", scheme.prefix),
            Syntax::Versions => format!("{key},{written}"),
            Syntax::Pairs if scheme.timestamp_key.is_empty() => format!("{key}={written}"),
            Syntax::Pairs => format!("{}={time}{separator}{key}={written}", scheme.timestamp_key),
        };
        let mut headers = vec![(scheme.headers.first()?.clone(), value)];
        headers.extend(scheme.timestamp_headers.first().map(|name| (name.clone(), time.clone())));
        headers.extend(scheme.id_headers.first().map(|name| (name.clone(), id.to_owned())));
        Some(headers)
    }
}

impl Signed<'_> {
    fn bytes<'a>(&'a self, part: &'a Part, method: &'a str, body: &'a [u8]) -> &'a [u8] {
        match part {
            Part::Literal(text) => text.as_bytes(),
            Part::Body => body,
            Part::Timestamp => self.timestamp.unwrap_or_default(),
            Part::Id => self.id,
            Part::Method => method.as_bytes(),
            Part::Url | Part::UnescapedUrl => self.url.as_bytes(),
        }
    }

    fn is_by(&self, key: &Key, parts: &[&[u8]]) -> Choice {
        let mut found = Choice::from(0);
        match key {
            Key::Ed25519(key) => {
                let message = parts.concat();
                for signature in &self.signatures {
                    // What is compared here is public.
                    found |= Choice::from(u8::from(key.verify(&message, signature)));
                }
            }
            key => {
                let digest = key.digest(parts).unwrap_or_default();
                for signature in &self.signatures {
                    found |= signature.as_slice().ct_eq(&digest);
                }
            }
        }
        found
    }

    /// Whole seconds from signing to arrival; negative when signed in the future; none where no time is signed.
    pub fn age(&self, request: &Request<'_>) -> Option<i64> {
        self.timestamp.map(|_| request.received_at.millis().saturating_sub(self.millis).div_euclid(1000))
    }
}

/// The one value of the first of these fields that is there, trimmed; none where that field is there several times.
pub(super) fn only<'a>(headers: &'a dyn Headers, names: &[String]) -> Option<&'a [u8]> {
    let values = names.iter().map(|name| headers.values(name)).find(|values| !values.is_empty())?;
    match values[..] {
        [value] => Some(value.trim_ascii()),
        _ => None,
    }
}

/// 1 to 13 digits as milliseconds.
fn moment(text: &[u8], unit: Unit) -> Option<i64> {
    if !(1..=13).contains(&text.len()) || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    match unit {
        Unit::Seconds => number.checked_mul(1000),
        Unit::Millis => Some(number),
    }
}

/// The parts of what is signed; none where a part is not known.
pub(super) fn parts_of(signed: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = signed;
    while let Some((literal, after)) = rest.split_once('{') {
        let (name, behind) = after.split_once('}')?;
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.to_owned()));
        }
        parts.push(match name {
            "body" => Part::Body,
            "timestamp" => Part::Timestamp,
            "id" => Part::Id,
            "method" => Part::Method,
            "url" => Part::Url,
            "unescaped_url" => Part::UnescapedUrl,
            _ => return None,
        });
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
    Some(parts)
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
