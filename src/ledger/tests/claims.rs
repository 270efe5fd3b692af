//! Whose lead ids and phones are, worked out the slow way from the groups as they are; and what moves them to and fro.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::books::Memory;
use super::destinations::{everybody, nobody};
use super::house::House;
use super::orders::{Numbers, orders};
use super::people::in_every_order;
use super::stripe::{Event, charge, eur, intent, key, second_of};
use super::subscriptions::said;
use super::view::view;
use crate::ledger::forget::{Forget, plan_forget};
use crate::model::booking::{BookingStatus, BookingStep};
use crate::model::contact::Contact;
use crate::model::group::Group;
use crate::model::id::{ContactId, Mode};
use crate::model::identity::{Claimant, Email, Holder, Identity, IdentityKind};
use crate::model::statement::{Claim, ObjectKind, ObjectRef, ObjectState};

fn speaking(group: &Group) -> impl Iterator<Item = &ObjectState> {
    let silent = [ObjectKind::Refund, ObjectKind::Dispute];
    group.objects.iter().filter(move |state| !silent.contains(&state.object.kind))
}

/// Whether a group says who bought, and the lead ids and phones it names; those before these.
fn named_in(group: &Group) -> (bool, BTreeSet<Identity>) {
    let named = speaking(group)
        .any(|state| state.customer.is_some() || state.person.email.is_some() || state.tags.user_id.is_some());
    let leads = speaking(group).flat_map(|state| state.tags.lead_id.clone().map(|lead| (IdentityKind::Lead, lead)));
    let phones = speaking(group).flat_map(|state| state.person.phone.as_ref()).map(|phone| phone.as_str().to_owned());
    let others = speaking(group).flat_map(|state| state.also_named.iter().cloned());
    let all = leads.chain(phones.map(|phone| (IdentityKind::Phone, phone))).chain(others);
    (named, all.map(|(kind, value)| Identity { mode: group.scope.mode, kind, value }).collect())
}

impl Memory {
    /// Who claims what, and where each purchase that names nobody is, from the groups alone.
    pub(super) fn check_claims(&self) {
        let mut claimers: BTreeMap<Identity, BTreeSet<ContactId>> = BTreeMap::new();
        let mut anonymous: BTreeMap<Identity, Vec<&Group>> = BTreeMap::new();
        for group in self.live() {
            let (named, claims) = named_in(group);
            if named {
                for claim in claims {
                    claimers.entry(claim).or_default().insert(group.contact.unwrap());
                }
            } else if let Some(claim) = claims.first() {
                anonymous.entry(claim.clone()).or_default().push(group);
            }
        }
        let mut expected = BTreeSet::new();
        let all: BTreeSet<&Identity> = claimers.keys().chain(anonymous.keys()).collect();
        for claim in all {
            let people = claimers.get(claim).cloned().unwrap_or_default();
            let sales = anonymous.get(claim).map_or(&[][..], |sales| &sales[..]);
            let holder = self.identities.get(&claim.key()).copied();
            let holder = holder.map(|holder| match holder {
                Holder::Contact(id) => Holder::Contact(self.live_contact(id)),
                Holder::Shared => Holder::Shared,
                Holder::Lead(id) => Holder::Lead(self.live_contact(id)),
            });
            let buyers: BTreeSet<ContactId> = sales.iter().map(|sale| sale.contact.unwrap()).collect();
            match people.iter().collect::<Vec<_>>()[..] {
                [] => {
                    assert_eq!(buyers.len(), 1, "one nameless contact of {claim:?}");
                    assert_eq!(holder, buyers.first().copied().map(Holder::Contact), "{claim:?}");
                }
                [person] => {
                    assert_eq!(holder, Some(Holder::Contact(*person)), "{claim:?}");
                    assert!(buyers.iter().all(|buyer| buyer == person), "{claim:?}: {buyers:?}");
                }
                _ => {
                    assert_eq!(holder, Some(Holder::Shared), "{claim:?}");
                    assert_eq!(buyers.len(), sales.len(), "each by itself");
                    for buyer in &buyers {
                        let of_buyer = self.live().filter(|group| group.contact == Some(*buyer)).count();
                        assert_eq!(of_buyer, 1, "{claim:?}");
                    }
                    expected.extend(people.iter().map(|person| (claim.clone(), Claimant::Person(*person))));
                }
            }
            if !people.is_empty() {
                expected.extend(sales.iter().map(|sale| (claim.clone(), Claimant::Sale(sale.id))));
            }
        }
        assert_eq!(self.claimants, expected);
        let mut shared: BTreeMap<ContactId, Vec<Identity>> = BTreeMap::new();
        for (claim, claimant) in &expected {
            if let Claimant::Person(person) = claimant {
                shared.entry(*person).or_default().push(claim.clone());
            }
        }
        for contact in self.contacts.values() {
            assert_eq!(contact.shared, shared.remove(&contact.id).unwrap_or_default(), "{}", contact.id);
            for identity in &contact.identities {
                assert!(identity.kind.joins() || claimers.contains_key(identity) || anonymous.contains_key(identity));
            }
        }
    }
}

fn sold(number: u32, minor: i64) -> Event {
    charge(&format!("ch_{number}"), eur(minor), None).at(i64::from(number))
}

fn user(event: Event, user: &str) -> Event {
    event.tags(|tags| tags.user_id = Some(user.into()))
}

fn buyer_of<'h>(house: &'h House, object: &str) -> &'h Contact {
    &house.books.contacts[&house.books.groups[&house.group_of(&key(object))].contact.unwrap()]
}

fn owner<'h>(house: &'h House, lead: &str) -> Option<&'h Contact> {
    house.contact_by(&Identity { mode: Mode::Live, kind: IdentityKind::Lead, value: lead.into() })
}

#[test]
fn what_three_claimed_is_one_persons_when_all_three_prove_to_be_one() {
    let house = in_every_order(&[
        sold(1, 100).email("a@example.com").lead("lead_1"),
        sold(2, 200).email("b@example.com").lead("lead_1"),
        sold(3, 400).email("c@example.com").lead("lead_1"),
        user(sold(4, 800).email("a@example.com"), "u_1"),
        user(sold(5, 1600).email("b@example.com").customer("cus_1"), "u_1"),
        sold(6, 3200).email("c@example.com").customer("cus_1"),
    ]);
    assert_eq!(house.people().len(), 1);
    assert_eq!(owner(&house, "lead_1").map(|person| person.purchases), Some(6));
}

#[test]
fn purchases_that_name_nobody_come_back_when_a_lead_id_is_one_persons_again() {
    let two = [
        sold(1, 100).email("a@example.com").lead("lead_1"),
        sold(2, 200).email("b@example.com").lead("lead_1"),
        sold(3, 400).lead("lead_1").name("Somebody"),
    ];
    let house = in_every_order(&two);
    assert!(owner(&house, "lead_1").is_none());
    assert_eq!(buyer_of(&house, "ch_3").purchases, 1);
    assert_eq!(buyer_of(&house, "ch_3").person.name.as_deref(), Some("Somebody"), "it stands for itself");
    let mut all = two.to_vec();
    all.push(sold(4, 800).lead("lead_1"));
    all.push(user(sold(5, 1600).email("a@example.com"), "u_1"));
    all.push(user(sold(6, 3200).email("b@example.com"), "u_1"));
    let house = in_every_order(&all);
    let person = buyer_of(&house, "ch_1");
    assert_eq!((house.people().len(), person.purchases, person.person.name.clone()), (1, 6, None));
    assert!(house.books.claimants.iter().all(|(_, claimant)| matches!(claimant, Claimant::Sale(_))));
}

#[test]
fn two_of_three_who_prove_to_be_one_still_share_with_the_third() {
    let house = in_every_order(&[
        sold(1, 100).email("a@example.com").phone("+4930123456"),
        sold(2, 200).email("b@example.com").phone("+4930123456"),
        sold(3, 400).email("c@example.com").phone("+4930123456"),
        sold(4, 800).phone("+4930123456"),
        user(sold(5, 1600).email("a@example.com"), "u_1"),
        user(sold(6, 3200).email("b@example.com"), "u_1"),
    ]);
    assert_eq!(house.people().len(), 3);
    assert_eq!(buyer_of(&house, "ch_1").shared.len(), 1);
    assert_eq!(buyer_of(&house, "ch_4").purchases, 1);
}

#[test]
fn a_lead_id_that_an_object_no_longer_names_is_claimed_all_the_same() {
    let mut later = intent("pi_1", eur(100), "ch_1").lead("lead_3").email("a@example.com").at(20);
    later.id = "evt_later".into();
    let house = in_every_order(&[
        intent("pi_1", eur(100), "ch_1").lead("lead_1").at(5),
        charge("ch_1", eur(100), Some("pi_1")).lead("lead_2").at(10),
        later,
        sold(2, 200).email("b@example.com").lead("lead_1"),
    ]);
    assert!(owner(&house, "lead_1").is_none());
    for lead in ["lead_2", "lead_3"] {
        assert_eq!(owner(&house, lead).map(|person| person.id), Some(buyer_of(&house, "pi_1").id), "{lead}");
    }
}

#[test]
fn a_purchase_that_names_nobody_goes_by_one_claim_and_joins_no_others() {
    let house = in_every_order(&[
        intent("pi_1", eur(100), "ch_1").lead("lead_2").at(5),
        charge("ch_1", eur(100), Some("pi_1")).lead("lead_1").at(6),
        sold(2, 200).lead("lead_1").name("One"),
        sold(3, 400).lead("lead_2").name("Two"),
        sold(4, 800).email("b@example.com").lead("lead_2"),
    ]);
    assert_eq!(buyer_of(&house, "pi_1").id, buyer_of(&house, "ch_2").id);
    assert_eq!(buyer_of(&house, "ch_3").id, buyer_of(&house, "ch_4").id);
    assert_eq!(house.people().len(), 2);
}

/// A front desk's phone, or a payment link that is passed on, must not make each purchase dearer than the one before.
#[test]
fn a_lead_id_that_very_many_share_costs_each_of_them_the_same() {
    let mut house = House::new(nobody());
    for number in 0..2000 {
        house.take(&sold(number, 1).email(&format!("a{number}@example.com")).lead("lead_1").phone("+4930123456"));
        assert!(house.written <= 12, "{number}: {}", house.written);
        if number % 10 == 0 {
            house.take(&sold(10_000 + number, 1).lead("lead_1"));
            assert!(house.written <= 12, "{number}: {}", house.written);
        }
    }
    // Two of them prove to be one: that is their business alone.
    house.take(&user(sold(20_000, 1).email("a500@example.com"), "u_1"));
    house.take(&user(sold(20_001, 1).email("a900@example.com"), "u_1"));
    assert!(house.written <= 12, "{}", house.written);
    house.check();
    assert_eq!(house.books.claimants.len(), 2 * 1999 + 200);
    assert!(owner(&house, "lead_1").is_none());
}

/// Erases the buyer of an object.
fn forget(house: &mut House, object: &str) {
    let forget = Forget { contacts: vec![buyer_of(house, object).id], ..Forget::default() };
    let erasure = house.run(|workspace, rules| plan_forget(workspace, rules, &forget)).unwrap();
    for identity in erasure.identities {
        house.books.identities.remove(&identity.key());
    }
    house.check();
}

#[test]
fn what_an_erased_person_shared_is_the_others() {
    let mut house = House::new(everybody());
    for (number, name) in ["a", "b", "c"].into_iter().enumerate() {
        house.take(&sold(number as u32, 100).email(&format!("{name}@example.com")).lead("lead_1"));
    }
    house.take(&sold(3, 400).lead("lead_1"));
    forget(&mut house, "ch_0");
    assert!(owner(&house, "lead_1").is_none(), "two still share it");
    forget(&mut house, "ch_1");
    assert_eq!(
        owner(&house, "lead_1").map(|person| (person.id, person.purchases)),
        Some((buyer_of(&house, "ch_2").id, 2))
    );
    // With the last one goes what was lent to that one, and nothing of the lead id is left.
    forget(&mut house, "ch_2");
    assert_eq!(buyer_of(&house, "ch_3").id, buyer_of(&house, "ch_2").id);
    assert!(house.books.claimants.is_empty() && owner(&house, "lead_1").is_none());
    assert!(house.books.contacts.values().all(|contact| contact.shared.is_empty()));
}

/// How a purchase names its buyer.
#[derive(Clone, Debug)]
struct Named {
    email: Option<u8>,
    customer: Option<u8>,
    user: Option<u8>,
    lead: Option<u8>,
    phone: Option<u8>,
    test: bool,
    /// The same purchase again, in another object that is linked to it, with other words.
    again: Option<Box<Self>>,
}

fn words() -> impl Strategy<Value = Named> {
    let few = |often| prop::option::weighted(often, 0_u8..3);
    let test = prop::bool::weighted(0.1);
    (few(0.3), few(0.15), few(0.15), few(0.6), few(0.4), test).prop_map(|(email, customer, user, lead, phone, test)| {
        Named { email, customer, user, lead, phone, test, again: None }
    })
}

fn named() -> impl Strategy<Value = Named> {
    (words(), prop::option::weighted(0.3, words())).prop_map(|(mut first, again)| {
        first.again = again.map(|again| Box::new(Named { test: first.test, ..again }));
        first
    })
}

fn says(mut event: Event, by: &Named, second: usize) -> Event {
    if let Some(email) = by.email {
        event = event.email(&format!("a{email}@example.com"));
    }
    if let Some(customer) = by.customer {
        event = event.customer(&format!("cus_{customer}"));
    }
    if let Some(number) = by.user {
        event = user(event, &format!("u{number}"));
    }
    if let Some(lead) = by.lead {
        event = event.lead(&format!("lead_000{lead}"));
    }
    if let Some(phone) = by.phone {
        event = event.phone(&format!("+493012345{phone}"));
    }
    event = event.tags(|tags| tags.attribution.utm_source = Some(format!("s{second}"))).at(second as i64);
    if by.test { event.in_test_mode() } else { event }
}

/// Every third is an appointment, which was moved where there are other words; the others are payments.
const fn is_booking(number: usize) -> bool {
    number % 3 == 2
}

fn booked(id: &str, second: usize) -> Event {
    let step = BookingStep {
        status: BookingStatus::Booked,
        starts_at: Some(second_of(90_000)),
        ends_at: None,
        made_at: None,
        value: None,
    };
    said(&format!("evt_{id}"), ObjectRef::new(ObjectKind::Booking, id), second as i64, Claim::Booking(step))
}

fn events_of(buyers: &[Named]) -> Vec<Event> {
    let mut events = Vec::new();
    for (number, buyer) in buyers.iter().enumerate() {
        let (first, second) = (format!("one_{number}"), format!("two_{number}"));
        let (at, later) = (2 * number, 2 * number + 1);
        if is_booking(number) {
            events.push(says(booked(&first, at), buyer, at));
        } else {
            events.push(says(intent(&first, eur(100 << number), &second), buyer, at));
        }
        let Some(again) = &buyer.again else { continue };
        if is_booking(number) {
            events.push(says(booked(&second, later).link(ObjectKind::Booking, &first), again, later));
        } else {
            events.push(says(charge(&second, eur(100 << number), Some(&first)), again, later));
        }
    }
    events
}

fn in_shuffled_orders(events: &[Event], seed: u64, most: usize) -> House {
    let mut numbers = Numbers::new(seed);
    let mut expected = None;
    let mut last = None;
    let mut tried = orders(events.len().min(4), 0);
    if events.len() > 4 {
        tried = (0..most)
            .map(|_| {
                let mut order: Vec<usize> = (0..events.len()).collect();
                numbers.shuffle(&mut order);
                order
            })
            .collect();
    }
    for order in tried {
        let mut house = House::new(nobody());
        for at in &order {
            house.take(&events[*at]);
            house.check();
        }
        let books = view(&house.books);
        assert_eq!(expected.get_or_insert_with(|| books.clone()), &books, "order {order:?}");
        last = Some(house);
    }
    last.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whoever is joined, is joined in every order; lead ids and phones never join, belong to whoever alone claims them, and bring
    /// that one the purchases that name nobody. `check` works out the slow way whose they are; here, who the people are.
    #[test]
    fn the_merge_does_not_depend_on_the_order(buyers in prop::collection::vec(named(), 2..7), seed in any::<u64>()) {
        let house = in_shuffled_orders(&events_of(&buyers), seed, 12);
        let words = |buyer: &Named| -> Vec<Named> {
            std::iter::once(buyer.clone()).chain(buyer.again.as_deref().cloned()).collect()
        };
        let is_named =
            |buyer: &Named| words(buyer).iter().any(|by| by.email.is_some() || by.customer.is_some() || by.user.is_some());
        // The components over what joins, worked out the slow way.
        let joined = |one: &Named, other: &Named| {
            let same = |x: Option<u8>, y: Option<u8>| x.is_some() && x == y;
            one.test == other.test
                && words(one).iter().any(|a| {
                    words(other).iter().any(|b| same(a.email, b.email) || same(a.customer, b.customer) || same(a.user, b.user))
                })
        };
        let mut part: Vec<usize> = (0..buyers.len()).collect();
        for _ in 0..buyers.len() {
            for (a, one) in buyers.iter().enumerate() {
                for (b, other) in buyers.iter().enumerate() {
                    if joined(one, other) {
                        let least = part[a].min(part[b]);
                        (part[a], part[b]) = (least, least);
                    }
                }
            }
        }
        // Whose each lead id and phone is; what names nobody goes by the least of its lead ids, else of its phones.
        let claims = |buyer: &Named| -> BTreeSet<(bool, u8)> {
            let of = |by: &Named| [by.lead.map(|lead| (false, lead)), by.phone.map(|phone| (true, phone))];
            words(buyer).iter().flat_map(of).flatten().collect()
        };
        let claimers = |test: bool, claim: (bool, u8)| -> BTreeSet<usize> {
            let people = buyers.iter().enumerate().filter(|(_, one)| one.test == test && is_named(one));
            people.filter(|(_, one)| claims(one).contains(&claim)).map(|(at, _)| part[at]).collect()
        };
        // Where a purchase is: with a person, with what else is known by the claim, by itself, or nowhere.
        let place = |at: usize| -> Option<(u8, usize, bool)> {
            let buyer = &buyers[at];
            if is_named(buyer) {
                return Some((0, part[at], false));
            }
            let (is_phone, value) = *claims(buyer).first()?;
            let people = claimers(buyer.test, (is_phone, value));
            Some(match people.len() {
                0 => (1 + u8::from(buyer.test), usize::from(value), is_phone),
                1 => (0, *people.first().unwrap(), false),
                _ => (3, at, false),
            })
        };
        let mode_key = |at: usize| {
            let mode = if buyers[at].test { "test" } else { "live" };
            format!("stripe/-/{mode}/one_{at}")
        };
        let contact = |at: usize| house.books.groups[&house.group_of(&mode_key(at))].contact;
        for a in 0..buyers.len() {
            prop_assert_eq!(contact(a).is_some(), place(a).is_some(), "{:?}", &buyers[a]);
            let Some(id) = contact(a) else { continue };
            let here: Vec<usize> = (0..buyers.len()).filter(|b| place(*b) == place(a)).collect();
            for b in 0..buyers.len() {
                prop_assert_eq!(contact(b) == contact(a), here.contains(&b), "{:?} and {:?}", &buyers[a], &buyers[b]);
            }
            let spent: i64 = here.iter().filter(|at| !is_booking(**at)).map(|at| 100 << at).sum();
            let person = &house.books.contacts[&id];
            prop_assert_eq!(person.totals.of("eur".parse().unwrap()).minor, spent);
            // Only what names the person tells where they came from.
            let by_person = place(a).is_some_and(|(kind, ..)| kind == 0);
            let telling = here.iter().filter(|at| !by_person || is_named(&buyers[**at]));
            let seconds: Vec<usize> =
                telling.flat_map(|at| std::iter::once(2 * at).chain(buyers[*at].again.as_ref().map(|_| 2 * at + 1))).collect();
            let source = |second: Option<&usize>| second.map(|second| format!("s{second}"));
            prop_assert_eq!(person.first_attribution.utm_source.clone(), source(seconds.iter().min()));
            prop_assert_eq!(person.last_attribution.utm_source.clone(), source(seconds.iter().max()));
        }
    }

    /// The same with browsers between, and time, and destinations that are told: nothing that is kept about claims goes wrong.
    #[test]
    fn claims_stay_right_whatever_comes_between(
        buyers in prop::collection::vec(named(), 1..6),
        posts in prop::collection::vec((0_u8..3, 0_u8..3, any::<bool>()), 0..6),
        seed in any::<u64>(),
    ) {
        let events = events_of(&buyers);
        let mut steps: Vec<usize> = (0..events.len() + posts.len()).collect();
        Numbers::new(seed).shuffle(&mut steps);
        let mut house = House::new(everybody());
        for step in steps {
            if let Some(event) = events.get(step) {
                house.take(event);
            } else {
                let (lead, email, later) = posts[step - events.len()];
                house.post(&format!("lead_000{lead}"), |post| {
                    post.person.email = Email::parse(&format!("a{email}@example.com"));
                    post.last.client_id = Some("1.2".into());
                });
                if later {
                    house.seconds(200);
                    house.deliver();
                }
            }
            house.check();
        }
    }
}
