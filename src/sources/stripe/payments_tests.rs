//! What is money and what is not, whose currency it is in, and what was bought.

use serde_json::{Value, json};

use super::super::told::{at, event, money, read, said, with};
use super::*;
use crate::model::statement::{NOTHING_TO_COUNT, RefundStatus};

fn session() -> Value {
    json!({
        "id": "cs_live_1", "object": "checkout.session", "mode": "payment", "payment_status": "paid", "amount_total": 9900,
        "currency": "eur", "payment_intent": "pi_1", "total_details": {"amount_tax": 1581, "amount_shipping": 490, "amount_discount": 0}
    })
}

fn amount_of(statement: &Statement) -> Option<Money> {
    match &statement.claim {
        Claim::Paid(paid) => Some(paid.amount),
        Claim::AttemptFailed(attempt) => attempt.amount,
        _ => None,
    }
}

fn in_currency(minor: i64, code: &str) -> Money {
    Money { minor, currency: code.parse().unwrap() }
}

#[test]
fn the_merchants_currency_counts_and_never_the_buyers() {
    let presented = json!({"presentment_details": {"presentment_amount": 11_500, "presentment_currency": "usd"}});
    let converted = json!({
        "currency": "usd", "amount_total": 11_500, "currency_conversion":
            {"amount_subtotal": 9900, "amount_total": 9900, "fx_rate": "1.16", "source_currency": "eur"}
    });
    let intent = json!({"id": "pi_1", "amount": 9900, "amount_received": 9900, "currency": "eur"});
    let charge = json!({"id": "ch_1", "amount": 9900, "amount_captured": 9900, "captured": true, "currency": "eur"});
    for (event_type, object) in [
        ("checkout.session.completed", with(session(), presented.clone())),
        ("checkout.session.completed", with(session(), converted.clone())),
        ("checkout.session.async_payment_succeeded", with(session(), converted.clone())),
        ("checkout.session.async_payment_failed", with(session(), converted.clone())),
        ("payment_intent.succeeded", with(intent, presented.clone())),
        ("charge.succeeded", with(charge, presented.clone())),
    ] {
        let (statement, notes) = said(event_type, object);
        assert_eq!(amount_of(&statement), Some(money(9900)), "{event_type}");
        assert!(notes.is_empty(), "{notes:?}");
    }
    let refund = json!({"id": "re_1", "amount": 9900, "currency": "eur", "status": "succeeded"});
    let (statement, _) = said("refund.created", with(refund, presented));
    assert!(
        matches!(&statement.claim, Claim::Refund(step) if step.amount == money(9900) && step.status == RefundStatus::Counted)
    );

    // What a converted session says besides is in the buyer's currency, and left out.
    let lines = json!({"line_items": {"data": [{"id": "li_1", "amount_subtotal": 11_500, "description": "Course"}]}});
    let (statement, _) = said("checkout.session.completed", with(with(session(), converted), lines));
    assert_eq!(
        (statement.details.tax, statement.details.shipping, statement.details.items[0].unit_minor),
        (None, None, None)
    );
    for (conversion, note) in [
        (json!({"amount_total": 9900}), "currency absent"),
        (json!({"amount_total": null, "source_currency": "eur"}), "amount absent"),
        (json!({"amount_total": 9900, "source_currency": "zzz"}), "unknown currency"),
    ] {
        let (statement, notes) =
            said("checkout.session.completed", with(session(), json!({"currency_conversion": conversion})));
        assert_eq!(amount_of(&statement), None, "never the buyer's instead");
        assert!(notes[0].contains(note), "{notes:?}");
    }
}

#[test]
fn decimals_are_the_currencys_business_and_never_read_into_an_amount() {
    for (code, shown) in [("jpy", "9900 JPY"), ("eur", "99.00 EUR"), ("kwd", "9.900 KWD"), ("isk", "99.00 ISK")] {
        let (statement, _) = said("checkout.session.completed", with(session(), json!({"currency": code})));
        assert_eq!(amount_of(&statement), Some(in_currency(9900, code)));
        assert_eq!(amount_of(&statement).unwrap().to_string(), shown);
    }
}

#[test]
fn what_costs_nothing_is_explained_and_no_sale() {
    let free = json!({"payment_status": "no_payment_required", "amount_total": 0, "payment_intent": null});
    for (mode, subscription, words) in [
        (json!("payment"), Value::Null, "free order"),
        (Value::Null, Value::Null, "free order"),
        (json!("setup"), Value::Null, "nothing was sold"),
    ] {
        let changes = with(free.clone(), json!({"mode": mode, "subscription": subscription}));
        let (statement, notes) = said("checkout.session.completed", with(session(), changes));
        assert_eq!(statement.claim, Claim::Nothing, "{mode}");
        assert!(notes.len() == 1 && notes[0].starts_with(NOTHING_TO_COUNT) && notes[0].ends_with(words), "{notes:?}");
    }
    for mode in [json!("subscription"), Value::Null] {
        let changes = with(free.clone(), json!({"mode": mode, "subscription": "sub_1"}));
        let (statement, notes) = said("checkout.session.completed", with(session(), changes));
        assert_eq!(statement.claim, Claim::Paid(Paid { amount: money(0), at: at(), billing: None }), "a trial starts");
        assert!(notes.is_empty(), "{notes:?}");
    }
}

#[test]
fn an_authorisation_is_no_money_until_it_is_captured() {
    let charge = json!({"id": "ch_1", "amount": 9900, "amount_captured": 0, "captured": false, "currency": "eur"});
    let (authorised, notes) = said("charge.succeeded", charge.clone());
    assert_eq!((authorised.claim, notes), (Claim::Nothing, vec![]));
    let (captured, _) = said("charge.captured", with(charge, json!({"captured": true, "amount_captured": 7000})));
    assert_eq!(amount_of(&captured), Some(money(7000)), "what was captured, not what was authorised");
}

#[test]
fn lines_of_a_session_are_taken_where_somebody_added_them() {
    let lines = json!({"line_items": {"data": [
        {"id": "li_1", "description": "Course", "quantity": 2, "amount_subtotal": 10_000, "amount_discount": 1000, "amount_total": 9000,
            "price": {"id": "price_1", "product": "prod_1"}},
        {"id": "li_2", "price": {"id": "price_2", "product": {"id": "prod_2", "name": "Book"}}, "amount_total": 900},
        {"price": "price_3", "quantity": -1, "amount_subtotal": i64::MIN, "amount_discount": 1},
        7
    ]}});
    let (statement, notes) = said("checkout.session.completed", with(session(), lines));
    let item = |id: Option<&str>, name: Option<&str>, quantity, unit_minor| Item {
        id: id.map(str::to_owned),
        name: name.map(str::to_owned),
        quantity,
        unit_minor,
    };
    assert_eq!(
        statement.details.items,
        [
            item(Some("prod_1"), Some("Course"), 2, Some(4500)),
            item(Some("prod_2"), Some("Book"), 1, Some(900)),
            item(Some("price_3"), None, 1, None),
            item(None, None, 1, None),
        ]
    );
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn a_description_names_what_was_sold_unless_stripe_or_the_metadata_says_otherwise() {
    for (event_type, id) in [("payment_intent.succeeded", "pi_1"), ("charge.succeeded", "ch_1")] {
        for (description, metadata, expected) in [
            (json!(" Yoga weekend "), json!({}), Some("Yoga weekend")),
            (json!("Yoga weekend"), json!({"service_name": "Retreat"}), Some("Retreat")),
            (json!("Subscription creation"), json!({}), None),
            (json!("Subscription update"), json!({}), None),
            (json!("Payment for Invoice"), json!({}), None),
            (json!("Payment for invoice 0001-0002"), json!({}), None),
            (json!("Invoice 0001-0002"), json!({}), None),
            (json!("(created by Stripe CLI)"), json!({}), None),
            (json!("Order of jane@example.com"), json!({}), None),
            (json!(""), json!({}), None),
            (json!(7), json!({}), None),
            (Value::Null, json!({}), None),
        ] {
            let object =
                json!({"id": id, "amount": 5, "currency": "eur", "description": description, "metadata": metadata});
            let (statement, _) = said(event_type, object);
            assert_eq!(statement.tags.service_name.as_deref(), expected, "{event_type} {description}");
        }
    }
}

#[test]
fn a_connected_account_is_in_every_scope() {
    for event_type in super::super::sample::TYPES.map(|sample| sample.split('/').next().unwrap()) {
        let mut told = event(event_type, with(session(), json!({"id": "x_1", "invoice": "in_1", "amount": 5})));
        told["account"] = json!("acct_1");
        assert_eq!(read(&told).scope.to_string(), "stripe/acct_1/live", "{event_type}");
        told["livemode"] = json!(false);
        assert_eq!(read(&told).scope.to_string(), "stripe/acct_1/test", "{event_type}");
    }
}

#[test]
fn an_invoice_over_nothing_is_explained_and_one_paid_elsewhere_says_so() {
    let invoice = json!({
        "id": "in_1", "currency": "eur", "amount_paid": 0, "total": -500, "billing_reason": "subscription_update",
        "parent": {"subscription_details": {"subscription": "sub_1"}}
    });
    let (statement, notes) = said("invoice.paid", invoice.clone());
    assert_eq!(amount_of(&statement), Some(money(0)));
    assert!(notes[0].starts_with(NOTHING_TO_COUNT) && notes[0].contains("credit"), "{notes:?}");
    let (_, notes) = said("invoice.paid", with(invoice.clone(), json!({"total": 0})));
    assert!(notes.is_empty());
    let (statement, notes) = said("invoice.paid", with(invoice.clone(), json!({"amount_paid": -500})));
    assert_eq!(statement.claim, Claim::Nothing);
    assert!(notes[0].contains("negative"), "{notes:?}");

    let record = json!({"payment": {"type": "payment_record", "payment_record": "pr_1"}});
    let intent = json!({"payment": {"type": "payment_intent", "payment_intent": "pi_1"}});
    let card = json!({"payment_settings": {"payment_method_types": ["card"]}});
    for (changes, expected) in [
        (json!({"paid_out_of_band": true}), Some("out_of_band")),
        (json!({"paid_out_of_band": false}), Some("card")),
        (json!({"payments": {"data": [record]}}), Some("out_of_band")),
        (json!({"payments": {"data": [record, intent]}}), Some("card")),
        (json!({"payments": {"data": []}}), Some("card")),
    ] {
        let paid = with(with(invoice.clone(), json!({"amount_paid": 900})), with(card.clone(), changes.clone()));
        let (statement, _) = said("invoice.paid", paid);
        assert_eq!(statement.details.payment_method_type.as_deref(), expected, "{changes}");
        assert_eq!(amount_of(&statement), Some(money(900)));
    }
}
