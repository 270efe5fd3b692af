//! What the ledger needs to read of the books.

use crate::model::business_event::BusinessEvent;
use crate::model::contact::Contact;
use crate::model::delivery::ContactSync;
use crate::model::group::{Group, SubscriptionHistory};
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId, WebhookId};
use crate::model::identity::{Holder, Identity};
use crate::model::lead::Lead;
use crate::model::time::Timestamp;
use crate::model::webhook::Webhook;

/// Why the books can't be read.
#[derive(Debug, thiserror::Error)]
pub enum BooksError {
    /// The storage failed: nothing can be trusted until the file is opened again.
    #[error("the store can't be read: {0}")]
    Storage(String),
    /// One record can't be understood; everything else can.
    #[error("a record can't be read: {0}")]
    Record(String),
    /// What was asked for isn't there.
    #[error("{0}")]
    Missing(String),
    /// What was asked for can't be done, and why.
    #[error("{0}")]
    Refused(String),
}

/// The result of reading the books.
pub type BooksResult<T> = Result<T, BooksError>;

/// The books as of one moment, to be read.
pub trait Books {
    /// The group that an object's key (`stripe/-/live/pi_…`) belongs to.
    ///
    /// # Errors
    /// Like every method here: when the storage fails or the record can't be understood.
    fn link(&self, key: &str) -> BooksResult<Option<GroupId>>;
    /// A group.
    fn group(&self, id: GroupId) -> BooksResult<Option<Group>>;
    /// Who holds an identity.
    fn identity(&self, identity: &Identity) -> BooksResult<Option<Holder>>;
    /// The people who claim a shared lead id or phone, up to so many.
    fn people_claiming(&self, claim: &Identity, most: usize) -> BooksResult<Vec<ContactId>>;
    /// The purchases that are known by a lead id or phone alone which somebody claims.
    fn sales_known_by(&self, claim: &Identity) -> BooksResult<Vec<GroupId>>;
    /// A contact.
    fn contact(&self, id: ContactId) -> BooksResult<Option<Contact>>;
    /// A business event with its deliveries.
    fn business_event(&self, id: BusinessEventId) -> BooksResult<Option<BusinessEvent>>;
    /// A contact's standing with a contact destination.
    fn contact_sync(&self, destination: DestinationId, contact: ContactId) -> BooksResult<Option<ContactSync>>;
    /// What a subscription has been billed, by its key (`stripe/-/live/sub_…`).
    fn subscription(&self, key: &str) -> BooksResult<Option<SubscriptionHistory>>;
    /// The groups of a contact by the time of their money, within a span, both ends included.
    fn groups_of(&self, contact: ContactId, from: Timestamp, to: Timestamp) -> BooksResult<Vec<GroupId>>;
    /// A stored webhook.
    fn webhook(&self, id: WebhookId) -> BooksResult<Option<Webhook>>;
    /// Whether any lead is kept, so that who has none need not look for one. Must be cheap.
    fn has_leads(&self) -> bool;
    /// What browsers said under a lead id.
    fn lead(&self, id: &str) -> BooksResult<Option<Lead>>;
    /// The lead id under which an address was first written into a form.
    fn lead_by_email(&self, email: &str) -> BooksResult<Option<String>>;
    /// Whether anybody was ever erased, so that who was never asked for that need not look. Must be cheap.
    fn has_erased(&self) -> bool {
        false
    }
    /// The nameless contact of an erased person who had an identity.
    ///
    /// # Errors
    /// As above.
    fn erased(&self, _identity: &Identity) -> BooksResult<Option<ContactId>> {
        Ok(None)
    }
    /// The numbers that the next new things get.
    fn next_numbers(&self) -> NextNumbers;
}

/// The numbers that the next new things get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextNumbers {
    /// For a webhook.
    pub webhook: u64,
    /// For a group.
    pub group: u64,
    /// For a contact.
    pub contact: u64,
    /// For a business event.
    pub business_event: u64,
}
