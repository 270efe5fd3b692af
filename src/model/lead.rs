//! What a browser says of its visitor. Anyone can say it, so it is *unverified*: it is kept under its lead id, apart from people.

use super::attribution::{Attribution, Consent};
use super::contact::ConsentTimes;
use super::id::GroupId;
use super::statement::Person;
use super::time::Timestamp;
use super::typing::letters_apart;

/// One word of a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeadPost {
    /// The visitor's lead id: the browser's, or made up for it.
    pub lead_id: String,
    /// When it came, by our clock: the browser's own is not believed.
    pub at: Timestamp,
    /// Where the visitor came from first, as far as the browser remembers; its time is at most `at`.
    pub first: Attribution,
    /// Where the visitor came from this time, with the ids of GA.
    pub last: Attribution,
    /// What the visitor agreed to.
    pub consent: Consent,
    /// What the visitor wrote into a form.
    pub person: Person,
}

impl LeadPost {
    /// Whether somebody left an address or a phone number, and did not just look at a page.
    pub const fn is_form(&self) -> bool {
        self.person.email.is_some() || self.person.phone.is_some()
    }
}

/// Everything that browsers said under one lead id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lead {
    /// The lead id.
    pub id: String,
    /// When it was first heard of.
    pub first_seen_at: Timestamp,
    /// When it last said something new.
    pub last_seen_at: Timestamp,
    /// The first touch.
    pub first: Attribution,
    /// The last touch.
    pub last: Attribution,
    /// The last answer to each purpose.
    pub consent: Consent,
    /// When each was given.
    pub consent_said_at: ConsentTimes,
    /// Address, phone and name as written last.
    pub person: Person,
    /// How many different addresses were given, one after the other; of leads without any, phones.
    pub addresses: u8,
    /// How many other people left an address in the same browser, each kept under a lead id of its own made of this one.
    pub others: u16,
    /// The group of the business event that tells of the lead, once there is one.
    pub told: Option<GroupId>,
}

/// What of a post was new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learned {
    /// Anything at all.
    pub anything: bool,
    /// An address or phone that is not the last one.
    pub address: bool,
}

impl Lead {
    /// More addresses than this under one lead id are no longer slips of the pen: it stands for nobody.
    pub const MOST_ADDRESSES: u8 = 3;
    /// More wrong letters than this are somebody else's address.
    const MOST_WRONG_LETTERS: usize = 2;

    /// One that nothing was said of.
    pub fn new(id: String, at: Timestamp) -> Self {
        Self {
            id,
            first_seen_at: at,
            last_seen_at: at,
            first: Attribution::default(),
            last: Attribution::default(),
            consent: Consent::default(),
            consent_said_at: ConsentTimes::default(),
            person: Person::default(),
            addresses: 0,
            others: 0,
            told: None,
        }
    }

    /// Whether so many addresses were given under it that it stands for nobody.
    pub const fn is_spoiled(&self) -> bool {
        self.addresses > Self::MOST_ADDRESSES
    }

    /// The lead id of one of the others who left an address in the same browser; `number` counts from 1.
    pub fn id_of_other(&self, number: u16) -> String {
        format!("{}-{}", self.id, u32::from(number) + 1)
    }

    /// Whether a lead id is one of [`Lead::id_of_other`].
    pub fn is_id_of_other(&self, id: &str) -> bool {
        let number = id.strip_prefix(self.id.as_str()).and_then(|rest| rest.strip_prefix('-'));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// Whether an address, or a phone where there is no address to compare, is another than the one that is known.
    pub fn differs_from(&self, said: &Person) -> bool {
        let differ = |known: Option<&str>, said: Option<&str>| known.is_some() && said.is_some() && known != said;
        let emails = [&self.person, said].map(|person| person.email.as_ref().map(|email| email.as_str()));
        let phones = [&self.person, said].map(|person| person.phone.as_ref().map(|phone| phone.as_str()));
        match emails {
            [Some(known), Some(said)] => known != said,
            _ => differ(phones[0], phones[1]),
        }
    }

    /// Whether another address looks like a slip of the pen: the same name or phone comes with it, or two letters at most
    /// are wrong.
    pub fn is_corrected_by(&self, said: &Person) -> bool {
        if let (Some(known), Some(said)) = (&self.person.name, &said.name) {
            return known.to_lowercase() == said.to_lowercase();
        }
        if let (Some(known), Some(said)) = (&self.person.phone, &said.phone)
            && known == said
        {
            return true;
        }
        let near = |known: &str, said: &str| letters_apart(known, said) <= Self::MOST_WRONG_LETTERS;
        match (&self.person.email, &said.email, &self.person.phone, &said.phone) {
            (Some(known), Some(said), ..) => near(known.as_str(), said.as_str()),
            (.., Some(known), Some(said)) => near(known.as_str(), said.as_str()),
            _ => true,
        }
    }

    /// Takes in what a browser says now. A yes to e-mail counts only for the address that was written with it. Saying the same again changes nothing, not even a time.
    pub fn learn(&mut self, post: &LeadPost) -> Learned {
        let mut learned = Learned { anything: false, address: false };
        let same = |known: &Attribution, said: &Attribution| {
            let mut both = said.clone();
            both.fill_from(known);
            Attribution { at: known.at, ..both } == *known
        };
        if !post.last.is_empty() && (self.last.is_empty() || !same(&self.last, &post.last)) {
            self.last = Attribution { at: post.at, ..post.last.clone() };
            learned.anything = true;
        }
        for said in [&post.first, &post.last] {
            let at = if std::ptr::eq(said, &post.last) { post.at } else { said.at.min(post.at) };
            if !said.is_empty() && (self.first.is_empty() || at < self.first.at) {
                self.first = Attribution { at, ..said.clone() };
                learned.anything = true;
            }
        }
        let mut person = post.person.clone();
        person.fill_from(&self.person);
        if person != self.person {
            learned.anything = true;
            learned.address = match (&self.person.email, &person.email) {
                (None, None) => self.person.phone != person.phone,
                (before, now) => before != now,
            };
            self.addresses = self.addresses.saturating_add(u8::from(learned.address));
            // Ten thousand addresses need not be written down to know that they are too many.
            if !self.is_spoiled() {
                if person.email != self.person.email && self.consent.email == Some(true) {
                    self.consent.email = None;
                }
                self.person = person;
            }
        }
        let mut consent = post.consent;
        if consent.email == Some(true) && (post.person.email.is_none() || post.person.email != self.person.email) {
            consent.email = None;
        }
        let times = &mut self.consent_said_at;
        for (mine, mine_at, said) in [
            (&mut self.consent.analytics, &mut times.analytics, consent.analytics),
            (&mut self.consent.ads, &mut times.ads, consent.ads),
            (&mut self.consent.email, &mut times.email, consent.email),
        ] {
            if said.is_some() && *mine != said {
                (*mine, *mine_at) = (said, post.at);
                learned.anything = true;
            }
        }
        if learned.anything {
            self.last_seen_at = post.at;
        }
        learned
    }
}

/// What became of a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeadReceipt {
    /// It said something new, which is written down.
    Stored,
    /// It is of somebody else at the same browser, and written down under this lead id.
    StoredApart(String),
    /// It said nothing new.
    Known,
    /// So many leads are kept that there is no room for one more.
    Full,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::identity::{Email, Phone};

    fn post(second: i64, email: Option<&str>) -> LeadPost {
        LeadPost {
            lead_id: "lead_1".into(),
            at: Timestamp::from_unix_seconds(second),
            first: Attribution::default(),
            last: Attribution { client_id: Some("1.2".into()), ..Attribution::default() },
            consent: Consent { analytics: Some(true), ..Consent::default() },
            person: Person { email: email.and_then(Email::parse), ..Person::default() },
        }
    }

    #[test]
    fn the_same_again_changes_nothing() {
        let mut lead = Lead::new("lead_1".into(), Timestamp::from_unix_seconds(1));
        assert!(lead.learn(&post(1, None)).anything);
        let before = lead.clone();
        assert!(!lead.learn(&post(9, None)).anything);
        assert_eq!(lead, before);
        let mut less = post(10, None);
        less.last = Attribution::default();
        less.consent = Consent::default();
        assert!(!lead.learn(&less).anything, "less is not new");
        let mut other = post(11, None);
        other.last.client_id = Some("3.4".into());
        assert!(lead.learn(&other).anything);
        assert_eq!((lead.first.client_id.as_deref(), lead.last.client_id.as_deref()), (Some("1.2"), Some("3.4")));
    }

    #[test]
    fn a_yes_to_mail_goes_with_its_address() {
        let mut lead = Lead::new("lead_1".into(), Timestamp::from_unix_seconds(1));
        let yes = |second, email| LeadPost {
            consent: Consent { email: Some(true), ..Consent::default() },
            ..post(second, email)
        };
        lead.learn(&yes(1, None));
        assert_eq!(lead.consent.email, None, "a yes without an address is nobody's");
        lead.learn(&yes(2, Some("a@example.com")));
        assert_eq!(lead.consent.email, Some(true));
        lead.learn(&post(3, Some("c@example.com")));
        assert_eq!((lead.person.email.clone(), lead.consent.email), (Email::parse("c@example.com"), None));
        lead.learn(&yes(4, Some("d@example.com")));
        assert_eq!(lead.consent.email, Some(true));
        // Of an id that stands for nobody the last address is not taken, and so neither is the yes to it.
        lead.consent.email = None;
        lead.learn(&yes(5, Some("e@example.com")));
        assert!(lead.is_spoiled() && lead.consent.email.is_none());
    }

    #[test]
    fn a_slip_of_the_pen_is_told_from_somebody_else() {
        let person = |email: Option<&str>, phone: Option<&str>, name: Option<&str>| Person {
            email: email.and_then(Email::parse),
            phone: phone.and_then(Phone::parse),
            name: name.map(str::to_owned),
        };
        let of = |person: Person| Lead { person, ..Lead::new("lead_1".into(), Timestamp::EPOCH) };
        let jane = of(person(Some("jane@gmial.example"), Some("+4930123456"), None));
        for (said, differs, corrects) in [
            (person(Some("jane@gmail.example"), None, None), true, true),
            (person(Some("bob@firm.example"), None, None), true, false),
            (person(Some("jane@work.example"), Some("+4930123456"), None), true, true),
            (person(Some("jane@gmial.example"), Some("+4940999999"), None), false, true),
            (person(None, Some("+4940999999"), None), true, false),
        ] {
            assert_eq!((jane.differs_from(&said), jane.is_corrected_by(&said)), (differs, corrects), "{said:?}");
        }
        let tim = of(person(Some("tim@firm.example"), None, Some("Tim")));
        assert!(!tim.is_corrected_by(&person(Some("tom@firm.example"), None, Some("Tom"))));
        assert!(tim.is_corrected_by(&person(Some("office@firm.example"), None, Some("tim"))));
    }

    #[test]
    fn a_lead_with_many_addresses_stands_for_nobody_and_stops_growing() {
        let mut lead = Lead::new("lead_1".into(), Timestamp::from_unix_seconds(1));
        for number in 0..1000 {
            lead.learn(&post(number, Some(&format!("a{number}@example.com"))));
        }
        assert!(lead.is_spoiled());
        assert_eq!(lead.person.email, Email::parse("a2@example.com"));
    }

    #[test]
    fn what_the_browser_remembers_is_the_first_touch_but_never_in_the_future() {
        let mut lead = Lead::new("lead_1".into(), Timestamp::from_unix_seconds(100));
        let mut said = post(100, None);
        said.first = Attribution {
            utm_source: Some("ads".into()),
            at: Timestamp::from_unix_seconds(50),
            ..Attribution::default()
        };
        lead.learn(&said);
        assert_eq!((lead.first.utm_source.as_deref(), lead.first.at.unix_seconds()), (Some("ads"), 50));
        said.first.at = Timestamp::from_unix_seconds(1_000_000);
        let mut fresh = Lead::new("lead_2".into(), Timestamp::from_unix_seconds(100));
        fresh.learn(&said);
        assert_eq!(fresh.first.at.unix_seconds(), 100);
    }
}
