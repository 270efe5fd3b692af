//! A HubSpot portal that answers as HubSpot's documentation says, without its search: an address only once, a conflict that names
//! the contact, properties that must be there, stages that only go forward, merged contacts, scopes.

use std::collections::BTreeMap;
use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::{Answer, Call, Sandbox, Served, Service, system_clock};
use crate::demo::http_server::percent_decode;
use crate::destinations::fields::Field;
use crate::destinations::hubspot::{DEFAULTS, STANDARD, default_property, property_type};
use crate::model::secret::Secret;

/// Where contacts are.
const CONTACTS: &str = "/crm/v3/objects/contacts";
/// Lifecycle stages in their order.
const STAGES: [&str; 4] = ["subscriber", "lead", "opportunity", "customer"];
/// The first contact has the number after this one.
const FIRST: u64 = 1000;

/// The portal's server.
pub struct HubSpotSandbox {
    sandbox: Sandbox,
    office: Arc<Mutex<Office>>,
}

struct Office {
    token: Secret,
    may_write: bool,
    contacts: BTreeMap<u64, Map<String, Value>>,
    /// Contacts that were merged into another: theirs and its number.
    merged: BTreeMap<u64, u64>,
    properties: BTreeMap<String, String>,
    made: u64,
}

struct Api(Arc<Mutex<Office>>);

impl HubSpotSandbox {
    /// Starts an empty portal with one token and every property that is written to by default.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start(token: &str) -> io::Result<Self> {
        let own = DEFAULTS.into_iter().filter_map(Field::named);
        let own = own.map(|field| (default_property(field.name), property_type(field).to_owned()));
        let standard = STANDARD.map(|name| (name.to_owned(), "string".to_owned()));
        let office = Arc::new(Mutex::new(Office {
            token: Secret::new(token),
            may_write: true,
            contacts: BTreeMap::new(),
            merged: BTreeMap::new(),
            properties: own.chain(standard).collect(),
            made: 0,
        }));
        let sandbox = Sandbox::start(Api(Arc::clone(&office)), system_clock())?;
        Ok(Self { sandbox, office })
    }

    fn office(&self) -> MutexGuard<'_, Office> {
        self.office.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every contact by its number.
    pub fn contacts(&self) -> BTreeMap<u64, Map<String, Value>> {
        self.office().contacts.clone()
    }

    /// Enters a contact by hand, an object of properties; answers its number.
    pub fn insert(&self, properties: &Value) -> u64 {
        self.office().insert(properties.as_object().cloned().unwrap_or_default())
    }

    /// Takes a contact away by hand.
    pub fn delete(&self, id: u64) {
        self.office().contacts.remove(&id);
    }

    /// Merges a contact into another by hand: from then on it is found under both numbers.
    pub fn merge(&self, kept: u64, gone: u64) {
        let mut office = self.office();
        office.contacts.remove(&gone);
        office.merged.insert(gone, kept);
    }

    /// Gives the portal another token, as after a rotation.
    pub fn set_token(&self, token: &str) {
        self.office().token = Secret::new(token);
    }

    /// Gives the private app the scope to write, or takes it away.
    pub fn let_write(&self, may_write: bool) {
        self.office().may_write = may_write;
    }

    /// Makes a property.
    pub fn add_property(&self, name: &str, of: &str) {
        self.office().properties.insert(name.to_owned(), of.to_owned());
    }

    /// Takes a property away.
    pub fn remove_property(&self, name: &str) {
        self.office().properties.remove(name);
    }
}

impl Deref for HubSpotSandbox {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Office {
    fn insert(&mut self, properties: Map<String, Value>) -> u64 {
        self.made += 1;
        let id = FIRST + self.made;
        self.contacts.insert(id, properties);
        id
    }

    fn by_email(&self, email: &str) -> Option<u64> {
        let has = |told: &Map<String, Value>| {
            let further = told.get("hs_additional_emails").and_then(Value::as_str).unwrap_or_default();
            told.get("email").and_then(Value::as_str) == Some(email) || further.split(';').any(|known| known == email)
        };
        self.contacts.iter().find(|(_, told)| has(told)).map(|(id, _)| *id)
    }

    /// What is written, or the refusal.
    fn properties(&self, call: &Call<'_>) -> Result<Map<String, Value>, Answer> {
        let body: Value = serde_json::from_slice(call.body).unwrap_or_default();
        let Some(told) = body.get("properties").and_then(Value::as_object) else {
            return Err(failure(400, "VALIDATION_ERROR", "no properties"));
        };
        let complaints: Vec<Value> = told
            .iter()
            .filter_map(|(name, value)| {
                let code = match (self.properties.get(name).map(String::as_str), value.as_str()) {
                    (None, _) => "PROPERTY_DOESNT_EXIST",
                    (_, None) => "INVALID_TYPE",
                    (Some("number"), Some(text)) if text.parse::<f64>().is_err() => "INVALID_NUMBER",
                    (Some("date"), Some(text)) if text.parse::<i64>().is_ok_and(|at| at % 86_400_000 != 0) => {
                        "INVALID_DATE"
                    }
                    (Some("date" | "datetime"), Some(text)) if text.parse::<i64>().is_err() => "INVALID_DATE",
                    (Some("bool"), Some(text)) if !matches!(text, "true" | "false") => "INVALID_BOOLEAN",
                    _ if name == "email" && !value.as_str().is_some_and(|text| text.contains('@')) => "INVALID_EMAIL",
                    _ => return None,
                };
                let message = format!("Property {name:?} is refused");
                Some(json!({"isValid": false, "message": message, "error": code, "name": name}))
            })
            .collect();
        if complaints.is_empty() {
            return Ok(told.clone());
        }
        let message = format!("Property values were not valid: {}", Value::Array(complaints));
        Err(failure(400, "VALIDATION_ERROR", &message))
    }

    fn change(&mut self, id: u64, told: Map<String, Value>) -> Answer {
        let id = self.merged.get(&id).copied().unwrap_or(id);
        let owner = told.get("email").and_then(Value::as_str).and_then(|email| self.by_email(email));
        if let Some(owner) = owner.filter(|owner| *owner != id) {
            return exists(owner);
        }
        let Some(contact) = self.contacts.get_mut(&id) else {
            return failure(404, "OBJECT_NOT_FOUND", "resource not found");
        };
        let rank = |stage: Option<&Value>| STAGES.iter().position(|known| stage.is_some_and(|stage| stage == known));
        for (name, value) in told {
            // A stage only moves forward.
            if name != "lifecyclestage" || rank(Some(&value)) > rank(contact.get(&name)) {
                contact.insert(name, value);
            }
        }
        shown(200, id, contact)
    }

    fn create(&mut self, told: Map<String, Value>) -> Answer {
        if let Some(id) = told.get("email").and_then(Value::as_str).and_then(|email| self.by_email(email)) {
            return exists(id);
        }
        if !["email", "firstname", "lastname"].iter().any(|name| told.contains_key(*name)) {
            return failure(400, "VALIDATION_ERROR", "one of email, firstname and lastname is needed");
        }
        let id = self.insert(told.clone());
        shown(201, id, &told)
    }

    fn list(&self) -> Answer {
        let properties = self.properties.iter().map(|(name, of)| json!({"name": name, "type": of}));
        Answer::json(200, &json!({"results": properties.collect::<Vec<_>>()}))
    }
}

fn shown(status: u16, id: u64, properties: &Map<String, Value>) -> Answer {
    Answer::json(status, &json!({"id": id.to_string(), "properties": properties, "archived": false}))
}

fn exists(id: u64) -> Answer {
    failure(409, "CONFLICT", &format!("Contact already exists. Existing ID: {id}"))
}

fn failure(status: u16, category: &str, message: &str) -> Answer {
    let body = json!({"status": "error", "message": message, "category": category, "correlationId": "c-1"});
    Answer::json(status, &body)
}

impl Service for Api {
    fn serve(&self, call: &Call<'_>) -> Served {
        let mut office = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if call.head.header("authorization") != Some(&format!("Bearer {}", office.token.expose())) {
            let refusal = failure(401, "INVALID_AUTHENTICATION", "Authentication credentials not found.");
            return Served::breach(refusal, "the token is wrong");
        }
        let (method, path) = (call.head.method.as_str(), call.head.path.as_str());
        if method != "GET" && !office.may_write {
            let mut refusal: Value =
                json!({"status": "error", "category": "MISSING_SCOPES", "message": "not all scopes"});
            refusal["errors"] = json!([{"context": {"requiredGranularScopes": ["crm.objects.contacts.write"]}}]);
            return Answer::json(403, &refusal).into();
        }
        let record = path.strip_prefix(CONTACTS).and_then(|rest| rest.strip_prefix('/')).map(percent_decode);
        match (method, path, record) {
            ("GET", "/crm/v3/properties/contacts", _) => office.list().into(),
            ("GET", CONTACTS, _) => Answer::json(200, &json!({"results": []})).into(),
            ("POST", CONTACTS, _) => match office.properties(call) {
                Ok(told) => office.create(told).into(),
                Err(refusal) => refusal.into(),
            },
            ("PATCH", _, Some(record)) => {
                let by_email = call.head.query_value("idProperty").as_deref() == Some("email");
                let id = if by_email { office.by_email(&record) } else { record.parse().ok() };
                match (office.properties(call), id) {
                    (Err(refusal), _) => refusal.into(),
                    (Ok(told), Some(id)) => office.change(id, told).into(),
                    (Ok(_), None) => failure(404, "OBJECT_NOT_FOUND", "resource not found").into(),
                }
            }
            _ => Served::breach(failure(404, "NOT_FOUND", "no such path"), "no such path at HubSpot, or its search"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TestClient, get_with};
    use super::*;

    const TOKEN: &[(&str, &str)] = &[("authorization", "Bearer pat-a")];

    fn portal() -> (HubSpotSandbox, TestClient) {
        let sandbox = HubSpotSandbox::start("pat-a").unwrap();
        let client = TestClient::new(sandbox.address());
        (sandbox, client)
    }

    #[test]
    fn an_address_is_there_once_and_a_conflict_names_its_contact() {
        let (portal, mut client) = portal();
        let ada = json!({"properties": {"email": "ada@example.com", "lifecyclestage": "customer"}});
        let made = client.post(CONTACTS, TOKEN, &ada);
        assert_eq!((made.status, made.json()["id"].clone()), (201, json!("1001")));
        let again = client.post(CONTACTS, TOKEN, &ada);
        assert_eq!(again.status, 409);
        assert_eq!(again.json()["message"], "Contact already exists. Existing ID: 1001");
        let back = json!({"properties": {"lifecyclestage": "lead", "phone": "+4930"}}).to_string();
        let by_email = format!("{CONTACTS}/ada%40example.com?idProperty=email");
        assert_eq!(client.send("PATCH", &by_email, TOKEN, back.as_bytes()).status, 200);
        assert_eq!(portal.contacts()[&1001]["lifecyclestage"], "customer");
        assert_eq!(client.send("PATCH", &format!("{CONTACTS}/7"), TOKEN, back.as_bytes()).status, 404);
        let other = portal.insert(&json!({"email": "bob@example.com"}));
        portal.merge(1001, other);
        let changed = client.send("PATCH", &format!("{CONTACTS}/{other}"), TOKEN, back.as_bytes());
        assert_eq!(changed.json()["id"], "1001", "a merged contact is found under both numbers");
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let (portal, mut client) = portal();
        assert_eq!(get_with(&mut client, CONTACTS, &[]).status, 401);
        for (name, value) in [
            ("unheard_of", json!("x")),
            ("tallyhook_total_spent", json!(5)),
            ("tallyhook_total_spent", json!("much")),
            ("tallyhook_customer_since", json!("1747132561000")),
            ("email", json!("ada")),
        ] {
            let told = json!({"properties": {"firstname": "Ada", name: value}});
            assert_eq!(client.post(CONTACTS, TOKEN, &told).status, 400, "{told}");
        }
        assert_eq!(client.post(CONTACTS, TOKEN, &json!({"properties": {"phone": "+4930"}})).status, 400);
        assert_eq!(client.post(&format!("{CONTACTS}/search"), TOKEN, &json!({})).status, 404);
        portal.let_write(false);
        assert_eq!(client.post(CONTACTS, TOKEN, &json!({})).json()["category"], "MISSING_SCOPES");
        assert_eq!(get_with(&mut client, CONTACTS, TOKEN).status, 200);
        assert!(portal.contacts().is_empty());
    }
}
