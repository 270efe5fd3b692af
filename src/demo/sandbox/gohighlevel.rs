//! A sub-account of HighLevel that answers as its documentation and its users' reports say: an upsert whose `tags` replace all tags,
//! addresses that are there once, messages that are a text or a list, custom fields, limits in header fields.

use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::{Answer, Call, Sandbox, Served, Service, system_clock};
use crate::demo::http_server::percent_decode;
use crate::model::secret::Secret;

/// What an upsert and a change take (HighLevel: contacts API).
const KNOWN: [&str; 8] = ["email", "phone", "firstName", "lastName", "name", "source", "customFields", "tags"];

/// A contact as HighLevel has it.
#[derive(Clone, Debug, PartialEq)]
pub struct HighLevelContact {
    /// HighLevel's id.
    pub id: String,
    /// `email`, `phone`, `firstName` and so on.
    pub fields: Map<String, Value>,
    /// Values of custom fields by the field's id.
    pub custom: Map<String, Value>,
    /// Tags, in lower case.
    pub tags: Vec<String>,
}

impl HighLevelContact {
    fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str)
    }

    fn shown(&self, location: &str) -> Value {
        let mut shown = self.fields.clone();
        shown.insert("id".to_owned(), self.id.as_str().into());
        shown.insert("locationId".to_owned(), location.into());
        shown.insert("tags".to_owned(), json!(self.tags));
        let custom = self.custom.iter().map(|(id, value)| json!({"id": id, "value": value}));
        shown.insert("customFields".to_owned(), custom.collect());
        Value::Object(shown)
    }
}

/// The sub-account's server.
pub struct GoHighLevelSandbox {
    sandbox: Sandbox,
    office: Arc<Mutex<Office>>,
}

struct Office {
    token: Secret,
    location: String,
    may_write: bool,
    refuses_but_makes: bool,
    loses_phones: bool,
    contacts: Vec<HighLevelContact>,
    /// Custom fields: id, unique key, type.
    custom: Vec<(String, String, String)>,
    made: u64,
}

struct Api(Arc<Mutex<Office>>);

impl GoHighLevelSandbox {
    /// Starts an empty sub-account with one token.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start(token: &str, location: &str) -> io::Result<Self> {
        let office = Arc::new(Mutex::new(Office {
            token: Secret::new(token),
            location: location.to_owned(),
            may_write: true,
            refuses_but_makes: false,
            loses_phones: false,
            contacts: Vec::new(),
            custom: Vec::new(),
            made: 0,
        }));
        let sandbox = Sandbox::start(Api(Arc::clone(&office)), system_clock())?;
        Ok(Self { sandbox, office })
    }

    fn office(&self) -> MutexGuard<'_, Office> {
        self.office.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every contact, in the order in which they were made.
    pub fn contacts(&self) -> Vec<HighLevelContact> {
        self.office().contacts.clone()
    }

    /// Enters a contact by hand, an object of its fields, with tags; answers its id.
    pub fn insert(&self, fields: &Value, tags: &[&str]) -> String {
        let mut office = self.office();
        let id = office.make(fields.as_object().cloned().unwrap_or_default());
        if let Some(contact) = office.contacts.last_mut() {
            contact.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        }
        id
    }

    /// Takes a contact away by hand.
    pub fn delete(&self, id: &str) {
        self.office().contacts.retain(|contact| contact.id != id);
    }

    /// Makes a custom field.
    pub fn add_custom_field(&self, id: &str, key: &str, data_type: &str) {
        self.office().custom.push((id.to_owned(), key.to_owned(), data_type.to_owned()));
    }

    /// Gives the sub-account another token, as after a rotation.
    pub fn set_token(&self, token: &str) {
        self.office().token = Secret::new(token);
    }

    /// Gives the private integration the scope to write, or takes it away.
    pub fn let_write(&self, may_write: bool) {
        self.office().may_write = may_write;
    }

    /// Lets the next upsert of somebody new be refused with 422 although the contact is made (highlevel-api-docs, issue 64).
    pub fn refuse_but_make(&self) {
        self.office().refuses_but_makes = true;
    }

    /// Lets phone numbers be left out without a word (highlevel-api-docs, issue 37).
    pub fn lose_phones(&self) {
        self.office().loses_phones = true;
    }
}

impl Deref for GoHighLevelSandbox {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Office {
    fn make(&mut self, fields: Map<String, Value>) -> String {
        self.made += 1;
        let id = format!("contact{:013}", self.made);
        let (custom, tags) = (Map::new(), Vec::new());
        self.contacts.push(HighLevelContact { id: id.clone(), fields, custom, tags });
        id
    }

    fn holder(&self, name: &str, value: Option<&str>) -> Option<usize> {
        self.contacts.iter().position(|contact| value.is_some() && contact.text(name) == value)
    }

    /// A body that passes HighLevel's validation, or the refusal with its list of messages.
    fn body(&self, call: &Call<'_>, with_location: bool) -> Result<Map<String, Value>, Answer> {
        let Ok(Value::Object(mut body)) = serde_json::from_slice(call.body) else {
            return Err(refusal(400, &json!("Invalid JSON")));
        };
        let mut wrong = Vec::new();
        if with_location && body.remove("locationId") != Some(Value::from(self.location.as_str())) {
            return Err(refusal(403, &json!("The token does not have access to this location.")));
        }
        wrong.extend(
            body.keys()
                .filter(|name| !KNOWN.contains(&name.as_str()))
                .map(|name| format!("property {name} should not exist")),
        );
        let text = |name: &str| body.get(name).map(|value| value.as_str().unwrap_or_default());
        if text("email").is_some_and(|email| !email.contains('@')) {
            wrong.push("email must be an email".to_owned());
        }
        if text("phone")
            .is_some_and(|phone| !phone.starts_with('+') || !phone[1..].bytes().all(|byte| byte.is_ascii_digit()))
        {
            wrong.push("phone must be a valid phone number".to_owned());
        }
        let custom = body.get("customFields").and_then(Value::as_array).into_iter().flatten();
        if custom
            .clone()
            .any(|field| !field["field_value"].is_string() || field["id"].is_string() == field["key"].is_string())
        {
            wrong.push(
                "each value in nested property customFields must have an id or a key, and field_value".to_owned(),
            );
        }
        if wrong.is_empty() { Ok(body) } else { Err(refusal(422, &json!(wrong))) }
    }

    fn write(&mut self, at: usize, mut body: Map<String, Value>) {
        if self.loses_phones {
            body.remove("phone");
        }
        if let Some(Value::Array(list)) = body.remove("customFields") {
            for field in list {
                let known = |(id, key, _): &&(String, String, String)| field["id"] == **id || field["key"] == **key;
                if let Some((id, ..)) = self.custom.iter().find(known) {
                    self.contacts[at].custom.insert(id.clone(), field["field_value"].clone());
                }
            }
        }
        if let Some(Value::Array(tags)) = body.remove("tags") {
            self.contacts[at].tags = tags.iter().filter_map(Value::as_str).map(str::to_lowercase).collect();
        }
        self.contacts[at].fields.extend(body);
    }

    fn upsert(&mut self, call: &Call<'_>) -> Served {
        let body = match self.body(call, true) {
            Ok(body) => body,
            Err(refusal) => return refusal.into(),
        };
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let replaces_tags = body.contains_key("tags");
        let there = self.holder("email", text("email")).or_else(|| self.holder("phone", text("phone")));
        let at = there.unwrap_or(self.contacts.len());
        if there.is_none() {
            self.make(Map::new());
        }
        self.write(at, body);
        if there.is_none() && std::mem::take(&mut self.refuses_but_makes) {
            return refusal(422, &json!(["phone must be a valid phone number"])).into();
        }
        let contact = self.contacts[at].shown(&self.location);
        let answer = Answer::json(200, &json!({"new": there.is_none(), "contact": contact, "traceId": "t"}));
        match replaces_tags {
            true => Served::breach(answer, "`tags` in an upsert replace all tags"),
            false => answer.into(),
        }
    }

    fn change(&mut self, id: &str, call: &Call<'_>) -> Served {
        let body = match self.body(call, false) {
            Ok(body) => body,
            Err(refusal) => return refusal.into(),
        };
        let Some(at) = self.contacts.iter().position(|contact| contact.id == id) else { return no_contact(id) };
        for field in ["email", "phone"] {
            let holder = self.holder(field, body.get(field).and_then(Value::as_str));
            if let Some(holder) = holder.filter(|holder| *holder != at) {
                let mut answer =
                    json!({"statusCode": 400, "message": "This location does not allow duplicated contacts."});
                answer["meta"] = json!({"contactId": self.contacts[holder].id, "matchingField": field});
                return Answer::json(400, &answer).into();
            }
        }
        let replaces_tags = body.contains_key("tags");
        self.write(at, body);
        let answer = json!({"succeded": true, "contact": self.contacts[at].shown(&self.location)});
        match replaces_tags {
            true => Served::breach(Answer::json(200, &answer), "`tags` in a change replace all tags"),
            false => Answer::json(200, &answer).into(),
        }
    }

    fn tag(&mut self, id: &str, call: &Call<'_>) -> Served {
        let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
        let Some(wanted) = body["tags"].as_array().filter(|tags| !tags.is_empty()) else {
            return refusal(422, &json!(["tags should not be empty"])).into();
        };
        let Some(contact) = self.contacts.iter_mut().find(|contact| contact.id == id) else { return no_contact(id) };
        for tag in wanted.iter().filter_map(Value::as_str).map(str::to_lowercase) {
            if !contact.tags.contains(&tag) {
                contact.tags.push(tag);
            }
        }
        Answer::json(201, &json!({"tags": contact.tags, "tagsAdded": wanted})).into()
    }

    fn look_up(&self, call: &Call<'_>) -> Served {
        if call.head.query_value("locationId").as_deref() != Some(&self.location) {
            return refusal(403, &json!("The token does not have access to this location.")).into();
        }
        let by = |name: &str, parameter: &str| self.holder(name, call.head.query_value(parameter).as_deref());
        let found = by("email", "email").or_else(|| by("phone", "number"));
        let contact = found.map(|at| self.contacts[at].shown(&self.location));
        let answer = Answer::json(200, &json!({"contact": contact, "traceId": "t"}));
        match call.head.query.contains('+') {
            true => Served::breach(answer, "a + in a query is a space: it must be %2B"),
            false => answer.into(),
        }
    }

    fn custom_fields(&self) -> Served {
        let list =
            self.custom.iter().map(|(id, key, of)| json!({"id": id, "name": key, "fieldKey": key, "dataType": of}));
        Answer::json(200, &json!({"customFields": list.collect::<Vec<_>>()})).into()
    }

    fn route(&mut self, call: &Call<'_>) -> Served {
        let (method, path) = (call.head.method.as_str(), call.head.path.as_str());
        if call.head.header("version") != Some("2021-07-28") {
            let answer = refusal(400, &json!("Invalid version"));
            return Served::breach(answer, "the header field Version is missing or another");
        }
        if call.head.header("authorization") != Some(&format!("Bearer {}", self.token.expose())) {
            return Served::breach(refusal(401, &json!("Invalid Private Integration token")), "the token is wrong");
        }
        if method != "GET" && !self.may_write {
            return refusal(401, &json!("The token is not authorized for this scope.")).into();
        }
        let parts: Vec<String> = path.trim_start_matches('/').split('/').map(percent_decode).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match (method, &parts[..]) {
            ("GET", ["contacts", "search", "duplicate"]) => self.look_up(call),
            ("POST", ["contacts", "upsert"]) => self.upsert(call),
            ("PUT", ["contacts", id]) => self.change(id, call),
            ("POST", ["contacts", id, "tags"]) => self.tag(id, call),
            ("GET", ["locations", location, "customFields"]) if *location == self.location => self.custom_fields(),
            _ => Served::breach(refusal(404, &json!("Cannot find the path")), "no such path at HighLevel"),
        }
    }
}

fn refusal(status: u16, message: &Value) -> Answer {
    Answer::json(status, &json!({"statusCode": status, "message": message, "traceId": "t"}))
}

fn no_contact(id: &str) -> Served {
    refusal(400, &json!(format!("Contact not found for id: {id}"))).into()
}

impl Service for Api {
    fn serve(&self, call: &Call<'_>) -> Served {
        let mut office = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut served = office.route(call);
        for (name, value) in [
            ("x-ratelimit-limit-daily", "200000"),
            ("x-ratelimit-daily-remaining", "199000"),
            ("x-ratelimit-interval-milliseconds", "10000"),
            ("x-ratelimit-max", "100"),
            ("x-ratelimit-remaining", "99"),
        ] {
            served.answer = served.answer.with(name, value);
        }
        served
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TestClient, get_with};
    use super::*;

    const TOKEN: &[(&str, &str)] = &[("authorization", "Bearer pit-a"), ("version", "2021-07-28")];

    fn account() -> (GoHighLevelSandbox, TestClient) {
        let sandbox = GoHighLevelSandbox::start("pit-a", "loc1").unwrap();
        let client = TestClient::new(sandbox.address());
        (sandbox, client)
    }

    #[test]
    fn an_upsert_makes_one_contact_and_its_tags_replace_all_tags() {
        let (account, mut client) = account();
        account.add_custom_field("f1", "contact.total", "NUMERICAL");
        let mut ada = json!({"locationId": "loc1", "email": "ada@example.com", "phone": "+4930111"});
        ada["customFields"] = json!([{"key": "contact.total", "field_value": "5"}]);
        let made = client.post("/contacts/upsert", TOKEN, &ada).json();
        assert_eq!((&made["new"], &made["contact"]["email"]), (&json!(true), &json!("ada@example.com")));
        assert_eq!(client.post("/contacts/upsert", TOKEN, &ada).json()["new"], false);
        let id = account.contacts()[0].id.clone();
        assert_eq!(client.post(&format!("/contacts/{id}/tags"), TOKEN, &json!({"tags": ["VIP"]})).status, 201);
        assert_eq!(
            (account.contacts()[0].tags.clone(), &account.contacts()[0].custom["f1"]),
            (vec!["vip".into()], &json!("5"))
        );
        ada["tags"] = json!(["customer"]);
        client.post("/contacts/upsert", TOKEN, &ada);
        assert_eq!(account.contacts()[0].tags, ["customer"]);
        assert!(account.requests().last().unwrap().broken_rules[0].contains("replace all tags"));
        let found = get_with(&mut client, "/contacts/search/duplicate?locationId=loc1&number=%2B4930111", TOKEN).json();
        assert_eq!(found["contact"]["id"], id.as_str());
        let lost = get_with(&mut client, "/contacts/search/duplicate?locationId=loc1&number=+4930111", TOKEN).json();
        assert_eq!(lost["contact"], Value::Null);
        assert!(!account.requests().last().unwrap().broken_rules.is_empty());
    }

    #[test]
    fn what_is_wrong_is_refused_as_highlevel_does() {
        let (account, mut client) = account();
        let bob = account.insert(&json!({"email": "bob@example.com"}), &[]);
        let eve = account.insert(&json!({"email": "eve@example.com"}), &[]);
        assert_eq!(client.post("/contacts/upsert", &TOKEN[..1], &json!({})).status, 400);
        assert_eq!(client.post("/contacts/upsert", &TOKEN[1..], &json!({})).status, 401);
        assert_eq!(client.post("/contacts/upsert", TOKEN, &json!({"email": "a@example.com"})).status, 403);
        let odd = client.post("/contacts/upsert", TOKEN, &json!({"locationId": "loc1", "phone": "030", "mood": "x"}));
        assert_eq!(odd.status, 422);
        assert_eq!(odd.json()["message"][0], "property mood should not exist");
        let mut put =
            |id: &str, body: Value| client.send("PUT", &format!("/contacts/{id}"), TOKEN, body.to_string().as_bytes());
        assert_eq!(put(&bob, json!({"locationId": "loc1"})).status, 422, "a change takes no location");
        let taken = put(&bob, json!({"email": "eve@example.com"}));
        assert_eq!((taken.status, taken.json()["meta"]["contactId"].clone()), (400, json!(eve)));
        assert_eq!(put("nobody", json!({})).json()["message"], "Contact not found for id: nobody");
        account.let_write(false);
        assert_eq!(put(&bob, json!({})).status, 401);
        account.let_write(true);
        account.refuse_but_make();
        let new = json!({"locationId": "loc1", "email": "new@example.com"});
        assert_eq!((client.post("/contacts/upsert", TOKEN, &new).status, account.contacts().len()), (422, 3));
    }
}
