//! What is wrong with a configuration, said so that a person can put it right.

use std::fmt;

use crate::model::typing::letters_apart;
use serde::Serialize;

/// One mistake, or one remark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The file as it was named, or `environment`.
    pub file: String,
    /// The line, counted from 1; none when there is no line to point at.
    pub line: Option<usize>,
    /// The dotted path of the key, or the variable; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong. Never contains a secret.
    pub message: String,
    /// What to do about it.
    pub suggestion: Option<String>,
}

impl fmt::Display for Problem {
    /// `tallyhook.toml:12: sources.stripe.tolarance: unknown key; did you mean "tolerance"?`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        f.write_str(": ")?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; {suggestion}"),
            None => Ok(()),
        }
    }
}

/// Every mistake of a configuration at once, in order of lines; never empty when returned as an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    /// One problem a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// What is wrong with one value, before it is known where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// As it follows the key: `must be at least 1s`.
    pub message: String,
    /// What to do about it.
    pub suggestion: Option<String>,
}

impl Wrong {
    /// Without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), suggestion: None }
    }

    /// The same with advice.
    pub fn but(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// The same with `did you mean …?` when one of the known names is near, else with all of them.
    pub fn or_nearest<'a>(self, given: &str, known: impl Iterator<Item = &'a str> + Clone) -> Self {
        match nearest(given, known.clone()) {
            Some(near) => self.but(format!("did you mean {near:?}?")),
            None => self.but(format!("known here: {}", known.collect::<Vec<_>>().join(", "))),
        }
    }
}

/// The known name that was probably meant: at most a third of its letters wrong.
pub(super) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A mistyped name is short; the distance of a long one would cost its square.
    if given.len() > 64 {
        return None;
    }
    known
        .map(|name| (letters_apart(given, name), name))
        .filter(|(distance, name)| *distance <= (name.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let known = ["tolerance", "secrets", "settle", "settle_late"];
        for (given, near) in [
            ("tolarance", Some("tolerance")),
            ("Secret", Some("secrets")),
            ("settle-late", Some("settle_late")),
            ("settel", Some("settle")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, known.into_iter()), near, "{given}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), known.into_iter()), None);
    }

    #[test]
    fn problems_print_one_a_line() {
        let problem = Problem {
            file: "tallyhook.toml".into(),
            line: Some(12),
            key: "sources.stripe.tolarance".into(),
            message: "unknown key".into(),
            suggestion: Some("did you mean \"tolerance\"?".into()),
        };
        let whole = Problem { line: None, key: String::new(), suggestion: None, ..problem.clone() };
        assert_eq!(
            Problems(vec![problem, whole]).to_string(),
            "tallyhook.toml:12: sources.stripe.tolarance: unknown key; did you mean \"tolerance\"?\ntallyhook.toml: unknown key"
        );
    }
}
