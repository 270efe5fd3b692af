//! Reading what HighLevel answers: contacts, duplicates, messages, limits, the list of custom fields.

use std::time::Duration;

use serde_json::Value;

use super::Mapped;
use super::body::Place;
use crate::destinations::fields::Form;
use crate::destinations::{HttpResponse, status};

/// A day's limit is tried again after this long where the answer does not tell when the day ends.
const DAY_LIMIT: Duration = Duration::from_secs(3600);
/// No day is longer, whatever an answer says.
const DAY: Duration = Duration::from_secs(86_400);

fn parse(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
}

/// The message of a refusal in lower case, which is a text or a list of texts. Not for showing: it repeats what was sent.
pub fn message(body: &[u8]) -> String {
    let Some(answer) = parse(body) else { return String::new() };
    let said = match answer.get("message") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
        _ => String::new(),
    };
    said.to_lowercase()
}

/// What an answer tells of a contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// HighLevel's id.
    pub id: String,
    /// Whether the answer told of the contact; else nobody knows what it lacks.
    pub is_told: bool,
    /// Its main e-mail address.
    pub email: Option<String>,
    /// Its phone number.
    pub phone: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
}

impl Known {
    /// A contact of which only the id is known.
    pub fn unseen(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }
}

/// The contact in the answer to an upsert or a change.
pub fn contact(body: &[u8]) -> Option<Known> {
    let answer = parse(body)?;
    let contact = answer.get("contact")?;
    let text = |name: &str| {
        let text = contact.get(name)?.as_str()?.trim();
        (!text.is_empty()).then(|| text.to_owned())
    };
    let tags = contact.get("tags").and_then(Value::as_array).into_iter().flatten();
    Some(Known {
        id: text("id")?,
        is_told: true,
        email: text("email"),
        phone: text("phone"),
        tags: tags.filter_map(Value::as_str).map(str::to_owned).collect(),
    })
}

/// Whom a look-up found; none when the answer tells neither that there is somebody nor that there is nobody.
pub fn found(body: &[u8]) -> Option<Option<String>> {
    let answer = parse(body)?;
    match answer.get("contact")? {
        Value::Null => Some(None),
        contact => Some(Some(contact.get("id")?.as_str().filter(|id| !id.is_empty())?.to_owned())),
    }
}

/// Another contact that has an address already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Its id.
    pub id: String,
    /// `email` or `phone`.
    pub field: Option<String>,
}

/// The other contact in a refusal like `This location does not allow duplicated contacts.`
pub fn duplicate(body: &[u8]) -> Option<Duplicate> {
    if !message(body).contains("duplicate") {
        return None;
    }
    let answer = parse(body)?;
    let meta = answer.get("meta")?;
    let id = meta.get("contactId")?.as_str().filter(|id| !id.is_empty())?.to_owned();
    Some(Duplicate { id, field: meta.get("matchingField").and_then(Value::as_str).map(str::to_owned) })
}

/// How long to wait after a 429: until the day's limit begins anew where nothing is left of it, else for the interval of the
/// narrow one (HighLevel: rate limits). None when the answer tells nothing.
pub fn wait(response: &HttpResponse) -> Option<Duration> {
    let number = |name: &str| response.header(name)?.trim().parse::<u64>().ok();
    if number("x-ratelimit-daily-remaining") == Some(0) {
        let reset = number("x-ratelimit-daily-reset").map(Duration::from_millis);
        return Some(reset.filter(|reset| !reset.is_zero() && *reset <= DAY).unwrap_or(DAY_LIMIT));
    }
    number("x-ratelimit-interval-milliseconds").map(|interval| Duration::from_millis(interval).min(DAY))
}

/// What is wrong with the sub-account's custom fields, as sentences; none when the answer is no list of them.
pub fn lacking(body: &[u8], mapped: &[Mapped]) -> Option<Vec<String>> {
    let answer = parse(body)?;
    let list = answer.get("customFields")?.as_array()?;
    let text = |of: &Value, name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let known: Vec<String> = list.iter().map(|there| text(there, "fieldKey")).filter(|key| !key.is_empty()).collect();
    let mut wrong = Vec::new();
    for Mapped { field, place } in mapped {
        let named = if matches!(place, Place::Id(_)) { "id" } else { "fieldKey" };
        let Some(there) = list.iter().find(|there| text(there, named) == place.name()) else {
            let keys = if known.is_empty() { "none is there".to_owned() } else { known.join(", ") };
            wrong.push(format!(
                "HighLevel takes the token, but has no custom field `{}` (for {}): create it (Settings, Custom Fields), or correct \
                 `fields`; there are: {}",
                place.name(),
                field.name,
                status::cut(&keys, 300)
            ));
            continue;
        };
        let of = text(there, "dataType");
        if !fits(field.form, &of) {
            let of = status::cut(&of, 40);
            wrong.push(format!(
                "the custom field `{}` is of type {of}, which does not take {}",
                place.name(),
                field.name
            ));
        }
    }
    Some(wrong)
}

/// Whether a custom field of a type takes what a field holds. Types that nobody has heard of are left to HighLevel.
fn fits(form: Form, of: &str) -> bool {
    match of {
        "NUMERICAL" | "MONETORY" => form == Form::Number,
        "DATE" => form == Form::Time,
        "FILE_UPLOAD" | "SIGNATURE" => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_texts_or_lists() {
        for (body, said) in [
            (r#"{"message":"Contact Not Found for id x"}"#, "contact not found for id x"),
            (r#"{"message":["email must be an email","phone X"]}"#, "email must be an email; phone x"),
            (r#"{"message":{"a":1}}"#, ""),
            ("{}", ""),
            ("<html>", ""),
        ] {
            assert_eq!(message(body.as_bytes()), said);
        }
    }

    #[test]
    fn a_look_up_finds_somebody_nobody_or_says_nothing() {
        for (body, expected) in [
            (r#"{"contact":{"id":"abc"},"traceId":"t"}"#, Some(Some("abc".to_owned()))),
            (r#"{"contact":null,"traceId":"t"}"#, Some(None)),
            (r#"{"traceId":"t"}"#, None),
            (r#"{"contact":{}}"#, None),
            (r#"{"contact":{"id":""}}"#, None),
            ("", None),
        ] {
            assert_eq!(found(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn limits_tell_how_long_to_wait() {
        let at = |headers: &[(&'static str, &str)]| {
            let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            wait(&HttpResponse { status: 429, retry_after: None, body: Vec::new(), headers })
                .map(|wait| wait.as_millis())
        };
        const DAILY: &str = "x-ratelimit-daily-remaining";
        const RESET: &str = "x-ratelimit-daily-reset";
        const INTERVAL: &str = "x-ratelimit-interval-milliseconds";
        assert_eq!(at(&[(DAILY, "1500"), (INTERVAL, "10000")]), Some(10_000));
        assert_eq!(at(&[(DAILY, "0"), (RESET, "7200000"), (INTERVAL, "10000")]), Some(7_200_000));
        for odd in ["", "soon", "0", "1700000000000", "-1"] {
            assert_eq!(at(&[(DAILY, "0"), (RESET, odd)]), Some(3_600_000), "{odd}");
        }
        assert_eq!(at(&[(DAILY, "0")]), Some(3_600_000));
        assert_eq!(at(&[(INTERVAL, "99999999999999")]), Some(86_400_000));
        assert_eq!(at(&[(INTERVAL, "x")]), None);
        assert_eq!(at(&[]), None);
    }
}
