use serde_json::{Value, json};

use super::super::samples::{body, reply};
use super::super::{Exchange, Reply};
use super::tests::settings;
use super::*;

fn judged(ga4: &Ga4, reply: Reply) -> Outcome {
    ga4.judge_test(&Exchange { request: ga4.test().unwrap(), reply })
}

#[test]
fn the_test_is_a_sample_of_each_event_for_the_validation_server() {
    let mut settings = settings();
    settings.endpoint = "https://region1.google-analytics.com/".into();
    settings.event_names =
        vec![(EventKind::BookingAttended, "qualify_lead".into()), (EventKind::TrialStarted, "trial".into())];
    settings.params = vec![("medium".into(), Field::named("utm_medium").unwrap())];
    settings.user_data = true;
    let request = Ga4::new(settings).test().unwrap();
    assert_eq!(request.url, "https://region1.google-analytics.com/debug/mp/collect?measurement_id=G-TEST1");
    assert!(request.address().expose().ends_with("&api_secret=s3cret") && !request.shown().contains("s3cret"));
    let asked = body(&request);
    assert_eq!(asked["validation_behavior"], "ENFORCE_RECOMMENDATIONS");
    assert_eq!(asked["consent"]["ad_user_data"], "GRANTED");
    assert!(user_data::is_well_formed(&asked["user_data"]));
    assert!(asked.get("timestamp_micros").is_none());
    let names: Vec<&str> =
        asked["events"].as_array().unwrap().iter().map(|told| told["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "purchase",
            "purchase",
            "refund",
            "refund",
            "generate_lead",
            "booking_made",
            "qualify_lead",
            "payment_failed",
            "trial"
        ]
    );
    assert_eq!(asked["events"][0]["params"]["transaction_id"], "tallyhook-test");
    assert_eq!(asked["events"][0]["params"]["medium"], "sample");
    assert_eq!(asked["events"][7]["params"]["failure_code"], "card_declined");
}

#[test]
fn a_live_request_never_asks_for_the_validation_servers_rules() {
    let request = super::super::samples::sent(super::tests::step_with(
        &Ga4::new(settings()),
        &super::super::samples::event("purchase"),
        None,
        &[],
    ));
    assert!(body(&request).get("validation_behavior").is_none());
}

#[test]
fn what_the_validation_server_says_is_explained_with_the_event_it_is_about() {
    let ga4 = Ga4::new(settings());
    assert_eq!(judged(&ga4, reply(200, r#"{"validationMessages":[]}"#)), Outcome::Delivered);
    let proves = ga4.test_proves();
    assert!(proves.contains("Realtime") && proves.contains("`api_secret`") && proves.contains("never confirms"));

    let message =
        |path: &str, code: &str, text: &str| json!({"fieldPath": path, "description": text, "validationCode": code});
    let mut messages = vec![
        message("events[2].name", "NAME_RESERVED", "Event at index: [2] has name [refund] which is reserved."),
        message("", "SOMETHING_NEW", "write to jane@example.com"),
    ];
    let said = |messages: &[Value]| match judged(&ga4, reply(200, &json!({"validationMessages": messages}).to_string()))
    {
        Outcome::Permanent { class: FailureClass::Rejected, explanation } => explanation,
        other => panic!("{other:?}"),
    };
    let explanation = said(&messages);
    for part in [
        "`events[2].name` of \"refund\": NAME_RESERVED, Event at index: [2] has name [refund] which is reserved (give it another name",
        "the request: SOMETHING_NEW, write to ***",
        "nothing was recorded",
        "Realtime",
    ] {
        assert!(explanation.contains(part), "{part}: {explanation}");
    }
    messages.extend((0..9).map(|n| message(&format!("events[{n}].params.x"), "VALUE_INVALID", "no")));
    assert!(said(&messages).contains("; and 6 more."), "{}", said(&messages));
}

#[test]
fn an_answer_that_is_not_the_validation_servers_is_no_pass() {
    let ga4 = Ga4::new(settings());
    for answer in [reply(204, ""), reply(200, "{}"), reply(200, "ok")] {
        let outcome = judged(&ga4, answer);
        assert!(
            matches!(&outcome, Outcome::Broken { explanation } if explanation.contains("`endpoint`")),
            "{outcome:?}"
        );
    }
    assert!(matches!(judged(&ga4, reply(200, "<html>")), Outcome::Retry { .. }));
    assert!(matches!(judged(&ga4, reply(503, "")), Outcome::Retry { .. }));
    assert!(matches!(judged(&ga4, reply(404, "")), Outcome::Permanent { .. }));
}
