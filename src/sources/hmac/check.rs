//! What can be wrong with a scheme and its secrets, told before the start and not by refused requests.

use super::key::key_bytes;
use super::own::paypal;
use super::pick::{Pick, is_field_name};
use super::scheme::{KeyForm, Proof, Scheme, Syntax};
use super::verify::{Part, parts_of};
use crate::sources::ed25519::PublicKey;

/// Fewest bytes of a decoded secret, and fewest characters of a token: what is shorter can be guessed.
const SHORTEST: usize = 16;

/// What is wrong with one setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which, as the configuration calls it.
    pub key: &'static str,
    /// As it follows the key: `must hold {body}`.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

fn fault(key: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Fault {
    Fault { key, message: message.into(), fix: fix.into() }
}

/// What is wrong with a scheme; nothing when it is in order.
pub fn faults(scheme: &Scheme) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (key, names) in [
        ("header", &scheme.headers),
        ("timestamp_header", &scheme.timestamp_headers),
        ("id_header", &scheme.id_headers),
        ("keep_headers", &scheme.keep_headers),
    ] {
        for name in names.iter().filter(|name| !is_field_name(name)) {
            faults.push(fault(
                key,
                format!("{name:?} is no header field that can be read here"),
                "write a name like X-Signature",
            ));
        }
    }
    for (key, picks) in [("event_id", &scheme.event_id), ("event_type", &scheme.event_type)] {
        let wrong = picks.iter().filter_map(|pick| Pick::parse(pick).err());
        faults.extend(wrong.map(|error| fault(key, error.to_string(), "for example [\"/data/id\"]")));
    }
    if let Some(error) = scheme.test_mode.as_deref().and_then(|pick| Pick::parse(pick).err()) {
        faults.push(fault("test_mode", error.to_string(), "for example \"/meta/test_mode\""));
    }
    if scheme.batch.as_deref().is_some_and(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
        let message = "must be a JSON pointer like \"/events\", or \"\" for a body that is a list itself";
        faults.push(fault("batch", message, "begin it with /"));
    }
    if scheme.batch.is_some() && !scheme.event_id.is_empty() && !tells_parts_apart(&scheme.event_id) {
        faults.push(fault(
            "event_id",
            "is the same for every event of a request that holds several, so that all but the first would be taken for repeats",
            "add a pointer to what each event has of its own, for example \"/id\", or leave event_id out",
        ));
    }
    if scheme.proof.is_spelled_out() {
        signed_faults(scheme, &mut faults);
    }
    faults
}

/// Whether some part of an event's id always comes from the event itself: headers and the address belong to the whole request.
fn tells_parts_apart(event_id: &[String]) -> bool {
    event_id.iter().any(|pick| !pick.ends_with('?') && pick.split('|').all(|place| place.starts_with('/')))
}

fn signed_faults(scheme: &Scheme, faults: &mut Vec<Fault>) {
    let Some(parts) = parts_of(&scheme.signed) else {
        let message = "names something that is not known";
        faults.push(fault(
            "signed",
            message,
            "known are {body}, {timestamp}, {id}, {method}, {url} and {unescaped_url}",
        ));
        return;
    };
    let count = |wanted: &Part| parts.iter().filter(|part| *part == wanted).count();
    if count(&Part::Body) != 1 {
        let message = "must hold {body} once: what is not signed can be anything";
        faults.push(fault("signed", message, "for example \"{timestamp}.{body}\""));
    }
    match (scheme.is_timed(), count(&Part::Timestamp)) {
        (true, 0) => faults.push(fault(
            "signed",
            "does not hold {timestamp}, so that anybody could change the time",
            "add it where the sender does, or leave timestamp_header and timestamp_key out",
        )),
        (false, 1..) => faults.push(fault(
            "signed",
            "holds {timestamp}, and nothing says where it stands",
            "give timestamp_header, or with syntax = \"pairs\" timestamp_key",
        )),
        _ => {}
    }
    if count(&Part::Id) > 0 && scheme.id_headers.is_empty() {
        faults.push(fault("signed", "holds {id}, and nothing says where it stands", "give id_header"));
    }
    if scheme.syntax != Syntax::Plain && scheme.separator.len() != 1 {
        faults.push(fault("separator", "must be one character", "for example \",\""));
    }
    if scheme.syntax == Syntax::Plain && !scheme.timestamp_key.is_empty() {
        faults.push(fault("timestamp_key", "is of use only with syntax = \"pairs\"", "give timestamp_header instead"));
    }
}

/// What others hand out under the name of a secret, by the preset: how it begins, and what it is.
const MISTAKEN: [(&str, &str, &str, &str); 15] = [
    (
        "github",
        "ghp_",
        "is a personal access token",
        "GitHub signs with the secret of the webhook's own page (Settings, Webhooks)",
    ),
    (
        "github",
        "github_pat_",
        "is a personal access token",
        "GitHub signs with the secret of the webhook's own page (Settings, Webhooks)",
    ),
    (
        "shopify",
        "shpat_",
        "is an access token of the Admin API",
        "an app's webhooks are signed with its client secret; those made under Settings, Notifications with the secret shown there below the list",
    ),
    (
        "shopify",
        "shpca_",
        "is an access token of the Admin API",
        "an app's webhooks are signed with its client secret; those made under Settings, Notifications with the secret shown there below the list",
    ),
    (
        "paddle",
        "pdl_live_",
        "is an API key",
        "each notification destination has a secret of its own, pdl_ntfset_… (Developer tools, Notifications)",
    ),
    (
        "paddle",
        "pdl_sdbx_",
        "is an API key",
        "each notification destination has a secret of its own, pdl_ntfset_… (Developer tools, Notifications)",
    ),
    ("slack", "xoxb-", "is a bot token", "the signing secret is on the app's page Basic Information"),
    ("slack", "xoxp-", "is a user token", "the signing secret is on the app's page Basic Information"),
    ("slack", "xapp-", "is an app-level token", "the signing secret is on the app's page Basic Information"),
    ("hubspot", "pat-", "is an access token", "HubSpot signs with the app's client secret (Auth)"),
    (
        "lemon_squeezy",
        "eyJ",
        "is an API key",
        "the signing secret is the one typed in on the webhook's page (Settings, Webhooks)",
    ),
    (
        "mailerlite",
        "eyJ",
        "is an API key",
        "MailerLite shows a webhook's own secret where it is made (Integrations, Webhooks)",
    ),
    (
        "mailgun",
        "key-",
        "is an API key",
        "Mailgun signs with the account's HTTP webhook signing key (Account settings, API security)",
    ),
    ("twilio", "SK", "is the id of an API key", "Twilio signs with the account's auth token (Console, Account info)"),
    ("twilio", "AC", "is the id of an account", "Twilio signs with the account's auth token (Console, Account info)"),
];

/// What is wrong with a secret for this scheme; none when it is in order. Quotes nothing of it.
pub fn secret_fault(preset: Option<&str>, scheme: &Scheme, secret: &str) -> Option<Fault> {
    let wrong = |message: &str, fix: &str| Some(fault("secrets", message, fix));
    if secret.starts_with("v1,whsec_") {
        return wrong(
            "begins with \"v1,\", which belongs to the signature and not to the secret",
            "take off everything before whsec_",
        );
    }
    let mistaken = MISTAKEN.iter().find(|(of, start, ..)| preset == Some(*of) && secret.starts_with(start));
    if let Some((_, _, what, fix)) = mistaken {
        return wrong(what, fix);
    }
    match scheme.proof {
        Proof::Token if secret.len() < SHORTEST => {
            wrong("is too short for a token: at least 16 characters", "`openssl rand -hex 24` makes a good one")
        }
        Proof::Token if !secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) => {
            wrong("holds characters that an address does not carry", "use letters, digits, - . _ and ~")
        }
        Proof::Basic if !secret.contains(':') => wrong("must be name and password", "write \"name:password\""),
        Proof::Ed25519 if PublicKey::parse(secret).is_none() => {
            wrong("is no Ed25519 public key", "give it as PEM, base64 or 64 hexadecimal digits")
        }
        Proof::PayPal => paypal::certificate_fault(secret).map(|(message, fix)| fault("secrets", message, fix)),
        Proof::Mailgun | Proof::Twilio if secret.trim().is_empty() => wrong("is empty", "copy it whole"),
        Proof::Hmac => match (scheme.key, key_bytes(scheme, secret)) {
            (KeyForm::Base64, None) => wrong(
                "is not base64",
                "copy it whole, with whsec_ where it has that; where the sender uses the text itself, give key = \"raw\"",
            ),
            (KeyForm::Hex, None) => wrong("is not made of hexadecimal digits", "copy it whole"),
            (KeyForm::Base64 | KeyForm::Hex, Some(bytes)) if bytes.len() < SHORTEST => {
                wrong("is too short: fewer than 16 bytes", "copy it whole")
            }
            (_, Some(bytes)) if bytes.trim_ascii().is_empty() => wrong("is empty", "copy it whole"),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::hmac::preset::{PRESETS, preset};

    #[test]
    fn every_preset_is_in_order() {
        for name in PRESETS {
            assert_eq!(faults(&preset(name).unwrap()), [], "{name}");
        }
        assert_eq!(faults(&Scheme::default()), []);
        assert_eq!(preset("stripe"), None);
    }

    #[test]
    fn what_would_believe_too_much_is_refused() {
        let told = |scheme: Scheme| faults(&scheme).into_iter().map(|fault| fault.key).collect::<Vec<_>>();
        let base = Scheme::default;
        let timed = || vec!["x-time".to_owned()];
        assert_eq!(told(Scheme { signed: "{timestamp}".into(), timestamp_headers: timed(), ..base() }), ["signed"]);
        assert_eq!(told(Scheme { signed: "{bdy}".into(), ..base() }), ["signed"]);
        assert_eq!(told(Scheme { timestamp_headers: timed(), ..base() }), ["signed"]);
        assert_eq!(told(Scheme { signed: "{timestamp}{body}".into(), ..base() }), ["signed"]);
        assert_eq!(told(Scheme { signed: "{id}.{body}".into(), ..base() }), ["signed"]);
        assert_eq!(told(Scheme { event_id: vec!["id".into()], ..base() }), ["event_id"]);
        assert_eq!(told(Scheme { batch: Some("events".into()), ..base() }), ["batch"]);
        assert_eq!(told(Scheme { keep_headers: vec!["Authorization".into()], ..base() }), ["keep_headers"]);
    }

    #[test]
    fn events_of_one_request_must_have_ids_of_their_own() {
        let told = |picks: &[&str]| {
            let event_id = picks.iter().map(|pick| (*pick).to_owned()).collect();
            let scheme = Scheme { batch: Some("/events".into()), event_id, ..Scheme::default() };
            faults(&scheme).into_iter().map(|fault| fault.key).collect::<Vec<_>>()
        };
        for lost in [&["header:x-id"][..], &["query:event"], &["header:x-id|/id"], &["header:x-id", "/id?"]] {
            assert_eq!(told(lost), ["event_id"], "{lost:?}");
        }
        for kept in [&[][..], &["/id"], &["header:x-id", "/id|/uuid"], &["/type?", "/id"]] {
            assert!(told(kept).is_empty(), "{kept:?}");
        }
    }

    #[test]
    fn secrets_of_the_wrong_kind_are_named() {
        let told = |name: &str, secret: &str| {
            secret_fault(Some(name), &preset(name).unwrap(), secret).map(|fault| fault.message)
        };
        let good = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        assert_eq!(told("svix", good), None);
        assert_eq!(told("svix", &good[6..]), None, "people copy it without");
        assert!(told("svix", &format!("v1,{good}")).unwrap().contains("v1,"));
        assert!(told("svix", "whsec_not base64").unwrap().contains("base64"));
        assert!(told("svix", "whsec_AAAA").unwrap().contains("short"));
        assert!(told("shopify", "shpat_0123").unwrap().contains("access token"));
        assert_eq!(told("shopify", "shpss_0123"), None);
        assert!(told("paddle", "pdl_live_apikey_01").unwrap().contains("API key"));
        let of =
            |proof: Proof, secret: &str| secret_fault(None, &Scheme { proof, ..Scheme::default() }, secret).is_some();
        assert!(
            of(Proof::Token, "short")
                && of(Proof::Token, "with/slash/and/more")
                && !of(Proof::Token, "0123456789abcdef")
        );
        assert!(of(Proof::Basic, "no-colon") && !of(Proof::Basic, "a:b"));
        assert!(of(Proof::Ed25519, "nonsense"));
    }
}
