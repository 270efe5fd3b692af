//! Identifiers: which thing is meant, so that one kind of number can't be taken for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! sequence_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix($prefix)
                    .unwrap_or(text)
                    .parse()
                    .map(Self)
                    .map_err(|_| NotAnId(text.to_owned(), concat!($prefix, "123")))
            }
        }
    };
}

/// The text is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an id like {1}")]
pub struct NotAnId(pub String, pub &'static str);

sequence_id!(
    /// A stored webhook, in order of arrival. Prints as `w12`.
    WebhookId,
    "w"
);
sequence_id!(
    /// A group of linked money objects: one sale with its refunds and disputes. Prints as `s12`.
    GroupId,
    "s"
);
sequence_id!(
    /// A contact. Opaque and never reused. Prints as `c12`.
    ContactId,
    "c"
);
sequence_id!(
    /// A business event. Prints as `b12`.
    BusinessEventId,
    "b"
);

/// The number that stands for a configured destination in the store; given once per name, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationId(pub u16);

/// A delivery: one business event for one destination. Prints as `b12.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    /// What is told.
    pub event: BusinessEventId,
    /// Who is told.
    pub destination: DestinationId,
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.event, self.destination.0)
    }
}

impl FromStr for DeliveryId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || NotAnId(text.to_owned(), "b12.3");
        let (event, destination) = text.split_once('.').ok_or_else(wrong)?;
        Ok(Self {
            event: event.parse().map_err(|_| wrong())?,
            destination: DestinationId(destination.parse().map_err(|_| wrong())?),
        })
    }
}

/// Live business or a rehearsal. The two never meet: not in totals, not in claims, not at a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Real money (`livemode: true`).
    Live,
    /// A provider's test mode or sandbox.
    Test,
}

impl Mode {
    /// From a provider's `livemode` flag.
    pub const fn from_livemode(livemode: bool) -> Self {
        if livemode { Self::Live } else { Self::Test }
    }

    /// `live` or `test`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

/// Whose objects are meant. Ids are only compared inside one scope: never by a source's name, never across modes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The kind of sender, `stripe`.
    pub provider: String,
    /// The connected account that owns the object (Stripe Connect `account`), none for the own account.
    pub account: Option<String>,
    /// Live or test.
    pub mode: Mode,
}

impl fmt::Display for Scope {
    /// `stripe/-/live`: the prefix of every business key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.provider, self.account.as_deref().unwrap_or("-"), self.mode.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_what_they_print() {
        let id = DeliveryId { event: BusinessEventId(12), destination: DestinationId(3) };
        assert_eq!(id.to_string(), "b12.3");
        assert_eq!("b12.3".parse(), Ok(id));
        assert_eq!("12".parse(), Ok(WebhookId(12)));
        for wrong in ["", "b12", "b.3", "b12.99999999", "c12.1x"] {
            assert!(wrong.parse::<DeliveryId>().is_err(), "{wrong}");
        }
    }
}
