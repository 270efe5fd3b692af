//! What can be configured. Each key is defined once, here; reading, the known keys and the sample file all follow.

mod delivery;
mod house;
mod metadata;

use std::time::Duration;

pub(super) use super::address::Shape;
use super::problem::Wrong;

pub(super) use delivery::{DELIVERY, EVENT};
pub(super) use house::{LISTEN_WITH_TLS, LISTEN_WITHOUT_TLS, SECTIONS};
pub(super) use metadata::METADATA;

/// The answer to what is planned, and not in this version.
pub(super) const LATER: &str = "is not available in this version";

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name within its table.
    pub name: &'static str,
    /// What it takes.
    pub form: Form,
    /// What holds when it is not given.
    pub preset: Preset,
    /// What it is for, in sentences; the sample shows them.
    pub doc: &'static str,
}

/// What holds when a key is not given. Texts are TOML.
#[derive(Clone, Copy, Debug)]
pub(super) enum Preset {
    /// It must be given, like this.
    Required(&'static str),
    /// This.
    Default(&'static str),
    /// It depends: a case in words, and what holds then.
    Depends(&'static [(&'static str, &'static str)]),
    /// Nothing; it could be given like this.
    Unset(&'static str),
}

/// A check of a text: `Err` says what is wrong without quoting it.
pub(super) type Check = fn(&str) -> Result<(), Wrong>;

/// The words there are.
pub(super) type Words = fn() -> Vec<&'static str>;

/// What a key takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    /// `true` or `false`.
    Flag,
    /// A whole number within bounds.
    Count(u64, u64),
    /// Bytes within bounds: a number or `"1MiB"`.
    Size(u64, u64),
    /// A span of time within bounds.
    Span(Duration, Duration),
    /// Spans of time, at least one, none longer than this.
    Spans(Duration),
    /// `"100/min"` or `"off"`.
    Rate,
    /// One of some words; the second list is of words for later versions.
    Choice(&'static [&'static str], &'static [&'static str]),
    /// A word out of many: what it is, and which there are.
    Word(&'static str, Words),
    /// Several of them, at least one, each once.
    Choices(&'static str, Words),
    /// An IP address and port to listen on.
    Listen,
    /// A path; relative ones start at the configuration's folder.
    Path,
    /// An address of another machine.
    Url(Shape),
    /// Any text that passes the check.
    Text(Check),
    /// The same, or an empty text.
    TextOrNothing(Check),
    /// A text that passes the check, or several, at least one, each once.
    Texts(Check),
    /// A secret that passes the check.
    Secret(Check),
    /// Several secrets that pass the check, at least one.
    Secrets(Check),
    /// A table whose keys are business events and whose values pass the check.
    EventNames(Check),
    /// Conditions on what is told of an event: a table, or a list of tables of which any is enough.
    Cases,
    /// A table whose keys, names at the destination, pass the check, and whose values are names of what can be told
    /// ([`crate::destinations::fields::FIELDS`]), or empty.
    Fields(Check),
    /// A table of names that pass the check, each with one of some words: what these are, which there are, and the check.
    Named(&'static str, Words, Check),
    /// A table of some words, each with a name that passes the check, or an empty one.
    Renamed(&'static str, Words, Check),
    /// A table of names that pass the first check, each with a text that passes the second.
    Pairs(Check, Check),
    /// A table with keys of its own.
    Table(&'static [Key]),
    /// Known, but not taken: the answer.
    Refused(&'static str),
}

impl Form {
    /// What is expected, as it follows `must be`.
    pub fn expected(&self) -> String {
        match self {
            Self::Flag => "true or false, without quotes".into(),
            Self::Count(..) => "a whole number".into(),
            Self::Size(..) => "a size like \"1MiB\", \"32KiB\" or a number of bytes".into(),
            Self::Span(..) => "a span of time like \"90s\", \"5m\", \"1h30m\" or \"7d\"".into(),
            Self::Spans(_) => "a list of spans like [\"0s\", \"10s\", \"5m\"]".into(),
            Self::Rate => "a rate like \"100/min\" or \"5/s\", or \"off\"".into(),
            Self::Choice(words, _) => one_of(words),
            Self::Word(what, _) => format!("the name of a known {what} in quotes"),
            Self::Choices(_, words) => format!("a list like [{:?}]", words().first().copied().unwrap_or_default()),
            Self::Listen => "an IP address and port like \"127.0.0.1:8080\" or \"[::]:443\"".into(),
            Self::Path => "a path in quotes".into(),
            Self::Url(_) => "an address like \"https://api.example.com\"".into(),
            Self::Text(_) => "a text in quotes".into(),
            Self::TextOrNothing(_) => "a text in quotes, or \"\" for none".into(),
            Self::Texts(_) => "a text in quotes, or a list like [\"first\", \"second\"]".into(),
            Self::Secret(_) => {
                "a secret: { env = \"NAME\" }, { file = \"…\" }, { credential = \"name\" } or a text in quotes".into()
            }
            Self::Secrets(_) => "a list of secrets like [{ env = \"NAME\" }]".into(),
            Self::EventNames(_) => "a table like { lead = \"generate_lead\" }".into(),
            Self::Cases => {
                "a table of conditions like { pricing_tier = \"premium\", value = { at_least = 50 } }, or a list of such tables".into()
            }
            Self::Fields(_) => "a table like { company = \"service_name\" }".into(),
            Self::Named(what, words, _) => {
                format!(
                    "a table like {{ name = {:?} }}, each name with a {what}",
                    words().first().copied().unwrap_or_default()
                )
            }
            Self::Pairs(..) => "a table like { \"name\" = \"text\" }".into(),
            Self::Renamed(what, words, _) => {
                format!(
                    "a table like {{ {} = \"name\" }}, each {what} with a name",
                    words().first().copied().unwrap_or_default()
                )
            }
            Self::Table(_) => "a table".into(),
            Self::Refused(answer) => (*answer).into(),
        }
    }
}

/// `"a", "b" or "c"`.
pub(super) fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => format!("{word:?}"),
        [most @ .., last] => {
            format!("{} or {last:?}", most.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A table of the file with a fixed name.
#[derive(Debug)]
pub(super) struct SectionDefinition {
    /// `server`.
    pub name: &'static str,
    /// What it is for.
    pub doc: &'static str,
    /// Its keys.
    pub keys: &'static [Key],
}

/// A family of tables that the user names: `sources`, `destinations`, `alerts`.
#[derive(Debug)]
pub(super) struct Family {
    /// The family's own name.
    pub name: &'static str,
    /// Its kinds.
    pub kinds: &'static [Kind],
    /// Kinds of later versions.
    pub later: &'static [&'static str],
    /// Keys that every kind has.
    pub common: &'static [Key],
}

/// One kind of a family.
#[derive(Debug)]
pub(super) struct Kind {
    /// As `kind = "…"` names it.
    pub name: &'static str,
    /// What the sample calls one.
    pub sample_name: &'static str,
    /// Whether the sample has one, or only tells that there is such a kind.
    pub usual: bool,
    /// What it is.
    pub doc: &'static str,
    /// Its own keys.
    pub keys: &'static [Key],
}

pub(super) const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);
const MOMENT: Duration = Duration::from_millis(1);

pub(super) fn any(_: &str) -> Result<(), Wrong> {
    Ok(())
}
