//! Filters in words, and why one keeps an event back. Of a field that says who somebody is neither its value nor what it is
//! compared with is shown.

use std::fmt;

use super::super::fields::{FieldValue, Subject};
use super::super::redact;
use super::{Case, Condition, Filter, Operator};

/// No value is shown longer than this, in characters.
const LONGEST: usize = 60;

impl fmt::Display for Condition {
    /// `pricing_tier is premium or enterprise`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.field.name;
        let wants = |value: &FieldValue| self.values.contains(value);
        let ask = match self.operator {
            Operator::Known if wants(&FieldValue::Flag(true)) => return write!(f, "{name} is known"),
            Operator::Known => return write!(f, "{name} is not known"),
            Operator::Is | Operator::AnyOf => "is",
            Operator::Not => "is not",
            Operator::NoneOf => "is none of",
            Operator::AtLeast => "is at least",
            Operator::Above => "is above",
            Operator::AtMost => "is at most",
            Operator::Below => "is below",
            Operator::Contains => "contains",
            Operator::StartsWith => "starts with",
            Operator::EndsWith => "ends with",
        };
        if self.field.personal {
            return write!(f, "{name} {ask} …");
        }
        let values: Vec<String> = self.values.iter().map(shown).collect();
        let joint = if self.operator == Operator::NoneOf { ", " } else { " or " };
        write!(f, "{name} {ask} {}", values.join(joint))
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        join(f, &self.0, " and ")
    }
}

impl Filter {
    /// What it lets through, in words: `pricing_tier is premium and value is at least 50`; none where `only` is not given.
    pub fn only(&self) -> Option<String> {
        alternatives(&self.only)
    }

    /// What it keeps back, in words; none where `except` is not given.
    pub fn except(&self) -> Option<String> {
        alternatives(&self.except)
    }

    /// Why it keeps a business event back: the conditions that are not met, or the case of `except` that is, each with what the
    /// field holds. None when it lets it through.
    pub fn refusal(&self, subject: &Subject<'_>) -> Option<String> {
        if let Some(case) = self.except.iter().find(|case| case.holds(subject)) {
            let held: Vec<String> = case.0.iter().map(|condition| with_value(condition, subject)).collect();
            return Some(format!("`except` keeps back where {}", held.join(" and ")));
        }
        if self.admits(subject) {
            return None;
        }
        let unmet = |case: &Case| {
            let unmet = case.0.iter().filter(|condition| !condition.holds(subject));
            unmet.map(|condition| with_value(condition, subject)).collect::<Vec<_>>().join(" and ")
        };
        let cases: Vec<String> = self.only.iter().map(unmet).collect();
        Some(match &cases[..] {
            [case] => format!("`only` lets through where {case}"),
            cases => format!("no case of `only` is met: {}", cases.join(", or ")),
        })
    }
}

/// `value is at least 50 (it is 20)`.
fn with_value(condition: &Condition, subject: &Subject<'_>) -> String {
    let found = match condition.found(subject) {
        None => "it is not known".to_owned(),
        Some(_) if condition.field.personal => "it is known, and not shown".to_owned(),
        Some(value) => format!("it is {}", shown(&value)),
    };
    format!("{condition} ({found})")
}

fn shown(value: &FieldValue) -> String {
    match value {
        FieldValue::Text(text) => {
            let text = redact::text(text);
            let short: String = text.chars().take(LONGEST).collect();
            let rest = if short.len() < text.len() { "…" } else { "" };
            format!("{:?}", format!("{short}{rest}"))
        }
        other => other.text(),
    }
}

fn alternatives(cases: &[Case]) -> Option<String> {
    (!cases.is_empty()).then(|| cases.iter().map(Case::to_string).collect::<Vec<_>>().join(", or "))
}

fn join(f: &mut fmt::Formatter<'_>, parts: &[impl fmt::Display], joint: &str) -> fmt::Result {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            f.write_str(joint)?;
        }
        part.fmt(f)?;
    }
    Ok(())
}
