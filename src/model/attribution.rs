//! Where a person came from, and what they agreed to.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// What the browser or a provider's metadata said about where a person came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attribution {
    /// GA's id of the browser, `1234567890.1747132561`.
    pub client_id: Option<String>,
    /// GA's id of the session: the Unix second it started.
    pub session_id: Option<String>,
    /// `utm_source`.
    pub utm_source: Option<String>,
    /// `utm_medium`.
    pub utm_medium: Option<String>,
    /// `utm_campaign`.
    pub utm_campaign: Option<String>,
    /// `utm_term`.
    pub utm_term: Option<String>,
    /// `utm_content`.
    pub utm_content: Option<String>,
    /// Google Ads click id.
    pub gclid: Option<String>,
    /// Google Ads click id of app-to-web traffic.
    pub gbraid: Option<String>,
    /// Google Ads click id of web-to-app traffic.
    pub wbraid: Option<String>,
    /// Meta's click id.
    pub fbclid: Option<String>,
    /// When this was said, by the sender's own time.
    pub at: Timestamp,
}

impl Attribution {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        Self { at: Timestamp::EPOCH, ..Self::default() } == Self { at: Timestamp::EPOCH, ..self.clone() }
    }

    /// Fills what is missing here from `other`.
    pub fn fill_from(&mut self, other: &Self) {
        fn fill(mine: &mut Option<String>, theirs: &Option<String>) {
            if mine.is_none() {
                mine.clone_from(theirs);
            }
        }
        if self.client_id.is_none() {
            // A session id means nothing beside another browser's client id.
            self.client_id.clone_from(&other.client_id);
            self.session_id.clone_from(&other.session_id);
        } else if self.client_id == other.client_id {
            fill(&mut self.session_id, &other.session_id);
        }
        fill(&mut self.utm_source, &other.utm_source);
        fill(&mut self.utm_medium, &other.utm_medium);
        fill(&mut self.utm_campaign, &other.utm_campaign);
        fill(&mut self.utm_term, &other.utm_term);
        fill(&mut self.utm_content, &other.utm_content);
        fill(&mut self.gclid, &other.gclid);
        fill(&mut self.gbraid, &other.gbraid);
        fill(&mut self.wbraid, &other.wbraid);
        fill(&mut self.fbclid, &other.fbclid);
    }
}

/// What a person agreed to, per purpose; none means nobody said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Being measured (GA4).
    pub analytics: Option<bool>,
    /// Data used for advertising.
    pub ads: Option<bool>,
    /// Marketing by e-mail.
    pub email: Option<bool>,
}

/// How an answer to a question of consent came to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConsentSource {
    /// An authenticated sender said so: a payment's metadata, a form, a CRM.
    #[default]
    Sender,
    /// The visitor's browser said so.
    Browser,
}

impl ConsentSource {
    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::Sender => Self::Browser,
            Self::Browser => Self::Sender,
        }
    }

    /// The source's name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Browser => "browser",
        }
    }
}

/// How each answer of a [`Consent`] came to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsentSources {
    /// On being measured.
    pub analytics: ConsentSource,
    /// On advertising.
    pub ads: ConsentSource,
    /// On marketing by e-mail.
    pub email: ConsentSource,
}

impl ConsentSources {
    /// All from one.
    pub const fn all(source: ConsentSource) -> Self {
        Self { analytics: source, ads: source, email: source }
    }
}

impl Consent {
    /// What `newer` says wins, purpose by purpose; where it is silent, this stays.
    #[must_use]
    pub fn overlaid_with(self, newer: Self) -> Self {
        Self {
            analytics: newer.analytics.or(self.analytics),
            ads: newer.ads.or(self.ads),
            email: newer.email.or(self.email),
        }
    }
}
