//! Which events an endpoint at Stripe has to be sent, so that nothing is missing from the books.

/// What to tick in Stripe's dashboard, grouped by what it is for. Each is the name of an event (Stripe: types of events).
pub const EVENTS_TO_TICK: [(&str, &[&str]); 7] = [
    (
        "single payments",
        &["payment_intent.succeeded", "payment_intent.payment_failed", "charge.succeeded", "charge.captured"],
    ),
    (
        "Checkout and Payment Links",
        &[
            "checkout.session.completed",
            "checkout.session.async_payment_succeeded",
            "checkout.session.async_payment_failed",
        ],
    ),
    ("invoices", &["invoice.paid", "invoice.payment_failed", "invoice_payment.paid"]),
    (
        "subscriptions",
        &["customer.subscription.created", "customer.subscription.updated", "customer.subscription.deleted"],
    ),
    ("refunds", &["refund.created", "refund.updated", "refund.failed"]),
    ("disputes", &["charge.dispute.created", "charge.dispute.closed", "charge.dispute.funds_reinstated"]),
    ("people", &["customer.updated"]),
];

/// Events that come with others: where one of those behind it was seen, the first should have been seen, too.
const COMES_WITH: [(&str, &[&str]); 6] = [
    ("payment_intent.succeeded", &["checkout.session.completed", "charge.succeeded"]),
    ("charge.succeeded", &["checkout.session.completed", "payment_intent.succeeded"]),
    ("invoice.paid", &["invoice_payment.paid", "invoice.payment_succeeded"]),
    ("invoice_payment.paid", &["invoice.paid", "invoice.payment_succeeded"]),
    ("refund.created", &["charge.refunded", "refund.updated", "charge.refund.updated"]),
    ("charge.dispute.created", &["charge.dispute.funds_withdrawn"]),
];

/// Every event to tick.
pub fn events_to_tick() -> impl Iterator<Item = &'static str> {
    EVENTS_TO_TICK.into_iter().flat_map(|(_, names)| names.iter().copied())
}

/// What is not sent to the endpoint, judging by what was: each with the event that says so.
pub fn not_ticked<'s>(was_seen: impl Fn(&str) -> bool + 's) -> impl Iterator<Item = (&'static str, &'static str)> + 's {
    COMES_WITH.into_iter().filter_map(move |(name, with)| {
        if was_seen(name) {
            return None;
        }
        with.iter().find(|other| was_seen(other)).map(|other| (name, *other))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::stripe::interpret::is_read;

    #[test]
    fn everything_to_tick_is_read_and_named_once() {
        let mut names: Vec<&str> = events_to_tick().collect();
        assert!(names.iter().all(|name| is_read(name)), "{names:?}");
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for (name, with) in COMES_WITH {
            assert!(names.contains(&name) && with.iter().all(|other| is_read(other)), "{name}");
        }
    }

    #[test]
    fn what_always_comes_with_something_seen_is_missed() {
        let missing = |seen: &[&str]| {
            let seen: Vec<String> = seen.iter().map(|name| (*name).to_owned()).collect();
            not_ticked(move |name| seen.iter().any(|known| known == name)).map(|(name, _)| name).collect::<Vec<_>>()
        };
        assert_eq!(missing(&[]), Vec::<&str>::new(), "a quiet week proves nothing");
        assert_eq!(missing(&["invoice.paid"]), ["invoice_payment.paid"]);
        assert_eq!(missing(&["checkout.session.completed", "payment_intent.succeeded"]), ["charge.succeeded"]);
        assert_eq!(missing(&["checkout.session.completed", "payment_intent.succeeded", "charge.succeeded"]), [""; 0]);
        assert_eq!(missing(&["charge.refunded", "customer.subscription.deleted"]), ["refund.created"]);
    }
}
