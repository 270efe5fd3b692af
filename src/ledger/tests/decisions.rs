//! What a person decides about deliveries.

use super::destinations::{ANALYTICS, CRM, everybody};
use super::house::House;
use super::results::{discard, fail, retry_by_hand, sold};
use super::stripe::{eur, session};
use crate::model::business_event::EventKind;
use crate::model::id::Mode;

#[test]
fn a_retry_by_a_person_begins_a_fresh_budget_and_a_discard_ends_it() {
    for destination in [ANALYTICS, CRM] {
        let (mut house, id) = sold();
        assert!(retry_by_hand(&mut house, id, destination).unwrap_err().contains("pending already"));
        assert!(discard(&mut house, id, destination).unwrap_err().contains("only failed"));
        let frozen = house.delivery(id, destination).frozen.clone();
        fail(&mut house, destination);
        house.seconds(30);
        retry_by_hand(&mut house, id, destination).unwrap();
        let delivery = house.delivery(id, destination);
        assert_eq!((delivery.generation, delivery.schedule.attempts), (1, 0));
        assert_eq!(delivery.frozen, frozen);
        assert_eq!(house.due(destination).len(), 1);
        house.check();
        fail(&mut house, destination);
        discard(&mut house, id, destination).unwrap();
        house.check();
        assert!(house.books.failed.is_empty());
        retry_by_hand(&mut house, id, destination).unwrap();
        house.deliver();
        assert!(retry_by_hand(&mut house, id, destination).unwrap_err().contains("has been delivered"));
        house.check();
    }
}

#[test]
fn a_retry_of_what_a_rule_suppressed_obeys_the_rule_of_today() {
    let mut house = House::new(everybody());
    house.take(&session("cs_1", eur(9900), Some("pi_1")).email("jane@example.com").browser("1.2").in_test_mode());
    let id = house.only(&EventKind::Purchase).id;
    assert!(retry_by_hand(&mut house, id, ANALYTICS).unwrap_err().contains("test_mode"));
    house.rules.destinations[0].modes.push(Mode::Test);
    retry_by_hand(&mut house, id, ANALYTICS).unwrap();
    assert_eq!(house.due(ANALYTICS).len(), 1);
    assert!(house.delivery(id, ANALYTICS).frozen.is_some());
    house.check();
}
