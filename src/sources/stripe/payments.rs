//! Checkout sessions, payment intents and charges.

use crate::model::money::Money;
use crate::model::statement::{Claim, Details, FailedAttempt, Item, ObjectKind, Paid, Statement};

use super::json::Json;
use super::object::{MAX_ITEMS, Reading, only_payment_method_type, person, price_of_one, push_link, value};

/// The form is finished; the money may still be on its way.
pub(super) fn session_completed(reading: &mut Reading<'_>) -> Option<Statement> {
    session_paid(reading, reading.object.text("payment_status").unwrap_or("absent"))
}

/// A payment that takes days (SEPA, ACH, …) arrived.
pub(super) fn session_paid_later(reading: &mut Reading<'_>) -> Option<Statement> {
    session_paid(reading, reading.object.text("payment_status").unwrap_or("paid"))
}

/// A payment that takes days didn't arrive. A session has one such payment, so the try needs no number.
pub(super) fn session_failed(reading: &mut Reading<'_>) -> Option<Statement> {
    let mut statement = session(reading)?;
    statement.claim = Claim::AttemptFailed(FailedAttempt {
        attempt: "async_payment".to_owned(),
        amount: session_amount(reading),
        code: None,
        at: reading.said_at,
    });
    Some(statement)
}

/// The money is there.
pub(super) fn intent_succeeded(reading: &mut Reading<'_>) -> Option<Statement> {
    let mut statement = intent(reading)?;
    statement.claim = paid(reading, &["amount_received", "amount"]);
    Some(statement)
}

/// One try to pay failed; the intent itself goes on.
pub(super) fn intent_failed(reading: &mut Reading<'_>) -> Option<Statement> {
    let mut statement = intent(reading)?;
    let error = "last_payment_error";
    let code =
        ["code", "decline_code", "type"].iter().find_map(|field| code(reading.object, &format!("{error}.{field}")));
    statement.claim = Claim::AttemptFailed(FailedAttempt {
        attempt: reading.object.id("last_payment_error.charge").unwrap_or(reading.event_id).to_owned(),
        amount: reading.money(&["amount"]),
        code,
        at: reading.said_at,
    });
    Some(statement)
}

/// A charge went through; without capture it is only an authorisation, and no revenue.
pub(super) fn charge_succeeded(reading: &mut Reading<'_>) -> Option<Statement> {
    let mut statement = charge(reading)?;
    if reading.object.boolean("captured") != Some(false) {
        statement.claim = paid(reading, &["amount_captured", "amount"]);
    }
    Some(statement)
}

/// An authorised charge was captured.
pub(super) fn charge_captured(reading: &mut Reading<'_>) -> Option<Statement> {
    let mut statement = charge(reading)?;
    statement.claim = paid(reading, &["amount_captured", "amount"]);
    Some(statement)
}

/// Something of the charge was refunded. `amount_refunded` is a running total, so what counts is left to the refund's own events.
pub(super) fn charge_refunded(reading: &mut Reading<'_>) -> Option<Statement> {
    charge(reading)
}

/// A code of Stripe's: a word of small letters, digits and underscores, so that free text can't slip in.
fn code(object: &Json<'_>, path: &str) -> Option<String> {
    let code = object.text(path)?;
    let is_word = code.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    (is_word && (1..=64).contains(&code.len())).then(|| code.to_owned())
}

fn paid(reading: &mut Reading<'_>, amount_paths: &[&str]) -> Claim {
    let at = reading.said_at;
    reading.money(amount_paths).map_or(Claim::Nothing, |amount| Claim::Paid(Paid { amount, at, billing: None }))
}

fn session_paid(reading: &mut Reading<'_>, payment_status: &str) -> Option<Statement> {
    let mut statement = session(reading)?;
    let at = reading.said_at;
    let of_mode = reading.object.text("mode");
    statement.claim = match payment_status {
        "paid" => {
            session_amount(reading).map_or(Claim::Nothing, |amount| Claim::Paid(Paid { amount, at, billing: None }))
        }
        "unpaid" => Claim::Nothing,
        // A saved card is no start of anything that is sold.
        "no_payment_required" if of_mode == Some("setup") => {
            reading.nothing_to_count("a payment method was saved, and nothing was sold");
            Claim::Nothing
        }
        // Nothing is owed now, but a subscription has begun: its trial.
        "no_payment_required" if of_mode == Some("subscription") || statement.subscription.is_some() => reading
            .currency("currency")
            .map_or(Claim::Nothing, |currency| Claim::Paid(Paid { amount: Money::zero(currency), at, billing: None })),
        "no_payment_required" => {
            reading.nothing_to_count("free order");
            Claim::Nothing
        }
        _ => {
            reading.note("payment_status absent or unknown: no money is counted for this event");
            Claim::Nothing
        }
    };
    Some(statement)
}

/// What the merchant gets for a session. Where Stripe showed the buyer another currency, sessions from before 2025-03-31 have the
/// merchant's own beside it (Stripe: the session object, `currency_conversion`); later ones have it in `amount_total`.
fn session_amount(reading: &mut Reading<'_>) -> Option<Money> {
    if is_converted(reading.object) {
        return reading.money_in("currency_conversion.source_currency", &["currency_conversion.amount_total"]);
    }
    reading.money(&["amount_total"])
}

/// Whether a session's own amounts are in the buyer's currency.
fn is_converted(session: &Json<'_>) -> bool {
    matches!(session.at("currency_conversion"), Some(Json::Object(_)))
}

fn session(reading: &Reading<'_>) -> Option<Statement> {
    let session = reading.object;
    let mut statement = reading.statement(ObjectKind::Session, "id")?;
    statement.links = reading.links(&[(ObjectKind::Intent, "payment_intent"), (ObjectKind::Invoice, "invoice")]);
    statement.subscription = session.id("subscription").map(str::to_owned);
    statement.person = person(
        reading,
        &["customer_details.email", "customer_email", "customer.email"],
        &["customer_details.phone", "customer.phone"],
        &[
            "customer_details.name",
            "customer_details.individual_name",
            "customer_details.business_name",
            "collected_information.shipping_details.name",
            "shipping_details.name",
            "shipping.name",
        ],
    );
    if statement.tags.lead_id.is_none() {
        statement.tags.lead_id = session.text("client_reference_id").and_then(value);
    }
    statement.details = Details {
        coupon: ["discounts.0.coupon", "discounts.0.promotion_code"]
            .iter()
            .find_map(|path| session.id(path).map(str::to_owned)),
        items: session.list("line_items.data").iter().take(MAX_ITEMS).map(line_item).collect(),
        payment_method_type: only_payment_method_type(session, "payment_method_types"),
        ..Details::default()
    };
    if is_converted(session) {
        // What is left out here would be in another currency than the sale.
        for item in &mut statement.details.items {
            item.unit_minor = None;
        }
    } else {
        statement.details.tax = session.integer("total_details.amount_tax");
        statement.details.shipping = session.integer("total_details.amount_shipping");
        statement.details.discount = session.integer("total_details.amount_discount");
    }
    Some(statement)
}

/// One line of a session. Webhooks don't have them unless somebody between Stripe and here has added them.
fn line_item(line: &Json<'_>) -> Item {
    let quantity = line.integer("quantity").and_then(|quantity| u32::try_from(quantity).ok()).unwrap_or(1).max(1);
    let before_discount = line.integer("amount_subtotal").or_else(|| line.integer("amount_total"));
    let discount = line.integer("amount_subtotal").and(line.integer("amount_discount")).unwrap_or(0);
    let amount = before_discount.and_then(|amount| amount.checked_sub(discount));
    Item {
        id: ["price.product", "price"].iter().find_map(|path| line.id(path).map(str::to_owned)),
        name: ["description", "price.product.name", "price.nickname"]
            .iter()
            .find_map(|path| line.text(path).and_then(value)),
        quantity,
        unit_minor: amount.and_then(|amount| price_of_one(amount, quantity)),
    }
}

fn intent(reading: &Reading<'_>) -> Option<Statement> {
    let intent = reading.object;
    let mut statement = reading.statement(ObjectKind::Intent, "id")?;
    statement.links = reading.links(&[
        (ObjectKind::Invoice, "invoice"),
        (ObjectKind::Charge, "latest_charge"),
        // Before 2022-11-15 the charges were embedded, the newest first.
        (ObjectKind::Charge, "charges.data.0"),
    ]);
    if let Some((kind, id)) = order_reference(intent) {
        push_link(&mut statement.links, kind, Some(id));
    }
    statement.person = person(
        reading,
        &[
            "receipt_email",
            "latest_charge.billing_details.email",
            "charges.data.0.billing_details.email",
            "last_payment_error.payment_method.billing_details.email",
        ],
        &[
            "shipping.phone",
            "latest_charge.billing_details.phone",
            "charges.data.0.billing_details.phone",
            "last_payment_error.payment_method.billing_details.phone",
        ],
        &[
            "shipping.name",
            "latest_charge.billing_details.name",
            "charges.data.0.billing_details.name",
            "last_payment_error.payment_method.billing_details.name",
        ],
    );
    statement.details.payment_method_type =
        ["latest_charge.payment_method_details.type", "charges.data.0.payment_method_details.type"]
            .iter()
            .find_map(|path| intent.text(path).and_then(value))
            .or_else(|| only_payment_method_type(intent, "payment_method_types"));
    name_by_description(&mut statement, intent);
    Some(statement)
}

/// Takes the description for the name of what was sold, where the merchant's metadata gives none.
fn name_by_description(statement: &mut Statement, object: &Json<'_>) {
    if statement.tags.service_name.is_none() {
        statement.tags.service_name = object.text("description").filter(|text| is_name(text)).and_then(value);
    }
}

/// Whether a description can be the name of something. Stripe writes some of its own, which say how the payment came about, and
/// merchants write whom a payment is from.
fn is_name(description: &str) -> bool {
    const STRIPES_OWN: [&str; 5] =
        ["subscription creation", "subscription update", "payment for invoice", "invoice ", "(created by stripe"];
    let text = description.trim().to_ascii_lowercase();
    !text.contains('@') && !STRIPES_OWN.iter().any(|start| text.starts_with(start))
}

/// The invoice or session that Stripe made the intent for. Merchants may put their own text there, so only what has the form of
/// Stripe's ids counts: a false link would make one sale of two.
fn order_reference<'e>(intent: &'e Json<'_>) -> Option<(ObjectKind, &'e str)> {
    let reference = intent.text("payment_details.order_reference")?;
    let (kind, rest) = [(ObjectKind::Invoice, "in_"), (ObjectKind::Session, "cs_")]
        .iter()
        .find_map(|(kind, prefix)| Some((*kind, reference.strip_prefix(prefix)?)))?;
    // Text without a digit (`in_store`) could stand on many orders; what has one is Stripe's or an order's own number.
    let is_stripes = (1..=240).contains(&rest.len())
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && rest.bytes().any(|byte| byte.is_ascii_digit());
    is_stripes.then_some((kind, reference))
}

fn charge(reading: &Reading<'_>) -> Option<Statement> {
    let charge = reading.object;
    let mut statement = reading.statement(ObjectKind::Charge, "id")?;
    statement.links = reading.links(&[(ObjectKind::Intent, "payment_intent"), (ObjectKind::Invoice, "invoice")]);
    statement.person = person(
        reading,
        &["billing_details.email", "receipt_email"],
        &["billing_details.phone", "shipping.phone"],
        &["billing_details.name", "shipping.name"],
    );
    statement.details.payment_method_type = charge.text("payment_method_details.type").and_then(value);
    name_by_description(&mut statement, charge);
    Some(statement)
}

#[cfg(test)]
#[path = "payments_tests.rs"]
mod tests;
