//! Brings a group's business events in line with what the group amounts to.

use super::billing::subscription_of;
use super::books::BooksResult;
use super::contacts;
use super::count::object_key;
use super::derive::{Circumstances, Derived, Draft, Partner, derive, objects};
use super::fold;
use super::join::{retire, told_contact_destinations};
use super::likeness::{self, OtherHalf};
use super::occasion::{Occasion, Wait};
use super::plan;
use super::release::{self, was_told};
use super::rules::Count;
use super::workspace::Workspace;
use crate::model::business_event::{BusinessEvent, EventFacts, Mark, Subject};
use crate::model::delivery::{Delivery, Rule, State};
use crate::model::group::Group;
use crate::model::id::{BusinessEventId, DestinationId, GroupId};
use crate::model::statement::ObjectKind;
use crate::model::time::Timestamp;

/// Business events that a group remembers besides those that its objects tell of now.
const MOST_KEPT: usize = 100;

/// A draft with the business event that tells of it.
struct Matched {
    id: BusinessEventId,
    draft: Draft,
    /// Whether destinations that have no delivery of it get one.
    fresh: bool,
}

/// Brings a group's business events, its contact's books and what is to be sent in line with what the group now amounts to.
/// Returns the business events that it has.
///
/// # Errors
/// When the books can't be read.
pub fn reconcile(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    group: GroupId,
) -> BooksResult<Vec<BusinessEventId>> {
    let record = workspace.exact_group(group)?;
    // A source whose sales don't count still tells of everything else.
    if !record.counted && !tells_of_more_than_money(record) {
        return Ok(Vec::new());
    }
    let other = other_half_of(workspace, occasion, group)?;
    let derived = derive_now(workspace, occasion, group, other)?;

    let matched = match_events(workspace, occasion, group, other, derived.drafts)?;
    let record = workspace.exact_group(group)?;
    let (contact, before) = (record.contact, record.contribution.clone());
    if before != derived.contribution {
        workspace.group_mut(group)?.contribution.clone_from(&derived.contribution);
    }
    if let Some(contact) = contact {
        contacts::contribute(workspace, contact, &before, &derived.contribution)?;
    }
    let mut outdated: Vec<DestinationId> = Vec::new();
    for Matched { id, draft, fresh } in &matched {
        if !workspace.is_new(*id) && revise(workspace, *id, draft)? {
            outdated.extend(told_contact_destinations(occasion, workspace.business_event(*id)?));
        }
        let wait = wait_of(workspace, occasion, &matched, other, draft)?;
        plan::plan_deliveries(workspace, occasion.rules, *id, wait, *fresh)?;
    }
    if let (Some(contact), false) = (contact, outdated.is_empty()) {
        release::tell_again(workspace, occasion.rules, occasion.scope, occasion.webhook, contact, &outdated)?;
    }
    plan::note_settling(workspace, group)?;
    Ok(matched.into_iter().map(|matched| matched.id).collect())
}

/// Whether anything happens to a group's objects besides money: what becomes of a subscription, an appointment, a lead.
fn tells_of_more_than_money(group: &Group) -> bool {
    objects(group, ObjectKind::Subscription).next().is_some()
        || group.objects.iter().any(|state| state.booking.is_some() || !state.happened.is_empty())
}

/// The other half of a group, by likeness. Where only payments count, there are no halves.
fn other_half_of(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    group: GroupId,
) -> BooksResult<Option<OtherHalf>> {
    match occasion.source.count {
        Count::PaymentIntents => Ok(None),
        Count::Auto | Count::CheckoutAndInvoices => likeness::other_half(workspace, group),
    }
}

/// What a group amounts to at this moment.
fn derive_now(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    group: GroupId,
    other: Option<OtherHalf>,
) -> BooksResult<Derived> {
    let partner = match other {
        Some(other) => Some(workspace.exact_group(other.group)?.clone()),
        None => None,
    };
    let record = workspace.exact_group(group)?;
    let subscription = subscription_of(record).or_else(|| subscription_of(partner.as_ref()?));
    let subscription = subscription.map(|subscription| object_key(&record.scope, subscription));
    let history = match subscription {
        Some(key) => Some(workspace.subscription(&key)?),
        None => None,
    };
    let frozen_id = match other {
        // A pair can part again: an id that only something taken back has gone out under stays with that half.
        Some(other) => frozen_id(workspace, if other.leads { group } else { other.group }, true)?,
        None => frozen_id(workspace, group, false)?,
    };
    let partner =
        other.zip(partner.as_ref()).map(|(other, group)| Partner { group, side: other.side, leads: other.leads });
    Ok(derive(
        workspace.exact_group(group)?,
        &Circumstances {
            partner,
            history: history.as_ref(),
            frozen_id: frozen_id.as_deref(),
            count: occasion.source.count,
            order_ids: occasion.source.order_ids,
        },
    ))
}

/// The id under which a group's sale has gone out, or is about to; else that of its first refund, unless that went out under
/// the id of a half that has parted since.
fn frozen_id(workspace: &mut Workspace<'_>, group: GroupId, only_sale: bool) -> BooksResult<Option<String>> {
    let mut events: Vec<(bool, BusinessEventId)> = workspace
        .exact_group(group)?
        .events
        .iter()
        .filter(|(subject, _)| *subject == Subject::Sale || (subject.is_taken_back() && !only_sale))
        .map(|(subject, id)| (*subject != Subject::Sale, *id))
        .collect();
    events.sort();
    for (is_taken_back, id) in events {
        let event = workspace.business_event(id)?;
        if !event.frozen {
            continue;
        }
        let frozen = event.transaction_id.clone();
        let record = workspace.exact_group(group)?;
        if !is_taken_back || frozen.as_deref().is_some_and(|frozen| bears(record, frozen)) {
            return Ok(frozen);
        }
    }
    Ok(None)
}

/// Whether an id is of a group's own objects, of one they name, or the merchant's for them.
fn bears(group: &Group, id: &str) -> bool {
    group.objects.iter().any(|state| {
        state.object.id == id
            || state.links.iter().any(|link| link.id == id)
            || state.tags.order_id.as_deref() == Some(id)
    })
}

/// Finds the business event of each draft, begins those that are missing, and withdraws what no draft tells of any more.
fn match_events(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    group: GroupId,
    other: Option<OtherHalf>,
    drafts: Vec<Draft>,
) -> BooksResult<Vec<Matched>> {
    let record = workspace.exact_group(group)?;
    let mut known = record.events.clone();
    let mut ids: Vec<Option<BusinessEventId>> = vec![None; drafts.len()];
    let mut take = |wanted: &Subject| {
        let at = known.iter().position(|(subject, _)| subject == wanted)?;
        Some(known.swap_remove(at).1)
    };
    for (draft, id) in drafts.iter().zip(&mut ids) {
        *id = take(&draft.subject);
    }
    for (draft, id) in drafts.iter().zip(&mut ids).filter(|(_, id)| id.is_none()) {
        *id = draft.also.iter().find_map(&mut take);
    }
    let mut kept = Vec::new();
    let lacks_words = fold::lacks_words(&workspace.exact_group(group)?.objects);
    for (subject, id) in known {
        match other {
            Some(other) if subject == Subject::Sale && !other.leads => {
                if absorb(workspace, occasion, other.group, id)? {
                    kept.push((subject, id));
                }
            }
            _ => {
                release::withdraw(workspace, id)?;
                // The word that told of it may be one that is kept no longer: it is remembered, lest it be told twice.
                let is_told = workspace.business_event(id)?.deliveries.iter().any(was_told);
                if lacks_words && is_told && matches!(subject, Subject::Other(_)) {
                    kept.push((subject, id));
                }
            }
        }
    }
    kept.sort_by_key(|(_, id)| *id);
    kept.drain(..kept.len().saturating_sub(MOST_KEPT));
    let mut matched = Vec::with_capacity(drafts.len());
    for (draft, id) in drafts.into_iter().zip(ids) {
        let (id, fresh) = match id {
            Some(id) => {
                let revived = revive(workspace, id, other)?;
                (id, revived || occasion.again || workspace.business_event(id)?.kind != draft.kind)
            }
            None => {
                let id = workspace.new_business_event_id();
                let now = workspace.now;
                let event = begin(id, &draft, workspace.exact_group(group)?, occasion, now);
                workspace.put_business_event(event);
                (id, true)
            }
        };
        matched.push(Matched { id, draft, fresh });
    }
    let current = matched.iter().map(|matched| (&matched.draft.subject, matched.id));
    let current = kept.iter().map(|(subject, id)| (subject, *id)).chain(current);
    if !current.clone().eq(workspace.exact_group(group)?.events.iter().map(|(subject, id)| (subject, *id))) {
        workspace.group_mut(group)?.events = current.map(|(subject, id)| (subject.clone(), id)).collect();
    }
    Ok(matched)
}

/// A sale proved to be half of one that another group tells of. Returns whether it is remembered, should the halves part again or
/// a success of what is under way make it the one that was told.
fn absorb(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    teller: GroupId,
    absorbed: BusinessEventId,
) -> BooksResult<bool> {
    let event = workspace.business_event(absorbed)?;
    let frozen = event.frozen;
    if event.facts.marks.contains(&Mark::Absorbed) {
        release::withdraw(workspace, absorbed)?;
        return Ok(true);
    }
    match workspace.exact_group(teller)?.events.iter().find(|(subject, _)| *subject == Subject::Sale) {
        Some((_, stays)) => {
            let stays = *stays;
            retire(workspace, occasion, stays, absorbed)?;
        }
        None => release::withdraw(workspace, absorbed)?,
    }
    if frozen {
        workspace.business_event_mut(absorbed)?.facts.marks.push(Mark::Absorbed);
    }
    Ok(frozen)
}

/// A sale that another group told of tells of itself again: what was held back of it goes on, with the values that it was frozen
/// with, since a request of it may be under way.
fn revive(workspace: &mut Workspace<'_>, id: BusinessEventId, other: Option<OtherHalf>) -> BooksResult<bool> {
    let marks = &workspace.business_event(id)?.facts.marks;
    let (absorbed, held_back) = (marks.contains(&Mark::Absorbed), marks.contains(&Mark::HeldBack));
    let told_by_other = match other {
        Some(other) if held_back => likeness::was_told(workspace, other.group)?,
        _ => false,
    };
    if !absorbed && (!held_back || told_by_other) {
        return Ok(false);
    }
    let now = workspace.now;
    let event = workspace.business_event_mut(id)?;
    event.facts.marks.retain(|mark| !matches!(mark, Mark::Absorbed | Mark::HeldBack | Mark::ToldTwice));
    let withdrawn = |delivery: &Delivery| matches!(delivery.state, State::Suppressed { rule: Rule::Withdrawn, .. });
    event.deliveries.retain(|delivery| !withdrawn(delivery) || delivery.frozen.is_some());
    for delivery in event.deliveries.iter_mut().filter(|delivery| withdrawn(delivery)) {
        delivery.state = State::Pending;
        delivery.schedule.settling = false;
        delivery.schedule.due_at = now;
    }
    Ok(true)
}

/// How long a business event waits. A refund waits for the sale whose id and attribution it takes.
fn wait_of(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    matched: &[Matched],
    other: Option<OtherHalf>,
    draft: &Draft,
) -> BooksResult<Wait> {
    let timing = occasion.timing;
    Ok(match &draft.subject {
        _ if draft.undone => Wait::Never,
        Subject::Sale if draft.strong => Wait::UntilReady(timing.sale),
        Subject::Sale => Wait::Until(timing.sale),
        subject if subject.is_taken_back() && !draft.strong => Wait::Until(timing.refund),
        subject if subject.is_taken_back() => {
            let own = matched.iter().find(|matched| matched.draft.subject == Subject::Sale).map(|sale| sale.id);
            let sale = match (own, other) {
                (None, Some(other)) => likeness::sale_of(workspace, other.group)?.map(|(_, sale)| sale),
                (own, _) => own,
            };
            match sale {
                Some(sale) if !workspace.business_event(sale)?.frozen => Wait::Until(timing.sale),
                _ => Wait::No,
            }
        }
        // Their time is that of the earliest statement, which may come second.
        Subject::SubscriptionStarted | Subject::SubscriptionEnded => Wait::Until(timing.sale),
        // The browser may still say who it was.
        Subject::Other(_) => Wait::UntilReady(timing.sale),
        _ => Wait::No,
    })
}

fn begin(id: BusinessEventId, draft: &Draft, group: &Group, occasion: &Occasion<'_>, now: Timestamp) -> BusinessEvent {
    BusinessEvent {
        id,
        kind: draft.kind.clone(),
        key: object_key(&group.scope, &draft.object),
        scope: group.scope.clone(),
        subject: draft.subject.clone(),
        group: Some(group.id),
        contact: group.contact,
        webhook: occasion.webhook,
        created_at: now,
        occurred_at: draft.occurred_at,
        transaction_id: draft.transaction_id.clone(),
        frozen: false,
        amount: draft.amount,
        facts: draft.facts.clone(),
        deliveries: Vec::new(),
    }
}

/// Brings a business event up to date. Id and time stay once they are frozen, and a difference to what was told is marked.
/// Returns whether who was told of it should be told again.
fn revise(workspace: &mut Workspace<'_>, id: BusinessEventId, draft: &Draft) -> BooksResult<bool> {
    let event = workspace.business_event(id)?;
    let group = event.group;
    let contact = match group {
        Some(group) => workspace.exact_group(group)?.contact,
        None => None,
    };
    let event = workspace.business_event_mut(id)?;
    event.contact = contact.or(event.contact);
    event.subject.clone_from(&draft.subject);
    let told = event.deliveries.iter().any(was_told);
    let changed = event.kind != draft.kind || event.amount != draft.amount;
    // A refund that went out before a link showed which sale it belongs to.
    let other_id = draft.kind.is_money() && event.frozen && event.transaction_id != draft.transaction_id;
    event.kind.clone_from(&draft.kind);
    event.amount = draft.amount;
    let known = std::mem::replace(&mut event.facts, draft.facts.clone());
    for mark in known.marks.iter().filter(|mark| {
        matches!(
            mark,
            Mark::ToldTwice | Mark::ChangedAfterSent | Mark::HeldBack | Mark::LentTouches | Mark::ConsentByDefault
        )
    }) {
        event.facts.marks.push(*mark);
    }
    if other_id && !told && draft.subject.is_taken_back() {
        // It waits to be sent still: under the id of the sale that it proved to be of.
        event.transaction_id.clone_from(&draft.transaction_id);
    }
    if event.frozen {
        // What the contact lent it when it was first let go stays where its own objects are still silent.
        keep(&mut event.facts, known);
    } else {
        event.key = object_key(&event.scope, &draft.object);
        event.occurred_at = draft.occurred_at;
        event.transaction_id.clone_from(&draft.transaction_id);
    }
    if (changed || other_id) && told && !event.facts.marks.contains(&Mark::ChangedAfterSent) {
        event.facts.marks.push(Mark::ChangedAfterSent);
    }
    Ok(changed && told)
}

fn keep(facts: &mut EventFacts, known: EventFacts) {
    facts.details.fill_from(&known.details);
    facts.attribution.fill_from(&known.attribution);
    facts.consent = known.consent.overlaid_with(facts.consent);
    fn fill<T>(mine: &mut Option<T>, theirs: Option<T>) {
        if mine.is_none() {
            *mine = theirs;
        }
    }
    fill(&mut facts.pricing_tier, known.pricing_tier);
    fill(&mut facts.lead_id, known.lead_id);
    fill(&mut facts.user_id, known.user_id);
    fill(&mut facts.service_id, known.service_id);
    fill(&mut facts.service_name, known.service_name);
    fill(&mut facts.failure_code, known.failure_code);
    fill(&mut facts.days_to_conversion, known.days_to_conversion);
    fill(&mut facts.returning, known.returning);
}
