//! Books, rules and a clock that only tests turn.

use std::time::Duration;

use super::books::Memory;
use super::stripe::Event;
use crate::destinations::Finished;
use crate::ledger::books::BooksResult;
use crate::ledger::intake::{Intake, Receipt};
use crate::ledger::result::Report;
use crate::ledger::rules::Rules;
use crate::ledger::workspace::{Due, Notice, Target, Workspace};
use crate::ledger::{count, leads, plan, result};
use crate::model::attribution::{Attribution, Consent};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::{Attempt, Delivery, Outcome, State};
use crate::model::envelope::Envelope;
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId};
use crate::model::identity::{Holder, Identity};
use crate::model::lead::{LeadPost, LeadReceipt};
use crate::model::statement::{Interpreted, Meaning, Person};
use crate::model::time::Timestamp;

/// When the tests begin: 2023-11-14T22:13:20Z.
pub const START: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

#[derive(Clone)]
pub struct House {
    pub books: Memory,
    pub rules: Rules,
    pub now: Timestamp,
    /// How many records of groups, contacts and claims the last command wrote.
    pub written: usize,
}

impl House {
    pub fn new(rules: Rules) -> Self {
        Self { books: Memory::new(), rules, now: START.after(Duration::from_secs(1)), written: 0 }
    }

    /// Runs one command and applies what it changes.
    pub fn run<T>(&mut self, plan: impl FnOnce(&mut Workspace<'_>, &Rules) -> BooksResult<T>) -> BooksResult<T> {
        let mut workspace = Workspace::new(&self.books, self.now);
        let value = plan(&mut workspace, &self.rules)?;
        let changes = workspace.finish();
        self.written = changes.groups.len() + changes.contacts.len() + changes.identities.len();
        self.written += changes.claimants_added.len() + changes.claimants_removed.len();
        self.books.apply(changes);
        Ok(value)
    }

    /// A webhook comes in now.
    pub fn take(&mut self, event: &Event) -> Receipt {
        let intake = Intake {
            source: event.source.clone(),
            interpreted: Some(Interpreted {
                provider_id: event.id.clone(),
                event_type: "made.by.a.test".into(),
                created: Some(event.statement.said_at),
                scope: event.scope.clone(),
                meaning: Meaning::Statement(Box::new(event.statement.clone())),
                notes: Vec::new(),
            }),
            provider_id: event.id.clone(),
            mark: format!("stripe/{}", event.id),
            mark_lives: None,
            envelope: Envelope::default(),
            received_at: self.now,
            body_bytes: 0,
            packed_body: Vec::new(),
        };
        self.run(|workspace, rules| count::plan_intake(workspace, rules, &intake)).unwrap()
    }

    /// A browser says something now.
    pub fn post(&mut self, lead_id: &str, say: impl FnOnce(&mut LeadPost)) -> LeadReceipt {
        let mut post = LeadPost {
            lead_id: lead_id.into(),
            at: self.now,
            first: Attribution::default(),
            last: Attribution::default(),
            consent: Consent::default(),
            person: Person::default(),
        };
        say(&mut post);
        self.run(|workspace, rules| leads::plan_lead(workspace, rules, &post, true)).unwrap()
    }

    pub fn take_all<'e>(&mut self, events: impl IntoIterator<Item = &'e Event>) {
        for event in events {
            self.take(event);
        }
    }

    /// Time passes; what has waited long enough is let go at its time.
    pub fn pass(&mut self, span: Duration) {
        let end = self.now.after(span);
        while let Some((at, group)) = self.books.settle.first().copied().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.settle(group);
            assert!(!self.books.settle.contains(&(at, group)), "{group} is let go for ever");
        }
        self.now = end;
    }

    pub fn seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    fn settle(&mut self, group: GroupId) {
        self.run(|workspace, rules| plan::plan_settle(workspace, rules, group)).unwrap();
    }

    pub fn check(&self) {
        self.books.check(&self.rules);
    }

    /// What is due now at a destination, each with what it would speak for.
    pub fn due(&self, destination: DestinationId) -> Vec<Due> {
        self.books.due.iter().filter(|due| due.destination == destination && due.at <= self.now).copied().collect()
    }

    fn target(&self, due: Due) -> Target {
        if self.rules.destination(due.destination).unwrap().destination.style() == crate::destinations::Style::Event {
            Target::Event(BusinessEventId(due.target))
        } else {
            Target::Contact(ContactId(due.target))
        }
    }

    /// The report of an attempt that begins now for a place in a queue.
    pub fn attempt(&self, due: Due, outcome: Outcome) -> Report {
        let target = self.target(due);
        let events = match target {
            Target::Event(id) => vec![id],
            Target::Contact(id) => self.books.syncs[&(due.destination, id)].pending.clone(),
        };
        let told: Vec<_> = events.into_iter().map(|id| (id, self.delivery(id, due.destination).generation)).collect();
        let attempt = Attempt {
            at: self.now,
            took_ms: 5,
            generation: told[0].1,
            sent: String::new(),
            status: Some(200),
            outcome: String::new(),
            excerpt: String::new(),
        };
        Report {
            destination: due.destination,
            target,
            told,
            dropped: Vec::new(),
            left: None,
            finished: Finished::new(outcome),
            attempt: Some(attempt),
            chance: 0.5,
            probe: false,
        }
    }

    pub fn report(&mut self, report: &Report) {
        self.run(|workspace, rules| result::plan_report(workspace, rules, report)).unwrap();
    }

    /// Everything that is due is delivered, until nothing is. Returns what was told: where, kind, transaction id, amount.
    pub fn deliver(&mut self) -> Vec<(DestinationId, BusinessEventId)> {
        let mut told = Vec::new();
        while let Some(due) = self.books.due.iter().find(|due| due.at <= self.now).copied() {
            let report = self.attempt(due, Outcome::Delivered);
            told.extend(report.told.iter().map(|(id, _)| (due.destination, *id)));
            self.report(&report);
        }
        told
    }

    pub fn event(&self, id: BusinessEventId) -> &BusinessEvent {
        &self.books.events[&id]
    }

    pub fn delivery(&self, id: BusinessEventId, destination: DestinationId) -> &Delivery {
        self.event(id).deliveries.iter().find(|delivery| delivery.destination == destination).unwrap()
    }

    pub fn state(&self, id: BusinessEventId, destination: DestinationId) -> &State {
        &self.delivery(id, destination).state
    }

    /// The business events of all groups, in order of their numbers.
    pub fn current(&self) -> Vec<&BusinessEvent> {
        let mut ids: Vec<_> = self.books.live().flat_map(|group| group.events.iter().map(|(_, id)| *id)).collect();
        ids.sort();
        ids.into_iter().map(|id| self.event(id)).collect()
    }

    /// The only business event of a kind.
    pub fn only(&self, kind: &EventKind) -> &BusinessEvent {
        let found: Vec<_> = self.current().into_iter().filter(|event| event.kind == *kind).collect();
        assert_eq!(found.len(), 1, "{kind}: {found:#?}");
        found[0]
    }

    /// The group of an object.
    pub fn group_of(&self, key: &str) -> GroupId {
        let mut id = self.books.links[key];
        while let Some(other) = self.books.groups[&id].merged_into {
            id = other;
        }
        id
    }

    pub fn contact_by(&self, identity: &Identity) -> Option<&Contact> {
        match self.books.identities.get(&identity.key())? {
            Holder::Contact(id) => Some(&self.books.contacts[&self.books.live_contact(*id)]),
            Holder::Shared | Holder::Lead(_) => None,
        }
    }

    pub fn people(&self) -> Vec<&Contact> {
        self.books.contacts.values().filter(|contact| contact.merged_into.is_none()).collect()
    }

    pub fn told_twice(&self) -> usize {
        self.books.notices.iter().filter(|notice| matches!(notice, Notice::ToldTwice { .. })).count()
    }
}
