//! The one thread that writes. It takes what waits, runs it in one transaction, commits once, and answers all.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use redb::Database;

use super::apply;
use super::command::{Command, Reply};
use super::error::{StoreError, Unavailable};
use super::numbers::Numbers;
use super::open::Store;
use super::queue::{Queue, Waiting};
use super::record;
use super::sweep;
use super::tables::Tables;
use crate::ledger::books::{Books, BooksError};
use crate::ledger::intake::{Intake, Receipt};
use crate::ledger::rules::Rules;
use crate::ledger::workspace::{Changes, Notice, Workspace};
use crate::ledger::{count, decide, plan, result};
use crate::model::id::{DestinationId, WebhookId};
use crate::model::time::Timestamp;
use crate::platform::clock::SharedClock;

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
    /// Webhooks that our own code failed on.
    pub unreadable: Vec<WebhookId>,
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
        let writer =
            Self { queue: Arc::new(Queue::new(settings.most_waiting)), rules: Arc::new(RwLock::new(Arc::new(rules))) };
        let mut work = Work {
            database: Arc::clone(&store.database),
            numbers: store.numbers()?,
            queue: Arc::clone(&writer.queue),
            rules: Arc::clone(&writer.rules),
            clock,
            listener,
            most_in_batch: settings.most_in_batch,
        };
        let thread = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || work.run())
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
    rules: Arc<RwLock<Arc<Rules>>>,
    clock: SharedClock,
    listener: Arc<dyn Listener>,
    most_in_batch: usize,
}

/// A command that went through planning, with its answer and what it wrote.
struct Ran {
    reply: Reply,
    unreadable: Option<WebhookId>,
}

impl Work {
    fn run(&mut self) {
        loop {
            let batch = self.queue.take(self.most_in_batch, Duration::from_secs(5));
            if batch.is_empty() {
                if self.queue.is_finished() {
                    return;
                }
                continue;
            }
            let (commands, done): (Vec<Command>, Vec<_>) =
                batch.into_iter().map(|Waiting { command, done }| (command, done)).unzip();
            // A panic here is one while applying or committing: what is on disk is no longer known.
            let written = catch_unwind(AssertUnwindSafe(|| self.write(commands)))
                .unwrap_or_else(|_| Err("a defect of tallyhook while writing; see the line above".to_owned()));
            match written {
                Ok((replies, news)) => {
                    for (done, reply) in done.into_iter().zip(replies) {
                        done(Ok(reply));
                    }
                    self.listener.committed(&news);
                }
                Err(error) => {
                    self.listener.failed(&error);
                    for done in done {
                        done(Err(Unavailable::Failed(error.clone())));
                    }
                    self.queue.close(Unavailable::Failed(error));
                    return;
                }
            }
        }
    }

    /// One transaction: every command planned alone, applied, and all of them committed together.
    fn write(&mut self, commands: Vec<Command>) -> Result<(Vec<Reply>, News), String> {
        let rules = Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner));
        let mut numbers = self.numbers.clone();
        let mut news = News::default();
        let mut replies = Vec::with_capacity(commands.len());
        let mut txn = self.database.begin_write().map_err(|error| error.to_string())?;
        // Two-phase commit with the allocator's state: after a crash the file opens at once, however large.
        txn.set_quick_repair(true);
        {
            let mut tables = Tables::open(&txn, numbers.next).map_err(|error| error.to_string())?;
            for command in commands {
                let ran = self
                    .carry_out(command, &mut tables, &mut numbers, &rules, &mut news)
                    .map_err(|error| error.to_string())?;
                news.unreadable.extend(ran.unreadable);
                replies.push(ran.reply);
            }
            tables.meta.insert("numbers", numbers.encode().as_slice()).map_err(|error| error.to_string())?;
        }
        txn.commit().map_err(|error| error.to_string())?;
        self.numbers = numbers;
        Ok((replies, news))
    }

    fn carry_out(
        &self,
        command: Command,
        tables: &mut Tables<'_>,
        numbers: &mut Numbers,
        rules: &Rules,
        news: &mut News,
    ) -> Result<Ran, StoreError> {
        let now = self.clock.now();
        match command {
            Command::Intake(intake) => self.take_in(&intake, tables, numbers, rules, news),
            Command::SetStanding(destination, standing) => {
                tables
                    .standings
                    .insert(destination.0, record::standing::encode(&standing).as_slice())
                    .map_err(StoreError::storage)?;
                Ok(Ran { reply: Reply::Done, unreadable: None })
            }
            Command::Sweep(slice) => {
                let (rows, next) = sweep::sweep(tables, slice)?;
                Ok(Ran { reply: Reply::Swept { rows, next }, unreadable: None })
            }
            Command::KeepRejected(list) => {
                tables.meta.insert("rejected", list.as_slice()).map_err(StoreError::storage)?;
                Ok(Ran { reply: Reply::Done, unreadable: None })
            }
            Command::Touch => Ok(Ran { reply: Reply::Done, unreadable: None }),
            planned => {
                let outcome = plan_guarded(tables, now, |workspace| match &planned {
                    Command::Settle(group) => plan::plan_settle(workspace, rules, *group),
                    Command::Start(destination, target) => result::plan_start(workspace, *destination, *target),
                    Command::Report(report) => result::plan_report(workspace, rules, report),
                    Command::Expire(destination, target) => match rules.destination(*destination) {
                        Some(destination) => result::plan_expire(workspace, destination, *target),
                        None => Ok(()),
                    },
                    Command::Retry(id) => decide::plan_retry(workspace, rules, *id),
                    Command::Discard(id, reason) => decide::plan_discard(workspace, *id, reason),
                    Command::Reinterpret(id, interpreted) => match tables.webhook(*id)? {
                        Some(webhook) => count::plan_again(workspace, rules, webhook, interpreted),
                        None => Err(BooksError::Missing(format!("webhook {id} is not there"))),
                    },
                    _ => Ok(()),
                });
                let reply = match outcome? {
                    Ok(((), changes)) => {
                        apply_and_tell(tables, numbers, changes, now, news)?;
                        Reply::Done
                    }
                    Err(Undigested(why)) => {
                        // A group that can't be let go must not be asked for in a loop.
                        if let Command::Settle(group) = &planned {
                            put_off(tables, now, group.0)?;
                        }
                        Reply::Refused(why)
                    }
                };
                Ok(Ran { reply, unreadable: None })
            }
        }
    }

    fn take_in(
        &self,
        intake: &Intake,
        tables: &mut Tables<'_>,
        numbers: &mut Numbers,
        rules: &Rules,
        news: &mut News,
    ) -> Result<Ran, StoreError> {
        if let Some(first) = tables.mark(&intake.mark)? {
            return Ok(Ran { reply: Reply::Receipt(Receipt::Duplicate(first)), unreadable: None });
        }
        let now = intake.received_at;
        let planned = plan_guarded(tables, now, |workspace| count::plan_intake(workspace, rules, intake))?;
        let (receipt, changes, unreadable) = match planned {
            Ok((receipt, changes)) => (receipt, changes, false),
            Err(Undigested(why)) => {
                tracing::error!(source = %intake.source, event = %intake.provider_id, reason = %why, "webhook stored as unreadable");
                let mut workspace = Workspace::new(tables, now);
                let receipt = count::plan_unreadable(&mut workspace, intake);
                (receipt, workspace.finish(), true)
            }
        };
        let Receipt::Stored(id, _) = receipt else {
            return Ok(Ran { reply: Reply::Receipt(receipt), unreadable: None });
        };
        apply_and_tell(tables, numbers, changes, now, news)?;
        tables.bodies.insert(id.0, intake.packed_body.as_slice()).map_err(StoreError::storage)?;
        tables.marks.insert(intake.mark.as_str(), id.0).map_err(StoreError::storage)?;
        let unreadable = unreadable || intake.interpreted.is_none();
        Ok(Ran { reply: Reply::Receipt(receipt), unreadable: unreadable.then_some(id) })
    }
}

/// A command that our own code can't digest, and why. It changed nothing.
struct Undigested(String);

/// Runs a plan by itself: it only reads, so a panic or an odd record costs this command alone. Only the storage failing is
/// everybody's business.
fn plan_guarded<T>(
    tables: &Tables<'_>,
    now: Timestamp,
    plan: impl FnOnce(&mut Workspace<'_>) -> Result<T, BooksError>,
) -> Result<Result<(T, Changes), Undigested>, StoreError> {
    let planned = catch_unwind(AssertUnwindSafe(|| {
        let mut workspace = Workspace::new(tables, now);
        plan(&mut workspace).map(|value| (value, workspace.finish()))
    }));
    match planned {
        Ok(Ok(done)) => Ok(Ok(done)),
        Ok(Err(BooksError::Storage(error))) => Err(StoreError::storage(redb::Error::Io(std::io::Error::other(error)))),
        Ok(Err(error)) => Ok(Err(Undigested(error.to_string()))),
        Err(_) => Ok(Err(Undigested("a defect of tallyhook; please report it with the line logged above".to_owned()))),
    }
}

fn apply_and_tell(
    tables: &mut Tables<'_>,
    numbers: &mut Numbers,
    mut changes: Changes,
    at: Timestamp,
    news: &mut News,
) -> Result<(), StoreError> {
    apply::apply(tables, numbers, &changes, at)?;
    news.due.extend(changes.due_added.iter().map(|due| due.destination));
    news.settle |= !changes.settle_added.is_empty();
    news.notices.append(&mut changes.notices);
    Ok(())
}

/// Moves a group's settling on by an hour without reading its record.
fn put_off(tables: &mut Tables<'_>, now: Timestamp, group: u64) -> Result<(), StoreError> {
    use redb::ReadableTable;
    let mut places = Vec::new();
    for row in tables.settle.range(..=(now.millis(), u64::MAX)).map_err(StoreError::storage)?.take(4096) {
        let key = row.map_err(StoreError::storage)?.0.value();
        if key.1 == group {
            places.push(key);
        }
    }
    for key in places {
        tables.settle.remove(key).map_err(StoreError::storage)?;
        tables.settle.insert((now.millis() + 3_600_000, group), ()).map_err(StoreError::storage)?;
    }
    Ok(())
}
