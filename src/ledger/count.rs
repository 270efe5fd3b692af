//! A webhook enters the books: which group of objects it belongs to, what that group now amounts to, and who is to be told.

use super::books::BooksResult;
use super::derive::{Derived, Draft, derive};
use super::fold;
use super::intake::{Intake, Receipt};
use super::people::{self, Said};
use super::plan::{self, Wait};
use super::rules::{Rules, SourceRules};
use super::workspace::{Notice, Workspace};
use crate::model::business_event::{BusinessEvent, Mark, Subject};
use crate::model::delivery::State;
use crate::model::group::{BilledInvoice, Contribution, Group, SubscriptionHistory};
use crate::model::id::{BusinessEventId, ContactId, DestinationId, GroupId, Scope, WebhookId};
use crate::model::identity::IdentityKind;
use crate::model::statement::{Billing, Interpreted, Meaning, ObjectKind, Statement};
use crate::model::time::Timestamp;
use crate::model::webhook::{Status, Webhook};

/// Where an object is known by.
pub fn object_key(scope: &Scope, id: &str) -> String {
    format!("{scope}/{id}")
}

/// Plans what a webhook that was not here before does to the books.
///
/// # Errors
/// When the books can't be read.
pub fn plan_intake(workspace: &mut Workspace<'_>, rules: &Rules, intake: &Intake) -> BooksResult<Receipt> {
    let Some(interpreted) = &intake.interpreted else {
        return Ok(plan_unreadable(workspace, intake));
    };
    let id = workspace.new_webhook_id();
    let mut webhook = webhook_of(id, intake, interpreted);
    if let Meaning::Statement(statement) = &interpreted.meaning {
        let source = rules.sources.get(&intake.source).copied().unwrap_or_default();
        let counted = count(workspace, rules, source, &webhook, &interpreted.scope, statement)?;
        webhook.status = Status::Accepted;
        webhook.group = Some(counted.group);
        webhook.business_events = counted.told;
    }
    let status = webhook.status;
    workspace.webhooks.push(webhook);
    Ok(Receipt::Stored(id, status))
}

/// Plans that a stored webhook is interpreted again: what it says is folded in as if it had just come, which adds what is
/// missing and repeats nothing.
///
/// # Errors
/// When the books can't be read, or the webhook is not there.
pub fn plan_again(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    mut webhook: Webhook,
    interpreted: &Interpreted,
) -> BooksResult<()> {
    webhook.event_type.clone_from(&interpreted.event_type);
    webhook.mode = interpreted.mode();
    webhook.created = interpreted.created;
    webhook.notes.clone_from(&interpreted.notes);
    webhook.status = Status::Ignored;
    if let Meaning::Statement(statement) = &interpreted.meaning {
        let source = rules.sources.get(&webhook.source).copied().unwrap_or_default();
        let counted = count(workspace, rules, source, &webhook, &interpreted.scope, statement)?;
        webhook.status = Status::Accepted;
        webhook.group = Some(counted.group);
        webhook.business_events = counted.told;
    }
    workspace.webhooks_again.push(webhook);
    Ok(())
}

/// Plans that a webhook is only kept, because our own code failed on it.
pub fn plan_unreadable(workspace: &mut Workspace<'_>, intake: &Intake) -> Receipt {
    let id = workspace.new_webhook_id();
    workspace.webhooks.push(Webhook {
        id,
        source: intake.source.clone(),
        mark: intake.mark.clone(),
        provider_id: intake.provider_id.clone(),
        event_type: intake.interpreted.as_ref().map_or_else(String::new, |told| told.event_type.clone()),
        mode: intake.interpreted.as_ref().map_or(crate::model::id::Mode::Test, Interpreted::mode),
        received_at: intake.received_at,
        created: None,
        status: Status::Unreadable,
        notes: vec!["this version could not digest it; it is taken up again with `tallyhook events replay`".into()],
        group: None,
        business_events: Vec::new(),
        body_bytes: intake.body_bytes,
    });
    Receipt::Stored(id, Status::Unreadable)
}

fn webhook_of(id: WebhookId, intake: &Intake, interpreted: &Interpreted) -> Webhook {
    Webhook {
        id,
        source: intake.source.clone(),
        mark: intake.mark.clone(),
        provider_id: interpreted.provider_id.clone(),
        event_type: interpreted.event_type.clone(),
        mode: interpreted.mode(),
        received_at: intake.received_at,
        created: interpreted.created,
        status: Status::Ignored,
        notes: interpreted.notes.clone(),
        group: None,
        business_events: Vec::new(),
        body_bytes: intake.body_bytes,
    }
}

/// What a statement came to.
struct Counted {
    group: GroupId,
    told: Vec<BusinessEventId>,
}

fn count(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    source: SourceRules,
    webhook: &Webhook,
    scope: &Scope,
    statement: &Statement,
) -> BooksResult<Counted> {
    let destinations: Vec<DestinationId> = rules.destinations.iter().map(|destination| destination.id).collect();
    let group = join_groups(workspace, rules, scope, statement)?;
    let record = workspace.group(group)?;
    let at = match record.objects.binary_search_by(|state| state.object.cmp(&statement.object)) {
        Ok(at) => at,
        Err(at) => {
            record.objects.insert(at, fold::unheard(statement.object.clone()));
            at
        }
    };
    fold::fold(&mut record.objects[at], statement, &webhook.provider_id);

    let identities = people::identities_of(workspace.group(group)?);
    let known = workspace.group(group)?.contact;
    let contact = people::resolve(workspace, scope.mode, &identities, known, &destinations)?;
    if let Some(contact) = contact {
        let before = workspace.contact(contact)?.clone();
        people::learn(
            workspace.contact(contact)?,
            &Said { at: statement.said_at, person: &statement.person, tags: &statement.tags },
        );
        let learned_address = before.person.email != workspace.contact(contact)?.person.email;
        let record = workspace.group(group)?;
        record.contact = Some(contact);
        let contribution = record.contribution.clone();
        if known.is_none() {
            people::contribute(workspace, contact, &Contribution::default(), &contribution)?;
        }
        if learned_address {
            plan::wake_for_address(workspace, rules, contact)?;
        }
    }
    let touched = note_billing(workspace, scope, group)?;
    let timing = Timing::of(source, webhook.received_at, statement.said_at);
    let told = reconcile(workspace, rules, group, webhook.id, timing, source.counts_sales)?;
    for other in touched {
        if other != group {
            reconcile(workspace, rules, other, webhook.id, timing, source.counts_sales)?;
        }
    }
    Ok(Counted { group, told })
}

/// When what waits is sent.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// A sale that may be half of another.
    pub sale: Timestamp,
    /// A refund whose sale is not known.
    pub refund: Timestamp,
}

impl Timing {
    /// For an event that was said at one moment and came at another.
    fn of(source: SourceRules, received_at: Timestamp, said_at: Timestamp) -> Self {
        let late = received_at.since(said_at) > source.settle;
        let sale = match (source.settle.is_zero(), late) {
            (true, _) => received_at,
            (false, true) => received_at.after(source.settle_late),
            (false, false) => received_at.after(source.settle),
        };
        Self { sale, refund: received_at.after(source.settle_late) }
    }

    /// Everything is due.
    pub const fn over(now: Timestamp) -> Self {
        Self { sale: now, refund: now }
    }
}

/// The one group of everything that a statement links, older groups joined into the oldest.
fn join_groups(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    scope: &Scope,
    statement: &Statement,
) -> BooksResult<GroupId> {
    let mut keys = vec![object_key(scope, &statement.object.id)];
    keys.extend(statement.links.iter().map(|link| object_key(scope, &link.id)));
    let mut groups = Vec::new();
    let mut unlinked = Vec::new();
    for key in keys {
        match workspace.link(&key)? {
            Some(group) => groups.push(workspace.group(group)?.id),
            None => unlinked.push(key),
        }
    }
    groups.sort();
    groups.dedup();
    let group = match groups.first() {
        Some(first) => *first,
        None => workspace.new_group(scope),
    };
    for other in groups.into_iter().skip(1) {
        merge_groups(workspace, rules, group, other)?;
    }
    for key in unlinked {
        workspace.put_link(key, group);
    }
    Ok(group)
}

/// Two groups are one sale: everything of the second goes to the first. Which business event of the two goes on is decided by
/// what has already been told: a sale that a destination knows stays, the other is withdrawn or, if told too, reported.
fn merge_groups(workspace: &mut Workspace<'_>, rules: &Rules, survivor: GroupId, other: GroupId) -> BooksResult<()> {
    let gone = {
        let record = workspace.exact_group(other)?;
        let gone = record.clone();
        record.merged_into = Some(survivor);
        record.objects.clear();
        record.events.clear();
        record.contact = None;
        record.settle_at = None;
        record.contribution = Contribution::default();
        gone
    };
    if let Some(contact) = gone.contact {
        people::contribute(workspace, contact, &gone.contribution, &Contribution::default())?;
    }
    let record = workspace.group(survivor)?;
    for state in gone.objects {
        match record.objects.binary_search_by(|known| known.object.cmp(&state.object)) {
            Ok(at) => fold::join(&mut record.objects[at], state),
            Err(at) => record.objects.insert(at, state),
        }
    }
    let adopted = if record.contact.is_none() { gone.contact } else { None };
    record.contact = record.contact.or(gone.contact);
    let contribution = record.contribution.clone();
    record.settle_at = match (record.settle_at, gone.settle_at) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    };
    if let Some(contact) = adopted {
        people::contribute(workspace, contact, &Contribution::default(), &contribution)?;
    }
    for (subject, event) in gone.events {
        workspace.business_event(event)?.group = Some(survivor);
        let rival = workspace.group(survivor)?.events.iter().find(|(known, _)| *known == subject).map(|(_, id)| *id);
        let Some(rival) = rival else {
            workspace.group(survivor)?.events.push((subject, event));
            continue;
        };
        let (stays, goes) = if was_told(workspace.business_event(event)?) && !was_told(workspace.business_event(rival)?)
        {
            (event, rival)
        } else {
            (rival, event)
        };
        if was_told(workspace.business_event(stays)?) && was_told(workspace.business_event(goes)?) {
            let doubled = workspace.business_event(goes)?;
            if !doubled.facts.marks.contains(&Mark::ToldTwice) {
                doubled.facts.marks.push(Mark::ToldTwice);
                let notice = Notice::ToldTwice { event: goes, transaction_id: doubled.transaction_id.clone() };
                workspace.notices.push(notice);
            }
        }
        plan::withdraw(workspace, rules, goes)?;
        let record = workspace.group(survivor)?;
        record.events.retain(|(known, _)| *known != subject);
        record.events.push((subject, stays));
    }
    Ok(())
}

/// Whether an event destination has been told, or may have been.
fn was_told(event: &BusinessEvent) -> bool {
    event.deliveries.iter().any(|delivery| {
        delivery.frozen.is_some()
            && (matches!(delivery.state, State::Delivered { .. }) || delivery.schedule.attempts > 0)
    }) || event.frozen && event.deliveries.iter().any(|delivery| matches!(delivery.state, State::Delivered { .. }))
}

/// Notes a paid invoice in its subscription's history. Returns the groups whose kind may have changed by it.
fn note_billing(workspace: &mut Workspace<'_>, scope: &Scope, group: GroupId) -> BooksResult<Vec<GroupId>> {
    let record = workspace.group(group)?;
    let Some(subscription) = record.objects.iter().find_map(|state| state.subscription.clone()) else {
        return Ok(Vec::new());
    };
    let invoices: Vec<(BilledInvoice, i64)> = record
        .objects
        .iter()
        .filter(|state| state.object.kind == ObjectKind::Invoice)
        .filter_map(|state| {
            let paid = state.paid.as_ref().filter(|paid| paid.billing.is_some_and(Billing::is_subscription))?;
            Some((BilledInvoice { at: paid.at, invoice: state.object.id.clone(), group }, paid.amount.minor))
        })
        .collect();
    let key = object_key(scope, &subscription);
    let before = workspace.subscription(&key)?;
    let mut history = before.clone();
    let mut touched = Vec::new();
    for (billed, minor) in invoices {
        note_invoice(&mut history, billed, minor);
    }
    if history != before {
        touched.extend(before.first_paid.iter().chain(&history.first_paid).map(|billed| billed.group));
        workspace.put_subscription(key, history);
    }
    let mut live = Vec::with_capacity(touched.len());
    for group in touched {
        let group = workspace.group(group)?.id;
        if !live.contains(&group) {
            live.push(group);
        }
    }
    Ok(live)
}

fn note_invoice(history: &mut SubscriptionHistory, billed: BilledInvoice, minor: i64) {
    if minor <= 0 {
        history.started_free = true;
        return;
    }
    match &history.first_paid {
        Some(first) if (first.at, &first.invoice) <= (billed.at, &billed.invoice) => {
            history.renewed |= first.invoice != billed.invoice;
        }
        Some(first) => {
            history.renewed |= first.invoice != billed.invoice;
            history.first_paid = Some(billed);
        }
        None => history.first_paid = Some(billed),
    }
}

/// Brings a group's business events in line with what the group now amounts to.
///
/// # Errors
/// When the books can't be read.
pub fn reconcile(
    workspace: &mut Workspace<'_>,
    rules: &Rules,
    group: GroupId,
    webhook: WebhookId,
    timing: Timing,
    counts_sales: bool,
) -> BooksResult<Vec<BusinessEventId>> {
    let mut record = workspace.group(group)?.clone();
    let subscription = record.objects.iter().find_map(|state| state.subscription.clone());
    let history = match subscription {
        Some(subscription) => Some(workspace.subscription(&object_key(&record.scope, &subscription))?),
        None => None,
    };
    let known_sale = record.events.iter().find(|(subject, _)| *subject == Subject::Sale).map(|(_, id)| *id);
    let frozen_id = match known_sale {
        Some(id) => {
            let sale = workspace.business_event(id)?;
            if sale.frozen { sale.transaction_id.clone() } else { None }
        }
        None => None,
    };
    let mut derived = derive(&record, history.as_ref(), frozen_id.as_deref());
    if !counts_sales {
        derived = Derived::default();
    }
    describe_person(workspace, record.contact, &mut derived)?;

    let drafts = std::mem::take(&mut derived.drafts);
    for (subject, id) in &record.events {
        if !drafts.iter().any(|draft| draft.subject == *subject) {
            plan::withdraw(workspace, rules, *id)?;
        }
    }
    record.events.retain(|(subject, _)| drafts.iter().any(|draft| draft.subject == *subject));
    let sale_is_strong =
        drafts.iter().any(|draft| draft.subject == Subject::Sale && draft.strong) || frozen_id.is_some();
    let mut told = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let wait = match draft.subject {
            Subject::Sale if draft.strong => Wait::UntilReady(timing.sale),
            Subject::Sale => Wait::Until(timing.sale),
            Subject::Refund(_) | Subject::RefundCameBack(_) if !draft.strong => Wait::Until(timing.refund),
            Subject::Refund(_) | Subject::RefundCameBack(_) if !sale_is_strong => Wait::Until(timing.sale),
            _ => Wait::No,
        };
        let known = record.events.iter().find(|(subject, _)| *subject == draft.subject).map(|(_, id)| *id);
        let id = match known {
            Some(id) => {
                revise(workspace.business_event(id)?, draft, record.contact);
                id
            }
            None => {
                let id = workspace.new_business_event_id();
                record.events.push((draft.subject.clone(), id));
                workspace.put_business_event(begin(id, draft, &record, webhook, workspace.now));
                id
            }
        };
        told.push((id, wait));
    }

    let before = std::mem::replace(&mut record.contribution, derived.contribution.clone());
    let contact = record.contact;
    *workspace.group(group)? = record;
    if let Some(contact) = contact {
        people::contribute(workspace, contact, &before, &derived.contribution)?;
    }
    for (id, wait) in &told {
        plan::plan_deliveries(workspace, rules, *id, *wait)?;
    }
    plan::note_settling(workspace, group)?;
    Ok(told.into_iter().map(|(id, _)| id).collect())
}

fn begin(id: BusinessEventId, draft: Draft, group: &Group, webhook: WebhookId, now: Timestamp) -> BusinessEvent {
    BusinessEvent {
        id,
        key: object_key(&group.scope, &draft.object),
        scope: group.scope.clone(),
        group: Some(group.id),
        contact: group.contact,
        webhook,
        created_at: now,
        occurred_at: draft.occurred_at,
        transaction_id: draft.transaction_id,
        frozen: false,
        amount: draft.amount,
        facts: draft.facts,
        deliveries: Vec::new(),
        kind: draft.kind,
        subject: draft.subject,
    }
}

/// Brings a business event up to date. What is frozen stays; a difference to what was told is marked.
fn revise(event: &mut BusinessEvent, draft: Draft, contact: Option<ContactId>) {
    event.contact = contact.or(event.contact);
    if event.frozen {
        let changed = event.kind != draft.kind || event.amount != draft.amount;
        event.kind = draft.kind;
        event.amount = draft.amount;
        if changed && was_told(event) && !event.facts.marks.contains(&Mark::ChangedAfterSent) {
            event.facts.marks.push(Mark::ChangedAfterSent);
        }
    } else {
        event.kind = draft.kind;
        event.amount = draft.amount;
        event.key = object_key(&event.scope, &draft.object);
        event.occurred_at = draft.occurred_at;
        event.transaction_id = draft.transaction_id;
        let marks: Vec<Mark> = event.facts.marks.iter().copied().filter(|mark| *mark == Mark::ToldTwice).collect();
        event.facts = draft.facts;
        event.facts.marks.extend(marks);
    }
}

/// Adds what is known of the person to what the objects themselves say.
fn describe_person(
    workspace: &mut Workspace<'_>,
    contact: Option<ContactId>,
    derived: &mut Derived,
) -> BooksResult<()> {
    let Some(contact) = contact else { return Ok(()) };
    let contact = workspace.contact(contact)?;
    for draft in &mut derived.drafts {
        let facts = &mut draft.facts;
        facts.attribution.fill_from(&contact.last_attribution);
        facts.attribution.fill_from(&contact.first_attribution);
        facts.consent = facts.consent.overlaid_with(contact.consent);
        if facts.pricing_tier.is_none() {
            facts.pricing_tier.clone_from(&contact.pricing_tier);
        }
        if facts.lead_id.is_none() {
            facts.lead_id = contact.identity(IdentityKind::Lead).map(str::to_owned);
        }
        let first_touch = &contact.first_attribution;
        if draft.kind.is_sale() {
            facts.returning = Some(contact.customer_since.is_some_and(|since| since < draft.occurred_at));
            if !first_touch.is_empty() && first_touch.at <= draft.occurred_at {
                let days = draft.occurred_at.since(first_touch.at).as_secs() / 86_400;
                facts.days_to_conversion = u32::try_from(days).ok();
            }
        }
    }
    Ok(())
}
