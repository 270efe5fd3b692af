//! Where a command works out its changes: records are read once, changed in memory, and come out as a list of writes.
//!
//! Every index (due, settle, failed, the groups of a contact, counts) is derived here from the records before and after, so
//! that no command can forget one.

use std::collections::BTreeMap;

use super::books::{Books, BooksError, BooksResult, NextNumbers};
use crate::model::business_event::BusinessEvent;
use crate::model::contact::Contact;
use crate::model::delivery::{Attempt, ContactSync, State};
use crate::model::group::{Group, SubscriptionHistory};
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId, Mode, Scope, WebhookId};
use crate::model::identity::{Holder, Identity};
use crate::model::time::Timestamp;
use crate::model::webhook::Webhook;

/// What a delivery attempt is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// One business event, for an event destination.
    Event(BusinessEventId),
    /// One contact, for a contact destination.
    Contact(ContactId),
}

impl Target {
    /// The number in the due queue.
    pub const fn number(self) -> u64 {
        match self {
            Self::Event(id) => id.0,
            Self::Contact(id) => id.0,
        }
    }
}

/// A place in a destination's due queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// Whose queue.
    pub destination: DestinationId,
    /// Not before this moment.
    pub at: Timestamp,
    /// The business event or contact.
    pub target: u64,
}

/// Everything one command writes. Applying it can only fail in the storage.
#[derive(Debug, Default)]
pub struct Changes {
    /// New webhooks.
    pub webhooks: Vec<Webhook>,
    /// Webhooks that were interpreted again.
    pub webhooks_again: Vec<Webhook>,
    /// Groups to put.
    pub groups: Vec<Group>,
    /// Contacts to put.
    pub contacts: Vec<Contact>,
    /// Business events to put.
    pub business_events: Vec<BusinessEvent>,
    /// Contact standings to put.
    pub contact_syncs: Vec<ContactSync>,
    /// Subscriptions to put, by key.
    pub subscriptions: Vec<(String, SubscriptionHistory)>,
    /// Object keys to point at groups.
    pub links: Vec<(String, GroupId)>,
    /// Identities to give to holders.
    pub identities: Vec<(Identity, Holder)>,
    /// Attempts to add.
    pub attempts: Vec<(DestinationId, Target, Attempt)>,
    /// Places in due queues to give up.
    pub due_removed: Vec<Due>,
    /// Places in due queues to take.
    pub due_added: Vec<Due>,
    /// Settling times to drop.
    pub settle_removed: Vec<(Timestamp, GroupId)>,
    /// Settling times to add.
    pub settle_added: Vec<(Timestamp, GroupId)>,
    /// Deliveries that left the failed queue.
    pub failed_removed: Vec<(DestinationId, BusinessEventId)>,
    /// Deliveries that entered the failed queue.
    pub failed_added: Vec<(DestinationId, BusinessEventId)>,
    /// Groups that a contact no longer has, by the time of their money.
    pub contact_groups_removed: Vec<(ContactId, Timestamp, GroupId)>,
    /// Groups that a contact now has.
    pub contact_groups_added: Vec<(ContactId, Timestamp, GroupId)>,
    /// How the counts of deliveries per destination and state change.
    pub state_counts: BTreeMap<DestinationId, [i64; 5]>,
    /// GA4 deliveries frozen with a real and with a derived client id.
    pub client_ids: (u64, u64),
    /// The numbers that come after this command.
    pub next_numbers: Option<NextNumbers>,
    /// What deserves a person's attention.
    pub notices: Vec<Notice>,
}

/// Something that deserves a person's attention, without personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A delivery was given up.
    Failed {
        /// At which destination.
        destination: DestinationId,
        /// The class's name.
        class: &'static str,
        /// What happened.
        explanation: String,
        /// The sale's id.
        transaction_id: Option<String>,
        /// The browser's lead id.
        lead_id: Option<String>,
    },
    /// A delivery was too old for its destination.
    TooOld {
        /// Which destination.
        destination: DestinationId,
        /// The sale's id.
        transaction_id: Option<String>,
    },
    /// Two sales proved to be one after both were told.
    ToldTwice {
        /// The business event that was told without need.
        event: BusinessEventId,
        /// Under which id.
        transaction_id: Option<String>,
    },
}

#[derive(Debug)]
struct Entry<K, T> {
    key: K,
    before: Option<T>,
    now: Option<T>,
}

#[derive(Debug)]
struct Records<K, T>(Vec<Entry<K, T>>);

impl<K: Copy + PartialEq, T: Clone + PartialEq> Records<K, T> {
    const fn new() -> Self {
        Self(Vec::new())
    }

    fn position(&self, key: K) -> Option<usize> {
        self.0.iter().position(|entry| entry.key == key)
    }

    /// The record, read at its first mention.
    fn load(&mut self, key: K, read: impl FnOnce() -> BooksResult<Option<T>>) -> BooksResult<Option<&mut T>> {
        let at = match self.position(key) {
            Some(at) => at,
            None => {
                let before = read()?;
                let now = before.clone();
                self.0.push(Entry { key, before, now });
                self.0.len() - 1
            }
        };
        Ok(self.0[at].now.as_mut())
    }

    fn put(&mut self, key: K, record: T) {
        match self.position(key) {
            Some(at) => self.0[at].now = Some(record),
            None => self.0.push(Entry { key, before: None, now: Some(record) }),
        }
    }

    fn changed(self) -> impl Iterator<Item = (Option<T>, T)> {
        self.0.into_iter().filter_map(|entry| {
            let now = entry.now?;
            (entry.before.as_ref() != Some(&now)).then_some((entry.before, now))
        })
    }
}

/// A command's view of the books with its own changes on top.
pub struct Workspace<'a> {
    books: &'a dyn Books,
    /// The moment of the command.
    pub now: Timestamp,
    next: NextNumbers,
    groups: Records<GroupId, Group>,
    contacts: Records<ContactId, Contact>,
    events: Records<BusinessEventId, BusinessEvent>,
    syncs: Records<(DestinationId, ContactId), ContactSync>,
    subscriptions: Vec<(String, SubscriptionHistory)>,
    links: Vec<(String, GroupId)>,
    identities: Vec<(Identity, Holder)>,
    /// New webhooks.
    pub webhooks: Vec<Webhook>,
    /// Webhooks that were interpreted again.
    pub webhooks_again: Vec<Webhook>,
    /// Attempts to add.
    pub attempts: Vec<(DestinationId, Target, Attempt)>,
    /// What deserves attention.
    pub notices: Vec<Notice>,
    /// GA4 deliveries frozen with a real and with a derived client id.
    pub client_ids: (u64, u64),
}

impl<'a> Workspace<'a> {
    /// Over the books as of now.
    pub fn new(books: &'a dyn Books, now: Timestamp) -> Self {
        Self {
            books,
            now,
            next: books.next_numbers(),
            groups: Records::new(),
            contacts: Records::new(),
            events: Records::new(),
            syncs: Records::new(),
            subscriptions: Vec::new(),
            links: Vec::new(),
            identities: Vec::new(),
            webhooks: Vec::new(),
            webhooks_again: Vec::new(),
            attempts: Vec::new(),
            notices: Vec::new(),
            client_ids: (0, 0),
        }
    }

    /// The number of the next webhook.
    pub fn new_webhook_id(&mut self) -> WebhookId {
        self.next.webhook += 1;
        WebhookId(self.next.webhook - 1)
    }

    /// A new group.
    pub fn new_group(&mut self, scope: &Scope) -> GroupId {
        let id = GroupId(self.next.group);
        self.next.group += 1;
        self.groups.put(id, Group::new(id, scope.clone()));
        id
    }

    /// A new contact.
    pub fn new_contact(&mut self, mode: Mode) -> ContactId {
        let id = ContactId(self.next.contact);
        self.next.contact += 1;
        self.contacts.put(id, Contact::new(id, mode, self.now));
        id
    }

    /// The number of the next business event.
    pub fn new_business_event_id(&mut self) -> BusinessEventId {
        self.next.business_event += 1;
        BusinessEventId(self.next.business_event - 1)
    }

    /// A group, through those it was merged into.
    ///
    /// # Errors
    /// When it can't be read or isn't there.
    pub fn group(&mut self, mut id: GroupId) -> BooksResult<&mut Group> {
        let books = self.books;
        loop {
            let merged_into = self
                .groups
                .load(id, || books.group(id))?
                .ok_or_else(|| BooksError::Missing(format!("group {id} is not there")))?
                .merged_into;
            match merged_into {
                Some(other) => id = other,
                None => break,
            }
        }
        self.exact_group(id)
    }

    /// A group as it is, merged or not.
    ///
    /// # Errors
    /// When it can't be read or isn't there.
    pub fn exact_group(&mut self, id: GroupId) -> BooksResult<&mut Group> {
        let books = self.books;
        self.groups.load(id, || books.group(id))?.ok_or_else(|| BooksError::Missing(format!("group {id} is not there")))
    }

    /// A contact, through those it was merged into.
    ///
    /// # Errors
    /// When it can't be read or isn't there.
    pub fn contact(&mut self, mut id: ContactId) -> BooksResult<&mut Contact> {
        let books = self.books;
        while let Some(other) = self
            .contacts
            .load(id, || books.contact(id))?
            .ok_or_else(|| BooksError::Missing(format!("contact {id} is not there")))?
            .merged_into
        {
            id = other;
        }
        self.contacts
            .load(id, || books.contact(id))?
            .ok_or_else(|| BooksError::Missing(format!("contact {id} is not there")))
    }

    /// Puts a contact as it is.
    pub fn put_contact(&mut self, contact: Contact) {
        self.contacts.put(contact.id, contact);
    }

    /// A business event.
    ///
    /// # Errors
    /// When it can't be read or isn't there.
    pub fn business_event(&mut self, id: BusinessEventId) -> BooksResult<&mut BusinessEvent> {
        let books = self.books;
        self.events
            .load(id, || books.business_event(id))?
            .ok_or_else(|| BooksError::Missing(format!("business event {id} is not there")))
    }

    /// Puts a business event, new or changed.
    pub fn put_business_event(&mut self, event: BusinessEvent) {
        self.events.put(event.id, event);
    }

    /// A contact's standing with a destination, if it has one.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn existing_sync(
        &mut self,
        destination: DestinationId,
        contact: ContactId,
    ) -> BooksResult<Option<&mut ContactSync>> {
        let books = self.books;
        self.syncs.load((destination, contact), || books.contact_sync(destination, contact))
    }

    /// A contact's standing with a destination, begun if there is none.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn sync(&mut self, destination: DestinationId, contact: ContactId) -> BooksResult<&mut ContactSync> {
        if self.existing_sync(destination, contact)?.is_none() {
            self.syncs.put((destination, contact), ContactSync::new(destination, contact));
        }
        self.existing_sync(destination, contact)?
            .ok_or_else(|| BooksError::Missing("a standing that was just begun".into()))
    }

    /// What a subscription has been billed.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn subscription(&mut self, key: &str) -> BooksResult<SubscriptionHistory> {
        if let Some((_, history)) = self.subscriptions.iter().find(|(known, _)| known == key) {
            return Ok(history.clone());
        }
        Ok(self.books.subscription(key)?.unwrap_or_default())
    }

    /// Puts what a subscription has been billed.
    pub fn put_subscription(&mut self, key: String, history: SubscriptionHistory) {
        self.subscriptions.retain(|(known, _)| *known != key);
        self.subscriptions.push((key, history));
    }

    /// The group of an object's key.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn link(&self, key: &str) -> BooksResult<Option<GroupId>> {
        match self.links.iter().rev().find(|(known, _)| known == key) {
            Some((_, group)) => Ok(Some(*group)),
            None => self.books.link(key),
        }
    }

    /// Points an object's key at a group.
    pub fn put_link(&mut self, key: String, group: GroupId) {
        self.links.push((key, group));
    }

    /// Who holds an identity.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn holder(&self, identity: &Identity) -> BooksResult<Option<Holder>> {
        match self.identities.iter().rev().find(|(known, _)| known == identity) {
            Some((_, holder)) => Ok(Some(*holder)),
            None => self.books.identity(identity),
        }
    }

    /// Gives an identity to a holder.
    pub fn put_holder(&mut self, identity: Identity, holder: Holder) {
        self.identities.push((identity, holder));
    }

    /// The groups of a contact as of before this command.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn groups_of(&self, contact: ContactId, from: Timestamp, to: Timestamp) -> BooksResult<Vec<GroupId>> {
        self.books.groups_of(contact, from, to)
    }

    /// Everything that changed, with every index worked out.
    pub fn finish(self) -> Changes {
        let mut changes = Changes {
            webhooks: self.webhooks,
            webhooks_again: self.webhooks_again,
            subscriptions: self.subscriptions,
            links: self.links,
            identities: self.identities,
            attempts: self.attempts,
            notices: self.notices,
            client_ids: self.client_ids,
            next_numbers: Some(self.next),
            ..Changes::default()
        };
        for (before, now) in self.groups.changed() {
            let settle_before = before.as_ref().and_then(|group| group.settle_at);
            if settle_before != now.settle_at {
                changes.settle_removed.extend(settle_before.map(|at| (at, now.id)));
                changes.settle_added.extend(now.settle_at.map(|at| (at, now.id)));
            }
            let place = |group: &Group| Some((group.contact?, money_time(group)?, group.id));
            let (place_before, place_now) = (before.as_ref().and_then(place), place(&now));
            if place_before != place_now {
                changes.contact_groups_removed.extend(place_before);
                changes.contact_groups_added.extend(place_now);
            }
            changes.groups.push(now);
        }
        changes.contacts.extend(self.contacts.changed().map(|(_, now)| now));
        for (before, now) in self.events.changed() {
            changes.note_deliveries(before.as_ref(), -1);
            changes.note_deliveries(Some(&now), 1);
            changes.business_events.push(now);
        }
        for (before, now) in self.syncs.changed() {
            changes.due_removed.extend(before.as_ref().and_then(sync_due));
            changes.due_added.extend(sync_due(&now));
            changes.contact_syncs.push(now);
        }
        changes.drop_what_cancels_out();
        changes
    }
}

impl Changes {
    fn note_deliveries(&mut self, event: Option<&BusinessEvent>, sign: i64) {
        let Some(event) = event else { return };
        let (due, failed) = if sign < 0 {
            (&mut self.due_removed, &mut self.failed_removed)
        } else {
            (&mut self.due_added, &mut self.failed_added)
        };
        for delivery in &event.deliveries {
            self.state_counts.entry(delivery.destination).or_default()[delivery.state.index()] += sign;
            match delivery.state {
                // A contact destination's delivery is never frozen; its contact's standing holds the place instead.
                State::Pending if !delivery.schedule.settling && delivery.frozen.is_some() => due.push(Due {
                    destination: delivery.destination,
                    at: delivery.schedule.due_at,
                    target: event.id.0,
                }),
                State::Failed { .. } => failed.push((delivery.destination, event.id)),
                _ => {}
            }
        }
    }

    fn drop_what_cancels_out(&mut self) {
        fn cancel<T: PartialEq>(removed: &mut Vec<T>, added: &mut Vec<T>) {
            removed.retain(|gone| match added.iter().position(|new| new == gone) {
                Some(at) => {
                    added.swap_remove(at);
                    false
                }
                None => true,
            });
        }
        cancel(&mut self.due_removed, &mut self.due_added);
        cancel(&mut self.failed_removed, &mut self.failed_added);
        self.state_counts.retain(|_, counts| counts.iter().any(|count| *count != 0));
    }
}

fn sync_due(sync: &ContactSync) -> Option<Due> {
    (!sync.pending.is_empty()).then_some(Due {
        destination: sync.destination,
        at: sync.schedule.due_at,
        target: sync.contact.0,
    })
}

/// When a group's money moved: its earliest success, else its earliest statement.
pub fn money_time(group: &Group) -> Option<Timestamp> {
    let paid = group.objects.iter().filter_map(|object| object.paid.as_ref().map(|paid| paid.at)).min();
    paid.or_else(|| group.objects.iter().map(|object| object.said_at).min())
}
