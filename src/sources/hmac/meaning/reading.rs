//! Statements made of bodies by a source's meaning. What is missing or odd becomes a note, never an error and never zero.

use serde_json::Value;

use super::{Field, Lines, Meaning, Reading, Refunds, Rule, Tells, ValueUnit};
use crate::model::booking::{BookingStatus, BookingStep};
use crate::model::business_event::EventKind;
use crate::model::envelope::Envelope;
use crate::model::identity::{Email, Phone};
use crate::model::money::{Currency, Money};
use crate::model::phone::Country;
use crate::model::statement::{
    Billing, Claim, Details, FailedAttempt, Happening, Interpreted, Item, NOTHING_TO_COUNT, ObjectKind, ObjectRef,
    Paid, Person, RefundStatus, RefundStep, Statement, Tags,
};
use crate::model::time::{self, Timestamp};
use crate::sources::Message;
use crate::sources::hmac::pick::{Pick, at};
use crate::sources::tags;

/// The longest name or campaign that is taken, in characters.
const LONGEST_TEXT: usize = 500;
/// The longest id, in characters.
const LONGEST_ID: usize = 255;
/// Lines that are kept.
const MAX_LINES: usize = 100;
/// Transactions of a refund and refunds of an order that are looked at.
const MAX_PARTS: usize = 1000;

/// A meaning taken up for reading.
pub(in crate::sources::hmac) struct Meanings(Vec<Ready>);

/// A reading with its places parsed.
struct Ready {
    reading: Reading,
    places: Vec<(Field, Pick)>,
    rules: Vec<(Rule, Vec<Pick>)>,
}

impl Meanings {
    /// From settings; what is no place is not read.
    pub fn new(meaning: &Meaning) -> Self {
        let ready = |reading: &Reading| Ready {
            reading: reading.clone(),
            places: reading.places.iter().filter_map(|(field, text)| Some((*field, Pick::parse(text).ok()?))).collect(),
            rules: reading.rules.iter().filter_map(parsed).collect(),
        };
        Self(meaning.readings.iter().map(ready).collect())
    }

    /// The header fields that are read.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|ready| {
            let conditions = ready.rules.iter().flat_map(|(_, conditions)| conditions);
            ready.places.iter().map(|(_, pick)| pick).chain(conditions).flat_map(Pick::headers)
        })
    }

    /// Says what an event means: adds its statement, its time, whose it is and what is odd about it. None where it means nothing.
    /// Phone numbers without a country code are of `country`.
    pub fn read(
        &self,
        message: &Message<'_>,
        body: &Value,
        country: Option<Country>,
        interpreted: &mut Interpreted,
    ) -> Option<Statement> {
        let (ready, tells) = self.0.iter().find_map(|ready| {
            let fits = |(rule, conditions): &&(Rule, Vec<Pick>)| {
                rule.fits(&interpreted.event_type) && rule.holds(conditions, message.envelope, body)
            };
            ready.rules.iter().find(fits).map(|(rule, _)| (ready, &rule.tells))
        })?;
        if *tells == Tells::Ignore {
            return None;
        }
        let mut event = Event {
            ready,
            envelope: message.envelope,
            body,
            country,
            notes: &mut interpreted.notes,
            said_at: message.received_at,
        };
        let said_at = event.moment(Field::Time);
        event.said_at = said_at.unwrap_or(message.received_at);
        let account = event.text(Field::Account).and_then(|account| plain_account(&account));
        let statement = event.statement(tells, &interpreted.provider_id);
        interpreted.created = said_at;
        if account.is_some() {
            interpreted.scope.account = account;
        }
        statement
    }
}

fn parsed(rule: &Rule) -> Option<(Rule, Vec<Pick>)> {
    let conditions = rule.when.iter().map(|when| Pick::parse(&when.place).ok()).collect::<Option<Vec<_>>>()?;
    Some((rule.clone(), conditions))
}

impl Rule {
    fn holds(&self, conditions: &[Pick], envelope: &Envelope, body: &Value) -> bool {
        self.when.iter().zip(conditions).all(|(when, pick)| {
            let told = pick.read(envelope, body);
            told.is_some_and(|told| when.is.is_empty() || when.is.iter().any(|word| told.eq_ignore_ascii_case(word)))
        })
    }
}

/// `https://shop.example/de/` as it stands in keys: without scheme and slashes.
fn plain_account(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(&text);
    let account = text.trim_matches('/').replace('/', ":");
    usable_id(&account).then_some(account)
}

fn usable_id(id: &str) -> bool {
    !id.is_empty() && id.chars().count() <= LONGEST_ID && !id.chars().any(char::is_control)
}

/// A moment: RFC 3339, seconds or milliseconds since 1970, or a date and time of day that is taken for UTC.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse() {
        return Some(moment);
    }
    match text.parse::<i64>() {
        Ok(number) if (100_000_000..100_000_000_000).contains(&number) => Some(Timestamp::from_unix_seconds(number)),
        Ok(number) if (100_000_000_000..100_000_000_000_000).contains(&number) => Some(Timestamp::from_millis(number)),
        Ok(_) => None,
        // Mailgun: seconds with a fraction.
        Err(_) => match text.split_once('.').and_then(|(whole, part)| Some((whole.parse::<i64>().ok()?, part))) {
            Some((seconds, part)) if part.bytes().all(|byte| byte.is_ascii_digit()) => {
                (100_000_000..100_000_000_000).contains(&seconds).then(|| Timestamp::from_unix_seconds(seconds))
            }
            _ => time::parse_utc(text),
        },
    }
}

/// One event while it is read.
struct Event<'e> {
    ready: &'e Ready,
    envelope: &'e Envelope,
    body: &'e Value,
    country: Option<Country>,
    notes: &'e mut Vec<String>,
    said_at: Timestamp,
}

impl Event<'_> {
    fn statement(&mut self, tells: &Tells, provider_id: &str) -> Option<Statement> {
        let own = |kind: &str, id: Option<String>| {
            ObjectRef::new(ObjectKind::Other, format!("{kind}/{}", id.unwrap_or_else(|| provider_id.to_owned())))
        };
        let mut statement = match tells {
            Tells::Ignore => return None,
            Tells::Sale | Tells::Renewal => self.sale(*tells == Tells::Renewal)?,
            Tells::Refund => return self.refund(),
            Tells::Failed => self.failed(provider_id)?,
            Tells::Booking(status) => self.booking(*status)?,
            Tells::Nothing(kind, why) => {
                self.nothing_to_count(why);
                let id = self.needed_id()?;
                match kind {
                    // Whose money it is is known by its order.
                    ObjectKind::Refund => return None,
                    ObjectKind::Booking => self.about(ObjectRef::new(*kind, id)),
                    _ => self.about(ObjectRef::new(*kind, format!("{}{id}", self.ready.reading.id_prefix))),
                }
            }
            Tells::Lead => self.happening(own("lead", self.id(Field::Id)), EventKind::Lead),
            Tells::Own(kind) => self.happening(own("event", self.id(Field::Id)), kind.clone()),
            Tells::Contact | Tells::Unsubscribed => {
                let object = match self.id(Field::Customer) {
                    Some(id) => ObjectRef::new(ObjectKind::Customer, format!("contact/{id}")),
                    None => own("contact", None),
                };
                self.about(object)
            }
        };
        statement.person = self.person();
        statement.tags = self.tags();
        if *tells == Tells::Unsubscribed {
            statement.tags.consent.email = Some(false);
        }
        let someone = statement.person.email.is_some()
            || statement.person.phone.is_some()
            || statement.customer.is_some()
            || statement.tags.lead_id.is_some();
        if matches!(tells, Tells::Contact | Tells::Unsubscribed | Tells::Lead) && !someone {
            self.note("nobody is named: no e-mail address, phone, customer or lead id can be read");
        }
        Some(statement)
    }

    /// A statement that claims nothing yet.
    fn about(&self, object: ObjectRef) -> Statement {
        Statement {
            object,
            said_at: self.said_at,
            links: Vec::new(),
            // Shops write 0 for a guest.
            customer: self.id(Field::Customer).filter(|id| id != "0"),
            subscription: None,
            claim: Claim::Nothing,
            details: Details::default(),
            person: Person::default(),
            tags: Tags::default(),
        }
    }

    fn sale(&mut self, renewal: bool) -> Option<Statement> {
        let id = format!("{}{}", self.ready.reading.id_prefix, self.needed_id()?);
        let subscription = self.id(Field::Subscription);
        let is_billed = renewal || subscription.is_some();
        let kind = if is_billed { ObjectKind::Invoice } else { ObjectKind::Order };
        let mut statement = self.about(ObjectRef::new(kind, id));
        statement.subscription = subscription;
        self.link_order(&mut statement);
        let billing = is_billed.then(|| match self.text(Field::Reason).as_deref() {
            Some("subscription_recurring" | "renewal") => Billing::SubscriptionCycle,
            Some("subscription_update" | "subscription_charge" | "updated") => Billing::SubscriptionUpdate,
            Some("web" | "api" | "initial") => Billing::SubscriptionStart,
            _ if renewal => Billing::SubscriptionCycle,
            _ => Billing::SubscriptionOther,
        });
        let amount = self.money(Field::Value);
        match amount {
            None => {}
            Some(amount) if amount.minor == 0 => self.nothing_to_count("nothing had to be paid"),
            Some(amount) if amount.minor < 0 => self.note("the amount is negative: no money is read from this event"),
            Some(amount) => {
                statement.details = self.details(amount.currency);
                statement.claim = Claim::Paid(Paid { amount, at: self.said_at, billing });
            }
        }
        Some(statement)
    }

    /// One try to pay, which failed.
    fn failed(&mut self, provider_id: &str) -> Option<Statement> {
        let id = format!("{}{}", self.ready.reading.id_prefix, self.needed_id()?);
        let mut statement = self.about(ObjectRef::new(ObjectKind::Order, id));
        self.link_order(&mut statement);
        let amount = self.worth();
        let id = &statement.object.id;
        let attempt = if self.ready.reading.tries_have_ids { id.clone() } else { provider_id.to_owned() };
        let attempt = FailedAttempt { attempt, amount, code: None, at: self.said_at };
        statement.claim = Claim::AttemptFailed(attempt);
        Some(statement)
    }

    /// The order that a payment belongs to is the same money.
    fn link_order(&self, statement: &mut Statement) {
        if let Some(order) = self.id(Field::Order).filter(|order| *order != statement.object.id) {
            statement.links.push(ObjectRef::new(ObjectKind::Order, order));
        }
    }

    /// A refund, which belongs to its order. Who is named beside it may be the clerk.
    fn refund(&mut self) -> Option<Statement> {
        let order = format!("{}{}", self.ready.reading.id_prefix, self.needed_id()?);
        let (id, amount) = match self.ready.reading.refunds {
            Refunds::Placed => {
                let field = if self.has(Field::RefundValue) { Field::RefundValue } else { Field::Value };
                (self.id(Field::RefundId), self.money(field))
            }
            Refunds::Transactions => (self.id(Field::RefundId), self.transactions()),
            Refunds::Last => self.last_refund()?,
        };
        // A sender that names no refund has one for each order.
        let id = id.or_else(|| self.id(Field::Id))?;
        let id = format!("refund-{}{id}", self.ready.reading.id_prefix);
        let mut statement = self.about(ObjectRef::new(ObjectKind::Refund, id));
        statement.customer = None;
        // What a subscription bills is an invoice of the same id; the refund does not say which of both it was.
        statement.links.push(ObjectRef::new(ObjectKind::Order, order.as_str()));
        statement.links.push(ObjectRef::new(ObjectKind::Invoice, order));
        match amount {
            None => {}
            Some(amount) if amount.minor == 0 => self.nothing_to_count("no money went back"),
            // Some write what went back with a minus.
            Some(Money { minor, currency }) => {
                let amount = Money { minor: minor.saturating_abs(), currency };
                statement.claim = Claim::Refund(RefundStep { amount, status: RefundStatus::Counted });
            }
        }
        Some(statement)
    }

    /// What went back by the refund's transactions, added up; those that failed are left out.
    fn transactions(&mut self) -> Option<Money> {
        let Some(list) = self.body.get("transactions").and_then(Value::as_array) else {
            self.note("amount absent (transactions): no money is read from this event");
            return None;
        };
        let says = |part: &Value, name: &str, words: &[&str]| {
            part.get(name).and_then(Value::as_str).is_some_and(|word| words.contains(&word))
        };
        let mut sum: Option<Money> = None;
        let counted = |part: &&Value| says(part, "kind", &["refund"]) && says(part, "status", &["success", "pending"]);
        for part in list.iter().take(MAX_PARTS).filter(counted) {
            let text = |name: &str| part.get(name).and_then(scalar);
            let code = text("currency");
            let currency = self.currency_of(code)?;
            let Some(amount) = text("amount").and_then(|text| self.in_unit(&text, currency)) else {
                self.note("the amount of a transaction can't be read: no money is read from this event");
                return None;
            };
            sum = match sum {
                None => Some(amount),
                Some(known) if known.currency == currency => {
                    Some(Money { minor: known.minor.checked_add(amount.minor)?, currency })
                }
                Some(_) => {
                    self.note("the refund is in several currencies: no money is read from this event");
                    return None;
                }
            };
        }
        if sum.is_none() {
            self.nothing_to_count("no money went back");
        }
        sum
    }

    /// The last refund of an order, by its id.
    fn last_refund(&mut self) -> Option<(Option<String>, Option<Money>)> {
        let list = self.body.get("refunds").and_then(Value::as_array)?;
        let id = |part: &&Value| part.get("id").and_then(Value::as_u64).unwrap_or_default();
        let last = list.iter().take(MAX_PARTS).max_by_key(id)?;
        let name = last.get("id").and_then(scalar).filter(|id| usable_id(id))?;
        let Some(currency) = self.currency() else { return Some((Some(name), None)) };
        let amount = last.get("total").and_then(scalar).and_then(|text| self.in_unit(&text, currency));
        if amount.is_none() {
            self.note("amount absent (refunds): no money is read from this event");
        }
        Some((Some(name), amount))
    }

    fn booking(&mut self, status: BookingStatus) -> Option<Statement> {
        let id = self.needed_id()?;
        let mut statement = self.about(ObjectRef::new(ObjectKind::Booking, id));
        if let Some(previous) = self.id(Field::Previous).filter(|previous| *previous != statement.object.id) {
            statement.links.push(ObjectRef::new(ObjectKind::Booking, previous));
        }
        let (starts_at, ends_at) = (self.moment(Field::Starts), self.moment(Field::Ends));
        let value = self.worth();
        statement.claim = Claim::Booking(BookingStep { status, starts_at, ends_at, made_at: None, value });
        Some(statement)
    }

    fn happening(&mut self, object: ObjectRef, kind: EventKind) -> Statement {
        let mut statement = self.about(object);
        let value = self.worth();
        statement.claim = Claim::Happened(vec![Happening { kind, at: self.said_at, value }]);
        statement
    }

    /// What something that is no sale is worth, where the sender says so.
    fn worth(&mut self) -> Option<Money> {
        self.text(Field::Value)?;
        self.money(Field::Value).filter(|worth| worth.minor > 0)
    }

    fn person(&self) -> Person {
        let name =
            [self.text(Field::Name), self.text(Field::LastName)].into_iter().flatten().collect::<Vec<_>>().join(" ");
        Person {
            email: self.text(Field::Email).as_deref().and_then(Email::parse),
            phone: self.text(Field::Phone).and_then(|text| Phone::parse_in(&text, self.country)),
            name: (!name.is_empty()).then_some(name),
        }
    }

    fn tags(&self) -> Tags {
        let get = |name: &str| {
            self.ready.reading.tags.iter().find_map(|place| {
                let pointer = if place.contains("{}") { place.replace("{}", name) } else { format!("{place}/{name}") };
                at(self.body, &pointer).and_then(scalar).map(cut)
            })
        };
        let mut tags = tags::tags(get, self.said_at);
        tags.lead_id = self.text(Field::Lead).or(tags.lead_id);
        tags.service_id = self.text(Field::ServiceId).or(tags.service_id);
        tags.service_name = self.text(Field::ServiceName).or(tags.service_name);
        tags
    }

    fn details(&self, currency: Currency) -> Details {
        let tax = self.text(Field::Tax).and_then(|text| self.in_unit(&text, currency)).map(|tax| tax.minor);
        let lines = self.ready.reading.lines.as_ref();
        let list = lines.and_then(|lines| at(self.body, lines.list)).and_then(Value::as_array);
        let items = match (lines, list) {
            (Some(lines), Some(list)) => {
                list.iter().take(MAX_LINES).map(|line| self.line(lines, line, currency)).collect()
            }
            _ => Vec::new(),
        };
        Details { tax: tax.filter(|tax| *tax > 0), items, ..Details::default() }
    }

    fn line(&self, lines: &Lines, line: &Value, currency: Currency) -> Item {
        let text = |pointer: &str| line.pointer(pointer).and_then(scalar).map(cut);
        let quantity = line.get("quantity").and_then(Value::as_u64).and_then(|quantity| u32::try_from(quantity).ok());
        Item {
            id: text(lines.id),
            name: text(lines.name),
            quantity: quantity.unwrap_or(1).max(1),
            unit_minor: text(lines.price).and_then(|text| self.in_unit(&text, currency)).map(|price| price.minor),
        }
    }

    /// The amount of a field; none with a note where there is none that can be read.
    fn money(&mut self, field: Field) -> Option<Money> {
        let Some(text) = self.text(field) else {
            self.note(format!("amount absent ({}): no money is read from this event", self.place_of(field)));
            return None;
        };
        let currency = self.currency()?;
        let amount = self.in_unit(&text, currency);
        if amount.is_none() {
            self.note(format!(
                "{} is no amount of its currency: no money is read from this event",
                self.place_of(field)
            ));
        }
        amount
    }

    fn in_unit(&self, text: &str, currency: Currency) -> Option<Money> {
        match self.ready.reading.unit? {
            ValueUnit::Major => Money::from_major(text, currency),
            ValueUnit::Minor => text.parse().ok().map(|minor| Money { minor, currency }),
        }
    }

    fn currency(&mut self) -> Option<Currency> {
        let code = self.text(Field::Currency);
        self.currency_of(code)
    }

    fn currency_of(&mut self, code: Option<String>) -> Option<Currency> {
        let Some(code) = code else {
            let fixed = self.ready.reading.fixed_currency;
            if fixed.is_none() {
                self.note("currency absent: no money is read from this event");
            }
            return fixed;
        };
        let known = code.parse::<Currency>().ok().filter(|currency| currency.is_known());
        if known.is_none() {
            self.note("unknown currency: no money is read from this event");
        }
        known
    }

    fn needed_id(&mut self) -> Option<String> {
        let id = self.id(Field::Id);
        if id.is_none() {
            self.note(format!("id absent ({}): nothing is read from this event", self.place_of(Field::Id)));
        }
        id
    }

    fn place_of(&self, field: Field) -> String {
        self.pick(field).map_or_else(|| field.key().to_owned(), ToString::to_string)
    }

    fn pick(&self, field: Field) -> Option<&Pick> {
        self.ready.places.iter().find(|(known, _)| *known == field).map(|(_, pick)| pick)
    }

    fn has(&self, field: Field) -> bool {
        self.pick(field).is_some()
    }

    fn text(&self, field: Field) -> Option<String> {
        self.pick(field)?.read(self.envelope, self.body).map(cut)
    }

    fn id(&self, field: Field) -> Option<String> {
        let text = self.text(field)?;
        let is_address = self.ready.reading.tails.contains(&field);
        let id = if is_address { text.rsplit('/').next().unwrap_or_default().to_owned() } else { text };
        usable_id(&id).then_some(id)
    }

    fn moment(&mut self, field: Field) -> Option<Timestamp> {
        let text = self.text(field)?;
        let moment = moment(&text);
        if moment.is_none() {
            self.note(format!("{} is no moment that can be read", self.place_of(field)));
        }
        moment
    }

    fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    fn nothing_to_count(&mut self, why: &str) {
        self.notes.push(format!("{NOTHING_TO_COUNT}{why}"));
    }
}

/// A text, number or flag as text; none when it is empty or anything else.
fn scalar(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => return None,
    };
    (!text.is_empty()).then_some(text)
}

fn cut(text: String) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}
