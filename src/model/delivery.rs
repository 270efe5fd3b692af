//! A delivery's life: its states, its schedule, and what can come of an attempt.

use std::time::Duration;

use super::business_event::EventKind;
use super::id::{BusinessEventId, ContactId, DestinationId};
use super::time::Timestamp;

/// One business event for one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Who is told.
    pub destination: DestinationId,
    /// Where it stands.
    pub state: State,
    /// Starts at 0; each replay by a person starts the next one, with a fresh budget.
    pub generation: u16,
    /// When it is tried next. For a contact destination the [`ContactSync`] of its contact says so instead.
    pub schedule: Schedule,
    /// The last HTTP status that came back.
    pub last_status: Option<u16>,
    /// Whether an attempt of any generation may have arrived: it was not answered, or not with a refusal.
    pub may_have_arrived: bool,
    /// After this moment it is not sent any more.
    pub deadline: Option<Timestamp>,
    /// What every attempt is rendered from, fixed when it first becomes due.
    pub frozen: Option<Frozen>,
}

/// When a delivery, or a contact's synchronisation, is tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// Not before this moment.
    pub due_at: Timestamp,
    /// Waiting for its sale to settle; it has no place in a due queue before.
    pub settling: bool,
    /// Attempts used up in this generation.
    pub attempts: u16,
    /// A request was begun whose repetition the destination can't recognise; set before its first byte, cleared with its result.
    pub started_at: Option<Timestamp>,
}

/// What is fixed for all attempts of a delivery to an event destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// The kind as it is sent; another kind is never sent for the same sale.
    pub kind: EventKind,
    /// GA's id of the browser, or a derived one.
    pub client_id: Option<String>,
    /// Whether the client id is derived.
    pub synthetic: bool,
}

/// Where a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// To be sent.
    Pending,
    /// The destination has it.
    Delivered {
        /// Since when.
        at: Timestamp,
    },
    /// Not sent, by rule.
    Suppressed {
        /// Which one.
        rule: Rule,
        /// Since when.
        at: Timestamp,
    },
    /// Given up; waits for a person.
    Failed {
        /// Why.
        failure: Failure,
        /// Since when.
        at: Timestamp,
    },
    /// A person decided that it need not be sent.
    Discarded {
        /// In the person's words.
        reason: String,
        /// Since when.
        at: Timestamp,
    },
}

impl State {
    /// The state's name in JSON and filters.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered { .. } => "delivered",
            Self::Suppressed { .. } => "suppressed",
            Self::Failed { .. } => "failed",
            Self::Discarded { .. } => "discarded",
        }
    }

    /// Position in per-state counts: pending, delivered, suppressed, failed, discarded.
    pub const fn index(&self) -> usize {
        match self {
            Self::Pending => 0,
            Self::Delivered { .. } => 1,
            Self::Suppressed { .. } => 2,
            Self::Failed { .. } => 3,
            Self::Discarded { .. } => 4,
        }
    }
}

/// The names of the states, at their [`State::index`].
pub const STATE_NAMES: [&str; 5] = ["pending", "delivered", "suppressed", "failed", "discarded"];

/// Why a delivery is not sent, by rule and not by failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The sale it told of proved to be part of another, or its refund failed before it was sent.
    Withdrawn,
    /// Older than the destination takes.
    TooOld,
    /// The person did not agree.
    NoConsent,
    /// A test event and a destination for live ones, or the other way round.
    TestMode,
    /// The person unsubscribed, bounced or complained.
    Unsubscribed,
    /// The destination's settings leave it out: `events`, `only` or `except`.
    Filtered,
    /// GA4: no browser id is known and none may be derived.
    NoClientId,
    /// The destination needs an e-mail address and none came.
    NoEmail,
    /// The CRM needs a contact and there is none.
    NoContact,
    /// It may have arrived, can't be recognised as a repeat, and the setting says drop.
    Ambiguous,
    /// It came from the destination itself: telling it back would go round in circles.
    Echo,
    /// The person was erased: nobody is told of them any more.
    Erased,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 12] = [
        Self::Withdrawn,
        Self::TooOld,
        Self::NoConsent,
        Self::TestMode,
        Self::Unsubscribed,
        Self::Filtered,
        Self::NoClientId,
        Self::NoEmail,
        Self::NoContact,
        Self::Ambiguous,
        Self::Echo,
        Self::Erased,
    ];

    /// The rule's name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Withdrawn => "withdrawn",
            Self::TooOld => "too_old",
            Self::NoConsent => "no_consent",
            Self::TestMode => "test_mode",
            Self::Unsubscribed => "unsubscribed",
            Self::Filtered => "filtered",
            Self::NoClientId => "no_client_id",
            Self::NoEmail => "no_email",
            Self::NoContact => "no_contact",
            Self::Ambiguous => "ambiguous",
            Self::Echo => "echo",
            Self::Erased => "erased",
        }
    }

    /// The rule as a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Withdrawn => "it was taken back before it went out",
            Self::TooOld => "older than the destination takes",
            Self::NoConsent => "the person did not agree",
            Self::TestMode => "a test event, and the destination gets live ones (or the other way round)",
            Self::Unsubscribed => "the person unsubscribed there",
            Self::Filtered => "the destination's settings leave it out (`events`, `only`, `except`)",
            Self::NoClientId => "no client id of a browser is known",
            Self::NoEmail => "no e-mail address is known",
            Self::NoContact => "it is not known who the person is",
            Self::Ambiguous => "it may have arrived, and would not be known as a repeat",
            Self::Echo => "it came from there, and telling it back would go round in circles",
            Self::Erased => "the person was erased (`contacts forget`)",
        }
    }
}

/// Why a delivery failed, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure.
    pub class: FailureClass,
    /// What happened, in a sentence without personal data or secrets.
    pub explanation: String,
}

/// Kinds of failure. Each has a next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureClass {
    /// The destination refused this one.
    Rejected,
    /// Every attempt of the schedule was used up.
    AttemptsUsedUp,
    /// The moment after which the destination no longer takes it has passed.
    DeadlinePassed,
    /// The destination was unavailable, held or paused for too long.
    DestinationUnavailable,
    /// Our own check found that the destination would drop it silently.
    Invalid,
    /// It may have arrived and can't be recognised as a repeat; the setting says ask.
    Ambiguous,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 6] = [
        Self::Rejected,
        Self::AttemptsUsedUp,
        Self::DeadlinePassed,
        Self::DestinationUnavailable,
        Self::Invalid,
        Self::Ambiguous,
    ];

    /// The class's name in JSON and alerts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::AttemptsUsedUp => "attempts_used_up",
            Self::DeadlinePassed => "deadline_passed",
            Self::DestinationUnavailable => "destination_unavailable",
            Self::Invalid => "invalid",
            Self::Ambiguous => "ambiguous",
        }
    }

    /// What a person can do.
    pub const fn next_step(self) -> &'static str {
        match self {
            Self::Rejected => "correct what the destination complains about, then `tallyhook failed retry ID`",
            Self::AttemptsUsedUp | Self::DestinationUnavailable => {
                "once the destination answers again, `tallyhook failed retry --destination NAME --all`"
            }
            Self::DeadlinePassed => {
                "enter it by hand if you need it there, then `tallyhook failed discard ID --reason TEXT`"
            }
            Self::Invalid => "change the setting named above, then `tallyhook failed retry ID`",
            Self::Ambiguous => {
                "look at the destination: if it is there `tallyhook failed discard ID --reason TEXT`, else `tallyhook failed retry ID`"
            }
        }
    }
}

/// A contact's standing with one contact destination (CRM, MailerLite): one due row, one request in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactSync {
    /// Which destination.
    pub destination: DestinationId,
    /// Whose.
    pub contact: ContactId,
    /// The business events whose deliveries a success completes, in order.
    pub pending: Vec<BusinessEventId>,
    /// When it is tried next; meaningless while nothing is pending.
    pub schedule: Schedule,
    /// Before this moment it is not tried, whatever happens: the destination asked for that about this person (`Retry-After`).
    pub not_before: Option<Timestamp>,
    /// When the oldest pending delivery began to wait.
    pub waiting_since: Timestamp,
    /// The id that the destination gave the person.
    pub remote_id: Option<String>,
    /// The id under which the person was first made known there; it stays.
    pub external_id: Option<String>,
    /// Ids of further records that the destination has of the same person, from before that was known. They are left alone.
    pub left_over: Vec<String>,
}

impl ContactSync {
    /// A contact that the destination has not heard of.
    pub fn new(destination: DestinationId, contact: ContactId) -> Self {
        Self {
            destination,
            contact,
            pending: Vec::new(),
            schedule: Schedule::default(),
            not_before: None,
            waiting_since: Timestamp::EPOCH,
            remote_id: None,
            external_id: None,
            left_over: Vec::new(),
        }
    }

    /// When something that is due at a moment may be tried.
    pub fn not_before(&self, due_at: Timestamp) -> Timestamp {
        self.not_before.map_or(due_at, |wish| due_at.max(wish))
    }

    /// Takes in the id of a record of a person that proved to be this one. Returns whether it is one more than the record that is
    /// kept up to date.
    pub fn find_record(&mut self, id: &str) -> bool {
        match &self.remote_id {
            None => self.remote_id = Some(id.to_owned()),
            Some(known) if known != id && !self.left_over.iter().any(|known| known == id) => {
                self.left_over.push(id.to_owned());
                return true;
            }
            Some(_) => {}
        }
        false
    }
}

/// What a destination's answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The destination has it.
    Delivered,
    /// The destination will not take it and that is right (an unsubscribed person).
    Suppressed(Rule),
    /// Not now; the schedule says when.
    Retry {
        /// What happened.
        explanation: String,
        /// The destination's own wish; only ever lengthens the wait.
        after: Option<Duration>,
    },
    /// Too fast: the destination as a whole waits, no attempt is used.
    SlowDown {
        /// The destination's own wish.
        after: Option<Duration>,
    },
    /// It will never be taken like this.
    Permanent {
        /// What kind of failure.
        class: FailureClass,
        /// What happened.
        explanation: String,
    },
    /// Nothing will be taken until a person does something (a wrong key): the destination is held, no attempt is used.
    Broken {
        /// What happened and what to do.
        explanation: String,
    },
    /// This one is forbidden; whether the whole destination is, shows when another is refused too.
    Forbidden {
        /// What happened.
        explanation: String,
    },
    /// It may or may not have arrived, and the destination could not recognise a repeat.
    Ambiguous {
        /// What happened.
        explanation: String,
    },
}

/// What to do about an ambiguous outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmbiguousPolicy {
    /// Send again: told twice rather than never.
    Retry,
    /// Suppress it: told never rather than twice.
    Drop,
    /// Fail it, so that a person decides.
    Ask,
}

/// One try of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When the first byte could have left.
    pub at: Timestamp,
    /// From then to the end of the answer, in milliseconds.
    pub took_ms: u32,
    /// Which generation.
    pub generation: u16,
    /// What was sent: method, address, body, without secrets and personal data; each request of the attempt on its own line.
    pub sent: String,
    /// The last HTTP status.
    pub status: Option<u16>,
    /// What came of it, in a short text: `delivered`, `retry: 503 …`.
    pub outcome: String,
    /// The beginning of the answer, cut and redacted.
    pub excerpt: String,
}

/// What a destination as a whole is doing, kept on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// A person paused it.
    pub paused: bool,
    /// It is held, and why: nothing is sent until it is fixed.
    pub held: Option<Held>,
    /// Nothing is sent before this moment (a 429's `Retry-After`).
    pub not_before: Option<Timestamp>,
    /// The breaker's state.
    pub breaker: super::breaker::Breaker,
}

/// How long a destination may neither take nor refuse anything before people are told.
const LONG: Duration = Duration::from_secs(3600);

impl Standing {
    /// That it neither takes nor refuses what is due, as the end of a sentence; none while all is well, or where it is paused, held or
    /// out of reach, which is told in words of its own. `waits_since` is the first place in its queue.
    pub fn behind(&self, waits_since: Option<Timestamp>, now: Timestamp) -> Option<String> {
        if self.paused || self.held.is_some() || self.breaker.open().is_some() {
            return None;
        }
        if let Some(until) = self.not_before.filter(|until| *until > now.after(LONG)) {
            return Some(format!("asked to be left alone until {until}, and nothing is sent to it before"));
        }
        let since = waits_since.filter(|since| now.since(*since) >= LONG && *since <= now)?;
        let too_fast = self.not_before.is_some_and(|until| until > now);
        let why = if too_fast { "it keeps answering that it is asked too often" } else { "it takes them too slowly" };
        Some(format!("is behind: deliveries that are due wait since {since}, {why}"))
    }
}

/// Why a destination is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Since when.
    pub since: Timestamp,
    /// What happened and what to do.
    pub explanation: String,
    /// When one delivery is tried to see whether it works again.
    pub probe_at: Timestamp,
    /// How often that was done.
    pub probes: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_that_stands_still_without_a_word_is_behind_after_an_hour() {
        let at = |minutes: i64| Timestamp::from_unix_seconds(1_700_000_000 + 60 * minutes);
        let asked_for = |minutes| Standing { not_before: Some(at(minutes)), ..Standing::default() };
        let idle = Standing::default();
        assert_eq!((idle.behind(None, at(90)), idle.behind(Some(at(31)), at(90))), (None, None));
        assert!(idle.behind(Some(at(30)), at(90)).is_some());
        assert_eq!(idle.behind(Some(at(200)), at(90)), None, "what is not due yet does not wait for it");
        assert!(asked_for(91).behind(Some(at(0)), at(90)).unwrap().contains("too often"));
        assert_eq!(asked_for(30).behind(Some(at(0)), at(0)), None);
        assert!(asked_for(1440).behind(Some(at(1440)), at(0)).unwrap().contains("left alone until"));
        let paused = Standing { paused: true, ..asked_for(1440) };
        assert_eq!(paused.behind(Some(at(0)), at(90)), None, "it has words of its own");
    }
}
