//! The person behind the events: a fold over what was said of them.

use super::attribution::{Attribution, Consent, ConsentSources};
use super::id::{ContactId, Mode};
use super::identity::Identity;
use super::money::{Currency, Money, Sums};
use super::statement::Person;
use super::subscription::SubscriptionStatus;
use super::time::Timestamp;

/// A person, inside one mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Opaque number.
    pub id: ContactId,
    /// Live or test people.
    pub mode: Mode,
    /// The contact that this one turned out to be; everything else here is then empty.
    pub merged_into: Option<ContactId>,
    /// Everything that recognises the person, in order.
    pub identities: Vec<Identity>,
    /// Lead ids and phones that the person claims and others claim too, in order: they recognise nobody.
    pub shared: Vec<Identity>,
    /// Name, address and phone as said last.
    pub person: Person,
    /// When each of them was said, by the provider's time: an older statement never overwrites a newer.
    pub person_said_at: PersonTimes,
    /// The pricing tier as said last.
    pub pricing_tier: Option<String>,
    /// When the tier was said.
    pub pricing_tier_said_at: Timestamp,
    /// How the person paid last.
    pub payment_method_type: Option<String>,
    /// The first touch.
    pub first_attribution: Attribution,
    /// The last touch.
    pub last_attribution: Attribution,
    /// What the person agreed to.
    pub consent: Consent,
    /// When each answer was given.
    pub consent_said_at: ConsentTimes,
    /// How each answer came to us.
    pub consent_said_by: ConsentSources,
    /// The last answer of the other kind of source, where both have spoken: a browser's where a sender's holds, and the other way
    /// round. Kept, so that the order in which answers come does not matter.
    pub consent_overruled: Consent,
    /// When each of those was given.
    pub consent_overruled_at: ConsentTimes,
    /// Whether a lead alone made it: nobody authenticated has named the person yet, so that it joins nobody.
    pub unverified: bool,
    /// Whether its touches are lent by a lead that only has the same e-mail address. Anything better takes their place.
    pub lent_touches: bool,
    /// Whether the person was erased: what is left is money without a name, and nobody is told of it.
    pub erased: bool,
    /// Sales and renewals less refunds that did not fail and lost disputes, per currency.
    pub totals: Sums,
    /// Sales, renewals not among them.
    pub purchases: u32,
    /// Renewals.
    pub renewals: u32,
    /// Refunds that did not fail.
    pub refunds: u32,
    /// Disputes that were lost and not reversed.
    pub disputes_lost: u32,
    /// The earliest sale, by the provider's time. See also [`Contact::became_customer_at`].
    pub customer_since: Option<Timestamp>,
    /// The currency of that sale; of several at once the first by its code.
    pub first_currency: Option<Currency>,
    /// The latest sale or renewal.
    pub last_sale: Option<LastSale>,
    /// What the person is subscribed to.
    pub subscriptions: Subscriptions,
    /// The provider's time of the earliest event that told of the person; none while only purchases are lent to it.
    pub lead_since: Option<Timestamp>,
}

/// All subscriptions of a person together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscriptions {
    /// How many have begun and not ended.
    pub running: u32,
    /// How many have ended.
    pub ended: u32,
    /// When the first began, by the provider's time.
    pub first_started_at: Option<Timestamp>,
    /// When the last that ended did.
    pub last_ended_at: Option<Timestamp>,
    /// The one that stands for all: of those that run, else of the others, the one last heard of.
    pub newest: Option<SubscriptionStanding>,
}

/// Where one subscription stands. Of several, the largest stands for the person: one that runs, then the one of which was heard
/// last by the provider's time, then the larger id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SubscriptionStanding {
    /// Whether it has begun and not ended.
    pub running: bool,
    /// The provider's time of the newest statement about it.
    pub said_at: Timestamp,
    /// Its id.
    pub id: String,
    /// Its status.
    pub status: SubscriptionStatus,
    /// What is subscribed to.
    pub plan: Option<String>,
}

/// Where a person stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Never bought or subscribed to anything.
    Lead,
    /// Bought or subscribed.
    Customer,
    /// A subscription ended, none runs, and nothing was bought since.
    Churned,
}

impl Stage {
    /// The name in JSON and at destinations.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Customer => "customer",
            Self::Churned => "churned",
        }
    }
}

/// When each part of [`Person`] was said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PersonTimes {
    /// The address.
    pub email: Timestamp,
    /// The phone.
    pub phone: Timestamp,
    /// The name.
    pub name: Timestamp,
}

/// When each answer of [`Consent`] was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsentTimes {
    /// On being measured.
    pub analytics: Timestamp,
    /// On advertising.
    pub ads: Timestamp,
    /// On marketing by e-mail.
    pub email: Timestamp,
}

/// The latest sale of a contact: by the provider's time, then by id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LastSale {
    /// When.
    pub at: Timestamp,
    /// Under which id.
    pub transaction_id: String,
    /// How much.
    pub amount: SaleAmount,
}

/// An amount that can be ordered, so that the latest of two simultaneous sales is the same one in any order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaleAmount(pub Money);

impl PartialOrd for SaleAmount {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SaleAmount {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0.minor, self.0.currency).cmp(&(other.0.minor, other.0.currency))
    }
}

impl Contact {
    /// Somebody new.
    pub fn new(id: ContactId, mode: Mode) -> Self {
        Self {
            id,
            mode,
            merged_into: None,
            identities: Vec::new(),
            shared: Vec::new(),
            person: Person::default(),
            person_said_at: PersonTimes::default(),
            pricing_tier: None,
            pricing_tier_said_at: Timestamp::EPOCH,
            payment_method_type: None,
            first_attribution: Attribution::default(),
            last_attribution: Attribution::default(),
            consent: Consent::default(),
            consent_said_at: ConsentTimes::default(),
            consent_said_by: ConsentSources::default(),
            consent_overruled: Consent::default(),
            consent_overruled_at: ConsentTimes::default(),
            unverified: false,
            lent_touches: false,
            erased: false,
            totals: Sums::default(),
            purchases: 0,
            renewals: 0,
            refunds: 0,
            disputes_lost: 0,
            customer_since: None,
            first_currency: None,
            last_sale: None,
            subscriptions: Subscriptions::default(),
            lead_since: None,
        }
    }

    /// Where the person stands.
    pub fn stage(&self) -> Stage {
        if self.churned_at().is_some() {
            Stage::Churned
        } else if self.became_customer_at().is_some() {
            Stage::Customer
        } else {
            Stage::Lead
        }
    }

    /// When the person became a customer: by the first sale, or by the first subscription that began, be it on trial.
    pub fn became_customer_at(&self) -> Option<Timestamp> {
        [self.customer_since, self.subscriptions.first_started_at].into_iter().flatten().min()
    }

    /// When the person left: the end of the last subscription, unless another one runs or a sale came after it.
    pub fn churned_at(&self) -> Option<Timestamp> {
        let end = self.subscriptions.last_ended_at?;
        let bought_since = self.last_sale.as_ref().is_some_and(|sale| sale.at > end);
        (self.subscriptions.running == 0 && !bought_since).then_some(end)
    }

    /// Takes in a sale that may be the earliest.
    pub fn may_have_begun(&mut self, at: Timestamp, currency: Option<Currency>) {
        let sooner = match (self.customer_since, self.first_currency) {
            (Some(since), known) if since == at => known.is_none_or(|known| currency.is_some_and(|new| new < known)),
            (Some(since), _) => at < since,
            (None, _) => true,
        };
        if sooner {
            (self.customer_since, self.first_currency) = (Some(at), currency);
        }
    }

    /// The first value of an identity kind.
    pub fn identity(&self, kind: super::identity::IdentityKind) -> Option<&str> {
        self.identities.iter().find(|identity| identity.kind == kind).map(|identity| identity.value.as_str())
    }
}
