//! What a reply means where a destination says nothing special about it.

use serde_json::Value;

use super::{Exchange, NoAnswer, redact};
use crate::model::delivery::{FailureClass, Outcome};

/// The longest excerpt of an answer, in characters.
pub const EXCERPT_CHARS: usize = 200;

/// How much of an answer is looked at for its excerpt when it isn't JSON, or is too much JSON.
const EXCERPT_BYTES: usize = 8 * 1024;

/// How much JSON is read whole for an excerpt.
const JSON_BYTES: usize = 64 * 1024;

/// The meaning of a reply by HTTP alone (RFC 9110, 15, and what proxies add). A destination judges first what its own
/// documentation says otherwise.
pub fn outcome(exchange: &Exchange) -> Outcome {
    match &exchange.reply {
        Ok(response) => by_status(exchange, response.status),
        Err(NoAnswer::NotSent(why)) => Outcome::Retry {
            explanation: format!("the destination could not be reached: {}; it is tried again", sentence(why)),
            after: None,
        },
        Err(NoAnswer::Unknown(why)) if exchange.request.repeatable => Outcome::Retry {
            explanation: format!("the request went out but no usable answer came: {}; it is sent again", sentence(why)),
            after: None,
        },
        Err(NoAnswer::Unknown(why)) => Outcome::Ambiguous {
            explanation: format!(
                "the request went out but no usable answer came: {}; it may have arrived, and the destination can't tell a repeat",
                sentence(why)
            ),
        },
        Err(NoAnswer::Broken(why)) => Outcome::Broken {
            explanation: format!(
                "the destination can't work as configured: {}; correct its address or certificate in the configuration and reload",
                sentence(why)
            ),
        },
    }
}

fn by_status(exchange: &Exchange, status: u16) -> Outcome {
    let after = exchange.reply.as_ref().ok().and_then(|response| response.retry_after);
    let answered = answered(exchange, status);
    let permanent = |hint: &str| Outcome::Permanent {
        class: FailureClass::Rejected,
        explanation: if hint.is_empty() { answered.clone() } else { format!("{answered}; {hint}") },
    };
    match status {
        200..=299 => Outcome::Delivered,
        300..=399 => Outcome::Broken {
            explanation: format!(
                "{answered}, a redirect, and redirects are not followed; set `endpoint` or `base_url` to the final address and reload"
            ),
        },
        401 => Outcome::Broken {
            explanation: format!(
                "{answered}: it does not accept the key; put a valid key into the configuration and reload"
            ),
        },
        402 => Outcome::Broken {
            explanation: format!(
                "{answered}: it wants to be paid first; settle the plan or the bill at the destination"
            ),
        },
        403 => Outcome::Forbidden {
            explanation: format!(
                "{answered}: the key may not do this; give it the right at the destination, or use another key"
            ),
        },
        408 | 425 => Outcome::Retry { explanation: format!("{answered}; it is tried again"), after },
        429 => Outcome::SlowDown { after },
        404 | 405 | 410 => permanent("look whether `endpoint`, `base_url` and the ids in the configuration are right"),
        413 | 414 | 431 => permanent("the request is too large for it"),
        400..=499 => permanent(""),
        _ => Outcome::Retry { explanation: format!("{answered}; it is tried again"), after },
    }
}

/// Whether an answer is a web page: a proxy or a login form spoke, not the destination.
pub fn is_page(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"<")
}

/// `it answered 422 with “…”`, the excerpt only where there is one.
pub fn answered(exchange: &Exchange, status: u16) -> String {
    let excerpt = excerpt(exchange);
    if excerpt.is_empty() {
        format!("the destination answered {status}")
    } else {
        format!("the destination answered {status} with “{excerpt}”")
    }
}

/// The beginning of an answer for a person: at most [`EXCERPT_CHARS`] characters on one line, without HTML, control
/// characters, personal data (also none that the request gave it) and secrets. Empty when nothing came.
pub fn excerpt(exchange: &Exchange) -> String {
    let Ok(response) = &exchange.reply else { return String::new() };
    let json =
        if response.body.len() <= JSON_BYTES { serde_json::from_slice::<Value>(&response.body).ok() } else { None };
    let raw = match json {
        Some(value) => redact::masked(value).to_string(),
        None => {
            let beginning = &response.body[..response.body.len().min(EXCERPT_BYTES)];
            without_tags(&String::from_utf8_lossy(beginning))
        }
    };
    let mut shown = redact::text(&one_line(&raw));
    let request = &exchange.request;
    for (_, secret) in request.secret_header.iter().chain(&request.secret_query) {
        let bare = secret.expose().trim_start_matches("Bearer ");
        shown = hide(&shown, bare);
    }
    if let Some(path) = &request.secret_path {
        // An error page may repeat the path without its query, or its parts by themselves.
        shown = hide(&shown, path.expose());
        for part in path.expose().split(['/', '?', '&', '=']).filter(|part| part.len() >= 8) {
            shown = hide(&shown, part);
        }
    }
    for value in redact::personal_values(&request.body) {
        shown = hide(&shown, &value);
        for word in value.split_whitespace().filter(|word| word.chars().count() >= 3) {
            shown = hide(&shown, word);
        }
    }
    cut(&shown, EXCERPT_CHARS)
}

/// A reason from the client, fit for the middle of a sentence.
fn sentence(why: &str) -> String {
    cut(redact::text(&one_line(why)).trim_end_matches('.'), EXCERPT_CHARS)
}

/// At most `most` characters, the last of which then is `…`.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Whitespace and control characters as single spaces; invisible ones, which could turn a line around, gone.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {}
            c if c.is_whitespace() || c.is_control() => {
                if !line.is_empty() && !line.ends_with(' ') {
                    line.push(' ');
                }
            }
            c => line.push(c),
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// HTML reduced to its words: tags, comments, scripts and styles are dropped.
fn without_tags(text: &str) -> String {
    let mut words = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        words.push_str(&rest[..at]);
        rest = &rest[at..];
        let is_tag = rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c));
        if !is_tag {
            words.push('<');
            rest = &rest[1..];
            continue;
        }
        words.push(' ');
        let end = ["script", "style"]
            .iter()
            .find(|name| rest.get(1..=name.len()).is_some_and(|tag| tag.eq_ignore_ascii_case(name)))
            .and_then(|name| find_ignoring_case(rest, &format!("</{name}")))
            .unwrap_or(0);
        rest = &rest[end..];
        rest = rest.find('>').map_or("", |close| &rest[close + 1..]);
    }
    words.push_str(rest);
    words
}

fn find_ignoring_case(text: &str, what: &str) -> Option<usize> {
    let wanted = what.as_bytes();
    text.as_bytes().windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted))
}

/// The text with every occurrence of `value` masked, without regard to case.
fn hide(text: &str, value: &str) -> String {
    let fold = |text: &str| -> Vec<char> { text.chars().map(|c| c.to_lowercase().next().unwrap_or(c)).collect() };
    let wanted = fold(value.trim());
    if wanted.len() < 2 {
        return text.to_owned();
    }
    let (folded, plain) = (fold(text), text.chars().collect::<Vec<_>>());
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    while at < plain.len() {
        if folded[at..].starts_with(&wanted) {
            shown.push_str(super::personal::MASK);
            at += wanted.len();
        } else {
            shown.push(plain[at]);
            at += 1;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::{HttpRequest, HttpResponse, Method};
    use super::*;
    use crate::model::secret::Secret;

    fn request(repeatable: bool) -> HttpRequest {
        HttpRequest {
            method: Method::Post,
            url: "https://crm.example.com/contacts".into(),
            secret_path: None,
            secret_query: None,
            headers: Vec::new(),
            secret_header: Some(("authorization", Secret::new("Bearer sk_very_secret"))),
            body: br#"{"name":"Jane Doe","email":"jane@example.com"}"#.to_vec(),
            repeatable,
        }
    }

    fn answer(status: u16, body: impl Into<Vec<u8>>) -> Exchange {
        let response =
            HttpResponse { status, retry_after: Some(Duration::from_secs(7)), body: body.into(), headers: Vec::new() };
        Exchange { request: request(true), reply: Ok(response) }
    }

    #[test]
    fn every_status_has_its_meaning() {
        let name = |status| match outcome(&answer(status, "")) {
            Outcome::Delivered => "delivered",
            Outcome::Retry { after: Some(_), .. } => "retry",
            Outcome::SlowDown { after: Some(_) } => "slow down",
            Outcome::Permanent { class: FailureClass::Rejected, .. } => "permanent",
            Outcome::Broken { .. } => "broken",
            Outcome::Forbidden { .. } => "forbidden",
            other => panic!("{status}: {other:?}"),
        };
        for (meaning, statuses) in [
            ("delivered", &[200, 201, 202, 204, 299][..]),
            ("broken", &[300, 301, 302, 307, 308, 401, 402]),
            ("forbidden", &[403]),
            ("slow down", &[429]),
            ("retry", &[408, 425, 500, 501, 502, 503, 504, 505, 520, 524, 527, 529, 530, 599, 0, 100, 999]),
            ("permanent", &[400, 404, 405, 406, 409, 410, 411, 413, 414, 415, 422, 423, 431, 451, 477, 499]),
        ] {
            for &status in statuses {
                assert_eq!(name(status), meaning, "{status}");
            }
        }
    }

    #[test]
    fn no_answer_is_judged_by_what_may_have_arrived() {
        let of = |repeatable, why| outcome(&Exchange { request: request(repeatable), reply: Err(why) });
        let why = || "connection reset".to_owned();
        assert!(matches!(of(false, NoAnswer::NotSent(why())), Outcome::Retry { .. }));
        assert!(matches!(of(true, NoAnswer::Unknown(why())), Outcome::Retry { .. }));
        assert!(matches!(of(false, NoAnswer::Unknown(why())), Outcome::Ambiguous { .. }));
        assert!(matches!(of(true, NoAnswer::Broken(why())), Outcome::Broken { .. }));
    }

    #[test]
    fn an_explanation_says_what_to_do() {
        let Outcome::Broken { explanation } = outcome(&answer(401, r#"{"message":"Unauthenticated."}"#)) else {
            panic!()
        };
        assert_eq!(
            explanation,
            "the destination answered 401 with “{\"message\":\"Unauthenticated.\"}”: it does not accept the key; put a valid key into the configuration and reload"
        );
    }

    #[test]
    fn an_excerpt_is_one_clean_short_line() {
        for (body, shown) in [
            (&b""[..], ""),
            (b"\x00\x1b[31mno\r\n\r\n  way\t", "[31mno way"),
            (
                b"<!DOCTYPE html><HTML><style>p {x:y}</style><Script>alert('x')</script><h1>502 Bad Gateway</h1><p>nginx",
                "502 Bad Gateway nginx",
            ),
            (b"1 < 2", "1 < 2"),
            (b"<unclosed", ""),
            (br#"{"message":"jane@example.com is taken by JANE DOE, call +49 30 12345678"}"#, r#"{"message":"*** is taken by ***, call ***"}"#),
            (b"bad key sk_very_secret given", "bad key *** given"),
            (b"Dear Jane, no", "Dear ***, no"),
            (b"\xff\xfe", "\u{fffd}\u{fffd}"),
            ("ab\u{202e}c".as_bytes(), "abc"),
        ] {
            assert_eq!(excerpt(&answer(400, body)), shown);
        }
        let long = excerpt(&answer(400, "ü".repeat(1024 * 1024)));
        assert_eq!(long.chars().count(), EXCERPT_CHARS);
        assert!(excerpt(&answer(400, "[".repeat(10_000))).starts_with("[[[["));
    }

    proptest! {
        #[test]
        fn any_answer_gives_a_short_excerpt(body in prop::collection::vec(any::<u8>(), 0..400)) {
            let shown = excerpt(&answer(400, body));
            prop_assert!(shown.chars().count() <= EXCERPT_CHARS);
            prop_assert!(!shown.chars().any(char::is_control));
        }

        #[test]
        fn no_address_survives_in_an_excerpt(before in "\\PC{0,300}", local in "[a-z0-9.+_-]{1,12}", after in "\\PC{0,20}") {
            let address = format!("{local}@mail.example.com");
            let shown = excerpt(&answer(400, format!("{before} {address} {after}")));
            prop_assert!(!shown.contains(&address));
        }
    }
}
