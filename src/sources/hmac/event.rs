//! Which event a body is: its id, its type, and whether it is only a test.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::content::{self, Content};
use super::pick::Pick;
use super::scheme::Scheme;
use crate::model::id::{Mode, Scope};
use crate::model::statement::{Interpreted, Meaning};
use crate::sources::{BODY_ID, InvalidPayload, Message};

/// The longest id that is kept as it is, in bytes.
const LONGEST_ID: usize = 255;
/// How the id begins of which only a hash is kept.
const HASHED_ID: &str = "hash-";
/// The type of an event that tells none.
const UNKNOWN: &str = "unknown";

/// Where a sender names its events.
pub(super) struct Naming {
    id: Vec<Pick>,
    event_type: Vec<Pick>,
    test_mode: Option<Pick>,
}

impl Naming {
    /// From settings; what is no pick names nothing.
    pub fn new(scheme: &Scheme) -> Self {
        let picks = |texts: &[String]| texts.iter().filter_map(|text| Pick::parse(text).ok()).collect();
        Self {
            id: picks(&scheme.event_id),
            event_type: picks(&scheme.event_type),
            test_mode: scheme.test_mode.as_deref().and_then(|text| Pick::parse(text).ok()),
        }
    }

    /// The header fields that it reads.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.id.iter().chain(&self.event_type).chain(&self.test_mode).flat_map(Pick::headers)
    }

    pub fn id_picks(&self) -> &[Pick] {
        &self.id
    }

    pub fn type_picks(&self) -> &[Pick] {
        &self.event_type
    }

    /// Says which event a verified body is.
    /// Its meaning is left out; with what it was read from.
    pub fn name(&self, scope: Scope, message: &Message<'_>) -> Result<(Interpreted, Value), InvalidPayload> {
        let mut notes = Vec::new();
        let (body, meaning) = match content::read(message.body)? {
            Content::Readable(body) => (body, Meaning::Ignored),
            Content::TooDeep => {
                notes.push("nested deeper than this version reads".to_owned());
                (Value::Null, Meaning::Undigested)
            }
        };
        let event_type = self.event_type(message, &body);
        let is_test = self.test_mode.as_ref().and_then(|pick| pick.read(message.envelope, &body));
        let is_test = is_test.is_some_and(|text| !matches!(text.as_str(), "false" | "0" | "no" | "live"));
        let provider_id = match self.named_id(message, &body) {
            Ok(id) => id,
            Err(missing) => {
                if let Some(pick) = missing {
                    notes.push(format!(
                        "no event id ({pick} is not there): a repeat is known by its body, for ten minutes"
                    ));
                }
                body_id(&event_type, &body, message.body)
            }
        };
        let mode = if is_test { Mode::Test } else { scope.mode };
        let scope = Scope { mode, ..scope };
        Ok((Interpreted { provider_id, event_type, created: None, scope, meaning, notes }, body))
    }

    /// The parts of the type that are there, joined by full stops: GitHub's event with its action.
    fn event_type(&self, message: &Message<'_>, body: &Value) -> String {
        let parts: Vec<_> = self.event_type.iter().filter_map(|pick| pick.read(message.envelope, body)).collect();
        let joined = parts.join(".");
        let joined = if joined.is_empty() { message.envelope.event.clone().unwrap_or_default() } else { joined };
        let usable = !joined.is_empty() && joined.len() <= LONGEST_ID && !joined.chars().any(char::is_control);
        if usable { joined } else { UNKNOWN.to_owned() }
    }

    /// The id that the sender gave, or what of it is missing.
    fn named_id(&self, message: &Message<'_>, body: &Value) -> Result<String, Option<&Pick>> {
        let mut parts = Vec::new();
        for pick in &self.id {
            match pick.read(message.envelope, body) {
                Some(part) => parts.push(part),
                None if pick.optional => {}
                None => return Err(Some(pick)),
            }
        }
        if parts.is_empty() {
            return Err(self.id.first());
        }
        let id = parts.join(":");
        let plain = id.len() <= LONGEST_ID && id.bytes().all(|byte| byte.is_ascii_graphic());
        // Ids made from a body are forgotten early; none that a sender gave may look like one.
        if plain && !id.starts_with(BODY_ID) {
            return Ok(id);
        }
        Ok(format!("{HASHED_ID}{}", hex::encode(&Sha256::digest(&id)[..16])))
    }
}

/// An id from what a body says, however it is written: the hash of its canonical form, without white space and with the names
/// of every object in order.
fn body_id(event_type: &str, body: &Value, raw: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(event_type);
    hash.update([0]);
    if body.is_null() {
        hash.update(raw);
    } else {
        // An object of serde_json keeps its names in order.
        hash.update(body.to_string());
    }
    format!("{BODY_ID}{}", hex::encode(&hash.finalize()[..16]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::envelope::Envelope;
    use crate::model::time::Timestamp;
    use crate::sources::hmac::preset::preset;

    fn told(preset_name: &str, headers: &[(&str, &str)], body: &str) -> Interpreted {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let envelope = Envelope { headers, event: None };
        let message = Message { envelope: &envelope, body: body.as_bytes(), received_at: Timestamp::from_millis(0) };
        let scope = Scope { provider: preset_name.to_owned(), account: None, mode: Mode::Live };
        Naming::new(&preset(preset_name).unwrap()).name(scope, &message).unwrap().0
    }

    #[test]
    fn ids_and_types_come_from_headers_and_bodies() {
        let delivery = [("x-github-delivery", "72d3162e-cc78"), ("x-github-event", "issues")];
        let issue = told("github", &delivery, r#"{"action":"opened"}"#);
        assert_eq!((issue.provider_id.as_str(), issue.event_type.as_str()), ("72d3162e-cc78", "issues.opened"));
        let booking =
            r#"{"event":"invitee.created","created_at":"2026-01-01T00:00:00Z","payload":{"uri":"https://x/y"}}"#;
        assert_eq!(told("calendly", &[], booking).provider_id, "invitee.created:https://x/y:2026-01-01T00:00:00Z");
        let order = [("x-wc-webhook-topic", "order.updated"), ("x-wc-webhook-source", "https://shop.example/")];
        let told_order = told("woocommerce", &order, r#"{"id":12,"date_modified_gmt":"2026-01-01T00:00:00"}"#);
        assert_eq!(told_order.provider_id, "https://shop.example/:order.updated:12:2026-01-01T00:00:00");
        assert_eq!(told("woocommerce", &order[..1], r#"{"id":12}"#).provider_id, "order.updated:12");
        assert_eq!(
            told("slack", &[], r#"{"event_id":"Ev1","type":"event_callback","event":{"type":"message"}}"#).event_type,
            "message"
        );
    }

    #[test]
    fn an_event_without_an_id_is_known_by_what_it_says() {
        let one = told("lemon_squeezy", &[], r#"{"meta":{"event_name":"order_created"},"data":{"id":"1"}}"#);
        let same =
            told("lemon_squeezy", &[], "{\"data\": {\"id\":\"1\"},\n \"meta\":{\"event_name\":\"order_created\"}}");
        let other = told("lemon_squeezy", &[], r#"{"meta":{"event_name":"order_created"},"data":{"id":"2"}}"#);
        assert!(one.provider_id.starts_with(BODY_ID) && one.notes.is_empty(), "{one:?}");
        assert_eq!(one.provider_id, same.provider_id);
        assert_ne!(one.provider_id, other.provider_id);
        assert_eq!((one.mode(), one.event_type.as_str()), (Mode::Live, "order_created"));
        let test = told("lemon_squeezy", &[], r#"{"meta":{"event_name":"x","test_mode":true}}"#);
        assert_eq!(test.mode(), Mode::Test);
        let odd = told("paddle", &[], r#"{"event_type":"transaction.completed"}"#);
        assert!(odd.provider_id.starts_with(BODY_ID) && odd.notes[0].contains("/event_id"), "{odd:?}");
    }

    #[test]
    fn an_odd_id_becomes_its_hash() {
        let id = |id: &str| told("paddle", &[], &serde_json::json!({"event_id": id}).to_string()).provider_id;
        assert_eq!(id("evt_1"), "evt_1");
        for odd in ["a b", "é", "body-0123", &"x".repeat(300)] {
            assert!(id(odd).starts_with(HASHED_ID), "{odd}");
        }
        assert_eq!(told("paddle", &[], r#"{"event_id":"e","event_type":"a\nb"}"#).event_type, UNKNOWN);
    }
}
