//! Invoices, and the payments of invoices that API versions from 2025-03-31 know.

use crate::model::statement::{Billing, Claim, Details, FailedAttempt, Item, ObjectKind, Paid, Statement};

use super::json::Json;
use super::metadata::fill_tags;
use super::object::{MAX_ITEMS, Reading, only_payment_method_type, person, price_of_one, push_link, value};

/// The invoice is paid, by money or by hand. `invoice.payment_succeeded` says the same of the same invoice.
pub(super) fn invoice_paid(reading: &mut Reading<'_>) -> Option<Statement> {
    let mut statement = invoice(reading)?;
    let billing = Some(billing(reading, statement.subscription.is_some()));
    let at = reading.said_at;
    if reading.object.integer("amount_paid") == Some(0)
        && reading.object.integer("total").is_some_and(|total| total < 0)
    {
        reading.nothing_to_count("a credit, and nothing was paid");
    }
    statement.claim =
        reading.money(&["amount_paid"]).map_or(Claim::Nothing, |amount| Claim::Paid(Paid { amount, at, billing }));
    Some(statement)
}

/// One try to collect the invoice failed; Stripe counts them.
pub(super) fn invoice_failed(reading: &mut Reading<'_>) -> Option<Statement> {
    let mut statement = invoice(reading)?;
    let attempt = reading
        .object
        .integer("attempt_count")
        .map_or_else(|| reading.event_id.to_owned(), |count| format!("attempt_{count}"));
    statement.claim = Claim::AttemptFailed(FailedAttempt {
        attempt,
        amount: reading.money(&["amount_due", "amount_remaining"]),
        code: None,
        at: reading.said_at,
    });
    Some(statement)
}

/// A payment was put against an invoice. It says which intent or charge paid the invoice, and no more than that.
pub(super) fn invoice_payment(reading: &mut Reading<'_>) -> Option<Statement> {
    let mut statement = reading.statement(ObjectKind::Invoice, "invoice")?;
    statement.links =
        reading.links(&[(ObjectKind::Intent, "payment.payment_intent"), (ObjectKind::Charge, "payment.charge")]);
    Some(statement)
}

fn invoice(reading: &Reading<'_>) -> Option<Statement> {
    let invoice = reading.object;
    let mut statement = reading.statement(ObjectKind::Invoice, "id")?;
    statement.links = reading.links(&[(ObjectKind::Intent, "payment_intent"), (ObjectKind::Charge, "charge")]);
    for payment in invoice.list("payments.data") {
        push_link(&mut statement.links, ObjectKind::Intent, payment.id("payment.payment_intent"));
        push_link(&mut statement.links, ObjectKind::Charge, payment.id("payment.charge"));
    }
    statement.subscription = ["parent.subscription_details.subscription", "subscription"]
        .iter()
        .find_map(|path| invoice.id(path).map(str::to_owned));
    for path in ["parent.subscription_details.metadata", "subscription_details.metadata"] {
        fill_tags(&mut statement.tags, &reading.tags(path));
    }
    // The oldest versions have the subscription's metadata only on its lines.
    if let Some(line) = invoice.list("lines.data").iter().find(|line| line.text("type") == Some("subscription")) {
        fill_tags(&mut statement.tags, &reading.metadata_keys.tags(line.at("metadata"), reading.said_at));
    }
    statement.person = person(
        reading,
        &["customer_email", "customer.email"],
        &["customer_phone", "customer_shipping.phone", "customer.phone"],
        &["customer_name", "customer_shipping.name", "customer.name"],
    );
    statement.details = details(invoice);
    Some(statement)
}

fn billing(reading: &mut Reading<'_>, of_subscription: bool) -> Billing {
    let reason = reading.object.text("billing_reason");
    match reason {
        Some("subscription_create") => Billing::SubscriptionStart,
        Some("subscription_cycle" | "subscription_threshold") => Billing::SubscriptionCycle,
        Some("subscription_update") => Billing::SubscriptionUpdate,
        Some("subscription") => Billing::SubscriptionOther,
        Some("manual" | "quote_accept" | "automatic_pending_invoice_item_invoice") => Billing::Manual,
        _ => {
            if reason.is_some() {
                reading.note("unknown billing_reason");
            }
            if of_subscription { Billing::SubscriptionOther } else { Billing::Manual }
        }
    }
}

fn details(invoice: &Json<'_>) -> Details {
    let sum = |path: &str| match invoice.list(path) {
        [] => None,
        amounts => amounts.iter().try_fold(0_i64, |sum, amount| sum.checked_add(amount.integer("amount")?)),
    };
    Details {
        tax: sum("total_taxes").or_else(|| invoice.integer("tax")).or_else(|| sum("total_tax_amounts")),
        shipping: invoice
            .integer("shipping_cost.amount_subtotal")
            .or_else(|| invoice.integer("shipping_cost.amount_total")),
        discount: sum("total_discount_amounts"),
        coupon: [
            "discount.coupon",
            "discount.promotion_code",
            "discounts.0.source.coupon",
            "discounts.0.coupon",
            "discounts.0.promotion_code",
        ]
        .iter()
        .find_map(|path| invoice.id(path).map(str::to_owned)),
        items: invoice.list("lines.data").iter().take(MAX_ITEMS).map(item).collect(),
        payment_method_type: if paid_out_of_band(invoice) {
            Some("out_of_band".to_owned())
        } else {
            only_payment_method_type(invoice, "payment_settings.payment_method_types")
        },
    }
}

/// Whether the merchant said that the money came by another way than through Stripe. Since 2025-03-31 such a payment is a
/// record of its own kind; before, the invoice says so.
fn paid_out_of_band(invoice: &Json<'_>) -> bool {
    let is_record = |payment: &Json<'_>| {
        matches!(payment.text("payment.type"), Some("payment_record" | "out_of_band_payment"))
            || payment.id("payment.payment_record").is_some()
    };
    let payments = invoice.list("payments.data");
    invoice.boolean("paid_out_of_band") == Some(true) || (!payments.is_empty() && payments.iter().all(is_record))
}

fn item(line: &Json<'_>) -> Item {
    let quantity = line.integer("quantity").and_then(|quantity| u32::try_from(quantity).ok()).unwrap_or(1).max(1);
    Item {
        id: [
            "pricing.price_details.product",
            "price.product",
            "plan.product",
            "pricing.price_details.price",
            "price",
            "plan",
        ]
        .iter()
        .find_map(|path| line.id(path).map(str::to_owned)),
        name: line.text("description").and_then(value),
        quantity,
        unit_minor: unit_minor(line, quantity),
    }
}

/// The price of one after discounts: a line's `amount` is before them.
fn unit_minor(line: &Json<'_>, quantity: u32) -> Option<i64> {
    let mut amount = line.integer("amount")?;
    for discount in line.list("discount_amounts") {
        amount = amount.checked_sub(discount.integer("amount")?)?;
    }
    price_of_one(amount, quantity)
}
