use proptest::prelude::*;
use serde_json::json;

use super::super::samples::{self, body, contact, done, event, job, lines, money, play, reply, sent, sync, timed_out};
use super::super::{HttpResponse, NoAnswer, Reply};
use super::*;
use crate::destinations::fields::Field;
use crate::model::delivery::ContactSync;
use crate::model::identity::{Email, Identity, IdentityKind, Phone};
use crate::model::money::Sums;

fn settings() -> Settings {
    let mapped = |name: &str| Mapped { field: Field::named(name).unwrap(), property: default_property(name) };
    Settings {
        access_token: Secret::new("pat-eu1-s3cret"),
        endpoint: "https://api.hubapi.com".into(),
        rules: Rules {
            mapped: DEFAULTS.into_iter().map(mapped).collect(),
            lead_stage: Some("lead".into()),
            customer_stage: Some("customer".into()),
            currency: None,
        },
    }
}

fn hubspot() -> HubSpot {
    HubSpot::new(settings())
}

const CREATE: &str = "POST https://api.hubapi.com/crm/v3/objects/contacts";
const CHANGE_9: &str = "PATCH https://api.hubapi.com/crm/v3/objects/contacts/9";
const BY_EMAIL: &str = "PATCH https://api.hubapi.com/crm/v3/objects/contacts/jane%40example.com?idProperty=email";

const NOT_FOUND: &str = r#"{"status":"error","message":"resource not found","category":"OBJECT_NOT_FOUND"}"#;

/// Plays a purchase of Jane's against replies: the requests, and the end.
fn run_all(sync: Option<&ContactSync>, replies: &[Reply]) -> (Vec<HttpRequest>, Finished) {
    let (events, jane) = ([event("purchase")], contact());
    let (requests, step) = play(&hubspot(), &job(&events, Some(&jane), sync), replies);
    (requests, done(step))
}

fn run(sync: Option<&ContactSync>, replies: &[Reply]) -> (Vec<String>, Finished) {
    let (requests, end) = run_all(sync, replies);
    (lines(&requests), end)
}

/// What the answer to a first creation means.
fn outcome_of(reply: Reply) -> Outcome {
    run(None, &[reply]).1.outcome
}

fn explanation(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Retry { explanation, .. }
        | Outcome::Permanent { explanation, .. }
        | Outcome::Broken { explanation }
        | Outcome::Forbidden { explanation }
        | Outcome::Ambiguous { explanation } => explanation,
        Outcome::Delivered | Outcome::Suppressed(_) | Outcome::SlowDown { .. } => "",
    }
}

fn is_there() -> Reply {
    reply(409, r#"{"status":"error","message":"Contact already exists. Existing ID: 9","category":"CONFLICT"}"#)
}

fn contact_9() -> Reply {
    reply(200, r#"{"id":"9","properties":{"email":"jane@example.com"},"archived":false}"#)
}

fn delivered_as_9() -> Finished {
    Finished { remote_id: Some("9".into()), external_id: Some("lead_7".into()), ..Finished::new(Outcome::Delivered) }
}

/// Jane's properties, those that no step leaves out.
fn always() -> serde_json::Map<String, serde_json::Value> {
    let told = json!({
        "phone": "+493012345678",
        "firstname": "Jane",
        "lastname": "Doe",
        "lifecyclestage": "customer",
        "tallyhook_external_id": "lead_7",
        "tallyhook_lead_id": "lead_7",
        "tallyhook_user_id": "user_3",
        "tallyhook_last_transaction_id": "pi_1",
        "tallyhook_last_transaction_amount": "99.5",
        "tallyhook_last_transaction_date": "1747094400000",
        "tallyhook_total_spent": "99.5",
        "tallyhook_utm_source": "newsletter",
        "tallyhook_utm_campaign": "spring",
        "tallyhook_pricing_tier": "premium",
        "tallyhook_payment_method": "card",
        "tallyhook_lifecycle_stage": "customer",
        "tallyhook_customer_since": "1747094400000",
    });
    told.as_object().cloned().unwrap()
}

fn with_email() -> serde_json::Value {
    let mut told = always();
    told.insert("email".into(), "jane@example.com".into());
    json!({"properties": told})
}

#[test]
fn somebody_new_is_created_with_everything_known() {
    let (requests, end) = run_all(None, &[reply(201, r#"{"id":"9"}"#)]);
    assert_eq!(lines(&requests), [CREATE]);
    assert_eq!(body(&requests[0]), with_email());
    assert_eq!(
        requests[0].headers,
        [("accept", "application/json".to_owned()), ("content-type", "application/json".to_owned())]
    );
    assert_eq!(requests[0].secret_header, Some(("authorization", Secret::new("Bearer pat-eu1-s3cret"))));
    assert_eq!(end, delivered_as_9());
}

#[test]
fn a_conflict_tells_whom_to_change() {
    let (requests, end) = run_all(None, &[is_there(), contact_9()]);
    assert_eq!(lines(&requests), [CREATE, CHANGE_9]);
    assert_eq!(body(&requests[1]), json!({"properties": always()}), "found by its address, perhaps not its main one");
    assert_eq!(end, delivered_as_9());
}

#[test]
fn what_was_written_into_a_form_changes_nobody_who_is_there() {
    let (events, mut anybody) = ([event("lead")], contact());
    anybody.unverified = true;
    let told = |replies: &[Reply]| {
        let (requests, step) = play(&hubspot(), &job(&events, Some(&anybody), None), replies);
        (lines(&requests), done(step))
    };
    let (requests, end) = told(&[is_there()]);
    assert_eq!((requests, end.outcome, end.remote_id), (vec![CREATE.to_owned()], Outcome::Delivered, None));
    assert_eq!(end.notes, [KNOWN_ALREADY]);
    assert_eq!(told(&[contact_9()]).1.remote_id.as_deref(), Some("9"));
}

#[test]
fn a_known_contact_is_changed_at_once() {
    let (requests, end) = run_all(Some(&sync(Some("9"), Some("lead_7"))), &[contact_9()]);
    assert_eq!(lines(&requests), [CHANGE_9]);
    assert_eq!(body(&requests[0]), with_email());
    assert_eq!(end, delivered_as_9());
    let (_, end) = run(Some(&sync(Some("4"), None)), &[contact_9()]);
    assert_eq!(end.remote_id.as_deref(), Some("9"), "after a merge the answer names who is left");
}

#[test]
fn a_contact_that_is_gone_is_looked_for_by_its_address() {
    let known = sync(Some("4"), Some("lead_7"));
    let gone = "PATCH https://api.hubapi.com/crm/v3/objects/contacts/4";
    let (requests, end) = run_all(Some(&known), &[reply(404, NOT_FOUND), contact_9()]);
    assert_eq!(lines(&requests), [gone, BY_EMAIL]);
    assert_eq!(body(&requests[1]), json!({"properties": always()}));
    assert_eq!(
        end,
        Finished {
            notes: vec!["HubSpot no longer has contact 4 (404); looked for it by its e-mail address".into()],
            ..delivered_as_9()
        }
    );

    let replies = [reply(404, NOT_FOUND), reply(404, NOT_FOUND), reply(201, r#"{"id":"9"}"#)];
    let (requests, end) = run_all(Some(&known), &replies);
    assert_eq!(lines(&requests), [gone, BY_EMAIL, CREATE]);
    assert_eq!(body(&requests[2]), with_email());
    assert_eq!((end.outcome, end.remote_id.as_deref()), (Outcome::Delivered, Some("9")));
}

#[test]
fn an_address_that_another_contact_has_is_left_with_it() {
    let taken = reply(409, r#"{"message":"Contact already exists. Existing ID: 7","category":"CONFLICT"}"#);
    let (requests, end) = run_all(Some(&sync(Some("9"), None)), &[taken, contact_9()]);
    assert_eq!(lines(&requests), [CHANGE_9, CHANGE_9]);
    assert_eq!(body(&requests[1]), json!({"properties": always()}));
    assert_eq!((end.outcome, end.left_over), (Outcome::Delivered, vec!["7".to_owned()]), "it is reported once");
    assert_eq!(
        end.notes,
        ["contact 7 at HubSpot already has this e-mail address, so contact 9 was changed without it: merge the two"]
    );
}

#[test]
fn a_further_address_of_the_same_contact_stays_one() {
    let (asked, end) = run(Some(&sync(Some("9"), None)), &[is_there(), contact_9()]);
    assert_eq!((asked, end), (vec![CHANGE_9.to_owned(), CHANGE_9.to_owned()], delivered_as_9()), "nothing to merge");
}

#[test]
fn the_id_of_a_conflict_is_kept_when_the_change_fails() {
    let (_, end) = run(None, &[is_there(), reply(503, "")]);
    assert!(matches!(end.outcome, Outcome::Retry { .. }));
    assert_eq!(end.remote_id.as_deref(), Some("9"), "the next attempt changes at once");
    assert_eq!(run(None, &[is_there(), reply(404, NOT_FOUND)]).1.remote_id, None);
}

#[test]
fn a_conflict_without_an_id_is_settled_by_the_address() {
    let odd = || reply(409, r#"{"message":"Conflict","category":"CONFLICT"}"#);
    let (asked, end) = run(None, &[odd(), contact_9()]);
    assert_eq!((asked, end), (vec![CREATE.to_owned(), BY_EMAIL.to_owned()], delivered_as_9()));
    for replies in
        [vec![odd(), reply(404, NOT_FOUND)], vec![is_there(), reply(404, NOT_FOUND)], vec![is_there(), odd()]]
    {
        let (asked, end) = run(None, &replies);
        assert!(matches!(end.outcome, Outcome::Retry { .. }), "never created twice: {asked:?} {end:?}");
    }
}

#[test]
fn the_stage_never_goes_back() {
    let known = sync(Some("9"), None);
    let stage = |person: &Contact, sync: Option<&ContactSync>| {
        let events = [event("contact_changed")];
        let request = sent(hubspot().step(&job(&events, Some(person), sync), &[]));
        body(&request)["properties"].get("lifecyclestage").map(|stage| stage.as_str().unwrap().to_owned())
    };
    let mut lead = samples::stranger();
    lead.person.email = Email::parse("jane@example.com");
    assert_eq!(stage(&lead, None).as_deref(), Some("lead"));
    assert_eq!(stage(&lead, Some(&known)), None, "HubSpot may have them further on");
    let mut former = contact();
    former.subscriptions.ended = 1;
    former.subscriptions.last_ended_at = Some(samples::SOLD_AT.after(Duration::from_secs(9)));
    assert_eq!(former.stage().name(), "churned");
    assert_eq!(stage(&former, Some(&known)).as_deref(), Some("customer"));

    let mut settings = settings();
    settings.rules.customer_stage = None;
    let events = [event("purchase")];
    let (jane, quiet) = (contact(), HubSpot::new(settings));
    assert!(
        body(&sent(quiet.step(&job(&events, Some(&jane), None), &[])))["properties"].get("lifecyclestage").is_none()
    );
}

#[test]
fn what_is_not_known_or_not_wanted_is_left_out() {
    let mut settings = settings();
    settings.rules.mapped.retain(|mapped| matches!(mapped.field.name, "external_id" | "total_spent" | "pricing_tier"));
    let mut person = samples::stranger();
    person.identities = vec![Identity { mode: person.mode, kind: IdentityKind::Email, value: "x@example.com".into() }];
    let events = [event("lead")];
    let told = body(&sent(HubSpot::new(settings).step(&job(&events, Some(&person), None), &[])));
    assert_eq!(
        told,
        json!({"properties": {"email": "x@example.com", "lifecyclestage": "lead", "tallyhook_external_id": "c12"}})
    );
}

#[test]
fn the_total_stays_in_the_currency_of_the_first_sale() {
    let mut jane = contact();
    jane.totals = Sums::from_amounts([money(1200, "usd"), money(500, "eur")]);
    jane.first_currency = Some("usd".parse().unwrap());
    let events = [event("purchase")];
    let told = body(&sent(HubSpot::new(settings()).step(&job(&events, Some(&jane), None), &[])));
    assert_eq!(told["properties"]["tallyhook_total_spent"], "12");
}

#[test]
fn totals_come_from_the_books_in_one_currency() {
    let total = |totals: &[(i64, &str)], currency: Option<&str>| {
        let mut jane = contact();
        jane.totals = Sums::from_amounts(totals.iter().map(|(minor, code)| money(*minor, code)));
        let mut settings = settings();
        settings.rules.currency = currency.map(|code| code.parse().unwrap());
        let events = [event("refund")];
        body(&sent(HubSpot::new(settings).step(&job(&events, Some(&jane), None), &[])))["properties"]
            ["tallyhook_total_spent"]
            .clone()
    };
    assert_eq!(total(&[(9950, "eur")], None), "99.5");
    assert_eq!(total(&[(9950, "eur"), (1200, "usd")], Some("usd")), "12");
    assert_eq!(total(&[(9950, "eur")], Some("usd")), "0");
    assert_eq!(total(&[], None), "0", "everything was given back");
}

#[test]
fn a_property_that_the_portal_lacks_is_named_with_the_next_step() {
    let answer = r#"{"status":"error","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"Property \\\"tallyhook_utm_source\\\" does not exist\",\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"tallyhook_utm_source\"}]","correlationId":"c","category":"VALIDATION_ERROR"}"#;
    assert_eq!(
        outcome_of(reply(400, answer)),
        Outcome::Permanent {
            class: FailureClass::Rejected,
            explanation: "HubSpot has no contact property `tallyhook_utm_source` (400, PROPERTY_DOESNT_EXIST): create it there \
                          (Settings, Properties, Contact properties), or map its field to \"\" in the destination's `properties`"
                .into()
        }
    );
    let answer = r#"{"category":"VALIDATION_ERROR","errors":[{"message":"x","code":"INVALID_OPTION","context":{"propertyName":["lifecyclestage"]}},{"message":"jane@example.com","code":"INVALID_EMAIL","context":{"propertyName":["email"]}}]}"#;
    let outcome = outcome_of(reply(400, answer));
    let told = explanation(&outcome);
    assert!(told.contains("`lifecyclestage` (400, INVALID_OPTION)") && told.contains("`customer_stage`"), "{told}");
    assert!(told.contains("`email` (400, INVALID_EMAIL)") && !told.contains("jane"), "{told}");
    let outcome = outcome_of(reply(400, r#"{"message":"Invalid input JSON for jane@example.com"}"#));
    assert!(explanation(&outcome).contains("Invalid input JSON for ***"), "{outcome:?}");
}

#[test]
fn every_documented_refusal_has_its_meaning() {
    let retried = |outcome: &Outcome| matches!(outcome, Outcome::Retry { .. });
    let outcome = outcome_of(reply(401, r#"{"message":"expired","category":"INVALID_AUTHENTICATION"}"#));
    assert!(
        matches!(&outcome, Outcome::Broken { explanation } if explanation.contains("`access_token`")),
        "{outcome:?}"
    );
    let scopes = r#"{"status":"error","message":"lacks scopes","category":"MISSING_SCOPES","errors":[{"context":{"requiredGranularScopes":["crm.objects.contacts.write","<jane@example.com>"]}}]}"#;
    let outcome = outcome_of(reply(403, scopes));
    assert!(matches!(outcome, Outcome::Broken { .. }), "no other write would fare better: {outcome:?}");
    assert!(explanation(&outcome).contains("give it crm.objects.contacts.write at HubSpot"), "{outcome:?}");
    let outcome = outcome_of(reply(403, r#"{"category":"MISSING_SCOPES"}"#));
    assert!(explanation(&outcome).contains("crm.objects.contacts.read and crm.objects.contacts.write"), "{outcome:?}");
    assert!(matches!(outcome_of(reply(403, "{}")), Outcome::Forbidden { .. }));
    assert!(matches!(outcome_of(reply(414, "")), Outcome::Permanent { class: FailureClass::Rejected, .. }));
    assert!(matches!(outcome_of(reply(302, "")), Outcome::Broken { .. }));
    for status in [477, 500, 502, 503, 504, 524] {
        assert!(retried(&outcome_of(reply(status, ""))), "{status}");
    }
    let locked = outcome_of(reply(423, "{}"));
    assert!(matches!(locked, Outcome::Retry { after: Some(after), .. } if after == LOCKED), "{locked:?}");
    let page = outcome_of(reply(200, "<html>"));
    assert!(retried(&page) && explanation(&page).contains("`endpoint`"), "{page:?}");
}

#[test]
fn a_success_that_tells_of_errors_is_none() {
    for errors in [
        r#"{"results":[],"errors":[{"status":"error","category":"X","message":"no"}]}"#,
        r#"{"status":"error","message":"no"}"#,
    ] {
        for status in [200, 201, 207] {
            assert!(matches!(outcome_of(reply(status, errors)), Outcome::Retry { .. }), "{status} {errors}");
        }
    }
    let named = r#"{"errors":[{"code":"PROPERTY_DOESNT_EXIST","context":{"propertyName":["tallyhook_lead_id"]}}]}"#;
    assert!(matches!(outcome_of(reply(207, named)), Outcome::Permanent { class: FailureClass::Rejected, .. }));
    for empty in ["", "{}", r#"{"errors":[]}"#] {
        let (_, end) = run(None, &[reply(201, empty)]);
        assert_eq!((end.outcome, end.remote_id, end.notes.len()), (Outcome::Delivered, None, 1), "{empty}");
    }
    let (_, end) = run(Some(&sync(Some("9"), None)), &[reply(204, "")]);
    assert_eq!(end.remote_id.as_deref(), Some("9"), "an empty answer leaves the id as it was");
}

#[test]
fn one_request_tells_of_one_person_and_nobody_is_searched_for() {
    let known = sync(Some("4"), None);
    let odd = reply(409, r#"{"message":"Conflict"}"#);
    let ways = [
        (None, vec![is_there(), contact_9()]),
        (None, vec![odd, contact_9()]),
        (Some(&known), vec![reply(404, NOT_FOUND), reply(404, NOT_FOUND), reply(201, r#"{"id":"9"}"#)]),
    ];
    for (sync, replies) in ways {
        for line in run(sync, &replies).0 {
            assert!(!line.contains("/search") && !line.contains("/batch"), "{line}");
        }
    }
}

#[test]
fn any_field_can_have_a_property() {
    let mut settings = settings();
    let mapped = |name: &str| Mapped { field: Field::named(name).unwrap(), property: format!("p_{name}") };
    settings.rules.mapped =
        ["purchases", "consent_email", "kind", "last_transaction_currency", "phone"].into_iter().map(mapped).collect();
    let (events, mut jane) = ([event("lead"), event("purchase")], contact());
    jane.consent.email = Some(true);
    let told = body(&sent(HubSpot::new(settings).step(&job(&events, Some(&jane), None), &[])));
    let told = &told["properties"];
    for (name, value) in [
        ("p_purchases", "1"),
        ("p_consent_email", "true"),
        ("p_kind", "purchase"),
        ("p_last_transaction_currency", "eur"),
        ("p_phone", "+493012345678"),
    ] {
        assert_eq!(told[name], value, "{name}");
    }
}

#[test]
fn too_fast_waits_as_long_as_the_limit_that_was_met() {
    let at = |policy: &str, retry_after: Option<u64>| {
        let body = format!(r#"{{"status":"error","errorType":"RATE_LIMIT","policyName":"{policy}"}}"#).into_bytes();
        match outcome_of(Ok(HttpResponse {
            status: 429,
            retry_after: retry_after.map(Duration::from_secs),
            body,
            headers: Vec::new(),
        })) {
            Outcome::SlowDown { after } => after.map(|after| after.as_secs()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(at("SECONDLY", None), Some(1));
    assert_eq!(at("TEN_SECONDLY_ROLLING", None), Some(10));
    assert_eq!(at("DAILY", None), Some(3600));
    assert_eq!(at("SECONDLY", Some(7)), Some(7));
    assert_eq!(at("DAILY", Some(7)), Some(3600), "what HubSpot asks for only lengthens");
    assert_eq!(at("NEW", Some(7)), Some(7));
    assert_eq!(at("NEW", None), None);
    let by_headers = |headers: &[(&'static str, &str)]| {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        outcome_of(Ok(HttpResponse { status: 429, retry_after: None, body: b"<html>".to_vec(), headers }))
    };
    let (daily, interval) = ("x-hubspot-ratelimit-daily-remaining", "x-hubspot-ratelimit-interval-milliseconds");
    let after = |seconds| Outcome::SlowDown { after: Some(Duration::from_secs(seconds)) };
    assert_eq!(by_headers(&[(daily, "0"), (interval, "10000")]), after(3600));
    assert_eq!(by_headers(&[(daily, "90"), (interval, "10000")]), after(10));
}

#[test]
fn requests_whose_fate_is_unknown_are_repeated() {
    let known = sync(Some("9"), None);
    for (sync, replies) in
        [(None, vec![timed_out()]), (None, vec![is_there(), timed_out()]), (Some(&known), vec![timed_out()])]
    {
        let (requests, end) = run_all(sync, &replies);
        assert!(requests.iter().all(|request| request.repeatable));
        assert!(matches!(end.outcome, Outcome::Retry { .. }), "the second creation is a conflict: {end:?}");
    }
    assert!(matches!(outcome_of(Err(NoAnswer::Broken("certificate".into()))), Outcome::Broken { .. }));
}

#[test]
fn without_an_address_nobody_is_told_yet() {
    let events = [event("purchase")];
    assert_eq!(hubspot().admit(&events[0], None), Admission::Suppress(Rule::NoContact));
    let nameless = samples::stranger();
    assert_eq!(
        hubspot().admit(&events[0], Some(&nameless)),
        Admission::Wait { at_most: Duration::from_secs(30 * 86_400), then: Rule::NoEmail }
    );
    assert_eq!(hubspot().admit(&events[0], Some(&contact())), Admission::Send);
    assert!(hubspot().is_ready(&events[0], Some(&contact())) && !hubspot().is_ready(&events[0], Some(&nameless)));
    let end = done(hubspot().step(&job(&events, Some(&nameless), None), &[]));
    assert_eq!(end.outcome, Outcome::Suppressed(Rule::NoEmail));
}

#[test]
fn the_test_compares_the_portals_properties() {
    let request = hubspot().test().unwrap();
    assert_eq!(
        lines(&[hubspot().probe().unwrap(), request.clone()]),
        [
            "GET https://api.hubapi.com/crm/v3/objects/contacts?limit=1&properties=lifecyclestage&archived=false",
            "GET https://api.hubapi.com/crm/v3/properties/contacts?archived=false",
        ]
    );
    let judge = |reply: Reply| hubspot().judge_test(&Exchange { request: request.clone(), reply });
    let list = |without: &str, odd: &str| {
        let there = settings().rules.mapped.into_iter().filter(|mapped| mapped.field.name != without).map(|mapped| {
            let of = if mapped.field.name == odd { "enumeration" } else { property_type(mapped.field) };
            json!({"name": mapped.property, "type": of})
        });
        reply(200, &json!({"results": there.collect::<Vec<_>>()}).to_string())
    };
    assert_eq!(judge(list("", "")), Outcome::Delivered);
    let outcome = judge(list("total_spent", "utm_source"));
    let told = explanation(&outcome);
    assert!(told.contains("no contact property `tallyhook_total_spent` (number, for total_spent): create"), "{told}");
    assert!(told.contains("`tallyhook_utm_source` is of type enumeration, and utm_source needs string"), "{told}");
    assert!(matches!(judge(reply(401, "{}")), Outcome::Broken { .. }));
    assert!(matches!(judge(reply(200, "{}")), Outcome::Retry { .. }));
    assert!(matches!(judge(reply(200, "<p>")), Outcome::Retry { .. }));
    let cut = format!(r#"{{"results":[{{"name":"{}"#, "x".repeat(1024 * 1024));
    assert_eq!(judge(reply(200, &cut[..1024 * 1024])), Outcome::Delivered, "too long a list says nothing");
}

proptest! {
    #[test]
    fn any_answers_end_in_five_requests(
        known in any::<bool>(),
        answers in prop::collection::vec((prop::sample::select(vec![200_u16, 201, 404, 409, 400, 500]), prop::sample::select(vec!["", "{}", r#"{"id":9}"#, r#"{"message":"Existing ID: 9"}"#, "<p>", "["])), 6),
    ) {
        let (events, jane, sync) = ([event("purchase")], contact(), sync(known.then_some("4"), None));
        let job = job(&events, Some(&jane), Some(&sync));
        let mut exchanges = Vec::new();
        for (status, text) in answers {
            match hubspot().step(&job, &exchanges) {
                Step::Send(request) => exchanges.push(Exchange { request, reply: reply(status, text) }),
                Step::Done(_) => break,
            }
        }
        prop_assert!(matches!(hubspot().step(&job, &exchanges), Step::Done(_)));
        prop_assert!(exchanges.len() <= 5);
        prop_assert!(exchanges.iter().filter(|exchange| exchange.request.method == Method::Post).count() <= 1);
    }

    #[test]
    fn nothing_shown_names_the_person(
        local in "[a-z0-9.+_-]{1,12}",
        number in "\\+[1-9][0-9]{7,13}",
        name in "[A-ZÄ][a-zä]{4,9} [A-Z][a-z]{4,9}",
        status in prop::sample::select(vec![400_u16, 403, 404, 409, 423, 429, 500]),
    ) {
        let mut jane = contact();
        let address = format!("{local}@mail.example.com");
        jane.person.email = Email::parse(&address);
        jane.person.phone = Phone::parse(&number);
        jane.person.name = Some(name.clone());
        jane.identities.push(Identity { mode: jane.mode, kind: IdentityKind::Email, value: address.clone() });
        let events = [event("purchase")];
        for known in [sync(None, Some(&address)), sync(Some(&address), Some(&number))] {
            let job = job(&events, Some(&jane), Some(&known));
            let mut exchanges: Vec<Exchange> = Vec::new();
            for _ in 0..5 {
                let Step::Send(request) = hubspot().step(&job, &exchanges) else { break };
                let echoed = json!({
                    "message": format!("{address} {number} {name} Existing ID: {number}"),
                    "errors": [{"code": "INVALID_EMAIL", "message": address, "context": {"propertyName": ["email", address], "requiredScopes": [address]}}],
                });
                exchanges.push(Exchange { request, reply: reply(status, &echoed.to_string()) });
            }
            let shown = format!("{exchanges:?} {:?}", hubspot().step(&job, &exchanges));
            let end = hubspot().step(&job, &exchanges);
            let notes = match &end { Step::Done(end) => format!("{:?} {:?}", end.outcome, end.notes), Step::Send(_) => String::new() };
            for private in [&address, &number] {
                prop_assert!(!notes.contains(private.as_str()) && !shown.contains(private.as_str()), "{shown}");
            }
            for word in name.split(' ') {
                prop_assert!(!notes.contains(word), "{notes}");
            }
        }
    }
}
