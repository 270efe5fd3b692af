//! Why there is no certificate, in a sentence with the next step.

use std::time::Duration;

use instant_acme::{Error, Problem};

use super::challenges::Unanswerable;
use super::schedule::Cause;
use super::state::StateError;
use super::transport::TransportError;

/// The longest piece of an authority's words that is passed on, in characters.
const LONGEST_DETAIL: usize = 400;

/// A try that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub(super) struct Failure {
    /// What kind of failure.
    pub(super) cause: Cause,
    /// Whether a name could not be proved, so that another way of proving it may do.
    pub(super) is_about_proof: bool,
    /// Cause and next step.
    pub(super) sentence: String,
    /// How long the authority asked to be left alone.
    pub(super) asked: Option<Duration>,
}

impl Failure {
    pub(super) fn new(cause: Cause, sentence: impl Into<String>) -> Self {
        Self { cause, is_about_proof: false, sentence: sentence.into(), asked: None }
    }

    /// From instant-acme. `directory` is the authority's, as configured.
    pub(super) fn of(error: &Error, directory: &str, asked: Option<Duration>) -> Self {
        let failure = match error {
            Error::Api(problem) => of_problem(problem),
            Error::Timeout(_) => Self::new(Cause::Unreachable, "the authority did not come to an end in time"),
            Error::Json(_) => {
                Self::new(Cause::Refused, format!("what {directory} answers is not ACME; correct server.tls.directory"))
            }
            Error::Other(inner) => match inner.downcast_ref::<TransportError>() {
                Some(TransportError::NotAcme { host, status: 429 }) => {
                    Self::new(Cause::Limited, format!("{host} asks to wait (429)"))
                }
                Some(error @ TransportError::NotAcme { status, .. }) if *status < 500 => Self::new(
                    Cause::Refused,
                    format!(
                        "{error}; is {directory} the directory of an ACME authority? server.tls.directory names it"
                    ),
                ),
                Some(error) => {
                    Self::new(Cause::Unreachable, format!("the certificate authority does not answer: {error}"))
                }
                None => Self::new(
                    Cause::Refused,
                    format!("the authority's answer makes no sense: {}", cut(&inner.to_string())),
                ),
            },
            other => {
                Self::new(Cause::Refused, format!("the authority's answer makes no sense: {}", cut(&other.to_string())))
            }
        };
        Self { asked, ..failure }
    }

    /// A name could not be proved: what the authority says about it.
    pub(super) fn of_proof(domain: &str, way: &str, problem: Option<&Problem>) -> Self {
        let said = problem.map_or_else(|| "it did not say why".to_owned(), said);
        let kind = problem.map_or("", kind);
        let port = if way == "tls-alpn-01" { 443 } else { 80 };
        let advice = match kind {
            "dns" => format!("point {domain} to this server in its DNS"),
            "caa" => format!("let the CAA record of {domain} permit this authority"),
            _ => format!("port {port} of {domain} must lead to this server, with no proxy in between"),
        };
        let sentence = format!("the authority could not see that {domain} leads here ({way}): {said}; {advice}");
        Self { is_about_proof: true, ..Self::new(Cause::Refused, sentence) }
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::new(Cause::Unreachable, error.to_string())
    }
}

impl From<Unanswerable> for Failure {
    fn from(error: Unanswerable) -> Self {
        Self::new(Cause::Refused, error.to_string())
    }
}

/// The last part of `urn:ietf:params:acme:error:rateLimited`.
pub(super) fn kind(problem: &Problem) -> &str {
    let name = problem.r#type.as_deref().unwrap_or_default();
    name.strip_prefix("urn:ietf:params:acme:error:").unwrap_or_default()
}

/// RFC 8555, 6.7.
fn of_problem(problem: &Problem) -> Failure {
    let said = said(problem);
    match kind(problem) {
        "rateLimited" => Failure::new(Cause::Limited, format!("the authority asks to wait: {said}")),
        "serverInternal" => Failure::new(Cause::Unreachable, format!("the authority has trouble of its own: {said}")),
        "externalAccountRequired" => Failure::new(
            Cause::Refused,
            format!(
                "the authority wants to know whose customer this is: {said}; give server.tls.eab what it handed out"
            ),
        ),
        "invalidContact" | "unsupportedContact" => {
            Failure::new(Cause::Refused, "the authority does not take server.tls.contact; correct it".to_owned())
        }
        "rejectedIdentifier" => Failure::new(
            Cause::Refused,
            format!("the authority issues nothing for a name in server.tls.domains: {said}"),
        ),
        _ if problem.status == Some(503) => {
            Failure::new(Cause::Unreachable, format!("the authority has trouble of its own: {said}"))
        }
        _ => Failure::new(Cause::Refused, format!("the authority refuses: {said}")),
    }
}

/// What the authority says, for people.
fn said(problem: &Problem) -> String {
    let mut said = problem.detail.clone().unwrap_or_else(|| kind(problem).to_owned());
    for inner in &problem.subproblems {
        said.push_str(&format!("; {inner}"));
    }
    cut(&said)
}

/// Somebody else's words: one line, and not too long.
fn cut(words: &str) -> String {
    let line: String = words.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_DETAIL).collect();
    line.trim_end_matches(|c: char| c == '.' || c.is_whitespace()).trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECTORY: &str = "https://ca.example/directory";

    fn problem(kind: &str, detail: &str) -> Problem {
        let text = serde_json::json!({"type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail});
        serde_json::from_value(text).unwrap()
    }

    #[test]
    fn what_the_authority_says_becomes_a_sentence_with_a_next_step() {
        let of = |kind| Failure::of(&Error::Api(problem(kind, "So it is.")), DIRECTORY, None);
        for (kind, cause, part) in [
            ("rateLimited", Cause::Limited, "asks to wait: So it is"),
            ("serverInternal", Cause::Unreachable, "trouble of its own"),
            ("externalAccountRequired", Cause::Refused, "server.tls.eab"),
            ("rejectedIdentifier", Cause::Refused, "server.tls.domains"),
            ("malformed", Cause::Refused, "refuses: So it is"),
        ] {
            let failure = of(kind);
            assert_eq!(failure.cause, cause, "{kind}");
            assert!(failure.sentence.contains(part), "{failure}");
        }
        let asked = Some(Duration::from_secs(99));
        assert_eq!(Failure::of(&Error::Api(problem("rateLimited", "")), DIRECTORY, asked).asked, asked);
    }

    #[test]
    fn the_operators_address_is_not_passed_on() {
        let said = "contact mailto:me@example.com is invalid";
        let failure = Failure::of(&Error::Api(problem("invalidContact", said)), DIRECTORY, None);
        assert!(!failure.sentence.contains('@') && failure.sentence.contains("server.tls.contact"), "{failure}");
    }

    #[test]
    fn a_wrong_directory_is_named() {
        let not_json = serde_json::from_str::<u8>("<html>").unwrap_err();
        for error in [
            Error::Json(not_json),
            Error::Other(Box::new(TransportError::NotAcme { host: "ca.example".into(), status: 404 })),
        ] {
            let failure = Failure::of(&error, DIRECTORY, None);
            assert_eq!(failure.cause, Cause::Refused);
            assert!(
                failure.sentence.contains(DIRECTORY) && failure.sentence.contains("server.tls.directory"),
                "{failure}"
            );
        }
        let down = Error::Other(Box::new(TransportError::NotAcme { host: "ca.example".into(), status: 502 }));
        assert_eq!(Failure::of(&down, DIRECTORY, None).cause, Cause::Unreachable, "a proxy without its server");
        let busy = Error::Other(Box::new(TransportError::NotAcme { host: "ca.example".into(), status: 429 }));
        assert_eq!(Failure::of(&busy, DIRECTORY, None).cause, Cause::Limited);
    }

    #[test]
    fn a_name_that_does_not_lead_here_says_where_to_look() {
        let of = |way, kind| {
            Failure::of_proof("a.example", way, Some(&problem(kind, "Connection refused\n\u{7}."))).sentence
        };
        assert!(
            of("tls-alpn-01", "connection").ends_with(
                "Connection refused; port 443 of a.example must lead to this server, with no proxy in between"
            ),
            "{}",
            of("tls-alpn-01", "connection")
        );
        assert!(of("http-01", "connection").contains("port 80"));
        assert!(of("http-01", "dns").contains("in its DNS"));
        assert!(of("http-01", "caa").contains("CAA record"));
    }
}
