//! Records that are not what they should be.

use super::super::*;
use super::samples;
use crate::model::id::{BusinessEventId, WebhookId};

fn fault(bytes: &[u8]) -> Fault {
    webhook::decode(WebhookId(1), bytes).unwrap_err().what
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut bytes = webhook::encode(&samples::full_webhook());
    bytes.extend([0, 0]);
    assert_eq!(fault(&bytes), Fault::Trailing(2));
}

#[test]
fn an_unknown_version_is_told_to_be_a_newer_programs() {
    let mut bytes = webhook::encode(&samples::full_webhook());
    for version in [1, 2, 0x80, 0xff] {
        bytes[0] = version;
        let error = webhook::decode(WebhookId(1), &bytes).unwrap_err();
        assert_eq!(error.what, Fault::Newer { found: u16::from(version) + 1, known: 1 });
        assert!(error.to_string().contains("the file was written by a newer version of Tallyhook"), "{error}");
    }
}

#[test]
fn a_record_cut_anywhere_is_refused() {
    let bytes = business_event::encode(&samples::full_business_event());
    for end in 0..bytes.len() {
        assert!(business_event::decode(BusinessEventId(1), &bytes[..end]).is_err(), "cut to {end} bytes");
    }
    assert_eq!(fault(&[]), Fault::Empty);
}

#[test]
fn an_unknown_code_is_refused_by_name() {
    let bytes = webhook::encode(&samples::bare_webhook());
    // The status of this webhook, unreadable, is the only 2 in it that is not a text's length.
    let status = bytes.len() - 7;
    assert_eq!(bytes[status], 2);
    let mut wrong = bytes;
    wrong[status] = 3;
    assert_eq!(fault(&wrong), Fault::UnknownCode { what: "status of a webhook", code: 3 });
}

#[test]
fn every_consent_has_its_own_code() {
    use super::super::attribution::{consent_code, consent_from_code};
    let mut known = 0;
    for code in 0..=u8::MAX {
        if let Ok(consent) = consent_from_code(code) {
            assert_eq!(consent_code(consent), code);
            known += 1;
        }
    }
    assert_eq!(known, 27);
}

#[test]
fn an_error_never_repeats_what_is_stored() {
    let mut bytes = contact::encode(&samples::full_contact());
    bytes.push(0);
    let error = contact::decode(samples::full_contact().id, &bytes).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("Jane"), "{error:?}");
}
