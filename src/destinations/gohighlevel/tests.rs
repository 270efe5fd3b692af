use proptest::prelude::*;
use serde_json::json;

use super::super::samples::{self, body, done, event, job, lines, play, reply, sent, stranger, sync, timed_out};
use super::super::{HttpResponse, Reply};
use super::*;
use crate::model::delivery::ContactSync;
use crate::model::identity::{Email, Identity, IdentityKind, Phone};

const LOOK_UP: &str =
    "GET https://services.leadconnectorhq.com/contacts/search/duplicate?locationId=loc1&email=jane%40example.com";
const UPSERT: &str = "POST https://services.leadconnectorhq.com/contacts/upsert";
const CHANGE_9: &str = "PUT https://services.leadconnectorhq.com/contacts/9";
const TAG_9: &str = "POST https://services.leadconnectorhq.com/contacts/9/tags";

fn settings() -> Settings {
    let mapped = |place: &str, field: &str| Mapped { field: Field::named(field).unwrap(), place: Place::of(place) };
    Settings {
        token: Secret::new("pit-s3cret"),
        location_id: "loc1".into(),
        endpoint: "https://services.leadconnectorhq.com".into(),
        fields: vec![
            mapped("6dvNaf7VhkQ9snc5vnjJ", "total_spent"),
            mapped("contact.since", "customer_since"),
            mapped("plan", "subscription_plan"),
        ],
        source: Some("tallyhook".into()),
        echo: false,
        currency: None,
    }
}

fn highlevel() -> GoHighLevel {
    GoHighLevel::new(settings())
}

/// Plays a purchase of Jane's against replies: the requests, and the end.
fn run_all(sync: Option<&ContactSync>, replies: &[Reply]) -> (Vec<HttpRequest>, Finished) {
    let (events, jane) = ([event("purchase")], contact());
    let (requests, step) = play(&highlevel(), &job(&events, Some(&jane), sync), replies);
    (requests, done(step))
}

fn run(sync: Option<&ContactSync>, replies: &[Reply]) -> (Vec<String>, Finished) {
    let (requests, end) = run_all(sync, replies);
    (lines(&requests), end)
}

/// Jane, who alone gives her number.
fn contact() -> Contact {
    with_phone(samples::contact())
}

fn with_phone(mut contact: Contact) -> Contact {
    let value = contact.person.phone.as_ref().map(|phone| phone.as_str().to_owned()).unwrap_or_default();
    contact.identities.push(Identity { mode: contact.mode, kind: IdentityKind::Phone, value });
    contact
}

fn nobody() -> Reply {
    reply(200, r#"{"contact":null,"traceId":"t"}"#)
}

fn contact_9(tags: &[&str]) -> Reply {
    let contact = json!({"id": "9", "email": "jane@work.example", "phone": "+4930111", "tags": tags});
    reply(200, &json!({"new": false, "contact": contact, "traceId": "t"}).to_string())
}

fn tagged() -> Reply {
    reply(201, r#"{"tags":["customer"],"tagsAdded":["customer"]}"#)
}

fn not_found() -> Reply {
    reply(400, r#"{"statusCode":400,"message":"Contact not found for id: 9"}"#)
}

fn delivered_as_9() -> Finished {
    Finished { remote_id: Some("9".into()), external_id: Some("lead_7".into()), ..Finished::new(Outcome::Delivered) }
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

#[test]
fn somebody_new_is_upserted_without_tags_and_tagged_afterwards() {
    let (requests, end) = run_all(None, &[nobody(), contact_9(&[]), tagged()]);
    assert_eq!(lines(&requests), [LOOK_UP, UPSERT, TAG_9]);
    assert_eq!(
        body(&requests[1]),
        json!({
            "locationId": "loc1",
            "email": "jane@example.com",
            "firstName": "Jane",
            "lastName": "Doe",
            "source": "tallyhook",
            "customFields": [
                {"id": "6dvNaf7VhkQ9snc5vnjJ", "field_value": "99.5"},
                {"key": "contact.since", "field_value": "2025-05-13"},
            ],
        })
    );
    assert_eq!(body(&requests[2]), json!({"tags": ["customer", "payment_method_card", "pricing_tier_premium"]}));
    for request in &requests {
        assert!(request.headers.contains(&("version", "2021-07-28".to_owned())));
        assert_eq!(request.secret_header, Some(("authorization", Secret::new("Bearer pit-s3cret"))));
        assert!(request.repeatable);
        for private in ["jane", "Jane", "1234", "s3cret"] {
            assert!(!request.shown().contains(private), "{}", request.shown());
        }
    }
    assert_eq!(end, delivered_as_9());
}

#[test]
fn what_was_written_into_a_form_changes_nobody_who_is_there() {
    let (events, mut anybody) = ([event("lead")], contact());
    anybody.unverified = true;
    let told = |replies: &[Reply]| {
        let (requests, step) = play(&highlevel(), &job(&events, Some(&anybody), None), replies);
        (lines(&requests), done(step))
    };
    let duplicate = r#"{"message":"This location does not allow duplicated contacts.","meta":{"contactId":"9"}}"#;
    let untouched = |asked: &[&str], (requests, end): (Vec<String>, Finished)| {
        assert_eq!(requests, asked);
        assert_eq!((end.outcome, end.remote_id), (Outcome::Delivered, None));
        assert_eq!(end.notes, [KNOWN_ALREADY]);
    };
    untouched(&[LOOK_UP], told(&[contact_9(&[])]));
    untouched(&[LOOK_UP, UPSERT], told(&[nobody(), reply(400, duplicate)]));
    let (sent, _) = play(&highlevel(), &job(&events, Some(&anybody), None), &[nobody(), contact_9(&[]), tagged()]);
    let upsert = body(&sent[1]);
    assert!(
        upsert.get("phone").is_none() && upsert.get("email").is_some(),
        "its phone may be somebody else's: {upsert}"
    );
    let (requests, end) = told(&[nobody(), contact_9(&[]), tagged()]);
    assert_eq!((&requests[..2], end.remote_id.as_deref()), (&[LOOK_UP.into(), UPSERT.into()][..], Some("9")));
}

#[test]
fn somebody_known_is_changed_by_id_and_keeps_addresses_and_tags() {
    let known = sync(Some("9"), Some("lead_7"));
    let (requests, end) = run_all(Some(&known), &[contact_9(&["vip"]), tagged()]);
    assert_eq!(lines(&requests), [CHANGE_9, TAG_9]);
    let told = body(&requests[0]);
    for left_out in ["email", "phone", "tags", "source", "locationId"] {
        assert!(told.get(left_out).is_none(), "{left_out}: {told}");
    }
    assert_eq!(told["firstName"], "Jane");
    assert_eq!(end, delivered_as_9());

    let there = ["vip", "Customer", "payment_method_card", "pricing_tier_premium"];
    let (asked, end) = run(Some(&known), &[contact_9(&there)]);
    assert_eq!((asked, end), (vec![CHANGE_9.to_owned()], delivered_as_9()), "no tag is missing");
    let (asked, _) = run(None, &[contact_9(&[]), contact_9(&there)]);
    assert_eq!(asked, [LOOK_UP, CHANGE_9], "whom the look-up finds is not upserted");
}

#[test]
fn an_address_that_highlevel_lacks_is_filled_in() {
    let known = sync(Some("9"), None);
    let lacks = |fields: serde_json::Value| reply(200, &json!({"succeded": true, "contact": fields}).to_string());
    let phone_only = || lacks(json!({"id": "9", "phone": "+4930111", "tags": []}));
    let (requests, end) = run_all(Some(&known), &[phone_only(), contact_9(&[]), tagged()]);
    assert_eq!(lines(&requests), [CHANGE_9, CHANGE_9, TAG_9]);
    assert_eq!(body(&requests[1]), json!({"email": "jane@example.com"}));
    assert_eq!(end, delivered_as_9());

    let taken = r#"{"statusCode":400,"message":"This location does not allow duplicated contacts.","meta":{"contactId":"7","matchingField":"email"}}"#;
    let (asked, end) = run(Some(&known), &[phone_only(), reply(400, taken), tagged()]);
    assert_eq!(asked, [CHANGE_9, CHANGE_9, TAG_9]);
    assert_eq!((end.outcome, end.left_over), (Outcome::Delivered, vec!["7".to_owned()]));
    assert_eq!(
        end.notes,
        ["contact 7 at HighLevel already has this e-mail address, so contact 9 does without: merge the two"]
    );
    let odd = || reply(422, r#"{"statusCode":422,"message":["phone must be a valid phone number"]}"#);
    let (_, end) = run(Some(&known), &[lacks(json!({"id": "9", "email": "j@example.com"})), odd(), tagged()]);
    assert_eq!((end.outcome, end.notes.len()), (Outcome::Delivered, 1));
    let (_, end) = run(Some(&known), &[phone_only(), reply(503, "")]);
    assert!(matches!(end.outcome, Outcome::Retry { .. }));
    let (asked, _) = run(Some(&known), &[reply(200, r#"{"succeded":true}"#), tagged()]);
    assert_eq!(asked, [CHANGE_9, TAG_9], "an answer that does not tell of the contact tells not what it lacks");
}

#[test]
fn a_422_is_looked_into_since_the_contact_may_have_been_made() {
    let refused = || reply(422, r#"{"statusCode":422,"message":["phone must be a valid phone number"]}"#);
    let (asked, end) = run(None, &[nobody(), refused(), contact_9(&[]), contact_9(&[]), tagged()]);
    assert_eq!(asked, [LOOK_UP, UPSERT, LOOK_UP, CHANGE_9, TAG_9]);
    assert_eq!(end.outcome, Outcome::Delivered);
    assert_eq!(
        end.notes,
        ["HighLevel refused the contact (422), but has made it all the same; it was looked up and completed"]
    );

    let (asked, end) = run(None, &[nobody(), refused(), nobody()]);
    assert_eq!(asked, [LOOK_UP, UPSERT, LOOK_UP]);
    let told = explanation(&end.outcome);
    assert!(matches!(&end.outcome, Outcome::Permanent { class: FailureClass::Rejected, .. }), "{end:?}");
    assert!(told.contains("phone must be a valid phone number"), "what was refused at first counts: {told}");
    let (_, end) = run(None, &[nobody(), refused(), contact_9(&[]), reply(503, "")]);
    assert_eq!(end.remote_id.as_deref(), Some("9"), "the next attempt changes at once");
    assert!(matches!(end.outcome, Outcome::Retry { .. }));
}

#[test]
fn an_upsert_that_meets_a_duplicate_changes_it() {
    let taken = r#"{"statusCode":400,"message":"This location does not allow duplicated contacts.","meta":{"contactId":"9","matchingField":"email"}}"#;
    let (asked, end) = run(None, &[nobody(), reply(400, taken), contact_9(&[]), tagged()]);
    assert_eq!((asked, end), ([LOOK_UP, UPSERT, CHANGE_9, TAG_9].map(str::to_owned).to_vec(), delivered_as_9()));
}

#[test]
fn a_number_that_a_buyer_typed_makes_nobody_else_the_buyer() {
    let without = || reply(200, r#"{"new":true,"contact":{"id":"9","email":"jane@example.com","tags":[]}}"#);
    let taken = |field: &str| {
        let meta = json!({"contactId": "7", "matchingField": field});
        reply(400, &json!({"message": "This location does not allow duplicated contacts.", "meta": meta}).to_string())
    };
    let (requests, end) = run_all(None, &[nobody(), without(), contact_9(&[]), tagged()]);
    assert!(body(&requests[1]).get("phone").is_none(), "an upsert matches by it");
    assert_eq!(body(&requests[2]), json!({"phone": "+493012345678"}), "it is added by id");
    assert_eq!(end.remote_id.as_deref(), Some("9"));

    let (asked, end) = run(None, &[nobody(), without(), taken("phone"), tagged()]);
    assert_eq!(asked, [LOOK_UP, UPSERT, CHANGE_9, TAG_9]);
    assert_eq!((end.outcome, end.remote_id.as_deref(), end.left_over.len()), (Outcome::Delivered, Some("9"), 0));
    assert_eq!(end.notes, ["contact 7 at HighLevel already has this phone number, so contact 9 does without"]);

    let (asked, end) = run(None, &[nobody(), taken("phone")]);
    assert_eq!(asked, [LOOK_UP, UPSERT], "nobody else's contact is changed");
    assert!(matches!(end.outcome, Outcome::Permanent { .. }) && end.remote_id.is_none(), "{end:?}");

    let (events, shared) = ([event("purchase")], samples::contact());
    let (requests, _) = play(&highlevel(), &job(&events, Some(&shared), None), &[nobody(), without(), tagged()]);
    assert_eq!(lines(&requests), [LOOK_UP, UPSERT, TAG_9], "a number that several people give is not added");
}

#[test]
fn a_contact_that_is_gone_is_looked_up_again() {
    let known = sync(Some("4"), Some("lead_7"));
    let gone = "PUT https://services.leadconnectorhq.com/contacts/4";
    for missing in [not_found(), reply(404, "")] {
        let (asked, end) = run(Some(&known), &[missing, nobody(), contact_9(&[]), tagged()]);
        assert_eq!(asked, [gone, LOOK_UP, UPSERT, TAG_9]);
        assert_eq!((end.outcome, end.remote_id.as_deref(), end.notes.len()), (Outcome::Delivered, Some("9"), 1));
    }
    for replies in [vec![contact_9(&[]), not_found()], vec![nobody(), contact_9(&[]), not_found()]] {
        let (_, end) = run(None, &replies);
        assert!(matches!(end.outcome, Outcome::Retry { .. }), "{end:?}");
        assert_eq!(end.remote_id, None);
    }
}

#[test]
fn a_look_up_that_says_nothing_is_not_nobody() {
    for odd in ["", "{}", "<p>", r#"{"contact":{}}"#, "ok"] {
        let (asked, end) = run(None, &[reply(200, odd)]);
        assert_eq!(asked, [LOOK_UP]);
        assert!(matches!(end.outcome, Outcome::Retry { .. }), "{odd}: {end:?}");
    }
    let (asked, _) = run(None, &[reply(404, "{}"), contact_9(&[]), tagged()]);
    assert_eq!(asked[1], UPSERT);
    let (_, end) = run(None, &[nobody(), reply(200, "{}")]);
    assert!(matches!(end.outcome, Outcome::Retry { .. }), "no id, no tags: {end:?}");
}

#[test]
fn a_phone_number_that_was_left_out_is_remarked_on() {
    let without = r#"{"new":true,"contact":{"id":"9","email":"jane@example.com","tags":[]}}"#;
    let (asked, end) = run(None, &[nobody(), reply(200, without), reply(200, without), tagged()]);
    assert_eq!(asked, [LOOK_UP, UPSERT, CHANGE_9, TAG_9]);
    assert_eq!(end.notes, ["HighLevel has left out the phone number without saying why"]);
}

#[test]
fn somebody_without_an_address_is_looked_up_by_a_whole_number() {
    let mut caller = stranger();
    caller.person.phone = Phone::parse("+49 30 12345678");
    let events = [event("booking_made")];
    let untold = highlevel().admit(&events[0], Some(&caller));
    assert!(
        matches!(untold, Admission::Wait { then: Rule::NoEmail, .. }),
        "a number that several people give is nobody's"
    );
    let caller = with_phone(caller);
    let step = highlevel().step(&job(&events, Some(&caller), None), &[]);
    let request = sent(step);
    assert!(request.url.ends_with("locationId=loc1&number=%2B493012345678"), "{}", request.url);
    assert!(!request.shown().contains("12345678"), "{}", request.shown());
    assert_eq!(highlevel().admit(&events[0], Some(&caller)), Admission::Send);
    assert_eq!(
        highlevel().admit(&events[0], Some(&stranger())),
        Admission::Wait { at_most: Duration::from_secs(30 * 86_400), then: Rule::NoEmail }
    );
    assert_eq!(highlevel().admit(&events[0], None), Admission::Suppress(Rule::NoContact));
    assert!(highlevel().is_ready(&events[0], Some(&caller)) && !highlevel().is_ready(&events[0], Some(&stranger())));
    let end = done(highlevel().step(&job(&events, Some(&stranger()), None), &[]));
    assert_eq!(end.outcome, Outcome::Suppressed(Rule::NoEmail));
}

#[test]
fn what_came_from_the_sub_account_is_not_told_back() {
    let admitted = |provider: &str, account: Option<&str>, echo: bool| {
        let mut event = event("purchase");
        event.scope.provider = provider.into();
        event.scope.account = account.map(str::to_owned);
        GoHighLevel::new(Settings { echo, ..settings() }).admit(&event, Some(&contact()))
    };
    assert_eq!(admitted("gohighlevel", Some("loc1"), false), Admission::Suppress(Rule::Echo));
    assert_eq!(admitted("gohighlevel", None, false), Admission::Suppress(Rule::Echo));
    assert_eq!(admitted("gohighlevel", Some("loc2"), false), Admission::Send);
    assert_eq!(admitted("gohighlevel", Some("loc1"), true), Admission::Send);
    assert_eq!(admitted("stripe", Some("loc1"), false), Admission::Send);
}

#[test]
fn every_refusal_has_its_meaning() {
    let of = |status: u16, body: &str| run(None, &[nobody(), reply(status, body)]).1.outcome;
    let key = of(401, r#"{"statusCode":401,"message":"Invalid Private Integration token"}"#);
    assert!(matches!(&key, Outcome::Broken { .. }) && explanation(&key).contains("`token`"), "{key:?}");
    let scope = of(401, r#"{"statusCode":401,"message":"The token is not authorized for this scope."}"#);
    assert!(matches!(&scope, Outcome::Broken { .. }) && explanation(&scope).contains("Edit Contacts"), "{scope:?}");
    let place = of(403, r#"{"message":"The token does not have access to this location."}"#);
    assert!(matches!(&place, Outcome::Forbidden { .. }) && explanation(&place).contains("`location_id`"), "{place:?}");
    assert!(matches!(of(400, r#"{"message":"odd"}"#), Outcome::Permanent { .. }));
    assert!(matches!(of(502, "<html>bad gateway</html>"), Outcome::Retry { .. }));
    assert!(matches!(of(200, "<html>"), Outcome::Retry { .. }));
    assert!(matches!(of(302, ""), Outcome::Broken { .. }));
    let known = sync(Some("9"), None);
    for (sync, replies) in [
        (None, vec![timed_out()]),
        (None, vec![nobody(), timed_out()]),
        (Some(&known), vec![timed_out()]),
        (Some(&known), vec![contact_9(&[]), timed_out()]),
    ] {
        let end = run(sync, &replies).1;
        assert!(matches!(end.outcome, Outcome::Retry { .. }), "all of it can be repeated: {end:?}");
    }
}

#[test]
fn too_fast_waits_for_the_limit_that_was_met() {
    let at = |headers: &[(&'static str, &str)], retry_after: Option<u64>| {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let retry_after = retry_after.map(Duration::from_secs);
        let answer = HttpResponse { status: 429, retry_after, body: Vec::new(), headers };
        match run(None, &[Ok(answer)]).1.outcome {
            Outcome::SlowDown { after } => after.map(|after| after.as_secs()),
            other => panic!("{other:?}"),
        }
    };
    let narrow = [("x-ratelimit-daily-remaining", "1200"), ("x-ratelimit-interval-milliseconds", "10000")];
    let used_up = [("x-ratelimit-daily-remaining", "0"), ("x-ratelimit-daily-reset", "7200000")];
    assert_eq!(at(&narrow, None), Some(10));
    assert_eq!(at(&narrow, Some(30)), Some(30));
    assert_eq!(at(&used_up, None), Some(7200));
    assert_eq!(at(&[], Some(7)), Some(7));
    assert_eq!(at(&[], None), None);
}

#[test]
fn the_test_compares_the_custom_fields() {
    let request = highlevel().test().unwrap();
    assert_eq!(
        lines(std::slice::from_ref(&request)),
        ["GET https://services.leadconnectorhq.com/locations/loc1/customFields?model=contact"]
    );
    let judge = |reply: Reply| highlevel().judge_test(&Exchange { request: request.clone(), reply });
    let list = |since: &str, plan: &str| {
        let fields = json!([
            {"id": "6dvNaf7VhkQ9snc5vnjJ", "fieldKey": "contact.total", "dataType": "MONETORY"},
            {"id": "b", "fieldKey": "contact.since", "dataType": since},
            {"id": "c", "fieldKey": plan, "dataType": "TEXT"},
        ]);
        reply(200, &json!({"customFields": fields}).to_string())
    };
    assert_eq!(judge(list("DATE", "contact.plan")), Outcome::Delivered);
    let wrong = judge(list("NUMERICAL", "contact.tariff"));
    let told = explanation(&wrong);
    assert!(told.contains("`contact.since` is of type NUMERICAL, which does not take customer_since"), "{told}");
    assert!(told.contains("no custom field `contact.plan` (for subscription_plan)"), "{told}");
    assert!(told.contains("contact.tariff"), "what there is helps to find the mistake: {told}");
    assert!(matches!(judge(reply(200, "{}")), Outcome::Retry { .. }));
    assert!(matches!(judge(reply(401, "{}")), Outcome::Broken { .. }));
    let scope = judge(reply(401, r#"{"message":"The token is not authorized for this scope."}"#));
    assert!(explanation(&scope).contains("View Custom Fields"), "{scope:?}");
    let plain = GoHighLevel::new(Settings { fields: Vec::new(), ..settings() });
    assert_eq!(plain.test(), plain.probe());
    assert!(plain.probe().unwrap().url.ends_with("email=tallyhook-probe%40example.com"));
}

proptest! {
    #[test]
    fn any_answers_end_in_eight_requests(
        known in any::<bool>(),
        answers in prop::collection::vec(
            (prop::sample::select(vec![200_u16, 201, 400, 404, 422, 500]), prop::sample::select(vec![
                "", "{}", r#"{"contact":null}"#, r#"{"contact":{"id":"9"}}"#, r#"{"message":"Contact not found"}"#, "<p>", "[",
                r#"{"message":"duplicated","meta":{"contactId":"7"}}"#,
            ])), 9),
    ) {
        let (events, jane, sync) = ([event("purchase")], contact(), sync(known.then_some("4"), None));
        let job = job(&events, Some(&jane), Some(&sync));
        let mut exchanges = Vec::new();
        for (status, text) in answers {
            match highlevel().step(&job, &exchanges) {
                Step::Send(request) => exchanges.push(Exchange { request, reply: reply(status, text) }),
                Step::Done(_) => break,
            }
        }
        prop_assert!(matches!(highlevel().step(&job, &exchanges), Step::Done(_)));
        prop_assert!(exchanges.len() <= 8);
        let upserts = exchanges.iter().filter(|exchange| exchange.request.url.ends_with("/upsert")).count();
        prop_assert!(upserts <= 1);
        let replaces_tags = |exchange: &Exchange| {
            !exchange.request.url.ends_with("/tags") && String::from_utf8_lossy(&exchange.request.body).contains("tags")
        };
        prop_assert!(!exchanges.iter().any(replaces_tags));
    }

    #[test]
    fn nothing_shown_names_the_person(
        local in "[a-z0-9.+_-]{1,12}",
        number in "\\+[1-9][0-9]{7,13}",
        name in "[A-ZÄ][a-zä]{4,9} [A-Z][a-z]{4,9}",
        status in prop::sample::select(vec![200_u16, 400, 401, 403, 404, 422, 429, 500]),
        known in any::<bool>(),
    ) {
        let mut jane = contact();
        let address = format!("{local}@mail.example.com");
        jane.person.email = Email::parse(&address);
        jane.person.phone = Phone::parse(&number);
        jane.person.name = Some(name.clone());
        jane.identities.push(Identity { mode: jane.mode, kind: IdentityKind::Email, value: address.clone() });
        let (events, sync) = ([event("purchase")], samples::sync(known.then_some("4"), Some(&address)));
        let job = job(&events, Some(&jane), Some(&sync));
        let mut exchanges: Vec<Exchange> = Vec::new();
        for _ in 0..8 {
            let Step::Send(request) = highlevel().step(&job, &exchanges) else { break };
            let echoed = json!({
                "message": [format!("{address} {number} is a duplicate, not found")],
                "meta": {"contactId": number, "contactName": name},
            });
            exchanges.push(Exchange { request, reply: reply(status, &echoed.to_string()) });
        }
        let end = highlevel().step(&job, &exchanges);
        let shown = match &end { Step::Done(end) => format!("{:?} {:?} {exchanges:?}", end.outcome, end.notes), Step::Send(_) => format!("{exchanges:?}") };
        for private in [&address, &number] {
            prop_assert!(!shown.contains(private.as_str()), "{shown}");
        }
        for word in name.split(' ') {
            prop_assert!(!shown.contains(word), "{shown}");
        }
    }
}
