//! Names of events and parameters that GA4 takes (Measurement Protocol: reference, reserved names). An event whose name it
//! doesn't take is dropped without a word.

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

/// Whether GA4 takes an event of this name.
///
/// # Errors
/// The rule it breaks, as a sentence.
pub fn event_name(name: &str) -> Result<(), String> {
    plain_name(name, "event name")?;
    if RESERVED_EVENTS.contains(&name) {
        return Err(format!("the event name {name:?} is reserved"));
    }
    Ok(())
}

/// Whether GA4 takes a parameter of this name.
///
/// # Errors
/// The rule it breaks, as a sentence.
pub fn parameter_name(name: &str) -> Result<(), String> {
    plain_name(name, "parameter name")?;
    if name == "firebase_conversion" { Err(format!("the parameter name {name:?} is reserved")) } else { Ok(()) }
}

fn plain_name(name: &str, what: &str) -> Result<(), String> {
    if name.is_empty() || name.chars().count() > NAME_CHARS {
        return Err(format!("the {what} {name:?} must have 1 to {NAME_CHARS} characters"));
    }
    if let Some(prefix) = RESERVED_PREFIXES.iter().find(|prefix| name.starts_with(**prefix)) {
        return Err(format!("the {what} {name:?} begins with the reserved {prefix:?}"));
    }
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain {
        Ok(())
    } else {
        Err(format!("the {what} {name:?} must begin with a letter and hold only letters, digits and _"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reserved_name_is_refused_and_the_usual_ones_pass() {
        for name in RESERVED_EVENTS {
            assert!(event_name(name).is_err(), "{name}");
        }
        for name in ["purchase", "refund", "generate_lead", "booking_made", "payment_failed", "aB9_", &"n".repeat(40)] {
            assert_eq!(event_name(name), Ok(()), "{name}");
        }
    }
}
