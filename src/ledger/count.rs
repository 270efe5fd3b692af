//! A webhook enters the books: which group of objects it belongs to, what that group now amounts to, and who is to be told.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::billing::note_billing;
use super::books::BooksResult;
use super::fold;
use super::forget;
use super::intake::{Intake, Receipt};
use super::join::join_groups;
use super::likeness;
use super::occasion::{Occasion, Timing};
use super::people;
use super::reconcile::reconcile;
use super::rules::Rules;
use super::workspace::Workspace;
use crate::model::id::{BusinessEventId, GroupId, Mode, Scope, WebhookId};
use crate::model::statement::{Interpreted, Meaning, ObjectKind, ObjectState, Person, Statement, Tags};
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
    if interpreted.meaning == Meaning::Undigested {
        webhook.status = Status::Unreadable;
    }
    if let Meaning::Statement(statement) = &interpreted.meaning {
        let counted = count(workspace, rules, &webhook, &interpreted.scope, statement, false)?;
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
    if interpreted.meaning == Meaning::Undigested {
        webhook.status = Status::Unreadable;
    }
    if let Meaning::Statement(statement) = &interpreted.meaning {
        let counted = count(workspace, rules, &webhook, &interpreted.scope, statement, true)?;
        webhook.status = Status::Accepted;
        webhook.group = Some(counted.group);
        webhook.business_events = counted.told;
    }
    workspace.webhooks_again.push(webhook);
    Ok(())
}

/// Plans what a repeat of a webhook adds: nothing, unless the first came through a source whose sales don't count and this one's
/// do. Then its sale counts now, as if it had come through here first.
///
/// # Errors
/// When the books can't be read.
pub fn plan_repeat(workspace: &mut Workspace<'_>, rules: &Rules, intake: &Intake, first: WebhookId) -> BooksResult<()> {
    let Some(interpreted @ Interpreted { meaning: Meaning::Statement(statement), .. }) = &intake.interpreted else {
        return Ok(());
    };
    let Some(mut webhook) = workspace.webhook(first)? else { return Ok(()) };
    if rules.counts_sales(&webhook.source) {
        return Ok(());
    }
    let here = Webhook { source: intake.source.clone(), ..webhook.clone() };
    let counted = count(workspace, rules, &here, &interpreted.scope, statement, false)?;
    webhook.status = Status::Accepted;
    webhook.group = Some(counted.group);
    if webhook.business_events != counted.told {
        webhook.business_events = counted.told;
        workspace.webhooks_again.push(webhook);
    }
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
        mode: intake.interpreted.as_ref().map_or(Mode::Test, Interpreted::mode),
        received_at: intake.received_at,
        created: None,
        status: Status::Unreadable,
        notes: vec!["this version could not digest it; it is taken up again with `tallyhook events replay`".into()],
        group: None,
        business_events: Vec::new(),
        envelope: intake.envelope.clone(),
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
        envelope: intake.envelope.clone(),
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
    webhook: &Webhook,
    scope: &Scope,
    statement: &Statement,
    again: bool,
) -> BooksResult<Counted> {
    let source = rules.source(&webhook.source);
    let occasion = Occasion {
        rules,
        scope,
        webhook: webhook.id,
        timing: Timing::of(source, webhook.received_at, statement.said_at),
        source,
        again,
    };
    let statement = forget::without_erased(workspace, scope, statement)?;
    let (group, before) = join_groups(workspace, &occasion, &statement)?;
    let statement = forget::as_its_group(workspace, scope, group, statement)?;
    let record = workspace.group_mut(group)?;
    // What a source that counts already has counted stays counted, whoever speaks of it next.
    record.counted |= source.counts_sales;
    let at = match record.objects.binary_search_by(|state| state.object.cmp(&statement.object)) {
        Ok(at) => at,
        Err(at) => {
            record.objects.insert(at, fold::unheard(statement.object.clone()));
            at
        }
    };
    let statement = of_its_person(&record.objects[at], &statement);
    fold::fold(&mut record.objects[at], &statement, &webhook.provider_id);
    let changed = people::place(workspace, &occasion, group, &statement, &before)?;
    let touched = note_billing(workspace, scope, group)?;
    let paired = likeness::newly_paired(workspace, group, &before.pairs, &before.row)?;
    let told = reconcile_all(workspace, &occasion, group, touched.into_iter().chain(paired))?;
    if let Some(contact) = changed {
        people::tell_of_change(workspace, &occasion, contact)?;
    }
    Ok(Counted { group, told })
}

/// Other objects are one customer's for ever. An appointment can be given to another person of the same CRM, which makes the two
/// no one person: it stays the first one's.
fn of_its_person<'s>(state: &ObjectState, statement: &'s Statement) -> Cow<'s, Statement> {
    let other = |first: &String| statement.customer.as_ref().is_some_and(|customer| customer != first);
    match &state.customer {
        Some(first) if statement.object.kind == ObjectKind::Booking && other(first) => Cow::Owned(Statement {
            customer: Some(first.clone()),
            person: Person::default(),
            tags: Tags::default(),
            ..statement.clone()
        }),
        _ => Cow::Borrowed(statement),
    }
}

/// Brings a group's books up to date, and those of the groups that a change of it may concern. Returns its business events.
fn reconcile_all(
    workspace: &mut Workspace<'_>,
    occasion: &Occasion<'_>,
    group: GroupId,
    concerned: impl Iterator<Item = GroupId>,
) -> BooksResult<Vec<BusinessEventId>> {
    let mut groups = BTreeSet::new();
    for other in concerned {
        let other = workspace.live_group(other)?;
        groups.insert(other);
        // Its other half may be the one that tells of the sale.
        groups.extend(likeness::other_half(workspace, other)?.map(|half| half.group));
    }
    if groups.is_empty() {
        return reconcile(workspace, occasion, group);
    }
    groups.insert(group);
    let mut told = Vec::new();
    for other in likeness::in_order(workspace, groups)? {
        if other == group {
            told = reconcile(workspace, occasion, group)?;
        } else {
            // It is for its own webhooks to have missing deliveries added.
            reconcile(workspace, &Occasion { again: false, ..*occasion }, other)?;
        }
    }
    Ok(told)
}
