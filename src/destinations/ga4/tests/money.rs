//! Amounts and items.

use super::*;

#[test]
fn money_that_comes_back_after_all_names_no_more_items_than_its_amount() {
    for kind in ["refund_failed", "dispute_reversed", "dispute_lost"] {
        let mut told = event(kind);
        told.amount = Some(money(2000, "eur"));
        let item = |name: &str| Item { id: None, name: Some(name.into()), quantity: 1, unit_minor: Some(4975) };
        told.facts.details.items = vec![item("a"), item("b")];
        let params = params(&told);
        assert_eq!((&params["value"], &params["currency"]), (&json!(20), &json!("EUR")), "{kind}");
        assert_eq!(params["items"].as_array().map(Vec::len), Some(1), "{kind}");
        assert_eq!(params["items"][0]["price"], 20, "{kind}");
    }
}

#[test]
fn what_carries_no_money_has_no_value() {
    for (kind, name) in
        [("lead", "generate_lead"), ("booking_made", "booking_made"), ("booking_attended", "booking_attended")]
    {
        let mut told = event(kind);
        told.amount = None;
        told.transaction_id = None;
        told.facts.details = Default::default();
        told.facts.days_to_conversion = None;
        told.facts.pricing_tier = None;
        assert_eq!(
            request(&told)["events"],
            json!([{
                "name": name,
                "timestamp_micros": 1_747_132_561_000_000_i64,
                "params": {
                    "session_id": "1747130000",
                    "engagement_time_msec": 1,
                    "lead_id": "lead_7",
                    "lead_source": "newsletter",
                    "lead_campaign": "spring",
                    "event_source": "server",
                    "items": [{
                        "item_id": "default_service",
                        "item_name": "Professional Service",
                        "item_category": "services",
                        "quantity": 1,
                    }],
                },
            }])
        );
    }
}

#[test]
fn amounts_follow_their_currency() {
    for (minor, code, value) in
        [(4500, "jpy", json!(4500)), (5120, "kwd", json!(5.12)), (1, "eur", json!(0.01)), (500, "isk", json!(5))]
    {
        let mut sale = event("purchase");
        sale.amount = Some(money(minor, code));
        sale.facts.details.tax = None;
        let params = params(&sale);
        assert_eq!((&params["value"], &params["currency"]), (&value, &json!(code.to_uppercase())));
        assert_eq!(params["items"][0]["price"], value);
    }
}

#[test]
fn items_are_told_as_the_event_tells_them() {
    let mut sale = event("purchase");
    sale.facts.service_id = Some("svc_1".into());
    assert_eq!(params(&sale)["items"], json!([{"item_id": "svc_1", "price": 99.5, "quantity": 1}]));

    let item = |id: &str, name: &str, quantity, unit_minor| Item {
        id: (!id.is_empty()).then(|| id.into()),
        name: (!name.is_empty()).then(|| name.into()),
        quantity,
        unit_minor,
    };
    sale.facts.details.items = vec![item("a", "Course", 2, Some(4000)), item("", "jane@example.com", 0, None)];
    assert_eq!(
        params(&sale)["items"],
        json!([
            {"item_id": "a", "item_name": "Course", "price": 40, "quantity": 2},
            {"item_id": "default_service", "item_name": "Professional Service", "item_category": "services", "quantity": 1},
        ])
    );

    sale.facts.details.items = vec![item("a", "", 1, None); 201];
    let finished = done(step_with(&ga4(), &sale, None, &[reply(204, "")]));
    assert_eq!(finished.notes[0], "200 of 201 items were sent, the most GA4 takes");
}

#[test]
fn a_partial_refund_does_not_claim_all_items() {
    let item = |id: &str| Item { id: Some(id.into()), name: None, quantity: 2, unit_minor: Some(2500) };
    let mut refund = event("refund");
    refund.amount = Some(money(3000, "eur"));
    refund.facts.details.items = vec![item("a")];
    assert_eq!(params(&refund)["items"], json!([{"item_id": "a", "price": 30, "quantity": 1}]));
    refund.facts.details.items = vec![item("a"), item("b")];
    assert_eq!(params(&refund)["items"][0]["item_id"], "default_service");
    refund.amount = Some(money(10_000, "eur"));
    assert_eq!(params(&refund)["items"].as_array().unwrap().len(), 2);
}

#[test]
fn bodies_that_are_too_large_lose_items_and_say_so() {
    let mut sale = event("purchase");
    let wide = Item { id: Some("€".repeat(150)), name: Some("𝄞".repeat(100)), quantity: 1, unit_minor: Some(1) };
    sale.facts.details.items = vec![wide; 200];
    let request = sent(step_with(&ga4(), &sale, None, &[]));
    assert!(request.body.len() < validate::BODY_BYTES);
    let notes = done(step_with(&ga4(), &sale, None, &[reply(204, "")])).notes;
    assert!(notes.iter().any(|note| note.contains("only 100 items")), "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("`item_id` was cut")), "{notes:?}");
}
