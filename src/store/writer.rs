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
use super::open::{Store, begin_write};
use super::queue::{Done, Queue, Waiting, answer};
use super::record;
use super::sweep;
use super::tables::Tables;
use crate::ledger::books::{Books, BooksError};
use crate::ledger::intake::{Intake, Receipt};
use crate::ledger::rules::Rules;
use crate::ledger::workspace::{Changes, Notice, Workspace};
use crate::ledger::{count, decide, plan, result};
use crate::model::id::{DestinationId, GroupId, WebhookId};
use crate::model::time::Timestamp;
use crate::model::webhook::Status;
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
    /// Webhooks that our own code failed on, when they came or when their sale was to be settled.
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
            let batch = self.queue.take(self.most_in_batch, Duration::from_secs(5));
            if batch.is_empty() {
                if self.queue.is_finished() {
                    return Ok(());
                }
                continue;
            }
            let (commands, done): (Vec<Command>, Vec<Done>) =
                batch.into_iter().map(|Waiting { command, done }| (command, done)).unzip();
            // A panic here is one while applying or committing: what is on disk is no longer known.
            let written = catch_unwind(AssertUnwindSafe(|| self.write(commands)))
                .unwrap_or_else(|_| Err("a defect of tallyhook while writing; see the line above".to_owned()));
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

    /// One transaction: every command planned alone, applied, and all of them committed together.
    fn write(&mut self, commands: Vec<Command>) -> Result<(Vec<Reply>, News), String> {
        let rules = Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner));
        let mut numbers = self.numbers.clone();
        let mut news = News::default();
        let mut replies = Vec::with_capacity(commands.len());
        let txn = begin_write(&self.database).map_err(|error| error.to_string())?;
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
                let reply = match guarded(|| sweep::plan(tables, slice, now)) {
                    Ok(planned) => {
                        let (rows, next) = sweep::apply(tables, planned?)?;
                        Reply::Swept { rows, next }
                    }
                    Err(Undigested(why)) => Reply::Refused(why),
                };
                Ok(Ran { reply, unreadable: None })
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
                        let strays = matches!(planned, Command::Settle(_)) && !in_place(tables, &changes)?;
                        apply_and_tell(tables, numbers, changes, now, news)?;
                        if let (true, Command::Settle(group)) = (strays, &planned) {
                            move_settling(tables, now, *group, None)?;
                        }
                        Reply::Done
                    }
                    Err(Undigested(why)) => {
                        // A group that can't be let go must not be asked for in a loop.
                        if let Command::Settle(group) = &planned {
                            tracing::error!(%group, reason = %why, "a sale can't be settled; it is tried again in an hour");
                            news.unreadable.extend(a_webhook_of(tables, *group));
                            move_settling(tables, now, *group, Some(now.after(Duration::from_secs(3600))))?;
                        } else if let Command::Report(report) = &planned {
                            let target = report.target.number();
                            tracing::error!(destination = report.destination.0, target, reason = %why, "a result can't be kept");
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
        let unreadable = unreadable || matches!(receipt, Receipt::Stored(_, Status::Unreadable));
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
    let planned = guarded(|| {
        let mut workspace = Workspace::new(tables, now);
        plan(&mut workspace).map(|value| (value, workspace.finish()))
    });
    match planned {
        Ok(Ok(done)) => Ok(Ok(done)),
        Ok(Err(BooksError::Storage(error))) => Err(StoreError::storage(redb::Error::Io(std::io::Error::other(error)))),
        Ok(Err(error)) => Ok(Err(Undigested(error.to_string()))),
        Err(defect) => Ok(Err(defect)),
    }
}

/// Runs what only reads. A panic in it has changed nothing.
fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, Undigested> {
    catch_unwind(AssertUnwindSafe(read))
        .map_err(|_| Undigested("a defect of tallyhook; please report it with the line logged above".to_owned()))
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

/// Whether the settling times that a command drops are where its records say. They are not after a group was put off.
fn in_place(tables: &Tables<'_>, changes: &Changes) -> Result<bool, StoreError> {
    use redb::ReadableTable;
    for (at, group) in &changes.settle_removed {
        if tables.settle.get((at.millis(), group.0)).map_err(StoreError::storage)?.is_none() {
            return Ok(false);
        }
    }
    Ok(!changes.settle_removed.is_empty())
}

/// A webhook by which a person finds a group, if it can still be read.
fn a_webhook_of(tables: &Tables<'_>, group: GroupId) -> Option<WebhookId> {
    let group = tables.group(group).ok().flatten()?;
    let (_, event) = group.events.first()?;
    Some(tables.business_event(*event).ok().flatten()?.webhook)
}

/// Puts a group's settling off, or drops it, without reading its record.
fn move_settling(
    tables: &mut Tables<'_>,
    now: Timestamp,
    group: GroupId,
    to: Option<Timestamp>,
) -> Result<(), StoreError> {
    use redb::ReadableTable;
    let mut places = Vec::new();
    for row in tables.settle.range(..=(now.millis(), u64::MAX)).map_err(StoreError::storage)?.take(4096) {
        let key = row.map_err(StoreError::storage)?.0.value();
        if key.1 == group.0 {
            places.push(key);
        }
    }
    for key in places {
        tables.settle.remove(key).map_err(StoreError::storage)?;
        if let Some(to) = to {
            tables.settle.insert((to.millis(), group.0), ()).map_err(StoreError::storage)?;
        }
    }
    Ok(())
}
