//! What HighLevel's objects have in common: whose they are, who the person is, where it came from, money.

use serde_json::Value;

use crate::model::attribution::Attribution;
use crate::model::identity::{Email, Phone};
use crate::model::money::{Currency, Money};
use crate::model::phone::Country;
use crate::model::statement::{Claim, Details, NOTHING_TO_COUNT, ObjectKind, ObjectRef, Person, Statement, Tags};
use crate::model::time::Timestamp;
use crate::sources::tags;

use super::Settings;
use super::json::{self, Body};

/// One event while it is read.
pub(super) struct Reading<'e> {
    /// How the source is configured.
    pub settings: &'e Settings,
    /// Where phone numbers without a country code are from.
    pub country: Option<Country>,
    /// What came.
    pub body: &'e Body,
    /// Its type, or a workflow's name for it.
    pub event_type: &'e str,
    /// When it was said: by HighLevel, else when it came.
    pub said_at: Timestamp,
    /// Oddities met.
    pub notes: &'e mut Vec<String>,
}

impl Reading<'_> {
    /// A statement about an object that claims nothing yet.
    pub fn statement(&self, kind: ObjectKind, id: impl Into<String>, contact: Option<&str>) -> Statement {
        Statement {
            object: ObjectRef::new(kind, id),
            said_at: self.said_at,
            links: Vec::new(),
            customer: contact.map(str::to_owned),
            subscription: None,
            claim: Claim::Nothing,
            details: Details::default(),
            person: Person::default(),
            tags: Tags::default(),
        }
    }

    /// Who it is, from fields below a path; of each the first name that says something counts.
    pub fn person(&self, below: &str) -> Person {
        let body = self.body;
        let first = |names: &[&str]| names.iter().find_map(|name| body.text(&format!("{below}/{name}")));
        let whole = first(&["name", "full_name", "fullName", "contactName"]).map(str::to_owned).or_else(|| {
            let parts = [first(&["firstName", "first_name"]), first(&["lastName", "last_name"])];
            let name = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
            (!name.is_empty()).then_some(name)
        });
        Person {
            email: first(&["email"]).and_then(Email::parse),
            phone: first(&["phone", "phoneNo"]).and_then(|text| Phone::parse_in(text, self.country)),
            name: whole,
        }
    }

    /// The currency at a path, else the configured one; none with a note where it is none that there is.
    pub fn currency(&mut self, path: &str) -> Option<Currency> {
        let Some(code) = self.body.text(path) else {
            if self.settings.currency.is_none() {
                self.note(
                    "currency absent: no money is read from this event; `currency` in the source's table names one",
                );
            }
            return self.settings.currency;
        };
        let known = code.parse::<Currency>().ok().filter(|currency| currency.is_known());
        if known.is_none() {
            self.note("unknown currency: no money is read from this event");
        }
        known
    }

    /// Money in major units of the first path at which there is an amount. None with a note where it can't be read: an absent
    /// amount is never zero.
    pub fn money(&mut self, paths: &[&str], currency: Option<Currency>) -> Option<Money> {
        let currency = currency?;
        let path = paths.iter().find(|path| self.body.at(path).is_some()).or(paths.first())?;
        match self.body.money(path, currency) {
            Ok(money) => Some(money),
            Err(why) => {
                let name = path.trim_start_matches('/').replace('/', ".");
                self.note(format!("amount {why} ({name}): no money is read from this event"));
                None
            }
        }
    }

    /// What stands under one of the recognised names, in these places.
    pub fn tags(&self, places: &[&str]) -> Tags {
        let get = |name: &str| {
            let mut found = places.iter().filter_map(|place| self.body.at(&format!("{place}/{name}")));
            found.find_map(|value| match value {
                Value::Number(number) => Some(number.to_string()),
                other => json::text(other).map(str::to_owned),
            })
        };
        let get = |name: &str| match name {
            "ga_client_id" => get(name).or_else(|| get("client_id")),
            "ga_session_id" => get(name).or_else(|| get("session_id")),
            // An order has an id of its own here.
            "order_id" => None,
            _ => get(name),
        };
        let mut tags = tags::tags(get, self.said_at);
        tags.attribution.fill_from(&self.attribution());
        if !tags.attribution.is_empty() {
            tags.attribution.at = self.said_at;
        }
        if self.no_mail() {
            tags.consent.email = Some(false);
        }
        tags
    }

    /// Where HighLevel itself saw the person come from, first touch before last.
    fn attribution(&self) -> Attribution {
        let blocks = [
            "/attributionSource",
            "/contact/attributionSource",
            "/lastAttributionSource",
            "/contact/lastAttributionSource",
        ];
        let get = |names: &[&str]| {
            let mut texts = blocks
                .iter()
                .flat_map(|block| names.iter().map(move |name| format!("{block}/{name}")))
                .filter_map(|path| self.body.text(&path));
            texts.next().map(str::to_owned)
        };
        Attribution {
            client_id: get(&["gaClientId", "ga_client_id"]),
            utm_source: get(&["utmSource", "utm_source"]),
            utm_medium: get(&["utmMedium", "utm_medium"]),
            utm_campaign: get(&["utmCampaign", "utm_campaign"]),
            utm_term: get(&["utmTerm", "utm_term", "utmKeyword"]),
            utm_content: get(&["utmContent", "utm_content"]),
            gclid: get(&["gclid"]),
            gbraid: get(&["gbraid"]),
            wbraid: get(&["wbraid"]),
            fbclid: get(&["fbclid"]),
            ..Attribution::default()
        }
    }

    /// Whether the contact must not be written to: do not disturb for e-mail, or for everything where nothing tells them apart
    /// (HighLevel: `active` is on).
    fn no_mail(&self) -> bool {
        match self.body.text("/dndSettings/Email/status") {
            Some(status) => status.eq_ignore_ascii_case("active") || status.eq_ignore_ascii_case("permanent"),
            None => self.body.flag("/dnd") == Some(true) && self.body.at("/dndSettings").is_none(),
        }
    }

    /// Adds a note on something odd, which a person should see.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Adds a note that explains why there is rightly nothing to count.
    pub fn nothing_to_count(&mut self, why: &str) {
        self.notes.push(format!("{NOTHING_TO_COUNT}{why}"));
    }
}
