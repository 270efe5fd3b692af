//! What a verified body means, ready for the writer. What comes late, by way of `rejected retry`, goes through here too.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::ledger::intake::Intake;
use crate::model::time::Timestamp;
use crate::sources::{InvalidPayload, Source};

/// The longest id that is taken from a body our code failed on, in bytes.
const LONGEST_LENIENT_ID: usize = 255;

/// Interprets a body that `source`, configured under `name`, has verified. `pack` makes of it what the store keeps.
///
/// # Errors
/// When it can't be taken as an event. What our own code fails on is no error: it is stored as unreadable.
pub fn intake(
    name: &str,
    source: &dyn Source,
    body: &[u8],
    received_at: Timestamp,
    pack: fn(&[u8]) -> Vec<u8>,
) -> Result<Intake, InvalidPayload> {
    // The panic is reported by the process's panic hook, as every other.
    let interpreted = match catch_unwind(AssertUnwindSafe(|| source.interpret(body))) {
        Ok(interpreted) => Some(interpreted?),
        Err(_panic) => None,
    };
    let provider_id = match &interpreted {
        Some(interpreted) => interpreted.provider_id.clone(),
        None => lenient_id(body),
    };
    Ok(Intake {
        source: name.to_owned(),
        interpreted,
        mark: format!("{}/{provider_id}", source.provider()),
        provider_id,
        received_at,
        body_bytes: u32::try_from(body.len()).unwrap_or(u32::MAX),
        packed_body: pack(body),
    })
}

/// The id of an event that our own code failed on: the top-level `id` where one can be made out, so that a repeat is still
/// known as one; else a name made from the body.
fn lenient_id(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct OnlyId {
        id: String,
    }
    match serde_json::from_slice::<OnlyId>(body) {
        Ok(OnlyId { id })
            if !id.is_empty() && id.len() <= LONGEST_LENIENT_ID && id.bytes().all(|byte| byte.is_ascii_graphic()) =>
        {
            id
        }
        _ => format!("body-{}", hex::encode(&Sha256::digest(body)[..16])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_found_in_most_bodies_and_made_for_the_rest() {
        assert_eq!(lenient_id(br#"{"a":[1,{"id":"no"}],"id":"evt_1"}"#), "evt_1");
        let deep = format!(r#"{{"x":{}1{},"id":"evt_2"}}"#, "[".repeat(10_000), "]".repeat(10_000));
        assert_eq!(lenient_id(deep.as_bytes()), "evt_2", "what is skipped may be deep");
        for odd in
            [&b""[..], b"[]", b"{\"id\":7}", b"{\"id\":\"\"}", b"{\"id\":\"a\\nb\"}", b"\xff\xfe", b"{\"id\":\"x"]
        {
            let id = lenient_id(odd);
            assert!(id.starts_with("body-") && id.len() == 37, "{id}");
            assert_eq!(id, lenient_id(odd));
        }
        let long = format!(r#"{{"id":"{}"}}"#, "x".repeat(256));
        assert!(lenient_id(long.as_bytes()).starts_with("body-"));
    }
}
