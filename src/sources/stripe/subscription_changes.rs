//! What an event says became different about a subscription.
//!
//! `data.previous_attributes` has the fields that changed as they were before, lists whole (Stripe: the event object). Two events
//! of one click differ in it, and a renewal changes only dates, so that it alone tells what happened.

use crate::model::subscription::SubscriptionChange;

use super::json::Json;

/// The changes from what was before to what is now, each once.
pub(super) fn changes(now: &Json<'_>, before: &Json<'_>) -> Vec<SubscriptionChange> {
    let mut changes = Vec::new();
    if plan_changed(now, before) {
        changes.push(SubscriptionChange::Plan);
    }
    changes.extend(collection_changed(now, before));
    changes.extend(end_changed(now, before));
    if let (Some(before), Some(now)) = (before.text("status"), now.text("status")) {
        changes.extend(status_changed(before, now));
    }
    changes.sort();
    changes.dedup();
    changes
}

/// Another product, price or quantity. Since 2025-03-31 items carry the period's dates, so that a renewal has them all before
/// and now: only what is bought is compared.
fn plan_changed(now: &Json<'_>, before: &Json<'_>) -> bool {
    if let Some(Json::List(items)) = before.at("items.data") {
        return bought(items) != bought(now.list("items.data"));
    }
    let other_plan = match (before.id("plan"), now.id("plan").or_else(|| now.id("items.data.0.plan"))) {
        (Some(before), Some(now)) => before != now,
        _ => false,
    };
    let quantity = now.integer("quantity").or_else(|| now.integer("items.data.0.quantity"));
    other_plan || before.integer("quantity").is_some_and(|before| quantity.is_some_and(|now| now != before))
}

/// Prices with their quantities.
fn bought<'j>(items: &'j [Json<'_>]) -> Vec<(Option<&'j str>, Option<i64>)> {
    let mut bought: Vec<_> =
        items.iter().map(|item| (item.id("price").or_else(|| item.id("plan")), item.integer("quantity"))).collect();
    bought.sort_unstable();
    bought
}

/// Collecting its money was paused, or taken up again.
fn collection_changed(now: &Json<'_>, before: &Json<'_>) -> Option<SubscriptionChange> {
    const FIELD: &str = "pause_collection";
    if !before.gives(FIELD) {
        return None;
    }
    match (before.at(FIELD).is_some(), now.at(FIELD).is_some()) {
        (false, true) => Some(SubscriptionChange::Paused),
        (true, false) => Some(SubscriptionChange::Resumed),
        _ => None,
    }
}

/// An end was arranged, moved or taken back.
fn end_changed(now: &Json<'_>, before: &Json<'_>) -> Option<SubscriptionChange> {
    const TIME: &str = "cancel_at";
    const FLAG: &str = "cancel_at_period_end";
    if !before.gives(TIME) && !before.gives(FLAG) {
        return None;
    }
    let ends_now = now.at(TIME).is_some() || now.boolean(FLAG) == Some(true);
    let had_time = if before.gives(TIME) { before.at(TIME).is_some() } else { now.at(TIME).is_some() };
    let had_flag = if before.gives(FLAG) { before.boolean(FLAG) } else { now.boolean(FLAG) } == Some(true);
    match (had_time || had_flag, ends_now) {
        (false, true) => Some(SubscriptionChange::EndScheduled),
        (true, false) => Some(SubscriptionChange::EndCancelled),
        // To another time.
        (true, true)
            if before.integer(TIME).is_some_and(|before| now.integer(TIME).is_some_and(|now| now != before)) =>
        {
            Some(SubscriptionChange::EndScheduled)
        }
        _ => None,
    }
}

fn status_changed(before: &str, now: &str) -> Option<SubscriptionChange> {
    match (before, now) {
        ("active" | "trialing", "past_due" | "unpaid") => Some(SubscriptionChange::Overdue),
        ("past_due" | "unpaid", "active" | "trialing") => Some(SubscriptionChange::Recovered),
        ("trialing", "active") => Some(SubscriptionChange::TrialEnded),
        ("active" | "trialing" | "past_due" | "unpaid", "paused") => Some(SubscriptionChange::Paused),
        ("paused", "active" | "trialing" | "past_due" | "unpaid") => Some(SubscriptionChange::Resumed),
        _ => None,
    }
}
