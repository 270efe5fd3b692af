//! MailerLite, the new API and the classic one over the same people.
//!
//! As documented by MailerLite (developers: subscribers, groups, fields; classic: subscribers, groups, fields) and seen in recorded
//! answers: 201 first and 200 then, 422 with a list of complaints, ids as texts of 18 digits, groups that are only ever added,
//! lists in pages, an unsubscribed person who stays so.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::{Answer, Call, Sandbox, Served, Service, system_clock};
use crate::demo::http_server::percent_decode;
use crate::model::secret::Secret;

/// The first id; it has 18 digits, as MailerLite's have.
const FIRST_ID: u64 = 150_000_000_000_000_001;
/// Fields that every account has, all of them texts.
const BUILT_IN: [&str; 8] = ["name", "last_name", "company", "country", "city", "phone", "state", "z_i_p"];
/// Fields that the owner made, with their types.
const CUSTOM: [(&str, &str); 7] = [
    ("lead_id", "text"),
    ("user_id", "text"),
    ("pricing_tier", "text"),
    ("transaction_amount", "number"),
    ("purchase_date", "date"),
    ("utm_source", "text"),
    ("utm_campaign", "text"),
];
/// The items of a page where nobody asks for more.
const PAGE: usize = 25;
/// Requests a minute: new API, classic.
const LIMITS: [&str; 2] = ["120", "60"];

/// A person at MailerLite.
#[derive(Clone, Debug, PartialEq)]
pub struct Subscriber {
    /// MailerLite's id.
    pub id: String,
    /// The address, in lower case.
    pub email: String,
    /// `active`, `unconfirmed`, `unsubscribed`, `bounced` or `junk`.
    pub status: String,
    /// Built-in and custom fields.
    pub fields: Map<String, Value>,
    /// Ids of the groups.
    pub groups: BTreeSet<String>,
    /// When the person agreed, `yyyy-MM-dd HH:mm:ss`, as it was told.
    pub opted_in_at: Option<String>,
}

/// What becomes of an upsert of a person who unsubscribed; both were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refusing {
    /// 200, and the answer tells of the status.
    #[default]
    BySaying,
    /// 422 "This subscriber is unsubscribed and cannot be imported."
    ByRefusing,
}

/// MailerLite's server.
pub struct MailerLiteSandbox {
    sandbox: Sandbox,
    account: Arc<Mutex<Account>>,
}

struct Account {
    api_key: Secret,
    groups: BTreeSet<String>,
    custom: BTreeMap<String, String>,
    people: BTreeMap<String, Subscriber>,
    next_id: u64,
    refusing: Refusing,
    double_opt_in: bool,
}

struct Api(Arc<Mutex<Account>>);

impl MailerLiteSandbox {
    /// Starts an account with one key and some groups.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start(api_key: &str, groups: &[&str]) -> io::Result<Self> {
        let account = Arc::new(Mutex::new(Account {
            api_key: Secret::new(api_key),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            custom: CUSTOM.into_iter().map(|(key, of)| (key.to_owned(), of.to_owned())).collect(),
            people: BTreeMap::new(),
            next_id: FIRST_ID,
            refusing: Refusing::default(),
            double_opt_in: false,
        }));
        let sandbox = Sandbox::start(Api(Arc::clone(&account)), system_clock())?;
        Ok(Self { sandbox, account })
    }

    fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everybody, by address.
    pub fn subscribers(&self) -> Vec<Subscriber> {
        self.account().people.values().cloned().collect()
    }

    /// Gives a person, known or new, a status such as `unsubscribed`.
    pub fn set_status(&self, email: &str, status: &str) {
        status.clone_into(&mut self.account().person(email).0.status);
    }

    /// Decides what becomes of upserts of people who unsubscribed.
    pub fn refuse_unsubscribed(&self, refusing: Refusing) {
        self.account().refusing = refusing;
    }

    /// Lets new people confirm their address first.
    pub fn ask_for_confirmation(&self) {
        self.account().double_opt_in = true;
    }

    /// Makes a field of a type: `text`, `number` or `date`.
    pub fn make_field(&self, key: &str, of: &str) {
        self.account().custom.insert(key.to_owned(), of.to_owned());
    }

    /// Deletes a field that the owner made.
    pub fn delete_field(&self, key: &str) {
        self.account().custom.remove(key);
    }

    /// Makes a group.
    pub fn make_group(&self, id: &str) {
        self.account().groups.insert(id.to_owned());
    }

    /// Deletes a group; nobody is in it any more.
    pub fn delete_group(&self, id: &str) {
        let mut account = self.account();
        account.groups.remove(id);
        for person in account.people.values_mut() {
            person.groups.remove(id);
        }
    }

    /// Puts a person into a group, as somebody does by hand.
    pub fn put_into(&self, email: &str, group: &str) {
        self.account().person(email).0.groups.insert(group.to_owned());
    }

    /// Gives the account another key, as after a rotation.
    pub fn set_api_key(&self, api_key: &str) {
        self.account().api_key = Secret::new(api_key);
    }
}

impl Deref for MailerLiteSandbox {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Account {
    /// The person of an address, and whether that is new.
    fn person(&mut self, email: &str) -> (&mut Subscriber, bool) {
        let email = email.trim().to_lowercase();
        let new = !self.people.contains_key(&email);
        let status = if self.double_opt_in { "unconfirmed" } else { "active" };
        let next_id = &mut self.next_id;
        let person = self.people.entry(email.clone()).or_insert_with(|| {
            *next_id += 1;
            Subscriber {
                id: (*next_id - 1).to_string(),
                email,
                status: status.to_owned(),
                fields: Map::new(),
                groups: BTreeSet::new(),
                opted_in_at: None,
            }
        });
        (person, new)
    }

    fn find(&self, who: &str) -> Option<&Subscriber> {
        let who = percent_decode(who).to_lowercase();
        self.people.values().find(|person| person.id == who || person.email == who)
    }

    /// The type of a field; none where there is no such field.
    fn type_of(&self, key: &str) -> Option<String> {
        if BUILT_IN.contains(&key) { Some("text".to_owned()) } else { self.custom.get(key).cloned() }
    }

    fn fields(&self) -> Vec<Value> {
        let built_in = BUILT_IN.iter().map(|key| json!({"id": key, "name": key, "key": key, "type": "text"}));
        built_in
            .chain(self.custom.iter().map(|(key, of)| json!({"id": key, "name": key, "key": key, "type": of})))
            .collect()
    }

    /// Takes a person out of a group. False where the person is not in it.
    fn remove_from(&mut self, who: &str, group: &str) -> bool {
        let Some(email) = self.find(who).map(|person| person.email.clone()) else { return false };
        self.people.get_mut(&email).is_some_and(|person| person.groups.remove(group))
    }
}

impl Service for Api {
    fn serve(&self, call: &Call<'_>) -> Served {
        let mut account = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match call.head.path.strip_prefix("/api/v2/") {
            Some(rest) => classic(&mut account, call, rest),
            None => match call.head.path.strip_prefix("/api/") {
                Some(rest) => new_api(&mut account, call, rest),
                None => Served::breach(Answer::empty(404), "no such path at MailerLite"),
            },
        }
    }
}

fn new_api(account: &mut Account, call: &Call<'_>, rest: &str) -> Served {
    let expected = format!("Bearer {}", account.api_key.expose());
    if call.head.header("authorization") != Some(&expected) {
        return Served::breach(Answer::json(401, &json!({"message": "Unauthenticated."})), "the key is wrong");
    }
    let path: Vec<&str> = rest.split('/').collect();
    let served = match (call.head.method.as_str(), path.as_slice()) {
        ("POST", ["subscribers"]) => upsert(account, call),
        ("GET", ["subscribers"]) if call.head.query_value("limit").as_deref() == Some("0") => {
            Answer::json(200, &json!({"total": account.people.len()})).into()
        }
        ("GET", ["subscribers"]) => {
            let data: Vec<Value> = account.people.values().map(shown).collect();
            Answer::json(200, &json!({"data": data})).into()
        }
        ("GET", ["subscribers", who]) => match account.find(who) {
            Some(person) => Answer::json(200, &json!({"data": shown(person)})).into(),
            None => Answer::json(404, &json!({"message": "Resource not found."})).into(),
        },
        ("GET", ["groups"]) => {
            let data: Vec<Value> = account.groups.iter().map(|id| json!({"id": id, "name": id})).collect();
            page(call, &data)
        }
        ("GET", ["fields"]) => page(call, &account.fields()),
        // Documented to answer 204; of who is not in the group nothing is said, so the unfriendlier answer is given.
        ("DELETE", ["subscribers", who, "groups", group]) => {
            if account.remove_from(who, group) {
                Answer::empty(204).into()
            } else {
                Answer::json(404, &json!({"message": "Resource not found."})).into()
            }
        }
        _ => Served::breach(Answer::json(404, &json!({"message": "Not found."})), "no such call in the new API"),
    };
    let [limit, _] = LIMITS;
    let left = served.answer.with("x-ratelimit-limit", limit).with("x-ratelimit-remaining", "119");
    Served { answer: left, broken_rules: served.broken_rules }
}

/// A page of a list: `?limit=` and `?page=`, counted from 1.
fn page(call: &Call<'_>, items: &[Value]) -> Served {
    let asked = |name: &str| call.head.query_value(name).and_then(|value| value.parse::<usize>().ok());
    let (limit, page) = (asked("limit").unwrap_or(PAGE).max(1), asked("page").unwrap_or(1).max(1));
    let data: Vec<&Value> = items.iter().skip((page - 1).saturating_mul(limit)).take(limit).collect();
    let last = items.len().div_ceil(limit).max(1);
    let meta = json!({"current_page": page, "last_page": last, "per_page": limit, "total": items.len()});
    Answer::json(200, &json!({"data": data, "meta": meta})).into()
}

fn invalid(field: &str, sentence: &str) -> Served {
    let body = json!({"message": "The given data was invalid.", "errors": {field: [sentence]}});
    Served::breach(Answer::json(422, &body), format!("{field}: {sentence}"))
}

fn upsert(account: &mut Account, call: &Call<'_>) -> Served {
    let Ok(Value::Object(body)) = serde_json::from_slice(call.body) else {
        return invalid("email", "The email field is required.");
    };
    let Some(email) = body.get("email").and_then(Value::as_str).filter(|email| is_address(email)) else {
        return invalid("email", "The email must be a valid email address.");
    };
    let groups = body.get("groups").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for (number, group) in groups.iter().enumerate() {
        if !group.as_str().is_some_and(|group| account.groups.contains(group)) {
            let field = format!("groups.{number}");
            return invalid(&field, &format!("The selected {field} is invalid."));
        }
    }
    let refusing = account.refusing;
    let lost = account.find(email).is_some_and(|person| person.status == "unsubscribed");
    if lost && refusing == Refusing::ByRefusing {
        return invalid("email", "This subscriber is unsubscribed and cannot be imported.");
    }
    let opted_in_at = body.get("opted_in_at").and_then(Value::as_str);
    if opted_in_at.is_some_and(|at| !is_moment(at)) {
        return invalid("opted_in_at", "The opted in at does not match the format Y-m-d H:i:s.");
    }
    let (told, mut broken_rules) = take_fields(account, body.get("fields"));
    let (person, new) = account.person(email);
    person.fields.extend(told);
    person.opted_in_at = opted_in_at.map(str::to_owned).or(person.opted_in_at.take());
    person.groups.extend(groups.iter().filter_map(Value::as_str).map(str::to_owned));
    if body.contains_key("status") || body.contains_key("resubscribe") {
        broken_rules.push("a status is forced on a person who may have unsubscribed".to_owned());
    }
    let answer = Answer::json(if new { 201 } else { 200 }, &json!({"data": shown(person)}));
    Served { answer, broken_rules }
}

/// The fields that the account has. Unknown ones are dropped without a word; a rehearsal had better say so.
fn take_fields(account: &Account, fields: Option<&Value>) -> (Map<String, Value>, Vec<String>) {
    let (mut known, mut broken_rules) = (Map::new(), Vec::new());
    for (name, value) in fields.and_then(Value::as_object).into_iter().flatten() {
        match account.type_of(name) {
            None => broken_rules.push(format!("fields.{name}: there is no such field in the account")),
            Some(of) => {
                if of == "number" && !value.is_number() {
                    broken_rules.push(format!("fields.{name}: a number field got a text"));
                }
                known.insert(name.clone(), value.clone());
            }
        }
    }
    (known, broken_rules)
}

/// `yyyy-MM-dd HH:mm:ss`.
fn is_moment(text: &str) -> bool {
    text.len() == 19 && crate::model::time::parse_utc(text).is_some()
}

fn is_address(email: &str) -> bool {
    let plain = email.bytes().all(|byte| byte.is_ascii_graphic());
    plain
        && email
            .split_once('@')
            .is_some_and(|(local, host)| !local.is_empty() && !host.contains('@') && host.contains('.'))
}

fn shown(person: &Subscriber) -> Value {
    json!({
        "id": person.id, "email": person.email, "status": person.status, "source": "api", "fields": person.fields,
        "groups": person.groups.iter().map(|id| json!({"id": id, "name": id})).collect::<Vec<_>>(),
        "opted_in_at": person.opted_in_at, "optin_ip": null,
    })
}

/// An answer of the classic API with its header fields of the limit.
fn classic(account: &mut Account, call: &Call<'_>, rest: &str) -> Served {
    let served = classic_call(account, call, rest);
    let [_, limit] = LIMITS;
    let answer = served.answer.with("x-ratelimit-limit", limit).with("x-ratelimit-remaining", "59");
    Served { answer, broken_rules: served.broken_rules }
}

fn classic_call(account: &mut Account, call: &Call<'_>, rest: &str) -> Served {
    let error = |status: u16, code: u16, message: &str| {
        let body = json!({"error": {"code": code, "message": message}});
        Served::breach(Answer::json(status, &body), message)
    };
    let missing = |what: &str| {
        let body = json!({"error": {"code": 123, "message": format!("{what} not found")}});
        Answer::json(404, &body).into()
    };
    if call.head.header("x-mailerlite-apikey") != Some(account.api_key.expose()) {
        return error(401, 302, "API-Key Unauthorized");
    }
    let path: Vec<&str> = rest.split('/').collect();
    let group = match (call.head.method.as_str(), path.as_slice()) {
        ("GET", ["groups"]) => {
            // The classic API writes its ids as numbers.
            let number = |id: &String| id.parse::<u64>().map_or_else(|_| json!(id), |id| json!(id));
            let asked = |name: &str| call.head.query_value(name).and_then(|value| value.parse::<usize>().ok());
            let ids = account.groups.iter().skip(asked("offset").unwrap_or(0)).take(asked("limit").unwrap_or(100));
            let groups: Vec<Value> = ids.map(|id| json!({"id": number(id), "name": id})).collect();
            return Answer::json(200, &Value::Array(groups)).into();
        }
        ("GET", ["fields"]) => return Answer::json(200, &Value::Array(account.fields())).into(),
        ("DELETE", ["groups", group, "subscribers", who]) => {
            if !account.groups.contains(*group) {
                return missing("Group");
            }
            return if account.remove_from(who, group) { Answer::empty(204).into() } else { missing("Subscriber") };
        }
        ("GET", ["subscribers", who]) => {
            return match account.find(who) {
                Some(person) => Answer::json(200, &shown_classic(person)).into(),
                None => missing("Subscriber"),
            };
        }
        ("POST", ["subscribers"]) => None,
        ("POST", ["groups", group, "subscribers"]) => Some((*group).to_owned()),
        _ => return error(404, 2, "Endpoint not found"),
    };
    let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
    let Some(email) = body["email"].as_str().filter(|email| is_address(email)) else {
        return error(400, 400, "Email is invalid");
    };
    if group.as_ref().is_some_and(|group| !account.groups.contains(group)) {
        return error(404, 123, "Group not found");
    }
    let signed_up_at = body["signup_timestamp"].as_str();
    let (told, mut broken_rules) = take_fields(account, body.get("fields"));
    if signed_up_at.is_some_and(|at| !is_moment(at)) {
        broken_rules.push("signup_timestamp: not of the form yyyy-MM-dd HH:mm:ss".to_owned());
    }
    let (person, _) = account.person(email);
    person.fields.extend(told);
    person.opted_in_at = signed_up_at.map(str::to_owned).or(person.opted_in_at.take());
    if let Some(name) = body["name"].as_str() {
        person.fields.insert("name".to_owned(), name.into());
    }
    if body["resubscribe"] == true || body.get("type").is_some() {
        broken_rules.push("a status is forced on a person who may have unsubscribed".to_owned());
    }
    person.groups.extend(group);
    Served { answer: Answer::json(200, &shown_classic(person)), broken_rules }
}

fn shown_classic(person: &Subscriber) -> Value {
    let fields: Vec<Value> = person.fields.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    // The classic API writes its ids as numbers.
    let id: u64 = person.id.parse().unwrap_or_default();
    json!({"id": id, "email": person.email, "type": person.status, "fields": fields})
}

#[cfg(test)]
#[path = "mailerlite_tests.rs"]
mod tests;
