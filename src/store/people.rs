//! Everything in a snapshot that names a person and that no index leads to: found by walking the tables.

use std::collections::BTreeSet;

use redb::ReadableTable;

use super::body;
use super::error::StoreError;
use super::read::Snapshot;
use super::record;
use super::schema;
use crate::ledger::books::Books;
use crate::model::id::{ContactId, GroupId, WebhookId};
use crate::model::identity::Identity;

/// Bodies larger than this are not looked through; no sender's are.
const LARGEST: usize = 64 * 1024 * 1024;

/// What a person is looked for by.
#[derive(Clone, Default)]
pub struct Traces {
    /// The groups of the person's contacts.
    pub groups: BTreeSet<GroupId>,
    /// Texts that no other person's data have in them (addresses, numbers, customers' ids), in lower case.
    pub words: Vec<String>,
}

impl Traces {
    /// Whether a raw body has one of the words in it.
    fn are_in(&self, body: &[u8]) -> bool {
        let text = String::from_utf8_lossy(body).to_lowercase();
        let text = if text.contains("%40") { text.replace("%40", "@") } else { text };
        let text = if text.contains("\\u0040") { text.replace("\\u0040", "@") } else { text };
        self.words.iter().any(|word| text.contains(word.as_str()))
    }
}

impl Snapshot {
    /// The contacts that became one of these.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn merged_into(&self, contacts: &[ContactId]) -> Result<Vec<ContactId>, StoreError> {
        let mut became = Vec::new();
        let table = self.table(schema::CONTACTS)?;
        for row in table.iter().map_err(StoreError::storage)? {
            let (id, bytes) = row.map_err(StoreError::storage)?;
            let Ok(contact) = record::contact::decode(ContactId(id.value()), bytes.value()) else { continue };
            let mut next = contact.merged_into;
            while let Some(id) = next {
                if contacts.contains(&id) {
                    became.push(contact.id);
                    break;
                }
                next = self.contact(id).ok().flatten().and_then(|contact| contact.merged_into);
            }
        }
        Ok(became)
    }

    /// The ids of leads whose forms have one of these addresses or phone numbers.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn leads_naming(&self, values: &BTreeSet<String>) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        let table = self.table(schema::LEADS)?;
        for row in table.iter().map_err(StoreError::storage)? {
            let (id, bytes) = row.map_err(StoreError::storage)?;
            let Ok(lead) = record::lead::decode(id.value(), bytes.value()) else { continue };
            let email = lead.person.email.as_ref().map(|email| email.as_str());
            let phone = lead.person.phone.as_ref().map(|phone| phone.as_str());
            if [email, phone].into_iter().flatten().any(|value| values.contains(value)) {
                found.push(lead.id);
            }
        }
        Ok(found)
    }

    /// Webhooks that are about a person's groups, or have a trace of the person in their bodies.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn webhooks_of(&self, traces: &Traces) -> Result<Vec<WebhookId>, StoreError> {
        let bodies = self.table(schema::BODIES)?;
        let webhooks = self.table(schema::WEBHOOKS)?;
        let mut found = Vec::new();
        for row in webhooks.iter().map_err(StoreError::storage)? {
            let (id, bytes) = row.map_err(StoreError::storage)?;
            let id = WebhookId(id.value());
            let group = record::webhook::decode(id, bytes.value()).ok().and_then(|webhook| webhook.group);
            if group.is_some_and(|group| self.is_of(group, traces)) {
                found.push(id);
                continue;
            }
            let Some(packed) = bodies.get(id.0).map_err(StoreError::storage)? else { continue };
            // One that can't be unpacked tells nobody anything.
            if body::decompress(packed.value(), LARGEST).is_ok_and(|body| traces.are_in(&body)) {
                found.push(id);
            }
        }
        Ok(found)
    }

    fn is_of(&self, group: GroupId, traces: &Traces) -> bool {
        let mut next = Some(group);
        while let Some(id) = next {
            if traces.groups.contains(&id) {
                return true;
            }
            next = self.group(id).ok().flatten().and_then(|group| group.merged_into);
        }
        false
    }

    /// Kept refused requests with a trace of a person in their bodies: source, number.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn refused_of(&self, traces: &Traces) -> Result<Vec<(String, u64)>, StoreError> {
        let table = self.table(schema::REFUSED_BODIES)?;
        let mut found = Vec::new();
        for row in table.iter().map_err(StoreError::storage)? {
            let (key, packed) = row.map_err(StoreError::storage)?;
            if body::decompress(packed.value(), LARGEST).is_ok_and(|body| traces.are_in(&body)) {
                let (source, id) = key.value();
                found.push((source.to_owned(), id));
            }
        }
        Ok(found)
    }

    /// The nameless contact of an erased person who had one of these identities.
    ///
    /// # Errors
    /// When the storage fails.
    pub fn erased_among(&self, identities: &[Identity]) -> Result<Option<ContactId>, StoreError> {
        for identity in identities {
            if let Some(contact) = self.tombstone(identity)? {
                return Ok(Some(contact));
            }
        }
        Ok(None)
    }
}
