use proptest::prelude::*;
use serde_json::json;

use super::super::samples::{
    self, body, contact, done, event, job, lines, money, play, reply, sent, stranger, sync, timed_out,
};
use super::super::{NoAnswer, Reply};
use super::*;
use crate::model::delivery::{ContactSync, FailureClass};
use crate::model::identity::{Identity, IdentityKind, Phone};
use crate::model::money::Sums;

fn crm() -> Rest {
    Rest::new(settings())
}

fn settings() -> Settings {
    Settings::new("https://crm.example.com/api", Secret::new("k3y"))
}

const SEARCH: &str = "GET https://crm.example.com/api/contacts?external_id=lead_7";
const CREATE: &str = "POST https://crm.example.com/api/contacts";
const CHANGE_9: &str = "PATCH https://crm.example.com/api/contacts/9";

/// Plays a purchase of Jane's against replies: the lines of the requests, and the end.
fn run(sync: Option<&ContactSync>, replies: &[Reply]) -> (Vec<String>, Finished) {
    let (events, jane) = ([event("purchase")], contact());
    let (requests, step) = play(&crm(), &job(&events, Some(&jane), sync), replies);
    (lines(&requests), done(step))
}

fn nobody() -> Reply {
    reply(200, r#"{"contacts":[]}"#)
}

fn contact_9() -> Reply {
    reply(200, r#"{"data":[{"id":9,"external_id":"lead_7"}]}"#)
}

#[test]
fn a_contact_as_the_crm_gets_it() {
    let (events, jane) = ([event("purchase")], contact());
    let (requests, step) = play(&crm(), &job(&events, Some(&jane), None), &[nobody()]);
    let create = sent(step);
    assert_eq!(lines(&requests), [SEARCH]);
    assert!(requests[0].repeatable && requests[0].body.is_empty());
    assert_eq!(requests[0].headers, [("accept", "application/json".to_owned())]);
    assert_eq!(
        create.headers,
        [
            ("accept", "application/json".to_owned()),
            ("content-type", "application/json".to_owned()),
            ("idempotency-key", "b5.1.0".to_owned()),
        ]
    );
    assert_eq!(create.secret_header, Some(("authorization", Secret::new("Bearer k3y"))));
    assert!(!create.repeatable);
    assert_eq!(
        body(&create),
        json!({
            "external_id": "lead_7",
            "user_id": "user_3",
            "email": "jane@example.com",
            "phone": "+493012345678",
            "name": "Jane Doe",
            "last_transaction_id": "pi_1",
            "last_transaction_amount": 99.5,
            "last_transaction_date": "2025-05-13T10:36:01.000Z",
            "total_spent": 99.5,
            "utm_source": "newsletter",
            "utm_campaign": "spring",
            "pricing_tier": "premium",
            "lifecycle_stage": "customer",
            "customer_since": "2025-05-13T10:36:01.000Z",
            "tags": ["customer", "payment_method_card", "pricing_tier_premium"],
        })
    );
    for private in ["jane", "Jane", "1234", "k3y"] {
        assert!(!create.shown().contains(private), "{}", create.shown());
    }
}

#[test]
fn what_is_not_known_is_left_out() {
    let mut lead = event("lead");
    lead.facts = Default::default();
    let events = [lead];
    let nameless = stranger();
    let (requests, step) = play(&crm(), &job(&events, Some(&nameless), None), &[nobody()]);
    assert_eq!(lines(&requests), ["GET https://crm.example.com/api/contacts?external_id=c12"]);
    assert_eq!(body(&sent(step)), json!({"external_id": "c12", "lifecycle_stage": "lead"}));
}

#[test]
fn totals_are_exact_in_every_currency() {
    let of = |totals: &[(i64, &str)], currency: Option<&str>| {
        let mut jane = contact();
        jane.totals = Sums::from_amounts(totals.iter().map(|(minor, code)| money(*minor, code)));
        jane.last_sale.as_mut().unwrap().amount.0 =
            money(totals.first().map_or(100, |(minor, _)| *minor), totals.first().map_or("eur", |(_, code)| *code));
        let crm = Rest::new(Settings { currency: currency.map(|code| code.parse().unwrap()), ..crm().settings });
        let events = [event("refund")];
        let known = sync(Some("9"), None);
        let mut told = body(&sent(crm.step(&job(&events, Some(&jane), Some(&known)), &[])));
        let told = told.as_object_mut().unwrap();
        told.retain(|key, _| key.starts_with("total_spent"));
        serde_json::Value::Object(told.clone())
    };
    assert_eq!(of(&[(4500, "jpy")], None), json!({"total_spent": 4500}));
    assert_eq!(of(&[(5120, "kwd")], None), json!({"total_spent": 5.12}));
    assert_eq!(of(&[(1000, "usd"), (1, "eur")], None), json!({"total_spent": 0.01, "total_spent_usd": 10}));
    assert_eq!(of(&[(1000, "usd"), (1, "eur")], Some("usd")), json!({"total_spent": 10, "total_spent_eur": 0.01}));
    assert_eq!(of(&[(1000, "usd")], Some("eur")), json!({"total_spent": 0, "total_spent_usd": 10}));
    assert_eq!(of(&[(-500, "eur")], None), json!({"total_spent": -5}));
    assert_eq!(of(&[], None), json!({"total_spent": 0}), "everything was given back");
}

#[test]
fn a_lost_dispute_leaves_what_the_customer_kept_paying() {
    // The ledger has taken the dispute off; what was spent is told as it is now, whatever the event's own amount.
    let mut lost = event("dispute_lost");
    lost.amount = Some(money(5000, "eur"));
    let (mut jane, known) = (contact(), sync(Some("9"), None));
    jane.totals = Sums::from_amounts([money(4950, "eur")]);
    jane.disputes_lost = 1;
    let events = [lost];
    let change = sent(crm().step(&job(&events, Some(&jane), Some(&known)), &[]));
    assert_eq!(
        body(&change),
        json!({
            "external_id": "lead_7",
            "user_id": "user_3",
            "email": "jane@example.com",
            "phone": "+493012345678",
            "name": "Jane Doe",
            "last_transaction_id": "pi_1",
            "last_transaction_amount": 99.5,
            "last_transaction_date": "2025-05-13T10:36:01.000Z",
            "total_spent": 49.5,
            "utm_source": "newsletter",
            "utm_campaign": "spring",
            "pricing_tier": "premium",
            "lifecycle_stage": "customer",
            "customer_since": "2025-05-13T10:36:01.000Z",
            "tags": ["customer", "payment_method_card", "pricing_tier_premium"],
        })
    );
}

#[test]
fn the_stage_follows_sales_and_subscriptions() {
    let stage = |person: &Contact| {
        let events = [event("subscription_ended")];
        let known = sync(Some("9"), None);
        body(&sent(crm().step(&job(&events, Some(person), Some(&known)), &[])))
    };
    let later = |days: u64| samples::SOLD_AT.after(std::time::Duration::from_secs(days * 86_400));
    let mut person = stranger();
    assert_eq!(stage(&person)["lifecycle_stage"], "lead");
    assert!(stage(&person).get("customer_since").is_none());
    person.subscriptions.running = 1;
    person.subscriptions.first_started_at = Some(later(1));
    let told = stage(&person);
    assert_eq!(
        (&told["lifecycle_stage"], &told["tags"]),
        (&json!("customer"), &json!(["customer", "pricing_tier_premium"]))
    );
    assert_eq!(told["customer_since"], "2025-05-14T10:36:01.000Z");
    person.subscriptions.running = 0;
    person.subscriptions.ended = 1;
    person.subscriptions.last_ended_at = Some(later(30));
    let told = stage(&person);
    assert_eq!(
        (&told["lifecycle_stage"], &told["tags"]),
        (&json!("churned"), &json!(["customer", "pricing_tier_premium"]))
    );
    person.last_sale = contact().last_sale;
    assert_eq!(stage(&person)["lifecycle_stage"], "churned", "what was bought before the end keeps nobody");
    person.last_sale.as_mut().unwrap().at = later(31);
    assert_eq!(stage(&person)["lifecycle_stage"], "customer");
}

#[test]
fn tags_are_the_union_of_what_waits() {
    let mut paid_by_sepa = event("renewal");
    paid_by_sepa.facts.pricing_tier = Some("enterprise".into());
    paid_by_sepa.facts.details.payment_method_type = Some("sepa_debit".into());
    let mut declined = event("payment_failed");
    declined.facts.details.payment_method_type = Some("paypal".into());
    let events = [event("purchase"), paid_by_sepa, declined];
    let (jane, known) = (contact(), sync(Some("9"), None));
    let change = sent(crm().step(&job(&events, Some(&jane), Some(&known)), &[]));
    assert_eq!(
        body(&change)["tags"],
        json!([
            "customer",
            "payment_method_card",
            "payment_method_sepa_debit",
            "pricing_tier_enterprise",
            "pricing_tier_premium"
        ])
    );
}

#[test]
fn the_external_id_first_used_stays() {
    let (events, jane) = ([event("purchase")], contact());
    let known = sync(None, Some("c3"));
    let step = crm().step(&job(&events, Some(&jane), Some(&known)), &[]);
    assert_eq!(lines(&[sent(step)]), ["GET https://crm.example.com/api/contacts?external_id=c3"]);
    let mut odd = contact();
    odd.identities = vec![Identity { mode: odd.mode, kind: IdentityKind::Lead, value: "a b+c&d@e".into() }];
    let step = crm().step(&job(&events, Some(&odd), None), &[]);
    assert_eq!(lines(&[sent(step)]), ["GET https://crm.example.com/api/contacts?external_id=a%20b%2Bc%26d%40e"]);
}

#[test]
fn nobody_is_created_and_somebody_changed() {
    let (asked, end) = run(None, &[nobody(), reply(201, r#"{"contact":{"id":"9"}}"#)]);
    assert_eq!(asked, [SEARCH, CREATE]);
    assert_eq!(
        end,
        Finished {
            remote_id: Some("9".into()),
            external_id: Some("lead_7".into()),
            ..Finished::new(Outcome::Delivered)
        }
    );

    let (asked, end) = run(None, &[contact_9(), reply(200, "{}")]);
    assert_eq!(asked, [SEARCH, CHANGE_9]);
    assert_eq!(
        end,
        Finished {
            remote_id: Some("9".into()),
            external_id: Some("lead_7".into()),
            ..Finished::new(Outcome::Delivered)
        }
    );

    let (asked, end) = run(Some(&sync(Some("9"), Some("lead_7"))), &[reply(204, "")]);
    assert_eq!(asked, [CHANGE_9]);
    assert_eq!(end.outcome, Outcome::Delivered);
}

#[test]
fn a_contact_that_is_gone_is_searched_once() {
    let known = sync(Some("4"), Some("lead_7"));
    let gone = "PATCH https://crm.example.com/api/contacts/4";
    for status in [404, 410] {
        let (asked, end) = run(Some(&known), &[reply(status, ""), nobody(), reply(201, r#"{"id":9}"#)]);
        assert_eq!(asked, [gone, SEARCH, CREATE]);
        assert_eq!((end.outcome, end.remote_id.as_deref()), (Outcome::Delivered, Some("9")));
        assert_eq!(end.notes, [format!("the CRM no longer has contact 4 ({status}); searched for it again")]);
        let (asked, end) = run(Some(&known), &[reply(status, ""), contact_9(), reply(200, "")]);
        assert_eq!((asked, end.remote_id.as_deref()), (vec![gone.into(), SEARCH.into(), CHANGE_9.into()], Some("9")));
    }
    let (_, end) = run(Some(&known), &[reply(404, ""), contact_9(), reply(404, "")]);
    assert!(matches!(end.outcome, Outcome::Retry { .. }), "{end:?}");
}

#[test]
fn a_conflict_means_search_again() {
    let (asked, end) = run(None, &[nobody(), reply(409, ""), contact_9(), reply(200, "")]);
    assert_eq!(asked, [SEARCH, CREATE, SEARCH, CHANGE_9]);
    assert_eq!((end.outcome, end.remote_id.as_deref()), (Outcome::Delivered, Some("9")));

    let (asked, end) = run(None, &[nobody(), reply(409, ""), nobody()]);
    assert_eq!(asked, [SEARCH, CREATE, SEARCH]);
    assert!(matches!(end.outcome, Outcome::Retry { .. }), "never a second POST: {end:?}");
    assert_eq!(end.external_id.as_deref(), Some("lead_7"));

    let known = sync(Some("4"), None);
    let (asked, _) = run(Some(&known), &[reply(404, ""), nobody(), reply(409, ""), contact_9(), reply(200, "")]);
    assert_eq!(asked.len(), 5);
    let (_, end) = run(Some(&known), &[reply(409, "")]);
    assert!(matches!(end.outcome, Outcome::Retry { .. }));
}

#[test]
fn of_several_the_oldest_is_changed_and_the_rest_reported() {
    let several = r#"[{"id":"5","external_id":"lead_7","created_at":"2026-02-01T00:00:00Z"},
        {"id":"9","external_id":"lead_7","created_at":"2026-01-01T00:00:00Z"}]"#;
    let (asked, end) = run(None, &[reply(200, several), reply(200, "{}")]);
    assert_eq!(asked, [SEARCH, CHANGE_9]);
    assert_eq!(end.left_over, ["5"], "it is reported once");
    assert_eq!(
        end.notes,
        ["the CRM has 2 contacts with external_id lead_7; the oldest, 9, was changed: merge the others into it"]
    );
}

#[test]
fn an_answer_that_is_no_list_is_not_nobody() {
    let huge = format!("<html>{}", "x".repeat(1024 * 1024));
    for garbage in ["", "<html>login</html>", "ok", "{}", "null", r#"{"contacts":null}"#, r#"{"total":0}"#, &huge] {
        let (asked, end) = run(None, &[reply(200, garbage)]);
        assert_eq!(asked, [SEARCH]);
        let Outcome::Retry { explanation, .. } = end.outcome else { panic!("{garbage}: {:?}", end.outcome) };
        assert!(explanation.contains("`base_url`") && explanation.len() < 400, "{explanation}");
    }
}

#[test]
fn contacts_that_do_not_tell_whose_they_are_hold_the_destination() {
    let everybody = reply(200, r#"{"contacts":[{"id":1,"email":"a@example.com"},{"id":2,"email":"b@example.com"}]}"#);
    let (asked, end) = run(None, std::slice::from_ref(&everybody));
    assert_eq!(asked, [SEARCH], "nobody is changed, and nobody made");
    let Outcome::Broken { explanation } = &end.outcome else { panic!("{end:?}") };
    assert!(explanation.contains("`external_id`") && explanation.contains("`external_id_pointer`"), "{explanation}");
    assert_eq!((end.remote_id, end.external_id), (None, None));
    let test = |reply: Reply| crm().judge_test(&Exchange { request: crm().probe().unwrap(), reply });
    let Outcome::Permanent { explanation: tested, .. } = test(everybody) else { panic!("a test must tell") };
    assert_eq!(&tested, explanation);
    let Outcome::Permanent { explanation: tested, .. } = test(contact_9()) else { panic!("a test must tell") };
    assert!(tested.contains("does not filter"), "{tested}");
    assert_eq!(test(nobody()), Outcome::Delivered);
    assert!(matches!(test(reply(401, "")), Outcome::Broken { .. }));
}

#[test]
fn a_create_whose_fate_is_unknown_is_searched_for_next_time() {
    let (asked, end) = run(None, &[nobody(), timed_out()]);
    assert_eq!(asked, [SEARCH, CREATE]);
    assert!(matches!(end.outcome, Outcome::Ambiguous { .. }));
    assert_eq!((end.remote_id, end.external_id.as_deref()), (None, Some("lead_7")));
    assert_eq!(crm().ambiguous(&EventKind::Lead), AmbiguousPolicy::Retry);

    let again = sync(None, Some("lead_7"));
    let (asked, end) = run(Some(&again), &[contact_9(), reply(200, "")]);
    assert_eq!((asked, end.outcome), (vec![SEARCH.into(), CHANGE_9.into()], Outcome::Delivered));
}

#[test]
fn time_outs_of_what_may_be_repeated_are_ordinary_failures() {
    let known = sync(Some("9"), None);
    for (sync, replies) in
        [(None, vec![timed_out()]), (None, vec![contact_9(), timed_out()]), (Some(&known), vec![timed_out()])]
    {
        assert!(matches!(run(sync, &replies).1.outcome, Outcome::Retry { .. }));
    }
    let refused = Err(NoAnswer::NotSent("connection refused".into()));
    assert!(matches!(run(None, &[nobody(), refused]).1.outcome, Outcome::Retry { .. }));
}

#[test]
fn every_request_can_be_refused() {
    let known = sync(Some("9"), None);
    for (status, judge) in [
        (401, (|outcome| matches!(outcome, Outcome::Broken { .. })) as fn(&Outcome) -> bool),
        (302, |outcome| matches!(outcome, Outcome::Broken { .. })),
        (403, |outcome| matches!(outcome, Outcome::Forbidden { .. })),
        (422, |outcome| matches!(outcome, Outcome::Permanent { class: FailureClass::Rejected, .. })),
        (429, |outcome| matches!(outcome, Outcome::SlowDown { .. })),
        (503, |outcome| matches!(outcome, Outcome::Retry { .. })),
    ] {
        for (sync, before) in
            [(None, vec![]), (None, vec![nobody()]), (None, vec![contact_9()]), (Some(&known), vec![])]
        {
            let replies = [before, vec![reply(status, "no jane@example.com")]].concat();
            let outcome = run(sync, &replies).1.outcome;
            assert!(judge(&outcome), "{status}: {outcome:?}");
            assert!(!format!("{outcome:?}").contains("jane"));
        }
    }
}

#[test]
fn a_web_page_is_no_success() {
    let page = || reply(200, " <!doctype html><title>Sign in</title>");
    let known = sync(Some("9"), None);
    assert!(matches!(run(Some(&known), &[page()]).1.outcome, Outcome::Retry { .. }));
    assert!(matches!(run(None, &[nobody(), page()]).1.outcome, Outcome::Retry { .. }));
    let (_, end) = run(None, &[nobody(), reply(201, "created")]);
    assert_eq!((end.outcome, end.remote_id), (Outcome::Delivered, None));
    assert_eq!(end.notes.len(), 1);
}

#[test]
fn ids_of_the_crm_are_encoded_in_paths() {
    let odd = sync(Some("../users/1?x"), None);
    let (asked, _) = run(Some(&odd), &[reply(200, "")]);
    assert_eq!(asked, ["PATCH https://crm.example.com/api/contacts/..%2Fusers%2F1%3Fx"]);
}

#[test]
fn a_crm_with_words_of_its_own_is_spoken_to_in_them() {
    let mapped = |name: &str, content: &str| Mapped { name: name.into(), content: Content::named(content).unwrap() };
    let own = Rest::new(Settings {
        contacts_path: "/v2/people/".into(),
        search_parameter: "filter[ref]".into(),
        update_method: Method::Put,
        layout: Layout { list_pointer: Some("/result".into()), id_pointer: Some("/key".into()), ..Layout::default() },
        fields: vec![
            mapped("ref", "external_id"),
            mapped("mail", "email"),
            mapped("ltv", "total_spent"),
            mapped("last_event", "kind"),
            mapped("labels", "tags"),
            mapped("plan", "subscription_plan"),
        ],
        ..settings()
    });
    let (events, mut jane) = ([event("purchase")], contact());
    jane.totals = Sums::from_amounts([money(9950, "eur"), money(100, "usd")]);
    let job = job(&events, Some(&jane), None);
    let found = reply(200, r#"{"result":[{"key":9,"ref":"lead_7"}]}"#);
    let (requests, step) = play(&own, &job, &[found, reply(200, "")]);
    assert_eq!(
        lines(&requests),
        [
            "GET https://crm.example.com/api/v2/people?filter%5Bref%5D=lead_7",
            "PUT https://crm.example.com/api/v2/people/9"
        ]
    );
    assert_eq!(
        body(&requests[1]),
        json!({
            "ref": "lead_7", "mail": "jane@example.com", "ltv": 99.5, "ltv_usd": 1, "last_event": "purchase",
            "labels": ["customer", "payment_method_card", "pricing_tier_premium"],
        })
    );
    assert_eq!(done(step).remote_id.as_deref(), Some("9"));
    let (requests, step) = play(&own, &job, &[reply(200, r#"{"result":[]}"#), reply(201, r#"{"data":{"key":"n1"}}"#)]);
    assert_eq!(lines(&requests)[1], "POST https://crm.example.com/api/v2/people");
    assert_eq!(done(step).remote_id.as_deref(), Some("n1"));
    let stranger = reply(200, r#"{"result":[{"key":9,"ref":"somebody else"}]}"#);
    let (_, step) = play(&own, &job, &[stranger]);
    let Outcome::Retry { explanation, .. } = done(step).outcome else { panic!("a stranger must not be changed") };
    assert!(explanation.contains("another `ref`"), "{explanation}");
}

#[test]
fn only_a_contact_can_be_told() {
    let events = [event("purchase")];
    assert_eq!(crm().admit(&events[0], None), Admission::Suppress(Rule::NoContact));
    assert_eq!(crm().admit(&events[0], Some(&stranger())), Admission::Send);
    assert_eq!(done(crm().step(&job(&events, None, None), &[])).outcome, Outcome::Suppressed(Rule::NoContact));
    assert_eq!(
        crm().default_events().iter().map(EventKind::name).collect::<std::collections::BTreeSet<_>>(),
        EventKind::named().collect()
    );
    let probe = crm().probe().unwrap();
    assert_eq!(lines(&[probe]), ["GET https://crm.example.com/api/contacts?external_id=tallyhook-probe"]);
}

proptest! {
    #[test]
    fn any_answers_end_in_five_requests(
        known in any::<bool>(),
        answers in prop::collection::vec((prop::sample::select(vec![200_u16, 201, 204, 404, 409, 410, 500]), prop::sample::select(vec!["", "[]", r#"[{"id":9,"external_id":"lead_7"}]"#, r#"[{"id":9}]"#, r#"{"id":9}"#, "<p>", "{"])), 6),
    ) {
        let (events, jane, sync) = ([event("purchase")], contact(), sync(known.then_some("4"), None));
        let job = job(&events, Some(&jane), Some(&sync));
        let mut exchanges = Vec::new();
        for (status, text) in answers {
            match crm().step(&job, &exchanges) {
                Step::Send(request) => {
                    prop_assert!(!request.shown().contains("jane") && !request.shown().contains("Doe"));
                    exchanges.push(Exchange { request, reply: reply(status, text) });
                }
                Step::Done(_) => break,
            }
        }
        prop_assert!(matches!(crm().step(&job, &exchanges), Step::Done(_)));
        prop_assert!(exchanges.len() <= 5);
        prop_assert!(exchanges.iter().filter(|exchange| exchange.request.method == Method::Post).count() <= 1);
    }

    #[test]
    fn nothing_shown_names_the_person(local in "[a-z0-9.+_-]{1,12}", number in "\\+[1-9][0-9]{7,13}", name in "[A-ZÄ][a-zä]{4,9} [A-Z][a-z]{4,9}") {
        let mut jane = samples::contact();
        let address = format!("{local}@mail.example.com");
        jane.person.email = crate::model::identity::Email::parse(&address);
        jane.person.phone = Phone::parse(&number);
        jane.person.name = Some(name.clone());
        jane.identities.push(Identity { mode: jane.mode, kind: IdentityKind::Email, value: address.clone() });
        let (events, known) = ([event("purchase")], sync(Some(&address), Some(&number)));
        let change = sent(crm().step(&job(&events, Some(&jane), Some(&known)), &[]));
        for private in [&address, &number, &name] {
            prop_assert!(!change.shown().contains(private.as_str()), "{}", change.shown());
            let echoed = format!("{private} is taken, {}", String::from_utf8_lossy(&change.body));
            let exchange = Exchange { request: change.clone(), reply: reply(422, &echoed) };
            let end = format!("{:?} {exchange:?}", crm().step(&job(&events, Some(&jane), Some(&known)), std::slice::from_ref(&exchange)));
            prop_assert!(!end.contains(private.as_str()), "{end}");
        }
    }
}
