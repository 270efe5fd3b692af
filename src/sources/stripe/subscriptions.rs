//! Subscriptions: how one stands, and what an event says became different about it.
//!
//! The money of a subscription comes with its invoices; nothing here is a sale.

use crate::model::money::{Currency, Money};
use crate::model::statement::{Claim, ObjectKind, Statement};
use crate::model::subscription::{SubscriptionStatus, SubscriptionStep, SubscriptionTerms};
use crate::model::time::Timestamp;

use super::json::Json;
use super::object::{Reading, moment, person, value};
use super::subscription_changes::changes;

/// A subscription that began, changed, was paused or resumed.
pub(super) fn subscription(reading: &mut Reading<'_>) -> Option<Statement> {
    let status = status(reading);
    statement(reading, status)
}

/// A subscription ended; the event says so, whatever the snapshot does.
pub(super) fn subscription_ended(reading: &mut Reading<'_>) -> Option<Statement> {
    statement(reading, SubscriptionStatus::Ended)
}

fn statement(reading: &mut Reading<'_>, status: SubscriptionStatus) -> Option<Statement> {
    // No links: a subscription spans purchases, and would make one sale of all of them.
    let mut statement = reading.statement(ObjectKind::Subscription, "id")?;
    statement.person = person(reading, &["customer.email"], &["customer.phone"], &["customer.name"]);
    let has_ended = status == SubscriptionStatus::Ended;
    statement.claim = Claim::Subscription(SubscriptionStep {
        terms: SubscriptionTerms {
            status,
            plan: plan(reading.object),
            price: price(reading),
            ends_at: if has_ended { None } else { ends_at(reading) },
        },
        ended_at: has_ended.then(|| reading.moment("ended_at").unwrap_or(reading.said_at)),
        changes: match reading.previous {
            // Stripe sends `updated` with every change of status too, so that `paused` and `resumed` tell of nothing that is
            // not told there.
            Some(previous) if reading.event_type == "customer.subscription.updated" && !has_ended => {
                changes(reading.object, previous)
            }
            _ => Vec::new(),
        },
    });
    Some(statement)
}

/// Where a subscription stands (Stripe: the subscription object, `status` and `pause_collection`).
fn status(reading: &mut Reading<'_>) -> SubscriptionStatus {
    match reading.object.text("status") {
        Some("active") if matches!(reading.object.at("pause_collection"), Some(Json::Object(_))) => {
            SubscriptionStatus::Paused
        }
        Some("active") => SubscriptionStatus::Active,
        Some("trialing") => SubscriptionStatus::Trialing,
        Some("past_due" | "unpaid") => SubscriptionStatus::Overdue,
        Some("paused") => SubscriptionStatus::Paused,
        Some("canceled") => SubscriptionStatus::Ended,
        Some("incomplete" | "incomplete_expired") => SubscriptionStatus::NotBegun,
        Some(_) => {
            reading.note("unknown subscription status: taken as not begun");
            SubscriptionStatus::NotBegun
        }
        None => {
            reading.note("subscription status absent: taken as not begun");
            SubscriptionStatus::NotBegun
        }
    }
}

/// What is subscribed to: a name where there is one, else an id. Of several items the first speaks; the oldest versions have
/// one `plan` instead of items.
fn plan(subscription: &Json<'_>) -> Option<String> {
    const NAMES: [&str; 8] = [
        "items.data.0.price.nickname",
        "items.data.0.price.product.name",
        "items.data.0.plan.nickname",
        "items.data.0.plan.product.name",
        "items.data.0.plan.name",
        "plan.nickname",
        "plan.product.name",
        "plan.name",
    ];
    const IDS: [&str; 6] = [
        "items.data.0.price.product",
        "items.data.0.plan.product",
        "plan.product",
        "items.data.0.price",
        "items.data.0.plan",
        "plan",
    ];
    let name = NAMES.iter().find_map(|path| subscription.text(path).and_then(value));
    name.or_else(|| IDS.iter().find_map(|path| subscription.id(path).map(str::to_owned)))
}

/// What one period costs, all items together. None where that is not known beforehand: usage is billed by what was used,
/// and tiers have no price of one.
fn price(reading: &mut Reading<'_>) -> Option<Money> {
    let subscription = reading.object;
    let items = match subscription.list("items.data") {
        [] => std::slice::from_ref(subscription),
        items => items,
    };
    let mut sum = 0_i64;
    for item in items {
        let cost = match cost(item) {
            Cost::Fixed(minor) => sum.checked_add(minor),
            Cost::Varies => return None,
            Cost::Odd => None,
        };
        let Some(cost) = cost else {
            reading
                .odd_money("the price of the subscription is negative, no whole number of minor units, or too large");
            return None;
        };
        sum = cost;
    }
    Some(Money { minor: sum, currency: currency(reading)? })
}

/// What one item costs in a period.
enum Cost {
    /// Minor units.
    Fixed(i64),
    /// It depends on more than the quantity.
    Varies,
    /// What is written there can't be a price.
    Odd,
}

fn cost(item: &Json<'_>) -> Cost {
    let metered =
        ["price.recurring.usage_type", "plan.usage_type"].iter().any(|path| item.text(path) == Some("metered"));
    let in_packages = ["price.transform_quantity", "plan.transform_usage"].iter().any(|path| item.at(path).is_some());
    let Some(unit) = item.at("price.unit_amount").or_else(|| item.at("plan.amount")) else { return Cost::Varies };
    if metered || in_packages {
        return Cost::Varies;
    }
    match (unit, item.at("quantity").unwrap_or(&Json::Integer(1))) {
        (Json::Integer(unit @ 0..), Json::Integer(quantity @ 0..)) => {
            unit.checked_mul(*quantity).map_or(Cost::Odd, Cost::Fixed)
        }
        _ => Cost::Odd,
    }
}

/// The subscription's own currency, which older versions have only with its prices.
fn currency(reading: &mut Reading<'_>) -> Option<Currency> {
    let paths = ["items.data.0.price.currency", "items.data.0.plan.currency", "plan.currency"];
    let told =
        paths.into_iter().find(|path| reading.object.at("currency").is_none() && reading.object.at(path).is_some());
    reading.currency(told.unwrap_or("currency"))
}

/// When it is to end, if that is arranged: at a time of its own, or with the period that has been paid. That period is the
/// subscription's before 2025-03-31 and each item's since (Stripe: changelog, deprecate subscription current period fields).
fn ends_at(reading: &Reading<'_>) -> Option<Timestamp> {
    reading.moment("cancel_at").or_else(|| {
        let at_period_end = reading.object.boolean("cancel_at_period_end") == Some(true);
        let of_items = || {
            let items = reading.object.list("items.data");
            items.iter().filter_map(|item| item.at("current_period_end").and_then(moment)).max()
        };
        at_period_end.then(|| reading.moment("current_period_end").or_else(of_items)).flatten()
    })
}

#[cfg(test)]
#[path = "subscriptions_tests.rs"]
mod tests;
