//! Bodies of the documented shapes and what they mean.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::envelope::Envelope;
use crate::model::id::{Mode, Scope};
use crate::model::phone::Country;
use crate::model::statement::{Claim, Interpreted, Meaning as Meant, NOTHING_TO_COUNT, ObjectRef, Statement};
use crate::model::time::Timestamp;
use crate::sources::Message;
use reading::Meanings;

const MEANT: [&str; 11] = [
    "shopify",
    "woocommerce",
    "paddle",
    "lemon_squeezy",
    "calendly",
    "cal_com",
    "typeform",
    "mailerlite",
    "paypal",
    "square",
    "mailgun",
];

fn read(meaning: &Meaning, event_type: &str, body: &Value) -> (Option<Statement>, Vec<String>) {
    read_in(None, meaning, event_type, body)
}

fn read_in(
    country: Option<Country>,
    meaning: &Meaning,
    event_type: &str,
    body: &Value,
) -> (Option<Statement>, Vec<String>) {
    let message =
        Message { envelope: Envelope::EMPTY, body: b"", received_at: Timestamp::from_unix_seconds(1_800_000_000) };
    let mut interpreted = Interpreted {
        provider_id: "event1".into(),
        event_type: event_type.into(),
        created: None,
        scope: Scope { provider: "x".into(), account: None, mode: Mode::Live },
        meaning: Meant::Ignored,
        notes: Vec::new(),
    };
    let statement = Meanings::new(meaning).read(&message, body, country, &mut interpreted);
    (statement, interpreted.notes)
}

fn told(preset: &str, event_type: &str, body: Value) -> Statement {
    read(&presets::meaning(preset), event_type, &body).0.unwrap()
}

/// What is paid or went back, in minor units.
fn money(statement: &Statement) -> Option<i64> {
    match &statement.claim {
        Claim::Paid(paid) => Some(paid.amount.minor),
        Claim::Refund(step) => Some(-step.amount.minor),
        _ => None,
    }
}

#[test]
fn every_presets_meaning_is_in_order() {
    for name in MEANT {
        assert_eq!(presets::meaning(name).faults(), [], "{name}");
        let sells = ["shopify", "woocommerce", "paddle", "lemon_squeezy", "paypal", "square"].contains(&name);
        assert_eq!(presets::meaning(name).sells(), sells, "{name}");
    }
}

#[test]
fn a_number_without_a_country_code_is_of_the_configured_country() {
    let order = json!({"id": 450, "status": "processing", "total": "39.10", "currency": "EUR",
        "billing": {"email": "ada@example.com", "phone": "030 1234567"}});
    let phone = |country: Option<&str>| {
        let country = country.map(|country| country.parse().unwrap());
        let (statement, _) = read_in(country, &presets::meaning("woocommerce"), "order.updated", &order);
        statement.unwrap().person.phone.map(|phone| phone.as_str().to_owned())
    };
    assert_eq!((phone(Some("DE")).as_deref(), phone(None)), (Some("+49301234567"), None));
}

#[test]
fn orders_of_shops_are_sales_once_they_are_paid() {
    let order = |status: &str| {
        json!({"id": 450, "financial_status": status, "total_price": "398.10", "total_tax": "10.00", "currency": "EUR",
            "updated_at": "2026-11-01T10:00:00+01:00", "email": "Ada@Example.com", "customer": {"id": 7, "first_name": "Ada"},
            "note_attributes": [{"name": "lead_id", "value": "lead7"}, {"name": "utm_source", "value": "mail"}],
            "line_items": [{"product_id": 9, "title": "Tea", "quantity": 2, "price": "199.05"}]})
    };
    let paid = told("shopify", "orders/paid", order("paid"));
    assert_eq!((money(&paid), paid.object.id.as_str(), paid.customer.as_deref()), (Some(39_810), "450", Some("7")));
    assert_eq!((paid.details.tax, paid.details.items[0].unit_minor), (Some(1000), Some(19_905)));
    assert_eq!(
        (paid.tags.lead_id.as_deref(), paid.tags.attribution.utm_source.as_deref()),
        (Some("lead7"), Some("mail"))
    );
    assert_eq!(paid.said_at, "2026-11-01T09:00:00Z".parse().unwrap());
    assert_eq!(money(&told("shopify", "orders/updated", order("pending"))), None);
    let refund = json!({"id": 3, "order_id": 450, "processed_at": "2026-11-02T10:00:00Z", "user_id": 1, "transactions": [
        {"kind": "refund", "status": "success", "amount": "10.00", "currency": "EUR"},
        {"kind": "refund", "status": "failure", "amount": "5.00", "currency": "EUR"},
        {"kind": "refund", "status": "success", "amount": "2.50", "currency": "EUR"}]});
    let refund = told("shopify", "refunds/create", refund);
    assert_eq!((money(&refund), refund.links[0].id.as_str()), (Some(-1250), "450"));

    let order = |status: &str, refunds: Value| {
        json!({"id": 727, "status": status, "currency": "EUR", "total": "29.35", "customer_id": 0, "refunds": refunds,
            "date_modified_gmt": "2026-03-23T00:01:14", "billing": {"email": "ada@example.com", "first_name": "Ada", "last_name": "L"},
            "meta_data": [{"id": 1, "key": "_wc_order_attribution_utm_source", "value": "google"}]})
    };
    let paid = told("woocommerce", "order.updated", order("processing", json!([])));
    assert_eq!(
        (money(&paid), paid.customer.as_deref(), paid.person.name.as_deref()),
        (Some(2935), None, Some("Ada L"))
    );
    assert_eq!(paid.tags.attribution.utm_source.as_deref(), Some("google"));
    assert_eq!(money(&told("woocommerce", "order.created", order("on-hold", json!([])))), None);
    let refunds = json!([{"id": 801, "total": "-10.00"}, {"id": 802, "total": "-5.00"}]);
    let refund = told("woocommerce", "order.updated", order("completed", refunds));
    assert_eq!((money(&refund), refund.object.id.as_str()), (Some(-500), "refund-802"));
}

#[test]
fn paddle_and_lemon_squeezy_write_minor_units() {
    let transaction = |subscription: Value, origin: &str| {
        json!({"occurred_at": "2026-11-01T10:00:00Z", "data": {"id": "txn_1", "currency_code": "JPY", "customer_id": "ctm_1",
            "subscription_id": subscription, "origin": origin, "details": {"totals": {"grand_total": "9900"}}}})
    };
    let once = told("paddle", "transaction.completed", transaction(Value::Null, "web"));
    assert_eq!((money(&once), once.object.kind), (Some(9900), ObjectKind::Order));
    let period = told("paddle", "transaction.completed", transaction("sub_1".into(), "subscription_recurring"));
    assert_eq!((period.object.kind, period.subscription.as_deref()), (ObjectKind::Invoice, Some("sub_1")));
    let adjustment = |action: &str, status: &str| {
        json!({"data": {"id": "adj_1", "action": action, "status": status, "transaction_id": "txn_1", "currency_code": "JPY",
            "totals": {"total": "100"}}})
    };
    assert_eq!(money(&told("paddle", "adjustment.created", adjustment("refund", "approved"))), Some(-100));
    let open = read(&presets::meaning("paddle"), "adjustment.created", &adjustment("refund", "pending_approval"));
    assert!(open.0.is_none() && open.1[0].starts_with(NOTHING_TO_COUNT), "{open:?}");
    let order = json!({"data": {"id": "1", "attributes": {"status": "paid", "total": 1999, "refunded_amount": 500, "currency": "USD",
        "customer_id": 5, "user_email": "ada@example.com"}}});
    assert_eq!(money(&told("lemon_squeezy", "order_created", order.clone())), Some(1999));
    assert_eq!(money(&told("lemon_squeezy", "order_refunded", order)), Some(-500));
    let period = |reason: &str| {
        let of =
            json!({"billing_reason": reason, "total": 900, "currency": "USD", "subscription_id": 4, "customer_id": 5});
        told("lemon_squeezy", "subscription_payment_success", json!({"data": {"id": "1", "attributes": of}}))
    };
    assert_eq!((money(&period("initial")), money(&period("renewal"))), (None, Some(900)));
    assert_eq!(period("renewal").object.id, "invoice-1", "an order has the same number");
}

#[test]
fn appointments_forms_and_unsubscribing() {
    let invitee = |more: Value| {
        let mut payload = json!({"uri": "u2", "email": "ada@example.com", "name": "Ada", "old_invitee": null, "rescheduled": false,
            "scheduled_event": {"start_time": "2026-12-01T10:00:00Z"}, "tracking": {"utm_campaign": "spring"}});
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"created_at": "2026-11-01T10:00:00Z", "payload": payload})
    };
    let status = |statement: &Statement| match &statement.claim {
        Claim::Booking(step) => Some(step.status),
        _ => None,
    };
    let made = told("calendly", "invitee.created", invitee(json!({"old_invitee": "u1"})));
    assert_eq!((status(&made), made.links[0].id.as_str()), (Some(BookingStatus::Booked), "u1"));
    assert_eq!(made.tags.attribution.utm_campaign.as_deref(), Some("spring"));
    assert_eq!(status(&told("calendly", "invitee.canceled", invitee(json!({})))), Some(BookingStatus::Cancelled));
    assert_eq!(status(&told("calendly", "invitee.canceled", invitee(json!({"rescheduled": true})))), None);
    assert_eq!(status(&told("calendly", "invitee_no_show.created", invitee(json!({})))), Some(BookingStatus::Missed));
    let moved = json!({"createdAt": "2026-11-01T10:00:00Z", "payload": {"uid": "b", "rescheduleUid": "a", "attendees": [{"email": "a@example.com"}]}});
    assert_eq!(told("cal_com", "BOOKING_RESCHEDULED", moved).links[0].id, "a");
    let missed = json!({"payload": {"bookingUid": "a", "attendees": [{"email": "a@example.com", "noShow": true}]}});
    assert_eq!(status(&told("cal_com", "BOOKING_NO_SHOW_UPDATED", missed)), Some(BookingStatus::Missed));
    let form = json!({"form_response": {"token": "t1", "submitted_at": "2026-11-01T10:00:00Z", "hidden": {"lead_id": "l1"},
        "answers": [{"type": "text", "text": "Ada", "field": {"ref": "name"}}, {"type": "email", "email": "ada@example.com"}]}});
    let lead = told("typeform", "form_response", form);
    assert!(matches!(&lead.claim, Claim::Happened(happened) if happened[0].kind == EventKind::Lead));
    assert_eq!((lead.tags.lead_id.as_deref(), lead.person.name.as_deref()), (Some("l1"), Some("Ada")));
    for event in ["subscriber.unsubscribed", "subscriber.bounced", "subscriber.spam_reported"] {
        let gone = json!({"id": "5", "email": "ada@example.com", "unsubscribed_at": "2026-11-01 10:00:00"});
        let gone = told("mailerlite", event, gone);
        assert_eq!((gone.tags.consent.email, gone.said_at), (Some(false), "2026-11-01T10:00:00Z".parse().unwrap()));
    }
}

#[test]
fn paypal_tells_of_captures_orders_refunds_and_subscriptions() {
    let event =
        |resource: Value| json!({"id": "WH-1", "create_time": "2026-11-01T10:00:00.123Z", "resource": resource});
    let capture = |status: &str| {
        event(
            json!({"id": "CAP1", "status": status, "amount": {"currency_code": "EUR", "value": "99.90"}, "final_capture": true,
            "supplementary_data": {"related_ids": {"order_id": "ORD1"}}}),
        )
    };
    let paid = told("paypal", "PAYMENT.CAPTURE.COMPLETED", capture("COMPLETED"));
    assert_eq!((money(&paid), paid.object.clone()), (Some(9990), ObjectRef::new(ObjectKind::Order, "CAP1")));
    assert_eq!(paid.links, [ObjectRef::new(ObjectKind::Order, "ORD1")]);
    assert_eq!(paid.said_at, "2026-11-01T10:00:00.123Z".parse().unwrap());
    let denied = told("paypal", "PAYMENT.CAPTURE.DENIED", capture("DECLINED"));
    let Claim::AttemptFailed(attempt) = &denied.claim else { panic!("{denied:?}") };
    assert_eq!(attempt.amount.map(|amount| amount.minor), Some(9990));
    let order = event(
        json!({"id": "ORD1", "status": "APPROVED", "payer": {"payer_id": "P1", "email_address": "Ada@Example.com",
        "name": {"given_name": "Ada", "surname": "L"}}}),
    );
    let order = told("paypal", "CHECKOUT.ORDER.APPROVED", order);
    assert_eq!(
        (money(&order), order.customer.as_deref(), order.person.name.as_deref()),
        (None, Some("P1"), Some("Ada L"))
    );
    assert_eq!(order.object, paid.links[0]);
    let refund = event(
        json!({"id": "REF1", "status": "COMPLETED", "amount": {"currency_code": "EUR", "value": "20.00"}, "links": [
        {"rel": "self", "href": "https://api.paypal.com/v2/payments/refunds/REF1"},
        {"rel": "up", "href": "https://api.paypal.com/v2/payments/captures/CAP1"}]}),
    );
    let refund = told("paypal", "PAYMENT.CAPTURE.REFUNDED", refund);
    assert_eq!((money(&refund), refund.object.id.as_str()), (Some(-2000), "refund-REF1"));
    assert!(refund.links.contains(&paid.object), "{:?}", refund.links);
    let period = |id: &str| {
        event(
            json!({"id": id, "state": "completed", "billing_agreement_id": "I-1", "amount": {"total": "14.55", "currency": "CAD"}}),
        )
    };
    let period = told("paypal", "PAYMENT.SALE.COMPLETED", period("SALE1"));
    assert_eq!((money(&period), period.subscription.as_deref()), (Some(1455), Some("I-1")));
    let back = event(json!({"id": "R2", "sale_id": "SALE1", "amount": {"total": "-1.00", "currency": "CAD"}}));
    let back = told("paypal", "PAYMENT.SALE.REFUNDED", back);
    assert_eq!(
        (money(&back), back.links.contains(&period.object)),
        (Some(-100), true),
        "the invoice of a subscription"
    );
}

#[test]
fn square_counts_what_is_completed() {
    let payment = |status: &str| {
        json!({"created_at": "2026-11-01T10:00:00Z", "data": {"object": {"payment": {"id": "P1", "status": status, "customer_id": "C1",
            "buyer_email_address": "ada@example.com", "amount_money": {"amount": 1000, "currency": "EUR"},
            "total_money": {"amount": 1150, "currency": "EUR"}}}}})
    };
    let paid = told("square", "payment.updated", payment("COMPLETED"));
    assert_eq!((money(&paid), paid.object.id.as_str(), paid.customer.as_deref()), (Some(1150), "P1", Some("C1")));
    assert_eq!(money(&told("square", "payment.created", payment("APPROVED"))), None);
    let failed = told("square", "payment.updated", payment("FAILED")).claim;
    assert!(
        matches!(&failed, Claim::AttemptFailed(attempt) if attempt.attempt == "P1"),
        "each payment is one try: {failed:?}"
    );
    let refund = |status: &str| json!({"data": {"object": {"refund": {"id": "R1", "status": status, "payment_id": "P1", "amount_money": {"amount": 150, "currency": "EUR"}}}}});
    let back = told("square", "refund.updated", refund("COMPLETED"));
    assert_eq!((money(&back), back.links.contains(&paid.object)), (Some(-150), true));
    for status in ["PENDING", "FAILED", "REJECTED"] {
        assert!(read(&presets::meaning("square"), "refund.created", &refund(status)).0.is_none(), "{status}");
    }
}

#[test]
fn a_refund_of_a_subscriptions_payment_belongs_to_it() {
    let sale = json!({"data": {"id": "txn_1", "currency_code": "EUR", "subscription_id": "sub_1", "details": {"totals": {"grand_total": "900"}}}});
    let sale = told("paddle", "transaction.completed", sale);
    let refund = json!({"data": {"id": "adj_1", "action": "refund", "status": "approved", "transaction_id": "txn_1", "currency_code": "EUR",
        "totals": {"total": "100"}}});
    assert!(told("paddle", "adjustment.updated", refund).links.contains(&sale.object));
    let of = |reason: &str| {
        json!({"data": {"id": "7", "attributes": {"billing_reason": reason, "total": 900, "refunded_amount": 300, "currency": "USD",
            "subscription_id": 4}}})
    };
    let period = told("lemon_squeezy", "subscription_payment_success", of("renewal"));
    let back = told("lemon_squeezy", "subscription_payment_refunded", of("renewal"));
    assert_eq!((money(&back), back.links.contains(&period.object)), (Some(-300), true));
    let first = read(&presets::meaning("lemon_squeezy"), "subscription_payment_refunded", &of("initial"));
    assert!(first.0.is_none() && first.1[0].starts_with(NOTHING_TO_COUNT), "its order tells of it: {first:?}");
}

#[test]
fn mailgun_and_mailerlite_say_who_wants_no_more_mail() {
    let event = |name: &str, severity: &str| {
        json!({"event-data": {"id": "e1", "event": name, "severity": severity, "timestamp": 1_529_006_854.329_574_f64,
            "recipient": "Ada@Example.com", "user-variables": {"lead_id": "l1"}}})
    };
    for name in ["unsubscribed", "complained", "failed"] {
        let gone = told("mailgun", name, event(name, "permanent"));
        assert_eq!((gone.tags.consent.email, gone.said_at.unix_seconds()), (Some(false), 1_529_006_854), "{name}");
        assert_eq!(
            (gone.person.email.unwrap().as_str(), gone.tags.lead_id.as_deref()),
            ("ada@example.com", Some("l1"))
        );
    }
    for (name, severity) in [("failed", "temporary"), ("delivered", ""), ("opened", "")] {
        assert!(read(&presets::meaning("mailgun"), name, &event(name, severity)).0.is_none(), "{name}");
    }
    let bounced = json!({"event": "subscriber.bounced", "id": "5", "email": "ada@example.com", "status": "bounced", "unsubscribed_at": null,
        "updated_at": "2026-11-01 10:00:00"});
    let bounced = told("mailerlite", "subscriber.bounced", bounced);
    assert_eq!((bounced.tags.consent.email, bounced.said_at), (Some(false), "2026-11-01T10:00:00Z".parse().unwrap()));
}

#[test]
fn a_rule_of_ones_own_can_tell_of_a_failed_payment() {
    let (statement, notes) =
        read(&own(&[("declined", "payment_failed")]), "declined", &json!({"id": 1, "total": "5", "currency": "eur"}));
    let statement = statement.unwrap();
    assert!(matches!(&statement.claim, Claim::AttemptFailed(attempt) if attempt.attempt == "event1"), "{statement:?}");
    assert!(notes.is_empty(), "{notes:?}");
    let (statement, _) = read(&own(&[("declined", "payment_failed")]), "declined", &json!({"id": 1}));
    assert!(
        matches!(statement.unwrap().claim, Claim::AttemptFailed(attempt) if attempt.amount.is_none()),
        "an amount may be missing"
    );
}

fn own(rules: &[(&str, &str)]) -> Meaning {
    let places =
        [(Field::Id, "/id"), (Field::Value, "/total"), (Field::Currency, "/currency"), (Field::Email, "/email")];
    Meaning::default().with_own(Reading {
        rules: rules.iter().map(|(event, told)| Rule::new(*event, Tells::parse(told).unwrap())).collect(),
        places: places.iter().map(|(field, place)| (*field, (*place).to_owned())).collect(),
        unit: Some(ValueUnit::Major),
        ..Reading::default()
    })
}

#[test]
fn an_amount_that_is_not_there_is_noted_and_never_zero() {
    let meaning = own(&[("paid", "purchase")]);
    for (body, note) in [
        (json!({"id": 1, "currency": "eur"}), "amount absent (/total in the body)"),
        (json!({"id": 1, "total": "1"}), "currency absent"),
        (json!({"id": 1, "total": "1", "currency": "zzz"}), "unknown currency"),
        (json!({"id": 1, "total": "1.001", "currency": "eur"}), "no amount of its currency"),
        (json!({"id": 1, "total": "-1", "currency": "eur"}), "negative"),
    ] {
        let (statement, notes) = read(&meaning, "paid", &body);
        assert_eq!(statement.map(|statement| statement.claim), Some(Claim::Nothing), "{body}");
        assert!(notes.iter().any(|told| told.contains(note)), "{body}: {notes:?}");
    }
    let (none, notes) = read(&meaning, "paid", &json!({"total": "1", "currency": "eur"}));
    assert!(none.is_none() && notes[0].contains("id absent"));
}

#[test]
fn own_rules_come_before_the_presets() {
    let silent = presets::meaning("shopify")
        .with_own(Reading { rules: vec![Rule::new("*", Tells::Ignore)], ..Reading::default() });
    assert!(!silent.sells());
    assert!(read(&silent, "orders/paid", &json!({"id": 1, "financial_status": "paid"})).0.is_none());
    let (statement, _) = read(&own(&[("webinar.*", "webinar_joined")]), "webinar.joined", &json!({"id": 1}));
    assert_eq!(statement.unwrap().object.id, "event/1");
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9.-]{0,30}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(json!("paid")),
        Just(json!("eur")),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        let names = prop_oneof![
            Just("id"),
            Just("data"),
            Just("attributes"),
            Just("payload"),
            Just("total"),
            Just("currency"),
            Just("transactions"),
            Just("refunds"),
            Just("financial_status"),
            Just("status"),
            Just("created_at"),
            Just("amount"),
            Just("kind"),
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(names.prop_map(str::to_owned), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in anything(), which in 0..MEANT.len()) {
        let meaning = presets::meaning(MEANT[which]);
        for rule in meaning.readings.iter().flat_map(|reading| &reading.rules) {
            let (statement, _) = read(&meaning, &rule.event.replace('*', "paid"), &body);
            if let Some(Statement { claim: Claim::Paid(paid), .. }) = statement {
                prop_assert!(paid.amount.minor > 0);
            }
        }
    }
}
