//! What a person agrees to at this moment.

use crate::model::attribution::Consent;
use crate::model::business_event::BusinessEvent;
use crate::model::contact::Contact;
use crate::model::time::Timestamp;

/// The event's word and the contact's, purpose by purpose; where both speak the later one holds.
pub fn current(event: &BusinessEvent, contact: Option<&Contact>) -> Consent {
    let of_event = event.facts.consent;
    let Some(contact) = contact else { return of_event };
    let later = |said: Option<bool>, said_at: Timestamp, told: Option<bool>| {
        if said_at > event.occurred_at { said.or(told) } else { told.or(said) }
    };
    let (of_contact, times) = (contact.consent, contact.consent_said_at);
    Consent {
        analytics: later(of_contact.analytics, times.analytics, of_event.analytics),
        ads: later(of_contact.ads, times.ads, of_event.ads),
        email: later(of_contact.email, times.email, of_event.email),
    }
}

/// When the person agreed to e-mail, if that is the answer that holds: the latest yes that is known.
pub fn agreed_to_email_at(event: &BusinessEvent, contact: Option<&Contact>) -> Option<Timestamp> {
    if current(event, contact).email != Some(true) {
        return None;
    }
    let of_event = (event.facts.consent.email == Some(true)).then_some(event.occurred_at);
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
