//! Reading what MailerLite answers, new API and classic.

use std::time::Duration;

use serde_json::Value;

use super::super::{HttpResponse, redact, status};
use super::groups::Groups;
use crate::model::retry::{LONGEST_RETRY_AFTER, parse_retry_after};
use crate::model::time::{Timestamp, parse_utc};

/// From here on a number in a header field is a moment in Unix seconds, below it a span.
const MOMENTS_FROM: i64 = 1_000_000_000;

/// What an upsert's answer says of the subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// MailerLite's id, a decimal text; never a number, it has 18 digits and more.
    pub id: Option<String>,
    /// `active`, `unconfirmed`, `unsubscribed`, `bounced`, `junk`.
    pub status: Option<String>,
    /// Ids of the groups that the person is in, where the answer lists them.
    pub groups: Vec<String>,
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
    let id = id(told);
    let status = told.get("status").or_else(|| told.get("type")).and_then(Value::as_str).map(str::to_owned);
    let groups = told.get("groups").and_then(Value::as_array).into_iter().flatten().filter_map(self::id).collect();
    (id.is_some() || status.is_some()).then_some(Subscriber { id, status, groups })
}

/// The `id` of an object: a text in the new API, a whole number in the classic one.
fn id(of: &Value) -> Option<String> {
    match of.get("id") {
        Some(Value::String(id)) if !id.is_empty() => Some(id.clone()),
        Some(Value::Number(id)) if id.is_u64() => Some(id.to_string()),
        _ => None,
    }
}

/// Whether a refusal says that MailerLite will not write to the person: `This subscriber is unsubscribed and cannot be imported.`
pub fn says_lost(body: &[u8]) -> bool {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else { return false };
    sentences(&answer).iter().filter(|(field, _)| matches!(field.as_str(), "" | "email" | "status")).any(
        |(_, sentence)| {
            // Without the address, which may hold such a word itself.
            let sentence = redact::text(sentence).to_lowercase();
            ["unsubscribed", "bounced", "junk"].iter().any(|word| sentence.contains(word))
        },
    )
}

/// What the classic API means by an answer, whose own codes say more than its status (classic: response, API error codes).
pub fn classic_status(response: &HttpResponse) -> u16 {
    let code = || {
        let answer = serde_json::from_slice::<Value>(&response.body).ok()?;
        answer.pointer("/error/code").and_then(Value::as_u64)
    };
    match (response.status, code) {
        (400..=499, code) => match code() {
            Some(1 | 302) => 401,
            Some(429) => 429,
            _ => response.status,
        },
        (status, _) => status,
    }
}

/// How long to wait after a 429: `Retry-After`, else what the classic API says in header fields of its own.
pub fn wait(response: &HttpResponse, now: Timestamp) -> Option<Duration> {
    let seconds = response.header("x-ratelimit-retry-after").and_then(|value| parse_retry_after(value, now));
    let reset = || {
        let value = response.header("x-ratelimit-reset")?.trim();
        let moment = match value.parse::<i64>() {
            Ok(number) if number >= MOMENTS_FROM => Some(Timestamp::from_unix_seconds(number)),
            Ok(_) => None,
            Err(_) => parse_utc(value),
        };
        match moment {
            Some(moment) => Some(moment.since(now).min(LONGEST_RETRY_AFTER)),
            None => parse_retry_after(value, now),
        }
    };
    response.retry_after.or(seconds).or_else(reset)
}

/// What a refusal complains about, field by field, without personal data, and what to do about what the configuration names:
/// `groups.0: The selected groups.0 is invalid (there is no group 102, …)`. `sent` is the request's body. None when it says
/// nothing readable.
pub fn complaints(body: &[u8], sent: &[u8], groups: &Groups) -> Option<String> {
    let answer = serde_json::from_slice::<Value>(body).ok()?;
    let sent = serde_json::from_slice::<Value>(sent).unwrap_or_default();
    let told: Vec<String> = sentences(&answer)
        .into_iter()
        .map(|(field, sentence)| {
            let sentence = status::cut(&redact::text(&sentence), status::EXCERPT_CHARS);
            match advice(&field, &sent, groups) {
                _ if field.is_empty() => sentence,
                Some(advice) => format!("{field}: {sentence} ({advice})"),
                None => format!("{}: {sentence}", status::cut(&redact::text(&field), 40)),
            }
        })
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// What to do about a complaint, by the field that it names.
fn advice(field: &str, sent: &Value, groups: &Groups) -> Option<String> {
    if let Some(number) = field.strip_prefix("groups.").and_then(|number| number.parse::<usize>().ok()) {
        return no_group(sent["groups"].get(number)?.as_str()?, groups);
    }
    let key = field.strip_prefix("fields.")?;
    sent["fields"].get(key)?;
    Some(format!(
        "make the field at MailerLite, of the right type, or leave it out with fields = {{ {key} = \"\" }}; `tallyhook destinations \
         test` says what is missing"
    ))
}

/// That a group is not there, and what to do.
pub fn no_group(id: &str, groups: &Groups) -> Option<String> {
    let (name, id) = groups.named().find(|(_, known)| *known == id)?;
    Some(format!(
        "there is no group {id} in this account: copy the id for groups.{name} from the address of the group's page at MailerLite; \
         `tallyhook destinations test` says which groups are missing"
    ))
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
        let told = |id: &str, status: &str, groups: &[&str]| {
            let groups = groups.iter().map(|id| (*id).to_owned()).collect();
            Some(Subscriber { id: Some(id.into()), status: Some(status.into()), groups })
        };
        assert_eq!(
            of(
                r#"{"data":{"id":"319868430649935370","status":"active","groups":[{"id":"7","name":"a"},{"name":"b"}]}}"#
            ),
            told("319868430649935370", "active", &["7"])
        );
        assert_eq!(of(r#"{"id":1343965485,"type":"unsubscribed"}"#), told("1343965485", "unsubscribed", &[]));
        assert_eq!(of(r#"{"id":184467440737095516199,"type":"active"}"#).unwrap().id, None, "no id that lost digits");
        for none in ["", "<html>", "[]", "{}", r#"{"data":[]}"#, r#"{"data":{}}"#] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn people_who_are_lost_are_told_from_words_that_only_look_so() {
        for (body, lost) in [
            (r#"{"message":"This subscriber is unsubscribed and cannot be imported."}"#, true),
            (r#"{"errors":{"email":["This subscriber is unsubscribed and cannot be imported."]}}"#, true),
            (r#"{"errors":{"status":["Cannot change a bounced subscriber."]}}"#, true),
            (r#"{"error":{"code":400,"message":"Subscriber is marked as JUNK"}}"#, true),
            (r#"{"errors":{"email":["unsubscribed@example.com must be a valid email address."]}}"#, false),
            (r#"{"errors":{"fields.unsubscribed_why":["The unsubscribed why must be a number."]}}"#, false),
            (r#"{"message":"The given data was invalid."}"#, false),
            ("unsubscribed", false),
        ] {
            assert_eq!(says_lost(body.as_bytes()), lost, "{body}");
        }
    }

    #[test]
    fn complaints_name_their_fields_and_nobody() {
        let groups = Groups { premium: Some("102".into()), ..Groups::default() };
        let sent = r#"{"email":"jane@example.com","groups":["101","102"],"fields":{"lead_id":"7"}}"#;
        let of = |body: &str| complaints(body.as_bytes(), sent.as_bytes(), &groups);
        assert_eq!(
            of(r#"{"message":"The given data was invalid.","errors":{"email":["jane@example.com is no address."],"groups.0":["Invalid."]}}"#)
                .unwrap(),
            "email: *** is no address.; groups.0: Invalid."
        );
        let told =
            of(r#"{"errors":{"groups.1":["The selected groups.1 is invalid."],"fields.lead_id":["Too long."]}}"#);
        let told = told.unwrap();
        assert!(told.contains("there is no group 102 in this account: copy the id for groups.premium"), "{told}");
        assert!(
            told.contains("fields.lead_id: Too long. (make the field") && told.contains("{ lead_id = \"\" }"),
            "{told}"
        );
        assert_eq!(of(r#"{"error":{"code":400,"message":"Bad group"}}"#).unwrap(), "Bad group");
        assert_eq!(of("nonsense"), None);
        let long = of(&format!(r#"{{"errors":{{"email":["{}"]}}}}"#, "x".repeat(9000))).unwrap();
        assert!(long.len() < 300, "{}", long.len());
    }

    fn response(status: u16, body: &str, headers: &[(&'static str, &str)]) -> HttpResponse {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        HttpResponse { status, retry_after: None, body: body.into(), headers }
    }

    #[test]
    fn the_classic_api_has_codes_of_its_own() {
        for (status, code, meant) in [(400, 302, 401), (401, 1, 401), (400, 429, 429), (404, 123, 404), (200, 302, 200)]
        {
            let body = format!(r#"{{"error":{{"code":{code},"message":"x"}}}}"#);
            assert_eq!(classic_status(&response(status, &body, &[])), meant, "{status} {code}");
        }
        assert_eq!(classic_status(&response(418, "<html>", &[])), 418);
    }

    #[test]
    fn the_wait_is_read_from_whatever_says_it() {
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        let of = |headers: &[(&'static str, &str)]| wait(&response(429, "", headers), now).map(|wait| wait.as_secs());
        assert_eq!(of(&[("x-ratelimit-retry-after", "37"), ("x-ratelimit-reset", "9")]), Some(37));
        assert_eq!(of(&[("x-ratelimit-reset", "1800000042")]), Some(42));
        assert_eq!(of(&[("x-ratelimit-reset", "1700000000")]), Some(0), "in the past");
        assert_eq!(of(&[("x-ratelimit-reset", "42")]), Some(42));
        assert_eq!(of(&[("x-ratelimit-reset", "2027-01-15 08:01:00")]), Some(60));
        assert_eq!(of(&[("x-ratelimit-reset", "9999999999999")]), Some(86_400));
        assert_eq!(of(&[("x-ratelimit-reset", "soon"), ("x-ratelimit-retry-after", "-1")]), None);
        let both = HttpResponse {
            retry_after: Some(Duration::from_secs(119)),
            ..response(429, "", &[("x-ratelimit-reset", "1")])
        };
        assert_eq!(wait(&both, now), Some(Duration::from_secs(119)));
    }
}
