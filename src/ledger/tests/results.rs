//! What results do to deliveries: every outcome in every state and generation.

use std::time::Duration;

use super::destinations::{ANALYTICS, CRM, MAIL, everybody};
use super::house::House;
use super::stripe::{charge, eur, session};
use crate::ledger::books::BooksError;
use crate::ledger::workspace::{Due, Notice, Target};
use crate::ledger::{decide, result};
use crate::model::business_event::EventKind;
use crate::model::delivery::{AmbiguousPolicy, FailureClass, Outcome, Rule, State};
use crate::model::id::{BusinessEventId, DeliveryId, DestinationId};
use crate::model::retry::RetrySchedule;

const EMAIL: &str = "jane@example.com";

fn outcomes() -> Vec<Outcome> {
    let explanation = || "it said so".to_owned();
    vec![
        Outcome::Delivered,
        Outcome::Suppressed(Rule::Unsubscribed),
        Outcome::Retry { explanation: explanation(), after: None },
        Outcome::SlowDown { after: None },
        Outcome::Permanent { class: FailureClass::Rejected, explanation: explanation() },
        Outcome::Broken { explanation: explanation() },
        Outcome::Forbidden { explanation: explanation() },
        Outcome::Ambiguous { explanation: explanation() },
    ]
}

fn retry() -> Outcome {
    Outcome::Retry { explanation: "503".into(), after: None }
}

/// One sale, due everywhere.
pub fn sold() -> (House, BusinessEventId) {
    let mut house = House::new(everybody());
    house.take(&session("cs_1", eur(9900), Some("pi_1")).email(EMAIL).browser("1.2"));
    let id = house.only(&EventKind::Purchase).id;
    (house, id)
}

pub fn first_due(house: &House, destination: DestinationId) -> Due {
    *house.books.due.iter().find(|due| due.destination == destination).unwrap()
}

fn waits_until(house: &House, destination: DestinationId) -> u64 {
    first_due(house, destination).at.since(house.now).as_secs()
}

fn delivery_id(event: BusinessEventId, destination: DestinationId) -> DeliveryId {
    DeliveryId { event, destination }
}

pub fn retry_by_hand(house: &mut House, event: BusinessEventId, destination: DestinationId) -> Result<(), String> {
    let id = delivery_id(event, destination);
    house.run(|workspace, rules| decide::plan_retry(workspace, rules, id)).map_err(|error| error.to_string())
}

pub fn discard(house: &mut House, event: BusinessEventId, destination: DestinationId) -> Result<(), String> {
    let id = delivery_id(event, destination);
    house.run(|workspace, _| decide::plan_discard(workspace, id, "not needed")).map_err(|error| error.to_string())
}

pub fn fail(house: &mut House, destination: DestinationId) {
    let due = first_due(house, destination);
    let outcome = Outcome::Permanent { class: FailureClass::Rejected, explanation: "no".into() };
    let report = house.attempt(due, outcome);
    house.report(&report);
}

#[test]
fn each_outcome_of_a_current_attempt_does_what_it_says() {
    for destination in [ANALYTICS, CRM, MAIL] {
        for outcome in outcomes() {
            let (mut house, id) = sold();
            let due = first_due(&house, destination);
            let report = house.attempt(due, outcome.clone());
            house.report(&report);
            house.check();
            let case = format!("{outcome:?} at {}", destination.0);
            let state = house.state(id, destination);
            let attempts = house.delivery(id, destination).schedule.attempts;
            match outcome {
                Outcome::Delivered => assert!(matches!(state, State::Delivered { .. }), "{case}"),
                Outcome::Suppressed(rule) => {
                    assert!(matches!(state, State::Suppressed { rule: known, .. } if *known == rule), "{case}");
                }
                Outcome::Retry { .. } | Outcome::Ambiguous { .. } => {
                    assert_eq!((state, attempts, waits_until(&house, destination)), (&State::Pending, 1, 10), "{case}");
                }
                Outcome::Permanent { .. } => {
                    assert!(matches!(state, State::Failed { failure, .. } if failure.class == FailureClass::Rejected));
                    assert!(house.books.failed.contains(&(destination, id)), "{case}");
                    assert_eq!(house.books.notices.len(), 1, "{case}");
                }
                Outcome::SlowDown { .. } | Outcome::Broken { .. } | Outcome::Forbidden { .. } => {
                    assert_eq!((state, attempts), (&State::Pending, 0), "{case}");
                    assert_eq!(first_due(&house, destination), due, "{case}");
                }
            }
            assert_eq!(house.books.attempts.len(), 1);
            assert_eq!(house.delivery(id, destination).schedule.started_at, None);
        }
    }
}

#[test]
fn neither_news_nor_a_person_overrides_what_the_destination_asked_for() {
    let (mut house, id) = sold();
    let hour = Outcome::Retry { explanation: "503".into(), after: Some(Duration::from_secs(3600)) };
    let due = first_due(&house, CRM);
    let report = house.attempt(due, hour.clone());
    house.report(&report);
    assert_eq!(waits_until(&house, CRM), 3600);
    house.pass(Duration::from_secs(60));
    house.take(&session("cs_2", eur(100), Some("pi_2")).email(EMAIL).browser("1.2"));
    assert_eq!(waits_until(&house, CRM), 3540, "a new event of the same person");
    house.take(&session("cs_3", eur(100), Some("pi_3")).email("john@example.com").browser("3.4"));
    assert_eq!(waits_until(&house, CRM), 0, "another person");
    let jane = house.books.due.iter().filter(|due| due.destination == CRM).max_by_key(|due| due.at).copied().unwrap();
    house.pass(Duration::from_secs(3540));
    // It is refused at last: the wish is over with it.
    let no = Outcome::Permanent { class: FailureClass::Rejected, explanation: "no".into() };
    let due = *house.books.due.iter().find(|due| due.destination == CRM && due.target == jane.target).unwrap();
    let report = house.attempt(due, no);
    house.report(&report);
    retry_by_hand(&mut house, id, CRM).unwrap();
    let due = house.books.due.iter().find(|due| due.destination == CRM && due.target == jane.target).unwrap();
    assert_eq!(due.at, house.now, "a person's retry is due at once where nothing forbids it");
    house.check();
}

#[test]
fn a_probe_that_fails_uses_no_attempt() {
    for destination in [ANALYTICS, CRM] {
        for outcome in [retry(), Outcome::Ambiguous { explanation: "cut off".into() }] {
            let (mut house, id) = sold();
            let due = first_due(&house, destination);
            let mut report = house.attempt(due, outcome);
            report.probe = true;
            house.report(&report);
            assert_eq!(house.delivery(id, destination).schedule.attempts, 0);
            assert_eq!(first_due(&house, destination), due);
            house.check();
        }
    }
}

#[test]
fn the_schedule_is_kept_grows_and_ends_in_failed() {
    for destination in [ANALYTICS, CRM] {
        let (mut house, id) = sold();
        let mut waits = Vec::new();
        let mut attempts = 0;
        while let State::Pending = house.state(id, destination) {
            let due = first_due(&house, destination);
            house.now = house.now.max(due.at);
            let report = house.attempt(due, retry());
            house.report(&report);
            house.check();
            let now = house.delivery(id, destination).schedule.attempts;
            assert!(now > attempts);
            attempts = now;
            if *house.state(id, destination) == State::Pending {
                waits.push(waits_until(&house, destination));
            }
        }
        assert_eq!(waits, [10, 60, 300, 900, 3600, 10_800, 21_600, 43_200, 86_400]);
        let State::Failed { failure, .. } = house.state(id, destination) else { panic!() };
        assert_eq!(failure.class, FailureClass::AttemptsUsedUp);
        assert!(failure.explanation.starts_with("10 attempts"), "{}", failure.explanation);
        assert!(house.books.due.iter().all(|due| due.destination != destination));
        assert_eq!(house.books.notices.len(), 1);
    }
}

#[test]
fn no_attempt_is_planned_behind_the_deadline() {
    let (mut house, id) = sold();
    house.now = house.now.after(Duration::from_secs(72 * 3600 - 30));
    let report = house.attempt(first_due(&house, ANALYTICS), retry());
    house.report(&report);
    assert!(matches!(house.state(id, ANALYTICS), State::Pending));
    house.seconds(10);
    let report = house.attempt(first_due(&house, ANALYTICS), retry());
    house.report(&report);
    let State::Failed { failure, .. } = house.state(id, ANALYTICS) else { panic!() };
    assert_eq!(failure.class, FailureClass::DeadlinePassed);
    let refused = retry_by_hand(&mut house, id, ANALYTICS);
    assert!(refused.is_ok(), "the deadline itself has not passed: {refused:?}");
    fail(&mut house, ANALYTICS);
    house.seconds(3600);
    assert!(retry_by_hand(&mut house, id, ANALYTICS).unwrap_err().contains("takes nothing after"));
    house.check();
}

#[test]
fn ambiguous_outcomes_follow_the_policy() {
    for (policy, expected) in
        [(AmbiguousPolicy::Retry, "pending"), (AmbiguousPolicy::Drop, "suppressed"), (AmbiguousPolicy::Ask, "failed")]
    {
        for destination in [ANALYTICS, CRM] {
            let (mut house, id) = sold();
            for rules in &mut house.rules.destinations {
                rules.ambiguous = Some(policy);
            }
            let due = first_due(&house, destination);
            let report = house.attempt(due, Outcome::Ambiguous { explanation: "cut off".into() });
            house.report(&report);
            assert_eq!(house.state(id, destination).name(), expected);
            assert_eq!(house.delivery(id, destination).schedule.attempts, 1);
            house.check();
        }
    }
}

#[test]
fn a_success_never_reverts_and_a_late_failure_changes_nothing() {
    for destination in [ANALYTICS, CRM] {
        // What became of the delivery while the attempt was under way.
        for became in ["discarded", "failed", "retried", "delivered"] {
            for outcome in outcomes() {
                let (mut house, id) = sold();
                let report = house.attempt(first_due(&house, destination), outcome.clone());
                match became {
                    "discarded" => {
                        fail(&mut house, destination);
                        discard(&mut house, id, destination).unwrap();
                    }
                    "failed" => fail(&mut house, destination),
                    "retried" => {
                        fail(&mut house, destination);
                        retry_by_hand(&mut house, id, destination).unwrap();
                    }
                    _ => {
                        let success = house.attempt(first_due(&house, destination), Outcome::Delivered);
                        house.report(&success);
                    }
                }
                let before = house.state(id, destination).clone();
                house.seconds(1);
                house.report(&report);
                house.check();
                let case = format!("{became}, then {outcome:?} at {}", destination.0);
                let after = house.state(id, destination);
                if outcome == Outcome::Delivered {
                    assert!(matches!(after, State::Delivered { .. }), "{case}");
                } else {
                    assert_eq!(*after, before, "{case}");
                }
                if became == "retried" && outcome != Outcome::Delivered {
                    assert_eq!(house.delivery(id, destination).schedule.attempts, 0, "{case}");
                    assert!(!house.due(destination).is_empty(), "{case}");
                }
            }
        }
    }
}

#[test]
fn one_success_completes_exactly_what_it_spoke_for() {
    let (mut house, first) = sold();
    let report = house.attempt(first_due(&house, CRM), Outcome::Delivered);
    house.seconds(1);
    house.take(&session("cs_2", eur(700), Some("pi_2")).email(EMAIL).browser("1.2").at(1));
    let second = house.current()[1].id;
    house.seconds(1);
    house.report(&report);
    assert!(matches!(house.state(first, CRM), State::Delivered { .. }));
    assert_eq!(house.state(second, CRM), &State::Pending);
    assert_eq!(house.due(CRM).len(), 1);
    house.check();
}

#[test]
fn news_in_flight_waits_with_a_failure_and_does_not_share_its_past() {
    let (mut house, first) = sold();
    for _ in 0..8 {
        house.now = house.now.max(first_due(&house, CRM).at);
        let report = house.attempt(first_due(&house, CRM), retry());
        house.report(&report);
    }
    assert_eq!(house.delivery(first, CRM).schedule.attempts, 8);
    // News makes the row due now.
    house.seconds(1);
    house.take(&session("cs_2", eur(700), Some("pi_2")).email(EMAIL).browser("1.2"));
    let second = house.current()[1].id;
    assert_eq!(house.due(CRM).len(), 1);
    let mut report = house.attempt(first_due(&house, CRM), retry());
    house.report(&report);
    assert_eq!((house.delivery(first, CRM).schedule.attempts, house.delivery(second, CRM).schedule.attempts), (9, 1));
    assert_eq!(waits_until(&house, CRM), 10, "as the newest's schedule says");
    house.seconds(10);
    report = house.attempt(first_due(&house, CRM), retry());
    house.report(&report);
    assert!(matches!(house.state(first, CRM), State::Failed { .. }));
    assert_eq!(house.state(second, CRM), &State::Pending);
    assert_eq!(waits_until(&house, CRM), 60);
    house.check();
}

#[test]
fn what_still_waits_for_an_address_is_left_until_its_time_or_its_news() {
    let mut house = House::new(everybody());
    house.take(&charge("ch_1", eur(700), None).customer("cus_1"));
    house.seconds(60);
    let id = house.only(&EventKind::Purchase).id;
    assert_eq!(house.state(id, MAIL), &State::Pending);
    assert!(house.due(MAIL).is_empty());
    let until = first_due(&house, MAIL).at;
    assert_eq!(until.since(house.now).as_secs(), 30 * 86_400);
    // The lane looks at it too early for some reason, and leaves it.
    let mut report = house.attempt(first_due(&house, MAIL), Outcome::Delivered);
    report.told.clear();
    report.left = Some((vec![id], until));
    report.attempt = None;
    house.report(&report);
    assert_eq!(first_due(&house, MAIL).at, until);
    house.take(&charge("ch_1", eur(700), None).customer("cus_1").email(EMAIL).at(61));
    assert_eq!(house.due(MAIL).len(), 1, "the address came");
    house.check();
    // Or it never comes.
    let mut report = house.attempt(first_due(&house, MAIL), Outcome::Delivered);
    report.told.clear();
    report.dropped = vec![(id, Rule::NoEmail)];
    report.attempt = None;
    house.report(&report);
    assert!(matches!(house.state(id, MAIL), State::Suppressed { rule: Rule::NoEmail, .. }));
    assert!(house.books.due.iter().all(|due| due.destination != MAIL));
    house.check();
}

#[test]
fn ids_that_a_destination_gives_are_kept() {
    let (mut house, _) = sold();
    let due = first_due(&house, CRM);
    let mut report = house.attempt(due, retry());
    report.finished.remote_id = Some("r1".into());
    report.finished.external_id = Some("lead_1".into());
    house.report(&report);
    report.finished.external_id = Some("other".into());
    house.report(&report);
    let sync = house.books.syncs.values().find(|sync| sync.destination == CRM).unwrap();
    assert_eq!((sync.remote_id.as_deref(), sync.external_id.as_deref()), (Some("r1"), Some("lead_1")));
}

#[test]
fn a_start_is_noted_until_the_result_and_refused_for_what_was_taken_back() {
    for destination in [ANALYTICS, CRM] {
        let (mut house, id) = sold();
        let due = first_due(&house, destination);
        let report = house.attempt(due, retry());
        let target = report.target;
        house.run(|workspace, _| result::plan_start(workspace, destination, target)).unwrap();
        let started = match target {
            Target::Event(_) => house.delivery(id, destination).schedule.started_at,
            Target::Contact(contact) => house.books.syncs[&(destination, contact)].schedule.started_at,
        };
        assert_eq!(started, Some(house.now));
        house.check();
        house.report(&report);
        house.check();
        let success = house.attempt(first_due(&house, destination), Outcome::Delivered);
        house.report(&success);
        let refused = house.run(|workspace, _| result::plan_start(workspace, destination, target));
        assert!(matches!(refused, Err(BooksError::Refused(_))));
    }
}

#[test]
fn what_waits_too_long_for_a_destination_ends_as_failed_each_by_its_own_age() {
    let (mut house, first) = sold();
    house.seconds(6 * 86_400);
    house.take(&session("cs_2", eur(700), Some("pi_2")).email(EMAIL).browser("1.2").at(6 * 86_400));
    let second = house.current()[1].id;
    house.seconds(86_400);
    for destination in [ANALYTICS, CRM] {
        for due in house.due(destination) {
            let target = house.attempt(due, Outcome::Delivered).target;
            house
                .run(|workspace, rules| result::plan_expire(workspace, rules.destination(destination).unwrap(), target))
                .unwrap();
        }
    }
    house.check();
    let class = |id, destination| match house.state(id, destination) {
        State::Failed { failure, .. } => Some(failure.class),
        _ => None,
    };
    assert_eq!(class(first, ANALYTICS), Some(FailureClass::DeadlinePassed));
    assert_eq!(class(first, CRM), Some(FailureClass::DestinationUnavailable));
    assert_eq!((class(second, ANALYTICS), class(second, CRM)), (None, None));
    assert_eq!(house.due(CRM).len(), 1);
    let failed = house.books.notices.iter().filter(|notice| matches!(notice, Notice::Failed { .. }));
    assert_eq!(failed.count(), 2);
}

#[test]
fn a_schedule_of_one_attempt_fails_at_once() {
    let (mut house, id) = sold();
    house.rules.destinations[1].schedule = RetrySchedule::new(vec![Duration::ZERO]).unwrap();
    let report = house.attempt(first_due(&house, CRM), retry());
    house.report(&report);
    assert!(matches!(house.state(id, CRM), State::Failed { .. }));
    house.check();
}

#[test]
fn a_report_about_a_contact_that_was_merged_meanwhile_reaches_its_deliveries() {
    let mut house = House::new(everybody());
    house.take(&session("cs_1", eur(100), Some("pi_1")).email("jane@example.com"));
    house.take(&session("cs_2", eur(200), Some("pi_2")).customer("cus_1"));
    let second = house.current()[1].id;
    let due = house.due(CRM)[1];
    let report = house.attempt(due, Outcome::Delivered);
    assert_eq!(report.told, [(second, 0)]);
    house.take(&charge("ch_3", eur(300), None).customer("cus_1").email("jane@example.com"));
    assert_eq!(house.people().len(), 1);
    house.report(&report);
    assert!(matches!(house.state(second, CRM), State::Delivered { .. }));
    assert_eq!(house.due(CRM).len(), 1);
    house.check();
}
