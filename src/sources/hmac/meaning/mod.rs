//! What a sender's events mean: which types tell of which business event, and where in the body their parts stand.
//!
//! A meaning is data: a few known senders have one of their own ([`presets`]), the configuration adds to it or says it for any other
//! sender, and [`reading`] makes statements of bodies by it.

use crate::model::booking::BookingStatus;
use crate::model::business_event::EventKind;
use crate::model::money::Currency;
use crate::model::statement::ObjectKind;

use super::check::Fault;
use super::pick::Pick;

pub mod presets;
pub(super) mod reading;

/// Something that is read from an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// When it was said.
    Time,
    /// Whose account at the sender: a shop.
    Account,
    /// The person's e-mail address.
    Email,
    /// The person's phone number.
    Phone,
    /// The person's name, or first name.
    Name,
    /// The person's last name.
    LastName,
    /// The sender's own id of the person.
    Customer,
    /// The browser's lead id.
    Lead,
    /// The order, the appointment, or whatever it is about.
    Id,
    /// The appointment that this one takes the place of.
    Previous,
    /// The order that a payment belongs to, where that has an id of its own.
    Order,
    /// The refund.
    RefundId,
    /// The amount.
    Value,
    /// The amount that went back, where it stands elsewhere.
    RefundValue,
    /// The currency of the amounts.
    Currency,
    /// The tax in the amount.
    Tax,
    /// The subscription that is billed.
    Subscription,
    /// Why a subscription is billed.
    Reason,
    /// When an appointment begins.
    Starts,
    /// When it ends.
    Ends,
    /// What was sold or booked, by id.
    ServiceId,
    /// What was sold or booked, by name.
    ServiceName,
}

impl Field {
    /// Every field that the configuration names, by its key there.
    pub const KEYS: [(&'static str, Self); 18] = [
        ("time", Self::Time),
        ("email", Self::Email),
        ("phone", Self::Phone),
        ("name", Self::Name),
        ("last_name", Self::LastName),
        ("customer", Self::Customer),
        ("lead_id", Self::Lead),
        ("id", Self::Id),
        ("previous_id", Self::Previous),
        ("refund_id", Self::RefundId),
        ("value", Self::Value),
        ("refund_value", Self::RefundValue),
        ("currency", Self::Currency),
        ("subscription", Self::Subscription),
        ("starts_at", Self::Starts),
        ("ends_at", Self::Ends),
        ("service_id", Self::ServiceId),
        ("service_name", Self::ServiceName),
    ];

    /// The field's key in the configuration; of one that only presets read, what it is.
    pub fn key(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Order => "order",
            Self::Tax => "tax",
            Self::Reason => "reason",
            _ => Self::KEYS.iter().find(|(_, field)| *field == self).map_or("events", |(key, _)| key),
        }
    }
}

/// The unit of amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueUnit {
    /// Cents, whole numbers.
    Minor,
    /// Euros, with decimals.
    Major,
}

/// What a type of event tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tells {
    /// An order was paid.
    Sale,
    /// A later period of a subscription was paid.
    Renewal,
    /// Money went back.
    Refund,
    /// One try to pay failed.
    Failed,
    /// Where an appointment stands.
    Booking(BookingStatus),
    /// Somebody became a lead.
    Lead,
    /// Who somebody is.
    Contact,
    /// Somebody is not to be written to any more.
    Unsubscribed,
    /// Something of the owner's own.
    Own(EventKind),
    /// Who it is about, and why nothing is counted.
    Nothing(ObjectKind, &'static str),
    /// Nothing at all.
    Ignore,
}

/// The words of rules that are no business events.
pub const OTHER_WORDS: [&str; 2] = ["ignore", "unsubscribed"];

/// The business events that a rule can tell of; besides them it can name one of the owner's own.
pub const TOLD: [&str; 11] = [
    "purchase",
    "renewal",
    "refund",
    "payment_failed",
    "lead",
    "contact_changed",
    "booking_made",
    "booking_changed",
    "booking_cancelled",
    "booking_attended",
    "booking_missed",
];

impl Tells {
    /// What a rule's word means; none for a business event that no rule can tell of.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "ignore" => Self::Ignore,
            "unsubscribed" => Self::Unsubscribed,
            "purchase" => Self::Sale,
            "renewal" => Self::Renewal,
            "refund" => Self::Refund,
            "payment_failed" => Self::Failed,
            "lead" => Self::Lead,
            "contact_changed" => Self::Contact,
            "booking_made" | "booking_changed" => Self::Booking(BookingStatus::Booked),
            "booking_cancelled" => Self::Booking(BookingStatus::Cancelled),
            "booking_attended" => Self::Booking(BookingStatus::Attended),
            "booking_missed" => Self::Booking(BookingStatus::Missed),
            known if EventKind::named().any(|name| name == known) => return None,
            own => Self::Own(EventKind::Custom(own.to_owned())),
        })
    }

    /// Whether it moves money.
    pub const fn is_money(&self) -> bool {
        matches!(self, Self::Sale | Self::Renewal | Self::Refund)
    }
}

/// A condition on the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    /// Where the value stands, as a [`Pick`].
    pub place: String,
    /// Which values meet it, without regard to case; empty for any at all.
    pub is: Vec<String>,
}

/// Which events tell what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The sender's type; with `*` at its end every type that begins so.
    pub event: String,
    /// What the body must say as well.
    pub when: Vec<When>,
    /// What it tells.
    pub tells: Tells,
}

impl Rule {
    /// A rule on the type alone.
    pub fn new(event: impl Into<String>, tells: Tells) -> Self {
        Self { event: event.into(), when: Vec::new(), tells }
    }

    /// Whether it is about events of a type.
    pub fn fits(&self, event_type: &str) -> bool {
        match self.event.strip_suffix('*') {
            Some(start) => event_type.starts_with(start),
            None => self.event == event_type,
        }
    }
}

/// Where the refund of an event stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Refunds {
    /// At the places of its fields.
    #[default]
    Placed,
    /// In the list `transactions` (Shopify: refund), whose successful refunds are added up.
    Transactions,
    /// In the list `refunds` (WooCommerce: order), of which the last made, with the largest id, is told.
    Last,
}

/// Where the lines of an order stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    /// The list, as a JSON pointer; the others point into each line.
    pub list: &'static str,
    /// The product.
    pub id: &'static str,
    /// What it is called.
    pub name: &'static str,
    /// The price of one, in the unit of the amounts.
    pub price: &'static str,
}

/// Events that are read in one way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Which they are: the first rule that fits counts.
    pub rules: Vec<Rule>,
    /// Where each field stands, as a [`Pick`].
    pub places: Vec<(Field, String)>,
    /// The unit of amounts.
    pub unit: Option<ValueUnit>,
    /// The currency where the event names none.
    pub fixed_currency: Option<Currency>,
    /// Where lead id, campaign and consent stand under the usual names: JSON pointers of objects, or with `{}` for the name.
    pub tags: Vec<String>,
    /// Fields that hold an address of which the last part counts: `https://api.example/orders/5`.
    pub tails: &'static [Field],
    /// Whether each try to pay has an id of its own, so that all events of one id tell of one try.
    pub tries_have_ids: bool,
    /// What is put before the order's id, where the sender numbers different things alike.
    pub id_prefix: &'static str,
    /// Where a refund stands.
    pub refunds: Refunds,
    /// Where lines stand.
    pub lines: Option<Lines>,
}

/// What the events of a source mean; nothing unless there is a reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// Readings in the order in which their rules are tried.
    pub readings: Vec<Reading>,
}

impl Meaning {
    /// This meaning with the configuration's: its rules are tried first, and each place that it gives counts in all readings.
    #[must_use]
    pub fn with_own(mut self, own: Reading) -> Self {
        let base = self.readings.first().cloned().unwrap_or_default();
        self.readings.insert(0, Reading { rules: own.rules.clone(), ..base });
        for reading in &mut self.readings {
            for (field, place) in &own.places {
                reading.places.retain(|(known, _)| known != field);
                reading.places.push((*field, place.clone()));
            }
            reading.unit = own.unit.or(reading.unit);
            reading.fixed_currency = own.fixed_currency.or(reading.fixed_currency);
            if !own.tags.is_empty() {
                reading.tags.clone_from(&own.tags);
            }
        }
        self
    }

    /// Whether some event tells of money, so that the owner must say whether it counts.
    pub fn sells(&self) -> bool {
        let rules = self.readings.iter().flat_map(|reading| &reading.rules);
        // What stands behind a rule for everything is never reached.
        let catches_all = |rule: &&Rule| rule.event == "*" && rule.when.is_empty();
        let mut reached = Vec::new();
        for rule in rules {
            reached.push(rule);
            if catches_all(&rule) {
                break;
            }
        }
        reached.iter().any(|rule| rule.tells.is_money())
    }

    /// What is wrong with it; nothing when it is in order.
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults: Vec<Fault> = Vec::new();
        for reading in &self.readings {
            for fault in reading.faults() {
                if !faults.contains(&fault) {
                    faults.push(fault);
                }
            }
        }
        faults
    }
}

impl Reading {
    /// Where a field stands.
    pub fn place(&self, field: Field) -> Option<&str> {
        self.places.iter().find(|(known, _)| *known == field).map(|(_, place)| place.as_str())
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut wrong = |key, message: String, fix: &str| faults.push(Fault { key, message, fix: fix.to_owned() });
        for (field, place) in &self.places {
            if let Err(error) = Pick::parse(place) {
                wrong(field.key(), error.to_string(), "for example \"/data/customer/email\"");
            }
        }
        if self.tags.iter().any(|place| !place.starts_with('/') && !place.is_empty()) {
            let message = "must be JSON pointers like \"/metadata\", or \"\" for the body itself";
            wrong("tags_in", message.to_owned(), "begin each with /");
        }
        let has = |field| self.place(field).is_some();
        let someone = [Field::Email, Field::Phone, Field::Customer, Field::Lead];
        let needs_id = |tells: &Tells| tells.is_money() || matches!(tells, Tells::Failed | Tells::Booking(_));
        for rule in &self.rules {
            let tells = &rule.tells;
            if needs_id(tells) && !has(Field::Id) {
                let message =
                    format!("is missing: {:?} needs to know of which order or appointment it tells", rule.event);
                wrong("id", message, "add for example id = \"/data/id\"");
            }
            if tells.is_money() && self.refunds == Refunds::Placed {
                let has_amount = has(Field::Value) || (*tells == Tells::Refund && has(Field::RefundValue));
                if !has_amount {
                    let message = format!("is missing: {:?} tells of money", rule.event);
                    wrong("value", message, "add for example value = \"/data/amount\"");
                }
                if self.unit.is_none() {
                    wrong("value_unit", "is missing".to_owned(), "write \"minor\" for cents, \"major\" for 49.90");
                }
                if !has(Field::Currency) && self.fixed_currency.is_none() {
                    let fix = "add for example currency = \"/data/currency\", or fixed_currency = \"eur\"";
                    wrong("currency", format!("is missing: {:?} tells of money", rule.event), fix);
                }
            }
            if matches!(tells, Tells::Lead | Tells::Contact | Tells::Unsubscribed) && !someone.into_iter().any(has) {
                let message = format!("is missing: {:?} is about a person", rule.event);
                wrong("email", message, "add email, phone, customer or lead_id");
            }
        }
        if has(Field::Value) && self.unit.is_none() && !self.rules.iter().any(|rule| rule.tells.is_money()) {
            wrong("value_unit", "is missing".to_owned(), "write \"minor\" for cents, \"major\" for 49.90");
        }
        faults
    }
}

#[cfg(test)]
mod tests;
