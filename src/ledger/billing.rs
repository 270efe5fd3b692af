//! What a subscription has been billed, as far as telling a first sale from a renewal needs it.

use super::books::BooksResult;
use super::count::object_key;
use super::derive::{is_start, objects};
use super::workspace::Workspace;
use crate::model::group::{BilledInvoice, Group, SubscriptionHistory};
use crate::model::id::{GroupId, Scope};
use crate::model::statement::{Billing, ObjectKind};

/// The subscription that a group's objects name.
pub fn subscription_of(group: &Group) -> Option<&str> {
    group.objects.iter().find_map(|state| state.subscription.as_deref())
}

/// Notes a group's paid invoices in their subscription's history. Returns the other groups whose kind may have changed by it.
///
/// # Errors
/// When the books can't be read.
pub fn note_billing(workspace: &mut Workspace<'_>, scope: &Scope, group: GroupId) -> BooksResult<Vec<GroupId>> {
    let record = workspace.exact_group(group)?;
    let Some(subscription) = subscription_of(record) else { return Ok(Vec::new()) };
    let key = object_key(scope, subscription);
    let invoices: Vec<(BilledInvoice, i64, Billing)> = objects(record, ObjectKind::Invoice)
        .filter_map(|state| {
            let paid = state.paid.as_ref()?;
            let billing = paid.billing.filter(|billing| billing.is_subscription())?;
            Some((BilledInvoice { at: paid.at, invoice: state.object.id.clone(), group }, paid.amount.minor, billing))
        })
        .collect();
    if invoices.is_empty() {
        return Ok(Vec::new());
    }
    let before = workspace.subscription(&key)?;
    let mut history = before.clone();
    for (billed, minor, billing) in invoices {
        note_invoice(&mut history, billed, minor, billing);
    }
    if history == before {
        return Ok(Vec::new());
    }
    // Only the first invoice's kind depends on anything else than that it is not the first.
    let mut touched = Vec::new();
    for billed in before.first_paid.iter().chain(&history.first_paid) {
        let other = workspace.live_group(billed.group)?;
        if other != group && !touched.contains(&other) {
            touched.push(other);
        }
    }
    workspace.put_subscription(key, history);
    Ok(touched)
}

fn note_invoice(history: &mut SubscriptionHistory, billed: BilledInvoice, minor: i64, billing: Billing) {
    if minor <= 0 {
        history.started_free |= is_start(billing);
        return;
    }
    match &mut history.first_paid {
        Some(first) => {
            history.renewed |= first.invoice != billed.invoice;
            if (billed.at, &billed.invoice) < (first.at, &first.invoice) {
                *first = billed;
            }
        }
        None => history.first_paid = Some(billed),
    }
}
