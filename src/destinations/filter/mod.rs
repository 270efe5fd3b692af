//! Which business events a destination gets: conditions on what is told of an event and its person, by the names of
//! [`fields`](super::fields).
//!
//! A filter says `only` (what it gets) and `except` (what it does not), each as one or several cases of which any is enough. All
//! conditions of a case must hold. A condition asks one field with one operator:
//!
//! - Texts are compared without regard to case and outer space, numbers exactly as decimals, moments in UTC.
//! - What is not known equals nothing, is no number and comes at no time: it fulfils `known = false`, `not` and `none_of`, and
//!   nothing else. So `not` is always the opposite of `is`, and `except` that of `only`.
//! - The `value` of a refund, of a lost dispute and of what came back of either is that of its sale, so that a destination that was
//!   told of a sale hears of what is taken back of it, and no other does.
//! - `value` and the other amounts are asked in whatever currency they are; name a `currency` in the same case where several occur.

mod operator;
#[cfg(test)]
mod tests;
mod words;

pub use operator::Operator;

use super::fields::{Field, FieldValue, Form, Subject};

/// What a destination gets and what it does not. Never without any condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    only: Vec<Case>,
    except: Vec<Case>,
}

/// Conditions that must all hold; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case(Vec<Condition>);

/// One question to one field. Its operator suits the field's form, and so does what it is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    field: &'static Field,
    operator: Operator,
    /// Texts are trimmed and in lower case.
    values: Vec<FieldValue>,
}

/// Why a condition can't be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The operator makes no sense for what the field holds: `at_least` of a text.
    #[error("{} does not suit {}", .0.name(), plural(*.1))]
    Operator(Operator, Form),
    /// What it is compared with has another form than the field.
    #[error("is compared with something that is not of the same form")]
    Value,
    /// It is compared with nothing, or with several where one is meant.
    #[error("is compared with too few or too many")]
    Count,
}

/// What a form's values are called.
pub const fn plural(form: Form) -> &'static str {
    match form {
        Form::Text => "texts",
        Form::Number => "numbers",
        Form::Time => "moments",
        Form::Flag => "yes or no",
    }
}

impl Condition {
    /// A condition that makes sense.
    ///
    /// # Errors
    /// When the operator does not suit the field, or what it is compared with doesn't.
    pub fn new(field: &'static Field, operator: Operator, values: Vec<FieldValue>) -> Result<Self, Misfit> {
        if !operator.suits(field.form) {
            return Err(Misfit::Operator(operator, field.form));
        }
        if values.is_empty() || (values.len() > 1 && !operator.takes_several()) {
            return Err(Misfit::Count);
        }
        let wanted = if operator == Operator::Known { Form::Flag } else { field.form };
        if values.iter().any(|value| form_of(value) != wanted) {
            return Err(Misfit::Value);
        }
        let values = values.into_iter().map(folded).collect();
        Ok(Self { field, operator, values })
    }

    /// Whether it holds.
    pub fn holds(&self, subject: &Subject<'_>) -> bool {
        let found = self.found(subject).map(folded);
        match (self.operator, found) {
            (Operator::Known, found) => self.values.contains(&FieldValue::Flag(found.is_some())),
            (operator, None) => operator.holds_of_unknown(),
            (operator, Some(found)) => operator.compare(&found, &self.values),
        }
    }

    fn is_open(&self, subject: &Subject<'_>) -> bool {
        self.found(subject).is_none()
    }

    /// What the field holds. What is given back of a sale goes where the sale went, so that its value is that of the sale.
    fn found(&self, subject: &Subject<'_>) -> Option<FieldValue> {
        let of_sale = subject.event.and_then(|event| event.facts.sale_amount).filter(|_| self.field.name == "value");
        of_sale.map(|sold| FieldValue::Number(sold.decimal())).or_else(|| self.field.of(subject))
    }
}

impl Case {
    /// Conditions that must all hold; none of none.
    pub fn new(conditions: Vec<Condition>) -> Option<Self> {
        (!conditions.is_empty()).then_some(Self(conditions))
    }

    fn holds(&self, subject: &Subject<'_>) -> bool {
        self.0.iter().all(|condition| condition.holds(subject))
    }
}

impl Filter {
    /// One that lets through what fulfils any case of `only` (everything when there is none) and no case of `except`. None when it
    /// would let everything through.
    pub fn new(only: Vec<Case>, except: Vec<Case>) -> Option<Self> {
        (!only.is_empty() || !except.is_empty()).then_some(Self { only, except })
    }

    /// Whether a business event is let through.
    pub fn admits(&self, subject: &Subject<'_>) -> bool {
        let holds = |case: &Case| case.holds(subject);
        (self.only.is_empty() || self.only.iter().any(holds)) && !self.except.iter().any(holds)
    }

    /// Whether something that it asks for is not known so far, so that what is still to come may change the answer.
    pub fn is_open(&self, subject: &Subject<'_>) -> bool {
        self.only.iter().chain(&self.except).flat_map(|case| &case.0).any(|condition| condition.is_open(subject))
    }
}

const fn form_of(value: &FieldValue) -> Form {
    match value {
        FieldValue::Text(_) => Form::Text,
        FieldValue::Number(_) => Form::Number,
        FieldValue::Time(_) => Form::Time,
        FieldValue::Flag(_) => Form::Flag,
    }
}

/// As it is compared: a text without outer space, in lower case.
fn folded(value: FieldValue) -> FieldValue {
    match value {
        FieldValue::Text(text) => FieldValue::Text(text.trim().to_lowercase()),
        other => other,
    }
}
