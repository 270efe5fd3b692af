//! Several people at one browser, and what a yes to e-mail is worth there.

use super::destinations::{ANALYTICS, CRM, MAIL, everybody};
use super::house::House;
use super::leads::{all_is_done, browser, buyer_of, form, leads, sold, told};
use crate::model::attribution::Consent;
use crate::model::business_event::BusinessEvent;
use crate::model::identity::{Email, Phone};
use crate::model::lead::{LeadPost, LeadReceipt};

const TABLET: &str = "th_tablet01";

fn person(email: &'static str, name: &'static str) -> impl Fn(&mut LeadPost) {
    move |post| {
        browser(post);
        post.person.email = Email::parse(email);
        post.person.name = Some(name.into());
    }
}

fn lead_of<'h>(house: &'h House, email: &str) -> &'h BusinessEvent {
    let email = Email::parse(email);
    let of = |lead: &&&BusinessEvent| house.books.contacts[&lead.contact.unwrap()].person.email == email;
    leads(house).into_iter().find(|lead| of(&lead)).unwrap()
}

#[test]
fn the_next_person_at_a_tablet_is_a_lead_too_at_once_or_later() {
    for pause in [5, 4000] {
        let mut house = House::new(everybody());
        house.post(TABLET, person("first@example.com", "First"));
        house.seconds(pause);
        let apart = house.post(TABLET, person("second@example.com", "Second"));
        assert_eq!(apart, LeadReceipt::StoredApart("th_tablet01-2".into()));
        house.seconds(pause);
        house.post(TABLET, person("third@firm.example", "Third"));
        // A repeat of any of them is nobody new.
        for (email, name) in [("first@example.com", "First"), ("second@example.com", "Second")] {
            house.post(TABLET, person(email, name));
        }
        all_is_done(&mut house);
        assert_eq!((leads(&house).len(), house.people().len()), (3, 3), "a pause of {pause} s");
        for email in ["first@example.com", "second@example.com", "third@firm.example"] {
            assert!(told(&house, lead_of(&house, email), CRM), "{email}");
        }
        let second = lead_of(&house, "second@example.com");
        assert_eq!(second.facts.lead_id.as_deref(), Some("th_tablet01-2"));
        assert_eq!(second.facts.attribution.client_id.as_deref(), Some("11.22"));
        // Who of them buys with the tablet's link is that one.
        let made = second.contact.unwrap();
        house.take(&sold(1).email("second@example.com").lead(TABLET));
        all_is_done(&mut house);
        assert_eq!(house.books.live_contact(made), buyer_of(&house, "ch_1").id);
        assert_eq!(house.people().len(), 3);
    }
}

#[test]
fn callers_with_a_phone_only_are_people_too() {
    let mut house = House::new(everybody());
    for phone in ["+4930123456", "+4940999999", "+4989777777", "+4940999999"] {
        house.post(TABLET, |post| post.person.phone = Phone::parse(phone));
        house.seconds(5);
    }
    all_is_done(&mut house);
    assert_eq!((leads(&house).len(), house.people().len()), (3, 3));
}

#[test]
fn a_yes_to_mail_is_not_the_next_persons() {
    for (pause, next) in
        [(5, "c@example.com"), (4000, "c@example.com"), (5, "other@firm.example"), (4000, "other@firm.example")]
    {
        let mut house = House::new(everybody());
        // Somebody who is known, so that no lead is told of that address, or somebody new.
        if pause == 5 {
            house.take(&sold(1).email("a@example.com"));
        }
        house.post(TABLET, form("a@example.com"));
        house.seconds(pause);
        house.post(TABLET, |post| post.person.email = Email::parse(next));
        all_is_done(&mut house);
        let lead = lead_of(&house, next);
        assert_eq!(house.books.contacts[&lead.contact.unwrap()].consent.email, None, "{next} after {pause} s");
        assert!(told(&house, lead, CRM) && !told(&house, lead, MAIL), "{next} after {pause} s");
    }
}

#[test]
fn a_mended_address_takes_no_yes_along() {
    let mut house = House::new(everybody());
    house.post(TABLET, form("jane@gmial.example"));
    house.seconds(5);
    house.post(TABLET, |post| post.person.email = Email::parse("jane@gmail.example"));
    all_is_done(&mut house);
    let lead = lead_of(&house, "jane@gmail.example");
    assert!(told(&house, lead, CRM) && !told(&house, lead, MAIL));
    // Somebody who was told of and ticks the box in another form, for the same address or for another.
    house.post(TABLET, |post| post.consent.email = Some(true));
    let consent = |house: &House| house.people()[0].consent.email;
    assert_eq!(consent(&house), None);
    house.post(TABLET, form("jane@gmail.example"));
    assert_eq!(consent(&house), Some(true));
}

#[test]
fn a_browsers_no_is_heeded_for_everybody_who_left_an_address_in_it() {
    let mut house = House::new(everybody());
    for (email, name) in [("first@example.com", "First"), ("second@example.com", "Second")] {
        house.post(TABLET, |post| {
            person(email, name)(post);
            post.consent.analytics = Some(true);
        });
    }
    house.seconds(5);
    house.post(TABLET, |post| post.consent = Consent { analytics: Some(false), ..Consent::default() });
    all_is_done(&mut house);
    for email in ["first@example.com", "second@example.com"] {
        assert!(
            !told(&house, lead_of(&house, email), ANALYTICS) && told(&house, lead_of(&house, email), CRM),
            "{email}"
        );
    }
}

#[test]
fn a_crowd_at_one_browser_in_two_minutes_is_nobody_and_stays_so() {
    let victim = |number: usize| format!("{}@example.com", "abc".repeat(number + 1));
    let mut house = House::new(everybody());
    for number in 0..20 {
        house.post(TABLET, |post| post.person.email = Email::parse(&victim(number)));
    }
    all_is_done(&mut house);
    assert!(leads(&house).iter().all(|lead| !told(&house, lead, CRM)), "nobody hears of it");
    assert!(house.books.lead_emails.is_empty(), "{:?}", house.books.lead_emails);
    house.post(TABLET, |post| post.person.email = Email::parse("later@example.com"));
    all_is_done(&mut house);
    assert!(leads(&house).iter().all(|lead| !told(&house, lead, CRM)));
    // But a day at a reception desk is no crowd.
    let mut house = House::new(everybody());
    for number in 0..20 {
        house.post(TABLET, |post| post.person.email = Email::parse(&victim(number)));
        house.seconds(60);
    }
    all_is_done(&mut house);
    assert_eq!(leads(&house).iter().filter(|lead| told(&house, lead, CRM)).count(), 20);
}
