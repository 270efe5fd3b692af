//! A person's name and addresses on disk.

use serde::{Deserialize, Serialize};

use crate::model::identity::{Email, Phone};
use crate::model::statement::Person;

use super::owned;

/// A [`Person`].
#[derive(Serialize, Deserialize)]
pub(super) struct PersonV1<'a> {
    #[serde(borrow)]
    email: Option<&'a str>,
    #[serde(borrow)]
    phone: Option<&'a str>,
    #[serde(borrow)]
    name: Option<&'a str>,
}

impl<'a> PersonV1<'a> {
    /// As it is written; none when nothing is known.
    pub(super) fn of(person: &'a Person) -> Option<Self> {
        (*person != Person::default()).then(|| Self {
            email: person.email.as_ref().map(Email::as_str),
            phone: person.phone.as_ref().map(Phone::as_str),
            name: person.name.as_deref(),
        })
    }

    /// As it was.
    pub(super) fn read(stored: Option<Self>) -> Person {
        stored.map_or_else(Person::default, |stored| Person {
            email: owned(stored.email).map(Email::stored),
            phone: owned(stored.phone).map(Phone::stored),
            name: owned(stored.name),
        })
    }
}
