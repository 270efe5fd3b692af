//! Books in memory that take changes as strictly as any store could: nothing is given up that was not there.

use std::collections::{BTreeMap, BTreeSet};

use crate::destinations::Style;
use crate::ledger::books::{Books, BooksResult, NextNumbers};
use crate::ledger::rules::Rules;
use crate::ledger::workspace::{Changes, Due, Notice, Target, money_time};
use crate::model::business_event::{BusinessEvent, Subject};
use crate::model::contact::Contact;
use crate::model::delivery::{Attempt, ContactSync, State};
use crate::model::group::{Group, SubscriptionHistory};
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId, WebhookId};
use crate::model::identity::{Claimant, Holder, Identity};
use crate::model::lead::Lead;
use crate::model::money::Sums;
use crate::model::time::Timestamp;
use crate::model::totals::SaleShares;
use crate::model::webhook::Webhook;

/// The whole books.
#[derive(Clone, Debug)]
pub struct Memory {
    pub webhooks: BTreeMap<WebhookId, Webhook>,
    pub groups: BTreeMap<GroupId, Group>,
    pub contacts: BTreeMap<ContactId, Contact>,
    pub events: BTreeMap<BusinessEventId, BusinessEvent>,
    pub syncs: BTreeMap<(DestinationId, ContactId), ContactSync>,
    pub subscriptions: BTreeMap<String, SubscriptionHistory>,
    pub links: BTreeMap<String, GroupId>,
    pub identities: BTreeMap<String, Holder>,
    pub claimants: BTreeSet<(Identity, Claimant)>,
    pub leads: BTreeMap<String, Lead>,
    pub lead_emails: BTreeMap<String, String>,
    pub sales_told: SaleShares,
    pub attempts: Vec<(DestinationId, Target, Attempt)>,
    pub due: BTreeSet<Due>,
    pub settle: BTreeSet<(Timestamp, GroupId)>,
    pub failed: BTreeSet<(DestinationId, BusinessEventId)>,
    pub contact_groups: BTreeSet<(ContactId, Timestamp, GroupId)>,
    pub state_counts: BTreeMap<DestinationId, [i64; 5]>,
    pub notices: Vec<Notice>,
    pub next: NextNumbers,
}

impl Memory {
    pub fn new() -> Self {
        Self {
            webhooks: BTreeMap::new(),
            groups: BTreeMap::new(),
            contacts: BTreeMap::new(),
            events: BTreeMap::new(),
            syncs: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            links: BTreeMap::new(),
            identities: BTreeMap::new(),
            claimants: BTreeSet::new(),
            leads: BTreeMap::new(),
            lead_emails: BTreeMap::new(),
            sales_told: SaleShares::default(),
            attempts: Vec::new(),
            due: BTreeSet::new(),
            settle: BTreeSet::new(),
            failed: BTreeSet::new(),
            contact_groups: BTreeSet::new(),
            state_counts: BTreeMap::new(),
            notices: Vec::new(),
            next: NextNumbers { webhook: 1, group: 1, contact: 1, business_event: 1 },
        }
    }

    pub fn apply(&mut self, changes: Changes) {
        fn take<T: Ord + std::fmt::Debug>(set: &mut BTreeSet<T>, gone: Vec<T>) {
            for row in gone {
                assert!(set.remove(&row), "{row:?} was given up but not there");
            }
        }
        fn put<T: Ord + std::fmt::Debug + Clone>(set: &mut BTreeSet<T>, new: Vec<T>) {
            for row in new {
                assert!(set.insert(row.clone()), "{row:?} was taken twice");
            }
        }
        for webhook in changes.webhooks.into_iter().chain(changes.webhooks_again) {
            self.webhooks.insert(webhook.id, webhook);
        }
        self.groups.extend(changes.groups.into_iter().map(|group| (group.id, group)));
        self.contacts.extend(changes.contacts.into_iter().map(|contact| (contact.id, contact)));
        self.events.extend(changes.business_events.into_iter().map(|event| (event.id, event)));
        self.syncs.extend(changes.contact_syncs.into_iter().map(|sync| ((sync.destination, sync.contact), sync)));
        self.subscriptions.extend(changes.subscriptions);
        self.links.extend(changes.links);
        for (identity, holder) in changes.identities {
            match holder {
                Some(holder) => self.identities.insert(identity.key(), holder),
                None => self.identities.remove(&identity.key()),
            };
        }
        take(&mut self.claimants, changes.claimants_removed);
        put(&mut self.claimants, changes.claimants_added);
        self.leads.extend(changes.leads.into_iter().map(|lead| (lead.id.clone(), lead)));
        for (email, lead) in changes.lead_emails {
            match lead {
                Some(lead) => self.lead_emails.insert(email, lead),
                None => self.lead_emails.remove(&email),
            };
        }
        self.sales_told.add(changes.sales_told);
        self.attempts.extend(changes.attempts);
        take(&mut self.due, changes.due_removed);
        put(&mut self.due, changes.due_added);
        take(&mut self.settle, changes.settle_removed);
        put(&mut self.settle, changes.settle_added);
        take(&mut self.failed, changes.failed_removed);
        put(&mut self.failed, changes.failed_added);
        take(&mut self.contact_groups, changes.contact_groups_removed);
        put(&mut self.contact_groups, changes.contact_groups_added);
        for (destination, change) in changes.state_counts {
            let counts = self.state_counts.entry(destination).or_default();
            for (count, change) in counts.iter_mut().zip(change) {
                *count += change;
            }
        }
        self.notices.extend(changes.notices);
        self.next = changes.next_numbers.unwrap_or(self.next);
    }

    /// The live groups.
    pub fn live(&self) -> impl Iterator<Item = &Group> {
        self.groups.values().filter(|group| group.merged_into.is_none())
    }

    /// The contact that a contact is now.
    pub fn live_contact(&self, mut id: ContactId) -> ContactId {
        while let Some(other) = self.contacts[&id].merged_into {
            id = other;
        }
        id
    }

    /// Everything that must hold of any books at any time: indexes, sums, and that no delivery is out of sight.
    pub fn check(&self, rules: &Rules) {
        self.check_indexes();
        self.check_contacts();
        self.check_claims();
        self.check_groups();
        self.check_deliveries(rules);
    }

    fn check_indexes(&self) {
        let (mut due, mut failed, mut counts) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        for event in self.events.values() {
            for delivery in &event.deliveries {
                let of_destination: &mut [i64; 5] = counts.entry(delivery.destination).or_default();
                of_destination[delivery.state.index()] += 1;
                let destination = delivery.destination;
                if delivery.state == State::Pending && !delivery.schedule.settling && delivery.frozen.is_some() {
                    due.insert(Due { destination, at: delivery.schedule.due_at, target: event.id.0 });
                }
                if matches!(delivery.state, State::Failed { .. }) {
                    failed.insert((destination, event.id));
                }
            }
        }
        for sync in self.syncs.values().filter(|sync| !sync.pending.is_empty()) {
            due.insert(Due { destination: sync.destination, at: sync.schedule.due_at, target: sync.contact.0 });
        }
        assert_eq!(self.due, due);
        assert_eq!(self.failed, failed);
        let known: BTreeMap<_, _> = self
            .state_counts
            .iter()
            .filter(|(_, counts)| **counts != [0; 5])
            .map(|(id, counts)| (*id, *counts))
            .collect();
        assert_eq!(known, counts);
        let settle = self.groups.values().filter_map(|group| Some((group.settle_at?, group.id))).collect();
        assert_eq!(self.settle, settle);
        let places = self.groups.values().filter_map(|group| Some((group.contact?, money_time(group)?, group.id)));
        assert_eq!(self.contact_groups, places.collect());
    }

    fn check_contacts(&self) {
        for contact in self.contacts.values() {
            let mut expected = Contact::new(contact.id, contact.mode);
            let mut sums = Sums::default();
            for group in self.live().filter(|group| group.contact == Some(contact.id)) {
                assert!(contact.merged_into.is_none(), "{} went and has {}", contact.id, group.id);
                sums = group.contribution.net.into_iter().fold(sums, |mut sums, net| {
                    sums.add(net);
                    sums
                });
                expected.refunds += group.contribution.refunds;
                expected.disputes_lost += group.contribution.disputes_lost;
                if let Some(of_group) = &group.contribution.subscription {
                    let all = &mut expected.subscriptions;
                    all.running += u32::from(of_group.standing.running);
                    all.ended += u32::from(of_group.ended_at.is_some());
                    let starts = [all.first_started_at, of_group.started_at];
                    all.first_started_at = starts.into_iter().flatten().min();
                    all.last_ended_at = all.last_ended_at.max(of_group.ended_at);
                    all.newest = all.newest.clone().max(Some(of_group.standing.clone()));
                }
                if let Some(sale) = &group.contribution.sale {
                    *(if sale.renewal { &mut expected.renewals } else { &mut expected.purchases }) += 1;
                    let begun = (sale.at, sale.amount.currency);
                    let known = expected.customer_since.zip(expected.first_currency);
                    let first = known.map_or(begun, |known| known.min(begun));
                    (expected.customer_since, expected.first_currency) = (Some(first.0), Some(first.1));
                    let last = expected.last_sale.as_ref().map(|last| (last.at, last.transaction_id.clone()));
                    if last.is_none_or(|last| last < (sale.at, sale.transaction_id.clone())) {
                        expected.last_sale = Some(crate::model::contact::LastSale {
                            at: sale.at,
                            transaction_id: sale.transaction_id.clone(),
                            amount: crate::model::contact::SaleAmount(sale.amount),
                        });
                    }
                }
            }
            sums.drop_zeros();
            assert_eq!(contact.totals, sums, "{}", contact.id);
            assert_eq!(
                (contact.disputes_lost, &contact.subscriptions),
                (expected.disputes_lost, &expected.subscriptions),
                "{}",
                contact.id
            );
            assert_eq!(contact.first_currency, expected.first_currency, "{}", contact.id);
            assert_eq!(
                (contact.purchases, contact.renewals, contact.refunds, contact.customer_since, &contact.last_sale),
                (expected.purchases, expected.renewals, expected.refunds, expected.customer_since, &expected.last_sale),
                "{}",
                contact.id
            );
            for identity in &contact.identities {
                let Some(Holder::Contact(holder)) = self.identities.get(&identity.key()) else {
                    panic!("{} lists what it does not hold", contact.id)
                };
                assert_eq!(self.live_contact(*holder), contact.id);
            }
            assert!(contact.identities.is_sorted());
            assert!(contact.merged_into.is_none() || contact.identities.is_empty());
        }
    }

    fn check_groups(&self) {
        for group in self.live() {
            let sales = group.events.iter().filter(|(subject, _)| *subject == Subject::Sale).count();
            assert!(sales <= 1);
            for (subject, id) in &group.events {
                let event = &self.events[id];
                assert_eq!((&event.subject, event.group), (subject, Some(group.id)));
                assert_eq!(event.contact.map(|id| self.live_contact(id)), group.contact);
            }
            // What no group lists any more is taken back wherever it had not been told.
            for event in self.events.values().filter(|event| event.group == Some(group.id)) {
                if !group.events.iter().any(|(_, id)| *id == event.id) {
                    assert!(event.deliveries.iter().all(|delivery| delivery.state != State::Pending), "{}", event.id);
                }
            }
            assert!(group.objects.is_sorted_by(|a, b| a.object < b.object));
        }
        for group in self.groups.values().filter(|group| group.merged_into.is_some()) {
            assert!(group.objects.is_empty() && group.events.is_empty() && group.contact.is_none());
        }
    }

    /// Every pending delivery has a place in exactly one queue.
    fn check_deliveries(&self, rules: &Rules) {
        for event in self.events.values() {
            for delivery in &event.deliveries {
                let style = rules.destination(delivery.destination).unwrap().destination.style();
                let contact = event.contact.map(|id| self.live_contact(id));
                let queues: Vec<ContactId> = self
                    .syncs
                    .values()
                    .filter(|sync| sync.destination == delivery.destination && sync.pending.contains(&event.id))
                    .map(|sync| sync.contact)
                    .collect();
                let settles = delivery.schedule.settling;
                if delivery.state == State::Pending && settles {
                    let group = event.group.map(|id| &self.groups[&id]).unwrap();
                    assert!(group.settle_at.is_some_and(|at| at <= delivery.schedule.due_at), "{}", event.id);
                }
                if delivery.state == State::Pending && !settles && style == Style::Contact {
                    assert_eq!(queues, Vec::from_iter(contact), "{} at {}", event.id, delivery.destination.0);
                } else {
                    assert_eq!(queues, [], "{} at {}: {delivery:?}", event.id, delivery.destination.0);
                }
                assert!(delivery.state == State::Pending || !settles);
                assert!(style == Style::Event || delivery.frozen.is_none());
                if delivery.state == State::Pending && !settles && style == Style::Event {
                    assert!(delivery.frozen.is_some() && event.frozen);
                }
            }
        }
    }
}

impl Books for Memory {
    fn link(&self, key: &str) -> BooksResult<Option<GroupId>> {
        Ok(self.links.get(key).copied())
    }

    fn group(&self, id: GroupId) -> BooksResult<Option<Group>> {
        Ok(self.groups.get(&id).cloned())
    }

    fn identity(&self, identity: &Identity) -> BooksResult<Option<Holder>> {
        Ok(self.identities.get(&identity.key()).copied())
    }

    fn people_claiming(&self, claim: &Identity, most: usize) -> BooksResult<Vec<ContactId>> {
        let of_claim = self.claimants.iter().filter(|(known, _)| known == claim);
        let people = of_claim.filter_map(|(_, claimant)| match claimant {
            Claimant::Person(contact) => Some(*contact),
            Claimant::Sale(_) => None,
        });
        Ok(people.take(most).collect())
    }

    fn sales_known_by(&self, claim: &Identity) -> BooksResult<Vec<GroupId>> {
        let of_claim = self.claimants.iter().filter(|(known, _)| known == claim);
        let sales = of_claim.filter_map(|(_, claimant)| match claimant {
            Claimant::Sale(group) => Some(*group),
            Claimant::Person(_) => None,
        });
        Ok(sales.collect())
    }

    fn contact(&self, id: ContactId) -> BooksResult<Option<Contact>> {
        Ok(self.contacts.get(&id).cloned())
    }

    fn business_event(&self, id: BusinessEventId) -> BooksResult<Option<BusinessEvent>> {
        Ok(self.events.get(&id).cloned())
    }

    fn contact_sync(&self, destination: DestinationId, contact: ContactId) -> BooksResult<Option<ContactSync>> {
        Ok(self.syncs.get(&(destination, contact)).cloned())
    }

    fn subscription(&self, key: &str) -> BooksResult<Option<SubscriptionHistory>> {
        Ok(self.subscriptions.get(key).cloned())
    }

    fn groups_of(&self, contact: ContactId, from: Timestamp, to: Timestamp) -> BooksResult<Vec<GroupId>> {
        let of_contact =
            self.contact_groups.iter().filter(|(owner, at, _)| *owner == contact && (from..=to).contains(at));
        Ok(of_contact.map(|(_, _, group)| *group).collect())
    }

    fn webhook(&self, id: WebhookId) -> BooksResult<Option<Webhook>> {
        Ok(self.webhooks.get(&id).cloned())
    }

    fn has_leads(&self) -> bool {
        !self.leads.is_empty()
    }

    fn lead(&self, id: &str) -> BooksResult<Option<Lead>> {
        Ok(self.leads.get(id).cloned())
    }

    fn lead_by_email(&self, email: &str) -> BooksResult<Option<String>> {
        Ok(self.lead_emails.get(email).cloned())
    }

    fn next_numbers(&self) -> NextNumbers {
        self.next
    }
}
