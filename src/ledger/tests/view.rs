//! Books without the numbers that depend on the order of arrival, so that two can be compared.

use super::books::Memory;
use crate::model::business_event::{EventFacts, Subject};
use crate::model::contact::Contact;
use crate::model::group::Contribution;
use crate::model::id::{ContactId, Mode};
use crate::model::statement::ObjectState;
use crate::model::time::Timestamp;

/// A group by what it holds.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupView {
    pub scope: String,
    pub objects: Vec<ObjectState>,
    pub events: Vec<EventView>,
    pub contribution: Contribution,
    pub contact: Option<ContactView>,
}

/// A business event by what it says.
#[derive(Clone, Debug, PartialEq)]
pub struct EventView {
    pub subject: Subject,
    pub kind: String,
    pub key: String,
    pub occurred_at: Timestamp,
    pub transaction_id: Option<String>,
    pub amount: Option<String>,
    pub facts: EventFacts,
}

/// A contact by what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ContactView(pub Contact);

/// Every group with its contact, in order of its objects.
pub fn view(books: &Memory) -> Vec<GroupView> {
    let contact = |id: ContactId| {
        let contact = &books.contacts[&id];
        ContactView(Contact { id: ContactId(0), mode: Mode::Live, ..contact.clone() })
    };
    let mut groups: Vec<GroupView> = books
        .live()
        .map(|group| {
            let mut events: Vec<EventView> = group
                .events
                .iter()
                .map(|(subject, id)| {
                    let event = &books.events[id];
                    EventView {
                        subject: subject.clone(),
                        kind: event.kind.name().to_owned(),
                        key: event.key.clone(),
                        occurred_at: event.occurred_at,
                        transaction_id: event.transaction_id.clone(),
                        amount: event.amount.map(|amount| amount.to_string()),
                        facts: event.facts.clone(),
                    }
                })
                .collect();
            events.sort_by(|a, b| a.subject.cmp(&b.subject));
            GroupView {
                scope: group.scope.to_string(),
                objects: group.objects.clone(),
                events,
                contribution: group.contribution.clone(),
                contact: group.contact.map(contact),
            }
        })
        .collect();
    groups.sort_by(|a, b| {
        let name = |group: &GroupView| (group.scope.clone(), group.objects.first().map(|state| state.object.clone()));
        name(a).cmp(&name(b))
    });
    groups
}
