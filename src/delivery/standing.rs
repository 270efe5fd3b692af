//! What results do to a destination as a whole: held, slowed down, breaker opened or closed.

use std::time::Duration;

use super::lane::Lane;
use crate::alerts::trouble::{AlertClass, Recovered, Trouble};
use crate::model::breaker::{Breaker, Open};
use crate::model::delivery::{Held, Outcome, Standing};
use crate::model::retry::LONGEST_RETRY_AFTER;
use crate::model::time::Timestamp;

/// A held destination is tried again after this long at first, then after twice as long each time.
const FIRST_LOOK: Duration = Duration::from_secs(5 * 60);
/// But no later than this.
const LONGEST_LOOK: Duration = Duration::from_secs(15 * 60);
/// A breaker never waits longer for its next probe.
const LONGEST_PROBE: Duration = Duration::from_secs(600);
/// A "too fast" that doesn't say how long.
const SLOW_DOWN: Duration = Duration::from_secs(30);

/// What changed for people.
#[derive(Debug, Default, PartialEq, Eq)]
struct Change {
    trouble: Option<(AlertClass, String)>,
    recovered: Vec<AlertClass>,
}

/// Takes note of a result; keeps and reports what changed. `is_probe` says that it was asked for to see whether the destination
/// works again: only such a result ends a hold or closes a breaker, since any other began before.
pub(super) fn note(lane: &Lane, outcome: &Outcome, is_probe: bool, now: Timestamp) {
    let name = &lane.rules().name;
    let mut state = lane.state();
    state.failing = matches!(
        outcome,
        Outcome::Retry { .. } | Outcome::Ambiguous { .. } | Outcome::Broken { .. } | Outcome::Forbidden { .. }
    );
    let before = kept(&state.standing);
    let change = judge(&mut state.standing, name, outcome, is_probe, now);
    let is_changed = before != kept(&state.standing);
    if is_changed {
        // Under the lock, so that of two changes the later one is also written later.
        lane.keep(&state.standing);
    }
    drop(state);
    if is_changed {
        lane.wake_all();
    }
    if let Some((class, message)) = change.trouble {
        tracing::warn!(destination = %name, class = class.name(), %message, "destination in trouble");
        report(lane, class, message);
    }
    for class in change.recovered {
        recovered(lane, class);
    }
}

/// Tells again what was wrong when the program stopped: what people were told of lives in memory only.
pub(super) fn report_what_lasts(lane: &Lane) {
    let (name, standing) = (&lane.rules().name, lane.standing());
    if let Some(held) = &standing.held {
        report(
            lane,
            AlertClass::DestinationHeld,
            format!("{name} has been held since {}: {}", held.since, held.explanation),
        );
    }
    if let Some(open) = standing.breaker.open() {
        let message = format!("{name} has failed again and again since {}", open.since);
        report(lane, AlertClass::BreakerOpen, message);
    }
}

/// Ends the alerts on what a person put an end to.
pub(super) fn report_what_ended(lane: &Lane, before: &Standing, now: &Standing) {
    if before.held.is_some() && now.held.is_none() {
        recovered(lane, AlertClass::DestinationHeld);
    }
    if before.breaker.open().is_some() && now.breaker.open().is_none() {
        recovered(lane, AlertClass::BreakerOpen);
    }
}

/// Tells that a destination neither takes nor refuses anything for long.
pub(super) fn report_behind(lane: &Lane, why: &str) {
    report(lane, AlertClass::DestinationBehind, format!("{} {why}", lane.rules().name));
}

/// Tells that it does so again.
pub(super) fn report_caught_up(lane: &Lane) {
    recovered(lane, AlertClass::DestinationBehind);
}

fn report(lane: &Lane, class: AlertClass, message: String) {
    let subject = lane.rules().name.clone();
    let trouble = Trouble { subject, class, message, transaction_id: None, lead_id: None, count: 1 };
    lane.surroundings.alerts.report(&trouble);
}

fn recovered(lane: &Lane, class: AlertClass) {
    let subject = lane.rules().name.clone();
    tracing::info!(destination = %subject, class = class.name(), "destination recovered");
    lane.surroundings.alerts.recovered(&Recovered { subject, class });
}

/// What of a standing is on disk: of a breaker only that it is open.
fn kept(standing: &Standing) -> (bool, Option<Held>, Option<Timestamp>, Option<Open>) {
    (standing.paused, standing.held.clone(), standing.not_before, standing.breaker.open())
}

/// Brings back what lies further ahead than anything is ever put off: it was written under a clock that was wrong.
pub(super) fn correct(standing: &mut Standing, now: Timestamp) {
    if standing.not_before.is_some_and(|at| at > now.after(LONGEST_RETRY_AFTER)) {
        standing.not_before = None;
    }
    if let Some(held) = &mut standing.held {
        if held.probe_at > now.after(LONGEST_LOOK) {
            held.probe_at = now;
        }
    }
    if let Some(open) = standing.breaker.open() {
        if open.probe_at > now.after(LONGEST_PROBE) {
            standing.breaker = Breaker::reopened(Some(Open { probe_at: now, ..open }));
        }
    }
}

fn judge(standing: &mut Standing, name: &str, outcome: &Outcome, is_probe: bool, now: Timestamp) -> Change {
    let mut change = Change::default();
    correct(standing, now);
    let stood_still = standing.held.is_some() || standing.breaker.open().is_some();
    let is_late = stood_still && !is_probe;
    match outcome {
        Outcome::Delivered | Outcome::Suppressed(_) | Outcome::Permanent { .. } if !is_late => {
            if standing.held.take().is_some() {
                change.recovered.push(AlertClass::DestinationHeld);
            }
            if standing.breaker.record(now, false) {
                change.recovered.push(AlertClass::BreakerOpen);
            }
            standing.not_before = standing.not_before.filter(|at| *at > now);
        }
        Outcome::Delivered | Outcome::Suppressed(_) | Outcome::Permanent { .. } => {}
        Outcome::Retry { explanation, after } => {
            let wish = after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
            if !wish.is_zero() {
                standing.not_before = standing.not_before.max(Some(now.after(wish)));
            }
            fail(standing, &mut change, name, explanation, is_late, now);
        }
        Outcome::Ambiguous { explanation } => fail(standing, &mut change, name, explanation, is_late, now),
        Outcome::SlowDown { after } => {
            let wait = after.unwrap_or(SLOW_DOWN).clamp(Duration::from_secs(1), LONGEST_RETRY_AFTER);
            standing.not_before = standing.not_before.max(Some(now.after(wait)));
        }
        Outcome::Broken { explanation } | Outcome::Forbidden { explanation } => match &mut standing.held {
            Some(held) if is_probe => {
                held.explanation.clone_from(explanation);
                look_later(held, now);
            }
            // It began before the first one that was refused had come back.
            Some(_) => {}
            None => {
                let held =
                    Held { since: now, explanation: explanation.clone(), probe_at: now.after(FIRST_LOOK), probes: 0 };
                standing.held = Some(held);
                change.trouble = Some((AlertClass::DestinationHeld, format!("{name} is held: {explanation}")));
            }
        },
    }
    change
}

/// A transient failure.
fn fail(standing: &mut Standing, change: &mut Change, name: &str, explanation: &str, is_late: bool, now: Timestamp) {
    if is_late {
        return;
    }
    match &mut standing.held {
        // That it can't be reached just now says nothing about what it was held for.
        Some(held) => look_later(held, now),
        None => {
            if standing.breaker.record(now, true) {
                change.trouble =
                    Some((AlertClass::BreakerOpen, format!("{name} fails again and again: {explanation}")));
            }
        }
    }
}

fn look_later(held: &mut Held, now: Timestamp) {
    held.probes = held.probes.saturating_add(1);
    let wait = FIRST_LOOK.saturating_mul(1 << held.probes.min(4)).min(LONGEST_LOOK);
    held.probe_at = now.after(wait);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::delivery::FailureClass;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_700_000_000 + seconds)
    }

    fn retry(after: Option<u64>) -> Outcome {
        Outcome::Retry { explanation: "503".into(), after: after.map(Duration::from_secs) }
    }

    fn broken(why: &str) -> Outcome {
        Outcome::Broken { explanation: why.into() }
    }

    fn took(standing: &mut Standing, outcome: &Outcome, is_probe: bool, seconds: i64) -> Change {
        judge(standing, "crm", outcome, is_probe, at(seconds))
    }

    fn opened() -> Standing {
        let mut standing = Standing::default();
        for second in 0..10 {
            took(&mut standing, &retry(None), false, second);
        }
        assert!(standing.breaker.open().is_some());
        standing
    }

    #[test]
    fn four_refusals_at_once_are_one_hold_and_one_alert() {
        let mut standing = Standing::default();
        let changes: Vec<Change> = (0..4).map(|_| took(&mut standing, &broken("401"), false, 0)).collect();
        assert_eq!(changes.iter().filter(|change| change.trouble.is_some()).count(), 1);
        let held = standing.held.unwrap();
        assert_eq!((held.probe_at, held.probes), (at(300), 0));
    }

    #[test]
    fn only_a_probe_ends_a_hold() {
        let mut standing = Standing::default();
        took(&mut standing, &broken("401"), false, 0);
        assert_eq!(took(&mut standing, &Outcome::Delivered, false, 1), Change::default());
        assert!(standing.held.is_some());
        let rejected = Outcome::Permanent { class: FailureClass::Rejected, explanation: "422".into() };
        let change = took(&mut standing, &rejected, true, 300);
        assert_eq!((standing.held, change.recovered), (None, vec![AlertClass::DestinationHeld]));
    }

    #[test]
    fn looks_at_a_held_destination_come_less_often_whatever_they_meet() {
        let mut standing = Standing::default();
        took(&mut standing, &broken("401"), false, 0);
        let mut now = 300;
        for (outcome, wait) in [(broken("still 401"), 600), (retry(None), 900), (broken("402"), 900)] {
            took(&mut standing, &outcome, true, now);
            let held = standing.held.as_ref().unwrap();
            assert_eq!(held.probe_at, at(now + wait));
            now += wait;
        }
        let held = standing.held.unwrap();
        assert_eq!((held.since, held.explanation.as_str()), (at(0), "402"));
    }

    #[test]
    fn only_a_probe_closes_a_breaker() {
        let mut standing = opened();
        assert_eq!(took(&mut standing, &Outcome::Delivered, false, 10), Change::default());
        assert!(standing.breaker.open().is_some());
        let change = took(&mut standing, &Outcome::Delivered, true, 40);
        assert_eq!(change.recovered, [AlertClass::BreakerOpen]);
        assert!(standing.breaker.open().is_none());
    }

    #[test]
    fn a_key_refused_while_the_breaker_is_open_holds_too_and_one_success_ends_both() {
        let mut standing = opened();
        let change = took(&mut standing, &broken("401"), true, 40);
        assert_eq!(change.trouble.unwrap().0, AlertClass::DestinationHeld);
        let change = took(&mut standing, &Outcome::Delivered, true, 400);
        assert_eq!(change.recovered, [AlertClass::DestinationHeld, AlertClass::BreakerOpen]);
    }

    #[test]
    fn a_wish_to_wait_is_heeded_up_to_a_day() {
        let mut standing = Standing::default();
        took(&mut standing, &Outcome::SlowDown { after: None }, false, 0);
        assert_eq!(standing.not_before, Some(at(30)));
        took(&mut standing, &Outcome::SlowDown { after: Some(Duration::from_secs(5)) }, false, 0);
        assert_eq!(standing.not_before, Some(at(30)), "a shorter one changes nothing");
        took(&mut standing, &Outcome::SlowDown { after: Some(Duration::MAX) }, false, 0);
        assert_eq!(standing.not_before, Some(at(86_400)));
        let mut standing = Standing::default();
        took(&mut standing, &retry(Some(120)), false, 0);
        assert_eq!(standing.not_before, Some(at(120)));
        took(&mut standing, &Outcome::Delivered, false, 120);
        assert_eq!(standing.not_before, None);
    }

    #[test]
    fn what_a_wrong_clock_put_off_for_years_is_brought_back() {
        let year = 365 * 86_400;
        let mut standing = opened();
        took(&mut standing, &broken("401"), true, year);
        took(&mut standing, &Outcome::SlowDown { after: Some(Duration::from_secs(60)) }, true, year);
        correct(&mut standing, at(0));
        assert_eq!(standing.not_before, None);
        assert_eq!(standing.held.as_ref().unwrap().probe_at, at(0));
        let mut standing = opened();
        correct(&mut standing, at(-year));
        assert_eq!(standing.breaker.open().unwrap().probe_at, at(-year));
        took(&mut standing, &retry(None), true, -year);
        assert_eq!(standing.breaker.open().unwrap().probe_at, at(60 - year), "and is put off from there");
    }
}
