//! Google Analytics 4 told by the real binary: what arrives at a stream on loopback that answers 204 to anything, and records only
//! what GA4 would.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::daemon::{Daemon, Home, Sandboxes, Settings};
use support::events::{event, intent, now, refund, session};
use support::wait_for;
use tallyhook::demo::http_server::Answer;
use tallyhook::demo::sandbox::{Call, Fault, Ga4Sandbox, Recorded, Sandbox, Served, Service};
use tallyhook::platform::clock::SystemClock;

struct Shop {
    sandboxes: Sandboxes,
    home: Home,
    daemon: Daemon,
}

impl Shop {
    fn open(settings: &Settings) -> Self {
        Self::open_with(settings, &[])
    }

    /// With parts of the configuration replaced.
    fn open_with(settings: &Settings, changes: &[(&str, &str)]) -> Self {
        let sandboxes = Sandboxes::start();
        let home = Home::new(&sandboxes, settings);
        let mut text = std::fs::read_to_string(home.config()).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "{text}");
            text = text.replacen(from, to, 1);
        }
        std::fs::write(home.config(), text).unwrap();
        let daemon = home.start();
        Self { sandboxes, home, daemon }
    }

    fn told(&self, id: &str, event_type: &str, object: Value) {
        self.daemon.accept(&event(id, event_type, object));
        wait_for("every delivery to end", || self.home.deliveries("pending") == 0);
    }

    /// The one event that arrived last.
    fn last(&self) -> Value {
        self.requests().last().unwrap().json()["events"][0].clone()
    }

    fn requests(&self) -> Vec<Recorded> {
        let requests = self.sandboxes.ga4.requests();
        requests.into_iter().filter(|request| request.path == "/mp/collect").collect()
    }

    fn delivery(&self, state: &str) -> Value {
        let rows = self.home.rows(&["deliveries", "list", "--destination", "ga4", "--state", state]);
        let id = rows.last().unwrap()["id"].as_str().unwrap().to_owned();
        self.home.rows(&["deliveries", "show", &id])[0].clone()
    }

    fn test(&self, name: &str) -> Value {
        let output = self.home.command(&["--json", "destinations", "test", name]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }
}

/// Key of the configuration's GA4 table that changes may follow.
const SECRET: &str = "api_secret = \"ga4_secret_for_tests\"";

#[test]
fn a_sale_with_its_browser_its_renewal_and_what_is_given_back() {
    let shop = Shop::open(&Settings::default());
    let began = now() - 600;
    let mut sale = session(1, 9900);
    // As the browser's cookies have them.
    sale["metadata"]["ga_client_id"] = "GA1.1.1234560001.1747132561".into();
    sale["metadata"]["ga_session_id"] = format!("GS2.1.s{began}$o1$g1$t{began}$j0$l0$h0").into();
    sale["customer_details"]["phone"] = "+49 30 12345678".into();
    shop.told("evt_1", "checkout.session.completed", sale);
    let request = &shop.requests()[0];
    assert_eq!((request.method.as_str(), request.status), ("POST", Some(204)));
    assert_eq!(request.query, "measurement_id=G-TEST123456&api_secret=…");
    let body = request.json();
    let told = &body["events"][0];
    assert_eq!((&body["client_id"], &told["name"]), (&json!("1234560001.1747132561"), &json!("purchase")));
    assert_eq!(body["timestamp_micros"], told["timestamp_micros"]);
    let params = &told["params"];
    for (name, value) in [
        ("session_id", json!(began.to_string())),
        ("engagement_time_msec", json!(1)),
        ("transaction_id", json!("pi_000001")),
        ("value", json!(99)),
        ("currency", json!("EUR")),
        ("lead_source", json!("newsletter")),
        ("lead_campaign", json!("spring")),
        ("lead_id", json!("lead-000001")),
        ("pricing_tier", json!("premium")),
        ("event_source", json!("server")),
        ("customer_type", json!("new")),
    ] {
        assert_eq!(params[name], value, "{name}: {params}");
    }
    assert!(body.get("consent").is_none() && body.get("user_data").is_none(), "nobody said, nobody asked");

    shop.told("evt_2", "refund.updated", refund(1, 1, 2500, "succeeded"));
    let given_back = shop.last();
    assert_eq!((&given_back["name"], &given_back["params"]["value"]), (&json!("refund"), &json!(25)));
    assert_eq!(given_back["params"]["transaction_id"], "pi_000001");
    assert_eq!(given_back["params"]["items"][0]["price"], 25);

    let bill = |n: u64, reason: &str| {
        json!({
            "id": format!("in_{n:06}"), "object": "invoice", "status": "paid", "amount_paid": 2000, "amount_due": 2000,
            "total": 2000, "currency": "eur", "customer": "cus_000001", "customer_email": "buyer1@example.com",
            "billing_reason": reason, "metadata": {}, "lines": {"data": []},
            "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1", "metadata": {}}},
        })
    };
    shop.told("evt_3", "invoice.paid", bill(1, "subscription_create"));
    shop.told("evt_4", "invoice.paid", bill(2, "subscription_cycle"));
    let renewed = shop.last();
    assert_eq!((&renewed["name"], &renewed["params"]["sale_type"]), (&json!("purchase"), &json!("renewal")));
    assert_eq!(shop.requests().last().unwrap().json()["client_id"], "1234560001.1747132561", "the first browser");

    let failed = json!({
        "id": "pi_000009", "object": "payment_intent", "amount": 5000, "amount_received": 0, "currency": "eur",
        "status": "requires_payment_method", "customer": "cus_000001", "metadata": {}, "livemode": true,
        "last_payment_error": {"charge": "ch_000009", "code": "card_declined", "decline_code": "insufficient_funds",
            "message": "Your card has insufficient funds."},
    });
    shop.told("evt_5", "payment_intent.payment_failed", failed);
    let failed = shop.last();
    assert_eq!(failed["name"], "payment_failed");
    assert!(failed["params"]["failure_code"].is_string(), "{failed}");

    let report = shop.sandboxes.ga4.report();
    assert_eq!((report.dropped, report.events.len()), (0, 5));
    assert_eq!(report.revenue("eur".parse().unwrap()).to_string(), "114.00 EUR");
    for request in shop.requests() {
        assert_eq!(request.broken_rules, Vec::<String>::new());
        let body = String::from_utf8(request.body).unwrap().to_lowercase();
        for personal in ["buyer", "example.com", "12345678\"", "cus_"] {
            assert!(!body.contains(personal), "{personal}: {body}");
        }
    }
    let shown = shop.delivery("delivered").to_string();
    assert!(shown.contains("GA4 does not confirm") && !shown.contains("ga4_secret_for_tests"), "{shown}");
    assert_eq!(shop.daemon.stop(), 0);
}

#[test]
fn what_is_too_long_is_cut_and_what_names_the_buyer_is_left_out_and_both_are_noted() {
    let shop = Shop::open(&Settings::default());
    let mut sale = session(1, 9900);
    sale["metadata"]["utm_campaign"] = "ß".repeat(150).into();
    sale["metadata"]["service_name"] = "Coaching for Buyer Number1".into();
    sale["metadata"]["service_id"] = "coaching".into();
    shop.told("evt_1", "checkout.session.completed", sale);
    let params = &shop.last()["params"];
    assert_eq!(params["lead_campaign"], "ß".repeat(100));
    assert_eq!(params["items"], json!([{"item_id": "coaching", "price": 99, "quantity": 1}]));
    let shown = shop.delivery("delivered").to_string();
    for note in [
        "`lead_campaign` was cut to GA4's 100 characters",
        "`item_name` was left out: it holds the person's name, which GA4's policy forbids",
    ] {
        assert!(shown.contains(note), "{note}: {shown}");
    }
    assert_eq!(shop.sandboxes.ga4.report().dropped, 0);
}

#[test]
fn what_ga4_must_not_get_fails_with_the_rules_name_and_is_never_sent() {
    let shop = Shop::open_with(
        &Settings::default(),
        &[("settle = \"300ms\"", "settle = \"300ms\"\ntransaction_id = \"order_id\"")],
    );
    let mut sale = session(1, 9900);
    sale["metadata"]["order_id"] = "order of someone@example.com".into();
    shop.told("evt_1", "checkout.session.completed", sale);
    let failed = shop.home.rows(&["failed", "list", "--destination", "ga4"]);
    assert_eq!(failed.len(), 1, "{failed:?}");
    let shown = shop.home.rows(&["failed", "show", failed[0]["id"].as_str().unwrap()])[0].to_string();
    assert!(shown.contains("PERSONAL_DATA, the transaction id holds an e-mail address"), "{shown}");
    assert!(!shop.daemon.log().contains("someone"), "{}", shop.daemon.log());
    assert_eq!(shop.requests().len(), 0);
}

#[test]
fn a_lost_answer_repeats_a_sale_which_counts_once_and_drops_what_ga4_would_count_twice() {
    let shop = Shop::open(&Settings::default());
    shop.sandboxes.ga4.script([Fault::LoseAnswer]);
    shop.told("evt_1", "checkout.session.completed", session(1, 9900));
    assert_eq!(shop.requests().len(), 2);
    assert_eq!(shop.requests()[0].body, shop.requests()[1].body, "the same values");
    assert_eq!(shop.sandboxes.ga4.report().counted("purchase").count(), 1);

    shop.sandboxes.ga4.script([Fault::LoseAnswer]);
    let mut failed = intent(2, 5000);
    failed["status"] = "requires_payment_method".into();
    failed["last_payment_error"] = json!({"charge": "ch_000002", "code": "card_declined"});
    shop.told("evt_2", "payment_intent.payment_failed", failed);
    assert_eq!(shop.requests().len(), 3, "it may have arrived, so it is not told again");
}

#[test]
fn the_test_asks_the_validation_server_and_says_what_ga4_never_confirms() {
    let shop = Shop::open(&Settings::default());
    let said = shop.test("ga4");
    assert_eq!((&said["ok"], &said["result"]), (&json!(true), &json!("works")), "{said}");
    let explanation = said["explanation"].as_str().unwrap();
    for part in ["recorded none", "`measurement_id`", "`api_secret`", "Realtime", "DebugView"] {
        assert!(explanation.contains(part), "{part}: {explanation}");
    }
    assert!(!said.to_string().contains("ga4_secret_for_tests"), "{said}");
    let requests = shop.sandboxes.ga4.requests();
    assert_eq!((requests.len(), requests[0].path.as_str()), (1, "/debug/mp/collect"));
    assert_eq!(requests[0].json()["validation_behavior"], "ENFORCE_RECOMMENDATIONS");
    assert_eq!(shop.sandboxes.ga4.report(), Default::default(), "nothing is recorded");
}

/// A validation server that knows of a rule that we don't.
struct Objects;

impl Service for Objects {
    fn serve(&self, call: &Call<'_>) -> Served {
        assert_eq!(call.head.path, "/debug/mp/collect");
        Answer::json(
            200,
            &json!({"validationMessages": [{
                "fieldPath": "events[0].params.coupon", "validationCode": "VALUE_INVALID",
                "description": "Coupons are out of fashion.",
            }]}),
        )
        .into()
    }
}

#[test]
fn what_the_validation_server_says_is_explained() {
    let server = Sandbox::start(Objects, std::sync::Arc::new(SystemClock)).unwrap();
    let more = format!(
        "[destinations.second]\nkind = \"ga4\"\nmeasurement_id = \"G-OTHER\"\napi_secret = \"other_secret\"\nendpoint = \"{}\"\n",
        server.origin()
    );
    let shop = Shop::open(&Settings { more, ..Settings::default() });
    let said = shop.test("second");
    assert_eq!((&said["ok"], &said["result"]), (&json!(false), &json!("broken")), "{said}");
    let explanation = said["explanation"].as_str().unwrap();
    assert!(
        explanation.contains(
            "`events[0].params.coupon` of \"purchase\": VALUE_INVALID, Coupons are out of fashion (correct it"
        ),
        "{explanation}"
    );
    let output = shop.home.command(&["destinations", "test", "second"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_second_stream_at_another_endpoint_gets_its_own_events_under_its_own_names() {
    let region1 = Ga4Sandbox::start("G-EU1", "eu_secret_for_tests").unwrap();
    let more = format!(
        "[destinations.eu]\nkind = \"ga4\"\nmeasurement_id = \"G-EU1\"\napi_secret = \"eu_secret_for_tests\"\n\
         endpoint = \"{}\"\nevents = [\"purchase\"]\nevent_names = {{ purchase = \"close_convert_lead\" }}\n\
         params = {{ medium = \"utm_medium\", stage = \"lifecycle_stage\" }}\nuser_data = true\ndebug_mode = true\n",
        region1.origin()
    );
    let shop = Shop::open_with(
        &Settings { more, ..Settings::default() },
        &[(SECRET, "api_secret = \"ga4_secret_for_tests\"\ndebug_mode = false")],
    );
    let mut sale = session(1, 9900);
    sale["metadata"]["utm_medium"] = "email".into();
    sale["metadata"]["consent_ads"] = "yes".into();
    shop.told("evt_1", "checkout.session.completed", sale);
    let request = &region1.requests()[0];
    assert_eq!((request.path.as_str(), &request.broken_rules), ("/mp/collect", &Vec::new()));
    let body = request.json();
    let told = &body["events"][0];
    assert_eq!(told["name"], "close_convert_lead");
    assert_eq!((&told["params"]["medium"], &told["params"]["debug_mode"]), (&json!("email"), &json!(true)));
    assert_eq!(told["params"]["stage"], "customer");
    assert_eq!(body["consent"]["ad_user_data"], "GRANTED");
    let hash = body["user_data"]["sha256_email_address"][0].as_str().unwrap();
    let eu = shop.home.rows(&["deliveries", "list", "--destination", "eu"]);
    let shown = shop.home.rows(&["deliveries", "show", eu[0]["id"].as_str().unwrap()])[0].to_string();
    assert!(!shown.contains(hash) && !shown.contains("eu_secret_for_tests"), "{shown}");

    assert_eq!(shop.last()["name"], "purchase");
    assert!(shop.requests()[0].json().get("user_data").is_none());
    assert_eq!(shop.test("eu")["ok"], true);
    assert_eq!(region1.requests().last().unwrap().path, "/debug/mp/collect");
    assert_eq!(region1.report().events.len(), 1);
}

#[test]
fn a_parameter_that_would_name_a_person_keeps_the_daemon_from_starting() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let text = std::fs::read_to_string(home.config()).unwrap();
    std::fs::write(home.config(), text.replacen(SECRET, &format!("{SECRET}\nparams = {{ who = \"email\" }}"), 1))
        .unwrap();
    let output = home.command(&["check"]);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("destinations.ga4.params: who") && said.contains("says who somebody is"), "{said}");
}
