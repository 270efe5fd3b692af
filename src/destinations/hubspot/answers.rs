//! Reading what HubSpot answers: ids, refused properties, missing scopes, limits, the portal's list of properties.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::super::HttpResponse;
use super::properties::{Mapped, fits};

/// How deep an answer is looked through.
const DEEPEST: usize = 12;

fn parse(body: &[u8]) -> Option<Value> {
    serde_json::from_slice(body).ok()
}

/// The contact's id in the answer to a `POST` or `PATCH`.
pub fn remote_id(body: &[u8]) -> Option<String> {
    match parse(body)?.get("id")? {
        Value::String(id) if !id.trim().is_empty() => Some(id.clone()),
        Value::Number(id) if id.is_u64() => Some(id.to_string()),
        _ => None,
    }
}

/// The id in a conflict: `Contact already exists. Existing ID: 12345`.
pub fn existing_id(body: &[u8]) -> Option<String> {
    let answer = parse(body)?;
    let (_, rest) = answer.get("message")?.as_str()?.split_once("Existing ID:")?;
    let id: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    (!id.is_empty()).then_some(id)
}

/// What HubSpot refuses of the properties that were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// The portal has no property of this name.
    pub missing: BTreeSet<String>,
    /// The property does not take its value, with HubSpot's code (`INVALID_OPTION`).
    pub unfit: BTreeSet<(String, String)>,
}

/// Reads a refusal. Only names that were sent are told, so that no value comes along. HubSpot writes it in two ways: as
/// `errors[]` with `code` and `context.propertyName`, and as a list of `{name, error}` within the text of `message`.
pub fn refused(body: &[u8], sent: &[u8]) -> Refused {
    let mut refused = Refused::default();
    let (Some(answer), Some(request)) = (parse(body), parse(sent)) else { return refused };
    let Some(properties) = request.get("properties").and_then(Value::as_object) else { return refused };
    let mut complaints = Vec::new();
    collect(&answer, 0, &mut complaints);
    for (code, names) in complaints {
        for name in names.into_iter().filter(|name| properties.contains_key(name)) {
            if code == "PROPERTY_DOESNT_EXIST" {
                refused.missing.insert(name);
            } else {
                refused.unfit.insert((name, code.clone()));
            }
        }
    }
    refused
}

/// Every object that has a code and names properties, also those within texts.
fn collect(value: &Value, depth: usize, complaints: &mut Vec<(String, Vec<String>)>) {
    if depth > DEEPEST {
        return;
    }
    match value {
        Value::Object(map) => {
            let code =
                map.get("code").or_else(|| map.get("error")).and_then(Value::as_str).filter(|code| is_code(code));
            if let Some(code) = code {
                let mut names = Vec::new();
                for name in [map.get("name"), value.pointer("/context/propertyName")].into_iter().flatten() {
                    let list = name.as_array().map_or(std::slice::from_ref(name), Vec::as_slice);
                    names.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
                }
                complaints.push((code.to_owned(), names));
            }
            map.values().for_each(|inner| collect(inner, depth + 1, complaints));
        }
        Value::Array(list) => list.iter().for_each(|inner| collect(inner, depth + 1, complaints)),
        Value::String(text) => {
            let inner = text
                .find("[{")
                .and_then(|at| serde_json::Deserializer::from_str(&text[at..]).into_iter::<Value>().next()?.ok());
            if let Some(inner) = inner {
                collect(&inner, depth + 1, complaints);
            }
        }
        _ => {}
    }
}

/// A word of capitals, which can be shown.
fn is_code(text: &str) -> bool {
    (1..=60).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// The scopes that a refusal asks for, none when it is about something else.
pub fn missing_scopes(body: &[u8]) -> Option<BTreeSet<String>> {
    let answer = parse(body)?;
    if answer.get("category").and_then(Value::as_str) != Some("MISSING_SCOPES") {
        return None;
    }
    let mut scopes = BTreeSet::new();
    let errors = answer.get("errors").and_then(Value::as_array).into_iter().flatten();
    for context in errors.chain([&answer]).filter_map(|told| told.get("context")) {
        for key in ["requiredGranularScopes", "requiredScopes", "missingScopes"] {
            let list = context.get(key).and_then(Value::as_array).into_iter().flatten();
            scopes.extend(list.filter_map(Value::as_str).filter(|scope| is_scope(scope)).map(str::to_owned));
        }
    }
    Some(scopes)
}

/// `crm.objects.contacts.write`.
fn is_scope(text: &str) -> bool {
    (3..=60).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
}

/// A day's limit is tried again after this long. The day ends at midnight in the portal's own time zone, which no answer tells.
const DAY_LIMIT: Duration = Duration::from_secs(3600);

/// How long to wait after a 429, which mostly comes without `Retry-After`: by the limit that was met, else by what the header
/// fields say of it.
pub fn wait(response: &HttpResponse) -> Option<Duration> {
    let policy = parse(&response.body).and_then(|answer| Some(answer.get("policyName")?.as_str()?.to_owned()));
    let number = |name: &str| response.header(name)?.trim().parse::<u64>().ok();
    match policy.as_deref() {
        Some("SECONDLY") => Some(Duration::from_secs(1)),
        Some("TEN_SECONDLY_ROLLING") => Some(Duration::from_secs(10)),
        Some("DAILY") => Some(DAY_LIMIT),
        _ if number("x-hubspot-ratelimit-daily-remaining") == Some(0) => Some(DAY_LIMIT),
        _ => Some(Duration::from_millis(number("x-hubspot-ratelimit-interval-milliseconds")?)),
    }
}

/// Whether an answer of success tells of an error all the same: `status` is `error`, or there are `errors`.
pub fn tells_of_errors(body: &[u8]) -> bool {
    let Some(answer) = parse(body) else { return false };
    answer.get("status").and_then(Value::as_str) == Some("error")
        || answer.get("errors").and_then(Value::as_array).is_some_and(|errors| !errors.is_empty())
}

/// What is wrong with the portal's properties.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lacking<'a> {
    /// They are not there.
    pub missing: Vec<&'a Mapped>,
    /// They are of another type, which is told.
    pub unfit: Vec<(&'a Mapped, String)>,
}

/// Compares the portal's list of properties with those that are needed; none when the answer is no such list, or was cut.
pub fn lacking<'a>(body: &[u8], needed: &'a [Mapped]) -> Option<Lacking<'a>> {
    let answer = parse(body)?;
    let list = answer.get("results")?.as_array()?;
    let mut lacking = Lacking::default();
    for mapped in needed {
        let there = list.iter().find(|there| there.get("name").and_then(Value::as_str) == Some(&mapped.property));
        match there.map(|there| there.get("type").and_then(Value::as_str).unwrap_or_default()) {
            None => lacking.missing.push(mapped),
            Some(of) if of.is_empty() || fits(mapped.field, of) => {}
            Some(of) => lacking.unfit.push((mapped, of.to_owned())),
        }
    }
    Some(lacking)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_conflict_is_read_out_of_its_sentence() {
        for (body, id) in [
            (r#"{"message":"Contact already exists. Existing ID: 12345"}"#, Some("12345")),
            (r#"{"message":"Contact already exists. Existing ID:7.","category":"CONFLICT"}"#, Some("7")),
            (r#"{"message":"Contact already exists. Existing ID: jane@example.com"}"#, None),
            (r#"{"message":"Contact already exists."}"#, None),
            (r#"{"message":5}"#, None),
            ("<html>", None),
        ] {
            assert_eq!(existing_id(body.as_bytes()).as_deref(), id, "{body}");
        }
    }

    #[test]
    fn both_ways_of_refusing_a_property_are_read() {
        let sent = br#"{"properties":{"tier":"x","total":"1","email":"jane@example.com"}}"#;
        let in_message = r#"{"status":"error","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"Property \\\"tier\\\" does not exist\",\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"tier\"},{\"error\":\"INVALID_EMAIL\",\"name\":\"email\"}] and more","category":"VALIDATION_ERROR"}"#;
        let as_errors = r#"{"errors":[{"message":"no tier","code":"PROPERTY_DOESNT_EXIST","context":{"propertyName":["tier","jane@example.com"]}},{"code":"INVALID_EMAIL","context":{"propertyName":"email"}}]}"#;
        for body in [in_message, as_errors] {
            let refused = refused(body.as_bytes(), sent);
            assert_eq!(refused.missing, BTreeSet::from(["tier".to_owned()]), "{body}");
            assert_eq!(refused.unfit, BTreeSet::from([("email".to_owned(), "INVALID_EMAIL".to_owned())]), "{body}");
        }
        for body in ["", "{}", "[{", r#"{"message":"[{"}"#, r#"{"errors":[{"code":"jane@example.com","name":"tier"}]}"#]
        {
            assert_eq!(refused(body.as_bytes(), sent), Refused::default(), "{body}");
        }
    }
}
