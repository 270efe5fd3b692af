//! HubSpot: a contact for each person, recognised by the e-mail address.
//!
//! Nothing is searched for, since HubSpot's search lags by half a minute and has a narrow limit of its own. A contact is created;
//! where there is one already HubSpot answers 409 with its id, which is then changed and remembered. HubSpot takes an address only
//! once, so every request can be repeated. When the remembered contact is gone (deleted, merged), it is looked for by its address.

use std::time::Duration;

use super::crm::{EVENTS, KNOWN_ALREADY, Told, external_id};
use super::{
    Admission, Destination, Exchange, Finished, HttpRequest, Job, Method, Step, Style, redact, status, url_encode,
};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::{AmbiguousPolicy, FailureClass, Outcome, Rule};
use crate::model::rate::RateLimit;
use crate::model::secret::Secret;

mod answers;
mod properties;
#[cfg(test)]
mod tests;

pub use properties::{DEFAULTS, Mapped, Rules, STANDARD, default_property, property_type};
use properties::{Purpose, email, render};

/// How long an event waits for an e-mail address.
const EMAIL_WAIT: Duration = Duration::from_secs(30 * 86_400);
/// A locked contact is free again after this long (HubSpot: error handling, 423).
const LOCKED: Duration = Duration::from_secs(2);
/// No answer is read further than this many bytes.
const LONGEST_LIST: usize = 1024 * 1024;
/// Where contacts are.
const CONTACTS: &str = "/crm/v3/objects/contacts";

/// What HubSpot needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The token of a private app, `pat-…`, sent as `Authorization: Bearer …`.
    pub access_token: Secret,
    /// Scheme and authority, `https://api.hubapi.com`.
    pub endpoint: String,
    /// How people are told.
    pub rules: Rules,
}

/// HubSpot.
pub struct HubSpot {
    settings: Settings,
}

/// Where an attempt stands: the request that is due, and how it came to that.
enum Turn {
    /// `POST contacts`.
    Create {
        /// HubSpot has already been asked for the address, and had nobody.
        sought: bool,
    },
    /// `PATCH contacts/{id}` with the id of an earlier attempt.
    ChangeRemembered {
        /// HubSpot's id.
        id: String,
        /// Whether the address is told; not where another contact has it.
        with_email: bool,
    },
    /// `PATCH contacts/{id}` with the id that a conflict told.
    ChangeExisting {
        /// HubSpot's id.
        id: String,
    },
    /// `PATCH contacts/{address}?idProperty=email`.
    ChangeByEmail {
        /// A conflict said that there is somebody, but not who.
        exists: bool,
    },
}

impl HubSpot {
    /// From settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn request(&self, method: Method, path: &str, body: Vec<u8>) -> HttpRequest {
        let mut headers = vec![("accept", "application/json".to_owned())];
        if !body.is_empty() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let token = self.settings.access_token.expose();
        HttpRequest {
            method,
            url: format!("{}{path}", self.settings.endpoint.trim_end_matches('/')),
            secret_path: None,
            secret_query: None,
            headers,
            secret_header: Some(("authorization", Secret::new(format!("Bearer {token}")))),
            body,
            // HubSpot has an address only once, so that a second creation is a conflict.
            repeatable: true,
        }
    }

    fn ask(&self, turn: &Turn, told: &Told<'_>, email: &str) -> HttpRequest {
        let body = |purpose| render(&self.settings.rules, told, purpose);
        let change = |id: &str, with_email| {
            let path = format!("{CONTACTS}/{}", url_encode(id));
            self.request(Method::Patch, &path, body(Purpose { new: false, with_email }))
        };
        match turn {
            Turn::Create { .. } => self.request(Method::Post, CONTACTS, body(Purpose { new: true, with_email: true })),
            Turn::ChangeRemembered { id, with_email } => change(id, *with_email),
            Turn::ChangeExisting { id } => change(id, false),
            Turn::ChangeByEmail { .. } => {
                let path = format!("{CONTACTS}/{}?idProperty=email", url_encode(email));
                self.request(Method::Patch, &path, body(Purpose { new: false, with_email: false }))
            }
        }
    }
}

fn retry(explanation: impl Into<String>) -> Outcome {
    Outcome::Retry { explanation: explanation.into(), after: None }
}

/// The turn after a reply, or the end of the attempt. `finished` keeps what was learned on the way.
fn after(turn: Turn, exchange: &Exchange, finished: &mut Finished) -> Result<Turn, Outcome> {
    let code = exchange.reply.as_ref().ok().map(|response| response.status);
    let body = exchange.reply.as_ref().map_or(&[][..], |response| &response.body);
    match (turn, code) {
        (Turn::Create { sought }, Some(409)) => match answers::existing_id(body) {
            Some(id) => {
                finished.remote_id = Some(id.clone());
                Ok(Turn::ChangeExisting { id })
            }
            None if sought => Err(retry(
                "HubSpot says that the contact exists (409), but does not find it by its e-mail address; it is tried again",
            )),
            None => Ok(Turn::ChangeByEmail { exists: true }),
        },
        (Turn::ChangeRemembered { id, .. }, Some(404)) => {
            let gone = format!("HubSpot no longer has contact {id} (404); looked for it by its e-mail address");
            finished.notes.push(redact::text(&gone));
            finished.remote_id = None;
            Ok(Turn::ChangeByEmail { exists: false })
        }
        (Turn::ChangeRemembered { id, with_email: true }, Some(409)) => {
            let other = answers::existing_id(body);
            // Where it is the same contact, the address is one of its further ones.
            if other.as_ref() != Some(&id) {
                finished.left_over.extend(other.clone());
                let other = other.map_or("another contact".to_owned(), |other| format!("contact {other}"));
                finished.notes.push(redact::text(&format!(
                    "{other} at HubSpot already has this e-mail address, so contact {id} was changed without it: merge the two"
                )));
            }
            Ok(Turn::ChangeRemembered { id, with_email: false })
        }
        (Turn::ChangeByEmail { exists: false }, Some(404)) => Ok(Turn::Create { sought: true }),
        (Turn::ChangeByEmail { exists: true } | Turn::ChangeExisting { .. }, Some(404)) => {
            finished.remote_id = None;
            Err(retry(
                "HubSpot says that the contact exists (409), but can't find it to change it (404); it is tried again",
            ))
        }
        (_, Some(409)) => {
            let answered = status::answered(exchange, 409);
            Err(retry(format!("{answered}: something else is changing the contact; it is tried again")))
        }
        (turn, _) => {
            let outcome = judge(exchange);
            if outcome == Outcome::Delivered {
                // The answer's id counts: after a merge it is that of the contact that is left.
                let asked = match turn {
                    Turn::ChangeRemembered { id, .. } | Turn::ChangeExisting { id } => Some(id),
                    Turn::Create { .. } | Turn::ChangeByEmail { .. } => None,
                };
                finished.remote_id = answers::remote_id(body).or(asked);
                if finished.remote_id.is_none() {
                    finished
                        .notes
                        .push("HubSpot's answer named no id; the next change finds the contact again".to_owned());
                }
            }
            Err(outcome)
        }
    }
}

/// What an answer means where HubSpot's documentation says more than HTTP does (HubSpot: error handling).
fn judge(exchange: &Exchange) -> Outcome {
    let default = status::outcome(exchange);
    let Ok(response) = &exchange.reply else { return default };
    let body = &response.body;
    let waiting = |least: Duration| match &default {
        Outcome::Retry { after, .. } | Outcome::SlowDown { after } => Some(after.unwrap_or_default().max(least)),
        _ => Some(response.retry_after.unwrap_or_default().max(least)),
    };
    let answered = || status::answered(exchange, response.status);
    match response.status {
        200..=299 if status::is_page(body) => {
            retry(format!("{}, a web page and not HubSpot's JSON; look whether `endpoint` is right", answered()))
        }
        200..=299 if answers::tells_of_errors(body) => refused(exchange, body)
            .unwrap_or_else(|| retry(format!("{}, a success that tells of errors; it is tried again", answered()))),
        400 => refused(exchange, body).unwrap_or(default),
        401 => Outcome::Broken {
            explanation:
                "HubSpot does not accept `access_token` (401): copy the token of the private app again (Settings, \
                          Integrations, Private Apps), put it into the configuration and reload"
                    .to_owned(),
        },
        403 => match answers::missing_scopes(body) {
            Some(scopes) => {
                let named = if scopes.is_empty() {
                    "crm.objects.contacts.read and crm.objects.contacts.write".to_owned()
                } else {
                    scopes.into_iter().collect::<Vec<_>>().join(", ")
                };
                // That of one request, but no other of its kind would fare better.
                Outcome::Broken {
                    explanation: format!(
                        "the private app lacks a scope (403, MISSING_SCOPES): give it {named} at HubSpot (Settings, Integrations, \
                         Private Apps, Scopes); the token stays the same"
                    ),
                }
            }
            None => default,
        },
        423 => Outcome::Retry {
            explanation: format!("{}: the contact is locked for a moment; it is tried again", answered()),
            after: waiting(LOCKED),
        },
        429 => match answers::wait(response) {
            Some(least) => Outcome::SlowDown { after: waiting(least) },
            None => default,
        },
        477 => Outcome::Retry {
            explanation: "HubSpot is moving the account to another data centre (477); it is tried again".to_owned(),
            after: response.retry_after,
        },
        _ => default,
    }
}

/// A refusal that names properties, with what to do about each.
fn refused(exchange: &Exchange, body: &[u8]) -> Option<Outcome> {
    let refused = answers::refused(body, &exchange.request.body);
    let mut told = Vec::new();
    for name in &refused.missing {
        told.push(format!(
            "HubSpot has no contact property `{name}` (400, PROPERTY_DOESNT_EXIST): create it there (Settings, Properties, \
             Contact properties), or map its field to \"\" in the destination's `properties`"
        ));
    }
    for (name, code) in &refused.unfit {
        let advice = match (name.as_str(), code.as_str()) {
            ("lifecyclestage", _) => {
                "set `lead_stage` and `customer_stage` to internal values of the portal's own stages, or to \"\""
            }
            (standard, _) if STANDARD.contains(&standard) => "correct it where it comes from",
            _ => "`tallyhook destinations test` says which type the property must have",
        };
        told.push(format!("HubSpot does not take the value for `{name}` (400, {code}): {advice}"));
    }
    (!told.is_empty())
        .then(|| Outcome::Permanent { class: FailureClass::Rejected, explanation: redact::text(&told.join("; ")) })
}

impl Destination for HubSpot {
    fn kind(&self) -> &'static str {
        "hubspot"
    }

    fn style(&self) -> Style {
        Style::Contact
    }

    fn default_events(&self) -> &'static [EventKind] {
        EVENTS
    }

    fn admit(&self, _event: &BusinessEvent, contact: Option<&Contact>) -> Admission {
        match contact {
            None => Admission::Suppress(Rule::NoContact),
            Some(contact) if email(contact).is_none() => Admission::Wait { at_most: EMAIL_WAIT, then: Rule::NoEmail },
            Some(_) => Admission::Send,
        }
    }

    fn is_ready(&self, _event: &BusinessEvent, contact: Option<&Contact>) -> bool {
        contact.and_then(email).is_some()
    }

    fn ambiguous(&self, _kind: &EventKind) -> AmbiguousPolicy {
        AmbiguousPolicy::Retry
    }

    fn step(&self, job: &Job<'_>, exchanges: &[Exchange]) -> Step {
        let suppressed = |rule| Step::Done(Finished::new(Outcome::Suppressed(rule)));
        let Some(contact) = job.contact else { return suppressed(Rule::NoContact) };
        let Some(email) = email(contact) else { return suppressed(Rule::NoEmail) };
        let external_id = external_id(job, contact);
        let mut turn = match job.sync.and_then(|sync| sync.remote_id.clone()) {
            Some(id) => Turn::ChangeRemembered { id, with_email: true },
            None => Turn::Create { sought: false },
        };
        let mut finished = Finished::new(Outcome::Delivered);
        for exchange in exchanges {
            let is_there = exchange.reply.as_ref().is_ok_and(|response| response.status == 409);
            if contact.unverified && is_there && matches!(turn, Turn::Create { .. }) {
                finished.notes.push(KNOWN_ALREADY.to_owned());
                return Step::Done(finished);
            }
            match after(turn, exchange, &mut finished) {
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
        let told = Told { job, contact, external_id: &external_id, currency: self.settings.rules.currency };
        Step::Send(self.ask(&turn, &told, email))
    }

    /// One contact's id and stage: it needs the token and the right to read contacts.
    fn probe(&self) -> Option<HttpRequest> {
        let path = format!("{CONTACTS}?limit=1&properties=lifecyclestage&archived=false");
        Some(self.request(Method::Get, &path, Vec::new()))
    }

    /// The portal's contact properties, to see whether those that are written to are there.
    fn test(&self) -> Option<HttpRequest> {
        Some(self.request(Method::Get, "/crm/v3/properties/contacts?archived=false", Vec::new()))
    }

    fn judge_test(&self, exchange: &Exchange) -> Outcome {
        let outcome = judge(exchange);
        let Ok(response) = &exchange.reply else { return outcome };
        if outcome != Outcome::Delivered {
            return outcome;
        }
        let Some(lacking) = answers::lacking(&response.body, &self.settings.rules.mapped) else {
            // A portal with very many properties has a list that is cut, which is no trouble of its own.
            if response.body.len() >= LONGEST_LIST {
                return outcome;
            }
            return Outcome::Retry {
                explanation: "HubSpot takes the token, but its list of contact properties could not be read, so that nobody knows \
                              whether the configured ones are there"
                    .to_owned(),
                after: None,
            };
        };
        let mut told = Vec::new();
        if !lacking.missing.is_empty() {
            let names: Vec<_> = lacking
                .missing
                .iter()
                .map(|mapped| {
                    format!("`{}` ({}, for {})", mapped.property, property_type(mapped.field), mapped.field.name)
                })
                .collect();
            told.push(format!(
                "HubSpot takes the token, but has no contact property {}: create what is missing (Settings, Properties, Contact \
                 properties), or map its field to \"\" in the destination's `properties`",
                names.join(", ")
            ));
        }
        for (mapped, of) in &lacking.unfit {
            told.push(format!(
                "the property `{}` is of type {}, and {} needs {}",
                mapped.property,
                status::cut(of, 40),
                mapped.field.name,
                property_type(mapped.field)
            ));
        }
        if told.is_empty() {
            return outcome;
        }
        Outcome::Permanent { class: FailureClass::Rejected, explanation: told.join("; ") }
    }

    /// A private app may ask 100 times in 10 s on the smallest plan (HubSpot: usage guidelines).
    fn default_rate_limit(&self) -> Option<RateLimit> {
        Some(RateLimit { requests: 90, per: Duration::from_secs(10) })
    }
}
