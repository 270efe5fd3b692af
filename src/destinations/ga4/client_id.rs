//! GA's id of a browser: which texts are one, where one is found, and the derived one that stands in for it.

use sha2::{Digest, Sha256};

use super::super::personal;
use crate::model::business_event::BusinessEvent;
use crate::model::contact::Contact;
pub use crate::model::ga_cookie::client_id as accepted;
use crate::model::identity::IdentityKind;

/// The browser's id: the event's own, else the contact's last, else its first.
pub fn known(event: &BusinessEvent, contact: Option<&Contact>) -> Option<String> {
    let of_contact = contact.into_iter().flat_map(|contact| [&contact.last_attribution, &contact.first_attribution]);
    std::iter::once(&event.facts.attribution)
        .chain(of_contact)
        .find_map(|attribution| attribution.client_id.as_deref().and_then(accepted))
}

/// A stable id of GA's form, the same for ever for one lead, else for one contact, else for one sale. It says nothing of the
/// person: it is cut from a SHA-256 of an id that itself is no personal data.
pub fn derived(event: &BusinessEvent, contact: Option<&Contact>) -> String {
    let lead = event.facts.lead_id.as_deref().or_else(|| contact?.identity(IdentityKind::Lead));
    // GA4's policy forbids an e-mail address even hashed.
    let lead = lead.filter(|lead| personal::find_in_id(lead).is_none());
    let contact_id = contact.map(|contact| contact.id).or(event.contact);
    let seed = match (lead, contact_id, &event.transaction_id) {
        (Some(lead), _, _) => format!("lead/{lead}"),
        (None, Some(contact), _) => format!("contact/{contact}"),
        (None, None, Some(transaction)) => format!("transaction/{transaction}"),
        (None, None, None) => format!("event/{}", event.key),
    };
    from_seed(&seed)
}

fn from_seed(seed: &str) -> String {
    let digest = Sha256::digest(format!("tallyhook/ga4/client_id/{seed}"));
    let number = |at: usize| digest[at..at + 8].iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    // A positive number of 31 bits, and ten digits as a moment in Unix seconds has them, from 2001-09-09 on.
    let random = number(0) % 0x7fff_ffff + 1;
    let time = 1_000_000_000 + number(8) % 1_000_000_000;
    format!("{random}.{time}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_numbers_or_the_cookie_that_holds_them_are_a_client_id() {
        for (text, id) in [
            ("1234567890.1747132561", Some("1234567890.1747132561")),
            (" 12.34 ", Some("12.34")),
            ("GA1.1.1234567890.1747132561", Some("1234567890.1747132561")),
            ("GA1.2-2.111.222", Some("111.222")),
            ("GA1.1.deleted", None),
            ("deleted", None),
            ("", None),
            (".", None),
            ("1234567890", None),
            ("0.0", None),
            ("1.2.3", None),
            ("GS1.1.111.222", None),
            ("jane@example.com", None),
            ("cus_Qx.1", None),
            ("1234567890.1747132561x", None),
            ("123456789012345678901.1", None),
        ] {
            assert_eq!(accepted(text).as_deref(), id, "{text}");
        }
    }

    #[test]
    fn a_derived_id_has_the_form_and_never_changes() {
        assert_eq!(from_seed("lead/lead_7"), from_seed("lead/lead_7"));
        assert_ne!(from_seed("lead/lead_7"), from_seed("contact/lead_7"));
        for seed in 0..2000 {
            let id = from_seed(&seed.to_string());
            assert_eq!(accepted(&id), Some(id.clone()));
            let (random, time) = id.split_once('.').unwrap();
            assert!((1..=0x7fff_ffff).contains(&random.parse::<u64>().unwrap()));
            assert_eq!(time.len(), 10);
        }
    }
}
