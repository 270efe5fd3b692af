//! What a person agrees to at this moment, and what a destination asks for before it is told of somebody.

use std::fmt;

use crate::model::attribution::Consent;
use crate::model::business_event::{BusinessEvent, Mark};
use crate::model::contact::Contact;
use crate::model::time::Timestamp;

/// What a person is asked to agree to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Being measured.
    Analytics,
    /// Advertising.
    Ads,
    /// E-mail.
    Email,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Analytics, Self::Ads, Self::Email];

    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Analytics => "analytics",
            Self::Ads => "ads",
            Self::Email => "email",
        }
    }

    const fn of(self, consent: Consent) -> Option<bool> {
        match self {
            Self::Analytics => consent.analytics,
            Self::Ads => consent.ads,
            Self::Email => consent.email,
        }
    }
}

/// What a destination asks for about one purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Need {
    /// A yes.
    Required,
    /// Anything but a no.
    UnlessDenied,
    /// Nothing.
    #[default]
    Ignored,
}

impl Need {
    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::UnlessDenied => "unless_denied",
            Self::Ignored => "ignored",
        }
    }

    /// Whether an answer, or none, is enough.
    const fn is_met_by(self, answer: Option<bool>) -> bool {
        matches!((self, answer), (Self::Ignored, _) | (_, Some(true)) | (Self::UnlessDenied, None))
    }
}

/// What a destination asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// About being measured.
    pub analytics: Need,
    /// About advertising.
    pub ads: Need,
    /// About e-mail.
    pub email: Need,
}

impl Needs {
    /// About one purpose.
    pub const fn of(self, purpose: Purpose) -> Need {
        match purpose {
            Purpose::Analytics => self.analytics,
            Purpose::Ads => self.ads,
            Purpose::Email => self.email,
        }
    }
}

/// What the configuration says of it; a purpose of which it says nothing is as the destination's kind has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// About being measured.
    pub analytics: Option<Need>,
    /// About advertising.
    pub ads: Option<Need>,
    /// About e-mail.
    pub email: Option<Need>,
}

impl Choice {
    /// What holds.
    pub fn over(self, own: Needs) -> Needs {
        Needs {
            analytics: self.analytics.unwrap_or(own.analytics),
            ads: self.ads.unwrap_or(own.ads),
            email: self.email.unwrap_or(own.email),
        }
    }
}

/// The consent that is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    purpose: Purpose,
    need: Need,
    /// The no, and where it comes from; none where nobody said anything.
    denied: Option<Origin>,
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// The event's own data.
    Event(Timestamp),
    /// What was known of the person.
    Person(Timestamp),
}

impl fmt::Display for Missing {
    /// `consent to analytics: the person said no, at 2026-11-20 14:00:05 UTC`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "consent to {}: ", self.purpose.name())?;
        match self.denied {
            None => write!(f, "nobody said yes or no, and it is {}", self.need.name()),
            Some(Origin::Event(at)) => write!(f, "a no came with the event of {} UTC", at.date_and_time()),
            Some(Origin::Person(at)) if at == Timestamp::EPOCH => f.write_str("the person said no"),
            Some(Origin::Person(at)) => write!(f, "the person said no, at {} UTC", at.date_and_time()),
        }
    }
}

/// The first consent that is asked for and missing.
pub fn missing(needs: Needs, event: &BusinessEvent, contact: Option<&Contact>) -> Option<Missing> {
    if needs == Needs::default() {
        return None;
    }
    let answers = current(event, contact);
    let purpose = Purpose::ALL.into_iter().find(|purpose| !needs.of(*purpose).is_met_by(purpose.of(answers)))?;
    let denied = purpose.of(answers).map(|_| origin(purpose, event, contact));
    Some(Missing { purpose, need: needs.of(purpose), denied })
}

/// Where a no that holds comes from.
fn origin(purpose: Purpose, event: &BusinessEvent, contact: Option<&Contact>) -> Origin {
    let of_person = contact.filter(|contact| purpose.of(contact.consent) == Some(false));
    match of_person {
        Some(contact) => Origin::Person(match purpose {
            Purpose::Analytics => contact.consent_said_at.analytics,
            Purpose::Ads => contact.consent_said_at.ads,
            Purpose::Email => contact.consent_said_at.email,
        }),
        None => Origin::Event(event.occurred_at),
    }
}

/// The event's word and the contact's, purpose by purpose; where both speak the later one holds. Where the event's word may be
/// the configuration's default, which nobody said, a no holds.
pub fn current(event: &BusinessEvent, contact: Option<&Contact>) -> Consent {
    let of_event = event.facts.consent;
    let Some(contact) = contact else { return of_event };
    let is_assumed = is_assumed(event);
    let later = |said: Option<bool>, said_at: Timestamp, told: Option<bool>| {
        if said_at > event.occurred_at || (is_assumed && said == Some(false)) { said.or(told) } else { told.or(said) }
    };
    let (of_contact, times) = (contact.consent, contact.consent_said_at);
    Consent {
        analytics: later(of_contact.analytics, times.analytics, of_event.analytics),
        ads: later(of_contact.ads, times.ads, of_event.ads),
        email: later(of_contact.email, times.email, of_event.email),
    }
}

/// Whether some of the event's word is the configuration's default.
fn is_assumed(event: &BusinessEvent) -> bool {
    event.facts.marks.contains(&Mark::ConsentByDefault)
}

/// When the person agreed to e-mail, if that is the answer that holds: the latest yes that is known.
pub fn agreed_to_email_at(event: &BusinessEvent, contact: Option<&Contact>) -> Option<Timestamp> {
    if current(event, contact).email != Some(true) {
        return None;
    }
    // A default is no proof that anybody agreed.
    let of_event = (event.facts.consent.email == Some(true) && !is_assumed(event)).then_some(event.occurred_at);
    let of_contact = contact.filter(|contact| contact.consent.email == Some(true));
    let said_at = of_contact.map(|contact| contact.consent_said_at.email);
    of_event.into_iter().chain(said_at).max().filter(|at| *at > Timestamp::EPOCH)
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;
    use crate::model::contact::ConsentTimes;

    #[test]
    fn of_two_answers_to_one_purpose_the_later_holds() {
        let mut event = samples::event("purchase");
        event.facts.consent = Consent { analytics: Some(true), ads: None, email: Some(false) };
        assert_eq!(current(&event, None), event.facts.consent);

        let mut contact = samples::contact();
        contact.consent = Consent { analytics: Some(false), ads: Some(true), email: Some(true) };
        let before = Timestamp::EPOCH;
        let after = event.occurred_at.after(std::time::Duration::from_secs(1));
        contact.consent_said_at = ConsentTimes { analytics: before, ads: before, email: after };
        assert_eq!(
            current(&event, Some(&contact)),
            Consent { analytics: Some(true), ads: Some(true), email: Some(true) }
        );

        contact.consent.email = None;
        assert_eq!(current(&event, Some(&contact)).email, Some(false));
    }

    #[test]
    fn a_default_is_neither_stronger_than_a_no_nor_a_proof_of_a_yes() {
        let (mut event, mut contact) = (samples::event("purchase"), samples::contact());
        event.facts.consent.email = Some(true);
        event.facts.marks.push(Mark::ConsentByDefault);
        assert_eq!(current(&event, Some(&contact)).email, Some(true));
        assert_eq!(agreed_to_email_at(&event, Some(&contact)), None);
        let before = Timestamp::from_millis(event.occurred_at.millis() - 1000);
        (contact.consent.email, contact.consent_said_at.email) = (Some(false), before);
        assert_eq!(current(&event, Some(&contact)).email, Some(false), "said before it, and heard after it");
        contact.consent.email = Some(true);
        assert_eq!(agreed_to_email_at(&event, Some(&contact)), Some(before));
    }

    #[test]
    fn what_is_missing_says_which_purpose_and_where_the_no_comes_from() {
        let needs = |analytics, email| Needs { analytics, ads: Need::Ignored, email };
        let mut event = samples::event("purchase");
        event.facts.consent = Consent::default();
        let told = |needs, event: &BusinessEvent, contact: Option<&Contact>| {
            missing(needs, event, contact).map(|missing| missing.to_string())
        };
        let unless_denied = needs(Need::UnlessDenied, Need::Ignored);
        assert_eq!(told(unless_denied, &event, None), None);
        let required = needs(Need::Ignored, Need::Required);
        assert_eq!(
            told(required, &event, None).as_deref(),
            Some("consent to email: nobody said yes or no, and it is required")
        );
        event.facts.consent.analytics = Some(false);
        assert_eq!(
            told(unless_denied, &event, None).as_deref(),
            Some("consent to analytics: a no came with the event of 2025-05-13 10:36:01 UTC")
        );
        assert_eq!(told(Needs::default(), &event, None), None);
        let mut contact = samples::contact();
        contact.consent = Consent { analytics: None, ads: None, email: Some(false) };
        contact.consent_said_at = ConsentTimes { email: samples::SOLD_AT, ..ConsentTimes::default() };
        assert_eq!(
            told(required, &event, Some(&contact)).as_deref(),
            Some("consent to email: the person said no, at 2025-05-13 10:36:01 UTC")
        );
        contact.consent.email = Some(true);
        assert_eq!(told(required, &event, Some(&contact)), None);
        let chosen = Choice { analytics: Some(Need::Required), ..Choice::default() };
        assert_eq!(chosen.over(required), needs(Need::Required, Need::Required));
    }

    #[test]
    fn a_yes_to_e_mail_has_the_time_at_which_it_was_last_said() {
        let (mut event, mut contact) = (samples::event("purchase"), samples::contact());
        assert_eq!(agreed_to_email_at(&event, Some(&contact)), None, "nobody asked");
        event.facts.consent.email = Some(true);
        assert_eq!(agreed_to_email_at(&event, Some(&contact)), Some(event.occurred_at));
        let later = event.occurred_at.after(std::time::Duration::from_secs(9));
        (contact.consent.email, contact.consent_said_at.email) = (Some(true), later);
        assert_eq!(agreed_to_email_at(&event, Some(&contact)), Some(later));
        contact.consent.email = Some(false);
        assert_eq!(agreed_to_email_at(&event, Some(&contact)), None, "withdrawn since");
        event.facts.consent.email = None;
        (contact.consent.email, contact.consent_said_at.email) = (Some(true), Timestamp::EPOCH);
        assert_eq!(agreed_to_email_at(&event, Some(&contact)), None, "at a time that is not known");
    }
}
