//! A CRM that speaks the owner's own REST contract, and remembers.

use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::{Answer, Call, Sandbox, Served, Service, system_clock};
use crate::demo::http_server::percent_decode;
use crate::model::secret::Secret;
use crate::model::time::Timestamp;

/// Everything before `/contacts`.
const BASE: &str = "/api";

/// How the CRM lists what a search found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListForm {
    /// `{"contacts":[…]}`.
    #[default]
    Contacts,
    /// `{"data":[…]}`.
    Data,
    /// `[…]`.
    Bare,
    /// Something else: it does not say whether there is somebody.
    Odd,
}

/// A contact as the CRM has it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredContact {
    /// The CRM's id.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Everything that was sent of it, the newest value of each key.
    pub fields: Map<String, Value>,
}

impl StoredContact {
    /// The id by which the sender knows it.
    pub fn external_id(&self) -> Option<&str> {
        self.fields.get("external_id").and_then(Value::as_str)
    }

    fn shown(&self) -> Value {
        let mut shown = self.fields.clone();
        shown.insert("id".to_owned(), self.id.as_str().into());
        shown.insert("created_at".to_owned(), self.created_at.to_string().into());
        Value::Object(shown)
    }
}

/// The CRM's server.
pub struct CrmSandbox {
    sandbox: Sandbox,
    office: Arc<Mutex<Office>>,
}

struct Office {
    api_key: Secret,
    form: ListForm,
    contacts: Vec<StoredContact>,
    next_id: u64,
}

struct Api(Arc<Mutex<Office>>);

impl CrmSandbox {
    /// Starts an empty CRM with one key.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start(api_key: &str) -> io::Result<Self> {
        let office = Arc::new(Mutex::new(Office {
            api_key: Secret::new(api_key),
            form: ListForm::default(),
            contacts: Vec::new(),
            next_id: 1,
        }));
        let sandbox = Sandbox::start(Api(Arc::clone(&office)), system_clock())?;
        Ok(Self { sandbox, office })
    }

    fn office(&self) -> MutexGuard<'_, Office> {
        self.office.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of `base_url`.
    pub fn base_url(&self) -> String {
        format!("{}{BASE}", self.origin())
    }

    /// Every contact, in the order in which they were made.
    pub fn contacts(&self) -> Vec<StoredContact> {
        self.office().contacts.clone()
    }

    /// Chooses how searches are answered.
    pub fn list_as(&self, form: ListForm) {
        self.office().form = form;
    }

    /// Gives the CRM another key, as after a rotation.
    pub fn set_api_key(&self, api_key: &str) {
        self.office().api_key = Secret::new(api_key);
    }

    /// Enters a contact by hand, even a second one of the same external id; answers its id.
    pub fn insert(&self, fields: Map<String, Value>, created_at: Timestamp) -> String {
        self.office().insert(fields, created_at).id.clone()
    }

    /// Takes a contact away by hand.
    pub fn delete(&self, id: &str) {
        self.office().contacts.retain(|contact| contact.id != id);
    }
}

impl Deref for CrmSandbox {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Office {
    fn insert(&mut self, fields: Map<String, Value>, created_at: Timestamp) -> &StoredContact {
        let at = self.contacts.len();
        self.contacts.push(StoredContact { id: format!("c_{}", self.next_id), created_at, fields });
        self.next_id += 1;
        &self.contacts[at]
    }

    fn search(&self, external_id: &str) -> Answer {
        let found: Vec<Value> = self
            .contacts
            .iter()
            .filter(|contact| contact.external_id() == Some(external_id))
            .map(StoredContact::shown)
            .collect();
        Answer::json(
            200,
            &match self.form {
                ListForm::Contacts => json!({"contacts": found}),
                ListForm::Data => json!({"data": found, "meta": {"page": 1}}),
                ListForm::Bare => Value::Array(found),
                ListForm::Odd => json!({"ok": true}),
            },
        )
    }

    fn create(&mut self, call: &Call<'_>) -> Served {
        let fields = match fields(call) {
            Ok(fields) => fields,
            Err(served) => return served,
        };
        let Some(external_id) = fields.get("external_id").and_then(Value::as_str).filter(|id| !id.is_empty()) else {
            return unfit("external_id", "is required");
        };
        if self.contacts.iter().any(|contact| contact.external_id() == Some(external_id)) {
            let body = json!({"error": "a contact with this external_id exists"});
            return Served::breach(Answer::json(409, &body), "the external_id is taken");
        }
        Answer::json(201, &self.insert(fields, call.now).shown()).into()
    }

    fn change(&mut self, id: &str, call: &Call<'_>) -> Served {
        let fields = match fields(call) {
            Ok(fields) => fields,
            Err(served) => return served,
        };
        match self.contacts.iter_mut().find(|contact| contact.id == id) {
            Some(contact) => {
                contact.fields.extend(fields);
                Answer::json(200, &contact.shown()).into()
            }
            None => Answer::json(404, &json!({"error": "no such contact"})).into(),
        }
    }
}

fn fields(call: &Call<'_>) -> Result<Map<String, Value>, Served> {
    let Ok(Value::Object(fields)) = serde_json::from_slice(call.body) else {
        return Err(unfit("body", "is not a JSON object"));
    };
    if let Some(email) = fields.get("email").filter(|email| !email.as_str().is_some_and(|email| email.contains('@'))) {
        return Err(unfit("email", &format!("{email} is no address")));
    }
    Ok(fields)
}

fn unfit(field: &str, why: &str) -> Served {
    Served::breach(Answer::json(422, &json!({"error": format!("{field} {why}")})), format!("{field} {why}"))
}

impl Service for Api {
    fn serve(&self, call: &Call<'_>) -> Served {
        let mut office = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let expected = format!("Bearer {}", office.api_key.expose());
        if call.head.header("authorization") != Some(&expected) {
            return Served::breach(Answer::json(401, &json!({"error": "unauthorized"})), "the key is wrong");
        }
        let path = call.head.path.strip_prefix(BASE).unwrap_or_default();
        let id = path.strip_prefix("/contacts/").map(percent_decode).filter(|id| !id.is_empty());
        match (call.head.method.as_str(), path, id) {
            ("GET", "/contacts", _) => match call.head.query_value("external_id") {
                Some(external_id) => office.search(&external_id).into(),
                None => unfit("external_id", "is required in the query"),
            },
            ("POST", "/contacts", _) => office.create(call),
            ("PATCH", _, Some(id)) => office.change(&id, call),
            ("GET", _, Some(id)) => match office.contacts.iter().find(|contact| contact.id == id) {
                Some(contact) => Answer::json(200, &contact.shown()).into(),
                None => Answer::json(404, &json!({"error": "no such contact"})).into(),
            },
            _ => Served::breach(Answer::json(404, &json!({"error": "not found"})), "no such path at the CRM"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TestClient, get_with};
    use super::*;

    const KEY: &[(&str, &str)] = &[("authorization", "Bearer key")];

    fn crm() -> (CrmSandbox, TestClient) {
        let sandbox = CrmSandbox::start("key").unwrap();
        let client = TestClient::new(sandbox.address());
        (sandbox, client)
    }

    #[test]
    fn a_contact_is_searched_created_once_and_changed() {
        let (sandbox, mut client) = crm();
        let search = "/api/contacts?external_id=lead%2B1";
        assert_eq!(get_with(&mut client, search, KEY).json(), json!({"contacts": []}));
        let body = json!({"external_id": "lead+1", "email": "ada@example.com", "total_spent": 99});
        let made = client.post("/api/contacts", KEY, &body);
        assert_eq!((made.status, made.json()["id"].clone()), (201, json!("c_1")));
        assert_eq!(client.post("/api/contacts", KEY, &body).status, 409);
        let changed = client.send("PATCH", "/api/contacts/c_1", KEY, br#"{"total_spent":74}"#);
        assert_eq!(changed.status, 200);
        assert_eq!(client.send("PATCH", "/api/contacts/c_9", KEY, b"{}").status, 404);
        let [contact] = &sandbox.contacts()[..] else { panic!("one contact") };
        assert_eq!(contact.fields["total_spent"], 74);
        assert_eq!(contact.fields["email"], "ada@example.com");
        sandbox.delete("c_1");
        assert_eq!(get_with(&mut client, search, KEY).json(), json!({"contacts": []}));
    }

    #[test]
    fn searches_are_answered_in_the_chosen_form() {
        let (sandbox, mut client) = crm();
        let fields = json!({"external_id": "l"}).as_object().cloned().unwrap();
        sandbox.insert(fields.clone(), Timestamp::from_unix_seconds(1));
        sandbox.insert(fields, Timestamp::from_unix_seconds(2));
        for (form, pointer) in [(ListForm::Contacts, "/contacts"), (ListForm::Data, "/data"), (ListForm::Bare, "")] {
            sandbox.list_as(form);
            let answer = get_with(&mut client, "/api/contacts?external_id=l", KEY).json();
            let list = answer.pointer(pointer).unwrap();
            assert_eq!(list.as_array().unwrap().len(), 2);
            assert_eq!(list[0]["created_at"], "1970-01-01T00:00:01.000Z");
        }
        sandbox.list_as(ListForm::Odd);
        assert_eq!(get_with(&mut client, "/api/contacts?external_id=l", KEY).json(), json!({"ok": true}));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let (sandbox, mut client) = crm();
        assert_eq!(get_with(&mut client, "/api/contacts?external_id=l", &[]).status, 401);
        assert_eq!(get_with(&mut client, "/api/contacts", KEY).status, 422);
        assert_eq!(get_with(&mut client, "/contacts?external_id=l", KEY).status, 404);
        assert_eq!(client.post("/api/contacts", KEY, &json!({"email": "ada@example.com"})).status, 422);
        assert_eq!(client.post("/api/contacts", KEY, &json!({"external_id": "l", "email": "ada"})).status, 422);
        assert_eq!(client.post("/api/contacts", KEY, &json!([])).status, 422);
        assert!(sandbox.contacts().is_empty());
        assert!(sandbox.requests().iter().all(|request| !request.broken_rules.is_empty()));
    }
}
