//! Passes on what commits changed: to the lanes, the settler, and the people.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::sync::watch;

use super::settler::Settler;
use crate::alerts::sender::Alerts;
use crate::alerts::trouble::{AlertClass, Trouble};
use crate::delivery::engine::Engine;
use crate::ledger::workspace::Notice;
use crate::model::id::DestinationId;
use crate::store::{Listener, News, OddWebhook};

/// What listens to the writer.
pub(super) struct CommitNews {
    /// None before it is started.
    pub(super) engine: RwLock<Option<Arc<Engine>>>,
    pub(super) settler: Arc<Settler>,
    pub(super) alerts: Alerts,
    pub(super) names: RwLock<BTreeMap<DestinationId, String>>,
    /// Destinations that something failed at since the books keeper looked last.
    pub(super) failed: Mutex<BTreeSet<DestinationId>>,
    pub(super) failure: watch::Sender<Option<String>>,
}

impl CommitNews {
    pub(super) fn engine(&self) -> Option<Arc<Engine>> {
        self.engine.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A destination's name.
    pub(super) fn name(&self, id: DestinationId) -> String {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        names.get(&id).cloned().unwrap_or_else(|| format!("destination {}", id.0))
    }

    fn report(&self, subject: String, class: AlertClass, message: String, ids: (Option<String>, Option<String>)) {
        self.alerts.report(&Trouble { subject, class, message, transaction_id: ids.0, lead_id: ids.1, count: 1 });
    }

    fn tell(&self, notice: &Notice) {
        match notice {
            Notice::Failed { destination, class, explanation, transaction_id, lead_id } => {
                self.failed.lock().unwrap_or_else(PoisonError::into_inner).insert(*destination);
                let name = self.name(*destination);
                let message = format!("{class}: {explanation}; see `tallyhook failed list --destination {name}`");
                self.report(name, AlertClass::DeliveryFailed, message, (transaction_id.clone(), lead_id.clone()));
            }
            Notice::TooOld { destination, transaction_id } => {
                let name = self.name(*destination);
                let message = format!("{name} no longer takes what happened so long ago; it was not sent");
                self.report(name, AlertClass::TooOld, message, (transaction_id.clone(), None));
            }
            Notice::SecondRecord { destination, kept, left_over } => {
                let name = self.name(*destination);
                // Some destinations' ids are addresses.
                let [kept, left_over] = [kept, left_over].map(|id| if id.contains('@') { "(an address)" } else { id });
                let message = format!(
                    "{name} has two records of one person: {kept}, which is kept up to date, and {left_over}, which is left as \
                     it is; merge them there"
                );
                self.report(name, AlertClass::SecondRecord, message, (None, None));
            }
            Notice::ToldTwice { event, destination, transaction_id } => {
                let name = self.name(*destination);
                let message = format!(
                    "two sales proved to be one after both had been sent to {name}; see `tallyhook deliveries list` for {event} \
                     and correct the second by hand"
                );
                self.report(name, AlertClass::ToldTwice, message, (transaction_id.clone(), None));
            }
        }
    }
}

impl Listener for CommitNews {
    fn committed(&self, news: &News) {
        if let Some(engine) = self.engine().filter(|_| !news.due.is_empty()) {
            engine.wake(&news.due);
        }
        if news.settle {
            self.settler.news();
        }
        for notice in &news.notices {
            self.tell(notice);
        }
        for webhook in &news.unreadable {
            let message = format!(
                "webhook {webhook} was stored but could not be digested; see `tallyhook events show {webhook}`"
            );
            self.report("ledger".into(), AlertClass::UnreadableEvent, message, (None, None));
        }
        for odd in &news.odd {
            let OddWebhook { id, source, event_type, note } = odd;
            let message = format!(
                "webhook {id} ({event_type}) is odd: {note}; what it says may be missing from the books, see `tallyhook events \
                 show {id}`"
            );
            self.report(source.clone(), AlertClass::OddWebhook, message, (None, None));
        }
        for (source, reason) in &news.refused {
            let message = format!(
                "a request to {source} was refused ({reason}) but answered 200, so its sender does not come again; it is kept \
                 for 7 days: see `tallyhook rejected list --source {source}`, mend the cause, then `tallyhook rejected retry \
                 --all --source {source}`"
            );
            self.report(source.clone(), AlertClass::RefusedWith200, message, (None, None));
        }
    }

    fn failed(&self, error: &str) {
        tracing::error!(%error, "the store failed; nothing more is acknowledged or sent, and tallyhook stops");
        let message = format!("the store failed ({error}); tallyhook stops and is started again from what is on disk");
        self.report("store".into(), AlertClass::Storage, message, (None, None));
        self.failure.send_replace(Some(error.to_owned()));
    }
}
