//! What a person's test of the account says.

use super::*;

/// Plays a test against answers: the requests, and what they mean.
fn tested(mailerlite: &MailerLite, answers: &[Reply]) -> (Vec<String>, Outcome) {
    let mut exchanges = Vec::new();
    let mut answers = answers.iter();
    while let Some(request) = mailerlite.next_test(&exchanges) {
        exchanges.push(Exchange { request, reply: answers.next().expect("another answer").clone() });
    }
    assert_eq!(answers.next(), None);
    let requests: Vec<_> = exchanges.iter().map(|exchange| exchange.request.clone()).collect();
    (lines(&requests), mailerlite.judge_tests(&exchanges))
}

fn page<'a>(items: impl IntoIterator<Item = &'a Value>, current: u64, last: u64) -> Reply {
    let items: Vec<_> = items.into_iter().collect();
    reply(200, &json!({"data": items, "meta": {"current_page": current, "last_page": last}}).to_string())
}

fn custom_fields() -> Vec<Value> {
    let of = |key: &&str| match *key {
        "transaction_amount" => "number",
        "purchase_date" => "date",
        _ => "text",
    };
    let keys =
        ["lead_id", "user_id", "pricing_tier", "transaction_amount", "purchase_date", "utm_source", "utm_campaign"];
    keys.iter().map(|key| json!({"id": "1", "key": key, "name": key, "type": of(key)})).collect()
}

#[test]
fn a_test_reads_fields_and_groups_page_by_page() {
    let (fields, groups) = (custom_fields(), ["111", "222", "333"].map(|id| json!({"id": id, "name": "x"})));
    let (requests, outcome) =
        tested(&mailerlite(), &[page(&fields[..4], 1, 2), page(&fields[4..], 2, 2), page(&groups, 1, 1)]);
    let base = "GET https://connect.mailerlite.com/api";
    assert_eq!(
        requests,
        [
            format!("{base}/fields?limit=100&page=1"),
            format!("{base}/fields?limit=100&page=2"),
            format!("{base}/groups?limit=100&page=1")
        ]
    );
    assert_eq!(outcome, Outcome::Delivered);

    let mut without = settings(Api::New);
    without.groups.groups = Groups::default();
    assert_eq!(
        tested(&MailerLite::new(without), &[page(&fields, 1, 1)]).1,
        Outcome::Delivered,
        "no groups to look for"
    );

    let classic = MailerLite::new(settings(Api::Classic));
    let list = |items: &[Value]| reply(200, &Value::from(items.to_vec()).to_string());
    let many: Vec<_> = (1000..1100).map(|id| json!({"id": id})).collect();
    let (requests, outcome) = tested(
        &classic,
        &[list(&fields), list(&many), list(&[json!({"id": 111}), json!({"id": 222}), json!({"id": 333})])],
    );
    assert_eq!(requests[2], "GET https://api.mailerlite.com/api/v2/groups?limit=100&offset=100");
    assert_eq!(outcome, Outcome::Delivered);
    let same = list(&many);
    let (requests, outcome) = tested(&classic, &[list(&fields), same.clone(), same]);
    assert_eq!(requests.len(), 3, "a server that does not turn pages");
    assert!(explanation(outcome).contains("there is no group 111 (groups.vip), 222 (groups.premium), 333"));
}

#[test]
fn a_test_names_what_is_missing_and_what_does_not_fit() {
    let groups = ["111", "333"].map(|id| json!({"id": id}));
    let mut fields = custom_fields();
    fields.retain(|field| field["key"] != "lead_id" && field["key"] != "purchase_date");
    fields[1]["type"] = "number".into();
    let told = explanation(tested(&mailerlite(), &[page(&fields, 1, 1), page(&groups, 1, 1)]).1);
    for part in [
        "has no field `lead_id` (text), `purchase_date` (date): make",
        "the field `pricing_tier` is of type number, and pricing_tier needs text",
        "there is no group 222 (groups.premium)",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn a_test_that_meets_trouble_says_which() {
    let unauthenticated = reply(401, r#"{"message":"Unauthenticated."}"#);
    assert!(explanation(tested(&mailerlite(), &[unauthenticated]).1).contains("`api_key`"));
    assert!(matches!(tested(&mailerlite(), &[reply(503, "")]).1, Outcome::Retry { .. }));
    for odd in ["<html>", "{}", "{\"data\":7}"] {
        assert!(matches!(tested(&mailerlite(), &[reply(200, odd)]).1, Outcome::Retry { .. }), "{odd}");
    }
}
