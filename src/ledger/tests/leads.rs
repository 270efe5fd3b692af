//! What browsers say, and what becomes of it when people buy. And who tries to make mischief with it.

use proptest::prelude::*;

use super::destinations::{ANALYTICS, CRM, MAIL, everybody, nobody};
use super::house::House;
use super::stripe::{Event, bill, charge, eur, key, session};
use crate::model::attribution::{Consent, ConsentSource};
use crate::model::business_event::{BusinessEvent, EventKind, Mark};
use crate::model::contact::Contact;
use crate::model::delivery::{Rule, State};
use crate::model::id::{DestinationId, Mode};
use crate::model::identity::{Email, Holder, Identity, IdentityKind, Phone, SharedAddresses};
use crate::model::lead::{LeadPost, LeadReceipt};
use crate::model::statement::Billing;

const LEAD: &str = "lead_0001";

pub(super) fn browser(post: &mut LeadPost) {
    post.last.client_id = Some("11.22".into());
    post.last.session_id = Some("1700000000".into());
    post.last.utm_source = Some("ads".into());
    post.last.gclid = Some("g1".into());
}

pub(super) fn form(email: &'static str) -> impl Fn(&mut LeadPost) {
    move |post| {
        browser(post);
        post.person.email = Email::parse(email);
        post.consent.email = Some(true);
    }
}

pub(super) fn sold(number: u32) -> Event {
    charge(&format!("ch_{number}"), eur(1000), None).at(2)
}

pub(super) fn buyer_of<'h>(house: &'h House, object: &str) -> &'h Contact {
    &house.books.contacts[&house.books.groups[&house.group_of(&key(object))].contact.unwrap()]
}

fn sale_of<'h>(house: &'h House, object: &str) -> &'h BusinessEvent {
    let group = &house.books.groups[&house.group_of(&key(object))];
    house.event(group.events[0].1)
}

pub(super) fn told(house: &House, event: &BusinessEvent, destination: DestinationId) -> bool {
    matches!(house.delivery(event.id, destination).state, State::Delivered { .. })
}

pub(super) fn leads(house: &House) -> Vec<&BusinessEvent> {
    house.books.events.values().filter(|event| event.kind == EventKind::Lead).collect()
}

/// Everything waits its time and is delivered.
pub(super) fn all_is_done(house: &mut House) {
    for _ in 0..3 {
        house.seconds(4000);
        house.deliver();
    }
    house.check();
}

#[test]
fn a_purchase_with_only_a_lead_id_gets_what_the_browser_knew() {
    for browser_first in [true, false] {
        let mut house = House::new(everybody());
        if browser_first {
            house.post(LEAD, browser);
        }
        house.take(&session("cs_1", eur(1000), Some("pi_1")).lead(LEAD).at(2));
        if !browser_first {
            house.post(LEAD, browser);
        }
        all_is_done(&mut house);
        let touch = &sale_of(&house, "cs_1").facts.attribution;
        assert_eq!((touch.client_id.as_deref(), touch.session_id.as_deref()), (Some("11.22"), Some("1700000000")));
        assert_eq!((touch.utm_source.as_deref(), touch.gclid.as_deref()), (Some("ads"), Some("g1")));
        let shares = house.books.sales_told;
        assert_eq!((shares.sales, shares.client_id, shares.session_id, shares.utm), (1, 1, 1, 1));
    }
}

#[test]
fn a_purchase_with_only_an_address_borrows_from_the_form_and_says_so() {
    for form_first in [true, false] {
        let mut house = House::new(everybody());
        if form_first {
            house.post(LEAD, form("jane@example.com"));
        }
        house.take(&sold(1).email("jane@example.com"));
        if !form_first {
            house.post(LEAD, form("jane@example.com"));
        }
        all_is_done(&mut house);
        let sale = sale_of(&house, "ch_1");
        assert_eq!(sale.facts.attribution.client_id.as_deref(), Some("11.22"), "form first: {form_first}");
        assert!(sale.facts.marks.contains(&Mark::LentTouches));
        // One person, and one record wherever it was told.
        assert_eq!(house.people().len(), 1);
        // Better knowledge takes its place.
        house.take(&sold(2).email("jane@example.com").browser("33.44").at(9000));
        all_is_done(&mut house);
        let sale = sale_of(&house, "ch_2");
        assert_eq!(sale.facts.attribution.client_id.as_deref(), Some("33.44"));
        assert!(!sale.facts.marks.contains(&Mark::LentTouches));
        assert!(!buyer_of(&house, "ch_2").lent_touches);
    }
}

#[test]
fn renewals_stay_with_what_brought_the_person_here() {
    let mut house = House::new(everybody());
    house.post(LEAD, browser);
    house.take(&bill("in_1", eur(900), Billing::SubscriptionStart, "sub_1").customer("cus_1").lead(LEAD).at(2));
    all_is_done(&mut house);
    house.post(LEAD, |post| post.last.client_id = Some("55.66".into()));
    house.take(&bill("in_2", eur(900), Billing::SubscriptionCycle, "sub_1").customer("cus_1").at(5000));
    all_is_done(&mut house);
    assert_eq!(sale_of(&house, "in_2").facts.attribution.client_id.as_deref(), Some("11.22"));
    assert_eq!(house.books.sales_told.sales, 1, "renewals have no visit of their own");
}

#[test]
fn a_new_address_is_a_lead_once_and_the_buyer_keeps_the_record() {
    let mut house = House::new(everybody());
    assert_eq!(house.post(LEAD, form("jane@example.com")), LeadReceipt::Stored);
    assert_eq!(house.post(LEAD, form("jane@example.com")), LeadReceipt::Known);
    house.check();
    assert!(house.deliver().is_empty(), "it waits first");
    all_is_done(&mut house);
    assert_eq!(leads(&house).len(), 1);
    for destination in [ANALYTICS, CRM, MAIL] {
        assert!(told(&house, leads(&house)[0], destination));
    }
    // The same address on another device is no other lead.
    house.post("lead_0002", form("Jane@example.com"));
    all_is_done(&mut house);
    assert_eq!((leads(&house).len(), house.people().len()), (1, 1));
    let made = house.people()[0].id;
    house.take(&sold(1).email("jane@example.com").lead(LEAD));
    all_is_done(&mut house);
    assert_eq!(house.people().len(), 1);
    assert_eq!(house.books.live_contact(made), buyer_of(&house, "ch_1").id);
    assert!(!buyer_of(&house, "ch_1").unverified);
    // And then somebody who is known is no lead.
    house.post("lead_0003", form("jane@example.com"));
    all_is_done(&mut house);
    assert_eq!(leads(&house).len(), 1);
}

/// The store drops leads that have said nothing new for long, or when there are too many.
fn drop_leads(house: &mut House) {
    house.books.leads.clear();
    house.books.lead_emails.clear();
}

#[test]
fn a_lead_that_is_no_longer_kept_is_not_told_of_again() {
    let phone = |post: &mut LeadPost| post.person.phone = Phone::parse("+4930123456");
    for again in [LEAD, "lead_0002"] {
        let mut house = House::new(everybody());
        house.post(LEAD, form("jane@example.com"));
        house.post("lead_0003", phone);
        all_is_done(&mut house);
        let made = house.people()[0].id;
        drop_leads(&mut house);
        house.post(again, form("jane@example.com"));
        house.post("lead_0004", phone);
        house.post("lead_0003", phone);
        all_is_done(&mut house);
        assert_eq!((leads(&house).len(), house.people().len()), (2, 2), "again under {again}");
        // Who then buys still has the record that was begun, even with no lead kept at all.
        drop_leads(&mut house);
        house.take(&sold(1).email("jane@example.com"));
        all_is_done(&mut house);
        let buyer = buyer_of(&house, "ch_1");
        assert_eq!((house.books.live_contact(made), buyer.unverified), (buyer.id, false));
        assert_eq!(sale_of(&house, "ch_1").facts.attribution.client_id.as_deref(), Some("11.22"));
        assert_eq!(house.people().len(), 2);
    }
}

#[test]
fn an_address_that_a_lead_gave_up_again_is_free_for_another() {
    let mut house = House::new(everybody());
    // A slip of the pen, whose wrong address is somebody's; and one who only tries addresses.
    house.post(LEAD, form("john@example.com"));
    house.post(LEAD, form("jane@example.com"));
    for number in 0..10 {
        house.post("lead_0009", |post| post.person.email = Email::parse(&format!("victim{number}@example.com")));
    }
    house.post("lead_0002", form("john@example.com"));
    house.post("lead_0003", form("victim0@example.com"));
    house.post("lead_0004", form("victim2@example.com"));
    all_is_done(&mut house);
    let told: Vec<_> = leads(&house).into_iter().filter(|lead| told(&house, lead, CRM)).collect();
    assert_eq!(told.len(), 4, "jane, john and two who are no victims");
}

#[test]
fn a_slip_of_the_pen_is_mended_before_anybody_is_told() {
    let mut house = House::new(everybody());
    house.post(LEAD, form("jane@gmial.example"));
    house.seconds(5);
    house.post(LEAD, form("jane@gmail.example"));
    all_is_done(&mut house);
    let person = &house.people()[0].person;
    assert_eq!(person.email, Email::parse("jane@gmail.example"));
    assert!(told(&house, leads(&house)[0], MAIL));
    // Later ones under the same id change nobody: they are other people's.
    house.post(LEAD, form("jane@gmail.examples"));
    all_is_done(&mut house);
    assert_eq!(house.people()[0].person.email, Email::parse("jane@gmail.example"));
    assert_eq!((leads(&house).len(), house.people().len()), (2, 2));
}

#[test]
fn ten_thousand_addresses_under_one_lead_id_reach_nobody() {
    let mut house = House::new(everybody());
    house.take(&sold(1).email("victim7@example.com"));
    for number in 0..10_000 {
        house.post(LEAD, |post| {
            post.person.email = Email::parse(&format!("victim{number}@example.com"));
            post.person.name = Some("Mallory".into());
            post.consent = Consent { analytics: Some(true), ads: Some(true), email: Some(true) };
        });
    }
    all_is_done(&mut house);
    for lead in leads(&house) {
        for delivery in &lead.deliveries {
            assert!(matches!(delivery.state, State::Suppressed { rule: Rule::Withdrawn, .. }), "{delivery:?}");
        }
    }
    assert!(leads(&house).len() <= 1 && house.people().len() <= 2);
    assert!(house.books.lead_emails.len() <= 1, "{}", house.books.lead_emails.len());
    let victim = buyer_of(&house, "ch_1");
    assert_eq!((victim.person.name.as_deref(), victim.consent), (None, Consent::default()));
    // Who then buys is nobody's lead.
    house.take(&sold(2).email("victim0@example.com").at(5000));
    all_is_done(&mut house);
    assert_eq!(buyer_of(&house, "ch_2").consent, Consent::default());
    assert!(buyer_of(&house, "ch_2").last_attribution.is_empty());
}

#[test]
fn a_payment_link_that_is_passed_on_merges_nobody_and_subscribes_nobody() {
    let mut house = House::new(everybody());
    house.post(LEAD, form("jane@example.com"));
    all_is_done(&mut house);
    let jane = house.people()[0].id;
    let friends: Vec<Event> =
        (0..20).map(|number| sold(number).email(&format!("friend{number}@example.com")).lead(LEAD)).collect();
    house.take_all(&friends);
    all_is_done(&mut house);
    assert_eq!(house.people().len(), 21);
    for number in 0..20 {
        let buyer = buyer_of(&house, &format!("ch_{number}"));
        assert_ne!(buyer.id, jane, "the record of the lead is not theirs");
        assert_eq!((buyer.purchases, buyer.consent.email), (1, None));
    }
    assert_eq!(house.books.contacts[&jane].person.email, Email::parse("jane@example.com"));
    assert_eq!(house.books.contacts[&jane].purchases, 0);
    let identity = Identity { mode: Mode::Live, kind: IdentityKind::Lead, value: LEAD.into() };
    assert_eq!(house.books.identities[&identity.key()], Holder::Shared);
    // When Jane buys herself, she has her record and nobody else's money.
    house.take(&sold(99).email("jane@example.com").lead(LEAD));
    all_is_done(&mut house);
    assert_eq!(buyer_of(&house, "ch_99").purchases, 1);
    assert_eq!(house.books.live_contact(jane), buyer_of(&house, "ch_99").id);
}

#[test]
fn a_yes_to_mail_counts_for_the_address_it_was_given_with_and_a_no_for_anybody() {
    let mut house = House::new(everybody());
    house.take(&sold(1).email("jane@example.com").lead(LEAD));
    let no_and_yes = Consent { analytics: Some(false), ads: None, email: Some(true) };
    house.post(LEAD, |post| post.consent = no_and_yes);
    house.post(LEAD, |post| (post.person.email, post.consent) = (Email::parse("jan@example.com"), no_and_yes));
    let jane = buyer_of(&house, "ch_1");
    assert_eq!((jane.consent.analytics, jane.consent.email), (Some(false), None));
    assert_eq!(jane.consent_said_by.analytics, ConsentSource::Browser);
    house.post(LEAD, |post| post.person.email = Email::parse("jane@example.com"));
    assert_eq!(buyer_of(&house, "ch_1").consent.email, None, "the yes was written with another address");
    house.post(LEAD, |post| (post.person.email, post.consent) = (Email::parse("jane@example.com"), no_and_yes));
    assert_eq!(buyer_of(&house, "ch_1").consent.email, Some(true));
    house.seconds(5);
    house.post(LEAD, |post| post.consent.email = Some(false));
    assert_eq!(buyer_of(&house, "ch_1").consent.email, Some(false));
    assert_eq!(house.people().len(), 1, "and nobody else came of it");
}

#[test]
fn a_front_desk_phone_on_a_hundred_purchases_merges_nobody() {
    let mut house = House::new(nobody());
    for number in 0..100 {
        let name = format!("guest{number}@example.com");
        house.take(&sold(number).email(&name).phone("+4930123456"));
    }
    house.check();
    assert_eq!(house.people().len(), 100);
    house.post(LEAD, |post| post.person.phone = Phone::parse("+4930123456"));
    assert!(leads(&house).is_empty(), "a phone that many have is no new person");
}

#[test]
fn an_address_that_several_people_read_makes_nobody_the_same_person() {
    let mut rules = everybody();
    rules.shared_emails = vec![SharedAddresses::parse("info@*").unwrap()];
    let mut house = House::new(rules);
    for number in 0..10 {
        let guest = sold(number).email("info@hotel.example").phone("+4930123456").name(&format!("Guest {number}"));
        house.take(&if number < 5 { guest.customer(&format!("cus_{number}")) } else { guest });
    }
    house.check();
    assert_eq!(house.people().len(), 10);
    all_is_done(&mut house);
    for number in 0..10 {
        let guest = buyer_of(&house, &format!("ch_{number}"));
        assert_eq!((guest.purchases, guest.person.name.clone()), (1, Some(format!("Guest {number}"))));
        assert!(told(&house, sale_of(&house, &format!("ch_{number}")), CRM));
        assert_eq!(guest.person.email, Email::parse("info@hotel.example"));
    }
}

#[test]
fn a_lead_of_test_mode_is_nobodys_and_live_money_has_no_test_touches() {
    let mut house = House::new(everybody());
    house.take(&sold(1).email("jane@example.com").lead(LEAD).in_test_mode());
    house.post(LEAD, form("jane@example.com"));
    all_is_done(&mut house);
    assert_eq!(house.people().len(), 2, "the lead is live, the buyer is not");
    assert_eq!(house.books.sales_told.sales, 0);
}

#[test]
fn the_configured_consent_holds_where_nobody_said_anything() {
    let mut rules = everybody();
    for rules in &mut rules.destinations {
        rules.consent_default = Consent { analytics: Some(false), ads: None, email: Some(false) };
    }
    let mut house = House::new(rules);
    house.take(&session("cs_1", eur(100), None).email("jane@example.com").browser("1.2"));
    house.take(
        &session("cs_2", eur(100), None)
            .email("john@example.com")
            .browser("3.4")
            .tags(|tags| tags.consent = Consent { analytics: Some(true), ads: None, email: Some(true) }),
    );
    all_is_done(&mut house);
    let (jane, john) = (sale_of(&house, "cs_1"), sale_of(&house, "cs_2"));
    assert!(!told(&house, jane, ANALYTICS) && !told(&house, jane, MAIL) && told(&house, jane, CRM));
    assert!(jane.facts.marks.contains(&Mark::ConsentByDefault));
    assert!(told(&house, john, ANALYTICS) && told(&house, john, MAIL));
}

#[test]
fn leads_take_no_more_than_their_room() {
    let mut house = House::new(nobody());
    house.post(LEAD, browser);
    let rules = house.rules.clone();
    let mut post = |id: &str, client: &str| {
        let mut post = None;
        house.post(LEAD, |said| post = Some(said.clone()));
        let mut post: LeadPost = post.unwrap();
        post.lead_id = id.into();
        post.last.client_id = Some(client.into());
        house.run(|workspace, _| crate::ledger::leads::plan_lead(workspace, &rules, &post, false)).unwrap()
    };
    assert_eq!(post("lead_0002", "1.2"), LeadReceipt::Full);
    assert_eq!(post(LEAD, "9.9"), LeadReceipt::Stored, "who is known already is heard");
}

/// How a purchase names its buyer.
#[derive(Clone, Debug)]
struct Named {
    email: Option<u8>,
    lead: Option<u8>,
}

fn named() -> impl Strategy<Value = Named> {
    let few = || prop::option::weighted(0.4, 0_u8..3);
    (few(), few()).prop_map(|(email, lead)| Named { email, lead })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// However browsers and payments mix, who trusted senders say is who is there, and no form changes a name or an address.
    #[test]
    fn no_form_merges_or_renames_anybody(
        buyers in prop::collection::vec(named(), 1..5),
        posts in prop::collection::vec((0_u8..4, 0_u8..4, any::<bool>()), 0..8),
        seed in any::<u64>(),
    ) {
        let buy = |house: &mut House, number: usize, buyer: &Named| {
            let mut event = charge(&format!("ch_{number}"), eur(100), None).at(2);
            if let Some(email) = buyer.email { event = event.email(&format!("a{email}@example.com")).name("Paid"); }
            if let Some(lead) = buyer.lead { event = event.lead(&format!("lead_000{lead}")); }
            house.take(&event);
        };
        let mut alone = House::new(everybody());
        for (number, buyer) in buyers.iter().enumerate() {
            buy(&mut alone, number, buyer);
        }
        let mut house = House::new(everybody());
        let mut numbers = super::orders::Numbers::new(seed);
        let (mut next_buyer, mut next_post) = (0, 0);
        while next_buyer < buyers.len() || next_post < posts.len() {
            if next_post == posts.len() || (next_buyer < buyers.len() && numbers.below(2) == 0) {
                buy(&mut house, next_buyer, &buyers[next_buyer]);
                next_buyer += 1;
            } else {
                let (lead, email, later) = posts[next_post];
                house.post(&format!("lead_000{lead}"), |post| {
                    browser(post);
                    post.person.email = Email::parse(&format!("a{email}@example.com"));
                    post.person.name = Some("Written".into());
                    post.consent.email = Some(true);
                });
                if later { house.seconds(200); house.deliver(); }
                next_post += 1;
            }
            house.check();
        }
        all_is_done(&mut house);
        for (a, one) in buyers.iter().enumerate() {
            for b in 0..a {
                let same = |house: &House| {
                    let contact = |n: usize| house.books.groups[&house.group_of(&key(&format!("ch_{n}")))].contact;
                    contact(a).is_some() && contact(a) == contact(b)
                };
                prop_assert_eq!(same(&house), same(&alone));
            }
            if one.email.is_some() {
                let buyer = buyer_of(&house, &format!("ch_{a}"));
                prop_assert_eq!(buyer.person.name.as_deref(), Some("Paid"));
                prop_assert_eq!(&buyer.person.email, &buyer_of(&alone, &format!("ch_{a}")).person.email);
            }
        }
    }
}
