//! What results do to a destination as a whole: held, slowed down, breaker opened or closed.

use std::time::Duration;

use super::lane::Lane;
use crate::alerts::trouble::{AlertClass, Recovered, Trouble};
use crate::model::delivery::{Held, Outcome};
use crate::model::time::Timestamp;

/// A held destination is tried again after this long at first, then after twice as long each time.
const FIRST_LOOK: Duration = Duration::from_secs(5 * 60);
/// But no later than this.
const LONGEST_LOOK: Duration = Duration::from_secs(15 * 60);
/// A "too fast" that doesn't say how long.
const SLOW_DOWN: Duration = Duration::from_secs(30);

/// Takes note of a result; keeps and reports what changed.
pub(super) fn note(lane: &Lane, outcome: &Outcome, now: Timestamp) {
    let name = lane.rules().name.clone();
    let mut state = lane.state();
    let before = state.standing.clone();
    let mut trouble = None;
    let mut recovered = Vec::new();
    match outcome {
        Outcome::Delivered | Outcome::Suppressed(_) | Outcome::Permanent { .. } => {
            if matches!(outcome, Outcome::Delivered) {
                state.forbidden = None;
            }
            if state.standing.held.take().is_some() {
                recovered.push(AlertClass::DestinationHeld);
            }
            if state.standing.breaker.record(now, false) {
                recovered.push(AlertClass::BreakerOpen);
            }
            if state.standing.not_before.is_some_and(|at| at <= now) {
                state.standing.not_before = None;
            }
        }
        Outcome::Retry { explanation, after } => {
            if let Some(after) = after.filter(|after| !after.is_zero()) {
                state.standing.not_before = state.standing.not_before.max(Some(now.after(after)));
            }
            if state.standing.breaker.record(now, true) {
                trouble = Some((AlertClass::BreakerOpen, format!("{name} fails again and again: {explanation}")));
            }
        }
        Outcome::Ambiguous { explanation } => {
            if state.standing.breaker.record(now, true) {
                trouble = Some((AlertClass::BreakerOpen, format!("{name} fails again and again: {explanation}")));
            }
        }
        Outcome::SlowDown { after } => {
            let wait = after.unwrap_or(SLOW_DOWN).max(Duration::from_secs(1));
            state.standing.not_before = state.standing.not_before.max(Some(now.after(wait)));
        }
        Outcome::Broken { explanation } | Outcome::Forbidden { explanation } => {
            let probes = state.standing.held.as_ref().map_or(0, |held| held.probes.saturating_add(1));
            let wait = FIRST_LOOK.saturating_mul(1 << probes.min(4)).min(LONGEST_LOOK);
            let since = state.standing.held.as_ref().map_or(now, |held| held.since);
            if state.standing.held.is_none() {
                let message = format!("{name} is held: {explanation}");
                trouble = Some((AlertClass::DestinationHeld, message));
            }
            state.standing.held =
                Some(Held { since, explanation: explanation.clone(), probe_at: now.after(wait), probes });
        }
    }
    let changed = before.held != state.standing.held
        || before.not_before != state.standing.not_before
        || before.breaker.open() != state.standing.breaker.open();
    let standing = state.standing.clone();
    drop(state);
    let transient = matches!(
        outcome,
        Outcome::Retry { .. } | Outcome::Ambiguous { .. } | Outcome::Broken { .. } | Outcome::Forbidden { .. }
    );
    lane.note_failing(transient);
    if changed {
        lane.keep_standing(standing);
    }
    if let Some((class, message)) = trouble {
        tracing::warn!(destination = %name, class = class.name(), %message, "destination in trouble");
        lane.surroundings.alerts.report(&Trouble {
            subject: name.clone(),
            class,
            message,
            transaction_id: None,
            lead_id: None,
            count: 1,
        });
    }
    for class in recovered {
        tracing::info!(destination = %name, class = class.name(), "destination recovered");
        lane.surroundings.alerts.recovered(&Recovered { subject: name.clone(), class });
    }
}
