//! A webhook of the user's own: each business event as signed JSON (Standard Webhooks specification).
//!
//! The message's id is the same in every attempt and after every retry by a person, so that the receiver knows a repeat by it,
//! and a request that may have arrived is simply sent again.

use super::crm::HAPPENINGS;
use super::{Admission, Destination, Exchange, Finished, HttpRequest, Job, Method, Step, Style, status};
use crate::model::business_event::{BusinessEvent, EventKind};
use crate::model::contact::Contact;
use crate::model::delivery::{AmbiguousPolicy, FailureClass, Frozen, Outcome};
use crate::model::rate::RateLimit;
use crate::model::secret::Secret;

mod body;
pub mod signature;
#[cfg(test)]
mod tests;

/// What a webhook needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The whole address. A secret, because such addresses often hold one.
    pub url: Secret,
    /// The signing secret; see [`signature::key_bytes`].
    pub secret: Secret,
    /// Whether e-mail address, phone number and name go along.
    pub personal_data: bool,
}

/// A webhook of the user's own.
pub struct Webhook {
    /// Scheme and authority, which may be shown.
    origin: String,
    /// The rest of the address, which may not.
    path: Option<Secret>,
    key: signature::Key,
    personal_data: bool,
}

impl Webhook {
    /// From settings.
    pub fn new(settings: Settings) -> Self {
        let url = settings.url.expose();
        let authority = url.find("://").map_or(0, |at| at + 3);
        let end = url[authority..].find(['/', '?']).map_or(url.len(), |at| authority + at);
        let (origin, path) = url.split_at(end);
        Self {
            origin: origin.to_owned(),
            path: (!path.is_empty() && path != "/").then(|| Secret::new(path)),
            key: signature::Key::new(settings.secret.expose()),
            personal_data: settings.personal_data,
        }
    }

    /// The request for a job with the remarks on it; none for a job without an event.
    fn request(&self, job: &Job<'_>) -> Option<(HttpRequest, Vec<String>)> {
        let event = job.events.first()?;
        // A rehearsal has no delivery yet: it shows what would be frozen.
        let kind =
            job.delivery.and_then(|delivery| delivery.frozen.as_ref()).map_or(&event.kind, |frozen| &frozen.kind);
        let id = message_id(event);
        let body::Rendered { body, notes } = body::render(&id, event, kind, job.contact, self.personal_data);
        // The time is the attempt's: a receiver refuses what is more than a few minutes old.
        let timestamp = job.now.unix_seconds();
        let request = HttpRequest {
            method: Method::Post,
            url: self.origin.clone(),
            secret_path: self.path.clone(),
            secret_query: None,
            secret_header: Some(("webhook-signature", Secret::new(self.key.sign(&id, timestamp, &body)))),
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("webhook-id", id),
                ("webhook-timestamp", timestamp.to_string()),
            ],
            body,
            repeatable: true,
        };
        Some((request, notes))
    }
}

/// The message's id: the business event's number, which is never given twice, with the moment it was written down, so that a
/// store that was restored from a backup does not give another event the same. No full stop, which the signature forbids.
fn message_id(event: &BusinessEvent) -> String {
    format!("msg_{}_{}", event.id, event.created_at.millis())
}

/// What a reply means.
fn judge(exchange: &Exchange) -> Outcome {
    let Ok(response) = &exchange.reply else { return status::outcome(exchange) };
    let answered = || status::answered(exchange, response.status);
    match response.status {
        300..=399 => Outcome::Broken {
            explanation: format!(
                "{}, a redirect, and redirects are not followed; set `url` to the final address and reload",
                answered()
            ),
        },
        401 => Outcome::Broken {
            explanation: format!(
                "{}: it does not accept the signature; look whether it has the same `secret`, and whether both clocks are right",
                answered()
            ),
        },
        404 | 405 => Outcome::Permanent {
            class: FailureClass::Rejected,
            explanation: format!("{}; look whether `url` is right", answered()),
        },
        // Standard Webhooks: the endpoint wants nothing more.
        410 => Outcome::Broken {
            explanation: format!(
                "{}: it wants no more webhooks; set `url` to the new address, or take the destination out, and reload",
                answered()
            ),
        },
        _ => status::outcome(exchange),
    }
}

impl Destination for Webhook {
    fn kind(&self) -> &'static str {
        "webhook"
    }

    fn style(&self) -> Style {
        Style::Event
    }

    fn default_events(&self) -> &'static [EventKind] {
        HAPPENINGS
    }

    fn admit(&self, _event: &BusinessEvent, _contact: Option<&Contact>) -> Admission {
        Admission::Send
    }

    fn is_ready(&self, _event: &BusinessEvent, _contact: Option<&Contact>) -> bool {
        true
    }

    fn freeze(&self, event: &BusinessEvent, _contact: Option<&Contact>) -> Option<Frozen> {
        Some(Frozen { kind: event.kind.clone(), client_id: None, synthetic: false })
    }

    /// Retry: the receiver knows a repeat by `webhook-id`.
    fn ambiguous(&self, _kind: &EventKind) -> AmbiguousPolicy {
        AmbiguousPolicy::Retry
    }

    fn step(&self, job: &Job<'_>, exchanges: &[Exchange]) -> Step {
        let Some((request, notes)) = self.request(job) else {
            return Step::Done(Finished::new(Outcome::Permanent {
                class: FailureClass::Invalid,
                explanation: "the delivery has no business event".to_owned(),
            }));
        };
        match exchanges.last() {
            None => Step::Send(request),
            Some(exchange) => Step::Done(Finished { notes, ..Finished::new(judge(exchange)) }),
        }
    }

    fn probe(&self) -> Option<HttpRequest> {
        None
    }

    fn default_rate_limit(&self) -> Option<RateLimit> {
        None
    }
}
