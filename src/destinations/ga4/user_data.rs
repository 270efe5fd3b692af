//! `user_data`: the one door by which GA4 takes what identifies a person, hashed (Measurement Protocol: user-provided data).
//!
//! Only an e-mail address and a phone number are told. An address by name would need street or postal code, which are not known,
//! and a name alone identifies nobody.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::model::contact::Contact;
use crate::model::identity::{Email, IdentityKind, Phone};

/// The most addresses, and the most numbers, that GA4 takes.
pub const MOST: usize = 3;

/// What is told of a person; none where there is nothing to tell.
pub fn of(contact: &Contact) -> Option<Value> {
    let known = |kind: IdentityKind| contact.identities.iter().filter(move |identity| identity.kind == kind);
    let emails = contact
        .person
        .email
        .clone()
        .into_iter()
        .chain(known(IdentityKind::Email).filter_map(|identity| Email::parse(&identity.value)))
        .map(|email| sha256(&normal_email(email.as_str())));
    let phones = contact
        .person
        .phone
        .clone()
        .into_iter()
        .chain(known(IdentityKind::Phone).filter_map(|identity| Phone::parse(&identity.value)))
        .map(|phone| sha256(phone.as_str()));
    let mut told = Map::new();
    for (name, hashes) in [("sha256_email_address", distinct(emails)), ("sha256_phone_number", distinct(phones))] {
        if !hashes.is_empty() {
            told.insert(name.to_owned(), json!(hashes));
        }
    }
    (!told.is_empty()).then_some(Value::Object(told))
}

/// Whether a value has the form that GA4 takes: at most three hashes of each, in lower-case hex.
pub fn is_well_formed(value: &Value) -> bool {
    let Some(told) = value.as_object().filter(|told| !told.is_empty()) else { return false };
    told.iter().all(|(name, hashes)| {
        matches!(name.as_str(), "sha256_email_address" | "sha256_phone_number")
            && hashes.as_array().is_some_and(|hashes| {
                (1..=MOST).contains(&hashes.len()) && hashes.iter().all(|hash| hash.as_str().is_some_and(is_hash))
            })
    })
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn distinct(hashes: impl Iterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for hash in hashes {
        if found.len() < MOST && !found.contains(&hash) {
            found.push(hash);
        }
    }
    found
}

/// Trimmed and in lower case; at Gmail dots mean nothing.
fn normal_email(email: &str) -> String {
    let email = email.trim().to_lowercase();
    match email.rsplit_once('@') {
        Some((mailbox, host @ ("gmail.com" | "googlemail.com"))) => format!("{}@{host}", mailbox.replace('.', "")),
        _ => email,
    }
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::*;
    use crate::model::id::Mode;
    use crate::model::identity::Identity;

    #[test]
    fn addresses_and_numbers_are_normalised_before_they_are_hashed() {
        let mut contact = samples::stranger();
        assert_eq!(of(&contact), None);
        contact.person.email = Email::parse(" Jane.Doe@Gmail.com ");
        contact.person.phone = Phone::parse("+1 (650) 555-0100");
        let told = of(&contact).unwrap();
        assert_eq!(
            told,
            json!({
                "sha256_email_address": [sha256("janedoe@gmail.com")],
                "sha256_phone_number": [sha256("+16505550100")],
            })
        );
        // By another implementation: printf %s janedoe@gmail.com | sha256sum
        assert_eq!(told["sha256_email_address"][0], "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69");
        assert_eq!(told["sha256_phone_number"][0], "1967dd8f4b44678ba10eaff05f8ceabcc7268d481f2a637b3dc75d85f3199244");
        assert!(is_well_formed(&told));
        for (email, normal) in [
            ("Jane.Doe@GoogleMail.com", "janedoe@googlemail.com"),
            ("jane.doe@example.com", "jane.doe@example.com"),
            ("j.a.n.e+shop@gmail.com", "jane+shop@gmail.com"),
        ] {
            assert_eq!(normal_email(email), normal);
        }
    }

    #[test]
    fn each_is_told_once_and_no_more_than_three() {
        let mut contact = samples::stranger();
        contact.person.email = Email::parse("a@example.com");
        let identity = |value: &str| Identity { mode: Mode::Live, kind: IdentityKind::Email, value: value.into() };
        contact.identities = ["a@example.com", "b@example.com", "c@example.com", "d@example.com"].map(identity).into();
        let told = of(&contact).unwrap();
        let hashes = ["a@example.com", "b@example.com", "c@example.com"].map(sha256);
        assert_eq!(told, json!({"sha256_email_address": hashes}));
    }

    #[test]
    fn anything_else_is_not_well_formed() {
        let hash = sha256("x");
        for wrong in [
            json!({}),
            json!("x"),
            json!({"sha256_email_address": []}),
            json!({"sha256_email_address": hash}),
            json!({"sha256_email_address": ["jane@example.com"]}),
            json!({"sha256_email_address": [hash.to_uppercase()]}),
            json!({"sha256_email_address": vec![hash.clone(); 4]}),
            json!({"email": [hash]}),
        ] {
            assert!(!is_well_formed(&wrong), "{wrong}");
        }
    }
}
