//! The moment a business event is let go to a destination: what is fixed then, its place in the queue, and taking it back.

use super::books::BooksResult;
use super::likeness;
use super::rules::{DestinationRules, Rules};
use super::workspace::{Notice, Workspace};
use crate::destinations::{Admission, Style};
use crate::model::attribution::{Attribution, Consent};
use crate::model::business_event::{BusinessEvent, EventFacts, EventKind, Mark, Subject};
use crate::model::contact::Contact;
use crate::model::delivery::{Delivery, Frozen, Rule, Schedule, State};
use crate::model::group::Group;
use crate::model::id::{BusinessEventId, ContactId, DestinationId, Mode, Scope, WebhookId};
use crate::model::identity::IdentityKind;
use crate::model::time::Timestamp;
use crate::model::totals::SaleShares;

/// Puts a delivery into its destination's queue, and fixes what every attempt is rendered from; or suppresses it by rule.
///
/// # Errors
/// When the books can't be read.
pub fn release(workspace: &mut Workspace<'_>, destination: &DestinationRules, id: BusinessEventId) -> BooksResult<()> {
    let now = workspace.now;
    assume_consent(workspace, destination.consent_default, id)?;
    let (event, contact) = workspace.event_and_contact(id)?;
    let contact_id = contact.map(|contact| contact.id);
    let style = destination.destination.style();
    let deadline = destination.destination.deadline(event.occurred_at);
    let admission = destination.admit(event, contact);
    let suppressed = match admission {
        Admission::Suppress(rule @ (Rule::TestMode | Rule::Filtered)) => Some(rule),
        _ if deadline.is_some_and(|deadline| now > deadline) => Some(Rule::TooOld),
        Admission::Suppress(rule) => Some(rule),
        _ if style == Style::Contact && contact_id.is_none() => Some(Rule::NoContact),
        _ => None,
    };
    if suppressed == Some(Rule::TooOld) {
        let transaction_id = event.transaction_id.clone();
        workspace.notices.push(Notice::TooOld { destination: destination.id, transaction_id });
    }
    if suppressed.is_none() {
        freeze(workspace, id)?;
    }
    // What was fixed when it was first let go stays.
    let of_delivery = |delivery: &&Delivery| delivery.destination == destination.id;
    let known = workspace.business_event(id)?.deliveries.iter().find(of_delivery);
    let frozen = match (known.and_then(|known| known.frozen.clone()), suppressed, style) {
        (None, None, Style::Event) => Some(frozen(workspace, destination, id)?),
        (known, ..) => known,
    };
    let event = workspace.business_event_mut(id)?;
    let Some(delivery) = event.deliveries.iter_mut().find(|delivery| delivery.destination == destination.id) else {
        return Ok(());
    };
    delivery.schedule.settling = false;
    delivery.schedule.due_at = now;
    delivery.deadline = deadline;
    delivery.frozen = frozen;
    if let Some(rule) = suppressed {
        delivery.state = State::Suppressed { rule, at: now };
    } else if let (Style::Contact, Some(contact)) = (style, contact_id) {
        let due_at = match admission {
            Admission::Wait { at_most, .. } => now.after(at_most),
            _ => now,
        };
        enqueue(workspace, destination.id, contact, id, due_at)?;
    }
    Ok(())
}

/// What every attempt for an event destination is rendered from.
fn frozen(workspace: &mut Workspace<'_>, destination: &DestinationRules, id: BusinessEventId) -> BooksResult<Frozen> {
    let of_sale = browser_of_sale(workspace, destination, id)?;
    let (event, contact) = workspace.event_and_contact(id)?;
    let mut frozen = destination.destination.freeze(event, contact).unwrap_or_else(|| Frozen {
        kind: event.kind.clone(),
        client_id: None,
        synthetic: false,
    });
    let is_sale = event.kind.is_sale();
    if let Some(of_sale) = of_sale {
        (frozen.client_id, frozen.synthetic) = (of_sale.client_id, of_sale.synthetic);
    }
    if is_sale && frozen.client_id.is_some() {
        let count = &mut workspace.client_ids;
        *(if frozen.synthetic { &mut count.1 } else { &mut count.0 }) += 1;
    }
    Ok(frozen)
}

/// Fixes a business event's id and time, and with a refund's those of its sale: nothing of one group goes out under two ids.
fn freeze(workspace: &mut Workspace<'_>, id: BusinessEventId) -> BooksResult<()> {
    if let Some(sale) = sale_of_refund(workspace, id)? {
        let touch = workspace.business_event(sale)?.facts.attribution.clone();
        workspace.business_event_mut(id)?.facts.attribution.fill_from(&touch);
        workspace.business_event_mut(sale)?.frozen = true;
    }
    let (_, contact) = workspace.event_and_contact(id)?;
    let contact = contact.cloned();
    let event = workspace.business_event_mut(id)?;
    let before = if event.frozen { shares_of(&event.facts.attribution) } else { SaleShares::default() };
    event.frozen = true;
    if let Some(contact) = contact {
        describe(event, &contact);
    }
    if event.kind == EventKind::Purchase && event.scope.mode == Mode::Live {
        let shares = shares_of(&event.facts.attribution).beyond(before);
        workspace.sales_told.add(shares);
    }
    Ok(())
}

/// What a first sale adds to the shares of sales of which it is known where they came from.
fn shares_of(touch: &Attribution) -> SaleShares {
    let why = [
        &touch.utm_source,
        &touch.utm_medium,
        &touch.utm_campaign,
        &touch.utm_term,
        &touch.utm_content,
        &touch.gclid,
        &touch.gbraid,
        &touch.wbraid,
        &touch.fbclid,
    ];
    SaleShares {
        sales: 1,
        client_id: u64::from(touch.client_id.is_some()),
        session_id: u64::from(touch.session_id.is_some()),
        utm: u64::from(why.iter().any(|why| why.is_some())),
    }
}

/// Where nobody said what the person agrees to, the configuration's default holds, and the event says so.
fn assume_consent(workspace: &mut Workspace<'_>, default: Consent, id: BusinessEventId) -> BooksResult<()> {
    if default == Consent::default() {
        return Ok(());
    }
    let (event, contact) = workspace.event_and_contact(id)?;
    let said = contact.map(|contact| contact.consent).unwrap_or_default().overlaid_with(event.facts.consent);
    let missing = Consent {
        analytics: default.analytics.filter(|_| said.analytics.is_none()),
        ads: default.ads.filter(|_| said.ads.is_none()),
        email: default.email.filter(|_| said.email.is_none()),
    };
    if missing != Consent::default() {
        let facts = &mut workspace.business_event_mut(id)?.facts;
        facts.consent = missing.overlaid_with(facts.consent);
        if !facts.marks.contains(&Mark::ConsentByDefault) {
            facts.marks.push(Mark::ConsentByDefault);
        }
    }
    Ok(())
}

/// The sale that a refund or dispute takes from, if it is known.
fn sale_of_refund(workspace: &mut Workspace<'_>, id: BusinessEventId) -> BooksResult<Option<BusinessEventId>> {
    let event = workspace.business_event(id)?;
    let Some(group) = event.group.filter(|_| event.subject.is_taken_back()) else { return Ok(None) };
    Ok(likeness::sale_of(workspace, group)?.map(|(_, sale)| sale))
}

/// The browser under which an event destination was told of a refund's sale: the refund is told under the same.
fn browser_of_sale(
    workspace: &mut Workspace<'_>,
    destination: &DestinationRules,
    id: BusinessEventId,
) -> BooksResult<Option<Frozen>> {
    let Some(sale) = sale_of_refund(workspace, id)? else { return Ok(None) };
    let deliveries = &workspace.business_event(sale)?.deliveries;
    let of_sale = deliveries.iter().find(|delivery| delivery.destination == destination.id);
    Ok(of_sale.and_then(|delivery| delivery.frozen.clone()).filter(|frozen| frozen.client_id.is_some()))
}

/// Adds what is known of the person, at the moment a business event is first let go, to what its objects themselves say.
fn describe(event: &mut BusinessEvent, contact: &Contact) {
    let facts = &mut event.facts;
    // A renewal has no visit of its own: it stays with what brought the person here.
    let touches = match event.kind {
        EventKind::Renewal => [&contact.first_attribution, &contact.last_attribution],
        _ => [&contact.last_attribution, &contact.first_attribution],
    };
    let own = facts.attribution.clone();
    for touch in touches {
        facts.attribution.fill_from(touch);
    }
    if contact.lent_touches && facts.attribution != own && !facts.marks.contains(&Mark::LentTouches) {
        facts.marks.push(Mark::LentTouches);
    }
    // What the person agrees to is not lent: it would look as if it had been said with the event, and outlive a no that was
    // said before it and comes late.
    if facts.pricing_tier.is_none() {
        facts.pricing_tier.clone_from(&contact.pricing_tier);
    }
    if facts.lead_id.is_none() {
        facts.lead_id = contact.identity(IdentityKind::Lead).map(str::to_owned);
    }
    if facts.user_id.is_none() {
        facts.user_id = contact.identity(IdentityKind::User).map(str::to_owned);
    }
    if !event.kind.is_sale() {
        return;
    }
    if facts.returning.is_none() {
        facts.returning = Some(contact.customer_since.is_some_and(|since| since < event.occurred_at));
    }
    let first_touch = &contact.first_attribution;
    if facts.days_to_conversion.is_none() && !first_touch.is_empty() && first_touch.at <= event.occurred_at {
        let days = event.occurred_at.since(first_touch.at).as_secs() / 86_400;
        facts.days_to_conversion = u32::try_from(days).ok();
    }
}

/// Adds a business event to what a contact's next synchronisation completes.
///
/// # Errors
/// When the books can't be read.
pub fn enqueue(
    workspace: &mut Workspace<'_>,
    destination: DestinationId,
    contact: ContactId,
    event: BusinessEventId,
    due_at: Timestamp,
) -> BooksResult<()> {
    let now = workspace.now;
    let sync = workspace.sync(destination, contact)?;
    let due_at = sync.not_before(due_at);
    if sync.pending.is_empty() {
        sync.waiting_since = now;
        sync.schedule = Schedule { due_at, started_at: sync.schedule.started_at, ..Schedule::default() };
    } else {
        sync.schedule.due_at = sync.schedule.due_at.min(due_at);
    }
    if let Err(at) = sync.pending.binary_search(&event) {
        sync.pending.insert(at, event);
    }
    Ok(())
}

/// Takes a business event out of what a contact's next synchronisation completes.
///
/// # Errors
/// When the books can't be read.
pub fn dequeue(
    workspace: &mut Workspace<'_>,
    destination: DestinationId,
    contact: ContactId,
    event: BusinessEventId,
) -> BooksResult<()> {
    if workspace.existing_sync(destination, contact)?.is_some_and(|sync| sync.pending.contains(&event)) {
        workspace.sync(destination, contact)?.pending.retain(|pending| *pending != event);
    }
    Ok(())
}

/// More became known of a person: what waited for that is due, and what waits for something else is not.
///
/// # Errors
/// When the books can't be read.
pub fn wake_for_person(workspace: &mut Workspace<'_>, rules: &Rules, contact: ContactId) -> BooksResult<()> {
    let now = workspace.now;
    let contact = workspace.live_contact(contact)?;
    for destination in rules.destinations.iter().filter(|rules| rules.destination.style() == Style::Contact) {
        let waiting = workspace
            .existing_sync(destination.id, contact)?
            .filter(|sync| sync.schedule.due_at > now)
            .and_then(|sync| sync.pending.last().copied());
        let Some(newest) = waiting else { continue };
        let (event, person) = workspace.event_and_contact(newest)?;
        if !matches!(destination.destination.admit(event, person), Admission::Wait { .. }) {
            let sync = workspace.sync(destination.id, contact)?;
            sync.schedule.due_at = sync.not_before(now);
        }
    }
    Ok(())
}

/// Takes back what has not been sent of a business event, and what was refused: nobody should ask for it again. What was sent
/// stays as it was, and what may have been sent stays for a person to look at.
///
/// # Errors
/// When the books can't be read.
pub fn withdraw(workspace: &mut Workspace<'_>, id: BusinessEventId) -> BooksResult<()> {
    let now = workspace.now;
    let event = workspace.business_event(id)?;
    if !event.deliveries.iter().any(can_be_taken_back) {
        return Ok(());
    }
    let event = workspace.business_event_mut(id)?;
    let contact = event.contact;
    let mut queued = Vec::new();
    for delivery in event.deliveries.iter_mut().filter(|delivery| can_be_taken_back(delivery)) {
        if delivery.state == State::Pending && !delivery.schedule.settling && delivery.frozen.is_none() {
            queued.push(delivery.destination);
        }
        withdraw_delivery(delivery, now);
    }
    if let Some(contact) = contact {
        let contact = workspace.live_contact(contact)?;
        for destination in queued {
            dequeue(workspace, destination, contact, id)?;
        }
    }
    Ok(())
}

const fn can_be_taken_back(delivery: &Delivery) -> bool {
    match &delivery.state {
        State::Pending => true,
        State::Failed { .. } => !delivery.may_have_arrived,
        _ => false,
    }
}

/// Whether the books tell of a business event's fact by another event, or no longer. `group` is that of the event.
pub fn is_withdrawn(event: &BusinessEvent, group: Option<&Group>) -> bool {
    if event.group.is_none() {
        return false;
    }
    let is_listed = group.is_some_and(|group| group.events.iter().any(|(_, id)| *id == event.id));
    let told_elsewhere = |mark: &Mark| matches!(mark, Mark::Absorbed | Mark::ToldTwice);
    !is_listed || event.facts.marks.iter().any(told_elsewhere)
}

/// Whether a business event must not be sent any more to anybody who has not been told: it was withdrawn, or the money that it
/// took back was given back since.
pub fn is_undone(event: &BusinessEvent, group: Option<&Group>) -> bool {
    let reversal = match &event.subject {
        Subject::Refund(id) => Some(Subject::RefundCameBack(id.clone())),
        Subject::DisputeLost(id) => Some(Subject::DisputeReversed(id.clone())),
        _ => None,
    };
    let is_reversed = |reversal| group.is_some_and(|group| group.events.iter().any(|(known, _)| *known == reversal));
    is_withdrawn(event, group) || reversal.is_some_and(is_reversed)
}

/// Takes back one delivery.
pub(super) fn withdraw_delivery(delivery: &mut Delivery, now: Timestamp) {
    delivery.schedule.settling = false;
    delivery.state = State::Suppressed { rule: Rule::Withdrawn, at: now };
}

/// Whether a destination has been told, or may have been. One that said no has not.
pub(super) fn was_told(delivery: &Delivery) -> bool {
    matches!(delivery.state, State::Delivered { .. })
        || delivery.may_have_arrived
        || delivery.schedule.started_at.is_some()
}

/// What was told of a contact is no longer so: the contact destinations that were told are told again, as of a business event
/// of its own (`contact_changed`), so that this too ends in sight.
///
/// # Errors
/// When the books can't be read.
pub fn tell_again(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    scope: &Scope,
    webhook: WebhookId,
    contact: ContactId,
    destinations: &[DestinationId],
) -> BooksResult<()> {
    let contact = workspace.live_contact(contact)?;
    if workspace.contact(contact)?.erased {
        return Ok(());
    }
    let mut wanted = Vec::new();
    for rules in rules.destinations.iter().filter(|rules| destinations.contains(&rules.id)) {
        // What this very command gives it to send says the same.
        let pending = workspace.existing_sync(rules.id, contact)?.map_or(&[][..], |sync| &sync.pending);
        let newest = pending.last().copied();
        if newest.is_none_or(|newest| !workspace.is_new(newest)) && rules.modes.contains(&scope.mode) {
            wanted.push(rules);
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let now = workspace.now;
    let id = workspace.new_business_event_id();
    let delivery = |rules: &&DestinationRules| Delivery {
        destination: rules.id,
        state: State::Pending,
        generation: 0,
        schedule: Schedule { due_at: now, settling: true, ..Schedule::default() },
        last_status: None,
        may_have_arrived: false,
        deadline: None,
        frozen: None,
    };
    workspace.put_business_event(BusinessEvent {
        id,
        kind: EventKind::ContactChanged,
        key: format!("{scope}/{contact}/changed/{id}"),
        scope: scope.clone(),
        subject: Subject::Other("contact_changed".into()),
        group: None,
        contact: Some(contact),
        webhook,
        created_at: now,
        occurred_at: now,
        transaction_id: None,
        frozen: false,
        amount: None,
        facts: EventFacts::default(),
        deliveries: wanted.iter().map(delivery).collect(),
    });
    for rules in wanted {
        release(workspace, rules, id)?;
    }
    Ok(())
}
