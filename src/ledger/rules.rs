//! What the configuration says about counting and delivering.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::destinations::Destination;
use crate::destinations::consent::Choice;
use crate::destinations::filter::Filter;
use crate::model::attribution::Consent;
use crate::model::business_event::{BusinessEvent, EventKind};
pub use crate::model::count::Count;
use crate::model::delivery::AmbiguousPolicy;
use crate::model::id::{DestinationId, Mode};
use crate::model::identity::{Email, SharedAddresses};
use crate::model::retry::RetrySchedule;

/// How events are counted and who is told.
#[derive(Clone, Default)]
pub struct Rules {
    /// By the source's name.
    pub sources: BTreeMap<String, SourceRules>,
    /// Every configured destination.
    pub destinations: Vec<DestinationRules>,
    /// Addresses that several people read.
    pub shared_emails: Vec<SharedAddresses>,
    /// What browsers say.
    pub leads: LeadRules,
}

/// What is made of what browsers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadRules {
    /// Whether a new address or phone number from a form makes a contact and a `lead` of it.
    pub make_leads: bool,
    /// How long one waits before anybody is told, so that a lead id under which ever other addresses come shows itself.
    pub settle: Duration,
    /// Leads that are kept at most; beyond it no new one is taken.
    pub most: u64,
}

impl Default for LeadRules {
    fn default() -> Self {
        Self { make_leads: true, settle: Duration::from_secs(120), most: 100_000 }
    }
}

/// How one source's events are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRules {
    /// How long a sale that may be half of another waits; zero turns it off.
    pub settle: Duration,
    /// The same for an event that was older than `settle` when it came, and for a refund without its sale.
    pub settle_late: Duration,
    /// Whether its sales count.
    pub counts_sales: bool,
    /// Which objects make a sale.
    pub count: Count,
    /// Whether a one-off sale is known by the merchant's order id, where the metadata tells it.
    pub order_ids: bool,
}

impl Default for SourceRules {
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(60),
            settle_late: Duration::from_secs(3600),
            counts_sales: true,
            count: Count::Auto,
            order_ids: false,
        }
    }
}

/// How one destination is told.
#[derive(Clone)]
pub struct DestinationRules {
    /// Its number in the store.
    pub id: DestinationId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub destination: Arc<dyn Destination>,
    /// Which modes it gets.
    pub modes: Vec<Mode>,
    /// Which kinds it gets.
    pub kinds: Vec<EventKind>,
    /// When to try.
    pub schedule: RetrySchedule,
    /// How long a delivery may wait for a destination that is not available.
    pub max_age: Duration,
    /// What to do about an ambiguous outcome, if not what the destination itself says.
    pub ambiguous: Option<AmbiguousPolicy>,
    /// Which of those it gets, by what is told of them; none for all.
    pub filter: Option<Arc<Filter>>,
    /// What the configuration says of the consent that it asks for.
    pub consent: Choice,
    /// What a person agrees to of whom nobody said it.
    pub consent_default: Consent,
}

impl DestinationRules {
    /// What to do when it is unknown whether a business event arrived.
    pub fn ambiguous(&self, event: &BusinessEvent) -> AmbiguousPolicy {
        self.ambiguous.unwrap_or_else(|| self.destination.ambiguous(&event.kind))
    }
}

impl Rules {
    /// How a source's events are counted. One whose sales don't count leaves it to those that do what makes a sale and what it is
    /// known by: the books are kept by account, not by source.
    pub fn source(&self, name: &str) -> SourceRules {
        let rules = self.sources.get(name).copied().unwrap_or_default();
        match self.sources.values().find(|other| other.counts_sales) {
            Some(counting) if !rules.counts_sales => {
                SourceRules { count: counting.count, order_ids: counting.order_ids, ..rules }
            }
            _ => rules,
        }
    }

    /// Whether a source's sales count; those of one that is no longer configured do.
    pub fn counts_sales(&self, source: &str) -> bool {
        self.sources.get(source).is_none_or(|rules| rules.counts_sales)
    }

    /// Whether a repeat through a source may count what the first did not.
    pub fn repeats_may_count(&self, source: &str) -> bool {
        self.counts_sales(source) && self.sources.values().any(|rules| !rules.counts_sales)
    }

    /// Whether an address recognises nobody, since several people read it.
    pub fn is_shared(&self, email: &Email) -> bool {
        self.shared_emails.iter().any(|shared| shared.hold(email))
    }

    /// A destination's rules; none when it is no longer configured.
    pub fn destination(&self, id: DestinationId) -> Option<&DestinationRules> {
        self.destinations.iter().find(|rules| rules.id == id)
    }
}
