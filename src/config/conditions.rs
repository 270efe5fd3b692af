//! Filters as the file writes them: `only = { pricing_tier = ["premium", "enterprise"], value = { at_least = 50 } }`.

use toml::de::{DeTable, DeValue};

use super::definitions::{Form as Written, any};
use super::problem::Wrong;
use super::reader::{Item, Place, Reader, join};
use super::value::{self, Value};
use crate::destinations::fields::{FIELDS, Field, FieldValue, Form};
use crate::destinations::filter::{Case, Condition, Misfit, Operator, plural};
use crate::model::business_event::EventKind;
use crate::model::contact::Stage;
use crate::model::id::Mode;
use crate::model::money::{Currency, Decimal};
use crate::model::subscription::SubscriptionStatus;
use crate::model::time::{Timestamp, parse_utc};

/// Known only while a request is made, so that nothing can be decided by it.
const NOT_FOR_FILTERS: &str = "external_id";

/// Reads the cases, reporting what is wrong with them; none when something is.
pub(super) fn read(reader: &Reader<'_>, place: &Place, item: &Item<'_>) -> Option<Vec<Case>> {
    match item.get_ref() {
        DeValue::Table(table) => Some(vec![case(reader, place, table)?]),
        DeValue::Array(items) if items.is_empty() => {
            reader.report(place, Wrong::new("must not be empty").but("leave it out to let everything through"));
            None
        }
        DeValue::Array(items) => {
            let cases: Vec<Option<Case>> = items
                .iter()
                .enumerate()
                .map(|(at, item)| {
                    let line = reader.line_of(item.span().start).or(place.line);
                    let place = Place { key: format!("{}[{at}]", place.key), line };
                    match item.get_ref() {
                        DeValue::Table(table) => case(reader, &place, table),
                        other => {
                            let found = value::called(other);
                            let wrong = format!(
                                "must be a table of conditions like {{ value = {{ at_least = 50 }} }}, not {found}"
                            );
                            reader.report(&place, Wrong::new(wrong));
                            None
                        }
                    }
                })
                .collect();
            cases.into_iter().collect()
        }
        other => {
            let wrong = format!("must be {}, not {}", Written::Cases.expected(), value::called(other));
            reader.report(place, Wrong::new(wrong));
            None
        }
    }
}

fn case(reader: &Reader<'_>, place: &Place, table: &DeTable<'_>) -> Option<Case> {
    if table.is_empty() {
        reader.report(place, Wrong::new("holds no condition").but("leave it out to let everything through"));
        return None;
    }
    let mut is_right = true;
    let mut conditions = Vec::new();
    for (name, item) in in_order(table) {
        let place = Place { key: join(&place.key, name.get_ref()), line: reader.line_of(name.span().start) };
        match field(reader, &place, name.get_ref()).and_then(|field| of_field(reader, &place, field, item)) {
            Some(read) => conditions.extend(read),
            None => is_right = false,
        }
    }
    Case::new(conditions).filter(|_| is_right)
}

/// As they stand in the file.
fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(&'t toml::Spanned<std::borrow::Cow<'i, str>>, &'t Item<'i>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

fn field(reader: &Reader<'_>, place: &Place, name: &str) -> Option<&'static Field> {
    let found = Field::named(name).filter(|field| field.name != NOT_FOR_FILTERS);
    if found.is_none() {
        let known = FIELDS.iter().map(|field| field.name).filter(|name| *name != NOT_FOR_FILTERS);
        reader.report(place, Wrong::new("is not known of any event or person").or_nearest(name, known));
    }
    found
}

/// What is asked of one field.
fn of_field(reader: &Reader<'_>, place: &Place, field: &'static Field, item: &Item<'_>) -> Option<Vec<Condition>> {
    let one = |place: &Place, operator, item| condition(reader, place, field, operator, item).map(|read| vec![read]);
    let DeValue::Table(table) = item.get_ref() else {
        let is_list = item.get_ref().is_array();
        return one(place, if is_list { Operator::AnyOf } else { Operator::Is }, item);
    };
    if table.is_empty() {
        let known = suiting(field.form).join(", ");
        reader.report(place, Wrong::new("holds no condition").but(format!("known here: {known}")));
        return None;
    }
    let mut conditions = Vec::new();
    let mut is_right = true;
    for (name, item) in in_order(table) {
        let place = Place { key: join(&place.key, name.get_ref()), line: reader.line_of(name.span().start) };
        let Some(operator) = Operator::named(name.get_ref()) else {
            let known = suiting(field.form);
            let wrong = Wrong::new("is not a known condition").or_nearest(name.get_ref(), known.iter().copied());
            reader.report(&place, wrong);
            is_right = false;
            continue;
        };
        match one(&place, operator, item) {
            Some(read) => conditions.extend(read),
            None => is_right = false,
        }
    }
    is_right.then_some(conditions)
}

/// The operators that can be asked of a form.
fn suiting(form: Form) -> Vec<&'static str> {
    Operator::ALL.into_iter().filter(|operator| operator.suits(form)).map(Operator::name).collect()
}

fn condition(
    reader: &Reader<'_>,
    place: &Place,
    field: &'static Field,
    operator: Operator,
    item: &Item<'_>,
) -> Option<Condition> {
    if !operator.suits(field.form) {
        let wrong = Wrong::new(format!("does not suit {}, which holds {}", field.name, plural(field.form)));
        reader.report(place, wrong.but(format!("known here: {}", suiting(field.form).join(", "))));
        return None;
    }
    let items: Vec<(Place, &Item<'_>)> = match item.get_ref() {
        DeValue::Array(items) if items.is_empty() => {
            reader.report(place, Wrong::new("must not be empty"));
            return None;
        }
        DeValue::Array(items) if operator.takes_several() => {
            let element = |(at, item): (usize, &'_ Item<'_>)| Place {
                key: format!("{}[{at}]", place.key),
                line: reader.line_of(item.span().start).or(place.line),
            };
            items.iter().enumerate().map(|(at, item)| (element((at, item)), item)).collect()
        }
        _ => vec![(place.clone(), item)],
    };
    let form = if operator == Operator::Known { Form::Flag } else { field.form };
    let mut values: Vec<FieldValue> = Vec::new();
    let mut is_right = true;
    for (place, item) in items {
        match operand(reader, &place, field, form, item) {
            Some(value) => values.push(value),
            None => is_right = false,
        }
    }
    if !is_right {
        return None;
    }
    let condition = Condition::new(field, operator, values);
    condition.map_err(|misfit: Misfit| reader.report(place, Wrong::new(misfit.to_string()))).ok()
}

/// What a field is compared with.
fn operand(reader: &Reader<'_>, place: &Place, field: &Field, form: Form, item: &Item<'_>) -> Option<FieldValue> {
    let report = |wrong: Wrong| reader.report(place, wrong);
    let mismatch =
        |wanted: &str| report(Wrong::new(format!("must be {wanted}, not {}", value::called(item.get_ref()))));
    match (form, item.get_ref()) {
        (Form::Flag, DeValue::Boolean(flag)) => Some(FieldValue::Flag(*flag)),
        (Form::Number, DeValue::Integer(number)) if number.radix() == 10 => decimal(report, number.as_str()),
        (Form::Number, DeValue::Float(number)) => decimal(report, number.as_str()),
        (Form::Time, DeValue::Datetime(moment)) => {
            let read = time(&moment.to_string());
            if read.is_none() {
                mismatch(A_DATE);
            }
            read.map(FieldValue::Time)
        }
        (Form::Text, DeValue::String(_) | DeValue::Table(_)) => {
            let Some(Value::Text(text)) = value::read(reader, place, &Written::Text(any), item) else { return None };
            match check_word(field, text.trim()) {
                Ok(()) => Some(FieldValue::Text(text)),
                Err(wrong) => {
                    report(wrong);
                    None
                }
            }
        }
        (form, _) => {
            mismatch(match form {
                Form::Text => "a text in quotes",
                Form::Number => "a number without quotes like 50 or 49.90",
                Form::Time => A_DATE,
                Form::Flag => "true or false, without quotes",
            });
            None
        }
    }
}

const A_DATE: &str = "a date without quotes like 2026-11-20 or 2026-11-20T14:00:00Z";

fn decimal(report: impl Fn(Wrong), text: &str) -> Option<FieldValue> {
    let read = text.replace('_', "").parse::<Decimal>();
    read.map(FieldValue::Number)
        .map_err(|_| report(Wrong::new("must be a number of at most 18 digits like 50 or 49.90")))
        .ok()
}

/// A date or a moment, in UTC unless it says otherwise.
fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| parse_utc(text))
}

/// Whether a text is one that the field can hold, where it can hold only some.
fn check_word(field: &Field, text: &str) -> Result<(), Wrong> {
    if text.is_empty() {
        return Err(Wrong::new("must not be empty").but("write { known = false } for what is not known"));
    }
    let text = text.to_lowercase();
    let one_of = |what: &str, known: Vec<&'static str>| match known.contains(&text.as_str()) {
        true => Ok(()),
        false => Err(Wrong::new(format!("{text:?} is not a known {what}")).or_nearest(&text, known.into_iter())),
    };
    use SubscriptionStatus::{Active, Ended, NotBegun, Overdue, Paused, Trialing};
    match field.name {
        "kind" => one_of("business event", EventKind::named().collect()),
        "environment" => one_of("environment", [Mode::Live, Mode::Test].map(Mode::name).to_vec()),
        "lifecycle_stage" => one_of("stage", [Stage::Lead, Stage::Customer, Stage::Churned].map(Stage::name).to_vec()),
        "subscription_status" => {
            let known = [NotBegun, Trialing, Active, Overdue, Paused, Ended];
            one_of("status of a subscription", known.map(SubscriptionStatus::name).to_vec())
        }
        "currency" | "last_transaction_currency" => match text.parse::<Currency>() {
            Ok(currency) if currency.is_known() => Ok(()),
            _ => Err(Wrong::new(format!("{text:?} is not a known currency"))
                .but("write a code of three letters like \"eur\"")),
        },
        _ => Ok(()),
    }
}
