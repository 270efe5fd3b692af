//! MailerLite, new API and classic: one upsert by e-mail address, which also joins groups.
//!
//! An upsert never sends a status, and never asks to resubscribe: whoever unsubscribed stays so, and the delivery is suppressed.
//! Joining a group is what starts an automation; MailerLite has no call that starts one. Whoever is moved leaves other groups after
//! the upsert, by the id that its answer tells.
//!
//! Anybody can write anybody's address into a form, so that whoever is known by nothing else is looked up first: such a form makes
//! a subscriber, and changes none.

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
use crate::model::time::Timestamp;

mod account;
mod answers;
mod groups;
mod mapping;
#[cfg(test)]
mod tests;

use account::Account;
pub use groups::{Groups, Rules};
pub use mapping::{DEFAULTS, Mapped, mapped};

/// How long an event waits for an e-mail address.
const EMAIL_WAIT: Duration = Duration::from_secs(30 * 86_400);

/// What is noted where MailerLite has somebody whom we know only by what was written into a form.
const KNOWN_ALREADY: &str =
    "MailerLite has somebody with this address already, and what was written into a form changes nothing there";

/// What MailerLite needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The API key of the account.
    pub api_key: Secret,
    /// Which API the account has.
    pub api: Api,
    /// Scheme and authority, `https://connect.mailerlite.com` or `https://api.mailerlite.com`.
    pub endpoint: String,
    /// Who joins and leaves which groups.
    pub groups: Rules,
    /// Which fields are written.
    pub fields: Vec<Mapped>,
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

/// MailerLite, new API and classic.
pub struct MailerLite {
    settings: Settings,
}

impl MailerLite {
    /// From settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// The requests that tell of the person and join groups, in order: one in the new API, in the classic one as many as there are
    /// groups to join.
    fn upserts(&self, job: &Job<'_>, contact: &Contact, email: &str, groups: &[&str]) -> Vec<HttpRequest> {
        let mut body = Map::new();
        body.insert("email".to_owned(), email.into());
        let mut fields = mapping::render(&self.settings.fields, job.events, contact);
        // The proof of an opt-in. The person's own address on the network, which belongs to it, is not known.
        let agreed_at = job.events.iter().filter_map(|event| consent::agreed_to_email_at(event, Some(contact))).max();
        let agreed_at = agreed_at.map(Timestamp::date_and_time);
        match self.settings.api {
            Api::New => {
                if !groups.is_empty() {
                    body.insert("groups".to_owned(), groups.into());
                }
                if let Some(at) = agreed_at {
                    body.insert("opted_in_at".to_owned(), at.into());
                }
                body.insert("fields".to_owned(), Value::Object(fields));
                vec![self.request(Method::Post, "/api/subscribers", &Value::Object(body))]
            }
            Api::Classic => {
                if let Some(name) = fields.remove("name") {
                    body.insert("name".to_owned(), name);
                }
                if let Some(at) = agreed_at {
                    body.insert("signup_timestamp".to_owned(), at.into());
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

    /// Asks for a subscriber by address (MailerLite: subscribers, fetch a subscriber).
    fn look_up(&self, email: &str) -> HttpRequest {
        let email = url_encode(email);
        let path = match self.settings.api {
            Api::New => format!("/api/subscribers/{email}"),
            Api::Classic => format!("/api/v2/subscribers/{email}"),
        };
        self.request(Method::Get, &path, &Value::Null)
    }

    /// What the reply to a look-up means: none where there is nobody of the address, and the person may be made.
    fn judge_look_up(&self, exchange: &Exchange, now: Timestamp) -> Option<Finished> {
        let outcome = self.judge(exchange, now);
        let Ok(response) = &exchange.reply else { return Some(Finished::new(outcome)) };
        match (outcome, answers::subscriber(&response.body)) {
            (Outcome::Permanent { .. }, _) if response.status == 404 => None,
            (Outcome::Delivered, Some(subscriber)) if subscriber.is_lost() => {
                Some(Finished::new(Outcome::Suppressed(Rule::Unsubscribed)))
            }
            (Outcome::Delivered, Some(_)) => {
                let mut finished = Finished::new(Outcome::Delivered);
                // The id is not kept: with it the next form would be told of as somebody whom we made.
                finished.notes.push(KNOWN_ALREADY.to_owned());
                Some(finished)
            }
            (Outcome::Delivered, None) => Some(Finished::new(Outcome::Retry {
                explanation: format!(
                    "{} and no subscriber, so that nobody knows whether there is one; look whether `endpoint` and `api` are right",
                    status::answered(exchange, response.status)
                ),
                after: None,
            })),
            (outcome, _) => Some(Finished::new(outcome)),
        }
    }

    /// Takes a subscriber out of a group.
    fn departure(&self, group: &str, subscriber: &str) -> HttpRequest {
        let (group, subscriber) = (url_encode(group), url_encode(subscriber));
        let path = match self.settings.api {
            Api::New => format!("/api/subscribers/{subscriber}/groups/{group}"),
            Api::Classic => format!("/api/v2/groups/{group}/subscribers/{subscriber}"),
        };
        self.request(Method::Delete, &path, &Value::Null)
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
            // The address is the key of the upsert, and who has left a group is not in it, so a repeat changes nothing.
            repeatable: true,
        }
    }

    /// What a reply means, whatever was asked.
    fn judge(&self, exchange: &Exchange, now: Timestamp) -> Outcome {
        let default = status::outcome(exchange);
        let Ok(response) = &exchange.reply else { return default };
        let status = match self.settings.api {
            Api::New => response.status,
            Api::Classic => answers::classic_status(response),
        };
        match status {
            // A web page is a proxy or a wrong address, not MailerLite.
            200..=299 if status::is_page(&response.body) => Outcome::Retry {
                explanation: format!(
                    "{}, which is a web page; look whether `endpoint` and `api` are right",
                    status::answered(exchange, response.status)
                ),
                after: None,
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
                        "MailerLite does not accept `api_key` ({}): it must be a valid key of {this}; {other}, else make a new key, and reload",
                        response.status
                    ),
                }
            }
            429 => Outcome::SlowDown { after: answers::wait(response, now) },
            _ => default,
        }
    }

    /// What the reply to an upsert means; `Delivered` also where there is more to ask.
    fn judge_upsert(&self, exchange: &Exchange, now: Timestamp, finished: &mut Finished) -> Outcome {
        let outcome = self.judge(exchange, now);
        let Ok(response) = &exchange.reply else { return outcome };
        let groups = &self.settings.groups.groups;
        let refused = |why: String| Outcome::Permanent {
            class: FailureClass::Rejected,
            explanation: format!("MailerLite refused the subscriber ({}): {why}", response.status),
        };
        match (&outcome, response.status) {
            (Outcome::Delivered, _) => match answers::subscriber(&response.body) {
                Some(subscriber) => {
                    let lost = subscriber.is_lost();
                    if let Some(status) = subscriber.status.as_deref().filter(|status| *status != "active") {
                        finished.notes.push(format!("MailerLite has the person as {}", status::cut(status, 40)));
                    }
                    finished.remote_id = subscriber.id.or(finished.remote_id.take());
                    if lost { Outcome::Suppressed(Rule::Unsubscribed) } else { outcome }
                }
                None => {
                    finished.notes.push("MailerLite did not say what it made of the person".to_owned());
                    outcome
                }
            },
            (Outcome::Permanent { .. }, 400 | 422) if answers::says_lost(&response.body) => {
                Outcome::Suppressed(Rule::Unsubscribed)
            }
            (Outcome::Permanent { .. }, 400 | 422) => {
                answers::complaints(&response.body, &exchange.request.body, groups).map_or(outcome, refused)
            }
            // Only the classic API has the group in its path.
            (Outcome::Permanent { .. }, 404) => group_in_path(&exchange.request.url)
                .and_then(|group| answers::no_group(group, groups))
                .map_or(outcome, refused),
            _ => outcome,
        }
    }

    /// The groups to leave after the upserts: of those that exclude what was joined, the ones that the person is in, or all of them
    /// where the answer doesn't say.
    fn departures(
        &self,
        leave: &[&str],
        join: &[&str],
        last_upsert: &Exchange,
        finished: &mut Finished,
    ) -> Vec<HttpRequest> {
        let answer = last_upsert.reply.as_ref().ok().and_then(|response| answers::subscriber(&response.body));
        let Some(id) = finished.remote_id.clone() else {
            if !leave.is_empty() {
                let ids = leave.join(", ");
                finished.notes.push(format!("the answer named no id, so the person was not taken out of {ids}"));
            }
            return Vec::new();
        };
        let is_in = answer.map(|subscriber| subscriber.groups).unwrap_or_default();
        // A list that lacks what was just joined is not one of all groups.
        let is_complete = !is_in.is_empty() && join.iter().all(|group| is_in.iter().any(|known| known == group));
        let to_leave = leave.iter().filter(|group| !is_complete || is_in.iter().any(|known| known == *group));
        to_leave.map(|group| self.departure(group, &id)).collect()
    }

    /// What the reply to taking somebody out of a group means. Who is not in it (404) need not leave it.
    fn judge_departure(&self, exchange: &Exchange, now: Timestamp) -> Outcome {
        match (self.judge(exchange, now), exchange.reply.as_ref().map(|response| response.status)) {
            (Outcome::Permanent { .. }, Ok(404)) => Outcome::Delivered,
            (outcome, _) => outcome,
        }
    }
}

/// The group in a path of the classic API.
fn group_in_path(url: &str) -> Option<&str> {
    url.split_once("/api/v2/groups/")?.1.split('/').next()
}

fn email(contact: Option<&Contact>) -> Option<&str> {
    let contact = contact?;
    contact.person.email.as_ref().map(|email| email.as_str()).or_else(|| contact.identity(IdentityKind::Email))
}

impl MailerLite {
    fn account(&self, exchanges: &[Exchange]) -> Account {
        let wants_groups = self.settings.groups.groups.named().next().is_some();
        Account::read(self.settings.api, wants_groups, exchanges)
    }
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
        let is_made_by_us = job.sync.is_some_and(|sync| sync.remote_id.is_some());
        let mut exchanges = exchanges;
        if contact.unverified && !is_made_by_us {
            let Some((looked_up, rest)) = exchanges.split_first() else { return Step::Send(self.look_up(email)) };
            if let Some(finished) = self.judge_look_up(looked_up, job.now) {
                return Step::Done(finished);
            }
            exchanges = rest;
        }
        let change = self.settings.groups.change(job.events, contact);
        let upserts = self.upserts(job, contact, email, &change.join);
        let mut finished = Finished::new(Outcome::Delivered);
        let (told, left) = exchanges.split_at(exchanges.len().min(upserts.len()));
        for exchange in told {
            finished.outcome = self.judge_upsert(exchange, job.now, &mut finished);
            if finished.outcome != Outcome::Delivered {
                return Step::Done(finished);
            }
        }
        if let Some(next) = upserts.get(told.len()) {
            return Step::Send(next.clone());
        }
        let departures = match told.last() {
            Some(last) => self.departures(&change.leave, &change.join, last, &mut finished),
            None => Vec::new(),
        };
        for exchange in left {
            finished.outcome = self.judge_departure(exchange, job.now);
            if finished.outcome != Outcome::Delivered {
                return Step::Done(finished);
            }
        }
        match departures.into_iter().nth(left.len()) {
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

    /// The account's fields, and its groups where there are any in the configuration.
    fn next_test(&self, exchanges: &[Exchange]) -> Option<HttpRequest> {
        if exchanges.iter().any(|exchange| status::outcome(exchange) != Outcome::Delivered) {
            return None;
        }
        let account = self.account(exchanges);
        account.next.map(|path| self.request(Method::Get, &path, &Value::Null))
    }

    fn judge_tests(&self, exchanges: &[Exchange]) -> Outcome {
        for exchange in exchanges {
            let outcome = self.judge(exchange, Timestamp::EPOCH);
            if outcome != Outcome::Delivered {
                return outcome;
            }
        }
        let account = self.account(exchanges);
        if account.is_unreadable {
            return Outcome::Retry {
                explanation: "MailerLite takes the key, but its list of fields or groups could not be read, so that nobody knows \
                              whether the configured ones are there"
                    .to_owned(),
                after: None,
            };
        }
        match account.lacks(&self.settings.fields, &self.settings.groups.groups) {
            Some(explanation) => Outcome::Permanent { class: FailureClass::Rejected, explanation },
            None => Outcome::Delivered,
        }
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
