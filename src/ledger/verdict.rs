//! What an outcome means for a delivery, and the budget of attempts.

use std::time::Duration;

use crate::model::delivery::{AmbiguousPolicy, Failure, FailureClass, Outcome, Rule, Schedule};
use crate::model::retry::RetrySchedule;
use crate::model::time::Timestamp;

/// What an outcome means for a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The destination has it.
    Delivered,
    /// It is not to be sent.
    Suppressed(Rule),
    /// It is given up.
    Failed(Failure),
    /// It uses an attempt and is tried again, if one is left.
    Again {
        /// What happened.
        explanation: String,
        /// The destination's own wish for the wait.
        wish: Option<Duration>,
    },
    /// The destination as a whole waits; the delivery keeps its place and its budget.
    Unchanged,
}

/// Works out what an outcome means. A `probe` of a destination that does not answer uses nothing up when it fails too.
pub fn judge(outcome: &Outcome, policy: Option<AmbiguousPolicy>, probe: bool) -> Verdict {
    let again = |explanation: &str, wish| {
        if probe { Verdict::Unchanged } else { Verdict::Again { explanation: explanation.to_owned(), wish } }
    };
    match outcome {
        Outcome::Delivered => Verdict::Delivered,
        Outcome::Suppressed(rule) => Verdict::Suppressed(*rule),
        Outcome::Retry { explanation, after } => again(explanation, *after),
        Outcome::SlowDown { .. } | Outcome::Broken { .. } | Outcome::Forbidden { .. } => Verdict::Unchanged,
        Outcome::Permanent { class, explanation } => {
            Verdict::Failed(Failure { class: *class, explanation: explanation.clone() })
        }
        Outcome::Ambiguous { explanation } => match policy.unwrap_or(AmbiguousPolicy::Ask) {
            AmbiguousPolicy::Retry => again(explanation, None),
            AmbiguousPolicy::Drop => Verdict::Suppressed(Rule::Ambiguous),
            AmbiguousPolicy::Ask => {
                Verdict::Failed(Failure { class: FailureClass::Ambiguous, explanation: explanation.clone() })
            }
        },
    }
}

/// Why and how long a delivery that needs another attempt waits.
pub struct Again<'a> {
    /// The destination's delays.
    pub retry: &'a RetrySchedule,
    /// A number from 0 to 1, for jitter.
    pub chance: f64,
    /// The destination's own wish; only ever lengthens.
    pub wish: Option<Duration>,
    /// What happened.
    pub explanation: &'a str,
}

impl Again<'_> {
    /// Uses up one attempt. The moment of the next one.
    ///
    /// # Errors
    /// The failure it ends in when none is left, or none before the deadline.
    pub fn use_up(
        &self,
        schedule: &mut Schedule,
        deadline: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Timestamp, Failure> {
        schedule.attempts = schedule.attempts.saturating_add(1);
        let explanation = self.explanation;
        let Some(wait) = self.retry.wait_after(usize::from(schedule.attempts), self.chance, self.wish) else {
            return Err(Failure {
                class: FailureClass::AttemptsUsedUp,
                explanation: format!("{} attempts, the last one: {explanation}", schedule.attempts),
            });
        };
        let at = now.after(wait);
        match deadline {
            Some(deadline) if at > deadline => Err(Failure {
                class: FailureClass::DeadlinePassed,
                explanation: format!("no attempt is left before {deadline}, the last one: {explanation}"),
            }),
            _ => Ok(at),
        }
    }
}
