//! What happens to a subscription: that it began, changed and ended, and what it adds to its contact. Its money comes with its
//! invoices, which are sales of their own; a subscription is a group by itself and never makes one sale of them.
//!
//! Everything here is a function of the set of statements, so that each event carries what the one that told of it said, and
//! not how the subscription stood when it happened to be counted.

use super::derive::{Derived, Draft, objects};
use crate::model::business_event::{EventFacts, EventKind, Subject, SubscriptionFacts};
use crate::model::contact::SubscriptionStanding;
use crate::model::group::{ContributedSubscription, Group};
use crate::model::statement::{ObjectKind, ObjectState};
use crate::model::subscription::{SubscriptionChange, SubscriptionState, SubscriptionStatus, SubscriptionTerms};
use crate::model::time::Timestamp;

/// Adds what happened to a group's subscription, if it is about one. None of it is money.
pub(super) fn derive(group: &Group, facts: &EventFacts, derived: &mut Derived) {
    let mut subscriptions = objects(group, ObjectKind::Subscription);
    let Some((state, life)) = subscriptions.find_map(|state| Some((state, state.life.as_ref()?))) else { return };
    let told = Told { id: &state.object.id, facts };
    if let Some(start) = &life.start {
        let subject = Subject::SubscriptionStarted;
        derived.drafts.push(told.draft(
            subject,
            EventKind::SubscriptionStarted,
            "started",
            start.at,
            &start.terms,
            &[],
        ));
    }
    for change in &life.changes {
        let subject = Subject::SubscriptionChanged(change.event_id.clone());
        let name = format!("changed/{}", change.event_id);
        let kind = EventKind::SubscriptionChanged;
        derived.drafts.push(told.draft(subject, kind, &name, change.at, &change.terms, &change.what));
    }
    if let Some(ended_at) = life.end() {
        // What it was at its end: the newest word says it.
        let terms =
            SubscriptionTerms { status: SubscriptionStatus::Ended, ends_at: Some(ended_at), ..life.terms.clone() };
        let subject = Subject::SubscriptionEnded;
        derived.drafts.push(told.draft(subject, EventKind::SubscriptionEnded, "ended", ended_at, &terms, &[]));
    }
    derived.contribution.subscription = Some(contribution(state, life));
}

/// What a subscription's drafts have in common.
struct Told<'a> {
    id: &'a str,
    facts: &'a EventFacts,
}

impl Told<'_> {
    fn draft(
        &self,
        subject: Subject,
        kind: EventKind,
        name: &str,
        occurred_at: Timestamp,
        terms: &SubscriptionTerms,
        changes: &[SubscriptionChange],
    ) -> Draft {
        let subscription = SubscriptionFacts {
            id: self.id.to_owned(),
            status: terms.status,
            plan: terms.plan.clone(),
            price: terms.price,
            changes: changes.to_vec(),
            ends_at: terms.ends_at,
        };
        Draft {
            subject,
            also: Vec::new(),
            kind,
            object: format!("{}/{name}", self.id),
            occurred_at,
            transaction_id: None,
            amount: None,
            strong: true,
            undone: false,
            facts: EventFacts { subscription: Some(subscription), ..self.facts.clone() },
        }
    }
}

fn contribution(state: &ObjectState, life: &SubscriptionState) -> ContributedSubscription {
    ContributedSubscription {
        standing: SubscriptionStanding {
            running: life.is_running(),
            said_at: state.said_at,
            id: state.object.id.clone(),
            status: life.status(),
            plan: life.terms.plan.clone(),
        },
        started_at: life.start.as_ref().map(|start| start.at),
        ended_at: life.end(),
    }
}
