//! Every sender with a preset, as it would post to the running program: genuine requests are stored once, and nothing else is. Those
//! that sign in a way of their own have a file of their own (`own_ways.rs`).

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use support::daemon::{Daemon, Home, Sandboxes, Settings};
use support::events::now;
use support::http::{self, Answer};

const SECRET: &str = "secret-for-the-tests-0123";
const SVIX_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const TOKEN: &str = "token-for-the-tests-0123";

const PRESETS: [&str; 15] = [
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
];

fn home(sandboxes: &Sandboxes) -> Home {
    let mut more = Settings::default().more;
    for preset in PRESETS {
        let secret = if ["svix", "standard_webhooks"].contains(&preset) { SVIX_SECRET } else { SECRET };
        more.push_str(&format!(
            "[sources.{preset}]\nkind = \"hmac\"\npreset = \"{preset}\"\nsecrets = [\"{secret}\"]\ncounts_sales = false\n"
        ));
    }
    for preset in ["twilio", "mailgun"] {
        more.push_str(&format!(
            "[sources.{preset}]\nkind = \"hmac\"\npreset = \"{preset}\"\nsecrets = [\"{SECRET}\"]\n"
        ));
    }
    more.push_str(&format!(
        "[sources.tool]\nkind = \"hmac\"\nverify = \"token\"\nsecrets = [\"{TOKEN}\"]\nevent_type = [\"query:event|/type\"]\nevent_id = [\"/id\"]\n\
         [sources.desk]\nkind = \"hmac\"\nverify = \"basic\"\nsecrets = [\"ada:lovelace\"]\n"
    ));
    Home::new(
        sandboxes,
        &Settings { more, server: "public_url = \"https://hooks.example.com\"", ..Settings::default() },
    )
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <Hmac<Sha256>>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

type Fields = Vec<(String, String)>;

/// What a sender sends along with a body, signed now.
fn signed(preset: &str, body: &[u8]) -> Fields {
    let at = now().to_string();
    let key = SECRET.as_bytes();
    let hex = |parts: &[&[u8]]| hex::encode(mac(key, parts));
    let base64 = |parts: &[&[u8]]| STANDARD.encode(mac(key, parts));
    let fields: Vec<(&str, String)> = match preset {
        "standard_webhooks" | "svix" => {
            let key: Vec<u8> = (0..24).collect();
            let (family, id) = if preset == "svix" { ("svix", "msg_2s") } else { ("webhook", "msg_2w") };
            let signature = STANDARD.encode(mac(&key, &[id.as_bytes(), b".", at.as_bytes(), b".", body]));
            return vec![
                (format!("{family}-id"), id.to_owned()),
                (format!("{family}-timestamp"), at),
                (format!("{family}-signature"), format!("v1,{signature}")),
            ];
        }
        "github" => vec![
            ("X-GitHub-Delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958".into()),
            ("X-GitHub-Event", "issues".into()),
            ("X-Hub-Signature-256", format!("sha256={}", hex(&[body]))),
        ],
        "shopify" => vec![
            ("X-Shopify-Topic", "orders/paid".into()),
            ("X-Shopify-Webhook-Id", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043".into()),
            ("X-Shopify-Shop-Domain", "example.myshopify.com".into()),
            ("X-Shopify-Hmac-Sha256", base64(&[body])),
        ],
        "paddle" => vec![("Paddle-Signature", format!("ts={at};h1={}", hex(&[at.as_bytes(), b":", body])))],
        "lemon_squeezy" => vec![("X-Event-Name", "order_created".into()), ("X-Signature", hex(&[body]))],
        "square" => {
            let url = b"https://hooks.example.com/api/webhooks/square";
            vec![("x-square-hmacsha256-signature", base64(&[url, body]))]
        }
        "calendly" => {
            vec![("Calendly-Webhook-Signature", format!("t={at},v1={}", hex(&[at.as_bytes(), b".", body])))]
        }
        "typeform" => vec![("Typeform-Signature", format!("sha256={}", base64(&[body])))],
        "woocommerce" => vec![
            ("X-WC-Webhook-Source", "https://shop.example/".into()),
            ("X-WC-Webhook-Topic", "order.updated".into()),
            ("X-WC-Webhook-Delivery-ID", "8d1c".into()),
            ("X-WC-Webhook-Signature", base64(&[body])),
        ],
        "mailerlite" => vec![("Signature", hex(&[body]))],
        "hubspot" => {
            let at = format!("{at}123");
            let url = b"https://hooks.example.com/api/webhooks/hubspot";
            vec![
                ("X-HubSpot-Signature-v3", base64(&[b"POST", url, body, at.as_bytes()])),
                ("X-HubSpot-Request-Timestamp", at),
            ]
        }
        "cal_com" => vec![("X-Cal-Signature-256", hex(&[body]))],
        "slack" => vec![
            ("X-Slack-Signature", format!("v0={}", hex(&[b"v0:", at.as_bytes(), b":", body]))),
            ("X-Slack-Request-Timestamp", at),
        ],
        "zoom" => vec![
            ("x-zm-signature", format!("v0={}", hex(&[b"v0:", at.as_bytes(), b":", body]))),
            ("x-zm-request-timestamp", at),
        ],
        other => panic!("{other}"),
    };
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A body as the sender writes it, with the type that is to be stored.
fn body(preset: &str) -> (Vec<u8>, &'static str) {
    let (body, event_type) = match preset {
        "standard_webhooks" | "svix" => (json!({"type": "user.created", "data": {"id": "user_29w8"}}), "user.created"),
        "github" => (json!({"action": "opened", "issue": {"number": 1}}), "issues.opened"),
        "shopify" => (json!({"id": 820_982_911, "total_price": "398.00", "currency": "USD"}), "orders/paid"),
        "paddle" => {
            let data = json!({"id": "txn_01", "status": "completed"});
            (
                json!({"event_id": "evt_01hv8wptq8", "event_type": "transaction.completed", "data": data}),
                "transaction.completed",
            )
        }
        "lemon_squeezy" => {
            (json!({"meta": {"event_name": "order_created", "webhook_id": "w"}, "data": {"id": "1"}}), "order_created")
        }
        "square" => {
            (json!({"merchant_id": "6SS", "type": "payment.updated", "event_id": "6a8f5f28"}), "payment.updated")
        }
        "calendly" => {
            let payload =
                json!({"uri": "https://api.calendly.com/scheduled_events/A/invitees/B", "email": "ada@example.com"});
            (
                json!({"event": "invitee.created", "created_at": "2026-01-01T00:00:00Z", "payload": payload}),
                "invitee.created",
            )
        }
        "typeform" => (
            json!({"event_id": "01HX", "event_type": "form_response", "form_response": {"token": "t"}}),
            "form_response",
        ),
        "woocommerce" => {
            (json!({"id": 727, "total": "29.35", "date_modified_gmt": "2026-03-23T00:01:14"}), "order.updated")
        }
        "mailerlite" => {
            (json!({"type": "subscriber.unsubscribed", "id": "1", "email": "a@example.com"}), "subscriber.unsubscribed")
        }
        "hubspot" => {
            let event = json!({"eventId": 1, "portalId": 33, "subscriptionType": "contact.creation", "objectId": 1246});
            (json!([event]), "contact.creation")
        }
        "cal_com" => {
            let payload = json!({"uid": "bFJeNb2uX8ANpT3JL5EfXw", "title": "60min"});
            (
                json!({"triggerEvent": "BOOKING_CREATED", "createdAt": "2026-05-24T09:30:58Z", "payload": payload}),
                "BOOKING_CREATED",
            )
        }
        "slack" => (
            json!({"type": "event_callback", "event_id": "Ev08MFMKH6", "event": {"type": "app_mention"}}),
            "app_mention",
        ),
        "zoom" => {
            let payload = json!({"object": {"uuid": "4444AAAiAAAAAiAiAiiAii==", "id": "1234"}});
            (
                json!({"event": "meeting.started", "event_ts": 1_626_230_691_572_u64, "payload": payload}),
                "meeting.started",
            )
        }
        other => panic!("{other}"),
    };
    (body.to_string().into_bytes(), event_type)
}

fn post(daemon: &Daemon, path: &str, headers: &[(String, String)], body: &[u8]) -> Answer {
    http::send(daemon.address, "POST", &format!("/api/webhooks/{path}"), headers, body).expect("an answer")
}

fn header(name: &str, value: &str) -> Fields {
    vec![(name.to_owned(), value.to_owned())]
}

#[test]
fn each_preset_takes_its_sender_once_and_nobody_else() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes);
    let daemon = home.start();
    for preset in PRESETS {
        let (body, event_type) = body(preset);
        let headers = signed(preset, &body);
        let gives_up = ["shopify", "woocommerce"].contains(&preset);
        let mut tampered = body.clone();
        let place = tampered.iter().position(u8::is_ascii_digit).unwrap_or(20);
        tampered[place] ^= 1;
        let refused = post(&daemon, preset, &headers, &tampered);
        assert_eq!(refused.json()["error"], "invalid_signature", "{preset}: {}", refused.body);
        assert_eq!(refused.json()["reason"], "no_matching_signature", "{preset}");
        assert_eq!(
            (refused.status, refused.json()["received"] == false),
            if gives_up { (200, true) } else { (400, false) }
        );
        let unsigned = post(&daemon, preset, &[], &body);
        assert_eq!(unsigned.json()["reason"], "missing_signature", "{preset}: {}", unsigned.body);

        let first = post(&daemon, preset, &headers, &body);
        let status = first.json()["status"].as_str().unwrap().to_owned();
        assert!(first.status == 200 && ["ignored", "accepted"].contains(&status.as_str()), "{preset}: {}", first.body);
        let again = post(&daemon, preset, &signed(preset, &body), &body);
        assert_eq!(again.json()["status"], "duplicate", "{preset}: {}", again.body);
        assert_eq!(again.json()["event_id"], first.json()["event_id"], "{preset}");

        let rows = home.rows(&["events", "list", "--source", preset]);
        assert_eq!((rows.len(), rows[0]["type"].as_str()), (1, Some(event_type)), "{preset}: {rows:?}");
        assert_eq!(rows[0]["provider_id"], first.json()["event_id"], "{preset}");
        let id = rows[0]["id"].as_str().unwrap().to_owned();
        let replayed = home.rows(&["events", "replay", &id]);
        assert_ne!(replayed[0]["result"], "failed", "{preset}: {replayed:?}");
        let after = home.rows(&["events", "list", "--source", preset]);
        assert_eq!(after[0]["type"].as_str(), Some(event_type), "{preset}: its headers were kept for this");
    }
}

#[test]
fn several_events_in_one_request_become_webhooks_of_their_own() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes);
    let daemon = home.start();
    let event = |id: u64, kind: &str| json!({"eventId": id, "portalId": 33, "subscriptionType": kind, "objectId": 1});
    let body = json!([event(1, "contact.creation"), event(2, "contact.deletion"), event(1, "contact.creation")]);
    let body = body.to_string().into_bytes();
    let answer = post(&daemon, "hubspot", &signed("hubspot", &body), &body);
    let told: Vec<_> =
        answer.json()["events"].as_array().unwrap().iter().map(|event| event["status"].clone()).collect();
    assert_eq!(told, ["ignored", "ignored", "duplicate"], "{}", answer.body);
    assert_eq!(answer.json()["event_id"], answer.json()["events"][0]["event_id"]);
    assert_eq!(home.rows(&["events", "list", "--source", "hubspot"]).len(), 2);

    let body =
        json!({"events": [{"type": "subscriber.created", "id": "1"}, {"type": "subscriber.updated", "id": "1"}]});
    let body = body.to_string().into_bytes();
    let answer = post(&daemon, "mailerlite", &signed("mailerlite", &body), &body);
    assert_eq!(answer.json()["events"].as_array().map(Vec::len), Some(2), "{}", answer.body);
    let rows = home.rows(&["events", "list", "--source", "mailerlite"]);
    let types: Vec<_> = rows.iter().map(|row| row["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["subscriber.updated", "subscriber.created"]);
    let replayed = home.rows(&["events", "replay", rows[0]["id"].as_str().unwrap()]);
    assert_eq!(replayed[0]["result"], "unchanged", "each has a body of its own");
}

#[test]
fn addresses_that_are_only_tried_out_are_answered_and_store_nothing() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes);
    let daemon = home.start();
    let ping = post(&daemon, "woocommerce", &[], b"webhook_id=12");
    assert_eq!((ping.status, ping.json()), (200, json!({"received": false, "status": "handshake"})), "{}", ping.body);
    let body = br#"{"token":"x","challenge":"3eZbrw1aB","type":"url_verification"}"#;
    let answer = post(&daemon, "slack", &signed("slack", body), body);
    assert_eq!((answer.status, answer.json()), (200, json!({"challenge": "3eZbrw1aB"})));
    assert_eq!(post(&daemon, "slack", &[], body).status, 400, "Slack signs it");
    let body = br#"{"event":"endpoint.url_validation","payload":{"plainToken":"qgg8vlvZRS6UYooatFL8Aw"}}"#;
    let answer = post(&daemon, "zoom", &signed("zoom", body), body);
    let encrypted = hex::encode(mac(SECRET.as_bytes(), &[b"qgg8vlvZRS6UYooatFL8Aw"]));
    assert_eq!(answer.json(), json!({"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": encrypted}));
    assert_eq!(post(&daemon, "zoom", &[], body).status, 400);
    assert_eq!(home.rows(&["status"])[0]["events"], 0);
}

#[test]
fn a_token_opens_by_path_or_header_and_is_told_nobody() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes);
    let daemon = home.start();
    let stored = |answer: Answer| (answer.status, answer.json()["status"].as_str().map(str::to_owned));
    let ignored = (200, Some("ignored".to_owned()));
    assert_eq!(stored(post(&daemon, &format!("tool/{TOKEN}?event=contact+made"), &[], br#"{"id":"1"}"#)), ignored);
    assert_eq!(
        stored(post(&daemon, "tool", &header("X-Tallyhook-Token", TOKEN), br#"{"id":"2","type":"b"}"#)),
        ignored
    );
    assert_eq!(
        stored(post(&daemon, "tool", &header("Authorization", &format!("Bearer {TOKEN}")), br#"{"id":"3"}"#)),
        ignored
    );
    assert_eq!(
        stored(post(&daemon, "desk", &header("Authorization", "Basic YWRhOmxvdmVsYWNl"), br#"{"a":1}"#)),
        ignored
    );
    let wrong = post(&daemon, "tool/token-for-the-tests-9999", &[], br#"{"id":"4"}"#);
    assert_eq!((wrong.status, wrong.json()["error"].as_str()), (404, Some("unknown_source")));
    assert_eq!(post(&daemon, &format!("github/{TOKEN}"), &[], b"{}").status, 404, "a source without tokens");
    let wrong = post(&daemon, "tool", &header("X-Tallyhook-Token", "token-for-the-tests-9999"), br#"{"id":"4"}"#);
    assert_eq!((wrong.status, wrong.json()["reason"].as_str()), (400, Some("wrong_token")));
    let none = post(&daemon, "tool", &[], br#"{"id":"4"}"#);
    assert_eq!((none.status, none.json()["reason"].as_str()), (400, Some("missing_token")));
    let wrong = post(&daemon, "desk", &header("Authorization", "Basic YWRhOg=="), b"{}");
    assert_eq!(wrong.json()["reason"], "wrong_token");

    let rows = home.rows(&["events", "list", "--source", "tool"]);
    assert_eq!((rows.len(), rows[2]["type"].as_str()), (3, Some("contact made")));
    home.rows(&["events", "replay", rows[2]["id"].as_str().unwrap()]);
    assert_eq!(
        home.rows(&["events", "list", "--source", "tool"])[2]["type"],
        "contact made",
        "what the address named is kept"
    );
    let rejected = serde_json::Value::from(home.rows(&["rejected", "list"])).to_string();
    assert!(rejected.contains("wrong_token") && rejected.contains("missing_token"), "{rejected}");
    for told in [daemon.log(), rejected] {
        assert!(!told.contains(TOKEN) && !told.contains("tests-9999") && !told.contains("lovelace"), "{told}");
    }
    let store = std::fs::read(home.path().join("store.redb")).unwrap();
    assert!(!store.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes()), "nor is it on disk");
}

#[test]
fn a_refusal_says_what_is_wrong_and_a_kept_one_is_taken_up_again() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes);
    let daemon = home.start();
    let (body, event_type) = body("shopify");
    let text = std::fs::read_to_string(home.config()).unwrap();
    let shop = "preset = \"shopify\"\nsecrets = [";
    std::fs::write(home.config(), text.replace(&format!("{shop}\"{SECRET}\""), &format!("{shop}\"another\""))).unwrap();
    daemon.kill();
    let daemon = home.start();
    let refused = post(&daemon, "shopify", &signed("shopify", &body), &body);
    assert_eq!((refused.status, refused.json()["received"].as_bool()), (200, Some(false)), "{}", refused.body);
    let rows = home.rows(&["rejected", "list"]);
    assert!(rows[0]["verdict"].as_str().unwrap().contains("client secret"), "{rows:?}");
    daemon.kill();
    std::fs::write(home.config(), text).unwrap();
    let _daemon = home.start();
    let taken = home.rows(&["rejected", "retry", "--all"]);
    assert!(["ignored", "accepted"].contains(&taken[0]["result"].as_str().unwrap()), "{taken:?}");
    let rows = home.rows(&["events", "list", "--source", "shopify"]);
    assert_eq!(rows[0]["type"], event_type, "the topic was kept along");
}

#[test]
fn what_each_page_tells_to_paste_is_in_order() {
    let sandboxes = Sandboxes::start();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/sources/hmac/senders");
    let mut presets = Vec::new();
    for page in std::fs::read_dir(folder).unwrap() {
        let page = page.unwrap().path();
        let text = std::fs::read_to_string(&page).unwrap();
        let (_, after) = text.split_once("```toml\n").unwrap_or_else(|| panic!("{page:?} says what to paste"));
        let (block, _) = after.split_once("```").unwrap();
        let preset = block.split_once("preset = \"").unwrap().1.split_once('"').unwrap().0.to_owned();
        let name = block.split_once("[sources.").unwrap().1.split_once(']').unwrap().0;
        assert!(text.contains(&format!("/api/webhooks/{name}")), "{page:?} names its address");
        assert!(
            text.contains("## At ") && text.contains("*From "),
            "{page:?} has the clicks and says where its facts are from"
        );
        let secret = if preset == "standard_webhooks" { SVIX_SECRET } else { SECRET };
        let pasted: String = block
            .lines()
            .map(|line| match line.split_once("secrets = [{ env") {
                Some(_) => format!("secrets = [\"{secret}\"]\n"),
                None => format!("{line}\n"),
            })
            .collect();
        let text = Settings {
            more: format!("{}{pasted}", Settings::default().more),
            server: "public_url = \"https://hooks.example.com\"",
            ..Settings::default()
        };
        let home = Home::new(&sandboxes, &text);
        let config = std::fs::read_to_string(home.config()).unwrap();
        let config = config.replacen("kind = \"stripe\"\n", "kind = \"stripe\"\ncounts_sales = true\n", 1);
        std::fs::write(home.config(), config).unwrap();
        let checked = home.command(&["check"]);
        assert!(checked.status.success(), "{page:?}: {checked:?}");
        presets.push(preset);
    }
    presets.sort_unstable();
    let mut all: Vec<_> =
        PRESETS.into_iter().chain(["paypal", "twilio", "mailgun"]).filter(|name| *name != "svix").collect();
    all.sort_unstable();
    assert_eq!(presets, all, "each preset has a page");
}

/// Every sample of every preset that one can be made of, and what they become, of one number and in this order.
const SAMPLES: [(&str, &[&str], &[&str]); 19] = [
    ("standard_webhooks", &["user.created"], &[]),
    ("svix", &["user.created"], &[]),
    ("github", &["push", "ping"], &[]),
    ("shopify", &["orders/paid", "orders/updated", "refunds/create"], &["purchase", "refund"]),
    (
        "paddle",
        &["customer.created", "customer.updated", "transaction.completed", "adjustment.created", "adjustment.updated"],
        &["purchase", "refund"],
    ),
    (
        "lemon_squeezy",
        &["order_created", "order_refunded", "subscription_payment_success", "subscription_payment_refunded"],
        &["purchase", "refund", "refund", "renewal"],
    ),
    ("square", &["payment.updated", "refund.updated"], &["purchase", "refund"]),
    (
        "calendly",
        &["invitee.created", "invitee_no_show.created", "invitee_no_show.deleted", "invitee.canceled"],
        &["booking_cancelled", "booking_changed", "booking_made", "booking_missed"],
    ),
    ("typeform", &["form_response"], &["lead"]),
    ("woocommerce", &["order.created", "order.updated"], &["purchase", "refund"]),
    ("mailerlite", &["subscriber.unsubscribed", "subscriber.bounced", "subscriber.spam_reported"], &[]),
    ("hubspot", &["contact.creation", "contact.propertyChange"], &[]),
    (
        "cal_com",
        &["BOOKING_CREATED", "BOOKING_RESCHEDULED", "BOOKING_NO_SHOW_UPDATED", "BOOKING_CANCELLED", "BOOKING_REJECTED"],
        // What is called off tells the first time again.
        &["booking_cancelled", "booking_changed", "booking_changed", "booking_made", "booking_missed"],
    ),
    ("slack", &["message", "url_verification"], &[]),
    ("zoom", &["meeting.started", "endpoint.url_validation"], &[]),
    ("twilio", &["received", "STOP", "delivered", "ringing"], &[]),
    ("mailgun", &["unsubscribed", "complained", "failed"], &[]),
    ("tool", &["sample"], &[]),
    ("desk", &["sample"], &[]),
];

#[test]
fn every_sample_of_each_preset_is_taken_and_becomes_what_its_page_promises() {
    let sandboxes = Sandboxes::start();
    let home = home(&sandboxes);
    let text = std::fs::read_to_string(home.config()).unwrap().replace("counts_sales = false", "counts_sales = true");
    let text = text.replacen("kind = \"stripe\"\n", "kind = \"stripe\"\ncounts_sales = true\n", 1);
    std::fs::write(home.config(), text).unwrap();
    let daemon = home.start();
    let url = format!("http://{}", daemon.address);
    for (source, samples, becomes) in SAMPLES {
        for sample in samples {
            let sent = home.rows(&["send", source, "--type", sample, "--number", "7", "--live", "--url", &url]);
            assert_eq!(sent[0]["status"], 200, "{source} {sample}: {sent:?}");
            let status = sent[0]["answer"]["status"].as_str().unwrap_or("accepted").to_owned();
            let taken = ["ignored", "accepted", "handshake"].contains(&status.as_str());
            let known = status == "duplicate" && source == "svix";
            let greets = sent[0]["answer"]["challenge"].is_string() || sent[0]["answer"]["plainToken"].is_string();
            assert!(taken || known || greets, "{source} {sample}: {sent:?}");
        }
        let rows = home.rows(&["events", "list", "--source", source, "--all"]);
        let told = rows.iter().flat_map(|row| row["business_events"].as_array().unwrap());
        let mut told: Vec<_> =
            told.map(|told| (told["kind"].as_str().unwrap().to_owned(), told["key"].to_string())).collect();
        told.sort();
        told.dedup();
        assert_eq!(told.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(), becomes, "{source}: {rows:?}");
    }
    let unknown = home.command(&["send", "zoom", "--type", "x"]);
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("endpoint.url_validation"));
}
