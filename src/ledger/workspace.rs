//! Where a command works out its changes: records are read once, changed in memory, and come out as a list of writes.
//!
//! Every index (due, settle, failed, the groups of a contact, counts) is derived from the records before and after, so that
//! no command can forget one.

pub use super::changes::{Changes, Due, Notice, Target, money_time};

use std::collections::BTreeMap;

use super::books::{Books, BooksError, BooksResult, NextNumbers};
use super::changes::place;
use super::records::Records;
use crate::model::business_event::BusinessEvent;
use crate::model::contact::Contact;
use crate::model::delivery::{Attempt, ContactSync};
use crate::model::group::{Group, SubscriptionHistory};
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId, Mode, Scope, WebhookId};
use crate::model::identity::{Claimant, Holder, Identity};
use crate::model::lead::Lead;
use crate::model::time::Timestamp;
use crate::model::totals::SaleShares;
use crate::model::webhook::Webhook;

/// A command's view of the books with its own changes on top.
pub struct Workspace<'a> {
    books: &'a dyn Books,
    /// The moment of the command.
    pub now: Timestamp,
    first: NextNumbers,
    next: NextNumbers,
    groups: Records<GroupId, Group>,
    contacts: Records<ContactId, Contact>,
    events: Records<BusinessEventId, BusinessEvent>,
    syncs: Records<(DestinationId, ContactId), ContactSync>,
    subscriptions: Vec<(String, SubscriptionHistory)>,
    links: Vec<(String, GroupId)>,
    identities: Vec<(Identity, Option<Holder>)>,
    /// What is new and what is gone, each as one that was not there or was.
    claimants: BTreeMap<(Identity, Claimant), bool>,
    leads: Vec<Lead>,
    leads_begun: u64,
    lead_emails: Vec<(String, Option<String>)>,
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
    /// First sales of live people that were let go.
    pub sales_told: SaleShares,
    /// Whether what came is of an erased person, so that its raw body is not kept.
    pub of_erased: bool,
}

fn no_group(id: GroupId) -> BooksError {
    BooksError::Missing(format!("group {id} is not there"))
}

fn no_contact(id: ContactId) -> BooksError {
    BooksError::Missing(format!("contact {id} is not there"))
}

fn no_event(id: BusinessEventId) -> BooksError {
    BooksError::Missing(format!("business event {id} is not there"))
}

impl<'a> Workspace<'a> {
    /// Over the books as of now.
    pub fn new(books: &'a dyn Books, now: Timestamp) -> Self {
        let first = books.next_numbers();
        Self {
            books,
            now,
            first,
            next: first,
            groups: Records::new(),
            contacts: Records::new(),
            events: Records::new(),
            syncs: Records::new(),
            subscriptions: Vec::new(),
            links: Vec::new(),
            identities: Vec::new(),
            claimants: BTreeMap::new(),
            leads: Vec::new(),
            leads_begun: 0,
            lead_emails: Vec::new(),
            webhooks: Vec::new(),
            webhooks_again: Vec::new(),
            attempts: Vec::new(),
            notices: Vec::new(),
            client_ids: (0, 0),
            sales_told: SaleShares::default(),
            of_erased: false,
        }
    }

    /// A stored webhook, as it was before this command.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn webhook(&self, id: WebhookId) -> BooksResult<Option<Webhook>> {
        self.books.webhook(id)
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
        self.contacts.put(id, Contact::new(id, mode));
        id
    }

    /// The number of the next business event.
    pub fn new_business_event_id(&mut self) -> BusinessEventId {
        self.next.business_event += 1;
        BusinessEventId(self.next.business_event - 1)
    }

    /// Whether this command began the contact.
    pub const fn is_new_contact(&self, id: ContactId) -> bool {
        id.0 >= self.first.contact
    }

    /// Whether this command wrote the business event.
    pub const fn is_new(&self, id: BusinessEventId) -> bool {
        id.0 >= self.first.business_event
    }

    /// The group that a group is part of now: itself, or the one it was merged into.
    ///
    /// # Errors
    /// When it can't be read or isn't there.
    pub fn live_group(&mut self, mut id: GroupId) -> BooksResult<GroupId> {
        while let Some(other) = self.exact_group(id)?.merged_into {
            id = other;
        }
        Ok(id)
    }

    /// A group as it is, merged or not, to be read.
    ///
    /// # Errors
    /// When it can't be read or isn't there.
    pub fn exact_group(&mut self, id: GroupId) -> BooksResult<&Group> {
        let books = self.books;
        let at = self.groups.load(id, || books.group(id))?;
        self.groups.at(at).ok_or_else(|| no_group(id))
    }

    /// A group as it is, merged or not, to be changed.
    ///
    /// # Errors
    /// When it can't be read or isn't there.
    pub fn group_mut(&mut self, id: GroupId) -> BooksResult<&mut Group> {
        let books = self.books;
        let at = self.groups.load(id, || books.group(id))?;
        self.groups.at_mut(at).ok_or_else(|| no_group(id))
    }

    /// The contact that a contact is now: itself, or the one it was merged into.
    ///
    /// # Errors
    /// When it can't be read or isn't there.
    pub fn live_contact(&mut self, mut id: ContactId) -> BooksResult<ContactId> {
        let books = self.books;
        loop {
            let at = self.contacts.load(id, || books.contact(id))?;
            match self.contacts.at(at).ok_or_else(|| no_contact(id))?.merged_into {
                Some(other) => id = other,
                None => return Ok(id),
            }
        }
    }

    /// A contact, through those it was merged into, to be read.
    ///
    /// # Errors
    /// When it can't be read or isn't there.
    pub fn contact(&mut self, id: ContactId) -> BooksResult<&Contact> {
        let books = self.books;
        let id = self.live_contact(id)?;
        let at = self.contacts.load(id, || books.contact(id))?;
        self.contacts.at(at).ok_or_else(|| no_contact(id))
    }

    /// A contact, through those it was merged into, to be changed.
    ///
    /// # Errors
    /// When it can't be read or isn't there.
    pub fn contact_mut(&mut self, id: ContactId) -> BooksResult<&mut Contact> {
        let books = self.books;
        let id = self.live_contact(id)?;
        let at = self.contacts.load(id, || books.contact(id))?;
        self.contacts.at_mut(at).ok_or_else(|| no_contact(id))
    }

    /// Puts a contact as it is.
    pub fn put_contact(&mut self, contact: Contact) {
        self.contacts.put(contact.id, contact);
    }

    /// A business event to be read.
    ///
    /// # Errors
    /// When it can't be read or isn't there.
    pub fn business_event(&mut self, id: BusinessEventId) -> BooksResult<&BusinessEvent> {
        let books = self.books;
        let at = self.events.load(id, || books.business_event(id))?;
        self.events.at(at).ok_or_else(|| no_event(id))
    }

    /// A business event to be changed.
    ///
    /// # Errors
    /// When it can't be read or isn't there.
    pub fn business_event_mut(&mut self, id: BusinessEventId) -> BooksResult<&mut BusinessEvent> {
        let books = self.books;
        let at = self.events.load(id, || books.business_event(id))?;
        self.events.at_mut(at).ok_or_else(|| no_event(id))
    }

    /// A business event and its contact, both to be read.
    ///
    /// # Errors
    /// When they can't be read or aren't there.
    pub fn event_and_contact(&mut self, id: BusinessEventId) -> BooksResult<(&BusinessEvent, Option<&Contact>)> {
        let contact = self.business_event(id)?.contact;
        if let Some(contact) = contact {
            self.contact(contact)?;
        }
        let books = self.books;
        let contact = match contact {
            Some(contact) => {
                let contact = self.live_contact(contact)?;
                let at = self.contacts.load(contact, || books.contact(contact))?;
                self.contacts.at(at)
            }
            None => None,
        };
        let at = self.events.load(id, || books.business_event(id))?;
        Ok((self.events.at(at).ok_or_else(|| no_event(id))?, contact))
    }

    /// Puts a business event, new or changed.
    pub fn put_business_event(&mut self, event: BusinessEvent) {
        self.events.put(event.id, event);
    }

    /// A contact's standing with a destination, if it has one, to be read.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn existing_sync(
        &mut self,
        destination: DestinationId,
        contact: ContactId,
    ) -> BooksResult<Option<&ContactSync>> {
        let books = self.books;
        let at = self.syncs.load((destination, contact), || books.contact_sync(destination, contact))?;
        Ok(self.syncs.at(at))
    }

    /// A contact's standing with a destination, begun if there is none, to be changed.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn sync(&mut self, destination: DestinationId, contact: ContactId) -> BooksResult<&mut ContactSync> {
        let books = self.books;
        let key = (destination, contact);
        let at = self.syncs.load(key, || books.contact_sync(destination, contact))?;
        if self.syncs.at(at).is_none() {
            self.syncs.put(key, ContactSync::new(destination, contact));
        }
        self.syncs.at_mut(at).ok_or_else(|| BooksError::Missing("a standing that was just begun".into()))
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

    /// Who holds an identity, through contacts that were merged.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn holder(&mut self, identity: &Identity) -> BooksResult<Option<Holder>> {
        let holder = match self.identities.iter().rev().find(|(known, _)| known == identity) {
            Some((_, holder)) => *holder,
            None => self.books.identity(identity)?,
        };
        Ok(match holder {
            Some(Holder::Contact(id)) => Some(Holder::Contact(self.live_contact(id)?)),
            Some(Holder::Lead(id)) => Some(Holder::Lead(self.live_contact(id)?)),
            other => other,
        })
    }

    /// Gives an identity to a holder.
    pub fn put_holder(&mut self, identity: Identity, holder: Holder) {
        self.set_holder(identity, Some(holder));
    }

    /// Takes an identity from whoever holds it.
    pub fn drop_holder(&mut self, identity: Identity) {
        self.set_holder(identity, None);
    }

    fn set_holder(&mut self, identity: Identity, holder: Option<Holder>) {
        self.identities.retain(|(known, _)| *known != identity);
        self.identities.push((identity, holder));
    }

    /// Notes somebody under a lead id or phone who did not stand there.
    pub fn add_claimant(&mut self, claim: &Identity, claimant: Claimant) {
        self.note_claimant(claim, claimant, true);
    }

    /// Takes somebody who stands under a lead id or phone from there.
    pub fn remove_claimant(&mut self, claim: &Identity, claimant: Claimant) {
        self.note_claimant(claim, claimant, false);
    }

    fn note_claimant(&mut self, claim: &Identity, claimant: Claimant, is_there: bool) {
        let key = (claim.clone(), claimant);
        // What comes and goes, or goes and comes, is as it was.
        if self.claimants.remove(&key).is_none() {
            self.claimants.insert(key, is_there);
        }
    }

    /// What this command changes under a lead id or phone.
    fn claimants_of<'w>(&'w self, claim: &'w Identity) -> impl Iterator<Item = (Claimant, bool)> + 'w {
        let first = (claim.clone(), Claimant::Person(ContactId(0)));
        let of_claim = self.claimants.range(first..).take_while(move |((known, _), _)| known == claim);
        of_claim.map(|((_, claimant), is_there)| (*claimant, *is_there))
    }

    /// The people who claim a shared lead id or phone: all, or some two of them.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn two_claiming(&self, claim: &Identity) -> BooksResult<Vec<ContactId>> {
        let mut gone = Vec::new();
        let mut people = Vec::new();
        for (claimant, is_there) in self.claimants_of(claim) {
            if let Claimant::Person(contact) = claimant {
                if is_there { people.push(contact) } else { gone.push(contact) }
            }
        }
        people.extend(self.books.people_claiming(claim, gone.len() + 2)?.iter().filter(|known| !gone.contains(known)));
        people.truncate(2);
        Ok(people)
    }

    /// The purchases that are known by a lead id or phone alone which somebody claims.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn sales_known_by(&self, claim: &Identity) -> BooksResult<Vec<GroupId>> {
        let mut sales = self.books.sales_known_by(claim)?;
        for (claimant, is_there) in self.claimants_of(claim) {
            if let Claimant::Sale(group) = claimant {
                if is_there { sales.push(group) } else { sales.retain(|known| *known != group) }
            }
        }
        Ok(sales)
    }

    /// Whether any lead is kept.
    pub fn has_leads(&self) -> bool {
        self.books.has_leads()
    }

    /// Whether anybody was ever erased.
    pub fn has_erased(&self) -> bool {
        self.books.has_erased()
    }

    /// The nameless contact of an erased person who had an identity.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn erased(&mut self, identity: &Identity) -> BooksResult<Option<ContactId>> {
        self.books.erased(identity)?.map(|id| self.live_contact(id)).transpose()
    }

    /// What browsers said under a lead id.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn lead(&self, id: &str) -> BooksResult<Option<Lead>> {
        match self.leads.iter().find(|lead| lead.id == id) {
            Some(lead) => Ok(Some(lead.clone())),
            None => self.books.lead(id),
        }
    }

    /// The lead with an address that was written into a form, if its lead id stands for somebody.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn lead_by_email(&self, email: &str) -> BooksResult<Option<Lead>> {
        let lead = self.lead_of_email(email)?.map(|id| self.lead(&id)).transpose()?.flatten();
        Ok(lead.filter(|lead| {
            !lead.is_spoiled() && lead.person.email.as_ref().is_some_and(|known| known.as_str() == email)
        }))
    }

    /// The lead id under which an address was first written into a form.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn lead_of_email(&self, email: &str) -> BooksResult<Option<String>> {
        match self.lead_emails.iter().rev().find(|(known, _)| known == email) {
            Some((_, id)) => Ok(id.clone()),
            None => self.books.lead_by_email(email),
        }
    }

    /// Puts a lead, new or changed.
    pub fn put_lead(&mut self, lead: Lead, is_new: bool) {
        self.leads_begun += u64::from(is_new);
        self.leads.retain(|known| known.id != lead.id);
        self.leads.push(lead);
    }

    /// Notes under which lead id an address was written into a form, or that it no longer is.
    pub fn put_lead_email(&mut self, email: String, lead: Option<String>) {
        self.lead_emails.retain(|(known, _)| *known != email);
        self.lead_emails.push((email, lead));
    }

    /// The groups of a contact, this command's changes included.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn groups_of(&self, contact: ContactId) -> BooksResult<Vec<GroupId>> {
        self.groups_of_within(contact, Timestamp::from_millis(i64::MIN), Timestamp::FAR_FUTURE)
    }

    /// The groups of a contact: first those that this command has at hand, in no order; then the others, by the time of their
    /// money.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn groups_by_time(&self, contact: ContactId) -> BooksResult<(Vec<GroupId>, Vec<GroupId>)> {
        let all = self.groups_of(contact)?;
        Ok(all.into_iter().partition(|id| self.groups.known().any(|(known, _)| known == id)))
    }

    /// The groups of a contact whose money moved within a span, both ends included; this command's changes included.
    ///
    /// # Errors
    /// When they can't be read.
    pub fn groups_of_within(&self, contact: ContactId, from: Timestamp, to: Timestamp) -> BooksResult<Vec<GroupId>> {
        // Nothing on disk is of a contact that this command began.
        let mut groups =
            if self.is_new_contact(contact) { Vec::new() } else { self.books.groups_of(contact, from, to)? };
        for (id, group) in self.groups.known() {
            let listed = groups.iter().position(|known| known == id);
            let belongs = place(group).is_some_and(|(owner, at, _)| owner == contact && from <= at && at <= to);
            match listed {
                Some(at) if !belongs => {
                    groups.remove(at);
                }
                None if belongs => groups.push(*id),
                _ => {}
            }
        }
        Ok(groups)
    }

    /// Everything that changed, with every index worked out.
    pub fn finish(self) -> Changes {
        let mut changes = Changes {
            webhooks: self.webhooks,
            webhooks_again: self.webhooks_again,
            subscriptions: self.subscriptions,
            links: self.links,
            identities: self.identities,
            leads: self.leads,
            leads_begun: self.leads_begun,
            lead_emails: self.lead_emails,
            sales_told: self.sales_told,
            of_erased: self.of_erased,
            attempts: self.attempts,
            notices: self.notices,
            client_ids: self.client_ids,
            next_numbers: Some(self.next),
            ..Changes::default()
        };
        for (row, is_there) in self.claimants {
            let rows = if is_there { &mut changes.claimants_added } else { &mut changes.claimants_removed };
            rows.push(row);
        }
        for (before, now) in self.groups.changed() {
            changes.note_group(before.as_ref(), now);
        }
        changes.contacts.extend(self.contacts.changed().map(|(_, now)| now));
        for (before, now) in self.events.changed() {
            changes.note_business_event(before.as_ref(), now);
        }
        for (before, now) in self.syncs.changed() {
            changes.note_sync(before.as_ref(), now);
        }
        changes.drop_what_cancels_out();
        changes
    }
}
