//! Is it working? For the operator's monitor, for machines, and for people with the right to know more.
//!
//! A request never triggers an outgoing call: the report is made from what is already known.

use std::sync::{Arc, PoisonError, RwLock};

use hyper::header::{AUTHORIZATION, HeaderMap};
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;

use super::answer::{self, Answer};
use crate::config;
use crate::model::time::Timestamp;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Condition {
    /// As it should be.
    Healthy,
    /// It works in part, or was failing a moment ago.
    Degraded,
    /// It does not work.
    Unhealthy,
}

impl Condition {
    /// The name in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// How one part is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its condition.
    pub condition: Condition,
    /// A sentence for a person, without personal data; where there is something to say.
    pub detail: Option<String>,
}

impl From<Condition> for Check {
    fn from(condition: Condition) -> Self {
        Self { condition, detail: None }
    }
}

/// How everything is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthReport {
    /// The sum of it.
    pub overall: Condition,
    /// Whether webhooks are taken.
    pub webhook_endpoint: Check,
    /// The store.
    pub database_connection: Check,
    /// Each configured destination by its name.
    pub external_apis: Vec<(String, Check)>,
    /// When this was so.
    pub timestamp: Timestamp,
}

/// Knows how everything is. Both calls answer from memory.
pub trait HealthView: Send + Sync {
    /// The whole report.
    fn report(&self) -> HealthReport;

    /// Whether a signed event would be stored now.
    ///
    /// # Errors
    /// Why it would not, in a sentence that anyone may read.
    fn ready(&self) -> Result<(), String>;
}

/// Where a request came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entrance {
    /// The public listener.
    Public,
    /// The admin socket, whose users may see everything.
    Admin,
}

/// The pages about health.
pub struct HealthPages {
    view: Arc<dyn HealthView>,
    rule: RwLock<config::Health>,
}

impl HealthPages {
    /// Shows a view under a rule.
    pub fn new(view: Arc<dyn HealthView>, rule: config::Health) -> Self {
        Self { view, rule: RwLock::new(rule) }
    }

    /// Puts another rule into force, after the configuration was read again.
    pub fn set_rule(&self, rule: config::Health) {
        *self.rule.write().unwrap_or_else(PoisonError::into_inner) = rule;
    }

    /// The page of a path; none when the path is not about health.
    pub(super) fn answer(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        entrance: Entrance,
    ) -> Option<Answer> {
        if !matches!(path, "/api/health/webhooks" | "/livez" | "/readyz") {
            return None;
        }
        // hyper leaves the body out of an answer to HEAD and keeps its length.
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Some(answer::method_not_allowed("GET, HEAD"));
        }
        Some(match path {
            "/livez" => answer::fixed(StatusCode::OK, r#"{"status":"alive"}"#),
            "/readyz" => self.readiness(),
            _ => self.report(entrance == Entrance::Admin || self.may_see_details(headers)),
        })
    }

    fn readiness(&self) -> Answer {
        match self.view.ready() {
            Ok(()) => answer::fixed(StatusCode::OK, r#"{"status":"ready"}"#),
            Err(reason) => {
                answer::json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "not_ready", "reason": reason}))
            }
        }
    }

    fn report(&self, with_details: bool) -> Answer {
        let report = self.view.report();
        let status = match report.overall {
            Condition::Healthy => StatusCode::OK,
            Condition::Degraded | Condition::Unhealthy => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut body = json!({"status": report.overall.name(), "timestamp": report.timestamp.to_string()});
        if with_details {
            add_details(&mut body, &report);
        }
        answer::json(status, &body)
    }

    fn may_see_details(&self, headers: &HeaderMap) -> bool {
        match &*self.rule.read().unwrap_or_else(PoisonError::into_inner) {
            config::Health::Public => true,
            config::Health::Admin => false,
            config::Health::Token(token) => {
                let bearer = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
                let own = headers.get("x-tallyhook-token").map(|value| value.as_bytes());
                let wanted = token.expose().as_bytes();
                [bearer, own].into_iter().flatten().any(|given| bool::from(given.ct_eq(wanted)))
            }
        }
    }
}

/// `checks` holds plain conditions, so that a monitor can compare them; sentences are beside them in `details`.
fn add_details(body: &mut Value, report: &HealthReport) {
    let mut details = Map::new();
    let mut note = |name: &str, check: &Check| {
        if let Some(detail) = &check.detail {
            details.insert(name.to_owned(), Value::from(detail.as_str()));
        }
        Value::from(check.condition.name())
    };
    let webhook_endpoint = note("webhook_endpoint", &report.webhook_endpoint);
    let database_connection = note("database_connection", &report.database_connection);
    let external_apis: Map<String, Value> =
        report.external_apis.iter().map(|(name, check)| (name.clone(), note(name, check))).collect();
    body["checks"] = json!({
        "webhook_endpoint": webhook_endpoint,
        "database_connection": database_connection,
        "external_apis": external_apis,
    });
    if !details.is_empty() {
        body["details"] = Value::Object(details);
    }
}
