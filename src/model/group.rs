//! Money objects that belong together, and what a subscription has been billed.

use super::business_event::Subject;
use super::contact::SubscriptionStanding;
use super::id::{BusinessEventId, ContactId, GroupId, Scope};
use super::money::Money;
use super::statement::ObjectState;
use super::time::Timestamp;

/// Linked money objects of one scope: one sale with its refunds and disputes. Kept for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its number.
    pub id: GroupId,
    /// Whose objects.
    pub scope: Scope,
    /// The group that this one proved to be part of; everything else here is then empty.
    pub merged_into: Option<GroupId>,
    /// Every object of which something was said, by kind and id.
    pub objects: Vec<ObjectState>,
    /// The person.
    pub contact: Option<ContactId>,
    /// Whether a source whose sales count has spoken of it.
    pub counted: bool,
    /// The business event of each fact, so that no fact has two.
    pub events: Vec<(Subject, BusinessEventId)>,
    /// When what waits for it to settle is sent; none when it has settled or nothing waits.
    pub settle_at: Option<Timestamp>,
    /// What this group has added to its contact's totals.
    pub contribution: Contribution,
}

impl Group {
    /// A group without objects.
    pub fn new(id: GroupId, scope: Scope) -> Self {
        Self {
            id,
            scope,
            merged_into: None,
            objects: Vec::new(),
            contact: None,
            counted: false,
            events: Vec::new(),
            settle_at: None,
            contribution: Contribution::default(),
        }
    }
}

/// What one group adds to a contact. A contact's books are the sum of its groups' contributions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contribution {
    /// Sale less refunds and lost disputes.
    pub net: Option<Money>,
    /// The sale, if there is one: when and how much, and whether it is a renewal.
    pub sale: Option<ContributedSale>,
    /// Refunds that did not fail.
    pub refunds: u32,
    /// Disputes that were lost and not reversed.
    pub disputes_lost: u32,
    /// The subscription that it is about, if it is about one.
    pub subscription: Option<ContributedSubscription>,
}

/// The subscription that a group adds to its contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContributedSubscription {
    /// Where it stands.
    pub standing: SubscriptionStanding,
    /// When it began, by the provider's time.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// The sale that a group adds to its contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContributedSale {
    /// By the provider's time.
    pub at: Timestamp,
    /// How much.
    pub amount: Money,
    /// Under which id.
    pub transaction_id: String,
    /// A later payment of a subscription.
    pub renewal: bool,
    /// How it was paid, as far as its objects tell.
    pub payment_method_type: Option<String>,
}

/// What is known of a subscription's paid invoices, as far as telling a first sale from a renewal needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionHistory {
    /// The earliest paid invoice above zero: by the provider's time, then by invoice id.
    pub first_paid: Option<BilledInvoice>,
    /// Whether an invoice over nothing was paid: a trial or a free start.
    pub started_free: bool,
    /// Whether any paid invoice above zero after the first is known.
    pub renewed: bool,
}

/// One paid invoice of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BilledInvoice {
    /// By the provider's time.
    pub at: Timestamp,
    /// Its id.
    pub invoice: String,
    /// The group it belongs to.
    pub group: GroupId,
}
