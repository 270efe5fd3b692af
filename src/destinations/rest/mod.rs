//! A CRM with a REST interface: search by the external id, then create or change. Paths, the names of fields and the places of lists
//! and ids are the owner's contract unless the configuration says otherwise.
//!
//! Searching and creating are two requests, so others may come between them. The rules of the race: a conflict means search
//! again; a contact that is gone means search once; after a `POST` whose fate is unknown the next attempt searches first,
//! because the CRM's id still isn't known; of several contacts the oldest is changed and none is made.

use std::time::Duration;

use super::crm::{EVENTS, Told, external_id};
use super::{
    Admission, Destination, Exchange, Finished, HttpRequest, Job, Method, Step, Style, redact, status, url_encode,
};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::{AmbiguousPolicy, FailureClass, Outcome, Rule};
use crate::model::identity::IdentityKind;
use crate::model::money::Currency;
use crate::model::rate::RateLimit;
use crate::model::secret::Secret;

mod answers;
mod body;
#[cfg(test)]
mod tests;

pub use answers::Layout;
use answers::Unclear;
pub use body::{Content, Mapped, standard};

/// What the CRM needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Everything before [`Settings::contacts_path`], without a slash at its end.
    pub base_url: String,
    /// Sent as `Authorization: Bearer …`.
    pub api_key: Secret,
    /// Where contacts are, `/contacts`.
    pub contacts_path: String,
    /// The query parameter that a search gives the external id in, `external_id`.
    pub search_parameter: String,
    /// How a contact is changed: [`Method::Patch`] or [`Method::Put`].
    pub update_method: Method,
    /// Where things stand in the CRM's answers.
    pub layout: Layout,
    /// The fields of the body.
    pub fields: Vec<Mapped>,
    /// The currency of `total_spent`; none takes each contact's first.
    pub currency: Option<Currency>,
}

impl Settings {
    /// The owner's contract.
    pub fn new(base_url: impl Into<String>, api_key: Secret) -> Self {
        Self {
            base_url: base_url.into(),
            api_key,
            contacts_path: "/contacts".to_owned(),
            search_parameter: "external_id".to_owned(),
            update_method: Method::Patch,
            layout: Layout::default(),
            fields: standard(),
            currency: None,
        }
    }

    /// What the CRM calls the external id.
    fn external_id_field(&self) -> &str {
        let is_it = |mapped: &&Mapped| matches!(mapped.content, Content::Field(field) if field.name == "external_id");
        self.fields.iter().find(is_it).map_or(self.search_parameter.as_str(), |mapped| mapped.name.as_str())
    }
}

/// A CRM with a REST interface.
pub struct Rest {
    settings: Settings,
}

/// How long an event waits for the person behind a foreign id to become known.
const PERSON_WAIT: Duration = Duration::from_secs(30 * 86_400);

/// Whether a person who has bought nothing is known by nothing but the ids of other systems, as when an appointment of HighLevel
/// names its contact: no use to this CRM, which could not say who it is.
fn is_nobody(contact: &Contact) -> bool {
    let person = &contact.person;
    person.email.is_none()
        && person.phone.is_none()
        && person.name.is_none()
        && contact.became_customer_at().is_none()
        && !contact.identities.is_empty()
        && contact.identities.iter().all(|identity| identity.kind == IdentityKind::Customer)
}

/// The external id of the probe: nobody has it.
const PROBE: &str = "tallyhook-probe";

/// Where an attempt stands: the request that is due, and how it came to that.
enum Turn {
    /// `GET contacts?external_id=`.
    Search(SearchAfter),
    /// `PATCH contacts/{id}`.
    Change {
        /// The CRM's id.
        id: String,
        /// It comes from an earlier attempt, not from a search of this one.
        remembered: bool,
    },
    /// `POST contacts`.
    Create,
}

/// Why it is searched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SearchAfter {
    /// The CRM's id isn't known.
    Nothing,
    /// The remembered contact is gone.
    Gone,
    /// A `POST` met a contact that was there.
    Conflict,
}

impl Rest {
    /// From settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    fn contacts(&self) -> String {
        let Settings { base_url, contacts_path, .. } = &self.settings;
        format!("{}{}", base_url.trim_end_matches('/'), contacts_path.trim_end_matches('/'))
    }

    fn request(&self, method: Method, url: String, body: Vec<u8>, key: Option<&str>) -> HttpRequest {
        let mut headers = vec![("accept", "application/json".to_owned())];
        if !body.is_empty() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        if let Some(key) = key {
            headers.push(("idempotency-key", key.to_owned()));
        }
        HttpRequest {
            method,
            url,
            secret_path: None,
            secret_query: None,
            headers,
            secret_header: Some(("authorization", Secret::new(format!("Bearer {}", self.settings.api_key.expose())))),
            body,
            repeatable: method != Method::Post,
        }
    }

    fn search(&self, external_id: &str) -> HttpRequest {
        let parameter = url_encode(&self.settings.search_parameter);
        let url = format!("{}?{parameter}={}", self.contacts(), url_encode(external_id));
        self.request(Method::Get, url, Vec::new(), None)
    }

    fn ask(&self, turn: &Turn, job: &Job<'_>, contact: &Contact, external_id: &str) -> HttpRequest {
        let told = Told { job, contact, external_id, currency: self.settings.currency };
        let body = || body::render(&told, &self.settings.fields);
        match turn {
            Turn::Search(_) => self.search(external_id),
            Turn::Change { id, .. } => {
                let url = format!("{}/{}", self.contacts(), url_encode(id));
                self.request(self.settings.update_method, url, body(), None)
            }
            Turn::Create => self.request(Method::Post, self.contacts(), body(), Some(job.key)),
        }
    }
}

/// The turn after a reply, or the end of the attempt. `finished` keeps what was learned on the way.
fn after(
    settings: &Settings,
    turn: Turn,
    exchange: &Exchange,
    external_id: &str,
    finished: &mut Finished,
) -> Result<Turn, Outcome> {
    let code = exchange.reply.as_ref().ok().map(|response| response.status);
    let body = exchange.reply.as_ref().map_or(&[][..], |response| &response.body);
    let judged = status::outcome(exchange);
    let retry = |explanation: String| Outcome::Retry { explanation, after: None };
    if judged == Outcome::Delivered && !matches!(turn, Turn::Search(_)) && status::is_page(body) {
        let answered = status::answered(exchange, code.unwrap_or_default());
        return Err(retry(format!("{answered}, a web page and not the CRM's JSON; look whether `base_url` is right")));
    }
    match (turn, code) {
        (Turn::Search(why), Some(200..=299)) => match answers::found(
            &settings.layout,
            body,
            settings.external_id_field(),
            external_id,
        ) {
            Ok(Some(listed)) => {
                if !listed.others.is_empty() {
                    finished.notes.push(redact::text(&format!(
                        "the CRM has {} contacts with external_id {external_id}; the oldest, {}, was changed: merge the others into it",
                        listed.others.len() + 1,
                        listed.id
                    )));
                }
                finished.left_over = listed.others;
                finished.remote_id = Some(listed.id.clone());
                Ok(Turn::Change { id: listed.id, remembered: false })
            }
            Ok(None) if why == SearchAfter::Conflict => Err(retry(
                "the CRM says that the contact exists (409), but its search does not find it yet; it is tried again"
                    .to_owned(),
            )),
            Ok(None) => Ok(Turn::Create),
            Err(Unclear::Answer(what)) => Err(retry(format!(
                "the CRM answered the search with {what}, so that nobody knows whether the contact exists; look whether `base_url` is right"
            ))),
            Err(Unclear::Nameless) => Err(Outcome::Broken { explanation: nameless(settings) }),
        },
        (Turn::Change { id, remembered: true }, Some(gone @ (404 | 410))) => {
            finished
                .notes
                .push(redact::text(&format!("the CRM no longer has contact {id} ({gone}); searched for it again")));
            finished.remote_id = None;
            Ok(Turn::Search(SearchAfter::Gone))
        }
        (Turn::Change { .. }, Some(code @ (404 | 409 | 410))) => {
            Err(retry(format!("the CRM lists the contact but answers its change with {code}; it is tried again")))
        }
        (Turn::Change { id, .. }, Some(200..=299)) => {
            finished.remote_id = Some(id);
            finished.external_id = Some(external_id.to_owned());
            Err(judged)
        }
        (Turn::Create, Some(409)) => Ok(Turn::Search(SearchAfter::Conflict)),
        (Turn::Create, _) => {
            finished.remote_id = answers::remote_id(&settings.layout, body).filter(|_| judged == Outcome::Delivered);
            if judged == Outcome::Delivered && finished.remote_id.is_none() {
                finished
                    .notes
                    .push("the CRM's answer named no id; the next change searches for the contact first".to_owned());
            }
            Err(judged)
        }
        _ => Err(judged),
    }
}

/// What to do about contacts that don't tell their external id.
fn nameless(settings: &Settings) -> String {
    let (field, parameter) = (settings.external_id_field(), &settings.search_parameter);
    let place = match &settings.layout.external_id_pointer {
        Some(pointer) => format!("at `external_id_pointer` {pointer:?}"),
        None => format!("in `{field}`"),
    };
    format!(
        "the CRM answers a search for {parameter} with contacts that tell no external id {place}, so that nobody knows whose they are, and \
         nothing is changed or made: let the CRM's answer carry it, or say where it stands with `external_id_pointer`, and reload"
    )
}

impl Destination for Rest {
    fn kind(&self) -> &'static str {
        "rest"
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
            Some(contact) if is_nobody(contact) => Admission::Wait { at_most: PERSON_WAIT, then: Rule::NoContact },
            Some(_) => Admission::Send,
        }
    }

    fn is_ready(&self, _event: &BusinessEvent, _contact: Option<&Contact>) -> bool {
        true
    }

    /// Retry, because the next attempt searches before it creates.
    fn ambiguous(&self, _kind: &EventKind) -> AmbiguousPolicy {
        AmbiguousPolicy::Retry
    }

    fn step(&self, job: &Job<'_>, exchanges: &[Exchange]) -> Step {
        let Some(contact) = job.contact.filter(|contact| !is_nobody(contact)) else {
            return Step::Done(Finished::new(Outcome::Suppressed(Rule::NoContact)));
        };
        let external_id = external_id(job, contact);
        let mut turn = match job.sync.and_then(|sync| sync.remote_id.clone()) {
            Some(id) => Turn::Change { id, remembered: true },
            None => Turn::Search(SearchAfter::Nothing),
        };
        let mut finished = Finished::new(Outcome::Delivered);
        for exchange in exchanges {
            if matches!(turn, Turn::Create) {
                // Whatever became of it, later searches must ask for the id that the CRM may have seen.
                finished.external_id = Some(external_id.clone());
            }
            match after(&self.settings, turn, exchange, &external_id, &mut finished) {
                Ok(next) => turn = next,
                Err(outcome) => {
                    finished.outcome = outcome;
                    return Step::Done(finished);
                }
            }
        }
        Step::Send(self.ask(&turn, job, contact, &external_id))
    }

    fn probe(&self) -> Option<HttpRequest> {
        Some(self.search(PROBE))
    }

    /// Nobody has the id that is searched for, so that a list of anybody is one of strangers.
    fn judge_test(&self, exchange: &Exchange) -> Outcome {
        let outcome = status::outcome(exchange);
        let Ok(response) = &exchange.reply else { return outcome };
        if outcome != Outcome::Delivered {
            return outcome;
        }
        let field = self.settings.external_id_field();
        let explanation = match answers::found(&self.settings.layout, &response.body, field, PROBE) {
            Ok(_) => return outcome,
            Err(Unclear::Answer(what)) => {
                format!(
                    "the CRM takes the key, but answers a search for somebody who is not there with {what}; it should be an empty list"
                )
            }
            Err(Unclear::Nameless) => nameless(&self.settings),
        };
        Outcome::Permanent { class: FailureClass::Rejected, explanation }
    }

    fn default_rate_limit(&self) -> Option<RateLimit> {
        None
    }
}
