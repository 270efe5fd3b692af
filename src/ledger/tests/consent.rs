//! Who agreed to what, when a browser says one thing and a sender that we trust another.

use proptest::prelude::*;

use super::destinations::{MAIL, everybody};
use super::house::House;
use super::stripe::{Event, charge, eur, key, second_of};
use crate::ledger::contacts::{Said, learn, learn_from, learn_lead};
use crate::model::attribution::{Consent, ConsentSource};
use crate::model::contact::Contact;
use crate::model::delivery::State;
use crate::model::id::{ContactId, Mode};
use crate::model::identity::Email;
use crate::model::lead::{Lead, LeadPost};
use crate::model::statement::{Person, Tags};
use crate::model::time::Timestamp;

const JANE: &str = "jane@example.com";
const LEAD: &str = "lead_0001";

/// One answer to all three questions.
#[derive(Clone, Copy, Debug)]
struct Word {
    by: ConsentSource,
    yes: bool,
    second: i64,
}

const fn all(answer: bool) -> Consent {
    Consent { analytics: Some(answer), ads: Some(answer), email: Some(answer) }
}

fn jane() -> Person {
    Person { email: Email::parse(JANE), ..Person::default() }
}

fn hear(contact: &mut Contact, word: Word) {
    let at = second_of(word.second);
    match word.by {
        ConsentSource::Sender => {
            let tags = Tags { consent: all(word.yes), ..Tags::default() };
            learn(contact, &Said { at, person: &Person::default(), tags: &tags });
        }
        ConsentSource::Browser => {
            let mut lead = Lead::new(LEAD.into(), at);
            lead.learn(&LeadPost {
                lead_id: LEAD.into(),
                at,
                first: Default::default(),
                last: Default::default(),
                consent: all(word.yes),
                person: jane(),
            });
            learn_lead(contact, &lead);
        }
    }
}

fn after(words: &[Word]) -> Contact {
    let mut contact = Contact::new(ContactId(1), Mode::Live);
    learn(&mut contact, &Said { at: second_of(0), person: &jane(), tags: &Tags::default() });
    words.iter().for_each(|word| hear(&mut contact, *word));
    contact
}

/// The rule, said another way.
fn expected(words: &[Word]) -> Option<(bool, i64, ConsentSource)> {
    let last = |by: ConsentSource| words.iter().filter(|word| word.by == by).map(|word| (word.second, word.yes)).max();
    let (sender, browser) = (last(ConsentSource::Sender), last(ConsentSource::Browser));
    let of = |(second, yes): (i64, bool), by| Some((yes, second, by));
    match (sender, browser) {
        (None, None) => None,
        (Some(sender), None) => of(sender, ConsentSource::Sender),
        (None, Some(browser)) => of(browser, ConsentSource::Browser),
        (Some((yes_at, true)), Some(browser @ (no_at, false))) if yes_at <= no_at => {
            of(browser, ConsentSource::Browser)
        }
        (Some(sender), Some(_)) => of(sender, ConsentSource::Sender),
    }
}

proptest! {
    /// The same words give the same consent in any order, also when they are said of two who prove to be one.
    #[test]
    fn consent_follows_from_what_was_said_and_not_from_when_it_came(
        (words, shuffled) in prop::collection::vec((any::<bool>(), any::<bool>(), 0_i64..6), 0..8)
            .prop_map(|words| {
                let by = |sender| if sender { ConsentSource::Sender } else { ConsentSource::Browser };
                words.into_iter().map(|(sender, yes, second)| Word { by: by(sender), yes, second }).collect::<Vec<_>>()
            })
            .prop_flat_map(|words| (Just(words.clone()), Just(words).prop_shuffle())),
        split in 0_usize..8,
    ) {
        let contact = after(&words);
        prop_assert_eq!(&contact, &after(&shuffled));
        let (some, others) = shuffled.split_at(split.min(shuffled.len()));
        let mut one = after(some);
        learn_from(&mut one, &after(others));
        prop_assert_eq!(&contact, &one);
        let (times, by) = (contact.consent_said_at, contact.consent_said_by);
        let seconds = |at: Timestamp| (at.millis() - second_of(0).millis()) / 1000;
        for (answer, at, by) in [
            (contact.consent.analytics, times.analytics, by.analytics),
            (contact.consent.ads, times.ads, by.ads),
            (contact.consent.email, times.email, by.email),
        ] {
            prop_assert_eq!(answer.map(|yes| (yes, seconds(at), by)), expected(&words));
        }
    }
}

fn sold(number: u32, second: i64, consent: Consent) -> Event {
    let sold = charge(&format!("ch_{number}"), eur(1000), None).email(JANE).lead(LEAD);
    sold.tags(|tags| tags.consent = consent).at(second)
}

#[test]
fn a_form_subscribes_nobody_who_told_a_sender_no() {
    let mut house = House::new(everybody());
    house.take(&sold(1, 2, all(false)));
    house.seconds(50);
    house.post(LEAD, |post| (post.person, post.consent) = (jane(), all(true)));
    let buyer = |house: &House| {
        house.books.contacts[&house.books.groups[&house.group_of(&key("ch_1"))].contact.unwrap()].clone()
    };
    let no = buyer(&house);
    assert_eq!((no.consent, no.consent_said_by.email), (all(false), ConsentSource::Sender));
    assert_eq!(no.consent_said_at.email, second_of(2));
    house.seconds(4000);
    house.deliver();
    let sale = house.only(&crate::model::business_event::EventKind::Purchase).id;
    assert!(matches!(house.state(sale, MAIL), State::Suppressed { .. }), "{:?}", house.state(sale, MAIL));
    // What a sender says later counts, and then what the browser takes back.
    house.take(&sold(2, 5000, all(true)));
    assert_eq!(buyer(&house).consent, all(true));
    house.seconds(2000);
    house.post(LEAD, |post| post.consent.email = Some(false));
    let both = buyer(&house);
    assert_eq!((both.consent.email, both.consent_said_by.email), (Some(false), ConsentSource::Browser));
    assert_eq!(both.consent.ads, Some(true));
    // A no that is said again is heeded again.
    house.take(&sold(3, 9000, all(true)));
    assert_eq!(buyer(&house).consent.email, Some(true));
    house.seconds(5000);
    house.post(LEAD, |post| post.consent.email = Some(false));
    assert_eq!(buyer(&house).consent.email, Some(false));
}
