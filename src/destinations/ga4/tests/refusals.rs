//! What is not sent, and what answers mean.

use super::*;

#[test]
fn consent_to_being_measured_decides() {
    for (answer, is_missing) in [(Some(true), false), (None, false), (Some(false), true)] {
        let needs = ga4().needs_consent(&EventKind::Purchase);
        let mut sale = event("purchase");
        sale.facts.consent.analytics = answer;
        assert_eq!(consent::missing(needs, &sale, None).is_some(), is_missing);
        let mut jane = samples::contact();
        jane.consent.analytics = answer;
        assert_eq!(consent::missing(needs, &event("purchase"), Some(&jane)).is_some(), is_missing);
    }
}

#[test]
fn consent_to_advertising_is_passed_on_only_when_known() {
    let mut sale = event("purchase");
    assert!(request(&sale).get("consent").is_none());
    for (answer, word) in [(true, "GRANTED"), (false, "DENIED")] {
        sale.facts.consent = Consent { ads: Some(answer), ..Consent::default() };
        assert_eq!(request(&sale)["consent"], json!({"ad_user_data": word, "ad_personalization": word}));
    }
}

#[test]
fn what_ga4_would_drop_is_refused_before_it_is_sent() {
    let refused = |change: fn(&mut BusinessEvent, &mut Settings), rule: &str| {
        let (mut sale, mut settings) = (event("purchase"), settings());
        change(&mut sale, &mut settings);
        let finished = done(step_with(&Ga4::new(settings), &sale, None, &[]));
        let Outcome::Permanent { class: FailureClass::Invalid, explanation } = finished.outcome else {
            panic!("{rule}: {:?}", finished.outcome)
        };
        assert!(explanation.contains(rule), "{explanation}");
        assert!(!explanation.contains("jane"), "{explanation}");
    };
    refused(
        |_, s| s.event_names = vec![(EventKind::Purchase, "first_open".into())],
        "NAME_RESERVED, the event name \"first_open\" is reserved",
    );
    refused(|e, _| e.kind = EventKind::Custom("booking made".into()), "NAME_INVALID");
    refused(|e, _| e.kind = EventKind::Custom("n".repeat(41)), "1 to 40");
    refused(|e, _| e.transaction_id = None, "VALUE_REQUIRED, `purchase` needs a `transaction_id`");
    refused(|e, _| e.transaction_id = Some(" ".into()), "needs a `transaction_id`");
    refused(
        |e, _| e.transaction_id = Some("order of jane@example.com".into()),
        "PERSONAL_DATA, the transaction id holds an e-mail address",
    );
    refused(|e, _| e.transaction_id = Some("o".repeat(101)), "VALUE_OUT_OF_BOUNDS");
    refused(|e, _| e.amount = None, "VALUE_REQUIRED, the purchase carries no amount");
    refused(|e, _| e.amount = Some(money(-1, "eur")), "not negative");
    refused(
        |_, s| s.default_item = DefaultItem { id: String::new(), name: String::new(), category: "x".into() },
        "neither `item_id`",
    );
}

#[test]
fn what_is_too_old_or_ahead_of_time_is_not_sent() {
    let ga4 = ga4();
    let events = [event("purchase")];
    let at = |now: Timestamp| ga4.step(&Job { now, ..job(&events, None, None) }, &[]);
    let deadline = ga4.deadline(samples::SOLD_AT).unwrap();
    assert_eq!(deadline, samples::SOLD_AT.after(Duration::from_secs(72 * 3600)));
    sent(at(deadline.before(Duration::from_millis(1))));
    assert!(matches!(done(at(deadline)).outcome, Outcome::Permanent { class: FailureClass::DeadlinePassed, .. }));
    sent(at(samples::SOLD_AT.before(Duration::from_secs(15 * 60))));
    let early = done(at(samples::SOLD_AT.before(Duration::from_secs(20 * 60)))).outcome;
    assert!(matches!(early, Outcome::Retry { after: Some(wait), .. } if wait == Duration::from_secs(300)));
}

#[test]
fn answers_mean_what_their_status_says() {
    let finished = |kind: &str, reply| done(step_with(&ga4(), &event(kind), None, &[reply]));
    let accepted = finished("purchase", reply(204, ""));
    assert_eq!((accepted.outcome, accepted.notes), (Outcome::Delivered, vec![ACCEPTED.to_owned()]));
    assert_eq!(finished("purchase", reply(200, "")).outcome, Outcome::Delivered);
    let page = finished("refund", reply(200, "<html>Please log in")).outcome;
    assert!(matches!(&page, Outcome::Retry { explanation, .. } if explanation.contains("web page")), "{page:?}");
    assert!(matches!(finished("purchase", reply(503, "")).outcome, Outcome::Retry { .. }));
    assert!(matches!(finished("purchase", reply(429, "")).outcome, Outcome::SlowDown { .. }));
    for (status, broken) in [(400, false), (404, false), (401, true), (302, true)] {
        let (Outcome::Permanent { explanation, .. } | Outcome::Broken { explanation }) =
            finished("purchase", reply(status, "")).outcome
        else {
            panic!("{status}")
        };
        assert!(explanation.contains("`endpoint`"), "{explanation}");
        assert_eq!(
            matches!(finished("purchase", reply(status, "")).outcome, Outcome::Broken { .. }),
            broken,
            "{status}"
        );
    }
    assert!(matches!(finished("purchase", timed_out()).outcome, Outcome::Retry { .. }));
    assert!(matches!(finished("refund", timed_out()).outcome, Outcome::Ambiguous { .. }));
    let ga4 = ga4();
    for (kind, policy) in [
        ("refund", AmbiguousPolicy::Retry),
        ("dispute_lost", AmbiguousPolicy::Retry),
        ("lead", AmbiguousPolicy::Drop),
        ("payment_failed", AmbiguousPolicy::Drop),
    ] {
        assert_eq!(ga4.ambiguous(&kind.parse().unwrap()), policy, "{kind}");
    }
    assert!(ga4.probe().is_none() && ga4.default_rate_limit().is_none());
}

#[test]
fn personal_data_in_a_parameter_are_left_out_and_noted() {
    let mut sale = event("purchase");
    sale.facts.details.coupon = Some("for jane@example.com".into());
    sale.facts.attribution.utm_campaign = Some("call +49 30 12345678".into());
    sale.facts.service_name = Some("4242 4242 4242 4242".into());
    let request = body(&sent(step_with(&ga4(), &sale, None, &[])));
    let params = &request["events"][0]["params"];
    assert!(params.get("coupon").is_none() && params.get("lead_campaign").is_none());
    assert_eq!(params["items"][0]["item_id"], "default_service");
    assert_eq!(
        done(step_with(&ga4(), &sale, None, &[reply(204, "")])).notes,
        [
            "`coupon` was left out: it holds an e-mail address, which GA4's policy forbids",
            "`lead_campaign` was left out: it holds a phone number, which GA4's policy forbids",
            "`item_name` was left out: it holds a card number, which GA4's policy forbids",
            ACCEPTED,
        ]
    );
}

proptest! {
    #[test]
    fn no_personal_data_ever_reach_ga4(
        around in "[ -~äß]{0,12}",
        personal in prop_oneof![
            "[a-z0-9.+_-]{1,12}@[a-z]{1,9}\\.[a-z]{2,4}",
            "\\+[1-9][0-9]{7,13}",
        ],
        places in prop::collection::vec(any::<bool>(), 12),
    ) {
        let text = format!("{around} {personal} {around}");
        let mut sale = event("purchase");
        let put = |place: usize, field: &mut Option<String>| if places[place] { *field = Some(text.clone()) };
        put(0, &mut sale.facts.details.coupon);
        put(1, &mut sale.facts.details.payment_method_type);
        put(2, &mut sale.facts.pricing_tier);
        put(3, &mut sale.facts.lead_id);
        put(4, &mut sale.facts.attribution.utm_source);
        put(5, &mut sale.facts.attribution.utm_campaign);
        put(6, &mut sale.facts.service_id);
        put(7, &mut sale.facts.service_name);
        put(8, &mut sale.facts.attribution.client_id);
        put(9, &mut sale.facts.attribution.session_id);
        put(10, &mut sale.facts.user_id);
        put(11, &mut sale.transaction_id);
        let mut jane = samples::contact();
        jane.identities.push(Identity { mode: Mode::Live, kind: IdentityKind::Lead, value: text.clone() });
        match step_with(&ga4(), &sale, Some(&jane), &[]) {
            Step::Send(request) => {
                let body = String::from_utf8(request.body.clone()).unwrap();
                prop_assert!(!body.contains(&personal), "{body}");
                for known in ["jane", "Jane", "Doe", "12345678\""] {
                    prop_assert!(!body.contains(known), "{known}: {body}");
                }
                prop_assert_eq!(validate::violations(&request.body, samples::SOLD_AT), []);
                prop_assert!(!request.shown().contains(&personal));
            }
            Step::Done(finished) => {
                prop_assert!(places[11], "{finished:?}");
                let told = format!("{finished:?}");
                prop_assert!(!told.contains(&personal));
            }
        }
    }

    #[test]
    fn whatever_the_texts_ga4_takes_what_is_sent(text in "\\PC{0,150}", minor in 0_i64..1_000_000_000_000) {
        let mut sale = event("renewal");
        sale.amount = Some(money(minor, "eur"));
        sale.facts.details.coupon = Some(text.clone());
        sale.facts.service_name = Some(text.clone());
        sale.facts.attribution.utm_source = Some(text);
        let request = sent(step_with(&ga4(), &sale, None, &[]));
        prop_assert_eq!(validate::violations(&request.body, samples::SOLD_AT), []);
    }
}
