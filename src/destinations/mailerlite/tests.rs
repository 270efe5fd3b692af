use serde_json::json;

use super::super::samples::{
    SOLD_AT, body, contact, done, event, job, lines, money, play, reply, sent, stranger, timed_out,
};
use super::super::{HttpResponse, Reply};
use super::*;

mod account;

fn settings(api: Api) -> Settings {
    let endpoint = match api {
        Api::New => "https://connect.mailerlite.com",
        Api::Classic => "https://api.mailerlite.com",
    };
    Settings {
        api_key: Secret::new("k3y"),
        api,
        endpoint: endpoint.into(),
        groups: Rules {
            groups: Groups {
                vip: Some("111".into()),
                premium: Some("222".into()),
                standard: Some("333".into()),
                ..Groups::default()
            },
            vip_from: 1000,
            moves: false,
        },
        fields: mapped(&[]),
        requires_consent: false,
    }
}

fn mailerlite() -> MailerLite {
    MailerLite::new(settings(Api::New))
}

fn first(mailerlite: &MailerLite, events: &[BusinessEvent], contact: &Contact) -> HttpRequest {
    sent(mailerlite.step(&job(events, Some(contact), None), &[]))
}

/// What becomes of Jane's purchase when MailerLite answers so.
fn end(mailerlite: &MailerLite, replies: &[Reply]) -> Finished {
    let (events, jane) = ([event("purchase")], contact());
    done(play(mailerlite, &job(&events, Some(&jane), None), replies).1)
}

const ACTIVE: &str = r#"{"data":{"id":"31986843064993537","email":"jane@example.com","status":"active"}}"#;

#[test]
fn a_purchase_as_the_new_api_gets_it() {
    let request = first(&mailerlite(), &[event("purchase")], &contact());
    assert_eq!(lines(std::slice::from_ref(&request)), ["POST https://connect.mailerlite.com/api/subscribers"]);
    assert_eq!(request.secret_header, Some(("authorization", Secret::new("Bearer k3y"))));
    assert_eq!(
        request.headers,
        [("accept", "application/json".to_owned()), ("content-type", "application/json".to_owned())]
    );
    assert!(request.repeatable);
    assert_eq!(
        body(&request),
        json!({
            "email": "jane@example.com",
            "groups": ["222"],
            "fields": {
                "name": "Jane Doe",
                "phone": "+493012345678",
                "lead_id": "lead_7",
                "user_id": "user_3",
                "pricing_tier": "premium",
                "transaction_amount": 99.5,
                "purchase_date": "2025-05-13",
                "utm_source": "newsletter",
                "utm_campaign": "spring",
            },
        })
    );
    for private in ["jane", "Jane", "1234", "k3y"] {
        assert!(!request.shown().contains(private), "{}", request.shown());
    }
}

#[test]
fn a_purchase_as_the_classic_api_gets_it() {
    let classic = MailerLite::new(settings(Api::Classic));
    let request = first(&classic, &[event("purchase")], &contact());
    assert_eq!(
        lines(std::slice::from_ref(&request)),
        ["POST https://api.mailerlite.com/api/v2/groups/222/subscribers"]
    );
    assert_eq!(request.secret_header, Some(("x-mailerlite-apikey", Secret::new("k3y"))));
    assert_eq!(
        body(&request),
        json!({
            "email": "jane@example.com",
            "name": "Jane Doe",
            "resubscribe": false,
            "fields": {
                "phone": "+493012345678",
                "lead_id": "lead_7",
                "user_id": "user_3",
                "pricing_tier": "premium",
                "transaction_amount": 99.5,
                "purchase_date": "2025-05-13",
                "utm_source": "newsletter",
                "utm_campaign": "spring",
            },
        })
    );
    let lead = first(&classic, &[event("lead")], &contact());
    assert_eq!(lines(&[lead]), ["POST https://api.mailerlite.com/api/v2/subscribers"]);
}

#[test]
fn what_is_no_sale_joins_no_group_and_leaves_out_what_is_unknown() {
    let mut somebody = stranger();
    somebody.person.email = crate::model::identity::Email::parse("jane@example.com");
    for kind in ["lead", "booking_made", "subscription_ended", "payment_failed"] {
        let request = first(&mailerlite(), &[event(kind)], &somebody);
        assert_eq!(body(&request), json!({"email": "jane@example.com", "fields": {}}), "{kind}");
    }
}

/// Somebody known by nothing but a form, which anybody may have filled in.
fn anybody() -> Contact {
    let mut anybody = contact();
    anybody.unverified = true;
    anybody
}

#[test]
fn what_was_written_into_a_form_makes_a_subscriber_and_changes_none() {
    let (events, anybody) = ([event("lead")], anybody());
    for (api, look_up, make) in [
        (
            Api::New,
            "GET https://connect.mailerlite.com/api/subscribers/jane%40example.com",
            "POST https://connect.mailerlite.com/api/subscribers",
        ),
        (
            Api::Classic,
            "GET https://api.mailerlite.com/api/v2/subscribers/jane%40example.com",
            "POST https://api.mailerlite.com/api/v2/subscribers",
        ),
    ] {
        let mailerlite = MailerLite::new(settings(api));
        let form = job(&events, Some(&anybody), None);
        let (requests, step) = play(&mailerlite, &form, &[reply(200, ACTIVE)]);
        assert_eq!(lines(&requests), [look_up]);
        assert!(!requests[0].shown().contains("jane"), "{}", requests[0].shown());
        let end = done(step);
        assert_eq!((&end.outcome, &end.remote_id), (&Outcome::Delivered, &None), "nobody's id is taken");
        assert_eq!(end.notes, [KNOWN_ALREADY]);

        let lost = ACTIVE.replace("active", "unsubscribed");
        let (_, step) = play(&mailerlite, &form, &[reply(200, &lost)]);
        assert_eq!(done(step).outcome, Outcome::Suppressed(Rule::Unsubscribed));

        let nobody = reply(404, r#"{"message":"Resource not found."}"#);
        let (requests, step) = play(&mailerlite, &form, &[nobody, reply(201, ACTIVE)]);
        assert_eq!(lines(&requests), [look_up, make]);
        let end = done(step);
        assert_eq!(end.remote_id.as_deref(), Some("31986843064993537"));
        let known = super::super::samples::sync(end.remote_id.as_deref(), None);
        let (requests, _) = play(&mailerlite, &job(&events, Some(&anybody), Some(&known)), &[reply(200, ACTIVE)]);
        assert_eq!(lines(&requests), [make], "whom the first form made the second one tells of");
    }
}

#[test]
fn a_look_up_that_says_nothing_is_not_nobody() {
    let (events, anybody) = ([event("lead")], anybody());
    for answer in [reply(200, ""), reply(200, "<html>"), reply(503, ""), timed_out()] {
        let (requests, step) = play(&mailerlite(), &job(&events, Some(&anybody), None), &[answer]);
        assert_eq!(requests.len(), 1);
        assert!(matches!(done(step).outcome, Outcome::Retry { .. }));
    }
    let (_, step) = play(&mailerlite(), &job(&events, Some(&anybody), None), &[reply(401, "")]);
    assert!(matches!(done(step).outcome, Outcome::Broken { .. }));
}

#[test]
fn the_tier_decides_the_group() {
    let group = |tier: Option<&str>, minor: i64, code: &str| {
        let mut sale = event("renewal");
        sale.facts.pricing_tier = tier.map(str::to_owned);
        sale.amount = Some(money(minor, code));
        let mut jane = contact();
        jane.pricing_tier = None;
        body(&first(&mailerlite(), &[sale], &jane))["groups"][0].as_str().unwrap().to_owned()
    };
    for (tier, minor, code, expected) in [
        (Some("enterprise"), 1, "eur", "111"),
        (Some(" Enterprise "), 1, "eur", "111"),
        (Some("premium"), 99_999, "eur", "222"),
        (Some("premium"), 100_000, "eur", "111"),
        (Some("starter"), 99_999, "eur", "333"),
        (None, 100_000, "eur", "111"),
        (None, 999, "jpy", "333"),
        (None, 1000, "jpy", "111"),
        (None, 999_999, "kwd", "333"),
        (None, 1_000_000, "kwd", "111"),
    ] {
        assert_eq!(group(tier, minor, code), expected, "{tier:?} {minor} {code}");
    }
}

#[test]
fn the_contacts_tier_serves_where_the_sale_has_none() {
    let mut sale = event("purchase");
    sale.facts.pricing_tier = None;
    assert_eq!(body(&first(&mailerlite(), &[sale], &contact()))["groups"], json!(["222"]));
}

#[test]
fn every_pending_sale_asks_for_its_group() {
    let mut big = event("renewal");
    big.amount = Some(money(500_000, "eur"));
    let events = [event("purchase"), event("lead"), big, event("purchase")];
    assert_eq!(body(&first(&mailerlite(), &events, &contact()))["groups"], json!(["222", "111"]));

    let classic = MailerLite::new(settings(Api::Classic));
    let jane = contact();
    let answer = || reply(200, r#"{"id":77,"type":"active"}"#);
    let (requests, step) = play(&classic, &job(&events, Some(&jane), None), &[answer(), answer()]);
    assert_eq!(
        lines(&requests),
        [
            "POST https://api.mailerlite.com/api/v2/groups/222/subscribers",
            "POST https://api.mailerlite.com/api/v2/groups/111/subscribers",
        ]
    );
    let end = done(step);
    assert_eq!((end.outcome, end.remote_id.as_deref()), (Outcome::Delivered, Some("77")));
    let (requests, step) = play(&classic, &job(&events, Some(&jane), None), &[reply(503, "")]);
    assert_eq!((requests.len(), matches!(done(step).outcome, Outcome::Retry { .. })), (1, true));
}

#[test]
fn a_tier_without_a_group_joins_none() {
    let mut settings = settings(Api::New);
    settings.groups.groups = Groups { premium: Some(String::new()), ..Groups::default() };
    assert!(body(&first(&MailerLite::new(settings), &[event("purchase")], &contact())).get("groups").is_none());
}

#[test]
fn no_request_names_a_status() {
    for api in [Api::New, Api::Classic] {
        let body = body(&first(&MailerLite::new(settings(api)), &[event("purchase")], &contact()));
        assert!(
            body.get("status").is_none() && body.get("type").is_none() && body.get("resubscribe") != Some(&json!(true))
        );
    }
}

#[test]
fn the_answered_status_decides() {
    for (status, expected) in [
        ("active", Outcome::Delivered),
        ("unconfirmed", Outcome::Delivered),
        ("unsubscribed", Outcome::Suppressed(Rule::Unsubscribed)),
        ("bounced", Outcome::Suppressed(Rule::Unsubscribed)),
        ("junk", Outcome::Suppressed(Rule::Unsubscribed)),
        ("something new", Outcome::Delivered),
    ] {
        for code in [200, 201] {
            let finished = end(&mailerlite(), &[reply(code, &ACTIVE.replace("active", status))]);
            assert_eq!(
                (finished.outcome, finished.remote_id.as_deref()),
                (expected.clone(), Some("31986843064993537"))
            );
            assert_eq!(finished.notes.is_empty(), status == "active");
        }
        let classic = MailerLite::new(settings(Api::Classic));
        let answer = format!(r#"{{"id":12,"type":"{status}"}}"#);
        assert_eq!(end(&classic, &[reply(200, &answer)]).outcome, expected);
    }
}

#[test]
fn refusals_are_told_apart() {
    let unsubscribed = r#"{"message":"This subscriber is unsubscribed and cannot be imported."}"#;
    for (api, status) in [(Api::New, 422), (Api::New, 400), (Api::Classic, 400)] {
        let finished = end(&MailerLite::new(settings(api)), &[reply(status, unsubscribed)]);
        assert_eq!(finished.outcome, Outcome::Suppressed(Rule::Unsubscribed), "{api:?} {status}");
    }
    assert!(
        matches!(end(&mailerlite(), &[reply(500, unsubscribed)]).outcome, Outcome::Retry { .. }),
        "a server in trouble knows nothing"
    );
    let invalid = r#"{"message":"The given data was invalid.","errors":{"email":["jane@example.com must be a valid email address."]}}"#;
    assert_eq!(
        end(&mailerlite(), &[reply(422, invalid)]).outcome,
        Outcome::Permanent {
            class: FailureClass::Rejected,
            explanation: "MailerLite refused the subscriber (422): email: *** must be a valid email address.".into(),
        }
    );
    assert!(matches!(end(&mailerlite(), &[reply(422, "<html>")]).outcome, Outcome::Permanent { .. }));
    for (api, hint) in [(Api::New, "set `api = \"classic\"`"), (Api::Classic, "remove `api = \"classic\"`")] {
        let Outcome::Broken { explanation } =
            end(&MailerLite::new(settings(api)), &[reply(401, r#"{"message":"Unauthenticated."}"#)]).outcome
        else {
            panic!()
        };
        assert!(explanation.contains(hint), "{explanation}");
    }
    assert!(matches!(
        end(&mailerlite(), &[reply(429, r#"{"message":"Too Many Attempts."}"#)]).outcome,
        Outcome::SlowDown { .. }
    ));
    assert!(matches!(end(&mailerlite(), &[reply(408, "")]).outcome, Outcome::Retry { .. }));
    assert!(matches!(end(&mailerlite(), &[timed_out()]).outcome, Outcome::Retry { .. }));
}

#[test]
fn a_success_that_tells_of_nobody_is_taken_with_a_remark_but_a_web_page_is_none() {
    for silent in ["", "[]", "{}", "{\"data\":"] {
        let finished = end(&mailerlite(), &[reply(200, silent)]);
        assert_eq!(finished.outcome, Outcome::Delivered, "{silent}");
        assert!(finished.notes[0].contains("did not say"), "{:?}", finished.notes);
    }
    let page = format!("<html>{}", "x".repeat(1024 * 1024));
    let outcome = end(&mailerlite(), &[reply(200, &page)]).outcome;
    let Outcome::Retry { explanation, .. } = outcome else { panic!("{outcome:?}") };
    assert!(explanation.len() < 600, "{explanation}");
}

#[test]
fn who_is_told_follows_consent_and_address() {
    let wait = Admission::Wait { at_most: EMAIL_WAIT, then: Rule::NoEmail };
    let no = Admission::Suppress(Rule::NoConsent);
    let nameless = stranger();
    for (kind, requires, answer, known, expected) in [
        ("purchase", false, None, true, Admission::Send),
        ("purchase", false, Some(true), true, Admission::Send),
        ("purchase", false, Some(false), true, no),
        ("purchase", true, None, true, no),
        ("purchase", true, Some(true), true, Admission::Send),
        ("lead", false, None, true, no),
        ("lead", false, Some(true), true, Admission::Send),
        ("purchase", false, None, false, wait),
        ("purchase", false, Some(false), false, no),
    ] {
        let mailerlite = MailerLite::new(Settings { requires_consent: requires, ..settings(Api::New) });
        let mut event = event(kind);
        event.facts.consent.email = answer;
        let jane = contact();
        let person = if known { &jane } else { &nameless };
        let is_missing = consent::missing(mailerlite.needs_consent(&event.kind), &event, Some(person)).is_some();
        let admission = if is_missing { no } else { mailerlite.admit(&event, Some(person)) };
        assert_eq!(admission, expected, "{kind} {requires} {answer:?} {known}");
        assert_eq!(mailerlite.is_ready(&event, Some(person)), known);
    }
    assert_eq!(mailerlite().admit(&event("purchase"), None), wait);
}

#[test]
fn a_no_that_came_later_counts_too() {
    let mut jane = contact();
    jane.consent.email = Some(false);
    let events = [event("purchase")];
    let outcome = |jane: &Contact| done(mailerlite().step(&job(&events, Some(jane), None), &[])).outcome;
    assert_eq!(outcome(&jane), Outcome::Suppressed(Rule::NoConsent));
    assert_eq!(outcome(&stranger()), Outcome::Suppressed(Rule::NoEmail));
}

#[test]
fn probes_only_read_and_limits_leave_room_for_others() {
    let classic = MailerLite::new(settings(Api::Classic));
    assert_eq!(
        lines(&[mailerlite().probe().unwrap(), classic.probe().unwrap()]),
        [
            "GET https://connect.mailerlite.com/api/subscribers?limit=0",
            "GET https://api.mailerlite.com/api/v2/groups?limit=1"
        ]
    );
    assert_eq!(mailerlite().default_rate_limit().unwrap().to_string(), "100/min");
    assert_eq!(classic.default_rate_limit().unwrap().to_string(), "50/min");
}

#[test]
fn the_end_of_a_subscription_updates_the_person_and_joins_no_group() {
    let mut ended = event("subscription_ended");
    (ended.amount, ended.transaction_id) = (None, None);
    let request = first(&mailerlite(), &[ended.clone()], &contact());
    assert_eq!(lines(std::slice::from_ref(&request)), ["POST https://connect.mailerlite.com/api/subscribers"]);
    assert!(body(&request).get("groups").is_none());
    assert_eq!(body(&request)["fields"]["transaction_amount"], 99.5);
    let classic = MailerLite::new(settings(Api::Classic));
    let request = first(&classic, &[ended], &contact());
    assert_eq!(lines(std::slice::from_ref(&request)), ["POST https://api.mailerlite.com/api/v2/subscribers"]);
}

fn explanation(outcome: Outcome) -> String {
    match outcome {
        Outcome::Permanent { class: FailureClass::Rejected, explanation } | Outcome::Broken { explanation } => {
            explanation
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refused_group_or_field_is_told_with_what_to_do() {
    let body =
        r#"{"message":"The given data was invalid.","errors":{"groups.0":["The selected groups.0 is invalid."]}}"#;
    let told = explanation(end(&mailerlite(), &[reply(422, body)]).outcome);
    assert!(told.contains("there is no group 222 in this account") && told.contains("groups.premium"), "{told}");
    let body = r#"{"errors":{"fields.transaction_amount":["The transaction amount must be a number."]}}"#;
    let told = explanation(end(&mailerlite(), &[reply(422, body)]).outcome);
    assert!(told.contains("make the field") && told.contains("fields = { transaction_amount = \"\" }"), "{told}");

    let classic = MailerLite::new(settings(Api::Classic));
    let body = r#"{"error":{"code":123,"message":"Group not found"}}"#;
    let told = explanation(end(&classic, &[reply(404, body)]).outcome);
    assert!(told.contains("there is no group 222 in this account") && told.contains("groups.premium"), "{told}");
    let body = r#"{"error":{"code":302,"message":"API-Key Unauthorized"}}"#;
    let told = explanation(end(&classic, &[reply(400, body)]).outcome);
    assert!(told.contains("`api_key` (400)") && told.contains("remove `api = \"classic\"`"), "{told}");
}

#[test]
fn the_classic_api_says_how_long_to_wait_in_a_header_field_of_its_own() {
    let classic = MailerLite::new(settings(Api::Classic));
    let answer = |headers| Ok(HttpResponse { status: 429, retry_after: None, body: Vec::new(), headers });
    let told = answer(vec![("x-ratelimit-retry-after", "41".to_owned())]);
    assert_eq!(end(&classic, &[told]).outcome, Outcome::SlowDown { after: Some(Duration::from_secs(41)) });
    assert_eq!(end(&classic, &[answer(Vec::new())]).outcome, Outcome::SlowDown { after: None });
}

#[test]
fn an_explicit_yes_goes_along_with_its_time_and_nothing_else_does() {
    let mut jane = contact();
    for (consent, new, classic) in
        [(Some(true), json!("2025-05-13 10:36:31"), json!("2025-05-13 10:36:31")), (None, Value::Null, Value::Null)]
    {
        (jane.consent.email, jane.consent_said_at.email) = (consent, SOLD_AT.after(Duration::from_secs(30)));
        let sent = body(&first(&mailerlite(), &[event("purchase")], &jane));
        assert_eq!(sent["opted_in_at"], new);
        assert_eq!(sent.get("optin_ip"), None, "ours is not the person's");
        let sent = body(&first(&MailerLite::new(settings(Api::Classic)), &[event("purchase")], &jane));
        assert_eq!(sent["signup_timestamp"], classic);
    }
}

/// Moving people, with a group for each stage.
fn moving(api: Api) -> MailerLite {
    let mut settings = settings(api);
    settings.groups.moves = true;
    settings.groups.groups.lead = Some("444".into());
    MailerLite::new(settings)
}

#[test]
fn moving_leaves_the_other_groups_with_the_id_of_the_answer() {
    let (events, jane) = ([event("purchase")], contact());
    let job = job(&events, Some(&jane), None);
    let gone = || reply(204, "");
    let absent = || reply(404, r#"{"message":"Resource not found."}"#);
    let (requests, step) = play(&moving(Api::New), &job, &[reply(200, ACTIVE), gone(), absent(), gone()]);
    assert_eq!(
        lines(&requests[1..]),
        ["111", "333", "444"].map(|group| format!(
            "DELETE https://connect.mailerlite.com/api/subscribers/31986843064993537/groups/{group}"
        ))
    );
    assert!(requests.iter().all(|request| request.repeatable) && requests[1].body.is_empty());
    let end = done(step);
    assert_eq!((end.outcome, end.remote_id.as_deref()), (Outcome::Delivered, Some("31986843064993537")));

    let answer = r#"{"id":77,"type":"active"}"#;
    let (requests, step) = play(&moving(Api::Classic), &job, &[reply(200, answer), gone(), gone(), absent()]);
    assert_eq!(lines(&requests[1..2]), ["DELETE https://api.mailerlite.com/api/v2/groups/111/subscribers/77"]);
    assert_eq!(done(step).outcome, Outcome::Delivered);
}

#[test]
fn only_groups_that_the_answer_lists_are_left_where_it_lists_them() {
    let (events, jane) = ([event("purchase")], contact());
    let job = job(&events, Some(&jane), None);
    let listing =
        |groups: &str| reply(200, &ACTIVE.replace("\"status\"", &format!("\"groups\":[{groups}],\"status\"")));
    let full = listing(r#"{"id":"222","name":"a"},{"id":"444","name":"b"},{"id":"999","name":"not ours"}"#);
    let (requests, _) = play(&moving(Api::New), &job, &[full, reply(204, "")]);
    assert_eq!(lines(&requests).len(), 2);
    assert!(lines(&requests)[1].ends_with("/groups/444"));
    let (requests, step) = play(&moving(Api::New), &job, &[listing(r#"{"id":"222"}"#)]);
    assert_eq!((requests.len(), done(step).outcome), (1, Outcome::Delivered));
    for partial in ["", r#"{"id":"999"}"#] {
        let (requests, _) = play(&moving(Api::New), &job, &[listing(partial), reply(204, "")]);
        assert!(lines(&requests)[1].ends_with("/groups/111"), "{partial}: the list can't be whole");
    }
}

#[test]
fn what_goes_wrong_on_leaving_a_group_is_judged_like_everything_else() {
    let (events, jane) = ([event("purchase")], contact());
    let job = job(&events, Some(&jane), None);
    let end = |answer| done(play(&moving(Api::New), &job, &[reply(200, ACTIVE), answer]).1).outcome;
    assert!(matches!(end(reply(503, "")), Outcome::Retry { .. }));
    assert!(matches!(end(timed_out()), Outcome::Retry { .. }));
    assert!(matches!(end(reply(429, "")), Outcome::SlowDown { .. }));
    assert!(matches!(end(reply(401, "")), Outcome::Broken { .. }));
    assert!(matches!(end(reply(422, "{}")), Outcome::Permanent { .. }));
    assert!(matches!(end(reply(200, "<html>")), Outcome::Retry { .. }));

    let lost = ACTIVE.replace("active", "unsubscribed");
    let (requests, step) = play(&moving(Api::New), &job, &[reply(200, &lost)]);
    assert_eq!((requests.len(), done(step).outcome), (1, Outcome::Suppressed(Rule::Unsubscribed)));
    let nameless = r#"{"data":{"status":"active"}}"#;
    let finished = done(play(&moving(Api::New), &job, &[reply(200, nameless)]).1);
    assert_eq!(finished.outcome, Outcome::Delivered);
    assert!(finished.notes[0].contains("not taken out of 111, 333, 444"), "{:?}", finished.notes);
}
