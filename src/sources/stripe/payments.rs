//! Checkout sessions, payment intents and charges.

use crate::model::money::Money;
use crate::model::statement::{Claim, Details, FailedAttempt, ObjectKind, Paid, Statement};

use super::json::Json;
use super::object::{Reading, only_payment_method_type, person, push_link, value};

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
        amount: reading.money(&["amount_total"]),
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
    statement.claim = match payment_status {
        "paid" => paid(reading, &["amount_total"]),
        "unpaid" => Claim::Nothing,
        // A saved card is no start of anything that is sold.
        "no_payment_required" if reading.object.text("mode") == Some("setup") => Claim::Nothing,
        "no_payment_required" => {
            let at = reading.said_at;
            reading.currency().map_or(Claim::Nothing, |currency| {
                Claim::Paid(Paid { amount: Money::zero(currency), at, billing: None })
            })
        }
        _ => {
            reading.note("payment_status absent or unknown");
            Claim::Nothing
        }
    };
    Some(statement)
}

fn session(reading: &Reading<'_>) -> Option<Statement> {
    let session = reading.object;
    let mut statement = reading.statement(ObjectKind::Session, "id")?;
    statement.links = reading.links(&[(ObjectKind::Intent, "payment_intent"), (ObjectKind::Invoice, "invoice")]);
    statement.subscription = session.id("subscription").map(str::to_owned);
    statement.person = person(
        session,
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
        tax: session.integer("total_details.amount_tax"),
        shipping: session.integer("total_details.amount_shipping"),
        discount: session.integer("total_details.amount_discount"),
        coupon: ["discounts.0.coupon", "discounts.0.promotion_code"]
            .iter()
            .find_map(|path| session.id(path).map(str::to_owned)),
        items: Vec::new(),
        payment_method_type: only_payment_method_type(session, "payment_method_types"),
    };
    Some(statement)
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
        intent,
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
    Some(statement)
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
        charge,
        &["billing_details.email", "receipt_email"],
        &["billing_details.phone", "shipping.phone"],
        &["billing_details.name", "shipping.name"],
    );
    statement.details.payment_method_type = charge.text("payment_method_details.type").and_then(value);
    Some(statement)
}
