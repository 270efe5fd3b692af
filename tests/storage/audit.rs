//! Everything in a store, read back, and whether it agrees with itself.

use std::collections::{BTreeMap, BTreeSet};

use tallyhook::ledger::books::Books;
use tallyhook::ledger::workspace::{Target, money_time};
use tallyhook::model::business_event::BusinessEvent;
use tallyhook::model::contact::Contact;
use tallyhook::model::delivery::{Attempt, ContactSync, Standing, State};
use tallyhook::model::group::Group;
use tallyhook::model::id::{BusinessEventId, ContactId, DestinationId, GroupId, WebhookId};
use tallyhook::model::refused::Refused;
use tallyhook::model::time::Timestamp;
use tallyhook::model::totals::Totals;
use tallyhook::model::webhook::Webhook;
use tallyhook::store::{Page, Snapshot, Store};

const ALL: Page = Page { before: None, limit: usize::MAX };
const EVER: (Timestamp, Timestamp) = (Timestamp::from_millis(i64::MIN), Timestamp::FAR_FUTURE);

/// Everything in a store.
#[derive(Debug, PartialEq)]
pub struct Contents {
    pub webhooks: Vec<Webhook>,
    /// The raw body of each webhook, and what its mark leads to.
    pub bodies: Vec<(WebhookId, Option<Vec<u8>>, Option<WebhookId>)>,
    pub groups: Vec<Group>,
    pub contacts: Vec<Contact>,
    pub events: Vec<BusinessEvent>,
    pub syncs: Vec<ContactSync>,
    pub attempts: Vec<(DestinationId, Target, u32, Attempt)>,
    pub standings: Vec<(DestinationId, Standing)>,
    pub destinations: Vec<(DestinationId, String)>,
    pub due: BTreeSet<(u16, i64, u64)>,
    pub settle: BTreeSet<(i64, u64)>,
    pub failed: BTreeSet<(u16, u64)>,
    pub contact_groups: BTreeSet<(u64, u64)>,
    pub totals: Totals,
    pub next: [u64; 4],
    pub rejected: Option<Vec<u8>>,
    /// Refused requests kept whole, with their bodies.
    pub refused: Vec<(Refused, Option<Vec<u8>>)>,
}

/// Reads everything.
pub fn contents(store: &Store) -> Contents {
    read(&store.reader().snapshot().unwrap())
}

fn read(snapshot: &Snapshot) -> Contents {
    let next = snapshot.next_numbers();
    let destinations = snapshot.destinations().unwrap();
    let ids: Vec<DestinationId> = destinations.iter().map(|(id, _)| *id).collect();
    let webhooks = snapshot.webhooks(ALL).unwrap();
    let events = snapshot.business_events(ALL).unwrap();
    let contacts: Vec<Contact> = (1..next.contact).filter_map(|id| snapshot.contact(ContactId(id)).unwrap()).collect();
    let targets = || {
        let events = (1..next.business_event).map(|id| Target::Event(BusinessEventId(id)));
        events.chain((1..next.contact).map(|id| Target::Contact(ContactId(id))))
    };
    let due = ids.iter().flat_map(|id| snapshot.due(*id, Timestamp::FAR_FUTURE, usize::MAX).unwrap());
    let settle = snapshot.settled(Timestamp::FAR_FUTURE, usize::MAX).unwrap();
    let refused = snapshot.refused().unwrap();
    let mut contents = Contents {
        bodies: webhooks
            .iter()
            .map(|webhook| {
                let body = snapshot.body(webhook.id, 1 << 20).unwrap();
                (webhook.id, body, snapshot.webhook_by_mark(&webhook.mark).unwrap())
            })
            .collect(),
        groups: (1..next.group).filter_map(|id| snapshot.group(GroupId(id)).unwrap()).collect(),
        syncs: Vec::new(),
        attempts: Vec::new(),
        standings: ids.iter().map(|id| (*id, snapshot.standing(*id).unwrap())).collect(),
        due: due.map(|due| (due.destination.0, due.at.millis(), due.target)).collect(),
        settle: settle.into_iter().map(|(at, group)| (at.millis(), group.0)).collect(),
        failed: BTreeSet::new(),
        contact_groups: BTreeSet::new(),
        totals: snapshot.totals().unwrap(),
        next: [next.webhook, next.group, next.contact, next.business_event],
        rejected: snapshot.rejected().unwrap(),
        refused: refused.into_iter().map(|kept| (kept.clone(), snapshot.refused_body(&kept).unwrap())).collect(),
        webhooks,
        contacts,
        events,
        destinations,
    };
    for id in &ids {
        contents
            .failed
            .extend(snapshot.failed(*id, None, usize::MAX).unwrap().into_iter().map(|event| (id.0, event.0)));
        let syncs = (1..next.contact).filter_map(|contact| snapshot.contact_sync(*id, ContactId(contact)).unwrap());
        contents.syncs.extend(syncs);
        for target in targets() {
            let rows = snapshot.attempts(*id, target).unwrap();
            contents.attempts.extend(rows.into_iter().map(|row| (*id, target, row.number, row.attempt)));
        }
    }
    for contact in &contents.contacts {
        let groups = snapshot.groups_of(contact.id, EVER.0, EVER.1).unwrap();
        contents.contact_groups.extend(groups.into_iter().map(|group| (contact.id.0, group.0)));
    }
    contents
}

/// Works out every index and count from the records alone and compares.
pub fn agree(contents: &Contents) {
    let mut due = BTreeSet::new();
    let mut failed = BTreeSet::new();
    let mut states: BTreeMap<DestinationId, [u64; 5]> = BTreeMap::new();
    let mut client_ids = (0, 0);
    for event in &contents.events {
        for delivery in &event.deliveries {
            states.entry(delivery.destination).or_default()[delivery.state.index()] += 1;
            let frozen = delivery.frozen.as_ref();
            if let Some(frozen) = frozen.filter(|frozen| frozen.client_id.is_some() && frozen.kind.is_sale()) {
                client_ids.0 += u64::from(!frozen.synthetic);
                client_ids.1 += u64::from(frozen.synthetic);
            }
            match delivery.state {
                State::Pending if !delivery.schedule.settling && frozen.is_some() => {
                    due.insert((delivery.destination.0, delivery.schedule.due_at.millis(), event.id.0));
                }
                State::Failed { .. } => {
                    failed.insert((delivery.destination.0, event.id.0));
                }
                _ => {}
            }
        }
    }
    for sync in contents.syncs.iter().filter(|sync| !sync.pending.is_empty()) {
        due.insert((sync.destination.0, sync.schedule.due_at.millis(), sync.contact.0));
    }
    let settle: BTreeSet<(i64, u64)> =
        contents.groups.iter().filter_map(|group| Some((group.settle_at?.millis(), group.id.0))).collect();
    let contact_groups: BTreeSet<(u64, u64)> = contents
        .groups
        .iter()
        .filter(|group| money_time(group).is_some())
        .filter_map(|group| Some((group.contact?.0, group.id.0)))
        .collect();
    assert_eq!(contents.due, due, "the due queues are those of the records");
    assert_eq!(contents.settle, settle, "what settles is what the groups say");
    assert_eq!(contents.failed, failed, "the failed queues are those of the records");
    assert_eq!(contents.contact_groups, contact_groups, "a contact's groups are those that name it");
    assert_eq!(contents.totals.destinations, states, "deliveries by state");
    assert_eq!((contents.totals.ga4_with_client_id, contents.totals.ga4_synthetic), client_ids, "client ids");
    assert_eq!(contents.totals.webhooks, contents.next[0] - 1, "every number was given to one webhook");
    let by_source: u64 = contents.totals.sources.values().map(|source| source.count).sum();
    assert_eq!(by_source, contents.totals.webhooks, "every webhook came from a source");
    let kept: u64 = contents.totals.sources.values().map(|source| source.refused).sum();
    assert_eq!(kept, contents.refused.len() as u64, "every kept request is counted");
    assert!(contents.refused.iter().all(|(_, body)| body.is_some()), "with its body");
    for (id, _, marked) in &contents.bodies {
        assert_eq!(*marked, Some(*id), "a webhook's mark leads to it");
    }
}
