//! What goes wrong, as it is reported to [`super::sender::Alerts`] and as it is told to people.

use crate::destinations::personal;
use crate::model::time::Timestamp;

/// The kinds of trouble; together with the subject they make the groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertClass {
    /// Deliveries are in the failed queue. Each that comes is an event; people are reminded while any is there.
    DeliveryFailed,
    /// A destination is held: its key, its plan or its certificate is refused.
    DestinationHeld,
    /// A destination's breaker is open: it fails again and again.
    BreakerOpen,
    /// A destination neither takes nor refuses what is due, such as by answering "too fast" for an hour.
    DestinationBehind,
    /// A webhook is stored, but our code could not digest it.
    UnreadableEvent,
    /// The store or its disk is in trouble; nothing is acknowledged meanwhile.
    Storage,
    /// Events were too old for a destination when they were planned.
    TooOld,
    /// Requests failed verification.
    VerificationFailures,
    /// A destination was told of the same money twice, or of money that the books now see otherwise.
    ToldTwice,
    /// A destination has two records of one person.
    SecondRecord,
    /// A webhook is stored with an oddity, such as an absent amount, that may have kept money from being counted.
    OddWebhook,
    /// A request was refused and answered 200 all the same, as its source is configured; it is kept.
    RefusedWith200,
    /// The certificate is absent, about to expire, or can't be renewed.
    Certificate,
    /// Much fewer sales than before are known to come from anywhere.
    AttributionDropped,
    /// A limit turns away what browsers post of their visitors.
    LeadsTurnedAway,
}

impl AlertClass {
    /// The `event_type` of its alerts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DeliveryFailed => "delivery_failed",
            Self::DestinationHeld => "destination_held",
            Self::BreakerOpen => "breaker_open",
            Self::DestinationBehind => "destination_behind",
            Self::UnreadableEvent => "unreadable_event",
            Self::Storage => "storage",
            Self::TooOld => "too_old",
            Self::VerificationFailures => "verification_failures",
            Self::ToldTwice => "told_twice",
            Self::SecondRecord => "second_record",
            Self::OddWebhook => "odd_webhook",
            Self::RefusedWith200 => "refused_with_200",
            Self::Certificate => "certificate",
            Self::AttributionDropped => "attribution_dropped",
            Self::LeadsTurnedAway => "leads_turned_away",
        }
    }

    /// Whether it does not go away before a person has looked.
    pub const fn requires_manual_review(self) -> bool {
        matches!(
            self,
            Self::DeliveryFailed
                | Self::DestinationHeld
                | Self::ToldTwice
                | Self::SecondRecord
                | Self::OddWebhook
                | Self::RefusedWith200
        )
    }

    /// Whether people are reminded of it until it is reported as over.
    pub const fn is_repeated(self) -> bool {
        self.lasts() || matches!(self, Self::DeliveryFailed)
    }

    /// Whether it is a state, which lasts until it is reported as over and is told again meanwhile, and not a single event.
    pub const fn lasts(self) -> bool {
        matches!(
            self,
            Self::DestinationHeld
                | Self::BreakerOpen
                | Self::DestinationBehind
                | Self::Storage
                | Self::Certificate
                | Self::AttributionDropped
                | Self::LeadsTurnedAway
        )
    }
}

/// Something that went wrong. Ids only: no e-mail address, phone number or name may stand in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The destination, the source, or the part of the program.
    pub subject: String,
    /// What kind of trouble.
    pub class: AlertClass,
    /// One sentence with the cause and the next step.
    pub message: String,
    /// The sale it is about.
    pub transaction_id: Option<String>,
    /// The lead it is about.
    pub lead_id: Option<String>,
    /// How many times it happened; usually 1.
    pub count: u64,
}

impl Trouble {
    /// Without e-mail addresses and phone numbers: a shop may use either as its order number or user id.
    #[must_use]
    pub fn without_people(self) -> Self {
        let id = |id: Option<String>| id.filter(|id| personal::find_in_id(id).is_none());
        Self {
            message: personal::mask(&self.message),
            transaction_id: id(self.transaction_id),
            lead_id: id(self.lead_id),
            ..self
        }
    }
}

/// Trouble that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// As in [`Trouble::subject`].
    pub subject: String,
    /// The kind of trouble that is over.
    pub class: AlertClass,
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Trouble of this kind, for the first time or again.
    Trouble(AlertClass),
    /// Trouble of this kind has not gone away.
    StillThere(AlertClass),
    /// Trouble of this kind is over.
    Over(AlertClass),
    /// So many groups have news that is held back, as too many messages went out.
    HeldBack,
}

impl News {
    /// The `event_type` of the message.
    pub const fn event_type(self) -> &'static str {
        match self {
            Self::Trouble(class) | Self::StillThere(class) => class.name(),
            Self::Over(_) => "recovered",
            Self::HeldBack => "alerts_suppressed",
        }
    }

    /// Whether a person has to look.
    pub const fn requires_manual_review(self) -> bool {
        match self {
            Self::Trouble(class) | Self::StillThere(class) => class.requires_manual_review(),
            Self::Over(_) => false,
            Self::HeldBack => true,
        }
    }
}

/// One message to people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub news: News,
    /// The destination, the source, or the part of the program.
    pub subject: String,
    /// One sentence.
    pub text: String,
    /// The sale of the latest trouble in it.
    pub transaction_id: Option<String>,
    /// The lead of the latest trouble in it.
    pub lead_id: Option<String>,
    /// How many times it happened since the last message on it.
    pub count: u64,
    /// When it was put together.
    pub at: Timestamp,
}

impl Message {
    /// The message as JSON for a webhook: `{event_type, destination, error_message, transaction_id, lead_id, count, timestamp,
    /// requires_manual_review}`.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::json!({
            "event_type": self.news.event_type(),
            "destination": self.subject,
            "error_message": self.text,
            "transaction_id": self.transaction_id,
            "lead_id": self.lead_id,
            "count": self.count,
            "timestamp": self.at.to_string(),
            "requires_manual_review": self.news.requires_manual_review(),
        })
        .to_string()
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_the_fields_that_monitoring_expects() {
        let message = Message {
            news: News::Trouble(AlertClass::DeliveryFailed),
            subject: "crm".to_owned(),
            text: "422 from the CRM".to_owned(),
            transaction_id: Some("in_1".to_owned()),
            lead_id: None,
            count: 3,
            at: Timestamp::from_unix_seconds(1_700_000_000),
        };
        let json: serde_json::Value = serde_json::from_slice(&message.to_json()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "event_type": "delivery_failed", "destination": "crm", "error_message": "422 from the CRM",
                "transaction_id": "in_1", "lead_id": null, "count": 3, "timestamp": "2023-11-14T22:13:20.000Z",
                "requires_manual_review": true,
            })
        );
    }

    #[test]
    fn nobody_is_named_by_an_id() {
        let of = |id: &str| {
            let trouble = Trouble {
                subject: "crm".to_owned(),
                class: AlertClass::DeliveryFailed,
                message: format!("order {id} is refused"),
                transaction_id: Some(id.to_owned()),
                lead_id: Some(id.to_owned()),
                count: 1,
            };
            trouble.without_people()
        };
        for id in ["jane@example.com", "order-jane%40example.com", "+493012345678"] {
            let told = of(id);
            assert_eq!((told.transaction_id, told.lead_id), (None, None), "{id}");
            assert!(!told.message.contains("jane") && !told.message.contains("1234"), "{}", told.message);
        }
        let told = of("in_1");
        assert_eq!((told.transaction_id.as_deref(), told.message.as_str()), (Some("in_1"), "order in_1 is refused"));
    }

    #[test]
    fn only_what_stays_until_somebody_looks_asks_for_a_review() {
        for (class, asks) in [
            (AlertClass::DeliveryFailed, true),
            (AlertClass::DestinationHeld, true),
            (AlertClass::ToldTwice, true),
            (AlertClass::RefusedWith200, true),
            (AlertClass::BreakerOpen, false),
            (AlertClass::VerificationFailures, false),
        ] {
            assert_eq!(News::Trouble(class).requires_manual_review(), asks, "{class:?}");
        }
        assert!(!News::Over(AlertClass::DeliveryFailed).requires_manual_review());
    }
}
