//! A rule of GA4's that something breaks, under the name that GA4's own validation server has for it.

use std::fmt;

/// Which rule. The names are Google's (Measurement Protocol: validating events, validation codes), but for
/// [`ValidationCode::PersonalData`], which its validation server doesn't look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValidationCode {
    /// A value of the wrong form.
    ValueInvalid,
    /// Something that has to be there is not.
    ValueRequired,
    /// A name with characters or of a length that GA4 does not take.
    NameInvalid,
    /// A name that GA4 keeps for itself.
    NameReserved,
    /// A value that is too long, too old or too far ahead.
    ValueOutOfBounds,
    /// More parameters, items, events or properties than GA4 takes.
    ExceededMaxEntities,
    /// A name that is there twice.
    NameDuplicated,
    /// Something that says who somebody is (GA4: policy, personally identifiable information).
    PersonalData,
}

const NAMED: [(&str, ValidationCode); 8] = [
    ("VALUE_INVALID", ValidationCode::ValueInvalid),
    ("VALUE_REQUIRED", ValidationCode::ValueRequired),
    ("NAME_INVALID", ValidationCode::NameInvalid),
    ("NAME_RESERVED", ValidationCode::NameReserved),
    ("VALUE_OUT_OF_BOUNDS", ValidationCode::ValueOutOfBounds),
    ("EXCEEDED_MAX_ENTITIES", ValidationCode::ExceededMaxEntities),
    ("NAME_DUPLICATED", ValidationCode::NameDuplicated),
    ("PERSONAL_DATA", ValidationCode::PersonalData),
];

impl ValidationCode {
    /// The rule's name.
    pub fn name(self) -> &'static str {
        NAMED.iter().find(|(_, code)| *code == self).map_or("VALUE_INVALID", |(name, _)| name)
    }

    /// The rule of a name; none of a name that Google has added since.
    pub fn named(name: &str) -> Option<Self> {
        NAMED.iter().find(|(known, _)| *known == name).map(|(_, code)| *code)
    }

    /// What a person can do about it.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::NameInvalid | Self::NameReserved | Self::NameDuplicated => {
                "give it another name in `event_names` or `params`"
            }
            Self::ValueRequired => "let the event carry it, or name it otherwise in `event_names`",
            Self::ExceededMaxEntities => "take some out of `params`",
            Self::ValueInvalid | Self::ValueOutOfBounds => {
                "correct it in `params`, `default_item` or where it comes from"
            }
            Self::PersonalData => "take it out where it comes from",
        }
    }
}

/// One rule that is broken. Its texts hold no personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub code: ValidationCode,
    /// What breaks it, as a clause.
    pub what: String,
}

impl Violation {
    /// From its parts.
    pub fn new(code: ValidationCode, what: impl Into<String>) -> Self {
        Self { code, what: what.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.code.name(), self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_reads_back_its_name_and_says_what_to_do() {
        for (name, code) in NAMED {
            assert_eq!((code.name(), ValidationCode::named(name)), (name, Some(code)));
            assert!(!code.advice().is_empty());
        }
        assert_eq!(ValidationCode::named("SOMETHING_NEW"), None);
    }
}
