//! Reading what MailerLite answers, new API and classic.

use serde_json::Value;

use super::super::{redact, status};

/// What an upsert's answer says of the subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// MailerLite's id, a decimal text; never a number, it has 18 digits and more.
    pub id: Option<String>,
    /// `active`, `unconfirmed`, `unsubscribed`, `bounced`, `junk`.
    pub status: Option<String>,
}

impl Subscriber {
    /// Whether MailerLite will not write to the person, and is right not to.
    pub fn is_lost(&self) -> bool {
        matches!(self.status.as_deref(), Some("unsubscribed" | "bounced" | "junk"))
    }
}

/// The subscriber in an answer: below `data` in the new API, at the top (and its status called `type`) in the classic one.
/// None when the answer tells of none.
pub fn subscriber(body: &[u8]) -> Option<Subscriber> {
    let answer = serde_json::from_slice::<Value>(body).ok()?;
    let told = match answer.get("data") {
        Some(data) if data.is_object() => data,
        _ => &answer,
    };
    let id = match told.get("id") {
        Some(Value::String(id)) if !id.is_empty() => Some(id.clone()),
        Some(Value::Number(id)) => Some(id.to_string()),
        _ => None,
    };
    let status = told.get("status").or_else(|| told.get("type")).and_then(Value::as_str).map(str::to_owned);
    (id.is_some() || status.is_some()).then_some(Subscriber { id, status })
}

/// Whether a refusal says that the person unsubscribed: `This subscriber is unsubscribed and cannot be imported.`
pub fn says_unsubscribed(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok_and(|answer| {
        sentences(&answer).iter().any(|(_, sentence)| sentence.to_lowercase().contains("unsubscribed"))
    })
}

/// What a 422 complains about, field by field, without personal data: `email: must be valid; groups.0: is invalid`. None
/// when it says nothing readable.
pub fn complaints(body: &[u8]) -> Option<String> {
    let answer = serde_json::from_slice::<Value>(body).ok()?;
    let told: Vec<String> = sentences(&answer)
        .into_iter()
        .map(|(field, sentence)| if field.is_empty() { sentence } else { format!("{field}: {sentence}") })
        .collect();
    (!told.is_empty()).then(|| status::cut(&redact::text(&told.join("; ")), status::EXCERPT_CHARS))
}

/// The sentences below `errors` with their fields, else the `message` of either API.
fn sentences(answer: &Value) -> Vec<(String, String)> {
    let mut told = Vec::new();
    if let Some(errors) = answer.get("errors").and_then(Value::as_object) {
        for (field, said) in errors {
            let list = said.as_array().map_or(std::slice::from_ref(said), Vec::as_slice);
            told.extend(list.iter().filter_map(Value::as_str).map(|sentence| (field.clone(), sentence.to_owned())));
        }
    }
    if told.is_empty() {
        let message = answer.get("message").or_else(|| answer.pointer("/error/message")).and_then(Value::as_str);
        told.extend(message.map(|message| (String::new(), message.to_owned())));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_apis_tell_of_a_subscriber() {
        let of = |body: &str| subscriber(body.as_bytes());
        let told = |id: &str, status: &str| Some(Subscriber { id: Some(id.into()), status: Some(status.into()) });
        assert_eq!(of(r#"{"data":{"id":"31986843064993537","status":"active"}}"#), told("31986843064993537", "active"));
        assert_eq!(of(r#"{"id":1343965485,"type":"unsubscribed"}"#), told("1343965485", "unsubscribed"));
        for none in ["", "<html>", "[]", "{}", r#"{"data":[]}"#, r#"{"data":{}}"#] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn complaints_name_their_fields_and_nobody() {
        let of = |body: &str| complaints(body.as_bytes());
        assert_eq!(
            of(r#"{"message":"The given data was invalid.","errors":{"email":["jane@example.com is no address."],"groups.0":["Invalid."]}}"#)
                .unwrap(),
            "email: *** is no address.; groups.0: Invalid."
        );
        assert_eq!(of(r#"{"error":{"code":400,"message":"Bad group"}}"#).unwrap(), "Bad group");
        assert_eq!(of("nonsense"), None);
    }
}
