//! MailerLite told by the real binary: tiers, moving between groups, people who left, consent, what an account lacks, both APIs.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::daemon::{Daemon, Home, Sandboxes, Settings};
use support::events::{SECRET, event, event_at, now, session};
use support::http::send;
use support::wait_for;
use tallyhook::demo::sandbox::{Fault, MailerLiteSandbox, Refusing, Subscriber};

const KEY: &str = "mailerlite_key_for_tests";
const GROUPS: [&str; 6] = ["201", "202", "203", "204", "205", "206"];

/// A shop with MailerLite alone.
struct Shop {
    sandboxes: Sandboxes,
    mailerlite: MailerLiteSandbox,
    home: Home,
}

impl Shop {
    /// `keys` are put into MailerLite's table.
    fn open(keys: &str) -> Self {
        let sandboxes = Sandboxes::start();
        let mailerlite = MailerLiteSandbox::start(KEY, &GROUPS).unwrap();
        let home = Home::new(&sandboxes, &Settings::default());
        let shop = Self { sandboxes, mailerlite, home };
        shop.configure(KEY, keys);
        shop
    }

    fn configure(&self, key: &str, keys: &str) {
        let (folder, endpoint, alerts) =
            (self.home.path().display(), self.mailerlite.origin(), self.sandboxes.alerts.url());
        let text = format!(
            r#"
[server]
listen = "127.0.0.1:0"
[admin]
socket = "{folder}/admin.sock"
[store]
path = "{folder}/store.redb"
reserve = "1MiB"
[sources.stripe]
kind = "stripe"
secrets = ["{SECRET}"]
settle = "100ms"
[alerts.ops]
kind = "webhook"
url = "{alerts}"
[alerting]
group_wait = "200ms"
group_interval = "500ms"
[destinations.mailerlite]
kind = "mailerlite"
api_key = "{key}"
endpoint = "{endpoint}"
rate_limit = "off"
schedule = ["0s", "100ms", "200ms", "500ms", "1s"]
groups = {{ vip = "201", premium = "202", standard = "203", lead = "204", booking = "205", churned = "206" }}
{keys}
"#
        );
        std::fs::write(self.home.config(), text).unwrap();
    }

    fn settle_down(&self) {
        wait_for("every delivery to end", || self.home.deliveries("pending") == 0);
    }

    fn person(&self, n: u64) -> Subscriber {
        let email = format!("buyer{n}@example.com");
        let people = self.mailerlite.subscribers();
        people.iter().find(|person| person.email == email).unwrap_or_else(|| panic!("{people:?}")).clone()
    }

    fn groups(&self, n: u64) -> Vec<String> {
        self.person(n).groups.into_iter().collect()
    }

    /// Method, path and status of everything that was asked.
    fn asked(&self) -> Vec<String> {
        let requests = self.mailerlite.requests();
        requests
            .iter()
            .map(|asked| format!("{} {} {}", asked.method, asked.path, asked.status.unwrap_or_default()))
            .collect()
    }

    fn assert_no_rule_was_broken(&self) {
        let requests = self.mailerlite.requests();
        assert!(requests.iter().all(|request| request.broken_rules.is_empty()), "{requests:?}");
    }

    /// The one delivery there is, as `deliveries show` has it.
    fn only_delivery(&self) -> Value {
        let rows = self.home.rows(&["deliveries", "list"]);
        assert_eq!(rows.len(), 1, "{rows:?}");
        self.home.rows(&["deliveries", "show", rows[0]["id"].as_str().unwrap()]).remove(0)
    }

    /// What `destinations test` says.
    fn test(&self) -> Value {
        let output = self.home.command(&["--json", "destinations", "test", "mailerlite"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
    }
}

fn buy(daemon: &Daemon, id: &str, n: u64, amount: i64, tier: Option<&str>) {
    let mut sold = session(n, amount);
    sold["metadata"]["pricing_tier"] = tier.map_or(Value::Null, Value::from);
    daemon.accept(&event(id, "checkout.session.completed", sold));
}

/// The same for a customer who has bought before, as another sale of the same person.
fn buy_again(daemon: &Daemon, id: &str, sale: u64, n: u64, amount: i64, tier: &str) {
    let mut sold = session(sale, amount);
    sold["customer"] = format!("cus_{n:06}").into();
    sold["customer_details"]["email"] = format!("buyer{n}@example.com").into();
    sold["metadata"]["lead_id"] = format!("lead-{n:06}").into();
    sold["metadata"]["pricing_tier"] = tier.into();
    daemon.accept(&event(id, "checkout.session.completed", sold));
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

#[test]
fn buyers_join_the_group_of_their_tier_and_are_told_field_by_field() {
    let shop = Shop::open("fields = { name = \"first_name\", last_name = \"last_name\", total = \"total_spent\" }");
    shop.mailerlite.make_field("total", "number");
    let daemon = shop.home.start();
    buy(&daemon, "evt_1", 1, 9900, Some("premium"));
    buy(&daemon, "evt_2", 2, 9900, Some("Enterprise"));
    buy(&daemon, "evt_3", 3, 100_000, Some("premium"));
    buy(&daemon, "evt_4", 4, 9900, None);
    shop.settle_down();
    let joined: Vec<_> = (1..5).map(|n| shop.groups(n)).collect();
    assert_eq!(joined, [["202"], ["201"], ["201"], ["203"]], "{}", daemon.log());
    let told = shop.person(1);
    for (key, value) in [
        ("name", json!("Buyer")),
        ("last_name", json!("Number1")),
        ("lead_id", json!("lead-000001")),
        ("pricing_tier", json!("premium")),
        ("transaction_amount", json!(99)),
        ("total", json!(99)),
        ("utm_source", json!("newsletter")),
    ] {
        assert_eq!(told.fields[key], value, "{key}");
    }
    let agreed_at = told.opted_in_at.expect("the proof of the opt-in that Stripe's metadata tells");
    assert_eq!(agreed_at.len(), 19, "{agreed_at}");
    shop.assert_no_rule_was_broken();
    assert_eq!(shop.asked().len(), 4, "nobody is moved unless that is configured: {:?}", shop.asked());
    assert!(!daemon.log().contains('@') && !daemon.log().contains(KEY), "{}", daemon.log());
}

#[test]
fn who_is_moved_leaves_the_groups_that_exclude_the_new_one_and_no_others() {
    let shop = Shop::open("move_between_groups = true");
    // A lead who also reads the newsletter, group 900, of which Tallyhook knows nothing.
    shop.mailerlite.make_group("900");
    for group in ["204", "205", "900"] {
        shop.mailerlite.put_into("buyer1@example.com", group);
    }
    let daemon = shop.home.start();
    buy(&daemon, "evt_1", 1, 9900, Some("premium"));
    shop.settle_down();
    assert_eq!(shop.groups(1), ["202", "205", "900"], "{:?}", shop.asked());
    let id = shop.person(1).id;
    assert_eq!(
        shop.asked(),
        ["POST /api/subscribers 200".to_owned(), format!("DELETE /api/subscribers/{id}/groups/204 204")],
        "only what the answer lists is left"
    );

    // The second request is lost: the whole is repeated, which changes nothing.
    shop.mailerlite.script([Fault::Pass, Fault::LoseAnswer]);
    buy_again(&daemon, "evt_2", 7, 1, 200_000, "premium");
    shop.settle_down();
    assert_eq!(shop.groups(1), ["201", "205", "900"]);
    assert_eq!(shop.home.deliveries("delivered"), 2);

    // A retry of the first sale tells today's state.
    let begun = now() - 20;
    daemon.accept(&event_at("evt_3", "customer.subscription.created", subscription("active"), begun, true));
    daemon.accept(&event_at("evt_4", "customer.subscription.deleted", subscription("canceled"), now() + 1, true));
    wait_for("the win-back group", || shop.groups(1).contains(&"206".to_owned()));
    shop.settle_down();
    assert_eq!(shop.groups(1), ["205", "206", "900"], "churned, and no tier any more");
    buy_again(&daemon, "evt_5", 8, 1, 5000, "starter");
    shop.settle_down();
    shop.assert_no_rule_was_broken();
}

/// Pitfall 16: an unsubscribed person is an error elsewhere, or made active again by force.
#[test]
fn whoever_left_the_list_stays_off_it_and_is_no_failure() {
    let shop = Shop::open("move_between_groups = true");
    for (n, status) in [(1, "unsubscribed"), (2, "bounced"), (3, "junk")] {
        shop.mailerlite.set_status(&format!("buyer{n}@example.com"), status);
    }
    let daemon = shop.home.start();
    for n in 1..4 {
        buy(&daemon, &format!("evt_{n}"), n, 9900, Some("premium"));
    }
    shop.settle_down();
    assert_eq!((shop.home.deliveries("suppressed"), shop.home.deliveries("failed")), (3, 0));
    shop.mailerlite.refuse_unsubscribed(Refusing::ByRefusing);
    buy_again(&daemon, "evt_4", 7, 1, 9900, "premium");
    wait_for("the fourth", || shop.home.deliveries("suppressed") == 4);
    let rows = shop.home.rows(&["deliveries", "list", "--state", "suppressed"]);
    assert!(rows.iter().all(|row| row["reason"].as_str().unwrap().contains("unsubscribed")), "{rows:?}");
    for (n, status) in [(1, "unsubscribed"), (2, "bounced"), (3, "junk")] {
        assert_eq!(shop.person(n).status, status);
    }
    for request in shop.mailerlite.requests() {
        assert_eq!(request.method, "POST", "nobody is taken out of anything");
        let sent = request.json();
        assert!(sent.get("status").is_none() && sent.get("resubscribe").is_none(), "{sent}");
    }
    let alerts = shop.sandboxes.alerts.alerts();
    assert!(alerts.is_empty(), "{alerts:?}");
}

/// Pitfall 17: one refused person fails a whole batch, and imports are allowed five times a minute.
#[test]
fn one_refused_person_costs_nobody_else_anything() {
    let shop = Shop::open("");
    let daemon = shop.home.start();
    for n in 1..9 {
        let mut sold = session(n, 9900);
        if n == 4 {
            // Stripe takes this address, MailerLite does not.
            sold["customer_details"]["email"] = "buyer4@localhost".into();
        }
        daemon.accept(&event(&format!("evt_{n}"), "checkout.session.completed", sold));
    }
    shop.settle_down();
    assert_eq!((shop.home.deliveries("delivered"), shop.home.deliveries("failed")), (7, 1), "{:?}", shop.asked());
    assert_eq!(shop.mailerlite.subscribers().len(), 7);
    assert!(shop.mailerlite.requests().iter().all(|request| request.path == "/api/subscribers"), "{:?}", shop.asked());
    let failed = shop.home.rows(&["failed", "list"]).remove(0);
    let shown = shop.home.rows(&["failed", "show", failed["id"].as_str().unwrap()])[0].to_string();
    assert!(shown.contains("valid email address") && !shown.contains("buyer4"), "{shown}");
}

#[test]
fn consent_decides_who_is_told_and_confirmation_is_mailerlites_business() {
    let shop = Shop::open("requires_consent = true");
    shop.mailerlite.ask_for_confirmation();
    let daemon = shop.home.start();
    for (n, consent) in [(1, json!("false")), (2, Value::Null), (3, json!("true"))] {
        let mut sold = session(n, 9900);
        sold["metadata"]["consent_email"] = consent;
        daemon.accept(&event(&format!("evt_{n}"), "checkout.session.completed", sold));
    }
    shop.settle_down();
    assert_eq!((shop.home.deliveries("suppressed"), shop.home.deliveries("delivered")), (2, 1));
    let people = shop.mailerlite.subscribers();
    assert_eq!(people.len(), 1);
    assert_eq!((people[0].email.as_str(), people[0].status.as_str()), ("buyer3@example.com", "unconfirmed"));
    let suppressed = shop.home.rows(&["deliveries", "list", "--state", "suppressed"]);
    assert!(suppressed.iter().all(|row| row["reason"].as_str().unwrap().contains("consent")), "{suppressed:?}");
}

#[test]
fn a_form_makes_a_subscriber_and_changes_nobody_who_is_there() {
    let shop = Shop::open("[leads]\norigins = [\"https://www.shop.example\"]\nsettle = \"100ms\"");
    shop.mailerlite.put_into("buyer1@example.com", "201");
    let daemon = shop.home.start();
    for n in [1, 2] {
        let form = json!({
            "lead_id": format!("th_000000000{n}"), "email": format!("buyer{n}@example.com"), "name": "Mallory",
            "phone": "+493012345678", "utm_source": "spam", "consent": {"email": true},
        });
        let headers = [("origin", "https://www.shop.example"), ("content-type", "text/plain")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let answer = send(daemon.address, "POST", "/api/leads", &headers, form.to_string().as_bytes()).unwrap();
        assert_eq!(answer.status, 202, "{}", answer.body);
    }
    wait_for("both forms to be told of", || shop.home.deliveries("delivered") == 2);
    assert_eq!((shop.person(1).fields, shop.groups(1)), (serde_json::Map::new(), vec!["201".to_owned()]));
    assert_eq!(shop.person(1).opted_in_at, None);
    assert_eq!((&shop.person(2).fields["name"], shop.groups(2)), (&json!("Mallory"), vec!["204".to_owned()]));
    shop.assert_no_rule_was_broken();
}

#[test]
fn two_sales_with_one_address_are_one_person_told_in_order() {
    let shop = Shop::open("");
    let daemon = shop.home.start();
    // Two customers at Stripe, two browsers, one address.
    for (n, amount) in [(1, 9900), (2, 100_000)] {
        let mut sold = session(n, amount);
        sold["customer_details"]["email"] = if n == 1 { "One@Example.com" } else { "one@example.com " }.into();
        daemon.accept(&event_at(&format!("evt_{n}"), "checkout.session.completed", sold, now() + n as i64, true));
    }
    shop.settle_down();
    let people = shop.mailerlite.subscribers();
    assert_eq!(people.len(), 1, "{people:?}");
    assert_eq!(people[0].fields["transaction_amount"], 1000);
    let ids: Vec<_> =
        ["lead-000001", "lead-000002"].map(|lead| shop.home.rows(&["contacts", "show", lead])[0]["id"].clone()).into();
    assert_eq!(ids[0], ids[1], "an address belongs to one contact, and a contact has one request at a time");
}

#[test]
fn what_the_account_lacks_is_told_before_and_after() {
    let shop = Shop::open("fields = { total = \"total_spent\" }");
    shop.mailerlite.make_field("total", "date");
    shop.mailerlite.delete_field("lead_id");
    shop.mailerlite.delete_group("202");
    let daemon = shop.home.start();
    let said = shop.test();
    assert_eq!((&said["ok"], &said["result"]), (&json!(false), &json!("broken")));
    let explanation = said["explanation"].as_str().unwrap();
    for part in [
        "no field `lead_id` (text)",
        "Create field",
        "`total` is of type date, and total_spent needs number",
        "no group 202 (groups.premium)",
    ] {
        assert!(explanation.contains(part), "{part} in {explanation}");
    }
    let told = shop.home.command(&["destinations", "test", "mailerlite"]);
    assert_eq!(told.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&told.stderr).contains("lead_id"));
    assert!(shop.mailerlite.requests().iter().all(|request| request.method == "GET"), "a test only reads");

    buy(&daemon, "evt_1", 1, 9900, Some("premium"));
    wait_for("the refusal", || shop.home.deliveries("failed") == 1);
    let id = shop.home.rows(&["failed", "list"])[0]["id"].as_str().unwrap().to_owned();
    let shown = shop.home.rows(&["failed", "show", &id])[0].to_string();
    assert!(shown.contains("there is no group 202 in this account") && shown.contains("groups.premium"), "{shown}");

    shop.mailerlite.make_group("202");
    shop.mailerlite.make_field("lead_id", "text");
    shop.mailerlite.make_field("total", "number");
    assert_eq!(shop.test()["ok"], true, "{}", shop.test());
    shop.home.rows(&["failed", "retry", &id]);
    wait_for("the failed queue to be empty", || shop.home.deliveries("failed") == 0);
    wait_for("the subscriber", || shop.mailerlite.subscribers().len() == 1);
    assert_eq!(shop.groups(1), ["202"]);
}

#[test]
fn the_classic_api_gets_the_same_and_its_groups_are_left_its_way() {
    let shop = Shop::open("api = \"classic\"\nmove_between_groups = true");
    shop.mailerlite.put_into("buyer1@example.com", "204");
    let daemon = shop.home.start();
    assert_eq!(shop.test()["ok"], true, "{}", shop.test());
    shop.mailerlite.delete_group("206");
    let said = shop.test();
    assert!(said["explanation"].as_str().unwrap().contains("no group 206 (groups.churned)"), "{said}");
    shop.mailerlite.make_group("206");
    let before = shop.asked().len();
    buy(&daemon, "evt_1", 1, 9900, Some("premium"));
    shop.settle_down();
    assert_eq!(shop.groups(1), ["202"], "{:?}", shop.asked());
    let id = shop.person(1).id;
    assert_eq!(
        shop.asked()[before..],
        [
            "POST /api/v2/groups/202/subscribers 200".to_owned(),
            format!("DELETE /api/v2/groups/201/subscribers/{id} 404"),
            format!("DELETE /api/v2/groups/203/subscribers/{id} 404"),
            format!("DELETE /api/v2/groups/204/subscribers/{id} 204"),
            format!("DELETE /api/v2/groups/206/subscribers/{id} 404"),
        ],
        "its answer does not list groups, so each is tried"
    );
    assert_eq!((shop.person(1).fields["name"].clone(), shop.home.deliveries("failed")), (json!("Buyer Number1"), 0));
    assert!(shop.person(1).opted_in_at.is_some());
    shop.assert_no_rule_was_broken();
}

#[test]
fn a_revoked_key_holds_everything_until_it_is_mended() {
    let shop = Shop::open("");
    let daemon = shop.home.start();
    shop.mailerlite.set_api_key("a_new_one");
    buy(&daemon, "evt_1", 1, 9900, Some("premium"));
    buy(&daemon, "evt_2", 2, 9900, Some("premium"));
    let row = || shop.home.rows(&["destinations", "list"]).remove(0);
    wait_for("the hold", || row()["state"] == "held");
    let reason = row()["held"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("`api_key` (401)") && reason.contains("set `api = \"classic\"`"), "{reason}");
    let said = shop.test();
    assert!(said["ok"] == false && said["explanation"].as_str().unwrap().contains("`api_key` (401)"), "{said}");
    assert_eq!((row()["pending"].as_u64(), row()["failed"].as_u64()), (Some(2), Some(0)));
    assert!(shop.home.rows(&["deliveries", "list"]).iter().all(|row| row["attempts"] == 0));

    shop.configure("a_new_one", "");
    daemon.signal(rustix::process::Signal::HUP);
    wait_for("both deliveries by themselves", || row()["delivered"].as_u64() == Some(2));
    assert_eq!((row()["state"].as_str(), shop.mailerlite.subscribers().len()), (Some("active"), 2));
}

#[test]
fn too_many_requests_slow_the_destination_down_and_use_no_attempt() {
    let shop = Shop::open("");
    let daemon = shop.home.start();
    shop.mailerlite.script([Fault::retry_after(429, "119")]);
    buy(&daemon, "evt_1", 1, 9900, Some("premium"));
    wait_for("the first request", || shop.mailerlite.count() == 1);
    wait_for("its record", || shop.only_delivery()["last_status"] == 429);
    let delivery = shop.only_delivery();
    assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!("pending"), &json!(0)), "{delivery}");
    buy(&daemon, "evt_2", 2, 9900, Some("premium"));
    wait_for("it to be stored", || shop.home.deliveries("pending") == 2);
    assert_eq!(shop.mailerlite.count(), 1, "the whole destination waits for the 119 seconds");
    shop.home.rows(&["destinations", "resume", "mailerlite"]);
    shop.settle_down();
    assert_eq!(shop.mailerlite.subscribers().len(), 2);
}
