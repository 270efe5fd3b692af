//! Signed samples, as Stripe would send them today: for rehearsals, the demo and tests.
//!
//! Samples of one number and mode tell of one buyer: a Checkout of one course, with its intent, charge, invoice, refund and
//! dispute; and a membership, with its invoices.

use crate::sources::signature::{SigningKey, to_hex};
use crate::sources::{Sample, SampleRequest};

use super::layout;

/// Every sample there is: one at least of each type that [`super::interpret`] reads. What follows a slash tells samples of one
/// type apart.
pub const TYPES: [&str; 36] = [
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "charge.succeeded",
    "charge.captured",
    "charge.refunded",
    "invoice.paid",
    "invoice.payment_succeeded",
    "invoice.payment_failed",
    "invoice_payment.paid",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.refund.updated",
    "checkout.session.completed/free",
    "checkout.session.completed/trial",
    "invoice.paid/trial",
    "invoice.paid/subscription",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.closed/lost",
    "charge.dispute.closed/won",
    "charge.dispute.funds_reinstated",
    "customer.subscription.created",
    "customer.subscription.created/trial",
    "customer.subscription.updated",
    "customer.subscription.updated/cancelling",
    "customer.subscription.updated/overdue",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "customer.created",
    "customer.updated",
];

const PEOPLE: [(&str, &str); 4] =
    [("Ada Example", "ada"), ("Grace Example", "grace"), ("Jean Example", "jean"), ("Mary Example", "mary")];

/// Prices of the course in cents.
const AMOUNTS: [u64; 4] = [9900, 4990, 14_900, 1900];

const SESSION: &str = include_str!("samples/session.json");
const INTENT: &str = include_str!("samples/intent.json");
const PAYMENT_ERROR: &str = include_str!("samples/payment_error.json");
const CHARGE: &str = include_str!("samples/charge.json");
const INVOICE: &str = include_str!("samples/invoice.json");
const INVOICE_PAYMENT: &str = include_str!("samples/invoice_payment.json");
const REFUND: &str = include_str!("samples/refund.json");
const DISPUTE: &str = include_str!("samples/dispute.json");
const SUBSCRIPTION: &str = include_str!("samples/subscription.json");
const CUSTOMER: &str = include_str!("samples/customer.json");
const METADATA: &str = include_str!("samples/metadata.json");
const EVENT: &str = include_str!("samples/event.json");
/// The same of an event that says what was before.
const CHANGE: &str = include_str!("samples/change.json");

/// Makes a sample signed with this key; none for a type that is not in [`TYPES`].
pub(super) fn sample(wanted: &SampleRequest<'_>, key: &SigningKey) -> Option<Sample> {
    let number = TYPES.iter().position(|name| *name == wanted.event_type)?;
    let previous = previous_attributes(wanted.event_type);
    let event = Blanks::default()
        .text("event", &format!("evt_1{number:02}{}", token(wanted)))
        .text("type", type_of(wanted.event_type))
        .json("object", &object(wanted)?)
        .json("previous", previous.unwrap_or("null"))
        .also(&common(wanted))
        .fill(if previous.is_some() { CHANGE } else { EVENT });
    let body = layout::pretty(event.as_bytes(), usize::MAX)?;
    let timestamp = wanted.now.unix_seconds().max(0).to_string();
    let mut signature = format!("t={timestamp},v1={}", to_hex(&key.digest(&[timestamp.as_bytes(), b".", &body])));
    if !wanted.livemode {
        // Stripe adds a signature that means nothing to test events, so that nobody takes any scheme for v1.
        signature.push_str(&format!(",v0={}", to_hex(&key.digest(&[b"v0"]))));
    }
    Some(Sample {
        headers: vec![
            ("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned()),
            ("User-Agent".to_owned(), "Stripe/1.0 (+https://stripe.com/docs/webhooks)".to_owned()),
            ("Stripe-Signature".to_owned(), signature),
        ],
        body,
    })
}

/// The provider's name of the event that a sample is of.
fn type_of(sample: &str) -> &str {
    sample.split_once('/').map_or(sample, |(event_type, _)| event_type)
}

/// What was before, in samples of a change.
fn previous_attributes(sample: &str) -> Option<&'static str> {
    Some(match sample {
        "customer.subscription.updated" => {
            r#"{"items": {"data": [{"price": {"id": "price_SampleMembership"}, "quantity": 1}]}, "quantity": 1}"#
        }
        "customer.subscription.updated/cancelling" => {
            r#"{"cancel_at": null, "cancel_at_period_end": false, "canceled_at": null}"#
        }
        "customer.subscription.updated/overdue" => r#"{"status": "active"}"#,
        "customer.updated" => r#"{"phone": null}"#,
        _ => return None,
    })
}

/// What tells the ids of one number and mode from others; long enough to pass for Stripe's own.
fn token(wanted: &SampleRequest<'_>) -> String {
    format!("{}{:016}", if wanted.livemode { "Live" } else { "Test" }, wanted.number)
}

fn object(wanted: &SampleRequest<'_>) -> Option<String> {
    let amount = pick(&AMOUNTS, wanted.number).to_string();
    let common = common(wanted);
    let with_status = |status| Blanks::default().text("status", status).also(&common);
    Some(match wanted.event_type {
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
            with_status("paid").also(&one_off(&amount)).fill(SESSION)
        }
        "checkout.session.async_payment_failed" => with_status("unpaid").also(&one_off(&amount)).fill(SESSION),
        // A coupon takes the whole price away: there is no payment at all.
        "checkout.session.completed/free" => Blanks::default()
            .text("session", &format!("cs_{}_free{}", mode(wanted), token(wanted)))
            .json("intent", "null")
            .json("invoice", "null")
            .json("tax", "0")
            .json("discount", &amount)
            .also(&one_off("0"))
            .also(&with_status("no_payment_required"))
            .fill(SESSION),
        "checkout.session.completed/trial" => nothing_yet()
            .text("session", &format!("cs_{}_trial{}", mode(wanted), token(wanted)))
            .text("mode", "subscription")
            .json("intent", "null")
            .text("invoice", &trial_invoice(wanted))
            .text("of_subscription", &subscription(wanted))
            .json("discount", "0")
            .also(&with_status("no_payment_required"))
            .fill(SESSION),
        "payment_intent.succeeded" => {
            with_status("succeeded").json("received", &amount).json("error", "null").fill(INTENT)
        }
        "payment_intent.payment_failed" => {
            let failed = Blanks::default().text("charge", &format!("ch_3{}Failed", token(wanted)));
            let error = failed.clone().also(&common).fill(PAYMENT_ERROR);
            with_status("requires_payment_method").json("received", "0").json("error", &error).over(failed).fill(INTENT)
        }
        "charge.succeeded" | "charge.captured" => {
            Blanks::default().json("refunded", "0").json("refunded_fully", "false").also(&common).fill(CHARGE)
        }
        "charge.refunded" => {
            Blanks::default().json("refunded", &amount).json("refunded_fully", "true").also(&common).fill(CHARGE)
        }
        "invoice.paid" | "invoice.payment_succeeded" => {
            with_status("paid").json("received", &amount).json("remaining", "0").also(&of_checkout()).fill(INVOICE)
        }
        "invoice.payment_failed" => {
            with_status("open").json("received", "0").json("remaining", &amount).also(&of_checkout()).fill(INVOICE)
        }
        "invoice.paid/trial" => nothing_yet()
            .text("invoice", &trial_invoice(wanted))
            .json("remaining", "0")
            .also(&of_membership(wanted))
            .fill(INVOICE),
        "invoice.paid/subscription" => Blanks::default()
            .json("received", &amount)
            .json("remaining", "0")
            .also(&of_membership(wanted))
            .fill(INVOICE),
        "invoice_payment.paid" => common.fill(INVOICE_PAYMENT),
        "refund.created" | "refund.updated" | "charge.refund.updated" => with_status("succeeded").fill(REFUND),
        "refund.failed" => with_status("failed").fill(REFUND),
        "charge.dispute.created" | "charge.dispute.funds_withdrawn" => with_status("needs_response").fill(DISPUTE),
        "charge.dispute.updated" => with_status("under_review").fill(DISPUTE),
        "charge.dispute.closed/lost" => with_status("lost").fill(DISPUTE),
        "charge.dispute.closed/won" | "charge.dispute.funds_reinstated" => with_status("won").fill(DISPUTE),
        name if name.starts_with("customer.subscription.") => membership(wanted).also(&common).fill(SUBSCRIPTION),
        "customer.created" | "customer.updated" => common.fill(CUSTOMER),
        _ => return None,
    })
}

/// What sets a one-off session apart from a subscription's.
fn one_off(received: &str) -> Blanks {
    Blanks::default()
        .text("mode", "payment")
        .json("of_subscription", "null")
        .json("received", received)
        .json("discount", "0")
}

/// What sets the invoice of a Checkout apart from a subscription's.
fn of_checkout() -> Blanks {
    Blanks::default()
        .json("attempts", "1")
        .text("billing_reason", "manual")
        .text("line_name", "Online course")
        .json("parent", "null")
}

/// What sets an invoice of the membership apart.
fn of_membership(wanted: &SampleRequest<'_>) -> Blanks {
    let common = common(wanted);
    let parent = common.fill(
        r#"{"quote_details": null, "subscription_details": {"metadata": "@metadata@", "subscription": "@subscription@"},
            "type": "subscription_details"}"#,
    );
    Blanks::default()
        .text("invoice", &subscription_invoice(wanted))
        .text("status", "paid")
        .json("attempts", "1")
        .text("billing_reason", "subscription_create")
        .text("line_name", "Membership")
        .json("parent", &parent)
        .also(&common)
}

/// Prices while a trial lasts.
fn nothing_yet() -> Blanks {
    ["amount", "received", "tax"]
        .into_iter()
        .fold(Blanks::default(), |blanks, name| blanks.json(name, "0"))
        .text("decimal", "0")
}

/// How the membership stands in a sample.
fn membership(wanted: &SampleRequest<'_>) -> Blanks {
    let seconds = wanted.now.unix_seconds().max(0);
    let now = seconds.to_string();
    let later = seconds.saturating_add(30 * 86_400).to_string();
    let standing = |status: &str| Blanks::default().text("status", status);
    let special = match wanted.event_type {
        "customer.subscription.created/trial" => {
            standing("trialing").json("trial_start", &now).json("trial_end", &later)
        }
        "customer.subscription.updated" => standing("active").json("quantity", "2"),
        "customer.subscription.updated/cancelling" => {
            standing("active").json("cancel_at", &later).json("cancel_at_period_end", "true").json("canceled_at", &now)
        }
        "customer.subscription.updated/overdue" => standing("past_due"),
        "customer.subscription.deleted" => standing("canceled").json("canceled_at", &now).json("ended_at", &now),
        "customer.subscription.paused" => standing("paused"),
        _ => standing("active"),
    };
    special.json("quantity", "1").json("cancel_at_period_end", "false").json("period_end", &later)
}

fn subscription(wanted: &SampleRequest<'_>) -> String {
    format!("sub_1{}", token(wanted))
}

fn subscription_invoice(wanted: &SampleRequest<'_>) -> String {
    format!("in_1{}Membership", token(wanted))
}

fn trial_invoice(wanted: &SampleRequest<'_>) -> String {
    format!("in_1{}Trial", token(wanted))
}

fn mode(wanted: &SampleRequest<'_>) -> &'static str {
    if wanted.livemode { "live" } else { "test" }
}

/// What every object of one buyer shares.
fn common(wanted: &SampleRequest<'_>) -> Blanks {
    let token = token(wanted);
    let mode = mode(wanted);
    let number = wanted.number;
    let (name, mailbox) = *pick(&PEOPLE, number);
    let amount = *pick(&AMOUNTS, number);
    let seconds = wanted.now.unix_seconds().max(0);
    let people = Blanks::default()
        .text("lead", &format!("lead-{number}"))
        .text("user", &format!("user-{number}"))
        .text("client", &format!("{}.{}", 1_000_000_000 + number % 1_000_000_000, 1_700_000_000 + number % 50_000_000))
        .text("created_text", &seconds.to_string())
        .text("name", name)
        .text("email", &format!("{mailbox}.{number}@example.com"))
        .text("phone", &format!("+49301{:07}", number % 10_000_000));
    let metadata = people.fill(METADATA);
    people
        .text("session", &format!("cs_{mode}_a1{token}"))
        .text("intent", &format!("pi_3{token}"))
        .text("charge", &format!("ch_3{token}"))
        .text("invoice", &format!("in_1{token}"))
        .text("invoice_payment", &format!("inpay_1{token}"))
        .text("line", &format!("il_1{token}"))
        .text("item", &format!("ii_1{token}"))
        .text("refund", &format!("re_3{token}"))
        .text("dispute", &format!("du_1{token}"))
        .text("subscription", &subscription(wanted))
        .text("subscription_item", &format!("si_1{token}"))
        .text("subscription_invoice", &subscription_invoice(wanted))
        .text("customer", &format!("cus_{token}"))
        .text("method", &format!("pm_1{token}"))
        .text("decimal", &amount.to_string())
        .json("amount", &amount.to_string())
        // 19 % are in the price.
        .json("tax", &(amount * 19 / 119).to_string())
        .json("created", &seconds.to_string())
        .json("expires", &seconds.saturating_add(86_400).to_string())
        .json("livemode", if wanted.livemode { "true" } else { "false" })
        .json("metadata", &metadata)
}

#[allow(clippy::cast_possible_truncation)] // the remainder is below the length
fn pick<T, const N: usize>(choices: &[T; N], number: u64) -> &T {
    &choices[(number % N as u64) as usize]
}

/// Values for the `"@blanks@"` of a template. Each stands for one JSON value; the first of a name counts.
#[derive(Clone, Default)]
struct Blanks(Vec<(&'static str, String)>);

impl Blanks {
    /// A string. Only of our own making: nothing in it needs escaping.
    fn text(self, name: &'static str, value: &str) -> Self {
        self.json(name, &format!("\"{value}\""))
    }

    /// Any JSON value.
    fn json(mut self, name: &'static str, value: &str) -> Self {
        self.0.push((name, value.to_owned()));
        self
    }

    /// With others behind these.
    fn also(mut self, others: &Self) -> Self {
        self.0.extend_from_slice(&others.0);
        self
    }

    /// With others before these.
    fn over(self, others: Self) -> Self {
        others.also(&self)
    }

    fn fill(&self, template: &str) -> String {
        let mut filled = String::with_capacity(template.len() * 2);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("\"@") {
            filled.push_str(before);
            let (name, after) = after.split_once("@\"").unwrap_or((after, ""));
            filled.push_str(self.0.iter().find(|(known, _)| *known == name).map_or("null", |(_, value)| value));
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}

#[cfg(test)]
#[path = "sample_tests.rs"]
mod tests;
