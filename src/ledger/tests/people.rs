//! Who an event is about, in every order of what is said.

use super::destinations::{CRM, MAIL, everybody, nobody};
use super::house::House;
use super::orders::orders;
use super::stripe::{Event, charge, eur, intent, intent_failed, key, refund, second_of, session};
use super::view::view;
use crate::ledger::workspace::Notice;
use crate::model::business_event::EventKind;
use crate::model::contact::Contact;
use crate::model::delivery::Outcome;
use crate::model::id::Mode;
use crate::model::identity::{Identity, IdentityKind};
use crate::model::statement::RefundStatus::Counted;

fn identity(kind: IdentityKind, value: &str) -> Identity {
    Identity { mode: Mode::Live, kind, value: value.into() }
}

fn lead(value: &str) -> Identity {
    identity(IdentityKind::Lead, value)
}

/// One sale of so many cents by itself.
fn sold(number: u32, minor: i64) -> Event {
    charge(&format!("ch_{number}"), eur(minor), None)
}

fn user(event: Event, user: &str) -> Event {
    event.tags(|tags| tags.user_id = Some(user.into()))
}

/// The books after events in every order, which must be the same; the last of the houses.
pub(super) fn in_every_order(events: &[Event]) -> House {
    let mut expected: Option<Vec<_>> = None;
    let mut last = None;
    for order in orders(events.len(), 200) {
        let mut house = House::new(nobody());
        for at in &order {
            house.take(&events[*at]);
            house.check();
        }
        let books = view(&house.books);
        assert_eq!(expected.get_or_insert_with(|| books.clone()), &books, "order {order:?}");
        house.take_all(events);
        assert_eq!(view(&house.books), books, "order {order:?}, repeated");
        last = Some(house);
    }
    last.unwrap()
}

/// What the contact of an object's sale has spent.
fn spent_by_buyer_of(house: &House, object: &str) -> i64 {
    buyer_of(house, object).totals.of("eur".parse().unwrap()).minor
}

fn buyer_of<'h>(house: &'h House, object: &str) -> &'h Contact {
    &house.books.contacts[&house.books.groups[&house.group_of(&key(object))].contact.unwrap()]
}

#[test]
fn addresses_customers_and_user_ids_join() {
    let house = in_every_order(&[
        sold(1, 100).email("jane@example.com").customer("cus_1"),
        user(sold(2, 200).customer("cus_1"), "u_1"),
        user(sold(3, 400).email("j@work.example"), "u_1"),
        sold(4, 800).email("other@example.com"),
    ]);
    assert_eq!(house.people().len(), 2);
    assert_eq!((spent_by_buyer_of(&house, "ch_1"), spent_by_buyer_of(&house, "ch_4")), (700, 800));
}

#[test]
fn a_lead_id_that_two_people_claim_joins_nobody() {
    let house = in_every_order(&[
        sold(1, 100).email("jane@example.com").lead("lead_1"),
        sold(2, 200).email("john@example.com").lead("lead_1"),
        sold(3, 400).lead("lead_1"),
    ]);
    assert_eq!(house.people().iter().filter(|contact| contact.purchases > 0).count(), 3);
    assert!(house.contact_by(&lead("lead_1")).is_none());
    for (object, minor) in [("ch_1", 100), ("ch_2", 200), ("ch_3", 400)] {
        assert_eq!(spent_by_buyer_of(&house, object), minor);
    }
}

#[test]
fn an_anonymous_purchase_goes_to_the_one_person_who_claims_its_lead_id_or_phone() {
    let house = in_every_order(&[
        sold(1, 100).email("jane@example.com").lead("lead_1").phone("+4930123456"),
        sold(2, 200).lead("lead_1").name("Somebody Else").at(10),
        sold(3, 400).phone("+4930123456").at(20),
        sold(4, 800).lead("lead_2").phone("+4930123456").at(30),
    ]);
    let buyer = buyer_of(&house, "ch_1");
    assert_eq!((spent_by_buyer_of(&house, "ch_1"), buyer.person.name.clone(), buyer.purchases), (700, None, 3));
    // What has a lead id goes by that alone, so that it never stands between two people.
    assert_eq!(spent_by_buyer_of(&house, "ch_4"), 800);
}

#[test]
fn anonymous_purchases_of_one_lead_id_are_one_persons_and_become_somebodys() {
    let anonymous = [sold(1, 100).lead("lead_1").name("Jane"), sold(2, 200).lead("lead_1").at(5)];
    let house = in_every_order(&anonymous);
    assert_eq!((house.people().len(), spent_by_buyer_of(&house, "ch_1")), (1, 300));
    assert_eq!(house.people()[0].person.name.as_deref(), Some("Jane"));
    // The address comes with a later word about the first purchase.
    let mut all = anonymous.to_vec();
    let mut later = sold(1, 100).lead("lead_1").email("jane@example.com").name("Jane D.").at(3);
    later.id = "evt_later".into();
    all.push(later);
    let house = in_every_order(&all);
    let buyer = buyer_of(&house, "ch_2");
    assert_eq!((house.people().len(), buyer.purchases), (1, 2));
    assert_eq!(buyer.person.name.as_deref(), Some("Jane D."));
}

#[test]
fn a_returning_buyer_with_a_new_customer_id_keeps_the_lead_id() {
    // Every Checkout of a subscription makes a new customer; the intent comes before the session that has the address.
    let house = in_every_order(&[
        session("cs_1", eur(100), Some("pi_1")).email("jane@example.com").customer("cus_1").lead("lead_1"),
        intent("pi_2", eur(200), "ch_2").customer("cus_2").lead("lead_1").at(5000),
        charge("ch_2", eur(200), Some("pi_2")).customer("cus_2").lead("lead_1").at(5000),
        session("cs_2", eur(200), Some("pi_2")).email("jane@example.com").customer("cus_2").lead("lead_1").at(5000),
    ]);
    assert_eq!(house.people().len(), 1);
    assert_eq!(house.contact_by(&lead("lead_1")).map(|contact| contact.purchases), Some(2));
}

#[test]
fn an_anonymous_purchase_leaves_a_person_when_it_names_another() {
    let house = in_every_order(&[
        sold(1, 100).email("jane@example.com").lead("lead_1"),
        intent("pi_2", eur(200), "ch_2").lead("lead_1").at(7),
        charge("ch_2", eur(200), Some("pi_2")).lead("lead_1").email("john@example.com").at(7),
    ]);
    assert_eq!((spent_by_buyer_of(&house, "ch_1"), spent_by_buyer_of(&house, "pi_2")), (100, 200));
    assert!(house.contact_by(&lead("lead_1")).is_none());
}

#[test]
fn an_older_statement_never_overwrites_a_newer_one() {
    let say = |number: u32, second: i64, name: &str, consent: Option<bool>, tier: &str| {
        sold(number, 100)
            .email("jane@example.com")
            .name(name)
            .tags(|tags| {
                tags.consent.email = consent;
                tags.pricing_tier = Some(tier.into());
            })
            .at(second)
    };
    let house = in_every_order(&[
        say(1, 10, "Jane", Some(true), "basic"),
        say(2, 20, "Jane Doe", Some(false), "premium"),
        say(3, 30, "Jane D.", None, "basic"),
        say(4, 30, "Jane C.", None, "basic"),
    ]);
    let [jane] = house.people()[..] else { panic!() };
    assert_eq!(jane.person.name.as_deref(), Some("Jane D."), "of two at the same time the larger");
    assert_eq!((jane.consent.email, jane.consent_said_at.email), (Some(false), second_of(20)));
    assert_eq!((jane.pricing_tier.as_deref(), jane.pricing_tier_said_at), (Some("basic"), second_of(30)));
}

#[test]
fn first_and_last_touch_are_the_earliest_and_the_latest() {
    let touched = |number: u32, second: i64, source: &str| {
        sold(number, 100)
            .email("jane@example.com")
            .tags(|tags| tags.attribution.utm_source = Some(source.into()))
            .at(second)
    };
    let house =
        in_every_order(&[touched(1, 20, "google"), touched(2, 10, "newsletter"), touched(3, 30, "direct"), sold(4, 5)]);
    let buyer = buyer_of(&house, "ch_1");
    let source = |attribution: &crate::model::attribution::Attribution| attribution.utm_source.clone();
    assert_eq!(source(&buyer.first_attribution).as_deref(), Some("newsletter"));
    assert_eq!(source(&buyer.last_attribution).as_deref(), Some("direct"));
}

#[test]
fn an_address_that_only_a_failed_try_named_is_known_in_any_order() {
    let house = in_every_order(&[
        intent_failed("pi_1", "ch_a", eur(100)).email("jane@example.com"),
        intent("pi_1", eur(100), "ch_b").at(60),
        charge("ch_b", eur(100), Some("pi_1")).at(60),
    ]);
    assert_eq!(house.people().len(), 1);
    assert_eq!(spent_by_buyer_of(&house, "pi_1"), 100);
}

#[test]
fn what_recognises_a_person_outlives_a_silent_snapshot() {
    let house = in_every_order(&[
        user(intent_failed("pi_1", "ch_a", eur(100)), "u_1").lead("lead_1"),
        intent("pi_1", eur(100), "ch_b").at(60).lead("lead_2"),
        charge("ch_b", eur(100), Some("pi_1")).at(60).email("jane@example.com"),
        user(sold(2, 200), "u_1").at(90),
    ]);
    assert_eq!((house.people().len(), spent_by_buyer_of(&house, "pi_1")), (1, 300));
    for claimed in ["lead_1", "lead_2"] {
        assert!(house.contact_by(&lead(claimed)).is_some(), "{claimed}");
    }
}

#[test]
fn a_customer_named_once_is_enough() {
    // In any order the purchase is the customer's, also when a newer word about its intent names nobody.
    let house = in_every_order(&[
        intent_failed("pi_1", "ch_a", eur(100)).customer("cus_1").lead("lead_1"),
        intent("pi_1", eur(100), "ch_b").at(60),
        sold(2, 200).email("john@example.com").lead("lead_1").at(70),
        sold(3, 400).customer("cus_1").email("jane@example.com").at(80),
    ]);
    assert_eq!((spent_by_buyer_of(&house, "pi_1"), spent_by_buyer_of(&house, "ch_2")), (500, 200));
}

#[test]
fn what_a_refund_carries_is_the_merchants_and_not_the_buyers() {
    let given_back = user(refund("re_1", eur(50), Counted, "ch_1", None), "agent_7").lead("lead_9").at(9);
    let given_back = given_back.tags(|tags| tags.pricing_tier = Some("goodwill".into()));
    let house = in_every_order(&[sold(1, 100).email("jane@example.com"), given_back]);
    let buyer = buyer_of(&house, "ch_1");
    assert_eq!(buyer.identities.len(), 1);
    assert_eq!((buyer.pricing_tier.clone(), buyer.refunds), (None, 1));
    assert_eq!(house.only(&EventKind::Refund).facts.pricing_tier, None);
}

#[test]
fn people_of_test_mode_are_others() {
    let real = sold(1, 100).email("jane@example.com").lead("lead_1");
    let house = in_every_order(&[real.clone(), real.in_test_mode()]);
    assert_eq!(house.people().len(), 2);
}

#[test]
fn how_the_last_sale_was_paid_follows_the_last_sale() {
    let house = in_every_order(&[
        sold(1, 100).email("jane@example.com").paid_with("card"),
        intent("pi_2", eur(200), "py_2").email("jane@example.com").at(50),
        charge("py_2", eur(200), Some("pi_2")).paid_with("sepa_debit").at(51),
    ]);
    assert_eq!(house.people()[0].payment_method_type.as_deref(), Some("sepa_debit"));
    // A sale that proves older than it seemed makes way for the one that is now the last.
    let house = in_every_order(&[
        sold(1, 100).email("jane@example.com").paid_with("card").at(20),
        intent("pi_2", eur(200), "py_2").email("jane@example.com").at(50),
        charge("py_2", eur(200), Some("pi_2")).paid_with("sepa_debit").at(10),
    ]);
    let [jane] = house.people()[..] else { panic!() };
    assert_eq!(jane.payment_method_type.as_deref(), Some("card"));
    assert_eq!(jane.customer_since, Some(second_of(10)));
}

#[test]
fn merged_people_keep_their_pending_work_and_the_older_acquaintance() {
    let mut house = House::new(everybody());
    house.take(&session("cs_1", eur(100), Some("pi_1")).customer("cus_1").browser("1.2"));
    house.take(&session("cs_2", eur(200), Some("pi_2")).email("jane@example.com").browser("1.2"));
    house.seconds(60);
    // The CRM has heard of the second only; the first has tried for a while.
    for due in house.due(CRM) {
        let known = due.target == house.people()[1].id.0;
        let outcome =
            if known { Outcome::Delivered } else { Outcome::Retry { explanation: "503".into(), after: None } };
        let mut report = house.attempt(due, outcome);
        report.finished.remote_id = known.then(|| "r2".into());
        report.finished.external_id = known.then(|| "c2".into());
        house.report(&report);
    }
    assert!(house.due(CRM).is_empty());
    assert!(!house.due(MAIL).is_empty(), "the second has an address");
    house.take(&charge("ch_3", eur(400), None).customer("cus_1").email("jane@example.com"));
    house.check();
    let [jane] = house.people()[..] else { panic!() };
    let id = jane.id;
    assert_eq!(jane.purchases, 3);
    let sync = &house.books.syncs[&(CRM, id)];
    assert_eq!((sync.remote_id.as_deref(), sync.external_id.as_deref()), (Some("r2"), Some("c2")));
    assert_eq!(house.due(CRM).len(), 1, "news makes it due");
    let first = &house.books.syncs[&(MAIL, id)];
    assert_eq!(first.pending.len(), 2, "what waited for an address has one");
    assert_eq!(house.due(MAIL).len(), 1);
    house.seconds(120);
    house.deliver();
    house.check();
}

#[test]
fn people_that_were_both_told_of_are_told_of_again_as_one() {
    let mut house = House::new(everybody());
    house.take(&session("cs_1", eur(100), Some("pi_1")).customer("cus_1").browser("1.2"));
    house.take(&session("cs_2", eur(200), Some("pi_2")).email("jane@example.com").browser("1.2"));
    for due in house.due(CRM) {
        let mut report = house.attempt(due, Outcome::Delivered);
        report.finished.remote_id = Some(format!("r{}", due.target));
        house.report(&report);
    }
    // A link between them that sells nothing new.
    house.take(&intent("pi_1", eur(100), "ch_1").email("jane@example.com"));
    house.check();
    assert_eq!(house.people().len(), 1);
    let told = house.deliver();
    let of_crm: Vec<_> = told.iter().filter(|(at, _)| *at == CRM).map(|(_, id)| &house.event(*id).kind).collect();
    assert_eq!(of_crm, [&EventKind::ContactChanged]);
    house.check();
}

#[test]
fn nothing_is_known_of_a_purchase_that_names_nobody() {
    let house = in_every_order(&[sold(1, 100), sold(2, 200).name("Jane")]);
    assert!(house.people().is_empty());
    assert!(view(&house.books).iter().all(|group| group.contact.is_none()));
}

#[test]
fn two_records_of_one_person_are_reported_and_the_older_is_kept_up_to_date() {
    for under_way in [false, true] {
        let mut house = House::new(everybody());
        house.take(&sold(1, 100).email("jane@example.com").browser("1.2"));
        house.take(&sold(2, 200).email("john@example.com").browser("1.2"));
        house.seconds(61);
        let crm = house.due(CRM);
        let mut reports: Vec<_> = crm.iter().map(|due| house.attempt(*due, Outcome::Delivered)).collect();
        for (number, report) in reports.iter_mut().enumerate() {
            report.finished.remote_id = Some(format!("crm_{number}"));
        }
        house.report(&reports[0]);
        if !under_way {
            house.report(&reports[1]);
        }
        house.take(&user(sold(3, 400), "user_1").email("jane@example.com"));
        house.take(&user(sold(4, 800), "user_1").email("john@example.com"));
        if under_way {
            house.report(&reports[1]);
        }
        house.check();
        let [person] = house.people()[..] else { panic!("one person") };
        let sync = &house.books.syncs[&(CRM, person.id)];
        assert_eq!((sync.remote_id.as_deref(), &sync.left_over[..]), (Some("crm_0"), &["crm_1".to_owned()][..]));
        let reported: Vec<_> =
            house.books.notices.iter().filter(|notice| matches!(notice, Notice::SecondRecord { .. })).collect();
        assert_eq!(reported.len(), 1);
    }
}
