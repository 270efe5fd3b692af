//! What the merchant attached to an object: the recognised keys of its metadata.

use crate::model::statement::Tags;
use crate::model::time::Timestamp;
use crate::sources::tags;

use super::json::Json;
use super::object::value;

/// Every name that is recognised. By default the metadata's key is the name itself.
pub const METADATA_NAMES: [&str; 20] = [
    "lead_id",
    "user_id",
    "pricing_tier",
    "order_id",
    "service_id",
    "service_name",
    "ga_client_id",
    "ga_session_id",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
    "gclid",
    "gbraid",
    "wbraid",
    "fbclid",
    "consent_analytics",
    "consent_ads",
    "consent_email",
];

/// Which keys of the metadata are read for which of [`METADATA_NAMES`], where they are not the usual ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetadataKeys(Vec<(String, Vec<String>)>);

impl MetadataKeys {
    /// From names and the merchant's own keys for each, the first that says something counting. Names that are not given keep
    /// their usual keys.
    pub fn new(mut own: Vec<(String, Vec<String>)>) -> Self {
        own.retain(|(name, keys)| !keys.iter().eq(usual_keys(name)));
        Self(own)
    }

    /// What the metadata says under a name.
    fn get(&self, metadata: &[Field<'_>], name: &str) -> Option<String> {
        if let Some((_, keys)) = self.0.iter().find(|(known, _)| known == name) {
            return keys.iter().find_map(|key| text(metadata, key));
        }
        usual_keys(name).find_map(|key| text(metadata, key))
    }

    /// The recognised keys of an object's metadata. Values are trimmed, empty ones don't count, and all are cut at 500
    /// characters.
    pub(super) fn tags(&self, metadata: Option<&Json<'_>>, said_at: Timestamp) -> Tags {
        let Some(Json::Object(fields)) = metadata else { return Tags::default() };
        if fields.is_empty() {
            return Tags::default();
        }
        tags::tags(|name| self.get(fields, name), said_at)
    }
}

/// The keys that a name is read from unless the merchant names others.
fn usual_keys(name: &str) -> impl Iterator<Item = &str> {
    let short = match name {
        "ga_client_id" => Some("client_id"),
        "ga_session_id" => Some("session_id"),
        _ => None,
    };
    std::iter::once(name).chain(short)
}

/// A key with its value.
type Field<'a> = (std::borrow::Cow<'a, str>, Json<'a>);

/// What stands under a key; of two equal ones the last counts, as in most readers.
fn text(metadata: &[Field<'_>], key: &str) -> Option<String> {
    match metadata.iter().rev().find(|(known, _)| known == key) {
        Some((_, Json::Text(text))) => value(text),
        _ => None,
    }
}

/// Fills what one set of tags lacks from another, with the time of what was said.
pub(super) fn fill_tags(tags: &mut Tags, other: &Tags) {
    let at = tags.attribution.at.max(other.attribution.at);
    tags.fill_from(other);
    if !tags.attribution.is_empty() {
        tags.attribution.at = at;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(keys: &MetadataKeys, metadata: &str) -> Tags {
        keys.tags(Some(&Json::parse(metadata).unwrap()), Timestamp::from_unix_seconds(5))
    }

    #[test]
    fn the_merchants_own_keys_take_the_place_of_the_usual_ones() {
        let own = vec![
            ("lead_id".to_owned(), vec!["visitor".to_owned()]),
            ("pricing_tier".to_owned(), vec!["plan".to_owned(), "tier".to_owned()]),
            ("ga_client_id".to_owned(), vec!["Google Id".to_owned()]),
            ("consent_email".to_owned(), vec!["news".to_owned()]),
        ];
        let metadata = r#"{"visitor": "v1", "lead_id": "other", "plan": " ", "tier": "pro", "Google Id": "1.2",
            "client_id": "3.4", "news": "yes", "user_id": "u1"}"#;
        let told = tags(&MetadataKeys::new(own), metadata);
        assert_eq!((told.lead_id.as_deref(), told.pricing_tier.as_deref()), (Some("v1"), Some("pro")));
        assert_eq!(told.attribution.client_id.as_deref(), Some("1.2"));
        assert_eq!((told.consent.email, told.user_id.as_deref()), (Some(true), Some("u1")));
        let usual = tags(&MetadataKeys::default(), metadata);
        assert_eq!((usual.lead_id.as_deref(), usual.pricing_tier), (Some("other"), None));
        assert_eq!(usual.attribution.client_id.as_deref(), Some("3.4"));
    }

    #[test]
    fn every_recognised_name_is_read_by_itself() {
        for name in METADATA_NAMES {
            let told = tags(&MetadataKeys::default(), &format!("{{\"{name}\": \"yes\"}}"));
            assert_ne!(told, Tags::default(), "{name}");
            let own = MetadataKeys::new(vec![(name.to_owned(), vec!["mine".to_owned()])]);
            assert_eq!(tags(&own, "{\"mine\": \"yes\"}"), told, "{name}");
        }
    }
}
