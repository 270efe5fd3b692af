//! The course of an attempt: which request comes after which answer.

use super::answers::{self, Known};
use super::body::{Address, Missing, email, phone};
use super::{judge, retry};
use crate::destinations::crm::{Told, tags};
use crate::destinations::{Exchange, Finished, Job, redact, status};
use crate::model::delivery::Outcome;

/// HighLevel: highlevel-api-docs, issue 37.
const LEFT_OUT: &str = "HighLevel has left out the phone number without saying why";

/// The request that is due, and how it came to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// `GET contacts/search/duplicate`.
    LookUp(Why),
    /// `POST contacts/upsert`.
    Upsert,
    /// `PUT contacts/{id}`.
    Change {
        /// HighLevel's id.
        id: String,
        /// It comes from an earlier attempt, not from an answer of this one.
        remembered: bool,
    },
    /// `PUT contacts/{id}` with the addresses that HighLevel lacks.
    FillIn {
        /// HighLevel's id.
        id: String,
        /// Which.
        missing: Missing,
    },
    /// `POST contacts/{id}/tags`.
    Tag {
        /// HighLevel's id.
        id: String,
    },
}

/// Why it is looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// HighLevel's id isn't known.
    Unknown,
    /// An upsert was refused like this, which HighLevel also answers when it has made the contact.
    Refused(Outcome),
}

impl Turn {
    /// How an attempt begins.
    pub fn first(job: &Job<'_>) -> Self {
        match job.sync.and_then(|sync| sync.remote_id.clone()) {
            Some(id) => Self::Change { id, remembered: true },
            None => Self::LookUp(Why::Unknown),
        }
    }
}

/// The turn after a reply, or the end of the attempt. `finished` keeps what was learned on the way.
pub fn after(turn: Turn, exchange: &Exchange, told: &Told<'_>, finished: &mut Finished) -> Result<Turn, Outcome> {
    let code = exchange.reply.as_ref().ok().map(|response| response.status);
    let body = exchange.reply.as_ref().map_or(&[][..], |response| &response.body);
    let outcome = judge(exchange);
    let is_gone = code == Some(404) || code == Some(400) && answers::message(body).contains("not found");
    match turn {
        Turn::LookUp(why) => {
            // HighLevel documents `contact: null`; a 404 says the same.
            let found = match code {
                Some(404) => Some(None),
                Some(200..=299) => answers::found(body),
                _ => None,
            };
            match (outcome, found, why) {
                (Outcome::Delivered, Some(Some(id)), Why::Unknown) => {
                    finished.remote_id = Some(id.clone());
                    Ok(Turn::Change { id, remembered: false })
                }
                (Outcome::Delivered, Some(Some(id)), Why::Refused(_)) => {
                    finished.remote_id = Some(id.clone());
                    let note = "HighLevel refused the contact (422), but has made it all the same; it was looked up and completed";
                    finished.notes.push(note.to_owned());
                    Ok(Turn::Change { id, remembered: false })
                }
                (_, Some(None), Why::Unknown) => Ok(Turn::Upsert),
                (_, Some(None), Why::Refused(refusal)) => Err(refusal),
                (Outcome::Delivered, None, _) => Err(retry(format!(
                    "{}, from which nobody knows whether there is such a contact; look whether `endpoint` is right",
                    status::answered(exchange, code.unwrap_or_default())
                ))),
                (outcome, ..) => Err(outcome),
            }
        }
        Turn::Upsert => match (code, answers::duplicate(body)) {
            (Some(422), _) => Ok(Turn::LookUp(Why::Refused(outcome))),
            // Only who has the address that was looked up is the person.
            (Some(400), Some(duplicate)) if is_same(told, duplicate.field.as_deref()) => {
                finished.remote_id = Some(duplicate.id.clone());
                Ok(Turn::Change { id: duplicate.id, remembered: false })
            }
            _ if outcome != Outcome::Delivered => Err(outcome),
            _ => {
                let Some(known) = answers::contact(body) else {
                    return Err(retry(format!(
                        "{}, which names no contact; it is sent again",
                        status::answered(exchange, code.unwrap_or_default())
                    )));
                };
                finished.remote_id = Some(known.id.clone());
                let lacks_phone = known.is_told && known.phone.is_none() && phone(told.contact).is_some();
                if lacks_phone && email(told.contact).is_some() {
                    return Ok(Turn::FillIn { id: known.id, missing: Missing { email: false, phone: true } });
                }
                if lacks_phone {
                    finished.notes.push(LEFT_OUT.to_owned());
                }
                tag(&known, told)
            }
        },
        Turn::Change { id, remembered } => {
            if is_gone && remembered {
                finished.notes.push(redact::text(&format!(
                    "HighLevel no longer has contact {id} ({}); looked it up again",
                    code.unwrap_or_default()
                )));
                finished.remote_id = None;
                return Ok(Turn::LookUp(Why::Unknown));
            }
            if is_gone {
                finished.remote_id = None;
                return Err(retry(
                    "HighLevel found the contact, but not when it was to be changed; it is tried again".to_owned(),
                ));
            }
            if outcome != Outcome::Delivered {
                return Err(outcome);
            }
            finished.remote_id = Some(id.clone());
            let known = answers::contact(body).unwrap_or_else(|| Known::unseen(&id));
            let missing = Missing {
                email: known.is_told && known.email.is_none() && email(told.contact).is_some(),
                phone: known.is_told && known.phone.is_none() && phone(told.contact).is_some(),
            };
            let known = Known { id, ..known };
            if missing.email || missing.phone { Ok(Turn::FillIn { id: known.id, missing }) } else { tag(&known, told) }
        }
        Turn::FillIn { id, missing } => {
            match (code, answers::duplicate(body)) {
                (Some(400), Some(other)) => {
                    let what = match other.field.as_deref() {
                        Some("email") => "e-mail address",
                        Some("phone") => "phone number",
                        _ => "e-mail address or phone number",
                    };
                    // A number alone does not make two people one.
                    let is_person = other.field.as_deref() != Some("phone");
                    let then = if is_person { ": merge the two" } else { "" };
                    finished.notes.push(redact::text(&format!(
                        "contact {} at HighLevel already has this {what}, so contact {id} does without{then}",
                        other.id
                    )));
                    if is_person && other.id != id {
                        finished.left_over.push(other.id);
                    }
                }
                (Some(422), _) => {
                    let note = "HighLevel refuses the e-mail address or phone number (422); the contact does without";
                    finished.notes.push(note.to_owned());
                }
                _ if outcome != Outcome::Delivered => return Err(outcome),
                _ => {}
            }
            let known = answers::contact(body).filter(|_| outcome == Outcome::Delivered);
            if missing.phone && known.as_ref().is_some_and(|known| known.phone.is_none()) {
                finished.notes.push(LEFT_OUT.to_owned());
            }
            tag(&Known { id: id.clone(), ..known.unwrap_or_else(|| Known::unseen(&id)) }, told)
        }
        Turn::Tag { .. } if is_gone => {
            finished.remote_id = None;
            Err(retry("HighLevel no longer has the contact that was to be tagged; it is tried again".to_owned()))
        }
        Turn::Tag { .. } => Err(outcome),
    }
}

/// Whether a contact that has an address of this kind already is the one whom the look-up was for.
fn is_same(told: &Told<'_>, field: Option<&str>) -> bool {
    Address::of(told.contact).is_some_and(|address| field.is_none_or(|field| field == address.name()))
}

/// Adds the tags that the contact lacks; it is over when it lacks none.
fn tag(known: &Known, told: &Told<'_>) -> Result<Turn, Outcome> {
    let wanted = tags(told.job, told.contact);
    // HighLevel writes tags in lower case.
    let is_there = |tag: &String| known.tags.iter().any(|there| there.to_lowercase() == tag.to_lowercase());
    if wanted.iter().all(is_there) { Err(Outcome::Delivered) } else { Ok(Turn::Tag { id: known.id.clone() }) }
}
