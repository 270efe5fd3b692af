//! Everything one command writes, as a list: records, and the indexes worked out from them before and after.

use std::collections::BTreeMap;

use super::books::NextNumbers;
use crate::model::business_event::BusinessEvent;
use crate::model::contact::Contact;
use crate::model::delivery::{Attempt, ContactSync, State};
use crate::model::group::{Group, SubscriptionHistory};
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId};
use crate::model::identity::{Claimant, Holder, Identity};
use crate::model::lead::Lead;
use crate::model::time::Timestamp;
use crate::model::totals::SaleShares;
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
    /// Identities to give to holders; none for one that nobody holds any more.
    pub identities: Vec<(Identity, Option<Holder>)>,
    /// Who no longer stands under a lead id or phone.
    pub claimants_removed: Vec<(Identity, Claimant)>,
    /// Who now stands under one.
    pub claimants_added: Vec<(Identity, Claimant)>,
    /// Leads to put.
    pub leads: Vec<Lead>,
    /// How many of them are new.
    pub leads_begun: u64,
    /// Addresses written into forms, with their lead ids; none for one that is taken back.
    pub lead_emails: Vec<(String, Option<String>)>,
    /// First sales of live people that were let go, and what is known of where they came from.
    pub sales_told: SaleShares,
    /// Whether what came is of an erased person, so that its raw body is not kept.
    pub of_erased: bool,
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
    /// Two people proved to be one, of whom a destination has two records.
    SecondRecord {
        /// Which destination.
        destination: DestinationId,
        /// The id of the record that is kept up to date.
        kept: String,
        /// The id of the one that is left as it is.
        left_over: String,
    },
    /// Two sales proved to be one after both were told.
    ToldTwice {
        /// The business event that was told without need.
        event: BusinessEventId,
        /// The destination that was told of both; of several the first.
        destination: DestinationId,
        /// Under which id.
        transaction_id: Option<String>,
    },
}

impl Changes {
    /// Notes a group that changed, with its places in the indexes.
    pub(super) fn note_group(&mut self, before: Option<&Group>, now: Group) {
        let settle_before = before.and_then(|group| group.settle_at);
        if settle_before != now.settle_at {
            self.settle_removed.extend(settle_before.map(|at| (at, now.id)));
            self.settle_added.extend(now.settle_at.map(|at| (at, now.id)));
        }
        let (place_before, place_now) = (before.and_then(place), place(&now));
        if place_before != place_now {
            self.contact_groups_removed.extend(place_before);
            self.contact_groups_added.extend(place_now);
        }
        self.groups.push(now);
    }

    /// Notes a business event that changed, with the places and counts of its deliveries.
    pub(super) fn note_business_event(&mut self, before: Option<&BusinessEvent>, now: BusinessEvent) {
        if before.is_none_or(|before| before.deliveries != now.deliveries) {
            if let Some(before) = before {
                self.note_deliveries(before, -1);
            }
            self.note_deliveries(&now, 1);
        }
        self.business_events.push(now);
    }

    /// Notes a contact's standing that changed, with its place in the due queue.
    pub(super) fn note_sync(&mut self, before: Option<&ContactSync>, now: ContactSync) {
        let (due_before, due_now) = (before.and_then(sync_due), sync_due(&now));
        if due_before != due_now {
            self.due_removed.extend(due_before);
            self.due_added.extend(due_now);
        }
        self.contact_syncs.push(now);
    }

    fn note_deliveries(&mut self, event: &BusinessEvent, sign: i64) {
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

    /// Takes out what is given up and taken again.
    pub(super) fn drop_what_cancels_out(&mut self) {
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

/// A group's place among those of its contact.
pub(super) fn place(group: &Group) -> Option<(ContactId, Timestamp, GroupId)> {
    Some((group.contact?, money_time(group)?, group.id))
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
