//! What is left to do elsewhere: in Stripe's dashboard, and with the service manager.

use std::path::Path;

use crate::cli::service::is_of_service;
use crate::sources::stripe::EVENTS_TO_TICK;

/// What to do in Stripe's dashboard, for an endpoint with this address.
pub(super) fn stripe(endpoint: &str) -> String {
    let mut text = format!(
        "In Stripe's dashboard: Developers, Webhooks, Add endpoint (newer dashboards: Workbench, Webhooks, Add destination, payload \
         style \"snapshot\")\n  address: {endpoint}\n  events to tick:"
    );
    for (what, names) in EVENTS_TO_TICK {
        text.push_str(&format!("\n    {what}: {}", names.join(", ")));
    }
    text
}

/// What to do at HighLevel, for webhooks of workflows to this address.
pub(super) fn highlevel(endpoint: &str) -> String {
    format!(
        "In HighLevel: Automation, Workflows; in each workflow that starts with a booking or a contact add the action Webhook, POST\n  \
         address: {endpoint}\n  The last part of it is a secret: whoever has it can make up bookings. Which triggers, and how each \
         event is named: \"Who may send\" in the README (/usr/share/doc/tallyhook)"
    )
}

/// Units to enable. The socket holds port 443, which behind a proxy is the proxy's.
pub(super) const fn units(proxy: bool) -> &'static [&'static str] {
    if proxy { &["tallyhook.service"] } else { &["tallyhook-https.socket", "tallyhook.service"] }
}

/// The command that starts it.
pub(super) fn start(file: &Path, proxy: bool) -> String {
    match is_of_service(file) {
        true => format!("systemctl enable --now {}", units(proxy).join(" ")),
        false => format!("tallyhook --config {} serve", file.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_names_address_and_events() {
        let text = stripe("https://hooks.example.com/api/webhooks/stripe");
        assert!(text.contains("address: https://hooks.example.com/api/webhooks/stripe"));
        assert!(text.contains("invoice_payment.paid") && text.contains("charge.dispute.created"));
    }

    #[test]
    fn behind_a_proxy_port_443_is_left_alone() {
        let file = Path::new(crate::config::DEFAULT_FILE);
        assert_eq!(start(file, false), "systemctl enable --now tallyhook-https.socket tallyhook.service");
        assert_eq!(start(file, true), "systemctl enable --now tallyhook.service");
        assert_eq!(start(Path::new("/tmp/t.toml"), true), "tallyhook --config /tmp/t.toml serve");
    }
}
