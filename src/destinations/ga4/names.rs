//! Names of events and parameters that GA4 takes (Measurement Protocol: reference, reserved names). An event whose name it
//! doesn't take is dropped without a word.

use super::violation::ValidationCode::{NameInvalid, NameReserved, PersonalData};
use super::violation::Violation;
use crate::model::business_event::EventKind;

/// The longest event or parameter name.
pub const NAME_CHARS: usize = 40;
const RESERVED_EVENTS: [&str; 34] = [
    "ad_activeview",
    "ad_click",
    "ad_exposure",
    "ad_impression",
    "ad_query",
    "ad_reward",
    "adunit_exposure",
    "app_clear_data",
    "app_exception",
    "app_install",
    "app_remove",
    "app_store_refund",
    "app_update",
    "app_upgrade",
    "dynamic_link_app_open",
    "dynamic_link_app_update",
    "dynamic_link_first_open",
    "error",
    "firebase_campaign",
    "firebase_in_app_message_action",
    "firebase_in_app_message_dismiss",
    "firebase_in_app_message_impression",
    "first_open",
    "first_visit",
    "in_app_purchase",
    "notification_dismiss",
    "notification_foreground",
    "notification_open",
    "notification_receive",
    "notification_send",
    "os_update",
    "screen_view",
    "session_start",
    "user_engagement",
];

/// What no name may begin with.
pub const RESERVED_PREFIXES: [&str; 5] = ["_", "firebase_", "ga_", "google_", "gtag."];

/// Parameters that are filled in by themselves, so that none of the user's own may have their name.
const FILLED_IN: [&str; 25] = [
    "coupon",
    "currency",
    "customer_type",
    "days_to_conversion",
    "debug_mode",
    "engagement_time_msec",
    "event_source",
    "failure_code",
    "items",
    "lead_campaign",
    "lead_id",
    "lead_source",
    "payment_method_type",
    "pricing_tier",
    "sale_type",
    "session_id",
    "shipping",
    "subscription_change",
    "subscription_plan",
    "subscription_status",
    "synthetic",
    "tax",
    "test_mode",
    "transaction_id",
    "value",
];

/// Names that GA4 keeps for dimensions of its own (help 13316687): what is sent under them can't be reported on.
const RESERVED_DIMENSIONS: [&str; 5] = ["cid", "customer_id", "gclid", "uid", "user_id"];

/// Names of parameters that can only hold what GA4's policy forbids.
const PERSONAL: [&str; 9] =
    ["address", "e_mail", "email", "first_name", "last_name", "name", "phone", "phone_number", "street"];

/// Whether GA4 takes an event of this name.
///
/// # Errors
/// The rule it breaks.
pub fn event_name(name: &str) -> Result<(), Violation> {
    plain_name(name, "event name")?;
    if RESERVED_EVENTS.contains(&name) {
        return Err(Violation::new(NameReserved, format!("the event name {name:?} is reserved")));
    }
    Ok(())
}

/// Whether a business event may be sent under a name: GA4 takes every `purchase` for money that came in, and every `refund`
/// for money that went out.
///
/// # Errors
/// Which ones may.
pub fn suits(kind: &EventKind, name: &str) -> Result<(), Violation> {
    let (fits, those) = match name {
        "purchase" => (kind.is_sale(), "purchase and renewal"),
        "refund" => (matches!(kind, EventKind::Refund | EventKind::DisputeLost), "refund and dispute_lost"),
        _ => (true, ""),
    };
    if fits {
        return Ok(());
    }
    Err(Violation::new(NameReserved, format!("only {those} may be sent as {name:?}: GA4 would count it as such")))
}

/// Whether GA4 takes a parameter of this name.
///
/// # Errors
/// The rule it breaks.
pub fn parameter_name(name: &str) -> Result<(), Violation> {
    plain_name(name, "parameter name")?;
    if name == "firebase_conversion" {
        return Err(Violation::new(NameReserved, format!("the parameter name {name:?} is reserved")));
    }
    Ok(())
}

/// Whether a parameter of the user's own may have this name.
///
/// # Errors
/// The rule it breaks.
pub fn own_parameter_name(name: &str) -> Result<(), Violation> {
    parameter_name(name)?;
    if FILLED_IN.contains(&name) {
        return Err(Violation::new(NameReserved, format!("the parameter {name:?} is filled in anyway")));
    }
    if RESERVED_DIMENSIONS.contains(&name) {
        let what = format!("the parameter name {name:?} is that of a dimension of GA4's own");
        return Err(Violation::new(NameReserved, what));
    }
    if PERSONAL.contains(&name) {
        let what = format!("a parameter {name:?} can only say who somebody is, which GA4's policy forbids");
        return Err(Violation::new(PersonalData, what));
    }
    Ok(())
}

fn plain_name(name: &str, what: &str) -> Result<(), Violation> {
    let shown: String = name.chars().take(2 * NAME_CHARS).collect();
    if name.is_empty() || name.chars().count() > NAME_CHARS {
        let rule = format!("the {what} {shown:?} must have 1 to {NAME_CHARS} characters");
        return Err(Violation::new(NameInvalid, rule));
    }
    if let Some(prefix) = RESERVED_PREFIXES.iter().find(|prefix| name.starts_with(**prefix)) {
        return Err(Violation::new(NameReserved, format!("the {what} {shown:?} begins with the reserved {prefix:?}")));
    }
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain {
        return Ok(());
    }
    let rule = format!("the {what} {shown:?} must begin with a letter and hold only letters, digits and _");
    Err(Violation::new(NameInvalid, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reserved_name_is_refused_and_the_usual_ones_pass() {
        for name in RESERVED_EVENTS {
            assert!(event_name(name).is_err_and(|broken| broken.code == NameReserved), "{name}");
        }
        for name in ["purchase", "refund", "generate_lead", "booking_made", "payment_failed", "aB9_", &"n".repeat(40)] {
            assert_eq!(event_name(name), Ok(()), "{name}");
        }
        for name in ["", "2fast", "a b", "a-b", "größe", &"n".repeat(41)] {
            assert!(event_name(name).is_err_and(|broken| broken.code == NameInvalid), "{name}");
        }
        for prefix in RESERVED_PREFIXES {
            assert!(event_name(&format!("{prefix}x")).is_err() && parameter_name(&format!("{prefix}x")).is_err());
        }
    }

    #[test]
    fn a_parameter_of_ones_own_takes_no_name_that_means_something_already() {
        for name in ["value", "items", "session_id", "gclid", "user_id", "firebase_conversion", "google_x"] {
            assert!(own_parameter_name(name).is_err_and(|broken| broken.code == NameReserved), "{name}");
        }
        for name in ["email", "name", "phone"] {
            assert!(own_parameter_name(name).is_err_and(|broken| broken.code == PersonalData), "{name}");
        }
        for name in ["plan", "lead_status", "first_source", "method"] {
            assert_eq!(own_parameter_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn only_sales_are_purchases_and_only_money_given_back_is_a_refund() {
        for (kind, name, fits) in [
            (EventKind::Purchase, "purchase", true),
            (EventKind::Renewal, "purchase", true),
            (EventKind::PaymentFailed, "purchase", false),
            (EventKind::Refund, "purchase", false),
            (EventKind::DisputeLost, "refund", true),
            (EventKind::DisputeReversed, "refund", false),
            (EventKind::Purchase, "close_convert_lead", true),
            (EventKind::BookingMade, "qualify_lead", true),
        ] {
            assert_eq!(suits(&kind, name).is_ok(), fits, "{kind} {name}");
        }
    }
}
