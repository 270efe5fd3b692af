//! What GA4 drops, cuts or forbids without a word, as one strict check of a request.
//!
//! Written from Google's pages (Measurement Protocol: reference, sending events, validating events, reserved names, policy;
//! help 9267744 on limits), and on purpose without a look at `destinations/ga4`: two readings of the same rules find more
//! than one.

use serde_json::{Map, Value};

use crate::model::time::Timestamp;

/// One rule that a request breaks, as GA4's validation server puts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Where, `events[0].params.value`.
    pub path: String,
    /// Google's code, `VALUE_REQUIRED`.
    pub code: &'static str,
    /// The rule.
    pub description: String,
    /// When the validation server says so.
    pub told: Told,
}

/// When Google's validation server tells of a breach. It doesn't know of every rule that costs an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Whenever it is asked.
    Always,
    /// Asked with `ENFORCE_RECOMMENDATIONS`.
    Strictly,
    /// Never: the policy, what only reports show, and what may be one way or the other.
    Never,
}

const HOUR_MICROS: i64 = 3_600_000_000;
const RESERVED_PREFIXES: &str = "_ firebase_ ga_ google_ gtag.";
const RESERVED_EVENTS: &str = "ad_activeview ad_click ad_exposure ad_query ad_reward adunit_exposure app_clear_data \
    app_exception app_install app_remove app_store_refund app_update app_upgrade dynamic_link_app_open \
    dynamic_link_app_update dynamic_link_first_open error firebase_campaign firebase_in_app_message_action \
    firebase_in_app_message_dismiss firebase_in_app_message_impression first_open first_visit notification_dismiss \
    notification_foreground notification_open notification_receive notification_send os_update session_start \
    user_engagement ad_impression in_app_purchase screen_view";
const RESERVED_PROPERTIES: &str =
    "first_open_time first_visit_time last_deep_link_referrer user_id first_open_after_install";
const REQUEST_KEYS: &str = "client_id user_id timestamp_micros user_properties user_data consent non_personalized_ads \
    user_location ip_override device user_agent validation_behavior events";
const ITEM_KEYS: &str = "item_id item_name affiliation coupon discount index item_brand item_category item_category2 \
    item_category3 item_category4 item_category5 item_list_id item_list_name item_variant location_id price quantity \
    promotion_id promotion_name creative_name creative_slot";
const ID_KEYS: &str = "transaction_id session_id item_id lead_id";
/// Parameters that can only hold what the policy forbids.
const PERSONAL_KEYS: &str = "email e_mail phone phone_number name first_name last_name address street";

fn one_of(list: &str, name: &str) -> bool {
    list.split_whitespace().any(|known| known == name)
}

/// Every rule that a request breaks at a moment; none when GA4 records it whole.
pub fn breaches(body: &[u8], now: Timestamp) -> Vec<Breach> {
    let mut check = Check { now, told: Told::Always, found: Vec::new() };
    if body.len() >= 130_000 {
        check.report("", "VALUE_OUT_OF_BOUNDS", "the body must be smaller than 130 kB");
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(request)) => check.request(&request),
        _ => check.report("", "VALUE_INVALID", "the body must be a JSON object"),
    }
    check.found
}

struct Check {
    now: Timestamp,
    /// Of what is reported at this point.
    told: Told,
    found: Vec<Breach>,
}

impl Check {
    fn report(&mut self, path: &str, code: &'static str, description: impl Into<String>) {
        let description = description.into();
        self.found.push(Breach { path: path.to_owned(), code, description, told: self.told });
    }

    /// Checks something that the validation server tells of less often than of the rest.
    fn told(&mut self, told: Told, check: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.told, told);
        check(self);
        self.told = before;
    }

    fn require(&mut self, holds: bool, path: &str, code: &'static str, description: &str) {
        if !holds {
            self.report(path, code, description);
        }
    }

    fn request(&mut self, request: &Map<String, Value>) {
        for key in request.keys().filter(|key| !one_of(REQUEST_KEYS, key)) {
            self.report(key, "NAME_INVALID", "no such field in a request");
        }
        match request.get("client_id") {
            Some(Value::String(id)) => self.told(Told::Never, |check| {
                let rule = "must be two positive numbers joined by a dot";
                check.require(is_client_id(id), "client_id", "VALUE_INVALID", rule);
            }),
            Some(_) => self.report("client_id", "VALUE_INVALID", "must be a text"),
            None => self.report("client_id", "VALUE_REQUIRED", "is required"),
        }
        if let Some(id) = request.get("user_id") {
            let fits = id.as_str().is_some_and(|id| (1..=256).contains(&id.chars().count()));
            self.require(fits, "user_id", "VALUE_INVALID", "must be a text of 1 to 256 characters");
            self.personal("user_id", id);
        }
        self.moment("timestamp_micros", request.get("timestamp_micros"));
        self.consent(request.get("consent"));
        self.user_data(request.get("user_data"), request.get("consent"));
        self.user_properties(request.get("user_properties"));
        if request.get("validation_behavior").is_some() {
            let rule = "belongs to the validation server only";
            self.told(Told::Never, |check| check.report("validation_behavior", "VALUE_INVALID", rule));
        }
        match request.get("events").and_then(Value::as_array) {
            Some(events) if (1..=25).contains(&events.len()) => {
                for (number, event) in events.iter().enumerate() {
                    self.event(&format!("events[{number}]"), event, request.get("timestamp_micros"));
                }
            }
            Some(events) if !events.is_empty() => {
                self.report("events", "EXCEEDED_MAX_ENTITIES", "at most 25 events");
            }
            _ => self.report("events", "VALUE_REQUIRED", "at least one event is required"),
        }
    }

    fn moment(&mut self, path: &str, micros: Option<&Value>) {
        let Some(micros) = micros else {
            let rule = "is required at both levels, since GA4 is known to heed either";
            return self.told(Told::Never, |check| check.report(path, "VALUE_REQUIRED", rule));
        };
        let Some(micros) = micros.as_i64() else {
            return self.report(path, "VALUE_INVALID", "must be a whole number of microseconds");
        };
        let now = self.now.micros();
        self.told(Told::Strictly, |check| {
            let code = "VALUE_OUT_OF_BOUNDS";
            check.require(micros >= now - 72 * HOUR_MICROS, path, code, "is more than 72 hours ago");
            check.require(micros <= now + HOUR_MICROS / 4, path, code, "is more than 15 minutes ahead");
        });
    }

    fn consent(&mut self, consent: Option<&Value>) {
        let Some(consent) = consent else { return };
        let fits = consent.as_object().is_some_and(|consent| {
            consent.iter().all(|(key, value)| {
                one_of("ad_user_data ad_personalization", key) && (value == "GRANTED" || value == "DENIED")
            })
        });
        self.require(fits, "consent", "VALUE_INVALID", "only ad_user_data and ad_personalization, GRANTED or DENIED");
    }

    fn user_data(&mut self, data: Option<&Value>, consent: Option<&Value>) {
        let Some(data) = data else { return };
        let hashes = |value: &Value| {
            value.as_array().is_some_and(|hashes| {
                let hash = |text: &str| text.len() == 64 && text.bytes().all(|b| b"0123456789abcdef".contains(&b));
                (1..=3).contains(&hashes.len()) && hashes.iter().all(|text| text.as_str().is_some_and(hash))
            })
        };
        let fits = data.as_object().is_some_and(|data| {
            !data.is_empty()
                && data
                    .iter()
                    .all(|(name, value)| one_of("sha256_email_address sha256_phone_number", name) && hashes(value))
        });
        self.require(fits, "user_data", "VALUE_INVALID", "takes up to three SHA-256 in lower-case hex of each kind");
        let agreed = consent.is_some_and(|consent| consent["ad_user_data"] == "GRANTED");
        let rule = "needs the person's consent in ad_user_data";
        self.told(Told::Never, |check| check.require(agreed, "user_data", "VALUE_INVALID", rule));
    }

    fn user_properties(&mut self, properties: Option<&Value>) {
        let Some(properties) = properties else { return };
        let path = "user_properties";
        let Some(properties) = properties.as_object() else {
            return self.report(path, "VALUE_INVALID", "must be an object");
        };
        self.require(properties.len() <= 25, path, "EXCEEDED_MAX_ENTITIES", "at most 25 user properties");
        for (name, property) in properties {
            let path = format!("{path}.{name}");
            self.name(&path, name, 24);
            if one_of(RESERVED_PROPERTIES, name) {
                self.report(&path, "NAME_RESERVED", "is a reserved name");
            }
            let value = property.get("value").unwrap_or(&Value::Null);
            self.value(&format!("{path}.value"), name, value, 36);
        }
    }

    fn name(&mut self, path: &str, name: &str, longest: usize) {
        let mut letters = name.chars();
        let fits = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        self.require(fits, path, "NAME_INVALID", "a name is a letter followed by letters, digits and underscores");
        if name.chars().count() > longest {
            self.report(path, "NAME_INVALID", format!("a name has at most {longest} characters"));
        }
        if RESERVED_PREFIXES.split(' ').any(|prefix| name.starts_with(prefix)) {
            self.report(path, "NAME_RESERVED", "begins with a reserved prefix");
        }
    }

    fn event(&mut self, path: &str, event: &Value, request_micros: Option<&Value>) {
        let Some(event) = event.as_object() else {
            return self.report(path, "VALUE_INVALID", "an event is an object");
        };
        for key in event.keys().filter(|key| !one_of("name params timestamp_micros", key)) {
            self.report(&format!("{path}.{key}"), "NAME_INVALID", "no such field in an event");
        }
        let name = event.get("name").and_then(Value::as_str).unwrap_or_default();
        self.name(&format!("{path}.name"), name, 40);
        if one_of(RESERVED_EVENTS, name) {
            self.report(&format!("{path}.name"), "NAME_RESERVED", "is a reserved name");
        }
        let micros = event.get("timestamp_micros");
        self.moment(&format!("{path}.timestamp_micros"), micros);
        let same = micros.is_none() || micros == request_micros;
        let rule = "must be the same at both levels, since GA4 is known to heed either";
        let at = format!("{path}.timestamp_micros");
        self.told(Told::Never, |check| check.require(same, &at, "VALUE_INVALID", rule));
        match event.get("params") {
            Some(Value::Object(params)) => self.params(&format!("{path}.params"), name, params),
            _ => self.report(&format!("{path}.params"), "VALUE_REQUIRED", "an event needs parameters"),
        }
    }

    fn params(&mut self, path: &str, event: &str, params: &Map<String, Value>) {
        let count = params.keys().filter(|key| *key != "items").count();
        self.require(count <= 25, path, "EXCEEDED_MAX_ENTITIES", "at most 25 parameters");
        for (name, value) in params {
            let path = format!("{path}.{name}");
            if name == "items" {
                self.items(&path, value);
                continue;
            }
            self.name(&path, name, 40);
            if name == "firebase_conversion" {
                self.report(&path, "NAME_RESERVED", "is a reserved name");
            }
            let longest = match name.as_str() {
                "page_title" => 300,
                "page_referrer" => 420,
                "page_location" => 1000,
                _ => 100,
            };
            self.value(&path, name, value, longest);
        }
        let time = params.get("engagement_time_msec").and_then(Value::as_i64);
        let time_path = format!("{path}.engagement_time_msec");
        let positive = time.is_some_and(|time| time > 0);
        self.told(Told::Never, |check| {
            check.require(positive, &time_path, "VALUE_REQUIRED", "must be a positive number");
        });
        if let Some(session) = params.get("session_id") {
            let text = session.as_str().map_or_else(|| session.to_string(), str::to_owned);
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            self.require(digits, &format!("{path}.session_id"), "VALUE_INVALID", "must be digits");
        }
        self.commerce(path, event, params);
    }

    fn commerce(&mut self, path: &str, event: &str, params: &Map<String, Value>) {
        self.told(Told::Strictly, |check| {
            let is_money = one_of("purchase refund", event);
            if is_money {
                for name in ["transaction_id", "currency", "value"] {
                    let there = params.get(name).is_some_and(|value| !value.is_null());
                    check.require(there, &format!("{path}.{name}"), "VALUE_REQUIRED", "is required");
                }
                let id = params.get("transaction_id");
                let empty = id.is_some_and(|id| id.as_str().is_none_or(|id| id.trim().is_empty()));
                let rule = "must be a text that is not empty: all empty ones count as one sale";
                check.require(!empty, &format!("{path}.transaction_id"), "VALUE_INVALID", rule);
            }
            if event == "purchase" {
                let there = params.get("items").and_then(Value::as_array).is_some_and(|items| !items.is_empty());
                check.require(there, &format!("{path}.items"), "VALUE_REQUIRED", "a purchase needs an item");
            }
        });
        if let Some(value) = params.get("value") {
            let fits = value.as_f64().is_some_and(|value| value.is_finite() && value >= 0.0);
            self.require(fits, &format!("{path}.value"), "VALUE_INVALID", "must be a number that is not negative");
            let there = params.get("currency").is_some();
            self.require(there, &format!("{path}.currency"), "VALUE_REQUIRED", "is required beside a value");
        }
        for name in ["tax", "shipping"] {
            let fits = params.get(name).is_none_or(Value::is_number);
            self.require(fits, &format!("{path}.{name}"), "VALUE_INVALID", "must be a number");
        }
        if let Some(currency) = params.get("currency") {
            let fits =
                currency.as_str().is_some_and(|code| code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()));
            self.require(
                fits,
                &format!("{path}.currency"),
                "VALUE_INVALID",
                "must be three capital letters (ISO 4217)",
            );
        }
    }

    fn items(&mut self, path: &str, items: &Value) {
        let Some(items) = items.as_array() else { return self.report(path, "VALUE_INVALID", "must be a list") };
        self.require(items.len() <= 200, path, "EXCEEDED_MAX_ENTITIES", "at most 200 items");
        for (number, item) in items.iter().enumerate() {
            let path = format!("{path}[{number}]");
            let Some(item) = item.as_object() else {
                self.report(&path, "VALUE_INVALID", "an item is an object");
                continue;
            };
            let named = |key: &str| item.get(key).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
            let has_name = named("item_id") || named("item_name");
            self.require(has_name, &path, "VALUE_REQUIRED", "an item needs item_id or item_name");
            let own = item.keys().filter(|key| !one_of(ITEM_KEYS, key)).count();
            self.require(own <= 10, &path, "EXCEEDED_MAX_ENTITIES", "at most 10 parameters of its own in an item");
            let whole = |value: &Value| value.as_u64().is_some_and(|value| value > 0);
            let fits = item.get("quantity").is_none_or(whole);
            self.require(fits, &format!("{path}.quantity"), "VALUE_INVALID", "must be a positive whole number");
            let fits = item.get("price").is_none_or(Value::is_number);
            self.require(fits, &format!("{path}.price"), "VALUE_INVALID", "must be a number");
            for (name, value) in item {
                let path = format!("{path}.{name}");
                self.name(&path, name, 40);
                self.value(&path, name, value, 100);
            }
        }
    }

    fn value(&mut self, path: &str, name: &str, value: &Value, longest: usize) {
        match value {
            Value::String(text) => {
                self.require(!text.is_empty(), path, "VALUE_INVALID", "is empty");
                if text.chars().count() > longest {
                    let rule = format!("has more than {longest} characters");
                    self.told(Told::Strictly, |check| check.report(path, "VALUE_OUT_OF_BOUNDS", rule));
                }
            }
            Value::Number(_) | Value::Bool(_) => {}
            _ => self.report(path, "VALUE_INVALID", "must be a text or a number"),
        }
        if one_of(PERSONAL_KEYS, name) {
            let rule = "names a person, which the policy forbids";
            self.told(Told::Never, |check| check.report(path, "VALUE_INVALID", rule));
        }
        if one_of(ID_KEYS, name) {
            let text = value.as_str().unwrap_or_default();
            self.impersonal(path, holds_email(text) || holds_phone(text));
        } else {
            self.personal(path, value);
        }
    }

    fn personal(&mut self, path: &str, value: &Value) {
        let text = value.as_str().unwrap_or_default();
        self.impersonal(path, holds_email(text) || holds_phone(text) || holds_card(text));
    }

    fn impersonal(&mut self, path: &str, personal: bool) {
        let rule = "holds personal data, which the policy forbids";
        self.told(Told::Never, |check| check.require(!personal, path, "VALUE_INVALID", rule));
    }
}

fn is_client_id(id: &str) -> bool {
    let number =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) && part.bytes().any(|b| b != b'0');
    id.split_once('.').is_some_and(|(random, time)| number(random) && number(time))
}

fn holds_email(text: &str) -> bool {
    let text = text.replace("%40", "@");
    text.match_indices('@').any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(|c| !c.is_whitespace());
        let host: String = text[at + 1..].chars().take_while(|c| !c.is_whitespace()).collect();
        before && host.find('.').is_some_and(|dot| dot > 0 && dot + 1 < host.len())
    })
}

fn holds_phone(text: &str) -> bool {
    text.match_indices('+').any(|(plus, _)| {
        let number = text[plus + 1..].chars().take_while(|c| c.is_ascii_digit() || " -().".contains(*c));
        (8..=15).contains(&number.filter(char::is_ascii_digit).count())
    })
}

/// A run of 13 to 19 digits whose check digit is right (Luhn, ISO/IEC 7812-1).
fn holds_card(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_digit() && c != ' ' && c != '-').any(|run| {
        let digits: Vec<u32> = run.chars().filter_map(|c| c.to_digit(10)).collect();
        let sum: u32 = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(place, digit)| if place % 2 == 0 { *digit } else { digit * 2 / 10 + digit * 2 % 10 })
            .sum();
        (13..=19).contains(&digits.len()) && sum > 0 && sum.is_multiple_of(10)
    })
}

#[cfg(test)]
#[path = "ga4_rules_tests.rs"]
mod tests;
