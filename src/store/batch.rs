//! The commands of one transaction: each planned alone, which only reads, then applied, where only redb can fail.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use redb::{ReadableTable, WriteTransaction};

use super::apply;
use super::command::{Command, Reply};
use super::error::StoreError;
use super::numbers::Numbers;
use super::record;
use super::refused::RefusedTables;
use super::sweep::{self, Sweep, SweepLimits};
use super::tables::Tables;
use super::writer::{News, OddWebhook};
use crate::ledger::books::{Books, BooksError};
use crate::ledger::intake::{Intake, Receipt};
use crate::ledger::rules::Rules;
use crate::ledger::workspace::{Changes, Workspace};
use crate::ledger::{count, decide, leads, plan, result};
use crate::model::id::{GroupId, WebhookId};
use crate::model::lead::LeadPost;
use crate::model::time::Timestamp;
use crate::model::webhook::Status;

/// After how long a sale is tried again that our own code can't settle.
const SETTLE_AGAIN: Duration = Duration::from_secs(3600);
/// Places of the settling queue that are looked through for one group. What is asked for stands at its front.
const SETTLE_LOOKS: usize = 4096;

/// Beyond the most leads a tenth more, or so many, of those with an address are kept, until room is made.
const FORMS_MORE: u64 = 100;

/// A transaction under way.
pub(super) struct Batch<'txn> {
    pub(super) txn: &'txn WriteTransaction,
    pub(super) tables: Tables<'txn>,
    pub(super) rules: &'txn Rules,
    pub(super) numbers: Numbers,
    news: News,
}

/// A command that our own code can't digest, and why. It changed nothing.
pub(super) struct Undigested(pub(super) String);

impl<'txn> Batch<'txn> {
    pub(super) fn begin(txn: &'txn WriteTransaction, rules: &'txn Rules, numbers: Numbers) -> Result<Self, StoreError> {
        Ok(Self { txn, tables: Tables::open(txn, &numbers)?, rules, numbers, news: News::default() })
    }

    /// Writes the numbers: what is left to do is the commit.
    pub(super) fn finish(mut self) -> Result<(Numbers, News), StoreError> {
        self.tables.meta.insert("numbers", self.numbers.encode().as_slice()).map_err(StoreError::storage)?;
        Ok((self.numbers, self.news))
    }

    /// Plans and applies one command. An error is the storage's, and ends everything.
    pub(super) fn carry_out(&mut self, command: Command, now: Timestamp) -> Result<Reply, StoreError> {
        match command {
            Command::Intake(intake) => return self.take_in(&intake).map(Reply::Receipt),
            Command::IntakeAll(intakes) => {
                let receipts = intakes.iter().map(|intake| self.take_in(intake));
                return receipts.collect::<Result<_, _>>().map(Reply::Receipts);
            }
            Command::SetStanding(destination, standing) => {
                let bytes = record::standing::encode(&standing);
                self.tables.standings.insert(destination.0, bytes.as_slice()).map_err(StoreError::storage)?;
            }
            Command::KeepRejected(list) => {
                self.tables.meta.insert("rejected", list.as_slice()).map_err(StoreError::storage)?;
            }
            Command::KeepRefused(refused, packed) => {
                let totals = &mut self.numbers.totals;
                RefusedTables::open(self.txn)?.keep(totals, &refused, &packed)?;
                self.news.refused.push((refused.source, refused.reason));
            }
            Command::DropRefused(keys) => {
                let mut tables = RefusedTables::open(self.txn)?;
                for (source, id) in &keys {
                    tables.drop_one(&mut self.numbers.totals, source, *id)?;
                }
            }
            Command::Forget(forget, key) => return self.forget(&forget, key, now),
            Command::Erase(slice) => return self.erase(slice),
            Command::DropLeads(ids, before) => self.drop_leads(&ids, before)?,
            Command::Sweep(Sweep::Refused(limits)) => return self.sweep_refused(limits),
            Command::Touch => {}
            Command::Sweep(slice) => {
                return match guarded(|| sweep::plan(&self.tables, slice, now)) {
                    Ok(planned) => {
                        let (rows, next) = sweep::apply(&mut self.tables, planned?)?;
                        Ok(Reply::Swept { rows, next })
                    }
                    Err(Undigested(why)) => Ok(Reply::Refused(why)),
                };
            }
            Command::Settle(group) => return self.settle(group, now),
            Command::Lead(post) => return self.take_lead(&post),
            planned => match self.plan(now, |workspace| plan_of(&planned, workspace, self.rules, &self.tables))? {
                Ok(((), changes)) => self.apply(changes, now)?,
                Err(Undigested(why)) => {
                    if let Command::Report(report) = &planned {
                        let (destination, target) = (report.destination.0, report.target.number());
                        tracing::error!(destination, target, reason = %why, "a result can't be kept");
                    }
                    return Ok(Reply::Refused(why));
                }
            },
        }
        Ok(Reply::Done)
    }

    fn sweep_refused(&mut self, limits: SweepLimits) -> Result<Reply, StoreError> {
        let mut tables = RefusedTables::open(self.txn)?;
        let old = tables.older(limits)?;
        for (source, id) in &old {
            tables.drop_one(&mut self.numbers.totals, source, *id)?;
        }
        let next = (old.len() >= limits.most).then_some(Sweep::Refused(limits));
        Ok(Reply::Swept { rows: old.len(), next })
    }

    fn take_in(&mut self, intake: &Intake) -> Result<Receipt, StoreError> {
        if let Some(first) = self.tables.mark(&intake.mark)?
            && self.still_marks(intake, first)
        {
            if self.rules.repeats_may_count(&intake.source) {
                self.count_repeat(intake, first)?;
            }
            return Ok(Receipt::Duplicate(first));
        }
        let now = intake.received_at;
        let (receipt, changes) = match self.plan(now, |workspace| count::plan_intake(workspace, self.rules, intake))? {
            Ok(planned) => planned,
            Err(Undigested(why)) => {
                let (source, event) = (&intake.source, &intake.provider_id);
                tracing::error!(%source, %event, reason = %why, "webhook stored as unreadable");
                let mut workspace = Workspace::new(&self.tables, now);
                let receipt = count::plan_unreadable(&mut workspace, intake);
                (receipt, workspace.finish())
            }
        };
        if let Receipt::Stored(id, status) = receipt {
            let is_kept = !changes.of_erased && !self.names_erased(intake)?;
            self.apply(changes, now)?;
            if is_kept {
                self.tables.bodies.insert(id.0, intake.packed_body.as_slice()).map_err(StoreError::storage)?;
            }
            self.tables.marks.insert(intake.mark.as_str(), id.0).map_err(StoreError::storage)?;
            self.news.unreadable.extend((status == Status::Unreadable).then_some(id));
        }
        Ok(receipt)
    }

    /// Whether the mark that a webhook left still tells a repeat. One made from a body does so for a while only.
    fn still_marks(&self, intake: &Intake, first: WebhookId) -> bool {
        let Some(lives) = intake.mark_lives else { return true };
        // One that can't be read is taken for a repeat, as with marks that last.
        let Ok(Some(webhook)) = self.tables.webhook(first) else { return true };
        intake.received_at < webhook.received_at.after(lives)
    }

    /// Writes down what a browser says, if it is new and there is room. Who sent it gets the same answer in any case.
    fn take_lead(&mut self, post: &LeadPost) -> Result<Reply, StoreError> {
        let (kept, most) = (self.numbers.totals.leads, self.rules.leads.most);
        // Visitors alone never take the room of who leaves an address.
        let most = if post.is_form() { most.saturating_add((most / 10).max(FORMS_MORE)) } else { most };
        let room = kept < most;
        match self.plan(post.at, |workspace| leads::plan_lead(workspace, self.rules, post, room))? {
            Ok((receipt, changes)) => {
                self.apply(changes, post.at)?;
                Ok(Reply::Lead(receipt))
            }
            Err(Undigested(why)) => {
                tracing::error!(reason = %why, "what a browser said can't be kept");
                Ok(Reply::Refused(why))
            }
        }
    }

    /// Deletes leads that have said nothing new since a moment, with the addresses that were written under them.
    pub(super) fn drop_leads(&mut self, ids: &[String], before: Timestamp) -> Result<(), StoreError> {
        for id in ids {
            let lead = match self.tables.lead(id) {
                Ok(Some(lead)) if lead.last_seen_at >= before => continue,
                Ok(lead) => lead,
                Err(BooksError::Storage(error)) => return Err(StoreError::reading(error)),
                // One that can't be read tells nobody anything.
                Err(_) => None,
            };
            if self.tables.leads.remove(id.as_str()).map_err(StoreError::storage)?.is_some() {
                self.numbers.totals.leads = self.numbers.totals.leads.saturating_sub(1);
            }
            if let Some(email) = lead.and_then(|lead| lead.person.email) {
                let emails = &mut self.tables.lead_emails;
                let own = emails.get(email.as_str()).map_err(StoreError::storage)?.is_some_and(|row| row.value() == id);
                if own {
                    emails.remove(email.as_str()).map_err(StoreError::storage)?;
                }
            }
        }
        Ok(())
    }

    fn count_repeat(&mut self, intake: &Intake, first: WebhookId) -> Result<(), StoreError> {
        let now = intake.received_at;
        match self.plan(now, |workspace| count::plan_repeat(workspace, self.rules, intake, first))? {
            Ok(((), changes)) => self.apply(changes, now),
            Err(Undigested(why)) => {
                let (source, event) = (&intake.source, &intake.provider_id);
                tracing::error!(%source, %event, reason = %why, "a repeat that should be counted is not");
                self.news.unreadable.push(first);
                Ok(())
            }
        }
    }

    fn settle(&mut self, group: GroupId, now: Timestamp) -> Result<Reply, StoreError> {
        match self.plan(now, |workspace| plan::plan_settle(workspace, self.rules, group))? {
            Ok(((), changes)) => {
                let in_place = self.settles_where_it_says(&changes)?;
                self.apply(changes, now)?;
                if !in_place {
                    self.move_settling(group, now, None)?;
                }
                Ok(Reply::Done)
            }
            Err(Undigested(why)) => {
                // It must not be asked for in a loop.
                tracing::error!(%group, reason = %why, "a sale can't be settled; it is tried again in an hour");
                self.news.unreadable.extend(self.a_webhook_of(group));
                self.move_settling(group, now, Some(now.after(SETTLE_AGAIN)))?;
                Ok(Reply::Refused(why))
            }
        }
    }

    /// Runs a plan by itself: it only reads, so a panic or an odd record costs this command alone. Only the storage failing
    /// is everybody's business.
    pub(super) fn plan<T>(
        &self,
        now: Timestamp,
        plan: impl FnOnce(&mut Workspace<'_>) -> Result<T, BooksError>,
    ) -> Result<Result<(T, Changes), Undigested>, StoreError> {
        let planned = guarded(|| {
            let mut workspace = Workspace::new(&self.tables, now);
            plan(&mut workspace).map(|value| (value, workspace.finish()))
        });
        match planned {
            Ok(Ok(done)) => Ok(Ok(done)),
            Ok(Err(BooksError::Storage(error))) => Err(StoreError::reading(error)),
            Ok(Err(error)) => Ok(Err(Undigested(error.to_string()))),
            Err(defect) => Ok(Err(defect)),
        }
    }

    pub(super) fn apply(&mut self, mut changes: Changes, at: Timestamp) -> Result<(), StoreError> {
        apply::apply(&mut self.tables, &mut self.numbers, &changes, at)?;
        self.news.odd.extend(changes.webhooks.iter().filter(|webhook| webhook.is_odd()).map(OddWebhook::of));
        self.news.due.extend(changes.due_added.iter().map(|due| due.destination));
        self.news.settle |= !changes.settle_added.is_empty();
        self.news.notices.append(&mut changes.notices);
        Ok(())
    }

    /// Whether the settling times that a command drops are where their records say. They are not after a group was put off.
    fn settles_where_it_says(&self, changes: &Changes) -> Result<bool, StoreError> {
        for (at, group) in &changes.settle_removed {
            if self.tables.settle.get((at.millis(), group.0)).map_err(StoreError::storage)?.is_none() {
                return Ok(false);
            }
        }
        Ok(!changes.settle_removed.is_empty())
    }

    /// A webhook by which a person finds a group, if it can still be read.
    fn a_webhook_of(&self, group: GroupId) -> Option<WebhookId> {
        let group = self.tables.group(group).ok().flatten()?;
        let (_, event) = group.events.first()?;
        Some(self.tables.business_event(*event).ok().flatten()?.webhook)
    }

    /// Puts a group's settling off, or drops it, without reading its record.
    fn move_settling(&mut self, group: GroupId, now: Timestamp, to: Option<Timestamp>) -> Result<(), StoreError> {
        let settle = &mut self.tables.settle;
        let mut places = Vec::new();
        for row in settle.range(..=(now.millis(), u64::MAX)).map_err(StoreError::storage)?.take(SETTLE_LOOKS) {
            let key = row.map_err(StoreError::storage)?.0.value();
            if key.1 == group.0 {
                places.push(key);
            }
        }
        for key in places {
            settle.remove(key).map_err(StoreError::storage)?;
            if let Some(to) = to {
                settle.insert((to.millis(), group.0), ()).map_err(StoreError::storage)?;
            }
        }
        Ok(())
    }
}

/// What the ledger makes of a command that is all its own.
fn plan_of(
    command: &Command,
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    tables: &Tables<'_>,
) -> Result<(), BooksError> {
    match command {
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
        Command::Intake(_)
        | Command::IntakeAll(_)
        | Command::Lead(_)
        | Command::DropLeads(..)
        | Command::Settle(_)
        | Command::SetStanding(..)
        | Command::Sweep(_)
        | Command::KeepRejected(_)
        | Command::KeepRefused(..)
        | Command::DropRefused(_)
        | Command::Forget(..)
        | Command::Erase(_)
        | Command::Touch => Ok(()),
    }
}

/// Runs what only reads. A panic in it has changed nothing.
fn guarded<T>(read: impl FnOnce() -> T) -> Result<T, Undigested> {
    catch_unwind(AssertUnwindSafe(read))
        .map_err(|_| Undigested("a defect of tallyhook; please report it with the line logged above".to_owned()))
}
