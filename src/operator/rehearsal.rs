//! What a planned delivery would send, as it may be shown: nothing is sent and nothing is written.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value};

use crate::destinations::{Admission, Exchange, HttpRequest, HttpResponse, Job, Method, Step, Style};
use crate::ledger::books::{BooksError, BooksResult};
use crate::ledger::rules::{DestinationRules, Rules};
use crate::ledger::workspace::Workspace;
use crate::model::business_event::BusinessEvent;
use crate::model::contact::Contact;
use crate::model::delivery::{Delivery, Outcome, Rule, State};
use crate::model::id::{DeliveryId, DestinationId};

/// What would come of a planned delivery.
pub(super) enum Rehearsed {
    /// These requests: the first, and when that only looks for the person, what follows if nobody is found.
    Sends(Vec<Shown>),
    /// None, by this rule; which setting says so, where one does.
    Suppressed(Rule, Option<String>),
    /// None: the destination's own check ends it like this.
    Ends(Outcome),
    /// None: it waits, or it is not there.
    Nothing,
}

impl Rehearsed {
    /// Kept back by a rule; by which setting, where today's settings say so.
    pub(super) fn by_rule(
        rules: &DestinationRules,
        rule: Rule,
        event: &BusinessEvent,
        contact: Option<&Contact>,
    ) -> Self {
        let why = rules.why_not(event, contact);
        Self::Suppressed(rule, why.filter(|_| matches!(rule, Rule::TestMode | Rule::Filtered | Rule::NoConsent)))
    }
}

/// A request as it may be shown.
pub(super) struct Shown {
    /// Method, address and body, secrets left out and personal data masked.
    pub(super) request: String,
    /// Header fields; of a secret one only the name.
    pub(super) headers: Map<String, Value>,
}

impl Shown {
    fn of(request: &HttpRequest) -> Self {
        // The key of a rehearsal is not that of the attempt.
        let open = request.headers.iter().filter(|(name, _)| *name != "idempotency-key");
        let mut headers: Map<String, Value> =
            open.map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect();
        if let Some((name, _)) = &request.secret_header {
            headers.insert((*name).to_owned(), "…".into());
        }
        Self { request: request.shown(), headers }
    }
}

/// What a delivery that is planned in `workspace` would send.
///
/// # Errors
/// When the books can't be read, or the destination's code fails on it: that costs this delivery alone.
pub(super) fn rehearse(workspace: &mut Workspace<'_>, rules: &Rules, id: DeliveryId) -> BooksResult<Rehearsed> {
    catch_unwind(AssertUnwindSafe(|| first_requests(workspace, rules, id)))
        .unwrap_or_else(|_| Err(BooksError::Refused("a defect of tallyhook; its log says where".to_owned())))
}

fn first_requests(workspace: &mut Workspace<'_>, rules: &Rules, id: DeliveryId) -> BooksResult<Rehearsed> {
    let Some(rules) = rules.destination(id.destination) else { return Ok(Rehearsed::Nothing) };
    let event = workspace.business_event(id.event)?.clone();
    let Some(delivery) = delivery_of(&event, id.destination).cloned() else { return Ok(Rehearsed::Nothing) };
    let contact = match event.contact {
        Some(contact) => Some(workspace.contact(contact)?.clone()),
        None => None,
    };
    if let State::Suppressed { rule, .. } = delivery.state {
        return Ok(Rehearsed::by_rule(rules, rule, &event, contact.as_ref()));
    }
    let style = rules.destination.style();
    let (mut events, mut sync) = (vec![event], None);
    if let (Style::Contact, Some(contact)) = (style, &contact) {
        let known = workspace.sync(id.destination, contact.id)?.clone();
        events.clear();
        for pending in &known.pending {
            let event = workspace.business_event(*pending)?;
            if rules.admit(event, Some(contact)) == Admission::Send {
                events.push(event.clone());
            }
        }
        sync = Some(known);
    }
    if events.is_empty() {
        return Ok(Rehearsed::Nothing);
    }
    let key = id.to_string();
    let job = Job {
        key: &key,
        events: &events,
        delivery: (style == Style::Event).then_some(&delivery),
        contact: contact.as_ref(),
        sync: sync.as_ref(),
        now: workspace.now,
    };
    let request = match rules.destination.step(&job, &[]) {
        Step::Send(request) => request,
        Step::Done(finished) => return Ok(Rehearsed::Ends(finished.outcome)),
    };
    let mut shown = vec![Shown::of(&request)];
    if request.method == Method::Get {
        let nobody = HttpResponse { status: 200, retry_after: None, body: b"[]".to_vec(), headers: Vec::new() };
        if let Step::Send(next) = rules.destination.step(&job, &[Exchange { request, reply: Ok(nobody) }]) {
            shown.push(Shown::of(&next));
        }
    }
    Ok(Rehearsed::Sends(shown))
}

/// A business event's delivery to a destination.
pub(super) fn delivery_of(event: &BusinessEvent, destination: DestinationId) -> Option<&Delivery> {
    event.deliveries.iter().find(|delivery| delivery.destination == destination)
}
