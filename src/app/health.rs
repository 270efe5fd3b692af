//! How everything is, from what is known anyway: a request for it triggers nothing.

use std::sync::Arc;

use super::commit_news::CommitNews;
use super::space::Space;
use crate::delivery::engine::Pulse;
use crate::http::health::{Check, Condition, HealthReport, HealthView};
use crate::platform::clock::SharedClock;
use crate::store::{Unavailable, Writer};

/// What the health pages ask.
pub(super) struct Health {
    pub(super) writer: Writer,
    pub(super) space: Arc<Space>,
    pub(super) news: Arc<CommitNews>,
    pub(super) clock: SharedClock,
}

impl Health {
    fn of_destination(pulse: &Pulse) -> Check {
        let standing = &pulse.standing;
        let (condition, detail) = if let Some(held) = &standing.held {
            (Condition::Unhealthy, Some(format!("held since {}: {}", held.since, held.explanation)))
        } else if let Some(open) = standing.breaker.open() {
            (Condition::Unhealthy, Some(format!("fails again and again since {}", open.since)))
        } else if standing.paused {
            (Condition::Degraded, Some("paused; deliveries are kept".to_owned()))
        } else if pulse.failing {
            (Condition::Degraded, Some("the last attempt failed; it is tried again".to_owned()))
        } else {
            (Condition::Healthy, None)
        };
        Check { condition, detail }
    }
}

impl HealthView for Health {
    fn report(&self) -> HealthReport {
        let webhook_endpoint = match self.ready() {
            Ok(()) => Check::from(Condition::Healthy),
            Err(why) => Check { condition: Condition::Unhealthy, detail: Some(why) },
        };
        let database_connection = match self.writer.has_room() {
            Ok(()) => Check::from(Condition::Healthy),
            Err(Unavailable::Overloaded) => Check {
                condition: Condition::Degraded,
                detail: Some("more is waiting to be written than may wait".into()),
            },
            Err(error) => Check { condition: Condition::Unhealthy, detail: Some(error.to_string()) },
        };
        let pulses = self.news.engine().map(|engine| engine.pulses()).unwrap_or_default();
        let external_apis: Vec<(String, Check)> =
            pulses.iter().map(|pulse| (pulse.name.clone(), Self::of_destination(pulse))).collect();
        let core = webhook_endpoint.condition.max(database_connection.condition);
        // A destination that is down costs no event: it makes the whole worse, never unusable.
        let outside = external_apis
            .iter()
            .map(|(_, check)| check.condition)
            .max()
            .unwrap_or(Condition::Healthy)
            .min(Condition::Degraded);
        HealthReport {
            overall: core.max(outside),
            webhook_endpoint,
            database_connection,
            external_apis,
            timestamp: self.clock.now(),
        }
    }

    fn ready(&self) -> Result<(), String> {
        ready(&self.space, &self.writer)
    }
}

/// Whether a signed event would be stored now; else why not, in a sentence that anyone may read.
pub(super) fn ready(space: &Space, writer: &Writer) -> Result<(), String> {
    if !space.is_enough() {
        return Err("the free disk is below the reserve; nothing is accepted until there is more".to_owned());
    }
    writer.has_room().map_err(|error| error.to_string())
}
