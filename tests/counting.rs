//! Every sale counts once: situations of Stripe through the real binary, as the destinations and `events show` have them.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::daemon::{Daemon, Home, Sandboxes, Settings};
use support::events::{event, event_at, intent, now, refund, session};
use support::wait_for;

/// A daemon with its sandboxes. `settle` is long where halves have to wait for each other, whatever the machine is doing.
struct Shop {
    sandboxes: Sandboxes,
    home: Home,
    daemon: Daemon,
}

impl Shop {
    fn open(settle: &'static str) -> Self {
        let sandboxes = Sandboxes::start();
        let home = Home::new(&sandboxes, &Settings { settle, ..Settings::default() });
        let daemon = home.start();
        Self { sandboxes, home, daemon }
    }

    /// Posts an event of now.
    fn told(&self, id: &str, event_type: &str, object: Value) {
        self.daemon.accept(&event(id, event_type, object));
    }

    /// Posts an event of some seconds ago, or ahead.
    fn told_at(&self, id: &str, event_type: &str, object: Value, seconds: i64) {
        self.daemon.accept(&event_at(id, event_type, object, now() + seconds, true));
    }

    fn wait(&self) {
        wait_for("every delivery to end", || self.home.deliveries("pending") == 0);
    }

    /// Transaction ids and amounts of what GA4 counted under a name, in order.
    fn at_ga4(&self, name: &str) -> Vec<(String, i64)> {
        let report = self.sandboxes.ga4.report();
        assert_eq!(report.dropped, 0, "{report:?}");
        let counted = report.counted(name);
        let mut all: Vec<_> =
            counted.map(|told| (told.transaction_id.clone().unwrap_or_default(), told.amount.unwrap().minor)).collect();
        all.sort();
        all
    }

    /// The only person at the CRM.
    fn at_crm(&self) -> Value {
        let contacts = self.sandboxes.crm.contacts();
        assert_eq!(contacts.len(), 1, "{contacts:?}");
        Value::Object(contacts[0].fields.clone())
    }

    fn wait_for_crm(&self, field: &str, value: &Value) {
        wait_for("the CRM to know", || {
            let contacts = self.sandboxes.crm.contacts();
            contacts.first().is_some_and(|contact| contact.fields.get(field) == Some(value))
        });
    }

    fn story(&self, id: &str) -> Value {
        self.home.rows(&["events", "show", id]).remove(0)
    }

    fn screen(&self, id: &str) -> String {
        let output = self.home.command(&["events", "show", id]);
        assert!(output.status.success());
        let page = String::from_utf8(output.stdout).unwrap();
        assert!(page.lines().count() <= 40, "more than a screen:\n{page}");
        page
    }
}

/// A subscription's invoice in the shape since 2025-03-31, which does not say how it was paid.
fn bill(n: u64, amount: i64, reason: &str) -> Value {
    json!({
        "id": format!("in_{n:06}"), "object": "invoice", "status": "paid", "amount_paid": amount, "amount_due": amount,
        "total": amount, "currency": "eur", "customer": "cus_000001", "customer_email": "buyer1@example.com",
        "billing_reason": reason, "metadata": {}, "lines": {"data": []},
        "parent": {"type": "subscription_details", "subscription_details": {
            "subscription": "sub_000001",
            "metadata": {"lead_id": "lead-000001", "ga_client_id": "1234560001.1747132561"},
        }},
    })
}

/// The payment of one of customer 1's bills.
fn payment(n: u64, amount: i64) -> Value {
    let mut payment = intent(n, amount);
    payment["customer"] = "cus_000001".into();
    payment["receipt_email"] = "buyer1@example.com".into();
    payment
}

fn subscription(status: &str) -> Value {
    json!({
        "id": "sub_000001", "object": "subscription", "status": status, "customer": "cus_000001",
        "metadata": {"lead_id": "lead-000001"},
        "items": {"data": [{"quantity": 1, "price": {
            "id": "price_1", "nickname": "Membership", "unit_amount": 2000, "currency": "eur",
        }}]},
    })
}

fn dispute(status: &str) -> Value {
    json!({
        "id": "du_000001", "object": "dispute", "amount": 9900, "currency": "eur", "status": status,
        "charge": "ch_000001", "payment_intent": "pi_000001", "metadata": {},
    })
}

#[test]
fn an_invoice_and_its_payment_without_any_link_are_one_sale_and_so_is_their_refund() {
    let shop = Shop::open("30s");
    shop.told_at("evt_pi", "payment_intent.succeeded", payment(1, 2000), 0);
    let waiting = shop.screen("evt_pi");
    assert!(waiting.contains("for its other half") && waiting.contains("id and time may change"), "{waiting}");
    assert!(waiting.contains("ch_000001  only named, by pi_000001"), "{waiting}");
    shop.told_at("evt_in", "invoice.paid", bill(1, 2000, "subscription_create"), -3);
    shop.wait();
    assert_eq!(shop.at_ga4("purchase"), [("in_000001".to_owned(), 2000)]);
    assert_eq!(shop.at_crm()["total_spent"], 20);
    assert_eq!(shop.at_crm()["last_transaction_id"], "in_000001");

    let story = shop.story("evt_in");
    assert_eq!(story["business_events"][0]["kind"], "purchase");
    assert_eq!(story["business_events"][0]["frozen"], true);
    assert_eq!(story["business_events"][0]["marks"][0]["name"], "by_likeness");
    assert_eq!(story["sale"]["other_half"]["apart_seconds"], 3);
    assert_eq!(story["sale"]["other_half"]["tells_of_the_sale"], false);
    let story = shop.story("evt_pi");
    assert_eq!(story["sale"]["other_half"]["tells_of_the_sale"], true);
    assert_eq!(story["business_events"][0]["withdrawn"], true);
    assert_eq!(story["business_events"][0]["replaced_by"]["transaction_id"], "in_000001");
    let page = shop.screen("evt_pi");
    assert!(page.contains("same customer, amount and currency, 3 s apart, no link; s2 tells of the sale"), "{page}");
    assert!(page.contains("it is half of a sale that s2 tells of"), "{page}");
    assert!(page.contains("withdrawn: b2 (first told by w2) tells of it now as transaction in_000001"), "{page}");
    assert!(page.contains("in_000001  paid 20.00 EUR"), "the other half is shown: {page}");
    assert!(!page.contains('@'), "no personal data: {page}");

    // A refund names the payment, and is told under the sale's id.
    shop.told("evt_re", "refund.created", refund(1, 1, 500, "succeeded"));
    shop.wait();
    assert_eq!(shop.at_ga4("refund"), [("in_000001".to_owned(), 500)]);
    shop.wait_for_crm("total_spent", &json!(15));
    let page = shop.screen("evt_re");
    assert!(page.contains("refund of 5.00 EUR, transaction in_000001"), "{page}");

    let person = shop.home.rows(&["contacts", "show", "Buyer1@Example.com"]).remove(0);
    assert_eq!(person["totals"], json!(["15.00 EUR"]));
    assert_eq!((person["purchases"].as_u64(), person["refunds"].as_u64()), (Some(1), Some(1)));
    assert_eq!(
        (person["sales"][0]["amount"].as_str(), person["sales"][0]["left"].as_str()),
        (Some("20.00 EUR"), Some("15.00 EUR"))
    );
    assert_eq!(person["stage"], "customer");
    assert!(person["stages"]["customer"].is_string());
    assert!(!person.to_string().contains('@'), "{person}");
    assert_eq!(shop.home.rows(&["contacts", "show", "lead-000001"]).remove(0), person, "by lead id");
    let number = person["id"].as_str().unwrap();
    assert_eq!(shop.home.rows(&["contacts", "show", number]).remove(0), person, "by number");
    let nobody = shop.home.command(&["contacts", "show", "nobody@example.com"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(!String::from_utf8_lossy(&nobody.stderr).contains('@'), "what was asked for is not repeated");
}

#[test]
fn two_identical_purchases_within_two_minutes_stay_two() {
    let shop = Shop::open("30s");
    for (n, second) in [(1, -50), (2, -10)] {
        let mut bought = session(n, 9900);
        bought["customer"] = "cus_000001".into();
        bought["customer_details"]["email"] = "buyer1@example.com".into();
        bought["metadata"]["lead_id"] = "lead-000001".into();
        shop.told_at(&format!("evt_pi_{n}"), "payment_intent.succeeded", payment(n, 9900), second - 1);
        shop.told_at(&format!("evt_cs_{n}"), "checkout.session.completed", bought, second);
    }
    shop.wait();
    assert_eq!(shop.at_ga4("purchase"), [("pi_000001".to_owned(), 9900), ("pi_000002".to_owned(), 9900)]);
    shop.wait_for_crm("total_spent", &json!(198));
    let story = shop.story("evt_cs_2");
    assert_eq!(story["sale"]["other_half"], Value::Null, "a link leaves nothing to likeness");
    assert!(shop.screen("evt_cs_2").contains("names pi_000002"));
}

#[test]
fn what_ga4_was_told_first_stays_when_the_other_half_comes_late() {
    let shop = Shop::open("0s");
    shop.told("evt_pi", "payment_intent.succeeded", payment(1, 2000));
    shop.wait();
    assert_eq!(shop.at_ga4("purchase"), [("pi_000001".to_owned(), 2000)]);
    shop.told("evt_in", "invoice.paid", bill(1, 2000, "subscription_create"));
    shop.wait();
    assert_eq!(shop.at_ga4("purchase"), [("pi_000001".to_owned(), 2000)], "never told again under another id");
    shop.wait_for_crm("total_spent", &json!(20));
    let page = shop.screen("evt_in");
    assert!(page.contains("s1 tells of the sale"), "{page}");
}

#[test]
fn two_sales_that_prove_to_be_one_after_both_were_told_are_reported() {
    let shop = Shop::open("0s");
    let mut unknown = bill(1, 2000, "manual");
    unknown["customer"] = Value::Null;
    shop.told("evt_in", "invoice.paid", unknown);
    shop.told("evt_pi", "payment_intent.succeeded", payment(1, 2000));
    shop.wait();
    assert_eq!(shop.at_ga4("purchase").len(), 2, "nothing said that they are one");
    let link = json!({
        "id": "inpay_1", "object": "invoice_payment", "invoice": "in_000001", "status": "paid", "amount_paid": 2000,
        "currency": "eur", "payment": {"type": "payment_intent", "payment_intent": "pi_000001"},
    });
    shop.told("evt_inpay", "invoice_payment.paid", link);
    shop.wait();
    assert_eq!(shop.at_ga4("purchase").len(), 2, "GA4 can't be told to forget");
    shop.wait_for_crm("total_spent", &json!(20));
    let replaced: Vec<Value> = ["evt_in", "evt_pi"]
        .iter()
        .flat_map(|id| shop.story(id)["business_events"].as_array().unwrap().clone())
        .filter(|told| told["withdrawn"] == true)
        .collect();
    assert_eq!(replaced.len(), 1, "{replaced:?}");
    assert!(replaced[0]["replaced_by"]["id"].is_string(), "{replaced:?}");
    assert_eq!(replaced[0]["marks"][0]["name"], "told_twice");
    wait_for("the alert", || {
        shop.sandboxes.alerts.alerts().iter().any(|alert| alert.to_string().contains("told_twice"))
    });
}

#[test]
fn a_lost_dispute_is_a_refund_at_ga4_until_the_money_comes_back() {
    let shop = Shop::open("300ms");
    shop.told("evt_cs", "checkout.session.completed", session(1, 9900));
    shop.told("evt_open", "charge.dispute.created", dispute("needs_response"));
    shop.wait();
    assert_eq!(shop.at_ga4("refund"), [], "an open dispute moves nothing");
    let page = shop.screen("evt_open");
    assert!(page.contains("why nothing is counted: a dispute counts when it is lost"), "{page}");
    assert_eq!(shop.at_crm()["total_spent"], 99);
    shop.told("evt_lost", "charge.dispute.closed", dispute("lost"));
    shop.wait();
    assert_eq!(shop.at_ga4("refund"), [("pi_000001".to_owned(), 9900)]);
    shop.wait_for_crm("total_spent", &json!(0));
    assert!(shop.screen("evt_lost").contains("dispute over 99.00 EUR lost at"));
    shop.told_at("evt_back", "charge.dispute.funds_reinstated", dispute("won"), 1);
    shop.wait();
    shop.wait_for_crm("total_spent", &json!(99));
    assert_eq!(shop.at_ga4("purchase").len(), 1, "nobody bought again");
}

#[test]
fn a_trial_converts_and_its_end_makes_the_customer_churned() {
    let shop = Shop::open("300ms");
    shop.told_at("evt_sub", "customer.subscription.created", subscription("trialing"), -40);
    shop.told_at("evt_in_1", "invoice.paid", bill(1, 0, "subscription_create"), -40);
    shop.wait();
    assert_eq!(shop.at_ga4("purchase"), [], "a trial is no sale");
    shop.wait_for_crm("lifecycle_stage", &json!("customer"));
    assert!(shop.at_crm()["total_spent"].is_null(), "{}", shop.at_crm());
    let page = shop.screen("evt_in_1");
    assert!(page.contains("trial_started") && page.contains("nothing to pay"), "{page}");

    shop.told_at("evt_in_2", "invoice.paid", bill(2, 2000, "subscription_cycle"), -20);
    shop.wait();
    assert_eq!(shop.at_ga4("purchase"), [("in_000002".to_owned(), 2000)]);
    assert_eq!(shop.story("evt_in_2")["business_events"][0]["kind"], "purchase", "the first that was paid");
    shop.wait_for_crm("total_spent", &json!(20));

    shop.told_at("evt_end", "customer.subscription.deleted", subscription("canceled"), -1);
    shop.wait();
    shop.wait_for_crm("lifecycle_stage", &json!("churned"));
    let page = shop.screen("evt_end");
    assert!(
        page.contains("subscription_ended") && page.contains("subscription of Membership at 20.00 EUR, ended"),
        "{page}"
    );
    let person = shop.home.rows(&["contacts", "show", "lead-000001"]).remove(0);
    assert_eq!(person["stage"], "churned");
    for stage in ["lead", "customer", "churned"] {
        assert!(person["stages"][stage].is_string(), "{person}");
    }
    assert_eq!(person["subscriptions"]["ended"], 1);
    assert_eq!(person["subscriptions"]["each"][0]["plan"], "Membership");
}

#[test]
fn an_event_of_an_unknown_currency_is_kept_counts_nothing_and_is_seen() {
    let shop = Shop::open("300ms");
    let mut odd = session(1, 9900);
    odd["currency"] = "xxq".into();
    shop.told("evt_odd", "checkout.session.completed", odd);
    shop.wait();
    assert_eq!(shop.home.rows(&["deliveries", "list"]).len(), 0, "nothing is invented");
    assert_eq!(shop.sandboxes.ga4.report().events.len(), 0);
    let listed = shop.home.rows(&["events", "list", "--odd"]);
    assert_eq!(listed[0]["provider_id"], "evt_odd");
    let page = shop.screen("evt_odd");
    assert!(page.contains("note: unknown currency \"XXQ\": no money is counted for this event"), "{page}");
    let status = shop.home.rows(&["status"]).remove(0);
    assert!(status["hints"].to_string().contains("odd"), "{status}");
}

#[test]
fn what_counts_nothing_says_why() {
    let shop = Shop::open("300ms");
    let mut unpaid = session(1, 9900);
    unpaid["payment_status"] = "unpaid".into();
    shop.told("evt_unpaid", "checkout.session.completed", unpaid);
    let mut free = session(2, 0);
    free["payment_status"] = "no_payment_required".into();
    free["payment_intent"] = Value::Null;
    shop.told("evt_free", "checkout.session.completed", free);
    shop.told("evt_re", "refund.created", refund(3, 1, 500, "requires_action"));
    shop.told(
        "evt_cus",
        "customer.created",
        json!({"id": "cus_000009", "object": "customer", "email": "new@example.com"}),
    );
    let answer = shop.daemon.post(&event("evt_other", "price.created", json!({"id": "price_1", "object": "price"})));
    assert_eq!(answer.json()["status"], "ignored");
    let thin = json!({
        "id": "evt_thin", "object": "v2.core.event", "type": "v1.invoice.paid", "livemode": true,
        "created": "2026-11-22T05:50:00.000Z", "related_object": {"id": "in_1", "type": "invoice"},
    });
    assert_eq!(shop.daemon.post(&serde_json::to_vec(&thin).unwrap()).json()["status"], "ignored");
    for (id, why) in [
        ("evt_unpaid", "nothing is paid yet: it counts when the money is there"),
        ("evt_free", "nothing to count: free order"),
        ("evt_re", "a refund counts once its money is on the way"),
        ("evt_cus", "it says who a customer is"),
        ("evt_other", "reads nothing out of `price.created`"),
        ("evt_thin", "thin event"),
    ] {
        let page = shop.screen(id);
        assert!(page.contains(why), "{why:?} in\n{page}");
    }
    assert_eq!(shop.sandboxes.ga4.report().events.len(), 0);
}

#[test]
fn a_shop_that_counts_only_checkout_and_invoices_is_told_why_a_payment_is_no_sale() {
    let sandboxes = Sandboxes::start();
    let home = Home::new(&sandboxes, &Settings::default());
    let text = std::fs::read_to_string(home.config()).unwrap();
    let text = text.replace("settle = \"300ms\"", "settle = \"300ms\"\ncount = \"checkout_and_invoices\"");
    std::fs::write(home.config(), text).unwrap();
    let daemon = home.start();
    let shop = Shop { sandboxes, home, daemon };
    shop.told("evt_pi", "payment_intent.succeeded", intent(1, 9900));
    shop.wait();
    assert_eq!(shop.at_ga4("purchase"), []);
    assert!(shop.screen("evt_pi").contains("the source counts `checkout_and_invoices`"));
    shop.told("evt_cs", "checkout.session.completed", session(1, 9900));
    shop.wait();
    assert_eq!(shop.at_ga4("purchase"), [("pi_000001".to_owned(), 9900)]);
}
