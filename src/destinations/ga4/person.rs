//! The guard in front of parameters: finds what says who somebody is, in general and of the very person that an event is about.
//!
//! GA4's policy forbids names, e-mail addresses, phone numbers and the like everywhere but in `user_data`, hashed texts too
//! (GA4: avoid sending personally identifiable information). A word too many left out costs a parameter, one too few the property.

use super::super::personal;
use crate::model::contact::Contact;
use crate::model::identity::IdentityKind;

/// A name of so many letters is looked for inside other words too: `janedoe2026`.
const GLUED_LETTERS: usize = 6;
/// So many last digits tell a phone number, however its beginning is written.
const TELLING_DIGITS: usize = 8;

/// What an event's person is known by.
#[derive(Default)]
pub struct Guard {
    name: Option<Name>,
    phones: Vec<String>,
    mailboxes: Vec<String>,
}

/// A name in the orders in which it may be written: as it is, and the last word first.
struct Name {
    words: Vec<String>,
    orders: [Vec<String>; 2],
}

/// What a parameter is, which decides what may look like personal data in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A text, in which a long run of digits may be a card's number.
    Text,
    /// An id, where long runs of digits are usual.
    Id,
}

impl Guard {
    /// Of a person, if there is one.
    pub fn of(contact: Option<&Contact>) -> Self {
        let Some(contact) = contact else { return Self::default() };
        let known = |kind: IdentityKind| contact.identities.iter().filter(move |identity| identity.kind == kind);
        let person = &contact.person;
        let name = person.name.as_deref().map(words).filter(|words| !words.is_empty());
        let phones = person.phone.iter().map(|phone| phone.as_str());
        let emails = person.email.iter().map(|email| email.as_str());
        Self {
            name: name.map(Name::new),
            phones: phones
                .chain(known(IdentityKind::Phone).map(|identity| identity.value.as_str()))
                .filter_map(telling_digits)
                .collect(),
            mailboxes: emails
                .chain(known(IdentityKind::Email).map(|identity| identity.value.as_str()))
                .filter_map(|email| email.rsplit_once('@').map(|(mailbox, _)| mailbox.to_lowercase()))
                .collect(),
        }
    }

    /// What a text holds that says who somebody is, with its article; none when it is clean.
    pub fn find(&self, form: Form, text: &str) -> Option<&'static str> {
        let in_general = match form {
            Form::Text => personal::find(text),
            Form::Id => personal::find_in_id(text),
        };
        if let Some(found) = in_general {
            return Some(found.name());
        }
        // Every payment of Stripe's begins with `pi` or `in`, and there are people of that name.
        let is_usual = |name: &&Name| form == Form::Text || name.is_telling();
        if self.name.as_ref().filter(is_usual).is_some_and(|name| name.is_in(text)) {
            return Some("the person's name");
        }
        self.holds_phone(text).then_some("the person's phone number")
    }

    /// The same for an id of the person, which must not be the mailbox of an address either: `jane.doe` of `jane.doe@example.com`.
    pub fn find_in_user_id(&self, id: &str) -> Option<&'static str> {
        let is_mailbox = || self.mailboxes.iter().any(|mailbox| *mailbox == id.to_lowercase());
        self.find(Form::Id, id).or_else(|| is_mailbox().then_some("the person's e-mail address"))
    }

    fn holds_phone(&self, text: &str) -> bool {
        if self.phones.is_empty() {
            return false;
        }
        let is_inside = |c: char| c.is_ascii_digit() || " -.()/\u{a0}".contains(c);
        text.split(|c: char| !is_inside(c)).any(|run| {
            let digits: String = run.chars().filter(char::is_ascii_digit).collect();
            self.phones.iter().any(|phone| digits.contains(phone.as_str()))
        })
    }
}

impl Name {
    fn new(words: Vec<String>) -> Self {
        let mut last_first = words.clone();
        last_first.rotate_right(1);
        Self { orders: [words.clone(), last_first], words }
    }

    /// Whether it is no chance when an id holds it.
    fn is_telling(&self) -> bool {
        self.words.len() > 1 || self.words.concat().chars().count() >= GLUED_LETTERS
    }

    fn is_in(&self, text: &str) -> bool {
        let found = words(text);
        if self.words.iter().all(|word| found.contains(word)) {
            return true;
        }
        let (glued, spaced) = (found.concat(), found.join(" "));
        self.orders.iter().any(|order| {
            let name = order.concat();
            (name.chars().count() >= GLUED_LETTERS && glued.contains(&name))
                || (order.len() > 1 && spaced.contains(&order.join(" ")))
        })
    }
}

/// The words of a text in lower case, without what stands between them.
fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn telling_digits(phone: &str) -> Option<String> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    Some(digits[digits.len().checked_sub(TELLING_DIGITS)?..].to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::super::samples;
    use super::*;

    #[test]
    fn the_person_is_found_however_written() {
        let guard = Guard::of(Some(&samples::contact()));
        for (text, found) in [
            ("Coaching for Jane Doe", "the person's name"),
            ("DOE, JANE", "the person's name"),
            ("jane-doe-2026", "the person's name"),
            ("x_janedoe7", "the person's name"),
            ("xDoe, Janes", "the person's name"),
            ("call 030 12345678", "the person's phone number"),
            ("030/123-456-78", "the person's phone number"),
            ("+49 30 12345678", "a phone number"),
            ("jane@example.com", "an e-mail address"),
            ("4242 4242 4242 4242", "a card number"),
        ] {
            assert_eq!(guard.find(Form::Text, text), Some(found), "{text}");
        }
        for clean in ["Coaching", "doe", "jane", "spring", "order 1234567", "", "premium"] {
            assert_eq!(guard.find(Form::Text, clean), None, "{clean}");
        }
        assert_eq!(guard.find(Form::Id, "4242424242424242"), None);
        assert_eq!(guard.find_in_user_id("Jane"), Some("the person's e-mail address"));
        assert_eq!(guard.find_in_user_id("user_3"), None);
    }

    #[test]
    fn an_id_is_not_refused_for_a_short_name_that_ids_begin_with() {
        for (name, id) in [("Pi", "pi_3Q1"), ("In", "in_1"), ("Ch", "ch_1")] {
            let mut contact = samples::contact();
            contact.person.name = Some(name.to_owned());
            let guard = Guard::of(Some(&contact));
            assert_eq!(guard.find(Form::Id, id), None, "{name}");
            assert_eq!(guard.find(Form::Text, &format!("for {name}")), Some("the person's name"));
        }
        assert_eq!(Guard::of(Some(&samples::contact())).find(Form::Id, "doe-jane-7"), Some("the person's name"));
    }

    #[test]
    fn of_nobody_only_what_is_personal_in_general_is_found() {
        let guard = Guard::of(None);
        assert_eq!(guard.find(Form::Text, "Jane Doe, 030 12345678"), None);
        assert_eq!(guard.find(Form::Text, "jane@example.com"), Some("an e-mail address"));
    }
}
