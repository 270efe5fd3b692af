//! One value of the file, read in the form that its definition wants.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::address;
use super::conditions;
use super::definitions::{Check, Form, LATER};
use super::problem::Wrong;
use super::reader::{Item, Place, Reader};
use super::text::{self, Given, Origin};
use crate::destinations::fields::{FIELDS, Field};
use crate::destinations::filter::Case;
use crate::model::business_event::EventKind;
use crate::model::rate::RateLimit;
use crate::model::secret::Secret;
use crate::model::time::{format_span, parse_span};

/// A value that was read and is within its bounds.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// Of [`Form::Flag`].
    Flag(bool),
    /// Of [`Form::Count`] and [`Form::Size`].
    Number(u64),
    /// Of [`Form::Span`].
    Span(Duration),
    /// Of [`Form::Rate`]; none is no limit.
    Rate(Option<RateLimit>),
    /// Of [`Form::Choice`], [`Form::Word`], [`Form::Text`], [`Form::TextOrNothing`] and [`Form::Url`].
    Text(String),
    /// Of [`Form::Listen`].
    Listen(SocketAddr),
    /// Of [`Form::Path`].
    Path(PathBuf),
    /// Of [`Form::Secret`].
    Secret(Secret),
    /// Of [`Form::Spans`], [`Form::Choices`], [`Form::Texts`] and [`Form::Secrets`].
    List(Vec<Value>),
    /// Of [`Form::EventNames`].
    EventNames(Vec<(EventKind, String)>),
    /// Of [`Form::Cases`].
    Cases(Vec<Case>),
    /// Of [`Form::Fields`]; none leaves a name out.
    Fields(Vec<(String, Option<&'static Field>)>),
    /// Of [`Form::Named`], [`Form::Renamed`] and [`Form::Pairs`], in the order of the file.
    Pairs(Vec<(String, String)>),
}

/// Reads one value, reporting what is wrong with it; none when something is.
pub(super) fn read(reader: &Reader<'_>, place: &Place, form: &Form, item: &Item<'_>) -> Option<Value> {
    let result = match (form, item.get_ref()) {
        (Form::Refused(answer), _) => Err(Wrong::new(*answer)),
        (Form::Flag, DeValue::Boolean(flag)) => Ok(Value::Flag(*flag)),
        (Form::Count(..) | Form::Size(..), DeValue::Integer(number)) => {
            u64::from_str_radix(number.as_str(), number.radix())
                .map_err(|_| out_of_bounds(form))
                .and_then(|number| bounded(form, number).map(|()| Value::Number(number)))
        }
        (Form::Span(..), DeValue::Integer(number)) => match number.as_str() {
            "0" => span_within(form, Duration::ZERO), // zero needs no unit
            number => Err(mismatch(form, item.get_ref()).but(format!("write a unit, \"{number}s\" or \"{number}m\""))),
        },
        (Form::Spans(longest), DeValue::Array(items)) => {
            return list(reader, place, &Form::Span(Duration::ZERO, *longest), items);
        }
        (Form::Choices(what, words), DeValue::Array(items)) => {
            return list(reader, place, &Form::Word(what, *words), items);
        }
        (Form::Texts(check), DeValue::Array(items)) => return list(reader, place, &Form::Text(*check), items),
        (Form::Texts(check), DeValue::String(_)) => {
            return read(reader, place, &Form::Text(*check), item).map(|text| Value::List(vec![text]));
        }
        (Form::Secrets(check), DeValue::Array(items)) => return list(reader, place, &Form::Secret(*check), items),
        (Form::EventNames(check), DeValue::Table(table)) => return event_names(reader, place, *check, table),
        (Form::Cases, _) => return conditions::read(reader, place, item).map(Value::Cases),
        (Form::Fields(check), DeValue::Table(table)) => return fields(reader, place, *check, table),
        (Form::Named(what, words, check), DeValue::Table(table)) => {
            return pairs(reader, place, table, check, &Form::Word(what, *words));
        }
        (Form::Pairs(name, text), DeValue::Table(table)) => {
            return pairs(reader, place, table, name, &Form::Text(*text));
        }
        (Form::Renamed(what, words, check), DeValue::Table(table)) => {
            let is_word = |name: &str| match words().contains(&name) {
                true => Ok(()),
                false => Err(Wrong::new(format!("is not a known {what}")).or_nearest(name, words().into_iter())),
            };
            return pairs(reader, place, table, is_word, &Form::TextOrNothing(*check));
        }
        (
            Form::Flag
            | Form::Count(..)
            | Form::Spans(_)
            | Form::Choices(..)
            | Form::Texts(_)
            | Form::Secrets(_)
            | Form::EventNames(_)
            | Form::Fields(_)
            | Form::Named(..)
            | Form::Renamed(..)
            | Form::Pairs(..)
            | Form::Table(_),
            other,
        ) => Err(mismatch(form, other)),
        (_, other) => match text::fetch(reader, item) {
            None => Err(mismatch(form, other)),
            Some(Err(wrong)) => Err(wrong),
            Some(Ok(given)) => from_text(reader, form, given),
        },
    };
    result.map_err(|wrong| reader.report(place, wrong)).ok()
}

/// Reads a text in a form that is written as one.
fn from_text(reader: &Reader<'_>, form: &Form, given: Given) -> Result<Value, Wrong> {
    let Given { text, origin } = given;
    let blame = |wrong: Wrong| Wrong { message: format!("{}{}", origin.subject(), wrong.message), ..wrong };
    if let Form::Secret(check) = form {
        if origin == Origin::Written {
            reader.note_secret();
        }
        // Into the type that is never printed at once, whatever is found wrong with it.
        let secret = Secret::new(text);
        return text::check_secret(secret.expose())
            .and_then(|()| check(secret.expose()))
            .map_err(blame)
            .map(|()| Value::Secret(secret));
    }
    // A value of a variable or of the file itself may be quoted; what comes from a file of its own is likely a secret.
    let quoted = match origin {
        Origin::Written | Origin::Variable(_) if text.chars().count() <= 80 => format!(", not {text:?}"),
        _ => String::new(),
    };
    let unexpected = || Wrong::new(format!("must be {}{quoted}", form.expected()));
    let read = |text: &str| -> Result<Value, Wrong> {
        if text.is_empty() && matches!(form, Form::TextOrNothing(_)) {
            return Ok(Value::Text(String::new()));
        }
        text::check(text)?;
        match form {
            Form::Size(..) => {
                let size = parse_size(text).ok_or_else(unexpected)?;
                bounded(form, size).map(|()| Value::Number(size))
            }
            Form::Span(..) => parse_span(text).map_err(|_| unexpected()).and_then(|span| span_within(form, span)),
            Form::Rate if text == "off" => Ok(Value::Rate(None)),
            Form::Rate => RateLimit::parse(text).map(|rate| Value::Rate(Some(rate))).map_err(|_| unexpected()),
            Form::Choice(words, _) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
            Form::Choice(_, later) if later.contains(&text) => Err(Wrong::new(format!("{text:?} {LATER}"))),
            Form::Choice(words, _) => Err(match super::problem::nearest(text, words.iter().copied()) {
                Some(near) => unexpected().but(format!("did you mean {near:?}?")),
                None => unexpected(),
            }),
            Form::Word(what, words) => {
                let words = words();
                if words.contains(&text) {
                    return Ok(Value::Text(text.to_owned()));
                }
                let subject = if quoted.is_empty() { String::new() } else { format!("{text:?} ") };
                Err(Wrong::new(format!("{subject}is not a known {what}")).or_nearest(text, words.into_iter()))
            }
            Form::Listen => text.parse().map(Value::Listen).map_err(|_| unexpected()),
            Form::Path => Ok(Value::Path(reader.path(text))),
            Form::Url(shape) => address::check(text, *shape).map(Value::Text).map_err(Wrong::new),
            Form::Text(check) | Form::TextOrNothing(check) => check(text).map(|()| Value::Text(text.to_owned())),
            _ => Err(unexpected()),
        }
    };
    read(&text).map_err(blame)
}

/// Reads every element in the same form; an empty list and doubles are mistakes, but equal spans are not.
fn list(reader: &Reader<'_>, place: &Place, form: &Form, items: &[Item<'_>]) -> Option<Value> {
    if items.is_empty() {
        let source = if matches!(form, Form::Secret(_)) { ": a source without a secret does not start" } else { "" };
        reader.report(place, Wrong::new(format!("must not be empty{source}")));
        return None;
    }
    let mut values: Vec<Value> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let element =
            Place { key: format!("{}[{at}]", place.key), line: reader.line_of(item.span().start).or(place.line) };
        let Some(value) = read(reader, &element, form, item) else { continue };
        let earlier = values.iter().position(|earlier| match (earlier, &value) {
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Secret(a), Value::Secret(b)) => a == b,
            _ => false,
        });
        if let Some(earlier) = earlier {
            reader
                .report(&element, Wrong::new(format!("is the same as {}[{earlier}]", place.key)).but("leave one out"));
        }
        values.push(value);
    }
    (values.len() == items.len()).then_some(Value::List(values))
}

fn event_names(reader: &Reader<'_>, place: &Place, check: Check, table: &DeTable<'_>) -> Option<Value> {
    let mut names = Vec::new();
    for (kind, item) in table {
        let element =
            Place { key: super::reader::join(&place.key, kind.get_ref()), line: reader.line_of(kind.span().start) };
        if super::definitions::EVENT(kind.get_ref()).is_err() {
            let known: Vec<_> = EventKind::named().collect();
            let wrong = Wrong::new("is not a known business event");
            reader.report(&element, wrong.or_nearest(kind.get_ref(), known.into_iter()));
            continue;
        }
        if let (Ok(kind), Some(Value::Text(name))) =
            (kind.get_ref().parse(), read(reader, &element, &Form::Text(check), item))
        {
            names.push((kind, name));
        }
    }
    (names.len() == table.len()).then_some(Value::EventNames(names))
}

fn fields(reader: &Reader<'_>, place: &Place, check: Check, table: &DeTable<'_>) -> Option<Value> {
    let anything: Check = |_| Ok(());
    let mut fields = Vec::new();
    for (name, item) in table {
        let line = reader.line_of(name.span().start);
        let element = Place { key: super::reader::join(&place.key, name.get_ref()), line };
        if let Err(wrong) = check(name.get_ref()) {
            reader.report(&element, wrong);
            continue;
        }
        let Some(Value::Text(told)) = read(reader, &element, &Form::TextOrNothing(anything), item) else { continue };
        let field = Field::named(&told);
        if field.is_none() && !told.is_empty() {
            let wrong = Wrong::new(format!("{told:?} is nothing that can be told"));
            reader.report(&element, wrong.or_nearest(&told, FIELDS.iter().map(|field| field.name)));
            continue;
        }
        fields.push((name.get_ref().to_string(), field));
    }
    (fields.len() == table.len()).then_some(Value::Fields(fields))
}

/// A table of pairs: a check of its keys, and the form of its values.
fn pairs(
    reader: &Reader<'_>,
    place: &Place,
    table: &DeTable<'_>,
    check: impl Fn(&str) -> Result<(), Wrong>,
    form: &Form,
) -> Option<Value> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (key, item) in entries {
        let name: &str = key.get_ref();
        let line = reader.line_of(key.span().start).or(place.line);
        let element = Place { key: super::reader::join(&place.key, name), line };
        let checked = text::check(name).and_then(|()| check(name)).map_err(|wrong| reader.report(&element, wrong));
        if let (Ok(()), Some(Value::Text(value))) = (checked, read(reader, &element, form, item)) {
            // Where the values are the names, one name for two would lose one of them.
            let earlier = pairs.iter().find(|(_, earlier)| *earlier == value && !value.is_empty());
            if let (Some((earlier, _)), Form::TextOrNothing(_)) = (earlier, form) {
                let wrong = Wrong::new(format!("is the same name as that of {earlier}"));
                reader.report(&element, wrong.but("give each a name of its own, or one of them \"\""));
            }
            pairs.push((name.to_owned(), value));
        }
    }
    (pairs.len() == table.len()).then_some(Value::Pairs(pairs))
}

/// Bytes, from `"1MiB"` or `"65536"`.
fn parse_size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok()?;
    let unit: u64 = match text[digits..].trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

fn bounded(form: &Form, number: u64) -> Result<(), Wrong> {
    match form {
        Form::Count(least, most) | Form::Size(least, most) if !(least..=most).contains(&&number) => {
            Err(out_of_bounds(form))
        }
        _ => Ok(()),
    }
}

fn span_within(form: &Form, span: Duration) -> Result<Value, Wrong> {
    match form {
        Form::Span(least, most) if !(least..=most).contains(&&span) => Err(out_of_bounds(form)),
        _ => Ok(Value::Span(span)),
    }
}

fn out_of_bounds(form: &Form) -> Wrong {
    Wrong::new(match form {
        Form::Count(least, most) => format!("must be a whole number from {least} to {most}"),
        Form::Size(least, most) => format!("must be from {} to {}", format_size(*least), format_size(*most)),
        Form::Span(least, most) => format!("must be from {} to {}", format_span(*least), format_span(*most)),
        _ => "is out of bounds".to_owned(),
    })
}

fn format_size(bytes: u64) -> String {
    match bytes {
        0 => "0".to_owned(),
        _ if bytes.is_multiple_of(1 << 30) => format!("{}GiB", bytes >> 30),
        _ if bytes.is_multiple_of(1 << 20) => format!("{}MiB", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{}KiB", bytes >> 10),
        _ => format!("{bytes}B"),
    }
}

fn mismatch(form: &Form, found: &DeValue<'_>) -> Wrong {
    Wrong::new(format!("must be {}, not {}", form.expected(), called(found)))
}

/// What a value is called.
pub(super) const fn called(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text in quotes",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a decimal point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_binary_units_only() {
        for (text, bytes) in [("1MiB", 1 << 20), ("32 KiB", 32 << 10), ("2GiB", 2 << 30), ("512", 512), ("7B", 7)] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for wrong in ["", "MiB", "1MB", "1.5MiB", "-1", "99999999999GiB"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
        assert_eq!(format_size(64 << 20), "64MiB");
        assert_eq!(format_size(1), "1B");
    }
}
