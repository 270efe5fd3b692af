//! Looks at every row once: whether it can be read, and whether the running counts are those of the rows.
//!
//! It keeps counts only, so that books of any size can be looked at while they stream by.

use std::collections::BTreeMap;

use crate::model::delivery::State;
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId, WebhookId};
use crate::model::totals::Totals;
use crate::store::numbers::Numbers;
use crate::store::record;

/// The largest body that is unpacked to see whether it can be, in bytes.
const LARGEST_BODY: usize = 1 << 30;

/// What was seen of the rows.
#[derive(Debug, Default)]
pub(in crate::store) struct Audit {
    /// What can't be read, by what it is: how many, and why the first one.
    unreadable: BTreeMap<&'static str, (u64, String)>,
    /// Deliveries of each destination by state, from the business events.
    states: BTreeMap<DestinationId, [u64; 5]>,
    /// Rows of each destination's due queue, and how many there should be.
    due: BTreeMap<u16, [u64; 2]>,
    /// Rows of each destination's failed queue.
    failed: BTreeMap<DestinationId, u64>,
    refused: u64,
    totals: Option<Totals>,
}

impl Audit {
    /// Deliveries in all.
    pub(super) fn deliveries(&self) -> u64 {
        self.states.values().flatten().sum()
    }

    /// What is wrong, each in a sentence without personal data.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> = self
            .unreadable
            .iter()
            .map(|(what, (count, why))| match count {
                1 => format!("1 record of {what} can't be read: {why}"),
                several => format!("{several} records of {what} can't be read; the first one: {why}"),
            })
            .collect();
        if !faults.is_empty() {
            // Counts can't agree with what can't be read.
            return faults;
        }
        for (destination, [found, wanted]) in &self.due {
            if found != wanted {
                faults.push(format!(
                    "destination {destination} has {found} rows in its due queue where {wanted} deliveries are due"
                ));
            }
        }
        for (destination, states) in &self.states {
            let queued = self.failed.get(destination).copied().unwrap_or(0);
            if queued != states[3] {
                let (destination, failed) = (destination.0, states[3]);
                faults.push(format!(
                    "destination {destination} has {queued} rows in its failed queue where {failed} deliveries failed"
                ));
            }
        }
        let Some(totals) = &self.totals else { return faults };
        let counted = |states: &BTreeMap<DestinationId, [u64; 5]>| -> BTreeMap<DestinationId, [u64; 5]> {
            states.iter().filter(|(_, states)| states.iter().any(|count| *count > 0)).map(|(id, s)| (*id, *s)).collect()
        };
        if counted(&totals.destinations) != counted(&self.states) {
            faults.push("the running counts of deliveries are not those of the deliveries".to_owned());
        }
        if totals.sources.values().map(|source| source.refused).sum::<u64>() != self.refused {
            faults.push("the running count of kept requests is not that of the requests".to_owned());
        }
        faults
    }

    fn read<T>(&mut self, what: &'static str, read: Result<T, impl ToString>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(error) => {
                let entry = self.unreadable.entry(what).or_insert_with(|| (0, error.to_string()));
                entry.0 += 1;
                None
            }
        }
    }
}

pub(super) fn meta(key: &str, bytes: &[u8], audit: &mut Audit) {
    if key == "numbers" {
        audit.totals = audit.read("meta", Numbers::decode(bytes)).map(|numbers| numbers.totals);
    }
}

pub(super) fn webhook(id: u64, bytes: &[u8], audit: &mut Audit) {
    audit.read("webhooks", record::webhook::decode(WebhookId(id), bytes));
}

pub(super) fn body(_: u64, packed: &[u8], audit: &mut Audit) {
    audit.read("bodies", crate::store::body::decompress(packed, LARGEST_BODY));
}

pub(super) fn group(id: u64, bytes: &[u8], audit: &mut Audit) {
    audit.read("groups", record::group::decode(GroupId(id), bytes));
}

pub(super) fn contact(id: u64, bytes: &[u8], audit: &mut Audit) {
    audit.read("contacts", record::contact::decode(ContactId(id), bytes));
}

pub(super) fn identity(_: &str, bytes: &[u8], audit: &mut Audit) {
    audit.read("identities", record::holder::decode(bytes));
}

pub(super) fn subscription(_: &str, bytes: &[u8], audit: &mut Audit) {
    audit.read("subscriptions", record::subscription::decode(bytes));
}

pub(super) fn business_event(id: u64, bytes: &[u8], audit: &mut Audit) {
    let event = record::business_event::decode(BusinessEventId(id), bytes);
    let Some(event) = audit.read("business_events", event) else { return };
    for delivery in &event.deliveries {
        audit.states.entry(delivery.destination).or_default()[delivery.state.index()] += 1;
        // A contact destination's due row is its contact's, and nothing is frozen for it.
        if delivery.state == State::Pending && !delivery.schedule.settling && delivery.frozen.is_some() {
            audit.due.entry(delivery.destination.0).or_default()[1] += 1;
        }
    }
}

pub(super) fn contact_sync((destination, contact): (u16, u64), bytes: &[u8], audit: &mut Audit) {
    let sync = record::contact_sync::decode(DestinationId(destination), ContactId(contact), bytes);
    if audit.read("contact_syncs", sync).is_some_and(|sync| !sync.pending.is_empty()) {
        audit.due.entry(destination).or_default()[1] += 1;
    }
}

pub(super) fn due((destination, _, _): (u16, i64, u64), (): (), audit: &mut Audit) {
    audit.due.entry(destination).or_default()[0] += 1;
}

pub(super) fn failed((destination, _): (u16, u64), (): (), audit: &mut Audit) {
    *audit.failed.entry(DestinationId(destination)).or_default() += 1;
}

pub(super) fn attempt(_: (u16, u8, u64, u32), bytes: &[u8], audit: &mut Audit) {
    audit.read("attempts", record::attempt::decode(bytes));
}

pub(super) fn standing(_: u16, bytes: &[u8], audit: &mut Audit) {
    audit.read("standings", record::standing::decode(bytes));
}

pub(super) fn refused((source, id): (&str, u64), bytes: &[u8], audit: &mut Audit) {
    audit.refused += 1;
    audit.read("refused", record::refused::decode(source, id, bytes));
}

pub(super) fn lead(id: &str, bytes: &[u8], audit: &mut Audit) {
    audit.read("leads", record::lead::decode(id, bytes));
}
