use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::samples::{self, body, done, event, reply, sent};
use super::tests::{settings, step_with};
use super::*;
use crate::model::id::Mode;
use crate::model::identity::{Email, Identity, IdentityKind, Phone};
use crate::model::statement::Item;

fn with_user_id() -> Ga4 {
    Ga4::new(Settings { user_id: true, ..settings() })
}

#[test]
fn a_user_id_goes_where_it_is_wanted_and_names_nobody() {
    let jane = samples::contact();
    let of = |ga4: &Ga4, id: Option<&str>| {
        let mut sale = event("purchase");
        sale.facts.user_id = id.map(str::to_owned);
        let request = body(&sent(step_with(ga4, &sale, Some(&jane), &[])));
        let notes = done(step_with(ga4, &sale, Some(&jane), &[reply(204, "")])).notes;
        (request.get("user_id").cloned(), notes)
    };
    assert_eq!(of(&Ga4::new(settings()), Some("user_3")).0, None, "only where it is configured");
    assert_eq!(of(&with_user_id(), Some(" user_9 ")).0, Some(json!("user_9")));
    assert_eq!(of(&with_user_id(), None).0, Some(json!("user_3")), "the contact's");
    for (id, found) in [
        ("jane@example.com", "an e-mail address"),
        ("+49 30 12345678", "a phone number"),
        ("doe.jane", "the person's name"),
        ("JANE", "the person's e-mail address"),
        ("030-12345678", "the person's phone number"),
    ] {
        let (sent, notes) = of(&with_user_id(), Some(id));
        assert_eq!(sent, None, "{id}");
        assert_eq!(notes[0], format!("`user_id` was left out: it holds {found}, which GA4's policy forbids"));
    }
    let (sent, notes) = of(&with_user_id(), Some(&"u".repeat(257)));
    assert_eq!((sent, notes[0].as_str()), (None, "`user_id` was left out: it has more than GA4's 256 characters"));
}

#[test]
fn user_data_go_only_where_configured_and_only_with_an_explicit_yes_to_advertising() {
    let jane = samples::contact();
    let of = |configured: bool, ads: Option<bool>| {
        let ga4 = Ga4::new(Settings { user_data: configured, ..settings() });
        let mut sale = event("purchase");
        sale.facts.consent.ads = ads;
        sent(step_with(&ga4, &sale, Some(&jane), &[]))
    };
    for (configured, ads) in [(false, Some(true)), (true, None), (true, Some(false))] {
        assert!(body(&of(configured, ads)).get("user_data").is_none(), "{configured} {ads:?}");
    }
    let request = of(true, Some(true));
    let told = body(&request);
    assert_eq!(told["consent"], json!({"ad_user_data": "GRANTED", "ad_personalization": "GRANTED"}));
    // printf %s jane@example.com | sha256sum
    let hash = "8c87b489ce35cf2e2f39f80e282cb2e804932a56a213983eeeb428407d43b52d";
    assert_eq!(told["user_data"]["sha256_email_address"], json!([hash]));
    assert_eq!(told["user_data"]["sha256_phone_number"].as_array().unwrap().len(), 1);
    assert!(!told["events"].to_string().contains(hash), "never in a parameter");
    assert!(!request.shown().contains(hash), "nor in what is shown: {}", request.shown());
}

#[test]
fn what_names_the_events_own_person_is_left_out() {
    let mut sale = event("purchase");
    sale.facts.service_name = Some("Coaching for Jane Doe".into());
    sale.facts.service_id = Some("svc_1".into());
    sale.facts.attribution.utm_campaign = Some("doe_jane".into());
    sale.facts.pricing_tier = Some("030 123 456 78".into());
    let jane = samples::contact();
    let finished = done(step_with(&Ga4::new(settings()), &sale, Some(&jane), &[reply(204, "")]));
    assert_eq!(
        finished.notes[..3],
        [
            "`pricing_tier` was left out: it holds the person's phone number, which GA4's policy forbids",
            "`lead_campaign` was left out: it holds the person's name, which GA4's policy forbids",
            "`item_name` was left out: it holds the person's name, which GA4's policy forbids",
        ]
    );
    sale.transaction_id = Some("jane-doe-7".into());
    let refused = done(step_with(&Ga4::new(settings()), &sale, Some(&jane), &[])).outcome;
    assert!(
        matches!(&refused, Outcome::Permanent { class: FailureClass::Invalid, explanation }
            if explanation.contains("PERSONAL_DATA, the transaction id holds the person's name") && !explanation.contains("jane")),
        "{refused:?}"
    );
}

#[test]
fn a_person_called_like_the_default_item_is_told_of_all_the_same() {
    let mut jane = samples::contact();
    jane.person.name = Some("Professional Service".into());
    let request = body(&sent(step_with(&Ga4::new(settings()), &event("purchase"), Some(&jane), &[])));
    assert_eq!(request["events"][0]["params"]["items"][0]["item_name"], "Professional Service");
    jane.person.name = Some("server".into());
    let request = body(&sent(step_with(&Ga4::new(settings()), &event("renewal"), Some(&jane), &[])));
    assert_eq!(request["events"][0]["params"]["event_source"], "server");
}

fn put(sale: &mut BusinessEvent, place: usize, text: &str) {
    let text = Some(text.to_owned());
    match place {
        0 => sale.facts.details.coupon = text,
        1 => sale.facts.details.payment_method_type = text,
        2 => sale.facts.pricing_tier = text,
        3 => sale.facts.lead_id = text,
        4 => sale.facts.attribution.utm_source = text,
        5 => sale.facts.attribution.utm_campaign = text,
        6 => sale.facts.service_id = text,
        7 => sale.facts.service_name = text,
        8 => sale.facts.failure_code = text,
        9 => sale.facts.attribution.utm_medium = text,
        10 => sale.facts.user_id = text,
        _ => sale.facts.details.items = vec![Item { id: text.clone(), name: text, quantity: 1, unit_minor: None }],
    }
}

proptest! {
    #[test]
    fn no_request_carries_the_persons_address_number_or_name_outside_user_data(
        mailbox in "[a-z]{5,9}\\.[a-z]{5,9}",
        number in "[1-9][0-9]{8,11}",
        first in "[A-ZÄÖ][a-zß]{4,8}",
        last in "[A-ZÉ][a-zø]{4,8}",
        around in "[ a-z_.-]{0,8}",
        which in 0_usize..6,
        places in prop::collection::vec(any::<bool>(), 12),
        kind in prop::sample::select(vec!["purchase", "renewal", "refund", "lead", "booking_made", "payment_failed", "contact_changed"]),
    ) {
        let email = format!("{mailbox}@example.com");
        let phone = format!("+49{number}");
        let name = format!("{first} {last}");
        let mut jane = samples::stranger();
        jane.person.email = Email::parse(&email);
        jane.person.phone = Phone::parse(&phone);
        jane.person.name = Some(name.clone());
        let personal = [email.clone(), phone.clone(), format!("0{number}"), name.clone(), format!("{last}, {first}"), format!("{first}{last}")];
        let text = format!("{around}{}{around}", personal[which]);
        let mut told = event(kind);
        for (place, _) in places.iter().enumerate().filter(|(_, wanted)| **wanted) {
            put(&mut told, place, &text);
        }
        told.facts.consent.ads = Some(true);
        let params = ["utm_medium", "lead_id", "user_id", "service_name", "failure_code"]
            .map(|field| (format!("own_{field}"), Field::named(field).unwrap()));
        let ga4 = Ga4::new(Settings { user_id: true, user_data: true, params: params.into(), ..settings() });
        let request = sent(step_with(&ga4, &told, Some(&jane), &[]));
        let mut sent = body(&request);
        prop_assert!(sent["user_data"].is_object());
        sent.as_object_mut().unwrap().remove("user_data");
        let sent = sent.to_string().to_lowercase();
        for told in [&email, &phone, &number, &name, &format!("{last}, {first}"), &format!("{first}{last}")] {
            prop_assert!(!sent.contains(&told.to_lowercase()), "{told}: {sent}");
        }
        prop_assert_eq!(validate::violations(&request.body, samples::SOLD_AT), []);
        prop_assert!(!request.shown().contains(&email));
    }
}

#[test]
fn every_identity_of_the_person_is_guarded() {
    let mut jane = samples::stranger();
    jane.identities.push(Identity { mode: Mode::Live, kind: IdentityKind::Phone, value: "+493087654321".into() });
    let mut sale = event("purchase");
    sale.facts.service_name = Some("030 87654321".into());
    let request: Value = body(&sent(step_with(&Ga4::new(settings()), &sale, Some(&jane), &[])));
    assert!(!request.to_string().contains("87654321"), "{request}");
}
