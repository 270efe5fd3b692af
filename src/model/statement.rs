//! What a webhook says, in terms that no longer depend on who sent it.
//!
//! `sources` turns bodies into statements; `ledger` works out what they mean for the books. Statements about one object
//! may come in any order and any number of times; everything here is shaped so that folding them gives the same state.

use super::attribution::{Attribution, Consent};
use super::booking::{BookingState, BookingStep};
use super::business_event::EventKind;
use super::id::{Mode, Scope};
use super::identity::{Email, IdentityKind, Phone};
use super::money::{Currency, Money};
use super::subscription::{SubscriptionState, SubscriptionStep};
use super::time::Timestamp;

/// The kinds of objects that are told of. Those that carry money stand in the order in which their details are believed: what is
/// nearest to the buyer first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A Checkout session, `cs_…`.
    Session,
    /// An order of a shop.
    Order,
    /// An invoice, `in_…`.
    Invoice,
    /// A payment intent, `pi_…`.
    Intent,
    /// A charge, `ch_…` or `py_…`.
    Charge,
    /// A refund, `re_…` or `pyr_…`.
    Refund,
    /// A dispute, `du_…` or `dp_…`.
    Dispute,
    /// A subscription, `sub_…`. Spans purchases: it never links them.
    Subscription,
    /// A customer, `cus_…`, or a contact of a CRM. Spans purchases too.
    Customer,
    /// An appointment.
    Booking,
    /// Anything else that something happens to: an opportunity, a form that was sent in.
    Other,
    /// A visitor who left an address or phone number in a form, by the lead id. No provider's object.
    Lead,
}

/// One object of a provider. Compared only inside one [`Scope`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectRef {
    /// What it is.
    pub kind: ObjectKind,
    /// The provider's id, `pi_3Q…`.
    pub id: String,
}

impl ObjectRef {
    /// Names an object.
    pub fn new(kind: ObjectKind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }
}

/// How a note begins that explains why there is rightly no money in an event, and tells of nothing odd.
pub const NOTHING_TO_COUNT: &str = "nothing to count: ";

/// Everything one webhook says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreted {
    /// The provider's id of the event, `evt_…`; a repeat of it does nothing.
    pub provider_id: String,
    /// The provider's name of the event, `checkout.session.completed`.
    pub event_type: String,
    /// When the provider says it happened.
    pub created: Option<Timestamp>,
    /// Whose objects are meant.
    pub scope: Scope,
    /// What it says.
    pub meaning: Meaning,
    /// Oddities a person should see (`amount absent`), and explanations that begin with [`NOTHING_TO_COUNT`]: short sentences without
    /// personal data.
    pub notes: Vec<String>,
}

impl Interpreted {
    /// Live or test.
    pub fn mode(&self) -> Mode {
        self.scope.mode
    }
}

/// What a webhook means to Tallyhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Stored and otherwise left alone.
    Ignored,
    /// Genuine, but more than our own code can digest: stored, shown, and taken up again by a later version.
    Undigested,
    /// It says something about an object.
    Statement(Box<Statement>),
}

/// What one webhook says about one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// About what.
    pub object: ObjectRef,
    /// The provider's own time of the event. Orders statements about one object; ties go to the larger event id.
    pub said_at: Timestamp,
    /// Other objects that are the same money.
    pub links: Vec<ObjectRef>,
    /// The provider's customer.
    pub customer: Option<String>,
    /// The subscription that is billed.
    pub subscription: Option<String>,
    /// What is claimed.
    pub claim: Claim,
    /// What was bought.
    pub details: Details,
    /// Who.
    pub person: Person,
    /// What the merchant attached to it.
    pub tags: Tags,
}

/// What a statement claims about its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing but links, person and tags: an unpaid session, `invoice_payment.paid`.
    Nothing,
    /// It was paid for.
    Paid(Paid),
    /// One try to pay failed.
    AttemptFailed(FailedAttempt),
    /// Money went back, or was to go back.
    Refund(RefundStep),
    /// A buyer's bank took a payment up.
    Dispute(DisputeStep),
    /// A subscription began, changed or ended.
    Subscription(SubscriptionStep),
    /// An appointment was made, moved, called off, kept or missed.
    Booking(BookingStep),
    /// Things happened to it that happen once: somebody became a lead, an opportunity was won.
    Happened(Vec<Happening>),
}

/// Something that happens to an object once, and moves no money. Told again, the earliest time counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// What happened: `lead`, or a name of the configuration's.
    pub kind: EventKind,
    /// By the provider's time.
    pub at: Timestamp,
    /// What it is worth, where the provider says so.
    pub value: Option<Money>,
}

/// A successful payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// How much; zero is a start without payment (trial, 100 % coupon).
    pub amount: Money,
    /// The provider's time of the success. The earliest statement of it counts.
    pub at: Timestamp,
    /// Why an invoice was written; none for anything but invoices.
    pub billing: Option<Billing>,
}

/// Why an invoice was written (Stripe: invoice `billing_reason`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Billing {
    /// The first of a subscription (`subscription_create`).
    SubscriptionStart,
    /// A later period (`subscription_cycle`, or a threshold reached).
    SubscriptionCycle,
    /// A change in the middle of a period (`subscription_update`).
    SubscriptionUpdate,
    /// Of a subscription, without a reason that says more (`subscription`, before 2018).
    SubscriptionOther,
    /// By hand, for a quote, for pending items, or for a Checkout with `invoice_creation`.
    Manual,
}

impl Billing {
    /// Whether the invoice bills a subscription, and so says by itself what was sold.
    pub const fn is_subscription(self) -> bool {
        !matches!(self, Self::Manual)
    }
}

/// One failed try to pay. Different tries are different facts; the same try told twice is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedAttempt {
    /// What tells this try from others of the same object: the charge, or the attempt's number.
    pub attempt: String,
    /// How much was to be paid.
    pub amount: Option<Money>,
    /// The provider's code (`card_declined`), never its free text.
    pub code: Option<String>,
    /// The provider's time.
    pub at: Timestamp,
}

/// A step in the life of one refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundStep {
    /// This refund alone, never the charge's running total.
    pub amount: Money,
    /// Where it stands.
    pub status: RefundStatus,
}

/// Where a refund stands (Stripe: refund `status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundStatus {
    /// `pending` or `succeeded`: it counts.
    Counted,
    /// `failed`: the money came back, whatever was said before.
    Failed,
    /// `canceled`: came back if it had counted.
    Cancelled,
    /// `requires_action` and anything unknown: not yet.
    NotYet,
}

/// A step in the life of one dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisputeStep {
    /// What is disputed; it can differ from the charge.
    pub amount: Money,
    /// Where it stands.
    pub status: DisputeStatus,
}

/// Where a dispute stands (Stripe: dispute `status`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeStatus {
    /// An inquiry, or not decided: the books don't count it.
    Open,
    /// `lost`: the buyer keeps the money.
    Lost,
    /// `won`, or the money was given back to the seller after all (`charge.dispute.funds_reinstated`).
    Restored,
}

/// What was bought, as far as one object tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Tax in minor units of the paid currency.
    pub tax: Option<i64>,
    /// Shipping in minor units.
    pub shipping: Option<i64>,
    /// Discount in minor units.
    pub discount: Option<i64>,
    /// Coupon or promotion code.
    pub coupon: Option<String>,
    /// Lines, if the event carried them.
    pub items: Vec<Item>,
    /// `card`, `sepa_debit`, …
    pub payment_method_type: Option<String>,
}

impl Details {
    /// Fills what is missing here from `other`.
    pub fn fill_from(&mut self, other: &Self) {
        self.tax = self.tax.or(other.tax);
        self.shipping = self.shipping.or(other.shipping);
        self.discount = self.discount.or(other.discount);
        if self.coupon.is_none() {
            self.coupon.clone_from(&other.coupon);
        }
        if self.items.is_empty() {
            self.items.clone_from(&other.items);
        }
        if self.payment_method_type.is_none() {
            self.payment_method_type.clone_from(&other.payment_method_type);
        }
    }
}

/// One line of what was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Product or price id.
    pub id: Option<String>,
    /// What it is called.
    pub name: Option<String>,
    /// How many; at least one.
    pub quantity: u32,
    /// Price of one in minor units, after discount.
    pub unit_minor: Option<i64>,
}

/// The person that an object names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person {
    /// Normalised address.
    pub email: Option<Email>,
    /// E.164.
    pub phone: Option<Phone>,
    /// As given.
    pub name: Option<String>,
}

impl Person {
    /// Fills what is missing here from `other`.
    pub fn fill_from(&mut self, other: &Self) {
        if self.email.is_none() {
            self.email.clone_from(&other.email);
        }
        if self.phone.is_none() {
            self.phone.clone_from(&other.phone);
        }
        if self.name.is_none() {
            self.name.clone_from(&other.name);
        }
    }
}

/// The recognised keys of a provider's metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    /// The browser's lead id (`lead_id`, `client_reference_id`).
    pub lead_id: Option<String>,
    /// The owner's user id.
    pub user_id: Option<String>,
    /// The owner's pricing tier.
    pub pricing_tier: Option<String>,
    /// The owner's order id.
    pub order_id: Option<String>,
    /// What was sold, if the merchant says so here.
    pub service_id: Option<String>,
    /// Its name.
    pub service_name: Option<String>,
    /// Client id, session id, UTM, click ids.
    pub attribution: Attribution,
    /// What the person agreed to.
    pub consent: Consent,
}

impl Tags {
    /// Fills what is missing here from `other`.
    pub fn fill_from(&mut self, other: &Self) {
        fn fill(mine: &mut Option<String>, theirs: &Option<String>) {
            if mine.is_none() {
                mine.clone_from(theirs);
            }
        }
        fill(&mut self.lead_id, &other.lead_id);
        fill(&mut self.user_id, &other.user_id);
        fill(&mut self.pricing_tier, &other.pricing_tier);
        fill(&mut self.order_id, &other.order_id);
        fill(&mut self.service_id, &other.service_id);
        fill(&mut self.service_name, &other.service_name);
        self.attribution.fill_from(&other.attribution);
        self.consent = other.consent.overlaid_with(self.consent);
    }
}

/// An object as all statements about it together describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectState {
    /// Which object.
    pub object: ObjectRef,
    /// The provider's time of the newest statement.
    pub said_at: Timestamp,
    /// The event id of the newest statement: breaks ties of time.
    pub said_by: String,
    /// The provider's time of the earliest statement; that of the newest, while nothing was said.
    pub heard_at: Timestamp,
    /// Objects that some statement named as the same money.
    pub links: Vec<ObjectRef>,
    /// The provider's customer.
    pub customer: Option<String>,
    /// The subscription that is billed.
    pub subscription: Option<String>,
    /// The earliest success.
    pub paid: Option<Paid>,
    /// Every failed try, by time, then by name.
    pub failed_attempts: Vec<FailedAttempt>,
    /// What is known of it as a refund.
    pub refund: Option<RefundState>,
    /// What is known of it as a dispute.
    pub dispute: Option<DisputeState>,
    /// What is known of it as a subscription.
    pub life: Option<SubscriptionState>,
    /// What is known of it as an appointment.
    pub booking: Option<BookingState>,
    /// What happened to it once, by kind; of each the earliest.
    pub happened: Vec<Happening>,
    /// What was bought, as the newest statement says.
    pub details: Details,
    /// Who, as the newest statement says.
    pub person: Person,
    /// What the merchant attached, as the newest statement says.
    pub tags: Tags,
    /// Lead ids and phones of the buyer that other statements named, in order.
    pub also_named: Vec<(IdentityKind, String)>,
}

/// A refund as all statements about it together describe it. The flags only ever go from false to true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefundState {
    /// This refund alone.
    pub amount: Money,
    /// The provider's time of the earliest statement.
    pub at: Timestamp,
    /// It was seen pending or succeeded.
    pub counted: bool,
    /// It was seen failed.
    pub failed: bool,
    /// It was seen cancelled.
    pub cancelled: bool,
}

impl RefundState {
    /// Whether the books hold it as a refund. One that failed was one before, whichever event came first.
    pub const fn is_refund(&self) -> bool {
        self.counted || self.failed
    }

    /// Whether the books hold that its money came back.
    pub const fn came_back(&self) -> bool {
        self.failed || (self.cancelled && self.counted)
    }
}

/// A dispute as all statements about it together describe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisputeState {
    /// What is disputed.
    pub amount: Money,
    /// The provider's time of the earliest statement that it was lost.
    pub lost_at: Option<Timestamp>,
    /// The provider's time of the newest statement that the seller has the money.
    pub restored_at: Option<Timestamp>,
}

impl DisputeState {
    /// When the books hold that a loss was reversed: the money came back after the dispute had been lost.
    pub fn reversed_at(&self) -> Option<Timestamp> {
        self.restored_at.filter(|restored| self.lost_at.is_some_and(|lost| *restored >= lost))
    }
}

/// Money and currency of a sale, or that there is none.
pub fn currency_of(states: &[ObjectState]) -> Option<Currency> {
    states.iter().find_map(|state| state.paid.as_ref().map(|paid| paid.amount.currency))
}
