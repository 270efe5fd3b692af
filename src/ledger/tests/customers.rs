//! What is said of people beside their purchases: a customer that is changed, stages, and who is told of it.

use super::destinations::{CRM, MAIL, everybody};
use super::house::House;
use super::people::in_every_order;
use super::stripe::{charge, eur, second_of};
use super::subscriptions::{customer, deliver, happened, only_person, said};
use crate::model::business_event::EventKind;
use crate::model::contact::Stage;
use crate::model::statement::{Claim, DisputeStatus, DisputeStep, ObjectKind, ObjectRef};

#[test]
fn a_person_is_a_lead_from_the_first_word_by_the_providers_time() {
    let house = in_every_order(
        &[
            customer("cus_1", 50).email("jane@example.com"),
            customer("cus_1", 20).name("Jane"),
            charge("ch_1", eur(100), Some("pi_1")).at(70),
            charge("ch_1", eur(100), Some("pi_1")).customer("cus_1").at(90),
        ]
        .into_iter()
        .enumerate()
        .map(|(at, mut event)| {
            event.id = format!("evt_{at}");
            event
        })
        .collect::<Vec<_>>(),
    );
    let person = only_person(&house);
    assert_eq!((person.stage(), person.lead_since), (Stage::Customer, Some(second_of(20))));
    let house = in_every_order(&[customer("cus_1", 20).name("Jane")]);
    assert_eq!(only_person(&house).stage(), Stage::Lead);
    assert_eq!(happened(&house), [""; 0]);
}

#[test]
fn an_older_word_about_a_customer_never_overwrites_a_newer_one() {
    let mut larger = customer("cus_1", 30).name("Jane C.");
    larger.id = "evt_z".into();
    let house = in_every_order(&[
        customer("cus_1", 10).name("Jane").email("jane@example.com").phone("+4930123456"),
        customer("cus_1", 30).name("Jane D."),
        larger,
        charge("ch_1", eur(100), None).customer("cus_1").name("J. Doe").email("j@example.com").at(20),
    ]);
    let person = only_person(&house);
    assert_eq!(person.person.name.as_deref(), Some("Jane D."), "of two words of the same time the larger");
    assert_eq!(person.person.email.as_ref().map(|email| email.as_str()), Some("j@example.com"));
    assert_eq!(person.person.phone.as_ref().map(|phone| phone.as_str()), Some("+4930123456"));
}

#[test]
fn who_was_told_of_a_person_is_told_when_address_phone_or_name_change() {
    let mut house = House::new(everybody());
    house.take(&customer("cus_1", 0).email("jane@example.com").name("Jane"));
    assert_eq!(deliver(&mut house), [], "nobody was told of her");
    house.take(&charge("ch_1", eur(100), None).customer("cus_1").browser("1.2").at(1));
    house.seconds(60);
    assert_eq!(deliver(&mut house), [(CRM, EventKind::Purchase), (MAIL, EventKind::Purchase)]);
    let changed = [(CRM, EventKind::ContactChanged), (MAIL, EventKind::ContactChanged)];
    house.take(&customer("cus_1", 30).email("jane@example.com").name("Jane Doe"));
    assert_eq!(deliver(&mut house), changed);
    house.take(&customer("cus_1", 40).email("jane@example.com").name("Jane Doe"));
    assert_eq!(deliver(&mut house), [], "it says nothing new");
    let mut late = customer("cus_1", 20).email("old@example.com").name("Jane");
    late.id = "evt_late".into();
    house.take(&late);
    assert_eq!(deliver(&mut house), [], "an older word changes nothing");
    assert_eq!(only_person(&house).person.name.as_deref(), Some("Jane Doe"));
    // What a sale says of the person goes with the sale.
    house.take(&charge("ch_2", eur(100), None).customer("cus_1").name("Jane D.").browser("1.2").at(50));
    house.seconds(60);
    let told = deliver(&mut house);
    assert!(told.contains(&(CRM, EventKind::Purchase)), "{told:?}");
    assert!(house.people().len() == 1 && house.due(CRM).is_empty());
}

#[test]
fn who_was_told_of_a_person_is_told_when_another_proves_to_be_the_same() {
    let mut house = House::new(everybody());
    house.take(&charge("ch_1", eur(100), None).email("jane@example.com").browser("1.2"));
    house.seconds(60);
    deliver(&mut house);
    house.take(&customer("cus_1", 10).name("Jane Doe"));
    house.take(&customer("cus_1", 20).email("jane@example.com").name("Jane Doe"));
    assert_eq!(deliver(&mut house), [(CRM, EventKind::ContactChanged), (MAIL, EventKind::ContactChanged)]);
    assert_eq!(only_person(&house).person.name.as_deref(), Some("Jane Doe"));
}

#[test]
fn people_that_prove_to_be_one_have_the_lost_disputes_of_both() {
    let lost = |id: &str, charge: &str, minor: i64| {
        let step = DisputeStep { amount: eur(minor), status: DisputeStatus::Lost };
        let object = ObjectRef::new(ObjectKind::Dispute, id);
        said(&format!("evt_{id}"), object, 50, Claim::Dispute(step)).link(ObjectKind::Charge, charge)
    };
    let house = in_every_order(&[
        charge("ch_1", eur(1000), None).customer("cus_1").at(1),
        lost("du_1", "ch_1", 400),
        charge("ch_2", eur(500), None).email("jane@example.com").at(2),
        lost("du_2", "ch_2", 500),
        customer("cus_1", 60).email("jane@example.com"),
    ]);
    let person = only_person(&house);
    assert_eq!((person.totals.of("eur".parse().unwrap()).minor, person.disputes_lost), (600, 2));
    assert_eq!((person.purchases, person.stage()), (2, Stage::Customer));
}
