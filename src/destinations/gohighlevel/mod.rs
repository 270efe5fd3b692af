//! GoHighLevel (HighLevel, LeadConnector): a contact for each person in one sub-account, with tags and custom fields.
//!
//! Somebody new is looked up by the e-mail address, else by a phone number that is known to be theirs, and then written with an
//! upsert of that address alone, which HighLevel recognises when it is repeated. A number beside an e-mail address is added by id. An upsert's `tags` would replace all tags of the contact, so they are left out there and added by a
//! request of their own. Whom HighLevel knows is changed by id; an address or number that it has of them is never replaced, for it
//! may be the one that a person entered there, and ours a further one.

use std::time::Duration;

use super::crm::{EVENTS, KNOWN_ALREADY, Told, external_id, tags};
use super::fields::Field;
use super::{
    Admission, Destination, Exchange, Finished, HttpRequest, Job, Method, Step, Style, redact, status, url_encode,
};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::{AmbiguousPolicy, FailureClass, Outcome, Rule};
use crate::model::money::Currency;
use crate::model::rate::RateLimit;
use crate::model::secret::Secret;

mod answers;
mod body;
mod turn;

#[cfg(test)]
mod tests;

pub use body::Place;
use body::{Address, Purpose};
use turn::{Turn, Why};

/// How long an event waits for an e-mail address or a phone number.
const ADDRESS_WAIT: Duration = Duration::from_secs(30 * 86_400);
/// The version of the API that the requests follow; HighLevel wants it in every request.
const VERSION: &str = "2021-07-28";
/// What the sources call this sender, so that its own events are known.
const PROVIDER: &str = "gohighlevel";
/// An address that nobody has, to see whether the token may read.
const PROBE: &str = "tallyhook-probe@example.com";

/// What HighLevel needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The token of a private integration, `pit-…`, sent as `Authorization: Bearer …`.
    pub token: Secret,
    /// The sub-account.
    pub location_id: String,
    /// Scheme and authority, `https://services.leadconnectorhq.com`.
    pub endpoint: String,
    /// Custom fields and what goes into them.
    pub fields: Vec<Mapped>,
    /// The contact source of people that HighLevel has not heard of; none leaves it alone.
    pub source: Option<String>,
    /// Whether events of this sub-account's own are told to it as well.
    pub echo: bool,
    /// The currency of `total_spent`; none takes each contact's first.
    pub currency: Option<Currency>,
}

/// A custom field and what goes into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// What is told.
    pub field: &'static Field,
    /// Which custom field.
    pub place: Place,
}

/// GoHighLevel.
pub struct GoHighLevel {
    settings: Settings,
}

impl GoHighLevel {
    /// From settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn request(&self, method: Method, path: &str, body: Vec<u8>) -> HttpRequest {
        let mut headers = vec![("accept", "application/json".to_owned()), ("version", VERSION.to_owned())];
        if !body.is_empty() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let token = self.settings.token.expose();
        HttpRequest {
            method,
            url: format!("{}{path}", self.settings.endpoint.trim_end_matches('/')),
            secret_path: None,
            secret_query: None,
            headers,
            secret_header: Some(("authorization", Secret::new(format!("Bearer {token}")))),
            body,
            // An upsert finds the contact that the one before has made, and a tag is there only once.
            repeatable: true,
        }
    }

    fn look_up(&self, address: &Address) -> HttpRequest {
        let (parameter, value) = address.query();
        let location = url_encode(&self.settings.location_id);
        let path = format!("/contacts/search/duplicate?locationId={location}&{parameter}={}", url_encode(value));
        self.request(Method::Get, &path, Vec::new())
    }

    fn ask(&self, turn: &Turn, told: &Told<'_>, address: &Address) -> HttpRequest {
        let body = |purpose| body::render(&self.settings, told, purpose);
        match turn {
            Turn::LookUp(_) => self.look_up(address),
            Turn::Upsert => self.request(Method::Post, "/contacts/upsert", body(Purpose::Upsert)),
            Turn::Change { id, .. } => {
                self.request(Method::Put, &format!("/contacts/{}", url_encode(id)), body(Purpose::Change))
            }
            Turn::FillIn { id, missing } => {
                self.request(Method::Put, &format!("/contacts/{}", url_encode(id)), body(Purpose::FillIn(*missing)))
            }
            Turn::Tag { id } => {
                let path = format!("/contacts/{}/tags", url_encode(id));
                self.request(Method::Post, &path, body::tags(&tags(told.job, told.contact)))
            }
        }
    }
}

fn retry(explanation: impl Into<String>) -> Outcome {
    Outcome::Retry { explanation: explanation.into(), after: None }
}

/// What an answer means where HighLevel says more than HTTP does.
fn judge(exchange: &Exchange) -> Outcome {
    let default = status::outcome(exchange);
    let Ok(response) = &exchange.reply else { return default };
    let answered = || status::answered(exchange, response.status);
    match response.status {
        200..=299 if status::is_page(&response.body) => {
            retry(format!("{}, a web page and not HighLevel's JSON; look whether `endpoint` is right", answered()))
        }
        401 if answers::message(&response.body).contains("scope") => Outcome::Broken {
            explanation: "the private integration lacks a scope (401): give it View Contacts and Edit Contacts at HighLevel \
                          (Settings, Private Integrations); the token stays the same"
                .to_owned(),
        },
        401 => Outcome::Broken {
            explanation: "HighLevel does not accept `token` (401): copy the token of the private integration again, or make a new one \
                          (Settings of the sub-account, Private Integrations), put it into the configuration and reload"
                .to_owned(),
        },
        403 => Outcome::Forbidden {
            explanation: format!(
                "{}: look whether `location_id` is the sub-account in which the private integration was made, and whether it has the \
                 scopes View Contacts and Edit Contacts",
                answered()
            ),
        },
        429 => match answers::wait(response) {
            Some(wait) => Outcome::SlowDown { after: Some(wait.max(response.retry_after.unwrap_or_default())) },
            None => default,
        },
        _ => default,
    }
}

impl Destination for GoHighLevel {
    fn kind(&self) -> &'static str {
        "gohighlevel"
    }

    fn style(&self) -> Style {
        Style::Contact
    }

    fn default_events(&self) -> &'static [EventKind] {
        EVENTS
    }

    /// What HighLevel itself told of this sub-account is not told back: each change there sends an event here, so that it would go
    /// round in circles. Where the event does not name its sub-account, it may be this one.
    fn admit(&self, event: &BusinessEvent, contact: Option<&Contact>) -> Admission {
        let scope = &event.scope;
        let is_from_here = scope.provider == PROVIDER
            && scope.account.as_ref().is_none_or(|account| *account == self.settings.location_id);
        if is_from_here && !self.settings.echo {
            return Admission::Suppress(Rule::Echo);
        }
        match contact {
            None => Admission::Suppress(Rule::NoContact),
            Some(contact) if Address::of(contact).is_none() => {
                Admission::Wait { at_most: ADDRESS_WAIT, then: Rule::NoEmail }
            }
            Some(_) => Admission::Send,
        }
    }

    fn is_ready(&self, _event: &BusinessEvent, contact: Option<&Contact>) -> bool {
        contact.and_then(Address::of).is_some()
    }

    fn ambiguous(&self, _kind: &EventKind) -> AmbiguousPolicy {
        AmbiguousPolicy::Retry
    }

    fn step(&self, job: &Job<'_>, exchanges: &[Exchange]) -> Step {
        let suppressed = |rule| Step::Done(Finished::new(Outcome::Suppressed(rule)));
        let Some(contact) = job.contact else { return suppressed(Rule::NoContact) };
        let Some(address) = Address::of(contact) else { return suppressed(Rule::NoEmail) };
        let external_id = external_id(job, contact);
        let told = Told { job, contact, external_id: &external_id, currency: self.settings.currency };
        let mut turn = Turn::first(job);
        let mut finished = Finished::new(Outcome::Delivered);
        for exchange in exchanges {
            // One that was refused and made all the same is our own.
            let may_be_ours = matches!(turn, Turn::LookUp(Why::Refused(_)));
            match turn::after(turn, exchange, &told, &mut finished) {
                Ok(Turn::Change { remembered: false, .. }) if contact.unverified && !may_be_ours => {
                    finished.remote_id = None;
                    finished.notes.push(KNOWN_ALREADY.to_owned());
                    return Step::Done(finished);
                }
                Ok(next) => turn = next,
                Err(outcome) => {
                    if outcome == Outcome::Delivered {
                        finished.external_id = Some(external_id);
                    }
                    finished.outcome = outcome;
                    return Step::Done(finished);
                }
            }
        }
        Step::Send(self.ask(&turn, &told, &address))
    }

    /// A look-up of an address that nobody has: it needs the token, the sub-account and the right to read contacts.
    fn probe(&self) -> Option<HttpRequest> {
        Some(self.look_up(&Address::Email(PROBE.to_owned())))
    }

    /// The sub-account's custom fields, to see whether those that are written to are there.
    fn test(&self) -> Option<HttpRequest> {
        if self.settings.fields.is_empty() {
            return self.probe();
        }
        let location = url_encode(&self.settings.location_id);
        Some(self.request(Method::Get, &format!("/locations/{location}/customFields?model=contact"), Vec::new()))
    }

    fn judge_test(&self, exchange: &Exchange) -> Outcome {
        let outcome = judge(exchange);
        let Ok(response) = &exchange.reply else { return outcome };
        if self.settings.fields.is_empty() {
            return outcome;
        }
        if matches!(response.status, 401 | 403) && answers::message(&response.body).contains("scope") {
            return Outcome::Permanent {
                class: FailureClass::Rejected,
                explanation: "the token may not read custom fields, so that nobody knows whether those of `fields` are there: give the \
                              private integration the scope View Custom Fields as well"
                    .to_owned(),
            };
        }
        if outcome != Outcome::Delivered {
            return outcome;
        }
        match answers::lacking(&response.body, &self.settings.fields) {
            None => retry(
                "HighLevel takes the token, but its list of custom fields could not be read, so that nobody knows whether those of \
                 `fields` are there",
            ),
            Some(lacking) if lacking.is_empty() => outcome,
            Some(lacking) => {
                Outcome::Permanent { class: FailureClass::Rejected, explanation: redact::text(&lacking.join("; ")) }
            }
        }
    }

    /// A token may ask 100 times in 10 s for one sub-account (HighLevel: rate limits).
    fn default_rate_limit(&self) -> Option<RateLimit> {
        Some(RateLimit { requests: 90, per: Duration::from_secs(10) })
    }
}
