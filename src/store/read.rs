//! Readers: a snapshot of the books as of one moment, on any thread, never waiting for the writer.

use std::collections::BinaryHeap;
use std::sync::Arc;

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use super::apply::attempt_key;
use super::backup;
use super::claimants;
use super::error::StoreError;
use super::numbers::Numbers;
use super::record;
use super::schema;
use super::tombstones;
use super::upgrade::Upgraded;
use crate::ledger::books::{Books, BooksResult, NextNumbers};
use crate::ledger::workspace::{Due, Target};
use crate::model::business_event::BusinessEvent;
use crate::model::contact::Contact;
use crate::model::delivery::{Attempt, ContactSync, Standing};
use crate::model::group::{Group, SubscriptionHistory};
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId, Mode, WebhookId};
use crate::model::identity::{Holder, Identity, IdentityKind};
use crate::model::lead::Lead;
use crate::model::refused::Refused;
use crate::model::time::Timestamp;
use crate::model::totals::Totals;
use crate::model::webhook::Webhook;

/// Gives out snapshots; clones share the store.
#[derive(Clone)]
pub struct StoreReader {
    database: Arc<Database>,
}

impl StoreReader {
    pub(super) const fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    /// The books as of now. Hold it shortly: pages that it can see are not reused.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(Snapshot { txn: self.database.begin_read().map_err(StoreError::storage)? })
    }
}

/// Part of a list, newest first.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Only what has a smaller number; none begins at the newest.
    pub before: Option<u64>,
    /// Most rows.
    pub limit: usize,
}

/// One attempt with its number.
#[derive(Clone, Debug)]
pub struct AttemptRow {
    /// From 1 on, for one target at one destination.
    pub number: u32,
    /// What was tried and what came of it.
    pub attempt: Attempt,
}

/// The books as of one moment.
pub struct Snapshot {
    pub(super) txn: ReadTransaction,
}

type Bytes = schema::Bytes;

impl Snapshot {
    pub(super) fn table<K: redb::Key + 'static, V: redb::Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<redb::ReadOnlyTable<K, V>, StoreError> {
        self.txn.open_table(definition).map_err(StoreError::storage)
    }

    fn numbers(&self) -> Result<Numbers, StoreError> {
        let meta = self.table(schema::META)?;
        let found = meta.get("numbers").map_err(StoreError::storage)?;
        found.map_or_else(|| Ok(Numbers::default()), |bytes| Numbers::decode(bytes.value()))
    }

    /// The running counts.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn totals(&self) -> Result<Totals, StoreError> {
        Ok(self.numbers()?.totals)
    }

    /// Since when, or until when, the first place in a destination's queue waits; none where the queue is empty.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn waits_since(&self, destination: DestinationId) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.due(destination, Timestamp::FAR_FUTURE, 1)?.first().map(|due| due.at))
    }

    /// What is due at a destination, earliest first.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn due(&self, destination: DestinationId, until: Timestamp, most: usize) -> Result<Vec<Due>, StoreError> {
        let table = self.table(schema::DUE)?;
        let range = (destination.0, i64::MIN, 0)..=(destination.0, until.millis(), u64::MAX);
        let mut due = Vec::new();
        for row in table.range(range).map_err(StoreError::storage)?.take(most) {
            let (destination, at, target) = row.map_err(StoreError::storage)?.0.value();
            due.push(Due { destination: DestinationId(destination), at: Timestamp::from_millis(at), target });
        }
        Ok(due)
    }

    /// What is due at a destination after a place in its queue.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn due_after(&self, after: Due, until: Timestamp, most: usize) -> Result<Vec<Due>, StoreError> {
        let table = self.table(schema::DUE)?;
        let first = (after.destination.0, after.at.millis(), after.target.saturating_add(1));
        let last = (after.destination.0, until.millis(), u64::MAX);
        let mut due = Vec::new();
        if first <= last {
            for row in table.range(first..=last).map_err(StoreError::storage)?.take(most) {
                let (destination, at, target) = row.map_err(StoreError::storage)?.0.value();
                due.push(Due { destination: DestinationId(destination), at: Timestamp::from_millis(at), target });
            }
        }
        Ok(due)
    }

    /// The first of a destination's queue, due or not.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn next_due(&self, destination: DestinationId) -> Result<Option<Due>, StoreError> {
        Ok(self.due(destination, Timestamp::FAR_FUTURE, 1)?.pop())
    }

    /// Groups that have waited long enough, earliest first.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn settled(&self, until: Timestamp, most: usize) -> Result<Vec<(Timestamp, GroupId)>, StoreError> {
        let table = self.table(schema::SETTLE)?;
        let mut settled = Vec::new();
        for row in table.range(..=(until.millis(), u64::MAX)).map_err(StoreError::storage)?.take(most) {
            let (at, group) = row.map_err(StoreError::storage)?.0.value();
            settled.push((Timestamp::from_millis(at), GroupId(group)));
        }
        Ok(settled)
    }

    /// When the next group has waited long enough.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn next_settling(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.settled(Timestamp::FAR_FUTURE, 1)?.pop().map(|(at, _)| at))
    }

    /// What a destination as a whole is doing.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn standing(&self, destination: DestinationId) -> Result<Standing, StoreError> {
        let table = self.table(schema::STANDINGS)?;
        let found = table.get(destination.0).map_err(StoreError::storage)?;
        Ok(found.map(|bytes| record::standing::decode(bytes.value())).transpose()?.unwrap_or_default())
    }

    /// Every destination name ever configured, with its number.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn destinations(&self) -> Result<Vec<(DestinationId, String)>, StoreError> {
        let table = self.table(schema::DESTINATIONS)?;
        let mut names = Vec::new();
        for row in table.iter().map_err(StoreError::storage)? {
            let (name, number) = row.map_err(StoreError::storage)?;
            names.push((DestinationId(number.value()), name.value().to_owned()));
        }
        names.sort();
        Ok(names)
    }

    /// Webhooks, newest first. One whose record can't be understood is left out and logged.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn webhooks(&self, page: Page) -> Result<Vec<Webhook>, StoreError> {
        let table = self.table(schema::WEBHOOKS)?;
        let mut webhooks = Vec::new();
        for row in table.range(..page.before.unwrap_or(u64::MAX)).map_err(StoreError::storage)?.rev() {
            if webhooks.len() >= page.limit {
                break;
            }
            let (id, bytes) = row.map_err(StoreError::storage)?;
            webhooks.extend(shown(id.value(), record::webhook::decode(WebhookId(id.value()), bytes.value())));
        }
        Ok(webhooks)
    }

    /// The webhook with a dedup mark, `stripe/evt_…`.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn webhook_by_mark(&self, mark: &str) -> Result<Option<WebhookId>, StoreError> {
        let table = self.table(schema::MARKS)?;
        Ok(table.get(mark).map_err(StoreError::storage)?.map(|found| WebhookId(found.value())))
    }

    /// A webhook's raw body, unpacked; none when it is past its keeping time.
    ///
    /// # Errors
    /// When the storage fails or the body can't be unpacked.
    pub fn body(&self, id: WebhookId, limit: usize) -> Result<Option<Vec<u8>>, StoreError> {
        let table = self.table(schema::BODIES)?;
        let Some(packed) = table.get(id.0).map_err(StoreError::storage)? else { return Ok(None) };
        super::body::decompress(packed.value(), limit)
            .map(Some)
            .map_err(|error| StoreError::storage(redb::Error::Corrupted(error.to_string())))
    }

    /// Whether a webhook's raw body is still kept.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn has_body(&self, id: WebhookId) -> Result<bool, StoreError> {
        Ok(self.table(schema::BODIES)?.get(id.0).map_err(StoreError::storage)?.is_some())
    }

    /// Business events, newest first. One whose record can't be understood is left out and logged.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn business_events(&self, page: Page) -> Result<Vec<BusinessEvent>, StoreError> {
        let table = self.table(schema::BUSINESS_EVENTS)?;
        let mut events = Vec::new();
        for row in table.range(..page.before.unwrap_or(u64::MAX)).map_err(StoreError::storage)?.rev() {
            if events.len() >= page.limit {
                break;
            }
            let (id, bytes) = row.map_err(StoreError::storage)?;
            let event = record::business_event::decode(BusinessEventId(id.value()), bytes.value());
            events.extend(shown(id.value(), event));
        }
        Ok(events)
    }

    /// The failed queue of a destination, oldest first, beginning after a business event.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn failed(
        &self,
        destination: DestinationId,
        after: Option<BusinessEventId>,
        most: usize,
    ) -> Result<Vec<BusinessEventId>, StoreError> {
        let table = self.table(schema::FAILED)?;
        let first = after.map_or(0, |after| after.0.saturating_add(1));
        let mut failed = Vec::new();
        for row in
            table.range((destination.0, first)..=(destination.0, u64::MAX)).map_err(StoreError::storage)?.take(most)
        {
            failed.push(BusinessEventId(row.map_err(StoreError::storage)?.0.value().1));
        }
        Ok(failed)
    }

    /// Every attempt kept of a target at a destination, oldest first. One that can't be understood is left out and logged.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn attempts(&self, destination: DestinationId, target: Target) -> Result<Vec<AttemptRow>, StoreError> {
        let table = self.table(schema::ATTEMPTS)?;
        let (kind, number) = attempt_key(target);
        let mut attempts = Vec::new();
        for row in table
            .range((destination.0, kind, number, 0)..=(destination.0, kind, number, u32::MAX))
            .map_err(StoreError::storage)?
        {
            let (key, bytes) = row.map_err(StoreError::storage)?;
            let attempt = shown(number, record::attempt::decode(bytes.value()));
            attempts.extend(attempt.map(|attempt| AttemptRow { number: key.value().3, attempt }));
        }
        Ok(attempts)
    }

    /// The list of rejected requests as it was last kept.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn rejected(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let meta = self.table(schema::META)?;
        Ok(meta.get("rejected").map_err(StoreError::storage)?.map(|bytes| bytes.value().to_vec()))
    }

    /// Every refused request that is kept whole, oldest first. One that can't be understood is left out and logged.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn refused(&self) -> Result<Vec<Refused>, StoreError> {
        let table = self.table(schema::REFUSED)?;
        let mut refused = Vec::new();
        for row in table.iter().map_err(StoreError::storage)? {
            let (key, bytes) = row.map_err(StoreError::storage)?;
            let (source, id) = key.value();
            refused.extend(shown(id, record::refused::decode(source, id, bytes.value())));
        }
        refused.sort_by_key(|refused| refused.id);
        Ok(refused)
    }

    /// The raw body of a refused request, unpacked; none when it is not kept any more.
    ///
    /// # Errors
    /// When the storage fails or the body can't be unpacked.
    pub fn refused_body(&self, refused: &Refused) -> Result<Option<Vec<u8>>, StoreError> {
        let table = self.table(schema::REFUSED_BODIES)?;
        let key = (refused.source.as_str(), refused.id);
        let Some(packed) = table.get(key).map_err(StoreError::storage)? else { return Ok(None) };
        let limit = usize::try_from(refused.body_bytes).unwrap_or(usize::MAX);
        super::body::decompress(packed.value(), limit)
            .map(Some)
            .map_err(|error| StoreError::storage(redb::Error::Corrupted(error.to_string())))
    }

    /// The ids of leads that have said nothing new since a moment, or can't be understood; about `most`.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn leads_before(&self, before: Timestamp, most: usize) -> Result<Vec<String>, StoreError> {
        let table = self.table(schema::LEADS)?;
        let mut old = Vec::new();
        for row in table.iter().map_err(StoreError::storage)? {
            let (id, bytes) = row.map_err(StoreError::storage)?;
            let lead = record::lead::decode(id.value(), bytes.value());
            if lead.is_ok_and(|lead| lead.last_seen_at >= before) {
                continue;
            }
            old.push(id.value().to_owned());
            if old.len() >= most {
                break;
            }
        }
        Ok(old)
    }

    /// The leads whom nobody misses: without an address, a phone number or a contact that claims their lead id. Up to `most` of
    /// them, those first who said something new longest ago, with when that was.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn idle_leads(&self, most: usize) -> Result<Vec<(Timestamp, String)>, StoreError> {
        let table = self.table(schema::LEADS)?;
        let identities = self.table(schema::IDENTITIES)?;
        let mut oldest: BinaryHeap<(Timestamp, String)> = BinaryHeap::with_capacity(most.min(1 << 16) + 1);
        for row in table.iter().map_err(StoreError::storage)? {
            let (id, bytes) = row.map_err(StoreError::storage)?;
            let Ok(lead) = record::lead::decode(id.value(), bytes.value()) else { continue };
            let left_address = lead.addresses > 0 || lead.person.email.is_some() || lead.person.phone.is_some();
            let is_late = oldest.len() >= most && oldest.peek().is_none_or(|(at, _)| lead.last_seen_at >= *at);
            if left_address || is_late {
                continue;
            }
            let mut claimed = false;
            for mode in [Mode::Live, Mode::Test] {
                let identity = Identity { mode, kind: IdentityKind::Lead, value: lead.id.clone() };
                claimed |= identities.get(identity.key().as_str()).map_err(StoreError::storage)?.is_some();
            }
            if !claimed {
                oldest.push((lead.last_seen_at, lead.id));
                if oldest.len() > most {
                    oldest.pop();
                }
            }
        }
        Ok(oldest.into_sorted_vec())
    }

    /// The nameless contact of an erased person who had an identity.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn tombstone(&self, identity: &Identity) -> Result<Option<ContactId>, StoreError> {
        let meta = self.table(schema::META)?;
        let Some(key) = tombstones::install_key(&meta)? else { return Ok(None) };
        let table = self.table(schema::TOMBSTONES)?;
        let found = table.get(&key.hash(identity)).map_err(StoreError::storage)?;
        Ok(found.map(|contact| ContactId(contact.value())))
    }

    /// Bytes that all tables take up in pages. Exact while a walk over them is quick; of a large table the rows are counted and
    /// their size is taken from the newest ones.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn stored_bytes(&self) -> Result<u64, StoreError> {
        self.page_bytes(schema::SCHEMA_VERSION)
    }

    /// As [`Self::stored_bytes`], of a store of another layout; 0 of one that this program does not know.
    pub(super) fn page_bytes(&self, layout: u32) -> Result<u64, StoreError> {
        backup::tables(layout).iter().map(|table| table.page_bytes(&self.txn)).sum()
    }

    /// The last time that the layout was brought up to date; none when it never was.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn upgraded(&self) -> Result<Option<Upgraded>, StoreError> {
        let meta = self.table(schema::META)?;
        let found = meta.get("upgraded").map_err(StoreError::storage)?;
        Ok(found.map(|bytes| record::upgraded::decode(bytes.value())).transpose()?)
    }
}

/// A row of a list. One bad record must not hide the others.
fn shown<T>(number: u64, decoded: Result<T, record::RecordError>) -> Option<T> {
    decoded.inspect_err(|error| tracing::error!(number, %error, "left out of a list")).ok()
}

impl Books for Snapshot {
    fn link(&self, key: &str) -> BooksResult<Option<GroupId>> {
        let table = self.table(schema::LINKS)?;
        Ok(table.get(key).map_err(StoreError::storage)?.map(|found| GroupId(found.value())))
    }

    fn group(&self, id: GroupId) -> BooksResult<Option<Group>> {
        let table: redb::ReadOnlyTable<u64, Bytes> = self.table(schema::GROUPS)?;
        let found = table.get(id.0).map_err(StoreError::storage)?;
        Ok(found.map(|bytes| record::group::decode(id, bytes.value())).transpose().map_err(StoreError::from)?)
    }

    fn identity(&self, identity: &Identity) -> BooksResult<Option<Holder>> {
        let table = self.table(schema::IDENTITIES)?;
        let found = table.get(identity.key().as_str()).map_err(StoreError::storage)?;
        Ok(found.map(|bytes| record::holder::decode(bytes.value())).transpose().map_err(StoreError::from)?)
    }

    fn people_claiming(&self, claim: &Identity, most: usize) -> BooksResult<Vec<ContactId>> {
        Ok(claimants::people(&self.table(schema::CLAIMANTS)?, claim, most)?)
    }

    fn sales_known_by(&self, claim: &Identity) -> BooksResult<Vec<GroupId>> {
        Ok(claimants::sales(&self.table(schema::CLAIMANTS)?, claim)?)
    }

    fn contact(&self, id: ContactId) -> BooksResult<Option<Contact>> {
        let table = self.table(schema::CONTACTS)?;
        let found = table.get(id.0).map_err(StoreError::storage)?;
        Ok(found.map(|bytes| record::contact::decode(id, bytes.value())).transpose().map_err(StoreError::from)?)
    }

    fn business_event(&self, id: BusinessEventId) -> BooksResult<Option<BusinessEvent>> {
        let table = self.table(schema::BUSINESS_EVENTS)?;
        let found = table.get(id.0).map_err(StoreError::storage)?;
        Ok(found
            .map(|bytes| record::business_event::decode(id, bytes.value()))
            .transpose()
            .map_err(StoreError::from)?)
    }

    fn contact_sync(&self, destination: DestinationId, contact: ContactId) -> BooksResult<Option<ContactSync>> {
        let table = self.table(schema::CONTACT_SYNCS)?;
        let found = table.get((destination.0, contact.0)).map_err(StoreError::storage)?;
        let decoded = found.map(|bytes| record::contact_sync::decode(destination, contact, bytes.value()));
        Ok(decoded.transpose().map_err(StoreError::from)?)
    }

    fn subscription(&self, key: &str) -> BooksResult<Option<SubscriptionHistory>> {
        let table = self.table(schema::SUBSCRIPTIONS)?;
        let found = table.get(key).map_err(StoreError::storage)?;
        Ok(found.map(|bytes| record::subscription::decode(bytes.value())).transpose().map_err(StoreError::from)?)
    }

    fn groups_of(&self, contact: ContactId, from: Timestamp, to: Timestamp) -> BooksResult<Vec<GroupId>> {
        let table = self.table(schema::CONTACT_GROUPS)?;
        let range = (contact.0, from.millis(), 0)..=(contact.0, to.millis(), u64::MAX);
        let mut groups = Vec::new();
        for row in table.range(range).map_err(StoreError::storage)? {
            groups.push(GroupId(row.map_err(StoreError::storage)?.0.value().2));
        }
        Ok(groups)
    }

    fn webhook(&self, id: WebhookId) -> BooksResult<Option<Webhook>> {
        let table = self.table(schema::WEBHOOKS)?;
        let found = table.get(id.0).map_err(StoreError::storage)?;
        Ok(found.map(|bytes| record::webhook::decode(id, bytes.value())).transpose().map_err(StoreError::from)?)
    }

    fn has_leads(&self) -> bool {
        self.table(schema::LEADS)
            .and_then(|table| table.is_empty().map_err(StoreError::storage))
            .map_or(true, |none| !none)
    }

    fn lead(&self, id: &str) -> BooksResult<Option<Lead>> {
        let table = self.table(schema::LEADS)?;
        let found = table.get(id).map_err(StoreError::storage)?;
        Ok(found.map(|bytes| record::lead::decode(id, bytes.value())).transpose().map_err(StoreError::from)?)
    }

    fn lead_by_email(&self, email: &str) -> BooksResult<Option<String>> {
        let table = self.table(schema::LEAD_EMAILS)?;
        Ok(table.get(email).map_err(StoreError::storage)?.map(|found| found.value().to_owned()))
    }

    fn has_erased(&self) -> bool {
        let found = self.table(schema::META).and_then(|meta| tombstones::install_key(&meta));
        found.is_ok_and(|key| key.is_some())
    }

    fn erased(&self, identity: &Identity) -> BooksResult<Option<ContactId>> {
        Ok(self.tombstone(identity)?)
    }

    fn next_numbers(&self) -> NextNumbers {
        self.numbers().map_or_else(|_| Numbers::default().next, |numbers| numbers.next)
    }
}
