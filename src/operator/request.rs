//! What a person can ask, as it goes over the admin socket.

use serde::{Deserialize, Serialize};

use super::filter::Filter;

/// One question or wish. As JSON an object with a `command`, `{"command":"events.show","id":"w12"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", deny_unknown_fields)]
pub enum Request {
    /// Is anything broken? One row.
    #[serde(rename = "status")]
    Status,
    /// Webhooks, newest first.
    #[serde(rename = "events.list")]
    EventsList(List),
    /// Everything about one webhook: one row.
    #[serde(rename = "events.show")]
    EventsShow {
        /// `w12`, or the provider's own id.
        id: String,
    },
    /// Interpret stored webhooks again and add what is missing: a row each.
    #[serde(rename = "events.replay")]
    EventsReplay {
        /// As in [`Request::EventsShow`].
        ids: Vec<String>,
        /// Only say what would happen.
        #[serde(default)]
        dry_run: bool,
    },
    /// Deliveries, newest first.
    #[serde(rename = "deliveries.list")]
    DeliveriesList(List),
    /// Everything about one delivery: one row.
    #[serde(rename = "deliveries.show")]
    DeliveriesShow {
        /// `b12.3`.
        id: String,
    },
    /// What is known of a person's purchases: a row for each mode in which there is one.
    #[serde(rename = "contacts.show")]
    ContactsShow {
        /// An e-mail address, a phone number, a lead id, a user id, a customer's id, or `c12`.
        id: String,
    },
    /// Everything that is known of a person, personal data and all: a row for each mode in which there is one.
    #[serde(rename = "contacts.export")]
    ContactsExport {
        /// As in [`Request::ContactsShow`].
        id: String,
    },
    /// Erase a person: a row for each mode in which there is one.
    #[serde(rename = "contacts.forget")]
    ContactsForget {
        /// As in [`Request::ContactsShow`].
        id: String,
        /// Only say what would happen.
        #[serde(default)]
        dry_run: bool,
    },
    /// The failed queue, oldest first.
    #[serde(rename = "failed.list")]
    FailedList(List),
    /// Everything about one failed delivery: one row.
    #[serde(rename = "failed.show")]
    FailedShow {
        /// `b12.3`.
        id: String,
    },
    /// Send failed deliveries again: a row each.
    #[serde(rename = "failed.retry")]
    FailedRetry(Selection),
    /// Decide that failed deliveries need not be sent: a row each.
    #[serde(rename = "failed.discard")]
    FailedDiscard(Selection),
    /// Requests that failed verification, newest first.
    #[serde(rename = "rejected.list")]
    RejectedList(List),
    /// Verify kept requests against today's secrets and take in what is genuine: a row each. Ids are `r12`.
    #[serde(rename = "rejected.retry")]
    RejectedRetry(Selection),
    /// Erase kept requests with their bodies: a row each.
    #[serde(rename = "rejected.erase")]
    RejectedErase(Selection),
    /// Destinations with their state; the place in the list is the name.
    #[serde(rename = "destinations.list")]
    DestinationsList(List),
    /// Hold a destination's deliveries back: its row.
    #[serde(rename = "destinations.pause")]
    DestinationsPause {
        /// As configured.
        name: String,
    },
    /// Let a paused or held destination's deliveries go: its row.
    #[serde(rename = "destinations.resume")]
    DestinationsResume {
        /// As configured.
        name: String,
    },
    /// Ask a destination whether it works, with a request that only reads: one row.
    #[serde(rename = "destinations.test")]
    DestinationsTest {
        /// As configured.
        name: String,
    },
    /// What destinations would be sent of an event: a row for each of its business events and each destination.
    #[serde(rename = "destinations.preview")]
    DestinationsPreview {
        /// `b12`, or a webhook as in [`Request::EventsShow`].
        id: String,
        /// Only this one, as configured.
        #[serde(default)]
        destination: Option<String>,
    },
}

impl Request {
    /// Whether it may change the books.
    pub const fn is_change(&self) -> bool {
        match self {
            Self::EventsReplay { dry_run, .. } | Self::ContactsForget { dry_run, .. } => !*dry_run,
            Self::DestinationsPause { .. } | Self::DestinationsResume { .. } => true,
            Self::FailedRetry(selection)
            | Self::FailedDiscard(selection)
            | Self::RejectedRetry(selection)
            | Self::RejectedErase(selection) => !selection.dry_run,
            Self::Status
            | Self::EventsList(_)
            | Self::EventsShow { .. }
            | Self::DeliveriesList(_)
            | Self::DeliveriesShow { .. }
            | Self::ContactsShow { .. }
            | Self::ContactsExport { .. }
            | Self::FailedList(_)
            | Self::FailedShow { .. }
            | Self::RejectedList(_)
            | Self::DestinationsList(_)
            | Self::DestinationsTest { .. }
            | Self::DestinationsPreview { .. } => false,
        }
    }

    /// Whether it can't be done without the configuration and its secrets.
    pub const fn needs_configuration(&self) -> bool {
        match self {
            Self::FailedRetry(_)
            | Self::EventsReplay { .. }
            | Self::ContactsForget { .. }
            | Self::RejectedRetry(_)
            | Self::DestinationsTest { .. }
            | Self::DestinationsPreview { .. } => true,
            _ => self.is_change(),
        }
    }
}

/// Which part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct List {
    /// What is wanted.
    pub filter: Filter,
    /// Most rows; none is all.
    pub limit: Option<u64>,
    /// Only what comes behind this id in the list.
    pub after: Option<String>,
}

/// Which failed deliveries or refused requests are meant, and what for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// These, `b12.3` or `r12`. Not together with a filter.
    pub ids: Vec<String>,
    /// Those that it admits.
    pub filter: Filter,
    /// Everything, when there is no filter.
    pub all: bool,
    /// Only say what would happen.
    pub dry_run: bool,
    /// Why they are discarded, in the person's words.
    pub reason: Option<String>,
}
