//! The browser that an event is told of: client id and session.

use super::*;

#[test]
fn the_whole_session_cookie_serves_as_well() {
    for cookie in ["GS1.1.1747130000.3.1.1747132999.60.0.0", "GS2.1.s1747130000$o1$g0$t1747132655$j0$l0$h0"] {
        let mut sale = event("purchase");
        sale.facts.attribution.session_id = Some(cookie.into());
        assert_eq!(params(&sale)["session_id"], "1747130000", "{cookie}");
    }
}

#[test]
fn the_session_counts_while_it_is_open() {
    let with_session = |start: String, client_id: &str| {
        let mut sale = event("purchase");
        sale.facts.attribution.session_id = Some(start);
        sale.facts.attribution.client_id = Some(client_id.into());
        params(&sale).get("session_id").is_some()
    };
    let ago = |minutes: u64| samples::SOLD_AT.before(Duration::from_secs(minutes * 60)).unix_seconds().to_string();
    let own = "1.2";
    assert!(with_session(ago(23 * 60 + 59), own));
    assert!(!with_session(ago(24 * 60), own));
    assert!(!with_session(ago(24 * 60 + 1), own));
    assert!(
        !with_session(samples::SOLD_AT.after(Duration::from_secs(3600)).unix_seconds().to_string(), own),
        "a later session"
    );
    for wrong in ["", "abc", "1747130000x", "1747130000000", "-1747130000", "99999999999999999999"] {
        assert!(!with_session(wrong.into(), own), "{wrong}");
    }
    assert!(!with_session(ago(1), "cus_123"), "a session means nothing without its browser");
}

#[test]
fn a_session_is_left_out_once_ga4_would_get_it_too_late() {
    let ga4 = ga4();
    let events = [event("purchase")];
    let delivery = samples::delivery(ga4.freeze(&events[0], None));
    let after = |hours: u64| {
        let now = Timestamp::from_unix_seconds(1_747_130_000).after(Duration::from_secs(hours * 3600));
        let job = Job { delivery: Some(&delivery), now, ..job(&events, None, None) };
        body(&sent(ga4.step(&job, &[])))["events"][0]["params"].get("session_id").is_some()
    };
    assert!(after(47));
    assert!(!after(48));
}

#[test]
fn the_client_id_is_the_browsers_wherever_it_was_said() {
    let ga4 = ga4();
    let mut sale = event("purchase");
    let mut jane = samples::contact();
    jane.first_attribution.client_id = Some("11.22".into());
    let of = |sale: &BusinessEvent, jane: &Contact| ga4.freeze(sale, Some(jane)).unwrap();
    assert_eq!(of(&sale, &jane).client_id.as_deref(), Some("1234567890.1747130000"));
    sale.facts.attribution.client_id = Some("jane@example.com".into());
    assert_eq!(of(&sale, &jane).client_id.as_deref(), Some("11.22"));
    jane.last_attribution.client_id = Some("GA1.1.33.44".into());
    assert_eq!(
        of(&sale, &jane),
        Frozen { kind: EventKind::Purchase, client_id: Some("33.44".into()), synthetic: false }
    );
    assert!(ga4.is_ready(&sale, Some(&jane)) && !ga4.is_ready(&sale, None));
}

#[test]
fn the_contacts_session_serves_the_contacts_browser() {
    let mut sale = event("purchase");
    sale.facts.attribution = Default::default();
    let mut jane = samples::contact();
    jane.last_attribution.client_id = Some("33.44".into());
    jane.last_attribution.session_id = Some("1747130000".into());
    let request = body(&sent(step_with(&ga4(), &sale, Some(&jane), &[])));
    assert_eq!(request["client_id"], "33.44");
    assert_eq!(request["events"][0]["params"]["session_id"], "1747130000");
}

#[test]
fn a_derived_client_id_is_the_same_for_ever_and_marked() {
    let ga4 = ga4();
    let mut sale = event("purchase");
    sale.facts.attribution = Default::default();
    let of = |sale: &BusinessEvent, contact: Option<&Contact>| ga4.freeze(sale, contact).unwrap().client_id.unwrap();
    let by_lead = of(&sale, None);
    assert_eq!(by_lead, "398907674.1043983524");
    assert_eq!(params(&sale)["synthetic"], 1);
    sale.facts.lead_id = None;
    assert_eq!(of(&sale, Some(&samples::contact())), by_lead, "the contact's lead id");
    let by_contact = of(&sale, Some(&stranger()));
    assert_eq!(by_contact, "561223054.1507117283");
    assert_eq!(of(&sale, None), by_contact);
    sale.contact = None;
    let by_sale = of(&sale, None);
    assert_eq!(by_sale, "305714746.1434673069");
    sale.facts.lead_id = Some("jane@example.com".into());
    assert_eq!(of(&sale, None), by_sale, "no hash of an address");
}

#[test]
fn without_a_client_id_and_without_a_fallback_nothing_is_sent() {
    let mut settings = settings();
    settings.client_id_fallback = ClientIdFallback::Skip;
    let ga4 = Ga4::new(settings);
    let mut sale = event("purchase");
    assert_eq!(ga4.admit(&sale, None), Admission::Send);
    sale.facts.attribution.client_id = None;
    assert_eq!(ga4.admit(&sale, Some(&samples::contact())), Admission::Suppress(Rule::NoClientId));
    assert_eq!(ga4.freeze(&sale, None), Some(Frozen { kind: EventKind::Purchase, client_id: None, synthetic: false }));
    assert_eq!(done(step_with(&ga4, &sale, None, &[])).outcome, Outcome::Suppressed(Rule::NoClientId));
    let mut jane = samples::contact();
    jane.last_attribution.client_id = Some("33.44".into());
    assert_eq!(ga4.admit(&sale, Some(&jane)), Admission::Send);
}
