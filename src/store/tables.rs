//! The tables of a write transaction, opened once: what planning reads and applying writes.

use redb::{ReadableTable, ReadableTableMetadata, Table, WriteTransaction};

use super::claimants;
use super::error::StoreError;
use super::numbers::Numbers;
use super::record;
use super::schema::{self, Bytes};
use super::tombstones::Tombstones;
use crate::ledger::books::{Books, BooksResult, NextNumbers};
use crate::model::business_event::BusinessEvent;
use crate::model::contact::Contact;
use crate::model::delivery::ContactSync;
use crate::model::group::{Group, SubscriptionHistory};
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId, WebhookId};
use crate::model::identity::{Holder, Identity};
use crate::model::lead::Lead;
use crate::model::time::Timestamp;
use crate::model::webhook::Webhook;

pub(super) struct Tables<'txn> {
    pub(super) webhooks: Table<'txn, u64, Bytes>,
    pub(super) bodies: Table<'txn, u64, Bytes>,
    pub(super) marks: Table<'txn, &'static str, u64>,
    pub(super) groups: Table<'txn, u64, Bytes>,
    pub(super) links: Table<'txn, &'static str, u64>,
    pub(super) contacts: Table<'txn, u64, Bytes>,
    pub(super) identities: Table<'txn, &'static str, Bytes>,
    pub(super) claimants: Table<'txn, (&'static str, u8, u64), ()>,
    pub(super) contact_groups: Table<'txn, (u64, i64, u64), ()>,
    pub(super) subscriptions: Table<'txn, &'static str, Bytes>,
    pub(super) business_events: Table<'txn, u64, Bytes>,
    pub(super) contact_syncs: Table<'txn, (u16, u64), Bytes>,
    pub(super) due: Table<'txn, (u16, i64, u64), ()>,
    pub(super) settle: Table<'txn, (i64, u64), ()>,
    pub(super) failed: Table<'txn, (u16, u64), ()>,
    pub(super) attempts: Table<'txn, (u16, u8, u64, u32), Bytes>,
    pub(super) leads: Table<'txn, &'static str, Bytes>,
    pub(super) lead_emails: Table<'txn, &'static str, &'static str>,
    pub(super) standings: Table<'txn, u16, Bytes>,
    pub(super) meta: Table<'txn, &'static str, Bytes>,
    /// Who was erased; none while nobody was.
    pub(super) tombstones: Option<Tombstones<'txn>>,
    /// What the next new things are called; moved on by each command of the batch.
    pub(super) next: NextNumbers,
}

impl<'txn> Tables<'txn> {
    pub(super) fn open(txn: &'txn WriteTransaction, numbers: &Numbers) -> Result<Self, StoreError> {
        let opened = (|| {
            Ok::<_, redb::TableError>(Self {
                webhooks: txn.open_table(schema::WEBHOOKS)?,
                bodies: txn.open_table(schema::BODIES)?,
                marks: txn.open_table(schema::MARKS)?,
                groups: txn.open_table(schema::GROUPS)?,
                links: txn.open_table(schema::LINKS)?,
                contacts: txn.open_table(schema::CONTACTS)?,
                identities: txn.open_table(schema::IDENTITIES)?,
                claimants: txn.open_table(schema::CLAIMANTS)?,
                contact_groups: txn.open_table(schema::CONTACT_GROUPS)?,
                subscriptions: txn.open_table(schema::SUBSCRIPTIONS)?,
                business_events: txn.open_table(schema::BUSINESS_EVENTS)?,
                contact_syncs: txn.open_table(schema::CONTACT_SYNCS)?,
                due: txn.open_table(schema::DUE)?,
                settle: txn.open_table(schema::SETTLE)?,
                failed: txn.open_table(schema::FAILED)?,
                attempts: txn.open_table(schema::ATTEMPTS)?,
                leads: txn.open_table(schema::LEADS)?,
                lead_emails: txn.open_table(schema::LEAD_EMAILS)?,
                standings: txn.open_table(schema::STANDINGS)?,
                meta: txn.open_table(schema::META)?,
                tombstones: None,
                next: numbers.next,
            })
        })();
        let mut opened = opened.map_err(StoreError::storage)?;
        if let Some(key) = &numbers.install_key {
            opened.tombstones = Some(Tombstones::open(txn, key)?);
        }
        Ok(opened)
    }

    /// The webhook that made a dedup mark.
    pub(super) fn mark(&self, mark: &str) -> Result<Option<WebhookId>, StoreError> {
        Ok(self.marks.get(mark).map_err(StoreError::storage)?.map(|found| WebhookId(found.value())))
    }
}

impl Books for Tables<'_> {
    fn link(&self, key: &str) -> BooksResult<Option<GroupId>> {
        Ok(self.links.get(key).map_err(StoreError::storage)?.map(|found| GroupId(found.value())))
    }

    fn group(&self, id: GroupId) -> BooksResult<Option<Group>> {
        let found = self.groups.get(id.0).map_err(StoreError::storage)?;
        Ok(found.map(|bytes| record::group::decode(id, bytes.value())).transpose().map_err(StoreError::from)?)
    }

    fn identity(&self, identity: &Identity) -> BooksResult<Option<Holder>> {
        let found = self.identities.get(identity.key().as_str()).map_err(StoreError::storage)?;
        Ok(found.map(|bytes| record::holder::decode(bytes.value())).transpose().map_err(StoreError::from)?)
    }

    fn people_claiming(&self, claim: &Identity, most: usize) -> BooksResult<Vec<ContactId>> {
        Ok(claimants::people(&self.claimants, claim, most)?)
    }

    fn sales_known_by(&self, claim: &Identity) -> BooksResult<Vec<GroupId>> {
        Ok(claimants::sales(&self.claimants, claim)?)
    }

    fn contact(&self, id: ContactId) -> BooksResult<Option<Contact>> {
        let found = self.contacts.get(id.0).map_err(StoreError::storage)?;
        Ok(found.map(|bytes| record::contact::decode(id, bytes.value())).transpose().map_err(StoreError::from)?)
    }

    fn business_event(&self, id: BusinessEventId) -> BooksResult<Option<BusinessEvent>> {
        let found = self.business_events.get(id.0).map_err(StoreError::storage)?;
        Ok(found
            .map(|bytes| record::business_event::decode(id, bytes.value()))
            .transpose()
            .map_err(StoreError::from)?)
    }

    fn contact_sync(&self, destination: DestinationId, contact: ContactId) -> BooksResult<Option<ContactSync>> {
        let found = self.contact_syncs.get((destination.0, contact.0)).map_err(StoreError::storage)?;
        let decoded = found.map(|bytes| record::contact_sync::decode(destination, contact, bytes.value()));
        Ok(decoded.transpose().map_err(StoreError::from)?)
    }

    fn subscription(&self, key: &str) -> BooksResult<Option<SubscriptionHistory>> {
        let found = self.subscriptions.get(key).map_err(StoreError::storage)?;
        Ok(found.map(|bytes| record::subscription::decode(bytes.value())).transpose().map_err(StoreError::from)?)
    }

    fn groups_of(&self, contact: ContactId, from: Timestamp, to: Timestamp) -> BooksResult<Vec<GroupId>> {
        let range = (contact.0, from.millis(), 0)..=(contact.0, to.millis(), u64::MAX);
        let mut groups = Vec::new();
        for row in self.contact_groups.range(range).map_err(StoreError::storage)? {
            groups.push(GroupId(row.map_err(StoreError::storage)?.0.value().2));
        }
        Ok(groups)
    }

    fn webhook(&self, id: WebhookId) -> BooksResult<Option<Webhook>> {
        let found = self.webhooks.get(id.0).map_err(StoreError::storage)?;
        Ok(found.map(|bytes| record::webhook::decode(id, bytes.value())).transpose().map_err(StoreError::from)?)
    }

    fn has_leads(&self) -> bool {
        ReadableTableMetadata::is_empty(&self.leads).map_or(true, |none| !none)
    }

    fn lead(&self, id: &str) -> BooksResult<Option<Lead>> {
        let found = self.leads.get(id).map_err(StoreError::storage)?;
        Ok(found.map(|bytes| record::lead::decode(id, bytes.value())).transpose().map_err(StoreError::from)?)
    }

    fn lead_by_email(&self, email: &str) -> BooksResult<Option<String>> {
        Ok(self.lead_emails.get(email).map_err(StoreError::storage)?.map(|found| found.value().to_owned()))
    }

    fn has_erased(&self) -> bool {
        self.tombstones.is_some()
    }

    fn erased(&self, identity: &Identity) -> BooksResult<Option<ContactId>> {
        match &self.tombstones {
            Some(tombstones) => Ok(tombstones.find(identity)?),
            None => Ok(None),
        }
    }

    fn next_numbers(&self) -> NextNumbers {
        self.next
    }
}
