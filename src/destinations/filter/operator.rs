//! What a condition can ask of a field.

use std::cmp::Ordering;

use super::super::fields::{FieldValue, Form};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// It is this.
    Is,
    /// It is not this.
    Not,
    /// It is one of these.
    AnyOf,
    /// It is none of these.
    NoneOf,
    /// This or more; this moment or later.
    AtLeast,
    /// More; later.
    Above,
    /// This or less; this moment or earlier.
    AtMost,
    /// Less; earlier.
    Below,
    /// This is somewhere in it.
    Contains,
    /// It begins with this.
    StartsWith,
    /// It ends with this.
    EndsWith,
    /// Whether anything is known.
    Known,
}

impl Operator {
    /// Every operator.
    pub const ALL: [Self; 12] = [
        Self::Is,
        Self::Not,
        Self::AnyOf,
        Self::NoneOf,
        Self::AtLeast,
        Self::Above,
        Self::AtMost,
        Self::Below,
        Self::Contains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Known,
    ];

    /// Its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Is => "is",
            Self::Not => "not",
            Self::AnyOf => "any_of",
            Self::NoneOf => "none_of",
            Self::AtLeast => "at_least",
            Self::Above => "above",
            Self::AtMost => "at_most",
            Self::Below => "below",
            Self::Contains => "contains",
            Self::StartsWith => "starts_with",
            Self::EndsWith => "ends_with",
            Self::Known => "known",
        }
    }

    /// The operator of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.name() == name)
    }

    /// Whether it can be asked of a field of this form.
    pub const fn suits(self, form: Form) -> bool {
        match self {
            Self::Is | Self::Not | Self::Known => true,
            Self::AnyOf | Self::NoneOf => !matches!(form, Form::Flag),
            Self::AtLeast | Self::Above | Self::AtMost | Self::Below => matches!(form, Form::Number | Form::Time),
            Self::Contains | Self::StartsWith | Self::EndsWith => matches!(form, Form::Text),
        }
    }

    /// Whether it compares with a list.
    pub const fn takes_several(self) -> bool {
        matches!(self, Self::AnyOf | Self::NoneOf)
    }

    /// Whether it holds of what is not known, whatever it is compared with.
    pub(super) const fn holds_of_unknown(self) -> bool {
        matches!(self, Self::Not | Self::NoneOf)
    }

    /// Whether it holds of what is known. [`Operator::Known`] is not asked here.
    pub(super) fn compare(self, found: &FieldValue, values: &[FieldValue]) -> bool {
        let ordered = |wanted: fn(Ordering) -> bool| values.iter().all(|value| order(found, value).is_some_and(wanted));
        let text = |wanted: fn(&str, &str) -> bool| {
            values.iter().all(|value| match (found, value) {
                (FieldValue::Text(found), FieldValue::Text(value)) => wanted(found, value),
                _ => false,
            })
        };
        match self {
            Self::Is | Self::AnyOf => values.contains(found),
            Self::Not | Self::NoneOf => !values.contains(found),
            Self::AtLeast => ordered(Ordering::is_ge),
            Self::Above => ordered(Ordering::is_gt),
            Self::AtMost => ordered(Ordering::is_le),
            Self::Below => ordered(Ordering::is_lt),
            Self::Contains => text(|found, value| found.contains(value)),
            Self::StartsWith => text(|found, value| found.starts_with(value)),
            Self::EndsWith => text(|found, value| found.ends_with(value)),
            Self::Known => true,
        }
    }
}

fn order(a: &FieldValue, b: &FieldValue) -> Option<Ordering> {
    match (a, b) {
        (FieldValue::Number(a), FieldValue::Number(b)) => Some(a.cmp(b)),
        (FieldValue::Time(a), FieldValue::Time(b)) => Some(a.cmp(b)),
        _ => None,
    }
}
