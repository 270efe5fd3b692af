//! Does Stripe send everything that is needed? Judged by the types of events that came lately.

use std::collections::BTreeSet;

use super::finding::Finding;
use crate::sources::stripe::{events_to_tick, not_ticked};

/// Days that are looked back.
pub(super) const DAYS: u64 = 7;
/// The newest webhooks that are looked at.
pub(super) const MOST: u64 = 5_000;

/// Of one Stripe source: the types of its events that came in that time.
pub(super) fn judge(source: &str, url: &str, seen: &BTreeSet<String>) -> Finding {
    let check = format!("events.{source}");
    if seen.is_empty() {
        return Finding::warning(
            check,
            format!("no event came to {source} in the last {DAYS} days"),
            format!(
                "when there were sales, see in Stripe's dashboard (Developers, Webhooks) that an endpoint {url} is there, enabled and \
                 answered 200; `tallyhook send {source}` tries this end"
            ),
        );
    }
    let missing: Vec<(&str, &str)> = not_ticked(|name| seen.contains(name)).collect();
    if !missing.is_empty() {
        let told: Vec<String> = missing.iter().map(|(name, with)| format!("{name} (though {with} did)")).collect();
        let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
        let old = if names.contains(&"invoice_payment.paid") {
            "; invoice_payment.paid is there from Stripe's API version 2025-03-31 on, and not needed before"
        } else {
            ""
        };
        return Finding::warning(
            check,
            format!("of what is needed, these did not come in the last {DAYS} days: {}", told.join(", ")),
            format!(
                "tick {} at the endpoint {url} in Stripe's dashboard (Developers, Webhooks){old}",
                names.join(", ")
            ),
        );
    }
    let unseen: Vec<&str> = events_to_tick().filter(|name| !seen.contains(*name)).collect();
    let rest = match unseen.len() {
        0 => String::new(),
        _ => format!("; not seen, which is right if nothing of the kind happened: {}", unseen.join(", ")),
    };
    Finding::ok(check, format!("{} types of events came in the last {DAYS} days, and none is missed{rest}", seen.len()))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Level;
    use super::*;

    const URL: &str = "https://hooks.example.com/api/webhooks/stripe";

    fn found(seen: &[&str]) -> Finding {
        judge("stripe", URL, &seen.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn an_invoice_without_its_payment_names_what_to_tick_and_where() {
        let found = found(&["invoice.paid", "payment_intent.succeeded", "charge.succeeded"]);
        assert_eq!(found.level, Level::Warning);
        assert!(found.message.contains("invoice_payment.paid (though invoice.paid did)"), "{}", found.message);
        let fix = found.fix.unwrap();
        assert!(fix.contains("tick invoice_payment.paid") && fix.contains(URL) && fix.contains("2025-03-31"), "{fix}");
    }

    #[test]
    fn what_need_not_have_happened_is_no_warning() {
        let single = found(&["payment_intent.succeeded", "charge.succeeded", "checkout.session.completed"]);
        assert_eq!(single.level, Level::Ok);
        assert!(single.message.contains("charge.dispute.created"), "{}", single.message);
        assert_eq!(found(&[]).level, Level::Warning);
    }
}
