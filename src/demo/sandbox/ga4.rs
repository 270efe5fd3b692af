//! Google Analytics 4: answers 204 to anything, and shows in its report only what it would have recorded.

use std::collections::HashSet;
use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::ga4_rules::Told;
use super::{Answer, Call, Sandbox, Served, Service, amount, ga4_rules, system_clock};
use crate::model::money::{Currency, Money, Sums};
use crate::model::secret::Secret;
use crate::platform::clock::SharedClock;

/// One event as GA4's report has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ga4Event {
    /// `purchase`.
    pub name: String,
    /// The id of the sale.
    pub transaction_id: Option<String>,
    /// How much; none where it carries no value, or one that can't be read.
    pub amount: Option<Money>,
    /// Whose browser.
    pub client_id: String,
    /// Whether it adds to the figures: a purchase whose transaction id was there before does not.
    pub counted: bool,
}

/// What a person would see in GA4.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ga4Report {
    /// Every event that was recorded, in order of arrival.
    pub events: Vec<Ga4Event>,
    /// Requests that were answered 204 but would have been dropped, in whole or in part.
    pub dropped: u64,
}

impl Ga4Report {
    /// The events of a name that add to the figures.
    pub fn counted<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Ga4Event> {
        self.events.iter().filter(move |event| event.counted && event.name == name)
    }

    /// Purchases less refunds, in one currency.
    pub fn revenue(&self, currency: Currency) -> Money {
        let mut sums = Sums::from_amounts(self.counted("purchase").filter_map(|event| event.amount));
        self.counted("refund").filter_map(|event| event.amount).for_each(|amount| sums.subtract(amount));
        sums.of(currency)
    }
}

/// The Measurement Protocol's server.
pub struct Ga4Sandbox {
    sandbox: Sandbox,
    books: Arc<Mutex<Books>>,
}

#[derive(Default)]
struct Books {
    report: Ga4Report,
    sold: HashSet<String>,
}

struct Collector {
    measurement_id: String,
    api_secret: Secret,
    books: Arc<Mutex<Books>>,
}

impl Ga4Sandbox {
    /// Starts it with one web stream.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start(measurement_id: &str, api_secret: &str) -> io::Result<Self> {
        Self::start_with_clock(measurement_id, api_secret, system_clock())
    }

    /// The same with a clock of its own, for what is too old.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start_with_clock(measurement_id: &str, api_secret: &str, clock: SharedClock) -> io::Result<Self> {
        let books = Arc::default();
        let collector = Collector {
            measurement_id: measurement_id.to_owned(),
            api_secret: Secret::new(api_secret),
            books: Arc::clone(&books),
        };
        Ok(Self { sandbox: Sandbox::start(collector, clock)?, books })
    }

    /// What a person would see in GA4 now.
    pub fn report(&self) -> Ga4Report {
        self.books.lock().unwrap_or_else(PoisonError::into_inner).report.clone()
    }
}

impl Deref for Ga4Sandbox {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Service for Collector {
    fn serve(&self, call: &Call<'_>) -> Served {
        if call.head.method != "POST" {
            return Served::breach(Answer::empty(404), "GA4 takes only POST");
        }
        match call.head.path.as_str() {
            "/mp/collect" => self.collect(call),
            "/debug/mp/collect" => debug(call),
            _ => Served::breach(Answer::empty(404), "no such path at GA4"),
        }
    }
}

impl Collector {
    fn collect(&self, call: &Call<'_>) -> Served {
        let mut broken_rules = self.misdirected(call);
        let breaches = ga4_rules::breaches(call.body, call.now);
        broken_rules.extend(breaches.iter().map(|breach| format!("{}: {}", breach.path, breach.description)));
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        if broken_rules.is_empty() {
            books.enter(&serde_json::from_slice(call.body).unwrap_or_default());
        } else {
            books.report.dropped += 1;
        }
        Served { answer: Answer::empty(204), broken_rules }
    }

    /// GA4 answers 204 to a wrong secret too, and records nothing.
    fn misdirected(&self, call: &Call<'_>) -> Vec<String> {
        let mut broken = Vec::new();
        if call.head.query_value("measurement_id").as_deref() != Some(self.measurement_id.as_str()) {
            broken.push("measurement_id: is not that of the stream".to_owned());
        }
        if call.head.query_value("api_secret").as_deref() != Some(self.api_secret.expose()) {
            broken.push("api_secret: is not that of the stream".to_owned());
        }
        if !call.head.header("content-type").is_some_and(|value| value.starts_with("application/json")) {
            broken.push("content-type: must be application/json".to_owned());
        }
        broken
    }
}

impl Books {
    fn enter(&mut self, request: &Value) {
        let client_id = request["client_id"].as_str().unwrap_or_default();
        for event in request["events"].as_array().into_iter().flatten() {
            let name = event["name"].as_str().unwrap_or_default().to_owned();
            let params = &event["params"];
            let transaction_id = params["transaction_id"].as_str().map(str::to_owned);
            // GA4 keeps the first purchase of an id (help 12309113); no other event is recognised as a repeat.
            let counted = match &transaction_id {
                Some(id) if name == "purchase" => self.sold.insert(id.clone()),
                _ => true,
            };
            self.report.events.push(Ga4Event {
                amount: amount::read(&params["value"], params["currency"].as_str().unwrap_or_default()),
                client_id: client_id.to_owned(),
                name,
                transaction_id,
                counted,
            });
        }
    }
}

/// The validation server: says what is wrong as far as Google's knows of it, and records nothing. It looks neither at the secret nor
/// at the measurement id.
fn debug(call: &Call<'_>) -> Served {
    let asked = serde_json::from_slice::<Value>(call.body).unwrap_or_default();
    let behavior = asked.get("validation_behavior").and_then(Value::as_str);
    let mut messages: Vec<Value> = ga4_rules::breaches(call.body, call.now)
        .into_iter()
        .filter(|breach| match breach.told {
            Told::Always => true,
            Told::Strictly => behavior == Some("ENFORCE_RECOMMENDATIONS"),
            Told::Never => false,
        })
        .map(|breach| {
            json!({"fieldPath": breach.path, "description": breach.description, "validationCode": breach.code})
        })
        .collect();
    if asked.get("validation_behavior").is_some() && !matches!(behavior, Some("RELAXED" | "ENFORCE_RECOMMENDATIONS")) {
        let rule = "must be RELAXED or ENFORCE_RECOMMENDATIONS";
        messages
            .push(json!({"fieldPath": "validation_behavior", "description": rule, "validationCode": "VALUE_INVALID"}));
    }
    Answer::json(200, &json!({"validationMessages": messages})).into()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TestClient, get};
    use super::*;
    use crate::model::time::Timestamp;
    use crate::platform::clock::ManualClock;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

    fn event(name: &str, id: &str, value: f64) -> Value {
        json!({"client_id": "7.8", "timestamp_micros": NOW.micros(), "events": [{
            "name": name, "timestamp_micros": NOW.micros(), "params": {
                "transaction_id": id, "value": value, "currency": "EUR", "engagement_time_msec": 1,
                "items": [{"item_id": "a", "price": value, "quantity": 1}],
            },
        }]})
    }

    #[test]
    fn anything_is_answered_204_but_only_what_is_right_is_reported_and_a_sale_once() {
        let ga4 = Ga4Sandbox::start_with_clock("G-DEMO1", "s+cret", ManualClock::at(NOW)).unwrap();
        let mut client = TestClient::new(ga4.address());
        let right = "/mp/collect?measurement_id=G-DEMO1&api_secret=s%2Bcret";
        for (target, body) in [
            (right, event("purchase", "pi_1", 99.0)),
            (right, event("purchase", "pi_1", 99.0)),
            (right, event("purchase", "pi_2", 49.9)),
            (right, event("refund", "pi_1", 25.0)),
            (right, event("refund", "pi_1", 25.0)),
            (right, event("purchase", "", 1.0)),
            ("/mp/collect?measurement_id=G-DEMO1&api_secret=wrong", event("purchase", "pi_3", 1.0)),
            ("/mp/collect", event("purchase", "pi_4", 1.0)),
            (right, json!("what?")),
        ] {
            assert_eq!(client.post(target, &[], &body).status, 204);
        }
        let report = ga4.report();
        assert_eq!(report.counted("purchase").count(), 2);
        assert_eq!(report.counted("refund").count(), 2, "a refund is not recognised as a repeat");
        assert_eq!(report.dropped, 4);
        assert_eq!(report.revenue("eur".parse().unwrap()).to_string(), "98.90 EUR");
        let requests = ga4.requests();
        assert_eq!(requests[0].query, "measurement_id=G-DEMO1&api_secret=…");
        assert_eq!(requests[0].broken_rules, Vec::<String>::new());
        assert!(requests[6].broken_rules[0].starts_with("api_secret"));
        assert_eq!(get(&mut client, "/mp/collect").status, 404);
    }

    #[test]
    fn the_validation_server_says_what_is_wrong_and_records_nothing() {
        let ga4 = Ga4Sandbox::start_with_clock("G-DEMO1", "s", ManualClock::at(NOW)).unwrap();
        let mut client = TestClient::new(ga4.address());
        let good = client.post("/debug/mp/collect", &[], &event("purchase", "pi_1", 1.0));
        assert_eq!((good.status, good.json()), (200, json!({"validationMessages": []})));
        let bad = client.post("/debug/mp/collect", &[], &event("error", "pi_1", 1.0)).json();
        assert_eq!(bad["validationMessages"][0]["validationCode"], "NAME_RESERVED");
        assert_eq!(bad["validationMessages"][0]["fieldPath"], "events[0].name");
        assert!(ga4.report().events.is_empty());
        assert_eq!(ga4.report().dropped, 0);
    }

    #[test]
    fn the_validation_server_knows_less_than_what_costs_an_event_and_more_when_asked_strictly() {
        let ga4 = Ga4Sandbox::start_with_clock("G-DEMO1", "s", ManualClock::at(NOW)).unwrap();
        let mut client = TestClient::new(ga4.address());
        let mut codes = |behavior: &str, event: Value| {
            let mut body = event;
            if !behavior.is_empty() {
                body["validation_behavior"] = json!(behavior);
            }
            let said = client.post("/debug/mp/collect?measurement_id=G-WRONG&api_secret=wrong", &[], &body).json();
            let paths = said["validationMessages"].as_array().unwrap().iter().map(|one| one["fieldPath"].clone());
            paths.collect::<Vec<_>>()
        };
        let mut silent = event("purchase", "pi_1", 1.0);
        silent["client_id"] = json!("cus_1");
        silent["events"][0]["params"]["engagement_time_msec"] = json!(0);
        silent["events"][0]["params"]["coupon"] = json!("ada@example.com");
        silent.as_object_mut().unwrap().remove("timestamp_micros");
        assert_eq!(codes("ENFORCE_RECOMMENDATIONS", silent), Vec::<Value>::new());
        let mut late = event("purchase", "pi_1", 1.0);
        late["timestamp_micros"] = json!(NOW.micros() - 73 * 3_600_000_000);
        late["events"][0]["params"]["items"] = json!([]);
        assert_eq!(codes("", late.clone()), Vec::<Value>::new());
        assert_eq!(codes("RELAXED", late.clone()), Vec::<Value>::new());
        assert_eq!(codes("ENFORCE_RECOMMENDATIONS", late.clone()), ["timestamp_micros", "events[0].params.items"]);
        assert_eq!(codes("STRICT", late), ["validation_behavior"]);
    }
}
