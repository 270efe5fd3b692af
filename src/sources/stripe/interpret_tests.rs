//! What each kind of event says, in every shape its object has had.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::sample::TYPES;
use super::super::told::{CREATED, at, change, event, links, money, read, said, with};
use super::*;
use crate::model::statement::{
    Billing, Claim, FailedAttempt, Item, NOTHING_TO_COUNT, ObjectKind, ObjectRef, Paid, RefundStatus, RefundStep,
};
use crate::sources::SampleRequest;
use crate::sources::signature::SigningKey;

fn interpret(body: &[u8]) -> Result<Interpreted, InvalidPayload> {
    super::interpret(body, &MetadataKeys::default(), None)
}

#[test]
fn a_number_without_a_country_code_is_of_the_configured_country() {
    let mut sold = session();
    sold["customer_details"]["phone"] = json!("030 1234567");
    let body = event("checkout.session.completed", sold).to_string();
    let phone = |country: Option<Country>| {
        let told = super::interpret(body.as_bytes(), &MetadataKeys::default(), country).unwrap();
        let Meaning::Statement(statement) = told.meaning else { panic!() };
        statement.person.phone.map(|phone| phone.as_str().to_owned())
    };
    assert_eq!((phone("DE".parse().ok()).as_deref(), phone(None)), (Some("+49301234567"), None));
}

fn paid(minor: i64, billing: Option<Billing>) -> Claim {
    Claim::Paid(Paid { amount: money(minor), at: at(), billing })
}

fn session() -> Value {
    json!({
        "id": "cs_live_1", "object": "checkout.session", "mode": "payment", "payment_status": "paid", "amount_total": 9900,
        "currency": "eur", "customer": "cus_1", "payment_intent": "pi_1", "invoice": null, "subscription": null,
        "customer_details": {"email": " Jane@Example.com ", "name": "Jane", "phone": "+49 30 1234567"},
        "client_reference_id": "lead-ref", "metadata": {}, "payment_method_types": ["card"],
        "total_details": {"amount_tax": 1581, "amount_shipping": 490, "amount_discount": 100},
        "discounts": [{"coupon": "AUTUMN", "promotion_code": null}]
    })
}

#[test]
fn a_paid_session_is_a_sale_with_everything_it_knows() {
    let (statement, notes) = said("checkout.session.completed", session());
    assert_eq!(statement.object, ObjectRef::new(ObjectKind::Session, "cs_live_1"));
    assert_eq!(statement.claim, paid(9900, None));
    assert_eq!(links(&statement), [(ObjectKind::Intent, "pi_1")]);
    assert_eq!(statement.customer.as_deref(), Some("cus_1"));
    assert_eq!(statement.person.email.unwrap().as_str(), "jane@example.com");
    assert_eq!(statement.person.phone.unwrap().as_str(), "+49301234567");
    assert_eq!(statement.person.name.as_deref(), Some("Jane"));
    assert_eq!(statement.tags.lead_id.as_deref(), Some("lead-ref"));
    let details = statement.details;
    assert_eq!((details.tax, details.shipping, details.discount), (Some(1581), Some(490), Some(100)));
    assert_eq!((details.coupon.as_deref(), details.payment_method_type.as_deref()), (Some("AUTUMN"), Some("card")));
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn what_a_session_claims_depends_on_its_payment_status() {
    for (event_type, changes, claim, note) in [
        ("checkout.session.completed", json!({"payment_status": "unpaid"}), Claim::Nothing, ""),
        ("checkout.session.completed", json!({"payment_status": "no_payment_required"}), Claim::Nothing, "free order"),
        (
            "checkout.session.completed",
            json!({"payment_status": "no_payment_required", "mode": "subscription", "subscription": "sub_1"}),
            paid(0, None),
            "",
        ),
        (
            "checkout.session.completed",
            json!({"payment_status": "no_payment_required", "mode": "setup", "currency": null}),
            Claim::Nothing,
            "nothing was sold",
        ),
        ("checkout.session.completed", json!({"payment_status": "later"}), Claim::Nothing, "payment_status"),
        ("checkout.session.completed", json!({"payment_status": null}), Claim::Nothing, "payment_status"),
        ("checkout.session.async_payment_succeeded", json!({}), paid(9900, None), ""),
        ("checkout.session.async_payment_succeeded", json!({"payment_status": null}), paid(9900, None), ""),
        (
            "checkout.session.async_payment_failed",
            json!({"payment_status": "unpaid"}),
            Claim::AttemptFailed(FailedAttempt {
                attempt: "async_payment".into(),
                amount: Some(money(9900)),
                code: None,
                at: at(),
            }),
            "",
        ),
    ] {
        let (statement, notes) = said(event_type, with(session(), changes.clone()));
        assert_eq!(statement.claim, claim, "{event_type} {changes}");
        assert!(notes.join(";").contains(note) && notes.is_empty() == note.is_empty(), "{notes:?}");
    }
}

#[test]
fn a_subscription_session_links_its_invoice_and_names_its_subscription() {
    let changes =
        json!({"mode": "subscription", "payment_intent": null, "invoice": {"id": "in_1"}, "subscription": "sub_1"});
    let (statement, _) = said("checkout.session.completed", with(session(), changes));
    assert_eq!(links(&statement), [(ObjectKind::Invoice, "in_1")]);
    assert_eq!(statement.subscription.as_deref(), Some("sub_1"));
}

fn intent() -> Value {
    json!({
        "id": "pi_1", "object": "payment_intent", "amount": 5000, "amount_received": 4900, "currency": "eur",
        "customer": null, "latest_charge": "ch_1", "receipt_email": "jane@example.com", "payment_method_types": ["card", "link"],
        "shipping": {"name": "Jane", "phone": "+49 30 1234567"}, "metadata": {"order_id": " 1001 "}
    })
}

#[test]
fn an_intent_counts_what_was_received() {
    let (statement, notes) = said("payment_intent.succeeded", intent());
    assert_eq!(statement.claim, paid(4900, None));
    assert_eq!(links(&statement), [(ObjectKind::Charge, "ch_1")]);
    assert_eq!(statement.person.name.as_deref(), Some("Jane"));
    assert_eq!(statement.tags.order_id.as_deref(), Some("1001"));
    assert_eq!(statement.details.payment_method_type, None, "two ways were offered");
    assert!(notes.is_empty());
    let (statement, _) = said("payment_intent.succeeded", with(intent(), json!({"amount_received": null})));
    assert_eq!(statement.claim, paid(5000, None));
}

#[test]
fn every_shape_of_an_intent_links_what_it_knows() {
    let session_id = format!("cs_test_{}", "a1".repeat(20));
    for (changes, expected) in [
        (json!({"invoice": "in_9"}), vec![(ObjectKind::Invoice, "in_9"), (ObjectKind::Charge, "ch_1")]),
        (
            json!({"invoice": {"id": "in_9"}, "latest_charge": {"id": "ch_9"}}),
            vec![(ObjectKind::Invoice, "in_9"), (ObjectKind::Charge, "ch_9")],
        ),
        (json!({"latest_charge": null, "charges": {"data": [{"id": "ch_old"}]}}), vec![(ObjectKind::Charge, "ch_old")]),
        (json!({"charges": {"data": [{"id": "ch_1"}]}}), vec![(ObjectKind::Charge, "ch_1")]),
        (
            json!({"payment_details": {"order_reference": "in_1Qabcdefghijklmn"}}),
            vec![(ObjectKind::Charge, "ch_1"), (ObjectKind::Invoice, "in_1Qabcdefghijklmn")],
        ),
        (
            json!({"payment_details": {"order_reference": session_id}}),
            vec![(ObjectKind::Charge, "ch_1"), (ObjectKind::Session, session_id.as_str())],
        ),
        (json!({"payment_details": {"order_reference": "in_store"}}), vec![(ObjectKind::Charge, "ch_1")]),
        (
            json!({"payment_details": {"order_reference": "in_store_number_forty_two"}}),
            vec![(ObjectKind::Charge, "ch_1")],
        ),
        (json!({"payment_details": {"order_reference": "1001"}}), vec![(ObjectKind::Charge, "ch_1")]),
        (
            json!({"payment_details": 7, "customer": "cus_1", "subscription": "sub_1"}),
            vec![(ObjectKind::Charge, "ch_1")],
        ),
    ] {
        let (statement, _) = said("payment_intent.succeeded", with(intent(), changes.clone()));
        assert_eq!(links(&statement), expected, "{changes}");
    }
}

#[test]
fn a_failed_intent_names_the_try_and_the_code_but_no_prose() {
    let error = json!({"charge": "ch_bad", "code": "card_declined", "message": "Jane's card", "payment_method": {
        "billing_details": {"email": "jane@example.com", "name": "Jane"}}});
    let changes = json!({"last_payment_error": error, "receipt_email": null, "shipping": null});
    let (statement, _) = said("payment_intent.payment_failed", with(intent(), changes));
    let expected = FailedAttempt {
        attempt: "ch_bad".into(),
        amount: Some(money(5000)),
        code: Some("card_declined".into()),
        at: at(),
    };
    assert_eq!(statement.claim, Claim::AttemptFailed(expected.clone()));
    assert_eq!(statement.person.email.unwrap().as_str(), "jane@example.com");
    assert_eq!(statement.person.name.as_deref(), Some("Jane"));

    let changes = json!({"last_payment_error": {"code": "Jane's card!"}, "amount": null});
    let (statement, _) = said("payment_intent.payment_failed", with(intent(), changes));
    let expected = FailedAttempt { attempt: "evt_1".into(), amount: None, code: None, ..expected };
    assert_eq!(statement.claim, Claim::AttemptFailed(expected));
}

fn charge() -> Value {
    json!({
        "id": "ch_1", "object": "charge", "amount": 5000, "amount_captured": 4000, "amount_refunded": 1000, "captured": true,
        "currency": "eur", "payment_intent": "pi_1", "invoice": "in_1", "customer": {"id": "cus_1"},
        "billing_details": {"email": null, "name": "Jane", "phone": "030 123"}, "receipt_email": "jane@example.com",
        "payment_method_details": {"type": "sepa_debit"}, "metadata": {"lead_id": "l1"}
    })
}

#[test]
fn a_charge_is_money_only_when_captured() {
    for (event_type, changes, claim) in [
        ("charge.succeeded", json!({}), paid(4000, None)),
        ("charge.succeeded", json!({"amount_captured": null}), paid(5000, None)),
        ("charge.succeeded", json!({"captured": null}), paid(4000, None)),
        ("charge.succeeded", json!({"captured": false, "amount_captured": 0}), Claim::Nothing),
        ("charge.captured", json!({}), paid(4000, None)),
        ("charge.refunded", json!({}), Claim::Nothing),
    ] {
        let (statement, notes) = said(event_type, with(charge(), changes.clone()));
        assert_eq!(statement.claim, claim, "{event_type} {changes}");
        assert_eq!(links(&statement), [(ObjectKind::Intent, "pi_1"), (ObjectKind::Invoice, "in_1")]);
        assert_eq!(statement.customer.as_deref(), Some("cus_1"));
        assert_eq!(statement.person.email.unwrap().as_str(), "jane@example.com");
        assert_eq!(statement.person.phone, None, "a national number is no E.164");
        assert_eq!(statement.details.payment_method_type.as_deref(), Some("sepa_debit"));
        assert_eq!(statement.tags.lead_id.as_deref(), Some("l1"));
        assert!(notes.is_empty());
    }
}

fn invoice() -> Value {
    json!({
        "id": "in_1", "object": "invoice", "amount_due": 9900, "amount_paid": 9900, "currency": "eur", "attempt_count": 2,
        "billing_reason": "subscription_cycle", "customer": "cus_1", "customer_email": "jane@example.com",
        "customer_name": "Jane", "customer_phone": "+49301234567", "metadata": {"utm_source": "own"},
    })
}

#[test]
fn both_generations_of_invoices_say_the_same() {
    let before = json!({
        "subscription": "sub_1", "payment_intent": "pi_1", "charge": "ch_1", "tax": 1581,
        "subscription_details": {"metadata": {"lead_id": "l1", "utm_source": "lost"}},
        "discount": {"coupon": {"id": "AUTUMN"}},
        "total_discount_amounts": [{"amount": 60}, {"amount": 40}],
        "shipping_cost": {"amount_subtotal": 490},
        "lines": {"data": [{
            "amount": 10000, "quantity": 3, "description": "Pro", "price": {"id": "price_1", "product": "prod_1"},
            "discount_amounts": [{"amount": 100}]}]}
    });
    let since = json!({
        "parent": {"type": "subscription_details", "subscription_details": {
            "subscription": {"id": "sub_1"}, "metadata": {"lead_id": "l1", "utm_source": "lost"}}},
        "payments": {"data": [{"payment": {"payment_intent": "pi_1", "charge": "ch_1"}}, {"payment": {"payment_record": "x"}}]},
        "total_taxes": [{"amount": 1500}, {"amount": 81}],
        "discounts": ["di_1"],
        "total_discount_amounts": [{"amount": 60}, {"amount": 40}],
        "shipping_cost": {"amount_subtotal": 490},
        "lines": {"data": [{
            "amount": 10000, "quantity": 3, "description": "Pro", "pricing": {"price_details": {"price": "price_1", "product": "prod_1"}},
            "discount_amounts": [{"amount": 100}]}]}
    });
    for (shape, coupon) in [(before, Some("AUTUMN")), (since, None)] {
        let (statement, notes) = said("invoice.paid", with(invoice(), shape));
        assert_eq!(statement.claim, paid(9900, Some(Billing::SubscriptionCycle)));
        assert_eq!(statement.subscription.as_deref(), Some("sub_1"));
        assert_eq!(links(&statement), [(ObjectKind::Intent, "pi_1"), (ObjectKind::Charge, "ch_1")]);
        assert_eq!(statement.tags.lead_id.as_deref(), Some("l1"));
        assert_eq!(statement.tags.attribution.utm_source.as_deref(), Some("own"));
        assert_eq!(statement.tags.attribution.at, at());
        assert_eq!(statement.person.email.as_ref().unwrap().as_str(), "jane@example.com");
        let details = statement.details;
        assert_eq!((details.tax, details.shipping, details.discount), (Some(1581), Some(490), Some(100)));
        assert_eq!(details.coupon.as_deref(), coupon);
        let item = Item { id: Some("prod_1".into()), name: Some("Pro".into()), quantity: 3, unit_minor: Some(3300) };
        assert_eq!(details.items, [item]);
        assert!(notes.is_empty(), "{notes:?}");
    }
}

#[test]
fn the_oldest_invoices_have_their_subscriptions_metadata_on_the_line() {
    let lines = json!({"data": [
        {"type": "invoiceitem", "metadata": {"lead_id": "no"}},
        {"type": "subscription", "metadata": {"lead_id": "l1"}}
    ]});
    let (statement, _) = said("invoice.payment_succeeded", with(invoice(), json!({"lines": lines})));
    assert_eq!(statement.tags.lead_id.as_deref(), Some("l1"));
}

#[test]
fn every_billing_reason_has_its_meaning() {
    let (with_subscription, without) = (json!("sub_1"), Value::Null);
    for (reason, subscription, expected, noted) in [
        (json!("subscription_create"), &with_subscription, Billing::SubscriptionStart, false),
        (json!("subscription_cycle"), &with_subscription, Billing::SubscriptionCycle, false),
        (json!("subscription_threshold"), &with_subscription, Billing::SubscriptionCycle, false),
        (json!("subscription_update"), &with_subscription, Billing::SubscriptionUpdate, false),
        (json!("subscription"), &with_subscription, Billing::SubscriptionOther, false),
        (json!("manual"), &without, Billing::Manual, false),
        (json!("quote_accept"), &without, Billing::Manual, false),
        (json!("automatic_pending_invoice_item_invoice"), &without, Billing::Manual, false),
        (Value::Null, &with_subscription, Billing::SubscriptionOther, false),
        (Value::Null, &without, Billing::Manual, false),
        (json!("brand_new"), &with_subscription, Billing::SubscriptionOther, true),
        (json!("brand_new"), &without, Billing::Manual, true),
    ] {
        let changes = json!({"billing_reason": reason, "subscription": subscription});
        let (statement, notes) = said("invoice.paid", with(invoice(), changes));
        assert_eq!(statement.claim, paid(9900, Some(expected)), "{reason}");
        assert_eq!(notes.is_empty(), !noted, "{reason}");
    }
}

#[test]
fn failed_invoices_count_their_attempts() {
    let (statement, _) = said("invoice.payment_failed", invoice());
    let expected = FailedAttempt { attempt: "attempt_2".into(), amount: Some(money(9900)), code: None, at: at() };
    assert_eq!(statement.claim, Claim::AttemptFailed(expected));
    let (statement, _) = said("invoice.payment_failed", with(invoice(), json!({"attempt_count": null})));
    assert!(matches!(statement.claim, Claim::AttemptFailed(attempt) if attempt.attempt == "evt_1"));
}

#[test]
fn an_invoice_payment_only_links() {
    let object = json!({"id": "inpay_1", "invoice": "in_1", "amount_paid": 5, "currency": "eur",
        "payment": {"type": "payment_intent", "payment_intent": "pi_1"}});
    let (statement, notes) = said("invoice_payment.paid", object);
    assert_eq!(statement.object, ObjectRef::new(ObjectKind::Invoice, "in_1"));
    assert_eq!((statement.claim.clone(), links(&statement)), (Claim::Nothing, vec![(ObjectKind::Intent, "pi_1")]));
    assert!(notes.is_empty());
    let nameless = read(&event("invoice_payment.paid", json!({"id": "inpay_1"})));
    assert_eq!((nameless.meaning, nameless.notes), (Meaning::Ignored, vec!["object id absent".to_owned()]));
}

#[test]
fn refunds_take_their_status_from_the_object() {
    let refund = json!({"id": "re_1", "amount": 250, "currency": "eur", "charge": "ch_1", "payment_intent": "pi_1"});
    for (event_type, status, expected, noted) in [
        ("refund.created", json!("pending"), RefundStatus::Counted, false),
        ("refund.created", json!("succeeded"), RefundStatus::Counted, false),
        ("refund.created", json!("requires_action"), RefundStatus::NotYet, false),
        ("refund.updated", json!("canceled"), RefundStatus::Cancelled, false),
        ("charge.refund.updated", json!("failed"), RefundStatus::Failed, false),
        ("refund.failed", json!("failed"), RefundStatus::Failed, false),
        ("refund.failed", Value::Null, RefundStatus::Failed, true),
        ("refund.updated", Value::Null, RefundStatus::NotYet, true),
        ("refund.updated", json!("melted"), RefundStatus::NotYet, true),
    ] {
        let (statement, notes) = said(event_type, with(refund.clone(), json!({"status": status})));
        assert_eq!(
            statement.claim,
            Claim::Refund(RefundStep { amount: money(250), status: expected }),
            "{event_type} {status}"
        );
        assert_eq!(links(&statement), [(ObjectKind::Charge, "ch_1"), (ObjectKind::Intent, "pi_1")]);
        assert_eq!(notes.is_empty(), !noted);
    }
}

#[test]
fn money_that_is_not_there_is_noted_and_never_zero() {
    for (changes, note) in [
        (json!({"amount_total": null}), "amount absent"),
        (json!({"amount_total": "9900"}), "not a whole number"),
        (json!({"amount_total": 99.5}), "not a whole number"),
        (json!({"amount_total": 9_223_372_036_854_775_808_u64}), "not a whole number"),
        (json!({"amount_total": -1}), "negative"),
        (json!({"currency": null}), "currency absent"),
        (json!({"currency": "euros"}), "unknown currency"),
        (json!({"currency": "zzz"}), "unknown currency \"ZZZ\""),
        (json!({"currency": "xxx"}), "unknown currency \"XXX\""),
        (json!({"currency": 978}), "unknown currency"),
    ] {
        let (statement, notes) = said("checkout.session.completed", with(session(), changes.clone()));
        assert_eq!(statement.claim, Claim::Nothing, "{changes}");
        assert!(notes.len() == 1 && notes[0].contains(note), "{changes} {notes:?}");
        assert!(
            notes[0].ends_with("no money is counted for this event") && !notes[0].starts_with(NOTHING_TO_COUNT),
            "{notes:?}"
        );
    }
    let (statement, _) = said("checkout.session.completed", with(session(), json!({"amount_total": i64::MAX})));
    assert_eq!(statement.claim, paid(i64::MAX, None));
}

#[test]
fn recognised_metadata_becomes_tags() {
    let metadata = json!({
        "lead_id": " lead-1 ", "user_id": "u1", "pricing_tier": "pro", "order_id": "o1", "service_id": "s1", "service_name": "S",
        "client_id": "1.1", "ga_client_id": "2.2", "session_id": "33", "utm_source": "a", "utm_medium": "b", "utm_campaign": "c",
        "utm_term": "d", "utm_content": "e", "gclid": "f", "gbraid": "g", "wbraid": "h", "fbclid": "é".repeat(600),
        "consent_analytics": "Granted", "consent_ads": "no", "consent_email": "maybe", "other": "x", "user": 7
    });
    let (statement, _) = said("checkout.session.completed", with(session(), json!({"metadata": metadata})));
    let tags = statement.tags;
    assert_eq!(tags.lead_id.as_deref(), Some("lead-1"), "metadata goes before client_reference_id");
    let texts = [&tags.user_id, &tags.pricing_tier, &tags.order_id, &tags.service_id, &tags.service_name];
    assert_eq!(texts.map(|text| text.as_deref().unwrap()), ["u1", "pro", "o1", "s1", "S"]);
    let a = &tags.attribution;
    let texts = [
        &a.client_id,
        &a.session_id,
        &a.utm_source,
        &a.utm_medium,
        &a.utm_campaign,
        &a.utm_term,
        &a.utm_content,
        &a.gclid,
        &a.gbraid,
        &a.wbraid,
    ];
    let expected = ["2.2", "33", "a", "b", "c", "d", "e", "f", "g", "h"];
    assert_eq!(texts.map(|text| text.as_deref().unwrap()), expected);
    assert_eq!(a.fbclid.as_ref().unwrap().chars().count(), 500);
    assert_eq!(a.at, at());
    assert_eq!((tags.consent.analytics, tags.consent.ads, tags.consent.email), (Some(true), Some(false), None));

    for metadata in [json!({"utm_source": " ", "lead_id": ["x"], "user_id": null}), json!([1]), json!("x"), Value::Null]
    {
        let changes = json!({"metadata": metadata, "client_reference_id": null});
        let (statement, _) = said("checkout.session.completed", with(session(), changes));
        assert_eq!(statement.tags, crate::model::statement::Tags::default());
    }
}

#[test]
fn the_envelope_gives_scope_and_time() {
    let base = event("payment_intent.succeeded", intent());
    let interpreted = read(&base);
    assert_eq!((interpreted.provider_id.as_str(), interpreted.created), ("evt_1", Some(at())));
    assert_eq!(interpreted.scope.to_string(), "stripe/-/live");
    let connect = read(&with(base.clone(), json!({"account": "acct_1", "livemode": false})));
    assert_eq!(connect.scope.to_string(), "stripe/acct_1/test");
    for (changes, note) in [
        (json!({"livemode": null}), "livemode absent"),
        (json!({"livemode": "true"}), "livemode absent"),
        (json!({"account": 7}), "account is not an id"),
    ] {
        let odd = read(&with(base.clone(), changes));
        assert!(odd.notes.len() == 1 && odd.notes[0].contains(note), "{:?}", odd.notes);
    }
    assert_eq!(read(&with(base.clone(), json!({"livemode": null}))).mode(), Mode::Test);

    let iso = read(&with(base.clone(), json!({"created": "2023-11-14T22:13:20.5Z"})));
    assert_eq!(iso.created, Some(Timestamp::from_millis(CREATED * 1000 + 500)));
    for odd in [Value::Null, json!(-5), json!("now"), json!(1_700_000_000_000_i64), json!(1.5), json!([])] {
        let timeless =
            with(event("payment_intent.succeeded", with(intent(), json!({"created": 77}))), json!({"created": odd}));
        let interpreted = read(&timeless);
        assert_eq!(interpreted.created, None, "{odd}");
        let Meaning::Statement(statement) = interpreted.meaning else { panic!("a statement") };
        assert_eq!(statement.said_at, Timestamp::from_unix_seconds(77));
    }
    let timeless = read(&with(base, json!({"created": null})));
    assert!(timeless.notes[0].contains("created absent"));
}

#[test]
fn what_means_nothing_is_ignored_with_a_reason_where_there_is_one() {
    let thin = json!({"id": "evt_1", "object": "v2.core.event", "type": "v1.payment_intent.succeeded", "livemode": true,
        "created": "2026-01-01T00:00:00.000Z", "related_object": {"id": "pi_1"}});
    let object = event("payment_intent.succeeded", intent());
    for (event, event_type, note) in [
        (thin, "v1.payment_intent.succeeded", Some("snapshot")),
        (event("customer.deleted", json!({"id": "cus_1"})), "customer.deleted", None),
        (
            event("customer.subscription.trial_will_end", json!({"id": "sub_1"})),
            "customer.subscription.trial_will_end",
            None,
        ),
        (event("something.new", json!({})), "something.new", None),
        (with(object.clone(), json!({"type": null})), "unknown", Some("type absent")),
        (with(object.clone(), json!({"type": 5})), "unknown", Some("type absent")),
        (with(object.clone(), json!({"data": null})), "payment_intent.succeeded", Some("data.object absent")),
        (with(object, json!({"data": {"object": [1]}})), "payment_intent.succeeded", Some("data.object absent")),
        (
            event("payment_intent.succeeded", with(intent(), json!({"id": ""}))),
            "payment_intent.succeeded",
            Some("object id absent"),
        ),
    ] {
        let interpreted = read(&event);
        assert_eq!((&interpreted.meaning, interpreted.event_type.as_str()), (&Meaning::Ignored, event_type), "{event}");
        match note {
            Some(note) => assert!(interpreted.notes.iter().any(|said| said.contains(note)), "{:?}", interpreted.notes),
            None => assert!(interpreted.notes.is_empty(), "{:?}", interpreted.notes),
        }
    }
}

#[test]
fn what_is_no_event_is_an_invalid_payload_that_quotes_nothing() {
    let long = json!({"id": "x".repeat(256)}).to_string();
    for body in [
        "",
        "} I am not valid JSON; 123][",
        "this is not valid JSON",
        "null",
        "[]",
        "7",
        "\"evt_1\"",
        "{}",
        r#"{"id":null}"#,
        r#"{"id":""}"#,
        r#"{"id":7}"#,
        r#"{"id":"evt\u0000"}"#,
        r#"{"id":"evt_1"} {}"#,
        r#"{"id":"evt_secret""#,
        &long,
    ] {
        let error = interpret(body.as_bytes()).unwrap_err();
        assert!(!error.0.contains("secret") && error.0.len() < 160, "{error}");
    }
    assert!(interpret(b"{\"id\":\"evt_1\",\"x\":\"\xff\"}").unwrap_err().0.contains("UTF-8"));
}

#[test]
fn what_is_an_event_beyond_our_digestion_is_kept_for_a_later_version() {
    let deep = format!("{{\"id\":\"evt_1\",\"data\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for body in [deep.as_str(), r#"{"id":"evt_1","livemode":true,"n":1e999}"#] {
        let event = interpret(body.as_bytes()).unwrap();
        assert_eq!((event.provider_id.as_str(), &event.meaning), ("evt_1", &Meaning::Undigested));
    }
    assert!(interpret("[".repeat(10_000).as_bytes()).is_err(), "nothing to know it by");
}

/// Any JSON, with names that the readers look for.
fn any_json() -> impl Strategy<Value = Value> {
    const WORDS: &[&str] = &[
        "id",
        "object",
        "type",
        "data",
        "created",
        "livemode",
        "account",
        "amount",
        "amount_total",
        "amount_paid",
        "currency",
        "metadata",
        "payment_status",
        "paid",
        "customer_details",
        "email",
        "phone",
        "lines",
        "quantity",
        "discount_amounts",
        "last_payment_error",
        "code",
        "charge",
        "payments",
        "payment",
        "payment_intent",
        "parent",
        "subscription_details",
        "payment_details",
        "order_reference",
        "in_1Qabcdefghijklmn",
        "eur",
        "status",
        "utm_source",
        "lead_id",
        "total_taxes",
        "attempt_count",
        "payment_method_types",
        "invoice",
        "succeeded",
        "failed",
        "items",
        "price",
        "plan",
        "unit_amount",
        "product",
        "recurring",
        "cancel_at",
        "cancel_at_period_end",
        "current_period_end",
        "pause_collection",
        "ended_at",
        "trialing",
        "active",
        "past_due",
        "currency_conversion",
        "source_currency",
        "line_items",
        "description",
    ];
    let word = prop::sample::select(WORDS).prop_map(str::to_owned);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..8)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_bytes_are_taken_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = interpret(&body);
    }

    #[test]
    fn any_json_is_taken_without_a_panic(body in any_json()) {
        let _ = interpret(body.to_string().as_bytes());
    }

    #[test]
    fn any_object_of_a_known_type_is_taken_without_an_error(
        object in any_json(),
        previous in any_json(),
        event_type in known_type(),
    ) {
        let told = change(&event_type, with_id(object), previous);
        prop_assert!(interpret(told.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn any_value_in_any_place_of_a_well_formed_event_is_taken_without_an_error(
        sample in prop::sample::select(&TYPES[..]),
        places in prop::collection::vec((any::<prop::sample::Index>(), any_json()), 1..4),
    ) {
        let mut told = sample_of(sample);
        for (place, value) in places {
            let mut found = Vec::new();
            leaves(&told["data"], "/data".to_owned(), &mut found);
            let Some(leaf) = told.pointer_mut(&found[place.index(found.len())]) else { continue };
            *leaf = value;
        }
        let interpreted = interpret(told.to_string().as_bytes());
        prop_assert!(interpreted.is_ok(), "{interpreted:?}");
    }
}

/// A type that is read.
fn known_type() -> impl Strategy<Value = String> {
    prop::sample::select(&TYPES[..]).prop_map(|sample| sample.split('/').next().unwrap_or(sample).to_owned())
}

fn sample_of(event_type: &str) -> Value {
    let wanted = SampleRequest { event_type, number: 7, now: at(), livemode: true, endpoint: None };
    let sample = super::super::sample::sample(&wanted, &SigningKey::new(b"secret")).unwrap();
    serde_json::from_slice(&sample.body).unwrap()
}

/// Every place below a value, by its JSON pointer.
fn leaves(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                leaves(inner, format!("{at}/{name}"), found);
            }
        }
        Value::Array(items) => {
            for (number, inner) in items.iter().enumerate() {
                leaves(inner, format!("{at}/{number}"), found);
            }
        }
        _ => {}
    }
    found.push(at);
}

fn with_id(mut object: Value) -> Value {
    if object.is_object() {
        object["id"] = "x_1".into();
        object["currency"] = "eur".into();
    }
    object
}
