//! Records of the books as rows. Ids only: no e-mail address, phone number or name gets into a row.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::desk::{Desk, broken, unread};
use crate::http::admin::OperatorError;
use crate::ledger::books::Books;
use crate::ledger::release;
use crate::ledger::rules::Rules;
use crate::ledger::workspace::Target;
use crate::model::business_event::BusinessEvent;
use crate::model::delivery::{ContactSync, Delivery, FailureClass, Rule, Schedule, Standing, State};
use crate::model::id::{ContactId, DeliveryId, DestinationId, Mode};
use crate::model::money::Money;
use crate::model::time::Timestamp;
use crate::model::webhook::Webhook;
use crate::store::{AttemptRow, Snapshot};

/// What a person can do about a failed delivery that must not be sent any more.
const UNDONE: &str = "another event tells of the same now, or it was taken back since, so it must not be sent: look at the destination, \
                      then `tallyhook failed discard ID --reason TEXT`";

/// Every destination ever configured.
pub(super) type Names = BTreeMap<DestinationId, String>;

/// A snapshot with what rows need besides.
pub(super) struct Reading<'a> {
    pub(super) snapshot: &'a Snapshot,
    names: &'a Names,
    standings: BTreeMap<DestinationId, Standing>,
    rules: Arc<Rules>,
    now: Timestamp,
}

impl<'a> Reading<'a> {
    /// Over a snapshot.
    pub(super) fn new(desk: &Desk, snapshot: &'a Snapshot, names: &'a Names) -> Result<Self, OperatorError> {
        let mut standings = BTreeMap::new();
        for id in names.keys() {
            standings.insert(*id, standing(desk, snapshot, *id)?);
        }
        Ok(Self { snapshot, names, standings, rules: desk.writer.rules(), now: desk.clock.now() })
    }

    /// Every destination ever configured.
    pub(super) const fn destinations(&self) -> &'a Names {
        self.names
    }

    /// A destination's name.
    pub(super) fn name(&self, id: DestinationId) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| format!("#{}", id.0))
    }

    /// A webhook as lists show it.
    pub(super) fn event_row(&self, webhook: &Webhook) -> Result<Value, OperatorError> {
        let mut business_events = Vec::new();
        for id in &webhook.business_events {
            if let Some(event) = self.snapshot.business_event(*id).map_err(unread)? {
                business_events.push(json!({
                    "id": event.id.to_string(),
                    "kind": event.kind.name(),
                    "key": event.key,
                    "amount": amount(event.amount),
                    "from_this_event": event.webhook == webhook.id,
                    "withdrawn": self.is_withdrawn(&event)?,
                }));
            }
        }
        Ok(json!({
            "id": webhook.id.to_string(),
            "source": webhook.source,
            "provider_id": webhook.provider_id,
            "type": webhook.event_type,
            "received_at": time(webhook.received_at),
            "created": webhook.created.map(time),
            "livemode": webhook.mode == Mode::Live,
            "status": webhook.status.name(),
            "notes": webhook.notes,
            "group": webhook.group.map(|group| group.to_string()),
            "business_events": business_events,
        }))
    }

    /// Whether the books tell of a business event's fact by another event, or no longer.
    pub(super) fn is_withdrawn(&self, event: &BusinessEvent) -> Result<bool, OperatorError> {
        let Some(group) = event.group else { return Ok(false) };
        let group = self.snapshot.group(group).map_err(unread)?;
        Ok(release::is_withdrawn(event, group.as_ref()))
    }

    /// Whether nobody may be sent it any more.
    pub(super) fn is_undone(&self, event: &BusinessEvent) -> Result<bool, OperatorError> {
        let group = event.group.map(|group| self.snapshot.group(group)).transpose().map_err(unread)?.flatten();
        Ok(release::is_undone(event, group.as_ref()))
    }

    /// A delivery as lists show it.
    pub(super) fn delivery_row(&self, event: &BusinessEvent, delivery: &Delivery) -> Result<Value, OperatorError> {
        let id = DeliveryId { event: event.id, destination: delivery.destination };
        let contact = self.survivor(event.contact)?;
        let schedule = self.schedule(event, delivery, contact)?;
        let name = self.name(delivery.destination);
        let pending = delivery.state == State::Pending;
        let mut row = json!({
            "id": id.to_string(),
            "destination": name,
            "kind": event.kind.name(),
            "key": event.key,
            "contact": contact.map(|contact| contact.to_string()),
            "state": delivery.state.name(),
            "attempts": schedule.attempts,
            "generation": delivery.generation,
            "next_attempt_at": if pending { self.next_attempt(delivery, &schedule).map(time) } else { None },
            "deadline": delivery.deadline.map(time),
            "reason": Value::Null,
            "last_status": delivery.last_status,
            "event": event.told_by().map(|webhook| webhook.to_string()),
            "transaction_id": event.transaction_id,
            "amount": amount(event.amount),
            "livemode": event.scope.mode == Mode::Live,
            "created_at": time(event.created_at),
        });
        match &delivery.state {
            State::Pending => row["waits_for"] = json!(self.waits_for(delivery, &schedule)),
            State::Delivered { at } => row["since"] = json!(time(*at)),
            State::Suppressed { rule, at } => {
                row["reason"] = json!(rule.name());
                row["explanation"] = json!(rule.sentence());
                row["since"] = json!(time(*at));
            }
            State::Failed { failure, at } => {
                row["reason"] = json!(format!("{}: {}", failure.class.name(), failure.explanation));
                row["class"] = json!(failure.class.name());
                let is_too_late = delivery.deadline.is_some_and(|deadline| self.now > deadline);
                let class = if is_too_late { FailureClass::DeadlinePassed } else { failure.class };
                let next_step = if self.is_undone(event)? { UNDONE } else { class.next_step() };
                row["next_step"] = json!(next_step.replace("NAME", &name).replace("ID", &id.to_string()));
                row["since"] = json!(time(*at));
            }
            State::Discarded { reason, at } => {
                row["reason"] = json!(reason);
                row["since"] = json!(time(*at));
            }
        }
        Ok(row)
    }

    /// A delivery as `show` shows it: with every attempt that is still kept.
    pub(super) fn delivery_story(&self, event: &BusinessEvent, delivery: &Delivery) -> Result<Value, OperatorError> {
        let mut row = self.delivery_row(event, delivery)?;
        let history: Vec<Value> = self.attempts(event, delivery)?.iter().map(attempt_row).collect();
        row["history"] = json!(history);
        row["marks"] = marks(event);
        if let State::Suppressed { rule, .. } = delivery.state
            && let Some(why) = self.why_suppressed(event, delivery, rule)?
        {
            row["explanation"] = json!(why);
        }
        Ok(row)
    }

    /// Which setting keeps a delivery back as things are now; or that none does any more.
    pub(super) fn why_suppressed(
        &self,
        event: &BusinessEvent,
        delivery: &Delivery,
        rule: Rule,
    ) -> Result<Option<String>, OperatorError> {
        if !matches!(rule, Rule::TestMode | Rule::Filtered | Rule::NoConsent) {
            return Ok(None);
        }
        let id = DeliveryId { event: event.id, destination: delivery.destination };
        let Some(rules) = self.rules.destination(delivery.destination) else {
            return Ok(Some("its destination is no longer configured".to_owned()));
        };
        if self.is_undone(event)? {
            return Ok(Some(
                "another event tells of the same now, or it was taken back since: it is not sent any more".to_owned(),
            ));
        }
        let contact = match self.survivor(event.contact)? {
            Some(id) => self.snapshot.contact(id).map_err(unread)?,
            None => None,
        };
        Ok(Some(rules.why_not(event, contact.as_ref()).unwrap_or_else(|| {
            format!("{}; nothing keeps it back any more: `tallyhook failed retry {id}` sends it", rule.sentence())
        })))
    }

    /// The contact that a contact turned out to be.
    pub(super) fn survivor(&self, contact: Option<ContactId>) -> Result<Option<ContactId>, OperatorError> {
        let Some(mut id) = contact else { return Ok(None) };
        while let Some(other) = self.snapshot.contact(id).map_err(unread)?.and_then(|contact| contact.merged_into) {
            id = other;
        }
        Ok(Some(id))
    }

    /// How a contact stands with each contact destination that knows it.
    pub(super) fn standings_of(&self, contact: ContactId) -> Result<Vec<Value>, OperatorError> {
        let mut rows = Vec::new();
        for (id, name) in self.names {
            let Some(sync) = self.sync(*id, Some(contact))? else { continue };
            rows.push(json!({
                "destination": name,
                // Some destinations know people by their address, which is not shown.
                "remote_id": sync.remote_id.filter(|id| !id.contains('@')),
                "left_over": sync.left_over.into_iter().filter(|id| !id.contains('@')).collect::<Vec<_>>(),
                "pending": sync.pending.len(),
                "next_attempt_at": (!sync.pending.is_empty()).then(|| time(sync.schedule.due_at)),
            }));
        }
        Ok(rows)
    }

    /// When a delivery is tried. What waits for its contact's synchronisation goes by that.
    fn schedule(
        &self,
        event: &BusinessEvent,
        delivery: &Delivery,
        contact: Option<ContactId>,
    ) -> Result<Schedule, OperatorError> {
        if delivery.state == State::Pending
            && !delivery.schedule.settling
            && let Some(sync) = self.sync(delivery.destination, contact)?
            && sync.pending.contains(&event.id)
        {
            return Ok(sync.schedule);
        }
        Ok(delivery.schedule.clone())
    }

    fn sync(
        &self,
        destination: DestinationId,
        contact: Option<ContactId>,
    ) -> Result<Option<ContactSync>, OperatorError> {
        match contact {
            Some(contact) => self.snapshot.contact_sync(destination, contact).map_err(unread),
            None => Ok(None),
        }
    }

    /// What keeps a pending delivery from being sent right now, as one word.
    fn waits_for(&self, delivery: &Delivery, schedule: &Schedule) -> Option<&'static str> {
        let standing = self.standings.get(&delivery.destination);
        match standing.map(standing_name) {
            _ if delivery.schedule.settling => Some("settling"),
            Some(state @ ("paused" | "held" | "open")) => Some(state),
            _ if standing.and_then(|standing| standing.not_before).is_some_and(|at| at > self.now) => Some("slow_down"),
            _ if schedule.due_at > self.now && schedule.attempts == 0 => Some("address"),
            _ if schedule.due_at > self.now => Some("next_attempt"),
            _ => None,
        }
    }

    /// When a pending delivery is tried next; none while its destination is paused.
    fn next_attempt(&self, delivery: &Delivery, schedule: &Schedule) -> Option<Timestamp> {
        let at = match self.standings.get(&delivery.destination) {
            Some(standing) if !delivery.schedule.settling => not_before(standing, schedule.due_at)?,
            _ => schedule.due_at,
        };
        (at < Timestamp::FAR_FUTURE).then_some(at)
    }

    /// The attempts of a delivery, oldest first. Those of a contact destination are kept for the contact; the ones made while
    /// this delivery waited are its own.
    fn attempts(&self, event: &BusinessEvent, delivery: &Delivery) -> Result<Vec<AttemptRow>, OperatorError> {
        let own = self.snapshot.attempts(delivery.destination, Target::Event(event.id)).map_err(broken)?;
        if !own.is_empty() || delivery.schedule.settling {
            return Ok(own);
        }
        let survivor = self.survivor(event.contact)?;
        let mut contacts: Vec<ContactId> = event.contact.into_iter().chain(survivor).collect();
        contacts.dedup();
        let ended_at = match &delivery.state {
            State::Pending => Timestamp::FAR_FUTURE,
            State::Delivered { at }
            | State::Suppressed { at, .. }
            | State::Failed { at, .. }
            | State::Discarded { at, .. } => *at,
        };
        let mut attempts = Vec::new();
        for contact in contacts {
            attempts.extend(self.snapshot.attempts(delivery.destination, Target::Contact(contact)).map_err(broken)?);
        }
        attempts.retain(|row| row.attempt.at >= event.created_at && row.attempt.at <= ended_at);
        Ok(attempts)
    }
}

/// What a destination's own state makes of the moment at which something is due; none while it is paused.
pub(super) fn not_before(standing: &Standing, due_at: Timestamp) -> Option<Timestamp> {
    if standing.paused {
        return None;
    }
    let held = standing.held.as_ref().map(|held| held.probe_at);
    let open = standing.breaker.open().map(|open| open.probe_at);
    [Some(due_at), standing.not_before, held, open].into_iter().flatten().max()
}

/// What a destination as a whole is doing: as the daemon has it, else as it was last written down.
pub(super) fn standing(desk: &Desk, snapshot: &Snapshot, id: DestinationId) -> Result<Standing, OperatorError> {
    match desk.live.as_ref().and_then(|live| live.standing(id)) {
        Some(standing) => Ok(standing),
        None => snapshot.standing(id).map_err(broken),
    }
}

/// The state of a destination in rows. A person's word comes first.
pub(super) fn standing_name(standing: &Standing) -> &'static str {
    if standing.paused {
        "paused"
    } else if standing.held.is_some() {
        "held"
    } else if standing.breaker.open().is_some() {
        "open"
    } else {
        "active"
    }
}

/// A moment as rows show it.
pub(super) fn time(at: Timestamp) -> String {
    at.to_string()
}

/// Money as rows show it, `49.90 EUR`.
pub(super) fn amount(money: Option<Money>) -> Option<String> {
    money.map(|money| money.to_string())
}

/// Remarks on how a business event was counted.
pub(super) fn marks(event: &BusinessEvent) -> Value {
    let marks = event.facts.marks.iter();
    marks.map(|mark| json!({"name": mark.name(), "sentence": mark.sentence()})).collect()
}

/// One attempt.
pub(super) fn attempt_row(row: &AttemptRow) -> Value {
    let attempt = &row.attempt;
    json!({
        "number": row.number,
        "at": time(attempt.at),
        "took_ms": attempt.took_ms,
        "generation": attempt.generation,
        "sent": attempt.sent,
        "status": attempt.status,
        "outcome": attempt.outcome,
        "excerpt": attempt.excerpt,
    })
}
