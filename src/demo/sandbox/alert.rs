//! The operator's monitoring: takes alerts as JSON.

use std::io;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::{Answer, Call, Sandbox, Served, Service, system_clock};

/// The keys that every alert has (DESIGN 6).
const KEYS: [&str; 8] = [
    "event_type",
    "destination",
    "error_message",
    "transaction_id",
    "lead_id",
    "count",
    "timestamp",
    "requires_manual_review",
];

/// Takes alerts, and checks that they have the fields that monitoring expects and name nobody.
pub struct AlertSandbox {
    sandbox: Sandbox,
    alerts: Arc<Mutex<Vec<Value>>>,
}

struct Inbox(Arc<Mutex<Vec<Value>>>);

impl AlertSandbox {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start() -> io::Result<Self> {
        let alerts = Arc::default();
        let sandbox = Sandbox::start(Inbox(Arc::clone(&alerts)), system_clock())?;
        Ok(Self { sandbox, alerts })
    }

    /// Where alerts are posted.
    pub fn url(&self) -> String {
        format!("{}/alerts", self.origin())
    }

    /// Every alert, in order of arrival.
    pub fn alerts(&self) -> Vec<Value> {
        self.alerts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Deref for AlertSandbox {
    type Target = Sandbox;

    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl Service for Inbox {
    fn serve(&self, call: &Call<'_>) -> Served {
        if call.head.method != "POST" {
            return Answer::empty(405).into();
        }
        let Ok(alert) = serde_json::from_slice::<Value>(call.body) else {
            return Served::breach(Answer::json(400, &json!({"error": "not JSON"})), "the alert is not JSON");
        };
        let mut broken_rules: Vec<String> =
            KEYS.iter().filter(|key| alert.get(**key).is_none()).map(|key| format!("`{key}` is missing")).collect();
        if alert.to_string().contains('@') {
            broken_rules.push("the alert holds an e-mail address".to_owned());
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(alert);
        Served { answer: Answer::json(200, &json!({"ok": true})), broken_rules }
    }
}
