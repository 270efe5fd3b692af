//! The one thread that writes. It takes what waits, runs it in one transaction, commits once, and answers all.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use redb::Database;

use super::batch::Batch;
use super::command::{Command, Reply};
use super::error::{StoreError, Unavailable};
use super::numbers::Numbers;
use super::open::{Store, begin_write};
use super::queue::{Done, Queue, Waiting, answer};
use crate::ledger::rules::Rules;
use crate::ledger::workspace::Notice;
use crate::model::id::{DestinationId, WebhookId};
use crate::model::webhook::Webhook;
use crate::platform::clock::SharedClock;

/// The longest that the thread waits for something to write.
const LONGEST_NAP: Duration = Duration::from_secs(5);

/// How the writer works.
#[derive(Clone, Copy, Debug)]
pub struct WriterSettings {
    /// Webhooks that may wait; more are told to come again.
    pub most_waiting: usize,
    /// Commands in one transaction.
    pub most_in_batch: usize,
}

impl Default for WriterSettings {
    fn default() -> Self {
        Self { most_waiting: 4096, most_in_batch: 512 }
    }
}

/// What a commit changed that others wait for.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// Destinations whose due queue got something new.
    pub due: BTreeSet<DestinationId>,
    /// Whether something new waits to settle.
    pub settle: bool,
    /// What deserves a person's attention.
    pub notices: Vec<Notice>,
    /// Webhooks that our own code failed on, when they came or when their sale was to be settled.
    pub unreadable: Vec<WebhookId>,
    /// Webhooks with an oddity that a person should see.
    pub odd: Vec<OddWebhook>,
    /// Refused requests that were kept: source and reason.
    pub refused: Vec<(String, String)>,
}

/// A webhook that was stored with an oddity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OddWebhook {
    /// Its number.
    pub id: WebhookId,
    /// The source that it came to.
    pub source: String,
    /// The provider's name of it.
    pub event_type: String,
    /// The oddity, without personal data.
    pub note: String,
}

impl OddWebhook {
    /// What there is to tell of one.
    pub(super) fn of(webhook: &Webhook) -> Self {
        Self {
            id: webhook.id,
            source: webhook.source.clone(),
            event_type: webhook.event_type.clone(),
            note: webhook.oddity().unwrap_or_default().to_owned(),
        }
    }
}

/// Told after each commit, on the writer's thread: must not wait for anything.
pub trait Listener: Send + Sync {
    /// A commit is on disk.
    fn committed(&self, news: &News);
    /// The storage failed: nothing will be written any more and the process should end.
    fn failed(&self, error: &str);
}

/// A hand on the writer; clones share it.
#[derive(Clone)]
pub struct Writer {
    queue: Arc<Queue>,
    turns: Arc<AtomicU64>,
    rules: Arc<RwLock<Arc<Rules>>>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the running numbers can't be read or the thread can't be started.
    pub fn start(
        store: &Store,
        rules: Rules,
        settings: WriterSettings,
        clock: SharedClock,
        listener: Arc<dyn Listener>,
    ) -> Result<(Self, JoinHandle<()>), StoreError> {
        let writer = Self {
            queue: Arc::new(Queue::new(settings.most_waiting)),
            turns: Arc::default(),
            rules: Arc::new(RwLock::new(Arc::new(rules))),
        };
        let mut work = Work {
            database: Arc::clone(&store.database),
            numbers: store.numbers()?,
            queue: Arc::clone(&writer.queue),
            turns: Arc::clone(&writer.turns),
            rules: Arc::clone(&writer.rules),
            clock,
            listener,
            most_in_batch: settings.most_in_batch,
        };
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || work.run_to_the_end())
            .map_err(|cause| StoreError::storage(redb::Error::Io(cause)))?;
        Ok((writer, thread))
    }

    /// Asks for a change; `done` is called on the writer's thread after the commit, or at once when it can't be taken in.
    pub fn submit(&self, command: Command, done: impl FnOnce(Result<Reply, Unavailable>) + Send + 'static) {
        self.queue.push(command, Box::new(done));
    }

    /// Asks for a change and waits for it.
    ///
    /// # Errors
    /// When the store failed or is stopping.
    pub fn run(&self, command: Command) -> Result<Reply, Unavailable> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.submit(command, move |reply| {
            let _ = sender.send(reply);
        });
        receiver.recv().unwrap_or(Err(Unavailable::Stopped))
    }

    /// Whether a webhook would be taken now.
    ///
    /// # Errors
    /// Why not.
    pub fn has_room(&self) -> Result<(), Unavailable> {
        self.queue.has_room()
    }

    /// How many webhooks wait to be written.
    pub fn webhooks_waiting(&self) -> usize {
        self.queue.webhooks()
    }

    /// How many turns the writing thread has made. It makes one at least every few seconds, also with nothing to write.
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other rules in force, from the next batch on.
    pub fn set_rules(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    /// Takes nothing more in; what waits is still written. Join the thread to know when.
    pub fn close(&self) {
        self.queue.close(Unavailable::Stopped);
    }
}

struct Work {
    database: Arc<Database>,
    numbers: Numbers,
    queue: Arc<Queue>,
    turns: Arc<AtomicU64>,
    rules: Arc<RwLock<Arc<Rules>>>,
    clock: SharedClock,
    listener: Arc<dyn Listener>,
    most_in_batch: usize,
}

impl Work {
    /// Works until closed, or until the storage failed. However it ends, nobody is left waiting.
    fn run_to_the_end(&mut self) {
        let failure = match catch_unwind(AssertUnwindSafe(|| self.run())) {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error,
            Err(_) => "a defect of tallyhook in the writer; see the line above".to_owned(),
        };
        // Here too what waits is refused, for the case that this thread ended in a way that nobody thought of.
        self.queue.close(Unavailable::Failed(failure.clone()));
        self.quietly(|| self.listener.failed(&failure));
    }

    fn run(&mut self) -> Result<(), String> {
        loop {
            self.turns.fetch_add(1, Ordering::Relaxed);
            let batch = self.queue.take(self.most_in_batch, LONGEST_NAP);
            if batch.is_empty() {
                if self.queue.is_finished() {
                    return Ok(());
                }
                continue;
            }
            let (commands, done): (Vec<Command>, Vec<Done>) =
                batch.into_iter().map(|Waiting { command, done }| (command, done)).unzip();
            // A panic here is one while applying or committing: what is on disk is no longer known.
            let written = match catch_unwind(AssertUnwindSafe(|| self.write(commands))) {
                Ok(written) => written.map_err(|error| match error {
                    StoreError::Storage(error) => error.to_string(),
                    other => other.to_string(),
                }),
                Err(_) => Err("a defect of tallyhook while writing; see the line above".to_owned()),
            };
            match written {
                Ok((replies, news)) => {
                    for (done, reply) in done.into_iter().zip(replies) {
                        answer(done, Ok(reply));
                    }
                    self.quietly(|| self.listener.committed(&news));
                }
                Err(error) => {
                    // A commit that failed may be on disk or not. First the door is shut, then nobody is told that it worked.
                    self.queue.close(Unavailable::Failed(error.clone()));
                    for done in done {
                        answer(done, Err(Unavailable::Failed(error.clone())));
                    }
                    return Err(error);
                }
            }
        }
    }

    /// The listener's own defects are not the storage's: what is committed stays committed.
    fn quietly(&self, tell: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(tell)).is_err() {
            tracing::error!("a defect of tallyhook while passing on what was written; see the line above");
        }
    }

    /// One transaction: every command planned alone and applied, and all of them committed together.
    fn write(&mut self, commands: Vec<Command>) -> Result<(Vec<Reply>, News), StoreError> {
        let rules = Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner));
        let txn = begin_write(&self.database)?;
        let mut batch = Batch::begin(&txn, &rules, self.numbers.clone())?;
        let mut replies = Vec::with_capacity(commands.len());
        for command in commands {
            replies.push(batch.carry_out(command, self.clock.now())?);
        }
        let (numbers, news) = batch.finish()?;
        txn.commit().map_err(StoreError::storage)?;
        self.numbers = numbers;
        Ok((replies, news))
    }
}
