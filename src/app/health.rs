//! How everything is, from what is known anyway: a request for it triggers nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::commit_news::CommitNews;
use super::space::Space;
use crate::delivery::engine::Pulse;
use crate::http::health::{Check, Condition, HealthReport, HealthView};
use crate::http::tls::Certificate;
use crate::model::time::Timestamp;
use crate::platform::clock::SharedClock;
use crate::store::{StoreReader, Unavailable, Writer};

/// What waits for one destination.
#[derive(Clone, Default)]
struct Waiting {
    pending: u64,
    failed: u64,
    /// The first place in its queue.
    since: Option<Timestamp>,
}

/// What the health pages ask.
pub(super) struct Health {
    pub(super) writer: Writer,
    pub(super) space: Arc<Space>,
    pub(super) news: Arc<CommitNews>,
    pub(super) clock: SharedClock,
    pub(super) reader: StoreReader,
    pub(super) certificate: Option<Arc<Certificate>>,
}

impl Health {
    /// How many deliveries to each destination are pending and failed, from the running counts.
    fn waiting(&self) -> BTreeMap<String, Waiting> {
        let Ok(snapshot) = self.reader.snapshot() else { return BTreeMap::new() };
        let totals = snapshot.totals().unwrap_or_default();
        let of = |counts: &[u64], id| Waiting {
            pending: counts[0],
            failed: counts[3],
            since: snapshot.waits_since(id).ok().flatten(),
        };
        totals.destinations.iter().map(|(id, counts)| (self.news.name(*id), of(counts, *id))).collect()
    }

    /// Webhooks still arrive while a certificate is only about to expire.
    fn of_certificate(&self) -> Check {
        let now = self.clock.now();
        let standing = self.certificate.as_ref().map(|certificate| certificate.standing());
        let Some((standing, problem)) = standing.and_then(|standing| standing.problem(now).map(|why| (standing, why)))
        else {
            return Check::from(Condition::Healthy);
        };
        let is_expired = standing.validity.is_none_or(|(_, until)| until <= now);
        let condition = if is_expired { Condition::Unhealthy } else { Condition::Degraded };
        Check { condition, detail: Some(problem) }
    }

    fn of_destination(pulse: &Pulse, waiting: &Waiting, now: Timestamp) -> Check {
        let (pending, failed) = (waiting.pending, waiting.failed);
        let standing = &pulse.standing;
        let (condition, detail) = if let Some(held) = &standing.held {
            (Condition::Unhealthy, Some(format!("held since {}: {}", held.since, held.explanation)))
        } else if let Some(open) = standing.breaker.open() {
            (Condition::Unhealthy, Some(format!("fails again and again since {}", open.since)))
        } else if standing.paused {
            (Condition::Degraded, Some("paused; deliveries are kept".to_owned()))
        } else if let Some(why) = standing.behind(waiting.since, now).filter(|_| pending > 0) {
            (Condition::Degraded, Some(why))
        } else if pulse.failing && pending > 0 {
            (Condition::Degraded, Some("the last attempt failed; it is tried again".to_owned()))
        } else if failed > 0 {
            (Condition::Degraded, Some(format!("{failed} failed and wait for a person; see `tallyhook failed list`")))
        } else {
            (Condition::Healthy, None)
        };
        Check { condition, detail }
    }
}

impl HealthView for Health {
    fn report(&self) -> HealthReport {
        let webhook_endpoint = match self.ready() {
            Ok(()) => self.of_certificate(),
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
        let waiting = self.waiting();
        let of = |name: &str| waiting.get(name).cloned().unwrap_or_default();
        let now = self.clock.now();
        let check = |pulse: &Pulse| (pulse.name.clone(), Self::of_destination(pulse, &of(&pulse.name), now));
        let mut external_apis: Vec<(String, Check)> = pulses.iter().map(check).collect();
        if let Some(lost) = self.news.alerts.trouble() {
            external_apis.push(("alerts".to_owned(), Check { condition: Condition::Degraded, detail: Some(lost) }));
        }
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
        ready(&self.space, &self.writer, self.certificate.as_deref())
    }
}

/// Whether a signed event would be stored now; else why not, in a sentence that anyone may read.
pub(super) fn ready(space: &Space, writer: &Writer, certificate: Option<&Certificate>) -> Result<(), String> {
    if certificate.is_some_and(|certificate| !certificate.is_there()) {
        return Err("no certificate yet; `tallyhook status` says why".to_owned());
    }
    if !space.is_enough() {
        return Err("the free disk is below the reserve; nothing is accepted until there is more".to_owned());
    }
    writer.has_room().map_err(|error| error.to_string())
}
