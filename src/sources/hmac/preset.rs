//! The ways of known senders, each from its own documentation or library.

use std::time::Duration;

use super::scheme::{Encoding, Greeting, KeyForm, Proof, Scheme, Syntax, Unit};

/// Every preset.
pub const PRESETS: [&str; 18] = [
    "standard_webhooks",
    "svix",
    "github",
    "shopify",
    "paddle",
    "lemon_squeezy",
    "square",
    "calendly",
    "typeform",
    "woocommerce",
    "mailerlite",
    "hubspot",
    "cal_com",
    "slack",
    "zoom",
    "paypal",
    "twilio",
    "mailgun",
];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The way of a known sender.
pub fn preset(name: &str) -> Option<Scheme> {
    let base = Scheme::default();
    Some(match name {
        // Standard Webhooks specification, symmetric signatures; Svix sends the same under its own names.
        "standard_webhooks" | "svix" => Scheme {
            key: KeyForm::Base64,
            key_prefix: "whsec_".to_owned(),
            headers: words(&["webhook-signature", "svix-signature"]),
            syntax: Syntax::Versions,
            separator: " ".to_owned(),
            encoding: Encoding::Base64,
            timestamp_headers: words(&["webhook-timestamp", "svix-timestamp"]),
            id_headers: words(&["webhook-id", "svix-id"]),
            signed: "{id}.{timestamp}.{body}".to_owned(),
            event_id: words(&["header:webhook-id|header:svix-id"]),
            event_type: words(&["/type|/event_type"]),
            ..base
        },
        // GitHub: validating webhook deliveries.
        "github" => Scheme {
            headers: words(&["x-hub-signature-256"]),
            prefix: "sha256=".to_owned(),
            event_id: words(&["header:x-github-delivery"]),
            event_type: words(&["header:x-github-event", "/action?"]),
            ..base
        },
        // Shopify: verify a webhook; deliveries of "Events" drop the X-.
        "shopify" => Scheme {
            headers: words(&["x-shopify-hmac-sha256", "shopify-hmac-sha256"]),
            encoding: Encoding::Base64,
            event_id: words(&["header:x-shopify-webhook-id|header:shopify-webhook-id"]),
            event_type: words(&["header:x-shopify-topic|header:shopify-topic"]),
            test_mode: Some("/test|/transactions/0/test".to_owned()),
            keep_headers: words(&[
                "x-shopify-shop-domain",
                "shopify-shop-domain",
                "x-shopify-event-id",
                "shopify-event-id",
                "x-shopify-triggered-at",
                "shopify-triggered-at",
                "x-shopify-test",
            ]),
            gives_up_soon: true,
            ..base
        },
        // Paddle Billing: signature verification. Its libraries allow 5 s, less than a queue takes.
        "paddle" => Scheme {
            headers: words(&["paddle-signature"]),
            syntax: Syntax::Pairs,
            separator: ";".to_owned(),
            signature_key: "h1".to_owned(),
            timestamp_key: "ts".to_owned(),
            signed: "{timestamp}:{body}".to_owned(),
            event_id: words(&["/event_id"]),
            event_type: words(&["/event_type"]),
            ..base
        },
        // Lemon Squeezy: signing requests. Events have no id.
        "lemon_squeezy" => Scheme {
            headers: words(&["x-signature"]),
            event_type: words(&["header:x-event-name|/meta/event_name"]),
            test_mode: Some("/meta/test_mode".to_owned()),
            ..base
        },
        // Square: validate webhook notifications.
        "square" => Scheme {
            headers: words(&["x-square-hmacsha256-signature"]),
            encoding: Encoding::Base64,
            signed: "{url}{body}".to_owned(),
            event_id: words(&["/event_id"]),
            event_type: words(&["/type"]),
            ..base
        },
        // Calendly: webhook signatures. Events have no id.
        "calendly" => Scheme {
            headers: words(&["calendly-webhook-signature"]),
            syntax: Syntax::Pairs,
            timestamp_key: "t".to_owned(),
            signed: "{timestamp}.{body}".to_owned(),
            event_id: words(&["/event", "/payload/uri", "/created_at"]),
            event_type: words(&["/event"]),
            ..base
        },
        // Typeform: secure your webhooks.
        "typeform" => Scheme {
            headers: words(&["typeform-signature"]),
            prefix: "sha256=".to_owned(),
            encoding: Encoding::Base64,
            event_id: words(&["/event_id|/form_response/token"]),
            event_type: words(&["/event_type"]),
            ..base
        },
        // WooCommerce: class-wc-webhook.php. Its delivery id is made from the second, so two can be equal.
        "woocommerce" => Scheme {
            headers: words(&["x-wc-webhook-signature"]),
            encoding: Encoding::Base64,
            event_id: words(&[
                "header:x-wc-webhook-source?",
                "header:x-wc-webhook-topic",
                "/id",
                "/date_modified_gmt|/date_modified?",
            ]),
            event_type: words(&["header:x-wc-webhook-topic"]),
            keep_headers: words(&["x-wc-webhook-resource", "x-wc-webhook-event", "x-wc-webhook-delivery-id"]),
            greeting: Greeting::WooCommerce,
            gives_up_soon: true,
            ..base
        },
        // MailerLite: webhooks of the new API. Events have no id.
        "mailerlite" => Scheme {
            headers: words(&["signature"]),
            event_type: words(&["/event|/type"]),
            batch: Some("/events".to_owned()),
            ..base
        },
        // HubSpot: validating requests, version 3. `eventId` alone is not promised to be unique.
        "hubspot" => Scheme {
            headers: words(&["x-hubspot-signature-v3"]),
            encoding: Encoding::Base64,
            timestamp_headers: words(&["x-hubspot-request-timestamp"]),
            timestamp_unit: Unit::Millis,
            signed: "{method}{unescaped_url}{body}{timestamp}".to_owned(),
            event_id: words(&["/portalId?", "/subscriptionType?", "/objectId?", "/eventId", "/occurredAt?"]),
            event_type: words(&["/subscriptionType"]),
            batch: Some(String::new()),
            ..base
        },
        // Cal.com: sendPayload.ts. Events have no id.
        "cal_com" => Scheme {
            headers: words(&["x-cal-signature-256"]),
            absent: words(&["no-secret-provided"]),
            event_id: words(&["/triggerEvent", "/payload/uid|/payload/bookingUid|/uid", "/createdAt"]),
            event_type: words(&["/triggerEvent"]),
            ..base
        },
        // Slack: verifying requests.
        "slack" => Scheme {
            headers: words(&["x-slack-signature"]),
            prefix: "v0=".to_owned(),
            timestamp_headers: words(&["x-slack-request-timestamp"]),
            signed: "v0:{timestamp}:{body}".to_owned(),
            event_id: words(&["/event_id"]),
            event_type: words(&["/event/type|/type"]),
            greeting: Greeting::Slack,
            ..base
        },
        // Zoom: verify webhook events. Events have no id.
        "zoom" => Scheme {
            headers: words(&["x-zm-signature"]),
            prefix: "v0=".to_owned(),
            timestamp_headers: words(&["x-zm-request-timestamp"]),
            signed: "v0:{timestamp}:{body}".to_owned(),
            event_id: words(&["/event", "/event_ts", "/payload/object/uuid|/payload/object/id?"]),
            event_type: words(&["/event"]),
            greeting: Greeting::Zoom,
            ..base
        },
        // PayPal: integrate webhooks. It comes again for three days.
        "paypal" => Scheme {
            proof: Proof::PayPal,
            tolerance: Duration::from_secs(4 * 86_400),
            event_id: words(&["/id"]),
            event_type: words(&["/event_type"]),
            ..base
        },
        // Twilio: webhooks security; messaging and voice request parameters. One message or call has an event for each state.
        "twilio" => Scheme {
            proof: Proof::Twilio,
            event_id: words(&[
                "/MessageSid|/SmsSid|/CallSid|/Sid",
                "/CallStatus|/MessageStatus|/SmsStatus?",
                "/RecordingSid?",
                "/SequenceNumber?",
            ]),
            event_type: words(&["/OptOutType|/RecordingStatus|/CallStatus|/MessageStatus|/SmsStatus"]),
            ..base
        },
        // Mailgun: webhooks, securing webhooks. It comes again for eight hours.
        "mailgun" => Scheme {
            proof: Proof::Mailgun,
            tolerance: Duration::from_secs(12 * 3600),
            event_id: words(&["/event-data/id"]),
            event_type: words(&["/event-data/event"]),
            ..base
        },
        _ => return None,
    })
}
