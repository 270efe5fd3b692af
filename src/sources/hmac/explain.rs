//! Why was a request refused? One or two sentences a person can act on, without any part of the body, a secret or a signature.

use super::key::decode;
use super::scheme::{Encoding, Proof, Scheme, Syntax, Unit};
use super::verify::{Checker, only};
use crate::model::time::format_span;
use crate::sources::{Refusal, Request, token};

/// Bodies up to this size are tried in other ways, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Explains a refusal.
pub(super) fn explain(checker: &Checker, preset: Option<&str>, request: &Request<'_>, refusal: Refusal) -> String {
    let scheme = &checker.scheme;
    match refusal {
        Refusal::MissingToken if scheme.proof == Proof::Basic => {
            "There is no Authorization header with name and password. Give the sender both, as the configuration has them.".to_owned()
        }
        Refusal::MissingToken => format!(
            "There is no token: neither behind the address, /api/webhooks/…/TOKEN, nor in {}, nor as Authorization: Bearer.",
            token::HEADER
        ),
        Refusal::WrongToken if scheme.proof == Proof::Basic => {
            "Name or password is another than configured.".to_owned()
        }
        Refusal::WrongToken => {
            "The token is another than configured. Copy it again, without spaces; after a change the sender needs the new one.".to_owned()
        }
        Refusal::MissingSignature => missing(scheme, request),
        Refusal::MalformedSignature | Refusal::NoV1Signature => malformed(scheme, request),
        Refusal::TimestampTooOld | Refusal::TimestampInFuture => late(checker, request),
        Refusal::NoMatchingSignature => no_match(checker, preset, request),
        Refusal::NotOurs => "It is genuine, but meant for somebody else.".to_owned(),
    }
}

fn names(names: &[String]) -> String {
    names.join(" or ")
}

fn missing(scheme: &Scheme, request: &Request<'_>) -> String {
    let header = names(&scheme.headers);
    let value = only(request.headers, &scheme.headers);
    if value.is_some_and(|value| scheme.absent.iter().any(|absent| absent.as_bytes() == value)) {
        return format!("The header {header} says that the sender has no secret. Set one on the webhook's page there.");
    }
    if value.is_some() {
        return format!("The header {header} is empty. A proxy in front may blank it: let it pass unchanged.");
    }
    let several = scheme.headers.iter().any(|name| request.headers.values(name).len() > 1);
    if several {
        return format!("There are several headers {header}; a sender sends one. A proxy in front may double it.");
    }
    let other = OTHERS.iter().find(|(name, _)| request.headers.values(name).len() == 1);
    match other {
        Some((name, sender)) => {
            format!(
                "There is no header {header}, but {name}: {sender} posts to this address, which waits for another sender."
            )
        }
        None => format!(
            "There is no header {header}. Either this did not come from the sender, or it has no secret set there, or a proxy in \
             front removes the header."
        ),
    }
}

/// Signature headers that tell who is there instead.
const OTHERS: [(&str, &str); 12] = [
    ("stripe-signature", "Stripe"),
    ("webhook-signature", "a sender by Standard Webhooks"),
    ("svix-signature", "Svix"),
    ("x-hub-signature-256", "GitHub"),
    ("x-shopify-hmac-sha256", "Shopify"),
    ("paddle-signature", "Paddle"),
    ("calendly-webhook-signature", "Calendly"),
    ("typeform-signature", "Typeform"),
    ("x-wc-webhook-signature", "WooCommerce"),
    ("x-hubspot-signature-v3", "HubSpot"),
    ("x-slack-signature", "Slack"),
    ("x-zm-signature", "Zoom"),
];

fn malformed(scheme: &Scheme, request: &Request<'_>) -> String {
    let header = names(&scheme.headers);
    let Some(value) = only(request.headers, &scheme.headers) else {
        return format!("The header {header} can't be read.");
    };
    if !scheme.timestamp_headers.is_empty() {
        let time = names(&scheme.timestamp_headers);
        match only(request.headers, &scheme.timestamp_headers) {
            None => {
                return format!("There is no header {time}, which is signed along. A proxy in front may remove it.");
            }
            Some(text) if !text.iter().all(u8::is_ascii_digit) => {
                return format!("The header {time} is not a number.");
            }
            Some(_) => {}
        }
    }
    if !scheme.id_headers.is_empty() && only(request.headers, &scheme.id_headers).is_none() {
        return format!(
            "There is no header {}, which is signed along. A proxy in front may remove it.",
            names(&scheme.id_headers)
        );
    }
    if scheme.syntax == Syntax::Plain && !value.starts_with(scheme.prefix.as_bytes()) {
        return format!("The header {header} does not begin with {:?} as it does from this sender.", scheme.prefix);
    }
    let bare = value.strip_prefix(scheme.prefix.as_bytes()).unwrap_or(value);
    let other = match scheme.encoding {
        Encoding::Hex => Encoding::Base64,
        Encoding::Base64 => Encoding::Hex,
    };
    if scheme.syntax == Syntax::Plain && decode(other, bare).is_some_and(|bytes| [32, 64].contains(&bytes.len())) {
        let (wanted, found) = (encoding(scheme.encoding), encoding(other));
        return format!(
            "The signature in {header} is written in {found}, and {wanted} is expected: change `encoding`, or another sender posts \
             to this address."
        );
    }
    match scheme.syntax {
        Syntax::Plain => format!("The header {header} holds no whole signature in {}.", encoding(scheme.encoding)),
        Syntax::Pairs | Syntax::Versions => format!(
            "The header {header} holds no usable signature {:?} or no usable time. It is cut or rewritten on the way, or another \
             sender posts to this address.",
            scheme.signature_key
        ),
    }
}

const fn encoding(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Hex => "hexadecimal digits",
        Encoding::Base64 => "base64",
    }
}

fn late(checker: &Checker, request: &Request<'_>) -> String {
    let scheme = &checker.scheme;
    let age = checker.read(request).ok().and_then(|signed| signed.age(request)).unwrap_or(0);
    let span = format_span(std::time::Duration::from_secs(age.unsigned_abs()));
    if age > 0 {
        let allowed = format_span(scheme.tolerance);
        return format!(
            "Genuine, but signed {span} ago, and {allowed} are allowed. Either it was held up on the way or sent a second time by \
             somebody else, or this machine's clock is ahead; `tolerance` allows more."
        );
    }
    let unit = if scheme.timestamp_unit == Unit::Seconds && age < -1_000_000_000 {
        " The time looks like milliseconds: set timestamp_unit = \"ms\"."
    } else {
        ""
    };
    format!("Genuine, but signed {span} in the future: this machine's clock is behind, or the sender's ahead.{unit}")
}

fn no_match(checker: &Checker, preset: Option<&str>, request: &Request<'_>) -> String {
    let scheme = &checker.scheme;
    if checker.keys.is_empty() {
        return "No configured secret can be used.".to_owned();
    }
    if scheme.signs_address() && checker.url(request).is_none() {
        return "This sender signs its address, and none is configured: set server.public_url, or public_url of this source.".to_owned();
    }
    let Ok(signed) = checker.read(request) else { return "The signature can't be read.".to_owned() };
    if request.body.is_empty() {
        return "The body is empty: something in front reads it and does not pass it on.".to_owned();
    }
    if request.body.len() <= MAX_BODY
        && let Some(change) = changed_body(checker, request, &signed)
    {
        return change;
    }
    let address = match checker.url(request) {
        Some(_) => {
            " This sender signs its address, too: it must be registered there exactly as server.public_url (or this source's \
                    public_url) says, with https and without a slash at the end."
        }
        None => "",
    };
    let secret = match preset {
        Some("shopify") => {
            " Webhooks of an app are signed with the app's client secret, those made in the shop's settings with the secret shown \
             there, and neither with an access token."
        }
        Some("hubspot") => " HubSpot signs with the client secret of the app, not with its access token.",
        Some("paddle") => " Each notification destination has its own secret, and the sandbox others than live.",
        Some("square") => " Each subscription has its own signature key, and the sandbox others than production.",
        Some("mailerlite") => " Each webhook has its own secret.",
        _ => "",
    };
    format!(
        "The signature was made with another secret, or over another body.{secret}{address} Compare the secret with the one on the \
         sender's page; if it is right, something in front changes the body."
    )
}

/// Whether the signature fits the body without what is often added or lost on the way.
fn changed_body(checker: &Checker, request: &Request<'_>, signed: &super::verify::Signed<'_>) -> Option<String> {
    let body = request.body;
    let fits = |body: &[u8]| checker.matching(signed, request.method, body).is_some();
    let with = [body, b"\n"].concat();
    if fits(body.trim_ascii_end()) || fits(&with) {
        return Some("The signature fits the body with other white space at its end: something in front adds or cuts a line break.".to_owned());
    }
    let value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let compact = serde_json::to_vec(&value).ok()?;
    if compact != body && fits(&compact) {
        return Some(
            "The signature fits the body written without white space: something in front writes the JSON anew."
                .to_owned(),
        );
    }
    None
}
