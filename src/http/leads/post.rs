//! What a browser posts: flat JSON, of which nothing is believed that can't be so. A value that can't be is left out: no odd name
//! and no broken link costs the address that came with it.

use serde_json::{Map, Value};

use crate::model::attribution::{Attribution, Consent};
use crate::model::ga_cookie;
use crate::model::identity::Email;
use crate::model::lead::LeadPost;
use crate::model::phone::{Country, Phone};
use crate::model::statement::Person;
use crate::model::time::Timestamp;

/// Longest value of a UTM parameter, and longest name.
const LONGEST_TEXT: usize = 200;
/// Longest click id.
const LONGEST_CLICK_ID: usize = 500;
/// Longest cookie.
const LONGEST_COOKIE: usize = 500;
/// Cookies that are looked at; a site has one for each stream.
const MOST_COOKIES: usize = 20;

/// What a body says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Something of a visitor, and the names of what was left out, as it can't be so.
    Lead(Box<LeadPost>, Vec<&'static str>),
    /// A field that people don't see is filled in: no person did that.
    Trapped,
}

/// Why a body is refused: the first field of those that leave nothing to believe, or none for the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Absurd(pub(super) Option<&'static str>);

/// How posts are read.
pub(super) struct Reading<'a> {
    /// Where national phone numbers are from.
    pub(super) country: Option<Country>,
    /// The names of the cookies of the configured streams, `_ga_AB12CD34`.
    pub(super) streams: &'a [String],
    /// Now.
    pub(super) at: Timestamp,
    /// A lead id for one who brings none.
    pub(super) fresh_id: String,
}

struct Fields {
    said: Map<String, Value>,
    left_out: Vec<&'static str>,
}

impl Fields {
    /// A text that is not blank, trimmed and without control characters. `null` is as good as nothing.
    fn text(&mut self, name: &'static str, longest: usize) -> Option<String> {
        let text = match self.said.get(name)? {
            Value::String(text) => text.chars().filter(|c| !c.is_control()).collect::<String>(),
            Value::Null => return None,
            _ => return self.leave_out(name),
        };
        let text = text.trim();
        if text.chars().count() > longest {
            return self.leave_out(name);
        }
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The same, read as something; left out when it can't be that.
    fn text_as<T>(&mut self, name: &'static str, longest: usize, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name, longest)?;
        read(&text).or_else(|| self.leave_out(name))
    }

    fn leave_out<T>(&mut self, name: &'static str) -> Option<T> {
        self.left_out.push(name);
        None
    }

    /// Whether a field that people don't see is filled in.
    fn is_trapped(&self) -> bool {
        match self.said.get("trap") {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.trim().is_empty(),
            Some(_) => true,
        }
    }

    /// UTM and click ids, of this visit or the first.
    fn touch(&mut self, names: [&'static str; 9]) -> Attribution {
        let [source, medium, campaign, term, content, gclid, gbraid, wbraid, fbclid] = names;
        Attribution {
            utm_source: self.text(source, LONGEST_TEXT),
            utm_medium: self.text(medium, LONGEST_TEXT),
            utm_campaign: self.text(campaign, LONGEST_TEXT),
            utm_term: self.text(term, LONGEST_TEXT),
            utm_content: self.text(content, LONGEST_TEXT),
            gclid: self.text(gclid, LONGEST_CLICK_ID),
            gbraid: self.text(gbraid, LONGEST_CLICK_ID),
            wbraid: self.text(wbraid, LONGEST_CLICK_ID),
            fbclid: self.text(fbclid, LONGEST_CLICK_ID),
            ..Attribution::default()
        }
    }

    /// The session id of the configured stream's cookie, else of the stream whose session began last.
    fn session_of_cookies(&self, streams: &[String]) -> Option<String> {
        let cookies = self.said.iter().filter(|(name, _)| name.starts_with("_ga_")).take(MOST_COOKIES);
        let sessions = cookies.filter_map(|(name, value)| {
            let value = value.as_str().filter(|value| value.len() <= LONGEST_COOKIE)?;
            let id = ga_cookie::session_id(value)?;
            Some((streams.contains(name), id.parse::<u64>().ok()?, id))
        });
        sessions.max().map(|(_, _, id)| id)
    }
}

/// Whether a text can be a lead id: what Stripe takes as `client_reference_id`, and not so short that it is guessed.
pub(super) fn is_lead_id(text: &str) -> bool {
    (8..=200).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Reads a body.
pub(super) fn read(body: &[u8], reading: Reading<'_>) -> Result<Said, Absurd> {
    let said = match serde_json::from_slice(body) {
        Ok(Value::Object(said)) => said,
        _ => return Err(Absurd(None)),
    };
    let mut fields = Fields { said, left_out: Vec::new() };
    if fields.is_trapped() {
        return Ok(Said::Trapped);
    }
    let lead_id = fields.text_as("lead_id", 200, |id| is_lead_id(id).then(|| id.to_owned()));
    let mut last = fields.touch([
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "utm_term",
        "utm_content",
        "gclid",
        "gbraid",
        "wbraid",
        "fbclid",
    ]);
    last.client_id = fields
        .text_as("client_id", LONGEST_COOKIE, ga_cookie::client_id)
        // A cookie that says nothing is no fault of the visitor's.
        .or_else(|| fields.text("_ga", LONGEST_COOKIE).and_then(|text| ga_cookie::client_id(&text)));
    last.session_id = fields
        .text_as("session_id", LONGEST_COOKIE, ga_cookie::session_id)
        .or_else(|| fields.session_of_cookies(reading.streams));
    let mut first = fields.touch([
        "first_utm_source",
        "first_utm_medium",
        "first_utm_campaign",
        "first_utm_term",
        "first_utm_content",
        "first_gclid",
        "first_gbraid",
        "first_wbraid",
        "first_fbclid",
    ]);
    if !first.is_empty() {
        // What a browser remembers of long ago or of the future is of now.
        let said = fields.said.get("first_at").and_then(Value::as_i64).map(Timestamp::from_unix_seconds);
        let oldest = reading.at.before(std::time::Duration::from_secs(400 * 86_400));
        first.at = said.filter(|said| (oldest..=reading.at).contains(said)).unwrap_or(reading.at);
        first.client_id.clone_from(&last.client_id);
    }
    let consent = consent(&mut fields);
    let person = person(&mut fields, reading.country);
    let nothing = first.is_empty() && last.is_empty() && consent == Consent::default() && person == Person::default();
    if nothing && let Some(name) = fields.left_out.first() {
        return Err(Absurd(Some(name)));
    }
    let post = LeadPost { lead_id: lead_id.unwrap_or(reading.fresh_id), at: reading.at, first, last, consent, person };
    Ok(Said::Lead(Box::new(post), fields.left_out))
}

fn consent(fields: &mut Fields) -> Consent {
    let said = fields.said.get("consent").cloned().unwrap_or_default();
    let mut absurd = !said.is_object() && !said.is_null();
    let mut answer = |name: &str| match said.get(name) {
        None | Some(Value::Null) => None,
        Some(Value::Bool(said)) => Some(*said),
        Some(_) => {
            absurd = true;
            None
        }
    };
    let consent = Consent { analytics: answer("analytics"), ads: answer("ads"), email: answer("email") };
    if absurd {
        fields.left_out.push("consent");
    }
    consent
}

fn person(fields: &mut Fields, country: Option<Country>) -> Person {
    Person {
        email: fields.text_as("email", 254, email),
        // A number that can't be read recognises nobody, and is no reason to lose the rest.
        phone: fields.text("phone", LONGEST_TEXT).and_then(|text| Phone::parse_in(&text, country)),
        name: fields.text_as("name", LONGEST_TEXT, name),
    }
}

/// A name as it may stand in a CRM: no link, and nothing that a page would take for markup.
fn name(text: &str) -> Option<String> {
    let name: String = text.chars().filter(|c| !matches!(c, '<' | '>')).collect();
    let name = name.trim();
    (!name.is_empty() && !name.contains("://")).then(|| name.to_owned())
}

/// An address as people type one: with a domain that has a dot, and without marks that no mail provider gives out.
fn email(text: &str) -> Option<Email> {
    let (name, domain) = text.rsplit_once('@')?;
    let odd = |c: char| matches!(c, '<' | '>' | '(' | ')' | '[' | ']' | ',' | ';' | ':' | '"' | '\\' | '@' | '/');
    let plausible = name.len() <= 64
        && !name.contains(odd)
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && !domain.contains(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-')));
    if plausible { Email::parse(text) } else { None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_value(body: &Value) -> Result<Said, Absurd> {
        read(
            body.to_string().as_bytes(),
            Reading {
                country: "DE".parse().ok(),
                streams: &["_ga_OURS".to_owned()],
                at: Timestamp::from_unix_seconds(1_800_000_000),
                fresh_id: "th_made_up".to_owned(),
            },
        )
    }

    fn lead(body: &Value) -> LeadPost {
        match read_value(body).unwrap() {
            Said::Lead(post, _) => *post,
            Said::Trapped => panic!("trapped"),
        }
    }

    #[test]
    fn everything_that_a_page_knows_is_read() {
        let post = lead(&json!({
            "lead_id": "lead_0001", "_ga": "GA1.1.1234567890.1747132561",
            "_ga_OTHER": "GS1.1.1747999999.3.1.1747132999.60.0.0",
            "_ga_OURS": "GS2.1.s1747132561%24o1%24g0%24t1747132655", "utm_source": " news ", "gclid": "g1",
            "first_utm_source": "ads", "first_at": 1_799_000_000, "consent": {"analytics": true, "email": false, "ads": null},
            "email": "Jane@Example.com", "phone": "030 1234567", "name": "Jane", "something": ["new"],
        }));
        assert_eq!(post.lead_id, "lead_0001");
        assert_eq!(post.last.client_id.as_deref(), Some("1234567890.1747132561"));
        assert_eq!(post.last.session_id.as_deref(), Some("1747132561"), "that of our own stream");
        assert_eq!((post.last.utm_source.as_deref(), post.first.utm_source.as_deref()), (Some("news"), Some("ads")));
        assert_eq!(post.first.at.unix_seconds(), 1_799_000_000);
        assert_eq!(post.consent, Consent { analytics: Some(true), ads: None, email: Some(false) });
        assert_eq!(post.person.email.unwrap().as_str(), "jane@example.com");
        assert_eq!(post.person.phone.unwrap().as_str(), "+49301234567");
    }

    #[test]
    fn an_id_is_made_up_for_who_brings_none() {
        assert_eq!(lead(&json!({})).lead_id, "th_made_up");
    }

    #[test]
    fn absurd_values_are_left_out_by_name_and_alone_refused() {
        let long = "x".repeat(600);
        for (field, value) in [
            ("lead_id", json!("short")),
            ("lead_id", json!("with space")),
            ("lead_id", json!(12_345_678)),
            ("client_id", json!("jane@example.com")),
            ("session_id", json!("soon")),
            ("utm_source", json!(long)),
            ("gclid", json!(["a"])),
            ("email", json!("not an address")),
            ("email", json!("a@b")),
            ("email", json!("<a@example.com>")),
            ("name", json!("Win at https://spam.example")),
            ("consent", json!("yes")),
            ("consent", json!({"email": "yes"})),
        ] {
            assert_eq!(read_value(&json!({ field: value })), Err(Absurd(Some(field))), "{field} {value}");
            let more = json!({ field: value, "phone": "030 1234567", "utm_term": "kept" });
            let Ok(Said::Lead(post, left_out)) = read_value(&more) else { panic!("{field} {value}") };
            assert_eq!((left_out, post.last.utm_term.as_deref()), (vec![field], Some("kept")), "{value}");
            assert!(post.person.phone.is_some() && is_lead_id(&post.lead_id));
        }
        for body in [&b"[]"[..], b"", b"\xff", b"{", b"1"] {
            let reading = Reading { country: None, streams: &[], at: Timestamp::EPOCH, fresh_id: String::new() };
            assert_eq!(read(body, reading), Err(Absurd(None)));
        }
    }

    #[test]
    fn odd_characters_cost_nothing_but_themselves() {
        let post = lead(&json!({"name": " Jim <3\u{7} ", "email": "jim@example.com", "utm_campaign": "spr\u{0}ing\n"}));
        assert_eq!((post.person.name.as_deref(), post.last.utm_campaign.as_deref()), (Some("Jim 3"), Some("spring")));
        assert!(post.person.email.is_some());
    }

    #[test]
    fn what_only_a_machine_fills_in_is_a_trap() {
        assert_eq!(read_value(&json!({"lead_id": "lead_0001", "trap": "http://x"})), Ok(Said::Trapped));
        assert_eq!(read_value(&json!({"trap": 5})), Ok(Said::Trapped));
        assert!(matches!(read_value(&json!({"trap": ""})), Ok(Said::Lead(..))));
    }
}
