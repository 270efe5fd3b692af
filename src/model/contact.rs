//! The person behind the events: a fold over what was said of them.

use super::attribution::{Attribution, Consent};
use super::id::{ContactId, Mode};
use super::identity::Identity;
use super::money::{Money, Sums};
use super::statement::Person;
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
    /// Sales and renewals less refunds that did not fail and lost disputes, per currency.
    pub totals: Sums,
    /// Sales, renewals not among them.
    pub purchases: u32,
    /// Renewals.
    pub renewals: u32,
    /// Refunds that did not fail.
    pub refunds: u32,
    /// The earliest sale, by the provider's time.
    pub customer_since: Option<Timestamp>,
    /// The latest sale or renewal.
    pub last_sale: Option<LastSale>,
    /// When the person was first heard of.
    pub created_at: Timestamp,
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
    pub fn new(id: ContactId, mode: Mode, created_at: Timestamp) -> Self {
        Self {
            id,
            mode,
            merged_into: None,
            identities: Vec::new(),
            person: Person::default(),
            person_said_at: PersonTimes::default(),
            pricing_tier: None,
            pricing_tier_said_at: Timestamp::EPOCH,
            payment_method_type: None,
            first_attribution: Attribution::default(),
            last_attribution: Attribution::default(),
            consent: Consent::default(),
            consent_said_at: ConsentTimes::default(),
            totals: Sums::default(),
            purchases: 0,
            renewals: 0,
            refunds: 0,
            customer_since: None,
            last_sale: None,
            created_at,
        }
    }

    /// Where the person stands: `customer` after a sale, else `lead`.
    pub const fn stage(&self) -> &'static str {
        if self.customer_since.is_some() { "customer" } else { "lead" }
    }

    /// The first value of an identity kind.
    pub fn identity(&self, kind: super::identity::IdentityKind) -> Option<&str> {
        self.identities.iter().find(|identity| identity.kind == kind).map(|identity| identity.value.as_str())
    }
}
