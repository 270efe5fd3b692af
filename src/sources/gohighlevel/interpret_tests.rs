use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::model::booking::{BookingStatus, BookingStep};
use crate::model::business_event::EventKind;
use crate::model::envelope::Envelope;
use crate::model::secret::Secret;
use crate::model::statement::{Claim, ObjectKind, ObjectRef};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

pub(in super::super) fn settings() -> Settings {
    Settings {
        locations: vec!["loc1".into()],
        app_id: None,
        public_keys: Vec::new(),
        legacy_signature: false,
        token: Some(Secret::new("t-0123456789-0123456789")),
        replay_window: Duration::from_secs(7200),
        currency: Some("eur".parse().unwrap()),
        event_id: "customData.event_id".into(),
        tags: vec!["Webinar joined".into()],
    }
}

fn told_at(event: Option<&str>, body: &Value) -> Interpreted {
    let envelope = Envelope { headers: Vec::new(), event: event.map(str::to_owned) };
    let bytes = body.to_string().into_bytes();
    interpret(&settings(), None, &Message { envelope: &envelope, body: &bytes, received_at: NOW }).unwrap()
}

fn said(event: Option<&str>, body: Value) -> (Statement, Vec<String>) {
    let told = told_at(event, &body);
    match told.meaning {
        Meaning::Statement(statement) => (*statement, told.notes),
        other => panic!("{other:?} {:?}", told.notes),
    }
}

#[test]
fn a_number_without_a_country_code_is_of_the_configured_country() {
    let body = app("ContactCreate", json!({"id": "con_1", "phone": "030 1234567"})).to_string().into_bytes();
    let phone = |country: Option<Country>| {
        let told = interpret(&settings(), country, &Message::bare(&body, NOW)).unwrap();
        let Meaning::Statement(statement) = told.meaning else { panic!() };
        statement.person.phone.map(|phone| phone.as_str().to_owned())
    };
    assert_eq!((phone("DE".parse().ok()).as_deref(), phone(None)), (Some("+49301234567"), None));
}

/// A marketplace webhook with these fields.
fn app(event_type: &str, fields: Value) -> Value {
    let mut body = json!({"type": event_type, "locationId": "loc1", "webhookId": "wh-1", "appId": "a", "timestamp": "2027-01-15T08:00:01.500Z"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn step(statement: &Statement) -> &BookingStep {
    match &statement.claim {
        Claim::Booking(step) => step,
        other => panic!("{other:?}"),
    }
}

fn happened(statement: &Statement) -> Vec<(&str, Timestamp, Option<i64>)> {
    match &statement.claim {
        Claim::Happened(happened) => happened
            .iter()
            .map(|happening| (happening.kind.name(), happening.at, happening.value.map(|value| value.minor)))
            .collect(),
        Claim::Nothing => Vec::new(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_contact_is_a_lead_with_all_that_is_known() {
    let body = app(
        "ContactCreate",
        json!({"id": "con1", "firstName": "Jana", "lastName": "Nová", "email": "Jana@Example.com", "phone": "+420777123456",
            "tags": ["vip", "webinar JOINED"], "dateAdded": "2027-01-15T08:00:00.000Z",
            "attributionSource": {"medium": "form", "mediumId": null, "utmSource": "google", "gclid": "g1"}}),
    );
    let told = told_at(None, &body);
    assert_eq!((told.provider_id.as_str(), told.event_type.as_str()), ("wh-1", "ContactCreate"));
    assert_eq!(told.scope.to_string(), "gohighlevel/loc1/live");
    assert_eq!(told.created, Some(at("2027-01-15T08:00:01.500Z")));
    let (statement, notes) = said(None, body);
    assert_eq!(statement.object, ObjectRef::new(ObjectKind::Customer, "con1"));
    assert_eq!(statement.customer.as_deref(), Some("con1"));
    assert_eq!(statement.person.email.as_ref().unwrap().as_str(), "jana@example.com");
    assert_eq!(statement.person.phone.as_ref().unwrap().as_str(), "+420777123456");
    assert_eq!(statement.person.name.as_deref(), Some("Jana Nová"));
    assert_eq!(
        happened(&statement),
        [("lead", at("2027-01-15T08:00:00Z"), None), ("tag_webinar_joined", at("2027-01-15T08:00:01.500Z"), None)]
    );
    let touch = &statement.tags.attribution;
    assert_eq!((touch.utm_source.as_deref(), touch.gclid.as_deref()), (Some("google"), Some("g1")));
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn the_shape_of_the_guide_with_its_data_inside_is_read_too() {
    let body = json!({"type": "ContactCreate", "locationId": "loc1", "webhookId": "w", "timestamp": "2027-01-15T08:00:00Z",
        "data": {"id": "con1", "email": "jana@example.com"}});
    let (statement, _) = said(None, body);
    assert_eq!((statement.object.id.as_str(), statement.person.email.is_some()), ("con1", true));
}

#[test]
fn changes_make_no_leads_and_own_contacts_neither() {
    let (changed, _) = said(None, app("ContactUpdate", json!({"id": "con1", "email": "a@example.com"})));
    assert_eq!(happened(&changed), []);
    let (own, notes) = said(None, app("ContactCreate", json!({"id": "con1", "source": "Tallyhook"})));
    assert_eq!(happened(&own), []);
    assert!(notes[0].starts_with("nothing to count"), "{notes:?}");
    let deleted = told_at(None, &app("ContactDelete", json!({"id": "con1"})));
    assert_eq!(deleted.meaning, Meaning::Ignored);
}

#[test]
fn do_not_disturb_is_a_no_to_mail_and_its_end_is_no_yes() {
    let mail = |fields: Value| said(None, app("ContactDndUpdate", fields)).0.tags.consent.email;
    let setting = |status: &str| json!({"id": "c", "dnd": true, "dndSettings": {"Email": {"status": status}}});
    assert_eq!(mail(setting("active")), Some(false));
    assert_eq!(mail(setting("permanent")), Some(false));
    assert_eq!(mail(setting("inactive")), None);
    assert_eq!(mail(json!({"id": "c", "dnd": true})), Some(false));
    assert_eq!(mail(json!({"id": "c", "dnd": true, "dndSettings": {"SMS": {"status": "active"}}})), None);
    assert_eq!(mail(json!({"id": "c", "dnd": false})), None);
}

fn appointment(status: &str) -> Value {
    json!({"appointment": {"id": "ap1", "title": "Jana Nová", "calendarId": "cal1", "contactId": "con1", "appointmentStatus": status,
        "startTime": "2027-02-01T16:00:00+05:30", "endTime": "2027-02-01T16:30:00+05:30",
        "dateAdded": "2027-01-15T07:59:59Z", "dateUpdated": "2027-01-15T08:00:00Z"}})
}

#[test]
fn appointments_name_their_contact_and_nothing_of_their_title() {
    let (statement, notes) = said(None, app("AppointmentCreate", appointment("confirmed")));
    assert_eq!(statement.object, ObjectRef::new(ObjectKind::Booking, "ap1"));
    assert_eq!((statement.customer.as_deref(), statement.said_at), (Some("con1"), at("2027-01-15T08:00:00Z")));
    let booking = step(&statement);
    assert_eq!(booking.status, BookingStatus::Booked);
    assert_eq!(booking.starts_at, Some(at("2027-02-01T10:30:00Z")));
    assert_eq!((booking.made_at, booking.value), (Some(at("2027-01-15T07:59:59Z")), None));
    assert_eq!(statement.tags.service_id.as_deref(), Some("cal1"));
    assert!(!format!("{statement:?}").contains("Jana") && notes.is_empty());
}

#[test]
fn every_status_of_an_appointment_is_known() {
    for (word, status) in [
        ("new", BookingStatus::Booked),
        ("confirmed", BookingStatus::Booked),
        ("active", BookingStatus::Booked),
        ("cancelled", BookingStatus::Cancelled),
        ("invalid", BookingStatus::Cancelled),
        ("showed", BookingStatus::Attended),
        ("completed", BookingStatus::Attended),
        ("noshow", BookingStatus::Missed),
        ("No-Show", BookingStatus::Missed),
    ] {
        assert_eq!(step(&said(None, app("AppointmentUpdate", appointment(word))).0).status, status, "{word}");
    }
    let (unknown, notes) = said(None, app("AppointmentUpdate", appointment("pondering")));
    assert_eq!((unknown.claim, unknown.customer.as_deref(), notes.len()), (Claim::Nothing, Some("con1"), 1));
    let (removed, _) = said(None, app("AppointmentDelete", appointment("confirmed")));
    assert_eq!((step(&removed).status, removed.said_at), (BookingStatus::Removed, at("2027-01-15T08:00:01.500Z")));
}

#[test]
fn opportunities_are_won_and_lost_by_contact_and_are_no_sales() {
    let of = |status: &str, contact: Value, value: Value| {
        said(
            None,
            app(
                "OpportunityUpdate",
                json!({"id": "op1", "contactId": contact, "status": status, "monetaryValue": value}),
            ),
        )
        .0
    };
    let won = of("won", json!("con1"), json!(1500.5));
    assert_eq!(won.object, ObjectRef::new(ObjectKind::Other, "op1/con1"));
    assert_eq!(happened(&won), [("opportunity_won", at("2027-01-15T08:00:01.500Z"), Some(150_050))]);
    assert_eq!(happened(&of("lost", json!("con1"), json!(0)))[0].2, None);
    assert_eq!(happened(&of("open", json!("con1"), json!(40))), []);
    assert_eq!(of("won", Value::Null, json!("x")).object.id, "op1");
}

fn order(fields: Value) -> Value {
    let mut order = json!({"_id": "ord1", "altId": "loc1", "altType": "location", "status": "completed", "contactId": "con1",
        "currency": "USD", "amount": 150.1, "liveMode": true, "fulfillmentStatus": "unfulfilled",
        "amountSummary": {"subtotal": 138, "discount": 0, "tax": 12.1, "shipping": 0},
        "contactSnapshot": {"id": "con1", "firstName": "Max", "email": "max@example.com"},
        "items": [{"name": "Shirt", "qty": 2, "product": {"_id": "prod1"}, "price": {"_id": "price1", "amount": 69}}],
        "updatedAt": "2027-01-15T08:00:00Z"});
    order.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    app("OrderStatusUpdate", order)
}

fn paid(statement: &Statement) -> Option<String> {
    match &statement.claim {
        Claim::Paid(paid) => Some(paid.amount.to_string()),
        Claim::Nothing => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn orders_count_once_they_are_paid_in_their_exact_amount() {
    let (statement, notes) = said(None, order(json!({})));
    assert_eq!(statement.object, ObjectRef::new(ObjectKind::Order, "ord1"));
    assert_eq!(paid(&statement).as_deref(), Some("150.10 USD"));
    assert_eq!((statement.details.tax, statement.details.shipping), (Some(1210), None));
    let item = &statement.details.items[0];
    assert_eq!((item.id.as_deref(), item.quantity, item.unit_minor), (Some("prod1"), 2, Some(6900)));
    assert_eq!(statement.person.email.as_ref().unwrap().as_str(), "max@example.com");
    assert!(notes.is_empty(), "{notes:?}");

    let (pending, notes) = said(None, order(json!({"status": "pending"})));
    assert_eq!(paid(&pending), None);
    assert!(notes[0].starts_with("nothing to count"));
    for odd in [
        json!({"amount": null}),
        json!({"amount": -3}),
        json!({"amount": 1e300}),
        json!({"amount": {"x": 1}}),
        json!({"currency": "zzz"}),
        json!({"amount": 1.005}),
    ] {
        let (statement, notes) = said(None, order(odd.clone()));
        assert!(paid(&statement).is_none() && !notes.is_empty(), "{odd}");
    }
    let test = told_at(None, &order(json!({"liveMode": false})));
    assert_eq!(test.scope.mode, Mode::Test);
    let (of_invoice, _) = said(None, order(json!({"source": {"type": "invoice", "id": "inv1"}})));
    assert_eq!(of_invoice.links, [ObjectRef::new(ObjectKind::Invoice, "inv1")]);
}

#[test]
fn invoices_come_without_a_type_and_count_when_paid_in_full() {
    let invoice = |status: &str, paid: f64| {
        json!({"_id": "inv1", "status": status, "liveMode": true, "amountPaid": paid, "altId": "loc1", "invoiceNumber": "19",
            "currency": "USD", "total": 999, "contactDetails": {"id": "con1", "name": "Alex", "email": "alex@example.com"},
            "updatedAt": "2027-01-15T08:00:00Z"})
    };
    let (statement, _) = said(None, invoice("paid", 999.0));
    assert_eq!((statement.object.kind, paid(&statement).as_deref()), (ObjectKind::Invoice, Some("999.00 USD")));
    assert_eq!(statement.customer.as_deref(), Some("con1"));
    let (partly, notes) = said(Some("InvoicePartiallyPaid"), invoice("partially_paid", 899.0));
    assert!(paid(&partly).is_none() && notes[0].starts_with("nothing to count"));
    let told = told_at(None, &invoice("paid", 999.0));
    assert!(told.provider_id.starts_with(BODY_ID));
    let again: Value = serde_json::from_str(&serde_json::to_string_pretty(&invoice("paid", 999.0)).unwrap()).unwrap();
    assert_eq!(told_at(None, &again).provider_id, told.provider_id);
    assert_ne!(told_at(None, &invoice("paid", 998.0)).provider_id, told.provider_id);
}

fn flow(fields: Value) -> Value {
    let mut body = json!({"contact_id": "con1", "first_name": "Jana", "full_name": "Jana Nová", "email": "jana@example.com",
        "phone": "+420777123456", "tags": "vip, webinar joined", "timezone": "Europe/Prague", "location": {"id": "loc1", "name": "A"},
        "date_created": "2027-01-01T00:00:00Z", "workflow": {"id": "wf", "name": "New Workflow : 1"}, "triggerData": {},
        "customData": {}});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

#[test]
fn a_workflow_tells_of_its_contact_and_its_tags() {
    let (statement, notes) = said(None, flow(json!({})));
    assert_eq!(statement.object, ObjectRef::new(ObjectKind::Customer, "con1"));
    assert_eq!((statement.said_at, statement.person.name.as_deref()), (NOW, Some("Jana Nová")));
    assert_eq!(happened(&statement), [("tag_webinar_joined", NOW, None)]);
    assert!(notes.is_empty(), "{notes:?}");
    assert_eq!(told_at(None, &flow(json!({}))).event_type, "New Workflow : 1");
}

#[test]
fn a_workflows_appointment_has_a_misspelt_status_and_a_local_time() {
    let calendar = |start: &str, zone: &str, status: &str| {
        flow(json!({"calendar": {"id": "cal1", "calendarName": "Consultation", "title": "Jana", "appointmentId": "ap1",
            "startTime": start, "endTime": "2027-07-01T11:00:00", "selectedTimezone": zone, "status": "booked",
            "appoinmentStatus": status, "date_created": "2027-01-10T00:00:00Z"},
            "customData": {"value": "80", "currency": "CZK", "lead_id": "lead_7"}}))
    };
    let (statement, notes) = said(None, calendar("2027-07-01T10:00:00", "Europe/Prague", "confirmed"));
    assert_eq!(statement.object, ObjectRef::new(ObjectKind::Booking, "ap1"));
    let booking = step(&statement);
    assert_eq!((booking.status, booking.starts_at), (BookingStatus::Booked, Some(at("2027-07-01T08:00:00Z"))));
    assert_eq!(booking.value.unwrap().to_string(), "80.00 CZK");
    assert_eq!(statement.tags.service_name.as_deref(), Some("Consultation"));
    assert_eq!(statement.tags.lead_id.as_deref(), Some("lead_7"));
    assert!(notes.is_empty(), "{notes:?}");
    let (winter, _) = said(None, calendar("2027-01-20T10:00:00", "Europe/Prague", "showed"));
    assert_eq!(
        (step(&winter).status, step(&winter).starts_at),
        (BookingStatus::Attended, Some(at("2027-01-20T09:00:00Z")))
    );
    let (nowhere, notes) = said(None, calendar("2027-01-20T10:00:00", "Mars/Olympus", "confirmed"));
    assert!(step(&nowhere).starts_at.is_none() && !notes.is_empty());
    let (named, _) = said(Some("booking_attended"), calendar("2027-01-20T10:00:00", "Europe/Prague", "confirmed"));
    assert_eq!(step(&named).status, BookingStatus::Attended);
}

#[test]
fn what_a_workflow_is_about_is_named_by_the_address_or_by_custom_data() {
    let (custom, _) = said(Some("Webinar joined!"), flow(json!({"customData": {"event_id": "e1", "value": 25.5}})));
    assert_eq!(custom.object, ObjectRef::new(ObjectKind::Other, "event/e1"));
    assert_eq!(happened(&custom), [("webinar_joined_", NOW, Some(2550))]);
    let named = flow(json!({"customData": {"event_id": "e1"}}));
    assert_eq!(told_at(Some("won"), &named).provider_id, "loc1/won/e1");

    let (lead, _) = said(None, flow(json!({"customData": {"event": "lead"}})));
    assert_eq!(happened(&lead), [("lead", at("2027-01-01T00:00:00Z"), None)]);

    let sale = json!({"customData": {"event": "purchase", "order_id": "o1", "value": "49.90", "currency": "EUR"}});
    let (sale, _) = said(None, flow(sale));
    assert_eq!((sale.object.kind, paid(&sale).as_deref()), (ObjectKind::Order, Some("49.90 EUR")));
    for event in ["refund", "renewal", "booking_attended", "dispute_lost"] {
        let (statement, notes) = said(Some(event), flow(json!({})));
        assert_eq!((statement.object.kind, notes.len()), (ObjectKind::Customer, 1), "{event}");
    }
}

#[test]
fn an_event_that_was_named_wins_over_the_appointment_that_comes_with_it() {
    let calendar = json!({"appointmentId": "ap1", "appoinmentStatus": "confirmed"});
    let with = |named: Value| said(None, flow(json!({"calendar": calendar, "customData": named})));
    let (sale, notes) = with(json!({"event": "purchase", "order_id": "o1", "value": "250.00", "currency": "EUR"}));
    assert_eq!((sale.object.kind, paid(&sale).as_deref()), (ObjectKind::Order, Some("250.00 EUR")));
    assert!(notes.iter().any(|note| note.contains("appointment")), "{notes:?}");
    let (lead, _) = with(json!({"event": "lead"}));
    assert_eq!(lead.object.kind, ObjectKind::Customer);
    let (custom, _) = with(json!({"event": "webinar_joined", "event_id": "e1"}));
    assert_eq!(custom.object.kind, ObjectKind::Other);
    for named in [json!({}), json!({"event": "booking_made"}), json!({"event": "appointment_status"})] {
        let (booking, notes) = with(named);
        assert_eq!((booking.object.kind, notes.len()), (ObjectKind::Booking, 0));
    }
}

#[test]
fn different_events_of_one_thing_are_no_repeats_of_each_other() {
    let id = |event: Option<&str>, body: &Value| told_at(event, body).provider_id;
    // An order that is paid and later shipped, by two workflows with the order's id.
    let order = flow(json!({"customData": {"event_id": "o1"}}));
    assert_eq!(id(Some("paid"), &order), id(Some("paid"), &order));
    assert_ne!(id(Some("paid"), &order), id(Some("shipped"), &order));
    // One workflow that posts to two addresses.
    let plain = flow(json!({}));
    assert_eq!(id(Some("lead"), &plain), id(Some("lead"), &plain));
    assert_ne!(id(Some("lead"), &plain), id(Some("webinar"), &plain));
    // An appointment that is booked and called off, with its own id as that of the event.
    let appointment = |status: &str| {
        flow(
            json!({"calendar": {"appointmentId": "ap1", "appoinmentStatus": status}, "customData": {"event_id": "ap1"}}),
        )
    };
    assert_ne!(id(None, &appointment("confirmed")), id(None, &appointment("cancelled")));
    assert_eq!(id(None, &appointment("confirmed")), id(None, &appointment("confirmed")));
}

#[test]
fn what_comes_again_without_an_id_after_its_mark_is_gone_has_happened_again() {
    let body = flow(json!({})).to_string().into_bytes();
    let envelope = Envelope { headers: Vec::new(), event: Some("webinar".to_owned()) };
    let object =
        |received_at| match interpret(&settings(), None, &Message { envelope: &envelope, body: &body, received_at }) {
            Ok(Interpreted { meaning: Meaning::Statement(statement), .. }) => statement.object,
            other => panic!("{other:?}"),
        };
    assert_ne!(object(NOW), object(NOW.after(Duration::from_secs(7 * 86_400))));
    assert_eq!(object(NOW), object(NOW), "interpreted again");
}

#[test]
fn what_can_not_be_taken_says_why_without_repeating_it() {
    let refused = |body: &[u8]| interpret(&settings(), None, &Message::bare(body, NOW)).unwrap_err().0;
    for body in [&b"\xff"[..], b"", b"[]", b"\"jane@example.com\"", b"{\"email\": \"jane@example.com\""] {
        assert!(!refused(body).contains("jane"), "{body:?}");
    }
    let mut many = settings();
    many.locations.push("loc2".into());
    assert!(interpret(&many, None, &Message::bare(b"{\"type\":\"ContactCreate\",\"id\":\"c\"}", NOW)).is_err());
    let deep = format!(
        "{{\"webhookId\":\"w\",\"type\":\"ContactCreate\",\"locationId\":\"loc1\",\"x\":{}1{}}}",
        "[".repeat(500),
        "]".repeat(500)
    );
    let kept = interpret(&settings(), None, &Message::bare(deep.as_bytes(), NOW)).unwrap();
    assert_eq!((kept.meaning, kept.provider_id.as_str()), (Meaning::Undigested, "w"));
    let unknown = told_at(None, &app("NoteCreate", json!({"id": "n"})));
    assert_eq!(unknown.meaning, Meaning::Ignored);
    for event_type in ["ContactCreate", "AppointmentCreate", "OpportunityCreate", "OrderCreate", "InvoicePaid"] {
        let told = told_at(None, &app(event_type, json!({})));
        assert!(told.meaning == Meaning::Ignored && told.notes[0].ends_with("id absent"), "{told:?}");
    }
}

#[test]
fn kinds_of_money_never_come_from_a_name() {
    for name in EventKind::named() {
        let (statement, _) = said(Some(name), flow(json!({})));
        if let Claim::Happened(happened) = &statement.claim {
            assert!(happened.iter().all(|happening| !happening.kind.is_money()), "{name}");
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "paid",
            "completed",
            "won",
            "showed",
            "2027-01-15T08:00:00Z",
            "2027-01-15T08:00:00",
            "Europe/Prague",
            "EUR",
            "con1"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 12, |inner| {
        let names = prop::sample::select(vec![
            "id",
            "_id",
            "type",
            "contact_id",
            "contactId",
            "appointment",
            "calendar",
            "customData",
            "workflow",
            "status",
            "amount",
            "currency",
            "appointmentStatus",
            "appointmentId",
            "startTime",
            "selectedTimezone",
            "event",
            "value",
            "order_id",
            "tags",
            "dnd",
            "dndSettings",
            "items",
            "data",
            "price",
            "email",
            "phone",
            "monetaryValue",
            "attributionSource",
            "liveMode",
            "webhookId",
        ]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((names, inner), 0..10).prop_map(|fields| Value::Object(
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            )),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_makes_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        value in any_json(),
        event_type in prop::sample::select(vec!["ContactCreate", "AppointmentUpdate", "OpportunityUpdate", "OrderStatusUpdate", "InvoicePaid", "x"]),
        event in prop::option::of("[a-z_]{0,20}"),
    ) {
        let _ = interpret(&settings(), None, &Message::bare(&bytes, NOW));
        let envelope = Envelope { headers: Vec::new(), event };
        for body in [value.clone(), app(event_type, json!({"appointment": value, "items": value, "customData": value})),
            flow(json!({"calendar": value, "customData": value, "tags": value})), json!({"type": event_type, "data": value})] {
            let bytes = body.to_string().into_bytes();
            if let Ok(told) = interpret(&settings(), None, &Message { envelope: &envelope, body: &bytes, received_at: NOW }) {
                prop_assert!(!told.provider_id.is_empty() && told.provider_id.len() <= 1300);
                prop_assert!(told.scope.account.is_some());
            }
        }
    }
}
