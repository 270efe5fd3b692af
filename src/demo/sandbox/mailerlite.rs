//! MailerLite, the new API and the classic one over the same people.
//!
//! As documented by MailerLite (developers: subscribers, groups; classic: subscribers, groups) and seen in recorded answers:
//! 201 first and 200 then, 422 with a list of complaints, ids as texts of 18 digits, an unsubscribed person who stays so.

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
/// Fields that every account has.
const BUILT_IN: [&str; 8] = ["name", "last_name", "company", "country", "city", "phone", "state", "z_i_p"];
/// Fields that the owner made.
const CUSTOM: [&str; 7] =
    ["lead_id", "user_id", "pricing_tier", "transaction_amount", "purchase_date", "utm_source", "utm_campaign"];

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
    people: BTreeMap<String, Subscriber>,
    next_id: u64,
    refusing: Refusing,
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
            people: BTreeMap::new(),
            next_id: FIRST_ID,
            refusing: Refusing::default(),
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
        let next_id = &mut self.next_id;
        let person = self.people.entry(email.clone()).or_insert_with(|| {
            *next_id += 1;
            Subscriber {
                id: (*next_id - 1).to_string(),
                email,
                status: "active".to_owned(),
                fields: Map::new(),
                groups: BTreeSet::new(),
            }
        });
        (person, new)
    }

    fn find(&self, who: &str) -> Option<&Subscriber> {
        let who = percent_decode(who).to_lowercase();
        self.people.values().find(|person| person.id == who || person.email == who)
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
            Answer::json(200, &json!({"data": data})).into()
        }
        ("GET", ["fields"]) => {
            let data: Vec<Value> = BUILT_IN.iter().chain(&CUSTOM).map(|key| json!({"key": key, "name": key})).collect();
            Answer::json(200, &json!({"data": data})).into()
        }
        _ => Served::breach(Answer::json(404, &json!({"message": "Not found."})), "no such call in the new API"),
    };
    let left = Answer { ..served.answer }.with("x-ratelimit-limit", "120").with("x-ratelimit-remaining", "119");
    Served { answer: left, broken_rules: served.broken_rules }
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
    let (person, new) = account.person(email);
    let mut broken_rules = take_fields(person, body.get("fields"));
    person.groups.extend(groups.iter().filter_map(Value::as_str).map(str::to_owned));
    if body.contains_key("status") || body.contains_key("resubscribe") {
        broken_rules.push("a status is forced on a person who may have unsubscribed".to_owned());
    }
    let answer = Answer::json(if new { 201 } else { 200 }, &json!({"data": shown(person)}));
    Served { answer, broken_rules }
}

/// Unknown fields are dropped without a word; a rehearsal had better say so.
fn take_fields(person: &mut Subscriber, fields: Option<&Value>) -> Vec<String> {
    let mut unknown = Vec::new();
    for (name, value) in fields.and_then(Value::as_object).into_iter().flatten() {
        if BUILT_IN.contains(&name.as_str()) || CUSTOM.contains(&name.as_str()) {
            person.fields.insert(name.clone(), value.clone());
        } else {
            unknown.push(format!("fields.{name}: there is no such field in the account"));
        }
    }
    unknown
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
    })
}

fn classic(account: &mut Account, call: &Call<'_>, rest: &str) -> Served {
    let error = |status: u16, message: &str| {
        let body = json!({"error": {"code": status, "message": message}});
        Served::breach(Answer::json(status, &body), message)
    };
    if call.head.header("x-mailerlite-apikey") != Some(account.api_key.expose()) {
        return error(401, "Unauthorized");
    }
    let path: Vec<&str> = rest.split('/').collect();
    let group = match (call.head.method.as_str(), path.as_slice()) {
        ("GET", ["groups"]) => {
            let groups: Vec<Value> = account.groups.iter().map(|id| json!({"id": id, "name": id})).collect();
            return Answer::json(200, &Value::Array(groups)).into();
        }
        ("GET", ["subscribers", who]) => {
            return match account.find(who) {
                Some(person) => Answer::json(200, &shown_classic(person)).into(),
                None => Answer::json(404, &json!({"error": {"code": 123, "message": "Subscriber not found"}})).into(),
            };
        }
        ("POST", ["subscribers"]) => None,
        ("POST", ["groups", group, "subscribers"]) => Some((*group).to_owned()),
        _ => return error(404, "Not found"),
    };
    let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
    let Some(email) = body["email"].as_str().filter(|email| is_address(email)) else {
        return error(400, "Email is invalid");
    };
    if group.as_ref().is_some_and(|group| !account.groups.contains(group)) {
        return error(404, "Group not found");
    }
    let (person, _) = account.person(email);
    let mut broken_rules = take_fields(person, body.get("fields"));
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
mod tests {
    use super::super::Fault;
    use super::super::tests::{TestClient, get_with};
    use super::*;

    const KEY: &[(&str, &str)] = &[("authorization", "Bearer key")];
    const CLASSIC: &[(&str, &str)] = &[("x-mailerlite-apikey", "key")];

    fn account() -> (MailerLiteSandbox, TestClient) {
        let sandbox = MailerLiteSandbox::start("key", &["11", "22"]).unwrap();
        let client = TestClient::new(sandbox.address());
        (sandbox, client)
    }

    #[test]
    fn a_person_is_created_once_and_keeps_groups_and_fields() {
        let (sandbox, mut client) = account();
        let path = "/api/subscribers";
        let first = json!({"email": "Ada@example.com", "groups": ["11"], "fields": {"name": "Ada", "shoe_size": 4}});
        let answer = client.post(path, KEY, &first);
        assert_eq!(answer.status, 201);
        assert_eq!(answer.json()["data"]["id"], "150000000000000001");
        assert_eq!(sandbox.requests()[0].broken_rules, ["fields.shoe_size: there is no such field in the account"]);
        assert_eq!(sandbox.requests()[0].header("authorization"), Some("…"));
        let again = client.post(path, KEY, &json!({"email": "ada@example.com", "groups": ["22"]}));
        assert_eq!(again.status, 200);
        let [person] = &sandbox.subscribers()[..] else { panic!("one person") };
        assert_eq!(person.groups.len(), 2);
        assert_eq!(person.fields["name"], "Ada");
        assert_eq!(get_with(&mut client, "/api/subscribers?limit=0", KEY).json(), json!({"total": 1}));
        assert_eq!(get_with(&mut client, "/api/subscribers/ada%40example.com", KEY).status, 200);
        assert_eq!(get_with(&mut client, "/api/subscribers/9", KEY).status, 404);
    }

    #[test]
    fn what_is_wrong_is_refused_as_documented() {
        let (sandbox, mut client) = account();
        let path = "/api/subscribers";
        for (headers, body, status, said) in [
            (&[][..], json!({"email": "a@example.com"}), 401, "Unauthenticated."),
            (&[("authorization", "Bearer other")], json!({"email": "a@example.com"}), 401, "Unauthenticated."),
            (KEY, json!({"email": "nobody"}), 422, "valid email address"),
            (KEY, json!({}), 422, "valid email address"),
            (KEY, json!({"email": "a@example.com", "groups": ["11", "99"]}), 422, "groups.1"),
            (KEY, json!({"email": "a@example.com", "groups": [11]}), 422, "groups.0"),
        ] {
            let answer = client.post(path, headers, &body);
            assert_eq!(answer.status, status, "{body}");
            assert!(answer.json().to_string().contains(said), "{body}");
        }
        assert!(sandbox.subscribers().is_empty());
        sandbox.set_api_key("fresh");
        assert_eq!(client.post(path, KEY, &json!({"email": "a@example.com"})).status, 401);
    }

    #[test]
    fn who_unsubscribed_stays_so_either_way() {
        let (sandbox, mut client) = account();
        sandbox.set_status("gone@example.com", "unsubscribed");
        let body = json!({"email": "gone@example.com", "status": "active"});
        let answer = client.post("/api/subscribers", KEY, &body);
        assert_eq!((answer.status, answer.json()["data"]["status"].clone()), (200, json!("unsubscribed")));
        assert_eq!(sandbox.requests()[0].broken_rules.len(), 1, "a status was forced");
        sandbox.refuse_unsubscribed(Refusing::ByRefusing);
        let answer = client.post("/api/subscribers", KEY, &body);
        assert_eq!(answer.status, 422);
        assert!(answer.json().to_string().contains("unsubscribed and cannot be imported"));
    }

    #[test]
    fn the_classic_api_knows_the_same_people() {
        let (sandbox, mut client) = account();
        let person = json!({"email": "ada@example.com", "name": "Ada", "resubscribe": false});
        assert_eq!(client.post("/api/v2/groups/11/subscribers", KEY, &person).status, 401, "a key of the new API");
        let answer = client.post("/api/v2/groups/11/subscribers", CLASSIC, &person);
        assert_eq!((answer.status, answer.json()["type"].clone()), (200, json!("active")));
        assert_eq!(client.post("/api/v2/subscribers", CLASSIC, &person).status, 200);
        assert_eq!(client.post("/api/v2/groups/9/subscribers", CLASSIC, &person).status, 404);
        assert_eq!(client.post("/api/v2/subscribers", CLASSIC, &json!({})).status, 400);
        assert_eq!(get_with(&mut client, "/api/v2/groups?limit=1", CLASSIC).status, 200);
        assert!(sandbox.subscribers()[0].groups.contains("11"));
    }

    #[test]
    fn too_many_requests_are_answered_when_scripted() {
        let (sandbox, mut client) = account();
        sandbox.script([Fault::retry_after(429, "119")]);
        let body = json!({"email": "ada@example.com"});
        let answer = client.post("/api/subscribers", KEY, &body);
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("119")));
        assert!(sandbox.subscribers().is_empty());
        assert_eq!(client.post("/api/subscribers", KEY, &body).status, 201);
    }
}
