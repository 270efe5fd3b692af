//! MailerLite, new API and classic: one upsert by e-mail address, which also joins a group.
//!
//! An upsert never sends a status: whoever unsubscribed stays so, and the delivery is suppressed. Joining a group is what
//! starts an automation; MailerLite has no call that starts one.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    Admission, Destination, Exchange, Finished, HttpRequest, Job, Method, Step, Style, consent, status, url_encode,
};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::{AmbiguousPolicy, FailureClass, Outcome, Rule};
use crate::model::identity::IdentityKind;
use crate::model::rate::RateLimit;
use crate::model::secret::Secret;

mod answers;
#[cfg(test)]
mod tests;

/// How long an event waits for an e-mail address.
const EMAIL_WAIT: Duration = Duration::from_secs(30 * 86_400);

/// What MailerLite needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The API key of the account.
    pub api_key: Secret,
    /// Which API the account has.
    pub api: Api,
    /// Scheme and authority, `https://connect.mailerlite.com` or `https://api.mailerlite.com`.
    pub endpoint: String,
    /// Groups by tier.
    pub groups: Groups,
    /// From this value (major units) on, a sale is of the VIP tier.
    pub vip_from: u64,
    /// Whether an explicit yes to e-mail is needed; a no always suppresses.
    pub requires_consent: bool,
}

/// Which API an account has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `connect.mailerlite.com`, accounts since 2022-03-22.
    New,
    /// `api.mailerlite.com/api/v2`, older accounts.
    Classic,
}

/// Group ids by tier; a missing one means that this tier joins no group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// `enterprise`, or a value from `vip_from` on.
    pub vip: Option<String>,
    /// `premium`.
    pub premium: Option<String>,
    /// Everybody else.
    pub standard: Option<String>,
}

/// MailerLite, new API and classic.
pub struct MailerLite {
    settings: Settings,
}

impl MailerLite {
    /// From settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// The group of a sale; none for what is no sale, and for a tier without a group.
    fn group(&self, event: &BusinessEvent, contact: &Contact) -> Option<&str> {
        if !event.kind.is_sale() {
            return None;
        }
        let tier =
            event.facts.pricing_tier.as_deref().or(contact.pricing_tier.as_deref()).map(str::trim).unwrap_or_default();
        let worth_vip = event.amount.is_some_and(|amount| {
            i128::from(amount.minor) >= i128::from(self.settings.vip_from) * 10_i128.pow(amount.currency.exponent())
        });
        let groups = &self.settings.groups;
        let group = if tier.eq_ignore_ascii_case("enterprise") || worth_vip {
            &groups.vip
        } else if tier.eq_ignore_ascii_case("premium") {
            &groups.premium
        } else {
            &groups.standard
        };
        group.as_deref().filter(|group| !group.is_empty())
    }

    /// The groups that the pending events ask for, each once, in the order of the events.
    fn groups<'a>(&'a self, job: &Job<'_>, contact: &Contact) -> Vec<&'a str> {
        let mut groups = Vec::new();
        for group in job.events.iter().filter_map(|event| self.group(event, contact)) {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        groups
    }

    /// The requests of a job, in order: one in the new API, in the classic one as many as there are groups to join.
    fn requests(&self, job: &Job<'_>, contact: &Contact, email: &str) -> Vec<HttpRequest> {
        let groups = self.groups(job, contact);
        let mut body = Map::new();
        body.insert("email".to_owned(), email.into());
        let mut fields = fields(contact);
        match self.settings.api {
            Api::New => {
                if !groups.is_empty() {
                    body.insert("groups".to_owned(), groups.into());
                }
                body.insert("fields".to_owned(), Value::Object(fields));
                vec![self.request(Method::Post, "/api/subscribers", &Value::Object(body))]
            }
            Api::Classic => {
                if let Some(name) = fields.remove("name") {
                    body.insert("name".to_owned(), name);
                }
                body.insert("fields".to_owned(), Value::Object(fields));
                body.insert("resubscribe".to_owned(), false.into());
                let body = Value::Object(body);
                if groups.is_empty() {
                    return vec![self.request(Method::Post, "/api/v2/subscribers", &body)];
                }
                let path = |group: &str| format!("/api/v2/groups/{}/subscribers", url_encode(group));
                groups.iter().map(|group| self.request(Method::Post, &path(group), &body)).collect()
            }
        }
    }

    fn request(&self, method: Method, path: &str, body: &Value) -> HttpRequest {
        let key = &self.settings.api_key;
        let mut headers = vec![("accept", "application/json".to_owned())];
        if !body.is_null() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        HttpRequest {
            method,
            url: format!("{}{path}", self.settings.endpoint.trim_end_matches('/')),
            secret_path: None,
            secret_query: None,
            headers,
            secret_header: Some(match self.settings.api {
                Api::New => ("authorization", Secret::new(format!("Bearer {}", key.expose()))),
                Api::Classic => ("x-mailerlite-apikey", key.clone()),
            }),
            body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
            // The address is the key of the upsert, so a repeat changes nothing.
            repeatable: true,
        }
    }

    /// What a reply means; `Delivered` also where the next group is to be joined.
    fn judge(&self, exchange: &Exchange, finished: &mut Finished) -> Outcome {
        let default = status::outcome(exchange);
        let Ok(response) = &exchange.reply else { return default };
        match response.status {
            200..=299 => match answers::subscriber(&response.body) {
                Some(subscriber) => {
                    let lost = subscriber.is_lost();
                    if let Some(status) = subscriber.status.as_deref().filter(|status| *status != "active") {
                        finished.notes.push(format!("MailerLite has the person as {}", status::cut(status, 40)));
                    }
                    finished.remote_id = subscriber.id.or(finished.remote_id.take());
                    if lost { Outcome::Suppressed(Rule::Unsubscribed) } else { default }
                }
                // A web page is a proxy or a wrong address, not MailerLite.
                None if status::is_page(&response.body) => Outcome::Retry {
                    explanation: format!(
                        "{}, which is a web page; look whether `endpoint` and `api` are right",
                        status::answered(exchange, response.status)
                    ),
                    after: None,
                },
                None => {
                    finished.notes.push("MailerLite did not say what it made of the person".to_owned());
                    default
                }
            },
            400 | 422 if answers::says_unsubscribed(&response.body) => Outcome::Suppressed(Rule::Unsubscribed),
            422 => match answers::complaints(&response.body) {
                Some(complaints) => Outcome::Permanent {
                    class: FailureClass::Rejected,
                    explanation: format!("MailerLite refused the subscriber (422): {complaints}"),
                },
                None => default,
            },
            401 => {
                let (this, other) = match self.settings.api {
                    Api::New => ("the new MailerLite", "if it is a key of MailerLite Classic set `api = \"classic\"`"),
                    Api::Classic => {
                        ("MailerLite Classic", "if it is a key of the new MailerLite remove `api = \"classic\"`")
                    }
                };
                Outcome::Broken {
                    explanation: format!(
                        "MailerLite does not accept `api_key` (401): it must be a valid key of {this}; {other}, else make a new key, and reload"
                    ),
                }
            }
            _ => default,
        }
    }
}

fn email(contact: Option<&Contact>) -> Option<&str> {
    let contact = contact?;
    contact.person.email.as_ref().map(|email| email.as_str()).or_else(|| contact.identity(IdentityKind::Email))
}

/// Built-in and custom fields; what is not known is left out and so stays as it is at MailerLite.
fn fields(contact: &Contact) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut text = |name: &str, value: Option<&str>| {
        if let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) {
            fields.insert(name.to_owned(), value.into());
        }
    };
    text("name", contact.person.name.as_deref());
    text("phone", contact.person.phone.as_ref().map(|phone| phone.as_str()));
    text("lead_id", contact.identity(IdentityKind::Lead));
    text("user_id", contact.identity(IdentityKind::User));
    text("pricing_tier", contact.pricing_tier.as_deref());
    let last = &contact.last_attribution;
    let told = last.utm_source.is_some() || last.utm_campaign.is_some();
    let touch = if told { last } else { &contact.first_attribution };
    text("utm_source", touch.utm_source.as_deref());
    text("utm_campaign", touch.utm_campaign.as_deref());
    if let Some(sale) = &contact.last_sale {
        text("purchase_date", Some(&sale.at.date()));
        fields.insert("transaction_amount".to_owned(), sale.amount.0.decimal().json());
    }
    fields
}

impl Destination for MailerLite {
    fn kind(&self) -> &'static str {
        "mailerlite"
    }

    fn style(&self) -> Style {
        Style::Contact
    }

    fn default_events(&self) -> &'static [EventKind] {
        &[
            EventKind::Purchase,
            EventKind::Renewal,
            EventKind::Lead,
            EventKind::BookingMade,
            EventKind::SubscriptionEnded,
        ]
    }

    fn needs_consent(&self, kind: &EventKind) -> consent::Needs {
        let needs_yes = self.settings.requires_consent || *kind == EventKind::Lead;
        let email = if needs_yes { consent::Need::Required } else { consent::Need::UnlessDenied };
        consent::Needs { email, ..consent::Needs::default() }
    }

    fn admit(&self, _event: &BusinessEvent, contact: Option<&Contact>) -> Admission {
        match email(contact) {
            None => Admission::Wait { at_most: EMAIL_WAIT, then: Rule::NoEmail },
            Some(_) => Admission::Send,
        }
    }

    fn is_ready(&self, _event: &BusinessEvent, contact: Option<&Contact>) -> bool {
        email(contact).is_some()
    }

    fn ambiguous(&self, _kind: &EventKind) -> AmbiguousPolicy {
        AmbiguousPolicy::Retry
    }

    fn step(&self, job: &Job<'_>, exchanges: &[Exchange]) -> Step {
        let suppressed = |rule| Step::Done(Finished::new(Outcome::Suppressed(rule)));
        let (Some(contact), Some(email)) = (job.contact, email(job.contact)) else { return suppressed(Rule::NoEmail) };
        if job.events.last().is_some_and(|event| consent::current(event, Some(contact)).email == Some(false)) {
            // A no that came after the event was admitted counts too.
            return suppressed(Rule::NoConsent);
        }
        let mut requests = self.requests(job, contact, email).into_iter();
        let mut finished = Finished::new(Outcome::Delivered);
        for exchange in exchanges {
            requests.next();
            finished.outcome = self.judge(exchange, &mut finished);
            if finished.outcome != Outcome::Delivered {
                return Step::Done(finished);
            }
        }
        match requests.next() {
            Some(request) => Step::Send(request),
            None => Step::Done(finished),
        }
    }

    fn probe(&self) -> Option<HttpRequest> {
        let path = match self.settings.api {
            Api::New => "/api/subscribers?limit=0",
            Api::Classic => "/api/v2/groups?limit=1",
        };
        Some(self.request(Method::Get, path, &Value::Null))
    }

    /// The account's limit, 120 a minute (classic: 60), is shared with every other program that uses it.
    fn default_rate_limit(&self) -> Option<RateLimit> {
        let requests = match self.settings.api {
            Api::New => 100,
            Api::Classic => 50,
        };
        Some(RateLimit { requests, per: Duration::from_secs(60) })
    }
}
